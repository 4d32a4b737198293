/* SPDX-License-Identifier: Apache-2.0 */
/* Series: launches that are enqueued again and again. Each has a kernel object of its own, whose arguments are set once. */
#include "opencl.h"

#define LAUNCHES_OF_EVENT 16 /* so many launches leave one event behind */

typedef struct series {
    const dp__launch *launches;
    size_t count;
    cl_kernel *kernels;
} series;

/* Another object of the same kernel. */
static dp_status copy_kernel(dp__gpu *gpu, const dp__launch *launch, cl_kernel *kernel)
{
    const dp__cl_state *const state = gpu->driver_state;
    cl_program program = NULL;
    char name[128]; /* ours are shorter */
    cl_int error = state->api->clGetKernelInfo(launch->kernel, CL_KERNEL_PROGRAM, sizeof(cl_program), &program, NULL);
    if (error == CL_SUCCESS)
        error = state->api->clGetKernelInfo(launch->kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clGetKernelInfo", launch->kernel_name);
    *kernel = state->api->clCreateKernel(program, name, &error);
    if (error != CL_SUCCESS) {
        *kernel = NULL;
        return dp__cl_fail(gpu, DP__CL_ALLOCATE, error, "clCreateKernel", launch->kernel_name);
    }
    error = dp__cl_set_arguments(state->api, *kernel, launch);
    return error == CL_SUCCESS ? DP_OK : dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clSetKernelArg", launch->kernel_name);
}

dp_status dp__cl_series_create(dp__gpu *gpu, const dp__launch *launches, size_t count, void **result)
{
    series *own = dp__alloc(1, sizeof *own);
    if (own != NULL)
        *own = (series){launches, count, dp__alloc(count, sizeof(cl_kernel))};
    dp_status status = own != NULL && own->kernels != NULL
                           ? DP_OK
                           : dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for a series of %zu launches", count);
    for (size_t k = 0; status == DP_OK && k < count; k++)
        status = copy_kernel(gpu, &launches[k], &own->kernels[k]);
    if (status != DP_OK && own != NULL)
        dp__cl_series_destroy(gpu, own);
    *result = status == DP_OK ? own : NULL;
    return status;
}

dp_status dp__cl_series_run(dp__gpu *gpu, void *handle)
{
    const series *const own = handle;
    DP_CHECK(dp__cl_leave_times(gpu));
    for (size_t k = 0; k < own->count; k++)
        DP_CHECK(dp__cl_enqueue(gpu, own->kernels[k], &own->launches[k],
                                (k + 1) % LAUNCHES_OF_EVENT == 0 || k + 1 == own->count));
    return DP_OK;
}

void dp__cl_series_destroy(dp__gpu *gpu, void *handle)
{
    const dp__cl_state *const state = gpu->driver_state;
    series *const own = handle;
    for (size_t k = 0; own->kernels != NULL && k < own->count; k++)
        if (own->kernels[k] != NULL)
            state->api->clReleaseKernel(own->kernels[k]);
    dp__free(own->kernels);
    dp__free(own);
}
