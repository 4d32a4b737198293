/* SPDX-License-Identifier: Apache-2.0 */
/* Problems, batches, masks and cut-offs on every device. What is reduced is in the case table of "pairwise_batch"; here are
 * gradients against those of each problem by itself on the reference, masks by distance, and what is refused. */
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define D 2
#define PROBLEMS 5
#define MAX_VALUES 1200

static const int64_t first_i[] = {0, 0, 3, 4, 13, 15}, first_j[] = {0, 2, 5, 5, 10, 11};
#define N 15
#define M 11

static const char formula[] = "q[j] * rsqrt(sqdist(x[i], y[j]) + s^2) + dot(w, x[i]) * q[j]";
static const char *const wrt[] = {"x", "y", "q", "w", "s"};
enum { X, Y, Q, WEIGHTS, S, NAMES };

static const dp_pair_options ragged = {.problems = PROBLEMS, .offsets_i = first_i, .offsets_j = first_j};

typedef struct inputs {
    dp_tensor *x, *y, *q, *w;
} inputs;

static inputs make(dp_device *device)
{
    return (inputs){dp_uniform(device, 1, DP_SHAPE(N, D), -1, 1), dp_uniform(device, 2, DP_SHAPE(M, D), -1, 1),
                    dp_uniform(device, 3, DP_SHAPE(M), -1, 1), dp_uniform(device, 4, DP_SHAPE(D), -1, 1)};
}

static void drop(inputs *in)
{
    dp_tensor_release(&in->x);
    dp_tensor_release(&in->y);
    dp_tensor_release(&in->q);
    dp_tensor_release(&in->w);
}

static size_t read_values(const dp_tensor *tensor, float *values)
{
    const size_t size = (size_t)dp_tensor_size(tensor);
    assert_non_null(tensor);
    assert_in_range(size, 0, MAX_VALUES);
    assert_int_equal(dp_read(tensor, values, size * sizeof *values), DP_OK);
    return size;
}

/* Within 4e-6 of the largest: at most some tens of roundings of terms of that size. */
static void assert_close(const float *found, const float *expected, size_t size)
{
    float largest = 0;
    for (size_t k = 0; k < size; k++)
        largest = fmaxf(largest, fabsf(expected[k]));
    for (size_t k = 0; k < size; k++)
        if (!(fabsf(found[k] - expected[k]) <= 4e-6f * largest) && !(isnan(found[k]) && isnan(expected[k])))
            fail_msg("element %zu is %.9g, not %.9g", k, (double)found[k], (double)expected[k]);
}

static void assert_same(const dp_tensor *a, const dp_tensor *b)
{
    float left[MAX_VALUES], right[MAX_VALUES];
    const size_t size = read_values(a, left);
    assert_int_equal(read_values(b, right), size);
    assert_close(left, right, size);
}

/* ---- gradients of problems ---- */

/* Adds what problem p alone gives, on the reference. */
static void add_problem(dp_device *reference, unsigned mode, int p, const float *cotangent, float expected[NAMES][N * D],
                        float *value)
{
    const int64_t n = first_i[p + 1] - first_i[p], m = first_j[p + 1] - first_j[p];
    const bool all = mode & DP_OVER_ALL, over_i = mode & DP_OVER_I;
    inputs in = make(reference);
    dp_tensor *x = dp_slice(in.x, 0, first_i[p], first_i[p + 1], 1), *y = dp_slice(in.y, 0, first_j[p], first_j[p + 1], 1);
    dp_tensor *q = dp_slice(in.q, 0, first_j[p], first_j[p + 1], 1), *gradients[NAMES], *alone = NULL;
    const int64_t kept = all ? p : over_i ? first_j[p] : first_i[p];
    dp_tensor *seed = cotangent ? dp_from(reference, DP_F32, all ? DP_SCALAR : DP_SHAPE(over_i ? m : n), cotangent + kept) : NULL;
    const dp_args args = DP_ARGS({"x", x, 0}, {"y", y, 0}, {"q", q, 0}, {"w", in.w, 0}, {.name = "s", .scalar = 0.75});
    assert_int_equal(dp_pairwise_gradient(reference, formula, mode, args, seed, wrt, NAMES, gradients, &alone), DP_OK);
    float *const at[NAMES] = {expected[X] + first_i[p] * D, expected[Y] + first_j[p] * D, expected[Q] + first_j[p],
                              expected[WEIGHTS], expected[S]};
    for (int k = 0; k < NAMES; k++) {
        float values[N * D];
        const size_t size = read_values(gradients[k], values);
        for (size_t t = 0; n > 0 && m > 0 && t < size; t++) /* else there are no pairs, and no mean of them */
            at[k][t] += values[t];
        dp_tensor_release(&gradients[k]);
    }
    read_values(alone, value + kept);
    dp_tensor_release(&alone);
    dp_tensor_release(&seed);
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    dp_tensor_release(&q);
    drop(&in);
}

