/* SPDX-License-Identifier: Apache-2.0 */
/* What an op hands to a backend: one struct an op. The front (ops/NAME.c) has validated, broadcast and allocated: shapes
 * agree, dtypes are supported, all tensors are on the device, `out` is contiguous unless said otherwise. Tensors of no
 * elements reach a backend only where there is still something to write.
 *
 * `bound`: write the error bound of bound.h instead of the result; only "ref" supports it. */
#ifndef DP_OPS_CALL_H
#define DP_OPS_CALL_H

#include "backend.h"
#include "expr/expr.h"
#include <dipole/ops.h>

/* out[...] = in[...], as bits, any strides on both sides; but an `out` with elements of 16 bits is contiguous and begins its buffer, so
 * that a work-item can write whole words. `in` is broadcast to out's shape already. */
typedef struct dp__copy_call {
    const dp_tensor *in;
    dp_tensor *out;
} dp__copy_call;

/* out[...] = in[...] as out's dtype; both are f32, f16 or bf16, and not the same. `in` has any strides; `out` begins its buffer. */
typedef struct dp__cast_call {
    const dp_tensor *in;
    dp_tensor *out;
} dp__cast_call;

/* See dp_uniform, dp_randn and dp_randint_at. */
typedef struct dp__random_call {
    uint64_t seed;
    const dp_tensor *step; /* f32, one element; NULL: step 0 */
    bool normal;
    uint32_t range; /* 0, or that of whole numbers, which have a step; `out` is i32 then */
    float low, high;
    dp_tensor *out;
} dp__random_call;

/* What is done to an op's result element by element before it is stored. `expr` has one scalar output; its symbol
 * `result_symbol` is the result itself, each other one is `in[s]`, broadcast to the result's shape (strides), or where that is
 * NULL the scalar `scalar[s]`. The expression is as the user wrote it: not simplified yet. */
typedef struct dp__epilogue {
    const dp__expr *expr;
    int result_symbol;
    const dp_tensor *in[DP_MAX_ARGS];
    float scalar[DP_MAX_ARGS];
} dp__epilogue;

/* out = epilogue(alpha a b + beta c). Transposes are in the strides: a is [B.., m, k], b [B.., k, n], c (NULL with beta 0) and
 * out [B.., m, n], all of the same rank and batch shape; broadcast batches have stride 0. a and b are f32, f16 or bf16 each. */
typedef struct dp__matmul_call {
    const dp_tensor *a, *b, *c;
    dp_tensor *out;
    float alpha, beta;
    const dp__epilogue *epilogue; /* NULL: none */
    bool bound;
} dp__matmul_call;

/* The three products of one convolution. With h(p, r) = p stride - padding before + r dilation, and columns alike, they are sums
 * over all but the indices of what is written, where h and its column are inside of x:
 *   FORWARD            y[n,k,p,q] = sum  w[k,c,r,s] x[n,h(p,r),..]
 *   GRADIENT_INPUT     x[n,c,h,..] = sum  w[k,c,r,s] y[n,k,p,q]  over h(p, r) = h
 *   GRADIENT_WEIGHTS   w[k,c,r,s] = sum  x[n,c,h(p,r),..] y[n,k,p,q]
 * c and k in one of `groups` groups. x: [N, C, H, W], w: [K, C / groups, R, S], y: [N, K, P, Q]. The kind's own one is the
 * output; the other two are only read, have any strides, and are f32, f16 or bf16 each. P follows from H but for a rest that no
 * window reaches; where x is the output of a transposed convolution, H may also be larger than what the windows cover: padding[axis][1] is then less than
 * 0. A kernel needs the sizes and padding[axis][0] alone. */
typedef enum dp__conv2d_kind {
    DP__CONV2D_FORWARD,
    DP__CONV2D_GRADIENT_INPUT,
    DP__CONV2D_GRADIENT_WEIGHTS
} dp__conv2d_kind;

typedef struct dp__conv2d_call {
    dp__conv2d_kind kind;
    dp_tensor *x, *w, *y;
    int stride[2], dilation[2], padding[2][2], groups; /* by axis, height first; padding: before, behind; defaults filled in */
    const dp__epilogue *epilogue;                      /* of FORWARD and GRADIENT_INPUT; NULL: none */
    /* 2 or 4: F(2 x 2, 3 x 3) or F(4 x 4, 3 x 3) is allowed, and fits: FORWARD, 3 x 3, stride 1, dilation 1; else 0. Tiles start at
     * p = q = 0: the bound depends on an element's place in its tile. */
    int winograd;
    bool bound;
} dp__conv2d_call;

