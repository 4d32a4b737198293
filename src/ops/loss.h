/* SPDX-License-Identifier: Apache-2.0 */
/* What the losses of loss.h share: their checks, labels, and the places where results go. */
#ifndef DP_OPS_LOSS_H
#define DP_OPS_LOSS_H

#include "ops/rows.h"
#include <dipole/loss.h>

#define DP__LOSS_ROWS 3

/* One call. `value` and `gradients` are where results go; either may be NULL, `count` of gradients. */
typedef struct dp__loss {
    dp_device *device;
    const char *name;
    dp_loss_params params; /* with the defaults filled in */
    dp_tensor **value, **gradients;
    int count;
    int64_t n;
    bool begun;                   /* recording is paused until the end */
    const dp_tensor *rows[DP__LOSS_ROWS];
    dp_tensor *own[DP__LOSS_ROWS]; /* gradients that the value's history needs and the caller has not asked for */
} dp__loss;

/* An embedding and its name. */
typedef struct dp__rows_of {
    const char *name;
    const dp_tensor *tensor;
} dp__rows_of;

/* Where the value is recorded there are gradients in any case. *loss stays where it is until the end.
 * Nulls the results, checks device, parameters and embeddings (f32 [N, d], all of one shape), and fills
 * *loss. */
dp_status dp__loss_begin(dp__loss *loss, dp_device *device, const char *name, const dp_loss_params *params,
                         const dp__rows_of *rows, int count, dp_tensor **value, dp_tensor **gradients);
/* Releases the results where the call has failed, and records the value else, with the gradients; returns `status`. */
dp_status dp__loss_end(dp__loss *loss, dp_status status);

/* What a call made: DP_OK, or why it is NULL. */
dp_status dp__loss_made(const dp__loss *loss, const dp_tensor *tensor);

/* i32 [N] labels, as classes numbered from 0. */
typedef struct dp__classes {
    dp_tensor *id;    /* f32 [N] */
    dp_tensor *share; /* f32 [N]: 1 / the number of the class's other rows, 0 where there is none */
    int64_t paired;   /* rows whose share is not 0 */
    int64_t count;    /* of classes */
} dp__classes;
dp_status dp__loss_classes(const dp__loss *loss, const dp_tensor *labels, dp__classes *classes);
void dp__loss_drop_classes(dp__classes *classes);

/* 1 / |x_i| as f32 [N], 0 for a row of zeros; all 1 where the similarity is the dot product. */
dp_status dp__loss_inverse_norms(const dp__loss *loss, const dp_tensor *x, dp_tensor **inverse);

/* From gradients to rows that were divided by their norms to those to the rows, in place: with h = g - c rp
 * y, g <- k r (h - r^2 (h . x) x), or k h where the similarity is the dot product. y may be x. */
typedef struct dp__projection {
    const dp_tensor *x, *r; /* the rows and 1 / their norms */
    const dp_tensor *y, *rp;
    double c, k;
} dp__projection;
dp_status dp__loss_project(const dp__loss *loss, const dp__projection *p, dp_tensor *g);

#endif
