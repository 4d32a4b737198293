/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions. r: which. x: the shape, or n for one axis; axes: their digits, or "all"; keep=1; xl: layout;
 * low, high, levels: the values. */
#include "ops.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct state {
    dp_shape shape;
    dp_tensor *x;
    dp_reduction reduction;
    unsigned axes;
} state;

static void setup(ops_run *run)
{
    state *s = run->state;
    char word[16];
    const ops_fill fill = {.kind = ops_int(run, "levels", 0) ? OPS_LEVELS : OPS_UNIFORM,
                           .low = ops_real(run, "low", -1),
                           .high = ops_real(run, "high", 1)};
    s->shape = ops_shape(run, "x", DP_SHAPE(ops_int(run, "n", 1000)));
    for (int r = 0; r < DP_REDUCTION_COUNT; r++)
        if (ops_is(run, "r", dp_reduction_name((dp_reduction)r)))
            s->reduction = (dp_reduction)r;
    ops_word(run, "axes", "all", word, sizeof word);
    s->axes = strcmp(word, "all") ? 0 : DP_ALL_AXES;
    for (const char *at = word; *at >= '0' && *at <= '7'; at++)
        s->axes |= DP_AXIS(*at - '0');
    if (ops_int(run, "keep", 0))
        s->axes |= DP_KEEP_AXES;
    s->x = ops_input(run, DP_F32, s->shape, ops_word(run, "xl", "", word, sizeof word), fill);
    run->flops = (double)ops_size(s->shape);
    run->bytes = 4.0 * (double)ops_size(s->shape);
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    run->results = 1;
    run->result[0] = dp_reduce(run->device, s->x, s->reduction, s->axes);
}

/* Values are read, not computed: an index must be the first of the best. */
static void bound(ops_run *run)
{
    const state *s = run->state;
    if (s->reduction != DP_ARGMAX && s->reduction != DP_ARGMIN)
        run->bound[0] = dp_reduce_bound(run->device, s->x, s->reduction, s->axes);
}

static double over(dp_reduction reduction, const double *x, int64_t count)
{
    double sum = 0, low = (double)INFINITY, high = -(double)INFINITY, exponentials = 0;
    int64_t at_low = -1, at_high = -1;
    for (int64_t t = 0; t < count; t++) {
        sum += x[t];
        at_low = t == 0 || x[t] < low ? t : at_low;
        at_high = t == 0 || x[t] > high ? t : at_high;
        low = x[at_low];
        high = x[at_high];
    }
    for (int64_t t = 0; t < count; t++)
        exponentials += exp(x[t] - high);
    const double result[DP_REDUCTION_COUNT] = {
        [DP_SUM] = sum,
        [DP_MEAN] = sum / (double)count,
        [DP_MAX] = high,
        [DP_MIN] = low,
        [DP_ARGMAX] = (double)at_high,
        [DP_ARGMIN] = (double)at_low,
        [DP_LOGSUMEXP] = count ? high + log(exponentials) : high,
    };
    return result[reduction];
}

/* Collects, for every element of the result, the elements that it is made of in row-major order. */
static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const float *x = ops_floats(run, s->x);
    dp_shape kept = DP_SCALAR, gone = DP_SCALAR;
    int kept_axis[DP_MAX_RANK], gone_axis[DP_MAX_RANK];
    (void)result;
    for (int a = 0; a < s->shape.rank; a++)
        if (s->axes & DP_AXIS(a)) {
            gone_axis[gone.rank] = a;
            gone.dim[gone.rank++] = s->shape.dim[a];
        } else {
            kept_axis[kept.rank] = a;
            kept.dim[kept.rank++] = s->shape.dim[a];
        }
    const int64_t count = ops_size(gone);
    double *list = ops_memory(run, (size_t)count, sizeof *list);
    for (int64_t t = 0; list && t < ops_size(kept); t++) {
        int64_t at[DP_MAX_RANK], index[DP_MAX_RANK];
        ops_unravel(kept, t, at);
        for (int a = 0; a < kept.rank; a++)
            index[kept_axis[a]] = at[a];
        for (int64_t u = 0; u < count; u++) {
            ops_unravel(gone, u, at);
            for (int a = 0; a < gone.rank; a++)
                index[gone_axis[a]] = at[a];
            list[u] = (double)x[ops_ravel(s->shape, index)];
        }
        values[t] = over(s->reduction, list, count);
    }
}

