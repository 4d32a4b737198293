/* SPDX-License-Identifier: Apache-2.0 */
/* Pairwise reductions. f: a formula of the table below, by name. r, over: the reduction and its side (j, i,
 * all). n, m, d: sizes; self=1: the same points on both sides; skip=1: DP_EXCLUDE_SELF; xl, yl, pl: layouts
 * of x, y and the charges. */
#include "ops.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What formulas are made of: x and y points, q and p scalars of either side, w a vector and t a scalar tensor
 * of the call, eps, h and tau scalars of the call. */
enum { X, Y, Q, P, W, T, EPS, H, TAU, NAMES };
static const char *const names[NAMES] = {"x", "y", "q", "p", "w", "t", "eps", "h", "tau"};

/* One pair, in double. */
typedef struct pair {
    const float *x, *y, *w;
    double q, p, t, eps, h, tau;
    int64_t d;
} pair;

typedef struct formula {
    const char *name, *text;
    bool vector;
    double flops; /* of a pair: constant, and by component */
    double flops_d;
    double (*value)(const pair *at); /* of a vector: what all its components share */
    double (*component)(const pair *at, double shared, int64_t c);
} formula;

typedef struct state {
    const formula *formula;
    char text[192];
    int64_t n, m, d;
    bool self, skip;
    dp_reduction reduction;
    unsigned mode;
    dp_tensor *tensor[NAMES];
    double scalar[NAMES];
    dp_arg arg[NAMES];
    dp_args args;
    const float *host[NAMES]; /* for the independent computation */
} state;

/* ---- the formulas once more, in C ---- */

static double square_distance(const pair *at)
{
    double sum = 0;
    for (int64_t c = 0; c < at->d; c++) {
        const double difference = (double)at->x[c] - (double)at->y[c];
        sum += difference * difference;
    }
    return sum;
}

static double inner_product(const pair *at)
{
    double sum = 0;
    for (int64_t c = 0; c < at->d; c++)
        sum += (double)at->x[c] * (double)at->y[c];
    return sum;
}

static double plummer(const pair *at)
{
    return at->q * at->p / sqrt(square_distance(at) + at->eps * at->eps);
}

static double gaussian(const pair *at)
{
    return exp(-square_distance(at) / (2 * at->h * at->h));
}

static double riesz(const pair *at)
{
    const double r = sqrt(square_distance(at)), eps = at->eps;
    return r >= eps ? 1 / r : 1.5 / eps - 0.5 / (eps * eps * eps) * r * r;
}

static double minus_distance(const pair *at)
{
    return -sqrt(square_distance(at));
}

static double scaled_dot(const pair *at)
{
    return inner_product(at) / at->tau;
}

static double norm_1(const pair *at)
{
    double sum = 0;
    for (int64_t c = 0; c < at->d; c++)
        sum += fabs((double)at->x[c] - (double)at->y[c]);
    return sum;
}

static double norm_3(const pair *at)
{
    double sum = 0;
    for (int64_t c = 0; c < at->d; c++)
        sum += pow(fabs((double)at->x[c] - (double)at->y[c]), 3);
    return cbrt(sum);
}

static double norm_inf(const pair *at)
{
    double largest = 0;
    for (int64_t c = 0; c < at->d; c++)
        largest = fmax(largest, fabs((double)at->x[c] - (double)at->y[c]));
    return largest;
}

static double distance_1d(const pair *at)
{
    return fabs(at->q - at->p) * at->p;
}

static double weighted(const pair *at)
{
    double sum = 0;
    for (int64_t c = 0; c < at->d; c++) {
        const double difference = (double)at->x[c] - (double)at->y[c];
        sum += (double)at->w[c] * difference * difference;
    }
    return at->t * exp(-sum / (double)at->d);
}

static double gated(const pair *at)
{
    const double dot = inner_product(at) / at->tau;
    return dot > 0 ? dot * dot : at->q * at->p / (1 + exp(-dot));
}

static double force_by_distance(const pair *at)
{
    const double r2 = square_distance(at) + at->eps * at->eps;
    return at->p / (r2 * sqrt(r2));
}

