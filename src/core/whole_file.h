/* SPDX-License-Identifier: Apache-2.0 */
/* Files that appear whole or not at all: written under another name in the same folder, brought to the disk,
 * then renamed. Whatever fails on the way, and whenever the process is killed, the old file stays. */
#ifndef DP_CORE_WHOLE_FILE_H
#define DP_CORE_WHOLE_FILE_H

#include "core/core.h"

/* What differs for files that are only a cache. All zero: for files that a user asked for. */
typedef struct dp__whole_options {
    const char *temporary; /* its name in the folder, ending in XXXXXX; NULL: ".NAME.XXXXXX" */
    bool cache;            /* for the owner alone; not brought to the disk; a link at `path` is replaced */
} dp__whole_options;

typedef struct dp__whole_file {
    char *path, *temporary;
    int descriptor; /* -1: none */
    int error;      /* errno of the first failure */
    bool cache;
} dp__whole_file;

/* Each returns false with errno. After a failure nothing is written any more, and close says so too: a writer
 * may look at its result alone. Every file that was opened, with or without success, is closed or dropped.
 * The file has the permissions of the one that it replaces, or those that any new file gets; links at `path` are
 * followed. What exists there and is no regular file, or may not be written, is refused. */
bool dp__whole_open(dp__whole_file *file, const char *path, const dp__whole_options *options);
bool dp__whole_write(dp__whole_file *file, const void *data, size_t bytes);
/* Puts the file into its place; where that fails, nothing is left of it. */
bool dp__whole_close(dp__whole_file *file);
/* Leaves the old file as it is. Keeps errno. */
void dp__whole_drop(dp__whole_file *file);

/* All in one. */
bool dp__whole_save(const char *path, const void *data, size_t bytes);

/* The whole of a loop around write(2): false with errno. */
bool dp__write_all(int descriptor, const void *data, size_t bytes);

#endif
