/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

const char *const bench_potential_names[BENCH_POTENTIALS] = {"coulomb", "riesz", "gauss", "distance"};

static clockid_t rate_clock = CLOCK_MONOTONIC;

static _Noreturn void usage(const char *program, bool device, int status)
{
    fprintf(status ? stderr : stdout,
            "usage: %s [options]\n"
            "%s"
            "  --potential NAME  coulomb, riesz, gauss%s; default: all\n"
            "  --dim D           default: 2, 3 and 16\n"
            "  --n N, --m M      points of either side, multiples of 64; default: 16384\n"
            "  --seconds S       time for each measurement; default 0.5\n"
            "%s"
            "  --cpu-time        per second of CPU time of all threads instead of the clock's: for CPUs that "
            "others use too\n"
            "  --json            output for programs\n",
            program, device ? "  --device ID       default: the best there is\n" : "",
            device ? ", distance" : "",
            device ? "  --suite           sizes from 256 to 65536, x = y, dimension 784 and matmul too\n"
                   : "  --suite           the machine's peaks too, where a case is named\n");
    exit(status);
}

static size_t size_of(const char *text)
{
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);
    return *end || value % 64 || value > 1u << 24 ? 0 : (size_t)value;
}

static int potential_of(const char *text, bool device)
{
    for (int p = 0; p < (device ? BENCH_POTENTIALS : BENCH_DISTANCE); p++)
        if (!strcmp(text, bench_potential_names[p]))
            return p;
    return -1;
}

/* An option with a value; false where the value does not fit or there is no such option. */
static bool set_option(bench_options *options, const char *name, const char *value, bool device)
{
    if (!strcmp(name, "--device") && device)
        return (options->device = value) != NULL;
    if (!strcmp(name, "--potential"))
        return (options->potential = potential_of(value, device)) >= 0;
    if (!strcmp(name, "--dim"))
        return (options->dim = atoi(value)) > 0 && options->dim <= 4096;
    if (!strcmp(name, "--n"))
        return (options->n = size_of(value)) > 0;
    if (!strcmp(name, "--m"))
        return (options->m = size_of(value)) > 0;
    if (!strcmp(name, "--seconds"))
        return (options->seconds = atof(value)) > 0;
    return false;
}

bench_options bench_parse(int argc, char **argv, bool device)
{
    bench_options options = {.potential = -1, .seconds = 0.5};
    for (int a = 1; a < argc; a++) {
        if (!strcmp(argv[a], "--help"))
            usage(argv[0], device, 0);
        else if (!strcmp(argv[a], "--json"))
            options.json = true;
        else if (!strcmp(argv[a], "--cpu-time"))
            rate_clock = CLOCK_PROCESS_CPUTIME_ID;
        else if (!strcmp(argv[a], "--suite"))
            options.suite = true;
        else if (a + 1 == argc || !set_option(&options, argv[a], argv[a + 1], device))
            usage(argv[0], device, 2);
        else
            a++;
    }
    return options;
}

void bench_fill(float *values, size_t count, unsigned seed)
{
    for (size_t t = 0; t < count; t++) {
        uint32_t h = (uint32_t)t + seed * 0x9E3779B9u;
        h = (h ^ (h >> 16)) * 0x21F0AAADu;
        h = (h ^ (h >> 15)) * 0x735A2D97u;
        h ^= h >> 15;
        values[t] = (float)(h >> 8) * 0x1p-23f - 1.0f;
    }
}

bool bench_open(bench_problem *problem)
{
    const size_t dim = (size_t)problem->dim, row = dim * sizeof(float);
    problem->x = malloc(problem->n * row);
    problem->y = malloc(problem->m * row);
    problem->energy = calloc(problem->n, sizeof(float));
    problem->gradient = calloc(problem->n, row);
    if (!problem->x || !problem->y || !problem->energy || !problem->gradient) {
        bench_close(problem);
        return false;
    }
    bench_fill(problem->x, problem->n * dim, 1);
    bench_fill(problem->y, problem->m * dim, problem->self ? 1 : 2);
    return true;
}

void bench_close(bench_problem *problem)
{
    free(problem->x);
    free(problem->y);
    free(problem->energy);
    free(problem->gradient);
    problem->x = problem->y = problem->energy = problem->gradient = NULL;
}

/* The potential k at t = r^2, and 2 dk/dt: its gradient to x is that times x - y. */
static double potential(bench_potential which, double t, double *slope)
{
    const double eps2 = (double)BENCH_EPS * (double)BENCH_EPS;
    const double capped = fmax(t, eps2), r = sqrt(t);
    switch (which) {
    case BENCH_COULOMB:
        *slope = -pow(t + eps2, -1.5);
        return 1 / sqrt(t + eps2);
    case BENCH_RIESZ:
        *slope = -pow(capped, -1.5);
        return t < eps2 ? 1.5 / sqrt(eps2) - 0.5 * t * pow(eps2, -1.5) : 1 / r;
    case BENCH_GAUSS:
        *slope = -exp(-0.5 * t);
        return exp(-0.5 * t);
    default:
        *slope = r > 0 ? -1 / r : 0;
        return -r;
    }
}

