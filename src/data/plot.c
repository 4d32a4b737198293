/* SPDX-License-Identifier: Apache-2.0 */
/* Scatter and line plots. */
#include "data/axes.h"
#include <math.h>
#include <string.h>

/* What both begin with. */
static dp_status check(const dp__report *report, const void *sets, int count, dp_image *image)
{
    if (!image)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "image is NULL");
    *image = (dp_image){0};
    if (!sets)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "what to draw is NULL");
    if (count < 1 || count > DP__MAX_SETS)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "count is %d; 1 to %d can be drawn", count, DP__MAX_SETS);
    return DP_OK;
}

/* Without a range of the caller's own the axis holds all numbers. */
static bool from_data(const double range[2])
{
    return range[0] == range[1];
}

static dp_status check_points(dp__plot *plot, const dp_plot_points *sets, int count, dp__legend_entry *legend)
{
    if (plot->x.log || plot->y.log)
        return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "axes of equal scale cannot be logarithmic");
    for (int s = 0; s < count; s++) {
        const dp_plot_points *set = &sets[s];
        if (set->count < 0 || (!set->xy && set->count > 0))
            return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "set %d: %lld points%s", s, (long long)set->count,
                                   set->xy ? "" : " at NULL");
        if (!(set->radius >= 0 && set->radius <= 100 && set->opacity >= 0 && set->opacity <= 1))
            return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "set %d: radius %g, opacity %g; 0 to 100 and 0 to 1 are allowed",
                                   s, set->radius, set->opacity);
        legend[s] = (dp__legend_entry){set->name, set->colour ? set->colour : dp__palette(s)};
        for (int64_t k = 0; k < set->count; k++) {
            const double x = dp__axis_number(&plot->x, (double)set->xy[2 * k]), y = dp__axis_number(&plot->y, (double)set->xy[2 * k + 1]);
            if (isnan(x) || isnan(y))
                continue;
            if (from_data(plot->options.x_range))
                dp__axis_hold(&plot->x, x);
            if (from_data(plot->options.y_range))
                dp__axis_hold(&plot->y, y);
        }
    }
    return DP_OK;
}

static void draw_points(const dp__plot *plot, const dp_plot_points *set, uint32_t colour, dp__mask *mask, dp_image *image)
{
    const double radius = set->radius > 0 ? set->radius : plot->size;
    /* A thousand points are opaque; of more, so many that the ink stays about the same where they lie evenly. */
    const double automatic = fmax(0.08, fmin(0.85, 40 / sqrt((double)DP_MAX2(set->count, 1))));
    dp__mask_clear(mask);
    for (int64_t k = 0; k < set->count; k++) {
        const double x = dp__axis_number(&plot->x, (double)set->xy[2 * k]), y = dp__axis_number(&plot->y, (double)set->xy[2 * k + 1]);
        if (!isnan(x) && !isnan(y))
            dp__mask_disc(mask, dp__axis_pixel(&plot->x, x), dp__axis_pixel(&plot->y, y), radius);
    }
    dp__mask_blend(mask, image, colour, set->opacity > 0 ? set->opacity : automatic);
}

dp_status dp_plot_scatter(const dp_plot_points *sets, int count, const dp_plot_options *options, dp_image *image,
                          char *message, size_t message_size)
{
    const dp__report report = dp__report_begin("scatter plot", message, message_size);
    dp__legend_entry legend[DP__MAX_SETS];
    dp__plot plot = {.report = &report, .equal = true, .legend = legend, .legend_count = count};
    dp__mask mask;
    DP_CHECK(check(&report, sets, count, image));
    DP_CHECK(dp__plot_begin(&plot, options, 560, 600));
    DP_CHECK(check_points(&plot, sets, count, legend));
    DP_CHECK(dp__plot_frame(&plot, image));
    if (!dp__mask_new(&mask, plot.frame)) {
        dp_image_free(image);
        return dp__report_fail(&report, DP_ERROR_MEMORY, "out of memory");
    }
    for (int s = 0; s < count; s++)
        draw_points(&plot, &sets[s], legend[s].colour, &mask, image);
    dp__mask_free(&mask);
    return DP_OK;
}

static bool point_of(const dp__plot *plot, const dp_plot_series *series, int64_t k, double number[2])
{
    number[0] = dp__axis_number(&plot->x, series->x ? series->x[k] : (double)k);
    number[1] = dp__axis_number(&plot->y, series->y[k]);
    return !isnan(number[0]) && !isnan(number[1]);
}

static dp_status check_series(dp__plot *plot, const dp_plot_series *series, int count, dp__legend_entry *legend)
{
    dp__axis x = {.low = plot->x.low, .high = plot->x.high}, y = {.low = plot->y.low, .high = plot->y.high};
    for (int s = 0; s < count; s++) {
        double number[2];
        if (series[s].count < 0 || (!series[s].y && series[s].count > 0))
            return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "series %d: %lld points%s", s, (long long)series[s].count,
                                   series[s].y ? "" : " at NULL");
        legend[s] = (dp__legend_entry){series[s].name, series[s].colour ? series[s].colour : dp__palette(s)};
        for (int64_t k = 0; k < series[s].count; k++) {
            if (!point_of(plot, &series[s], k, number))
                continue;
            if (from_data(plot->options.x_range))
                dp__axis_hold(&x, number[0]); /* `x` is not logarithmic: these are logarithms already */
            if (from_data(plot->options.y_range))
                dp__axis_hold(&y, number[1]);
        }
    }
    plot->x.low = x.low, plot->x.high = x.high;
    plot->y.low = y.low, plot->y.high = y.high;
    return DP_OK;
}

static void draw_series(const dp__plot *plot, const dp_plot_series *series, uint32_t colour, dp__mask *mask, dp_image *image)
{
    double last[2] = {0, 0};
    bool drawn = false; /* whether `last` is a point */
    dp__mask_clear(mask);
    for (int64_t k = 0; k < series->count; k++) {
        double number[2];
        const bool good = point_of(plot, series, k, number);
        if (good) {
            const double pixel[2] = {dp__axis_pixel(&plot->x, number[0]), dp__axis_pixel(&plot->y, number[1])};
            dp__mask_line(mask, drawn ? last : pixel, pixel, plot->size == 2 ? 1 : 0.6);
            memcpy(last, pixel, sizeof last);
        }
        drawn = good;
    }
    dp__mask_blend(mask, image, colour, 1);
}

dp_status dp_plot_lines(const dp_plot_series *series, int count, const dp_plot_options *options, dp_image *image,
                        char *message, size_t message_size)
{
    const dp__report report = dp__report_begin("line plot", message, message_size);
    dp__legend_entry legend[DP__MAX_SETS];
    dp__plot plot = {.report = &report, .legend = legend, .legend_count = count};
    dp__mask mask;
    DP_CHECK(check(&report, series, count, image));
    DP_CHECK(dp__plot_begin(&plot, options, 640, 480));
    DP_CHECK(check_series(&plot, series, count, legend));
    DP_CHECK(dp__plot_frame(&plot, image));
    if (!dp__mask_new(&mask, plot.frame)) {
        dp_image_free(image);
        return dp__report_fail(&report, DP_ERROR_MEMORY, "out of memory");
    }
    for (int s = 0; s < count; s++)
        draw_series(&plot, &series[s], legend[s].colour, &mask, image);
    dp__mask_free(&mask);
    return DP_OK;
}
