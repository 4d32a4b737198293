/* SPDX-License-Identifier: Apache-2.0 */
/* The expression language: text to a typed list of nodes (parse.c), the same list made smaller (simplify.c), and the
 * statements of a kernel (emit.c). docs/formula.md is the language's description for users.
 *
 * A formula is   [name = expression ;]*  expression [, expression]*   : named intermediate values, then the outputs. */
#ifndef DP_EXPR_EXPR_H
#define DP_EXPR_EXPR_H

#include "core/core.h"

/* Node kinds: name, number of operands. Comparisons and logic give 1 or 0; any value but 0 is true.
 * A scalar operand next to a vector is repeated for each component. */
#define DP__NODE_LIST(X)                                                                                     \
    X(CONST, 0)                                                                                              \
    X(SYMBOL, 0)   /* a name, of the call or indexed by i or j */                                            \
    X(ADD, 2)                                                                                                \
    X(SUB, 2)                                                                                                \
    X(MUL, 2)                                                                                                \
    X(DIV, 2)                                                                                                \
    X(POW, 2)                                                                                                \
    X(NEG, 1)                                                                                                \
    X(LT, 2)                                                                                                 \
    X(LE, 2)                                                                                                 \
    X(EQ, 2)                                                                                                 \
    X(NE, 2)                                                                                                 \
    X(AND, 2)                                                                                                \
    X(OR, 2)                                                                                                 \
    X(NOT, 1)                                                                                                \
    X(SELECT, 3) /* select(condition, a, b): a where the condition holds, else b; the other may be anything, NaN too */ \
    X(MIN, 2)                                                                                                \
    X(MAX, 2)                                                                                                \
    X(ABS, 1)                                                                                                \
    X(SIGN, 1) /* -1, 0, 1 */                                                                                \
    X(FLOOR, 1)                                                                                              \
    X(EXP, 1)                                                                                                \
    X(LOG, 1)                                                                                                \
    X(SQRT, 1)                                                                                               \
    X(RSQRT, 1)                                                                                              \
    X(SIN, 1)                                                                                                \
    X(COS, 1)                                                                                                \
    X(TANH, 1)                                                                                               \
    X(SIGMOID, 1)                                                                                            \
    X(SUM, 1)     /* over the components of a vector; a scalar operand is itself */                          \
    X(LARGEST, 1) /* the largest component */                                                                \
    X(SMALLEST, 1)                                                                                           \
    X(COMPONENT, 1) /* component (int)value of its operand, which is always a SYMBOL that is a vector */     \
    X(INDEX, 0)     /* the vector 0, 1, ..., dim - 1 */

typedef enum dp__node_kind {
#define DP__NODE_ENUM(name, operands) DP__NODE_##name,
    DP__NODE_LIST(DP__NODE_ENUM)
#undef DP__NODE_ENUM
        DP__NODE_KIND_COUNT
} dp__node_kind;

typedef enum dp__side { DP__SIDE_CALL, DP__SIDE_I, DP__SIDE_J } dp__side;

typedef struct dp__node {
    dp__node_kind kind;
    int dim;        /* 0: scalar; d >= 1: a vector of d components */
    int operand[3]; /* indices into dp__expr.nodes, always smaller than the node's own; -1 where there is none */
    double value;   /* CONST: a number that f32 can hold or infinity; COMPONENT: which one, from 0 */
    int symbol;     /* SYMBOL: index into the symbols given to dp__expr_parse */
    dp__side side;  /* SYMBOL: how it is indexed */
} dp__node;

typedef struct dp__expr {
    dp__node *nodes; /* operands before their users */
    int node_count;
    int *outputs; /* node of each output */
    int output_count;
    int symbol_count; /* as given to dp__expr_parse */
} dp__expr;

/* A name that the formula may use, and what it is: the dimension of its rows when it is indexed (x[i], x[j]) and of itself
 * when it is not. 0: a scalar, d >= 1: a vector, DP__NO_FORM: may not be used in that form. */
#define DP__NO_FORM (-1)
typedef struct dp__symbol {
    const char *name;
    int row_dim, call_dim;
} dp__symbol;

/* Parses and types. On failure returns ERROR_FORMULA or ERROR_MEMORY with a message of a few lines in `message`: what is
 * wrong and at which column (from 1), then the formula's line and a caret under it (cut around the column where it is long).
 * Never crashes, overflows a stack or takes more than O(length) memory, whatever the text. The list is as the user wrote it:
 * nothing is folded but the sugar (dot, sqdist, norm, norm_p, mean, clamp, sums of vectors), which becomes other nodes. */
