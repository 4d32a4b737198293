/* SPDX-License-Identifier: Apache-2.0 */
/* A network from the inside. */
#ifndef DP_NN_NETWORK_H
#define DP_NN_NETWORK_H

#include "nn/layers.h"
#include <dipole/network.h>

enum { DP__NOTHING = -1 };

/* What a parameter is, for its first values. */
typedef enum dp__role { DP__WEIGHT, DP__BIAS, DP__SCALE, DP__SHIFT } dp__role;

/* A tensor of the network: a view of one of its two pieces of memory. */
typedef struct dp__entry {
    char *name;
    dp_shape shape;
    int64_t offset; /* elements */
    dp_tensor *tensor;
    dp__role role;
    double fan_in, fan_out; /* of the layer */
    double value;           /* of state */
} dp__entry;

typedef struct dp__entries {
    dp__entry *list;
    size_t count, capacity;
    int64_t elements; /* of the memory: each entry begins at a multiple of 64 */
    dp_tensor *memory;
} dp__entries;

/* A layer that was checked, with its defaults filled in. Indices are those of entries; DP__NOTHING: it has
 * none. */
typedef struct dp__node {
    dp_layer layer;
    dp_shape in, out;
    int weight, bias, mean, variance;
    uint64_t seed; /* of dropout */
    struct dp__node *body, *shortcut;
    int body_count, shortcut_count;
} dp__node;

/* Statistics are apart from parameters: those change during a pass, in which the parameters' memory must not.
 */
struct dp_network {
    dp_device *device;
    dp__node *nodes;
    int count;
    dp_shape in;
    uint64_t seed;
    dp_network_init init;
    dp__entries parameters, state;
    int step;          /* index of dropout's in the state */
    uint64_t dropouts; /* layers */
};

/* layout.c: the tree of nodes and the lists of entries, from a table. */
dp_status dp__network_layout(dp_network *network, const dp_layer *layers, int count);
void dp__network_free_nodes(dp__node *nodes, int count);
/* Element `index` of a sequence of seeds that `seed` begins. */
uint64_t dp__seed_at(uint64_t seed, uint64_t index);
/* initialise.c: memory, views, first values, marks. */
dp_status dp__network_initialise(dp_network *network);

#endif
