/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"
#include "ops/epilogue.h"
#include <dipole/bound.h>
#include <math.h>

/* A view of `tensor` with its last two axes exchanged where asked for, and its batch axes broadcast to `batch`. */
static dp_tensor *operand(const dp_tensor *tensor, bool transpose, const dp_shape *batch)
{
    const int rank = tensor->shape.rank;
    dp_tensor *view = dp__tensor_view((dp_tensor *)tensor); /* it is only read */
    if (!view)
        return NULL;
    const int64_t rows = tensor->shape.dim[rank - 2], columns = tensor->shape.dim[rank - 1];
    dp_shape wide = *batch;
    wide.dim[wide.rank++] = rows;
    wide.dim[wide.rank++] = columns;
    dp__broadcast_strides(tensor, &wide, view->stride);
    view->shape = wide;
    if (transpose) {
        const int last = wide.rank - 1;
        view->shape.dim[last - 1] = columns;
        view->shape.dim[last] = rows;
        const int64_t stride = view->stride[last];
        view->stride[last] = view->stride[last - 1];
        view->stride[last - 1] = stride;
    }
    return view;
}

static dp_status check_operand(dp_device *device, const dp_tensor *tensor, const char *name)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_float(device, tensor, name));
    if (tensor->shape.rank < 2)
        return dp__fail(device, DP_ERROR_ARGUMENT, "matmul: %s has shape %s, but needs two axes or more", name,
                        dp__shape_text(&tensor->shape, text));
    return DP_OK;
}

static dp_shape batch_of(const dp_tensor *tensor)
{
    dp_shape batch = tensor->shape;
    batch.rank -= 2;
    return batch;
}

static dp_status check_shapes(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                              const dp_matmul_params *params, dp_shape *batch, dp_shape *result)
{
    char ta[DP_SHAPE_TEXT], tb[DP_SHAPE_TEXT];
    DP_CHECK(check_operand(device, a, "a"));
    DP_CHECK(check_operand(device, b, "b"));
    const int64_t *da = a->shape.dim + a->shape.rank - 2, *db = b->shape.dim + b->shape.rank - 2;
    const int64_t k = da[params->transpose_a ? 0 : 1], kb = db[params->transpose_b ? 1 : 0];
    if (k != kb)
        return dp__fail(device, DP_ERROR_ARGUMENT, "matmul: the inner sizes of a %s%s and b %s%s are %lld and %lld",
                        dp__shape_text(&a->shape, ta), params->transpose_a ? " transposed" : "",
                        dp__shape_text(&b->shape, tb), params->transpose_b ? " transposed" : "", (long long)k,
                        (long long)kb);
    const dp_shape batch_a = batch_of(a), batch_b = batch_of(b);
    if (!dp__shape_broadcast(&batch_a, &batch_b, batch))
        return dp__fail(device, DP_ERROR_ARGUMENT, "matmul: the batch axes of a %s and b %s do not broadcast",
                        dp__shape_text(&a->shape, ta), dp__shape_text(&b->shape, tb));
    *result = *batch;
    result->dim[result->rank++] = da[params->transpose_a ? 1 : 0];
    result->dim[result->rank++] = db[params->transpose_b ? 0 : 1];
    return DP_OK;
}

static dp_status check_c(dp_device *device, const dp_matmul_params *params, const dp_shape *result)
{
    char tc[DP_SHAPE_TEXT], tr[DP_SHAPE_TEXT];
    dp_shape common;
    if (params->beta == 0)
        return DP_OK;
    DP_CHECK(dp__check_dtype(device, params->c, "c", DP_F32));
    if (!dp__shape_broadcast(&params->c->shape, result, &common) || !dp__shape_equal(&common, result))
        return dp__fail(device, DP_ERROR_ARGUMENT, "matmul: c %s does not broadcast to the result's shape %s",
                        dp__shape_text(&params->c->shape, tc), dp__shape_text(result, tr));
    return DP_OK;
}

static dp_status run(dp_device *device, const dp_tensor *a, const dp_tensor *b, const dp_matmul_params *params,
                     const dp_shape *batch, const dp__epilogue *epilogue, dp_tensor *out, bool bound)
{
    dp_tensor *view_a = operand(a, params->transpose_a, batch), *view_b = operand(b, params->transpose_b, batch);
    dp_tensor *view_c = params->beta != 0 ? dp_broadcast((dp_tensor *)params->c, out->shape) : NULL;
    const dp__matmul_call call = {.a = view_a, .b = view_b, .c = view_c, .out = out, .beta = params->beta,
                                  .alpha = params->alpha != 0 ? params->alpha : 1, .epilogue = epilogue, .bound = bound};
    const bool ready = view_a && view_b && (view_c || params->beta == 0);
    const dp_status status = ready ? dp__dispatch(device, DP__OP_matmul, &call) : DP_ERROR_MEMORY;
    dp_tensor_release(&view_a);
    dp_tensor_release(&view_b);
    dp_tensor_release(&view_c);
    return status;
}

static dp_tensor *matmul(dp_device *device, const dp_tensor *a, const dp_tensor *b, const dp_matmul_params *params,
                         bool bound)
{
    static const dp_matmul_params defaults;
    dp_shape batch, result;
    if (!params)
        params = &defaults;
    if (dp__check_device(device) != DP_OK || check_shapes(device, a, b, params, &batch, &result) != DP_OK ||
        check_c(device, params, &result) != DP_OK)
        return NULL;
    dp_tensor *out = dp__tensor_create(device, DP_F32, result);
    dp__epilogue epilogue = {0};
    if (out && dp__epilogue_create(device, "matmul", params->epilogue, params->epilogue_args, &result, &epilogue) != DP_OK)
        dp_tensor_release(&out);
    if (out && dp_tensor_size(out) > 0 &&
        run(device, a, b, params, &batch, epilogue.expr ? &epilogue : NULL, out, bound) != DP_OK)
        dp_tensor_release(&out);
    dp__epilogue_free(&epilogue);
    return out;
}

dp_tensor *dp_matmul(dp_device *device, const dp_tensor *a, const dp_tensor *b, const dp_matmul_params *params)
{
    dp_matmul_params own = params ? *params : (dp_matmul_params){0};
    const dp_tensor *c = own.beta != 0 ? own.c : NULL;
    if (dp__epilogue_recorded(device, a, b, own.epilogue, own.epilogue_args)) {
        own.epilogue = NULL;
        own.epilogue_args.count = 0;
        return dp__epilogue_map(device, dp_matmul(device, a, b, &own), params->epilogue, params->epilogue_args);
    }
    dp__record_pause(device);
    dp_tensor *out = matmul(device, a, b, params, false);
    dp__record_resume(device);
    return dp__record(out, &(dp__record_call){.rule = DP__RULE_matmul, .inputs = {a, b, c}, .input_count = 3, .params = &own, .bytes = sizeof own});
}

dp_tensor *dp_matmul_bound(dp_device *device, const dp_tensor *a, const dp_tensor *b, const dp_matmul_params *params)
{
    return matmul(device, a, b, params, true);
}
