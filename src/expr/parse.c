/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar, by recursive descent with one function for all binary operators:
 *   formula  = { name "=" expr ";" } expr { "," expr }
 *   expr     = prefix { operator expr }              by precedence
 *   prefix   = "not" expr | "-" expr | primary { "[" number "]" }
 *   primary  = number | name | name "[" ("i" | "j") "]" | function "(" expr { "," expr } ")" | "(" expr ")"
 */
#include "expr/parse.h"

#include <math.h>
#include <string.h>

/* Precedences. A level of 0 is no operator. */
enum {
    LEVEL_ANY = 1,
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_SIGN,
    LEVEL_POWER
};

typedef struct infix {
    int token, level;
    dp__node_kind kind;
    bool exchange; /* a > b is b < a */
} infix;

static const infix infixes[] = {
    {DP__TOKEN_OR, LEVEL_OR, DP__NODE_OR, false},
    {DP__TOKEN_AND, LEVEL_AND, DP__NODE_AND, false},
    {'<', LEVEL_COMPARE, DP__NODE_LT, false},
    {DP__TOKEN_LE, LEVEL_COMPARE, DP__NODE_LE, false},
    {'>', LEVEL_COMPARE, DP__NODE_LT, true},
    {DP__TOKEN_GE, LEVEL_COMPARE, DP__NODE_LE, true},
    {DP__TOKEN_EQ, LEVEL_COMPARE, DP__NODE_EQ, false},
    {DP__TOKEN_NE, LEVEL_COMPARE, DP__NODE_NE, false},
    {'+', LEVEL_SUM, DP__NODE_ADD, false},
    {'-', LEVEL_SUM, DP__NODE_SUB, false},
    {'*', LEVEL_PRODUCT, DP__NODE_MUL, false},
    {'/', LEVEL_PRODUCT, DP__NODE_DIV, false},
    {'^', LEVEL_POWER, DP__NODE_POW, false},
};

static int parse_expr(dp__parser *parser, int level);

static bool accept(dp__parser *parser, int kind)
{
    if (parser->status != DP_OK || parser->token.kind != kind)
        return false;
    dp__parse_next(parser);
    return true;
}

static int fail_unexpected(dp__parser *parser, const char *wanted)
{
    const dp__token *token = &parser->token;
    if (token->kind == DP__TOKEN_END)
        return dp__parse_fail(parser, token->start, "the formula ends where %s should follow", wanted);
    return dp__parse_fail(parser, token->start, "%s should stand here, not '%.*s'", wanted,
                          DP_MIN2(token->length, 40), token->start);
}

static void close_bracket(dp__parser *parser, const char *open, int kind, const char *wanted)
{
    if (accept(parser, kind))
        return;
    if (parser->token.kind == DP__TOKEN_END)
        dp__parse_fail(parser, open, "this '%c' is never closed", *open);
    fail_unexpected(parser, wanted);
}

static int find_symbol(const dp__parser *parser, const dp__token *name)
{
    for (int s = 0; s < parser->symbol_count; s++)
        if (dp__token_is(name, parser->symbols[s].name))
            return s;
    return -1;
}

static const dp__definition *find_definition(const dp__parser *parser, const dp__token *name)
{
    for (int d = 0; d < parser->definition_count; d++) {
        const dp__definition *definition = &parser->definitions[d];
        if (definition->length == name->length &&
            memcmp(definition->name, name->start, (size_t)name->length) == 0)
            return definition;
    }
    return NULL;
}

