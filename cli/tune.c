/* SPDX-License-Identifier: Apache-2.0 */
/* dipole tune: measures which kernels are the fastest on a device and keeps that. */
#include "tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *stage_name(dp_tune_stage stage)
{
    static const char *const name[] = {"shape", "planned", "measured", "wrong", "failed", "chosen"};
    return name[stage];
}

static void keep_row(tune_rows *rows, const dp_tune_event *event)
{
    if (rows->count == rows->capacity) {
        const size_t larger = rows->capacity ? 2 * rows->capacity : 64;
        tune_row *grown = realloc(rows->rows, larger * sizeof *grown);
        if (!grown) {
            rows->failed = true;
            return;
        }
        rows->rows = grown;
        rows->capacity = larger;
    }
    tune_row *row = &rows->rows[rows->count++];
    *row = (tune_row){.stage = event->stage,
                      .seconds = event->seconds,
                      .gflops = event->gflops,
                      .is_default = event->is_default,
                      .tried = event->tried,
                      .candidates = event->candidates};
    snprintf(row->shape, sizeof row->shape, "%s", event->shape);
    snprintf(row->shape_class, sizeof row->shape_class, "%s", event->shape_class);
    snprintf(row->variant, sizeof row->variant, "%s", event->variant);
    snprintf(row->message, sizeof row->message, "%s", event->message);
}

void tune_rows_free(tune_rows *rows)
{
    free(rows->rows);
    *rows = (tune_rows){0};
}

static void print_event(const char *id, const dp_tune_event *event)
{
    char rate[CLI_TEXT];
    if (event->stage == DP_TUNE_SHAPE)
        return;
    cli_progress_end();
    printf("%-10s %-44s %-18s", id, event->shape, event->variant);
    if (event->stage == DP_TUNE_PLANNED)
        printf(" %d of %d", event->tried, event->candidates);
    else if (event->stage == DP_TUNE_WRONG || event->stage == DP_TUNE_FAILED)
        printf(" %s: %s", stage_name(event->stage), event->message);
    else
        printf(" %9.3f ms  %8sFLOP/s", 1e3 * event->seconds, cli_si_text(1e9 * event->gflops, rate));
    printf("%s%s\n", event->stage == DP_TUNE_CHOSEN ? "  chosen" : "",
           event->is_default ? "  (default)" : "");
    fflush(stdout);
}

bool tune_listen(void *data, const dp_tune_event *event)
{
    tune_listener *own = data;
    keep_row(&own->rows, event);
    if (!own->quiet)
        print_event(own->id, event);
    cli_progress(event->done, "%s: %s", own->id, event->shape);
    return !cli_interrupted() && !own->rows.failed;
}

static cJSON *row_json(const tune_row *row)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "stage", stage_name(row->stage));
    cJSON_AddStringToObject(json, "shape", row->shape);
    cJSON_AddStringToObject(json, "class", row->shape_class);
    cJSON_AddStringToObject(json, "variant", row->variant);
    cJSON_AddBoolToObject(json, "default", row->is_default);
    if (row->gflops > 0) {
        cJSON_AddNumberToObject(json, "seconds", row->seconds);
        cJSON_AddNumberToObject(json, "gflops", row->gflops);
    }
    if (row->message[0])
        cJSON_AddStringToObject(json, "message", row->message);
    return json;
}

static void add_json(cJSON *json, const char *id, const tune_rows *rows)
{
    cJSON *device = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(device, "events");
    cJSON_AddStringToObject(device, "device", id);
    for (size_t r = 0; r < rows->count; r++)
        if (rows->rows[r].stage != DP_TUNE_SHAPE)
            cJSON_AddItemToArray(list, row_json(&rows->rows[r]));
    cJSON_AddItemToArray(json, device);
}

static int tune_device(dp_device *device, dp_tune_options options, cJSON *json)
{
    const dp_device_info info = dp_device_get_info(device);
    tune_listener listener = {.id = info.id, .quiet = json != NULL};
    options.progress = tune_listen;
    options.data = &listener;
    const dp_status status = dp_tune(device, &options);
    cli_progress_end();
    if (listener.rows.failed)
        cli_error("out of memory");
    else if (status != DP_OK)
        cli_error("%s: %s", info.id, dp_message(device));
    else if (json)
        add_json(json, info.id, &listener.rows);
    const bool failed = listener.rows.failed;
    tune_rows_free(&listener.rows);
    return status == DP_OK && !failed ? CLI_OK : CLI_FAILED;
}