static double error_at(const bench_problem *problem, size_t i)
{
    const size_t dim = (size_t)problem->dim;
    const float *x = problem->x + i * dim;
    double *sum = calloc(2 * dim + 2, sizeof *sum), *size = sum ? sum + dim + 1 : NULL, error = 0;
    if (!sum)
        return (double)INFINITY;
    for (size_t j = 0; j < problem->m; j++) {
        const float *y = problem->y + j * dim;
        double t = 0, slope;
        if (problem->self && i == j)
            continue;
        for (size_t c = 0; c < dim; c++)
            t += ((double)x[c] - (double)y[c]) * ((double)x[c] - (double)y[c]);
        const double value = potential(problem->potential, t, &slope);
        sum[dim] += value;
        size[dim] += fabs(value);
        for (size_t c = 0; c < dim; c++) {
            const double term = slope * ((double)x[c] - (double)y[c]);
            sum[c] += term;
            size[c] += fabs(term);
        }
    }
    for (size_t c = 0; c <= dim; c++) {
        const float value = c < dim ? problem->gradient[i * dim + c] : problem->energy[i];
        const double e = fabs((double)value - sum[c]) / size[c];
        error = e <= error ? error : e; /* a NaN counts */
    }
    free(sum);
    return error;
}

double bench_error(const bench_problem *problem)
{
    double error = 0;
    for (size_t k = 0; k < 16; k++) {
        const double e = error_at(problem, (k * 0x9E3779B1u) % problem->n);
        error = e <= error ? error : e;
    }
    return error;
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool bench_measure(bench_rates *rates, double seconds, double amount, bool (*run)(void *), void *data)
{
    rates->count = 0;
    if (!run(data))
        return false;
    const double start = now(CLOCK_MONOTONIC);
    while (rates->count < BENCH_MAX_SAMPLES && (rates->count < 3 || now(CLOCK_MONOTONIC) - start < seconds)) {
        const double begin = now(rate_clock);
        if (!run(data))
            return false;
        rates->value[rates->count++] = amount / (now(rate_clock) - begin);
    }
    return true;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool first;

void bench_begin(const bench_options *options, const char *program, const char *what)
{
    first = true;
    if (options->json)
        printf("{\"program\": \"%s\", \"what\": \"%s\", \"results\": [", program, what);
    else
        printf("%s: %s\n%-34s %10s %10s %10s %9s\n", program, what, "", "median", "min", "max", "error");
}

static void print_json(const bench_row *row)
{
    printf("%s\n  {\"name\": \"%s\", \"variant\": \"%s\", \"unit\": \"%s\"", first ? "" : ",", row->name,
           row->variant, row->unit);
    if (row->problem)
        printf(", \"dim\": %d, \"n\": %zu, \"m\": %zu, \"self\": %s", row->problem->dim, row->problem->n,
               row->problem->m, row->problem->self ? "true" : "false");
    if (row->error >= 0)
        printf(", \"error\": %.3g", row->error);
    printf(", \"rates\": [");
    for (int s = 0; s < row->rates.count; s++)
        printf("%s%.6g", s ? ", " : "", row->rates.value[s]);
    printf("]}");
}

static void print_text(const bench_row *row)
{
    char name[96];
    bench_rates rates = row->rates;
    const int count = rates.count;
    qsort(rates.value, (size_t)count, sizeof *rates.value, ascending);
    if (row->problem)
        snprintf(name, sizeof name, "%s %s d=%d %zux%zu%s", row->name, row->variant, row->problem->dim,
                 row->problem->n, row->problem->m, row->problem->self ? " x=y" : "");
    else
        snprintf(name, sizeof name, "%s %s", row->name, row->variant);
    printf("%-34s %10.3f %10.3f %10.3f ", name,
           1e-9 * 0.5 * (rates.value[(count - 1) / 2] + rates.value[count / 2]), 1e-9 * rates.value[0],
           1e-9 * rates.value[count - 1]);
    if (row->error >= 0)
        printf("%9.1e", row->error);
    else
        printf("%9s", "");
    printf("  G%s\n", row->unit);
}

void bench_print(const bench_options *options, const bench_row *row)
{
    if (options->json)
        print_json(row);
    else
        print_text(row);
    first = false;
    fflush(stdout);
}

void bench_end(const bench_options *options)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    if (options->json)
        printf("\n], \"peak_mib\": %.1f}\n", (double)use.ru_maxrss / 1024);
}
