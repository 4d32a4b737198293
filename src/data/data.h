/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of the formats share: a stream of bytes, unpacked where the file is gzip-compressed, that
 * is never believed. Memory is taken as bytes arrive, not as a header promises. */
#ifndef DP_DATA_DATA_H
#define DP_DATA_DATA_H

#include "core/core.h"
#include <dipole/data.h>

typedef struct dp__source {
    const char *path;
    void *file; /* zlib's */
    char *message;
    size_t message_size;
    dp_status status; /* of the first read that failed: bytes after it count as the end of the file */
    size_t at, end;   /* what is unread in `bytes` */
    bool finished;
    unsigned char bytes[16384];
} dp__source;

/* A number as it lies in the file. */
typedef struct dp__number {
    char kind; /* 'u', 'i', 'f' */
    int size;  /* bytes: 1, 2, 4, 8 */
    bool big;  /* endian */
} dp__number;

/* Writes "path: ..." to the message and returns `status`; a failure of the stream itself, where there was
 * one, goes first. */
dp_status dp__source_fail(dp__source *source, dp_status status, const char *format, ...) DP_PRINTF(3, 4);
/* The next byte; -1 at the end. */
int dp__source_get(dp__source *source);
/* Shows up to `count` (at most 16) bytes without taking them; returns how many there are. */
size_t dp__source_peek(dp__source *source, size_t count, const unsigned char **bytes);
/* Takes exactly `count` bytes, or fails: "ends within its WHAT". */
dp_status dp__source_take(dp__source *source, void *bytes, size_t count, const char *what);

/* Rounds; infinite where f32 has no such number. */
float dp__to_float(double value);

/* Sets data->shape (from `shape`, cut to `limit` rows where limit > 0), ->type and ->values from the numbers
 * that follow, in row-major order, or with axis 0 fastest where `fortran`. Without a cut the file must end
 * behind them. */
dp_status dp__source_values(dp__source *source, dp__number number, const dp_shape *shape, bool fortran,
                            int64_t limit, dp_data *data);

/* The formats. Each is given a stream at its first byte and fills `data`, or fails with its message; what was
 * allocated in `data` by then is freed by the caller. */
dp_status dp__read_idx(dp__source *source, int64_t limit, dp_data *data);
dp_status dp__read_npy(dp__source *source, int64_t limit, dp_data *data);
dp_status dp__read_csv(dp__source *source, int64_t limit, dp_data *data);

#endif
