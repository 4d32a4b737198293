/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and metrics written as formulas, against values that were made elsewhere in double precision. On "ref" the only
 * roundings are those of each result to f32: a value of one call is right to a few units of 2^-24 of the terms that make it
 * up, one of several calls to 1e-6 of them. */
#include "golden.h"
#include <dipole/dipole.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define ONE_CALL 0x1p-22
#define SEVERAL_CALLS 1e-6

static int open_device(void **state)
{
    *state = dp_device_open("ref");
    return dp_failed(*state) == DP_OK ? 0 : -1;
}

static int close_device(void **state)
{
    dp_device *device = *state;
    dp_device_close(&device); /* and every tensor of the test */
    return 0;
}

static void check_device(dp_device *device)
{
    if (dp_failed(device))
        fail_msg("%s", dp_message(device));
}

static void check(dp_device *device, double value, double golden, double tolerance, double terms)
{
    check_device(device);
    const double error = fabs(value - golden);
    if (!(error <= tolerance * terms))
        fail_msg("%.17g instead of %.17g: %.3g of the terms' %g", value, golden, error / terms, terms);
}

/* A number in [-1, 1), a multiple of 2^-23. */
static float golden_input(uint32_t seed, uint32_t t)
{
    uint32_t x = t + seed * 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    x ^= x >> 16;
    return (float)(x >> 8) * 0x1p-23f - 1;
}

/* scale * input + shift; exact for the powers of two that the tests use. */
static dp_tensor *scaled(dp_device *device, uint32_t seed, dp_shape shape, float scale, float shift)
{
    float data[64];
    int64_t size = 1;
    for (int axis = 0; axis < shape.rank; axis++)
        size *= shape.dim[axis];
    for (int64_t t = 0; t < size; t++)
        data[t] = scale * golden_input(seed, (uint32_t)t) + shift;
    return dp_from(device, DP_F32, shape, data);
}

static dp_tensor *input(dp_device *device, uint32_t seed, dp_shape shape)
{
    return scaled(device, seed, shape, 1, 0);
}

static dp_tensor *labels(dp_device *device)
{
    return dp_from(device, DP_F32, DP_SHAPE(6), (const float[]){0, 0, 1, 1, 2, 2});
}

static dp_tensor *indices(dp_device *device, dp_shape shape, const int32_t *index)
{
    return dp_from(device, DP_I32, shape, index);
}

/* A formula of x[i] and y[j], reduced over all pairs or over j. */
static dp_tensor *pairs(dp_device *device, const char *formula, unsigned mode, const dp_tensor *x, const dp_tensor *y)
{
    return dp_pairwise(device, formula, mode, DP_ARGS({"x", x}, {"y", y}));
}

static double mean_of(dp_device *device, const dp_tensor *x)
{
    return dp_item(dp_reduce(device, x, DP_MEAN, DP_ALL_AXES));
}

static double sum_of(dp_device *device, const dp_tensor *x)
{
    return dp_item(dp_reduce(device, x, DP_SUM, DP_ALL_AXES));
}

/* Kernels: formulas of r and t = r^2. ---------------------------------------------------------------------------- */

typedef struct kernel_case {
    const char *kernel;
    double golden;
} kernel_case;

static const char *of_distance(const char *kernel, char text[512])
{
    snprintf(text, 512, "t = sqdist(x[i], y[j]); r = sqrt(t); %s", kernel);
    return text;
}

typedef struct metric {
    double xx, yy, xy; /* sums over the pairs, the first two without i = j */
    double n, m;
} metric;

static metric measure(dp_device *device, const char *kernel, const dp_tensor *x, const dp_tensor *y)
{
    char text[512];
    of_distance(kernel, text);
    return (metric){
        .xx = dp_item(pairs(device, text, DP_SUM_ALL | DP_EXCLUDE_SELF, x, x)),
        .yy = dp_item(pairs(device, text, DP_SUM_ALL | DP_EXCLUDE_SELF, y, y)),
        .xy = dp_item(pairs(device, text, DP_SUM_ALL, x, y)),
        .n = (double)dp_tensor_shape(x).dim[0],
        .m = (double)dp_tensor_shape(y).dim[0],
    };
}

static void check_v(dp_device *device, metric e, double golden)
{
    const double xx = e.xx / (e.n * e.n), yy = e.yy / (e.m * e.m), xy = 2 * e.xy / (e.n * e.m);
    check(device, xx + yy - xy, golden, ONE_CALL, fabs(xx) + fabs(yy) + fabs(xy));
}

