/* SPDX-License-Identifier: Apache-2.0 */
/* Derivatives along directions: what a second differentiation starts from. */
#include "expr/expr.h"

enum { MOST = 3 }; /* places of one symbol */

int dp__expr_places(const dp__expr *expr, int symbol, dp__indexed places[3])
{
    int count = 0;
    for (int side = DP__SIDE_CALL; side <= DP__SIDE_J; side++)
        for (int n = 0; n < expr->node_count; n++) {
            const dp__node *node = &expr->nodes[n];
            if (node->kind != DP__NODE_SYMBOL || node->symbol != symbol || node->side != (dp__side)side)
                continue;
            places[count++] = (dp__indexed){symbol, (dp__side)side, node->dim};
            break;
        }
    return count;
}

static dp__node symbol_node(dp__indexed s)
{
    return (dp__node){
        .kind = DP__NODE_SYMBOL, .dim = s.dim, .operand = {-1, -1, -1}, .symbol = s.symbol, .side = s.side};
}

static dp__node operation(dp__node_kind kind, int dim, int a, int b, int c)
{
    return (dp__node){.kind = kind, .dim = dim, .operand = {a, b, c}};
}

/* factor * sum_k <along_k, output k of slopes> */
static dp__expr *combine(const dp__expr *slopes, const dp__direction *directions, int count,
                         dp__indexed factor)
{
    dp__node nodes[4 * MOST + 2];
    const int base = slopes->node_count;
    int added = 0, sum = -1;
    for (int k = 0; k < count; k++) {
        const dp__indexed along = directions[k].along;
        const int slope = slopes->outputs[k], dim = DP_MAX2(slopes->nodes[slope].dim, along.dim);
        nodes[added++] = symbol_node(along);
        nodes[added] = operation(DP__NODE_MUL, dim, base + added - 1, slope, -1);
        added++;
        if (dim > 0) {
            nodes[added] = operation(DP__NODE_SUM, 0, base + added - 1, -1, -1);
            added++;
        }
        const int term = base + added - 1;
        if (sum >= 0)
            nodes[added++] = operation(DP__NODE_ADD, 0, sum, term, -1);
        sum = base + added - 1;
    }
    if (sum < 0) {
        nodes[added++] = (dp__node){.kind = DP__NODE_CONST, .operand = {-1, -1, -1}};
        sum = base;
    }
    if (factor.symbol >= 0) {
        nodes[added++] = symbol_node(factor);
        nodes[added] = operation(DP__NODE_MUL, 0, base + added - 1, sum, -1);
        added++;
    }
    return dp__expr_extend(slopes, nodes, added);
}

static const dp__node *on_side(const dp__expr *expr, dp__side side)
{
    for (int n = 0; n < expr->node_count; n++)
        if (expr->nodes[n].kind == DP__NODE_SYMBOL && expr->nodes[n].side == side)
            return &expr->nodes[n];
    return NULL;
}

/* select(1, result, a symbol of that side) where the side got lost. Takes the result over. */
static dp__expr *keep_side(const dp__expr *expr, dp__expr *result, dp__side side)
{
    const dp__node *symbol = on_side(expr, side);
    if (!result || !symbol || on_side(result, side))
        return result;
    const int base = result->node_count;
    dp__node nodes[] = {
        *symbol,
        operation(DP__NODE_SUM, 0, base, -1, -1),
        {.kind = DP__NODE_CONST, .operand = {-1, -1, -1}, .value = 1},
        operation(DP__NODE_SELECT, 0, base + 2, result->outputs[0], symbol->dim > 0 ? base + 1 : base),
    };
    dp__expr *kept = dp__expr_extend(result, nodes, (int)DP_COUNT(nodes));
    dp__expr_free(&result);
    return kept;
}

dp__expr *dp__expr_directional(const dp__expr *expr, dp__indexed seed, const dp__direction *directions,
                               int count, dp__indexed factor)
{
    dp__indexed targets[MOST];
    for (int k = 0; k < count; k++)
        targets[k] = directions[k].target;
    const dp__differentiation how = {
        .seeds = seed.symbol >= 0 ? &seed : NULL, .targets = targets, .target_count = count};
    dp__expr *slopes = dp__expr_differentiate(expr, &how);
    dp__expr *sum = slopes ? combine(slopes, directions, count, factor) : NULL;
    dp__expr *shared = sum ? dp__expr_share(sum) : NULL;
    dp__expr_free(&slopes);
    dp__expr_free(&sum);
    return keep_side(expr, keep_side(expr, shared, DP__SIDE_I), DP__SIDE_J);
}
