/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"
#include "gpu/plans/reduce.h"
#include <math.h>

#define FEW 16 /* groups: below that they are made smaller, so that all compute units have some */

/* Some axes of a view as at most two, the second one the inner. */
typedef struct axes2 {
    int64_t size, inner, stride[2];
} axes2;

static bool fold_axes(const dp_tensor *x, int first, int end, axes2 *folded)
{
    dp__nest nest = {.rank = end - first, .views = 1};
    for (int axis = 0; axis < nest.rank; axis++) {
        nest.dim[axis] = x->shape.dim[first + axis];
        nest.stride[0][axis] = x->stride[first + axis];
    }
    int64_t size = 1;
    for (int axis = 0; axis < nest.rank; axis++)
        size *= nest.dim[axis];
    dp__nest_collapse(&nest);
    *folded = (axes2){.size = size, .inner = DP_MAX2(size, 1)};
    if (nest.rank == 1)
        folded->stride[1] = nest.stride[0][0];
    if (nest.rank == 2)
        *folded = (axes2){size, DP_MAX2(nest.dim[1], 1), {nest.stride[0][0], nest.stride[0][1]}};
    return nest.rank <= 2;
}

static bool with_index(dp_reduction reduction)
{
    return reduction == DP_ARGMAX || reduction == DP_ARGMIN;
}

/* How a launch reads: W neighbours of one row at once, or one value each of W neighbouring rows. */
typedef struct reading {
    int width;
    bool runs;    /* a row is runs of neighbours, each of whole vectors */
    bool columns;
    int64_t tasks; /* of one piece each row */
} reading;

static reading read_as(const dp__gpu *gpu, const dp__reduction_plan *plan, const axes2 *kept, const axes2 *reduced)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int w = tuning.width;
    const bool one_run = reduced->inner == DP_MAX2(reduced->size, 1), next = reduced->stride[1] == 1 && !plan->index;
    reading r = {1, false, false, kept->size};
    if (w == 1 || plan->index)
        return r;
    if (next && reduced->size >= w && (one_run || reduced->inner % w == 0)) {
        r.width = w;
        r.runs = !one_run;
    } else if (kept->stride[1] == 1 && kept->inner > 1 && kept->size > 0) {
        r.width = w;
        r.columns = true;
        r.tasks = kept->size / kept->inner * DP_CEIL_DIV(kept->inner, w);
    }
    return r;
}

/* One launch: `pieces` results a row. `values` and `indices` (argmax and argmin) take [kept.size, pieces]. */
static dp_status launch(dp__gpu *gpu, const dp__reduction_plan *plan, const axes2 *kept, const axes2 *reduced,
                        int64_t pieces, const dp_tensor *values, const dp_tensor *indices, float scale)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const reading r = read_as(gpu, plan, kept, reduced);
    const int width = r.width;
    int64_t piece = DP_CEIL_DIV(DP_MAX2(reduced->size, 1), pieces);
    piece = r.columns ? piece : DP_CEIL_DIV(piece, width) * width;
    const bool shared = piece >= 2 * (int64_t)tuning.lanes * width && !r.columns;
    const uint32_t few = r.tasks * pieces < (int64_t)FEW * tuning.group ? DP_MIN2(tuning.group, 4u) : tuning.group;
    const uint32_t group_x = shared ? tuning.lanes : 1, group_y = group_x > 1 ? 1 : r.columns ? few : tuning.group;
    dp__step step = dp__step_new("reduce", group_x, group_y);
    dp__step_define(&step, "W", width);
    dp__step_define(&step, "REDUCTION", plan->reduction);
    dp__step_define(&step, "GATHERED", plan->index != NULL);
    dp__step_define(&step, "RUNS", r.runs);
    dp__step_define(&step, "COLUMNS", r.columns);
    dp__step_in(&step, plan->x->buffer);
    if (plan->index)
        dp__step_in(&step, plan->index->buffer);
    dp__step_out(&step, values->buffer);
    if (indices)
        dp__step_out(&step, indices->buffer);
    const int64_t params[] = {kept->size, reduced->size, pieces, piece, plan->x->offset, kept->inner, kept->stride[0],
                              kept->stride[1], reduced->inner, reduced->stride[0], reduced->stride[1]};
    for (size_t i = 0; i < DP_COUNT(params); i++)
        dp__step_int(&step, params[i]);
    dp__step_float(&step, scale);
    step.launch.flops = (double)kept->size * (double)reduced->size;
    step.launch.bytes = 4.0 * step.launch.flops;
    return dp__step_run(gpu, &step, DP_CEIL_DIV(r.tasks * pieces, group_y));
}

