/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions: forward, both gradients, transposed. n, c, h, w, k, r, s as in NCHW and KCRS; s?, p?, e?, d?, o?: stride, padding,
 * extra padding, dilation, output padding of height and width; g groups; win: Winograd's tile; xl, wl, yl: layouts. For a gradient x, w and y are those of
 * the convolution; of a transposed one n, c, h, w are its input's and k its output channels. */
#include "epilogue.h"

#include <inttypes.h>
#include <string.h>

typedef enum op_kind { FORWARD, INPUT, WEIGHTS, TRANSPOSED } op_kind;

typedef struct state {
    op_kind kind;
    dp_shape x, w, y; /* of the convolution; of a transposed one x is the result */
    int stride[2], before[2], dilation[2], groups;
    dp_tensor *tx, *tw, *ty; /* the result's is NULL */
    dp_conv2d_params params;
    dp_conv2d_transposed_params transposed;
    ops_epilogue epilogue;
} state;

static void setup_params(ops_run *run)
{
    static const char *const keys[][2] = {{"sh", "sw"}, {"ph", "pw"}, {"eh", "ew"}, {"dh", "dw"}, {"oh", "ow"}};
    state *s = run->state;
    for (int axis = 0; axis < 2; axis++) {
        int value[5];
        for (int k = 0; k < 5; k++)
            value[k] = (int)ops_int(run, keys[k][axis], 0);
        s->params.stride[axis] = s->transposed.stride[axis] = value[0];
        s->params.padding[axis] = s->transposed.padding[axis] = s->before[axis] = value[1];
        s->params.extra_padding[axis] = s->transposed.extra_padding[axis] = value[2];
        s->params.dilation[axis] = s->transposed.dilation[axis] = value[3];
        s->transposed.output_padding[axis] = value[4];
        s->stride[axis] = value[0] ? value[0] : 1;
        s->dilation[axis] = value[3] ? value[3] : 1;
    }
    s->params.winograd = (int)ops_int(run, "win", 0);
    s->params.groups = s->transposed.groups = (int)ops_int(run, "g", 0);
    s->groups = s->params.groups ? s->params.groups : 1;
}

static void setup_shapes(ops_run *run)
{
    state *s = run->state;
    const int64_t n = ops_int(run, "n", 1), c = ops_int(run, "c", 1), k = ops_int(run, "k", 1);
    const int64_t size[2] = {ops_int(run, "h", 1), ops_int(run, "w", 1)}, taps[2] = {ops_int(run, "r", 1), ops_int(run, "s", 1)};
    const bool turned = s->kind == TRANSPOSED;
    int64_t other[2];
    for (int axis = 0; axis < 2; axis++) {
        const int64_t both = 2 * s->before[axis] + s->params.extra_padding[axis], span = s->dilation[axis] * (taps[axis] - 1) + 1;
        other[axis] = turned ? (size[axis] - 1) * s->stride[axis] + span - both + s->transposed.output_padding[axis]
                             : (size[axis] + both - span) / s->stride[axis] + 1;
    }
    s->x = turned ? DP_SHAPE(n, k, other[0], other[1]) : DP_SHAPE(n, c, size[0], size[1]);
    s->y = turned ? DP_SHAPE(n, c, size[0], size[1]) : DP_SHAPE(n, k, other[0], other[1]);
    s->w = DP_SHAPE(s->y.dim[1], s->x.dim[1] / s->groups, taps[0], taps[1]);
}

static dp_tensor *tensor(ops_run *run, dp_shape shape, const char *layout_key, const char *dtype_key)
{
    static const ops_fill fill = {.low = -1, .high = 1};
    char layout[12];
    return ops_input(run, ops_dtype(run, dtype_key, DP_F32), shape, ops_word(run, layout_key, "", layout, sizeof layout), fill);
}

