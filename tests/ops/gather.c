/* SPDX-License-Identifier: Apache-2.0 */
/* Gather and scatter-add. how: rows or axis. x: what is gathered from, or the result of the scatter-add
 * (whose rows, or size along `axis`, are n). index: shape of the index. low, high: range of the indices; some
 * may be out of range. xl, il: layouts of x (or y) and the index. dtype: of x. n, d, m: short for x=nxd
 * index=m. */
#include "ops.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct state {
    dp_shape x, index_shape, y; /* y: what is gathered, or scattered */
    dp_tensor *values, *index;  /* values: x or y */
    dp_dtype dtype;
    bool rows;
    int axis;
} state;

/* y's shape: index, then x's other axes; or index. */
static dp_shape picked_shape(const state *s)
{
    dp_shape shape = s->index_shape;
    for (int a = 1; s->rows && a < s->x.rank; a++)
        shape.dim[shape.rank++] = s->x.dim[a];
    return shape;
}

static void setup_common(ops_run *run, bool scatter)
{
    state *s = run->state;
    char layout[12];
    s->rows = !ops_is(run, "how", "axis");
    s->axis = (int)ops_int(run, "axis", 0);
    s->dtype = ops_dtype(run, "dtype", DP_F32);
    s->x = ops_shape(run, "x", DP_SHAPE(ops_int(run, "n", 100), ops_int(run, "d", 1)));
    s->index_shape = ops_shape(run, "index", DP_SHAPE(ops_int(run, "m", 100)));
    s->y = picked_shape(s);
    const ops_fill values = {.kind = s->dtype == DP_I32 ? OPS_WORDS : OPS_UNIFORM, .low = -1, .high = 1};
    const ops_fill indices = {.kind = OPS_LEVELS,
                              .low = ops_real(run, "low", 0),
                              .high = ops_real(run, "high", (double)s->x.dim[s->axis] - 1)};
    ops_word(run, "xl", "", layout, sizeof layout);
    s->values = ops_input(run, s->dtype, scatter ? s->y : s->x, layout, values);
    ops_word(run, "il", "", layout, sizeof layout);
    s->index = ops_input(run, DP_I32, s->index_shape, layout, indices);
    run->bytes = 2.0 * (double)dp_dtype_size(s->dtype) * (double)ops_size(s->y) + 4.0 * (double)ops_size(s->index_shape);
    run->flops = scatter ? (double)ops_size(s->y) : 0;
}

static void setup_gather(ops_run *run)
{
    setup_common(run, false);
}

static void setup_scatter(ops_run *run)
{
    setup_common(run, true);
}

static void launch_gather(ops_run *run)
{
    const state *s = run->state;
    run->results = 1;
    run->result[0] = s->rows ? dp_gather_rows(run->device, s->values, s->index)
                             : dp_gather(run->device, s->values, s->index, s->axis);
}

static void launch_scatter(ops_run *run)
{
    const state *s = run->state;
    const int64_t n = s->x.dim[s->axis];
    run->results = 1;
    run->result[0] = s->rows ? dp_scatter_add_rows(run->device, s->values, s->index, n)
                             : dp_scatter_add(run->device, s->values, s->index, s->axis, n);
}

static void bound_scatter(ops_run *run)
{
    const state *s = run->state;
    const int64_t n = s->x.dim[s->axis];
    run->bound[0] = s->rows ? dp_scatter_add_rows_bound(run->device, s->values, s->index, n)
                            : dp_scatter_add_bound(run->device, s->values, s->index, s->axis, n);
}

/* Where in x element `t` of y is read; -1 where its index is out of range. */
static int64_t source(const state *s, const int32_t *indices, int64_t t)
{
    int64_t at[DP_MAX_RANK], from[DP_MAX_RANK] = {0};
    ops_unravel(s->y, t, at);
    const int32_t index = indices[ops_ravel(s->index_shape, at)];
    if (index < 0 || index >= s->x.dim[s->axis])
        return -1;
    for (int a = 0; a < s->x.rank; a++)
        from[a] = s->rows && a > 0 ? at[s->index_shape.rank + a - 1] : at[a];
    from[s->axis] = index;
    return ops_ravel(s->x, from);
}

static void expect_gather(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const int32_t *indices = ops_ints(run, s->index);
    const int32_t *ints = s->dtype == DP_I32 ? ops_ints(run, s->values) : NULL;
    const float *floats = s->dtype != DP_I32 ? ops_floats(run, s->values) : NULL;
    (void)result;
    for (int64_t t = 0; t < ops_size(s->y); t++) {
        const int64_t from = source(s, indices, t);
        if (ints)
            values[t] = from < 0 ? (double)INT32_MIN : (double)ints[from];
        else
            values[t] = from < 0 ? (double)NAN : (double)floats[from];
    }
}

