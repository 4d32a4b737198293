/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and flow of EIEG, the elastic-interaction-energy generative model (docs/eieg.md): a metric of two sets of points, a
 * generator's loss, a discriminator's with its stabiliser, and the velocity of particles. Value and gradients come from one pass
 * over the pairs, in few launches, all on the device: they work inside of a dp_program, and gradients go through them (grad.h), once:
 * those gradients have none themselves. For other potentials and gradients of every order: metric.h. */
#ifndef DIPOLE_EIEG_H
#define DIPOLE_EIEG_H

#include <dipole/metric.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The kernel k of a distance r: r^-s, made finite below eps. With s = 0, in one dimension, -log r in place of r^-s. */
typedef enum dp_eieg_kernel {
    DP_EIEG_CAPPED,      /* below eps (s + 2)/2 eps^-s - s/2 eps^-(s+2) r^2: the force is linear there */
    DP_EIEG_SMOOTH_DIST, /* r is replaced by r^2 / (2 eps) + eps / 2 below eps */
    DP_EIEG_PLUMMER,     /* (r^2 + eps^2)^(-s/2): positive definite, so the metric is never negative */
} dp_eieg_kernel;

/* What keeps a discriminator's features of real data apart: (lambda / N^2) sum_(i != j) of */
typedef enum dp_eieg_stabiliser {
    DP_EIEG_STABILISER_C,    /* the capped kernel with the exponent s + 2 */
    DP_EIEG_STABILISER_A,    /* the capped kernel with s */
    DP_EIEG_STABILISER_B,    /* max(1 - r^2 / eps_stab^2, 0) */
    DP_EIEG_STABILISER_NONE, /* nothing */
} dp_eieg_stabiliser;

/* The zero value is the default of everything. */
typedef struct dp_eieg_params {
    double s;      /* exponent, up to 4096; 0 means n - 1 for points of n dimensions */
    double eps;    /* cut-off, a length; 0 means 0.1 */
    /* f32 of one element on the device, not followed by gradients: the cut-off of this call in place of `eps`, which then only tells
     * the range (its least value is a good one); for schedules. Not with V_DIAGONAL. */
    const dp_tensor *eps_tensor;
    dp_eieg_kernel kernel;
    dp_estimator estimator; /* of pairs within one set: V (the default) divides by N^2, U by N (N - 1); V_DIAGONAL is V with i = j */
    double lambda;          /* of the stabiliser; 0 means 1 */
    double eps_stab;        /* its own cut-off; 0 means 0.8 */
    dp_eieg_stabiliser stabiliser;
    bool stabilise_generated; /* a stabiliser of generated features too */
    double attraction;        /* a of the generator's loss, 0 to 1e15; 0 means 1. Above 1 it draws stray points to the real ones */
    bool no_self;             /* generator's loss without S_gg, the interaction of generated points: for the ablation */
    /* Every term is multiplied by length^s, as r^-s leaves the range of f32 in many dimensions: where eps or eps_stab is
     * small (an error says so) or r is large (gradients become 0). Adam does not see the factor. */
    bool scaled;
    /* 0: measured in each call, such that the mean force between two points that it compares, w r, is s: gradients are then of the order of 1 in
     * any dimension and at any distance, and values of different calls are not comparable. (With s < 1 it is 1.) Not with V_DIAGONAL. */
    double length;
} dp_eieg_params;

/* x and y, g and r, f and g: f32 [N, n] and [M, n], or [N] and [M] for n = 1; N and M of 1 or more (2 with U).
 * `params` may be NULL. Each returns a new tensor []. Where its points require gradients, these are computed in the same call.
 * S_ab = mean over pairs of k(a_i, b_j), of one set with itself by the estimator. Errors: ERROR_ARGUMENT (shapes, a parameter,
 * eps so small that a kernel overflows f32), ERROR_MEMORY. */

/* e = S_xx + S_yy - 2 S_xy, the metric; 0 for equal sets with DP_ESTIMATOR_V_DIAGONAL. */
DP_API dp_tensor *dp_eieg_metric(dp_device *device, const dp_tensor *x, const dp_tensor *y, const dp_eieg_params *params);
/* L_G = S_gg - 2 a S_gr of generated points g and real ones r, or of their features: minimised by the generator. */
DP_API dp_tensor *dp_eieg_generator_loss(dp_device *device, const dp_tensor *g, const dp_tensor *r, const dp_eieg_params *params);
/* L_D = -(S_ff + S_gg - 2 S_fg) + lambda L_stab(f) of features f of real points and g of generated ones: minimised by the
 * discriminator. */
DP_API dp_tensor *dp_eieg_discriminator_loss(dp_device *device, const dp_tensor *f, const dp_tensor *g, const dp_eieg_params *params);
/* The same where both came out of a network in one go: rows 0 .. real - 1 of `features`, [N + M, n] or [N + M], are f, the others g. */
DP_API dp_tensor *dp_eieg_discriminator_loss_of(dp_device *device, const dp_tensor *features, int64_t real, const dp_eieg_params *params);

/* Velocities of particles x, [N, n], among data y, [M, n], a new tensor of x's shape:
 *     v_i = attraction / M sum_j w(x_i - y_j) (y_j - x_i) + repulsion / N sum_j w(x_i - x_j) (x_i - x_j)
 * with w(r) = -k'(r) / r = s max(r, eps)^-(s + 2) of the capped kernel. s: 0 means n - 1. eps: 0 means 0.1. A step is x + h v:
 * dp_map_into. No gradient goes through it. Errors: as above. */
DP_API dp_tensor *dp_eieg_flow_velocity(dp_device *device, const dp_tensor *x, const dp_tensor *y, double s, double eps,
                                        double attraction, double repulsion);
/* The same divided by the sum of its weights, attraction / M sum_j w(x_i - y_j) + repulsion / N sum_(j != i) w(x_i - x_j): a mean of
 * the ways to the data and away from the other particles, at most as long as the longest of them. For many dimensions, images above
 * all, where w is outside of f32 and every other format: it is a softmax over pairs. attraction, repulsion: 0 or more. */
DP_API dp_tensor *dp_eieg_flow_direction(dp_device *device, const dp_tensor *x, const dp_tensor *y, double s, double eps,
                                         double attraction, double repulsion);

#ifdef __cplusplus
}
#endif
#endif
