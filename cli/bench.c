/* SPDX-License-Identifier: Apache-2.0 */
/* dipole bench: how fast the cases of tests/ops run. */
#include "cli.h"
#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SAMPLES = 256, MIN_SAMPLES = 3, WANTED_SAMPLES = 20, MAX_BATCH = 1000 };

/* Seconds of one call. */
typedef struct timing {
    double median, min, max;
} timing;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds that `batch` calls and the wait for them take, by call; negative on failure. */
static double time_batch(ops_run *run, int batch)
{
    const double start = cli_seconds();
    for (int k = 0; k < batch; k++)
        ops_run_launch(run);
    if (dp_device_wait(run->device) != DP_OK || run->failed)
        return -1;
    return (cli_seconds() - start) / batch;
}

static timing summarise(double *samples, int count)
{
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    const double middle = 0.5 * (samples[(count - 1) / 2] + samples[count / 2]);
    return (timing){.median = middle, .min = samples[0], .max = samples[count - 1]};
}

/* Warms up, then times batches that are long enough for the clock until the time is over. */
static bool measure(ops_run *run, double seconds, timing *result)
{
    double samples[MAX_SAMPLES];
    int count = 0;
    if (time_batch(run, 1) < 0)
        return false;
    const double once = time_batch(run, 1), start = cli_seconds();
    if (once < 0)
        return false;
    const double fitting = seconds / WANTED_SAMPLES / (once > 1e-7 ? once : 1e-7);
    const int batch = fitting < 1 ? 1 : fitting > MAX_BATCH ? MAX_BATCH : (int)fitting;
    while (count < MAX_SAMPLES && (count < MIN_SAMPLES || cli_seconds() - start < seconds) &&
           !cli_interrupted()) {
        samples[count] = time_batch(run, batch);
        if (samples[count++] < 0)
            return false;
    }
    if (count)
        *result = summarise(samples, count);
    return count > 0;
}

static void print_result(const ops_run *run, const char *id, const timing *t)
{
    char rate[CLI_TEXT];
    const char *unit = run->pairs > 0 ? "pairs/s" : run->flops >= run->bytes ? "FLOP/s" : "B/s";
    const double amount = run->pairs > 0 ? run->pairs : run->flops >= run->bytes ? run->flops : run->bytes;
    printf("%-10s %-17s %-50s %9.3f ms  (%.3f .. %.3f)  %s%s\n", id, run->op->name, run->text,
           1e3 * t->median, 1e3 * t->min, 1e3 * t->max, cli_si_text(amount / t->median, rate), unit);
    fflush(stdout);
}

static cJSON *result_json(const ops_run *run, const char *id, const timing *t)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "op", run->op->name);
    cJSON_AddStringToObject(json, "shape", run->text);
    cJSON_AddStringToObject(json, "device", id);
    cJSON_AddNumberToObject(json, "seconds", t->median);
    cJSON_AddNumberToObject(json, "seconds_min", t->min);
    cJSON_AddNumberToObject(json, "seconds_max", t->max);
    cJSON_AddNumberToObject(json, "flops", run->flops);
    cJSON_AddNumberToObject(json, "bytes", run->bytes);
    cJSON_AddNumberToObject(json, "pairs", run->pairs);
    return json;
}

/* One case on one device; results go to `json`, or to the terminal where that is NULL. */
static bool bench_case(const ops_case *item, dp_device *device, double seconds, cJSON *json)
{
    const dp_device_info info = dp_device_get_info(device);
    ops_run run;
    timing t;
    ops_run_open(&run, item, device);
    const bool measured = measure(&run, seconds, &t);
    if (measured && json)
        cJSON_AddItemToArray(json, result_json(&run, info.id, &t));
    else if (measured)
        print_result(&run, info.id, &t);
    else if (!cli_interrupted())
        cli_error("%s: %s %s: %s", info.id, item->op->name, item->text,
                  run.failed ? "out of host memory" : dp_message(device));
    ops_run_close(&run);
    dp_clear(device);
    return measured;
}

static int bench_all(const cli_ids *ids, const ops_list *list, double seconds, bool as_json)
{
    cJSON *json = as_json ? cJSON_CreateObject() : NULL;
    cJSON *results = as_json ? cJSON_AddArrayToObject(json, "results") : NULL;
    int status = CLI_OK;
    for (size_t k = 0; k < ids->count && !cli_interrupted(); k++) {
        dp_device *device = cli_open(ids->id[k]);
        if (!device)
            status = CLI_FAILED;
        for (size_t c = 0; device && c < list->count && !cli_interrupted(); c++) {
            cli_progress((double)(k * list->count + c) / (double)(ids->count * list->count), "benchmarks");
            if (!bench_case(&list->cases[c], device, seconds, results))
                status = CLI_FAILED;
            cli_progress_end();
        }
        dp_device_close(&device);
    }
    if (as_json && cli_json_print(json) != CLI_OK)
        status = CLI_FAILED;
    return cli_interrupted() ? CLI_INTERRUPTED : status;
}

static int choose_cases(ops_list *list, const char *op_name, const char *shape)
{
    const ops_op *op = op_name ? ops_find(op_name) : NULL;
    if (op_name && (!op || !op->shape)) {
        cli_error("\"%s\" is no operation with a benchmark", op_name);
        return CLI_USAGE;
    }
    if (shape && !op) {
        cli_error("--shape needs --op");
        return CLI_USAGE;
    }
    if (shape)
        ops_list_shape(list, op, shape);
    else
        ops_list_bench(list, op);
    if (list->message[0])
        cli_error("%s", list->message);
    return list->message[0] ? CLI_USAGE : CLI_GO_ON;
}

int cli_bench(int argc, char **argv)
{
    const char *op = NULL, *shape = NULL;
    double seconds = 0.5;
    const cli_option options[] = {
        {"op", "NAME", "matmul, conv2d, map, reduce, gather, scatter_add, pairwise or\npairwise_smallest; default: all",
         .text = &op},
        {"shape", "SHAPE",
         "sizes with x between them, or parameters as in the output:\n"
         "  matmul    MxNxK, 512x512x512      pairwise  NxMxD, 2000x2000x3\n"
         "  conv2d    NxCxHxWxKxRxS           map, reduce  a number of elements\n"
         "  pairwise_smallest  NxMxD, the 8 smallest; others: \"k=32 n=2000 m=2000 d=3\"\n"
         "  gather, scatter_add  NxDxM: M rows of N, D wide",
         .text = &shape},
        {"seconds", "S", "time for each measurement; default 0.5", .real = &seconds, .least = 0.001,
         .most = 3600},
    };
    const cli_command command = {
        .operands = "",
        .summary =
            "Times operations: after a warm-up, the median of many batches of queued calls, and the fastest\n"
            "and slowest of them.",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    cli_ids ids = {0};
    ops_list list = {0};
    int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    status = choose_cases(&list, op, shape);
    if (status == CLI_GO_ON)
        status = cli_expand_ids(arguments.device, &ids) ? bench_all(&ids, &list, seconds, arguments.json)
                                                        : CLI_FAILED;
    cli_free_ids(&ids);
    ops_list_free(&list);
    return status;
}