static void compare(dp_device *device, unsigned mode, bool with_cotangent)
{
    static const float cotangent[N] = {1, -2, 0.5f, 3, 0.25f, -1, 2, 1.5f, -0.5f, 1, 4, -3, 2, 1, 0.125f};
    const int64_t rows = mode & DP_OVER_ALL ? PROBLEMS : mode & DP_OVER_I ? M : N;
    float expected[NAMES][N * D] = {{0}}, value[N], found[MAX_VALUES];
    dp_device *reference = dp_device_open("ref");
    for (int p = 0; p < PROBLEMS; p++)
        add_problem(reference, mode, p, with_cotangent ? cotangent : NULL, expected, value);
    dp_device_close(&reference);
    inputs in = make(device);
    dp_tensor *seed = with_cotangent ? dp_from(device, DP_F32, DP_SHAPE(rows), cotangent) : NULL, *gradients[NAMES], *whole;
    const dp_args args = DP_ARGS({"x", in.x, 0}, {"y", in.y, 0}, {"q", in.q, 0}, {"w", in.w, 0}, {.name = "s", .scalar = 0.75});
    assert_int_equal(dp_pairwise_gradient_with(device, formula, mode, args, &ragged, seed, wrt, NAMES, gradients, &whole), DP_OK);
    for (int k = 0; k < NAMES; k++) {
        const size_t size = read_values(gradients[k], found);
        assert_close(found, expected[k], size);
        dp_tensor_release(&gradients[k]);
    }
    assert_int_equal(read_values(whole, found), rows);
    assert_close(found, value, (size_t)rows);
    dp_tensor_release(&whole);
    dp_tensor_release(&seed);
    drop(&in);
}

static void gradients_of_problems(dp_device *device)
{
    compare(device, DP_MEAN_ALL, true);
    if (dp_device_get_info(device).type != DP_DEVICE_REFERENCE)
        return; /* it is the same calls, and many kernels */
    compare(device, DP_SUM_I, false);
    compare(device, DP_SUM_ALL, true);
    compare(device, DP_SUM_J, true);
    compare(device, DP_MEAN_J, false);
    compare(device, DP_MEAN_I, true);
}

/* A batch whose formula is symmetric in i and j, on the device, against each problem by itself on the reference. */
enum { BATCH = 4, EACH = 9 };

static const char symmetric[] = "q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + 0.25)";
static const char *const of_symmetric[] = {"x", "q"};
static const float of_batch[BATCH] = {1, -2, 0.5f, 3};