static void test_kernels(void **state)
{
    static const kernel_case cases[] = {
        {"d = select(r >= 0.3, r, t / 0.6 + 0.15); 1 / d", GOLDEN_MMD2_RIESZ_SDIST},
        {"rsqrt(t + 0.3^2)", GOLDEN_MMD2_PLUMMER},
        {"-0.5 * log(t + 0.3^2)", GOLDEN_MMD2_LOG_SOFT},
        {"-sqrt(t + 0.001^2)", GOLDEN_MMD2_ENERGY},
        {"exp(-t / (2 * 0.7^2))", GOLDEN_MMD2_GAUSS},
        {"exp(-r / 0.7)", GOLDEN_MMD2_LAPLACE},
        {"(0.6^2 + t)^(-0.5)", GOLDEN_MMD2_IMQ},
        {"(1 + t / (2 * 1.5 * 0.7^2))^(-1.5)", GOLDEN_MMD2_RQ},
        {"1 / (1 + t)", GOLDEN_MMD2_STUDENT},
        {"z = sqrt(3) * r / 0.7; (1 + z) * exp(-z)", GOLDEN_MMD2_MATERN32},
        {"z = sqrt(5) * r / 0.7; (1 + z + z^2 / 3) * exp(-z)", GOLDEN_MMD2_MATERN52},
        {"max(1 - r / 1.3, 0)^4 * (4 * r / 1.3 + 1)", GOLDEN_MMD2_WENDLAND_C2},
        {"max(1 - t / 1.3^2, 0)", GOLDEN_MMD2_EPAN},
        {"a = sqrt(t + 0.3^2); exp(-1.2 * a) / a", GOLDEN_MMD2_YUKAWA_SOFT},
        {"s = (0.05 / r)^6; 0.4 * (s^2 - s)", GOLDEN_MMD2_LENNARD_JONES},
    };
    dp_device *device = *state;
    dp_tensor *x = input(device, 22, DP_SHAPE(5, 2)), *y = scaled(device, 32, DP_SHAPE(6, 2), 0.5f, 0.25f);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        print_message("           %s\n", cases[c].kernel);
        check_v(device, measure(device, cases[c].kernel, x, y), cases[c].golden);
    }
}

/* EIEG: elastic interaction energy with a quadratic cap. ----------------------------------------------------------- */

/* The points of the golden values: one pair of x lies inside of the cut-off. */
static dp_tensor *eieg_x(dp_device *device, int n)
{
    float x[5 * 3];
    for (int t = 0; t < 5 * n; t++)
        x[t] = golden_input(20 + (uint32_t)n, (uint32_t)t);
    for (int c = 0; c < n; c++)
        x[n + c] = x[c] + 0.03125f;
    return dp_from(device, DP_F32, DP_SHAPE(5, n), x);
}

static dp_tensor *eieg_y(dp_device *device, int n)
{
    return scaled(device, 30 + (uint32_t)n, DP_SHAPE(6, n), 0.5f, 0.25f);
}

static const char *capped(int s, double eps, char text[512])
{
    snprintf(text, 512,
             "select(r >= %g, max(r, %g)^(-%d), (%d + 2) / 2 * %g^(-%d) - %d / 2 * %g^(-%d) * t)", eps, eps, s, s,
             eps, s, s, eps, s + 2);
    return text;
}

static void check_stabilised(dp_device *device, metric e, const char *kernel, const dp_tensor *x, double golden)
{
    char text[512];
    of_distance(kernel, text);
    const double stabiliser = dp_item(pairs(device, text, DP_SUM_ALL | DP_EXCLUDE_SELF, x, x)) / (e.n * e.n);
    const double xx = e.xx / (e.n * e.n), yy = e.yy / (e.m * e.m), xy = 2 * e.xy / (e.n * e.m);
    check(device, stabiliser - xx - yy + xy, golden, ONE_CALL, fabs(stabiliser) + fabs(xx) + fabs(yy) + fabs(xy));
}

static void check_eieg(dp_device *device, int n, const double golden[7])
{
    char text[512];
    dp_tensor *x = eieg_x(device, n), *y = eieg_y(device, n);
    const int s = n - 1;
    const metric e = measure(device, capped(s, 0.1, text), x, y);
    check_v(device, e, golden[0]);

    const double xx = e.xx / (e.n * (e.n - 1)), yy = e.yy / (e.m * (e.m - 1)), xy = 2 * e.xy / (e.n * e.m);
    check(device, xx + yy - xy, golden[1], ONE_CALL, xx + yy + xy);
    const double self = (s + 2) / 2.0 * pow(0.1, -s) * (1 / e.n + 1 / e.m);
    const double vx = e.xx / (e.n * e.n), vy = e.yy / (e.m * e.m);
    check(device, vx + vy - xy + self, golden[2], ONE_CALL, vx + vy + xy + self);
    check(device, vx - xy, golden[3], ONE_CALL, vx + xy);

    check_stabilised(device, e, capped(s, 0.8, text), x, golden[4]);
    check_stabilised(device, e, "max(1 - t / 0.64, 0)", x, golden[5]);
    check_stabilised(device, e, capped(s + 2, 0.8, text), x, golden[6]);
}

