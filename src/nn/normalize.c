/* SPDX-License-Identifier: Apache-2.0 */
/* Batch and layer normalisation: the statistics, then one map. It is recorded as one call, whose rule
 * (src/grad/normalize.c) goes over memory less often than rules of its parts would. */
#include "nn/layers.h"
#include <math.h>
#include <stdio.h>

typedef struct normalization {
    dp_device *device;
    const dp_tensor *x;
    dp_tensor *scale, *shift; /* so shaped that they broadcast to x; NULL: none */
    dp_tensor *mean, *inverse;
    dp__normalize_params params;
    const char *formula; /* of the activation */
} normalization;

static void drop(normalization *n)
{
    dp_tensor_release(&n->scale);
    dp_tensor_release(&n->shift);
    dp_tensor_release(&n->mean);
    dp_tensor_release(&n->inverse);
}

/* The map, with its statistics as "m" and "i", or "m" and "v". */
static dp_tensor *apply(const normalization *n, const dp_tensor *mean, const dp_tensor *second, bool variance)
{
    char text[256];
    dp_arg arg[7] = {{"x", n->x, 0}, {"m", mean, 0}, {variance ? "v" : "i", second, 0}};
    int count = 3;
    if (n->scale)
        arg[count++] = (dp_arg){"s", n->scale, 0};
    if (n->shift)
        arg[count++] = (dp_arg){"b", n->shift, 0};
    arg[count++] = (dp_arg){"slope", NULL, n->params.slope};
    arg[count++] = (dp_arg){"eps", NULL, n->params.epsilon};
    snprintf(text, sizeof text, "z = (x - m) * %s%s%s; %s", variance ? "rsqrt(v + eps)" : "i",
             n->scale ? " * s" : "", n->shift ? " + b" : "", n->formula);
    return dp_map(n->device, text, (dp_args){arg, count});
}

static dp_tensor *mean(const normalization *n, const dp_tensor *x)
{
    return dp_reduce(n->device, x, DP_MEAN, n->params.axes | DP_KEEP_AXES);
}

/* The mean first, then that of squares of differences: no cancellation. Axes are kept. */
static dp_status statistics(normalization *n, dp_tensor **variance)
{
    n->mean = mean(n, n->x);
    dp_tensor *squares =
        n->mean ? dp_map(n->device, "d = x - m; d * d", DP_ARGS({"x", n->x, 0}, {"m", n->mean, 0})) : NULL;
    *variance = squares ? mean(n, squares) : NULL;
    dp_tensor_release(&squares);
    return *variance ? DP_OK : dp_failed(n->device);
}

static dp_tensor *normalize(normalization *n, dp_tensor *variance)
{
    if (!n->inverse)
        n->inverse = dp_map(n->device, "rsqrt(v + eps)",
                            DP_ARGS({"v", variance, 0}, {.name = "eps", .scalar = n->params.epsilon}));
    return n->inverse ? apply(n, n->mean, n->inverse, false) : NULL;
}

static dp_tensor *record(const normalization *n, dp_tensor *y)
{
    return dp__record(y, &(dp__record_call){.rule = DP__RULE_normalize,
                                            .inputs = {n->x, n->scale, n->shift, n->mean, n->inverse},
                                            .input_count = 5,
                                            .params = &n->params,
                                            .bytes = sizeof n->params});
}

/* Batch norm. */

static dp_status check_channels(dp_device *device, const dp_tensor *x, const dp_tensor *y, const char *name)
{
    char tx[DP_SHAPE_TEXT], ty[DP_SHAPE_TEXT];
    if (!y)
        return DP_OK;
    DP_CHECK(dp__check_dtype(device, y, name, DP_F32));
    if (y->shape.rank != 1 || y->shape.dim[0] != x->shape.dim[1])
        return dp__fail(device, DP_ERROR_ARGUMENT, "batch_norm: %s has shape %s for x %s: [C] is needed",
                        name, dp__shape_text(&y->shape, ty), dp__shape_text(&x->shape, tx));
    return DP_OK;
}

