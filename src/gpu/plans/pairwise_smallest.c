/* SPDX-License-Identifier: Apache-2.0 */
/* The k smallest of every row of pairs: launches that each look at some of j and leave what they found in heaps, one a point i
 * and part of j; then the parts are merged and sorted. */
#include "gpu/plans/pairwise.h"

#define LIST_ELEMENTS ((int64_t)1 << 24) /* the lists of all parts together */
#define MERGED 16                        /* lists that become one in a launch */

typedef struct smallest_plan {
    dp__pair_plan pair;
    int k;
    int64_t take;                /* values of j of a launch */
    double flops;                /* of a work-item and one value of j */
    dp_tensor *values, *indices; /* [parts n, k] */
} smallest_plan;

/* The most rounds in which a heap takes an entry. */
static int heap_depth(int k)
{
    int depth = 0;
    while (k >>= 1)
        depth++;
    return depth;
}

/* Few points i: parts of j, not so short that most of what they find is of no use. */
static void choose_parts(dp__gpu *gpu, smallest_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    dp__pair_plan *pair = &plan->pair;
    const int64_t n = pair->call->n, m = pair->call->m;
    const int64_t wanted = DP_CEIL_DIV(tuning.pair_items * (int64_t)DP_MAX2(gpu->limits.compute_units, 1), pair->items_i);
    const int64_t most = DP_MIN2(m / DP_MAX2(256, 16 * plan->k), LIST_ELEMENTS / (n * plan->k));
    pair->part = DP_MAX2(DP_CEIL_DIV(m, DP_MAX2(DP_MIN2(wanted, most), 1)), 1);
    pair->parts = DP_MAX2(DP_CEIL_DIV(m, pair->part), 1);
}

/* Each launch is short enough for the loops, if every value were taken, and for watchdogs. */
static void choose_take(dp__gpu *gpu, smallest_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const dp__pair_plan *pair = &plan->pair;
    const int lanes = pair->width * pair->vectors;
    const double rounds = dp__pair_rounds(pair) + pair->vectors + lanes * (1 + heap_depth(plan->k));
    const double in_rounds = (double)(tuning.rounds - lanes * plan->k) / rounds;
    const double in_work = tuning.work / plan->flops / tuning.heavy;
    plan->take = (int64_t)DP_MIN2(DP_MIN2(in_rounds, DP_MAX2(in_work, 1024)), (double)pair->part);
    plan->take = DP_MAX2(plan->take, 1);
}

static dp_status create_lists(dp__gpu *gpu, smallest_plan *plan, const dp__pairwise_smallest_call *call)
{
    const dp_shape shape = {2, {plan->pair.parts * plan->pair.call->n, plan->k}};
    const bool own = plan->pair.parts > 1;
    plan->values = own ? dp__tensor_create(gpu->device, DP_F32, shape) : dp_tensor_retain(call->values);
    plan->indices = own ? dp__tensor_create(gpu->device, DP_I32, shape) : dp_tensor_retain(call->indices);
    return plan->values && plan->indices ? DP_OK : DP_ERROR_MEMORY;
}

/* Items first .. end - 1, values skip .. skip + take - 1 of their parts. */
static dp_status scan(dp__gpu *gpu, const smallest_plan *plan, const dp__text *bindings, const dp__text *formula,
                      int64_t skip, int64_t first, int64_t end)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const dp__pair_plan *pair = &plan->pair;
    dp__step step = dp__step_new("pairwise_smallest", tuning.heavy, 1);
    step.bindings = bindings->data;
    step.formula = formula->data;
    dp__step_define(&step, "W", pair->width);
    dp__step_define(&step, "IB", pair->vectors);
    dp__step_define(&step, "BLOCK", pair->block);
    dp__step_define(&step, "UNROLLED", pair->unrolled);
    dp__step_define(&step, "EXCLUDE_SELF", pair->call->exclude_self);
    dp__pair_add_inputs(pair, &step);
    dp__step_out(&step, plan->values->buffer);
    dp__step_out(&step, plan->indices->buffer);
    const int64_t params[] = {pair->call->n, pair->call->m, first, end, pair->part};
    for (size_t p = 0; p < DP_COUNT(params); p++)
        dp__step_int(&step, params[p]);
    dp__step_float(&step, 1); /* the scale of reductions */
    dp__step_int(&step, 0);   /* offset of the lists */
    dp__step_int(&step, plan->k);
    dp__step_int(&step, skip);
    dp__step_int(&step, plan->take);
    dp__pair_add_params(pair, &step);
    step.launch.flops = plan->flops * (double)plan->take * (double)(end - first);
    return dp__step_run(gpu, &step, DP_CEIL_DIV(end - first, tuning.heavy));
}

