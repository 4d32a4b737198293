/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of pairwise sums: sums over pairs of the formula's derivatives. An argument that is indexed by i gets one that is
 * kept by i and summed over j; by j the reverse, which is the same with the sides exchanged; one of the call a sum over all.
 * Where exchanging i and j changes nothing, one of the two passes is enough. */
#include "ops/pairwise_options.h"
#include "ops/pairwise_record.h"
#include <math.h>
#include <string.h>

#define SIDES 3

typedef struct gradient {
    dp_device *device;
    dp__pairwise_call call; /* of the value; the seed is the last symbol */
    dp__indexed seed;
    int symbol[DP_MAX_OUTPUTS]; /* of each name */
    int count;
    bool symmetric; /* the derivatives on side i, twice, are those on both */
    dp_tensor *sum[DP_MAX_OUTPUTS]; /* what was found so far; NULL: nothing */
    dp_tensor *value;               /* [n] or [n, d], before i is reduced too */
} gradient;

/* The dimension in which symbol s stands on a side: what its first node there says. */
static int dim_on(const dp__expr *expr, int s, dp__side side)
{
    for (int n = 0; n < expr->node_count; n++)
        if (expr->nodes[n].kind == DP__NODE_SYMBOL && expr->nodes[n].symbol == s && expr->nodes[n].side == side)
            return expr->nodes[n].dim;
    return 0;
}

/* Adds `part` to what is found for name k, and takes it over. */
static dp_status accumulate(gradient *g, int k, dp_tensor *part)
{
    if (!g->sum[k]) {
        g->sum[k] = part;
        return DP_OK;
    }
    const dp_arg pair[] = {{"a", g->sum[k], 0}, {"b", part, 0}};
    dp_tensor *both = dp_map(g->device, "a + b", (dp_args){pair, 2});
    dp_tensor_release(&g->sum[k]);
    dp_tensor_release(&part);
    g->sum[k] = both;
    return both ? DP_OK : dp_failed(g->device);
}

/* Runs the derivatives (behind the value, on the kept side) and shares the results out. `names`: those that occur there. */
static dp_status run_side(gradient *g, dp__expr *expr, dp__side side, const int *names, int targets, bool with_value)
{
    dp__pairwise_call call = g->call;
    dp__pair_segments segments;
    dp_tensor *mask = NULL;
    dp_status status = DP_OK;
    call.expr = expr;
    call.reduction = DP_SUM;
    call.all = side == DP__SIDE_CALL;
    if (side == DP__SIDE_J) {
        dp__expr_swap_sides(expr);
        call.n = g->call.m;
        call.m = g->call.n;
    }
    if (call.segments) {
        segments = *call.segments;
        if (side == DP__SIDE_J && !dp__pair_turn(call.segments, &segments, &mask))
            status = dp_failed(g->device);
        segments.each = false;
        call.segments = &segments;
    }
    bool empty = true;
    for (int o = 0; status == DP_OK && o < expr->output_count; o++) {
        call.out[o] = dp__pairwise_output(g->device, &call, o);
        status = call.out[o] ? DP_OK : dp_failed(g->device);
        empty = empty && dp_tensor_size(call.out[o]) == 0;
    }
    if (status == DP_OK && !empty)
        status = dp__dispatch(g->device, DP__OP_pairwise, &call);
    for (int t = 0; status == DP_OK && t < targets; t++) {
        status = accumulate(g, names[t], call.out[with_value + t]);
        call.out[with_value + t] = NULL;
    }
    if (status == DP_OK && with_value) {
        g->value = call.out[0];
        call.out[0] = NULL;
    }
    for (int o = 0; o < expr->output_count; o++)
        dp_tensor_release(&call.out[o]);
    dp_tensor_release(&mask);
    return status;
}

