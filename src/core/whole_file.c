/* SPDX-License-Identifier: Apache-2.0 */
#include "core/whole_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 100 /* of names that others have taken */

bool dp__write_all(int descriptor, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    while (bytes > 0) {
        /* Linux writes less than 2^31 bytes at once; other systems refuse more. */
        const ssize_t wrote = write(descriptor, at, DP_MIN2(bytes, (size_t)1 << 30));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote == 0)
            errno = ENOSPC;
        if (wrote <= 0)
            return false;
        at += wrote;
        bytes -= (size_t)wrote;
    }
    return true;
}

static bool fail(dp__whole_file *file)
{
    if (file->error == 0)
        file->error = errno ? errno : EIO;
    errno = file->error;
    return false;
}

/* The file that `path` names in the end; its permissions, where it is there, into *mode. NULL with errno. */
static char *target_of(const char *path, bool cache, bool *exists, mode_t *mode)
{
    struct stat status;
    char resolved[PATH_MAX];
    dp__text result = {0};
    *exists = !cache && stat(path, &status) == 0;
    if (*exists) {
        *mode = status.st_mode & 0777;
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        if (!S_ISREG(status.st_mode) || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0 ||
            !realpath(path, resolved))
            return NULL;
        path = resolved;
    } else if (!cache && lstat(path, &status) == 0) {
        errno = ENOENT; /* a link to nowhere: where it points to is not for us to make */
        return NULL;
    }
    dp__text_add(&result, "%s", path);
    errno = ENOMEM;
    return result.data;
}

static char *template_of(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const int folder = slash ? (int)(slash - path) + 1 : 0;
    dp__text result = {0};
    if (name)
        dp__text_add(&result, "%.*s%s", folder, path, name);
    else /* a name that is as long as one may be leaves no room for more */
        dp__text_add(&result, "%.*s.%.200s.XXXXXX", folder, path, path + folder);
    errno = ENOMEM;
    return result.data;
}

/* As mkstemp, but with the permissions of any new file: those of the process's mask. */
static int create(char *template, mode_t mode)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    static atomic_uint counter;
    char *end = template + strlen(template) - 6;
    for (int tries = 0; tries < TRIES; tries++) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t number = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30;
        number = (number + atomic_fetch_add(&counter, 1) + ((uint64_t)getpid() << 32)) * 0x9E3779B97F4A7C15u;
        for (int letter = 0; letter < 6; letter++)
            end[letter] = letters[number >> (34 + 5 * letter) & 31];
        const int descriptor = open(template, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

bool dp__whole_open(dp__whole_file *file, const char *path, const dp__whole_options *options)
{
    const bool cache = options && options->cache;
    bool exists;
    mode_t mode = 0666;
    *file = (dp__whole_file){.descriptor = -1, .cache = cache};
    file->path = target_of(path, cache, &exists, &mode);
    if (file->path)
        file->temporary = template_of(file->path, options ? options->temporary : NULL);
    if (!file->temporary)
        return fail(file);
    file->descriptor = create(file->temporary, cache ? 0600 : 0666);
    if (file->descriptor < 0) {
        fail(file);
        dp__free(file->temporary); /* no file of ours: not to be removed */
        file->temporary = NULL;
        return fail(file);
    }
    if (exists && fchmod(file->descriptor, mode) != 0)
        return fail(file);
    return true;
}

bool dp__whole_write(dp__whole_file *file, const void *data, size_t bytes)
{
    if (file->error || !dp__write_all(file->descriptor, data, bytes))
        return fail(file);
    return true;
}

/* That the new name is on the disk too. Not every file system can do it, and the data is safe by then. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    dp__text folder = {0};
    dp__text_add(&folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    const int descriptor = folder.failed ? -1 : open(folder.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
    dp__text_free(&folder);
}

bool dp__whole_close(dp__whole_file *file)
{
    if (!file->error && !file->cache && fsync(file->descriptor) != 0)
        fail(file);
    if (!file->error) {
        const int descriptor = file->descriptor;
        file->descriptor = -1;
        if (close(descriptor) != 0 || rename(file->temporary, file->path) != 0) /* full as late as here */
            fail(file);
    }
    if (!file->error) {
        if (!file->cache)
            sync_folder(file->path);
        dp__free(file->temporary); /* it is the file now */
        file->temporary = NULL;
    }
    const int error = file->error;
    dp__whole_drop(file);
    errno = error;
    return error == 0;
}

void dp__whole_drop(dp__whole_file *file)
{
    const int error = errno;
    if (file->descriptor >= 0)
        close(file->descriptor);
    if (file->temporary)
        unlink(file->temporary);
    dp__free(file->temporary);
    dp__free(file->path);
    *file = (dp__whole_file){.descriptor = -1};
    errno = error;
}

bool dp__whole_save(const char *path, const void *data, size_t bytes)
{
    dp__whole_file file;
    if (dp__whole_open(&file, path, NULL))
        dp__whole_write(&file, data, bytes);
    return dp__whole_close(&file);
}
