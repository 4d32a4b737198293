/* SPDX-License-Identifier: Apache-2.0 */
/* gather and scatter_add: each element of the result is a work-item. */
#include "gpu/step.h"
#include <math.h>

/* Offset and the three strides of a tensor of rank 3. */
static void add_view(dp__step *step, const dp_tensor *tensor)
{
    dp__step_int(step, tensor->offset);
    for (int axis = 0; axis < 3; axis++)
        dp__step_int(step, tensor->stride[axis]);
}

dp_status dp__plan_gather(dp__gpu *gpu, const dp__gather_call *call)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const dp_dtype dtype = call->out->dtype;
    const bool halves = dp__is_half(dtype);
    const int64_t items = dp_tensor_size(call->out);
    dp__step step = dp__step_new("gather", tuning.group, 1);
    dp__step_define(&step, "HALVES", halves);
    dp__step_in(&step, call->x->buffer);
    dp__step_in(&step, call->index->buffer);
    dp__step_out(&step, call->out->buffer);
    dp__step_int(&step, items);
    dp__step_int(&step, call->out->shape.dim[1]);
    dp__step_int(&step, call->out->shape.dim[2]);
    dp__step_int(&step, call->x->shape.dim[1]);
    dp__step_int(&step, dtype == DP_F32 ? 0x7fc00000 : halves ? dp__half_narrow(dtype, NAN) : INT32_MIN);
    add_view(&step, call->x);
    add_view(&step, call->index);
    dp__step_int(&step, call->out->offset);
    step.launch.bytes = (4.0 + 2.0 * (double)dp_dtype_size(dtype)) * (double)items;
    return dp__step_run(gpu, &step, DP_CEIL_DIV(halves ? DP_CEIL_DIV(items, 2) : items, tuning.group));
}

static dp_status scatter_add(dp__gpu *gpu, const dp__scatter_add_call *call, int64_t first_pick, int64_t end_pick)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t items = dp_tensor_size(call->out);
    dp__step step = dp__step_new("scatter_add", tuning.group, 1);
    dp__step_in(&step, call->y->buffer);
    dp__step_in(&step, call->index->buffer);
    dp__step_out(&step, call->out->buffer);
    dp__step_int(&step, items);
    dp__step_int(&step, first_pick);
    dp__step_int(&step, end_pick);
    dp__step_int(&step, call->out->shape.dim[2]);
    dp__step_int(&step, call->out->shape.dim[1]);
    add_view(&step, call->y);
    add_view(&step, call->index);
    dp__step_int(&step, call->out->offset);
    step.launch.flops = (double)items * (double)(end_pick - first_pick);
    step.launch.bytes = 4.0 * (double)items + 8.0 * (double)dp_tensor_size(call->y);
    return dp__step_run(gpu, &step, DP_CEIL_DIV(items, tuning.group));
}

dp_status dp__plan_scatter_add(dp__gpu *gpu, const dp__scatter_add_call *call)
{
    const int64_t picks = call->y->shape.dim[1], rounds = dp__tuning_of(&gpu->limits).rounds;
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    int64_t first = 0;
    do { /* at least once: without picks the result is zero */
        DP_CHECK(scatter_add(gpu, call, first, DP_MIN2(first + rounds, picks)));
        first += rounds;
    } while (first < picks);
    return DP_OK;
}