static int fail_unknown(dp__parser *parser, const dp__token *name)
{
    if (parser->status != DP_OK)
        return -1;
    dp__parse_fail(parser, name->start, "'%.*s' is not known; names here are ", DP_MIN2(name->length, 40),
                   name->start);
    dp__text *text = &parser->error;
    for (int s = 0; s < parser->symbol_count; s++) {
        const dp__symbol *symbol = &parser->symbols[s];
        if (symbol->row_dim != DP__NO_FORM)
            dp__text_add(text, "%.40s[i], %.40s[j], ", symbol->name, symbol->name);
        if (symbol->call_dim != DP__NO_FORM)
            dp__text_add(text, "%.40s, ", symbol->name);
    }
    for (int d = 0; d < DP_MIN2(parser->definition_count, 16); d++)
        dp__text_add(text, "%.*s, ", DP_MIN2(parser->definitions[d].length, 40), parser->definitions[d].name);
    dp__text_add(text, "pi, inf");
    return -1;
}

static int parse_call(dp__parser *parser, const dp__token *name)
{
    const dp__function *function = dp__function_find(name);
    const char *open = parser->token.start;
    int arguments[DP__FUNCTION_MAX_ARGUMENTS], count = 0;
    if (!function) {
        dp__parse_fail(parser, name->start, "'%.*s' is no function; there are ", DP_MIN2(name->length, 40),
                       name->start);
        dp__function_names(&parser->error);
        return -1;
    }
    dp__parse_next(parser);
    if (parser->token.kind != ')') {
        do {
            const char *at = parser->token.start;
            const int argument = parse_expr(parser, LEVEL_ANY);
            if (count == DP__FUNCTION_MAX_ARGUMENTS)
                return dp__parse_fail(parser, at, "these are more than %d arguments",
                                      DP__FUNCTION_MAX_ARGUMENTS);
            arguments[count++] = argument;
        } while (accept(parser, ','));
    }
    close_bracket(parser, open, ')', "',' or ')'");
    return dp__function_call(parser, name, function, arguments, count);
}

/* The side that "[i]" or "[j]" names; anything else in the brackets leaves the text as it is: DP__SIDE_CALL.
 */
static dp__side parse_index(dp__parser *parser)
{
    const dp__token token = parser->token;
    const char *resume = parser->resume;
    if (!accept(parser, '['))
        return DP__SIDE_CALL;
    const bool i = dp__token_is(&parser->token, "i"), j = dp__token_is(&parser->token, "j");
    if (parser->status == DP_OK && parser->token.kind == DP__TOKEN_NUMBER) {
        parser->token = token;
        parser->resume = resume;
        return DP__SIDE_CALL;
    }
    if (!i && !j) {
        fail_unexpected(parser, "i, j or the number of a component");
        return DP__SIDE_CALL;
    }
    dp__parse_next(parser);
    close_bracket(parser, token.start, ']', "']'");
    return i ? DP__SIDE_I : DP__SIDE_J;
}

static int parse_symbol(dp__parser *parser, const dp__token *name, int s)
{
    const dp__symbol *symbol = &parser->symbols[s];
    const dp__side side = parse_index(parser);
    const int dim = side == DP__SIDE_CALL ? symbol->call_dim : symbol->row_dim;
    if (dim != DP__NO_FORM)
        return dp__build_symbol(parser, s, side, dim);
    if (symbol->row_dim != DP__NO_FORM)
        return dp__parse_fail(parser, name->start, "'%.40s' has rows: write %.40s[i] or %.40s[j]",
                              symbol->name, symbol->name, symbol->name);
    return dp__parse_fail(parser, name->start, "'%.40s' has no rows here: write %.40s alone", symbol->name,
                          symbol->name);
}

static int parse_name(dp__parser *parser)
{
    const dp__token name = parser->token;
    const int symbol = find_symbol(parser, &name);
    dp__parse_next(parser);
    if (parser->token.kind == '(')
        return parse_call(parser, &name);
    if (symbol >= 0)
        return parse_symbol(parser, &name, symbol);
    const dp__definition *definition = find_definition(parser, &name);
    if (definition) {
        if (parse_index(parser) != DP__SIDE_CALL)
            return dp__parse_fail(parser, name.start, "'%.*s' is defined in the formula: it has no rows",
                                  DP_MIN2(name.length, 40), name.start);
        return definition->node;
    }
    if (dp__token_is(&name, "pi"))
        return dp__build_const(parser, 3.14159265358979323846);
    if (dp__token_is(&name, "inf"))
        return dp__build_const(parser, (double)INFINITY);
    if (dp__function_find(&name))
        return dp__parse_fail(parser, name.start, "'%.*s' is a function: its arguments follow in parentheses",
                              name.length, name.start);
    return fail_unknown(parser, &name);
}

