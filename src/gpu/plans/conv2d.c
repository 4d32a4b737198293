/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/plans/conv2d.h"

static dp_status run(dp__gpu *gpu, const dp__conv2d_call *call)
{
    bool done = false;
    if (call->winograd)
        DP_CHECK(dp__conv2d_winograd(gpu, call, &done));
    if (!done) {
        DP_CHECK(dp__conv2d_contract(gpu, call, &done));
        if (done)
            return DP_OK;
        DP_CHECK(dp__conv2d_direct(gpu, call));
    }
    return dp__plan_epilogue(gpu, call->epilogue, dp__conv2d_out(call));
}

dp_status dp__plan_conv2d(dp__gpu *gpu, const dp__conv2d_call *call)
{
    dp__conv2d_call wide = *call;
    dp_tensor **tensors[3] = {&wide.x, &wide.w, &wide.y}; /* the output is f32 and stays what it is */
    dp_status status = DP_OK;
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    for (int k = 0; k < 3; k++) {
        const dp_tensor *tensor = *tensors[k];
        *tensors[k] = NULL;
        if (status == DP_OK)
            status = dp__plan_widen(gpu, tensor, tensors[k]);
    }
    if (status == DP_OK)
        status = run(gpu, &wide);
    for (int k = 0; k < 3; k++)
        dp_tensor_release(tensors[k]);
    return status;
}
