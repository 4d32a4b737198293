/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients against central differences in double precision, at kinks and coincident points, and their size.
 */
#include "formulas.h"

#include <float.h>

#define MAX_TARGETS 8
#define MAX_VALUES  256

/* Every form that a formula may use, as a target. */
static const dp__indexed all_targets[MAX_TARGETS] = {
    {X, DP__SIDE_I, 3},      {X, DP__SIDE_J, 3},    {Q, DP__SIDE_I, 0}, {Q, DP__SIDE_J, 0},
    {EPS, DP__SIDE_CALL, 0}, {W, DP__SIDE_CALL, 3}, {W, DP__SIDE_I, 1}, {H, DP__SIDE_J, 5},
};

static dp__expr *differentiated(const dp__expr *expr, const dp__indexed *seeds, const dp__indexed *targets,
                                int count)
{
    const dp__differentiation how = {.seeds = seeds, .targets = targets, .target_count = count};
    dp__expr *raw = dp__expr_differentiate(expr, &how), *simple;
    assert_non_null(raw);
    assert_int_equal(raw->output_count, count);
    simple = dp__expr_simplify(raw);
    assert_non_null(simple);
    for (int t = 0; t < count; t++)
        assert_int_equal(simple->nodes[simple->outputs[t]].dim, targets[t].dim);
    dp__expr_free(&raw);
    return simple;
}

static dp__expr *gradient_of(const char *text, const dp__indexed *targets, int count)
{
    dp__expr *expr = parse(text), *gradient = differentiated(expr, NULL, targets, count);
    dp__expr_free(&expr);
    return gradient;
}

/* The sum over outputs and components of seed * output. */
static double contracted(const dp__expr *expr, const dp__indexed *seeds, const values *in)
{
    double out[MAX_VALUES], result = 0;
    int at = 0;
    assert_true(evaluate(expr, in, false, out) <= MAX_VALUES);
    for (int o = 0; o < expr->output_count; o++)
        for (int c = 0; c < DP_MAX2(expr->nodes[expr->outputs[o]].dim, 1); c++) {
            const double *seed =
                seeds && seeds[o].symbol >= 0 ? in->at[seeds[o].symbol][seeds[o].side] : NULL;
            result += out[at++] * (seed ? seed[seeds[o].dim > 0 ? c : 0] : 1);
        }
    return result;
}

/* Fourth order: the error is about h^4 f'''''/30 + 1e-16 f/h. */
static double difference(const dp__expr *expr, const dp__indexed *seeds, const values *in,
                         const dp__indexed *target, int c, double step)
{
    static const double offset[4] = {-2, -1, 1, 2}, weight[4] = {1, -8, 8, -1};
    double result = 0;
    for (int p = 0; p < 4; p++) {
        values moved = *in;
        moved.at[target->symbol][target->side][c] += offset[p] * step;
        result += weight[p] * contracted(expr, seeds, &moved);
    }
    return result / (12 * step);
}

/* Whether no operation inside is infinite or NaN, be it used or not. */
static bool is_finite(const dp__expr *expr, const values *in)
{
    dp__expr inner = *expr;
    double *out = calloc((size_t)expr->node_count * MAX_DIM, sizeof(*out));
    inner.outputs = calloc((size_t)expr->node_count, sizeof(*inner.outputs));
    assert_true(out && inner.outputs);
    inner.output_count = expr->node_count;
    for (int n = 0; n < expr->node_count; n++)
        inner.outputs[n] = n;
    bool finite = true;
    for (int c = evaluate(&inner, in, false, out) - 1; c >= 0; c--)
        finite = finite && isfinite(out[c]);
    free(inner.outputs);
    free(out);
    return finite;
}

/* The number of components that were smooth enough to be compared. */
static int compare(const char *text, const dp__expr *expr, const dp__indexed *seeds, const values *in)
{
    double out[MAX_VALUES];
    int at = 0, compared = 0;
    dp__expr *gradient = differentiated(expr, seeds, all_targets, MAX_TARGETS);
    evaluate(gradient, in, false, out);
    for (int t = 0; t < MAX_TARGETS; t++)
        for (int c = 0; c < DP_MAX2(all_targets[t].dim, 1); c++, at++) {
            const double wide = difference(expr, seeds, in, &all_targets[t], c, 2e-3);
            const double near_by = difference(expr, seeds, in, &all_targets[t], c, 1e-3);
            const double size = 1 + fabs(contracted(expr, seeds, in)) + fabs(near_by);
            const bool singular = !isfinite(out[at]) && !is_finite(expr, in);
            if (!isfinite(wide) || fabs(wide - near_by) > 1e-8 * size || singular)
                continue;
            compared++;
            if (!(fabs(out[at] - near_by) <= 1e-7 * size))
                fail_msg("%s: component %d to symbol %d, side %d is %.12g, by differences %.12g", text, c,
                         all_targets[t].symbol, (int)all_targets[t].side, out[at], near_by);
        }
    dp__expr_free(&gradient);
    return compared;
}

