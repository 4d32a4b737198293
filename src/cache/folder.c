/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of all entries: where it is, what is in it, and what goes. */
#include "cache/cache.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_MIB        256
#define MOST_MIB           (1 << 20)
#define UNFINISHED_SECONDS 3600      /* a file that is still being written is younger */
#define SUBFOLDER          "kernels" /* entries have a folder for themselves: clearing touches nothing else */

void dp__cache_warn(const char *format, ...)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&warned))
        return;
    dp__text line = {0};
    va_list list;
    char text[512];
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    dp__text_add(&line, "dipole: cache: %s (DIPOLE_CACHE=off turns it off)\n", text);
    if (!line.failed)
        fputs(line.data, stderr); /* in one piece */
    dp__text_free(&line);
}

/* The value of a variable; NULL where it is not set or empty. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool dp__cache_folder(char **folder)
{
    const char *own = variable("DIPOLE_CACHE_DIR"), *xdg = variable("XDG_CACHE_HOME"),
               *home = variable("HOME");
    const char *mode = variable("DIPOLE_CACHE");
    dp__text path = {0};
    *folder = NULL;
    if (mode && (strcmp(mode, "off") == 0 || strcmp(mode, "0") == 0))
        return false;
    if (own)
        dp__text_add(&path, "%s/" SUBFOLDER, own);
    else if (xdg && xdg[0] == '/') /* its specification ignores relative ones */
        dp__text_add(&path, "%s/dipole/" SUBFOLDER, xdg);
    else if (home && home[0] == '/')
        dp__text_add(&path, "%s/.cache/dipole/" SUBFOLDER, home);
    *folder = path.data;
    return path.data != NULL;
}

bool dp__cache_make_folder(const char *folder)
{
    dp__text path = {0};
    dp__text_add(&path, "%s", folder);
    errno = ENOMEM;
    bool made = !path.failed;
    for (char *slash = path.data; made && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        made = mkdir(path.data, 0700) == 0 || errno == EEXIST || access(path.data, F_OK) == 0;
        *slash = '/';
    }
    made = made && (mkdir(folder, 0700) == 0 || errno == EEXIST);
    const int error = errno;
    dp__text_free(&path);
    errno = error;
    return made;
}

uint64_t dp__cache_limit(void)
{
    const char *text = variable("DIPOLE_CACHE_MIB");
    char *end = NULL;
    const long long mib = text ? strtoll(text, &end, 10) : DEFAULT_MIB;
    const bool good = mib >= 1 && mib <= MOST_MIB && !(end && *end);
    return (uint64_t)(good ? mib : DEFAULT_MIB) << 20;
}

typedef struct file {
    char name[96];
    uint64_t bytes;
    struct timespec used;
    bool temporary;
} file;

typedef struct files {
    file *list;
    size_t count, capacity;
    bool failed; /* memory is out */
} files;

static bool is_entry(const char *name)
{
    const size_t length = strlen(name), suffix = sizeof DP__CACHE_SUFFIX - 1;
    const char *dash = strchr(name, '-');
    return dash && dash != name && length == (size_t)(dash - name) + 1 + 32 + suffix &&
           strspn(dash + 1, "0123456789abcdef") == 32 &&
           strcmp(name + length - suffix, DP__CACHE_SUFFIX) == 0;
}

static bool is_temporary(const char *name)
{
    return strncmp(name, DP__CACHE_TEMPORARY, sizeof DP__CACHE_TEMPORARY - 1) == 0 &&
           strlen(name) == sizeof DP__CACHE_TEMPORARY - 1 + 6;
}

