/* SPDX-License-Identifier: Apache-2.0 */
/* A pairwise call on its way to launches: pairwise.c chooses, pairwise_text.c writes the kernel's generated parts. */
#ifndef DP_GPU_PLANS_PAIRWISE_H
#define DP_GPU_PLANS_PAIRWISE_H

#include "gpu/step.h"

/* What one symbol is in the kernel. */
typedef struct dp__pair_operand {
    const dp_tensor *tensor; /* NULL: a scalar of the call */
    dp_tensor *staged;       /* where vectors are walked by loops: [panels of W points i, d, W] or, with scalars, [d, points i] */
    bool i, j, call;         /* the sides it is used on */
    int binding, staged_binding;
    int dim; /* components; 0: a scalar */
} dp__pair_operand;

/* The variant of the kernel body, see there: `unrolled`, W, IB, BLOCK, SUB, DIM, CHUNK, CHUNKS. */
typedef struct dp__pair_plan {
    const dp__pairwise_call *call;
    const dp__expr *expr; /* simplified */
    dp__pair_operand operand[DP_MAX_ARGS];
    int dim[DP_MAX_OUTPUTS]; /* components of each output, 1 for a scalar */
    int cut;                 /* components that are cut into chunks, DIM; 1 where none are */
    int states;              /* reductions of one point i, in one chunk */
    bool unrolled;
    int width, vectors, block, sub, chunk, chunks;
    int64_t items_i; /* work-items along i */
    int64_t parts, part;
    int bindings; /* buffers before the results */
    const char *params; /* more of the kernel's parameters, behind the results' offsets; NULL: none */
    int64_t longest; /* points j that one point i meets, at most */
    double pairs;    /* as if nothing were masked */
    dp_tensor *table; /* [vectors of i, 4] where the call has segments, see the kernel body; else NULL */
} dp__pair_plan;

/* pairwise.c, for other kernels that have these inputs. Chooses the variant by plan->call and plan->expr, and makes and fills what
 * is staged; close releases that, also after a failure. */
dp_status dp__pair_open(dp__gpu *gpu, dp__pair_plan *plan);
void dp__pair_close(dp__pair_plan *plan);
/* At least the rounds that a work-item's loops take for one value of j. */
double dp__pair_rounds(const dp__pair_plan *plan);

/* Of each result: 1, or for a mean 1 / pairs. */
float dp__pair_scale(const dp__pairwise_call *call);

/* pairwise_symmetric.c: whether a call is the sum of one set of points with itself that is best computed a pair at a time, and
 * that. `expr` is call->expr, simplified. */
bool dp__pair_fits_symmetry(dp__gpu *gpu, const dp__pairwise_call *call, const dp__expr *expr);
dp_status dp__pair_run_symmetric(dp__gpu *gpu, const dp__pairwise_call *call, const dp__expr *expr);

/* Whether an output's components are cut into chunks. */
bool dp__pair_chunked(const dp__pair_plan *plan, int output);

/* "bindings" of the kernel body. `index`: the call is argmax or argmin. */
void dp__pair_bindings(const dp__pair_plan *plan, bool index, dp__text *text);

/* The buffers before the results, and the parameters of the symbols, in the order of the bindings. */
void dp__pair_add_inputs(const dp__pair_plan *plan, dp__step *step);
void dp__pair_add_params(const dp__pair_plan *plan, dp__step *step);

/* pairwise_segments.c: sets items_i, longest, pairs, and the table of a call that has segments. */
dp_status dp__pair_choose_items(dp__gpu *gpu, dp__pair_plan *plan);
/* Copies the rows of each of the table's vectors into its panel, [d, W], of the staged tensor. */
dp_status dp__pair_stage_vectors(dp__gpu *gpu, const dp__pair_plan *plan, const dp__pair_operand *operand);
/* Means, and one result a problem: by sums and by results of each i. */
bool dp__pair_is_composed(const dp__pairwise_call *call);
dp_status dp__plan_pair_composed(dp__gpu *gpu, const dp__pairwise_call *call);

#endif
