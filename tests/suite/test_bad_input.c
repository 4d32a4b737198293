/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong arguments to every public function, on every device: a status, a message that names the argument,
 * nothing leaked, and a device that goes on working. */
#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENT DP_ERROR_ARGUMENT

/* What most tests need. */
typedef struct kit {
    dp_device *device, *other;                   /* other: another device's handle */
    dp_tensor *x, *row, *ints, *empty, *foreign; /* [2, 3], [3], i32 [2], [0, 3], on `other` */
} kit;

static kit make(dp_device *device)
{
    static const int32_t ones[] = {1, 0};
    kit k = {.device = device, .other = dp_device_open("ref")};
    k.x = suite_range(device, DP_SHAPE(2, 3));
    k.row = suite_range(device, DP_SHAPE(3));
    k.ints = dp_from(device, DP_I32, DP_SHAPE(2), ones);
    k.empty = dp_empty(device, DP_F32, DP_SHAPE(0, 3));
    k.foreign = suite_range(k.other, DP_SHAPE(2, 3));
    suite_ok(device);
    suite_ok(k.other);
    return k;
}

static void drop(kit *k)
{
    dp_tensor_release(&k->x);
    dp_tensor_release(&k->row);
    dp_tensor_release(&k->ints);
    dp_tensor_release(&k->empty);
    dp_tensor_release(&k->foreign);
    suite_ok(k->other);
    dp_device_close(&k->other);
    suite_works(k->device);
}

/* A call that must give no tensor. */
static void refused(dp_device *device, dp_tensor *result, dp_status status, const char *word)
{
    assert_null(result);
    suite_failed(device, status, word);
}

static void making(dp_device *device)
{
    const float data[4] = {0};
    const int64_t huge = INT64_C(1) << 62;
    dp_shape deep = {.rank = 9}, negative = {.rank = -1};
    refused(device, dp_empty(device, DP_F32, deep), ARGUMENT, "rank 9");
    refused(device, dp_empty(device, DP_F32, negative), ARGUMENT, "rank -1");
    refused(device, dp_empty(device, DP_F32, DP_SHAPE(2, -3)), ARGUMENT, "-3");
    refused(device, dp_empty(device, DP_F32, DP_SHAPE(huge, huge)), ARGUMENT, "shape");
    refused(device, dp_empty(device, DP_F32, DP_SHAPE(huge, 2, 0, -1)), ARGUMENT, "-1");
    refused(device, dp_empty(device, DP_F32, DP_SHAPE(65536, 65536)), ARGUMENT, "65536");
    refused(device, dp_empty(device, DP_F32, DP_SHAPE(INT64_C(1) << 31)), ARGUMENT, "2147483648");
    refused(device, dp_empty(device, (dp_dtype)99, DP_SHAPE(1)), ARGUMENT, "dtype");
    refused(device, dp_empty(device, (dp_dtype)-1, DP_SHAPE(1)), ARGUMENT, "dtype");
    for (int d = DP_F64; d < DP_DTYPE_COUNT; d++)
        refused(device, dp_empty(device, (dp_dtype)d, DP_SHAPE(1)), DP_ERROR_UNSUPPORTED,
                dp_dtype_name((dp_dtype)d));
    refused(device, dp_from(device, DP_F64, DP_SHAPE(1), data), DP_ERROR_UNSUPPORTED, "f64");
    refused(device, dp_from(device, DP_F32, DP_SHAPE(4), NULL), ARGUMENT, "data");
    refused(device, dp_full(device, DP_I32, DP_SHAPE(1), 3e9), ARGUMENT, "value");
    refused(device, dp_full(device, DP_I32, DP_SHAPE(1), (double)NAN), ARGUMENT, "value");
    refused(device, dp_full(device, DP_I32, DP_SHAPE(1), -(double)INFINITY), ARGUMENT, "value");
    refused(device, dp_full(device, DP_F32, deep, 0), ARGUMENT, "rank");
    suite_works(device);
}

/* More bytes than one tensor may take, or than there are. */
static void too_large(dp_device *device)
{
    const dp_device_info info = dp_device_get_info(device);
    const int64_t most = INT64_C(0x7fffffff), limit = (int64_t)(info.max_tensor_bytes / 4);
    dp_tensor *hold[64] = {NULL};
    if (limit < most)
        refused(device, dp_empty(device, DP_F32, DP_SHAPE(limit + 1)), DP_ERROR_UNSUPPORTED, "tensor");
    if (info.memory_bytes / info.max_tensor_bytes >= 64 || info.max_tensor_bytes > (UINT64_C(1) << 28))
        return; /* would take more of this machine than a test should */
    size_t count = 0;
    while (count < 64 && (hold[count] = dp_empty(device, DP_F32, DP_SHAPE(limit))))
        count++;
    assert_true(count < 64);
    suite_failed(device, DP_ERROR_MEMORY, "tensor");
    for (size_t k = 0; k < count; k++)
        dp_tensor_release(&hold[k]);
    suite_works(device);
}

