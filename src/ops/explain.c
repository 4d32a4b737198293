/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/parse.h"
#include "ops/call.h"
#include <dipole/explain.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 64
#define MAX_DIM   65536
#define POINTS    4096 /* of the call whose kernel is shown */

typedef struct name {
    char text[NAME_SIZE];
    bool side[3]; /* which forms the formula has: by dp__side */
    bool picked;  /* a component of the plain name is: it is a vector */
} name;

typedef struct explainer {
    const char *formula;
    dp_explain_options options;
    dp_explanation *result;
    name names[DP_MAX_ARGS];
    dp__symbol symbols[DP_MAX_ARGS];
    int count;
    dp__indexed targets[2 * DP_MAX_ARGS];
    int target_count;
    dp__expr *parsed, *simple, *all; /* `all`: with the gradients behind the outputs, simplified */
} explainer;

static dp_status fail(explainer *e, dp_status status, const char *format, ...) DP_PRINTF(3, 4);
static dp_status fail(explainer *e, dp_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->result->message, sizeof e->result->message, format, arguments);
    va_end(arguments);
    return status;
}

static dp_status fail_memory(explainer *e)
{
    return fail(e, DP_ERROR_MEMORY, "no memory to explain the formula");
}

/* Names. */

static int find_name(const explainer *e, const dp__token *token)
{
    for (int n = 0; n < e->count; n++)
        if (dp__token_is(token, e->names[n].text))
            return n;
    return -1;
}

static dp_status add_name(explainer *e, const dp__token *token, dp__side side, bool picked)
{
    int n = find_name(e, token);
    if (dp__token_is(token, "pi") || dp__token_is(token, "inf"))
        return DP_OK;
    if (n < 0) {
        if (token->length >= NAME_SIZE)
            return fail(e, DP_ERROR_FORMULA, "a name is longer than %d letters", NAME_SIZE - 1);
        if (e->count == DP_MAX_ARGS)
            return fail(e, DP_ERROR_FORMULA, "the formula has more than %d names", DP_MAX_ARGS);
        n = e->count++;
        memcpy(e->names[n].text, token->start, (size_t)token->length);
    }
    e->names[n].side[side] = true;
    e->names[n].picked = e->names[n].picked || picked;
    return DP_OK;
}

/* Whether the formula defines the name. */
static bool is_defined(const explainer *e, const dp__token *wanted)
{
    dp__parser parser = {.text = e->formula, .resume = e->formula};
    dp__token last = {0};
    bool defined = false;
    for (dp__parse_next(&parser); parser.status == DP_OK && parser.token.kind != DP__TOKEN_END && !defined;
         dp__parse_next(&parser)) {
        defined = parser.token.kind == '=' && last.kind == DP__TOKEN_NAME && last.length == wanted->length &&
                  memcmp(last.start, wanted->start, (size_t)last.length) == 0;
        last = parser.token;
    }
    dp__text_free(&parser.error);
    return defined;
}

/* All names of the text but functions and definitions. What is wrong in it the parser will say. */
static dp_status collect_names(explainer *e)
{
    dp__parser parser = {.text = e->formula, .resume = e->formula};
    dp_status status = DP_OK;
    dp__parse_next(&parser);
    while (status == DP_OK && parser.status == DP_OK && parser.token.kind != DP__TOKEN_END) {
        const dp__token token = parser.token;
        dp__side side = DP__SIDE_CALL;
        bool picked = false;
        dp__parse_next(&parser);
        if (token.kind != DP__TOKEN_NAME || parser.token.kind == '(' || parser.token.kind == '=')
            continue;
        if (parser.token.kind == '[') {
            dp__parse_next(&parser);
            side = dp__token_is(&parser.token, "i")   ? DP__SIDE_I
                   : dp__token_is(&parser.token, "j") ? DP__SIDE_J
                                                      : DP__SIDE_CALL;
            picked = side == DP__SIDE_CALL;
            dp__parse_next(&parser);
        }
        if (find_name(e, &token) >= 0 || !is_defined(e, &token))
            status = add_name(e, &token, side, picked);
    }
    dp__text_free(&parser.error);
    return status;
}

/* Types. */