static double force(const pair *at, double shared, int64_t c)
{
    return shared * ((double)at->x[c] - (double)at->y[c]);
}

static double charges(const pair *at)
{
    return at->q * at->p;
}

static double blend(const pair *at, double shared, int64_t c)
{
    return shared * (double)at->y[c];
}

static double nothing(const pair *at)
{
    (void)at;
    return 0;
}

static double sum_tanh(const pair *at, double shared, int64_t c)
{
    return shared + (double)at->w[c] * tanh((double)at->x[c] + (double)at->y[c]);
}

static const formula formulas[] = {
    {"plummer", "q[i] * p[j] * rsqrt(sqdist(x[i], y[j]) + eps^2)", false, 4, 3, plummer, NULL},
    {"gaussian", "exp(-sqdist(x[i], y[j]) / (2 * h^2))", false, 2, 3, gaussian, NULL},
    {"riesz", "r = norm(x[i] - y[j]); select(r >= eps, 1 / max(r, eps), 1.5 / eps - 0.5 / eps^3 * r^2)",
     false, 8, 3, riesz, NULL},
    {"minus_r", "-norm(x[i] - y[j])", false, 2, 3, minus_distance, NULL},
    {"sqdist", "sqdist(x[i], y[j])", false, 0, 3, square_distance, NULL},
    {"dot", "dot(x[i], y[j])", false, 0, 2, inner_product, NULL},
    {"scaled_dot", "dot(x[i], y[j]) / tau", false, 1, 2, scaled_dot, NULL},
    {"norm_1", "norm_p(x[i] - y[j], 1)", false, 0, 3, norm_1, NULL},
    {"norm_3", "norm_p(x[i] - y[j], 3)", false, 1, 5, norm_3, NULL},
    {"norm_inf", "norm_p(x[i] - y[j], inf)", false, 0, 3, norm_inf, NULL},
    {"line", "abs(q[i] - p[j]) * p[j]", false, 3, 0, distance_1d, NULL},
    {"weighted", "t * exp(-mean(w * (x[i] - y[j])^2))", false, 3, 4, weighted, NULL},
    {"gated", "s = dot(x[i], y[j]) / tau; select(s > 0, s^2, q[i] * p[j] * sigmoid(s))", false, 6, 2, gated,
     NULL},
    {"force", "p[j] * (x[i] - y[j]) * rsqrt(sqdist(x[i], y[j]) + eps^2)^3", true, 5, 6, force_by_distance,
     force},
    {"attract", "q[i] * p[j] * (x[i] - y[j])", true, 1, 2, charges, force},
    {"blend", "y[j] * exp(-sqdist(x[i], y[j]) / (2 * h^2))", true, 2, 5, gaussian, blend},
    {"sum_tanh", "w * tanh(x[i] + y[j])", true, 0, 4, nothing, sum_tanh},
};
enum { FORMULAS = sizeof formulas / sizeof *formulas };

/* ---- a case ---- */

/* Whether a name stands in a formula as a word; names are of letters alone. */
static bool uses(const char *text, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    for (const char *at = text + strcspn(text, letters); *at; at += strcspn(at, letters)) {
        const size_t length = strspn(at, letters);
        if (length == strlen(name) && !memcmp(at, name, length))
            return true;
        at += length;
    }
    return false;
}

/* The formula's text; the same points on both sides have the same names there. */
static void write_text(state *s)
{
    snprintf(s->text, sizeof s->text, "%s", s->formula->text);
    for (char *at = s->text; s->self && *at; at++)
        if (at[1] == '[' && (*at == 'y' || *at == 'p'))
            *at = *at == 'y' ? 'x' : 'q';
}

static void add_tensor(ops_run *run, int which, dp_shape shape, const char *layout_key, ops_fill fill)
{
    state *s = run->state;
    char layout[12];
    if (!uses(s->text, names[which]))
        return;
    ops_word(run, layout_key, "", layout, sizeof layout);
    s->tensor[which] = ops_input(run, DP_F32, shape, layout, fill);
    s->arg[s->args.count++] = (dp_arg){.name = names[which], .tensor = s->tensor[which]};
}

