/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/rows.h"

static dp_status prepare(dp_device *device, const char *formula, int outputs, dp_args args, dp__expr **expr,
                         dp__pairwise_call *call)
{
    DP_CHECK(dp__pairwise_parse(device, formula, args, outputs, expr));
    *call = (dp__pairwise_call){.expr = *expr, .reduction = DP_SUM, .m = 1};
    for (int s = 0; s < args.count; s++) {
        call->in[s] = args.arg[s].tensor;
        call->scalar[s] = (float)args.arg[s].scalar;
        if (dp__expr_uses(*expr, s, DP__SIDE_I))
            call->n = args.arg[s].tensor->shape.dim[0];
    }
    return DP_OK;
}

dp_status dp__rows(dp_device *device, const char *formula, bool total, dp_args args, dp_tensor **results,
                   int count)
{
    dp__expr *expr = NULL;
    dp__pairwise_call call;
    for (int o = 0; o < count; o++)
        results[o] = NULL;
    dp_status status = prepare(device, formula, count, args, &expr, &call);
    call.all = total;
    if (status == DP_OK)
        status = dp__pairwise_run(device, &call, results);
    dp__expr_free(&expr);
    return status;
}

dp_status dp__rows_gradient(dp_device *device, const char *formula, double scale, dp_args args,
                            const char *const *wrt, int count, dp_tensor **gradients, dp_tensor **value)
{
    dp__gradient_call g = {.args = args, .seed = {.symbol = -1}, .count = count};
    dp__expr *expr = NULL;
    DP_CHECK(dp__gradient_check(device, wrt, count, gradients, value));
    dp_status status = prepare(device, formula, 1, args, &expr, &g.call);
    g.call.all = true;
    if (status == DP_OK)
        status = dp__gradient_names(device, &g, wrt);
    if (status == DP_OK)
        status = dp__pairwise_gradient_of(device, &g.call, g.seed, g.symbols, count, scale, gradients, value);
    dp__expr_free(&expr);
    return status;
}
