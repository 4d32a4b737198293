/* SPDX-License-Identifier: Apache-2.0 */
/* The expression language: values, precedence, messages, and that simplifying keeps them; properties of emitted text.
 * That the text compiles and computes the same is what the suite over all devices tests. */
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

static double apply(dp__node_kind kind, double x, double y, double z)
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
        return pow(x, y);
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

static double reduce(dp__node_kind kind, const double *x, int dim)
{
    double result = x[0];
    for (int c = 1; c < dim; c++)
        result = kind == DP__NODE_SUM       ? result + x[c]
                 : kind == DP__NODE_LARGEST ? fmax(result, x[c])
                                            : fmin(result, x[c]);
    return result;
}

static double operand(const dp__expr *expr, double (*value)[MAX_DIM], const dp__node *node, int o, int c)
{
    const int n = node->operand[o];
    return n < 0 ? 0 : value[n][expr->nodes[n].dim > 0 ? c : 0];
}

/* Writes the outputs' components one after the other and returns their number. */
static int evaluate(const dp__expr *expr, const values *in, bool f32, double *out)
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

static dp__expr *parse(const char *text)
{
    char message[1024];
    dp__expr *expr = NULL;
    const dp_status status = dp__expr_parse(text, symbols, SYMBOLS, &expr, message, sizeof(message));
    if (status != DP_OK)
        fail_msg("%s\n%s", text, message);
    assert_string_equal(message, "");
    return expr;
}

static dp__expr *simplified(const char *text)
{
    dp__expr *expr = parse(text), *simple = dp__expr_simplify(expr);
    assert_non_null(simple);
    dp__expr_free(&expr);
    assert_null(expr);
    return simple;
}

static char *emitted(const dp__expr *expr, bool unroll)
{
    dp__text text = {0};
    dp__expr_emit(expr, &(dp__emit_options){.unroll = unroll, .indent = 4}, &text);
    assert_false(text.failed);
    return text.data;
}

/* Values. */

static bool near(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-12 * (1 + fabs(b));
}

