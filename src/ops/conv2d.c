/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution has three tensors, x, w and y. The call gives two of them and what it takes to know the shape of the third. */
#include "core/record.h"
#include "ops/epilogue.h"
#include <dipole/bound.h>

#define MOST_PADDED ((int64_t)1 << 30) /* rows of x with its padding: places in it stay far from overflow in 32 bits */

/* One call under way. `op` is for messages. */
typedef struct conv {
    dp_device *device;
    const char *op;
    dp__conv2d_call call;
    dp_shape x, w, y;
    const char *x_name, *w_name, *y_name; /* what the caller calls them */
} conv;

static dp_status check_least(const conv *c, const char *name, int axis, int64_t value, int64_t least)
{
    if (value >= least)
        return DP_OK;
    return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: %s[%d] is %lld: it must be %lld or more", c->op, name, axis,
                    (long long)value, (long long)least);
}

static dp_status read_params(conv *c, const int stride[2], const int padding[2], const int extra[2], const int dilation[2],
                             int groups)
{
    dp__conv2d_call *call = &c->call;
    for (int axis = 0; axis < 2; axis++) {
        DP_CHECK(check_least(c, "stride", axis, stride[axis], 0));
        DP_CHECK(check_least(c, "padding", axis, padding[axis], 0));
        DP_CHECK(check_least(c, "extra_padding", axis, extra[axis], -(int64_t)padding[axis]));
        DP_CHECK(check_least(c, "dilation", axis, dilation[axis], 0));
        call->stride[axis] = DP_MAX2(stride[axis], 1);
        call->dilation[axis] = DP_MAX2(dilation[axis], 1);
        const int64_t behind = (int64_t)padding[axis] + extra[axis];
        if (padding[axis] > MOST_PADDED || behind > MOST_PADDED)
            return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: padding[%d] is %d, and %lld behind: at most %lld are allowed", c->op,
                            axis, padding[axis], (long long)behind, (long long)MOST_PADDED);
        call->padding[axis][0] = padding[axis];
        call->padding[axis][1] = (int)behind;
    }
    if (groups < 0)
        return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: groups is %d: it must be 1 or more, or 0 for 1", c->op, groups);
    call->groups = DP_MAX2(groups, 1);
    return DP_OK;
}

static dp_status read_conv_params(conv *c, const dp_conv2d_params *params)
{
    if (params->winograd != 0 && params->winograd != 2 && params->winograd != 4)
        return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: winograd is %d: it must be 0, 2 or 4", c->op, params->winograd);
    return read_params(c, params->stride, params->padding, params->extra_padding, params->dilation, params->groups);
}

static dp_status check_tensor(const conv *c, const dp_tensor *tensor, const char *name)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_float(c->device, tensor, name));
    if (tensor->shape.rank != 4)
        return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: %s %s must have four axes", c->op, name,
                        dp__shape_text(&tensor->shape, text));
    return DP_OK;
}

/* Sizes of the windows along one axis: what the kernel spans, and how many windows there are on `size` rows of x. */
static dp_status count_windows(const conv *c, int axis, int64_t size, int64_t kernel, int64_t *count)
{
    const char *rows = axis ? "columns" : "rows";
    const int64_t padding = c->call.padding[axis][0] + (int64_t)c->call.padding[axis][1];
    const int64_t padded = size <= MOST_PADDED ? size + padding : size;
    if (kernel < 1)
        return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: %s has %lld %s: it must have 1 or more", c->op, c->w_name,
                        (long long)kernel, rows);
    if (size < 0 || size > MOST_PADDED || padded > MOST_PADDED)
        return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: %s has %lld %s, %lld with the padding: 0 to %lld are allowed", c->op,
                        c->x_name, (long long)size, rows, (long long)padded, (long long)MOST_PADDED);
    if (kernel > MOST_PADDED || (kernel - 1) * c->call.dilation[axis] + 1 > padded)
        return dp__fail(c->device, DP_ERROR_ARGUMENT,
                        "%s: %s has %lld %s, dilation[%d] is %d: that spans more than the %lld %s of %s with its padding", c->op,
                        c->w_name, (long long)kernel, rows, axis, c->call.dilation[axis], (long long)padded, rows, c->x_name);
    *count = (padded - (kernel - 1) * c->call.dilation[axis] - 1) / c->call.stride[axis] + 1;
    return DP_OK;
}

/* c->y must have the sizes that x and w give. */
static dp_status check_windows(const conv *c)
{
    char ty[DP_SHAPE_TEXT];
    for (int axis = 0; axis < 2; axis++) {
        int64_t count = 0;
        DP_CHECK(count_windows(c, axis, c->x.dim[2 + axis], c->w.dim[2 + axis], &count));
        if (count != c->y.dim[2 + axis])
            return dp__fail(c->device, DP_ERROR_ARGUMENT,
                            "%s: %s %s has %lld %s, but %s of %lld and %s of %lld give %lld", c->op, c->y_name,
                            dp__shape_text(&c->y, ty), (long long)c->y.dim[2 + axis], axis ? "columns" : "rows", c->x_name,
                            (long long)c->x.dim[2 + axis], c->w_name, (long long)c->w.dim[2 + axis], (long long)count);
    }
    return DP_OK;
}

