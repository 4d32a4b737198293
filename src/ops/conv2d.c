/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/call.h"
#include <dipole/bound.h>

static dp_status fill_defaults(dp_device *device, const dp_conv2d_params *params, dp__conv2d_call *call)
{
    static const dp_conv2d_params defaults;
    if (!params)
        params = &defaults;
    for (int axis = 0; axis < 2; axis++) {
        call->stride[axis] = params->stride[axis] ? params->stride[axis] : 1;
        call->dilation[axis] = params->dilation[axis] ? params->dilation[axis] : 1;
        call->padding[axis][0] = call->padding[axis][1] = params->padding[axis];
        if (call->stride[axis] < 1)
            return dp__fail(device, DP_ERROR_ARGUMENT, "conv2d: stride[%d] is %d: it must be 1 or more", axis,
                            call->stride[axis]);
        if (call->dilation[axis] < 1)
            return dp__fail(device, DP_ERROR_ARGUMENT, "conv2d: dilation[%d] is %d: it must be 1 or more", axis,
                            call->dilation[axis]);
        if (call->padding[axis][0] < 0)
            return dp__fail(device, DP_ERROR_ARGUMENT, "conv2d: padding[%d] is %d: it must be 0 or more", axis,
                            call->padding[axis][0]);
    }
    call->groups = params->groups ? params->groups : 1;
    if (call->groups < 1)
        return dp__fail(device, DP_ERROR_ARGUMENT, "conv2d: groups is %d: it must be 1 or more", call->groups);
    return DP_OK;
}

static dp_status check_channels(dp_device *device, const dp_tensor *x, const dp_tensor *w, int groups)
{
    char tx[DP_SHAPE_TEXT], tw[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_dtype(device, x, "x", DP_F32));
    DP_CHECK(dp__check_dtype(device, w, "w", DP_F32));
    dp__shape_text(&x->shape, tx);
    dp__shape_text(&w->shape, tw);
    if (x->shape.rank != 4 || w->shape.rank != 4)
        return dp__fail(device, DP_ERROR_ARGUMENT, "conv2d: x %s and w %s must have four axes each", tx, tw);
    if (x->shape.dim[1] % groups || w->shape.dim[0] % groups)
        return dp__fail(device, DP_ERROR_ARGUMENT, "conv2d: groups is %d: it must divide %lld input and %lld output channels",
                        groups, (long long)x->shape.dim[1], (long long)w->shape.dim[0]);
    if (x->shape.dim[1] / groups != w->shape.dim[1])
        return dp__fail(device, DP_ERROR_ARGUMENT, "conv2d: x %s has %lld channels a group, w %s has %lld", tx,
                        (long long)(x->shape.dim[1] / groups), tw, (long long)w->shape.dim[1]);
    return DP_OK;
}

static dp_status result_shape(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp__conv2d_call *call,
                              dp_shape *result)
{
    *result = (dp_shape){4, {x->shape.dim[0], w->shape.dim[0]}};
    for (int axis = 0; axis < 2; axis++) {
        const int64_t size = x->shape.dim[2 + axis] + (int64_t)call->padding[axis][0] + call->padding[axis][1];
        const int64_t kernel = w->shape.dim[2 + axis];
        const int64_t span = kernel > 0 ? (kernel - 1) * call->dilation[axis] + 1 : 0;
        if (kernel < 1 || span > size)
            return dp__fail(device, DP_ERROR_ARGUMENT,
                            "conv2d: w spans %lld %s with its dilation, of %lld with the padding", (long long)span,
                            axis ? "columns" : "rows", (long long)size);
        result->dim[2 + axis] = (size - span) / call->stride[axis] + 1;
    }
    return DP_OK;
}

static dp_tensor *conv2d(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_conv2d_params *params,
                         bool bound)
{
    dp__conv2d_call call = {.x = (dp_tensor *)x, .w = (dp_tensor *)w, .bound = bound};
    dp_shape result;
    if (dp__check_device(device) != DP_OK || fill_defaults(device, params, &call) != DP_OK ||
        check_channels(device, x, w, call.groups) != DP_OK || result_shape(device, x, w, &call, &result) != DP_OK)
        return NULL;
    call.y = dp__tensor_create(device, DP_F32, result);
    if (call.y && dp_tensor_size(call.y) > 0 && dp__dispatch(device, DP__OP_conv2d, &call) != DP_OK)
        dp_tensor_release(&call.y);
    return call.y;
}

dp_tensor *dp_conv2d(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_conv2d_params *params)
{
    return conv2d(device, x, w, params, false);
}

dp_tensor *dp_conv2d_bound(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_conv2d_params *params)
{
    return conv2d(device, x, w, params, true);
}
