/* SPDX-License-Identifier: Apache-2.0 */
/* Typed nodes, and the functions of the language with what they become. */
#include "expr/parse.h"

#include <math.h>
#include <string.h>

static int add_node(dp__parser *parser, dp__node node)
{
    dp__expr *expr = parser->expr;
    if (parser->status != DP_OK)
        return -1;
    if (expr->node_count >= DP__PARSE_MAX_NODES)
        return dp__parse_fail(parser, parser->token.start,
                              "the formula is too large (more than %d operations)", DP__PARSE_MAX_NODES);
    if (!dp__grow(&expr->nodes, &parser->node_capacity, (size_t)expr->node_count + 1, sizeof(*expr->nodes)))
        return dp__parse_fail_memory(parser);
    expr->nodes[expr->node_count] = node;
    return expr->node_count++;
}

static int add_operation(dp__parser *parser, dp__node_kind kind, int dim, int a, int b, int c)
{
    return add_node(parser, (dp__node){.kind = kind, .dim = dim, .operand = {a, b, c}});
}

int dp__build_const(dp__parser *parser, double value)
{
    return add_node(parser, (dp__node){.kind = DP__NODE_CONST, .operand = {-1, -1, -1}, .value = value});
}

int dp__build_symbol(dp__parser *parser, int symbol, dp__side side, int dim)
{
    return add_node(
        parser,
        (dp__node){
            .kind = DP__NODE_SYMBOL, .dim = dim, .operand = {-1, -1, -1}, .symbol = symbol, .side = side});
}

static int operand_count(dp__node_kind kind)
{
    static const int count[] = {
#define OPERANDS(name, operands) operands,
        DP__NODE_LIST(OPERANDS)
#undef OPERANDS
    };
    return count[kind];
}

int dp__build(dp__parser *parser, const char *at, dp__node_kind kind, int a, int b, int c)
{
    const int operands[3] = {a, b, c}, count = operand_count(kind);
    int dim = 0;
    if (parser->status != DP_OK)
        return -1;
    for (int o = 0; o < count; o++) {
        const int other = parser->expr->nodes[operands[o]].dim;
        if (dim > 0 && other > 0 && dim != other)
            return dp__parse_fail(parser, at, "vectors of %d and of %d components do not combine", dim,
                                  other);
        dim = DP_MAX2(dim, other);
    }
    return add_operation(parser, kind, dp__node_reduces(kind) ? 0 : dim, a, b, c);
}

/* The operations between the symbols and `vector` that are vectors. */
static bool *vectors_below(const dp__expr *expr, int vector)
{
    bool *wanted = dp__alloc((size_t)vector + 1, sizeof(*wanted));
    if (!wanted)
        return NULL;
    wanted[vector] = true;
    for (int n = vector; n >= 0; n--) {
        const dp__node *node = &expr->nodes[n];
        for (int o = 0; wanted[n] && o < 3 && node->operand[o] >= 0; o++)
            wanted[node->operand[o]] = expr->nodes[node->operand[o]].dim > 0;
    }
    return wanted;
}

int dp__build_component(dp__parser *parser, const char *at, int vector, int k)
{
    dp__expr *expr = parser->expr;
    if (parser->status != DP_OK)
        return -1;
    const int dim = expr->nodes[vector].dim;
    if (dim == 0)
        return dp__parse_fail(parser, at, "only a vector has components, and this is a scalar");
    if (k >= dim)
        return dp__parse_fail(parser, at, "this vector has %d component%s, numbered from 0", dim,
                              dim == 1 ? "" : "s");
    bool *wanted = vectors_below(expr, vector);
    int *picked = dp__alloc((size_t)vector + 1, sizeof(*picked));
    if (!wanted || !picked)
        dp__parse_fail_memory(parser);
    for (int n = 0; n <= vector && parser->status == DP_OK; n++) {
        dp__node node = expr->nodes[n]; /* a copy: the list moves while it grows */
        picked[n] = n;
        if (!wanted[n])
            continue;
        if (node.kind == DP__NODE_SYMBOL)
            node = (dp__node){.kind = DP__NODE_COMPONENT, .operand = {n, -1, -1}, .value = k};
        else if (node.kind == DP__NODE_INDEX)
            node = (dp__node){.kind = DP__NODE_CONST, .operand = {-1, -1, -1}, .value = k};
        else
            for (int o = 0; o < 3 && node.operand[o] >= 0; o++)
                node.operand[o] = picked[node.operand[o]];
        node.dim = 0;
        picked[n] = add_node(parser, node);
    }
    const int result = parser->status == DP_OK ? picked[vector] : -1;
    dp__free(wanted);
    dp__free(picked);
    return result;
}

