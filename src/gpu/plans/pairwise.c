/* SPDX-License-Identifier: Apache-2.0 */
/* The pairwise kernel's variant and launches, and the reduction of their results where there are several parts of j or all
 * pairs are reduced. */
#include "gpu/plans/pairwise.h"
#include "gpu/plans/reduce.h"
#include <math.h>

static void choose_variant(dp__gpu *gpu, dp__pair_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int max_dim = dp__expr_max_dim(plan->expr);
    plan->unrolled = max_dim <= tuning.pair_unroll;
    plan->width = plan->call->n == 1 ? 1 : plan->unrolled ? tuning.width : tuning.pair_width;
    plan->vectors = plan->unrolled && max_dim <= 4 ? tuning.pair_vectors : 1;
    while (plan->vectors > 2 && plan->call->n < (int64_t)128 * plan->width * plan->vectors)
        plan->vectors /= 2; /* longer texts take longer to build */
    plan->block = plan->unrolled ? 1 : tuning.pair_block;
    while (plan->block > DP_MAX2(plan->call->m, 1))
        plan->block /= 2;
    plan->sub = DP_MIN2(plan->block, tuning.pair_sub);
    plan->cut = 1;
    for (int o = 0; o < plan->expr->output_count; o++) {
        plan->dim[o] = DP_MAX2(plan->expr->nodes[plan->expr->outputs[o]].dim, 1);
        if (dp__pair_chunked(plan, o))
            plan->cut = plan->dim[o];
    }
    plan->chunk = DP_MIN2(plan->cut, tuning.pair_chunk);
    plan->chunks = DP_CEIL_DIV(plan->cut, plan->chunk);
    for (int o = 0; o < plan->expr->output_count; o++)
        plan->states += dp__pair_chunked(plan, o) ? plan->chunk : plan->dim[o];
    if (plan->call->segments) { /* lanes beyond a problem's end are idle */
        const int64_t each = DP_CEIL_DIV(plan->call->n, DP_MAX2(plan->call->segments->problems, 1));
        plan->vectors = each >= 4 * (int64_t)plan->width * plan->vectors ? plan->vectors : 1;
        while (plan->width > 1 && plan->width >= 2 * each)
            plan->width /= 2;
    }
}

double dp__pair_rounds(const dp__pair_plan *plan)
{
    double rounds = 1.1; /* of the loop over j and, with a block of sums for 128 of them, the one around it */
    for (int n = 0; n < plan->expr->node_count && !plan->unrolled; n++)
        if (dp__node_reduces(plan->expr->nodes[n].kind))
            rounds += 1.1 * plan->expr->nodes[plan->expr->nodes[n].operand[0]].dim;
    if (!plan->unrolled)
        rounds += plan->states;
    rounds = plan->unrolled ? rounds * plan->vectors : rounds / plan->block;
    if (plan->call->segments && plan->call->segments->mask) /* shorter blocks */
        rounds += (2.0 + 2.0 * plan->states * plan->vectors) / DP_MIN2(plan->call->segments->tile, 128);
    return rounds;
}

/* Few points i: j is cut into parts, so that every compute unit has work. Each is short enough for the loops. */
static void choose_parts(dp__gpu *gpu, dp__pair_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    int64_t largest = 1; /* result: its parts are to have fewer than 2^31 elements */
    for (int o = 0; o < plan->expr->output_count; o++)
        largest = DP_MAX2(largest, plan->call->n * plan->dim[o]);
    const int64_t wanted = DP_CEIL_DIV(tuning.pair_items * (int64_t)DP_MAX2(gpu->limits.compute_units, 1),
                                       plan->items_i * plan->chunks);
    const int64_t most = DP_MIN2(plan->longest / 256, INT32_MAX / largest);
    const int64_t longest = DP_MAX2((int64_t)((double)tuning.rounds / dp__pair_rounds(plan)), 1);
    const int64_t least = DP_CEIL_DIV(DP_MAX2(plan->longest, 1), longest);
    plan->part = DP_MAX2(DP_CEIL_DIV(plan->longest, DP_MAX2(DP_MIN2(wanted, most), least)), 1);
    plan->parts = DP_MAX2(DP_CEIL_DIV(plan->longest, plan->part), 1);
}