static dp_status fill_params(dp_device *device, const dp_batch_norm_params *given, dp_batch_norm_params *p)
{
    *p = given ? *given : (dp_batch_norm_params){0};
    p->momentum = p->momentum == 0 ? 0.1 : p->momentum;
    p->epsilon = p->epsilon == 0 ? 1e-5 : p->epsilon;
    DP_CHECK(dp__check_within(device, "batch_norm", "momentum", p->momentum, 0, 1, false));
    DP_CHECK(dp__check_within(device, "batch_norm", "epsilon", p->epsilon, 0, 1e30, false));
    return dp__check_activation(device, "batch_norm", p->activation, p->slope, false);
}

static dp_status check_batch_norm(dp_device *device, const dp_tensor *x, const dp_tensor *scale,
                                  const dp_tensor *shift, const dp_tensor *running_mean,
                                  const dp_tensor *running_variance, bool training)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, x, "x", DP_F32));
    if (x->shape.rank != 2 && x->shape.rank != 4)
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "batch_norm: x has shape %s: [N, C] or [N, C, H, W] is allowed",
                        dp__shape_text(&x->shape, text));
    DP_CHECK(check_channels(device, x, scale, "scale"));
    DP_CHECK(check_channels(device, x, shift, "shift"));
    DP_CHECK(check_channels(device, x, running_mean, "running_mean"));
    DP_CHECK(check_channels(device, x, running_variance, "running_variance"));
    if (!running_mean != !running_variance || (!training && !running_mean))
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "batch_norm: running_mean is %s, running_variance is %s: both are needed%s",
                        running_mean ? "given" : "NULL", running_variance ? "given" : "NULL",
                        training ? ", or none" : "");
    if (training && x->shape.dim[1] > 0 && dp_tensor_size(x) / x->shape.dim[1] < 2)
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "batch_norm: x %s has %lld elements a channel: statistics need 2 or more in training",
                        dp__shape_text(&x->shape, text), (long long)(dp_tensor_size(x) / x->shape.dim[1]));
    return DP_OK;
}

/* [C] as [C, 1, 1] beside images. */
static dp_tensor *beside(const dp_tensor *channels, const dp_tensor *x)
{
    const int64_t count = x->shape.dim[1];
    dp_tensor *y = (dp_tensor *)channels;
    return x->shape.rank == 2 ? dp_tensor_retain(y) : dp_reshape(y, DP_SHAPE(count, 1, 1));
}

/* Moves the running statistics and makes `inverse`, in one launch over the channels. */
static dp_status move_running(normalization *n, dp_tensor *variance, dp_tensor *running_mean,
                              dp_tensor *running_variance, double momentum)
{
    const double count = (double)dp_tensor_size(n->x) / (double)n->x->shape.dim[1];
    const dp_shape channels = {1, {n->x->shape.dim[1]}};
    dp_tensor *m = dp_reshape(n->mean, channels), *v = dp_reshape(variance, channels), *inverse = NULL;
    n->inverse = dp_empty(n->device, DP_F32, variance->shape);
    if (n->inverse)
        inverse = dp_reshape(n->inverse, channels);
    dp_status status = DP_ERROR_MEMORY;
    if (m && v && inverse)
        status = dp_map_into(n->device, "rm + k * (m - rm), rv + k * (u * v - rv), rsqrt(v + eps)",
                             DP_ARGS({"m", m, 0}, {"v", v, 0}, {"rm", running_mean, 0},
                                     {"rv", running_variance, 0}, {.name = "k", .scalar = momentum},
                                     {.name = "u", .scalar = count / (count - 1)},
                                     {.name = "eps", .scalar = n->params.epsilon}),
                             (dp_tensor *const[]){running_mean, running_variance, inverse}, 3);
    dp_tensor_release(&m);
    dp_tensor_release(&v);
    dp_tensor_release(&inverse);
    return status;
}

static dp_tensor *train(normalization *n, dp_tensor *running_mean, dp_tensor *running_variance,
                        double momentum)
{
    dp_tensor *variance = NULL, *y = NULL;
    dp__record_pause(n->device);
    dp_status status = statistics(n, &variance);
    if (status == DP_OK && running_mean && n->x->shape.dim[1] > 0)
        status = move_running(n, variance, running_mean, running_variance, momentum);
    if (status == DP_OK)
        y = normalize(n, variance);
    dp_tensor_release(&variance);
    dp__record_resume(n->device);
    return record(n, y);
}

