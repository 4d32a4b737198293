/* SPDX-License-Identifier: Apache-2.0 */
/* The k smallest of every row of pairs: launches that each look at some of j and leave what they found in
 * sorted lists, one a point i and part of j; then the parts are merged. */
#include "gpu/plans/pairwise.h"

#define LIST_ELEMENTS ((int64_t)1 << 24) /* the lists of all parts together */
#define SIDE_BY_SIDE  32                 /* work-items that write to neighbouring places */
#define MERGED        16                 /* lists that become one in a launch */

/* Sorted lists of parts, [parts, tiles, k, tile]. */
typedef struct sorted_lists {
    dp_tensor *values, *indices;
    int64_t parts;
} sorted_lists;

typedef struct smallest_plan {
    dp__pair_plan pair;
    int k;
    int together;        /* values of j that are looked at before the first is taken, JB */
    int64_t tile, tiles; /* lists of so many points i lie side by side */
    int64_t take;        /* values of j of a launch */
    double flops;        /* of a work-item and one value of j */
} smallest_plan;

/* Few points i: parts of j, not so short that most of what they find is of no use. */
static void choose_parts(dp__gpu *gpu, smallest_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    dp__pair_plan *pair = &plan->pair;
    const int64_t m = pair->call->m;
    const int64_t wanted =
        DP_CEIL_DIV(tuning.pair_items * (int64_t)DP_MAX2(gpu->limits.compute_units, 1), pair->items_i);
    const int64_t most =
        DP_MIN2(m / DP_MAX2(256, 16 * plan->k), LIST_ELEMENTS / (plan->tiles * plan->tile * plan->k));
    pair->part = DP_MAX2(DP_CEIL_DIV(m, DP_MAX2(DP_MIN2(wanted, most), 1)), 1);
    pair->parts = DP_MAX2(DP_CEIL_DIV(m, pair->part), 1);
}

/* Each launch is short enough for the loops, if every value went to the head of its list, and for watchdogs.
 */
static void choose_take(dp__gpu *gpu, smallest_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const dp__pair_plan *pair = &plan->pair;
    const double rounds = dp__pair_rounds(pair) + pair->vectors * (1 + plan->k);
    const double in_rounds = (double)(tuning.rounds - pair->vectors * plan->k) / rounds;
    const double in_work = tuning.work / plan->flops / tuning.heavy;
    plan->take = (int64_t)DP_MIN2(DP_MIN2(in_rounds, DP_MAX2(in_work, 1024)), (double)pair->part);
    if (plan->take > plan->together)
        plan->take -= plan->take % plan->together;
    plan->take = DP_MAX2(plan->take, 1);
}

static void release(sorted_lists *lists)
{
    dp_tensor_release(&lists->values);
    dp_tensor_release(&lists->indices);
}

static dp_status create(dp__gpu *gpu, const smallest_plan *plan, int64_t parts, sorted_lists *lists)
{
    const dp_shape shape = {4, {parts, plan->tiles, plan->k, plan->tile}};
    lists->parts = parts;
    lists->values = dp__tensor_create(gpu->device, DP_F32, shape);
    lists->indices = dp__tensor_create(gpu->device, DP_I32, shape);
    return lists->values && lists->indices ? DP_OK : DP_ERROR_MEMORY;
}

/* Items first .. end - 1, values skip .. skip + take - 1 of their parts. */
static dp_status scan(dp__gpu *gpu, const smallest_plan *plan, const sorted_lists *lists,
                      const dp__text *bindings, const dp__text *formula, int64_t skip, int64_t first,
                      int64_t end)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const dp__pair_plan *pair = &plan->pair;
    dp__step step = dp__step_new("pairwise_smallest", tuning.heavy, 1);
    step.bindings = bindings->data;
    step.formula = formula->data;
    dp__step_define(&step, "W", pair->width);
    dp__step_define(&step, "IB", pair->vectors);
    dp__step_define(&step, "BLOCK", pair->block);
    dp__step_define(&step, "SUB", pair->sub);
    dp__step_define(&step, "JB", plan->together);
    dp__step_define(&step, "UNROLLED", pair->unrolled);
    dp__step_define(&step, "EXCLUDE_SELF", pair->call->exclude_self);
    dp__pair_add_inputs(pair, &step);
    dp__step_out(&step, lists->values->buffer);
    dp__step_out(&step, lists->indices->buffer);
    const int64_t params[] = {pair->call->n, pair->call->m, first, end, pair->part};
    for (size_t p = 0; p < DP_COUNT(params); p++)
        dp__step_int(&step, params[p]);
    dp__step_float(&step, 1); /* the scale of reductions */
    dp__step_int(&step, 0);   /* offset of the lists */
    dp__step_int(&step, plan->k);
    dp__step_int(&step, skip);
    dp__step_int(&step, plan->take);
    dp__step_int(&step, plan->tile);
    dp__pair_add_params(pair, &step);
    step.launch.flops = plan->flops * (double)plan->take * (double)(end - first);
    return dp__step_run(gpu, &step, DP_CEIL_DIV(end - first, tuning.heavy));
}

