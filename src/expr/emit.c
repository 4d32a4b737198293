/* SPDX-License-Identifier: Apache-2.0 */
/* Node n becomes the variable v<n>, in straight-line text v<n>_<c> for component c of a vector; see expr.h for the
 * two forms of the text. A product that only one sum or difference uses becomes part of an FMA.
 *
 * The form with loops goes by levels: a reduction over components is one level above what it reduces. The phase of
 * a level first computes the scalars that its vectors need and no loop has made yet, then one loop a dimension
 * makes its reductions. What depends on neither j nor a reduction stands outside of the loops over the block. */
#include "expr/expr.h"
#include "expr/precision.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    LIVE = 1,
    FUSED = 2,     /* a product inside an FMA or an output: never a variable of its own */
    UNIFORM = 4,   /* the same for all pairs of a block */
    KEPT = 8,      /* an array over the block, made by an earlier scope */
    DECLARED = 16, /* uniform, made by an earlier scope */
    WANTED = 32,   /* by the loop over components that is next */
    NEEDED = 64,   /* by the scalars that are next */
    TO_KEEP = 128, /* of those: becomes KEPT */
    NONNEGATIVE = 256, /* or a NaN */
    NONPOSITIVE = 512
};

typedef struct emitter {
    const dp__expr *expr;
    dp__text *text;
    bool unroll, products;
    int indent;
    unsigned *flags;
    int *uses;  /* by live nodes and outputs */
    int *level; /* reductions below and at the node */
} emitter;

typedef struct spelling {
    char text[48];
} spelling;

static const dp__node *at(const emitter *e, int n)
{
    return &e->expr->nodes[n];
}

static bool has(const emitter *e, int n, unsigned flag)
{
    return (e->flags[n] & flag) != 0;
}

static bool reduces(const emitter *e, int n)
{
    return dp__node_reduces(at(e, n)->kind) && at(e, at(e, n)->operand[0])->dim > 0;
}

/* A leaf of the text; the symbol below a component is not read itself. */
static bool is_load(const emitter *e, int n)
{
    return at(e, n)->kind == DP__NODE_SYMBOL || at(e, n)->kind == DP__NODE_COMPONENT;
}

static int operand_count(const emitter *e, int n)
{
    int count = 0;
    while (!is_load(e, n) && count < 3 && at(e, n)->operand[count] >= 0)
        count++;
    return count;
}

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
    if (e->unroll && node->dim > 0)
        snprintf(s.text, sizeof(s.text), "v%d_%d", n, c);
    else if (!e->unroll && (reduces(e, n) || has(e, n, KEPT)))
        snprintf(s.text, sizeof(s.text), "v%d[b]", n);
    else
        snprintf(s.text, sizeof(s.text), "v%d", n);
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

static const char *neutral(const emitter *e, int n)
{
    const dp__node_kind kind = at(e, n)->kind;
    return kind == DP__NODE_SUM       ? "SPLAT(0.0f)"
           : kind == DP__NODE_LARGEST ? "(-INFINITY_REAL)"
                                      : "INFINITY_REAL";
}

/* Lines. */

static void begin_line(const emitter *e)
{
    dp__text_add(e->text, "%*s", e->indent, "");
}

#define LINE(e, ...)                                                                                         \
    do {                                                                                                     \
        begin_line(e);                                                                                       \
        dp__text_add((e)->text, __VA_ARGS__);                                                                \
        dp__text_add((e)->text, "\n");                                                                       \
    } while (0)

static void open_scope(emitter *e, const char *head)
{
    LINE(e, "%s {", head);
    e->indent += 4;
}

static void close_scope(emitter *e)
{
    e->indent -= 4;
    LINE(e, "}");
}

/* A loop over the pairs of a block, in sub-blocks of SUB that are unrolled; closed by close_block. */
static void open_sub_block(emitter *e)
{
    open_scope(e, "UNROLL for (int r = 0; r < SUB; r++)");
    LINE(e, "const int b = s + r;");
}

