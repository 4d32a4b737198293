/* SPDX-License-Identifier: Apache-2.0 */
/* The memory pool: buffers that were released are kept for the next that need as much. Queues are in order,
 * so a buffer may be given away while launches in flight still use it: what the next owner launches comes
 * behind them, and drivers order by handle. Only the host's own writes would have to wait, and take an idle
 * one instead. What is taken depends on the order of calls and, where a handle is busy, on time; contents are
 * undefined either way, and results do not depend on it. */
#include "gpu/pool.h"
#include "gpu/capture.h"
#include <stdlib.h>
#include <string.h>

#define MAX_KEPT    256 /* buffers */
#define SHARE_KEPT  8   /* of the device's memory, bytes that are kept at most: one part in so many */
#define SMALLEST    ((uint64_t)256)
#define FINE_UP_TO  ((uint64_t)1 << 20) /* sizes are rounded to eighths of a power of two, larger ones */
#define COARSE_STEP ((uint64_t)1 << 16) /* to these bytes */

typedef struct kept {
    void *handle;
    uint64_t bytes;
} kept;

typedef struct dp__pool {
    kept list[MAX_KEPT]; /* the oldest first */
    size_t count;
    bool off;
} dp__pool;

/* So that tensors of about one size can follow each other. */
static uint64_t round_up(uint64_t bytes)
{
    uint64_t step = SMALLEST;
    if (bytes > FINE_UP_TO)
        step = COARSE_STEP;
    else
        while (step * 16 < bytes)
            step *= 2;
    return DP_CEIL_DIV(bytes, step) * step;
}

static void set_kept(dp__gpu *gpu, uint64_t bytes)
{
    gpu->device->kept_bytes = bytes;
}

static kept take_at(dp__gpu *gpu, size_t at)
{
    dp__pool *pool = gpu->pool;
    const kept taken = pool->list[at];
    memmove(&pool->list[at], &pool->list[at + 1], (pool->count - at - 1) * sizeof *pool->list);
    pool->count--;
    set_kept(gpu, gpu->device->kept_bytes - taken.bytes);
    return taken;
}

static bool is_busy(dp__gpu *gpu, void *handle)
{
    return gpu->driver->buffer_busy && gpu->driver->buffer_busy(gpu, handle);
}

/* The oldest that is large enough and not much too large; with `idle` only if no launch uses it (those after
 * it were released later). */
static bool reuse(dp__gpu *gpu, uint64_t bytes, bool idle, kept *found)
{
    const dp__pool *pool = gpu->pool;
    size_t at = 0;
    while (pool && at < pool->count &&
           (pool->list[at].bytes < bytes || pool->list[at].bytes > bytes + bytes / 8))
        at++;
    if (!pool || at == pool->count || (idle && is_busy(gpu, pool->list[at].handle)))
        return false;
    *found = take_at(gpu, at);
    return true;
}

/* Back to the driver, but for what a program's launches use. */
static void discard(dp__gpu *gpu, void *handle)
{
    if (!dp__capture_holds(gpu, handle))
        gpu->driver->buffer_destroy(gpu, handle);
}

/* Gives the oldest back until at most `bytes` are kept. */
static void trim(dp__gpu *gpu, uint64_t bytes)
{
    while (gpu->pool && gpu->pool->count > 0 && gpu->device->kept_bytes > bytes)
        discard(gpu, take_at(gpu, 0).handle);
}

/* From the driver. What is kept makes room first; where memory is short all the same, all of it, and what was
 * in flight. */
static dp_status create(dp__gpu *gpu, uint64_t bytes, void **handle)
{
    dp_device *device = gpu->device;
    const uint64_t rest =
        device->info.memory_bytes - DP_MIN2(device->info.memory_bytes, device->bytes_in_use);
    const bool clean = device->status == DP_OK;
    trim(gpu, rest - DP_MIN2(rest, bytes));
    const dp_status status = gpu->driver->buffer_create(gpu, bytes, handle);
    if (status != DP_ERROR_MEMORY || !gpu->pool || gpu->pool->count == 0)
        return status;
    if (clean)
        dp_clear(device);
    trim(gpu, 0);
    DP_CHECK(gpu->driver->wait(gpu));
    return gpu->driver->buffer_create(gpu, bytes, handle);
}

