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

size_t dp__int_text(int value, char text[12])
{
    char digits[10];
    size_t count = 0, length = 0;
    unsigned rest = value < 0 ? 0u - (unsigned)value : (unsigned)value;
    do
        digits[count++] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        text[length++] = '-';
    while (count > 0)
        text[length++] = digits[--count];
    text[length] = '\0';
    return length;
}

/* Kernels' texts are made for every call, of %d, %s and %c alone: this is several times faster than vsnprintf. False where the format has
 * anything else, and then nothing is added. */
static bool add_simple(dp__text *text, const char *format, va_list list)
{
    for (const char *at = strchr(format, '%'); at; at = strchr(at + 2, '%'))
        if (at[1] != 'd' && at[1] != 's' && at[1] != 'c' && at[1] != '%')
            return false;
    for (const char *at; *format; format = at + 2) {
        at = strchr(format, '%');
        dp__text_add_range(text, format, at ? (size_t)(at - format) : strlen(format));
        if (!at)
            break;
        char own[12] = "%";
        const char *word = own;
        if (at[1] == 'd')
            dp__int_text(va_arg(list, int), own);
        else if (at[1] == 'c')
            own[0] = (char)va_arg(list, int);
        else if (at[1] == 's')
            word = va_arg(list, const char *);
        dp__text_add_range(text, word, strlen(word));
    }
    return true;
}

void dp__text_add(dp__text *text, const char *format, ...)
{
    if (text->failed)
        return;
    va_list list, again;
    va_start(list, format);
    const bool added = add_simple(text, format, list);
    va_end(list);
    if (added)
        return;
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
