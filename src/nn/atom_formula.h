/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas of dp_atom_loss, as text. docs/atom.md derives them. */
#ifndef DP_NN_ATOM_FORMULA_H
#define DP_NN_ATOM_FORMULA_H

#include "core/core.h"

typedef enum dp__atom_force { DP__ATOM_NO_FORCE, DP__ATOM_CLOSED, DP__ATOM_DRAWN_PAIRS } dp__atom_force;

/* Summed over a sample's sub-units e[i], with the zeros z[j] of 4 components: its nucleus (h components, the first 0), and the
 * sums of max(q, 0), max(-q, 0), q^2 and nothing. c = 1 / n. */
void dp__atom_sums_formula(dp__text *text, bool nuclei);
/* Summed likewise, u[j] the nuclei: r in component 0 and 1/n sum (1 - m) g behind it; without gradient r alone. */
void dp__atom_radius_formula(dp__text *text, double norm, bool gradient);
/* Of samples i and j: energy of all pairs of their sub-units, c times its gradients to i's row and sums, and with `both` to
 * j's. u, w: nuclei; r, s: radii; t, p: sums. The fourth of the sums' gradients is that to a charge of 0. */
void dp__atom_closed_formula(dp__text *text, double norm, bool gradient, bool both);
/* Of samples i and j: 1 / D, 1 / (D + R), and the gradient of D by i's nucleus. */
void dp__atom_distance_formula(dp__text *text, double norm, bool gradient);
/* The gradient to sub-unit e[i] from those to its sample's row (a) and sums (b; or to its charge). c = 1 / n, cc and cp: factors
 * of the two regularisers, third: 2 n / 3. */
void dp__atom_gradient_formula(dp__text *text, double norm, dp__atom_force force);

#endif
