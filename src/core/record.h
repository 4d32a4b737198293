/* SPDX-License-Identifier: Apache-2.0 */
/* Recording for differentiation, as ops see it. Core keeps how a tensor was computed beside the tensor and
 * knows nothing else of it; src/grad makes that and goes back through it. An op calls dp__record with its
 * result when it is done:
 *
 *     dp_tensor *dp_gather(...)
 *     {
 *         dp_tensor *out = gather(...);
 *         return dp__record(out, &(dp__record_call){.rule = DP__RULE_gather, .inputs = {x, index},
 * .input_count = 2, ...});
 *     }
 *
 * Public calls inside of an op's own work would be recorded too, where their arguments are the op's:
 * dp__record_pause() around. */
#ifndef DP_CORE_RECORD_H
#define DP_CORE_RECORD_H

#include "core/core.h"
#include <dipole/formula.h>

typedef enum dp__rule {
#define DP_RULE(name, reads) DP__RULE_##name,
#include "core/rules.def"
#undef DP_RULE
    DP__RULE_COUNT
} dp__rule;

/* What rules need of calls that have no struct of their own. */
typedef struct dp__reduce_params {
    int reduction; /* dp_reduction */
    unsigned axes;
} dp__reduce_params;

typedef struct dp__slice {
    int axis;
    int64_t start, stop, step;
    dp_shape shape; /* of what is sliced */
} dp__slice;

/* y = f(x w^T + b); its inputs are x [rows, in], w, and b or NULL. */
typedef struct dp__linear_params {
    const char *derivative; /* static: what goes back through f, a formula of y, g and slope; NULL: f is the identity */
    double slope;
} dp__linear_params;

/* y = f((x - mean) * inverse * scale + shift), with mean and inverse = rsqrt(variance + epsilon) of x itself over `axes`. Its inputs are
 * x, scale and shift (either may be NULL; they broadcast to x), mean and inverse; the last two only save computing them again. */
typedef struct dp__normalize_params {
    unsigned axes;
    bool inner;             /* scale and shift differ along `axes`; then f is the identity */
    double epsilon, slope;
    const char *derivative; /* static: what goes back through f, a formula of z, g and slope; NULL: f is the identity */
} dp__normalize_params;

/* Of a call over pairs: its options, with what they point to behind it. The inputs are the arguments' tensors, then the mask, then
 * the cotangent. */
typedef struct dp__pairs {
    unsigned mode;
    int name;       /* of a gradient: the argument that it is to */
    bool with;      /* there were options: */
    int64_t problems;
    bool batch;
    int tile;
    int64_t offset_i, offset_j, value; /* bytes from here to them, and to the formula of a softmax's value; 0: none */
} dp__pairs;

#define DP__MAX_RECORDED (DP_MAX_ARGS + 4)

/* A call of an op. All is copied; tensors are retained. */
typedef struct dp__record_call {
    dp__rule rule;
    const dp_tensor *inputs[DP__MAX_RECORDED]; /* what it was computed from; any may be NULL */
    int input_count;
    const char *formula; /* NULL: none */
    dp_args args;        /* their tensors are the first inputs, one by one */
    const void *params;  /* plain data of the rule's own */
    size_t bytes;
    /* NULL, or for each input that is tracked the gradient of the result, a number, which the call made already: a pass
     * that is not recorded multiplies these instead of asking the rule. */
    dp_tensor *const *fused;
} dp__record_call;

/* src/grad's functions, in the device once something on it requires a gradient. */
typedef struct dp__recorder {
    dp_status (*record)(dp_tensor *out, const dp__record_call *call);
    void (*free)(struct dp__history *history); /* may release tensors */
} dp__recorder;

/* Whether one of them is computed from something that requires a gradient, and recording is on. */
bool dp__recording(const dp_device *device, const dp_tensor *const *inputs, int count);
bool dp__recording_args(const dp_device *device, dp_args args);

/* Returns `out` (NULL is fine), whose history is the call now where dp__recording of its inputs; NULL, with
 * `out` released, where memory is out. */
dp_tensor *dp__record(dp_tensor *out, const dp__record_call *call);

/* A call has written to `out` in place. `followed`: whether gradients should have gone back from there to its arguments
 * (dp__recording of them); where such values come to a backward pass later, it fails. */
void dp__record_written(dp_tensor *out, bool followed);

void dp__record_pause(dp_device *device); /* NULL is fine */
void dp__record_resume(dp_device *device);

#endif
