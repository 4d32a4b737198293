/* SPDX-License-Identifier: Apache-2.0 */
/* Error bounds against a worse device than any: an emulation of f32 arithmetic that errs by as much as the
 * contract of precision.h allows, in either direction, flushes denormals or not, fuses products and sums or
 * not, and adds in another order. No result may be outside of its bound, and some must come near. */
#include "evaluate.h"
#include <dipole/dipole.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define VECTOR 300 /* components of v and w: more than one block of a sum */

static uint64_t random_state;

static uint32_t random_word(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

static double random_between(double low, double high)
{
    return low + (high - low) * random_word() * 0x1p-31;
}

static bool coin(void)
{
    return random_word() & 1024;
}

/* Rounds, and may flush. */
static float to_f32(double x)
{
    const float rounded = (float)x;
    return fabsf(rounded) < FLT_MIN && coin() ? copysignf(0, rounded) : rounded;
}

/* As wrong as an operation may be. */
static float with_error(dp__node_kind kind, double x, double y, double exact)
{
    const double rounding = 2 * DP__UNIT_ROUNDOFF * fabs(exact); /* to_f32 costs at most half of it */
    const double error =
        dp__function_error(kind, x, y, exact) - DP__LEAST_NORMAL - rounding; /* it flushes, too */
    if (!(error > 0))
        return to_f32(exact);
    const uint32_t how = random_word() % 4;
    const double part = how == 0 ? 1 : how == 1 ? -1 : random_between(-1, 1);
    return to_f32(exact + part * error);
}

static float unary(dp__node_kind kind, float a)
{
    const double x = (double)a;
    switch (kind) {
    case DP__NODE_NEG:
        return -a;
    case DP__NODE_NOT:
        return a == 0;
    case DP__NODE_ABS:
        return fabsf(a);
    case DP__NODE_SIGN:
        return (float)((a > 0) - (a < 0));
    case DP__NODE_FLOOR:
        return floorf(a);
    case DP__NODE_EXP:
        return fmaxf(with_error(kind, x, 0, exp(x)), 0);
    case DP__NODE_LOG:
        return with_error(kind, x, 0, log(x));
    case DP__NODE_SQRT:
        return with_error(kind, x, 0, sqrt(x));
    case DP__NODE_RSQRT:
        return with_error(kind, x, 0, 1 / sqrt(x));
    case DP__NODE_SIN:
        return with_error(kind, x, 0, sin(x));
    case DP__NODE_COS:
        return with_error(kind, x, 0, cos(x));
    case DP__NODE_TANH:
        return with_error(kind, x, 0, tanh(x));
    case DP__NODE_SIGMOID:
        return with_error(kind, x, 0, 1 / (1 + exp(-x)));
    default:
        fail_msg("no such operation: %d", (int)kind);
        return 0;
    }
}

static float binary(dp__node_kind kind, float a, float b)
{
    const double x = (double)a, y = (double)b;
    switch (kind) {
    case DP__NODE_ADD:
        return to_f32(x + y);
    case DP__NODE_SUB:
        return to_f32(x - y);
    case DP__NODE_MUL:
        return to_f32(x * y);
    case DP__NODE_DIV:
        return with_error(kind, x, y, x / y);
    case DP__NODE_POW:
        return with_error(kind, x, y, pow(x, y));
    case DP__NODE_LT:
        return a < b;
    case DP__NODE_LE:
        return a <= b;
    case DP__NODE_EQ:
        return a == b;
    case DP__NODE_NE:
        return a != b;
    case DP__NODE_AND:
        return a != 0 && b != 0;
    case DP__NODE_OR:
        return a != 0 || b != 0;
    case DP__NODE_MIN:
        return a < b ? a : b;
    case DP__NODE_MAX:
        return a > b ? a : b;
    default:
        return unary(kind, a);
    }
}

/* From the last component to the first, in blocks whose totals are added exactly and rounded once. */
static float sum_of(const float *x, int width)
{
    double total = 0;
    float block = 0;
    for (int c = width - 1, added = 0; c >= 0; c--) {
        block = to_f32((double)block + (double)x[c]);
        if (++added == DP__SUM_BLOCK || c == 0) {
            total += (double)block;
            block = 0;
            added = 0;
        }
    }
    return to_f32(total);
}

static float pick(dp__node_kind kind, const float *x, int width)
{
    float best = x[0];
    for (int c = 1; c < width; c++)
        best = (kind == DP__NODE_LARGEST ? x[c] > best : x[c] < best) ? x[c] : best;
    return best;
}

typedef float values[VECTOR];

static float component(const dp__expr *expr, const values *value, int node, int c)
{
    return value[node][expr->nodes[node].dim > 0 ? c : 0];
}

/* A sum one of whose terms is a product may be one fused operation. */
static bool fused(const dp__expr *expr, const values *value, const dp__node *node, int c, float *result)
{
    const dp__node *first = &expr->nodes[node->operand[0]];
    if (node->kind != DP__NODE_ADD || first->kind != DP__NODE_MUL || coin())
        return false;
    *result = fmaf(component(expr, value, first->operand[0], c), component(expr, value, first->operand[1], c),
                   component(expr, value, node->operand[1], c));
    return true;
}

static void emulate(const dp__expr *expr, const float *const *inputs, values *value)
{
    for (int n = 0; n < expr->node_count; n++) {
        const dp__node *node = &expr->nodes[n];
        const int a = node->operand[0], b = node->operand[1];
        const int width_a = a >= 0 ? dp__node_width(&expr->nodes[a]) : 0;
        for (int c = 0; c < dp__node_width(node); c++) {
            float *out = &value[n][c];
            if (node->kind == DP__NODE_CONST)
                *out = (float)node->value;
            else if (node->kind == DP__NODE_SYMBOL)
                *out = to_f32((double)inputs[node->symbol][c]);
            else if (node->kind == DP__NODE_SUM)
                *out = sum_of(value[a], width_a);
            else if (node->kind == DP__NODE_LARGEST || node->kind == DP__NODE_SMALLEST)
                *out = pick(node->kind, value[a], width_a);
            else if (node->kind == DP__NODE_COMPONENT)
                *out = value[a][(int)node->value];
            else if (node->kind == DP__NODE_SELECT)
                *out = component(expr, value, component(expr, value, a, c) != 0 ? b : node->operand[2], c);
            else if (!fused(expr, value, node, c, out))
                *out = binary(node->kind, component(expr, value, a, c),
                              b >= 0 ? component(expr, value, b, c) : 0);
        }
    }
}

/* a, b, c: scalars; v, w: vectors. */
static dp__expr *parse(const char *formula)
{
    static const dp__symbol symbols[] = {{"a", DP__NO_FORM, 0},
                                         {"b", DP__NO_FORM, 0},
                                         {"c", DP__NO_FORM, 0},
                                         {"v", DP__NO_FORM, VECTOR},
                                         {"w", DP__NO_FORM, VECTOR}};
    char message[400];
    dp__expr *expr = NULL;
    if (dp__expr_parse(formula, symbols, 5, &expr, message, sizeof message) != DP_OK)
        fail_msg("%s", message);
    return expr;
}

typedef struct sample {
    float a, b, c, v[VECTOR], w[VECTOR];
} sample;

/* Mostly ordinary numbers; at times zeros, equal ones and very small ones. */
static float random_input(void)
{
    const uint32_t kind = random_word() % 32;
    const double x = random_between(-1, 1);
    return kind == 0 ? 0 : kind == 1 ? (float)(x * 1e-3) : kind == 2 ? (float)(x * 30) : (float)x;
}

static void draw(sample *s)
{
    s->a = random_input();
    s->b = random_word() % 16 ? random_input() : s->a;
    s->c = random_input();
    for (int k = 0; k < VECTOR; k++) {
        s->v[k] = random_input();
        s->w[k] = random_word() % 16 ? random_input() : s->v[k];
    }
}

typedef struct record {
    double ratio;
    int finite, all;
} record;

static void compare(const char *formula, double emulated, double exact, double bound, record *worst)
{
    worst->all++;
    if (isinf(bound))
        return;
    worst->finite++;
    const double error = fabs(emulated - exact);
    if (!(error <= bound))
        fail_msg("%s: %.9g instead of %.17g: %.3g of the bound %.3g", formula, emulated, exact, error / bound,
                 bound);
    if (bound > 0)
        worst->ratio = fmax(worst->ratio, error / bound);
}

static void check_formula(const char *formula, int tries, record *worst)
{
    static values value[64];
    dp_device *device = dp_device_open("ref");
    dp__expr *straight = parse(formula), *simple = dp__expr_simplify(straight);
    dp__evaluator evaluator;
    assert_non_null(simple);
    assert_true(straight->node_count <= 64 && simple->node_count <= 64);
    assert_int_equal(DP_OK, dp__evaluator_create(device, &evaluator, straight, true));
    for (int t = 0; t < tries; t++) {
        sample s;
        draw(&s);
        const float *const inputs[5] = {&s.a, &s.b, &s.c, s.v, s.w};
        for (int k = 0; k < 5; k++)
            evaluator.row[DP__SIDE_CALL][k] = (dp__row){inputs[k], 1};
        dp__evaluate(&evaluator, DP__SIDE_CALL);
        const size_t at = evaluator.start[straight->outputs[0]];
        for (int form = 0; form < 2; form++) {
            const dp__expr *expr = form == 0 ? straight : simple;
            emulate(expr, inputs, value);
            compare(formula, (double)value[expr->outputs[0]][0], evaluator.value[at], evaluator.error[at],
                    worst);
        }
    }
    dp__evaluator_free(&evaluator);
    dp__expr_free(&straight);
    dp__expr_free(&simple);
    dp_device_close(&device);
}

static void test_formulas(void **state)
{
    /* the share of samples that must have a finite bound, and the ratio of error to bound that some must
     * reach */
    static const struct {
        const char *formula;
        double finite, ratio;
    } cases[] = {
        {"a + b * c", 1, 0.3},
        {"a - b", 1, 0.3},
        {"a * b * c", 1, 0.3},
        {"a / b", 0.9, 0.5},
        {"(a - b)^2", 1, 0.05},
        {"(a * b)^3", 1, 0.05},
        {"a^(-2)", 0.9, 0.02},
        {"(abs(a) + 0.01)^(-6.5)", 1, 0.05},
        {"(a * a)^(-1.5)", 0.9, 0.05},
        {"abs(a)^1.7", 1, 0.3},
        {"(a * a + 0.1)^(1 / 3)", 1, 0.3},
        {"(abs(a) + 0.1)^(b * 4)", 0.9, 0.3},
        {"sqrt(a * a + b * b)", 1, 0.3},
        {"sqrt((a - b) * (a - b))", 1, 0.3},
        {"c / sqrt(a * a + 0.1)", 1, 0.1},
        {"rsqrt(a * a + b * b + 0.01)", 1, 0.3},
        {"exp(3 * a)", 1, 0.3},
        {"exp(-a * a / 0.02)", 1, 0.2},
        {"log(a * a + 0.1)", 1, 0.3},
        {"log(exp(a) + exp(b))", 1, 0.2},
        {"sin(20 * a)", 1, 0.3},
        {"exp(-a * a) * cos(b)", 1, 0.3},
        {"tanh(3 * a)", 1, 0.3},
        {"sigmoid(8 * a - b)", 1, 0.3},
        {"floor(10 * a)", 1, 0},
        {"sign(a * b - 0.2)", 1, 0},
        {"(a < b) and not (b <= c)", 1, 0},
        {"select(a * b < c, a, b) * 3", 1, 0.3},
        {"select(a == b, 0, 1 / (a - b))", 1, 0.1},
        {"max(3 * a, b * c) + min(a * b, c)", 1, 0.2},
        {"s = (0.3 / (abs(a) + 0.1))^6; s^2 - s", 1, 0.03},
        {"a * 1e30 * b * 1e30", 0, 0},
        {"a * 1e-30 * b * 1e-9", 1, 0.5},
        {"exp(-200 * a * a)", 1, 0.2},
        {"dot(v, w)", 1, 0.001},
        {"sqdist(v, w)", 1, 0.001},
        {"norm(v - w) * a", 1, 0.01},
        {"norm_p(v - w, 3)", 1, 0.01},
        {"max(abs(v * 3))", 1, 0.3},
        {"min(v - w)", 1, 0.3},
        {"p = v * w; sum(select(p == max(p), w, 0))", 1, 0},
        {"p = exp(v) * w; sum(select(p == min(p), 3 * w, 0))", 1, 0.001},
        {"dot(v, w) * rsqrt(dot(v, v) * dot(w, w))", 1, 0.001},
        {"exp(-sqdist(v, w) / 500)", 1, 0.001},
        {"v[7] * w[299] + mean(v)", 1, 0.01},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        record worst = {0};
        random_state = k;
        check_formula(cases[k].formula, k < 34 ? 4000 : 300, &worst);
        print_message("#          %-45s worst %.2f of its bound, %.0f %% finite\n", cases[k].formula,
                      worst.ratio, 100.0 * worst.finite / worst.all);
        assert_true(worst.ratio >= cases[k].ratio);
        assert_true(worst.finite >= cases[k].finite * worst.all);
    }
}

/* Coincident points must not lose their bound, nor a formula that avoids its singular point. */
static void test_singular_points(void **state)
{
    (void)state;
    dp_device *device = dp_device_open("ref");
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(1), 0.3);
    const dp_args args = DP_ARGS({"x", x}, {"y", x});
    assert_true(dp_item(dp_map_bound(device, "(x - y)^2", args, 0)) == 0);
    assert_true(dp_item(dp_map_bound(device, "sqrt((x - y)^2)", args, 0)) <= 2 * DP__LEAST_NORMAL);
    assert_true(dp_item(dp_map_bound(device, "select(x == y, 0, 1 / (x - y))", args, 0)) == 0);
    assert_true(isinf(dp_item(dp_map_bound(device, "1 / (x - y)", args, 0))));
    assert_true(isinf(dp_item(dp_map_bound(device, "log(x - y)", args, 0))));
    assert_true(isinf(dp_item(dp_map_bound(device, "rsqrt(x * 3 - 0.9)", args, 0))));
    assert_true(isinf(dp_item(dp_map_bound(device, "exp(x * 1000)", args, 0))));
    assert_true(dp_item(dp_map_bound(device, "x * 3 < 0.9", args, 0)) == 1); /* cannot be told */
    assert_true(dp_item(dp_map_bound(device, "x < 1", args, 0)) == 0);
    assert_int_equal(DP_OK, dp_failed(device));
    dp_device_close(&device);
}

