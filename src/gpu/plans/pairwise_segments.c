/* SPDX-License-Identifier: Apache-2.0 */
/* Pairwise calls with segments: which vector of i a work-item has, and what is composed of simpler calls. */
#include "gpu/plans/pairwise.h"
#include <string.h>

#define COLUMNS 4 /* of the table, see the kernel body */

/* The first i behind `first` at which a vector ends: that of the problem, of the tile, or of its lanes. */
static int64_t vector_end(const dp__pair_segments *segments, int64_t first, int64_t end, int64_t lanes)
{
    int64_t next = DP_MIN2(first + lanes, end);
    if (segments->mask)
        next = DP_MIN2(next, (first / segments->tile + 1) * segments->tile);
    return next;
}

/* Walks over the table's rows and returns their number; writes them where `table` is given, and the rows of i of each lane,
 * the last one repeated, where `lane_row` is. */
static int64_t walk_vectors(const dp__pair_segments *segments, int64_t lanes, int32_t *table, int32_t *lane_row)
{
    int64_t rows = 0;
    for (int64_t p = 0; p < segments->problems; p++) {
        const int64_t *i = segments->first_i + p, *j = segments->first_j + p;
        for (int64_t first = i[0]; first < i[1]; rows++) {
            const int64_t end = vector_end(segments, first, i[1], lanes);
            const int64_t row[COLUMNS] = {first, end, j[0], j[1]};
            for (int c = 0; table && c < COLUMNS; c++)
                table[rows * COLUMNS + c] = (int32_t)row[c];
            for (int64_t lane = 0; lane_row && lane < lanes; lane++)
                lane_row[rows * lanes + lane] = (int32_t)DP_MIN2(first + lane, end - 1);
            first = end;
        }
    }
    return rows;
}

/* An i32 tensor [items_i, columns] of what was written into `values`, which it frees. */
static dp_status upload(dp__gpu *gpu, const dp__pair_plan *plan, int32_t *values, int64_t columns, dp_tensor **tensor)
{
    *tensor = dp__tensor_create(gpu->device, DP_I32, (dp_shape){2, {plan->items_i, columns}});
    dp_status status = *tensor ? DP_OK : DP_ERROR_MEMORY;
    if (status == DP_OK)
        status = dp__gpu_upload(gpu, (*tensor)->buffer, values, (uint64_t)(plan->items_i * columns) * sizeof *values);
    dp__free(values);
    return status;
}

static int32_t *allocate(dp__gpu *gpu, const dp__pair_plan *plan, int64_t columns)
{
    int32_t *values = dp__alloc((size_t)(plan->items_i * columns), sizeof *values);
    if (!values)
        dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for a table of %lld vectors", (long long)plan->items_i);
    return values;
}

static dp_status make_table(dp__gpu *gpu, dp__pair_plan *plan)
{
    const dp__pair_segments *segments = plan->call->segments;
    const int64_t lanes = (int64_t)plan->width * plan->vectors;
    plan->items_i = walk_vectors(segments, lanes, NULL, NULL);
    int32_t *table = allocate(gpu, plan, COLUMNS);
    if (!table)
        return DP_ERROR_MEMORY;
    walk_vectors(segments, lanes, table, NULL);
    return upload(gpu, plan, table, COLUMNS, &plan->table);
}

/* picked[vector, lane, c] = x[rows[vector, lane], c], then the last two axes exchanged. */
static dp_status pick(dp__gpu *gpu, const dp__pair_operand *operand, dp_tensor *rows, dp_tensor *picked)
{
    const dp_shape *shape = &picked->shape;
    const int64_t row = operand->tensor->stride[0], column = operand->tensor->stride[1], lanes = shape->dim[1];
    dp_tensor *in = dp__tensor_view((dp_tensor *)operand->tensor), *index = dp__tensor_view(rows);
    dp_tensor *turned = dp_transpose(picked, 1, 2);
    dp_status status = in && index && turned ? DP_OK : DP_ERROR_MEMORY;
    if (status == DP_OK) {
        const int64_t of_in[] = {0, row, column}, of_index[] = {lanes, 1, 0};
        in->shape = (dp_shape){3, {shape->dim[0], operand->tensor->shape.dim[0], shape->dim[2]}};
        index->shape = *shape;
        memcpy(in->stride, of_in, sizeof of_in);
        memcpy(index->stride, of_index, sizeof of_index);
        status = dp__plan_gather(gpu, &(dp__gather_call){in, index, picked});
    }
    if (status == DP_OK)
        status = dp__plan_copy(gpu, &(dp__copy_call){turned, operand->staged});
    dp_tensor_release(&in);
    dp_tensor_release(&index);
    dp_tensor_release(&turned);
    return status;
}

