/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a network, and its first values: random numbers that have the same bits on every device, times or
 * plus one number, each rounded by itself. */
#include "nn/network.h"
#include <dipole/grad.h>
#include <math.h>

static dp_status place(dp_device *device, dp__entries *entries)
{
    entries->memory = dp_full(device, DP_F32, (dp_shape){1, {entries->elements}}, 0);
    for (size_t k = 0; k < entries->count; k++) {
        dp__entry *entry = &entries->list[k];
        dp_tensor *part =
            dp_slice(entries->memory, 0, entry->offset, entry->offset + dp__shape_size(&entry->shape), 1);
        entry->tensor = part ? dp_reshape(part, entry->shape) : NULL;
        dp_tensor_release(&part);
        if (!entry->tensor)
            return dp_failed(device);
    }
    return DP_OK;
}

/* Takes `values` over. */
static dp_status put(dp_device *device, const dp__entry *entry, dp_tensor *values, double factor)
{
    dp_tensor *tensor = entry->tensor;
    const dp_status status =
        values ? dp_map_into(device, "k * x", DP_ARGS({"x", values, 0}, {.name = "k", .scalar = factor}),
                             &tensor, 1)
               : dp_failed(device);
    dp_tensor_release(&values);
    return status;
}

static dp_status uniform(dp_device *device, const dp__entry *entry, uint64_t seed, double limit)
{
    return put(device, entry, dp_uniform(device, seed, entry->shape, -1, 1), limit);
}

static dp_status normal(dp_device *device, const dp__entry *entry, uint64_t seed, double deviation)
{
    return put(device, entry, dp_randn(device, seed, entry->shape), deviation);
}

static dp_status first_values(const dp_network *network, const dp__entry *entry, uint64_t seed)
{
    dp_device *device = network->device;
    dp_tensor *tensor = entry->tensor;
    const dp_init_scheme scheme = network->init.scheme;
    const double deviation = network->init.deviation;
    if (dp_tensor_size(tensor) == 0)
        return DP_OK;
    switch (entry->role) {
    case DP__WEIGHT:
        switch (scheme) {
        case DP_INIT_NORMAL:
            return normal(device, entry, seed, deviation);
        case DP_INIT_KAIMING:
            return normal(device, entry, seed, sqrt(2 / entry->fan_in));
        case DP_INIT_XAVIER:
            return uniform(device, entry, seed, sqrt(6 / (entry->fan_in + entry->fan_out)));
        default:
            return uniform(device, entry, seed, 1 / sqrt(entry->fan_in));
        }
    case DP__BIAS:
        return scheme == DP_INIT_UNIFORM ? uniform(device, entry, seed, 1 / sqrt(entry->fan_in)) : DP_OK;
    case DP__SCALE:
        if (scheme != DP_INIT_NORMAL)
            return dp_fill(tensor, 1);
        DP_CHECK(normal(device, entry, seed, deviation));
        return dp_map_into(device, "x + 1", DP_ARGS({"x", tensor, 0}), &tensor, 1);
    default:
        return DP_OK;
    }
}

dp_status dp__network_initialise(dp_network *network)
{
    DP_CHECK(place(network->device, &network->parameters));
    DP_CHECK(place(network->device, &network->state));
    for (size_t k = 0; k < network->parameters.count; k++) {
        DP_CHECK(first_values(network, &network->parameters.list[k], dp__seed_at(network->seed, k)));
        DP_CHECK(dp_require_grad(network->parameters.list[k].tensor));
    }
    for (size_t k = 0; k < network->state.count; k++)
        if (network->state.list[k].value != 0 && dp_tensor_size(network->state.list[k].tensor) > 0)
            DP_CHECK(dp_fill(network->state.list[k].tensor, network->state.list[k].value));
    return DP_OK;
}
