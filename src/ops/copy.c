/* SPDX-License-Identifier: Apache-2.0 */
/* Making, filling, moving and copying values. */
#include "ops/call.h"
#include <math.h>
#include <string.h>

dp_tensor *dp_empty(dp_device *device, dp_dtype dtype, dp_shape shape)
{
    return dp__tensor_create(device, dtype, shape);
}

/* in and out have the same shape and device. */
static dp_status copy(const dp_tensor *in, dp_tensor *out)
{
    if (dp__shape_size(&out->shape) == 0)
        return DP_OK;
    const dp__copy_call call = {in, out};
    return dp__dispatch(out->device, DP__OP_copy, &call);
}

static dp_status check_bytes(dp_device *device, const dp_tensor *tensor, const void *data, size_t bytes)
{
    DP_CHECK(dp__check_device(device));
    const uint64_t size = (uint64_t)dp__shape_size(&tensor->shape) * dp_dtype_size(tensor->dtype);
    if (bytes != size)
        return dp__fail(device, DP_ERROR_ARGUMENT, "bytes is %llu: the tensor has %llu", (unsigned long long)bytes,
                        (unsigned long long)size);
    if (!data && bytes > 0)
        return dp__fail(device, DP_ERROR_ARGUMENT, "data is NULL");
    return DP_OK;
}

dp_status dp_read(const dp_tensor *tensor, void *data, size_t bytes)
{
    dp_device *device = dp_tensor_device(tensor);
    DP_CHECK(check_bytes(device, tensor, data, bytes));
    if (bytes == 0)
        return DP_OK;
    if (dp_tensor_contiguous(tensor))
        return dp__buffer_read(tensor->buffer, (uint64_t)tensor->offset * dp_dtype_size(tensor->dtype), data, bytes);
    dp_tensor *packed = dp_copy(device, tensor);
    if (!packed)
        return DP_ERROR_MEMORY;
    const dp_status status = dp__buffer_read(packed->buffer, 0, data, bytes);
    dp_tensor_release(&packed);
    return status;
}

static dp_status check_writable(dp_device *device, const dp_tensor *tensor, const char *name)
{
    DP_CHECK(dp__check_device(device));
    if (dp__tensor_overlaps_itself(tensor))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s cannot be written: it is a broadcast view", name);
    return DP_OK;
}

dp_status dp_write(dp_tensor *tensor, const void *data, size_t bytes)
{
    dp_device *device = dp_tensor_device(tensor);
    DP_CHECK(check_bytes(device, tensor, data, bytes));
    DP_CHECK(check_writable(device, tensor, "tensor"));
    if (bytes == 0)
        return DP_OK;
    if (dp_tensor_contiguous(tensor))
        return dp__buffer_write(tensor->buffer, (uint64_t)tensor->offset * dp_dtype_size(tensor->dtype), data, bytes);
    dp_tensor *packed = dp_from(device, tensor->dtype, tensor->shape, data);
    if (!packed)
        return DP_ERROR_MEMORY;
    const dp_status status = copy(packed, tensor);
    dp_tensor_release(&packed);
    return status;
}

dp_tensor *dp_from(dp_device *device, dp_dtype dtype, dp_shape shape, const void *data)
{
    dp_tensor *tensor = dp_empty(device, dtype, shape);
    if (tensor && dp_write(tensor, data, (size_t)dp_tensor_size(tensor) * dp_dtype_size(dtype)) != DP_OK)
        dp_tensor_release(&tensor);
    return tensor;
}

dp_status dp_fill(dp_tensor *tensor, double value)
{
    dp_device *device = dp_tensor_device(tensor);
    DP_CHECK(check_writable(device, tensor, "tensor"));
    const float as_float = (float)value;
    int32_t as_int = 0;
    if (tensor->dtype == DP_I32) {
        if (!(nearbyint(value) >= INT32_MIN && nearbyint(value) <= INT32_MAX))
            return dp__fail(device, DP_ERROR_ARGUMENT, "value is %g: an i32 takes -2^31 to 2^31 - 1", value);
        as_int = (int32_t)nearbyint(value);
    }
    if (dp__shape_size(&tensor->shape) == 0)
        return DP_OK;
    dp_tensor *one = dp_from(device, tensor->dtype, (dp_shape){0},
                             tensor->dtype == DP_I32 ? (const void *)&as_int : (const void *)&as_float);
    dp_tensor *wide = one ? dp_broadcast(one, tensor->shape) : NULL;
    const dp_status status = wide ? copy(wide, tensor) : DP_ERROR_MEMORY;
    dp_tensor_release(&wide);
    dp_tensor_release(&one);
    return status;
}

dp_tensor *dp_full(dp_device *device, dp_dtype dtype, dp_shape shape, double value)
{
    dp_tensor *tensor = dp_empty(device, dtype, shape);
    if (tensor && dp_fill(tensor, value) != DP_OK)
        dp_tensor_release(&tensor);
    return tensor;
}

double dp_item(const dp_tensor *tensor)
{
    dp_device *device = dp_tensor_device(tensor);
    if (dp__check_device(device) != DP_OK)
        return (double)NAN;
    if (dp__shape_size(&tensor->shape) != 1) {
        char text[DP_SHAPE_TEXT];
        dp__fail(device, DP_ERROR_ARGUMENT, "item of a tensor of shape %s: it must have one element",
                 dp__shape_text(&tensor->shape, text));
        return (double)NAN;
    }
    uint32_t word;
    if (dp_read(tensor, &word, sizeof word) != DP_OK)
        return (double)NAN;
    if (tensor->dtype == DP_I32)
        return (double)(int32_t)word;
    float value;
    memcpy(&value, &word, sizeof value);
    return (double)value;
}

/* Through host memory, from another device. */
static dp_status copy_across(const dp_tensor *in, dp_tensor *out)
{
    const size_t bytes = (size_t)dp_tensor_size(in) * dp_dtype_size(in->dtype);
    void *host = dp__alloc(1, bytes);
    if (!host)
        return dp__fail(out->device, DP_ERROR_MEMORY, "no host memory for a copy of %zu bytes", bytes);
    dp_status status = dp_read(in, host, bytes);
    if (status != DP_OK)
        dp__fail(out->device, status, "copy from %s: %s", in->device->info.id, in->device->message);
    else
        status = dp_write(out, host, bytes);
    dp__free(host);
    return status;
}

dp_tensor *dp_copy(dp_device *device, const dp_tensor *tensor)
{
    if (dp__check_device(device) != DP_OK)
        return NULL;
    if (!tensor) {
        dp__fail(device, DP_ERROR_ARGUMENT, "tensor is NULL");
        return NULL;
    }
    dp_tensor *out = dp_empty(device, tensor->dtype, tensor->shape);
    if (out && (device == tensor->device ? copy(tensor, out) : copy_across(tensor, out)) != DP_OK)
        dp_tensor_release(&out);
    return out;
}