/* Functions that become more than one node, numbered on from the kinds of nodes. */
enum { DOT = DP__NODE_KIND_COUNT, SQDIST, NORM, NORM_P, MEAN, CLAMP };

struct dp__function {
    const char *name;
    int least, most; /* arguments */
    int meaning;     /* a dp__node_kind or one of the above */
};

static const dp__function functions[] = {
    {"abs", 1, 1, DP__NODE_ABS},
    {"clamp", 3, 3, CLAMP},
    {"cos", 1, 1, DP__NODE_COS},
    {"dot", 2, 2, DOT},
    {"exp", 1, 1, DP__NODE_EXP},
    {"floor", 1, 1, DP__NODE_FLOOR},
    {"index", 1, 1, DP__NODE_INDEX},
    {"log", 1, 1, DP__NODE_LOG},
    {"max", 1, DP__FUNCTION_MAX_ARGUMENTS, DP__NODE_MAX},
    {"mean", 1, 1, MEAN},
    {"min", 1, DP__FUNCTION_MAX_ARGUMENTS, DP__NODE_MIN},
    {"norm", 1, 1, NORM},
    {"norm_p", 2, 2, NORM_P},
    {"pow", 2, 2, DP__NODE_POW},
    {"rsqrt", 1, 1, DP__NODE_RSQRT},
    {"select", 3, 3, DP__NODE_SELECT},
    {"sigmoid", 1, 1, DP__NODE_SIGMOID},
    {"sign", 1, 1, DP__NODE_SIGN},
    {"sin", 1, 1, DP__NODE_SIN},
    {"sqdist", 2, 2, SQDIST},
    {"sqrt", 1, 1, DP__NODE_SQRT},
    {"sum", 1, 1, DP__NODE_SUM},
    {"tanh", 1, 1, DP__NODE_TANH},
};

const dp__function *dp__function_find(const dp__token *name)
{
    for (size_t f = 0; f < DP_COUNT(functions); f++)
        if (dp__token_is(name, functions[f].name))
            return &functions[f];
    return NULL;
}

void dp__function_names(dp__text *text)
{
    for (size_t f = 0; f < DP_COUNT(functions); f++)
        dp__text_add(text, "%s%s", f > 0 ? ", " : "", functions[f].name);
}

static int unary(dp__parser *parser, const char *at, dp__node_kind kind, int a)
{
    return dp__build(parser, at, kind, a, -1, -1);
}

static int binary(dp__parser *parser, const char *at, dp__node_kind kind, int a, int b)
{
    return dp__build(parser, at, kind, a, b, -1);
}

static int sum_of_squares(dp__parser *parser, const char *at, int v)
{
    return unary(parser, at, DP__NODE_SUM, binary(parser, at, DP__NODE_MUL, v, v));
}

