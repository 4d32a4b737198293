/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of golden values share: a device, the inputs, and the comparison. On "ref" the only
 * roundings are those of each result to f32: a value of one call is right to a few units of 2^-24 of the
 * terms that make it up, one of several calls to 1e-6 of them. */
#ifndef DP_TEST_GOLDEN_CASE_H
#define DP_TEST_GOLDEN_CASE_H

#include "golden.h"
#include <dipole/dipole.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define ONE_CALL      0x1p-22
#define SEVERAL_CALLS 1e-6

static inline int open_device(void **state)
{
    *state = dp_device_open("ref");
    return dp_failed(*state) == DP_OK ? 0 : -1;
}

static inline int close_device(void **state)
{
    dp_device *device = *state;
    dp_device_close(&device); /* and every tensor of the test */
    return 0;
}

static inline void check_device(dp_device *device)
{
    if (dp_failed(device))
        fail_msg("%s", dp_message(device));
}

static inline void check(dp_device *device, double value, double golden, double tolerance, double terms)
{
    check_device(device);
    const double error = fabs(value - golden);
    if (!(error <= tolerance * terms))
        fail_msg("%.17g instead of %.17g: %.3g of the terms' %g", value, golden, error / terms, terms);
}

/* A number in [-1, 1), a multiple of 2^-23. */
static inline float golden_input(uint32_t seed, uint32_t t)
{
    uint32_t x = t + seed * 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    x ^= x >> 16;
    return (float)(x >> 8) * 0x1p-23f - 1;
}

/* scale * input + shift; exact for the powers of two that the tests use. */
static inline dp_tensor *scaled(dp_device *device, uint32_t seed, dp_shape shape, float scale, float shift)
{
    float data[64];
    int64_t size = 1;
    for (int axis = 0; axis < shape.rank; axis++)
        size *= shape.dim[axis];
    for (int64_t t = 0; t < size; t++)
        data[t] = scale * golden_input(seed, (uint32_t)t) + shift;
    return dp_from(device, DP_F32, shape, data);
}

static inline dp_tensor *input(dp_device *device, uint32_t seed, dp_shape shape)
{
    return scaled(device, seed, shape, 1, 0);
}

static inline dp_tensor *indices(dp_device *device, dp_shape shape, const int32_t *index)
{
    return dp_from(device, DP_I32, shape, index);
}

/* A formula of x[i] and y[j], reduced over all pairs or over j. */
static inline dp_tensor *pairs(dp_device *device, const char *formula, unsigned mode, const dp_tensor *x,
                               const dp_tensor *y)
{
    return dp_pairwise(device, formula, mode, DP_ARGS({"x", x}, {"y", y}));
}

static inline double mean_of(dp_device *device, const dp_tensor *x)
{
    return dp_item(dp_reduce(device, x, DP_MEAN, DP_ALL_AXES));
}

static inline double sum_of(dp_device *device, const dp_tensor *x)
{
    return dp_item(dp_reduce(device, x, DP_SUM, DP_ALL_AXES));
}

/* The p-norm of the last axis of a difference. */
static inline dp_tensor *distance(dp_device *device, const dp_tensor *a, const dp_tensor *b, double p)
{
    dp_tensor *power =
        dp_map(device, "abs(a - b)^p", DP_ARGS({"a", a}, {"b", b}, {.name = "p", .scalar = p}));
    dp_tensor *sum = dp_reduce(device, power, DP_SUM, DP_AXIS(dp_tensor_shape(power).rank - 1));
    char root[64];
    snprintf(root, sizeof root, "s^(1 / %g)", p);
    return dp_map(device, root, DP_ARGS({"s", sum}));
}

#define GOLDEN_TEST(name) cmocka_unit_test_setup_teardown(name, open_device, close_device)

#endif
