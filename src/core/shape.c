/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes, dtypes and loop nests. */
#include "core/core.h"
#include <stdio.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[DP_DTYPE_COUNT] = {
    [DP_F32] = {"f32", 4}, [DP_I32] = {"i32", 4}, [DP_F16] = {"f16", 2},
    [DP_BF16] = {"bf16", 2}, [DP_F64] = {"f64", 8}, [DP_I8] = {"i8", 1},
};

const char *dp_dtype_name(dp_dtype dtype)
{
    return (unsigned)dtype < DP_DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

size_t dp_dtype_size(dp_dtype dtype)
{
    return (unsigned)dtype < DP_DTYPE_COUNT ? dtypes[dtype].size : 0;
}

int64_t dp__shape_size(const dp_shape *shape)
{
    int64_t size = 1;
    bool empty = false;
    for (int axis = 0; axis < shape->rank; axis++) {
        const int64_t dim = shape->dim[axis];
        if (dim < 0)
            return -1;
        if (dim == 0)
            empty = true;
        else if (size > INT64_MAX / dim)
            return -1;
        else
            size *= dim;
    }
    return empty ? 0 : size;
}

bool dp__shape_equal(const dp_shape *a, const dp_shape *b)
{
    bool equal = a->rank == b->rank;
    for (int axis = 0; equal && axis < a->rank; axis++)
        equal = a->dim[axis] == b->dim[axis];
    return equal;
}

bool dp__shape_broadcast(const dp_shape *a, const dp_shape *b, dp_shape *result)
{
    const int rank = DP_MAX2(a->rank, b->rank);
    dp_shape shape = {.rank = rank};
    for (int back = 1; back <= rank; back++) {
        const int64_t da = back <= a->rank ? a->dim[a->rank - back] : 1;
        const int64_t db = back <= b->rank ? b->dim[b->rank - back] : 1;
        if (da != db && da != 1 && db != 1)
            return false;
        shape.dim[rank - back] = da == 1 ? db : da;
    }
    *result = shape;
    return true;
}

const char *dp__shape_text(const dp_shape *shape, char text[DP_SHAPE_TEXT])
{
    size_t at = (size_t)snprintf(text, DP_SHAPE_TEXT, "[");
    for (int axis = 0; axis < shape->rank && at < DP_SHAPE_TEXT; axis++)
        at += (size_t)snprintf(text + at, DP_SHAPE_TEXT - at, "%s%lld", axis ? ", " : "",
                               (long long)shape->dim[axis]);
    if (at < DP_SHAPE_TEXT)
        snprintf(text + at, DP_SHAPE_TEXT - at, "]");
    return text;
}

/* Whether axis `outer` and the one that follows it are one run in every view. */
static bool mergeable(const dp__nest *nest, int outer, int inner)
{
    for (int view = 0; view < nest->views; view++)
        if (nest->stride[view][outer] != nest->stride[view][inner] * nest->dim[inner])
            return false;
    return true;
}

static void move_axis(dp__nest *nest, int to, int from)
{
    nest->dim[to] = nest->dim[from];
    for (int view = 0; view < nest->views; view++)
        nest->stride[view][to] = nest->stride[view][from];
}

void dp__nest_collapse(dp__nest *nest)
{
    int rank = 0;
    for (int axis = 0; axis < nest->rank; axis++) {
        if (nest->dim[axis] == 1)
            continue;
        if (rank > 0 && mergeable(nest, rank - 1, axis)) {
            const int64_t outer = nest->dim[rank - 1];
            move_axis(nest, rank - 1, axis);
            nest->dim[rank - 1] *= outer;
        } else {
            move_axis(nest, rank++, axis);
        }
    }
    nest->rank = rank;
}
