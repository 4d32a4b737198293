/* SPDX-License-Identifier: Apache-2.0 */
/* Every potential with a golden value, as a metric with its gradients, on every device; and the losses made of it.
 * f32's tolerance: 1e-5 of the largest entry of a gradient and of the terms of a value; 1e-4 for steep potentials. */
#include "golden_metric.h"
#include "suite.h"

#include <math.h>
#include <stdio.h>
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

/* `close`: two points of x are near each other. */
static dp_tensor *points_x(dp_device *device, int d, bool close)
{
    float x[N * MOST_D];
    for (int t = 0; t < N * d; t++)
        x[t] = number(d == 1 ? 25 : 20 + (uint32_t)d, (uint32_t)t);
    for (int c = 0; close && c < d; c++)
        x[d + c] = x[c] + 0.03125f;
    return dp_from(device, DP_F32, DP_SHAPE(N, d), x);
}

static dp_tensor *points_y(dp_device *device, int d)
{
    float y[M * MOST_D];
    for (int t = 0; t < M * d; t++)
        y[t] = d == 1 ? number(26, (uint32_t)t) : 0.5f * number(30 + (uint32_t)d, (uint32_t)t) + 0.25f;
    return dp_from(device, DP_F32, DP_SHAPE(M, d), y);
}

static void check_entries(const char *name, const dp_tensor *tensor, const golden_gradient *golden, double tolerance,
                          double factor)
{
    float values[M * MOST_D];
    const size_t size = (size_t)dp_tensor_size(tensor);
    assert_int_equal(dp_read(tensor, values, size * sizeof *values), DP_OK);
    double squares = 0, largest = 0;
    for (size_t k = 0; k < size; k++) {
        const double value = factor * (double)values[k];
        squares += value * value;
        largest = fmax(largest, fabs(value));
    }
    if (!(fabs(sqrt(squares) - golden->norm) <= tolerance * golden->norm))
        fail_msg("%s: |g| is %.9g, not %.9g", name, sqrt(squares), golden->norm);
    for (size_t k = 0; k < 3 && k < size; k++)
        if (!(fabs(factor * (double)values[k] - golden->first[k]) <= tolerance * largest))
            fail_msg("%s: g[%zu] is %.9g, not %.9g", name, k, factor * (double)values[k], golden->first[k]);
}

/* The sum of the absolute values of the parts: what a value's error is measured by. */
static double terms(dp_device *reference, const dp_metric_params *params, int d, bool close)
{
    dp_tensor *x = points_x(reference, d, close), *y = points_y(reference, d);
    const double all[3] = {params->xx, params->yy, params->xy};
    const bool plain = all[0] == 0 && all[1] == 0 && all[2] == 0;
    double sum = 0;
    for (int part = 0; part < 3; part++) {
        dp_metric_params one = *params;
        one.xx = part == 0 ? (plain ? 1 : all[0]) : 0;
        one.yy = part == 1 ? (plain ? 1 : all[1]) : 0;
        one.xy = part == 2 ? (plain ? -2 : all[2]) : 0;
        if (one.xx != 0 || one.yy != 0 || one.xy != 0)
            sum += fabs(dp_item(dp_metric(reference, x, y, &one, 0, NULL)));
    }
    suite_ok(reference);
    return sum;
}

