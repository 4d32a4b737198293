/* SPDX-License-Identifier: Apache-2.0 */
/* An order of points in which tiles are compact: a k-d tree (Bentley, CACM 18, 1975) that is cut at whole tiles, each cell
 * along its widest axis. Boxes of such cells are tighter than those of as many points along a space-filling curve. */
#include "ops/pairwise_options.h"
#include <math.h>

typedef struct sorter {
    const float *x;
    int64_t d, tile;
    int32_t *order;
    uint32_t random;
} sorter;

/* A total order: by the coordinate, NaNs last, then by the row. */
static bool before(const sorter *s, int64_t axis, int32_t a, int32_t b)
{
    const float va = s->x[a * s->d + axis], vb = s->x[b * s->d + axis];
    if (va < vb || va > vb)
        return va < vb;
    if (isnan(va) != isnan(vb))
        return isnan(vb);
    return a < b;
}

/* Puts the `middle - first` rows of first .. end - 1 that come first before the others (Hoare's selection). The pivots are
 * pseudo-random, so that no order of rows is slow. */
static void split(sorter *s, int64_t axis, int64_t first, int64_t middle, int64_t end)
{
    int64_t low = first, high = end - 1;
    while (low < high) {
        s->random = s->random * 1664525u + 1013904223u;
        const int32_t pivot = s->order[low + (int64_t)(s->random >> 8) % (high - low + 1)];
        int64_t l = low, h = high;
        while (l <= h) {
            while (before(s, axis, s->order[l], pivot))
                l++;
            while (before(s, axis, pivot, s->order[h]))
                h--;
            if (l <= h) {
                const int32_t kept = s->order[l];
                s->order[l++] = s->order[h];
                s->order[h--] = kept;
            }
        }
        if (middle <= h)
            high = h;
        else if (middle >= l)
            low = l;
        else
            return;
    }
}

static int64_t widest_axis(const sorter *s, int64_t first, int64_t end)
{
    int64_t best = 0;
    double width = -1;
    for (int64_t axis = 0; axis < s->d; axis++) {
        double low = (double)INFINITY, high = -(double)INFINITY;
        for (int64_t k = first; k < end; k++) {
            const double value = (double)s->x[s->order[k] * s->d + axis];
            low = value < low ? value : low; /* passes NaNs over */
            high = value > high ? value : high;
        }
        if (high - low > width) {
            width = high - low;
            best = axis;
        }
    }
    return best;
}

/* Halves the rows at a tile's end until none lies within: as deep as the logarithm of the number of tiles. */
static void sort(sorter *s, int64_t first, int64_t end)
{
    const int64_t least = first / s->tile + 1, most = (end - 1) / s->tile;
    if (least > most)
        return;
    const int64_t nearest = ((first + end) / 2 + s->tile / 2) / s->tile;
    const int64_t middle = DP_MIN2(DP_MAX2(nearest, least), most) * s->tile;
    split(s, widest_axis(s, first, end), first, middle, end);
    sort(s, first, middle);
    sort(s, middle, end);
}

static dp_status make_inverse(dp_device *device, const int32_t *order, int64_t n, dp_tensor **inverse)
{
    int32_t *rows = dp__alloc((size_t)n, sizeof *rows);
    if (!rows)
        return dp__fail(device, DP_ERROR_MEMORY, "no memory for the order of %lld rows", (long long)n);
    for (int64_t k = 0; k < n; k++)
        rows[order[k]] = (int32_t)k;
    *inverse = dp_from(device, DP_I32, (dp_shape){1, {n}}, rows);
    dp__free(rows);
    return *inverse ? DP_OK : dp_failed(device);
}

static dp_tensor *sort_problems(dp_device *device, const dp_tensor *x, int tile, int64_t problems, const int64_t *offsets,
                                dp_tensor **inverse)
{
    const int64_t n = x->shape.dim[0], d = x->shape.rank > 1 ? x->shape.dim[1] : 1;
    float *values = dp__alloc((size_t)DP_MAX2(n * d, 1), sizeof *values);
    int32_t *order = dp__alloc((size_t)DP_MAX2(n, 1), sizeof *order);
    dp_status status = values && order ? dp_read(x, values, (size_t)(n * d) * sizeof *values)
                                       : dp__fail(device, DP_ERROR_MEMORY, "no memory to sort %lld rows", (long long)n);
    dp_tensor *result = NULL;
    if (status == DP_OK) {
        sorter s = {.x = values, .d = d, .tile = tile, .order = order, .random = 1};
        for (int64_t k = 0; k < n; k++)
            order[k] = (int32_t)k;
        for (int64_t p = 0; p < problems; p++)
            sort(&s, offsets[p], offsets[p + 1]);
        result = dp_from(device, DP_I32, (dp_shape){1, {n}}, order);
        status = result ? DP_OK : dp_failed(device);
    }
    if (status == DP_OK && inverse && make_inverse(device, order, n, inverse) != DP_OK)
        dp_tensor_release(&result);
    dp__free(values);
    dp__free(order);
    return result;
}

dp_tensor *dp_sort_spatial(dp_device *device, const dp_tensor *x, int tile, int64_t problems, const int64_t *offsets,
                           dp_tensor **inverse)
{
    if (inverse)
        *inverse = NULL;
    if (dp__check_device(device) != DP_OK || dp__pair_check_points(device, x, "x") != DP_OK ||
        dp__pair_check_tile(device, tile) != DP_OK)
        return NULL;
    if (problems < 0 || problems >= INT32_MAX || (problems == 0 && offsets)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "problems is %lld%s: 0 to 2^31 - 2 are allowed", (long long)problems,
                 problems == 0 ? " with offsets" : "");
        return NULL;
    }
    const int64_t n = x->shape.dim[0];
    if (offsets && dp__pair_check_offsets(device, "offsets", offsets, problems, n) != DP_OK)
        return NULL;
    const int64_t cells = DP_MAX2(problems, 1);
    int64_t *uniform = offsets ? NULL : dp__pair_uniform(device, "of x", cells, n);
    dp_tensor *result = NULL;
    if (offsets || uniform)
        result = sort_problems(device, x, tile, cells, offsets ? offsets : uniform, inverse);
    dp__free(uniform);
    return result;
}
