/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing: a pixel of the smaller image is the mean over the area that it covers; one of the larger lies between the centres of
 * pixels and takes a part of each. Rows first, then columns. */
#include "data/pictures.h"
#include <math.h>

/* The pixels that output pixel `o` is made of, and their weights, which sum to 1. */
static void weigh(dp__resizer *own, int o)
{
    const double scale = (double)own->from / own->side;
    double *weight = own->weight + (size_t)o * (size_t)own->taps;
    if (scale > 1) {
        const double begin = o * scale, end = (o + 1) * scale;
        own->first[o] = DP_MIN2((int)begin, own->from - own->taps);
        for (int t = 0; t < own->taps; t++) {
            const double left = own->first[o] + t;
            weight[t] = fmax(0, fmin(end, left + 1) - fmax(begin, left)) / scale;
        }
    } else if (own->taps > 1) {
        const double centre = fmin(own->from - 1, fmax(0, (o + 0.5) * scale - 0.5));
        own->first[o] = DP_MIN2((int)centre, own->from - 2);
        weight[1] = centre - own->first[o];
        weight[0] = 1 - weight[1];
    } else {
        weight[0] = 1;
    }
}

static bool prepare(dp__resizer *own, int from, int side)
{
    if (own->from == from && own->side == side)
        return true;
    dp__resizer_free(own);
    own->from = from;
    own->side = side;
    own->taps = DP_MIN2(from, from > side ? (from + side - 1) / side + 1 : 2);
    own->first = dp__alloc((size_t)side, sizeof *own->first);
    own->weight = dp__alloc((size_t)side * (size_t)own->taps, sizeof *own->weight);
    own->rows = dp__alloc((size_t)from * (size_t)side, sizeof *own->rows);
    if (!own->first || !own->weight || !own->rows) {
        dp__resizer_free(own);
        return false;
    }
    for (int o = 0; o < side; o++)
        weigh(own, o);
    return true;
}

bool dp__resize(dp__resizer *own, const dp__plane *plane, int side, uint8_t *out)
{
    const int from = DP_MIN2(plane->height, plane->width);
    const uint8_t *corner = plane->pixels + (size_t)((plane->height - from) / 2) * plane->row +
                            (size_t)((plane->width - from) / 2) * plane->step;
    if (!prepare(own, from, side))
        return false;
    for (int y = 0; y < from; y++)
        for (int x = 0; x < side; x++) {
            const uint8_t *pixels = corner + (size_t)y * plane->row + (size_t)own->first[x] * plane->step;
            const double *weight = own->weight + (size_t)x * (size_t)own->taps;
            double sum = 0;
            for (int t = 0; t < own->taps; t++)
                sum += weight[t] * pixels[(size_t)t * plane->step];
            own->rows[(size_t)y * (size_t)side + (size_t)x] = sum;
        }
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const double *weight = own->weight + (size_t)y * (size_t)own->taps;
            double sum = 0;
            for (int t = 0; t < own->taps; t++)
                sum += weight[t] * own->rows[(size_t)(own->first[y] + t) * (size_t)side + (size_t)x];
            out[(size_t)y * (size_t)side + (size_t)x] = (uint8_t)fmin(255, sum + 0.5);
        }
    return true;
}

void dp__resizer_free(dp__resizer *own)
{
    dp__free(own->first);
    dp__free(own->weight);
    dp__free(own->rows);
    *own = (dp__resizer){0};
}
