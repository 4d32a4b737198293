/* SPDX-License-Identifier: Apache-2.0 */
#include "train_classifier.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK      500   /* samples at once, where they are scored */
#define MOST_TRAIN 10000 /* of the training set that are scored */

enum {
    PLACE_BATCH = 1,
    PLACE_SAME,
    PLACE_OTHER,
    PLACE_AUGMENT = 5,
    PLACE_AUGMENT_SAME = 7,
    PLACE_AUGMENT_OTHER = 9,
    PLACE_VIEWS = 11,
    PLACE_NOISE = 13
};

int train_representation(const train_run *run, int linear)
{
    const char *name = run->options.representation;
    if (strcmp(name, "linear") == 0)
        return linear;
    if (strcmp(name, "activated") == 0)
        return linear + 1;
    cli_error("--representation: \"%s\" is neither linear nor activated", name);
    return -1;
}

dp_tensor *train_units(dp_tensor *hidden, int64_t units)
{
    const dp_shape shape = dp_tensor_shape(hidden);
    if (shape.rank == 2)
        return dp_reshape(hidden, DP_SHAPE(shape.dim[0], units, shape.dim[1] / units));
    dp_tensor *flat = dp_reshape(hidden, DP_SHAPE(shape.dim[0], shape.dim[1], units)),
              *turned = dp_transpose(flat, 1, 2);
    dp_tensor_release(&flat);
    return turned;
}

/* --augment, for training samples; views of simclr shift in any case. */
static bool open_augment(train_run *run, classifier *c, dp_shape shape)
{
    const char *name = run->options.augment;
    const bool flip = strcmp(name, "flip") == 0, shift = strcmp(name, "shift") == 0;
    if (!flip && !shift && strcmp(name, "none") != 0) {
        cli_error("--augment: \"%s\" is none of none, shift, flip", name);
        return false;
    }
    if (shape.rank != 4)
        return true;
    const dp_shape one = {3, {shape.dim[1], shape.dim[2], shape.dim[3]}};
    return ((!flip && !shift) || augmenter_open(run, one, flip, &c->augment)) &&
           augmenter_open(run, one, flip, &c->views);
}

bool classifier_open(train_run *run, classifier *c, dp_network *network, int linear, int64_t units,
                     dp_tensor *values, const int32_t *labels, int classes)
{
    if (!trained_open(run, "classifier", network, run->options.rate, 1, &c->net))
        return false;
    c->first = train_representation(run, linear);
    if (c->first < 0)
        return false;
    const dp_shape shape = dp_network_shape(network, c->first);
    c->units = units;
    c->channels = shape.dim[0] / (shape.rank == 1 ? units : 1);
    if (!auxiliary_open(run, run->options.batch, c->units, c->channels, &c->auxiliary))
        return false;
    if (c->auxiliary.kind == AUXILIARY_VQ) {
        cli_error("--loss vq: is for --task generate");
        return false;
    }
    run->loss_name[0] = "cross_entropy";
    run->loss_name[1] = "auxiliary";
    run->losses = c->auxiliary.kind == AUXILIARY_NONE ? 1 : 2;
    return labelled_open(run, values, labels, classes, run->options.per_class, &c->train) &&
           open_augment(run, c, dp_tensor_shape(values));
}

void classifier_close(classifier *c)
{
    auxiliary_close(&c->auxiliary);
    augmenter_close(&c->augment);
    augmenter_close(&c->views);
    labelled_close(&c->train);
    trained_close(&c->net);
}

/* The samples of these rows, as they are trained on. */
static dp_tensor *samples_of(train_run *run, classifier *c, int place, const dp_tensor *rows)
{
    dp_tensor *x = dp_gather_rows(run->device, c->train.values, rows),
              *changed = x ? augmented(run, &c->augment, place, x) : NULL;
    dp_tensor_release(&x);
    return changed;
}

static dp_tensor *represent(classifier *c, const dp_tensor *x)
{
    dp_tensor *hidden = dp_network_forward_range(c->net.network, x, 0, c->first, true);
    dp_tensor *e = hidden ? train_units(hidden, c->units) : NULL;
    dp_tensor_release(&hidden);
    return e;
}

