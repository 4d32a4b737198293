/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions as contractions. Nothing is unfolded: a table tells where each tap (or window) of the sum lies
 * in the images, which have zeros around them, and the kernels add that to where their pixels lie.
 *
 *     FORWARD            rows k, columns (n, p, q), depths (c, r, s):  w times x
 *     GRADIENT_INPUT     rows c, columns (n, i, j), depths (r, s, k):  w times y, once for each h mod stride,
 * w mod stride: there h = i stride + phase, and the taps are those of which r dilation is phase + padding mod
 * stride GRADIENT_WEIGHTS   rows k, columns (c, r, s), depths (n, p, q):  y times x */
#include "gpu/contraction.h"
#include "gpu/plans/conv2d.h"

#define LEAST_ROWS 3 /* output channels of a group below which a GPU's tiles would be idle for the most part */

/* Images with zeros around them: where the first pixel that is asked for lies, and what is asked for. */
typedef struct images {
    dp_tensor *tensor; /* x or y, or a copy with zeros around; a reference */
    int64_t before[2]; /* rows and columns of zeros before the first */
} images;

static dp_status pad(dp__gpu *gpu, const dp_tensor *x, const images *padded)
{
    const bool cpu = gpu->limits.type == DP_DEVICE_CPU;
    const uint32_t lanes = cpu ? 1 : DP_MIN2(32u, gpu->limits.max_group_size);
    const uint32_t rows = cpu ? 8 : DP_MIN2(4u, gpu->limits.max_group_size / lanes);
    const dp_shape *to = &padded->tensor->shape;
    const int64_t all = to->dim[0] * to->dim[1] * to->dim[2];
    dp__step step = dp__step_new("pad", lanes, rows);
    dp__step_in(&step, x->buffer);
    dp__step_out(&step, padded->tensor->buffer);
    const int64_t sizes[] = {
        all,        to->dim[1], x->shape.dim[2], x->shape.dim[3], padded->before[0], padded->before[1],
        to->dim[2], to->dim[3], x->offset};
    for (size_t i = 0; i < DP_COUNT(sizes); i++)
        dp__step_int(&step, sizes[i]);
    for (int axis = 0; axis < 4; axis++)
        dp__step_int(&step, x->stride[axis]);
    step.launch.bytes = 4.0 * (double)(dp_tensor_size(x) + dp_tensor_size(padded->tensor));
    return dp__step_run(gpu, &step, DP_CEIL_DIV(all, rows));
}

/* x with so many rows and columns of zeros before and behind; x itself where there are none. */
static dp_status surround(dp__gpu *gpu, dp_tensor *x, const int64_t before[2], const int64_t behind[2],
                          images *result)
{
    *result = (images){.before = {DP_MAX2(before[0], 0), DP_MAX2(before[1], 0)}};
    dp_shape shape = x->shape;
    for (int axis = 0; axis < 2; axis++)
        shape.dim[2 + axis] += result->before[axis] + DP_MAX2(behind[axis], 0);
    if (dp__shape_equal(&shape, &x->shape)) {
        result->tensor = dp_tensor_retain(x);
        return DP_OK;
    }
    result->tensor = dp__tensor_create(gpu->device, DP_F32, shape);
    const dp_status status = result->tensor ? pad(gpu, x, result) : DP_ERROR_MEMORY;
    if (status != DP_OK)
        dp_tensor_release(&result->tensor);
    return status;
}

/* The taps of one axis that meet one phase: r = first + t step. */
typedef struct taps {
    int64_t first, step, count;
} taps;

/* What a table of steps is made of: for each (outer, a, b) the place outer so + place[0] + place[1]. */
typedef struct steps {
    int32_t *values;
    size_t count;
} steps;

static int64_t axis_place(const dp__conv2d_call *call, int axis, int64_t phase, int64_t tap)
{
    return (phase + call->padding[axis][0] - tap * call->dilation[axis]) / call->stride[axis];
}

