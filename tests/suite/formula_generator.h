/* SPDX-License-Identifier: Apache-2.0 */
/* Random pair formulas, well typed and tame: what is computed in them, and their first derivatives, stays of
 * moderate size as long as the arguments do. Every range is known while a formula is written: nothing is
 * divided by, and no logarithm, root or power taken of, what comes near to 0, and no exponent is large. The
 * same seed gives the same formula everywhere. */
#ifndef TESTS_SUITE_FORMULA_GENERATOR_H
#define TESTS_SUITE_FORMULA_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

/* The names of the formulas: x[i], y[j], w vectors (w of the call), q[i], p[j], eps scalars. */
enum { GENERATED_X, GENERATED_Y, GENERATED_Q, GENERATED_P, GENERATED_W, GENERATED_EPS, GENERATED_NAMES };

/* Of the formulas that the tests use. */
#define GENERATED_SEED 8

/* Where the arguments must lie: eps in 0.25 .. 1, everything else in -1 .. 1. */
#define GENERATED_LEAST_EPS 0.25

typedef struct generated {
    char definitions[512]; /* "a7 = ...; v7 = ...; ", or "" */
    char expression[1400]; /* with the definitions it uses i and j */
    bool vector;           /* of `dim` components */
} generated;

/* `number` ends the names of definitions, so that formulas of different numbers can stand in one text. */
void generate_formula(uint64_t seed, int number, int dim, generated *formula);

#endif
