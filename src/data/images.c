/* SPDX-License-Identifier: Apache-2.0 */
/* dp_images_load: what a path is, and the images of IDX files and of CIFAR-10. */
#include "data/pictures.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MOST_SIDE   4096
#define CIFAR_SIDE  32
#define CIFAR_BYTES (1 + 3 * CIFAR_SIDE * CIFAR_SIDE) /* a label, then planes */

dp__report dp__report_of(const dp__report *report, const char *path)
{
    return (dp__report){path, report->message, report->size};
}

dp_status dp__images_begin(dp__images_job *job, int64_t count, int channels, int side, bool labels)
{
    dp_images *images = job->images;
    images->count = job->limit > 0 ? DP_MIN2(count, job->limit) : count;
    images->channels = channels;
    images->side = side;
    const size_t bytes = (size_t)channels * (size_t)side * (size_t)side;
    images->pixels = dp__alloc((size_t)images->count, bytes);
    if (labels)
        images->labels = dp__alloc((size_t)images->count, sizeof *images->labels);
    if (!images->pixels || (labels && !images->labels))
        return dp__report_fail(job->report, DP_ERROR_MEMORY, "no memory for %lld images of %zu bytes", (long long)images->count,
                               bytes);
    return DP_OK;
}

dp_status dp__images_put(dp__images_job *job, int64_t index, dp__plane plane, size_t plane_step)
{
    const dp_images *images = job->images;
    const size_t size = (size_t)images->side * (size_t)images->side;
    uint8_t *out = images->pixels + (size_t)index * (size_t)images->channels * size;
    for (int c = 0; c < images->channels; c++, plane.pixels += plane_step, out += size)
        if (!dp__resize(&job->resizer, &plane, images->side, out))
            return dp__report_fail(job->report, DP_ERROR_MEMORY, "out of memory");
    return DP_OK;
}

/* The values were bytes: they are again. */
static dp_status put_rows(dp__images_job *job, const dp_data *data, int channels, int height, int width)
{
    const size_t size = (size_t)channels * (size_t)height * (size_t)width;
    uint8_t *bytes = dp__alloc(size, 1);
    dp_status status = bytes ? DP_OK : dp__report_fail(job->report, DP_ERROR_MEMORY, "out of memory");
    for (int64_t k = 0; status == DP_OK && k < job->images->count; k++) {
        for (size_t b = 0; b < size; b++)
            bytes[b] = (uint8_t)data->values[(size_t)k * size + b];
        status = dp__images_put(job, k, (dp__plane){bytes, height, width, (size_t)width, 1}, (size_t)height * (size_t)width);
    }
    dp__free(bytes);
    return status;
}

/* The path of the labels beside images; empty where the name does not tell. */
static void add_label_path(dp__text *text, const char *path)
{
    const char *slash = strrchr(path, '/'), *part = strstr(slash ? slash : path, "images-idx3");
    if (part)
        dp__text_add(text, "%.*slabels-idx1%s", (int)(part - path), path, part + strlen("images-idx3"));
}

static dp_status put_labels(dp__images_job *job, const char *path, int64_t images)
{
    const dp__report report = dp__report_of(job->report, path);
    dp_data data;
    DP_CHECK(dp_data_read(path, 0, &data, report.message, report.size));
    dp_status status = DP_OK;
    if (data.shape.rank != 1 || strcmp(data.type, "u1") != 0 ||
        (job->limit == 0 ? data.shape.dim[0] != images : data.shape.dim[0] < images))
        status = dp__report_fail(&report, DP_ERROR_FORMAT, "holds no u8 labels of the %lld images beside it", (long long)images);
    for (int64_t k = 0; status == DP_OK && k < images; k++)
        job->images->labels[k] = (int32_t)data.values[k];
    dp_data_free(&data);
    return status;
}