static dp_status allocate_steps(dp__gpu *gpu, int64_t count, steps *table)
{
    *table = (steps){dp__alloc((size_t)DP_MAX2(count, 1), sizeof *table->values), (size_t)DP_MAX2(count, 1)};
    return table->values ? DP_OK
                         : dp__fail(gpu->device, DP_ERROR_MEMORY,
                                    "conv2d: no memory for a table of %lld numbers", (long long)count);
}

/* Finds the table on the device, sets it and runs. */
static dp_status run_with(dp__gpu *gpu, dp__contraction *product, steps *table)
{
    dp_status status = dp__table_find(gpu, table->values, table->count, &product->steps);
    dp__free(table->values);
    return status == DP_OK ? dp__contract(gpu, product) : status;
}

/* [K, C / groups, R, S] with the last three axes in one run, whatever the view. */
static dp_tensor *in_one_run(dp__gpu *gpu, const dp_tensor *view)
{
    const int64_t *dim = view->shape.dim, *stride = view->stride;
    const bool run = stride[3] == 1 && stride[2] == dim[3] && stride[1] == dim[2] * dim[3];
    return run ? dp_tensor_retain((dp_tensor *)view) : dp_copy(gpu->device, view);
}

/* Lets the contraction do the epilogue; its tensor is seen from `out`, from row `first[0]` and column
 * `first[1]` on, `apart` apart. */
static void fuse(const dp__conv2d_call *call, const int64_t first[2], const int apart[2],
                 dp__contraction *product)
{
    const dp_tensor *other = dp__epilogue_tensor(call->epilogue);
    product->epilogue = call->epilogue;
    if (!other)
        return;
    const int64_t *stride = other->stride;
    product->c = (dp__contraction_view){other->buffer,
                                        other->offset + first[0] * stride[2] + first[1] * stride[3],
                                        product->m * stride[1],
                                        stride[1],
                                        {apart[1] * stride[3], apart[0] * stride[2], stride[0]}};
}

/* Depths of a contraction to an output: no phase has more. */
static int64_t most_taps(const dp__conv2d_call *call)
{
    const int64_t *wd = call->w->shape.dim;
    const int64_t channels = call->kind == DP__CONV2D_FORWARD ? wd[1] : wd[0] / call->groups;
    return channels * wd[2] * wd[3];
}

static dp_status run_forward(dp__gpu *gpu, const dp__conv2d_call *call, const images *x, const dp_tensor *w)
{
    const int64_t *wd = w->shape.dim, *yd = call->y->shape.dim, *xs = x->tensor->stride;
    const int64_t k = wd[0] / call->groups;
    const int64_t before[2] = {x->before[0] - call->padding[0][0], x->before[1] - call->padding[1][0]};
    steps table;
    DP_CHECK(allocate_steps(gpu, wd[1] * wd[2] * wd[3], &table));
    size_t at = 0;
    for (int64_t c = 0; c < wd[1]; c++)
        for (int64_t r = 0; r < wd[2]; r++)
            for (int64_t s = 0; s < wd[3]; s++)
                table.values[at++] = (int32_t)(c * xs[1] + (r * call->dilation[0] + before[0]) * xs[2] +
                                               (s * call->dilation[1] + before[1]) * xs[3]);
    dp__contraction product = {.batches = call->groups,
                               .m = k,
                               .n = {yd[3], yd[2], yd[0]},
                               .depth = wd[1] * wd[2] * wd[3],
                               .alpha = 1,
                               .table = 1,
                               .a = {w->buffer, w->offset, k * w->stride[0], w->stride[0], {1}},
                               .b = {x->tensor->buffer,
                                     x->tensor->offset,
                                     wd[1] * xs[1],
                                     0,
                                     {call->stride[1] * xs[3], call->stride[0] * xs[2], xs[0]}},
                               .result = {call->y->buffer,
                                          call->y->offset,
                                          k * yd[2] * yd[3],
                                          yd[2] * yd[3],
                                          {1, yd[3], yd[1] * yd[2] * yd[3]}}};
    if (dp__epilogue_fuses(gpu, call->epilogue, most_taps(call)))
        fuse(call, (const int64_t[]){0, 0}, (const int[]){1, 1}, &product);
    return run_with(gpu, &product, &table);
}

