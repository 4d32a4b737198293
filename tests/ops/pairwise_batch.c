/* SPDX-License-Identifier: Apache-2.0 */
/* Pairwise reductions of many problems, and with masks. f: a formula of the table below. r, over: the reduction and its side
 * (j, i, all). si, sj: rows of each problem, "0+7+64", or "5x8": 5 problems of 8 rows without offsets; si=65 sj=33 b=0: no
 * problems; b=1: tensors with the axis of a batch. d: dimension; skip=1: DP_EXCLUDE_SELF; tile: with a mask of
 * elements 0 and 1 (ones=1: of ones, zeros=1: of zeros), of dtype mt (f32, i32) and layout ml; xl: of x. */
#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PROBLEMS 600

typedef struct formula {
    const char *name, *text;
    bool vector;
} formula;

static const formula formulas[] = {
    {"gaussian", "q[i] * p[j] * exp(-sqdist(x[i], y[j]))", false},
    {"sqdist", "sqdist(x[i], y[j]) + q[i] + p[j]", false},
    {"spring", "q[i] * p[j] * (x[i] - y[j])", true},
};

/* The rows of one side. */
typedef struct side {
    int64_t problems, first[MAX_PROBLEMS + 1];
    bool uniform;
} side;

typedef struct state {
    const formula *formula;
    side side[2];
    dp_reduction reduction;
    unsigned mode;
    bool batch, skip, each;
    int64_t d, tile, tiles[2];
    dp_tensor *tensor[4], *mask; /* x y q p */
    dp_arg arg[4];
    dp_pair_options options;
} state;

static void read_side(ops_run *run, const char *key, side *found)
{
    char word[96];
    ops_word(run, key, "1", word, sizeof word);
    const char *times = strchr(word, 'x');
    found->uniform = times != NULL;
    if (times)
        found->problems = strtoll(word, NULL, 10);
    for (int64_t p = 0; times && p < found->problems && p < MAX_PROBLEMS; p++)
        found->first[p + 1] = found->first[p] + strtoll(times + 1, NULL, 10);
    for (char *at = word; !times && *at && found->problems < MAX_PROBLEMS; found->problems++) {
        found->first[found->problems + 1] = found->first[found->problems] + strtoll(at, &at, 10);
        at += *at == '+';
    }
}

static int64_t rows(const side *s)
{
    return s->first[s->problems];
}

static dp_tensor *points(ops_run *run, int which, bool vector, const char *layout_key)
{
    static const ops_fill fill = {.low = -1, .high = 1};
    const state *s = run->state;
    const side *own = &s->side[which];
    char layout[12];
    dp_shape shape = {0};
    if (s->batch) {
        shape.dim[shape.rank++] = own->problems;
        shape.dim[shape.rank++] = own->problems ? rows(own) / own->problems : 4;
    } else {
        shape.dim[shape.rank++] = rows(own);
    }
    if (vector)
        shape.dim[shape.rank++] = s->d;
    return ops_input(run, DP_F32, shape, ops_word(run, layout_key, "", layout, sizeof layout), fill);
}

static void make_mask(ops_run *run)
{
    state *s = run->state;
    char layout[12];
    s->tile = ops_int(run, "tile", 0);
    if (s->tile == 0)
        return;
    for (int k = 0; k < 2; k++)
        s->tiles[k] = (rows(&s->side[k]) + s->tile - 1) / s->tile;
    const ops_fill fill = {OPS_LEVELS, ops_int(run, "ones", 0) ? 1 : 0, ops_int(run, "zeros", 0) ? 0 : 1};
    s->mask = ops_input(run, ops_is(run, "mt", "i32") ? DP_I32 : DP_F32, DP_SHAPE(s->tiles[0], s->tiles[1]),
                        ops_word(run, "ml", "", layout, sizeof layout), fill);
    s->options.mask = s->mask;
    s->options.tile = (int)s->tile;
}

static double count_pairs(const state *s)
{
    double pairs = 0;
    for (int64_t p = 0; p < s->side[0].problems; p++)
        pairs += (double)(s->side[0].first[p + 1] - s->side[0].first[p]) * (double)(s->side[1].first[p + 1] - s->side[1].first[p]);
    return pairs;
}

