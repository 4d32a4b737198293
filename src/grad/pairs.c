/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of sums over pairs. The gradient of one is a call of pairwise.h, and so is the gradient of that: with
 * G the gradient to w of the sum of c f, and V what comes back to it, <V, G> is a sum over pairs again, of
 * the derivative of f along V. */
#include "expr/expr.h"
#include "grad/tape.h"
#include <dipole/batch.h>

#define MOST (DP_MAX_OUTPUTS - 1) /* names of one call */

static dp_args args_of(const dp__history *call)
{
    return (dp_args){call->arg, call->arg_count};
}

static const char *at(const dp__history *call, int64_t bytes)
{
    return bytes > 0 ? (const char *)call->params + bytes : NULL;
}

/* The options as they were given; NULL for none. */
static const dp_pair_options *options_of(const dp__history *call, dp_pair_options *options)
{
    const dp__pairs *p = call->params;
    if (!p->with)
        return NULL;
    *options = (dp_pair_options){.problems = p->problems,
                                 .offsets_i = (const int64_t *)at(call, p->offset_i),
                                 .offsets_j = (const int64_t *)at(call, p->offset_j),
                                 .batch = p->batch,
                                 .mask = call->input[call->arg_count],
                                 .tile = p->tile};
    return options;
}

/* Names of arguments that need a gradient, from *next on, as many as one call takes. */
static int next_names(const dp__history *call, int *next, const char *names[MOST], int symbol[MOST])
{
    int count = 0;
    for (; *next < call->arg_count && count < MOST; ++*next)
        if (call->needs[*next]) {
            symbol[count] = *next;
            names[count++] = call->arg[*next].name;
        }
    return count;
}

static dp_status first_order(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                             dp_tensor **gradients)
{
    const dp__pairs *p = call->params;
    dp_pair_options space;
    const dp_pair_options *options = options_of(call, &space);
    const char *names[MOST], *value = at(call, p->value);
    int symbol[MOST], next = 0, count;
    while ((count = next_names(call, &next, names, symbol)) > 0) {
        dp_tensor *found[MOST] = {NULL};
        DP_CHECK(value ? dp_pairwise_softmax_gradient(device, call->formula, value, p->mode, args_of(call),
                                                      cotangent, names, count, found, NULL)
                       : dp_pairwise_gradient_with(device, call->formula, p->mode, args_of(call), options,
                                                   cotangent, names, count, found, NULL));
        for (int k = 0; k < count; k++)
            gradients[symbol[k]] = found[k];
    }
    return DP_OK;
}

/* Whether the pairs are in problems of which each has a result of its own. */
static bool in_problems(const dp__pairs *p)
{
    return p->with && (p->problems > 0 || p->offset_i || p->offset_j || p->batch);
}

dp_status dp__grad_pairwise(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                            dp_tensor **gradients)
{
    const dp__pairs *p = call->params;
    const unsigned reduction = p->mode & 0xffu;
    const bool cut = in_problems(p) || (p->with && call->input[call->arg_count]);
    if (reduction != DP_SUM && reduction != DP_MEAN &&
        (cut || ((p->mode & DP_OVER_ALL) && reduction != DP_LOGSUMEXP)))
        return dp__fail(device, DP_ERROR_UNSUPPORTED, "backward: pairwise %s %s has no gradient",
                        dp_reduction_name((dp_reduction)reduction),
                        cut ? "with problems or a mask" : "over all pairs");
    return first_order(device, call, cotangent, gradients);
}

dp_status dp__grad_pairwise_softmax(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                                    dp_tensor **gradients)
{
    return first_order(device, call, cotangent, gradients);
}

dp_status dp__grad_pairwise_smallest(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                                     dp_tensor **gradients)
{
    (void)call, (void)cotangent, (void)gradients;
    return dp__fail(
        device, DP_ERROR_UNSUPPORTED,
        "backward: the values of dp_pairwise_smallest have no gradient (compute them again from rows that "
        "dp_gather_rows takes by their indices)");
}

/* Second order: the rule of dp_pairwise_gradient. */

