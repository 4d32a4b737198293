/* SPDX-License-Identifier: Apache-2.0 */
/* The reference as a backend: host memory, and each op done before its call returns. */
#include "ref.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct ref {
    bool profiling;
    dp_profile_entry entry[DP__OP_COUNT];
} ref;

static uint64_t memory_of_the_machine(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_C(1) << 30;
}

static void describe(dp_device_info *info)
{
    const uint64_t memory = memory_of_the_machine();
    *info = (dp_device_info){
        .id = "ref",
        .backend = "ref",
        .name = "plain C reference",
        .vendor = "Dipole",
        .api = "C11",
        .type = DP_DEVICE_REFERENCE,
        .features = DP_FEATURE_F64 | DP_FEATURE_UNIFIED_MEMORY,
        .compute_units = 1,
        .max_group_size = 1,
        .subgroup_size = 1,
        .memory_bytes = memory,
        .max_tensor_bytes = memory,
    };
    snprintf(info->driver, sizeof info->driver, "Dipole %s", dp_version());
}

static size_t list(dp_device_info *infos, size_t capacity, char *hint, size_t hint_size)
{
    if (hint && hint_size > 0)
        hint[0] = '\0';
    if (capacity > 0)
        describe(&infos[0]);
    return 1;
}

static dp_status open_device(dp_device *device, size_t index)
{
    if (index > 0)
        return DP_ERROR_NO_DEVICE;
    describe(&device->info);
    device->state = dp__alloc(1, sizeof(ref));
    return device->state ? DP_OK : dp__fail(device, DP_ERROR_MEMORY, "no memory for a device's record");
}

static void close_device(dp_device *device)
{
    dp__free(device->state);
    device->state = NULL;
}

/* Not zeroed: large buffers take memory only as they are written. */
static dp_status buffer_create(dp_device *device, dp__buffer *buffer)
{
    buffer->handle = buffer->bytes <= SIZE_MAX ? malloc((size_t)buffer->bytes) : NULL;
    if (!buffer->handle)
        return dp__fail(device, DP_ERROR_MEMORY, "no memory for %llu bytes",
                        (unsigned long long)buffer->bytes);
    return DP_OK;
}

static void buffer_destroy(dp_device *device, dp__buffer *buffer)
{
    (void)device;
    free(buffer->handle);
    buffer->handle = NULL;
}

static dp_status buffer_write(dp_device *device, dp__buffer *buffer, uint64_t offset, const void *data,
                              uint64_t bytes)
{
    (void)device;
    memcpy((char *)buffer->handle + offset, data, (size_t)bytes);
    return DP_OK;
}

static dp_status buffer_read(dp_device *device, dp__buffer *buffer, uint64_t offset, void *data,
                             uint64_t bytes)
{
    (void)device;
    memcpy(data, (const char *)buffer->handle + offset, (size_t)bytes);
    return DP_OK;
}

static dp_status run_op(dp_device *device, dp__op op, const void *call)
{
    switch (op) {
#define DP_OP(name)                                                                                          \
    case DP__OP_##name:                                                                                      \
        return dp__ref_##name(device, call);
#include "ops/ops.def"
#undef DP_OP
    default:
        return dp__fail(device, DP_ERROR_UNSUPPORTED, "ref has no op %d", (int)op);
    }
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static dp_status run(dp_device *device, dp__op op, const void *call)
{
    ref *state = device->state;
    if (!state->profiling)
        return run_op(device, op, call);
    const double start = seconds_now();
    const dp_status status = run_op(device, op, call);
    state->entry[op].seconds += seconds_now() - start;
    state->entry[op].launches++;
    return status;
}

static dp_status wait(dp_device *device)
{
    (void)device;
    return DP_OK;
}

static dp_status profile(dp_device *device, bool on)
{
    static const char *const names[DP__OP_COUNT] = {
#define DP_OP(name) #name,
#include "ops/ops.def"
#undef DP_OP
    };
    ref *state = device->state;
    state->profiling = on;
    for (int op = 0; op < DP__OP_COUNT; op++) {
        state->entry[op] = (dp_profile_entry){0};
        snprintf(state->entry[op].kernel, sizeof state->entry[op].kernel, "%s", names[op]);
    }
    return DP_OK;
}

static int longest_first(const void *a, const void *b)
{
    const dp_profile_entry *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static size_t profile_list(dp_device *device, dp_profile_entry *entries, size_t capacity)
{
    const ref *state = device->state;
    dp_profile_entry used[DP__OP_COUNT];
    size_t count = 0;
    for (int op = 0; op < DP__OP_COUNT; op++)
        if (state->entry[op].launches > 0)
            used[count++] = state->entry[op];
    qsort(used, count, sizeof *used, longest_first);
    for (size_t at = 0; at < DP_MIN2(count, capacity); at++)
        entries[at] = used[at];
    return count;
}

extern const dp__backend dp__backend_ref;
const dp__backend dp__backend_ref = {
    .name = "ref",
    .list = list,
    .open = open_device,
    .close = close_device,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .buffer_write = buffer_write,
    .buffer_read = buffer_read,
    .run = run,
    .wait = wait,
    .profile = profile,
    .profile_list = profile_list,
};
