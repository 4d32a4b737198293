/* SPDX-License-Identifier: Apache-2.0 */
/* The stream that all formats are read from, and the numbers of the binary ones. */
#include "data/data.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

dp_status dp__source_fail(dp__source *source, dp_status status, const char *format, ...)
{
    if (source->status != DP_OK)
        return source->status; /* its message was written when it happened */
    if (!source->message_size)
        return status;
    const int length = snprintf(source->message, source->message_size, "%s: ", source->path);
    if (length < 0 || (size_t)length >= source->message_size)
        return status;
    va_list list;
    va_start(list, format);
    vsnprintf(source->message + length, source->message_size - (size_t)length, format, list);
    va_end(list);
    return status;
}

static void fail_stream(dp__source *source)
{
    int code = Z_OK;
    const char *text = gzerror(source->file, &code);
    dp_status status = DP_ERROR_FORMAT;
    if (code == Z_ERRNO)
        status = dp__source_fail(source, DP_ERROR_IO, "%s", strerror(errno));
    else if (code == Z_MEM_ERROR)
        status = dp__source_fail(source, DP_ERROR_MEMORY, "out of memory");
    else if (code == Z_BUF_ERROR)
        dp__source_fail(source, status, "is truncated: its gzip stream ends too early");
    else
        dp__source_fail(source, status, "is damaged: %s", text);
    source->status = status;
}

/* Whether there is a byte to be had. */
static bool fill(dp__source *source)
{
    if (source->at < source->end)
        return true;
    if (source->finished)
        return false;
    source->at = source->end = 0;
    const int got = gzread(source->file, source->bytes, sizeof(source->bytes));
    int code = Z_OK;
    gzerror(source->file, &code);
    if (got > 0)
        source->end = (size_t)got;
    if (got <= 0 || code < 0)
        source->finished = true;
    if (got < 0 || code < 0)
        fail_stream(source);
    return source->end > 0;
}

int dp__source_get(dp__source *source)
{
    return fill(source) ? source->bytes[source->at++] : -1;
}

size_t dp__source_peek(dp__source *source, size_t count, const unsigned char **bytes)
{
    /* gzread gives less than was asked for at the end alone, so one fill of an untouched stream is enough. */
    fill(source);
    *bytes = source->bytes + source->at;
    return DP_MIN2(count, source->end - source->at);
}

static size_t take_some(dp__source *source, unsigned char *bytes, size_t count)
{
    size_t taken = 0;
    while (taken < count && fill(source)) {
        const size_t part = DP_MIN2(count - taken, source->end - source->at);
        memcpy(bytes + taken, source->bytes + source->at, part);
        source->at += part;
        taken += part;
    }
    return taken;
}

dp_status dp__source_take(dp__source *source, void *bytes, size_t count, const char *what)
{
    if (take_some(source, bytes, count) == count)
        return DP_OK;
    return dp__source_fail(source, DP_ERROR_FORMAT, "ends within its %s", what);
}

static float half_to_float(uint64_t bits)
{
    const int exponent = (int)(bits >> 10 & 31);
    const float fraction = (float)(bits & 1023);
    const float sign = bits >> 15 & 1 ? -1.0f : 1.0f;
    if (exponent == 31)
        return fraction != 0 ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexpf(1024 + fraction, exponent - 25) : ldexpf(fraction, -24));
}

float dp__to_float(double value)
{
    if (fabs(value) > (double)FLT_MAX)
        return value > 0 ? INFINITY : -INFINITY;
    return (float)value;
}

static float decode(dp__number number, const unsigned char *bytes)
{
    uint64_t bits = 0;
    for (int b = 0; b < number.size; b++)
        bits = bits << 8 | bytes[number.big ? b : number.size - 1 - b];
    if (number.kind == 'u')
        return (float)bits;
    if (number.kind == 'i') {
        const uint64_t sign = (uint64_t)1 << (8 * number.size - 1);
        return bits & sign ? -(float)((~bits & (sign - 1)) + 1) : (float)bits;
    }
    if (number.size == 2)
        return half_to_float(bits);
    if (number.size == 4) {
        const uint32_t word = (uint32_t)bits;
        float value;
        memcpy(&value, &word, sizeof(value));
        return value;
    }
    double value;
    memcpy(&value, &bits, sizeof(value));
    return dp__to_float(value);
}

