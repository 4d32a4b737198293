/* SPDX-License-Identifier: Apache-2.0 */
/* What the two models with an elastic interaction energy share. */
#ifndef DIPOLE_CLI_TRAIN_EIEG_H
#define DIPOLE_CLI_TRAIN_EIEG_H

#include "train_networks.h"

/* The options as parameters of the losses of points of `dim` dimensions, but for eps, which is a formula. False after a message. */
bool eieg_params(const train_run *run, int64_t dim, dp_eieg_params *params);

#endif
