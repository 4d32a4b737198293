/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

dp_status dp__ref_reduce(dp_device *device, const dp__reduce_call *call)
{
    (void)device;
    const dp_tensor *x = call->x;
    const int kept = x->shape.rank - call->reduced;
    dp__walk outer, inner;
    dp__walk_start(&outer, x->shape.dim, kept);
    dp__walk_add(&outer, x->stride, x->offset);
    dp__walk_start(&inner, x->shape.dim + kept, call->reduced);
    dp__walk_add(&inner, x->stride + kept, 0);

    const int64_t results = dp__walk_size(&outer), terms = dp__walk_size(&inner);
    for (int64_t r = 0; r < results; r++, dp__walk_next(&outer)) {
        dp__tally tally;
        dp__tally_start(&tally, call->reduction);
        tally.launches = terms < 1 << 14 ? 1 : 2; /* the second adds the results of pieces */
        for (int64_t t = 0; t < terms; t++, dp__walk_next(&inner)) {
            const double value = (double)dp__ref_floats(x)[outer.offset[0] + inner.offset[0]];
            if (call->bound)
                dp__tally_add_bound(&tally, call->reduction, value, dp__bound_flush(value), t);
            else
                dp__tally_add(&tally, call->reduction, value, t);
        }
        dp__tally_write(&tally, call->reduction, (double)terms, call->bound, call->out,
                        call->out->offset + r);
    }
    return DP_OK;
}
