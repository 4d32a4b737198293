/* SPDX-License-Identifier: Apache-2.0 */
/* Layers and losses on every device: PyTorch's values, gradients and those of gradients beside differences,
 * wrong arguments. */
#include "suite/suite.h"
#include "golden.h"

#include <math.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* The inputs of golden.py. */
static dp_tensor *numbers(dp_device *device, int k, float scale, dp_shape shape)
{
    float values[64];
    int count = 1;
    for (int axis = 0; axis < shape.rank; axis++)
        count *= (int)shape.dim[axis];
    for (int i = 0; i < count; i++)
        values[i] = (float)((7 * i * i + 3 * i * k + 5 * k) % 17 - 8) / scale;
    return dp_from(device, DP_F32, shape, values);
}

/* Within some roundings of the largest; takes the tensor over. */
static void near(dp_tensor *tensor, const double *expected, int count)
{
    float values[64];
    double largest = 0;
    assert_non_null(tensor);
    assert_int_equal(dp_tensor_size(tensor), count);
    assert_int_equal(dp_read(tensor, values, (size_t)count * sizeof *values), DP_OK);
    for (int k = 0; k < count; k++)
        largest = fmax(largest, fabs(expected[k]));
    for (int k = 0; k < count;
         k++) /* about 15 operations, each of half a unit in the last place, of operands up to the largest */
        if (!(fabs((double)values[k] - expected[k]) <= 16 * 0x1p-24 * fmax(largest, 1)))
            fail_msg("element %d is %.9g, not %.9g", k, (double)values[k], expected[k]);
    dp_tensor_release(&tensor);
}

static void release(dp_tensor **list, int count)
{
    for (int k = 0; k < count; k++)
        dp_tensor_release(&list[k]);
}

static void batch_norm_values(dp_device *device)
{
    dp_tensor *w[] = {numbers(device, 1, 8, DP_SHAPE(2, 2, 1, 3)),
                      dp_from(device, DP_F32, DP_SHAPE(2), (float[]){1.5f, -0.5f}),
                      dp_from(device, DP_F32, DP_SHAPE(2), (float[]){0.25f, 0.5f}),
                      dp_from(device, DP_F32, DP_SHAPE(2), (float[]){0.125f, -0.25f}),
                      dp_from(device, DP_F32, DP_SHAPE(2), (float[]){1, 2}),
                      numbers(device, 3, 8, DP_SHAPE(2, 2, 1, 3))};
    const dp_batch_norm_params relu = {.activation = DP_ACTIVATION_RELU};
    const dp_batch_norm_params leaky = {
        .training = true, .activation = DP_ACTIVATION_LEAKY_RELU, .slope = 0.2};
    dp_tensor *gradients[3];
    near(dp_batch_norm(device, w[0], w[1], w[2], w[3], w[4], &relu), golden_infer, 12);
    for (int k = 0; k < 3; k++)
        assert_int_equal(dp_require_grad(w[k]), DP_OK);
    dp_tensor *y = dp_batch_norm(device, w[0], w[1], w[2], w[3], w[4], &leaky);
    assert_int_equal(dp_gradients(y, w[5], w, 3, DP_GRADIENT_KEEP, gradients), DP_OK);
    near(gradients[0], golden_batch_x, 12);
    near(gradients[1], golden_batch_scale, 2);
    near(gradients[2], golden_batch_shift, 2);
    assert_int_equal(dp_gradients(y, w[5], w, 3, DP_GRADIENT_RECORD, gradients),
                     DP_OK); /* the other way to compute them */
    near(gradients[0], golden_batch_x, 12);
    near(gradients[1], golden_batch_scale, 2);
    near(gradients[2], golden_batch_shift, 2);
    near(y, golden_batch, 12);
    near(dp_tensor_retain(w[3]), golden_batch_mean, 2);
    near(dp_tensor_retain(w[4]), golden_batch_variance, 2);
    release(w, COUNT(w));
}

