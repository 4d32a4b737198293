/* SPDX-License-Identifier: Apache-2.0 */
/* f16 and bf16: what they hold, how they are made, moved and read, which calls take them, and that all others say so. The
 * conversions themselves are in the conformance cases (tests/ops/cast.c). */
#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENT DP_ERROR_ARGUMENT
#define COUNT(list) (sizeof(list) / sizeof *(list))

static const dp_dtype halves[] = {DP_F16, DP_BF16};

/* That a tensor of 16-bit elements has these bits. */
static void bits_are(const dp_tensor *tensor, const uint16_t *want, size_t count)
{
    uint16_t got[64];
    assert_non_null(tensor);
    assert_in_range(count, 0, COUNT(got));
    assert_int_equal(dp_read(tensor, got, count * sizeof *got), DP_OK);
    for (size_t k = 0; k < count; k++)
        if (got[k] != want[k])
            fail_msg("element %zu is %04x, not %04x", k, got[k], want[k]);
}

static void values_are(dp_device *device, const dp_tensor *tensor, const double *want, size_t count)
{
    dp_tensor *wide = dp_cast(device, tensor, DP_F32);
    suite_values(wide, want, count);
    dp_tensor_release(&wide);
}

/* By hand: 1, 1/3, the largest, what rounds to infinity, denormals, a tie each way. */
static void numbers(dp_device *device)
{
    static const float x[] = {1, -2, 1 / 3.0f, 65504, 65519, 65520, 0x1p-24f, 0x1p-25f, 0x1.8p-24f, 2049, 2051, -0.0f, 0x1.fffffep127f};
    static const uint16_t f16[] = {0x3c00, 0xc000, 0x3555, 0x7bff, 0x7bff, 0x7c00, 0x0001, 0x0000, 0x0002, 0x6800, 0x6802, 0x8000, 0x7c00};
    static const uint16_t bf16[] = {0x3f80, 0xc000, 0x3eab, 0x4780, 0x4780, 0x4780, 0x3380, 0x3300, 0x33c0, 0x4500, 0x4500, 0x8000, 0x7f80};
    dp_tensor *wide = dp_from(device, DP_F32, DP_SHAPE(COUNT(x)), x);
    dp_tensor *a = dp_cast(device, wide, DP_F16), *b = dp_cast(device, wide, DP_BF16);
    assert_int_equal(dp_tensor_dtype(a), DP_F16);
    assert_true(dp_tensor_contiguous(b));
    bits_are(a, f16, COUNT(f16));
    bits_are(b, bf16, COUNT(bf16));
    dp_tensor_release(&wide);
    dp_tensor_release(&a);
    dp_tensor_release(&b);
}

/* NaNs by bits: read as words, as their own are not compared as numbers. */
static void not_numbers(dp_device *device)
{
    static const uint16_t f16[] = {0x7e00, 0xfe00, 0x7c01, 0xfdff}, bf16[] = {0x7fc0, 0xff81, 0x7fff, 0x7f80};
    static const uint32_t f16_wide[] = {0x7fc00000, 0xffc00000, 0x7fc02000, 0xffffe000};
    static const uint32_t bf16_wide[] = {0x7fc00000, 0xffc10000, 0x7fff0000, 0x7f800000};
    uint32_t got[4];
    for (int k = 0; k < 2; k++) {
        dp_tensor *x = dp_from(device, halves[k], DP_SHAPE(4), k ? bf16 : f16), *wide = dp_cast(device, x, DP_F32);
        assert_int_equal(dp_read(wide, got, sizeof got), DP_OK);
        assert_memory_equal(got, k ? bf16_wide : f16_wide, sizeof got);
        dp_tensor_release(&x);
        dp_tensor_release(&wide);
    }
    dp_tensor *x = dp_from(device, DP_F16, DP_SCALAR, f16);
    assert_true(isnan(dp_item(x)));
    dp_tensor_release(&x);
    suite_ok(device);
}

