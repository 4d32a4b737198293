/* SPDX-License-Identifier: Apache-2.0 */
/* The pairwise kernel's generated parts, its launches, and the reduction of their results where there are several parts of
 * j or all pairs are reduced. */
#include "gpu/plans/reduce.h"
#include <math.h>

#define UNROLL_DIM 16 /* vectors of more components are walked by loops */

/* What one symbol is in the kernel. */
typedef struct pair_operand {
    const dp_tensor *tensor; /* NULL: a scalar of the call */
    dp_tensor *staged;       /* [d, points i] for vector loads over i, where vectors are walked by loops */
    bool i, j, call;         /* the sides it is used on */
    int binding, staged_binding;
    int dim; /* components; 0: a scalar */
} pair_operand;

typedef struct kernel_plan {
    const dp__pairwise_call *call;
    const dp__expr *expr; /* simplified */
    pair_operand operand[DP_MAX_ARGS];
    bool unrolled;
    int width, vectors, block, dim, chunk, chunks; /* W, IB, BLOCK, DIM, CHUNK, CHUNKS */
    int64_t items_i; /* work-items along i */
    int64_t parts, part;
    int bindings;
} kernel_plan;

static void choose_variant(dp__gpu *gpu, kernel_plan *plan)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const bool cpu = gpu->limits.type == DP_DEVICE_CPU;
    const int max_dim = dp__expr_max_dim(plan->expr);
    plan->dim = DP_MAX2(plan->expr->nodes[plan->expr->outputs[0]].dim, 1);
    plan->unrolled = max_dim <= UNROLL_DIM;
    plan->width = plan->call->n > 1 ? tuning.width : 1;
    plan->vectors = plan->unrolled && max_dim <= 4 ? tuning.pair_vectors : 1;
    plan->block = plan->unrolled ? 1 : cpu ? 8 : 4;
    plan->chunk = plan->unrolled ? plan->dim : DP_MIN2(plan->dim, cpu ? 256 : 32);
    plan->chunks = DP_CEIL_DIV(plan->dim, plan->chunk);
    plan->items_i = DP_CEIL_DIV(plan->call->n, (int64_t)plan->width * plan->vectors);
}

/* At least the rounds that a work-item's loops take for one value of j. */
static double rounds_per_point(const kernel_plan *plan)
{
    double rounds = 1.1; /* of the loop over j and, with a block of sums for 128 of them, the one around it */
    for (int n = 0; n < plan->expr->node_count && !plan->unrolled; n++)
        if (dp__node_reduces(plan->expr->nodes[n].kind))
            rounds += 1.1 * plan->expr->nodes[plan->expr->nodes[n].operand[0]].dim;
    if (!plan->unrolled)
        rounds += plan->chunk;
    return plan->unrolled ? rounds * plan->vectors : rounds / plan->block;
}

/* Few points i: j is cut into parts, so that every compute unit has work. Each is short enough for the loops. */
static void choose_parts(dp__gpu *gpu, kernel_plan *plan)
{
    const int64_t units = DP_MAX2(gpu->limits.compute_units, 1);
    const int64_t wanted = units * (gpu->limits.type == DP_DEVICE_CPU            ? 4
                                    : gpu->limits.type == DP_DEVICE_SOFTWARE_GPU ? 128
                                                                                 : 1024);
    const int64_t items = plan->items_i * plan->chunks;
    const int64_t most = DP_MIN2(plan->call->m / 256, INT32_MAX / (plan->call->n * plan->dim));
    const int64_t longest = DP_MAX2((int64_t)((double)dp__tuning_of(&gpu->limits).rounds / rounds_per_point(plan)), 1);
    const int64_t parts = DP_MAX2(DP_MIN2(DP_CEIL_DIV(wanted, items), most), DP_CEIL_DIV(DP_MAX2(plan->call->m, 1), longest));
    plan->part = DP_MAX2(DP_CEIL_DIV(plan->call->m, parts), 1);
    plan->parts = DP_MAX2(DP_CEIL_DIV(plan->call->m, plan->part), 1);
}

static dp_status choose_operands(dp__gpu *gpu, kernel_plan *plan)
{
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        pair_operand *operand = &plan->operand[s];
        const dp_tensor *tensor = plan->call->in[s];
        operand->i = dp__expr_uses(plan->expr, s, DP__SIDE_I);
        operand->j = dp__expr_uses(plan->expr, s, DP__SIDE_J);
        operand->call = dp__expr_uses(plan->expr, s, DP__SIDE_CALL);
        operand->tensor = tensor;
        if (!tensor || !(operand->i || operand->j || operand->call))
            continue;
        const int rank = tensor->shape.rank;
        operand->dim = rank == 2 ? (int)tensor->shape.dim[1] : 0;
        const bool stage = operand->i && operand->dim > 0 && !plan->unrolled;
        if (operand->j || operand->call || !stage)
            operand->binding = plan->bindings++;
        if (stage) {
            /* A vector load at the last points may read up to W - 1 elements more: of the next row, or of the one row that the
             * tensor has too many. */
            const dp_shape shape = {2, {operand->dim + 1, DP_MAX2(plan->call->n, plan->width)}};
            operand->staged = dp__tensor_create(gpu->device, DP_F32, shape);
            if (!operand->staged)
                return DP_ERROR_MEMORY;
            operand->staged_binding = plan->bindings++;
        }
    }
    return DP_OK;
}