/* Ops. ------------------------------ */

static double log_sum_exp(const float *t, int count)
{
    const float log2e = 1.44269504f, ln2 = 0.693147181f;
    float m = -INFINITY, s = 0;
    for (int k = count - 1; k >= 0; k--) {
        const float z = to_f32((double)t[k] * (double)log2e);
        if (z > m) {
            const float to = ceilf(z);
            s = to_f32((double)s * exp2((double)m - (double)to));
            m = to;
        }
        const double x = (double)to_f32((double)z - (double)m);
        const double error = 2 * DP__UNIT_ROUNDOFF * (2 + 2 * fabs(x)), part = coin() ? 1 : -1;
        s = to_f32((double)s + (double)to_f32(exp2(x) * (1 + part * error)));
    }
    const double exact = log2((double)s),
                 error = fmax(7 * DP__UNIT_ROUNDOFF, 5 * DP__UNIT_ROUNDOFF * fabs(exact));
    const float log2s = to_f32(exact + (coin() ? error : -error));
    return (double)to_f32((double)to_f32((double)m + (double)log2s) * (double)ln2);
}

static double reduced(dp_reduction reduction, const float *t, int count)
{
    switch (reduction) {
    case DP_SUM:
        return (double)sum_of(t, count);
    case DP_MEAN:
        return (double)with_error(DP__NODE_DIV, 0, 0, (double)sum_of(t, count) / count);
    case DP_MAX:
        return (double)pick(DP__NODE_LARGEST, t, count);
    case DP_MIN:
        return (double)pick(DP__NODE_SMALLEST, t, count);
    default:
        return log_sum_exp(t, count);
    }
}

