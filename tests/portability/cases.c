/* SPDX-License-Identifier: Apache-2.0 */
/* The calls whose kernels are compiled for GPUs. Sizes are those of real problems, for what a plan chooses
 * depends on them. A kernel is named after the first case that needs it, so new cases are added behind the
 * others of their op. Tensors are released with the device. */
#include "record.h"
#include "gpu/variants.h"
#include <dipole/dipole.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTS 65536

typedef struct bench {
    recorder *own;
    dp_device *device;
    bool failed;
} bench;

/* Says which case the calls up to the next one are, and whether the last one went well. */
static void begin(bench *b, const char *label)
{
    if (dp_failed(b->device) && !b->failed) {
        b->failed = true;
        fprintf(stderr, "%s on %s: %s\n", b->own->label, dp_device_get_info(b->device).id,
                dp_message(b->device));
    }
    b->own->label = label;
}

static dp_tensor *floats(const bench *b, dp_shape shape)
{
    return dp_empty(b->device, DP_F32, shape);
}

static dp_tensor *ints(const bench *b, dp_shape shape)
{
    return dp_empty(b->device, DP_I32, shape);
}

static void matmul(const bench *b, int64_t m, int64_t n, int64_t k, dp_matmul_params params)
{
    const dp_shape a = params.transpose_a ? DP_SHAPE(k, m) : DP_SHAPE(m, k);
    const dp_shape other = params.transpose_b ? DP_SHAPE(n, k) : DP_SHAPE(k, n);
    if (params.beta != 0)
        params.c = floats(b, DP_SHAPE(m, n));
    dp_matmul(b->device, floats(b, a), floats(b, other), &params);
}

static void matmuls(bench *b)
{
    begin(b, "large");
    matmul(b, 4096, 4096, 4096, (dp_matmul_params){0});
    begin(b, "large-tn");
    matmul(b, 4096, 4096, 4096, (dp_matmul_params){.transpose_a = true});
    begin(b, "large-nt");
    matmul(b, 4096, 4096, 4096, (dp_matmul_params){.transpose_b = true});
    begin(b, "large-tt");
    matmul(b, 4096, 4096, 4096, (dp_matmul_params){.transpose_a = true, .transpose_b = true});
    begin(b, "large-beta");
    matmul(b, 4096, 4096, 4096, (dp_matmul_params){.beta = 0.5f});
    begin(b, "edges");
    matmul(b, 1001, 1003, 517, (dp_matmul_params){0});
    begin(b, "small");
    matmul(b, 64, 64, 64, (dp_matmul_params){0});
    begin(b, "few-rows");
    matmul(b, 8, 4096, 4096, (dp_matmul_params){0});
    begin(b, "few-columns");
    matmul(b, 4096, 8, 4096, (dp_matmul_params){0});
    begin(b, "deep");
    matmul(b, 32, 32, 1000000, (dp_matmul_params){0});
    begin(b, "matrix-vector");
    matmul(b, 4096, 1, 4096, (dp_matmul_params){0});
    begin(b, "matrix-vector-t");
    matmul(b, 4096, 1, 4096, (dp_matmul_params){.transpose_a = true});
    begin(b, "vector-matrix");
    matmul(b, 1, 4096, 4096, (dp_matmul_params){0});
    begin(b, "outer");
    matmul(b, 4096, 4096, 1, (dp_matmul_params){0});
    begin(b, "batch");
    dp_matmul(b->device, floats(b, DP_SHAPE(32, 12, 512, 64)), floats(b, DP_SHAPE(32, 12, 64, 512)), NULL);
}

static void conv2d(const bench *b, dp_shape x, dp_shape w, dp_conv2d_params params)
{
    dp_conv2d(b->device, floats(b, x), floats(b, w), &params);
}

