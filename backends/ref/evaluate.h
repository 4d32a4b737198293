/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator of formulas: runs the list of nodes as it stands, in double precision. Nodes that depend on
 * parameters of the call alone, on i, and on j are run apart, so that a loop over pairs repeats only what
 * changes. */
#ifndef DP_REF_EVALUATE_H
#define DP_REF_EVALUATE_H

#include "ref.h"

/* Where a symbol's components lie. Or, with `exact`, one scalar that is no input but computed: its exact value,
 * and how far what a kernel has may be from it. */
typedef struct dp__row {
    const float *data;
    int64_t stride;
    const double *exact;
    double error;
} dp__row;

typedef struct dp__evaluator {
    const dp__expr *expr;
    dp__row row[3][DP_MAX_ARGS]; /* by side and symbol; the caller moves them */
    size_t *start;               /* node n's components are value[start[n]] ... and error[start[n]] ... */
    double *value;
    double *error;        /* how far f32 arithmetic may be off; NULL unless asked for */
    bool *never_negative; /* per node, in f32 arithmetic too */
    int *order;           /* the nodes, those of the call first, then those of i, then those of j */
    int order_end[3];
} dp__evaluator;

dp_status dp__evaluator_create(dp_device *device, dp__evaluator *evaluator, const dp__expr *expr, bool bound);
void dp__evaluator_free(dp__evaluator *evaluator);

/* Runs the nodes that depend on that side (call: the constants and the call's parameters; i; j), from the
 * rows as they are now. A side's nodes also use those of the sides before it. */
void dp__evaluate(dp__evaluator *evaluator, dp__side side);

/* evaluate_error.c: the errors of one node's components, after its value was computed. */
void dp__evaluate_error(dp__evaluator *evaluator, int node);
/* Fills evaluator->never_negative. */
void dp__evaluate_signs(dp__evaluator *evaluator);

static inline int dp__node_width(const dp__node *node)
{
    return node->dim > 0 ? node->dim : 1;
}

#endif
