/* SPDX-License-Identifier: Apache-2.0 */
/* Derivatives of every primitive beside differences of the reference: each way a rule can take. */
#include "grad_check.h"

#include <math.h>
#include <string.h>

typedef struct op_case op_case;
struct op_case {
    const char *name;
    dp_tensor *(*run)(dp_device *device, dp_tensor *const *x, const op_case *c);
    int count;
    dp_shape shapes[4];
    int order; /* the highest that there is */
    double step;
    int devices; /* the highest on devices that build kernels */
    const char *text;
    int number[12];
};

#define R1(a) {1, {a}}
#define R2(a, b) {2, {a, b}}
#define R3(a, b, c) {3, {a, b, c}}
#define R4(a, b, c, d) {4, {a, b, c, d}}

static dp_tensor *map(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    dp_arg args[5];
    for (int k = 0; k < c->count; k++)
        args[k] = (dp_arg){names[k], x[k], 0};
    args[c->count] = (dp_arg){"t", NULL, 0.75};
    return dp_map(device, c->text, (dp_args){args, c->count + 1});
}

/* number: the transposes, alpha * 4, beta * 4; text: an epilogue, of the last argument */
static dp_tensor *matmul(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    const dp_arg bias = {"b", x[c->count - 1], 0};
    dp_matmul_params p = {.transpose_a = c->number[0], .transpose_b = c->number[1],
                          .alpha = (float)c->number[2] / 4, .beta = (float)c->number[3] / 4};
    if (c->number[3])
        p.c = x[2];
    if (c->text) {
        p.epilogue = c->text;
        p.epilogue_args = (dp_args){&bias, 1};
    }
    return dp_matmul(device, x[0], x[1], &p);
}

/* number: stride, padding, extra padding, dilation, two of each; groups; height and width or such; text: an epilogue */
static dp_conv2d_params convolution(const op_case *c)
{
    const int *n = c->number;
    return (dp_conv2d_params){.stride = {n[0], n[1]}, .padding = {n[2], n[3]}, .extra_padding = {n[4], n[5]},
                              .dilation = {n[6], n[7]}, .groups = n[8]};
}

static dp_tensor *conv(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    dp_conv2d_params p = convolution(c);
    const dp_arg bias = {"b", x[c->count - 1], 0};
    if (c->text) {
        p.epilogue = c->text;
        p.epilogue_args = (dp_args){&bias, 1};
    }
    return dp_conv2d(device, x[0], x[1], &p);
}

static dp_tensor *conv_input(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    const dp_conv2d_params p = convolution(c);
    return dp_conv2d_gradient_input(device, x[0], x[1], c->number[9], c->number[10], &p);
}

static dp_tensor *conv_weights(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    const dp_conv2d_params p = convolution(c);
    return dp_conv2d_gradient_weights(device, x[0], x[1], c->number[9], c->number[10], &p);
}

static dp_tensor *transposed(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    const int *n = c->number;
    const dp_arg bias = {"b", x[c->count - 1], 0};
    dp_conv2d_transposed_params p = {.stride = {n[0], n[1]}, .padding = {n[2], n[3]}, .extra_padding = {n[4], n[5]},
                                     .dilation = {n[6], n[7]}, .groups = n[8], .output_padding = {n[9], n[10]}};
    if (c->text) {
        p.epilogue = c->text;
        p.epilogue_args = (dp_args){&bias, 1};
    }
    return dp_conv2d_transposed(device, x[0], x[1], &p);
}

/* number: the reduction, the axes */
static dp_tensor *reduce(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    return dp_reduce(device, x[0], (dp_reduction)c->number[0], (unsigned)c->number[1]);
}

/* number: which; the index has one out of range, where the op allows for it */
static dp_tensor *gather(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    static const int32_t values[] = {2, 0, 2, 1, 1, 0};
    const int32_t beyond[] = {2, 0, 9, 1, 1, -1};
    dp_tensor *index = NULL, *y = NULL;
    switch (c->number[0]) {
    case 0:
        index = dp_from(device, DP_I32, DP_SHAPE(2, 3), values);
        y = dp_gather_rows(device, x[0], index);
        break;
    case 1:
        index = dp_from(device, DP_I32, DP_SHAPE(3, 2), values);
        y = dp_gather(device, x[0], index, 1);
        break;
    case 2:
        index = dp_from(device, DP_I32, DP_SHAPE(2, 3), beyond);
        y = dp_scatter_add_rows(device, x[0], index, 4);
        break;
    default:
        index = dp_from(device, DP_I32, DP_SHAPE(3, 2), beyond);
        y = dp_scatter_add(device, x[0], index, 1, 3);
        break;
    }
    dp_tensor_release(&index);
    return y;
}

