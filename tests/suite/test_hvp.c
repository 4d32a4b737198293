/* SPDX-License-Identifier: Apache-2.0 */
/* Second derivatives along a direction, on every device: against the closed form of a potential, and against central
 * differences of the gradient on the reference, along the direction and in steps of a power of two. */
#include "suite.h"

#include <math.h>
#include <string.h>

#define N 6
#define M 5
#define D 2

static float number(uint32_t k)
{
    k ^= k >> 16, k *= 0x7feb352du, k ^= k >> 15, k *= 0x846ca68bu, k ^= k >> 16;
    return (float)(k >> 8) / 8388608.0f - 1.0f;
}

/* Rounded so that a few steps along them are exact. */
static void fill(float *values, int count, uint32_t seed)
{
    for (int k = 0; k < count; k++)
        values[k] = roundf(64 * number(seed + (uint32_t)k)) / 64;
}

typedef struct inputs {
    float x[N * D], y[M * D], q[M], w[D];
} inputs;

typedef struct problem {
    const char *formula;
    unsigned mode;
    const char *wrt;
    int which; /* of x, y, q, w */
    bool self; /* only x */
} problem;

static const int sizes[4] = {N * D, M * D, M, D};

static float *moved(inputs *in, int which)
{
    float *const list[] = {in->x, in->y, in->q, in->w};
    return list[which];
}

static dp_tensor *upload(dp_device *device, const inputs *in, int which)
{
    const dp_shape shapes[] = {DP_SHAPE(N, D), DP_SHAPE(M, D), DP_SHAPE(M), DP_SHAPE(D)};
    return dp_from(device, DP_F32, shapes[which], moved((inputs *)in, which));
}

/* The gradient on the device, or with a direction the Hessian times that. */
static void evaluate(dp_device *device, const problem *p, const inputs *in, const float *direction, float *result)
{
    dp_tensor *t[4], *found = NULL;
    for (int k = 0; k < 4; k++)
        t[k] = upload(device, in, k);
    const dp_args args = p->self ? DP_ARGS({"x", t[0], 0}, {.name = "s", .scalar = 0.75})
                                 : DP_ARGS({"x", t[0], 0}, {"y", t[1], 0}, {"q", t[2], 0}, {"w", t[3], 0},
                                           {.name = "s", .scalar = 0.75});
    if (direction) {
        dp_tensor *v = dp_from(device, DP_F32, dp_tensor_shape(t[p->which]), direction);
        found = dp_pairwise_hvp(device, p->formula, p->mode, args, p->wrt, v);
        dp_tensor_release(&v);
    } else {
        dp_pairwise_gradient(device, p->formula, p->mode, args, NULL, &p->wrt, 1, &found, NULL);
    }
    suite_ok(device);
    assert_int_equal(dp_read(found, result, (size_t)sizes[p->which] * sizeof *result), DP_OK);
    dp_tensor_release(&found);
    for (int k = 0; k < 4; k++)
        dp_tensor_release(&t[k]);
}

static void run(dp_device *device, const problem *p, bool coincident)
{
    const float step = 0x1p-6f;
    dp_device *reference = dp_device_open("ref");
    inputs in;
    float direction[N * D], found[N * D], gradient[4][N * D];
    const int size = sizes[p->which];
    fill(in.x, N * D, 100), fill(in.y, M * D, 200), fill(in.q, M, 300), fill(in.w, D, 400), fill(direction, N * D, 500);
    for (int c = 0; coincident && c < D; c++)
        in.x[D + c] = in.x[c];
    evaluate(device, p, &in, direction, found);
    for (int t = 0; t < 4; t++) {
        inputs at = in;
        for (int k = 0; k < size; k++)
            moved(&at, p->which)[k] += (float)(t < 2 ? t - 2 : t - 1) * step * direction[k];
        evaluate(reference, p, &at, NULL, gradient[t]);
    }
    double largest = 0;
    for (int k = 0; k < size; k++)
        largest = fmax(largest, fabs((double)found[k]));
    assert_true(largest > 1e-3);
    for (int k = 0; k < size; k++) {
        const double slope = ((double)gradient[0][k] - 8 * (double)gradient[1][k] + 8 * (double)gradient[2][k] -
                              (double)gradient[3][k]) / (12 * (double)step);
        if (!(fabs(slope - (double)found[k]) <= 3e-4 * largest)) /* roundings of f32 gradients, over the step */
            fail_msg("%s: %s[%d] is %.9g, not %.9g", p->formula, p->wrt, k, (double)found[k], slope);
    }
    dp_device_close(&reference);
}

/* Arguments on one side, the other and of the call, vectors and scalars, every reduction. */
static void one_side(dp_device *device)
{
    static const char text[] = "q[j]^3 * rsqrt(sqdist(x[i], w * y[j]) + s^2) + exp(q[j] * dot(w, x[i]))";
    run(device, &(problem){text, DP_SUM_J, "x", 0, false}, false);
    run(device, &(problem){text, DP_SUM_I, "q", 2, false}, false);
    if (!strcmp(dp_device_get_info(device).backend, "ref")) /* elsewhere it has nothing that q has not */
        run(device, &(problem){text, DP_MEAN_J, "y", 1, false}, false);
    run(device, &(problem){text, DP_MEAN_ALL, "w", 3, false}, false);
}