dp_status dp__expr_parse(const char *text, const dp__symbol *symbols, int symbol_count, dp__expr **result,
                         char *message, size_t message_size);
void dp__expr_free(dp__expr **expr);
dp__expr *dp__expr_clone(const dp__expr *expr);

const char *dp__node_name(dp__node_kind kind); /* "ADD" */
bool dp__node_reduces(dp__node_kind kind);     /* a vector to a scalar: SUM, LARGEST, SMALLEST */
bool dp__node_is_truth(dp__node_kind kind);    /* comparisons and logic: 0 or 1 */
bool dp__node_is_literal(dp__node_kind kind);  /* CONST, INDEX: text without operands */
/* Whether a node is never less than 0 (it may be NaN), where that is known of its operands. */
bool dp__node_nonnegative(const dp__node *node, const bool operands[3]);

/* Exchanges i and j, in place. */
void dp__expr_swap_sides(dp__expr *expr);
/* Whether symbol s is used on that side. */
bool dp__expr_uses(const dp__expr *expr, int symbol, dp__side side);
/* Whether exchanging i and j changes nothing in any output, its derivatives at kinks included, as far as its form shows. False
 * where memory is out, too. */
bool dp__expr_symmetric(const dp__expr *expr);
/* What exchanging i and j makes of each output: 1 where it stays, -1 where it changes its sign, 0 where neither is seen. Whether
 * none is 0. */
bool dp__expr_parity(const dp__expr *expr, int *parity);

/* A new list, equal in value but for rounding: constants folded (as double, results must be finite), x^2 and other small
 * integer and half-integer powers expanded into products, sqrt and rsqrt, neutral elements dropped, equal subexpressions
 * shared, dead nodes dropped. NULL where memory is out. Never turns a finite value into a NaN or infinity or the reverse. */
dp__expr *dp__expr_simplify(const dp__expr *expr);
/* A part of it: constants folded, equal nodes shared, dead ones dropped. */
dp__expr *dp__expr_share(const dp__expr *expr);

/* Gradients. With L = the sum over all outputs, and their components, of seed * output, the new list holds dL/dtarget for each
 * target (a vector where the target is one), behind the formula's outputs where they are kept, in one list with what they
 * share. Give it the formula as it was parsed (a power is differentiated better than the product it becomes), and the
 * result to dp__expr_simplify. A seed with a symbol below 0 is 1; others are vectors or scalars that the call has values
 * for: a cotangent, or a direction for the product of the Hessian with a vector, which is the gradient of a gradient.
 * Where there is no derivative (kinks, steps, coincident points) docs/formula.md says what is taken instead.
 * NULL where memory is out. */
typedef struct dp__indexed {
    int symbol; /* may be one that the formula does not have */
    dp__side side;
    int dim; /* in that form, as dp__node.dim */
} dp__indexed;

typedef struct dp__differentiation {
    const dp__indexed *seeds; /* one an output; NULL: all 1 */
    const dp__indexed *targets;
    int target_count;
    bool keep_outputs;
} dp__differentiation;

dp__expr *dp__expr_differentiate(const dp__expr *expr, const dp__differentiation *how);

/* A derivative along directions, as one scalar: with L as above, of an expression with one output, factor * the sum of
 * <along, dL/dtarget>; a symbol below 0 for the seed or the factor is 1. Both sides that the expression has are in the result's list of
 * symbols, so that sums over pairs stay sums over pairs; it can be printed, and differentiated again. NULL where memory is out. */
typedef struct dp__direction {
    dp__indexed target, along;
} dp__direction;
dp__expr *dp__expr_directional(const dp__expr *expr, dp__indexed seed, const dp__direction *directions, int count,
                               dp__indexed factor);
/* Where symbol s stands, and in which dimensions: up to three rows, on the call, i and j. Returns how many. */
int dp__expr_places(const dp__expr *expr, int symbol, dp__indexed places[3]);

/* Lists made of lists (extend.c). NULL where memory is out. */
/* One behind the other, the outputs of the first before those of the second. */
dp__expr *dp__expr_join(const dp__expr *first, const dp__expr *second);
/* `nodes` behind the list, their operands counted from its start; the last one is the only output. */
dp__expr *dp__expr_extend(const dp__expr *expr, const dp__node *nodes, int count);
/* Replaces a symbol on a side with another one on another, in place. */
void dp__expr_rename(dp__expr *expr, int symbol, dp__side side, int new_symbol, dp__side new_side);

