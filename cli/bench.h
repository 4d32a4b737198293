/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of `dipole bench`: bench.c has the command and the cases of tests/ops, bench_measure.c
 * the timing, bench_pairs.c the sums over pairs of a potential or a formula, bench_peak.c what they are
 * compared with, and bench_suite*.c the fixed list of cases that devices are compared by. */
#ifndef DIPOLE_CLI_BENCH_H
#define DIPOLE_CLI_BENCH_H

#include "cli.h"

/* Seconds of one call. Samples are batches of calls and the wait for their end. */
typedef struct bench_timing {
    double median, min, max;
    double quarter, three_quarters; /* what a quarter of the samples lies below, and three quarters */
    double first;                   /* the very first call, which builds its kernels */
    int samples, batch;             /* how many samples, and calls in each */
} bench_timing;

/* What is measured: one call, queued, and whether it went well. */
typedef struct bench_work {
    dp_device *device;
    void *data;
    bool (*call)(void *data);
    int batch;                     /* calls in a sample; 0: so many that the clock is good enough */
    void (*warm)(void *warm_data); /* may be NULL; is called between the warm-up and the samples */
    void *warm_data;
} bench_work;

/* Warms up, then times batches of calls, long enough for the clock, until the time is over. False where a
 * call failed or it was interrupted before the first batch. */
bool bench_measure(const bench_work *work, double seconds, bench_timing *result);

/* FLOP/s of multiply-adds alone, each counted as two, in the fastest batch; 0 after a message, or where it
 * was interrupted. */
double bench_peak(dp_device *device, double seconds);
/* Bytes per second, read and written, of the faster of y = x and z = x + a y (the copy and triad of
 * McCalpin's STREAM) on tensors of `elements` each, smaller ones on a device that is slow; 0 as above. */
double bench_bandwidth(dp_device *device, int64_t elements, double seconds);

enum { BENCH_MAX_WRT = DP_MAX_OUTPUTS - 1, BENCH_NAME = 32 };

/* Sums over pairs, --potential or --formula. */
typedef struct bench_pairs {
    const char *potential, *formula; /* one of them */
    const char *wrt;                 /* what gradients are to, "x,y"; NULL: no gradient */
    int64_t rows;                    /* of x in one part; 0: chosen */
    /* The rest is filled by bench_pairs_check. */
    int64_t n, m, dim;
    char wrt_name[BENCH_MAX_WRT][BENCH_NAME];
    int wrt_count;
} bench_pairs;

/* Reads "NxMxD" and what else must hold. CLI_GO_ON, or CLI_USAGE after a message. */
int bench_pairs_check(bench_pairs *pairs, const char *shape);
/* On one device: prints a line, or adds to `results`. False after a message, or where it was interrupted. */
bool bench_pairs_run(const bench_pairs *pairs, dp_device *device, double seconds, cJSON *results);

#endif
