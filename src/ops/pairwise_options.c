/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/pairwise_options.h"

dp_status dp__pair_check_offsets(dp_device *device, const char *name, const int64_t *offsets, int64_t problems,
                                 int64_t rows)
{
    if (offsets[0] != 0)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s[0] is %lld: offsets begin with 0", name, (long long)offsets[0]);
    for (int64_t p = 0; p < problems; p++)
        if (offsets[p + 1] < offsets[p])
            return dp__fail(device, DP_ERROR_ARGUMENT, "%s[%lld] is %lld, below the %lld before it", name,
                            (long long)(p + 1), (long long)offsets[p + 1], (long long)offsets[p]);
    if (offsets[problems] != rows)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s[%lld] is %lld: offsets end with the number of rows, %lld", name,
                        (long long)problems, (long long)offsets[problems], (long long)rows);
    return DP_OK;
}

int64_t *dp__pair_uniform(dp_device *device, const char *side, int64_t problems, int64_t rows)
{
    if (problems > 0 && rows % problems != 0) {
        dp__fail(device, DP_ERROR_ARGUMENT, "problems is %lld, which does not divide the %lld rows %s", (long long)problems,
                 (long long)rows, side);
        return NULL;
    }
    int64_t *offsets = dp__alloc((size_t)problems + 1, sizeof *offsets);
    if (!offsets)
        dp__fail(device, DP_ERROR_MEMORY, "no memory for the offsets of %lld problems", (long long)problems);
    for (int64_t p = 0; offsets && p <= problems; p++)
        offsets[p] = problems > 0 ? rows / problems * p : 0;
    return offsets;
}

static dp_status check(dp_device *device, const dp_pair_options *options)
{
    if (options->problems < 0 || options->problems >= INT32_MAX)
        return dp__fail(device, DP_ERROR_ARGUMENT, "problems is %lld: 0 to 2^31 - 2 are allowed",
                        (long long)options->problems);
    if (options->batch && (options->offsets_i || options->offsets_j))
        return dp__fail(device, DP_ERROR_ARGUMENT, "batch with offsets: the problems of a batch have one size");
    return DP_OK;
}

/* One argument without the axis of the batch; those of rank 0 and 1 are of the call. */
static dp_status flatten(dp_device *device, dp__pair_cut *cut, int s)
{
    char text[DP_SHAPE_TEXT];
    dp_tensor *tensor = (dp_tensor *)cut->arg[s].tensor;
    if (!tensor || tensor->shape.rank < 2)
        return DP_OK;
    const dp_shape *shape = &tensor->shape;
    if (shape->rank > 3 || shape->dim[0] > INT32_MAX || shape->dim[1] > INT32_MAX)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise: %s has shape %s: in a batch [], [d], [B, n] or [B, n, d] is allowed",
                        cut->arg[s].name, dp__shape_text(shape, text));
    if (cut->batch >= 0 && shape->dim[0] != cut->batch)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise: %s has shape %s in a batch of %lld", cut->arg[s].name,
                        dp__shape_text(shape, text), (long long)cut->batch);
    cut->batch = shape->dim[0];
    dp_shape flat = {shape->rank - 1, {shape->dim[0] * shape->dim[1], shape->rank > 2 ? shape->dim[2] : 0}};
    dp__nest nest = {.rank = 2, .views = 1, .dim = {shape->dim[0], shape->dim[1]},
                     .stride = {{tensor->stride[0], tensor->stride[1]}}};
    dp__nest_collapse(&nest);
    if (nest.rank < 2) {
        cut->flat[s] = dp_reshape(tensor, flat);
    } else {
        dp_tensor *packed = dp_copy(device, tensor);
        cut->flat[s] = packed ? dp_reshape(packed, flat) : NULL;
        dp_tensor_release(&packed);
    }
    cut->arg[s].tensor = cut->flat[s];
    return cut->flat[s] ? DP_OK : dp_failed(device);
}

dp_status dp__pair_flatten(dp_device *device, const dp_pair_options *options, dp_args args, dp__pair_cut *cut)
{
    *cut = (dp__pair_cut){.args = args, .given = args, .batch = -1};
    DP_CHECK(dp__check_device(device));
    if (!options)
        return DP_OK;
    DP_CHECK(check(device, options));
    if (!options->batch)
        return DP_OK;
    DP_CHECK(dp__formula_check_args(device, "", args));
    for (int s = 0; s < args.count; s++) {
        cut->arg[s] = args.arg[s];
        DP_CHECK(flatten(device, cut, s));
    }
    cut->args.arg = cut->arg;
    if (cut->batch < 0)
        return dp__fail(device, DP_ERROR_ARGUMENT, "batch without a tensor of shape [B, n] or [B, n, d]");
    if (options->problems > 0 && options->problems != cut->batch)
        return dp__fail(device, DP_ERROR_ARGUMENT, "problems is %lld in a batch of %lld", (long long)options->problems,
                        (long long)cut->batch);
    return DP_OK;
}