static void check_formula(const char *text)
{
    dp__expr *expr = parse(text);
    assert_int_equal(compare(text, expr, NULL, &plain), 3 + 3 + 1 + 1 + 1 + 3 + 1 + 5);
    dp__expr_free(&expr);
}

static void test_every_node(void **state)
{
    (void)state;
    static const char *const formulas[] = {
        "7",
        "eps",
        "q[i] + q[j]",
        "q[i] - q[j]",
        "q[i] * q[j]",
        "q[i] * q[i]",
        "q[i] / q[j]",
        "q[i] / 3",
        "3 / q[i]",
        "q[i] / sqrt(eps)",
        "1 / norm(x[i])",
        "q[j] / norm(x[i] - x[j])",
        "-q[i]",
        "q[i]^2",
        "q[i]^1",
        "q[i]^0",
        "q[i]^-3",
        "q[i]^0.3",
        "q[j]^3",
        "q[i]^q[j]",
        "2^q[j]",
        "eps^q[i]",
        "norm(x[i])^3",
        "norm(x[i])^2",
        "norm(x[i])^0.7",
        "sqrt(q[i] + 5)^4",
        "sum(sqrt(x[i] + 2)^2)",
        "q[i] < q[j]",
        "q[i] * (q[i] > q[j])",
        "not q[i]",
        "q[i] and q[j]",
        "q[i] or q[j]",
        "q[i] == 2",
        "q[i] != 2",
        "q[j] * select(q[i] < 3, eps, q[i]^2)",
        "q[j] * select(q[i] > 3, eps, q[i]^2)",
        "min(q[i], q[j], eps)",
        "max(q[i] * 3, q[j], 1)",
        "clamp(q[i], -1, eps * 9)",
        "clamp(q[i], 0, 1) * q[j]",
        "abs(q[j])",
        "abs(q[i])",
        "sign(q[i])",
        "floor(q[i] * 0.3)",
        "exp(q[j])",
        "log(q[i])",
        "sqrt(q[i])",
        "rsqrt(q[i])",
        "sin(q[i])",
        "cos(q[i])",
        "tanh(q[j])",
        "sigmoid(q[i])",
        "sum(x[i])",
        "sum(x[i] * x[j])",
        "sum(q[i])",
        "mean(x[i] * w)",
        "sum(q[i] * x[j])",
        "sum(q[i] * x[j] + eps)",
        "max(x[i] * w)",
        "min(x[i] * w)",
        "max(x[i] * w + eps) * q[i]",
        "x[i][1] * x[j][2]",
        "w[0] + w[1] * w[1] * w[2]",
        "dot(x[i], x[j])",
        "sqdist(x[i], x[j])",
        "norm(x[i] - x[j])",
        "norm_p(x[i] - x[j], 1)",
        "norm_p(x[i] - x[j], 2)",
        "norm_p(x[i] - x[j], 3.5)",
        "norm_p(x[i] * w, inf)",
        "sum(index(x[i]) * x[i])",
        "sum(select(index(x[i]) == 1, x[i]^2, x[j]))",
        "sum(x[i] * sum(h[j]))",
        "sum(w[i] * w[i]) + sum(h[j])",
        "a = q[i] * q[j]; a * a + a",
        "d = x[i] - x[j]; s = sum(d * d); exp(-s) * rsqrt(s + eps) + log(s)",
        "sum(select(x[j] > 0, log(x[i]), q[i] * x[i]))",
        "sum(min(x[i], 0.7 * q[i]))",
        "sum(max(q[i] * 0.7, x[j]))",
        "sum(pow(x[i], q[i]))",
        "sum(pow(q[i], x[i]))",
        "sum(x[i] / q[i]) + sum(q[i] / x[i])",
        "sum(select(q[i] > 0, eps, x[i]))",
        "3 * (2 * (q[i] * q[j]) - 5 * q[i])",
        "1e30 * (1e30 * q[i]) / 1e30 / 1e30",
        "1e30 * q[i] / 3.4e38 * 1e30 / 3.4e38",
    };
    for (size_t f = 0; f < DP_COUNT(formulas); f++)
        check_formula(formulas[f]);
}

