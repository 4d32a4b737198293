/* SPDX-License-Identifier: Apache-2.0 */
/* EIEG on every device: golden values and gradients of the metric, both losses and the flow, to 1e-5 of the terms of a value and of the
 * largest component of a gradient (1e-4 in three dimensions, which are steep); and what holds for all points. */
#include "golden_metric.h"
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N 5
#define M 6
#define MOST_D 3

/* A number in [-1, 1), a multiple of 2^-23. */
static float number(uint32_t seed, uint32_t t)
{
    uint32_t k = t + seed * 0x9E3779B9u;
    k ^= k >> 16, k *= 0x7feb352du, k ^= k >> 15, k *= 0x846ca68bu, k ^= k >> 16;
    return (float)(k >> 8) / 8388608.0f - 1.0f;
}

static dp_shape shape_of(int rows, int d)
{
    return d == 1 ? DP_SHAPE(rows) : DP_SHAPE(rows, d);
}

static dp_tensor *points_x(dp_device *device, int d)
{
    float x[N * MOST_D];
    for (int t = 0; t < N * d; t++)
        x[t] = number(d == 1 ? 25 : 20 + (uint32_t)d, (uint32_t)t);
    for (int c = 0; d > 1 && c < d; c++)
        x[d + c] = x[c] + 0.03125f;
    dp_tensor *tensor = dp_from(device, DP_F32, shape_of(N, d), x);
    assert_int_equal(dp_require_grad(tensor), DP_OK);
    return tensor;
}

static dp_tensor *points_y(dp_device *device, int d)
{
    float y[M * MOST_D];
    for (int t = 0; t < M * d; t++)
        y[t] = d == 1 ? number(26, (uint32_t)t) : 0.5f * number(30 + (uint32_t)d, (uint32_t)t) + 0.25f;
    return dp_from(device, DP_F32, shape_of(M, d), y);
}

static void release(dp_tensor **list, int count)
{
    for (int k = 0; k < count; k++)
        dp_tensor_release(&list[k]);
}

/* Golden values. ------------------------------ */

static void check_entries(const char *name, const dp_tensor *tensor, const golden_gradient *golden, double tolerance)
{
    float values[M * MOST_D];
    const int size = (int)dp_tensor_size(tensor);
    double squares = 0, largest = 0;
    assert_non_null(tensor);
    assert_int_equal(dp_read(tensor, values, (size_t)size * sizeof *values), DP_OK);
    for (int k = 0; k < size; k++) {
        squares += (double)values[k] * (double)values[k];
        largest = fmax(largest, fabs((double)values[k]));
    }
    if (!(fabs(sqrt(squares) - golden->norm) <= tolerance * golden->norm))
        fail_msg("%s: |g| is %.9g, not %.9g", name, sqrt(squares), golden->norm);
    for (int k = 0; k < 3; k++)
        if (!(fabs((double)values[k] - golden->first[k]) <= tolerance * largest))
            fail_msg("%s: g[%d] is %.9g, not %.9g", name, k, (double)values[k], golden->first[k]);
}

static double norm2(const float *x, int n)
{
    double sum = 0;
    for (int t = 0; t < n; t++)
        sum += (double)x[t] * (double)x[t];
    return sum;
}

typedef dp_tensor *call(dp_device *device, const dp_tensor *x, const dp_tensor *y, const dp_eieg_params *params);

typedef struct golden_case {
    const char *name;
    call *call;
    dp_eieg_params params;
    const golden_metric *golden[2]; /* in two and in three dimensions */
    bool both;                      /* a gradient to y is known */
} golden_case;

static const golden_case cases[] = {
    {"V", dp_eieg_metric, {.s = 0}, {&golden_eieg_v_n2, &golden_eieg_v_n3}, true},
    {"generator", dp_eieg_generator_loss, {.s = 0}, {&golden_eieg_g_n2, &golden_eieg_g_n3}, false},
    {"stabiliser C", dp_eieg_discriminator_loss, {.s = 0}, {&golden_eieg_d_stabc_n2, &golden_eieg_d_stabc_n3}, true},
    {"U", dp_eieg_metric, {.estimator = DP_ESTIMATOR_U}, {&golden_eieg_u_n2, &golden_eieg_u_n3}, true},
    {"V with diagonal", dp_eieg_metric, {.estimator = DP_ESTIMATOR_V_DIAGONAL}, {&golden_eieg_vdiag_n2, &golden_eieg_vdiag_n3}, true},
    {"stabiliser A", dp_eieg_discriminator_loss, {.stabiliser = DP_EIEG_STABILISER_A},
     {&golden_eieg_d_staba_n2, &golden_eieg_d_staba_n3}, true},
    {"stabiliser B", dp_eieg_discriminator_loss, {.stabiliser = DP_EIEG_STABILISER_B},
     {&golden_eieg_d_stabb_n2, &golden_eieg_d_stabb_n3}, true},
};

