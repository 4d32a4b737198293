/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded calls over pairs (core/record.h). */
#ifndef DP_OPS_PAIRWISE_RECORD_H
#define DP_OPS_PAIRWISE_RECORD_H

#include "core/record.h"
#include "ops/pairwise.h"
#include <dipole/batch.h>

typedef struct dp__pair_call {
    dp__rule rule;
    const char *formula, *value; /* value: of a softmax */
    unsigned mode;
    dp_args args;
    const dp_pair_options *options;
    const dp_tensor *cotangent;
    int name;                /* of a gradient: which argument */
    dp_tensor *const *fused; /* one for each argument, or NULL */
} dp__pair_call;

/* dp__record of such a call. */
dp_tensor *dp__pair_record(dp_tensor *out, const dp__pair_call *call);

/* Whether a call with these (checked) arguments is to be recorded. */
bool dp__pair_recording(dp_device *device, dp_args args, const dp_tensor *cotangent);
/* Whether options leave the pairs in one piece. */
bool dp__pair_whole(const dp_pair_options *options);

/* dp_pairwise_with and dp_pairwise_gradient_with where they are recorded; those without recording are
 * `plain`. */
dp_tensor *dp__pairwise_recorded(dp_device *device, const dp__pair_call *call);
dp_tensor *dp__pairwise_plain(dp_device *device, const dp__pair_call *call);
dp_status dp__gradient_recorded(dp_device *device, const dp__pair_call *call, const char *const *wrt,
                                int count, dp_tensor **gradients, dp_tensor **value);
dp_status dp__gradient_plain(dp_device *device, const dp__pair_call *call, const char *const *wrt, int count,
                             dp_tensor **gradients, dp_tensor **value);
/* The gradients of log-sum-exp (call->value NULL) and of a softmax, as recorded calls of sums. */
dp_status dp__gradient_composed(dp_device *device, const dp__pair_call *call, const char *const *wrt,
                                int count, dp_tensor **gradients, dp_tensor **value);

/* Symbols of the arguments as a formula sees them, rows of a batch without its axis. */
void dp__pair_symbols(dp_args args, bool batch, dp__symbol symbols[DP_MAX_ARGS]);

/* A name that no argument has and the texts (b may be NULL) do not mention. */
#define DP__PAIR_NAME 24
void dp__pair_name(const char *a, const char *b, dp_args args, int number, char name[DP__PAIR_NAME]);

#endif
