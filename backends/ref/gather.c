/* SPDX-License-Identifier: Apache-2.0 */
/* Gather, and its adjoint scatter-add. Both have three axes: outer, picked, inner. */
#include "ref.h"
#include <float.h>
#include <math.h>

static int64_t offset_of(const dp_tensor *tensor, const int64_t at[3])
{
    return tensor->offset + at[0] * tensor->stride[0] + at[1] * tensor->stride[1] + at[2] * tensor->stride[2];
}

dp_status dp__ref_gather(dp_device *device, const dp__gather_call *call)
{
    (void)device;
    const dp_tensor *x = call->x, *out = call->out;
    dp__walk walk;
    dp__walk_start(&walk, out->shape.dim, 3);
    dp__walk_add(&walk, call->index->stride, call->index->offset);
    dp__walk_add(&walk, out->stride, out->offset);
    const int64_t size = dp__walk_size(&walk);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk)) {
        const int64_t at[3] = {walk.index[0], dp__ref_ints(call->index)[walk.offset[0]], walk.index[2]};
        const bool inside = at[1] >= 0 && at[1] < x->shape.dim[1];
        if (x->dtype == DP_I32)
            dp__ref_ints(out)[walk.offset[1]] = inside ? dp__ref_ints(x)[offset_of(x, at)] : INT32_MIN;
        else if (dp__is_half(x->dtype))
            dp__ref_halves(out)[walk.offset[1]] =
                inside ? dp__ref_halves(x)[offset_of(x, at)] : dp__half_narrow(x->dtype, NAN);
        else
            dp__ref_floats(out)[walk.offset[1]] = inside ? dp__ref_floats(x)[offset_of(x, at)] : NAN;
    }
    return DP_OK;
}

/* What is known of one element of the result, all of them in the row-major order of `out`. */
typedef struct sums {
    double sum, magnitude, lost;
    int64_t count;
} sums;

static void add_all(const dp__scatter_add_call *call, sums *targets)
{
    const dp_tensor *y = call->y;
    const int64_t *dim = call->out->shape.dim;
    dp__walk walk;
    dp__walk_start(&walk, y->shape.dim, 3);
    dp__walk_add(&walk, call->index->stride, call->index->offset);
    dp__walk_add(&walk, y->stride, y->offset);
    const int64_t size = dp__walk_size(&walk);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk)) {
        const int64_t picked = dp__ref_ints(call->index)[walk.offset[0]];
        if (picked < 0 || picked >= dim[1])
            continue;
        const double value = (double)dp__ref_floats(y)[walk.offset[1]];
        sums *target = &targets[(walk.index[0] * dim[1] + picked) * dim[2] + walk.index[2]];
        target->sum += value;
        target->magnitude += fabs(value);
        target->lost += dp__bound_flush(value);
        target->count++;
    }
}

/* One addition a contribution, in one chain. */
static double target_bound(const sums *target)
{
    if (target->magnitude == 0)
        return 0;
    if (!(target->magnitude <= (double)FLT_MAX))
        return INFINITY;
    const double count = (double)target->count;
    return dp__bound_chain(count) * target->magnitude + target->lost + count * DP__LEAST_NORMAL;
}

dp_status dp__ref_scatter_add(dp_device *device, const dp__scatter_add_call *call)
{
    const dp_tensor *out = call->out;
    const int64_t size = dp__shape_size(&out->shape);
    sums *targets = dp__alloc((size_t)size, sizeof *targets);
    if (!targets)
        return dp__fail(device, DP_ERROR_MEMORY, "scatter_add: no memory for %lld sums", (long long)size);
    add_all(call, targets);

    dp__walk walk;
    dp__walk_start(&walk, out->shape.dim, 3);
    dp__walk_add(&walk, out->stride, out->offset);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk))
        dp__ref_floats(out)[walk.offset[0]] =
            call->bound ? dp__bound_round_up(target_bound(&targets[t])) : (float)targets[t].sum;
    dp__free(targets);
    return DP_OK;
}
