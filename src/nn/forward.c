/* SPDX-License-Identifier: Apache-2.0 */
/* Going through a network. */
#include "nn/network.h"

static dp_tensor *parameter(const dp_network *network, int index)
{
    return index == DP__NOTHING ? NULL : network->parameters.list[index].tensor;
}

static dp_tensor *state(const dp_network *network, int index)
{
    return index == DP__NOTHING ? NULL : network->state.list[index].tensor;
}

/* A node's parameter as [C, 1, 1]; NULL where there is none. */
static dp_tensor *of_channels(dp_tensor *channels)
{
    const int64_t count = dp_tensor_size(channels);
    return channels ? dp_reshape(channels, DP_SHAPE(count, 1, 1)) : NULL;
}

/* An activation that a layer can have as a part of it. */
static dp_activation_kind fused(const dp__node *node)
{
    return node->layer.activation == DP_ACTIVATION_SOFTMAX ? DP_ACTIVATION_NONE : node->layer.activation;
}

static dp_tensor *linear(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    (void)training;
    return dp__linear(n->device, x, parameter(n, node->weight), parameter(n, node->bias), fused(node),
                      node->layer.slope);
}

static dp_tensor *convolution(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    (void)training;
    char text[DP__EPILOGUE_TEXT];
    dp_arg arg[2];
    dp_args args;
    const dp_layer *l = &node->layer;
    dp_tensor *bias = of_channels(parameter(n, node->bias)), *w = parameter(n, node->weight), *y = NULL;
    if (node->bias != DP__NOTHING && !bias)
        return NULL;
    const char *epilogue = dp__activation_epilogue(bias, fused(node), l->slope, text, arg, &args);
    if (l->kind == DP_LAYER_CONV2D)
        y = dp_conv2d(n->device, x, w,
                      &(dp_conv2d_params){.stride = {l->stride[0], l->stride[1]},
                                          .padding = {l->padding[0], l->padding[1]},
                                          .dilation = {l->dilation[0], l->dilation[1]},
                                          .groups = l->groups,
                                          .epilogue = epilogue,
                                          .epilogue_args = args});
    else
        y = dp_conv2d_transposed(
            n->device, x, w,
            &(dp_conv2d_transposed_params){.stride = {l->stride[0], l->stride[1]},
                                           .padding = {l->padding[0], l->padding[1]},
                                           .output_padding = {l->output_padding[0], l->output_padding[1]},
                                           .dilation = {l->dilation[0], l->dilation[1]},
                                           .groups = l->groups,
                                           .epilogue = epilogue,
                                           .epilogue_args = args});
    dp_tensor_release(&bias);
    return y;
}

static dp_tensor *batch_norm(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    const dp_batch_norm_params p = {training, node->layer.momentum, node->layer.epsilon, fused(node),
                                    node->layer.slope};
    return dp_batch_norm(n->device, x, parameter(n, node->weight), parameter(n, node->bias),
                         state(n, node->mean), state(n, node->variance), &p);
}

static dp_tensor *layer_norm(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    (void)training;
    dp_tensor *scale = parameter(n, node->weight), *shift = parameter(n, node->bias), *y = NULL;
    const bool images = node->in.rank == 3 && scale;
    scale = images ? of_channels(scale) : dp_tensor_retain(scale);
    shift = images ? of_channels(shift) : dp_tensor_retain(shift);
    if ((scale && shift) || node->weight == DP__NOTHING)
        y = dp_layer_norm(n->device, x, node->in.rank, scale, shift, node->layer.epsilon);
    dp_tensor_release(&scale);
    dp_tensor_release(&shift);
    return y;
}

static dp_tensor *as_it_is(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    (void)n, (void)node, (void)training;
    return dp_tensor_retain((dp_tensor *)x);
}

static dp_tensor *dropout(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    return dp_dropout(n->device, x, node->layer.rate, node->seed, state(n, n->step), training);
}

static dp_shape with_batch(const dp_tensor *x, const dp_shape *shape)
{
    dp_shape full = {shape->rank + 1, {x->shape.dim[0]}};
    for (int axis = 0; axis < shape->rank; axis++)
        full.dim[axis + 1] = shape->dim[axis];
    return full;
}

static dp_tensor *reshape(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    (void)training;
    return dp__in_shape(n->device, x, with_batch(x, &node->out));
}

static dp_tensor *pool(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    (void)node, (void)training;
    return dp_reduce(n->device, x, DP_MEAN, DP_AXIS(2) | DP_AXIS(3));
}

