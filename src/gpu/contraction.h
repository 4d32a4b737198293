/* SPDX-License-Identifier: Apache-2.0 */
/* A contraction: what matrix products and the three kinds of convolution are to a GPU (kernels/contract.h has
 * the formula).
 *
 *     result[b, i, j] = alpha sum_k A[b, i, k] B[b, k, j] + beta C[b, i, j]      i < m, k < depth, j < n[2]
 * n[1] n[0] */
#ifndef DP_GPU_CONTRACTION_H
#define DP_GPU_CONTRACTION_H

#include "gpu/step.h"
#include "gpu/variants.h"

/* Where the elements of A, B, C or the result are. */
typedef struct dp__contraction_view {
    dp__buffer *buffer;
    int64_t offset, batch;
    int64_t step;      /* from row to row; of B from depth to depth */
    int64_t column[3]; /* along n[0] (innermost), n[1], n[2]; of A column[0] alone, from depth to depth */
} dp__contraction_view;

typedef struct dp__contraction {
    int64_t batches, m, n[3], depth;
    dp__contraction_view a, b, c, result; /* c is read where beta is not 0 */
    float alpha, beta;
    int table; /* 0: none; 1: steps[k] is where depth k lies in B; 2: steps[2 k] in A, steps[2 k + 1] in B */
    dp__buffer *steps;            /* i32 */
    const dp__epilogue *epilogue; /* NULL: none; one that dp__epilogue_fuses, with beta 0: its tensor is c */
    int64_t along_depth; /* with a table: how far apart in B neighbouring depths are, where these are nearer
                            than columns; else 0 */
} dp__contraction;

dp_status dp__contract(dp__gpu *gpu, const dp__contraction *call);

/* gemm.c: the same by the driver's library of matrix products (the variant "clblast"), and whether that
 * can do it. */
bool dp__contract_gemm_suits(const dp__gpu *gpu, const dp__contraction *call);
dp_status dp__contract_gemm(dp__gpu *gpu, const dp__contraction *call);

/* For the tuner and its checks. Whether a row of the table can do this call as it is; the row that is
 * taken before anything was measured; the call by a row that suits it; and that row's kernel with its
 * arguments, neither built nor run. */
bool dp__contract_suits(const dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant);
const dp__variant *dp__contract_safe(const dp__gpu *gpu, const dp__contraction *call);
dp_status dp__contract_with(dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant);
void dp__contract_step(const dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant,
                       dp__step *step);

#endif
