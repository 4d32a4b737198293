/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of networks' outputs. */
#include "nn/layers.h"
#include <math.h>

static dp_tensor *mean_of(dp_device *device, dp_tensor *elements)
{
    dp_tensor *mean = elements ? dp_reduce(device, elements, DP_MEAN, DP_ALL_AXES) : NULL;
    dp_tensor_release(&elements);
    return mean;
}

static dp_status check_labels(dp_device *device, const char *name, const dp_tensor *logits,
                              const dp_tensor *labels)
{
    char tl[DP_SHAPE_TEXT], ti[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, logits, "logits", DP_F32));
    DP_CHECK(dp__check_dtype(device, labels, "labels", DP_I32));
    if (logits->shape.rank != 2 || logits->shape.dim[1] < 1 || labels->shape.rank != 1 ||
        labels->shape.dim[0] != logits->shape.dim[0])
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: logits %s and labels %s: [N, C] and [N] is allowed",
                        name, dp__shape_text(&logits->shape, tl), dp__shape_text(&labels->shape, ti));
    return DP_OK;
}

/* logits[n, labels[n]] as [N, 1] */
static dp_tensor *picked(dp_device *device, const dp_tensor *logits, const dp_tensor *labels)
{
    dp_tensor *column = dp_reshape((dp_tensor *)labels, (dp_shape){2, {labels->shape.dim[0], 1}});
    dp_tensor *result = column ? dp_gather(device, logits, column, 1) : NULL;
    dp_tensor_release(&column);
    return result;
}

dp_tensor *dp_cross_entropy(dp_device *device, const dp_tensor *logits, const dp_tensor *labels)
{
    if (check_labels(device, "cross_entropy", logits, labels) != DP_OK)
        return NULL;
    dp_tensor *sum = dp_reduce(device, logits, DP_LOGSUMEXP, DP_AXIS(1) | DP_KEEP_AXES);
    dp_tensor *label = picked(device, logits, labels);
    dp_tensor *rows = sum && label ? dp_map(device, "s - l", DP_ARGS({"s", sum, 0}, {"l", label, 0})) : NULL;
    dp_tensor_release(&sum);
    dp_tensor_release(&label);
    return mean_of(device, rows);
}

static dp_status check_pair(dp_device *device, const char *name, const dp_tensor *x, const char *x_name,
                            const dp_tensor *y, const char *y_name)
{
    char tx[DP_SHAPE_TEXT], ty[DP_SHAPE_TEXT];
    dp_shape common;
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, x, x_name, DP_F32));
    DP_CHECK(dp__check_dtype(device, y, y_name, DP_F32));
    if (!dp__shape_broadcast(&x->shape, &y->shape, &common) || !dp__shape_equal(&common, &x->shape))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: %s %s does not broadcast to the shape of %s, %s",
                        name, y_name, dp__shape_text(&y->shape, ty), x_name, dp__shape_text(&x->shape, tx));
    return DP_OK;
}

dp_tensor *dp_binary_cross_entropy_with_logits(dp_device *device, const dp_tensor *logits,
                                               const dp_tensor *target, double constant)
{
    static const char name[] = "binary_cross_entropy_with_logits";
    if (check_pair(device, name, logits, "logits", target ? target : logits, target ? "target" : "logits") !=
        DP_OK)
        return NULL;
    if (!target && !isfinite((float)constant)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "%s: constant is %g: it must be finite in f32", name, constant);
        return NULL;
    }
    /* Both sides of the select are softplus; the one that is taken has no overflow, and a derivative at 0. */
    return mean_of(device, dp_map(device, "select(x > 0, x + log(1 + exp(-x)), log(1 + exp(x))) - t * x",
                                  DP_ARGS({"x", logits, 0}, {"t", target, constant})));
}

dp_tensor *dp_mse(dp_device *device, const dp_tensor *x, const dp_tensor *y)
{
    if (check_pair(device, "mse", x, "x", y, "y") != DP_OK)
        return NULL;
    return mean_of(device, dp_map(device, "(x - y)^2", DP_ARGS({"x", x, 0}, {"y", y, 0})));
}

static dp_tensor *accuracy(dp_device *device, const dp_tensor *logits, const dp_tensor *labels)
{
    dp_tensor *most = dp_reduce(device, logits, DP_MAX, DP_AXIS(1) | DP_KEEP_AXES),
              *label = picked(device, logits, labels);
    dp_tensor *equal = most ? dp_map(device, "x == m", DP_ARGS({"x", logits, 0}, {"m", most, 0})) : NULL;
    dp_tensor *count = equal ? dp_reduce(device, equal, DP_SUM, DP_AXIS(1) | DP_KEEP_AXES) : NULL;
    dp_tensor *hit = count && label ? dp_map(device, "select(l == m and n > 0, 1 / n, 0)",
                                             DP_ARGS({"l", label, 0}, {"m", most, 0}, {"n", count, 0}))
                                    : NULL;
    dp_tensor_release(&most);
    dp_tensor_release(&label);
    dp_tensor_release(&equal);
    dp_tensor_release(&count);
    return mean_of(device, hit);
}

dp_tensor *dp_accuracy(dp_device *device, const dp_tensor *logits, const dp_tensor *labels)
{
    if (check_labels(device, "accuracy", logits, labels) != DP_OK)
        return NULL;
    dp__record_pause(device);
    dp_tensor *result = accuracy(device, logits, labels);
    dp__record_resume(device);
    return result;
}