static dp_tensor *infer(const normalization *n, const dp_tensor *running_mean,
                        const dp_tensor *running_variance)
{
    dp_tensor *m = beside(running_mean, n->x), *v = beside(running_variance, n->x);
    dp_tensor *y = m && v ? apply(n, m, v, true) : NULL;
    dp_tensor_release(&m);
    dp_tensor_release(&v);
    return y;
}

dp_tensor *dp_batch_norm(dp_device *device, const dp_tensor *x, const dp_tensor *scale,
                         const dp_tensor *shift, dp_tensor *running_mean, dp_tensor *running_variance,
                         const dp_batch_norm_params *params)
{
    dp_batch_norm_params p;
    if (check_batch_norm(device, x, scale, shift, running_mean, running_variance,
                         params && params->training) != DP_OK ||
        fill_params(device, params, &p) != DP_OK)
        return NULL;
    normalization n = {.device = device, .x = x, .formula = dp__activation_formula(p.activation)};
    n.params =
        (dp__normalize_params){.axes = x->shape.rank == 2 ? DP_AXIS(0) : DP_AXIS(0) | DP_AXIS(2) | DP_AXIS(3),
                               .epsilon = p.epsilon,
                               .slope = p.slope};
    if (p.activation != DP_ACTIVATION_NONE)
        n.params.derivative = dp__activation_derivative(p.activation);
    n.scale = scale ? beside(scale, x) : NULL;
    n.shift = shift ? beside(shift, x) : NULL;
    dp_tensor *y = NULL;
    if (!scale == !n.scale && !shift == !n.shift)
        y = p.training ? train(&n, running_mean, running_variance, p.momentum)
                       : infer(&n, running_mean, running_variance);
    drop(&n);
    return y;
}

/* Layer norm. */

static dp_status check_affine(dp_device *device, const dp_tensor *x, int axes, const dp_tensor *y,
                              const char *name)
{
    char tx[DP_SHAPE_TEXT], ty[DP_SHAPE_TEXT];
    dp_shape last = {axes, {0}}, common;
    if (!y)
        return DP_OK;
    DP_CHECK(dp__check_dtype(device, y, name, DP_F32));
    for (int axis = 0; axis < axes; axis++)
        last.dim[axis] = x->shape.dim[x->shape.rank - axes + axis];
    if (!dp__shape_broadcast(&y->shape, &last, &common) || !dp__shape_equal(&common, &last))
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "layer_norm: %s %s does not broadcast to the last axes of x %s, %d of them", name,
                        dp__shape_text(&y->shape, ty), dp__shape_text(&x->shape, tx), axes);
    return DP_OK;
}

static dp_status check_layer_norm(dp_device *device, const dp_tensor *x, int axes, const dp_tensor *scale,
                                  const dp_tensor *shift, double epsilon)
{
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, x, "x", DP_F32));
    if (axes < 1 || axes > x->shape.rank)
        return dp__fail(device, DP_ERROR_ARGUMENT, "layer_norm: axes is %d: 1 to x's rank, %d, is allowed",
                        axes, x->shape.rank);
    DP_CHECK(check_affine(device, x, axes, scale, "scale"));
    DP_CHECK(check_affine(device, x, axes, shift, "shift"));
    return dp__check_within(device, "layer_norm", "epsilon", epsilon, 0, 1e30, false);
}

dp_tensor *dp_layer_norm(dp_device *device, const dp_tensor *x, int axes, const dp_tensor *scale,
                         const dp_tensor *shift, double epsilon)
{
    if (check_layer_norm(device, x, axes, scale, shift, epsilon) != DP_OK)
        return NULL;
    normalization n = {.device = device, .x = x, .formula = "z"};
    n.params.epsilon = epsilon == 0 ? 1e-5 : epsilon;
    n.params.inner = true;
    for (int axis = x->shape.rank - axes; axis < x->shape.rank; axis++)
        n.params.axes |= DP_AXIS(axis);
    n.scale = dp_tensor_retain((dp_tensor *)scale);
    n.shift = dp_tensor_retain((dp_tensor *)shift);
    dp_tensor *variance = NULL, *y = NULL;
    dp__record_pause(device);
    if (statistics(&n, &variance) == DP_OK)
        y = normalize(&n, variance);
    dp_tensor_release(&variance);
    dp__record_resume(device);
    y = record(&n, y);
    drop(&n);
    return y;
}
