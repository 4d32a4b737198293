/* SPDX-License-Identifier: Apache-2.0 */
/* How a tensor was computed, and what a rule makes of it. */
#ifndef DP_GRAD_TAPE_H
#define DP_GRAD_TAPE_H

#include "core/record.h"
#include <dipole/ops.h>

/* One recorded call. It belongs to its result. */
typedef struct dp__history {
    const dp_tensor *output; /* whose history it is; not retained */
    uint64_t number;         /* calls are numbered in their order */
    dp__rule rule;
    bool spent; /* freed by a backward pass */
    int input_count;
    dp_tensor *input[DP__MAX_RECORDED]; /* retained; NULL where the call had none */
    uint64_t version[DP__MAX_RECORDED]; /* of their buffers */
    char *formula;
    dp_arg *arg; /* of the formula: names are copies, tensors are the first inputs */
    int arg_count;
    void *params;
    dp_tensor **fused;        /* the gradients by the inputs, where the call has made them; else NULL */
    uint64_t output_version; /* of the result's buffer */
    /* Of the pass that goes through it: */
    uint64_t pass;
    bool wanted;                  /* a gradient that is asked for lies behind it */
    dp_tensor *cotangent;         /* what was found so far */
    bool needs[DP__MAX_RECORDED]; /* which inputs lead to one */
} dp__history;

/* A rule: from the gradient by the result to those by the inputs of which needs[k] is set: gradients[k]
 * receives a new reference of the input's shape, or stays NULL where it is 0. On failure the caller releases
 * what is there. Written in public calls, so that the rule itself can be recorded. */
typedef dp_status (*dp__rule_function)(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                                       dp_tensor **gradients);

#define DP_RULE(name, reads)                                                                                 \
    dp_status dp__grad_##name(dp_device *device, const dp__history *call, dp_tensor *cotangent,              \
                              dp_tensor **gradients);
#include "core/rules.def"
#undef DP_RULE

/* What rules share (rules.c). Sums x over the axes that a broadcast from `shape` has repeated. Takes x over,
 * which may be NULL. */
dp_tensor *dp__rule_unbroadcast(dp_device *device, dp_tensor *x, dp_shape shape);
/* Stores a gradient that was made, or says why not. */
static inline dp_status dp__rule_given(dp_device *device, dp_tensor *gradient, dp_tensor **result)
{
    *result = gradient;
    return gradient ? DP_OK : dp_failed(device);
}
/* a + b as a new reference; takes both over; either may be NULL. */
dp_tensor *dp__rule_add(dp_device *device, dp_tensor *a, dp_tensor *b);
/* A name that the call's formula has not and no argument of it, for up to DP__RULE_NAME - 1 characters: different for each `number`
 * from 0 to 99. */
#define DP__RULE_NAME 24
void dp__rule_name(const dp__history *call, int number, char name[DP__RULE_NAME]);
/* x in another shape, copied where its strides allow no view. */
dp_tensor *dp__rule_reshape(dp_device *device, dp_tensor *x, dp_shape shape);
/* A tensor of `shape` that is zero but for the elements of slice `s`, which are x. */
dp_tensor *dp__rule_unslice(dp_device *device, dp_tensor *x, const dp__slice *s);

#endif