static void compare_with_batch(dp_device *reference, unsigned mode, const float *gx, const float *gq, const float *value)
{
    dp_tensor *x = dp_uniform(reference, 1, DP_SHAPE(BATCH, D, EACH), -1, 1), *turned = dp_transpose(x, 1, 2);
    dp_tensor *q = dp_uniform(reference, 2, DP_SHAPE(BATCH * EACH), -1, 1), *packed = dp_copy(reference, turned);
    dp_tensor *points = dp_reshape(packed, DP_SHAPE(BATCH * EACH, D));
    for (int p = 0; p < BATCH; p++) {
        float expected[EACH * D];
        dp_tensor *own_x = dp_slice(points, 0, p * EACH, (p + 1) * EACH, 1), *own_q = dp_slice(q, 0, p * EACH, (p + 1) * EACH, 1);
        dp_tensor *seed = dp_from(reference, DP_F32, DP_SCALAR, &of_batch[p]), *gradients[2], *alone;
        assert_int_equal(dp_pairwise_gradient(reference, symmetric, mode, DP_ARGS({"x", own_x, 0}, {"q", own_q, 0}), seed,
                                              of_symmetric, 2, gradients, &alone), DP_OK);
        assert_close(gx + p * EACH * D, expected, read_values(gradients[0], expected));
        assert_close(gq + p * EACH, expected, read_values(gradients[1], expected));
        assert_close(value + p, expected, read_values(alone, expected));
        dp_tensor *list[] = {own_x, own_q, seed, gradients[0], gradients[1], alone};
        for (size_t k = 0; k < sizeof list / sizeof *list; k++)
            dp_tensor_release(&list[k]);
    }
    dp_tensor *list[] = {x, turned, q, packed, points};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* With a result for every row the batch is its problems one after the other, but for the shapes. */
static void rows_of_batch(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(BATCH, EACH, D), -1, 1);
    dp_tensor *c = dp_uniform(device, 3, DP_SHAPE(BATCH, EACH, D), -1, 1);
    dp_tensor *flat_x = dp_reshape(x, DP_SHAPE(BATCH * EACH, D)), *flat_c = dp_reshape(c, DP_SHAPE(BATCH * EACH, D));
    dp_tensor *list[2][2];
    for (int flat = 0; flat < 2; flat++) {
        const dp_pair_options options = {.problems = BATCH, .batch = !flat};
        assert_int_equal(dp_pairwise_gradient_with(device, "x[j] * exp(-sqdist(x[i], x[j]))", DP_MEAN_J,
                                                   DP_ARGS({"x", flat ? flat_x : x, 0}), &options, flat ? flat_c : c,
                                                   of_symmetric, 1, list[flat], &list[flat][1]), DP_OK);
    }
    for (int k = 0; k < 2; k++) {
        assert_same(list[0][k], list[1][k]);
        assert_int_equal(dp_tensor_shape(list[0][k]).rank, 3);
        dp_tensor_release(&list[0][k]);
        dp_tensor_release(&list[1][k]);
    }
    dp_tensor *all[] = {x, c, flat_x, flat_c};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        dp_tensor_release(&all[k]);
}

static void batches(dp_device *device)
{
    const unsigned mode = DP_MEAN_ALL | DP_EXCLUDE_SELF;
    const dp_pair_options batch = {.batch = true};
    dp_device *reference = dp_device_open("ref");
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(BATCH, D, EACH), -1, 1), *turned = dp_transpose(x, 1, 2);
    dp_tensor *q = dp_uniform(device, 2, DP_SHAPE(BATCH, EACH), -1, 1), *seed = dp_from(device, DP_F32, DP_SHAPE(BATCH), of_batch);
    dp_tensor *gradients[2], *value;
    float gx[MAX_VALUES], gq[MAX_VALUES], values[MAX_VALUES];
    assert_int_equal(dp_pairwise_gradient_with(device, symmetric, mode, DP_ARGS({"x", turned, 0}, {"q", q, 0}), &batch, seed,
                                               of_symmetric, 2, gradients, &value), DP_OK);
    assert_int_equal(dp_tensor_shape(gradients[0]).rank, 3);
    assert_int_equal(dp_tensor_shape(gradients[0]).dim[1], EACH);
    assert_int_equal(dp_tensor_shape(gradients[1]).dim[0], BATCH);
    assert_int_equal(read_values(gradients[0], gx), BATCH * EACH * D);
    assert_int_equal(read_values(gradients[1], gq), BATCH * EACH);
    assert_int_equal(read_values(value, values), BATCH);
    compare_with_batch(reference, mode, gx, gq, values);
    rows_of_batch(reference);
    dp_tensor *list[] = {x, turned, q, seed, gradients[0], gradients[1], value};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    dp_device_close(&reference);
}

