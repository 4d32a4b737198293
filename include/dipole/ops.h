/* SPDX-License-Identifier: Apache-2.0 */
/* The primitives but for `pairwise`: cast, matmul, conv2d, map, reduce, gather.
 *
 * Every call checks its arguments, records its work on the device and returns a new contiguous tensor (see tensor.h for
 * ownership and failure). All tensors must live on `device`. Work is asynchronous: dp_read or dp_device_wait bring
 * back what went wrong on the device. f32 means f32: operands and accumulation. Each op's error bound is in bound.h.
 *
 * Storage in f16 or bf16 is the caller's choice alone. Where a call takes "f32, f16 or bf16", each operand may have its own: its elements
 * are exact in f32, all arithmetic and every sum is f32, the result is f32, and the bound is that of f32. */
#ifndef DIPOLE_OPS_H
#define DIPOLE_OPS_H

#include <dipole/formula.h>
#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x as another dtype: f32, f16 or bf16, from any of these. To f32 is exact. To 16 bits every element is rounded once, to the nearest,
 * ties to the even one; beyond the largest (65504 in f16) by half a step or more it becomes an infinity. Denormals of all three are
 * kept, in and out; what is at most half of the least becomes a zero of its sign. A NaN stays one, with its sign and the upper bits of
 * its payload, and is made quiet. The same bits on every device. Any strides; of x's own dtype it is dp_copy. */
DP_API dp_tensor *dp_cast(dp_device *device, const dp_tensor *x, dp_dtype dtype);

/* An epilogue is a formula (docs/formula.md) of one output that matmul and conv2d apply to their result element by element,
 * with no pass over memory in between where the device's kernel can: "max(result + bias, 0)". The name `result` is the op's own
 * result; the other names are those of `epilogue_args`, at most DP_MAX_ARGS - 1: f32 tensors that broadcast to the result's
 * shape (a bias of channels is [K, 1, 1]), or scalars. NULL: none. */

/* C = alpha op(A) op(B) + beta C0. The zero value is the plain product A B. */
typedef struct dp_matmul_params {
    bool transpose_a, transpose_b; /* op(X) is X with its last two axes exchanged */
    float alpha;                   /* 0 means 1 */
    float beta;
    const dp_tensor *c; /* C0, broadcast to the result's shape; needed where beta is not 0 */
    const char *epilogue; /* `result` is alpha op(A) op(B) + beta C0; see above */
    dp_args epilogue_args;
} dp_matmul_params;

/* Matrix product. op(A): [..., m, k], op(B): [..., k, n], each f32, f16 or bf16; C0 and the result, [..., m, n], are f32. Leading axes are
 * batches and broadcast as in NumPy. Any strides. k = 0 gives beta C0 (and its epilogue). `params` may be NULL. */
DP_API dp_tensor *dp_matmul(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                            const dp_matmul_params *params);

/* Two-dimensional convolution, in the sense of machine learning (cross-correlation). Index 0 is the height (rows), 1 the
 * width. The zero value is stride 1, no padding, dilation 1, one group. x with its padding has at most 2^30 rows and columns. */
typedef struct dp_conv2d_params {
    int stride[2];        /* 0 means 1 */
    int padding[2];       /* zeros on both sides of each axis */
    int extra_padding[2]; /* so many more behind the last row or column than before the first; down to -padding */
    int dilation[2];      /* 0 means 1 */
    int groups;           /* 0 means 1; divides both numbers of channels */
    const char *epilogue; /* see above; of the forward convolution alone */
    dp_args epilogue_args;
    /* 2 or 4 allows Winograd's algorithm F(2 x 2, 3 x 3) or F(4 x 4, 3 x 3) in the forward convolution where w is 3 x 3, stride and
     * dilation are 1; elsewhere it changes nothing. It takes 2.25 or 4 times fewer multiplications and its errors are larger:
     * dp_conv2d_bound allows for them then. It needs memory for 4 or 2.25 times x and the result, of some images at a time. */
    int winograd;
} dp_conv2d_params;

/* x: [N, C, H, W], w: [K, C / groups, R, S], result: [N, K, P, Q] with
 * P = (H + 2 padding + extra_padding - dilation (R - 1) - 1) / stride + 1 rounded down, Q alike. x and w are f32, f16 or bf16 each, as
 * are the operands of all four; the result is f32. Any strides:
 * y[n,k,p,q] = sum_{c,r,s} w[k,c,r,s] x[n, g C/groups + c, p stride - padding + r dilation, ...], g = k / (K / groups).
 * `params` may be NULL, as in all of these. */
DP_API dp_tensor *dp_conv2d(dp_device *device, const dp_tensor *x, const dp_tensor *w,
                            const dp_conv2d_params *params);

/* The gradients of L = sum(y_gradient * dp_conv2d(x, w, params)), by x and by w: that is what goes back through a convolution
 * when y_gradient, [N, K, P, Q], is the gradient by its result. `params` are those of the convolution, without an epilogue (what
 * is behind the convolution has a derivative of its own: dp_map). Any strides.
 *
 * To x: w: [K, C / groups, R, S], result: [N, C, height, width]; P and Q must be what height and width give. */
DP_API dp_tensor *dp_conv2d_gradient_input(dp_device *device, const dp_tensor *w, const dp_tensor *y_gradient,
                                           int64_t height, int64_t width, const dp_conv2d_params *params);
