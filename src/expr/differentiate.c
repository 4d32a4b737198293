/* SPDX-License-Identifier: Apache-2.0 */
/* Reverse mode over the list: from the outputs down each node hands its adjoint, times the local derivative,
 * to its operands. docs/formula.md has the subgradients at kinks.
 *
 * Two things keep the result as short as what one writes by hand, and free of 0 * inf:
 * - An adjoint is kept in factors, coefficient * scalar * vector, so that constants meet, scalars are
 * multiplied before vectors are, and equal factors of two adjoints are taken out of their sum.
 * - A condition (of select, min, max, ...) does not make an adjoint zero at once: it stays beside the
 * factors, to be applied after whatever may be infinite was multiplied to them. */
#include "expr/expr.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct adjoint {
    bool present;
    double coefficient;
    int scalar,
        vector;    /* nodes, -1: 1. With no vector the adjoint of a vector is the same in each component */
    int condition; /* a node: zero unless it holds; -1: none */
    bool vanishes; /* may have been made zero already: not to be multiplied by what may be infinite then */
} adjoint;

typedef struct builder {
    dp__expr *result;
    size_t capacity;
    int formula; /* nodes of the formula; those from here on are ours */
    bool *active, *nonnegative;
    bool *tame;        /* finite wherever the symbols are, but for overflow */
    adjoint *adjoints; /* of the formula's nodes */
    adjoint *gradients;
    const dp__differentiation *how;
    bool failed;
} builder;

/* Nodes. */

static const dp__node *at(const builder *b, int n)
{
    return &b->result->nodes[n];
}

static bool is_vector(const builder *b, int n)
{
    return n >= 0 && at(b, n)->dim > 0;
}

static int add(builder *b, dp__node node)
{
    dp__expr *expr = b->result;
    if (b->failed ||
        !dp__grow(&expr->nodes, &b->capacity, (size_t)expr->node_count + 1, sizeof(*expr->nodes))) {
        b->failed = true;
        return 0;
    }
    expr->nodes[expr->node_count] = node;
    return expr->node_count++;
}

static int make3(builder *b, dp__node_kind kind, int x, int y, int z)
{
    const int operands[3] = {x, y, z};
    int dim = 0;
    for (int o = 0; o < 3 && !b->failed && !dp__node_reduces(kind); o++)
        dim = operands[o] >= 0 ? DP_MAX2(dim, at(b, operands[o])->dim) : dim;
    return add(b, (dp__node){.kind = kind, .dim = dim, .operand = {x, y, z}});
}

static int make2(builder *b, dp__node_kind kind, int x, int y)
{
    return make3(b, kind, x, y, -1);
}

static int make1(builder *b, dp__node_kind kind, int x)
{
    return make3(b, kind, x, -1, -1);
}

static int leaf(builder *b, dp__node_kind kind, int dim, double value)
{
    return add(b, (dp__node){.kind = kind, .dim = dim, .operand = {-1, -1, -1}, .value = value});
}

static int constant(builder *b, double value)
{
    return leaf(b, DP__NODE_CONST, 0, value);
}

static int product(builder *b, int x, int y)
{
    return x < 0 ? y : y < 0 ? x : make2(b, DP__NODE_MUL, x, y);
}

/* value, or 0 where x is 0. */
static int unless_zero(builder *b, int x, int value)
{
    return make3(b, DP__NODE_SELECT, make2(b, DP__NODE_NE, x, constant(b, 0)), value, constant(b, 0));
}

/* Adjoints. */

static const adjoint one = {true, 1, -1, -1, -1, false};

/* The factors multiplied, the condition aside. */
static int unconditional(builder *b, const adjoint *a)
{
    const double size = fabs(a->coefficient);
    int scalar = a->scalar;
    if (size != 1 || (scalar < 0 && a->vector < 0))
        scalar = scalar < 0 ? constant(b, size) : product(b, scalar, constant(b, size));
    const int value = product(b, scalar, a->vector);
    return a->coefficient < 0 ? make1(b, DP__NODE_NEG, value) : value;
}

static int value_of(builder *b, const adjoint *a)
{
    const int value = unconditional(b, a);
    return a->condition < 0 ? value : make3(b, DP__NODE_SELECT, a->condition, value, constant(b, 0));
}

static adjoint from_node(const builder *b, int node, double coefficient, bool vanishes)
{
    const bool vector = is_vector(b, node);
    return (adjoint){true, coefficient, vector ? -1 : node, vector ? node : -1, -1, vanishes};
}

/* With the condition applied. */
static adjoint settled(builder *b, adjoint a)
{
    return a.condition < 0 ? a : from_node(b, value_of(b, &a), 1, true);
}