static const struct {
    const char *text;
    double value[MAX_DIM];
} good[] = {
    {"1", {1}},
    {"2.5", {2.5}},
    {"1e-3", {0.001}},
    {".5", {0.5}},
    {"3.", {3}},
    {"1E2", {100}},
    {"1.25e+2", {125}},
    {"0.1", {0.1}},
    {"123456789012345678901234567890", {123456789012345678901234567890.0}},
    {"0.00000000000000000000000000012345", {1.2345e-28}},
    {"inf", {INFINITY}},
    {"pi", {3.14159265358979323846}},
    /* precedence */
    {"1 + 2 * 3", {7}},
    {"(1 + 2) * 3", {9}},
    {"10 - 4 - 3", {3}},
    {"100 / 10 / 5", {2}},
    {"2 ^ 3 ^ 2", {512}},
    {"-2 ^ 2", {-4}},
    {"(-2) ^ 2", {4}},
    {"2 ^ -1", {0.5}},
    {"2 ^ -2 ^ 2", {0.0625}},
    {"2 * -3", {-6}},
    {"--3", {3}},
    {"1 - -1", {2}},
    {"6 / 2 * 3", {9}},
    {"1 + 1 < 3", {1}},
    {"1 < 2 and 2 < 1", {0}},
    {"1 < 2 or 2 < 1", {1}},
    {"1 or 1 and 0", {1}},
    {"not 1 < 2", {0}},
    {"not 0 and 0", {0}},
    {"not not 5", {1}},
    {"!0 && 2 || 0", {1}},
    {"2 > 1", {1}},
    {"2 >= 2", {1}},
    {"2 < 2", {0}},
    {"2 <= 2", {1}},
    {"2 == 2", {1}},
    {"2 != 2", {0}},
    {"(1 < 2) + (2 < 3)", {2}},
    /* names */
    {"q[i]", {2}},
    {"q[j]", {-0.5}},
    {"eps", {0.25}},
    {"x[i]", {1, 2, 3}},
    {"w", {4, 5, 6}},
    {"w[i] + w[j]", {15}},
    {"w[2]", {6}},
    {"x[j][2]", {-1}},
    {"(x[i] - x[j] * q[i])[1]", {0}},
    {"(x[i] + max(x[j]))[0]", {4}},
    {"d = x[i] - x[j]; d[0] * d[2]", {-8}},
    {" \t\n q [ i ] ", {2}},
    {"i = 3; j = i; j + q[i]", {5}},
    {"a = 1; b = a + 1; a + b, b", {3, 2}},
    {"unused = 4; 1", {1}},
    /* vectors */
    {"x[i] + x[j]", {4, 3, 2}},
    {"2 * x[i]", {2, 4, 6}},
    {"x[i] - 1", {0, 1, 2}},
    {"x[i] < 2.5", {1, 1, 0}},
    {"sum(x[i])", {6}},
    {"sum(h[i])", {7}},
    {"sum(3)", {3}},
    {"mean(x[i])", {2}},
    {"mean(7)", {7}},
    {"dot(x[i], x[j])", {2}},
    {"sqdist(x[i], x[j])", {21}},
    {"sqdist(q[i], q[j])", {6.25}},
    {"norm(x[i] - x[j])", {4.58257569495584}},
    {"norm_p(x[i] - x[j], 1)", {7}},
    {"norm_p(x[i] - x[j], 2)", {4.58257569495584}},
    {"norm_p(x[i] - x[j], inf)", {4}},
    {"norm_p(x[i] - x[j], 3)", {4.17933919638123}},
    {"norm_p(x[j], 1.5)", {3.73719281884655}},
    {"min(x[i])", {1}},
    {"max(x[j])", {3}},
    {"min(x[i], 2)", {1, 2, 2}},
    {"max(1, 5, 3)", {5}},
    {"min(4, 5, 3, 9)", {3}},
    {"x[i], q[i]", {1, 2, 3, 2}},
    /* functions */
    {"abs(-3)", {3}},
    {"sign(-3) + sign(0)", {-1}},
    {"floor(-1.5)", {-2}},
    {"exp(1)", {2.718281828459045}},
    {"log(2)", {0.6931471805599453}},
    {"sqrt(16)", {4}},
    {"rsqrt(16)", {0.25}},
    {"sin(0.5)", {0.479425538604203}},
    {"cos(0.5)", {0.8775825618903728}},
    {"tanh(0.5)", {0.46211715726000975}},
    {"sigmoid(0.5)", {0.6224593312018546}},
    {"pow(2, 10)", {1024}},
    {"select(1 < 2, 3, 4)", {3}},
    {"select(x[i] > 1, x[j], 0)", {0, 1, -1}},
    {"clamp(5, 0, 1)", {1}},
    {"clamp(x[i], 1.5, 2.5)", {1.5, 2, 2.5}},
    {"0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)", {-0.108947635105}},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t g = 0; g < DP_COUNT(good); g++) {
        dp__expr *expr = parse(good[g].text), *simple = dp__expr_simplify(expr);
        double value[2][4 * MAX_DIM] = {{0}};
        const int count = evaluate(expr, &plain, false, value[0]);
        assert_non_null(simple);
        assert_int_equal(evaluate(simple, &plain, false, value[1]), count);
        for (int c = 0; c < count; c++)
            for (int v = 0; v < 2; v++)
                if (!near(value[v][c], good[g].value[c]) &&
                    fabs(value[v][c] - good[g].value[c]) > 1e-9 * fabs(good[g].value[c]))
                    fail_msg("%s: component %d is %.15g, not %.15g", good[g].text, c, value[v][c],
                             good[g].value[c]);
        dp__expr_free(&expr);
        dp__expr_free(&simple);
    }
}

/* Messages. */