static void layer_norm_values(dp_device *device)
{
    dp_tensor *w[] = {numbers(device, 2, 8, DP_SHAPE(2, 2, 3)), numbers(device, 4, 8, DP_SHAPE(3)),
                      numbers(device, 5, 8, DP_SHAPE(3)), numbers(device, 3, 8, DP_SHAPE(2, 2, 3))};
    dp_tensor *gradients[3];
    for (int k = 0; k < 3; k++)
        assert_int_equal(dp_require_grad(w[k]), DP_OK);
    dp_tensor *y = dp_layer_norm(device, w[0], 1, w[1], w[2], 0);
    assert_int_equal(dp_gradients(y, w[3], w, 3, 0, gradients), DP_OK);
    near(gradients[0], golden_layer_x, 12);
    near(gradients[1], golden_layer_scale, 3);
    near(gradients[2], golden_layer_shift, 3);
    near(y, golden_layer, 12);
    release(w, COUNT(w));
}

static void other_values(dp_device *device)
{
    dp_tensor *x = numbers(device, 2, 8, DP_SHAPE(2, 3)), *w = numbers(device, 3, 8, DP_SHAPE(4, 3));
    dp_tensor *b = numbers(device, 6, 8, DP_SHAPE(4)), *x4 = numbers(device, 2, 2, DP_SHAPE(2, 3));
    near(dp_linear(device, x, w, b), golden_linear, 8);
    near(dp_activation(device, x4, DP_ACTIVATION_SOFTMAX, 0), golden_softmax, 6);
    dp_tensor *turned = dp_transpose(w, 0, 1), *copy = dp_copy(device, turned),
              *view = dp_transpose(copy, 0, 1);
    dp_tensor *cube = dp_reshape(x, DP_SHAPE(2, 1, 3));
    near(dp_linear(device, cube, view, b), golden_linear, 8);
    dp_tensor *v = dp_from(device, DP_F32, DP_SHAPE(3), (float[]){-2, 0, (float)NAN});
    dp_tensor *relu = dp_activation(device, v, DP_ACTIVATION_RELU, 0);
    dp_tensor *leaky = dp_activation(device, v, DP_ACTIVATION_LEAKY_RELU, 0.25);
    suite_values(relu, (const double[]){0, 0, (double)NAN}, 3);
    suite_values(leaky, (const double[]){-0.5, 0, (double)NAN}, 3);
    release((dp_tensor *[]){x, w, b, x4, turned, copy, view, cube, v, relu, leaky}, 11);
}

static void loss_values(dp_device *device)
{
    dp_tensor *x = numbers(device, 3, 2, DP_SHAPE(4, 3)),
              *t = dp_from(device, DP_I32, DP_SHAPE(4), (int32_t[]){2, 0, 1, 1});
    dp_tensor *z = numbers(device, 4, 1, DP_SHAPE(6)), *gradient;
    dp_tensor *target = dp_from(device, DP_F32, DP_SHAPE(6), (float[]){0, 1, 0.25f, 0.5f, 1, 0});
    dp_tensor *a = numbers(device, 1, 8, DP_SHAPE(6)), *b = numbers(device, 2, 8, DP_SHAPE(6));
    dp_require_grad(x);
    dp_require_grad(z);
    dp_tensor *loss = dp_cross_entropy(device, x, t);
    assert_int_equal(dp_gradients(loss, NULL, &x, 1, 0, &gradient), DP_OK);
    near(gradient, golden_cross_x, 12);
    near(loss, golden_cross, 1);
    loss = dp_binary_cross_entropy_with_logits(device, z, target, 0);
    assert_int_equal(dp_gradients(loss, NULL, &z, 1, 0, &gradient), DP_OK);
    near(gradient, golden_binary_x, 6);
    near(loss, golden_binary, 1);
    near(dp_binary_cross_entropy_with_logits(device, z, NULL, 0.75), golden_binary_constant, 1);
    near(dp_mse(device, a, b), golden_mse, 1);
    dp_tensor *wide = dp_from(device, DP_F32, DP_SHAPE(2), (float[]){200, -200}), *half;
    dp_require_grad(wide); /* no overflow, and the gradients of both ends: (1 - 0.5) / 2 and (0 - 0.5) / 2 */
    loss = dp_binary_cross_entropy_with_logits(device, wide, NULL, 0.5);
    assert_int_equal(dp_gradients(loss, NULL, &wide, 1, 0, &half), DP_OK);
    suite_values(loss, (const double[]){100}, 1);
    suite_values(half, (const double[]){0.25, -0.25}, 2);
    release((dp_tensor *[]){x, t, z, target, a, b, loss, wide, half}, 9);
}

