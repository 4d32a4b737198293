/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out of a generator: samples, their scores and their pictures. */
#include "train_networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK 500          /* samples at once */
#define SAMPLE_SEED 424242 /* the same noise whenever samples are made */
#define DRAWN_POINTS 5000
#define DRAWN_IMAGES 64

dp_tensor *train_sample_noise(const train_run *run, int64_t first, int64_t count)
{
    dp_shape shape = {1, {count}};
    const dp_shape one = network_noise(&run->data);
    for (int axis = 0; axis < one.rank; axis++)
        shape.dim[shape.rank++] = one.dim[axis];
    return dp_randn(run->device, SAMPLE_SEED + (uint64_t)first, shape);
}

float *train_samples(train_run *run, dp_network *generator, int64_t n)
{
    int64_t size = 1;
    for (int axis = 0; axis < run->data.shape.rank; axis++)
        size *= run->data.shape.dim[axis];
    float *samples = malloc((size_t)(n * size) * sizeof *samples);
    if (!samples) {
        cli_error("out of memory");
        return NULL;
    }
    dp_grad_pause(run->device);
    for (int64_t first = 0; first < n && dp_failed(run->device) == DP_OK; first += CHUNK) {
        const int64_t count = n - first < CHUNK ? n - first : CHUNK;
        dp_tensor *z = train_sample_noise(run, first, count);
        dp_tensor *x = run->generate ? run->generate(run, generator, z) : dp_network_forward(generator, z, false);
        dp_read(x, samples + first * size, (size_t)(count * size) * sizeof *samples);
        dp_tensor_release(&z);
        dp_tensor_release(&x);
    }
    dp_grad_resume(run->device);
    if (train_ok(run, "samples"))
        return samples;
    free(samples);
    return NULL;
}

bool train_score_samples(train_run *run, const float *samples, int64_t n, score_list *scores)
{
    const train_data *data = &run->data;
    int64_t size = 1;
    for (int axis = 0; axis < data->shape.rank; axis++)
        size *= data->shape.dim[axis];
    if (data->centres)
        scores_modes(scores, samples, n, data->host_centres, data->modes, data->deviation);
    if (data->held_out && !scores_distances(run->device, scores, samples, n, data->held_out, data->held_out_rows, size))
        return false;
    return train_score_images(run, samples, n, scores);
}

bool train_score_generator(train_run *run, dp_network *generator, score_list *scores)
{
    float *samples = train_samples(run, generator, run->options.samples);
    const bool done = samples && train_score_samples(run, samples, run->options.samples, scores);
    free(samples);
    return done;
}

static bool draw_points(const train_run *run, const float *samples, int64_t n, dp_image *image, char *message, size_t size)
{
    const train_data *data = &run->data;
    char title[128];
    snprintf(title, sizeof title, "%s, %s, step %lld", run->model->name, data->name, (long long)run->step);
    const int64_t held = data->held_out_rows < DRAWN_POINTS ? data->held_out_rows : DRAWN_POINTS;
    const dp_plot_points sets[] = {{.xy = data->held_out, .count = held, .name = "data", .colour = 0xb0b0b0},
                                   {.xy = samples, .count = n, .name = "generated"}};
    const dp_plot_options options = {.title = title};
    return dp_plot_scatter(sets, 2, &options, image, message, size) == DP_OK;
}

bool train_draw_samples(train_run *run, const float *samples, int64_t n)
{
    const train_data *data = &run->data;
    char message[512] = "";
    dp_image image = {0};
    const dp_shape one = data->shape;
    const int64_t drawn = data->images && n > DRAWN_IMAGES ? DRAWN_IMAGES : n;
    bool done = data->images ? dp_image_grid(samples, (int)drawn, (int)one.dim[0], (int)one.dim[1], (int)one.dim[2], 8, 2, &image, message,
                                             sizeof message) == DP_OK
                             : draw_points(run, samples, drawn, &image, message, sizeof message);
    done = done && dp_png_write(train_path(run, "samples.png", 0), image.width, image.height, image.channels, image.pixels, message,
                                sizeof message) == DP_OK;
    if (!done)
        cli_error("%s", message);
    dp_image_free(&image);
    return done;
}

bool train_draw_generator(train_run *run, dp_network *generator)
{
    const int64_t n = run->data.images ? DRAWN_IMAGES : DRAWN_POINTS;
    float *samples = train_samples(run, generator, n);
    const bool done = samples && train_draw_samples(run, samples, n);
    free(samples);
    return done;
}
