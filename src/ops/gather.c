/* SPDX-License-Identifier: Apache-2.0 */
/* Gather and its adjoint, scatter-add. Both are brought to three axes: [outer, picked, inner]. */
#include "core/record.h"
#include "ops/call.h"
#include <dipole/bound.h>

/* A view with the given three sizes and strides. */
static dp_tensor *view3(const dp_tensor *tensor, const int64_t dim[3], const int64_t stride[3])
{
    dp_tensor *view = dp__tensor_view((dp_tensor *)tensor);
    if (!view)
        return NULL;
    view->shape.rank = 3;
    for (int axis = 0; axis < 3; axis++) {
        view->shape.dim[axis] = dim[axis];
        view->stride[axis] = stride[axis];
    }
    return view;
}

/* A contiguous tensor seen as [axes before `first`, axes first .. last - 1, axes from `last` on]. */
static dp_tensor *fold(const dp_tensor *tensor, int first, int last)
{
    int64_t dim[3] = {1, 1, 1};
    for (int axis = 0; axis < tensor->shape.rank; axis++)
        dim[axis < first ? 0 : axis < last ? 1 : 2] *= tensor->shape.dim[axis];
    const int64_t stride[3] = {dim[1] * dim[2], dim[2], 1};
    return view3(tensor, dim, stride);
}

/* The tensor itself where it is contiguous, else a copy that is; either way a new reference. */
static dp_tensor *packed(dp_device *device, const dp_tensor *tensor)
{
    return dp_tensor_contiguous(tensor) ? dp_tensor_retain((dp_tensor *)tensor) : dp_copy(device, tensor);
}

/* A row index [K] repeated over outer and inner. */
static dp_tensor *index_of_rows(const dp_tensor *index, const dp_tensor *values)
{
    const int64_t stride[3] = {0, 1, 0};
    const int64_t dim[3] = {values->shape.dim[0], dp__shape_size(&index->shape), values->shape.dim[2]};
    return view3(index, dim, stride);
}

static dp_status check_common(dp_device *device, const dp_tensor *values, const char *name, const dp_tensor *index)
{
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_tensor(device, values, name));
    return dp__check_dtype(device, index, "index", DP_I32);
}

static dp_tensor *gather(dp_device *device, const dp_tensor *x, const dp_tensor *index, int first, bool rows,
                         dp_shape result)
{
    dp_tensor *out = dp__tensor_create(device, x->dtype, result);
    if (!out || dp_tensor_size(out) == 0)
        return out;
    dp_tensor *px = packed(device, x), *pi = packed(device, index);
    dp_tensor *vx = px ? fold(px, first, first + 1) : NULL;
    dp_tensor *vo = rows ? fold(out, 0, index->shape.rank) : fold(out, first, first + 1);
    dp_tensor *vi = !pi || !vo ? NULL : rows ? index_of_rows(pi, vo) : fold(pi, first, first + 1);
    const dp__gather_call call = {.x = vx, .index = vi, .out = vo};
    const bool ready = vx && vi && vo;
    if (!ready || dp__dispatch(device, DP__OP_gather, &call) != DP_OK)
        dp_tensor_release(&out);
    dp_tensor_release(&vx);
    dp_tensor_release(&vi);
    dp_tensor_release(&vo);
    dp_tensor_release(&px);
    dp_tensor_release(&pi);
    return out;
}

static dp_tensor *gather_rows(dp_device *device, const dp_tensor *x, const dp_tensor *index)
{
    char tx[DP_SHAPE_TEXT], ti[DP_SHAPE_TEXT];
    if (check_common(device, x, "x", index) != DP_OK)
        return NULL;
    const int rank = index->shape.rank + x->shape.rank - 1;
    if (x->shape.rank < 1 || rank > DP_MAX_RANK) {
        dp__fail(device, DP_ERROR_ARGUMENT, "gather_rows: x %s by index %s: x needs an axis, the result at most %d",
                 dp__shape_text(&x->shape, tx), dp__shape_text(&index->shape, ti), DP_MAX_RANK);
        return NULL;
    }
    dp_shape result = index->shape;
    for (int axis = 1; axis < x->shape.rank; axis++)
        result.dim[result.rank++] = x->shape.dim[axis];
    return gather(device, x, index, 0, true, result);
}

/* Returns `out`, as the result of a call that is differentiated by its first argument. */
static dp_tensor *record(dp_tensor *out, dp__rule rule, const dp_tensor *values, const dp_tensor *index, int axis)
{
    dp__record_resume(dp_tensor_device(values));
    return dp__record(out, &(dp__record_call){.rule = rule, .inputs = {values, index}, .input_count = 2, .params = &axis, .bytes = sizeof axis});
}

dp_tensor *dp_gather_rows(dp_device *device, const dp_tensor *x, const dp_tensor *index)
{
    dp__record_pause(dp_tensor_device(x));
    return record(gather_rows(device, x, index), DP__RULE_gather_rows, x, index, 0);
}

