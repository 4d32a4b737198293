/* SPDX-License-Identifier: Apache-2.0 */
/* EIEG on every device: golden values and gradients of the metric, both losses and the flow, to 1e-5 of the terms of a value and of the
 * largest component of a gradient (1e-4 in three dimensions, which are steep); and what holds for all points. */
#include "golden_metric.h"
#include "suite.h"

#include <math.h>
#include <string.h>

#define N 5
#define M 6
#define MOST_D 3

/* A number in [-1, 1), a multiple of 2^-23. */
static float number(uint32_t seed, uint32_t t)
{
    uint32_t k = t + seed * 0x9E3779B9u;
    k ^= k >> 16, k *= 0x7feb352du, k ^= k >> 15, k *= 0x846ca68bu, k ^= k >> 16;
    return (float)(k >> 8) / 8388608.0f - 1.0f;
}

static dp_shape shape_of(int rows, int d)
{
    return d == 1 ? DP_SHAPE(rows) : DP_SHAPE(rows, d);
}

static dp_tensor *points_x(dp_device *device, int d)
{
    float x[N * MOST_D];
    for (int t = 0; t < N * d; t++)
        x[t] = number(d == 1 ? 25 : 20 + (uint32_t)d, (uint32_t)t);
    for (int c = 0; d > 1 && c < d; c++)
        x[d + c] = x[c] + 0.03125f;
    dp_tensor *tensor = dp_from(device, DP_F32, shape_of(N, d), x);
    assert_int_equal(dp_require_grad(tensor), DP_OK);
    return tensor;
}

static dp_tensor *points_y(dp_device *device, int d)
{
    float y[M * MOST_D];
    for (int t = 0; t < M * d; t++)
        y[t] = d == 1 ? number(26, (uint32_t)t) : 0.5f * number(30 + (uint32_t)d, (uint32_t)t) + 0.25f;
    return dp_from(device, DP_F32, shape_of(M, d), y);
}

static void release(dp_tensor **list, int count)
{
    for (int k = 0; k < count; k++)
        dp_tensor_release(&list[k]);
}

/* Golden values. ------------------------------ */

static void check_entries(const char *name, const dp_tensor *tensor, const golden_gradient *golden, double tolerance)
{
    float values[M * MOST_D];
    const int size = (int)dp_tensor_size(tensor);
    double squares = 0, largest = 0;
    assert_non_null(tensor);
    assert_int_equal(dp_read(tensor, values, (size_t)size * sizeof *values), DP_OK);
    for (int k = 0; k < size; k++) {
        squares += (double)values[k] * (double)values[k];
        largest = fmax(largest, fabs((double)values[k]));
    }
    if (!(fabs(sqrt(squares) - golden->norm) <= tolerance * golden->norm))
        fail_msg("%s: |g| is %.9g, not %.9g", name, sqrt(squares), golden->norm);
    for (int k = 0; k < 3; k++)
        if (!(fabs((double)values[k] - golden->first[k]) <= tolerance * largest))
            fail_msg("%s: g[%d] is %.9g, not %.9g", name, k, (double)values[k], golden->first[k]);
}

typedef dp_tensor *call(dp_device *device, const dp_tensor *x, const dp_tensor *y, const dp_eieg_params *params);

typedef struct golden_case {
    const char *name;
    call *call;
    dp_eieg_params params;
    const golden_metric *golden[2]; /* in two and in three dimensions */
    bool both;                      /* a gradient to y is known */
} golden_case;

static const golden_case cases[] = {
    {"V", dp_eieg_metric, {.s = 0}, {&golden_eieg_v_n2, &golden_eieg_v_n3}, true},
    {"generator", dp_eieg_generator_loss, {.s = 0}, {&golden_eieg_g_n2, &golden_eieg_g_n3}, false},
    {"stabiliser C", dp_eieg_discriminator_loss, {.s = 0}, {&golden_eieg_d_stabc_n2, &golden_eieg_d_stabc_n3}, true},
    {"U", dp_eieg_metric, {.estimator = DP_ESTIMATOR_U}, {&golden_eieg_u_n2, &golden_eieg_u_n3}, true},
    {"V with diagonal", dp_eieg_metric, {.estimator = DP_ESTIMATOR_V_DIAGONAL}, {&golden_eieg_vdiag_n2, &golden_eieg_vdiag_n3}, true},
    {"stabiliser A", dp_eieg_discriminator_loss, {.stabiliser = DP_EIEG_STABILISER_A},
     {&golden_eieg_d_staba_n2, &golden_eieg_d_staba_n3}, true},
    {"stabiliser B", dp_eieg_discriminator_loss, {.stabiliser = DP_EIEG_STABILISER_B},
     {&golden_eieg_d_stabb_n2, &golden_eieg_d_stabb_n3}, true},
};

static void check_case(dp_device *device, const char *name, call *function, const dp_eieg_params *params, int d,
                       const golden_metric *golden, bool both, double tolerance)
{
    dp_tensor *x = points_x(device, d), *y = points_y(device, d);
    if (both)
        assert_int_equal(dp_require_grad(y), DP_OK);
    dp_tensor *value = function(device, x, y, params);
    suite_ok(device);
    const double found = dp_item(value), size = d == 3 ? 120 : 20; /* the terms' sizes: S_xx, S_yy and twice S_xy */
    if (!(fabs(found - golden->value) <= tolerance * size))
        fail_msg("%s, n = %d: %.9g, not %.9g", name, d, found, golden->value);
    if (golden->x.norm > 0) {
        assert_int_equal(dp_backward(value), DP_OK);
        check_entries(name, dp_grad(x), &golden->x, tolerance);
        if (both && golden->y.norm > 0)
            check_entries(name, dp_grad(y), &golden->y, tolerance);
        assert_true(both || !dp_grad(y));
    }
    release((dp_tensor *[]){x, y, value}, 3);
}

static void golden_values(dp_device *device)
{
    const bool all = dp_device_get_info(device).type == DP_DEVICE_REFERENCE; /* kernels take time */
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int d = 2; d <= (all || k < 1 ? 3 : 2); d++)
            check_case(device, cases[k].name, cases[k].call, &cases[k].params, d, cases[k].golden[d - 2], cases[k].both,
                       d == 3 ? 1e-4 : 1e-5);
    check_case(device, "logarithm", dp_eieg_metric, NULL, 1, &golden_eieg_log_n1, true, 1e-5);
}

static void flow(dp_device *device)
{
    for (int d = 2; d <= 3; d++) {
        dp_tensor *x = points_x(device, d), *y = points_y(device, d), *v;
        v = dp_eieg_flow_velocity(device, x, y, 0, 1, 100, 50);
        suite_ok(device);
        assert_false(dp_requires_grad(v));
        check_entries("flow", v, d == 2 ? &golden_flow_v_n2.x : &golden_flow_v_n3.x, d == 3 ? 1e-4 : 1e-5);
        release((dp_tensor *[]){x, y, v}, 3);
    }
}

int main(void)
{
    static const suite_test tests[] = {{"golden values", golden_values}, {"flow", flow}};
    return suite_run("eieg", tests, sizeof tests / sizeof *tests);
}
