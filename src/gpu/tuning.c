/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"
#include <string.h>

/* Safe starting points by kind of device. A CPU's OpenCL wants wide explicit vectors and tiny work-groups (PoCL does not
 * vectorise across work-items, and gives a thread 32 groups at a time), a software GPU vectors of 4 and groups of 64 (llvmpipe loads lane by lane, and a group
 * of one item is hopeless on rusticl), a real GPU scalars and groups that are a multiple of any vendor's subgroup. */
dp__tuning dp__tuning_of(const dp__gpu_limits *limits)
{
    dp__tuning tuning = {.width = 1, .group = 128, .heavy = 128, .lanes = 128, .pair_vectors = 2, .pair_items = 1024, .work = 1e10};
    if (limits->type == DP_DEVICE_CPU)
        tuning = (dp__tuning){.width = 8, .group = 64, .heavy = 1, .lanes = 8, .pair_vectors = 1, .pair_items = 4, .work = 1e10};
    else if (limits->type == DP_DEVICE_SOFTWARE_GPU)
        tuning = (dp__tuning){.width = 4, .group = 64, .heavy = 64, .lanes = 32, .pair_vectors = 2, .pair_items = 128, .work = 2e9};
    tuning.width = DP_MIN2(tuning.width, (int)limits->max_vector);
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
