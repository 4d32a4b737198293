/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/tuner.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SMALL_FLOPS 4e6   /* of the first call: 40 ms at 0.1 GFLOP/s, slower than any device that was seen */
#define SAMPLE      0.004 /* seconds of one sample, by repeating short calls */
#define MOST_CALLS  200   /* of a sample */
#define SAMPLES     3
#define AIM         0.12 /* seconds that the whole shape should take at most, by the default variant */
#define MOST_MEMORY ((uint64_t)1 << 30)

double dp__tuner_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What a device that runs on the CPU used of it, as if spread over all its compute units. */
static double cpu_seconds(const dp__gpu *gpu)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec) / DP_MAX2(gpu->limits.compute_units, 1);
}

/* Queues the call some times and waits. */
static dp_status run(dp__gpu *gpu, const dp__tuner_bench *bench, const dp__trial *trial,
                     const dp__variant *variant, int calls, double *seconds)
{
    DP_CHECK(gpu->driver->wait(gpu));
    const double start = bench->cpu_time ? cpu_seconds(gpu) : dp__tuner_seconds();
    for (int call = 0; call < calls; call++)
        DP_CHECK(dp__contract_with(gpu, &trial->call, variant));
    DP_CHECK(gpu->driver->wait(gpu));
    *seconds = ((bench->cpu_time ? cpu_seconds(gpu) : dp__tuner_seconds()) - start) / calls;
    return DP_OK;
}

static int calls_for(double expected)
{
    const double calls = expected > 0 ? SAMPLE / expected : MOST_CALLS;
    return calls < 1 ? 1 : calls > MOST_CALLS ? MOST_CALLS : (int)calls;
}

/* Time and rate of a trial, after a call that warms up. */
static dp_status rate_of(dp__gpu *gpu, const dp__tuner_bench *bench, const dp__trial *trial,
                         const dp__variant *variant, double *seconds, double *rate)
{
    double once;
    DP_CHECK(run(gpu, bench, trial, variant, 1, &once));
    DP_CHECK(run(gpu, bench, trial, variant, calls_for(once), seconds));
    *rate = dp__trial_flops(&trial->shape) / *seconds;
    return DP_OK;
}

static uint64_t memory_for(const dp__gpu *gpu)
{
    const dp_device_info *info = &gpu->device->info;
    const uint64_t quarter = info->memory_bytes / 4,
                   most = DP_MIN2(gpu->limits.max_tensor_bytes, MOST_MEMORY);
    return quarter > 0 ? DP_MIN2(quarter, most) : most;
}

/* So much of the shape as takes AIM at that rate. */
static dp_status open_whole(dp__gpu *gpu, const dp__trial_shape *shape, double rate, dp__trial *whole)
{
    dp__trial_shape cut = *shape;
    if (!dp__tune_shape_cut(&cut, AIM * rate, memory_for(gpu)))
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "tune: a shape does not fit into the memory of %s",
                        gpu->device->info.id);
    return dp__trial_open(gpu, &cut, 1, whole);
}

dp_status dp__tuner_bench_open(dp__gpu *gpu, const dp__trial_shape *shape, const dp__variant *variant,
                               bool cpu_time, dp__tuner_bench *bench)
{
    *bench = (dp__tuner_bench){.cpu_time = cpu_time};
    dp__trial_shape small = *shape;
    double rate;
    if (!dp__tune_shape_cut(&small, SMALL_FLOPS, memory_for(gpu)))
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "tune: a shape does not fit into the memory of %s",
                        gpu->device->info.id);
    DP_CHECK(dp__trial_open(gpu, &small, 1, &bench->small));
    dp_status status = rate_of(gpu, bench, &bench->small, variant, &bench->seconds, &rate);
    /* A small call tells less than the device can do: as long as the shape is not whole, more of it is taken.
     */
    for (int step = 0; status == DP_OK && step < 4; step++) {
        const double before = step ? dp__trial_flops(&bench->whole.shape) : 0;
        if (before >= dp__trial_flops(shape) || (step && rate * AIM < 2 * before))
            break;
        dp__trial_close(&bench->whole);
        status = open_whole(gpu, shape, rate, &bench->whole);
        if (status == DP_OK)
            status = rate_of(gpu, bench, &bench->whole, variant, &bench->seconds, &rate);
    }
    if (status != DP_OK)
        dp__tuner_bench_close(bench);
    return status;
}

void dp__tuner_bench_close(dp__tuner_bench *bench)
{
    dp__trial_close(&bench->whole);
    dp__trial_close(&bench->small);
}

static int ascending(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

dp_status dp__tuner_sample(dp__gpu *gpu, const dp__tuner_bench *bench, const dp__variant *variant,
                           double expected, double *seconds)
{
    return run(gpu, bench, &bench->whole, variant, calls_for(expected), seconds);
}

dp_status dp__tuner_time(dp__gpu *gpu, const dp__tuner_bench *bench, const dp__variant *variant, double best,
                         double *seconds, double *flops)
{
    double rate, sample[SAMPLES];
    const double work = dp__trial_flops(&bench->whole.shape);
    DP_CHECK(rate_of(gpu, bench, &bench->small, variant, seconds, &rate));
    *flops = dp__trial_flops(&bench->small.shape);
    if (work > *flops && work / rate > DP__TUNER_LONGEST && (best <= 0 || work / rate > 4 * best))
        return DP_OK;
    *flops = work;
    DP_CHECK(run(gpu, bench, &bench->whole, variant, 1,
                 seconds)); /* warms up, and is the sample of those that are slow */
    if (best > 0 && *seconds > 2 * best)
        return DP_OK;
    const double expected = *seconds;
    for (int s = 0; s < SAMPLES; s++)
        DP_CHECK(dp__tuner_sample(gpu, bench, variant, expected, &sample[s]));
    qsort(sample, SAMPLES, sizeof *sample, ascending);
    *seconds = sample[SAMPLES / 2];
    return DP_OK;
}
