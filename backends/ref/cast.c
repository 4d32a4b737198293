/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

dp_status dp__ref_cast(dp_device *device, const dp__cast_call *call)
{
    (void)device;
    const dp_tensor *in = call->in, *out = call->out;
    dp__walk walk;
    dp__walk_start(&walk, in->shape.dim, in->shape.rank);
    dp__walk_add(&walk, in->stride, in->offset);
    const int64_t size = dp__walk_size(&walk);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk)) {
        const float value = dp__ref_value(in, walk.offset[0]);
        if (out->dtype == DP_F32)
            dp__ref_floats(out)[t] = value;
        else
            dp__ref_halves(out)[t] = dp__half_narrow(out->dtype, value);
    }
    return DP_OK;
}
