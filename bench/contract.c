/* SPDX-License-Identifier: Apache-2.0 */
#include "contract.h"
#include "common.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CASES     64 /* that are known to be warm */
#define SAMPLED_TERMS 4e6 /* multiplications that the check of a result may take */

char contract_why[256];
bool contract_skip;

bool contract_fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(contract_why, sizeof contract_why, format, list);
    va_end(list);
    return false;
}

bool contract_unsupported(const char *what)
{
    contract_skip = true;
    return contract_fail("%s", what);
}

const char *contract_option(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int a = 1; a + 1 < argc; a++)
        if (!strcmp(argv[a], name))
            return argv[a + 1];
    return otherwise;
}

/* Problems ---------------------------------------------------------------------------------------------------------------- */

static bool parse(const char *name, contract_problem *p)
{
    static const char *const kinds[] = {"matmul", "forward", "input", "weights"};
    char kind[16];
    *p = (contract_problem){0};
    if (sscanf(name, "matmul-%dx%dx%d", &p->m, &p->n, &p->k) == 3) {
        p->x_size = (size_t)p->m * (size_t)p->k;
        p->w_size = (size_t)p->k * (size_t)p->n;
        p->y_size = (size_t)p->m * (size_t)p->n;
        return p->m > 0 && p->n > 0 && p->k > 0;
    }
    if (sscanf(name, "conv-%d-%d-k%d-s%d-p%d-%d-b%d-%15s", &p->channels, &p->kernels, &p->rows, &p->stride, &p->padding,
               &p->size, &p->images, kind) != 8)
        return false;
    for (int k = CONTRACT_FORWARD; k <= CONTRACT_WEIGHTS; k++)
        if (!strcmp(kind, kinds[k]))
            p->kind = (contract_kind)k;
    if (p->kind == CONTRACT_MATMUL || p->channels < 1 || p->kernels < 1 || p->rows < 1 || p->stride < 1 ||
        p->padding < 0 || p->images < 1 || p->size + 2 * p->padding < p->rows)
        return false;
    p->out = (p->size + 2 * p->padding - p->rows) / p->stride + 1;
    p->x_size = (size_t)p->images * (size_t)p->channels * (size_t)p->size * (size_t)p->size;
    p->w_size = (size_t)p->kernels * (size_t)p->channels * (size_t)p->rows * (size_t)p->rows;
    p->y_size = (size_t)p->images * (size_t)p->kernels * (size_t)p->out * (size_t)p->out;
    return true;
}

float *contract_result(const contract_problem *problem, size_t *size)
{
    *size = problem->kind == CONTRACT_INPUT     ? problem->x_size
            : problem->kind == CONTRACT_WEIGHTS ? problem->w_size
                                                : problem->y_size;
    return problem->kind == CONTRACT_INPUT ? problem->x : problem->kind == CONTRACT_WEIGHTS ? problem->w : problem->y;
}

/* Of a convolution as if there were no borders, in all three kinds, as everybody counts. */
double contract_flops(const contract_problem *p)
{
    if (p->kind == CONTRACT_MATMUL)
        return 2.0 * p->m * p->n * p->k;
    return 2.0 * (double)p->y_size * p->channels * p->rows * p->rows;
}

static void close_problem(contract_problem *problem)
{
    free(problem->x);
    free(problem->w);
    free(problem->y);
}

static bool open_problem(contract_problem *problem)
{
    problem->x = malloc(problem->x_size * sizeof(float));
    problem->w = malloc(problem->w_size * sizeof(float));
    problem->y = malloc(problem->y_size * sizeof(float));
    if (!problem->x || !problem->w || !problem->y) {
        close_problem(problem);
        return contract_fail("no memory");
    }
    bench_fill(problem->x, problem->x_size, 1);
    bench_fill(problem->w, problem->w_size, 2);
    bench_fill(problem->y, problem->y_size, 3);
    size_t size;
    float *result = contract_result(problem, &size);
    for (size_t i = 0; i < size; i++)
        result[i] = NAN;
    return true;
}

/* The check --------------------------------------------------------------------------------------------------------------- */

/* A sum in double precision, and the sum of its terms' sizes. */
typedef struct checked_sum {
    double value, size;
} checked_sum;

static void add(checked_sum *sum, float a, float b)
{
    sum->value += (double)a * (double)b;
    sum->size += fabs((double)a * (double)b);
}

