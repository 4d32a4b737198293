/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/precision.h"
#include <math.h>

#define U DP__UNIT_ROUNDOFF

static double exp_error(double x)
{
    return 2 * U * (3 + 2 * fabs(x));
}

static double pow_error(double x, double y)
{
    const double t = x == 0 || y == 0 ? 0 : fabs(y * log2(fabs(x)));
    return 16 * U + 2 * U * (3 + 2 * t) + 8 * U * fabs(y) + 6 * U * t;
}

/* The error of sin and cos does not shrink with their value, and log's not near 1: these are absolute. */
static double rounding_error(dp__node_kind kind, double x, double y, double value)
{
    switch (kind) {
    case DP__NODE_ADD:
    case DP__NODE_SUB:
    case DP__NODE_MUL:
        return U * fabs(value);
    case DP__NODE_DIV:
        return 5 * U * fabs(value);
    case DP__NODE_SQRT:
    case DP__NODE_TANH:
        return 10 * U * fabs(value);
    case DP__NODE_RSQRT:
        return 4 * U * fabs(value);
    case DP__NODE_EXP:
        return exp_error(x) * fabs(value);
    case DP__NODE_LOG:
        return fmax(8 * U, 6 * U * fabs(value));
    case DP__NODE_SIN:
    case DP__NODE_COS:
        return fabs(x) <= 0x1p15 ? 8 * U : 2;
    case DP__NODE_SIGMOID:
        return (8 * U + exp_error(x)) * fabs(value);
    case DP__NODE_POW: /* an error of the exponent: not small where that is large */
        return expm1(pow_error(x, y)) * fabs(value);
    default:
        return -1; /* exact */
    }
}

double dp__function_error(dp__node_kind kind, double x, double y, double value)
{
    const double error = rounding_error(kind, x, y, value);
    return error < 0 ? 0 : error + DP__LEAST_NORMAL;
}