static void release_operands(kernel_plan *plan)
{
    for (int s = 0; s < DP_MAX_ARGS; s++)
        dp_tensor_release(&plan->operand[s].staged);
}

/* Copies x[i] as [d, n] into the staged tensors. */
static dp_status stage(dp__gpu *gpu, const kernel_plan *plan)
{
    dp_status status = DP_OK;
    for (int s = 0; status == DP_OK && s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (!operand->staged)
            continue;
        dp_tensor *in = dp_transpose((dp_tensor *)operand->tensor, 0, 1);
        dp_tensor *out = dp_slice(operand->staged, 0, 0, operand->dim, 1);
        dp_tensor *narrow = out ? dp_slice(out, 1, 0, plan->call->n, 1) : NULL;
        status = in && narrow ? dp__plan_copy(gpu, &(dp__copy_call){in, narrow}) : DP_ERROR_MEMORY;
        dp_tensor_release(&in);
        dp_tensor_release(&out);
        dp_tensor_release(&narrow);
    }
    return status;
}

/* Strides of a tensor that is packed are part of the kernel's text; others are parameters. */
static bool packed(const pair_operand *operand)
{
    return dp_tensor_contiguous(operand->tensor);
}

static void emit_buffers(const kernel_plan *plan, bool index, dp__text *text)
{
    dp__text_add(text, "#define BUFFERS(IN, OUT)");
    for (int b = 0; b < plan->bindings; b++)
        dp__text_add(text, " IN(%d, float, b%d)", b, b);
    dp__text_add(text, " OUT(%d, float, result)", plan->bindings);
    if (index)
        dp__text_add(text, " OUT(%d, int, result_index)", plan->bindings + 1);
    dp__text_add(text, "\n#define PARAMS(P) P(int, n) P(int, m) P(int, first_item) P(int, end_item) P(int, part) "
                       "P(int, result_offset) P(float, scale)");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (operand->call && !operand->tensor)
            dp__text_add(text, " P(float, scalar%d)", s);
        else if (operand->i || operand->j || operand->call)
            dp__text_add(text, packed(operand) ? " P(int, offset%d)" : " P(int, offset%d) P(int, row%d) P(int, column%d)", s,
                         s, s);
    }
    dp__text_add(text, "\n");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (operand->tensor && packed(operand) && (operand->i || operand->j || operand->call))
            dp__text_add(text, "#define row%d %d\n#define column%d 1\n", s, DP_MAX2(operand->dim, 1), s);
    }
}

static void add_arguments(const kernel_plan *plan, dp__step *step)
{
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (operand->call && !operand->tensor) {
            dp__step_float(step, plan->call->scalar[s]);
        } else if (operand->i || operand->j || operand->call) {
            dp__step_int(step, operand->tensor->offset);
            if (!packed(operand)) {
                dp__step_int(step, operand->tensor->stride[0]);
                dp__step_int(step, operand->tensor->shape.rank > 1 ? operand->tensor->stride[1] : 0);
            }
        }
    }
}

/* LOAD_CALL is empty: scalars and vectors of the call are read where they are used, from constant addresses. */
static void emit_call_side(const kernel_plan *plan, dp__text *text)
{
    dp__text_add(text, "#define LOAD_CALL\n");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (operand->call && !operand->tensor)
            dp__text_add(text, "#define SYM%d_C(c) SPLAT(scalar%d)\n", s, s);
        else if (operand->call)
            dp__text_add(text, "#define SYM%d_C(c) SPLAT(b%d[offset%d + (c) * row%d])\n", s, operand->binding, s, s);
    }
}

