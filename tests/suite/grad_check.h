/* SPDX-License-Identifier: Apache-2.0 */
/* dp_grad_check as tests use it. */
#ifndef TESTS_GRAD_CHECK_H
#define TESTS_GRAD_CHECK_H

#include "suite.h"
#include <dipole/grad.h>
#include <dipole/ops.h>

/* A number that depends on every element of y, and not linearly: the sum of r (y + y^2 / 4), r fixed. Takes y
 * over. */
dp_tensor *grad_number(dp_device *device, dp_tensor *y);

/* That the derivatives of `f` at numbers in -1 .. 1 of these shapes are right; at most `limit` elements of
 * each are looked at. */
void grad_case(dp_device *device, const char *name, dp_grad_function f, void *context, const dp_shape *shapes,
               int count, int order, double step, int64_t limit);

#endif