/* Zeros that the windows of x reach over its edges. */
static void forward_margins(const dp__conv2d_call *call, int64_t before[2], int64_t behind[2])
{
    for (int axis = 0; axis < 2; axis++) {
        const int64_t windows = call->y->shape.dim[2 + axis],
                      span = (call->w->shape.dim[2 + axis] - 1) * call->dilation[axis];
        before[axis] = call->padding[axis][0];
        behind[axis] =
            (windows - 1) * call->stride[axis] - before[axis] + span - (call->x->shape.dim[2 + axis] - 1);
    }
}

static dp_status forward(dp__gpu *gpu, const dp__conv2d_call *call)
{
    int64_t before[2], behind[2];
    images x = {0};
    forward_margins(call, before, behind);
    DP_CHECK(surround(gpu, call->x, before, behind, &x));
    dp_tensor *w = in_one_run(gpu, call->w);
    const dp_status status = w ? run_forward(gpu, call, &x, w) : DP_ERROR_MEMORY;
    dp_tensor_release(&w);
    dp_tensor_release(&x.tensor);
    return status;
}

static dp_status run_weights(dp__gpu *gpu, const dp__conv2d_call *call, const images *x)
{
    const int64_t *wd = call->w->shape.dim, *yd = call->y->shape.dim, *xs = x->tensor->stride,
                  *ys = call->y->stride;
    const int64_t k = wd[0] / call->groups, size = wd[1] * wd[2] * wd[3];
    const int64_t before[2] = {x->before[0] - call->padding[0][0], x->before[1] - call->padding[1][0]};
    steps table;
    DP_CHECK(allocate_steps(gpu, 2 * yd[0] * yd[2] * yd[3], &table));
    size_t at = 0;
    for (int64_t n = 0; n < yd[0]; n++)
        for (int64_t p = 0; p < yd[2]; p++)
            for (int64_t q = 0; q < yd[3]; q++) {
                table.values[at++] = (int32_t)(n * ys[0] + p * ys[2] + q * ys[3]);
                table.values[at++] = (int32_t)(n * xs[0] + (p * call->stride[0] + before[0]) * xs[2] +
                                               (q * call->stride[1] + before[1]) * xs[3]);
            }
    dp__contraction product = {
        .batches = call->groups,
        .m = k,
        .n = {wd[3], wd[2], wd[1]},
        .depth = yd[0] * yd[2] * yd[3],
        .alpha = 1,
        .table = 2,
        .along_depth = call->stride[1] * xs[3],
        .a = {call->y->buffer, call->y->offset, k * ys[1], ys[1], {0}},
        .b = {x->tensor->buffer,
              x->tensor->offset,
              wd[1] * xs[1],
              0,
              {call->dilation[1] * xs[3], call->dilation[0] * xs[2], xs[1]}},
        .result = {call->w->buffer, call->w->offset, k * size, size, {1, wd[3], wd[2] * wd[3]}}};
    return run_with(gpu, &product, &table);
}

static dp_status weights(dp__gpu *gpu, const dp__conv2d_call *call)
{
    int64_t before[2], behind[2];
    images x = {0};
    forward_margins(call, before, behind);
    DP_CHECK(surround(gpu, call->x, before, behind, &x));
    const dp_status status = run_weights(gpu, call, &x);
    dp_tensor_release(&x.tensor);
    return status;
}

/* The taps r of an axis with (phase + padding - r dilation) mod stride = 0. */
static taps taps_of(const dp__conv2d_call *call, int axis, int64_t phase)
{
    const int64_t all = call->w->shape.dim[2 + axis], stride = call->stride[axis];
    taps result = {0, 1, 0};
    for (int64_t r = 0; r < all; r++) {
        if ((phase + call->padding[axis][0] - r * call->dilation[axis]) % stride != 0)
            continue;
        if (result.count == 0)
            result.first = r;
        else if (result.count == 1)
            result.step = r - result.first;
        result.count++;
    }
    return result;
}

