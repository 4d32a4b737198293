/* SPDX-License-Identifier: Apache-2.0 */
/* NPY, NumPy's format (numpy.org, "numpy.lib.format"): "\x93NUMPY", the version, the length of the header (2
 * bytes in version 1, 4 in 2 and 3, little-endian), the header, a Python dict such as
 * {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, then the values. */
#include "data/data.h"

#include <stdio.h>
#include <string.h>

#define MAX_HEADER 65536

typedef struct header {
    char descr[16];
    bool fortran;
    dp_shape shape;
    bool has_descr, has_order, has_shape;
} header;

static void skip_blanks(const char **text)
{
    *text += strspn(*text, " \t\r\n");
}

/* Skips blanks, then `c` if it stands there. */
static bool skip(const char **text, char c)
{
    skip_blanks(text);
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool parse_string(const char **text, char *result, size_t size)
{
    const char quote = skip(text, '\'') ? '\'' : skip(text, '"') ? '"' : '\0';
    if (!quote)
        return false;
    const char *end = strchr(*text, quote);
    if (!end || (size_t)(end - *text) >= size)
        return false;
    snprintf(result, size, "%.*s", (int)(end - *text), *text);
    *text = end + 1;
    return true;
}

static bool parse_bool(const char **text, bool *result)
{
    skip_blanks(text);
    *result = strncmp(*text, "True", 4) == 0;
    if (!*result && strncmp(*text, "False", 5) != 0)
        return false;
    *text += *result ? 4 : 5;
    return true;
}

/* (), (3,), (3, 4); a Python 2 long integer has an L behind it. */
static bool parse_shape(const char **text, dp_shape *shape)
{
    if (!skip(text, '('))
        return false;
    for (shape->rank = 0; !skip(text, ')'); shape->rank++) {
        if (shape->rank == DP_MAX_RANK || **text < '0' || **text > '9')
            return false;
        int64_t size = 0;
        for (; **text >= '0' && **text <= '9'; (*text)++) {
            const int digit = **text - '0';
            if (size > (INT64_MAX - digit) / 10)
                return false;
            size = size * 10 + digit;
        }
        skip(text, 'L');
        shape->dim[shape->rank] = size;
        if (!skip(text, ',') && **text != ')')
            return false;
    }
    return true;
}

/* Names what is wrong; NULL if nothing is. */
static const char *parse_header(const char *text, header *result)
{
    if (!skip(&text, '{'))
        return "is no dict";
    while (!skip(&text, '}')) {
        char key[32];
        if (!parse_string(&text, key, sizeof(key)) || !skip(&text, ':'))
            return "is no dict of names";
        if (strcmp(key, "descr") == 0) {
            if (!parse_string(&text, result->descr, sizeof(result->descr)))
                return "has a 'descr' that is no plain type";
            result->has_descr = true;
        } else if (strcmp(key, "fortran_order") == 0) {
            if (!parse_bool(&text, &result->fortran))
                return "has a 'fortran_order' that is neither True nor False";
            result->has_order = true;
        } else if (strcmp(key, "shape") == 0) {
            if (!parse_shape(&text, &result->shape))
                return "has a 'shape' that is no tuple of at most 8 sizes below 2^63";
            result->has_shape = true;
        } else {
            return "has an unknown name";
        }
        if (!skip(&text, ',') && *text != '}')
            return "is no dict";
    }
    skip_blanks(&text);
    if (*text)
        return "goes on behind its dict";
    if (!result->has_descr || !result->has_order || !result->has_shape)
        return "lacks 'descr', 'fortran_order' or 'shape'";
    return NULL;
}

/* "<f4", "|u1": byte order, kind, size. */
static bool parse_type(const char *descr, dp__number *number)
{
    static const char *const known[] = {"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"};
    if (!strchr("<>|", descr[0]) || strlen(descr) != 3)
        return false;
    size_t k = 0;
    while (k < DP_COUNT(known) && strcmp(descr + 1, known[k]) != 0)
        k++;
    if (k == DP_COUNT(known))
        return false;
    *number = (dp__number){descr[1], descr[2] - '0', descr[0] == '>'};
    return descr[0] != '|' || number->size == 1;
}

static dp_status take_header(dp__source *source, char *text)
{
    unsigned char fixed[8], length_bytes[4] = {0};
    DP_CHECK(dp__source_take(source, fixed, sizeof(fixed), "NPY header"));
    if (fixed[6] < 1 || fixed[6] > 3)
        return dp__source_fail(source, DP_ERROR_FORMAT, "is an NPY file of version %d; 1 to 3 can be read",
                               fixed[6]);
    DP_CHECK(dp__source_take(source, length_bytes, fixed[6] == 1 ? 2 : 4, "NPY header"));
    const uint32_t length = (uint32_t)length_bytes[0] | (uint32_t)length_bytes[1] << 8 |
                            (uint32_t)length_bytes[2] << 16 | (uint32_t)length_bytes[3] << 24;
    if (length > MAX_HEADER)
        return dp__source_fail(source, DP_ERROR_FORMAT, "has an NPY header of %lu bytes; at most %d are read",
                               (unsigned long)length, MAX_HEADER);
    DP_CHECK(dp__source_take(source, text, length, "NPY header"));
    text[length] = '\0';
    if (strlen(text) != length)
        return dp__source_fail(source, DP_ERROR_FORMAT, "has an NPY header with a NUL byte in it");
    return DP_OK;
}

static dp_status read_with(dp__source *source, char *text, int64_t limit, dp_data *data)
{
    header h = {0};
    dp__number number;
    DP_CHECK(take_header(source, text));
    const char *wrong = parse_header(text, &h);
    if (wrong)
        return dp__source_fail(source, DP_ERROR_FORMAT, "its NPY header %s", wrong);
    if (!parse_type(h.descr, &number))
        return dp__source_fail(source, DP_ERROR_FORMAT,
                               "holds the NPY type \"%s\"; real and integer ones can be read", h.descr);
    if (h.shape.rank == 0)
        return dp__source_fail(source, DP_ERROR_FORMAT, "holds a single number, not rows");
    return dp__source_values(source, number, &h.shape, h.fortran, limit, data);
}

dp_status dp__read_npy(dp__source *source, int64_t limit, dp_data *data)
{
    char *text = dp__alloc(MAX_HEADER + 1, 1);
    if (!text)
        return dp__source_fail(source, DP_ERROR_MEMORY, "out of memory");
    const dp_status status = read_with(source, text, limit, data);
    dp__free(text);
    return status;
}
