/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of pairwise sums: sums over pairs of the formula's derivatives. An argument that is indexed by i gets one that is
 * kept by i and summed over j; by j the reverse, which is the same with the sides exchanged; one of the call a sum over all.
 * Where exchanging i and j changes nothing, one of the two passes is enough. */
#include "ops/pairwise_options.h"
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
    dp__pair_cut cut;
    dp_tensor *counts, *factor; /* of a mean that has segments; the seed of a call that has them */
} gradient;

static dp_status find_symbols(gradient *g, dp_args args, const char *const *wrt)
{
    for (int k = 0; k < g->count; k++) {
        int s = 0;
        while (wrt[k] && s < args.count && strcmp(args.arg[s].name, wrt[k]) != 0)
            s++;
        if (!wrt[k] || s == args.count)
            return dp__fail(g->device, DP_ERROR_ARGUMENT, "wrt[%d] is \"%.64s\", which is no argument", k,
                            wrt[k] ? wrt[k] : "(NULL)");
        g->symbol[k] = s;
    }
    return DP_OK;
}

static dp_status check_cotangent(gradient *g, const dp_tensor *cotangent, int dim)
{
    char tc[DP_SHAPE_TEXT], te[DP_SHAPE_TEXT];
    const dp__pair_segments *segments = g->call.segments;
    dp_shape expected = {0};
    if (g->cut.batch >= 0)
        expected.dim[expected.rank++] = g->cut.batch;
    else if (g->call.all && segments && segments->each)
        expected.dim[expected.rank++] = segments->problems;
    if (!g->call.all)
        expected.dim[expected.rank++] = g->cut.batch >= 0 ? g->cut.kept_rows : g->call.n;
    if (dim > 0)
        expected.dim[expected.rank++] = dim;
    DP_CHECK(dp__check_dtype(g->device, cotangent, "cotangent", DP_F32));
    if (!dp__shape_equal(&cotangent->shape, &expected))
        return dp__fail(g->device, DP_ERROR_ARGUMENT, "cotangent has shape %s, the result %s",
                        dp__shape_text(&cotangent->shape, tc), dp__shape_text(&expected, te));
    return DP_OK;
}

/* The cotangent, over the pairs of a mean where they differ, for each i. */
static dp_status make_factor(gradient *g, const dp_tensor *cotangent, bool mean)
{
    const bool rows = g->cut.batch >= 0 && !g->call.all;
    dp_tensor *flat = NULL;
    if (rows && cotangent) {
        dp_tensor *packed = dp_copy(g->device, cotangent);
        dp_shape shape = {cotangent->shape.rank - 1, {g->call.n, cotangent->shape.dim[2]}};
        flat = packed ? dp_reshape(packed, shape) : NULL;
        dp_tensor_release(&packed);
        if (!flat)
            return dp_failed(g->device);
    }
    dp_status status = mean ? dp__pair_counts(g->device, &g->call, &g->counts) : DP_OK;
    if (status == DP_OK)
        status = dp__pair_seed(g->device, &g->call, flat ? flat : cotangent, g->counts, &g->factor);
    dp_tensor_release(&flat);
    return status;
}

/* The cotangent becomes a symbol behind the arguments. */
static dp_status add_seed(gradient *g, dp_args args, const dp_tensor *cotangent, bool mean)
{
    const int dim = g->call.expr->nodes[g->call.expr->outputs[0]].dim;
    const dp__pair_segments *segments = g->call.segments;
    g->seed = (dp__indexed){.symbol = -1};
    if (cotangent)
        DP_CHECK(check_cotangent(g, cotangent, dim));
    if (segments)
        DP_CHECK(make_factor(g, cotangent, mean));
    const dp_tensor *seed = segments ? g->factor : cotangent;
    if (!seed)
        return DP_OK;
    if (args.count == DP_MAX_ARGS)
        return dp__fail(g->device, DP_ERROR_ARGUMENT, "args has %d entries: with a cotangent%s %d are allowed", args.count,
                        segments ? ", or a mean of problems or with a mask," : "", DP_MAX_ARGS - 1);
    const bool by_row = !g->call.all || (segments && segments->each);
    g->seed = (dp__indexed){args.count, by_row ? DP__SIDE_I : DP__SIDE_CALL, cotangent ? dim : 0};
    g->call.in[args.count] = seed;
    return DP_OK;
}

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
static dp_status finish(gradient *g, dp_args args, int k, double scale, dp_tensor **result)
{
    if (g->symmetric && dp__expr_uses(g->call.expr, g->symbol[k], DP__SIDE_I))
        scale *= 2;
    const dp_tensor *tensor = args.arg[g->symbol[k]].tensor;
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
    if (g->counts) {
        *value = total ? dp__pair_divide(g->device, total, g->counts) : NULL;
        dp_tensor_release(&total);
        return *value ? DP_OK : dp_failed(g->device);
    }
    const dp_arg pair[] = {{"v", total, 0}, {.name = "s", .scalar = scale}};
    *value = !total || scale == 1 ? dp_tensor_retain(total) : dp_map(g->device, "v * s", (dp_args){pair, 2});
    dp_tensor_release(&total);
    return *value ? DP_OK : dp_failed(g->device);
}

