/* SPDX-License-Identifier: Apache-2.0 */
/* Networks on every device: shapes, names, first values, every kind of layer beside the calls it stands for,
 * copies and averages, errors. */
#include "suite/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void release(dp_tensor **list, int count)
{
    for (int k = 0; k < count; k++)
        dp_tensor_release(&list[k]);
}

static bool same_shape(dp_shape a, dp_shape b)
{
    return a.rank == b.rank && !memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim);
}

/* Whether the elements are equal within some roundings of 1; takes both over. */
static void alike(dp_tensor *a, dp_tensor *b)
{
    float x[256], y[256];
    const size_t count = (size_t)dp_tensor_size(a);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(same_shape(dp_tensor_shape(a), dp_tensor_shape(b)) && count <= COUNT(x));
    assert_int_equal(dp_read(a, x, count * sizeof *x), DP_OK);
    assert_int_equal(dp_read(b, y, count * sizeof *y), DP_OK);
    for (size_t k = 0; k < count; k++) /* sums of some ten terms, of which each is at most about 4 */
        assert_true(fabsf(x[k] - y[k]) <= 40 * 0x1p-23f);
    dp_tensor_release(&a);
    dp_tensor_release(&b);
}

/* All kinds in one. */
static const dp_layer body[] = {
    {.kind = DP_LAYER_CONV2D, .outputs = 4, .kernel = {3}, .padding = {1}, .no_bias = true},
    {.kind = DP_LAYER_BATCH_NORM, .activation = DP_ACTIVATION_RELU},
};
static const dp_layer shortcut[] = {{.kind = DP_LAYER_CONV2D, .outputs = 4, .kernel = {1, 1}}};
static const dp_layer layers[] = {
    {.kind = DP_LAYER_RESHAPE, .shape = {3, {2, -1, 4}}},
    {.kind = DP_LAYER_CONV2D,
     .outputs = 4,
     .kernel = {4},
     .stride = {2},
     .padding = {1},
     .groups = 2,
     .activation = DP_ACTIVATION_LEAKY_RELU,
     .slope = 0.2},
    {.kind = DP_LAYER_RESIDUAL,
     .body = body,
     .body_count = 2,
     .shortcut = shortcut,
     .shortcut_count = 1,
     .activation = DP_ACTIVATION_TANH},
    {.kind = DP_LAYER_CONV2D_TRANSPOSED,
     .outputs = 6,
     .kernel = {3, 2},
     .stride = {2, 1},
     .padding = {1, 0},
     .output_padding = {1, 0},
     .groups = 2},
    {.kind = DP_LAYER_LAYER_NORM},
    {.kind = DP_LAYER_ACTIVATION, .activation = DP_ACTIVATION_RELU},
    {.kind = DP_LAYER_DROPOUT, .rate = 0.25},
    {.kind = DP_LAYER_GLOBAL_AVERAGE_POOL},
    {.kind = DP_LAYER_LINEAR, .outputs = 5, .activation = DP_ACTIVATION_SIGMOID},
    {.kind = DP_LAYER_FLATTEN},
    {.kind = DP_LAYER_LINEAR, .outputs = 3, .activation = DP_ACTIVATION_SOFTMAX},
};