static void test_eieg(void **state)
{
    static const double n2[7] = {GOLDEN_EIEG_V_N2,       GOLDEN_EIEG_U_N2,       GOLDEN_EIEG_VDIAG_N2,  GOLDEN_EIEG_G_N2,
                                 GOLDEN_EIEG_D_STABA_N2, GOLDEN_EIEG_D_STABB_N2, GOLDEN_EIEG_D_STABC_N2};
    static const double n3[7] = {GOLDEN_EIEG_V_N3,       GOLDEN_EIEG_U_N3,       GOLDEN_EIEG_VDIAG_N3,  GOLDEN_EIEG_G_N3,
                                 GOLDEN_EIEG_D_STABA_N3, GOLDEN_EIEG_D_STABB_N3, GOLDEN_EIEG_D_STABC_N3};
    check_eieg(*state, 2, n2);
    check_eieg(*state, 3, n3);
}

static void test_eieg_logarithm(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = input(device, 25, DP_SHAPE(5, 1)), *y = input(device, 26, DP_SHAPE(6, 1));
    const char *kernel = "select(r >= 0.1, -log(max(r, 0.1)), -log(0.1) + 0.5 * (1 - t / 0.01))";
    check_v(device, measure(device, kernel, x, y), GOLDEN_EIEG_LOG_N1);
}

/* Sums of -k'(r)/r (x_i - y_j) over j: the attraction to y and the repulsion within x. */
static void forces(dp_device *device, int n, double eps, float attraction[15], float repulsion[15])
{
    char text[512];
    dp_tensor *x = eieg_x(device, n), *y = eieg_y(device, n);
    snprintf(text, sizeof text, "d = x[i] - y[j]; %d * max(sqrt(sum(d * d)), %g)^(-%d) * d", n - 1, eps, n + 1);
    assert_int_equal(DP_OK, dp_read(pairs(device, text, DP_SUM_J, x, y), attraction, sizeof(float) * 5 * (size_t)n));
    assert_int_equal(DP_OK, dp_read(pairs(device, text, DP_SUM_J, x, x), repulsion, sizeof(float) * 5 * (size_t)n));
}

static void check_vector(dp_device *device, const double *value, int size, const double first[3], double norm)
{
    double squares = 0;
    for (int t = 0; t < size; t++)
        squares += value[t] * value[t];
    check(device, sqrt(squares), norm, SEVERAL_CALLS, norm);
    for (int t = 0; t < 3; t++)
        check(device, value[t], first[t], SEVERAL_CALLS, norm);
}

static void check_flow(dp_device *device, int n, const double first[3], double norm)
{
    float attraction[15], repulsion[15];
    double velocity[15];
    forces(device, n, 1, attraction, repulsion);
    for (int t = 0; t < 5 * n; t++)
        velocity[t] = -100.0 / 6 * (double)attraction[t] + 50.0 / 5 * (double)repulsion[t];
    check_vector(device, velocity, 5 * n, first, norm);
}

static void test_flow(void **state)
{
    check_flow(*state, 2, (const double[])GOLDEN_FLOW_FIRST_N2, GOLDEN_FLOW_V_N2);
    check_flow(*state, 3, (const double[])GOLDEN_FLOW_FIRST_N3, GOLDEN_FLOW_V_N3);
}

static void check_gradient(dp_device *device, int n, const double first[3], double norm)
{
    float attraction[15], repulsion[15];
    double gradient[15];
    forces(device, n, 0.1, attraction, repulsion);
    for (int t = 0; t < 5 * n; t++)
        gradient[t] = 2.0 / 30 * (double)attraction[t] - 2.0 / 25 * (double)repulsion[t];
    check_vector(device, gradient, 5 * n, first, norm);
}

static void test_eieg_gradient(void **state)
{
    check_gradient(*state, 2, (const double[])GOLDEN_EIEG_V_GRADIENT_N2, GOLDEN_EIEG_V_GRADIENT_NORM_N2);
    check_gradient(*state, 3, (const double[])GOLDEN_EIEG_V_GRADIENT_N3, GOLDEN_EIEG_V_GRADIENT_NORM_N3);
}

/* Atoms: charged points around a nucleus. -------------------------------------------------------------------------- */

typedef struct atoms {
    dp_tensor *q, *mu, *r; /* [3, 5], [3, 3], [3] */
} atoms;

/* The p-norm of the last axis of a difference. */
static dp_tensor *distance(dp_device *device, const dp_tensor *a, const dp_tensor *b, double p)
{
    dp_tensor *power = dp_map(device, "abs(a - b)^p", DP_ARGS({"a", a}, {"b", b}, {.name = "p", .scalar = p}));
    dp_tensor *sum = dp_reduce(device, power, DP_SUM, DP_AXIS(dp_tensor_shape(power).rank - 1));
    char root[64];
    snprintf(root, sizeof root, "s^(1 / %g)", p);
    return dp_map(device, root, DP_ARGS({"s", sum}));
}

static dp_tensor *atom_inputs(dp_device *device)
{
    return scaled(device, 6, DP_SHAPE(3, 5, 4), 2, 0);
}

static dp_tensor *atom_charges(dp_device *device)
{
    dp_tensor *e = dp_reshape(dp_copy(device, dp_slice(atom_inputs(device), 2, 0, 1, 1)), DP_SHAPE(3, 5));
    return dp_map(device, "2 * sigmoid(e) - 1", DP_ARGS({"e", e}));
}

