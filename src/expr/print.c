/* SPDX-License-Identifier: Apache-2.0 */
/* Lists as text: a formula that parses back, and a tree to read. Nodes that several others use, and what
 * would be nested too deep for the parser, get names. */
#include "expr/expr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_NESTED 32 /* operations in one another before one gets a name; the parser takes 200 levels */

/* As in the grammar, see parse.c. */
enum {
    LEVEL_ANY,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_SIGN,
    LEVEL_POWER,
    LEVEL_VALUE
};

typedef struct syntax {
    const char *text; /* the operator, or the function's name */
    int level;        /* of the operator; LEVEL_VALUE: a function */
} syntax;

static const syntax syntaxes[DP__NODE_KIND_COUNT] = {
    [DP__NODE_ADD] = {" + ", LEVEL_SUM},           [DP__NODE_SUB] = {" - ", LEVEL_SUM},
    [DP__NODE_MUL] = {" * ", LEVEL_PRODUCT},       [DP__NODE_DIV] = {" / ", LEVEL_PRODUCT},
    [DP__NODE_POW] = {"^", LEVEL_POWER},           [DP__NODE_NEG] = {"-", LEVEL_SIGN},
    [DP__NODE_LT] = {" < ", LEVEL_COMPARE},        [DP__NODE_LE] = {" <= ", LEVEL_COMPARE},
    [DP__NODE_EQ] = {" == ", LEVEL_COMPARE},       [DP__NODE_NE] = {" != ", LEVEL_COMPARE},
    [DP__NODE_AND] = {" and ", LEVEL_AND},         [DP__NODE_OR] = {" or ", LEVEL_OR},
    [DP__NODE_NOT] = {"not ", LEVEL_NOT},          [DP__NODE_SELECT] = {"select", LEVEL_VALUE},
    [DP__NODE_MIN] = {"min", LEVEL_VALUE},         [DP__NODE_MAX] = {"max", LEVEL_VALUE},
    [DP__NODE_ABS] = {"abs", LEVEL_VALUE},         [DP__NODE_SIGN] = {"sign", LEVEL_VALUE},
    [DP__NODE_FLOOR] = {"floor", LEVEL_VALUE},     [DP__NODE_EXP] = {"exp", LEVEL_VALUE},
    [DP__NODE_LOG] = {"log", LEVEL_VALUE},         [DP__NODE_SQRT] = {"sqrt", LEVEL_VALUE},
    [DP__NODE_RSQRT] = {"rsqrt", LEVEL_VALUE},     [DP__NODE_SIN] = {"sin", LEVEL_VALUE},
    [DP__NODE_COS] = {"cos", LEVEL_VALUE},         [DP__NODE_TANH] = {"tanh", LEVEL_VALUE},
    [DP__NODE_SIGMOID] = {"sigmoid", LEVEL_VALUE}, [DP__NODE_SUM] = {"sum", LEVEL_VALUE},
    [DP__NODE_LARGEST] = {"max", LEVEL_VALUE},     [DP__NODE_SMALLEST] = {"min", LEVEL_VALUE},
};

typedef struct printer {
    const dp__expr *expr;
    const dp__symbol *symbols;
    dp__text *text;
    int *name; /* of each node: the number of its definition, 0: none */
} printer;

static const dp__node *at(const printer *p, int n)
{
    return &p->expr->nodes[n];
}

static bool is_leaf(const printer *p, int n)
{
    const dp__node_kind kind = at(p, n)->kind;
    return kind == DP__NODE_CONST || kind == DP__NODE_SYMBOL || kind == DP__NODE_COMPONENT ||
           kind == DP__NODE_INDEX;
}

static bool is_taken(const printer *p, int name)
{
    char text[16];
    snprintf(text, sizeof(text), "d%d", name);
    for (int s = 0; s < p->expr->symbol_count; s++)
        if (strcmp(p->symbols[s].name, text) == 0)
            return true;
    return false;
}

