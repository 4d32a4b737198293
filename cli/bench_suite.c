/* SPDX-License-Identifier: Apache-2.0 */
/* dipole bench --suite: the fixed list on one device after the other, into one file. */
#include "bench_suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One device's way through the list. */
typedef struct device_run {
    const suite_plan *plan;
    const char *id;
    dp_device *device;
    suite_roof roof;
    suite_energy energy;
    double start;
    const char *op;      /* of the cases before that were measured */
    suite_roof attained; /* the best rates of them */
    bool lost, good, quiet;
} device_run;

static void print_result(const device_run *at, const suite_result *result)
{
    char rate[CLI_TEXT], shares[24] = "";
    const bench_timing *t = &result->timing;
    if (isatty(STDOUT_FILENO)) /* the lines are the progress then */
        cli_progress_end();
    printf("%-10s %-17s %-48s ", at->id, result->item->group, result->item->title);
    if (result->status != SUITE_MEASURED) {
        printf("%s: %s\n", result->status == SUITE_SKIPPED ? "skipped" : "failed", result->reason);
        return;
    }
    const double amount = result->pairs > 0               ? result->pairs
                          : result->flops > result->bytes ? result->flops
                                                          : result->bytes;
    const char *unit = result->pairs > 0 ? "pairs/s" : result->flops > result->bytes ? "FLOP/s" : "B/s";
    const double least = suite_least_seconds(&at->roof, result->flops, result->bytes);
    if (least > 0 && strcmp(result->item->group, "transfer"))
        snprintf(shares, sizeof shares, ", %.0f %% of the roof", 100 * least / t->median);
    printf("%10.4f ms", 1e3 * t->median);
    if (amount > 0)
        printf("  %s%s%s", cli_si_text(amount / t->median, rate), unit, shares);
    putchar('\n');
    fflush(stdout);
}

/* Whether the case is worth a start: "" or why not. */
static void foresee(const device_run *at, const suite_run *run, const suite_case *item, char *reason,
                    size_t size)
{
    const bool same = at->op && strcmp(at->op, item->op) == 0;
    const double expected = same ? suite_least_seconds(&at->attained, run->flops, run->bytes) : 0;
    if (expected > at->plan->call_limit)
        snprintf(reason, size, "a call would take about %.*f s, more than %g s", expected < 10, expected,
                 at->plan->call_limit);
}

static void learn(device_run *at, const suite_run *run, const suite_case *item, double seconds)
{
    if (!at->op || strcmp(at->op, item->op) != 0)
        at->attained = (suite_roof){0, 0};
    at->op = item->op;
    at->attained.flops = fmax(at->attained.flops, run->flops / seconds);
    at->attained.bytes = fmax(at->attained.bytes, run->bytes / seconds);
}

static void begin_energy(void *energy)
{
    suite_energy_begin(energy);
}

static void measure(device_run *at, const suite_case *item, suite_result *result)
{
    suite_run run;
    dp_memory_reset(at->device);
    result->status = SUITE_BROKEN;
    if (suite_open(&run, item, at->device, result->reason, sizeof result->reason)) {
        foresee(at, &run, item, result->reason, sizeof result->reason);
        result->status = *result->reason ? SUITE_SKIPPED : SUITE_BROKEN;
    }
    if (!*result->reason) {
        run.work.warm = begin_energy;
        run.work.warm_data = &at->energy;
        if (bench_measure(&run.work, at->plan->seconds, &result->timing)) {
            result->status = SUITE_MEASURED;
            result->joules =
                suite_energy_end(&at->energy) / ((double)result->timing.samples * result->timing.batch);
            learn(at, &run, item, result->timing.median);
        } else {
            snprintf(result->reason, sizeof result->reason, "%s",
                     run.run.failed ? "out of memory on the host" : dp_message(at->device));
        }
    }
    result->flops = run.flops;
    result->bytes = run.bytes;
    result->pairs = run.pairs;
    result->peak_bytes = dp_memory_get(at->device).peak_bytes;
    suite_close(&run);
}

/* A device that was lost is opened again, once a case. */
static void recover(device_run *at)
{
    if (dp_clear(at->device) != DP_ERROR_DEVICE_LOST)
        return;
    dp_device_close(&at->device);
    at->device = cli_open(at->id);
    at->lost = !at->device;
}

/* False where it was interrupted: then there is no result. */
static bool run_case(device_run *at, const suite_case *item, suite_result *result)
{
    *result = (suite_result){.item = item, .status = SUITE_SKIPPED, .joules = NAN};
    if (at->lost)
        snprintf(result->reason, sizeof result->reason, "the device was lost");
    else if (cli_seconds() - at->start > at->plan->time_limit)
        snprintf(result->reason, sizeof result->reason, "the suite's %.0f s were over", at->plan->time_limit);
    else
        measure(at, item, result);
    if (cli_interrupted())
        return false;
    if (result->status == SUITE_BROKEN || at->lost)
        at->good = false;
    if (!at->lost)
        recover(at);
    if (!at->quiet)
        print_result(at, result);
    return true;
}

