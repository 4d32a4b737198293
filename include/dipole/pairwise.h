/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions over all pairs of points of a formula, without ever storing the N x M matrix. */
#ifndef DIPOLE_PAIRWISE_H
#define DIPOLE_PAIRWISE_H

#include <dipole/ops.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a pairwise call reduces (see dp_reduction) and over which side; DP_EXCLUDE_SELF may be or'ed to it. */
#define DP_OVER_J 0x000u   /* for every i, over j: N results */
#define DP_OVER_I 0x100u   /* for every j, over i: M results */
#define DP_OVER_ALL 0x200u /* over all pairs: one result */
#define DP_EXCLUDE_SELF 0x400u /* leave out the pairs with i = j; a mean divides by the pairs that are left */

enum {
    DP_SUM_J = DP_SUM | DP_OVER_J,
    DP_MEAN_J = DP_MEAN | DP_OVER_J,
    DP_MAX_J = DP_MAX | DP_OVER_J,
    DP_MIN_J = DP_MIN | DP_OVER_J,
    DP_ARGMAX_J = DP_ARGMAX | DP_OVER_J,
    DP_ARGMIN_J = DP_ARGMIN | DP_OVER_J,
    DP_LOGSUMEXP_J = DP_LOGSUMEXP | DP_OVER_J,
    DP_SUM_I = DP_SUM | DP_OVER_I,
    DP_MEAN_I = DP_MEAN | DP_OVER_I,
    DP_MAX_I = DP_MAX | DP_OVER_I,
    DP_MIN_I = DP_MIN | DP_OVER_I,
    DP_ARGMAX_I = DP_ARGMAX | DP_OVER_I,
    DP_ARGMIN_I = DP_ARGMIN | DP_OVER_I,
    DP_LOGSUMEXP_I = DP_LOGSUMEXP | DP_OVER_I,
    DP_SUM_ALL = DP_SUM | DP_OVER_ALL,
    DP_MEAN_ALL = DP_MEAN | DP_OVER_ALL,
    DP_MAX_ALL = DP_MAX | DP_OVER_ALL,
    DP_MIN_ALL = DP_MIN | DP_OVER_ALL,
    DP_LOGSUMEXP_ALL = DP_LOGSUMEXP | DP_OVER_ALL
};

/* For every i (or j, or in all) reduces `formula` over the other side. In the formula `x[i]` and `x[j]` are row i or j of
 * a tensor: a scalar where it has rank 1, a vector of d components where it is [N, d]; a plain name is a scalar of the
 * call, or a tensor of rank 0 (scalar) or 1 (vector of the call). All tensors are f32, of any strides. Those that are
 * indexed by i agree in N, those by j in M, and each side must occur.
 *
 * `mode` is one of the constants above. The result has shape [N], [M] or [] for a scalar formula, and one more axis of
 * size d for a vector one; argmax and argmin are for scalar formulas, give i32 and need DP_OVER_I or DP_OVER_J. Over
 * no pairs as in dp_reduction. Memory besides arguments and result is O(N d + M).
 *
 * Example: energy of charges in 3-D, Plummer softened.
 *   dp_pairwise(dev, "0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)", DP_SUM_ALL | DP_EXCLUDE_SELF,
 *               DP_ARGS({"x", x}, {"q", q}, {.name = "eps", .scalar = 1e-3}));
 * Errors: ERROR_FORMULA (message with the column), ERROR_ARGUMENT, ERROR_UNSUPPORTED, ERROR_MEMORY. */
DP_API dp_tensor *dp_pairwise(dp_device *device, const char *formula, unsigned mode, dp_args args);

/* The same for a formula with `count` outputs (1 to DP_MAX_OUTPUTS), such as an energy and a force, in one pass over the pairs:
 *   "r = rsqrt(sqdist(x[i], y[j]) + eps^2); r, r^3 * (y[j] - x[i])"
 * results[o] receives a new reference to output o's tensor; on failure each is NULL. Not for argmax and argmin. */
DP_API dp_status dp_pairwise_many(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                  dp_tensor **results, int count);

/* The k smallest values of every row of pairs, k from 1 to DP_MAX_SMALLEST: for each i the smallest over all j, in increasing
 * order, equal ones by increasing j. With a distance as the formula these are the k nearest neighbours:
 *   dp_pairwise_smallest(dev, "sqdist(x[i], y[j])", 5, DP_OVER_J, DP_ARGS({"x", x}, {"y", y}), &distances, &neighbours);
 * The k largest are the smallest of the formula with its sign changed.
 *
 * `formula` has one scalar output; arguments as in dp_pairwise. `mode` is DP_OVER_J, or DP_OVER_I (for each j the smallest over
 * all i), and DP_EXCLUDE_SELF may be or'ed to it. *values receives a new f32 tensor of shape [N, k] ([M, k] for DP_OVER_I) and
 * *indices an i32 one, of which j (or i) it was; `values` may be NULL where nobody wants them. A pair whose value is NaN or +infinity is
 * never taken. Where fewer than k pairs are left, the rest of the row is +infinity, with index -1. On failure both are NULL.
 *
 * The matrix of values is never stored: memory is O(N d + M d + N k), and where there are few i and many j up to 128 MiB for
 * lists of parts of j. Errors: as dp_pairwise; ERROR_ARGUMENT too for k out of range, another mode, `indices` at NULL. */
