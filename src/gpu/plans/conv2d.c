/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"

#define OUT_BLOCK 8 /* output channels of a work-item */

static void add_params(dp__step *step, const dp__conv2d_call *call, int64_t items, int64_t pixels, int64_t blocks)
{
    const dp_shape *x = &call->x->shape, *w = &call->w->shape, *out = &call->y->shape;
    const int64_t sizes[] = {items, pixels, blocks, call->groups, w->dim[1], w->dim[0] / call->groups, x->dim[2], x->dim[3],
                             w->dim[2], w->dim[3], out->dim[3], call->stride[0], call->stride[1], call->padding[0][0],
                             call->padding[1][0], call->dilation[0], call->dilation[1]};
    for (size_t i = 0; i < DP_COUNT(sizes); i++)
        dp__step_int(step, sizes[i]);
    dp__step_int(step, call->x->offset);
    for (int axis = 0; axis < 4; axis++)
        dp__step_int(step, call->x->stride[axis]);
    dp__step_int(step, call->w->offset);
    for (int axis = 0; axis < 4; axis++)
        dp__step_int(step, call->w->stride[axis]);
    dp__step_int(step, call->y->offset);
}

dp_status dp__plan_conv2d(dp__gpu *gpu, const dp__conv2d_call *call)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    if (call->kind != DP__CONV2D_FORWARD)
        return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED, "conv2d: gradients on %s", gpu->device->info.id);
    const dp_shape *w = &call->w->shape, *out = &call->y->shape;
    const int64_t taps = w->dim[1] * w->dim[2] * w->dim[3];
    if (taps + w->dim[1] * w->dim[2] > tuning.rounds)
        return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED,
                        "conv2d: w has %lld weights an output channel; loops on %s may take %lld rounds",
                        (long long)taps, gpu->device->info.id, (long long)tuning.rounds);
    const int64_t pixels = out->dim[2] * out->dim[3];
    const int64_t blocks = DP_CEIL_DIV(w->dim[0] / call->groups, OUT_BLOCK);
    const int64_t items = out->dim[0] * call->groups * blocks * DP_CEIL_DIV(pixels, tuning.width);
    dp__step step = dp__step_new("conv2d", tuning.heavy, 1);
    dp__step_define(&step, "W", tuning.width);
    dp__step_define(&step, "OB", OUT_BLOCK);
    dp__step_in(&step, call->x->buffer);
    dp__step_in(&step, call->w->buffer);
    dp__step_out(&step, call->y->buffer);
    add_params(&step, call, items, pixels, blocks);
    step.launch.flops = 2.0 * (double)dp_tensor_size(call->y) * (double)taps;
    step.launch.bytes = 4.0 * (double)(dp_tensor_size(call->x) + dp_tensor_size(call->w) + dp_tensor_size(call->y));
    DP_CHECK(dp__step_run(gpu, &step, DP_CEIL_DIV(items, tuning.heavy)));
    return dp__plan_epilogue(gpu, call->epilogue, call->y);
}