static int parse_primary(dp__parser *parser)
{
    const dp__token token = parser->token;
    switch (token.kind) {
    case DP__TOKEN_NUMBER:
        dp__parse_next(parser);
        return dp__build_const(parser, token.value);
    case DP__TOKEN_NAME:
        return parse_name(parser);
    case '(': {
        dp__parse_next(parser);
        const int value = parse_expr(parser, LEVEL_ANY);
        close_bracket(parser, token.start, ')', "an operator or ')'");
        return value;
    }
    default:
        return fail_unexpected(parser, "a value");
    }
}

/* { "[" number "]" } behind a value. */
static int parse_components(dp__parser *parser, int value)
{
    while (parser->status == DP_OK && parser->token.kind == '[') {
        const char *open = parser->token.start;
        dp__parse_next(parser);
        const dp__token number = parser->token;
        const bool digits = strspn(number.start, "0123456789") == (size_t)number.length;
        if (number.kind != DP__TOKEN_NUMBER || !digits)
            return fail_unexpected(parser, "the number of a component");
        dp__parse_next(parser);
        close_bracket(parser, open, ']', "']'");
        value = dp__build_component(parser, number.start, value, (int)fmin(number.value, 1e9));
    }
    return value;
}

static int parse_prefix(dp__parser *parser, int level)
{
    const char *at = parser->token.start;
    if (parser->token.kind == DP__TOKEN_NOT && level > LEVEL_NOT)
        return dp__parse_fail(parser, at,
                              "'not' binds weaker than what stands before it: put it in parentheses");
    if (accept(parser, DP__TOKEN_NOT))
        return dp__build(parser, at, DP__NODE_NOT, parse_expr(parser, LEVEL_NOT), -1, -1);
    if (accept(parser, '-'))
        return dp__build(parser, at, DP__NODE_NEG, parse_expr(parser, LEVEL_SIGN), -1, -1);
    return parse_components(parser, parse_primary(parser));
}

static const infix *next_infix(const dp__parser *parser, int level)
{
    for (size_t n = 0; n < DP_COUNT(infixes); n++)
        if (infixes[n].token == parser->token.kind && infixes[n].level >= level)
            return &infixes[n];
    return NULL;
}

static int parse_expr(dp__parser *parser, int level)
{
    if (parser->status != DP_OK)
        return -1;
    if (parser->depth >= DP__PARSE_MAX_DEPTH)
        return dp__parse_fail(parser, parser->token.start, "the formula is nested deeper than %d",
                              DP__PARSE_MAX_DEPTH);
    parser->depth++;
    int value = parse_prefix(parser, level), before = 0;
    const infix *op;
    while (parser->status == DP_OK && (op = next_infix(parser, level))) {
        const char *at = parser->token.start;
        if (op->level == LEVEL_COMPARE && before == LEVEL_COMPARE)
            dp__parse_fail(parser, at, "comparisons do not chain: write a < b and b < c");
        before = op->level;
        dp__parse_next(parser);
        const int other = parse_expr(parser, op->level + (op->level == LEVEL_POWER ? 0 : 1));
        value = op->exchange ? dp__build(parser, at, op->kind, other, value, -1)
                             : dp__build(parser, at, op->kind, value, other, -1);
    }
    parser->depth--;
    return value;
}