static void shapes(dp_device *device)
{
    static const struct {
        const char *name;
        dp_shape shape;
    } expected[] = {{"1.weight", {4, {4, 1, 4, 4}}},
                    {"1.bias", {1, {4}}},
                    {"2.body.0.weight", {4, {4, 4, 3, 3}}},
                    {"2.body.1.weight", {1, {4}}},
                    {"2.body.1.bias", {1, {4}}},
                    {"2.shortcut.0.weight", {4, {4, 4, 1, 1}}},
                    {"2.shortcut.0.bias", {1, {4}}},
                    {"3.weight", {4, {4, 3, 3, 2}}},
                    {"3.bias", {1, {6}}},
                    {"4.weight", {1, {6}}},
                    {"4.bias", {1, {6}}},
                    {"8.weight", {2, {5, 6}}},
                    {"8.bias", {1, {5}}},
                    {"10.weight", {2, {3, 5}}},
                    {"10.bias", {1, {3}}}};
    static const dp_shape between[] = {{1, {32}},      {3, {2, 4, 4}}, {3, {4, 2, 2}}, {3, {4, 2, 2}},
                                       {3, {6, 4, 3}}, {3, {6, 4, 3}}, {3, {6, 4, 3}}, {3, {6, 4, 3}},
                                       {1, {6}},       {1, {5}},       {1, {5}},       {1, {3}}};
    dp_network *net = dp_network_create(device, layers, COUNT(layers), DP_SHAPE(32), 1, NULL);
    assert_non_null(net);
    assert_int_equal(dp_network_parameter_count(net), COUNT(expected));
    for (int k = 0; k < COUNT(expected); k++) {
        assert_string_equal(dp_network_parameter_name(net, k), expected[k].name);
        assert_true(same_shape(dp_tensor_shape(dp_network_parameter(net, k)), expected[k].shape));
        assert_true(dp_requires_grad(dp_network_parameter(net, k)));
        assert_ptr_equal(dp_network_find(net, expected[k].name), dp_network_parameter(net, k));
    }
    for (int k = 0; k <= COUNT(layers); k++)
        assert_true(same_shape(dp_network_shape(net, k), between[k]));
    assert_int_equal(dp_network_parameter_elements(net), 64 + 4 + 144 + 8 + 20 + 72 + 6 + 12 + 35 + 18);
    assert_int_equal(dp_network_state_count(net), 3);
    assert_string_equal(dp_network_state_name(net, 0), "2.body.1.running_mean");
    assert_string_equal(dp_network_state_name(net, 1), "2.body.1.running_var");
    assert_string_equal(dp_network_state_name(net, 2), "dropout.step");
    assert_null(dp_network_find(net, "9.weight"));
    assert_null(dp_network_parameter(net, -1));
    assert_null(dp_network_state(net, 3));
    assert_int_equal(dp_network_layer_count(net), COUNT(layers));
    assert_ptr_equal(dp_network_device(net), device);
    dp_network_destroy(&net);
    assert_null(net);
}

/* The same, written out. */
static dp_tensor *by_hand(dp_device *device, dp_network *net, dp_tensor *x, int64_t n)
{
    dp_tensor *p[15], *t[16] = {NULL};
    int c = 0;
    for (int k = 0; k < 15; k++)
        p[k] = dp_network_parameter(net, k);
    dp_tensor *b1 = dp_reshape(p[1], DP_SHAPE(4, 1, 1)), *bs = dp_reshape(p[6], DP_SHAPE(4, 1, 1));
    dp_tensor *b3 = dp_reshape(p[8], DP_SHAPE(6, 1, 1)), *s4 = dp_reshape(p[9], DP_SHAPE(6, 1, 1));
    dp_tensor *b4 = dp_reshape(p[10], DP_SHAPE(6, 1, 1));
    t[c++] = dp_reshape(x, DP_SHAPE(n, 2, 4, 4));
    t[c] = dp_conv2d(device, t[c - 1], p[0],
                     &(dp_conv2d_params){.stride = {2, 2}, .padding = {1, 1}, .groups = 2});
    c++;
    t[c] = dp_map(device, "y = z + b; select(y > 0, y, 0.2 * y)", DP_ARGS({"z", t[c - 1], 0}, {"b", b1, 0}));
    c++;
    t[c] = dp_conv2d(device, t[2], p[2], &(dp_conv2d_params){.padding = {1, 1}});
    c++;
    t[c] = dp_batch_norm(device, t[3], p[3], p[4], dp_network_find(net, "2.body.1.running_mean"),
                         dp_network_find(net, "2.body.1.running_var"), NULL);
    c++;
    t[c++] = dp_conv2d(device, t[2], p[5], NULL);
    t[c++] = dp_map(device, "tanh(max(0, y) + z + b)", DP_ARGS({"y", t[4], 0}, {"z", t[5], 0}, {"b", bs, 0}));
    t[c++] =
        dp_conv2d_transposed(device, t[6], p[7],
                             &(dp_conv2d_transposed_params){
                                 .stride = {2, 1}, .padding = {1, 0}, .output_padding = {1, 0}, .groups = 2});
    t[c++] = dp_map(device, "y + b", DP_ARGS({"y", t[7], 0}, {"b", b3, 0}));
    t[c++] = dp_layer_norm(device, t[8], 3, s4, b4, 0);
    t[c++] = dp_map(device, "max(0, y)", DP_ARGS({"y", t[9], 0}));
    t[c++] = dp_reduce(device, t[10], DP_MEAN, DP_AXIS(2) | DP_AXIS(3));
    t[c++] = dp_linear(device, t[11], p[11], p[12]);
    t[c++] = dp_map(device, "sigmoid(y)", DP_ARGS({"y", t[12], 0}));
    t[c++] = dp_linear(device, t[13], p[13], p[14]);
    dp_tensor *y = dp_activation(device, t[14], DP_ACTIVATION_SOFTMAX, 0);
    release(t, 16);
    release((dp_tensor *[]){b1, bs, b3, s4, b4}, 5);
    return y;
}