static void random_numbers(dp_device *device)
{
    refused(device, dp_uniform(device, 1, DP_SHAPE(2), 0, (double)NAN), ARGUMENT, "uniform");
    refused(device, dp_uniform(device, 1, DP_SHAPE(2), -(double)INFINITY, 1), ARGUMENT, "uniform");
    refused(device, dp_uniform(device, 1, DP_SHAPE(2), -3e38, 3e38), ARGUMENT, "uniform");
    refused(device, dp_uniform(device, 1, DP_SHAPE(2), 0, 1e39), ARGUMENT, "uniform");
    refused(device, dp_uniform(device, 1, DP_SHAPE(-2), 0, 1), ARGUMENT, "-2");
    refused(device, dp_randn(device, 1, (dp_shape){.rank = 20}), ARGUMENT, "rank");
    dp_tensor *step = dp_full(device, DP_F32, DP_SCALAR, 1), *two = dp_full(device, DP_F32, DP_SHAPE(2), 1);
    dp_tensor *whole = dp_full(device, DP_I32, DP_SHAPE(1), 1);
    refused(device, dp_uniform_at(device, 1, NULL, DP_SHAPE(2), 0, 1), ARGUMENT, "step is NULL");
    refused(device, dp_uniform_at(device, 1, whole, DP_SHAPE(2), 0, 1), ARGUMENT, "step is i32");
    refused(device, dp_uniform_at(device, 1, step, DP_SHAPE(2), 0, (double)INFINITY), ARGUMENT, "uniform");
    refused(device, dp_randn_at(device, 1, two, DP_SHAPE(2)), ARGUMENT, "step has shape [2]");
    refused(device, dp_randn_at(device, 1, step, DP_SHAPE(-2)), ARGUMENT, "-2");
    refused(device, dp_randint_at(device, 1, two, DP_SHAPE(2), 5), ARGUMENT, "step has shape [2]");
    refused(device, dp_randint_at(device, 1, step, DP_SHAPE(2), 0), ARGUMENT, "n is 0");
    refused(device, dp_randint_at(device, 1, step, DP_SHAPE(2), (int64_t)1 << 31), ARGUMENT, "n is 2147483648");
    dp_tensor_release(&step);
    dp_tensor_release(&two);
    dp_tensor_release(&whole);
    suite_works(device);
}

static void transfers(dp_device *device)
{
    kit k = make(device);
    float values[6] = {0};
    assert_int_equal(dp_read(k.x, values, 20), ARGUMENT);
    suite_failed(device, ARGUMENT, "bytes");
    assert_int_equal(dp_read(k.x, values, (size_t)-1), ARGUMENT);
    suite_failed(device, ARGUMENT, "bytes");
    assert_int_equal(dp_read(k.x, NULL, 24), ARGUMENT);
    suite_failed(device, ARGUMENT, "data");
    assert_int_equal(dp_read(k.empty, values, 4), ARGUMENT);
    suite_failed(device, ARGUMENT, "bytes");
    assert_int_equal(dp_write(k.x, values, 28), ARGUMENT);
    suite_failed(device, ARGUMENT, "bytes");
    assert_int_equal(dp_write(k.x, NULL, 24), ARGUMENT);
    suite_failed(device, ARGUMENT, "data");
    dp_tensor *wide = dp_broadcast(k.row, DP_SHAPE(2, 3));
    assert_int_equal(dp_write(wide, values, 24), ARGUMENT);
    suite_failed(device, ARGUMENT, "broadcast");
    assert_int_equal(dp_fill(wide, 0), ARGUMENT);
    suite_failed(device, ARGUMENT, "broadcast");
    dp_tensor_release(&wide);
    assert_int_equal(dp_fill(k.ints, 1e10), ARGUMENT);
    suite_failed(device, ARGUMENT, "value");
    assert_true(isnan(dp_item(k.x)));
    suite_failed(device, ARGUMENT, "item");
    assert_true(isnan(dp_item(k.empty)));
    suite_failed(device, ARGUMENT, "item");
    suite_values(k.x, (const double[]){0, 1, 2, 3, 4, 5}, 6);
    refused(device, dp_copy(device, NULL), ARGUMENT, "tensor");
    assert_int_not_equal(dp_read(NULL, values, 4), DP_OK);
    assert_int_not_equal(dp_write(NULL, values, 4), DP_OK);
    assert_int_not_equal(dp_fill(NULL, 0), DP_OK);
    assert_true(isnan(dp_item(NULL)));
    drop(&k);
}

static void slices(dp_device *device)
{
    static const int64_t wrong[][3] = {
        {-1, 2, 1}, {2, 1, 1}, {0, 4, 1}, {4, 4, 1}, {0, 3, 0}, {0, 3, -1}, {INT64_MIN, INT64_MAX, 1}};
    kit k = make(device);
    for (size_t t = 0; t < sizeof wrong / sizeof *wrong; t++)
        refused(device, dp_slice(k.x, 1, wrong[t][0], wrong[t][1], wrong[t][2]), ARGUMENT, "slice");
    refused(device, dp_slice(k.x, 2, 0, 1, 1), ARGUMENT, "axis");
    refused(device, dp_slice(k.x, -1, 0, 1, 1), ARGUMENT, "axis");
    dp_tensor *far = dp_slice(k.x, 1, 0, 3, INT64_MAX); /* a step beyond the end is fine */
    suite_values(far, (const double[]){0, 3}, 2);
    dp_tensor_release(&far);
    assert_null(dp_slice(NULL, 0, 0, 0, 1));
    drop(&k);
}