/* Names for what needs them. False where memory is out. */
static bool choose_names(printer *p)
{
    const dp__expr *expr = p->expr;
    const size_t count = (size_t)expr->node_count;
    int *uses = dp__alloc(count, sizeof(*uses)), *depth = dp__alloc(count, sizeof(*depth)), last = 0;
    p->name = dp__alloc(count, sizeof(*p->name));
    const bool there = uses && depth && p->name;
    for (int o = 0; there && o < expr->output_count; o++)
        uses[expr->outputs[o]]++;
    for (int n = expr->node_count - 1; there && n >= 0; n--)
        for (int o = 0; uses[n] > 0 && o < 3 && expr->nodes[n].operand[o] >= 0; o++)
            uses[expr->nodes[n].operand[o]]++;
    for (int n = 0; there && n < expr->node_count; n++) {
        for (int o = 0; o < 3 && expr->nodes[n].operand[o] >= 0; o++)
            depth[n] = DP_MAX2(depth[n], depth[expr->nodes[n].operand[o]] + 1);
        if (is_leaf(p, n) || uses[n] == 0 || (uses[n] == 1 && depth[n] < MOST_NESTED))
            continue;
        do
            last++;
        while (is_taken(p, last));
        p->name[n] = last;
        depth[n] = 0;
    }
    dp__free(uses);
    dp__free(depth);
    return there;
}

static void print_number(const printer *p, double value)
{
    char digits[32];
    int precision = 6;
    const float rounded = (float)value; /* nine digits of it are enough; of what it was rounded from they need not be */
    do /* the shortest that is the same in f32 */
        snprintf(digits, sizeof(digits), "%.*g", precision, (double)rounded);
    while (strtof(digits, NULL) != rounded && precision++ < 9);
    char *comma = strchr(digits, ','); /* the decimal point of some locales */
    if (comma)
        *comma = '.';
    dp__text_add(p->text, "%s", digits);
}

static void print_symbol(const printer *p, int symbol, dp__side side)
{
    static const char *const index[] = {[DP__SIDE_CALL] = "", [DP__SIDE_I] = "[i]", [DP__SIDE_J] = "[j]"};
    dp__text_add(p->text, "%s%s", p->symbols[symbol].name, index[side]);
}

/* Any symbol that is a vector of that dimension will do. */
static void print_index(const printer *p, int dim)
{
    for (int s = 0; s < p->expr->symbol_count; s++) {
        const bool row = p->symbols[s].row_dim == dim;
        if (!row && p->symbols[s].call_dim != dim)
            continue;
        dp__text_add(p->text, "index(");
        print_symbol(p, s, row ? DP__SIDE_I : DP__SIDE_CALL);
        dp__text_add(p->text, ")");
        return;
    }
}

static void print_leaf(const printer *p, int n)
{
    const dp__node *node = at(p, n);
    if (node->kind == DP__NODE_CONST) {
        print_number(p, node->value);
    } else if (node->kind == DP__NODE_INDEX) {
        print_index(p, node->dim);
    } else if (node->kind == DP__NODE_SYMBOL) {
        print_symbol(p, node->symbol, node->side);
    } else {
        print_symbol(p, at(p, node->operand[0])->symbol, at(p, node->operand[0])->side);
        dp__text_add(p->text, "[%d]", (int)node->value);
    }
}

static void print_node(const printer *p, int n, int level);

/* With a name: the name. In parentheses where it binds less than `level`. */
static void print_operand(const printer *p, int n, int level)
{
    if (p->name[n] > 0)
        dp__text_add(p->text, "d%d", p->name[n]);
    else
        print_node(p, n, level);
}

static int level_of(const printer *p, int n)
{
    const dp__node *node = at(p, n);
    if (node->kind == DP__NODE_CONST)
        return node->value < 0 ? LEVEL_SIGN : LEVEL_VALUE;
    return is_leaf(p, n) ? LEVEL_VALUE : syntaxes[node->kind].level;
}