/* On the reference beside the calls; elsewhere beside the reference, whose network has the same bits. */
static void forward(dp_device *device)
{
    const bool here = dp_device_get_info(device).type == DP_DEVICE_REFERENCE;
    dp_device *reference = dp_device_open("ref");
    dp_network *net = dp_network_create(device, layers, COUNT(layers), DP_SHAPE(32), 1, NULL);
    dp_network *other = dp_network_create(reference, layers, COUNT(layers), DP_SHAPE(32), 1, NULL);
    dp_grad_pause(device);
    dp_tensor *x = dp_randn(device, 3, DP_SHAPE(3, 32)), *far = dp_copy(reference, x);
    dp_tensor *hidden = dp_network_forward_range(net, x, 0, 6, false);
    alike(dp_network_forward(net, x, false),
          here ? by_hand(device, net, x, 3) : dp_network_forward(other, far, false));
    alike(dp_network_forward_range(net, hidden, 6, COUNT(layers), false), dp_network_forward(net, x, false));
    dp_tensor *first = dp_network_forward(net, x, true), *second = dp_network_forward(net, x, true);
    float a[9], b[9];
    dp_read(first, a, sizeof a);
    dp_read(second, b, sizeof b);
    assert_true(memcmp(a, b, sizeof a) != 0); /* other elements are dropped */
    assert_true(dp_item(dp_network_find(net, "dropout.step")) == 2);
    dp_grad_resume(device);
    release((dp_tensor *[]){x, far, hidden, first, second}, 5);
    dp_network_destroy(&net);
    dp_network_destroy(&other);
    dp_device_close(&reference);
}

/* With fused epilogues, and recorded without. */
static void recorded(dp_device *device)
{
    dp_network *net = dp_network_create(device, layers, 5, DP_SHAPE(32), 1, NULL);
    dp_tensor *x = dp_randn(device, 3, DP_SHAPE(2, 32)), *y = dp_network_forward(net, x, false);
    assert_true(dp_requires_grad(y));
    dp_grad_pause(device);
    dp_tensor *plain = dp_network_forward(net, x, false);
    dp_grad_resume(device);
    assert_false(dp_requires_grad(plain));
    alike(dp_tensor_retain(y), plain);
    dp_tensor *squares = dp_map(device, "y^2", DP_ARGS({"y", y, 0})),
              *loss = dp_reduce(device, squares, DP_MEAN, DP_ALL_AXES);
    assert_int_equal(dp_backward(loss), DP_OK);
    for (int k = 0; k < dp_network_parameter_count(net); k++)
        assert_true(same_shape(dp_tensor_shape(dp_grad(dp_network_parameter(net, k))),
                               dp_tensor_shape(dp_network_parameter(net, k))));
    dp_network_grad_clear(net);
    assert_null(dp_grad(dp_network_parameter(net, 0)));
    release((dp_tensor *[]){x, y, squares, loss}, 4);
    dp_network_destroy(&net);
}

/* Mean, deviation and largest of a parameter. */
static void moments(dp_network *net, const char *name, double *mean, double *deviation, double *largest)
{
    static float values[8192];
    const dp_tensor *p = dp_network_find(net, name);
    const int count = (int)dp_tensor_size(p);
    assert_true(count > 0 && count <= COUNT(values));
    assert_int_equal(dp_read(p, values, (size_t)count * sizeof *values), DP_OK);
    *mean = *deviation = *largest = 0;
    for (int k = 0; k < count; k++)
        *mean += (double)values[k] / count;
    for (int k = 0; k < count; k++) {
        *deviation += pow((double)values[k] - *mean, 2) / count;
        *largest = fmax(*largest, fabs((double)values[k]));
    }
    *deviation = sqrt(*deviation);
}

