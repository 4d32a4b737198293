/* SPDX-License-Identifier: Apache-2.0 */
/* Lists made of lists: for calls that compute something of a user's formula. */
#include "expr/expr.h"

#include <string.h>

static dp__expr *new_list(int nodes, int outputs)
{
    dp__expr *expr = dp__alloc(1, sizeof(*expr));
    if (!expr)
        return NULL;
    expr->nodes = dp__alloc((size_t)nodes, sizeof(*expr->nodes));
    expr->outputs = dp__alloc((size_t)outputs, sizeof(*expr->outputs));
    expr->node_count = nodes;
    expr->output_count = outputs;
    if (!expr->nodes || !expr->outputs)
        dp__expr_free(&expr);
    return expr;
}

dp__expr *dp__expr_join(const dp__expr *first, const dp__expr *second)
{
    const int shift = first->node_count, outputs = first->output_count;
    dp__expr *both = new_list(shift + second->node_count, outputs + second->output_count);
    if (!both)
        return NULL;
    both->symbol_count = DP_MAX2(first->symbol_count, second->symbol_count);
    memcpy(both->nodes, first->nodes, (size_t)shift * sizeof(*both->nodes));
    memcpy(both->outputs, first->outputs, (size_t)outputs * sizeof(*both->outputs));
    for (int n = 0; n < second->node_count; n++) {
        dp__node node = second->nodes[n];
        for (int o = 0; o < 3; o++)
            node.operand[o] += node.operand[o] >= 0 ? shift : 0;
        both->nodes[shift + n] = node;
    }
    for (int o = 0; o < second->output_count; o++)
        both->outputs[outputs + o] = second->outputs[o] + shift;
    return both;
}

dp__expr *dp__expr_extend(const dp__expr *expr, const dp__node *nodes, int count)
{
    const int before = expr->node_count;
    dp__expr *result = new_list(before + count, 1);
    if (!result)
        return NULL;
    result->symbol_count = expr->symbol_count;
    memcpy(result->nodes, expr->nodes, (size_t)before * sizeof(*result->nodes));
    for (int n = 0; n < count; n++) {
        result->nodes[before + n] = nodes[n];
        if (nodes[n].kind == DP__NODE_SYMBOL)
            result->symbol_count = DP_MAX2(result->symbol_count, nodes[n].symbol + 1);
    }
    result->outputs[0] = before + count - 1;
    return result;
}

void dp__expr_rename(dp__expr *expr, int symbol, dp__side side, int new_symbol, dp__side new_side)
{
    for (int n = 0; n < expr->node_count; n++) {
        dp__node *node = &expr->nodes[n];
        if (node->kind == DP__NODE_SYMBOL && node->symbol == symbol && node->side == side) {
            node->symbol = new_symbol;
            node->side = new_side;
        }
    }
    expr->symbol_count = DP_MAX2(expr->symbol_count, new_symbol + 1);
}