static adjoint times_constant(builder *b, adjoint a, double value)
{
    const double coefficient = a.coefficient * value, size = fabs(coefficient);
    if (value == 0)
        a.present = false;
    else if (size >= (double)FLT_MIN && size <= (double)FLT_MAX)
        a.coefficient = coefficient;
    else { /* f32 would not hold it: two factors */
        a.scalar = a.scalar < 0 ? constant(b, value) : product(b, a.scalar, constant(b, value));
    }
    return a;
}

static int both(builder *b, int condition, int other)
{
    return condition < 0 || condition == other ? other : make2(b, DP__NODE_AND, condition, other);
}

static adjoint times(builder *b, adjoint a, int factor, bool tame)
{
    if (!a.present || b->failed)
        return a;
    if (at(b, factor)->kind == DP__NODE_CONST)
        return times_constant(b, a, at(b, factor)->value);
    const bool vector = is_vector(b, factor);
    if (tame && vector && a.vector < 0 && !is_vector(b, a.condition))
        a = settled(b, a); /* one choice instead of one a component */
    if (a.vanishes && !tame) {
        const int value = unconditional(b, &a);
        a.condition = both(b, a.condition, make2(b, DP__NODE_NE, value, constant(b, 0)));
        a.vanishes = false;
    }
    if (vector)
        a.vector = product(b, a.vector, factor);
    else
        a.scalar = product(b, a.scalar, factor);
    return a;
}

/* Times a node of the formula. */
static adjoint by(builder *b, adjoint a, int node)
{
    return times(b, a, node, b->tame[node]);
}

/* Times a node that may be infinite, or not a number, at finite inputs. */
static adjoint by_wild(builder *b, adjoint a, int node)
{
    return times(b, a, node, false);
}

static adjoint where(builder *b, adjoint a, int condition)
{
    a.condition = both(b, a.condition, condition);
    return a;
}

/* x + y, which have no condition, as a node and the coefficient that it is to be multiplied by. */
static int combine(builder *b, adjoint x, adjoint y, double *coefficient)
{
    const bool alike = fabs(x.coefficient) == fabs(y.coefficient), minus = x.coefficient == -y.coefficient;
    *coefficient = alike ? x.coefficient : 1;
    if (alike)
        x.coefficient = y.coefficient = 1;
    const int first = unconditional(b, &x), second = unconditional(b, &y);
    return make2(b, alike && minus ? DP__NODE_SUB : DP__NODE_ADD, first, second);
}

static adjoint sum(builder *b, adjoint x, adjoint y)
{
    if (!x.present || !y.present)
        return x.present ? x : y;
    if (x.condition != y.condition) {
        x = settled(b, x);
        y = settled(b, y);
    }
    adjoint result = x;
    result.vanishes = x.vanishes || y.vanishes;
    if (x.scalar == y.scalar && x.vector == y.vector) {
        result.coefficient = x.coefficient + y.coefficient;
        result.present = result.coefficient != 0;
    } else if (x.vector == y.vector) {
        x.vector = y.vector = -1;
        result.scalar = combine(b, x, y, &result.coefficient);
    } else if (x.scalar == y.scalar && x.vector >= 0 && y.vector >= 0) {
        x.scalar = y.scalar = -1;
        result.vector = combine(b, x, y, &result.coefficient);
    } else {
        const int condition = x.condition, node = combine(b, x, y, &result.coefficient);
        result = from_node(b, node, result.coefficient, result.vanishes);
        result.condition = condition;
    }
    return result;
}

/* The sum over `dim` components: the adjoint of a scalar that was repeated. */
static adjoint contracted(builder *b, adjoint a, int dim)
{
    if (is_vector(b, a.condition))
        a = settled(b, a);
    if (a.vector < 0)
        return times_constant(b, a, dim);
    a.scalar = product(b, a.scalar, make1(b, DP__NODE_SUM, a.vector));
    a.vector = -1;
    return a;
}

/* To an operand of node `user`. */
static void send(builder *b, int user, int operand, adjoint a)
{
    if (!a.present || b->failed || !b->active[operand])
        return;
    if (is_vector(b, user) && !is_vector(b, operand))
        a = contracted(b, a, at(b, user)->dim);
    b->adjoints[operand] = sum(b, b->adjoints[operand], a);
}

/* Rules. `n` is the node, x and y its operands, g its adjoint. */