static void print_call(const printer *p, const dp__node *node)
{
    dp__text_add(p->text, "%s(", syntaxes[node->kind].text);
    for (int o = 0; o < 3 && node->operand[o] >= 0; o++) {
        dp__text_add(p->text, "%s", o > 0 ? ", " : "");
        print_operand(p, node->operand[o], LEVEL_ANY);
    }
    dp__text_add(p->text, ")");
}

static void print_node(const printer *p, int n, int level)
{
    const dp__node *node = at(p, n);
    const int own = level_of(p, n);
    dp__text_add(p->text, "%s", own < level ? "(" : "");
    if (is_leaf(p, n)) {
        print_leaf(p, n);
    } else if (own == LEVEL_VALUE) {
        print_call(p, node);
    } else if (node->operand[1] < 0) {
        dp__text_add(p->text, "%s", syntaxes[node->kind].text);
        print_operand(p, node->operand[0], own);
    } else { /* comparisons do not chain, and a power's base is a value */
        const bool power = node->kind == DP__NODE_POW, stronger = power || own == LEVEL_COMPARE;
        print_operand(p, node->operand[0], stronger ? own + 1 : own);
        dp__text_add(p->text, "%s", syntaxes[node->kind].text);
        print_operand(p, node->operand[1], power ? LEVEL_SIGN : own + 1);
    }
    dp__text_add(p->text, "%s", own < level ? ")" : "");
}

void dp__expr_print(const dp__expr *expr, const dp__symbol *symbols, dp__text *text)
{
    printer p = {.expr = expr, .symbols = symbols, .text = text};
    if (!choose_names(&p)) {
        dp__text_free(text);
        text->failed = true;
    }
    for (int n = 0; n < expr->node_count && !text->failed; n++) {
        if (p.name[n] == 0)
            continue;
        dp__text_add(text, "d%d = ", p.name[n]);
        print_node(&p, n, LEVEL_ANY);
        dp__text_add(text, "; ");
    }
    for (int o = 0; o < expr->output_count && !text->failed; o++) {
        dp__text_add(text, "%s", o > 0 ? ", " : "");
        print_operand(&p, expr->outputs[o], LEVEL_ANY);
    }
    dp__free(p.name);
}

/* The tree. */

static void print_lines(const printer *p, int n, int indent, bool name)
{
    const dp__node *node = at(p, n);
    char head[160], type[32];
    dp__text line = {0};
    const printer part = {p->expr, p->symbols, &line, p->name};
    if (name && p->name[n] > 0)
        dp__text_add(&line, "d%d", p->name[n]);
    else if (is_leaf(p, n))
        print_leaf(&part, n);
    else
        dp__text_add(&line, "%s", syntaxes[node->kind].text);
    snprintf(head, sizeof(head), "%*s%s", 2 * indent, "",
             line.data ? line.data + strspn(line.data, " ") : "");
    p->text->failed = p->text->failed || line.failed;
    dp__text_free(&line);
    snprintf(type, sizeof(type), node->dim > 0 ? "vector of %d" : "scalar", node->dim);
    dp__text_add(p->text, "%-40s %s\n", head, type);
    for (int o = 0; o < 3 && !is_leaf(p, n) && !(name && p->name[n] > 0) && node->operand[o] >= 0; o++)
        print_lines(p, node->operand[o], indent + 1, true);
}

void dp__expr_print_tree(const dp__expr *expr, const dp__symbol *symbols, dp__text *text)
{
    printer p = {.expr = expr, .symbols = symbols, .text = text};
    if (!choose_names(&p)) {
        dp__text_free(text);
        text->failed = true;
    }
    for (int n = 0; n < expr->node_count && !text->failed; n++) {
        if (p.name[n] == 0)
            continue;
        dp__text_add(text, "d%d =\n", p.name[n]);
        print_lines(&p, n, 1, false);
    }
    for (int o = 0; o < expr->output_count && !text->failed; o++) {
        dp__text_add(text, "output %d =\n", o + 1);
        print_lines(&p, expr->outputs[o], 1, true);
    }
    dp__free(p.name);
}