static void check_metric(dp_device *device, const char *name, const dp_metric_params *params, int d, bool close,
                         const golden_metric *golden, double tolerance, double size)
{
    dp_tensor *x = points_x(device, d, close), *y = points_y(device, d);
    const unsigned wanted = close ? DP_METRIC_X | DP_METRIC_Y : DP_METRIC_X; /* more kernels for y */
    dp_metric_gradients g;
    dp_tensor *value = dp_metric(device, x, y, params, wanted, &g);
    suite_ok(device);
    const double found = dp_item(value), error = fabs(found - golden->value);
    if (!(error <= tolerance * size))
        fail_msg("%s: %.9g, not %.9g", name, found, golden->value);
    if (golden->x.norm > 0)
        check_entries(name, g.x, &golden->x, tolerance, 1);
    if (close && golden->y.norm > 0)
        check_entries(name, g.y, &golden->y, tolerance, 1);
    assert_true((g.x != NULL) == ((wanted & DP_METRIC_X) != 0) && (g.y != NULL) == ((wanted & DP_METRIC_Y) != 0));
    dp_tensor *list[] = {x, y, value, g.x, g.y};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

#define PARAMETERS(...) .args = DP_ARGS(__VA_ARGS__)

/* A potential, its parameters as definitions, and what it is worth. */
typedef struct potential_case {
    const char *name, *parameters;
    const golden_metric *golden;
    double tolerance;
} potential_case;

static const potential_case cases[] = {
    {"riesz_smooth", "s = 1; eps = 0.3; ", &golden_mmd2_riesz_sdist, 1e-5},
    {"plummer", "s = 1; eps = 0.3; ", &golden_mmd2_plummer, 1e-5},
    {"coulomb", "c = 1; eps = 0.3; ", &golden_mmd2_plummer, 1e-5},
    {"log", "eps = 0.3; ", &golden_mmd2_log_soft, 1e-5},
    {"energy", "b = 1; eps = 0.001; ", &golden_mmd2_energy, 1e-5},
    {"gaussian", "sigma = 0.7; ", &golden_mmd2_gauss, 1e-5},
    {"laplace", "sigma = 0.7; ", &golden_mmd2_laplace, 1e-5},
    {"inverse_multiquadric", "b = 0.5; c = 0.6; ", &golden_mmd2_imq, 1e-5},
    {"rational_quadratic", "a = 1.5; l = 0.7; ", &golden_mmd2_rq, 1e-5},
    {"student_t", "nu = 1; ", &golden_mmd2_student, 1e-5},
    {"matern32", "l = 0.7; ", &golden_mmd2_matern32, 1e-5},
    {"matern52", "l = 0.7; ", &golden_mmd2_matern52, 1e-5},
    {"wendland_c2", "R = 1.3; ", &golden_mmd2_wendland_c2, 1e-5},
    {"parabola", "R = 1.3; ", &golden_mmd2_epan, 1e-5},
    {"yukawa", "kappa = 1.2; eps = 0.3; ", &golden_mmd2_yukawa_soft, 1e-5},
    {"lennard_jones", "epsilon = 0.1; sigma = 0.05; cut = 0.02; ", &golden_mmd2_lennard_jones, 1e-4},
};
enum { CASES = sizeof cases / sizeof *cases };

/* Appends a text, the words that it defines with "_<k>" behind them: they are those that no bracket follows or closes. */
static void append(char *all, size_t size, const char *text, int k)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.";
    size_t used = strlen(all);
    while (*text) {
        const size_t word = strspn(text, letters), length = word ? word : 1;
        const bool ours = word && !strchr("0123456789.", *text) && !(text[word] && strchr("([]", text[word]));
        used += (size_t)snprintf(all + used, size - used, ours ? "%.*s_%d" : "%.*s", (int)length, text, k);
        assert_true(used < size);
        text += length;
    }
}

/* All of them as one formula, pick[0] * k0 + pick[1] * k1 + ...: two kernels instead of two for each. */
static void merge(char *all, size_t size)
{
    char sum[32 * CASES] = "0";
    all[0] = '\0';
    for (int k = 0; k < CASES; k++) {
        const dp_potential *potential = dp_potential_find(cases[k].name);
        assert_non_null(potential);
        const char *last = strrchr(potential->formula, ';');
        char definitions[DP_POTENTIAL_TEXT];
        snprintf(definitions, sizeof definitions, "%s%.*s; k = %s; ", cases[k].parameters, (int)(last - potential->formula),
                 potential->formula, last + 1);
        append(all, size, definitions, k);
        snprintf(sum + strlen(sum), sizeof sum - strlen(sum), " + pick[%d] * k_%d", k, k);
    }
    snprintf(all + strlen(all), size - strlen(all), "%s", sum);
}

static void potentials(dp_device *device)
{
    static char text[8192];
    dp_device *reference = dp_device_open("ref");
    merge(text, sizeof text);
    for (int k = 0; k < CASES; k++) {
        float pick[CASES] = {0};
        pick[k] = 1;
        dp_tensor *at[2] = {dp_from(device, DP_F32, DP_SHAPE(CASES), pick), dp_from(reference, DP_F32, DP_SHAPE(CASES), pick)};
        const dp_metric_params params = {.potential = text, PARAMETERS({"pick", at[0], 0})};
        const dp_metric_params same = {.potential = text, PARAMETERS({"pick", at[1], 0})};
        check_metric(device, cases[k].name, &params, 2, false, cases[k].golden,
                     cases[k].tolerance, terms(reference, &same, 2, false));
    }
    dp_device_close(&reference);
}