static void other_views(dp_device *device)
{
    kit k = make(device);
    refused(device, dp_permute(k.x, (const int[]){0, 0}, 2), ARGUMENT, "order");
    refused(device, dp_permute(k.x, (const int[]){0, 2}, 2), ARGUMENT, "order");
    refused(device, dp_permute(k.x, (const int[]){-1, 0}, 2), ARGUMENT, "order");
    refused(device, dp_permute(k.x, (const int[]){1000000, 0}, 2), ARGUMENT, "order");
    refused(device, dp_permute(k.x, (const int[]){0}, 1), ARGUMENT, "order");
    refused(device, dp_permute(k.x, NULL, 2), ARGUMENT, "order");
    refused(device, dp_transpose(k.x, 0, 2), ARGUMENT, "axis");
    refused(device, dp_transpose(k.x, -1, 0), ARGUMENT, "axis");
    refused(device, dp_reshape(k.x, DP_SHAPE(7)), ARGUMENT, "reshape");
    refused(device, dp_reshape(k.x, DP_SHAPE(-2, -3)), ARGUMENT, "reshape");
    refused(device, dp_reshape(k.x, DP_SHAPE(INT64_C(1) << 62, 4)), ARGUMENT, "reshape");
    refused(device, dp_reshape(k.x, (dp_shape){.rank = 12}), ARGUMENT, "rank");
    refused(device, dp_reshape(k.empty, DP_SHAPE(1)), ARGUMENT, "reshape");
    dp_tensor *turned = dp_transpose(k.x, 0, 1);
    refused(device, dp_reshape(turned, DP_SHAPE(6)), ARGUMENT, "stride");
    dp_tensor_release(&turned);
    refused(device, dp_broadcast(k.x, DP_SHAPE(3)), ARGUMENT, "broadcast");
    refused(device, dp_broadcast(k.x, DP_SHAPE(4, 3)), ARGUMENT, "broadcast");
    refused(device, dp_broadcast(k.row, DP_SHAPE(INT64_C(1) << 40, 3)), ARGUMENT, "broadcast");
    refused(device, dp_broadcast(k.row, DP_SHAPE(-1, 3)), ARGUMENT, "broadcast");
    refused(device, dp_broadcast(k.row, (dp_shape){.rank = 9}), ARGUMENT, "rank");
    assert_null(dp_permute(NULL, (const int[]){0}, 1));
    assert_null(dp_transpose(NULL, 0, 1));
    assert_null(dp_reshape(NULL, DP_SHAPE(1)));
    assert_null(dp_broadcast(NULL, DP_SHAPE(1)));
    drop(&k);
}

static void matmul(dp_device *device)
{
    kit k = make(device);
    dp_tensor *square = dp_full(device, DP_F32, DP_SHAPE(3, 3), 1),
              *batch2 = dp_full(device, DP_F32, DP_SHAPE(2, 3, 3), 1),
              *batch5 = dp_full(device, DP_F32, DP_SHAPE(5, 3, 3), 1);
    refused(device, dp_matmul(device, k.x, k.x, NULL), ARGUMENT, "inner");
    refused(device, dp_matmul(device, k.row, square, NULL), ARGUMENT, "a ");
    refused(device, dp_matmul(device, k.x, k.row, NULL), ARGUMENT, "b ");
    refused(device, dp_matmul(device, batch2, batch5, NULL), ARGUMENT, "batch");
    refused(device, dp_matmul(device, k.ints, square, NULL), ARGUMENT, "a ");
    refused(device, dp_matmul(device, NULL, square, NULL), ARGUMENT, "a ");
    refused(device, dp_matmul(device, square, NULL, NULL), ARGUMENT, "b ");
    refused(device, dp_matmul(device, k.foreign, square, NULL), ARGUMENT, "a ");
    refused(device, dp_matmul(device, k.x, k.foreign, NULL), ARGUMENT, "b ");
    refused(device, dp_matmul(device, k.x, square, &(dp_matmul_params){.beta = 1}), ARGUMENT, "c ");
    refused(device, dp_matmul(device, k.x, square, &(dp_matmul_params){.beta = 1, .c = square}), ARGUMENT,
            "c ");
    refused(device, dp_matmul(device, k.x, square, &(dp_matmul_params){.beta = 1, .c = k.ints}), ARGUMENT,
            "c ");
    refused(device, dp_matmul(device, k.x, square, &(dp_matmul_params){.beta = 1, .c = k.foreign}), ARGUMENT,
            "c ");
    refused(device, dp_matmul(device, k.x, square, &(dp_matmul_params){.beta = 1, .c = batch2}), ARGUMENT,
            "c ");
    dp_tensor *tall = dp_empty(device, DP_F32, DP_SHAPE(100000, 0)),
              *wide = dp_empty(device, DP_F32, DP_SHAPE(0, 100000));
    refused(device, dp_matmul(device, tall, wide, NULL), ARGUMENT, "shape"); /* 10^10 elements of nothing */
    dp_tensor *none = dp_matmul(device, k.empty, square, NULL);
    assert_int_equal(dp_tensor_size(none), 0);
    dp_tensor_release(&none);
    dp_tensor_release(&tall);
    dp_tensor_release(&wide);
    dp_tensor_release(&square);
    dp_tensor_release(&batch2);
    dp_tensor_release(&batch5);
    drop(&k);
}

