/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"

/* The tile of a work-item: rows x vectors of `width` columns; and of a group: x items along the columns, y along the rows. */
typedef struct work_tile {
    int rows, vectors, width;
    uint32_t group_x, group_y;
} work_tile;

/* CPUs: a tile that fills the vector registers, a work-item a group. GPUs: 4 x 4, as 8 x 8 spills on some. */
static work_tile choose_tile(const dp__gpu_limits *limits, int64_t m, int64_t n, bool neighbours)
{
    const dp__tuning tuning = dp__tuning_of(limits);
    work_tile tile = {4, 4, 1, 16, 8};
    if (limits->type == DP_DEVICE_CPU)
        tile = (work_tile){6, 2, tuning.width, 1, 1};
    else if (limits->type == DP_DEVICE_SOFTWARE_GPU)
        tile = (work_tile){4, 2, tuning.width, 8, 8};
    if (!neighbours)
        tile.width = 1;
    if (tile.width > n)
        tile.width = 1;
    while (tile.group_x > 1 && (int64_t)(tile.group_x / 2) * tile.vectors * tile.width >= n)
        tile.group_x /= 2;
    while (tile.group_y > 1 && (int64_t)(tile.group_y / 2) * tile.rows >= m)
        tile.group_y /= 2;
    while (tile.group_y > 1 && tile.group_x * tile.group_y > limits->max_group_size)
        tile.group_y /= 2;
    tile.group_x = DP_MIN2(tile.group_x, limits->max_group_size);
    return tile;
}

/* One batch axis: its size and the strides of a, b, c and out. */
typedef struct batch_axis {
    int64_t size, stride[4], offset[4];
} batch_axis;

static void add_matrix(dp__step *step, const batch_axis *batch, int which, const dp_tensor *tensor)
{
    const int rank = tensor->shape.rank;
    dp__step_int(step, batch->offset[which]);
    dp__step_int(step, batch->stride[which]);
    dp__step_int(step, tensor->stride[rank - 2]);
    dp__step_int(step, tensor->stride[rank - 1]);
}

static dp_status run_batch(dp__gpu *gpu, const dp__matmul_call *call, const batch_axis *batch)
{
    const dp_tensor *c = call->c ? call->c : call->a; /* not read where beta is 0 */
    const int rank = call->out->shape.rank;
    const int64_t m = call->out->shape.dim[rank - 2], n = call->out->shape.dim[rank - 1];
    const int64_t depth = call->a->shape.dim[rank - 1];
    const work_tile tile = choose_tile(&gpu->limits, m, n, call->b->stride[rank - 1] == 1);
    const int64_t tiles_m = DP_CEIL_DIV(m, (int64_t)tile.rows * tile.group_y);
    const int64_t tiles_n = DP_CEIL_DIV(n, (int64_t)tile.vectors * tile.width * tile.group_x);
    dp__step step = dp__step_new("matmul", tile.group_x, tile.group_y);
    dp__step_define(&step, "W", tile.width);
    dp__step_define(&step, "MR", tile.rows);
    dp__step_define(&step, "NV", tile.vectors);
    dp__step_in(&step, call->a->buffer);
    dp__step_in(&step, call->b->buffer);
    dp__step_in(&step, c->buffer);
    dp__step_out(&step, call->out->buffer);
    const int64_t sizes[] = {batch->size, m, n, depth, tiles_m, tiles_n};
    for (size_t i = 0; i < DP_COUNT(sizes); i++)
        dp__step_int(&step, sizes[i]);
    add_matrix(&step, batch, 0, call->a);
    add_matrix(&step, batch, 1, call->b);
    add_matrix(&step, batch, 2, c);
    dp__step_int(&step, batch->offset[3]);
    dp__step_int(&step, batch->stride[3]);
    dp__step_float(&step, call->alpha);
    dp__step_float(&step, call->beta);
    step.launch.flops = 2.0 * (double)batch->size * (double)m * (double)n * (double)depth;
    step.launch.bytes = 4.0 * (double)batch->size * (double)(m * depth + depth * n + m * n);
    return dp__step_run(gpu, &step, batch->size * tiles_m * tiles_n);
}