static dp_status parse(explainer *e, dp__expr **expr)
{
    return dp__expr_parse(e->formula, e->symbols, e->count, expr, e->result->message,
                          sizeof e->result->message);
}

/* The symbols, indexed names being vectors where `vector` says so. */
static void describe(explainer *e, const bool *vector)
{
    for (int n = 0; n < e->count; n++) {
        const name *from = &e->names[n];
        const bool row = from->side[DP__SIDE_I] || from->side[DP__SIDE_J];
        e->symbols[n] = (dp__symbol){
            .name = from->text,
            .row_dim = row ? (vector[n] ? e->options.dim : 0) : DP__NO_FORM,
            .call_dim = from->side[DP__SIDE_CALL] ? (from->picked || (vector[n] && !row) ? e->options.dim : 0)
                                                  : DP__NO_FORM,
        };
    }
}

/* As if all were vectors: those that a sum over components, or a pick, reaches are. */
static dp_status guess_vectors(explainer *e, bool *vector)
{
    dp__expr *expr = NULL;
    for (int n = 0; n < e->count; n++)
        vector[n] = true;
    describe(e, vector);
    for (int n = 0; n < e->count; n++)
        if (e->symbols[n].row_dim == DP__NO_FORM && !e->names[n].picked)
            e->symbols[n].call_dim = 0;
    DP_CHECK(parse(e, &expr));
    bool *below = dp__alloc((size_t)expr->node_count, sizeof *below);
    if (below)
        memset(vector, 0, (size_t)e->count * sizeof *vector);
    for (int n = expr->node_count - 1; below && n >= 0; n--) {
        const dp__node *node = &expr->nodes[n];
        const bool reached = below[n] || dp__node_reduces(node->kind) || node->kind == DP__NODE_COMPONENT;
        for (int o = 0; reached && o < 3 && node->operand[o] >= 0; o++)
            below[node->operand[o]] = true;
        if (below[n] && node->kind == DP__NODE_SYMBOL && node->side != DP__SIDE_CALL)
            vector[node->symbol] = true;
    }
    const dp_status status = below ? DP_OK : fail_memory(e);
    dp__free(below);
    dp__expr_free(&expr);
    return status;
}

static dp_status given_vectors(explainer *e, bool *vector)
{
    dp__parser parser = {.text = e->options.vectors, .resume = e->options.vectors};
    dp_status status = DP_OK;
    dp__parse_next(&parser);
    while (status == DP_OK && parser.status == DP_OK && parser.token.kind != DP__TOKEN_END) {
        const int n = find_name(e, &parser.token);
        if (n >= 0)
            vector[n] = true;
        else if (parser.token.kind != ',')
            status = fail(e, DP_ERROR_ARGUMENT, "vectors: '%.*s' is no name of the formula",
                          DP_MIN2(parser.token.length, 40), parser.token.start);
        dp__parse_next(&parser);
    }
    if (parser.status != DP_OK)
        status =
            fail(e, DP_ERROR_ARGUMENT, "vectors: names with commas between them are wanted, not \"%.80s\"",
                 e->options.vectors);
    dp__text_free(&parser.error);
    return status;
}

static dp_status find_types(explainer *e)
{
    bool vector[DP_MAX_ARGS] = {false};
    DP_CHECK(collect_names(e));
    DP_CHECK(e->options.vectors ? given_vectors(e, vector) : guess_vectors(e, vector));
    describe(e, vector);
    return parse(e, &e->parsed);
}

/* Gradients. */

static void add_target(explainer *e, int symbol, dp__side side)
{
    for (int t = 0; t < e->target_count; t++)
        if (e->targets[t].symbol == symbol && e->targets[t].side == side)
            return;
    const dp__symbol *from = &e->symbols[symbol];
    if (e->target_count < (int)DP_COUNT(e->targets))
        e->targets[e->target_count++] =
            (dp__indexed){symbol, side, side == DP__SIDE_CALL ? from->call_dim : from->row_dim};
}