/* Fills the list with what is ours in the folder. False with errno where it cannot be read. */
static bool list_files(const char *folder, files *all)
{
    DIR *stream = opendir(folder);
    const struct dirent *item;
    *all = (files){0};
    if (!stream)
        return false;
    while (!all->failed && (item = readdir(stream))) {
        struct stat status;
        const bool temporary = is_temporary(item->d_name);
        if ((!temporary && !is_entry(item->d_name)) || strlen(item->d_name) >= sizeof all->list->name ||
            fstatat(dirfd(stream), item->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!dp__grow(&all->list, &all->capacity, all->count + 1, sizeof *all->list)) {
            all->failed = true;
            break;
        }
        file *next = &all->list[all->count++];
        *next = (file){.bytes = (uint64_t)status.st_size, .used = status.st_mtim, .temporary = temporary};
        memcpy(next->name, item->d_name, strlen(item->d_name) + 1);
    }
    closedir(stream);
    return true;
}

/* False with errno; a file that is gone already is none. */
static bool remove_file(const char *folder, const file *item)
{
    dp__text path = {0};
    dp__text_add(&path, "%s/%s", folder, item->name);
    errno = ENOMEM;
    const bool removed = !path.failed && (unlink(path.data) == 0 || errno == ENOENT);
    const int error = errno;
    dp__text_free(&path);
    errno = error;
    return removed;
}

static int oldest_first(const void *left, const void *right)
{
    const file *a = left, *b = right;
    if (a->used.tv_sec != b->used.tv_sec)
        return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
    if (a->used.tv_nsec != b->used.tv_nsec)
        return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
    return strcmp(a->name, b->name);
}

void dp__cache_trim(const char *folder, uint64_t limit)
{
    files all;
    uint64_t bytes = 0;
    if (!list_files(folder, &all))
        return;
    for (size_t f = 0; f < all.count; f++) {
        if (all.list[f].temporary && time(NULL) - all.list[f].used.tv_sec > UNFINISHED_SECONDS)
            remove_file(folder, &all.list[f]);
        bytes += all.list[f].temporary ? 0 : all.list[f].bytes;
    }
    if (bytes > limit) {
        qsort(all.list, all.count, sizeof *all.list, oldest_first);
        for (size_t f = 0; f < all.count && bytes > limit / 4 * 3; f++)
            if (!all.list[f].temporary && remove_file(folder, &all.list[f]))
                bytes -= all.list[f].bytes;
    }
    dp__free(all.list);
}

size_t dp_cache_folder(char *folder, size_t size)
{
    char *path;
    if (!dp__cache_folder(&path)) {
        if (folder && size > 0)
            folder[0] = '\0';
        return 0;
    }
    const size_t length = strlen(path);
    if (folder && size > 0)
        snprintf(folder, size, "%s", path);
    dp__free(path);
    return length;
}

static int by_name(const void *left, const void *right)
{
    const file *a = left, *b = right;
    return strcmp(a->name, b->name);
}

size_t dp_cache_usage_list(dp_cache_usage *usage, size_t capacity)
{
    char *folder;
    files all = {0};
    size_t rows = 0;
    if (!dp__cache_folder(&folder))
        return 0;
    if (list_files(folder, &all) && all.count > 0)
        qsort(all.list, all.count, sizeof *all.list, by_name);
    dp_cache_usage row = {{0}, 0, 0};
    for (size_t f = 0; f < all.count; f++) {
        if (all.list[f].temporary)
            continue;
        char backend[sizeof row.backend];
        snprintf(backend, sizeof backend, "%.*s", (int)strcspn(all.list[f].name, "-"), all.list[f].name);
        if (rows == 0 || strcmp(backend, row.backend) != 0) {
            rows++;
            row = (dp_cache_usage){{0}, 0, 0};
            memcpy(row.backend, backend, sizeof backend);
        }
        row.entries++;
        row.bytes += all.list[f].bytes;
        if (usage && rows <= capacity)
            usage[rows - 1] = row;
    }
    dp__free(all.list);
    dp__free(folder);
    return rows;
}

dp_status dp_cache_clear(uint64_t *removed)
{
    char *folder;
    files all = {0};
    uint64_t count = 0;
    if (removed)
        *removed = 0;
    if (!dp__cache_folder(&folder))
        return DP_OK;
    dp_status status = list_files(folder, &all) || errno == ENOENT ? DP_OK : DP_ERROR_IO;
    for (size_t f = 0; f < all.count; f++) {
        if (remove_file(folder, &all.list[f]))
            count++;
        else
            status = DP_ERROR_IO;
    }
    if (all.failed)
        status = DP_ERROR_MEMORY;
    if (removed)
        *removed = count;
    dp__free(all.list);
    dp__free(folder);
    return status;
}