static dp_status differentiate_side(gradient *g, dp__side side, bool with_value)
{
    dp__indexed targets[DP_MAX_OUTPUTS];
    int names[DP_MAX_OUTPUTS], count = 0;
    for (int k = 0; k < g->count && !(g->symmetric && side == DP__SIDE_J); k++) {
        if (!dp__expr_uses(g->call.expr, g->symbol[k], side))
            continue;
        targets[count] = (dp__indexed){g->symbol[k], side, dim_on(g->call.expr, g->symbol[k], side)};
        names[count++] = k;
    }
    if (count == 0 && !with_value)
        return DP_OK;
    const dp__differentiation how = {.seeds = g->seed.symbol >= 0 ? &g->seed : NULL, .targets = targets,
                                     .target_count = count, .keep_outputs = with_value};
    dp__expr *expr = dp__expr_differentiate(g->call.expr, &how);
    if (!expr)
        return dp__fail(g->device, DP_ERROR_MEMORY, "no memory for the derivatives");
    if (g->seed.symbol >= 0)
        expr->symbol_count = DP_MAX2(expr->symbol_count, g->seed.symbol + 1);
    const dp_status status = run_side(g, expr, side, names, count, with_value);
    dp__expr_free(&expr);
    return status;
}

/* Name k's gradient times `scale`, of the shape of its argument; zeros where the formula does not have it. */
static dp_status finish(gradient *g, int k, double scale, dp_tensor **result)
{
    if (g->symmetric && dp__expr_uses(g->call.expr, g->symbol[k], DP__SIDE_I))
        scale *= 2;
    const dp_tensor *tensor = g->call.in[g->symbol[k]];
    const dp_shape shape = tensor ? tensor->shape : (dp_shape){0};
    if (!g->sum[k]) {
        *result = dp_full(g->device, DP_F32, shape, 0);
    } else if (scale == 1) {
        *result = g->sum[k];
        g->sum[k] = NULL;
    } else {
        const dp_arg pair[] = {{"g", g->sum[k], 0}, {.name = "s", .scalar = scale}};
        *result = dp_map(g->device, "g * s", (dp_args){pair, 2});
    }
    return *result ? DP_OK : dp_failed(g->device);
}

/* The value of each problem, of all pairs, or of each i. */
static dp_tensor *total_value(const gradient *g)
{
    const dp__pair_segments *segments = g->call.segments;
    if (g->call.all && segments && segments->each)
        return dp__pair_sum_problems(g->device, segments, g->value);
    return g->call.all ? dp_reduce(g->device, g->value, DP_SUM, DP_AXIS(0)) : dp_tensor_retain(g->value);
}

static dp_status finish_value(gradient *g, double scale, dp_tensor **value)
{
    dp_tensor *total = total_value(g);
    const dp_arg pair[] = {{"v", total, 0}, {.name = "s", .scalar = scale}};
    *value = !total || scale == 1 ? dp_tensor_retain(total) : dp_map(g->device, "v * s", (dp_args){pair, 2});
    dp_tensor_release(&total);
    return *value ? DP_OK : dp_failed(g->device);
}

/* Whether with (i, j) there always is (j, i), in the same problem. */
static bool symmetric_pairs(const dp__pairwise_call *call)
{
    const dp__pair_segments *segments = call->segments;
    for (int64_t p = 0; segments && p <= segments->problems; p++)
        if (segments->mask || segments->first_i[p] != segments->first_j[p])
            return false;
    return true;
}

dp_status dp__pairwise_gradient_of(dp_device *device, const dp__pairwise_call *call, dp__indexed seed, const int *symbols,
                                   int count, double scale, dp_tensor **gradients, dp_tensor **value)
{
    gradient g = {.device = device, .call = *call, .seed = seed, .count = count};
    dp_status status = DP_OK;
    for (int k = 0; k < count; k++)
        g.symbol[k] = symbols[k];
    /* Every pair (i, j) has its cotangent in (j, i) too. An argument that is indexed stands on both sides then. */
    g.symmetric = count > 0 && (g.call.all || seed.symbol < 0) && symmetric_pairs(&g.call) &&
                  dp__expr_symmetric(g.call.expr);
    for (int side = 0; status == DP_OK && side < SIDES; side++)
        status = differentiate_side(&g, (dp__side)side, value && side == DP__SIDE_I);
    for (int k = 0; status == DP_OK && k < count; k++)
        status = finish(&g, k, scale, &gradients[k]);
    if (status == DP_OK && value)
        status = finish_value(&g, scale, value);
    for (int k = 0; k < DP_MAX_OUTPUTS; k++) {
        dp_tensor_release(&g.sum[k]);
        if (status != DP_OK && k < count)
            dp_tensor_release(&gradients[k]);
    }
    dp_tensor_release(&g.value);
    return status;
}