static atoms atom_states(dp_device *device, double p)
{
    dp_tensor *position = dp_slice(atom_inputs(device), 2, 1, 4, 1);
    atoms a = {.q = atom_charges(device)};
    dp_tensor *q = dp_reshape(a.q, DP_SHAPE(3, 5, 1));
    dp_tensor *weighted = dp_map(device, "(1 - max(-q, 0)) * x", DP_ARGS({"q", q}, {"x", position}));
    a.mu = dp_reduce(device, weighted, DP_MEAN, DP_AXIS(1));
    dp_tensor *rho = distance(device, position, dp_reshape(a.mu, DP_SHAPE(3, 1, 3)), p);
    dp_tensor *terms = dp_map(device, "max(-q, 0) * rho", DP_ARGS({"q", a.q}, {"rho", rho}));
    a.r = dp_reduce(device, terms, DP_MEAN, DP_AXIS(1));
    return a;
}

/* Of the pairs (0, 1), (1, 2), (2, 0): products of charges [3, 5] at five sampled places, distances and radii [3]. */
typedef struct atom_pairs {
    dp_tensor *product, *distance, *radius;
} atom_pairs;

static atom_pairs atom_sample(dp_device *device, double p)
{
    const atoms a = atom_states(device, p);
    dp_tensor *next = indices(device, DP_SHAPE(3), (const int32_t[]){1, 2, 0});
    dp_tensor *places = indices(device, DP_SHAPE(3, 5), (const int32_t[]){1, 4, 2, 0, 3, 1, 4, 2, 0, 3, 1, 4, 2, 0, 3});
    dp_tensor *qb = dp_gather(device, dp_gather_rows(device, a.q, next), places, 1);
    return (atom_pairs){
        .product = dp_map(device, "a * b", DP_ARGS({"a", a.q}, {"b", qb})),
        .distance = distance(device, a.mu, dp_gather_rows(device, a.mu, next), p),
        .radius = dp_map(device, "(a + b) / 2", DP_ARGS({"a", a.r}, {"b", dp_gather_rows(device, a.r, next)})),
    };
}

static double atom_force(dp_device *device, double p)
{
    const atom_pairs s = atom_sample(device, p);
    dp_tensor *d = dp_reshape(s.distance, DP_SHAPE(3, 1)), *r = dp_reshape(s.radius, DP_SHAPE(3, 1));
    dp_tensor *terms = dp_map(device, "x / (d + r * (x < 0))", DP_ARGS({"x", s.product}, {"d", d}, {"r", r}));
    return sum_of(device, terms) / 3;
}

static double atom_charge(dp_device *device)
{
    dp_tensor *sum = dp_reduce(device, atom_charges(device), DP_SUM, DP_AXIS(1));
    return mean_of(device, dp_map(device, "s^2", DP_ARGS({"s", sum})));
}

static double atom_number(dp_device *device)
{
    dp_tensor *squares = dp_map(device, "q^2", DP_ARGS({"q", atom_charges(device)}));
    dp_tensor *sum = dp_reduce(device, squares, DP_SUM, DP_AXIS(1));
    return mean_of(device, dp_map(device, "(s - 2 / 3 * 5)^2", DP_ARGS({"s", sum})));
}

static void test_atom_force(void **state)
{
    dp_device *device = *state;
    check(device, atom_force(device, 1), GOLDEN_ATOM_FORCE_P1, SEVERAL_CALLS, 1);
    check(device, atom_force(device, 2), GOLDEN_ATOM_FORCE_P2, SEVERAL_CALLS, 1);
    check(device, atom_force(device, 3), GOLDEN_ATOM_FORCE_P3, SEVERAL_CALLS, 1);
}

static void test_atom_state(void **state)
{
    static const double q[5] = GOLDEN_ATOM_STATE_Q, mu[3] = GOLDEN_ATOM_STATE_MU;
    dp_device *device = *state;
    const atoms a = atom_states(device, 2);
    const atom_pairs s = atom_sample(device, 2);
    float got_q[15], got_mu[9], got_r[3], d[3], r[3];
    dp_read(a.q, got_q, sizeof got_q);
    dp_read(a.mu, got_mu, sizeof got_mu);
    dp_read(a.r, got_r, sizeof got_r);
    dp_read(s.distance, d, sizeof d);
    dp_read(s.radius, r, sizeof r);
    for (int t = 0; t < 5; t++)
        check(device, (double)got_q[t], q[t], SEVERAL_CALLS, 1);
    for (int t = 0; t < 3; t++)
        check(device, (double)got_mu[t], mu[t], SEVERAL_CALLS, 1);
    check(device, (double)got_r[0], GOLDEN_ATOM_STATE_RADIUS, SEVERAL_CALLS, 1);
    check(device, (double)d[0], GOLDEN_ATOM_PAIR_DISTANCE, SEVERAL_CALLS, 1);
    check(device, (double)r[0], GOLDEN_ATOM_STATE_PAIR_RADIUS, SEVERAL_CALLS, 1);
    dp_tensor *first = dp_slice(s.product, 0, 0, 1, 1);
    check(device, sum_of(device, dp_map(device, "max(x, 0)", DP_ARGS({"x", first}))), GOLDEN_ATOM_LIKE_CHARGES,
          SEVERAL_CALLS, 1);
    check(device, sum_of(device, dp_map(device, "max(-x, 0)", DP_ARGS({"x", first}))), GOLDEN_ATOM_UNLIKE_CHARGES,
          SEVERAL_CALLS, 1);
}