static dp_status check(dp_device *device, unsigned mode, const char *const *wrt, int count, dp_tensor **gradients)
{
    DP_CHECK(dp__check_device(device));
    if (count < 0 || count > DP_MAX_OUTPUTS - 1 || (count > 0 && (!wrt || !gradients)))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%d names%s: 0 to %d are allowed", count,
                        count > 0 && (!wrt || !gradients) ? " with wrt or gradients at NULL" : "", DP_MAX_OUTPUTS - 1);
    const unsigned reduction = mode & 0xffu;
    if (reduction != DP_SUM && reduction != DP_MEAN)
        return dp__fail(device, DP_ERROR_ARGUMENT, "mode 0x%x: gradients are those of sums and means", mode);
    return DP_OK;
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

/* The results, in the shapes of the user's. */
static dp_status finish_all(gradient *g, double scale, dp_tensor **gradients, dp_tensor **value)
{
    dp_status status = DP_OK;
    for (int k = 0; status == DP_OK && k < g->count; k++) {
        status = finish(g, g->cut.args, k, scale, &gradients[k]);
        const dp_tensor *given = g->cut.given.arg[g->symbol[k]].tensor;
        if (status != DP_OK || !given || given->shape.rank == gradients[k]->shape.rank)
            continue;
        dp_tensor *view = dp_reshape(gradients[k], given->shape);
        dp_tensor_release(&gradients[k]);
        gradients[k] = view;
        status = view ? DP_OK : dp_failed(g->device);
    }
    if (status == DP_OK && value)
        status = finish_value(g, scale, value);
    if (status == DP_OK && value && !g->call.all)
        status = dp__pair_unflatten(g->device, &g->cut, g->cut.kept_rows, value);
    return status;
}

static void drop(gradient *g, dp__expr *expr)
{
    for (int k = 0; k < DP_MAX_OUTPUTS; k++)
        dp_tensor_release(&g->sum[k]);
    dp_tensor_release(&g->value);
    dp_tensor_release(&g->counts);
    dp_tensor_release(&g->factor);
    dp__pair_cut_free(&g->cut);
    dp__expr_free(&expr);
}

dp_status dp_pairwise_gradient_with(dp_device *device, const char *formula, unsigned mode, dp_args args,
                                    const dp_pair_options *options, const dp_tensor *cotangent, const char *const *wrt,
                                    int count, dp_tensor **gradients, dp_tensor **value)
{
    gradient g = {.device = device, .count = count};
    const bool mean = (mode & 0xffu) == DP_MEAN;
    dp__expr *expr = NULL;
    for (int k = 0; gradients && k < count && k < DP_MAX_OUTPUTS; k++)
        gradients[k] = NULL;
    if (value)
        *value = NULL;
    DP_CHECK(check(device, mode, wrt, count, gradients));
    dp_status status = dp__pair_flatten(device, options, args, &g.cut);
    if (status == DP_OK)
        status = dp__pairwise_prepare(device, formula, mode, g.cut.args, 1, &expr, &g.call);
    if (status == DP_OK)
        status = dp__pair_segment(device, options, mode, &g.cut, &g.call);
    if (status == DP_OK)
        status = find_symbols(&g, args, wrt);
    if (status == DP_OK)
        status = add_seed(&g, args, cotangent, mean);
    /* Every pair (i, j) has its cotangent in (j, i) too. An argument that is indexed stands on both sides then. */
    g.symmetric = status == DP_OK && count > 0 && (g.call.all || !cotangent) && symmetric_pairs(&g.call) &&
                  dp__expr_symmetric(expr);
    for (int side = 0; status == DP_OK && side < SIDES; side++)
        status = differentiate_side(&g, (dp__side)side, value && side == DP__SIDE_I);
    const double pairs = (double)(g.call.m - g.call.exclude_self) * (g.call.all ? (double)g.call.n : 1);
    const double scale = !mean || g.call.segments ? 1 : 1 / pairs;
    if (status == DP_OK)
        status = finish_all(&g, scale, gradients, value);
    for (int k = 0; status != DP_OK && k < count; k++)
        dp_tensor_release(&gradients[k]);
    if (status != DP_OK && value)
        dp_tensor_release(value);
    drop(&g, expr);
    return status;
}

dp_status dp_pairwise_gradient(dp_device *device, const char *formula, unsigned mode, dp_args args,
                               const dp_tensor *cotangent, const char *const *wrt, int count, dp_tensor **gradients,
                               dp_tensor **value)
{
    return dp_pairwise_gradient_with(device, formula, mode, args, NULL, cotangent, wrt, count, gradients, value);
}
