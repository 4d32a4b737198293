/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: listing, opening, and the one place where errors are kept.
 *
 * A device and everything on it is used by one thread at a time; different devices run side by side. */
#ifndef DIPOLE_DEVICE_H
#define DIPOLE_DEVICE_H

#include <dipole/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_device dp_device;

/* In the order in which dp_device_open(NULL) prefers them, worst first. */
typedef enum dp_device_type {
    DP_DEVICE_REFERENCE,      /* the plain C reference */
    DP_DEVICE_SOFTWARE_GPU,   /* a GPU API implemented on the CPU: llvmpipe, SwiftShader */
    DP_DEVICE_CPU,            /* an OpenCL runtime for the CPU */
    DP_DEVICE_ACCELERATOR,    /* neither a CPU nor a GPU */
    DP_DEVICE_INTEGRATED_GPU, /* shares the host's memory */
    DP_DEVICE_DISCRETE_GPU
} dp_device_type;

/* Features, as bits of dp_device_info.features. */
enum {
    DP_FEATURE_F16 = 1 << 0,        /* arithmetic in half precision */
    DP_FEATURE_F64 = 1 << 1,        /* arithmetic in double precision */
    DP_FEATURE_TIMESTAMPS = 1 << 2, /* launches can be timed on the device */
    DP_FEATURE_SUBGROUPS = 1 << 3,
    DP_FEATURE_UNIFIED_MEMORY = 1 << 4
};

/* What a listing tells. Strings are never empty but for `card`. */
typedef struct dp_device_info {
    char id[32]; /* "opencl:0", what dp_device_open takes */
    char backend[16];
    char name[128];
    char vendor[64];
    char driver[128]; /* name and version of the driver */
    char api[64];     /* "OpenCL C 1.2", "Vulkan 1.3.230" */
    char card[64];    /* the same for one card seen through two APIs ("pci:0000:01:00.0"); "" if not known */
    dp_device_type type;
    uint32_t features;
    uint32_t compute_units;    /* 0: not known */
    uint32_t max_group_size;   /* work-items of a work-group */
    uint32_t subgroup_size;    /* 0: not known */
    uint64_t memory_bytes;     /* what all tensors may take together */
    uint64_t max_tensor_bytes; /* what one tensor may take */
    uint64_t local_bytes;      /* local (shared) memory of a work-group */
} dp_device_info;

/* Lists the devices of every backend that this library was built with: "ref" first, then OpenCL's and Vulkan's in
 * the drivers' order. Writes at most `capacity` of them to `infos` (may be NULL with capacity 0) and returns how many
 * there are. A platform that is broken or empty counts as none. */
DP_API size_t dp_device_list(dp_device_info *infos, size_t capacity);

/* The backends that this library was built with, by index from 0: its name, NULL past the last. Where the backend
 * lists no device, `hint` (may be NULL) receives one line that says why and what to install; else "". */
DP_API const char *dp_backend_name(size_t index, char *hint, size_t hint_size);

/* "discrete GPU", ... Static. */
DP_API const char *dp_device_type_name(dp_device_type type);

/* Opens a device: "ref", "opencl:0", "vulkan:1", or "opencl" / "vulkan" for the best of that backend. NULL or "" takes
 * the environment variable DIPOLE_DEVICE if it is set, else the best device there is by dp_device_type.
 * Always returns a handle that can be asked with dp_failed() and must be closed, but for NULL when the host has no memory for
 * it; every call of the library takes a failed or NULL device and does nothing. */
DP_API dp_device *dp_device_open(const char *id);

/* Waits for the device's work, then frees the device and every tensor on it, whoever holds a reference: their handles
 * are void after this. Nulls the handle; NULL is fine. */
DP_API void dp_device_close(dp_device **device);

/* NULL device: all zeros and empty strings. */
DP_API dp_device_info dp_device_get_info(const dp_device *device);

/* Submits what was recorded, waits until it is done and returns the first error that is kept (see dp_failed). */
DP_API dp_status dp_device_wait(dp_device *device);

/* Errors. The first failure since the last dp_clear() is kept with its message; calls that are given a NULL tensor
 * while one is kept fail without a new message, so a chain of calls needs one question at its end.
 * A valid call runs even while an error is kept. A lost device stays lost: every call returns that status. */
DP_API dp_status dp_failed(const dp_device *device);          /* DP_OK or the first failure; NULL: ERROR_NO_DEVICE */
DP_API const char *dp_message(const dp_device *device);       /* its message, "" if none; valid until the next call */
DP_API dp_status dp_clear(dp_device *device);                 /* forgets the failure, returns what it was */

#ifdef __cplusplus
}
#endif
#endif