/* Radial kernels k(r) with w(r) = -k'(r) / r: the gradient to x[i] is -w (x[i] - x[j]), to x[j] its opposite.
 */
#define SQ "t = sqdist(x[i], x[j]); r = sqrt(t); "
static const struct {
    const char *name, *k, *w;
} kernels[] = {
    {"Riesz, capped", "select(r >= 9 * eps, r^-2, 2 * (9 * eps)^-2 - (9 * eps)^-4 * t)",
     "2 * max(r, 9 * eps)^-4"},
    {"Riesz, inside", "select(r >= 99 * eps, r^-2, 2 * (99 * eps)^-2 - (99 * eps)^-4 * t)",
     "2 * max(r, 99 * eps)^-4"},
    {"Plummer", "(t + eps^2)^(-3 / 2)", "3 * (t + eps^2)^-2.5"},
    {"Plummer, s of the call", "(t + 1)^(-eps / 2)", "eps * (t + 1)^(-eps / 2 - 1)"},
    {"Coulomb", "1 / r", "r^-3"},
    {"Coulomb in 4-D", "r^-2", "2 * r^-4"},
    {"log", "-0.5 * log(t + eps^2)", "1 / (t + eps^2)"},
    {"energy distance", "-(t + eps^2)^(0.7 / 2)", "0.7 * (t + eps^2)^(0.7 / 2 - 1)"},
    {"energy distance, b = 1", "-norm(x[i] - x[j])", "1 / r"},
    {"Gaussian", "exp(-t / (2 * eps^2 * 90))", "exp(-t / (2 * eps^2 * 90)) / (eps^2 * 90)"},
    {"Gaussians", "exp(-t / 8) + exp(-t / 32)", "exp(-t / 8) / 4 + exp(-t / 32) / 16"},
    {"Laplace", "exp(-r / (9 * eps))", "exp(-r / (9 * eps)) / (9 * eps * r)"},
    {"inverse multiquadric", "(eps^2 + t)^-0.3", "0.6 * (eps^2 + t)^-1.3"},
    {"rational quadratic", "(1 + t / (2 * 0.8 * 4))^-0.8", "(1 + t / (2 * 0.8 * 4))^-1.8 / 4"},
    {"Student-t", "1 / (1 + t)", "2 / (1 + t)^2"},
    {"Matern 3/2", "z = sqrt(3) * r / 2; (1 + z) * exp(-z)", "3 * exp(-sqrt(3) * r / 2) / 4"},
    {"Matern 5/2", "z = sqrt(5) * r / 2; (1 + z + z^2 / 3) * exp(-z)",
     "z = sqrt(5) * r / 2; 5 * (1 + z) * exp(-z) / 12"},
    {"Wendland C2", "max(1 - r / 6, 0)^4 * (4 * r / 6 + 1)", "20 * max(1 - r / 6, 0)^3 / 36"},
    {"Wendland C2, outside", "max(1 - r, 0)^4 * (4 * r + 1)", "20 * max(1 - r, 0)^3"},
    {"parabola", "max(1 - t / 36, 0)", "2 / 36"},
    {"parabola, outside", "max(1 - t / 4, 0)", "0"},
    {"Yukawa", "a = sqrt(t + eps^2); exp(-0.3 * a) / a",
     "a = sqrt(t + eps^2); exp(-0.3 * a) * (1 + 0.3 * a) / a^3"},
    {"Lennard-Jones", "4 * ((3 / r)^12 - (3 / r)^6)", "4 * (12 * (3 / r)^12 - 6 * (3 / r)^6) / t"},
    {"uniformity", "exp(-2 * t / 9)", "4 / 9 * exp(-2 * t / 9)"},
};

