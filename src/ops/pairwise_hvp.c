/* SPDX-License-Identifier: Apache-2.0 */
/* Second derivatives of pairwise sums along a direction v. A pair's share of <dL/dw, v> is the sum over the sides on which w
 * stands of <df/dw, v> there: the derivatives of the formula, with v as their seeds. Its gradient is differentiated from
 * that as the one of any formula: kept on the side of w, summed over the other. */
#include "ops/pairwise_record.h"
#include <string.h>

enum { SIDES = 3 };

typedef struct hvp {
    dp_device *device;
    dp__pairwise_call call; /* of the formula; the direction is the last symbol */
    int symbol, direction;
    dp__indexed targets[SIDES], seeds[SIDES]; /* w and the direction, on the sides where w stands */
    int count;
    dp_tensor *sum; /* what was found so far; NULL: nothing */
} hvp;

static dp_status check(dp_device *device, unsigned mode, dp_args args, const char *wrt, const dp_tensor *direction, int *symbol)
{
    char td[DP_SHAPE_TEXT], tw[DP_SHAPE_TEXT];
    const unsigned reduction = mode & 0xffu;
    if (reduction != DP_SUM && reduction != DP_MEAN)
        return dp__fail(device, DP_ERROR_ARGUMENT, "mode 0x%x: second derivatives are those of sums and means", mode);
    int s = 0;
    while (wrt && s < args.count && strcmp(args.arg[s].name, wrt) != 0)
        s++;
    if (!wrt || s == args.count)
        return dp__fail(device, DP_ERROR_ARGUMENT, "wrt is \"%.64s\", which is no argument", wrt ? wrt : "(NULL)");
    DP_CHECK(dp__check_dtype(device, direction, "direction", DP_F32));
    const dp_shape expected = args.arg[s].tensor ? args.arg[s].tensor->shape : (dp_shape){0};
    if (!dp__shape_equal(&direction->shape, &expected))
        return dp__fail(device, DP_ERROR_ARGUMENT, "direction has shape %s, %s has %s",
                        dp__shape_text(&direction->shape, td), wrt, dp__shape_text(&expected, tw));
    if (args.count == DP_MAX_ARGS)
        return dp__fail(device, DP_ERROR_ARGUMENT, "args has %d entries: with a direction %d are allowed", args.count,
                        DP_MAX_ARGS - 1);
    *symbol = s;
    return DP_OK;
}

static void list_sides(hvp *h)
{
    const dp__expr *expr = h->call.expr;
    for (int side = 0; side < SIDES; side++) {
        const dp__node *found = NULL;
        for (const dp__node *node = expr->nodes; !found && node < expr->nodes + expr->node_count; node++)
            if (node->kind == DP__NODE_SYMBOL && node->symbol == h->symbol && node->side == (dp__side)side)
                found = node;
        if (!found)
            continue;
        h->targets[h->count] = (dp__indexed){h->symbol, (dp__side)side, found->dim};
        h->seeds[h->count++] = (dp__indexed){h->direction, (dp__side)side, found->dim};
    }
}

/* Adds `part`, and takes it over. */
static dp_status accumulate(hvp *h, dp_tensor *part)
{
    if (!h->sum) {
        h->sum = part;
        return part ? DP_OK : dp_failed(h->device);
    }
    const dp_arg pair[] = {{"a", h->sum, 0}, {"b", part, 0}};
    dp_tensor *both = dp_map(h->device, "a + b", (dp_args){pair, 2});
    dp_tensor_release(&h->sum);
    dp_tensor_release(&part);
    h->sum = both;
    return both ? DP_OK : dp_failed(h->device);
}

