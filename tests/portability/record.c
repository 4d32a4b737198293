/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Figures of one well-known card of each kind, as its drivers report them. */
const gpu_kind gpu_kinds[] = {
    {"gcn", DP_DEVICE_DISCRETE_GPU, "AMD", "AMD Radeon RX 580", 64, 36, 256, 1024, 65536},
    {"rdna", DP_DEVICE_DISCRETE_GPU, "AMD", "AMD Radeon RX 6800", 32, 60, 256, 1024, 65536},
    {"gen9", DP_DEVICE_INTEGRATED_GPU, "Intel", "Intel(R) HD Graphics 530", 16, 24, 256, 1024, 65536},
    {"xe", DP_DEVICE_INTEGRATED_GPU, "Intel", "Intel(R) Xe Graphics", 16, 96, 512, 1024, 65536},
    {"arc", DP_DEVICE_DISCRETE_GPU, "Intel", "Intel(R) Arc(tm) A770 Graphics", 8, 512, 1024, 1024, 65536},
    {"nvidia", DP_DEVICE_DISCRETE_GPU, "NVIDIA Corporation", "NVIDIA GeForce RTX 3070", 32, 46, 1024, 1024,
     49152},
    {.name = NULL},
};

static void set_limits(dp__gpu_limits *limits, const gpu_kind *kind, bool glsl)
{
    const uint32_t group = glsl ? kind->vulkan_group : kind->opencl_group;
    *limits = (dp__gpu_limits){
        .type = kind->type,
        .max_group_size = group,
        .max_group_dim = {group, group, 64},
        .max_groups = {65535, 65535, 65535},
        .local_bytes = kind->local_bytes,
        .max_tensor_bytes = (uint64_t)4 << 30,
        .max_bindings = DP__MAX_BINDINGS,
        .max_vector = 4,
        .compute_units = kind->units,
        .subgroup_size = kind->subgroup,
    };
    snprintf(limits->vendor, sizeof limits->vendor, "%s", kind->vendor);
    snprintf(limits->name, sizeof limits->name, "%s", kind->device);
}

static void set_info(dp_device_info *info, const gpu_kind *kind, bool glsl)
{
    dp__gpu_limits limits;
    set_limits(&limits, kind, glsl);
    snprintf(info->id, sizeof info->id, "%s", kind->name);
    snprintf(info->name, sizeof info->name, "%s", kind->device);
    snprintf(info->vendor, sizeof info->vendor, "%s", kind->vendor);
    info->type = kind->type;
    info->memory_bytes = (uint64_t)1 << 40; /* tensors take none and are kept */
    info->max_tensor_bytes = limits.max_tensor_bytes;
    info->max_group_size = limits.max_group_size;
    info->local_bytes = limits.local_bytes;
    info->compute_units = limits.compute_units;
    info->subgroup_size = limits.subgroup_size;
}

static dp_status open_driver(dp__gpu *gpu, size_t index)
{
    gpu->driver_state = gpu->device->state; /* where recorder_open has put it */
    set_limits(&gpu->limits, &gpu_kinds[index], gpu->driver->glsl);
    return DP_OK;
}

static void close_driver(dp__gpu *gpu)
{
    (void)gpu;
}

/* Buffers have no memory: nothing is ever computed, and what is read are zeros. */
static dp_status create_buffer(dp__gpu *gpu, uint64_t bytes, void **handle)
{
    (void)bytes;
    *handle = gpu;
    return DP_OK;
}

static void destroy_buffer(dp__gpu *gpu, void *handle)
{
    (void)gpu, (void)handle;
}

static dp_status write_buffer(dp__gpu *gpu, void *handle, uint64_t offset, const void *data, uint64_t bytes)
{
    (void)gpu, (void)handle, (void)offset, (void)data, (void)bytes;
    return DP_OK;
}

static dp_status read_buffer(dp__gpu *gpu, void *handle, uint64_t offset, void *data, uint64_t bytes)
{
    (void)gpu, (void)handle, (void)offset;
    memset(data, 0, bytes);
    return DP_OK;
}

static dp_status create_kernel(dp__gpu *gpu, const dp__kernel_source *source, dp__binary *built, void **kernel)
{
    (void)built;
    const recorder *own = gpu->driver_state;
    *kernel = gpu;
    return own->take(own->context, own->label, source)
               ? DP_OK
               : dp__fail(gpu->device, DP_ERROR_DRIVER, "kernel %s cannot be written down", source->name);
}

static void destroy_kernel(dp__gpu *gpu, void *kernel)
{
    (void)gpu, (void)kernel;
}

static dp_status skip_launch(dp__gpu *gpu, const dp__launch *launch)
{
    (void)gpu, (void)launch;
    return DP_OK;
}

static dp_status do_nothing(dp__gpu *gpu)
{
    (void)gpu;
    return DP_OK;
}

#define DRIVER(driver_name, is_glsl)                                                                         \
    {                                                                                                        \
        .name = driver_name, .glsl = is_glsl, .open = open_driver, .close = close_driver,                    \
        .buffer_create = create_buffer, .buffer_destroy = destroy_buffer, .buffer_write = write_buffer,      \
        .buffer_read = read_buffer, .kernel_create = create_kernel, .kernel_destroy = destroy_kernel,        \
        .launch = skip_launch, .flush = do_nothing, .wait = do_nothing                                       \
    }
static const dp__gpu_driver drivers[2] = {DRIVER("opencl", false), DRIVER("vulkan", true)};
static const dp__backend backend =
    DP__GPU_BACKEND("recorder", NULL, NULL); /* opened here and listed nowhere */

bool recorder_open(recorder *own, const gpu_kind *kind, bool glsl, take_kernel *take, void *context)
{
    *own = (recorder){.device = dp__alloc(1, sizeof *own->device), .take = take, .context = context};
    if (!own->device) {
        fprintf(stderr, "no memory for a device\n");
        return false;
    }
    own->device->state = own;
    set_info(&own->device->info, kind, glsl);
    if (dp__gpu_open(own->device, &drivers[glsl], (size_t)(kind - gpu_kinds)) != DP_OK) {
        fprintf(stderr, "%s: %s\n", kind->name, dp_message(own->device));
        dp__free(own->device);
        return false;
    }
    own->device->backend = &backend;
    return true;
}

void recorder_close(recorder *own)
{
    dp_device_close(&own->device);
}
