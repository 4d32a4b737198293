/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of pairwise sums on every device: against central differences of the value on the reference, in which each
 * element is moved by a power of two, and against the closed form of a potential. */
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N 7
#define M 5
#define D 3

typedef struct problem {
    const char *formula;
    unsigned mode;
    bool same; /* y is x */
} problem;

static float number(uint32_t k)
{
    k ^= k >> 16, k *= 0x7feb352du, k ^= k >> 15, k *= 0x846ca68bu, k ^= k >> 16;
    return (float)(k >> 8) / 8388608.0f - 1.0f;
}

static void fill(float *values, int count, uint32_t seed)
{
    for (int k = 0; k < count; k++)
        values[k] = number(seed + (uint32_t)k);
}

typedef struct inputs {
    float x[N * D], y[M * D], q[M], w[D], cotangent[N];
} inputs;

/* The sum of cotangent * value, from the device's f32 results. */
static double loss(dp_device *device, const problem *p, const inputs *in)
{
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(N, D), in->x), *y = dp_from(device, DP_F32, DP_SHAPE(M, D), in->y);
    dp_tensor *q = dp_from(device, DP_F32, DP_SHAPE(M), in->q), *w = dp_from(device, DP_F32, DP_SHAPE(D), in->w);
    const dp_args args = DP_ARGS({"x", x, 0}, {"y", p->same ? x : y, 0}, {"q", q, 0}, {"w", w, 0},
                                 {.name = "s", .scalar = 0.75});
    dp_tensor *result = dp_pairwise(device, p->formula, p->mode, args);
    float values[N] = {0};
    const size_t size = (size_t)dp_tensor_size(result);
    assert_true(size == 1 || size == N);
    assert_int_equal(dp_read(result, values, size * sizeof *values), DP_OK);
    double total = 0;
    for (size_t k = 0; k < size; k++)
        total += (double)in->cotangent[k] * (double)values[k];
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    dp_tensor_release(&q);
    dp_tensor_release(&w);
    dp_tensor_release(&result);
    return total;
}

static void compare(dp_device *reference, const problem *p, inputs *in, float *moved, int count, const float *found)
{
    const float step = 0x1p-7f;
    double largest = 0;
    for (int k = 0; k < count; k++)
        largest = fmax(largest, fabs((double)found[k]));
    for (int k = 0; k < count; k++) {
        const float kept = moved[k];
        double at[4];
        for (int t = 0; t < 4; t++) {
            moved[k] = kept + (float)(t < 2 ? t - 2 : t - 1) * step;
            at[t] = loss(reference, p, in);
        }
        moved[k] = kept;
        const double slope = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * (double)step);
        assert_true(fabs(slope - (double)found[k]) <= 3e-4 * (1 + largest)); /* roundings of f32 values, over the step */
    }
}

static void run(dp_device *device, const problem *p)
{
    static const char *const wrt[] = {"x", "y", "q", "w", "s"};
    dp_device *reference = dp_device_open("ref");
    inputs in;
    fill(in.x, N * D, 100), fill(in.y, M * D, 200), fill(in.q, M, 300), fill(in.w, D, 400);
    for (int k = 0; k < N; k++)
        in.cotangent[k] = 1 + 0.25f * (float)k;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(N, D), in.x), *y = dp_from(device, DP_F32, DP_SHAPE(M, D), in.y);
    dp_tensor *q = dp_from(device, DP_F32, DP_SHAPE(M), in.q), *w = dp_from(device, DP_F32, DP_SHAPE(D), in.w);
    const bool all = (p->mode & DP_OVER_ALL) != 0;
    dp_tensor *cotangent = dp_from(device, DP_F32, all ? DP_SCALAR : DP_SHAPE(N), in.cotangent);
    dp_tensor *gradients[5], *value = NULL, *alone;
    const dp_args args = DP_ARGS({"x", x, 0}, {"y", p->same ? x : y, 0}, {"q", q, 0}, {"w", w, 0},
                                 {.name = "s", .scalar = 0.75});
    assert_int_equal(dp_pairwise_gradient(device, p->formula, p->mode, args, cotangent, wrt, 5, gradients, &value), DP_OK);
    float gx[N * D], gy[N * D], gq[M], gw[D];
    assert_int_equal(dp_read(gradients[0], gx, sizeof gx), DP_OK);
    assert_int_equal(dp_read(gradients[1], gy, (size_t)(p->same ? N : M) * D * sizeof *gy), DP_OK);
    assert_int_equal(dp_read(gradients[2], gq, sizeof gq), DP_OK);
    assert_int_equal(dp_read(gradients[3], gw, sizeof gw), DP_OK);
    for (int k = 0; p->same && k < N * D; k++)
        gx[k] += gy[k]; /* two names of one tensor */
    compare(reference, p, &in, in.x, N * D, gx);
    if (!p->same)
        compare(reference, p, &in, in.y, M * D, gy);
    compare(reference, p, &in, in.q, M, gq);
    compare(reference, p, &in, in.w, D, gw);
    alone = dp_pairwise(device, p->formula, p->mode, args);
    float both[2][N];
    const size_t bytes = (size_t)dp_tensor_size(alone) * sizeof(float);
    assert_int_equal(dp_read(value, both[0], bytes), DP_OK);
    assert_int_equal(dp_read(alone, both[1], bytes), DP_OK);
    for (size_t k = 0; k < bytes / sizeof(float); k++)
        assert_true(fabsf(both[0][k] - both[1][k]) <= 1e-5f * (1 + fabsf(both[1][k])));
    for (int k = 0; k < 5; k++)
        dp_tensor_release(&gradients[k]);
    dp_device_close(&reference);
}

