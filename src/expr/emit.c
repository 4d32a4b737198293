/* SPDX-License-Identifier: Apache-2.0 */
/* Node n becomes the variable v<n>, in straight-line text v<n>_<c> for component c of a vector; see expr.h for the
 * two forms of the text. A product that only one sum or difference uses becomes part of an FMA. */
#include "expr/emit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct spelling {
    char text[48];
} spelling;

/* Analysis. */

static void mark_live(emitter *e)
{
    const dp__expr *expr = e->expr;
    for (int o = 0; o < expr->output_count; o++) {
        e->flags[expr->outputs[o]] |= LIVE;
        e->uses[expr->outputs[o]]++;
    }
    for (int n = expr->node_count - 1; n >= 0; n--) {
        for (int o = 0; has(e, n, LIVE) && o < operand_count(e, n); o++) {
            e->flags[at(e, n)->operand[o]] |= LIVE;
            e->uses[at(e, n)->operand[o]]++;
        }
    }
}

static void mark_fused(emitter *e, int n)
{
    const dp__node *node = at(e, n);
    const bool sum = node->kind == DP__NODE_ADD || node->kind == DP__NODE_SUB;
    const int count = sum ? 2 : node->kind == DP__NODE_SUM && reduces(e, n) ? 1 : 0;
    for (int o = 0; o < count; o++) {
        const int product = node->operand[o];
        if (at(e, product)->kind != DP__NODE_MUL || e->uses[product] != 1 ||
            (sum && at(e, product)->dim != node->dim))
            continue;
        e->flags[product] |= FUSED;
        return;
    }
}

/* An output that is a product, or the negative of one. */
static void mark_output(emitter *e, int output)
{
    const int product = at(e, output)->kind == DP__NODE_NEG ? at(e, output)->operand[0] : output;
    if (at(e, product)->kind != DP__NODE_MUL || e->uses[product] != 1 || e->uses[output] != 1)
        return;
    e->flags[output] |= FUSED;
    e->flags[product] |= FUSED;
}

static void mark_sign(emitter *e, int n)
{
    const dp__node *node = at(e, n);
    bool known[3] = {false}, nonpositive = node->kind == DP__NODE_CONST && node->value <= 0;
    for (int o = 0; o < operand_count(e, n); o++)
        known[o] = has(e, node->operand[o], NONNEGATIVE);
    if (node->kind == DP__NODE_NEG)
        nonpositive = known[0];
    else if (node->kind == DP__NODE_MUL || node->kind == DP__NODE_DIV)
        nonpositive = (has(e, node->operand[0], NONPOSITIVE) && known[1]) ||
                      (has(e, node->operand[1], NONPOSITIVE) && known[0]);
    e->flags[n] |= (dp__node_nonnegative(node, known) ? NONNEGATIVE : 0) | (nonpositive ? NONPOSITIVE : 0);
}

static void analyse(emitter *e)
{
    mark_live(e);
    for (int o = 0; e->products && o < e->expr->output_count; o++)
        mark_output(e, e->expr->outputs[o]);
    for (int n = 0; n < e->expr->node_count; n++) {
        const dp__node *node = at(e, n);
        if (!has(e, n, LIVE))
            continue;
        const dp__node *symbol = node->kind == DP__NODE_COMPONENT ? at(e, node->operand[0]) : node;
        bool uniform = !reduces(e, n) && !(symbol->kind == DP__NODE_SYMBOL && symbol->side == DP__SIDE_J);
        for (int o = 0; o < operand_count(e, n); o++) {
            uniform = uniform && has(e, node->operand[o], UNIFORM);
            e->level[n] = DP_MAX2(e->level[n], e->level[node->operand[o]]);
        }
        e->level[n] += reduces(e, n) ? 1 : 0;
        e->flags[n] |= uniform ? UNIFORM : 0;
        mark_fused(e, n);
        mark_sign(e, n);
    }
}

/* Spelling. */