static void making(dp_device *device)
{
    assert_string_equal(dp_dtype_name(DP_F16), "f16");
    assert_string_equal(dp_dtype_name(DP_BF16), "bf16");
    assert_int_equal(dp_dtype_size(DP_F16), 2);
    assert_int_equal(dp_dtype_size(DP_BF16), 2);
    /* Doubles are rounded once: just above the tie of 2048 and 2050, which f32 does not see. */
    dp_tensor *x = dp_full(device, DP_F16, DP_SHAPE(3), 2049.0000000001), *one = dp_full(device, DP_BF16, DP_SCALAR, -1.5);
    bits_are(x, (const uint16_t[]){0x6801, 0x6801, 0x6801}, 3);
    assert_true(dp_item(one) == -1.5);
    dp_fill(x, 1e300);
    bits_are(x, (const uint16_t[]){0x7c00, 0x7c00, 0x7c00}, 3);
    dp_fill(x, 2048.9999999999);
    bits_are(x, (const uint16_t[]){0x6800, 0x6800, 0x6800}, 3);
    dp_fill(x, -(double)INFINITY);
    bits_are(x, (const uint16_t[]){0xfc00, 0xfc00, 0xfc00}, 3);
    dp_fill(x, -1e-300);
    bits_are(x, (const uint16_t[]){0x8000, 0x8000, 0x8000}, 3);
    dp_tensor *none = dp_empty(device, DP_BF16, DP_SHAPE(2, 0)), *still = dp_cast(device, none, DP_F16);
    assert_int_equal(dp_tensor_size(still), 0);
    assert_int_equal(dp_read(still, NULL, 0), DP_OK);
    assert_int_equal(dp_fill(none, 1), DP_OK);
    dp_tensor_release(&x);
    dp_tensor_release(&one);
    dp_tensor_release(&none);
    dp_tensor_release(&still);
}

/* Writing through views must leave the other half of a word as it is, at every offset. */
static void views(dp_device *device)
{
    static const uint16_t start[] = {10, 11, 12, 13, 14, 15, 16};
    for (int first = 0; first < 7; first++)
        for (int stop = first; stop <= 7; stop++) {
            uint16_t want[7], written[7] = {1, 2, 3, 4, 5, 6, 7};
            memcpy(want, start, sizeof want);
            dp_tensor *x = dp_from(device, DP_BF16, DP_SHAPE(7), start), *part = dp_slice(x, 0, first, stop, 1);
            dp_write(part, written, (size_t)(stop - first) * sizeof *written);
            memcpy(want + first, written, (size_t)(stop - first) * sizeof *written);
            bits_are(x, want, 7);
            dp_fill(part, 1);
            for (int k = first; k < stop; k++)
                want[k] = 0x3f80;
            bits_are(x, want, 7);
            dp_tensor_release(&part);
            dp_tensor_release(&x);
        }
    dp_tensor *x = dp_from(device, DP_F16, DP_SHAPE(7), start), *odd = dp_slice(x, 0, 1, 7, 2), *copy = dp_copy(device, odd);
    bits_are(copy, (const uint16_t[]){11, 13, 15}, 3);
    bits_are(odd, (const uint16_t[]){11, 13, 15}, 3);
    dp_write(odd, (const uint16_t[]){1, 2, 3}, 6);
    bits_are(x, (const uint16_t[]){10, 1, 12, 2, 14, 3, 16}, 7);
    dp_fill(odd, 0);
    bits_are(x, (const uint16_t[]){10, 0, 12, 0, 14, 0, 16}, 7);
    dp_device *other = dp_device_open("ref");
    dp_tensor *there = dp_copy(other, odd), *back = dp_copy(device, there);
    bits_are(back, (const uint16_t[]){0, 0, 0}, 3);
    assert_int_equal(dp_tensor_dtype(back), DP_F16);
    dp_tensor_release(&x);
    dp_tensor_release(&odd);
    dp_tensor_release(&copy);
    dp_tensor_release(&there);
    dp_tensor_release(&back);
    dp_device_close(&other);
}

