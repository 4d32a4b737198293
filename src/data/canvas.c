/* SPDX-License-Identifier: Apache-2.0 */
#include "data/canvas.h"
#include <math.h>
#include <string.h>

dp_status dp__image_new(const dp__report *report, int64_t width, int64_t height, int channels, dp_image *image)
{
    if (width < 1 || height < 1 || width > DP_IMAGE_MAX_SIDE || height > DP_IMAGE_MAX_SIDE)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "the image would be %lld x %lld pixels; 1 to %d each way are allowed",
                               (long long)width, (long long)height, DP_IMAGE_MAX_SIDE);
    const size_t bytes = (size_t)width * (size_t)height * (size_t)channels;
    *image = (dp_image){(int)width, (int)height, channels, dp__alloc(bytes, 1)};
    if (!image->pixels) {
        *image = (dp_image){0};
        return dp__report_fail(report, DP_ERROR_MEMORY, "no memory for %lld x %lld pixels", (long long)width, (long long)height);
    }
    memset(image->pixels, 255, bytes);
    return DP_OK;
}

void dp_image_free(dp_image *image)
{
    if (!image)
        return;
    dp__free(image->pixels);
    *image = (dp_image){0};
}

static dp__box within(const dp_image *image, dp__box box)
{
    return (dp__box){DP_MAX2(box.x0, 0), DP_MAX2(box.y0, 0), DP_MIN2(box.x1, image->width), DP_MIN2(box.y1, image->height)};
}

void dp__fill(dp_image *image, dp__box box, uint32_t colour)
{
    box = within(image, box);
    for (int y = box.y0; y < box.y1; y++)
        for (int x = box.x0; x < box.x1; x++) {
            uint8_t *pixel = image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
            pixel[0] = (uint8_t)(colour >> 16);
            pixel[1] = (uint8_t)(colour >> 8);
            pixel[2] = (uint8_t)colour;
        }
}

void dp__blend(dp_image *image, int x, int y, uint32_t colour, double opacity)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return;
    uint8_t *pixel = image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
    for (int c = 0; c < 3; c++) {
        const double target = (double)(colour >> (16 - 8 * c) & 255);
        pixel[c] = (uint8_t)(pixel[c] + opacity * (target - pixel[c]) + 0.5);
    }
}

int dp__text_width(const char *text, int size)
{
    const size_t length = text ? strlen(text) : 0;
    return length ? (int)(DP_MIN2(length, (size_t)DP_IMAGE_MAX_SIDE) * DP__TEXT_STEP - 1) * size : 0;
}

void dp__draw_text(dp_image *image, int x, int y, const char *text, int size, uint32_t colour, bool turned)
{
    for (int place = 0; text && text[place] && place < DP_IMAGE_MAX_SIDE; place++) {
        int drop;
        const uint8_t *rows = dp__glyph(text[place], &drop);
        for (int row = 0; row < DP__TEXT_HEIGHT; row++)
            for (int column = 0; column < 5; column++) {
                if (!(rows[row] >> (4 - column) & 1))
                    continue;
                const int along = (place * DP__TEXT_STEP + column) * size, across = (row + drop) * size;
                const int left = turned ? x + across : x + along, top = turned ? y - along - size : y + across;
                dp__fill(image, (dp__box){left, top, left + size, top + size}, colour);
            }
    }
}

bool dp__mask_new(dp__mask *mask, dp__box box)
{
    const size_t width = (size_t)DP_MAX2(box.x1 - box.x0, 0), height = (size_t)DP_MAX2(box.y1 - box.y0, 0);
    *mask = (dp__mask){box, dp__alloc(width * height, sizeof *mask->cover)};
    return mask->cover != NULL;
}

static size_t size_of(const dp__mask *mask)
{
    return (size_t)DP_MAX2(mask->box.x1 - mask->box.x0, 0) * (size_t)DP_MAX2(mask->box.y1 - mask->box.y0, 0);
}

void dp__mask_clear(dp__mask *mask)
{
    memset(mask->cover, 0, size_of(mask) * sizeof *mask->cover);
}

void dp__mask_free(dp__mask *mask)
{
    dp__free(mask->cover);
    *mask = (dp__mask){0};
}

/* What of the mask lies between these coordinates. They may be anything but NaN. */
static dp__box part_of(const dp__mask *mask, double x0, double y0, double x1, double y1)
{
    const dp__box box = mask->box;
    return (dp__box){(int)fmax(box.x0, fmin(box.x1, floor(x0))), (int)fmax(box.y0, fmin(box.y1, floor(y0))),
                     (int)fmin(box.x1, fmax(box.x0, ceil(x1))), (int)fmin(box.y1, fmax(box.y0, ceil(y1)))};
}

