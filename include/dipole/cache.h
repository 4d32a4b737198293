/* SPDX-License-Identifier: Apache-2.0 */
/* Built kernels that are kept on disk, so that a second process need not build them: where they are, how
 * many, and their end.
 *
 * The library reads and writes them on its own. Environment variables, looked at when a device is opened:
 *   DIPOLE_CACHE=off      no kernel is read from disk or kept there
 *   DIPOLE_CACHE_DIR      the folder that holds them; else $XDG_CACHE_HOME/dipole, else $HOME/.cache/dipole
 *   DIPOLE_CACHE_MIB      what all together may take, in MiB; 256 where it is not a number from 1 to 1048576
 * A folder that cannot be read or written, and an entry that is damaged, cost one line on stderr in a process
 * and no more: kernels are then built from their sources. */
#ifndef DIPOLE_CACHE_H
#define DIPOLE_CACHE_H

#include <dipole/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_cache_usage {
    char backend[16]; /* "opencl" */
    uint64_t entries; /* one a kernel */
    uint64_t bytes;   /* of their files */
} dp_cache_usage;

/* Writes the path of the folder, which need not exist, to `folder` (may be NULL with size 0) as far as it
 * fits, with a NUL, and returns its length without that; 0 and "" where the cache is off or there is no place
 * for it. */
DP_API size_t dp_cache_folder(char *folder, size_t size);

/* Counts the entries in the folder by backend, by name. Writes at most `capacity` rows (`usage` may be NULL
 * with capacity 0) and returns how many there are; 0 where there is no entry or the folder cannot be read.
 * From any thread. */
DP_API size_t dp_cache_usage_list(dp_cache_usage *usage, size_t capacity);

/* Removes all entries, and unfinished files that a process left behind; nothing else. `removed` (may be NULL)
 * receives how many. ERROR_IO where the folder or a file cannot be removed (a folder that does not exist is
 * no error), ERROR_MEMORY. Processes that run are not disturbed. From any thread. */
DP_API dp_status dp_cache_clear(uint64_t *removed);

#ifdef __cplusplus
}
#endif
#endif