static void cases(ops_list *list)
{
    static const char *const shapes[] = {"1",   "2",   "63",  "64",   "65",   "128",
                                         "129", "255", "257", "1000", "4099", "100000"};
    static const char *const spread[] = {"x=13x1000 axes=1",         "x=1000x13 axes=0",
                                         "x=9x37x21 axes=1",         "x=9x37x21 axes=02 xl=rev",
                                         "x=5x6x7x8 axes=13 keep=1", "x=300x300 axes=0 xl=t",
                                         "x=70x41 axes=1 xl=step"};
    for (int r = 0; r < DP_REDUCTION_COUNT; r++) {
        const char *name = dp_reduction_name((dp_reduction)r);
        for (int k = 0; k < 12; k++) /* every size with some reductions, every reduction with some sizes */
            if ((k + r) % 3 == 0)
                ops_add(list, false, "r=%s x=%s", name, shapes[k]);
        for (int k = 0; k < 7; k++)
            if ((k + r) % 2 == 0)
                ops_add(list, false, "r=%s %s", name, spread[k]);
        ops_add(list, true, "r=%s x=3x5 axes=%d", name, r % 2);
        ops_add(list, false, "r=%s x=0", name);
        ops_add(list, false, "r=%s x=4x0x3 axes=1", name);
        ops_add(list, false, "r=%s x=scalar", name);
        ops_add(list, false, "r=%s x=31x64 axes=%d low=-2 high=2 levels=1", name, r % 2);
    }
    ops_add(list, true, "r=sum x=2x70 axes=1");
    ops_add(list, true, "r=mean x=700");
    ops_add(list, true, "r=argmax x=3x300 axes=1 low=0 high=3 levels=1");
    ops_add(list, false, "r=argmax x=3x5000 axes=1 low=0 high=1 levels=1");
    ops_add(list, false, "r=argmin x=5000x3 axes=0 low=-1 high=0 levels=1");
    ops_add(list, false, "r=argmax x=11x12x13 axes=02 xl=chain low=0 high=3 levels=1");
    ops_add(list, false, "r=logsumexp x=7x500 axes=1 low=-300 high=300");
    ops_add(list, false, "r=logsumexp x=7x500 axes=1 low=-5000 high=-4000");
    ops_add(list, false, "r=logsumexp x=500x7 axes=0 low=80 high=100");
    ops_add(list, false, "r=sum x=3x40000 axes=1 low=1000 high=1001");
    ops_add(list, false, "r=sum x=100 axes=0 keep=1 xl=bcast");
    ops_add(list, false, "r=mean x=17x19x23 axes=012 keep=1");
    ops_add(list, false, "r=sum x=8x1x16 axes=1");
    ops_add(list, false, "r=max x=8x0 axes=0");
    ops_add(list, false, "r=sum x=2x3x2x3x2x3x2x3 axes=0246");
    ops_add(list, false, "r=mean x=2x3x2x3x2x3x2x3 axes=1357 xl=rev");
    ops_add(list, false, "r=sum x=20000x3 axes=1");
    ops_add(list, false, "r=max x=3x20000 axes=0");
    ops_add(list, false, "r=sum x=7x9 axes=01 xl=inner");
    ops_add(list, false, "r=sum x=3x5x4x8 axes=023"); /* runs of whole vectors; of more than one block; in pieces */
    ops_add(list, false, "r=mean x=20x3x16x16 axes=023");
    ops_add(list, false, "r=max x=40x2x24x24 axes=023");
    ops_add(list, false, "r=argmin x=5x4x3x16 axes=02");
    ops_add(list, false, "r=logsumexp x=64x100 axes=0"); /* columns, the last vector not whole; in pieces */
    ops_add(list, false, "r=mean x=30000x12 axes=0");
    ops_add(list, false, "r=argmax x=4x50x9 axes=1 low=0 high=3 levels=1");
}

static void bench(ops_list *list)
{
    ops_add(list, false, "r=sum n=1000000");
    ops_add(list, false, "r=sum x=1000x1000 axes=1");
    ops_add(list, false, "r=max x=1000x1000 axes=0");
    ops_add(list, false, "r=logsumexp x=1000x1000 axes=1");
}

const ops_op ops_reduce = {
    .name = "reduce",
    .keys = "r x n axes keep xl low high levels",
    .shape = "n",
    .state_size = sizeof(state),
    .cases = cases,
    .bench = bench,
    .setup = setup,
    .launch = launch,
    .bound = bound,
    .expect = expect,
};
