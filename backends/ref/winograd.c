/* SPDX-License-Identifier: Apache-2.0 */
/* The error bound of Winograd's convolution. With the matrices of the transforms, an output tile is
 *
 *     y = A^T ( sum over c of (G g G^T) . (B^T d B) ) A        (. : element by element)
 *
 * a sum of products of a weight, a pixel and constants. Each of them goes through at most so many roundings; so their sum, with
 * absolute values everywhere, times g of that number bounds the error. docs/precision.md counts them. */
#include "ref.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define MOST 6 /* sizes of a tile's patch */
#define LOST (0x1p11 * DP__LEAST_NORMAL) /* by results of one transform that are taken as zero */

typedef struct matrices {
    double b[MOST][MOST], g[MOST][3], a[4][MOST]; /* absolute values of B^T, G, A^T */
    double roundings;
} matrices;

static const matrices tile_2 = {
    .b = {{1, 0, 1, 0}, {0, 1, 1, 0}, {0, 1, 1, 0}, {0, 1, 0, 1}},
    .g = {{1, 0, 0}, {1 / 2.0, 1 / 2.0, 1 / 2.0}, {1 / 2.0, 1 / 2.0, 1 / 2.0}, {0, 0, 1}},
    .a = {{1, 1, 1, 0}, {0, 1, 1, 1}},
    .roundings = 10,
};
static const matrices tile_4 = {
    .b = {{4, 0, 5, 0, 1, 0}, {0, 4, 4, 1, 1, 0}, {0, 4, 4, 1, 1, 0}, {0, 2, 1, 2, 1, 0}, {0, 2, 1, 2, 1, 0}, {0, 4, 0, 5, 0, 1}},
    .g = {{1 / 4.0, 0, 0},
          {1 / 6.0, 1 / 6.0, 1 / 6.0},
          {1 / 6.0, 1 / 6.0, 1 / 6.0},
          {1 / 24.0, 1 / 12.0, 1 / 6.0},
          {1 / 24.0, 1 / 12.0, 1 / 6.0},
          {0, 0, 1}},
    .a = {{1, 1, 1, 1, 1, 0}, {0, 1, 1, 2, 2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, 1, 8, 8, 1}},
    .roundings = 24,
};

/* out = left in left^T: left [rows, columns] in rows of `stride` numbers, in [columns, columns]. */
static void transform(const double *left, int stride, int rows, int columns, const double in[MOST][MOST], double out[MOST][MOST])
{
    double half[MOST][MOST] = {{0}};
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < columns; k++)
            for (int l = 0; l < columns; l++)
                half[i][l] += left[i * stride + k] * in[k][l];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            out[i][j] = 0;
            for (int l = 0; l < columns; l++)
                out[i][j] += half[i][l] * left[j * stride + l];
        }
}

/* The absolute values of a patch of a matrix of pixels or weights, and what its denormals may lose. */
typedef struct patch {
    double size[MOST][MOST], lost[MOST][MOST];
    bool loses; /* else all of `lost` is 0 */
} patch;

static void put(patch *to, int r, int s, double value)
{
    to->size[r][s] = fabs(value);
    to->lost[r][s] = dp__bound_flush(value);
    to->loses = to->loses || to->lost[r][s] > 0;
}

static void transform_patch(const double *left, int stride, int rows, int columns, const patch *in, patch *out)
{
    transform(left, stride, rows, columns, in->size, out->size);
    if (in->loses)
        transform(left, stride, rows, columns, in->lost, out->lost);
    else
        memset(out->lost, 0, sizeof out->lost);
}

static void take_pixels(const dp__conv2d_call *call, const int64_t *at, int64_t channel, int size, patch *to)
{
    const dp_tensor *x = call->x;
    for (int r = 0; r < size; r++)
        for (int s = 0; s < size; s++) {
            const int64_t row = at[2] + r - call->padding[0][0], column = at[3] + s - call->padding[1][0];
            const bool inside = row >= 0 && row < x->shape.dim[2] && column >= 0 && column < x->shape.dim[3];
            put(to, r, s, inside ? (double)dp__ref_value(x, x->offset + at[0] * x->stride[0] + channel * x->stride[1] +
                                                              row * x->stride[2] + column * x->stride[3])
                                 : 0);
        }
}

static void take_weights(const dp__conv2d_call *call, int64_t out_channel, int64_t in_channel, patch *to)
{
    const dp_tensor *w = call->w;
    for (int r = 0; r < 3; r++)
        for (int s = 0; s < 3; s++)
            put(to, r, s, (double)dp__ref_value(w, w->offset + out_channel * w->stride[0] + in_channel * w->stride[1] +
                                                    r * w->stride[2] + s * w->stride[3]));
}

/* The products of all input channels: their sizes, what they lose, and the largest number that any transform has. */
static double multiply(const dp__conv2d_call *call, const matrices *by, const int64_t *at, patch *sum)
{
    const int64_t channels = call->w->shape.dim[1], group = at[1] / (call->w->shape.dim[0] / call->groups);
    const int size = call->winograd + 2;
    double largest = 0;
    patch pixels, weights, v, u;
    memset(sum, 0, sizeof *sum);
    for (int64_t c = 0; c < channels; c++) {
        pixels.loses = weights.loses = false;
        take_pixels(call, at, group * channels + c, size, &pixels);
        take_weights(call, at[1], c, &weights);
        transform_patch(by->b[0], MOST, size, size, &pixels, &v);
        transform_patch(by->g[0], 3, size, 3, &weights, &u);
        for (int r = 0; r < size; r++)
            for (int s = 0; s < size; s++) {
                const double lost_v = v.lost[r][s] + LOST, lost_u = u.lost[r][s] + LOST;
                sum->size[r][s] += u.size[r][s] * v.size[r][s];
                sum->lost[r][s] += u.size[r][s] * lost_v + lost_u * (v.size[r][s] + lost_v) + 2 * DP__LEAST_NORMAL;
                largest = fmax(largest, fmax(u.size[r][s], v.size[r][s]));
                if (isnan(sum->size[r][s]))
                    return INFINITY;
                largest = fmax(largest, sum->size[r][s]);
            }
    }
    return largest;
}

void dp__ref_winograd_bound(const dp__conv2d_call *call, const int64_t *at, double bound[4][4])
{
    const matrices *by = call->winograd == 2 ? &tile_2 : &tile_4;
    const int tile = call->winograd, size = tile + 2;
    patch sum, y;
    /* Before they are divided by 24 twice, weights may be that much larger than what comes of them. */
    const bool known = multiply(call, by, at, &sum) <= (double)FLT_MAX / 1024;
    sum.loses = true;
    transform_patch(by->a[0], MOST, tile, size, &sum, &y);
    for (int r = 0; r < tile; r++)
        for (int s = 0; s < tile; s++)
            bound[r][s] = !known ? (double)INFINITY
                                 : dp__bound_chain(by->roundings + (double)call->w->shape.dim[1] + 3) * y.size[r][s] +
                                       1.01 * (y.lost[r][s] + LOST);
}
