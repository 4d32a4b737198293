/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct dp__profile {
    dp_profile_entry *entries;
    size_t count, capacity;
} dp__profile;

dp_status dp__profile_reset(dp__gpu *gpu, bool on)
{
    DP_CHECK(gpu->driver->wait(gpu));
    dp__profile_free(gpu);
    if (on && !(gpu->profile = dp__alloc(1, sizeof *gpu->profile)))
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the profile");
    gpu->profiling = on;
    return DP_OK;
}

void dp__profile_free(dp__gpu *gpu)
{
    if (gpu->profile)
        dp__free(gpu->profile->entries);
    dp__free(gpu->profile);
    gpu->profile = NULL;
    gpu->profiling = false;
}

void dp__profile_add(dp__gpu *gpu, const char *name, double seconds, double flops, double bytes)
{
    dp__profile *profile = gpu->profile;
    if (!profile)
        return;
    size_t at = 0;
    while (at < profile->count && strcmp(profile->entries[at].kernel, name) != 0)
        at++;
    if (at == profile->count) {
        if (!dp__grow(&profile->entries, &profile->capacity, at + 1, sizeof *profile->entries)) {
            dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the profile");
            return;
        }
        profile->entries[profile->count++] = (dp_profile_entry){0};
        snprintf(profile->entries[at].kernel, sizeof profile->entries[at].kernel, "%s", name);
    }
    dp_profile_entry *entry = &profile->entries[at];
    entry->launches++;
    entry->seconds += seconds;
    entry->flops += flops;
    entry->bytes += bytes;
}

static int longest_first(const void *a, const void *b)
{
    const double left = ((const dp_profile_entry *)a)->seconds, right = ((const dp_profile_entry *)b)->seconds;
    return (left < right) - (left > right);
}

dp_status dp__gpu_profile(dp_device *device, bool on)
{
    return dp__profile_reset(device->state, on);
}

size_t dp__gpu_profile_list(dp_device *device, dp_profile_entry *entries, size_t capacity)
{
    dp__gpu *gpu = device->state;
    if (!gpu->profile || gpu->driver->wait(gpu) != DP_OK)
        return 0;
    dp__profile *profile = gpu->profile;
    if (profile->count > 0)
        qsort(profile->entries, profile->count, sizeof *profile->entries, longest_first);
    for (size_t i = 0; i < DP_MIN2(profile->count, capacity); i++)
        entries[i] = profile->entries[i];
    return profile->count;
}
