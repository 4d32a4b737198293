/* SPDX-License-Identifier: Apache-2.0 */
/* The form with loops goes by levels: a reduction over components is one level above what it reduces. The phase of a level first
 * computes the scalars that its vectors need and no loop has made yet, then one loop a dimension makes its reductions. What depends
 * on neither j nor a reduction stands outside of the loops over the block. */
#include "expr/emit.h"

#include <stdio.h>

/* A loop over the pairs of a block, in sub-blocks of SUB that are unrolled; closed by close_block. */
static void open_sub_block(emitter *e)
{
    dp__emit_open_scope(e, "UNROLL for (int r = 0; r < SUB; r++)");
    LINE(e, "const int b = s + r;");
}

static void open_block(emitter *e)
{
    dp__emit_open_scope(e, "for (int s = 0; s < BLOCK; s += SUB)");
    open_sub_block(e);
}

static void close_block(emitter *e)
{
    dp__emit_close_scope(e);
    dp__emit_close_scope(e);
}

#define SUB_LOOP "UNROLL for (int r = 0; r < SUB; r++)"

static bool is_available(const emitter *e, int n)
{
    return dp__node_is_literal(at(e, n)->kind) || has(e, n, KEPT | DECLARED) || reduces(e, n);
}

/* Flags what the operation n reads itself: through a product in an FMA its factors. */
static void flag_operands(emitter *e, int n, unsigned flag)
{
    for (int o = 0; o < operand_count(e, n); o++) {
        const int x = at(e, n)->operand[o];
        if (has(e, x, FUSED))
            flag_operands(e, x, flag);
        else
            e->flags[x] |= flag;
    }
}

/* From flagged vectors, or flagged scalars, down to all they need that is not there yet. */
static void close_over(emitter *e, unsigned flag, bool vectors)
{
    for (int n = e->expr->node_count - 1; n >= 0; n--)
        if (has(e, n, flag) && !is_available(e, n) && (at(e, n)->dim > 0) == vectors)
            flag_operands(e, n, flag);
}

/* What output o's statement reads: the output, or the factors of a product. */
static void flag_output(emitter *e, int o, unsigned flag)
{
    const int output = e->expr->outputs[o];
    if (has(e, output, FUSED))
        flag_operands(e, output, flag);
    else
        e->flags[output] |= flag;
}

static void clear(emitter *e, unsigned flag)
{
    for (int n = 0; n < e->expr->node_count; n++)
        e->flags[n] &= ~flag;
}

/* The statements of the flagged nodes, those that are uniform or the others. */
static void add_flagged(emitter *e, unsigned flag, bool vectors, bool uniform)
{
    for (int n = 0; n < e->expr->node_count; n++) {
        if (!has(e, n, flag) || is_available(e, n) || (at(e, n)->dim > 0) != vectors ||
            has(e, n, UNIFORM) != uniform)
            continue;
        if (has(e, n, TO_KEEP))
            e->flags[n] |= KEPT;
        dp__emit_statement(e, n, 0);
        if (uniform && !vectors)
            e->flags[n] |= DECLARED;
    }
}

/* Before a loop over components: the scalars that its vectors want, but for loads that depend on j. */
static void add_wanted_scalars(emitter *e)
{
    bool any = false;
    clear(e, NEEDED | TO_KEEP);
    for (int n = 0; n < e->expr->node_count; n++) {
        if (!has(e, n, WANTED) || at(e, n)->dim > 0 || is_available(e, n))
            continue;
        if (has(e, n, UNIFORM)) {
            e->flags[n] |= NEEDED;
        } else if (!is_load(e, n)) {
            e->flags[n] |= NEEDED | TO_KEEP;
            LINE(e, "REAL v%d[BLOCK];", n);
            any = true;
        }
    }
    close_over(e, NEEDED, false);
    add_flagged(e, NEEDED, false, true);
    if (!any)
        return;
    open_block(e);
    add_flagged(e, NEEDED, false, false);
    close_block(e);
}

/* Inside a loop over components and one over pairs: the wanted vectors that differ between pairs. */
static void add_wanted_vectors(emitter *e)
{
    for (int n = 0; n < e->expr->node_count; n++)
        if (has(e, n, WANTED) && is_load(e, n) && at(e, n)->dim == 0 && !is_available(e, n))
            dp__emit_statement(e, n, 0);
    add_flagged(e, WANTED, true, false);
}

/* The first reduction from n on of this level and over this many components, or the number of nodes. */
static int next_in_phase(const emitter *e, int n, int level, int dim)
{
    while (n < e->expr->node_count && !(has(e, n, LIVE) && reduces(e, n) && e->level[n] == level &&
                                        at(e, at(e, n)->operand[0])->dim == dim))
        n++;
    return n;
}

#define FOR_PHASE(n)                                                                                         \
    for (int n = next_in_phase(e, 0, level, dim); n < e->expr->node_count;                                   \
         n = next_in_phase(e, n + 1, level, dim))

