/* SPDX-License-Identifier: Apache-2.0 */
#include "opencl.h"

#include <stdio.h>

#define CODE(name)                                                                                           \
    {                                                                                                        \
        name, #name                                                                                          \
    }

static const struct {
    cl_int code;
    const char *name;
} codes[] = {
    CODE(CL_DEVICE_NOT_FOUND),
    CODE(CL_DEVICE_NOT_AVAILABLE),
    CODE(CL_COMPILER_NOT_AVAILABLE),
    CODE(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    CODE(CL_OUT_OF_RESOURCES),
    CODE(CL_OUT_OF_HOST_MEMORY),
    CODE(CL_PROFILING_INFO_NOT_AVAILABLE),
    CODE(CL_MEM_COPY_OVERLAP),
    CODE(CL_BUILD_PROGRAM_FAILURE),
    CODE(CL_MAP_FAILURE),
    CODE(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    CODE(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    CODE(CL_COMPILE_PROGRAM_FAILURE),
    CODE(CL_LINKER_NOT_AVAILABLE),
    CODE(CL_LINK_PROGRAM_FAILURE),
    CODE(CL_KERNEL_ARG_INFO_NOT_AVAILABLE),
    CODE(CL_INVALID_VALUE),
    CODE(CL_INVALID_DEVICE_TYPE),
    CODE(CL_INVALID_PLATFORM),
    CODE(CL_INVALID_DEVICE),
    CODE(CL_INVALID_CONTEXT),
    CODE(CL_INVALID_QUEUE_PROPERTIES),
    CODE(CL_INVALID_COMMAND_QUEUE),
    CODE(CL_INVALID_HOST_PTR),
    CODE(CL_INVALID_MEM_OBJECT),
    CODE(CL_INVALID_BINARY),
    CODE(CL_INVALID_BUILD_OPTIONS),
    CODE(CL_INVALID_PROGRAM),
    CODE(CL_INVALID_PROGRAM_EXECUTABLE),
    CODE(CL_INVALID_KERNEL_NAME),
    CODE(CL_INVALID_KERNEL_DEFINITION),
    CODE(CL_INVALID_KERNEL),
    CODE(CL_INVALID_ARG_INDEX),
    CODE(CL_INVALID_ARG_VALUE),
    CODE(CL_INVALID_ARG_SIZE),
    CODE(CL_INVALID_KERNEL_ARGS),
    CODE(CL_INVALID_WORK_DIMENSION),
    CODE(CL_INVALID_WORK_GROUP_SIZE),
    CODE(CL_INVALID_WORK_ITEM_SIZE),
    CODE(CL_INVALID_GLOBAL_OFFSET),
    CODE(CL_INVALID_EVENT_WAIT_LIST),
    CODE(CL_INVALID_EVENT),
    CODE(CL_INVALID_OPERATION),
    CODE(CL_INVALID_BUFFER_SIZE),
    CODE(CL_INVALID_GLOBAL_WORK_SIZE),
    CODE(CL_INVALID_PROPERTY),
    CODE(CL_INVALID_COMPILER_OPTIONS),
    CODE(CL_INVALID_LINKER_OPTIONS),
};

#define NVIDIA_ILLEGAL_ACCESS (-9999) /* a kernel read or wrote outside of its buffers */

/* The context and the queue are valid until the driver drops them. After a kernel has crashed or was stopped
 * by a watchdog, NVIDIA's and Intel's drivers answer a wait with CL_OUT_OF_RESOURCES, and so every later
 * call. */
static bool means_lost(dp__cl_stage stage, cl_int error)
{
    if (stage == DP__CL_OPEN)
        return false;
    switch (error) {
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_CONTEXT:
    case CL_INVALID_COMMAND_QUEUE:
    case NVIDIA_ILLEGAL_ACCESS:
        return true;
    case CL_OUT_OF_RESOURCES:
        return stage == DP__CL_WAIT;
    default:
        return false;
    }
}

/* Memory may be taken as late as by the first launch that uses a buffer. The largest size of a buffer is less
 * than the device told at first where it follows the host's free memory (PoCL). */
static bool means_memory(dp__cl_stage stage, cl_int error)
{
    const bool allocates = stage == DP__CL_OPEN || stage == DP__CL_ALLOCATE;
    return error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY ||
           (allocates && (error == CL_OUT_OF_RESOURCES || error == CL_INVALID_BUFFER_SIZE));
}

dp_status dp__cl_fail(dp__gpu *gpu, dp__cl_stage stage, cl_int error, const char *call, const char *subject)
{
    char text[32];
    const char *name = text;
    snprintf(text, sizeof text, "error %d", (int)error);
    for (size_t i = 0; i < DP_COUNT(codes); i++)
        if (codes[i].code == error)
            name = codes[i].name;
    const char *const open = subject != NULL ? " (" : "", *const close = subject != NULL ? ")" : "";
    subject = subject != NULL ? subject : "";

    if (means_lost(stage, error))
        return dp__lose(gpu->device, "%s%s%s%s: %s: the device was lost", call, open, subject, close, name);
    return dp__fail(gpu->device, means_memory(stage, error) ? DP_ERROR_MEMORY : DP_ERROR_DRIVER,
                    "%s%s%s%s: %s", call, open, subject, close, name);
}
