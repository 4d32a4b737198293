/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that are not there: each has the limits of a real GPU and a driver that runs nothing and only
 * writes down the source of every kernel that the library would have built. */
#ifndef TESTS_PORTABILITY_RECORD_H
#define TESTS_PORTABILITY_RECORD_H

#include "gpu/driver.h"

/* A kind of GPU, and what its drivers report of it. */
typedef struct gpu_kind {
    const char *name;
    dp_device_type type;
    const char *vendor, *device;
    uint32_t subgroup, units;
    uint32_t opencl_group, vulkan_group; /* most work-items of a group */
    uint64_t local_bytes;
} gpu_kind;

extern const gpu_kind gpu_kinds[]; /* ends with a NULL name */

/* Gets each kernel once a device: `label` is that of the case which first needed it. False: stop. */
typedef bool take_kernel(void *context, const char *label, const dp__kernel_source *source);

typedef struct recorder {
    dp_device *device; /* for the public API; recorder_close frees it with all its tensors */
    const char *label;
    take_kernel *take;
    void *context;
} recorder;

/* False, with a message on stderr, where memory is out. */
bool recorder_open(recorder *own, const gpu_kind *kind, bool glsl, take_kernel *take, void *context);
void recorder_close(recorder *own);

/* cases.c: calls that together need every kernel which a device of this kind may be given. False where one
 * failed, with a message on stderr. */
bool record_cases(recorder *own);

#endif
