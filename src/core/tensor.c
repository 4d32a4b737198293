/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor handles and buffers: making, references, asking, views. Values move in transfer.c. */
#include "core/core.h"
#include "backend.h"
#include "core/record.h"

dp__buffer *dp__buffer_create(dp_device *device, uint64_t bytes)
{
    bytes = DP_MAX2((bytes + 3) / 4 * 4, 4);
    if (bytes > device->info.max_tensor_bytes) {
        dp__fail(device, DP_ERROR_UNSUPPORTED, "a tensor of %llu bytes: one tensor on %s may take %llu",
                 (unsigned long long)bytes, device->info.id, (unsigned long long)device->info.max_tensor_bytes);
        return NULL;
    }
    if (bytes > device->info.memory_bytes - DP_MIN2(device->bytes_in_use, device->info.memory_bytes)) {
        dp__fail(device, DP_ERROR_MEMORY, "a tensor of %llu bytes: %llu of the %llu bytes of %s are in use",
                 (unsigned long long)bytes, (unsigned long long)device->bytes_in_use,
                 (unsigned long long)device->info.memory_bytes, device->info.id);
        return NULL;
    }
    dp__buffer *buffer = dp__alloc(1, sizeof *buffer);
    if (!buffer) {
        dp__fail(device, DP_ERROR_MEMORY, "no memory for a buffer's record");
        return NULL;
    }
    *buffer = (dp__buffer){.references = 1, .device = device, .bytes = bytes};
    if (device->backend->buffer_create(device, buffer) != DP_OK) {
        dp__free(buffer);
        return NULL;
    }
    device->bytes_in_use += bytes;
    device->peak_bytes = DP_MAX2(device->peak_bytes, device->bytes_in_use);
    return buffer;
}

void dp__buffer_release(dp__buffer *buffer)
{
    if (!buffer || --buffer->references > 0)
        return;
    buffer->device->bytes_in_use -= buffer->bytes;
    buffer->device->backend->buffer_destroy(buffer->device, buffer);
    dp__free(buffer);
}

static dp_tensor *handle_create(dp_device *device)
{
    dp_tensor *tensor = dp__alloc(1, sizeof *tensor);
    if (!tensor) {
        dp__fail(device, DP_ERROR_MEMORY, "no memory for a tensor's record");
        return NULL;
    }
    tensor->references = 1;
    tensor->device = device;
    return tensor;
}

static dp_tensor *handle_link(dp_tensor *tensor)
{
    dp_device *device = tensor->device;
    tensor->previous = NULL;
    tensor->next = device->tensors;
    if (tensor->next)
        tensor->next->previous = tensor;
    device->tensors = tensor;
    return tensor;
}

static dp_status check_new(dp_device *device, dp_dtype dtype, const dp_shape *shape)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_device(device));
    if ((unsigned)dtype >= DP_DTYPE_COUNT)
        return dp__fail(device, DP_ERROR_ARGUMENT, "dtype %d is not in dp_dtype", (int)dtype);
    if (dtype != DP_F32 && dtype != DP_I32 && !dp__is_half(dtype))
        return dp__fail(device, DP_ERROR_UNSUPPORTED, "dtype %s: tensors are f32, i32, f16 or bf16", dp_dtype_name(dtype));
    if (shape->rank < 0 || shape->rank > DP_MAX_RANK)
        return dp__fail(device, DP_ERROR_ARGUMENT, "shape of rank %d: 0 to %d is allowed", shape->rank, DP_MAX_RANK);
    const int64_t size = dp__shape_size(shape);
    if (size < 0 || size > INT32_MAX)
        return dp__fail(device, DP_ERROR_ARGUMENT, "shape %s: sizes are at least 0, and at most 2^31 - 1 elements",
                        dp__shape_text(shape, text));
    return DP_OK;
}

dp_tensor *dp__tensor_create(dp_device *device, dp_dtype dtype, dp_shape shape)
{
    if (check_new(device, dtype, &shape) != DP_OK)
        return NULL;
    dp_tensor *tensor = handle_create(device);
    if (!tensor)
        return NULL;
    tensor->dtype = dtype;
    tensor->shape = shape;
    int64_t stride = 1;
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        tensor->stride[axis] = stride;
        stride *= DP_MAX2(shape.dim[axis], 1);
    }
    tensor->buffer = dp__buffer_create(device, (uint64_t)dp__shape_size(&shape) * dp_dtype_size(dtype));
    if (!tensor->buffer) {
        dp__free(tensor);
        return NULL;
    }
    return handle_link(tensor);
}

