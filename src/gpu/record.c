/* SPDX-License-Identifier: Apache-2.0 */
/* The sources that a plan builds, without building or launching anything: the plan runs with a driver that
 * only writes them down. */
#include "gpu/capture.h"
#include "gpu/step.h"
#include <string.h>

typedef struct recorder {
    dp__gpu gpu; /* first: the driver's functions get it */
    dp__gpu_driver driver;
    dp__text *text;
} recorder;

static dp_status record_kernel(dp__gpu *gpu, const dp__kernel_source *source, dp__binary *built, void **kernel)
{
    (void)built;
    const recorder *own = (const recorder *)gpu;
    dp__text_add(own->text, "%s%s", own->text->length > 0 ? "\n" : "", source->text);
    *kernel = gpu;
    return own->text->failed ? dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the source") : DP_OK;
}

static void forget_kernel(dp__gpu *gpu, void *kernel)
{
    (void)gpu;
    (void)kernel;
}

static dp_status skip_launch(dp__gpu *gpu, const dp__launch *launch)
{
    (void)gpu;
    (void)launch;
    return DP_OK;
}

static dp_status skip_flush(dp__gpu *gpu)
{
    (void)gpu;
    return DP_OK;
}

dp_status dp__gpu_source(dp_device *device, dp__op op, const void *call, dp_dialect dialect, dp__text *text)
{
    dp__gpu *gpu = device->state;
    recorder own = {.gpu = *gpu, .driver = *gpu->driver, .text = text};
    own.driver.kernel_create = record_kernel;
    own.driver.kernel_destroy = forget_kernel;
    own.driver.launch = skip_launch;
    own.driver.flush = skip_flush;
    own.driver.gemm = NULL; /* a library's kernels are not ours to show */
    if (dialect != DP_DIALECT_DEVICE)
        own.driver.glsl = dialect == DP_DIALECT_GLSL;
    own.gpu.limits.max_vector =
        own.driver.glsl ? DP_MIN2(gpu->limits.max_vector, 4u) : gpu->limits.max_vector;
    own.gpu.driver = &own.driver;
    own.gpu.cache = NULL;
    own.gpu.tables = NULL;
    own.gpu.disk = NULL;
    own.gpu.tuned = NULL; /* its checks launch kernels */
    own.gpu.profiling = false;
    own.gpu.capture = NULL;
    dp__capture_suspend(gpu); /* tensors are made and written all the same */
    const dp_status status = dp__gpu_plan(&own.gpu, op, call);
    dp__table_cache_free(&own.gpu);
    dp__kernel_cache_free(&own.gpu);
    dp__capture_resume(gpu);
    return status;
}
