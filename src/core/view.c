/* SPDX-License-Identifier: Apache-2.0 */
/* Views: other shapes and strides on the same buffer. */
#include "core/record.h"

/* The device to report to, after the checks that every view has; NULL where it cannot be made. */
static dp_device *check_view(dp_tensor *tensor)
{
    dp_device *device = tensor ? tensor->device : NULL;
    return dp__check_device(device) == DP_OK ? device : NULL;
}

static dp_tensor *record(dp_tensor *view, dp__rule rule, const dp_tensor *tensor, const void *params, size_t bytes)
{
    return dp__record(view, &(dp__record_call){.rule = rule, .inputs = {tensor}, .input_count = 1, .params = params, .bytes = bytes});
}

static bool axis_in_range(dp_device *device, const dp_tensor *tensor, const char *name, int axis)
{
    if (axis >= 0 && axis < tensor->shape.rank)
        return true;
    dp__fail(device, DP_ERROR_ARGUMENT, "%s is %d: the tensor's axes are 0 to %d", name, axis, tensor->shape.rank - 1);
    return false;
}

dp_tensor *dp_slice(dp_tensor *tensor, int axis, int64_t start, int64_t stop, int64_t step)
{
    dp_device *device = check_view(tensor);
    if (!device || !axis_in_range(device, tensor, "axis", axis))
        return NULL;
    const int64_t dim = tensor->shape.dim[axis];
    if (start < 0 || start > stop || stop > dim || step < 1) {
        dp__fail(device, DP_ERROR_ARGUMENT, "slice %lld:%lld:%lld of axis %d: 0 <= start <= stop <= %lld and step >= 1",
                 (long long)start, (long long)stop, (long long)step, axis, (long long)dim);
        return NULL;
    }
    dp_tensor *view = dp__tensor_view(tensor);
    if (view) {
        const int64_t count = (stop - start) / step + ((stop - start) % step != 0);
        view->shape.dim[axis] = count;
        if (count > 0) /* an empty view keeps an offset that is inside of the buffer */
            view->offset += start * tensor->stride[axis];
        view->stride[axis] = count > 1 ? tensor->stride[axis] * step : tensor->stride[axis];
    }
    const dp__slice slice = {axis, start, stop, step, tensor->shape};
    return record(view, DP__RULE_slice, tensor, &slice, sizeof slice);
}

dp_tensor *dp_permute(dp_tensor *tensor, const int *order, int rank)
{
    dp_device *device = check_view(tensor);
    if (!device)
        return NULL;
    if (rank != tensor->shape.rank || (rank > 0 && !order)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "permute: an order of %d axes for a tensor of rank %d", order ? rank : 0,
                 tensor->shape.rank);
        return NULL;
    }
    unsigned seen = 0;
    for (int axis = 0; axis < rank; axis++) {
        if (!axis_in_range(device, tensor, "order", order[axis]))
            return NULL;
        seen |= 1u << order[axis];
    }
    if (seen != (1u << rank) - 1) {
        dp__fail(device, DP_ERROR_ARGUMENT, "permute: an axis stands twice in the order");
        return NULL;
    }
    dp_tensor *view = dp__tensor_view(tensor);
    for (int axis = 0; view && axis < rank; axis++) {
        view->shape.dim[axis] = tensor->shape.dim[order[axis]];
        view->stride[axis] = tensor->stride[order[axis]];
    }
    return record(view, DP__RULE_permute, tensor, order, (size_t)rank * sizeof *order);
}

dp_tensor *dp_transpose(dp_tensor *tensor, int axis_a, int axis_b)
{
    dp_device *device = check_view(tensor);
    if (!device || !axis_in_range(device, tensor, "axis_a", axis_a) || !axis_in_range(device, tensor, "axis_b", axis_b))
        return NULL;
    int order[DP_MAX_RANK];
    for (int axis = 0; axis < tensor->shape.rank; axis++)
        order[axis] = axis == axis_a ? axis_b : axis == axis_b ? axis_a : axis;
    return dp_permute(tensor, order, tensor->shape.rank);
}