static dp_status choose_operands(dp__gpu *gpu, dp__pair_plan *plan)
{
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        dp__pair_operand *operand = &plan->operand[s];
        const dp_tensor *tensor = plan->call->in[s];
        operand->i = dp__expr_uses(plan->expr, s, DP__SIDE_I);
        operand->j = dp__expr_uses(plan->expr, s, DP__SIDE_J);
        operand->call = dp__expr_uses(plan->expr, s, DP__SIDE_CALL);
        operand->tensor = tensor;
        if (!tensor || !(operand->i || operand->j || operand->call))
            continue;
        operand->dim = tensor->shape.rank == 2 ? (int)tensor->shape.dim[1] : 0;
        const bool stage = operand->i && operand->dim > 0 && !plan->unrolled;
        if (operand->j || operand->call || !stage)
            operand->binding = plan->bindings++;
        if (stage) {
            const int64_t panel = plan->width > 1 ? plan->width : plan->call->n;
            const int64_t panels = plan->table && plan->width > 1 ? plan->items_i : DP_CEIL_DIV(plan->call->n, panel);
            const dp_shape shape = {3, {panels, operand->dim, panel}};
            operand->staged = dp__tensor_create(gpu->device, DP_F32, shape);
            if (!operand->staged)
                return DP_ERROR_MEMORY;
            operand->staged_binding = plan->bindings++;
        }
    }
    plan->bindings += plan->table ? plan->call->segments->mask ? 2 : 1 : 0;
    return DP_OK;
}

void dp__pair_close(dp__pair_plan *plan)
{
    for (int s = 0; s < DP_MAX_ARGS; s++)
        dp_tensor_release(&plan->operand[s].staged);
    dp_tensor_release(&plan->table);
}

/* Rows `from` .. `end` - 1 of x, [n, d], which are whole panels or a part of one, into the staged tensor's layout. */
static dp_status stage_rows(dp__gpu *gpu, const dp__pair_operand *operand, int64_t from, int64_t end)
{
    const int64_t panel = operand->staged->shape.dim[2], lanes = DP_MIN2(panel, end - from);
    dp_tensor *in = dp__tensor_view((dp_tensor *)operand->tensor);
    dp_tensor *out = dp__tensor_view(operand->staged);
    dp_status status = DP_ERROR_MEMORY;
    if (in && out) {
        const int64_t row = in->stride[0], column = in->stride[1];
        const dp_shape shape = {3, {(end - from) / lanes, operand->dim, lanes}};
        in->shape = out->shape = shape;
        in->offset += from * row;
        in->stride[0] = panel * row;
        in->stride[1] = column;
        in->stride[2] = row;
        out->offset += from * operand->dim;
        status = dp__plan_copy(gpu, &(dp__copy_call){in, out});
    }
    dp_tensor_release(&in);
    dp_tensor_release(&out);
    return status;
}

static dp_status stage(dp__gpu *gpu, const dp__pair_plan *plan)
{
    dp_status status = DP_OK;
    for (int s = 0; status == DP_OK && s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        if (!operand->staged)
            continue;
        if (plan->table && plan->width > 1) {
            status = dp__pair_stage_vectors(gpu, plan, operand);
            continue;
        }
        const int64_t n = plan->call->n, whole = n - n % operand->staged->shape.dim[2];
        if (whole > 0)
            status = stage_rows(gpu, operand, 0, whole);
        if (status == DP_OK && whole < n)
            status = stage_rows(gpu, operand, whole, n);
    }
    return status;
}

dp_status dp__pair_open(dp__gpu *gpu, dp__pair_plan *plan)
{
    choose_variant(gpu, plan);
    DP_CHECK(dp__pair_choose_items(gpu, plan));
    DP_CHECK(choose_operands(gpu, plan));
    return stage(gpu, plan);
}

/* What the kernel writes: the results themselves, or those of parts to be reduced once more. */
typedef struct pair_pass {
    dp_reduction reduction;
    float scale;
    dp_tensor *values[DP_MAX_OUTPUTS];
    dp_tensor *indices; /* argmax and argmin; else NULL */
} pair_pass;

static void release_pass(pair_pass *pass)
{
    for (int o = 0; o < DP_MAX_OUTPUTS; o++)
        dp_tensor_release(&pass->values[o]);
    dp_tensor_release(&pass->indices);
}