static const struct {
    const char *text;
    int column;
    const char *says;
} bad[] = {
    {"", 1, "empty"},
    {"   ", 4, "empty"},
    {"1 +", 4, "ends"},
    {"1 + * 2", 5, "not '*'"},
    {"(1 + 2", 1, "never closed"},
    {"sin(1", 4, "never closed"},
    {"x[i", 2, "never closed"},
    {"(1 2)", 4, "')'"},
    {"1 + 2)", 6, "end of the formula"},
    {"1 2", 3, "end of the formula"},
    {"1.5.2", 4, "end of the formula"},
    {"2x", 2, "end of the formula"},
    {"1,", 3, "ends"},
    {"foo + 1", 1, "x[i], x[j], h[i], h[j], q[i], q[j], eps, w[i], w[j], w, pi, inf"},
    {"a = 1; b + a", 8, "a, pi"},
    {"a = b; b = 1; a", 5, "'b' is not known"},
    {"foo(1)", 1, "sqdist"},
    {"q(1)", 1, "no function"},
    {"1 + sin", 5, "parentheses"},
    {"sin()", 1, "takes 1 argument, not 0"},
    {"1 + dot(x[i])", 5, "takes 2 arguments, not 1"},
    {"select(1, 2)", 1, "takes 3 arguments, not 2"},
    {"min()", 1, "one vector"},
    {"min(2)", 1, "vector"},
    {"max(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)", 43, "more than 16"},
    {"norm_p(x[i], 0.5)", 1, "at least 1"},
    {"norm_p(x[i], eps)", 1, "at least 1"},
    {"x", 1, "write x[i] or x[j]"},
    {"1 + x[2]", 5, "write x[i] or x[j]"},
    {"eps[i]", 1, "write eps alone"},
    {"x[k]", 3, "i, j"},
    {"x[i+1]", 4, "']'"},
    {"x[i][3]", 6, "3 components"},
    {"w[i][1]", 6, "1 component,"},
    {"x[i][1.5]", 6, "number of a component"},
    {"x[i][1e0]", 6, "number of a component"},
    {"x[i][-1]", 6, "number of a component"},
    {"x[i][99999999999999999999]", 6, "3 components"},
    {"q[i][0]", 6, "scalar"},
    {"d = x[i]; d[j]", 11, "no rows"},
    {"x[i] + h[j]", 6, "3 and of 5"},
    {"select(1, x[i], h[i])", 1, "3 and of 5"},
    {"1 + dot(x[i], h[i])", 5, "3 and of 5"},
    {"1 < 2 < 3", 7, "chain"},
    {"1 == 2 > 3", 8, "chain"},
    {"1 + not 2", 5, "weaker"},
    {"1 = 2", 3, "=="},
    {"a = 1", 6, "';'"},
    {"a = 1, 2", 6, "';'"},
    {"a = 1;", 7, "ends"},
    {"1; 2", 2, "definition"},
    {"x = 1; 2", 1, "given by the call"},
    {"a = 1; a = 2; a", 8, "already"},
    {"sin = 1; 2", 1, "word of the language"},
    {"pi = 3; pi", 1, "word of the language"},
    {"1e", 2, "no digits"},
    {"1e+", 2, "no digits"},
    {"2 * 1e39", 5, "f32"},
    {"1e-39", 1, "f32"},
    {"1e99999999999999999999", 1, "f32"},
    {"1 ? 2 : 3", 3, "select"},
    {"1 & 2", 3, "'&'"},
    {"1 @ 2", 3, "'@'"},
    {"1 + \x01", 5, "0x01"},
    {"1 + \xc3\xa9", 5, "0xc3"},
    {"x[i] \xff", 6, "0xff"},
};

static void test_messages(void **state)
{
    (void)state;
    for (size_t b = 0; b < DP_COUNT(bad); b++) {
        char message[1024], column[32];
        dp__expr *expr = (dp__expr *)&message;
        const dp_status status =
            dp__expr_parse(bad[b].text, symbols, SYMBOLS, &expr, message, sizeof(message));
        if (status != DP_ERROR_FORMULA)
            fail_msg("%s: status %d", bad[b].text, (int)status);
        assert_null(expr);
        snprintf(column, sizeof(column), "column %d: ", bad[b].column);
        if (strncmp(message, column, strlen(column)) != 0 || !strstr(message, bad[b].says))
            fail_msg("%s: wanted %s... %s ..., got:\n%s", bad[b].text, column, bad[b].says, message);
        const char *caret = strrchr(message, '\n');
        assert_non_null(caret);
        assert_int_equal(strlen(caret + 1), 2 + bad[b].column);
        for (const char *c = message; *c; c++)
            assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
    }
}

