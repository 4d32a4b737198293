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
    return (double)dp__ref_floats(
        tensor)[tensor->offset + a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3]];
}

static void add(sums *to, double a, double b)
{
    to->sum += a * b;
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
                    add(&result, element(w, at[1], c, r, s), element(x, at[0], group * channels + c, row, column));
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
                    add(&result, element(w, k, at[1] % w->shape.dim[1], r, s), element(y, at[0], k, p, q));
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
                    add(&result, element(x, n, channel, row, column), element(y, n, at[0], p, q));
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

dp_status dp__ref_conv2d(dp_device *device, const dp__conv2d_call *call)
{
    static sums (*const kinds[])(const dp__conv2d_call *, const int64_t *) = {
        [DP__CONV2D_FORWARD] = forward,
        [DP__CONV2D_GRADIENT_INPUT] = gradient_input,
        [DP__CONV2D_GRADIENT_WEIGHTS] = gradient_weights,
    };
    const dp_tensor *out = dp__conv2d_out(call);
    dp__ref_epilogue *epilogue;
    DP_CHECK(dp__ref_epilogue_create(device, call->epilogue, call->bound, &epilogue));
    dp__walk walk;
    dp__walk_start(&walk, out->shape.dim, out->shape.rank);
    dp__walk_add(&walk, out->stride, out->offset);
    const int64_t size = dp__walk_size(&walk);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk)) {
        const sums of = kinds[call->kind](call, walk.index);
        double value = of.sum, error = call->bound ? sums_bound(&of) : 0;
        dp__ref_epilogue_apply(epilogue, walk.index, &value, &error);
        dp__ref_floats(out)[walk.offset[0]] = call->bound ? dp__bound_round_up(error) : (float)value;
    }
    dp__ref_epilogue_free(&epilogue);
    return DP_OK;
}
