/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the list, operands first. Each node is built anew by make(), which applies the rules; add()
 * then returns the node that is there already where an equal one is. Every rule keeps what is finite finite
 * and the rest not: x * 0, x - x or log(exp(x)) stay as they are. */
#include "expr/expr.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TWICE 33 /* powers up to 16, and to 16.5, become products */

/* What is known about a node. */
typedef struct fact {
    uint32_t hash;
    bool nonnegative; /* never less than 0; may be NaN */
    bool positive;    /* more than 0; may be NaN */
} fact;

typedef struct builder {
    dp__node *nodes;
    fact *facts;
    int count;
    size_t node_capacity, fact_capacity;
    int *table; /* by hash: index + 1, 0 where free */
    size_t slots;
    bool share_only; /* no rules but for constants; min and max keep the order of their operands */
    bool failed;     /* memory is out; then every node is node 0 */
} builder;

static int make(builder *b, dp__node_kind kind, int x, int y, int z);

static const dp__node *at(const builder *b, int n)
{
    return &b->nodes[n];
}

static bool is_const(const builder *b, int n)
{
    return at(b, n)->kind == DP__NODE_CONST;
}

static bool is_value(const builder *b, int n, double value)
{
    return is_const(b, n) && at(b, n)->value == value && (value != 0 || !signbit(at(b, n)->value));
}

/* FNV-1a over the fields that tell nodes apart. */
static uint32_t hash_node(const dp__node *node)
{
    uint64_t bits;
    memcpy(&bits, &node->value, sizeof(bits));
    const uint32_t words[] = {(uint32_t)node->kind,
                              (uint32_t)node->operand[0],
                              (uint32_t)node->operand[1],
                              (uint32_t)node->operand[2],
                              (uint32_t)bits,
                              (uint32_t)(bits >> 32),
                              (uint32_t)node->symbol,
                              (uint32_t)node->side};
    uint32_t hash = 2166136261u;
    for (size_t w = 0; w < DP_COUNT(words); w++) {
        hash = (hash ^ words[w]) * 16777619u;
        hash ^= hash >> 15;
    }
    return hash;
}

static bool same_node(const dp__node *a, const dp__node *b)
{
    return a->kind == b->kind && a->dim == b->dim &&
           memcmp(a->operand, b->operand, sizeof(a->operand)) == 0 &&
           memcmp(&a->value, &b->value, sizeof(a->value)) == 0 && a->symbol == b->symbol &&
           a->side == b->side;
}

static bool nonnegative(const builder *b, const dp__node *node)
{
    bool operands[3] = {false, false, false};
    for (int o = 0; o < 3 && node->operand[o] >= 0; o++)
        operands[o] = b->facts[node->operand[o]].nonnegative;
    return dp__node_nonnegative(node, operands);
}

/* Whether it is more than 0, or NaN, whatever f32 makes of it. */
static bool positive(const builder *b, const dp__node *node)
{
    const int x = node->operand[0], y = node->operand[1];
    switch (node->kind) {
    case DP__NODE_CONST:
        return node->value > 0;
    case DP__NODE_ADD:
        return (b->facts[x].positive && b->facts[y].nonnegative) ||
               (b->facts[y].positive && b->facts[x].nonnegative);
    case DP__NODE_MAX:
        return b->facts[x].positive || b->facts[y].positive;
    case DP__NODE_SQRT:
        return b->facts[x].positive;
    default:
        return false;
    }
}

static bool grow_table(builder *b)
{
    const size_t slots = b->slots ? 2 * b->slots : 256;
    int *table = dp__alloc(slots, sizeof(*table));
    if (!table)
        return false;
    for (int n = 0; n < b->count; n++) {
        size_t slot = b->facts[n].hash & (slots - 1);
        while (table[slot])
            slot = (slot + 1) & (slots - 1);
        table[slot] = n + 1;
    }
    dp__free(b->table);
    b->table = table;
    b->slots = slots;
    return true;
}

