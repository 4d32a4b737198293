/* SPDX-License-Identifier: Apache-2.0 */
/* Contractions made up to be measured, or to be compared with the reference: matrices laid out as a call has
 * them, in tensors of their own. */
#ifndef DP_GPU_TRIAL_H
#define DP_GPU_TRIAL_H

#include "gpu/contraction.h"

/* What is to be made up. For convolutions n is {row, rows, images}, of the gradient to the weights {S, R,
 * channels}. */
typedef struct dp__trial_shape {
    int table; /* the kind of contraction: see dp__contraction */
    int64_t batches, m, n[3], depth;
    bool a_turned; /* neighbours in A are rows, not depths */
    int column;    /* of B: how far columns are apart, 1 or more */
    bool b_turned; /* neighbours in B are depths; not with a table */
    int along;     /* with a table: the call's along_depth */
    int apart;     /* of the result: how far columns are apart; 0: 1 */
    int64_t taps; /* with table 1: consecutive depths that lie in one channel, a square of 1, 3, 4, 5 or 7; 0:
                     1 */
} dp__trial_shape;

typedef struct dp__trial {
    dp__trial_shape shape;
    dp__contraction call;
    dp_tensor *a, *b, *c, *result, *steps; /* what the call reads and writes */
    int32_t *step;                         /* the table on the host */
} dp__trial;

/* How the shape of a real call is made up. */
dp__trial_shape dp__trial_of(const dp__contraction *call);
/* The call of a shape without memory behind it, for what depends on sizes and strides alone. */
dp__contraction dp__trial_call(const dp__trial_shape *shape);
double dp__trial_flops(const dp__trial_shape *shape);
uint64_t dp__trial_bytes(const dp__trial_shape *shape); /* of all its tensors */

/* With random numbers from -1 to 1. On failure nothing is left, and the reason is kept in the device. */
dp_status dp__trial_open(dp__gpu *gpu, const dp__trial_shape *shape, uint64_t seed, dp__trial *trial);
void dp__trial_close(dp__trial *trial);

/* Runs the trial by that variant twice, plain and with alpha and beta, and compares every element with sums
 * in double precision: *right tells whether all are within the error bound (docs/precision.md). Failures are
 * kept in the device. */
dp_status dp__trial_check(dp__gpu *gpu, dp__trial *trial, const dp__variant *variant, bool *right);

#endif
