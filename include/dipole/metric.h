/* SPDX-License-Identifier: Apache-2.0 */
/* How far apart two sets of points are, by a potential: energy distance, MMD^2, elastic interaction; and the losses that are
 * made of its parts. Any potential of potential.h, or any formula. */
#ifndef DIPOLE_METRIC_H
#define DIPOLE_METRIC_H

#include <dipole/potential.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which pairs of a set with itself count, and what their sum is divided by. */
typedef enum dp_estimator {
    DP_ESTIMATOR_V,          /* without i = j, by N^2: for losses */
    DP_ESTIMATOR_V_DIAGONAL, /* with i = j, by N^2: 0 for equal sets, and never negative for a positive definite potential,
                                but for rounding */
    DP_ESTIMATOR_U           /* without i = j, by N (N - 1): unbiased; needs two points where the part is wanted */
} dp_estimator;

typedef struct dp_metric_params {
    const char *potential; /* a name, or a formula of x[i] and y[j], symmetric in them */
    dp_args args;          /* its parameters, and other names of the call (nothing that is indexed) */
    dp_estimator estimator;
    const dp_tensor *x_weights, *y_weights; /* [N], [M] or NULL: see below */
    double xx, yy, xy;                      /* factors of the three parts; all 0: 1, 1, -2 */
} dp_metric_params;

/* What else to compute: gradients of the value. */
#define DP_METRIC_X 1u
#define DP_METRIC_Y 2u
#define DP_METRIC_X_WEIGHTS 4u
#define DP_METRIC_Y_WEIGHTS 8u

typedef struct dp_metric_gradients {
    dp_tensor *x, *y;                 /* the shapes of x and y */
    dp_tensor *x_weights, *y_weights; /* [N], [M] */
} dp_metric_gradients;

/* Returns xx * S_xx + yy * S_yy + xy * S_xy, a scalar: with the default factors the metric
 *     e(x, y) = S_xx + S_yy - 2 S_xy,    S_xy = 1 / (N M) sum_ij k(x_i, y_j),    S_xx, S_yy by the estimator
 * (Gretton et al., JMLR 13 (2012) 723, Eqs. 3 and 5; Szekely, Rizzo 2013; Chen, Wu, Xiang, arXiv:2303.10553, Eqs. 5 and 6).
 * A part with factor 0 is not computed. x: [N, d] or [N] with N of 1 or more; y: [M, d], or NULL where yy and xy are 0.
 *
 * With weights, each point's share 1 / N (1 / M) is its weight, as it is: S_xy = sum_ij a_i b_j k(x_i, y_j). They may be
 * charges, of any sign and sum. Both sets have weights or the other one has 1 / N; not with DP_ESTIMATOR_U.
 *
 * `wanted`: DP_METRIC_X | ...; `gradients` receives those in the same call and NULL for the rest, and may be NULL for none.
 * The value and the gradients of one part come from the same pass over its pairs; pairs of a set with itself are gone
 * through once where the potential's form shows that it is symmetric (|x - y| in any form, products of x[i] and y[j]).
 *
 * A generator's loss is {.xx = 1, .xy = -2}; the loss of a discriminator that pushes features f and g apart is
 * {.xx = -1, .yy = -1, .xy = 2}, and its stabiliser one more call with another potential and {.xx = lambda}
 * (docs/potentials.md). Memory: O((N + M) d). Errors: as dp_pairwise_gradient and dp_potential_prepare. */
DP_API dp_tensor *dp_metric(dp_device *device, const dp_tensor *x, const dp_tensor *y, const dp_metric_params *params,
                            unsigned wanted, dp_metric_gradients *gradients);

#ifdef __cplusplus
}
#endif
#endif
