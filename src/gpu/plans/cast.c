/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between f32, f16 and bf16, and copies of elements of 16 bits: one kernel (kernels/cast.body). */
#include "gpu/step.h"

#define HALF_BITS 3 /* FROM and TO of a copy */

static int type_of(dp_dtype dtype)
{
    return dtype == DP_F32 ? 0 : dtype == DP_F16 ? 1 : 2;
}

/* The axes of `in`, merged: 0 (one run), 1, 3 or 8 of them in the kernel, as a variant for each number would be too many to build. */
static int add_axes(const dp_tensor *in, dp__step *step)
{
    dp__nest nest = {.rank = in->shape.rank, .views = 1};
    for (int axis = 0; axis < nest.rank; axis++) {
        nest.dim[axis] = in->shape.dim[axis];
        nest.stride[0][axis] = in->stride[axis];
    }
    dp__nest_collapse(&nest);
    if (dp_tensor_contiguous(in))
        return 0;
    const int axes = nest.rank <= 1 ? 1 : nest.rank <= 3 ? 3 : 8, missing = axes - nest.rank;
    for (int axis = 0; axis < axes; axis++) {
        const int own = axis - missing;
        if (axis > 0)
            dp__step_int(step, own < 0 ? 1 : nest.dim[own]);
        dp__step_int(step, own < 0 ? 0 : nest.stride[0][own]);
    }
    return axes;
}

static dp_status run(dp__gpu *gpu, const dp_tensor *in, const dp_tensor *out, int from, int to, const char *name)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t size = dp_tensor_size(out), items = to == 0 ? size : DP_CEIL_DIV(size, 2);
    dp__step step = dp__step_new("cast", tuning.group, 1);
    dp__step_in(&step, in->buffer);
    dp__step_out(&step, out->buffer);
    dp__step_int(&step, size);
    dp__step_int(&step, in->offset);
    dp__step_define(&step, "AXES", add_axes(in, &step));
    dp__step_define(&step, "FROM", from);
    dp__step_define(&step, "TO", to);
    step.launch.kernel_name = name;
    step.launch.bytes = (double)(dp_dtype_size(in->dtype) + dp_dtype_size(out->dtype)) * (double)size;
    return dp__step_run(gpu, &step, DP_CEIL_DIV(items, tuning.group));
}

dp_status dp__plan_cast(dp__gpu *gpu, const dp__cast_call *call)
{
    return run(gpu, call->in, call->out, type_of(call->in->dtype), type_of(call->out->dtype), "cast");
}

dp_status dp__plan_copy_halves(dp__gpu *gpu, const dp__copy_call *call)
{
    return run(gpu, call->in, call->out, HALF_BITS, HALF_BITS, "copy");
}

/* Axes from the largest stride to the least; those that repeat one element come last. */
static void memory_order(const dp_tensor *tensor, int order[DP_MAX_RANK])
{
    for (int count = 0; count < tensor->shape.rank; count++) {
        int at = count;
        for (; at > 0 && tensor->stride[order[at - 1]] < tensor->stride[count]; at--)
            order[at] = order[at - 1];
        order[at] = count;
    }
}

dp_status dp__plan_widen(dp__gpu *gpu, const dp_tensor *tensor, dp_tensor **result)
{
    *result = NULL;
    if (!tensor)
        return DP_OK;
    if (tensor->dtype == DP_F32) {
        *result = dp_tensor_retain((dp_tensor *)tensor);
        return DP_OK;
    }
    int order[DP_MAX_RANK];
    memory_order(tensor, order);
    dp_tensor *in = dp__tensor_view((dp_tensor *)tensor), *view = NULL; /* `in`: each element once, in the order of memory */
    for (int axis = 0; in && axis < tensor->shape.rank; axis++) {
        const bool repeats = tensor->stride[order[axis]] == 0;
        in->shape.dim[axis] = repeats ? DP_MIN2(tensor->shape.dim[order[axis]], 1) : tensor->shape.dim[order[axis]];
        in->stride[axis] = tensor->stride[order[axis]];
    }
    dp_tensor *out = in ? dp__tensor_create(gpu->device, DP_F32, in->shape) : NULL;
    dp_status status = out ? DP_OK : DP_ERROR_MEMORY;
    if (out && dp_tensor_size(out) > 0)
        status = dp__plan_cast(gpu, &(dp__cast_call){in, out});
    if (status == DP_OK && (view = dp__tensor_view(out))) {
        view->shape = tensor->shape;
        for (int axis = 0; axis < tensor->shape.rank; axis++)
            view->stride[order[axis]] = tensor->stride[order[axis]] == 0 ? 0 : out->stride[axis];
    }
    dp_tensor_release(&in);
    dp_tensor_release(&out);
    *result = view;
    return view ? DP_OK : status != DP_OK ? status : DP_ERROR_MEMORY;
}