static void test_atom_force_of_all_pairs(void **state)
{
    dp_device *device = *state;
    const atoms a = atom_states(device, 2);
    const atom_pairs s = atom_sample(device, 2);
    dp_tensor *qa = dp_reshape(dp_slice(a.q, 0, 0, 1, 1), DP_SHAPE(5));
    dp_tensor *qb = dp_reshape(dp_slice(a.q, 0, 1, 2, 1), DP_SHAPE(5));
    dp_tensor *d = dp_reshape(dp_slice(s.distance, 0, 0, 1, 1), DP_SCALAR);
    dp_tensor *r = dp_reshape(dp_slice(s.radius, 0, 0, 1, 1), DP_SCALAR);
    dp_tensor *force = dp_pairwise(device, "x = a[i] * b[j]; x / (d + select(x < 0, r, 0))", DP_SUM_ALL,
                                   DP_ARGS({"a", qa}, {"b", qb}, {"d", d}, {"r", r}));
    check(device, dp_item(force), GOLDEN_ATOM_FORCE_FULL, SEVERAL_CALLS, 1);
}

static void test_atom_regularisers(void **state)
{
    dp_device *device = *state;
    check(device, atom_charge(device), GOLDEN_ATOM_CHARGE, SEVERAL_CALLS, 1);
    check(device, atom_number(device), GOLDEN_ATOM_PNUM, SEVERAL_CALLS, GOLDEN_ATOM_PNUM);
    const double total = 0.02 * (atom_force(device, 2) + atom_charge(device) + atom_number(device));
    check(device, total, GOLDEN_ATOM_TOTAL_0_02, SEVERAL_CALLS, GOLDEN_ATOM_TOTAL_0_02);
}

/* Losses of rows against rows. -------------------------------------------------------------------------------------- */

static void test_hinge(void **state)
{
    static const double golden[3] = {0, GOLDEN_HINGE_1, GOLDEN_HINGE_2};
    dp_device *device = *state;
    dp_tensor *h = input(device, 11, DP_SHAPE(4, 3)), *near = input(device, 12, DP_SHAPE(4, 3));
    dp_tensor *far = input(device, 13, DP_SHAPE(4, 3));
    for (int p = 1; p <= 2; p++) {
        dp_tensor *loss = dp_map(device, "max(0, a - b)", DP_ARGS({"a", distance(device, h, near, p)},
                                                                  {"b", distance(device, h, far, p)}));
        check(device, sum_of(device, loss), golden[p], SEVERAL_CALLS, golden[p]);
    }
}

/* The cosines between row i of a and row i of b. */
static dp_tensor *cosines(dp_device *device, const dp_tensor *a, const dp_tensor *b)
{
    dp_tensor *ab = dp_reduce(device, dp_map(device, "a * b", DP_ARGS({"a", a}, {"b", b})), DP_SUM, DP_AXIS(1));
    dp_tensor *aa = dp_reduce(device, dp_map(device, "a * a", DP_ARGS({"a", a})), DP_SUM, DP_AXIS(1));
    dp_tensor *bb = dp_reduce(device, dp_map(device, "b * b", DP_ARGS({"b", b})), DP_SUM, DP_AXIS(1));
    return dp_map(device, "ab * rsqrt(aa * bb)", DP_ARGS({"ab", ab}, {"aa", aa}, {"bb", bb}));
}

#define COSINE "dot(x[i], y[j]) * rsqrt(dot(x[i], x[i]) * dot(y[j], y[j]))"

static void test_rank_h(void **state)
{
    dp_device *device = *state;
    dp_tensor *h = input(device, 11, DP_SHAPE(4, 3)), *near = input(device, 12, DP_SHAPE(4, 3));
    dp_tensor *far = input(device, 13, DP_SHAPE(4, 3));
    dp_tensor *loss = dp_map(device, "max(0, n - p + 0.5)",
                             DP_ARGS({"p", cosines(device, h, near)}, {"n", cosines(device, h, far)}));
    check(device, sum_of(device, loss), GOLDEN_RANK_H, SEVERAL_CALLS, GOLDEN_RANK_H);
}

static void test_simcse(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = input(device, 11, DP_SHAPE(4, 3)), *b = input(device, 12, DP_SHAPE(4, 3));
    const double positive = mean_of(device, cosines(device, a, b));
    const double sharp = mean_of(device, pairs(device, COSINE " / 0.05", DP_LOGSUMEXP_J, a, b));
    const double soft = mean_of(device, pairs(device, COSINE " / 0.5", DP_LOGSUMEXP_J, a, b));
    check(device, sharp - positive / 0.05, GOLDEN_SIMCSE_0_05, SEVERAL_CALLS, fabs(sharp) + 20 * fabs(positive));
    check(device, soft - positive / 0.5, GOLDEN_SIMCSE_0_5, SEVERAL_CALLS, fabs(soft) + 2 * fabs(positive));
}

