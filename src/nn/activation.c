/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"
#include <math.h>
#include <stdio.h>

/* Comparisons are so turned that a NaN passes. */
static const struct {
    const char *name, *formula, *derivative, *backward;
} kinds[DP_ACTIVATION_COUNT] = {
    [DP_ACTIVATION_NONE] = {"none", "z", "g"},
    [DP_ACTIVATION_RELU] = {"relu", "select(z <= 0, 0, z)", "select(z <= 0, 0, g)",
                             "select(y <= 0, 0, g)"},
    [DP_ACTIVATION_LEAKY_RELU] = {"leaky_relu", "select(z <= 0, slope * z, z)",
                                  "select(z <= 0, slope * g, g)", "select(y <= 0, slope * g, g)"},
    [DP_ACTIVATION_TANH] = {"tanh", "tanh(z)", "y = tanh(z); g * (1 - y * y)", "g * (1 - y * y)"},
    [DP_ACTIVATION_SIGMOID] = {"sigmoid", "sigmoid(z)", "y = sigmoid(z); g * y * (1 - y)",
                                "g * y * (1 - y)"},
    [DP_ACTIVATION_SOFTMAX] = {"softmax", NULL, NULL},
};

const char *dp_activation_name(dp_activation_kind kind)
{
    return (unsigned)kind < DP_ACTIVATION_COUNT ? kinds[kind].name : "unknown";
}

const char *dp__activation_formula(dp_activation_kind kind)
{
    return kinds[kind].formula;
}

const char *dp__activation_derivative(dp_activation_kind kind)
{
    return kinds[kind].derivative;
}

const char *dp__activation_backward(dp_activation_kind kind)
{
    return kinds[kind].backward;
}

dp_status dp__check_within(dp_device *device, const char *name, const char *what, double value, double low,
                           double high, bool below)
{
    if (value >= low && (below ? value < high : value <= high))
        return DP_OK;
    return dp__fail(device, DP_ERROR_ARGUMENT, "%s: %s is %g: %g to %s%g is allowed", name, what, value, low,
                    below ? "below " : "", high);
}

dp_status dp__check_activation(dp_device *device, const char *name, dp_activation_kind kind, double slope,
                               bool any)
{
    if ((unsigned)kind >= DP_ACTIVATION_COUNT)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: activation %d is not in dp_activation_kind", name,
                        (int)kind);
    if (kind == DP_ACTIVATION_SOFTMAX && !any)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: the activation softmax cannot be a part of it", name);
    return dp__check_within(device, name, "slope", slope, 0, 1e30, false);
}

dp_tensor *dp__in_shape(dp_device *device, const dp_tensor *x, dp_shape shape)
{
    if (!x)
        return NULL;
    if (dp__shape_equal(&x->shape, &shape))
        return dp_tensor_retain((dp_tensor *)x);
    dp_tensor *packed = dp_tensor_contiguous(x) ? dp_tensor_retain((dp_tensor *)x) : dp_copy(device, x);
    dp_tensor *view = packed ? dp_reshape(packed, shape) : NULL;
    dp_tensor_release(&packed);
    return view;
}

/* exp(x - log sum exp) */
static dp_tensor *softmax(dp_device *device, const dp_tensor *x)
{
    if (x->shape.rank < 1) {
        dp__fail(device, DP_ERROR_ARGUMENT, "softmax: x has no axis");
        return NULL;
    }
    dp_tensor *sum = dp_reduce(device, x, DP_LOGSUMEXP, DP_AXIS(x->shape.rank - 1) | DP_KEEP_AXES);
    dp_tensor *result = sum ? dp_map(device, "exp(x - s)", DP_ARGS({"x", x, 0}, {"s", sum, 0})) : NULL;
    dp_tensor_release(&sum);
    return result;
}

dp_tensor *dp_activation(dp_device *device, const dp_tensor *x, dp_activation_kind kind, double slope)
{
    if (dp__check_device(device) != DP_OK || dp__check_dtype(device, x, "x", DP_F32) != DP_OK ||
        dp__check_activation(device, "activation", kind, slope, true) != DP_OK)
        return NULL;
    if (kind == DP_ACTIVATION_NONE)
        return dp_tensor_retain((dp_tensor *)x);
    if (kind == DP_ACTIVATION_SOFTMAX)
        return softmax(device, x);
    return dp_map(device, kinds[kind].formula, DP_ARGS({"z", x, 0}, {.name = "slope", .scalar = slope}));
}

const char *dp__activation_epilogue(const dp_tensor *bias, dp_activation_kind kind, double slope,
                                    char text[DP__EPILOGUE_TEXT], dp_arg arg[2], dp_args *args)
{
    *args = (dp_args){arg, 0};
    if (!bias && kind == DP_ACTIVATION_NONE)
        return NULL;
    if (bias)
        arg[args->count++] = (dp_arg){"bias", bias, 0};
    if (kind == DP_ACTIVATION_LEAKY_RELU)
        arg[args->count++] = (dp_arg){"slope", NULL, slope};
    snprintf(text, DP__EPILOGUE_TEXT, "z = result%s; %s", bias ? " + bias" : "", kinds[kind].formula);
    return text;
}
