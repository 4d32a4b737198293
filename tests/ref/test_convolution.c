/* SPDX-License-Identifier: Apache-2.0 */
/* The convolution's gradients, the transposed convolution and epilogues on the reference: values by hand, adjoints, bounds. */
#include <dipole/dipole.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define U          0x1p-24
#define MOST       4096
#define FLOATS(...) ((const float[]){__VA_ARGS__})

static int open_device(void **state)
{
    *state = dp_device_open("ref");
    return dp_failed(*state) == DP_OK ? 0 : -1;
}

static int close_device(void **state)
{
    dp_device *device = *state;
    dp_device_close(&device);
    return 0;
}

/* The elements of a tensor, which is released. */
static int64_t values_of(dp_device *device, dp_tensor *tensor, float values[MOST])
{
    if (!tensor)
        fail_msg("%s", dp_message(device));
    const int64_t size = dp_tensor_size(tensor);
    assert_true(size <= MOST);
    assert_int_equal(DP_OK, dp_read(tensor, values, (size_t)size * sizeof *values));
    dp_tensor_release(&tensor);
    return size;
}

static void expect(dp_device *device, dp_tensor *tensor, dp_shape shape, const float *expected)
{
    float values[MOST];
    if (!tensor)
        fail_msg("%s", dp_message(device));
    const dp_shape real = dp_tensor_shape(tensor);
    assert_int_equal(real.rank, shape.rank);
    for (int axis = 0; axis < shape.rank; axis++)
        assert_int_equal(real.dim[axis], shape.dim[axis]);
    const int64_t size = values_of(device, tensor, values);
    for (int64_t t = 0; t < size; t++)
        if (values[t] != expected[t])
            fail_msg("element %d is %.9g instead of %.9g", (int)t, (double)values[t], (double)expected[t]);
}

static void test_by_hand(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(1, 1, 2, 3), FLOATS(1, 2, 3, 4, 5, 6));
    dp_tensor *w = dp_from(device, DP_F32, DP_SHAPE(1, 1, 2, 2), FLOATS(1, 10, 100, 1000));
    dp_tensor *y = dp_from(device, DP_F32, DP_SHAPE(1, 1, 1, 2), FLOATS(1, 2));
    expect(device, dp_conv2d_gradient_input(device, w, y, 2, 3, NULL), DP_SHAPE(1, 1, 2, 3), FLOATS(1, 12, 20, 100, 1200, 2000));
    expect(device, dp_conv2d_gradient_weights(device, x, y, 2, 2, NULL), DP_SHAPE(1, 1, 2, 2), FLOATS(5, 8, 14, 17));
    /* A row above, two below, and one column less at the right. */
    const dp_conv2d_params uneven = {.padding = {1, 1}, .extra_padding = {1, -1}, .stride = {2, 1}};
    expect(device, dp_conv2d(device, x, w, &uneven), DP_SHAPE(1, 1, 2, 3),
           FLOATS(1000, 2100, 3200, 40, 54, 65));
    dp_tensor_release(&x);
    dp_tensor_release(&w);
    dp_tensor_release(&y);
}

static void test_transposed(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(1, 1, 2, 2), FLOATS(1, 2, 3, 4));
    dp_tensor *w = dp_from(device, DP_F32, DP_SHAPE(1, 1, 2, 2), FLOATS(1, 10, 100, 1000));
    dp_conv2d_transposed_params params = {.stride = {2, 2}};
    expect(device, dp_conv2d_transposed(device, x, w, &params), DP_SHAPE(1, 1, 4, 4),
           FLOATS(1, 10, 2, 20, 100, 1000, 200, 2000, 3, 30, 4, 40, 300, 3000, 400, 4000));
    params = (dp_conv2d_transposed_params){.stride = {2, 2}, .padding = {1, 1}, .output_padding = {1, 1}};
    expect(device, dp_conv2d_transposed(device, x, w, &params), DP_SHAPE(1, 1, 3, 3),
           FLOATS(1000, 200, 2000, 30, 4, 40, 3000, 400, 4000));
    params = (dp_conv2d_transposed_params){.stride = {2, 2}, .extra_padding = {1, 2}};
    expect(device, dp_conv2d_transposed(device, x, w, &params), DP_SHAPE(1, 1, 3, 2), FLOATS(1, 10, 100, 1000, 3, 30));
    params = (dp_conv2d_transposed_params){.dilation = {3, 1}, .output_padding = {2, 0}}; /* rows of nothing */
    expect(device, dp_conv2d_transposed(device, x, w, &params), DP_SHAPE(1, 1, 7, 3),
           FLOATS(1, 12, 20, 3, 34, 40, 0, 0, 0, 100, 1200, 2000, 300, 3400, 4000, 0, 0, 0, 0, 0, 0));
    expect(device, dp_conv2d_transposed(device, x, w, NULL), DP_SHAPE(1, 1, 3, 3),
           FLOATS(1, 12, 20, 103, 1234, 2040, 300, 3400, 4000));
    dp_tensor_release(&x);
    dp_tensor_release(&w);

    /* Two groups of one input channel and two output channels each. */
    x = dp_from(device, DP_F32, DP_SHAPE(1, 2, 1, 1), FLOATS(1, 10));
    w = dp_from(device, DP_F32, DP_SHAPE(2, 2, 1, 1), FLOATS(1, 2, 3, 4));
    expect(device, dp_conv2d_transposed(device, x, w, &(dp_conv2d_transposed_params){.groups = 2}), DP_SHAPE(1, 4, 1, 1),
           FLOATS(1, 2, 30, 40));
    dp_tensor_release(&x);
    dp_tensor_release(&w);
}

