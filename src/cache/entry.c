/* SPDX-License-Identifier: Apache-2.0 */
/* One entry: how its file is written, and what it must say of itself to be used. */
#include "cache/cache.h"
#include "core/whole_file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file is this, the key and the data. It is read on the machine that wrote it, or is not recognised. The
 * hash is of all that follows it. */
typedef struct header {
    char magic[8];
    dp__hash hash;
    uint64_t key_bytes, data_bytes;
} header;

static const char magic[8] = {'D', 'I', 'P', 'O', 'L', 'E', '0', '1'};

enum { HASHED = offsetof(header, key_bytes) };

#define SECONDS_OF_A_USE 3600                 /* how exact the time of an entry's last use is */
#define LOOKS_AFTER      ((uint64_t)16 << 20) /* bytes written between two looks at the size of all */

dp__cache *dp__cache_open(const char *backend)
{
    char *folder;
    if (!dp__cache_folder(&folder))
        return NULL;
    dp__cache *cache = dp__alloc(1, sizeof *cache);
    if (!cache) {
        dp__free(folder);
        return NULL;
    }
    *cache = (dp__cache){.folder = folder, .unlooked = LOOKS_AFTER};
    snprintf(cache->backend, sizeof cache->backend, "%s", backend);
    return cache;
}

void dp__cache_close(dp__cache *cache)
{
    if (!cache)
        return;
    dp__free(cache->folder);
    dp__free(cache);
}

static void add_path(const dp__cache *cache, const dp__text *key, dp__text *path)
{
    const dp__hash hash = dp__hash_of(key->data, key->length);
    dp__text_add(path, "%s/%s-%016" PRIx64 "%016" PRIx64 DP__CACHE_SUFFIX, cache->folder, cache->backend,
                 hash.word[0], hash.word[1]);
}

static bool read_all(int file, unsigned char *data, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t got = read(file, data, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        data += got;
        bytes -= (size_t)got;
    }
    return true;
}

/* Whether the bytes of a file are an entry of this key. */
static bool verify(const unsigned char *file, size_t bytes, const dp__text *key)
{
    header head;
    if (bytes < sizeof head)
        return false;
    memcpy(&head, file, sizeof head);
    const size_t rest = bytes - sizeof head;
    if (memcmp(head.magic, magic, sizeof magic) != 0 || head.key_bytes != key->length ||
        head.key_bytes > rest || head.data_bytes != rest - head.key_bytes || head.data_bytes == 0)
        return false;
    const dp__hash hash = dp__hash_of(file + HASHED, bytes - HASHED);
    return memcmp(&hash, &head.hash, sizeof hash) == 0 &&
           memcmp(file + sizeof head, key->data, key->length) == 0;
}

/* What is run must come from nobody else: a kernel is code of this process. */
static bool trusted(const struct stat *status)
{
    return S_ISREG(status->st_mode) && (status->st_uid == geteuid() || status->st_uid == 0) &&
           !(status->st_mode & (S_IWGRP | S_IWOTH));
}

typedef enum outcome { READ, ABSENT, DAMAGED } outcome;

/* Reads and checks the file. A mapped file would be a crash where another process cuts it short. */
static outcome read_entry(int file, const char *path, const dp__text *key, unsigned char **data,
                          size_t *bytes)
{
    struct stat status;
    if (fstat(file, &status) != 0 || !trusted(&status)) {
        dp__cache_warn("%s belongs to another user, or others may write it: not used", path);
        return ABSENT;
    }
    if ((uint64_t)status.st_size < sizeof(header) || (uint64_t)status.st_size > DP__CACHE_MAX_ENTRY)
        return DAMAGED;
    *bytes = (size_t)status.st_size;
    if (!(*data = dp__alloc(*bytes, 1)))
        return ABSENT;
    if (!read_all(file, *data, *bytes) || !verify(*data, *bytes, key)) {
        dp__free(*data);
        return DAMAGED;
    }
    if (time(NULL) - status.st_mtime > SECONDS_OF_A_USE)
        futimens(file, NULL); /* a folder that is read only stays as it is */
    return READ;
}

