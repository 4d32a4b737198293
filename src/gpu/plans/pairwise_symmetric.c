/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over pairs of one set of points with itself, each pair computed once; see the kernel's body. Only where a work-item can hold
 * the sums of a tile's points, which is on CPUs. */
#include "gpu/plans/pairwise.h"
#include "expr/precision.h"
#include "gpu/plans/reduce.h"

#define VECTORS 2 /* of i for each addition to the sums of a j */

typedef struct symmetric_plan {
    dp__pair_plan pair;
    int parity[DP_MAX_OUTPUTS];
    int64_t tile, tiles, padded;
    dp_tensor *sums[DP_MAX_OUTPUTS]; /* [4, dim, padded] */
} symmetric_plan;

bool dp__pair_fits_symmetry(dp__gpu *gpu, const dp__pairwise_call *call, const dp__expr *expr)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    int parity[DP_MAX_OUTPUTS];
    return tuning.pair_tile > 0 && !call->segments &&
           (call->reduction == DP_SUM || call->reduction == DP_MEAN) && call->n == call->m &&
           call->n >= 2 * (int64_t)tuning.pair_tile * DP_MAX2(gpu->limits.compute_units, 2) && dp__expr_max_dim(expr) <= tuning.pair_unroll &&
           dp__expr_parity(expr, parity);
}

/* Step `number`, work-items first .. end - 1. */
static dp_status launch(dp__gpu *gpu, const symmetric_plan *plan, const dp__text *bindings, const dp__text *formula,
                        int64_t number, int64_t first, int64_t end)
{
    static const char *const parities[DP_MAX_OUTPUTS] = {"PARITY0", "PARITY1", "PARITY2", "PARITY3",
                                                         "PARITY4", "PARITY5", "PARITY6", "PARITY7"};
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const dp__pair_plan *pair = &plan->pair;
    dp__step step = dp__step_new("pairwise_symmetric", tuning.heavy, 1);
    step.bindings = bindings->data;
    step.formula = formula->data;
    dp__step_define(&step, "W", pair->width);
    dp__step_define(&step, "IB", pair->vectors);
    dp__step_define(&step, "STATES", pair->states);
    dp__step_define(&step, "TILE", (int)plan->tile);
    dp__step_define(&step, "SUM_BLOCK", DP__SUM_BLOCK);
    dp__step_define(&step, "EXCLUDE_SELF", pair->call->exclude_self);
    for (int o = 0; o < pair->expr->output_count; o++)
        dp__step_define(&step, parities[o], plan->parity[o]);
    dp__pair_add_inputs(pair, &step);
    for (int o = 0; o < pair->expr->output_count; o++)
        dp__step_out(&step, plan->sums[o]->buffer);
    const int64_t params[] = {pair->call->n, pair->call->m, first, end, plan->tile};
    for (size_t p = 0; p < DP_COUNT(params); p++)
        dp__step_int(&step, params[p]);
    dp__step_float(&step, 1); /* the scale and the offsets of results, which this kernel does not use */
    for (int o = 0; o < pair->expr->output_count; o++)
        dp__step_int(&step, 0);
    dp__step_int(&step, number);
    dp__step_int(&step, plan->tiles);
    dp__step_int(&step, plan->padded);
    dp__pair_add_params(pair, &step);
    step.launch.flops = dp__expr_flops(pair->expr) * (double)(plan->tile * plan->tile) * (double)(end - first);
    return dp__step_run(gpu, &step, DP_CEIL_DIV(end - first, tuning.heavy));
}

/* Steps 0 to half the number of tiles; where that number is even, half of the last step's pairs are those of the other half. */
static dp_status launch_all(dp__gpu *gpu, const symmetric_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const dp__pair_plan *pair = &plan->pair;
    const double flops = dp__expr_flops(pair->expr) * (double)(plan->tile * plan->tile);
    const int64_t at_once = DP_MAX2((int64_t)DP_MIN2(tuning.work / DP_MAX2(flops, 1), 1e9), tuning.heavy);
    dp__text bindings = {0}, formula = {0};
    dp__pair_bindings(pair, false, &bindings);
    dp__expr_emit(pair->expr, &(dp__emit_options){.unroll = true, .products = true, .indent = 28}, &formula);
    dp_status status = DP_OK;
    if (bindings.failed || formula.failed)
        status = dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the source of kernel pairwise_symmetric");
    for (int64_t number = 0; status == DP_OK && number <= plan->tiles / 2; number++) {
        const int64_t items = 2 * number == plan->tiles ? plan->tiles / 2 : plan->tiles;
        for (int64_t first = 0; status == DP_OK && first < items; first += at_once)
            status = launch(gpu, plan, &bindings, &formula, number, first, DP_MIN2(first + at_once, items));
    }
    dp__text_free(&bindings);
    dp__text_free(&formula);
    return status;
}

/* The four sums of every point, or of all points together. */
static dp_status add_up(dp__gpu *gpu, const symmetric_plan *plan, int o)
{
    const dp__pairwise_call *call = plan->pair.call;
    dp_tensor *view = dp__tensor_view(plan->sums[o]);
    if (!view)
        return DP_ERROR_MEMORY;
    const int64_t dim = plan->pair.dim[o], sum = dim * plan->padded;
    if (call->all) {
        view->shape = (dp_shape){3, {dim, 4, call->n}};
        view->stride[0] = plan->padded;
        view->stride[1] = sum;
        view->stride[2] = 1;
    } else {
        view->shape = (dp_shape){3, {call->n, dim, 4}};
        view->stride[0] = 1;
        view->stride[1] = plan->padded;
        view->stride[2] = sum;
    }
    const dp__reduction_plan reduction = {.x = view, .out = call->out[o], .reduction = DP_SUM, .reduced = call->all ? 2 : 1,
                                          .scale = dp__pair_scale(call)};
    const dp_status status = dp__plan_reduction(gpu, &reduction);
    dp_tensor_release(&view);
    return status;
}

static dp_status run(dp__gpu *gpu, symmetric_plan *plan)
{
    const int outputs = plan->pair.expr->output_count;
    DP_CHECK(dp__pair_open(gpu, &plan->pair));
    plan->pair.vectors = VECTORS;
    plan->tile = dp__tuning_of(&gpu->limits).pair_tile;
    plan->tiles = DP_CEIL_DIV(plan->pair.call->n, plan->tile);
    plan->padded = plan->tiles * plan->tile;
    for (int o = 0; o < outputs; o++) {
        const dp_shape shape = {3, {4, plan->pair.dim[o], plan->padded}};
        plan->sums[o] = dp__tensor_create(gpu->device, DP_F32, shape);
        if (!plan->sums[o])
            return DP_ERROR_MEMORY;
    }
    DP_CHECK(launch_all(gpu, plan));
    for (int o = 0; o < outputs; o++)
        DP_CHECK(add_up(gpu, plan, o));
    return DP_OK;
}

dp_status dp__pair_run_symmetric(dp__gpu *gpu, const dp__pairwise_call *call, const dp__expr *expr)
{
    symmetric_plan plan = {
        .pair = {.call = call, .expr = expr, .params = " P(int, step) P(int, tiles) P(int, padded)"}};
    dp__expr_parity(expr, plan.parity);
    const dp_status status = run(gpu, &plan);
    for (int o = 0; o < DP_MAX_OUTPUTS; o++)
        dp_tensor_release(&plan.sums[o]);
    dp__pair_close(&plan.pair);
    return status;
}
