/* SPDX-License-Identifier: Apache-2.0 */
/* Simplified formulas: smaller, and equal in value. */
#include "formulas.h"

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
        {"select(not q[i], eps, 1)", 4},
        {"select(eps^2 + 1 != 0, q[i], 1)", 1},
        {"select(sqrt(max(eps, 1)) != 0, q[i], 1)", 1},
        {"-eps * q[i] + eps * q[i]", 4}, /* the product once */
        {"norm(x[i])^-4", 6},            /* 1 / t, squared */
        {"eps^3 + eps^5 + eps^7", 7},    /* each from the one before */
        {"not eps == 1", 3},
        {"sum(eps)", 1},
        {"max(eps, eps)", 1},
        {"norm(x[i])^2", 3},  /* x, x * x, sum */
        {"norm(x[i])^-1", 4}, /* and rsqrt */
        {"a = sin(q[i]); eps", 1},
        {"-inf", 1},
        {"eps < q[i] and 1", 3},
        {"q[i] and 0", 1},
        {"q[i] or 1", 1},
        {"eps < q[i] or 0", 3},
        {"pi * 2 / 4", 1},
        /* and what must stay */
        {"select(eps^2 != 0, q[i], 1)", 7},
        {"q[i] and 1", 3},
        {"q[i] or 0", 3},
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
    static const double powers[] = {2,   3,   6,   12,  16,   -1,   -2,   -3,  -6,
                                    -12, 0.5, 1.5, 3.5, -0.5, -1.5, -2.5, -8.5};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simplify_shrinks),
        cmocka_unit_test(test_powers_keep_finite),
        cmocka_unit_test(test_simplify_keeps_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