static spelling spell_const(double value)
{
    const float number = (float)value;
    if (isinf(number))
        return number < 0 ? (spelling){"(-INFINITY_REAL)"} : (spelling){"INFINITY_REAL"};
    spelling s;
    char digits[32];
    snprintf(digits, sizeof(digits), "%.9g", (double)number);
    char *comma = strchr(digits, ','); /* the decimal point of some locales */
    if (comma)
        *comma = '.';
    snprintf(s.text, sizeof(s.text), "SPLAT(%s%sf)", digits, strpbrk(digits, ".e") ? "" : ".0");
    return s;
}

/* Component c of node n, or its value where it is a scalar. */
static spelling spell(const emitter *e, int n, int c)
{
    const dp__node *node = at(e, n);
    spelling s;
    if (node->kind == DP__NODE_INDEX && !e->unroll)
        return (spelling){"SPLAT(1.0f * c)"}; /* both dialects convert the int */
    if (dp__node_is_literal(at(e, n)->kind))
        return spell_const(node->kind == DP__NODE_INDEX ? c : node->value);
    s.text[0] = 'v'; /* v<n>, v<n>_<c> or v<n>[b] */
    const size_t length = 1 + dp__int_text(n, s.text + 1);
    if (e->unroll && node->dim > 0) {
        s.text[length] = '_';
        dp__int_text(c, s.text + length + 1);
    } else if (!e->unroll && (reduces(e, n) || has(e, n, KEPT))) {
        memcpy(s.text + length, "[b]", 4);
    }
    return s;
}

static spelling spell_load(const emitter *e, int n, int c)
{
    static const char side[] = {[DP__SIDE_CALL] = 'C', [DP__SIDE_I] = 'I', [DP__SIDE_J] = 'J'};
    const dp__node *node = at(e, n);
    const dp__node *symbol = node->kind == DP__NODE_COMPONENT ? at(e, node->operand[0]) : node;
    spelling s;
    if (!e->unroll && node->dim > 0)
        snprintf(s.text, sizeof(s.text), "SYM%d_%c(c)", symbol->symbol, side[symbol->side]);
    else
        snprintf(s.text, sizeof(s.text), "SYM%d_%c(%d)", symbol->symbol, side[symbol->side],
                 node->kind == DP__NODE_COMPONENT ? (int)node->value : c);
    return s;
}

/* A truth value as 0 or 1. */
static spelling spell_truth(const emitter *e, int n, int c)
{
    const spelling value = spell(e, n, c);
    const dp__node_kind kind = at(e, n)->kind;
    if (kind >= DP__NODE_LT && kind <= DP__NODE_NOT)
        return value;
    spelling s;
    snprintf(s.text, sizeof(s.text), "NE(%.30s, SPLAT(0.0f))", value.text);
    return s;
}

/* product + other, or with the signs given. */
static void add_fma(const emitter *e, const char *product_sign, int product, const char *other_sign,
                    const char *other, int c)
{
    const spelling x = spell(e, at(e, product)->operand[0], c), y = spell(e, at(e, product)->operand[1], c);
    dp__text_add(e->text, "FMA(%s%s, %s, %s%s)", product_sign, x.text, y.text, other_sign, other);
}

static void add_sum(const emitter *e, const dp__node *node, int c)
{
    const int x = node->operand[0], y = node->operand[1];
    const bool minus = node->kind == DP__NODE_SUB;
    const spelling first = spell(e, x, c), second = spell(e, y, c);
    if (has(e, x, FUSED))
        add_fma(e, "", x, minus ? "-" : "", second.text, c);
    else if (has(e, y, FUSED))
        add_fma(e, minus ? "-" : "", y, "", first.text, c);
    else
        dp__text_add(e->text, "%s %s %s", first.text, minus ? "-" : "+", second.text);
}

static void add_call(const emitter *e, int n, int c)
{
    const bool decays = at(e, n)->kind == DP__NODE_EXP && has(e, at(e, n)->operand[0], NONPOSITIVE);
    dp__text_add(e->text, "%s(", decays ? "EXP_DECAY" : dp__node_name(at(e, n)->kind));
    for (int o = 0; o < operand_count(e, n); o++)
        dp__text_add(e->text, "%s%s", o > 0 ? ", " : "", spell(e, at(e, n)->operand[o], c).text);
    dp__text_add(e->text, ")");
}