/* x<s>[b, c] in registers, loaded lane by lane with the last point repeated; staged vectors stay in memory. */
static void emit_i_side(const kernel_plan *plan, dp__text *text)
{
    dp__text_add(text, "#define LOAD_I");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        const int dim = DP_MAX2(operand->dim, 1);
        if (!operand->i || operand->staged)
            continue;
        dp__text_add(text,
                     " REAL x%d[IB * %d]; for (int b = 0; b < IB; b++) for (int c = 0; c < %d; c++) for (int lane = 0; "
                     "lane < W; lane++) SET_LANE(x%d[b * %d + c], lane, b%d[offset%d + min(first_i + b * W + lane, n - 1) "
                     "* row%d + c * column%d]);",
                     s, dim, dim, s, dim, operand->binding, s, s, s);
    }
    dp__text_add(text, "\n");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (operand->staged)
            dp__text_add(text, "#define SYM%d_I(c) LOAD(b%d, (c) * %s + first_i)\n", s, operand->staged_binding,
                         plan->call->n < plan->width ? "W" : "n");
        else if (operand->i && plan->unrolled)
            dp__text_add(text, "#define SYM%d_I(c) x%d[b * %d + (c)]\n", s, s, DP_MAX2(operand->dim, 1));
        else if (operand->i)
            dp__text_add(text, "#define SYM%d_I(c) x%d[c]\n", s, s);
    }
}

static void emit_j_side(const kernel_plan *plan, dp__text *text)
{
    dp__text_add(text, "#define LOAD_J");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (!operand->j)
            continue;
        if (!plan->unrolled) {
            dp__text_add(text, " int at%d[BLOCK]; UNROLL for (int b = 0; b < BLOCK; b++) at%d[b] = offset%d + min(j + b, m - 1) "
                               "* row%d;", s, s, s, s);
            continue;
        }
        for (int c = 0; c < DP_MAX2(operand->dim, 1); c++)
            dp__text_add(text, " const REAL y%d_%d = SPLAT(b%d[offset%d + j * row%d + %d * column%d]);", s, c,
                         operand->binding, s, s, c, s);
    }
    dp__text_add(text, "\n");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (operand->j && plan->unrolled)
            dp__text_add(text, "#define SYM%d_J(c) y%d_##c\n", s, s);
        else if (operand->j)
            dp__text_add(text, "#define SYM%d_J(c) SPLAT(b%d[at%d[b] + (c) * column%d])\n", s, operand->binding, s, s);
    }
}

/* The step but for its range of items; `bindings` and `formula` hold its text. */
static dp__step make_step(dp__gpu *gpu, const kernel_plan *plan, dp_reduction reduction, const dp__text *bindings,
                          const dp__text *formula)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    dp__step step = dp__step_new("pairwise", tuning.heavy, 1);
    step.bindings = bindings->data;
    step.formula = formula->data;
    const struct {
        const char *name;
        int value;
    } defines[] = {{"W", plan->width},         {"IB", plan->vectors},       {"BLOCK", plan->block},
                   {"DIM", plan->dim},         {"CHUNK", plan->chunk},      {"CHUNKS", plan->chunks},
                   {"UNROLLED", plan->unrolled}, {"REDUCTION", reduction}, {"EXCLUDE_SELF", plan->call->exclude_self}};
    for (size_t d = 0; d < DP_COUNT(defines); d++)
        dp__step_define(&step, defines[d].name, defines[d].value);
    return step;
}

static void add_buffers(const kernel_plan *plan, const dp_tensor *values, const dp_tensor *indices, dp__step *step)
{
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const pair_operand *operand = &plan->operand[s];
        if (operand->tensor && (operand->j || operand->call || (operand->i && !operand->staged)))
            dp__step_in(step, operand->tensor->buffer);
        if (operand->staged)
            dp__step_in(step, operand->staged->buffer);
    }
    dp__step_out(step, values->buffer);
    if (indices)
        dp__step_out(step, indices->buffer);
}

/* All items, in launches of bounded work. */
static dp_status launch_all(dp__gpu *gpu, const kernel_plan *plan, dp_reduction reduction, const dp_tensor *values,
                            const dp_tensor *indices, float scale, const dp__text *bindings, const dp__text *formula)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t items = plan->items_i * plan->chunks * plan->parts;
    const double flops = dp__expr_flops(plan->expr) * plan->width * plan->vectors * (double)plan->part;
    const int64_t at_once = DP_MAX2((int64_t)DP_MIN2(tuning.work / DP_MAX2(flops, 1), 1e9), tuning.heavy);
    for (int64_t first = 0; first < items; first += at_once) {
        const int64_t count = DP_MIN2(at_once, items - first);
        dp__step step = make_step(gpu, plan, reduction, bindings, formula);
        add_buffers(plan, values, indices, &step);
        const int64_t params[] = {plan->call->n, plan->call->m, first, first + count, plan->part, values->offset};
        for (size_t i = 0; i < DP_COUNT(params); i++)
            dp__step_int(&step, params[i]);
        dp__step_float(&step, scale);
        add_arguments(plan, &step);
        step.launch.flops = flops * (double)count;
        DP_CHECK(dp__step_run(gpu, &step, DP_CEIL_DIV(count, tuning.heavy)));
    }
    return DP_OK;
}

