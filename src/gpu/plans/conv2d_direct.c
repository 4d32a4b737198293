/* SPDX-License-Identifier: Apache-2.0 */
/* One kernel for each of the three products: a work-item has a vector of neighbours of the output and a block of its channels.
 * The vectors and blocks of one group's (or one image's and group's) output are its items. */
#include "gpu/plans/conv2d.h"
#include "gpu/plans/reduce.h"

#define CHANNEL_BLOCK 8 /* output channels of a work-item; 1 where a group has no more */
#define LEAST_SLICE 256 /* windows that are worth a work-item's while */

/* The output of one group: `size` neighbours, all in one channel, and so many channels. */
typedef struct tiles {
    int64_t size, blocks;
    int64_t items; /* over all groups and what else there is `times` */
    int block;
} tiles;

static tiles tile(const dp__gpu *gpu, const dp__conv2d_call *call, int64_t times, int64_t size, int64_t channels)
{
    const int block = channels == 1 ? 1 : CHANNEL_BLOCK;
    const int64_t blocks = DP_CEIL_DIV(channels, block);
    return (tiles){size, blocks, times * call->groups * blocks * DP_CEIL_DIV(size, dp__tuning_of(&gpu->limits).width), block};
}

static dp__step new_step(const dp__gpu *gpu, const char *kernel, const dp__conv2d_call *call, const tiles *t,
                         const dp_tensor *first, const dp_tensor *second, const dp_tensor *out)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    dp__step step = dp__step_new(kernel, tuning.heavy, 1);
    dp__step_define(&step, "W", tuning.width);
    dp__step_define(&step, "OB", t->block);
    dp__step_in(&step, first->buffer);
    dp__step_in(&step, second->buffer);
    dp__step_out(&step, out->buffer);
    dp__step_int(&step, t->items);
    dp__step_int(&step, t->size);
    dp__step_int(&step, t->blocks);
    dp__step_int(&step, call->groups);
    dp__step_int(&step, call->w->shape.dim[1]);
    dp__step_int(&step, call->w->shape.dim[0] / call->groups);
    return step;
}

static void add_window(dp__step *step, const dp__conv2d_call *call)
{
    const int window[] = {call->stride[0],     call->stride[1],   call->padding[0][0],
                          call->padding[1][0], call->dilation[0], call->dilation[1]};
    for (size_t i = 0; i < DP_COUNT(window); i++)
        dp__step_int(step, window[i]);
}

static void add_sizes(dp__step *step, const dp_shape *shape)
{
    dp__step_int(step, shape->dim[2]);
    dp__step_int(step, shape->dim[3]);
}

static void add_view(dp__step *step, const dp_tensor *tensor)
{
    dp__step_int(step, tensor->offset);
    for (int axis = 0; axis < 4; axis++)
        dp__step_int(step, tensor->stride[axis]);
}

/* One part of the sum: of the `steps` rows of the kernel in all channels those that one work-item's loops may take. */
static dp_status run_steps(dp__gpu *gpu, const dp__conv2d_call *call, const tiles *t, int64_t first, int64_t end,
                           int64_t steps)
{
    const bool forward = call->kind == DP__CONV2D_FORWARD;
    const dp_tensor *from = forward ? call->x : call->y, *out = forward ? call->y : call->x;
    dp__step step = new_step(gpu, forward ? "conv2d" : "conv2d_input", call, t, from, call->w, out);
    add_sizes(&step, &from->shape);
    add_sizes(&step, &call->w->shape);
    dp__step_int(&step, out->shape.dim[3]);
    add_window(&step, call);
    dp__step_int(&step, first);
    dp__step_int(&step, end);
    dp__step_int(&step, first > 0);
    add_view(&step, from);
    add_view(&step, call->w);
    dp__step_int(&step, out->offset);
    const dp_shape *w = &call->w->shape; /* every weight meets every window, in all launches together */
    step.launch.flops = 2.0 * (double)dp_tensor_size(call->y) * (double)(w->dim[1] * w->dim[2] * w->dim[3]) *
                        (double)(end - first) / (double)DP_MAX2(steps, 1);
    step.launch.bytes = 4.0 * (double)(dp_tensor_size(call->x) + dp_tensor_size(call->w) + dp_tensor_size(call->y));
    return dp__step_run(gpu, &step, DP_CEIL_DIV(t->items, dp__tuning_of(&gpu->limits).heavy));
}

