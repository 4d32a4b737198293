/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/pairwise_options.h"
#include "ops/pairwise_record.h"
#include <dipole/bound.h>
#include <string.h>

#define OVER_MASK (DP_OVER_J | DP_OVER_I | DP_OVER_ALL)

static dp_status check_mode(dp_device *device, unsigned mode)
{
    const unsigned reduction = mode & 0xffu, over = mode & OVER_MASK;
    if (reduction >= DP_REDUCTION_COUNT || over == OVER_MASK || (mode & ~(0xffu | OVER_MASK | DP_EXCLUDE_SELF)))
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise: mode 0x%x is not one of DP_SUM_J, DP_MEAN_ALL, ...", mode);
    if ((reduction == DP_ARGMAX || reduction == DP_ARGMIN) && over == DP_OVER_ALL)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise: %s is over i or over j, not over all pairs",
                        dp_reduction_name((dp_reduction)reduction));
    return DP_OK;
}

/* What a formula may do with each argument. */
static dp_status describe(dp_device *device, dp_args args, dp__symbol symbols[DP_MAX_ARGS])
{
    char text[DP_SHAPE_TEXT];
    for (int s = 0; s < args.count; s++) {
        const dp_tensor *tensor = args.arg[s].tensor;
        symbols[s] = (dp__symbol){.name = args.arg[s].name, .row_dim = DP__NO_FORM, .call_dim = 0};
        if (!tensor)
            continue;
        const dp_shape *shape = &tensor->shape;
        if (shape->rank > 2 || (shape->rank == 2 && shape->dim[1] < 1))
            return dp__fail(device, DP_ERROR_ARGUMENT,
                            "pairwise: %s has shape %s: [], [n] or [n, d] with d of 1 or more is allowed",
                            args.arg[s].name, dp__shape_text(shape, text));
        if (shape->rank == 1) {
            symbols[s].row_dim = 0;
            symbols[s].call_dim = shape->dim[0] > 0 ? (int)shape->dim[0] : DP__NO_FORM;
        } else if (shape->rank == 2) {
            symbols[s].row_dim = (int)shape->dim[1];
            symbols[s].call_dim = DP__NO_FORM;
        }
    }
    return DP_OK;
}

/* The number of points on one side: all tensors that are indexed there agree in it. */
static dp_status count_points(dp_device *device, const dp__expr *expr, dp_args args, dp__side side, int64_t *count)
{
    int first = -1;
    for (int s = 0; s < args.count; s++) {
        if (!dp__expr_uses(expr, s, side))
            continue;
        const int64_t rows = args.arg[s].tensor->shape.dim[0];
        if (first >= 0 && rows != *count)
            return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise: %s has %lld rows, %s has %lld; both are indexed by %c",
                            args.arg[first].name, (long long)*count, args.arg[s].name, (long long)rows,
                            side == DP__SIDE_I ? 'i' : 'j');
        first = first >= 0 ? first : s;
        *count = rows;
    }
    if (first < 0)
        return dp__fail(device, DP_ERROR_FORMULA, "pairwise: nothing in the formula is indexed by %c",
                        side == DP__SIDE_I ? 'i' : 'j');
    return DP_OK;
}

dp_status dp__pairwise_parse(dp_device *device, const char *formula, dp_args args, int outputs, dp__expr **expr)
{
    dp__symbol symbols[DP_MAX_ARGS];
    DP_CHECK(dp__formula_check_args(device, formula, args));
    DP_CHECK(describe(device, args, symbols));
    DP_CHECK(dp__formula_parse(device, formula, symbols, args, expr));
    if ((*expr)->output_count != outputs)
        return dp__fail(device, DP_ERROR_FORMULA, "pairwise: the formula has %d outputs; %d %s asked for",
                        (*expr)->output_count, outputs, outputs == 1 ? "is" : "are");
    return DP_OK;
}