static dp_status put_idx(dp__images_job *job, const dp_data *data)
{
    const dp_shape *shape = &data->shape;
    char text[DP_SHAPE_TEXT];
    const int64_t channels = shape->rank == 4 ? shape->dim[1] : 1;
    const int64_t height = shape->rank >= 3 ? shape->dim[shape->rank - 2] : 0, width = shape->rank >= 3 ? shape->dim[shape->rank - 1] : 0;
    if (strcmp(data->type, "u1") != 0 || shape->rank < 3 || shape->rank > 4 || channels < 1 || channels > 4 || height < 1 ||
        width < 1 || height > DP_IMAGE_MAX_SIDE || width > DP_IMAGE_MAX_SIDE)
        return dp__report_fail(job->report, DP_ERROR_FORMAT, "holds %s of shape %s; u8 images [count, height, width] or "
                               "[count, channels, height, width] can be read", data->type, dp__shape_text(shape, text));
    dp__text labels = {0};
    struct stat status;
    add_label_path(&labels, job->report->path);
    if (labels.failed)
        return dp__report_fail(job->report, DP_ERROR_MEMORY, "out of memory");
    const bool have_labels = labels.data && stat(labels.data, &status) == 0;
    const int64_t side = job->side ? job->side : DP_MIN2(height, width);
    dp_status result = dp__images_begin(job, shape->dim[0], (int)channels, (int)side, have_labels);
    if (result == DP_OK)
        result = put_rows(job, data, (int)channels, (int)height, (int)width);
    if (result == DP_OK && have_labels)
        result = put_labels(job, labels.data, job->images->count);
    dp__text_free(&labels);
    return result;
}

dp_status dp__images_idx(dp__images_job *job)
{
    dp_data data;
    DP_CHECK(dp_data_read(job->report->path, job->limit, &data, job->report->message, job->report->size));
    const dp_status status = put_idx(job, &data);
    dp_data_free(&data);
    return status;
}

static dp_status put_batch(dp__images_job *job, const dp__report *report, FILE *file, int64_t *done)
{
    uint8_t record[CIFAR_BYTES];
    while (*done < job->images->count) {
        const size_t got = fread(record, 1, sizeof record, file);
        if (ferror(file))
            return dp__report_errno(report, "read");
        if (got == 0)
            return DP_OK;
        if (got != sizeof record || record[0] > 9)
            return dp__report_fail(report, DP_ERROR_FORMAT, got == sizeof record ? "has a label over 9: it is no batch of CIFAR-10"
                                                                                 : "ends within an image");
        job->images->labels[*done] = record[0];
        const dp__plane plane = {record + 1, CIFAR_SIDE, CIFAR_SIDE, CIFAR_SIDE, 1};
        DP_CHECK(dp__images_put(job, (*done)++, plane, CIFAR_SIDE * CIFAR_SIDE));
    }
    return DP_OK;
}

dp_status dp__images_cifar(dp__images_job *job, char *const *names, int64_t count)
{
    int64_t total = 0, done = 0;
    for (int64_t n = 0; n < count; n++) {
        const dp__report report = dp__report_of(job->report, names[n]);
        struct stat status;
        if (stat(names[n], &status) != 0)
            return dp__report_errno(&report, "read");
        if (status.st_size % CIFAR_BYTES != 0)
            return dp__report_fail(&report, DP_ERROR_FORMAT, "has %lld bytes: batches of CIFAR-10 have %d an image",
                                   (long long)status.st_size, CIFAR_BYTES);
        total += status.st_size / CIFAR_BYTES;
    }
    DP_CHECK(dp__images_begin(job, total, 3, job->side ? job->side : CIFAR_SIDE, true));
    for (int64_t n = 0; n < count && done < job->images->count; n++) {
        const dp__report report = dp__report_of(job->report, names[n]);
        FILE *file = fopen(names[n], "rbe");
        if (!file)
            return dp__report_errno(&report, "opened");
        const dp_status status = put_batch(job, &report, file, &done);
        fclose(file);
        DP_CHECK(status);
    }
    if (done < job->images->count)
        return dp__report_fail(job->report, DP_ERROR_FORMAT, "has become shorter while it was read");
    return DP_OK;
}

static bool ends_in(const char *name, const char *suffix)
{
    const size_t length = strlen(name), part = strlen(suffix);
    return length > part && strcasecmp(name + length - part, suffix) == 0;
}

static bool is_picture(const char *name)
{
    return name[0] != '.' && (ends_in(name, ".jpg") || ends_in(name, ".jpeg") || ends_in(name, ".png"));
}

static bool is_training(const char *name)
{
    return strncmp(name, "data_batch_", strlen("data_batch_")) == 0 && ends_in(name, ".bin");
}