/* The right side of a statement: node n, or its component c, from its operands. */
static void add_value(const emitter *e, int n, int c)
{
    const dp__node *node = at(e, n);
    const int x = node->operand[0], y = node->operand[1];
    dp__text *text = e->text;
    switch (node->kind) {
    case DP__NODE_SYMBOL:
    case DP__NODE_COMPONENT:
        dp__text_add(text, "%s", spell_load(e, n, c).text);
        return;
    case DP__NODE_ADD:
    case DP__NODE_SUB:
        add_sum(e, node, c);
        return;
    case DP__NODE_MUL:
    case DP__NODE_DIV:
        dp__text_add(text, "%s %c %s", spell(e, x, c).text, node->kind == DP__NODE_MUL ? '*' : '/',
                     spell(e, y, c).text);
        return;
    case DP__NODE_NEG:
        dp__text_add(text, "-%s", spell(e, x, c).text);
        return;
    case DP__NODE_AND:
        dp__text_add(text, "%s * %s", spell_truth(e, x, c).text, spell_truth(e, y, c).text);
        return;
    case DP__NODE_OR:
        dp__text_add(text, "MAX(%s, %s)", spell_truth(e, x, c).text, spell_truth(e, y, c).text);
        return;
    case DP__NODE_NOT:
        dp__text_add(text, "EQ(%s, SPLAT(0.0f))", spell(e, x, c).text);
        return;
    case DP__NODE_SUM:
    case DP__NODE_LARGEST:
    case DP__NODE_SMALLEST: /* of a scalar */
        dp__text_add(text, "%s", spell(e, x, c).text);
        return;
    default:
        add_call(e, n, c);
    }
}

const char *dp__emit_neutral(const emitter *e, int n)
{
    const dp__node_kind kind = at(e, n)->kind;
    return kind == DP__NODE_SUM       ? "SPLAT(0.0f)"
           : kind == DP__NODE_LARGEST ? "(-INFINITY_REAL)"
                                      : "INFINITY_REAL";
}

/* Lines. */

void dp__emit_begin_line(const emitter *e)
{
    static const char blanks[] = "                                ";
    for (int rest = e->indent; rest > 0; rest -= (int)sizeof blanks - 1)
        dp__text_add_range(e->text, blanks, DP_MIN2((size_t)rest, sizeof blanks - 1));
}

void dp__emit_open_scope(emitter *e, const char *head)
{
    LINE(e, "%s {", head);
    e->indent += 4;
}

void dp__emit_close_scope(emitter *e)
{
    e->indent -= 4;
    LINE(e, "}");
}

void dp__emit_statement(const emitter *e, int n, int c)
{
    const bool is_array = !e->unroll && has(e, n, KEPT);
    dp__emit_begin_line(e);
    dp__text_add(e->text, "%s%s = ", is_array ? "" : "REAL ", spell(e, n, c).text);
    add_value(e, n, c);
    dp__text_add(e->text, ";\n");
}

void dp__emit_step(const emitter *e, int n, bool part, int c)
{
    const int x = at(e, n)->operand[0];
    const spelling value = spell(e, x, c);
    char total[32];
    snprintf(total, sizeof(total), "%c%d%s", part || !e->unroll ? 'p' : 'v', n, e->unroll ? "" : "[r]");
    dp__emit_begin_line(e);
    dp__text_add(e->text, "%s = ", total);
    if (has(e, x, FUSED))
        add_fma(e, "", x, "", total, c);
    else if (at(e, n)->kind == DP__NODE_SUM)
        dp__text_add(e->text, "%s + %s", total, value.text);
    else
        dp__text_add(e->text, "%s(%s, %s)", at(e, n)->kind == DP__NODE_LARGEST ? "MAX" : "MIN", total,
                     value.text);
    dp__text_add(e->text, ";\n");
}

