/* SPDX-License-Identifier: Apache-2.0 */
/* The backend "opencl": the devices of all platforms, and the table. */
#include "opencl.h"

#include <stdio.h>
#include <string.h>

#define MAX_PLATFORMS 64

/* What a search met besides usable devices. */
typedef struct survey {
    cl_uint platforms;
    bool rusticl;        /* Mesa's rusticl is there, with no device */
    const char *refused; /* why the last device that is not usable is not */
} survey;

/* A platform that has no device (Clover) or fails counts as none. */
static size_t find_on(const dp__cl_api *api, cl_platform_id platform, dp__cl_found *found, size_t capacity,
                      survey *met)
{
    cl_device_id devices[DP__CL_MAX_DEVICES];
    cl_uint count = 0;
    if (api->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, DP__CL_MAX_DEVICES, devices, &count) != CL_SUCCESS)
        count = 0;
    if (count == 0 && dp__cl_is_rusticl(api, platform))
        met->rusticl = true;
    size_t usable = 0;
    for (cl_uint i = 0; i < DP_MIN2(count, DP__CL_MAX_DEVICES) && usable < capacity; i++) {
        const char *const reason = dp__cl_unusable(api, devices[i]);
        if (reason == NULL)
            found[usable++] = (dp__cl_found){platform, devices[i]};
        else
            met->refused = reason;
    }
    return usable;
}

static void write_hint(const dp__cl_api *api, const survey *met, char *hint, size_t size)
{
    const char *const packages = "Debian: intel-opencl-icd, mesa-opencl-icd, or pocl-opencl-icd for the CPU";
    if (api == NULL)
        snprintf(hint, size, "libOpenCL.so.1 was not found: install ocl-icd-libopencl1 and a driver (%s)",
                 packages);
    else if (met->refused != NULL)
        snprintf(hint, size, "no OpenCL device can be used: the one that is there %s", met->refused);
    else if (met->rusticl)
        snprintf(hint, size,
                 "Mesa's rusticl has no device switched on: set RUSTICL_ENABLE to its drivers "
                 "(radeonsi, iris, llvmpipe), or install another driver (%s)",
                 packages);
    else if (met->platforms > 0)
        snprintf(hint, size, "no OpenCL driver has a device: install another one (%s)", packages);
    else
        snprintf(hint, size, "no OpenCL driver is installed (%s)", packages);
}

size_t dp__cl_find(dp__cl_found *found, size_t capacity, char *hint, size_t hint_size)
{
    const dp__cl_api *const api = dp__cl_load();
    survey met = {0, false, NULL};
    size_t count = 0;
    cl_platform_id platforms[MAX_PLATFORMS];
    if (api != NULL && api->clGetPlatformIDs(MAX_PLATFORMS, platforms, &met.platforms) != CL_SUCCESS)
        met.platforms = 0; /* -1001, the loader's word for no driver */
    for (cl_uint i = 0; i < DP_MIN2(met.platforms, MAX_PLATFORMS) && (i == 0 || count < capacity); i++)
        count += find_on(api, platforms[i], found + count, capacity - count, &met);
    if (hint_size > 0)
        hint[0] = '\0';
    if (count == 0 && hint_size > 0)
        write_hint(api, &met, hint, hint_size);
    return count;
}

static size_t list(dp_device_info *infos, size_t capacity, char *hint, size_t hint_size)
{
    dp__cl_found found[DP__CL_MAX_DEVICES];
    const size_t count = dp__cl_find(found, DP__CL_MAX_DEVICES, hint, hint != NULL ? hint_size : 0);
    for (size_t i = 0; i < DP_MIN2(count, capacity); i++)
        dp__cl_describe(dp__cl_load(), &found[i], i, &infos[i]);
    return count;
}

static dp_status open_device(dp_device *device, size_t index)
{
    return dp__gpu_open(device, &dp__cl_driver, index);
}

const dp__backend dp__backend_opencl = DP__GPU_BACKEND("opencl", list, open_device);