static void check_case(dp_device *device, const char *name, call *function, const dp_eieg_params *params, int d,
                       const golden_metric *golden, bool both, double tolerance)
{
    dp_tensor *x = points_x(device, d), *y = points_y(device, d);
    if (both)
        assert_int_equal(dp_require_grad(y), DP_OK);
    dp_tensor *value = function(device, x, y, params);
    suite_ok(device);
    const double found = dp_item(value), size = d == 3 ? 120 : 20; /* the terms' sizes: S_xx, S_yy and twice S_xy */
    if (!(fabs(found - golden->value) <= tolerance * size))
        fail_msg("%s, n = %d: %.9g, not %.9g", name, d, found, golden->value);
    if (golden->x.norm > 0) {
        assert_int_equal(dp_backward(value), DP_OK);
        check_entries(name, dp_grad(x), &golden->x, tolerance);
        if (both && golden->y.norm > 0)
            check_entries(name, dp_grad(y), &golden->y, tolerance);
        assert_true(both || !dp_grad(y));
    }
    release((dp_tensor *[]){x, y, value}, 3);
}

static void golden_values(dp_device *device)
{
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int d = 2; d <= (suite_full(device) || k < 1 ? 3 : 2); d++)
            check_case(device, cases[k].name, cases[k].call, &cases[k].params, d, cases[k].golden[d - 2], cases[k].both,
                       d == 3 ? 1e-4 : 1e-5);
    check_case(device, "logarithm", dp_eieg_metric, NULL, 1, &golden_eieg_log_n1, true, 1e-5);
}

static void flow(dp_device *device)
{
    for (int d = 2; d <= (suite_full(device) ? 3 : 2); d++) {
        dp_tensor *x = points_x(device, d), *y = points_y(device, d), *v;
        v = dp_eieg_flow_velocity(device, x, y, 0, 1, 100, 50);
        suite_ok(device);
        assert_false(dp_requires_grad(v));
        check_entries("flow", v, d == 2 ? &golden_flow_v_n2.x : &golden_flow_v_n3.x, d == 3 ? 1e-4 : 1e-5);
        release((dp_tensor *[]){x, y, v}, 3);
    }
}

/* The velocity over the sum of its weights; and where w underflows. */
static void direction(dp_device *device)
{
    enum { FAR = 256 };
    float v[N * 2], n[N * 2], x[N * 2], y[M * 2];
    dp_tensor *a = points_x(device, 2), *b = points_y(device, 2);
    dp_tensor *velocity = dp_eieg_flow_velocity(device, a, b, 0, 1, 100, 50), *mean = dp_eieg_flow_direction(device, a, b, 0, 1, 100, 50);
    suite_ok(device);
    dp_read(velocity, v, sizeof v);
    dp_read(mean, n, sizeof n);
    dp_read(a, x, sizeof x);
    dp_read(b, y, sizeof y);
    for (int i = 0; i < N; i++) {
        double weight = 0;
        for (int j = 0; j < M; j++)
            weight += 100.0 / M * pow(fmax(hypot((double)(x[2 * i] - y[2 * j]), (double)(x[2 * i + 1] - y[2 * j + 1])), 1), -3);
        for (int j = 0; j < N; j++)
            weight += i == j ? 0 : 50.0 / N * pow(fmax(hypot((double)(x[2 * i] - x[2 * j]), (double)(x[2 * i + 1] - x[2 * j + 1])), 1), -3);
        for (int d = 0; d < 2; d++)
            assert_true(fabs((double)n[2 * i + d] * weight - (double)v[2 * i + d]) <= 1e-4 * weight);
    }
    release((dp_tensor *[]){a, b, velocity, mean}, 4);
    if (!suite_full(device))
        return;
    float *far = calloc(2 * FAR, sizeof *far), w[FAR]; /* one particle, and a near and a far data point */
    assert_non_null(far);
    for (uint32_t t = 0; t < FAR; t++) {
        far[t] = 3 * number(6, t);
        far[FAR + t] = -3 * number(6, t);
    }
    a = dp_full(device, DP_F32, DP_SHAPE(1, FAR), 0);
    far[0] += 1;
    b = dp_from(device, DP_F32, DP_SHAPE(2, FAR), far);
    mean = dp_eieg_flow_direction(device, a, b, 0, 1, 100, 50);
    suite_ok(device);
    dp_read(mean, w, sizeof w);
    const double first = exp(-(FAR + 1) / 2.0 * log1p((1 + 2.0 * ((double)far[0] - 1)) / norm2(far + FAR, FAR))), share = first / (1 + first);
    for (int t = 0; t < FAR; t++)
        assert_true(fabs((double)w[t] - (share * (double)far[t] + (1 - share) * (double)far[FAR + t])) <= 1e-3);
    free(far);
    release((dp_tensor *[]){a, b, mean}, 3);
}