static dp_status cut_sides(dp_device *device, const dp_pair_options *options, bool turned, dp__pair_cut *cut,
                           const dp__pairwise_call *call)
{
    const char *names[] = {"offsets_i", "offsets_j"}, *sides[] = {"indexed by i", "indexed by j"};
    dp__pair_segments *segments = &cut->segments;
    const int64_t *given[] = {options->offsets_i, options->offsets_j}, rows[] = {call->n, call->m};
    int64_t **uniform[] = {&cut->uniform_i, &cut->uniform_j};
    const int64_t **first[] = {&segments->first_i, &segments->first_j};
    for (int side = 0; side < 2; side++) { /* of the call; the user's is the other one where it is turned */
        const int own = turned ? 1 - side : side;
        *first[side] = given[own];
        if (given[own]) {
            DP_CHECK(dp__pair_check_offsets(device, names[own], given[own], segments->problems, rows[side]));
        } else {
            *first[side] = *uniform[side] = dp__pair_uniform(device, sides[own], segments->problems, rows[side]);
            if (!*first[side])
                return dp_failed(device);
        }
    }
    if (segments->problems == 0 && (call->n > 0 || call->m > 0))
        return dp__fail(device, DP_ERROR_ARGUMENT, "problems is 0 with %lld and %lld rows", (long long)call->n,
                        (long long)call->m);
    for (int64_t p = 0; call->exclude_self && p < segments->problems; p++) {
        const int64_t n = segments->first_i[p + 1] - segments->first_i[p];
        const int64_t m = segments->first_j[p + 1] - segments->first_j[p];
        if (n != m)
            return dp__fail(device, DP_ERROR_ARGUMENT,
                            "pairwise: DP_EXCLUDE_SELF with %lld points i and %lld points j in problem %lld",
                            (long long)(turned ? m : n), (long long)(turned ? n : m), (long long)p);
    }
    return DP_OK;
}

static dp_status set_mask(dp_device *device, const dp_pair_options *options, bool turned, dp__pair_cut *cut,
                          const dp__pairwise_call *call)
{
    char text[DP_SHAPE_TEXT], wanted[DP_SHAPE_TEXT];
    const dp_tensor *mask = options->mask;
    const int64_t tile = options->tile;
    DP_CHECK(dp__pair_check_tile(device, options->tile));
    DP_CHECK(dp__check_tensor(device, mask, "mask"));
    if (mask->dtype != DP_F32 && mask->dtype != DP_I32)
        return dp__fail(device, DP_ERROR_ARGUMENT, "mask is %s: f32 or i32 is needed", dp_dtype_name(mask->dtype));
    const int64_t n = turned ? call->m : call->n, m = turned ? call->n : call->m;
    const dp_shape shape = {2, {DP_CEIL_DIV(n, tile), DP_CEIL_DIV(m, tile)}};
    if (call->reduction == DP_MEAN && call->expr->output_count == DP_MAX_OUTPUTS)
        return dp__fail(device, DP_ERROR_ARGUMENT, "pairwise: %d means with a mask: %d are allowed", DP_MAX_OUTPUTS,
                        DP_MAX_OUTPUTS - 1);
    if (!dp__shape_equal(&mask->shape, &shape))
        return dp__fail(device, DP_ERROR_ARGUMENT, "mask has shape %s: %lld x %lld rows in tiles of %lld need %s",
                        dp__shape_text(&mask->shape, text), (long long)n, (long long)m, (long long)tile,
                        dp__shape_text(&shape, wanted));
    cut->mask = turned ? dp_transpose((dp_tensor *)mask, 0, 1) : dp_tensor_retain((dp_tensor *)mask);
    cut->segments.mask = cut->mask;
    cut->segments.tile = options->tile;
    return cut->mask ? DP_OK : dp_failed(device);
}

/* The rows of a problem on the kept side, for the shape of the result of a batch that may be empty. */
static int64_t kept_rows(const dp__pair_cut *cut, const dp__pairwise_call *call)
{
    for (int s = 0; s < cut->given.count; s++)
        if (dp__expr_uses(call->expr, s, DP__SIDE_I))
            return cut->given.arg[s].tensor->shape.dim[1];
    return 0;
}

dp_status dp__pair_segment(dp_device *device, const dp_pair_options *options, unsigned mode, dp__pair_cut *cut,
                           dp__pairwise_call *call)
{
    if (!options)
        return DP_OK;
    const bool turned = (mode & (DP_OVER_I | DP_OVER_ALL)) == DP_OVER_I;
    dp__pair_segments *segments = &cut->segments;
    segments->each = options->problems > 0 || options->offsets_i || options->offsets_j || options->batch;
    if (!segments->each && !options->mask)
        return DP_OK;
    segments->within = options->batch;
    segments->problems = options->batch ? cut->batch : segments->each ? options->problems : 1;
    DP_CHECK(cut_sides(device, options, turned, cut, call));
    if (options->batch)
        cut->kept_rows = kept_rows(cut, call);
    if (options->mask)
        DP_CHECK(set_mask(device, options, turned, cut, call));
    call->segments = segments;
    return DP_OK;
}

dp_status dp__pair_unflatten(dp_device *device, const dp__pair_cut *cut, int64_t rows, dp_tensor **result)
{
    if (cut->batch < 0 || !*result)
        return DP_OK;
    dp_shape shape = {2, {cut->batch, rows}};
    for (int axis = 1; axis < (*result)->shape.rank; axis++)
        shape.dim[shape.rank++] = (*result)->shape.dim[axis];
    dp_tensor *view = dp_reshape(*result, shape);
    dp_tensor_release(result);
    *result = view;
    return view ? DP_OK : dp_failed(device);
}

void dp__pair_cut_free(dp__pair_cut *cut)
{
    for (int s = 0; s < DP_MAX_ARGS; s++)
        dp_tensor_release(&cut->flat[s]);
    dp_tensor_release(&cut->mask);
    dp__free(cut->uniform_i);
    dp__free(cut->uniform_j);
}

bool dp__pair_turn(const dp__pair_segments *segments, dp__pair_segments *turned, dp_tensor **mask)
{
    *turned = *segments;
    turned->first_i = segments->first_j;
    turned->first_j = segments->first_i;
    *mask = segments->mask ? dp_transpose((dp_tensor *)segments->mask, 0, 1) : NULL;
    turned->mask = *mask;
    return *mask || !segments->mask;
}
