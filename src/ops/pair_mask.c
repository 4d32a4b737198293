/* SPDX-License-Identifier: Apache-2.0 */
/* The mask of a cut-off: two tiles are apart where their bounding boxes are. */
#include "core/record.h"
#include "ops/pairwise_options.h"
#include <float.h>
#include <math.h>

#define U 0x1p-24

dp_status dp__pair_check_tile(dp_device *device, int tile)
{
    if (tile < DP__MIN_TILE || tile % DP__MIN_TILE != 0)
        return dp__fail(device, DP_ERROR_ARGUMENT, "tile is %d: a positive multiple of %d is needed", tile, DP__MIN_TILE);
    return DP_OK;
}

dp_status dp__pair_check_points(dp_device *device, const dp_tensor *x, const char *name)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_dtype(device, x, name, DP_F32));
    if (x->shape.rank < 1 || x->shape.rank > 2 || (x->shape.rank == 2 && x->shape.dim[1] < 1))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s has shape %s: [n] or [n, d] with d of 1 or more is needed", name,
                        dp__shape_text(&x->shape, text));
    return DP_OK;
}

static int64_t dim_of(const dp_tensor *x)
{
    return x->shape.rank == 2 ? x->shape.dim[1] : 1;
}

/* The rows of every tile, [tiles, tile]; the last tile repeats the last row. */
static dp_tensor *rows_of_tiles(dp_device *device, int64_t n, int64_t tiles, int tile)
{
    int32_t *rows = dp__alloc((size_t)(tiles * tile), sizeof *rows);
    if (!rows) {
        dp__fail(device, DP_ERROR_MEMORY, "no memory for the rows of %lld tiles", (long long)tiles);
        return NULL;
    }
    for (int64_t k = 0; k < tiles * tile; k++)
        rows[k] = (int32_t)DP_MIN2(k, n - 1);
    dp_tensor *index = dp_from(device, DP_I32, (dp_shape){2, {tiles, tile}}, rows);
    dp__free(rows);
    return index;
}

/* low and high: [tiles, d], the corners of each tile's box. */
static dp_status make_boxes(dp_device *device, const dp_tensor *x, int tile, dp_tensor *box[2])
{
    const int64_t n = x->shape.dim[0], tiles = DP_CEIL_DIV(n, (int64_t)tile);
    dp_tensor *index = rows_of_tiles(device, n, tiles, tile);
    dp_tensor *points = index ? dp_gather_rows(device, x, index) : NULL; /* [tiles, tile] or [tiles, tile, d] */
    for (int side = 0; side < 2; side++) {
        dp_tensor *flat = points ? dp_reduce(device, points, side ? DP_MAX : DP_MIN, DP_AXIS(1)) : NULL;
        box[side] = flat ? dp_reshape(flat, (dp_shape){2, {tiles, dim_of(x)}}) : NULL;
        dp_tensor_release(&flat);
    }
    dp_tensor_release(&index);
    dp_tensor_release(&points);
    return box[0] && box[1] ? DP_OK : dp_failed(device);
}

/* Component c of all boxes as a column or a row. */
static dp_tensor *component(dp_tensor *box, int64_t c, bool row)
{
    dp_tensor *column = dp_slice(box, 1, c, c + 1, 1);
    dp_tensor *turned = row && column ? dp_transpose(column, 0, 1) : dp_tensor_retain(column);
    dp_tensor_release(&column);
    return turned;
}

/* Adds the square of the gap along one axis. */
static dp_status add_gap(dp_device *device, dp_tensor *const x[2], dp_tensor *const y[2], int64_t c, dp_tensor *sum)
{
    dp_tensor *low_x = component(x[0], c, false), *high_x = component(x[1], c, false);
    dp_tensor *low_y = component(y[0], c, true), *high_y = component(y[1], c, true);
    const dp_arg arg[] = {{"s", sum, 0}, {"lx", low_x, 0}, {"hx", high_x, 0}, {"ly", low_y, 0}, {"hy", high_y, 0}};
    dp_status status = dp_failed(device);
    if (low_x && high_x && low_y && high_y)
        status = dp_map_into(device, "s + max(lx - hy, ly - hx, 0)^2", (dp_args){arg, 5}, &sum, 1);
    dp_tensor_release(&low_x);
    dp_tensor_release(&high_x);
    dp_tensor_release(&low_y);
    dp_tensor_release(&high_y);
    return status;
}

/* What a computed square distance of boxes is above only where that of all their points is above radius^2. The sum has at most
 * d + 4 roundings in a row, as has the formula's own distance, which may round below the radius: room for both. Denormal
 * numbers count as 0 on some devices: that moves coordinates, and what is this small is not told apart. */
static double limit_of(double radius, int64_t d)
{
    const double moved = radius + 4 * (double)FLT_MIN;
    const double limit = fmax(moved * moved * (1 + 2.02 * ((double)d + 8) * U), 0x1p-100);
    if (!(limit < (double)FLT_MAX / 2))
        return INFINITY;
    return (double)nextafterf((float)limit, INFINITY);
}

static dp_status fill(dp_device *device, const dp_tensor *x, const dp_tensor *y, int tile, double radius, dp_tensor *mask)
{
    dp_tensor *box_x[2] = {NULL, NULL}, *box_y[2] = {NULL, NULL};
    dp_status status = dp_fill(mask, 0);
    if (status == DP_OK)
        status = make_boxes(device, x, tile, box_x);
    if (status == DP_OK)
        status = make_boxes(device, y, tile, box_y);
    for (int64_t c = 0; status == DP_OK && c < dim_of(x); c++)
        status = add_gap(device, box_x, box_y, c, mask);
    const dp_arg arg[] = {{"s", mask, 0}, {.name = "limit", .scalar = limit_of(radius, dim_of(x))}};
    if (status == DP_OK) /* a NaN keeps its tile */
        status = dp_map_into(device, "select(s > limit, 0, 1)", (dp_args){arg, 2}, &mask, 1);
    for (int side = 0; side < 2; side++) {
        dp_tensor_release(&box_x[side]);
        dp_tensor_release(&box_y[side]);
    }
    return status;
}

dp_tensor *dp_pair_mask_cutoff(dp_device *device, const dp_tensor *x, const dp_tensor *y, int tile, double radius)
{
    if (dp__check_device(device) != DP_OK || dp__pair_check_points(device, x, "x") != DP_OK ||
        dp__pair_check_points(device, y, "y") != DP_OK || dp__pair_check_tile(device, tile) != DP_OK)
        return NULL;
    if (dim_of(x) != dim_of(y)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "points x have %lld components, points y %lld", (long long)dim_of(x),
                 (long long)dim_of(y));
        return NULL;
    }
    if (!(radius >= 0)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "radius is %g: a number of 0 or more is needed", radius);
        return NULL;
    }
    const dp_shape shape = {2, {DP_CEIL_DIV(x->shape.dim[0], tile), DP_CEIL_DIV(y->shape.dim[0], tile)}};
    dp_tensor *mask = dp__tensor_create(device, DP_F32, shape);
    dp__record_pause(device); /* a step: no gradient goes back from it */
    if (mask && dp_tensor_size(mask) > 0 && fill(device, x, y, tile, radius, mask) != DP_OK)
        dp_tensor_release(&mask);
    dp__record_resume(device);
    return mask;
}
