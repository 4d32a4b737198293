/* SPDX-License-Identifier: Apache-2.0 */
/* Atom Modeling on every device: values and gradients against ones that were made elsewhere in double precision, to 1e-5 of the
 * terms of a value and of the largest component of a gradient; and on the reference every form of the loss against the same
 * in single calls that are recorded. */
#include "suite.h"

#include <math.h>
#include <string.h>

#define TOLERANCE 1e-5
#define B 3
#define UNITS 5
#define H 4
#define SIZE (B * UNITS * H)

/* A number in [-1, 1), a multiple of 2^-23. */
static float number(uint32_t seed, uint32_t t)
{
    uint32_t x = t + seed * 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    x ^= x >> 16;
    return (float)(x >> 8) * 0x1p-23f - 1;
}

static dp_tensor *atoms(dp_device *device, int batch)
{
    float e[SIZE];
    for (uint32_t t = 0; t < SIZE; t++)
        e[t] = 2 * number(6, t);
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(batch, UNITS, H), e);
    assert_int_equal(dp_require_grad(x), DP_OK);
    return x;
}

/* Pairs (0, 1), (1, 2), (2, 0), in each of them sub-units (i, 3 i + 1). */
static dp_atom_pairs *pairs_of_five(dp_device *device, dp_atom_units units)
{
    const int32_t a[B] = {0, 1, 2}, b[B] = {1, 2, 0};
    int32_t i[B * UNITS], j[B * UNITS];
    for (int k = 0; k < B * UNITS; k++) {
        i[k] = k % UNITS;
        j[k] = (3 * i[k] + 1) % UNITS;
    }
    dp_atom_pairs *pairs = dp_atom_pairs_create(device, B, UNITS, &(dp_atom_pairs_params){.units = units});
    suite_ok(device);
    dp_write(pairs->a, a, sizeof a);
    dp_write(pairs->b, b, sizeof b);
    if (pairs->i) {
        dp_write(pairs->i, i, sizeof i);
        dp_write(pairs->j, j, sizeof j);
    }
    suite_ok(device);
    return pairs;
}

/* Golden values. ------------------------------ */

typedef struct golden {
    const char *name;
    dp_atom_params params;
    double value, terms; /* the second: what the value's error is measured by */
    double norm, first[3];
} golden;

static void check_rows(const char *name, const float *g, int count, double norm, const double first[3])
{
    double square = 0, largest = 0;
    for (int k = 0; k < count; k++) {
        square += (double)g[k] * (double)g[k];
        largest = fmax(largest, fabs((double)g[k]));
    }
    for (int k = 0; k < 3; k++)
        if (!(fabs((double)g[k] - first[k]) <= TOLERANCE * largest))
            fail_msg("%s: g[%d] is %.9g, not %.9g", name, k, (double)g[k], first[k]);
    if (!(fabs(sqrt(square) - norm) <= TOLERANCE * largest * sqrt(count)))
        fail_msg("%s: |g| is %.9g, not %.9g", name, sqrt(square), norm);
}

static void check_golden(dp_device *device, const golden *g, const dp_atom_pairs *pairs)
{
    dp_atom_params params = g->params;
    params.pairs = pairs;
    dp_tensor *e = atoms(device, B), *value = dp_atom_loss(device, e, &params, NULL);
    float gradient[SIZE];
    suite_ok(device);
    const double found = dp_item(value);
    if (!(fabs(found - g->value) <= TOLERANCE * g->terms))
        fail_msg("%s: %.9g, not %.9g", g->name, found, g->value);
    assert_int_equal(dp_backward(value), DP_OK);
    assert_int_equal(dp_read(dp_grad(e), gradient, sizeof gradient), DP_OK);
    check_rows(g->name, gradient, SIZE, g->norm, g->first);
    dp_tensor_release(&value);
    dp_tensor_release(&e);
}