static void add_scalar(state *s, int which, double value)
{
    s->scalar[which] = (double)(float)value;
    if (uses(s->text, names[which]))
        s->arg[s->args.count++] = (dp_arg){.name = names[which], .scalar = value};
}

static unsigned read_mode(const ops_run *run)
{
    const state *s = run->state;
    const unsigned side = ops_is(run, "over", "i")     ? DP_OVER_I
                          : ops_is(run, "over", "all") ? DP_OVER_ALL
                                                       : DP_OVER_J;
    return (unsigned)s->reduction | side | (s->skip ? DP_EXCLUDE_SELF : 0);
}

static void setup(ops_run *run)
{
    static const ops_fill points = {.low = -1, .high = 1}, weights = {.low = 0.125, .high = 1};
    state *s = run->state;
    s->formula = &formulas[0];
    for (int k = 0; k < FORMULAS; k++)
        if (ops_is(run, "f", formulas[k].name))
            s->formula = &formulas[k];
    for (int r = 0; r < DP_REDUCTION_COUNT; r++)
        if (ops_is(run, "r", dp_reduction_name((dp_reduction)r)))
            s->reduction = (dp_reduction)r;
    s->self = ops_int(run, "self", 0);
    s->skip = ops_int(run, "skip", 0);
    s->mode = read_mode(run);
    s->n = ops_int(run, "n", 1);
    s->m = s->self ? s->n : ops_int(run, "m", s->n);
    s->d = ops_int(run, "d", 3);
    s->args.arg = s->arg;
    write_text(s);
    add_tensor(run, X, DP_SHAPE(s->n, s->d), "xl", points);
    add_tensor(run, Y, DP_SHAPE(s->m, s->d), "yl", points);
    add_tensor(run, Q, DP_SHAPE(s->n), "ql", points);
    add_tensor(run, P, DP_SHAPE(s->m), "pl", points);
    add_tensor(run, W, DP_SHAPE(s->d), "", weights);
    add_tensor(run, T, DP_SCALAR, "", weights);
    add_scalar(s, EPS, 0.25);
    add_scalar(s, H, 0.5 * sqrt((double)s->d));
    add_scalar(s, TAU, 0.25 * sqrt((double)s->d));
    run->pairs = (double)s->n * (double)(s->skip ? s->m - 1 : s->m);
    run->flops = run->pairs * (s->formula->flops + 1 + s->formula->flops_d * (double)s->d);
    run->bytes = 4.0 * (double)(s->n + s->m) * (double)s->d;
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    run->results = 1;
    run->result[0] = dp_pairwise(run->device, s->text, s->mode, s->args);
}

static void bound(ops_run *run)
{
    const state *s = run->state;
    run->bound[0] = dp_pairwise_bound(run->device, s->text, s->mode, s->args);
}

/* ---- the independent computation ---- */

static void read_hosts(ops_run *run)
{
    state *s = run->state;
    for (int k = 0; k < NAMES; k++)
        if (s->tensor[k])
            s->host[k] = ops_floats(run, s->tensor[k]);
    if (s->self) {
        s->host[Y] = s->host[X];
        s->host[P] = s->host[Q];
    }
}

static pair pair_at(const state *s, int64_t i, int64_t j)
{
    return (pair){
        .x = s->host[X] ? s->host[X] + i * s->d : NULL,
        .y = s->host[Y] ? s->host[Y] + j * s->d : NULL,
        .w = s->host[W],
        .q = s->host[Q] ? (double)s->host[Q][i] : 0,
        .p = s->host[P] ? (double)s->host[P][j] : 0,
        .t = s->host[T] ? (double)s->host[T][0] : 0,
        .eps = s->scalar[EPS],
        .h = s->scalar[H],
        .tau = s->scalar[TAU],
        .d = s->d,
    };
}

/* What a reduction has seen so far. */
typedef struct running {
    int64_t count, at_low, at_high;
    double sum, low, high, exponentials; /* exponentials: sum of exp(value - high) */
} running;

