/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"
#include "ops/call.h"

dp_tensor *dp_cast(dp_device *device, const dp_tensor *x, dp_dtype dtype)
{
    if (dp__check_device(device) != DP_OK || dp__check_float(device, x, "x") != DP_OK)
        return NULL;
    if (dtype != DP_F32 && !dp__is_half(dtype)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "cast: dtype is %s (%d), but must be f32, f16 or bf16", dp_dtype_name(dtype),
                 (int)dtype);
        return NULL;
    }
    if (dtype == x->dtype)
        return dp_copy(device, x);
    dp_tensor *out = dp__tensor_create(device, dtype, x->shape);
    const dp__cast_call call = {x, out};
    if (out && dp_tensor_size(out) > 0 && dp__dispatch(device, DP__OP_cast, &call) != DP_OK)
        dp_tensor_release(&out);
    return dp__record(out, &(dp__record_call){.rule = DP__RULE_copy, .inputs = {x}, .input_count = 1});
}
