/* SPDX-License-Identifier: Apache-2.0 */
/* The reference backend: one function an op, in double precision, and what they share. */
#ifndef DP_REF_REF_H
#define DP_REF_REF_H

#include "expr/precision.h"
#include "ops/call.h"

dp_status dp__ref_copy(dp_device *device, const dp__copy_call *call);
dp_status dp__ref_cast(dp_device *device, const dp__cast_call *call);
dp_status dp__ref_random(dp_device *device, const dp__random_call *call);
dp_status dp__ref_matmul(dp_device *device, const dp__matmul_call *call);
dp_status dp__ref_conv2d(dp_device *device, const dp__conv2d_call *call);
dp_status dp__ref_map(dp_device *device, const dp__map_call *call);
dp_status dp__ref_reduce(dp_device *device, const dp__reduce_call *call);
dp_status dp__ref_gather(dp_device *device, const dp__gather_call *call);
dp_status dp__ref_scatter_add(dp_device *device, const dp__scatter_add_call *call);
dp_status dp__ref_pairwise(dp_device *device, const dp__pairwise_call *call);
dp_status dp__ref_pairwise_smallest(dp_device *device, const dp__pairwise_smallest_call *call);

/* First element of the tensor's buffer; the tensor's own first is at index tensor->offset. */
static inline float *dp__ref_floats(const dp_tensor *tensor)
{
    return tensor->buffer->handle;
}

static inline int32_t *dp__ref_ints(const dp_tensor *tensor)
{
    return tensor->buffer->handle;
}

static inline uint16_t *dp__ref_halves(const dp_tensor *tensor)
{
    return tensor->buffer->handle;
}

/* Element `at` of the buffer of an f32, f16 or bf16 tensor. */
static inline float dp__ref_value(const dp_tensor *tensor, int64_t at)
{
    return tensor->dtype == DP_F32 ? dp__ref_floats(tensor)[at] : dp__half_widen(tensor->dtype, dp__ref_halves(tensor)[at]);
}

/* Walks the elements of a shape in row-major order and keeps the offset of each in several views. One step
 * behind the last element it is back at the first. */
#define DP__WALK_VIEWS (2 * DP_MAX_ARGS)
typedef struct dp__walk {
    int rank, views;
    int64_t dim[DP_MAX_RANK], index[DP_MAX_RANK];
    int64_t stride[DP__WALK_VIEWS][DP_MAX_RANK];
    int64_t offset[DP__WALK_VIEWS];
} dp__walk;

void dp__walk_start(dp__walk *walk, const int64_t *dim, int rank);
/* A view whose strides are `stride`, one an axis; returns its number. */
int dp__walk_add(dp__walk *walk, const int64_t *stride, int64_t offset);
void dp__walk_next(dp__walk *walk);
int64_t dp__walk_size(const dp__walk *walk);

/* The f32 that is not below the bound; infinity where it is not a number or does not fit. */
float dp__bound_round_up(double bound);
/* What is lost where an f32 input is taken as zero because it is denormal. */
double dp__bound_flush(double x);
/* Relative error of a sum of `count` f32 terms, by the rule of DP__SUM_BLOCK, to be multiplied by the sum of
 * their absolute values; `chain` is how many of them one compensated total takes. */
double dp__bound_sum(double count, double chain);
/* The same where the terms' sums are results that are added again, by the same rule, in `launches` launches in all. */
double dp__bound_sums(double count, double chain, int launches);
/* Relative error of `roundings` roundings in a row. */
double dp__bound_chain(double roundings);

/* winograd.c: the bounds of an output tile's elements by Winograd's algorithm; `at` is [n, k, p, q] of its first one. */
void dp__ref_winograd_bound(const dp__conv2d_call *call, const int64_t *at, double bound[4][4]);

/* epilogue.c: an op's epilogue, element by element. Of NULL it leaves everything as it is. */
typedef struct dp__ref_epilogue dp__ref_epilogue;
dp_status dp__ref_epilogue_create(dp_device *device, const dp__epilogue *epilogue, bool bound, dp__ref_epilogue **result);
void dp__ref_epilogue_free(dp__ref_epilogue **epilogue);
/* What is stored for the element at `index` of the result: *value is the op's exact result there and becomes the epilogue's;
 * *error, how far a kernel's result may be from it, likewise (with `bound`). */
void dp__ref_epilogue_apply(dp__ref_epilogue *epilogue, const int64_t *index, double *value, double *error);

/* A reduction under way: terms come one by one. */
typedef struct dp__tally {
    int64_t count;
    double best;   /* max, min, and log-sum-exp's largest term */
    int64_t where; /* position of `best` */
    double sum;    /* of the terms; for log-sum-exp of exp(term - best) */
    /* For the bound: */
    double magnitude;   /* sum |term| + its error */
    double error;       /* sum of the errors */
    double worst_error; /* the largest of them */
    double least, most; /* the extreme of term - error and of term + error; of the negative terms for min */
    int launches;       /* of kernels that each add up what the one before gave; 0: as dp__bound_sum has it */
    double raised;      /* sum exp(term + its error - best) */
    double weighted;    /* sum exp(term - best) |term - best| */
} dp__tally;

void dp__tally_start(dp__tally *tally, dp_reduction reduction);
/* `index` counts from 0 and is what argmax and argmin give. */
void dp__tally_add(dp__tally *tally, dp_reduction reduction, double term, int64_t index);
/* The same for a term that f32 arithmetic knows up to `error`. */
void dp__tally_add_bound(dp__tally *tally, dp_reduction reduction, double term, double error, int64_t index);
double dp__tally_value(const dp__tally *tally, dp_reduction reduction);
/* `chain`: see dp__bound_sum. */
double dp__tally_bound(const dp__tally *tally, dp_reduction reduction, double chain);
/* Writes the result of the tally as element `at` of out's buffer: f32, or i32 for argmax and argmin; or its
 * bound. */
void dp__tally_write(const dp__tally *tally, dp_reduction reduction, double chain, bool bound, dp_tensor *out,
                     int64_t at);

#endif