static void see(running *r, double value, int64_t at)
{
    r->sum += value;
    if (r->count == 0 || value < r->low) {
        r->low = value;
        r->at_low = at;
    }
    if (r->count == 0 || value > r->high) {
        r->exponentials = r->count ? r->exponentials * exp(r->high - value) : 0;
        r->high = value;
        r->at_high = at;
    }
    r->exponentials += exp(value - r->high);
    r->count++;
}

static double reduced(const running *r, dp_reduction reduction)
{
    const double infinity = (double)INFINITY;
    const double result[DP_REDUCTION_COUNT] = {
        [DP_SUM] = r->sum,
        [DP_MEAN] = r->sum / (double)r->count,
        [DP_MAX] = r->count ? r->high : -infinity,
        [DP_MIN] = r->count ? r->low : infinity,
        [DP_ARGMAX] = r->count ? (double)r->at_high : -1,
        [DP_ARGMIN] = r->count ? (double)r->at_low : -1,
        [DP_LOGSUMEXP] = r->count ? r->high + log(r->exponentials) : -infinity,
    };
    return result[reduction];
}

/* Adds the pair to what each component of the result has seen. */
static void see_pair(const state *s, int64_t i, int64_t j, int64_t index, running *r)
{
    const pair at = pair_at(s, i, j);
    const double shared = s->formula->value(&at);
    if (!s->formula->vector)
        see(r, shared, index);
    for (int64_t c = 0; s->formula->vector && c < s->d; c++)
        see(&r[c], s->formula->component(&at, shared, c), index);
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const bool all = s->mode & DP_OVER_ALL, over_i = s->mode & DP_OVER_I;
    const int64_t columns = s->formula->vector ? s->d : 1, rows = all ? 1 : over_i ? s->m : s->n;
    const int64_t outer = all ? s->n : 1, inner = over_i ? s->n : s->m;
    running *r = ops_memory(run, (size_t)columns, sizeof *r);
    (void)result;
    read_hosts(run);
    for (int64_t row = 0; r && row < rows; row++) {
        memset(r, 0, (size_t)columns * sizeof *r);
        for (int64_t k = row; k < row + outer; k++)
            for (int64_t other = 0; other < inner; other++)
                if (!s->skip || k != other)
                    see_pair(s, over_i ? other : k, over_i ? k : other, other, r);
        for (int64_t c = 0; c < columns; c++)
            values[row * columns + c] = reduced(&r[c], s->reduction);
    }
}

/* The values that a result of indices stands for. */
static void at(ops_run *run, const int32_t *index, double *values)
{
    const state *s = run->state;
    const bool over_i = s->mode & DP_OVER_I;
    const int64_t rows = over_i ? s->m : s->n, others = over_i ? s->n : s->m;
    read_hosts(run);
    for (int64_t t = 0; t < rows; t++) {
        const bool valid = index[t] >= 0 && index[t] < others && !(s->skip && index[t] == t);
        values[t] = (double)NAN;
        if (valid) {
            const pair found = over_i ? pair_at(s, index[t], t) : pair_at(s, t, index[t]);
            values[t] = s->formula->value(&found);
        }
    }
}

/* ---- the cases ---- */

/* Every reduction on every side, between two sets and within one, with sizes and dimensions that go around.
 */
static void mode_cases(ops_list *list)
{
    static const char *const sides[] = {"j", "i", "all"};
    static const char *const scalar[] = {"plummer", "gaussian", "scaled_dot", "sqdist", "minus_r"};
    static const int size[] = {64, 31, 257, 2, 100, 65, 128}, dim[] = {3, 2, 16, 1, 17, 64};
    int k = 0;
    for (int r = 0; r < DP_REDUCTION_COUNT; r++)
        for (int side = 0; side < 3; side++, k++) {
            const char *name = dp_reduction_name((dp_reduction)r);
            if (side == 2 && (r == DP_ARGMAX || r == DP_ARGMIN))
                continue;
            const int d =
                dim[k % 6]; /* kernels are built for a dimension: a small and a large case share one */
            ops_add(list, d < 4, "f=%s r=%s over=%s n=5 m=7 d=%d", scalar[k % 5], name, sides[side], d);
            ops_add(list, false, "f=%s r=%s over=%s n=%d m=%d d=%d", scalar[k % 5], name, sides[side],
                    size[k % 7], size[(k + 3) % 7], d);
            ops_add(list, false, "f=%s r=%s over=%s n=%d self=1 skip=1 d=%d", scalar[(k + 1) % 5], name,
                    sides[side], size[(k + 5) % 7], dim[(k + 2) % 6]);
        }
}