/* Two views of each sample, side by side: [2 B, ...]. */
static dp_tensor *two_views(train_run *run, classifier *c, dp_tensor *rows)
{
    const int64_t batch = run->options.batch;
    dp_tensor *column = dp_reshape(rows, DP_SHAPE(batch, 1)),
              *twice = dp_broadcast(column, DP_SHAPE(batch, 2));
    dp_tensor *both = dp_gather_rows(run->device, c->train.values, twice);
    dp_shape shape = dp_tensor_shape(both);
    for (int axis = 1; axis + 1 < shape.rank; axis++)
        shape.dim[axis] = shape.dim[axis + 1];
    shape.dim[0] = 2 * batch;
    shape.rank -= shape.rank > 0;
    dp_tensor *x = dp_reshape(both, shape), *view = x ? augmented(run, &c->views, PLACE_VIEWS, x) : NULL,
              *noisy = NULL;
    if (view && run->options.noise > 0) {
        dp_tensor *noise = train_normal(run, PLACE_NOISE, shape);
        noisy = dp_map(run->device, "x + s * n",
                       DP_ARGS({"x", view}, {"n", noise}, {.name = "s", .scalar = run->options.noise}));
        dp_tensor_release(&noise);
    }
    dp_tensor *views = run->options.noise > 0 ? noisy : dp_tensor_retain(view);
    dp_tensor_release(&column);
    dp_tensor_release(&twice);
    dp_tensor_release(&both);
    dp_tensor_release(&x);
    dp_tensor_release(&view);
    return views;
}

static dp_tensor *triplet_loss(train_run *run, classifier *c, dp_tensor *e, const dp_tensor *labels)
{
    dp_tensor *same = labelled_same(run, &c->train, PLACE_SAME, labels),
              *other = labelled_other(run, &c->train, PLACE_OTHER, labels);
    dp_tensor *x = samples_of(run, c, PLACE_AUGMENT_SAME, same),
              *y = samples_of(run, c, PLACE_AUGMENT_OTHER, other);
    dp_tensor *positive = represent(c, x), *negative = represent(c, y);
    dp_tensor *value = auxiliary_loss(run, &c->auxiliary, e, positive, negative, NULL);
    dp_tensor_release(&same);
    dp_tensor_release(&other);
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    dp_tensor_release(&positive);
    dp_tensor_release(&negative);
    return value;
}

/* The auxiliary loss of the batch; NULL where there is none, and on failure. */
static dp_tensor *auxiliary_of(train_run *run, classifier *c, dp_tensor *hidden, dp_tensor *rows,
                               const dp_tensor *labels)
{
    dp_tensor *e = NULL, *value = NULL;
    if (c->auxiliary.kind == AUXILIARY_NONE)
        return NULL;
    if (c->auxiliary.kind == AUXILIARY_SIMCLR) {
        dp_tensor *x = two_views(run, c, rows);
        e = represent(c, x);
        dp_tensor_release(&x);
    } else {
        e = train_units(hidden, c->units);
    }
    if (auxiliary_needs_triplets(c->auxiliary.kind))
        value = triplet_loss(run, c, e, labels);
    else
        value = auxiliary_loss(run, &c->auxiliary, e, NULL, NULL, NULL);
    dp_tensor_release(&e);
    return value;
}

dp_status classifier_step(train_run *run, classifier *c)
{
    const int last = dp_network_layer_count(c->net.network);
    dp_tensor *rows = labelled_draw(run, &c->train, PLACE_BATCH, run->options.batch),
              *labels = dp_gather_rows(run->device, c->train.labels, rows);
    dp_tensor *x = samples_of(run, c, PLACE_AUGMENT, rows),
              *hidden = dp_network_forward_range(c->net.network, x, 0, c->first, true);
    dp_tensor *logits = dp_network_forward_range(c->net.network, hidden, c->first, last, true);
    dp_tensor *loss = dp_cross_entropy(run->device, logits, labels),
              *value = hidden ? auxiliary_of(run, c, hidden, rows, labels) : NULL;
    dp_tensor *total = auxiliary_add(run, loss, value);
    dp_status status = train_report(run, 0, loss ? dp_detach(loss) : NULL);
    if (status == DP_OK && run->losses > 1)
        status = train_report(run, 1, value ? dp_detach(value) : NULL);
    if (status == DP_OK)
        status = trained_step(run->device, &c->net, dp_tensor_retain(total));
    dp_tensor_release(&total);
    dp_tensor_release(&value);
    dp_tensor_release(&loss);
    dp_tensor_release(&logits);
    dp_tensor_release(&hidden);
    dp_tensor_release(&x);
    dp_tensor_release(&labels);
    dp_tensor_release(&rows);
    return status == DP_OK ? train_count(run) : status;
}