static void test_kernels(void **state)
{
    (void)state;
    for (size_t k = 0; k < DP_COUNT(kernels); k++) {
        char text[512];
        snprintf(text, sizeof(text), SQ "%s", kernels[k].k);
        check_formula(text);
        double out[6], w;
        dp__expr *gradient = gradient_of(text, all_targets, 2);
        evaluate(gradient, &plain, false, out);
        snprintf(text, sizeof(text), SQ "%s", kernels[k].w);
        dp__expr *expected = parse(text);
        evaluate(expected, &plain, false, &w);
        for (int c = 0; c < 3; c++) {
            const double g = -w * (plain.at[X][DP__SIDE_I][c] - plain.at[X][DP__SIDE_J][c]);
            if (!(fabs(out[c] - g) <= 1e-6 * fabs(g) && fabs(out[3 + c] + g) <= 1e-6 * fabs(g)))
                fail_msg("%s: component %d is %.12g and %.12g, not %.12g", kernels[k].name, c, out[c],
                         out[3 + c], g);
        }
        dp__expr_free(&gradient);
        dp__expr_free(&expected);
    }
}

/* A vector-Jacobian product, several outputs with seeds of their own, and the Hessian times a vector. */
static void test_seeds(void **state)
{
    (void)state;
    static const dp__indexed seeds[] = {{W, DP__SIDE_CALL, 3}, {Q, DP__SIDE_I, 0}, {-1, DP__SIDE_CALL, 0}};
    dp__expr *expr = parse("x[i] * dot(x[i], x[j]), x[j] * eps, exp(q[i] * eps)");
    assert_int_equal(compare("seeds", expr,
                             (dp__indexed[]){{H, DP__SIDE_I, 0}, {H, DP__SIDE_I, 0}, {H, DP__SIDE_I, 0}},
                             &plain),
                     18);
    assert_int_equal(compare("no seeds", expr, NULL, &plain), 18);
    /* differences move the seed too, so only targets that are none */
    static const dp__indexed others[] = {{X, DP__SIDE_I, 3}, {X, DP__SIDE_J, 3}, {EPS, DP__SIDE_CALL, 0}};
    dp__expr *gradient = differentiated(expr, seeds, others, 3);
    double out[MAX_VALUES];
    evaluate(gradient, &plain, false, out);
    for (int t = 0, at = 0; t < 3; t++)
        for (int c = 0; c < DP_MAX2(others[t].dim, 1); c++, at++)
            assert_true(fabs(out[at] - difference(expr, seeds, &plain, &others[t], c, 1e-3)) <
                        1e-8 * (1 + fabs(out[at])));
    dp__expr_free(&gradient);
    dp__expr_free(&expr);
    for (size_t k = 0; k < DP_COUNT(kernels); k++) {
        char text[512];
        snprintf(text, sizeof(text), SQ "%s", kernels[k].k);
        expr = parse(text);
        gradient = differentiated(expr, NULL, all_targets, 1);
        dp__expr *hessian = differentiated(gradient, seeds, others, 2);
        evaluate(hessian, &plain, false, out);
        for (int c = 0; c < 6; c++) {
            const double wanted = difference(gradient, seeds, &plain, &others[c / 3], c % 3, 1e-3);
            if (!(fabs(out[c] - wanted) <= 1e-7 * (1 + fabs(wanted))))
                fail_msg("Hessian of %s: component %d is %.12g, not %.12g", kernels[k].name, c, out[c],
                         wanted);
        }
        dp__expr_free(&hessian);
        dp__expr_free(&gradient);
        dp__expr_free(&expr);
    }
    /* the outputs first, where they are kept */
    expr = parse("q[i] * q[j], x[i]");
    dp__expr *both = dp__expr_differentiate(expr, &(dp__differentiation){NULL, all_targets, 3, true});
    assert_non_null(both);
    assert_int_equal(both->output_count, 5);
    assert_int_equal(evaluate(both, &plain, false, out), 1 + 3 + 3 + 3 + 1);
    assert_true(out[0] == -1 && out[3] == 3 && out[4] == 1 && out[7] == 0 && out[10] == -0.5);
    dp__expr_free(&both);
    dp__expr_free(&expr);
}

