/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are written, and those that are read again: tensors with names.
 *
 * A file that is written appears whole or not at all: under another name in the same folder first, then renamed. Where anything
 * fails, the old file stays and nothing new is left. A link is followed; what is there and is no regular file is refused.
 * Calls with `message` (may be NULL) put one line with the file's name and what is wrong into it on failure, "" on success. */
#ifndef DIPOLE_FILE_H
#define DIPOLE_FILE_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif
#endif
