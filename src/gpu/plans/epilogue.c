/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"

dp_status dp__plan_epilogue(dp__gpu *gpu, const dp__epilogue *epilogue, dp_tensor *out)
{
    if (!epilogue || dp_tensor_size(out) == 0)
        return DP_OK;
    dp__map_call call = {.expr = epilogue->expr, .out = {out}};
    for (int s = 0; s < epilogue->expr->symbol_count; s++) {
        call.in[s] = s == epilogue->result_symbol ? out : epilogue->in[s];
        call.scalar[s] = epilogue->scalar[s];
    }
    return dp__plan_map(gpu, &call);
}