/* Other kernels: golden values of metrics of two and three dimensions that are not close to each other. ------------------------------ */

static void kernels(dp_device *device)
{
    static const struct {
        const char *name;
        dp_eieg_params params;
        const golden_metric *golden;
    } others[] = {{"smooth distance", {.kernel = DP_EIEG_SMOOTH_DIST, .eps = 0.3}, &golden_mmd2_riesz_sdist},
                  {"Plummer", {.kernel = DP_EIEG_PLUMMER, .eps = 0.3}, &golden_mmd2_plummer}};
    for (int k = 0; k < 2; k++) {
        float data[N * 2];
        for (uint32_t t = 0; t < N * 2; t++)
            data[t] = number(22, t);
        dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(N, 2), data), *y = points_y(device, 2);
        dp_require_grad(x);
        dp_require_grad(y);
        dp_tensor *value = dp_eieg_metric(device, x, y, &others[k].params);
        suite_ok(device);
        assert_true(fabs(dp_item(value) - others[k].golden->value) <= 1e-5 * 10);
        dp_backward(value);
        check_entries(others[k].name, dp_grad(x), &others[k].golden->x, 1e-5);
        check_entries(others[k].name, dp_grad(y), &others[k].golden->y, 1e-5);
        release((dp_tensor *[]){x, y, value}, 3);
    }
}

/* Gradients against differences, on the reference: every kernel, exponent and stabiliser, by both ways through the pairs. */

typedef struct form {
    call *call;
    dp_eieg_params params;
} form;

static dp_tensor *of_both(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    const form *f = context;
    dp_tensor *y = count == 1 ? points_y(device, 2) : dp_tensor_retain(x[1]);
    dp_tensor *value = f->call(device, x[0], y, &f->params);
    dp_tensor_release(&y);
    return value;
}

static void gradients(dp_device *device)
{
    static const form forms[] = {
        {dp_eieg_generator_loss, {.eps = 0.3}},
        {dp_eieg_generator_loss, {.eps = 0.3, .no_self = true, .scaled = true, .length = 0.3}},
        {dp_eieg_generator_loss, {.s = 2.5, .eps = 0.4, .kernel = DP_EIEG_SMOOTH_DIST}},
        {dp_eieg_metric, {.s = 0.5, .kernel = DP_EIEG_PLUMMER, .eps = 0.5, .estimator = DP_ESTIMATOR_U}},
        {dp_eieg_discriminator_loss, {.eps = 0.3, .lambda = 2, .stabilise_generated = true}},
        {dp_eieg_discriminator_loss, {.eps = 0.3, .stabiliser = DP_EIEG_STABILISER_A, .scaled = true, .length = 1.5}},
        {dp_eieg_discriminator_loss, {.eps = 0.3, .stabiliser = DP_EIEG_STABILISER_B, .stabilise_generated = true}},
        {dp_eieg_discriminator_loss, {.eps = 0.3, .stabiliser = DP_EIEG_STABILISER_NONE}},
    };
    if (!suite_full(device))
        return;
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
        for (int count = 1; count <= 2; count++) {
            dp_grad_check_result r;
            dp_tensor *x[2] = {points_x(device, 2), points_y(device, 2)};
            assert_int_equal(dp_grad_check(of_both, (void *)&forms[k], x, count, 1, 0, 0, &r), DP_OK);
            if (!(r.worst <= 1))
                fail_msg("form %d of %d sets: argument %d, element %d: %.9g, by differences %.9g +- %.3g", (int)k, count,
                         r.argument, (int)r.element, r.gradient, r.difference, r.allowed);
            release(x, 2);
        }
}

