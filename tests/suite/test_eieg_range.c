/* SPDX-License-Identifier: Apache-2.0 */
/* EIEG where r^-s leaves the range of f32: losses that are multiplied by length^s, with a length that is given, and one that is
 * measured. */
#include "suite.h"

#include <dipole/eieg.h>

#include <math.h>
#include <string.h>

/* A number in [-1, 1), a multiple of 2^-23. */
static float number(uint32_t seed, uint32_t t)
{
    uint32_t k = t + seed * 0x9E3779B9u;
    k ^= k >> 16, k *= 0x7feb352du, k ^= k >> 15, k *= 0x846ca68bu, k ^= k >> 16;
    return (float)(k >> 8) / 8388608.0f - 1.0f;
}

static void release(dp_tensor **list, int count)
{
    for (int k = 0; k < count; k++)
        dp_tensor_release(&list[k]);
}

/* In 64 dimensions, where nothing of it fits f32 without a factor. */
static void many_dimensions(dp_device *device)
{
    enum { POINTS = 4, DIMS = 64 };
    float x[POINTS * DIMS];
    if (!suite_full(device))
        return;
    for (uint32_t t = 0; t < POINTS * DIMS; t++)
        x[t] = 0.008f * number(3, t); /* about as far from each other as eps is long */
    dp_tensor *f = dp_from(device, DP_F32, DP_SHAPE(POINTS, DIMS), x), *g;
    for (uint32_t t = 0; t < POINTS * DIMS; t++)
        x[t] = 0.008f * number(4, t);
    g = dp_from(device, DP_F32, DP_SHAPE(POINTS, DIMS), x);
    dp_require_grad(f);
    assert_null(dp_eieg_discriminator_loss(device, f, g, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "scaled");
    dp_tensor *loss = dp_eieg_discriminator_loss(device, f, g, &(dp_eieg_params){.scaled = true, .length = 0.1, .stabiliser = DP_EIEG_STABILISER_A});
    suite_ok(device);
    assert_int_equal(dp_backward(loss), DP_OK);
    assert_int_equal(dp_read(dp_grad(f), x, sizeof x), DP_OK);
    double largest = 0;
    for (int t = 0; t < POINTS * DIMS; t++)
        largest = fmax(largest, fabs((double)x[t]));
    assert_true(isfinite(dp_item(loss)) && largest > 1e-3 && largest < 1e6);
    release((dp_tensor *[]){f, g, loss}, 3);
}

/* Gradients of a discriminator's loss to both sets; the loss. */
static double both_gradients(dp_device *device, int n, int dims, const float *x, const dp_eieg_params *params, float *gradients)
{
    dp_tensor *f = dp_from(device, DP_F32, DP_SHAPE(n, dims), x), *g = dp_from(device, DP_F32, DP_SHAPE(n, dims), x + n * dims);
    dp_require_grad(f);
    dp_require_grad(g);
    dp_tensor *loss = dp_eieg_discriminator_loss(device, f, g, params);
    suite_ok(device);
    const double value = dp_item(loss);
    assert_int_equal(dp_backward(loss), DP_OK);
    assert_int_equal(dp_read(dp_grad(f), gradients, sizeof(float) * (size_t)(n * dims)), DP_OK);
    assert_int_equal(dp_read(dp_grad(g), gradients + n * dims, sizeof(float) * (size_t)(n * dims)), DP_OK);
    release((dp_tensor *[]){f, g, loss}, 3);
    return value;
}

/* A length that is measured: the gradients are those without a factor, times the factor that makes the mean force s. */
static void measured_length(dp_device *device)
{
    enum { POINTS = 5, DIMS = 3, ALL = 2 * POINTS };
    static const dp_eieg_params forms[] = {
        {.eps = 0.5},
        {.eps = 0.5, .stabiliser = DP_EIEG_STABILISER_A},
        {.eps = 0.5, .stabiliser = DP_EIEG_STABILISER_B},
        {.eps = 0.5, .stabiliser = DP_EIEG_STABILISER_NONE, .kernel = DP_EIEG_PLUMMER},
        {.eps = 0.5, .stabiliser = DP_EIEG_STABILISER_NONE, .kernel = DP_EIEG_SMOOTH_DIST},
    };
    const size_t count = suite_full(device) ? sizeof forms / sizeof *forms : 1;
    float x[ALL * DIMS], plain[ALL * DIMS], scaled[ALL * DIMS];
    double force = 0;
    for (uint32_t t = 0; t < ALL * DIMS; t++)
        x[t] = number(41, t);
    for (int i = 0; i < ALL; i++)
        for (int j = 0; j < ALL; j++) {
            double t = 0;
            for (int d = 0; d < DIMS; d++)
                t += ((double)x[i * DIMS + d] - (double)x[j * DIMS + d]) * ((double)x[i * DIMS + d] - (double)x[j * DIMS + d]);
            force += i == j ? 0 : sqrt(t) * pow(fmax(sqrt(t), 0.5), -4) / (ALL * (ALL - 1));
        }
    for (size_t k = 0; k < count; k++) {
        dp_eieg_params p = forms[k];
        const double value = both_gradients(device, POINTS, DIMS, x, &p, plain);
        p.scaled = true;
        assert_true(fabs(both_gradients(device, POINTS, DIMS, x, &p, scaled) - value / force) <= 1e-4 * fabs(value / force));
        for (int t = 0; t < ALL * DIMS; t++)
            assert_true(fabs((double)scaled[t] - (double)plain[t] / force) <= 2e-5 * (1 + fabs((double)plain[t]) / force));
    }
}

/* Where (eps / r)^s is nothing to f32, and with points that coincide, which have no force but the largest k. */
static void measured_far(dp_device *device)
{
    enum { POINTS = 4, DIMS = 64, ALL = 2 * POINTS };
    float x[ALL * DIMS], g[ALL * DIMS];
    if (!suite_full(device))
        return;
    for (uint32_t t = 0; t < ALL * DIMS; t++)
        x[t] = number(5, t);
    memcpy(x + DIMS, x, DIMS * sizeof *x);
    for (int k = 0; k <= DP_EIEG_STABILISER_NONE; k++) {
        double largest = 0;
        const double value = both_gradients(device, POINTS, DIMS, x, &(dp_eieg_params){.scaled = true, .stabiliser = (dp_eieg_stabiliser)k}, g);
        for (int t = 0; t < ALL * DIMS; t++)
            largest = fmax(largest, fabs((double)g[t]));
        if (!(isfinite(value) && largest > 1e-3 && largest < 1e3))
            fail_msg("stabiliser %d: loss %g, largest gradient %g", k, value, largest);
    }
}

int main(void)
{
    static const suite_test tests[] = {{"many dimensions", many_dimensions}, {"measured length", measured_length}, {"far points", measured_far}};
    return suite_run("eieg_range", tests, sizeof tests / sizeof *tests);
}
