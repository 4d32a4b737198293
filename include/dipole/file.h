/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are written, and read again: tensors with names, and the numbers of a run.
 *
 * A file of tensors appears whole or not at all: under another name in the same folder first, then renamed. Where anything
 * fails, the old file stays and nothing new is left. A link is followed; what is there and is no regular file is refused.
 * Calls with `message` (may be NULL) put one line with the file's name and what is wrong into it on failure, "" on success. */
#ifndef DIPOLE_FILE_H
#define DIPOLE_FILE_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a text, as it is. ERROR_ARGUMENT (NULLs), ERROR_IO, ERROR_MEMORY. */
DP_API dp_status dp_text_write(const char *path, const char *text, char *message, size_t message_size);

/* Safetensors (https://github.com/huggingface/safetensors): a header in JSON with names, dtypes and shapes, then the values. It is
 * what PyTorch, NumPy and others exchange weights with; nothing in such a file is code. */

typedef struct dp_named_tensor {
    const char *name; /* UTF-8, each name once, not "__metadata__" */
    const dp_tensor *tensor;
} dp_named_tensor;

typedef struct dp_metadata {
    const char *key, *value; /* UTF-8, each key once */
} dp_metadata;

/* Writes `count` tensors (f32, i32, f16, bf16; of any devices, any strides; row-major in the file) and `pairs_count` pairs of
 * strings (`pairs` may be NULL with 0). Host memory: that of the largest tensor. The same tensors give the same bytes.
 * Statuses: ERROR_ARGUMENT (NULLs, negative counts, names as above; a header of more than 100 MB), ERROR_IO, ERROR_MEMORY, and
 * those of dp_read. */
DP_API dp_status dp_safetensors_save(const char *path, const dp_named_tensor *tensors, int count, const dp_metadata *pairs,
                                     int pairs_count, char *message, size_t message_size);

/* An open file. It is used by one thread at a time. */
typedef struct dp_safetensors dp_safetensors;

/* One tensor of an open file; lives as long as the file is open. */
typedef struct dp_safetensors_entry {
    const char *name;
    char type[12];  /* as in the file: "F32", "BF16", "I64", "BOOL", ... */
    dp_dtype dtype; /* DP_DTYPE_COUNT where tensors cannot have it; dp_safetensors_read still can */
    dp_shape shape;
    uint64_t bytes;  /* of its values */
    uint64_t offset; /* of the first of them, from the beginning of the file */
} dp_safetensors_entry;

/* Opens a file and checks its header: JSON of the kind that the format asks for, at most 100 MB; names once each; for each
 * tensor a known type and as many bytes as its shape takes; values that lie one behind the other and fill the file to its end. What
 * is promised is compared with the file's size before memory is taken. *file is NULL on failure; else close it.
 * Statuses: ERROR_IO, ERROR_FORMAT, ERROR_UNSUPPORTED (rank over 8, a machine that is not little-endian), ERROR_MEMORY,
 * ERROR_ARGUMENT (NULLs). */
DP_API dp_status dp_safetensors_open(const char *path, dp_safetensors **file, char *message, size_t message_size);
/* Nulls the handle; NULL is fine. */
DP_API void dp_safetensors_close(dp_safetensors **file);

/* Tensors, in the order of their values in the file: how many, the one with this index (NULL out of range), the index of a name (-1
 * where there is none). A NULL file has none. */
DP_API int dp_safetensors_count(const dp_safetensors *file);
DP_API const dp_safetensors_entry *dp_safetensors_at(const dp_safetensors *file, int index);
DP_API int dp_safetensors_find(const dp_safetensors *file, const char *name);
/* Pairs of strings, sorted by their keys: how many, one of them ({NULL, NULL} out of range), the value of a key (NULL where there
 * is none). They live as long as the file is open. */
DP_API int dp_safetensors_pairs(const dp_safetensors *file);
DP_API dp_metadata dp_safetensors_pair(const dp_safetensors *file, int index);
DP_API const char *dp_safetensors_value(const dp_safetensors *file, const char *key);

/* A new tensor on the device with the values of that name; NULL with the reason kept in the device: ERROR_ARGUMENT (no such
 * name, NULLs), ERROR_UNSUPPORTED (its type is not f32, i32, f16 or bf16), ERROR_IO, ERROR_FORMAT (the file has become shorter), and
 * those of dp_from. */
DP_API dp_tensor *dp_safetensors_load(dp_device *device, const dp_safetensors *file, const char *name);
/* Overwrites a tensor of the same shape and dtype; its strides are free. Statuses as above and those of dp_write, kept in the tensor's
 * device; the tensor is as it was where the file is at fault. */
DP_API dp_status dp_safetensors_load_into(dp_tensor *tensor, const dp_safetensors *file, const char *name);
/* The raw bytes of entry `index`, of any type, into host memory: `bytes` must be the entry's. ERROR_ARGUMENT, ERROR_IO, ERROR_FORMAT. */
DP_API dp_status dp_safetensors_read(const dp_safetensors *file, int index, void *data, uint64_t bytes);

/* Logs: the numbers of a run as it goes, a row a step, appended at once and readable while it grows. */

typedef enum dp_log_format {
    DP_LOG_CSV,       /* a first line with names, then "12,0.5,nan" */
    DP_LOG_JSON_LINES /* {"step":12,"loss":0.5,"rate":null} a line; null for what is not finite, which JSON does not have */
} dp_log_format;

typedef struct dp_log dp_log;

/* Opens a log with a column "step" and `count` more of these names (UTF-8 without quotes, backslashes, commas and control characters,
 * each once, not empty, not "step").
 * resume < 0 begins a new file in the place of what was there. resume >= 0 goes on behind that step: rows of later steps are dropped,
 * as is the part of a row at the end that a killed process left, so that the file becomes that of a run which was never
 * interrupted. A file that is not there is begun. One with other columns, or with a line that is no row of them, is left as it is
 * and answered with ERROR_FORMAT. *log is NULL on failure; else close it.
 * Statuses: ERROR_ARGUMENT, ERROR_IO, ERROR_FORMAT, ERROR_MEMORY. */
DP_API dp_status dp_log_open(const char *path, dp_log_format format, const char *const *columns, int count, int64_t resume,
                             dp_log **log, char *message, size_t message_size);
/* Appends a row of `count` values in one write. Numbers are written with as few digits as read back as the same double, with a
 * decimal point whatever the locale. `step` must be larger than that of the row before (ERROR_ARGUMENT). A row that cannot be
 * written whole (ERROR_IO: the disk is full) is taken back, and may be tried again. */
DP_API dp_status dp_log_row(dp_log *log, int64_t step, const double *values, char *message, size_t message_size);
/* The step of the last row; -1 where there is none, or the log is NULL. */
DP_API int64_t dp_log_last(const dp_log *log);
/* Brings all rows to the disk. ERROR_IO where that fails. Nulls the handle; NULL is fine. */
DP_API dp_status dp_log_close(dp_log **log);

#ifdef __cplusplus
}
#endif
#endif