static dp_tensor *sum(dp_device *device, dp_tensor *a, dp_tensor *b)
{
    return dp_map(device, "a + b", DP_ARGS({"a", a, 0}, {"b", b, 0}));
}

/* The discriminator's loss with each stabiliser: a metric with the signs turned around, and a repulsion within x. */
static void discriminator(dp_device *device, dp_device *reference)
{
    static const golden_metric *const golden[3] = {&golden_eieg_d_staba_n2, &golden_eieg_d_stabb_n2, &golden_eieg_d_stabc_n2};
    const dp_metric_params loss = {.potential = "riesz", .xx = -1, .yy = -1, .xy = 2};
    const dp_metric_params stabilisers[3] = {
        {.potential = "riesz", PARAMETERS({"eps", NULL, 0.8}), .xx = 1},
        {.potential = "parabola", PARAMETERS({"R", NULL, 0.8}), .xx = 1},
        {.potential = "riesz", PARAMETERS({"s", NULL, 3}, {"eps", NULL, 0.8}), .xx = 1}};
    dp_tensor *x = points_x(device, 2, true), *y = points_y(device, 2);
    dp_metric_gradients g, s;
    dp_tensor *value = dp_metric(device, x, y, &loss, DP_METRIC_X | DP_METRIC_Y, &g);
    for (int k = 0; k < 3; k++) {
        dp_tensor *stabiliser = dp_metric(device, x, NULL, &stabilisers[k], DP_METRIC_X, &s);
        const double found = dp_item(sum(device, value, stabiliser));
        if (!(fabs(found - golden[k]->value) <= 1e-5 * (terms(reference, &loss, 2, true) + fabs(dp_item(stabiliser)))))
            fail_msg("stabiliser %c: %.9g, not %.9g", "ABC"[k], found, golden[k]->value);
        check_entries("discriminator", sum(device, g.x, s.x), &golden[k]->x, 1e-5, 1);
        check_entries("discriminator", g.y, &golden[k]->y, 1e-5, 1);
    }
}

/* The velocity of particles x in the field of y: minus a gradient, with mobilities as factors. */
static void flow(dp_device *device, int d, double tolerance)
{
    const dp_metric_params p = {.potential = "riesz", PARAMETERS({"s", NULL, d - 1}, {"eps", NULL, 1}),
                                .xx = 50.0 * N / 2, .xy = -100.0 * N};
    dp_metric_gradients g;
    dp_metric(device, points_x(device, d, true), points_y(device, d), &p, DP_METRIC_X, &g);
    suite_ok(device);
    check_entries("flow", g.x, d == 2 ? &golden_flow_v_n2.x : &golden_flow_v_n3.x, tolerance, -1);
}

/* The elastic interaction: each estimator, and the losses. n = 3 is steep. One test, for the kernels are the same. */
static void elastic(dp_device *device)
{
    static const golden_metric *const golden[2][4] = {
        {&golden_eieg_v_n2, &golden_eieg_u_n2, &golden_eieg_vdiag_n2, &golden_eieg_g_n2},
        {&golden_eieg_v_n3, &golden_eieg_u_n3, &golden_eieg_vdiag_n3, &golden_eieg_g_n3}};
    static const char *const names[4] = {"V", "U", "V with diagonal", "generator"};
    static const dp_estimator estimators[4] = {DP_ESTIMATOR_V, DP_ESTIMATOR_U, DP_ESTIMATOR_V_DIAGONAL, DP_ESTIMATOR_V};
    dp_device *reference = dp_device_open("ref");
    const bool few = strcmp(dp_device_get_info(device).backend, "ref") != 0; /* kernels take time */
    for (int d = 2; d <= 3; d++) {
        const double tolerance = d == 2 ? 1e-5 : 1e-4;
        dp_metric_params p = {.potential = "riesz", PARAMETERS({"s", NULL, d - 1}, {"eps", NULL, 0.1})};
        for (int k = 0; k < 4; k++) {
            if (few && d == 3 && estimators[k] == DP_ESTIMATOR_V_DIAGONAL)
                continue;
            p.estimator = estimators[k];
            p.xx = k == 3 ? 1 : 0;
            p.xy = k == 3 ? -2 : 0;
            check_metric(device, names[k], &p, d, true, golden[d - 2][k], tolerance, terms(reference, &p, d, true));
        }
        flow(device, d, tolerance);
    }
    const dp_metric_params p = {.potential = "riesz", PARAMETERS({"s", NULL, 0})};
    if (!few)
        check_metric(device, "s = 0", &p, 1, false, &golden_eieg_log_n1, 1e-5, terms(reference, &p, 1, false));
    discriminator(device, reference);
    dp_device_close(&reference);
}

