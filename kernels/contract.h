/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of a contraction share:
 *
 *     result[i, j] = alpha sum_k A[i, k] B[k, j] + beta C[i, j]      i < m, k < depth, j < n2 n1 n0
 *
 * A column j is a place (j2, j1, j0) of three axes with strides of their own, so that a convolution is one:
 * its columns are the output's pixels and its depths the taps, whose place in B a table gives. Depths may be
 * cut into slices, each of which has a result.
 *
 *     TABLE   0: A's and B's places are multiples of k
 *             1: B's are steps[k]
 *             2: A's are steps[2 k], B's steps[2 k + 1]
 *     A_UNIT  1: a_column is 1
 *
 * EPILOGUE 1: "formula" defines SYM<s>_C for own (alpha A B), other (C's element, with OTHER) and scalar
 * (beta's place), and computes out0 from them, which is the result. panels: of contract_panels, PANELS_N
 * << 16 | PANELS_M. */
#define BUFFERS(IN, OUT)                                                                                     \
    IN(0, float, a) IN(1, float, b) IN(2, float, c) IN(3, int, steps) OUT(4, float, result)
#define PARAMS(P)                                                                                            \
    P(int, batches) P(int, panels) P(int, m) P(int, n0) P(int, n1) P(int, n2) P(int, depth)                  \
    P(int, slice_depth)                                                                                      \
    P(int, a_offset) P(int, a_batch) P(int, a_row) P(int, a_column)                                          \
    P(int, b_offset) P(int, b_batch) P(int, b_row) P(int, b_2) P(int, b_1) P(int, b_0)                       \
    P(int, c_offset) P(int, c_batch) P(int, c_row) P(int, c_2) P(int, c_1) P(int, c_0)                       \
    P(int, result_offset) P(int, result_batch) P(int, result_row) P(int, result_2) P(int, result_1)          \
    P(int, result_0) P(float, alpha) P(float, beta)

#if TABLE == 2
#define A_STEP(k) steps[2 * (k)]
#elif A_UNIT
#define A_STEP(k) (k)
#else
#define A_STEP(k) ((k) * a_column)
#endif

#if TABLE == 2
#define B_STEP(k) steps[2 * (k) + 1]
#elif TABLE == 1
#define B_STEP(k) steps[k]
#else
#define B_STEP(k) ((k) * b_row)
#endif

/* Where the three axes of a column lead in a buffer. */
#define COLUMN_AT(name, j2, j1, j0) ((j2) * CAT(name, _2) + (j1) * CAT(name, _1) + (j0) * CAT(name, _0))

#if EPILOGUE
FUNCTION REAL epilogue(REAL own, REAL other, float scalar)
{
#include "formula"
    return out0;
}
#define USES_C (OTHER != 0)
#define FINISH(value, c_value) epilogue(alpha *(value), c_value, beta)
#else
#define USES_C (beta != 0.0f)
#define FINISH(value, c_value) (alpha * (value) + beta * (c_value))
#endif

FUNCTION float finish_one(float value, float c_value, float alpha, float beta)
{
    const REAL finished = FINISH(SPLAT(value), SPLAT(c_value));
    return LANE(finished, 0);
}
