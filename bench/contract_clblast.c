/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products and forward convolutions through CLBlast on an OpenCL device.
 * --device N      the Nth device of all platforms, as in Dipole's opencl:N; default 0
 * --tuned         with the parameters of backends/opencl/clblast_parameters.h
 * --set KERNEL:NAME=VALUE,...   with these, all of a kernel's; up to 8 times: for finding them */
#include "backends/opencl/clblast_parameters.h"
#include "common.h"
#include "contract.h"

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <clblast_c.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEVICES = 64, X = 0, W, Y, SLOTS };

typedef struct clblast_state {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_mem memory[SLOTS];
    const contract_problem *problem;
} clblast_state;

static bool good(int status, const char *what)
{
    return status == CL_SUCCESS || contract_fail("%s: status %d", what, status);
}

static bool prepare(void *data, const contract_problem *p)
{
    clblast_state *state = data;
    float *const values[SLOTS] = {p->x, p->w, p->y};
    const size_t sizes[SLOTS] = {p->x_size, p->w_size, p->y_size};
    state->problem = p;
    if (p->kind != CONTRACT_MATMUL && p->kind != CONTRACT_FORWARD)
        return contract_unsupported("no gradients");
    for (int s = 0; s < SLOTS; s++) {
        cl_int error;
        state->memory[s] = clCreateBuffer(state->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizes[s] * sizeof(float),
                                          values[s], &error);
        if (!good(error, "clCreateBuffer"))
            return false;
    }
    return true;
}

static CLBlastStatusCode call(clblast_state *state, cl_event *event)
{
    const contract_problem *p = state->problem;
    const cl_mem *memory = state->memory;
    if (p->kind == CONTRACT_MATMUL)
        return CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, (size_t)p->m, (size_t)p->n,
                            (size_t)p->k, 1, memory[X], 0, (size_t)p->k, memory[W], 0, (size_t)p->n, 0, memory[Y], 0,
                            (size_t)p->n, &state->queue, event);
    const size_t size = (size_t)p->size, rows = (size_t)p->rows, padding = (size_t)p->padding, stride = (size_t)p->stride;
    return CLBlastSconvgemm(CLBlastKernelModeCrossCorrelation, (size_t)p->channels, size, size, rows, rows, padding, padding,
                            stride, stride, 1, 1, (size_t)p->kernels, (size_t)p->images, memory[X], 0, memory[W], 0, memory[Y],
                            0, &state->queue, event);
}

static bool run(void *data)
{
    cl_event event = NULL;
    if (!good((int)call(data, &event), "CLBlast"))
        return false;
    const cl_int error = clWaitForEvents(1, &event);
    clReleaseEvent(event);
    return good(error, "clWaitForEvents");
}

static bool fetch(void *data, float *result)
{
    clblast_state *state = data;
    size_t size;
    contract_result(state->problem, &size);
    return good(clEnqueueReadBuffer(state->queue, state->memory[Y], CL_TRUE, 0, size * sizeof *result, result, 0, NULL, NULL),
                "clEnqueueReadBuffer");
}

static void finish(void *data)
{
    clblast_state *state = data;
    for (int s = 0; s < SLOTS; s++) {
        if (state->memory[s])
            clReleaseMemObject(state->memory[s]);
        state->memory[s] = NULL;
    }
}

static cl_device_id find_device(unsigned index)
{
    cl_platform_id platforms[MAX_DEVICES];
    cl_uint count = 0;
    if (clGetPlatformIDs(MAX_DEVICES, platforms, &count) != CL_SUCCESS)
        return NULL;
    for (cl_uint p = 0; p < count && p < MAX_DEVICES; p++) {
        cl_device_id devices[MAX_DEVICES];
        cl_uint here = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, devices, &here) != CL_SUCCESS)
            continue;
        if (index < here && index < MAX_DEVICES)
            return devices[index];
        index -= here;
    }
    return NULL;
}

static bool override(cl_device_id device, const dp__clblast_entry *entry)
{
    const char *names[DP__CLBLAST_MAX_PARAMETERS];
    size_t values[DP__CLBLAST_MAX_PARAMETERS], count = 0;
    for (; count < DP__CLBLAST_MAX_PARAMETERS && entry->parameter[count].name; count++) {
        names[count] = entry->parameter[count].name;
        values[count] = entry->parameter[count].value;
    }
    return good((int)CLBlastOverrideParameters(device, entry->kernel, CLBlastPrecisionSingle, count, names, values),
                entry->kernel);
}

/* Cuts "KERNEL:NAME=VALUE,..." up in place. */
static bool set(cl_device_id device, char *text)
{
    dp__clblast_entry entry = {.kernel = strtok(text, ":")};
    size_t count = 0;
    for (char *name; entry.kernel && count < DP__CLBLAST_MAX_PARAMETERS && (name = strtok(NULL, "=")); count++) {
        const char *value = strtok(NULL, ",");
        entry.parameter[count].name = name;
        entry.parameter[count].value = value ? (size_t)strtoul(value, NULL, 10) : 0;
    }
    return (entry.kernel && override(device, &entry)) || contract_fail("--set %s: not taken", text);
}

static bool set_parameters(cl_device_id device, int argc, char **argv)
{
    const size_t entries = sizeof dp__clblast_cpu8 / sizeof *dp__clblast_cpu8;
    for (int a = 1; a < argc; a++) {
        if (!strcmp(argv[a], "--set") && a + 1 < argc && !set(device, argv[a + 1]))
            return false;
        for (size_t e = 0; e < entries && !strcmp(argv[a], "--tuned"); e++)
            if (!override(device, &dp__clblast_cpu8[e]))
                return false;
    }
    return true;
}

static bool open_state(clblast_state *state, int argc, char **argv)
{
    cl_int error;
    state->device = find_device((unsigned)atoi(contract_option(argc, argv, "--device", "0")));
    if (!state->device)
        return contract_unsupported("no such OpenCL device");
    state->context = clCreateContext(NULL, 1, &state->device, NULL, NULL, &error);
    if (!good(error, "clCreateContext"))
        return false;
    state->queue = clCreateCommandQueue(state->context, state->device, 0, &error);
    return good(error, "clCreateCommandQueue") && set_parameters(state->device, argc, argv);
}

int main(int argc, char **argv)
{
    static const contract_contender clblast = {prepare, run, fetch, finish};
    clblast_state state = {0};
    char name[128] = "", driver[64] = "", what[300];
    if (!open_state(&state, argc, argv)) {
        fprintf(stderr, "contract_clblast: %s\n", contract_why);
        return contract_skip ? BENCH_SKIPPED : 1;
    }
    clGetDeviceInfo(state.device, CL_DEVICE_NAME, sizeof name, name, NULL);
    clGetDeviceInfo(state.device, CL_DRIVER_VERSION, sizeof driver, driver, NULL);
    snprintf(what, sizeof what, "CLBlast %d.%d.%d on %s, driver %s", CLBLAST_VERSION_MAJOR, CLBLAST_VERSION_MINOR,
             CLBLAST_VERSION_PATCH, name, driver);
    const int status = contract_serve(&clblast, &state, what);
    CLBlastClearCache();
    clReleaseCommandQueue(state.queue);
    clReleaseContext(state.context);
    return status;
}
