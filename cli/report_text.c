/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and text of a report. */
#include "report.h"

#include <math.h>

/* The bytes of the UTF-8 character that begins here; 0 where there is none. */
static int character_length(const unsigned char *at)
{
    const int length = *at < 0x80                  ? 1
                       : *at >= 0xc2 && *at < 0xe0 ? 2
                       : *at >= 0xe0 && *at < 0xf0 ? 3
                       : *at >= 0xf0 && *at < 0xf5 ? 4
                                                   : 0;
    for (int k = 1; k < length; k++)
        if ((at[k] & 0xc0) != 0x80)
            return 0;
    const bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    const bool surrogate = at[0] == 0xed && at[1] > 0x9f, beyond = at[0] == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

void report_escape(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        const int length = character_length(at);
        const char *entity = *at == '&'    ? "&amp;"
                             : *at == '<'  ? "&lt;"
                             : *at == '>'  ? "&gt;"
                             : *at == '"'  ? "&quot;"
                             : *at == '\'' ? "&#39;"
                                           : NULL;
        if (entity)
            fputs(entity, out);
        else if (length == 0 || *at < ' ' || *at == 0x7f)
            fputs("\xef\xbf\xbd", out); /* U+FFFD */
        else
            fwrite(at, 1, (size_t)length, out);
        at += length ? length : 1;
    }
}

const char *report_number(double value, char text[CLI_TEXT])
{
    const double size = fabs(value);
    const int digits = size >= 99.95 || size == 0 ? 0
                       : size >= 9.995            ? 1
                       : size >= 0.9995           ? 2
                       : size >= 0.09995          ? 3
                                                  : 4;
    if (size != 0 && (size < 0.0005 || size >= 1e7))
        snprintf(text, CLI_TEXT, "%.1e", value);
    else
        snprintf(text, CLI_TEXT, "%.*f", digits, value);
    return text;
}

const char *report_quantity(double value, const char *unit, char text[CLI_TEXT])
{
    static const char *const prefix[] = {"n", "µ", "m", "", "k", "M", "G", "T", "P"};
    char number[CLI_TEXT];
    size_t p = 3;
    for (; fabs(value) >= 999.5 && p + 1 < CLI_COUNT(prefix); p++)
        value /= 1000;
    for (; value != 0 && fabs(value) < 0.9995 && p > 0; p--)
        value *= 1000;
    snprintf(text, CLI_TEXT, "%.12s\u202f%s%.10s", report_number(value, number), prefix[p], unit);
    return text;
}