/* The same elements in 16 bits and in 32 give the same bits, and nothing is left behind. */
static void operands(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(2, 3, 6, 5), -1, 1), *w = dp_uniform(device, 2, DP_SHAPE(4, 3, 3, 3), -1, 1);
    dp_tensor *half_x = dp_cast(device, x, DP_BF16), *half_w = dp_cast(device, w, DP_F16);
    dp_tensor *wide_x = dp_cast(device, half_x, DP_F32), *wide_w = dp_cast(device, half_w, DP_F32);
    const dp_conv2d_params params = {.padding = {1, 1}};
    dp_tensor *want_image = dp_conv2d(device, wide_x, wide_w, &params);
    dp_tensor *a = dp_reshape(half_x, DP_SHAPE(18, 10)), *wide_a = dp_reshape(wide_x, DP_SHAPE(18, 10));
    dp_tensor *want_square = dp_matmul(device, wide_a, wide_a, &(dp_matmul_params){.transpose_b = true});
    const dp_memory before = dp_memory_get(device); /* with the tables that a device keeps for such calls */
    dp_tensor *image = dp_conv2d(device, half_x, half_w, &params);
    dp_tensor *square = dp_matmul(device, a, wide_a, &(dp_matmul_params){.transpose_b = true});
    assert_int_equal(dp_tensor_dtype(image), DP_F32);
    assert_int_equal(dp_tensor_dtype(square), DP_F32);
    float got[2][18 * 18];
    assert_int_equal(dp_read(image, got[0], 240 * sizeof(float)), DP_OK);
    assert_int_equal(dp_read(want_image, got[1], 240 * sizeof(float)), DP_OK);
    assert_memory_equal(got[0], got[1], 240 * sizeof(float));
    assert_int_equal(dp_read(square, got[0], sizeof got[0]), DP_OK);
    assert_int_equal(dp_read(want_square, got[1], sizeof got[1]), DP_OK);
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    dp_tensor_release(&image);
    dp_tensor_release(&square);
    assert_true(dp_memory_get(device).bytes == before.bytes);
    dp_tensor *list[] = {x, w, half_x, half_w, wide_x, wide_w, want_image, want_square, a, wide_a};
    for (size_t k = 0; k < COUNT(list); k++)
        dp_tensor_release(&list[k]);
}

/* An embedding; rows out of range are NaN in the table's own dtype. */
static void embedding(dp_device *device)
{
    static const uint16_t rows[] = {0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600};
    static const int32_t picks[] = {1, 0, 1, 7, -1};
    dp_tensor *table = dp_from(device, DP_F16, DP_SHAPE(2, 3), rows), *index = dp_from(device, DP_I32, DP_SHAPE(5), picks);
    dp_tensor *picked = dp_gather_rows(device, table, index);
    values_are(device, picked, (const double[]){4, 5, 6, 1, 2, 3, 4, 5, 6, NAN, NAN, NAN, NAN, NAN, NAN}, 15);
    assert_int_equal(dp_tensor_dtype(picked), DP_F16);
    dp_tensor_release(&table);
    dp_tensor_release(&index);
    dp_tensor_release(&picked);
}

static void refused(dp_device *device, dp_tensor *result, const char *message)
{
    assert_null(result);
    suite_failed(device, ARGUMENT, message);
}

/* `name` of a 16-bit dtype is told to be that, and what it must be. */
static const char *told(const char *name, dp_dtype dtype)
{
    static char message[64];
    snprintf(message, sizeof message, "%s is %s, but must be f32", name, dp_dtype_name(dtype));
    return message;
}

static void casts_refused(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(3)), *ints = dp_full(device, DP_I32, DP_SHAPE(3), 1);
    dp_device *other = dp_device_open("ref");
    dp_tensor *foreign = suite_range(other, DP_SHAPE(3));
    refused(device, dp_cast(device, NULL, DP_F16), "x is NULL");
    refused(device, dp_cast(device, foreign, DP_F16), "x is on device");
    refused(device, dp_cast(device, ints, DP_F32), "x is i32, but must be f32, f16 or bf16");
    refused(device, dp_cast(device, x, DP_I32), "dtype is i32");
    refused(device, dp_cast(device, x, DP_F64), "dtype is f64");
    refused(device, dp_cast(device, x, DP_DTYPE_COUNT), "dtype is unknown");
    refused(device, dp_cast(device, x, (dp_dtype)-1), "dtype is unknown");
    assert_null(dp_cast(NULL, x, DP_F16));
    refused(device, dp_matmul(device, ints, x, NULL), "a is i32, but must be f32, f16 or bf16");
    dp_tensor *half = dp_cast(device, x, DP_F16);
    float value[2];
    assert_int_equal(dp_read(half, value, 12), ARGUMENT); /* as if it were f32 */
    suite_failed(device, ARGUMENT, "the tensor has 6");
    assert_int_equal(dp_write(half, value, 8), ARGUMENT);
    suite_failed(device, ARGUMENT, "the tensor has 6");
    dp_tensor *wide = dp_broadcast(half, DP_SHAPE(2, 3));
    assert_int_equal(dp_fill(wide, 1), ARGUMENT);
    suite_failed(device, ARGUMENT, "broadcast");
    dp_tensor *list[] = {x, ints, half, wide, foreign};
    for (size_t k = 0; k < COUNT(list); k++)
        dp_tensor_release(&list[k]);
    dp_device_close(&other);
}

