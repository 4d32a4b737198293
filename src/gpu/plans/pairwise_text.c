/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/plans/pairwise.h"

static bool used(const dp__pair_operand *operand)
{
    return operand->i || operand->j || operand->call;
}

/* Strides of a tensor that is packed are part of the kernel's text; others are parameters. */
static bool packed(const dp__pair_operand *operand)
{
    return dp_tensor_contiguous(operand->tensor);
}

bool dp__pair_chunked(const dp__pair_plan *plan, int output)
{
    return !plan->unrolled && plan->expr->nodes[plan->expr->outputs[output]].dim > 0;
}

static void emit_buffers(const dp__pair_plan *plan, bool index, dp__text *text)
{
    const int outputs = plan->expr->output_count;
    dp__text_add(text, "#define BUFFERS(IN, OUT)");
    const dp_tensor *mask = plan->table ? plan->call->segments->mask : NULL;
    const int operands = plan->bindings - (plan->table ? 1 : 0) - (mask ? 1 : 0);
    for (int b = 0; b < operands; b++)
        dp__text_add(text, " IN(%d, float, b%d)", b, b);
    if (plan->table)
        dp__text_add(text, " IN(%d, int, table)", operands);
    if (mask)
        dp__text_add(text, " IN(%d, %s, mask)", operands + 1, mask->dtype == DP_I32 ? "int" : "float");
    for (int o = 0; o < outputs; o++)
        dp__text_add(text, " OUT(%d, float, result%d)", plan->bindings + o, o);
    if (index)
        dp__text_add(text, " OUT(%d, int, result_index)", plan->bindings + outputs);
    dp__text_add(text, "\n");
}

/* The first ones are those that launch() in pairwise.c gives. */
static void emit_params(const dp__pair_plan *plan, dp__text *text)
{
    dp__text_add(text, "#define PARAMS(P) P(int, n) P(int, m) P(int, first_item) P(int, end_item) P(int, part) "
                       "P(float, scale)");
    for (int o = 0; o < plan->expr->output_count; o++)
        dp__text_add(text, " P(int, result_offset%d)", o);
    dp__text_add(text, "%s", plan->params ? plan->params : "");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        if (operand->call && !operand->tensor)
            dp__text_add(text, " P(float, scalar%d)", s);
        else if (used(operand))
            dp__text_add(text, packed(operand) ? " P(int, offset%d)" : " P(int, offset%d) P(int, row%d) P(int, column%d)",
                         s, s, s);
    }
    if (plan->table)
        dp__text_add(text, " P(int, rows)%s",
                     plan->call->segments->mask ? " P(int, mask_offset) P(int, mask_row) P(int, mask_column)" : "");
    dp__text_add(text, "\n");
    for (int s = 0; s < plan->expr->symbol_count; s++)
        if (used(&plan->operand[s]) && plan->operand[s].tensor && packed(&plan->operand[s]))
            dp__text_add(text, "#define row%d %d\n#define column%d 1\n", s, DP_MAX2(plan->operand[s].dim, 1), s);
}

void dp__pair_add_inputs(const dp__pair_plan *plan, dp__step *step)
{
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        if (operand->tensor && (operand->j || operand->call || (operand->i && !operand->staged)))
            dp__step_in(step, operand->tensor->buffer);
        if (operand->staged)
            dp__step_in(step, operand->staged->buffer);
    }
    if (plan->table)
        dp__step_in(step, plan->table->buffer);
    if (plan->table && plan->call->segments->mask)
        dp__step_in(step, plan->call->segments->mask->buffer);
}

void dp__pair_add_params(const dp__pair_plan *plan, dp__step *step)
{
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        if (operand->call && !operand->tensor) {
            dp__step_float(step, plan->call->scalar[s]);
        } else if (used(operand)) {
            dp__step_int(step, operand->tensor->offset);
            if (!packed(operand)) {
                dp__step_int(step, operand->tensor->stride[0]);
                dp__step_int(step, operand->tensor->shape.rank > 1 ? operand->tensor->stride[1] : 0);
            }
        }
    }
    if (!plan->table)
        return;
    const dp_tensor *mask = plan->call->segments->mask;
    dp__step_int(step, plan->items_i);
    for (int k = 0; mask && k < 3; k++)
        dp__step_int(step, k == 0 ? mask->offset : mask->stride[k - 1]);
}

