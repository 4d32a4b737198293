/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of max and min: all of it goes through the pair that won. A first pass finds the winner of each
 * i; the rows of the winners are gathered, so that what was indexed by j is indexed by i too and the rest is
 * one evaluation for each i instead of each pair; what belongs to the winners' rows is scattered back, in the
 * order of i. */
#include "ops/pairwise.h"
#include <string.h>

typedef struct extreme {
    dp_device *device;
    dp__gradient_call *g;
    dp__pairwise_call call;       /* with everything on side i, and one j */
    dp_tensor *winner;            /* i32 [n] */
    dp_tensor *rows[DP_MAX_ARGS]; /* of the winners; owned */
    int gathered[DP_MAX_ARGS];    /* the symbol that holds them; -1: none */
} extreme;

static dp_status find_winners(extreme *e)
{
    dp__pairwise_call call = e->g->call;
    call.reduction = call.reduction == DP_MAX ? DP_ARGMAX : DP_ARGMIN;
    return dp__pairwise_run(e->device, &call, &e->winner);
}

/* A symbol behind the arguments and the cotangent. */
static int free_symbol(const extreme *e)
{
    int s = e->g->args.count + (e->g->seed.symbol >= 0);
    while (s < DP_MAX_ARGS && e->rows[s])
        s++;
    return s < DP_MAX_ARGS ? s : -1;
}

static dp_status gather_symbol(extreme *e, dp__expr *expr, int s)
{
    const dp__expr *own = e->g->call.expr;
    const bool elsewhere = dp__expr_uses(own, s, DP__SIDE_I) || dp__expr_uses(own, s, DP__SIDE_CALL);
    const int symbol = elsewhere ? free_symbol(e) : s;
    if (symbol < 0)
        return dp__fail(e->device, DP_ERROR_ARGUMENT,
                        "args has too many entries: a max or min needs one more of the %d for each "
                        "that is indexed by both i and j",
                        DP_MAX_ARGS);
    e->rows[symbol] = dp_gather_rows(e->device, e->g->call.in[s], e->winner);
    e->gathered[s] = symbol;
    e->call.in[symbol] = e->rows[symbol];
    dp__expr_rename(expr, s, DP__SIDE_J, symbol, DP__SIDE_I);
    return e->rows[symbol] ? DP_OK : dp_failed(e->device);
}

static dp_status gather(extreme *e, dp__expr *expr)
{
    for (int s = 0; s < DP_MAX_ARGS; s++)
        if (dp__expr_uses(e->g->call.expr, s, DP__SIDE_J))
            DP_CHECK(gather_symbol(e, expr, s));
    return DP_OK;
}

/* The part of argument s that comes from where it was indexed by j, added to what there is. */
static dp_status scatter(extreme *e, int s, dp_tensor *part, dp_tensor **gradient)
{
    dp_tensor *back = dp_scatter_add_rows(e->device, part, e->winner, e->g->call.in[s]->shape.dim[0]);
    if (back && *gradient) {
        const dp_arg pair[] = {{"a", *gradient, 0}, {"b", back, 0}};
        dp_tensor *both = dp_map(e->device, "a + b", (dp_args){pair, 2});
        dp_tensor_release(&back);
        back = both;
    }
    dp_tensor_release(gradient);
    *gradient = back;
    return back ? DP_OK : dp_failed(e->device);
}

/* Those to side i and the call, and those to the winners' rows. */
static dp_status differentiate(extreme *e, dp_tensor **gradients, dp_tensor **value)
{
    dp__gradient_call *g = e->g;
    int here[DP_MAX_OUTPUTS], there[DP_MAX_OUTPUTS], here_of[DP_MAX_OUTPUTS], there_of[DP_MAX_OUTPUTS], h = 0,
                                                                                                        t = 0;
    dp_tensor *found[DP_MAX_OUTPUTS] = {NULL}, *parts[DP_MAX_OUTPUTS] = {NULL};
    for (int k = 0; k < g->count; k++) {
        const int s = g->symbols[k];
        const bool on_j = e->gathered[s] >= 0;
        if (on_j)
            there_of[t] = k, there[t++] = e->gathered[s];
        if (!on_j || e->gathered[s] != s)
            here_of[h] = k, here[h++] = s;
    }
    dp_status status = DP_OK;
    if (h > 0 || value)
        status = dp__pairwise_gradient_of(e->device, &e->call, g->seed, here, h, 1, found, value);
    if (status == DP_OK && t > 0)
        status = dp__pairwise_gradient_of(e->device, &e->call, g->seed, there, t, 1, parts, NULL);
    for (int k = 0; status == DP_OK && k < h; k++) {
        gradients[here_of[k]] = found[k];
        found[k] = NULL;
    }
    for (int k = 0; status == DP_OK && k < t; k++)
        status = scatter(e, g->symbols[there_of[k]], parts[k], &gradients[there_of[k]]);
    for (int k = 0; k < DP_MAX_OUTPUTS; k++) {
        dp_tensor_release(&found[k]);
        dp_tensor_release(&parts[k]);
    }
    return status;
}

/* Over no pairs: the value that dp_reduction says, and zeros. */
static dp_status without_pairs(dp_device *device, dp__gradient_call *g, dp_tensor **gradients,
                               dp_tensor **value)
{
    dp_status status = value ? dp__pairwise_run(device, &g->call, value) : DP_OK;
    for (int k = 0; status == DP_OK && k < g->count; k++) {
        const dp_tensor *in = g->call.in[g->symbols[k]];
        gradients[k] = dp_full(device, DP_F32, in ? in->shape : (dp_shape){0}, 0);
        status = gradients[k] ? DP_OK : dp_failed(device);
    }
    return status;
}

static dp_status run(extreme *e, dp_tensor **gradients, dp_tensor **value)
{
    dp__expr *expr = dp__expr_clone(e->g->call.expr);
    if (!expr)
        return dp__fail(e->device, DP_ERROR_MEMORY, "no memory for the formula");
    e->call = e->g->call;
    e->call.expr = expr;
    e->call.reduction = DP_SUM;
    e->call.exclude_self = false;
    e->call.m = 1;
    dp_status status = find_winners(e);
    if (status == DP_OK)
        status = gather(e, expr);
    if (status == DP_OK)
        status = differentiate(e, gradients, value);
    dp__expr_free(&expr);
    return status;
}

dp_status dp__gradient_of_extreme(dp_device *device, dp__gradient_call *g, dp_tensor **gradients,
                                  dp_tensor **value)
{
    extreme e = {.device = device, .g = g};
    for (int s = 0; s < DP_MAX_ARGS; s++)
        e.gathered[s] = -1;
    const dp__node *output = &g->call.expr->nodes[g->call.expr->outputs[0]];
    if (output->dim > 0)
        return dp__fail(device, DP_ERROR_FORMULA,
                        "pairwise: the gradient of %s takes one scalar formula, not a vector",
                        dp_reduction_name(g->call.reduction));
    const bool pairs = g->call.n > 0 && g->call.m > g->call.exclude_self;
    const dp_status status = pairs ? run(&e, gradients, value) : without_pairs(device, g, gradients, value);
    dp_tensor_release(&e.winner);
    for (int s = 0; s < DP_MAX_ARGS; s++)
        dp_tensor_release(&e.rows[s]);
    for (int k = 0; status != DP_OK && k < g->count; k++)
        dp_tensor_release(&gradients[k]);
    if (status != DP_OK && value)
        dp_tensor_release(value);
    return status;
}
