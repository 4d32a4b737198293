/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors, views, transfers, errors and profiles, on every device, against values worked out by hand. */
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool shape_is(const dp_tensor *tensor, dp_shape want)
{
    const dp_shape shape = dp_tensor_shape(tensor);
    bool same = shape.rank == want.rank;
    for (int a = 0; same && a < want.rank; a++)
        same = shape.dim[a] == want.dim[a];
    return same;
}

static void making(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(2, 3));
    assert_ptr_equal(dp_tensor_device(x), device);
    assert_true(shape_is(x, DP_SHAPE(2, 3)));
    assert_int_equal(dp_tensor_dtype(x), DP_F32);
    assert_int_equal(dp_tensor_size(x), 6);
    assert_int_equal(dp_tensor_stride(x, 0), 3);
    assert_int_equal(dp_tensor_stride(x, 1), 1);
    assert_int_equal(dp_tensor_stride(x, 2), 0);
    assert_int_equal(dp_tensor_stride(x, -1), 0);
    assert_true(dp_tensor_contiguous(x));
    suite_values(x, (const double[]){0, 1, 2, 3, 4, 5}, 6);
    dp_tensor_release(&x);
    assert_null(x);
    dp_tensor_release(&x);
    dp_tensor_release(NULL);

    dp_tensor *scalar = dp_full(device, DP_F32, DP_SCALAR, 2.5);
    assert_int_equal(dp_tensor_size(scalar), 1);
    assert_true(dp_item(scalar) == 2.5);
    dp_tensor *ints = dp_full(device, DP_I32, DP_SHAPE(3), -7.4);
    suite_values(ints, (const double[]){-7, -7, -7}, 3);
    assert_int_equal(dp_fill(ints, 2147483647.0), DP_OK);
    suite_values(ints, (const double[]){2147483647, 2147483647, 2147483647}, 3);
    dp_tensor *empty = dp_empty(device, DP_F32, DP_SHAPE(4, 0, 2));
    assert_int_equal(dp_tensor_size(empty), 0);
    assert_int_equal(dp_read(empty, NULL, 0), DP_OK);
    assert_int_equal(dp_write(empty, NULL, 0), DP_OK);
    assert_int_equal(dp_fill(empty, 1), DP_OK);
    dp_tensor_release(&scalar);
    dp_tensor_release(&ints);
    dp_tensor_release(&empty);
}

static void asking_nothing(dp_device *device)
{
    assert_null(dp_tensor_device(NULL));
    assert_int_equal(dp_tensor_shape(NULL).rank, 0);
    assert_int_equal(dp_tensor_dtype(NULL), DP_F32);
    assert_int_equal(dp_tensor_size(NULL), 0);
    assert_int_equal(dp_tensor_stride(NULL, 0), 0);
    assert_false(dp_tensor_contiguous(NULL));
    assert_null(dp_tensor_retain(NULL));
    assert_string_equal(dp_dtype_name(DP_F32), "f32");
    assert_string_equal(dp_dtype_name(DP_I32), "i32");
    assert_string_equal(dp_dtype_name((dp_dtype)99), "unknown");
    assert_int_equal(dp_dtype_size(DP_F32), 4);
    assert_int_equal(dp_dtype_size(DP_F64), 8);
    assert_int_equal(dp_dtype_size((dp_dtype)-1), 0);
    assert_string_equal(dp_status_name(DP_ERROR_MEMORY), "DP_ERROR_MEMORY");
    assert_string_equal(dp_status_name(DP_STATUS_COUNT), "unknown status");
    assert_non_null(dp_status_text((dp_status)-1));
    assert_string_equal(dp_reduction_name(DP_LOGSUMEXP), "logsumexp");
    assert_non_null(dp_reduction_name((dp_reduction)77));
    suite_ok(device);
}