/* How many of a chunk's labels its logits name, and the sum of its cross-entropies. */
static int64_t count_right(const float *logits, const int32_t *labels, int64_t n, int classes,
                           double *entropy)
{
    int64_t right = 0;
    for (int64_t r = 0; r < n; r++) {
        const float *row = logits + r * classes;
        int best = 0;
        double sum = 0;
        for (int c = 1; c < classes; c++)
            if (row[c] > row[best])
                best = c;
        for (int c = 0; c < classes; c++)
            sum += exp((double)row[c] - (double)row[best]);
        right += best == labels[r];
        *entropy += log(sum) + (double)row[best] - (double)row[labels[r]];
    }
    return right;
}

/* Of the logits of x, [n, classes]; x is released. -1 on failure. */
static int64_t score_chunk(classifier *c, dp_tensor *x, const int32_t *labels, double *entropy)
{
    const int64_t n = dp_tensor_shape(x).dim[0];
    const int classes = c->train.classes;
    float *logits = malloc((size_t)(n * classes) * sizeof *logits);
    dp_tensor *y = dp_network_forward(c->net.network, x, false);
    const bool done = logits && dp_read(y, logits, (size_t)(n * classes) * sizeof *logits) == DP_OK;
    const int64_t right = done ? count_right(logits, labels, n, classes, entropy) : -1;
    if (!logits)
        cli_error("out of memory");
    dp_tensor_release(&y);
    dp_tensor_release(&x);
    free(logits);
    return right;
}

/* The test set's rows first .. first + n - 1 on the device. */
static dp_tensor *test_samples(const train_run *run, const classifier *c, int64_t first, int64_t n)
{
    dp_shape shape = dp_tensor_shape(c->train.values);
    int64_t size = 1;
    for (int axis = 1; axis < shape.rank; axis++)
        size *= shape.dim[axis];
    shape.dim[0] = n;
    return dp_from(run->device, DP_F32, shape, c->test + first * size);
}

static bool score_test(train_run *run, classifier *c, int64_t rows, score_list *scores)
{
    int64_t right = 0;
    double entropy = 0;
    for (int64_t first = 0; first < rows; first += CHUNK) {
        const int64_t n = rows - first < CHUNK ? rows - first : CHUNK;
        const int64_t more = score_chunk(c, test_samples(run, c, first, n), c->test_labels + first, &entropy);
        if (more < 0)
            return false;
        right += more;
    }
    const double share = (double)right / (double)rows;
    scores_add(scores, "accuracy", share, sqrt(share * (1 - share) / (double)rows));
    scores_add(scores, "test_cross_entropy", entropy / (double)rows, (double)NAN);
    return true;
}

static bool score_train(train_run *run, classifier *c, const int32_t *labels, int64_t rows,
                        score_list *scores)
{
    int64_t right = 0;
    double entropy = 0;
    int32_t own[CHUNK];
    for (int64_t first = 0; first < rows; first += CHUNK) {
        const int64_t n = rows - first < CHUNK ? rows - first : CHUNK;
        dp_tensor *chosen = dp_slice(c->train.chosen, 0, first, first + n, 1),
                  *x = dp_gather_rows(run->device, c->train.values, chosen);
        for (int64_t k = 0; k < n; k++)
            own[k] = labels[c->train.host_chosen[first + k]];
        const int64_t more = score_chunk(c, x, own, &entropy);
        dp_tensor_release(&chosen);
        if (more < 0)
            return false;
        right += more;
    }
    scores_add(scores, "train_accuracy", (double)right / (double)rows, (double)NAN);
    return true;
}

bool classifier_score(train_run *run, classifier *c, score_list *scores)
{
    const int64_t all = dp_tensor_shape(c->train.labels).dim[0],
                  rows = c->train.count < MOST_TRAIN ? c->train.count : MOST_TRAIN;
    const int64_t tested = c->test_rows < run->options.samples ? c->test_rows : run->options.samples;
    int32_t *labels = malloc((size_t)all * sizeof *labels);
    if (!labels) {
        cli_error("out of memory");
        return false;
    }
    dp_grad_pause(run->device);
    const bool done = dp_read(c->train.labels, labels, (size_t)all * sizeof *labels) == DP_OK &&
                      score_test(run, c, tested, scores) && score_train(run, c, labels, rows, scores);
    dp_grad_resume(run->device);
    free(labels);
    return done || (train_ok(run, "scores") && false);
}