static void conv2d(dp_device *device)
{
    kit k = make(device);
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(1, 4, 5, 5), 1),
              *w = dp_full(device, DP_F32, DP_SHAPE(6, 4, 3, 3), 1),
              *half = dp_full(device, DP_F32, DP_SHAPE(6, 2, 3, 3), 1),
              *none = dp_empty(device, DP_F32, DP_SHAPE(6, 4, 0, 3));
    refused(device, dp_conv2d(device, k.x, w, NULL), ARGUMENT, "x ");
    refused(device, dp_conv2d(device, x, k.x, NULL), ARGUMENT, "w ");
    refused(device, dp_conv2d(device, NULL, w, NULL), ARGUMENT, "x ");
    refused(device, dp_conv2d(device, x, NULL, NULL), ARGUMENT, "w ");
    refused(device, dp_conv2d(device, k.foreign, w, NULL), ARGUMENT, "x ");
    refused(device, dp_conv2d(device, k.ints, w, NULL), ARGUMENT, "x ");
    refused(device, dp_conv2d(device, x, half, NULL), ARGUMENT, "w ");
    refused(device, dp_conv2d(device, x, none, NULL), ARGUMENT, "w ");
    refused(device, dp_conv2d(device, x, w, &(dp_conv2d_params){.groups = 2}), ARGUMENT, "group");
    refused(device, dp_conv2d(device, x, half, &(dp_conv2d_params){.groups = 3}), ARGUMENT, "groups");
    refused(device, dp_conv2d(device, x, w, &(dp_conv2d_params){.groups = -1}), ARGUMENT, "groups");
    refused(device, dp_conv2d(device, x, w, &(dp_conv2d_params){.stride = {-1, 0}}), ARGUMENT, "stride");
    refused(device, dp_conv2d(device, x, w, &(dp_conv2d_params){.padding = {0, -2}}), ARGUMENT, "padding");
    refused(device, dp_conv2d(device, x, w, &(dp_conv2d_params){.dilation = {0, -1}}), ARGUMENT, "dilation");
    refused(device, dp_conv2d(device, x, w, &(dp_conv2d_params){.dilation = {3, 1}}), ARGUMENT, "dilation");
    refused(device, dp_conv2d(device, x, w, &(dp_conv2d_params){.dilation = {INT32_MAX, INT32_MAX}}),
            ARGUMENT, "w ");
    refused(device, dp_conv2d(device, x, w, &(dp_conv2d_params){.padding = {INT32_MAX, INT32_MAX}}), ARGUMENT,
            "padding");
    dp_tensor_release(&x);
    dp_tensor_release(&w);
    dp_tensor_release(&half);
    dp_tensor_release(&none);
    drop(&k);
}

/* Formulas that must be refused with a place in the message. */
static void formulas(dp_device *device)
{
    static const char *const wrong[] = {
        "",          " ",          "x +",   "x x",       "(x",           "x)",
        "y",         "foo(x)",     "exp()", "exp(x, x)", "select(x, x)", "1 2",
        "x ? 1 : 2", "x[i]",       "x[",    "x[0]",      "a = x;",       "a = x; a = x; a",
        "x = 1; x",  "1e999999 +", "0x",    "@",         "x \xff",       "x,",
        ";",         "exp = x; 1", "max()", "--",        "x == == x",    "dot(x, )"};
    static const char *const pair_wrong[] = {"x[i]",
                                             "x[j]",
                                             "x",
                                             "x[k]",
                                             "x[i][7] + x[j][0]",
                                             "sqdist(x[i], s)",
                                             "s[i] + x[j]",
                                             "x[i] + x[j][",
                                             "x[i], x[j]",
                                             "x[i] x[j]",
                                             "dot(x[i], x[j]",
                                             "x[i + 1]",
                                             "norm_p(x[i] - x[j], -1)"};
    kit k = make(device);
    char *deep = calloc(1, 200001);
    assert_non_null(deep);
    for (size_t t = 0; t < sizeof wrong / sizeof *wrong; t++)
        refused(device, dp_map(device, wrong[t], DP_ARGS({"x", k.x, 0})), DP_ERROR_FORMULA, "column");
    for (size_t t = 0; t < sizeof pair_wrong / sizeof *pair_wrong; t++) {
        refused(
            device,
            dp_pairwise(device, pair_wrong[t], DP_SUM_J, DP_ARGS({"x", k.x, 0}, {.name = "s", .scalar = 1})),
            DP_ERROR_FORMULA, "");
    }
    memset(deep, '(', 200000);
    refused(device, dp_map(device, deep, DP_ARGS({"x", k.x, 0})), DP_ERROR_FORMULA, "column");
    memset(deep, '-', 200000);
    refused(device, dp_map(device, deep, DP_ARGS({"x", k.x, 0})), DP_ERROR_FORMULA, "column");
    for (size_t t = 0; t + 2 <= 200000; t += 2)
        memcpy(deep + t, "x+", 2);
    refused(device, dp_map(device, deep, DP_ARGS({"x", k.x, 0})), DP_ERROR_FORMULA, "column");
    memset(deep, 'y', 200000);
    refused(device, dp_map(device, deep, DP_ARGS({"x", k.x, 0})), DP_ERROR_FORMULA, "column");
    free(deep);
    drop(&k);
}