static void test_message_of_long_and_many_lines(void **state)
{
    (void)state;
    char text[1000], message[1024], small[8];
    dp__expr *expr;
    memset(text, ' ', sizeof(text));
    memcpy(text + 500, "foo", 3);
    text[999] = '\0';
    assert_int_equal(dp__expr_parse(text, symbols, SYMBOLS, &expr, message, sizeof(message)), DP_ERROR_FORMULA);
    assert_memory_equal(message, "column 501: ", 12);
    const char *line = strchr(message, '\n') + 1, *caret = strchr(line, '\n') + 1;
    assert_true(caret - line < 100);
    assert_int_equal(strstr(line, "foo") - line, strchr(caret, '^') - caret);

    assert_int_equal(dp__expr_parse("a = 1;\n a +\n  bar\n", symbols, SYMBOLS, &expr, message, sizeof(message)),
                     DP_ERROR_FORMULA);
    assert_memory_equal(message, "line 3, column 3: ", 18);
    assert_non_null(strstr(message, "\n    bar\n    ^"));

    /* a message that does not fit, or is not wanted */
    assert_int_equal(dp__expr_parse("foo", symbols, SYMBOLS, &expr, small, sizeof(small)), DP_ERROR_FORMULA);
    assert_string_equal(small, "column ");
    assert_int_equal(dp__expr_parse("foo", symbols, SYMBOLS, &expr, NULL, 0), DP_ERROR_FORMULA);
}

static char *repeated(const char *head, const char *part, size_t count, const char *tail)
{
    const size_t size = strlen(head) + count * strlen(part) + strlen(tail) + 1;
    char *text = malloc(size), *end = text;
    assert_non_null(text);
    end = stpcpy(end, head);
    for (size_t n = 0; n < count; n++)
        end = stpcpy(end, part);
    stpcpy(end, tail);
    return text;
}

static void expect(char *text, dp_status wanted, const char *says)
{
    char message[1024];
    dp__expr *expr;
    const dp_status status = dp__expr_parse(text, symbols, SYMBOLS, &expr, message, sizeof(message));
    if (status != wanted || !strstr(message, says))
        fail_msg("%.60s...: %d %s", text, (int)status, message);
    dp__expr_free(&expr);
    free(text);
}

static void test_limits(void **state)
{
    (void)state;
    const size_t many = 1000000;
    expect(repeated("", "(", 150, "1") /* unclosed */, DP_ERROR_FORMULA, "never closed");
    expect(repeated("", "(", many, ""), DP_ERROR_FORMULA, "nested");
    expect(repeated("", "-", many, "1"), DP_ERROR_FORMULA, "nested");
    expect(repeated("", "not ", many, "1"), DP_ERROR_FORMULA, "nested");
    expect(repeated("", "2^", many, "1"), DP_ERROR_FORMULA, "nested");
    expect(repeated("", "sin(", many, "1"), DP_ERROR_FORMULA, "nested");
    expect(repeated("1", "+1", many, ""), DP_ERROR_FORMULA, "too large");
    expect(repeated("d=x[i]-x[j];1", "+d[0]", many, ""), DP_ERROR_FORMULA, "too large");
    expect(repeated("a=1;a", ",a", many, ""), DP_ERROR_FORMULA, "outputs");
    expect(repeated("", "a", many, ""), DP_ERROR_FORMULA, "not known");
    expect(repeated("", "1", many, ""), DP_ERROR_FORMULA, "f32");
    expect(repeated("0.", "0", many, "1"), DP_ERROR_FORMULA, "f32");
    expect(repeated("1", "+1", 2000, ""), DP_OK, "");
    expect(repeated("1", "*(2+1)", 900, ""), DP_OK, "");
}

/* Helpers. */

static void test_helpers(void **state)
{
    (void)state;
    dp__expr *expr = parse("d = x[i] - x[j]; q[j] * d, eps * sum(h[i])");
    assert_true(dp__expr_uses(expr, X, DP__SIDE_I) && dp__expr_uses(expr, X, DP__SIDE_J));
    assert_true(dp__expr_uses(expr, Q, DP__SIDE_J) && !dp__expr_uses(expr, Q, DP__SIDE_I));
    assert_true(dp__expr_uses(expr, EPS, DP__SIDE_CALL) && !dp__expr_uses(expr, W, DP__SIDE_CALL));
    assert_int_equal(dp__expr_max_dim(expr), 5);
    assert_int_equal(expr->output_count, 2);
    assert_int_equal(expr->symbol_count, SYMBOLS);
    assert_int_equal(expr->nodes[expr->outputs[0]].dim, 3);

    dp__expr *clone = dp__expr_clone(expr);
    assert_non_null(clone);
    dp__expr_swap_sides(clone);
    assert_true(dp__expr_uses(clone, Q, DP__SIDE_I) && !dp__expr_uses(clone, Q, DP__SIDE_J));
    assert_true(dp__expr_uses(clone, EPS, DP__SIDE_CALL));
    double before[8], after[8];
    assert_int_equal(evaluate(expr, &plain, false, before), 4);
    assert_int_equal(evaluate(clone, &plain, false, after), 4);
    assert_true(near(before[0], 1) && near(after[0], 4)); /* -0.5 * (1 - 3) and 2 * (3 - 1) */
    dp__expr_swap_sides(clone);
    evaluate(clone, &plain, false, after);
    assert_memory_equal(before, after, 4 * sizeof(double));
    dp__expr_free(&clone);
    dp__expr_free(&expr);
    dp__expr_free(&expr);
    dp__expr_free(NULL);

    expr = simplified("1");
    assert_int_equal(dp__expr_max_dim(expr), 0);
    assert_true(dp__expr_flops(expr) == 0);
    dp__expr_free(&expr);
    expr = simplified("rsqrt(sqdist(x[i], x[j]) + eps)"); /* 3 -, 3 *, 2 +, +, rsqrt */
    assert_true(dp__expr_flops(expr) == 10);
    dp__expr_free(&expr);
}

