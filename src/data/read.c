/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a file and finding out what it is. */
#include "data/data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static dp_status open_source(dp__source *source)
{
    struct stat about;
    const int descriptor = open(source->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return dp__source_fail(source, DP_ERROR_IO, "%s", strerror(errno));
    if (fstat(descriptor, &about) == 0 && S_ISDIR(about.st_mode)) {
        close(descriptor);
        return dp__source_fail(source, DP_ERROR_IO, "is a directory");
    }
    source->file = gzdopen(descriptor, "rb"); /* passes through what is not compressed */
    if (!source->file) {
        close(descriptor);
        return dp__source_fail(source, DP_ERROR_MEMORY, "out of memory");
    }
    return DP_OK;
}

static dp_status read_source(dp__source *source, int64_t limit, dp_data *data)
{
    const unsigned char *head;
    const size_t length = dp__source_peek(source, 6, &head);
    if (length == 0)
        return dp__source_fail(source, DP_ERROR_FORMAT, "is empty");
    if (length == 6 && memcmp(head, "\x93NUMPY", 6) == 0)
        return dp__read_npy(source, limit, data);
    if (length >= 2 && head[0] == 0 && head[1] == 0)
        return dp__read_idx(source, limit, data);
    return dp__read_csv(source, limit, data);
}

dp_status dp_data_read(const char *path, int64_t limit, dp_data *data, char *message, size_t message_size)
{
    dp__source source = {
        .path = path ? path : "path", .message = message, .message_size = message ? message_size : 0};
    if (source.message_size)
        message[0] = '\0';
    if (!data)
        return dp__source_fail(&source, DP_ERROR_ARGUMENT, "data is NULL");
    *data = (dp_data){0};
    if (!path)
        return dp__source_fail(&source, DP_ERROR_ARGUMENT, "is NULL");
    if (limit < 0)
        return dp__source_fail(&source, DP_ERROR_ARGUMENT, "limit is %lld; it must not be negative",
                               (long long)limit);
    dp_status status = open_source(&source);
    if (status == DP_OK) {
        status = read_source(&source, limit, data);
        gzclose(source.file);
    }
    if (status != DP_OK)
        dp_data_free(data);
    return status;
}

void dp_data_free(dp_data *data)
{
    if (!data)
        return;
    dp__free(data->values);
    *data = (dp_data){0};
}
