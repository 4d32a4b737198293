/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"
#include <string.h>

/* Safe starting points by kind of device. A CPU's OpenCL wants wide explicit vectors and tiny work-groups (PoCL does not
 * vectorise across work-items, and gives a thread 32 groups at a time), a software GPU vectors of 4 and groups of 64
 * (llvmpipe loads lane by lane, and a group of one item is hopeless on rusticl), a real GPU scalars and groups that are a
 * multiple of any vendor's subgroup. For vectors in loops a CPU has 4 pairs x 16 lanes in registers: 8 sums of 8 lanes
 * keep two FMA units busy. */
dp__tuning dp__tuning_of(const dp__gpu_limits *limits)
{
    dp__tuning tuning = {.width = 1, .group = 128, .heavy = 128, .lanes = 128, .work = 1e10, .pair_vectors = 2,
                         .pair_items = 1024, .pair_unroll = 16, .pair_width = 1, .pair_block = 4, .pair_sub = 4,
                         .pair_chunk = 16};
    if (limits->type == DP_DEVICE_CPU)
        tuning = (dp__tuning){.width = 8, .group = 64, .heavy = 1, .lanes = 8, .work = 1e10, .pair_vectors = 1,
                              .pair_items = 4, .pair_unroll = 8, .pair_width = 16, .pair_block = 16, .pair_sub = 4,
                              .pair_chunk = 1024, .pair_tile = 256};
    else if (limits->type == DP_DEVICE_SOFTWARE_GPU)
        tuning = (dp__tuning){.width = 4, .group = 64, .heavy = 64, .lanes = 32, .work = 2e9, .pair_vectors = 8,
                              .pair_items = 128, .pair_unroll = 16, .pair_width = 4, .pair_block = 4, .pair_sub = 4,
                              .pair_chunk = 32};
    tuning.width = DP_MIN2(tuning.width, (int)limits->max_vector);
    tuning.pair_width = DP_MIN2(tuning.pair_width, 2 * (int)limits->max_vector);
    while (tuning.group > limits->max_group_size)
        tuning.group /= 2;
    while (tuning.heavy > limits->max_group_size)
        tuning.heavy /= 2;
    while (tuning.lanes > limits->max_group_size)
        tuning.lanes /= 2;
    tuning.work *= DP_MAX2(limits->compute_units, 1);
    /* Mesa's llvmpipe (22.3) counts the rounds of all loops of a work-item and leaves every loop at its end once they are
     * 65,535, without a word; some are kept for the short loops around the long ones. */
    tuning.rounds = strstr(limits->name, "llvmpipe") ? 60000 : INT32_MAX;
    return tuning;
}