static void views(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(3, 4));
    dp_tensor *odd = dp_slice(x, 1, 1, 4, 2), *turned = dp_transpose(odd, 0, 1);
    assert_true(shape_is(odd, DP_SHAPE(3, 2)));
    assert_int_equal(dp_tensor_stride(odd, 0), 4);
    assert_int_equal(dp_tensor_stride(odd, 1), 2);
    assert_false(dp_tensor_contiguous(odd));
    suite_values(odd, (const double[]){1, 3, 5, 7, 9, 11}, 6);
    suite_values(turned, (const double[]){1, 5, 9, 3, 7, 11}, 6);

    assert_int_equal(dp_fill(turned, -1), DP_OK); /* shows through in all views */
    suite_values(x, (const double[]){0, -1, 2, -1, 4, -1, 6, -1, 8, -1, 10, -1}, 12);
    const float rows[] = {10, 20, 30, 40};
    dp_tensor *middle = dp_slice(x, 0, 1, 2, 1);
    assert_true(dp_tensor_contiguous(middle));
    assert_int_equal(dp_write(middle, rows, sizeof rows), DP_OK);
    suite_values(x, (const double[]){0, -1, 2, -1, 10, 20, 30, 40, 8, -1, 10, -1}, 12);

    dp_tensor *folded = dp_reshape(x, DP_SHAPE(2, 6));
    assert_true(shape_is(folded, DP_SHAPE(2, 6)));
    dp_tensor_release(&x); /* a view keeps the memory alive */
    suite_values(middle, (const double[]){10, 20, 30, 40}, 4);
    suite_values(folded, (const double[]){0, -1, 2, -1, 10, 20, 30, 40, 8, -1, 10, -1}, 12);
    dp_tensor_release(&odd);
    dp_tensor_release(&turned);
    dp_tensor_release(&middle);
    dp_tensor_release(&folded);
}

static void more_views(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(2, 1, 3));
    dp_tensor *moved = dp_permute(x, (const int[]){2, 0, 1}, 3);
    assert_true(shape_is(moved, DP_SHAPE(3, 2, 1)));
    suite_values(moved, (const double[]){0, 3, 1, 4, 2, 5}, 6);
    dp_tensor *wide = dp_broadcast(x, DP_SHAPE(2, 2, 2, 3));
    suite_values(
        wide, (const double[]){0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}, 24);
    assert_int_equal(dp_tensor_stride(wide, 0), 0);
    dp_tensor *none = dp_slice(x, 2, 3, 3, 1);
    assert_int_equal(dp_tensor_size(none), 0);
    dp_tensor *packed = dp_copy(device, moved);
    assert_true(dp_tensor_contiguous(packed));
    dp_tensor *flat = dp_reshape(packed, DP_SHAPE(6));
    suite_values(flat, (const double[]){0, 3, 1, 4, 2, 5}, 6);
    dp_tensor *again = dp_tensor_retain(flat);
    dp_tensor_release(&flat);
    suite_values(again, (const double[]){0, 3, 1, 4, 2, 5}, 6);
    dp_tensor_release(&again);
    dp_tensor_release(&x);
    dp_tensor_release(&moved);
    dp_tensor_release(&wide);
    dp_tensor_release(&none);
    dp_tensor_release(&packed);
}

static void between_devices(dp_device *device)
{
    dp_device *other = dp_device_open("ref");
    dp_tensor *x = suite_range(device, DP_SHAPE(3, 5)), *turned = dp_transpose(x, 0, 1);
    dp_tensor *there = dp_copy(other, turned), *back = dp_copy(device, there);
    assert_ptr_equal(dp_tensor_device(there), other);
    assert_true(shape_is(there, DP_SHAPE(5, 3)));
    const double want[] = {0, 5, 10, 1, 6, 11, 2, 7, 12, 3, 8, 13, 4, 9, 14};
    suite_values(there, want, 15);
    suite_values(back, want, 15);
    dp_tensor_release(&x);
    dp_tensor_release(&turned);
    dp_tensor_release(&there);
    dp_tensor_release(&back);
    suite_ok(other);
    dp_device_close(&other);
    assert_null(other);
    dp_device_close(&other);
    dp_device_close(NULL);
}