static inline dp_tensor *dp__conv2d_out(const dp__conv2d_call *call)
{
    return call->kind == DP__CONV2D_FORWARD ? call->y : call->kind == DP__CONV2D_GRADIENT_INPUT ? call->x : call->w;
}

/* Element by element. Symbol s of the formula is `in[s]`, broadcast to the shape of the outputs (strides), or where that is
 * NULL the scalar `scalar[s]`. Outputs have any strides; an output may be the same view as an input. */
typedef struct dp__map_call {
    const dp__expr *expr;
    const dp_tensor *in[DP_MAX_ARGS];
    float scalar[DP_MAX_ARGS];
    dp_tensor *out[DP_MAX_OUTPUTS];
    bool bound; /* then out[0] takes the bound of output `bound_output` */
    int bound_output;
} dp__map_call;

/* x has rank kept + reduced: its axes are permuted so that the kept ones come first; out has the kept axes, row-major. */
typedef struct dp__reduce_call {
    const dp_tensor *x;
    dp_tensor *out;
    dp_reduction reduction;
    int reduced; /* how many of x's last axes are reduced */
    bool bound;
} dp__reduce_call;

/* out[o, t, i] = x[o, index[o, t, i], i], as bits; all three of rank 3, any strides, index broadcast where rows are picked. out begins
 * its buffer. */
typedef struct dp__gather_call {
    const dp_tensor *x, *index;
    dp_tensor *out;
} dp__gather_call;

/* out[o, index[o, t, i], i] += y[o, t, i] from zeros, in increasing order of t; all three of rank 3. */
typedef struct dp__scatter_add_call {
    const dp_tensor *y, *index;
    dp_tensor *out;
    bool bound;
} dp__scatter_add_call;

/* Which pairs of a pairwise call there are: problem p has the rows first_i[p] .. first_i[p + 1] - 1 and first_j[p] ... of j. */
typedef struct dp__pair_segments {
    int64_t problems;
    const int64_t *first_i, *first_j;
    const dp_tensor *mask; /* f32 or i32 [tiles of i, tiles of j], any strides: 0 leaves out; NULL: none */
    int tile;
    bool each;   /* `all`: one result a problem, else one of them all */
    bool within; /* argmax, argmin: j counts from the problem's first row */
} dp__pair_segments;

/* Always over j with i kept: DP_OVER_I was turned around by exchanging the sides of the formula. Symbol s is `in[s]` (rank 1
 * or 2 where it is indexed, 0 or 1 where it is of the call) or `scalar[s]`. `all`: reduce over i too. out[o] is [n, d] for an
 * output that is a vector, [n] for a scalar, with n = 1 for `all` (with segments->each, the number of problems). argmax and
 * argmin have one output. `bound`: one too. */
typedef struct dp__pairwise_call {
    const dp__expr *expr;
    const dp_tensor *in[DP_MAX_ARGS];
    float scalar[DP_MAX_ARGS];
    dp_tensor *out[DP_MAX_OUTPUTS];
    dp_reduction reduction;
    bool all, exclude_self, bound;
    int64_t n, m;
    const dp__pair_segments *segments; /* NULL: all pairs, one problem */
} dp__pairwise_call;

/* The k smallest values of each row of pairs, and their indices: `pairs` is a call of one scalar output, of which out,
 * reduction and all are not used. values and indices are [n, k]; with pairs.bound indices is f32 too. */
typedef struct dp__pairwise_smallest_call {
    dp__pairwise_call pairs;
    int k;
    dp_tensor *values, *indices;
} dp__pairwise_smallest_call;

/* dispatch.c: the only crossing into a backend. */
dp_status dp__dispatch(dp_device *device, dp__op op, const void *call);
dp_status dp__dispatch_source(dp_device *device, dp__op op, const void *call, dp_dialect dialect, dp__text *text);
dp_status dp__buffer_write(dp__buffer *buffer, uint64_t offset, const void *data, uint64_t bytes);
dp_status dp__buffer_read(dp__buffer *buffer, uint64_t offset, void *data, uint64_t bytes);

#endif
