/* SPDX-License-Identifier: Apache-2.0 */
/* Pairwise reductions of many problems in one call, and of pairs that are left out in blocks.
 *
 * A problem is a run of rows on either side: its points meet each other and no others. Problems of one size are a batch,
 * of any sizes a ragged one: in both cases one call, one pass, and no padding. */
#ifndef DIPOLE_BATCH_H
#define DIPOLE_BATCH_H

#include <dipole/pairwise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which pairs of the rows there are. The zero value: all of them, one problem. Everything is read before the call returns.
 *
 * Results: DP_OVER_J has one for every row of i as ever, reduced over the rows j of its own problem, DP_OVER_I the reverse,
 * and DP_OVER_ALL one for every problem: shape [problems], or [problems, d]. A mean divides by the pairs that are there;
 * where there are none the result is that of dp_reduction over nothing. DP_EXCLUDE_SELF leaves out pairs of the same
 * position in their problem, whose numbers of rows must then agree. argmax and argmin count rows as they are counted in
 * the tensor: they can be given to dp_gather_rows; with `batch` from the problem's first row, for dp_gather along axis 1.
 * Tensors with plain names are shared by all problems; a value that differs between them is a tensor of rank 1, indexed. */
typedef struct dp_pair_options {
    /* How many. 0: one that has no axis of its own in the result; or, with `batch`, B; or, with offsets, none. */
    int64_t problems;
    /* Problem p has the rows offsets_i[p] .. offsets_i[p + 1] - 1 of the tensors that are indexed by i: problems + 1 numbers from 0
     * to the number of rows, none below the one before. NULL: equal parts. The same for j. */
    const int64_t *offsets_i, *offsets_j;
    /* The tensors that are indexed have one more axis in front, of one size for all: [B, n, d], or [B, n] for scalars. So have
     * the results: [B, n], [B, m] or [B], and d. No offsets then. */
    bool batch;
    /* f32 or i32 of shape [rows i / tile, rows j / tile], rounded up. Where element (a, b) is 0, the pairs of rows i
     * from a tile and j from b tile on, up to `tile` of each, are left out, and cost next to nothing. NULL: none. Rows are
     * counted in the tensors, whatever the problems; with `batch`, as if the first two axes were one. */
    const dp_tensor *mask;
    int tile; /* a multiple of 32; what takes most of its time in whole tiles of 128 is fastest. Unused without a mask */
} dp_pair_options;

/* dp_pairwise and its like (pairwise.h, bound.h) for those pairs; `options` may be NULL. Memory besides what those take: 16
 * bytes for every few rows. With a mask a mean has one output less, and a gradient with problems, or of a mean with a
 * mask, one argument less. More errors: ERROR_ARGUMENT where offsets, sizes, mask or tile are not as said above. */
DP_API dp_tensor *dp_pairwise_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                   const dp_pair_options *options);
DP_API dp_status dp_pairwise_many_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                       const dp_pair_options *options, dp_tensor **results, int count);
/* The cotangent has the result's shape. A gradient to an argument that all problems share is the sum over them. */
DP_API dp_status dp_pairwise_gradient_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                           const dp_pair_options *options, const dp_tensor *cotangent,
                                           const char *const *wrt, int count, dp_tensor **gradients, dp_tensor **value);
DP_API dp_tensor *dp_pairwise_bound_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                         const dp_pair_options *options);

/* Masks by distance. Rows that are neighbours in memory should be so in space, or nothing is won: sort first. */

/* The mask of a cut-off: x: [n, d] (or [n]), y: [m, d], both f32; result: f32 of shape [n / tile, m / tile], rounded up, 0 where
 * every pair of the two tiles is farther apart than `radius` (Euclidean, as the coordinates' boxes tell), else 1. No pair
 * within the radius is ever left out, however the distances round: the formula has the cut-off itself, such as
 *   "r2 = sqdist(x[i], x[j]); select(r2 < 0.01, rsqrt(r2 + 1e-4), 0)",
 * and gives the same sum, in about the time of the pairs that are left. Memory: that of the result, twice, and O(n + m).
 * Errors: ERROR_ARGUMENT for shapes, a tile that is no positive multiple of 32, a radius that is negative or no number. */
DP_API dp_tensor *dp_pair_mask_cutoff(dp_device *device, const dp_tensor *x, const dp_tensor *y, int tile,
                                      double radius);

/* An order of the rows of x in which each tile is a compact box of space: i32 of shape [n], for dp_gather_rows. What else
 * these points have needs it as well, and results come in the new order: `inverse` (may be NULL) receives the order that
 * takes them back, by dp_gather_rows too. A k-d tree whose cells are cut at whole tiles; NaNs come last. With `problems`
 * above 0 rows stay in their problem, as in dp_pair_options. Works on the host, in O(n log n) on average, and waits for x. */
DP_API dp_tensor *dp_sort_spatial(dp_device *device, const dp_tensor *x, int tile, int64_t problems,
                                  const int64_t *offsets, dp_tensor **inverse);

#ifdef __cplusplus
}
#endif
#endif