static void open_block(emitter *e)
{
    open_scope(e, "for (int s = 0; s < BLOCK; s += SUB)");
    open_sub_block(e);
}

static void close_block(emitter *e)
{
    close_scope(e);
    close_scope(e);
}

#define SUB_LOOP "UNROLL for (int r = 0; r < SUB; r++)"

static void add_statement(const emitter *e, int n, int c)
{
    const bool is_array = !e->unroll && has(e, n, KEPT);
    begin_line(e);
    dp__text_add(e->text, "%s%s = ", is_array ? "" : "REAL ", spell(e, n, c).text);
    add_value(e, n, c);
    dp__text_add(e->text, ";\n");
}

/* Adds component c of what reduction n reduces to its variable, or with `part` (and in loops) to its partial sum. */
static void add_step(const emitter *e, int n, bool part, int c)
{
    const int x = at(e, n)->operand[0];
    const spelling value = spell(e, x, c);
    char total[32];
    snprintf(total, sizeof(total), "%c%d%s", part || !e->unroll ? 'p' : 'v', n, e->unroll ? "" : "[r]");
    begin_line(e);
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

static void add_output(const emitter *e, int o, const char *component, int c)
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

/* Sums of many components go through a partial sum p<n> into a total with its error e<n>. */
static bool is_blocked(const emitter *e, int n)
{
    return at(e, n)->kind == DP__NODE_SUM && at(e, at(e, n)->operand[0])->dim > DP__SUM_BLOCK;
}

/* Component 0 of what reduction n reduces becomes its variable. */
static void add_first_step(const emitter *e, int n)
{
    const int x = at(e, n)->operand[0];
    begin_line(e);
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
        add_step(e, n, blocked, c);
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
                add_statement(e, n, c);
    }
    for (int o = 0; o < expr->output_count; o++) {
        for (int c = 0; c < DP_MAX2(at(e, expr->outputs[o])->dim, 1); c++) {
            char component[16];
            snprintf(component, sizeof(component), "%d", c);
            add_output(e, o, component, c);
        }
    }
}

/* The form with loops. */

static bool is_available(const emitter *e, int n)
{
    return dp__node_is_literal(at(e, n)->kind) || has(e, n, KEPT | DECLARED) || reduces(e, n);
}

/* Flags what the operation n reads itself: through a product in an FMA its factors. */
static void flag_operands(emitter *e, int n, unsigned flag)
{
    for (int o = 0; o < operand_count(e, n); o++) {
        const int x = at(e, n)->operand[o];
        if (has(e, x, FUSED))
            flag_operands(e, x, flag);
        else
            e->flags[x] |= flag;
    }
}

/* From flagged vectors, or flagged scalars, down to all they need that is not there yet. */
static void close_over(emitter *e, unsigned flag, bool vectors)
{
    for (int n = e->expr->node_count - 1; n >= 0; n--)
        if (has(e, n, flag) && !is_available(e, n) && (at(e, n)->dim > 0) == vectors)
            flag_operands(e, n, flag);
}

/* What output o's statement reads: the output, or the factors of a product. */
static void flag_output(emitter *e, int o, unsigned flag)
{
    const int output = e->expr->outputs[o];
    if (has(e, output, FUSED))
        flag_operands(e, output, flag);
    else
        e->flags[output] |= flag;
}

static void clear(emitter *e, unsigned flag)
{
    for (int n = 0; n < e->expr->node_count; n++)
        e->flags[n] &= ~flag;
}

/* The statements of the flagged nodes, those that are uniform or the others. */
static void add_flagged(emitter *e, unsigned flag, bool vectors, bool uniform)
{
    for (int n = 0; n < e->expr->node_count; n++) {
        if (!has(e, n, flag) || is_available(e, n) || (at(e, n)->dim > 0) != vectors ||
            has(e, n, UNIFORM) != uniform)
            continue;
        if (has(e, n, TO_KEEP))
            e->flags[n] |= KEPT;
        add_statement(e, n, 0);
        if (uniform && !vectors)
            e->flags[n] |= DECLARED;
    }
}

