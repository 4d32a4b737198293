/* SPDX-License-Identifier: Apache-2.0 */
/* A step of a plan: one kernel variant, its arguments and its grid. A plan (plans/NAME.c) turns an op's call into steps and
 * runs them in order:
 *
 *     dp__step step = dp__step_new(gpu, "gather", 64, 1);
 *     dp__step_define(&step, "W", 4);
 *     dp__step_in(&step, x->buffer);  dp__step_out(&step, out->buffer);   in the order of the body's BUFFERS
 *     dp__step_int(&step, n);                                             in the order of the body's PARAMS
 *     return dp__step_run(gpu, &step, groups);
 */
#ifndef DP_GPU_STEP_H
#define DP_GPU_STEP_H

#include "gpu/driver.h"
#include "ops/call.h"

#define DP__MAX_DEFINES 24

typedef struct dp__step {
    const char *kernel; /* the name of its source */
    struct {
        const char *name;
        int value;
    } define[DP__MAX_DEFINES];
    int defines;
    const char *bindings, *formula; /* generated text, or NULL */
    dp__launch launch;
    bool overflow; /* more arguments than a launch can take */
} dp__step;

/* A step with work-groups of group_x x group_y items (defines GX, GY, GZ). */
dp__step dp__step_new(const char *kernel, uint32_t group_x, uint32_t group_y);
void dp__step_define(dp__step *step, const char *name, int value);
void dp__step_in(dp__step *step, dp__buffer *buffer);
void dp__step_out(dp__step *step, dp__buffer *buffer);
void dp__step_int(dp__step *step, int64_t value); /* a 32-bit word */
void dp__step_float(dp__step *step, float value);

/* Runs it with at least `groups` groups, laid out in two axes where one cannot hold them: kernels number them with
 * GROUP_LINEAR and return where that is beyond the end. Nothing to do for 0 groups. */
dp_status dp__step_run(dp__gpu *gpu, dp__step *step, int64_t groups);

/* kernels.c: the built kernels of a device, by source, defines and generated text. */
dp_status dp__kernel_find(dp__gpu *gpu, const dp__step *step, void **kernel);
void dp__kernel_cache_free(dp__gpu *gpu);
/* The complete source of a step's kernel in one dialect. False where memory is out or there is no such source. */
bool dp__step_source(const dp__step *step, bool glsl, dp__text *text);

/* tables.c: writes a table that kernels only read into a new buffer; where a program is recorded it keeps the buffer. */
dp_status dp__gpu_upload(dp__gpu *gpu, dp__buffer *buffer, const void *values, uint64_t bytes);
/* A buffer with these numbers, which the device keeps for the next call that asks for the same. */
dp_status dp__table_find(dp__gpu *gpu, const int32_t *values, size_t count, dp__buffer **buffer);
void dp__table_cache_free(dp__gpu *gpu);

/* gpu.c: error bounds are for the reference alone. */
dp_status dp__gpu_refuse_bound(dp__gpu *gpu, bool bound);

/* profile.c */
dp_status dp__profile_reset(dp__gpu *gpu, bool on);
void dp__profile_free(dp__gpu *gpu);

/* plans/epilogue.c: applies an op's epilogue to its result `out`, in place, as a map. NULL: nothing to do. For plans whose kernels
 * do not do it themselves. */
dp_status dp__plan_epilogue(dp__gpu *gpu, const dp__epilogue *epilogue, dp_tensor *out);
/* Whether a contraction of so many depths can do it: one tensor, one scalar, and a sum in one piece. Then the tensor (or NULL), the
 * scalar (or 0), and the text that contract.h includes. */
bool dp__epilogue_fuses(const dp__gpu *gpu, const dp__epilogue *epilogue, int64_t depth);
const dp_tensor *dp__epilogue_tensor(const dp__epilogue *epilogue);
float dp__epilogue_scalar(const dp__epilogue *epilogue);
void dp__epilogue_emit(const dp__epilogue *epilogue, dp__text *text);

/* plans/cast.c: a copy of elements of 16 bits. */
dp_status dp__plan_copy_halves(dp__gpu *gpu, const dp__copy_call *call);
/* What a kernel for f32 can read in place of an f32, f16 or bf16 `tensor`: in *result a new reference on it, or on its values as
 * f32, which lie in memory in the order in which they do in `tensor`, without gaps. NULL gives NULL. The only place where operands
 * are converted: a kernel that converts as it loads takes the tensor itself instead. */
dp_status dp__plan_widen(dp__gpu *gpu, const dp_tensor *tensor, dp_tensor **result);

/* tuning.c: parameters that suit a device, by its kind until measured ones are there. */
typedef struct dp__tuning {
    int width;        /* lanes of the explicit vectors, W */
    uint32_t group;   /* work-items of a group where each has little to do: map, gather, ... */
    uint32_t heavy;   /* and where each has much: pairwise, conv2d */
    uint32_t lanes;   /* work-items that share one reduction through local memory, a power of two */
    int pair_vectors; /* vectors of i that a work-item of `pairwise` holds */
    int pair_unroll;  /* most components of vectors that it keeps in registers; larger ones are walked by loops, with */
    int pair_width;   /* W, */
    int pair_block;   /* values of j at once, a power of two up to 128, */
    int pair_sub;     /* so many of them in registers, */
    int pair_chunk;   /* and components of an output in one work-item */
    int pair_tile;    /* points whose sums a work-item can hold, for pairs of one set that are computed once; 0: none */
    int pair_items;   /* work-items of `pairwise` that keep a compute unit busy */
    double work;      /* FLOPs that one launch may take: well under a second, for watchdogs */
    int64_t rounds;   /* of all its loops together that a work-item may take */
} dp__tuning;
dp__tuning dp__tuning_of(const dp__gpu_limits *limits);

/* plans/NAME.c */
#define DP_OP(name) dp_status dp__plan_##name(dp__gpu *gpu, const dp__##name##_call *call);
#include "ops/ops.def"
#undef DP_OP

#endif
