/* SPDX-License-Identifier: Apache-2.0 */
#include "train_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL 100000       /* points of a distribution that is no mixture */
#define HELD_OUT 10000    /* rows for scores */
#define HELD_OUT_SEED 77  /* added to the run's */

static bool out_of_memory(void)
{
    cli_error("out of memory");
    return false;
}

static bool tell(dp_device *device, const char *name)
{
    if (dp_failed(device) == DP_OK)
        return true;
    cli_error("--data %s: %s", name, dp_message(device));
    return false;
}

/* Centres on the device for a mixture, which is drawn there; a pool of points for others. */
static bool open_points(dp_device *device, uint64_t seed, train_data *data)
{
    char message[512];
    data->shape = DP_SHAPE(2);
    data->modes = dp_points_centres(data->name, NULL, 0, &data->deviation);
    data->held_out_rows = HELD_OUT;
    data->held_out = malloc(2 * HELD_OUT * sizeof(float));
    float *points = malloc(2 * (size_t)(data->modes > 0 ? data->modes : POOL) * sizeof(float));
    bool done = data->held_out && points;
    if (!done)
        out_of_memory();
    else if (dp_points_sample(data->name, HELD_OUT, seed + HELD_OUT_SEED, data->held_out, message, sizeof message) != DP_OK ||
             (data->modes == 0 && dp_points_sample(data->name, POOL, seed, points, message, sizeof message) != DP_OK)) {
        cli_error("--data: %s", message);
        done = false;
    }
    if (done && data->modes > 0) {
        dp_points_centres(data->name, points, data->modes, NULL);
        data->centres = dp_from(device, DP_F32, DP_SHAPE(data->modes, 2), points);
        data->host_centres = points;
        return tell(device, data->name);
    }
    if (done) {
        data->rows = POOL;
        data->values = dp_from(device, DP_F32, DP_SHAPE(POOL, 2), points);
    }
    free(points);
    return done && tell(device, data->name);
}

/* -1 .. 1 */
static float *scaled(const uint8_t *pixels, size_t count)
{
    float *values = malloc((count ? count : 1) * sizeof *values);
    for (size_t k = 0; values && k < count; k++)
        values[k] = (float)pixels[k] / 127.5f - 1;
    return values;
}

/* The test images beside MNIST's training images; NULL: none. The caller frees it. */
static char *test_file(const char *path)
{
    static const char train[] = "train-images", test[] = "t10k-images";
    const char *at = strstr(path, train);
    char *result = at ? malloc(strlen(path) + 1) : NULL;
    if (!result)
        return NULL;
    sprintf(result, "%.*s%s%s", (int)(at - path), path, test, at + sizeof train - 1);
    if (access(result, R_OK) == 0)
        return result;
    free(result);
    return NULL;
}

/* Rows from `first` on are held out. */
static bool hold_out(train_data *data, const dp_images *images, int64_t first, int64_t count)
{
    const size_t size = (size_t)images->channels * (size_t)images->side * (size_t)images->side;
    data->held_out_rows = count < HELD_OUT ? count : HELD_OUT;
    data->held_out = scaled(images->pixels + (size_t)first * size, (size_t)data->held_out_rows * size);
    if (images->labels && data->held_out) {
        data->held_out_labels = malloc((size_t)data->held_out_rows * sizeof(int32_t));
        if (!data->held_out_labels)
            return out_of_memory();
        memcpy(data->held_out_labels, images->labels + first, (size_t)data->held_out_rows * sizeof(int32_t));
    }
    return data->held_out ? true : out_of_memory();
}

static bool load(const char *path, int64_t side, int64_t limit, dp_images *images)
{
    char message[512];
    if (dp_images_load(path, (int)side, limit, images, message, sizeof message) == DP_OK)
        return true;
    cli_error("--data: %s", message);
    return false;
}

static bool hold_out_file(train_data *data, const char *path, int64_t side)
{
    dp_images images;
    if (!load(path, side, HELD_OUT, &images))
        return false;
    const bool held = hold_out(data, &images, 0, images.count);
    dp_images_free(&images);
    return held;
}

static bool to_device(dp_device *device, train_data *data, const dp_images *images)
{
    const size_t size = (size_t)images->channels * (size_t)images->side * (size_t)images->side;
    float *values = scaled(images->pixels, (size_t)data->rows * size);
    if (!values)
        return out_of_memory();
    data->values = dp_from(device, DP_F32, DP_SHAPE(data->rows, images->channels, images->side, images->side), values);
    free(values);
    for (int64_t k = 0; images->labels && k < data->rows; k++)
        if (images->labels[k] >= data->classes)
            data->classes = images->labels[k] + 1;
    if (images->labels)
        data->labels = dp_from(device, DP_I32, DP_SHAPE(data->rows), images->labels);
    return tell(device, data->name);
}

static bool open_images(dp_device *device, int64_t side, int64_t limit, train_data *data)
{
    dp_images images;
    if (!load(data->name, side, limit, &images))
        return false;
    data->images = true;
    data->shape = DP_SHAPE(images.channels, images.side, images.side);
    data->rows = images.count;
    char *test = test_file(data->name);
    bool done = true;
    if (test) {
        done = hold_out_file(data, test, side);
    } else {
        data->rows -= images.count / 10;
        done = hold_out(data, &images, data->rows, images.count - data->rows);
    }
    free(test);
    if (done && data->rows < 1) {
        cli_error("--data %s: no images", data->name);
        done = false;
    }
    done = done && to_device(device, data, &images);
    dp_images_free(&images);
    return done;
}

bool train_data_is_points(const char *name)
{
    float none[2];
    return name && dp_points_sample(name, 0, 0, none, NULL, 0) == DP_OK;
}

bool train_data_open(dp_device *device, const char *name, int64_t side, int64_t limit, uint64_t seed, train_data *data)
{
    *data = (train_data){.name = name};
    if (!name || !*name) {
        cli_error("--data: needs a name or a path");
        return false;
    }
    return train_data_is_points(name) ? open_points(device, seed, data) : open_images(device, side, limit, data);
}

void train_data_close(train_data *data)
{
    dp_tensor_release(&data->values);
    dp_tensor_release(&data->labels);
    dp_tensor_release(&data->centres);
    free(data->host_centres);
    free(data->held_out);
    free(data->held_out_labels);
    *data = (train_data){0};
}

dp_tensor *train_data_draw(dp_device *device, const train_data *data, uint64_t seed, const dp_tensor *step, int64_t count, dp_tensor **labels)
{
    dp_tensor *index = dp_randint_at(device, seed, step, DP_SHAPE(count), data->centres ? data->modes : data->rows), *drawn = NULL;
    if (data->centres) {
        dp_tensor *centre = dp_gather_rows(device, data->centres, index), *noise = dp_randn_at(device, seed + 1, step, DP_SHAPE(count, 2));
        drawn = dp_map(device, "c + s * n", DP_ARGS({"c", centre}, {"n", noise}, {.name = "s", .scalar = data->deviation}));
        dp_tensor_release(&centre);
        dp_tensor_release(&noise);
    } else {
        drawn = dp_gather_rows(device, data->values, index);
    }
    if (labels)
        *labels = data->labels ? dp_gather_rows(device, data->labels, index) : NULL;
    dp_tensor_release(&index);
    return drawn;
}
