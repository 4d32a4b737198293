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

bool dp__node_is_truth(dp__node_kind kind)
{
    return kind >= DP__NODE_LT && kind <= DP__NODE_NOT;
}

bool dp__node_is_literal(dp__node_kind kind)
{
    return kind == DP__NODE_CONST || kind == DP__NODE_INDEX;
}

bool dp__node_nonnegative(const dp__node *node, const bool operands[3])
{
    const bool x = operands[0], y = operands[1], z = operands[2];
    switch (node->kind) {
    case DP__NODE_CONST:
        return node->value >= 0;
    case DP__NODE_MUL:
        return node->operand[0] == node->operand[1] || (x && y);
    case DP__NODE_ADD:
    case DP__NODE_DIV:
    case DP__NODE_MIN:
        return x && y;
    case DP__NODE_SELECT:
        return y && z;
    case DP__NODE_MAX:
        return x || y;
    case DP__NODE_POW:
    case DP__NODE_SUM:
    case DP__NODE_LARGEST:
    case DP__NODE_SMALLEST:
        return x;
    case DP__NODE_ABS:
    case DP__NODE_EXP:
    case DP__NODE_SQRT:
    case DP__NODE_RSQRT:
    case DP__NODE_SIGMOID:
    case DP__NODE_INDEX:
        return true;
    default:
        return dp__node_is_truth(node->kind);
    }
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

/* Nothing is left to compute of it in a kernel's text. */
static bool is_constant(const dp__expr *expr, const dp__node *node)
{
    bool constant = true;
    for (int o = 0; o < 3 && node->operand[o] >= 0; o++)
        constant = constant && dp__node_is_literal(expr->nodes[node->operand[o]].kind);
    return constant;
}

double dp__expr_flops(const dp__expr *expr)
{
    double flops = 0;
    for (int n = 0; n < expr->node_count; n++) {
        const dp__node *node = &expr->nodes[n];
        if (is_constant(expr, node) ||
            (node->kind == DP__NODE_SELECT && expr->nodes[node->operand[0]].kind == DP__NODE_CONST))
            continue;
        switch (node->kind) {
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