dp_status dp__gpu_buffer_create(dp_device *device, dp__buffer *buffer)
{
    dp__gpu *gpu = device->state;
    kept found;
    if (device->lost)
        return DP_ERROR_DEVICE_LOST;
    if (!gpu->pool && (gpu->pool = dp__alloc(1, sizeof *gpu->pool))) {
        const char *mode = getenv("DIPOLE_POOL"); /* for tools that look for accesses out of bounds */
        gpu->pool->off = mode && strcmp(mode, "off") == 0;
    }
    const bool pooled = gpu->pool && !gpu->pool->off;
    const uint64_t bytes =
        pooled ? DP_MIN2(round_up(buffer->bytes), gpu->limits.max_tensor_bytes) : buffer->bytes;
    buffer->capacity = bytes;
    if (reuse(gpu, bytes, false, &found)) {
        buffer->handle = found.handle;
        buffer->capacity = found.bytes;
    } else {
        DP_CHECK(create(gpu, bytes, &buffer->handle));
    }
    dp__capture_born(gpu, buffer);
    return DP_OK;
}

bool dp__pool_take(dp__gpu *gpu, const void *handle)
{
    for (size_t at = 0; gpu->pool && at < gpu->pool->count; at++)
        if (gpu->pool->list[at].handle == handle)
            return take_at(gpu, at).handle != NULL;
    return false;
}

/* Keeps a handle, or gives it back. */
void dp__pool_give(dp__gpu *gpu, void *handle, uint64_t bytes)
{
    dp__pool *pool = gpu->pool;
    const uint64_t most = gpu->device->info.memory_bytes / SHARE_KEPT;
    if (!pool || pool->off || bytes > most || gpu->device->lost) {
        discard(gpu, handle);
        return;
    }
    trim(gpu, most - bytes);
    if (pool->count == MAX_KEPT)
        discard(gpu, take_at(gpu, 0).handle);
    pool->list[pool->count++] = (kept){handle, bytes};
    set_kept(gpu, gpu->device->kept_bytes + bytes);
}

void dp__gpu_buffer_destroy(dp_device *device, dp__buffer *buffer)
{
    dp__gpu *gpu = device->state;
    if (!dp__capture_takes(gpu, buffer))
        dp__pool_give(gpu, buffer->handle, buffer->capacity);
}

dp_status dp__pool_renew(dp__gpu *gpu, dp__buffer *buffer)
{
    void *handle;
    DP_CHECK(create(gpu, buffer->capacity, &handle));
    dp__pool_give(gpu, buffer->handle, buffer->capacity);
    buffer->handle = handle;
    return DP_OK;
}

/* Where all of a buffer is written while launches use what was in it, it gets other memory instead of waiting
 * for them. */
static void rename_busy(dp__gpu *gpu, dp__buffer *buffer)
{
    const uint64_t most = gpu->device->info.memory_bytes / SHARE_KEPT;
    kept other = {NULL, buffer->capacity};
    if (!gpu->pool || gpu->pool->off || gpu->capture || buffer->programs > 0 || !is_busy(gpu, buffer->handle))
        return;
    if (!reuse(gpu, buffer->bytes, true, &other)) {
        if (gpu->pool->count == MAX_KEPT || gpu->device->kept_bytes + buffer->capacity > most ||
            gpu->device->bytes_in_use + gpu->device->kept_bytes + buffer->capacity >
                gpu->device->info.memory_bytes)
            return;
        const bool clean = gpu->device->status == DP_OK;
        if (gpu->driver->buffer_create(gpu, other.bytes, &other.handle) != DP_OK) {
            if (clean)
                dp_clear(gpu->device); /* then it waits */
            return;
        }
    }
    dp__pool_give(gpu, buffer->handle, buffer->capacity);
    buffer->handle = other.handle;
    buffer->capacity = other.bytes;
}

dp_status dp__gpu_buffer_write(dp_device *device, dp__buffer *buffer, uint64_t offset, const void *data,
                               uint64_t bytes)
{
    dp__gpu *gpu = device->state;
    if (dp__capture_runs(gpu))
        return dp__capture_write(gpu, buffer, offset, data, bytes);
    if (offset == 0 && bytes == buffer->bytes)
        rename_busy(gpu, buffer);
    return gpu->driver->buffer_write(gpu, buffer->handle, offset, data, bytes);
}

void dp__pool_free(dp__gpu *gpu)
{
    trim(gpu, 0);
    dp__free(gpu->pool);
    gpu->pool = NULL;
}