/* The force of all sub-units of two atoms, with nuclei and radii repeated for each: against the closed form's value. */
static void atoms(dp_device *device)
{
    static const char *const wrt[] = {"q", "x", "r"};
    float q[2][5], nucleus[2][3] = {{0}}, radius[2] = {0}, e[2][5][4];
    for (int a = 0; a < 2; a++) {
        for (int t = 0; t < 20; t++)
            e[a][t / 4][t % 4] = 2 * number(6, (uint32_t)(a * 20 + t));
        for (int i = 0; i < 5; i++)
            q[a][i] = tanhf(e[a][i][0] / 2);
        for (int t = 0; t < 15; t++)
            nucleus[a][t % 3] += (1 - fmaxf(-q[a][t / 3], 0)) * e[a][t / 3][1 + t % 3] / 5;
        for (int i = 0; i < 5; i++)
            radius[a] += fmaxf(-q[a][i], 0) / 5 *
                         sqrtf(powf(e[a][i][1] - nucleus[a][0], 2) + powf(e[a][i][2] - nucleus[a][1], 2) +
                               powf(e[a][i][3] - nucleus[a][2], 2));
    }
    dp_tensor *t[6];
    for (int a = 0; a < 2; a++) {
        t[a] = dp_from(device, DP_F32, DP_SHAPE(5), q[a]);
        t[2 + a] = dp_broadcast(dp_from(device, DP_F32, DP_SHAPE(3), nucleus[a]), DP_SHAPE(5, 3));
        t[4 + a] = dp_broadcast(dp_from(device, DP_F32, DP_SCALAR, &radius[a]), DP_SHAPE(5));
    }
    dp_potential_call p;
    dp_tensor *g[3], *value;
    assert_int_equal(dp_potential_prepare(device, "atoms",
                                          DP_ARGS({"q", t[0], 0}, {"p", t[1], 0}, {"x", t[2], 0}, {"y", t[3], 0},
                                                                   {"r", t[4], 0}, {"s", t[5], 0}), &p), DP_OK);
    assert_int_equal(dp_pairwise_gradient(device, p.formula, DP_SUM_ALL, p.args, NULL, wrt, 3, g, &value), DP_OK);
    assert_true(fabs(dp_item(value) - golden_atom_force_full.value) <= 1e-5);
    double distance = 0, sums[4] = {0};
    for (int c = 0; c < 3; c++)
        distance += pow((double)nucleus[0][c] - (double)nucleus[1][c], 2);
    distance = sqrt(distance);
    for (int i = 0; i < 10; i++)
        sums[i / 5 * 2 + (q[i / 5][i % 5] < 0)] += fabs((double)q[i / 5][i % 5]); /* positive and negative, of each */
    const double like = sums[0] * sums[2] + sums[1] * sums[3], unlike = sums[0] * sums[3] + sums[1] * sums[2];
    const double wide = distance + ((double)radius[0] + (double)radius[1]) / 2;
    double along = 0, found_along = 0;
    float found[5 * 3], charge[5];
    assert_int_equal(dp_read(g[1], found, sizeof found), DP_OK);
    assert_int_equal(dp_read(g[0], charge, sizeof charge), DP_OK);
    for (int k = 0; k < 15; k++)
        found_along += (double)found[k] * ((double)nucleus[0][k % 3] - (double)nucleus[1][k % 3]) / distance;
    along = -like / (distance * distance) + unlike / (wide * wide);
    assert_true(fabs(found_along - along) <= 1e-5 * (like + unlike));
    for (int i = 0; i < 5; i++) {
        const double expected = q[0][i] < 0 ? sums[2] / wide - sums[3] / distance : sums[2] / distance - sums[3] / wide;
        assert_true(fabs((double)charge[i] - expected) <= 1e-5 * (sums[2] + sums[3]));
    }
    const double to_radius = dp_item(dp_reduce(device, g[2], DP_SUM, DP_ALL_AXES));
    assert_true(fabs(to_radius - unlike / (2 * wide * wide)) <= 1e-5 * unlike);
}

int main(void)
{
    static const suite_test tests[] = {{"potentials", potentials}, {"elastic", elastic}, {"atoms", atoms}};
    return suite_run("golden metric", tests, sizeof tests / sizeof *tests);
}
