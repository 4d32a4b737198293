/* SPDX-License-Identifier: Apache-2.0 */
/* The three products of a convolution, each as the sum that stands in call.h. */
#include "ref.h"
#include <float.h>
#include <math.h>

typedef struct sums {
    double sum, magnitude, lost; /* as in matmul.c */
    double terms;
} sums;

static double element(const dp_tensor *tensor, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t *stride = tensor->stride;
    return (double)dp__ref_value(tensor, tensor->offset + a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3]);
}

static void add(sums *to, bool bound, double a, double b)
{
    to->sum += a * b;
    if (!bound)
        return;
    to->magnitude += fabs(a * b);
    to->lost += fabs(a) * dp__bound_flush(b) + fabs(b) * dp__bound_flush(a);
    to->terms++;
}

/* The place in x, along one axis, that element `tap` of the kernel has in window `window`; -1 in the padding. */
static int64_t place(const dp__conv2d_call *call, int axis, int64_t window, int64_t tap)
{
    const int64_t at = window * call->stride[axis] - call->padding[axis][0] + tap * call->dilation[axis];
    return at < call->x->shape.dim[2 + axis] ? DP_MAX2(at, -1) : -1;
}

/* The window in which place `at` of x has element `tap` of the kernel; -1 where there is none. */
static int64_t window_of(const dp__conv2d_call *call, int axis, int64_t at, int64_t tap)
{
    const int64_t first = at + call->padding[axis][0] - tap * call->dilation[axis];
    if (first < 0 || first % call->stride[axis] != 0)
        return -1;
    const int64_t window = first / call->stride[axis];
    return window < call->y->shape.dim[2 + axis] ? window : -1;
}

/* y[n, k, p, q] */
static sums forward(const dp__conv2d_call *call, const int64_t *at)
{
    const dp_tensor *x = call->x, *w = call->w;
    const int64_t channels = w->shape.dim[1], group = at[1] / (w->shape.dim[0] / call->groups);
    sums result = {0, 0, 0, 0};
    for (int64_t c = 0; c < channels; c++)
        for (int64_t r = 0; r < w->shape.dim[2]; r++) {
            const int64_t row = place(call, 0, at[2], r);
            for (int64_t s = 0; row >= 0 && s < w->shape.dim[3]; s++) {
                const int64_t column = place(call, 1, at[3], s);
                if (column >= 0)
                    add(&result, call->bound, element(w, at[1], c, r, s), element(x, at[0], group * channels + c, row, column));
            }
        }
    return result;
}

/* x[n, c, h, width] */
static sums gradient_input(const dp__conv2d_call *call, const int64_t *at)
{
    const dp_tensor *y = call->y, *w = call->w;
    const int64_t channels = w->shape.dim[0] / call->groups, group = at[1] / w->shape.dim[1];
    sums result = {0, 0, 0, 0};
    for (int64_t k = group * channels; k < (group + 1) * channels; k++)
        for (int64_t r = 0; r < w->shape.dim[2]; r++) {
            const int64_t p = window_of(call, 0, at[2], r);
            for (int64_t s = 0; p >= 0 && s < w->shape.dim[3]; s++) {
                const int64_t q = window_of(call, 1, at[3], s);
                if (q >= 0)
                    add(&result, call->bound, element(w, k, at[1] % w->shape.dim[1], r, s), element(y, at[0], k, p, q));
            }
        }
    return result;
}

/* w[k, c, r, s] */
static sums gradient_weights(const dp__conv2d_call *call, const int64_t *at)
{
    const dp_tensor *x = call->x, *y = call->y;
    const dp_shape *w = &call->w->shape;
    const int64_t channel = at[0] / (w->dim[0] / call->groups) * w->dim[1] + at[1];
    sums result = {0, 0, 0, 0};
    for (int64_t n = 0; n < x->shape.dim[0]; n++)
        for (int64_t p = 0; p < y->shape.dim[2]; p++) {
            const int64_t row = place(call, 0, p, at[2]);
            for (int64_t q = 0; row >= 0 && q < y->shape.dim[3]; q++) {
                const int64_t column = place(call, 1, q, at[3]);
                if (column >= 0)
                    add(&result, call->bound, element(x, n, channel, row, column), element(y, n, at[0], p, q));
            }
        }
    return result;
}

/* Any order of the products and their sums. What stands in the padding adds exact zeros. */
static double sums_bound(const sums *of)
{
    if (of->magnitude == 0)
        return 0;
    if (!(of->magnitude <= (double)FLT_MAX))
        return INFINITY;
    return dp__bound_chain(of->terms + 3) * of->magnitude + of->lost + (of->terms + 3) * DP__LEAST_NORMAL;
}

/* The element at `at` of the output; `other` is the bound of another algorithm that a kernel may use. */
static void write(const dp__conv2d_call *call, dp__ref_epilogue *epilogue, const int64_t *at, double other)
{
    static sums (*const kinds[])(const dp__conv2d_call *, const int64_t *) = {
        [DP__CONV2D_FORWARD] = forward,
        [DP__CONV2D_GRADIENT_INPUT] = gradient_input,
        [DP__CONV2D_GRADIENT_WEIGHTS] = gradient_weights,
    };
    const dp_tensor *out = dp__conv2d_out(call);
    const sums of = kinds[call->kind](call, at);
    double value = of.sum, error = call->bound ? fmax(sums_bound(&of), other) : 0;
    int64_t to = out->offset;
    for (int axis = 0; axis < 4; axis++)
        to += at[axis] * out->stride[axis];
    dp__ref_epilogue_apply(epilogue, at, &value, &error);
    dp__ref_floats(out)[to] = call->bound ? dp__bound_round_up(error) : (float)value;
}

/* The bounds of a tile, with `at` its first element. */
static void write_tile(const dp__conv2d_call *call, dp__ref_epilogue *epilogue, const int64_t *at)
{
    double bound[4][4];
    dp__ref_winograd_bound(call, at, bound);
    for (int r = 0; r < call->winograd && at[2] + r < call->y->shape.dim[2]; r++)
        for (int s = 0; s < call->winograd && at[3] + s < call->y->shape.dim[3]; s++)
            write(call, epilogue, (const int64_t[]){at[0], at[1], at[2] + r, at[3] + s}, bound[r][s]);
}

dp_status dp__ref_conv2d(dp_device *device, const dp__conv2d_call *call)
{
    const bool tiles = call->bound && call->winograd;
    const int64_t *dim = dp__conv2d_out(call)->shape.dim, step = tiles ? call->winograd : 1;
    dp__ref_epilogue *epilogue;
    DP_CHECK(dp__ref_epilogue_create(device, call->epilogue, call->bound, &epilogue));
    int64_t at[4];
    for (at[0] = 0; at[0] < dim[0]; at[0]++)
        for (at[1] = 0; at[1] < dim[1]; at[1]++)
            for (at[2] = 0; at[2] < dim[2]; at[2] += step)
                for (at[3] = 0; at[3] < dim[3]; at[3] += step) {
                    if (tiles)
                        write_tile(call, epilogue, at);
                    else
                        write(call, epilogue, at, 0);
                }
    dp__ref_epilogue_free(&epilogue);
    return DP_OK;
}