static void setup(ops_run *run, op_kind kind)
{
    state *s = run->state;
    s->kind = kind;
    setup_params(run);
    setup_shapes(run);
    s->tx = kind == INPUT || kind == TRANSPOSED ? NULL : tensor(run, s->x, "xl", "xd");
    s->tw = kind == WEIGHTS ? NULL : tensor(run, s->w, "wl", "wd");
    s->ty = kind == FORWARD ? NULL : tensor(run, s->y, "yl", "yd");
    const dp_shape result = kind == FORWARD ? s->y : s->x;
    ops_epilogue_setup(run, result, DP_SHAPE(result.dim[1], 1, 1), &s->epilogue);
    s->params.epilogue = s->transposed.epilogue = s->epilogue.text;
    s->params.epilogue_args = s->transposed.epilogue_args = s->epilogue.args;
    run->flops = 2.0 * (double)ops_size(s->y) * (double)(s->w.dim[1] * s->w.dim[2] * s->w.dim[3]);
    run->bytes = 4.0 * (double)(ops_size(s->x) + ops_size(s->w) + ops_size(s->y));
}

static void setup_forward(ops_run *run)
{
    setup(run, FORWARD);
}

static void setup_input(ops_run *run)
{
    setup(run, INPUT);
}

static void setup_weights(ops_run *run)
{
    setup(run, WEIGHTS);
}

static void setup_transposed(ops_run *run)
{
    setup(run, TRANSPOSED);
}

static dp_tensor *call(ops_run *run, bool bound)
{
    const state *s = run->state;
    switch (s->kind) {
    case FORWARD:
        return (bound ? dp_conv2d_bound : dp_conv2d)(run->device, s->tx, s->tw, &s->params);
    case INPUT:
        return (bound ? dp_conv2d_gradient_input_bound : dp_conv2d_gradient_input)(run->device, s->tw, s->ty, s->x.dim[2],
                                                                                   s->x.dim[3], &s->params);
    case WEIGHTS:
        return (bound ? dp_conv2d_gradient_weights_bound : dp_conv2d_gradient_weights)(run->device, s->tx, s->ty, s->w.dim[2],
                                                                                       s->w.dim[3], &s->params);
    default:
        return (bound ? dp_conv2d_transposed_bound : dp_conv2d_transposed)(run->device, s->ty, s->tw, &s->transposed);
    }
}

static void launch(ops_run *run)
{
    run->results = 1;
    run->result[0] = call(run, false);
}

static void bound(ops_run *run)
{
    run->bound[0] = call(run, true);
}

/* All meetings of a weight, an element of x and one of y; each adds the product of two to the third. */
typedef struct meeting {
    int64_t x, w, y;
} meeting;

static void meet(const meeting *m, const float *x, const float *w, const float *y, double *values)
{
    if (!y)
        values[m->y] += (double)x[m->x] * (double)w[m->w];
    else if (!x)
        values[m->x] += (double)y[m->y] * (double)w[m->w];
    else
        values[m->w] += (double)x[m->x] * (double)y[m->y];
}

/* Everything that output element y = (n, k, p, q) meets. */
static void meet_all(const state *s, const int64_t at[4], int64_t y, const float *data[3], double *values)
{
    const int64_t channels = s->w.dim[1], group = at[1] / (s->w.dim[0] / s->groups);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t r = 0; r < s->w.dim[2]; r++)
            for (int64_t t = 0; t < s->w.dim[3]; t++) {
                const int64_t row = at[2] * s->stride[0] - s->before[0] + r * s->dilation[0];
                const int64_t column = at[3] * s->stride[1] - s->before[1] + t * s->dilation[1];
                if (row < 0 || row >= s->x.dim[2] || column < 0 || column >= s->x.dim[3])
                    continue;
                const meeting m = {
                    ((at[0] * s->x.dim[1] + group * channels + c) * s->x.dim[2] + row) * s->x.dim[3] + column,
                    ((at[1] * channels + c) * s->w.dim[2] + r) * s->w.dim[3] + t,
                    y,
                };
                meet(&m, data[0], data[1], data[2], values);
            }
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const float *data[3] = {s->tx ? ops_floats(run, s->tx) : NULL, s->tw ? ops_floats(run, s->tw) : NULL,
                            s->ty ? ops_floats(run, s->ty) : NULL};
    const int64_t size = ops_size(s->kind == FORWARD ? s->y : s->kind == WEIGHTS ? s->w : s->x);
    (void)result;
    memset(values, 0, (size_t)size * sizeof *values);
    for (int64_t t = 0; t < ops_size(s->y); t++) {
        int64_t at[DP_MAX_RANK];
        ops_unravel(s->y, t, at);
        meet_all(s, at, t, data, values);
    }
    ops_epilogue_expect(run, &s->epilogue, values);
}

