/* SPDX-License-Identifier: Apache-2.0 */
/* Running error analysis: with the value v of each node goes a bound e on how far the f32 arithmetic of a
 * kernel may be from it, so that what a kernel has lies in [v - e, v + e]. docs/precision.md has the rules in
 * words. A bound that cannot be given is infinite. */
#include "evaluate.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define U       DP__UNIT_ROUNDOFF
#define UNKNOWN ((double)INFINITY)

typedef struct ball {
    double value, error;
    bool never_negative; /* nor is what a kernel has instead */
} ball;

static double low(ball x)
{
    const double end = x.value - x.error;
    return x.never_negative && end < 0 ? 0 : end;
}

static double high(ball x)
{
    return x.value + x.error;
}

static double reach(ball x)
{
    return fabs(x.value) + x.error;
}

static bool below(ball x, ball y)
{
    return high(x) < low(y);
}

/* `spread` is how far the errors of the operands move the exact result. Results of exact operands that f32
 * can hold are exact: these operations are correctly rounded. */
static double rounded(dp__node_kind kind, ball x, ball y, double value, double spread)
{
    const bool exact = x.error == 0 && y.error == 0 && (double)(float)value == value;
    if (exact && (value == 0 || fabs(value) >= DP__LEAST_NORMAL))
        return 0;
    return spread + dp__function_error(kind, 0, 0, fabs(value) + spread);
}

static double divide_error(ball x, ball y, double value)
{
    const double least = fabs(y.value) - y.error;
    if (!(least >= DP__LEAST_NORMAL))
        return UNKNOWN;
    const double spread = (fabs(x.value) * y.error + fabs(y.value) * x.error) / (fabs(y.value) * least);
    const double flushed = reach(y) > 1 / DP__LEAST_NORMAL ? fabs(value) : 0; /* 1 / y may be taken as zero */
    return spread + flushed + dp__function_error(DP__NODE_DIV, 0, 0, fabs(value) + spread);
}

static double apply(dp__node_kind kind, double x)
{
    switch (kind) {
    case DP__NODE_SIGN:
        return (x > 0) - (x < 0);
    case DP__NODE_FLOOR:
        return floor(x);
    case DP__NODE_EXP:
        return exp(x);
    case DP__NODE_LOG:
        return log(x);
    case DP__NODE_SQRT:
        return sqrt(x);
    case DP__NODE_RSQRT:
        return 1 / sqrt(x);
    case DP__NODE_TANH:
        return tanh(x);
    default: /* SIGMOID */
        return 1 / (1 + exp(-x));
    }
}

/* A function that rises or falls on all of the interval takes its extremes at the ends. */
static double monotone_error(dp__node_kind kind, ball x, double value)
{
    double from = low(x);
    if (from < DP__LEAST_NORMAL) {
        if (kind == DP__NODE_LOG || kind == DP__NODE_RSQRT)
            return UNKNOWN;
        if (kind == DP__NODE_SQRT && from > 0)
            from = 0; /* a denormal may be taken as zero */
    }
    const double at_low = apply(kind, from), at_high = apply(kind, high(x));
    const double spread = fmax(fabs(at_low - value), fabs(at_high - value));
    const double largest = fmax(fabs(at_low), fabs(at_high));
    if (isnan(at_low) || isnan(at_high))
        return UNKNOWN;
    return spread + dp__function_error(kind, reach(x), 0, largest);
}

/* Small integer and half-integer powers may be products of x, sqrt(x) or rsqrt(x), and a quotient: at most
 * |y| products of roots of at most 10 u each, and 5 u for a reciprocal. */
static double power_rounding(double x, double y, double value)
{
    const double as_power = dp__function_error(DP__NODE_POW, x, y, value);
    const bool short_product = fabs(y) <= 64 && 2 * y == floor(2 * y);
    return short_product ? fmax(as_power, (16 + 12 * fabs(y)) * U * fabs(value) + DP__LEAST_NORMAL)
                         : as_power;
}

/* x^y on the interval of x from `from` >= 0 and that of y: it is monotone in each, so the corners are the
 * extremes. */