static void setup(ops_run *run)
{
    static const char *const names[] = {"x", "y", "q", "p"};
    state *s = run->state;
    s->formula = &formulas[0];
    for (size_t k = 0; k < sizeof formulas / sizeof *formulas; k++)
        if (ops_is(run, "f", formulas[k].name))
            s->formula = &formulas[k];
    for (int r = 0; r < DP_REDUCTION_COUNT; r++)
        if (ops_is(run, "r", dp_reduction_name((dp_reduction)r)))
            s->reduction = (dp_reduction)r;
    s->batch = ops_int(run, "b", 2) == 1;
    s->each = ops_int(run, "b", 2) != 0;
    s->skip = ops_int(run, "skip", 0);
    s->d = ops_int(run, "d", 2);
    s->mode = (unsigned)s->reduction | (s->skip ? DP_EXCLUDE_SELF : 0) |
              (ops_is(run, "over", "i") ? DP_OVER_I : ops_is(run, "over", "all") ? DP_OVER_ALL : DP_OVER_J);
    read_side(run, "si", &s->side[0]);
    read_side(run, "sj", &s->side[1]);
    s->options.batch = s->batch;
    s->options.problems = s->batch || !s->each ? 0 : s->side[0].problems;
    if (s->each && !s->batch) {
        s->options.offsets_i = s->side[0].uniform ? NULL : s->side[0].first;
        s->options.offsets_j = s->side[1].uniform ? NULL : s->side[1].first;
    }
    for (int k = 0; k < 4; k++) {
        s->tensor[k] = points(run, k % 2, k < 2, k == 0 ? "xl" : "");
        s->arg[k] = (dp_arg){.name = names[k], .tensor = s->tensor[k]};
    }
    make_mask(run);
    run->pairs = count_pairs(s);
    run->flops = run->pairs * (3.0 + 3.0 * (double)s->d);
    run->bytes = 4.0 * (double)(rows(&s->side[0]) + rows(&s->side[1])) * (double)(s->d + 1);
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    run->results = 1;
    run->result[0] = dp_pairwise_with(run->device, s->formula->text, s->mode, (dp_args){s->arg, 4}, &s->options);
}

static void bound(ops_run *run)
{
    const state *s = run->state;
    run->bound[0] = dp_pairwise_bound_with(run->device, s->formula->text, s->mode, (dp_args){s->arg, 4}, &s->options);
}

/* ---- the independent computation ---- */

typedef struct hosts {
    const float *x, *y, *q, *p, *mask;
    const int32_t *mask_i32;
} hosts;

static hosts read_hosts(ops_run *run)
{
    const state *s = run->state;
    hosts h = {ops_floats(run, s->tensor[0]), ops_floats(run, s->tensor[1]), ops_floats(run, s->tensor[2]),
               ops_floats(run, s->tensor[3]), NULL, NULL};
    if (s->mask && dp_tensor_dtype(s->mask) == DP_I32)
        h.mask_i32 = ops_ints(run, s->mask);
    else if (s->mask)
        h.mask = ops_floats(run, s->mask);
    return h;
}

static double value_of(const state *s, const hosts *h, int64_t i, int64_t j, int64_t c)
{
    const double q = (double)h->q[i], p = (double)h->p[j];
    double r2 = 0;
    if (s->formula->vector)
        return q * p * ((double)h->x[i * s->d + c] - (double)h->y[j * s->d + c]);
    for (int64_t k = 0; k < s->d; k++)
        r2 += pow((double)h->x[i * s->d + k] - (double)h->y[j * s->d + k], 2);
    return s->formula == &formulas[0] ? q * p * exp(-r2) : r2 + q + p;
}

static bool present(const state *s, const hosts *h, int64_t problem, int64_t i, int64_t j)
{
    if (s->skip && i - s->side[0].first[problem] == j - s->side[1].first[problem])
        return false;
    if (!s->mask)
        return true;
    const int64_t at = i / s->tile * s->tiles[1] + j / s->tile;
    return h->mask ? h->mask[at] != 0 : h->mask_i32[at] != 0;
}

/* One reduction in two passes over the pairs that `next` picks: rows i0 .. i1 - 1 and j0 .. j1 - 1 of a problem. */
typedef struct box {
    int64_t problem, i0, i1, j0, j1;
} box;

