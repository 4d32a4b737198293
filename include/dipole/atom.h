/* SPDX-License-Identifier: Apache-2.0 */
/* Atom Modeling losses (docs/atom.md): a sample is an "atom" of n sub-units, each a charge and a position, and atoms attract and
 * repel each other. All on the device: they work inside of a dp_program, and gradients go through them (grad.h), once: the
 * gradients of dp_atom_loss have none themselves. */
#ifndef DIPOLE_ATOM_H
#define DIPOLE_ATOM_H

#include <dipole/ops.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Atoms, from e: f32 [B, n, h], h of 2 or more, any strides; channel 0 of a sub-unit is its charge e^q before the squashing, the
 * others its position P. An image's features [B, C, H, W] are [B, H W, C] by dp_reshape and dp_transpose.
 *     q = tanh(e^q / 2)      m = 1 - max(-q, 0)      mu = 1/n sum_i m_i P_i      r = 1/n sum_i (1 - m_i) |P_i - mu|_p
 * Made of calls that are recorded each, so all four have gradients of every order. */
typedef struct dp_atom_state {
    dp_tensor *charges; /* q, [B, n], within (-1, 1) */
    dp_tensor *masses;  /* m, [B, n], within (0, 1] */
    dp_tensor *nuclei;  /* mu, [B, h - 1] */
    dp_tensor *radii;   /* r, [B] */
} dp_atom_state;

/* `norm`: p, 1 or more, INFINITY too; 0 means 2. On failure all are NULL. */
DP_API dp_status dp_atom_state_create(dp_device *device, const dp_tensor *e, double norm, dp_atom_state *state);
DP_API void dp_atom_state_release(dp_atom_state *state); /* all four */

/* Which samples meet which, and which of their sub-units. */
typedef enum dp_atom_pairing {
    DP_ATOM_SHIFT, /* samples (b, (b + t) mod B) for every b, with a shift t drawn from 1 .. B - 1: each is once on either side */
    DP_ATOM_IID,   /* B pairs of two different samples, each drawn on its own */
} dp_atom_pairing;

typedef enum dp_atom_units {
    DP_ATOM_DISTINCT, /* M different sub-units of each sample of a pair, in random order, side by side */
    DP_ATOM_REPEATED, /* M sub-units of each, drawn with replacement: by dp_atom_loss itself, on the device, for the step in `step` */
    DP_ATOM_ALL,      /* all n x n of them, in closed form: nothing to draw */
} dp_atom_units;

typedef struct dp_atom_pairs_params {
    dp_atom_pairing pairing;
    dp_atom_units units;
    int64_t most; /* M = min(most, n); 0 means 100. Unused with DP_ATOM_ALL */
    uint64_t seed;
} dp_atom_pairs_params;

/* Drawn pairs. The tensors are the caller's to read; or to fill in another way, with indices that are in range. */
typedef struct dp_atom_pairs {
    dp_atom_pairs_params params; /* with the defaults filled in */
    int64_t batch, units, drawn; /* B, n, M */
    dp_tensor *a, *b;            /* i32 [B]: the two samples of each pair; with DP_ATOM_SHIFT a is 0, 1, 2, ... and not looked at */
    dp_tensor *i, *j;            /* i32 [B, M]: sub-units of the one and of the other, with DP_ATOM_DISTINCT; else NULL */
    dp_tensor *step;             /* f32 [1]: the step they are of */
} dp_atom_pairs;

/* Makes them for batches of B samples (2 or more) of n sub-units, drawn for step 0. `params` may be NULL. NULL on failure. */
DP_API dp_atom_pairs *dp_atom_pairs_create(dp_device *device, int64_t batch, int64_t units, const dp_atom_pairs_params *params);
/* Draws them anew, in place: the same for the same seed and step, on every device. For step 0 to 2^24, between two runs of a
 * program. From Philox 4x32-10 (docs/atom.md), with Fisher and Yates's shuffle. */
DP_API dp_status dp_atom_pairs_sample(dp_atom_pairs *pairs, uint64_t step);
/* Nulls the handle; NULL is fine. Before the device is closed. */
DP_API void dp_atom_pairs_destroy(dp_atom_pairs **pairs);

typedef struct dp_atom_params {
    double norm;                 /* p, of the radii and of the distances of nuclei: 1 or more, INFINITY too; 0 means 2 */
    double force, charge, pnum;  /* weights of the three losses, of any sign; all 0: 0.02 each. A part of weight 0 is not computed */
    bool normalise;              /* L_force is divided by the number of its pairs of sub-units, the other two by n^2 */
    bool expected;               /* closed form: times M / n^2 with M = min(100, n), what L_force of M drawn pairs is on average */
    const dp_atom_pairs *pairs;  /* NULL: all B (B - 1) ordered pairs of samples, all pairs of sub-units, in closed form */
} dp_atom_params;

/* The weighted sum of
 *     L_force  = mean over pairs (a, b) of samples of sum_(i, j) q_i q_j / d_ij,
 *                d = D where q_i q_j >= 0, D + R where it is below 0, D = |mu_a - mu_b|_p, R = (r_a + r_b) / 2
 *     L_charge = mean over samples of (sum_i q_i)^2
 *     L_pnum   = mean over samples of (sum_i q_i^2 - 2 n / 3)^2
 * as a new tensor []. e: as above; B of 2 or more where L_force is wanted. D is at least 1e-6, and has gradient 0 below. At q = 0 a
 * charge is a positive one of mass 1; where a norm is 0 its gradient is 0. All e^q = 0 is a stationary point: do not begin there.
 *
 * `parts` (may be NULL) receives the three, without their weights, as new tensors [], NULL where the weight is 0; no gradient
 * goes through those. Where e requires a gradient, it is computed in the same call, in one more pass over e.
 * In closed form it takes O(B n h + B^2 h) time and O(B n h) memory. Errors: ERROR_ARGUMENT (shapes, norm, weights that are no
 * numbers, pairs of another B or n, both `expected` and `normalise`, `expected` with drawn sub-units), ERROR_MEMORY. */
DP_API dp_tensor *dp_atom_loss(dp_device *device, const dp_tensor *e, const dp_atom_params *params, dp_tensor *parts[3]);

#ifdef __cplusplus
}
#endif
#endif
