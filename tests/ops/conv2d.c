/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions. n, c, h, w, k, r, s as in NCHW and KCRS; s?, p?, d?: stride, padding, dilation of height and
 * width; g groups; xl, wl: layouts. */
#include "ops.h"

#include <inttypes.h>
#include <string.h>

typedef struct state {
    int64_t n, c, h, w, k, r, s, p, q, groups;
    int64_t stride[2], padding[2], dilation[2];
    dp_tensor *x, *kernel;
    dp_conv2d_params params;
} state;

static void setup_params(ops_run *run)
{
    static const char *const keys[3][2] = {{"sh", "sw"}, {"ph", "pw"}, {"dh", "dw"}};
    state *s = run->state;
    for (int axis = 0; axis < 2; axis++) {
        s->params.stride[axis] = (int)ops_int(run, keys[0][axis], 0);
        s->params.padding[axis] = (int)ops_int(run, keys[1][axis], 0);
        s->params.dilation[axis] = (int)ops_int(run, keys[2][axis], 0);
        s->stride[axis] = s->params.stride[axis] ? s->params.stride[axis] : 1;
        s->padding[axis] = s->params.padding[axis];
        s->dilation[axis] = s->params.dilation[axis] ? s->params.dilation[axis] : 1;
    }
    s->params.groups = (int)ops_int(run, "g", 0);
    s->groups = s->params.groups ? s->params.groups : 1;
}

static void setup(ops_run *run)
{
    static const ops_fill fill = {.low = -1, .high = 1};
    state *s = run->state;
    char layout[12];
    s->n = ops_int(run, "n", 1);
    s->c = ops_int(run, "c", 1);
    s->h = ops_int(run, "h", 1);
    s->w = ops_int(run, "w", 1);
    s->k = ops_int(run, "k", 1);
    s->r = ops_int(run, "r", 1);
    s->s = ops_int(run, "s", 1);
    setup_params(run);
    s->p = (s->h + 2 * s->padding[0] - s->dilation[0] * (s->r - 1) - 1) / s->stride[0] + 1;
    s->q = (s->w + 2 * s->padding[1] - s->dilation[1] * (s->s - 1) - 1) / s->stride[1] + 1;
    const dp_shape x = DP_SHAPE(s->n, s->c, s->h, s->w), w = DP_SHAPE(s->k, s->c / s->groups, s->r, s->s);
    s->x = ops_input(run, DP_F32, x, ops_word(run, "xl", "", layout, sizeof layout), fill);
    s->kernel = ops_input(run, DP_F32, w, ops_word(run, "wl", "", layout, sizeof layout), fill);
    const int64_t size = s->n * s->k * s->p * s->q;
    run->flops = 2.0 * (double)size * (double)(s->c / s->groups * s->r * s->s);
    run->bytes = 4.0 * (double)(ops_size(x) + ops_size(w) + size);
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    run->results = 1;
    run->result[0] = dp_conv2d(run->device, s->x, s->kernel, &s->params);
}

static void bound(ops_run *run)
{
    const state *s = run->state;
    run->bound[0] = dp_conv2d_bound(run->device, s->x, s->kernel, &s->params);
}

/* One element of the result. */
static double element(const state *s, const float *x, const float *w, const int64_t at[4])
{
    const int64_t channels = s->c / s->groups, group = at[1] / (s->k / s->groups);
    double sum = 0;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t r = 0; r < s->r; r++)
            for (int64_t q = 0; q < s->s; q++) {
                const int64_t row = at[2] * s->stride[0] - s->padding[0] + r * s->dilation[0];
                const int64_t column = at[3] * s->stride[1] - s->padding[1] + q * s->dilation[1];
                if (row < 0 || row >= s->h || column < 0 || column >= s->w)
                    continue;
                const int64_t from = ((at[0] * s->c + group * channels + c) * s->h + row) * s->w + column;
                sum += (double)w[((at[1] * channels + c) * s->r + r) * s->s + q] * (double)x[from];
            }
    return sum;
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const float *x = ops_floats(run, s->x), *w = ops_floats(run, s->kernel);
    const dp_shape shape = DP_SHAPE(s->n, s->k, s->p, s->q);
    (void)result;
    for (int64_t t = 0; t < ops_size(shape); t++) {
        int64_t at[DP_MAX_RANK];
        ops_unravel(shape, t, at);
        values[t] = element(s, x, w, at);
    }
}

