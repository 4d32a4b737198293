/* SPDX-License-Identifier: Apache-2.0 */
/* Contractions that are plain matrix products, by the driver's library. */
#include "gpu/capture.h"
#include "gpu/contraction.h"

#define MOST        INT32_MAX /* kernels of libraries index with 32 bits */
#define MOST_GROUPS 65535     /* along the third axis, the batch */

/* The matrix [rows, columns] of a view as a BLAS has it: contiguous rows or columns, others a leading dimension apart. A stride
 * along an axis of one element means nothing. */
static bool as_matrix(const dp__contraction_view *view, int64_t batches, int64_t rows, int64_t columns, dp__gemm_matrix *matrix)
{
    const int64_t step = view->step, column = view->column[0];
    *matrix = (dp__gemm_matrix){.buffer = view->buffer, .offset = view->offset, .batch = batches > 1 ? view->batch : 0};
    if ((columns == 1 || column == 1) && (rows == 1 || step >= columns)) {
        matrix->leading = rows == 1 ? columns : step;
    } else if ((rows == 1 || step == 1) && (columns == 1 || column >= rows)) {
        matrix->leading = columns == 1 ? rows : column;
        matrix->by_columns = true;
    } else {
        return false;
    }
    const int64_t lines = matrix->by_columns ? columns : rows;
    return matrix->batch >= 0 && matrix->leading <= MOST / lines && matrix->batch <= MOST / batches &&
           matrix->offset <= MOST - matrix->leading * lines - matrix->batch * (batches - 1);
}

static bool as_gemm(const dp__contraction *call, dp__gemm *gemm)
{
    *gemm = (dp__gemm){.batches = call->batches, .m = call->m, .n = call->n[0], .k = call->depth, .alpha = call->alpha,
                       .beta = call->beta};
    if (call->table || call->epilogue || call->n[1] != 1 || call->n[2] != 1 || gemm->batches < 1 || gemm->batches > MOST_GROUPS ||
        gemm->m < 1 || gemm->n < 1 || gemm->k < 1)
        return false;
    return as_matrix(&call->a, gemm->batches, gemm->m, gemm->k, &gemm->a) &&
           as_matrix(&call->b, gemm->batches, gemm->k, gemm->n, &gemm->b) &&
           as_matrix(&call->result, gemm->batches, gemm->m, gemm->n, &gemm->result);
}

bool dp__contract_gemm_suits(const dp__gpu *gpu, const dp__contraction *call)
{
    dp__gemm gemm;
    return gpu->driver->gemm && gpu->driver->has_gemm((dp__gpu *)gpu) && as_gemm(call, &gemm);
}

/* A view of the call as a tensor, for that call alone. */
static dp_tensor as_tensor(const dp__gpu *gpu, const dp__contraction *call, const dp__contraction_view *view)
{
    return (dp_tensor){.references = 1, .device = gpu->device, .buffer = view->buffer, .dtype = DP_F32,
                       .shape = DP_SHAPE(call->batches, call->m, call->n[0]),
                       .stride = {view->batch, view->step, view->column[0]}, .offset = view->offset};
}

/* A BLAS adds to what is in the result. */
dp_status dp__contract_gemm(dp__gpu *gpu, const dp__contraction *call)
{
    dp__gemm gemm;
    if (!as_gemm(call, &gemm))
        return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED, "the contraction is no matrix product of a BLAS");
    if (call->beta != 0) {
        const dp_tensor c = as_tensor(gpu, call, &call->c);
        dp_tensor result = as_tensor(gpu, call, &call->result);
        DP_CHECK(dp__plan_copy(gpu, &(dp__copy_call){&c, &result}));
    }
    DP_CHECK(gpu->driver->gemm(gpu, &gemm));
    return dp__capture_gemm(gpu, &gemm);
}
