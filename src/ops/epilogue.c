/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/epilogue.h"
#include "core/record.h"
#include "ops/formula.h"
#include <string.h>

#define RESULT "result"

static dp_status check_args(dp_device *device, const char *op, const char *formula, dp_args args, const dp_shape *result)
{
    char tensor[DP_SHAPE_TEXT], whole[DP_SHAPE_TEXT];
    if (!formula && args.count != 0)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: epilogue_args has %d entries, but epilogue is NULL", op, args.count);
    if (args.count > DP_MAX_ARGS - 1)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: epilogue_args has %d entries: 0 to %d are allowed", op, args.count,
                        DP_MAX_ARGS - 1);
    if (!formula)
        return DP_OK;
    DP_CHECK(dp__formula_check_args(device, formula, args));
    for (int s = 0; s < args.count; s++) {
        const dp_arg *arg = &args.arg[s];
        dp_shape common;
        if (strcmp(arg->name, RESULT) == 0)
            return dp__fail(device, DP_ERROR_ARGUMENT,
                            "%s: epilogue_args[%d] is named \"" RESULT "\", which is the name of the op's own result", op, s);
        if (arg->tensor && (!dp__shape_broadcast(&arg->tensor->shape, result, &common) || !dp__shape_equal(&common, result)))
            return dp__fail(device, DP_ERROR_ARGUMENT, "%s: %s %s in epilogue_args does not broadcast to the result's shape %s",
                            op, arg->name, dp__shape_text(&arg->tensor->shape, tensor), dp__shape_text(result, whole));
    }
    return DP_OK;
}

static dp_status parse(dp_device *device, const char *op, const char *formula, dp_args args, dp__expr **expr)
{
    dp__symbol symbols[DP_MAX_ARGS];
    char message[sizeof device->message];
    for (int s = 0; s < args.count; s++)
        symbols[s] = (dp__symbol){.name = args.arg[s].name, .row_dim = DP__NO_FORM, .call_dim = 0};
    symbols[args.count] = (dp__symbol){.name = RESULT, .row_dim = DP__NO_FORM, .call_dim = 0};
    const dp_status status = dp__expr_parse(formula, symbols, args.count + 1, expr, message, sizeof message);
    if (status != DP_OK)
        return dp__fail(device, status, "%s: epilogue: %s", op, message);
    if ((*expr)->output_count == 1)
        return DP_OK;
    const int outputs = (*expr)->output_count;
    dp__expr_free(expr);
    return dp__fail(device, DP_ERROR_ARGUMENT, "%s: epilogue has %d outputs: it must have one", op, outputs);
}

dp_status dp__epilogue_create(dp_device *device, const char *op, const char *formula, dp_args args,
                              const dp_shape *result, dp__epilogue *epilogue)
{
    dp__expr *expr = NULL;
    *epilogue = (dp__epilogue){0};
    DP_CHECK(check_args(device, op, formula, args, result));
    if (!formula)
        return DP_OK;
    DP_CHECK(parse(device, op, formula, args, &expr));
    epilogue->expr = expr;
    epilogue->result_symbol = args.count;
    for (int s = 0; s < args.count; s++) {
        epilogue->scalar[s] = (float)args.arg[s].scalar;
        if (args.arg[s].tensor && !(epilogue->in[s] = dp_broadcast((dp_tensor *)args.arg[s].tensor, *result))) {
            dp__epilogue_free(epilogue);
            return DP_ERROR_MEMORY; /* dp_broadcast has told it */
        }
    }
    return DP_OK;
}

void dp__epilogue_free(dp__epilogue *epilogue)
{
    dp__expr *expr = (dp__expr *)epilogue->expr; /* it was made by dp__epilogue_create */
    dp__expr_free(&expr);
    for (int s = 0; s < DP_MAX_ARGS; s++)
        dp_tensor_release((dp_tensor **)&epilogue->in[s]);
    *epilogue = (dp__epilogue){0};
}

bool dp__epilogue_recorded(const dp_device *device, const dp_tensor *a, const dp_tensor *b, const char *formula, dp_args args)
{
    const dp_tensor *operands[] = {a, b};
    if (!formula || args.count < 0 || args.count > DP_MAX_ARGS - 1 || (args.count > 0 && !args.arg))
        return false; /* an error, if any, is found where the call is checked */
    return dp__recording(device, operands, 2) || dp__recording_args(device, args);
}

dp_tensor *dp__epilogue_map(dp_device *device, dp_tensor *result, const char *formula, dp_args args)
{
    dp_arg all[DP_MAX_ARGS];
    dp__epilogue epilogue;
    for (int s = 0; s < args.count; s++)
        all[s] = args.arg[s];
    all[args.count] = (dp_arg){RESULT, result, 0};
    dp__record_pause(device);
    const bool valid = result && dp__epilogue_create(device, "epilogue", formula, args, &result->shape, &epilogue) == DP_OK;
    if (valid)
        dp__epilogue_free(&epilogue);
    dp__record_resume(device);
    dp_tensor *out = valid ? dp_map(device, formula, (dp_args){all, args.count + 1}) : NULL;
    dp_tensor_release(&result);
    return out;
}