/* Before a loop over components: the scalars that its vectors want, but for loads that depend on j. */
static void add_wanted_scalars(emitter *e)
{
    bool any = false;
    clear(e, NEEDED | TO_KEEP);
    for (int n = 0; n < e->expr->node_count; n++) {
        if (!has(e, n, WANTED) || at(e, n)->dim > 0 || is_available(e, n))
            continue;
        if (has(e, n, UNIFORM)) {
            e->flags[n] |= NEEDED;
        } else if (!is_load(e, n)) {
            e->flags[n] |= NEEDED | TO_KEEP;
            LINE(e, "REAL v%d[BLOCK];", n);
            any = true;
        }
    }
    close_over(e, NEEDED, false);
    add_flagged(e, NEEDED, false, true);
    if (!any)
        return;
    open_block(e);
    add_flagged(e, NEEDED, false, false);
    close_block(e);
}

/* Inside a loop over components and one over pairs: the wanted vectors that differ between pairs. */
static void add_wanted_vectors(emitter *e)
{
    for (int n = 0; n < e->expr->node_count; n++)
        if (has(e, n, WANTED) && is_load(e, n) && at(e, n)->dim == 0 && !is_available(e, n))
            add_statement(e, n, 0);
    add_flagged(e, WANTED, true, false);
}

/* The first reduction from n on of this level and over this many components, or the number of nodes. */
static int next_in_phase(const emitter *e, int n, int level, int dim)
{
    while (n < e->expr->node_count && !(has(e, n, LIVE) && reduces(e, n) && e->level[n] == level &&
                                        at(e, at(e, n)->operand[0])->dim == dim))
        n++;
    return n;
}

#define FOR_PHASE(n)                                                                                         \
    for (int n = next_in_phase(e, 0, level, dim); n < e->expr->node_count;                                   \
         n = next_in_phase(e, n + 1, level, dim))

/* The loops over the components of a phase, for a sub-block of pairs: over blocks of DP__SUM_BLOCK where there are more. */
static void add_component_loop(emitter *e, int level, int dim)
{
    const bool blocked = dim > DP__SUM_BLOCK;
    const int step = DP__SUM_BLOCK;
    char head[128];
    snprintf(head, sizeof(head), "for (int c = 0; c < %d; c++)", dim);
    if (blocked) {
        snprintf(head, sizeof(head), "for (int c0 = 0; c0 < %d; c0 += %d)", dim, step);
        open_scope(e, head);
        FOR_PHASE(n)
        if (is_blocked(e, n))
            LINE(e, SUB_LOOP " p%d[r] = SPLAT(0.0f);", n);
        snprintf(head, sizeof(head), "for (int c = c0; c < (c0 + %d < %d ? c0 + %d : %d); c++)", step, dim,
                 step, dim);
    }
    open_scope(e, head);
    add_flagged(e, WANTED, true, true);
    open_sub_block(e);
    add_wanted_vectors(e);
    FOR_PHASE(n) add_step(e, n, true, 0);
    close_scope(e);
    close_scope(e);
    if (blocked) {
        FOR_PHASE(n)
        if (is_blocked(e, n))
            LINE(e, SUB_LOOP " TWO_SUM(t%d[r], e%d[r], p%d[r]);", n, n, n);
        close_scope(e);
    }
}

