/* SPDX-License-Identifier: Apache-2.0 */
/* What map and pairwise share: from the arguments of a call to a typed formula. */
#ifndef DP_OPS_FORMULA_H
#define DP_OPS_FORMULA_H

#include "ops/call.h"
#include <dipole/formula.h>

/* Checks count, names (valid, none twice), tensors (f32, on the device) and scalars (no NaN, in f32's range). */
dp_status dp__formula_check_args(dp_device *device, const char *formula, dp_args args);

/* Parses `formula` with one symbol an argument. */
dp_status dp__formula_parse(dp_device *device, const char *formula, const dp__symbol *symbols, dp_args args,
                            dp__expr **expr);

#endif
