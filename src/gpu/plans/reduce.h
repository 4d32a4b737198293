/* SPDX-License-Identifier: Apache-2.0 */
/* The reduction of values that a plan has computed, for `reduce` and the last steps of `pairwise`. */
#ifndef DP_GPU_PLANS_REDUCE_H
#define DP_GPU_PLANS_REDUCE_H

#include "gpu/step.h"

typedef struct dp__reduction_plan {
    const dp_tensor *x;     /* kept axes, then reduced ones */
    const dp_tensor *index; /* argmax and argmin of values that have indices of their own: as x, contiguous; else NULL */
    dp_tensor *out;         /* contiguous, of offset 0 */
    dp_reduction reduction;
    int reduced;
    float scale; /* of the result: 1 / count for a mean */
} dp__reduction_plan;

dp_status dp__plan_reduction(dp__gpu *gpu, const dp__reduction_plan *plan);

#endif
