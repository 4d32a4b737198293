/* SPDX-License-Identifier: Apache-2.0 */
/* dipole bench: how fast the cases of tests/ops run. */
#include "bench_suite.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool launch_case(void *data)
{
    ops_run *run = data;
    ops_run_launch(run);
    return !run->failed;
}

static void print_result(const ops_run *run, const char *id, const bench_timing *t)
{
    char rate[CLI_TEXT];
    const char *unit = run->pairs > 0 ? "pairs/s" : run->flops >= run->bytes ? "FLOP/s" : "B/s";
    const double amount = run->pairs > 0 ? run->pairs : run->flops >= run->bytes ? run->flops : run->bytes;
    printf("%-10s %-17s %-50s %9.3f ms  (%.3f .. %.3f)  %s%s\n", id, run->op->name, run->text,
           1e3 * t->median, 1e3 * t->min, 1e3 * t->max, cli_si_text(amount / t->median, rate), unit);
    fflush(stdout);
}

static cJSON *result_json(const ops_run *run, const char *id, const bench_timing *t)
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
    cJSON_AddNumberToObject(json, "peak_bytes", (double)dp_memory_get(run->device).peak_bytes);
    return json;
}

/* One case on one device; results go to `json`, or to the terminal where that is NULL. */
static bool bench_case(const ops_case *item, dp_device *device, double seconds, cJSON *json)
{
    const dp_device_info info = dp_device_get_info(device);
    ops_run run;
    bench_timing t;
    dp_memory_reset(device);
    ops_run_open(&run, item, device);
    const bool measured = bench_measure(&(bench_work){device, &run, launch_case, 0}, seconds, &t);
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

/* What the command line asks for: cases, or sums over pairs. */
typedef struct bench_job {
    ops_list list;
    bench_pairs pairs;
    bool is_pairs;
    double seconds;
} bench_job;

static bool bench_device(bench_job *job, dp_device *device, double done, double part, cJSON *results)
{
    bool good = true;
    if (job->is_pairs)
        return bench_pairs_run(&job->pairs, device, job->seconds, results);
    for (size_t c = 0; c < job->list.count && !cli_interrupted(); c++) {
        cli_progress(done + part * (double)c / (double)job->list.count, "benchmarks");
        good = bench_case(&job->list.cases[c], device, job->seconds, results) && good;
        cli_progress_end();
    }
    return good;
}

static int bench_all(const cli_ids *ids, bench_job *job, bool as_json)
{
    cJSON *json = as_json ? cJSON_CreateObject() : NULL;
    cJSON *results = as_json ? cJSON_AddArrayToObject(json, "results") : NULL;
    int status = CLI_OK;
    for (size_t k = 0; k < ids->count && !cli_interrupted(); k++) {
        dp_device *device = cli_open(ids->id[k]);
        const double part = 1.0 / (double)ids->count;
        if (!device || !bench_device(job, device, (double)k * part, part, results))
            status = CLI_FAILED;
        dp_device_close(&device);
    }
    if (cli_interrupted())
        cJSON_Delete(json);
    else if (as_json && cli_json_print(json) != CLI_OK)
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

/* --potential, --formula, --gradient, --wrt and --rows are for pairs. */
static int choose_pairs(bench_job *job, const char *op_name, const char *shape, bool gradient,
                        const char *wrt)
{
    bench_pairs *pairs = &job->pairs;
    if (op_name && strcmp(op_name, "pairwise") != 0) {
        cli_error("--potential, --formula, --gradient, --wrt and --rows are for --op pairwise, not %s",
                  op_name);
        return CLI_USAGE;
    }
    job->is_pairs = true;
    pairs->wrt = wrt ? wrt : gradient ? "x" : NULL;
    return bench_pairs_check(pairs, shape);
}

static int run_suite(const char *suite, const char *out, bool others, const cli_arguments *arguments)
{
    const suite_plan *plan = suite ? suite_find(suite) : NULL;
    cli_ids ids = {0};
    int status = CLI_USAGE;
    if (!suite)
        cli_error("--out is for --suite");
    else if (!plan)
        cli_error("--suite: \"%s\" is neither quick, full nor tiny", suite);
    else if (others)
        cli_error("--suite is a list of its own: no --op, --shape, --seconds and so on");
    else
        status = cli_expand_ids(arguments->device, &ids) ? suite_run_all(plan, &ids, out, arguments->json)
                                                         : CLI_FAILED;
    cli_free_ids(&ids);
    return status;
}

int cli_bench(int argc, char **argv)
{
    const char *op = NULL, *shape = NULL, *wrt = NULL, *suite = NULL, *out = NULL;
    bool gradient = false;
    bench_job job = {.seconds = 0.5};
    if (argc > 1 && strcmp(argv[1], "report") == 0)
        return report_command(argc - 1, argv + 1);
    const cli_option options[] = {
        {"op", "NAME",
         "matmul, conv2d, conv2d_gradient_input, conv2d_gradient_weights,\nconv2d_transposed, map, reduce, "
         "gather, scatter_add, pairwise or\npairwise_smallest; default: all",
         .text = &op},
        {"shape", "SHAPE",
         "sizes with x between them, or parameters as in the output:\n"
         "  matmul    MxNxK, 512x512x512      pairwise  NxMxD, 2000x2000x3\n"
         "  conv2d... NxCxHxWxKxRxS           map, reduce  a number of elements\n"
         "  pairwise_smallest  NxMxD, the 8 smallest; others: \"k=32 n=2000 m=2000 d=3\"\n"
         "  gather, scatter_add  NxDxM: M rows of N, D wide",
         .text = &shape},
        {"potential", "NAME", "pairwise: the sum over j of a potential, for each i; a wrong name lists them",
         .text = &job.pairs.potential},
        {"formula", "TEXT", "pairwise: the same of a formula of x[i], y[j] (vectors), q[i], p[j], eps",
         .text = &job.pairs.formula},
        {"gradient", NULL, "pairwise: value and gradient to x", .flag = &gradient},
        {"wrt", "NAMES", "pairwise: gradients to these, such as x,y", .text = &wrt},
        {"rows", "N", "pairwise: of x in one part; default: all, but at most 2^32 pairs",
         .integer = &job.pairs.rows, .least = 1, .most = INT32_MAX},
        {"seconds", "S", "time for each measurement; default 0.5", .real = &job.seconds, .least = 0.001,
         .most = 3600},
        {"suite", "NAME", "quick, full or tiny: the fixed list that devices are compared by", .text = &suite},
        {"out", "FILE", "suite: write its results as JSON, for dipole bench report", .text = &out},
    };
    const cli_command command = {
        .operands = "",
        .summary =
            "Times operations: after a warm-up, the median of many batches of queued calls, and the fastest\n"
            "and slowest of them.",
        .details =
            "With --potential or --formula, rates are of useful FLOPs and pairs, and a large problem runs in "
            "parts, rows of\n"
            "x, each of which is waited for: then there is one call, and the spread is that of its parts. "
            "'of peak' is\n"
            "to what multiply-adds alone reach on the device, measured in the same run.\n"
            "With --suite the fixed list of docs/bench.md is run. 'dipole bench report A.json B.json --html "
            "OUT.html' makes "
            "a page of such\nfiles; see 'dipole bench report --help'.\n"
            "example: dipole bench --op pairwise --shape 65536x65536x3 --potential gaussian --gradient",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    cli_ids ids = {0};
    int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    if (suite || out)
        return run_suite(suite, out,
                         op || shape || wrt || job.seconds != 0.5 || gradient || job.pairs.potential ||
                             job.pairs.formula || job.pairs.rows,
                         &arguments);
    status = job.pairs.potential || job.pairs.formula || gradient || wrt || job.pairs.rows
                 ? choose_pairs(&job, op, shape, gradient, wrt)
                 : choose_cases(&job.list, op, shape);
    if (status == CLI_GO_ON)
        status = cli_expand_ids(arguments.device, &ids) ? bench_all(&ids, &job, arguments.json) : CLI_FAILED;
    cli_free_ids(&ids);
    ops_list_free(&job.list);
    return status;
}