static int add(builder *b, dp__node node)
{
    const size_t needed = (size_t)b->count + 1;
    if (b->failed || (2 * needed > b->slots && !grow_table(b)) ||
        !dp__grow(&b->nodes, &b->node_capacity, needed, sizeof(*b->nodes)) ||
        !dp__grow(&b->facts, &b->fact_capacity, needed, sizeof(*b->facts))) {
        b->failed = true;
        return 0;
    }
    const uint32_t hash = hash_node(&node);
    size_t slot = hash & (b->slots - 1);
    for (; b->table[slot]; slot = (slot + 1) & (b->slots - 1))
        if (same_node(at(b, b->table[slot] - 1), &node))
            return b->table[slot] - 1;
    b->nodes[b->count] = node;
    b->facts[b->count] = (fact){hash, nonnegative(b, &node), positive(b, &node)};
    b->table[slot] = b->count + 1;
    return b->count++;
}

static int add_const(builder *b, double value)
{
    return add(b, (dp__node){.kind = DP__NODE_CONST, .operand = {-1, -1, -1}, .value = value});
}

static int make1(builder *b, dp__node_kind kind, int x)
{
    return make(b, kind, x, -1, -1);
}

static int make2(builder *b, dp__node_kind kind, int x, int y)
{
    return make(b, kind, x, y, -1);
}

static double evaluate(dp__node_kind kind, double x, double y, double z)
{
    switch (kind) {
    case DP__NODE_ADD:
        return x + y;
    case DP__NODE_SUB:
        return x - y;
    case DP__NODE_MUL:
        return x * y;
    case DP__NODE_DIV:
        return x / y;
    case DP__NODE_POW:
        return x < 0 && y != floor(y) ? (double)NAN : pow(x, y); /* C has 0 or infinity for -inf */
    case DP__NODE_NEG:
        return -x;
    case DP__NODE_LT:
        return x < y;
    case DP__NODE_LE:
        return x <= y;
    case DP__NODE_EQ:
        return x == y;
    case DP__NODE_NE:
        return x != y;
    case DP__NODE_AND:
        return x != 0 && y != 0;
    case DP__NODE_OR:
        return x != 0 || y != 0;
    case DP__NODE_NOT:
        return x == 0;
    case DP__NODE_SELECT:
        return x != 0 ? y : z;
    case DP__NODE_MIN:
        return fmin(x, y);
    case DP__NODE_MAX:
        return fmax(x, y);
    case DP__NODE_ABS:
        return fabs(x);
    case DP__NODE_SIGN:
        return (x > 0) - (x < 0);
    case DP__NODE_FLOOR:
        return floor(x);
    case DP__NODE_EXP:
        return exp(x);
    case DP__NODE_LOG:
        return log(x);
    case DP__NODE_SQRT:
        return sqrt(x);
    case DP__NODE_RSQRT:
        return 1 / sqrt(x);
    case DP__NODE_SIN:
        return sin(x);
    case DP__NODE_COS:
        return cos(x);
    case DP__NODE_TANH:
        return tanh(x);
    case DP__NODE_SIGMOID:
        return 1 / (1 + exp(-x));
    case DP__NODE_SUM:
    case DP__NODE_LARGEST:
    case DP__NODE_SMALLEST: /* of a scalar */
        return x;
    default:
        return (double)NAN;
    }
}

/* -1 where the operands are no constants or f32 would not hold the result. */
static int fold(builder *b, dp__node_kind kind, int x, int y, int z)
{
    const int operands[3] = {x, y, z};
    double value[3] = {0};
    for (int o = 0; o < 3 && operands[o] >= 0; o++) {
        if (!is_const(b, operands[o]))
            return -1;
        value[o] = at(b, operands[o])->value;
    }
    const double result = evaluate(kind, value[0], value[1], value[2]), size = fabs(result);
    if (result != 0 && !(size >= (double)FLT_MIN && size <= (double)FLT_MAX) && kind != DP__NODE_NEG)
        return -1;
    return add_const(b, result);
}