/* What holds for all points. ------------------------------ */

typedef struct measured {
    double value, x[N * 2], y[M * 2];
} measured;

/* A metric and its gradients of points given. */
static measured measure(dp_device *device, const double *x, int n, const double *y, int m, const dp_eieg_params *params)
{
    float data[2][M * 2], g[M * 2];
    measured result = {0};
    for (int t = 0; t < 2 * n; t++)
        data[0][t] = (float)x[t];
    for (int t = 0; t < 2 * m; t++)
        data[1][t] = (float)y[t];
    dp_tensor *a = dp_from(device, DP_F32, DP_SHAPE(n, 2), data[0]), *b = dp_from(device, DP_F32, DP_SHAPE(m, 2), data[1]);
    dp_require_grad(a);
    dp_require_grad(b);
    dp_tensor *value = dp_eieg_metric(device, a, b, params);
    suite_ok(device);
    result.value = dp_item(value);
    assert_int_equal(dp_backward(value), DP_OK);
    dp_read(dp_grad(a), g, sizeof *g * 2 * (size_t)n);
    for (int t = 0; t < 2 * n; t++)
        result.x[t] = (double)g[t];
    dp_read(dp_grad(b), g, sizeof *g * 2 * (size_t)m);
    for (int t = 0; t < 2 * m; t++)
        result.y[t] = (double)g[t];
    release((dp_tensor *[]){a, b, value}, 3);
    return result;
}

static void properties(dp_device *device)
{
    double x[N * 2], y[M * 2], turned[N * 2], turned_y[M * 2], grown[N * 2], grown_y[M * 2], moved[N * 2];
    for (uint32_t t = 0; t < N * 2; t++)
        x[t] = (double)number(22, t);
    for (uint32_t t = 0; t < M * 2; t++)
        y[t] = 0.5 * (double)number(32, t) + 0.25;
    const dp_eieg_params p = {.eps = 0.3}, with = {.eps = 0.3, .estimator = DP_ESTIMATOR_V_DIAGONAL};
    const measured e = measure(device, x, N, y, M, &p);
    const double size = 20; /* of the terms, and of the gradients' */

    const measured same = measure(device, x, N, x, N, &with);
    assert_true(fabs(same.value) <= 1e-5 * size);
    for (int t = 0; t < N * 2; t++)
        assert_true(fabs(same.x[t]) <= 1e-5 * size);

    double total[2] = {0, 0};
    for (int t = 0; t < N * 2; t++)
        total[t % 2] += e.x[t];
    for (int t = 0; t < M * 2; t++)
        total[t % 2] += e.y[t];
    assert_true(fabs(total[0]) <= 1e-5 * size && fabs(total[1]) <= 1e-5 * size);

    /* A rotation and another order; then twice as large with the cut-off. */
    const double c = cos(0.7), s = sin(0.7);
    for (int k = 0; k < N; k++) {
        const double *from = x + 2 * ((k + 2) % N);
        turned[2 * k] = c * from[0] - s * from[1];
        turned[2 * k + 1] = s * from[0] + c * from[1];
    }
    for (int k = 0; k < M; k++) {
        const double *from = y + 2 * (M - 1 - k);
        turned_y[2 * k] = c * from[0] - s * from[1];
        turned_y[2 * k + 1] = s * from[0] + c * from[1];
    }
    assert_true(fabs(measure(device, turned, N, turned_y, M, &p).value - e.value) <= 1e-5 * size);
    for (int t = 0; t < M * 2; t++)
        grown_y[t] = 2 * y[t];
    for (int t = 0; t < N * 2; t++)
        grown[t] = 2 * x[t];
    const dp_eieg_params wider = {.eps = 0.6};
    assert_true(fabs(2 * measure(device, grown, N, grown_y, M, &wider).value - e.value) <= 1e-5 * size);

    double square = 0;
    for (int t = 0; t < N * 2; t++) {
        moved[t] = x[t] - 1e-3 * e.x[t];
        square += e.x[t] * e.x[t];
    }
    const double change = measure(device, moved, N, y, M, &p).value - e.value;
    assert_true(change < 0 && fabs(change + 1e-3 * square) <= 0.2 * 1e-3 * square);
}