/* Results of a long queue that nobody waited for, whose inputs are given back at once. */
static void queue(dp_device *device)
{
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(1000), 1);
    for (int k = 0; k < 300; k++) {
        dp_tensor *next = dp_map(device, "x + 1", DP_ARGS({"x", x, 0}));
        dp_tensor_release(&x);
        x = next;
    }
    dp_tensor *low = dp_reduce(device, x, DP_MIN, DP_ALL_AXES),
              *high = dp_reduce(device, x, DP_MAX, DP_ALL_AXES);
    assert_true(dp_item(low) == 301);
    assert_true(dp_item(high) == 301);
    dp_tensor_release(&low);
    dp_tensor_release(&high);
    dp_tensor_release(&x);
    assert_int_equal(dp_device_wait(device), DP_OK);
}

/* Work writes into memory that an earlier upload filled and a later one fills again. */
static void order(dp_device *device)
{
    const float ones[] = {1, 1, 1}, twos[] = {2, 2, 2};
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(3), ones);
    dp_tensor *a = dp_map(device, "10 * x", DP_ARGS({"x", x, 0}));
    assert_int_equal(dp_write(x, twos, sizeof twos), DP_OK);
    dp_tensor *b = dp_map(device, "10 * x", DP_ARGS({"x", x, 0}));
    assert_int_equal(dp_fill(x, 3), DP_OK);
    dp_tensor *c = dp_map(device, "10 * x", DP_ARGS({"x", x, 0}));
    suite_values(a, (const double[]){10, 10, 10}, 3);
    suite_values(b, (const double[]){20, 20, 20}, 3);
    suite_values(c, (const double[]){30, 30, 30}, 3);
    dp_tensor_release(&x);
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    dp_tensor_release(&c);
}

/* The first failure is kept, later ones are quiet, and valid calls run meanwhile. */
static void errors(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(2, 2));
    dp_tensor *bad = dp_reshape(x, DP_SHAPE(3)), *worse = dp_matmul(device, bad, x, NULL);
    assert_null(bad);
    assert_null(worse);
    char first[512];
    strncpy(first, dp_message(device), sizeof first - 1);
    first[sizeof first - 1] = '\0';
    assert_null(dp_map(device, "x +", DP_ARGS({"x", x, 0})));
    assert_string_equal(dp_message(device), first);
    assert_int_equal(dp_failed(device), DP_ERROR_ARGUMENT);

    dp_tensor *product = dp_matmul(device, x, x, NULL);
    assert_non_null(product);
    float values[4];
    assert_int_equal(dp_read(product, values, sizeof values), DP_OK);
    assert_true(values[0] == 2 && values[1] == 3 && values[2] == 6 && values[3] == 11);
    assert_int_equal(dp_device_wait(device), DP_ERROR_ARGUMENT); /* the one that is kept */
    assert_int_equal(dp_clear(device), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_clear(device), DP_OK);
    assert_int_equal(dp_device_wait(device), DP_OK);
    dp_tensor_release(&x);
    dp_tensor_release(&product);
}

