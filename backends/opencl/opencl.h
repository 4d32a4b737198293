/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the OpenCL driver share. A buffer's handle is its cl_mem, a kernel's its cl_kernel:
 * OpenCL itself keeps both alive for the commands in flight. */
#ifndef DP_OPENCL_H
#define DP_OPENCL_H

#include "gpu/driver.h"
#include "loader.h"

#define DP__CL_MAX_DEVICES   64 /* of all platforms together */
#define DP__CL_MAX_IN_FLIGHT 256

typedef struct dp__cl_found {
    cl_platform_id platform;
    cl_device_id device;
} dp__cl_found;

/* A launch that was enqueued and not yet seen to be done. */
typedef struct dp__cl_flight {
    cl_event event;
    const char *kernel_name;
    double flops, bytes;
} dp__cl_flight;

/* One open device: gpu->driver_state. Each has a context of its own, so that several run side by side. */
typedef struct dp__cl_state {
    const dp__cl_api *api;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    bool queue_times;                           /* the queue takes a time stamp around each command */
    bool group_size_lies;                       /* CL_KERNEL_WORK_GROUP_SIZE is wrong */
    dp__cl_flight flight[DP__CL_MAX_IN_FLIGHT]; /* the oldest first */
    int flights;
    int unflushed; /* the newest launches, not yet submitted, */
    double unflushed_flops, unflushed_bytes, unflushed_since; /* since: the oldest of them, seconds */
    uint64_t released_bytes; /* of buffers that launches in flight may still hold */
    bool gemm_used;          /* CLBlast has seen this device */
} dp__cl_state;

/* backend.c. Writes the usable devices of all platforms, in the drivers' order, and returns how many there
 * are (at most `capacity`). With none, `hint` says why. */
size_t dp__cl_find(dp__cl_found *found, size_t capacity, char *hint, size_t hint_size);

/* device.c. */
extern const dp__gpu_driver dp__cl_driver;

/* info.c. */
/* What built kernels depend on besides their source. */
void dp__cl_identify(const dp__cl_api *api, const dp__cl_found *found, char *text, size_t size);
void dp__cl_describe(const dp__cl_api *api, const dp__cl_found *found, size_t index, dp_device_info *info);
/* NULL, or why the device cannot be used ("has no compiler"). */
const char *dp__cl_unusable(const dp__cl_api *api, cl_device_id device);
bool dp__cl_is_rusticl(const dp__cl_api *api, cl_platform_id platform);
/* A cl_uint, cl_bool, size_t or cl_ulong; 0 where the device does not tell. */
uint64_t dp__cl_number(const dp__cl_api *api, cl_device_id device, cl_device_info name);

/* error.c. What an error code means depends on what was tried. */
typedef enum dp__cl_stage { DP__CL_OPEN, DP__CL_ALLOCATE, DP__CL_SUBMIT, DP__CL_WAIT } dp__cl_stage;
/* Keeps the failure of `call` (a function's name) on `subject` (a kernel's name, or NULL); loses the device
 * where the code says so. */
dp_status dp__cl_fail(dp__gpu *gpu, dp__cl_stage stage, cl_int error, const char *call, const char *subject);

/* buffer.c. */
dp_status dp__cl_buffer_create(dp__gpu *gpu, uint64_t bytes, void **handle);
void dp__cl_buffer_destroy(dp__gpu *gpu, void *handle);
dp_status dp__cl_buffer_write(dp__gpu *gpu, void *handle, uint64_t offset, const void *data, uint64_t bytes);
dp_status dp__cl_buffer_read(dp__gpu *gpu, void *handle, uint64_t offset, void *data, uint64_t bytes);

/* kernel.c. */
extern const char dp__cl_options[]; /* of the compiler */
dp_status dp__cl_kernel_create(dp__gpu *gpu, const dp__kernel_source *source, dp__binary *built, void **kernel);
bool dp__cl_kernel_load(dp__gpu *gpu, const dp__kernel_source *source, const dp__binary *binary, void **kernel);
void dp__cl_kernel_destroy(dp__gpu *gpu, void *kernel);

/* queue.c. */
dp_status dp__cl_launch(dp__gpu *gpu, const dp__launch *launch);
/* Buffers first, then the parameters, one 4-byte argument each. */
cl_int dp__cl_set_arguments(const dp__cl_api *api, cl_kernel kernel, const dp__launch *launch);
/* Makes the queue one that takes no times. */
dp_status dp__cl_leave_times(dp__gpu *gpu);
/* Enqueues a launch whose arguments `kernel` has. Without an `event` the next one that has one stands for it. */
dp_status dp__cl_enqueue(dp__gpu *gpu, cl_kernel kernel, const dp__launch *launch, bool event);
dp_status dp__cl_flush(dp__gpu *gpu);
dp_status dp__cl_wait(dp__gpu *gpu);
/* series.c */
dp_status dp__cl_series_create(dp__gpu *gpu, const dp__launch *launches, size_t count, void **series);
dp_status dp__cl_series_run(dp__gpu *gpu, void *series);
void dp__cl_series_destroy(dp__gpu *gpu, void *series);
/* clblast.c; without CLBlast's headers at build time clblast_none.c. */
bool dp__cl_has_gemm(dp__gpu *gpu);
dp_status dp__cl_gemm(dp__gpu *gpu, const dp__gemm *gemm);
void dp__cl_gemm_close(dp__gpu *gpu);

/* queue.c. Waits for the `count` oldest launches, times them, reports their errors and forgets them. */
dp_status dp__cl_retire(dp__gpu *gpu, int count);

#endif
