/* SPDX-License-Identifier: Apache-2.0 */
/* Error bounds: how far an f32 result of a device may be from the exact value, element by element.
 *
 * Each call takes what the op takes, all on a "ref" device (others: ERROR_UNSUPPORTED), and returns a tensor of the
 * op's shape: a bound on |computed - exact| that follows from the arithmetic of the op's kernels, whatever the order of
 * their sums: u = 2^-24 is the unit roundoff, and the error of each function is what OpenCL and Vulkan guarantee
 * (docs/precision.md derives them). Infinity where f32 may overflow. It is the exact bound of the algorithm, never
 * adjusted to a driver. */
#ifndef DIPOLE_BOUND_H
#define DIPOLE_BOUND_H

#include <dipole/pairwise.h>

#ifdef __cplusplus
extern "C" {
#endif

DP_API dp_tensor *dp_matmul_bound(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                                  const dp_matmul_params *params);
DP_API dp_tensor *dp_conv2d_bound(dp_device *device, const dp_tensor *x, const dp_tensor *w,
                                  const dp_conv2d_params *params);
DP_API dp_tensor *dp_conv2d_gradient_input_bound(dp_device *device, const dp_tensor *w, const dp_tensor *y_gradient,
                                                 int64_t height, int64_t width, const dp_conv2d_params *params);
DP_API dp_tensor *dp_conv2d_gradient_weights_bound(dp_device *device, const dp_tensor *x, const dp_tensor *y_gradient,
                                                   int64_t rows, int64_t columns, const dp_conv2d_params *params);
DP_API dp_tensor *dp_conv2d_transposed_bound(dp_device *device, const dp_tensor *x, const dp_tensor *w,
                                             const dp_conv2d_transposed_params *params);
DP_API dp_tensor *dp_map_bound(dp_device *device, const char *formula, dp_args args, int output);
/* argmax and argmin: how far the value at the returned index may be from the best one. */
DP_API dp_tensor *dp_reduce_bound(dp_device *device, const dp_tensor *x, dp_reduction reduction, unsigned axes);
DP_API dp_tensor *dp_scatter_add_rows_bound(dp_device *device, const dp_tensor *y, const dp_tensor *index,
                                            int64_t n);
DP_API dp_tensor *dp_scatter_add_bound(dp_device *device, const dp_tensor *y, const dp_tensor *index, int axis,
                                       int64_t n);
DP_API dp_tensor *dp_pairwise_bound(dp_device *device, const char *formula, unsigned mode, dp_args args);
/* Both receive an f32 tensor of the results' shape. *values: how far the t-th value may be from the exact t-th smallest one; *indices:
 * how far the exact value of the pair that a device has at place t may be from it. Either may be NULL, not both. */
DP_API dp_status dp_pairwise_smallest_bound(dp_device *device, const char *formula, int k, unsigned mode, dp_args args,
                                            dp_tensor **values, dp_tensor **indices);

#ifdef __cplusplus
}
#endif
#endif