dp_status dp__pair_stage_vectors(dp__gpu *gpu, const dp__pair_plan *plan, const dp__pair_operand *operand)
{
    const int64_t lanes = plan->width;
    int32_t *lane_row = allocate(gpu, plan, lanes);
    if (!lane_row)
        return DP_ERROR_MEMORY;
    walk_vectors(plan->call->segments, lanes, NULL, lane_row);
    dp_tensor *rows = NULL, *picked = NULL;
    dp_status status = upload(gpu, plan, lane_row, lanes, &rows);
    if (status == DP_OK) {
        picked = dp__tensor_create(gpu->device, DP_F32, (dp_shape){3, {plan->items_i, lanes, operand->dim}});
        status = picked ? pick(gpu, operand, rows, picked) : DP_ERROR_MEMORY;
    }
    dp_tensor_release(&rows);
    dp_tensor_release(&picked);
    return status;
}

dp_status dp__pair_choose_items(dp__gpu *gpu, dp__pair_plan *plan)
{
    const dp__pairwise_call *call = plan->call;
    const dp__pair_segments *segments = call->segments;
    plan->items_i = DP_CEIL_DIV(call->n, (int64_t)plan->width * plan->vectors);
    plan->longest = call->m;
    plan->pairs = (double)call->n * (double)call->m;
    if (!segments)
        return DP_OK;
    plan->longest = 0;
    plan->pairs = 0;
    for (int64_t p = 0; p < segments->problems; p++) {
        const int64_t n = segments->first_i[p + 1] - segments->first_i[p];
        const int64_t m = segments->first_j[p + 1] - segments->first_j[p];
        plan->pairs += (double)n * (double)m;
        plan->longest = n > 0 ? DP_MAX2(plan->longest, m) : plan->longest;
    }
    return make_table(gpu, plan);
}

/* ---- calls that are composed of others ---- */

/* Tensors on the way from one call to the next. */
typedef struct composed {
    dp__gpu *gpu;
    const dp__pairwise_call *call;
    dp_tensor *part[DP_MAX_OUTPUTS]; /* one for each output of the first call */
    dp__expr *expr;                  /* of the first call where it is not the user's; else NULL */
    int outputs;                     /* of the user's */
} composed;

bool dp__pair_is_composed(const dp__pairwise_call *call)
{
    return call->segments && (call->reduction == DP_MEAN || (call->all && call->segments->each));
}

static int dim_of(const dp__pairwise_call *call, int o)
{
    return call->expr->nodes[call->expr->outputs[o]].dim;
}

static dp_status out_of_memory(const composed *c)
{
    return dp__fail(c->gpu->device, DP_ERROR_MEMORY, "no memory for the formula");
}

/* The result of each problem from those of its points: a reduction over j of v[j], with one point i a problem. */
static dp_status reduce_problems(composed *c, int o)
{
    const dp__pair_segments *segments = c->call->segments;
    const dp__symbol symbol = {"v", dim_of(c->call, o), DP__NO_FORM};
    char message[256];
    dp__expr *expr = NULL;
    int64_t *one_each = dp__alloc((size_t)segments->problems + 1, sizeof *one_each);
    for (int64_t p = 0; one_each && p <= segments->problems; p++)
        one_each[p] = p;
    const dp__pair_segments rows = {.problems = segments->problems, .first_i = one_each, .first_j = segments->first_i};
    dp__pairwise_call call = {.in = {c->part[o]}, .out = {c->call->out[o]}, .reduction = c->call->reduction,
                              .n = segments->problems, .m = c->call->n, .segments = &rows};
    dp_status status = DP_ERROR_MEMORY;
    if (one_each)
        status = dp__expr_parse("v[j]", &symbol, 1, &expr, message, sizeof message);
    call.expr = expr;
    status = status == DP_OK ? dp__plan_pairwise(c->gpu, &call) : out_of_memory(c);
    dp__expr_free(&expr);
    dp__free(one_each);
    return status;
}

static dp_status by_points(composed *c)
{
    dp__pair_segments segments = *c->call->segments;
    dp__pairwise_call call = *c->call;
    segments.each = false;
    call.segments = &segments;
    call.all = false;
    for (int o = 0; o < c->outputs; o++) {
        const int dim = dim_of(&call, o);
        c->part[o] = dp__tensor_create(c->gpu->device, DP_F32, (dp_shape){dim > 0 ? 2 : 1, {call.n, dim}});
        if (!c->part[o])
            return DP_ERROR_MEMORY;
        call.out[o] = c->part[o];
    }
    DP_CHECK(dp__plan_pairwise(c->gpu, &call));
    for (int o = 0; o < c->outputs; o++)
        DP_CHECK(reduce_problems(c, o));
    return DP_OK;
}