static void arguments(dp_device *device)
{
    kit k = make(device);
    dp_arg seventeen[17] = {{0}};
    char names[17][16];
    for (int t = 0; t < 17; t++) {
        snprintf(names[t], sizeof names[t], "a%d", t);
        seventeen[t] = (dp_arg){.name = names[t], .scalar = t};
    }
    refused(device, dp_map(device, "a0", (dp_args){seventeen, 17}), ARGUMENT, "args");
    refused(device, dp_map(device, "1", (dp_args){seventeen, -1}), ARGUMENT, "args");
    refused(device, dp_map(device, "1", (dp_args){NULL, 3}), ARGUMENT, "args");
    refused(device, dp_map(device, NULL, DP_ARGS({"x", k.x, 0})), ARGUMENT, "formula");
    refused(device, dp_map(device, "x", DP_ARGS({"x", k.x, 0}, {"x", k.row, 0})), ARGUMENT, "x");
    refused(device, dp_map(device, "x", DP_ARGS({NULL, k.x, 0})), ARGUMENT, "args[0]");
    refused(device, dp_map(device, "x", DP_ARGS({"", k.x, 0})), ARGUMENT, "args[0]");
    refused(device, dp_map(device, "x", DP_ARGS({"x", k.x, 0}, {"1y", k.x, 0})), ARGUMENT, "1y");
    refused(device, dp_map(device, "x", DP_ARGS({"x y", k.x, 0})), ARGUMENT, "x y");
    refused(device, dp_map(device, "x", DP_ARGS({"x", k.ints, 0})), ARGUMENT, "x ");
    refused(device, dp_map(device, "x", DP_ARGS({"x", k.foreign, 0})), ARGUMENT, "x ");
    refused(device, dp_map(device, "s", DP_ARGS({.name = "s", .scalar = (double)NAN})), ARGUMENT, "s ");
    refused(device, dp_map(device, "s", DP_ARGS({.name = "s", .scalar = 1e200})), ARGUMENT, "s ");
    refused(device, dp_map(device, "x + y", DP_ARGS({"x", k.x, 0}, {"y", k.ints, 0})), ARGUMENT, "y ");
    dp_tensor *two = suite_range(device, DP_SHAPE(2));
    refused(device, dp_map(device, "x + y", DP_ARGS({"x", k.x, 0}, {"y", two, 0})), ARGUMENT, "y ");
    refused(device, dp_map(device, "x, x", DP_ARGS({"x", k.x, 0})), ARGUMENT, "output");
    dp_tensor_release(&two);
    drop(&k);
}

static void into(dp_device *device, const char *formula, dp_args args, dp_tensor *const *outputs, int count,
                 const char *word)
{
    assert_int_equal(dp_map_into(device, formula, args, outputs, count), ARGUMENT);
    suite_failed(device, ARGUMENT, word);
}

static void map_into(dp_device *device)
{
    kit k = make(device);
    dp_tensor *out = dp_full(device, DP_F32, DP_SHAPE(2, 3), 9), *wide = dp_broadcast(k.row, DP_SHAPE(2, 3));
    dp_tensor *large = dp_full(device, DP_F32, DP_SHAPE(3, 3), 9), *a = dp_slice(large, 0, 0, 2, 1),
              *b = dp_slice(large, 0, 1, 3, 1);
    const dp_args x = DP_ARGS({"x", k.x, 0}), ax = DP_ARGS({"x", a, 0});
    into(device, "x", x, NULL, 1, "outputs");
    into(device, "x", x, (dp_tensor *[]){NULL}, 1, "outputs[0]");
    into(device, "x, x", x, (dp_tensor *[]){out, NULL}, 2, "outputs[1]");
    into(device, "x", x, (dp_tensor *[]){out}, 0, "output");
    into(device, "x", x, (dp_tensor *[]){out}, -1, "output");
    into(device, "x", x, (dp_tensor *[]){out, large}, 2, "output");
    into(device, "x", x, (dp_tensor *[]){k.row}, 1, "outputs[0]");
    into(device, "x", x, (dp_tensor *[]){k.ints}, 1, "outputs[0]");
    into(device, "x", x, (dp_tensor *[]){k.foreign}, 1, "outputs[0]");
    into(device, "x", x, (dp_tensor *[]){wide}, 1, "outputs[0]");
    into(device, "x, x", x, (dp_tensor *[]){out, out}, 2, "outputs[1]");
    into(device, "x, x", x, (dp_tensor *[]){a, b}, 2, "outputs[1]");
    into(device, "x", ax, (dp_tensor *[]){b}, 1, "outputs[0]");
    suite_values(out, (const double[]){9, 9, 9, 9, 9, 9}, 6);
    suite_values(large, (const double[]){9, 9, 9, 9, 9, 9, 9, 9, 9}, 9);
    assert_int_equal(dp_map_into(device, "x + 1", ax, (dp_tensor *[]){a}, 1), DP_OK); /* in place is fine */
    suite_values(large, (const double[]){10, 10, 10, 10, 10, 10, 9, 9, 9}, 9);
    dp_tensor_release(&out);
    dp_tensor_release(&wide);
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    dp_tensor_release(&large);
    drop(&k);
}

