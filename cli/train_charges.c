/* SPDX-License-Identifier: Apache-2.0 */
/* Charge maps: what the sub-units of images carry, below the images. */
#include "train_atom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP  12 /* of dp_plot_maps */
#define SIZE 96 /* pixels of an image, about */

float *train_charges(const train_run *run, dp_tensor *hidden)
{
    const dp_shape shape = dp_tensor_shape(hidden);
    dp_tensor *first = dp_slice(hidden, 1, 0, 1, 1),
              *q = first ? dp_map(run->device, "tanh(e / 2)", DP_ARGS({"e", first})) : NULL;
    const size_t size = (size_t)(shape.dim[0] * shape.dim[2] * shape.dim[3]) * sizeof(float);
    float *charges = malloc(size);
    bool done = charges && q && dp_read(q, charges, size) == DP_OK;
    if (!charges)
        cli_error("out of memory");
    else if (!done)
        done = train_ok(run, "charges") && false;
    dp_tensor_release(&first);
    dp_tensor_release(&q);
    if (done)
        return charges;
    free(charges);
    return NULL;
}

/* Every pixel `scale` x `scale` times: [count, C, H * scale, W * scale]. */
static float *enlarged(const float *images, int count, dp_shape shape, int scale)
{
    const int64_t planes = count * shape.dim[0], height = shape.dim[1], width = shape.dim[2];
    float *large = malloc((size_t)(planes * height * width * scale * scale) * sizeof *large), *at = large;
    for (int64_t p = 0; large && p < planes; p++)
        for (int64_t y = 0; y < height * scale; y++)
            for (int64_t x = 0; x < width * scale; x++)
                *at++ = images[(p * height + y / scale) * width + x / scale];
    return large;
}

/* Copies `from` into `to` at row `top`; grey becomes colour. */
static void paste(dp_image *to, const dp_image *from, int top)
{
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x++)
            for (int c = 0; c < 3; c++)
                to->pixels[((size_t)(top + y) * (size_t)to->width + (size_t)x) * 3 + (size_t)c] =
                    from->pixels[((size_t)y * (size_t)from->width + (size_t)x) * (size_t)from->channels +
                                 (size_t)(from->channels == 3 ? c : 0)];
}

/* One above the other, on white; they begin at the same left edge and have the same gaps. */
static bool write_both(const char *path, const dp_image *above, const dp_image *below, char *message,
                       size_t size)
{
    dp_image whole = {.width = above->width > below->width ? above->width : below->width,
                      .height = above->height + below->height,
                      .channels = 3};
    const size_t bytes = (size_t)whole.width * (size_t)whole.height * 3;
    whole.pixels = malloc(bytes);
    if (!whole.pixels) {
        snprintf(message, size, "out of memory");
        return false;
    }
    memset(whole.pixels, 255, bytes);
    paste(&whole, above, 0);
    paste(&whole, below, above->height);
    const bool done = dp_png_write(path, whole.width, whole.height, 3, whole.pixels, message, size) == DP_OK;
    free(whole.pixels);
    return done;
}

bool train_draw_charges(const train_run *run, const float *images, int count, dp_shape shape,
                        const float *charges, int height, int width)
{
    char message[512] = "out of memory";
    dp_image above = {0}, below = {0};
    const int scale = shape.dim[1] < SIZE ? (int)(SIZE / shape.dim[1]) : 1, side = (int)shape.dim[1] * scale;
    float *large = enlarged(images, count, shape, scale);
    dp_plot_map *maps = calloc((size_t)count, sizeof *maps);
    for (int m = 0; maps && m < count; m++)
        maps[m] = (dp_plot_map){
            .values = charges + (size_t)m * (size_t)(height * width), .height = height, .width = width};
    const bool done =
        large && maps &&
        dp_image_grid(large, count, (int)shape.dim[0], side, (int)shape.dim[2] * scale, count, GAP, &above,
                      message, sizeof message) == DP_OK &&
        dp_plot_maps(maps, count, 1, side / height, NULL, &below, message, sizeof message) == DP_OK &&
        write_both(train_path(run, "charges.png", 0), &above, &below, message, sizeof message);
    if (!done)
        cli_error("%s", message);
    dp_image_free(&above);
    dp_image_free(&below);
    free(large);
    free(maps);
    return done;
}
