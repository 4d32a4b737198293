/* SPDX-License-Identifier: Apache-2.0 */
/* The networks of the experiments, and what every training loop does with one. */
#ifndef DIPOLE_CLI_TRAIN_NETWORKS_H
#define DIPOLE_CLI_TRAIN_NETWORKS_H

#include "train.h"

/* A network with its optimiser. */
typedef struct trained {
    dp_network *network;
    dp_optimizer *optimizer;
    dp_tensor **parameters; /* borrowed */
    int count;
} trained;

/* The generator: of points 2-100-50-2, of images the transposed convolutions of 32 x 32 or 64 x 64. `apart`: of images, the activation
 * of the last hidden layer is a layer of its own, the last but one. */
dp_network *network_generator(const train_run *run, bool apart, uint64_t seed);
/* The discriminator or feature map, with `outputs` numbers. `layer_norm` instead of batch norm: for a gradient penalty. */
dp_network *network_discriminator(const train_run *run, int64_t outputs, bool layer_norm, uint64_t seed);
/* The shape of the generator's input, without the batch axis. */
dp_shape network_noise(const train_data *data);

/* Adam of the run's options with this rate (a formula of t and T), of `repeats` steps in each step of the run, and everything of both into the run's checkpoints. False after a
 * message; trained_close is due either way. */
bool trained_open(train_run *run, const char *name, dp_network *network, const char *rate, int64_t repeats, trained *t);
void trained_close(trained *t);
/* The same for parameters of no network. NULL on failure (see train_ok). */
dp_optimizer *train_adam(const train_run *run, dp_tensor *const *parameters, const char *const *names, int count, const char *rate);
/* One step down the gradient of `loss` (taken over, may be NULL) by the parameters. */
dp_status trained_step(dp_device *device, trained *t, dp_tensor *loss);

/* A number as a formula of t, the step that is to be done, and T: a new tensor of rank 0. */
dp_tensor *train_formula(const train_run *run, const char *formula);
/* Checks such a formula: false after a message that names the option. */
bool train_check_formula(const train_run *run, const char *option, const char *formula);
/* Normal numbers for the generator: [count, ...]. Every place that draws has a number of its own. */
dp_tensor *train_noise(const train_run *run, int place, int64_t count);
bool train_check_latent(const train_run *run); /* --latent; false after a message */
dp_tensor *train_real(const train_run *run, int place, int64_t count);
dp_tensor *train_uniform(const train_run *run, int place, dp_shape shape); /* 0 .. 1 */
dp_tensor *train_randint(const train_run *run, int place, dp_shape shape, int64_t n); /* i32, 0 .. n - 1 */
dp_tensor *train_normal(const train_run *run, int place, dp_shape shape);
/* The step is over: the count goes up. */
dp_status train_count(train_run *run);
/* A copy of t's network that follows its weights slowly, and is kept in checkpoints. False after a message. */
bool train_average_open(train_run *run, const trained *t, bool apart, dp_network **average);

/* The noise of samples first .. first + count - 1, the same each time. */
dp_tensor *train_sample_noise(const train_run *run, int64_t first, int64_t count);
/* Samples of a generator, on the host: [n, ...], to be freed; NULL after a message. The same noise each time. */
float *train_samples(train_run *run, dp_network *generator, int64_t n);
/* Scores and pictures of samples, and of a generator's. */
bool train_score_samples(train_run *run, const float *samples, int64_t n, score_list *scores);
/* score_images.c: by the classifier of another run, --classifier, where one is named. It is looked at before the first step. */
bool train_check_classifier(train_run *run, int64_t samples);
bool train_score_images(train_run *run, const float *samples, int64_t n, score_list *scores);
bool train_draw_samples(train_run *run, const float *samples, int64_t n);
bool train_score_generator(train_run *run, dp_network *generator, score_list *scores);
bool train_draw_generator(train_run *run, dp_network *generator);

#endif
