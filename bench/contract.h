/* SPDX-License-Identifier: Apache-2.0 */
/* What the contenders of compare_contractions.py share: matrix products and convolutions, the numbers they start from, the check
 * of results against sums in double precision, timing, and how they are asked.
 *
 * A contender reads lines "CASE SECONDS" and answers each with a line of JSON, so that several can be asked in turn while their
 * kernels stay built and their threads alive:
 *
 *     $ echo "matmul-512x512x512 0.5" | build/bench/contract_dipole --device opencl:0
 */
#ifndef DIPOLE_BENCH_CONTRACT_H
#define DIPOLE_BENCH_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

/* "matmul-MxNxK"; "conv-C-K-kR-sS-pP-H-bN-forward", "-input" or "-weights": C channels to K, R x R weights, stride S, padding P,
 * H x H images, N of them. */
typedef enum contract_kind { CONTRACT_MATMUL, CONTRACT_FORWARD, CONTRACT_INPUT, CONTRACT_WEIGHTS } contract_kind;

/* Row-major, f32. matmul: y [m, n] = x [m, k] w [k, n]. Convolutions: x [images, channels, size, size],
 * w [kernels, channels, rows, rows], y [images, kernels, out, out]; forward makes y, input x, weights w, from the other two.
 * What is made is all NaN before. */
typedef struct contract_problem {
    contract_kind kind;
    int m, n, k;
    int images, channels, size, kernels, rows, stride, padding, out;
    float *x, *w, *y;
    size_t x_size, w_size, y_size;
} contract_problem;

/* A library. Functions return false where they fail, with the reason in `why`; prepare may set `skip` where the library has no
 * such operation. `state` is the contender's. */
typedef struct contract_contender {
    bool (*prepare)(void *state, const contract_problem *problem); /* uploads, plans, reorders what need not be timed */
    bool (*run)(void *state);                                      /* once, to its end */
    bool (*fetch)(void *state, float *result);
    void (*finish)(void *state); /* after every prepare */
} contract_contender;

extern char contract_why[256];
extern bool contract_skip;
/* Sets contract_why; returns false. */
bool contract_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool contract_unsupported(const char *what);

/* What a problem makes, and how many numbers that are. */
float *contract_result(const contract_problem *problem, size_t *size);
double contract_flops(const contract_problem *problem);

/* Prints {"what": WHAT} and answers until the input ends. Returns the exit status. */
int contract_serve(const contract_contender *contender, void *state, const char *what);

/* The value of option `name` in the arguments, or `otherwise`. */
const char *contract_option(int argc, char **argv, const char *name, const char *otherwise);

#endif