static float *cover_at(dp__mask *mask, int x, int y)
{
    const size_t width = (size_t)(mask->box.x1 - mask->box.x0);
    return mask->cover + (size_t)(y - mask->box.y0) * width + (size_t)(x - mask->box.x0);
}

/* Of a pixel whose centre has this distance from the middle: the edge is a ramp as wide as a pixel. */
static float ramp(double radius, double distance)
{
    return (float)fmin(1, fmax(0, radius + 0.5 - distance));
}

void dp__mask_disc(dp__mask *mask, double x, double y, double radius)
{
    const double reach = radius + 1;
    const dp__box part = part_of(mask, x - reach, y - reach, x + reach, y + reach);
    for (int row = part.y0; row < part.y1; row++)
        for (int column = part.x0; column < part.x1; column++) {
            const double dx = column + 0.5 - x, dy = row + 0.5 - y;
            *cover_at(mask, column, row) += ramp(radius, sqrt(dx * dx + dy * dy));
        }
}

/* Cuts the part of a line that lies within `reach` of the mask (Liang and Barsky): pixels are looked at there alone. */
static bool clip(const dp__mask *mask, double from[2], double to[2], double reach)
{
    const double low[2] = {mask->box.x0 - reach, mask->box.y0 - reach}, high[2] = {mask->box.x1 + reach, mask->box.y1 + reach};
    const double d[2] = {to[0] - from[0], to[1] - from[1]}, p[2] = {from[0], from[1]};
    double begin = 0, end = 1;
    for (int axis = 0; axis < 2; axis++) {
        if (d[axis] == 0) {
            if (p[axis] < low[axis] || p[axis] > high[axis])
                return false;
            continue;
        }
        const double a = (low[axis] - p[axis]) / d[axis], b = (high[axis] - p[axis]) / d[axis];
        begin = fmax(begin, fmin(a, b));
        end = fmin(end, fmax(a, b));
    }
    for (int axis = 0; axis < 2; axis++) {
        from[axis] = p[axis] + begin * d[axis];
        to[axis] = p[axis] + end * d[axis];
    }
    return begin <= end;
}

void dp__mask_line(dp__mask *mask, const double begin[2], const double end[2], double radius)
{
    const double reach = radius + 1;
    double from[2] = {begin[0], begin[1]}, to[2] = {end[0], end[1]};
    if (!clip(mask, from, to, reach))
        return;
    const double dx = to[0] - from[0], dy = to[1] - from[1], square = dx * dx + dy * dy;
    const dp__box rows = part_of(mask, 0, fmin(from[1], to[1]) - reach, 0, fmax(from[1], to[1]) + reach);
    for (int row = rows.y0; row < rows.y1; row++) {
        /* Where the line is in this row: a steep one takes a few pixels of it, a flat one all that it spans. */
        double a = fmin(from[0], to[0]), b = fmax(from[0], to[0]);
        if (fabs(dy) > 1e-9) {
            const double first = from[0] + (row - reach - from[1]) / dy * dx, second = from[0] + (row + 1 + reach - from[1]) / dy * dx;
            a = fmax(a, fmin(first, second));
            b = fmin(b, fmax(first, second));
        }
        const dp__box part = part_of(mask, a - reach, row, b + reach, row + 1);
        for (int column = part.x0; column < part.x1; column++) {
            const double px = column + 0.5 - from[0], py = row + 0.5 - from[1];
            const double t = square > 0 ? fmin(1, fmax(0, (px * dx + py * dy) / square)) : 0;
            const double ex = px - t * dx, ey = py - t * dy;
            float *cover = cover_at(mask, column, row);
            *cover = fmaxf(*cover, ramp(radius, sqrt(ex * ex + ey * ey)));
        }
    }
}

void dp__mask_blend(const dp__mask *mask, dp_image *image, uint32_t colour, double opacity)
{
    const float *cover = mask->cover;
    for (int y = mask->box.y0; y < mask->box.y1; y++)
        for (int x = mask->box.x0; x < mask->box.x1; x++, cover++)
            if (*cover > 0)
                dp__blend(image, x, y, colour, opacity >= 1 ? fmin(1, *cover) : 1 - pow(1 - opacity, *cover));
}
