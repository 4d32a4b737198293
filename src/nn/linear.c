/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that are not element by element: linear, embedding, dropout. */
#include "nn/layers.h"

static dp_status check_linear(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_tensor *b)
{
    char tx[DP_SHAPE_TEXT], tw[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, x, "x", DP_F32));
    DP_CHECK(dp__check_dtype(device, w, "w", DP_F32));
    if (b)
        DP_CHECK(dp__check_dtype(device, b, "b", DP_F32));
    if (x->shape.rank < 1 || w->shape.rank != 2 || x->shape.dim[x->shape.rank - 1] != w->shape.dim[1])
        return dp__fail(device, DP_ERROR_ARGUMENT, "linear: x %s and w %s: [.., in] and [out, in] is allowed",
                        dp__shape_text(&x->shape, tx), dp__shape_text(&w->shape, tw));
    if (b && (b->shape.rank != 1 || b->shape.dim[0] != w->shape.dim[0]))
        return dp__fail(device, DP_ERROR_ARGUMENT, "linear: b %s for w %s: [out] is allowed",
                        dp__shape_text(&b->shape, tx), dp__shape_text(&w->shape, tw));
    return DP_OK;
}

dp_tensor *dp__linear(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_tensor *b,
                      dp_activation_kind kind, double slope)
{
    char text[DP__EPILOGUE_TEXT];
    dp_arg arg[2];
    if (check_linear(device, x, w, b) != DP_OK)
        return NULL;
    const int64_t in = w->shape.dim[1], out = w->shape.dim[0];
    dp_shape result = x->shape;
    int64_t rows = 1; /* all but the last axis are one */
    for (int axis = 0; axis + 1 < result.rank; axis++)
        rows *= result.dim[axis];
    result.dim[result.rank - 1] = out;
    dp_matmul_params product = {.transpose_b = true};
    product.epilogue = dp__activation_epilogue(b, kind, slope, text, arg, &product.epilogue_args);
    dp_tensor *flat = dp__in_shape(device, x, (dp_shape){2, {rows, in}});
    dp__record_pause(device);
    dp_tensor *y = flat ? dp_matmul(device, flat, w, &product) : NULL;
    dp__record_resume(device);
    const dp__linear_params params = {dp__activation_backward(kind), slope};
    y = dp__record(y, &(dp__record_call){.rule = DP__RULE_linear, .inputs = {flat, w, b}, .input_count = 3, .params = &params,
                                         .bytes = sizeof params});
    dp_tensor *shaped = dp__in_shape(device, y, result);
    dp_tensor_release(&flat);
    dp_tensor_release(&y);
    return shaped;
}

dp_tensor *dp_linear(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_tensor *b)
{
    return dp__linear(device, x, w, b, DP_ACTIVATION_NONE, 0);
}

dp_tensor *dp_embedding(dp_device *device, const dp_tensor *table, const dp_tensor *index)
{
    if (dp__check_device(device) != DP_OK || dp__check_dtype(device, table, "table", DP_F32) != DP_OK)
        return NULL;
    return dp_gather_rows(device, table, index);
}

dp_tensor *dp_dropout(dp_device *device, const dp_tensor *x, double rate, uint64_t seed,
                      const dp_tensor *step, bool training)
{
    if (dp__check_device(device) != DP_OK || dp__check_dtype(device, x, "x", DP_F32) != DP_OK ||
        dp__check_within(device, "dropout", "rate", rate, 0, 1, true) != DP_OK)
        return NULL;
    if (!training || rate == 0)
        return dp_tensor_retain((dp_tensor *)x);
    dp_tensor *u = dp_uniform_at(device, seed, step, x->shape, 0, 1);
    dp_tensor *y = u ? dp_map(device, "select(u < rate, 0, x * scale)",
                              DP_ARGS({"x", x, 0}, {"u", u, 0}, {.name = "rate", .scalar = rate},
                                      {.name = "scale", .scalar = 1 / (1 - rate)}))
                     : NULL;
    dp_tensor_release(&u);
    return y;
}
