/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers. All of their state is on the device and a step reads nothing back, so it may stand in a program (program.h). */
#ifndef DIPOLE_OPTIMIZER_H
#define DIPOLE_OPTIMIZER_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dp_optimizer_kind {
    DP_SGD,   /* g += weight_decay p; m = momentum m + g; p -= rate m, or with nesterov rate (g + momentum m) */
    DP_ADAM,  /* Kingma, Ba 2015, algorithm 1, with g += weight_decay p */
    DP_ADAMW, /* Loshchilov, Hutter 2019, algorithm 2, as PyTorch has it: p -= rate weight_decay p, then Adam */
    DP_OPTIMIZER_COUNT
} dp_optimizer_kind;

DP_API const char *dp_optimizer_name(dp_optimizer_kind kind); /* "sgd"; "unknown" outside of the enum */

typedef struct dp_optimizer_params {
    dp_optimizer_kind kind;
    double rate; /* 0 means 1e-3 (SGD: 1e-2) */
    /* NULL, or a formula (docs/formula.md) of `t`, the number of the step, from 1, and `rate`, that gives the rate of each step:
     * "2e-4 * 0.5^floor(t / 1000)", "min(t / 100, 1) * rate". */
    const char *schedule;
    double momentum; /* of SGD, 0 to below 1 */
    bool nesterov;   /* with a momentum */
    double beta1, beta2; /* of Adam: 0 means 0.9 and 0.999; DP_ZERO means 0 */
    double epsilon;      /* of Adam: 0 means 1e-8 */
    double weight_decay;
    double clip_norm; /* above 0: all gradients together are scaled down to this norm where theirs is larger; 0: never */
} dp_optimizer_params;

/* A number that is 0 where 0 would mean the default. */
#define DP_ZERO (-1.0)

typedef struct dp_optimizer dp_optimizer;

/* For `count` f32 parameters, which are retained. `names`: one each, for the state's names, or NULL for "0", "1", ... (copied).
 * `params` may be NULL: SGD. NULL on failure: ERROR_ARGUMENT, ERROR_FORMULA of the schedule, ERROR_MEMORY. */
DP_API dp_optimizer *dp_optimizer_create(dp_device *device, dp_tensor *const *parameters, const char *const *names, int count,
                                         const dp_optimizer_params *params);
struct dp_network;
/* For all parameters of a network, with their names. */
DP_API dp_optimizer *dp_optimizer_of(const struct dp_network *network, const dp_optimizer_params *params);
/* Nulls the handle; NULL is fine. Before the device is closed. */
DP_API void dp_optimizer_destroy(dp_optimizer **optimizer);

/* One step: parameters and state are changed in place, in one pass over memory for each parameter (and one more over the gradients where
 * their norm is clipped). `gradients`: of the parameters' shapes, NULL for one that is left alone; or NULL altogether for dp_grad of each, where
 * a parameter that has none is left alone. They stay as they are: dp_grad_clear is the caller's. */
DP_API dp_status dp_optimizer_step(dp_optimizer *optimizer, const dp_tensor *const *gradients);

/* The state, borrowed, for checkpoints: "t", steps so far (f32); for Adam "s1" and "s2", sums of the weights of both averages; then for each
 * parameter "m.NAME", and for Adam "v.NAME". Written with dp_write or dp_map_into they are taken up by the next step. */
DP_API int dp_optimizer_state_count(const dp_optimizer *optimizer);
DP_API dp_tensor *dp_optimizer_state(const dp_optimizer *optimizer, int index);      /* NULL outside */
DP_API const char *dp_optimizer_state_name(const dp_optimizer *optimizer, int index); /* NULL outside */
/* The rate of the last step, an f32 scalar on the device, borrowed; with a schedule 0 before the first. */
DP_API dp_tensor *dp_optimizer_rate(const dp_optimizer *optimizer);

#ifdef __cplusplus
}
#endif
#endif
