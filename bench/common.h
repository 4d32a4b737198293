/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks of pair sums share: the problems, the check of their results, timing, options and
 * output. */
#ifndef DIPOLE_BENCH_COMMON_H
#define DIPOLE_BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>

enum { BENCH_MAX_SAMPLES = 256, BENCH_SKIPPED = 77 };

#define BENCH_EPS 0.1f /* softening of Coulomb, cap of Riesz; the Gaussian's s is 1 */

/* Potentials of t = r^2. */
typedef enum bench_potential {
    BENCH_COULOMB,  /* (t + eps^2)^(-1/2) */
    BENCH_RIESZ,    /* 1 / r; below eps a parabola in r with the same value and slope at eps */
    BENCH_GAUSS,    /* exp(-t / 2) */
    BENCH_DISTANCE, /* -r, the kernel of the energy distance */
    BENCH_POTENTIALS
} bench_potential;

extern const char *const bench_potential_names[BENCH_POTENTIALS];

/* energy[i] = sum over j of k(x_i, y_j), gradient[i, c] = its derivative to x_i; row-major, f32. */
typedef struct bench_problem {
    bench_potential potential;
    int dim;
    size_t n, m;
    bool self; /* y is x, and pairs with i = j do not count */
    float *x, *y, *energy, *gradient;
} bench_problem;

typedef struct bench_options {
    const char *device;
    int potential; /* -1: all */
    int dim;       /* 0: all */
    size_t n, m;   /* 0: the program's choice */
    double seconds;
    bool json, suite;
} bench_options;

/* Rates: `amount` per second of each run, as measured. */
typedef struct bench_rates {
    double value[BENCH_MAX_SAMPLES];
    int count;
} bench_rates;

/* A line of the output. `unit`: "pairs/s", "FLOP/s" or "B/s". */
typedef struct bench_row {
    const char *name, *variant, *unit;
    const bench_problem *problem; /* NULL where there is none */
    double error;                 /* negative: not checked */
    bench_rates rates;
} bench_row;

/* Exits on bad usage. `device`: whether the program has devices. */
bench_options bench_parse(int argc, char **argv, bool device);

/* Uniform numbers in [-1, 1) that depend on the seed and the place only; exact, so that other languages make
 * the same. */
void bench_fill(float *values, size_t count, unsigned seed);

/* False, with nothing to close, where there is no memory. */
bool bench_open(bench_problem *problem);
void bench_close(bench_problem *problem);

/* The largest error of energy and gradient over some points i, against sums in f64, relative to the sum of
 * the terms' sizes. */
double bench_error(const bench_problem *problem);
#define BENCH_MAX_ERROR 3e-6

/* Runs once to warm up, then until the time is over, at least 3 times. False where a run fails. */
bool bench_measure(bench_rates *rates, double seconds, double amount, bool (*run)(void *), void *data);

/* Text, or JSON as an object with an array "results"; begin and end once each. */
void bench_begin(const bench_options *options, const char *program, const char *what);
void bench_print(const bench_options *options, const bench_row *row);
void bench_end(const bench_options *options);

#endif
