/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls of pairwise.h share. */
#ifndef DP_OPS_PAIRWISE_H
#define DP_OPS_PAIRWISE_H

#include "ops/formula.h"
#include <dipole/pairwise.h>

/* Checks all but the results and fills `call` but for `out`; *expr, which call->expr is, is the caller's to free whatever is
 * returned. Sums over i are turned around: the kept side is i from here on. */
dp_status dp__pairwise_prepare(dp_device *device, const char *formula, unsigned mode, dp_args args, int outputs,
                               dp__expr **expr, dp__pairwise_call *call);

/* A tensor that takes output o of the call; NULL with the reason kept. */
dp_tensor *dp__pairwise_output(dp_device *device, const dp__pairwise_call *call, int o);

#endif
