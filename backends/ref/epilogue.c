/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate.h"

struct dp__ref_epilogue {
    const dp__epilogue *call;
    dp__evaluator evaluator;
};

dp_status dp__ref_epilogue_create(dp_device *device, const dp__epilogue *epilogue, bool bound, dp__ref_epilogue **result)
{
    *result = NULL;
    if (!epilogue)
        return DP_OK;
    dp__ref_epilogue *made = dp__alloc(1, sizeof *made);
    if (!made)
        return dp__fail(device, DP_ERROR_MEMORY, "no memory for an epilogue");
    made->call = epilogue;
    const dp_status status = dp__evaluator_create(device, &made->evaluator, epilogue->expr, bound);
    if (status != DP_OK)
        dp__free(made);
    else
        *result = made;
    return status;
}

void dp__ref_epilogue_free(dp__ref_epilogue **epilogue)
{
    if (!*epilogue)
        return;
    dp__evaluator_free(&(*epilogue)->evaluator);
    dp__free(*epilogue);
    *epilogue = NULL;
}

static const float *element(const dp_tensor *in, const int64_t *index)
{
    int64_t at = in->offset;
    for (int axis = 0; axis < in->shape.rank; axis++)
        at += index[axis] * in->stride[axis];
    return dp__ref_floats(in) + at;
}

void dp__ref_epilogue_apply(dp__ref_epilogue *epilogue, const int64_t *index, double *value, double *error)
{
    if (!epilogue)
        return;
    const dp__epilogue *call = epilogue->call;
    dp__evaluator *evaluator = &epilogue->evaluator;
    const double result = *value;
    for (int s = 0; s < call->expr->symbol_count; s++)
        evaluator->row[DP__SIDE_CALL][s] =
            (dp__row){.data = call->in[s] ? element(call->in[s], index) : &call->scalar[s], .stride = 1};
    /* A result that is denormal may be read as zero. */
    evaluator->row[DP__SIDE_CALL][call->result_symbol] =
        (dp__row){.exact = &result, .error = evaluator->error && *error > 0 ? *error + DP__LEAST_NORMAL : 0};
    dp__evaluate(evaluator, DP__SIDE_CALL);
    const size_t at = evaluator->start[call->expr->outputs[0]];
    *value = evaluator->value[at];
    if (evaluator->error)
        *error = evaluator->error[at];
}