static void profile(dp_device *device)
{
    dp_profile_entry entries[8];
    const dp_memory before = dp_memory_get(device);
    dp_tensor *large = dp_full(device, DP_F32, DP_SHAPE(1000), 1);
    assert_true(dp_memory_get(device).bytes == before.bytes + 4000);
    dp_tensor_release(&large);
    assert_true(dp_memory_get(device).bytes == before.bytes && dp_memory_get(device).peak_bytes >= before.bytes + 4000);
    dp_memory_reset(device);
    assert_true(dp_memory_get(device).peak_bytes == before.bytes);
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(64, 64), 1);
    assert_int_equal(dp_profile(device, true), DP_OK);
    for (int k = 0; k < 3; k++) {
        dp_tensor *y = dp_matmul(device, x, x, NULL);
        dp_tensor_release(&y);
    }
    const size_t count = dp_profile_list(device, entries, 8);
    assert_in_range(count, 1, 8);
    double flops = 0;
    for (size_t k = 0; k < count; k++) {
        assert_true(entries[k].kernel[0] != '\0');
        assert_true(entries[k].launches > 0);
        assert_true(entries[k].seconds >= 0);
        assert_true(k == 0 || entries[k].seconds <= entries[k - 1].seconds);
        flops += entries[k].flops;
    }
    if (dp_device_get_info(device).type != DP_DEVICE_REFERENCE) /* which counts none */
        assert_true(flops >= 3 * 2.0 * 64 * 64 * 64);
    assert_int_equal(dp_profile_list(device, NULL, 0), count);
    assert_int_equal(dp_profile(device, false), DP_OK);
    dp_tensor *y = dp_matmul(device, x, x, NULL);
    assert_int_equal(dp_profile_list(device, entries, 8), 0);
    dp_tensor_release(&y);
    dp_tensor_release(&x);
}

static void information(dp_device *device)
{
    const dp_device_info info = dp_device_get_info(device);
    assert_true(info.id[0] && info.backend[0] && info.name[0] && info.vendor[0] && info.driver[0] &&
                info.api[0]);
    assert_true(info.max_tensor_bytes > 0 && info.max_tensor_bytes <= info.memory_bytes);
    assert_true(strcmp(dp_device_type_name(info.type), "unknown") != 0);
    assert_string_equal(dp_device_type_name((dp_device_type)99), "unknown");
    assert_string_equal(dp_device_get_info(NULL).id, "");
}

/* Two handles of one device know nothing of each other. */
static void twice(dp_device *device)
{
    dp_device *second = dp_device_open(dp_device_get_info(device).id);
    suite_ok(second);
    suite_works(second);
    assert_null(dp_reshape(NULL, DP_SHAPE(1)));
    dp_tensor *left = dp_full(second, DP_F32, DP_SHAPE(100), 1); /* close frees what is still there */
    assert_non_null(left);
    dp_device_close(&second);
    suite_works(device);
}

/* More tensors than fit in a pool's first blocks, of many sizes, each with its own values. */
static void many(dp_device *device)
{
    enum { COUNT = 200 };
    dp_tensor *list[COUNT];
    for (int k = 0; k < COUNT; k++)
        list[k] = dp_full(device, DP_F32, DP_SHAPE(1 + k * 7 % 97), k);
    for (int k = 0; k < COUNT; k += 2)
        dp_tensor_release(&list[k]);
    for (int k = 0; k < COUNT; k += 2)
        list[k] = dp_full(device, DP_F32, DP_SHAPE(1 + k * 5 % 89), -k);
    for (int k = 0; k < COUNT; k++) {
        dp_tensor *low = dp_reduce(device, list[k], DP_MIN, DP_ALL_AXES);
        dp_tensor *high = dp_reduce(device, list[k], DP_MAX, DP_ALL_AXES);
        assert_true(dp_item(low) == (k % 2 ? k : -k) && dp_item(high) == (k % 2 ? k : -k));
        dp_tensor_release(&low);
        dp_tensor_release(&high);
    }
    for (int k = 0; k < COUNT; k++)
        dp_tensor_release(&list[k]);
}

int main(void)
{
    static const suite_test tests[] = {
        {"making", making},
        {"asking nothing", asking_nothing},
        {"views", views},
        {"more views", more_views},
        {"between devices", between_devices},
        {"queue", queue},
        {"order", order},
        {"errors", errors},
        {"profile", profile},
        {"information", information},
        {"twice", twice},
        {"many", many},
    };
    return suite_run("tensor", tests, sizeof tests / sizeof *tests);
}
