/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenCL and Vulkan differ in, and nothing else: the contract between src/gpu and a GPU backend's folder. The rest
 * (plans, kernel cache, tuning, profile) is shared and calls these. One queue, in order. */
#ifndef DP_GPU_DRIVER_H
#define DP_GPU_DRIVER_H

#include "backend.h"

#define DP__MAX_BINDINGS 20    /* buffers of one kernel */
#define DP__MAX_PARAMS 32      /* 32-bit words of one launch: Vulkan guarantees 128 bytes of push constants */

/* What plans are made from. Filled by the driver at open, corrected where a driver is known to lie. */
typedef struct dp__gpu_limits {
    dp_device_type type;
    char vendor[64], name[128]; /* as in dp_device_info */
    uint32_t max_group_size;    /* work-items */
    uint32_t max_group_dim[3];
    uint64_t max_groups[3];
    uint64_t local_bytes;
    uint64_t max_tensor_bytes; /* one binding, one allocation */
    uint32_t max_bindings;
    uint32_t max_vector; /* widest explicit vector of the dialect that pays at all: OpenCL 16, GLSL 4 */
    uint32_t compute_units;
    uint32_t subgroup_size;
} dp__gpu_limits;

/* A kernel's source: complete text of the driver's dialect (see source.h), its entry point, its fixed group size. */
typedef struct dp__kernel_source {
    const char *name; /* "matmul"; OpenCL's kernel function is called so too, GLSL's main */
    const char *text; /* NUL-terminated */
    uint32_t group[3];
    int bindings; /* buffers 0 .. bindings - 1 */
    int params;   /* 32-bit words: OpenCL's arguments after the buffers, GLSL's push constants */
} dp__kernel_source;

/* What a driver made of a kernel's source, for another process of the same device and driver. */
typedef struct dp__binary {
    void *data; /* NULL: none */
    size_t bytes;
} dp__binary;

typedef struct dp__binding {
    dp__buffer *buffer;
    bool writes; /* the kernel writes it (and may read it) */
} dp__binding;

typedef struct dp__launch {
    const char *kernel_name; /* for the profile; static */
    void *kernel;            /* from kernel_create */
    uint32_t group[3];       /* work-items of a group: the kernel's */
    uint32_t groups[3];      /* number of groups, each >= 1 and within the limits */
    dp__binding binding[DP__MAX_BINDINGS];
    int bindings;
    uint32_t param[DP__MAX_PARAMS];
    int params;
    double flops, bytes;
} dp__launch;

/* A matrix product of a library: result[b] = alpha A[b] B[b] + beta result[b], f32; A is [m, k], B [k, n]; all sizes are >= 1. */
typedef struct dp__gemm_matrix {
    dp__buffer *buffer;
    int64_t offset, batch; /* elements; the latter from one of the batch to the next */
    int64_t leading;       /* elements from row to row; from column to column where */
    bool by_columns;       /* columns are contiguous instead of rows */
} dp__gemm_matrix;

typedef struct dp__gemm {
    int64_t batches, m, n, k;
    dp__gemm_matrix a, b, result;
    float alpha, beta;
} dp__gemm;

typedef struct dp__gpu dp__gpu;

typedef struct dp__gpu_driver {
    const char *name;
    bool glsl; /* the dialect: GLSL 4.50 for Vulkan 1.1, else OpenCL C 1.2 */

    /* open fills gpu->driver_state, gpu->limits, gpu->identity and gpu->device->info. Nothing is left on failure. */
    dp_status (*open)(dp__gpu *gpu, size_t index);
    void (*close)(dp__gpu *gpu); /* waits; all kernels and buffers are gone by then */

    /* Contracts as in backend.h. Offsets and sizes are any number of bytes. */
    dp_status (*buffer_create)(dp__gpu *gpu, uint64_t bytes, void **handle);
    void (*buffer_destroy)(dp__gpu *gpu, void *handle);
    /* Whether a write by the host would have to wait for launches. NULL: there is nothing to gain by asking. */
    bool (*buffer_busy)(dp__gpu *gpu, void *handle);
    dp_status (*buffer_write)(dp__gpu *gpu, void *handle, uint64_t offset, const void *data, uint64_t bytes);
    dp_status (*buffer_read)(dp__gpu *gpu, void *handle, uint64_t offset, void *data, uint64_t bytes);

    /* Builds. A source that does not compile is our bug, or the driver's: ERROR_DRIVER with the first lines of the log; with
     * DIPOLE_DEBUG=kernels in the environment the whole log and the numbered source go to stderr. `built` (may be NULL)
     * receives what kernel_load takes, where there is such a thing; the caller frees its data. */
    dp_status (*kernel_create)(dp__gpu *gpu, const dp__kernel_source *source, dp__binary *built, void **kernel);
    /* Builds from the binary instead of source->text. False, with no message kept, where the driver refuses it. */
    bool (*kernel_load)(dp__gpu *gpu, const dp__kernel_source *source, const dp__binary *binary, void **kernel);
    void (*kernel_destroy)(dp__gpu *gpu, void *kernel); /* launches in flight may still use it */

    /* Records a launch behind all earlier ones: it sees what they wrote. Asynchronous. The driver submits on its own when enough
     * work (by launch->flops and ->bytes) or enough launches are recorded. The buffers stay alive until it is done, even when
     * buffer_destroy is called right after. While gpu->profiling, the launch is timed. */
    dp_status (*launch)(dp__gpu *gpu, const dp__launch *launch);
    /* Launches that are recorded again and again, in one go; all NULL where launch is as good. What `launches` points to, its buffers and
     * kernels outlive the series; launches in flight may still be part of a series that is destroyed. Not while gpu->profiling. */
    dp_status (*series_create)(dp__gpu *gpu, const dp__launch *launches, size_t count, void **series);
    dp_status (*series_run)(dp__gpu *gpu, void *series);
    void (*series_destroy)(dp__gpu *gpu, void *series);
    dp_status (*flush)(dp__gpu *gpu); /* submits what is recorded; does not wait */
    /* Submits and waits; passes the time of every timed launch that is done to dp__profile_add, and reports errors. */
    dp_status (*wait)(dp__gpu *gpu);

    /* Matrix products by a library that the API has, recorded as launches are. Both NULL where it has none; where it has one,
     * has_gemm tells whether it is installed. */
    bool (*has_gemm)(dp__gpu *gpu);
    dp_status (*gemm)(dp__gpu *gpu, const dp__gemm *gemm);
} dp__gpu_driver;

