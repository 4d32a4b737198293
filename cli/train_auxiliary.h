/* SPDX-License-Identifier: Apache-2.0 */
/* The losses that are added to a task's own: Atom Modeling's and those it is compared with, by name, of a
 * representation [B, n, h] of B samples with n sub-units of h channels. For all but the atom losses a sample
 * is its sub-units one behind the other. */
#ifndef DIPOLE_CLI_TRAIN_AUXILIARY_H
#define DIPOLE_CLI_TRAIN_AUXILIARY_H

#include "train_networks.h"

typedef enum auxiliary_kind {
    AUXILIARY_NONE,
    AUXILIARY_ATOM, /* force + charge + number */
    AUXILIARY_FORCE,
    AUXILIARY_CHARGE,
    AUXILIARY_NUMBER,
    AUXILIARY_FORCE_CHARGE,
    AUXILIARY_FORCE_NUMBER,
    AUXILIARY_HINGE1,     /* mean_i max(0, |h - h+| - |h - h-|), 1-norm */
    AUXILIARY_HINGE2,     /* 2-norm */
    AUXILIARY_RANK_HINGE, /* mean_i max(0, cos(h, h-) - cos(h, h+) + 0.5) */
    AUXILIARY_SIMCLR,     /* NT-Xent of two views */
    AUXILIARY_SSCL,       /* every sample against all, itself its positive */
    AUXILIARY_VQ,         /* a codebook of sub-units, which replaces them */
    AUXILIARY_COUNT
} auxiliary_kind;

typedef struct auxiliary {
    auxiliary_kind kind;
    dp_atom_pairs *pairs; /* NULL: all of them, in closed form */
    dp_atom_params atom;
    dp_loss_params loss;
    dp_tensor *codebook; /* [codes, h] */
    dp_optimizer *optimizer;
    dp_tensor *gradient; /* the codebook's, between auxiliary_gradient and auxiliary_update */
} auxiliary;

/* AUXILIARY_COUNT after a message: there is none of that name. */
auxiliary_kind auxiliary_find(const char *name);
bool auxiliary_is_atom(auxiliary_kind kind);
bool auxiliary_needs_triplets(auxiliary_kind kind); /* a positive and a negative representation */

/* That of --loss, for batches of this shape; what it learns goes into the checkpoints. False after a message;
 * auxiliary_close is due either way. */
bool auxiliary_open(train_run *run, int64_t batch, int64_t units, int64_t channels, auxiliary *a);
void auxiliary_close(auxiliary *a);

/* Draws the pairs of the step that is to be done. False after a message. */
bool auxiliary_before_step(train_run *run, auxiliary *a);

/* The loss, a new tensor of one element. e: [B, n, h]; of simclr [2 B, n, h], rows 2 k and 2 k + 1 being
 * views of one sample. `positive`, `negative`: as e, for the hinges. `replaced` (may be NULL): of vq, what
 * goes on in the place of e, [B, n, h]. */
dp_tensor *auxiliary_loss(train_run *run, auxiliary *a, dp_tensor *e, dp_tensor *positive,
                          dp_tensor *negative, dp_tensor **replaced);
/* loss + coefficient * value: a new tensor; `loss` alone where there is no value. */
dp_tensor *auxiliary_add(const train_run *run, dp_tensor *loss, dp_tensor *value);

/* The step of what the loss itself learns: the gradient before anything else is changed, the change after. */
dp_status auxiliary_gradient(train_run *run, auxiliary *a, dp_tensor *total);
dp_status auxiliary_update(auxiliary *a);

#endif
