/* SPDX-License-Identifier: Apache-2.0 */
/* The named potentials with their gradients, summed over j. p: the potential. n, m, d: sizes; self=1: the same points on both
 * sides, so that each meets itself. Bounds are those of the formula and of its derivative as a formula; the independent
 * computation is k(r) and w(r) = -k'(r) / r of each potential in closed form, in double. */
#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { X, Y, Q, P, R, S, H, NAMES };
static const char *const names[NAMES] = {"x", "y", "q", "p", "r", "s", "h"};
enum { BANDWIDTHS = 3 };

/* One pair, in double: t = r^2, the potential's parameters, and what else it takes. */
typedef struct pair {
    double t, a, b, c;
    double q, p, radius;
    const float *h;
} pair;

typedef struct state {
    const dp_potential *potential;
    int64_t n, m, d;
    bool self;
    dp_tensor *tensor[NAMES];
    const float *host[NAMES];
    dp_potential_call call;
} state;

/* ---- the closed forms ---- */

typedef void closed_form(const pair *at, double *k, double *w);

#define CLOSED_FORM(name, energy, force)                                                                     \
    static void name(const pair *at, double *k, double *w)                                                   \
    {                                                                                                        \
        const double t = at->t, a = at->a, b = at->b, r = sqrt(t);                                           \
        (void)a, (void)b, (void)r;                                                                           \
        *k = energy;                                                                                         \
        *w = force;                                                                                          \
    }

CLOSED_FORM(riesz, r >= b ? pow(r, -a) : (a + 2) / 2 * pow(b, -a) - a / 2 * pow(b, -a - 2) * t, a *pow(fmax(r, b), -a - 2))
CLOSED_FORM(riesz_smooth, pow(r >= b ? r : t / (2 * b) + b / 2, -a),
            a *pow(r >= b ? r : t / (2 * b) + b / 2, -a - 1) / fmax(r, b))
CLOSED_FORM(plummer, pow(t + b * b, -a / 2), a *pow(t + b * b, -a / 2 - 1))
CLOSED_FORM(coulomb, a / sqrt(t + b * b), a *pow(t + b * b, -1.5))
CLOSED_FORM(energy, -pow(t + b * b, a / 2), a *pow(t + b * b, a / 2 - 1))
CLOSED_FORM(logarithm, -0.5 * log(t + a * a), 1 / (t + a * a))
CLOSED_FORM(gaussian, exp(-t / (2 * a * a)), exp(-t / (2 * a * a)) / (a * a))
CLOSED_FORM(laplace, exp(-r / a), exp(-r / a) / (a * r))
CLOSED_FORM(inverse_multiquadric, pow(b * b + t, -a), 2 * a * pow(b * b + t, -a - 1))
CLOSED_FORM(rational_quadratic, pow(1 + t / (2 * a * b * b), -a), pow(1 + t / (2 * a * b * b), -a - 1) / (b * b))
CLOSED_FORM(student_t, pow(1 + t / a, -(a + 1) / 2), (a + 1) / a * pow(1 + t / a, -(a + 3) / 2))
CLOSED_FORM(matern32, (1 + sqrt(3) * r / a) * exp(-sqrt(3) * r / a), 3 / (a * a) * exp(-sqrt(3) * r / a))
CLOSED_FORM(matern52, (1 + sqrt(5) * r / a + 5 * t / (3 * a * a)) * exp(-sqrt(5) * r / a),
            5 / (3 * a * a) * (1 + sqrt(5) * r / a) * exp(-sqrt(5) * r / a))
CLOSED_FORM(wendland_c2, pow(fmax(1 - r / a, 0), 4) * (4 * r / a + 1), 20 / (a * a) * pow(fmax(1 - r / a, 0), 3))
CLOSED_FORM(parabola, fmax(1 - t / (a * a), 0), r < a ? 2 / (a * a) : 0)

static void yukawa(const pair *at, double *k, double *w)
{
    const double a = sqrt(at->t + at->b * at->b);
    *k = exp(-at->a * a) / a;
    *w = exp(-at->a * a) * (1 + at->a * a) / (a * a * a);
}

static void lennard_jones(const pair *at, double *k, double *w)
{
    const double cut = at->c * at->c, m = fmax(at->t, cut), p = pow(at->b * at->b / m, 3);
    *w = 8 * at->a * (6 * p * p - 3 * p) / m;
    *k = 4 * at->a * (p * p - p) + (at->t < cut ? *w / 2 * (cut - at->t) : 0);
}

static void gaussians(const pair *at, double *k, double *w)
{
    *k = *w = 0;
    for (int b = 0; b < BANDWIDTHS; b++) {
        const double h = (double)at->h[b], value = exp(-at->t / (2 * h * h));
        *k += value;
        *w += value / (h * h);
    }
}

static void atoms(const pair *at, double *k, double *w)
{
    const double z = at->q * at->p, r = sqrt(at->t), reach = fmax(r, at->a) + (z < 0 ? at->radius : 0);
    *k = z / reach;
    *w = r > at->a ? z / (reach * reach * r) : 0;
}

static const struct {
    const char *name;
    closed_form *form;
} forms[] = {
    {"riesz", riesz},
    {"riesz_smooth", riesz_smooth},
    {"plummer", plummer},
    {"coulomb", coulomb},
    {"energy", energy},
    {"log", logarithm},
    {"gaussian", gaussian},
    {"gaussians", gaussians},
    {"laplace", laplace},
    {"inverse_multiquadric", inverse_multiquadric},
    {"rational_quadratic", rational_quadratic},
    {"student_t", student_t},
    {"matern32", matern32},
    {"matern52", matern52},
    {"wendland_c2", wendland_c2},
    {"parabola", parabola},
    {"yukawa", yukawa},
    {"lennard_jones", lennard_jones},
    {"atoms", atoms},
};

