/* SPDX-License-Identifier: Apache-2.0 */
/* What the two forms of the emitter's text share: emit.c analyses, spells, and writes straight lines; emit_loops.c writes loops. */
#ifndef DP_EXPR_EMIT_H
#define DP_EXPR_EMIT_H

#include "expr/expr.h"
#include "expr/precision.h"

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

static inline const dp__node *at(const emitter *e, int n)
{
    return &e->expr->nodes[n];
}

static inline bool has(const emitter *e, int n, unsigned flag)
{
    return (e->flags[n] & flag) != 0;
}

static inline bool reduces(const emitter *e, int n)
{
    return dp__node_reduces(at(e, n)->kind) && at(e, at(e, n)->operand[0])->dim > 0;
}

/* A leaf of the text; the symbol below a component is not read itself. */
static inline bool is_load(const emitter *e, int n)
{
    return at(e, n)->kind == DP__NODE_SYMBOL || at(e, n)->kind == DP__NODE_COMPONENT;
}

static inline int operand_count(const emitter *e, int n)
{
    int count = 0;
    while (!is_load(e, n) && count < 3 && at(e, n)->operand[count] >= 0)
        count++;
    return count;
}

/* Sums of many components go through a partial sum p<n> into a total with its error e<n>. */
static inline bool is_blocked(const emitter *e, int n)
{
    return at(e, n)->kind == DP__NODE_SUM && at(e, at(e, n)->operand[0])->dim > DP__SUM_BLOCK;
}

/* A line's indentation; whole lines; scopes. */
void dp__emit_begin_line(const emitter *e);
#define LINE(e, ...)                                                                                         \
    do {                                                                                                     \
        dp__emit_begin_line(e);                                                                                       \
        dp__text_add((e)->text, __VA_ARGS__);                                                                \
        dp__text_add((e)->text, "\n");                                                                       \
    } while (0)

void dp__emit_open_scope(emitter *e, const char *head);
void dp__emit_close_scope(emitter *e);

/* The statement of node n, or of its component c. */
void dp__emit_statement(const emitter *e, int n, int c);
/* Adds component c of what reduction n reduces to its variable, or with `part` (and in loops) to its partial sum. */
void dp__emit_step(const emitter *e, int n, bool part, int c);
/* What a reduction begins with. */
const char *dp__emit_neutral(const emitter *e, int n);
void dp__emit_output(const emitter *e, int o, const char *component, int c);

/* emit_loops.c */
void dp__emit_loops(emitter *e);

#endif
