/* SPDX-License-Identifier: Apache-2.0 */
/* From dp_pair_options to the segments of a call:
 *
 *     dp__pair_cut cut = {0};
 *     dp__pair_flatten(device, options, args, &cut);          cut.args: without the axis of a batch
 *     dp__pairwise_prepare(device, formula, mode, cut.args, ...);
 *     dp__pair_segment(device, options, mode, &cut, &call);   call.segments
 *     ...
 *     dp__pair_unflatten(device, &cut, rows, &result);        with the axis of a batch again
 *     dp__pair_cut_free(&cut);
 */
#ifndef DP_OPS_PAIRWISE_OPTIONS_H
#define DP_OPS_PAIRWISE_OPTIONS_H

#include "ops/pairwise.h"
#include <dipole/batch.h>

#define DP__MIN_TILE 32

typedef struct dp__pair_cut {
    dp_args args, given;
    dp_arg arg[DP_MAX_ARGS];
    dp_tensor *flat[DP_MAX_ARGS]; /* views and copies without the axis of the batch */
    int64_t batch;                /* -1: none */
    int64_t kept_rows;            /* of a problem of a batch, on the kept side */
    int64_t *uniform_i, *uniform_j;
    dp_tensor *mask; /* the kept side's tiles first */
    dp__pair_segments segments;
} dp__pair_cut;

dp_status dp__pair_flatten(dp_device *device, const dp_pair_options *options, dp_args args, dp__pair_cut *cut);
dp_status dp__pair_segment(dp_device *device, const dp_pair_options *options, unsigned mode, dp__pair_cut *cut,
                           dp__pairwise_call *call);
/* Takes *result, [B rows, ...], and puts [B, rows, ...] in its place where there is a batch. */
dp_status dp__pair_unflatten(dp_device *device, const dp__pair_cut *cut, int64_t rows, dp_tensor **result);
void dp__pair_cut_free(dp__pair_cut *cut);

/* The segments with the sides exchanged; `mask` is to be released. False where memory is out. */
bool dp__pair_turn(const dp__pair_segments *segments, dp__pair_segments *turned, dp_tensor **mask);

/* Checks offsets: problems + 1 numbers from 0 to `rows`. `name` is the argument's. */
dp_status dp__pair_check_offsets(dp_device *device, const char *name, const int64_t *offsets, int64_t problems,
                                 int64_t rows);
dp_status dp__pair_check_tile(dp_device *device, int tile);
/* x: f32, [n] or [n, d] */
dp_status dp__pair_check_points(dp_device *device, const dp_tensor *x, const char *name);
/* New offsets of equal parts; NULL with the reason kept. */
int64_t *dp__pair_uniform(dp_device *device, const char *side, int64_t problems, int64_t rows);

/* pairwise_gradient_options.c, for calls that have segments: */
/* How many pairs each result is made of: [n], [problems] or []. */
dp_status dp__pair_counts(dp_device *device, const dp__pairwise_call *call, dp_tensor **counts);
/* Rows of `dividend` (NULL: 1) over `counts`. */
dp_tensor *dp__pair_divide(dp_device *device, const dp_tensor *dividend, dp_tensor *counts);
/* The factor of a pair's derivative, by row i ([n] or [n, d]; [] or [d] for `all` without `each`): the cotangent, over
 * `counts` where it is a mean. *seed is NULL where both are. */
dp_status dp__pair_seed(dp_device *device, const dp__pairwise_call *call, const dp_tensor *cotangent, dp_tensor *counts,
                        dp_tensor **seed);
/* [n, ...] to [problems, ...] */
dp_tensor *dp__pair_sum_problems(dp_device *device, const dp__pair_segments *segments, const dp_tensor *v);

#endif
