/* SPDX-License-Identifier: Apache-2.0 */
#include "core/whole_file.h"
#include "data/safetensors.h"
#include <stdlib.h>
#include <string.h>

typedef struct job {
    const dp__report *report;
    const dp_named_tensor *tensors;
    int count;
    const dp_metadata *pairs;
    int pairs_count;
} job;

static int by_text(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

/* The strings, each once. `what` is what the call names them, `names` room for them. */
static dp_status check_names(const job *own, const char *what, const char **names, int count)
{
    char shown[DP__SHOWN_TEXT];
    for (int n = 0; n < count; n++) {
        if (!names[n])
            return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "%s %d is NULL", what, n);
        if (!dp__utf8_valid(names[n], strlen(names[n])))
            return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "%s %d is not UTF-8", what, n);
    }
    if (count > 1)
        qsort(names, (size_t)count, sizeof *names, by_text);
    for (int n = 1; n < count; n++)
        if (strcmp(names[n - 1], names[n]) == 0)
            return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "%s \"%s\" comes twice", what, dp__shown(names[n], shown));
    return DP_OK;
}

static dp_status check_all_names(const job *own)
{
    const char **names = dp__alloc((size_t)DP_MAX2(own->count, own->pairs_count), sizeof *names);
    if (!names)
        return dp__report_fail(own->report, DP_ERROR_MEMORY, "out of memory");
    for (int t = 0; t < own->count; t++)
        names[t] = own->tensors[t].name;
    dp_status status = check_names(own, "tensor name", names, own->count);
    for (int p = 0; p < own->pairs_count; p++)
        names[p] = own->pairs[p].key;
    if (status == DP_OK)
        status = check_names(own, "metadata key", names, own->pairs_count);
    dp__free(names);
    return status;
}

static dp_status check(const job *own)
{
    if (own->count < 0 || own->pairs_count < 0)
        return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "%s is %d; it must not be negative",
                               own->count < 0 ? "count" : "pairs_count", own->count < 0 ? own->count : own->pairs_count);
    if ((!own->tensors && own->count > 0) || (!own->pairs && own->pairs_count > 0))
        return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "%s is NULL", own->tensors || !own->count ? "pairs" : "tensors");
    if (!dp__little_endian())
        return dp__report_fail(own->report, DP_ERROR_UNSUPPORTED, "safetensors files are written on little-endian machines only");
    DP_CHECK(check_all_names(own));
    for (int t = 0; t < own->count; t++) {
        if (!own->tensors[t].tensor)
            return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "tensor %d is NULL", t);
        if (strcmp(own->tensors[t].name, DP__SAFETENSORS_PAIRS) == 0)
            return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "tensor %d cannot be named \"" DP__SAFETENSORS_PAIRS "\"", t);
    }
    for (int p = 0; p < own->pairs_count; p++)
        if (!own->pairs[p].value || !dp__utf8_valid(own->pairs[p].value, strlen(own->pairs[p].value)))
            return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "metadata value %d is %s", p,
                                   own->pairs[p].value ? "not UTF-8" : "NULL");
    return DP_OK;
}

static void add_string(dp__text *text, const char *string)
{
    dp__text_add_range(text, "\"", 1);
    for (const char *at = string; *at;) {
        size_t plain = 0;
        while ((unsigned char)at[plain] >= 0x20 && at[plain] != '"' && at[plain] != '\\')
            plain++;
        dp__text_add_range(text, at, plain);
        at += plain;
        if (*at == '"' || *at == '\\')
            dp__text_add(text, "\\%c", *at++);
        else if (*at)
            dp__text_add(text, "\\u%04x", (unsigned)(unsigned char)*at++);
    }
    dp__text_add_range(text, "\"", 1);
}

static void add_tensor(dp__text *text, const dp_named_tensor *named, uint64_t *offset)
{
    const dp_shape shape = dp_tensor_shape(named->tensor);
    const dp_dtype dtype = dp_tensor_dtype(named->tensor);
    const uint64_t bytes = (uint64_t)dp_tensor_size(named->tensor) * dp_dtype_size(dtype);
    add_string(text, named->name);
    dp__text_add(text, ":{\"dtype\":\"%s\",\"shape\":[", dp__safetensors_type(dtype));
    for (int axis = 0; axis < shape.rank; axis++)
        dp__text_add(text, "%s%lld", axis ? "," : "", (long long)shape.dim[axis]);
    dp__text_add(text, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)*offset, (unsigned long long)(*offset + bytes));
    *offset += bytes;
}