static void accuracies(dp_device *device)
{
    const float n = (float)NAN;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(6, 3),
                           (float[]){3, 1, 2, 1, 3, 2, 5, 5, 1, 0, 0, 0, n, n, n, 1, 2, 3});
    dp_tensor *t = dp_from(device, DP_I32, DP_SHAPE(6), (int32_t[]){0, 0, 1, 2, 0, 7});
    dp_tensor *value = dp_accuracy(device, x, t); /* 1, 0, 1/2, 1/3, 0, 0 */
    near(value, (const double[]){(1 + 0.5 + 1.0 / 3) / 6}, 1);
    release((dp_tensor *[]){x, t}, 2);
}

/* A variance that would be lost beside the square of the mean. */
static void stable(dp_device *device)
{
    float values[64];
    for (int k = 0; k < 64; k++)
        values[k] = 4096 + (float)(k % 2 ? 1 : -1) / 64;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(64, 1), values);
    dp_tensor *y = dp_batch_norm(device, x, NULL, NULL, NULL, NULL,
                                 &(dp_batch_norm_params){.training = true, .epsilon = 1e-12});
    assert_int_equal(dp_read(y, values, sizeof values), DP_OK);
    for (int k = 0; k < 64; k++)
        assert_true(fabsf(values[k] - (k % 2 ? 1.0f : -1.0f)) <= 1e-6f);
    release((dp_tensor *[]){x, y}, 2);
}

static void dropouts(dp_device *device)
{
    enum { SIZE = 4096 };
    static float first[SIZE], again[SIZE], next[SIZE];
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(SIZE), 3), *step = dp_full(device, DP_F32, DP_SCALAR, 5);
    dp_tensor *y = dp_dropout(device, x, 0.25, 7, step, true),
              *z = dp_dropout(device, x, 0.25, 7, step, true);
    dp_read(y, first, sizeof first);
    dp_read(z, again, sizeof again);
    assert_memory_equal(first, again, sizeof first);
    dp_fill(step, 6);
    dp_tensor *other = dp_dropout(device, x, 0.25, 7, step, true),
              *same = dp_dropout(device, x, 0.25, 7, step, false);
    dp_read(other, next, sizeof next);
    int zeros = 0, moved = 0;
    for (int k = 0; k < SIZE; k++) {
        zeros += first[k] == 0;
        moved += (first[k] == 0) != (next[k] == 0);
        assert_true(first[k] == 0 || first[k] == 4);
    }
    assert_true(fabs(zeros - 0.25 * SIZE) <= 5 * sqrt(0.25 * 0.75 * SIZE)); /* five standard deviations */
    assert_true(moved > SIZE / 4);
    assert_ptr_equal(same, x);
    release((dp_tensor *[]){x, step, y, z, other, same}, 6);
}

/* Gradients. */

/* The sum of y times fixed numbers; takes y over. */
static dp_tensor *form(dp_device *device, dp_tensor *y)
{
    dp_tensor *r = y ? dp_uniform(device, 99, dp_tensor_shape(y), -1, 1) : NULL;
    dp_tensor *product = r ? dp_map(device, "r * y", DP_ARGS({"r", r, 0}, {"y", y, 0})) : NULL;
    dp_tensor *sum = dp_reduce(device, product, DP_SUM, DP_ALL_AXES);
    release((dp_tensor *[]){y, r, product}, 3);
    return sum;
}