static size_t count_cases(const suite_plan *plan)
{
    size_t count = 0;
    for (size_t k = 0; k < suite_case_count; k++)
        count += (suite_cases[k].sizes & plan->size) != 0;
    return count;
}

/* Is asked before the cases and after them, as others on the machine may disturb one of the two: the better
 * counts. The reference interprets formulas, and what they reach says nothing of it: it has no roof. */
static void measure_roof(device_run *at, const dp_device_info *info)
{
    if (info->type == DP_DEVICE_REFERENCE || at->lost || cli_interrupted())
        return;
    const int64_t most = (int64_t)(info->max_tensor_bytes / sizeof(float)),
                  fitting =
                      (int64_t)(info->memory_bytes / 4 / sizeof(float)); /* three tensors, and some room */
    int64_t elements = fitting < most ? fitting : most;
    elements = elements < at->plan->elements ? elements : at->plan->elements;
    const double flops = bench_peak(at->device, 2 * at->plan->seconds);
    const double bytes = cli_interrupted() ? 0 : bench_bandwidth(at->device, elements, 2 * at->plan->seconds);
    at->roof.flops = fmax(flops, at->roof.flops);
    at->roof.bytes = fmax(bytes, at->roof.bytes);
    at->good = at->good && (cli_interrupted() || (flops > 0 && bytes > 0));
    dp_clear(at->device);
}

/* Runs the cases of the plan; returns how many have a result. */
static size_t run_cases(device_run *at, double before, double part, suite_result *results)
{
    const size_t count = count_cases(at->plan);
    size_t done = 0;
    for (size_t k = 0; k < suite_case_count && !cli_interrupted(); k++) {
        if (!(suite_cases[k].sizes & at->plan->size))
            continue;
        cli_progress(before + part * (double)done / (double)count, "%s: %s", at->id, suite_cases[k].group);
        if (run_case(at, &suite_cases[k], &results[done]))
            done++;
    }
    return done;
}

static bool run_device(device_run *at, double before, double part, cJSON *file)
{
    const dp_device_info info = dp_device_get_info(at->device);
    const double load = suite_load();
    suite_result *results = calloc(suite_case_count, sizeof *results);
    if (!results) {
        cli_error("out of memory");
        return false;
    }
    at->start = cli_seconds();
    at->id = info.id;
    at->good = true;
    suite_energy_find(&at->energy, &info);
    cli_progress(before, "%s: peak and bandwidth", info.id);
    measure_roof(at, &info);
    const size_t count = run_cases(at, before, part, results);
    measure_roof(at, &info);
    cJSON *json = count ? suite_device_json(file, &info, &at->roof) : NULL;
    for (size_t k = 0; k < count; k++)
        suite_result_json(json, &results[k], &at->roof);
    if (json)
        suite_end_device_json(json, cli_seconds() - at->start, load);
    free(results);
    return at->good;
}

/* To the file `out`, where one is wanted, and to stdout. Frees `file`. */
static bool publish(cJSON *file, const char *out, bool as_json)
{
    char *text = out ? cJSON_Print(file) : NULL;
    bool good = true;
    if (out && !text)
        cli_error("out of memory");
    if (out)
        good = text && cli_write_file(out, text, strlen(text));
    cJSON_free(text);
    if (as_json)
        return cli_json_print(file) == CLI_OK && good;
    cJSON_Delete(file);
    return good;
}

int suite_run_all(const suite_plan *plan, const cli_ids *ids, const char *out, bool as_json)
{
    cJSON *file = suite_begin_json(plan);
    bool good = file;
    const double part = 1.0 / (double)ids->count;
    for (size_t k = 0; file && k < ids->count && !cli_interrupted(); k++) {
        device_run at = {.plan = plan, .quiet = as_json, .device = cli_open(ids->id[k])};
        if (!at.device || !run_device(&at, (double)k * part, part, file))
            good = false;
        dp_device_close(&at.device);
    }
    cli_progress_end();
    const bool complete = !cli_interrupted(),
               some = cJSON_GetArraySize(cJSON_GetObjectItem(file, "devices")) > 0;
    suite_set_complete(file, complete);
    if (!complete && as_json)
        as_json = false; /* nothing on stdout, as everywhere; the file has what there is */
    if (!some)
        cJSON_Delete(file);
    else if (!publish(file, out, as_json))
        good = false;
    return !complete ? CLI_INTERRUPTED : good && some ? CLI_OK : CLI_FAILED;
}