/* Items first .. end - 1; `bindings` and `formula` hold the kernel's text. */
static dp_status launch(dp__gpu *gpu, const dp__pair_plan *plan, const pair_pass *pass, const dp__text *bindings,
                        const dp__text *formula, int64_t first, int64_t end)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    dp__step step = dp__step_new("pairwise", tuning.heavy, 1);
    step.bindings = bindings->data;
    step.formula = formula->data;
    const dp__pair_segments *segments = plan->call->segments;
    const struct {
        const char *name;
        int value;
    } defines[] = {{"W", plan->width},
                   {"IB", plan->vectors},
                   {"BLOCK", plan->block},
                   {"SUB", plan->sub},
                   {"SPLIT", plan->block < 16 ? 1 : 4},
                   {"STATES", plan->states},
                   {"DIM", plan->cut},
                   {"CHUNK", plan->chunk},
                   {"CHUNKS", plan->chunks},
                   {"UNROLLED", plan->unrolled},
                   {"REDUCTION", pass->reduction},
                   {"EXCLUDE_SELF", plan->call->exclude_self},
                   {"SEGMENTS", segments != NULL},
                   {"TILE", segments && segments->mask ? segments->tile : 0},
                   {"WITHIN", segments && segments->within}};
    for (size_t d = 0; d < DP_COUNT(defines); d++)
        dp__step_define(&step, defines[d].name, defines[d].value);
    dp__pair_add_inputs(plan, &step);
    for (int o = 0; o < plan->expr->output_count; o++)
        dp__step_out(&step, pass->values[o]->buffer);
    if (pass->indices)
        dp__step_out(&step, pass->indices->buffer);
    const int64_t params[] = {plan->call->n, plan->call->m, first, end, segments ? plan->parts : plan->part};
    for (size_t i = 0; i < DP_COUNT(params); i++)
        dp__step_int(&step, params[i]);
    dp__step_float(&step, pass->scale);
    for (int o = 0; o < plan->expr->output_count; o++)
        dp__step_int(&step, pass->values[o]->offset);
    dp__pair_add_params(plan, &step);
    const double items = (double)(plan->items_i * plan->chunks * plan->parts);
    step.launch.flops = dp__expr_flops(plan->expr) * plan->pairs * plan->chunks * (double)(end - first) / items;
    return dp__step_run(gpu, &step, DP_CEIL_DIV(end - first, tuning.heavy));
}

/* All items, in launches of bounded work. */
static dp_status launch_all(dp__gpu *gpu, const dp__pair_plan *plan, const pair_pass *pass)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t items = plan->items_i * plan->chunks * plan->parts;
    const double flops = dp__expr_flops(plan->expr) * plan->width * plan->vectors * (double)plan->part;
    const int64_t at_once = DP_MAX2((int64_t)DP_MIN2(tuning.work / DP_MAX2(flops, 1), 1e9), tuning.heavy);
    dp__text bindings = {0}, formula = {0};
    dp__pair_bindings(plan, pass->indices != NULL, &bindings);
    dp__expr_emit(plan->expr, &(dp__emit_options){.unroll = plan->unrolled, .products = true, .indent = 16}, &formula);
    dp_status status = DP_OK;
    if (bindings.failed || formula.failed)
        status = dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the source of kernel pairwise");
    for (int64_t first = 0; status == DP_OK && first < items; first += at_once)
        status = launch(gpu, plan, pass, &bindings, &formula, first, DP_MIN2(first + at_once, items));
    dp__text_free(&bindings);
    dp__text_free(&formula);
    return status;
}

float dp__pair_scale(const dp__pairwise_call *call)
{
    double pairs = (double)(call->m - call->exclude_self);
    if (call->all)
        pairs *= (double)call->n;
    return call->reduction != DP_MEAN ? 1 : pairs > 0 ? (float)(1 / pairs) : NAN;
}

/* An output's results of parts, [parts, n, dim], reduced over the parts, or over parts and i. */
static dp_status reduce_parts(dp__gpu *gpu, const dp__pair_plan *plan, const pair_pass *pass, int output)
{
    const dp__pairwise_call *call = plan->call;
    const int64_t dim = plan->dim[output];
    const dp_shape shape = {2, {call->all ? plan->parts * call->n : plan->parts, call->all ? dim : call->n * dim}};
    dp_tensor *table = dp_reshape(pass->values[output], shape);
    dp_tensor *view = table ? dp_transpose(table, 0, 1) : NULL;
    const dp__reduction_plan reduction = {.x = view, .index = pass->indices, .out = call->out[output],
                                          .reduction = call->reduction, .reduced = 1, .scale = dp__pair_scale(call)};
    const dp_status status = view ? dp__plan_reduction(gpu, &reduction) : DP_ERROR_MEMORY;
    dp_tensor_release(&table);
    dp_tensor_release(&view);
    return status;
}

