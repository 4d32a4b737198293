/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of error bounds that several ops share; docs/precision.md has the derivations. */
#include "ref.h"
#include <float.h>
#include <math.h>

float dp__bound_round_up(double bound)
{
    if (!(bound <= (double)FLT_MAX))
        return INFINITY;
    const float rounded = (float)bound;
    return (double)rounded < bound ? nextafterf(rounded, INFINITY) : rounded;
}

double dp__bound_flush(double x)
{
    return x != 0 && fabs(x) < DP__LEAST_NORMAL ? fabs(x) : 0;
}

double dp__bound_chain(double roundings)
{
    const double ku = roundings * DP__UNIT_ROUNDOFF;
    return ku < 1 ? ku / (1 - ku) : (double)INFINITY;
}

double dp__bound_sum(double count, double chain)
{
    return dp__bound_sums(count, chain, 1);
}

double dp__bound_sums(double count, double chain, int launches)
{
    const double compensated = ceil(chain / DP__SUM_BLOCK) * DP__UNIT_ROUNDOFF;
    return dp__bound_chain(fmin(count, launches * (DP__SUM_BLOCK + 12.0))) + launches * compensated * compensated;
}