/* x^p, which is node n or, where x is no operand of it, equal to it. */
static void send_power(builder *b, int n, int x, double p, adjoint g)
{
    const bool whole = p == floor(p), smooth = p >= 1 && b->tame[x] && (whole || b->nonnegative[x]);
    if (p == 0)
        return;
    g = times_constant(b, g, p);
    if (p != 1) {
        int factor = p == 2 ? x : make2(b, DP__NODE_POW, x, constant(b, p - 1));
        const bool kink = p > 0 && p < 1; /* infinite at 0 */
        if (kink)
            factor = unless_zero(b, x, factor);
        g = times(b, g, factor, smooth);
        g.vanishes = g.vanishes || kink;
    }
    send(b, n, x, g);
}

static void differentiate_power(builder *b, int n, int x, int y, adjoint g)
{
    const dp__node nx = *at(b, x), ny = *at(b, y);
    if (ny.kind == DP__NODE_CONST) {
        /* a power of a root is one of the radicand, whose derivative may be finite where the root's is not */
        const bool root = nx.kind == DP__NODE_SQRT && b->nonnegative[nx.operand[0]];
        send_power(b, n, root ? nx.operand[0] : x, root ? ny.value / 2 : ny.value, g);
        return;
    }
    if (b->active[x]) {
        const int power = make2(b, DP__NODE_POW, x, make2(b, DP__NODE_SUB, y, constant(b, 1)));
        /* at x = 0 infinite for 0 < y < 1, and 0 * inf for y = 0 */
        const int kink = make2(b, DP__NODE_AND, make2(b, DP__NODE_EQ, x, constant(b, 0)),
                               make2(b, DP__NODE_EQ, make1(b, DP__NODE_FLOOR, y), constant(b, 0)));
        const int factor = make3(b, DP__NODE_SELECT, kink, constant(b, 0), make2(b, DP__NODE_MUL, y, power));
        adjoint to_base = by_wild(b, g, factor);
        to_base.vanishes = true;
        send(b, n, x, to_base);
    }
    if (b->active[y]) {
        adjoint to_exponent =
            by_wild(b, g, unless_zero(b, n, make2(b, DP__NODE_MUL, n, make1(b, DP__NODE_LOG, x))));
        to_exponent.vanishes = true;
        send(b, n, y, to_exponent);
    }
}

static void differentiate_quotient(builder *b, int n, int x, int y, adjoint g)
{
    const dp__node ny = *at(b, y);
    if (ny.kind == DP__NODE_CONST && fabs(1 / ny.value) < (double)FLT_MIN && isfinite(ny.value)) {
        send(b, n, x, times(b, g, make2(b, DP__NODE_DIV, constant(b, 1), y), true)); /* f32 does not hold it */
    } else if (ny.kind == DP__NODE_CONST) {
        send(b, n, x, times_constant(b, g, 1 / ny.value));
    } else if (ny.kind == DP__NODE_SQRT) { /* x t^-1/2, singular at t = 0 as the quotient is */
        const int root = make1(b, DP__NODE_RSQRT, ny.operand[0]);
        const int square = make2(b, DP__NODE_MUL, root, root);
        send(b, n, x, by_wild(b, g, root));
        send(b, n, ny.operand[0], times_constant(b, by_wild(b, by(b, g, n), square), -0.5));
    } else {
        const int reciprocal = make2(b, DP__NODE_DIV, constant(b, 1), y);
        send(b, n, x, by_wild(b, g, reciprocal));
        send(b, n, y, times_constant(b, by_wild(b, by(b, g, n), reciprocal), -1));
    }
}

/* To the first of the largest, or smallest, components. */
static void differentiate_extreme(builder *b, int n, int x, adjoint g)
{
    const int dim = at(b, x)->dim;
    if (dim > 0) {
        const int index = leaf(b, DP__NODE_INDEX, dim, 0), is_it = make2(b, DP__NODE_EQ, x, n);
        const int candidates = make3(b, DP__NODE_SELECT, is_it, index, constant(b, dim));
        g = where(b, g, make2(b, DP__NODE_EQ, index, make1(b, DP__NODE_SMALLEST, candidates)));
    }
    send(b, n, x, g);
}

static void differentiate_choice(builder *b, int n, int condition, int x, int y, adjoint g)
{
    send(b, n, x, where(b, g, condition));
    send(b, n, y, where(b, g, make1(b, DP__NODE_NOT, condition)));
}

