/* SPDX-License-Identifier: Apache-2.0 */
/* Samples with labels: batches of them, others of the same class or of another one, and changed views of
 * images. All is drawn on the device, inside of a step. */
#ifndef DIPOLE_CLI_TRAIN_LABELLED_H
#define DIPOLE_CLI_TRAIN_LABELLED_H

#include "train_networks.h"

typedef struct labelled {
    dp_tensor *values;  /* f32 [all, ...] */
    dp_tensor *labels;  /* i32 [all] */
    dp_tensor *chosen;  /* i32 [count]: the rows that are trained on */
    dp_tensor *members; /* i32 [classes, longest]: these rows by their class; shorter lists begin anew until
                           they are as long */
    dp_tensor *others;  /* i32 [classes, classes - 1]: the classes that each is not */
    int32_t *host_chosen;
    int64_t count, longest;
    int classes;
} labelled;

/* Of `values` (retained), of all rows or of `per_class` random ones of each class where that is not 0. Labels
 * are 0 .. classes - 1; there are two or more, each with a row. False after a message; labelled_close is due
 * either way. */
bool labelled_open(const train_run *run, dp_tensor *values, const int32_t *labels, int classes,
                   int64_t per_class, labelled *l);
void labelled_close(labelled *l);

/* Numbers of rows, i32 [count]: with replacement; of the same class as each label (it may be the sample
 * itself); of another class. */
dp_tensor *labelled_draw(const train_run *run, const labelled *l, int place, int64_t count);
dp_tensor *labelled_same(const train_run *run, const labelled *l, int place, const dp_tensor *labels);
dp_tensor *labelled_other(const train_run *run, const labelled *l, int place, const dp_tensor *labels);

/* Shifts of images by up to SHIFT pixels each way, and mirror images; what comes in at a border repeats it.
 */
typedef struct augmenter {
    dp_tensor *columns, *rows; /* i32 [variants, width], [variants, height]: where each pixel comes from;
                                  NULL: nothing changes */
} augmenter;

/* shape: [C, H, W]. False after a message; augmenter_close is due either way. */
bool augmenter_open(const train_run *run, dp_shape shape, bool flip, augmenter *a);
void augmenter_close(augmenter *a);
/* x: [N, C, H, W], each image in its own way; places `place` and `place` + 1. A new tensor. */
dp_tensor *augmented(const train_run *run, const augmenter *a, int place, dp_tensor *x);

#endif