/* The public call. */

dp_status dp__gradient_names(dp_device *device, dp__gradient_call *g, const char *const *wrt)
{
    for (int k = 0; k < g->count; k++) {
        int s = 0;
        while (wrt[k] && s < g->args.count && strcmp(g->args.arg[s].name, wrt[k]) != 0)
            s++;
        if (!wrt[k] || s == g->args.count)
            return dp__fail(device, DP_ERROR_ARGUMENT, "wrt[%d] is \"%.64s\", which is no argument", k,
                            wrt[k] ? wrt[k] : "(NULL)");
        g->symbols[k] = s;
    }
    return DP_OK;
}

dp_status dp__gradient_seed(dp_device *device, dp__gradient_call *g, int dim, const dp_tensor *cotangent)
{
    char tc[DP_SHAPE_TEXT], te[DP_SHAPE_TEXT];
    g->seed = (dp__indexed){.symbol = -1};
    if (!cotangent)
        return DP_OK;
    dp_shape expected = {0};
    if (!g->call.all)
        expected.dim[expected.rank++] = g->call.n;
    if (dim > 0)
        expected.dim[expected.rank++] = dim;
    DP_CHECK(dp__check_dtype(device, cotangent, "cotangent", DP_F32));
    if (!dp__shape_equal(&cotangent->shape, &expected))
        return dp__fail(device, DP_ERROR_ARGUMENT, "cotangent has shape %s, the result %s",
                        dp__shape_text(&cotangent->shape, tc), dp__shape_text(&expected, te));
    if (g->args.count == DP_MAX_ARGS)
        return dp__fail(device, DP_ERROR_ARGUMENT, "args has %d entries: with a cotangent %d are allowed", g->args.count,
                        DP_MAX_ARGS - 1);
    g->seed = (dp__indexed){g->args.count, g->call.all ? DP__SIDE_CALL : DP__SIDE_I, dim};
    g->call.in[g->args.count] = cotangent;
    return DP_OK;
}

dp_status dp__gradient_check(dp_device *device, const char *const *wrt, int count, dp_tensor **gradients, dp_tensor **value)
{
    for (int k = 0; gradients && k < count && k < DP_MAX_OUTPUTS; k++)
        gradients[k] = NULL;
    if (value)
        *value = NULL;
    DP_CHECK(dp__check_device(device));
    if (count < 0 || count > DP_MAX_OUTPUTS - 1 || (count > 0 && (!wrt || !gradients)))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%d names%s: 0 to %d are allowed", count,
                        count > 0 && (!wrt || !gradients) ? " with wrt or gradients at NULL" : "", DP_MAX_OUTPUTS - 1);
    return DP_OK;
}

static dp_status check_reduction(dp_device *device, unsigned mode, bool cut)
{
    const unsigned reduction = mode & 0xffu;
    const bool extreme = reduction == DP_MAX || reduction == DP_MIN, sum = reduction == DP_SUM || reduction == DP_MEAN;
    if (reduction == DP_ARGMAX || reduction == DP_ARGMIN || (extreme && (mode & DP_OVER_ALL)))
        return dp__fail(device, DP_ERROR_ARGUMENT, "mode 0x%x: %s%s has no gradient here", mode,
                        dp_reduction_name((dp_reduction)reduction), extreme ? " over all pairs" : "");
    if (cut && !sum && reduction < DP_REDUCTION_COUNT)
        return dp__fail(device, DP_ERROR_ARGUMENT, "mode 0x%x: with problems or a mask, sums and means have gradients, %s has not",
                        mode, dp_reduction_name((dp_reduction)reduction));
    return DP_OK;
}

/* A call of sums that has problems or a mask: what the seed and the value need besides. */
typedef struct cut_call {
    dp__gradient_call g;
    dp__pair_cut cut;
    dp_tensor *counts, *factor; /* of a mean; the seed */
} cut_call;