static double corners_error(double from, ball x, ball y, double value)
{
    double spread = 0, rounding = 0;
    for (int corner = 0; corner < 4; corner++) {
        const double at_x = corner & 1 ? from : high(x), at_y = corner & 2 ? low(y) : high(y);
        const double power = pow(at_x, at_y);
        spread = fmax(spread, fabs(power - value));
        rounding = fmax(rounding, power_rounding(at_x, at_y, power));
    }
    if (y.value > 0) { /* |x|^y |log x| has a maximum inside (0, 1) */
        const double top = exp(-1 / y.value);
        if (from < top && top < high(x))
            rounding = fmax(rounding, power_rounding(top, y.value, pow(top, y.value)));
    }
    return spread + rounding;
}

static double power_error(ball x, ball y, double value)
{
    const bool integer = y.error == 0 && y.value == floor(y.value);
    double error;
    if (value == 0 && x.error == 0 && y.error == 0)
        return x.value == 0 ? 0 : DP__LEAST_NORMAL;
    if (low(x) >= DP__LEAST_NORMAL) {
        error = corners_error(low(x), x, y, value);
    } else if (y.value == 0 && y.error == 0) {
        error = power_rounding(1, 0, 1);
    } else if (integer && (y.value > 0 || fabs(x.value) - x.error >= DP__LEAST_NORMAL)) {
        /* x may be negative: |x'|^y differs from |x|^y by at most as much as the interval of |x| allows. */
        const ball size = {fabs(x.value), x.error, true};
        error = corners_error(low(size), size, y, fabs(value));
        if (fabs(x.value) < x.error) /* and the sign may change */
            error += 2 * fabs(value) + pow(x.error, y.value);
    } else if (low(x) >= 0 && low(y) > 0) {
        error = corners_error(0, x, y, value);
    } else {
        return UNKNOWN;
    }
    if (y.value < 0 && reach((ball){value, error, false}) > 0x1p125)
        return UNKNOWN; /* its reciprocal may have been taken as zero */
    return fabs(value) < 0x1p-120 ? error + fabs(value) : error;
}

typedef enum truth { NO, YES, MAYBE } truth;

static truth truth_of(ball x)
{
    if (x.value == 0 && x.error == 0)
        return NO;
    return fabs(x.value) > x.error ? YES : MAYBE;
}

static truth compare(dp__node_kind kind, ball x, ball y)
{
    const bool exact = x.error == 0 && y.error == 0;
    if (isnan(x.value) || isnan(y.value))
        return MAYBE;
    if (exact || below(x, y) || below(y, x))
        return YES; /* whatever it is, it is certain */
    if (kind == DP__NODE_LT && low(x) >= high(y))
        return YES;
    if (kind == DP__NODE_LE && high(x) <= low(y))
        return YES;
    return MAYBE;
}

static double logic_error(dp__node_kind kind, ball x, ball y)
{
    const truth a = truth_of(x), b = kind == DP__NODE_NOT ? a : truth_of(y);
    const truth decides = kind == DP__NODE_AND ? NO : YES;
    const bool certain =
        (a != MAYBE && b != MAYBE) || (kind != DP__NODE_NOT && (a == decides || b == decides));
    return certain ? 0 : 1;
}

static double select_error(ball condition, ball yes, ball no, double value)
{
    switch (truth_of(condition)) {
    case YES:
        return yes.error;
    case NO:
        return no.error;
    default:
        return fmax(fabs(yes.value - value) + yes.error, fabs(no.value - value) + no.error);
    }
}

static double extreme_error(bool smaller, ball x, ball y)
{
    if (smaller ? below(x, y) : below(y, x))
        return x.error;
    if (smaller ? below(y, x) : below(x, y))
        return y.error;
    return fmax(x.error, y.error);
}

static double component_error(dp__node_kind kind, ball x, ball y, ball z, double value)
{
    switch (kind) {
    case DP__NODE_ADD:
    case DP__NODE_SUB:
        return rounded(kind, x, y, value, x.error + y.error);
    case DP__NODE_MUL:
        return rounded(kind, x, y, value,
                       fabs(x.value) * y.error + fabs(y.value) * x.error + x.error * y.error);
    case DP__NODE_DIV:
        return divide_error(x, y, value);
    case DP__NODE_POW:
        return power_error(x, y, value);
    case DP__NODE_NEG:
    case DP__NODE_ABS:
        return x.error;
    case DP__NODE_LT:
    case DP__NODE_LE:
    case DP__NODE_EQ:
    case DP__NODE_NE:
        return compare(kind, x, y) == MAYBE ? 1 : 0;
    case DP__NODE_AND:
    case DP__NODE_OR:
    case DP__NODE_NOT:
        return logic_error(kind, x, y);
    case DP__NODE_SELECT:
        return select_error(x, y, z, value);
    case DP__NODE_MIN:
        return extreme_error(true, x, y);
    case DP__NODE_MAX:
        return extreme_error(false, x, y);
    case DP__NODE_SIN:
    case DP__NODE_COS:
        return fmin(x.error, 2) + dp__function_error(kind, reach(x), 0, value);
    default:
        return monotone_error(kind, x, value);
    }
}