enum { MASKED = 70 };

/* The gradient to x, and the value. */
static void run_masked(dp_device *device, unsigned mode, bool by_mask, dp_tensor *results[2])
{
    static const char text[] = "q[j] * rsqrt(sqdist(x[i], x[j]) + 0.25) * (x[i] - x[j])";
    static const char *const names[] = {"x"};
    static const int64_t ends[] = {0, 32, 64, MASKED};
    static const int32_t diagonal[] = {1, 0, 0, 0, 7, 0, 0, 0, -1};
    dp_tensor *x = dp_uniform(device, 5, DP_SHAPE(MASKED, D), -1, 1), *q = dp_uniform(device, 6, DP_SHAPE(MASKED), -1, 1);
    dp_tensor *mask = dp_from(device, DP_I32, DP_SHAPE(3, 3), diagonal);
    const dp_pair_options mask_options = {.mask = mask, .tile = 32}, offsets_options = {3, ends, ends};
    assert_int_equal(dp_pairwise_gradient_with(device, text, mode | DP_EXCLUDE_SELF, DP_ARGS({"x", x, 0}, {"q", q, 0}),
                                               by_mask ? &mask_options : &offsets_options, NULL, names, 1, results, &results[1]),
                     DP_OK);
    dp_tensor_release(&x);
    dp_tensor_release(&q);
    dp_tensor_release(&mask);
}

/* Tiles along the diagonal are problems of the tiles' size. */
static void masked_gradients(dp_device *device)
{
    dp_device *reference = dp_device_open("ref");
    dp_tensor *list[2][2];
    run_masked(device, DP_MEAN_J, true, list[0]);
    run_masked(reference, DP_MEAN_J, false, list[1]);
    for (int k = 0; k < 2; k++) {
        assert_same(list[0][k], list[1][k]);
        dp_tensor_release(&list[0][k]);
        dp_tensor_release(&list[1][k]);
    }
    /* Over all pairs, of which the mask leaves 2 * 32 * 31 + 6 * 5. */
    run_masked(reference, DP_SUM_ALL, true, list[0]);
    run_masked(reference, DP_MEAN_ALL, true, list[1]);
    for (int k = 0; k < 2; k++) {
        float sums[MASKED * D], means[MASKED * D];
        const size_t size = read_values(list[0][k], sums);
        assert_int_equal(read_values(list[1][k], means), size);
        for (size_t t = 0; t < size; t++)
            sums[t] /= 2 * 32 * 31 + 6 * 5;
        assert_close(means, sums, size);
        dp_tensor_release(&list[0][k]);
        dp_tensor_release(&list[1][k]);
    }
    dp_device_close(&reference);
}

/* Of values that are all infinite, the first that counts. */
static void first_of_equal(dp_device *device)
{
    static const int32_t diagonal[] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    dp_tensor *x = dp_uniform(device, 5, DP_SHAPE(MASKED), -1, 1), *mask = dp_from(device, DP_I32, DP_SHAPE(3, 3), diagonal);
    const dp_pair_options options = {.mask = mask, .tile = 32};
    dp_tensor *first = dp_pairwise_with(device, "x[i] + x[j] + inf", DP_ARGMIN_J | DP_EXCLUDE_SELF, DP_ARGS({"x", x, 0}), &options);
    double expected[MASKED];
    for (int i = 0; i < MASKED; i++)
        expected[i] = i % 32 == 0 ? i + 1 : i / 32 * 32;
    suite_values(first, expected, MASKED);
    dp_tensor_release(&x);
    dp_tensor_release(&mask);
    dp_tensor_release(&first);
}

/* ---- cut-offs ---- */

enum { POINTS = 300, TILE = 32, TILES = (POINTS + TILE - 1) / TILE };

