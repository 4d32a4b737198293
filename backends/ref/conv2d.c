/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"
#include <float.h>
#include <math.h>

typedef struct sums {
    double sum, magnitude, lost; /* as in matmul.c */
} sums;

/* Output channel k of image n at (p, q). */
static sums convolve(const dp__conv2d_call *call, int64_t n, int64_t k, int64_t p, int64_t q)
{
    const dp_tensor *x = call->x, *w = call->w;
    const int64_t channels = w->shape.dim[1], group = k / (w->shape.dim[0] / call->groups);
    sums result = {0, 0, 0};
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t r = 0; r < w->shape.dim[2]; r++) {
            const int64_t row = p * call->stride[0] - call->padding[0][0] + r * call->dilation[0];
            if (row < 0 || row >= x->shape.dim[2])
                continue;
            for (int64_t s = 0; s < w->shape.dim[3]; s++) {
                const int64_t column = q * call->stride[1] - call->padding[1][0] + s * call->dilation[1];
                if (column < 0 || column >= x->shape.dim[3])
                    continue;
                const double weight = (double)dp__ref_floats(
                    w)[w->offset + k * w->stride[0] + c * w->stride[1] + r * w->stride[2] + s * w->stride[3]];
                const double value = (double)dp__ref_floats(
                    x)[x->offset + n * x->stride[0] + (group * channels + c) * x->stride[1] +
                       row * x->stride[2] + column * x->stride[3]];
                result.sum += weight * value;
                result.magnitude += fabs(weight * value);
                result.lost += fabs(weight) * dp__bound_flush(value) + fabs(value) * dp__bound_flush(weight);
            }
        }
    }
    return result;
}

/* Any order of the C/groups R S products and sums. */
static double pixel_bound(const dp__conv2d_call *call, const sums *pixel)
{
    const int64_t *dim = call->w->shape.dim;
    const double terms = (double)(dim[1] * dim[2] * dim[3]);
    if (pixel->magnitude == 0)
        return 0;
    if (!(pixel->magnitude <= (double)FLT_MAX))
        return INFINITY;
    return dp__bound_chain(terms + 3) * pixel->magnitude + pixel->lost + (terms + 3) * DP__LEAST_NORMAL;
}

dp_status dp__ref_conv2d(dp_device *device, const dp__conv2d_call *call)
{
    (void)device;
    const dp_tensor *out = call->y;
    dp__walk walk;
    dp__walk_start(&walk, out->shape.dim, out->shape.rank);
    dp__walk_add(&walk, out->stride, out->offset);
    const int64_t size = dp__walk_size(&walk);
    for (int64_t t = 0; t < size; t++, dp__walk_next(&walk)) {
        const int64_t *at = walk.index;
        const sums pixel = convolve(call, at[0], at[1], at[2], at[3]);
        dp__ref_floats(out)[walk.offset[0]] =
            call->bound ? dp__bound_round_up(pixel_bound(call, &pixel)) : (float)pixel.sum;
    }
    return DP_OK;
}