static void test_reductions(void **state)
{
    static const dp_reduction reductions[] = {DP_SUM, DP_MEAN, DP_MAX, DP_MIN, DP_LOGSUMEXP};
    static const int counts[] = {1, 2, 3, 17, 128, 129, 300, 2000};
    (void)state;
    for (size_t r = 0; r < DP_COUNT(reductions); r++) {
        record worst = {0};
        for (int t = 0; t < 400; t++) {
            static float x[2000];
            const int count = counts[t % 8];
            const double scale = t % 3 == 0 ? 100 : t % 3 == 1 ? 1 : 1e-3;
            for (int k = 0; k < count; k++)
                x[k] = (float)(random_between(-1, 1) * scale);
            dp_device *device = dp_device_open("ref");
            dp_tensor *in = dp_from(device, DP_F32, DP_SHAPE(count), x);
            const double exact = dp_item(dp_reduce(device, in, reductions[r], DP_ALL_AXES));
            const double bound = dp_item(dp_reduce_bound(device, in, reductions[r], DP_ALL_AXES));
            compare(dp_reduction_name(reductions[r]), reduced(reductions[r], x, count), exact,
                    bound + DP__UNIT_ROUNDOFF * fabs(exact), &worst); /* `exact` is rounded too */
            dp_device_close(&device);
        }
        print_message("#          %-45s worst %.2f of its bound\n", dp_reduction_name(reductions[r]),
                      worst.ratio);
        assert_int_equal(worst.finite, worst.all);
        assert_true(worst.ratio > 0.1 || reductions[r] == DP_MAX || reductions[r] == DP_MIN);
    }
}

