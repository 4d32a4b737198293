/* SPDX-License-Identifier: Apache-2.0 */
/* The message of a call that reads or writes a file. */
#ifndef DP_DATA_REPORT_H
#define DP_DATA_REPORT_H

#include "core/core.h"

typedef struct dp__report {
    const char *path; /* what messages begin with; may be NULL, which is an argument's failure */
    char *message;    /* the caller's; may be NULL */
    size_t size;
} dp__report;

/* Empties the message. */
dp__report dp__report_begin(const char *path, char *message, size_t size);
/* "PATH: ..." into the message; returns `status`. Keeps errno. */
dp_status dp__report_fail(const dp__report *report, dp_status status, const char *format, ...) DP_PRINTF(3, 4);
/* "PATH: cannot be WHAT: ..." with what errno says; ERROR_MEMORY for ENOMEM, else ERROR_IO. */
dp_status dp__report_errno(const dp__report *report, const char *what);

/* The text as it may stand in a message: one line, at most 60 bytes, whatever it was. */
#define DP__SHOWN_TEXT 64
const char *dp__shown(const char *text, char shown[DP__SHOWN_TEXT]);

/* Whether all of it is well-formed UTF-8 (RFC 3629). */
bool dp__utf8_valid(const char *text, size_t length);

#endif
