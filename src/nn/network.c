/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: making, asking, copies. */
#include "nn/network.h"
#include <dipole/grad.h>
#include <string.h>

static dp_status check_init(dp_network *network, const dp_network_init *init)
{
    network->init = init ? *init : (dp_network_init){0};
    if ((unsigned)network->init.scheme >= DP_INIT_COUNT)
        return dp__fail(network->device, DP_ERROR_ARGUMENT, "network: scheme %d is not in dp_init_scheme",
                        (int)network->init.scheme);
    network->init.deviation = network->init.deviation == 0 ? 0.02 : network->init.deviation;
    return dp__check_within(network->device, "network", "deviation", network->init.deviation, 0, 1e30, false);
}

static dp_status create(dp_network *network, const dp_layer *layers, int count, const dp_network_init *init)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(check_init(network, init));
    if (!layers || count < 1 || count > 4096)
        return dp__fail(network->device, DP_ERROR_ARGUMENT, "network: %d layers%s: 1 to 4096 are allowed",
                        count, layers ? "" : " at NULL");
    const dp_shape *in = &network->in;
    const bool fits = in->rank >= 0 && in->rank < DP_MAX_RANK;
    if (!fits || dp__shape_size(in) < 1 || dp__shape_size(in) > INT32_MAX)
        return dp__fail(network->device, DP_ERROR_ARGUMENT,
                        "network: an input of shape %s: rank 0 to %d and 1 to 2^31 - 1 elements are allowed",
                        fits ? dp__shape_text(in, text) : "(bad rank)", DP_MAX_RANK - 1);
    DP_CHECK(dp__network_layout(network, layers, count));
    return dp__network_initialise(network);
}

dp_network *dp_network_create(dp_device *device, const dp_layer *layers, int count, dp_shape shape,
                              uint64_t seed, const dp_network_init *init)
{
    if (dp__check_device(device) != DP_OK)
        return NULL;
    dp_network *network = dp__alloc(1, sizeof *network);
    if (!network) {
        dp__fail(device, DP_ERROR_MEMORY, "no memory for a network");
        return NULL;
    }
    *network = (dp_network){.device = device, .in = shape, .seed = seed, .step = DP__NOTHING};
    if (create(network, layers, count, init) != DP_OK)
        dp_network_destroy(&network);
    return network;
}

static void drop(dp__entries *entries)
{
    for (size_t k = 0; k < entries->count; k++) {
        dp__free(entries->list[k].name);
        dp_tensor_release(&entries->list[k].tensor);
    }
    dp_tensor_release(&entries->memory);
    dp__free(entries->list);
}

void dp_network_destroy(dp_network **network)
{
    if (!network || !*network)
        return;
    drop(&(*network)->parameters);
    drop(&(*network)->state);
    dp__network_free_nodes((*network)->nodes, (*network)->count);
    dp__free(*network);
    *network = NULL;
}

/* Asking. */

dp_device *dp_network_device(const dp_network *network)
{
    return network ? network->device : NULL;
}

int dp_network_layer_count(const dp_network *network)
{
    return network ? network->count : 0;
}

dp_shape dp_network_shape(const dp_network *network, int layer)
{
    if (!network || layer < 0 || layer > network->count)
        return (dp_shape){0};
    return layer == 0 ? network->in : network->nodes[layer - 1].out;
}

static const dp__entry *at(const dp__entries *entries, int index)
{
    return index >= 0 && (size_t)index < entries->count ? &entries->list[index] : NULL;
}

int dp_network_parameter_count(const dp_network *network)
{
    return network ? (int)network->parameters.count : 0;
}

int64_t dp_network_parameter_elements(const dp_network *network)
{
    int64_t sum = 0;
    for (int k = 0; k < dp_network_parameter_count(network); k++)
        sum += dp_tensor_size(network->parameters.list[k].tensor);
    return sum;
}

dp_tensor *dp_network_parameter(const dp_network *network, int index)
{
    const dp__entry *entry = network ? at(&network->parameters, index) : NULL;
    return entry ? entry->tensor : NULL;
}

