/* SPDX-License-Identifier: Apache-2.0 */
/* PNG files, grids, and plots: sizes, where what is drawn lies, and what is refused. */
#include <dipole/image.h>

#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/dipole-image-XXXXXX";
static char path[64], message[256];

static void test_png(void **state)
{
    (void)state;
    static const uint8_t pixels[2 * 5 * 3] = {0, 1, 2, 253, 254, 255, 7, 9, 11, 127, 128, 129, 255, 0, 255, 30};
    for (int channels = 1; channels <= 3; channels += 2) {
        uint8_t read[2 * 5 * 3] = {0};
        assert_int_equal(dp_png_write(path, 5, 2, channels, pixels, message, sizeof message), DP_OK);
        assert_string_equal(message, "");
        png_image image = {.version = PNG_IMAGE_VERSION};
        assert_true(png_image_begin_read_from_file(&image, path));
        assert_int_equal(image.format, channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB);
        assert_int_equal(image.width, 5);
        assert_int_equal(image.height, 2);
        assert_true(png_image_finish_read(&image, NULL, read, 0, NULL));
        assert_memory_equal(read, pixels, 10 * (size_t)channels);
    }
    assert_int_equal(dp_png_write(NULL, 5, 2, 1, pixels, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_png_write(path, 5, 2, 1, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_png_write(path, 5, 2, 2, pixels, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_non_null(strstr(message, "channels is 2"));
    assert_int_equal(dp_png_write(path, 0, 2, 1, pixels, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_png_write(path, 5, 16385, 1, pixels, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_png_write("/proc/none/x.png", 5, 2, 1, pixels, message, sizeof message), DP_ERROR_IO);
    assert_string_equal(message, "/proc/none/x.png: cannot be written: No such file or directory");
    assert_int_equal(dp_png_write("/dev/full", 5, 2, 1, pixels, message, sizeof message), DP_ERROR_IO);
}

static void test_grid(void **state)
{
    (void)state;
    /* Three images of 1 x 2 pixels in two columns, a gap of one. */
    const float grey[] = {-1, 1, 0, NAN, 7, -0.5f};
    dp_image image;
    assert_int_equal(dp_image_grid(grey, 3, 1, 1, 2, 2, 1, &image, message, sizeof message), DP_OK);
    static const uint8_t expected[5][7] = {{255, 255, 255, 255, 255, 255, 255},
                                           {255, 0, 255, 255, 128, 0, 255},
                                           {255, 255, 255, 255, 255, 255, 255},
                                           {255, 255, 64, 255, 255, 255, 255},
                                           {255, 255, 255, 255, 255, 255, 255}};
    assert_int_equal(image.width, 7);
    assert_int_equal(image.height, 5);
    assert_int_equal(image.channels, 1);
    assert_memory_equal(image.pixels, expected, sizeof expected);
    dp_image_free(&image);
    assert_null(image.pixels);
    const float colour[] = {-1, -1, 1, 1, 0, 0}; /* channels are planes there, and interleaved in the image */
    assert_int_equal(dp_image_grid(colour, 1, 3, 1, 2, 9, 0, &image, NULL, 0), DP_OK);
    assert_int_equal(image.width, 2);
    assert_memory_equal(image.pixels, ((const uint8_t[]){0, 255, 128, 0, 255, 128}), 6);
    dp_image_free(&image);
    dp_image_free(NULL);

    assert_int_equal(dp_image_grid(NULL, 1, 1, 1, 1, 1, 0, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_image_grid(grey, 1, 1, 1, 1, 1, 0, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_image_grid(grey, 1, 2, 1, 1, 1, 0, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_image_grid(grey, 1, 1, 1, 1, 0, 0, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_non_null(strstr(message, "columns 0"));
    assert_int_equal(dp_image_grid(grey, 1, 1, 1, 1, 1, -1, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_image_grid(grey, 20000, 1, 1, 16384, 1, 0, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_non_null(strstr(message, "16384 x"));
    assert_int_equal(dp_image_grid(grey, 1000000, 1, 2147483647, 2147483647, 1, 2147483647, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_null(image.pixels);
}

/* The box of the pixels that have exactly this colour: x0, y0, x1, y1 (within). Returns how many. */
static int find_colour(const dp_image *image, uint32_t colour, int box[4])
{
    int count = 0;
    box[0] = box[1] = 1 << 20;
    box[2] = box[3] = -1;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            const uint8_t *p = image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
            if (((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]) != colour)
                continue;
            count++;
            box[0] = x < box[0] ? x : box[0];
            box[1] = y < box[1] ? y : box[1];
            box[2] = x > box[2] ? x : box[2];
            box[3] = y > box[3] ? y : box[3];
        }
    return count;
}

static void test_scatter(void **state)
{
    (void)state;
    /* Corners of a square, and a point at its middle: equal scales put them at equal distances. */
    const float square[] = {-1, -1, 1, 1, -1, 1, 1, -1}, middle[] = {0, 0, NAN, 0, 0, INFINITY};
    const dp_plot_points sets[] = {{square, 4, NULL, 0xFF0000, 4, 1}, {middle, 3, NULL, 0x0000FF, 4, 1}, {NULL, 0, NULL, 0, 0, 0}};
    dp_image image;
    int box[4], dot[4];
    assert_int_equal(dp_plot_scatter(sets, 3, NULL, &image, message, sizeof message), DP_OK);
    assert_string_equal(message, "");
    assert_int_equal(image.width, 560);
    assert_int_equal(image.height, 600);
    const int reds = find_colour(&image, 0xFF0000, box), blues = find_colour(&image, 0x0000FF, dot);
    assert_in_range(reds, 4 * 30, 4 * 60); /* discs of radius 4 have 50 pixels, less at the rim */
    assert_in_range(blues, 30, 60);
    assert_in_range(abs((box[2] - box[0]) - (box[3] - box[1])), 0, 1);
    assert_in_range(abs((box[0] + box[2]) - (dot[0] + dot[2])), 0, 2);
    assert_in_range(abs((box[1] + box[3]) - (dot[1] + dot[3])), 0, 2);
    dp_image_free(&image);

    /* Faint points add up where they lie on each other. */
    float same[2 * 50] = {0};
    const dp_plot_points faint[] = {{same, 50, NULL, 0x010203, 4, 0.2}};
    assert_int_equal(dp_plot_scatter(faint, 1, NULL, &image, NULL, 0), DP_OK);
    assert_in_range(find_colour(&image, 0x010203, box), 30, 60);
    dp_image_free(&image);
    assert_int_equal(dp_plot_scatter(faint, 1, &(dp_plot_options){.x_range = {5, 6}, .y_range = {5, 6}}, &image, NULL, 0), DP_OK);
    assert_int_equal(find_colour(&image, 0x010203, box), 0); /* out of sight */
    dp_image_free(&image);

    const dp_plot_points nothing[] = {{middle + 2, 2, NULL, 0, 0, 0}}, wrong[] = {{NULL, 3, NULL, 0, 0, 0}},
                         large[] = {{square, 4, NULL, 0, 101, 0}};
    assert_int_equal(dp_plot_scatter(nothing, 1, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_non_null(strstr(message, "no number that can be drawn"));
    assert_int_equal(dp_plot_scatter(wrong, 1, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(large, 1, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(sets, 0, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(sets, 65, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(NULL, 1, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(sets, 1, NULL, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(sets, 1, &(dp_plot_options){.log_x = true}, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(sets, 1, &(dp_plot_options){.width = 100}, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(sets, 1, &(dp_plot_options){.width = 20000}, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(sets, 1, &(dp_plot_options){.x_range = {1, NAN}}, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_scatter(sets, 1, &(dp_plot_options){.y_range = {2, 1}}, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_null(image.pixels);
}

static void test_lines(void **state)
{
    (void)state;
    dp_image image;
    int box[4], other[4];
    /* On a logarithmic axis an exponential is straight: its middle is in the middle. */
    const double y[] = {1, 1e-2, 1e-4}, flat[] = {1e-2, 1e-2, 1e-2};
    const dp_plot_series series[] = {{NULL, y, 3, "falling", 0xFF0000}, {NULL, flat, 3, NULL, 0x0000FF}};
    assert_int_equal(dp_plot_lines(series, 2, &(dp_plot_options){.title = "T", .x_label = "x", .y_label = "y", .log_y = true},
                                   &image, message, sizeof message), DP_OK);
    assert_int_equal(image.width, 640);
    assert_int_equal(image.height, 480);
    assert_true(find_colour(&image, 0x0000FF, other) > 300);
    assert_true(other[3] - other[1] <= 3);
    for (int y0 = 0; y0 < 54; y0++) /* without the legend's swatch */
        memset(image.pixels + 3 * (size_t)y0 * 640, 255, 3 * 640);
    assert_true(find_colour(&image, 0xFF0000, box) > 300);
    assert_in_range(abs(box[1] + box[3] - other[1] - other[3]), 0, 3);
    assert_in_range(abs(box[0] - other[0]), 0, 2);
    dp_image_free(&image);

    /* NaN breaks a line: nothing between its neighbours. */
    const double broken[] = {1, 1, NAN, 1, 1};
    const dp_plot_series gap[] = {{NULL, broken, 5, NULL, 0xFF0000}};
    assert_int_equal(dp_plot_lines(gap, 1, NULL, &image, NULL, 0), DP_OK);
    const int full = find_colour(&image, 0xFF0000, box);
    assert_true(full > 0 && full < (box[2] - box[0]) * (box[3] - box[1] + 1) * 6 / 10);
    dp_image_free(&image);

    /* Numbers of any size, ranges that cut lines off, and one point alone. */
    const double wild[] = {-1e300, 1e300, 5e-324, 0, 1e308, -1}, one[] = {5};
    const dp_plot_series extreme[] = {{wild, wild, 6, "a very long name that is wider than the picture is, so that it is cut off at its "
                                                     "right edge", 0}, {NULL, one, 1, NULL, 0}};
    const dp_plot_options options[] = {{.log_x = true, .log_y = true}, {.x_range = {-1e-3, 1e-3}, .y_range = {-1, 1}},
                                       {.log_x = true, .x_range = {1e-300, 1e300}}, {.x_range = {1, 1 + 1e-15}}, {0},
                                       {.width = 160, .height = 120}};
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        assert_int_equal(dp_plot_lines(extreme, 2, &options[o], &image, message, sizeof message), DP_OK);
        dp_image_free(&image);
    }
    const double negative[] = {-1, 0};
    const dp_plot_series none[] = {{NULL, negative, 2, NULL, 0}}, wrong[] = {{NULL, NULL, 2, NULL, 0}}, minus[] = {{NULL, y, -1, NULL, 0}};
    assert_int_equal(dp_plot_lines(none, 1, &(dp_plot_options){.log_y = true}, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_lines(wrong, 1, NULL, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_lines(minus, 1, NULL, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_lines(series, 1, &(dp_plot_options){.log_x = true, .x_range = {-1, 1}}, &image, NULL, 0), DP_ERROR_ARGUMENT);
    assert_null(image.pixels);
}

static void test_maps(void **state)
{
    (void)state;
    const float a[] = {-2, 0, 2, NAN, 1, -1}, b[] = {0};
    const dp_plot_map maps[] = {{a, 2, 3, "charges"}, {b, 1, 1, NULL}};
    dp_image image;
    int box[4];
    assert_int_equal(dp_plot_maps(maps, 2, 0, 10, &(dp_plot_options){.title = "T"}, &image, message, sizeof message), DP_OK);
    assert_int_equal(find_colour(&image, 0x9A9A9A, box), 100); /* the NaN: 10 x 10 pixels */
    assert_int_equal(box[2] - box[0], 9);
    const int left = box[0], top = box[1] - 10;
    const uint8_t *low = image.pixels + 3 * ((size_t)(top + 5) * (size_t)image.width + (size_t)(left + 5)), *zero = low + 30, *high = low + 60;
    assert_memory_equal(low, ((const uint8_t[]){16, 48, 112}), 3);
    assert_memory_equal(zero, ((const uint8_t[]){248, 248, 246}), 3);
    assert_memory_equal(high, ((const uint8_t[]){120, 16, 30}), 3);
    dp_image_free(&image);
    assert_int_equal(dp_plot_maps(maps + 1, 1, 0, 0, NULL, &image, NULL, 0), DP_OK); /* all 0, scaled by itself */
    assert_true(image.height > 160);
    dp_image_free(&image);
    const dp_plot_map wrong[] = {{NULL, 1, 1, NULL}, {a, 0, 1, NULL}};
    assert_int_equal(dp_plot_maps(wrong, 1, 0, 0, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_maps(wrong + 1, 1, 0, 0, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_maps(maps, 2, -1, 0, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_maps(maps, 2, NAN, 0, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_maps(maps, 2, 0, -1, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_maps(maps, 0, 0, 0, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_maps(NULL, 1, 0, 0, NULL, &image, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_plot_maps(maps, 1, 0, 0, NULL, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_null(image.pixels);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file.png", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"image/png", test_png, NULL, NULL, NULL},         {"image/grid", test_grid, NULL, NULL, NULL},
        {"image/scatter", test_scatter, NULL, NULL, NULL}, {"image/lines", test_lines, NULL, NULL, NULL},
        {"image/maps", test_maps, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("image", tests, set_up, tear_down);
}