/* Whether "name =" stands here; the text is as it was before. */
static bool definition_follows(dp__parser *parser)
{
    const dp__token token = parser->token;
    const char *resume = parser->resume;
    if (token.kind != DP__TOKEN_NAME || parser->status != DP_OK)
        return false;
    dp__parse_next(parser);
    const bool follows = parser->token.kind == '=';
    parser->token = token;
    parser->resume = resume;
    return follows;
}

static void parse_definition(dp__parser *parser)
{
    const dp__token name = parser->token;
    const int length = DP_MIN2(name.length, 40);
    if (find_symbol(parser, &name) >= 0)
        dp__parse_fail(parser, name.start, "'%.*s' is given by the call and cannot be defined anew", length,
                       name.start);
    if (find_definition(parser, &name))
        dp__parse_fail(parser, name.start, "'%.*s' is defined already", length, name.start);
    if (dp__function_find(&name) || dp__token_is(&name, "pi") || dp__token_is(&name, "inf"))
        dp__parse_fail(parser, name.start, "'%.*s' is a word of the language", length, name.start);
    dp__parse_next(parser);
    dp__parse_next(parser);
    const int node = parse_expr(parser, LEVEL_ANY);
    if (!accept(parser, ';'))
        fail_unexpected(parser, "an operator, or the ';' that ends this definition,");
    const size_t needed = (size_t)parser->definition_count + 1;
    if (needed > DP__PARSE_MAX_NODES)
        dp__parse_fail(parser, name.start, "these are more than %d definitions", DP__PARSE_MAX_NODES);
    else if (!dp__grow(&parser->definitions, &parser->definition_capacity, needed,
                       sizeof(*parser->definitions)))
        dp__parse_fail_memory(parser);
    else
        parser->definitions[parser->definition_count++] = (dp__definition){name.start, name.length, node};
}

static void parse_output(dp__parser *parser)
{
    dp__expr *expr = parser->expr;
    const char *at = parser->token.start;
    const int node = parse_expr(parser, LEVEL_ANY);
    const size_t needed = (size_t)expr->output_count + 1;
    if (needed > DP__PARSE_MAX_NODES)
        dp__parse_fail(parser, at, "these are more than %d outputs", DP__PARSE_MAX_NODES);
    else if (!dp__grow(&expr->outputs, &parser->output_capacity, needed, sizeof(*expr->outputs)))
        dp__parse_fail_memory(parser);
    else
        expr->outputs[expr->output_count++] = node;
}

static void parse_formula(dp__parser *parser)
{
    dp__parse_next(parser);
    if (parser->token.kind == DP__TOKEN_END)
        dp__parse_fail(parser, parser->token.start, "the formula is empty");
    while (definition_follows(parser))
        parse_definition(parser);
    do
        parse_output(parser);
    while (accept(parser, ','));
    const dp__token *token = &parser->token;
    if (token->kind == '=')
        dp__parse_fail(parser, token->start, "'=' defines a name at the start of a formula; '==' compares");
    if (token->kind == ';')
        dp__parse_fail(parser, token->start, "';' ends a definition (name = expression), and this is none");
    if (token->kind != DP__TOKEN_END)
        fail_unexpected(parser, "an operator or the end of the formula");
}

dp_status dp__expr_parse(const char *text, const dp__symbol *symbols, int symbol_count, dp__expr **result,
                         char *message, size_t message_size)
{
    dp__parser parser = {.text = text, .resume = text, .symbols = symbols, .symbol_count = symbol_count};
    *result = NULL;
    if (message_size > 0)
        message[0] = '\0';
    parser.expr = dp__alloc(1, sizeof(*parser.expr));
    if (parser.expr) {
        parser.expr->symbol_count = symbol_count;
        parse_formula(&parser);
    } else {
        dp__parse_fail_memory(&parser);
    }
    if (parser.status == DP_OK)
        *result = parser.expr;
    else {
        dp__parse_message(&parser, message, message_size);
        dp__expr_free(&parser.expr);
    }
    dp__text_free(&parser.error);
    dp__free(parser.definitions);
    return parser.status;
}