static dp_status choose_targets(explainer *e)
{
    for (int n = 0; n < e->count && !e->options.gradient; n++)
        for (dp__side side = DP__SIDE_I; side <= DP__SIDE_J; side++)
            if (e->names[n].side[side])
                add_target(e, n, side);
    if (!e->options.gradient || !*e->options.gradient)
        return DP_OK;
    /* the list is a formula of names */
    dp__expr *list = NULL;
    char message[sizeof e->result->message];
    const dp_status status =
        dp__expr_parse(e->options.gradient, e->symbols, e->count, &list, message, sizeof message);
    if (status != DP_OK)
        return fail(e, status == DP_ERROR_FORMULA ? DP_ERROR_ARGUMENT : status, "gradient: %.480s", message);
    bool names = true;
    for (int o = 0; o < list->output_count; o++) {
        const dp__node *node = &list->nodes[list->outputs[o]];
        names = names && node->kind == DP__NODE_SYMBOL;
        if (names)
            add_target(e, node->symbol, node->side);
    }
    dp__expr_free(&list);
    return names ? DP_OK
                 : fail(e, DP_ERROR_ARGUMENT, "gradient: names such as x[i] are wanted, not \"%.80s\"",
                        e->options.gradient);
}

/* The gradients to some targets, simplified; NULL where memory is out. */
static dp__expr *gradients_to(const explainer *e, const dp__indexed *targets, int count, bool keep_outputs)
{
    const dp__differentiation how = {.targets = targets, .target_count = count, .keep_outputs = keep_outputs};
    dp__expr *raw = dp__expr_differentiate(e->parsed, &how);
    dp__expr *simple = raw ? dp__expr_simplify(raw) : NULL;
    dp__expr_free(&raw);
    return simple;
}

static const char *const index_text[] = {[DP__SIDE_CALL] = "", [DP__SIDE_I] = "[i]", [DP__SIDE_J] = "[j]"};

static bool explain_gradient(explainer *e, int t)
{
    dp_explained_gradient *gradient = &e->result->gradients[t];
    dp__text text = {0};
    dp__expr *expr = gradients_to(e, &e->targets[t], 1, false);
    snprintf(gradient->target, sizeof gradient->target, "%s%s", e->symbols[e->targets[t].symbol].name,
             index_text[e->targets[t].side]);
    e->result->gradient_count = t + 1;
    if (expr) {
        dp__expr_print(expr, e->symbols, &text);
        gradient->flops = dp__expr_flops(expr);
        gradient->formula = text.data;
    }
    dp__expr_free(&expr);
    return gradient->formula;
}

static dp_status explain_gradients(explainer *e)
{
    e->result->gradients = dp__alloc((size_t)e->target_count, sizeof *e->result->gradients);
    for (int t = 0; t < e->target_count; t++)
        if (!e->result->gradients || !explain_gradient(e, t))
            return fail_memory(e);
    e->all = gradients_to(e, e->targets, e->target_count, true);
    if (!e->all)
        return fail_memory(e);
    e->result->flops_with_gradients = dp__expr_flops(e->all);
    return DP_OK;
}

/* The formula itself. */

static void list_names(const explainer *e, dp__text *text)
{
    for (int n = 0; n < e->count; n++)
        for (dp__side side = DP__SIDE_CALL; side <= DP__SIDE_J; side++) {
            const int dim = side == DP__SIDE_CALL ? e->symbols[n].call_dim : e->symbols[n].row_dim;
            if (!e->names[n].side[side])
                continue;
            dp__text_add(text, "%s%s%s ", text->length > 0 ? ", " : "", e->names[n].text, index_text[side]);
            dp__text_add(text, dim > 0 ? "vector of %d" : "scalar", dim);
        }
}

static dp_status explain_value(explainer *e)
{
    dp__text names = {0}, formula = {0}, tree = {0};
    e->simple = dp__expr_simplify(e->parsed);
    if (!e->simple)
        return fail_memory(e);
    list_names(e, &names);
    dp__expr_print(e->simple, e->symbols, &formula);
    dp__expr_print_tree(e->simple, e->symbols, &tree);
    e->result->names = names.data;
    e->result->formula = formula.data;
    e->result->tree = tree.data;
    e->result->flops = dp__expr_flops(e->simple);
    return names.failed || formula.failed || tree.failed ? fail_memory(e) : DP_OK;
}

/* The kernel. */

