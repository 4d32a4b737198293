/* SPDX-License-Identifier: Apache-2.0 */
#include "core/whole_file.h"
#include "gpu/line_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES ((size_t)16 << 20)
#define LOCK_TRIES                                                                                           \
    200 /* of 10 ms each; then it is written without the lock: no reader sees a half-written file even so */
#define DEEPEST_PATH 4096

void dp__line_split(dp__line *line, const char *text, size_t length)
{
    line->fields = 0;
    if (length == 0 || length >= sizeof line->text || text[0] == '#' || memchr(text, '\0', length))
        return;
    memcpy(line->text, text, length);
    line->text[length] = '\0';
    char *at = line->text;
    while (at) {
        char *bar = strchr(at, '|'), *end = bar ? bar : at + strlen(at);
        char *const next = bar ? bar + 1 : NULL;
        while (*at == ' ' || *at == '\t')
            at++;
        while (end > at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
            end--;
        *end = '\0';
        if (line->fields == DP__LINE_FIELDS) {
            line->fields = 0;
            return;
        }
        line->field[line->fields++] = at;
        at = next;
    }
}

static bool is_blank(const char *text, size_t length)
{
    while (length > 0 && (*text == ' ' || *text == '\t' || *text == '\r')) {
        text++;
        length--;
    }
    return length == 0;
}

size_t dp__lines_read(const char *text, size_t length, dp__line_reader *read, void *data, size_t *first_bad)
{
    size_t bad = 0, number = 0;
    dp__line line;
    for (const char *end = text + length, *next; text < end; text = next) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const size_t size = (size_t)((newline ? newline : end) - text);
        next = newline ? newline + 1 : end;
        number++;
        if (text[0] == '#' || is_blank(text, size))
            continue;
        dp__line_split(&line, text, size);
        if (line.fields > 0 && read(data, &line))
            continue;
        if (bad++ == 0 && first_bad)
            *first_bad = number;
    }
    return bad;
}

char *dp__line_file_read(const char *path, size_t *length)
{
    *length = 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = NULL;
    size_t capacity = 0;
    struct stat status;
    if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && dp__grow(&text, &capacity, 1, 1))
        do {
            if (!dp__grow(&text, &capacity, *length + 4097, 1)) {
                dp__free(text);
                text = NULL;
                break;
            }
            *length += fread(text + *length, 1, capacity - *length - 1, file);
        } while (*length < MOST_BYTES && !feof(file) && !ferror(file));
    fclose(file);
    if (text)
        text[*length] = '\0';
    return text;
}

static void make_folders(const char *path)
{
    char folder[DEEPEST_PATH];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0777); /* what is missing in the end is told when the file is opened */
        *slash = '/';
    }
}

static bool refuse(char message[256], const char *what, const char *path)
{
    snprintf(message, 256, "%s %.180s: %.40s", what, path, strerror(errno));
    return false;
}

/* -1 where there is no lock to be had. */
static int lock(const char *path)
{
    char name[DEEPEST_PATH + 8];
    snprintf(name, sizeof name, "%s.lock", path);
    const int file = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    for (int tries = 0; file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (errno != EWOULDBLOCK || tries == LOCK_TRIES) {
            close(file);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return file;
}

/* A record while a file is merged: its text, and how much of that is its key. */
typedef struct record {
    char *text;
    size_t key;
} record;

typedef struct merge {
    record *records;
    size_t count, capacity;
    int key_fields;
    dp__line_reader *check;
    bool failed;
} merge;

static void put_record(merge *own, record new)
{
    for (size_t i = 0; i < own->count; i++) {
        record *old = &own->records[i];
        if (old->key == new.key && memcmp(old->text, new.text, new.key) == 0) {
            dp__free(old->text);
            *old = new;
            return;
        }
    }
    if (dp__grow(&own->records, &own->capacity, own->count + 1, sizeof *own->records)) {
        own->records[own->count++] = new;
    } else {
        dp__free(new.text);
        own->failed = true;
    }
}

static bool add_line(void *data, const dp__line *line)
{
    merge *own = data;
    if (line->fields < own->key_fields || !own->check(NULL, line))
        return false;
    dp__text text = {0};
    record new = {0};
    for (int f = 0; f < line->fields; f++) {
        dp__text_add(&text, "%s%s", f ? " | " : "", line->field[f]);
        if (f + 1 == own->key_fields)
            new.key = text.length;
    }
    new.text = text.data;
    if (text.failed)
        own->failed = true;
    else
        put_record(own, new);
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const record *)a)->text, ((const record *)b)->text);
}

