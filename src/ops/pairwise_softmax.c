/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of log-sum-exp, and softmax-weighted sums: a first pass gives L = log sum_j exp(s_ij), and
 * everything else is a pairwise sum of a formula that has L among its symbols. The weights exp(s_ij - L) are
 * made again in each pass, never stored; s - L is at most 0, so nothing overflows. A term of weight 0 is left
 * out, whatever its other factors are. */
#include "ops/pairwise_record.h"
#include <math.h>
#include <string.h>

/* The symbols behind the arguments. */
typedef struct extra_symbols {
    dp__indexed total;  /* L */
    dp__indexed centre; /* what is subtracted from each value; a symbol below 0: nothing */
} extra_symbols;

static dp__node symbol_node(dp__indexed symbol)
{
    return (dp__node){.kind = DP__NODE_SYMBOL,
                      .dim = symbol.dim,
                      .operand = {-1, -1, -1},
                      .symbol = symbol.symbol,
                      .side = symbol.side};
}

static dp__node constant(double value)
{
    return (dp__node){.kind = DP__NODE_CONST, .operand = {-1, -1, -1}, .value = value};
}

static dp__node operation(dp__node_kind kind, int dim, int a, int b, int c)
{
    return (dp__node){.kind = kind, .dim = dim, .operand = {a, b, c}};
}

/* exp(s - L), times (v - centre) where there is an output v behind s; 0 where exp(s - L) is. L of -inf, which
 * has no terms but those of -inf, counts as 0: they have the weight 0. */
static dp__expr *weighted(const dp__expr *expr, const extra_symbols *extra)
{
    const int b = expr->node_count, s = expr->outputs[0], dim = extra->total.dim;
    const int v = expr->output_count > 1 ? expr->outputs[1] : -1, v_dim = v >= 0 ? expr->nodes[v].dim : dim;
    dp__node nodes[12] = {
        symbol_node(extra->total),
        constant((double)-INFINITY),
        operation(DP__NODE_EQ, dim, b, b + 1, -1),
        constant(0),
        operation(DP__NODE_SELECT, dim, b + 2, b + 3, b),
        operation(DP__NODE_SUB, dim, s, b + 4, -1),
        operation(DP__NODE_EXP, dim, b + 5, -1, -1),
        operation(DP__NODE_NE, dim, b + 6, b + 3, -1),
    };
    int count = 8, term = b + 6;
    if (v >= 0) {
        int value = v;
        if (extra->centre.symbol >= 0) {
            nodes[count++] = symbol_node(extra->centre);
            nodes[count] = operation(DP__NODE_SUB, v_dim, v, b + count - 1, -1);
            value = b + count++;
        }
        nodes[count] = operation(DP__NODE_MUL, v_dim, b + 6, value, -1);
        term = b + count++;
    }
    nodes[count++] = operation(DP__NODE_SELECT, v_dim, b + 7, term, b + 3);
    return dp__expr_extend(expr, nodes, count);
}

/* The side on which the results of a call stand. */
static dp__side kept_side(const dp__pairwise_call *call)
{
    return call->all ? DP__SIDE_CALL : DP__SIDE_I;
}

static dp_status add_symbol(dp_device *device, dp__pairwise_call *call, int symbol, const dp_tensor *tensor,
                            int dim, dp__indexed *result)
{
    if (symbol >= DP_MAX_ARGS)
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "args has too many entries: this call needs one or two of the %d, and one "
                        "for a cotangent",
                        DP_MAX_ARGS);
    call->in[symbol] = tensor;
    *result = (dp__indexed){symbol, kept_side(call), dim};
    return DP_OK;
}

/* L of the first output. */
static dp_status first_pass(dp_device *device, const dp__pairwise_call *call, dp_tensor **total)
{
    dp__expr *score = dp__expr_clone(call->expr);
    if (!score)
        return dp__fail(device, DP_ERROR_MEMORY, "no memory for the formula");
    score->output_count = 1;
    dp__pairwise_call first = *call;
    first.expr = score;
    first.reduction = DP_LOGSUMEXP;
    const dp_status status = dp__pairwise_run(device, &first, total);
    dp__expr_free(&score);
    return status;
}

