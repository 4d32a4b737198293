/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of integers on the device, by content: a training step asks for the same ones again and again. */
#include "gpu/capture.h"
#include "gpu/step.h"
#include <string.h>

#define MOST_TABLES 128
#define MOST_BYTES  ((uint64_t)32 << 20) /* of all tables together, but for the newest */

typedef struct table {
    dp__buffer *buffer;
    int32_t *values;
    size_t count;
    uint64_t used; /* by the cache's clock */
} table;

typedef struct dp__table_cache {
    table tables[MOST_TABLES];
    int count;
    uint64_t clock, bytes;
} dp__table_cache;

dp_status dp__gpu_upload(dp__gpu *gpu, dp__buffer *buffer, const void *values, uint64_t bytes)
{
    DP_CHECK(dp__capture_fresh(gpu, buffer));
    DP_CHECK(dp__capture_pin(gpu, buffer));
    return gpu->driver->buffer_write(gpu, buffer->handle, 0, values, bytes);
}

static void drop(dp__table_cache *cache, int at)
{
    table *old = &cache->tables[at];
    cache->bytes -= old->buffer->bytes;
    dp__buffer_release(old->buffer);
    dp__free(old->values);
    *old = cache->tables[--cache->count];
}

static int least_used(const dp__table_cache *cache)
{
    int oldest = 0;
    for (int at = 1; at < cache->count; at++)
        if (cache->tables[at].used < cache->tables[oldest].used)
            oldest = at;
    return oldest;
}

static dp_status add(dp__gpu *gpu, const int32_t *values, size_t count, dp__buffer **buffer)
{
    dp__table_cache *cache = gpu->tables;
    const size_t bytes = count * sizeof *values;
    while (cache->count > 0 && (cache->count == MOST_TABLES || cache->bytes + bytes > MOST_BYTES))
        drop(cache, least_used(cache));
    table new = {.values = dp__alloc(count, sizeof *values), .count = count, .used = ++cache->clock};
    if (!new.values)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for a table of %zu numbers", count);
    memcpy(new.values, values, bytes);
    new.buffer = dp__buffer_create(gpu->device, bytes);
    dp_status status = new.buffer ? dp__gpu_upload(gpu, new.buffer, values, bytes) : DP_ERROR_MEMORY;
    if (status != DP_OK) {
        if (new.buffer)
            dp__buffer_release(new.buffer);
        dp__free(new.values);
        return status;
    }
    cache->bytes += new.buffer->bytes;
    cache->tables[cache->count++] = new;
    *buffer = new.buffer;
    return DP_OK;
}

dp_status dp__table_find(dp__gpu *gpu, const int32_t *values, size_t count, dp__buffer **buffer)
{
    if (!gpu->tables && !(gpu->tables = dp__alloc(1, sizeof *gpu->tables)))
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the tables");
    for (int at = 0; at < gpu->tables->count; at++) {
        table *known = &gpu->tables->tables[at];
        if (known->count == count && memcmp(known->values, values, count * sizeof *values) == 0) {
            known->used = ++gpu->tables->clock;
            *buffer = known->buffer;
            return dp__capture_pin(gpu, known->buffer);
        }
    }
    return add(gpu, values, count, buffer);
}

void dp__table_cache_free(dp__gpu *gpu)
{
    while (gpu->tables && gpu->tables->count > 0)
        drop(gpu->tables, 0);
    dp__free(gpu->tables);
    gpu->tables = NULL;
}
