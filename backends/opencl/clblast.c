/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products by CLBlast, on our buffers and in our queue. It is found at run time, as OpenCL itself is, and builds its
 * kernels at their first use; it keeps them, in memory, until dp__cl_gemm_close. What it takes for padded copies of matrices is
 * its own, in no count of ours, and a product is submitted whole, however long it is: one more reason to ask for it only where it
 * was measured. */
#include "opencl.h"
#include "clblast_parameters.h"

#include <clblast_c.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static struct {
    __typeof__(&CLBlastSgemm) gemm;
    __typeof__(&CLBlastSgemmStridedBatched) batched;
    __typeof__(&CLBlastOverrideParameters) override;
    __typeof__(&CLBlastClearCache) clear;
} api;
static bool loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* POSIX promises that a pointer from dlsym() holds a function's address; C has no cast for it. */
static bool find(void *library, const char *name, void *function, size_t size)
{
    void *const symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

/* It needs libOpenCL.so.1, and so gets the one that loader.c has. Its caches do not survive an unload. */
static void load(void)
{
    void *const library = dlopen("libclblast.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return;
    loaded = find(library, "CLBlastSgemm", &api.gemm, sizeof api.gemm) &&
             find(library, "CLBlastSgemmStridedBatched", &api.batched, sizeof api.batched) &&
             find(library, "CLBlastOverrideParameters", &api.override, sizeof api.override) &&
             find(library, "CLBlastClearCache", &api.clear, sizeof api.clear);
}

bool dp__cl_has_gemm(dp__gpu *gpu)
{
    (void)gpu;
    pthread_once(&once, load);
    return loaded;
}

/* A version of CLBlast whose kernel has other parameters refuses these, and keeps its own: slower, and not wrong. */
static void set_parameters(const dp__gpu *gpu)
{
    const dp__cl_state *const state = gpu->driver_state;
    if (strstr(gpu->device->info.driver, "Portable Computing Language") == NULL || gpu->limits.max_vector != 8)
        return;
    for (size_t e = 0; e < DP_COUNT(dp__clblast_cpu8); e++) {
        const dp__clblast_entry *const entry = &dp__clblast_cpu8[e];
        const char *names[DP__CLBLAST_MAX_PARAMETERS];
        size_t values[DP__CLBLAST_MAX_PARAMETERS], count = 0;
        for (; count < DP__CLBLAST_MAX_PARAMETERS && entry->parameter[count].name != NULL; count++) {
            names[count] = entry->parameter[count].name;
            values[count] = entry->parameter[count].value;
        }
        api.override(state->device, entry->kernel, CLBlastPrecisionSingle, count, names, values);
    }
}

static CLBlastStatusCode call(dp__cl_state *state, const dp__gemm *gemm, cl_event *event)
{
    const dp__gemm_matrix *const a = &gemm->a, *const b = &gemm->b, *const c = &gemm->result;
    const CLBlastLayout layout = c->by_columns ? CLBlastLayoutColMajor : CLBlastLayoutRowMajor;
    const CLBlastTranspose turn_a = a->by_columns != c->by_columns ? CLBlastTransposeYes : CLBlastTransposeNo;
    const CLBlastTranspose turn_b = b->by_columns != c->by_columns ? CLBlastTransposeYes : CLBlastTransposeNo;
    const size_t m = (size_t)gemm->m, n = (size_t)gemm->n, k = (size_t)gemm->k;
    if (gemm->batches == 1)
        return api.gemm(layout, turn_a, turn_b, m, n, k, gemm->alpha, a->buffer->handle, (size_t)a->offset,
                        (size_t)a->leading, b->buffer->handle, (size_t)b->offset, (size_t)b->leading, gemm->beta,
                        c->buffer->handle, (size_t)c->offset, (size_t)c->leading, &state->queue, event);
    return api.batched(layout, turn_a, turn_b, m, n, k, gemm->alpha, a->buffer->handle, (size_t)a->offset,
                       (size_t)a->leading, (size_t)a->batch, b->buffer->handle, (size_t)b->offset, (size_t)b->leading,
                       (size_t)b->batch, gemm->beta, c->buffer->handle, (size_t)c->offset, (size_t)c->leading,
                       (size_t)c->batch, (size_t)gemm->batches, &state->queue, event);
}

/* Many of CLBlast's statuses are OpenCL's, with the same numbers. Temporary buffers may find no memory because buffers that were
 * released are still in flight: the second try comes after a wait. */
static dp_status enqueue(dp__gpu *gpu, const dp__gemm *gemm, cl_event *event)
{
    dp__cl_state *const state = gpu->driver_state;
    CLBlastStatusCode error = call(state, gemm, event);
    if (error == CLBlastTempBufferAllocFailure && state->flights > 0) {
        DP_CHECK(dp__cl_wait(gpu));
        error = call(state, gemm, event);
    }
    if (error != CLBlastSuccess)
        return dp__cl_fail(gpu, DP__CL_SUBMIT, (cl_int)error, "CLBlastSgemm", NULL);
    return DP_OK;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* A product is several launches, of which the event is the last one's: its time is that of the host's clock around it, with the
 * device for itself. */
static dp_status run_by_clock(dp__gpu *gpu, const dp__gemm *gemm, double flops, double bytes)
{
    const dp__cl_state *const state = gpu->driver_state;
    cl_event event = NULL;
    DP_CHECK(dp__cl_wait(gpu));
    const double start = now();
    DP_CHECK(enqueue(gpu, gemm, &event));
    const cl_int error = state->api->clWaitForEvents(1, &event);
    state->api->clReleaseEvent(event);
    if (error != CL_SUCCESS)
        return dp__cl_fail(gpu, DP__CL_WAIT, error, "clWaitForEvents", "clblast");
    if (gpu->profiling)
        dp__profile_add(gpu, "clblast", now() - start, flops, bytes);
    return DP_OK;
}

dp_status dp__cl_gemm(dp__gpu *gpu, const dp__gemm *gemm)
{
    dp__cl_state *const state = gpu->driver_state;
    const double m = (double)gemm->m, n = (double)gemm->n, k = (double)gemm->k, batches = (double)gemm->batches;
    const double flops = 2 * batches * m * n * k, bytes = 4 * batches * (m * k + k * n + m * n);
    if (!dp__cl_has_gemm(gpu))
        return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED, "libclblast.so.1 was not found");
    if (!state->gemm_used)
        set_parameters(gpu);
    state->gemm_used = true;
    if (gpu->profiling || state->queue_times)
        return run_by_clock(gpu, gemm, flops, bytes);
    if (state->flights == DP__CL_MAX_IN_FLIGHT)
        DP_CHECK(dp__cl_retire(gpu, DP__CL_MAX_IN_FLIGHT / 2));
    dp__cl_flight flight = {NULL, "clblast", flops, bytes};
    DP_CHECK(enqueue(gpu, gemm, &flight.event));
    state->flight[state->flights++] = flight;
    state->unflushed++;
    return dp__cl_flush(gpu);
}

/* CLBlast's kernels hold on to the context. Those of other devices that go with them are built again. */
void dp__cl_gemm_close(dp__gpu *gpu)
{
    const dp__cl_state *const state = gpu->driver_state;
    if (state->gemm_used)
        api.clear();
}
