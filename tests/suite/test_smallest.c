/* SPDX-License-Identifier: Apache-2.0 */
/* The k smallest of every row of pairs where the result is known exactly: ties, values that are never taken,
 * too few pairs; and arguments that are wrong. tests/ops/pairwise_smallest.c has the shapes. */
#include "suite.h"

#include <math.h>
#include <string.h>

#define INF ((double)INFINITY)

static const char difference[] = "y[j] - x[i]";

typedef struct points {
    dp_tensor *x, *y; /* [2], [8] */
} points;

static points make(dp_device *device)
{
    static const float x[] = {0, 2}, y[] = {3, NAN, -INFINITY, INFINITY, 1, NAN, 2.5f, 1};
    return (points){dp_from(device, DP_F32, DP_SHAPE(2), x), dp_from(device, DP_F32, DP_SHAPE(8), y)};
}

static void drop(points *p)
{
    dp_tensor_release(&p->x);
    dp_tensor_release(&p->y);
}

static void special_values(dp_device *device)
{
    static const double values[] = {-INF, 1, 1, 2.5, 3, INF, INF, -INF, -1, -1, 0.5, 1, INF, INF};
    static const double indices[] = {2, 4, 7, 6, 0, -1, -1, 2, 4, 7, 6, 0, -1, -1};
    points p = make(device);
    dp_tensor *found[2];
    assert_int_equal(dp_pairwise_smallest(device, difference, 7, DP_OVER_J,
                                          DP_ARGS({"x", p.x, 0}, {"y", p.y, 0}), &found[0], &found[1]),
                     DP_OK);
    suite_values(found[0], values, 14);
    suite_values(found[1], indices, 14);
    assert_int_equal(dp_tensor_shape(found[1]).dim[0], 2);
    assert_int_equal(dp_tensor_shape(found[1]).dim[1], 7);
    dp_tensor_release(&found[0]);
    dp_tensor_release(&found[1]);
    /* Of equal values the first ones, where not all have a place. */
    assert_int_equal(dp_pairwise_smallest(device, difference, 2, DP_OVER_J,
                                          DP_ARGS({"x", p.x, 0}, {"y", p.y, 0}), NULL, &found[1]),
                     DP_OK);
    suite_values(found[1], (const double[]){2, 4, 2, 4}, 4);
    dp_tensor_release(&found[1]);
    drop(&p);
}

static void over_i(dp_device *device)
{
    static const double values[] = {1, 3, INF, INF, -INF, -INF, INF, INF, -1, 1, INF, INF, 0.5, 2.5, -1, 1};
    static const double indices[] = {1, 0, -1, -1, 0, 1, -1, -1, 1, 0, -1, -1, 1, 0, 1, 0};
    points p = make(device);
    dp_tensor *found[2];
    assert_int_equal(dp_pairwise_smallest(device, difference, 2, DP_OVER_I,
                                          DP_ARGS({"x", p.x, 0}, {"y", p.y, 0}), &found[0], &found[1]),
                     DP_OK);
    suite_values(found[0], values, 16);
    suite_values(found[1], indices, 16);
    dp_tensor_release(&found[0]);
    dp_tensor_release(&found[1]);
    drop(&p);
}

/* All values are equal: the first k, whatever way j is cut and its parts are merged; then a better one that
 * is the last of all. */
static void ties_of_parts(dp_device *device)
{
    enum { M = 9000, K = 5 };
    static const double values[][2 * K] = {{4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, {-1, 4, 4, 4, 4, -1, 4, 4, 4, 4}};
    static const double indices[][2 * K] = {{0, 1, 2, 3, 4, 0, 1, 2, 3, 4},
                                            {M - 1, 0, 1, 2, 3, M - 1, 0, 1, 2, 3}};
    const float last = -1;
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(2), 0), *y = dp_full(device, DP_F32, DP_SHAPE(M), 4),
              *found[2];
    for (int round = 0; round < 2; round++) {
        assert_int_equal(dp_pairwise_smallest(device, difference, K, DP_OVER_J,
                                              DP_ARGS({"x", x, 0}, {"y", y, 0}), &found[0], &found[1]),
                         DP_OK);
        suite_values(found[0], values[round], 2 * K);
        suite_values(found[1], indices[round], 2 * K);
        dp_tensor_release(&found[0]);
        dp_tensor_release(&found[1]);
        dp_tensor *end = dp_slice(y, 0, M - 1, M, 1);
        assert_int_equal(dp_write(end, &last, sizeof last), DP_OK);
        dp_tensor_release(&end);
    }
    dp_tensor_release(&x);
    dp_tensor_release(&y);
}

/* Each value is smaller than all before it, so every one goes to the head of every list: the most work that
 * there can be. */
