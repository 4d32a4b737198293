/* SPDX-License-Identifier: Apache-2.0 */
#include "opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing that changes arithmetic: f32 means f32. */
const char dp__cl_options[] =
    "-cl-std=CL1.2 -w"; /* clang warns of the calling convention of vectors wider than registers */

/* The compiler's log; NULL where there is none. Freed by the caller. */
static char *build_log(const dp__cl_state *state, cl_program program)
{
    size_t size = 0;
    if (state->api->clGetProgramBuildInfo(program, state->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) !=
        CL_SUCCESS)
        return NULL;
    char *const log = size > 0 ? dp__alloc(size + 1, 1) : NULL;
    if (log != NULL)
        state->api->clGetProgramBuildInfo(program, state->device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    return log;
}

/* A message is one line: the log's first few that are not empty, as far as they fit. */
static void first_lines(const char *log, char *text, size_t size)
{
    size_t length = 0;
    int lines = 0;
    text[0] = '\0';
    for (const char *line = log; *line != '\0' && lines < 4;) {
        const size_t span = strcspn(line, "\r\n");
        if (span > 0 && length + 3 < size) {
            const int wrote =
                snprintf(text + length, size - length, "%s%.*s", lines > 0 ? " | " : "", (int)span, line);
            length = DP_MIN2(length + (size_t)wrote, size - 1);
            lines++;
        }
        line += span + strspn(line + span, "\r\n");
    }
}

static void print_source(const dp__kernel_source *source, const char *log)
{
    const char *const debug = getenv("DIPOLE_DEBUG");
    if (debug == NULL || strstr(debug, "kernels") == NULL)
        return;
    fprintf(stderr, "kernel %s does not build with \"%s\":\n%s\n", source->name, dp__cl_options, log);
    int number = 1;
    for (const char *line = source->text; *line != '\0'; number++) {
        const size_t span = strcspn(line, "\n");
        fprintf(stderr, "%5d  %.*s\n", number, (int)span, line);
        line += span + (line[span] == '\n');
    }
}

static dp_status fail_build(dp__gpu *gpu, cl_int error, cl_program program, const dp__kernel_source *source)
{
    if (error != CL_BUILD_PROGRAM_FAILURE)
        return dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clBuildProgram", source->name);
    char *const log = build_log(gpu->driver_state, program);
    char lines[360];
    first_lines(log != NULL ? log : "", lines, sizeof lines);
    print_source(source, log != NULL ? log : "");
    dp__free(log);
    return dp__fail(gpu->device, DP_ERROR_DRIVER, "kernel %s does not build: %s", source->name,
                    lines[0] != '\0' ? lines : "the compiler gives no reason");
}

/* A kernel that needs many registers or much local memory may run in smaller groups only. */
static dp_status check_group(dp__gpu *gpu, cl_kernel kernel, const dp__kernel_source *source)
{
    const dp__cl_state *const state = gpu->driver_state;
    const size_t wanted = (size_t)source->group[0] * source->group[1] * source->group[2];
    size_t most = 0;
    if (state->group_size_lies ||
        state->api->clGetKernelWorkGroupInfo(kernel, state->device, CL_KERNEL_WORK_GROUP_SIZE, sizeof most,
                                             &most, NULL) != CL_SUCCESS ||
        wanted <= most)
        return DP_OK;
    return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED,
                    "kernel %s: groups of %zu work-items, but this device runs it in groups of at most %zu",
                    source->name, wanted, most);
}

/* From a program that is built. */
static dp_status take_kernel(dp__gpu *gpu, cl_program program, const dp__kernel_source *source,
                             cl_kernel *kernel)
{
    const dp__cl_state *const state = gpu->driver_state;
    cl_int error = CL_SUCCESS;
    *kernel = state->api->clCreateKernel(program, source->name, &error);
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clCreateKernel", source->name);
    return DP_OK;
}

/* The program's binary for its one device; none where the driver has none to give, or memory is out. */
static void take_binary(const dp__cl_state *state, cl_program program, dp__binary *binary)
{
    size_t bytes = 0;
    *binary = (dp__binary){NULL, 0};
    if (state->api->clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) !=
            CL_SUCCESS ||
        bytes == 0)
        return;
    unsigned char *data = dp__alloc(bytes, 1);
    if (data != NULL &&
        state->api->clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) == CL_SUCCESS)
        *binary = (dp__binary){data, bytes};
    else
        dp__free(data);
}

dp_status dp__cl_kernel_create(dp__gpu *gpu, const dp__kernel_source *source, dp__binary *built,
                               void **handle)
{
    const dp__cl_state *const state = gpu->driver_state;
    const char *text = source->text;
    cl_int error = CL_SUCCESS;
    cl_kernel kernel = NULL;
    const cl_program program = state->api->clCreateProgramWithSource(state->context, 1, &text, NULL, &error);
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_SUBMIT, error, "clCreateProgramWithSource", source->name);
    error = state->api->clBuildProgram(program, 1, &state->device, dp__cl_options, NULL, NULL);
    dp_status status = error != CL_SUCCESS ? fail_build(gpu, error, program, source)
                                           : take_kernel(gpu, program, source, &kernel);
    if (status == DP_OK)
        status = check_group(gpu, kernel, source);
    if (status == DP_OK && built != NULL)
        take_binary(state, program, built);
    if (status == DP_OK)
        *handle = kernel;
    else if (kernel != NULL)
        state->api->clReleaseKernel(kernel);
    state->api->clReleaseProgram(program); /* the kernel holds a reference */
    return status;
}

bool dp__cl_kernel_load(dp__gpu *gpu, const dp__kernel_source *source, const dp__binary *binary,
                        void **handle)
{
    const dp__cl_state *const state = gpu->driver_state;
    const unsigned char *data = binary->data;
    cl_int error = CL_SUCCESS, accepted = CL_SUCCESS;
    cl_kernel kernel = NULL;
    const cl_program program = state->api->clCreateProgramWithBinary(
        state->context, 1, &state->device, &binary->bytes, &data, &accepted, &error);
    if (error != CL_SUCCESS)
        return false;
    if (accepted == CL_SUCCESS &&
        state->api->clBuildProgram(program, 1, &state->device, dp__cl_options, NULL, NULL) == CL_SUCCESS) {
        kernel = state->api->clCreateKernel(program, source->name, &error);
        if (error != CL_SUCCESS)
            kernel = NULL;
    }
    state->api->clReleaseProgram(program);
    *handle = kernel;
    return kernel != NULL;
}

void dp__cl_kernel_destroy(dp__gpu *gpu, void *kernel)
{
    const dp__cl_state *const state = gpu->driver_state;
    state->api->clReleaseKernel(kernel);
}
