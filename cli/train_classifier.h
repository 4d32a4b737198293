/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier trained with cross-entropy and an auxiliary loss of what one of its layers gives: what two
 * tasks of `dipole train atom` share. */
#ifndef DIPOLE_CLI_TRAIN_CLASSIFIER_H
#define DIPOLE_CLI_TRAIN_CLASSIFIER_H

#include "train_auxiliary.h"
#include "train_labelled.h"

typedef struct classifier {
    trained net;
    int first;               /* layers before this one make the representation */
    int64_t units, channels; /* of it; its shape is [units * channels], or [channels, height, width] with
                                units = height * width */
    labelled train;
    augmenter augment; /* of training samples and of views; without tables: none */
    augmenter views;   /* of views alone */
    auxiliary auxiliary;
    const float *test; /* borrowed: [test_rows, ...] */
    const int32_t *test_labels;
    int64_t test_rows;
} classifier;

/* Opens all of it but for the test set, which is the caller's. `values`, `labels`, `classes`: see
 * labelled_open. `network`: taken over, its table has a layer of its own for the activation after layer
 * `linear` - 1: the representation is what goes into it or comes out, as --representation says. False after a
 * message; classifier_close is due either way. */
bool classifier_open(train_run *run, classifier *c, dp_network *network, int linear, int64_t units,
                     dp_tensor *values, const int32_t *labels, int classes);
void classifier_close(classifier *c);

dp_status classifier_step(train_run *run, classifier *c);
/* Accuracy and cross-entropy of the test set, accuracy of the training set. */
bool classifier_score(train_run *run, classifier *c, score_list *scores);

/* [B, units * channels] or [B, channels, height, width] as sub-units [B, units, channels]: a view of it, or
 * of a copy. */
dp_tensor *train_units(dp_tensor *hidden, int64_t units);
/* What --representation says: the layer after which the representation is. -1 after a message. */
int train_representation(const train_run *run, int linear);

#endif