/* `index` picks along `axis` of a tensor of the shape of `values`, but for that axis. */
static dp_status check_axis(dp_device *device, const char *op, const dp_shape *values, const dp_shape *index, int axis,
                            bool axis_too)
{
    char tv[DP_SHAPE_TEXT], ti[DP_SHAPE_TEXT];
    if (axis < 0 || axis >= values->rank)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: axis is %d: the tensor's axes are 0 to %d", op, axis,
                        values->rank - 1);
    bool fits = values->rank == index->rank;
    for (int other = 0; fits && other < values->rank; other++)
        fits = (other == axis && !axis_too) || values->dim[other] == index->dim[other];
    if (!fits)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: index %s does not fit %s: the sizes must be equal%s", op,
                        dp__shape_text(index, ti), dp__shape_text(values, tv), axis_too ? "" : " but along the axis");
    return DP_OK;
}

static dp_tensor *gather_axis(dp_device *device, const dp_tensor *x, const dp_tensor *index, int axis)
{
    if (check_common(device, x, "x", index) != DP_OK ||
        check_axis(device, "gather", &x->shape, &index->shape, axis, false) != DP_OK)
        return NULL;
    return gather(device, x, index, axis, false, index->shape);
}

dp_tensor *dp_gather(dp_device *device, const dp_tensor *x, const dp_tensor *index, int axis)
{
    dp__record_pause(dp_tensor_device(x));
    return record(gather_axis(device, x, index, axis), DP__RULE_gather, x, index, axis);
}

static dp_tensor *scatter(dp_device *device, const dp_tensor *y, const dp_tensor *index, int first, bool rows,
                          dp_shape result, bool bound)
{
    dp_tensor *out = dp__tensor_create(device, DP_F32, result);
    if (!out || dp_tensor_size(out) == 0)
        return out;
    dp_tensor *py = packed(device, y), *pi = packed(device, index);
    dp_tensor *vo = fold(out, first, first + 1);
    dp_tensor *vy = !py ? NULL : rows ? fold(py, 0, index->shape.rank) : fold(py, first, first + 1);
    dp_tensor *vi = !pi || !vy ? NULL : rows ? index_of_rows(pi, vy) : fold(pi, first, first + 1);
    const dp__scatter_add_call call = {.y = vy, .index = vi, .out = vo, .bound = bound};
    const bool ready = vy && vi && vo;
    if (!ready || dp__dispatch(device, DP__OP_scatter_add, &call) != DP_OK)
        dp_tensor_release(&out);
    dp_tensor_release(&vy);
    dp_tensor_release(&vi);
    dp_tensor_release(&vo);
    dp_tensor_release(&py);
    dp_tensor_release(&pi);
    return out;
}

static dp_status check_scatter(dp_device *device, const dp_tensor *y, const dp_tensor *index, int64_t n)
{
    DP_CHECK(check_common(device, y, "y", index));
    DP_CHECK(dp__check_dtype(device, y, "y", DP_F32));
    if (n < 0 || n > INT32_MAX)
        return dp__fail(device, DP_ERROR_ARGUMENT, "n is %lld: 0 to 2^31 - 1 is allowed", (long long)n);
    return DP_OK;
}

static dp_tensor *scatter_rows(dp_device *device, const dp_tensor *y, const dp_tensor *index, int64_t n, bool bound)
{
    char ty[DP_SHAPE_TEXT], ti[DP_SHAPE_TEXT];
    if (check_scatter(device, y, index, n) != DP_OK)
        return NULL;
    const int leading = index->shape.rank;
    bool fits = y->shape.rank >= leading && y->shape.rank - leading + 1 <= DP_MAX_RANK;
    for (int axis = 0; fits && axis < leading; axis++)
        fits = y->shape.dim[axis] == index->shape.dim[axis];
    if (!fits) {
        dp__fail(device, DP_ERROR_ARGUMENT, "scatter_add_rows: the first axes of y %s must be those of index %s",
                 dp__shape_text(&y->shape, ty), dp__shape_text(&index->shape, ti));
        return NULL;
    }
    dp_shape result = {1, {n}};
    for (int axis = leading; axis < y->shape.rank; axis++)
        result.dim[result.rank++] = y->shape.dim[axis];
    return scatter(device, y, index, 0, true, result, bound);
}

static dp_tensor *scatter_axis(dp_device *device, const dp_tensor *y, const dp_tensor *index, int axis, int64_t n,
                               bool bound)
{
    if (check_scatter(device, y, index, n) != DP_OK ||
        check_axis(device, "scatter_add", &y->shape, &index->shape, axis, true) != DP_OK)
        return NULL;
    dp_shape result = y->shape;
    result.dim[axis] = n;
    return scatter(device, y, index, axis, false, result, bound);
}

dp_tensor *dp_scatter_add_rows(dp_device *device, const dp_tensor *y, const dp_tensor *index, int64_t n)
{
    dp__record_pause(dp_tensor_device(y));
    return record(scatter_rows(device, y, index, n, false), DP__RULE_scatter_add_rows, y, index, 0);
}

dp_tensor *dp_scatter_add_rows_bound(dp_device *device, const dp_tensor *y, const dp_tensor *index, int64_t n)
{
    return scatter_rows(device, y, index, n, true);
}

dp_tensor *dp_scatter_add(dp_device *device, const dp_tensor *y, const dp_tensor *index, int axis, int64_t n)
{
    dp__record_pause(dp_tensor_device(y));
    return record(scatter_axis(device, y, index, axis, n, false), DP__RULE_scatter_add, y, index, axis);
}

dp_tensor *dp_scatter_add_bound(dp_device *device, const dp_tensor *y, const dp_tensor *index, int axis, int64_t n)
{
    return scatter_axis(device, y, index, axis, n, true);
}
