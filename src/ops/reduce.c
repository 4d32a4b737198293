/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"
#include "ops/call.h"
#include <dipole/bound.h>

const char *dp_reduction_name(dp_reduction reduction)
{
    static const char *const names[DP_REDUCTION_COUNT] = {
        [DP_SUM] = "sum",       [DP_MEAN] = "mean",     [DP_MAX] = "max",           [DP_MIN] = "min",
        [DP_ARGMAX] = "argmax", [DP_ARGMIN] = "argmin", [DP_LOGSUMEXP] = "logsumexp",
    };
    return (unsigned)reduction < DP_REDUCTION_COUNT ? names[reduction] : "unknown";
}

static dp_status check(dp_device *device, const dp_tensor *x, dp_reduction reduction, unsigned axes)
{
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, x, "x", DP_F32));
    if ((unsigned)reduction >= DP_REDUCTION_COUNT)
        return dp__fail(device, DP_ERROR_ARGUMENT, "reduction %d is not in dp_reduction", (int)reduction);
    const unsigned known = (1u << x->shape.rank) - 1, asked = axes & ~DP_KEEP_AXES;
    if (asked != DP_ALL_AXES && (asked & ~known))
        return dp__fail(device, DP_ERROR_ARGUMENT, "axes 0x%x: x has axes 0 to %d", asked, x->shape.rank - 1);
    return DP_OK;
}

/* The axes of x with the kept ones first, and the result's shape. Returns the number of reduced axes. */
static int arrange(const dp_tensor *x, unsigned axes, int order[DP_MAX_RANK], dp_shape *result)
{
    int kept = 0, reduced = 0, last[DP_MAX_RANK];
    *result = (dp_shape){0};
    for (int axis = 0; axis < x->shape.rank; axis++) {
        const bool gone = axes & DP_AXIS(axis);
        if (gone)
            last[reduced++] = axis;
        else
            order[kept++] = axis;
        if (!gone || (axes & DP_KEEP_AXES))
            result->dim[result->rank++] = gone ? 1 : x->shape.dim[axis];
    }
    for (int axis = 0; axis < reduced; axis++)
        order[kept + axis] = last[axis];
    return reduced;
}

static dp_tensor *reduce(dp_device *device, const dp_tensor *x, dp_reduction reduction, unsigned axes, bool bound)
{
    int order[DP_MAX_RANK];
    dp_shape result;
    if (check(device, x, reduction, axes) != DP_OK)
        return NULL;
    const int reduced = arrange(x, axes, order, &result);
    const bool index = (reduction == DP_ARGMAX || reduction == DP_ARGMIN) && !bound;
    dp_tensor *out = dp__tensor_create(device, index ? DP_I32 : DP_F32, result);
    if (!out || dp_tensor_size(out) == 0)
        return out;
    dp_tensor *view = dp_permute((dp_tensor *)x, order, x->shape.rank);
    const dp__reduce_call call = {.x = view, .out = out, .reduction = reduction, .reduced = reduced, .bound = bound};
    if (!view || dp__dispatch(device, DP__OP_reduce, &call) != DP_OK)
        dp_tensor_release(&out);
    dp_tensor_release(&view);
    return out;
}

dp_tensor *dp_reduce(dp_device *device, const dp_tensor *x, dp_reduction reduction, unsigned axes)
{
    dp__record_pause(device);
    dp_tensor *out = reduce(device, x, reduction, axes, false);
    dp__record_resume(device);
    if (reduction == DP_ARGMAX || reduction == DP_ARGMIN)
        return out;
    const dp__reduce_params params = {reduction, axes};
    return dp__record(out, &(dp__record_call){.rule = DP__RULE_reduce, .inputs = {x}, .input_count = 1, .params = &params, .bytes = sizeof params});
}

dp_tensor *dp_reduce_bound(dp_device *device, const dp_tensor *x, dp_reduction reduction, unsigned axes)
{
    return reduce(device, x, reduction, axes, true);
}