static checked_sum matmul_at(const contract_problem *p, size_t at)
{
    checked_sum sum = {0, 0};
    const size_t i = at / (size_t)p->n, j = at % (size_t)p->n;
    for (size_t l = 0; l < (size_t)p->k; l++)
        add(&sum, p->x[i * (size_t)p->k + l], p->w[l * (size_t)p->n + j]);
    return sum;
}

static size_t x_at(const contract_problem *p, int image, int channel, int row, int column)
{
    return (((size_t)image * (size_t)p->channels + (size_t)channel) * (size_t)p->size + (size_t)row) * (size_t)p->size +
           (size_t)column;
}

static size_t w_at(const contract_problem *p, int kernel, int channel, int row, int column)
{
    return (((size_t)kernel * (size_t)p->channels + (size_t)channel) * (size_t)p->rows + (size_t)row) * (size_t)p->rows +
           (size_t)column;
}

static size_t y_at(const contract_problem *p, int image, int kernel, int row, int column)
{
    return (((size_t)image * (size_t)p->kernels + (size_t)kernel) * (size_t)p->out + (size_t)row) * (size_t)p->out +
           (size_t)column;
}

static bool inside(const contract_problem *p, int row, int column)
{
    return row >= 0 && row < p->size && column >= 0 && column < p->size;
}

/* The place `at` in an array of [a, b, side, side]. */
typedef struct place {
    int a, b, row, column;
} place;

static place place_of(size_t at, int b, int side)
{
    const size_t area = (size_t)side * (size_t)side, rest = at % area;
    return (place){(int)(at / area / (size_t)b), (int)(at / area % (size_t)b), (int)(rest / (size_t)side), (int)(rest % (size_t)side)};
}

static checked_sum forward_at(const contract_problem *p, size_t at)
{
    checked_sum sum = {0, 0};
    const place o = place_of(at, p->kernels, p->out);
    for (int c = 0; c < p->channels; c++)
        for (int r = 0; r < p->rows; r++)
            for (int s = 0; s < p->rows; s++) {
                const int row = o.row * p->stride - p->padding + r, column = o.column * p->stride - p->padding + s;
                if (inside(p, row, column))
                    add(&sum, p->x[x_at(p, o.a, c, row, column)], p->w[w_at(p, o.b, c, r, s)]);
            }
    return sum;
}

static checked_sum input_at(const contract_problem *p, size_t at)
{
    checked_sum sum = {0, 0};
    const place o = place_of(at, p->channels, p->size);
    for (int k = 0; k < p->kernels; k++)
        for (int r = 0; r < p->rows; r++)
            for (int s = 0; s < p->rows; s++) {
                const int row = o.row + p->padding - r, column = o.column + p->padding - s;
                if (row >= 0 && column >= 0 && row % p->stride == 0 && column % p->stride == 0 && row / p->stride < p->out &&
                    column / p->stride < p->out)
                    add(&sum, p->w[w_at(p, k, o.b, r, s)], p->y[y_at(p, o.a, k, row / p->stride, column / p->stride)]);
            }
    return sum;
}

static checked_sum weights_at(const contract_problem *p, size_t at)
{
    checked_sum sum = {0, 0};
    const place o = place_of(at, p->channels, p->rows);
    for (int i = 0; i < p->images; i++)
        for (int r = 0; r < p->out; r++)
            for (int s = 0; s < p->out; s++) {
                const int row = r * p->stride - p->padding + o.row, column = s * p->stride - p->padding + o.column;
                if (inside(p, row, column))
                    add(&sum, p->x[x_at(p, i, o.b, row, column)], p->y[y_at(p, i, o.a, r, s)]);
            }
    return sum;
}

/* The largest error over the first, the last and some more results, relative to the sum of the terms' sizes. */
static double error_of(const contract_problem *problem)
{
    static checked_sum (*const sum_at[])(const contract_problem *, size_t) = {matmul_at, forward_at, input_at, weights_at};
    size_t size;
    const float *result = contract_result(problem, &size);
    const double depth = contract_flops(problem) / 2 / (double)size;
    const size_t samples = (size_t)fmin(fmax(SAMPLED_TERMS / depth, 32), fmin(4096, (double)size));
    double error = 0;
    for (size_t s = 0; s < samples; s++) {
        const size_t at = s == 0 ? size - 1 : (s - 1) * 0x9E3779B1u % size;
        const checked_sum sum = sum_at[problem->kind](problem, at);
        const double e = sum.size > 0 ? fabs((double)result[at] - sum.value) / sum.size : fabs((double)result[at]);
        error = e <= error ? error : e; /* a NaN counts */
    }
    return error;
}