static dp_status check_groups(const conv *c, int64_t x_channels, int64_t y_channels)
{
    if (x_channels % c->call.groups || y_channels % c->call.groups)
        return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: groups is %d: it must divide %lld channels of %s and %lld of %s", c->op,
                        c->call.groups, (long long)x_channels, c->x_name, (long long)y_channels, c->y_name);
    return DP_OK;
}

/* Makes the kind's output in *out and runs the call. */
static dp_tensor *run(conv *c, dp_tensor **out, const dp_shape *shape, const char *epilogue_text, dp_args epilogue_args)
{
    dp__epilogue epilogue;
    *out = dp__tensor_create(c->device, DP_F32, *shape);
    if (!*out)
        return NULL;
    dp_status status = dp__epilogue_create(c->device, c->op, epilogue_text, epilogue_args, shape, &epilogue);
    if (status == DP_OK) {
        c->call.epilogue = epilogue.expr ? &epilogue : NULL;
        if (dp_tensor_size(*out) > 0)
            status = dp__dispatch(c->device, DP__OP_conv2d, &c->call);
        dp__epilogue_free(&epilogue);
    }
    if (status != DP_OK)
        dp_tensor_release(out);
    return *out;
}

static const dp_conv2d_params defaults;

/* Whether Winograd's algorithm can compute it. */
static bool winograd_fits(const dp__conv2d_call *call)
{
    bool fits = true;
    for (int axis = 0; axis < 2; axis++)
        fits = fits && call->w->shape.dim[2 + axis] == 3 && call->stride[axis] == 1 && call->dilation[axis] == 1;
    return fits;
}

static dp_tensor *forward(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_conv2d_params *params, bool bound)
{
    char tx[DP_SHAPE_TEXT], tw[DP_SHAPE_TEXT];
    conv c = {device, "conv2d", {.kind = DP__CONV2D_FORWARD, .x = (dp_tensor *)x, .w = (dp_tensor *)w, .bound = bound},
              .x_name = "x", .w_name = "w", .y_name = "the result"};
    params = params ? params : &defaults;
    if (dp__check_device(device) != DP_OK || read_conv_params(&c, params) != DP_OK || check_tensor(&c, x, "x") != DP_OK ||
        check_tensor(&c, w, "w") != DP_OK || check_groups(&c, x->shape.dim[1], w->shape.dim[0]) != DP_OK)
        return NULL;
    if (x->shape.dim[1] / c.call.groups != w->shape.dim[1]) {
        dp__fail(device, DP_ERROR_ARGUMENT, "conv2d: x %s has %lld channels a group, w %s has %lld", dp__shape_text(&x->shape, tx),
                 (long long)(x->shape.dim[1] / c.call.groups), dp__shape_text(&w->shape, tw), (long long)w->shape.dim[1]);
        return NULL;
    }
    c.y = DP_SHAPE(x->shape.dim[0], w->shape.dim[0], 0, 0);
    for (int axis = 0; axis < 2; axis++)
        if (count_windows(&c, axis, x->shape.dim[2 + axis], w->shape.dim[2 + axis], &c.y.dim[2 + axis]) != DP_OK)
            return NULL;
    c.call.winograd = winograd_fits(&c.call) ? params->winograd : 0;
    return run(&c, &c.call.y, &c.y, params->epilogue, params->epilogue_args);
}

/* The gradients are those of the convolution alone. */
static dp_status refuse_epilogue(const conv *c, const dp_conv2d_params *params)
{
    if (params->epilogue || params->epilogue_args.count)
        return dp__fail(c->device, DP_ERROR_ARGUMENT,
                        "%s: epilogue is \"%.64s\": a gradient is that of the convolution alone and has none", c->op,
                        params->epilogue ? params->epilogue : "(NULL)");
    return DP_OK;
}