/* For a call of usual size. */
static dp_tensor *tensor_of(explainer *e, bool row, int dim)
{
    dp_shape shape = {0};
    if (row)
        shape.dim[shape.rank++] = POINTS;
    if (dim > 0)
        shape.dim[shape.rank++] = dim;
    return dp__tensor_create(e->options.device, DP_F32, shape);
}

static dp_status write_source(explainer *e, dp__pairwise_call *call, dp__text *text)
{
    for (int n = 0; n < e->count; n++) {
        const bool row = e->symbols[n].row_dim != DP__NO_FORM;
        const int dim = row ? e->symbols[n].row_dim : e->symbols[n].call_dim;
        call->scalar[n] = 1;
        if ((row || dim > 0) && !(call->in[n] = tensor_of(e, row, dim)))
            return dp_failed(e->options.device);
    }
    for (int o = 0; o < call->expr->output_count; o++)
        if (!(call->out[o] = tensor_of(e, true, call->expr->nodes[call->expr->outputs[o]].dim)))
            return dp_failed(e->options.device);
    return dp__dispatch_source(e->options.device, DP__OP_pairwise, call, e->options.dialect, text);
}

static dp_status explain_source(explainer *e)
{
    dp_device *device = e->options.device;
    dp__indexed targets[DP_COUNT(e->targets)];
    int count = 0;
    for (int t = 0; t < e->target_count; t++)
        if (e->targets[t].side == DP__SIDE_I)
            targets[count++] = e->targets[t];
    if (e->parsed->output_count + count > DP_MAX_OUTPUTS)
        return fail(e, DP_ERROR_UNSUPPORTED, "value and gradients are %d outputs; a kernel has at most %d",
                    e->parsed->output_count + count, DP_MAX_OUTPUTS);
    dp__expr *expr = gradients_to(e, targets, count, true);
    if (!expr)
        return fail_memory(e);
    dp__pairwise_call call = {.expr = expr, .reduction = DP_SUM, .n = POINTS, .m = POINTS};
    dp__text text = {0};
    dp_status status = dp_failed(device) ? dp_failed(device) : write_source(e, &call, &text);
    if (status == DP_OK && text.failed)
        status = fail_memory(e);
    else if (status != DP_OK)
        fail(e, status, "%s", dp_message(device));
    e->result->source = text.data;
    for (int n = 0; n < e->count; n++)
        dp_tensor_release((dp_tensor **)&call.in[n]);
    for (int o = 0; o < expr->output_count; o++)
        dp_tensor_release(&call.out[o]);
    dp__expr_free(&expr);
    return status;
}

static dp_status explain(explainer *e)
{
    if (!e->formula)
        return fail(e, DP_ERROR_ARGUMENT, "formula is NULL");
    if (e->options.dim == 0)
        e->options.dim = 3;
    if (e->options.dim < 1 || e->options.dim > MAX_DIM)
        return fail(e, DP_ERROR_ARGUMENT, "dim is %d: 1 to %d are allowed", e->options.dim, MAX_DIM);
    DP_CHECK(find_types(e));
    DP_CHECK(choose_targets(e));
    DP_CHECK(explain_value(e));
    DP_CHECK(explain_gradients(e));
    return e->options.device ? explain_source(e) : DP_OK;
}

dp_status dp_explanation_create(const char *formula, const dp_explain_options *options,
                                dp_explanation **result)
{
    *result = dp__alloc(1, sizeof **result);
    if (!*result)
        return DP_ERROR_MEMORY;
    explainer e = {.formula = formula, .result = *result};
    if (options)
        e.options = *options;
    const dp_status status = explain(&e);
    dp__expr_free(&e.parsed);
    dp__expr_free(&e.simple);
    dp__expr_free(&e.all);
    return status;
}

void dp_explanation_destroy(dp_explanation **explanation)
{
    if (!explanation || !*explanation)
        return;
    dp_explanation *own = *explanation;
    for (int g = 0; g < own->gradient_count; g++)
        dp__free(own->gradients[g].formula);
    dp__free(own->gradients);
    dp__free(own->names);
    dp__free(own->formula);
    dp__free(own->tree);
    dp__free(own->source);
    dp__free(own);
    *explanation = NULL;
}