static void drawn(dp_device *device)
{
    static const golden cases[] = {
        {"force, p = 2", {.force = 1}, 0.2979023499397374, 1, 0.43094674998041443,
         {-0.027911586283154967, -0.041455812208580765, -0.04575874037756942}},
        {"charge", {.charge = 1}, 0.4355035177419521, 1, 0.6433718721560537, {-0.22169687490104306, 0, 0}},
        {"pnum", {.pnum = 1}, 5.2791844389370635, 1, 1.6381631873925757, {0.4179035635646649, 0, 0}},
        {"all", {.force = 0}, 0.12025180613237506, 0.1, 0.03227591767841157,
         {0.0033659020476093375, -0.0008291162441716153, -0.0009151748075513884}},
        {"force, p = 1", {.norm = 1, .force = 1}, 0.19253665184086222, 1, 0.29951050484516895,
         {-0.029226033588464026, -0.02483947503074486, -0.024663309722531078}},
        {"force, p = 3", {.norm = 3, .force = 1}, 0.33556536223705846, 1, 0.48221712486258256,
         {-0.026827269490118287, -0.048695167982538506, -0.0536027048864992}},
    };
    dp_atom_pairs *pairs = pairs_of_five(device, DP_ATOM_DISTINCT);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        check_golden(device, &cases[k], pairs);
    dp_atom_pairs_destroy(&pairs);
}

/* Of two samples, pair (0, 1) and pair (1, 0) are one. */
static void closed(dp_device *device)
{
    static const double first[2][3] = {{0.022799457824128386, -0.0013450518257939262, -0.0034160234282407825},
                                       {-0.154049867692018, 0.003680415596258699, 0.001859097997723882}};
    static const double norm[2] = {0.23471947544610997, 0.5214729700057967};
    float gradient[2 * UNITS * H];
    dp_tensor *e = atoms(device, 2), *parts[3];
    dp_tensor *value = dp_atom_loss(device, e, &(dp_atom_params){.force = 2}, parts);
    suite_ok(device);
    assert_true(fabs(dp_item(value) - 2 * -0.05944279663012264) <= 2 * TOLERANCE);
    assert_true(fabs(dp_item(parts[0]) - -0.05944279663012264) <= TOLERANCE);
    assert_true(!parts[1] && !parts[2] && !dp_requires_grad(parts[0]));
    assert_int_equal(dp_backward(value), DP_OK);
    assert_int_equal(dp_read(dp_grad(e), gradient, sizeof gradient), DP_OK);
    for (int k = 0; k < 2 * UNITS * H; k++)
        gradient[k] /= 2;
    for (int k = 0; k < 2; k++)
        check_rows("closed form", gradient + k * UNITS * H, UNITS * H, norm[k], first[k]);
    dp_tensor *list[] = {e, value, parts[0]};
    for (int k = 0; k < 3; k++)
        dp_tensor_release(&list[k]);
}

static void states(dp_device *device)
{
    static const double q[UNITS] = {-0.2548474796587521, -0.7312929584362379, 0.31454256342393627, -0.06043973997911953,
                                    0.020750881267140427};
    static const double mu[H - 1] = {0.8842081891047127, 0.9431450544315549, -0.02866745752886928};
    dp_atom_state state;
    float charges[B * UNITS], masses[B * UNITS], nuclei[B * (H - 1)], radii[B];
    dp_tensor *e = atoms(device, B);
    assert_int_equal(dp_atom_state_create(device, e, 0, &state), DP_OK);
    assert_int_equal(dp_read(state.charges, charges, sizeof charges), DP_OK);
    assert_int_equal(dp_read(state.masses, masses, sizeof masses), DP_OK);
    assert_int_equal(dp_read(state.nuclei, nuclei, sizeof nuclei), DP_OK);
    assert_int_equal(dp_read(state.radii, radii, sizeof radii), DP_OK);
    for (int k = 0; k < UNITS; k++) {
        assert_true(fabs((double)charges[k] - q[k]) <= 1e-6);
        assert_true(fabs((double)masses[k] - (1 - fmax(-q[k], 0))) <= 1e-6);
    }
    for (int k = 0; k < H - 1; k++)
        assert_true(fabs((double)nuclei[k] - mu[k]) <= 1e-6);
    assert_true(fabs((double)radii[0] - 0.19287415862071802) <= 1e-6);
    dp_atom_state_release(&state);
    dp_tensor_release(&e);
}

/* Other forms, by single calls. ------------------------------ */

