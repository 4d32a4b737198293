/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of log-sum-exp, max and min over pairs, and softmax-weighted sums, on every device: against
 * central differences of loops in double precision. Each element is moved by 2^-12; the differences are of
 * fourth order, so that they are right to about 1e-11, and the tolerance is for the device's f32: some 40
 * roundings of the largest gradient (and of 1). */
#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define N         6
#define D         2
#define TOLERANCE (80 * 0x1p-24)

/* All that the formulas of this test name: x and y [N, D], q [N], s. */
typedef struct inputs {
    double x[N * D], y[N * D], q[N], s;
} inputs;

typedef enum family { SUM_OF_EXP, EXTREME, SOFTMAX } family;

typedef struct problem {
    const char *score, *value; /* value: softmax only */
    double (*f)(const inputs *in, int i, int j);
    double (*v)(const inputs *in, int i, int j, int c); /* with `dim` components, 0: a scalar */
    int dim;
    family family;
    unsigned mode;
    bool cotangent;
} problem;

static float number(uint32_t k)
{
    k ^= k >> 16, k *= 0x7feb352du, k ^= k >> 15, k *= 0x846ca68bu, k ^= k >> 16;
    return (float)(k >> 8) / 8388608.0f - 1.0f;
}

/* In double precision. ------------------------------------------------------- */

static double weight_of(const problem *p, int r)
{
    return p->cotangent ? 0.5 + 0.25 * r : 1;
}

/* The reduction over the pairs of result r (all of them where r < 0) of component c. */
static double reduced(const problem *p, const inputs *in, int r, int c)
{
    const bool over_i = (p->mode & 0x300u) == DP_OVER_I, max = (p->mode & 0xffu) == DP_MAX;
    double largest = -INFINITY, sum = 0, weighted = 0, best = max ? -INFINITY : INFINITY;
    for (int pass = 0; pass < 2; pass++)
        for (int a = 0; a < N; a++)
            for (int b = 0; b < N; b++) {
                const int i = over_i ? b : a, j = over_i ? a : b;
                if ((r >= 0 && a != r) || ((p->mode & DP_EXCLUDE_SELF) && i == j))
                    continue;
                const double f = p->family == SUM_OF_EXP && p->v ? p->v(in, i, j, c) : p->f(in, i, j);
                if (pass == 0) {
                    largest = fmax(largest, f);
                    best = max ? fmax(best, f) : fmin(best, f);
                } else if (isfinite(largest)) {
                    sum += exp(f - largest);
                    weighted +=
                        p->family == SOFTMAX && f > -INFINITY ? exp(f - largest) * p->v(in, i, j, c) : 0;
                }
            }
    return p->family == EXTREME      ? best
           : p->family == SUM_OF_EXP ? largest + log(sum)
           : sum > 0                 ? weighted / sum
                                     : 0;
}

static double loss(const problem *p, const inputs *in)
{
    const bool all = (p->mode & 0x300u) == DP_OVER_ALL;
    double total = 0;
    for (int r = all ? -1 : 0; r < (all ? 0 : N); r++)
        for (int c = 0; c < (p->dim ? p->dim : 1); c++) {
            const double value = reduced(p, in, r, c);
            if (isfinite(value))
                total += weight_of(p, (all ? 0 : r) * (p->dim ? p->dim : 1) + c) * value;
        }
    return total;
}

static double slope(const problem *p, inputs *in, double *moved)
{
    const double kept = *moved, step = 0x1p-12;
    double at[4];
    for (int t = 0; t < 4; t++) {
        *moved = kept + (t < 2 ? t - 2 : t - 1) * step;
        at[t] = loss(p, in);
    }
    *moved = kept;
    return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step);
}

/* On the device. ------------------------------------------------------------- */

static dp_tensor *upload(dp_device *device, const double *values, dp_shape shape)
{
    float single[N * D];
    for (int k = 0; k < (shape.rank == 2 ? N * D : N); k++)
        single[k] = (float)values[k];
    return dp_from(device, DP_F32, shape, single);
}