static void primitives_refused(dp_device *device)
{
    for (int k = 0; k < 2; k++) {
        const dp_dtype d = halves[k];
        dp_tensor *x = dp_full(device, d, DP_SHAPE(3, 3), 1), *wide = dp_full(device, DP_F32, DP_SHAPE(3, 3), 1);
        dp_tensor *index = dp_full(device, DP_I32, DP_SHAPE(3), 1), *outputs[] = {x};
        refused(device, dp_map(device, "2 * y", DP_ARGS({"y", x, 0})), told("y", d));
        assert_int_equal(dp_map_into(device, "2 * y", DP_ARGS({"y", wide, 0}), outputs, 1), ARGUMENT);
        suite_failed(device, ARGUMENT, told("0]", d));
        refused(device, dp_reduce(device, x, DP_SUM, DP_ALL_AXES), told("x", d));
        refused(device, dp_scatter_add_rows(device, x, index, 3), told("y", d));
        refused(device, dp_scatter_add(device, x, index, 0, 3), told("y", d));
        refused(device, dp_gather_rows(device, wide, x), "index is");
        refused(device, dp_matmul(device, wide, wide, &(dp_matmul_params){.beta = 1, .c = x}), told("c", d));
        refused(device,
                dp_matmul(device, x, x, &(dp_matmul_params){.epilogue = "result + z", .epilogue_args = DP_ARGS({"z", x, 0})}),
                told("z", d));
        dp_tensor_release(&x);
        dp_tensor_release(&wide);
        dp_tensor_release(&index);
    }
}

static void pairs_refused(dp_device *device)
{
    const dp_dtype d = DP_BF16;
    static const char *const wrt[] = {"x"};
    dp_tensor *x = dp_full(device, d, DP_SHAPE(4, 2), 1), *wide = dp_full(device, DP_F32, DP_SHAPE(4, 2), 1);
    dp_tensor *mask = dp_full(device, d, DP_SHAPE(1, 1), 1), *labels = dp_full(device, DP_I32, DP_SHAPE(4), 1);
    dp_tensor *out[3] = {NULL}, *value = NULL;
    const char *f = "dot(x[i], x[j])";
    refused(device, dp_pairwise(device, f, DP_SUM_J, DP_ARGS({"x", x, 0})), told("x", d));
    refused(device, dp_pairwise_with(device, f, DP_SUM_J, DP_ARGS({"x", wide, 0}), &(dp_pair_options){.mask = mask, .tile = 32}),
            "mask is bf16");
    dp_pairwise_smallest(device, f, 1, DP_OVER_J, DP_ARGS({"x", x, 0}), &out[0], &out[1]);
    suite_failed(device, ARGUMENT, told("x", d));
    dp_pairwise_gradient(device, f, DP_SUM_J, DP_ARGS({"x", wide, 0}), x, wrt, 1, out, &value);
    suite_failed(device, ARGUMENT, told("cotangent", d));
    refused(device, dp_pairwise_hvp(device, f, DP_SUM_J, DP_ARGS({"x", wide, 0}), "x", x), told("direction", d));
    refused(device, dp_pairwise_softmax(device, f, "x[j]", DP_SUM_J, DP_ARGS({"x", x, 0})), told("x", d));
    refused(device, dp_metric(device, x, wide, &(dp_metric_params){.potential = "energy"}, 0, NULL), told("x", d));
    refused(device, dp_pair_mask_cutoff(device, x, wide, 32, 1), told("x", d));
    refused(device, dp_sort_spatial(device, x, 32, 0, NULL, NULL), told("x", d));
    assert_int_equal(dp_loss_infonce(device, wide, x, NULL, &value, out), ARGUMENT);
    suite_failed(device, ARGUMENT, told("b", d));
    assert_int_equal(dp_loss_supcon(device, wide, x, NULL, &value, out), ARGUMENT);
    suite_failed(device, ARGUMENT, "labels is bf16");
    assert_null(value);
    dp_tensor_release(&x);
    dp_tensor_release(&wide);
    dp_tensor_release(&mask);
    dp_tensor_release(&labels);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {
        {"numbers", numbers},
        {"not numbers", not_numbers},
        {"making", making},
        {"views", views},
        {"operands", operands},
        {"embedding", embedding},
        {"casts refused", casts_refused},
        {"primitives refused", primitives_refused},
        {"pairs refused", pairs_refused},
    };
    return suite_run("dtypes", tests, sizeof tests / sizeof *tests);
}