static const dp_layer wide[] = {
    {.kind = DP_LAYER_LINEAR, .outputs = 64},
    {.kind = DP_LAYER_BATCH_NORM},
    {.kind = DP_LAYER_RESHAPE, .shape = {3, {16, 2, 2}}},
    {.kind = DP_LAYER_CONV2D_TRANSPOSED, .outputs = 32, .kernel = {3}},
};

static void first_values(dp_device *device)
{
    /* deviation of "0.weight" [64, 100] and of "3.weight" [16, 32, 3, 3]; 0: uniform, so that it is largest /
     * sqrt(3) */
    static const struct {
        dp_init_scheme scheme;
        double linear, transposed;
        bool uniform;
    } rows[] = {
        {DP_INIT_UNIFORM, 0.1, 0.058925565098879, true}, /* 1 / sqrt(100), 1 / sqrt(32 * 9) */
        {DP_INIT_NORMAL, 0.02, 0.02, false},
        {DP_INIT_KAIMING, 0.141421356237310, 0.083333333333333, false}, /* sqrt(2 / 100), sqrt(2 / 288) */
        {DP_INIT_XAVIER, 0.191273011161, 0.117851130197758, true}}; /* sqrt(6 / 164), sqrt(6 / (288 + 144)) */
    for (int r = 0; r < COUNT(rows); r++) {
        double mean, deviation, largest;
        dp_network *net = dp_network_create(device, wide, COUNT(wide), DP_SHAPE(100), 11,
                                            &(dp_network_init){.scheme = rows[r].scheme});
        assert_non_null(net);
        const char *const names[] = {"0.weight", "3.weight"};
        const double expected[] = {rows[r].linear, rows[r].transposed};
        for (int k = 0; k < 2; k++) { /* estimates of 4608 or more numbers: five standard errors */
            moments(net, names[k], &mean, &deviation, &largest);
            const double scale = rows[r].uniform ? expected[k] / sqrt(3) : expected[k];
            assert_true(fabs(mean) <= 5 * scale / sqrt(4608));
            assert_true(fabs(deviation - scale) <= 5 * scale / sqrt(2 * 4608));
            if (rows[r].uniform)
                assert_true(largest <= expected[k] * (1 + 1e-6) && largest > 0.99 * expected[k]);
        }
        moments(net, "0.bias", &mean, &deviation, &largest);
        assert_true(rows[r].scheme == DP_INIT_UNIFORM ? largest > 0.05 && largest <= 0.1 : largest == 0);
        moments(net, "1.weight", &mean, &deviation, &largest);
        assert_true(fabs(mean - 1) < 0.02);
        assert_true(rows[r].scheme == DP_INIT_NORMAL ? deviation > 0.01 && deviation < 0.03 : deviation == 0);
        moments(net, "1.running_var", &mean, &deviation, &largest);
        assert_true(mean == 1 && deviation == 0);
        dp_network_destroy(&net);
    }
}

/* The first values have the reference's bits, whatever the device. */
static void same_bits(dp_device *device)
{
    static float a[8192], b[8192];
    dp_device *reference = dp_device_open("ref");
    const dp_network_init normal = {.scheme = DP_INIT_NORMAL};
    dp_network *here = dp_network_create(device, wide, 2, DP_SHAPE(100), 5, &normal);
    dp_network *there = dp_network_create(reference, wide, 2, DP_SHAPE(100), 5, &normal);
    dp_network *other = dp_network_create(reference, wide, 2, DP_SHAPE(100), 6, &normal);
    for (int k = 0; k < dp_network_parameter_count(here); k++) {
        const size_t bytes = (size_t)dp_tensor_size(dp_network_parameter(here, k)) * sizeof *a;
        assert_int_equal(dp_read(dp_network_parameter(here, k), a, bytes), DP_OK);
        assert_int_equal(dp_read(dp_network_parameter(there, k), b, bytes), DP_OK);
        assert_memory_equal(a, b, bytes);
        dp_read(dp_network_parameter(other, k), b, bytes);
        assert_true(memcmp(a, b, bytes) != 0 || k == 1 || k == 3); /* biases are 0 */
    }
    assert_int_equal(dp_network_copy(here, other), DP_OK); /* from another device */
    dp_read(dp_network_parameter(here, 0), a, 6400 * sizeof *a);
    dp_read(dp_network_parameter(other, 0), b, 6400 * sizeof *a);
    assert_memory_equal(a, b, 6400 * sizeof *a);
    dp_network_destroy(&here);
    dp_network_destroy(&there);
    dp_network_destroy(&other);
    suite_ok(reference);
    dp_device_close(&reference);
}