/* The tensor that comes next in the file: four bytes an element before two, so that all values are aligned to their size. */
static int next_tensor(const job *own, int t, size_t *size)
{
    while (++t <= own->count) {
        if (t == own->count && *size == 4) {
            *size = 2;
            t = 0;
        }
        if (t < own->count && dp_dtype_size(dp_tensor_dtype(own->tensors[t].tensor)) == *size)
            return t;
    }
    return -1;
}

static dp_status make_header(const job *own, dp__text *text)
{
    uint64_t offset = 0;
    size_t size = 4;
    const char *comma = "";
    dp__text_add(text, "{");
    if (own->pairs_count > 0) {
        dp__text_add(text, "\"" DP__SAFETENSORS_PAIRS "\":{");
        for (int p = 0; p < own->pairs_count; p++) {
            dp__text_add(text, "%s", p ? "," : "");
            add_string(text, own->pairs[p].key);
            dp__text_add(text, ":");
            add_string(text, own->pairs[p].value);
        }
        dp__text_add(text, "}");
        comma = ",";
    }
    for (int t = next_tensor(own, -1, &size); t >= 0; t = next_tensor(own, t, &size)) {
        dp__text_add(text, "%s", comma);
        add_tensor(text, &own->tensors[t], &offset);
        comma = ",";
    }
    dp__text_add(text, "}");
    while (!text->failed && text->length % 8 != 0) /* so that the values are aligned */
        dp__text_add_range(text, " ", 1);
    if (text->failed)
        return dp__report_fail(own->report, DP_ERROR_MEMORY, "out of memory");
    if (text->length > DP__SAFETENSORS_MAX_HEADER)
        return dp__report_fail(own->report, DP_ERROR_ARGUMENT, "its header would have %zu bytes; %llu are allowed", text->length,
                               (unsigned long long)DP__SAFETENSORS_MAX_HEADER);
    return DP_OK;
}

static dp_status write_values(const job *own, dp__whole_file *file, const dp_named_tensor *named)
{
    char shown[DP__SHOWN_TEXT];
    const size_t bytes = (size_t)dp_tensor_size(named->tensor) * dp_dtype_size(dp_tensor_dtype(named->tensor));
    void *values = dp__alloc(bytes, 1);
    if (!values)
        return dp__report_fail(own->report, DP_ERROR_MEMORY, "no host memory for the %zu bytes of \"%s\"", bytes,
                               dp__shown(named->name, shown));
    const dp_status status = dp_read(named->tensor, values, bytes);
    if (status != DP_OK)
        dp__report_fail(own->report, status, "\"%s\" cannot be read from its device: %s", dp__shown(named->name, shown),
                        dp_status_text(status));
    else
        dp__whole_write(file, values, bytes); /* what fails is told when it is closed */
    dp__free(values);
    return status;
}

static dp_status write_all(const job *own, const dp__text *header)
{
    dp__whole_file file;
    unsigned char length[8];
    size_t size = 4;
    for (int b = 0; b < 8; b++)
        length[b] = (unsigned char)((uint64_t)header->length >> 8 * b);
    bool good = dp__whole_open(&file, own->report->path, NULL) && dp__whole_write(&file, length, sizeof length) &&
                dp__whole_write(&file, header->data, header->length);
    for (int t = next_tensor(own, -1, &size); good && t >= 0; t = next_tensor(own, t, &size)) {
        const dp_status status = write_values(own, &file, &own->tensors[t]);
        if (status != DP_OK) {
            dp__whole_drop(&file);
            return status;
        }
        good = file.error == 0;
    }
    return dp__whole_close(&file) ? DP_OK : dp__report_errno(own->report, "written");
}

dp_status dp_safetensors_save(const char *path, const dp_named_tensor *tensors, int count, const dp_metadata *pairs,
                              int pairs_count, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin(path, message, message_size);
    const job own = {&report, tensors, count, pairs, pairs_count};
    dp__text header = {0};
    if (!path)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "is NULL");
    dp_status status = check(&own);
    if (status == DP_OK)
        status = make_header(&own, &header);
    if (status == DP_OK)
        status = write_all(&own, &header);
    dp__text_free(&header);
    return status;
}