/* x^n, n >= 1. Every factor on the way lies between 1 and the result: nothing overflows early. Small odd
 * powers are made from the one before: a radial potential and its derivative have both. */
static int product(builder *b, int x, int n)
{
    if (n == 1)
        return x;
    if (n == 5 || n == 7)
        return make2(b, DP__NODE_MUL, product(b, x, n - 2), product(b, x, 2));
    const int half = product(b, x, n / 2), square = make2(b, DP__NODE_MUL, half, half);
    return n % 2 ? make2(b, DP__NODE_MUL, square, x) : square;
}

/* x^(twice / 2) without POW; -1 where it stays one. Negative powers are powers of 1/x, which does not
 * overflow early either. */
static int expand_power(builder *b, int x, double power)
{
    const double twice = 2 * power;
    if (twice != floor(twice) || fabs(twice) > MOST_TWICE || twice == 0)
        return -1;
    const int n = abs((int)twice);
    if (n % 2 == 0) {
        const int base = twice > 0 ? x : make2(b, DP__NODE_DIV, add_const(b, 1), x);
        return product(b, base, n / 2);
    }
    if (twice < 0)
        return product(b, make1(b, DP__NODE_RSQRT, x), n);
    const int root = make1(b, DP__NODE_SQRT, x);
    return n == 1 ? root : make2(b, DP__NODE_MUL, product(b, x, n / 2), root);
}

static int simplify_add(builder *b, int x, int y)
{
    if (is_value(b, y, 0))
        return x;
    if (at(b, y)->kind == DP__NODE_NEG)
        return make2(b, DP__NODE_SUB, x, at(b, y)->operand[0]);
    if (at(b, x)->kind == DP__NODE_NEG)
        return make2(b, DP__NODE_SUB, y, at(b, x)->operand[0]);
    return -1;
}

static int simplify_sub(builder *b, int x, int y)
{
    if (is_value(b, y, 0))
        return x;
    if (is_value(b, x, 0))
        return make1(b, DP__NODE_NEG, y);
    if (at(b, y)->kind == DP__NODE_NEG)
        return make2(b, DP__NODE_ADD, x, at(b, y)->operand[0]);
    return -1;
}

static int simplify_mul(builder *b, int x, int y)
{
    const dp__node nx = *at(b, x), ny = *at(b, y);
    if (is_value(b, y, 1))
        return x;
    if (is_value(b, y, -1))
        return make1(b, DP__NODE_NEG, x);
    if (nx.kind == DP__NODE_NEG && ny.kind == DP__NODE_NEG)
        return make2(b, DP__NODE_MUL, nx.operand[0], ny.operand[0]);
    if (nx.kind == DP__NODE_NEG && ny.kind == DP__NODE_CONST)
        return make2(b, DP__NODE_MUL, nx.operand[0], add_const(b, -ny.value));
    if (nx.kind == DP__NODE_NEG)
        return make1(b, DP__NODE_NEG, make2(b, DP__NODE_MUL, nx.operand[0], y));
    if (ny.kind == DP__NODE_NEG)
        return make1(b, DP__NODE_NEG, make2(b, DP__NODE_MUL, x, ny.operand[0]));
    if (x == y && nx.kind == DP__NODE_SQRT && b->facts[nx.operand[0]].nonnegative)
        return nx.operand[0];
    return -1;
}

static int simplify_div(builder *b, int x, int y)
{
    const dp__node ny = *at(b, y);
    int exponent;
    if (is_value(b, y, 1))
        return x;
    if (ny.kind == DP__NODE_CONST && fabs(frexp(ny.value, &exponent)) == 0.5 && abs(exponent) < 100)
        return make2(b, DP__NODE_MUL, x, add_const(b, 1 / ny.value)); /* a power of two: exact */
    if (ny.kind == DP__NODE_SQRT)
        return make2(b, DP__NODE_MUL, make1(b, DP__NODE_RSQRT, ny.operand[0]), x);
    return -1;
}

