/* SPDX-License-Identifier: Apache-2.0 */
/* Launches. Each leaves an event behind: it bounds the depth of the queue, brings back the launch's error
 * and, where the queue takes times, its time. */
#include "opencl.h"

#include <string.h>
#include <time.h>

/* Enough to keep a device busy while more is recorded. */
#define FLUSH_LAUNCHES 64
#define FLUSH_FLOPS    2e9
#define FLUSH_BYTES    1e9
#define FLUSH_SECONDS  200e-6 /* drivers may keep to themselves what is not flushed: not while the host does other things */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static dp_status add_time(dp__gpu *gpu, const dp__cl_flight *flight)
{
    const dp__cl_state *const state = gpu->driver_state;
    cl_ulong start = 0, end = 0;
    cl_int error = state->api->clGetEventProfilingInfo(flight->event, CL_PROFILING_COMMAND_START,
                                                       sizeof start, &start, NULL);
    if (error == CL_SUCCESS)
        error = state->api->clGetEventProfilingInfo(flight->event, CL_PROFILING_COMMAND_END, sizeof end, &end,
                                                    NULL);
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clGetEventProfilingInfo", flight->kernel_name);
    const double seconds = end > start ? 1e-9 * (double)(end - start) : 0;
    dp__profile_add(gpu, flight->kernel_name, seconds, flight->flops, flight->bytes);
    return DP_OK;
}

/* A launch that is done: its error or its time. */
static dp_status settle(dp__gpu *gpu, const dp__cl_flight *flight)
{
    const dp__cl_state *const state = gpu->driver_state;
    cl_int result = CL_COMPLETE;
    const cl_int error = state->api->clGetEventInfo(flight->event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                                                    sizeof result, &result, NULL);
    if (error != CL_SUCCESS || result < 0)
        return dp__cl_fail(gpu, DP__CL_WAIT, error != CL_SUCCESS ? error : result, "kernel",
                           flight->kernel_name);
    return state->queue_times ? add_time(gpu, flight) : DP_OK;
}

static void forget_unflushed(dp__cl_state *state)
{
    state->unflushed = 0;
    state->unflushed_flops = state->unflushed_bytes = 0;
}

dp_status dp__cl_retire(dp__gpu *gpu, int count)
{
    dp__cl_state *const state = gpu->driver_state;
    if (count == 0)
        return DP_OK;
    const cl_int error = state->api->clWaitForEvents(1, &state->flight[count - 1].event);
    forget_unflushed(state); /* a wait submits everything */
    dp_status status = DP_OK;
    for (int i = 0; i < count; i++) {
        const dp_status settled = settle(gpu, &state->flight[i]);
        status = status == DP_OK ? settled : status;
        state->api->clReleaseEvent(state->flight[i].event);
    }
    state->flights -= count;
    memmove(state->flight, state->flight + count, (size_t)state->flights * sizeof state->flight[0]);
    if (state->flights == 0)
        state->released_bytes = 0;
    if (status == DP_OK && error != CL_SUCCESS)
        status = dp__cl_fail(gpu, DP__CL_WAIT, error, "clWaitForEvents", NULL);
    return status;
}

dp_status dp__cl_flush(dp__gpu *gpu)
{
    dp__cl_state *const state = gpu->driver_state;
    if (state->unflushed == 0)
        return DP_OK;
    forget_unflushed(state);
    const cl_int error = state->api->clFlush(state->queue);
    return error == CL_SUCCESS ? DP_OK : dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clFlush", NULL);
}

dp_status dp__cl_wait(dp__gpu *gpu)
{
    dp__cl_state *const state = gpu->driver_state;
    const cl_int error = state->api->clFinish(state->queue);
    const dp_status status = dp__cl_retire(gpu, state->flights);
    if (status != DP_OK || error == CL_SUCCESS)
        return status;
    return dp__cl_fail(gpu, DP__CL_WAIT, error, "clFinish", NULL);
}

cl_int dp__cl_set_arguments(const dp__cl_api *api, cl_kernel kernel, const dp__launch *launch)
{
    cl_uint index = 0;
    for (int i = 0; i < launch->bindings; i++) {
        const cl_mem memory = launch->binding[i].buffer->handle;
        const cl_int error = api->clSetKernelArg(kernel, index++, sizeof memory, &memory);
        if (error != CL_SUCCESS)
            return error;
    }
    for (int i = 0; i < launch->params; i++) {
        const cl_int error =
            api->clSetKernelArg(kernel, index++, sizeof launch->param[i], &launch->param[i]);
        if (error != CL_SUCCESS)
            return error;
    }
    return CL_SUCCESS;
}

