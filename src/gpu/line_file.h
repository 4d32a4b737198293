/* SPDX-License-Identifier: Apache-2.0 */
/* Small text files of one record a line, its fields between bars, that several processes read and write:
 *
 *     # a comment
 *     first field | second field | third
 *
 * Nothing in such a file can make reading fail: what is no record is counted and passed over. */
#ifndef DP_GPU_LINE_FILE_H
#define DP_GPU_LINE_FILE_H

#include "core/core.h"

#define DP__LINE_FIELDS 12
#define DP__LINE_BYTES  1024 /* a longer line is no record */

/* One line's fields, without the blanks around them. */
typedef struct dp__line {
    char text[DP__LINE_BYTES];
    const char *field[DP__LINE_FIELDS];
    int fields; /* 0: not a record */
} dp__line;

/* What a file's reader does with a line; false where it is no record of its kind. `data` is the reader's. */
typedef bool dp__line_reader(void *data, const dp__line *line);

void dp__line_split(dp__line *line, const char *text, size_t length);
/* Gives every line of the text to the reader. Returns how many were no records; *first_bad (may be NULL) is
 * the number of the first of them, from 1. */
size_t dp__lines_read(const char *text, size_t length, dp__line_reader *read, void *data, size_t *first_bad);

/* The file's text, NUL-terminated, to be freed; NULL where there is none or memory is out. At most 16 MiB are
 * read. */
char *dp__line_file_read(const char *path, size_t *length);

/* Puts new records into the file: it is read again, records of the same first `key_fields` fields are
 * replaced, records that `check` refuses are dropped, comments stay, and all is sorted. The whole is written
 * to a temporary file that then takes the place of the old one, so that a reader sees the one or the other;
 * writers wait for each other by a lock beside it. Folders are made. Returns false with the reason in
 * `message`. */
bool dp__line_file_merge(const char *path, const char *header, const dp__text *records, int key_fields,
                         dp__line_reader *check, char message[256]);

/* Whether the file can be written, its folders being made; else false with the reason. */
bool dp__line_file_writable(const char *path, char message[256]);

/* Adds the records at the end, in one write. Nothing is added to a file that has grown to `most_bytes`. */
bool dp__line_file_append(const char *path, const dp__text *records, uint64_t most_bytes, char message[256]);

#endif