/* All items, all of j. Without j too: the lists are to be filled. */
static dp_status scan_all(dp__gpu *gpu, smallest_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const dp__pair_plan *pair = &plan->pair;
    const int64_t items = pair->items_i * pair->parts;
    const double flops = plan->flops * (double)plan->take;
    const int64_t at_once = DP_MAX2((int64_t)DP_MIN2(tuning.work / flops, 1e9), tuning.heavy);
    dp__text bindings = {0}, formula = {0};
    dp__pair_bindings(pair, true, &bindings);
    dp__expr_emit(pair->expr, &(dp__emit_options){.unroll = pair->unrolled, .indent = 16}, &formula);
    dp_status status = DP_OK;
    if (bindings.failed || formula.failed)
        status = dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the source of kernel pairwise_smallest");
    for (int64_t skip = 0; status == DP_OK && skip < pair->part; skip += plan->take)
        for (int64_t first = 0; status == DP_OK && first < items; first += at_once)
            status = scan(gpu, plan, &bindings, &formula, skip, first, DP_MIN2(first + at_once, items));
    dp__text_free(&bindings);
    dp__text_free(&formula);
    return status;
}

/* One level: lists that are `step` apart, up to MERGED of them, into one. */
static dp_status merge(dp__gpu *gpu, const smallest_plan *plan, int64_t step_parts)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t n = plan->pair.call->n, parts = plan->pair.parts;
    const int64_t items = n * DP_CEIL_DIV(parts, step_parts * MERGED);
    const double flops = 8.0 * plan->k * (1 + heap_depth(plan->k)) * (double)(parts > 1 ? MERGED : 1);
    const int64_t at_once = DP_MAX2((int64_t)DP_MIN2(tuning.work / flops, 1e9), tuning.group);
    dp_status status = DP_OK;
    for (int64_t first = 0; status == DP_OK && first < items; first += at_once) {
        const int64_t end = DP_MIN2(first + at_once, items);
        dp__step step = dp__step_new("smallest_merge", tuning.group, 1);
        dp__step_define(&step, "GROUP", MERGED);
        dp__step_out(&step, plan->values->buffer);
        dp__step_out(&step, plan->indices->buffer);
        const int64_t params[] = {n, plan->k, parts, step_parts, step_parts * MERGED >= parts, first, end};
        for (size_t p = 0; p < DP_COUNT(params); p++)
            dp__step_int(&step, params[p]);
        step.launch.flops = flops * (double)(end - first);
        status = dp__step_run(gpu, &step, DP_CEIL_DIV(end - first, tuning.group));
    }
    return status;
}

/* The lists of the first part are those of all: into the result. */
static dp_status copy_result(dp__gpu *gpu, dp_tensor *lists, dp_tensor *result)
{
    dp_tensor *first = dp_slice(lists, 0, 0, result->shape.dim[0], 1);
    const dp_status status = first ? dp__plan_copy(gpu, &(dp__copy_call){first, result}) : DP_ERROR_MEMORY;
    dp_tensor_release(&first);
    return status;
}

static dp_status run(dp__gpu *gpu, smallest_plan *plan, const dp__pairwise_smallest_call *call)
{
    DP_CHECK(dp__pair_open(gpu, &plan->pair));
    plan->flops = (dp__expr_flops(plan->pair.expr) + 1) * plan->pair.width * plan->pair.vectors;
    choose_parts(gpu, plan);
    choose_take(gpu, plan);
    DP_CHECK(create_lists(gpu, plan, call));
    DP_CHECK(scan_all(gpu, plan));
    int64_t step = 1;
    do
        DP_CHECK(merge(gpu, plan, step));
    while ((step *= MERGED) < plan->pair.parts);
    if (plan->pair.parts > 1) {
        DP_CHECK(copy_result(gpu, plan->values, call->values));
        DP_CHECK(copy_result(gpu, plan->indices, call->indices));
    }
    return DP_OK;
}

dp_status dp__plan_pairwise_smallest(dp__gpu *gpu, const dp__pairwise_smallest_call *call)
{
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->pairs.bound));
    dp__expr *expr = dp__expr_simplify(call->pairs.expr);
    if (!expr)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the formula");
    smallest_plan plan = {.pair = {.call = &call->pairs, .expr = expr,
                                   .params = " P(int, k) P(int, skip) P(int, take)"},
                          .k = call->k};
    const dp_status status = run(gpu, &plan, call);
    dp__pair_close(&plan.pair);
    dp_tensor_release(&plan.values);
    dp_tensor_release(&plan.indices);
    dp__expr_free(&expr);
    return status;
}