static dp_status launch_kernel(dp__gpu *gpu, kernel_plan *plan, dp_reduction reduction, const dp_tensor *values,
                               const dp_tensor *indices, float scale)
{
    dp__text bindings = {0}, formula = {0};
    emit_buffers(plan, indices != NULL, &bindings);
    emit_call_side(plan, &bindings);
    emit_i_side(plan, &bindings);
    emit_j_side(plan, &bindings);
    dp__expr_emit(plan->expr, &(dp__emit_options){.unroll = plan->unrolled, .indent = 16}, &formula);
    const dp_status status =
        bindings.failed || formula.failed
            ? dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the source of kernel pairwise")
            : launch_all(gpu, plan, reduction, values, indices, scale, &bindings, &formula);
    dp__text_free(&bindings);
    dp__text_free(&formula);
    return status;
}

static float scale_of(const dp__pairwise_call *call)
{
    double pairs = (double)(call->m - call->exclude_self);
    if (call->all)
        pairs *= (double)call->n;
    return call->reduction != DP_MEAN ? 1 : pairs > 0 ? (float)(1 / pairs) : NAN;
}

/* Results of parts, [parts, n, dim], reduced over the parts, or over parts and i. */
static dp_status reduce_parts(dp__gpu *gpu, const kernel_plan *plan, dp_tensor *values, dp_tensor *indices)
{
    const dp__pairwise_call *call = plan->call;
    const int64_t rows = call->all ? plan->parts * call->n : plan->parts;
    const int64_t results = call->all ? plan->dim : call->n * plan->dim;
    dp_tensor *table = dp_reshape(values, (dp_shape){2, {rows, results}});
    dp_tensor *view = table ? dp_transpose(table, 0, 1) : NULL;
    const dp__reduction_plan reduction = {.x = view, .index = indices, .out = call->out, .reduction = call->reduction,
                                          .reduced = 1, .scale = scale_of(call)};
    const dp_status status = view ? dp__plan_reduction(gpu, &reduction) : DP_ERROR_MEMORY;
    dp_tensor_release(&table);
    dp_tensor_release(&view);
    return status;
}

static dp_status run(dp__gpu *gpu, kernel_plan *plan)
{
    const dp__pairwise_call *call = plan->call;
    const bool index = call->reduction == DP_ARGMAX || call->reduction == DP_ARGMIN;
    const bool again = call->all || plan->parts > 1;
    const dp_shape shape = {1, {plan->parts * call->n * plan->dim}};
    dp_tensor *values = again || index ? dp__tensor_create(gpu->device, DP_F32, shape) : dp_tensor_retain(call->out);
    dp_tensor *indices = !index  ? NULL
                         : again ? dp__tensor_create(gpu->device, DP_I32, shape)
                                 : dp_tensor_retain(call->out);
    const dp_reduction reduction = again && call->reduction == DP_MEAN ? DP_SUM : call->reduction;
    dp_status status = values && (indices || !index) ? DP_OK : DP_ERROR_MEMORY;
    if (status == DP_OK)
        status = launch_kernel(gpu, plan, reduction, values, indices, again ? 1 : scale_of(call));
    if (status == DP_OK && again)
        status = reduce_parts(gpu, plan, values, indices);
    dp_tensor_release(&values);
    dp_tensor_release(&indices);
    return status;
}

/* No points i: what a reduction over nothing gives. */
static dp_status run_empty(dp__gpu *gpu, const dp__pairwise_call *call)
{
    const int64_t dim = call->out->shape.rank > 0 ? call->out->shape.dim[0] : 1;
    dp_tensor *none = dp__tensor_create(gpu->device, DP_F32, (dp_shape){2, {dim, 0}});
    const dp__reduction_plan plan = {.x = none, .out = call->out, .reduction = call->reduction, .reduced = 1,
                                     .scale = scale_of(call)};
    const dp_status status = none ? dp__plan_reduction(gpu, &plan) : DP_ERROR_MEMORY;
    dp_tensor_release(&none);
    return status;
}

dp_status dp__plan_pairwise(dp__gpu *gpu, const dp__pairwise_call *call)
{
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    if (call->n == 0)
        return run_empty(gpu, call);
    kernel_plan plan = {.call = call};
    dp__expr *expr = dp__expr_simplify(call->expr);
    plan.expr = expr;
    dp_status status = expr ? DP_OK : dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the formula");
    if (status == DP_OK) {
        choose_variant(gpu, &plan);
        choose_parts(gpu, &plan);
        status = choose_operands(gpu, &plan);
    }
    if (status == DP_OK)
        status = stage(gpu, &plan);
    if (status == DP_OK)
        status = run(gpu, &plan);
    release_operands(&plan);
    dp__expr_free(&expr);
    return status;
}
