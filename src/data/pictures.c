/* SPDX-License-Identifier: Apache-2.0 */
/* Images from JPEG and PNG files. */
#include "data/pictures.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_BYTES ((off_t)256 << 20) /* of one file */

#define MOST_PIXELS ((uint64_t)1 << 26)

dp_status dp__picture_check(const dp__report *report, uint64_t width, uint64_t height)
{
    if (width >= 1 && height >= 1 && width <= DP_IMAGE_MAX_SIDE && height <= DP_IMAGE_MAX_SIDE && width * height <= MOST_PIXELS)
        return DP_OK;
    return dp__report_fail(report, DP_ERROR_FORMAT, "has %llu x %llu pixels; at most %d each way and %llu in all are read",
                           (unsigned long long)width, (unsigned long long)height, DP_IMAGE_MAX_SIDE, (unsigned long long)MOST_PIXELS);
}

static dp_status read_descriptor(const dp__report *report, int descriptor, unsigned char **bytes, size_t *size)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return dp__report_errno(report, "read");
    if (!S_ISREG(status.st_mode) || status.st_size > MOST_BYTES)
        return dp__report_fail(report, DP_ERROR_FORMAT, "is no regular file of at most %d MiB", (int)(MOST_BYTES >> 20));
    *bytes = dp__alloc((size_t)status.st_size, 1);
    if (!*bytes)
        return dp__report_fail(report, DP_ERROR_MEMORY, "no memory for its %lld bytes", (long long)status.st_size);
    while (*size < (size_t)status.st_size) {
        const ssize_t got = read(descriptor, *bytes + *size, (size_t)status.st_size - *size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return dp__report_errno(report, "read");
        if (got == 0)
            return dp__report_fail(report, DP_ERROR_FORMAT, "has become shorter while it was read");
        *size += (size_t)got;
    }
    return DP_OK;
}

static dp_status decode_file(const dp__report *report, dp_image *image)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    const int descriptor = open(report->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return dp__report_errno(report, "opened");
    dp_status status = read_descriptor(report, descriptor, &bytes, &size);
    close(descriptor);
    if (status == DP_OK) {
        if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
            status = dp__jpeg_decode(report, bytes, size, image);
        else if (size >= 4 && memcmp(bytes, "\x89PNG", 4) == 0)
            status = dp__png_decode(report, bytes, size, image);
        else
            status = dp__report_fail(report, DP_ERROR_FORMAT, "is neither a JPEG nor a PNG file, though its name says so");
    }
    dp__free(bytes);
    return status;
}

dp_status dp__images_pictures(dp__images_job *job, char *const *names, int64_t count)
{
    if (job->side == 0 && count > 1)
        return dp__report_fail(job->report, DP_ERROR_ARGUMENT, "side is 0; a folder of pictures needs one that all are brought to");
    if (job->side > 0)
        DP_CHECK(dp__images_begin(job, count, 3, job->side, false));
    const int64_t wanted = job->side > 0 ? job->images->count : count;
    for (int64_t n = 0; n < wanted; n++) {
        const dp__report report = dp__report_of(job->report, names[n]);
        dp_image image;
        DP_CHECK(decode_file(&report, &image));
        dp_status status = DP_OK;
        if (job->side == 0)
            status = dp__images_begin(job, 1, 3, DP_MIN2(image.height, image.width), false);
        if (status == DP_OK) {
            const dp__plane red = {image.pixels, image.height, image.width, 3 * (size_t)image.width, 3};
            status = dp__images_put(job, n, red, 1);
        }
        dp_image_free(&image);
        DP_CHECK(status);
    }
    return DP_OK;
}
