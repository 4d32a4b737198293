/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/plans/conv2d.h"

dp_status dp__plan_conv2d(dp__gpu *gpu, const dp__conv2d_call *call)
{
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
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