static void convolutions(bench *b)
{
    begin(b, "3x3");
    conv2d(b, DP_SHAPE(32, 64, 56, 56), DP_SHAPE(64, 64, 3, 3), (dp_conv2d_params){.padding = {1, 1}});
    begin(b, "1x1");
    conv2d(b, DP_SHAPE(32, 256, 14, 14), DP_SHAPE(1024, 256, 1, 1), (dp_conv2d_params){0});
    begin(b, "4x4-stride-2");
    conv2d(b, DP_SHAPE(64, 64, 32, 32), DP_SHAPE(128, 64, 4, 4),
           (dp_conv2d_params){.stride = {2, 2}, .padding = {1, 1}});
    begin(b, "7x7-few-channels");
    conv2d(b, DP_SHAPE(32, 3, 224, 224), DP_SHAPE(64, 3, 7, 7),
           (dp_conv2d_params){.stride = {2, 2}, .padding = {3, 3}});
    begin(b, "depthwise");
    conv2d(b, DP_SHAPE(32, 256, 28, 28), DP_SHAPE(256, 1, 3, 3),
           (dp_conv2d_params){.padding = {1, 1}, .groups = 256});
    begin(b, "dilated");
    conv2d(b, DP_SHAPE(4, 32, 64, 64), DP_SHAPE(32, 32, 3, 3),
           (dp_conv2d_params){.padding = {2, 2}, .dilation = {2, 2}});
}

/* The three kinds of a convolution, each with a label of its own. */
static void gradients_of_conv2d(bench *b, const char *input, const char *weights, dp_shape x, dp_shape w,
                                dp_shape y, const dp_conv2d_params *params)
{
    begin(b, input);
    dp_conv2d_gradient_input(b->device, floats(b, w), floats(b, y), x.dim[2], x.dim[3], params);
    begin(b, weights);
    dp_conv2d_gradient_weights(b->device, floats(b, x), floats(b, y), w.dim[2], w.dim[3], params);
}

static void convolution_gradients(bench *b)
{
    begin(b, "transposed-4x4-stride-2");
    dp_conv2d_transposed(b->device, floats(b, DP_SHAPE(64, 128, 16, 16)), floats(b, DP_SHAPE(128, 64, 4, 4)),
                         &(dp_conv2d_transposed_params){.stride = {2, 2}, .padding = {1, 1}});
    gradients_of_conv2d(b, "3x3-input", "3x3-weights", DP_SHAPE(32, 64, 56, 56), DP_SHAPE(64, 64, 3, 3),
                        DP_SHAPE(32, 64, 56, 56), &(dp_conv2d_params){.padding = {1, 1}});
    gradients_of_conv2d(b, "4x4-stride-2-input", "4x4-stride-2-weights", DP_SHAPE(64, 64, 32, 32),
                        DP_SHAPE(128, 64, 4, 4), DP_SHAPE(64, 128, 16, 16),
                        &(dp_conv2d_params){.stride = {2, 2}, .padding = {1, 1}});
    gradients_of_conv2d(b, "depthwise-input", "depthwise-weights", DP_SHAPE(32, 256, 28, 28),
                        DP_SHAPE(256, 1, 3, 3), DP_SHAPE(32, 256, 28, 28),
                        &(dp_conv2d_params){.padding = {1, 1}, .groups = 256});
}

static const char *label_of(const dp__variant *variant, const char *call, char text[64])
{
    snprintf(text, 64, "%s-%s", variant->name, call);
    return text;
}

/* Every row of the table of variants that this device may choose, forced in turn; the last ones, which suit
 * any call, first, so that a call which a row does not suit needs no kernel but theirs. */
