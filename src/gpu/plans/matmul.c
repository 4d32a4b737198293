/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/contraction.h"

/* One batch axis: its size and the strides of a, b, c and out. */
typedef struct batch_axis {
    int64_t size, stride[4], offset[4];
} batch_axis;

static dp__contraction_view view_of(const dp_tensor *tensor, const batch_axis *batch, int which)
{
    const int last = tensor->shape.rank - 1;
    return (dp__contraction_view){.buffer = tensor->buffer, .offset = batch->offset[which], .batch = batch->stride[which],
                                  .step = tensor->stride[last - 1], .column = {tensor->stride[last]}};
}

static dp_status run_batch(dp__gpu *gpu, const dp__matmul_call *call, const batch_axis *batch)
{
    const dp_shape *a = &call->a->shape, *out = &call->out->shape;
    dp__contraction product = {
        .batches = batch->size, .m = out->dim[out->rank - 2], .n = {out->dim[out->rank - 1], 1, 1},
        .depth = a->dim[a->rank - 1], .a = view_of(call->a, batch, 0), .b = view_of(call->b, batch, 1),
        .result = view_of(call->out, batch, 3), .alpha = call->alpha, .beta = call->beta, .epilogue = call->epilogue};
    if (call->c)
        product.c = view_of(call->c, batch, 2);
    return dp__contract(gpu, &product);
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
static dp_status run(dp__gpu *gpu, const dp__matmul_call *call)
{
    const int64_t depth = call->a->shape.dim[call->a->shape.rank - 1], rounds = dp__tuning_of(&gpu->limits).rounds;
    if (depth <= rounds / 2 || call->beta == 0) {
        dp__matmul_call product = *call;
        const bool fuses = call->beta == 0 && dp__epilogue_fuses(gpu, call->epilogue, depth);
        product.epilogue = fuses ? call->epilogue : NULL;
        if (fuses)
            product.c = dp__epilogue_tensor(call->epilogue);
        DP_CHECK(run_batches(gpu, &product));
        return fuses ? DP_OK : dp__plan_epilogue(gpu, call->epilogue, call->out);
    }
    dp_tensor *sum = NULL;
    dp_status status = DP_OK;
    for (int64_t first = 0; status == DP_OK && first < depth; first += rounds / 2) {
        const int64_t end = DP_MIN2(first + rounds / 2, depth);
        dp_tensor *out = end == depth ? dp_tensor_retain(call->out)
                                      : dp__tensor_create(gpu->device, DP_F32, call->out->shape);
        status = out ? run_slice(gpu, call, first, end, sum, out) : DP_ERROR_MEMORY;
        dp_tensor_release(&sum);
        sum = out;
    }
    dp_tensor_release(&sum);
    return status == DP_OK ? dp__plan_epilogue(gpu, call->epilogue, call->out) : status;
}

dp_status dp__plan_matmul(dp__gpu *gpu, const dp__matmul_call *call)
{
    dp__matmul_call wide = *call;
    dp_tensor *a = NULL, *b = NULL;
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    dp_status status = dp__plan_widen(gpu, call->a, &a);
    if (status == DP_OK)
        status = dp__plan_widen(gpu, call->b, &b);
    wide.a = a;
    wide.b = b;
    if (status == DP_OK)
        status = run(gpu, &wide);
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    return status;
}