static closed_form *find_form(const char *name)
{
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
        if (!strcmp(forms[k].name, name))
            return forms[k].form;
    return NULL;
}

/* ---- a case ---- */

static void setup(ops_run *run)
{
    static const ops_fill points = {.low = -1, .high = 1}, lengths = {.low = 0.25, .high = 1};
    state *s = run->state;
    char name[32];
    s->potential = dp_potential_find(ops_word(run, "p", "riesz", name, sizeof name));
    s->self = ops_int(run, "self", 0);
    s->n = ops_int(run, "n", 1);
    s->m = s->self ? s->n : ops_int(run, "m", s->n);
    s->d = ops_int(run, "d", 2);
    if (!s->potential) {
        run->failed = true;
        return;
    }
    const int64_t rows[NAMES] = {s->n, s->m, s->n, s->m, s->n, s->m, BANDWIDTHS};
    dp_arg arg[NAMES];
    int count = 0;
    for (int k = 0; k < NAMES; k++) {
        const bool point = k == X || k == Y, length = k == R || k == S || k == H;
        const char *found = strstr(s->potential->tensors, names[k]);
        if (!found)
            continue;
        s->tensor[k] = k == Y && s->self ? s->tensor[X]
                                         : ops_input(run, DP_F32, point ? DP_SHAPE(rows[k], s->d) : DP_SHAPE(rows[k]), "",
                                                     length ? lengths : points);
        arg[count++] = (dp_arg){.name = names[k], .tensor = s->tensor[k]};
    }
    dp_potential_prepare(run->device, s->potential->name, (dp_args){arg, count}, &s->call);
    run->pairs = (double)s->n * (double)s->m;
    run->bytes = 4.0 * (double)(s->n + s->m) * (double)s->d;
}

static void launch(ops_run *run)
{
    static const char *const wrt[] = {"x"};
    const state *s = run->state;
    run->results = 2;
    dp_pairwise_gradient(run->device, s->call.formula, DP_SUM_J, s->call.args, NULL, wrt, 1, &run->result[1], &run->result[0]);
}

static void bound(ops_run *run)
{
    const state *s = run->state;
    const dp_explain_options options = {.dim = (int)s->d, .vectors = s->tensor[H] ? "x, y, h" : "x, y", .gradient = "x[i]"};
    dp_explanation *explained = NULL;
    run->bound[0] = dp_pairwise_bound(run->device, s->call.formula, DP_SUM_J, s->call.args);
    if (dp_explanation_create(s->call.formula, &options, &explained) == DP_OK)
        run->bound[1] = dp_pairwise_bound(run->device, explained->gradients[0].formula, DP_SUM_J, s->call.args);
    else
        run->failed = true;
    dp_explanation_destroy(&explained);
}

static pair pair_at(const state *s, int64_t i, int64_t j)
{
    pair at = {.h = s->host[H]};
    double *const parameters[] = {&at.a, &at.b, &at.c};
    for (int k = 0; k < dp_potential_parameter_count(s->potential); k++)
        *parameters[k] = (double)(float)s->potential->parameter[k].value;
    for (int64_t c = 0; c < s->d; c++)
        at.t += pow((double)s->host[X][i * s->d + c] - (double)s->host[Y][j * s->d + c], 2);
    if (s->host[Q]) {
        at.q = (double)s->host[Q][i];
        at.p = (double)s->host[P][j];
        at.radius = 0.5 * ((double)s->host[R][i] + (double)s->host[S][j]);
    }
    return at;
}

static void expect(ops_run *run, int result, double *values)
{
    state *s = run->state;
    closed_form *form = find_form(s->potential->name);
    const int64_t columns = result == 0 ? 1 : s->d;
    for (int k = 0; k < NAMES; k++)
        if (s->tensor[k])
            s->host[k] = ops_floats(run, s->tensor[k]);
    for (int64_t i = 0; i < s->n; i++) {
        double *row = values + i * columns, k, w;
        memset(row, 0, (size_t)columns * sizeof *row);
        for (int64_t j = 0; j < s->m; j++) {
            const pair at = pair_at(s, i, j);
            if (!form) { /* a potential without a closed form here is not tested */
                row[0] = (double)NAN;
                continue;
            }
            form(&at, &k, &w);
            for (int64_t c = 0; c < columns; c++)
                row[c] += result == 0 ? k
                          : at.t == 0 ? 0
                                      : -w * ((double)s->host[X][i * s->d + c] - (double)s->host[Y][j * s->d + c]);
        }
    }
}

/* Kernels are built for a potential and a dimension: dimensions go around, so that each potential needs one. */
static void cases(ops_list *list)
{
    for (size_t k = 0; dp_potential_at(k); k++) {
        const char *name = dp_potential_at(k)->name;
        const int d = k % 2 == 0 ? 2 : 5;
        ops_add(list, d == 2, "p=%s n=1 m=1 d=%d", name, d);
        ops_add(list, false, "p=%s n=0 m=7 d=%d", name, d);
        ops_add(list, false, "p=%s n=7 m=0 d=%d", name, d);
        ops_add(list, false, "p=%s n=7 m=130 d=%d", name, d);
        ops_add(list, false, "p=%s n=130 self=1 d=%d", name, d);
    }
}

const ops_op ops_potential = {
    .name = "potential",
    .keys = "p n m d self",
    .state_size = sizeof(state),
    .cases = cases,
    .setup = setup,
    .launch = launch,
    .bound = bound,
    .expect = expect,
};