static dp_tensor *gradient_input(dp_device *device, const dp_tensor *w, const dp_tensor *y, int64_t height, int64_t width,
                                 const dp_conv2d_params *params, bool bound)
{
    conv c = {device, "conv2d_gradient_input",
              {.kind = DP__CONV2D_GRADIENT_INPUT, .w = (dp_tensor *)w, .y = (dp_tensor *)y, .bound = bound},
              .x_name = "the result", .w_name = "w", .y_name = "y_gradient"};
    params = params ? params : &defaults;
    if (dp__check_device(device) != DP_OK || read_conv_params(&c, params) != DP_OK || refuse_epilogue(&c, params) != DP_OK ||
        check_tensor(&c, w, "w") != DP_OK || check_tensor(&c, y, "y_gradient") != DP_OK)
        return NULL;
    c.w = w->shape;
    c.y = y->shape;
    if (c.w.dim[0] != c.y.dim[1]) {
        dp__fail(device, DP_ERROR_ARGUMENT, "%s: w has %lld output channels, y_gradient has %lld", c.op, (long long)c.w.dim[0],
                 (long long)c.y.dim[1]);
        return NULL;
    }
    c.x = DP_SHAPE(c.y.dim[0], c.w.dim[1] * c.call.groups, height, width);
    if (check_groups(&c, c.x.dim[1], c.y.dim[1]) != DP_OK || check_windows(&c) != DP_OK)
        return NULL;
    return run(&c, &c.call.x, &c.x, NULL, (dp_args){0});
}

static dp_tensor *gradient_weights(dp_device *device, const dp_tensor *x, const dp_tensor *y, int64_t rows, int64_t columns,
                                   const dp_conv2d_params *params, bool bound)
{
    conv c = {device, "conv2d_gradient_weights",
              {.kind = DP__CONV2D_GRADIENT_WEIGHTS, .x = (dp_tensor *)x, .y = (dp_tensor *)y, .bound = bound},
              .x_name = "x", .w_name = "the result", .y_name = "y_gradient"};
    params = params ? params : &defaults;
    if (dp__check_device(device) != DP_OK || read_conv_params(&c, params) != DP_OK || refuse_epilogue(&c, params) != DP_OK ||
        check_tensor(&c, x, "x") != DP_OK || check_tensor(&c, y, "y_gradient") != DP_OK ||
        check_groups(&c, x->shape.dim[1], y->shape.dim[1]) != DP_OK)
        return NULL;
    c.x = x->shape;
    c.y = y->shape;
    if (c.x.dim[0] != c.y.dim[0]) {
        dp__fail(device, DP_ERROR_ARGUMENT, "%s: x has %lld images, y_gradient has %lld", c.op, (long long)c.x.dim[0],
                 (long long)c.y.dim[0]);
        return NULL;
    }
    c.w = DP_SHAPE(c.y.dim[1], c.x.dim[1] / c.call.groups, rows, columns);
    if (check_windows(&c) != DP_OK)
        return NULL;
    return run(&c, &c.call.w, &c.w, NULL, (dp_args){0});
}

/* The size of a transposed convolution's result, along one axis. x of the user is y of the call. Rows added behind the last are
 * padding that is not there: then a convolution of the result has x's sizes again. */
static dp_status transposed_size(conv *c, int axis, int added, int64_t size, int64_t kernel, int64_t *result)
{
    const char *rows = axis ? "columns" : "rows";
    const int64_t stride = c->call.stride[axis], dilation = c->call.dilation[axis];
    const int64_t least = c->call.padding[axis][0] + (int64_t)c->call.padding[axis][1];
    if (size < 1 || kernel < 1)
        return dp__fail(c->device, DP_ERROR_ARGUMENT, "%s: x has %lld %s and w has %lld: both must have 1 or more", c->op,
                        (long long)size, rows, (long long)kernel);
    if (added < 0 || added >= DP_MAX2(stride, dilation))
        return dp__fail(c->device, DP_ERROR_ARGUMENT,
                        "%s: output_padding[%d] is %d: 0 to %lld are allowed, less than stride or dilation", c->op, axis, added,
                        (long long)DP_MAX2(stride, dilation) - 1);
    const int64_t whole = (size - 1) * stride + (kernel - 1) * dilation + 1; /* below 2^63: each product is below 2^62 */
    *result = whole - least + added;
    if (*result < 1 || whole + added > MOST_PADDED)
        return dp__fail(c->device, DP_ERROR_ARGUMENT,
                        "%s: x has %lld %s, w %lld: the result would have %lld, of %lld without padding: 1 to %lld are allowed",
                        c->op, (long long)size, rows, (long long)kernel, (long long)*result, (long long)whole + added,
                        (long long)MOST_PADDED);
    c->call.padding[axis][1] -= added;
    return DP_OK;
}

