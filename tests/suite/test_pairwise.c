/* SPDX-License-Identifier: Apache-2.0 */
/* Several outputs of one formula in one pass: each agrees with the call for it alone, on every device. */
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N 70
#define M 45

/* |a - b| <= 2e-6 (|a| + largest): both were computed by the same arithmetic, perhaps in another order. */
static void assert_same(const dp_tensor *a, const dp_tensor *b)
{
    const size_t size = (size_t)dp_tensor_size(a);
    float *left = calloc(size, sizeof *left), *right = calloc(size, sizeof *right), largest = 0;
    assert_int_equal(dp_tensor_size(b), size);
    assert_int_equal(dp_tensor_shape(a).rank, dp_tensor_shape(b).rank);
    assert_int_equal(dp_read(a, left, size * sizeof *left), DP_OK);
    assert_int_equal(dp_read(b, right, size * sizeof *right), DP_OK);
    for (size_t k = 0; k < size; k++)
        largest = fmaxf(largest, fabsf(right[k]));
    for (size_t k = 0; k < size; k++)
        assert_true(fabsf(left[k] - right[k]) <= 2e-6f * (fabsf(right[k]) + largest));
    free(left);
    free(right);
}

static void compare(dp_device *device, int dim, unsigned mode, const char *let, const char *const *outputs, int count)
{
    char together[512], alone[512];
    dp_tensor *x = dp_randn(device, 1, DP_SHAPE(N, dim)), *y = dp_randn(device, 2, DP_SHAPE(M, dim));
    dp_tensor *h = dp_randn(device, 3, DP_SHAPE(M, 2 * dim)), *results[DP_MAX_OUTPUTS];
    const dp_args args = DP_ARGS({"x", x, 0}, {"y", y, 0}, {"h", h, 0});
    strcpy(together, let);
    for (int o = 0; o < count; o++) {
        strcat(together, o ? ", " : "");
        strcat(together, outputs[o]);
    }
    assert_int_equal(dp_pairwise_many(device, together, mode, args, results, count), DP_OK);
    for (int o = 0; o < count; o++) {
        strcpy(alone, let);
        strcat(alone, outputs[o]);
        dp_tensor *one = dp_pairwise(device, alone, mode, args);
        assert_non_null(one);
        assert_same(results[o], one);
        dp_tensor_release(&one);
        dp_tensor_release(&results[o]);
    }
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    dp_tensor_release(&h);
}

static const char let[] = "d = x[i] - y[j]; r = rsqrt(dot(d, d) + 0.1); ";
static const char *const outputs[] = {"r", "r^3 * d", "exp(-r)"};
static const char *const of_two_sizes[] = {"r^3 * d", "r * h[j]", "r"};

static void in_registers(dp_device *device)
{
    compare(device, 3, DP_SUM_J, let, outputs, 3);
    compare(device, 3, DP_MEAN_I, let, outputs, 3);
    compare(device, 2, DP_SUM_ALL, let, of_two_sizes, 3);
}

static void with_loops(dp_device *device)
{
    compare(device, 17, DP_SUM_J, let, outputs, 2);
    compare(device, 17, DP_MAX_ALL, let, outputs, 1);
}

static void of_two_dimensions(dp_device *device)
{
    compare(device, 9, DP_SUM_J, let, of_two_sizes, 2);
}

static void wrong_counts(dp_device *device)
{
    dp_tensor *x = dp_randn(device, 1, DP_SHAPE(5)), *results[2] = {x, x};
    const dp_args args = DP_ARGS({"x", x, 0});
    assert_int_equal(dp_pairwise_many(device, "x[i] * x[j]", DP_SUM_J, args, results, 2), DP_ERROR_FORMULA);
    assert_null(results[0]);
    assert_null(results[1]);
    dp_clear(device);
    assert_int_equal(dp_pairwise_many(device, "x[i] * x[j]", DP_SUM_J, args, NULL, 1), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_pairwise_many(device, "x[i] * x[j]", DP_SUM_J, args, results, 0), DP_ERROR_ARGUMENT);
    dp_clear(device);
    assert_int_equal(dp_pairwise_many(device, "x[i] * x[j], x[i]", DP_ARGMAX_J, args, results, 2), DP_ERROR_FORMULA);
    dp_clear(device);
    dp_tensor_release(&x);
}

int main(void)
{
    static const suite_test tests[] = {
        {"in registers", in_registers},
        {"with loops", with_loops},
        {"of two dimensions", of_two_dimensions},
        {"wrong counts", wrong_counts},
    };
    return suite_run("pairwise", tests, sizeof tests / sizeof *tests);
}
