/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of results: PNG files, grids of samples, and plain plots, drawn on the host without any other program.
 *
 * Calls that draw fill `*image`, which is zeroed on failure and else freed by the caller with dp_image_free. Calls with `message` (may be NULL) put one line with what is wrong into it on failure, "" on
 * success. Statuses: ERROR_ARGUMENT (NULLs, sizes out of range, no number that can be drawn), ERROR_MEMORY, and those named. */
#ifndef DIPOLE_IMAGE_H
#define DIPOLE_IMAGE_H

#include <dipole/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DP_IMAGE_MAX_SIDE 16384 /* pixels */

typedef struct dp_image {
    int width, height, channels; /* channels: 1 (grey) or 3 (red, green, blue; sRGB) */
    uint8_t *pixels;             /* [height, width, channels], row-major, the top row first */
} dp_image;

/* Frees the pixels and zeroes the struct; NULL is fine. */
DP_API void dp_image_free(dp_image *image);

/* Writes a PNG of 8 bits a channel, whole or not at all (file.h). width and height 1 to DP_IMAGE_MAX_SIDE. ERROR_IO. */
DP_API dp_status dp_png_write(const char *path, int width, int height, int channels, const uint8_t *pixels, char *message,
                              size_t message_size);

/* `count` images of [count, channels, height, width] floats from -1 (black) to 1 (white), row-major, side by side: `columns` in a row,
 * `gap` white pixels between them and around. Values beyond are cut off, NaN is black. channels 1 or 3, columns at least 1. */
DP_API dp_status dp_image_grid(const float *values, int count, int channels, int height, int width, int columns, int gap,
                               dp_image *image, char *message, size_t message_size);

/* What plots have in common; NULL or all zero is fine. Texts are ASCII, other characters are drawn as '?'. */
typedef struct dp_plot_options {
    const char *title, *x_label, *y_label; /* NULL: none */
    int width, height;                     /* pixels, at least 160 x 120; 0: 640 x 480 (scatter: 560 x 600) */
    bool log_x, log_y;                     /* logarithmic axes; numbers <= 0 are left out */
    double x_range[2], y_range[2];         /* of the axes; both ends equal: from the data */
} dp_plot_options;

/* A set of points. Colours are 0xRRGGBB; 0 takes the next of a palette. */
typedef struct dp_plot_points {
    const float *xy;  /* [count, 2] */
    int64_t count;
    const char *name; /* in the legend; NULL: none */
    uint32_t colour;
    double radius;    /* pixels; 0: 2 */
    double opacity;   /* of one point, up to 1; 0: the less the more points there are, so that dense places show */
} dp_plot_points;

/* Points in the plane with axes of equal scale; later sets lie on top. Points that are not finite are left out. Logarithmic axes
 * are refused. */
DP_API dp_status dp_plot_scatter(const dp_plot_points *sets, int count, const dp_plot_options *options, dp_image *image,
                                 char *message, size_t message_size);

/* A curve. */
typedef struct dp_plot_series {
    const double *x, *y; /* [count]; x may be NULL: 0, 1, 2, ... */
    int64_t count;
    const char *name; /* in the legend; NULL: none */
    uint32_t colour;
} dp_plot_series;

/* Curves as lines between their points; a point that is not finite breaks the line. */
DP_API dp_status dp_plot_lines(const dp_plot_series *series, int count, const dp_plot_options *options, dp_image *image,
                               char *message, size_t message_size);

/* A map of numbers. */
typedef struct dp_plot_map {
    const float *values; /* [height, width], row-major, the top row first */
    int height, width;
    const char *name; /* above the map; NULL: none */
} dp_plot_map;

/* Maps side by side in colours from blue (-limit) over white (0) to red (limit), with a bar that shows them; NaN is grey. limit 0:
 * the largest magnitude of all maps. A number takes `scale` x `scale` pixels; 0: as many as make the largest map about 160 high. Of the
 * options only the title counts. */
DP_API dp_status dp_plot_maps(const dp_plot_map *maps, int count, double limit, int scale, const dp_plot_options *options,
                              dp_image *image, char *message, size_t message_size);

#ifdef __cplusplus
}
#endif
#endif