/* A loss with pairs that are drawn on the device of the call, the same ones on each. */
typedef struct form {
    dp_atom_params params;
    dp_atom_pairs_params pairs;
    bool paired;
} form;

static dp_tensor *loss(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    const form *f = context;
    dp_atom_params params = f->params;
    dp_atom_pairs *pairs = f->paired ? dp_atom_pairs_create(device, B, UNITS, &f->pairs) : NULL;
    assert_int_equal(count, 1);
    params.pairs = pairs;
    dp_tensor *value = dp_atom_loss(device, x[0], &params, NULL);
    dp_atom_pairs_destroy(&pairs);
    return value;
}

/* The value in double precision from the state: each pair of samples and of sub-units by itself. */
static double energy(const dp_atom_state *state, int a, int b, double norm, const int32_t *i, const int32_t *j, int drawn_pairs)
{
    float q[B * UNITS], mu[B * (H - 1)], r[B];
    assert_int_equal(dp_read(state->charges, q, sizeof q), DP_OK);
    assert_int_equal(dp_read(state->nuclei, mu, sizeof mu), DP_OK);
    assert_int_equal(dp_read(state->radii, r, sizeof r), DP_OK);
    double distance = 0, sum = 0;
    for (int c = 0; c < H - 1; c++) {
        const double d = fabs((double)mu[a * (H - 1) + c] - (double)mu[b * (H - 1) + c]);
        distance = isinf(norm) ? fmax(distance, d) : distance + pow(d, norm);
    }
    distance = isinf(norm) ? distance : pow(distance, 1 / norm);
    const int terms = i ? drawn_pairs : UNITS * UNITS;
    for (int t = 0; t < terms; t++) {
        const double x = (double)q[a * UNITS + (i ? i[t] : t / UNITS)] * (double)q[b * UNITS + (i ? j[t] : t % UNITS)];
        sum += x / (x < 0 ? distance + ((double)r[a] + (double)r[b]) / 2 : distance);
    }
    return sum;
}

static double expected(dp_device *device, const dp_tensor *e, const dp_atom_params *p)
{
    dp_atom_state state;
    int32_t a[B], b[B], i[B * UNITS], j[B * UNITS];
    double sum = 0;
    const double norm = p->norm == 0 ? 2 : p->norm;
    assert_int_equal(dp_atom_state_create(device, e, p->norm, &state), DP_OK);
    if (!p->pairs) {
        for (int k = 0; k < B * B; k++)
            sum += k / B == k % B ? 0 : energy(&state, k / B, k % B, norm, NULL, NULL, 0) / (B * (B - 1));
    } else {
        const int m = (int)p->pairs->drawn;
        assert_int_equal(dp_read(p->pairs->a, a, sizeof a), DP_OK);
        assert_int_equal(dp_read(p->pairs->b, b, sizeof b), DP_OK);
        if (p->pairs->i) {
            dp_read(p->pairs->i, i, (size_t)(B * m) * sizeof *i);
            dp_read(p->pairs->j, j, (size_t)(B * m) * sizeof *j);
        }
        for (int k = 0; k < B; k++)
            sum += energy(&state, a[k], b[k], norm, p->pairs->i ? i + k * m : NULL, j + k * m, m) / B;
    }
    dp_atom_state_release(&state);
    return sum;
}

static void check_form(dp_device *device, form *f)
{
    dp_grad_check_result result;
    dp_atom_pairs *pairs = f->paired ? dp_atom_pairs_create(device, B, UNITS, &f->pairs) : NULL;
    dp_tensor *e = atoms(device, B);
    dp_atom_params params = f->params;
    params.pairs = pairs;
    dp_tensor *parts[3], *value = dp_atom_loss(device, e, &params, parts);
    suite_ok(device);
    const double want = expected(device, e, &params), found = dp_item(parts[0]);
    if (!(fabs(found - want) <= TOLERANCE * fmax(1, fabs(want))))
        fail_msg("p = %g, form %d: %.9g, not %.9g", params.norm, (int)f->pairs.units, found, want);
    const double sum = found + params.charge * dp_item(parts[1]) + params.pnum * dp_item(parts[2]);
    assert_true(fabs(dp_item(value) - sum) <= TOLERANCE * (1 + fabs(found)));
    assert_int_equal(dp_grad_check(loss, f, &e, 1, 1, 0, 20, &result), DP_OK);
    if (!(result.worst <= 1))
        fail_msg("p = %g, form %d: element %d: %.9g, by differences %.9g +- %.3g", params.norm, (int)f->pairs.units,
                 (int)result.element, result.gradient, result.difference, result.allowed);
    dp_tensor *list[] = {value, e, parts[0], parts[1], parts[2]};
    for (int k = 0; k < 5; k++)
        dp_tensor_release(&list[k]);
    dp_atom_pairs_destroy(&pairs);
}