dp_status dp__gradient_of_logsumexp(dp_device *device, dp__gradient_call *g, dp_tensor **gradients,
                                    dp_tensor **value)
{
    const dp__expr *expr = g->call.expr;
    const int next = g->args.count + (g->seed.symbol >= 0);
    extra_symbols extra = {.centre.symbol = -1};
    dp_tensor *total = NULL;
    DP_CHECK(add_symbol(device, &g->call, next, NULL, expr->nodes[expr->outputs[0]].dim, &extra.total));
    dp_status status = first_pass(device, &g->call, &total);
    dp__expr *terms = status == DP_OK ? weighted(expr, &extra) : NULL;
    if (status == DP_OK && !terms)
        status = dp__fail(device, DP_ERROR_MEMORY, "no memory for the derivatives");
    if (status == DP_OK) {
        dp__pairwise_call call = g->call;
        call.in[next] = total;
        call.expr = terms;
        call.reduction = DP_SUM;
        status = dp__pairwise_gradient_of(device, &call, g->seed, g->symbols, g->count, 1, gradients, NULL);
    }
    dp__expr_free(&terms);
    if (status == DP_OK && value) {
        *value = total;
        total = NULL;
    }
    dp_tensor_release(&total);
    return status;
}

/* Softmax-weighted sums. */

typedef struct softmax {
    dp_device *device;
    dp__gradient_call g; /* its formula's outputs are the score and the value */
    dp__expr *expr;
    extra_symbols extra;
    dp_tensor *total, *result;
} softmax;

static dp_status parse(softmax *s, const char *score, const char *value, unsigned mode)
{
    dp__expr *first = NULL, *second = NULL;
    dp_status status = dp__pairwise_parse(s->device, score, s->g.args, 1, &first);
    if (status == DP_OK)
        status = dp__pairwise_parse(s->device, value, s->g.args, 1, &second);
    if (status == DP_OK && first->nodes[first->outputs[0]].dim > 0)
        status = dp__fail(s->device, DP_ERROR_FORMULA,
                          "pairwise: the score of a softmax is a scalar, not a vector of %d",
                          first->nodes[first->outputs[0]].dim);
    if (status == DP_OK && !(s->expr = dp__expr_join(first, second)))
        status = dp__fail(s->device, DP_ERROR_MEMORY, "no memory for the formulas");
    dp__expr_free(&first);
    dp__expr_free(&second);
    DP_CHECK(status);
    if ((mode & 0xffu) != DP_SUM)
        return dp__fail(s->device, DP_ERROR_ARGUMENT,
                        "mode 0x%x: a softmax weights sums: DP_SUM_J, DP_SUM_I, DP_SUM_ALL", mode);
    return dp__pairwise_bind(s->device, s->expr, mode, s->g.args, &s->g.call);
}

/* The weighted sums, s->result. */
static dp_status evaluate(softmax *s, int symbol)
{
    s->extra.centre.symbol = -1;
    DP_CHECK(add_symbol(s->device, &s->g.call, symbol, NULL, 0, &s->extra.total));
    DP_CHECK(first_pass(s->device, &s->g.call, &s->total));
    dp__pairwise_call call = s->g.call;
    dp__expr *terms = weighted(s->expr, &s->extra);
    if (!terms)
        return dp__fail(s->device, DP_ERROR_MEMORY, "no memory for the formula");
    call.in[symbol] = s->total;
    call.expr = terms;
    const dp_status status = dp__pairwise_run(s->device, &call, &s->result);
    dp__expr_free(&terms);
    return status;
}

/* With p = exp(s - L) and O the result, the derivative of O is that of the sum of p (v - O) at fixed L and O.
 */
