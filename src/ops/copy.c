/* SPDX-License-Identifier: Apache-2.0 */
/* Making, filling, moving and copying values. */
#include "core/record.h"
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

/* Writes elements of 16 bits among others: two of them share a word that a kernel would write as one, so this goes through host
 * memory. `step` is 0 where all are the one at `data`. */
static dp_status write_scattered(const dp_tensor *tensor, const uint16_t *data, int64_t step)
{
    dp_device *device = tensor->device;
    int64_t first, end, index[DP_MAX_RANK] = {0}, at = 0;
    dp__tensor_range(tensor, &first, &end);
    const uint64_t bytes = (uint64_t)(end - first) * sizeof *data, offset = (uint64_t)first * sizeof *data;
    uint16_t *host = dp__alloc((size_t)(end - first), sizeof *host);
    if (!host)
        return dp__fail(device, DP_ERROR_MEMORY, "no host memory for %llu bytes", (unsigned long long)bytes);
    dp_status status = dp__buffer_read(tensor->buffer, offset, host, bytes);
    const int64_t size = dp__shape_size(&tensor->shape);
    for (int64_t t = 0; t < size; t++) {
        host[at] = data[t * step];
        for (int axis = tensor->shape.rank - 1; axis >= 0; axis--) {
            at += tensor->stride[axis];
            if (++index[axis] < tensor->shape.dim[axis])
                break;
            at -= tensor->stride[axis] * tensor->shape.dim[axis];
            index[axis] = 0;
        }
    }
    if (status == DP_OK)
        status = dp__buffer_write(tensor->buffer, offset, host, bytes);
    dp__free(host);
    return status;
}

dp_status dp_write(dp_tensor *tensor, const void *data, size_t bytes)
{
    dp_device *device = dp_tensor_device(tensor);
    DP_CHECK(check_bytes(device, tensor, data, bytes));
    DP_CHECK(check_writable(device, tensor, "tensor"));
    if (bytes == 0)
        return DP_OK;
    dp__record_written(tensor, false);
    if (dp_tensor_contiguous(tensor))
        return dp__buffer_write(tensor->buffer, (uint64_t)tensor->offset * dp_dtype_size(tensor->dtype), data, bytes);
    if (dp__is_half(tensor->dtype))
        return write_scattered(tensor, data, 1);
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

/* Sets every element of a tensor with elements of 32 bits. */
static dp_status fill_words(dp_tensor *tensor, const void *word)
{
    dp_tensor *one = dp_empty(tensor->device, tensor->dtype, (dp_shape){0});
    if (!one)
        return DP_ERROR_MEMORY;
    one->buffer->constant = true;
    dp_tensor *wide = dp_write(one, word, sizeof(int32_t)) == DP_OK ? dp_broadcast(one, tensor->shape) : NULL;
    const dp_status status = wide ? copy(wide, tensor) : DP_ERROR_MEMORY;
    dp_tensor_release(&wide);
    dp_tensor_release(&one);
    return status;
}

/* Elements of 16 bits: as words where they are a run, but for one that shares its word with others at either end. */
static dp_status fill_halves(dp_tensor *tensor, uint16_t half)
{
    if (!dp_tensor_contiguous(tensor))
        return write_scattered(tensor, &half, 0);
    const int64_t first = tensor->offset, end = first + dp__shape_size(&tensor->shape), odd = first % 2;
    const uint32_t word = half * 0x10001u;
    if (odd)
        DP_CHECK(dp__buffer_write(tensor->buffer, (uint64_t)first * sizeof half, &half, sizeof half));
    if (end % 2 && end > first + odd)
        DP_CHECK(dp__buffer_write(tensor->buffer, (uint64_t)(end - 1) * sizeof half, &half, sizeof half));
    if (end / 2 <= (first + odd) / 2)
        return DP_OK;
    dp_tensor *words = dp__tensor_view(tensor);
    if (!words)
        return DP_ERROR_MEMORY;
    words->dtype = DP_I32;
    words->shape = DP_SHAPE(end / 2 - (first + odd) / 2);
    words->offset = (first + odd) / 2;
    words->stride[0] = 1;
    const dp_status status = fill_words(words, &word);
    dp_tensor_release(&words);
    return status;
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
    dp__record_written(tensor, false);
    if (dp__is_half(tensor->dtype))
        return fill_halves(tensor, dp__half_from(tensor->dtype, value));
    return fill_words(tensor, tensor->dtype == DP_I32 ? (const void *)&as_int : (const void *)&as_float);
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
    uint16_t half;
    if (dp__is_half(tensor->dtype))
        return dp_read(tensor, &half, sizeof half) == DP_OK ? (double)dp__half_widen(tensor->dtype, half) : (double)NAN;
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
    if (tensor->device != device) /* gradients stay on their device */
        return out;
    return dp__record(out, &(dp__record_call){.rule = DP__RULE_copy, .inputs = {tensor}, .input_count = 1});
}