static dp_status run(dp__gpu *gpu, dp__pair_plan *plan)
{
    const dp__pairwise_call *call = plan->call;
    const bool index = call->reduction == DP_ARGMAX || call->reduction == DP_ARGMIN;
    const bool again = call->all || plan->parts > 1;
    const int outputs = plan->expr->output_count;
    pair_pass pass = {.reduction = again && call->reduction == DP_MEAN ? DP_SUM : call->reduction,
                 .scale = again ? 1 : dp__pair_scale(call)};
    dp_status status = DP_OK;
    for (int o = 0; status == DP_OK && o < outputs; o++) {
        const dp_shape shape = {1, {plan->parts * call->n * plan->dim[o]}};
        pass.values[o] = again || index ? dp__tensor_create(gpu->device, DP_F32, shape) : dp_tensor_retain(call->out[o]);
        if (index)
            pass.indices = again ? dp__tensor_create(gpu->device, DP_I32, shape) : dp_tensor_retain(call->out[o]);
        status = pass.values[o] && (pass.indices || !index) ? DP_OK : DP_ERROR_MEMORY;
    }
    if (status == DP_OK)
        status = launch_all(gpu, plan, &pass);
    for (int o = 0; status == DP_OK && again && o < outputs; o++)
        status = reduce_parts(gpu, plan, &pass, o);
    release_pass(&pass);
    return status;
}

/* No points i: what a reduction over nothing gives. */
static dp_status run_empty(dp__gpu *gpu, const dp__pairwise_call *call)
{
    dp_status status = DP_OK;
    for (int o = 0; status == DP_OK && o < call->expr->output_count; o++) {
        dp_tensor *none = dp__tensor_create(gpu->device, DP_F32, (dp_shape){2, {dp_tensor_size(call->out[o]), 0}});
        const dp__reduction_plan plan = {.x = none, .out = call->out[o], .reduction = call->reduction, .reduced = 1,
                                         .scale = dp__pair_scale(call)};
        status = none ? dp__plan_reduction(gpu, &plan) : DP_ERROR_MEMORY;
        dp_tensor_release(&none);
    }
    return status;
}

/* `expr` is simplified, and its outputs may stand in one kernel. */
static dp_status run_expr(dp__gpu *gpu, const dp__pairwise_call *call, const dp__expr *expr)
{
    if (dp__pair_fits_symmetry(gpu, call, expr))
        return dp__pair_run_symmetric(gpu, call, expr);
    dp__pair_plan plan = {.call = call, .expr = expr};
    dp_status status = dp__pair_open(gpu, &plan);
    if (status == DP_OK) {
        choose_parts(gpu, &plan);
        status = run(gpu, &plan);
    }
    dp__pair_close(&plan);
    return status;
}

/* A kernel cuts the components of its vector outputs into chunks alike, so they must have the same number of them. */
static bool fit_together(dp__gpu *gpu, const dp__expr *expr)
{
    int dim = 0;
    for (int o = 0; o < expr->output_count; o++) {
        const int own = expr->nodes[expr->outputs[o]].dim;
        if (dim > 0 && own > 0 && own != dim)
            return dp__expr_max_dim(expr) <= dp__tuning_of(&gpu->limits).pair_unroll;
        dim = DP_MAX2(dim, own);
    }
    return true;
}

/* One output after the other. */
static dp_status run_apart(dp__gpu *gpu, const dp__pairwise_call *call, const dp__expr *expr)
{
    dp_status status = DP_OK;
    for (int o = 0; status == DP_OK && o < expr->output_count; o++) {
        dp__expr *one = dp__expr_clone(expr);
        dp__pairwise_call part = *call;
        if (!one)
            return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the formula");
        one->outputs[0] = expr->outputs[o];
        one->output_count = 1;
        part.out[0] = call->out[o];
        dp__expr *live = dp__expr_simplify(one);
        status = live ? run_expr(gpu, &part, live) : dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the formula");
        dp__expr_free(&live);
        dp__expr_free(&one);
    }
    return status;
}

dp_status dp__plan_pairwise(dp__gpu *gpu, const dp__pairwise_call *call)
{
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    if (call->n == 0)
        return run_empty(gpu, call);
    if (dp__pair_is_composed(call))
        return dp__plan_pair_composed(gpu, call);
    dp__expr *expr = dp__expr_simplify(call->expr);
    if (!expr)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the formula");
    const dp_status status = fit_together(gpu, expr) ? run_expr(gpu, call, expr) : run_apart(gpu, call, expr);
    dp__expr_free(&expr);
    return status;
}