/* Timing ------------------------------------------------------------------------------------------------------------------ */

typedef struct contract_samples {
    double seconds[BENCH_MAX_SAMPLES], cpu[BENCH_MAX_SAMPLES];
    int count;
} contract_samples;

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool sample(const contract_contender *contender, void *state, contract_samples *samples)
{
    const double cpu = now(CLOCK_PROCESS_CPUTIME_ID), begin = now(CLOCK_MONOTONIC);
    if (!contender->run(state))
        return false;
    samples->seconds[samples->count] = now(CLOCK_MONOTONIC) - begin;
    samples->cpu[samples->count++] = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return true;
}

/* Until the time is over, and at least 3 times unless they are slow. The first run builds kernels and warms up; one that is as
 * long as all the time, of a case that was there before, counts. */
static bool measure(const contract_contender *contender, void *state, contract_samples *samples, double seconds, bool warm)
{
    samples->count = 0;
    if (!sample(contender, state, samples))
        return false;
    if (!warm || samples->seconds[0] < seconds)
        samples->count = 0;
    const double start = now(CLOCK_MONOTONIC);
    while (samples->count < BENCH_MAX_SAMPLES) {
        const double spent = now(CLOCK_MONOTONIC) - start;
        if (samples->count > 0 && spent >= (samples->count < 3 ? 3 * seconds : seconds))
            break;
        if (!sample(contender, state, samples))
            return false;
    }
    return true;
}

static bool seen_before(const char *name)
{
    static char seen[MAX_CASES][64];
    static int count;
    for (int i = 0; i < count; i++)
        if (!strcmp(seen[i], name))
            return true;
    if (count < MAX_CASES)
        snprintf(seen[count++], sizeof seen[0], "%s", name);
    return false;
}

/* Answers ----------------------------------------------------------------------------------------------------------------- */

static void print_text(const char *key, const char *text)
{
    printf(", \"%s\": \"", key);
    for (; *text; text++)
        putchar(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? ' ' : *text);
    putchar('"');
}

static void print_numbers(const char *key, const double *values, int count)
{
    printf(", \"%s\": [", key);
    for (int i = 0; i < count; i++)
        printf("%s%.6g", i ? ", " : "", values[i]);
    putchar(']');
}

static bool run_problem(const contract_contender *contender, void *state, contract_problem *problem, double seconds, bool warm,
                        contract_samples *samples)
{
    size_t size;
    float *result = contract_result(problem, &size);
    const bool good = contender->prepare(state, problem) && measure(contender, state, samples, seconds, warm) &&
                      contender->fetch(state, result);
    contender->finish(state);
    return good;
}

static void answer(const contract_contender *contender, void *state, const char *name, double seconds)
{
    static contract_samples samples;
    contract_problem problem;
    snprintf(contract_why, sizeof contract_why, "unknown reason");
    contract_skip = false;
    printf("{\"case\": \"%s\"", name);
    if (!parse(name, &problem)) {
        print_text("failed", "no such case");
    } else if (!open_problem(&problem)) {
        print_text("failed", contract_why);
    } else {
        if (run_problem(contender, state, &problem, seconds, seen_before(name), &samples)) {
            const double error = error_of(&problem);
            printf(", \"flops\": %.17g, \"error\": %.3g", contract_flops(&problem), isfinite(error) ? error : 1e30);
            print_numbers("seconds", samples.seconds, samples.count);
            print_numbers("cpu", samples.cpu, samples.count);
            if (!(error <= BENCH_MAX_ERROR))
                print_text("failed", "wrong results");
        } else {
            print_text(contract_skip ? "skipped" : "failed", contract_why);
        }
        close_problem(&problem);
    }
    printf("}\n");
    fflush(stdout);
}

int contract_serve(const contract_contender *contender, void *state, const char *what)
{
    char line[160], name[64];
    double seconds;
    printf("{\"program\": \"contract\"");
    print_text("what", what);
    printf("}\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        if (sscanf(line, "%63s %lf", name, &seconds) == 2)
            answer(contender, state, name, seconds);
    return 0;
}