static void test_ntxent(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = input(device, 14, DP_SHAPE(8, 3));
    dp_tensor *partner = indices(device, DP_SHAPE(8), (const int32_t[]){1, 0, 3, 2, 5, 4, 7, 6});
    const double positive = mean_of(device, cosines(device, x, dp_gather_rows(device, x, partner)));
    const double all = mean_of(device, pairs(device, COSINE " / 0.5", DP_LOGSUMEXP_J | DP_EXCLUDE_SELF, x, x));
    check(device, all - positive / 0.5, GOLDEN_NTXENT_0_5, SEVERAL_CALLS, fabs(all) + 2 * fabs(positive));
}

static void test_mixcse(void **state)
{
    const char *mixed = "bi = y[i] * rsqrt(dot(y[i], y[i])); bj = y[j] * rsqrt(dot(y[j], y[j]));"
                        "c = 0.2 * bi + 0.8 * bj;"
                        "dot(x[i], c) * rsqrt(dot(c, c) * dot(x[i], x[i])) / 0.05";
    dp_device *device = *state;
    dp_tensor *a = input(device, 11, DP_SHAPE(4, 3)), *b = input(device, 12, DP_SHAPE(4, 3));
    const double positive = mean_of(device, cosines(device, a, b));
    dp_tensor *plain = pairs(device, COSINE " / 0.05", DP_LOGSUMEXP_J, a, b);
    dp_tensor *mixtures = pairs(device, mixed, DP_LOGSUMEXP_J | DP_EXCLUDE_SELF, a, b);
    dp_tensor *both = dp_map(device, "m = max(a, b); m + log(exp(a - m) + exp(b - m))",
                             DP_ARGS({"a", plain}, {"b", mixtures}));
    const double all = mean_of(device, both);
    check(device, all - positive / 0.05, GOLDEN_MIXCSE_0_05_0_2, SEVERAL_CALLS, fabs(all) + 20 * fabs(positive));
}

static void test_sscl(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = input(device, 11, DP_SHAPE(4, 3));
    const double all = mean_of(device, pairs(device, COSINE " / 0.5", DP_LOGSUMEXP_J, a, a));
    check(device, all - 1 / 0.5, GOLDEN_SSCL_0_5, SEVERAL_CALLS, all);
}

static void test_vector_quantisation(void **state)
{
    static const int32_t golden[6] = GOLDEN_VQ_CODES;
    dp_device *device = *state;
    dp_tensor *z = input(device, 15, DP_SHAPE(6, 3)), *e = input(device, 16, DP_SHAPE(4, 3));
    int32_t codes[6];
    dp_tensor *nearest = pairs(device, "sqdist(x[i], y[j])", DP_ARGMIN_J, z, e);
    assert_int_equal(DP_OK, dp_read(nearest, codes, sizeof codes));
    assert_memory_equal(codes, golden, sizeof codes);
    dp_tensor *square = dp_map(device, "(z - e)^2", DP_ARGS({"z", z}, {"e", dp_gather_rows(device, e, nearest)}));
    check(device, 1.25 * mean_of(device, square), GOLDEN_VQ_0_25, SEVERAL_CALLS, GOLDEN_VQ_0_25);
    const double least = sum_of(device, pairs(device, "sqdist(x[i], y[j])", DP_MIN_J, z, e));
    check(device, 1.25 * least / 18, GOLDEN_VQ_0_25, SEVERAL_CALLS, GOLDEN_VQ_0_25);
}

static void test_alignment_and_uniformity(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = input(device, 41, DP_SHAPE(6, 4)), *b = input(device, 42, DP_SHAPE(6, 4));
    const double align = sum_of(device, dp_map(device, "(a - b)^2", DP_ARGS({"a", a}, {"b", b}))) / 6;
    check(device, align, GOLDEN_ALIGN_2, SEVERAL_CALLS, align);
    dp_tensor *mean = pairs(device, "exp(-2 * sqdist(x[i], y[j]))", DP_MEAN_ALL | DP_EXCLUDE_SELF, a, a);
    check(device, log(dp_item(mean)), GOLDEN_UNIFORM_2, SEVERAL_CALLS, 1);
    dp_tensor *whole = pairs(device, "-2 * sqdist(x[i], y[j])", DP_LOGSUMEXP_ALL | DP_EXCLUDE_SELF, a, a);
    check(device, dp_item(whole) - log(30), GOLDEN_UNIFORM_2, SEVERAL_CALLS, log(30));
}

/* Columns with mean zero. */
static dp_tensor *centred(dp_device *device, const dp_tensor *x)
{
    dp_tensor *mean = dp_reduce(device, x, DP_MEAN, DP_AXIS(0) | DP_KEEP_AXES);
    return dp_map(device, "x - m", DP_ARGS({"x", x}, {"m", mean}));
}