static outcome find(dp__cache *cache, const char *path, const dp__text *key, void **result, size_t *bytes)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) {
        if (errno != ENOENT)
            dp__cache_warn("%s cannot be read: %s; kernels are built from their sources", path,
                           strerror(errno));
        return ABSENT;
    }
    unsigned char *data = NULL;
    const outcome found = read_entry(file, path, key, &data, bytes);
    close(file);
    if (found == DAMAGED) {
        cache->damaged++;
        dp__cache_warn("%s is damaged: removed, its kernel is built anew", path);
        unlink(path);
    } else if (found == READ) {
        const size_t start = sizeof(header) + key->length;
        *bytes -= start;
        memmove(data, data + start, *bytes);
        *result = data;
    }
    return found;
}

void *dp__cache_get(dp__cache *cache, const dp__text *key, size_t *bytes)
{
    dp__text path = {0};
    void *data = NULL;
    *bytes = 0;
    add_path(cache, key, &path);
    if (!path.failed && !key->failed && find(cache, path.data, key, &data, bytes) == READ)
        cache->hits++;
    else
        cache->misses++;
    dp__text_free(&path);
    return data;
}

void dp__cache_drop(dp__cache *cache, const dp__text *key)
{
    dp__text path = {0};
    add_path(cache, key, &path);
    cache->damaged++;
    if (!path.failed) {
        dp__cache_warn("%s is refused by the driver: removed, its kernel is built anew", path.data);
        unlink(path.data);
    }
    dp__text_free(&path);
}

/* The bytes of an entry's file, to be freed; NULL where memory is out. */
static unsigned char *make_image(const dp__text *key, const void *data, size_t bytes, size_t *all)
{
    header head = {.key_bytes = key->length, .data_bytes = bytes};
    *all = sizeof head + key->length + bytes;
    unsigned char *image = dp__alloc(*all, 1);
    if (!image)
        return NULL;
    memcpy(head.magic, magic, sizeof magic);
    memcpy(image, &head, sizeof head);
    memcpy(image + sizeof head, key->data, key->length);
    memcpy(image + sizeof head + key->length, data, bytes);
    head.hash = dp__hash_of(image + HASHED, *all - HASHED);
    memcpy(image, &head, sizeof head);
    return image;
}

/* Under a name of its own first: other processes see the whole entry or none. False with errno, 0
 * where nothing is wrong with the folder. */
static bool write_entry(const char *folder, const char *path, const dp__text *key, const void *data,
                        size_t bytes)
{
    const dp__whole_options options = {.temporary = DP__CACHE_TEMPORARY "XXXXXX", .cache = true};
    dp__whole_file file;
    size_t all;
    unsigned char *image = make_image(key, data, bytes, &all);
    if (!image) {
        errno = ENOMEM;
        return false;
    }
    bool opened = dp__whole_open(&file, path, &options);
    if (!opened && errno == ENOENT && dp__cache_make_folder(folder)) {
        dp__whole_drop(&file);
        opened = dp__whole_open(&file, path, &options);
    }
    if (opened)
        dp__whole_write(&file, image, all);
    const bool kept = dp__whole_close(&file);
    if (opened && !kept && errno == ENOENT)
        errno = 0; /* somebody cleared the folder at this moment */
    const int error = errno;
    dp__free(image);
    errno = error;
    return kept;
}

void dp__cache_put(dp__cache *cache, const dp__text *key, const void *data, size_t bytes)
{
    dp__text path = {0};
    if (cache->read_only || key->failed || bytes == 0 ||
        bytes + key->length + sizeof(header) > DP__CACHE_MAX_ENTRY)
        return;
    add_path(cache, key, &path);
    if (!path.failed && write_entry(cache->folder, path.data, key, data, bytes)) {
        cache->stored++;
        cache->unlooked += bytes + key->length;
    } else if (!path.failed && errno != 0) {
        cache->read_only = true;
        dp__cache_warn("%s cannot be written: %s; kernels are built anew in every process", cache->folder,
                       strerror(errno));
    }
    dp__text_free(&path);
    if (cache->unlooked >= LOOKS_AFTER) {
        dp__cache_trim(cache->folder, dp__cache_limit());
        cache->unlooked = 0;
    }
}
