/* SPDX-License-Identifier: Apache-2.0 */
/* What a launch costs the host: many small calls, made one by one and as a program (program.h), in turns. */
#include <dipole/dipole.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_SAMPLES = 512, ROUNDS = 20, CALLS = 3 * ROUNDS, REPEATS = 8 };

typedef struct options {
    const char *device;
    int samples;
    bool json;
} options;

typedef struct work {
    dp_tensor *x, *w;
} work;

/* 60 calls: a map on [64, 100], a product with [100, 50], a sum of its rows. */
static dp_status body(dp_device *device, void *context)
{
    work *own = context;
    for (int round = 0; round < ROUNDS; round++) {
        dp_tensor *y = dp_map(device, "max(x + 0.125, 0)", DP_ARGS({"x", own->x, 0}));
        dp_tensor *z = dp_matmul(device, y, own->w, NULL), *sum = dp_reduce(device, z, DP_SUM, DP_AXIS(1));
        dp_tensor_release(&y);
        dp_tensor_release(&z);
        dp_tensor_release(&sum);
    }
    return dp_failed(device);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Microseconds a call: of the calling thread's CPU time until the last one is made, of the clock until all is done, and of the
 * process's CPU time until then. */
typedef struct costs {
    double host[MAX_SAMPLES], wall[MAX_SAMPLES], process[MAX_SAMPLES];
} costs;

static bool sample(dp_device *device, work *own, dp_program *program, costs *result, int at)
{
    const double scale = 1e6 / (CALLS * REPEATS);
    dp_device_wait(device);
    const double wall = seconds_of(CLOCK_MONOTONIC), host = seconds_of(CLOCK_THREAD_CPUTIME_ID),
                 process = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    for (int k = 0; k < REPEATS; k++)
        if ((program ? dp_program_run(program) : body(device, own)) != DP_OK)
            return false;
    result->host[at] = scale * (seconds_of(CLOCK_THREAD_CPUTIME_ID) - host);
    if (dp_device_wait(device) != DP_OK)
        return false;
    result->wall[at] = scale * (seconds_of(CLOCK_MONOTONIC) - wall);
    result->process[at] = scale * (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - process);
    return true;
}

static int ascending(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print_one(const options *own, const char *what, double *values)
{
    qsort(values, (size_t)own->samples, sizeof *values, ascending);
    const double median = values[own->samples / 2], low = values[0], high = values[own->samples - 1];
    if (own->json)
        printf(", \"%s_us\": %.3f, \"%s_min\": %.3f, \"%s_max\": %.3f", what, median, what, low, what, high);
    else
        printf("  %s %7.2f (%.2f .. %.2f)", what, median, low, high);
}

static void print(const options *own, const char *how, costs *result, bool last)
{
    if (own->json)
        printf("{\"variant\": \"%s\"", how);
    else
        printf("  %-8s", how);
    print_one(own, "host", result->host);
    print_one(own, "wall", result->wall);
    print_one(own, "process", result->process);
    puts(own->json ? last ? "}" : "}," : "");
}

static bool measure(dp_device *device, const options *own)
{
    static costs direct, replay;
    work data = {dp_uniform(device, 1, DP_SHAPE(64, 100), -1, 1), dp_uniform(device, 2, DP_SHAPE(100, 50), -1, 1)};
    dp_program *program = dp_program_create(device, body, &data);
    bool good = body(device, &data) == DP_OK && dp_program_run(program) == DP_OK && dp_program_run(program) == DP_OK;
    for (int s = 0; good && s < own->samples; s++)
        good = sample(device, &data, NULL, &direct, s) && sample(device, &data, program, &replay, s);
    if (good) {
        printf(own->json ? "[\n" : "%s, %d small calls a run, us a call: median (least .. most) of %d\n",
               dp_device_get_info(device).id, CALLS, own->samples);
        print(own, "direct", &direct, false);
        print(own, "program", &replay, true);
        if (own->json)
            puts("]");
    }
    dp_program_destroy(&program);
    return good;
}

static options parse(int argc, char **argv)
{
    options own = {.samples = 40};
    for (int a = 1; a < argc; a++) {
        const char *value = a + 1 < argc ? argv[a + 1] : NULL;
        if (strcmp(argv[a], "--json") == 0) {
            own.json = true;
        } else if (value && strcmp(argv[a], "--device") == 0) {
            own.device = argv[++a];
        } else if (value && strcmp(argv[a], "--samples") == 0 && atoi(value) > 0 && atoi(value) <= MAX_SAMPLES) {
            own.samples = atoi(argv[++a]);
        } else {
            const bool help = strcmp(argv[a], "--help") == 0;
            fprintf(help ? stdout : stderr, "usage: %s [--device ID] [--samples N] [--json]\n", argv[0]);
            exit(help ? 0 : 2);
        }
    }
    return own;
}

int main(int argc, char **argv)
{
    const options own = parse(argc, argv);
    dp_device *device = dp_device_open(own.device);
    const bool good = dp_failed(device) == DP_OK && measure(device, &own);
    if (!good)
        fprintf(stderr, "%s\n", dp_message(device));
    dp_device_close(&device);
    return good ? 0 : 1;
}
