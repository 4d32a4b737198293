/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a safetensors file: a strict reader of the little JSON that the format allows there, which is one object of objects
 * of strings and lists of whole numbers. It is written here and not left to a JSON library because sizes must be exact up
 * to 2^64 (such libraries keep numbers as doubles), names that come twice must be seen, nesting needs no stack, and strings
 * of up to 100 MB are decoded in place; with a library's tree, the walk that checks it would be as long. */
#include "data/safetensors.h"
#include <stdio.h>
#include <string.h>

typedef struct reader {
    const dp__report *report;
    char *begin, *at, *end; /* *end is NUL */
} reader;

/* Bits, since some types are smaller than a byte. */
static const struct {
    const char *name;
    unsigned bits;
    dp_dtype dtype;
} types[] = {
    {"F32", 32, DP_F32},           {"I32", 32, DP_I32},           {"F16", 16, DP_F16},
    {"BF16", 16, DP_BF16},         {"F64", 64, DP_DTYPE_COUNT},   {"I64", 64, DP_DTYPE_COUNT},
    {"U64", 64, DP_DTYPE_COUNT},   {"U32", 32, DP_DTYPE_COUNT},   {"I16", 16, DP_DTYPE_COUNT},
    {"U16", 16, DP_DTYPE_COUNT},   {"I8", 8, DP_DTYPE_COUNT},     {"U8", 8, DP_DTYPE_COUNT},
    {"BOOL", 8, DP_DTYPE_COUNT},   {"C64", 64, DP_DTYPE_COUNT},   {"F8_E4M3", 8, DP_DTYPE_COUNT},
    {"F8_E5M2", 8, DP_DTYPE_COUNT}, {"F8_E8M0", 8, DP_DTYPE_COUNT}, {"F6_E2M3", 6, DP_DTYPE_COUNT},
    {"F6_E3M2", 6, DP_DTYPE_COUNT}, {"F4", 4, DP_DTYPE_COUNT},
};

const char *dp__safetensors_type(dp_dtype dtype)
{
    for (size_t t = 0; t < DP_COUNT(types); t++)
        if (types[t].dtype == dtype && dtype != DP_DTYPE_COUNT)
            return types[t].name;
    return NULL;
}

bool dp__little_endian(void)
{
    const uint32_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

static dp_status bad(const reader *r, const char *what)
{
    return dp__report_fail(r->report, DP_ERROR_FORMAT, "its safetensors header %s (byte %zu of it)", what,
                           (size_t)(r->at - r->begin));
}

static void skip_blanks(reader *r)
{
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')
        r->at++;
}

static bool skip(reader *r, char symbol)
{
    skip_blanks(r);
    if (*r->at != symbol || r->at == r->end)
        return false;
    r->at++;
    return true;
}

static bool take_hex(reader *r, unsigned *value)
{
    *value = 0;
    for (int digit = 0; digit < 4; digit++, r->at++) {
        const char c = *r->at;
        const int number = c >= '0' && c <= '9'   ? c - '0'
                           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                  : -1;
        if (number < 0)
            return false;
        *value = *value << 4 | (unsigned)number;
    }
    return true;
}

/* What follows "\u"; writes its UTF-8, which is never longer than what it was written as. */
static bool take_unicode(reader *r, char **out)
{
    unsigned code, low;
    if (!take_hex(r, &code) || code == 0 || (code >= 0xDC00 && code < 0xE000))
        return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (r->at[0] != '\\' || r->at[1] != 'u')
            return false;
        r->at += 2;
        if (!take_hex(r, &low) || low < 0xDC00 || low >= 0xE000)
            return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xC0, 0xE0, 0xF0};
    *(*out)++ = (char)(first[more] | code >> 6 * more);
    for (int b = more - 1; b >= 0; b--)
        *(*out)++ = (char)(0x80 | (code >> 6 * b & 0x3F));
    return true;
}

static bool take_escape(reader *r, char **out)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char c = *r->at;
    if (c == 'u') {
        r->at++;
        return take_unicode(r, out);
    }
    const char *place = c ? strchr(escapes, c) : NULL;
    if (!place)
        return false;
    r->at++;
    *(*out)++ = meant[place - escapes];
    return true;
}

