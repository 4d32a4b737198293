/* SPDX-License-Identifier: Apache-2.0 */
/* The tasks of `dipole train atom`: each is a model of its own behind one name. docs/atom.md has the losses. */
#ifndef DIPOLE_CLI_TRAIN_ATOM_H
#define DIPOLE_CLI_TRAIN_ATOM_H

#include "train_classifier.h"

typedef struct atom_task {
    const char *name;
    void (*settle)(train_options *options); /* fills in what was not given: 0, or NULL */
    bool (*create)(train_run *run);
    dp_status (*step)(train_run *run);
    bool (*before_step)(train_run *run);
    bool (*score)(train_run *run, score_list *scores);
    bool (*draw)(train_run *run);    /* NULL: nothing */
    void (*destroy)(train_run *run); /* run->own may be NULL */
} atom_task;

extern const atom_task atom_synthetic, atom_classify, atom_generate;

/* The classifier of images, of [C, H, W] to `classes` logits; seven layers make its features. NULL on
 * failure. */
dp_network *classifier_network(dp_device *device, dp_shape shape, int classes, uint64_t seed);

/* charges.png: images [count, shape] from -1 to 1 above the charges [count, height, width] of their
 * sub-units, which are whole fractions of the images' size. False after a message. */
bool train_draw_charges(const train_run *run, const float *images, int count, dp_shape shape,
                        const float *charges, int height, int width);
/* The charges of hidden features [N, C, H, W], on the host: [N, H, W], to be freed; NULL after a message. */
float *train_charges(const train_run *run, dp_tensor *hidden);

#endif
