/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors: typed, strided, reference-counted views of memory on a device.
 *
 * Calls that make a tensor return a new reference, to be given back with dp_tensor_release, or NULL on failure with the
 * reason kept in the device (see dp_failed). A tensor passed as `const dp_tensor *` is only read; it may be NULL, which
 * counts as the failure of an earlier call. Layout is row-major unless strides say otherwise; strides and offsets count elements. */
#ifndef DIPOLE_TENSOR_H
#define DIPOLE_TENSOR_H

#include <dipole/device.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DP_MAX_RANK 8

typedef struct dp_tensor dp_tensor;

/* f16 (IEEE 754 binary16) and bf16 (the upper half of an f32) are for storage, where the caller chooses them: two bytes an element.
 * dp_cast makes them and f32 of each other; dp_matmul, the convolutions, dp_copy and the gathers take them, and compute in f32; all
 * others refuse them. f64 and i8 have their place and are answered with DP_ERROR_UNSUPPORTED. */
typedef enum dp_dtype { DP_F32, DP_I32, DP_F16, DP_BF16, DP_F64, DP_I8, DP_DTYPE_COUNT } dp_dtype;

DP_API const char *dp_dtype_name(dp_dtype dtype); /* "f32"; "unknown" outside of the enum */
DP_API size_t dp_dtype_size(dp_dtype dtype);      /* bytes; 0 outside of the enum */

/* Sizes of each axis, outermost first. Rank 0 is a scalar with one element. A size may be 0. */
typedef struct dp_shape {
    int rank;
    int64_t dim[DP_MAX_RANK];
} dp_shape;

#ifndef __cplusplus
/* DP_SHAPE(100000, 3); DP_SCALAR for rank 0. Its arguments are evaluated once more for counting: no side effects. */
#define DP_SHAPE(...)                                                                                        \
    ((dp_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define DP_SCALAR ((dp_shape){0, {0}})
#endif

/* Making. Errors: ERROR_ARGUMENT (rank or a size out of range, more than 2^31 - 1 elements), ERROR_UNSUPPORTED (dtype,
 * or more bytes than dp_device_info.max_tensor_bytes), ERROR_MEMORY. */
DP_API dp_tensor *dp_empty(dp_device *device, dp_dtype dtype, dp_shape shape); /* contents undefined */
DP_API dp_tensor *dp_full(dp_device *device, dp_dtype dtype, dp_shape shape, double value);
/* Copies row-major host data, dp_dtype_size(dtype) bytes an element; `data` may be reused on return. */
DP_API dp_tensor *dp_from(dp_device *device, dp_dtype dtype, dp_shape shape, const void *data);

/* Pseudo-random f32 numbers, the same bits on every device: element t of the row-major order comes from Philox 4x32-10
 * (Salmon et al., SC 2011) with key (seed low, seed high) and counter (t / 4, 0, 0, 0), word t mod 4.
 * uniform: low + (high - low) * (word >> 8) * 2^-24. normal: mean 0, variance 1, see docs/random.md. */
DP_API dp_tensor *dp_uniform(dp_device *device, uint64_t seed, dp_shape shape, double low, double high);
DP_API dp_tensor *dp_randn(dp_device *device, uint64_t seed, dp_shape shape);
/* The same with counter (t / 4, step, 0, 0): another row of numbers for each step, of which step 0 is that above. `step` is an
 * f32 tensor of one element with a whole number from 0 to 2^24 in it, which lies on the device so that a program (program.h) can count
 * it up: dp_map_into("step + 1"). A fraction of it is cut off, and what is outside counts as the nearer end, NaN as 0. randint:
 * i32, (word * n) >> 32, that is uniform in 0 .. n - 1, for n from 1 to 2^31 - 1. Errors, besides those above: ERROR_ARGUMENT (step
 * of another dtype or size, n). */
DP_API dp_tensor *dp_uniform_at(dp_device *device, uint64_t seed, const dp_tensor *step, dp_shape shape, double low,
                                double high);
DP_API dp_tensor *dp_randn_at(dp_device *device, uint64_t seed, const dp_tensor *step, dp_shape shape);
DP_API dp_tensor *dp_randint_at(dp_device *device, uint64_t seed, const dp_tensor *step, dp_shape shape, int64_t n);

/* References. release drops one, nulls the handle, takes NULL; memory is freed when the device has done with it. */
DP_API dp_tensor *dp_tensor_retain(dp_tensor *tensor);
DP_API void dp_tensor_release(dp_tensor **tensor);

/* Asking. NULL gives NULL, rank 0 with no sizes, DP_F32, 0. */
DP_API dp_device *dp_tensor_device(const dp_tensor *tensor);
DP_API dp_shape dp_tensor_shape(const dp_tensor *tensor);
DP_API dp_dtype dp_tensor_dtype(const dp_tensor *tensor);
DP_API int64_t dp_tensor_stride(const dp_tensor *tensor, int axis); /* in elements; 0 for a bad axis */
DP_API int64_t dp_tensor_size(const dp_tensor *tensor);             /* number of elements */
DP_API bool dp_tensor_contiguous(const dp_tensor *tensor);          /* row-major without gaps */

/* Transfers of the whole tensor, row-major on the host side whatever the strides; `bytes` must be exactly
 * dp_tensor_size * dp_dtype_size. read waits for the work that makes the values. write needs a tensor whose elements do not
 * overlap. f16 and bf16 are raw words of 16 bits; to write or fill a view of them that has gaps takes a way through host memory. */
DP_API dp_status dp_read(const dp_tensor *tensor, void *data, size_t bytes);
DP_API dp_status dp_write(dp_tensor *tensor, const void *data, size_t bytes);
/* Sets every element. i32 takes the nearest integer and refuses what does not fit; f16 and bf16 round as dp_cast does. */
DP_API dp_status dp_fill(dp_tensor *tensor, double value);
/* Reads the only element of a tensor of size 1; NaN on failure. */
DP_API double dp_item(const dp_tensor *tensor);

/* A contiguous copy on `device`, which may be another one than the tensor's. */
DP_API dp_tensor *dp_copy(dp_device *device, const dp_tensor *tensor);

/* Views: new handles on the same memory. They keep it alive; writes show through. */
/* Elements start, start + step, ... below stop of one axis; 0 <= start <= stop <= size, step >= 1. */
DP_API dp_tensor *dp_slice(dp_tensor *tensor, int axis, int64_t start, int64_t stop, int64_t step);
/* Axis a of the view is axis order[a] of the tensor; `order` has `rank` entries, each axis once. */
DP_API dp_tensor *dp_permute(dp_tensor *tensor, const int *order, int rank);
DP_API dp_tensor *dp_transpose(dp_tensor *tensor, int axis_a, int axis_b);
/* Another shape of the same size; ERROR_ARGUMENT where the strides allow no view (dp_copy first). */
DP_API dp_tensor *dp_reshape(dp_tensor *tensor, dp_shape shape);
/* NumPy's broadcasting: sizes of 1 and missing leading axes repeat, with stride 0. The view cannot be written. */
DP_API dp_tensor *dp_broadcast(dp_tensor *tensor, dp_shape shape);

#ifdef __cplusplus
}
#endif
#endif
