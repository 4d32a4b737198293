/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `dipole distance`; docs/distance.md has the mathematics. */
#ifndef DIPOLE_CLI_DISTANCE_H
#define DIPOLE_CLI_DISTANCE_H

#include "cli.h"

/* As given on the command line; a real is NAN and a class -1 where the option was not. */
typedef struct distance_options {
    const char *kernel;
    int64_t limit, permutations, seed, class_a, class_b;
    double bandwidth, exponent, cutoff, scale;
    const char *labels_a, *labels_b;
    bool unbiased;
} distance_options;

/* A data set: rows of `dim` values, row-major. A number of the file is worth `scale`. */
typedef struct distance_set {
    const char *path;
    dp_data data;
    int64_t rows, dim;
    double scale;
} distance_set;

/* Reads one side; false after a message. Free with dp_data_free(&set->data), also after failure. */
bool distance_load(const distance_options *options, const char *path, const char *labels, int64_t label,
                   distance_set *set);
/* Whether the two can be compared; false after a message. */
bool distance_match(const distance_set *a, const distance_set *b);
/* Makes the scales of both sets equal by multiplying the values; `one`: makes them 1. */
void distance_scale(distance_set *a, distance_set *b, bool one);

/* The kernel k, ready for devices: `formula` in x[i], y[j], "offset" (subtracted from k) and "gauge" (which
 * brings a squared distance into the kernel's unit). The distance of the data is `gain` times that of the
 * formula. */
typedef struct distance_kernel {
    const char *name; /* "formula" for one that was given as text */
    char *formula;
    double gauge, gain;
    double bandwidth, exponent, cutoff; /* NAN where the kernel has none */
} distance_kernel;

/* What --help says of the kernels. */
extern const char distance_kernel_help[];

/* Checks --kernel and its parameters; CLI_GO_ON or CLI_USAGE after a message. Needs no data. */
int distance_kernel_check(const distance_options *options);
/* Makes the kernel for the two sets, and scales them where it must. False after a message. Free with
 * free(kernel->formula). */
bool distance_kernel_make(const distance_options *options, distance_set *a, distance_set *b,
                          distance_kernel *kernel);

typedef struct distance_result {
    double value, error, p_value; /* NAN where not known */
    double pairs, seconds;
    char device[sizeof(((dp_device_info *)0)->id)], name[sizeof(((dp_device_info *)0)->name)];
} distance_result;

/* Computes on one device: CLI_OK, CLI_FAILED after a message, CLI_INTERRUPTED. */
int distance_compute(const distance_options *options, const distance_set *a, const distance_set *b,
                     const distance_kernel *kernel, const char *id, distance_result *result);

#endif