/* Every form: its value, and its gradient against differences. On other devices the texts of the formulas are the same, and each
 * is one more kernel. */
static void forms(dp_device *device)
{
    static const double norms[] = {2, 1, 1.5, 4, INFINITY};
    static const dp_atom_units units[] = {DP_ATOM_DISTINCT, DP_ATOM_ALL, DP_ATOM_ALL};
    const bool all = suite_full(device);
    for (size_t n = 0; n < (all ? sizeof norms / sizeof *norms : 1); n++)
        for (int k = 0; k < 3; k++) {
            form f = {.params = {.norm = norms[n], .force = 1, .charge = -0.5, .pnum = 0.1},
                      .pairs = {DP_ATOM_IID, units[k], 4, 11 + n},
                      .paired = k < 2};
            check_form(device, &f);
        }
}

/* In a program, with pairs that are drawn anew between runs: the same as by calls. */
typedef struct training {
    dp_tensor *e, *value, *gradient;
    dp_atom_params params;
} training;

static dp_status train(dp_device *device, void *context)
{
    training *t = context;
    dp_tensor *loss = dp_atom_loss(device, t->e, &t->params, NULL), *gradient = NULL;
    dp_status status = loss ? dp_gradients(loss, NULL, &t->e, 1, 0, &gradient) : dp_failed(device);
    if (status == DP_OK)
        status = dp_map_into(device, "x", DP_ARGS({"x", loss, 0}), &t->value, 1);
    if (status == DP_OK)
        status = dp_map_into(device, "x", DP_ARGS({"x", gradient, 0}), &t->gradient, 1);
    dp_tensor_release(&loss);
    dp_tensor_release(&gradient);
    return status;
}

static void programs(dp_device *device)
{
    static const dp_atom_units units[] = {DP_ATOM_DISTINCT, DP_ATOM_REPEATED, DP_ATOM_ALL};
    float first[2][SIZE], again[SIZE];
    for (int k = 0; k < 3; k++) {
        training t = {.e = atoms(device, B), .value = dp_full(device, DP_F32, DP_SCALAR, 0)};
        dp_atom_pairs *pairs =
            dp_atom_pairs_create(device, B, UNITS, &(dp_atom_pairs_params){.units = units[k], .most = 4, .seed = 5});
        t.gradient = dp_full(device, DP_F32, DP_SHAPE(B, UNITS, H), 0);
        t.params.pairs = pairs;
        for (int step = 0; step < 2; step++) {
            assert_int_equal(dp_atom_pairs_sample(pairs, 3 + (uint64_t)step), DP_OK);
            assert_int_equal(train(device, &t), DP_OK);
            assert_int_equal(dp_read(t.gradient, first[step], sizeof first[step]), DP_OK);
        }
        if (units[k] != DP_ATOM_ALL) /* there are only two shifts */
            assert_memory_not_equal(first[0], first[1], sizeof first[0]);
        dp_program *program = dp_program_create(device, train, &t);
        for (int step = 0; step < 4; step++) {
            assert_int_equal(dp_atom_pairs_sample(pairs, 3 + (uint64_t)step % 2), DP_OK);
            assert_int_equal(dp_program_run(program), DP_OK);
            suite_ok(device);
            assert_int_equal(dp_read(t.gradient, again, sizeof again), DP_OK);
            assert_memory_equal(again, first[step % 2], sizeof again);
        }
        dp_program_destroy(&program);
        dp_atom_pairs_destroy(&pairs);
        dp_tensor *list[] = {t.e, t.value, t.gradient};
        for (int n = 0; n < 3; n++)
            dp_tensor_release(&list[n]);
    }
}

/* The distance at rest. ------------------------------ */

