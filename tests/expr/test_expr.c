/* SPDX-License-Identifier: Apache-2.0 */
/* The expression language as text: values, precedence, messages, limits, and the small helpers on lists. */
#include "formulas.h"

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
    {"norm_p(x[j], 1.5)", {3.72735052022464}},
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
    {"0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)", {-0.10894694214056866}},
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
    {"max(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)", 44, "more than 16"},
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
    assert_int_equal(dp__expr_parse(text, symbols, SYMBOLS, &expr, message, sizeof(message)),
                     DP_ERROR_FORMULA);
    assert_memory_equal(message, "column 501: ", 12);
    const char *line = strchr(message, '\n') + 1, *caret = strchr(line, '\n') + 1;
    assert_true(caret - line < 100);
    assert_int_equal(strstr(line, "foo") - line, strchr(caret, '^') - caret);

    assert_int_equal(
        dp__expr_parse("a = 1;\n a +\n  bar\n", symbols, SYMBOLS, &expr, message, sizeof(message)),
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_message_of_long_and_many_lines),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_helpers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