/* Each pair within the radius has its tiles, and there are tiles that were left out. */
static void check_mask(const float *x, const float *mask, double radius, bool some)
{
    int left_out = 0;
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++) {
            const double r = hypot((double)x[i * D] - (double)x[j * D], (double)x[i * D + 1] - (double)x[j * D + 1]);
            assert_true(r > radius || mask[i / TILE * TILES + j / TILE] == 1);
        }
    for (int t = 0; t < TILES * TILES; t++)
        left_out += mask[t] == 0;
    assert_true(some ? left_out > TILES * TILES / 3 : left_out == 0);
}

static void cutoff(dp_device *device)
{
    static const char text[] = "r2 = sqdist(x[i], x[j]); select(r2 < r^2, exp(-r2), 0)";
    dp_tensor *x = dp_uniform(device, 7, DP_SHAPE(POINTS, D), -1, 1), *inverse;
    dp_tensor *order = dp_sort_spatial(device, x, TILE, 0, NULL, &inverse);
    dp_tensor *sorted = dp_gather_rows(device, x, order), *back = dp_gather_rows(device, sorted, inverse);
    float points[MAX_VALUES], values[MAX_VALUES];
    assert_int_equal(read_values(x, points), POINTS * D);
    read_values(back, values);
    assert_memory_equal(points, values, POINTS * D * sizeof *points); /* a permutation, and its inverse */
    read_values(sorted, points);
    const double radii[] = {0.25, 0, 100, (double)INFINITY, 1e-30};
    for (size_t k = 0; k < sizeof radii / sizeof *radii; k++) {
        dp_tensor *mask = dp_pair_mask_cutoff(device, sorted, sorted, TILE, radii[k]);
        read_values(mask, values);
        check_mask(points, values, radii[k], radii[k] < 1);
        if (k == 0) {
            const dp_pair_options options = {.mask = mask, .tile = TILE};
            const dp_args args = DP_ARGS({"x", sorted, 0}, {.name = "r", .scalar = radii[k]});
            dp_tensor *with = dp_pairwise_with(device, text, DP_SUM_J, args, &options);
            dp_device *reference = dp_device_open("ref");
            dp_tensor *same = dp_copy(reference, sorted);
            dp_tensor *without = dp_pairwise(reference, text, DP_SUM_J, DP_ARGS({"x", same, 0}, {.name = "r", .scalar = radii[k]}));
            assert_same(with, without);
            dp_tensor_release(&same);
            dp_tensor_release(&with);
            dp_tensor_release(&without);
            dp_device_close(&reference);
        }
        dp_tensor_release(&mask);
    }
    dp_tensor *list[] = {x, inverse, order, sorted, back};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* What is no number keeps its tile; rows stay in their problem; nothing is something too. */
static void odd_points(dp_device *device)
{
    static const int64_t offsets[] = {0, 70, 70, 100};
    float values[200], kept[MAX_VALUES];
    int32_t rows[100];
    for (int k = 0; k < 200; k++)
        values[k] = (float)((k * 37) % 200);
    values[0] = NAN;
    values[150] = INFINITY;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(100, 2), values), *none = dp_empty(device, DP_F32, DP_SHAPE(0, 2));
    dp_tensor *line = dp_from(device, DP_F32, DP_SHAPE(200), values);
    dp_tensor *order = dp_sort_spatial(device, x, 32, 3, offsets, NULL);
    assert_int_equal(dp_read(order, rows, sizeof rows), DP_OK);
    bool seen[100] = {false};
    for (int k = 0; k < 100; k++) {
        assert_true(rows[k] >= 0 && rows[k] < 100 && (rows[k] < 70) == (k < 70) && !seen[rows[k]]);
        seen[rows[k]] = true;
    }
    dp_tensor *mask = dp_pair_mask_cutoff(device, x, x, 32, 1);
    assert_int_equal(read_values(mask, kept), 16);
    for (int t = 0; t < 4; t++)
        assert_true(kept[t * 5] == 1); /* each tile with itself */
    dp_tensor *of_line = dp_pair_mask_cutoff(device, line, line, 32, 0.5), *empty = dp_pair_mask_cutoff(device, none, x, 32, 1);
    dp_tensor *empty_order = dp_sort_spatial(device, none, 32, 0, NULL, NULL);
    assert_int_equal(dp_tensor_size(of_line), 49);
    assert_int_equal(dp_tensor_shape(empty).dim[1], 4);
    assert_int_equal(dp_tensor_size(empty) + dp_tensor_size(empty_order), 0);
    dp_tensor *list[] = {x, none, line, order, mask, of_line, empty, empty_order};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* ---- what is refused ---- */

static void refused(dp_device *device, dp_args args, unsigned mode, dp_pair_options options, const char *word)
{
    assert_null(dp_pairwise_with(device, "x[i] * y[j]", mode, args, &options));
    suite_failed(device, DP_ERROR_ARGUMENT, word);
}

static void wrong_options(dp_device *device)
{
    static const int64_t good[] = {0, 4, 10}, late[] = {1, 4, 10}, falling[] = {0, 11, 10}, short_one[] = {0, 4, 9},
                         other[] = {0, 5, 10};
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(10), 1), *cube = dp_full(device, DP_F32, DP_SHAPE(2, 5, 1), 1);
    dp_tensor *mask = dp_full(device, DP_F32, DP_SHAPE(1, 1), 1), *wide = dp_full(device, DP_F32, DP_SHAPE(1, 2), 1);
    dp_tensor *pairs = dp_full(device, DP_F32, DP_SHAPE(3, 4), 1), *deep = dp_full(device, DP_F32, DP_SHAPE(2, 1, 1, 1), 1);
    const dp_args args = DP_ARGS({"x", x, 0}, {"y", x, 0}), both = DP_ARGS({"x", cube, 0}, {"y", pairs, 0});
    const dp_args too_deep = DP_ARGS({"x", deep, 0}, {"y", deep, 0});
    refused(device, args, DP_SUM_J, (dp_pair_options){2, late, good}, "offsets_i[0]");
    refused(device, args, DP_SUM_I, (dp_pair_options){2, good, falling}, "offsets_j[2]");
    refused(device, args, DP_SUM_J, (dp_pair_options){2, short_one, good}, "offsets_i[2]");
    refused(device, args, DP_SUM_J, (dp_pair_options){-1, good, good}, "problems");
    refused(device, args, DP_SUM_J, (dp_pair_options){INT64_MAX, good, good}, "problems");
    refused(device, args, DP_SUM_J, (dp_pair_options){.problems = 3}, "problems");
    refused(device, args, DP_SUM_J, (dp_pair_options){0, good, good}, "offsets_i[0]");
    refused(device, args, DP_SUM_J | DP_EXCLUDE_SELF, (dp_pair_options){2, good, other}, "problem 0");
    refused(device, args, DP_SUM_J, (dp_pair_options){.batch = true}, "batch");
    refused(device, both, DP_SUM_J, (dp_pair_options){.batch = true}, "batch of 2");
    refused(device, too_deep, DP_SUM_J, (dp_pair_options){.batch = true}, "x ");
    refused(device, args, DP_SUM_J, (dp_pair_options){.batch = true, .problems = 2, .offsets_i = good}, "batch");
    refused(device, args, DP_SUM_J, (dp_pair_options){.mask = mask, .tile = 48}, "tile");
    refused(device, args, DP_SUM_J, (dp_pair_options){.mask = mask, .tile = 0}, "tile");
    refused(device, args, DP_SUM_J, (dp_pair_options){.mask = mask, .tile = -32}, "tile");
    refused(device, args, DP_SUM_J, (dp_pair_options){.mask = wide, .tile = 32}, "mask");
    refused(device, args, DP_SUM_I, (dp_pair_options){.mask = x, .tile = 32}, "mask");
    dp_tensor *list[] = {x, cube, mask, wide, pairs, deep};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

static void wrong_calls(dp_device *device)
{
    static const int64_t offsets[] = {0, 4, 10}, bad[] = {0, 4, 11};
    static const char *const names[] = {"x"};
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(10), 1), *points = dp_full(device, DP_F32, DP_SHAPE(10, 2), 1);
    dp_tensor *ints = dp_full(device, DP_I32, DP_SHAPE(10), 1), *cotangent = dp_full(device, DP_F32, DP_SHAPE(3), 1), *g = x;
    dp_tensor *mask = dp_full(device, DP_F32, DP_SHAPE(1, 1), 1), *results[DP_MAX_OUTPUTS];
    const dp_args args = DP_ARGS({"x", x, 0});
    const dp_pair_options two = {2, offsets, offsets}, masked = {.mask = mask, .tile = 32};
    assert_int_equal(dp_pairwise_gradient_with(device, "x[i] * x[j]", DP_SUM_ALL, args, &two, cotangent, names, 1, &g, NULL),
                     DP_ERROR_ARGUMENT);
    assert_null(g);
    suite_failed(device, DP_ERROR_ARGUMENT, "cotangent");
    assert_int_equal(dp_pairwise_many_with(device, "x[i], x[j], x[i], x[j], x[i], x[j], x[i], x[j]", DP_MEAN_J, args, &masked,
                                           results, 8), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "mask");
    assert_null(dp_pair_mask_cutoff(device, x, points, 32, 1));
    suite_failed(device, DP_ERROR_ARGUMENT, "components");
    assert_null(dp_pair_mask_cutoff(device, x, ints, 32, 1));
    suite_failed(device, DP_ERROR_ARGUMENT, "y ");
    assert_null(dp_pair_mask_cutoff(device, x, x, 33, 1));
    suite_failed(device, DP_ERROR_ARGUMENT, "tile");
    assert_null(dp_pair_mask_cutoff(device, x, x, 32, (double)NAN));
    suite_failed(device, DP_ERROR_ARGUMENT, "radius");
    assert_null(dp_pair_mask_cutoff(device, NULL, x, 32, 1));
    suite_failed(device, DP_ERROR_ARGUMENT, "x ");
    assert_null(dp_sort_spatial(device, x, 32, 2, bad, &g));
    suite_failed(device, DP_ERROR_ARGUMENT, "offsets[2]");
    assert_null(dp_sort_spatial(device, x, 32, 3, NULL, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "problems");
    assert_null(dp_sort_spatial(device, x, 0, 0, NULL, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "tile");
    assert_null(dp_pairwise_with(NULL, "x[i]", DP_SUM_J, args, &two));
    assert_null(dp_pair_mask_cutoff(NULL, x, x, 32, 1));
    assert_null(dp_sort_spatial(NULL, x, 32, 0, NULL, NULL));
    dp_tensor *list[] = {x, points, ints, cotangent, mask};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* Without problems, so many points of one set would be summed a pair at a time, whatever the problem. */
static void one_large_set(dp_device *device)
{
    static const char text[] = "rsqrt(sqdist(x[i], x[j]) + 0.25)";
    const int64_t half = 550;
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(2 * half, 2), -1, 1);
    const dp_pair_options two = {.problems = 2};
    dp_tensor *both = dp_pairwise_with(device, text, DP_SUM_J, DP_ARGS({"x", x, 0}), &two);
    for (int p = 0; p < 2; p++) {
        dp_tensor *own = dp_slice(x, 0, p * half, (p + 1) * half, 1);
        dp_tensor *alone = dp_pairwise(device, text, DP_SUM_J, DP_ARGS({"x", own, 0}));
        dp_tensor *part = dp_slice(both, 0, p * half, (p + 1) * half, 1);
        assert_same(part, alone);
        dp_tensor_release(&own);
        dp_tensor_release(&alone);
        dp_tensor_release(&part);
    }
    dp_tensor_release(&both);
    dp_tensor_release(&x);
}

int main(void)
{
    static const suite_test tests[] = {
        {"gradients of problems", gradients_of_problems},
        {"batches", batches},
        {"masked gradients", masked_gradients},
        {"first of equal values", first_of_equal},
        {"cut-off", cutoff},
        {"one large set", one_large_set},
        {"odd points", odd_points},
        {"wrong options", wrong_options},
        {"wrong calls", wrong_calls},
    };
    return suite_run("batch", tests, sizeof tests / sizeof *tests);
}