static void variants_of_contractions(bench *b)
{
    static const char *const calls[4] = {"nn", "tn", "nt", "tt"};
    const dp__gpu *gpu = b->device->state;
    size_t count;
    const dp__variant *variants = dp__variants(&count);
    for (size_t v = count; v-- > 0;) {
        char label[64], other[64];
        if (!dp__variant_fits(&variants[v], &gpu->limits, gpu->driver->glsl) ||
            strcmp(variants[v].kernel, "clblast") == 0) /* a library's */
            continue;
        setenv("DIPOLE_VARIANT", variants[v].name, 1);
        for (int t = 0; t < 4; t++) {
            begin(b, label_of(&variants[v], calls[t], label));
            matmul(b, 1024, 1024, 1024, (dp_matmul_params){.transpose_a = t & 1, .transpose_b = t & 2});
        }
        begin(b, label_of(&variants[v], "conv", label));
        conv2d(b, DP_SHAPE(32, 64, 56, 56), DP_SHAPE(64, 64, 3, 3), (dp_conv2d_params){.padding = {1, 1}});
        gradients_of_conv2d(b, label_of(&variants[v], "conv-input", label),
                            label_of(&variants[v], "conv-weights", other), DP_SHAPE(32, 64, 56, 56),
                            DP_SHAPE(64, 64, 3, 3), DP_SHAPE(32, 64, 56, 56),
                            &(dp_conv2d_params){.padding = {1, 1}});
        begin(b, "");
    }
    unsetenv("DIPOLE_VARIANT");
}

static void elements(bench *b)
{
    dp_device *device = b->device;
    dp_tensor *x = floats(b, DP_SHAPE(1024, 1024)), *y = floats(b, DP_SHAPE(1024, 1024)),
              *m = floats(b, DP_SHAPE(1024, 1024));
    begin(b, "contiguous");
    dp_copy(device, x);
    begin(b, "transposed");
    dp_copy(device, dp_transpose(x, 0, 1));
    begin(b, "four-axes");
    dp_copy(device, dp_permute(floats(b, DP_SHAPE(8, 16, 32, 64)), (const int[]){3, 1, 2, 0}, 4));
    begin(b, "axpy");
    dp_map(device, "a * x + y", DP_ARGS({"x", x}, {"y", y}, {.name = "a", .scalar = 2}));
    begin(b, "gelu");
    dp_map(device, "0.5 * x * (1 + tanh(0.7978845608 * (x + 0.044715 * x^3)))", DP_ARGS({"x", x}));
    begin(b, "bias");
    dp_map(device, "max(x + bias, 0)", DP_ARGS({"x", x}, {"bias", floats(b, DP_SHAPE(1024))}));
    begin(b, "rows-and-columns");
    dp_map(device, "exp(x - row) * column",
           DP_ARGS({"x", dp_transpose(x, 0, 1)}, {"row", floats(b, DP_SHAPE(1024))},
                   {"column", floats(b, DP_SHAPE(1024, 1))}));
    begin(b, "adam");
    dp_map_into(
        device,
        "m2 = b1 * m + (1 - b1) * g; v2 = b2 * v + (1 - b2) * g^2; p - lr * m2 / (sqrt(v2) + eps), m2, v2",
        DP_ARGS({"p", x}, {"g", y}, {"m", m}, {"v", floats(b, DP_SHAPE(1024, 1024))},
                {.name = "b1", .scalar = 0.9}, {.name = "b2", .scalar = 0.999},
                {.name = "lr", .scalar = 1e-3}, {.name = "eps", .scalar = 1e-8}),
        (dp_tensor *[]){x, m, floats(b, DP_SHAPE(1024, 1024))}, 3);
    begin(b, "normal");
    dp_randn(device, 1, DP_SHAPE(1024, 1024));
    begin(b, "normal-step");
    dp_randn_at(device, 1, floats(b, DP_SCALAR), DP_SHAPE(1024, 1024));
    begin(b, "whole");
    dp_randint_at(device, 1, floats(b, DP_SCALAR), DP_SHAPE(1024, 1024), 1000);
}

/* Of each reduction rows, columns, and all elements: in pieces, and those of pieces once more. */
static void reductions(bench *b)
{
    static const char *const labels[DP_REDUCTION_COUNT][3] = {
        {"sum-rows", "sum-columns", "sum-all"},
        {"mean-rows", "mean-columns", "mean-all"},
        {"max-rows", "max-columns", "max-all"},
        {"min-rows", "min-columns", "min-all"},
        {"argmax-rows", "argmax-columns", "argmax-all"},
        {"argmin-rows", "argmin-columns", "argmin-all"},
        {"logsumexp-rows", "logsumexp-columns", "logsumexp-all"}};
    dp_tensor *x = floats(b, DP_SHAPE(1024, 4096));
    for (int r = 0; r < DP_REDUCTION_COUNT; r++) {
        begin(b, labels[r][0]);
        dp_reduce(b->device, x, (dp_reduction)r, DP_AXIS(1));
        begin(b, labels[r][1]);
        dp_reduce(b->device, x, (dp_reduction)r, DP_AXIS(0));
        begin(b, labels[r][2]);
        dp_reduce(b->device, x, (dp_reduction)r, DP_ALL_AXES);
    }
}

