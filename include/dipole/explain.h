/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a pair formula: its types, its derivatives as formulas, what they cost, and the kernel that a device
 * builds of them. docs/formula.md describes the language and its subgradients. */
#ifndef DIPOLE_EXPLAIN_H
#define DIPOLE_EXPLAIN_H

#include <dipole/formula.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dp_dialect { DP_DIALECT_DEVICE, DP_DIALECT_CL, DP_DIALECT_GLSL } dp_dialect; /* the first: the device's own */

/* The tensors of a formula are not known here, so their dimensions are given or guessed. */
typedef struct dp_explain_options {
    int dim;              /* components of each vector, up to 65536; 0: 3 */
    const char *vectors;  /* the names that are vectors, "x, y"; NULL: all indexed names inside of sum, dot, norm, ... */
    const char *gradient; /* what to differentiate to, "x[i], q[j]"; NULL: every indexed name; "": nothing */
    dp_device *device;    /* whose kernel is written; NULL: none is */
    dp_dialect dialect;
} dp_explain_options;

typedef struct dp_explained_gradient {
    char target[80]; /* "x[i]" */
    char *formula;   /* the sum of the derivatives of all outputs (of all their components) to it */
    double flops;    /* of one pair, by itself */
} dp_explained_gradient;

typedef struct dp_explanation {
    char message[512]; /* why it failed; else "" */
    char *names;       /* "x[i] vector of 3, eps scalar" */
    char *formula;     /* simplified, in the language */
    char *tree;        /* the same as lines: operation or name, indented by level, and type */
    char *source;      /* sums the formula and its gradients on side i over j; NULL without a device */
    dp_explained_gradient *gradients;
    int gradient_count;
    double flops, flops_with_gradients; /* of one pair; the second with all in one pass */
} dp_explanation;

/* Never NULL in *result but for ERROR_MEMORY; the caller destroys it, after success and after failure. `options` may be
 * NULL. Any thread; with a device, its thread.
 * Errors, with a message: ERROR_FORMULA, ERROR_ARGUMENT (options), ERROR_UNSUPPORTED (the device has no kernels, or not of
 * that formula), ERROR_MEMORY. */
DP_API dp_status dp_explanation_create(const char *formula, const dp_explain_options *options, dp_explanation **result);
DP_API void dp_explanation_destroy(dp_explanation **explanation);

#ifdef __cplusplus
}
#endif
#endif
