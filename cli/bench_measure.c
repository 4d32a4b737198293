/* SPDX-License-Identifier: Apache-2.0 */
/* dipole bench: how long a call takes. */
#include "bench.h"

#include <stdlib.h>

enum { MAX_SAMPLES = 256, MIN_SAMPLES = 3, WANTED_SAMPLES = 20, MAX_BATCH = 1000 };

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds that `batch` calls and the wait for them take, by call; negative on failure. */
static double time_batch(const bench_work *work, int batch)
{
    const double start = cli_seconds();
    bool good = true;
    for (int k = 0; k < batch && good; k++)
        good = work->call(work->data);
    if (dp_device_wait(work->device) != DP_OK || !good)
        return -1;
    return (cli_seconds() - start) / batch;
}

/* The value that a part of the sorted samples lies below, between two of them where it must. */
static double quantile(const double *samples, int count, double part)
{
    const double at = part * (count - 1);
    const int low = (int)at, high = low + 1 < count ? low + 1 : low;
    return samples[low] + (at - low) * (samples[high] - samples[low]);
}

static void summarise(double *samples, int count, bench_timing *result)
{
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    result->samples = count;
    result->min = samples[0];
    result->max = samples[count - 1];
    result->quarter = quantile(samples, count, 0.25);
    result->median = quantile(samples, count, 0.5);
    result->three_quarters = quantile(samples, count, 0.75);
}

static int choose_batch(double seconds, double once)
{
    const double fitting = seconds / WANTED_SAMPLES / (once > 1e-7 ? once : 1e-7);
    return fitting < 1 ? 1 : fitting > MAX_BATCH ? MAX_BATCH : (int)fitting;
}

bool bench_measure(const bench_work *work, double seconds, bench_timing *result)
{
    double samples[MAX_SAMPLES];
    int count = 0;
    result->first = time_batch(work, 1);
    if (result->first < 0)
        return false;
    const double once = time_batch(work, 1);
    if (once < 0)
        return false;
    if (work->warm)
        work->warm(work->warm_data);
    const double start = cli_seconds();
    result->batch = work->batch > 0 ? work->batch : choose_batch(seconds, once);
    while (count < MAX_SAMPLES && (count < MIN_SAMPLES || cli_seconds() - start < seconds) &&
           !cli_interrupted()) {
        samples[count] = time_batch(work, result->batch);
        if (samples[count++] < 0)
            return false;
    }
    if (count)
        summarise(samples, count, result);
    return count > 0;
}
