/* SPDX-License-Identifier: Apache-2.0 */
/* Text: a row a line, numbers between commas, semicolons, tabs or blanks. */
#include "data/data.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE ((size_t)1 << 26)

typedef struct table {
    float *values;
    size_t count, capacity;
    int64_t rows, columns; /* columns: -1 before the first row */
    bool header_seen;
} table;

typedef struct line {
    char *text; /* NUL-terminated, without the line end and the comment */
    size_t length, capacity;
    int64_t number; /* from 1 */
} line;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Reads a line; *there is false at the end of the file. A line ends with \n, \r\n or \r. */
static dp_status take_line(dp__source *source, line *l, bool *there)
{
    l->length = 0;
    l->number++;
    bool comment = false;
    int c = dp__source_get(source);
    *there = c >= 0;
    for (; c >= 0 && c != '\n' && c != '\r'; c = dp__source_get(source)) {
        if (c == '#')
            comment = true;
        if (comment)
            continue;
        if ((c < ' ' && c != '\t') || c == 127)
            return dp__source_fail(source, DP_ERROR_FORMAT,
                                   "is neither IDX nor NPY nor text: line %lld has the byte 0x%02x",
                                   (long long)l->number, (unsigned)c);
        if (l->length == MAX_LINE)
            return dp__source_fail(source, DP_ERROR_FORMAT, "line %lld is longer than %zu bytes",
                                   (long long)l->number, MAX_LINE);
        if (l->length + 2 > l->capacity && !dp__grow(&l->text, &l->capacity, l->length + 2, 1))
            return dp__source_fail(source, DP_ERROR_MEMORY, "out of memory in line %lld",
                                   (long long)l->number);
        l->text[l->length++] = (char)c;
    }
    const unsigned char *next;
    if (c == '\r' && dp__source_peek(source, 1, &next) == 1 && *next == '\n')
        dp__source_get(source);
    if (l->length)
        l->text[l->length] = '\0';
    return source->status;
}

/* Behind a field: blanks, at most one comma or semicolon, blanks. *separated: there was one of the latter. */
static const char *skip_separator(const char *text, bool *separated)
{
    while (is_blank(*text))
        text++;
    *separated = *text == ',' || *text == ';';
    if (*separated)
        text++;
    while (is_blank(*text))
        text++;
    return text;
}

/* Whether the field at `text` is a number; *end is behind the field. */
static bool parse_field(const char *text, const char **end, float *value)
{
    const size_t length = strcspn(text, ",; \t");
    *end = text + length;
    char *stop = NULL;
    const double number = strtod(text, &stop);
    if (stop != *end || length == 0)
        return false;
    *value = dp__to_float(number);
    return true;
}

static bool is_header(const char *text)
{
    for (bool more = true; more;) {
        float value;
        const char *end;
        if (parse_field(text, &end, &value))
            return false;
        bool separated;
        text = skip_separator(end, &separated);
        more = *text != '\0';
    }
    return true;
}

static dp_status add_row(dp__source *source, table *t, const char *text, int64_t number)
{
    int64_t columns = 0;
    for (bool more = true; more; columns++) {
        float value;
        const char *end;
        if (!parse_field(text, &end, &value))
            return dp__source_fail(source, DP_ERROR_FORMAT, "line %lld, field %lld: \"%.*s\" is not a number",
                                   (long long)number, (long long)columns + 1, (int)DP_MIN2(end - text, 40),
                                   text);
        if (t->count == t->capacity && !dp__grow(&t->values, &t->capacity, t->count + 1, sizeof(float)))
            return dp__source_fail(source, DP_ERROR_MEMORY, "out of memory in line %lld", (long long)number);
        t->values[t->count++] = value;
        bool separated;
        text = skip_separator(end, &separated);
        more = separated || *text;
    }
    if (t->columns >= 0 && columns != t->columns)
        return dp__source_fail(source, DP_ERROR_FORMAT,
                               "line %lld has %lld numbers, the lines above have %lld", (long long)number,
                               (long long)columns, (long long)t->columns);
    t->columns = columns;
    t->rows++;
    return DP_OK;
}

static dp_status read_rows(dp__source *source, int64_t limit, line *l, table *t)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    while (limit == 0 || t->rows < limit) {
        bool there;
        DP_CHECK(take_line(source, l, &there));
        if (!there)
            break;
        const char *text = l->length ? l->text : "";
        if (l->number == 1 && strncmp(text, byte_order_mark, 3) == 0)
            text += 3;
        while (is_blank(*text))
            text++;
        if (!*text)
            continue;
        if (t->columns < 0 && !t->header_seen && is_header(text))
            t->header_seen = true;
        else
            DP_CHECK(add_row(source, t, text, l->number));
    }
    if (t->rows == 0)
        return dp__source_fail(source, DP_ERROR_FORMAT,
                               t->header_seen ? "has no line of numbers" : "is empty");
    return DP_OK;
}

dp_status dp__read_csv(dp__source *source, int64_t limit, dp_data *data)
{
    /* The caller's locale may have another decimal point. */
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return dp__source_fail(source, DP_ERROR_MEMORY, "out of memory");
    const locale_t before = uselocale(plain);
    line l = {0};
    table t = {.columns = -1};
    const dp_status status = read_rows(source, limit, &l, &t);
    uselocale(before);
    freelocale(plain);
    dp__free(l.text);
    data->values = t.values;
    if (status == DP_OK) {
        data->shape = (dp_shape){.rank = 2, .dim = {t.rows, t.columns}};
        snprintf(data->type, sizeof(data->type), "text");
    }
    return status;
}
