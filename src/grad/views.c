/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of views and copies: each has another view as its gradient. */
#include "grad/tape.h"

dp_status dp__grad_slice(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                         dp_tensor **gradients)
{
    return dp__rule_given(device, dp__rule_unslice(device, cotangent, call->params), gradients);
}

dp_status dp__grad_unslice(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                           dp_tensor **gradients)
{
    const dp__slice *s = call->params;
    return dp__rule_given(device, dp_slice(cotangent, s->axis, s->start, s->stop, s->step), gradients);
}

dp_status dp__grad_permute(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                           dp_tensor **gradients)
{
    const int *order = call->params, rank = cotangent->shape.rank;
    int back[DP_MAX_RANK] = {0};
    for (int axis = 0; axis < rank; axis++)
        back[order[axis]] = axis;
    return dp__rule_given(device, dp_permute(cotangent, back, rank), gradients);
}

dp_status dp__grad_reshape(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                           dp_tensor **gradients)
{
    return dp__rule_given(device, dp__rule_reshape(device, cotangent, call->input[0]->shape), gradients);
}

dp_status dp__grad_broadcast(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                             dp_tensor **gradients)
{
    return dp__rule_given(
        device, dp__rule_unbroadcast(device, dp_tensor_retain(cotangent), call->input[0]->shape), gradients);
}

dp_status dp__grad_copy(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                        dp_tensor **gradients)
{
    (void)call;
    return dp__rule_given(device, dp_tensor_retain(cotangent), gradients);
}
