/* SPDX-License-Identifier: Apache-2.0 */
#include "opencl.h"

#include <stdio.h>

/* Buffers released in flight count on no budget but still take memory; a wait gives it back. */
static dp_status create(dp__gpu *gpu, uint64_t bytes, cl_mem *memory)
{
    const dp__cl_state *const state = gpu->driver_state;
    if (bytes > SIZE_MAX)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "a buffer of %llu bytes", (unsigned long long)bytes);
    cl_int error = CL_SUCCESS;
    for (int attempt = 0; attempt < 2; attempt++) {
        *memory = state->api->clCreateBuffer(state->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &error);
        if (error == CL_SUCCESS)
            return DP_OK;
        DP_CHECK(dp__cl_wait(gpu));
    }
    char size[40];
    snprintf(size, sizeof size, "%llu bytes", (unsigned long long)bytes);
    return dp__cl_fail(gpu, DP__CL_ALLOCATE, error, "clCreateBuffer", size);
}

dp_status dp__cl_buffer_create(dp__gpu *gpu, uint64_t bytes, void **handle)
{
    const dp__cl_state *const state = gpu->driver_state;
    if (state->released_bytes > 0 && state->released_bytes + bytes > gpu->device->info.memory_bytes / 8)
        DP_CHECK(dp__cl_wait(gpu));
    cl_mem memory = NULL;
    DP_CHECK(create(gpu, bytes, &memory));
    *handle = memory;
    return DP_OK;
}

void dp__cl_buffer_destroy(dp__gpu *gpu, void *handle)
{
    dp__cl_state *const state = gpu->driver_state;
    size_t bytes = 0;
    if (state->flights > 0 &&
        state->api->clGetMemObjectInfo(handle, CL_MEM_SIZE, sizeof bytes, &bytes, NULL) == CL_SUCCESS)
        state->released_bytes += bytes;
    state->api->clReleaseMemObject(handle);
}

/* The queue is in order: a blocking transfer has waited for every launch before it. */
static dp_status finish_transfer(dp__gpu *gpu, cl_int error, const char *call)
{
    dp__cl_state *const state = gpu->driver_state;
    DP_CHECK(dp__cl_retire(gpu, state->flights));
    return error == CL_SUCCESS ? DP_OK : dp__cl_fail(gpu, DP__CL_WAIT, error, call, NULL);
}

dp_status dp__cl_buffer_write(dp__gpu *gpu, void *handle, uint64_t offset, const void *data, uint64_t bytes)
{
    const dp__cl_state *const state = gpu->driver_state;
    if (bytes == 0)
        return DP_OK;
    const cl_int error = state->api->clEnqueueWriteBuffer(state->queue, handle, CL_TRUE, (size_t)offset,
                                                          (size_t)bytes, data, 0, NULL, NULL);
    return finish_transfer(gpu, error, "clEnqueueWriteBuffer");
}

dp_status dp__cl_buffer_read(dp__gpu *gpu, void *handle, uint64_t offset, void *data, uint64_t bytes)
{
    const dp__cl_state *const state = gpu->driver_state;
    if (bytes == 0)
        return dp__cl_wait(gpu);
    const cl_int error = state->api->clEnqueueReadBuffer(state->queue, handle, CL_TRUE, (size_t)offset,
                                                         (size_t)bytes, data, 0, NULL, NULL);
    return finish_transfer(gpu, error, "clEnqueueReadBuffer");
}
