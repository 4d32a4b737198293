/* SPDX-License-Identifier: Apache-2.0 */
/* Vector quantisation on every device: golden values, straight-through gradients, wrong arguments. */
#include "suite.h"

#include <math.h>

#define TOLERANCE 1e-5

/* A number in [-1, 1), a multiple of 2^-23. */
static float number(uint32_t seed, uint32_t t)
{
    uint32_t x = t + seed * 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    x ^= x >> 16;
    return (float)(x >> 8) * 0x1p-23f - 1;
}

static dp_tensor *rows(dp_device *device, uint32_t seed, int count)
{
    float data[18];
    for (uint32_t t = 0; t < 3 * (uint32_t)count; t++)
        data[t] = number(seed, t);
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(count, 3), data);
    assert_int_equal(dp_require_grad(x), DP_OK);
    return x;
}

static void check_rows(const dp_tensor *tensor, double factor, double norm, const double first[3])
{
    float g[18];
    const int size = (int)dp_tensor_size(tensor);
    double square = 0;
    assert_non_null(tensor);
    assert_int_equal(dp_read(tensor, g, (size_t)size * sizeof *g), DP_OK);
    for (int k = 0; k < size; k++)
        square += (double)g[k] * (double)g[k];
    assert_true(fabs(factor * sqrt(square) - norm) <= TOLERANCE * norm);
    for (int k = 0; k < 3; k++)
        assert_true(fabs(factor * (double)g[k] - first[k]) <= TOLERANCE * norm);
}

static void golden(dp_device *device)
{
    static const double of_z[3] = {0.004905770222345988, -0.0245239966445499, 0.0009058051639133029};
    static const double none[3] = {0, 0, 0}; /* nobody is nearest to the first code */
    for (int swapped = 0; swapped < 2; swapped++) {
        const dp_vq_params params = {.beta = 0.25, .swapped = swapped};
        dp_tensor *z = rows(device, 15, 6), *codebook = rows(device, 16, 4), *codes;
        dp_tensor *value = dp_vq(device, z, codebook, swapped ? &params : NULL, NULL, &codes);
        suite_ok(device);
        assert_true(fabs(dp_item(value) - 0.3486358072062639) <= TOLERANCE);
        suite_values(codes, (const double[]){1, 1, 3, 2, 1, 1}, 6);
        assert_int_equal(dp_backward(value), DP_OK);
        check_rows(dp_grad(z), swapped ? 0.25 : 1, 0.06223930583787636, of_z);
        check_rows(dp_grad(codebook), swapped ? 4 : 1, 0.3413844233282729, none);
        dp_tensor *list[] = {z, codebook, codes, value};
        for (int k = 0; k < 4; k++)
            dp_tensor_release(&list[k]);
    }
}

/* What is behind the codes has its gradient at z, and none at the codes. */
static void straight_through(dp_device *device)
{
    float values[18], book[12], g[18];
    dp_tensor *z = rows(device, 15, 6), *codebook = rows(device, 16, 4), *codes, *quantised;
    dp_tensor *value = dp_vq(device, z, codebook, NULL, &quantised, &codes);
    static const int nearest[6] = {1, 1, 3, 2, 1, 1};
    suite_ok(device);
    dp_read(quantised, values, sizeof values);
    dp_read(codebook, book, sizeof book);
    for (int k = 0; k < 18; k++)
        assert_true(fabsf(values[k] - book[3 * nearest[k / 3] + k % 3]) <= 0x1p-22f);
    dp_tensor *squares = dp_map(device, "y^2", DP_ARGS({"y", quantised, 0})), *sum = dp_reduce(device, squares, DP_SUM, DP_ALL_AXES);
    assert_int_equal(dp_backward(sum), DP_OK);
    assert_null(dp_grad(codebook));
    dp_read(dp_grad(z), g, sizeof g);
    for (int k = 0; k < 18; k++)
        assert_true(fabsf(g[k] - 2 * values[k]) <= 1e-6f);
    dp_tensor *list[] = {z, codebook, codes, quantised, value, squares, sum};
    for (int k = 0; k < 7; k++)
        dp_tensor_release(&list[k]);
}

static void refused(dp_device *device, dp_tensor *result, const char *word)
{
    assert_null(result);
    suite_failed(device, DP_ERROR_ARGUMENT, word);
}

static void wrong(dp_device *device)
{
    dp_tensor *z = rows(device, 15, 6), *codebook = rows(device, 16, 4), *thin = dp_slice(codebook, 1, 0, 2, 1),
              *none = dp_slice(codebook, 0, 0, 0, 1), *flat = dp_reshape(z, DP_SHAPE(18)), *codes = z, *quantised = z;
    refused(device, dp_vq(device, z, thin, NULL, &quantised, &codes), "components");
    assert_true(!codes && !quantised);
    refused(device, dp_vq(device, z, none, NULL, NULL, NULL), "codebook has shape");
    refused(device, dp_vq(device, flat, codebook, NULL, NULL, NULL), "z has shape");
    refused(device, dp_vq(device, z, codebook, &(dp_vq_params){.beta = -1}, NULL, NULL), "beta is -1");
    refused(device, dp_vq(device, z, codebook, &(dp_vq_params){.beta = NAN}, NULL, NULL), "beta");
    assert_null(dp_vq(NULL, z, codebook, NULL, NULL, NULL));
    dp_tensor *list[] = {z, codebook, thin, none, flat};
    for (int k = 0; k < 5; k++)
        dp_tensor_release(&list[k]);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {{"golden values", golden}, {"straight through", straight_through}, {"wrong arguments", wrong}};
    return suite_run("vq", tests, sizeof tests / sizeof *tests);
}