/* number: which view. Each is squared before, so that the view is of a result. */
static dp_tensor *view(dp_device *device, dp_tensor *const *x, const op_case *c)
{
    dp_tensor *square = dp_map(device, "a * a", DP_ARGS({"a", x[0], 0})), *y = NULL, *part = NULL;
    switch (c->number[0]) {
    case 0: y = dp_slice(square, 1, 1, 4, 2); break;
    case 1: y = dp_permute(square, (const int[]){2, 0, 1}, 3); break;
    case 2: y = dp_reshape(square, DP_SHAPE(8, 3)); break;
    case 3:
        part = dp_slice(square, 1, 0, 1, 1);
        y = dp_broadcast(part, DP_SHAPE(2, 2, 5, 3));
        break;
    case 4: y = dp_copy(device, square); break;
    case 5:
        part = dp_transpose(square, 0, 2);
        y = dp_copy(device, part);
        break;
    default: /* through the handle that is marked, twice */
        part = dp_slice(x[0], 0, 0, 1, 1);
        y = dp_map(device, "a * b", DP_ARGS({"a", part, 0}, {"b", x[0], 0}));
        break;
    }
    dp_tensor_release(&square);
    dp_tensor_release(&part);
    return y;
}

static const op_case cases[] = {
    {"map", map, 3, {R2(3, 4), R1(4), {0}}, 2, 0, 2, "a * sin(b) + t * exp(c * a)", {0}},
    {"map, broadcast", map, 3, {R3(2, 1, 3), R2(4, 1), R1(1)}, 2, 0, 1, "tanh(a * b) / (2 + c^2)", {0}},
    {"map, smooth functions", map, 2, {R1(3), R1(3)}, 2, 0, 0,
     "log(2 + a) * sqrt(2 + b) + rsqrt(2 + a * b) + sigmoid(a) * cos(b) + (2 + a)^b", {0}},
    {"map, kinks", map, 2, {R1(3), R1(3)}, 1, 1.0 / 4096, 0, "abs(a) + max(a, b) * min(a, t) + select(a < b, a * b, b)", {0}},
    {"map, one argument twice", map, 1, {R1(3)}, 2, 0, 0, "a * a^3", {0}},
    {"matmul", matmul, 2, {R2(2, 3), R2(3, 4)}, 2, 0, 2, NULL, {0, 0, 3, 0}},
    {"matmul, a^T", matmul, 2, {R2(3, 2), R2(3, 4)}, 2, 0, 0, NULL, {1, 0, 0, 0}},
    {"matmul, b^T", matmul, 2, {R2(2, 3), R2(4, 3)}, 2, 0, 0, NULL, {0, 1, 0, 0}},
    {"matmul, both", matmul, 2, {R2(3, 2), R2(4, 3)}, 2, 0, 1, NULL, {1, 1, 0, 0}},
    {"matmul, batches", matmul, 2, {R3(2, 2, 3), R4(3, 1, 3, 2)}, 2, 0, 0, NULL, {0, 0, 0, 0}},
    {"matmul, one b for all, C0", matmul, 3, {R3(2, 2, 3), R2(3, 2), R2(1, 2)}, 2, 0, 0, NULL, {0, 0, 2, 3}},
    {"matmul, epilogue", matmul, 3, {R2(2, 3), R2(3, 2), R1(2)}, 2, 0, 1, "tanh(result + b)", {0, 0, 2, 0}},
    {"matmul, C0 and epilogue", matmul, 4, {R2(2, 3), R2(3, 2), R2(2, 2), R1(2)}, 2, 0, 0, "result * b", {0, 0, 0, 2}},
    {"conv2d", conv, 2, {R4(1, 2, 4, 4), R4(2, 2, 2, 3)}, 2, 0, 2, NULL, {0}},
    {"conv2d, all options", conv, 2, {R4(1, 4, 6, 5), R4(4, 2, 2, 3)}, 2, 0, 1, NULL, {2, 1, 1, 2, 1, -1, 2, 1, 2}},
    {"conv2d, epilogue", conv, 3, {R4(1, 1, 3, 3), R4(2, 1, 2, 2), R3(2, 1, 1)}, 2, 0, 1, "tanh(result + b)", {0}},
    {"conv2d_gradient_input", conv_input, 2, {R4(4, 2, 2, 3), R4(1, 4, 4, 7)}, 2, 0, 0, NULL,
     {2, 1, 1, 2, 1, -1, 2, 1, 2, 7, 6}},
    {"conv2d_gradient_weights", conv_weights, 2, {R4(1, 4, 7, 6), R4(1, 4, 4, 7)}, 2, 0, 0, NULL,
     {2, 1, 1, 2, 1, -1, 2, 1, 2, 2, 3}},
    {"conv2d_transposed", transposed, 2, {R4(1, 2, 3, 2), R4(2, 2, 2, 2)}, 2, 0, 1, NULL, {0}},
    {"conv2d_transposed, all options", transposed, 2, {R4(1, 4, 3, 3), R4(4, 1, 2, 3)}, 2, 0, 0, NULL,
     {2, 3, 1, 1, 1, -1, 2, 1, 2, 1, 2}},
    {"conv2d_transposed, output padding of the dilation", transposed, 2, {R4(1, 1, 3, 3), R4(1, 1, 2, 2)}, 2, 0, 0, NULL,
     {1, 1, 0, 1, 0, 0, 3, 2, 1, 2, 1}},
    {"conv2d_transposed, epilogue", transposed, 3, {R4(1, 1, 2, 2), R4(1, 2, 2, 2), R3(2, 1, 1)}, 2, 0, 0, "tanh(result + b)", {0}},
    {"sum", reduce, 1, {R3(2, 3, 2)}, 2, 0, 1, NULL, {DP_SUM, DP_AXIS(1)}},
    {"sum, kept", reduce, 1, {R3(2, 3, 2)}, 2, 0, 0, NULL, {DP_SUM, DP_AXIS(0) | DP_AXIS(2) | DP_KEEP_AXES}},
    {"mean", reduce, 1, {R3(2, 3, 2)}, 2, 0, 0, NULL, {DP_MEAN, DP_AXIS(0) | DP_AXIS(1)}},
    {"mean, all, kept", reduce, 1, {R3(2, 3, 2)}, 2, 0, 0, NULL, {DP_MEAN, DP_ALL_AXES | DP_KEEP_AXES}},
    {"max", reduce, 1, {R3(2, 3, 2)}, 2, 1.0 / 1024, 1, NULL, {DP_MAX, DP_AXIS(1)}},
    {"min, kept", reduce, 1, {R3(2, 3, 2)}, 2, 1.0 / 1024, 0, NULL, {DP_MIN, DP_AXIS(2) | DP_KEEP_AXES}},
    {"logsumexp", reduce, 1, {R3(2, 3, 2)}, 2, 0, 2, NULL, {DP_LOGSUMEXP, DP_AXIS(1)}},
    {"logsumexp, all", reduce, 1, {R3(2, 3, 2)}, 2, 0, 0, NULL, {DP_LOGSUMEXP, DP_ALL_AXES}},
    {"gather_rows", gather, 1, {R3(3, 2, 2)}, 2, 0, 1, NULL, {0}},
    {"gather", gather, 1, {R2(3, 4)}, 2, 0, 0, NULL, {1}},
    {"scatter_add_rows", gather, 1, {R3(2, 3, 2)}, 2, 0, 1, NULL, {2}},
    {"scatter_add", gather, 1, {R2(3, 2)}, 2, 0, 0, NULL, {3}},
    {"slice", view, 1, {R3(2, 4, 3)}, 2, 0, 1, NULL, {0}},
    {"permute", view, 1, {R3(2, 4, 3)}, 2, 0, 0, NULL, {1}},
    {"reshape", view, 1, {R3(2, 4, 3)}, 2, 0, 0, NULL, {2}},
    {"broadcast", view, 1, {R3(2, 4, 3)}, 2, 0, 0, NULL, {3}},
    {"copy", view, 1, {R3(2, 4, 3)}, 2, 0, 0, NULL, {4}},
    {"copy of a transpose", view, 1, {R3(2, 4, 3)}, 2, 0, 0, NULL, {5}},
    {"a view beside its tensor", view, 1, {R3(2, 4, 3)}, 2, 0, 0, NULL, {6}},
};