static double reduce_box(const state *s, const hosts *h, const box *b, int64_t c, double start, double sum_of_exp_at,
                         int64_t *where, int64_t *count)
{
    const bool over_i = s->mode & DP_OVER_I, smallest = s->reduction == DP_MIN || s->reduction == DP_ARGMIN;
    double total = start;
    for (int64_t i = b->i0; i < b->i1; i++)
        for (int64_t j = b->j0; j < b->j1; j++) {
            if (!present(s, h, b->problem, i, j))
                continue;
            const double v = value_of(s, h, i, j, c);
            const bool extreme = s->reduction == DP_MAX || s->reduction == DP_ARGMAX || smallest || isnan(sum_of_exp_at);
            if (extreme && (*count == 0 || (smallest ? v < total : v > total))) {
                total = v;
                *where = over_i ? i : j;
            } else if (!extreme) {
                total += s->reduction == DP_LOGSUMEXP ? exp(v - sum_of_exp_at) : v;
            }
            ++*count;
        }
    return total;
}

static double reduce(const state *s, const hosts *h, const box *b, int64_t c)
{
    const double infinity = (double)INFINITY;
    int64_t where = -1, count = 0, again = 0;
    const bool smallest = s->reduction == DP_MIN || s->reduction == DP_ARGMIN, plain = s->reduction <= DP_MEAN;
    const double start = plain ? 0 : smallest ? infinity : -infinity;
    const double first = reduce_box(s, h, b, c, start, plain ? 0 : (double)NAN, &where, &count);
    if (s->reduction == DP_MEAN)
        return count ? first / (double)count : (double)NAN;
    if (s->reduction == DP_LOGSUMEXP)
        return count ? first + log(reduce_box(s, h, b, c, 0, first, &where, &again)) : -infinity;
    if (s->reduction == DP_ARGMAX || s->reduction == DP_ARGMIN)
        return (double)(where >= 0 && s->batch ? where - s->side[s->mode & DP_OVER_I ? 0 : 1].first[b->problem] : where);
    return first;
}

static box whole(const state *s, int64_t p)
{
    return (box){p, s->side[0].first[p], s->side[0].first[p + 1], s->side[1].first[p], s->side[1].first[p + 1]};
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const hosts h = read_hosts(run);
    const int64_t columns = s->formula->vector ? s->d : 1;
    (void)result;
    for (int64_t p = 0; p < s->side[0].problems; p++) {
        const bool all = s->mode & DP_OVER_ALL, over_i = s->mode & DP_OVER_I;
        box b = whole(s, p);
        const int64_t first = over_i ? b.j0 : b.i0, end = over_i ? b.j1 : b.i1;
        for (int64_t row = all ? p : first; row < (all ? p + 1 : end); row++) {
            b = whole(s, p);
            if (!all && over_i)
                b.j0 = row, b.j1 = row + 1;
            else if (!all)
                b.i0 = row, b.i1 = row + 1;
            for (int64_t c = 0; c < columns; c++)
                values[row * columns + c] = reduce(s, &h, &b, c);
        }
    }
}

/* The values that a result of indices stands for. */
static void at(ops_run *run, const int32_t *index, double *values)
{
    const state *s = run->state;
    const hosts h = read_hosts(run);
    const bool over_i = s->mode & DP_OVER_I;
    const side *kept = &s->side[over_i ? 1 : 0], *other = &s->side[over_i ? 0 : 1];
    for (int64_t p = 0; p < kept->problems; p++)
        for (int64_t row = kept->first[p]; row < kept->first[p + 1]; row++) {
            const int64_t found = index[row] + (s->batch ? other->first[p] : 0), i = over_i ? found : row, j = over_i ? row : found;
            const bool inside = found >= other->first[p] && found < other->first[p + 1] && present(s, &h, p, i, j);
            values[row] = inside ? value_of(s, &h, i, j, 0) : (double)NAN;
        }
}

/* ---- the cases ---- */

#define RAGGED_I "0+7+1+64+0+130+5"
#define RAGGED_J "3+130+0+1+9+64+7"
#define SELF     "0+7+1+64+0+130+5"