static dp_tensor *identity4(dp_device *device)
{
    float one[16] = {0};
    for (int t = 0; t < 4; t++)
        one[5 * t] = 1;
    return dp_from(device, DP_F32, DP_SHAPE(4, 4), one);
}

static double variance_and_covariance(dp_device *device, const dp_tensor *x)
{
    const dp_matmul_params params = {.transpose_a = true, .alpha = 1 / 5.0f};
    dp_tensor *c = centred(device, x), *one = identity4(device);
    dp_tensor *covariance = dp_matmul(device, c, c, &params);
    dp_tensor *variance = dp_reduce(device, dp_map(device, "c * one", DP_ARGS({"c", covariance}, {"one", one})), DP_SUM,
                                    DP_AXIS(1));
    const double spread = sum_of(device, dp_map(device, "max(0, 1 - sqrt(v + 1e-4))", DP_ARGS({"v", variance})));
    const double off = sum_of(device, dp_map(device, "(1 - one) * c^2", DP_ARGS({"c", covariance}, {"one", one})));
    return 25 * spread / 4 + off / 4;
}

static void test_vicreg(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = input(device, 41, DP_SHAPE(6, 4)), *b = input(device, 42, DP_SHAPE(6, 4));
    const double invariance = sum_of(device, dp_map(device, "(a - b)^2", DP_ARGS({"a", a}, {"b", b}))) / 6;
    const double loss = 25 * invariance + variance_and_covariance(device, a) + variance_and_covariance(device, b);
    check(device, loss, GOLDEN_VICREG, SEVERAL_CALLS, GOLDEN_VICREG);
}

static dp_tensor *standardised(dp_device *device, const dp_tensor *x)
{
    dp_tensor *c = centred(device, x);
    dp_tensor *variance = dp_reduce(device, dp_map(device, "c^2", DP_ARGS({"c", c})), DP_MEAN, DP_AXIS(0));
    return dp_map(device, "c * rsqrt(v)", DP_ARGS({"c", c}, {"v", variance}));
}

static void test_barlow_twins(void **state)
{
    const dp_matmul_params params = {.transpose_a = true, .alpha = 1 / 6.0f};
    dp_device *device = *state;
    dp_tensor *a = input(device, 41, DP_SHAPE(6, 4)), *b = input(device, 42, DP_SHAPE(6, 4));
    dp_tensor *c = dp_matmul(device, standardised(device, a), standardised(device, b), &params);
    dp_tensor *terms = dp_map(device, "select(one, (1 - c)^2, 5e-3 * c^2)",
                              DP_ARGS({"c", c}, {"one", identity4(device)}));
    check(device, sum_of(device, terms), GOLDEN_BARLOW, SEVERAL_CALLS, 1);
}

static void test_triplet(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = input(device, 41, DP_SHAPE(6, 4)), *label = labels(device);
    const dp_args args = DP_ARGS({"x", x}, {"l", label});
    dp_tensor *same = dp_pairwise(device, "select(l[i] == l[j], sqrt(sqdist(x[i], x[j])), -inf)",
                                  DP_MAX_J | DP_EXCLUDE_SELF, args);
    dp_tensor *other = dp_pairwise(device, "select(l[i] != l[j], sqrt(sqdist(x[i], x[j])), inf)", DP_MIN_J, args);
    const dp_args extremes = DP_ARGS({"p", same}, {"n", other});
    check(device, mean_of(device, dp_map(device, "max(0, 0.2 + p - n)", extremes)), GOLDEN_TRIPLET_BH_0_2, SEVERAL_CALLS,
          2);
    check(device, mean_of(device, dp_map(device, "log(1 + exp(p - n))", extremes)), GOLDEN_TRIPLET_SOFT, SEVERAL_CALLS, 2);
}

static void test_supcon(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = input(device, 41, DP_SHAPE(6, 4)), *label = labels(device);
    dp_tensor *all = pairs(device, COSINE " / 0.1", DP_LOGSUMEXP_J | DP_EXCLUDE_SELF, x, x);
    const dp_args args = DP_ARGS({"x", x}, {"y", x}, {"l", label});
    dp_tensor *same = dp_pairwise(device, "(l[i] == l[j]) * " COSINE " / 0.1", DP_SUM_J | DP_EXCLUDE_SELF, args);
    dp_tensor *count = dp_pairwise(device, "l[i] == l[j]", DP_SUM_J | DP_EXCLUDE_SELF, args);
    dp_tensor *loss = dp_map(device, "all - same / count", DP_ARGS({"all", all}, {"same", same}, {"count", count}));
    check(device, mean_of(device, loss), GOLDEN_SUPCON_0_1, SEVERAL_CALLS, GOLDEN_SUPCON_0_1);
}

