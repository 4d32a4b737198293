/* SPDX-License-Identifier: Apache-2.0 */
/* Reverse-mode differentiation. Calls whose arguments require a gradient are recorded; dp_backward and dp_gradients go back through
 * them. Every rule is written in the calls of this library, so gradients exist on every device, and have gradients themselves.
 *
 *     dp_require_grad(w);
 *     dp_tensor *loss = ...;          anything of dp_matmul, dp_conv2d, dp_map, dp_reduce, dp_gather, dp_pairwise, views, ...
 *     dp_backward(loss);              dp_grad(w) is dloss/dw now
 *
 * What is differentiable, and how often: docs/gradients.md. Every call that returns f32 values made of its tensors, but for
 * dp_pairwise_smallest, whose values end with an error where a gradient comes to them, and the gradients that metric.h and loss.h
 * return. dp_map_into, dp_write and dp_fill change a tensor in place and are not recorded; a pass that needs what they changed ends
 * with an error. Where a function has no derivative, docs/formula.md says what is taken; a max or min shares among equal
 * elements. A recorded call keeps its arguments alive until its result is gone or dp_backward has passed. */
#ifndef DIPOLE_GRAD_H
#define DIPOLE_GRAD_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Marks a tensor as one to which gradients are wanted: f32, and not itself the result of a recorded call (dp_detach it first). What
 * is computed from this handle after that is recorded. */
DP_API dp_status dp_require_grad(dp_tensor *x);
/* Whether a gradient can go back to it or through it. */
DP_API bool dp_requires_grad(const dp_tensor *x);
/* A view of the same memory that gradients do not go through. */
DP_API dp_tensor *dp_detach(dp_tensor *x);

/* While paused nothing is recorded. Calls nest: as many resumes as pauses. */
DP_API void dp_grad_pause(dp_device *device);
DP_API void dp_grad_resume(dp_device *device);

/* Gradients of `loss`, a tensor of one element, by every tensor marked by dp_require_grad that it depends on: added to
 * what dp_grad has. The recorded calls are freed: another dp_backward through them is an error. ERROR_ARGUMENT too where
 * a tensor that a gradient needs was changed in place after its use. Sums are added in the same order each time. */
DP_API dp_status dp_backward(const dp_tensor *loss);
/* What dp_backward has found for x, of its shape: borrowed, and valid until dp_grad_clear or the end of x. NULL: nothing yet. */
DP_API const dp_tensor *dp_grad(const dp_tensor *x);
DP_API void dp_grad_clear(dp_tensor *x);

enum {
    DP_GRADIENT_KEEP = 1,   /* the recorded calls may be gone through again */
    DP_GRADIENT_RECORD = 2, /* the gradients' own computation is recorded, so that they have gradients; keeps as well */
};

/* dL/d(wrt[k]) with L = the sum of cotangent * output, new tensors of the shapes of wrt, for any tensors on the way, not only
 * marked ones: nothing is computed that they do not need, and nothing is added to dp_grad. Zeros where the output does not depend
 * on one. `cotangent`: output's shape; NULL: all 1. On failure all are NULL. */
DP_API dp_status dp_gradients(const dp_tensor *output, const dp_tensor *cotangent, dp_tensor *const *wrt, int count,
                              unsigned flags, dp_tensor **gradients);

/* A function of tensors with a single number as its result, on any device; what it is given is marked. NULL on failure. */
typedef dp_tensor *(*dp_grad_function)(dp_device *device, dp_tensor *const *x, int count, void *context);

typedef struct dp_grad_check_result {
    double worst;      /* the largest error of an element in units of what is allowed: up to 1 is right */
    int argument;      /* where that is: x[argument], */
    int64_t element;   /* this element, */
    double gradient, difference, allowed; /* the two derivatives, and by how much they may differ */
} dp_grad_check_result;

/* Compares the gradients of f on x's device, by each of up to 16 f32 tensors x, with central differences of f on the reference, at
 * every element (at most `limit` of each tensor, evenly spread; 0: all). order 1: of f; order 2: of a fixed random linear form of its gradient, recorded.
 * What is allowed comes from the differences themselves: how much those of step h, h / 2 and h / 4 disagree, and the rounding of f32
 * divided by the step; a kink of f within h of a coordinate of x shows as an error or hides one. `step`: h as a part of each element's size, or of 1 where that is
 * larger; 0 means 1/32. ERROR_ARGUMENT where f is no tensor of one element. */
DP_API dp_status dp_grad_check(dp_grad_function f, void *context, dp_tensor *const *x, int count, int order, double step,
                               int64_t limit, dp_grad_check_result *result);

#ifdef __cplusplus
}
#endif
#endif
