/* SPDX-License-Identifier: Apache-2.0 */
/* How exact one f32 operation of a kernel is: the contract between kernels/math.h, which keeps it on every device, and the
 * reference's error bounds, which build on it. docs/precision.md derives it from OpenCL's and Vulkan's guarantees. */
#ifndef DP_EXPR_PRECISION_H
#define DP_EXPR_PRECISION_H

#include "expr/expr.h"

#define DP__UNIT_ROUNDOFF 0x1p-24
#define DP__LEAST_NORMAL 0x1p-126 /* results below may be flushed to zero */

/* Most additions that any kernel does in a row before it adds a partial sum to a compensated total: the longest chain of
 * roundings in any sum over j, over reduced elements or over components. */
#define DP__SUM_BLOCK 128

/* A bound on |f32 result - exact| for exact f32 operands x and y (unused ones 0) whose exact result is `value`:
 *   + - *           u |value|                    correctly rounded
 *   /               5 u |value|                  2.5 ulp (both APIs)
 *   sqrt            10 u |value|                 Vulkan: 1 / inversesqrt
 *   rsqrt           4 u |value|                  2 ulp (both)
 *   exp             2 u (3 + 2 |x|) |value|      Vulkan
 *   log             max(8 u, 6 u |value|)        Vulkan: 2^-21 absolute in [0.5, 2], else 3 ulp
 *   sin cos         8 u for |x| <= 2^15, no claim (2) beyond: ours
 *   tanh            10 u |value|                 ours
 *   sigmoid         1 / (1 + exp(-x)):           (8 u + 2 u (3 + 2 |x|)) |value|
 *   pow             ours: exp2(y log2 |x|) with signs:  (16 u + 2 u (3 + 2 t) + 8 u |y| + 6 u t) |value|, t = |y log2 |x||;
 *                   as an error of the exponent, e^that - 1
 *   the rest        0                            min max abs neg floor sign compare select are exact
 * plus DP__LEAST_NORMAL for all that round. ulp <= 2 u |value|. */
double dp__function_error(dp__node_kind kind, double x, double y, double value);

#endif
