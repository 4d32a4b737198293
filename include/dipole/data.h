/* SPDX-License-Identifier: Apache-2.0 */
/* Reading data sets from files into host memory. */
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

#ifdef __cplusplus
}
#endif
#endif