/* Scalars and vectors of the call are read where they are used, from addresses that all work-items share. */
static void emit_call_side(const dp__pair_plan *plan, dp__text *text)
{
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        if (operand->call && !operand->tensor)
            dp__text_add(text, "#define SYM%d_C(c) SPLAT(scalar%d)\n", s, s);
        else if (operand->call)
            dp__text_add(text, "#define SYM%d_C(c) SPLAT(b%d[offset%d + (c) * row%d])\n", s, operand->binding, s, s);
    }
}

/* x<s>[b, c] in registers, loaded lane by lane with the last point repeated; staged vectors stay in memory. */
static void emit_i_side(const dp__pair_plan *plan, dp__text *text)
{
    dp__text_add(text, "#define LOAD_I");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        const int dim = DP_MAX2(operand->dim, 1);
        if (!operand->i || operand->staged)
            continue;
        dp__text_add(text,
                     " REAL x%d[IB * %d]; for (int b = 0; b < IB; b++) for (int c = 0; c < %d; c++) for (int lane = 0; "
                     "lane < W; lane++) SET_LANE(x%d[b * %d + c], lane, b%d[offset%d + min(first_i + b * W + lane, n - 1) "
                     "* row%d + c * column%d]);",
                     s, dim, dim, s, dim, operand->binding, s, s, s);
    }
    dp__text_add(text, "\n");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        if (operand->staged && plan->width > 1)
            dp__text_add(text, "#define SYM%d_I(c) LOAD(b%d, %s * %d + (c) * W)\n", s, operand->staged_binding,
                         plan->table ? "item % vectors * W" : "first_i", operand->dim);
        else if (operand->staged)
            dp__text_add(text, "#define SYM%d_I(c) b%d[(c) * n + first_i]\n", s, operand->staged_binding);
        else if (operand->i && plan->unrolled)
            dp__text_add(text, "#define SYM%d_I(c) x%d[b * %d + (c)]\n", s, s, DP_MAX2(operand->dim, 1));
        else if (operand->i)
            dp__text_add(text, "#define SYM%d_I(c) x%d[c]\n", s, s);
    }
}

/* y<s>_<c> in registers, or with loops the place of a block's first row. */
static void emit_j_side(const dp__pair_plan *plan, dp__text *text)
{
    dp__text_add(text, "#define LOAD_J");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        if (!operand->j)
            continue;
        if (!plan->unrolled)
            dp__text_add(text, " PLACE(at%d, b%d, offset%d + first_j * row%d);", s, operand->binding, s, s);
        for (int c = 0; plan->unrolled && c < DP_MAX2(operand->dim, 1); c++)
            dp__text_add(text, " const REAL y%d_%d = SPLAT(b%d[offset%d + j * row%d + %d * column%d]);", s, c,
                         operand->binding, s, s, c, s);
    }
    dp__text_add(text, "\n");
    for (int s = 0; s < plan->expr->symbol_count; s++) {
        const dp__pair_operand *operand = &plan->operand[s];
        if (operand->j && plan->unrolled)
            dp__text_add(text, "#define SYM%d_J(c) y%d_##c\n", s, s);
        else if (operand->j)
            dp__text_add(text, "#define SYM%d_J(c) SPLAT(AT_PLACE(at%d, b%d, b * row%d + (c) * column%d))\n", s, s,
                         operand->binding, s, s);
    }
}

/* Where each output's reductions are among the states, and how they are written. */
static void emit_outputs(const dp__pair_plan *plan, dp__text *text)
{
    int state = 0;
    for (int o = 0; o < plan->expr->output_count; o++) {
        const bool chunked = dp__pair_chunked(plan, o);
        dp__text_add(text, "#define STATE%d(b, c) ((b) * %d + %d + (c)%s)\n", o, plan->states, state,
                     chunked ? " - first_component" : "");
        state += chunked ? plan->chunk : plan->dim[o];
    }
    dp__text_add(text, "#define WRITE_ALL");
    for (int o = 0; o < plan->expr->output_count; o++) {
        if (dp__pair_chunked(plan, o))
            dp__text_add(text, " WRITE(%d, %d, first_component, min(first_component + CHUNK, %d))", o, plan->dim[o],
                         plan->dim[o]);
        else
            dp__text_add(text, " WRITE(%d, %d, 0, first_component > 0 ? 0 : %d)", o, plan->dim[o], plan->dim[o]);
    }
    dp__text_add(text, "\n");
}

void dp__pair_bindings(const dp__pair_plan *plan, bool index, dp__text *text)
{
    emit_buffers(plan, index, text);
    emit_params(plan, text);
    emit_call_side(plan, text);
    emit_i_side(plan, text);
    emit_j_side(plan, text);
    emit_outputs(plan, text);
}
