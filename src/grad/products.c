/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of products: each gradient of a product is a product. */
#include "grad/tape.h"

/* C = alpha op(A) op(B) + beta C0. With G the cotangent: to op(A) alpha G op(B)^T, to op(B) alpha op(A)^T G,
 * each transposed where its operand was. */
dp_status dp__grad_matmul(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                          dp_tensor **gradients)
{
    const dp_matmul_params *p = call->params;
    const bool ta = p->transpose_a, tb = p->transpose_b;
    dp_tensor *a = call->input[0], *b = call->input[1];
    if (call->needs[0]) {
        const dp_matmul_params plain = {.alpha = p->alpha, .transpose_b = !tb},
                               turned = {.alpha = p->alpha, .transpose_a = tb, .transpose_b = true};
        dp_tensor *g =
            ta ? dp_matmul(device, b, cotangent, &turned) : dp_matmul(device, cotangent, b, &plain);
        DP_CHECK(dp__rule_given(device, dp__rule_unbroadcast(device, g, a->shape), &gradients[0]));
    }
    if (call->needs[1]) {
        const dp_matmul_params plain = {.alpha = p->alpha, .transpose_a = !ta},
                               turned = {.alpha = p->alpha, .transpose_a = true, .transpose_b = ta};
        dp_tensor *g =
            tb ? dp_matmul(device, cotangent, a, &turned) : dp_matmul(device, a, cotangent, &plain);
        DP_CHECK(dp__rule_given(device, dp__rule_unbroadcast(device, g, b->shape), &gradients[1]));
    }
    if (call->needs[2]) {
        dp_tensor *g =
            dp_map(device, "beta * g", DP_ARGS({"g", cotangent}, {.name = "beta", .scalar = p->beta}));
        DP_CHECK(
            dp__rule_given(device, dp__rule_unbroadcast(device, g, call->input[2]->shape), &gradients[2]));
    }
    return DP_OK;
}

static dp_conv2d_params plain(const dp__history *call)
{
    dp_conv2d_params p = *(const dp_conv2d_params *)call->params;
    p.winograd = 0;
    return p;
}

/* y = conv(x, w) */
dp_status dp__grad_conv2d(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                          dp_tensor **gradients)
{
    const dp_conv2d_params p = plain(call);
    const dp_tensor *x = call->input[0], *w = call->input[1];
    if (call->needs[0])
        DP_CHECK(dp__rule_given(
            device, dp_conv2d_gradient_input(device, w, cotangent, x->shape.dim[2], x->shape.dim[3], &p),
            &gradients[0]));
    if (call->needs[1])
        DP_CHECK(dp__rule_given(
            device, dp_conv2d_gradient_weights(device, x, cotangent, w->shape.dim[2], w->shape.dim[3], &p),
            &gradients[1]));
    return DP_OK;
}

/* x' = conv's adjoint by x, of w and y: <x', v> = <y, conv(v, w)> */
dp_status dp__grad_conv2d_gradient_input(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                                         dp_tensor **gradients)
{
    const dp_conv2d_params p = plain(call);
    const dp_tensor *w = call->input[0], *y = call->input[1];
    if (call->needs[0])
        DP_CHECK(dp__rule_given(
            device, dp_conv2d_gradient_weights(device, cotangent, y, w->shape.dim[2], w->shape.dim[3], &p),
            &gradients[0]));
    if (call->needs[1])
        DP_CHECK(dp__rule_given(device, dp_conv2d(device, cotangent, w, &p), &gradients[1]));
    return DP_OK;
}

/* w' = conv's adjoint by w, of x and y: <w', v> = <y, conv(x, v)> */
dp_status dp__grad_conv2d_gradient_weights(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                                           dp_tensor **gradients)
{
    const dp_conv2d_params p = plain(call);
    const dp_tensor *x = call->input[0], *y = call->input[1];
    if (call->needs[0])
        DP_CHECK(dp__rule_given(
            device, dp_conv2d_gradient_input(device, cotangent, y, x->shape.dim[2], x->shape.dim[3], &p),
            &gradients[0]));
    if (call->needs[1])
        DP_CHECK(dp__rule_given(device, dp_conv2d(device, x, cotangent, &p), &gradients[1]));
    return DP_OK;
}

/* The rows that output_padding has added reach further than windows of the input: a convolution of the result
 * may have more. */
static dp_tensor *crop(dp_tensor *x, const dp_shape *shape)
{
    for (int axis = 2; axis < 4 && x; axis++) {
        dp_tensor *part = dp_slice(x, axis, 0, shape->dim[axis], 1);
        dp_tensor_release(&x);
        x = part;
    }
    return x;
}

dp_status dp__grad_conv2d_transposed(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                                     dp_tensor **gradients)
{
    const dp_conv2d_transposed_params *t = call->params;
    const dp_tensor *x = call->input[0], *w = call->input[1];
    dp_conv2d_params p = {.groups = t->groups};
    for (int axis = 0; axis < 2; axis++) {
        p.stride[axis] = t->stride[axis];
        p.padding[axis] = t->padding[axis];
        p.extra_padding[axis] = t->extra_padding[axis];
        p.dilation[axis] = t->dilation[axis];
    }
    if (call->needs[0])
        DP_CHECK(dp__rule_given(device, crop(dp_conv2d(device, cotangent, w, &p), &x->shape), &gradients[0]));
    if (call->needs[1]) {
        dp_shape reached =
            cotangent->shape; /* rows and columns further behind are zeros of output_padding's */
        for (int axis = 0; axis < 2; axis++) {
            const int behind = p.padding[axis] + p.extra_padding[axis] - t->output_padding[axis];
            p.extra_padding[axis] = DP_MAX2(behind, 0) - p.padding[axis];
            reached.dim[2 + axis] += DP_MIN2(behind, 0);
        }
        dp_tensor *part = crop(dp_tensor_retain(cotangent), &reached);
        dp_tensor *result =
            part ? dp_conv2d_gradient_weights(device, part, x, w->shape.dim[2], w->shape.dim[3], &p) : NULL;
        dp_tensor_release(&part);
        return dp__rule_given(device, result, &gradients[1]);
    }
    return DP_OK;
}