/* The terms of a pairwise call err too. */
static void test_pairwise(void **state)
{
    static const char formula[] = "exp(-sqdist(x[i], y[j]))";
    static const dp_reduction reductions[] = {DP_SUM, DP_MEAN, DP_MAX, DP_MIN, DP_LOGSUMEXP};
    enum { N = 6, M = 200, D = 5 };
    (void)state;
    for (size_t r = 0; r < DP_COUNT(reductions); r++) {
        record worst = {0};
        dp_device *device = dp_device_open("ref");
        dp_tensor *x = dp_uniform(device, 7, DP_SHAPE(N, D), -1, 1),
                  *y = dp_uniform(device, 8, DP_SHAPE(M, D), -1, 1);
        const dp_args args = DP_ARGS({"x", x}, {"y", y});
        float a[N][D], b[M][D], exact[N], bound[N], term[M];
        dp_read(x, a, sizeof a);
        dp_read(y, b, sizeof b);
        dp_read(dp_pairwise(device, formula, reductions[r] | DP_OVER_J, args), exact, sizeof exact);
        dp_read(dp_pairwise_bound(device, formula, reductions[r] | DP_OVER_J, args), bound, sizeof bound);
        for (int t = 0; t < 100; t++) {
            for (int i = 0; i < N; i++) {
                for (int j = 0; j < M; j++) {
                    float squares[D];
                    for (int c = 0; c < D; c++)
                        squares[c] = to_f32(pow((double)to_f32((double)a[i][c] - (double)b[j][c]), 2));
                    term[j] = unary(DP__NODE_EXP, -sum_of(squares, D));
                }
                compare(formula, reduced(reductions[r], term, M), (double)exact[i],
                        (double)bound[i] + DP__UNIT_ROUNDOFF * fabs((double)exact[i]), &worst);
            }
        }
        print_message("#          %-45s worst %.2f of its bound\n", dp_reduction_name(reductions[r]),
                      worst.ratio);
        assert_int_equal(worst.finite, worst.all);
        assert_true(worst.ratio > 0.02);
        dp_device_close(&device);
    }
}

