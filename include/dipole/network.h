/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as tables of layers. A network owns its parameters, which are marked by dp_require_grad, and its running statistics.
 *
 *     static const dp_layer layers[] = {
 *         {.kind = DP_LAYER_LINEAR, .outputs = 32, .activation = DP_ACTIVATION_TANH},
 *         {.kind = DP_LAYER_LINEAR, .outputs = 2},
 *     };
 *     dp_network *net = dp_network_create(dev, layers, 2, DP_SHAPE(2), 1, NULL);
 *     dp_tensor *y = dp_network_forward(net, x, true);         x: [N, 2], y: [N, 2]
 *
 * Parameters have the shapes and names of PyTorch's: linear [out, in], convolution [K, C / groups, R, S], transposed convolution
 * [C, K / groups, R, S]; "3.weight" and "3.bias" of layer 3, "3.running_mean" and "3.running_var" of a batch norm; within a residual layer
 * "3.body.0.weight", "3.shortcut.0.weight". They lie in one piece of memory each kind, so that copies and averages are one launch.
 * A network is gone with its device: destroy it before. */
#ifndef DIPOLE_NETWORK_H
#define DIPOLE_NETWORK_H

#include <dipole/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dp_layer_kind {
    DP_LAYER_LINEAR,              /* outputs; of the last axis */
    DP_LAYER_CONV2D,              /* outputs (channels), kernel, stride, padding, dilation, groups; of [C, H, W] */
    DP_LAYER_CONV2D_TRANSPOSED,   /* these, and output_padding */
    DP_LAYER_BATCH_NORM,          /* momentum, epsilon; of [C] or [C, H, W] */
    DP_LAYER_LAYER_NORM,          /* epsilon; over the whole shape, with a scale and shift a channel of [C, H, W], else an element */
    DP_LAYER_ACTIVATION,          /* activation, slope */
    DP_LAYER_DROPOUT,             /* rate */
    DP_LAYER_RESHAPE,             /* shape, without the batch axis; one size may be -1: what is left */
    DP_LAYER_FLATTEN,             /* to [C H W] */
    DP_LAYER_GLOBAL_AVERAGE_POOL, /* [C, H, W] to [C] */
    DP_LAYER_RESIDUAL,            /* body(x) + shortcut(x); without a shortcut body(x) + x */
    DP_LAYER_COUNT
} dp_layer_kind;

DP_API const char *dp_layer_name(dp_layer_kind kind); /* "conv2d"; "unknown" outside of the enum */

/* One row. What a kind does not use stays 0. */
typedef struct dp_layer {
    dp_layer_kind kind;
    int64_t outputs;
    int kernel[2];          /* rows and columns; a second of 0 means as the first */
    int stride[2];          /* 0 means 1; a second of 0 means as the first */
    int padding[2];
    int output_padding[2];
    int dilation[2];        /* 0 means 1 */
    int groups;             /* 0 means 1 */
    bool no_bias;           /* of LINEAR and the convolutions */
    bool no_affine;         /* norms without scale and shift */
    dp_activation_kind activation; /* of the layer's result, of any kind, in the same pass where it can be */
    double slope;
    double momentum, epsilon, rate;
    dp_shape shape;
    const struct dp_layer *body, *shortcut; /* arrays, copied as the whole table is */
    int body_count, shortcut_count;
} dp_layer;

/* How weights begin. fan_in is the number of inputs that one output adds up, fan_out the other way round, both counted as PyTorch does. */
typedef enum dp_init_scheme {
    DP_INIT_UNIFORM, /* PyTorch's default: weights and biases uniform within 1 / sqrt(fan_in) */
    DP_INIT_NORMAL,  /* DCGAN's (Radford et al. 2016): weights N(0, deviation), norms' scales N(1, deviation), biases and shifts 0 */
    DP_INIT_KAIMING, /* weights N(0, sqrt(2 / fan_in)) (He et al. 2015, eq. 10), biases 0 */
    DP_INIT_XAVIER,  /* weights uniform within sqrt(6 / (fan_in + fan_out)) (Glorot, Bengio 2010, eq. 16), biases 0 */
    DP_INIT_COUNT
} dp_init_scheme;

typedef struct dp_network_init {
    dp_init_scheme scheme;
    double deviation; /* of NORMAL; 0 means 0.02 */
} dp_network_init;

typedef struct dp_network dp_network;

/* `shape`: of one input, without the batch axis. All devices begin with the same bits for a seed. `init` may be NULL. NULL on failure:
 * ERROR_ARGUMENT names the layer and what it does not take. */
DP_API dp_network *dp_network_create(dp_device *device, const dp_layer *layers, int count, dp_shape shape, uint64_t seed,
                                     const dp_network_init *init);
DP_API void dp_network_destroy(dp_network **network); /* nulls the handle; NULL is fine */

/* x: [N, shape ..] to a new tensor. Training: batch statistics and dropout. The network without and with gradients
 * (dp_grad_pause around it) gives the same values up to rounding. */
DP_API dp_tensor *dp_network_forward(dp_network *network, const dp_tensor *x, bool training);
/* Layers first .. last - 1 alone: what comes out of layer `first - 1` to what goes into layer `last`. So the hidden layer k is
 * range(x, 0, k), and the rest of the way is range(hidden, k, count). */
DP_API dp_tensor *dp_network_forward_range(dp_network *network, const dp_tensor *x, int first, int last, bool training);

DP_API int dp_network_layer_count(const dp_network *network);
/* What goes into a layer, without the batch axis; that of layer `count` is what comes out. Rank 0 outside of that. */
DP_API dp_shape dp_network_shape(const dp_network *network, int layer);
DP_API dp_device *dp_network_device(const dp_network *network);

/* Parameters, borrowed, by index in the order of the layers; NULL outside. Names are the network's. */
DP_API int dp_network_parameter_count(const dp_network *network);
DP_API int64_t dp_network_parameter_elements(const dp_network *network); /* of all together */
DP_API dp_tensor *dp_network_parameter(const dp_network *network, int index);
DP_API const char *dp_network_parameter_name(const dp_network *network, int index);
/* What is not learned but belongs to the network: running statistics, and the step of dropout. */
DP_API int dp_network_state_count(const dp_network *network);
DP_API dp_tensor *dp_network_state(const dp_network *network, int index);
DP_API const char *dp_network_state_name(const dp_network *network, int index);
/* A parameter or a state tensor by its name; NULL: there is none. */
DP_API dp_tensor *dp_network_find(const dp_network *network, const char *name);

/* dp_grad_clear of every parameter. */
DP_API void dp_network_grad_clear(dp_network *network);

/* All parameters and state of `from`, which has the same table and may live on another device. */
DP_API dp_status dp_network_copy(dp_network *network, const dp_network *from);
/* An exponential moving average: parameters = decay * parameters + (1 - decay) * from's, decay 0 to 1; the state is copied.
 * On one device, and not recorded. */
DP_API dp_status dp_network_average(dp_network *network, const dp_network *from, double decay);

#ifdef __cplusplus
}
#endif
#endif
