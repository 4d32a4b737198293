/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the parser: lex.c cuts the text into tokens and writes messages, build.c makes typed
 * nodes and knows the functions, parse.c is the grammar. */
#ifndef DP_EXPR_PARSE_H
#define DP_EXPR_PARSE_H

#include "expr/expr.h"

#define DP__PARSE_MAX_DEPTH 200  /* nested parentheses, calls, signs and powers */
#define DP__PARSE_MAX_NODES 4096 /* also definitions and outputs */

/* Tokens of one character are that character. */
typedef enum dp__token_kind {
    DP__TOKEN_END = 0,
    DP__TOKEN_NUMBER = 256,
    DP__TOKEN_NAME,
    DP__TOKEN_LE,
    DP__TOKEN_GE,
    DP__TOKEN_EQ,
    DP__TOKEN_NE,
    DP__TOKEN_AND,
    DP__TOKEN_OR,
    DP__TOKEN_NOT
} dp__token_kind;

typedef struct dp__token {
    int kind;
    const char *start;
    int length;
    double value; /* NUMBER */
} dp__token;

typedef struct dp__definition {
    const char *name; /* in the text */
    int length, node;
} dp__definition;

typedef struct dp__parser {
    const char *text;
    dp__token token;    /* the one to look at next */
    const char *resume; /* where the text goes on after it */
    const dp__symbol *symbols;
    int symbol_count;
    dp__expr *expr;
    dp__definition *definitions;
    int definition_count;
    size_t node_capacity, output_capacity, definition_capacity;
    int depth;
    dp_status status; /* of the first failure */
    const char *error_at;
    dp__text error;
} dp__parser;

/* Keeps the failure unless one is kept, and returns -1. */
int dp__parse_fail(dp__parser *parser, const char *at, const char *format, ...) DP_PRINTF(3, 4);
int dp__parse_fail_memory(dp__parser *parser);
/* Writes the kept failure with its column, line and caret. */
void dp__parse_message(const dp__parser *parser, char *message, size_t size);

void dp__parse_next(dp__parser *parser);
bool dp__token_is(const dp__token *token, const char *word);

/* New nodes. All take -1 as an operand, after a failure, and return -1 then. `at` is where an error points.
 */
int dp__build_const(dp__parser *parser, double value);
int dp__build_symbol(dp__parser *parser, int symbol, dp__side side, int dim);
int dp__build(dp__parser *parser, const char *at, dp__node_kind kind, int a, int b, int c);
/* Component k of a vector: the pick is moved down to the symbols. */
int dp__build_component(dp__parser *parser, const char *at, int vector, int k);

/* The functions of the language. NULL where there is none of that name. */
typedef struct dp__function dp__function;
#define DP__FUNCTION_MAX_ARGUMENTS 16
const dp__function *dp__function_find(const dp__token *name);
int dp__function_call(dp__parser *parser, const dp__token *name, const dp__function *function,
                      const int *arguments, int count);
/* "abs, clamp, ..." */
void dp__function_names(dp__text *text);

#endif