/* <a, b>, and with it how far rounding a to f32 may have moved it. */
static double inner(const float *a, const float *b, int64_t size, double *error)
{
    double sum = 0;
    for (int64_t t = 0; t < size; t++) {
        sum += (double)a[t] * (double)b[t];
        *error += U * fabs((double)a[t] * (double)b[t]);
    }
    return sum;
}

/* <conv(x, w), y> = <x, gradient_input(w, y)> = <w, gradient_weights(x, y)>: the reference is exact but for one rounding of each
 * result to f32, and 2^-50 for its sums and these. */
static void check_adjoint(dp_device *device, dp_shape xs, dp_shape ws, const dp_conv2d_params *params)
{
    float a[MOST], b[MOST];
    double error = 0;
    dp_tensor *x = dp_randn(device, 1, xs), *w = dp_randn(device, 2, ws), *forward = dp_conv2d(device, x, w, params);
    dp_tensor *y = dp_randn(device, 3, dp_tensor_shape(forward));
    int64_t size = values_of(device, forward, a);
    values_of(device, dp_tensor_retain(y), b);
    const double by_y = inner(a, b, size, &error);
    size = values_of(device, dp_conv2d_gradient_input(device, w, y, xs.dim[2], xs.dim[3], params), a);
    values_of(device, dp_tensor_retain(x), b);
    const double by_x = inner(a, b, size, &error);
    size = values_of(device, dp_conv2d_gradient_weights(device, x, y, ws.dim[2], ws.dim[3], params), a);
    values_of(device, dp_tensor_retain(w), b);
    const double by_w = inner(a, b, size, &error);
    error *= 1.01; /* 2^-50 of the same sizes is less */
    if (!(fabs(by_y - by_x) <= error && fabs(by_y - by_w) <= error))
        fail_msg("%.12g, %.12g and %.12g: %.3g is allowed", by_y, by_x, by_w, error);
    assert_true(by_y != 0);
    dp_tensor_release(&x);
    dp_tensor_release(&w);
    dp_tensor_release(&y);
}

static void test_adjoint(void **state)
{
    dp_device *device = *state;
    const dp_conv2d_params kinds[] = {
        {.groups = 1},
        {.stride = {2, 3}, .padding = {1, 2}},
        {.stride = {3, 2}, .padding = {2, 1}, .extra_padding = {-1, 2}, .dilation = {2, 1}},
        {.dilation = {3, 2}, .padding = {4, 5}, .stride = {2, 2}},
        {.extra_padding = {3, 1}, .stride = {1, 4}},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        dp_conv2d_params params = kinds[k];
        check_adjoint(device, DP_SHAPE(2, 6, 9, 8), DP_SHAPE(4, 6, 3, 3), &params);
        params.groups = 2;
        check_adjoint(device, DP_SHAPE(2, 6, 7, 9), DP_SHAPE(4, 3, 2, 3), &params);
        params.groups = 6;
        check_adjoint(device, DP_SHAPE(1, 6, 8, 8), DP_SHAPE(6, 1, 3, 2), &params);
    }
}