/* Kernels are built for a formula, a side, a reduction, and with or without a mask or the self: cases share them. */
static void ragged_cases(ops_list *list)
{
    static const char *const texts[] = {
        "f=gaussian r=sum",          "f=gaussian r=sum over=i",   "f=gaussian r=sum over=all", "f=gaussian r=mean",
        "f=gaussian r=mean over=i",  "f=gaussian r=mean over=all", "f=gaussian r=max over=all", "f=gaussian r=max",
        "f=sqdist r=argmax over=i",  "f=sqdist r=argmin",         "f=sqdist r=logsumexp",      "f=sqdist r=logsumexp over=all",
        "f=spring r=sum over=all",   "f=gaussian r=sum d=17 xl=t",
    };
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        ops_add(list, false, "%s si=" RAGGED_I " sj=" RAGGED_J, texts[k]);
    ops_add(list, false, "f=gaussian r=sum si=" SELF " sj=" SELF " skip=1");
    ops_add(list, false, "f=gaussian r=mean over=all si=" SELF " sj=" SELF " skip=1");
    ops_add(list, false, "f=sqdist r=argmin si=" SELF " sj=" SELF " skip=1");
    ops_add(list, false, "f=gaussian r=sum over=all si=6+5 sj=3000+40"); /* parts of j */
    ops_add(list, false, "f=gaussian r=sum over=all si=3000+40 sj=6+5");
    ops_add(list, false, "f=sqdist r=argmin si=6+5 sj=40+3000");
}

static void uniform_cases(ops_list *list)
{
    ops_add(list, true, "f=gaussian r=sum si=2x5 sj=2x6");
    ops_add(list, true, "f=gaussian r=mean over=all si=2x5 sj=2x6");
    ops_add(list, false, "f=gaussian r=sum over=all si=300x5 sj=300x4");
    ops_add(list, false, "f=gaussian r=sum over=i si=5x1 sj=3+0+70+2+9"); /* one point i for each problem */
    ops_add(list, false, "f=gaussian r=sum si=4x33 sj=4x20 b=1");
    ops_add(list, false, "f=gaussian r=mean over=all si=4x33 sj=4x20 b=1 xl=rev");
    ops_add(list, false, "f=gaussian r=sum over=i si=4x33 sj=4x20 b=1 xl=rows");
    ops_add(list, false, "f=sqdist r=argmin si=4x33 sj=4x20 b=1");
    ops_add(list, false, "f=gaussian r=sum si=0x4 sj=0x4 b=1");
}

static void mask_cases(ops_list *list)
{
    ops_add(list, true, "f=gaussian r=sum si=40 sj=70 b=0 tile=32");
    ops_add(list, false, "f=gaussian r=sum si=300 sj=1000 b=0 tile=32");
    ops_add(list, false, "f=gaussian r=sum si=300 sj=1000 b=0 tile=32 ones=1");
    ops_add(list, false, "f=gaussian r=sum si=6 sj=70000 b=0 tile=32"); /* more rounds of loops than some drivers allow */
    ops_add(list, false, "f=gaussian r=sum over=all si=300 sj=200 b=0 tile=32 zeros=1");
    ops_add(list, false, "f=gaussian r=sum si=" RAGGED_I " sj=" RAGGED_J " tile=32 ml=t");
    ops_add(list, false, "f=gaussian r=sum si=4x33 sj=4x20 b=1 tile=32");
    ops_add(list, false, "f=gaussian r=sum over=all si=300 sj=1000 b=0 tile=160");
    ops_add(list, false, "f=gaussian r=mean over=all si=300 sj=200 b=0 tile=32");
    ops_add(list, false, "f=gaussian r=mean si=300 sj=200 b=0 tile=32 zeros=1");
    ops_add(list, false, "f=gaussian r=mean over=all si=" RAGGED_I " sj=" RAGGED_J " tile=32");
    ops_add(list, false, "f=sqdist r=logsumexp si=300 sj=200 b=0 tile=32");
    ops_add(list, false, "f=sqdist r=argmin si=" SELF " sj=" SELF " skip=1 tile=32 mt=i32 ml=t");
    ops_add(list, false, "f=gaussian r=sum over=i si=" SELF " sj=" SELF " d=17 skip=1 tile=32");
}

static void cases(ops_list *list)
{
    ragged_cases(list);
    uniform_cases(list);
    mask_cases(list);
}

static void bench(ops_list *list)
{
    ops_add(list, false, "f=gaussian r=sum si=500x64 sj=500x64 d=3");
    ops_add(list, false, "f=gaussian r=sum si=8000 sj=8000 b=0 d=3 tile=128");
}

const ops_op ops_pairwise_batch = {
    .name = "pairwise_batch",
    .keys = "f r over si sj b d skip tile ones zeros mt ml xl",
    .state_size = sizeof(state),
    .cases = cases,
    .bench = bench,
    .setup = setup,
    .launch = launch,
    .bound = bound,
    .expect = expect,
    .at = at,
};
