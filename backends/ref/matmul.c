/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* One row of a product, as sums over k. */
typedef struct row_sums {
    double *sum;       /* a b */
    double *magnitude; /* |a| |b|, for the bound */
    double *lost;      /* what denormal inputs taken as zero may cost, for the bound */
    float *wide;       /* a row of b, where that is not f32 */
} row_sums;

/* n elements of b from `at` on, `*step` apart: where they are, or widened. */
static const float *row_of(const dp_tensor *b, int64_t at, int64_t n, float *wide, int64_t *step)
{
    *step = b->stride[b->shape.rank - 1];
    if (b->dtype == DP_F32)
        return dp__ref_floats(b) + at;
    for (int64_t j = 0; j < n; j++)
        wide[j] = dp__ref_value(b, at + j * *step);
    *step = 1;
    return wide;
}

static void add_row(const dp_tensor *a, const dp_tensor *b, int64_t at_a, int64_t at_b, bool bound,
                    row_sums *row)
{
    const int last = b->shape.rank - 1;
    const int64_t n = b->shape.dim[last];
    for (int64_t k = 0; k < b->shape.dim[last - 1]; k++) {
        const double x = (double)dp__ref_value(a, at_a + k * a->stride[last]);
        int64_t step;
        const float *y = row_of(b, at_b + k * b->stride[last - 1], n, row->wide, &step);
        for (int64_t j = 0; j < n; j++)
            row->sum[j] += x * (double)y[j * step];
        for (int64_t j = 0; bound && j < n; j++) {
            const double yj = (double)y[j * step];
            row->magnitude[j] += fabs(x * yj);
            row->lost[j] += fabs(x) * dp__bound_flush(yj) + fabs(yj) * dp__bound_flush(x);
        }
    }
}

/* Any order of the k products and sums, and a rounding each for alpha, beta and their sum. */
static double element_bound(const dp__matmul_call *call, double magnitude, double lost, double c, int64_t k)
{
    const double scale = fabs((double)call->alpha);
    const double all = scale * magnitude + fabs((double)call->beta * c);
    if (all == 0)
        return 0;
    if (!(fmax(all, magnitude) <= (double)FLT_MAX))
        return INFINITY;
    const double flushed = ((double)k * fmax(scale, 1) + 3) * DP__LEAST_NORMAL;
    return dp__bound_chain((double)k + 3) * all + scale * lost +
           fabs((double)call->beta) * dp__bound_flush(c) + flushed;
}

/* `index`: of the row's first element. */
static void write_row(const dp__matmul_call *call, dp__ref_epilogue *epilogue, const row_sums *row, const int64_t *index,
                      int64_t at_c, int64_t at_out)
{
    const dp_tensor *a = call->a, *c = call->c, *out = call->out;
    const int last = out->shape.rank - 1;
    int64_t at[DP_MAX_RANK] = {0};
    memcpy(at, index, (size_t)last * sizeof *at);
    for (int64_t j = 0; j < out->shape.dim[last]; j++) {
        const double cj = call->beta != 0 ? (double)dp__ref_floats(c)[at_c + j * c->stride[last]] : 0;
        double value = (double)call->alpha * row->sum[j] + (double)call->beta * cj;
        double error =
            call->bound ? element_bound(call, row->magnitude[j], row->lost[j], cj, a->shape.dim[last]) : 0;
        at[last] = j;
        dp__ref_epilogue_apply(epilogue, at, &value, &error);
        dp__ref_floats(out)[at_out + j * out->stride[last]] =
            call->bound ? dp__bound_round_up(error) : (float)value;
    }
}

dp_status dp__ref_matmul(dp_device *device, const dp__matmul_call *call)
{
    const dp_tensor *a = call->a, *b = call->b, *c = call->beta != 0 ? call->c : call->out, *out = call->out;
    const int rank = out->shape.rank;
    const size_t n = (size_t)out->shape.dim[rank - 1];
    double *scratch = dp__alloc(n, 3 * sizeof *scratch + sizeof(float));
    dp__ref_epilogue *epilogue = NULL;
    if (!scratch)
        return dp__fail(device, DP_ERROR_MEMORY, "matmul: no memory for a row of %zu sums", n);
    const dp_status status = dp__ref_epilogue_create(device, call->epilogue, call->bound, &epilogue);
    if (status != DP_OK) {
        dp__free(scratch);
        return status;
    }
    row_sums row = {scratch, scratch + n, scratch + 2 * n, (float *)(scratch + 3 * n)};

    /* All axes but the last: the batches, and the rows of a. b stays where it is from row to row. */
    int64_t stride_b[DP_MAX_RANK];
    memcpy(stride_b, b->stride, sizeof stride_b);
    stride_b[rank - 2] = 0;
    dp__walk walk;
    dp__walk_start(&walk, out->shape.dim, rank - 1);
    dp__walk_add(&walk, a->stride, a->offset);
    dp__walk_add(&walk, stride_b, b->offset);
    dp__walk_add(&walk, c->stride, c->offset);
    dp__walk_add(&walk, out->stride, out->offset);
    const int64_t rows = dp__walk_size(&walk);
    for (int64_t t = 0; t < rows; t++, dp__walk_next(&walk)) {
        memset(scratch, 0, n * 3 * sizeof *scratch);
        add_row(a, b, walk.offset[0], walk.offset[1], call->bound, &row);
        write_row(call, epilogue, &row, walk.index, walk.offset[2], walk.offset[3]);
    }
    dp__ref_epilogue_free(&epilogue);
    dp__free(scratch);
    return DP_OK;
}
