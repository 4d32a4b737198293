/* SPDX-License-Identifier: Apache-2.0 */
/* How long a process takes from its start to its first result: a program that opens a device, computes one
 * small thing and reads it, started again and again by itself. The first run finds empty caches (the
 * library's, PoCL's and Mesa's); of the others half may use the library's cache of built kernels and half may
 * not. */
#include <dipole/dipole.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RUNS = 100 };

typedef struct options {
    const char *device, *op;
    int runs;
    bool json, child;
} options;

/* What a child tells, and what its parent sees. Milliseconds. */
typedef struct times {
    double open, run, close; /* within the child: opening, the operation and its read, closing */
    double result, end;      /* from before fork() to the result, and to the end of the process */
} times;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

/* One small result of the device, checked. */
static bool compute(dp_device *device, const char *op)
{
    const int64_t n = 64;
    dp_tensor *a = dp_full(device, DP_F32, DP_SHAPE(n, n), 0.5), *result = NULL;
    double wanted = 0;
    if (strcmp(op, "matmul") == 0) {
        result = dp_matmul(device, a, a, NULL);
        wanted = 0.25 * (double)n;
    } else if (strcmp(op, "pairwise") == 0) {
        result = dp_pairwise(device, "x[i] * x[j]", DP_SUM_J, DP_ARGS({"x", a, 0}));
        wanted = 0.25 * (double)n;
    } else {
        result = dp_map(device, "2 * a + 1", DP_ARGS({"a", a, 0}));
        wanted = 2;
    }
    float values[64 * 64] = {0};
    const size_t count = (size_t)dp_tensor_size(result);
    const bool good = count > 0 && dp_read(result, values, count * sizeof *values) == DP_OK &&
                      (double)values[count - 1] == wanted;
    dp_tensor_release(&a);
    dp_tensor_release(&result);
    return good;
}

/* The result's time is sent as soon as it is known; the rest follows. */
static int be_child(const options *own)
{
    const double start = now();
    dp_device *device = dp_device_open(own->device);
    const double opened = now();
    const bool good = compute(device, own->op);
    times seen = {.result = now()};
    if (!good)
        fprintf(stderr, "first_result: %s\n", dp_failed(device) ? dp_message(device) : "a wrong result");
    dp_device_close(&device);
    seen.open = opened - start;
    seen.run = seen.result - opened;
    seen.close = now() - seen.result;
    return good && write(STDOUT_FILENO, &seen, sizeof seen) == sizeof seen ? 0 : 1;
}

/* Runs this program once more. The clock is the machine's, so the child's times are the parent's. */
static bool run_child(const char *program, const options *own, const char *cache, times *seen)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    const double start = now();
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        setenv("DIPOLE_CACHE", cache, 1);
        execl(program, program, "--child", "--op", own->op, "--device", own->device ? own->device : "",
              (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    const bool told = child > 0 && read(ends[0], seen, sizeof *seen) == sizeof *seen;
    close(ends[0]);
    int status = 1;
    if (child > 0)
        waitpid(child, &status, 0);
    seen->end = now() - start;
    seen->result -= start;
    return told && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int ascending(const void *a, const void *b)
{
    const double left = ((const times *)a)->result, right = ((const times *)b)->result;
    return (left > right) - (left < right);
}

/* The run whose time to the result is the median, between the fastest and the slowest. */
static void print_row(const options *own, const char *name, times *runs, int count, bool last)
{
    qsort(runs, (size_t)count, sizeof *runs, ascending);
    const times *middle = &runs[count / 2];
    if (own->json)
        printf("  {\"caches\": \"%s\", \"runs\": %d, \"result_ms\": %.2f, \"least_ms\": %.2f, \"most_ms\": "
               "%.2f, "
               "\"open_ms\": %.2f, \"run_ms\": %.2f, \"close_ms\": %.2f, \"end_ms\": %.2f}%s\n",
               name, count, middle->result, runs[0].result, runs[count - 1].result, middle->open, middle->run,
               middle->close, middle->end, last ? "" : ",");
    else
        printf("%-22s %9.1f  (%.1f .. %.1f)  open %.1f  run %.1f  close %.1f  end %.1f\n", name,
               middle->result, runs[0].result, runs[count - 1].result, middle->open, middle->run,
               middle->close, middle->end);
    fflush(stdout);
}

/* Empty caches for this process and its children. */
static bool use_empty_caches(char *folder)
{
    static const char *const variables[] = {"DIPOLE_CACHE_DIR", "POCL_CACHE_DIR", "MESA_SHADER_CACHE_DIR"};
    if (!mkdtemp(folder))
        return false;
    for (size_t v = 0; v < sizeof variables / sizeof *variables; v++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, variables[v]);
        setenv(variables[v], path, 1);
    }
    return true;
}

static bool measure(const char *program, const options *own)
{
    static const char *const names[] = {"driver's warm, ours off", "all warm"}, *const caches[] = {"off",
                                                                                                   "on"};
    times cold, warm[2][MAX_RUNS];
    if (!run_child(program, own, "on", &cold) || !run_child(program, own, "on", &warm[0][0]))
        return false;
    for (int r = 0; r < own->runs; r++)
        for (int c = 0; c < 2; c++) /* side by side */
            if (!run_child(program, own, caches[c], &warm[c][r]))
                return false;
    print_row(own, "cold", &cold, 1, false);
    for (int c = 0; c < 2; c++)
        print_row(own, names[c], warm[c], own->runs, c == 1);
    return true;
}

static options parse(int argc, char **argv)
{
    options own = {.op = "matmul", .runs = 15};
    for (int a = 1; a < argc; a++) {
        const char *value = a + 1 < argc ? argv[a + 1] : NULL;
        if (strcmp(argv[a], "--json") == 0) {
            own.json = true;
        } else if (strcmp(argv[a], "--child") == 0) {
            own.child = true;
        } else if (value && strcmp(argv[a], "--device") == 0) {
            own.device = argv[++a];
        } else if (value && strcmp(argv[a], "--op") == 0) {
            own.op = argv[++a];
        } else if (value && strcmp(argv[a], "--runs") == 0 && atoi(value) > 0 && atoi(value) <= MAX_RUNS) {
            own.runs = atoi(argv[++a]);
        } else {
            const bool help = strcmp(argv[a], "--help") == 0;
            fprintf(help ? stdout : stderr,
                    "usage: %s [--device ID] [--op matmul|map|pairwise] [--runs N] [--json]\n", argv[0]);
            exit(help ? 0 : 2);
        }
    }
    return own;
}

int main(int argc, char **argv)
{
    const options own = parse(argc, argv);
    if (own.child)
        return be_child(&own);
    char folder[] = "/tmp/dipole-first-result-XXXXXX", command[128];
    if (!use_empty_caches(folder)) {
        perror("first_result");
        return 1;
    }
    if (own.json)
        puts("[");
    else
        printf("%s on %s, ms from the start of the process to its first result\n", own.op,
               own.device ? own.device : "the default");
    fflush(stdout);
    const bool good = measure("/proc/self/exe", &own);
    if (own.json)
        puts("]");
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 && good ? 0 : 1;
}
