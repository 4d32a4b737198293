/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/pairwise_record.h"
#include <dipole/bound.h>

static dp_status check(dp_device *device, int k, unsigned mode)
{
    if (k < 1 || k > DP_MAX_SMALLEST)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise_smallest: k is %d; 1 to %d are allowed", k,
                        DP_MAX_SMALLEST);
    if (mode & ~(DP_OVER_I | DP_EXCLUDE_SELF))
        return dp__fail(
            device, DP_ERROR_ARGUMENT,
            "pairwise_smallest: mode 0x%x is not DP_OVER_J or DP_OVER_I, with or without DP_EXCLUDE_SELF",
            mode);
    return DP_OK;
}

/* Checks the formula, makes the results and fills them. */
static dp_status run(dp_device *device, dp__pairwise_smallest_call *call)
{
    const dp__expr *expr = call->pairs.expr;
    const int dim = expr->nodes[expr->outputs[0]].dim;
    if (dim > 0)
        return dp__fail(device, DP_ERROR_FORMULA,
                        "pairwise_smallest takes a scalar formula, not a vector of %d", dim);
    const dp_shape shape = {2, {call->pairs.n, call->k}};
    call->values = dp__tensor_create(device, DP_F32, shape);
    call->indices = dp__tensor_create(device, call->pairs.bound ? DP_F32 : DP_I32, shape);
    if (!call->values || !call->indices)
        return dp_failed(device);
    return call->pairs.n > 0 ? dp__dispatch(device, DP__OP_pairwise_smallest, call) : DP_OK;
}

/* Hands a result over, or drops it. */
static void hand_over(dp_tensor *result, dp_tensor **where, bool good)
{
    if (good && where)
        *where = result;
    else
        dp_tensor_release(&result);
}

static dp_status smallest(dp_device *device, const char *formula, int k, unsigned mode, dp_args args,
                          bool bound, dp_tensor **values, dp_tensor **indices)
{
    dp__expr *expr = NULL;
    dp__pairwise_smallest_call call = {.pairs.bound = bound, .k = k};
    dp_status status = check(device, k, mode);
    if (status == DP_OK)
        status = dp__pairwise_prepare(device, formula, mode, args, 1, &expr, &call.pairs);
    if (status == DP_OK)
        status = run(device, &call);
    hand_over(call.values, values, status == DP_OK);
    hand_over(call.indices, indices, status == DP_OK);
    dp__expr_free(&expr);
    return status;
}

dp_status dp_pairwise_smallest(dp_device *device, const char *formula, int k, unsigned mode, dp_args args,
                               dp_tensor **values, dp_tensor **indices)
{
    if (values)
        *values = NULL;
    if (indices)
        *indices = NULL;
    DP_CHECK(dp__check_device(device));
    if (!indices)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise_smallest: indices is NULL");
    DP_CHECK(dp__formula_check_args(device, formula, args));
    DP_CHECK(smallest(device, formula, k, mode, args, false, values, indices));
    if (!values || !dp__pair_recording(device, args, NULL))
        return DP_OK;
    const dp__pair_call call = {DP__RULE_pairwise_smallest, formula, NULL, mode, args, NULL, NULL, 0, NULL};
    *values = dp__pair_record(*values, &call); /* so that a gradient that goes back to them is an error */
    if (!*values)
        dp_tensor_release(indices);
    return *values ? DP_OK : dp_failed(device);
}

dp_status dp_pairwise_smallest_bound(dp_device *device, const char *formula, int k, unsigned mode,
                                     dp_args args, dp_tensor **values, dp_tensor **indices)
{
    if (values)
        *values = NULL;
    if (indices)
        *indices = NULL;
    DP_CHECK(dp__check_device(device));
    if (!values && !indices)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise_smallest_bound: values and indices are NULL");
    return smallest(device, formula, k, mode, args, true, values, indices);
}
