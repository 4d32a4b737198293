/* SPDX-License-Identifier: Apache-2.0 */
/* How near the defaults and a tuning come to the fastest kernel. */
#include "tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One shape's outcome, by the speeds that the run over everything measured. */
typedef struct outcome {
    const tune_row *best;
    double defaults, tuned; /* parts of the best */
    int tried, candidates;  /* within the budget */
} outcome;

/* The speed of a shape's variant, 0 where it was not measured. */
static double speed_of(const tune_rows *rows, const char *shape, const char *variant)
{
    double speed = 0;
    for (size_t r = 0; r < rows->count; r++)
        if ((rows->rows[r].stage == DP_TUNE_MEASURED || rows->rows[r].stage == DP_TUNE_CHOSEN) &&
            strcmp(rows->rows[r].shape, shape) == 0 && strcmp(rows->rows[r].variant, variant) == 0)
            speed = rows->rows[r].gflops; /* the last one is of the most samples */
    return speed;
}

static const tune_row *find_row(const tune_rows *rows, const char *shape, dp_tune_stage stage, bool defaults)
{
    for (size_t r = 0; r < rows->count; r++)
        if (rows->rows[r].stage == stage && strcmp(rows->rows[r].shape, shape) == 0 &&
            (!defaults || rows->rows[r].is_default))
            return &rows->rows[r];
    return NULL;
}

/* False for a shape of which something was not measured. */
static bool judge(const tune_rows *tuned, const tune_rows *all, const tune_row *best, outcome *result)
{
    const tune_row *chosen = find_row(tuned, best->shape, DP_TUNE_CHOSEN, false);
    const tune_row *defaults = find_row(all, best->shape, DP_TUNE_MEASURED, true);
    if (!chosen || !defaults)
        return false;
    *result = (outcome){.best = best,
                        .tried = chosen->tried,
                        .candidates = chosen->candidates,
                        .defaults = speed_of(all, best->shape, defaults->variant) / best->gflops,
                        .tuned = speed_of(all, best->shape, chosen->variant) / best->gflops};
    return true;
}

static int ascending(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, ascending);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

static void print_outcome(const char *id, const outcome *own)
{
    char rate[CLI_TEXT];
    printf("%-10s %-44s %-18s %8sFLOP/s  default %3.0f %%  tuned %3.0f %%  %d of %d tried\n", id,
           own->best->shape, own->best->variant, cli_si_text(1e9 * own->best->gflops, rate),
           100 * own->defaults, 100 * own->tuned, own->tried, own->candidates);
}

static cJSON *outcome_json(const outcome *own)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "shape", own->best->shape);
    cJSON_AddStringToObject(json, "best", own->best->variant);
    cJSON_AddNumberToObject(json, "gflops", own->best->gflops);
    cJSON_AddNumberToObject(json, "default", own->defaults);
    cJSON_AddNumberToObject(json, "tuned", own->tuned);
    cJSON_AddNumberToObject(json, "tried", own->tried);
    cJSON_AddNumberToObject(json, "candidates", own->candidates);
    return json;
}

static int compare(const char *id, const tune_rows *tuned, const tune_rows *all, double seconds, cJSON *json)
{
    double *defaults = calloc(all->count + 1, sizeof *defaults),
           *reached = calloc(all->count + 1, sizeof *reached);
    cJSON *list = json ? cJSON_CreateArray() : NULL;
    size_t count = 0;
    outcome own;
    if (!defaults || !reached)
        cli_error("out of memory");
    for (size_t r = 0; defaults && reached && r < all->count; r++) {
        if (all->rows[r].stage != DP_TUNE_CHOSEN || !judge(tuned, all, &all->rows[r], &own))
            continue;
        defaults[count] = own.defaults;
        reached[count++] = own.tuned;
        if (json)
            cJSON_AddItemToArray(list, outcome_json(&own));
        else
            print_outcome(id, &own);
    }
    const bool good = count > 0;
    if (good) {
        const double part = median(defaults, count), part_tuned = median(reached, count);
        if (json) {
            cJSON *device = cJSON_CreateObject();
            cJSON_AddStringToObject(device, "device", id);
            cJSON_AddNumberToObject(device, "seconds", seconds);
            cJSON_AddNumberToObject(device, "default", part);
            cJSON_AddNumberToObject(device, "tuned", part_tuned);
            cJSON_AddItemToObject(device, "shapes", list);
            cJSON_AddItemToArray(json, device);
            list = NULL;
        } else {
            printf("%-10s of the fastest of %zu shapes: default %.0f %% (least %.0f %%), after %.0f s of "
                   "tuning %.0f %% (least "
                   "%.0f %%)\n",
                   id, count, 100 * part, 100 * defaults[0], seconds, 100 * part_tuned, 100 * reached[0]);
        }
    }
    cJSON_Delete(list);
    free(defaults);
    free(reached);
    return good ? CLI_OK : CLI_FAILED;
}

static bool run(dp_device *device, dp_tune_options options, tune_listener *listener)
{
    options.file = "";
    options.progress = tune_listen;
    options.data = listener;
    const dp_status status = dp_tune(device, &options);
    cli_progress_end();
    if (status != DP_OK)
        cli_error("%s: %s", listener->id, dp_message(device));
    else if (listener->rows.failed)
        cli_error("out of memory");
    return status == DP_OK && !listener->rows.failed && !cli_interrupted();
}

int tune_report(dp_device *device, const dp_tune_options *options, cJSON *json)
{
    const dp_device_info info = dp_device_get_info(device);
    tune_listener tuned = {.id = info.id, .quiet = true}, all = {.id = info.id, .quiet = true};
    dp_tune_options within = *options, every = *options;
    const double start = cli_seconds();
    within.exhaustive = false;
    within.fresh = true;
    every.exhaustive = true;
    int status = CLI_FAILED;
    if (run(device, within, &tuned)) {
        const double seconds = cli_seconds() - start;
        if (run(device, every, &all))
            status = compare(info.id, &tuned.rows, &all.rows, seconds, json);
    }
    tune_rows_free(&tuned.rows);
    tune_rows_free(&all.rows);
    return status;
}