static dp_tensor *value_of(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    const op_case *c = context;
    (void)count;
    return grad_number(device, c->run(device, x, c));
}

static void run_cases(dp_device *device, int order)
{
    const bool reference = !strcmp(dp_device_get_info(device).backend, "ref");
    for (size_t t = 0; t < sizeof cases / sizeof *cases; t++) {
        const op_case *c = &cases[t];
        if (order <= (reference ? c->order : c->devices))
            grad_case(device, c->name, value_of, (void *)c, c->shapes, c->count, order, c->step, reference ? 6 : 3);
    }
}

static void first_order(dp_device *device)
{
    run_cases(device, 1);
}

static void second_order(dp_device *device)
{
    run_cases(device, 2);
}

/* Storage in 16 bits: what is rounded on the way has no differences to look at; its derivative is taken as that of no rounding. */
static void casts(dp_device *device)
{
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(2, 2), (const float[]){1, 2, 3, 4});
    dp_tensor *b = dp_from(device, DP_F32, DP_SHAPE(2, 2), (const float[]){1, -1, 0.5f, 2});
    assert_int_equal(dp_require_grad(x), DP_OK);
    assert_int_equal(dp_require_grad(b), DP_OK);
    dp_tensor *half = dp_cast(device, x, DP_F16), *wide = dp_cast(device, half, DP_F32);
    dp_tensor *product = dp_matmul(device, half, b, NULL), *both = dp_map(device, "a + b", DP_ARGS({"a", product, 0}, {"b", wide, 0}));
    dp_tensor *sum = dp_reduce(device, both, DP_SUM, DP_ALL_AXES);
    suite_ok(device);
    assert_true(dp_requires_grad(half));
    assert_int_equal(dp_backward(sum), DP_OK);
    suite_values(dp_grad(x), (const double[]){1, 3.5, 1, 3.5}, 4); /* the row sums of b, and 1 */
    suite_values(dp_grad(b), (const double[]){4, 4, 6, 6}, 4);
    assert_int_equal(dp_tensor_dtype(dp_grad(x)), DP_F32);
    dp_tensor *list[] = {x, b, half, wide, product, both, sum};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* Equal extremes share. */
