/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, and how the host writes and reads them. */
#include "device.h"

#include <stdio.h>
#include <string.h>

#define STAGING_BYTES ((uint64_t)8 << 20) /* of each half */
#define STAGING_ALIGN 64                  /* of the pieces in it, for the copy engines */

static void destroy_buffer(dp__vk *vk, dp__vk_object *object)
{
    dp__vk_buffer *buffer = (dp__vk_buffer *)object;
    vk->api.DestroyBuffer(vk->device, buffer->handle, NULL);
    dp__vk_memory_give(vk, buffer);
    dp__free(buffer);
}

static VkResult fill_buffer(dp__vk *vk, dp__vk_buffer *buffer, uint64_t bytes, bool tensor)
{
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = DP_CEIL_DIV(bytes, 4) * 4,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT |
                 (tensor ? VK_BUFFER_USAGE_STORAGE_BUFFER_BIT : 0),
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    VkResult result = vk->api.CreateBuffer(vk->device, &info, NULL, &buffer->handle);
    if (result != VK_SUCCESS) {
        buffer->handle = VK_NULL_HANDLE;
        return result;
    }
    VkMemoryRequirements needs;
    vk->api.GetBufferMemoryRequirements(vk->device, buffer->handle, &needs);
    result = dp__vk_memory_take(vk, &needs, !tensor || vk->map_tensors, tensor, buffer);
    if (result == VK_SUCCESS)
        result = vk->api.BindBufferMemory(vk->device, buffer->handle, buffer->memory, buffer->offset);
    return result;
}

/* The one place where memory is taken: of the device for a tensor, of the host for staging. */
static VkResult allocate(dp__vk *vk, uint64_t bytes, bool tensor, dp__vk_buffer **result)
{
    dp__vk_buffer *buffer = dp__alloc(1, sizeof *buffer);
    *result = NULL;
    if (!buffer)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    buffer->object.destroy = destroy_buffer;
    const VkResult filled = fill_buffer(vk, buffer, bytes, tensor);
    if (filled == VK_SUCCESS)
        *result = buffer;
    else
        destroy_buffer(vk, &buffer->object);
    return filled;
}

dp_status dp__vk_buffer_create(dp__gpu *gpu, uint64_t bytes, void **handle)
{
    dp__vk *vk = gpu->driver_state;
    dp__vk_buffer *buffer;
    if (gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    if (bytes > gpu->limits.max_tensor_bytes)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "a buffer of %llu bytes; this device's limit is %llu",
                        (unsigned long long)bytes, (unsigned long long)gpu->limits.max_tensor_bytes);
    VkResult result = allocate(vk, bytes, true, &buffer);
    if (result != VK_SUCCESS && vk->trash) { /* what is released but in flight may be enough */
        DP_CHECK(dp__vk_wait(gpu));
        result = allocate(vk, bytes, true, &buffer);
    }
    *handle = buffer;
    if (result == VK_SUCCESS)
        return DP_OK;
    char what[64];
    snprintf(what, sizeof what, "a buffer of %llu bytes", (unsigned long long)bytes);
    return dp__vk_fail(vk, result, what);
}

void dp__vk_buffer_destroy(dp__gpu *gpu, void *handle)
{
    dp__vk_buffer *buffer = handle;
    if (buffer)
        dp__vk_release(gpu->driver_state, &buffer->object);
}

/* Buffers that are not mapped are written by copies, which wait for nothing. */
bool dp__vk_buffer_busy(dp__gpu *gpu, void *handle)
{
    dp__vk *vk = gpu->driver_state;
    const dp__vk_buffer *buffer = handle;
    if (!buffer->mapped || buffer->object.used <= vk->completed)
        return false;
    dp__vk_look(vk);
    return buffer->object.used > vk->completed;
}

typedef VkResult (*range_function)(VkDevice device, uint32_t count, const VkMappedMemoryRange *ranges);

/* Calls vkFlush- or vkInvalidateMappedMemoryRanges where the buffer's memory needs it. */
static dp_status sync_range(dp__vk *vk, const dp__vk_buffer *buffer, uint64_t offset, uint64_t bytes,
                            range_function function, const char *name)
{
    if (vk->memory.memoryTypes[buffer->type].propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)
        return DP_OK;
    const uint64_t atom = vk->traits.atom, start = buffer->offset + offset;
    const uint64_t first = start / atom * atom, end = DP_CEIL_DIV(start + bytes, atom) * atom;
    const VkMappedMemoryRange range = {
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = buffer->memory,
        .offset = first,
        .size = buffer->block || end < buffer->size ? end - first : VK_WHOLE_SIZE, /* slots end at a multiple of the atom */
    };
    const VkResult result = function(vk->device, 1, &range);
    return result == VK_SUCCESS ? DP_OK : dp__vk_fail(vk, result, name);
}

