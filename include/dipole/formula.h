/* SPDX-License-Identifier: Apache-2.0 */
/* Formulas as text, and how their names are given values. The language itself: docs/formula.md. */
#ifndef DIPOLE_FORMULA_H
#define DIPOLE_FORMULA_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DP_MAX_ARGS 16   /* names of a call */
#define DP_MAX_OUTPUTS 8 /* outputs of a formula */

/* One name of a formula: a tensor, or (where `tensor` is NULL) a scalar of the call. */
typedef struct dp_arg {
    const char *name; /* a letter or _, then letters, digits, _ */
    const dp_tensor *tensor;
    double scalar; /* is rounded to f32 */
} dp_arg;

typedef struct dp_args {
    const dp_arg *arg;
    int count; /* at most DP_MAX_ARGS */
} dp_args;

#ifndef __cplusplus
/* DP_ARGS({"x", x}, {"q", q}, {.name = "eps", .scalar = 1e-3}) */
#define DP_ARGS(...)                                                                                         \
    ((dp_args){(const dp_arg[]){__VA_ARGS__}, (int)(sizeof((const dp_arg[]){__VA_ARGS__}) / sizeof(dp_arg))})
#define DP_NO_ARGS ((dp_args){NULL, 0})
#endif

#ifdef __cplusplus
}
#endif
#endif