static void averages(dp_device *device)
{
    static const dp_layer small[] = {{.kind = DP_LAYER_LINEAR, .outputs = 1}, {.kind = DP_LAYER_BATCH_NORM}};
    dp_network *net = dp_network_create(device, small, 2, DP_SHAPE(2), 1, NULL);
    dp_network *mean = dp_network_create(device, small, 2, DP_SHAPE(2), 2, NULL);
    assert_int_equal(dp_network_copy(mean, net), DP_OK);
    dp_fill(dp_network_find(mean, "0.weight"), 4);
    dp_fill(dp_network_find(net, "0.weight"), 8);
    dp_fill(dp_network_find(net, "1.running_mean"), 7);
    assert_int_equal(dp_network_average(mean, net, 0.75), DP_OK);
    suite_values(dp_network_find(mean, "0.weight"), (const double[]){5, 5}, 2);
    suite_values(dp_network_find(mean, "1.running_mean"), (const double[]){7}, 1);
    assert_int_equal(dp_network_average(mean, net, 0.75), DP_OK);
    suite_values(dp_network_find(mean, "0.weight"), (const double[]){5.75, 5.75}, 2);
    dp_network_destroy(&net);
    dp_network_destroy(&mean);
}

static void refuse(dp_device *device, dp_layer layer, dp_shape shape, const char *word)
{
    dp_network *net = dp_network_create(device, &layer, 1, shape, 1, NULL);
    assert_null(net);
    suite_failed(device, DP_ERROR_ARGUMENT, word);
}

static void bad_tables(dp_device *device)
{
    const dp_shape image = {3, {4, 5, 5}};
    static const dp_layer deep[] = {{.kind = DP_LAYER_RESIDUAL, .body = deep, .body_count = 1}};
    refuse(device, (dp_layer){.kind = (dp_layer_kind)40}, image, "kind 40");
    refuse(device, (dp_layer){.kind = DP_LAYER_LINEAR}, image, "layer 0 (linear)");
    refuse(device, (dp_layer){.kind = DP_LAYER_LINEAR, .outputs = 2}, (dp_shape){0}, "linear");
    refuse(device, (dp_layer){.kind = DP_LAYER_LINEAR, .outputs = INT64_C(1) << 40}, image, "2^31");
    refuse(device, (dp_layer){.kind = DP_LAYER_CONV2D, .outputs = 2, .kernel = {3}}, (dp_shape){1, {8}},
           "[C, H, W]");
    refuse(device, (dp_layer){.kind = DP_LAYER_CONV2D, .outputs = 2}, image, "kernel");
    refuse(device, (dp_layer){.kind = DP_LAYER_CONV2D, .outputs = 3, .kernel = {3}, .groups = 2}, image,
           "groups");
    refuse(device, (dp_layer){.kind = DP_LAYER_CONV2D, .outputs = 2, .kernel = {3}, .stride = {-1}}, image,
           "negative");
    refuse(device, (dp_layer){.kind = DP_LAYER_CONV2D, .outputs = 2, .kernel = {7}}, image, "no row");
    refuse(device,
           (dp_layer){.kind = DP_LAYER_CONV2D_TRANSPOSED, .outputs = 2, .kernel = {3}, .output_padding = {1}},
           image, "output_padding");
    refuse(device,
           (dp_layer){.kind = DP_LAYER_CONV2D_TRANSPOSED, .outputs = 2, .kernel = {1}, .padding = {3}}, image,
           "no row");
    refuse(device, (dp_layer){.kind = DP_LAYER_BATCH_NORM}, (dp_shape){2, {3, 3}}, "[C] or [C, H, W]");
    refuse(device, (dp_layer){.kind = DP_LAYER_BATCH_NORM, .momentum = 3}, image, "momentum is 3");
    refuse(device, (dp_layer){.kind = DP_LAYER_LAYER_NORM, .epsilon = -1}, image, "epsilon is -1");
    refuse(device, (dp_layer){.kind = DP_LAYER_DROPOUT, .rate = 1}, image, "rate is 1");
    refuse(device, (dp_layer){.kind = DP_LAYER_RESHAPE, .shape = {2, {7, -1}}}, image, "elements");
    refuse(device, (dp_layer){.kind = DP_LAYER_RESHAPE, .shape = {9, {1}}}, image, "reshape");
    refuse(device, (dp_layer){.kind = DP_LAYER_RESHAPE, .shape = {2, {-1, -1}}}, image, "reshape");
    refuse(device, (dp_layer){.kind = DP_LAYER_GLOBAL_AVERAGE_POOL}, (dp_shape){1, {8}}, "pool");
    refuse(device, (dp_layer){.kind = DP_LAYER_RESIDUAL}, image, "body");
    refuse(device,
           (dp_layer){.kind = DP_LAYER_RESIDUAL,
                      .body = shortcut,
                      .body_count = 1,
                      .shortcut = shortcut,
                      .shortcut_count = -1},
           image, "1 to 4096");
    refuse(device, (dp_layer){.kind = DP_LAYER_RESIDUAL, .body = body, .body_count = 1},
           (dp_shape){3, {2, 3, 3}}, "body gives [4, 3, 3] and shortcut [2, 3, 3]");
    refuse(device, deep[0], image, "16 levels");
    refuse(device, (dp_layer){.kind = DP_LAYER_ACTIVATION, .activation = (dp_activation_kind)9}, image,
           "activation 9");
    refuse(device, (dp_layer){.kind = DP_LAYER_FLATTEN}, (dp_shape){.rank = 8}, "rank");
    refuse(device, (dp_layer){.kind = DP_LAYER_FLATTEN}, (dp_shape){1, {0}}, "[0]");
    suite_works(device);
}