/* Of nuclei at distance D on a line, the derivative of the energy by D, and the energy. */
static double slope(dp_device *device, dp_tensor *const t[6], double D, double *value)
{
    static const char *const wrt[] = {"y"};
    const float y[2] = {(float)D, (float)D};
    dp_tensor *gradient, *energy;
    dp_potential_call p;
    assert_int_equal(dp_write(t[3], y, sizeof y), DP_OK);
    assert_int_equal(dp_potential_prepare(device, "atoms",
                                          DP_ARGS({"q", t[0], 0}, {"p", t[1], 0}, {"x", t[2], 0}, {"y", t[3], 0},
                                                  {"r", t[4], 0}, {"s", t[5], 0}),
                                          &p),
                     DP_OK);
    assert_int_equal(dp_pairwise_gradient(device, p.formula, DP_SUM_ALL, p.args, NULL, wrt, 1, &gradient, &energy), DP_OK);
    float g[2];
    assert_int_equal(dp_read(gradient, g, sizeof g), DP_OK);
    *value = dp_item(energy);
    dp_tensor_release(&gradient);
    dp_tensor_release(&energy);
    return (double)g[0] + (double)g[1];
}

/* Two charges of each sign: c1 = 2 a b of like ones, c2 = a^2 + b^2 of unlike ones, k = c2 / c1. With k > 1 there is one minimum, at
 * R / (sqrt(k) - 1), of -c1 (sqrt(k) - 1)^2 / R; with k <= 1 they repel each other at every distance. */
static void distance_at_rest(dp_device *device)
{
    const double a = 0.9, b = 0.25, R = 0.4, c1 = 2 * a * b, c2 = a * a + b * b, k = c2 / c1;
    const float zeros[2] = {0, 0}, radii[2] = {0.3f, 0.3f}, others[2] = {0.5f, 0.5f};
    const float q[2] = {0.9f, -0.25f}, unlike[2] = {-0.9f, 0.25f};
    const float *const parts[6] = {q, unlike, zeros, zeros, radii, others};
    dp_tensor *t[6];
    for (int n = 0; n < 6; n++)
        t[n] = dp_from(device, DP_F32, DP_SHAPE(2), parts[n]);
    double low = 0.01, high = 10, value;
    for (int step = 0; step < 24; step++) {
        const double middle = sqrt(low * high);
        *(slope(device, t, middle, &value) < 0 ? &low : &high) = middle;
    }
    assert_true(fabs(low - R / (sqrt(k) - 1)) <= 1e-4);
    assert_true(fabs(value - -c1 * pow(sqrt(k) - 1, 2) / R) <= 1e-5);
    dp_write(t[1], q, sizeof q); /* like ones: k = c1 / c2 < 1 */
    for (int step = 0; step < 8; step++)
        assert_true(slope(device, t, pow(2, step - 4), &value) < 0);
    for (int n = 0; n < 6; n++)
        dp_tensor_release(&t[n]);
}

/* Drawing. ------------------------------ */

static void draws(dp_device *device)
{
    enum { SAMPLES = 6, WIDE = 9, DRAWN = 4, STEPS = 200 };
    int32_t a[SAMPLES], b[SAMPLES], i[SAMPLES * DRAWN], seen[WIDE] = {0}, shifts[SAMPLES] = {0};
    const dp_atom_pairs_params params = {.most = DRAWN, .seed = 77};
    dp_atom_pairs *pairs = dp_atom_pairs_create(device, SAMPLES, WIDE, &params);
    suite_ok(device);
    for (int step = 0; step < STEPS; step++) {
        assert_int_equal(dp_atom_pairs_sample(pairs, (uint64_t)step), DP_OK);
        dp_read(pairs->a, a, sizeof a);
        dp_read(pairs->b, b, sizeof b);
        dp_read(step % 2 ? pairs->j : pairs->i, i, sizeof i);
        const int shift = (b[0] - a[0] + SAMPLES) % SAMPLES;
        assert_in_range(shift, 1, SAMPLES - 1);
        shifts[shift]++;
        for (int k = 0; k < SAMPLES; k++)
            assert_true(a[k] == k && b[k] == (k + shift) % SAMPLES);
        for (int k = 0; k < SAMPLES * DRAWN; k++) {
            assert_in_range(i[k], 0, WIDE - 1);
            seen[i[k]]++;
            for (int other = k - k % DRAWN; other < k; other++)
                assert_int_not_equal(i[k], i[other]);
        }
    }
    /* Each as often as the others: 4 standard deviations of a binomial count. */
    for (int k = 0; k < WIDE; k++)
        assert_true(fabs(seen[k] - STEPS * SAMPLES * DRAWN / (double)WIDE) <= 4 * sqrt(STEPS * SAMPLES * DRAWN / (double)WIDE));
    for (int k = 1; k < SAMPLES; k++)
        assert_true(fabs(shifts[k] - STEPS / (SAMPLES - 1.0)) <= 4 * sqrt(STEPS / (SAMPLES - 1.0)));
    dp_atom_pairs_destroy(&pairs);
}