static void sums(dp_device *device)
{
    run(device, &(problem){"q[j] * rsqrt(sqdist(x[i], y[j]) + s^2) + dot(w, x[i])", DP_SUM_J, false});
    run(device, &(problem){"exp(-s * sqdist(x[i], w * y[j])) * q[j]", DP_SUM_ALL, false});
}

static void means(dp_device *device)
{
    run(device, &(problem){"tanh(dot(x[i], y[j]) + s) * sigmoid(q[j]) + sum(w)", DP_MEAN_J, false});
    run(device, &(problem){"log(1 + sqdist(x[i], y[j])) * q[j] * norm(w)", DP_MEAN_ALL, false});
}

/* The forces on charges, and none on a charge by itself; the other side has as many points as it has. */
static void forces(dp_device *device)
{
    static const char *const wrt[] = {"x"};
    float x[N * D], q[N], found[N * D];
    fill(x, N * D, 1), fill(q, N, 2);
    dp_tensor *tx = dp_from(device, DP_F32, DP_SHAPE(N, D), x), *tq = dp_from(device, DP_F32, DP_SHAPE(N), q), *g;
    assert_int_equal(dp_pairwise_gradient(device, "0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + 0.01)",
                                          DP_SUM_ALL | DP_EXCLUDE_SELF, DP_ARGS({"x", tx, 0}, {"q", tq, 0}), NULL, wrt, 1,
                                          &g, NULL),
                     DP_OK);
    assert_int_equal(dp_read(g, found, sizeof found), DP_OK);
    for (int i = 0; i < N; i++) {
        double force[D] = {0};
        for (int j = 0; j < N; j++) {
            double r2 = 0.01;
            for (int c = 0; c < D; c++)
                r2 += pow((double)x[i * D + c] - (double)x[j * D + c], 2);
            for (int c = 0; c < D; c++)
                force[c] -= (double)q[i] * (double)q[j] * pow(r2, -1.5) * ((double)x[i * D + c] - (double)x[j * D + c]);
        }
        for (int c = 0; c < D; c++)
            assert_true(fabs(force[c] - (double)found[i * D + c]) <= 1e-5 * (1 + fabs(force[c])));
    }
}

static void wrong(dp_device *device)
{
    static const char *const unknown[] = {"z"}, *const known[] = {"x"};
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(4), 1), *g = x;
    const dp_args args = DP_ARGS({"x", x, 0});
    assert_int_equal(dp_pairwise_gradient(device, "x[i] * x[j]", DP_SUM_J, args, NULL, unknown, 1, &g, NULL), DP_ERROR_ARGUMENT);
    assert_null(g);
    assert_non_null(strstr(dp_message(device), "\"z\""));
    dp_clear(device);
    assert_int_equal(dp_pairwise_gradient(device, "x[i] * x[j]", DP_ARGMAX_J, args, NULL, known, 1, &g, NULL), DP_ERROR_ARGUMENT);
    dp_clear(device);
    dp_tensor *short_one = dp_full(device, DP_F32, DP_SHAPE(3), 1);
    assert_int_equal(dp_pairwise_gradient(device, "x[i] * x[j]", DP_SUM_J, args, short_one, known, 1, &g, NULL), DP_ERROR_ARGUMENT);
    dp_clear(device);
    assert_int_equal(dp_pairwise_gradient(device, "x[i] * x[j]", DP_SUM_J, args, NULL, known, -1, &g, NULL), DP_ERROR_ARGUMENT);
    dp_clear(device);
}

int main(void)
{
    static const suite_test tests[] = {{"sums", sums}, {"means", means}, {"forces", forces}, {"wrong", wrong}};
    return suite_run("gradient", tests, sizeof tests / sizeof *tests);
}