/* To w: x: [N, C, H, W], result: [K, C / groups, rows, columns]; P and Q must be what H, W, rows and columns give. */
DP_API dp_tensor *dp_conv2d_gradient_weights(dp_device *device, const dp_tensor *x, const dp_tensor *y_gradient,
                                             int64_t rows, int64_t columns, const dp_conv2d_params *params);

/* Transposed convolution ("deconvolution"): the zero value is stride 1, no padding, dilation 1, one group. */
typedef struct dp_conv2d_transposed_params {
    int stride[2];         /* 0 means 1 */
    int padding[2];        /* rows and columns of the result that are cut off on both sides */
    int extra_padding[2];  /* so many more behind the last than before the first; down to -padding */
    int output_padding[2]; /* rows and columns added behind the last: 0 .. max(stride, dilation) - 1 */
    int dilation[2];       /* 0 means 1 */
    int groups;            /* 0 means 1; divides both numbers of channels */
    const char *epilogue;  /* see above */
    dp_args epilogue_args;
} dp_conv2d_transposed_params;

/* x: [N, C, H, W], w: [C, K / groups, R, S], result: [N, K, P, Q] with
 * P = (H - 1) stride - 2 padding - extra_padding + dilation (R - 1) + output_padding + 1, Q alike, at least 1; dtypes as above, any strides.
 * Each x[n,c,h,..] adds w[c,k,r,s] x[n,c,h,..] to y[n, g K/groups + k, h stride - padding + r dilation, ..], g = c / (C / groups):
 * shapes and values are those of PyTorch's ConvTranspose2d. It is dp_conv2d_gradient_input with the roles named for a layer, so
 * its own gradients are, with the same padding and an output_padding below stride, dp_conv2d(gradient, w) by x, and
 * dp_conv2d_gradient_weights(gradient, x, R, S) by w. */
DP_API dp_tensor *dp_conv2d_transposed(dp_device *device, const dp_tensor *x, const dp_tensor *w,
                                       const dp_conv2d_transposed_params *params);

/* A formula (see docs/formula.md) element by element. Tensors that it names are f32 and broadcast against each other
 * as in NumPy; other names are scalars of the call. The result has the broadcast shape. */
DP_API dp_tensor *dp_map(dp_device *device, const char *formula, dp_args args);

/* The same for a formula with `count` outputs ("m2 = b * m + (1 - b) * g; p - lr * m2, m2"), written into existing f32
 * tensors that have the broadcast shape. An output may be one of the arguments (the same view of it), not overlap it otherwise. */
DP_API dp_status dp_map_into(dp_device *device, const char *formula, dp_args args, dp_tensor *const *outputs,
                             int count);

typedef enum dp_reduction {
    DP_SUM,
    DP_MEAN,      /* NaN over no elements */
    DP_MAX,       /* -infinity over no elements */
    DP_MIN,       /* +infinity over no elements */
    DP_ARGMAX,    /* i32: index of the first maximum; -1 over no elements */
    DP_ARGMIN,    /* i32: index of the first minimum; -1 over no elements */
    DP_LOGSUMEXP, /* log sum exp(x), without overflow; -infinity over no elements */
    DP_REDUCTION_COUNT
} dp_reduction;

DP_API const char *dp_reduction_name(dp_reduction reduction); /* "sum", ... */

/* Axes of a reduction, or'ed: DP_AXIS(0) | DP_AXIS(2). DP_ALL_AXES is all. DP_KEEP_AXES keeps them with size 1. */
#define DP_AXIS(axis) (1u << (axis))
#define DP_ALL_AXES 0xffu
#define DP_KEEP_AXES 0x100u

/* Reduces an f32 tensor over `axes`. Where several are reduced, argmax and argmin count the elements of the reduced
 * axes in row-major order. A NaN among the elements makes the result NaN, or any index. */
DP_API dp_tensor *dp_reduce(dp_device *device, const dp_tensor *x, dp_reduction reduction, unsigned axes);

/* Picks rows: x: [n, ...], index: i32 of any shape s, result: s followed by x's other axes. An embedding lookup.
 * x has any dtype. An index outside of 0 .. n - 1 gives NaN (i32: the least integer). */
DP_API dp_tensor *dp_gather_rows(dp_device *device, const dp_tensor *x, const dp_tensor *index);

/* Picks elements along one axis: index: i32 with x's rank and sizes but along `axis`; result has index's shape:
 * y[.., t, ..] = x[.., index[.., t, ..], ..]. Out of range as above. */
DP_API dp_tensor *dp_gather(dp_device *device, const dp_tensor *x, const dp_tensor *index, int axis);

/* The adjoints: adds each element of f32 `y` where the gather would have read it, in increasing order of the position in
 * `index`, into zeros; an index out of range adds nowhere. The result has n rows, or size n along `axis`. */
DP_API dp_tensor *dp_scatter_add_rows(dp_device *device, const dp_tensor *y, const dp_tensor *index, int64_t n);
DP_API dp_tensor *dp_scatter_add(dp_device *device, const dp_tensor *y, const dp_tensor *index, int axis,
                                 int64_t n);

#ifdef __cplusplus
}
#endif
#endif
