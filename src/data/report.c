/* SPDX-License-Identifier: Apache-2.0 */
#include "data/report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

dp__report dp__report_begin(const char *path, char *message, size_t size)
{
    if (message && size)
        message[0] = '\0';
    return (dp__report){path, message, message ? size : 0};
}

dp_status dp__report_fail(const dp__report *report, dp_status status, const char *format, ...)
{
    if (!report->size)
        return status;
    const int error = errno;
    const int length = snprintf(report->message, report->size, "%s: ", report->path ? report->path : "path");
    if (length >= 0 && (size_t)length < report->size) {
        va_list list;
        va_start(list, format);
        vsnprintf(report->message + length, report->size - (size_t)length, format, list);
        va_end(list);
    }
    errno = error;
    return status;
}

dp_status dp__report_errno(const dp__report *report, const char *what)
{
    const dp_status status = errno == ENOMEM ? DP_ERROR_MEMORY : DP_ERROR_IO;
    return dp__report_fail(report, status, "cannot be %s: %s", what, strerror(errno));
}

const char *dp__shown(const char *text, char shown[DP__SHOWN_TEXT])
{
    size_t length = strnlen(text, 61);
    const bool cut = length > 60;
    length = cut ? 57 : length;
    while (cut && length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) /* not within a character */
        length--;
    for (size_t b = 0; b < length; b++)
        shown[b] = (unsigned char)text[b] < 0x20 || text[b] == 0x7F ? '?' : text[b];
    memcpy(shown + length, cut ? "..." : "", cut ? 4 : 1);
    return shown;
}

bool dp__utf8_valid(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    while (at < end) {
        const int more = *at < 0x80 ? 0 : *at >= 0xC2 && *at < 0xE0 ? 1 : *at >= 0xE0 && *at < 0xF0 ? 2 : 3;
        if (*at >= 0x80 && (*at < 0xC2 || *at > 0xF4 || end - at <= more))
            return false;
        for (int b = 1; b <= more; b++)
            if ((at[b] & 0xC0) != 0x80)
                return false;
        /* Longer than needed, half of a UTF-16 pair, past the last character. */
        if ((*at == 0xE0 && at[1] < 0xA0) || (*at == 0xED && at[1] > 0x9F) || (*at == 0xF0 && at[1] < 0x90) ||
            (*at == 0xF4 && at[1] > 0x8F))
            return false;
        at += more + 1;
    }
    return true;
}
