/* SPDX-License-Identifier: Apache-2.0 */
/* PNG files, by libpng's simplified interface, which reports errors without longjmp. */
#include "core/whole_file.h"
#include "data/canvas.h"
#include "data/pictures.h"
#include <math.h>
#include <png.h>
#include <string.h>

dp_status dp_png_write(const char *path, int width, int height, int channels, const uint8_t *pixels, char *message,
                       size_t message_size)
{
    const dp__report report = dp__report_begin(path, message, message_size);
    if (!path)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "is NULL");
    if (!pixels)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "pixels is NULL");
    if (width < 1 || height < 1 || width > DP_IMAGE_MAX_SIDE || height > DP_IMAGE_MAX_SIDE)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "%d x %d pixels; 1 to %d each way are allowed", width, height,
                               DP_IMAGE_MAX_SIDE);
    if (channels != 1 && channels != 3)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "channels is %d; it must be 1 or 3", channels);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height,
                       .format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *bytes = dp__alloc(size, 1);
    if (!bytes)
        return dp__report_fail(&report, DP_ERROR_MEMORY, "no memory for %d x %d pixels", width, height);
    dp_status status = DP_OK;
    if (!png_image_write_to_memory(&image, bytes, &size, 0, pixels, 0, NULL))
        status = dp__report_fail(&report, DP_ERROR_MEMORY, "cannot be packed: %s", image.message);
    else if (!dp__whole_save(path, bytes, size))
        status = dp__report_errno(&report, "written");
    dp__free(bytes);
    return status;
}

dp_status dp__png_decode(const dp__report *report, const void *bytes, size_t size, dp_image *result)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    *result = (dp_image){0};
    if (!png_image_begin_read_from_memory(&image, bytes, size))
        return dp__report_fail(report, DP_ERROR_FORMAT, "is no PNG that can be read: %s", image.message);
    image.format = PNG_FORMAT_RGB;
    dp_status status = dp__picture_check(report, image.width, image.height);
    if (status == DP_OK)
        status = dp__image_new(report, image.width, image.height, 3, result);
    if (status != DP_OK) {
        png_image_free(&image);
        return status;
    }
    const png_color white = {255, 255, 255}; /* behind what is transparent */
    if (png_image_finish_read(&image, &white, result->pixels, 0, NULL) && !(image.warning_or_error & 2))
        return DP_OK;
    dp__report_fail(report, DP_ERROR_FORMAT, "is damaged: %s", image.message);
    png_image_free(&image);
    dp_image_free(result);
    return DP_ERROR_FORMAT;
}

static uint8_t byte_of(float value)
{
    return value > -1 ? (uint8_t)lrintf((fminf(value, 1) + 1) * 127.5f) : 0; /* NaN fails the comparison */
}

static void copy_image(const float *values, int channels, int height, int width, dp_image *image, int64_t left, int64_t top)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                const size_t to = ((size_t)(top + y) * (size_t)image->width + (size_t)(left + x)) * (size_t)channels + (size_t)c;
                image->pixels[to] = byte_of(values[((size_t)c * (size_t)height + (size_t)y) * (size_t)width + (size_t)x]);
            }
}

dp_status dp_image_grid(const float *values, int count, int channels, int height, int width, int columns, int gap,
                        dp_image *image, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin("grid", message, message_size);
    if (!image)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "image is NULL");
    *image = (dp_image){0};
    if (!values)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "values is NULL");
    if (count < 1 || height < 1 || width < 1 || columns < 1 || gap < 0)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT,
                               "count %d, height %d, width %d, columns %d, gap %d: at least 1, 1, 1, 1, 0 are needed", count, height,
                               width, columns, gap);
    if (channels != 1 && channels != 3)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "channels is %d; it must be 1 or 3", channels);
    columns = DP_MIN2(columns, count);
    const int64_t rows = DP_CEIL_DIV((int64_t)count, columns), step_x = (int64_t)width + gap, step_y = (int64_t)height + gap;
    DP_CHECK(dp__image_new(&report, columns * step_x + gap, rows * step_y + gap, channels, image));
    for (int k = 0; k < count; k++)
        copy_image(values + (size_t)k * (size_t)channels * (size_t)height * (size_t)width, channels, height, width, image,
                   gap + k % columns * step_x, gap + k / columns * step_y);
    return DP_OK;
}