static void cases(ops_list *list)
{
    static const int edge[] = {1, 7, 8, 9, 16, 17, 31, 33};
    for (int k = 0; k < 8; k++) {
        ops_add(list, false, "n=1 c=%d h=13 w=11 k=%d r=3 s=3 ph=1 pw=1", edge[k], edge[(k + 3) % 8]);
        ops_add(list, false, "n=2 c=3 h=%d w=%d k=5 r=3 s=3 ph=1 pw=1", edge[k], edge[(k + 5) % 8]);
    }
    ops_add(list, true, "n=1 c=2 h=5 w=4 k=3 r=3 s=3 ph=1 pw=1");
    ops_add(list, true, "n=1 c=1 h=4 w=4 k=2 r=1 s=1");
    ops_add(list, true, "n=2 c=2 h=4 w=5 k=2 r=2 s=3 sh=2 g=2");
    ops_add(list, false, "n=3 c=16 h=9 w=9 k=32 r=1 s=1");
    ops_add(list, false, "n=1 c=65 h=16 w=16 k=63 r=1 s=1 sh=2 sw=2");
    ops_add(list, false, "n=2 c=3 h=32 w=32 k=16 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
    ops_add(list, false, "n=2 c=16 h=16 w=16 k=33 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
    ops_add(list, false, "n=4 c=64 h=4 w=4 k=10 r=4 s=4");
    ops_add(list, false, "n=1 c=4 h=14 w=19 k=6 r=5 s=7 ph=2 pw=3");
    ops_add(list, false, "n=2 c=3 h=17 w=23 k=5 r=7 s=1 ph=3");
    ops_add(list, false, "n=1 c=5 h=20 w=21 k=7 r=3 s=3 dh=2 dw=3 ph=2 pw=3");
    ops_add(list, false, "n=1 c=2 h=15 w=15 k=3 r=3 s=2 dh=5 dw=7");
    ops_add(list, false, "n=3 c=8 h=10 w=12 k=12 r=3 s=3 ph=1 pw=1 g=4");
    ops_add(list, false, "n=2 c=32 h=9 w=9 k=32 r=3 s=3 ph=1 pw=1 g=8");
    ops_add(list, false, "n=2 c=17 h=11 w=13 k=17 r=3 s=3 ph=1 pw=1 g=17");
    ops_add(list, false, "n=1 c=6 h=11 w=13 k=18 r=5 s=5 ph=2 pw=2 g=6 sh=2 sw=2");
    ops_add(list, false, "n=1 c=2 h=3 w=3 k=2 r=3 s=3 ph=4 pw=5");
    ops_add(list, false, "n=1 c=2 h=3 w=3 k=2 r=2 s=2 ph=3 pw=3 sh=3 sw=2");
    ops_add(list, false, "n=3 c=4 h=19 w=17 k=5 r=3 s=3 sh=3 sw=1 ph=1");
    ops_add(list, false, "n=3 c=4 h=19 w=17 k=5 r=3 s=3 sh=1 sw=4 pw=2");
    ops_add(list, false, "n=3 c=1 h=28 w=28 k=8 r=5 s=5");
    ops_add(list, false, "n=3 c=8 h=28 w=28 k=1 r=3 s=3 ph=1 pw=1");
    ops_add(list, false, "n=1 c=1 h=1 w=1 k=1 r=1 s=1");
    ops_add(list, false, "n=1 c=1 h=1 w=300 k=1 r=1 s=31");
    ops_add(list, false, "n=1 c=1 h=300 w=1 k=2 r=31 s=1 ph=15");
    ops_add(list, false, "n=0 c=3 h=8 w=8 k=4 r=3 s=3");
    ops_add(list, false, "n=1 c=0 h=8 w=8 k=4 r=3 s=3");
    ops_add(list, false, "n=1 c=3 h=8 w=8 k=0 r=3 s=3");
    ops_add(list, false, "n=2 c=32 h=28 w=28 k=64 r=3 s=3 ph=1 pw=1");
    ops_add(list, false, "n=1 c=128 h=14 w=14 k=128 r=3 s=3 ph=1 pw=1");
    ops_add(list, false, "n=1 c=3 h=64 w=64 k=16 r=7 s=7 sh=2 sw=2 ph=3 pw=3");
    ops_add(list, false, "n=2 c=5 h=12 w=14 k=6 r=3 s=3 xl=t wl=t");
    ops_add(list, false, "n=2 c=5 h=12 w=14 k=6 r=3 s=3 xl=rev wl=rev ph=1");
    ops_add(list, false, "n=2 c=5 h=12 w=14 k=6 r=3 s=3 xl=step wl=rows pw=1");
    ops_add(list, false, "n=3 c=4 h=12 w=14 k=6 r=2 s=3 xl=bcast wl=inner g=2");
    ops_add(list, false, "n=3 c=4 h=12 w=14 k=6 r=2 s=3 xl=offset wl=step sh=2");
}

static void bench(ops_list *list)
{
    ops_add(list, false, "n=1 c=64 h=56 w=56 k=64 r=3 s=3 ph=1 pw=1");
    ops_add(list, false, "n=1 c=128 h=28 w=28 k=256 r=1 s=1");
    ops_add(list, false, "n=8 c=64 h=32 w=32 k=128 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
}

const ops_op ops_conv2d = {
    .name = "conv2d",
    .keys = "n c h w k r s sh sw ph pw dh dw g xl wl",
    .shape = "n c h w k r s",
    .state_size = sizeof(state),
    .cases = cases,
    .bench = bench,
    .setup = setup,
    .launch = launch,
    .bound = bound,
    .expect = expect,
};