static void test_circle(void **state)
{
    dp_device *device = *state;
    dp_tensor *positive = dp_map(device, "-4 * max(1.25 - s, 0) * (s - 0.75)", DP_ARGS({"s", input(device, 43, DP_SHAPE(4))}));
    dp_tensor *negative = dp_map(device, "4 * max(s + 0.25, 0) * (s - 0.25)", DP_ARGS({"s", input(device, 44, DP_SHAPE(5))}));
    dp_tensor *p = dp_reduce(device, positive, DP_LOGSUMEXP, DP_ALL_AXES);
    dp_tensor *n = dp_reduce(device, negative, DP_LOGSUMEXP, DP_ALL_AXES);
    dp_tensor *loss = dp_map(device, "x = p + n; max(x, 0) + log(1 + exp(-abs(x)))", DP_ARGS({"p", p}, {"n", n}));
    check(device, dp_item(loss), GOLDEN_CIRCLE_0_25_4, SEVERAL_CALLS, GOLDEN_CIRCLE_0_25_4);
}

static void test_tsne(void **state)
{
    dp_device *device = *state;
    dp_tensor *raw = input(device, 45, DP_SHAPE(6, 6)), *y = input(device, 46, DP_SHAPE(6, 2));
    float diagonal[36] = {0};
    for (int t = 0; t < 6; t++)
        diagonal[7 * t] = 1;
    dp_tensor *one = dp_from(device, DP_F32, DP_SHAPE(6, 6), diagonal);
    dp_tensor *p = dp_map(device, "(1 - one) * (abs(a) + abs(b))",
                          DP_ARGS({"a", raw}, {"b", dp_transpose(raw, 0, 1)}, {"one", one}));
    dp_tensor *total = dp_reduce(device, p, DP_SUM, DP_ALL_AXES);
    dp_tensor *partition = pairs(device, "1 / (1 + sqdist(x[i], y[j]))", DP_SUM_ALL | DP_EXCLUDE_SELF, y, y);
    dp_tensor *d = distance(device, dp_reshape(y, DP_SHAPE(6, 1, 2)), dp_reshape(y, DP_SHAPE(1, 6, 2)), 2);
    dp_tensor *terms = dp_map(device, "q = p / total; select(p > 0, q * log(q * z * (1 + d^2)), 0)",
                              DP_ARGS({"p", p}, {"total", total}, {"z", partition}, {"d", d}));
    check(device, sum_of(device, terms), GOLDEN_TSNE, SEVERAL_CALLS, 1);
}

static void test_cross_entropy(void **state)
{
    dp_device *device = *state;
    dp_tensor *z = input(device, 41, DP_SHAPE(6, 4));
    dp_tensor *label = indices(device, DP_SHAPE(6, 1), (const int32_t[]){0, 0, 1, 1, 2, 2});
    const double all = mean_of(device, dp_reduce(device, z, DP_LOGSUMEXP, DP_AXIS(1)));
    const double right = mean_of(device, dp_gather(device, z, label, 1));
    check(device, all - right, GOLDEN_CE, SEVERAL_CALLS, fabs(all) + fabs(right));
}

static void test_poincare(void **state)
{
    dp_device *device = *state;
    dp_tensor *u = scaled(device, 47, DP_SHAPE(1, 3), 0.5f, 0), *v = scaled(device, 48, DP_SHAPE(1, 3), 0.5f, 0);
    const char *formula = "g = 1 + 2 * sqdist(x[i], y[j]) / ((1 - dot(x[i], x[i])) * (1 - dot(y[j], y[j])));"
                          "log(g + sqrt(g * g - 1))";
    check(device, dp_item(pairs(device, formula, DP_SUM_ALL, u, v)), GOLDEN_POINCARE, ONE_CALL, GOLDEN_POINCARE);
}

#define GOLDEN_TEST(name) cmocka_unit_test_setup_teardown(name, open_device, close_device)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOLDEN_TEST(test_kernels),
        GOLDEN_TEST(test_eieg),
        GOLDEN_TEST(test_eieg_logarithm),
        GOLDEN_TEST(test_flow),
        GOLDEN_TEST(test_eieg_gradient),
        GOLDEN_TEST(test_atom_force),
        GOLDEN_TEST(test_atom_state),
        GOLDEN_TEST(test_atom_force_of_all_pairs),
        GOLDEN_TEST(test_atom_regularisers),
        GOLDEN_TEST(test_hinge),
        GOLDEN_TEST(test_rank_h),
        GOLDEN_TEST(test_simcse),
        GOLDEN_TEST(test_ntxent),
        GOLDEN_TEST(test_mixcse),
        GOLDEN_TEST(test_sscl),
        GOLDEN_TEST(test_vector_quantisation),
        GOLDEN_TEST(test_alignment_and_uniformity),
        GOLDEN_TEST(test_vicreg),
        GOLDEN_TEST(test_barlow_twins),
        GOLDEN_TEST(test_triplet),
        GOLDEN_TEST(test_supcon),
        GOLDEN_TEST(test_circle),
        GOLDEN_TEST(test_tsne),
        GOLDEN_TEST(test_cross_entropy),
        GOLDEN_TEST(test_poincare),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