static void differentiate_function(builder *b, int n, int x, adjoint g)
{
    switch (at(b, n)->kind) {
    case DP__NODE_ABS:
        g = times(b, g, make1(b, DP__NODE_SIGN, x), true);
        break;
    case DP__NODE_EXP:
        g = by(b, g, n);
        break;
    case DP__NODE_LOG:
        g = by_wild(b, g, make2(b, DP__NODE_DIV, constant(b, 1), x));
        break;
    case DP__NODE_SQRT:
        g = times_constant(b, by_wild(b, g, unless_zero(b, x, make1(b, DP__NODE_RSQRT, x))), 0.5);
        g.vanishes = true;
        break;
    case DP__NODE_RSQRT:
        g = times_constant(b, by_wild(b, g, product(b, product(b, n, n), n)), -0.5);
        break;
    case DP__NODE_SIN:
        g = times(b, g, make1(b, DP__NODE_COS, x), b->tame[x]);
        break;
    case DP__NODE_COS:
        g = times_constant(b, times(b, g, make1(b, DP__NODE_SIN, x), b->tame[x]), -1);
        break;
    case DP__NODE_TANH:
        g = times(b, g, make2(b, DP__NODE_SUB, constant(b, 1), product(b, n, n)), true);
        break;
    default: /* SIGMOID */
        g = times(b, g, product(b, n, make2(b, DP__NODE_SUB, constant(b, 1), n)), true);
    }
    send(b, n, x, g);
}

static void differentiate_symbol(builder *b, int n, adjoint g)
{
    const dp__differentiation *how = b->how;
    for (int t = 0; t < how->target_count; t++)
        if (how->targets[t].symbol == at(b, n)->symbol && how->targets[t].side == at(b, n)->side)
            b->gradients[t] = sum(b, b->gradients[t], g);
}

static void differentiate_node(builder *b, int n)
{
    const dp__node node = *at(b, n);
    const int x = node.operand[0], y = node.operand[1], z = node.operand[2];
    adjoint g = b->adjoints[n];
    switch (node.kind) {
    case DP__NODE_SYMBOL:
        differentiate_symbol(b, n, g);
        break;
    case DP__NODE_COMPONENT:
        send(
            b, n, x,
            where(b, g,
                  make2(b, DP__NODE_EQ, leaf(b, DP__NODE_INDEX, at(b, x)->dim, 0), constant(b, node.value))));
        break;
    case DP__NODE_ADD:
    case DP__NODE_SUB:
        send(b, n, x, g);
        send(b, n, y, times_constant(b, g, node.kind == DP__NODE_ADD ? 1 : -1));
        break;
    case DP__NODE_NEG:
        send(b, n, x, times_constant(b, g, -1));
        break;
    case DP__NODE_MUL:
        send(b, n, x, times_constant(b, by(b, g, y), x == y ? 2 : 1));
        if (x != y)
            send(b, n, y, by(b, g, x));
        break;
    case DP__NODE_DIV:
        differentiate_quotient(b, n, x, y, g);
        break;
    case DP__NODE_POW:
        differentiate_power(b, n, x, y, g);
        break;
    case DP__NODE_SELECT:
        differentiate_choice(b, n, x, y, z, g);
        break;
    case DP__NODE_MIN: /* ties go to the first */
        differentiate_choice(b, n, make2(b, DP__NODE_LE, x, y), x, y, g);
        break;
    case DP__NODE_MAX:
        differentiate_choice(b, n, make2(b, DP__NODE_LE, y, x), x, y, g);
        break;
    case DP__NODE_SUM:
        send(b, n, x, g);
        break;
    case DP__NODE_LARGEST:
    case DP__NODE_SMALLEST:
        differentiate_extreme(b, n, x, g);
        break;
    default:
        differentiate_function(b, n, x, g);
    }
}

/* What is known of the formula's nodes. */

static bool is_target(const builder *b, const dp__node *node)
{
    const dp__differentiation *how = b->how;
    for (int t = 0; t < how->target_count; t++)
        if (how->targets[t].symbol == node->symbol && how->targets[t].side == node->side)
            return true;
    return false;
}

/* Whether its value moves with a target; steps do not. */
static bool is_active(const builder *b, const dp__node *node)
{
    const bool step =
        node->kind == DP__NODE_SIGN || node->kind == DP__NODE_FLOOR || dp__node_is_truth(node->kind);
    bool active = node->kind == DP__NODE_SYMBOL && is_target(b, node);
    for (int o = node->kind == DP__NODE_SELECT ? 1 : 0; !step && o < 3 && node->operand[o] >= 0; o++)
        active = active || b->active[node->operand[o]];
    return active;
}

