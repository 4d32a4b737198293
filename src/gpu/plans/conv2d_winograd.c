/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution: transforms of the weights and of tiles of the input, for each entry of the transforms a product of
 * matrices (output channels x input channels times input channels x tiles), and the transform of the products back. */
#include "gpu/plans/conv2d.h"

/* Elements of the input's and the products' transforms together: what stays in a CPU's caches, or 256 MiB. */
static int64_t most_elements(const dp__gpu *gpu)
{
    const dp_device_type type = gpu->limits.type;
    return (int64_t)1 << (type == DP_DEVICE_CPU || type == DP_DEVICE_SOFTWARE_GPU ? 18 : 26);
}

typedef struct winograd {
    const dp__conv2d_call *call;
    int64_t entries, tiles_y, tiles_x; /* of one image */
    int64_t images;                    /* at a time */
} winograd;

static dp__step new_step(const dp__gpu *gpu, const char *kernel, const winograd *plan, int64_t items, const dp_tensor *from,
                         const dp_tensor *to)
{
    dp__step step = dp__step_new(kernel, dp__tuning_of(&gpu->limits).group, 1);
    dp__step_define(&step, "TILE", plan->call->winograd);
    dp__step_in(&step, from->buffer);
    dp__step_out(&step, to->buffer);
    dp__step_int(&step, items);
    return step;
}

static dp_status run_step(dp__gpu *gpu, dp__step *step, int64_t items, double elements)
{
    step->launch.flops = 8 * elements; /* about */
    step->launch.bytes = 8 * elements;
    return dp__step_run(gpu, step, DP_CEIL_DIV(items, dp__tuning_of(&gpu->limits).group));
}

static dp_status transform_weights(dp__gpu *gpu, const winograd *plan, const dp_tensor *to)
{
    const dp_tensor *w = plan->call->w;
    const int64_t items = w->shape.dim[0] * w->shape.dim[1];
    dp__step step = new_step(gpu, "winograd_weights", plan, items, w, to);
    dp__step_int(&step, w->shape.dim[1]);
    dp__step_int(&step, w->offset);
    for (int axis = 0; axis < 4; axis++)
        dp__step_int(&step, w->stride[axis]);
    return run_step(gpu, &step, items, (double)dp_tensor_size(to));
}

static dp_status transform_input(dp__gpu *gpu, const winograd *plan, int64_t first, int64_t images, const dp_tensor *to)
{
    const dp_tensor *x = plan->call->x;
    const int64_t tiles = images * plan->tiles_y * plan->tiles_x, items = x->shape.dim[1] * tiles;
    dp__step step = new_step(gpu, "winograd_input", plan, items, x, to);
    const int64_t sizes[] = {tiles, plan->tiles_y, plan->tiles_x, x->shape.dim[2], x->shape.dim[3], plan->call->padding[0][0],
                             plan->call->padding[1][0], x->offset + first * x->stride[0]};
    for (size_t i = 0; i < DP_COUNT(sizes); i++)
        dp__step_int(&step, sizes[i]);
    for (int axis = 0; axis < 4; axis++)
        dp__step_int(&step, x->stride[axis]);
    return run_step(gpu, &step, items, (double)dp_tensor_size(to));
}

static dp_status transform_output(dp__gpu *gpu, const winograd *plan, int64_t first, int64_t images, const dp_tensor *from)
{
    const dp_tensor *y = plan->call->y;
    const int64_t tiles = images * plan->tiles_y * plan->tiles_x, items = y->shape.dim[1] * tiles;
    dp__step step = new_step(gpu, "winograd_output", plan, items, from, y);
    const int64_t sizes[] = {tiles, plan->tiles_y, plan->tiles_x, y->shape.dim[1], y->shape.dim[2], y->shape.dim[3],
                             y->offset + first * y->stride[0]};
    for (size_t i = 0; i < DP_COUNT(sizes); i++)
        dp__step_int(&step, sizes[i]);
    return run_step(gpu, &step, items, (double)dp_tensor_size(from));
}

static dp_status run_images(dp__gpu *gpu, const winograd *plan, const dp_tensor *weights, int64_t first, int64_t images)
{
    const int64_t groups = plan->call->groups, tiles = images * plan->tiles_y * plan->tiles_x;
    const dp_shape *w = &weights->shape; /* [entries, groups, output channels, input channels] */
    dp_tensor *input = dp__tensor_create(gpu->device, DP_F32, DP_SHAPE(plan->entries, groups, w->dim[3], tiles));
    dp_tensor *products = dp__tensor_create(gpu->device, DP_F32, DP_SHAPE(plan->entries, groups, w->dim[2], tiles));
    dp_status status = input && products ? transform_input(gpu, plan, first, images, input) : DP_ERROR_MEMORY;
    if (status == DP_OK)
        status = dp__plan_matmul(gpu, &(dp__matmul_call){.a = weights, .b = input, .out = products, .alpha = 1});
    if (status == DP_OK)
        status = transform_output(gpu, plan, first, images, products);
    dp_tensor_release(&input);
    dp_tensor_release(&products);
    return status;
}

dp_status dp__conv2d_winograd(dp__gpu *gpu, const dp__conv2d_call *call, bool *done)
{
    const dp_shape *x = &call->x->shape, *w = &call->w->shape, *y = &call->y->shape;
    const int64_t size = call->winograd + 2;
    winograd plan = {call, size * size, DP_CEIL_DIV(y->dim[2], call->winograd), DP_CEIL_DIV(y->dim[3], call->winograd), 0};
    /* Sizes of tensors are below 2^31, so none of these overflows. */
    const int64_t tiles = plan.tiles_y * plan.tiles_x, image = plan.entries * tiles * DP_MAX2(x->dim[1], y->dim[1]);
    const int64_t most = DP_MIN2(INT32_MAX, (int64_t)(gpu->limits.max_tensor_bytes / 4));
    *done = x->dim[1] > 0 && image <= most && plan.entries * w->dim[0] * w->dim[1] <= most;
    if (!*done)
        return DP_OK;
    plan.images = DP_MIN2(DP_MAX2(most_elements(gpu) / (plan.entries * tiles * (x->dim[1] + y->dim[1])), 1), y->dim[0]);
    const int64_t groups = call->groups;
    dp_tensor *weights = dp__tensor_create(gpu->device, DP_F32, DP_SHAPE(plan.entries, groups, w->dim[0] / groups, w->dim[1]));
    dp_status status = weights ? transform_weights(gpu, &plan, weights) : DP_ERROR_MEMORY;
    for (int64_t first = 0; status == DP_OK && first < y->dim[0]; first += plan.images)
        status = run_images(gpu, &plan, weights, first, DP_MIN2(plan.images, y->dim[0] - first));
    dp_tensor_release(&weights);
    return status;
}