static dp_tensor *linear(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count, (void)context;
    return form(device, dp_linear(device, x[0], x[1], x[2]));
}

static dp_tensor *activation(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count;
    dp_tensor *moved = dp_map(device, "x + 0.1", DP_ARGS({"x", x[0], 0})); /* off the kinks */
    dp_tensor *y = dp_activation(device, moved, *(const dp_activation_kind *)context, 0.25);
    dp_tensor_release(&moved);
    return form(device, y);
}

static dp_tensor *batch_norm(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    const dp_batch_norm_params *p = context;
    dp_tensor *m = p->training ? NULL : dp_full(device, DP_F32, DP_SHAPE(2), 0.5);
    dp_tensor *v = p->training ? NULL : dp_full(device, DP_F32, DP_SHAPE(2), 2);
    dp_tensor *y = dp_batch_norm(device, x[0], count > 1 ? x[1] : NULL, count > 2 ? x[2] : NULL, m, v, p);
    release((dp_tensor *[]){m, v}, 2);
    return form(device, y);
}

static dp_tensor *layer_norm(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    return form(device, dp_layer_norm(device, x[0], *(const int *)context, count > 1 ? x[1] : NULL,
                                      count > 2 ? x[2] : NULL, 0));
}

static dp_tensor *dropout(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count, (void)context;
    dp_tensor *step = dp_full(device, DP_F32, DP_SCALAR, 1);
    dp_tensor *y = dp_dropout(device, x[0], 0.5, 3, step, true),
              *z = dp_map(device, "y^2", DP_ARGS({"y", y, 0}));
    release((dp_tensor *[]){step, y}, 2);
    return form(device, z);
}

static dp_tensor *embedding(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count, (void)context;
    dp_tensor *index = dp_from(device, DP_I32, DP_SHAPE(2, 2), (int32_t[]){1, 0, 1, 2});
    dp_tensor *y = dp_embedding(device, x[0], index), *z = dp_activation(device, y, DP_ACTIVATION_TANH, 0);
    release((dp_tensor *[]){index, y}, 2);
    return form(device, z);
}

static dp_tensor *cross_entropy(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count, (void)context;
    dp_tensor *labels = dp_from(device, DP_I32, DP_SHAPE(3), (int32_t[]){1, 0, 1});
    dp_tensor *loss = dp_cross_entropy(device, x[0], labels);
    dp_tensor_release(&labels);
    return loss;
}

static dp_tensor *binary(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)context;
    return dp_binary_cross_entropy_with_logits(device, x[0], count > 1 ? x[1] : NULL, 0.75);
}

/* Two layers with the activation as a part of them, by their input. */
static dp_tensor *layers(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count;
    const dp_activation_kind kind = *(const dp_activation_kind *)context;
    const dp_layer table[] = {{.kind = DP_LAYER_LINEAR, .outputs = 4, .activation = kind, .slope = 0.2},
                              {.kind = DP_LAYER_LINEAR, .outputs = 2, .activation = kind, .slope = 0.2}};
    dp_network *network = dp_network_create(device, table, COUNT(table), DP_SHAPE(3), 7, NULL);
    dp_tensor *y = dp_network_forward(network, x[0], true);
    dp_network_destroy(&network);
    return form(device, y);
}

static dp_tensor *mse(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count, (void)context;
    return dp_mse(device, x[0], x[1]);
}

/* The gradient penalty of WGAN-GP (Gulrajani et al. 2017), of a critic's scores y of x: the mean of (|dy/dx|
 * - 1)^2. Takes y over. */
