/* SPDX-License-Identifier: Apache-2.0 */
/* planted DEVICE BUG: runs one small kernel through the driver of that device, with a bug planted in it or
 * with none. It succeeds either way: what must notice the bug is the validator that it runs under (run.sh).
 *
 *   none             turns 64 numbers around, through local memory, and back
 *   out-of-bounds    writes its results one element further on: the last one lies behind the buffer
 *   missing-barrier  leaves out the barrier between writing and reading the local memory
 *   missing-hazard   hides from the driver that the first launch writes what the second one reads */
#include "gpu/driver.h"
#include <dipole/dipole.h>

#include <stdio.h>
#include <string.h>

#define COUNT 64

static const char opencl_text[] = "__kernel void planted(__global const float *in, __global float *out)\n"
                                  "{\n"
                                  "    __local float tile[64];\n"
                                  "    const int t = (int)get_local_id(0);\n"
                                  "    tile[t] = in[t];\n"
                                  "    %s\n"
                                  "    out[t + %d] = tile[63 - t];\n"
                                  "}\n";

static const char glsl_text[] = "#version 450\n"
                                "layout(local_size_x = 64) in;\n"
                                "layout(std430, binding = 0) readonly buffer In { float x[]; };\n"
                                "layout(std430, binding = 1) buffer Out { float y[]; };\n"
                                "shared float tile[64];\n"
                                "void main()\n"
                                "{\n"
                                "    const int t = int(gl_LocalInvocationID.x);\n"
                                "    tile[t] = x[t];\n"
                                "    %s\n"
                                "    y[t + %d] = tile[63 - t];\n"
                                "}\n";

static void *build(dp__gpu *gpu, const char *bug)
{
    char text[1024];
    const char *barrier = gpu->driver->glsl ? "barrier();" : "barrier(CLK_LOCAL_MEM_FENCE);";
    snprintf(text, sizeof(text), gpu->driver->glsl ? glsl_text : opencl_text,
             strcmp(bug, "missing-barrier") == 0 ? "" : barrier, strcmp(bug, "out-of-bounds") == 0);
    const dp__kernel_source source = {.name = "planted", .text = text, .group = {COUNT, 1, 1}, .bindings = 2};
    void *kernel = NULL;
    return gpu->driver->kernel_create(gpu, &source, NULL, &kernel) == DP_OK ? kernel : NULL;
}

static void launch(dp__gpu *gpu, void *kernel, const dp_tensor *in, const dp_tensor *out, bool writes)
{
    const dp__launch launch = {.kernel_name = "planted",
                               .kernel = kernel,
                               .group = {COUNT, 1, 1},
                               .groups = {1, 1, 1},
                               .binding = {{in->buffer, false}, {out->buffer, writes}},
                               .bindings = 2};
    gpu->driver->launch(gpu, &launch); /* a failure is kept in the device */
}

static void run(dp_device *device, const char *bug, float values[COUNT])
{
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)i;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(COUNT), values);
    dp_tensor *y = dp_from(device, DP_F32, DP_SHAPE(COUNT), values);
    dp_tensor *z = dp_from(device, DP_F32, DP_SHAPE(COUNT), values);
    void *kernel = x && y && z ? build(device->state, bug) : NULL;
    if (!kernel)
        return;
    launch(device->state, kernel, x, y, strcmp(bug, "missing-hazard") != 0);
    launch(device->state, kernel, y, z, true);
    dp_read(z, values, COUNT * sizeof(*values));
    dp__gpu *gpu = device->state;
    gpu->driver->kernel_destroy(gpu, kernel);
}

int main(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "ref") == 0) {
        fprintf(stderr, "planted DEVICE none|out-of-bounds|missing-barrier|missing-hazard\n");
        return 2;
    }
    dp_device *device = dp_device_open(argv[1]);
    float values[COUNT] = {0};
    if (dp_failed(device) == DP_OK)
        run(device, argv[2], values);
    const dp_status status = dp_failed(device);
    if (status != DP_OK)
        fprintf(stderr, "%s\n", dp_message(device));
    else
        printf("%s: first value %g, last %g\n", argv[2], (double)values[0], (double)values[COUNT - 1]);
    dp_device_close(&device);
    return status == DP_OK ? 0 : 1;
}