/* One open GPU device: device->state of both GPU backends. */
struct dp__gpu {
    dp_device *device;
    const dp__gpu_driver *driver;
    void *driver_state;
    dp__gpu_limits limits;
    char identity[1024]; /* all that built kernels depend on besides their source: device, driver, compiler, options */
    bool profiling;
    struct dp__profile *profile;
    struct dp__kernel_cache *cache;
    struct dp__table_cache *tables;
    struct dp__pool *pool;
    struct dp__capture *capture; /* NULL: no program's body is recorded */
    uint32_t captures;           /* so many there were */
    struct dp__cache *disk; /* NULL: built kernels are not kept on disk */
    struct dp__tuned *tuned; /* what is known of fast kernels; NULL: nothing, and safe choices are made */
};

/* gpu/profile.c. `name` is a kernel's; seconds of one launch. */
void dp__profile_add(dp__gpu *gpu, const char *name, double seconds, double flops, double bytes);

/* gpu/gpu.c, and gpu/pool.c for buffers: the functions of dp__backend that both GPU backends share. A backend's table is its own
 * list() and open() (which calls dp__gpu_open with its driver) and these. */
dp_status dp__gpu_open(dp_device *device, const dp__gpu_driver *driver, size_t index);
void dp__gpu_close(dp_device *device);
dp_status dp__gpu_buffer_create(dp_device *device, dp__buffer *buffer);
void dp__gpu_buffer_destroy(dp_device *device, dp__buffer *buffer);
dp_status dp__gpu_buffer_write(dp_device *device, dp__buffer *buffer, uint64_t offset, const void *data,
                               uint64_t bytes);
dp_status dp__gpu_buffer_read(dp_device *device, dp__buffer *buffer, uint64_t offset, void *data,
                              uint64_t bytes);
dp_status dp__gpu_run(dp_device *device, dp__op op, const void *call);
dp_status dp__gpu_plan(dp__gpu *gpu, dp__op op, const void *call); /* the op's plan */
dp_status dp__gpu_wait(dp_device *device);
/* gpu/record.c */
dp_status dp__gpu_source(dp_device *device, dp__op op, const void *call, dp_dialect dialect, dp__text *text);
dp_status dp__gpu_profile(dp_device *device, bool on);
size_t dp__gpu_profile_list(dp_device *device, dp_profile_entry *entries, size_t capacity);
/* gpu/capture.c */
dp_status dp__gpu_capture_begin(dp_device *device);
dp_status dp__gpu_capture_end(dp_device *device, bool keep, void **recording);
dp_status dp__gpu_replay(dp_device *device, void *recording);
void dp__gpu_recording_free(dp_device *device, void *recording);
/* gpu/tuner.c */
dp_status dp__gpu_tune(dp_device *device, const dp_tune_options *options);

#define DP__GPU_BACKEND(backend_name, list_function, open_function)                                          \
    {                                                                                                        \
        .name = backend_name, .list = list_function, .open = open_function, .close = dp__gpu_close,          \
        .buffer_create = dp__gpu_buffer_create, .buffer_destroy = dp__gpu_buffer_destroy,                    \
        .buffer_write = dp__gpu_buffer_write, .buffer_read = dp__gpu_buffer_read,                            \
        .run = dp__gpu_run, .wait = dp__gpu_wait, .source = dp__gpu_source, .profile = dp__gpu_profile,           \
        .profile_list = dp__gpu_profile_list, .tune = dp__gpu_tune,                                          \
        .capture_begin = dp__gpu_capture_begin, .capture_end = dp__gpu_capture_end,                          \
        .replay = dp__gpu_replay, .recording_free = dp__gpu_recording_free                                   \
    }

#endif