static dp_tensor *penalty(dp_device *device, dp_tensor *x, dp_tensor *y)
{
    dp_tensor *g = NULL, *squares = NULL, *norms = NULL, *rows = NULL, *loss = NULL;
    unsigned axes = 0;
    for (int axis = 1; axis < dp_tensor_shape(x).rank; axis++)
        axes |= DP_AXIS(axis);
    if (y && dp_gradients(y, NULL, &x, 1, DP_GRADIENT_RECORD, &g) == DP_OK) {
        squares = dp_map(device, "g * g", DP_ARGS({"g", g, 0}));
        norms = dp_reduce(device, squares, DP_SUM, axes);
        rows = dp_map(device, "(sqrt(n) - 1)^2", DP_ARGS({"n", norms, 0}));
        loss = dp_reduce(device, rows, DP_MEAN, DP_ALL_AXES);
    }
    release((dp_tensor *[]){y, g, squares, norms, rows}, 5);
    return loss;
}

/* Linear, LeakyReLU, linear. */
static dp_tensor *penalty_linear(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count, (void)context;
    dp_tensor *z = dp_linear(device, x[0], x[1], x[2]),
              *a = dp_activation(device, z, DP_ACTIVATION_LEAKY_RELU, 0.2);
    dp_tensor *y = dp_linear(device, a, x[3], NULL);
    release((dp_tensor *[]){z, a}, 2);
    return penalty(device, x[0], y);
}

/* Convolution, layer norm, tanh, sum. */
static dp_tensor *penalty_conv(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count, (void)context;
    dp_tensor *z = dp_conv2d(device, x[0], x[1], &(dp_conv2d_params){.padding = {1, 1}});
    dp_tensor *n = dp_layer_norm(device, z, 3, x[2], x[3], 0),
              *a = dp_activation(device, n, DP_ACTIVATION_TANH, 0);
    dp_tensor *y = dp_reduce(device, a, DP_SUM, DP_AXIS(1) | DP_AXIS(2) | DP_AXIS(3));
    release((dp_tensor *[]){z, n, a}, 3);
    return penalty(device, x[0], y);
}

/* Inputs are numbers(k) / scale of these shapes. */
typedef struct gradient_case {
    const char *name;
    dp_grad_function f;
    const void *context;
    int orders, count;
    dp_shape shape[4];
    float scale;
    bool everywhere; /* not on the reference alone: each order builds some ten kernels */
} gradient_case;