/* Sums an expression of one output, kept on that side. */
static dp_status run_side(hvp *h, dp__expr *expr, dp__side side)
{
    dp__pairwise_call call = h->call;
    call.expr = expr;
    call.reduction = DP_SUM;
    call.all = side == DP__SIDE_CALL;
    if (side == DP__SIDE_J) {
        dp__expr_swap_sides(expr);
        call.n = h->call.m;
        call.m = h->call.n;
    }
    call.out[0] = dp__pairwise_output(h->device, &call, 0);
    dp_status status = call.out[0] ? DP_OK : dp_failed(h->device);
    if (status == DP_OK && dp_tensor_size(call.out[0]) > 0)
        status = dp__dispatch(h->device, DP__OP_pairwise, &call);
    if (status == DP_OK)
        return accumulate(h, call.out[0]);
    dp_tensor_release(&call.out[0]);
    return status;
}

static dp_status compute(hvp *h, bool symmetric)
{
    const dp__differentiation first = {.targets = h->targets, .target_count = h->count};
    dp__expr *slopes = dp__expr_differentiate(h->call.expr, &first);
    dp_status status = slopes ? DP_OK : dp__fail(h->device, DP_ERROR_MEMORY, "no memory for the derivatives");
    for (int k = 0; status == DP_OK && k < h->count; k++) {
        if (symmetric && h->targets[k].side == DP__SIDE_J)
            continue; /* as much as on side i */
        const dp__differentiation second = {.seeds = h->seeds, .targets = &h->targets[k], .target_count = 1};
        dp__expr *expr = dp__expr_differentiate(slopes, &second);
        if (!expr)
            status = dp__fail(h->device, DP_ERROR_MEMORY, "no memory for the second derivatives");
        else
            expr->symbol_count = DP_MAX2(expr->symbol_count, h->direction + 1);
        if (expr)
            status = run_side(h, expr, h->targets[k].side);
        dp__expr_free(&expr);
    }
    dp__expr_free(&slopes);
    return status;
}

/* The sum times `scale`; zeros where the formula does not have the argument. */
static dp_tensor *finish(hvp *h, const dp_tensor *direction, double scale)
{
    if (!h->sum)
        return dp_full(h->device, DP_F32, direction->shape, 0);
    if (scale == 1)
        return dp_tensor_retain(h->sum);
    const dp_arg pair[] = {{"h", h->sum, 0}, {.name = "s", .scalar = scale}};
    return dp_map(h->device, "h * s", (dp_args){pair, 2});
}

static dp_tensor *hvp_plain(dp_device *device, const char *formula, unsigned mode, dp_args args, const char *wrt,
                            const dp_tensor *direction)
{
    hvp h = {.device = device, .direction = args.count};
    dp__expr *expr = NULL;
    dp_tensor *result = NULL;
    dp_status status = dp__pairwise_prepare(device, formula, mode, args, 1, &expr, &h.call);
    if (status == DP_OK)
        status = check(device, mode, args, wrt, direction, &h.symbol);
    if (status == DP_OK) {
        h.call.in[h.direction] = direction;
        list_sides(&h);
        const bool symmetric = dp__expr_symmetric(expr), indexed = h.count > 0 && h.targets[h.count - 1].side != DP__SIDE_CALL;
        status = h.count > 0 ? compute(&h, symmetric && indexed) : DP_OK;
        const double pairs = (double)(h.call.m - h.call.exclude_self) * (h.call.all ? (double)h.call.n : 1);
        const double twice = symmetric && indexed ? 2 : 1;
        result = status == DP_OK ? finish(&h, direction, (mode & 0xffu) == DP_SUM ? twice : twice / pairs) : NULL;
    }
    dp_tensor_release(&h.sum);
    dp__expr_free(&expr);
    return result;
}

/* Where it is recorded: the gradient, recorded, of the sum of the derivatives along v. */

typedef struct composition {
    dp_arg args[DP_MAX_ARGS]; /* the call's, the direction, and the factor of a mean */
    dp__symbol symbols[DP_MAX_ARGS];
    char names[2][DP__PAIR_NAME];
    int own, count; /* of the call; all */
    dp__text text;
} composition;