static dp_tensor *halves(const bench *b, dp_dtype dtype)
{
    return dp_empty(b->device, dtype, DP_SHAPE(32, 64, 56, 56));
}

static void conversions(bench *b)
{
    dp_device *device = b->device;
    dp_tensor *f16 = halves(b, DP_F16), *bf16 = halves(b, DP_BF16), *f32 = halves(b, DP_F32);
    begin(b, "f32-f16");
    dp_cast(device, f32, DP_F16);
    begin(b, "f32-bf16");
    dp_cast(device, f32, DP_BF16);
    begin(b, "f16-f32");
    dp_cast(device, f16, DP_F32);
    begin(b, "bf16-f32");
    dp_cast(device, bf16, DP_F32);
    begin(b, "f16-bf16");
    dp_cast(device, f16, DP_BF16);
    begin(b, "f32-f16-four-axes");
    dp_cast(device, dp_permute(f32, (const int[]){3, 1, 2, 0}, 4), DP_F16);
    begin(b, "f16-f32-transposed");
    dp_cast(device, dp_transpose(f16, 2, 3), DP_F32);
    begin(b, "copy-transposed");
    dp_copy(device, dp_transpose(bf16, 2, 3));
    begin(b, "rows-of-16-bits");
    dp_gather_rows(device, dp_empty(device, DP_BF16, DP_SHAPE(50000, 256)), ints(b, DP_SHAPE(4096)));
}

static void picks(bench *b)
{
    begin(b, "rows");
    dp_gather_rows(b->device, floats(b, DP_SHAPE(50000, 256)), ints(b, DP_SHAPE(4096)));
    dp_scatter_add_rows(b->device, floats(b, DP_SHAPE(4096, 256)), ints(b, DP_SHAPE(4096)), 50000);
}

/* Energies, forces, both, and a gradient to both sides, of points of d components. */
static void physics(bench *b, const char *const labels[4], int d)
{
    dp_device *device = b->device;
    dp_tensor *x = floats(b, DP_SHAPE(POINTS, d)), *y = floats(b, DP_SHAPE(POINTS, d)),
              *q = floats(b, DP_SHAPE(POINTS));
    dp_tensor *results[2] = {0}, *value = NULL;
    const dp_args one = DP_ARGS({"x", x}, {"q", q}, {.name = "eps", .scalar = 1e-3});
    const dp_args two = DP_ARGS({"x", x}, {"y", y}, {"q", q}, {.name = "eps", .scalar = 1e-3});
    begin(b, labels[0]);
    dp_pairwise(device, "0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)", DP_SUM_ALL | DP_EXCLUDE_SELF,
                one);
    begin(b, labels[1]);
    dp_pairwise(device, "q[j] * (x[i] - x[j]) * rsqrt(sqdist(x[i], x[j]) + eps^2)^3",
                DP_SUM_J | DP_EXCLUDE_SELF, one);
    begin(b, labels[2]);
    dp_pairwise_many(device, "k = rsqrt(sqdist(x[i], x[j]) + eps^2); q[j] * k, q[j] * (x[i] - x[j]) * k^3",
                     DP_SUM_J | DP_EXCLUDE_SELF, one, results, 2);
    begin(b, labels[3]);
    dp_pairwise_gradient(device, "q[j] * exp(-sqdist(x[i], y[j]) / eps)", DP_SUM_ALL, two, NULL,
                         (const char *const[]){"x", "y"}, 2, results, &value);
}