static dp_status invalidate(dp__vk *vk, const dp__vk_buffer *buffer, uint64_t offset, uint64_t bytes)
{
    return sync_range(vk, buffer, offset, bytes, vk->api.InvalidateMappedMemoryRanges,
                      "vkInvalidateMappedMemoryRanges");
}

static dp_status write_mapped(dp__vk *vk, const dp__vk_buffer *buffer, uint64_t offset, const void *data,
                              uint64_t bytes)
{
    /* The flush below writes whole cache lines: they must hold what the device wrote next to the range. */
    DP_CHECK(invalidate(vk, buffer, offset, bytes));
    memcpy(buffer->mapped + offset, data, (size_t)bytes);
    return sync_range(vk, buffer, offset, bytes, vk->api.FlushMappedMemoryRanges,
                      "vkFlushMappedMemoryRanges");
}

/* A piece of staging memory that nothing in flight uses. */
typedef struct staging_piece {
    dp__vk_buffer *buffer;
    uint64_t offset, bytes;
} staging_piece;

/* Of at most `bytes`. */
static dp_status take_staging(dp__vk *vk, uint64_t bytes, staging_piece *piece)
{
    dp__vk_staging *staging = &vk->staging;
    const uint64_t align = DP_MAX2(STAGING_ALIGN, vk->traits.atom);
    if (staging->filled >= STAGING_BYTES) {
        staging->turn = !staging->turn;
        staging->filled = 0;
    }
    dp__vk_buffer **half = &staging->half[staging->turn];
    if (!*half) {
        const VkResult result = allocate(vk, STAGING_BYTES, false, half);
        if (result != VK_SUCCESS)
            return dp__vk_fail(vk, result, "a staging buffer");
    }
    if (staging->filled == 0)
        DP_CHECK(dp__vk_wait_for(vk, (*half)->object.used));
    piece->buffer = *half;
    piece->offset = staging->filled;
    piece->bytes = DP_MIN2(bytes, STAGING_BYTES - staging->filled);
    staging->filled += DP_CEIL_DIV(piece->bytes, align) * align;
    return DP_OK;
}

dp_status dp__vk_buffer_write(dp__gpu *gpu, void *handle, uint64_t offset, const void *data, uint64_t bytes)
{
    dp__vk *vk = gpu->driver_state;
    dp__vk_buffer *buffer = handle;
    if (gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    if (buffer->mapped) {
        DP_CHECK(dp__vk_wait_for(vk, buffer->object.used));
        return write_mapped(vk, buffer, offset, data, bytes);
    }
    while (bytes > 0) {
        staging_piece piece = {0};
        DP_CHECK(take_staging(vk, bytes, &piece));
        DP_CHECK(write_mapped(vk, piece.buffer, piece.offset, data, piece.bytes));
        DP_CHECK(dp__vk_copy(vk, piece.buffer, piece.offset, buffer, offset, piece.bytes));
        if (piece.bytes < bytes) /* the copy runs while the next piece is staged */
            DP_CHECK(dp__vk_flush(gpu));
        data = (const char *)data + piece.bytes;
        offset += piece.bytes;
        bytes -= piece.bytes;
    }
    return DP_OK;
}

static dp_status read_mapped(dp__vk *vk, const dp__vk_buffer *buffer, uint64_t offset, void *data,
                             uint64_t bytes)
{
    DP_CHECK(dp__vk_wait_for(vk, buffer->written));
    DP_CHECK(invalidate(vk, buffer, offset, bytes));
    memcpy(data, buffer->mapped + offset, (size_t)bytes);
    return DP_OK;
}

dp_status dp__vk_buffer_read(dp__gpu *gpu, void *handle, uint64_t offset, void *data, uint64_t bytes)
{
    dp__vk *vk = gpu->driver_state;
    dp__vk_buffer *buffer = handle;
    if (gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    if (buffer->mapped)
        return read_mapped(vk, buffer, offset, data, bytes);
    while (bytes > 0) {
        staging_piece piece = {0};
        DP_CHECK(take_staging(vk, bytes, &piece));
        DP_CHECK(dp__vk_copy(vk, buffer, offset, piece.buffer, piece.offset, piece.bytes));
        DP_CHECK(read_mapped(vk, piece.buffer, piece.offset, data, piece.bytes));
        data = (char *)data + piece.bytes;
        offset += piece.bytes;
        bytes -= piece.bytes;
    }
    return DP_OK;
}
