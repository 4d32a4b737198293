/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of representations: value and gradients in one call, without ever storing an N x N matrix: memory is
 * O(N d). docs/losses.md has every formula, its gradient, its source, what is chosen at singular points, and
 * the memory of each.
 *
 * Shapes: embeddings are f32 [N, d], N and d at least 1, row i of each belongs together; labels are i32 [N],
 * of any values.
 *
 * Results: `value` (may be NULL) receives a new tensor [], `gradients` (may be NULL) one new tensor for each
 * embedding, of its shape, in the order of the arguments: dL/d(embedding). On failure all are NULL.
 *
 * Errors: ERROR_ARGUMENT (a shape, a label tensor or a parameter; the message names it), ERROR_UNSUPPORTED,
 * ERROR_MEMORY. */
#ifndef DIPOLE_LOSS_H
#define DIPOLE_LOSS_H

#include <dipole/pairwise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How alike two rows are. Of a cosine, a row whose norm is below 1e-36 has score 0 with every other and
 * gradient 0; the product of two norms should be within 1e-30 .. 1e30. */
typedef enum dp_similarity {
    DP_COSINE, /* a . b / (|a| |b|) */
    DP_DOT,    /* a . b */
    DP_SIMILARITY_COUNT
} dp_similarity;

/* The zero value is the default of everything; each loss reads what its comment names. */
typedef struct dp_loss_params {
    dp_similarity similarity;
    double temperature; /* tau; 0 means 0.05 */
    bool symmetric;     /* InfoNCE: the mean of both directions */
    double mix;         /* MixCSE: the share of b_i in a mixture, between 0 and 1; 0 means 0.2 */
    double margin;      /* of the hinges; any number */
    bool soft;          /* batch-hard: log(1 + exp(.)) instead of the hinge, without a margin */
    int norm;           /* hinge: 1 or 2; 0 means 2 */
    double power;       /* alignment: of the distance, at least 1; 0 means 2 */
    double sharpness;   /* uniformity: t, above 0; 0 means 2 */
} dp_loss_params;

/* InfoNCE, SimCSE: mean_i ( log sum_j exp(s_ij) - s_ii ), s_ij = similarity(a_i, b_j) / tau. Reads
 * similarity, temperature, symmetric (then half of it, and half of the same with a and b exchanged). (van den
 * Oord et al. 2018, eq. 4; Gao et al. 2021, eq. 1) */
DP_API dp_status dp_loss_infonce(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                                 const dp_loss_params *params, dp_tensor **value, dp_tensor **gradients);

/* NT-Xent, of SimCLR: rows 2k and 2k + 1 are partners p(i), N is even: mean_i ( log sum_{j != i} exp(s_ij) -
 * s_ip(i) ). Reads similarity, temperature. (Chen et al. 2020, eq. 1) */
DP_API dp_status dp_loss_ntxent(dp_device *device, const dp_tensor *x, const dp_loss_params *params,
                                dp_tensor **value, dp_tensor **gradient);

/* SSCL: every row against all, itself its positive: mean_i ( log sum_j exp(s_ij) - s_ii ). Reads similarity,
 * temperature. */
DP_API dp_status dp_loss_sscl(dp_device *device, const dp_tensor *x, const dp_loss_params *params,
                              dp_tensor **value, dp_tensor **gradient);

/* MixCSE with a mixture for every pair: mean_i ( log( sum_j exp(s_ij) + sum_{j != i} exp(a_i . c_ij / tau) )
 * - s_ii ) of unit rows a, b and c_ij = mix b_i + (1 - mix) b_j, normalised, through which no gradient goes.
 * Reads temperature and mix; the similarity is the cosine. (Zhang et al. 2022) */
DP_API dp_status dp_loss_mixcse(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                                const dp_loss_params *params, dp_tensor **value, dp_tensor **gradients);

/* SupCon: mean_i ( log sum_{j != i} exp(s_ij) - mean_{p in P(i)} s_ip ), P(i) the other rows of i's label.
 * Rows without any are left out of the mean; the value is 0 where all are. Reads similarity, temperature.
 * (Khosla et al. 2020, eq. 2) */
DP_API dp_status dp_loss_supcon(dp_device *device, const dp_tensor *x, const dp_tensor *labels,
                                const dp_loss_params *params, dp_tensor **value, dp_tensor **gradient);

/* Alignment: mean_i |a_i - b_i|^power. Reads power. (Wang and Isola 2020) */
DP_API dp_status dp_loss_alignment(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                                   const dp_loss_params *params, dp_tensor **value, dp_tensor **gradients);

/* Uniformity: log mean_{i < j} exp(-t |x_i - x_j|^2), N at least 2. Rows are taken as they are. Reads
 * sharpness. (Wang and Isola 2020) */
DP_API dp_status dp_loss_uniformity(dp_device *device, const dp_tensor *x, const dp_loss_params *params,
                                    dp_tensor **value, dp_tensor **gradient);

/* Hinge of triplets given: sum_i max(0, |h_i - p_i| - |h_i - n_i| + margin) in the 1- or 2-norm. Reads norm,
 * margin. */
DP_API dp_status dp_loss_hinge(dp_device *device, const dp_tensor *h, const dp_tensor *positive,
                               const dp_tensor *negative, const dp_loss_params *params, dp_tensor **value,
                               dp_tensor **gradients);

/* Ranking hinge: sum_i max(0, cos(h_i, n_i) - cos(h_i, p_i) + margin). Reads margin (0.5 in the paper). (Wang
 * and Gupta 2015) */
DP_API dp_status dp_loss_rank_hinge(dp_device *device, const dp_tensor *h, const dp_tensor *positive,
                                    const dp_tensor *negative, const dp_loss_params *params,
                                    dp_tensor **value, dp_tensor **gradients);

/* Batch-hard triplets: mean_i max(0, max_p |x_i - x_p| - min_n |x_i - x_n| + margin), p over the other rows
 * of i's label and n over those of other labels; of equal ones the first. Rows without either count as 0.
 * Reads margin, soft. (Hermans et al. 2017, eq. 5) */
DP_API dp_status dp_loss_batch_hard(dp_device *device, const dp_tensor *x, const dp_tensor *labels,
                                    const dp_loss_params *params, dp_tensor **value, dp_tensor **gradient);

#ifdef __cplusplus
}
#endif
#endif