static void expect_scatter(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const int32_t *indices = ops_ints(run, s->index);
    const float *y = ops_floats(run, s->values);
    (void)result;
    for (int64_t t = 0; t < ops_size(s->y); t++) {
        const int64_t to = source(s, indices, t);
        if (to >= 0)
            values[to] += (double)y[t];
    }
}

/* What both have in common: one is the other's adjoint. */
static void common_cases(ops_list *list)
{
    ops_add(list, true, "how=rows x=4x3 index=5");
    ops_add(list, true, "how=axis x=3x4 index=3x6 axis=1");
    ops_add(list, true, "how=rows x=3x2 index=6 low=-2 high=4");
    ops_add(list, false, "how=rows x=1 index=1");
    ops_add(list, false, "how=rows x=100 index=257");
    ops_add(list, false, "how=rows x=100x17 index=257");
    ops_add(list, false, "how=rows x=50x8x9 index=7x11");
    ops_add(list, false, "how=rows x=1000x64 index=300");
    ops_add(list, false, "how=rows x=5x33 index=4x3x2x5");
    ops_add(list, false, "how=rows x=40x31 index=scalar");
    ops_add(list, false, "how=rows x=40x31 index=0");
    ops_add(list, false, "how=rows x=0x3 index=5 low=-1 high=1");
    ops_add(list, false, "how=rows x=4x0 index=5");
    ops_add(list, false, "how=rows x=20x13 index=200 low=-3 high=25");
    ops_add(list, false, "how=rows x=3x129 index=500");
    ops_add(list, false, "how=rows x=70x33 index=65 xl=t");
    ops_add(list, false, "how=rows x=70x33 index=65 xl=step il=step");
    ops_add(list, false, "how=rows x=70x33 index=13x5 xl=offset il=t");
    ops_add(list, false, "how=axis x=17x33 index=5x33 axis=0");
    ops_add(list, false, "how=axis x=17x33 index=17x64 axis=1");
    ops_add(list, false, "how=axis x=257 index=1000 axis=0");
    ops_add(list, false, "how=axis x=9x10x11 index=9x23x11 axis=1");
    ops_add(list, false, "how=axis x=9x10x11 index=9x10x1 axis=2");
    ops_add(list, false, "how=axis x=9x10x11 index=9x7x11 axis=1 low=-4 high=20");
    ops_add(list, false, "how=axis x=9x10x11 index=9x10x40 axis=2 xl=rev il=chain");
    ops_add(list, false, "how=axis x=31x65 index=31x7 axis=1 xl=step il=t");
    ops_add(list, false, "how=axis x=5x3 index=5x0 axis=1");
    ops_add(list, false, "how=axis x=300x10 index=300x1 axis=1");
}

static void cases_gather(ops_list *list)
{
    common_cases(list);
    ops_add(list, true, "how=rows x=4x3 index=5 dtype=i32 low=-1 high=4");
    ops_add(list, false, "how=rows x=100x17 index=257 dtype=i32");
    ops_add(list, false, "how=rows x=100x17 index=64 dtype=i32 xl=t low=-5 high=120");
    ops_add(list, false, "how=axis x=17x33 index=17x64 axis=1 dtype=i32");
    ops_add(list, false, "how=rows x=64x7x5 index=33 xl=inner");
    ops_add(list, true, "how=rows x=4x3 index=5 dtype=f16 low=-1 high=4");
    ops_add(list, false, "how=rows x=100x17 index=257 dtype=bf16 low=-5 high=120");
    ops_add(list, false, "how=rows x=70x33 index=13x5 xl=t il=t dtype=f16");
    ops_add(list, false, "how=axis x=9x10x11 index=9x7x11 axis=1 xl=offset dtype=bf16");
}

static void cases_scatter(ops_list *list)
{
    common_cases(list);
    ops_add(list, false, "how=rows x=1x5 index=5000");
    ops_add(list, false, "how=rows x=2x1 index=100003 low=0 high=1");
    ops_add(list, false, "how=axis x=4x7 index=4x3000 axis=1");
    ops_add(list, false, "how=rows x=5000x3 index=100");
}

static void bench(ops_list *list)
{
    ops_add(list, false, "n=1000 d=64 m=1000");
}

const ops_op ops_gather = {
    .name = "gather",
    .keys = "how x index axis low high xl il dtype n d m",
    .shape = "n d m",
    .state_size = sizeof(state),
    .cases = cases_gather,
    .bench = bench,
    .setup = setup_gather,
    .launch = launch_gather,
    .expect = expect_gather,
};

const ops_op ops_scatter_add = {
    .name = "scatter_add",
    .keys = "how x index axis low high xl il n d m",
    .shape = "n d m",
    .state_size = sizeof(state),
    .cases = cases_scatter,
    .bench = bench,
    .setup = setup_scatter,
    .launch = launch_scatter,
    .bound = bound_scatter,
    .expect = expect_scatter,
};
