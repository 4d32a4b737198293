/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls of pairwise.h share. */
#ifndef DP_OPS_PAIRWISE_H
#define DP_OPS_PAIRWISE_H

#include "ops/formula.h"
#include <dipole/pairwise.h>

/* Checks the arguments and parses; *expr is the caller's to free whatever is returned. */
dp_status dp__pairwise_parse(dp_device *device, const char *formula, dp_args args, int outputs, dp__expr **expr);

/* Checks the mode and the numbers of points and fills `call` but for `out`. Sums over i are turned around, in `expr`. */
dp_status dp__pairwise_bind(dp_device *device, dp__expr *expr, unsigned mode, dp_args args, dp__pairwise_call *call);

/* Both: checks all but the results and fills `call` but for `out`; *expr, which call->expr is, is the caller's to free whatever is
 * returned. Sums over i are turned around: the kept side is i from here on. */
dp_status dp__pairwise_prepare(dp_device *device, const char *formula, unsigned mode, dp_args args, int outputs,
                               dp__expr **expr, dp__pairwise_call *call);

/* A tensor that takes output o of the call; NULL with the reason kept. */
dp_tensor *dp__pairwise_output(dp_device *device, const dp__pairwise_call *call, int o);

/* Runs the call into new tensors; on failure all are NULL. */
dp_status dp__pairwise_run(dp_device *device, dp__pairwise_call *call, dp_tensor **results);

/* Gradients to arguments `symbols` of the sums over j (and i where `all`) that `call` describes, whose formula has one output,
 * weighted with symbol `seed` (below 0: 1), times `scale`; each of the shape of call->in[symbol]. `value` (may be NULL): the sums
 * themselves, times scale. On failure all are NULL. */
dp_status dp__pairwise_gradient_of(dp_device *device, const dp__pairwise_call *call, dp__indexed seed, const int *symbols,
                                   int count, double scale, dp_tensor **gradients, dp_tensor **value);

/* One gradient call: what its parts share. */
typedef struct dp__gradient_call {
    dp__pairwise_call call; /* of the value */
    dp_args args;
    dp__indexed seed;              /* the cotangent, behind the arguments; a symbol below 0: none */
    int symbols[DP_MAX_OUTPUTS];   /* of each name */
    int count;
} dp__gradient_call;

/* Nulls the results; checks the device and the names' number. */
dp_status dp__gradient_check(dp_device *device, const char *const *wrt, int count, dp_tensor **gradients, dp_tensor **value);
/* The cotangent, of the value's shape, becomes a symbol behind the arguments. */
dp_status dp__gradient_seed(dp_device *device, dp__gradient_call *g, int dim, const dp_tensor *cotangent);
/* The names in `wrt` among the arguments. */
dp_status dp__gradient_names(dp_device *device, dp__gradient_call *g, const char *const *wrt);

/* The gradients of max and min, and of log-sum-exp; as dp_pairwise_gradient, its checks done. */
dp_status dp__gradient_of_extreme(dp_device *device, dp__gradient_call *g, dp_tensor **gradients, dp_tensor **value);
dp_status dp__gradient_of_logsumexp(dp_device *device, dp__gradient_call *g, dp_tensor **gradients, dp_tensor **value);

#endif