typedef struct second {
    dp_device *device;
    const dp__history *call;
    const dp__pairs *p;
    dp_pair_options space;
    const dp_pair_options *options;
    dp__expr *expr; /* of the formula */
    int dim;        /* of its output; 0: a number */
    int64_t rows[3];
    dp_arg args[DP_MAX_ARGS];
    dp__symbol symbols[DP_MAX_ARGS];
    char name[3][DP__RULE_NAME]; /* of V, of the weights, of the factor */
    int count;
    dp_tensor *counts;  /* pairs of each result, as a column where cotangents are vectors; NULL: not needed */
    dp_tensor *spread;  /* i32 rows of the problem of each i, where the weights are spread so */
    dp_tensor *weights; /* what each pair is multiplied by */
} second;

/* As dp_pairwise reads them. */
static void list_symbols(second *s)
{
    const bool batch = s->p->with && s->p->batch;
    for (int a = 0; a < s->call->arg_count; a++) {
        const dp_tensor *tensor = s->call->arg[a].tensor;
        dp__symbol *symbol = &s->symbols[a];
        *symbol = (dp__symbol){s->call->arg[a].name, DP__NO_FORM, tensor ? DP__NO_FORM : 0};
        s->args[a] = s->call->arg[a];
        if (!tensor)
            continue;
        const int rank = tensor->shape.rank, first = batch ? 2 : 1;
        const int last = rank > 0 ? (int)tensor->shape.dim[rank - 1] : 0;
        if (rank >= first)
            symbol->row_dim = rank == first ? 0 : last;
        if (rank < 2)
            symbol->call_dim = last;
        if (rank == 1 && last == 0)
            symbol->call_dim = DP__NO_FORM;
    }
    s->count = s->call->arg_count;
}

static dp_status prepare(second *s)
{
    char message[256];
    list_symbols(s);
    if (s->count + 3 > DP_MAX_ARGS)
        return dp__fail(s->device, DP_ERROR_UNSUPPORTED,
                        "backward: a second derivative of a pairwise call with %d arguments: %d are allowed",
                        s->count, DP_MAX_ARGS - 3);
    for (int k = 0; k < 3; k++)
        dp__rule_name(s->call, k, s->name[k]);
    const dp_status status =
        dp__expr_parse(s->call->formula, s->symbols, s->count, &s->expr, message, sizeof message);
    if (status != DP_OK)
        return dp__fail(s->device, status, "%s", message);
    s->dim = s->expr->nodes[s->expr->outputs[0]].dim;
    for (int a = 0; a < s->count; a++)
        for (int side = DP__SIDE_I; side <= DP__SIDE_J; side++)
            if (dp__expr_uses(s->expr, a, (dp__side)side)) /* of one problem of a batch */
                s->rows[side] = s->args[a].tensor->shape.dim[s->p->with && s->p->batch ? 1 : 0];
    return DP_OK;
}

static int add_argument(second *s, int name, dp_tensor *tensor, double scalar, int row_dim, int call_dim)
{
    s->args[s->count] = (dp_arg){s->name[name], tensor, scalar};
    s->symbols[s->count] = (dp__symbol){s->name[name], row_dim, call_dim};
    return s->count++;
}

/* The pairs of each result of a mean: a sum of ones. */
static dp_status count_pairs(second *s)
{
    dp__text text = {0};
    dp__text_add(&text, "select(1, 1, 0");
    for (int side = DP__SIDE_I; side <= DP__SIDE_J; side++)
        for (int a = 0; a < s->call->arg_count; a++)
            if (dp__expr_uses(s->expr, a, (dp__side)side)) {
                dp__text_add(&text, " + sum(%s[%c])", s->args[a].name, side == DP__SIDE_I ? 'i' : 'j');
                break;
            }
    dp__text_add(&text, ")");
    dp__record_pause(s->device);
    if (text.failed)
        dp__fail(s->device, DP_ERROR_MEMORY, "no memory for a formula");
    else
        s->counts = dp_pairwise_with(s->device, text.data, (s->p->mode & ~0xffu) | DP_SUM, args_of(s->call),
                                     s->options);
    if (s->counts && s->dim > 0 && s->call->input[s->call->arg_count + 1]) {
        dp_shape column = s->counts->shape;
        column.dim[column.rank++] = 1;
        dp_tensor *view = dp_reshape(s->counts, column);
        dp_tensor_release(&s->counts);
        s->counts = view;
    }
    dp__record_resume(s->device);
    dp__text_free(&text);
    return s->counts ? DP_OK : dp_failed(s->device);
}