static dp_status list_arguments(dp_device *device, composition *c, const char *formula, dp_args args, int symbol,
                                const dp_tensor *direction)
{
    if (args.count + 2 > DP_MAX_ARGS)
        return dp__fail(device, DP_ERROR_ARGUMENT, "args has %d entries: with a direction, and recorded, %d are allowed",
                        args.count, DP_MAX_ARGS - 2);
    dp__pair_symbols(args, false, c->symbols);
    memcpy(c->args, args.arg, (size_t)args.count * sizeof *c->args);
    for (int k = 0; k < 2; k++)
        dp__pair_name(formula, NULL, args, k, c->names[k]);
    c->own = args.count;
    c->count = args.count + 2;
    c->args[c->own] = (dp_arg){c->names[0], direction, 0};
    c->args[c->own + 1] = (dp_arg){c->names[1], NULL, 1};
    c->symbols[c->own] = (dp__symbol){c->names[0], c->symbols[symbol].row_dim, c->symbols[symbol].call_dim};
    c->symbols[c->own + 1] = (dp__symbol){c->names[1], DP__NO_FORM, 0};
    return DP_OK;
}

/* The derivative of the formula along the direction, times the factor. */
static dp_status write_derivative(dp_device *device, composition *c, const dp__expr *expr, int symbol)
{
    dp__indexed places[SIDES];
    dp__direction directions[SIDES];
    const int count = dp__expr_places(expr, symbol, places);
    for (int k = 0; k < count; k++)
        directions[k] = (dp__direction){places[k], {c->own, places[k].side, places[k].dim}};
    dp__expr *form = dp__expr_directional(expr, (dp__indexed){.symbol = -1}, directions, count,
                                          (dp__indexed){.symbol = c->own + 1});
    if (form) {
        form->symbol_count = c->count;
        dp__expr_print(form, c->symbols, &c->text);
    }
    const bool whole = form && !c->text.failed;
    dp__expr_free(&form);
    return whole ? DP_OK : dp__fail(device, DP_ERROR_MEMORY, "no memory for the derivatives");
}

static dp_tensor *hvp_recorded(dp_device *device, const char *formula, unsigned mode, dp_args args, const char *wrt,
                               const dp_tensor *direction, dp__expr *expr)
{
    composition c = {0};
    dp__pairwise_call call = {0};
    dp_tensor *result = NULL;
    int symbol;
    dp_status status = check(device, mode, args, wrt, direction, &symbol);
    if (status == DP_OK)
        status = list_arguments(device, &c, formula, args, symbol, direction);
    if (status == DP_OK)
        status = write_derivative(device, &c, expr, symbol);
    if (status == DP_OK)
        status = dp__pairwise_bind(device, expr, mode, args, &call);
    if (status == DP_OK) {
        const double pairs = (double)(call.m - call.exclude_self) * (call.all ? (double)call.n : 1);
        c.args[c.own + 1].scalar = (mode & 0xffu) == DP_SUM || pairs <= 0 ? 1 : 1 / pairs;
        dp_pairwise_gradient(device, c.text.data, DP_SUM_ALL | (mode & DP_EXCLUDE_SELF), (dp_args){c.args, c.count},
                             NULL, &wrt, 1, &result, NULL);
    }
    dp__text_free(&c.text);
    return result;
}

dp_tensor *dp_pairwise_hvp(dp_device *device, const char *formula, unsigned mode, dp_args args, const char *wrt,
                           const dp_tensor *direction)
{
    dp__expr *expr = NULL;
    dp_tensor *result = NULL;
    if (dp__formula_check_args(device, formula, args) != DP_OK)
        return NULL;
    if (!dp__pair_recording(device, args, direction))
        return hvp_plain(device, formula, mode, args, wrt, direction);
    if (dp__pairwise_parse(device, formula, args, 1, &expr) == DP_OK)
        result = hvp_recorded(device, formula, mode, args, wrt, direction, expr);
    dp__expr_free(&expr);
    return result;
}
