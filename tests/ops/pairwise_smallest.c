/* SPDX-License-Identifier: Apache-2.0 */
/* The k smallest of every row of pairs. f: sqdist, norm or dot (its negative). k; over: j or i. n, m, d:
 * sizes; self=1: the same points on both sides; skip=1: DP_EXCLUDE_SELF; lev: whole numbers of that size as
 * coordinates, so that many values are equal and all are exact; xl, yl: layouts. */
#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_K = 8 };

typedef struct state {
    const char *formula;
    char name[12];
    int k;
    int64_t n, m, d, rows, others; /* rows: i, or for over=i j */
    bool self, skip, over_i, exact;
    unsigned mode;
    dp_tensor *x, *y;
    dp_arg arg[2];
    dp_args args;
} state;

static const char *formula_of(const state *s)
{
    if (!strcmp(s->name, "norm"))
        return s->self ? "norm(x[i] - x[j])" : "norm(x[i] - y[j])";
    if (!strcmp(s->name, "dot"))
        return s->self ? "-dot(x[i], x[j])" : "-dot(x[i], y[j])";
    return s->self ? "sqdist(x[i], x[j])" : "sqdist(x[i], y[j])";
}

static void setup(ops_run *run)
{
    state *s = run->state;
    char layout[12];
    const int64_t level = ops_int(run, "lev", 0);
    const double reach = level > 0 ? (double)level : 1;
    const ops_fill fill = {.kind = level > 0 ? OPS_LEVELS : OPS_UNIFORM, .low = -reach, .high = reach};
    ops_word(run, "f", "sqdist", s->name, sizeof s->name);
    s->k = (int)ops_int(run, "k", DEFAULT_K);
    s->self = ops_int(run, "self", 0);
    s->skip = ops_int(run, "skip", 0);
    s->over_i = ops_is(run, "over", "i");
    s->exact = level > 0;
    s->n = ops_int(run, "n", 1);
    s->m = s->self ? s->n : ops_int(run, "m", s->n);
    s->d = ops_int(run, "d", 3);
    s->rows = s->over_i ? s->m : s->n;
    s->others = s->over_i ? s->n : s->m;
    s->formula = formula_of(s);
    s->mode = (s->over_i ? DP_OVER_I : DP_OVER_J) | (s->skip ? DP_EXCLUDE_SELF : 0);
    s->x = ops_input(run, DP_F32, DP_SHAPE(s->n, s->d), ops_word(run, "xl", "", layout, sizeof layout), fill);
    s->y = s->self ? s->x
                   : ops_input(run, DP_F32, DP_SHAPE(s->m, s->d),
                               ops_word(run, "yl", "", layout, sizeof layout), fill);
    s->arg[0] = (dp_arg){.name = "x", .tensor = s->x};
    s->arg[1] = (dp_arg){.name = "y", .tensor = s->y};
    s->args = (dp_args){s->arg, s->self ? 1 : 2};
    run->pairs = (double)s->n * (double)(s->skip ? s->m - 1 : s->m);
    run->flops = run->pairs * (3.0 * (double)s->d + 1);
    run->bytes = 4.0 * (double)(s->n + s->m) * (double)s->d + 8.0 * (double)s->rows * s->k;
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    run->results = 2;
    dp_pairwise_smallest(run->device, s->formula, s->k, s->mode, s->args, &run->result[0], &run->result[1]);
}

static void bound(ops_run *run)
{
    const state *s = run->state;
    if (!s->exact)
        dp_pairwise_smallest_bound(run->device, s->formula, s->k, s->mode, s->args, &run->bound[0],
                                   &run->bound[1]);
}

/* ---- the independent computation ---- */

/* The value of row `row` and `other` on the side that is reduced, in double. */
static double value_of(const state *s, const float *x, const float *y, int64_t row, int64_t other)
{
    const float *a = x + (s->over_i ? other : row) * s->d, *b = y + (s->over_i ? row : other) * s->d;
    double squares = 0, products = 0;
    for (int64_t c = 0; c < s->d; c++) {
        const double difference = (double)a[c] - (double)b[c];
        squares += difference * difference;
        products += (double)a[c] * (double)b[c];
    }
    return !strcmp(s->name, "dot") ? -products : !strcmp(s->name, "norm") ? sqrt(squares) : squares;
}

/* The next one of a row: the smallest that comes behind the entry (*value, *index); infinity and -1 where
 * there is none. */
static void next_of(const state *s, const double *values, int64_t row, double *value, int64_t *index)
{
    double best = (double)INFINITY;
    int64_t where = -1;
    for (int64_t other = 0; other < s->others; other++) {
        const double now = values[other];
        const bool behind = now > *value || (now == *value && other > *index);
        if (behind && now < best && !(s->skip && other == row)) {
            best = now;
            where = other;
        }
    }
    *value = best;
    *index = where;
}