static int tune_all(const cli_ids *ids, const dp_tune_options *options, bool report, bool as_json)
{
    cJSON *json = as_json ? cJSON_CreateObject() : NULL;
    cJSON *results = as_json ? cJSON_AddArrayToObject(json, "results") : NULL;
    int status = CLI_OK;
    for (size_t k = 0; k < ids->count && !cli_interrupted(); k++) {
        if (ids->count > 1 && strcmp(ids->id[k], "ref") == 0)
            continue; /* "all" means those that can be tuned */
        dp_device *device = cli_open(ids->id[k]);
        const int own = !device  ? CLI_FAILED
                        : report ? tune_report(device, options, results)
                                 : tune_device(device, *options, results);
        status = own == CLI_OK ? status : own;
        dp_device_close(&device);
    }
    if (as_json && cli_json_print(json) != CLI_OK)
        status = CLI_FAILED;
    return cli_interrupted() ? CLI_INTERRUPTED : status;
}

static bool read_order(const char *text, dp_tune_order *order)
{
    static const char *const name[] = {"model", "random", "table"};
    for (int o = 0; o < (int)CLI_COUNT(name); o++)
        if (strcmp(text, name[o]) == 0) {
            *order = (dp_tune_order)o;
            return true;
        }
    cli_error("--order: \"%s\" is none of model, random and table", text);
    return false;
}

/* "60", "60s", "2m". */
static bool read_budget(const char *text, double *seconds)
{
    char *end;
    const double number = strtod(text, &end);
    const double unit = strcmp(end, "m") == 0 ? 60 : strcmp(end, "s") == 0 || *end == '\0' ? 1 : 0;
    *seconds = number * unit;
    if (end != text && *seconds > 0 && *seconds <= 86400)
        return true;
    cli_error("--budget: \"%s\" is no time such as 60s or 2m, up to a day", text);
    return false;
}

int cli_tune(int argc, char **argv)
{
    const char *shape = NULL, *order = "model", *budget = "60s";
    bool report = false;
    dp_tune_options tune = {0};
    int64_t seed = 0;
    const cli_option options[] = {
        {"op", "NAME", "matmul, conv2d, conv2d_input or conv2d_weights; default: all", .text = &tune.op},
        {"shape", "SHAPE",
         "one shape instead of the usual ones:\n"
         "  \"matmul 512x512x512 nt batches=8\"   M x N x K, n or t for a and b\n"
         "  \"conv2d 16x64x28x28x128x3x3 stride=2 padding=1\"  N x C x H x W x K x R x S",
         .text = &shape},
        {"budget", "TIME", "how long it may take on each device, such as 60s or 2m; default 60s",
         .text = &budget},
        {"exhaustive", NULL, "every kernel for every shape, however long it takes", .flag = &tune.exhaustive},
        {"cpu-time", NULL,
         "time by the CPU's seconds instead of the clock: for devices that run on the\nCPU, on a machine "
         "with other work",
         .flag = &tune.cpu_time},
        {"order", "ORDER", "what is tried first: model, random or table; default model", .text = &order},
        {"fresh", NULL, "learn nothing from earlier timings of the device itself", .flag = &tune.fresh},
        {"seed", "N", "of the random order", .integer = &seed, .least = 0, .most = 9e15},
        {"file", "FILE", "the database; \"\": nothing is written; default: the user's own",
         .text = &tune.file},
        {"dry-run", NULL, "tell what would be tried, in its order, and run nothing", .flag = &tune.dry_run},
        {"report", NULL,
         "how much of the fastest kernel's speed the default and a tuning reach:\n"
         "tunes as on a new device within the budget, then times every kernel; writes\nnothing",
         .flag = &report},
    };
    const cli_command command = {
        .operands = "",
        .summary = "Finds the fastest kernels of matrix products and convolutions on a device: tries them, "
                   "compares each with\n"
                   "the reference, times it, and keeps the fastest for later programs.",
        .details = "The database is DIPOLE_TUNING, else $XDG_DATA_HOME/dipole/tuning.txt, else "
                   "~/.local/share/dipole/tuning.txt.\n"
                   "Interrupted, it keeps what it found.\nexample: dipole tune --op matmul --budget 60s",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    cli_ids ids = {0};
    int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    if (!read_order(order, &tune.order) || !read_budget(budget, &tune.seconds))
        return CLI_USAGE;
    tune.seed = (uint64_t)seed;
    tune.shapes = shape ? &shape : NULL;
    tune.shape_count = shape ? 1 : 0;
    status =
        cli_expand_ids(arguments.device, &ids) ? tune_all(&ids, &tune, report, arguments.json) : CLI_FAILED;
    cli_free_ids(&ids);
    return status;
}
