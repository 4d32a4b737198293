/* SPDX-License-Identifier: Apache-2.0 */
/* Layers and losses as functions of tensors, for networks of one's own shape; network.h makes whole ones of tables.
 *
 * All take f32 tensors on `device` in any strides and return a new tensor, NULL on failure (see tensor.h). All have gradients (grad.h)
 * of any order, but where it is said. None reads a tensor back, so all may stand in a program (program.h). The definitions are those of
 * PyTorch's layers of the same names. */
#ifndef DIPOLE_NN_H
#define DIPOLE_NN_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* SOFTMAX is over the last axis. The derivative of RELU and LEAKY_RELU at 0 is that of the left side: 0, and the slope. */
typedef enum dp_activation_kind {
    DP_ACTIVATION_NONE,
    DP_ACTIVATION_RELU,
    DP_ACTIVATION_LEAKY_RELU, /* x where it is above 0, else slope * x */
    DP_ACTIVATION_TANH,
    DP_ACTIVATION_SIGMOID,
    DP_ACTIVATION_SOFTMAX,
    DP_ACTIVATION_COUNT
} dp_activation_kind;

DP_API const char *dp_activation_name(dp_activation_kind kind); /* "leaky_relu"; "unknown" outside of the enum */

/* `slope` is LEAKY_RELU's, 0 or more and finite. NONE gives another reference to x. */
DP_API dp_tensor *dp_activation(dp_device *device, const dp_tensor *x, dp_activation_kind kind, double slope);

/* x w^T + b. x: [.., in], w: [out, in], b: [out] or NULL; result: [.., out]. */
DP_API dp_tensor *dp_linear(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_tensor *b);

/* The zero value is what a trained network uses: the running statistics, as they are. */
typedef struct dp_batch_norm_params {
    bool training;                 /* the batch's own statistics, which also move the running ones */
    double momentum;               /* 0 means 0.1: running = (1 - momentum) running + momentum batch's; up to 1 */
    double epsilon;                /* 0 means 1e-5 */
    dp_activation_kind activation; /* of the result, in the same pass over memory; not SOFTMAX */
    double slope;
} dp_batch_norm_params;

/* Batch normalisation (Ioffe, Szegedy 2015): (x - mean) / sqrt(variance + epsilon) * scale + shift for each channel. x: [N, C] or
 * [N, C, H, W]; scale, shift: [C], each may be NULL (1 and 0). In training mean and variance are those of the channel's N H W elements,
 * at least 2; the variance is divided by their number, but by one less where it moves the running one, which are [C], are written in
 * place without being recorded, and may be NULL. Else the running ones are taken. `params` may be NULL. */
DP_API dp_tensor *dp_batch_norm(dp_device *device, const dp_tensor *x, const dp_tensor *scale, const dp_tensor *shift,
                                dp_tensor *running_mean, dp_tensor *running_variance, const dp_batch_norm_params *params);

/* Layer normalisation (Ba, Kiros, Hinton 2016): the same over the last `axes` axes of each element of the others, with no running
 * statistics. scale, shift: broadcast to the shape of these axes ([C, H, W], or [C, 1, 1] for one number a channel); each may be NULL.
 * axes: 1 to x's rank. epsilon: 0 means 1e-5. */
DP_API dp_tensor *dp_layer_norm(dp_device *device, const dp_tensor *x, int axes, const dp_tensor *scale, const dp_tensor *shift,
                                double epsilon);

/* Sets each element to 0 with probability `rate` (0 to below 1) and divides the others by 1 - rate. Which ones: dp_uniform_at of seed
 * and step (tensor.h). Not in training, or with rate 0, it gives another reference to x. */
DP_API dp_tensor *dp_dropout(dp_device *device, const dp_tensor *x, double rate, uint64_t seed, const dp_tensor *step, bool training);

/* Rows of table [n, d ..] by index, i32 of any shape s: [s .., d ..]. An index out of range gives NaN. */
DP_API dp_tensor *dp_embedding(dp_device *device, const dp_tensor *table, const dp_tensor *index);

/* Losses: scalars of rank 0, means over all elements. */
/* The mean over rows of log sum_c exp(logits[n, c]) - logits[n, labels[n]]. logits: [N, C]; labels: i32 [N], 0 to C - 1, elsewhere NaN. */
DP_API dp_tensor *dp_cross_entropy(dp_device *device, const dp_tensor *logits, const dp_tensor *labels);
/* The mean of log(1 + exp(x)) - target * x, which is -target log p - (1 - target) log(1 - p) with p = sigmoid(x), without overflow.
 * `target`: broadcasts to the shape of logits; NULL: `constant` for all. Right up to roundings of 1, not of the small loss itself. */
DP_API dp_tensor *dp_binary_cross_entropy_with_logits(dp_device *device, const dp_tensor *logits, const dp_tensor *target,
                                                      double constant);
/* The mean of (x - y)^2 over the elements of x; y broadcasts to x's shape. */
DP_API dp_tensor *dp_mse(dp_device *device, const dp_tensor *x, const dp_tensor *y);

/* The part of rows whose largest logit is the label's; one of several that are equally large counts for its part of them, so that equal
 * logits have what guessing would. Rows with a NaN, or a label out of range, count 0. Not recorded. */
DP_API dp_tensor *dp_accuracy(dp_device *device, const dp_tensor *logits, const dp_tensor *labels);

#ifdef __cplusplus
}
#endif
#endif