/* L_force of drawn sub-units is on average M / n^2 times that of all of them. */
static void mean_of_draws(dp_device *device)
{
    static const dp_atom_units units[2] = {DP_ATOM_DISTINCT, DP_ATOM_REPEATED};
    enum { STEPS = 300, DRAWN = 3 };
    dp_tensor *e = atoms(device, 2);
    if (!suite_full(device)) {
        dp_tensor_release(&e);
        return;
    }
    dp_grad_pause(device);
    dp_tensor *all = dp_atom_loss(device, e, &(dp_atom_params){.force = 1}, NULL),
              *scaled = dp_atom_loss(device, e, &(dp_atom_params){.force = 1, .expected = true}, NULL),
              *mean = dp_atom_loss(device, e, &(dp_atom_params){.force = 1, .normalise = true}, NULL);
    const double want = dp_item(all) * DRAWN / (UNITS * UNITS);
    assert_true(fabs(dp_item(scaled) - dp_item(all) * UNITS / (UNITS * UNITS)) <= 1e-6);
    assert_true(fabs(dp_item(mean) - dp_item(all) / (UNITS * UNITS)) <= 1e-6);
    for (int k = 0; k < 2; k++) {
        dp_atom_pairs *pairs =
            dp_atom_pairs_create(device, 2, UNITS, &(dp_atom_pairs_params){.units = units[k], .most = DRAWN, .seed = 9});
        double sum = 0, square = 0;
        for (int step = 0; step < STEPS; step++) {
            dp_atom_pairs_sample(pairs, (uint64_t)step);
            dp_tensor *value = dp_atom_loss(device, e, &(dp_atom_params){.force = 1, .pairs = pairs}, NULL);
            const double found = dp_item(value);
            sum += found;
            square += found * found;
            dp_tensor_release(&value);
        }
        suite_ok(device);
        const double average = sum / STEPS, deviation = sqrt(square / STEPS - average * average);
        assert_true(deviation > 0 && fabs(average - want) <= 4 * deviation / sqrt(STEPS));
        dp_atom_pairs_destroy(&pairs);
    }
    dp_grad_resume(device);
    dp_tensor *list[] = {e, all, scaled, mean};
    for (int k = 0; k < 4; k++)
        dp_tensor_release(&list[k]);
}

/* Singular points: charges of 0, equal nuclei. Their gradients are numbers. */
static void singular(dp_device *device)
{
    float e[B * UNITS * H] = {0}, g[B * UNITS * H];
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(B, UNITS, H), e);
    dp_require_grad(x);
    dp_tensor *value = dp_atom_loss(device, x, NULL, NULL);
    suite_ok(device);
    assert_true(isfinite(dp_item(value)));
    assert_int_equal(dp_backward(value), DP_OK);
    dp_read(dp_grad(x), g, sizeof g);
    for (int k = 0; k < B * UNITS * H; k++)
        assert_true(g[k] == 0);
    dp_tensor_release(&value);
    for (int k = 0; k < B * UNITS; k++)
        e[k * H] = k % UNITS == 0 ? 0 : k % 2 ? 0.5f : -0.5f; /* nuclei that meet: D is its least value */
    dp_grad_clear(x);
    dp_write(x, e, sizeof e);
    value = dp_atom_loss(device, x, NULL, NULL);
    assert_int_equal(dp_backward(value), DP_OK);
    dp_read(dp_grad(x), g, sizeof g);
    for (int k = 0; k < B * UNITS * H; k++)
        assert_true(isfinite(g[k]) && (k % H == 0 || g[k] == 0));
    dp_tensor_release(&value);
    dp_tensor_release(&x);
}