/* The batch axes as a loop nest over a, b, c and out. */
static dp__nest batch_nest(const dp__matmul_call *call)
{
    const dp_tensor *tensors[4] = {call->a, call->b, call->c ? call->c : call->a, call->out};
    dp__nest nest = {.rank = call->out->shape.rank - 2, .views = 4};
    for (int axis = 0; axis < nest.rank; axis++) {
        nest.dim[axis] = call->out->shape.dim[axis];
        for (int view = 0; view < nest.views; view++)
            nest.stride[view][axis] = tensors[view]->stride[axis];
    }
    dp__nest_collapse(&nest);
    return nest;
}

/* A launch for each element of the outer batch axes, all of the innermost one in it. Mostly that is one launch. */
static dp_status run_batches(dp__gpu *gpu, const dp__matmul_call *call)
{
    const dp__nest nest = batch_nest(call);
    const int inner = nest.rank - 1;
    int64_t launches = 1;
    for (int axis = 0; axis < inner; axis++)
        launches *= nest.dim[axis];
    for (int64_t launch = 0; launch < launches; launch++) {
        batch_axis batch = {.size = inner >= 0 ? nest.dim[inner] : 1,
                       .offset = {call->a->offset, call->b->offset, (call->c ? call->c : call->a)->offset,
                                  call->out->offset}};
        int64_t rest = launch;
        for (int axis = inner - 1; axis >= 0; axis--) {
            for (int view = 0; view < nest.views; view++)
                batch.offset[view] += rest % nest.dim[axis] * nest.stride[view][axis];
            rest /= nest.dim[axis];
        }
        for (int view = 0; inner >= 0 && view < nest.views; view++)
            batch.stride[view] = nest.stride[view][inner];
        DP_CHECK(run_batch(gpu, call, &batch));
    }
    return DP_OK;
}

/* The columns first .. end - 1 of a times those rows of b, added to what is in `sum`; NULL for alpha, beta and c of the call. */
static dp_status run_slice(dp__gpu *gpu, const dp__matmul_call *call, int64_t first, int64_t end, const dp_tensor *sum,
                           dp_tensor *out)
{
    const int last = call->a->shape.rank - 1;
    dp_tensor *a = dp_slice((dp_tensor *)call->a, last, first, end, 1);
    dp_tensor *b = dp_slice((dp_tensor *)call->b, last - 1, first, end, 1);
    dp__matmul_call slice = {.a = a, .b = b, .c = call->c, .out = out, .alpha = call->alpha, .beta = call->beta};
    if (sum) {
        slice.c = sum;
        slice.beta = 1;
    }
    const dp_status status = a && b ? run_batches(gpu, &slice) : DP_ERROR_MEMORY;
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    return status;
}

/* A depth that the kernel's loop may not take is cut into slices, each of which adds to the sum of those before. */
dp_status dp__plan_matmul(dp__gpu *gpu, const dp__matmul_call *call)
{
    const int64_t depth = call->a->shape.dim[call->a->shape.rank - 1], rounds = dp__tuning_of(&gpu->limits).rounds;
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    if (depth <= rounds) {
        DP_CHECK(run_batches(gpu, call));
        return dp__plan_epilogue(gpu, call->epilogue, call->out);
    }
    dp_tensor *sum = NULL;
    dp_status status = DP_OK;
    for (int64_t first = 0; status == DP_OK && first < depth; first += rounds) {
        const int64_t end = DP_MIN2(first + rounds, depth);
        dp_tensor *out = end == depth ? dp_tensor_retain(call->out)
                                      : dp__tensor_create(gpu->device, DP_F32, call->out->shape);
        status = out ? run_slice(gpu, call, first, end, sum, out) : DP_ERROR_MEMORY;
        dp_tensor_release(&sum);
        sum = out;
    }
    dp_tensor_release(&sum);
    return status == DP_OK ? dp__plan_epilogue(gpu, call->epilogue, call->out) : status;
}