dp_status dp__pairwise_bind(dp_device *device, dp__expr *expr, unsigned mode, dp_args args, dp__pairwise_call *call)
{
    DP_CHECK(check_mode(device, mode));
    DP_CHECK(count_points(device, expr, args, DP__SIDE_I, &call->n));
    DP_CHECK(count_points(device, expr, args, DP__SIDE_J, &call->m));
    call->reduction = (dp_reduction)(mode & 0xffu);
    call->all = (mode & OVER_MASK) == DP_OVER_ALL;
    call->exclude_self = mode & DP_EXCLUDE_SELF;
    if (call->exclude_self && call->n != call->m)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise: DP_EXCLUDE_SELF with %lld points i and %lld points j",
                        (long long)call->n, (long long)call->m);
    if ((mode & OVER_MASK) == DP_OVER_I) {
        dp__expr_swap_sides(expr);
        const int64_t n = call->n;
        call->n = call->m;
        call->m = n;
    }
    for (int s = 0; s < args.count; s++) {
        call->in[s] = args.arg[s].tensor;
        call->scalar[s] = (float)args.arg[s].scalar;
    }
    call->expr = expr;
    return DP_OK;
}

dp_status dp__pairwise_prepare(dp_device *device, const char *formula, unsigned mode, dp_args args, int outputs,
                               dp__expr **expr, dp__pairwise_call *call)
{
    DP_CHECK(dp__formula_check_args(device, formula, args));
    DP_CHECK(check_mode(device, mode));
    DP_CHECK(dp__pairwise_parse(device, formula, args, outputs, expr));
    return dp__pairwise_bind(device, *expr, mode, args, call);
}

dp_tensor *dp__pairwise_output(dp_device *device, const dp__pairwise_call *call, int o)
{
    const int dim = call->expr->nodes[call->expr->outputs[o]].dim;
    const bool index = call->reduction == DP_ARGMAX || call->reduction == DP_ARGMIN;
    dp_shape shape = {0};
    if (!call->all)
        shape.dim[shape.rank++] = call->n;
    else if (call->segments && call->segments->each)
        shape.dim[shape.rank++] = call->segments->problems;
    if (dim > 0)
        shape.dim[shape.rank++] = dim;
    if (index && (dim > 0 || call->expr->output_count > 1)) {
        dp__fail(device, DP_ERROR_FORMULA, "pairwise: %s takes one scalar formula, not %s",
                 dp_reduction_name(call->reduction), dim > 0 ? "a vector" : "several");
        return NULL;
    }
    return dp__tensor_create(device, index && !call->bound ? DP_I32 : DP_F32, shape);
}

dp_status dp__pairwise_run(dp_device *device, dp__pairwise_call *call, dp_tensor **results)
{
    const int count = call->expr->output_count;
    dp_status status = DP_OK;
    bool empty = true;
    for (int o = 0; status == DP_OK && o < count; o++) {
        call->out[o] = dp__pairwise_output(device, call, o);
        status = call->out[o] ? DP_OK : dp_failed(device);
        empty = empty && dp_tensor_size(call->out[o]) == 0;
    }
    if (status == DP_OK && !empty)
        status = dp__dispatch(device, DP__OP_pairwise, call);
    for (int o = 0; o < count; o++) {
        if (status != DP_OK)
            dp_tensor_release(&call->out[o]);
        results[o] = call->out[o];
        call->out[o] = NULL;
    }
    return status;
}

static dp_status pairwise(dp_device *device, const char *formula, unsigned mode, dp_args args,
                          const dp_pair_options *options, bool bound, dp_tensor **results, int count)
{
    dp__expr *expr = NULL;
    dp__pairwise_call call = {.bound = bound};
    dp__pair_cut cut;
    for (int o = 0; o < count; o++)
        results[o] = NULL;
    dp_status status = dp__pair_flatten(device, options, args, &cut);
    if (status == DP_OK)
        status = dp__pairwise_prepare(device, formula, mode, cut.args, count, &expr, &call);
    if (status == DP_OK)
        status = dp__pair_segment(device, options, mode, &cut, &call);
    if (status == DP_OK)
        status = dp__pairwise_run(device, &call, results);
    for (int o = 0; status == DP_OK && !call.all && o < count; o++)
        status = dp__pair_unflatten(device, &cut, cut.kept_rows, &results[o]);
    for (int o = 0; o < count && status != DP_OK; o++)
        dp_tensor_release(&results[o]);
    dp__pair_cut_free(&cut);
    dp__expr_free(&expr);
    return status;
}