/* The lattice whose energy is negative by the capped kernel, which is not positive definite; by Plummer's it is not. */
static void definiteness(dp_device *device)
{
    float x[32 * 3], y[32 * 3];
    int count[2] = {0, 0};
    if (!suite_full(device))
        return;
    for (int site = 0; site < 64; site++) {
        const int a = site / 16, b = site / 4 % 4, c = site % 4, odd = (a + b + c) % 2;
        float *to = (odd ? y : x) + 3 * count[odd]++;
        to[0] = 0.85f * (float)a;
        to[1] = 0.85f * (float)b;
        to[2] = 0.85f * (float)c;
    }
    dp_eieg_params p = {.eps = 1, .estimator = DP_ESTIMATOR_V_DIAGONAL};
    dp_tensor *a = dp_from(device, DP_F32, DP_SHAPE(32, 3), x), *b = dp_from(device, DP_F32, DP_SHAPE(32, 3), y);
    dp_tensor *capped = dp_eieg_metric(device, a, b, &p);
    suite_ok(device);
    assert_true(fabs(dp_item(capped) - -0.03757) <= 1e-5);
    p.kernel = DP_EIEG_PLUMMER;
    dp_tensor *plummer = dp_eieg_metric(device, a, b, &p);
    assert_true(dp_item(plummer) > 0);
    release((dp_tensor *[]){a, b, capped, plummer}, 4);
}

/* Wrong arguments. ------------------------------ */

/* Reads both tensors and tells how far they are apart, relative to the largest; takes both over. */
static double apart(dp_tensor *a, dp_tensor *b)
{
    float x[64], y[64];
    double most = 0, largest = 1e-30;
    const int64_t n = dp_tensor_size(a);
    assert_non_null(a);
    assert_true(n == dp_tensor_size(b) && n <= 64);
    assert_int_equal(dp_read(a, x, (size_t)n * sizeof *x), DP_OK);
    assert_int_equal(dp_read(b, y, (size_t)n * sizeof *y), DP_OK);
    for (int64_t t = 0; t < n; t++) {
        most = fmax(most, fabs((double)x[t] - (double)y[t]));
        largest = fmax(largest, fabs((double)x[t]));
    }
    release((dp_tensor *[]){a, b}, 2);
    return most / largest;
}

/* The discriminator's loss of features in one tensor is that of two; a cut-off on the device is that of the host; attraction is a factor of
 * S_gr. */
static void variants(dp_device *device)
{
    const dp_eieg_params p = {.eps = 0.25};
    dp_tensor *f = points_x(device, 2), *g = points_y(device, 2);
    const int64_t n = dp_tensor_shape(f).dim[0], m = dp_tensor_shape(g).dim[0];
    dp_tensor *both = dp_empty(device, DP_F32, DP_SHAPE(n + m, 2)), *part[] = {dp_slice(both, 0, 0, n, 1), dp_slice(both, 0, n, n + m, 1)};
    dp_map_into(device, "x", DP_ARGS({"x", f}), &part[0], 1);
    dp_map_into(device, "x", DP_ARGS({"x", g}), &part[1], 1);
    dp_tensor *x[] = {f, g}, *apart_gradients[2], *gradient = NULL;
    for (int k = 0; k < 2; k++)
        dp_require_grad(x[k]);
    dp_require_grad(both);
    dp_tensor *two = dp_eieg_discriminator_loss(device, f, g, &p), *one = dp_eieg_discriminator_loss_of(device, both, n, &p);
    assert_int_equal(dp_gradients(two, NULL, x, 2, 0, apart_gradients), DP_OK);
    assert_int_equal(dp_gradients(one, NULL, &both, 1, 0, &gradient), DP_OK);
    assert_true(apart(two, one) == 0);
    assert_true(apart(apart_gradients[0], dp_slice(gradient, 0, 0, n, 1)) == 0);
    assert_true(apart(apart_gradients[1], dp_slice(gradient, 0, n, n + m, 1)) == 0);
    dp_tensor *eps = dp_full(device, DP_F32, DP_SHAPE(1), 0.25);
    assert_true(apart(dp_eieg_generator_loss(device, f, g, &p),
                      dp_eieg_generator_loss(device, f, g, &(dp_eieg_params){.eps_tensor = eps})) <= 4 * 0x1p-23);
    const double own = dp_item(dp_eieg_generator_loss(device, f, g, &(dp_eieg_params){.eps = 0.25, .attraction = 1e-6}));
    const double whole = dp_item(dp_eieg_generator_loss(device, f, g, &p));
    const double more = dp_item(dp_eieg_generator_loss(device, f, g, &(dp_eieg_params){.eps = 0.25, .attraction = 1.5}));
    assert_true(fabs(more - (own + 1.5 * (whole - own))) <= 1e-5 * fabs(own)); /* 1e-6 of the attraction is in `own` */
    assert_null(dp_eieg_discriminator_loss_of(device, both, n + m, &p));
    suite_failed(device, DP_ERROR_ARGUMENT, "real is");
    dp_tensor *pair = dp_full(device, DP_F32, DP_SHAPE(2), 1);
    assert_null(dp_eieg_generator_loss(device, f, g, &(dp_eieg_params){.eps_tensor = pair}));
    suite_failed(device, DP_ERROR_ARGUMENT, "eps_tensor");
    release((dp_tensor *[]){f, g, both, part[0], part[1], gradient, eps, pair}, 8);
}

