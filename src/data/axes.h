/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a plot: ranges, ticks, labels, the legend. */
#ifndef DP_DATA_AXES_H
#define DP_DATA_AXES_H

#include "data/canvas.h"

#define DP__INK     0x333333u
#define DP__MAX_SETS 64 /* of a plot: more than anyone can tell apart */

typedef struct dp__axis {
    double low, high; /* of the numbers drawn: their logarithms where `log` */
    bool log;
    double begin, end; /* the pixels that these two are at */
} dp__axis;

/* A number as it is drawn; not finite where it cannot be. */
double dp__axis_number(const dp__axis *axis, double value);
/* The pixel of a number as it is drawn. */
double dp__axis_pixel(const dp__axis *axis, double number);
/* Widens the range so that it holds the number. Empty ranges have low > high. */
void dp__axis_hold(dp__axis *axis, double value);

typedef struct dp__legend_entry {
    const char *name; /* NULL: not in the legend */
    uint32_t colour;
} dp__legend_entry;

typedef struct dp__plot {
    const dp__report *report;
    dp_plot_options options;
    dp__axis x, y;
    bool equal; /* one unit is as long in x as in y */
    const dp__legend_entry *legend;
    int legend_count;
    int size;      /* of the font */
    dp__box frame; /* what lies within the axes */
} dp__plot;

/* Checks the options, and sets the ranges that they give. */
dp_status dp__plot_begin(dp__plot *plot, const dp_plot_options *options, int width, int height);
/* With ranges that hold the data: makes the image and draws all but what lies within the frame. */
dp_status dp__plot_frame(dp__plot *plot, dp_image *image);

/* The colour with this index of the palette. */
uint32_t dp__palette(int index);
/* A short text for a number whose neighbours differ by `step`. */
void dp__tick_text(double value, double step, char text[24]);
/* The distance of ticks of which about `most` fit into the span: 1, 2 or 5 times a power of ten. */
double dp__tick_step(double span, double most);

#endif