/* One argument on both sides: symmetric, with coincident points and each point's pair with itself, and not symmetric. */
static void both_sides(dp_device *device)
{
    run(device, &(problem){"rsqrt(sqdist(x[i], x[j]) + s^2)", DP_SUM_ALL, "x", 0, true}, true);
    run(device, &(problem){"z = s * norm(x[i] - x[j]); (1 + z + z^2 / 3) * exp(-z)", DP_MEAN_ALL | DP_EXCLUDE_SELF, "x", 0,
                           true}, false);
    run(device, &(problem){"tanh(dot(x[i], x[j])) * x[i][0]", DP_SUM_J, "x", 0, true}, true);
}

/* A pair's part is 2 f' dv + 4 f'' d <d, dv> with t = |d|^2, d = x_i - x_j, dv = v_i - v_j; here f = exp(-t / 2). */
static void closed_form(dp_device *device)
{
    float x[N * D], v[N * D], found[N * D];
    fill(x, N * D, 1), fill(v, N * D, 50);
    x[D] = x[0], x[D + 1] = x[1];
    dp_tensor *tx = dp_from(device, DP_F32, DP_SHAPE(N, D), x), *tv = dp_from(device, DP_F32, DP_SHAPE(N, D), v);
    dp_potential_call p;
    assert_int_equal(dp_potential_prepare(device, "gaussian", DP_ARGS({"x", tx, 0}, {"y", tx, 0}), &p), DP_OK);
    dp_tensor *h = dp_pairwise_hvp(device, "exp(-0.5 * sqdist(x[i], x[j]))", DP_SUM_ALL, DP_ARGS({"x", tx, 0}), "x", tv);
    dp_tensor *one = dp_pairwise_hvp(device, p.formula, DP_SUM_ALL, p.args, "x", tv); /* y keeps still */
    for (int both = 0; both < 2; both++) {
        assert_int_equal(dp_read(both ? h : one, found, sizeof found), DP_OK);
        for (int i = 0; i < N; i++) {
            double sum[D] = {0}, size = 0;
            for (int j = 0; j < N; j++) {
                double d[D], dv[D], t = 0, along = 0;
                for (int c = 0; c < D; c++) {
                    d[c] = (double)x[i * D + c] - (double)x[j * D + c];
                    dv[c] = (double)v[i * D + c] - (both ? (double)v[j * D + c] : 0);
                    t += d[c] * d[c];
                    along += d[c] * dv[c];
                }
                const double f = exp(-t / 2) * (both ? 2 : 1); /* both: the pairs (i, j) and (j, i) */
                for (int c = 0; c < D; c++) {
                    sum[c] += -f * dv[c] + f * d[c] * along;
                    size += fabs(f * dv[c]) + fabs(f * d[c] * along);
                }
            }
            for (int c = 0; c < D; c++)
                assert_true(fabs(sum[c] - (double)found[i * D + c]) <= 2e-6 * size);
        }
    }
    dp_tensor *list[] = {tx, tv, h, one};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

static void wrong(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(3)), *v = suite_range(device, DP_SHAPE(4)),
              *none = dp_empty(device, DP_F32, DP_SHAPE(0));
    const dp_args args = DP_ARGS({"x", x, 0}, {.name = "s", .scalar = 2});
    assert_null(dp_pairwise_hvp(device, "x[i] * x[j]", DP_SUM_J, args, "z", x));
    suite_failed(device, DP_ERROR_ARGUMENT, "\"z\"");
    assert_null(dp_pairwise_hvp(device, "x[i] * x[j]", DP_SUM_J, args, NULL, x));
    suite_failed(device, DP_ERROR_ARGUMENT, "NULL");
    assert_null(dp_pairwise_hvp(device, "x[i] * x[j]", DP_SUM_J, args, "x", v));
    suite_failed(device, DP_ERROR_ARGUMENT, "direction");
    assert_null(dp_pairwise_hvp(device, "x[i] * x[j]", DP_SUM_J, args, "x", NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "direction");
    assert_null(dp_pairwise_hvp(device, "x[i] * x[j]", DP_MAX_J, args, "x", x));
    suite_failed(device, DP_ERROR_ARGUMENT, "mode");
    assert_null(dp_pairwise_hvp(device, "x[i] * x[j", DP_SUM_J, args, "x", x));
    suite_failed(device, DP_ERROR_FORMULA, "column");
    dp_tensor *unused = dp_full(device, DP_F32, DP_SCALAR, 1);
    dp_tensor *zero = dp_pairwise_hvp(device, "x[i] * x[j]", DP_SUM_J, args, "s", unused);
    suite_values(zero, (const double[]){0}, 1);
    dp_tensor *empty = dp_pairwise_hvp(device, "x[i] * x[j]", DP_SUM_J, DP_ARGS({"x", none, 0}), "x", none);
    suite_values(empty, NULL, 0);
    dp_tensor *list[] = {x, v, none, unused, zero, empty};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

int main(void)
{
    static const suite_test tests[] = {{"one side", one_side}, {"both sides", both_sides},
                                       {"closed form", closed_form}, {"wrong", wrong}};
    return suite_run("hvp", tests, sizeof tests / sizeof *tests);
}
