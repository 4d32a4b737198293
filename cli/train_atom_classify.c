/* SPDX-License-Identifier: Apache-2.0 */
/* Few images a class, a small residual network, and an auxiliary loss of what its first stage gives ("the
 * first layer works well"). */
#include "train_atom.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CHANNELS 16
#define LINEAR_LAYERS  3 /* up to the end of the first stage, before its activation */
#define DRAWN          8

typedef struct classify_run {
    classifier classifier;
    int side; /* of the first stage's maps */
} classify_run;

static void settle(train_options *o)
{
    o->batch = o->batch ? o->batch : 32;
    o->rate = *o->rate ? o->rate : "1e-3 * 0.5 * (1 + cos(3.14159265 * t / T))";
    o->beta1 = o->beta1 >= 0 ? o->beta1 : 0.9;
    o->steps = o->steps ? o->steps : 1000;
}

#define CONV(channels, stride_)                                                                              \
    {                                                                                                        \
        .kind = DP_LAYER_CONV2D, .outputs = channels, .kernel = {3}, .stride = {stride_}, .padding = {1, 1}, \
        .no_bias = true                                                                                      \
    }
#define NORM                                                                                                 \
    {                                                                                                        \
        .kind = DP_LAYER_BATCH_NORM                                                                          \
    }
#define NORM_RELU                                                                                            \
    {                                                                                                        \
        .kind = DP_LAYER_BATCH_NORM, .activation = DP_ACTIVATION_RELU                                        \
    }

/* A ResNet (He et al. 2016) of three stages with one block each, 16, 32 and 64 channels. */
dp_network *classifier_network(dp_device *device, dp_shape shape, int classes, uint64_t seed)
{
    const int c = FIRST_CHANNELS;
    const dp_layer body1[] = {CONV(c, 1), NORM_RELU, CONV(c, 1), NORM};
    const dp_layer body2[] = {CONV(2 * c, 2), NORM_RELU, CONV(2 * c, 1), NORM};
    const dp_layer body3[] = {CONV(4 * c, 2), NORM_RELU, CONV(4 * c, 1), NORM};
    const dp_layer shortcut2[] = {
        {.kind = DP_LAYER_CONV2D, .outputs = 2 * c, .kernel = {1}, .stride = {2}, .no_bias = true}, NORM};
    const dp_layer shortcut3[] = {
        {.kind = DP_LAYER_CONV2D, .outputs = 4 * c, .kernel = {1}, .stride = {2}, .no_bias = true}, NORM};
    const dp_layer layers[] = {CONV(c, 2),
                               NORM_RELU,
                               {.kind = DP_LAYER_RESIDUAL, .body = body1, .body_count = CLI_COUNT(body1)},
                               {.kind = DP_LAYER_ACTIVATION, .activation = DP_ACTIVATION_RELU},
                               {.kind = DP_LAYER_RESIDUAL,
                                .body = body2,
                                .body_count = CLI_COUNT(body2),
                                .shortcut = shortcut2,
                                .shortcut_count = CLI_COUNT(shortcut2),
                                .activation = DP_ACTIVATION_RELU},
                               {.kind = DP_LAYER_RESIDUAL,
                                .body = body3,
                                .body_count = CLI_COUNT(body3),
                                .shortcut = shortcut3,
                                .shortcut_count = CLI_COUNT(shortcut3),
                                .activation = DP_ACTIVATION_RELU},
                               {.kind = DP_LAYER_GLOBAL_AVERAGE_POOL},
                               {.kind = DP_LAYER_LINEAR, .outputs = classes}};
    const dp_network_init init = {.scheme = DP_INIT_KAIMING};
    return dp_network_create(device, layers, CLI_COUNT(layers), shape, seed, &init);
}

static bool open_data(train_run *run, int32_t **labels)
{
    const train_options *o = &run->options;
    if (!train_data_open(run->device, o->data, o->side, o->limit, (uint64_t)o->seed, &run->data))
        return false;
    const train_data *data = &run->data;
    if (!data->images || !data->labels || !data->held_out_labels || data->classes < 2) {
        cli_error("--data %s: needs images with labels of two classes or more, and as many to test with",
                  o->data);
        return false;
    }
    *labels = malloc((size_t)data->rows * sizeof **labels);
    if (!*labels)
        cli_error("out of memory");
    return *labels && (dp_read(data->labels, *labels, (size_t)data->rows * sizeof **labels) == DP_OK ||
                       train_ok(run, "labels"));
}

static bool create(train_run *run)
{
    classify_run *own = run->own = calloc(1, sizeof *own);
    int32_t *labels = NULL;
    if (!own) {
        cli_error("out of memory");
        return false;
    }
    bool done = open_data(run, &labels);
    if (done) {
        const train_data *data = &run->data;
        dp_network *net =
            classifier_network(run->device, data->shape, data->classes, (uint64_t)run->options.seed);
        own->side = (int)dp_network_shape(net, LINEAR_LAYERS).dim[1];
        done = classifier_open(run, &own->classifier, net, LINEAR_LAYERS, (int64_t)own->side * own->side,
                               data->values, labels, data->classes);
        own->classifier.test = data->held_out;
        own->classifier.test_labels = data->held_out_labels;
        own->classifier.test_rows = data->held_out_rows;
    }
    free(labels);
    return done;
}

static dp_status step(train_run *run)
{
    return classifier_step(run, &((classify_run *)run->own)->classifier);
}

static bool before_step(train_run *run)
{
    return auxiliary_before_step(run, &((classify_run *)run->own)->classifier.auxiliary);
}

static bool score(train_run *run, score_list *scores)
{
    return classifier_score(run, &((classify_run *)run->own)->classifier, scores);
}

/* The charges of the first test images. */
static bool draw(train_run *run)
{
    const classify_run *own = run->own;
    const train_data *data = &run->data;
    const int count = data->held_out_rows < DRAWN ? (int)data->held_out_rows : DRAWN;
    const dp_shape shape = {4, {count, data->shape.dim[0], data->shape.dim[1], data->shape.dim[2]}};
    dp_grad_pause(run->device);
    dp_tensor *x = dp_from(run->device, DP_F32, shape, data->held_out);
    dp_tensor *hidden =
        dp_network_forward_range(own->classifier.net.network, x, 0, own->classifier.first, false);
    float *charges = train_charges(run, hidden);
    dp_grad_resume(run->device);
    const bool done =
        charges && train_draw_charges(run, data->held_out, count, data->shape, charges, own->side, own->side);
    dp_tensor_release(&hidden);
    dp_tensor_release(&x);
    free(charges);
    return done;
}

static void destroy(train_run *run)
{
    classify_run *own = run->own;
    if (own)
        classifier_close(&own->classifier);
    free(own);
}

const atom_task atom_classify = {"classify", settle, create, step, before_step, score, draw, destroy};