const char *dp_network_parameter_name(const dp_network *network, int index)
{
    const dp__entry *entry = network ? at(&network->parameters, index) : NULL;
    return entry ? entry->name : NULL;
}

int dp_network_state_count(const dp_network *network)
{
    return network ? (int)network->state.count : 0;
}

dp_tensor *dp_network_state(const dp_network *network, int index)
{
    const dp__entry *entry = network ? at(&network->state, index) : NULL;
    return entry ? entry->tensor : NULL;
}

const char *dp_network_state_name(const dp_network *network, int index)
{
    const dp__entry *entry = network ? at(&network->state, index) : NULL;
    return entry ? entry->name : NULL;
}

dp_tensor *dp_network_find(const dp_network *network, const char *name)
{
    for (int list = 0; network && name && list < 2; list++) {
        const dp__entries *entries = list == 0 ? &network->parameters : &network->state;
        for (size_t k = 0; k < entries->count; k++)
            if (!strcmp(entries->list[k].name, name))
                return entries->list[k].tensor;
    }
    return NULL;
}

void dp_network_grad_clear(dp_network *network)
{
    for (int k = 0; k < dp_network_parameter_count(network); k++)
        dp_grad_clear(network->parameters.list[k].tensor);
}

/* Copies. */

static bool alike(const dp__entries *a, const dp__entries *b)
{
    bool same = a->count == b->count;
    for (size_t k = 0; same && k < a->count; k++)
        same = !strcmp(a->list[k].name, b->list[k].name) &&
               dp__shape_equal(&a->list[k].shape, &b->list[k].shape);
    return same;
}

static dp_status check_pair(const dp_network *network, const dp_network *from, const char *name)
{
    if (!network)
        return DP_ERROR_ARGUMENT;
    DP_CHECK(dp__check_device(network->device));
    if (!from)
        return dp__fail(network->device, DP_ERROR_ARGUMENT, "%s: from is NULL", name);
    if (!alike(&network->parameters, &from->parameters) || !alike(&network->state, &from->state))
        return dp__fail(network->device, DP_ERROR_ARGUMENT,
                        "%s: the networks' parameters differ in names or shapes", name);
    return DP_OK;
}

/* All of one kind, from whatever device. */
static dp_status copy(dp_device *device, const dp__entries *to, const dp__entries *from)
{
    if (to->elements == 0)
        return DP_OK;
    dp_tensor *memory = to->memory;
    dp_tensor *values =
        from->memory->device == device ? dp_tensor_retain(from->memory) : dp_copy(device, from->memory);
    const dp_status status =
        values ? dp_map_into(device, "x", DP_ARGS({"x", values, 0}), &memory, 1) : dp_failed(device);
    dp_tensor_release(&values);
    return status;
}

dp_status dp_network_copy(dp_network *network, const dp_network *from)
{
    DP_CHECK(check_pair(network, from, "network_copy"));
    if (network == from)
        return DP_OK;
    DP_CHECK(copy(network->device, &network->parameters, &from->parameters));
    return copy(network->device, &network->state, &from->state);
}

dp_status dp_network_average(dp_network *network, const dp_network *from, double decay)
{
    DP_CHECK(check_pair(network, from, "network_average"));
    DP_CHECK(dp__check_within(network->device, "network_average", "decay", decay, 0, 1, false));
    if (network == from || network->device != from->device)
        return dp__fail(network->device, DP_ERROR_ARGUMENT,
                        "network_average: two networks on one device are needed");
    dp_tensor *memory = network->parameters.memory;
    if (network->parameters.elements > 0)
        DP_CHECK(dp_map_into(
            network->device, "b + decay * (a - b)",
            DP_ARGS({"a", memory, 0}, {"b", from->parameters.memory, 0}, {.name = "decay", .scalar = decay}),
            &memory, 1));
    return copy(network->device, &network->state, &from->state);
}