static void physics_of_all_sizes(bench *b)
{
    static const struct {
        int d;
        const char *labels[4];
    } sizes[] = {{2, {"energy-d2", "force-d2", "both-d2", "gradients-d2"}},
                 {3, {"energy-d3", "force-d3", "both-d3", "gradients-d3"}},
                 {16, {"energy-d16", "force-d16", "both-d16", "gradients-d16"}},
                 {128, {"energy-d128", "force-d128", "both-d128", "gradients-d128"}},
                 {784, {"energy-d784", "force-d784", "both-d784", "gradients-d784"}}};
    for (size_t s = 0; s < DP_COUNT(sizes); s++)
        physics(b, sizes[s].labels, sizes[s].d);
}

static void other_pairs(bench *b)
{
    dp_device *device = b->device;
    dp_tensor *x = floats(b, DP_SHAPE(POINTS, 3)), *y = floats(b, DP_SHAPE(POINTS, 3)),
              *q = floats(b, DP_SHAPE(POINTS));
    dp_tensor *wide_x = floats(b, DP_SHAPE(4096, 64)), *wide_y = floats(b, DP_SHAPE(4096, 64));
    dp_tensor *results[2] = {0}, *value = NULL;
    const dp_args args = DP_ARGS({"x", x}, {"y", y});
    begin(b, "nearest-d3");
    dp_pairwise(device, "sqdist(x[i], y[j])", DP_ARGMIN_J, args);
    begin(b, "farthest-d3");
    dp_pairwise(device, "sqdist(x[i], y[j])", DP_MAX_J, args);
    begin(b, "logsumexp-d3");
    dp_pairwise(device, "-sqdist(x[i], y[j])", DP_LOGSUMEXP_J, args);
    begin(b, "logsumexp-d64");
    dp_pairwise(device, "dot(x[i], y[j])", DP_LOGSUMEXP_J, DP_ARGS({"x", wide_x}, {"y", wide_y}));
    begin(b, "nearest-d64");
    dp_pairwise(device, "sqdist(x[i], y[j])", DP_ARGMIN_J, DP_ARGS({"x", wide_x}, {"y", wide_y}));
    begin(b, "scalars");
    dp_pairwise(device, "abs(p[i] - q[j])", DP_SUM_J, DP_ARGS({"p", q}, {"q", floats(b, DP_SHAPE(POINTS))}));
    begin(b, "matern-gradients-d3");
    dp_pairwise_gradient(device, "r = sqrt(5) * norm(x[i] - y[j]); (1 + r + r^2 / 3) * exp(-r)", DP_SUM_ALL,
                         args, NULL, (const char *const[]){"x", "y"}, 2, results, &value);
    begin(b, "hvp-d3");
    dp_pairwise_hvp(device, "rsqrt(sqdist(x[i], x[j]) + 1e-4)", DP_SUM_ALL | DP_EXCLUDE_SELF,
                    DP_ARGS({"x", x}), "x", y);
    begin(b, "attention-d64");
    dp_tensor *v = floats(b, DP_SHAPE(4096, 64));
    const dp_args attention = DP_ARGS({"x", wide_x}, {"y", wide_y}, {"v", v});
    dp_pairwise_softmax(device, "dot(x[i], y[j]) / 8", "v[j]", DP_SUM_J, attention);
    begin(b, "attention-gradients-d64");
    dp_tensor *gradients[3] = {0};
    dp_pairwise_softmax_gradient(device, "dot(x[i], y[j]) / 8", "v[j]", DP_SUM_J, attention, v,
                                 (const char *const[]){"x", "y", "v"}, 3, gradients, &value);
}

