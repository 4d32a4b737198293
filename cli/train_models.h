/* SPDX-License-Identifier: Apache-2.0 */
/* The models: what each file train_NAME.c has for the table in train.c. */
#ifndef DIPOLE_CLI_TRAIN_MODELS_H
#define DIPOLE_CLI_TRAIN_MODELS_H

#include "train_networks.h"

extern const train_model train_eieg, train_eieg_gan, train_gan, train_wgan_gp, train_mmd_gan, train_atom, train_flow;

#endif