/* The last word on every bound: no number, or a value that may overflow, is not known at all. */
static double settle(double value, double error)
{
    if (isnan(value) || isnan(error) || (error > 0 && !(fabs(value) + error <= (double)FLT_MAX)))
        return UNKNOWN;
    return error;
}

static ball ball_of(const dp__evaluator *evaluator, const dp__node *node, int which, int component)
{
    const int n = node->operand[which];
    if (n < 0)
        return (ball){0, 0, true};
    const size_t at = evaluator->start[n] + (evaluator->expr->nodes[n].dim > 0 ? (size_t)component : 0);
    return (ball){evaluator->value[at], evaluator->error[at], evaluator->never_negative[n]};
}

static double sum_error(const double *value, const double *error, int width)
{
    double magnitude = 0, errors = 0;
    for (int c = 0; c < width; c++) {
        magnitude += fabs(value[c]) + error[c];
        errors += error[c];
    }
    if (width == 1 || magnitude == 0)
        return errors;
    if (!(magnitude <= (double)FLT_MAX))
        return UNKNOWN;
    return errors + dp__bound_sum(width, width) * magnitude + width * DP__LEAST_NORMAL;
}

/* The largest error among the components that may be the largest (smallest) one. */
static double pick_error(const double *value, const double *error, int width, double best, double sign)
{
    double certain = -UNKNOWN, result = 0;
    for (int c = 0; c < width; c++)
        certain = fmax(certain, sign * value[c] - error[c]);
    for (int c = 0; c < width; c++)
        if (!(sign * value[c] + error[c] < certain))
            result = fmax(result, isnan(value[c]) ? UNKNOWN : error[c]);
    return isnan(best) ? UNKNOWN : result;
}

/* Whether it is certain that component c is the largest (smallest) one, or that it is not: another of the
 * same value may be it, too, where both are exact. */
static bool pick_certain(const double *value, const double *error, int width, double sign, int c)
{
    bool least = true, most = false;
    for (int k = 0; k < width; k++) {
        if (k == c)
            continue;
        const double distance = sign * (value[c] - value[k]), both = error[c] + error[k];
        least = least && (distance > both || (both == 0 && distance == 0)); /* not below this one */
        most = most || distance < -both;
    }
    return least || most;
}

static double input_error(const dp__node *node, double value)
{
    const bool rounds = node->kind == DP__NODE_CONST && (double)(float)value != value;
    return (rounds ? U * fabs(value) : 0) + dp__bound_flush(value);
}

/* What is the largest of some components is one of them, whatever their errors. */
static double equal_error(const dp__evaluator *evaluator, const dp__node *node, int c)
{
    for (int o = 0; o < 2; o++) {
        const int n = node->operand[o], other = node->operand[1 - o];
        const dp__node *pick = &evaluator->expr->nodes[n];
        if ((pick->kind == DP__NODE_LARGEST || pick->kind == DP__NODE_SMALLEST) && pick->operand[0] == other)
            return pick_certain(evaluator->value + evaluator->start[other], evaluator->error + evaluator->start[other],
                                dp__node_width(&evaluator->expr->nodes[other]),
                                pick->kind == DP__NODE_LARGEST ? 1 : -1, c)
                       ? 0
                       : 1;
    }
    return compare(DP__NODE_EQ, ball_of(evaluator, node, 0, c), ball_of(evaluator, node, 1, c)) == MAYBE ? 1 : 0;
}