static void reduce(dp_device *device)
{
    kit k = make(device);
    refused(device, dp_reduce(device, k.x, DP_SUM, DP_AXIS(2)), ARGUMENT, "axes");
    refused(device, dp_reduce(device, k.x, DP_SUM, DP_AXIS(0) | DP_AXIS(7)), ARGUMENT, "axes");
    refused(device, dp_reduce(device, k.x, DP_SUM, 0x8000u), ARGUMENT, "axes");
    refused(device, dp_reduce(device, k.x, DP_REDUCTION_COUNT, DP_ALL_AXES), ARGUMENT, "reduction");
    refused(device, dp_reduce(device, k.x, (dp_reduction)-1, DP_ALL_AXES), ARGUMENT, "reduction");
    refused(device, dp_reduce(device, NULL, DP_SUM, DP_ALL_AXES), ARGUMENT, "x ");
    refused(device, dp_reduce(device, k.ints, DP_SUM, DP_ALL_AXES), ARGUMENT, "x ");
    refused(device, dp_reduce(device, k.foreign, DP_SUM, DP_ALL_AXES), ARGUMENT, "x ");
    drop(&k);
}

static void gather(dp_device *device)
{
    kit k = make(device);
    dp_tensor *scalar = dp_full(device, DP_F32, DP_SCALAR, 1),
              *indices = dp_full(device, DP_I32, DP_SHAPE(2, 2), 0),
              *deep = dp_full(device, DP_I32, DP_SHAPE(1, 1, 1, 1, 1, 1, 1, 1), 0);
    refused(device, dp_gather_rows(device, NULL, k.ints), ARGUMENT, "x ");
    refused(device, dp_gather_rows(device, k.x, NULL), ARGUMENT, "index");
    refused(device, dp_gather_rows(device, k.x, k.row), ARGUMENT, "index");
    refused(device, dp_gather_rows(device, scalar, k.ints), ARGUMENT, "x ");
    refused(device, dp_gather_rows(device, k.x, deep), ARGUMENT, "index");
    refused(device, dp_gather_rows(device, k.foreign, k.ints), ARGUMENT, "x ");
    refused(device, dp_gather(device, k.x, indices, 2), ARGUMENT, "axis");
    refused(device, dp_gather(device, k.x, indices, -1), ARGUMENT, "axis");
    refused(device, dp_gather(device, k.x, indices, 0), ARGUMENT, "index");
    refused(device, dp_gather(device, k.x, k.ints, 0), ARGUMENT, "index");
    refused(device, dp_gather(device, k.x, k.x, 0), ARGUMENT, "index");
    refused(device, dp_gather(device, NULL, indices, 0), ARGUMENT, "x ");
    refused(device, dp_scatter_add_rows(device, k.x, k.ints, -1), ARGUMENT, "n ");
    refused(device, dp_scatter_add_rows(device, k.x, k.ints, INT64_MAX), ARGUMENT, "n ");
    refused(device, dp_scatter_add_rows(device, k.x, k.ints, INT64_C(0x7fffffff)), ARGUMENT, "shape");
    refused(device, dp_scatter_add_rows(device, k.row, k.ints, 4), ARGUMENT, "y ");
    refused(device, dp_scatter_add_rows(device, NULL, k.ints, 4), ARGUMENT, "y ");
    refused(device, dp_scatter_add_rows(device, k.x, NULL, 4), ARGUMENT, "index");
    refused(device, dp_scatter_add_rows(device, k.ints, k.ints, 4), ARGUMENT, "y ");
    refused(device, dp_scatter_add(device, k.x, indices, 1, 4), ARGUMENT, "index");
    refused(device, dp_scatter_add(device, k.x, indices, 5, 4), ARGUMENT, "axis");
    refused(device, dp_scatter_add(device, k.x, indices, 1, -4), ARGUMENT, "n ");
    refused(device, dp_scatter_add(device, k.foreign, indices, 1, 4), ARGUMENT, "y ");
    dp_tensor_release(&scalar);
    dp_tensor_release(&indices);
    dp_tensor_release(&deep);
    drop(&k);
}