dp_tensor *dp__tensor_view(dp_tensor *tensor)
{
    dp_tensor *view = handle_create(tensor->device);
    if (!view)
        return NULL;
    *view = *tensor;
    view->references = 1;
    view->requires_grad = false;
    view->history = NULL;
    view->grad = NULL;
    view->buffer->references++;
    return handle_link(view);
}

dp_tensor *dp_tensor_retain(dp_tensor *tensor)
{
    if (tensor)
        tensor->references++;
    return tensor;
}

static void destroy(dp_tensor *tensor)
{
    if (tensor->history)
        tensor->device->recorder->free(tensor->history);
    if (!tensor->device->closing)
        dp_tensor_release(&tensor->grad);
    dp__buffer_release(tensor->buffer);
    dp__free(tensor);
}

static void unlink_handle(dp_tensor *tensor)
{
    if (tensor->previous)
        tensor->previous->next = tensor->next;
    else
        tensor->device->tensors = tensor->next;
    if (tensor->next)
        tensor->next->previous = tensor->previous;
}

/* A history releases the tensors that the tensor was computed from, and so on, over any length: a list instead of recursion. */
void dp_tensor_release(dp_tensor **handle)
{
    if (!handle || !*handle)
        return;
    dp_tensor *tensor = *handle;
    dp_device *device = tensor->device;
    *handle = NULL;
    if (--tensor->references > 0)
        return;
    unlink_handle(tensor);
    tensor->next = device->condemned;
    device->condemned = tensor;
    if (device->releasing)
        return;
    device->releasing = true;
    while ((tensor = device->condemned)) {
        device->condemned = tensor->next;
        destroy(tensor);
    }
    device->releasing = false;
}

dp_device *dp_tensor_device(const dp_tensor *tensor)
{
    return tensor ? tensor->device : NULL;
}

dp_shape dp_tensor_shape(const dp_tensor *tensor)
{
    return tensor ? tensor->shape : (dp_shape){0};
}

dp_dtype dp_tensor_dtype(const dp_tensor *tensor)
{
    return tensor ? tensor->dtype : DP_F32;
}

int64_t dp_tensor_stride(const dp_tensor *tensor, int axis)
{
    return tensor && axis >= 0 && axis < tensor->shape.rank ? tensor->stride[axis] : 0;
}

int64_t dp_tensor_size(const dp_tensor *tensor)
{
    return tensor ? dp__shape_size(&tensor->shape) : 0;
}

bool dp_tensor_contiguous(const dp_tensor *tensor)
{
    if (!tensor)
        return false;
    int64_t run = 1;
    for (int axis = tensor->shape.rank - 1; axis >= 0; axis--) {
        const int64_t dim = tensor->shape.dim[axis];
        if (dim == 0)
            return true;
        if (dim != 1 && tensor->stride[axis] != run)
            return false;
        run *= dim;
    }
    return true;
}

void dp__broadcast_strides(const dp_tensor *tensor, const dp_shape *shape, int64_t stride[DP_MAX_RANK])
{
    for (int axis = 0; axis < shape->rank; axis++) {
        const int own = axis - (shape->rank - tensor->shape.rank);
        const bool repeats = own < 0 || (tensor->shape.dim[own] == 1 && shape->dim[axis] != 1);
        stride[axis] = repeats ? 0 : tensor->stride[own];
    }
}

void dp__tensor_range(const dp_tensor *tensor, int64_t *first, int64_t *end)
{
    *first = *end = tensor->offset;
    if (dp__shape_size(&tensor->shape) == 0)
        return;
    for (int axis = 0; axis < tensor->shape.rank; axis++)
        *end += tensor->stride[axis] * (tensor->shape.dim[axis] - 1); /* strides are never negative */
    *end += 1;
}

/* Views are made by slicing, permuting and broadcasting one row-major tensor, so elements coincide only where an axis
 * of more than one element repeats with stride 0. */
bool dp__tensor_overlaps_itself(const dp_tensor *tensor)
{
    for (int axis = 0; axis < tensor->shape.rank; axis++)
        if (tensor->shape.dim[axis] > 1 && tensor->stride[axis] == 0)
            return true;
    return false;
}