dp_tensor *dp__pairwise_plain(dp_device *device, const dp__pair_call *call)
{
    dp_tensor *result = NULL;
    pairwise(device, call->formula, call->mode, call->args, call->options, false, &result, 1);
    return result;
}

dp_tensor *dp_pairwise_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                            const dp_pair_options *options)
{
    const dp__pair_call call = {DP__RULE_pairwise, formula, NULL, mode, args, options, NULL, 0, NULL};
    if (dp__formula_check_args(device, formula, args) != DP_OK)
        return NULL;
    return dp__pair_recording(device, args, NULL) ? dp__pairwise_recorded(device, &call)
                                                  : dp__pairwise_plain(device, &call);
}

dp_tensor *dp_pairwise(dp_device *device, const char *formula, unsigned mode, dp_args args)
{
    return dp_pairwise_with(device, formula, mode, args, NULL);
}

dp_tensor *dp_pairwise_bound_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                  const dp_pair_options *options)
{
    dp_tensor *result = NULL;
    pairwise(device, formula, mode, args, options, true, &result, 1);
    return result;
}

dp_tensor *dp_pairwise_bound(dp_device *device, const char *formula, unsigned mode, dp_args args)
{
    return dp_pairwise_bound_with(device, formula, mode, args, NULL);
}

/* Each result as the one of a formula that has only its output: the definitions before the last semicolon and what stands between two
 * commas outside of parentheses. */
static dp_status record_outputs(dp_device *device, const dp__pair_call *call, dp_tensor **results, int count)
{
    const char *last = strrchr(call->formula, ';'), *at = last ? last + 1 : call->formula;
    const int definitions = (int)(at - call->formula);
    dp_status status = DP_OK;
    for (int o = 0; o < count && status == DP_OK; o++) {
        const char *start = at;
        for (int depth = 0; *at && (depth > 0 || *at != ','); at++)
            depth += (*at == '(') - (*at == ')');
        dp__text text = {0};
        dp__text_add_range(&text, call->formula, (size_t)definitions);
        dp__text_add_range(&text, start, (size_t)(at - start));
        at += *at == ',';
        dp__pair_call one = *call;
        one.formula = text.data;
        if (text.failed)
            status = dp__fail(device, DP_ERROR_MEMORY, "no memory for the record of a call");
        else if (!(results[o] = dp__pair_record(results[o], &one)))
            status = dp_failed(device);
        dp__text_free(&text);
    }
    for (int o = 0; o < count && status != DP_OK; o++)
        dp_tensor_release(&results[o]);
    return status;
}

dp_status dp_pairwise_many_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                const dp_pair_options *options, dp_tensor **results, int count)
{
    DP_CHECK(dp__check_device(device));
    if (!results || count < 1 || count > DP_MAX_OUTPUTS)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise: %d results%s: 1 to %d are allowed", count,
                        results ? "" : " at NULL", DP_MAX_OUTPUTS);
    for (int o = 0; o < count; o++)
        results[o] = NULL;
    DP_CHECK(dp__formula_check_args(device, formula, args));
    dp__record_pause(device);
    const dp_status status = pairwise(device, formula, mode, args, options, false, results, count);
    dp__record_resume(device);
    const dp__pair_call call = {DP__RULE_pairwise, formula, NULL, mode, args, options, NULL, 0, NULL};
    return status == DP_OK && dp__pair_recording(device, args, NULL) ? record_outputs(device, &call, results, count)
                                                                     : status;
}

dp_status dp_pairwise_many(dp_device *device, const char *formula, unsigned mode, dp_args args, dp_tensor **results,
                           int count)
{
    return dp_pairwise_many_with(device, formula, mode, args, NULL, results, count);
}