static void refused(dp_device *device, dp_tensor *result, const char *word)
{
    assert_null(result);
    suite_failed(device, DP_ERROR_ARGUMENT, word);
}

static void wrong(dp_device *device)
{
    static const struct {
        dp_eieg_params params;
        const char *word;
    } params[] = {{{.s = -1}, "s is -1"},
                  {{.s = NAN}, "s is"},
                  {{.eps = -0.1}, "eps is -0.1"},
                  {{.eps_stab = INFINITY}, "eps_stab is"},
                  {{.lambda = 1e20}, "lambda is"},
                  {{.scaled = true, .length = -1}, "length is"},
                  {{.scaled = true, .s = 2, .estimator = DP_ESTIMATOR_V_DIAGONAL}, "length is 0"},
                  {{.kernel = 3}, "kernel is 3"},
                  {{.stabiliser = (dp_eieg_stabiliser)-1}, "stabiliser is -1"},
                  {{.estimator = 7}, "estimator is 7"},
                  {{.s = 60}, "range of f32"}};
    dp_tensor *x = points_x(device, 2), *y = points_y(device, 2), *three = points_y(device, 3), *line = points_y(device, 1),
              *one = dp_slice(y, 0, 0, 1, 1), *none = dp_slice(y, 0, 0, 0, 1), *whole = dp_full(device, DP_I32, DP_SHAPE(2, 2), 1);
    for (size_t k = 0; k < sizeof params / sizeof *params; k++)
        refused(device, dp_eieg_discriminator_loss(device, x, y, &params[k].params), params[k].word);
    refused(device, dp_eieg_metric(device, x, three, NULL), "dimension");
    refused(device, dp_eieg_metric(device, x, line, NULL), "dimension");
    refused(device, dp_eieg_generator_loss(device, none, y, NULL), "g has shape");
    refused(device, dp_eieg_generator_loss(device, whole, y, NULL), "g");
    refused(device, dp_eieg_metric(device, x, one, &(dp_eieg_params){.estimator = DP_ESTIMATOR_U}), "two points");
    refused(device, dp_eieg_flow_velocity(device, x, y, 0, 0, NAN, 1), "attraction");
    refused(device, dp_eieg_flow_velocity(device, x, three, 0, 0, 1, 1), "dimension");
    assert_null(dp_eieg_metric(NULL, x, y, NULL));
    dp_tensor *value = dp_eieg_metric(device, x, y, NULL), *gradient = NULL;
    assert_int_equal(dp_gradients(value, NULL, &x, 1, DP_GRADIENT_RECORD, &gradient), DP_ERROR_UNSUPPORTED);
    assert_null(gradient);
    suite_failed(device, DP_ERROR_UNSUPPORTED, "first derivatives only");
    release((dp_tensor *[]){x, y, three, line, one, none, whole, value}, 8);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {{"golden values", golden_values}, {"flow", flow}, {"flow direction", direction}, {"kernels", kernels}, {"gradients", gradients}, {"properties", properties}, {"variants", variants},
                                       {"definiteness", definiteness},
                                       {"wrong arguments", wrong}};
    return suite_run("eieg", tests, sizeof tests / sizeof *tests);
}