/* Of each i which problem it is in, of which there is one weight. */
static dp_status index_problems(second *s)
{
    const int64_t *first = s->options->offsets_i, n = s->rows[DP__SIDE_I], problems = s->p->problems;
    int32_t *problem = dp__alloc((size_t)DP_MAX2(n, 1), sizeof *problem);
    if (!problem)
        return dp__fail(s->device, DP_ERROR_MEMORY, "no memory for the problems of %lld rows", (long long)n);
    for (int64_t q = 0; q < problems; q++)
        for (int64_t i = first ? first[q] : n / problems * q;
             i < (first ? first[q + 1] : n / problems * (q + 1)); i++)
            problem[i] = (int32_t)q;
    s->spread = dp_from(s->device, DP_I32, (dp_shape){1, {n}}, problem);
    dp__free(problem);
    return s->spread ? DP_OK : dp_failed(s->device);
}

/* Weights of the problems as weights of their rows i. */
static dp_status spread_weights(second *s)
{
    dp_tensor *rows = NULL;
    if (s->p->batch) {
        dp_shape column = s->weights->shape, wide;
        for (int axis = column.rank; axis > 1; axis--)
            column.dim[axis] = column.dim[axis - 1];
        column.dim[1] = 1;
        column.rank++;
        wide = column;
        wide.dim[1] = s->rows[DP__SIDE_I];
        dp_tensor *view = dp__rule_reshape(s->device, s->weights, column);
        rows = view ? dp_broadcast(view, wide) : NULL;
        dp_tensor_release(&view);
    } else {
        DP_CHECK(index_problems(s));
        rows = dp_gather_rows(s->device, s->weights, s->spread);
    }
    dp_tensor_release(&s->weights);
    s->weights = rows;
    return rows ? DP_OK : dp_failed(s->device);
}

/* The cotangent that the gradient was of, over the numbers of pairs of a mean where those differ, for each i
 * where each problem has one. Not needed where all is 1. */
static dp_status make_weights(second *s, const dp_tensor *c)
{
    const bool cut = in_problems(s->p) || s->call->input[s->call->arg_count];
    if ((s->p->mode & 0xffu) == DP_MEAN && cut) {
        DP_CHECK(count_pairs(s));
        dp_tensor *one = c ? dp_tensor_retain((dp_tensor *)c) : dp_full(s->device, DP_F32, DP_SCALAR, 1);
        s->weights = dp_map(s->device, "select(n > 0, c / n, 0)", DP_ARGS({"c", one}, {"n", s->counts}));
        dp_tensor_release(&one);
        if (!s->weights)
            return dp_failed(s->device);
    } else if (c) {
        s->weights = dp_tensor_retain((dp_tensor *)c);
    }
    return s->weights && (s->p->mode & DP_OVER_ALL) && in_problems(s->p) ? spread_weights(s) : DP_OK;
}

/* From the gradient by the weights to that by the cotangent. Takes it over. */
static dp_tensor *unmake_weights(second *s, dp_tensor *g, const dp_tensor *c)
{
    dp_tensor *back = g;
    if (g && (s->p->mode & DP_OVER_ALL) && in_problems(s->p)) {
        back = s->spread ? dp_scatter_add_rows(s->device, g, s->spread, s->p->problems)
                         : dp_reduce(s->device, g, DP_SUM, DP_AXIS(1));
        dp_tensor_release(&g);
    }
    if (back && s->counts) {
        dp_tensor *part =
            dp_map(s->device, "select(n > 0, c / n, 0)", DP_ARGS({"c", back}, {"n", s->counts}));
        dp_tensor_release(&back);
        back = part;
    }
    return back ? dp__rule_unbroadcast(s->device, back, c->shape) : NULL;
}

/* Where results of the call stand in a formula. */
static dp__side result_side(const dp__pairs *p)
{
    if (p->mode & DP_OVER_ALL)
        return in_problems(p) ? DP__SIDE_I : DP__SIDE_CALL;
    return p->mode & DP_OVER_I ? DP__SIDE_J : DP__SIDE_I;
}