/* The formula with one more output, 1: its sum counts the pairs. */
static dp__expr *with_count(const dp__expr *expr)
{
    dp__expr *more = dp__expr_clone(expr);
    const size_t nodes = (size_t)expr->node_count, outputs = (size_t)expr->output_count;
    dp__node *list = dp__alloc(nodes + 1, sizeof *list);
    int *numbers = dp__alloc(outputs + 1, sizeof *numbers);
    if (!more || !list || !numbers) {
        dp__free(list);
        dp__free(numbers);
        dp__expr_free(&more);
        return NULL;
    }
    memcpy(list, more->nodes, nodes * sizeof *list);
    memcpy(numbers, more->outputs, outputs * sizeof *numbers);
    list[nodes] = (dp__node){.kind = DP__NODE_CONST, .operand = {-1, -1, -1}, .value = 1};
    numbers[outputs] = more->node_count++;
    more->output_count++;
    dp__free(more->nodes);
    dp__free(more->outputs);
    more->nodes = list;
    more->outputs = numbers;
    return more;
}

/* How many pairs each result has, where no mask hides it: [n], [problems] or []. */
static dp_status known_counts(const composed *c, dp_tensor *counts)
{
    const dp__pairwise_call *call = c->call;
    const dp__pair_segments *segments = call->segments;
    const size_t size = (size_t)dp_tensor_size(counts);
    float *values = dp__alloc(DP_MAX2(size, 1), sizeof *values);
    if (!values)
        return out_of_memory(c);
    for (int64_t p = 0; p < segments->problems; p++) {
        const int64_t *i = segments->first_i + p, *j = segments->first_j + p;
        const double m = (double)(j[1] - j[0] - (call->exclude_self && j[1] > j[0]));
        if (call->all)
            values[p] = (float)((double)(i[1] - i[0]) * m);
        for (int64_t row = i[0]; !call->all && row < i[1]; row++)
            values[row] = (float)m;
    }
    const dp_status status = dp__gpu_upload(c->gpu, counts->buffer, values, size * sizeof *values);
    dp__free(values);
    return status;
}

static dp_status divide(const composed *c, int o, dp_tensor *counts)
{
    static const dp__symbol symbols[] = {{"s", DP__NO_FORM, 0}, {"c", DP__NO_FORM, 0}};
    dp_tensor *out = c->call->out[o];
    char message[256];
    dp__expr *expr = NULL;
    dp_shape column = counts->shape;
    if (out->shape.rank > counts->shape.rank)
        column.dim[column.rank++] = 1;
    dp_tensor *view = dp_reshape(counts, column), *wide = view ? dp_broadcast(view, out->shape) : NULL;
    dp__map_call call = {.in = {c->part[o], wide}, .out = {out}};
    dp_status status = wide ? dp__expr_parse("s / c", symbols, 2, &expr, message, sizeof message) : DP_ERROR_MEMORY;
    call.expr = expr;
    status = status == DP_OK ? dp__plan_map(c->gpu, &call) : out_of_memory(c);
    dp__expr_free(&expr);
    dp_tensor_release(&view);
    dp_tensor_release(&wide);
    return status;
}

static dp_status by_sums(composed *c)
{
    dp__pairwise_call call = *c->call;
    const bool masked = call.segments->mask != NULL;
    dp_shape rows = {0};
    dp_tensor *counts;
    if (!call.all || call.segments->each)
        rows = (dp_shape){1, {call.all ? call.segments->problems : call.n}};
    call.reduction = DP_SUM;
    for (int o = 0; o < c->outputs; o++)
        if (!(call.out[o] = c->part[o] = dp__tensor_create(c->gpu->device, DP_F32, c->call->out[o]->shape)))
            return DP_ERROR_MEMORY;
    if (!(counts = dp__tensor_create(c->gpu->device, DP_F32, rows)))
        return DP_ERROR_MEMORY;
    dp_status status = DP_OK;
    if (masked) {
        call.expr = c->expr = with_count(call.expr);
        call.out[c->outputs] = counts;
        status = c->expr ? DP_OK : out_of_memory(c);
    } else {
        status = known_counts(c, counts);
    }
    if (status == DP_OK)
        status = dp__plan_pairwise(c->gpu, &call);
    for (int o = 0; status == DP_OK && o < c->outputs; o++)
        status = divide(c, o, counts);
    dp_tensor_release(&counts);
    return status;
}

dp_status dp__plan_pair_composed(dp__gpu *gpu, const dp__pairwise_call *call)
{
    composed c = {.gpu = gpu, .call = call, .outputs = call->expr->output_count};
    const dp_status status = call->reduction == DP_MEAN ? by_sums(&c) : by_points(&c);
    for (int o = 0; o < c.outputs; o++)
        dp_tensor_release(&c.part[o]);
    dp__expr_free(&c.expr);
    return status;
}