/* Edge classes, for a convolution and both of its gradients. */
static const char *const shapes[] = {
    "n=2 c=2 h=4 w=5 k=2 r=2 s=3 sh=2 g=2", /* the first two are tiny */
    "n=1 c=2 h=5 w=4 k=3 r=3 s=3 ph=1 pw=1",
    "n=1 c=1 h=1 w=1 k=1 r=1 s=1",
    "n=3 c=16 h=9 w=9 k=33 r=1 s=1",
    "n=1 c=17 h=16 w=15 k=5 r=1 s=1 sh=2 sw=3",
    "n=2 c=3 h=13 w=11 k=16 r=3 s=3 ph=1 pw=1",
    "n=2 c=33 h=8 w=9 k=17 r=3 s=3",
    "n=1 c=5 h=17 w=18 k=3 r=3 s=3 sh=2 sw=2 ph=1 pw=1", /* rows that no window reaches */
    "n=2 c=4 h=20 w=21 k=9 r=2 s=3 sh=3 sw=2 pw=1",
    "n=2 c=3 h=16 w=16 k=16 r=4 s=4 sh=2 sw=2 ph=1 pw=1",
    "n=1 c=3 h=11 w=11 k=2 r=2 s=1 sh=3 sw=4", /* windows that do not touch */
    "n=1 c=5 h=20 w=21 k=7 r=3 s=3 dh=2 dw=3 ph=2 pw=3",
    "n=1 c=2 h=15 w=17 k=3 r=3 s=2 dh=4 dw=7 sh=3 sw=2",
    "n=2 c=3 h=9 w=10 k=4 r=2 s=2 eh=1 ew=1",
    "n=2 c=3 h=9 w=10 k=4 r=4 s=4 sh=2 sw=2 ph=1 pw=2 eh=1 ew=-2",
    "n=1 c=2 h=7 w=8 k=3 r=3 s=3 ph=2 pw=1 eh=-2 ew=3 dh=2",
    "n=3 c=8 h=10 w=12 k=12 r=3 s=3 ph=1 pw=1 g=4",
    "n=2 c=32 h=7 w=6 k=16 r=3 s=3 ph=1 pw=1 g=2 sh=2",
    "n=2 c=17 h=11 w=13 k=17 r=3 s=3 ph=1 pw=1 g=17",
    "n=1 c=6 h=11 w=13 k=18 r=5 s=5 ph=2 pw=2 g=6 sh=2 sw=2",
    "n=1 c=2 h=3 w=3 k=2 r=5 s=7 ph=2 pw=3",
    "n=1 c=2 h=3 w=2 k=2 r=3 s=3 ph=4 pw=5",
    "n=1 c=1 h=1 w=300 k=1 r=1 s=31",
    "n=1 c=1 h=300 w=1 k=2 r=31 s=1 ph=15",
    "n=1 c=3 h=5 w=6 k=2 r=5 s=6",
    "n=0 c=3 h=8 w=8 k=4 r=3 s=3",
    "n=1 c=0 h=8 w=8 k=4 r=3 s=3",
    "n=1 c=3 h=8 w=8 k=0 r=3 s=3",
    "n=2 c=5 h=12 w=14 k=6 r=3 s=3 xl=t wl=t yl=t",
    "n=2 c=5 h=12 w=14 k=6 r=3 s=3 xl=rev wl=rev yl=rev ph=1",
    "n=2 c=5 h=12 w=14 k=6 r=3 s=3 xl=step wl=rows yl=step pw=1",
    "n=3 c=4 h=12 w=14 k=6 r=2 s=3 xl=bcast wl=inner yl=bcast g=2",
    "n=3 c=4 h=12 w=14 k=6 r=2 s=3 xl=offset wl=step yl=offset sh=2",
    "n=2 c=3 h=7 w=9 k=5 r=3 s=3 ph=1 pw=1 xd=f16 wd=bf16 yd=f16",
    "n=2 c=4 h=6 w=7 k=6 r=2 s=3 sh=2 g=2 wd=f16 yd=bf16 xl=rev yl=step",
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Tiles of 2 and of 4: whole, cut, and smaller than one; groups; layouts; where the algorithm does not fit. */
static void cases_winograd(ops_list *list)
{
    for (int tile = 2; tile <= 4; tile += 2) {
        ops_add(list, true, "n=1 c=2 h=4 w=5 k=2 r=3 s=3 ph=1 pw=1 win=%d", tile);
        ops_add(list, false, "n=3 c=5 h=9 w=11 k=33 r=3 s=3 ph=1 pw=1 win=%d", tile);
        ops_add(list, false, "n=2 c=8 h=7 w=6 k=12 r=3 s=3 pw=1 eh=1 g=4 win=%d", tile);
        ops_add(list, false, "n=1 c=1 h=1 w=1 k=3 r=3 s=3 ph=2 pw=1 eh=1 ew=2 win=%d", tile);
    }
    ops_add(list, false, "n=2 c=5 h=8 w=10 k=6 r=3 s=3 xl=step wl=offset win=2");
    ops_add(list, false, "n=5 c=24 h=22 w=22 k=16 r=3 s=3 win=2 ph=1 pw=1"); /* not all images at once on CPUs */
    ops_add(list, false, "n=1 c=3 h=3 w=3 k=1 r=3 s=3 win=4");
    ops_add(list, false, "n=1 c=5 h=8 w=9 k=5 r=3 s=3 ph=1 pw=1 g=5 win=4");
    ops_add(list, false, "n=2 c=5 h=8 w=10 k=6 r=3 s=3 ph=1 pw=1 xl=t wl=rev e=relu win=4");
    ops_add(list, false, "n=1 c=70 h=9 w=10 k=16 r=3 s=3 ph=1 pw=1 win=4");
    ops_add(list, false, "n=1 c=3 h=9 w=9 k=4 r=3 s=3 sw=2 win=4");
    ops_add(list, false, "n=2 c=3 h=9 w=8 k=4 r=3 s=3 ph=1 pw=1 xd=bf16 wd=f16 e=relu win=4");
    ops_add(list, false, "n=1 c=0 h=5 w=6 k=3 r=3 s=3 win=4");
    ops_add(list, false, "n=0 c=2 h=5 w=6 k=3 r=3 s=3 win=4");
}

static void cases_forward(ops_list *list)
{
    static const int edge[] = {1, 7, 8, 9, 16, 17, 31, 33};
    for (int k = 0; k < 8; k++) {
        ops_add(list, false, "n=1 c=%d h=13 w=11 k=%d r=3 s=3 ph=1 pw=1", edge[k], edge[(k + 3) % 8]);
        ops_add(list, false, "n=2 c=3 h=%d w=%d k=5 r=3 s=3 ph=1 pw=1", edge[k], edge[(k + 5) % 8]);
    }
    for (int k = 0; k < SHAPES; k++)
        ops_add(list, k < 2, "%s", shapes[k]);
    ops_add(list, false, "n=4 c=64 h=4 w=4 k=10 r=4 s=4");
    ops_add(list, false, "n=1 c=4 h=14 w=19 k=6 r=5 s=7 ph=2 pw=3");
    ops_add(list, false, "n=3 c=1 h=28 w=28 k=8 r=5 s=5");
    ops_add(list, false, "n=3 c=8 h=28 w=28 k=1 r=3 s=3 ph=1 pw=1");
    ops_add(list, false, "n=2 c=32 h=28 w=28 k=64 r=3 s=3 ph=1 pw=1");
    ops_add(list, false, "n=1 c=128 h=14 w=14 k=128 r=3 s=3 ph=1 pw=1");
    ops_add(list, false, "n=1 c=3 h=64 w=64 k=16 r=7 s=7 sh=2 sw=2 ph=3 pw=3");
    ops_add(list, false, "n=1 c=9000 h=3 w=3 k=2 r=3 s=3"); /* a sum longer than some loops may be */
    ops_add(list, true, "n=2 c=3 h=5 w=4 k=4 r=2 s=2 e=relu");
    ops_add(list, false, "n=2 c=3 h=9 w=10 k=17 r=3 s=3 ph=1 e=relu zl=step");
    ops_add(list, false, "n=2 c=4 h=9 w=10 k=6 r=3 s=3 sh=2 g=2 e=swish");
    ops_add(list, false, "n=1 c=0 h=5 w=6 k=3 r=1 s=1 e=relu");
    ops_add(list, false, "n=0 c=2 h=5 w=6 k=3 r=1 s=1 e=relu");
    cases_winograd(list);
}

static void cases_input(ops_list *list)
{
    for (int k = 0; k < SHAPES; k++)
        ops_add(list, k < 2, "%s", shapes[k]);
    ops_add(list, false, "n=2 c=32 h=14 w=14 k=64 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
    ops_add(list, false, "n=3 c=4 h=3 w=2 k=6 r=3 s=2 g=2 sh=2"); /* one pixel an image: a matrix product */
    ops_add(list, false, "n=9 c=5 h=4 w=4 k=21 r=4 s=4 wl=rev yl=step");
    ops_add(list, false, "n=2 c=1 h=8 w=10 k=7 r=3 s=3 ph=1 pw=1"); /* one row */
    ops_add(list, false, "n=1 c=1 h=3 w=3 k=9000 r=3 s=3"); /* a sum longer than some loops may be */
}

static void cases_weights(ops_list *list)
{
    for (int k = 0; k < SHAPES; k++)
        ops_add(list, k < 2, "%s", shapes[k]);
    ops_add(list, false, "n=4 c=16 h=14 w=14 k=32 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
    ops_add(list, false, "n=2 c=1 h=210 w=200 k=2 r=3 s=3 ph=1 pw=1"); /* windows: longer than some loops may be */
    ops_add(list, false, "n=2 c=2 h=1 w=40001 k=1 r=1 s=2");
}

static void cases_transposed(ops_list *list)
{
    ops_add(list, true, "n=2 c=2 h=2 w=3 k=3 r=2 s=2 sh=2 sw=2");
    ops_add(list, true, "n=1 c=2 h=3 w=2 k=2 r=3 s=3 g=2 ph=1");
    ops_add(list, false, "n=2 c=16 h=5 w=6 k=3 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
    ops_add(list, false, "n=1 c=5 h=6 w=7 k=17 r=3 s=3 sh=2 sw=3 oh=1 ow=2 ph=1");
    ops_add(list, false, "n=2 c=3 h=5 w=4 k=4 r=3 s=3 sh=3 sw=1 ph=1 eh=1 ew=2");
    ops_add(list, false, "n=2 c=3 h=5 w=4 k=4 r=3 s=2 ph=1 pw=1 eh=-1 ew=-1");
    ops_add(list, false, "n=1 c=2 h=5 w=4 k=3 r=2 s=3 dh=3 dw=2 oh=2 ow=1");         /* more than the stride */
    ops_add(list, false, "n=1 c=2 h=5 w=4 k=3 r=3 s=3 sh=2 dh=3 oh=2 ph=2 eh=-2");
    ops_add(list, false, "n=3 c=8 h=5 w=4 k=12 r=3 s=3 sh=2 g=4 ow=0 oh=1");
    ops_add(list, false, "n=1 c=6 h=7 w=7 k=6 r=3 s=3 sh=2 sw=2 g=6");
    ops_add(list, false, "n=3 c=7 h=1 w=1 k=5 r=4 s=4 e=relu");
    ops_add(list, false, "n=1 c=1 h=1 w=1 k=1 r=1 s=1");
    ops_add(list, false, "n=1 c=3 h=4 w=4 k=2 r=1 s=2 sh=3 sw=3");
    ops_add(list, false, "n=0 c=3 h=4 w=4 k=2 r=2 s=2");
    ops_add(list, false, "n=1 c=0 h=4 w=4 k=2 r=2 s=2");
    ops_add(list, false, "n=1 c=2 h=4 w=4 k=0 r=2 s=2");
    ops_add(list, false, "n=2 c=5 h=6 w=7 k=6 r=3 s=3 yl=t wl=rev");
    ops_add(list, false, "n=2 c=5 h=6 w=7 k=3 r=3 s=3 yl=step wl=offset sw=2 ow=1");
    ops_add(list, false, "n=2 c=3 h=5 w=6 k=4 r=4 s=4 sh=2 sw=2 ph=1 pw=1 e=relu");
    ops_add(list, false, "n=2 c=3 h=5 w=6 k=4 r=4 s=4 sh=2 sw=2 ph=1 pw=1 yd=f16 wd=bf16 yl=t");
    ops_add(list, false, "n=1 c=3 h=5 w=6 k=4 r=3 s=3 sh=2 oh=1 e=swish zl=t");
    ops_add(list, false, "n=1 c=0 h=4 w=4 k=2 r=2 s=2 e=relu");
}

static void bench(ops_list *list)
{
    ops_add(list, false, "n=1 c=64 h=56 w=56 k=64 r=3 s=3 ph=1 pw=1");
    ops_add(list, false, "n=1 c=128 h=28 w=28 k=256 r=1 s=1");
    ops_add(list, false, "n=8 c=64 h=32 w=32 k=128 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
}

static void bench_forward(ops_list *list)
{
    bench(list);
    for (int tile = 2; tile <= 4; tile += 2)
        ops_add(list, false, "n=1 c=64 h=56 w=56 k=64 r=3 s=3 ph=1 pw=1 win=%d", tile);
}

static void bench_transposed(ops_list *list)
{
    ops_add(list, false, "n=8 c=128 h=16 w=16 k=64 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
    ops_add(list, false, "n=8 c=64 h=32 w=32 k=3 r=4 s=4 sh=2 sw=2 ph=1 pw=1");
}

#define WINDOW_KEYS "n c h w k r s sh sw ph pw eh ew dh dw g xl wl yl xd wd yd"
#define CONV2D(op_name, key_list, which, bench_list)                                                         \
    {                                                                                                        \
        .name = op_name, .keys = key_list, .shape = "n c h w k r s", .state_size = sizeof(state),            \
        .cases = cases_##which, .bench = bench_list, .setup = setup_##which, .launch = launch, .bound = bound, \
        .expect = expect                                                                                     \
    }
const ops_op ops_conv2d = CONV2D("conv2d", WINDOW_KEYS " win" OPS_EPILOGUE_KEYS, forward, bench_forward);
const ops_op ops_conv2d_gradient_input = CONV2D("conv2d_gradient_input", WINDOW_KEYS, input, bench);
const ops_op ops_conv2d_gradient_weights = CONV2D("conv2d_gradient_weights", WINDOW_KEYS, weights, bench);
const ops_op ops_conv2d_transposed =
    CONV2D("conv2d_transposed", WINDOW_KEYS " oh ow" OPS_EPILOGUE_KEYS, transposed, bench_transposed);
