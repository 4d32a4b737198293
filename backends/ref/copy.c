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

    const int32_t *from = dp__ref_ints(in);
    int32_t *to = dp__ref_ints(out);
    const int64_t size = dp__walk_size(&walk);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk))
        to[walk.offset[1]] = from[walk.offset[0]];
    return DP_OK;
}
