/* SPDX-License-Identifier: Apache-2.0 */
#include "data/axes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define GRID    0xE4E4E4u
#define LARGEST 1e300 /* beyond it differences of numbers overflow */

uint32_t dp__palette(int index)
{
    /* Told apart in print and by most eyes: they differ in brightness too. */
    static const uint32_t colours[] = {0x1F6FB4, 0xD9541E, 0x2B9348, 0x7B4EA3, 0xB8860B, 0x17939B, 0xC2347D, 0x6B6B6B};
    return colours[(unsigned)index % DP_COUNT(colours)];
}

double dp__axis_number(const dp__axis *axis, double value)
{
    if (!(fabs(value) <= LARGEST) || (axis->log && !(value > 0)))
        return NAN;
    return axis->log ? log10(value) : value;
}

double dp__axis_pixel(const dp__axis *axis, double number)
{
    const double pixel = axis->begin + (number - axis->low) / (axis->high - axis->low) * (axis->end - axis->begin);
    return fmin(1e9, fmax(-1e9, pixel)); /* so that differences of pixels are exact enough */
}

void dp__axis_hold(dp__axis *axis, double value)
{
    const double number = dp__axis_number(axis, value);
    if (isnan(number))
        return;
    axis->low = fmin(axis->low, number);
    axis->high = fmax(axis->high, number);
}

double dp__tick_step(double span, double most)
{
    const double rough = span / fmax(most, 1), power = pow(10, floor(log10(rough))), factor = rough / power;
    return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

void dp__tick_text(double value, double step, char text[24])
{
    const double digits = -floor(log10(step) + 1e-9);
    if (fabs(value) < step * 1e-6)
        value = 0; /* not -0, nor what rounding left */
    if (fabs(value) < 1e6 && digits <= 5)
        snprintf(text, 24, "%.*f", (int)fmax(digits, 0), value);
    else
        snprintf(text, 24, "%.4g", value);
    for (char *at = text; *at; at++)
        if (*at == ',') /* the decimal point of some locales */
            *at = '.';
}

static bool give_range(dp__axis *axis, const double range[2])
{
    if (range[0] == range[1])
        return true;
    axis->low = dp__axis_number(axis, range[0]);
    axis->high = dp__axis_number(axis, range[1]);
    return axis->low < axis->high; /* NaN fails it */
}

dp_status dp__plot_begin(dp__plot *plot, const dp_plot_options *options, int width, int height)
{
    plot->options = options ? *options : (dp_plot_options){0};
    dp_plot_options *own = &plot->options;
    own->width = own->width ? own->width : width;
    own->height = own->height ? own->height : height;
    if (own->width < 160 || own->height < 120)
        return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "%d x %d pixels; at least 160 x 120 are needed", own->width,
                               own->height);
    plot->size = own->width >= 400 && own->height >= 300 ? 2 : 1;
    plot->x = (dp__axis){.low = INFINITY, .high = -INFINITY, .log = own->log_x};
    plot->y = (dp__axis){.low = INFINITY, .high = -INFINITY, .log = own->log_y};
    if (!give_range(&plot->x, own->x_range))
        return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "x_range from %g to %g", own->x_range[0], own->x_range[1]);
    if (!give_range(&plot->y, own->y_range))
        return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "y_range from %g to %g", own->y_range[0], own->y_range[1]);
    return DP_OK;
}

/* Room beside the data; where all numbers are the same, some room at all. */
static void pad_range(dp__axis *axis, const double given[2])
{
    if (given[0] != given[1])
        return;
    const double middle = (axis->low + axis->high) / 2, span = axis->high - axis->low;
    const double least = axis->log ? 0.1 : fmax(fabs(middle) * 1e-6, 1e-290);
    const double pad = span > least ? 0.04 * span : axis->log ? 0.5 : middle != 0 ? fabs(middle) / 2 : 1;
    axis->low -= pad;
    axis->high += pad;
}

typedef struct tick {
    double number;
    char text[24]; /* "" for the small ones between */
} tick;

typedef struct ticks {
    tick list[96];
    int count;
} ticks;

static void add_tick(ticks *all, const dp__axis *axis, double number, const char *text)
{
    const double slack = (axis->high - axis->low) * 1e-9;
    if (all->count == DP_COUNT(all->list) || number < axis->low - slack || number > axis->high + slack)
        return;
    tick *next = &all->list[all->count++];
    next->number = number;
    snprintf(next->text, sizeof next->text, "%s", text);
}