static dp_tensor *cotangent_of(dp_device *device, const problem *p)
{
    float values[N * D];
    dp_shape shape = {0};
    for (int k = 0; k < N * D; k++)
        values[k] = (float)weight_of(p, k);
    if ((p->mode & 0x300u) != DP_OVER_ALL)
        shape.dim[shape.rank++] = N;
    if (p->dim)
        shape.dim[shape.rank++] = p->dim;
    return p->cotangent ? dp_from(device, DP_F32, shape, values) : NULL;
}

static void compare(const problem *p, inputs *in, double *moved, const dp_tensor *gradient)
{
    float found[N * D];
    double slopes[N * D], largest = 0;
    const int count = (int)dp_tensor_size(gradient);
    assert_in_range(count, 1, N * D);
    assert_int_equal(dp_read(gradient, found, (size_t)count * sizeof *found), DP_OK);
    for (int k = 0; k < count; k++) {
        slopes[k] = slope(p, in, &moved[k]);
        largest = fmax(largest, fabs(slopes[k]));
    }
    for (int k = 0; k < count; k++)
        if (!(fabs(slopes[k] - (double)found[k]) <= TOLERANCE * (1 + largest)))
            fail_msg("%s (mode 0x%x): element %d: %.9g instead of %.9g", p->score, p->mode, k,
                     (double)found[k], slopes[k]);
}

static void compare_value(const problem *p, const inputs *in, const dp_tensor *value)
{
    float found[N * D];
    const bool all = (p->mode & 0x300u) == DP_OVER_ALL;
    const int width = p->dim ? p->dim : 1;
    assert_int_equal(dp_tensor_size(value), (all ? 1 : N) * width);
    assert_int_equal(dp_read(value, found, (size_t)((all ? 1 : N) * width) * sizeof *found), DP_OK);
    for (int r = 0; r < (all ? 1 : N); r++)
        for (int c = 0; c < width; c++) {
            const double exact = reduced(p, in, all ? -1 : r, c), value_here = (double)found[r * width + c];
            if (!(exact == value_here || fabs(exact - value_here) <= TOLERANCE * (1 + fabs(exact))))
                fail_msg("%s (mode 0x%x): result %d: %.9g instead of %.9g", p->score, p->mode, r, value_here,
                         exact);
        }
}

/* wrt: of "x", "y", "q", "s" */
static void run(dp_device *device, const problem *p, const char *const *wrt, int count)
{
    inputs in = {.s = 0.75};
    for (int k = 0; k < N * D; k++) {
        in.x[k] = (double)number(100 + (uint32_t)k);
        in.y[k] = (double)number(200 + (uint32_t)k);
    }
    for (int k = 0; k < N; k++)
        in.q[k] = k ? (double)number(300 + (uint32_t)k) : 0;
    dp_tensor *x = upload(device, in.x, DP_SHAPE(N, D)), *y = upload(device, in.y, DP_SHAPE(N, D));
    dp_tensor *q = upload(device, in.q, DP_SHAPE(N)), *cotangent = cotangent_of(device, p), *gradients[4],
              *value;
    const dp_args args = DP_ARGS({"x", x, 0}, {"y", y, 0}, {"q", q, 0}, {.name = "s", .scalar = in.s});
    if (p->family == SOFTMAX)
        dp_pairwise_softmax_gradient(device, p->score, p->value, p->mode, args, cotangent, wrt, count,
                                     gradients, &value);
    else
        dp_pairwise_gradient(device, p->score, p->mode, args, cotangent, wrt, count, gradients, &value);
    suite_ok(device);
    compare_value(p, &in, value);
    for (int k = 0; k < count; k++) {
        double *const moved = wrt[k][0] == 'x'   ? in.x
                              : wrt[k][0] == 'y' ? in.y
                              : wrt[k][0] == 'q' ? in.q
                                                 : &in.s;
        compare(p, &in, moved, gradients[k]);
        dp_tensor_release(&gradients[k]);
    }
    dp_tensor *all[] = {x, y, q, cotangent, value};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        dp_tensor_release(&all[k]);
}

