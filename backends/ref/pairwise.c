/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate.h"
#include <math.h>

/* One call under way: a tally for each component of the formula. */
typedef struct pairs {
    const dp__pairwise_call *call;
    dp_tensor *out;
    dp__evaluator evaluator;
    dp__tally *tally;
    int width;
    const double *term, *error; /* of the pair that was evaluated last */
    bool used[3][DP_MAX_ARGS];  /* by side and symbol */
} pairs;

/* The rows that meet each other. */
typedef struct problem {
    int64_t begin_i, end_i, begin_j, end_j;
} problem;

/* Moves the rows of all symbols on one side to row `index` of their tensors. */
static void set_rows(pairs *work, dp__side side, int64_t index)
{
    const dp__pairwise_call *call = work->call;
    for (int s = 0; s < call->expr->symbol_count; s++) {
        const dp_tensor *in = call->in[s];
        dp__row *row = &work->evaluator.row[side][s];
        if (!work->used[side][s])
            continue;
        if (!in) {
            *row = (dp__row){&call->scalar[s], 1};
            continue;
        }
        const int rank = in->shape.rank;
        const int64_t step = side == DP__SIDE_CALL ? 0 : in->stride[0];
        *row = (dp__row){dp__ref_floats(in) + in->offset + index * step, rank > 0 ? in->stride[rank - 1] : 1};
    }
}

static void start(pairs *work)
{
    for (int c = 0; c < work->width; c++)
        dp__tally_start(&work->tally[c], work->call->reduction);
}

static void add_pair(pairs *work, int64_t j)
{
    const dp_reduction reduction = work->call->reduction;
    if (work->call->bound) {
        for (int c = 0; c < work->width; c++)
            dp__tally_add_bound(&work->tally[c], reduction, work->term[c], work->error[c], j);
    } else {
        for (int c = 0; c < work->width; c++)
            dp__tally_add(&work->tally[c], reduction, work->term[c], j);
    }
}

/* Whether the mask leaves the pair out. */
static bool masked(const dp__pair_segments *segments, int64_t i, int64_t j)
{
    const dp_tensor *mask = segments ? segments->mask : NULL;
    if (!mask)
        return false;
    const int64_t at = mask->offset + i / segments->tile * mask->stride[0] + j / segments->tile * mask->stride[1];
    return mask->dtype == DP_I32 ? dp__ref_ints(mask)[at] == 0 : dp__ref_floats(mask)[at] == 0;
}

static void add_row(pairs *work, int64_t i, const problem *rows)
{
    const dp__pairwise_call *call = work->call;
    const int64_t base = call->segments && call->segments->within ? rows->begin_j : 0;
    set_rows(work, DP__SIDE_I, i);
    dp__evaluate(&work->evaluator, DP__SIDE_I);
    for (int64_t j = rows->begin_j; j < rows->end_j; j++) {
        if ((call->exclude_self && i - rows->begin_i == j - rows->begin_j) || masked(call->segments, i, j))
            continue;
        set_rows(work, DP__SIDE_J, j);
        dp__evaluate(&work->evaluator, DP__SIDE_J);
        add_pair(work, j - base);
    }
}

static problem problem_at(const dp__pairwise_call *call, int64_t p)
{
    const dp__pair_segments *s = call->segments;
    return s ? (problem){s->first_i[p], s->first_i[p + 1], s->first_j[p], s->first_j[p + 1]}
             : (problem){0, call->n, 0, call->m};
}

/* How the kernels add up the pairs of the problem: blocks of j are cut at tiles, the results of parts of j and (for `all`) those
 * of i and its parts are added in blocks once more. */
static double describe_sums(pairs *work, const problem *rows)
{
    const dp__pairwise_call *call = work->call;
    const dp__pair_segments *segments = call->segments;
    const double n = (double)(rows->end_i - rows->begin_i), m = (double)(rows->end_j - rows->begin_j);
    const double tile = segments ? segments->tile : 0, part = segments ? 0 : 512, piece = 1 << 14;
    const bool mask = segments && segments->mask;
    const double blocks = mask ? ceil(tile / DP__SUM_BLOCK) * (m / tile + 2) : m / DP__SUM_BLOCK;
    const int launches = 1 + (m >= part) + (m >= piece) + (call->all ? (n < piece ? 2 : 3) : 0);
    for (int c = 0; c < work->width; c++)
        work->tally[c].launches = launches;
    return fmax(blocks * DP__SUM_BLOCK, call->all ? n : 0);
}

static void write(pairs *work, int64_t row, const problem *rows)
{
    const dp__pairwise_call *call = work->call;
    const double chain = describe_sums(work, rows);
    for (int c = 0; c < work->width; c++)
        dp__tally_write(&work->tally[c], call->reduction, chain, call->bound, work->out,
                        work->out->offset + row * work->width + c);
}

static void run(pairs *work)
{
    const dp__pairwise_call *call = work->call;
    const int64_t problems = call->segments ? call->segments->problems : 1;
    const bool each = call->segments && call->segments->each;
    const problem whole = {0, call->n, 0, call->m};
    set_rows(work, DP__SIDE_CALL, 0);
    dp__evaluate(&work->evaluator, DP__SIDE_CALL);
    start(work);
    for (int64_t p = 0; p < problems; p++) {
        const problem rows = problem_at(call, p);
        for (int64_t i = rows.begin_i; i < rows.end_i; i++) {
            add_row(work, i, &rows);
            if (!call->all) {
                write(work, i, &rows);
                start(work);
            }
        }
        if (call->all && each) {
            write(work, p, &rows);
            start(work);
        }
    }
    if (call->all && !each)
        write(work, 0, &whole);
}

static dp_status run_output(dp_device *device, const dp__pairwise_call *call, int o)
{
    const int output = call->expr->outputs[o];
    pairs work = {.call = call, .out = call->out[o], .width = dp__node_width(&call->expr->nodes[output])};
    DP_CHECK(dp__evaluator_create(device, &work.evaluator, call->expr, call->bound));
    work.term = work.evaluator.value + work.evaluator.start[output];
    work.error = call->bound ? work.evaluator.error + work.evaluator.start[output] : NULL;
    for (int side = DP__SIDE_CALL; side <= DP__SIDE_J; side++)
        for (int s = 0; s < call->expr->symbol_count; s++)
            work.used[side][s] = dp__expr_uses(call->expr, s, (dp__side)side);

    dp_status status = DP_OK;
    work.tally = dp__alloc((size_t)work.width, sizeof *work.tally);
    if (work.tally)
        run(&work);
    else
        status = dp__fail(device, DP_ERROR_MEMORY, "pairwise: no memory for %d sums", work.width);
    dp__free(work.tally);
    dp__evaluator_free(&work.evaluator);
    return status;
}

dp_status dp__ref_pairwise(dp_device *device, const dp__pairwise_call *call)
{
    for (int o = 0; o < call->expr->output_count; o++)
        DP_CHECK(run_output(device, call, o));
    return DP_OK;
}