static void test_argmax(void **state)
{
    (void)state;
    dp_device *device = dp_device_open("ref");
    dp_tensor *x = dp_uniform(device, 7, DP_SHAPE(50), -1, 1),
              *y = dp_uniform(device, 8, DP_SHAPE(40), -1, 1);
    const dp_args args = DP_ARGS({"x", x}, {"y", y});
    float value[50], term[50];
    dp_read(dp_pairwise_bound(device, "sin(x[i] * y[j])", DP_ARGMAX_J, args), value, sizeof value);
    dp_read(dp_pairwise_bound(device, "sin(x[i] * y[j])", DP_MAX_J, args), term, sizeof term);
    for (int i = 0; i < 50; i++) {
        assert_true(value[i] >= 2 * term[i]);
        assert_true((double)term[i] > 8 * DP__UNIT_ROUNDOFF && (double)value[i] < 1e-5);
    }
    dp_device_close(&device);
}

static void test_matmul(void **state)
{
    enum { M = 5, K = 200, N = 7 };
    record worst = {0};
    (void)state;
    for (int t = 0; t < 50; t++) {
        dp_device *device = dp_device_open("ref");
        dp_tensor *ta = dp_uniform(device, (uint64_t)t, DP_SHAPE(M, K), -1, 1);
        dp_tensor *tb = dp_uniform(device, (uint64_t)t + 100, DP_SHAPE(K, N), -1, t % 2 ? 1 : -0.5);
        dp_tensor *tc = dp_uniform(device, (uint64_t)t + 200, DP_SHAPE(M, N), -1, 1);
        const dp_matmul_params params = {.alpha = 0.7f, .beta = -1.3f, .c = tc};
        float a[M][K], b[K][N], c[M][N], exact[M][N], bound[M][N];
        dp_read(ta, a, sizeof a);
        dp_read(tb, b, sizeof b);
        dp_read(tc, c, sizeof c);
        dp_read(dp_matmul(device, ta, tb, &params), exact, sizeof exact);
        dp_read(dp_matmul_bound(device, ta, tb, &params), bound, sizeof bound);
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                float sum = 0;
                for (int k = K - 1; k >= 0; k--)
                    sum = coin() ? fmaf(a[i][k], b[k][j], sum)
                                 : to_f32((double)sum + (double)to_f32((double)a[i][k] * (double)b[k][j]));
                const float scaled = to_f32((double)params.alpha * (double)sum);
                const float added = to_f32((double)params.beta * (double)c[i][j]);
                compare("matmul", (double)to_f32((double)scaled + (double)added), (double)exact[i][j],
                        (double)bound[i][j] + DP__UNIT_ROUNDOFF * fabs((double)exact[i][j]), &worst);
            }
        }
        dp_device_close(&device);
    }
    print_message("#          matmul: worst %.2f of its bound\n", worst.ratio);
    assert_int_equal(worst.finite, worst.all);
    assert_true(worst.ratio > 0.005);
}