/* The formulas. -------------------------------------------------------------- */

static double dot_of(const double *a, const double *b)
{
    return a[0] * b[0] + a[1] * b[1];
}

static double square(const double *a, const double *b)
{
    return (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]);
}

/* One row has no term at all, and one column has weight 0 and an infinite derivative to q. */
#define MASKED "select(q[i] > -0.5, 8 * s * dot(x[i], x[j]) + log(q[j] * q[j]), -inf)"

static double masked(const inputs *in, int i, int j)
{
    return in->q[i] > -0.5 ? 8 * in->s * dot_of(in->x + i * D, in->x + j * D) + log(in->q[j] * in->q[j])
                           : -INFINITY;
}

static double far_apart(const inputs *in, int i, int j, int c)
{
    return 3 * in->s * in->x[i * D + c] * in->y[j * D + c] + in->q[j];
}

static double potential(const inputs *in, int i, int j)
{
    return in->q[j] * square(in->x + i * D, in->x + j * D) + in->s * in->y[i * D] + 0.1 * in->x[j * D + 1];
}

static double score(const inputs *in, int i, int j)
{
    return in->q[j] > 0.8 ? -INFINITY : 4 * in->s * dot_of(in->x + i * D, in->y + j * D);
}

static double attended(const inputs *in, int i, int j, int c)
{
    return in->q[i] * in->y[j * D + c] + in->x[i * D + c];
}

static void logsumexp(dp_device *device)
{
    static const char *const xq[] = {"x", "q"};
    run(device, &(problem){MASKED, NULL, masked, NULL, 0, SUM_OF_EXP, DP_LOGSUMEXP_J | DP_EXCLUDE_SELF, true},
        xq, 2);
}

static void extremes(dp_device *device)
{
    static const char *const xy[] = {"x", "y"};
    static const char text[] = "q[j] * sqdist(x[i], x[j]) + s * y[i][0] + 0.1 * x[j][1]";
    run(device, &(problem){text, NULL, potential, NULL, 0, EXTREME, DP_MAX_J | DP_EXCLUDE_SELF, true}, xy, 2);
}

static void softmax(dp_device *device)
{
    static const char *const names[] = {"x", "y", "q"};
    run(device,
        &(problem){"select(q[j] > 0.8, -inf, 4 * s * dot(x[i], y[j]))", "q[i] * y[j] + x[i]", score, attended,
                   D, SOFTMAX, DP_SUM_J, true},
        names, 3);
}

static bool no_kernels(dp_device *device)
{
    return dp_device_get_info(device).type == DP_DEVICE_REFERENCE;
}

/* Every other combination, where it costs no kernels. */
static void variants(dp_device *device)
{
    static const char *const names[] = {"x", "y", "q", "s"};
    static const unsigned over[] = {DP_OVER_J, DP_OVER_I, DP_OVER_ALL};
    static const char text[] = "q[j] * sqdist(x[i], x[j]) + s * y[i][0] + 0.1 * x[j][1]";
    if (!no_kernels(device))
        return;
    for (int k = 0; k < 12; k++) {
        const unsigned mode = over[k % 3] | (k % 2 ? DP_EXCLUDE_SELF : 0);
        run(device, &(problem){MASKED, NULL, masked, NULL, 0, SUM_OF_EXP, mode | DP_LOGSUMEXP, k < 6}, names,
            4);
        run(device,
            &(problem){"3 * s * x[i] * y[j] + q[j]", NULL, NULL, far_apart, D, SUM_OF_EXP,
                       mode | DP_LOGSUMEXP, k < 6},
            names, 4);
        run(device,
            &(problem){"select(q[j] > 0.8, -inf, 4 * s * dot(x[i], y[j]))", "q[i] * y[j] + x[i]", score,
                       attended, D, SOFTMAX, mode | DP_SUM, k < 6},
            names, 4);
        if (k % 3 < 2)
            run(device,
                &(problem){text, NULL, potential, NULL, 0, EXTREME, mode | (k < 6 ? DP_MAX : DP_MIN),
                           k % 4 < 2},
                names, 4);
    }
}

