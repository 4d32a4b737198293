/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate.h"

static void write_outputs(const dp__map_call *call, const dp__evaluator *evaluator, const int64_t *at)
{
    const dp__expr *expr = call->expr;
    if (call->bound) {
        const double error = evaluator->error[evaluator->start[expr->outputs[call->bound_output]]];
        dp__ref_floats(call->out[0])[at[0]] = dp__bound_round_up(error);
        return;
    }
    for (int o = 0; o < expr->output_count; o++)
        dp__ref_floats(call->out[o])[at[o]] = (float)evaluator->value[evaluator->start[expr->outputs[o]]];
}

dp_status dp__ref_map(dp_device *device, const dp__map_call *call)
{
    const int outputs = call->bound ? 1 : call->expr->output_count;
    dp__evaluator evaluator;
    DP_CHECK(dp__evaluator_create(device, &evaluator, call->expr, call->bound));

    dp__walk walk;
    dp__walk_start(&walk, call->out[0]->shape.dim, call->out[0]->shape.rank);
    for (int o = 0; o < outputs; o++)
        dp__walk_add(&walk, call->out[o]->stride, call->out[o]->offset);
    int view[DP_MAX_ARGS];
    dp__row *row = evaluator.row[DP__SIDE_CALL]; /* the names of a map are not indexed */
    for (int s = 0; s < call->expr->symbol_count; s++) {
        row[s] = (dp__row){&call->scalar[s], 1};
        view[s] = call->in[s] ? dp__walk_add(&walk, call->in[s]->stride, call->in[s]->offset) : -1;
    }

    const int64_t size = dp__walk_size(&walk);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk)) {
        for (int s = 0; s < call->expr->symbol_count; s++)
            if (view[s] >= 0)
                row[s].data = dp__ref_floats(call->in[s]) + walk.offset[view[s]];
        dp__evaluate(&evaluator, DP__SIDE_CALL);
        write_outputs(call, &evaluator, walk.offset);
    }
    dp__evaluator_free(&evaluator);
    return DP_OK;
}
