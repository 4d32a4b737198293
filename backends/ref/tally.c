/* SPDX-License-Identifier: Apache-2.0 */
/* The seven reductions, one term at a time: what `reduce` and `pairwise` share. */
#include "ref.h"
#include <float.h>
#include <math.h>

#define U   DP__UNIT_ROUNDOFF
#define LN2 0.69314718055994531

static bool smallest(dp_reduction reduction)
{
    return reduction == DP_MIN || reduction == DP_ARGMIN;
}

void dp__tally_start(dp__tally *tally, dp_reduction reduction)
{
    *tally = (dp__tally){.where = -1, .least = -(double)INFINITY, .most = -(double)INFINITY};
    tally->best = smallest(reduction) ? (double)INFINITY : -(double)INFINITY;
}

/* The first of equal terms stays, the first term of all is always taken, and a NaN is never given up. */
static void add_extreme(dp__tally *tally, bool better, double term, int64_t index)
{
    if (tally->where < 0 || better || isnan(term)) {
        tally->best = term;
        tally->where = index;
    }
}

static void add_exponential(dp__tally *tally, double term, double error)
{
    if (term == -(double)INFINITY) { /* exp(term) is 0, whatever the largest term is */
        tally->raised = error > 0 ? (double)INFINITY : tally->raised;
        return;
    }
    if (term > tally->best) {
        const double scale = exp(tally->best - term);
        const double rise = tally->sum > 0 ? tally->sum * (term - tally->best) : 0;
        tally->weighted = scale > 0 ? scale * (tally->weighted + rise) : 0;
        tally->sum *= scale;
        tally->raised *= scale;
        tally->best = term;
    }
    const double weight = term == tally->best ? 1 : exp(term - tally->best);
    tally->sum += weight;
    tally->raised += exp(term + error - tally->best);
    tally->weighted += weight > 0 ? weight * (tally->best - term) : 0;
}

void dp__tally_add(dp__tally *tally, dp_reduction reduction, double term, int64_t index)
{
    tally->count++;
    switch (reduction) {
    case DP_MAX:
    case DP_ARGMAX:
        add_extreme(tally, term > tally->best, term, index);
        break;
    case DP_MIN:
    case DP_ARGMIN:
        add_extreme(tally, term < tally->best, term, index);
        break;
    case DP_LOGSUMEXP:
        add_exponential(tally, term, 0);
        break;
    default:
        tally->sum += term;
    }
}

void dp__tally_add_bound(dp__tally *tally, dp_reduction reduction, double term, double error, int64_t index)
{
    const double sized = smallest(reduction) ? -term : term;
    tally->least = fmax(tally->least, sized - error);
    tally->most = fmax(tally->most, sized + error);
    tally->magnitude += fabs(term) + error;
    tally->error += error;
    tally->worst_error = fmax(tally->worst_error, isnan(term) ? (double)INFINITY : error);
    if (reduction == DP_LOGSUMEXP) {
        tally->count++;
        add_exponential(tally, term, isinf(term) && error == 0 ? 0 : error + 3 * U * (fabs(term) + error));
    } else {
        dp__tally_add(tally, reduction, term, index);
    }
}

double dp__tally_value(const dp__tally *tally, dp_reduction reduction)
{
    switch (reduction) {
    case DP_SUM:
        return tally->sum;
    case DP_MEAN:
        return tally->count > 0 ? tally->sum / (double)tally->count : (double)NAN;
    case DP_ARGMAX:
    case DP_ARGMIN:
        return (double)tally->where;
    case DP_LOGSUMEXP:
        return isinf(tally->best) ? tally->best + tally->sum * 0 : tally->best + log(tally->sum);
    default:
        return tally->best;
    }
}

static double sum_bound(const dp__tally *tally, double chain)
{
    if (tally->magnitude == 0)
        return 0;
    if (!(tally->magnitude <= (double)FLT_MAX))
        return INFINITY;
    const double count = (double)tally->count;
    const double relative = dp__bound_sums(count, chain, tally->launches > 0 ? tally->launches : 1);
    return tally->error + relative * tally->magnitude + count * DP__LEAST_NORMAL;
}

static double mean_bound(const dp__tally *tally, double chain)
{
    if (tally->count == 0)
        return INFINITY; /* the mean is NaN */
    const double count = (double)tally->count;
    const double error = sum_bound(tally, chain) / count;
    const double value = fabs(tally->sum) / count + error;
    return value == 0 ? 0 : error + dp__bound_chain(6) * value + DP__LEAST_NORMAL;
}

/* docs/precision.md, "Log-sum-exp", in natural units. Parts of the range give results of their own, which are
 * reduced again: up to LEVELS roundings of everything. */
#define LEVELS 4
static double logsumexp_bound(const dp__tally *tally, double chain)
{
    if (tally->sum == 0)
        return tally->raised; /* no terms, or all of them -infinity: the result is -infinity, exactly */
    const double count = (double)tally->count;
    const double log_sum = log(tally->sum);
    const double value = fabs(tally->best + log_sum);
    const double entropy = log_sum + tally->weighted / tally->sum; /* of the softmax weights */
    const double terms = log(tally->raised / tally->sum);
    const double scaled = 3 * U * (value + entropy); /* a part's result, times log2(e) */
    const double powers = U * (6 + 5 * (2 + entropy / LN2));
    const double sum = dp__bound_sum(count, chain) + count * 8 * DP__LEAST_NORMAL;
    const double logarithm = fmax(8 * U * LN2, 6 * U * (log_sum + 2 * LN2));
    const double end = 3 * U * (value + entropy);
    const int levels = tally->launches > LEVELS ? tally->launches : LEVELS;
    return 1.01 * (terms + (levels - 1) * scaled + levels * (powers + sum + logarithm + end));
}

/* The f32 extreme lies between the extremes of the terms' lower ends and of their upper ends. */
static double extreme_bound(const dp__tally *tally, dp_reduction reduction)
{
    const double best = smallest(reduction) ? -tally->best : tally->best;
    if (tally->worst_error == 0 || isinf(tally->worst_error))
        return tally->worst_error;
    return fmax(tally->most == best ? 0 : tally->most - best, tally->least == best ? 0 : best - tally->least);
}

double dp__tally_bound(const dp__tally *tally, dp_reduction reduction, double chain)
{
    switch (reduction) {
    case DP_SUM:
        return sum_bound(tally, chain);
    case DP_MEAN:
        return mean_bound(tally, chain);
    case DP_ARGMAX:
    case DP_ARGMIN:
        return 2 * tally->worst_error;
    case DP_LOGSUMEXP:
        return logsumexp_bound(tally, chain);
    default:
        return extreme_bound(tally, reduction);
    }
}

void dp__tally_write(const dp__tally *tally, dp_reduction reduction, double chain, bool bound, dp_tensor *out,
                     int64_t at)
{
    if (bound)
        dp__ref_floats(out)[at] = dp__bound_round_up(dp__tally_bound(tally, reduction, chain));
    else if (reduction == DP_ARGMAX || reduction == DP_ARGMIN)
        dp__ref_ints(out)[at] = (int32_t)tally->where;
    else
        dp__ref_floats(out)[at] = (float)dp__tally_value(tally, reduction);
}