/* Simplifying. */

static int count_kind(const dp__expr *expr, dp__node_kind kind)
{
    int count = 0;
    for (int n = 0; n < expr->node_count; n++)
        count += expr->nodes[n].kind == kind ? 1 : 0;
    return count;
}

static void test_simplify_shrinks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int nodes;
    } cases[] = {
        {"1 + 2 * 3", 1},
        {"eps + 0", 1},
        {"0 + eps", 1},
        {"eps * 1", 1},
        {"eps / 1", 1},
        {"eps - 0", 1},
        {"0 - eps", 2},
        {"eps * -1", 2},
        {"--eps", 1},
        {"eps^1", 1},
        {"eps^0", 1},
        {"eps^2", 2},
        {"eps^4", 3},
        {"eps^0.5", 2},
        {"eps^-0.5", 2},
        {"eps^1.5", 3},
        {"1 / sqrt(eps)", 2},
        {"(q[i] + eps) * (eps + q[i])", 4},
        {"sin(eps) + sin(eps) * sin(eps)", 4},
        {"abs(abs(eps))", 2},
        {"abs(-eps)", 2},
        {"abs(exp(eps))", 2},
        {"eps + -q[i]", 3},
        {"eps - -q[i]", 3},
        {"select(1 < 2, eps, q[i])", 1},
        {"select(q[i], eps, eps)", 1},
        {"not eps == 1", 3},
        {"sum(eps)", 1},
        {"max(eps, eps)", 1},
        {"norm(x[i])^2", 3},  /* x, x * x, sum */
        {"norm(x[i])^-1", 4}, /* and rsqrt */
        {"a = sin(q[i]); eps", 1},
        {"-inf", 1},
        {"pi * 2 / 4", 1},
        /* and what must stay */
        {"eps * 0", 3},
        {"eps - eps", 2},
        {"eps / eps", 2},
        {"log(exp(eps))", 3},
        {"sqrt(eps)^2", 3},
        {"1e30 * 1e30", 2},
        {"1 / 0", 3},
        {"eps^20", 3},
        {"eps^0.3", 3},
        {"x[i]^0", 3},
        {"select(1, 2, x[i])", 4}, /* a vector, though its value is a scalar */
    };
    for (size_t c = 0; c < DP_COUNT(cases); c++) {
        dp__expr *expr = simplified(cases[c].text);
        if (expr->node_count != cases[c].nodes)
            fail_msg("%s: %d nodes, not %d", cases[c].text, expr->node_count, cases[c].nodes);
        dp__expr_free(&expr);
    }
    dp__expr *expr = simplified("eps^-12 + eps^5.5 + eps^-3.5");
    assert_int_equal(count_kind(expr, DP__NODE_POW), 0);
    dp__expr_free(&expr);
    expr = simplified("exp(-norm(x[i] - x[j])^2 / 2)");
    assert_int_equal(count_kind(expr, DP__NODE_SQRT), 0);
    assert_int_equal(count_kind(expr, DP__NODE_DIV), 0);
    dp__expr_free(&expr);
}