static void pairwise(dp_device *device)
{
    static const char text[] = "sqdist(x[i], y[j])";
    kit k = make(device);
    dp_tensor *two = suite_range(device, DP_SHAPE(5, 2)), *cube = suite_range(device, DP_SHAPE(2, 2, 2)),
              *flat = dp_empty(device, DP_F32, DP_SHAPE(3, 0));
    const dp_args xx = DP_ARGS({"x", k.x, 0}, {"y", k.x, 0});
    refused(device, dp_pairwise(device, text, 0x7f, xx), ARGUMENT, "mode");
    refused(device, dp_pairwise(device, text, DP_OVER_I | DP_OVER_ALL, xx), ARGUMENT, "mode");
    refused(device, dp_pairwise(device, text, 0x80000000u, xx), ARGUMENT, "mode");
    refused(device, dp_pairwise(device, text, DP_ARGMAX | DP_OVER_ALL, xx), ARGUMENT, "argmax");
    refused(device, dp_pairwise(device, NULL, DP_SUM_J, xx), ARGUMENT, "formula");
    refused(device, dp_pairwise(device, text, DP_SUM_J, DP_NO_ARGS), DP_ERROR_FORMULA, "column");
    refused(device, dp_pairwise(device, text, DP_SUM_J, DP_ARGS({"x", k.x, 0}, {"y", two, 0})),
            DP_ERROR_FORMULA, "column");
    refused(device, dp_pairwise(device, text, DP_SUM_J, DP_ARGS({"x", k.x, 0}, {"y", NULL, 0})),
            DP_ERROR_FORMULA, "y");
    refused(device, dp_pairwise(device, text, DP_SUM_J, DP_ARGS({"x", k.x, 0}, {"y", cube, 0})), ARGUMENT,
            "y ");
    refused(device, dp_pairwise(device, text, DP_SUM_J, DP_ARGS({"x", k.x, 0}, {"y", flat, 0})), ARGUMENT,
            "y ");
    refused(device, dp_pairwise(device, text, DP_SUM_J, DP_ARGS({"x", k.x, 0}, {"y", k.ints, 0})), ARGUMENT,
            "y ");
    refused(device, dp_pairwise(device, text, DP_SUM_J, DP_ARGS({"x", k.foreign, 0}, {"y", k.x, 0})),
            ARGUMENT, "x ");
    refused(device,
            dp_pairwise(device, "q[i] * x[i] - y[j]", DP_SUM_J,
                        DP_ARGS({"q", k.row, 0}, {"x", k.x, 0}, {"y", k.x, 0})),
            ARGUMENT, "q ");
    refused(device, dp_pairwise(device, "x[i] * y[j]", DP_ARGMIN_J, xx), DP_ERROR_FORMULA, "argmin");
    dp_tensor *others = suite_range(device, DP_SHAPE(5, 3));
    refused(device,
            dp_pairwise(device, text, DP_SUM_J | DP_EXCLUDE_SELF, DP_ARGS({"x", k.x, 0}, {"y", others, 0})),
            ARGUMENT, "EXCLUDE_SELF");
    dp_tensor_release(&others);
    dp_tensor_release(&two);
    dp_tensor_release(&cube);
    dp_tensor_release(&flat);
    drop(&k);
}

/* Bounds belong to the reference. */
static void bounds(dp_device *device)
{
    const dp_args none = DP_NO_ARGS;
    kit k = make(device);
    dp_tensor *square = dp_full(device, DP_F32, DP_SHAPE(3, 3), 1),
              *x4 = dp_full(device, DP_F32, DP_SHAPE(1, 1, 3, 3), 1);
    refused(device, dp_matmul_bound(device, k.x, k.x, NULL), ARGUMENT, "inner");
    refused(device, dp_conv2d_bound(device, k.x, x4, NULL), ARGUMENT, "x ");
    refused(device, dp_map_bound(device, "1", none, 1), ARGUMENT, "output");
    refused(device, dp_map_bound(device, "1", none, -1), ARGUMENT, "output");
    refused(device, dp_reduce_bound(device, k.x, DP_SUM, DP_AXIS(5)), ARGUMENT, "axes");
    refused(device, dp_scatter_add_rows_bound(device, k.x, k.x, 1), ARGUMENT, "index");
    refused(device, dp_scatter_add_bound(device, k.x, k.ints, 9, 1), ARGUMENT, "axis");
    refused(device, dp_pairwise_bound(device, "1", 0xffff, none), ARGUMENT, "mode");
    dp_tensor *list[] = {
        dp_matmul_bound(device, k.x, square, NULL),
        dp_conv2d_bound(device, x4, x4, NULL),
        dp_map_bound(device, "x + 1", DP_ARGS({"x", k.x, 0}), 0),
        dp_reduce_bound(device, k.x, DP_SUM, DP_ALL_AXES),
        dp_scatter_add_rows_bound(device, k.x, k.ints, 4),
        dp_pairwise_bound(device, "dot(x[i], x[j])", DP_SUM_J, DP_ARGS({"x", k.x, 0})),
    };
    const bool reference = dp_device_get_info(device).type == DP_DEVICE_REFERENCE;
    if (!reference)
        suite_failed(device, DP_ERROR_UNSUPPORTED, "bound");
    for (size_t t = 0; t < sizeof list / sizeof *list; t++) {
        assert_true(reference == (list[t] != NULL));
        dp_tensor_release(&list[t]);
    }
    dp_tensor_release(&square);
    dp_tensor_release(&x4);
    drop(&k);
}