/* Room for twice as many values as there are, at least 2^16, never more than `total`. */
static bool grow(float **values, size_t *capacity, size_t total)
{
    const size_t wanted = *capacity < 32768 ? 65536 : *capacity > total / 2 ? total : 2 * *capacity;
    const size_t next = DP_MIN2(wanted, total);
    float *larger = dp__alloc(next, sizeof(float));
    if (!larger)
        return false;
    if (*capacity)
        memcpy(larger, *values, *capacity * sizeof(float));
    dp__free(*values);
    *values = larger;
    *capacity = next;
    return true;
}

static dp_status take_numbers(dp__source *source, dp__number number, size_t total, float **values)
{
    unsigned char chunk[8192];
    const size_t size = (size_t)number.size;
    size_t capacity = 0;
    for (size_t done = 0; done < total;) {
        if (done == capacity && !grow(values, &capacity, total))
            return dp__source_fail(source, DP_ERROR_MEMORY, "out of memory after %zu of %zu values", done,
                                   total);
        const size_t wanted = DP_MIN2(capacity - done, sizeof(chunk) / size);
        const size_t there = take_some(source, chunk, wanted * size) / size;
        for (size_t v = 0; v < there; v++)
            (*values)[done + v] = decode(number, chunk + v * size);
        done += there;
        if (there < wanted)
            return dp__source_fail(source, DP_ERROR_FORMAT,
                                   "is truncated: its header promises %zu values, there are %zu", total,
                                   done);
    }
    return DP_OK;
}

/* rows[r, c...] of the first `rows` rows, from values with axis 0 fastest and the last axis slowest. */
static void from_fortran(const float *values, const dp_shape *shape, int64_t rows, float *result)
{
    const int64_t row_size = rows ? dp__shape_size(shape) / shape->dim[0] : 0;
    for (int64_t c = 0; c < row_size; c++) {
        int64_t source = 0, stride = dp__shape_size(shape), rest = c;
        for (int axis = shape->rank - 1; axis >= 1; axis--) {
            stride /= shape->dim[axis];
            source += rest % shape->dim[axis] * stride;
            rest /= shape->dim[axis];
        }
        for (int64_t r = 0; r < rows; r++)
            result[r * row_size + c] = values[source + r];
    }
}

static dp_status take_fortran(dp__source *source, dp__number number, const dp_shape *shape, dp_data *data)
{
    float *values = NULL;
    dp_status status = take_numbers(source, number, (size_t)dp__shape_size(shape), &values);
    if (status == DP_OK) {
        data->values = dp__alloc((size_t)dp__shape_size(&data->shape), sizeof(float));
        if (data->values)
            from_fortran(values, shape, data->shape.dim[0], data->values);
        else
            status = dp__source_fail(source, DP_ERROR_MEMORY, "out of memory");
    }
    dp__free(values);
    return status;
}

dp_status dp__source_values(dp__source *source, dp__number number, const dp_shape *shape, bool fortran,
                            int64_t limit, dp_data *data)
{
    char text[DP_SHAPE_TEXT];
    const int64_t size = dp__shape_size(shape);
    if (size < 0 || (uint64_t)size > SIZE_MAX / sizeof(double))
        return dp__source_fail(source, DP_ERROR_FORMAT,
                               "its header promises %s values, more than can be addressed",
                               dp__shape_text(shape, text));
    snprintf(data->type, sizeof(data->type), "%c%d", number.kind, number.size);
    data->shape = *shape;
    const bool cut = limit > 0 && shape->dim[0] > limit;
    if (cut)
        data->shape.dim[0] = limit;
    if (size > 0 && fortran && shape->rank > 1) {
        DP_CHECK(take_fortran(source, number, shape, data)); /* reads all, also where rows are cut off */
    } else if (size > 0) {
        DP_CHECK(take_numbers(source, number, (size_t)dp__shape_size(&data->shape), &data->values));
        if (cut)
            return DP_OK;
    }
    if (dp__source_get(source) >= 0)
        return dp__source_fail(source, DP_ERROR_FORMAT,
                               "goes on behind the %s values that its header promises",
                               dp__shape_text(shape, text));
    return source->status; /* the end may have shown that the stream is damaged */
}