/* Comments of the old file but for the header, which is written anew. */
static void add_comments(dp__text *out, const char *text, const char *header)
{
    while (text && *text) {
        const char *newline = strchr(text, '\n');
        const size_t size = newline ? (size_t)(newline - text) : strlen(text);
        char line[DP__LINE_BYTES];
        if (text[0] == '#' && size < sizeof line) {
            memcpy(line, text, size);
            line[size] = '\0';
            if (!strstr(header, line))
                dp__text_add(out, "%s\n", line);
        }
        text = newline ? newline + 1 : NULL;
    }
}

static bool merged_text(const char *path, const char *header, const dp__text *records, int key_fields,
                        dp__line_reader *check, dp__text *out)
{
    merge own = {.key_fields = key_fields, .check = check};
    size_t length;
    char *old = dp__line_file_read(path, &length);
    if (old)
        dp__lines_read(old, length, add_line, &own, NULL);
    else if (access(path, F_OK) == 0) /* what cannot be read is not written over */
        own.failed = true;
    dp__lines_read(records->data, records->length, add_line, &own, NULL);
    if (own.count > 1)
        qsort(own.records, own.count, sizeof *own.records, by_text);
    dp__text_add(out, "%s", header);
    add_comments(out, old, header);
    for (size_t i = 0; i < own.count; i++) {
        dp__text_add(out, "%s\n", own.records[i].text);
        dp__free(own.records[i].text);
    }
    dp__free(own.records);
    dp__free(old);
    return !own.failed && !out->failed;
}

/* That a file is made beside it is what counts: rename does not care whether the old one is read-only, so
 * that is asked for. */
bool dp__line_file_writable(const char *path, char message[256])
{
    struct stat status;
    char folder[DEEPEST_PATH];
    if (strlen(path) >= sizeof folder) {
        errno = ENAMETOOLONG;
        return refuse(message, "cannot write", path);
    }
    make_folders(path);
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    else
        snprintf(folder, sizeof folder, ".");
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return refuse(message, "cannot write", path);
    }
    if ((access(path, F_OK) == 0 && access(path, W_OK) != 0) || access(folder, W_OK) != 0)
        return refuse(message, "cannot write", path);
    return true;
}

bool dp__line_file_merge(const char *path, const char *header, const dp__text *records, int key_fields,
                         dp__line_reader *check, char message[256])
{
    if (records->length == 0 && !records->failed)
        return true;
    if (!dp__line_file_writable(path, message))
        return false;
    const int held = lock(path);
    dp__text text = {0};
    bool good = !records->failed && merged_text(path, header, records, key_fields, check, &text);
    if (!good)
        snprintf(message, 256, "cannot read %.180s, or no memory for it", path);
    else
        good = dp__whole_save(path, text.data, text.length) || refuse(message, "cannot write", path);
    dp__text_free(&text);
    if (held >= 0)
        close(held);
    return good;
}

bool dp__line_file_append(const char *path, const dp__text *records, uint64_t most_bytes, char message[256])
{
    struct stat status;
    if (records->length == 0)
        return true;
    make_folders(path);
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0)
        return refuse(message, "cannot write", path);
    bool good = fstat(file, &status) == 0;
    if (good && (uint64_t)status.st_size < most_bytes)
        good = dp__write_all(file, records->data, records->length);
    if (close(file) != 0 || !good)
        return refuse(message, "cannot write", path);
    return true;
}
