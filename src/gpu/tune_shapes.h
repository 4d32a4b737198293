/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that the tuner is told as text, and the list that it takes where it is told none. */
#ifndef DP_GPU_TUNE_SHAPES_H
#define DP_GPU_TUNE_SHAPES_H

#include "gpu/trial.h"

extern const char *const dp__tune_shapes[]; /* ends with NULL */

/* Reads "matmul 512x512x512 nt batches=8": M, N and K, transposes of a and b, batches; or "conv2d
 * 16x64x28x28x128x3x3 stride=2 padding=0", also conv2d_input and conv2d_weights, the gradients: N x C x H x W
 * images, K filters of R x S; padding is (R - 1) / 2 by default. False, with the reason, where it is neither.
 */
bool dp__tune_shape_read(const char *text, dp__trial_shape *shape, char message[256]);
/* Whether the shape's text is of that op. */
bool dp__tune_shape_is(const char *text, const char *op);

/* Halves sizes until the work is at most `flops` and all tensors together at most `bytes`. False where that
 * cannot be. */
bool dp__tune_shape_cut(dp__trial_shape *shape, double flops, uint64_t bytes);

#endif
