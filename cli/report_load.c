/* SPDX-License-Identifier: Apache-2.0 */
/* Reads files of `dipole bench --suite` and checks every field that the report uses: a message names the file
 * and the field, "a.json: devices[0].results[3].seconds: is not a number". */
#include "report.h"
#include "bench_suite.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_BYTES (64L << 20)

/* Where in a file the reading is: its path, and the field in whose object it looks. */
typedef struct place {
    const char *path;
    char field[96]; /* "devices[0]." */
    bool good;
} place;

static void complain(place *at, const char *name, const char *what)
{
    if (at->good)
        cli_error("%s: %s%s: %s", at->path, at->field, name, what);
    at->good = false;
}

static const char *text_of(place *at, const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (cJSON_IsString(item) && *item->valuestring)
        return item->valuestring;
    complain(at, name, !item ? "is missing" : "is not a text");
    return "";
}

/* Finite and at least `least`. Where `optional`, null and a missing field give NAN. */
static double number_of(place *at, const cJSON *json, const char *name, double least, bool optional)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (optional && (!item || cJSON_IsNull(item)))
        return NAN;
    if (cJSON_IsNumber(item) && isfinite(item->valuedouble) && item->valuedouble >= least)
        return item->valuedouble;
    complain(at, name, !item ? "is missing" : !cJSON_IsNumber(item) ? "is not a number" : "is out of range");
    return 0;
}

static const cJSON *array_of(place *at, const cJSON *json, const char *name, int most)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    char what[64];
    snprintf(what, sizeof what, "has no elements, or more than %d", most);
    if (!cJSON_IsArray(item))
        complain(at, name, !item ? "is missing" : "is not an array");
    else if (cJSON_GetArraySize(item) < 1 || cJSON_GetArraySize(item) > most)
        complain(at, name, what);
    return at->good ? item : NULL;
}

/* ---- the file as text ---- */

static char *read_file(const char *path)
{
    char *text = NULL;
    long size = -1;
    struct stat about;
    FILE *file = fopen(path, "rb");
    if (file && fstat(fileno(file), &about) == 0 && S_ISDIR(about.st_mode))
        cli_error("%s: %s", path, strerror(EISDIR));
    else if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
             fseek(file, 0, SEEK_SET) != 0)
        cli_error("%s: %s", path, strerror(errno));
    else if (size > MOST_BYTES)
        cli_error("%s: has more than %ld bytes", path, MOST_BYTES);
    else if (!(text = malloc((size_t)size + 1)))
        cli_error("out of memory");
    else if (fread(text, 1, (size_t)size, file) != (size_t)size) {
        cli_error("%s: %s", path, ferror(file) ? strerror(errno) : "cannot be read");
        free(text);
        text = NULL;
    }
    if (text)
        text[size] = '\0';
    if (file)
        fclose(file);
    return text;
}

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at && *text; text++)
        line += *text == '\n';
    return line;
}

static cJSON *parse(const char *path)
{
    char *text = read_file(path);
    const char *end = NULL;
    cJSON *json = text ? cJSON_ParseWithOpts(text, &end, true) : NULL;
    if (text && !json)
        cli_error("%s: line %d: is not JSON", path, end ? line_of(text, end) : 1);
    free(text);
    return json;
}

/* ---- the fields ---- */

static void load_measured(place *at, const cJSON *json, report_result *result)
{
    const double shortest = 1e-12;
    result->seconds = number_of(at, json, "seconds", shortest, false);
    result->min = number_of(at, json, "seconds_min", shortest, false);
    result->quarter = number_of(at, json, "seconds_quarter", shortest, false);
    result->three_quarters = number_of(at, json, "seconds_three_quarters", shortest, false);
    result->max = number_of(at, json, "seconds_max", shortest, false);
    result->first = number_of(at, json, "seconds_first", 0, true);
    result->samples = number_of(at, json, "samples", 1, false);
    result->flops = number_of(at, json, "flops", 0, false);
    result->bytes = number_of(at, json, "bytes", 0, false);
    result->pairs = number_of(at, json, "pairs", 0, false);
    result->share = number_of(at, json, "fraction_of_roofline", 0, true);
    result->joules = number_of(at, json, "joules", 0, true);
    result->peak_bytes = number_of(at, json, "peak_bytes", 0, true);
    if (result->min > result->quarter || result->quarter > result->seconds ||
        result->seconds > result->three_quarters || result->three_quarters > result->max)
        complain(at, "seconds", "minimum, quarter, median, three quarters and maximum are not in order");
}

static void load_result(place *at, const cJSON *json, report_result *result)
{
    const char *status = text_of(at, json, "status");
    result->group = text_of(at, json, "group");
    result->title = text_of(at, json, "case");
    result->parameters = text_of(at, json, "parameters");
    result->reason = "";
    if (strcmp(status, "measured") == 0) {
        result->status = REPORT_MEASURED;
        load_measured(at, json, result);
    } else if (strcmp(status, "skipped") == 0 || strcmp(status, "failed") == 0) {
        result->status = *status == 's' ? REPORT_SKIPPED : REPORT_FAILED;
        result->reason = text_of(at, json, "reason");
    } else {
        complain(at, "status", "is neither measured, skipped nor failed");
    }
}