/* In f32 a power becomes neither infinite nor finite by being expanded, over the whole range. */
static void test_powers_keep_finite(void **state)
{
    (void)state;
    static const double powers[] = {2, 3, 6, 12, 16, -1, -2, -3, -6, -12, 0.5, 1.5, 3.5, -0.5, -1.5, -2.5, -8.5};
    for (size_t p = 0; p < DP_COUNT(powers); p++) {
        char text[64];
        snprintf(text, sizeof(text), "eps^%g", powers[p]);
        dp__expr *expr = parse(text), *simple = dp__expr_simplify(expr);
        assert_non_null(simple);
        assert_int_equal(count_kind(simple, DP__NODE_POW), 0);
        for (int exponent = -127; exponent <= 128; exponent++) {
            for (int sign = -1; sign <= 1; sign += 2) {
                values in = plain;
                double exact, expanded;
                in.at[EPS][0][0] = exponent == -127  ? 0.0
                                   : exponent == 128 ? (double)INFINITY * sign
                                                     : sign * ldexp(1, exponent);
                evaluate(expr, &in, true, &exact);
                evaluate(simple, &in, true, &expanded);
                const bool same = isfinite(exact) ? fabs(expanded - exact) <= 1e-5 * fabs(exact) + 0x1p-126
                                                  : !isfinite(expanded);
                if (!same)
                    fail_msg("%g^%g: %g, not %g", in.at[EPS][0][0], powers[p], expanded, exact);
            }
        }
        dp__expr_free(&expr);
        dp__expr_free(&simple);
    }
}

/* Random formulas. */

static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % limit);
}

