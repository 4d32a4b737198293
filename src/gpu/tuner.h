/* SPDX-License-Identifier: Apache-2.0 */
/* The tuner's parts: tuner.c goes through the shapes and keeps what it finds, tuner_time.c times one kernel.
 */
#ifndef DP_GPU_TUNER_H
#define DP_GPU_TUNER_H

#include "gpu/tune_shapes.h"
#include "gpu/tuned.h"

#define DP__TUNER_LONGEST 0.3 /* seconds that one launch may take, estimated: watchdogs begin at 2 */

double dp__tuner_seconds(void); /* a monotonic clock */

/* A shape as it is timed: whole, or so much of it that the default variant takes well under
 * DP__TUNER_LONGEST; and a small one, by which slow kernels are found out first. */
typedef struct dp__tuner_bench {
    dp__trial whole, small;
    double seconds; /* of `whole` by the default variant, 0 where it cannot run */
    bool cpu_time;  /* the process' own, over the device's compute units, instead of the clock's */
} dp__tuner_bench;

/* On failure nothing is left, and the reason is kept in the device. */
dp_status dp__tuner_bench_open(dp__gpu *gpu, const dp__trial_shape *shape, const dp__variant *variant,
                               bool cpu_time, dp__tuner_bench *bench);
void dp__tuner_bench_close(dp__tuner_bench *bench);

/* The median time of a call by the variant, of a few; *flops is the work of the call that was timed. Kernels
 * that would take more than DP__TUNER_LONGEST, or twice `best` (0: no such limit), are timed by the small
 * call or once alone. */
dp_status dp__tuner_time(dp__gpu *gpu, const dp__tuner_bench *bench, const dp__variant *variant, double best,
                         double *seconds, double *flops);
/* One more sample of the whole call. */
dp_status dp__tuner_sample(dp__gpu *gpu, const dp__tuner_bench *bench, const dp__variant *variant,
                           double expected, double *seconds);

#endif
