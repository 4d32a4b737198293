/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets in host memory: rows of numbers and images from files, and points of synthetic distributions. */
#ifndef DIPOLE_DATA_H
#define DIPOLE_DATA_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of f32 values, owned by the caller until dp_data_free. */
typedef struct dp_data {
    dp_shape shape; /* as in the file; axis 0 counts the rows */
    float *values;  /* row-major; NULL only where there are none */
    char type[8];   /* of the file's numbers: "u1", "i4", "f8", ..., as NumPy calls them, or "text" */
} dp_data;

/* Reads a file by what it contains, not by its name: IDX (also gzip-compressed), NPY (versions 1 to 3; little or big endian;
 * |u1 |i1 u2 i2 u4 i4 u8 i8 f4 f8 f2; C or Fortran order), CSV (numbers between commas, semicolons, tabs or blanks; a
 * first line without numbers is a header; # starts a comment). Values are converted to f32 and not scaled.
 * At most `limit` rows are read (0: all). A file is never trusted: sizes are checked against what is there before memory is taken.
 *
 * On failure `*data` is zeroed, and `message` (may be NULL) receives one line with the file's name and what is wrong.
 * Statuses: ERROR_IO, ERROR_FORMAT, ERROR_MEMORY, ERROR_ARGUMENT (NULLs, negative limit). */
DP_API dp_status dp_data_read(const char *path, int64_t limit, dp_data *data, char *message,
                              size_t message_size);
/* Frees the values and zeroes the struct; NULL is fine. */
DP_API void dp_data_free(dp_data *data);

/* Images of one size, owned by the caller until dp_images_free. */
typedef struct dp_images {
    int64_t count;
    int channels, side;
    uint8_t *pixels; /* [count, channels, side, side], row-major: a plane a channel, red, green, blue where there are 3 */
    int32_t *labels; /* [count], or NULL where there are none */
} dp_images;

/* Reads images from what `path` is:
 * - an IDX file of u8 images [count, height, width] or [count, channels, height, width], also gzip-compressed: MNIST and its like. The
 *   labels come from the file beside it whose name has "labels-idx1" for "images-idx3", where there is one;
 * - a folder with CIFAR-10's binary batches (data_batch_*.bin, in order of their names; without any test_batch.bin), or one such
 *   .bin file, with labels;
 * - a folder of JPEG and PNG files, in order of their names, or one such file: 3 channels, no labels. Of a folder with other files
 *   (but no batches) these alone are read; what is transparent lies on white; a damaged file is an error.
 * Images that are not square lose what is beyond their middle square; that is brought to side x side, by means over areas where it
 * shrinks and linearly between pixels where it grows. side 0 (not for JPEG and PNG folders): as large as it is.
 * At most `limit` images are read (0: all), the first ones.
 *
 * On failure `*images` is zeroed and `message` (may be NULL) receives one line with the file's name and what is wrong.
 * Statuses: ERROR_IO, ERROR_FORMAT, ERROR_MEMORY, ERROR_ARGUMENT (NULLs, negative limit, side not 0 to 4096). */
DP_API dp_status dp_images_load(const char *path, int side, int64_t limit, dp_images *images, char *message,
                                size_t message_size);
/* Frees all and zeroes the struct; NULL is fine. */
DP_API void dp_images_free(dp_images *images);

/* Synthetic distributions in the plane, most of them within [-2, 2]^2. Mixtures of equal Gaussians:
 *   "8gaussians"   centres on the unit circle, standard deviation 0.05
 *   "25gaussians"  centres 2 (i, j) / 2.828 for i, j = -2 .. 2, standard deviation 0.05 / 2.828
 *   "ring:K"       as 8gaussians with K centres, 1 to 1000
 *   "grid:K"       as 25gaussians with K x K centres around the origin, K from 1 to 30
 * Others, with noise of their own:
 *   "circles" "rings" "moons" "spirals" "swissroll" "checkerboard" "pinwheel"
 * The name with this index from 0, NULL past the last; "ring:K" and "grid:K" stand for theirs. Static. */
DP_API const char *dp_points_name(size_t index);

/* Draws `count` points into xy [count, 2]: the same bits for the same seed on every machine. Point t is made of the numbers
 * 2 t and 2 t + 1 of dp_uniform(seed) from 0 to 1 and of dp_randn(seed + 0x9E3779B97F4A7C15), as docs/files.md tells.
 * Statuses: ERROR_ARGUMENT (NULLs, a name that is none, count not 0 to 2^30 - 1), ERROR_MEMORY. */
DP_API dp_status dp_points_sample(const char *name, int64_t count, uint64_t seed, float *xy, char *message, size_t message_size);

/* The centres of a mixture: writes at most `capacity` of them to xy [capacity, 2] (may be NULL with 0) and the standard
 * deviation of its Gaussians in each coordinate to *sd (may be NULL). Returns how many there are; 0 where the name is no mixture. */
DP_API int dp_points_centres(const char *name, float *xy, int capacity, double *sd);

#ifdef __cplusplus
}
#endif
#endif