static dp_status run_images(dp__gpu *gpu, const dp__conv2d_call *call)
{
    const bool forward = call->kind == DP__CONV2D_FORWARD;
    const dp_shape *out = &dp__conv2d_out(call)->shape, *w = &call->w->shape;
    const int64_t rounds = dp__tuning_of(&gpu->limits).rounds, most = rounds / (w->dim[3] + 2); /* one round finds the end */
    const int64_t out_channels = w->dim[0] / call->groups;
    const int64_t steps = (forward ? w->dim[1] : out_channels) * w->dim[2];
    if (most == 0)
        return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED, "conv2d: w has %lld columns; loops on %s may take %lld rounds",
                        (long long)w->dim[3], gpu->device->info.id, (long long)rounds);
    const tiles t = tile(gpu, call, out->dim[0], out->dim[2] * out->dim[3], forward ? out_channels : w->dim[1]);
    int64_t first = 0;
    do { /* once for no steps at all: there are zeros to write */
        const int64_t end = DP_MIN2(first + most, steps);
        DP_CHECK(run_steps(gpu, call, &t, first, end, steps));
        first = end;
    } while (first < steps);
    return DP_OK;
}

/* The windows of all images in slices that work-items can sum and that give every compute unit work. */
static int64_t choose_slice(const dp__gpu *gpu, int64_t items, int64_t windows)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t busy = 4 * (int64_t)DP_MAX2(gpu->limits.compute_units, 1) * tuning.heavy;
    const int64_t wanted = DP_MAX2(DP_MIN2(busy / items, windows / LEAST_SLICE), 1);
    return DP_MIN2(DP_CEIL_DIV(DP_MAX2(windows, 1), wanted), tuning.rounds);
}

static dp_status run_slices(dp__gpu *gpu, const dp__conv2d_call *call, int64_t windows, int64_t slice, int64_t slices,
                            const dp_tensor *out)
{
    const dp_shape *w = &call->w->shape;
    const tiles t = tile(gpu, call, slices, w->dim[1] * w->dim[2] * w->dim[3], w->dim[0] / call->groups);
    dp__step step = new_step(gpu, "conv2d_weights", call, &t, call->x, call->y, out);
    add_sizes(&step, &call->x->shape);
    add_sizes(&step, w);
    add_sizes(&step, &call->y->shape);
    add_window(&step, call);
    dp__step_int(&step, windows);
    dp__step_int(&step, slice);
    add_view(&step, call->x);
    add_view(&step, call->y);
    dp__step_int(&step, out->offset);
    step.launch.flops = 2.0 * (double)dp_tensor_size(call->w) * (double)windows;
    step.launch.bytes = 4.0 * (double)(dp_tensor_size(call->x) + dp_tensor_size(call->w) + dp_tensor_size(call->y));
    return dp__step_run(gpu, &step, DP_CEIL_DIV(t.items, dp__tuning_of(&gpu->limits).heavy));
}

static dp_status run_weights(dp__gpu *gpu, const dp__conv2d_call *call)
{
    const dp_shape *w = &call->w->shape, *y = &call->y->shape;
    const int64_t windows = y->dim[0] * y->dim[2] * y->dim[3];
    const tiles t = tile(gpu, call, 1, w->dim[1] * w->dim[2] * w->dim[3], w->dim[0] / call->groups);
    const int64_t slice = choose_slice(gpu, t.items, windows), slices = DP_MAX2(DP_CEIL_DIV(windows, slice), 1);
    if (slices == 1)
        return run_slices(gpu, call, windows, slice, 1, call->w);
    dp_tensor *sums = dp__tensor_create(gpu->device, DP_F32, DP_SHAPE(slices, dp_tensor_size(call->w)));
    dp_tensor *turned = sums ? dp_transpose(sums, 0, 1) : NULL;
    dp_status status = turned ? run_slices(gpu, call, windows, slice, slices, sums) : DP_ERROR_MEMORY;
    if (status == DP_OK)
        status = dp__plan_reduction(gpu, &(dp__reduction_plan){turned, NULL, call->w, DP_SUM, 1, 1});
    dp_tensor_release(&turned);
    dp_tensor_release(&sums);
    return status;
}

dp_status dp__conv2d_direct(dp__gpu *gpu, const dp__conv2d_call *call)
{
    return call->kind == DP__CONV2D_GRADIENT_WEIGHTS ? run_weights(gpu, call) : run_images(gpu, call);
}
