/* SPDX-License-Identifier: Apache-2.0 */
/* Vector quantisation: each vector is replaced by the nearest one of a codebook, and gradients go straight through. */
#ifndef DIPOLE_VQ_H
#define DIPOLE_VQ_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_vq_params {
    double beta;  /* weight of the commitment; 0 means 0.25; at most 1e6 */
    bool swapped; /* the weights exchanged: 1 for the commitment, beta for the codebook, as a published implementation has it */
} dp_vq_params;

/* z: f32 [N, d], codebook: f32 [K, d], N, K and d of 1 or more. With k(n) = the first of the nearest codes of z_n (Euclidean) returns
 *     mean (SG(z) - code_k)^2 + beta mean (z - SG(code_k))^2
 * over all N d elements, a new tensor []; SG stops gradients: the first term moves codes, the second z. (van den Oord, Vinyals,
 * Kavukcuoglu 2017, eq. 3.) Codes are usually begun uniform in -1/K .. 1/K.
 * `quantised` (may be NULL) receives z + SG(code_k - z), [N, d]: the codes, with the gradient of z. `codes` (may be NULL): k, i32 [N].
 * `params` may be NULL. On failure all are NULL. */
DP_API dp_tensor *dp_vq(dp_device *device, const dp_tensor *z, const dp_tensor *codebook, const dp_vq_params *params,
                        dp_tensor **quantised, dp_tensor **codes);

#ifdef __cplusplus
}
#endif
#endif
