/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of Atom Modeling share. */
#ifndef DP_NN_ATOM_H
#define DP_NN_ATOM_H

#include "core/core.h"
#include <dipole/atom.h>
#include <dipole/pairwise.h>

enum { DP__ATOM_DRAWN = 100 }; /* pairs of sub-units, where nobody says */
enum { DP__ATOM_FORCE, DP__ATOM_CHARGE, DP__ATOM_PNUM, DP__ATOM_LOSSES };

/* One call of dp_atom_loss. B samples, P pairs of samples. */
typedef struct dp__atoms {
    dp_device *device;
    const dp_tensor *e;
    dp_atom_params params;
    double weight[DP__ATOM_LOSSES]; /* with what `normalise` and `expected` make of them */
    int64_t batch, units, channels;
    bool gradient;
    dp_tensor *zeros;                         /* [B, 1, 4] */
    dp_tensor *nuclei, *sums;                 /* [B, 1, h], [B, 1, 4] */
    dp_tensor *inner, *radii;                 /* [B, 1, h], of which component 0 is the radius, and it alone, [B, 1] */
    dp_tensor *energy;                        /* of each sample with all others, [B], or of pairs, [P, 1] */
    dp_tensor *to_row, *to_sums, *to_charges; /* gradients: [B, 1, h], [B, 1, 4], [B, n] */
} dp__atoms;

/* Atoms and p, with the default of p filled in. */
dp_status dp__atom_check(dp_device *device, const char *call, const dp_tensor *e, double *norm);
/* A pairwise call, whose text is freed. */
dp_status dp__atom_run(const dp__atoms *a, dp__text *text, unsigned mode, dp_args args, bool batched,
                       dp_tensor **results, int count);
/* Replaces *x by a view of another shape. */
dp_status dp__atom_reshape(const dp__atoms *a, dp_tensor **x, dp_shape shape);

/* Energy, and where wanted to_row and to_sums, or to_charges. */
dp_status dp__atom_meet_all(dp__atoms *a);
dp_status dp__atom_meet_pairs(dp__atoms *a);

#endif
