/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the expression language: the names that formulas may use and their values, an evaluator, and
 * random formulas. */
#ifndef DP_TESTS_EXPR_FORMULAS_H
#define DP_TESTS_EXPR_FORMULAS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "expr/expr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the formulas of this file may name, and the values of the names. */

#define MAX_DIM 5

enum { X, H, Q, EPS, W, SYMBOLS };

static const dp__symbol symbols[SYMBOLS] = {
    [X] = {"x", 3, DP__NO_FORM},     [H] = {"h", 5, DP__NO_FORM}, [Q] = {"q", 0, DP__NO_FORM},
    [EPS] = {"eps", DP__NO_FORM, 0}, [W] = {"w", 1, 3},
};

typedef struct values {
    double at[SYMBOLS][3][MAX_DIM]; /* by symbol and side */
} values;

static const values plain = {.at = {
                                 [X] = {[DP__SIDE_I] = {1, 2, 3}, [DP__SIDE_J] = {3, 1, -1}},
                                 [H] = {[DP__SIDE_I] = {1, 0, -1, 2, 5}, [DP__SIDE_J] = {2, 2, 2, 0.5, -3}},
                                 [Q] = {[DP__SIDE_I] = {2}, [DP__SIDE_J] = {-0.5}},
                                 [EPS] = {[DP__SIDE_CALL] = {0.25}},
                                 [W] = {{4, 5, 6}, {7}, {8}},
                             }};

/* The evaluator. `f32`: each operation is rounded to f32, as on a device. */

static inline double apply(dp__node_kind kind, double x, double y, double z)
{
    switch (kind) {
    case DP__NODE_ADD:
        return x + y;
    case DP__NODE_SUB:
        return x - y;
    case DP__NODE_MUL:
        return x * y;
    case DP__NODE_DIV:
        return x / y;
    case DP__NODE_POW:
        return x < 0 && y != floor(y) ? (double)NAN : pow(x, y); /* C has 0 or infinity for -inf */
    case DP__NODE_NEG:
        return -x;
    case DP__NODE_LT:
        return x < y;
    case DP__NODE_LE:
        return x <= y;
    case DP__NODE_EQ:
        return x == y;
    case DP__NODE_NE:
        return x != y;
    case DP__NODE_AND:
        return x != 0 && y != 0;
    case DP__NODE_OR:
        return x != 0 || y != 0;
    case DP__NODE_NOT:
        return x == 0;
    case DP__NODE_SELECT:
        return x != 0 ? y : z;
    case DP__NODE_MIN:
        return y < x ? y : x;
    case DP__NODE_MAX:
        return y > x ? y : x;
    case DP__NODE_ABS:
        return fabs(x);
    case DP__NODE_SIGN:
        return x > 0 ? 1 : x < 0 ? -1 : 0;
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
    case DP__NODE_SIN:
        return sin(x);
    case DP__NODE_COS:
        return cos(x);
    case DP__NODE_TANH:
        return tanh(x);
    case DP__NODE_SIGMOID:
        return 1 / (1 + exp(-x));
    default:
        fail_msg("no elementwise operation: %d", (int)kind);
        return 0;
    }
}

static inline double reduce(dp__node_kind kind, const double *x, int dim)
{
    double result = x[0];
    for (int c = 1; c < dim; c++)
        result = kind == DP__NODE_SUM       ? result + x[c]
                 : kind == DP__NODE_LARGEST ? fmax(result, x[c])
                                            : fmin(result, x[c]);
    return result;
}

static inline double operand(const dp__expr *expr, double (*value)[MAX_DIM], const dp__node *node, int o,
                             int c)
{
    const int n = node->operand[o];
    return n < 0 ? 0 : value[n][expr->nodes[n].dim > 0 ? c : 0];
}