/* Decoded in place, with a NUL behind it. */
static dp_status take_string(reader *r, const char **string)
{
    if (!skip(r, '"'))
        return bad(r, "lacks a string");
    char *out = r->at, *const begin = out;
    while (*r->at != '"') {
        if ((unsigned char)*r->at < 0x20)
            return bad(r, "has a string that does not end, or a control character in one");
        if (*r->at != '\\')
            *out++ = *r->at++;
        else if (r->at++, !take_escape(r, &out))
            return bad(r, "has an escape sequence that is none");
    }
    if (!dp__utf8_valid(begin, (size_t)(out - begin)))
        return bad(r, "has a string that is not UTF-8");
    r->at++;
    *out = '\0';
    *string = begin;
    return DP_OK;
}

static dp_status take_number(reader *r, uint64_t *value)
{
    skip_blanks(r);
    const char *begin = r->at;
    *value = 0;
    for (; *r->at >= '0' && *r->at <= '9'; r->at++) {
        const unsigned digit = (unsigned)(*r->at - '0');
        if (*value > (UINT64_MAX - digit) / 10)
            return bad(r, "has a number of more than 64 bits");
        *value = 10 * *value + digit;
    }
    if (r->at == begin || (*begin == '0' && r->at - begin > 1) || strchr(".eE+-", *r->at ? *r->at : '.'))
        return bad(r, "has something else where a whole number must be");
    return DP_OK;
}

/* At most `most` numbers between brackets. */
static dp_status take_list(reader *r, uint64_t *numbers, int most, int *count)
{
    *count = 0;
    if (!skip(r, '['))
        return bad(r, "lacks a list");
    if (skip(r, ']'))
        return DP_OK;
    do {
        if (*count == most)
            return bad(r, "has a list that is too long");
        DP_CHECK(take_number(r, &numbers[(*count)++]));
    } while (skip(r, ','));
    return skip(r, ']') ? DP_OK : bad(r, "has a list that does not end");
}

static dp_status take_shape(reader *r, dp_shape *shape)
{
    uint64_t sizes[64]; /* more than tensors can have, to tell that from nonsense */
    DP_CHECK(take_list(r, sizes, 64, &shape->rank));
    if (shape->rank > DP_MAX_RANK)
        return dp__report_fail(r->report, DP_ERROR_UNSUPPORTED, "holds a tensor of rank %d; at most %d is allowed",
                               shape->rank, DP_MAX_RANK);
    for (int axis = 0; axis < shape->rank; axis++) {
        if (sizes[axis] > INT64_MAX)
            return bad(r, "has a size of more than 63 bits");
        shape->dim[axis] = (int64_t)sizes[axis];
    }
    return DP_OK;
}

/* Whether an object's type, shape and bytes agree. */
static dp_status check_entry(const reader *r, const dp_safetensors_entry *entry, unsigned bits)
{
    char shown[DP__SHOWN_TEXT], text[DP_SHAPE_TEXT];
    const int64_t size = dp__shape_size(&entry->shape);
    if (size < 0 || (uint64_t)size > (uint64_t)INT64_MAX / bits)
        return dp__report_fail(r->report, DP_ERROR_FORMAT, "\"%s\": its shape %s is too large", dp__shown(entry->name, shown),
                               dp__shape_text(&entry->shape, text));
    if ((uint64_t)size * bits % 8 != 0 || (uint64_t)size * bits / 8 != entry->bytes)
        return dp__report_fail(r->report, DP_ERROR_FORMAT, "\"%s\": %s of shape %s cannot have %llu bytes",
                               dp__shown(entry->name, shown), entry->type, dp__shape_text(&entry->shape, text),
                               (unsigned long long)entry->bytes);
    return DP_OK;
}

static dp_status take_type(reader *r, dp_safetensors_entry *entry, unsigned *bits)
{
    const char *name;
    char shown[DP__SHOWN_TEXT];
    DP_CHECK(take_string(r, &name));
    for (size_t t = 0; t < DP_COUNT(types); t++)
        if (strcmp(types[t].name, name) == 0) {
            snprintf(entry->type, sizeof entry->type, "%s", name);
            entry->dtype = types[t].dtype;
            *bits = types[t].bits;
            return DP_OK;
        }
    return dp__report_fail(r->report, DP_ERROR_FORMAT, "holds the unknown type \"%s\"", dp__shown(name, shown));
}