/* The reductions of a phase for each sub-block: p<n> are partial sums, t<n> and e<n> the totals of long ones. */
static void emit_phase(emitter *e, int level, int dim)
{
    clear(e, WANTED);
    FOR_PHASE(n) flag_operands(e, n, WANTED);
    close_over(e, WANTED, true);
    add_wanted_scalars(e);
    FOR_PHASE(n)
    {
        e->flags[n] |= KEPT;
        LINE(e, "REAL v%d[BLOCK];", n);
    }
    open_scope(e, "for (int s = 0; s < BLOCK; s += SUB)");
    FOR_PHASE(n)
    {
        LINE(e, "REAL p%d[SUB];", n);
        LINE(e, SUB_LOOP " p%d[r] = %s;", n, neutral(e, n));
        if (is_blocked(e, n)) {
            LINE(e, "REAL t%d[SUB], e%d[SUB];", n, n);
            LINE(e, SUB_LOOP " t%d[r] = e%d[r] = SPLAT(0.0f);", n, n);
        }
    }
    add_component_loop(e, level, dim);
    FOR_PHASE(n)
    if (is_blocked(e, n))
        LINE(e, SUB_LOOP " v%d[s + r] = t%d[r] + e%d[r];", n, n, n);
    else
        LINE(e, SUB_LOOP " v%d[s + r] = p%d[r];", n, n);
    close_scope(e);
}

/* The statement before or behind the loop over a block's pairs, for each output of this dimension. */
static void add_outputs_line(const emitter *e, const char *macro, const char *component, int dim)
{
    for (int o = 0; o < e->expr->output_count; o++)
        if (at(e, e->expr->outputs[o])->dim == dim)
            LINE(e, "%s(%d, %s);", macro, o, component);
}

static void emit_scalar_outputs(emitter *e)
{
    const dp__expr *expr = e->expr;
    bool any = false;
    clear(e, NEEDED | TO_KEEP);
    for (int o = 0; o < expr->output_count; o++) {
        if (at(e, expr->outputs[o])->dim == 0) {
            flag_output(e, o, NEEDED);
            any = true;
        }
    }
    if (!any)
        return;
    close_over(e, NEEDED, false);
    add_flagged(e, NEEDED, false, true);
    add_outputs_line(e, "OUTPUT_BEGIN", "0", 0);
    open_block(e);
    add_flagged(e, NEEDED, false, false);
    for (int o = 0; o < expr->output_count; o++)
        if (at(e, expr->outputs[o])->dim == 0)
            add_output(e, o, "0", 0);
    close_block(e);
    add_outputs_line(e, "OUTPUT_END", "0", 0);
}

static void emit_vector_outputs(emitter *e, int dim)
{
    const dp__expr *expr = e->expr;
    clear(e, WANTED);
    for (int o = 0; o < expr->output_count; o++)
        if (at(e, expr->outputs[o])->dim == dim)
            flag_output(e, o, WANTED);
    close_over(e, WANTED, true);
    add_wanted_scalars(e);
    open_scope(e, "for (int c = FIRST_COMPONENT; c < END_COMPONENT; c++)");
    add_flagged(e, WANTED, true, true);
    add_outputs_line(e, "OUTPUT_BEGIN", "c", dim);
    open_scope(e, "UNROLL for (int r = 0; r < BLOCK; r++)");
    LINE(e, "const int b = r;");
    add_wanted_vectors(e);
    for (int o = 0; o < expr->output_count; o++)
        if (at(e, expr->outputs[o])->dim == dim)
            add_output(e, o, "c", 0);
    close_scope(e);
    add_outputs_line(e, "OUTPUT_END", "c", dim);
    close_scope(e);
}

static void emit_loops(emitter *e)
{
    const dp__expr *expr = e->expr;
    int levels = 0;
    for (int n = 0; n < expr->node_count; n++)
        levels = DP_MAX2(levels, e->level[n]);
    for (int level = 1; level <= levels; level++)
        for (int n = 0; n < expr->node_count; n++)
            if (has(e, n, LIVE) && reduces(e, n) && e->level[n] == level && !has(e, n, KEPT))
                emit_phase(e, level, at(e, at(e, n)->operand[0])->dim);
    emit_scalar_outputs(e);
    for (int o = 0; o < expr->output_count; o++) {
        const int dim = at(e, expr->outputs[o])->dim;
        bool done = dim == 0;
        for (int p = 0; p < o; p++)
            done = done || at(e, expr->outputs[p])->dim == dim;
        if (!done)
            emit_vector_outputs(e, dim);
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
            emit_loops(&e);
    }
    dp__free(e.flags);
    dp__free(e.uses);
    dp__free(e.level);
}