/* w as [groups, C/groups, taps of the phase, K/groups] in one run: the rows of the contraction are input
 * channels. */
static dp_tensor *turn_weights(dp__gpu *gpu, const dp__conv2d_call *call, const taps met[2])
{
    const dp_tensor *w = call->w;
    const int64_t k = w->shape.dim[0] / call->groups;
    dp_tensor *view = dp__tensor_view((dp_tensor *)w);
    if (!view)
        return NULL;
    view->shape = DP_SHAPE(call->groups, w->shape.dim[1], met[0].count, met[1].count, k);
    const int64_t strides[] = {k * w->stride[0], w->stride[1], met[0].step * w->stride[2],
                               met[1].step * w->stride[3], w->stride[0]};
    for (int axis = 0; axis < 5; axis++)
        view->stride[axis] = strides[axis];
    view->offset += met[0].first * w->stride[2] + met[1].first * w->stride[3];
    dp_tensor *turned = dp_copy(gpu->device, view);
    dp_tensor_release(&view);
    return turned;
}

/* One phase of the rows and columns of x: those with index phase mod stride. */
static dp_status run_phase(dp__gpu *gpu, const dp__conv2d_call *call, const images *y, const int64_t phase[2])
{
    const int64_t *wd = call->w->shape.dim, *xd = call->x->shape.dim, *ys = y->tensor->stride;
    const int64_t k = wd[0] / call->groups, c = wd[1];
    const taps met[2] = {taps_of(call, 0, phase[0]), taps_of(call, 1, phase[1])};
    const int64_t depth = k * met[0].count * met[1].count;
    dp_tensor *w = depth > 0 ? turn_weights(gpu, call, met) : dp_tensor_retain(call->w);
    if (!w)
        return DP_ERROR_MEMORY;
    steps table;
    dp_status status = allocate_steps(gpu, depth, &table);
    size_t at = 0;
    for (int64_t r = 0; status == DP_OK && r < met[0].count; r++)
        for (int64_t s = 0; s < met[1].count; s++)
            for (int64_t out = 0; out < k; out++)
                table.values[at++] =
                    (int32_t)(out * ys[1] +
                              (axis_place(call, 0, phase[0], met[0].first + r * met[0].step) + y->before[0]) *
                                  ys[2] +
                              (axis_place(call, 1, phase[1], met[1].first + s * met[1].step) + y->before[1]) *
                                  ys[3]);
    if (status == DP_OK) {
        dp__contraction product = {
            .batches = call->groups,
            .m = c,
            .depth = depth,
            .alpha = 1,
            .table = 1,
            .n = {DP_CEIL_DIV(xd[3] - phase[1], call->stride[1]),
                  DP_CEIL_DIV(xd[2] - phase[0], call->stride[0]), xd[0]},
            .a = {w->buffer, w->offset, c * depth, depth, {1}},
            .b = {y->tensor->buffer, y->tensor->offset, k * ys[1], 0, {ys[3], ys[2], ys[0]}},
            .result = {call->x->buffer,
                       call->x->offset + phase[0] * xd[3] + phase[1],
                       c * xd[2] * xd[3],
                       xd[2] * xd[3],
                       {call->stride[1], call->stride[0] * xd[3], xd[1] * xd[2] * xd[3]}}};
        if (dp__epilogue_fuses(gpu, call->epilogue, most_taps(call)))
            fuse(call, phase, call->stride, &product);
        status = run_with(gpu, &product, &table);
    }
    dp_tensor_release(&w);
    return status;
}

/* Zeros that the taps of all phases reach over y's edges. */
static void input_margins(const dp__conv2d_call *call, int64_t before[2], int64_t behind[2])
{
    for (int axis = 0; axis < 2; axis++) {
        before[axis] = behind[axis] = 0;
        for (int64_t phase = 0; phase < DP_MIN2(call->stride[axis], call->x->shape.dim[2 + axis]); phase++) {
            const taps met = taps_of(call, axis, phase);
            if (met.count == 0)
                continue;
            const int64_t places = DP_CEIL_DIV(call->x->shape.dim[2 + axis] - phase, call->stride[axis]);
            const int64_t last_tap = met.first + (met.count - 1) * met.step;
            before[axis] = DP_MAX2(before[axis], -axis_place(call, axis, phase, last_tap));
            behind[axis] = DP_MAX2(behind[axis], places - 1 + axis_place(call, axis, phase, met.first) -
                                                     (call->y->shape.dim[2 + axis] - 1));
        }
    }
}