static dp_status differentiate(softmax *s, int symbol, dp_tensor **gradients)
{
    dp__pairwise_call call = s->g.call;
    const int dim = s->expr->nodes[s->expr->outputs[1]].dim;
    DP_CHECK(add_symbol(s->device, &call, symbol + 1, s->result, dim, &s->extra.centre));
    dp__expr *terms = weighted(s->expr, &s->extra);
    if (!terms)
        return dp__fail(s->device, DP_ERROR_MEMORY, "no memory for the derivatives");
    call.in[symbol] = s->total;
    call.expr = terms;
    const dp_status status =
        dp__pairwise_gradient_of(s->device, &call, s->g.seed, s->g.symbols, s->g.count, 1, gradients, NULL);
    dp__expr_free(&terms);
    return status;
}

static void drop(softmax *s)
{
    dp_tensor_release(&s->total);
    dp_tensor_release(&s->result);
    dp__expr_free(&s->expr);
}

static dp_tensor *softmax_plain(dp_device *device, const char *score, const char *value, unsigned mode, dp_args args)
{
    softmax s = {.device = device, .g.args = args};
    dp_tensor *result = NULL;
    if (parse(&s, score, value, mode) == DP_OK && evaluate(&s, args.count) == DP_OK) {
        result = s.result;
        s.result = NULL;
    }
    drop(&s);
    return result;
}

static dp_status softmax_gradient_plain(dp_device *device, const dp__pair_call *call, const char *const *wrt,
                                        int count, dp_tensor **gradients, dp_tensor **result)
{
    softmax s = {.device = device, .g = {.args = call->args, .count = count}};
    dp_status status = parse(&s, call->formula, call->value, call->mode);
    if (status == DP_OK)
        status = dp__gradient_names(device, &s.g, wrt);
    if (status == DP_OK)
        status = dp__gradient_seed(device, &s.g, s.expr->nodes[s.expr->outputs[1]].dim, call->cotangent);
    const int symbol = call->args.count + (status == DP_OK && call->cotangent);
    if (status == DP_OK)
        status = evaluate(&s, symbol);
    if (status == DP_OK)
        status = differentiate(&s, symbol, gradients);
    if (status == DP_OK && result) {
        *result = s.result;
        s.result = NULL;
    }
    drop(&s);
    return status;
}

/* Recorded gradients: those of the sum of exp(s - L), or of exp(s - L) (v - O), at fixed L and O, which are recorded calls as well. So
 * they have gradients of their own, of any order. */

typedef struct composition {
    dp_device *device;
    const dp__pair_call *call;
    dp_tensor *total, *result; /* L, O */
    dp_arg args[DP_MAX_ARGS];
    dp__symbol symbols[DP_MAX_ARGS];
    char names[2][DP__PAIR_NAME];
    int count;
    dp__text text;
} composition;

static dp__expr *parse_composed(const composition *c)
{
    const dp__pair_call *call = c->call;
    dp__expr *first = NULL, *second = NULL, *both = NULL;
    dp_status status = dp__pairwise_parse(c->device, call->formula, call->args, 1, &first);
    if (status == DP_OK && call->value)
        status = dp__pairwise_parse(c->device, call->value, call->args, 1, &second);
    if (status == DP_OK)
        both = second ? dp__expr_join(first, second) : dp__expr_clone(first);
    if (status == DP_OK && !both)
        dp__fail(c->device, DP_ERROR_MEMORY, "no memory for the formulas");
    dp__expr_free(&first);
    dp__expr_free(&second);
    return both;
}

static dp_status add_total(composition *c, int which, dp_tensor *tensor, int dim, dp__indexed *symbol)
{
    const unsigned over = c->call->mode & (DP_OVER_I | DP_OVER_ALL);
    const dp__side side = over == DP_OVER_ALL ? DP__SIDE_CALL : over == DP_OVER_I ? DP__SIDE_J : DP__SIDE_I;
    if (!tensor)
        return dp_failed(c->device);
    if (c->count == DP_MAX_ARGS)
        return dp__fail(c->device, DP_ERROR_ARGUMENT,
                        "args has too many entries: this call needs one or two of the %d, and one for a cotangent",
                        DP_MAX_ARGS);
    dp__pair_name(c->call->formula, c->call->value, c->call->args, which, c->names[which]);
    c->args[c->count] = (dp_arg){c->names[which], tensor, 0};
    c->symbols[c->count] = (dp__symbol){c->names[which], dim, dim};
    *symbol = (dp__indexed){c->count++, side, dim};
    return DP_OK;
}