static void bad_calls(dp_device *device)
{
    dp_network *net = dp_network_create(device, layers, COUNT(layers), DP_SHAPE(32), 1, NULL);
    dp_network *small = dp_network_create(device, wide, 1, DP_SHAPE(2), 1, NULL);
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(2, 31), 0),
              *ints = dp_full(device, DP_I32, DP_SHAPE(2, 32), 0);
    assert_null(dp_network_create(device, NULL, 1, DP_SHAPE(1), 1, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "NULL");
    assert_null(dp_network_create(device, layers, 0, DP_SHAPE(1), 1, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "0 layers");
    assert_null(dp_network_create(device, layers, 1, DP_SHAPE(32), 1,
                                  &(dp_network_init){.scheme = (dp_init_scheme)7}));
    suite_failed(device, DP_ERROR_ARGUMENT, "scheme 7");
    assert_null(dp_network_create(device, layers, 1, DP_SHAPE(32), 1, &(dp_network_init){.deviation = -1}));
    suite_failed(device, DP_ERROR_ARGUMENT, "deviation is -1");
    assert_null(dp_network_forward(net, x, false));
    suite_failed(device, DP_ERROR_ARGUMENT, "[2, 31]");
    assert_null(dp_network_forward(net, ints, false));
    suite_failed(device, DP_ERROR_ARGUMENT, "x");
    assert_null(dp_network_forward(net, NULL, false));
    suite_failed(device, DP_ERROR_ARGUMENT, "x");
    assert_null(dp_network_forward_range(net, x, 2, 1, false));
    suite_failed(device, DP_ERROR_ARGUMENT, "layers 2 to 1 of 11");
    assert_int_equal(dp_network_copy(net, small), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "differ");
    assert_int_equal(dp_network_copy(net, NULL), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "from");
    assert_int_equal(dp_network_average(net, net, 0.5), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "two networks");
    assert_int_equal(dp_network_average(net, net, 2), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "decay is 2");
    assert_null(dp_network_forward(NULL, x, false));
    assert_int_equal(dp_network_copy(NULL, net), DP_ERROR_ARGUMENT);
    assert_string_equal(dp_layer_name(DP_LAYER_CONV2D), "conv2d");
    assert_string_equal(dp_layer_name((dp_layer_kind)77), "unknown");
    dp_network_destroy(NULL);
    release((dp_tensor *[]){x, ints}, 2);
    dp_network_destroy(&net);
    dp_network_destroy(&small);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {
        {"shapes and names", shapes},   {"forward", forward},       {"recorded", recorded},
        {"first values", first_values}, {"same bits", same_bits},   {"averages", averages},
        {"wrong tables", bad_tables},   {"wrong calls", bad_calls},
    };
    return suite_run("network", tests, sizeof tests / sizeof *tests);
}
