/* SPDX-License-Identifier: Apache-2.0 */
/* Potentials by name: pair formulas with parameters, what they are where two points meet, and where they come from.
 * docs/potentials.md prints the table. Whatever takes a potential by name takes the text of a formula too. */
#ifndef DIPOLE_POTENTIAL_H
#define DIPOLE_POTENTIAL_H

#include <dipole/formula.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DP_MAX_PARAMETERS 4
#define DP_POTENTIAL_TEXT 640 /* enough for any formula of the table and its parameters as text */

typedef struct dp_parameter {
    const char *name;
    double value;     /* where it is not given */
    double low, high; /* what is allowed, both included */
    bool exponent;    /* a scalar of it becomes part of the formula's text, where powers become products and roots */
    const char *unit; /* "length": that of the points; "1/length"; "energy": that of the result; "" has none */
    const char *meaning;
} dp_parameter;

typedef struct dp_potential {
    const char *name;
    const char *formula; /* of its tensors and parameters, in the language of docs/formula.md */
    const char *radial;  /* of t = |x - y|^2 and the parameters alone: formula is "t = sqdist(x[i], y[j]); " before it;
                            NULL where the potential depends on more than the distance */
    const char *tensors; /* what the formula takes beside its parameters, "x[i] y[j]": points [N, d], or [N] for d = 1 */
    dp_parameter parameter[DP_MAX_PARAMETERS]; /* the first with a name at NULL ends them */
    const char *at_zero; /* energy k and gradient g where two points meet; both are finite unless it says why not */
    bool positive;       /* positive definite on R^d for all d, or conditionally: the metric is never negative */
    const char *source;
} dp_potential;

/* The table, by index from 0; NULL past its end. Static. */
DP_API const dp_potential *dp_potential_at(size_t index);
/* NULL where no potential has that name. */
DP_API const dp_potential *dp_potential_find(const char *name);
DP_API int dp_potential_parameter_count(const dp_potential *potential); /* NULL: 0 */

/* A formula with all its arguments, ready for dp_pairwise and its like. Not to be copied: it points into itself. */
typedef struct dp_potential_call {
    const char *formula;
    dp_args args;
    dp_arg arg[DP_MAX_ARGS];
    char text[DP_POTENTIAL_TEXT];
} dp_potential_call;

/* Turns a potential, by name or as a formula, into a call: the arguments given, and the defaults of the parameters that are
 * not. An exponent that is a scalar is written into the text and is no argument then; give it as a tensor of rank 0 for a
 * gradient to it. With a formula, `call` has the text (which must live as long) and the arguments as they are.
 *
 *   dp_potential_call p;
 *   if (dp_potential_prepare(device, "plummer", DP_ARGS({"x", x}, {"y", x}, {.name = "eps", .scalar = 0.1}), &p) == DP_OK)
 *       energy = dp_pairwise(device, p.formula, DP_SUM_ALL | DP_EXCLUDE_SELF, p.args);
 *
 * Errors, kept in the device: ERROR_ARGUMENT for NULL, a word that is neither a potential nor a formula, a scalar outside
 * of what its parameter allows, an argument that the potential does not have, and more than DP_MAX_ARGS. */
DP_API dp_status dp_potential_prepare(dp_device *device, const char *potential, dp_args args, dp_potential_call *call);

#ifdef __cplusplus
}
#endif
#endif