static cl_int enqueue(const dp__cl_state *state, cl_kernel kernel, const dp__launch *launch, cl_event *event)
{
    size_t global[3], local[3];
    for (int axis = 0; axis < 3; axis++) {
        local[axis] = launch->group[axis];
        global[axis] = (size_t)launch->groups[axis] * launch->group[axis];
    }
    return state->api->clEnqueueNDRangeKernel(state->queue, kernel, 3, NULL, global, local, 0, NULL,
                                              event);
}

/* Memory may be short because buffers that were released are still in flight: the second try comes after a
 * wait. */
dp_status dp__cl_enqueue(dp__gpu *gpu, cl_kernel kernel, const dp__launch *launch, bool event)
{
    dp__cl_state *const state = gpu->driver_state;
    if (state->flights == DP__CL_MAX_IN_FLIGHT)
        DP_CHECK(dp__cl_retire(gpu, DP__CL_MAX_IN_FLIGHT / 2));
    dp__cl_flight flight = {NULL, launch->kernel_name, launch->flops, launch->bytes};
    cl_int error = enqueue(state, kernel, launch, event ? &flight.event : NULL);
    if (error == CL_MEM_OBJECT_ALLOCATION_FAILURE && state->flights > 0) {
        DP_CHECK(dp__cl_wait(gpu));
        error = enqueue(state, kernel, launch, event ? &flight.event : NULL);
    }
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clEnqueueNDRangeKernel", launch->kernel_name);
    if (event)
        state->flight[state->flights++] = flight;
    const double time = now();
    if (state->unflushed++ == 0)
        state->unflushed_since = time;
    state->unflushed_flops += launch->flops;
    state->unflushed_bytes += launch->bytes;
    if (state->unflushed >= FLUSH_LAUNCHES || state->unflushed_flops >= FLUSH_FLOPS ||
        state->unflushed_bytes >= FLUSH_BYTES || time - state->unflushed_since >= FLUSH_SECONDS)
        return dp__cl_flush(gpu);
    return DP_OK;
}

static dp_status record(dp__gpu *gpu, const dp__launch *launch)
{
    const dp__cl_state *const state = gpu->driver_state;
    const cl_int error = dp__cl_set_arguments(state->api, launch->kernel, launch);
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clSetKernelArg", launch->kernel_name);
    return dp__cl_enqueue(gpu, launch->kernel, launch, true);
}

/* Whether a queue takes times is fixed when it is made. */
static dp_status set_queue_times(dp__gpu *gpu, bool times)
{
    dp__cl_state *const state = gpu->driver_state;
    if (state->queue_times == times)
        return DP_OK;
    DP_CHECK(dp__cl_wait(gpu));
    cl_int error = CL_SUCCESS;
    const cl_command_queue queue = state->api->clCreateCommandQueue(
        state->context, state->device, times ? CL_QUEUE_PROFILING_ENABLE : 0, &error);
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_ALLOCATE, error, "clCreateCommandQueue", NULL);
    state->api->clReleaseCommandQueue(state->queue);
    state->queue = queue;
    state->queue_times = times;
    return DP_OK;
}

dp_status dp__cl_leave_times(dp__gpu *gpu)
{
    return set_queue_times(gpu, false);
}

/* Without time stamps: the host's clock around a launch that has the device for itself. */
static dp_status launch_by_clock(dp__gpu *gpu, const dp__launch *launch)
{
    DP_CHECK(dp__cl_wait(gpu));
    const double start = now();
    DP_CHECK(record(gpu, launch));
    DP_CHECK(dp__cl_wait(gpu));
    dp__profile_add(gpu, launch->kernel_name, now() - start, launch->flops, launch->bytes);
    return DP_OK;
}

dp_status dp__cl_launch(dp__gpu *gpu, const dp__launch *launch)
{
    const bool stamps = (gpu->device->info.features & DP_FEATURE_TIMESTAMPS) != 0;
    DP_CHECK(set_queue_times(gpu, gpu->profiling && stamps));
    if (gpu->profiling && !stamps)
        return launch_by_clock(gpu, launch);
    return record(gpu, launch);
}