static bool is_test(const char *name)
{
    return strcmp(name, "test_batch.bin") == 0;
}

/* Paths of a folder's files, sorted by their names. */
typedef struct names {
    char **list;
    size_t count, capacity;
} names;

static void free_names(names *all)
{
    for (size_t n = 0; n < all->count; n++)
        dp__free(all->list[n]);
    dp__free(all->list);
    *all = (names){0};
}

static int by_text(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

static dp_status list_folder(const dp__report *report, bool (*wanted)(const char *), names *all)
{
    DIR *stream = opendir(report->path);
    bool failed = false;
    *all = (names){0};
    if (!stream)
        return dp__report_errno(report, "opened");
    for (const struct dirent *item; !failed && (item = readdir(stream));) {
        dp__text path = {0};
        if (!wanted(item->d_name))
            continue;
        dp__text_add(&path, "%s/%s", report->path, item->d_name);
        failed = path.failed || !dp__grow(&all->list, &all->capacity, all->count + 1, sizeof *all->list);
        if (failed)
            dp__text_free(&path);
        else
            all->list[all->count++] = path.data;
    }
    closedir(stream);
    if (all->count > 1)
        qsort(all->list, all->count, sizeof *all->list, by_text);
    if (!failed)
        return DP_OK;
    free_names(all);
    return dp__report_fail(report, DP_ERROR_MEMORY, "out of memory for its list of files");
}

static dp_status load_folder(dp__images_job *job)
{
    static const struct {
        bool (*wanted)(const char *name);
        dp_status (*load)(dp__images_job *job, char *const *names, int64_t count);
    } kinds[] = {{is_training, dp__images_cifar}, {is_test, dp__images_cifar}, {is_picture, dp__images_pictures}};
    for (size_t k = 0; k < DP_COUNT(kinds); k++) {
        names all;
        DP_CHECK(list_folder(job->report, kinds[k].wanted, &all));
        const bool found = all.count > 0;
        const dp_status status = found ? kinds[k].load(job, all.list, (int64_t)all.count) : DP_OK;
        free_names(&all);
        if (found)
            return status;
    }
    return dp__report_fail(job->report, DP_ERROR_FORMAT, "is a folder without batches of CIFAR-10, JPEG or PNG files");
}

static dp_status load_file(dp__images_job *job)
{
    char *path[] = {(char *)(uintptr_t)job->report->path}; /* not written to */
    unsigned char head[4] = {0};
    FILE *file = fopen(path[0], "rbe");
    if (!file)
        return dp__report_errno(job->report, "opened");
    const size_t got = fread(head, 1, sizeof head, file);
    fclose(file);
    if (ends_in(path[0], ".bin"))
        return dp__images_cifar(job, path, 1);
    if (got == 4 && (memcmp(head, "\x89PNG", 4) == 0 || memcmp(head, "\xff\xd8\xff", 3) == 0))
        return dp__images_pictures(job, path, 1);
    if (got >= 2 && ((head[0] == 0 && head[1] == 0) || (head[0] == 0x1F && head[1] == 0x8B)))
        return dp__images_idx(job);
    return dp__report_fail(job->report, DP_ERROR_FORMAT, "is no IDX, JPEG or PNG file, and no batch of CIFAR-10 (.bin)");
}

dp_status dp_images_load(const char *path, int side, int64_t limit, dp_images *images, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin(path, message, message_size);
    dp__images_job job = {.report = &report, .side = side, .limit = limit, .images = images};
    struct stat status;
    if (!images)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "images is NULL");
    *images = (dp_images){0};
    if (!path)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "is NULL");
    if (limit < 0 || side < 0 || side > MOST_SIDE)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "side is %d, limit %lld; 0 to %d and not negative are allowed", side,
                               (long long)limit, MOST_SIDE);
    if (stat(path, &status) != 0)
        return dp__report_errno(&report, "read");
    const dp_status result = S_ISDIR(status.st_mode) ? load_folder(&job) : load_file(&job);
    dp__resizer_free(&job.resizer);
    if (result != DP_OK)
        dp_images_free(images);
    return result;
}

void dp_images_free(dp_images *images)
{
    if (!images)
        return;
    dp__free(images->pixels);
    dp__free(images->labels);
    *images = (dp_images){0};
}