/* The formula of <V, G>, with V and what else it needs behind the arguments. */
static dp_status write_formula(second *s, dp_tensor *v, dp__text *text)
{
    const dp__pairs *p = s->p;
    const int w = p->name, along = add_argument(s, 0, v, 0, s->symbols[w].row_dim, s->symbols[w].call_dim);
    dp__indexed places[3], seed = {.symbol = -1}, factor = {.symbol = -1};
    dp__direction directions[3];
    const int count = dp__expr_places(s->expr, w, places);
    for (int k = 0; k < count; k++)
        directions[k] = (dp__direction){places[k], {along, places[k].side, places[k].dim}};
    if (s->weights) {
        const int dim = s->call->input[s->call->arg_count + 1] ? s->dim : 0;
        seed = (dp__indexed){add_argument(s, 1, s->weights, 0, dim, dim), result_side(p), dim};
    }
    if ((p->mode & 0xffu) == DP_MEAN && !(p->mode & DP_OVER_ALL) && !s->counts) {
        const int64_t pairs =
            s->rows[p->mode & DP_OVER_I ? DP__SIDE_I : DP__SIDE_J] - ((p->mode & DP_EXCLUDE_SELF) != 0);
        factor = (dp__indexed){add_argument(s, 2, NULL, pairs > 0 ? 1 / (double)pairs : 0, DP__NO_FORM, 0),
                               DP__SIDE_CALL, 0};
    }
    dp__expr *form = dp__expr_directional(s->expr, seed, directions, count, factor);
    if (form) {
        form->symbol_count = s->count;
        dp__expr_print(form, s->symbols, text);
    }
    const bool whole = form && text->data && !text->failed;
    dp__expr_free(&form);
    return whole ? DP_OK : dp__fail(s->device, DP_ERROR_MEMORY, "no memory for the derivatives");
}

static dp_status differentiate(second *s, const char *formula, dp_tensor **gradients, dp_tensor **to_weights)
{
    const dp__pairs *p = s->p;
    const bool mean = (p->mode & 0xffu) == DP_MEAN && (p->mode & DP_OVER_ALL) && !s->counts;
    const unsigned mode = (mean ? DP_MEAN : DP_SUM) | DP_OVER_ALL | (p->mode & DP_EXCLUDE_SELF);
    const char *names[MOST];
    int symbol[MOST], next = 0, count, last = 0;
    while (!last) {
        dp_tensor *found[MOST] = {NULL};
        count = next_names(s->call, &next, names, symbol);
        if (count < MOST) {
            last = 1;
            if (to_weights)
                names[count++] = s->name[1];
        }
        if (count == 0)
            break;
        DP_CHECK(dp_pairwise_gradient_with(s->device, formula, mode, (dp_args){s->args, s->count}, s->options,
                                           NULL, names, count, found, NULL));
        if (last && to_weights)
            *to_weights = found[--count];
        for (int k = 0; k < count; k++)
            gradients[symbol[k]] = found[k];
    }
    return DP_OK;
}

dp_status dp__grad_pairwise_gradient(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                                     dp_tensor **gradients)
{
    second s = {.device = device, .call = call, .p = call->params};
    const unsigned reduction = s.p->mode & 0xffu;
    const int at_c = call->arg_count + 1;
    const dp_tensor *c = call->input[at_c];
    dp_tensor *to_weights = NULL;
    dp__text text = {0};
    if (reduction != DP_SUM && reduction != DP_MEAN)
        return dp__fail(device, DP_ERROR_UNSUPPORTED, "backward: pairwise %s has first derivatives only",
                        dp_reduction_name((dp_reduction)reduction));
    s.options = options_of(call, &s.space);
    dp_status status = prepare(&s);
    if (status == DP_OK)
        status = make_weights(&s, c);
    if (status == DP_OK)
        status = write_formula(&s, cotangent, &text);
    if (status == DP_OK)
        status = differentiate(&s, text.data, gradients, call->needs[at_c] ? &to_weights : NULL);
    if (status == DP_OK && call->needs[at_c])
        status = dp__rule_given(device, unmake_weights(&s, to_weights, c), &gradients[at_c]);
    dp_tensor_release(&s.counts);
    dp_tensor_release(&s.spread);
    dp_tensor_release(&s.weights);
    dp__expr_free(&s.expr);
    dp__text_free(&text);
    return status;
}