static const char *pick(const char *const *list, size_t count)
{
    return list[random_below((unsigned)count)];
}
#define PICK(...)                                                                                            \
    pick((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* Appends a random expression: a scalar, or a vector of 3. */
static void random_expr(dp__text *text, int depth, bool vector)
{
    const bool inner = vector && random_below(4) > 0;
    switch (depth > 0 ? random_below(9) : 0) {
    case 0:
        dp__text_add(text, "%s",
                     vector ? PICK("x[i]", "x[j]", "w")
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
        dp__text_add(text, "select(%s %s %s, ", PICK("q[i]", "eps", "x[i][0]"), PICK("<", ">=", "!=", "and", "or"),
                     PICK("q[j]", "x[j][2]", "1"));
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

static double random_value(void)
{
    return ((int)random_below(2001) - 1000) / 500.0;
}

static void random_values(values *in)
{
    for (int s = 0; s < SYMBOLS; s++)
        for (int side = 0; side < 3; side++)
            for (int c = 0; c < MAX_DIM; c++)
                in->at[s][side][c] = random_value();
}

/* Whether the formula's value hardly moves with its inputs, so that roundings may be told from errors. */
static bool is_smooth(const dp__expr *expr, const values *in, const double *value, int count)
{
    values near_by = *in;
    double other[4 * MAX_DIM];
    for (int s = 0; s < SYMBOLS; s++)
        for (int side = 0; side < 3; side++)
            for (int c = 0; c < MAX_DIM; c++)
                near_by.at[s][side][c] *= 1 + 1e-12 * random_value();
    evaluate(expr, &near_by, false, other);
    for (int c = 0; c < count; c++)
        if (isfinite(value[c]) != isfinite(other[c]) ||
            (isfinite(value[c]) && fabs(value[c] - other[c]) > 1e-8 * (1e-30 + fabs(value[c]))))
            return false;
    return true;
}

static void test_simplify_keeps_values(void **state)
{
    (void)state;
    int compared = 0;
    random_state = 20240229;
    for (int round = 0; round < 3000; round++) {
        dp__text text = {0};
        random_expr(&text, 1 + (int)random_below(5), random_below(2) != 0);
        assert_false(text.failed);
        dp__expr *expr = parse(text.data), *simple = dp__expr_simplify(expr);
        assert_non_null(simple);
        assert_true(dp__expr_flops(simple) <= 8 * (1 + dp__expr_flops(expr)));
        values in;
        random_values(&in);
        double value[4 * MAX_DIM], other[4 * MAX_DIM];
        const int count = evaluate(expr, &in, false, value);
        assert_int_equal(evaluate(simple, &in, false, other), count);
        if (is_smooth(expr, &in, value, count)) {
            compared++;
            for (int c = 0; c < count; c++) {
                const bool same = isfinite(value[c])
                                      ? fabs(value[c] - other[c]) <= 1e-9 * (1e-30 + fabs(value[c]))
                                      : !isfinite(other[c]);
                if (!same)
                    fail_msg("round %d, %s: component %d is %.15g, was %.15g", round, text.data, c, other[c],
                             value[c]);
            }
        }
        dp__expr_free(&expr);
        dp__expr_free(&simple);
        dp__text_free(&text);
    }
    assert_true(compared > 2000);
}

/* Emitted text. */

static int occurrences(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

static void check_emit(const char *formula, bool unroll, const char *wanted)
{
    dp__expr *expr = simplified(formula);
    char *text = emitted(expr, unroll);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s gives\n%s, not\n%s", formula, text, wanted);
    free(text);
    dp__expr_free(&expr);
}

static void test_emit_unrolled(void **state)
{
    (void)state;
    check_emit("0.1 * q[i] + q[j], 7", true,
               "    REAL v1 = SYM2_I(0);\n"
               "    REAL v3 = SYM2_J(0);\n"
               "    REAL v4 = FMA(v1, SPLAT(0.100000001f), v3);\n"
               "    OUTPUT(0, 0, v4);\n"
               "    OUTPUT(1, 0, SPLAT(7.0f));\n");
    check_emit("dot(x[i], x[j])", true,
               "    REAL v0_0 = SYM0_I(0);\n"
               "    REAL v0_1 = SYM0_I(1);\n"
               "    REAL v0_2 = SYM0_I(2);\n"
               "    REAL v1_0 = SYM0_J(0);\n"
               "    REAL v1_1 = SYM0_J(1);\n"
               "    REAL v1_2 = SYM0_J(2);\n"
               "    REAL v3 = SPLAT(0.0f);\n"
               "    v3 = FMA(v0_0, v1_0, v3);\n"
               "    v3 = FMA(v0_1, v1_1, v3);\n"
               "    v3 = FMA(v0_2, v1_2, v3);\n"
               "    OUTPUT(0, 0, v3);\n");
    check_emit("x[j][2] - eps * q[i]", true,
               "    REAL v1 = SYM0_J(2);\n"
               "    REAL v2 = SYM3_C(0);\n"
               "    REAL v3 = SYM2_I(0);\n"
               "    REAL v5 = FMA(-v2, v3, v1);\n"
               "    OUTPUT(0, 0, v5);\n");
    check_emit("eps * q[i] - 1", true,
               "    REAL v0 = SYM3_C(0);\n"
               "    REAL v1 = SYM2_I(0);\n"
               "    REAL v4 = FMA(v0, v1, -SPLAT(1.0f));\n"
               "    OUTPUT(0, 0, v4);\n");
    check_emit("-inf, eps and eps < 1, 1e20", true,
               "    REAL v1 = SYM3_C(0);\n"
               "    REAL v3 = LT(v1, SPLAT(1.0f));\n"
               "    REAL v4 = NE(v1, SPLAT(0.0f)) * v3;\n"
               "    OUTPUT(0, 0, (-INFINITY_REAL));\n"
               "    OUTPUT(1, 0, v4);\n"
               "    OUTPUT(2, 0, SPLAT(1.00000002e+20f));\n");
}

static void test_emit_loops(void **state)
{
    (void)state;
    check_emit("q[j] * (x[i] - x[j]) * rsqrt(sqdist(x[i], x[j]) + eps)", false,
               "    REAL v6[BLOCK];\n"
               "    UNROLL for (int b = 0; b < BLOCK; b++) v6[b] = SPLAT(0.0f);\n"
               "    for (int c = 0; c < 3; c++) {\n"
               "        REAL v1 = SYM0_I(c);\n"
               "        UNROLL for (int b = 0; b < BLOCK; b++) {\n"
               "            REAL v2 = SYM0_J(c);\n"
               "            REAL v3 = v1 - v2;\n"
               "            v6[b] = FMA(v3, v3, v6[b]);\n"
               "        }\n"
               "    }\n"
               "    REAL v9[BLOCK];\n"
               "    REAL v7 = SYM3_C(0);\n"
               "    UNROLL for (int b = 0; b < BLOCK; b++) {\n"
               "        REAL v8 = v6[b] + v7;\n"
               "        v9[b] = RSQRT(v8);\n"
               "    }\n"
               "    for (int c = FIRST_COMPONENT; c < END_COMPONENT; c++) {\n"
               "        REAL v1 = SYM0_I(c);\n"
               "        UNROLL for (int b = 0; b < BLOCK; b++) {\n"
               "            REAL v0 = SYM2_J(0);\n"
               "            REAL v2 = SYM0_J(c);\n"
               "            REAL v3 = v1 - v2;\n"
               "            REAL v4 = v0 * v3;\n"
               "            REAL v10 = v4 * v9[b];\n"
               "            OUTPUT(0, c, v10);\n"
               "        }\n"
               "    }\n");
}

static void test_emit_phases(void **state)
{
    (void)state;
    /* reductions of one level and dimension share a loop, others do not */
    dp__expr *expr = simplified("sum(x[i] * x[j]) + max(x[i] - x[j]) + sum(h[i] * h[j])");
    char *text = emitted(expr, false);
    assert_int_equal(occurrences(text, "c < 3;"), 1);
    assert_int_equal(occurrences(text, "c < 5;"), 1);
    assert_int_equal(occurrences(text, "OUTPUT("), 1);
    free(text);
    dp__expr_free(&expr);

    /* a softmax takes two */
    expr = simplified("m = max(h[j]); log(sum(exp(h[j] - m))) + m");
    text = emitted(expr, false);
    assert_int_equal(occurrences(text, "c < 5;"), 2);
    assert_true(strstr(text, "MAX(") < strstr(text, "EXP("));
    free(text);
    dp__expr_free(&expr);

    /* sums over many components are blocked and compensated, largest components are not */
    const dp__symbol wide = {"y", 784, DP__NO_FORM};
    char message[256];
    assert_int_equal(dp__expr_parse("sqdist(y[i], y[j]), max(y[j])", &wide, 1, &expr, message, sizeof(message)),
                     DP_OK);
    for (int unroll = 0; unroll < 2; unroll++) {
        text = emitted(expr, unroll != 0);
        assert_int_equal(occurrences(text, "TWO_SUM("), unroll ? 7 : 1);
        assert_int_equal(occurrences(text, "for (int c0 = 0; c0 < 784; c0 += 128)"), unroll ? 0 : 1);
        assert_int_equal(occurrences(text, "MAX("), unroll ? 784 : 1);
        free(text);
    }
    dp__expr_free(&expr);
}

/* Whatever the formula: braces match, no name is declared twice in its scope or used before, literals are typed. */
static void check_text(const char *text)
{
    int depth = 0;
    for (const char *c = text; *c; c++) {
        depth += *c == '{' ? 1 : *c == '}' ? -1 : 0;
        assert_true(depth >= 0);
    }
    assert_int_equal(depth, 0);
    for (const char *c = text; (c = strstr(c, "SPLAT(")); c++) {
        const size_t length = strcspn(c, ")");
        assert_int_equal(c[length - 1], 'f');
        assert_true(memchr(c, '.', length) || memchr(c, 'e', length));
    }
    assert_null(strstr(text, "--"));
    assert_null(strstr(text, "nan"));
}

/* Straight-line text is checked name by name. */
static void check_names(const char *text)
{
    bool declared[4096][4] = {{false}};
    for (const char *c = text; (c = strchr(c, 'v')); c++) {
        char *end;
        const long n = strtol(c + 1, &end, 10), component = *end == '_' ? strtol(end + 1, NULL, 10) : 3;
        assert_in_range(n, 0, 4095);
        const bool declares = c - text >= 5 && memcmp(c - 5, "REAL ", 5) == 0;
        assert_true(declared[n][component] != declares);
        declared[n][component] = true;
    }
}

static void test_emit_any(void **state)
{
    (void)state;
    random_state = 7;
    for (int round = 0; round < 500; round++) {
        dp__text formula = {0};
        random_expr(&formula, 1 + (int)random_below(5), random_below(2) != 0);
        dp__expr *expr = round % 2 ? simplified(formula.data) : parse(formula.data);
        char *straight = emitted(expr, true), *loops = emitted(expr, false);
        check_text(straight);
        check_names(straight);
        check_text(loops);
        free(straight);
        free(loops);
        dp__text_free(&formula);
        dp__expr_free(&expr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_message_of_long_and_many_lines),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_helpers),
        cmocka_unit_test(test_simplify_shrinks),
        cmocka_unit_test(test_powers_keep_finite),
        cmocka_unit_test(test_simplify_keeps_values),
        cmocka_unit_test(test_emit_unrolled),
        cmocka_unit_test(test_emit_loops),
        cmocka_unit_test(test_emit_phases),
        cmocka_unit_test(test_emit_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
