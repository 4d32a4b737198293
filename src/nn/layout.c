/* SPDX-License-Identifier: Apache-2.0 */
/* From a table of layers to checked nodes with their shapes, and to the list of what the network has to hold.
 */
#include "nn/network.h"
#include <stdio.h>

enum { MAX_DEPTH = 16, ALIGNMENT = 64 };

typedef struct builder {
    dp_network *network;
    int depth;
    char prefix[256]; /* "3.body." */
} builder;

static const char *const names[DP_LAYER_COUNT] = {
    [DP_LAYER_LINEAR] = "linear",         [DP_LAYER_CONV2D] = "conv2d",
    [DP_LAYER_BATCH_NORM] = "batch_norm", [DP_LAYER_CONV2D_TRANSPOSED] = "conv2d_transposed",
    [DP_LAYER_LAYER_NORM] = "layer_norm", [DP_LAYER_ACTIVATION] = "activation",
    [DP_LAYER_DROPOUT] = "dropout",       [DP_LAYER_RESHAPE] = "reshape",
    [DP_LAYER_FLATTEN] = "flatten",       [DP_LAYER_GLOBAL_AVERAGE_POOL] = "global_average_pool",
    [DP_LAYER_RESIDUAL] = "residual",
};

const char *dp_layer_name(dp_layer_kind kind)
{
    return (unsigned)kind < DP_LAYER_COUNT ? names[kind] : "unknown";
}

