/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include <stdio.h>
#include <string.h>

static void text_fail(dp__text *text)
{
    dp__text_free(text);
    text->failed = true;
}

void dp__text_add_range(dp__text *text, const char *data, size_t length)
{
    if (text->failed)
        return;
    if (!dp__grow(&text->data, &text->capacity, text->length + length + 1, 1)) {
        text_fail(text);
        return;
    }
    memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void dp__text_add(dp__text *text, const char *format, ...)
{
    if (text->failed)
        return;
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    const int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (length < 0 || !dp__grow(&text->data, &text->capacity, text->length + (size_t)length + 1, 1)) {
        text_fail(text);
    } else {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void dp__text_free(dp__text *text)
{
    dp__free(text->data);
    *text = (dp__text){0};
}