/* One pixel of a convolution, and one target of a scatter, are sums like an element of a matmul. */
static void test_sums_in_other_ops(void **state)
{
    (void)state;
    dp_device *device = dp_device_open("ref");
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(1, 4, 5, 5), -1, 1),
              *w = dp_uniform(device, 2, DP_SHAPE(1, 4, 5, 5), -1, 1);
    const dp_matmul_params transposed = {.transpose_b = true};
    dp_tensor *row = dp_reshape(x, DP_SHAPE(1, 100)), *column = dp_reshape(w, DP_SHAPE(1, 100));
    assert_true(dp_item(dp_conv2d(device, x, w, NULL)) ==
                dp_item(dp_matmul(device, row, column, &transposed)));
    assert_true(dp_item(dp_conv2d_bound(device, x, w, NULL)) ==
                dp_item(dp_matmul_bound(device, row, column, &transposed)));

    dp_tensor *y = dp_full(device, DP_F32, DP_SHAPE(3), 1.5);
    dp_tensor *index = dp_from(device, DP_I32, DP_SHAPE(3), (const int32_t[]){1, 1, 5});
    float bound[3];
    dp_read(dp_scatter_add_rows_bound(device, y, index, 3), bound, sizeof bound);
    assert_true(bound[0] == 0 && bound[2] == 0);
    assert_true((double)bound[1] >= 6 * DP__UNIT_ROUNDOFF && (double)bound[1] < 6.01 * DP__UNIT_ROUNDOFF);
    dp_device_close(&device);
}

static void test_overflow(void **state)
{
    (void)state;
    dp_device *device = dp_device_open("ref");
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(2, 1), (const float[]){3e38f, -3e38f});
    assert_true(isinf(dp_item(dp_reduce_bound(device, x, DP_SUM, DP_ALL_AXES)))); /* though the sum is 0 */
    assert_true(dp_item(dp_reduce_bound(device, x, DP_MAX, DP_ALL_AXES)) == 0);
    const dp_matmul_params params = {.transpose_a = true};
    assert_true(isinf(dp_item(dp_matmul_bound(device, x, x, &params))));
    dp_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_singular_points),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_pairwise),
        cmocka_unit_test(test_argmax),
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_sums_in_other_ops),
        cmocka_unit_test(test_overflow),
    };
    return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