static dp_tensor *run(const dp_network *n, const dp__node *nodes, int count, const dp_tensor *x,
                      bool training);

static dp_tensor *residual(const dp_network *n, const dp__node *node, const dp_tensor *x, bool training)
{
    dp_tensor *body = run(n, node->body, node->body_count, x, training), *y = NULL;
    dp_tensor *shortcut = body ? run(n, node->shortcut, node->shortcut_count, x, training) : NULL;
    dp__text formula = {0};
    dp__text_add(&formula, "z = x + y; %s", dp__activation_formula(fused(node)));
    if (shortcut && formula.failed)
        dp__fail(n->device, DP_ERROR_MEMORY, "no memory for a formula");
    else if (shortcut)
        y = dp_map(
            n->device, formula.data,
            DP_ARGS({"x", body, 0}, {"y", shortcut, 0}, {.name = "slope", .scalar = node->layer.slope}));
    dp__text_free(&formula);
    dp_tensor_release(&body);
    dp_tensor_release(&shortcut);
    return y;
}

/* `fuses`: it applies all activations but SOFTMAX itself. */
static const struct {
    dp_tensor *(*run)(const dp_network *, const dp__node *, const dp_tensor *, bool training);
    bool fuses;
} kinds[DP_LAYER_COUNT] = {
    [DP_LAYER_LINEAR] = {linear, true},
    [DP_LAYER_CONV2D] = {convolution, true},
    [DP_LAYER_CONV2D_TRANSPOSED] = {convolution, true},
    [DP_LAYER_BATCH_NORM] = {batch_norm, true},
    [DP_LAYER_LAYER_NORM] = {layer_norm, false},
    [DP_LAYER_ACTIVATION] = {as_it_is, false},
    [DP_LAYER_DROPOUT] = {dropout, false},
    [DP_LAYER_RESHAPE] = {reshape, false},
    [DP_LAYER_FLATTEN] = {reshape, false},
    [DP_LAYER_GLOBAL_AVERAGE_POOL] = {pool, false},
    [DP_LAYER_RESIDUAL] = {residual, true},
};

/* A new reference, of x itself where there is no node. */
static dp_tensor *run(const dp_network *n, const dp__node *nodes, int count, const dp_tensor *x,
                      bool training)
{
    dp_tensor *y = dp_tensor_retain((dp_tensor *)x);
    for (int k = 0; k < count && y; k++) {
        const dp_layer *l = &nodes[k].layer;
        dp_tensor *next = kinds[l->kind].run(n, &nodes[k], y, training);
        dp_tensor_release(&y);
        y = next;
        if (y && (!kinds[l->kind].fuses || l->activation == DP_ACTIVATION_SOFTMAX)) {
            next = dp_activation(n->device, y, l->activation, l->slope);
            dp_tensor_release(&y);
            y = next;
        }
    }
    return y;
}

static dp_status check(const dp_network *n, const dp_tensor *x, int first, int last)
{
    char tx[DP_SHAPE_TEXT], tn[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_device(n->device));
    if (first < 0 || first > last || last > n->count)
        return dp__fail(n->device, DP_ERROR_ARGUMENT, "network_forward: layers %d to %d of %d", first, last,
                        n->count);
    DP_CHECK(dp__check_dtype(n->device, x, "x", DP_F32));
    const dp_shape in = dp_network_shape(n, first);
    bool good = x->shape.rank == in.rank + 1;
    for (int axis = 0; good && axis < in.rank; axis++)
        good = x->shape.dim[axis + 1] == in.dim[axis];
    if (!good)
        return dp__fail(n->device, DP_ERROR_ARGUMENT,
                        "network_forward: x has shape %s: a batch axis and then %s is needed",
                        dp__shape_text(&x->shape, tx), dp__shape_text(&in, tn));
    return DP_OK;
}

dp_tensor *dp_network_forward_range(dp_network *network, const dp_tensor *x, int first, int last,
                                    bool training)
{
    if (!network || check(network, x, first, last) != DP_OK)
        return NULL;
    dp_tensor *step = state(network, network->step);
    if (training && step && dp_map_into(network->device, "s + 1", DP_ARGS({"s", step, 0}), &step, 1) != DP_OK)
        return NULL;
    return run(network, network->nodes + first, last - first, x, training);
}

dp_tensor *dp_network_forward(dp_network *network, const dp_tensor *x, bool training)
{
    return network ? dp_network_forward_range(network, x, 0, network->count, training) : NULL;
}