/* Singular points. ----------------------------------------------------------- */

/* Of equal ones the first wins; over no pairs there is nothing to win. */
static void ties(dp_device *device)
{
    static const char *const wrt[] = {"x", "y"};
    if (!no_kernels(device))
        return;
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(2), 2), *y = dp_full(device, DP_F32, DP_SHAPE(3), 3),
              *g[2], *value;
    dp_pairwise_gradient(device, "x[i] * y[j]", DP_MAX_J, DP_ARGS({"x", x, 0}, {"y", y, 0}), NULL, wrt, 2, g,
                         &value);
    suite_ok(device);
    suite_values(value, (const double[]){6, 6}, 2);
    suite_values(g[0], (const double[]){3, 3}, 2);
    suite_values(g[1], (const double[]){4, 0, 0}, 3);
    dp_tensor *empty = dp_empty(device, DP_F32, DP_SHAPE(0)), *all[] = {x, y, g[0], g[1], value};
    for (size_t k = 0; k < 5; k++)
        dp_tensor_release(&all[k]);
    x = dp_full(device, DP_F32, DP_SHAPE(2), 2);
    dp_pairwise_gradient(device, "x[i] * y[j]", DP_MAX_J, DP_ARGS({"x", x, 0}, {"y", empty, 0}), NULL, wrt, 2,
                         g, &value);
    suite_ok(device);
    suite_values(value, (const double[]){-INFINITY, -INFINITY}, 2);
    suite_values(g[0], (const double[]){0, 0}, 2);
    assert_int_equal(dp_tensor_size(g[1]), 0);
    dp_tensor *rest[] = {x, empty, g[0], g[1], value};
    for (size_t k = 0; k < 5; k++)
        dp_tensor_release(&rest[k]);
}

/* Terms of -inf whose derivatives are infinite, next to one that is not, and alone. */
static void minus_infinity(dp_device *device)
{
    static const char *const wrt[] = {"x", "y"};
    const float xs[] = {0, 2}, ys[] = {0, 4, 0};
    if (!no_kernels(device))
        return;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(2), xs), *y = dp_from(device, DP_F32, DP_SHAPE(3), ys),
              *g[2], *value;
    dp_pairwise_gradient(device, "log(x[i] * y[j])", DP_LOGSUMEXP_J, DP_ARGS({"x", x, 0}, {"y", y, 0}), NULL,
                         wrt, 2, g, &value);
    suite_ok(device);
    float found[3];
    assert_int_equal(dp_read(value, found, 2 * sizeof *found), DP_OK);
    assert_true(found[0] == -INFINITY && fabsf(found[1] - logf(8)) < 1e-6f);
    assert_int_equal(dp_read(g[0], found, 2 * sizeof *found), DP_OK);
    assert_true(found[0] == 0 && fabsf(found[1] - 0.5f) < 1e-6f);
    assert_int_equal(dp_read(g[1], found, sizeof found), DP_OK);
    assert_true(found[0] == 0 && fabsf(found[1] - 0.25f) < 1e-6f && found[2] == 0);
    dp_tensor *all[] = {x, y, g[0], g[1], value};
    for (size_t k = 0; k < 5; k++)
        dp_tensor_release(&all[k]);
}