/* Every formula in several dimensions. */
static void formula_cases(ops_list *list)
{
    static const int dim[] = {3, 1, 16, 64, 2, 17}, size[] = {100, 33, 64, 129};
    for (int k = 0; k < FORMULAS; k++) {
        const char *name = formulas[k].name;
        for (int t = 0; t < 2; t++) {
            const int d = formulas[k].vector ? t + 2 : dim[(k + 2 * t) % 6];
            ops_add(list, false, "f=%s r=%s over=%s n=%d m=%d d=%d", name, t ? "mean" : "sum", t ? "i" : "j",
                    size[(k + t) % 4], size[(k + 2 * t + 1) % 4], d);
        }
        if (k % 4 == 0)
            ops_add(list, !formulas[k].vector, "f=%s r=sum n=7 m=5 d=%d", name, formulas[k].vector ? 2 : 19);
        ops_add(list, false, "f=%s r=sum n=65 self=1 d=3", name);
    }
    ops_add(list, false, "f=force r=sum n=129 self=1 skip=1 d=3");
    ops_add(list, false, "f=force r=sum over=all n=31 m=65 d=3");
    ops_add(list, true, "f=force r=sum n=6 self=1 skip=1 d=2");
    ops_add(list, false, "f=blend r=max n=31 m=65 d=5");
    ops_add(list, false, "f=blend r=min over=i n=31 m=65 d=5");
    ops_add(list, false, "f=sum_tanh r=logsumexp n=31 m=65 d=5");
    ops_add(list, false, "f=sum_tanh r=mean over=all n=31 m=65 d=2");
    ops_add(list, false, "f=force r=sum over=i n=129 m=64 d=17");
}

/* The other ways to run, in few enough steps for an interpreter: components in loops, several blocks of j. */
static void tiny_cases(ops_list *list)
{
    ops_add(list, true, "f=gaussian r=logsumexp n=4 m=9 d=40");
    ops_add(list, true, "f=sqdist r=argmin over=i n=9 m=4 d=40");
    ops_add(list, true, "f=force r=sum n=3 m=5 d=18");
    ops_add(list, true, "f=plummer r=sum over=all n=9 m=150 d=3");
    ops_add(list, true, "f=sqdist r=argmin n=2 m=300 d=2");
}

/* Many dimensions: 784 and 1500 do not fit in what a work-item can hold. */
static void dimension_cases(ops_list *list)
{
    static const char *const few[] = {"plummer", "gaussian", "minus_r", "scaled_dot",
                                      "norm_1",  "norm_inf", "force",   "riesz"};
    for (int k = 0; k < 8; k++)
        ops_add(list, false, "f=%s r=sum over=%s n=31 m=64 d=%d", few[k], k % 2 ? "i" : "j",
                k % 3 ? 784 : 1500);
    ops_add(list, false, "f=plummer r=sum over=all n=64 self=1 skip=1 d=784");
    ops_add(list, false, "f=minus_r r=mean over=all n=100 m=100 d=784");
    ops_add(list, false, "f=gaussian r=logsumexp n=33 m=65 d=784");
    ops_add(list, false, "f=sqdist r=argmin n=65 m=33 d=784");
    ops_add(list, false, "f=dot r=argmax over=i n=31 m=32 d=1500");
    ops_add(list, false, "f=norm_3 r=sum n=17 m=31 d=784");
    ops_add(list, false, "f=weighted r=max n=5 m=64 d=1500");
    ops_add(list, false, "f=sum_tanh r=sum n=3 m=40 d=784");
}