/* The loops over the components of a phase, for a sub-block of pairs: over blocks of DP__SUM_BLOCK where there are more. */
static void add_component_loop(emitter *e, int level, int dim)
{
    const bool blocked = dim > DP__SUM_BLOCK;
    const int step = DP__SUM_BLOCK;
    char head[128];
    snprintf(head, sizeof(head), "for (int c = 0; c < %d; c++)", dim);
    if (blocked) {
        snprintf(head, sizeof(head), "for (int c0 = 0; c0 < %d; c0 += %d)", dim, step);
        dp__emit_open_scope(e, head);
        FOR_PHASE(n)
        if (is_blocked(e, n))
            LINE(e, SUB_LOOP " p%d[r] = SPLAT(0.0f);", n);
        snprintf(head, sizeof(head), "for (int c = c0; c < (c0 + %d < %d ? c0 + %d : %d); c++)", step, dim,
                 step, dim);
    }
    dp__emit_open_scope(e, head);
    add_flagged(e, WANTED, true, true);
    open_sub_block(e);
    add_wanted_vectors(e);
    FOR_PHASE(n) dp__emit_step(e, n, true, 0);
    dp__emit_close_scope(e);
    dp__emit_close_scope(e);
    if (blocked) {
        FOR_PHASE(n)
        if (is_blocked(e, n))
            LINE(e, SUB_LOOP " TWO_SUM(t%d[r], e%d[r], p%d[r]);", n, n, n);
        dp__emit_close_scope(e);
    }
}

/* The reductions of a phase for each sub-block: p<n> are partial sums, t<n> and e<n> the totals of long ones. */
static void emit_phase(emitter *e, int level, int dim)
{
    clear(e, WANTED);
    FOR_PHASE(n) flag_operands(e, n, WANTED);
    close_over(e, WANTED, true);
    add_wanted_scalars(e);
    FOR_PHASE(n)
    {
        e->flags[n] |= KEPT;
        LINE(e, "REAL v%d[BLOCK];", n);
    }
    dp__emit_open_scope(e, "for (int s = 0; s < BLOCK; s += SUB)");
    FOR_PHASE(n)
    {
        LINE(e, "REAL p%d[SUB];", n);
        LINE(e, SUB_LOOP " p%d[r] = %s;", n, dp__emit_neutral(e, n));
        if (is_blocked(e, n)) {
            LINE(e, "REAL t%d[SUB], e%d[SUB];", n, n);
            LINE(e, SUB_LOOP " t%d[r] = e%d[r] = SPLAT(0.0f);", n, n);
        }
    }
    add_component_loop(e, level, dim);
    FOR_PHASE(n)
    if (is_blocked(e, n))
        LINE(e, SUB_LOOP " v%d[s + r] = t%d[r] + e%d[r];", n, n, n);
    else
        LINE(e, SUB_LOOP " v%d[s + r] = p%d[r];", n, n);
    dp__emit_close_scope(e);
}

/* The statement before or behind the loop over a block's pairs, for each output of this dimension. */
static void add_outputs_line(const emitter *e, const char *macro, const char *component, int dim)
{
    for (int o = 0; o < e->expr->output_count; o++)
        if (at(e, e->expr->outputs[o])->dim == dim)
            LINE(e, "%s(%d, %s);", macro, o, component);
}

static void emit_scalar_outputs(emitter *e)
{
    const dp__expr *expr = e->expr;
    bool any = false;
    clear(e, NEEDED | TO_KEEP);
    for (int o = 0; o < expr->output_count; o++) {
        if (at(e, expr->outputs[o])->dim == 0) {
            flag_output(e, o, NEEDED);
            any = true;
        }
    }
    if (!any)
        return;
    close_over(e, NEEDED, false);
    add_flagged(e, NEEDED, false, true);
    add_outputs_line(e, "OUTPUT_BEGIN", "0", 0);
    open_block(e);
    add_flagged(e, NEEDED, false, false);
    for (int o = 0; o < expr->output_count; o++)
        if (at(e, expr->outputs[o])->dim == 0)
            dp__emit_output(e, o, "0", 0);
    close_block(e);
    add_outputs_line(e, "OUTPUT_END", "0", 0);
}

static void emit_vector_outputs(emitter *e, int dim)
{
    const dp__expr *expr = e->expr;
    clear(e, WANTED);
    for (int o = 0; o < expr->output_count; o++)
        if (at(e, expr->outputs[o])->dim == dim)
            flag_output(e, o, WANTED);
    close_over(e, WANTED, true);
    add_wanted_scalars(e);
    dp__emit_open_scope(e, "for (int c = FIRST_COMPONENT; c < END_COMPONENT; c++)");
    add_flagged(e, WANTED, true, true);
    add_outputs_line(e, "OUTPUT_BEGIN", "c", dim);
    dp__emit_open_scope(e, "UNROLL for (int r = 0; r < BLOCK; r++)");
    LINE(e, "const int b = r;");
    add_wanted_vectors(e);
    for (int o = 0; o < expr->output_count; o++)
        if (at(e, expr->outputs[o])->dim == dim)
            dp__emit_output(e, o, "c", 0);
    dp__emit_close_scope(e);
    add_outputs_line(e, "OUTPUT_END", "c", dim);
    dp__emit_close_scope(e);
}

void dp__emit_loops(emitter *e)
{
    const dp__expr *expr = e->expr;
    int levels = 0;
    for (int n = 0; n < expr->node_count; n++)
        levels = DP_MAX2(levels, e->level[n]);
    for (int level = 1; level <= levels; level++)
        for (int n = 0; n < expr->node_count; n++)
            if (has(e, n, LIVE) && reduces(e, n) && e->level[n] == level && !has(e, n, KEPT))
                emit_phase(e, level, at(e, at(e, n)->operand[0])->dim);
    emit_scalar_outputs(e);
    for (int o = 0; o < expr->output_count; o++) {
        const int dim = at(e, expr->outputs[o])->dim;
        bool done = dim == 0;
        for (int p = 0; p < o; p++)
            done = done || at(e, expr->outputs[p])->dim == dim;
        if (!done)
            emit_vector_outputs(e, dim);
    }
}