static void linear_ticks(ticks *all, const dp__axis *axis, double most)
{
    const double step = dp__tick_step(axis->high - axis->low, most), first = ceil(axis->low / step - 1e-9);
    char text[24];
    for (int t = 0; t < (int)DP_COUNT(all->list) && (first + t) * step <= axis->high + step * 1e-9; t++) {
        dp__tick_text((first + t) * step, step, text);
        add_tick(all, axis, (first + t) * step, text);
    }
}

/* Powers of ten, each or each n-th, with small ticks between; 1, 2, 5 get texts where there are few powers. */
static void log_ticks(ticks *all, const dp__axis *axis, double most)
{
    const double decades = axis->high - axis->low;
    const int each = (int)fmax(1, ceil(decades / fmax(most, 1)));
    for (int power = (int)floor(axis->low); power <= (int)ceil(axis->high); power++) {
        char text[24] = "";
        for (int digit = 1; digit < 10; digit++) {
            const bool named = digit == 1 ? power % each == 0 : decades < 2.2 && (digit == 2 || digit == 5);
            if (!named && decades > 8 && digit > 1)
                continue;
            if (!named)
                text[0] = '\0';
            else if (power >= -3 && power <= 4)
                dp__tick_text(digit * pow(10, power), pow(10, power), text);
            else
                snprintf(text, sizeof text, "%de%d", digit, power);
            add_tick(all, axis, power + log10(digit), text);
        }
    }
}

static void make_ticks(ticks *all, const dp__axis *axis, double apart)
{
    const double most = fabs(axis->end - axis->begin) / apart;
    all->count = 0;
    if (axis->log && axis->high - axis->low > 0.7)
        log_ticks(all, axis, most);
    else if (!axis->log)
        linear_ticks(all, axis, most);
    else { /* less than a decade: even ticks at the numbers themselves */
        dp__axis plain = {.low = pow(10, axis->low), .high = pow(10, axis->high)};
        linear_ticks(all, &plain, most);
        for (int t = 0; t < all->count; t++)
            all->list[t].number = log10(all->list[t].number);
    }
}

static int widest(const ticks *all, int size)
{
    int width = 0;
    for (int t = 0; t < all->count; t++)
        width = DP_MAX2(width, dp__text_width(all->list[t].text, size));
    return width;
}

/* Places the legend's entries in lines from the left; draws them where `image` is given. Returns the number of lines. */
static int lay_legend(const dp__plot *plot, dp_image *image, int top)
{
    const int size = plot->size, height = DP__TEXT_HEIGHT * size, line = height + 4 * size, swatch = 2 * height;
    int x = 6 * size, lines = 0;
    for (int e = 0; e < plot->legend_count; e++) {
        const dp__legend_entry *entry = &plot->legend[e];
        if (!entry->name)
            continue;
        const int width = swatch + 3 * size + dp__text_width(entry->name, size);
        if (lines == 0 || x + width > plot->options.width) {
            lines++;
            x = 6 * size;
        }
        if (image) {
            const int y = top + (lines - 1) * line;
            dp__fill(image, (dp__box){x, y + size, x + swatch, y + height - size}, entry->colour);
            dp__draw_text(image, x + swatch + 3 * size, y, entry->name, size, DP__INK, false);
        }
        x += width + 8 * size;
    }
    return lines;
}

/* Makes both axes' units equally long, by more range where there is room. */
static void make_equal(dp__plot *plot)
{
    const double x_unit = (plot->x.high - plot->x.low) / fabs(plot->x.end - plot->x.begin);
    const double y_unit = (plot->y.high - plot->y.low) / fabs(plot->y.end - plot->y.begin), unit = fmax(x_unit, y_unit);
    dp__axis *const axes[] = {&plot->x, &plot->y};
    for (int a = 0; a < 2; a++) {
        const double middle = (axes[a]->low + axes[a]->high) / 2, half = unit * fabs(axes[a]->end - axes[a]->begin) / 2;
        axes[a]->low = middle - half;
        axes[a]->high = middle + half;
    }
}

static void lay_out(dp__plot *plot, int y_texts)
{
    const dp_plot_options *options = &plot->options;
    const int size = plot->size, line = (DP__TEXT_HEIGHT + 4) * size, edge = 5 * size;
    const int lines = (options->title ? 1 : 0) + lay_legend(plot, NULL, 0);
    plot->frame = (dp__box){edge + (options->y_label ? line : 0) + y_texts + 5 * size, edge + lines * line,
                            options->width - 3 * edge, options->height - edge - (options->x_label ? line : 0) - line};
    plot->x.begin = plot->frame.x0;
    plot->x.end = plot->frame.x1;
    plot->y.begin = plot->frame.y1;
    plot->y.end = plot->frame.y0;
}