/* Every call takes a NULL device, and one that could not be opened. */
static void no_device(dp_device *device)
{
    dp_device *list[] = {NULL, dp_device_open("nonsense:7")};
    assert_non_null(list[1]);
    for (int k = 0; k < 2; k++) {
        dp_device *none = list[k];
        const dp_args x = DP_ARGS({"x", NULL, 1});
        assert_int_equal(dp_failed(none), DP_ERROR_NO_DEVICE);
        assert_non_null(dp_message(none));
        assert_int_equal(dp_clear(none), DP_ERROR_NO_DEVICE);
        assert_int_equal(dp_failed(none), DP_ERROR_NO_DEVICE);
        assert_int_equal(dp_device_wait(none), DP_ERROR_NO_DEVICE);
        assert_null(dp_empty(none, DP_F32, DP_SHAPE(2)));
        assert_null(dp_full(none, DP_F32, DP_SHAPE(2), 1));
        assert_null(dp_from(none, DP_F32, DP_SHAPE(1), &(float){1}));
        assert_null(dp_uniform(none, 1, DP_SHAPE(2), 0, 1));
        assert_null(dp_randn(none, 1, DP_SHAPE(2)));
        assert_null(dp_copy(none, NULL));
        assert_null(dp_matmul(none, NULL, NULL, NULL));
        assert_null(dp_conv2d(none, NULL, NULL, NULL));
        assert_null(dp_map(none, "x", x));
        assert_int_equal(dp_map_into(none, "x", x, NULL, 1), DP_ERROR_NO_DEVICE);
        assert_null(dp_reduce(none, NULL, DP_SUM, DP_ALL_AXES));
        assert_null(dp_gather_rows(none, NULL, NULL));
        assert_null(dp_gather(none, NULL, NULL, 0));
        assert_null(dp_scatter_add_rows(none, NULL, NULL, 1));
        assert_null(dp_scatter_add(none, NULL, NULL, 0, 1));
        assert_null(dp_pairwise(none, "x[i]", DP_SUM_J, x));
        assert_null(dp_pairwise_hvp(none, "x[i]", DP_SUM_J, x, "x", NULL));
        assert_null(dp_metric(none, NULL, NULL, NULL, 0, NULL));
        assert_int_equal(dp_potential_prepare(none, NULL, x, NULL), DP_ERROR_NO_DEVICE);
        assert_null(dp_matmul_bound(none, NULL, NULL, NULL));
        assert_null(dp_conv2d_bound(none, NULL, NULL, NULL));
        assert_null(dp_map_bound(none, "x", x, 0));
        assert_null(dp_reduce_bound(none, NULL, DP_SUM, DP_ALL_AXES));
        assert_null(dp_scatter_add_rows_bound(none, NULL, NULL, 1));
        assert_null(dp_scatter_add_bound(none, NULL, NULL, 0, 1));
        assert_null(dp_pairwise_bound(none, "x[i]", DP_SUM_J, x));
        assert_int_equal(dp_profile(none, true), DP_ERROR_NO_DEVICE);
        assert_int_equal(dp_profile_list(none, NULL, 0), 0);
        assert_int_equal(dp_memory_get(none).peak_bytes, 0);
        dp_memory_reset(none);
    }
    assert_non_null(strstr(dp_message(list[1]), "nonsense:7"));
    dp_device_close(&list[1]);
    suite_works(device);
}

/* Ids that name nothing. */
static void opening(dp_device *device)
{
    static const char *const ids[] = {"ref:1",   "opencl:99", "opencl:-1", "vulkan:4294967296",
                                      "vulkan:", ":",         "REF",       "opencl:0x0"};
    for (size_t k = 0; k < sizeof ids / sizeof *ids; k++) {
        dp_device *none = dp_device_open(ids[k]);
        assert_non_null(none);
        assert_int_equal(dp_failed(none), DP_ERROR_NO_DEVICE);
        assert_non_null(strstr(dp_message(none), ids[k]));
        dp_device_close(&none);
        assert_null(none);
    }
    char *forever = malloc(100001);
    assert_non_null(forever);
    memset(forever, 'x', 100000);
    forever[100000] = '\0';
    dp_device *none = dp_device_open(forever);
    assert_int_equal(dp_failed(none), DP_ERROR_NO_DEVICE);
    dp_device_close(&none);
    free(forever);
    dp_device_info one[1];
    assert_true(dp_device_list(one, 1) >= 1);
    assert_true(dp_device_list(NULL, 5) >= 1);
    assert_null(dp_backend_name(1000, NULL, 0));
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {
        {"making", making},       {"too large", too_large}, {"random numbers", random_numbers},
        {"transfers", transfers}, {"slices", slices},       {"other views", other_views},
        {"matmul", matmul},       {"conv2d", conv2d},       {"formulas", formulas},
        {"arguments", arguments}, {"map into", map_into},   {"reduce", reduce},
        {"gather", gather},       {"pairwise", pairwise},   {"bounds", bounds},
        {"no device", no_device}, {"opening", opening},
    };
    return suite_run("bad input", tests, sizeof tests / sizeof *tests);
}
