/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate.h"
#include <math.h>

/* A node's level: the last side that it depends on. */
static void sort_by_side(dp__evaluator *evaluator, unsigned char *level)
{
    const dp__expr *expr = evaluator->expr;
    for (int n = 0; n < expr->node_count; n++) {
        const dp__node *node = &expr->nodes[n];
        level[n] = node->kind == DP__NODE_SYMBOL ? (unsigned char)node->side : DP__SIDE_CALL;
        for (int o = 0; o < 3; o++)
            if (node->operand[o] >= 0)
                level[n] = DP_MAX2(level[n], level[node->operand[o]]);
    }
    int count = 0;
    for (int side = DP__SIDE_CALL; side <= DP__SIDE_J; side++) {
        for (int n = 0; n < expr->node_count; n++)
            if (level[n] == side)
                evaluator->order[count++] = n;
        evaluator->order_end[side] = count;
    }
}

dp_status dp__evaluator_create(dp_device *device, dp__evaluator *evaluator, const dp__expr *expr, bool bound)
{
    const size_t count = (size_t)expr->node_count;
    size_t components = 0;
    *evaluator = (dp__evaluator){.expr = expr};
    evaluator->start = dp__alloc(count, sizeof *evaluator->start);
    evaluator->order = dp__alloc(count, sizeof *evaluator->order);
    evaluator->never_negative = dp__alloc(count, sizeof *evaluator->never_negative);
    unsigned char *level = dp__alloc(count, sizeof *level);
    if (evaluator->start && evaluator->order && evaluator->never_negative && level) {
        for (size_t n = 0; n < count; n++) {
            evaluator->start[n] = components;
            components += (size_t)dp__node_width(&expr->nodes[n]);
        }
        evaluator->value = dp__alloc(components, sizeof *evaluator->value);
        evaluator->error = bound ? dp__alloc(components, sizeof *evaluator->error) : NULL;
        sort_by_side(evaluator, level);
        dp__evaluate_signs(evaluator);
    }
    dp__free(level);
    if (evaluator->value && (!bound || evaluator->error))
        return DP_OK;
    dp__evaluator_free(evaluator);
    return dp__fail(device, DP_ERROR_MEMORY, "no memory to evaluate a formula of %zu operations", count);
}

void dp__evaluator_free(dp__evaluator *evaluator)
{
    dp__free(evaluator->start);
    dp__free(evaluator->order);
    dp__free(evaluator->never_negative);
    dp__free(evaluator->value);
    dp__free(evaluator->error);
    *evaluator = (dp__evaluator){0};
}

static void load(const dp__row *row, int width, double *restrict out)
{
    const float *data = row->data;
    if (row->exact)
        *out = *row->exact;
    else if (row->stride == 1)
        for (int c = 0; c < width; c++)
            out[c] = (double)data[c];
    else
        for (int c = 0; c < width; c++)
            out[c] = (double)data[c * row->stride];
}

/* Four partial sums, so that the additions need not wait for each other. */
static double sum(const double *x, int width)
{
    double part[4] = {0, 0, 0, 0};
    int c = 0;
    for (; c + 4 <= width; c += 4)
        for (int p = 0; p < 4; p++)
            part[p] += x[c + p];
    for (; c < width; c++)
        part[0] += x[c];
    return (part[0] + part[1]) + (part[2] + part[3]);
}

static double largest(const double *x, int width)
{
    double best = x[0];
    for (int c = 1; c < width; c++)
        best = x[c] > best ? x[c] : best;
    return best;
}

static double smallest(const double *x, int width)
{
    double best = x[0];
    for (int c = 1; c < width; c++)
        best = x[c] < best ? x[c] : best;
    return best;
}

/* C makes (-infinity)^0.5 infinite; here no negative number has a power that is not whole. */
static double power_of(double x, double y)
{
    return x < 0 && y != floor(y) ? (double)NAN : pow(x, y);
}

/* pow() where it is not needed would take most of the time. */
static void power(const double *a, int step_a, const double *b, int step_b, int width, double *restrict out)
{
    if (step_b == 0 && *b == 2)
        for (int c = 0; c < width; c++)
            out[c] = a[c * step_a] * a[c * step_a];
    else
        for (int c = 0; c < width; c++)
            out[c] = power_of(a[c * step_a], b[c * step_b]);
}

/* The loops over components, one for each way in which a scalar stands next to a vector: so each of them
 * vectorises. */
#define EACH_1(expression)                                                                                   \
    for (int c = 0; c < width; c++) {                                                                        \
        const double x = a[c];                                                                               \
        out[c] = expression;                                                                                 \
    }                                                                                                        \
    break