static dp_tensor *transposed(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_conv2d_transposed_params *params,
                             bool bound)
{
    static const dp_conv2d_transposed_params nothing;
    conv c = {device, "conv2d_transposed",
              {.kind = DP__CONV2D_GRADIENT_INPUT, .w = (dp_tensor *)w, .y = (dp_tensor *)x, .bound = bound},
              .x_name = "the result", .w_name = "w", .y_name = "x"};
    params = params ? params : &nothing;
    if (dp__check_device(device) != DP_OK || read_params(&c, params->stride, params->padding, params->extra_padding,
                                                         params->dilation, params->groups) != DP_OK ||
        check_tensor(&c, x, "x") != DP_OK || check_tensor(&c, w, "w") != DP_OK)
        return NULL;
    if (x->shape.dim[1] != w->shape.dim[0]) {
        dp__fail(device, DP_ERROR_ARGUMENT, "%s: x has %lld channels, w has %lld input channels", c.op, (long long)x->shape.dim[1],
                 (long long)w->shape.dim[0]);
        return NULL;
    }
    c.x = DP_SHAPE(x->shape.dim[0], w->shape.dim[1] * c.call.groups, 0, 0);
    if (check_groups(&c, c.x.dim[1], x->shape.dim[1]) != DP_OK)
        return NULL;
    for (int axis = 0; axis < 2; axis++)
        if (transposed_size(&c, axis, params->output_padding[axis], x->shape.dim[2 + axis], w->shape.dim[2 + axis],
                            &c.x.dim[2 + axis]) != DP_OK)
            return NULL;
    return run(&c, &c.call.x, &c.x, params->epilogue, params->epilogue_args);
}

/* Returns `out`, as the result of a call of two operands. */
static dp_tensor *record(dp_tensor *out, dp__rule rule, const dp_tensor *a, const dp_tensor *b, const void *params, size_t bytes)
{
    dp__record_resume(dp_tensor_device(a));
    return dp__record(out, &(dp__record_call){.rule = rule, .inputs = {a, b}, .input_count = 2, .params = params, .bytes = bytes});
}

dp_tensor *dp_conv2d(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_conv2d_params *params)
{
    dp_conv2d_params own = params ? *params : defaults;
    if (dp__epilogue_recorded(device, x, w, own.epilogue, own.epilogue_args)) {
        own.epilogue = NULL;
        own.epilogue_args.count = 0;
        return dp__epilogue_map(device, dp_conv2d(device, x, w, &own), params->epilogue, params->epilogue_args);
    }
    dp__record_pause(dp_tensor_device(x));
    return record(forward(device, x, w, params, false), DP__RULE_conv2d, x, w, &own, sizeof own);
}

dp_tensor *dp_conv2d_bound(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_conv2d_params *params)
{
    return forward(device, x, w, params, true);
}

dp_tensor *dp_conv2d_gradient_input(dp_device *device, const dp_tensor *w, const dp_tensor *y_gradient, int64_t height,
                                    int64_t width, const dp_conv2d_params *params)
{
    const dp_conv2d_params own = params ? *params : defaults;
    dp__record_pause(dp_tensor_device(w));
    return record(gradient_input(device, w, y_gradient, height, width, params, false), DP__RULE_conv2d_gradient_input, w, y_gradient,
                  &own, sizeof own);
}

dp_tensor *dp_conv2d_gradient_input_bound(dp_device *device, const dp_tensor *w, const dp_tensor *y_gradient, int64_t height,
                                          int64_t width, const dp_conv2d_params *params)
{
    return gradient_input(device, w, y_gradient, height, width, params, true);
}

dp_tensor *dp_conv2d_gradient_weights(dp_device *device, const dp_tensor *x, const dp_tensor *y_gradient, int64_t rows,
                                      int64_t columns, const dp_conv2d_params *params)
{
    const dp_conv2d_params own = params ? *params : defaults;
    dp__record_pause(dp_tensor_device(x));
    return record(gradient_weights(device, x, y_gradient, rows, columns, params, false), DP__RULE_conv2d_gradient_weights, x,
                  y_gradient, &own, sizeof own);
}

dp_tensor *dp_conv2d_gradient_weights_bound(dp_device *device, const dp_tensor *x, const dp_tensor *y_gradient, int64_t rows,
                                            int64_t columns, const dp_conv2d_params *params)
{
    return gradient_weights(device, x, y_gradient, rows, columns, params, true);
}

dp_tensor *dp_conv2d_transposed(dp_device *device, const dp_tensor *x, const dp_tensor *w,
                                const dp_conv2d_transposed_params *params)
{
    dp_conv2d_transposed_params own = params ? *params : (dp_conv2d_transposed_params){0};
    if (dp__epilogue_recorded(device, x, w, own.epilogue, own.epilogue_args)) {
        own.epilogue = NULL;
        own.epilogue_args.count = 0;
        return dp__epilogue_map(device, dp_conv2d_transposed(device, x, w, &own), params->epilogue, params->epilogue_args);
    }
    dp__record_pause(dp_tensor_device(x));
    return record(transposed(device, x, w, params, false), DP__RULE_conv2d_transposed, x, w, &own, sizeof own);
}

dp_tensor *dp_conv2d_transposed_bound(dp_device *device, const dp_tensor *x, const dp_tensor *w,
                                      const dp_conv2d_transposed_params *params)
{
    return transposed(device, x, w, params, true);
}