/* Wrong arguments. ------------------------------ */

static void refused(dp_device *device, dp_tensor *result, const char *word)
{
    assert_null(result);
    suite_failed(device, DP_ERROR_ARGUMENT, word);
}

static void refused_pairs(dp_device *device, int64_t batch, int64_t units, dp_atom_pairs_params params, const char *word)
{
    assert_null(dp_atom_pairs_create(device, batch, units, &params));
    suite_failed(device, DP_ERROR_ARGUMENT, word);
}

static void wrong(dp_device *device)
{
    dp_atom_state state;
    dp_tensor *e = atoms(device, B), *one = dp_slice(e, 0, 0, 1, 1), *thin = dp_slice(e, 2, 0, 1, 1),
              *flat = dp_reshape(e, DP_SHAPE(B * UNITS, H)), *whole = dp_full(device, DP_I32, DP_SHAPE(2, 2, 2), 1);
    dp_atom_pairs *pairs = dp_atom_pairs_create(device, B, UNITS, NULL);
    dp_tensor *parts[3];
    assert_int_equal(pairs->drawn, UNITS);
    refused(device, dp_atom_loss(device, flat, NULL, parts), "[15, 4]");
    assert_true(!parts[0] && !parts[1] && !parts[2]);
    refused(device, dp_atom_loss(device, thin, NULL, NULL), "h of 2");
    refused(device, dp_atom_loss(device, whole, NULL, NULL), "e");
    refused(device, dp_atom_loss(device, one, NULL, NULL), "one sample");
    refused(device, dp_atom_loss(device, e, &(dp_atom_params){.norm = 0.5}, NULL), "norm is 0.5");
    refused(device, dp_atom_loss(device, e, &(dp_atom_params){.norm = NAN}, NULL), "norm");
    refused(device, dp_atom_loss(device, e, &(dp_atom_params){.charge = INFINITY}, NULL), "charge is inf");
    refused(device, dp_atom_loss(device, one, &(dp_atom_params){.pairs = pairs}, NULL), "pairs are of 3");
    refused(device, dp_atom_loss(device, e, &(dp_atom_params){.pairs = pairs, .expected = true}, NULL), "expected");
    refused(device, dp_atom_loss(device, e, &(dp_atom_params){.normalise = true, .expected = true}, NULL), "normalise");
    assert_int_equal(dp_atom_state_create(device, flat, 0, &state), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "atom_state");
    assert_int_equal(dp_atom_state_create(device, e, 0, NULL), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "state is NULL");
    refused_pairs(device, 1, UNITS, (dp_atom_pairs_params){0}, "batch is 1");
    refused_pairs(device, 2, 0, (dp_atom_pairs_params){0}, "units is 0");
    refused_pairs(device, 2, 2, (dp_atom_pairs_params){.most = -1}, "most is -1");
    refused_pairs(device, 2, 2, (dp_atom_pairs_params){.pairing = 2}, "pairing is 2");
    refused_pairs(device, 2, 2, (dp_atom_pairs_params){.units = 3}, "units is 3");
    assert_int_equal(dp_atom_pairs_sample(pairs, (1 << 24) + 1), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "step");
    assert_null(dp_atom_loss(NULL, e, NULL, NULL));
    dp_atom_state_release(NULL);
    dp_atom_pairs_destroy(NULL);
    dp_atom_pairs_destroy(&pairs);
    dp_tensor *list[] = {e, one, thin, flat, whole};
    for (int k = 0; k < 5; k++)
        dp_tensor_release(&list[k]);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {{"states", states}, {"drawn pairs", drawn}, {"closed form", closed}, {"forms", forms}, {"programs", programs},
                                       {"distance at rest", distance_at_rest}, {"draws", draws}, {"mean of draws", mean_of_draws},
                                       {"singular points", singular}, {"wrong arguments", wrong}};
    return suite_run("atom", tests, sizeof tests / sizeof *tests);
}
