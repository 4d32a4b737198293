/* SPDX-License-Identifier: Apache-2.0 */
/* Formulas of vectors evaluated once for each row: pair formulas in which everything is indexed by i, with
 * one j. */
#ifndef DP_OPS_ROWS_H
#define DP_OPS_ROWS_H

#include "ops/pairwise.h"

/* The outputs, [n] or [n, d] each; `total`: summed over the rows, [] or [d]. On failure all are NULL. */
dp_status dp__rows(dp_device *device, const char *formula, bool total, dp_args args, dp_tensor **results,
                   int count);

/* scale * (the sum over the rows), in *value (may be NULL), and its gradients to the arguments `wrt`. On
 * failure all are NULL. */
dp_status dp__rows_gradient(dp_device *device, const char *formula, double scale, dp_args args,
                            const char *const *wrt, int count, dp_tensor **gradients, dp_tensor **value);

#endif
