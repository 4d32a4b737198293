/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a device, and the driver's table. */
#include "opencl.h"

#include <string.h>

/* A CPU's compiler vectorises explicit vectors as wide as its registers; a GPU's work-items are its lanes,
 * and wider than 128-bit loads gain nothing. */
static uint32_t max_vector(const dp__cl_state *state, dp_device_type type)
{
    const uint32_t native =
        (uint32_t)dp__cl_number(state->api, state->device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    return type == DP_DEVICE_CPU ? DP_MIN2(DP_MAX2(native, 4u), 16u) : 4u;
}

/* OpenCL bounds the number of work-items by the device's address space only. The second and third axis are
 * those of NVIDIA's hardware; the first keeps a global id of 32 bits. */
static void set_limits(dp__gpu *gpu)
{
    const dp__cl_state *const state = gpu->driver_state;
    const dp_device_info *const info = &gpu->device->info;
    dp__gpu_limits *const limits = &gpu->limits;
    memset(limits, 0, sizeof *limits);
    limits->type = info->type;
    memcpy(limits->vendor, info->vendor, sizeof limits->vendor);
    memcpy(limits->name, info->name, sizeof limits->name);
    limits->max_group_size = info->max_group_size;
    size_t items[8] = {0};
    state->api->clGetDeviceInfo(state->device, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof items, items, NULL);
    for (int axis = 0; axis < 3; axis++) {
        limits->max_group_dim[axis] = (uint32_t)DP_MIN2(DP_MAX2(items[axis], 1), info->max_group_size);
        limits->max_groups[axis] = axis == 0 ? (UINT32_MAX / DP_MAX2(info->max_group_size, 1u)) : 65535;
    }
    limits->local_bytes = info->local_bytes;
    limits->max_tensor_bytes = info->max_tensor_bytes;
    limits->max_bindings = DP__MAX_BINDINGS;
    limits->max_vector = max_vector(state, info->type);
    limits->compute_units = info->compute_units;
    limits->subgroup_size = info->subgroup_size;
}

static void close_driver(dp__gpu *gpu)
{
    dp__cl_state *const state = gpu->driver_state;
    if (state->queue != NULL) {
        dp__cl_wait(gpu);
        dp__cl_gemm_close(gpu);
        state->api->clReleaseCommandQueue(state->queue);
    }
    if (state->context != NULL)
        state->api->clReleaseContext(state->context);
    dp__free(state);
    gpu->driver_state = NULL;
}

static dp_status open_queue(dp__gpu *gpu, const dp__cl_found *found)
{
    dp__cl_state *const state = gpu->driver_state;
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)found->platform,
                                                0};
    cl_int error = CL_SUCCESS;
    state->context = state->api->clCreateContext(properties, 1, &found->device, NULL, NULL, &error);
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_OPEN, error, "clCreateContext", NULL);
    state->queue = state->api->clCreateCommandQueue(state->context, found->device, 0, &error);
    return error == CL_SUCCESS ? DP_OK : dp__cl_fail(gpu, DP__CL_OPEN, error, "clCreateCommandQueue", NULL);
}

static dp_status open_driver(dp__gpu *gpu, size_t index)
{
    dp__cl_found found[DP__CL_MAX_DEVICES];
    const size_t enough = DP_MIN2(index, DP__CL_MAX_DEVICES - 1) + 1; /* platforms behind it are not asked */
    if (index >= dp__cl_find(found, enough, NULL, 0))
        return dp__fail(gpu->device, DP_ERROR_NO_DEVICE, "opencl:%zu is gone", index);
    dp__cl_state *const state = dp__alloc(1, sizeof *state);
    if (state == NULL)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "out of memory");
    gpu->driver_state = state;
    state->api = dp__cl_load();
    state->device = found[index].device;
    /* rusticl of Mesa 22.3 says 32 whatever the kernel, and runs groups of 256 correctly. */
    state->group_size_lies = dp__cl_is_rusticl(state->api, found[index].platform);
    const dp_status status = open_queue(gpu, &found[index]);
    if (status != DP_OK) {
        close_driver(gpu);
        return status;
    }
    dp__cl_describe(state->api, &found[index], index, &gpu->device->info);
    dp__cl_identify(state->api, &found[index], gpu->identity, sizeof gpu->identity);
    set_limits(gpu);
    return DP_OK;
}

const dp__gpu_driver dp__cl_driver = {
    .name = "opencl",
    .glsl = false,
    .open = open_driver,
    .close = close_driver,
    .buffer_create = dp__cl_buffer_create,
    .buffer_destroy = dp__cl_buffer_destroy,
    .buffer_write = dp__cl_buffer_write,
    .buffer_read = dp__cl_buffer_read,
    .kernel_create = dp__cl_kernel_create,
    .kernel_load = dp__cl_kernel_load,
    .kernel_destroy = dp__cl_kernel_destroy,
    .launch = dp__cl_launch,
    .series_create = dp__cl_series_create,
    .series_run = dp__cl_series_run,
    .series_destroy = dp__cl_series_destroy,
    .flush = dp__cl_flush,
    .wait = dp__cl_wait,
    .has_gemm = dp__cl_has_gemm,
    .gemm = dp__cl_gemm,
};