static int simplify_pow(builder *b, int x, int y)
{
    if (!is_const(b, y))
        return -1;
    const dp__node nx = *at(b, x);
    const double power = at(b, y)->value;
    if (power == 0 && nx.dim == 0)
        return add_const(b, 1);
    const bool whole_root =
        nx.kind == DP__NODE_SQRT && b->facts[nx.operand[0]].nonnegative && fmod(power, 2) == 0;
    return whole_root && power != 0 ? make2(b, DP__NODE_POW, nx.operand[0], add_const(b, power / 2))
                                    : expand_power(b, x, power);
}

/* The node that the operation is equal to, or -1. */
static int simplify_node(builder *b, dp__node_kind kind, int x, int y, int z)
{
    const dp__node nx = *at(b, x);
    switch (kind) {
    case DP__NODE_ADD:
        return simplify_add(b, x, y);
    case DP__NODE_SUB:
        return simplify_sub(b, x, y);
    case DP__NODE_MUL:
        return simplify_mul(b, x, y);
    case DP__NODE_DIV:
        return simplify_div(b, x, y);
    case DP__NODE_POW:
        return simplify_pow(b, x, y);
    case DP__NODE_NEG:
        return nx.kind == DP__NODE_NEG ? nx.operand[0] : -1;
    case DP__NODE_NOT:
        if (nx.kind == DP__NODE_EQ || nx.kind == DP__NODE_NE)
            return make2(b, nx.kind == DP__NODE_EQ ? DP__NODE_NE : DP__NODE_EQ, nx.operand[0], nx.operand[1]);
        return -1;
    case DP__NODE_AND:
        if (is_const(b, y) && at(b, y)->value != 0)
            return dp__node_is_truth(nx.kind) ? x : -1;
        return is_const(b, y) ? y : -1;
    case DP__NODE_OR:
        if (is_const(b, y) && at(b, y)->value != 0)
            return add_const(b, 1);
        return is_const(b, y) && dp__node_is_truth(nx.kind) ? x : -1;
    case DP__NODE_NE:
        return b->facts[x].positive && is_value(b, y, 0) ? add_const(b, 1) : -1;
    case DP__NODE_SELECT:
        if (nx.kind == DP__NODE_CONST)
            return nx.value != 0 ? y : z;
        if (nx.kind == DP__NODE_NOT)
            return make(b, DP__NODE_SELECT, nx.operand[0], z, y);
        return y == z ? y : -1;
    case DP__NODE_MIN:
    case DP__NODE_MAX:
        return x == y ? x : -1;
    case DP__NODE_ABS:
        if (nx.kind == DP__NODE_NEG)
            return make1(b, DP__NODE_ABS, nx.operand[0]);
        return b->facts[x].nonnegative ? x : -1;
    case DP__NODE_SUM:
    case DP__NODE_LARGEST:
    case DP__NODE_SMALLEST:
        return nx.dim == 0 ? x : -1;
    default:
        return -1;
    }
}

static bool commutes(dp__node_kind kind)
{
    return kind == DP__NODE_ADD || kind == DP__NODE_MUL || kind == DP__NODE_EQ || kind == DP__NODE_NE ||
           kind == DP__NODE_AND || kind == DP__NODE_OR || kind == DP__NODE_MIN || kind == DP__NODE_MAX;
}