static bool known(const report_device *device, int count, const report_result *result)
{
    for (int k = 0; k < count; k++)
        if (!strcmp(device->results[k].title, result->title) &&
            !strcmp(device->results[k].group, result->group))
            return true;
    return false;
}

static void load_device(place *at, const cJSON *json, report_device *device)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%s", at->field);
    device->id = text_of(at, json, "id");
    device->backend = text_of(at, json, "backend");
    device->name = text_of(at, json, "name");
    device->vendor = text_of(at, json, "vendor");
    device->driver = text_of(at, json, "driver");
    device->api = text_of(at, json, "api");
    device->type = text_of(at, json, "type");
    device->peak = number_of(at, json, "peak_flops_per_second", 1, true);
    device->bandwidth = number_of(at, json, "bandwidth_bytes_per_second", 1, true);
    device->load = number_of(at, json, "load_before", 0, true);
    const cJSON *results = array_of(at, json, "results", REPORT_MAX_RESULTS), *item;
    device->results = results ? calloc((size_t)cJSON_GetArraySize(results), sizeof *device->results) : NULL;
    if (results && !device->results)
        complain(at, "results", "out of memory");
    for (item = results ? results->child : NULL; item && at->good; item = item->next) {
        report_result *result = &device->results[device->count];
        snprintf(at->field, sizeof at->field, "%sresults[%d].", prefix, device->count);
        load_result(at, item, result);
        if (at->good && known(device, device->count, result))
            complain(at, "case", "is there for a second time");
        device->count++;
    }
}

static void load_head(place *at, const cJSON *json, report_file *file)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(json, "format"), *complete;
    if (!cJSON_IsString(format) || strcmp(format->valuestring, SUITE_FORMAT) != 0)
        complain(at, "format", "is not \"" SUITE_FORMAT "\": no file of dipole bench --suite");
    if (number_of(at, json, "format_version", 1, false) > SUITE_FORMAT_VERSION)
        complain(at, "format_version", "is of a later version of dipole");
    file->suite = text_of(at, json, "suite");
    file->suite_version = number_of(at, json, "suite_version", 1, false);
    file->version = text_of(at, json, "library_version");
    file->date = text_of(at, json, "date");
    complete = cJSON_GetObjectItemCaseSensitive(json, "complete");
    if (!cJSON_IsBool(complete))
        complain(at, "complete", complete ? "is neither true nor false" : "is missing");
    file->complete = cJSON_IsTrue(complete);
    const cJSON *host = cJSON_GetObjectItemCaseSensitive(json, "host");
    if (!cJSON_IsObject(host))
        complain(at, "host", host ? "is not an object" : "is missing");
    snprintf(at->field, sizeof at->field, "host.");
    file->system = text_of(at, host, "system");
    file->kernel = text_of(at, host, "kernel");
    file->cpu = text_of(at, host, "cpu");
    file->threads = number_of(at, host, "cpu_threads", 1, false);
    at->field[0] = '\0';
}

static bool load_file(report *r, report_file *file)
{
    place at = {.path = file->path, .good = true};
    file->json = parse(file->path);
    if (!file->json)
        return false;
    if (!cJSON_IsObject(file->json)) {
        cli_error("%s: is not an object of JSON", file->path);
        return false;
    }
    load_head(&at, file->json, file);
    const cJSON *devices = at.good ? array_of(&at, file->json, "devices", REPORT_MAX_DEVICES) : NULL;
    for (const cJSON *item = devices ? devices->child : NULL; item && at.good; item = item->next) {
        if (r->device_count == REPORT_MAX_DEVICES) {
            cli_error("%s: more than %d devices in all", file->path, REPORT_MAX_DEVICES);
            return false;
        }
        report_device *device = &r->devices[r->device_count++];
        device->file = file;
        snprintf(at.field, sizeof at.field, "devices[%d].", file->devices++);
        load_device(&at, item, device);
    }
    return at.good;
}

bool report_load(report *r, char **operands, int count)
{
    *r = (report){0};
    r->files = calloc((size_t)count, sizeof *r->files);
    r->devices = calloc(REPORT_MAX_DEVICES, sizeof *r->devices);
    if (!r->files || !r->devices) {
        cli_error("out of memory");
        return false;
    }
    for (int k = 0; k < count; k++) {
        report_file *file = &r->files[r->file_count++];
        char *equals = strchr(operands[k], '=');
        file->path = operands[k];
        if (equals && equals > operands[k] && access(operands[k], F_OK) != 0) {
            *equals = '\0';
            file->label = operands[k];
            file->path = equals + 1;
        }
        if (!load_file(r, file))
            return false;
    }
    return true;
}

void report_free(report *r)
{
    for (int k = 0; k < r->device_count; k++)
        free(r->devices[k].results);
    for (int k = 0; k < r->file_count; k++)
        cJSON_Delete(r->files[k].json);
    for (int k = 0; k < r->row_count; k++)
        free(r->rows[k].of);
    free(r->rows);
    free(r->devices);
    free(r->files);
}
