/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

dp_status dp__ref_copy(dp_device *device, const dp__copy_call *call)
{
    (void)device;
    const dp_tensor *in = call->in;
    dp_tensor *out = call->out;
    dp__walk walk;
    dp__walk_start(&walk, out->shape.dim, out->shape.rank);
    dp__walk_add(&walk, in->stride, in->offset);
    dp__walk_add(&walk, out->stride, out->offset);

    const bool halves = dp__is_half(in->dtype);
    const int64_t size = dp__walk_size(&walk);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk)) {
        if (halves)
            dp__ref_halves(out)[walk.offset[1]] = dp__ref_halves(in)[walk.offset[0]];
        else
            dp__ref_ints(out)[walk.offset[1]] = dp__ref_ints(in)[walk.offset[0]];
    }
    return DP_OK;
}
