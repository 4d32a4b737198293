/* SPDX-License-Identifier: Apache-2.0 */
/* Printed formulas parse back to what they were. */
#include "formulas.h"

#define MAX_VALUES 256

static char *printed(const dp__expr *expr)
{
    dp__text text = {0};
    dp__expr_print(expr, symbols, &text);
    assert_false(text.failed);
    return text.data;
}

static void test_print(void **state)
{
    (void)state;
    static const struct {
        const char *formula, *wanted;
    } cases[] = {
        {"1.5 + eps", "1.5 + eps"},
        {"q[i] - (q[j] - eps)", "q[i] - (q[j] - eps)"},
        {"q[i] - q[j] - eps", "q[i] - q[j] - eps"},
        {"(q[i] + eps) * q[j] / (2 * eps)", "(q[i] + eps) * q[j] / (2 * eps)"},
        {"-eps^2 + (-eps)^2 + 2^-eps", "-eps^2 + (-eps)^2 + 2^-eps"},
        {"eps^q[i]^q[j] + (eps^q[i])^q[j]", "eps^q[i]^q[j] + (eps^q[i])^q[j]"},
        {"not q[i] < eps and not (q[i] or eps)", "not q[i] < eps and not (q[i] or eps)"},
        {"(q[i] < eps) < q[j]", "(q[i] < eps) < q[j]"},
        {"q[i] >= eps", "eps <= q[i]"},
        {"1 + (not eps)", "1 + (not eps)"},
        {"x[j][2] * w[1] * w[i][0]", "x[j][2] * w[1] * w[i][0]"},
        {"max(x[i]) + min(w) + max(eps, 1, q[i])", "max(x[i]) + min(w) + max(max(eps, 1), q[i])"},
        {"sum(index(h[j]) * h[i])", "sum(index(h[i]) * h[i])"},
        {"a = x[i] - x[j]; dot(a, a), a", "d1 = x[i] - x[j]; sum(d1 * d1), d1"},
        {"a = sin(eps); a, a", "d1 = sin(eps); d1, d1"},
        {"-inf", "-inf"},
        {"norm_p(eps, inf) + norm_p(x[i], inf)", "abs(eps) + max(abs(x[i]))"},
        {"eps * 999899999.999999", "eps * 9.9989997e+08"},
        {"select(eps, -0.1, pi)", "select(eps, -0.1, 3.1415927)"},
    };
    for (size_t c = 0; c < DP_COUNT(cases); c++) {
        dp__expr *expr = parse(cases[c].formula);
        char *text = printed(expr);
        if (strcmp(text, cases[c].wanted) != 0)
            fail_msg("%s is printed as %s, not %s", cases[c].formula, text, cases[c].wanted);
        free(text);
        dp__expr_free(&expr);
    }
    /* a name that the call has is not taken */
    const dp__symbol own[] = {{"d1", DP__NO_FORM, 0}, {"d3", DP__NO_FORM, 0}};
    char message[256];
    dp__expr *expr;
    assert_int_equal(dp__expr_parse("a = d1 + d3; b = a * a; b * b", own, 2, &expr, message, sizeof(message)),
                     DP_OK);
    dp__text text = {0};
    dp__expr_print(expr, own, &text);
    assert_string_equal(text.data, "d2 = d1 + d3; d4 = d2 * d2; d4 * d4");
    dp__text_free(&text);
    dp__expr_print_tree(expr, own, &text);
    assert_true(strstr(text.data, "d4 =\n  *   ") && strstr(text.data, "output 1 =\n  *   "));
    dp__text_free(&text);
    dp__expr_free(&expr);
}

static void round_constants(dp__expr *expr)
{
    for (int n = 0; n < expr->node_count; n++)
        if (expr->nodes[n].kind == DP__NODE_CONST)
            expr->nodes[n].value = (double)(float)expr->nodes[n].value;
}

static void check_round_trip(dp__expr *expr, const char *formula)
{
    round_constants(expr);
    char *text = printed(expr);
    dp__expr *again = parse(text);
    round_constants(again);
    dp__expr *first = dp__expr_share(expr), *second = dp__expr_share(again);
    assert_true(first && second);
    if (first->node_count != second->node_count)
        fail_msg("%s, printed as %s: %d nodes, were %d", formula, text, second->node_count,
                 first->node_count);
    values in;
    random_values(&in);
    double before[MAX_VALUES], after[MAX_VALUES];
    const int count = evaluate(expr, &in, false, before);
    assert_int_equal(evaluate(again, &in, false, after), count);
    for (int c = 0; c < count; c++)
        if (!(before[c] == after[c] || (isnan(before[c]) && isnan(after[c]))))
            fail_msg("%s, printed as %s: component %d is %.17g, was %.17g", formula, text, c, after[c],
                     before[c]);
    dp__expr_free(&first);
    dp__expr_free(&second);
    dp__expr_free(&again);
    free(text);
}

/* Random formulas as they were parsed, their gradients, and these simplified. */
static void test_round_trip(void **state)
{
    (void)state;
    static const dp__indexed targets[] = {{X, DP__SIDE_I, 3}, {W, DP__SIDE_CALL, 3}, {Q, DP__SIDE_J, 0}};
    random_state = 99;
    for (int round = 0; round < 1000; round++) {
        dp__text text = {0};
        random_expr(&text, 1 + (int)random_below(4), random_below(3) == 0);
        dp__expr *expr = parse(text.data);
        dp__expr *gradient = dp__expr_differentiate(expr, &(dp__differentiation){NULL, targets, 3, true});
        assert_non_null(gradient);
        dp__expr *simple = dp__expr_simplify(gradient);
        assert_non_null(simple);
        check_round_trip(expr, text.data);
        check_round_trip(gradient, text.data);
        check_round_trip(simple, text.data);
        dp__expr_free(&expr);
        dp__expr_free(&gradient);
        dp__expr_free(&simple);
        dp__text_free(&text);
    }
}

/* The derivative of a quotient by a large constant has no constant that f32 does not hold. */
static void test_large_divisor(void **state)
{
    (void)state;
    static const dp__indexed target = {Q, DP__SIDE_I, 0};
    dp__expr *expr = parse("1e30 / (1e30 * q[i]) / 3.4e38");
    dp__expr *gradient = dp__expr_differentiate(expr, &(dp__differentiation){NULL, &target, 1, false});
    dp__expr *simple = gradient ? dp__expr_simplify(gradient) : NULL;
    assert_non_null(simple);
    check_round_trip(simple, "a quotient by 3.4e38");
    dp__expr_free(&expr);
    dp__expr_free(&gradient);
    dp__expr_free(&simple);
}

/* Long chains stay within what the parser nests. */
static void test_deep(void **state)
{
    (void)state;
    dp__text text = {0};
    dp__text_add(&text, "a0 = eps");
    for (int n = 1; n < 1000; n++)
        dp__text_add(&text, "; a%d = %s(a%d)", n, n % 2 ? "sin" : "-", n - 1);
    dp__text_add(&text, "; a999");
    dp__expr *expr = parse(text.data);
    check_round_trip(expr, "a chain");
    dp__expr_free(&expr);
    dp__text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_large_divisor),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
