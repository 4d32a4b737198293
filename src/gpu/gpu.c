/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of dp__backend that both GPU backends share. */
#include "cache/cache.h"
#include "gpu/pool.h"
#include "gpu/step.h"
#include "gpu/tuned.h"
#include "gpu/variants.h"
#include <stdlib.h>

/* A name that no variant has would force nothing, without a word. */
static dp_status check_forced(dp_device *device)
{
    size_t count;
    const char *name = getenv("DIPOLE_VARIANT");
    const dp__variant *variants = dp__variants(&count);
    if (!name || !*name || dp__variant_find(name))
        return DP_OK;
    dp__text known = {0};
    for (size_t i = 0; i < count; i++)
        dp__text_add(&known, "%s%s", i ? ", " : "", variants[i].name);
    dp__fail(device, DP_ERROR_ARGUMENT, "DIPOLE_VARIANT is \"%.64s\"; there is: %s", name, known.data ? known.data : "");
    dp__text_free(&known);
    return DP_ERROR_ARGUMENT;
}

dp_status dp__gpu_open(dp_device *device, const dp__gpu_driver *driver, size_t index)
{
    DP_CHECK(check_forced(device));
    dp__gpu *gpu = dp__alloc(1, sizeof *gpu);
    if (!gpu)
        return dp__fail(device, DP_ERROR_MEMORY, "no memory for the device's record");
    gpu->device = device;
    gpu->driver = driver;
    const dp_status status = driver->open(gpu, index);
    if (status != DP_OK) {
        dp__free(gpu);
        return status;
    }
    gpu->disk = dp__cache_open(driver->name);
    gpu->tuned = dp__tuned_create(); /* without memory for it choices are safe ones */
    device->state = gpu;
    return DP_OK;
}

void dp__gpu_close(dp_device *device)
{
    dp__gpu *gpu = device->state;
    gpu->driver->wait(gpu);
    dp__table_cache_free(gpu);
    dp__tuned_free(gpu);
    dp__kernel_cache_free(gpu);
    dp__cache_close(gpu->disk);
    dp__pool_free(gpu);
    dp__profile_free(gpu);
    gpu->driver->close(gpu);
    dp__free(gpu);
    device->state = NULL;
}

dp_status dp__gpu_buffer_read(dp_device *device, dp__buffer *buffer, uint64_t offset, void *data, uint64_t bytes)
{
    dp__gpu *gpu = device->state;
    return gpu->driver->buffer_read(gpu, buffer->handle, offset, data, bytes);
}

dp_status dp__gpu_wait(dp_device *device)
{
    dp__gpu *gpu = device->state;
    return gpu->driver->wait(gpu);
}

dp_status dp__gpu_plan(dp__gpu *gpu, dp__op op, const void *call)
{
    switch (op) {
#define DP_OP(name)                                                                                          \
    case DP__OP_##name:                                                                                      \
        return dp__plan_##name(gpu, call);
#include "ops/ops.def"
#undef DP_OP
    case DP__OP_COUNT:
        break;
    }
    return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED, "op %d has no plan", (int)op);
}

dp_status dp__gpu_run(dp_device *device, dp__op op, const void *call)
{
    return dp__gpu_plan(device->state, op, call);
}

dp_status dp__gpu_refuse_bound(dp__gpu *gpu, bool bound)
{
    return bound ? dp__fail(gpu->device, DP_ERROR_UNSUPPORTED, "error bounds are computed on device \"ref\", not on %s",
                            gpu->device->info.id)
                 : DP_OK;
}