/* Writes the outputs' components one after the other and returns their number. */
static inline int evaluate(const dp__expr *expr, const values *in, bool f32, double *out)
{
    double(*value)[MAX_DIM] = calloc((size_t)expr->node_count, sizeof(*value));
    assert_non_null(value);
    for (int n = 0; n < expr->node_count; n++) {
        const dp__node *node = &expr->nodes[n];
        const int dim = DP_MAX2(node->dim, 1);
        assert_in_range(dim, 1, MAX_DIM);
        for (int o = 0; o < 3; o++)
            assert_true(node->operand[o] < n);
        for (int c = 0; c < dim; c++) {
            const dp__node *first = node->operand[0] >= 0 ? &expr->nodes[node->operand[0]] : NULL;
            double v;
            if (node->kind == DP__NODE_CONST)
                v = node->value;
            else if (node->kind == DP__NODE_INDEX)
                v = c;
            else if (node->kind == DP__NODE_SYMBOL)
                v = in->at[node->symbol][node->side][c];
            else if (node->kind == DP__NODE_COMPONENT)
                v = in->at[first->symbol][first->side][(int)node->value];
            else if (node->kind >= DP__NODE_SUM && node->kind <= DP__NODE_SMALLEST)
                v = reduce(node->kind, value[node->operand[0]], DP_MAX2(first->dim, 1));
            else
                v = apply(node->kind, operand(expr, value, node, 0, c), operand(expr, value, node, 1, c),
                          operand(expr, value, node, 2, c));
            value[n][c] = f32 ? (double)(float)v : v;
        }
    }
    int count = 0;
    for (int o = 0; o < expr->output_count; o++)
        for (int c = 0; c < DP_MAX2(expr->nodes[expr->outputs[o]].dim, 1); c++)
            out[count++] = value[expr->outputs[o]][c];
    free(value);
    return count;
}

static inline dp__expr *parse(const char *text)
{
    char message[1024];
    dp__expr *expr = NULL;
    const dp_status status = dp__expr_parse(text, symbols, SYMBOLS, &expr, message, sizeof(message));
    if (status != DP_OK)
        fail_msg("%s\n%s", text, message);
    assert_string_equal(message, "");
    return expr;
}

static inline dp__expr *simplified(const char *text)
{
    dp__expr *expr = parse(text), *simple = dp__expr_simplify(expr);
    assert_non_null(simple);
    dp__expr_free(&expr);
    assert_null(expr);
    return simple;
}

/* Random formulas. */

static uint64_t random_state;

static inline unsigned random_below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % limit);
}

static inline const char *pick(const char *const *list, size_t count)
{
    return list[random_below((unsigned)count)];
}
#define PICK(...)                                                                                            \
    pick((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* Appends a random expression: a scalar, or a vector of 3. */
static inline void random_expr(dp__text *text, int depth, bool vector)
{
    const bool inner = vector && random_below(4) > 0;
    switch (depth > 0 ? random_below(9) : 0) {
    case 0:
        dp__text_add(text, "%s",
                     vector
                         ? PICK("x[i]", "x[j]", "w")
                         : PICK("q[i]", "q[j]", "eps", "x[i][1]", "2", "0.5", "1", "0", "w[2]", "3", "-1"));
        return;
    case 1:
        dp__text_add(text, "%s(", PICK("abs", "sin", "cos", "tanh", "sigmoid", "-", "sqrt", "exp"));
        random_expr(text, depth - 1, vector);
        break;
    case 2:
        dp__text_add(text, vector ? "abs(" : "%s(", PICK("sum", "max", "min", "norm", "mean"));
        random_expr(text, depth - 1, true);
        break;
    case 3:
        dp__text_add(text, "(");
        random_expr(text, depth - 1, vector);
        dp__text_add(text, ")^(%s", PICK("2", "-1", "0.5", "3", "-2", "1.5", "-0.5", "1", "0.3"));
        break;
    case 4:
        dp__text_add(text, "select(%s %s %s, ", PICK("q[i]", "eps", "x[i][0]"),
                     PICK("<", ">=", "!=", "and", "or"), PICK("q[j]", "x[j][2]", "1"));
        random_expr(text, depth - 1, vector);
        dp__text_add(text, ", ");
        random_expr(text, depth - 1, inner);
        break;
    default:
        dp__text_add(text, "%s(", PICK("", "", "-"));
        random_expr(text, depth - 1, vector);
        dp__text_add(text, " %s ", PICK("+", "-", "*", "/", "*", "-", "+"));
        random_expr(text, depth - 1, inner);
    }
    dp__text_add(text, ")");
}

static inline double random_value(void)
{
    return ((int)random_below(2001) - 1000) / 500.0;
}

static inline void random_values(values *in)
{
    for (int s = 0; s < SYMBOLS; s++)
        for (int side = 0; side < 3; side++)
            for (int c = 0; c < MAX_DIM; c++)
                in->at[s][side][c] = random_value();
}

#endif