/* Where there is no derivative: what docs/formula.md says. w is all 0 here, and x[j] = x[i]. */
static void test_kinks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        dp__indexed target;
        double wanted[5];
    } cases[] = {
        {"abs(w[0])", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        {"sqrt(w[0])", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        {"w[1]^0.5 + w[2]^0.3", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        {"w[1]^2 + w[1]^1 + w[0]^0", {W, DP__SIDE_CALL, 3}, {0, 1, 0}},
        {"(w[0] + 0)^eps", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        {"w[0]^eps", {EPS, DP__SIDE_CALL, 0}, {0}},
        {"norm(w)", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        {"norm(w)^2 + norm(w)^3 + norm(w)^1.5", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        {"norm(x[i] - x[j])", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"norm(x[i] - x[j])", {X, DP__SIDE_J, 3}, {0, 0, 0}},
        {"exp(-norm(x[i] - x[j]) / eps)", {X, DP__SIDE_J, 3}, {0, 0, 0}},
        {"norm_p(x[i] - x[j], 1)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"norm_p(x[i] - x[j], 3)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"norm_p(x[i] - x[j], 1.5)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"norm_p(x[i] - x[j], inf)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"max(w)", {W, DP__SIDE_CALL, 3}, {1, 0, 0}},
        {"min(h[j])", {H, DP__SIDE_J, 5}, {0, 1, 0, 0, 0}},
        {"max(h[j])", {H, DP__SIDE_J, 5}, {1, 0, 0, 0, 0}},
        {"max(w[0], w[1])", {W, DP__SIDE_CALL, 3}, {1, 0, 0}},
        {"min(w[2], w[1])", {W, DP__SIDE_CALL, 3}, {0, 0, 1}},
        {"max(0, w[1])", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        {"max(w[1], 0)", {W, DP__SIDE_CALL, 3}, {0, 1, 0}},
        {"sign(w[0]) + floor(w[1]) + (w[2] < 1)", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        /* what is not taken may be infinite, however it is used */
        {"s = sqdist(x[i], x[j]); select(s > 0, rsqrt(s), 0)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"s = sqdist(x[i], x[j]); q[i] * select(s > 0, q[j] * s^-1.5, 0)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"s = sqdist(x[i], x[j]); q[i] * select(s > 0, q[j] * s^-1.5, 0)", {Q, DP__SIDE_J, 0}, {0}},
        {"s = sqdist(x[i], x[j]); min(rsqrt(s), 1 / eps)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"s = sqdist(x[i], x[j]); min(1 / norm(x[i] - x[j]), 1 / eps)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"s = sqdist(x[i], x[j]); min(log(1 / s), 3)", {X, DP__SIDE_I, 3}, {0, 0, 0}},
        {"s = sqdist(x[i], x[j]); t = rsqrt(s); select(s > 0, t, 1) * select(s < 1, 2, t)",
         {X, DP__SIDE_I, 3},
         {0, 0, 0}},
        {"s = sqdist(x[i], x[j]); t = rsqrt(s); select(s > 0, t, 1) + select(s < 1, 2, t^2)",
         {X, DP__SIDE_I, 3},
         {0, 0, 0}},
        {"sum(select(w > 0, log(w), 1))", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
        {"sum(select(w > 0, q[i] * log(w), 1))", {Q, DP__SIDE_I, 0}, {0}},
        {"t = 1 / q[i] - 0.5; select(t > 0, 1 / (t * t), 0) + sum(select(w != 0, 1 / t, w))",
         {Q, DP__SIDE_I, 0},
         {0}},
        {"select(q[i] < 1, exp(1000 * q[i]), 0)", {Q, DP__SIDE_I, 0}, {0}},
        {"select(w[0] > 0, sqrt(w[0] - 1), 0)", {W, DP__SIDE_CALL, 3}, {0, 0, 0}},
    };
    values in = plain;
    memcpy(in.at[X][DP__SIDE_J], in.at[X][DP__SIDE_I], sizeof(in.at[X][DP__SIDE_I]));
    memset(in.at[W], 0, sizeof(in.at[W]));
    memcpy(in.at[H][DP__SIDE_J], (double[]){2, -2, 2, -2, 1}, 5 * sizeof(double));
    for (size_t c = 0; c < DP_COUNT(cases); c++) {
        dp__expr *expr = parse(cases[c].text), *gradient = differentiated(expr, NULL, &cases[c].target, 1);
        dp__expr *raw =
            dp__expr_differentiate(expr, &(dp__differentiation){NULL, &cases[c].target, 1, false});
        double out[MAX_DIM], before[MAX_DIM];
        const int count = evaluate(gradient, &in, true, out);
        assert_int_equal(evaluate(raw, &in, true, before), count);
        for (int k = 0; k < count; k++)
            if (!(out[k] == cases[c].wanted[k]) || !(before[k] == out[k]))
                fail_msg("%s: component %d is %g, before it was simplified %g, not %g", cases[c].text, k,
                         out[k], before[k], cases[c].wanted[k]);
        dp__expr_free(&raw);
        dp__expr_free(&gradient);
        dp__expr_free(&expr);
    }
    /* and singular formulas say so */
    static const char *const singular[] = {"1 / norm(x[i] - x[j])", "rsqrt(sqdist(x[i], x[j]))",
                                           "norm(x[i] - x[j])^-1", "log(norm(x[i] - x[j]))",
                                           "1 / sqdist(x[i], x[j])"};
    for (size_t s = 0; s < DP_COUNT(singular); s++) {
        double out[3];
        dp__expr *gradient = gradient_of(singular[s], all_targets, 1);
        evaluate(gradient, &in, true, out);
        for (int c = 0; c < 3; c++)
            if (isfinite(out[c]))
                fail_msg("%s has a finite gradient where it is infinite: %g", singular[s], out[c]);
        dp__expr_free(&gradient);
    }
}

static void test_random(void **state)
{
    (void)state;
    int compared = 0, formulas = 0;
    random_state = 20240301;
    for (int round = 0; round < 1500; round++) {
        dp__text text = {0};
        random_expr(&text, 1 + (int)random_below(4), random_below(3) == 0);
        assert_false(text.failed);
        dp__expr *expr = parse(text.data);
        values in;
        random_values(&in);
        if (isfinite(contracted(expr, NULL, &in))) {
            compared += compare(text.data, expr, NULL, &in);
            formulas++;
        }
        dp__expr_free(&expr);
        dp__text_free(&text);
    }
    assert_true(formulas > 800);
    assert_true(compared > 9000);
}

/* FLOPs in d = 3, counted by hand. x[i] - x[j] takes 3, its squares 3, their sum 2, so t takes 8. */
static void test_size(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int targets; /* of x[i], x[j] */
        double gradient, both;
    } cases[] = {
        /* t, + eps^2: 10; rsqrt, r r r: 3; times d: 3 */
        {"rsqrt(sqdist(x[i], x[j]) + eps^2)", 1, 16, 16},
        {"rsqrt(sqdist(x[i], x[j]) + eps^2)", 2, 16, 16},
        /* and (0.5 q) q, times r; r^3 with charges: 2 more */
        {"0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)", 1, 19, 20},
        /* t, / -2 sg^2 (2 and 1), exp, times 1 / sg^2 (2: 1 / 2sg^2, times 2), times d */
        {"exp(-sqdist(x[i], x[j]) / (2 * eps^2))", 1, 18, 18},
        {"exp(-sqdist(x[i], x[j]) / 2)", 1, 13, 13},
        /* t; rsqrt, != 0, select: 3; times d: 3; and the root */
        {"-norm(x[i] - x[j])", 1, 14, 15},
        {"1 / norm(x[i] - x[j])", 1, 14, 14},
        {"norm(x[i] - x[j])^2", 1, 6, 11},
        {"-0.5 * log(sqdist(x[i], x[j]) + eps^2)", 1, 14, 16},
        {"1 / (1 + sqdist(x[i], x[j]))", 1, 15, 15},
        {"(sqdist(x[i], x[j]) + eps^2)^-1.5", 1, 18, 18},
        {"norm(x[i] - x[j])^-2", 1, 14, 14},
        {"dot(x[i], x[j])", 2, 0, 5},
        {"q[i] * q[j]", 1, 0, 1},
    };
    for (size_t c = 0; c < DP_COUNT(cases); c++) {
        dp__expr *expr = parse(cases[c].text),
                 *gradient = differentiated(expr, NULL, all_targets, cases[c].targets);
        dp__expr *raw =
            dp__expr_differentiate(expr, &(dp__differentiation){NULL, all_targets, cases[c].targets, true});
        dp__expr *both = dp__expr_simplify(raw);
        if (dp__expr_flops(gradient) != cases[c].gradient || dp__expr_flops(both) != cases[c].both)
            fail_msg("%s: %g FLOPs, with the value %g, not %g and %g", cases[c].text,
                     dp__expr_flops(gradient), dp__expr_flops(both), cases[c].gradient, cases[c].both);
        dp__expr_free(&raw);
        dp__expr_free(&both);
        dp__expr_free(&gradient);
        dp__expr_free(&expr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_node), cmocka_unit_test(test_kernels), cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_kinks),      cmocka_unit_test(test_random),  cmocka_unit_test(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