static int norm_p(dp__parser *parser, const char *at, int v, int exponent)
{
    if (parser->status != DP_OK)
        return -1;
    const dp__node p = parser->expr->nodes[exponent];
    if (p.kind != DP__NODE_CONST || !(p.value >= 1))
        return dp__parse_fail(parser, at, "norm_p takes a vector and a number of at least 1, or inf");
    if (p.value == 2)
        return unary(parser, at, DP__NODE_SQRT, sum_of_squares(parser, at, v));
    const int size = unary(parser, at, DP__NODE_ABS, v);
    if (p.value == 1)
        return unary(parser, at, DP__NODE_SUM, size);
    if (isinf(p.value))
        return size < 0 || parser->expr->nodes[size].dim > 0 ? unary(parser, at, DP__NODE_LARGEST, size)
                                                             : size; /* of a scalar */
    const int sum = unary(parser, at, DP__NODE_SUM, binary(parser, at, DP__NODE_POW, size, exponent));
    return binary(parser, at, DP__NODE_POW, sum, dp__build_const(parser, 1 / p.value));
}

static int extreme(dp__parser *parser, const char *at, dp__node_kind kind, const int *arguments, int count)
{
    if (count == 1 && parser->status == DP_OK) {
        if (parser->expr->nodes[arguments[0]].dim == 0)
            return dp__parse_fail(parser, at, "%s of one argument takes a vector",
                                  kind == DP__NODE_MIN ? "min" : "max");
        return unary(parser, at, kind == DP__NODE_MIN ? DP__NODE_SMALLEST : DP__NODE_LARGEST, arguments[0]);
    }
    int result = arguments[0];
    for (int a = 1; a < count; a++)
        result = binary(parser, at, kind, result, arguments[a]);
    return result;
}

/* Of v only its dimension is used. */
static int index_of(dp__parser *parser, const char *at, int v)
{
    if (parser->status != DP_OK)
        return -1;
    const int dim = parser->expr->nodes[v].dim;
    if (dim == 0)
        return dp__parse_fail(parser, at, "index takes a vector");
    return add_operation(parser, DP__NODE_INDEX, dim, -1, -1, -1);
}

static int mean(dp__parser *parser, const char *at, int v)
{
    if (parser->status != DP_OK)
        return -1;
    const int dim = DP_MAX2(parser->expr->nodes[v].dim, 1), sum = unary(parser, at, DP__NODE_SUM, v);
    return binary(parser, at, DP__NODE_DIV, sum, dp__build_const(parser, dim));
}

int dp__function_call(dp__parser *parser, const dp__token *name, const dp__function *function,
                      const int *arguments, int count)
{
    const char *at = name->start;
    if (parser->status != DP_OK)
        return -1;
    if (count < function->least || count > function->most) {
        if (function->least == function->most)
            return dp__parse_fail(parser, at, "%s takes %d argument%s, not %d", function->name,
                                  function->least, function->least == 1 ? "" : "s", count);
        return dp__parse_fail(parser, at, "%s takes one vector, or 2 to %d arguments", function->name,
                              function->most);
    }
    const int a = arguments[0], b = count > 1 ? arguments[1] : -1, c = count > 2 ? arguments[2] : -1;
    switch (function->meaning) {
    case DOT:
        return unary(parser, at, DP__NODE_SUM, binary(parser, at, DP__NODE_MUL, a, b));
    case SQDIST:
        return sum_of_squares(parser, at, binary(parser, at, DP__NODE_SUB, a, b));
    case NORM:
        return unary(parser, at, DP__NODE_SQRT, sum_of_squares(parser, at, a));
    case NORM_P:
        return norm_p(parser, at, a, b);
    case MEAN:
        return mean(parser, at, a);
    case CLAMP:
        return binary(parser, at, DP__NODE_MIN, binary(parser, at, DP__NODE_MAX, a, b), c);
    case DP__NODE_INDEX:
        return index_of(parser, at, a);
    case DP__NODE_MIN:
    case DP__NODE_MAX:
        return extreme(parser, at, (dp__node_kind)function->meaning, arguments, count);
    default:
        return dp__build(parser, at, (dp__node_kind)function->meaning, a, b, c);
    }
}