static bool is_tame(const builder *b, const dp__node *node)
{
    const int x = node->operand[0], y = node->operand[1];
    bool tame = true;
    for (int o = 0; o < 3 && node->operand[o] >= 0; o++)
        tame = tame && b->tame[node->operand[o]];
    switch (node->kind) {
    case DP__NODE_CONST:
        return isfinite(node->value);
    case DP__NODE_SQRT:
        return tame && b->nonnegative[x];
    case DP__NODE_DIV:
        return tame && at(b, y)->kind == DP__NODE_CONST && at(b, y)->value != 0;
    case DP__NODE_POW: {
        const double p = at(b, y)->kind == DP__NODE_CONST ? at(b, y)->value : -1;
        return tame && p >= 0 && (p == floor(p) || b->nonnegative[x]);
    }
    case DP__NODE_EXP:
    case DP__NODE_LOG:
    case DP__NODE_RSQRT:
        return false;
    default:
        return tame || dp__node_is_truth(node->kind);
    }
}

static void analyse(builder *b)
{
    for (int n = 0; n < b->formula; n++) {
        const dp__node *node = at(b, n);
        bool known[3] = {false, false, false};
        for (int o = 0; o < 3 && node->operand[o] >= 0; o++)
            known[o] = b->nonnegative[node->operand[o]];
        b->nonnegative[n] = dp__node_nonnegative(node, known);
        b->active[n] = is_active(b, node);
        b->tame[n] = is_tame(b, node);
    }
}

/* The list. */

static int add_symbol(builder *b, const dp__indexed *symbol)
{
    b->result->symbol_count = DP_MAX2(b->result->symbol_count, symbol->symbol + 1);
    return add(b, (dp__node){.kind = DP__NODE_SYMBOL,
                             .dim = symbol->dim,
                             .operand = {-1, -1, -1},
                             .symbol = symbol->symbol,
                             .side = symbol->side});
}

static void seed_outputs(builder *b)
{
    const dp__expr *expr = b->result;
    for (int o = 0; o < expr->output_count; o++) {
        const dp__indexed *seed = b->how->seeds ? &b->how->seeds[o] : NULL;
        const int n = expr->outputs[o];
        adjoint a = one;
        if (seed && seed->symbol >= 0)
            a = times(b, one, add_symbol(b, seed), true);
        if (b->active[n] && !b->failed)
            b->adjoints[n] = sum(b, b->adjoints[n], a);
    }
}

/* A gradient as a node of the target's dimension. */
static int finished(builder *b, const adjoint *gradient, int dim)
{
    const int value = gradient->present ? value_of(b, gradient) : constant(b, 0);
    if (b->failed || dim == at(b, value)->dim)
        return value;
    return make3(b, DP__NODE_SELECT, constant(b, 1), value, leaf(b, DP__NODE_INDEX, dim, 0)); /* repeated */
}

static bool set_outputs(builder *b)
{
    const int kept = b->how->keep_outputs ? b->result->output_count : 0, targets = b->how->target_count;
    int *outputs = dp__alloc((size_t)(kept + targets), sizeof(*outputs));
    if (!outputs)
        return false;
    for (int o = 0; o < kept; o++)
        outputs[o] = b->result->outputs[o];
    for (int t = 0; t < targets; t++)
        outputs[kept + t] = finished(b, &b->gradients[t], b->how->targets[t].dim);
    dp__free(b->result->outputs);
    b->result->outputs = outputs;
    b->result->output_count = kept + targets;
    return !b->failed;
}

static bool differentiate(builder *b)
{
    analyse(b);
    seed_outputs(b);
    for (int n = b->formula - 1; n >= 0 && !b->failed; n--)
        if (b->adjoints[n].present)
            differentiate_node(b, n);
    return !b->failed && set_outputs(b);
}

dp__expr *dp__expr_differentiate(const dp__expr *expr, const dp__differentiation *how)
{
    builder b = {.result = dp__expr_share(expr), .how = how};
    if (!b.result)
        return NULL;
    b.formula = b.result->node_count;
    b.capacity = (size_t)b.formula;
    b.active = dp__alloc((size_t)b.formula, sizeof(*b.active));
    b.nonnegative = dp__alloc((size_t)b.formula, sizeof(*b.nonnegative));
    b.tame = dp__alloc((size_t)b.formula, sizeof(*b.tame));
    b.adjoints = dp__alloc((size_t)b.formula, sizeof(*b.adjoints));
    b.gradients = dp__alloc((size_t)how->target_count, sizeof(*b.gradients));
    const bool done = b.active && b.nonnegative && b.tame && b.adjoints && b.gradients && differentiate(&b);
    dp__free(b.active);
    dp__free(b.nonnegative);
    dp__free(b.tame);
    dp__free(b.adjoints);
    dp__free(b.gradients);
    if (!done)
        dp__expr_free(&b.result);
    return b.result;
}
