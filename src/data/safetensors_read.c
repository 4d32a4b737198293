/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a safetensors file, asking it, and reading from it. The file is read as it is asked for and not mapped: a mapped one
 * would be a crash where another process cuts it short. */
#include "data/safetensors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dp_safetensors {
    char *path;
    int descriptor;
    uint64_t bytes; /* of the file when it was opened */
    char *text;     /* the header, which holds all strings */
    dp__safetensors_header header;
    const dp_safetensors_entry **by_name;
};

/* False at an error, with errno, and at the end of the file, with errno 0. */
static bool read_at(int descriptor, void *data, uint64_t bytes, uint64_t offset)
{
    unsigned char *at = data;
    while (bytes > 0) {
        const ssize_t got = pread(descriptor, at, (size_t)DP_MIN2(bytes, (uint64_t)1 << 30), (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = 0;
        if (got <= 0)
            return false;
        at += got;
        bytes -= (uint64_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

static dp_status open_file(const dp__report *report, dp_safetensors *file)
{
    struct stat status;
    file->descriptor = open(report->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->descriptor < 0 || fstat(file->descriptor, &status) != 0)
        return dp__report_errno(report, "opened");
    if (!S_ISREG(status.st_mode))
        return dp__report_fail(report, DP_ERROR_IO, S_ISDIR(status.st_mode) ? "is a directory" : "is no regular file");
    file->bytes = (uint64_t)status.st_size;
    return DP_OK;
}

static dp_status read_failed(const dp__report *report)
{
    if (errno == 0)
        return dp__report_fail(report, DP_ERROR_FORMAT, "has become shorter since it was opened");
    return dp__report_errno(report, "read");
}

static dp_status read_header(const dp__report *report, dp_safetensors *file, uint64_t *length)
{
    unsigned char bytes[8];
    *length = 0;
    if (file->bytes < sizeof bytes)
        return dp__report_fail(report, DP_ERROR_FORMAT, "has %llu bytes: too short for a safetensors file",
                               (unsigned long long)file->bytes);
    if (!read_at(file->descriptor, bytes, sizeof bytes, 0))
        return read_failed(report);
    for (int b = 7; b >= 0; b--)
        *length = *length << 8 | bytes[b];
    if (*length > DP__SAFETENSORS_MAX_HEADER)
        return dp__report_fail(report, DP_ERROR_FORMAT,
                               "is no safetensors file: its first bytes promise a header of %llu bytes, more than %llu",
                               (unsigned long long)*length, (unsigned long long)DP__SAFETENSORS_MAX_HEADER);
    if (*length > file->bytes - sizeof bytes)
        return dp__report_fail(report, DP_ERROR_FORMAT, "is truncated: its header has %llu bytes, %llu are there",
                               (unsigned long long)*length, (unsigned long long)(file->bytes - sizeof bytes));
    file->text = dp__alloc((size_t)*length + 1, 1);
    if (!file->text)
        return dp__report_fail(report, DP_ERROR_MEMORY, "out of memory for a header of %llu bytes", (unsigned long long)*length);
    if (!read_at(file->descriptor, file->text, *length, sizeof bytes))
        return read_failed(report);
    return dp__safetensors_parse(report, file->text, (size_t)*length, &file->header);
}

static int by_offset(const void *left, const void *right)
{
    const dp_safetensors_entry *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1; /* empty ones go before the one that they share a place with */
    return strcmp(a->name, b->name);
}

/* The values must follow each other without holes, to the end of the file. */
static dp_status place_entries(const dp__report *report, dp_safetensors *file, uint64_t begin)
{
    dp__safetensors_header *header = &file->header;
    char shown[DP__SHOWN_TEXT];
    uint64_t end = 0, there = file->bytes - begin;
    if (header->count > 1)
        qsort(header->entries, header->count, sizeof *header->entries, by_offset);
    for (size_t e = 0; e < header->count; e++) {
        dp_safetensors_entry *entry = &header->entries[e];
        if (entry->offset != end)
            return dp__report_fail(report, DP_ERROR_FORMAT, "\"%s\": its values begin at byte %llu, those before it end at %llu",
                                   dp__shown(entry->name, shown), (unsigned long long)entry->offset, (unsigned long long)end);
        if (entry->bytes > there - end)
            return dp__report_fail(report, DP_ERROR_FORMAT, "is truncated: \"%s\" has %llu bytes, %llu are there",
                                   dp__shown(entry->name, shown), (unsigned long long)entry->bytes,
                                   (unsigned long long)(there - end));
        end += entry->bytes;
        entry->offset += begin;
    }
    if (end != there)
        return dp__report_fail(report, DP_ERROR_FORMAT, "goes on for %llu bytes behind its values",
                               (unsigned long long)(there - end));
    return DP_OK;
}

static int by_name(const void *left, const void *right)
{
    const dp_safetensors_entry *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static int by_key(const void *left, const void *right)
{
    const dp_metadata *a = left, *b = right;
    return strcmp(a->key, b->key);
}

static dp_status index_names(const dp__report *report, dp_safetensors *file)
{
    dp__safetensors_header *header = &file->header;
    char shown[DP__SHOWN_TEXT];
    file->by_name = dp__alloc(header->count, sizeof *file->by_name);
    if (!file->by_name)
        return dp__report_fail(report, DP_ERROR_MEMORY, "out of memory for %zu names", header->count);
    for (size_t e = 0; e < header->count; e++)
        file->by_name[e] = &header->entries[e];
    if (header->count > 1)
        qsort(file->by_name, header->count, sizeof *file->by_name, by_name);
    for (size_t e = 1; e < header->count; e++)
        if (strcmp(file->by_name[e - 1]->name, file->by_name[e]->name) == 0)
            return dp__report_fail(report, DP_ERROR_FORMAT, "holds the name \"%s\" twice",
                                   dp__shown(file->by_name[e]->name, shown));
    if (header->pairs_count > 1)
        qsort(header->pairs, header->pairs_count, sizeof *header->pairs, by_key);
    for (size_t p = 1; p < header->pairs_count; p++)
        if (strcmp(header->pairs[p - 1].key, header->pairs[p].key) == 0)
            return dp__report_fail(report, DP_ERROR_FORMAT, "holds the key \"%s\" of its metadata twice",
                                   dp__shown(header->pairs[p].key, shown));
    return DP_OK;
}

static dp_status open_all(const dp__report *report, dp_safetensors *file)
{
    uint64_t length;
    dp__text path = {0};
    if (!dp__little_endian())
        return dp__report_fail(report, DP_ERROR_UNSUPPORTED, "safetensors files are read on little-endian machines only");
    dp__text_add(&path, "%s", report->path);
    file->path = path.data;
    if (path.failed)
        return dp__report_fail(report, DP_ERROR_MEMORY, "out of memory");
    DP_CHECK(open_file(report, file));
    DP_CHECK(read_header(report, file, &length));
    DP_CHECK(place_entries(report, file, 8 + length));
    return index_names(report, file);
}

dp_status dp_safetensors_open(const char *path, dp_safetensors **file, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin(path, message, message_size);
    if (!file)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "file is NULL");
    *file = NULL;
    if (!path)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "is NULL");
    dp_safetensors *opened = dp__alloc(1, sizeof *opened);
    if (!opened)
        return dp__report_fail(&report, DP_ERROR_MEMORY, "out of memory");
    opened->descriptor = -1;
    const dp_status status = open_all(&report, opened);
    if (status == DP_OK)
        *file = opened;
    else
        dp_safetensors_close(&opened);
    return status;
}

void dp_safetensors_close(dp_safetensors **file)
{
    if (!file || !*file)
        return;
    if ((*file)->descriptor >= 0)
        close((*file)->descriptor);
    dp__safetensors_free(&(*file)->header);
    dp__free((*file)->by_name);
    dp__free((*file)->text);
    dp__free((*file)->path);
    dp__free(*file);
    *file = NULL;
}

int dp_safetensors_count(const dp_safetensors *file)
{
    return file ? (int)file->header.count : 0;
}

const dp_safetensors_entry *dp_safetensors_at(const dp_safetensors *file, int index)
{
    return index >= 0 && index < dp_safetensors_count(file) ? &file->header.entries[index] : NULL;
}

int dp_safetensors_find(const dp_safetensors *file, const char *name)
{
    if (dp_safetensors_count(file) == 0 || !name)
        return -1;
    const dp_safetensors_entry wanted = {.name = name}, *key = &wanted;
    const dp_safetensors_entry **found = bsearch(&key, file->by_name, file->header.count, sizeof *file->by_name, by_name);
    return found ? (int)(*found - file->header.entries) : -1;
}

int dp_safetensors_pairs(const dp_safetensors *file)
{
    return file ? (int)file->header.pairs_count : 0;
}

dp_metadata dp_safetensors_pair(const dp_safetensors *file, int index)
{
    return index >= 0 && index < dp_safetensors_pairs(file) ? file->header.pairs[index] : (dp_metadata){NULL, NULL};
}

const char *dp_safetensors_value(const dp_safetensors *file, const char *key)
{
    if (dp_safetensors_pairs(file) == 0 || !key)
        return NULL;
    const dp_metadata wanted = {key, NULL}, *pairs = file->header.pairs;
    const dp_metadata *found = bsearch(&wanted, pairs, file->header.pairs_count, sizeof *pairs, by_key);
    return found ? found->value : NULL;
}

dp_status dp_safetensors_read(const dp_safetensors *file, int index, void *data, uint64_t bytes)
{
    const dp_safetensors_entry *entry = dp_safetensors_at(file, index);
    if (!entry || bytes != entry->bytes || (!data && bytes > 0))
        return DP_ERROR_ARGUMENT;
    if (read_at(file->descriptor, data, bytes, entry->offset))
        return DP_OK;
    return errno == 0 ? DP_ERROR_FORMAT : DP_ERROR_IO;
}

/* The entry, and its values to be freed. Failures are kept in the device. */
static dp_status take(dp_device *device, const dp_safetensors *file, const char *name, const dp_safetensors_entry **found,
                      void **values)
{
    char shown[DP__SHOWN_TEXT];
    *values = NULL;
    if (!file || !name)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s is NULL", file ? "name" : "file");
    const dp_safetensors_entry *entry = dp_safetensors_at(file, dp_safetensors_find(file, name));
    if (!entry)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: there is no tensor \"%s\"", file->path, dp__shown(name, shown));
    if (entry->dtype == DP_DTYPE_COUNT)
        return dp__fail(device, DP_ERROR_UNSUPPORTED, "%s: \"%s\" is %s; tensors are f32, i32, f16 or bf16", file->path,
                        dp__shown(name, shown), entry->type);
    if (!(*values = dp__alloc((size_t)entry->bytes, 1)))
        return dp__fail(device, DP_ERROR_MEMORY, "no host memory for the %llu bytes of \"%s\"",
                        (unsigned long long)entry->bytes, dp__shown(name, shown));
    *found = entry;
    if (read_at(file->descriptor, *values, entry->bytes, entry->offset))
        return DP_OK;
    const char *why = errno ? strerror(errno) : "the file has become shorter since it was opened";
    const dp_status status = errno ? DP_ERROR_IO : DP_ERROR_FORMAT;
    dp__free(*values);
    *values = NULL;
    return dp__fail(device, status, "%s: \"%s\" cannot be read: %s", file->path, dp__shown(name, shown), why);
}

dp_tensor *dp_safetensors_load(dp_device *device, const dp_safetensors *file, const char *name)
{
    void *values;
    const dp_safetensors_entry *entry;
    if (dp__check_device(device) != DP_OK || take(device, file, name, &entry, &values) != DP_OK)
        return NULL;
    dp_tensor *tensor = dp_from(device, entry->dtype, entry->shape, values);
    dp__free(values);
    return tensor;
}

static dp_status check_same(const dp_tensor *tensor, const dp_safetensors_entry *entry, const char *path)
{
    char shown[DP__SHOWN_TEXT], file_shape[DP_SHAPE_TEXT], shape[DP_SHAPE_TEXT];
    if (tensor->dtype == entry->dtype && dp__shape_equal(&tensor->shape, &entry->shape))
        return DP_OK;
    return dp__fail(tensor->device, DP_ERROR_ARGUMENT, "%s: \"%s\" is %s %s, the tensor is %s %s", path,
                    dp__shown(entry->name, shown), entry->type, dp__shape_text(&entry->shape, file_shape),
                    dp_dtype_name(tensor->dtype), dp__shape_text(&tensor->shape, shape));
}

dp_status dp_safetensors_load_into(dp_tensor *tensor, const dp_safetensors *file, const char *name)
{
    void *values;
    if (!tensor)
        return DP_ERROR_ARGUMENT;
    dp_device *device = tensor->device;
    DP_CHECK(dp__check_device(device));
    if (file && name) { /* before values are read for nothing */
        const dp_safetensors_entry *there = dp_safetensors_at(file, dp_safetensors_find(file, name));
        if (there && there->dtype != DP_DTYPE_COUNT)
            DP_CHECK(check_same(tensor, there, file->path));
    }
    const dp_safetensors_entry *entry;
    DP_CHECK(take(device, file, name, &entry, &values));
    const dp_status status = dp_write(tensor, values, (size_t)entry->bytes);
    dp__free(values);
    return status;
}