/* All items, all of j. Without j too: the lists are to be filled. */
static dp_status scan_all(dp__gpu *gpu, const smallest_plan *plan, const sorted_lists *lists)
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
        status =
            dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the source of kernel pairwise_smallest");
    for (int64_t skip = 0; status == DP_OK && skip < pair->part; skip += plan->take)
        for (int64_t first = 0; status == DP_OK && first < items; first += at_once)
            status =
                scan(gpu, plan, lists, &bindings, &formula, skip, first, DP_MIN2(first + at_once, items));
    dp__text_free(&bindings);
    dp__text_free(&formula);
    return status;
}

/* Every MERGED neighbours of `from` become a list of `to`; those of results are [n, k]. */
static dp_status merge(dp__gpu *gpu, const smallest_plan *plan, const sorted_lists *from,
                       const sorted_lists *to, bool last)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t n = plan->pair.call->n, k = plan->k, items = n * to->parts;
    const double flops = 2.0 * (double)k * (double)DP_MIN2(from->parts, MERGED);
    const int64_t at_once = DP_MAX2((int64_t)DP_MIN2(tuning.work / flops, 1e9), tuning.group);
    dp_status status = DP_OK;
    for (int64_t first = 0; status == DP_OK && first < items; first += at_once) {
        const int64_t end = DP_MIN2(first + at_once, items);
        dp__step step = dp__step_new("smallest_merge", tuning.group, 1);
        dp__step_define(&step, "GROUP", MERGED);
        dp__step_in(&step, from->values->buffer);
        dp__step_in(&step, from->indices->buffer);
        dp__step_out(&step, to->values->buffer);
        dp__step_out(&step, to->indices->buffer);
        const int64_t params[] = {n, k, plan->tile, from->parts, last, first, end};
        for (size_t p = 0; p < DP_COUNT(params); p++)
            dp__step_int(&step, params[p]);
        step.launch.flops = flops * (double)(end - first);
        step.launch.bytes =
            8.0 * (double)k * (double)(end - first) * (1 + (double)from->parts / (double)to->parts);
        status = dp__step_run(gpu, &step, DP_CEIL_DIV(end - first, tuning.group));
    }
    return status;
}

/* From the lists of all parts to the results; `all` is replaced level by level. */
static dp_status merge_all(dp__gpu *gpu, const smallest_plan *plan, sorted_lists *all,
                           const dp__pairwise_smallest_call *call)
{
    while (all->parts > MERGED) {
        sorted_lists merged = {0};
        dp_status status = create(gpu, plan, DP_CEIL_DIV(all->parts, MERGED), &merged);
        if (status == DP_OK)
            status = merge(gpu, plan, all, &merged, false);
        release(all);
        *all = merged;
        DP_CHECK(status);
    }
    const sorted_lists results = {.values = call->values, .indices = call->indices, .parts = 1};
    return merge(gpu, plan, all, &results, true);
}

static dp_status run(dp__gpu *gpu, smallest_plan *plan, const dp__pairwise_smallest_call *call,
                     sorted_lists *all)
{
    dp__pair_plan *pair = &plan->pair;
    DP_CHECK(dp__pair_open(gpu, pair));
    plan->flops = (dp__expr_flops(pair->expr) + 1) * pair->width * pair->vectors;
    /* What a work-item writes at once, or where work-items run in step, what several do. */
    plan->tile = pair->width * pair->vectors * (gpu->limits.type == DP_DEVICE_CPU ? 1 : SIDE_BY_SIDE);
    plan->tiles = DP_CEIL_DIV(pair->call->n, plan->tile);
    plan->together = DP_MAX2(8 / pair->vectors, 2); /* the formula's text stands once for each, and for each vector */
    choose_parts(gpu, plan);
    choose_take(gpu, plan);
    DP_CHECK(create(gpu, plan, pair->parts, all));
    DP_CHECK(scan_all(gpu, plan, all));
    return merge_all(gpu, plan, all, call);
}

dp_status dp__plan_pairwise_smallest(dp__gpu *gpu, const dp__pairwise_smallest_call *call)
{
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->pairs.bound));
    dp__expr *expr = dp__expr_simplify(call->pairs.expr);
    if (!expr)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the formula");
    smallest_plan plan = {.pair = {.call = &call->pairs,
                                   .expr = expr,
                                   .params = " P(int, k) P(int, skip) P(int, take) P(int, tile)"},
                          .k = call->k};
    sorted_lists all = {0};
    const dp_status status = run(gpu, &plan, call, &all);
    release(&all);
    dp__pair_close(&plan.pair);
    dp__expr_free(&expr);
    return status;
}
