/* SPDX-License-Identifier: Apache-2.0 */
/* What is trained on: points of a known distribution, or images of a file, drawn on the device. */
#ifndef DIPOLE_CLI_TRAIN_DATA_H
#define DIPOLE_CLI_TRAIN_DATA_H

#include "cli.h"

typedef struct train_data {
    bool images;
    int64_t rows;
    dp_shape shape;          /* of one: [2] or [C, H, W] */
    dp_tensor *values;       /* f32 [rows, ...]; NULL for a mixture */
    dp_tensor *labels;       /* i32 [rows] or NULL */
    dp_tensor *centres;      /* of a mixture: f32 [modes, 2] */
    double deviation;
    float *host_centres;
    int modes;
    int classes;
    float *held_out;         /* points or images that are not trained on, for scores; rows of `shape` */
    int64_t held_out_rows;
    int32_t *held_out_labels;
    const char *name;
} train_data;

/* `name`: a distribution of dp_points, or a path of images, which are brought to `side` x side and to -1 .. 1. Of a known mixture
 * the held-out part is drawn with another seed; of files it is the last tenth, or the test files that lie beside MNIST's.
 * False after a message. */
bool train_data_open(dp_device *device, const char *name, int64_t side, int64_t limit, uint64_t seed, train_data *data);
/* Whether it is the name of a distribution in the plane. */
bool train_data_is_points(const char *name);
void train_data_close(train_data *data);
/* `count` rows at random, with replacement: a new tensor [count, ...]; labels (may be NULL) receives theirs. Inside of programs. */
dp_tensor *train_data_draw(dp_device *device, const train_data *data, uint64_t seed, const dp_tensor *step, int64_t count,
                           dp_tensor **labels);

#endif