static dp_status check_cotangent(dp_device *device, const cut_call *c, const dp_tensor *cotangent, int dim)
{
    char tc[DP_SHAPE_TEXT], te[DP_SHAPE_TEXT];
    const dp__pairwise_call *call = &c->g.call;
    dp_shape expected = {0};
    if (c->cut.batch >= 0)
        expected.dim[expected.rank++] = c->cut.batch;
    else if (call->all && call->segments->each)
        expected.dim[expected.rank++] = call->segments->problems;
    if (!call->all)
        expected.dim[expected.rank++] = c->cut.batch >= 0 ? c->cut.kept_rows : call->n;
    if (dim > 0)
        expected.dim[expected.rank++] = dim;
    DP_CHECK(dp__check_dtype(device, cotangent, "cotangent", DP_F32));
    if (!dp__shape_equal(&cotangent->shape, &expected))
        return dp__fail(device, DP_ERROR_ARGUMENT, "cotangent has shape %s, the result %s",
                        dp__shape_text(&cotangent->shape, tc), dp__shape_text(&expected, te));
    return DP_OK;
}

/* The cotangent, over the pairs of a mean where they differ, for each i. */
static dp_status make_factor(dp_device *device, cut_call *c, const dp_tensor *cotangent, bool mean)
{
    const dp__pairwise_call *call = &c->g.call;
    dp_tensor *flat = NULL;
    if (c->cut.batch >= 0 && !call->all && cotangent) {
        dp_tensor *packed = dp_copy(device, cotangent);
        dp_shape shape = {cotangent->shape.rank - 1, {call->n, cotangent->shape.dim[2]}};
        flat = packed ? dp_reshape(packed, shape) : NULL;
        dp_tensor_release(&packed);
        if (!flat)
            return dp_failed(device);
    }
    dp_status status = mean ? dp__pair_counts(device, call, &c->counts) : DP_OK;
    if (status == DP_OK)
        status = dp__pair_seed(device, call, flat ? flat : cotangent, c->counts, &c->factor);
    dp_tensor_release(&flat);
    return status;
}

static dp_status seed_of_cut(dp_device *device, cut_call *c, const dp_tensor *cotangent, bool mean)
{
    dp__gradient_call *g = &c->g;
    const int dim = g->call.expr->nodes[g->call.expr->outputs[0]].dim;
    g->seed = (dp__indexed){.symbol = -1};
    if (cotangent)
        DP_CHECK(check_cotangent(device, c, cotangent, dim));
    DP_CHECK(make_factor(device, c, cotangent, mean));
    if (!c->factor)
        return DP_OK;
    if (g->args.count == DP_MAX_ARGS)
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "args has %d entries: with a cotangent, or a mean of problems or with a mask, %d are allowed",
                        g->args.count, DP_MAX_ARGS - 1);
    const bool by_row = !g->call.all || g->call.segments->each;
    g->seed = (dp__indexed){g->args.count, by_row ? DP__SIDE_I : DP__SIDE_CALL, cotangent ? dim : 0};
    g->call.in[g->args.count] = c->factor;
    return DP_OK;
}

/* The shapes of the user's arguments and results. */
static dp_status restore_shapes(dp_device *device, const cut_call *c, dp_tensor **gradients, dp_tensor **value)
{
    for (int k = 0; k < c->g.count; k++) {
        const dp_tensor *given = c->cut.given.arg[c->g.symbols[k]].tensor;
        if (!given || given->shape.rank == gradients[k]->shape.rank)
            continue;
        dp_tensor *view = dp_reshape(gradients[k], given->shape);
        dp_tensor_release(&gradients[k]);
        gradients[k] = view;
        if (!view)
            return dp_failed(device);
    }
    if (value && c->counts) {
        dp_tensor *sum = *value;
        *value = dp__pair_divide(device, sum, c->counts);
        dp_tensor_release(&sum);
        if (!*value)
            return dp_failed(device);
    }
    return value && !c->g.call.all ? dp__pair_unflatten(device, &c->cut, c->cut.kept_rows, value) : DP_OK;
}