static void falling(dp_device *device)
{
    enum { M = 700, K = DP_MAX_SMALLEST };
    float y[M];
    double values[2 * K], indices[2 * K];
    for (int j = 0; j < M; j++)
        y[j] = (float)(M - j);
    for (int t = 0; t < 2 * K; t++) {
        values[t] = t % K + 1;
        indices[t] = M - 1 - t % K;
    }
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(2), 0), *rows = dp_from(device, DP_F32, DP_SHAPE(M), y),
              *found[2];
    assert_int_equal(dp_pairwise_smallest(device, difference, K, DP_OVER_J,
                                          DP_ARGS({"x", x, 0}, {"y", rows, 0}), &found[0], &found[1]),
                     DP_OK);
    suite_values(found[0], values, 2 * K);
    suite_values(found[1], indices, 2 * K);
    dp_tensor_release(&found[0]);
    dp_tensor_release(&found[1]);
    dp_tensor_release(&x);
    dp_tensor_release(&rows);
}

static void refused(dp_device *device, const char *formula, int k, unsigned mode, dp_args args,
                    dp_status status, const char *word)
{
    dp_tensor *stale = suite_range(device, DP_SHAPE(1)), *values = stale, *indices = stale;
    assert_int_equal(dp_pairwise_smallest(device, formula, k, mode, args, &values, &indices), status);
    assert_null(values);
    assert_null(indices);
    suite_failed(device, status, word);
    dp_tensor_release(&stale);
}

static void wrong_arguments(dp_device *device)
{
    points p = make(device);
    const dp_args xy = DP_ARGS({"x", p.x, 0}, {"y", p.y, 0});
    refused(device, difference, 0, DP_OVER_J, xy, DP_ERROR_ARGUMENT, "k is 0");
    refused(device, difference, -3, DP_OVER_J, xy, DP_ERROR_ARGUMENT, "k is -3");
    refused(device, difference, DP_MAX_SMALLEST + 1, DP_OVER_J, xy, DP_ERROR_ARGUMENT, "k is 129");
    refused(device, difference, 1, DP_OVER_ALL, xy, DP_ERROR_ARGUMENT, "mode 0x200");
    refused(device, difference, 1, DP_MIN_J, xy, DP_ERROR_ARGUMENT, "mode 0x3");
    refused(device, difference, 1, DP_OVER_J | DP_EXCLUDE_SELF, xy, DP_ERROR_ARGUMENT, "EXCLUDE_SELF");
    refused(device, NULL, 1, DP_OVER_J, xy, DP_ERROR_ARGUMENT, "formula");
    refused(device, "y[j] - ", 1, DP_OVER_J, xy, DP_ERROR_FORMULA, "column");
    refused(device, "y[j], x[i]", 1, DP_OVER_J, xy, DP_ERROR_FORMULA, "outputs");
    refused(device, "y[j]", 1, DP_OVER_J, xy, DP_ERROR_FORMULA, "indexed by i");
    dp_tensor *rows = suite_range(device, DP_SHAPE(3, 2)), *values = rows;
    refused(device, "x[i] - x[j]", 1, DP_OVER_J, DP_ARGS({"x", rows, 0}), DP_ERROR_FORMULA, "vector of 2");
    assert_int_equal(dp_pairwise_smallest(device, difference, 1, DP_OVER_J, xy, &values, NULL),
                     DP_ERROR_ARGUMENT);
    assert_null(values);
    suite_failed(device, DP_ERROR_ARGUMENT, "indices");
    assert_int_equal(dp_pairwise_smallest_bound(device, difference, 1, DP_OVER_J, xy, NULL, NULL),
                     DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "values");
    assert_int_equal(dp_pairwise_smallest(NULL, difference, 1, DP_OVER_J, xy, NULL, &values),
                     DP_ERROR_NO_DEVICE);
    assert_null(values);
    dp_tensor_release(&rows);
    drop(&p);
    suite_works(device);
}

/* Bounds belong to the reference. */
static void bounds(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(3)), *found[2] = {x, x};
    const bool reference = dp_device_get_info(device).type == DP_DEVICE_REFERENCE;
    const dp_status status = dp_pairwise_smallest_bound(device, "x[j] - x[i]", 2, DP_EXCLUDE_SELF,
                                                        DP_ARGS({"x", x, 0}), &found[0], &found[1]);
    assert_int_equal(status, reference ? DP_OK : DP_ERROR_UNSUPPORTED);
    for (int t = 0; t < 2; t++) {
        if (reference)
            suite_values(found[t], (const double[]){0, 0, 0, 0, 0, 0}, 6); /* whole numbers: exact */
        else
            assert_null(found[t]);
        dp_tensor_release(&found[t]);
    }
    if (!reference)
        suite_failed(device, DP_ERROR_UNSUPPORTED, "bound");
    dp_tensor_release(&x);
}

int main(void)
{
    static const suite_test tests[] = {
        {"special values", special_values},   {"over i", over_i},
        {"ties of parts", ties_of_parts},     {"falling", falling},
        {"wrong arguments", wrong_arguments}, {"bounds", bounds},
    };
    return suite_run("smallest", tests, sizeof tests / sizeof *tests);
}
