/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of a distance, the elastic interaction energy and the forces within atoms, written as formulas,
 * against values that were made elsewhere in double precision. */
#include "golden_case.h"

/* Kernels: formulas of r and t = r^2. ------------------------------ */

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
        print_message("#          %s\n", cases[c].kernel);
        check_v(device, measure(device, cases[c].kernel, x, y), cases[c].golden);
    }
}

/* EIEG: elastic interaction energy with a quadratic cap. ------------------------------ */

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
    snprintf(text, 512, "select(r >= %g, max(r, %g)^(-%d), (%d + 2) / 2 * %g^(-%d) - %d / 2 * %g^(-%d) * t)",
             eps, eps, s, s, eps, s, s, eps, s + 2);
    return text;
}

static void check_stabilised(dp_device *device, metric e, const char *kernel, const dp_tensor *x,
                             double golden)
{
    char text[512];
    of_distance(kernel, text);
    const double stabiliser = dp_item(pairs(device, text, DP_SUM_ALL | DP_EXCLUDE_SELF, x, x)) / (e.n * e.n);
    const double xx = e.xx / (e.n * e.n), yy = e.yy / (e.m * e.m), xy = 2 * e.xy / (e.n * e.m);
    check(device, stabiliser - xx - yy + xy, golden, ONE_CALL,
          fabs(stabiliser) + fabs(xx) + fabs(yy) + fabs(xy));
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
    static const double n2[7] = {GOLDEN_EIEG_V_N2,      GOLDEN_EIEG_U_N2,       GOLDEN_EIEG_VDIAG_N2,
                                 GOLDEN_EIEG_G_N2,      GOLDEN_EIEG_D_STABA_N2, GOLDEN_EIEG_D_STABB_N2,
                                 GOLDEN_EIEG_D_STABC_N2};
    static const double n3[7] = {GOLDEN_EIEG_V_N3,      GOLDEN_EIEG_U_N3,       GOLDEN_EIEG_VDIAG_N3,
                                 GOLDEN_EIEG_G_N3,      GOLDEN_EIEG_D_STABA_N3, GOLDEN_EIEG_D_STABB_N3,
                                 GOLDEN_EIEG_D_STABC_N3};
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
    snprintf(text, sizeof text, "d = x[i] - y[j]; %d * max(sqrt(sum(d * d)), %g)^(-%d) * d", n - 1, eps,
             n + 1);
    assert_int_equal(DP_OK,
                     dp_read(pairs(device, text, DP_SUM_J, x, y), attraction, sizeof(float) * 5 * (size_t)n));
    assert_int_equal(DP_OK,
                     dp_read(pairs(device, text, DP_SUM_J, x, x), repulsion, sizeof(float) * 5 * (size_t)n));
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

/* Atoms: charged points around a nucleus. ------------------------------ */

typedef struct atoms {
    dp_tensor *q, *mu, *r; /* [3, 5], [3, 3], [3] */
} atoms;

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

/* Of the pairs (0, 1), (1, 2), (2, 0): products of charges [3, 5] at five sampled places, distances and radii
 * [3]. */
typedef struct atom_pairs {
    dp_tensor *product, *distance, *radius;
} atom_pairs;

static atom_pairs atom_sample(dp_device *device, double p)
{
    const atoms a = atom_states(device, p);
    dp_tensor *next = indices(device, DP_SHAPE(3), (const int32_t[]){1, 2, 0});
    dp_tensor *places =
        indices(device, DP_SHAPE(3, 5), (const int32_t[]){1, 4, 2, 0, 3, 1, 4, 2, 0, 3, 1, 4, 2, 0, 3});
    dp_tensor *qb = dp_gather(device, dp_gather_rows(device, a.q, next), places, 1);
    return (atom_pairs){
        .product = dp_map(device, "a * b", DP_ARGS({"a", a.q}, {"b", qb})),
        .distance = distance(device, a.mu, dp_gather_rows(device, a.mu, next), p),
        .radius =
            dp_map(device, "(a + b) / 2", DP_ARGS({"a", a.r}, {"b", dp_gather_rows(device, a.r, next)})),
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
    check(device, sum_of(device, dp_map(device, "max(x, 0)", DP_ARGS({"x", first}))),
          GOLDEN_ATOM_LIKE_CHARGES, SEVERAL_CALLS, 1);
    check(device, sum_of(device, dp_map(device, "max(-x, 0)", DP_ARGS({"x", first}))),
          GOLDEN_ATOM_UNLIKE_CHARGES, SEVERAL_CALLS, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOLDEN_TEST(test_kernels),           GOLDEN_TEST(test_eieg),
        GOLDEN_TEST(test_eieg_logarithm),    GOLDEN_TEST(test_flow),
        GOLDEN_TEST(test_eieg_gradient),     GOLDEN_TEST(test_atom_force),
        GOLDEN_TEST(test_atom_state),        GOLDEN_TEST(test_atom_force_of_all_pairs),
        GOLDEN_TEST(test_atom_regularisers),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