static dp_status input(dp__gpu *gpu, const dp__conv2d_call *call)
{
    int64_t before[2], behind[2];
    images y = {0};
    input_margins(call, before, behind);
    DP_CHECK(surround(gpu, call->y, before, behind, &y));
    dp_status status = DP_OK;
    int64_t phase[2];
    for (phase[0] = 0; phase[0] < DP_MIN2(call->stride[0], call->x->shape.dim[2]); phase[0]++)
        for (phase[1] = 0; status == DP_OK && phase[1] < DP_MIN2(call->stride[1], call->x->shape.dim[3]);
             phase[1]++)
            status = run_phase(gpu, call, &y, phase);
    dp_tensor_release(&y.tensor);
    return status;
}

/* y has one pixel an image, and w covers x: each pixel of x meets one tap. */
static bool is_product(const dp__conv2d_call *call)
{
    bool product = call->kind == DP__CONV2D_GRADIENT_INPUT;
    for (int axis = 0; axis < 2; axis++)
        product = product && call->y->shape.dim[2 + axis] == 1 && call->padding[axis][0] == 0 && call->dilation[axis] == 1 &&
                  call->x->shape.dim[2 + axis] == call->w->shape.dim[2 + axis];
    return product;
}

/* Then x = y w: rows are images, columns (c, r, s), depths k. */
static dp_status product(dp__gpu *gpu, const dp__conv2d_call *call)
{
    const int64_t *wd = call->w->shape.dim, *ys = call->y->stride;
    const int64_t k = wd[0] / call->groups, size = wd[1] * wd[2] * wd[3];
    dp_tensor *w = in_one_run(gpu, call->w);
    if (!w)
        return DP_ERROR_MEMORY;
    const dp__contraction product = {.batches = call->groups,
                                     .m = call->y->shape.dim[0],
                                     .n = {size, 1, 1},
                                     .depth = k,
                                     .alpha = 1,
                                     .a = {call->y->buffer, call->y->offset, k * ys[1], ys[0], {ys[1]}},
                                     .b = {w->buffer, w->offset, k * w->stride[0], w->stride[0], {1}},
                                     .result = {call->x->buffer, call->x->offset, size, call->groups * size, {1}}};
    const dp_status status = dp__contract(gpu, &product);
    dp_tensor_release(&w);
    return status;
}

dp_status dp__conv2d_contract(dp__gpu *gpu, const dp__conv2d_call *call, bool *done)
{
    const int64_t out_rows = call->w->shape.dim[0] / call->groups, in_rows = call->w->shape.dim[1];
    const bool to_input = call->kind == DP__CONV2D_GRADIENT_INPUT;
    const int64_t depth = to_input ? out_rows : in_rows;
    const bool plain = is_product(call);
    const int64_t least = plain || gpu->limits.type == DP_DEVICE_CPU ? 1 : LEAST_ROWS;
    *done = (to_input ? in_rows : out_rows) >= least && depth > 0 && dp_tensor_size(call->y) > 0 &&
            dp_tensor_size(call->x) > 0 &&
            dp_tensor_size(call->w) * 2 / call->groups < dp__tuning_of(&gpu->limits).rounds * out_rows;
    if (!*done)
        return DP_OK;
    DP_CHECK(plain                              ? product(gpu, call)
             : call->kind == DP__CONV2D_FORWARD ? forward(gpu, call)
             : to_input                         ? input(gpu, call)
                                                : weights(gpu, call));
    return !plain && dp__epilogue_fuses(gpu, call->epilogue, most_taps(call))
               ? DP_OK
               : dp__plan_epilogue(gpu, call->epilogue, dp__conv2d_out(call));
}