static void draw_axes(const dp__plot *plot, dp_image *image, const ticks *x, const ticks *y)
{
    const int size = plot->size, height = DP__TEXT_HEIGHT * size;
    const dp__box f = plot->frame;
    for (int t = 0; t < x->count; t++) {
        const int at = (int)floor(dp__axis_pixel(&plot->x, x->list[t].number)), width = dp__text_width(x->list[t].text, size);
        const bool named = width > 0;
        if (named)
            dp__fill(image, (dp__box){at, f.y0, at + 1, f.y1}, GRID);
        dp__fill(image, (dp__box){at, f.y1, at + 1, f.y1 + (named ? 3 : 2) * size}, DP__INK);
        dp__draw_text(image, at - width / 2, f.y1 + 4 * size, x->list[t].text, size, DP__INK, false);
    }
    for (int t = 0; t < y->count; t++) {
        const int at = (int)floor(dp__axis_pixel(&plot->y, y->list[t].number)), width = dp__text_width(y->list[t].text, size);
        const bool named = width > 0;
        if (named)
            dp__fill(image, (dp__box){f.x0, at, f.x1, at + 1}, GRID);
        dp__fill(image, (dp__box){f.x0 - (named ? 3 : 2) * size, at, f.x0, at + 1}, DP__INK);
        dp__draw_text(image, f.x0 - 5 * size - width, at - height / 2, y->list[t].text, size, DP__INK, false);
    }
    dp__fill(image, (dp__box){f.x0 - 1, f.y0 - 1, f.x1 + 1, f.y0}, DP__INK);
    dp__fill(image, (dp__box){f.x0 - 1, f.y1, f.x1 + 1, f.y1 + 1}, DP__INK);
    dp__fill(image, (dp__box){f.x0 - 1, f.y0, f.x0, f.y1}, DP__INK);
    dp__fill(image, (dp__box){f.x1, f.y0, f.x1 + 1, f.y1}, DP__INK);
}

static void draw_texts(const dp__plot *plot, dp_image *image)
{
    const dp_plot_options *options = &plot->options;
    const int size = plot->size, edge = 5 * size, line = (DP__TEXT_HEIGHT + 4) * size;
    const int middle_x = (plot->frame.x0 + plot->frame.x1) / 2, middle_y = (plot->frame.y0 + plot->frame.y1) / 2;
    dp__draw_text(image, DP_MAX2(edge, middle_x - dp__text_width(options->title, size) / 2), edge, options->title, size, 0, false);
    lay_legend(plot, image, edge + (options->title ? line : 0));
    dp__draw_text(image, middle_x - dp__text_width(options->x_label, size) / 2, options->height - line, options->x_label, size,
                  DP__INK, false);
    dp__draw_text(image, edge, middle_y + dp__text_width(options->y_label, size) / 2, options->y_label, size, DP__INK, true);
}

dp_status dp__plot_frame(dp__plot *plot, dp_image *image)
{
    ticks x, y;
    int y_texts = 0;
    if (!(plot->x.low <= plot->x.high) || !(plot->y.low <= plot->y.high))
        return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "there is no number that can be drawn");
    pad_range(&plot->x, plot->options.x_range);
    pad_range(&plot->y, plot->options.y_range);
    for (int pass = 0; pass < 2; pass++) { /* the texts' width depends on the range, and that of equal axes on it */
        lay_out(plot, y_texts);
        if (plot->frame.x1 - plot->frame.x0 < 40 || plot->frame.y1 - plot->frame.y0 < 40)
            return dp__report_fail(plot->report, DP_ERROR_ARGUMENT, "%d x %d pixels leave no room beside the texts",
                                   plot->options.width, plot->options.height);
        if (plot->equal)
            make_equal(plot);
        make_ticks(&x, &plot->x, 50 * plot->size);
        make_ticks(&y, &plot->y, 25 * plot->size);
        y_texts = widest(&y, plot->size);
    }
    DP_CHECK(dp__image_new(plot->report, plot->options.width, plot->options.height, 3, image));
    draw_axes(plot, image, &x, &y);
    draw_texts(plot, image);
    return DP_OK;
}