/* Sizes: none, one, lopsided, large. */
static void size_cases(ops_list *list)
{
    static const char *const reductions[] = {"sum", "mean", "max", "argmin", "logsumexp"};
    for (int k = 0; k < 5; k++) {
        const char *name = reductions[k];
        ops_add(list, false, "f=sqdist r=%s n=3 m=0 d=2", name);
        ops_add(list, false, "f=sqdist r=%s n=1 self=1 skip=1 d=2", name);
        ops_add(list, false, "f=sqdist r=%s n=1 m=5000 d=2", name);
        ops_add(list, false, "f=sqdist r=%s n=5000 m=1 d=2", name);
    }
    ops_add(list, false, "f=sqdist r=sum n=0 m=4 d=2");
    ops_add(list, false, "f=sqdist r=sum over=all n=0 m=4 d=2");
    ops_add(list, false, "f=sqdist r=max over=all n=4 m=0 d=2");
    ops_add(list, false, "f=force r=sum n=4 m=0 d=3");
    ops_add(list, false, "f=gaussian r=sum n=1 m=1 d=1");
    ops_add(list, false, "f=gaussian r=sum over=i n=1 m=5000 d=2");
    ops_add(list, false, "f=gaussian r=sum over=all n=2 m=5000 d=2");
    ops_add(list, false, "f=force r=sum n=1 m=5000 d=3");
    ops_add(list, false, "f=line r=sum n=3000 m=257");
    ops_add(list, false, "f=plummer r=sum n=1000 m=1000 d=3");
    ops_add(list, false, "f=plummer r=sum over=all n=1000 self=1 skip=1 d=3");
    ops_add(list, false, "f=force r=sum n=1000 self=1 d=3");
    ops_add(list, false, "f=sqdist r=argmin n=1000 m=257 d=16");
    ops_add(list, false, "f=sqdist r=sum n=300 m=700 d=784"); /* more rounds of loops than some drivers allow */
}

/* One set of points, so many that a CPU computes each pair once: whole tiles and not, an even and an odd number of them. */
static void symmetric_cases(ops_list *list)
{
    ops_add(list, false, "f=plummer r=sum n=1024 self=1 skip=1 d=3");
    ops_add(list, false, "f=plummer r=mean over=all n=1100 self=1 d=3");
    ops_add(list, false, "f=attract r=sum n=1100 self=1 skip=1 d=2");
    ops_add(list, false, "f=attract r=mean over=i n=1155 self=1 d=2");
}

static void layout_cases(ops_list *list)
{
    ops_add(list, false, "f=plummer r=sum n=65 m=33 d=3 xl=t yl=step ql=step pl=rows");
    ops_add(list, false, "f=plummer r=mean over=i n=65 m=33 d=17 xl=rows yl=t pl=offset");
    ops_add(list, false, "f=gaussian r=logsumexp n=33 m=40 d=64 xl=offset yl=step");
    ops_add(list, false, "f=force r=sum n=33 m=40 d=3 xl=step yl=t pl=inner");
    ops_add(list, false, "f=sqdist r=argmin n=33 self=1 skip=1 d=19 xl=t");
    ops_add(list, false, "f=dot r=sum n=17 m=21 d=784 xl=t yl=rows");
    ops_add(list, false, "f=sqdist r=max n=30 m=20 d=5 xl=bcast yl=inner");
}

static void cases(ops_list *list)
{
    mode_cases(list);
    formula_cases(list);
    tiny_cases(list);
    dimension_cases(list);
    size_cases(list);
    symmetric_cases(list);
    layout_cases(list);
}

static void bench(ops_list *list)
{
    ops_add(list, false, "f=plummer r=sum n=2000 m=2000 d=3");
    ops_add(list, false, "f=force r=sum n=2000 m=2000 d=3");
    ops_add(list, false, "f=minus_r r=sum over=all n=500 m=500 d=784");
    ops_add(list, false, "f=scaled_dot r=logsumexp n=1000 m=1000 d=64");
}

const ops_op ops_pairwise = {
    .name = "pairwise",
    .keys = "f r over n m d self skip xl yl ql pl",
    .shape = "n m d",
    .state_size = sizeof(state),
    .cases = cases,
    .bench = bench,
    .setup = setup,
    .launch = launch,
    .bound = bound,
    .expect = expect,
    .at = at,
};
