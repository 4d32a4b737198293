/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"
#include <assert.h>

void dp__walk_start(dp__walk *walk, const int64_t *dim, int rank)
{
    walk->rank = rank;
    walk->views = 0;
    for (int axis = 0; axis < rank; axis++) {
        walk->dim[axis] = dim[axis];
        walk->index[axis] = 0;
    }
}

int dp__walk_add(dp__walk *walk, const int64_t *stride, int64_t offset)
{
    assert(walk->views < DP__WALK_VIEWS);
    for (int axis = 0; axis < walk->rank; axis++)
        walk->stride[walk->views][axis] = stride[axis];
    walk->offset[walk->views] = offset;
    return walk->views++;
}

void dp__walk_next(dp__walk *walk)
{
    for (int axis = walk->rank - 1; axis >= 0; axis--) {
        const bool carry = ++walk->index[axis] == walk->dim[axis];
        const int64_t step = carry ? 1 - walk->dim[axis] : 1;
        for (int view = 0; view < walk->views; view++)
            walk->offset[view] += step * walk->stride[view][axis];
        if (!carry)
            return;
        walk->index[axis] = 0;
    }
}

int64_t dp__walk_size(const dp__walk *walk)
{
    int64_t size = 1;
    for (int axis = 0; axis < walk->rank; axis++)
        size *= walk->dim[axis];
    return size;
}
