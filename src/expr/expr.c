/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers on nodes and lists of them. */
#include "expr/expr.h"

#include <string.h>

const char *dp__node_name(dp__node_kind kind)
{
    static const char *const name[] = {
#define NAME(name, operands) #name,
        DP__NODE_LIST(NAME)
#undef NAME
    };
    return name[kind];
}

bool dp__node_reduces(dp__node_kind kind)
{
    return kind == DP__NODE_SUM || kind == DP__NODE_LARGEST || kind == DP__NODE_SMALLEST;
}

void dp__expr_free(dp__expr **expr)
{
    if (!expr || !*expr)
        return;
    dp__free((*expr)->nodes);
    dp__free((*expr)->outputs);
    dp__free(*expr);
    *expr = NULL;
}

dp__expr *dp__expr_clone(const dp__expr *expr)
{
    const size_t nodes = (size_t)expr->node_count, outputs = (size_t)expr->output_count;
    dp__expr *clone = dp__alloc(1, sizeof(*clone));
    if (!clone)
        return NULL;
    *clone = *expr;
    clone->nodes = dp__alloc(nodes, sizeof(*clone->nodes));
    clone->outputs = dp__alloc(outputs, sizeof(*clone->outputs));
    if (!clone->nodes || !clone->outputs) {
        dp__expr_free(&clone);
        return NULL;
    }
    memcpy(clone->nodes, expr->nodes, nodes * sizeof(*clone->nodes));
    memcpy(clone->outputs, expr->outputs, outputs * sizeof(*clone->outputs));
    return clone;
}

void dp__expr_swap_sides(dp__expr *expr)
{
    for (int n = 0; n < expr->node_count; n++) {
        dp__node *node = &expr->nodes[n];
        if (node->kind == DP__NODE_SYMBOL && node->side != DP__SIDE_CALL)
            node->side = node->side == DP__SIDE_I ? DP__SIDE_J : DP__SIDE_I;
    }
}

bool dp__expr_uses(const dp__expr *expr, int symbol, dp__side side)
{
    for (int n = 0; n < expr->node_count; n++) {
        const dp__node *node = &expr->nodes[n];
        if (node->kind == DP__NODE_SYMBOL && node->symbol == symbol && node->side == side)
            return true;
    }
    return false;
}

double dp__expr_flops(const dp__expr *expr)
{
    double flops = 0;
    for (int n = 0; n < expr->node_count; n++) {
        const dp__node *node = &expr->nodes[n];
        switch (node->kind) {
        case DP__NODE_CONST:
        case DP__NODE_SYMBOL:
        case DP__NODE_COMPONENT:
        case DP__NODE_NEG: /* signs are modifiers of operands */
        case DP__NODE_ABS:
            break;
        default:
            flops += dp__node_reduces(node->kind) ? DP_MAX2(expr->nodes[node->operand[0]].dim, 1) - 1
                                                  : DP_MAX2(node->dim, 1);
        }
    }
    return flops;
}

int dp__expr_max_dim(const dp__expr *expr)
{
    int dim = 0;
    for (int n = 0; n < expr->node_count; n++)
        dim = DP_MAX2(dim, expr->nodes[n].dim);
    return dim;
}