void dp__evaluate_error(dp__evaluator *evaluator, int n)
{
    const dp__node *node = &evaluator->expr->nodes[n];
    const int width = dp__node_width(node), first = node->operand[0];
    const double *value = evaluator->value + evaluator->start[n];
    double *error = evaluator->error + evaluator->start[n];
    const double *from = first >= 0 ? evaluator->value + evaluator->start[first] : NULL;
    const double *from_error = first >= 0 ? evaluator->error + evaluator->start[first] : NULL;
    const int from_width = first >= 0 ? dp__node_width(&evaluator->expr->nodes[first]) : 0;
    switch (node->kind) {
    case DP__NODE_CONST:
    case DP__NODE_INDEX:
        for (int c = 0; c < width; c++)
            error[c] = settle(value[c], input_error(node, value[c]));
        break;
    case DP__NODE_SYMBOL: {
        const dp__row *row = &evaluator->row[node->side][node->symbol];
        for (int c = 0; c < width; c++)
            error[c] = settle(value[c], row->exact ? row->error : input_error(node, value[c]));
        break;
    }
    case DP__NODE_SUM:
        *error = settle(*value, sum_error(from, from_error, from_width));
        break;
    case DP__NODE_LARGEST:
    case DP__NODE_SMALLEST:
        *error = settle(*value, pick_error(from, from_error, from_width, *value,
                                           node->kind == DP__NODE_LARGEST ? 1 : -1));
        break;
    case DP__NODE_COMPONENT:
        *error = from_error[(int)node->value];
        break;
    case DP__NODE_EQ: /* x == max(x), as in the derivative of max(x) */
        for (int c = 0; c < width; c++)
            error[c] = equal_error(evaluator, node, c);
        break;
    default:
        for (int c = 0; c < width; c++)
            error[c] = settle(value[c], component_error(node->kind, ball_of(evaluator, node, 0, c),
                                                        ball_of(evaluator, node, 1, c),
                                                        ball_of(evaluator, node, 2, c), value[c]));
    }
}

/* Whether two nodes are the same expression, written twice; a "no" may be wrong where the nesting is deep. */
static bool same(const dp__expr *expr, int a, int b, int depth)
{
    if (a == b)
        return true;
    const dp__node *x = &expr->nodes[DP_MAX2(a, 0)], *y = &expr->nodes[DP_MAX2(b, 0)];
    if (a < 0 || b < 0 || depth == 0 || x->kind != y->kind || x->dim != y->dim)
        return false;
    if (x->kind == DP__NODE_SYMBOL)
        return x->symbol == y->symbol && x->side == y->side;
    if (x->kind == DP__NODE_CONST || x->kind == DP__NODE_COMPONENT)
        if (memcmp(&x->value, &y->value, sizeof x->value) != 0)
            return false;
    for (int o = 0; o < 3; o++)
        if (!same(expr, x->operand[o], y->operand[o], depth - 1))
            return false;
    return true;
}

static bool node_never_negative(const dp__evaluator *evaluator, int n)
{
    const dp__node *node = &evaluator->expr->nodes[n];
    const bool *known = evaluator->never_negative;
    const int a = node->operand[0], b = node->operand[1], c = node->operand[2];
    switch (node->kind) {
    case DP__NODE_CONST:
        return node->value >= 0;
    case DP__NODE_MUL:
        return (known[a] && known[b]) || same(evaluator->expr, a, b, 6);
    case DP__NODE_ADD:
    case DP__NODE_DIV:
    case DP__NODE_MIN:
        return known[a] && known[b];
    case DP__NODE_MAX:
        return known[a] || known[b];
    case DP__NODE_SELECT:
        return known[b] && known[c];
    case DP__NODE_POW: {
        const dp__node *exponent = &evaluator->expr->nodes[b];
        return known[a] || (exponent->kind == DP__NODE_CONST && fmod(exponent->value, 2) == 0);
    }
    case DP__NODE_SUM:
    case DP__NODE_LARGEST:
    case DP__NODE_SMALLEST:
    case DP__NODE_SIGN:
    case DP__NODE_FLOOR:
        return known[a];
    case DP__NODE_SYMBOL:
    case DP__NODE_COMPONENT:
    case DP__NODE_SUB:
    case DP__NODE_NEG:
    case DP__NODE_LOG:
    case DP__NODE_SIN:
    case DP__NODE_COS:
    case DP__NODE_TANH:
        return false;
    default: /* comparisons, logic, abs, exp, square roots, sigmoid */
        return true;
    }
}

void dp__evaluate_signs(dp__evaluator *evaluator)
{
    for (int n = 0; n < evaluator->expr->node_count; n++)
        evaluator->never_negative[n] = node_never_negative(evaluator, n);
}
