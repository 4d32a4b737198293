/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing into an image: rectangles, text, and masks for what has smooth edges. */
#ifndef DP_DATA_CANVAS_H
#define DP_DATA_CANVAS_H

#include "data/report.h"
#include <dipole/image.h>

/* Pixels [x0, x1) x [y0, y1). */
typedef struct dp__box {
    int x0, y0, x1, y1;
} dp__box;

/* A new white image; ERROR_ARGUMENT where a side is out of range. */
dp_status dp__image_new(const dp__report *report, int64_t width, int64_t height, int channels, dp_image *image);

/* All of these draw into RGB images and leave out what lies beyond them. Colours are 0xRRGGBB. */
void dp__fill(dp_image *image, dp__box box, uint32_t colour);
void dp__blend(dp_image *image, int x, int y, uint32_t colour, double opacity);

/* Text of 5 x 7 pixels times `size` a character, with its upper left corner at (x, y); `turned`: read from below, with its lower
 * left corner (the begin of the text) there. */
#define DP__TEXT_STEP   6 /* pixels from one character to the next */
#define DP__TEXT_HEIGHT 7
int dp__text_width(const char *text, int size);
void dp__draw_text(dp_image *image, int x, int y, const char *text, int size, uint32_t colour, bool turned);

/* One number a pixel of a box, all 0 at first: what is drawn is collected there and blended once, so that the order of points and
 * the joints of lines leave no traces. */
typedef struct dp__mask {
    dp__box box;
    float *cover;
} dp__mask;

bool dp__mask_new(dp__mask *mask, dp__box box); /* false where memory is out */
void dp__mask_clear(dp__mask *mask);
void dp__mask_free(dp__mask *mask);
/* Adds how much of each pixel the disc covers. Coordinates count pixels; a pixel's centre has the fraction 0.5. */
void dp__mask_disc(dp__mask *mask, double x, double y, double radius);
/* The most of it that the thick line or what is there covers. */
void dp__mask_line(dp__mask *mask, const double from[2], const double to[2], double radius);
/* Blends the colour into the image, where n layers lie on each other with 1 - (1 - opacity)^n. */
void dp__mask_blend(const dp__mask *mask, dp_image *image, uint32_t colour, double opacity);

/* font.c: rows of the glyph of an ASCII character, the top one first; bit 4 is the left column. It is drawn `drop` pixels lower. */
const uint8_t *dp__glyph(char character, int *drop);

#endif