/* A transposed convolution is the adjoint of the convolution that turns its shapes around, and its gradients are as ops.h says. */
static void test_transposed_gradient(void **state)
{
    dp_device *device = *state;
    float a[MOST], b[MOST];
    double error = 0;
    dp_tensor *x = dp_randn(device, 1, DP_SHAPE(2, 4, 3, 5)), *w = dp_randn(device, 2, DP_SHAPE(4, 3, 3, 4));
    const dp_conv2d_transposed_params up = {.stride = {2, 3}, .padding = {1, 1}, .output_padding = {1, 2}, .groups = 2};
    const dp_conv2d_params down = {.stride = {2, 3}, .padding = {1, 1}, .groups = 2};
    dp_tensor *result = dp_conv2d_transposed(device, x, w, &up), *g = dp_randn(device, 3, dp_tensor_shape(result));
    int64_t size = values_of(device, result, a);
    values_of(device, dp_tensor_retain(g), b);
    const double by_result = inner(a, b, size, &error);
    size = values_of(device, dp_conv2d(device, g, w, &down), a);
    assert_int_equal(size, dp_tensor_size(x));
    values_of(device, x, b);
    const double by_x = inner(a, b, size, &error);
    x = dp_randn(device, 1, DP_SHAPE(2, 4, 3, 5));
    size = values_of(device, dp_conv2d_gradient_weights(device, g, x, 3, 4, &down), a);
    values_of(device, w, b);
    const double by_w = inner(a, b, size, &error);
    error *= 1.01;
    if (!(fabs(by_result - by_x) <= error && fabs(by_result - by_w) <= error))
        fail_msg("%.12g, %.12g and %.12g: %.3g is allowed", by_result, by_x, by_w, error);
    dp_tensor_release(&x);
    dp_tensor_release(&g);
}

static void test_epilogue(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = dp_from(device, DP_F32, DP_SHAPE(2, 1), FLOATS(1, -2)), *b = dp_from(device, DP_F32, DP_SHAPE(1, 2), FLOATS(3, 5));
    dp_tensor *bias = dp_from(device, DP_F32, DP_SHAPE(2), FLOATS(1, 7));
    dp_matmul_params params = {.epilogue = "max(result + b, 0)", .epilogue_args = DP_ARGS({"b", bias})};
    expect(device, dp_matmul(device, a, b, &params), DP_SHAPE(2, 2), FLOATS(4, 12, 0, 0));
    params = (dp_matmul_params){.alpha = 2, .beta = 1, .c = bias, .epilogue = "select(result < 0, k * result, result)",
                                .epilogue_args = DP_ARGS({.name = "k", .scalar = 0.5})};
    expect(device, dp_matmul(device, a, b, &params), DP_SHAPE(2, 2), FLOATS(7, 17, -5.5, -6.5));
    params = (dp_matmul_params){.epilogue = "b", .epilogue_args = DP_ARGS({"b", bias})}; /* the product is not used */
    expect(device, dp_matmul(device, a, b, &params), DP_SHAPE(2, 2), FLOATS(1, 7, 1, 7));

    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(1, 1, 1, 2), FLOATS(1, -1));
    dp_tensor *w = dp_from(device, DP_F32, DP_SHAPE(2, 1, 1, 1), FLOATS(2, 3)), *column = dp_reshape(bias, DP_SHAPE(2, 1, 1));
    const dp_conv2d_params conv = {.epilogue = "result * result + b", .epilogue_args = DP_ARGS({"b", column})};
    expect(device, dp_conv2d(device, x, w, &conv), DP_SHAPE(1, 2, 1, 2), FLOATS(5, 5, 16, 16));
    const dp_conv2d_transposed_params turned = {.epilogue = "-result"};
    dp_tensor *wt = dp_reshape(w, DP_SHAPE(1, 2, 1, 1));
    expect(device, dp_conv2d_transposed(device, x, wt, &turned), DP_SHAPE(1, 2, 1, 2), FLOATS(-2, 2, -3, 3));
    dp_tensor *list[] = {a, b, bias, x, w, column, wt};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

static double bound_with(dp_device *device, const dp_tensor *a, const dp_tensor *b, const char *epilogue)
{
    const dp_matmul_params params = {.epilogue = epilogue, .transpose_b = true};
    dp_tensor *bound = dp_matmul_bound(device, a, b, &params);
    if (!bound)
        fail_msg("%s", dp_message(device));
    const double value = dp_item(bound);
    dp_tensor_release(&bound);
    return value;
}