#define S(...)                                                                                               \
    {                                                                                                        \
        sizeof((int[]){__VA_ARGS__}) / sizeof(int),                                                          \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

static const dp_activation_kind relu = DP_ACTIVATION_RELU, leaky = DP_ACTIVATION_LEAKY_RELU,
                                tangent = DP_ACTIVATION_TANH, sigmoid = DP_ACTIVATION_SIGMOID,
                                soft = DP_ACTIVATION_SOFTMAX;
static const dp_batch_norm_params train = {.training = true},
                                  train_tanh = {.training = true, .activation = DP_ACTIVATION_TANH},
                                  train_sigmoid = {.training = true, .activation = DP_ACTIVATION_SIGMOID},
                                  trained = {.activation = DP_ACTIVATION_TANH};
static const int one_axis = 1, three_axes = 3;

static const gradient_case cases[] = {
    {"linear", linear, NULL, 2, 3, {S(2, 3), S(4, 3), S(4)}, 8},
    {"layers, relu", layers, &relu, 1, 1, {S(2, 3)}, 8},
    {"layers, leaky_relu", layers, &leaky, 1, 1, {S(2, 3)}, 8},
    {"layers, tanh", layers, &tangent, 2, 1, {S(2, 3)}, 8},
    {"layers, sigmoid", layers, &sigmoid, 2, 1, {S(2, 3)}, 8},
    {"relu", activation, &relu, 1, 1, {S(6)}, 4},
    {"leaky_relu", activation, &leaky, 1, 1, {S(6)}, 4},
    {"tanh", activation, &tangent, 2, 1, {S(6)}, 8},
    {"sigmoid", activation, &sigmoid, 2, 1, {S(6)}, 8},
    {"softmax", activation, &soft, 2, 1, {S(2, 3)}, 8},
    {"batch norm", batch_norm, &train, 2, 3, {S(4, 2), S(2), S(2)}, 4},
    {"batch norm, tanh", batch_norm, &train_tanh, 2, 3, {S(2, 2, 1, 3), S(2), S(2)}, 8},
    {"batch norm, sigmoid", batch_norm, &train_sigmoid, 2, 1, {S(4, 2)}, 4},
    {"trained batch norm", batch_norm, &trained, 2, 3, {S(4, 2), S(2), S(2)}, 8},
    {"layer norm", layer_norm, &one_axis, 2, 3, {S(2, 5), S(5), S(5)}, 4},
    {"layer norm of images", layer_norm, &three_axes, 2, 3, {S(2, 2, 1, 3), S(2, 1, 1), S(2, 1, 1)}, 4},
    {"layer norm alone", layer_norm, &one_axis, 2, 1, {S(2, 5)}, 4},
    {"dropout", dropout, NULL, 2, 1, {S(8)}, 8},
    {"embedding", embedding, NULL, 2, 1, {S(3, 2)}, 8},
    {"cross entropy", cross_entropy, NULL, 2, 1, {S(3, 3)}, 8},
    {"binary cross entropy", binary, NULL, 2, 2, {S(5), S(5)}, 3},
    {"binary cross entropy, constant", binary, NULL, 2, 1, {S(5)}, 3},
    {"mean square", mse, NULL, 2, 2, {S(2, 3), S(3)}, 8},
    {"penalty: linear", penalty_linear, NULL, 1, 4, {S(2, 3), S(4, 3), S(4), S(1, 4)}, 8, true},
    {"penalty: conv",
     penalty_conv,
     NULL,
     1,
     4,
     {S(2, 1, 3, 3), S(2, 1, 3, 3), S(2, 1, 1), S(2, 1, 1)},
     8,
     true},
};

static void gradients(dp_device *device)
{
    const bool full = suite_full(device);
    for (int c = 0; c < COUNT(cases); c++)
        for (int order = full ? 1 : cases[c].orders; order <= cases[c].orders; order++) {
            if (!full && !cases[c].everywhere)
                continue;
            dp_tensor *x[4] = {NULL};
            dp_grad_check_result result;
            for (int k = 0; k < cases[c].count; k++)
                x[k] = numbers(device, k + 1, cases[c].scale, cases[c].shape[k]);
            const dp_status status =
                dp_grad_check(cases[c].f, (void *)cases[c].context, x, cases[c].count, order, 0, 0, &result);
            if (status != DP_OK || !(result.worst <= 1))
                fail_msg("%s, order %d: %s; x[%d][%d]: %.9g beside %.9g, %.3g allowed", cases[c].name, order,
                         dp_message(device), result.argument, (int)result.element, result.gradient,
                         result.difference, result.allowed);
            release(x, 4);
        }
}

/* Wrong arguments. */

static void refused(dp_device *device, dp_tensor *result, const char *word)
{
    assert_null(result);
    suite_failed(device, DP_ERROR_ARGUMENT, word);
}

static void bad_layers(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(2, 3)), *w = suite_range(device, DP_SHAPE(4, 3)),
              *c = suite_range(device, DP_SHAPE(3));
    dp_tensor *ints = dp_full(device, DP_I32, DP_SHAPE(2), 0), *cube = suite_range(device, DP_SHAPE(2, 3, 1));
    dp_tensor *row = suite_range(device, DP_SHAPE(1, 3)), *point = dp_full(device, DP_F32, DP_SCALAR, 0);
    const dp_batch_norm_params on = {.training = true};
    refused(device, dp_activation(device, x, (dp_activation_kind)17, 0), "17");
    refused(device, dp_activation(device, x, DP_ACTIVATION_LEAKY_RELU, -1), "slope is -1");
    refused(device, dp_activation(device, x, DP_ACTIVATION_LEAKY_RELU, (double)NAN), "slope");
    refused(device, dp_activation(device, ints, DP_ACTIVATION_RELU, 0), "x");
    refused(device, dp_activation(device, point, DP_ACTIVATION_SOFTMAX, 0), "softmax");
    refused(device, dp_linear(device, x, x, c), "[2, 3]");
    refused(device, dp_linear(device, x, ints, NULL), "w");
    refused(device, dp_linear(device, c, cube, NULL), "[2, 3, 1]");
    refused(device, dp_linear(device, x, w, c), "b [3]");
    refused(device, dp_batch_norm(device, cube, NULL, NULL, NULL, NULL, &on), "[2, 3, 1]");
    refused(device, dp_batch_norm(device, x, ints, NULL, NULL, NULL, &on), "scale");
    refused(device, dp_batch_norm(device, x, NULL, w, NULL, NULL, &on), "shift has shape [4, 3]");
    refused(device, dp_batch_norm(device, x, NULL, NULL, c, NULL, &on), "running_variance is NULL");
    refused(device, dp_batch_norm(device, x, NULL, NULL, NULL, NULL, NULL), "running_mean is NULL");
    refused(device, dp_batch_norm(device, row, NULL, NULL, NULL, NULL, &on), "1 elements a channel");
    refused(device,
            dp_batch_norm(device, x, NULL, NULL, NULL, NULL, &(dp_batch_norm_params){true, .momentum = 2}),
            "momentum is 2");
    refused(device,
            dp_batch_norm(device, x, NULL, NULL, NULL, NULL, &(dp_batch_norm_params){true, .epsilon = -1}),
            "epsilon is -1");
    refused(device,
            dp_batch_norm(device, x, NULL, NULL, NULL, NULL,
                          &(dp_batch_norm_params){true, .activation = DP_ACTIVATION_SOFTMAX}),
            "softmax");
    refused(device, dp_layer_norm(device, x, 0, NULL, NULL, 0), "axes is 0");
    refused(device, dp_layer_norm(device, x, 3, NULL, NULL, 0), "axes is 3");
    refused(device, dp_layer_norm(device, x, 1, x, NULL, 0), "scale [2, 3]");
    refused(device, dp_layer_norm(device, x, 1, NULL, c, -1), "epsilon is -1");
    refused(device, dp_dropout(device, x, 1, 0, point, true), "rate is 1");
    refused(device, dp_dropout(device, x, 0.5, 0, x, true), "step");
    refused(device, dp_embedding(device, ints, ints), "table");
    suite_works(device);
    release((dp_tensor *[]){x, w, c, ints, cube, row, point}, 7);
}

