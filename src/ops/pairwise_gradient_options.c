/* SPDX-License-Identifier: Apache-2.0 */
/* What gradients need where there are problems or a mask: the factor of each pair's derivative, and the value. */
#include "ops/pairwise_options.h"

static dp_status parse(dp_device *device, const char *text, int symbols, const dp__symbol *symbol, dp__expr **expr)
{
    char message[256];
    const dp_status status = dp__expr_parse(text, symbol, symbols, expr, message, sizeof message);
    return status == DP_OK ? DP_OK : dp__fail(device, status, "%s", message);
}

/* [n], [problems] or []: the pairs that each result is the mean of. */
static dp_status count_by_mask(dp_device *device, const dp__pairwise_call *whole, dp_tensor *counts)
{
    dp__pairwise_call call = *whole;
    dp__expr *expr = NULL;
    DP_CHECK(parse(device, "1", 0, NULL, &expr));
    call.expr = expr;
    call.reduction = DP_SUM;
    call.out[0] = counts;
    const dp_status status = dp__dispatch(device, DP__OP_pairwise, &call);
    dp__expr_free(&expr);
    return status;
}

static dp_status count_by_offsets(dp_device *device, const dp__pairwise_call *call, dp_tensor *counts)
{
    const dp__pair_segments *segments = call->segments;
    float *values = dp__alloc((size_t)dp_tensor_size(counts), sizeof *values);
    if (!values)
        return dp__fail(device, DP_ERROR_MEMORY, "no memory for the numbers of pairs");
    for (int64_t p = 0; p < segments->problems; p++) {
        const int64_t *i = segments->first_i + p, *j = segments->first_j + p;
        const double m = (double)(j[1] - j[0] - (call->exclude_self && j[1] > j[0]));
        if (call->all)
            values[p] = (float)((double)(i[1] - i[0]) * m);
        for (int64_t row = i[0]; !call->all && row < i[1]; row++)
            values[row] = (float)m;
    }
    const dp_status status = dp_write(counts, values, (size_t)dp_tensor_size(counts) * sizeof *values);
    dp__free(values);
    return status;
}

dp_status dp__pair_counts(dp_device *device, const dp__pairwise_call *call, dp_tensor **counts)
{
    dp_shape shape = {0};
    if (!call->all || call->segments->each)
        shape = (dp_shape){1, {call->all ? call->segments->problems : call->n}};
    *counts = dp__tensor_create(device, DP_F32, shape);
    if (!*counts)
        return dp_failed(device);
    if (dp_tensor_size(*counts) == 0)
        return DP_OK;
    return call->segments->mask ? count_by_mask(device, call, *counts) : count_by_offsets(device, call, *counts);
}

dp_tensor *dp__pair_divide(dp_device *device, const dp_tensor *dividend, dp_tensor *counts)
{
    dp_shape column = counts->shape;
    if (dividend && dividend->shape.rank > column.rank && column.rank > 0)
        column.dim[column.rank++] = 1;
    dp_tensor *view = dp_reshape(counts, column);
    const dp_arg pair[] = {{"s", dividend, 1}, {"c", view, 0}};
    dp_tensor *result = view ? dp_map(device, "s / c", (dp_args){pair, 2}) : NULL;
    dp_tensor_release(&view);
    return result;
}

/* Row p of `each` for every row i of problem p. */
static dp_tensor *spread(dp_device *device, const dp__pairwise_call *call, const dp_tensor *each)
{
    const dp__pair_segments *segments = call->segments;
    int32_t *problem = dp__alloc((size_t)DP_MAX2(call->n, 1), sizeof *problem);
    if (!problem) {
        dp__fail(device, DP_ERROR_MEMORY, "no memory for the problems of %lld rows", (long long)call->n);
        return NULL;
    }
    for (int64_t p = 0; p < segments->problems; p++)
        for (int64_t i = segments->first_i[p]; i < segments->first_i[p + 1]; i++)
            problem[i] = (int32_t)p;
    dp_tensor *index = dp_from(device, DP_I32, (dp_shape){1, {call->n}}, problem);
    dp_tensor *rows = index ? dp_gather_rows(device, each, index) : NULL;
    dp_tensor_release(&index);
    dp__free(problem);
    return rows;
}

dp_status dp__pair_seed(dp_device *device, const dp__pairwise_call *call, const dp_tensor *cotangent, dp_tensor *counts,
                        dp_tensor **seed)
{
    *seed = counts ? dp__pair_divide(device, cotangent, counts) : dp_tensor_retain((dp_tensor *)cotangent);
    if (!*seed && (counts || cotangent))
        return dp_failed(device);
    if (!*seed || !call->all || !call->segments->each)
        return DP_OK;
    dp_tensor *rows = spread(device, call, *seed);
    dp_tensor_release(seed);
    *seed = rows;
    return rows ? DP_OK : dp_failed(device);
}

dp_tensor *dp__pair_sum_problems(dp_device *device, const dp__pair_segments *segments, const dp_tensor *v)
{
    const dp__symbol symbol = {"v", v->shape.rank > 1 ? (int)v->shape.dim[1] : 0, DP__NO_FORM};
    const dp_shape shape = {v->shape.rank, {segments->problems, v->shape.dim[1]}};
    dp_tensor *result = dp__tensor_create(device, DP_F32, shape);
    int64_t *one_each = dp__pair_uniform(device, "of the results", segments->problems, segments->problems);
    dp__expr *expr = NULL;
    dp_status status = result && one_each ? parse(device, "v[j]", 1, &symbol, &expr) : dp_failed(device);
    const dp__pair_segments rows = {.problems = segments->problems, .first_i = one_each, .first_j = segments->first_i};
    const dp__pairwise_call call = {.expr = expr, .in = {v}, .out = {result}, .reduction = DP_SUM, .n = segments->problems,
                                    .m = v->shape.dim[0], .segments = &rows};
    if (status == DP_OK && dp_tensor_size(result) > 0)
        status = dp__dispatch(device, DP__OP_pairwise, &call);
    if (status != DP_OK)
        dp_tensor_release(&result);
    dp__expr_free(&expr);
    dp__free(one_each);
    return result;
}