static dp_status take_offsets(reader *r, dp_safetensors_entry *entry)
{
    uint64_t offsets[2];
    int count;
    DP_CHECK(take_list(r, offsets, 2, &count));
    if (count != 2 || offsets[0] > offsets[1])
        return bad(r, "has 'data_offsets' that are no begin and end");
    entry->offset = offsets[0];
    entry->bytes = offsets[1] - offsets[0];
    return DP_OK;
}

static dp_status take_entry(reader *r, dp_safetensors_entry *entry)
{
    enum { TYPE = 1, SHAPE = 2, OFFSETS = 4 };
    unsigned seen = 0, bits = 8;
    if (!skip(r, '{'))
        return bad(r, "has a name without an object");
    do {
        const char *key;
        DP_CHECK(take_string(r, &key));
        if (!skip(r, ':'))
            return bad(r, "lacks a colon");
        const unsigned part = strcmp(key, "dtype") == 0          ? TYPE
                              : strcmp(key, "shape") == 0        ? SHAPE
                              : strcmp(key, "data_offsets") == 0 ? OFFSETS
                                                                 : 0;
        if (part == 0 || seen & part)
            return bad(r, "describes a tensor by an unknown name, or twice by the same");
        seen |= part;
        DP_CHECK(part == TYPE ? take_type(r, entry, &bits) : part == SHAPE ? take_shape(r, &entry->shape) : take_offsets(r, entry));
    } while (skip(r, ','));
    if (!skip(r, '}'))
        return bad(r, "has an object that does not end");
    if (seen != (TYPE | SHAPE | OFFSETS))
        return bad(r, "describes a tensor without 'dtype', 'shape' or 'data_offsets'");
    return check_entry(r, entry, bits);
}

static dp_status out_of_memory(const reader *r)
{
    return dp__report_fail(r->report, DP_ERROR_MEMORY, "out of memory for what its header lists");
}

static dp_status take_pairs(reader *r, dp__safetensors_header *header)
{
    if (!skip(r, '{'))
        return bad(r, "has '__metadata__' that is no object");
    if (skip(r, '}'))
        return DP_OK;
    do {
        dp_metadata pair;
        DP_CHECK(take_string(r, &pair.key));
        if (!skip(r, ':'))
            return bad(r, "lacks a colon");
        DP_CHECK(take_string(r, &pair.value));
        if (!dp__grow(&header->pairs, &header->pairs_capacity, header->pairs_count + 1, sizeof pair))
            return out_of_memory(r);
        header->pairs[header->pairs_count++] = pair;
    } while (skip(r, ','));
    return skip(r, '}') ? DP_OK : bad(r, "has an object that does not end");
}

static dp_status take_names(reader *r, dp__safetensors_header *header)
{
    bool have_pairs = false;
    do {
        dp_safetensors_entry entry = {0};
        DP_CHECK(take_string(r, &entry.name));
        if (!skip(r, ':'))
            return bad(r, "lacks a colon");
        if (strcmp(entry.name, DP__SAFETENSORS_PAIRS) == 0) {
            if (have_pairs)
                return bad(r, "has '__metadata__' twice");
            have_pairs = true;
            DP_CHECK(take_pairs(r, header));
            continue;
        }
        DP_CHECK(take_entry(r, &entry));
        if (header->count == INT32_MAX || !dp__grow(&header->entries, &header->capacity, header->count + 1, sizeof entry))
            return out_of_memory(r);
        header->entries[header->count++] = entry;
    } while (skip(r, ','));
    return DP_OK;
}

static dp_status take_header(reader *r, dp__safetensors_header *header)
{
    if (*r->at != '{') /* blanks before it are not allowed */
        return bad(r, "does not begin with a brace");
    r->at++;
    if (!skip(r, '}')) {
        DP_CHECK(take_names(r, header));
        if (!skip(r, '}'))
            return bad(r, "does not end with a brace");
    }
    skip_blanks(r);
    return r->at == r->end ? DP_OK : bad(r, "goes on behind its object");
}

dp_status dp__safetensors_parse(const dp__report *report, char *text, size_t length, dp__safetensors_header *header)
{
    reader r = {report, text, text, text + length};
    *header = (dp__safetensors_header){0};
    const dp_status status = take_header(&r, header);
    if (status != DP_OK)
        dp__safetensors_free(header);
    return status;
}

void dp__safetensors_free(dp__safetensors_header *header)
{
    dp__free(header->entries);
    dp__free(header->pairs);
    *header = (dp__safetensors_header){0};
}