/* The result's error goes on through the formula. */
static void test_epilogue_bound(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = dp_uniform(device, 1, DP_SHAPE(1, 100), 0.5, 1), *b = dp_uniform(device, 2, DP_SHAPE(1, 100), 0.5, 1);
    const dp_matmul_params product = {.transpose_b = true};
    dp_tensor *plain = dp_matmul(device, a, b, &product);
    const double e = bound_with(device, a, b, NULL), v = dp_item(plain);
    assert_true(e > 100 * U * v && e < 104 * U * v);
    assert_true(fabs(bound_with(device, a, b, "result") - e) <= 1e-6 * e);
    assert_true(fabs(bound_with(device, a, b, "2 * result") - (2 * e + U * 2 * v)) <= 1e-4 * e);
    assert_true(fabs(bound_with(device, a, b, "result * result") - (2 * v * e + U * v * v)) <= 1e-4 * v * e);
    assert_true(bound_with(device, a, b, "max(-result, 0)") == 0); /* certainly */
    assert_true(bound_with(device, a, b, "1.5") == 0);
    assert_true(bound_with(device, a, b, "result > 1") == 0);
    const float at = (float)v; /* the product's own rounded value: on which side it is, is not known */
    dp_tensor *same = dp_full(device, DP_F32, DP_SCALAR, (double)at);
    const dp_matmul_params near = {.transpose_b = true, .epilogue = "result > c", .epilogue_args = DP_ARGS({"c", same})};
    dp_tensor *unknown = dp_matmul_bound(device, a, b, &near);
    assert_true(dp_item(unknown) == 1);
    dp_tensor *list[] = {a, b, plain, same, unknown};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* A gradient's bound counts the terms of the element: four of nine meet a corner of x. */
static void test_bounds(void **state)
{
    dp_device *device = *state;
    float bound[MOST];
    dp_tensor *w = dp_full(device, DP_F32, DP_SHAPE(1, 1, 3, 3), 1), *y = dp_full(device, DP_F32, DP_SHAPE(1, 1, 4, 4), 1);
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(1, 1, 4, 4), 1), *big = dp_full(device, DP_F32, DP_SHAPE(1, 1, 4, 4), 3e38);
    const dp_conv2d_params same = {.padding = {1, 1}};
    values_of(device, dp_conv2d_gradient_input_bound(device, w, y, 4, 4, &same), bound);
    assert_true(fabs((double)bound[0] - 4 * 7 * U) < 1e-5 * 28 * U && fabs((double)bound[5] - 9 * 12 * U) < 1e-5 * 108 * U);
    values_of(device, dp_conv2d_gradient_weights_bound(device, x, y, 3, 3, &same), bound);
    assert_true(fabs((double)bound[0] - 9 * 12 * U) < 1e-5 * 108 * U && fabs((double)bound[4] - 16 * 19 * U) < 1e-5 * 304 * U);
    values_of(device, dp_conv2d_gradient_weights_bound(device, x, big, 3, 3, &same), bound);
    assert_true(isinf(bound[4]));
    const dp_conv2d_transposed_params spread = {.stride = {3, 3}, .output_padding = {1, 1}};
    values_of(device, dp_conv2d_transposed_bound(device, x, w, &spread), bound);
    assert_true(fabs((double)bound[0] - 4 * U) < 1e-5 * 4 * U && bound[12] == 0); /* one product; nothing at all */
    dp_tensor *list[] = {w, y, x, big};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* Ones everywhere, so that the sums of the matrices' absolute values can be written down: rows of B^T, G and, with those, A^T. */
static void test_winograd_bound(void **state)
{
    dp_device *device = *state;
    float bound[MOST];
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(1, 1, 6, 6), 1), *w = dp_full(device, DP_F32, DP_SHAPE(1, 1, 3, 3), 1);
    dp_tensor *large = dp_full(device, DP_F32, DP_SHAPE(1, 1, 6, 6), 1e35);
    values_of(device, dp_conv2d_bound(device, x, w, &(dp_conv2d_params){.winograd = 2}), bound);
    for (int t = 0; t < 16; t++) /* 2 times 1 + 1.5 + 1.5, of rows and of columns */
        assert_true(fabs((double)bound[t] - (10 + 1 + 3) * U * 8 * 8) < 1e-5 * (double)bound[t]);
    values_of(device, dp_conv2d_bound(device, x, w, &(dp_conv2d_params){.winograd = 4}), bound);
    const double first = 10 * (0.25 + 0.5 + 0.5) + 2 * 6 * 7 / 24.0, last = 10 * (0.5 + 0.5 + 1) + 2 * 8 * 6 * 7 / 24.0;
    assert_true(fabs((double)bound[0] - (24 + 1 + 3) * U * first * first) < 1e-5 * (double)bound[0]);
    assert_true(fabs((double)bound[3] - (24 + 1 + 3) * U * first * last) < 1e-5 * (double)bound[3]);
    assert_true(fabs((double)bound[15] - (24 + 1 + 3) * U * last * last) < 1e-5 * (double)bound[15]);
    values_of(device, dp_conv2d_bound(device, large, w, &(dp_conv2d_params){.winograd = 4}), bound);
    assert_true(isinf(bound[0])); /* the transforms may overflow, though the result does not */
    values_of(device, dp_conv2d_bound(device, x, w, &(dp_conv2d_params){.winograd = 4, .stride = {2, 1}}), bound);
    assert_true(fabs((double)bound[0] - 9 * 12 * U) < 1e-5 * 108 * U); /* it does not fit */
    dp_tensor *list[] = {x, w, large};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_transposed),
        cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_transposed_gradient),
        cmocka_unit_test(test_epilogue),
        cmocka_unit_test(test_epilogue_bound),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_winograd_bound),
    };
    return cmocka_run_group_tests_name("convolution", tests, open_device, close_device);
}