static dp_status write_terms(composition *c)
{
    dp__expr *expr = parse_composed(c), *terms = NULL;
    extra_symbols extra = {.centre.symbol = -1};
    dp_status status = expr ? DP_OK : dp_failed(c->device);
    if (status == DP_OK)
        status = add_total(c, 0, c->total, expr->nodes[expr->outputs[0]].dim, &extra.total);
    if (status == DP_OK && c->call->value)
        status = add_total(c, 1, c->result, expr->nodes[expr->outputs[1]].dim, &extra.centre);
    if (status == DP_OK && (terms = weighted(expr, &extra))) {
        terms->symbol_count = c->count;
        dp__expr_print(terms, c->symbols, &c->text);
    }
    if (status == DP_OK && (!terms || c->text.failed))
        status = dp__fail(c->device, DP_ERROR_MEMORY, "no memory for the derivatives");
    dp__expr_free(&expr);
    dp__expr_free(&terms);
    return status;
}

dp_status dp__gradient_composed(dp_device *device, const dp__pair_call *call, const char *const *wrt, int count,
                                dp_tensor **gradients, dp_tensor **value)
{
    composition c = {.device = device, .call = call, .count = call->args.count};
    const unsigned rest = call->mode & ~0xffu;
    dp__pair_symbols(call->args, false, c.symbols);
    memcpy(c.args, call->args.arg, (size_t)c.count * sizeof *c.args);
    c.total = dp_pairwise_with(device, call->formula, rest | DP_LOGSUMEXP, call->args, call->options);
    if (c.total && call->value)
        c.result = dp_pairwise_softmax(device, call->formula, call->value, call->mode, call->args);
    dp_status status = write_terms(&c);
    if (status == DP_OK)
        status = dp_pairwise_gradient_with(device, c.text.data, rest | DP_SUM, (dp_args){c.args, c.count}, call->options,
                                           call->cotangent, wrt, count, gradients, NULL);
    if (status == DP_OK && value)
        *value = dp_tensor_retain(call->value ? c.result : c.total);
    dp__text_free(&c.text);
    dp_tensor_release(&c.total);
    dp_tensor_release(&c.result);
    return status;
}

/* The public calls. */

/* The checks of a softmax's arguments beyond those of its score. */
static dp_status check_texts(dp_device *device, const char *score, const char *value, dp_args args)
{
    DP_CHECK(dp__formula_check_args(device, score, args));
    return dp__formula_check_args(device, value, args);
}

dp_tensor *dp_pairwise_softmax(dp_device *device, const char *score, const char *value, unsigned mode,
                               dp_args args)
{
    const dp__pair_call call = {DP__RULE_pairwise_softmax, score, value, mode, args, NULL, NULL, 0, NULL};
    if (check_texts(device, score, value, args) != DP_OK)
        return NULL;
    if (!dp__pair_recording(device, args, NULL))
        return softmax_plain(device, score, value, mode, args);
    dp__record_pause(device);
    dp_tensor *out = softmax_plain(device, score, value, mode, args);
    dp__record_resume(device);
    return dp__pair_record(out, &call);
}

dp_status dp_pairwise_softmax_gradient(dp_device *device, const char *score, const char *value, unsigned mode,
                                       dp_args args, const dp_tensor *cotangent, const char *const *wrt,
                                       int count, dp_tensor **gradients, dp_tensor **result)
{
    const dp__pair_call call = {DP__RULE_pairwise_softmax, score, value, mode, args, NULL, cotangent, 0, NULL};
    DP_CHECK(dp__gradient_check(device, wrt, count, gradients, result));
    DP_CHECK(check_texts(device, score, value, args));
    return dp__pair_recording(device, args, cotangent)
               ? dp__gradient_composed(device, &call, wrt, count, gradients, result)
               : softmax_gradient_plain(device, &call, wrt, count, gradients, result);
}