#define EACH_2(expression)                                                                                   \
    if (step_a == step_b) {                                                                                  \
        for (int c = 0; c < width; c++) {                                                                    \
            const double x = a[c], y = b[c];                                                                 \
            out[c] = expression;                                                                             \
        }                                                                                                    \
    } else if (step_a == 0) {                                                                                \
        const double x = *a;                                                                                 \
        for (int c = 0; c < width; c++) {                                                                    \
            const double y = b[c];                                                                           \
            out[c] = expression;                                                                             \
        }                                                                                                    \
    } else {                                                                                                 \
        const double y = *b;                                                                                 \
        for (int c = 0; c < width; c++) {                                                                    \
            const double x = a[c];                                                                           \
            out[c] = expression;                                                                             \
        }                                                                                                    \
    }                                                                                                        \
    break

typedef struct operand {
    const double *value;
    int width; /* its own */
    int step;  /* 0 for a scalar, 1 for a vector */
} operand;

static operand operand_of(const dp__evaluator *evaluator, const dp__node *node, int which)
{
    const int n = node->operand[which];
    if (n < 0)
        return (operand){NULL, 0, 0};
    const dp__node *from = &evaluator->expr->nodes[n];
    return (operand){evaluator->value + evaluator->start[n], dp__node_width(from), from->dim > 0};
}

/* Operations on two operands, which are vectors of `width` or scalars. */
static void run_binary(dp__node_kind kind, operand first, operand second, int width, double *restrict out)
{
    const double *a = first.value, *b = second.value;
    const int step_a = first.step, step_b = second.step;
    switch (kind) {
    case DP__NODE_ADD:
        EACH_2(x + y);
    case DP__NODE_SUB:
        EACH_2(x - y);
    case DP__NODE_MUL:
        EACH_2(x * y);
    case DP__NODE_DIV:
        EACH_2(x / y);
    case DP__NODE_POW:
        power(a, step_a, b, step_b, width, out);
        break;
    case DP__NODE_LT:
        EACH_2(x < y);
    case DP__NODE_LE:
        EACH_2(x <= y);
    case DP__NODE_EQ:
        EACH_2(x == y);
    case DP__NODE_NE:
        EACH_2(x != y);
    case DP__NODE_AND:
        EACH_2(x != 0 && y != 0);
    case DP__NODE_OR:
        EACH_2(x != 0 || y != 0);
    case DP__NODE_MIN:
        EACH_2(x < y ? x : y);
    default: /* MAX */
        EACH_2(x > y ? x : y);
    }
}

static void run_unary(dp__node_kind kind, const double *a, int width, double *restrict out)
{
    switch (kind) {
    case DP__NODE_NEG:
        EACH_1(-x);
    case DP__NODE_NOT:
        EACH_1(x == 0);
    case DP__NODE_ABS:
        EACH_1(fabs(x));
    case DP__NODE_SIGN:
        EACH_1((x > 0) - (x < 0));
    case DP__NODE_FLOOR:
        EACH_1(floor(x));
    case DP__NODE_EXP:
        EACH_1(exp(x));
    case DP__NODE_LOG:
        EACH_1(log(x));
    case DP__NODE_SQRT:
        EACH_1(sqrt(x));
    case DP__NODE_RSQRT:
        EACH_1(1 / sqrt(x));
    case DP__NODE_SIN:
        EACH_1(sin(x));
    case DP__NODE_COS:
        EACH_1(cos(x));
    case DP__NODE_TANH:
        EACH_1(tanh(x));
    default: /* SIGMOID */
        EACH_1(1 / (1 + exp(-x)));
    }
}

static void run(dp__evaluator *evaluator, int n)
{
    const dp__node *node = &evaluator->expr->nodes[n];
    const int width = dp__node_width(node);
    const operand a = operand_of(evaluator, node, 0), b = operand_of(evaluator, node, 1);
    const operand c = operand_of(evaluator, node, 2);
    double *out = evaluator->value + evaluator->start[n];
    switch (node->kind) {
    case DP__NODE_CONST:
        *out = node->value;
        break;
    case DP__NODE_INDEX:
        for (int k = 0; k < width; k++)
            out[k] = k;
        break;
    case DP__NODE_SYMBOL:
        load(&evaluator->row[node->side][node->symbol], width, out);
        break;
    case DP__NODE_SELECT:
        for (int k = 0; k < width; k++)
            out[k] = a.value[k * a.step] != 0 ? b.value[k * b.step] : c.value[k * c.step];
        break;
    case DP__NODE_SUM:
        *out = sum(a.value, a.width);
        break;
    case DP__NODE_LARGEST:
        *out = largest(a.value, a.width);
        break;
    case DP__NODE_SMALLEST:
        *out = smallest(a.value, a.width);
        break;
    case DP__NODE_COMPONENT:
        *out = a.value[(int)node->value];
        break;
    default:
        if (b.value)
            run_binary(node->kind, a, b, width, out);
        else
            run_unary(node->kind, a.value, width, out);
    }
}

void dp__evaluate(dp__evaluator *evaluator, dp__side side)
{
    for (int at = side == DP__SIDE_CALL ? 0 : evaluator->order_end[side - 1]; at < evaluator->order_end[side];
         at++) {
        run(evaluator, evaluator->order[at]);
        if (evaluator->error)
            dp__evaluate_error(evaluator, evaluator->order[at]);
    }
}
