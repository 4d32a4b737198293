/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of EIEG as text: of t = r^2 and the scalars of dp__eieg_kernel. docs/eieg.md has them as formulas. */
#ifndef DP_NN_EIEG_FORMULA_H
#define DP_NN_EIEG_FORMULA_H

#include "core/core.h"
#include <dipole/eieg.h>

/* What is fixed in a call: every kernel is multiplied by length^s. */
typedef struct dp__eieg_kernel {
    dp_eieg_kernel kernel;
    dp_eieg_stabiliser stabiliser;
    double s, eps, eps_stab, length;
    double most; /* where the length is a tensor: no (length / r)^s is larger, whatever the points; else 0 */
} dp__eieg_kernel;

enum { DP__EIEG_SCALARS = 6 };
/* e2, ie, l2 of the kernel, f2, fs of the stabiliser, and most: names as the texts have them. */
void dp__eieg_scalars(const dp__eieg_kernel *k, dp_arg args[DP__EIEG_SCALARS]);

/* Definitions of kk = k and kw = w = -k'(r) / r; of sk and sw. */
void dp__eieg_add_kernel(dp__text *text, const dp__eieg_kernel *k);
void dp__eieg_add_stabiliser(dp__text *text, const dp__eieg_kernel *k);

/* k(0), and what any of the values of a call is at most: of k, w and the stabiliser's. */
double dp__eieg_at_zero(const dp__eieg_kernel *k);
double dp__eieg_largest(const dp__eieg_kernel *k);

#endif
