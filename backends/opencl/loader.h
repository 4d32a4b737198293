/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenCL functions that the backend uses, found at run time: nothing links against libOpenCL, so a
 * machine without it has zero devices of this kind and no link error. */
#ifndef DP_OPENCL_LOADER_H
#define DP_OPENCL_LOADER_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#define DP__CL_FUNCTIONS(X)                                                                                  \
    X(clGetPlatformIDs)                                                                                      \
    X(clGetPlatformInfo)                                                                                     \
    X(clGetDeviceIDs)                                                                                        \
    X(clGetDeviceInfo)                                                                                       \
    X(clCreateContext)                                                                                       \
    X(clReleaseContext)                                                                                      \
    X(clCreateCommandQueue)                                                                                  \
    X(clReleaseCommandQueue)                                                                                 \
    X(clCreateBuffer)                                                                                        \
    X(clReleaseMemObject)                                                                                    \
    X(clGetMemObjectInfo)                                                                                    \
    X(clEnqueueWriteBuffer)                                                                                  \
    X(clEnqueueReadBuffer)                                                                                   \
    X(clCreateProgramWithSource)                                                                             \
    X(clBuildProgram)                                                                                        \
    X(clGetProgramBuildInfo)                                                                                 \
    X(clGetProgramInfo)                                                                                      \
    X(clCreateProgramWithBinary)                                                                             \
    X(clReleaseProgram)                                                                                      \
    X(clCreateKernel)                                                                                        \
    X(clReleaseKernel)                                                                                       \
    X(clGetKernelInfo)                                                                                       \
    X(clGetKernelWorkGroupInfo)                                                                              \
    X(clSetKernelArg)                                                                                        \
    X(clEnqueueNDRangeKernel)                                                                                \
    X(clFlush)                                                                                               \
    X(clFinish)                                                                                              \
    X(clWaitForEvents)                                                                                       \
    X(clGetEventInfo)                                                                                        \
    X(clGetEventProfilingInfo)                                                                               \
    X(clReleaseEvent)

typedef struct dp__cl_api {
#define DP__CL_MEMBER(function) __typeof__(&function) function;
    DP__CL_FUNCTIONS(DP__CL_MEMBER)
#undef DP__CL_MEMBER
} dp__cl_api;

/* The functions, or NULL where the machine has no OpenCL loader. Looks once and keeps what it found; any
 * thread may call. */
const dp__cl_api *dp__cl_load(void);

#endif