static void expect(ops_run *run, int result, double *wanted)
{
    const state *s = run->state;
    const float *x = ops_floats(run, s->x), *y = s->self ? x : ops_floats(run, s->y);
    double *values = ops_memory(run, (size_t)s->others, sizeof *values);
    for (int64_t row = 0; values && row < s->rows; row++) {
        double value = -(double)INFINITY;
        int64_t index = -1;
        for (int64_t other = 0; other < s->others; other++)
            values[other] = value_of(s, x, y, row, other);
        for (int t = 0; t < s->k; t++) {
            next_of(s, values, row, &value, &index);
            wanted[row * s->k + t] = result == 0 ? value : (double)index;
        }
    }
}

/* What indices stand for: -1 for infinity; NaN for one that stands twice in its row, too. */
static void at(ops_run *run, const int32_t *index, double *values)
{
    const state *s = run->state;
    const float *x = ops_floats(run, s->x), *y = s->self ? x : ops_floats(run, s->y);
    bool *seen = ops_memory(run, (size_t)s->others, sizeof *seen);
    for (int64_t t = 0; seen && t < s->rows * s->k; t++) {
        const int64_t row = t / s->k;
        const int32_t q = index[t];
        if (t % s->k == 0)
            memset(seen, 0, (size_t)s->others * sizeof *seen);
        const bool valid = q >= 0 && q < s->others && !(s->skip && q == row) && !seen[q];
        values[t] = valid ? value_of(s, x, y, row, q) : q == -1 ? (double)INFINITY : (double)NAN;
        if (valid)
            seen[q] = true;
    }
}

/* ---- the cases ---- */

/* Every k with sizes around it and around tiles; few kernels: most cases are of two dimensions. */
static void size_cases(ops_list *list)
{
    static const int ks[] = {1, 2, 5, 32, 128};
    for (int t = 0; t < 5; t++) {
        const int k = ks[t];
        ops_add(list, k < 32, "k=%d n=3 m=0 d=2", k);
        ops_add(list, k < 32, "k=%d n=5 m=1 d=2", k);
        ops_add(list, k < 32, "k=%d n=7 m=%d d=2", k, k - 1);
        ops_add(list, k < 32, "k=%d n=9 m=%d d=2", k, k);
        ops_add(list, false, "k=%d n=%d m=%d d=2", k, 15 + t, k + 1);
        ops_add(list, false, "k=%d n=%d m=%d d=2", k, 31 + t, k < 128 ? 253 + 2 * t : 193);
        ops_add(list, false, "k=%d n=17 m=%d d=2 lev=2", k, 127 + t);
        ops_add(list, false, "k=%d n=3 m=5000 d=2", k); /* lists of parts */
        ops_add(list, false, "k=%d n=2 m=2500 d=2 lev=3", k);
    }
    ops_add(list, true, "k=3 n=0 m=4 d=2");
    ops_add(list, true, "k=2 n=6 m=300 d=2");
    ops_add(list, false, "k=5 n=1 m=9000 d=2");
    ops_add(list, false, "k=5 n=9 m=401 d=784"); /* more rounds of loops than some drivers allow */
}

static void other_cases(ops_list *list)
{
    ops_add(list, true, "k=2 n=5 self=1 skip=1 d=3");
    ops_add(list, false, "k=5 n=101 self=1 skip=1 d=3");
    ops_add(list, false, "k=32 n=17 self=1 skip=1 d=3");
    ops_add(list, false, "f=norm k=5 over=i n=101 m=67 d=1");
    ops_add(list, false, "f=norm k=32 over=i n=7 m=33 d=1 lev=9");
    ops_add(list, false, "f=dot k=5 n=37 m=129 d=16");
    ops_add(list, true, "k=2 n=4 m=9 d=40");
    ops_add(list, false, "k=5 n=64 m=131 d=40");
    ops_add(list, false, "k=32 n=33 m=65 d=40 lev=1");
    ops_add(list, false, "f=dot k=5 over=i n=70 self=1 skip=1 d=40");
    ops_add(list, false, "k=5 n=33 m=41 d=3 xl=t yl=step");
    ops_add(list, false, "k=5 over=i n=33 m=41 d=19 xl=rows yl=offset");
}

static void cases(ops_list *list)
{
    size_cases(list);
    other_cases(list);
}

static void bench(ops_list *list)
{
    ops_add(list, false, "k=8 n=2000 m=2000 d=3");
    ops_add(list, false, "k=32 n=2000 m=2000 d=3");
    ops_add(list, false, "k=5 n=500 m=500 d=784");
}

const ops_op ops_pairwise_smallest = {
    .name = "pairwise_smallest",
    .keys = "f k over n m d self skip lev xl yl",
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