/* splitmix64 (Steele, Lea, Flood 2014) */
uint64_t dp__seed_at(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static dp_status refuse(const builder *b, int number, const dp__node *node, const char *what)
{
    char text[DP_SHAPE_TEXT];
    return dp__fail(b->network->device, DP_ERROR_ARGUMENT, "network: layer %s%d (%s) of an input %s: %s",
                    b->prefix, number, dp_layer_name(node->layer.kind), dp__shape_text(&node->in, text),
                    what);
}

/* A new entry: its index, or DP__NOTHING with the reason kept. */
static int add(const builder *b, dp__entries *entries, int number, const char *name, dp_shape shape)
{
    dp__text text = {0};
    const int64_t size = dp__shape_size(&shape);
    if (size < 0 || entries->elements + size > INT32_MAX) {
        dp__fail(b->network->device, DP_ERROR_ARGUMENT,
                 "network: %s%d.%s: more than 2^31 - 1 elements together", b->prefix, number, name);
        return DP__NOTHING;
    }
    if (number == DP__NOTHING)
        dp__text_add(&text, "%s", name);
    else
        dp__text_add(&text, "%s%d.%s", b->prefix, number, name);
    if (text.failed ||
        !dp__grow(&entries->list, &entries->capacity, entries->count + 1, sizeof *entries->list)) {
        dp__text_free(&text);
        dp__fail(b->network->device, DP_ERROR_MEMORY, "no memory for the list of the network's tensors");
        return DP__NOTHING;
    }
    entries->list[entries->count] =
        (dp__entry){.name = text.data, .shape = shape, .offset = entries->elements};
    entries->elements += DP_CEIL_DIV(size, ALIGNMENT) * ALIGNMENT;
    return (int)entries->count++;
}

static dp_status add_parameter(const builder *b, int number, const char *name, dp_shape shape, dp__role role,
                               const double fan[2], int *index)
{
    dp__entries *parameters = &b->network->parameters;
    if ((*index = add(b, parameters, number, name, shape)) == DP__NOTHING)
        return dp_failed(b->network->device);
    dp__entry *entry = &parameters->list[*index];
    entry->role = role;
    entry->fan_in = fan[0];
    entry->fan_out = fan[1];
    return DP_OK;
}

static dp_status add_state(const builder *b, int number, const char *name, dp_shape shape, double value,
                           int *index)
{
    dp__entries *state = &b->network->state;
    if ((*index = add(b, state, number, name, shape)) == DP__NOTHING)
        return dp_failed(b->network->device);
    state->list[*index].value = value;
    return DP_OK;
}

/* weight, and bias of `outputs`, of a product or convolution. */
static dp_status add_product(const builder *b, int number, dp__node *node, dp_shape weight,
                             const double fan[2])
{
    const int64_t outputs = node->layer.outputs;
    DP_CHECK(add_parameter(b, number, "weight", weight, DP__WEIGHT, fan, &node->weight));
    return node->layer.no_bias
               ? DP_OK
               : add_parameter(b, number, "bias", DP_SHAPE(outputs), DP__BIAS, fan, &node->bias);
}

static dp_status linear(builder *b, int number, dp__node *node)
{
    const int64_t outputs = node->layer.outputs;
    if (node->in.rank < 1 || node->in.dim[node->in.rank - 1] < 1 || outputs < 1)
        return refuse(b, number, node, "an axis and 1 or more outputs are needed");
    const int64_t in = node->in.dim[node->in.rank - 1];
    node->out.dim[node->in.rank - 1] = outputs;
    return add_product(b, number, node, DP_SHAPE(outputs, in), (const double[]){(double)in, (double)outputs});
}

/* Where the second size of a kernel is not given, the second of all pairs is as the first. */
static bool fill_window(dp_layer *layer)
{
    int *const pairs[] = {layer->stride, layer->padding, layer->output_padding, layer->dilation,
                          layer->kernel};
    for (int k = 0; k < 5; k++)
        if (layer->kernel[1] == 0)
            pairs[k][1] = pairs[k][0];
    bool good = true;
    layer->groups = layer->groups == 0 ? 1 : layer->groups;
    for (int axis = 0; axis < 2; axis++) {
        layer->stride[axis] = layer->stride[axis] == 0 ? 1 : layer->stride[axis];
        layer->dilation[axis] = layer->dilation[axis] == 0 ? 1 : layer->dilation[axis];
        for (int k = 0; k < 5; k++)
            good = good && pairs[k][axis] >= 0 && pairs[k][axis] <= 1 << 20;
        good = good && layer->kernel[axis] >= 1;
    }
    return good;
}

static dp_status convolution(builder *b, int number, dp__node *node)
{
    dp_layer *l = &node->layer;
    const bool transposed = l->kind == DP_LAYER_CONV2D_TRANSPOSED;
    if (node->in.rank != 3 || node->in.dim[0] < 1)
        return refuse(b, number, node, "[C, H, W] is needed");
    if (!fill_window(l) || l->outputs < 1 || l->groups < 1 || l->outputs % l->groups ||
        node->in.dim[0] % l->groups)
        return refuse(b, number, node,
                      "outputs and kernel of 1 or more are needed, no negative or huge size, and groups that "
                      "divide both "
                      "numbers of channels");
    node->out.dim[0] = l->outputs;
    for (int axis = 0; axis < 2; axis++) {
        const int64_t size = node->in.dim[1 + axis],
                      window = (int64_t)l->dilation[axis] * (l->kernel[axis] - 1) + 1;
        if (transposed && l->output_padding[axis] >= DP_MAX2(l->stride[axis], l->dilation[axis]))
            return refuse(b, number, node, "output_padding must be below the stride or the dilation");
        const int64_t covered = size + 2 * (int64_t)l->padding[axis] - window;
        node->out.dim[1 + axis] = transposed ? (size - 1) * l->stride[axis] - 2 * (int64_t)l->padding[axis] +
                                                   window + l->output_padding[axis]
                                  : covered < 0 ? 0
                                                : covered / l->stride[axis] + 1;
        if (size < 1 || node->out.dim[1 + axis] < 1)
            return refuse(b, number, node, "no row or column would be left");
    }
    const int64_t c = node->in.dim[0], k = l->outputs, area = (int64_t)l->kernel[0] * l->kernel[1];
    const int64_t first = transposed ? c : k, second = (transposed ? k : c) / l->groups;
    return add_product(b, number, node, DP_SHAPE(first, second, l->kernel[0], l->kernel[1]),
                       (const double[]){(double)(second * area), (double)(first * area)});
}

static dp_status norm(builder *b, int number, dp__node *node)
{
    const dp_layer *l = &node->layer;
    const bool batch = l->kind == DP_LAYER_BATCH_NORM, images = node->in.rank == 3;
    if (batch ? node->in.rank != 1 && !images : node->in.rank < 1)
        return refuse(b, number, node, batch ? "[C] or [C, H, W] is needed" : "an axis is needed");
    DP_CHECK(dp__check_within(b->network->device, "network", "momentum", l->momentum, 0, 1, false));
    DP_CHECK(dp__check_within(b->network->device, "network", "epsilon", l->epsilon, 0, 1e30, false));
    const int64_t channels = node->in.dim[0];
    const dp_shape shape = batch || images ? DP_SHAPE(channels) : node->in;
    const double fan[2] = {1, 1};
    if (!l->no_affine) {
        DP_CHECK(add_parameter(b, number, "weight", shape, DP__SCALE, fan, &node->weight));
        DP_CHECK(add_parameter(b, number, "bias", shape, DP__SHIFT, fan, &node->bias));
    }
    if (!batch)
        return DP_OK;
    DP_CHECK(add_state(b, number, "running_mean", shape, 0, &node->mean));
    return add_state(b, number, "running_var", shape, 1, &node->variance);
}

static dp_status dropout(builder *b, int number, dp__node *node)
{
    (void)number;
    node->seed = dp__seed_at(~b->network->seed, b->network->dropouts++);
    DP_CHECK(dp__check_within(b->network->device, "network: dropout", "rate", node->layer.rate, 0, 1, true));
    if (b->network->step == DP__NOTHING)
        DP_CHECK(add_state(b, DP__NOTHING, "dropout.step", DP_SCALAR, 0, &b->network->step));
    return DP_OK;
}

static dp_status reshape(builder *b, int number, dp__node *node)
{
    const int64_t size = dp__shape_size(&node->in);
    dp_shape shape = node->layer.kind == DP_LAYER_FLATTEN ? DP_SHAPE(size) : node->layer.shape;
    int open = DP__NOTHING;
    int64_t rest = 1;
    bool good = shape.rank >= 0 && shape.rank < DP_MAX_RANK; /* the batch axis is one more */
    for (int axis = 0; good && axis < shape.rank; axis++) {
        if (shape.dim[axis] == -1 && open == DP__NOTHING)
            open = axis;
        else if (shape.dim[axis] < 1 || (rest *= shape.dim[axis]) > size)
            good = false;
    }
    if (good && open != DP__NOTHING)
        shape.dim[open] = size / rest;
    if (!good || dp__shape_size(&shape) != size)
        return refuse(b, number, node, "shape has another number of elements");
    node->out = shape;
    return DP_OK;
}

static dp_status pool(builder *b, int number, dp__node *node)
{
    const int64_t channels = node->in.dim[0];
    if (node->in.rank != 3)
        return refuse(b, number, node, "[C, H, W] is needed");
    node->out = DP_SHAPE(channels);
    return DP_OK;
}

static dp_status build(builder *b, const dp_layer *layers, int count, dp_shape in, dp__node **nodes,
                       int *built);

/* body or shortcut: its output in *out. */
static dp_status branch(builder *b, int number, const char *name, const dp_layer *layers, int count,
                        dp__node *node, dp__node **nodes, int *built, dp_shape *out)
{
    builder inner = {b->network, b->depth + 1, ""};
    const int length = snprintf(inner.prefix, sizeof inner.prefix, "%s%d.%s.", b->prefix, number, name);
    if (length >= (int)sizeof inner.prefix || count < 0 || count > 4096 || !layers || inner.depth > MAX_DEPTH)
        return refuse(b, number, node, "a body of 1 to 4096 layers is needed, and 16 levels at most");
    DP_CHECK(build(&inner, layers, count, node->in, nodes, built));
    *out = (*nodes)[count - 1].out;
    return DP_OK;
}

static dp_status residual(builder *b, int number, dp__node *node)
{
    const dp_layer *l = &node->layer;
    dp_shape body = node->in, shortcut = node->in;
    if (l->body_count < 1)
        return refuse(b, number, node, "a body of 1 to 4096 layers is needed");
    DP_CHECK(branch(b, number, "body", l->body, l->body_count, node, &node->body, &node->body_count, &body));
    if (l->shortcut_count != 0)
        DP_CHECK(branch(b, number, "shortcut", l->shortcut, l->shortcut_count, node, &node->shortcut,
                        &node->shortcut_count, &shortcut));
    if (!dp__shape_equal(&body, &shortcut)) {
        char what[2 * DP_SHAPE_TEXT + 64], tb[DP_SHAPE_TEXT], ts[DP_SHAPE_TEXT];
        snprintf(what, sizeof what, "body gives %s and shortcut %s", dp__shape_text(&body, tb),
                 dp__shape_text(&shortcut, ts));
        return refuse(b, number, node, what);
    }
    node->out = body;
    return DP_OK;
}

static dp_status nothing(builder *b, int number, dp__node *node)
{
    (void)b, (void)number, (void)node;
    return DP_OK;
}

static dp_status (*const checks[DP_LAYER_COUNT])(builder *, int, dp__node *) = {
    [DP_LAYER_LINEAR] = linear,
    [DP_LAYER_CONV2D] = convolution,
    [DP_LAYER_CONV2D_TRANSPOSED] = convolution,
    [DP_LAYER_BATCH_NORM] = norm,
    [DP_LAYER_LAYER_NORM] = norm,
    [DP_LAYER_ACTIVATION] = nothing,
    [DP_LAYER_DROPOUT] = dropout,
    [DP_LAYER_RESHAPE] = reshape,
    [DP_LAYER_FLATTEN] = reshape,
    [DP_LAYER_GLOBAL_AVERAGE_POOL] = pool,
    [DP_LAYER_RESIDUAL] = residual,
};

static dp_status build(builder *b, const dp_layer *layers, int count, dp_shape in, dp__node **nodes,
                       int *built)
{
    char name[300];
    *nodes = dp__alloc((size_t)DP_MAX2(count, 1), sizeof **nodes);
    if (!*nodes)
        return dp__fail(b->network->device, DP_ERROR_MEMORY, "no memory for %d layers", count);
    *built = count; /* those that are not looked at yet are all zero */
    for (int k = 0; k < count; in = (*nodes)[k++].out) {
        dp__node *node = &(*nodes)[k];
        *node = (dp__node){layers[k],   in, in,   DP__NOTHING, DP__NOTHING, DP__NOTHING,
                           DP__NOTHING, 0,  NULL, NULL,        0,           0};
        snprintf(name, sizeof name, "network: layer %s%d", b->prefix, k);
        if ((unsigned)node->layer.kind >= DP_LAYER_COUNT)
            return dp__fail(b->network->device, DP_ERROR_ARGUMENT, "%s: kind %d is not in dp_layer_kind",
                            name, (int)node->layer.kind);
        DP_CHECK(
            dp__check_activation(b->network->device, name, node->layer.activation, node->layer.slope, true));
        DP_CHECK(checks[node->layer.kind](b, k, node));
    }
    return DP_OK;
}

dp_status dp__network_layout(dp_network *network, const dp_layer *layers, int count)
{
    builder b = {.network = network};
    return build(&b, layers, count, network->in, &network->nodes, &network->count);
}

void dp__network_free_nodes(dp__node *nodes, int count)
{
    for (int k = 0; nodes && k < count; k++) {
        dp__network_free_nodes(nodes[k].body, nodes[k].body_count);
        dp__network_free_nodes(nodes[k].shortcut, nodes[k].shortcut_count);
    }
    dp__free(nodes);
}