/* Pieces that give every compute unit work, each long enough to be worth a work-item's while and short enough for its loop. */
static int64_t count_pieces(dp__gpu *gpu, int64_t rows, int64_t size)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t wanted = DP_CEIL_DIV(8 * (int64_t)DP_MAX2(gpu->limits.compute_units, 1), rows);
    return DP_MAX2(DP_MIN2(wanted, size / 8192), DP_CEIL_DIV(DP_MAX2(size, 1), tuning.rounds * (int64_t)tuning.lanes));
}

static dp_status in_pieces(dp__gpu *gpu, const dp__reduction_plan *plan, const axes2 *kept, const axes2 *reduced,
                           int64_t pieces)
{
    const dp_shape shape = {2, {kept->size, pieces}};
    const bool index = with_index(plan->reduction);
    dp_tensor *values = dp__tensor_create(gpu->device, DP_F32, shape);
    dp_tensor *indices = index ? dp__tensor_create(gpu->device, DP_I32, shape) : NULL;
    dp__reduction_plan first = *plan, second = *plan;
    first.reduction = plan->reduction == DP_MEAN ? DP_SUM : plan->reduction;
    second.x = values;
    second.index = indices;
    second.reduced = 1;
    dp_status status = values && (indices || !index) ? DP_OK : DP_ERROR_MEMORY;
    if (status == DP_OK)
        status = launch(gpu, &first, kept, reduced, pieces, values, indices, 1);
    if (status == DP_OK)
        status = dp__plan_reduction(gpu, &second);
    dp_tensor_release(&values);
    dp_tensor_release(&indices);
    return status;
}

dp_status dp__plan_reduction(dp__gpu *gpu, const dp__reduction_plan *plan)
{
    axes2 kept, reduced;
    const int rank = plan->x->shape.rank, first = rank - plan->reduced;
    const bool fits = fold_axes(plan->x, 0, first, &kept) & fold_axes(plan->x, first, rank, &reduced);
    if (!fits) {
        dp__reduction_plan packed = *plan;
        dp_tensor *copy = dp_copy(gpu->device, plan->x);
        packed.x = copy;
        const dp_status status = copy ? dp__plan_reduction(gpu, &packed) : DP_ERROR_MEMORY;
        dp_tensor_release(&copy);
        return status;
    }
    const int64_t pieces = count_pieces(gpu, read_as(gpu, plan, &kept, &reduced).tasks, reduced.size);
    if (pieces > 1)
        return in_pieces(gpu, plan, &kept, &reduced, pieces);
    if (!with_index(plan->reduction))
        return launch(gpu, plan, &kept, &reduced, 1, plan->out, NULL, plan->scale);
    dp_tensor *values = dp__tensor_create(gpu->device, DP_F32, (dp_shape){1, {kept.size}}); /* of no further use */
    const dp_status status = values ? launch(gpu, plan, &kept, &reduced, 1, values, plan->out, 1) : DP_ERROR_MEMORY;
    dp_tensor_release(&values);
    return status;
}

dp_status dp__plan_reduce(dp__gpu *gpu, const dp__reduce_call *call)
{
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    double count = 1;
    for (int axis = call->x->shape.rank - call->reduced; axis < call->x->shape.rank; axis++)
        count *= (double)call->x->shape.dim[axis];
    const dp__reduction_plan plan = {
        .x = call->x,
        .out = call->out,
        .reduction = call->reduction,
        .reduced = call->reduced,
        .scale = call->reduction != DP_MEAN ? 1 : count > 0 ? (float)(1 / count) : NAN,
    };
    return dp__plan_reduction(gpu, &plan);
}
