/* SPDX-License-Identifier: Apache-2.0 */
/* Built kernels on disk: one file an entry, named by a hash of its key. What a file says of itself is checked
 * before it is used, so that a wrong one costs a build and nothing else. No call here fails for its caller:
 * without a folder that works, nothing is found and nothing is kept. docs/cache.md tells of folder, limits
 * and variables. */
#ifndef DP_CACHE_CACHE_H
#define DP_CACHE_CACHE_H

#include "core/core.h"
#include <dipole/cache.h>

typedef struct dp__hash {
    uint64_t word[2];
} dp__hash;
dp__hash dp__hash_of(const void *data, size_t bytes); /* hash.c */

#define DP__CACHE_SUFFIX    ".kernel"
#define DP__CACHE_TEMPORARY "tmp-"               /* what the names of unfinished files begin with */
#define DP__CACHE_MAX_ENTRY ((uint64_t)64 << 20) /* bytes of one file: more is no entry of ours */

/* entry.c: the entries of one device, used by one thread at a time. */
typedef struct dp__cache {
    char *folder;
    char backend[16];                  /* the names of its entries begin with it */
    bool read_only;                    /* a write has failed: no more are tried */
    uint64_t unlooked;                 /* bytes written since the folder's size was looked at */
    int hits, misses, stored, damaged; /* of this device, for tests */
} dp__cache;

/* NULL where the cache is off, or memory is out. Touches no file. */
dp__cache *dp__cache_open(const char *backend);
void dp__cache_close(dp__cache *cache);
/* The data that was kept under the key; NULL where there is none, or none that is whole. The caller frees. */
void *dp__cache_get(dp__cache *cache, const dp__text *key, size_t *bytes);
void dp__cache_put(dp__cache *cache, const dp__text *key, const void *data, size_t bytes);
/* Removes an entry that is whole and yet not usable. */
void dp__cache_drop(dp__cache *cache, const dp__text *key);

/* folder.c */
/* Where entries are; false where the cache is off, there is no place for it, or memory is out. The caller
 * frees. */
bool dp__cache_folder(char **folder);
bool dp__cache_make_folder(const char *folder); /* with all above it; sets errno */
/* Bytes that all entries together may take. */
uint64_t dp__cache_limit(void);
/* Removes the entries that were not used for longest until all take three quarters of `limit`, where they
 * take more than it, and unfinished files that are old. */
void dp__cache_trim(const char *folder, uint64_t limit);
/* One line on stderr, the first time in a process. */
void dp__cache_warn(const char *format, ...) DP_PRINTF(1, 2);

#endif