static void many_problems(bench *b)
{
    dp_device *device = b->device;
    dp_tensor *x = floats(b, DP_SHAPE(POINTS, 3));
    const dp_args args = DP_ARGS({"x", x});
    static const char formula[] = "r2 = sqdist(x[i], x[j]); select(r2 < 0.01, rsqrt(r2 + 1e-4), 0)";
    begin(b, "batch-d3");
    dp_pairwise_with(device, formula, DP_SUM_J, args, &(dp_pair_options){.problems = 64});
    begin(b, "batch-nearest-d3");
    dp_pairwise_with(device, "sqdist(x[i], x[j])", DP_ARGMIN_J | DP_EXCLUDE_SELF, args,
                     &(dp_pair_options){.problems = 64});
    begin(b, "cutoff-d3");
    dp_tensor *mask = dp_pair_mask_cutoff(device, x, x, 128, 0.1);
    dp_pairwise_with(device, formula, DP_SUM_J | DP_EXCLUDE_SELF, args,
                     &(dp_pair_options){.mask = mask, .tile = 128});
}

static void neighbours(bench *b)
{
    dp_device *device = b->device;
    dp_tensor *x = floats(b, DP_SHAPE(POINTS, 3)), *wide = floats(b, DP_SHAPE(POINTS, 128)), *values = NULL,
              *found = NULL;
    begin(b, "smallest-d3");
    dp_pairwise_smallest(device, "sqdist(x[i], x[j])", 8, DP_OVER_J | DP_EXCLUDE_SELF, DP_ARGS({"x", x}),
                         &values, &found);
    begin(b, "smallest-d128");
    dp_pairwise_smallest(device, "sqdist(x[i], y[j])", 32, DP_OVER_J,
                         DP_ARGS({"x", floats(b, DP_SHAPE(256, 128))}, {"y", wide}), &values, &found);
}

static void losses(bench *b)
{
    dp_device *device = b->device;
    dp_tensor *x = floats(b, DP_SHAPE(4096, 128)), *y = floats(b, DP_SHAPE(4096, 128)),
              *labels = ints(b, DP_SHAPE(4096));
    dp_tensor *value = NULL, *gradients[3] = {0};
    begin(b, "infonce-d128");
    dp_loss_infonce(device, x, y, NULL, &value, gradients);
    begin(b, "mixcse-d128");
    dp_loss_mixcse(device, x, y, NULL, &value, gradients);
    begin(b, "supcon-d128");
    dp_loss_supcon(device, x, labels, NULL, &value, gradients);
    begin(b, "batch-hard-d128");
    dp_loss_batch_hard(device, x, labels, NULL, &value, gradients);
    begin(b, "energy-distance-d3");
    dp_metric_gradients both = {0};
    dp_metric(device, floats(b, DP_SHAPE(4096, 3)), floats(b, DP_SHAPE(4096, 3)),
              &(dp_metric_params){.potential = "energy"}, DP_METRIC_X | DP_METRIC_Y, &both);
}

static dp_tensor *followed(const bench *b, dp_shape shape)
{
    dp_tensor *x = floats(b, shape);
    dp_require_grad(x);
    return x;
}

/* The losses of the two models and their gradients: EIEG's of points in the plane and of features, Atom Modeling's of all pairs. */
static void models(bench *b)
{
    dp_device *device = b->device;
    static const dp_eieg_params points = {.eps = 0.1}, features = {.s = 1, .eps = 1, .scaled = true};
    begin(b, "eieg-generator-d2");
    dp_backward(dp_eieg_generator_loss(device, followed(b, DP_SHAPE(4096, 2)), floats(b, DP_SHAPE(4096, 2)), &points));
    begin(b, "eieg-discriminator-d16");
    dp_backward(dp_eieg_discriminator_loss_of(device, followed(b, DP_SHAPE(8192, 16)), 4096, &features));
    begin(b, "atom");
    dp_backward(dp_atom_loss(device, followed(b, DP_SHAPE(128, 64, 64)), &(dp_atom_params){0}, NULL));
}

bool record_cases(recorder *own)
{
    bench b = {.own = own, .device = own->device};
    elements(&b);
    reductions(&b);
    picks(&b);
    conversions(&b);
    variants_of_contractions(&b);
    matmuls(&b);
    convolutions(&b);
    convolution_gradients(&b);
    physics_of_all_sizes(&b);
    other_pairs(&b);
    many_problems(&b);
    neighbours(&b);
    losses(&b);
    models(&b);
    begin(&b, "");
    return !b.failed;
}