static dp_status gradient_of_cut(dp_device *device, cut_call *c, const dp_tensor *cotangent, dp_tensor **gradients,
                                 dp_tensor **value)
{
    dp__gradient_call *g = &c->g;
    dp_status status = seed_of_cut(device, c, cotangent, g->call.reduction == DP_MEAN);
    if (status == DP_OK)
        status = dp__pairwise_gradient_of(device, &g->call, g->seed, g->symbols, g->count, 1, gradients, value);
    if (status == DP_OK)
        status = restore_shapes(device, c, gradients, value);
    for (int k = 0; status != DP_OK && k < g->count; k++)
        dp_tensor_release(&gradients[k]);
    if (status != DP_OK && value)
        dp_tensor_release(value);
    dp_tensor_release(&c->counts);
    dp_tensor_release(&c->factor);
    return status;
}

static dp_status gradient_of_sum(dp_device *device, const dp__gradient_call *g, dp_tensor **gradients, dp_tensor **value)
{
    const double pairs = (double)(g->call.m - g->call.exclude_self) * (g->call.all ? (double)g->call.n : 1);
    return dp__pairwise_gradient_of(device, &g->call, g->seed, g->symbols, g->count,
                                    g->call.reduction == DP_SUM ? 1 : 1 / pairs, gradients, value);
}

static dp_status gradient_of_any(dp_device *device, dp__gradient_call *g, const dp_tensor *cotangent, dp_tensor **gradients,
                                 dp_tensor **value)
{
    DP_CHECK(dp__gradient_seed(device, g, g->call.expr->nodes[g->call.expr->outputs[0]].dim, cotangent));
    switch (g->call.reduction) {
    case DP_MAX:
    case DP_MIN:
        return dp__gradient_of_extreme(device, g, gradients, value);
    case DP_LOGSUMEXP:
        return dp__gradient_of_logsumexp(device, g, gradients, value);
    default:
        return gradient_of_sum(device, g, gradients, value);
    }
}

dp_status dp__gradient_plain(dp_device *device, const dp__pair_call *call, const char *const *wrt, int count,
                             dp_tensor **gradients, dp_tensor **value)
{
    cut_call c = {.g = {.count = count}};
    dp__expr *expr = NULL;
    dp_status status = dp__pair_flatten(device, call->options, call->args, &c.cut);
    c.g.args = c.cut.args;
    if (status == DP_OK)
        status = dp__pairwise_prepare(device, call->formula, call->mode, c.g.args, 1, &expr, &c.g.call);
    if (status == DP_OK)
        status = dp__pair_segment(device, call->options, call->mode, &c.cut, &c.g.call);
    if (status == DP_OK)
        status = check_reduction(device, call->mode, c.g.call.segments != NULL);
    if (status == DP_OK)
        status = dp__gradient_names(device, &c.g, wrt);
    if (status == DP_OK)
        status = c.g.call.segments ? gradient_of_cut(device, &c, call->cotangent, gradients, value)
                                   : gradient_of_any(device, &c.g, call->cotangent, gradients, value);
    dp__pair_cut_free(&c.cut);
    dp__expr_free(&expr);
    return status;
}

dp_status dp_pairwise_gradient_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                    const dp_pair_options *options, const dp_tensor *cotangent, const char *const *wrt,
                                    int count, dp_tensor **gradients, dp_tensor **value)
{
    const dp__pair_call call = {DP__RULE_pairwise_gradient, formula, NULL, mode, args, options, cotangent, 0, NULL};
    DP_CHECK(dp__gradient_check(device, wrt, count, gradients, value));
    DP_CHECK(dp__formula_check_args(device, formula, args));
    return dp__pair_recording(device, args, cotangent)
               ? dp__gradient_recorded(device, &call, wrt, count, gradients, value)
               : dp__gradient_plain(device, &call, wrt, count, gradients, value);
}

dp_status dp_pairwise_gradient(dp_device *device, const char *formula, unsigned mode, dp_args args,
                               const dp_tensor *cotangent, const char *const *wrt, int count, dp_tensor **gradients,
                               dp_tensor **value)
{
    return dp_pairwise_gradient_with(device, formula, mode, args, NULL, cotangent, wrt, count, gradients, value);
}