static int make(builder *b, dp__node_kind kind, int x, int y, int z)
{
    if (b->failed)
        return 0;
    /* one order for equal operations; a constant comes last */
    const bool keeps_order = b->share_only && (kind == DP__NODE_MIN || kind == DP__NODE_MAX);
    if (commutes(kind) && !keeps_order && (is_const(b, x) != is_const(b, y) ? is_const(b, x) : x > y)) {
        const int other = x;
        x = y;
        y = other;
    }
    int dim = at(b, x)->dim;
    if (y >= 0)
        dim = DP_MAX2(dim, at(b, y)->dim);
    if (z >= 0)
        dim = DP_MAX2(dim, at(b, z)->dim);
    if (dp__node_reduces(kind))
        dim = 0;
    int result = fold(b, kind, x, y, z);
    if (result < 0 && !b->share_only)
        result = simplify_node(b, kind, x, y, z);
    if (b->failed)
        return 0;
    if (result >= 0 && at(b, result)->dim == dim)
        return result;
    return add(b, (dp__node){.kind = kind, .dim = dim, .operand = {x, y, z}});
}

/* Sets live[n] for the nodes that the outputs need. */
static void mark_live(const dp__node *nodes, int count, const int *outputs, int output_count, int *live)
{
    for (int o = 0; o < output_count; o++)
        live[outputs[o]] = 1;
    for (int n = count - 1; n >= 0; n--)
        for (int o = 0; live[n] && o < 3 && nodes[n].operand[o] >= 0; o++)
            live[nodes[n].operand[o]] = 1;
}

/* Builds all live nodes anew; map[n] is the new index of node n. */
static bool rebuild(builder *b, const dp__expr *expr, int *map)
{
    mark_live(expr->nodes, expr->node_count, expr->outputs, expr->output_count, map);
    for (int n = 0; n < expr->node_count && !b->failed; n++) {
        if (!map[n])
            continue;
        dp__node node = expr->nodes[n];
        for (int o = 0; o < 3 && node.operand[o] >= 0; o++)
            node.operand[o] = map[node.operand[o]];
        const bool leaf = node.operand[0] < 0 || node.kind == DP__NODE_COMPONENT;
        map[n] = leaf ? add(b, node) : make(b, node.kind, node.operand[0], node.operand[1], node.operand[2]);
    }
    return !b->failed;
}

/* The builder's live nodes as a list of their own. `map` as in rebuild(). */
static dp__expr *collect(const builder *b, const dp__expr *expr, const int *map)
{
    int *place =
        dp__alloc((size_t)b->count, sizeof(*place)); /* first whether it is live, then its new index */
    dp__expr *result = dp__alloc(1, sizeof(*result));
    if (!place || !result)
        goto fail;
    result->nodes = dp__alloc((size_t)b->count, sizeof(*result->nodes));
    result->outputs = dp__alloc((size_t)expr->output_count, sizeof(*result->outputs));
    if (!result->nodes || !result->outputs)
        goto fail;
    result->output_count = expr->output_count;
    result->symbol_count = expr->symbol_count;
    for (int o = 0; o < expr->output_count; o++)
        result->outputs[o] = map[expr->outputs[o]];
    mark_live(b->nodes, b->count, result->outputs, result->output_count, place);
    for (int n = 0; n < b->count; n++) {
        if (!place[n])
            continue;
        dp__node node = b->nodes[n];
        for (int o = 0; o < 3 && node.operand[o] >= 0; o++)
            node.operand[o] = place[node.operand[o]];
        place[n] = result->node_count;
        result->nodes[result->node_count++] = node;
    }
    for (int o = 0; o < expr->output_count; o++)
        result->outputs[o] = place[result->outputs[o]];
    dp__free(place);
    return result;
fail:
    dp__free(place);
    dp__expr_free(&result);
    return NULL;
}

static dp__expr *remake(const dp__expr *expr, bool share_only)
{
    builder b = {.share_only = share_only};
    dp__expr *result = NULL;
    int *map = dp__alloc((size_t)expr->node_count, sizeof(*map));
    if (map && rebuild(&b, expr, map))
        result = collect(&b, expr, map);
    dp__free(map);
    dp__free(b.nodes);
    dp__free(b.facts);
    dp__free(b.table);
    return result;
}

dp__expr *dp__expr_simplify(const dp__expr *expr)
{
    return remake(expr, false);
}

dp__expr *dp__expr_share(const dp__expr *expr)
{
    return remake(expr, true);
}
