/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of reductions and of gathers. */
#include "grad/tape.h"

/* A tensor of the result's shape with the reduced axes put back, of size 1. */
static dp_tensor *keep_axes(dp_device *device, const dp_tensor *x, unsigned axes, const dp_tensor *reduced)
{
    dp_shape shape = x->shape;
    for (int axis = 0; axis < shape.rank; axis++)
        if (axes & DP_AXIS(axis))
            shape.dim[axis] = 1;
    return dp__rule_reshape(device, (dp_tensor *)reduced, shape);
}

/* Equal extremes share. */
static dp_tensor *extreme(dp_device *device, dp_tensor *x, dp_tensor *y, dp_tensor *g, unsigned axes)
{
    dp_tensor *hit = dp_map(device, "x == y", DP_ARGS({"x", x}, {"y", y}));
    dp_tensor *count = dp_reduce(device, hit, DP_SUM, axes | DP_KEEP_AXES);
    dp_tensor *result = dp_map(device, "select(h, g / n, 0)", DP_ARGS({"h", hit}, {"g", g}, {"n", count}));
    dp_tensor_release(&hit);
    dp_tensor_release(&count);
    return result;
}

dp_status dp__grad_reduce(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                          dp_tensor **gradients)
{
    const dp__reduce_params *p = call->params;
    dp_tensor *x = call->input[0], *g = keep_axes(device, x, p->axes, cotangent), *result = NULL;
    dp_tensor *y = p->reduction == DP_SUM || p->reduction == DP_MEAN
                       ? NULL
                       : keep_axes(device, x, p->axes, call->output);
    const double count = (double)dp_tensor_size(x) / (double)DP_MAX2(dp_tensor_size(g), 1);
    if (p->reduction == DP_SUM) {
        result = dp_broadcast(g, x->shape);
    } else if (p->reduction == DP_MEAN) {
        dp_tensor *part = dp_map(device, "g / n", DP_ARGS({"g", g}, {.name = "n", .scalar = count}));
        result = dp_broadcast(part, x->shape);
        dp_tensor_release(&part);
    } else if (p->reduction == DP_LOGSUMEXP) { /* where y is -inf, so are all x */
        result = dp_map(device, "select(y > -inf, g * exp(x - y), 0)", DP_ARGS({"x", x}, {"y", y}, {"g", g}));
    } else {
        result = extreme(device, x, y, g, p->axes & ~DP_KEEP_AXES);
    }
    dp_tensor_release(&g);
    dp_tensor_release(&y);
    return dp__rule_given(device, result, gradients);
}

dp_status dp__grad_gather_rows(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                               dp_tensor **gradients)
{
    return dp__rule_given(
        device, dp_scatter_add_rows(device, cotangent, call->input[1], call->input[0]->shape.dim[0]),
        gradients);
}

dp_status dp__grad_gather(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                          dp_tensor **gradients)
{
    const int axis = *(const int *)call->params;
    return dp__rule_given(
        device, dp_scatter_add(device, cotangent, call->input[1], axis, call->input[0]->shape.dim[axis]),
        gradients);
}

/* An index out of range adds nowhere; a gather makes a NaN of it, of ones as well. */
static dp_tensor *clean(dp_device *device, dp_tensor *picked, dp_tensor *ones)
{
    dp_tensor *result = picked && ones
                            ? dp_map(device, "select(one == 1, x, 0)", DP_ARGS({"x", picked}, {"one", ones}))
                            : NULL;
    dp_tensor_release(&picked);
    dp_tensor_release(&ones);
    return result;
}

static dp_tensor *picked_ones(dp_device *device, const dp_tensor *cotangent, const dp_tensor *index)
{
    dp_tensor *ones = dp_full(device, DP_F32, DP_SHAPE(cotangent->shape.dim[0]), 1);
    dp_tensor *picked = dp_gather_rows(device, ones, index), *result = NULL;
    dp_shape shape = index->shape;
    while (shape.rank < index->shape.rank + cotangent->shape.rank - 1)
        shape.dim[shape.rank++] = 1;
    if (picked)
        result = dp_reshape(picked, shape);
    dp_tensor_release(&ones);
    dp_tensor_release(&picked);
    return result;
}

dp_status dp__grad_scatter_add_rows(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                                    dp_tensor **gradients)
{
    const dp_tensor *index = call->input[1];
    return dp__rule_given(
        device,
        clean(device, dp_gather_rows(device, cotangent, index), picked_ones(device, cotangent, index)),
        gradients);
}

dp_status dp__grad_scatter_add(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                               dp_tensor **gradients)
{
    const int axis = *(const int *)call->params;
    dp_tensor *ones = dp_full(device, DP_F32, cotangent->shape, 1);
    dp_tensor *mask = dp_gather(device, ones, call->input[1], axis);
    dp_tensor_release(&ones);
    return dp__rule_given(device, clean(device, dp_gather(device, cotangent, call->input[1], axis), mask),
                          gradients);
}
