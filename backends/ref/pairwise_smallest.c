/* SPDX-License-Identifier: Apache-2.0 */
/* The k smallest of each row: all of its values, sorted. */
#include "evaluate.h"
#include <math.h>
#include <stdlib.h>

typedef struct entry {
    double value;
    int64_t j;
} entry;

/* What f32 arithmetic may have of a pair. */
typedef struct reach {
    double low, high, error;
} reach;

typedef struct rows {
    const dp__pairwise_smallest_call *call;
    dp__evaluator evaluator;
    const double *term, *error; /* of the pair that was evaluated last */
    entry *exact;               /* a row's pairs that are taken */
    reach *reach;               /* for the bound, all of a row's pairs, */
    double *low, *high;         /* and the ends of each, sorted apart */
    int64_t taken, pairs;
} rows;

/* Moves the rows of all symbols on one side to row `index` of their tensors. */
static void set_rows(rows *work, dp__side side, int64_t index)
{
    const dp__pairwise_call *pairs = &work->call->pairs;
    for (int n = 0; n < pairs->expr->node_count; n++) {
        const dp__node *node = &pairs->expr->nodes[n];
        if (node->kind != DP__NODE_SYMBOL || node->side != side)
            continue;
        const int s = node->symbol;
        const dp_tensor *in = pairs->in[s];
        if (!in) {
            work->evaluator.row[side][s] = (dp__row){&pairs->scalar[s], 1};
            continue;
        }
        const int rank = in->shape.rank;
        const int64_t at = in->offset + (side == DP__SIDE_CALL ? 0 : index * in->stride[0]);
        work->evaluator.row[side][s] =
            (dp__row){dp__ref_floats(in) + at, rank > 0 ? in->stride[rank - 1] : 1};
    }
}

/* A value that f32 cannot tell from infinity, or a NaN, is not taken. */
static bool taken(double value)
{
    return (float)value < INFINITY;
}

static void add_pair(rows *work, int64_t j)
{
    const double value = *work->term;
    if (taken(value))
        work->exact[work->taken++] = (entry){value, j};
    if (!work->error)
        return;
    const double error = isnan(value) ? (double)INFINITY : *work->error;
    const int64_t p = work->pairs++;
    work->low[p] = isinf(error) ? -(double)INFINITY : value - error;
    work->high[p] = isinf(error) ? (double)INFINITY : value + error;
    work->reach[p] = (reach){work->low[p], work->high[p], error};
}

static int smaller_first(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->j > y->j) - (x->j < y->j);
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void collect(rows *work, int64_t i)
{
    const dp__pairwise_call *pairs = &work->call->pairs;
    work->taken = work->pairs = 0;
    set_rows(work, DP__SIDE_I, i);
    dp__evaluate(&work->evaluator, DP__SIDE_I);
    for (int64_t j = 0; j < pairs->m; j++) {
        if (pairs->exclude_self && i == j)
            continue;
        set_rows(work, DP__SIDE_J, j);
        dp__evaluate(&work->evaluator, DP__SIDE_J);
        add_pair(work, j);
    }
    qsort(work->exact, (size_t)work->taken, sizeof(entry), smaller_first);
    if (work->error) {
        qsort(work->low, (size_t)work->pairs, sizeof(double), ascending);
        qsort(work->high, (size_t)work->pairs, sizeof(double), ascending);
    }
}

static double nth_value(const rows *work, int t)
{
    return t < work->taken ? work->exact[t].value : (double)INFINITY;
}

/* The f32 values lie in [value - error, value + error] each, so the t-th smallest of them lies between the
 * t-th smallest of the lower ends and that of the upper ends. The pair that has it is one whose interval
 * reaches into that range, and its exact value is within its own error of it. */
static void write_bounds(rows *work, int64_t at, int t)
{
    const double value = nth_value(work, t);
    const double least = t < work->pairs ? work->low[t] : (double)INFINITY;
    const double most = t < work->pairs ? work->high[t] : (double)INFINITY;
    const double bound = fmax(most == value ? 0 : most - value, least == value ? 0 : value - least);
    double worst = 0;
    for (int64_t p = 0; p < work->pairs; p++)
        if (work->reach[p].low <= most && work->reach[p].high >= least)
            worst = fmax(worst, work->reach[p].error);
    dp__ref_floats(work->call->values)[at] = dp__bound_round_up(bound);
    dp__ref_floats(work->call->indices)[at] = dp__bound_round_up(bound + worst);
}

static void write_row(rows *work, int64_t i)
{
    const dp__pairwise_smallest_call *call = work->call;
    for (int t = 0; t < call->k; t++) {
        const int64_t at = i * call->k + t;
        if (call->pairs.bound) {
            write_bounds(work, at, t);
        } else {
            dp__ref_floats(call->values)[at] = (float)nth_value(work, t);
            dp__ref_ints(call->indices)[at] = t < work->taken ? (int32_t)work->exact[t].j : -1;
        }
    }
}

static dp_status allocate(dp_device *device, rows *work)
{
    const size_t m = (size_t)work->call->pairs.m;
    const bool bound = work->call->pairs.bound;
    work->exact = dp__alloc(m, sizeof(entry));
    if (bound) {
        work->reach = dp__alloc(m, sizeof(reach));
        work->low = dp__alloc(m, sizeof(double));
        work->high = dp__alloc(m, sizeof(double));
    }
    const bool all = work->exact && (!bound || (work->reach && work->low && work->high));
    return all ? DP_OK
               : dp__fail(device, DP_ERROR_MEMORY, "pairwise_smallest: no memory for a row of %zu values", m);
}

static void release(rows *work)
{
    dp__free(work->exact);
    dp__free(work->reach);
    dp__free(work->low);
    dp__free(work->high);
    dp__evaluator_free(&work->evaluator);
}

dp_status dp__ref_pairwise_smallest(dp_device *device, const dp__pairwise_smallest_call *call)
{
    const dp__pairwise_call *pairs = &call->pairs;
    const int output = pairs->expr->outputs[0];
    rows work = {.call = call};
    DP_CHECK(dp__evaluator_create(device, &work.evaluator, pairs->expr, pairs->bound));
    work.term = work.evaluator.value + work.evaluator.start[output];
    work.error = pairs->bound ? work.evaluator.error + work.evaluator.start[output] : NULL;
    const dp_status status = allocate(device, &work);
    if (status == DP_OK) {
        set_rows(&work, DP__SIDE_CALL, 0);
        dp__evaluate(&work.evaluator, DP__SIDE_CALL);
        for (int64_t i = 0; i < pairs->n; i++) {
            collect(&work, i);
            write_row(&work, i);
        }
    }
    release(&work);
    return status;
}