static void ties(dp_device *device)
{
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(4), (const float[]){2, 5, 5, 1});
    assert_int_equal(dp_require_grad(x), DP_OK);
    dp_tensor *y = dp_reduce(device, x, DP_MAX, DP_ALL_AXES);
    assert_int_equal(dp_backward(y), DP_OK);
    suite_values(dp_grad(x), (const double[]){0, 0.5, 0.5, 0}, 4);
    dp_tensor_release(&x);
    dp_tensor_release(&y);
}

/* A function whose recorded gradient is not its own: the check must notice. The detached half is a constant to the gradient and
 * not to the differences. */
static dp_tensor *wrong(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count, (void)context;
    dp_tensor *constant = dp_detach(x[0]), *y = dp_map(device, "a * a * c", DP_ARGS({"a", x[0], 0}, {"c", constant, 0}));
    dp_tensor *sum = dp_reduce(device, y, DP_SUM, DP_ALL_AXES);
    dp_tensor_release(&constant);
    dp_tensor_release(&y);
    return sum;
}

static void planted(dp_device *device)
{
    for (int order = 1; order <= 2; order++) {
        dp_tensor *x = dp_uniform(device, 3, DP_SHAPE(5), 0.5, 1);
        dp_grad_check_result result;
        assert_int_equal(dp_grad_check(wrong, NULL, &x, 1, order, 0, 0, &result), DP_OK);
        if (!(result.worst > 10))
            fail_msg("order %d: a wrong derivative is %g of what is allowed", order, result.worst);
        dp_tensor_release(&x);
    }
}

static const suite_test tests[] = {
    {"first order", first_order}, {"second order", second_order}, {"casts", casts},
    {"ties", ties},               {"a planted error is found", planted},
};

int main(void)
{
    return suite_run("grad_ops", tests, sizeof tests / sizeof *tests);
}