/* Appends the list as a formula: shared nodes become definitions, d1 = ...; parsed and simplified it is equal again but for
 * constants, which are rounded to f32. `symbols` as for parsing; an INDEX needs a symbol of its dimension among them. */
void dp__expr_print(const dp__expr *expr, const dp__symbol *symbols, dp__text *text);
/* The list as a tree of lines, each with its type; what is shared is printed once, under a name. */
void dp__expr_print_tree(const dp__expr *expr, const dp__symbol *symbols, dp__text *text);

/* FLOPs of one evaluation of all outputs (one pair, one element): add, mul, compare, min, max, select, fma halves count 1;
 * div, sqrt, rsqrt, exp, log, sin, cos, tanh, sigmoid, pow count 1 too, as is the custom. Signs count nothing, nor does what
 * has no operands but constants and indices. */
double dp__expr_flops(const dp__expr *expr);

/* Largest dim of any node that is a vector; 0 where there is none. */
int dp__expr_max_dim(const dp__expr *expr);

/* The statements of a kernel that compute the outputs, the same text for OpenCL C and GLSL: it uses nothing but the type
 * REAL, the names below, + - * /, and the macros of kernels/math.h: FMA RSQRT SQRT EXP EXP_DECAY (of what is never positive) LOG SIN COS TANH SIGMOID POW(x, y) FLOOR
 * ABS SIGN MIN MAX LT LE EQ NE(x, y) SELECT(c, x, y) SPLAT(literal) INFINITY_REAL TWO_SUM(s, e, x). Comparisons are REALs
 * of 0 and 1.
 * (AND is x * y != 0 by NE, and so on: emit.c's business.)
 *
 * Names it reads: SYM<s>_I(c), SYM<s>_J(c), SYM<s>_C(c): component c (an int expression; 0 for a scalar) of symbol s on that
 * side, as a REAL; macros that the kernel's body defines. Names it declares: v<n>, p<n>, e<n>, b, c, c0.
 *
 * unroll = true: straight-line text, each component of each vector its own variable, ends with one statement
 *   OUTPUT(o, c, value);   for each output o and component c.
 * For map and for pairs of low dimension: the text stands once, inside the body's loops.
 *
 * unroll = false: vectors are walked by loops over the component, for a block of BLOCK pairs, and never stored. The text is a
 * sequence of phases at the top level of the pair loop's body. Sums over components keep their values in registers for SUB
 * pairs at a time:
 *     REAL v4[BLOCK];
 *     for (int s = 0; s < BLOCK; s += SUB) {
 *         REAL p4[SUB];  ...  for (int c = 0; c < 100; c++) { ... UNROLL for (int r = 0; r < SUB; r++) { const int b = s + r; ...
 *                                                             p4[r] = FMA(v3, v3, p4[r]); } }
 *         UNROLL for (int r = 0; r < SUB; r++) v4[s + r] = p4[r]; }
 *   then scalars that a later loop over components needs, kept as v7[BLOCK], and so on, and last
 *     OUTPUT_BEGIN(o, 0);  for each b { ... OUTPUT(o, 0, value); }  OUTPUT_END(o, 0);                    for scalar outputs, and
 *     for (int c = FIRST_COMPONENT; c < END_COMPONENT; c++) { OUTPUT_BEGIN(o, c);  UNROLL for each b { ... OUTPUT(o, c, value); }
 *                                                             OUTPUT_END(o, c); }                     for vector outputs.
 * SYM<s>_J(c) may use the variable b, the pair's number in the block; so may OUTPUT, and r, its number in an unrolled loop. Sums over components run in blocks of
 * at most 128 additions before TWO_SUM adds them to the total, so that their error does not grow with the dimension. What
 * depends on neither j nor a sum over components stands before the loops over b. */
typedef struct dp__emit_options {
    bool unroll;
    bool products; /* an output that is a product is written OUTPUT_PRODUCT(o, c, x, y): a sum makes it an FMA */
    int indent; /* spaces before each line */
} dp__emit_options;
void dp__expr_emit(const dp__expr *expr, const dp__emit_options *options, dp__text *text);

#endif