void dp__emit_output(const emitter *e, int o, const char *component, int c)
{
    const int output = e->expr->outputs[o];
    if (!has(e, output, FUSED)) {
        LINE(e, "OUTPUT(%d, %s, %s);", o, component, spell(e, output, c).text);
        return;
    }
    const bool negative = at(e, output)->kind == DP__NODE_NEG;
    const dp__node *product = at(e, negative ? at(e, output)->operand[0] : output);
    const int x = product->operand[0], y = product->operand[1];
    const bool second = negative && at(e, x)->dim > 0 && at(e, y)->dim == 0; /* one sign for all components */
    LINE(e, "OUTPUT_PRODUCT(%d, %s, %s%s, %s%s);", o, component, negative && !second ? "-" : "", spell(e, x, c).text,
         second ? "-" : "", spell(e, y, c).text);
}

/* The straight-line form. */

/* Component 0 of what reduction n reduces becomes its variable. */
static void add_first_step(const emitter *e, int n)
{
    const int x = at(e, n)->operand[0];
    dp__emit_begin_line(e);
    dp__text_add(e->text, "REAL v%d = ", n);
    if (has(e, x, FUSED))
        add_value(e, x, 0);
    else
        dp__text_add(e->text, "%s", spell(e, x, 0).text);
    dp__text_add(e->text, ";\n");
}

static void unroll_reduction(const emitter *e, int n)
{
    const int dim = at(e, at(e, n)->operand[0])->dim;
    const bool blocked = is_blocked(e, n);
    if (blocked) {
        LINE(e, "REAL v%d = SPLAT(0.0f);", n);
        LINE(e, "REAL p%d, e%d = SPLAT(0.0f);", n, n);
    } else {
        add_first_step(e, n);
    }
    for (int c = blocked ? 0 : 1; c < dim; c++) {
        if (blocked && c % DP__SUM_BLOCK == 0)
            LINE(e, "p%d = SPLAT(0.0f);", n);
        dp__emit_step(e, n, blocked, c);
        if (blocked && (c % DP__SUM_BLOCK == DP__SUM_BLOCK - 1 || c == dim - 1))
            LINE(e, "TWO_SUM(v%d, e%d, p%d);", n, n, n);
    }
    if (blocked)
        LINE(e, "v%d = v%d + e%d;", n, n, n);
}

static void emit_unrolled(const emitter *e)
{
    const dp__expr *expr = e->expr;
    for (int n = 0; n < expr->node_count && !e->text->failed; n++) {
        if (!has(e, n, LIVE) || has(e, n, FUSED) || dp__node_is_literal(at(e, n)->kind))
            continue;
        if (reduces(e, n))
            unroll_reduction(e, n);
        else
            for (int c = 0; c < DP_MAX2(at(e, n)->dim, 1); c++)
                dp__emit_statement(e, n, c);
    }
    for (int o = 0; o < expr->output_count; o++) {
        for (int c = 0; c < DP_MAX2(at(e, expr->outputs[o])->dim, 1); c++) {
            char component[16];
            snprintf(component, sizeof(component), "%d", c);
            dp__emit_output(e, o, component, c);
        }
    }
}

void dp__expr_emit(const dp__expr *expr, const dp__emit_options *options, dp__text *text)
{
    const size_t count = (size_t)expr->node_count;
    emitter e = {.expr = expr, .text = text, .unroll = options->unroll,
                 .products = options->products, .indent = options->indent};
    e.flags = dp__alloc(count, sizeof(*e.flags));
    e.uses = dp__alloc(count, sizeof(*e.uses));
    e.level = dp__alloc(count, sizeof(*e.level));
    if (!e.flags || !e.uses || !e.level) {
        dp__text_free(text);
        text->failed = true;
    } else {
        analyse(&e);
        if (options->unroll)
            emit_unrolled(&e);
        else
            dp__emit_loops(&e);
    }
    dp__free(e.flags);
    dp__free(e.uses);
    dp__free(e.level);
}
