/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a suite; docs/bench.md has its fields. */
#include "bench_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* null where the value is not known. */
static void add_known(cJSON *json, const char *name, double value, bool known)
{
    if (known)
        cJSON_AddNumberToObject(json, name, value);
    else
        cJSON_AddNullToObject(json, name);
}

cJSON *suite_begin_json(const suite_plan *plan)
{
    char date[32] = "unknown";
    const time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "format", SUITE_FORMAT);
    cJSON_AddNumberToObject(json, "format_version", SUITE_FORMAT_VERSION);
    cJSON_AddStringToObject(json, "suite", plan->name);
    cJSON_AddNumberToObject(json, "suite_version", SUITE_VERSION);
    cJSON_AddBoolToObject(json, "complete", false);
    cJSON_AddStringToObject(json, "library_version", dp_version());
    cJSON_AddStringToObject(json, "date", date);
    cJSON_AddItemToObject(json, "host", suite_host_json());
    cJSON_AddArrayToObject(json, "devices");
    return json;
}

void suite_set_complete(cJSON *file, bool complete)
{
    cJSON_ReplaceItemInObject(file, "complete", cJSON_CreateBool(complete));
}

cJSON *suite_device_json(cJSON *file, const dp_device_info *info, const suite_roof *roof)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "id", info->id);
    cJSON_AddStringToObject(json, "backend", info->backend);
    cJSON_AddStringToObject(json, "name", info->name);
    cJSON_AddStringToObject(json, "vendor", info->vendor);
    cJSON_AddStringToObject(json, "driver", info->driver);
    cJSON_AddStringToObject(json, "api", info->api);
    cJSON_AddStringToObject(json, "type", dp_device_type_name(info->type));
    cJSON_AddNumberToObject(json, "compute_units", info->compute_units);
    cJSON_AddNumberToObject(json, "memory_bytes", (double)info->memory_bytes);
    add_known(json, "peak_flops_per_second", roof->flops, roof->flops > 0);
    add_known(json, "bandwidth_bytes_per_second", roof->bytes, roof->bytes > 0);
    cJSON_AddArrayToObject(json, "results");
    cJSON_AddItemToArray(cJSON_GetObjectItem(file, "devices"), json);
    return json;
}

double suite_least_seconds(const suite_roof *roof, double flops, double bytes)
{
    if ((flops > 0 && !(roof->flops > 0)) || !(roof->bytes > 0))
        return 0;
    return fmax(flops > 0 ? flops / roof->flops : 0, bytes / roof->bytes);
}

static void add_measured(cJSON *json, const suite_result *result, const suite_roof *roof)
{
    const bench_timing *t = &result->timing;
    /* Transfers go another way than the memory that the roof is of, and launches compute nothing. */
    const bool below = strcmp(result->item->group, "transfer") && strcmp(result->item->group, "launch");
    const double least = below ? suite_least_seconds(roof, result->flops, result->bytes) : 0;
    cJSON_AddNumberToObject(json, "seconds", t->median);
    cJSON_AddNumberToObject(json, "seconds_min", t->min);
    cJSON_AddNumberToObject(json, "seconds_quarter", t->quarter);
    cJSON_AddNumberToObject(json, "seconds_three_quarters", t->three_quarters);
    cJSON_AddNumberToObject(json, "seconds_max", t->max);
    cJSON_AddNumberToObject(json, "seconds_first", t->first);
    cJSON_AddNumberToObject(json, "samples", t->samples);
    cJSON_AddNumberToObject(json, "calls_per_sample", t->batch);
    cJSON_AddNumberToObject(json, "flops", result->flops);
    cJSON_AddNumberToObject(json, "bytes", result->bytes);
    cJSON_AddNumberToObject(json, "pairs", result->pairs);
    add_known(json, "fraction_of_roofline", least / t->median, least > 0);
    add_known(json, "joules", result->joules, !isnan(result->joules));
    cJSON_AddNumberToObject(json, "peak_bytes", (double)result->peak_bytes);
}

void suite_result_json(cJSON *device, const suite_result *result, const suite_roof *roof)
{
    static const char *const status[] = {"measured", "skipped", "failed"};
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "group", result->item->group);
    cJSON_AddStringToObject(json, "case", result->item->title);
    cJSON_AddStringToObject(json, "op", result->item->op);
    cJSON_AddStringToObject(json, "parameters", result->item->text);
    cJSON_AddStringToObject(json, "status", status[result->status]);
    if (result->status == SUITE_MEASURED)
        add_measured(json, result, roof);
    else
        cJSON_AddStringToObject(json, "reason", result->reason);
    cJSON_AddItemToArray(cJSON_GetObjectItem(device, "results"), json);
}

void suite_end_device_json(cJSON *device, double seconds, double load)
{
    cJSON_AddNumberToObject(device, "seconds", seconds);
    add_known(device, "load_before", load, !isnan(load));
}

/* Writes and closes; false with errno. */
static bool write_all(int file, const char *text, size_t length)
{
    bool good = true;
    while (good && length > 0) {
        const ssize_t wrote = write(file, text, length);
        if (wrote > 0) {
            text += wrote;
            length -= (size_t)wrote;
        } else {
            good = wrote < 0 && errno == EINTR;
        }
    }
    good = good && fsync(file) == 0;
    const int kept = errno;
    if (close(file) != 0)
        return false;
    errno = kept;
    return good;
}

bool cli_write_file(const char *path, const char *text, size_t length)
{
    const size_t size = strlen(path) + 8;
    char *beside = malloc(size);
    if (!beside) {
        cli_error("out of memory");
        return false;
    }
    snprintf(beside, size, "%s.XXXXXX", path);
    const int file = mkstemp(beside);
    const mode_t mask = umask(0); /* mkstemp makes files for the user alone */
    umask(mask);
    bool good = file >= 0 && fchmod(file, 0666 & ~mask) == 0;
    if (file >= 0)
        good = write_all(file, text, length) && good && rename(beside, path) == 0;
    if (!good) {
        cli_error("%s: %s", path, strerror(errno));
        if (file >= 0)
            unlink(beside);
    }
    free(beside);
    return good;
}
