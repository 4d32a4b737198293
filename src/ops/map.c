/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"
#include "ops/formula.h"
#include <dipole/bound.h>
#include <stdio.h>

/* The formula, and the shape to which its tensors broadcast. */
static dp_status prepare(dp_device *device, const char *formula, dp_args args, dp__expr **expr, dp_shape *shape)
{
    dp__symbol symbols[DP_MAX_ARGS];
    char ta[DP_SHAPE_TEXT], ts[DP_SHAPE_TEXT];
    DP_CHECK(dp__formula_check_args(device, formula, args));
    *shape = (dp_shape){0};
    for (int s = 0; s < args.count; s++) {
        symbols[s] = (dp__symbol){.name = args.arg[s].name, .row_dim = DP__NO_FORM, .call_dim = 0};
        const dp_tensor *tensor = args.arg[s].tensor;
        if (tensor && !dp__shape_broadcast(shape, &tensor->shape, shape))
            return dp__fail(device, DP_ERROR_ARGUMENT, "map: %s %s does not broadcast with the arguments before it, %s",
                            args.arg[s].name, dp__shape_text(&tensor->shape, ta), dp__shape_text(shape, ts));
    }
    return dp__formula_parse(device, formula, symbols, args, expr);
}

/* Views of the arguments broadcast to `shape`, in call->in; to be given back with release_inputs. */
static dp_status bind_inputs(dp_args args, const dp_shape *shape, dp__map_call *call)
{
    for (int s = 0; s < args.count; s++) {
        call->scalar[s] = (float)args.arg[s].scalar;
        if (args.arg[s].tensor && !(call->in[s] = dp_broadcast((dp_tensor *)args.arg[s].tensor, *shape)))
            return DP_ERROR_MEMORY;
    }
    return DP_OK;
}

static void release_inputs(dp__map_call *call)
{
    for (int s = 0; s < DP_MAX_ARGS; s++)
        dp_tensor_release((dp_tensor **)&call->in[s]);
}

static bool same_view(const dp_tensor *a, const dp_tensor *b)
{
    bool same = a->offset == b->offset && dp__shape_equal(&a->shape, &b->shape);
    for (int axis = 0; same && axis < a->shape.rank; axis++)
        same = a->shape.dim[axis] == 1 || a->stride[axis] == b->stride[axis];
    return same;
}

static bool may_overlap(const dp_tensor *a, const dp_tensor *b)
{
    int64_t first_a, end_a, first_b, end_b;
    dp__tensor_range(a, &first_a, &end_a);
    dp__tensor_range(b, &first_b, &end_b);
    return a->buffer == b->buffer && first_a < end_b && first_b < end_a;
}

static dp_status check_output(dp_device *device, const dp__map_call *call, dp_tensor *const *outputs, int o,
                              const dp_shape *shape)
{
    char name[24], to[DP_SHAPE_TEXT], ts[DP_SHAPE_TEXT];
    snprintf(name, sizeof name, "outputs[%d]", o);
    DP_CHECK(dp__check_dtype(device, outputs[o], name, DP_F32));
    if (!dp__shape_equal(&outputs[o]->shape, shape))
        return dp__fail(device, DP_ERROR_ARGUMENT, "map: %s has shape %s, but the arguments broadcast to %s", name,
                        dp__shape_text(&outputs[o]->shape, to), dp__shape_text(shape, ts));
    if (dp__tensor_overlaps_itself(outputs[o]))
        return dp__fail(device, DP_ERROR_ARGUMENT, "map: %s cannot be written: it is a broadcast view", name);
    for (int s = 0; s < DP_MAX_ARGS; s++)
        if (call->in[s] && may_overlap(call->in[s], outputs[o]) && !same_view(call->in[s], outputs[o]))
            return dp__fail(device, DP_ERROR_ARGUMENT,
                            "map: %s may overlap argument %d: it must be the same view of it, or other memory", name, s);
    for (int other = 0; other < o; other++)
        if (may_overlap(outputs[other], outputs[o]))
            return dp__fail(device, DP_ERROR_ARGUMENT, "map: outputs[%d] and %s overlap", other, name);
    return DP_OK;
}

dp_status dp_map_into(dp_device *device, const char *formula, dp_args args, dp_tensor *const *outputs, int count)
{
    dp__expr *expr = NULL;
    dp_shape shape;
    dp__map_call call = {0};
    dp__record_pause(device);
    dp_status status = prepare(device, formula, args, &expr, &shape);
    if (status == DP_OK && (count < 0 || !outputs || count != expr->output_count || count > DP_MAX_OUTPUTS))
        status = dp__fail(device, DP_ERROR_ARGUMENT, "map: %d outputs%s for a formula with %d (at most %d)", count,
                          outputs ? "" : " at NULL", expr->output_count, DP_MAX_OUTPUTS);
    if (status == DP_OK)
        status = bind_inputs(args, &shape, &call);
    for (int o = 0; status == DP_OK && o < count; o++) {
        status = check_output(device, &call, outputs, o, &shape);
        call.out[o] = outputs[o];
    }
    call.expr = expr;
    if (status == DP_OK && dp__shape_size(&shape) > 0)
        status = dp__dispatch(device, DP__OP_map, &call);
    release_inputs(&call);
    dp__expr_free(&expr);
    dp__record_resume(device);
    const bool followed = status == DP_OK && dp__recording_args(device, args);
    for (int o = 0; status == DP_OK && o < count; o++)
        dp__record_written(outputs[o], followed);
    return status;
}

/* One output, into a new tensor. */
static dp_tensor *map(dp_device *device, const char *formula, dp_args args, int output, bool bound)
{
    dp__expr *expr = NULL;
    dp_shape shape;
    dp__map_call call = {.bound = bound, .bound_output = output};
    dp_status status = prepare(device, formula, args, &expr, &shape);
    if (status == DP_OK && (bound ? output < 0 || output >= expr->output_count : expr->output_count != 1))
        status = dp__fail(device, DP_ERROR_ARGUMENT, "map: the formula has %d outputs%s", expr->output_count,
                          bound ? "; the bound of another one was asked for" : ": use dp_map_into");
    if (status == DP_OK)
        status = bind_inputs(args, &shape, &call);
    if (status == DP_OK)
        call.out[0] = dp__tensor_create(device, DP_F32, shape);
    call.expr = expr;
    if (call.out[0] && dp_tensor_size(call.out[0]) > 0 && dp__dispatch(device, DP__OP_map, &call) != DP_OK)
        dp_tensor_release(&call.out[0]);
    release_inputs(&call);
    dp__expr_free(&expr);
    return call.out[0];
}

dp_tensor *dp_map(dp_device *device, const char *formula, dp_args args)
{
    dp__record_pause(device);
    dp_tensor *out = map(device, formula, args, 0, false);
    dp__record_resume(device);
    dp__record_call call = {.rule = DP__RULE_map, .input_count = args.count, .formula = formula, .args = args};
    for (int s = 0; out && s < args.count; s++)
        call.inputs[s] = args.arg[s].tensor;
    return dp__record(out, &call);
}

dp_tensor *dp_map_bound(dp_device *device, const char *formula, dp_args args, int output)
{
    return map(device, formula, args, output, true);
}
