/* SPDX-License-Identifier: Apache-2.0 */
/* Reading pictures, and making them the size that is wanted. */
#ifndef DP_DATA_PICTURES_H
#define DP_DATA_PICTURES_H

#include "data/report.h"
#include <dipole/data.h>
#include <dipole/image.h>

/* Whether a picture of this size is read: a file of a few bytes may promise any. */
dp_status dp__picture_check(const dp__report *report, uint64_t width, uint64_t height);
/* A whole file in memory, as RGB whatever it was; ERROR_FORMAT where it is damaged. The caller frees. */
dp_status dp__png_decode(const dp__report *report, const void *bytes, size_t size, dp_image *image);
dp_status dp__jpeg_decode(const dp__report *report, const void *bytes, size_t size, dp_image *image);

/* Brings the middle square of planes to another size. Weights are kept while images of the same size come. */
typedef struct dp__resizer {
    int from, side, taps; /* taps: the most pixels that one is made of in a row */
    int *first;           /* [side] */
    double *weight;       /* [side, taps] */
    double *rows;         /* [from, side]: the plane after its rows */
} dp__resizer;

/* A plane within memory: pixel (y, x) at pixels[y * row + x * step]. */
typedef struct dp__plane {
    const uint8_t *pixels;
    int height, width;
    size_t row, step;
} dp__plane;

/* Writes side x side pixels. False where memory is out. Begin with a zeroed resizer. */
bool dp__resize(dp__resizer *resizer, const dp__plane *plane, int side, uint8_t *out);
void dp__resizer_free(dp__resizer *resizer);

/* An images struct that is filled one by one. */
typedef struct dp__images_job {
    const dp__report *report;
    int side; /* 0: as it is */
    int64_t limit;
    dp_images *images;
    dp__resizer resizer;
} dp__images_job;

/* Sets the sizes and takes the memory. */
dp_status dp__images_begin(dp__images_job *job, int64_t count, int channels, int side, bool labels);
/* Image `index` from planes that lie `plane_step` bytes apart, of which `plane` is the first. */
dp_status dp__images_put(dp__images_job *job, int64_t index, dp__plane plane, size_t plane_step);

dp_status dp__images_idx(dp__images_job *job);
dp_status dp__images_cifar(dp__images_job *job, char *const *names, int64_t count); /* paths of batches */
dp_status dp__images_pictures(dp__images_job *job, char *const *names, int64_t count); /* paths of pictures */

/* A report of another file with the same message. */
dp__report dp__report_of(const dp__report *report, const char *path);

#endif