/* As many names as there may be leave no room for what a call adds. */
static void crowded(dp_device *device, dp_tensor *x, dp_tensor *q)
{
    static const char *const wrt[] = {"x"};
    dp_tensor *g;
    dp_arg many[DP_MAX_ARGS];
    char names[DP_MAX_ARGS][8];
    for (int k = 0; k < DP_MAX_ARGS; k++) {
        snprintf(names[k], sizeof names[k], "a%d", k);
        many[k] = (dp_arg){k ? names[k] : "x", k ? q : x, 0};
    }
    const dp_args full = {many, DP_MAX_ARGS}, less = {many, DP_MAX_ARGS - 1};
    dp_pairwise_gradient(device, "a1[i] * a2[j]", DP_LOGSUMEXP_J, full, NULL, wrt, 1, &g, NULL);
    suite_failed(device, DP_ERROR_ARGUMENT, "args");
    dp_pairwise_gradient(device, "a1[i] * a2[j]", DP_LOGSUMEXP_J, less, q, wrt, 1, &g, NULL);
    suite_failed(device, DP_ERROR_ARGUMENT, "args");
    dp_pairwise_gradient(device, "a1[i] * a1[j]", DP_MAX_J, full, NULL, wrt, 1, &g, NULL);
    suite_failed(device, DP_ERROR_ARGUMENT, "args");
    dp_pairwise_softmax_gradient(device, "a1[i] * a1[j]", "a1[i]", DP_SUM_J, less, NULL, wrt, 1, &g, NULL);
    suite_failed(device, DP_ERROR_ARGUMENT, "args");
}

static void wrong(dp_device *device)
{
    static const char *const wrt[] = {"x"};
    dp_tensor *x = suite_range(device, DP_SHAPE(4, 2)), *q = suite_range(device, DP_SHAPE(4)), *g = x;
    const dp_args args = DP_ARGS({"x", x, 0}, {"q", q, 0});
    assert_int_equal(dp_pairwise_gradient(device, "q[i] * q[j]", DP_ARGMAX_J, args, NULL, wrt, 1, &g, NULL),
                     DP_ERROR_ARGUMENT);
    assert_null(g);
    suite_failed(device, DP_ERROR_ARGUMENT, "argmax");
    dp_pairwise_gradient(device, "q[i] * q[j]", DP_MAX_ALL, args, NULL, wrt, 1, &g, NULL);
    suite_failed(device, DP_ERROR_ARGUMENT, "max over all");
    dp_pairwise_gradient(device, "x[i] * x[j]", DP_MIN_J, args, NULL, wrt, 1, &g, NULL);
    suite_failed(device, DP_ERROR_FORMULA, "min");
    assert_null(dp_pairwise_softmax(device, "x[i] * x[j]", "q[j]", DP_SUM_J, args));
    suite_failed(device, DP_ERROR_FORMULA, "score");
    assert_null(dp_pairwise_softmax(device, "q[i]", "x[i]", DP_SUM_J, args));
    suite_failed(device, DP_ERROR_FORMULA, "j");
    assert_null(dp_pairwise_softmax(device, "q[i]", "x[j]", DP_MAX_J, args));
    suite_failed(device, DP_ERROR_ARGUMENT, "mode");
    assert_null(dp_pairwise_softmax(device, "q[i", "x[j]", DP_SUM_J, args));
    suite_failed(device, DP_ERROR_FORMULA, "column");
    assert_null(dp_pairwise_softmax(device, "q[i]", NULL, DP_SUM_J, args));
    suite_failed(device, DP_ERROR_ARGUMENT, "formula");
    dp_pairwise_softmax_gradient(device, "q[i]", "x[j]", DP_SUM_J, args, q, wrt, 1, &g, NULL);
    suite_failed(device, DP_ERROR_ARGUMENT, "cotangent");
    dp_pairwise_softmax_gradient(device, "q[i]", "x[j]", DP_SUM_J, args, NULL, NULL, 1, &g, NULL);
    suite_failed(device, DP_ERROR_ARGUMENT, "wrt");
    crowded(device, x, q);
    suite_works(device);
    dp_tensor_release(&x);
    dp_tensor_release(&q);
}

int main(void)
{
    static const suite_test tests[] = {{"log-sum-exp", logsumexp},
                                       {"max and min", extremes},
                                       {"softmax", softmax},
                                       {"variants", variants},
                                       {"ties", ties},
                                       {"minus infinity", minus_infinity},
                                       {"wrong", wrong}};
    return suite_run("reductions", tests, sizeof tests / sizeof *tests);
}
