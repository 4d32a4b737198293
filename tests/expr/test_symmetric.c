/* SPDX-License-Identifier: Apache-2.0 */
/* Which formulas are seen to be the same when i and j are exchanged. */
#include "formulas.h"

static void test_symmetric(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "sqdist(x[i], x[j])",
        "q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)",
        "norm_p(x[j] - x[i], 3)",
        "norm_p(x[j] - x[i], inf)",
        "d = x[i] - x[j]; exp(-dot(d, d) / eps) - cos(sum(d))",
        "tanh(q[i] - q[j]) * (q[j] - q[i])^3",
        "select(q[i] * q[j] < 0, eps, 1) / (q[j] + q[i])",
        "q[i] + q[j] == 0 and (q[j] != 0 and q[i] != 0)",
        "(q[i] - q[j]) / (-q[j] + q[i])",
        "dot(x[i], x[j]), sqdist(w, x[i]) * sqdist(x[j], w)",
        "abs(-q[i] - q[j])",
        "0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)",
        "q[i] * h[i][0] * q[j] * -h[j][0] * eps",
        "(q[i] - q[j]) * (x[j] - x[i]) * eps",
    };
    static const char *const no[] = {
        "q[i]", "q[i] - q[j]", "q[i] * sqdist(x[i], x[j])", "(q[i] - q[j])^3", "sqrt(q[i] - q[j])", "q[i] / q[j]",
        "max(q[i], q[j])",        /* of equal ones the gradient goes to the first */
        "select(q[i] < q[j], q[i], q[j])", "exp(q[i] - q[j])", "floor(q[i] - q[j])", "max(x[i] - x[j])", "q[i]^q[j]",
        "dot(x[i], x[j]), q[j]",  /* one of the outputs */
        "2 * q[i] * h[i][0] * q[j] * h[j][1]",
        "q[i] * q[i] * q[j] * q[i]",
        "q[i]*q[i]*q[i]*q[i]*q[i]*q[j]*q[j]*q[j]*q[j]*q[j]", /* it is, but has too many factors */
        "x[i][0] * x[j][1]", "q[i] + 2 * q[j]", "dot(index(x[i]), x[i] - x[j])",
    };
    for (size_t k = 0; k < DP_COUNT(yes) + DP_COUNT(no); k++) {
        const bool expected = k < DP_COUNT(yes);
        dp__expr *expr = parse(expected ? yes[k] : no[k - DP_COUNT(yes)]), *simple = dp__expr_simplify(expr);
        if (dp__expr_symmetric(expr) != expected)
            fail_msg("%s", expected ? yes[k] : no[k - DP_COUNT(yes)]);
        assert_true(!dp__expr_symmetric(simple) || expected);
        dp__expr_free(&expr);
        dp__expr_free(&simple);
    }
}

/* What is found to be symmetric has the same value exchanged, and the same derivatives. */
static void test_values(void **state)
{
    (void)state;
    int found = 0;
    random_state = 20240301;
    for (int round = 0; round < 4000; round++) {
        dp__text text = {0}, both = {0};
        random_expr(&text, 1 + (int)random_below(3), false);
        assert_false(text.failed);
        dp__text_add(&both, "%s", text.data);
        dp__expr *expr = parse(both.data);
        if (dp__expr_symmetric(expr)) {
            found++;
            dp__expr *other = dp__expr_clone(expr);
            dp__expr_swap_sides(other);
            values in;
            random_values(&in);
            double value[4 * MAX_DIM], exchanged[4 * MAX_DIM];
            const int count = evaluate(expr, &in, false, value);
            assert_int_equal(evaluate(other, &in, false, exchanged), count);
            for (int c = 0; c < count; c++)
                if (isfinite(value[c]) && fabs(value[c] - exchanged[c]) > 1e-9 * (1 + fabs(value[c])))
                    fail_msg("%s: %.15g and %.15g", text.data, value[c], exchanged[c]);
            dp__expr_free(&other);
        }
        dp__expr_free(&expr);
        dp__text_free(&text);
        dp__text_free(&both);
    }
    assert_true(found > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_symmetric), cmocka_unit_test(test_values)};
    return cmocka_run_group_tests_name("symmetric", tests, NULL, NULL);
}
