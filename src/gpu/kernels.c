/* SPDX-License-Identifier: Apache-2.0 */
/* From a step to a built kernel: its source is put together, built once a device, and kept; what was built is kept on disk too. */
#include "cache/cache.h"
#include "gpu/source.h"
#include "gpu/step.h"
#include <string.h>

typedef struct entry {
    uint64_t hash;
    char *key; /* everything that the source depends on */
    void *kernel;
} entry;

typedef struct dp__kernel_cache {
    entry *entries;
    size_t count, capacity;
} dp__kernel_cache;

static void add_key(const dp__step *step, dp__text *key)
{
    dp__text_add(key, "%s", step->kernel);
    for (int d = 0; d < step->defines; d++)
        dp__text_add(key, " %s=%d", step->define[d].name, step->define[d].value);
    dp__text_add(key, "\n%s\n%s", step->bindings ? step->bindings : "", step->formula ? step->formula : "");
}

/* As FNV-1a, of words of 8 bytes: for this process alone. */
static uint64_t hash_text(const dp__text *text)
{
    uint64_t hash = 0xcbf29ce484222325u ^ text->length;
    for (size_t i = 0; i < text->length; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, text->data + i, DP_MIN2(text->length - i, sizeof word));
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 32;
    }
    return hash;
}

static const char *find_embedded(const char *name, const char *dialect)
{
    for (const dp__embedded_source *source = dp__embedded_sources; source->name; source++)
        if (strcmp(source->name, name) == 0 && strcmp(source->dialect, dialect) == 0)
            return source->text;
    return NULL;
}

static void add_defines(const dp__step *step, dp__text *text)
{
    for (int d = 0; d < step->defines; d++)
        dp__text_add(text, "#define %s %d\n", step->define[d].name, step->define[d].value);
}

bool dp__step_source(const dp__step *step, bool glsl, dp__text *text)
{
    static const char bindings[] = "#include \"bindings\"\n", formula[] = "#include \"formula\"\n";
    const char *line = find_embedded(step->kernel, glsl ? "comp" : "cl");
    if (!line)
        return false;
    if (!glsl)
        add_defines(step, text);
    while (*line) {
        const char *newline = strchr(line, '\n');
        const char *next = newline ? newline + 1 : line + strlen(line);
        const size_t length = (size_t)(next - line);
        if (length == sizeof bindings - 1 && memcmp(line, bindings, length) == 0)
            dp__text_add(text, "%s", step->bindings ? step->bindings : "");
        else if (length == sizeof formula - 1 && memcmp(line, formula, length) == 0)
            dp__text_add(text, "%s", step->formula ? step->formula : "");
        else
            dp__text_add_range(text, line, length);
        if (glsl && strncmp(line, "#version", 8) == 0)
            add_defines(step, text);
        line = next;
    }
    return !text->failed;
}

/* Everything that a built kernel depends on. */
static void add_disk_key(const dp__gpu *gpu, const dp__kernel_source *source, dp__text *key)
{
    dp__text_add(key, "dipole %s\n%s\n%s\n%s groups %u x %u x %u, %d buffers, %d words\n", dp_version(), gpu->driver->name,
                 gpu->identity, source->name, source->group[0], source->group[1], source->group[2], source->bindings,
                 source->params);
    dp__text_add_range(key, source->text, strlen(source->text));
}

static bool load(dp__gpu *gpu, const dp__kernel_source *source, const dp__text *key, void **kernel)
{
    dp__binary binary;
    binary.data = dp__cache_get(gpu->disk, key, &binary.bytes);
    if (!binary.data)
        return false;
    const bool loaded = gpu->driver->kernel_load(gpu, source, &binary, kernel);
    if (!loaded)
        dp__cache_drop(gpu->disk, key);
    dp__free(binary.data);
    return loaded;
}

static dp_status build_or_load(dp__gpu *gpu, const dp__kernel_source *source, void **kernel)
{
    dp__text key = {0};
    dp__binary built = {NULL, 0};
    if (!gpu->disk)
        return gpu->driver->kernel_create(gpu, source, NULL, kernel);
    add_disk_key(gpu, source, &key);
    dp_status status = DP_OK;
    if (key.failed || !load(gpu, source, &key, kernel)) {
        status = gpu->driver->kernel_create(gpu, source, &built, kernel);
        if (status == DP_OK && built.data)
            dp__cache_put(gpu->disk, &key, built.data, built.bytes);
    }
    dp__free(built.data);
    dp__text_free(&key);
    return status;
}

static dp_status build(dp__gpu *gpu, const dp__step *step, void **kernel)
{
    dp__text text = {0};
    if (!dp__step_source(step, gpu->driver->glsl, &text)) {
        dp__text_free(&text);
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the source of kernel %s", step->kernel);
    }
    const dp__launch *launch = &step->launch;
    const dp__kernel_source source = {
        .name = step->kernel,
        .text = text.data,
        .group = {launch->group[0], launch->group[1], launch->group[2]},
        .bindings = launch->bindings,
        .params = launch->params,
    };
    const dp_status status = build_or_load(gpu, &source, kernel);
    dp__text_free(&text);
    return status;
}

static dp_status add_entry(dp__gpu *gpu, const dp__step *step, uint64_t hash, char *key, void **kernel)
{
    dp__kernel_cache *cache = gpu->cache;
    if (!dp__grow(&cache->entries, &cache->capacity, cache->count + 1, sizeof *cache->entries))
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for kernel %s", step->kernel);
    DP_CHECK(gpu->driver->flush(gpu)); /* the device works while a kernel is built */
    DP_CHECK(build(gpu, step, kernel));
    cache->entries[cache->count++] = (entry){hash, key, *kernel};
    return DP_OK;
}

dp_status dp__kernel_find(dp__gpu *gpu, const dp__step *step, void **kernel)
{
    if (!gpu->cache && !(gpu->cache = dp__alloc(1, sizeof *gpu->cache)))
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the kernels");
    dp__text key = {0};
    add_key(step, &key);
    if (key.failed)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for kernel %s", step->kernel);
    const uint64_t hash = hash_text(&key);
    for (size_t i = 0; i < gpu->cache->count; i++) {
        const entry *known = &gpu->cache->entries[i];
        if (known->hash == hash && strcmp(known->key, key.data) == 0) {
            dp__text_free(&key);
            *kernel = known->kernel;
            return DP_OK;
        }
    }
    const dp_status status = add_entry(gpu, step, hash, key.data, kernel);
    if (status != DP_OK)
        dp__text_free(&key);
    return status;
}

void dp__kernel_cache_free(dp__gpu *gpu)
{
    if (!gpu->cache)
        return;
    for (size_t i = 0; i < gpu->cache->count; i++) {
        gpu->driver->kernel_destroy(gpu, gpu->cache->entries[i].kernel);
        dp__free(gpu->cache->entries[i].key);
    }
    dp__free(gpu->cache->entries);
    dp__free(gpu->cache);
    gpu->cache = NULL;
}