/* Strides of `shape` on the tensor's memory: runs of the tensor's axes that are one block are cut into new axes. */
static bool reshape_strides(const dp_tensor *tensor, const dp_shape *shape, int64_t stride[DP_MAX_RANK])
{
    dp__nest nest = {.rank = tensor->shape.rank, .views = 1};
    for (int axis = 0; axis < nest.rank; axis++) {
        nest.dim[axis] = tensor->shape.dim[axis];
        nest.stride[0][axis] = tensor->stride[axis];
    }
    dp__nest_collapse(&nest);
    int block = nest.rank - 1;
    int64_t left = block >= 0 ? nest.dim[block] : 1;
    int64_t next = block >= 0 ? nest.stride[0][block] : 1;
    for (int axis = shape->rank - 1; axis >= 0; axis--) {
        const int64_t dim = shape->dim[axis];
        if (left == 1 && dim != 1 && block > 0) {
            left = nest.dim[--block];
            next = nest.stride[0][block];
        }
        stride[axis] = next;
        if (left % dim != 0)
            return false;
        left /= dim;
        next *= dim;
    }
    return true;
}

dp_tensor *dp_reshape(dp_tensor *tensor, dp_shape shape)
{
    char from[DP_SHAPE_TEXT], to[DP_SHAPE_TEXT];
    dp_device *device = check_view(tensor);
    if (!device)
        return NULL;
    if (shape.rank < 0 || shape.rank > DP_MAX_RANK) {
        dp__fail(device, DP_ERROR_ARGUMENT, "shape of rank %d: 0 to %d is allowed", shape.rank, DP_MAX_RANK);
        return NULL;
    }
    const int64_t size = dp__shape_size(&shape);
    if (size != dp__shape_size(&tensor->shape)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "reshape of %s to %s: the numbers of elements differ",
                 dp__shape_text(&tensor->shape, from), dp__shape_text(&shape, to));
        return NULL;
    }
    int64_t stride[DP_MAX_RANK] = {0};
    if (size > 0 && !reshape_strides(tensor, &shape, stride)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "reshape of %s to %s: the strides allow no view (dp_copy first)",
                 dp__shape_text(&tensor->shape, from), dp__shape_text(&shape, to));
        return NULL;
    }
    dp_tensor *view = dp__tensor_view(tensor);
    if (view) {
        view->shape = shape;
        for (int axis = 0; axis < shape.rank; axis++)
            view->stride[axis] = stride[axis];
    }
    return record(view, DP__RULE_reshape, tensor, NULL, 0);
}

dp_tensor *dp_broadcast(dp_tensor *tensor, dp_shape shape)
{
    char from[DP_SHAPE_TEXT], to[DP_SHAPE_TEXT];
    dp_device *device = check_view(tensor);
    if (!device)
        return NULL;
    dp_shape common;
    if (shape.rank < 0 || shape.rank > DP_MAX_RANK || dp__shape_size(&shape) < 0 || dp__shape_size(&shape) > INT32_MAX ||
        !dp__shape_broadcast(&tensor->shape, &shape, &common) || !dp__shape_equal(&common, &shape)) {
        if (shape.rank < 0 || shape.rank > DP_MAX_RANK)
            dp__fail(device, DP_ERROR_ARGUMENT, "shape of rank %d: 0 to %d is allowed", shape.rank, DP_MAX_RANK);
        else
            dp__fail(device, DP_ERROR_ARGUMENT, "%s does not broadcast to %s (of at most 2^31 - 1 elements)",
                     dp__shape_text(&tensor->shape, from), dp__shape_text(&shape, to));
        return NULL;
    }
    dp_tensor *view = dp__tensor_view(tensor);
    if (view) {
        view->shape = shape;
        dp__broadcast_strides(tensor, &shape, view->stride);
    }
    return record(view, DP__RULE_broadcast, tensor, NULL, 0);
}