#define DP_MAX_SMALLEST 128
DP_API dp_status dp_pairwise_smallest(dp_device *device, const char *formula, int k, unsigned mode, dp_args args,
                                      dp_tensor **values, dp_tensor **indices);

/* Gradients of a pairwise reduction. With L = the sum of cotangent * dp_pairwise(formula, mode, args) over all elements
 * (`cotangent`: the shape of that result; NULL: all 1), gradients[k] receives dL / d(argument wrt[k]), a new tensor of that
 * argument's shape ([] for a scalar). The formula is differentiated symbolically, on both sides where an argument stands on
 * both; where it has no derivative, docs/formula.md says what is taken. `value` (may be NULL) receives the result itself; of sums,
 * means, max and min from the same pass as the gradients on the kept side. On failure all are NULL.
 *
 * One pass over the pairs for each side on which a name stands. Without a cotangent of its own for each i, one pass is enough for
 * both sides where the form of the formula shows that i and j may be exchanged (q[i] * q[j] * norm(x[i] - x[j])).
 *
 * `mode`: a sum, mean or log-sum-exp over j, i or all; max or min of a scalar formula over j or i.
 * - Log-sum-exp: each pair has the weight exp(f - L), which is made again in each pass and never stored. A pair whose weight is 0
 *   (in f32: f is some 88 to 104 below L, or -inf) adds nothing, whatever its derivative; so where all terms are -inf the gradient is
 *   0. Where L is +inf or NaN the gradients are NaN.
 * - Max, min: all to the pair that won, of equal ones the one of the lowest index: a subgradient. Beyond the pass that finds
 *   it, O(N d) work, and a scatter-add for what is indexed by the other side. Over no pairs: 0. Where a NaN is among the terms:
 *   NaN, or that of any pair.
 *
 * Memory: O(N d + M d). Errors: as dp_pairwise; ERROR_ARGUMENT too for a name that is no argument, a cotangent of another shape,
 * more than DP_MAX_OUTPUTS - 1 names, an argmax or argmin, a max or min over all, no room in DP_MAX_ARGS (the cotangent, the L of
 * a log-sum-exp, and each argument of a max or min that is indexed by both i and j take one each); ERROR_FORMULA for a max or min
 * of vectors. */
DP_API dp_status dp_pairwise_gradient(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                      const dp_tensor *cotangent, const char *const *wrt, int count,
                                      dp_tensor **gradients, dp_tensor **value);

/* The product of the Hessian with a vector: with L = the sum of dp_pairwise(formula, mode, args) over all its elements, returns
 * d/dw of the sum of direction * dL/dw, for w = the argument `wrt`: a new tensor of its shape, which is the shape of
 * `direction` too ([] for a scalar). Where w stands on both sides, so does the direction, and all its second derivatives count.
 * Differentiated symbolically, twice, in one pass a side; docs/formula.md says what is taken where there is no derivative.
 *
 * `mode`: a sum or mean, over j, i or all. Memory: O((N + M) d). Errors: as dp_pairwise; ERROR_ARGUMENT too for a name that is
 * no argument and a direction of another shape. */
DP_API dp_tensor *dp_pairwise_hvp(dp_device *device, const char *formula, unsigned mode, dp_args args, const char *wrt,
                                  const dp_tensor *direction);

/* Sums weighted with a softmax, as in attention: for every i, the sum over j of softmax_j(score_ij) * value_ij. `score` is a
 * scalar formula, `value` a scalar or a vector one; both share `args`, and between them each side must occur. `mode`: DP_SUM_J,
 * DP_SUM_I or DP_SUM_ALL (one softmax over all pairs), with DP_EXCLUDE_SELF or without. The result has the shape of a sum's.
 *   dp_pairwise_softmax(dev, "s * dot(q[i], k[j])", "v[j]", DP_SUM_J, DP_ARGS({"q", q}, {"k", k}, {"v", v}, {.name = "s", .scalar = 0.125}))
 * Two passes: log-sum-exp, then the sum of exp(score - L) * value; nothing overflows, and memory is O(N d + M d). A pair of weight
 * 0, such as a score of -inf, adds nothing, whatever its value: select(mask, s, -inf) masks. Where there is no pair, or all
 * scores are -inf, the result is 0; where a score is +inf or NaN it is NaN. Errors: as dp_pairwise. */
DP_API dp_tensor *dp_pairwise_softmax(dp_device *device, const char *score, const char *value, unsigned mode, dp_args args);

/* Its gradients, which with p = softmax(score) and O = the result are sums over pairs of
 * p * ((cotangent . (value - O)) dscore + cotangent . dvalue); arguments as dp_pairwise_gradient; `result` (may be NULL): O. Takes
 * two of DP_MAX_ARGS, and one for a cotangent. */
DP_API dp_status dp_pairwise_softmax_gradient(dp_device *device, const char *score, const char *value, unsigned mode,
                                              dp_args args, const dp_tensor *cotangent, const char *const *wrt, int count,
                                              dp_tensor **gradients, dp_tensor **result);

#ifdef __cplusplus
}
#endif
#endif
