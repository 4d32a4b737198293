/* SPDX-License-Identifier: Apache-2.0 */
/* A generator against a discriminator, as the models of train_gan.c and the generation task of Atom Modeling
 * have it. */
#ifndef DIPOLE_CLI_TRAIN_GAN_H
#define DIPOLE_CLI_TRAIN_GAN_H

#include "train_classifier.h"
#include "train_eieg.h"

/* First in what run->own points to. */
typedef struct gan_run {
    trained g, d;
    dp_network *average;
    dp_eieg_params eieg;
    dp_tensor *bandwidths;
    dp_tensor *eps; /* of the step */
    bool apart;     /* see network_generator */
    /* A loss that is added to the generator's, of what goes into its layer `hidden`: `units` positions. NULL:
     * none. */
    auxiliary *auxiliary;
    int hidden;
    int64_t units;
} gan_run;

/* run->own is a gan_run of zeros but for `apart`. False after a message; gan_close is due either way. */
bool gan_open(train_run *run);
void gan_close(gan_run *own);
dp_status gan_step(train_run *run);
/* The generator that samples come from: the average where there is one. */
dp_network *gan_sampled(const train_run *run);
/* Samples of noise; `value` (may be NULL) receives the auxiliary loss, NULL where there is none. */
dp_tensor *gan_generate(train_run *run, dp_network *network, dp_tensor *z, bool training, dp_tensor **value);

#endif