static void bad_losses(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(2, 3)), *ints = dp_full(device, DP_I32, DP_SHAPE(2), 0),
              *c = suite_range(device, DP_SHAPE(2));
    dp_tensor *labels = dp_from(device, DP_I32, DP_SHAPE(2), (int32_t[]){0, 3});
    refused(device, dp_cross_entropy(device, c, ints), "logits [2]");
    refused(device, dp_cross_entropy(device, x, c), "labels");
    refused(device, dp_accuracy(device, x, NULL), "labels");
    refused(device, dp_binary_cross_entropy_with_logits(device, x, c, 0), "target [2]");
    refused(device, dp_binary_cross_entropy_with_logits(device, x, NULL, (double)INFINITY), "constant");
    refused(device, dp_mse(device, c, x), "y [2, 3]");
    refused(device, dp_mse(device, NULL, x), "x");
    dp_tensor *loss = dp_cross_entropy(device, x, labels); /* a label out of range shows */
    assert_true(isnan(dp_item(loss)));
    suite_works(device);
    release((dp_tensor *[]){x, ints, c, labels, loss}, 5);
}

int main(void)
{
    static const suite_test tests[] = {
        {"batch norm", batch_norm_values},
        {"layer norm", layer_norm_values},
        {"linear, activations", other_values},
        {"losses", loss_values},
        {"accuracy", accuracies},
        {"a large mean", stable},
        {"dropout", dropouts},
        {"gradients", gradients},
        {"wrong layers", bad_layers},
        {"wrong losses", bad_losses},
    };
    return suite_run("nn", tests, sizeof tests / sizeof *tests);
}
