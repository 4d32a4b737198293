/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of Atom Modeling share. */
#ifndef DP_NN_ATOM_H
#define DP_NN_ATOM_H

#include "core/core.h"
#include <dipole/atom.h>

enum { DP__ATOM_DRAWN = 100 }; /* pairs of sub-units, where nobody says */

/* Atoms and p, with the default of p filled in. */
dp_status dp__atom_check(dp_device *device, const char *call, const dp_tensor *e, double *norm);

#endif
