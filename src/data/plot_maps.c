/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of numbers in diverging colours. */
#include "data/axes.h"
#include <math.h>
#include <stdio.h>

/* From -1 to 1: dark blue, blue, white, red, dark red. */
static uint32_t colour_of(double value)
{
    static const uint8_t stops[5][3] = {{16, 48, 112}, {90, 146, 206}, {248, 248, 246}, {222, 112, 84}, {120, 16, 30}};
    if (isnan(value))
        return 0x9A9A9A;
    const double place = (fmin(1, fmax(-1, value)) + 1) * 2;
    const int stop = (int)fmin(3, floor(place));
    uint32_t colour = 0;
    for (int c = 0; c < 3; c++)
        colour = colour << 8 | (uint32_t)(stops[stop][c] + (place - stop) * (stops[stop + 1][c] - stops[stop][c]) + 0.5);
    return colour;
}

typedef struct layout {
    int size, scale, gap, top;
    double limit;
    int64_t width, height; /* of the maps with the gaps between them */
    int most_high;         /* of one map, in numbers */
} layout;

static dp_status check(const dp__report *report, const dp_plot_map *maps, int count, double limit, int scale, layout *own)
{
    if (!maps)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "maps is NULL");
    if (count < 1 || count > DP__MAX_SETS)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "count is %d; 1 to %d can be drawn", count, DP__MAX_SETS);
    if (!(limit >= 0 && limit <= 1e300) || scale < 0 || scale > 1024)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "limit %g, scale %d; 0 to 1e300 and 0 to 1024 are allowed", limit, scale);
    own->limit = limit;
    for (int m = 0; m < count; m++) {
        const dp_plot_map *map = &maps[m];
        if (!map->values || map->height < 1 || map->width < 1 || map->height > DP_IMAGE_MAX_SIDE || map->width > DP_IMAGE_MAX_SIDE)
            return dp__report_fail(report, DP_ERROR_ARGUMENT, "map %d: %d x %d numbers%s", m, map->height, map->width,
                                   map->values ? "" : " at NULL");
        own->most_high = DP_MAX2(own->most_high, map->height);
        for (int64_t k = 0; limit == 0 && k < (int64_t)map->height * map->width; k++)
            if (isfinite(map->values[k]))
                own->limit = fmax(own->limit, fabs((double)map->values[k]));
    }
    own->limit = own->limit > 0 ? own->limit : 1;
    own->scale = scale ? scale : DP_MAX2(1, 160 / own->most_high);
    return DP_OK;
}

/* A map takes the width of its numbers, or that of its name where it is longer. */
static int64_t width_of(const layout *own, const dp_plot_map *map)
{
    return DP_MAX2((int64_t)map->width * own->scale, dp__text_width(map->name, own->size));
}

static void draw_map(const layout *own, const dp_plot_map *map, dp_image *image, int left)
{
    const int s = own->scale;
    dp__draw_text(image, left, own->top - (DP__TEXT_HEIGHT + 3) * own->size, map->name, own->size, DP__INK, false);
    dp__fill(image, (dp__box){left - 1, own->top - 1, left + map->width * s + 1, own->top + map->height * s + 1}, DP__INK);
    for (int y = 0; y < map->height; y++)
        for (int x = 0; x < map->width; x++) {
            const double value = (double)map->values[(size_t)y * (size_t)map->width + (size_t)x] / own->limit;
            dp__fill(image, (dp__box){left + x * s, own->top + y * s, left + (x + 1) * s, own->top + (y + 1) * s}, colour_of(value));
        }
}

static void limit_text(double limit, char text[24])
{
    snprintf(text, 24, "%.3g", limit);
    for (char *at = text; *at; at++)
        if (*at == ',') /* the decimal point of some locales */
            *at = '.';
}

static void draw_bar(const layout *own, dp_image *image, int left, int width, int height)
{
    char text[3][24] = {"", "0", ""};
    limit_text(own->limit, text[0]);
    limit_text(-own->limit, text[2]);
    dp__fill(image, (dp__box){left - 1, own->top - 1, left + width + 1, own->top + height + 1}, DP__INK);
    for (int y = 0; y < height; y++)
        dp__fill(image, (dp__box){left, own->top + y, left + width, own->top + y + 1}, colour_of(1 - 2 * (y + 0.5) / height));
    for (int t = 0; t < 3; t++) {
        const int at = own->top + (height - 1) * t / 2, room = (height - DP__TEXT_HEIGHT * own->size) * t / 2;
        dp__fill(image, (dp__box){left + width, at, left + width + 2 * own->size, at + 1}, DP__INK);
        dp__draw_text(image, left + width + 4 * own->size, own->top + room, text[t], own->size, DP__INK, false);
    }
}

static dp_status draw(const dp__report *report, layout *own, const dp_plot_map *maps, int count, const char *title, dp_image *image)
{
    const int line = (DP__TEXT_HEIGHT + 5) * own->size, bar = 6 * own->size, bar_room = bar + 9 * DP__TEXT_STEP * own->size;
    const int bar_height = DP_MAX2(own->most_high * own->scale, 3 * line);
    bool named = false;
    own->width = own->gap;
    for (int m = 0; m < count; m++) {
        own->width += width_of(own, &maps[m]) + own->gap;
        named |= maps[m].name != NULL;
    }
    own->top = own->gap + (title ? line : 0) + (named ? line : 0);
    const int64_t needed = DP_MAX2(own->width + bar_room + own->gap, dp__text_width(title, own->size) + 2 * (int64_t)own->gap);
    DP_CHECK(dp__image_new(report, needed, own->top + (int64_t)bar_height + own->gap, 3, image));
    dp__draw_text(image, own->gap, own->gap, title, own->size, 0, false);
    int64_t left = own->gap;
    for (int m = 0; m < count; m++) {
        draw_map(own, &maps[m], image, (int)left);
        left += width_of(own, &maps[m]) + own->gap;
    }
    draw_bar(own, image, (int)left, bar, bar_height);
    return DP_OK;
}

dp_status dp_plot_maps(const dp_plot_map *maps, int count, double limit, int scale, const dp_plot_options *options,
                       dp_image *image, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin("maps", message, message_size);
    layout own = {.size = 2, .gap = 12};
    if (!image)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "image is NULL");
    *image = (dp_image){0};
    DP_CHECK(check(&report, maps, count, limit, scale, &own));
    return draw(&report, &own, maps, count, options ? options->title : NULL, image);
}
