/* SPDX-License-Identifier: Apache-2.0 */
/* Brings devices side by side: one row for each case, rows in groups, a short name for each device. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

static int find_row(const report *r, const char *group, const char *title)
{
    for (int k = 0; k < r->row_count; k++)
        if (!strcmp(r->rows[k].title, title) && !strcmp(r->rows[k].group, group))
            return k;
    return -1;
}

/* Behind the last row of its group, so that groups stay together. */
static bool add_row(report *r, const report_result *result)
{
    report_row *rows = realloc(r->rows, ((size_t)r->row_count + 1) * sizeof *rows);
    const report_result **of = calloc((size_t)r->device_count, sizeof(const report_result *));
    if (rows)
        r->rows = rows;
    if (!rows || !of) {
        free(of);
        return false;
    }
    int at = r->row_count;
    for (int k = 0; k < r->row_count; k++)
        if (strcmp(rows[k].group, result->group) == 0)
            at = k + 1;
    memmove(rows + at + 1, rows + at, (size_t)(r->row_count - at) * sizeof *rows);
    rows[at] = (report_row){.group = result->group, .title = result->title, .of = of};
    r->row_count++;
    return true;
}

static bool fill_rows(report *r)
{
    for (int d = 0; d < r->device_count; d++)
        for (int k = 0; k < r->devices[d].count; k++) {
            const report_result *result = &r->devices[d].results[k];
            if (find_row(r, result->group, result->title) < 0 && !add_row(r, result))
                return false;
            r->rows[find_row(r, result->group, result->title)].of[d] = result;
        }
    return true;
}

const report_result *report_measured(const report_row *row, int device)
{
    return row->of[device] && row->of[device]->status == REPORT_MEASURED ? row->of[device] : NULL;
}

/* ---- groups ---- */

double report_value_at(const report_group *group, const report_result *result, double seconds)
{
    switch (group->kind) {
    case REPORT_FLOPS:
        return result->flops / seconds;
    case REPORT_PAIRS:
        return result->pairs / seconds;
    case REPORT_BYTES:
        return result->bytes / seconds;
    default:
        return seconds;
    }
}

double report_value(const report_group *group, const report_result *result)
{
    return report_value_at(group, result, result->seconds);
}

/* What the group shows is what its largest case does most of. */
static void choose_kind(const report *r, report_group *group)
{
    static const char *const units[] = {"FLOP/s", "pairs/s", "B/s", "s"};
    static const char *const prefix[] = {"n", "µ", "m", "", "k", "M", "G", "T", "P"};
    double flops = 0, pairs = 0, bytes = 0;
    for (int k = group->first; k < group->first + group->count; k++)
        for (int d = 0; d < r->device_count; d++) {
            const report_result *result = report_measured(&r->rows[k], d);
            flops = result ? fmax(flops, result->flops) : flops;
            pairs = result ? fmax(pairs, result->pairs) : pairs;
            bytes = result ? fmax(bytes, result->bytes) : bytes;
        }
    group->kind = pairs > 0       ? REPORT_PAIRS
                  : flops > bytes ? REPORT_FLOPS
                  : bytes > 0     ? REPORT_BYTES
                                  : REPORT_SECONDS;
    group->largest = 0;
    for (int k = group->first; k < group->first + group->count; k++)
        for (int d = 0; d < r->device_count; d++)
            if (report_measured(&r->rows[k], d))
                group->largest = fmax(group->largest, report_value(group, r->rows[k].of[d]));
    group->scale = 1;
    size_t p = 3;
    /* Times go far apart, and the short ones are the good ones. */
    const double most = group->kind == REPORT_SECONDS ? 1e4 : 1e3;
    for (; group->largest / group->scale >= most && p + 1 < CLI_COUNT(prefix); p++)
        group->scale *= 1000;
    for (; group->largest > 0 && group->largest / group->scale < most / 1000 && p > 0; p--)
        group->scale /= 1000;
    snprintf(group->unit, sizeof group->unit, "%s%s", prefix[p], units[group->kind]);
}

static bool make_groups(report *r)
{
    for (int k = 0; k < r->row_count; k++) {
        report_group *last = r->group_count ? &r->groups[r->group_count - 1] : NULL;
        if (last && strcmp(last->name, r->rows[k].group) == 0)
            last->count++;
        else if (r->group_count == REPORT_MAX_GROUPS)
            return false;
        else
            r->groups[r->group_count++] = (report_group){.name = r->rows[k].group, .first = k, .count = 1};
    }
    for (int g = 0; g < r->group_count; g++)
        choose_kind(r, &r->groups[g]);
    return true;
}

const char *report_group_title(const report_group *group)
{
    static const char *const titles[][2] = {
        {"launch", "Launch latency"},
        {"transfer", "Transfers"},
        {"matmul", "Matrix products"},
        {"conv2d", "Convolutions"},
        {"conv2d_gradient", "Convolution gradients"},
        {"pairwise", "Pair sums"},
        {"pairwise_smallest", "Nearest neighbours"},
        {"reduce", "Reductions"},
        {"map", "Element by element"},
        {"gather", "Gather and scatter"},
    };
    for (size_t k = 0; k < CLI_COUNT(titles); k++)
        if (strcmp(titles[k][0], group->name) == 0)
            return titles[k][1];
    return group->name;
}

/* ---- labels ---- */

/* A name such as "cpu-AMD EPYC (4 cores)" without what stands in parentheses, cut to what fits between words.
 */
static void shorten(const char *name, char *label, size_t size)
{
    size_t used = 0;
    int depth = 0;
    for (; *name && used + 1 < size; name++) {
        depth += *name == '(';
        if (depth == 0 && !(*name == ' ' && (used == 0 || label[used - 1] == ' ')))
            label[used++] = *name;
        depth -= *name == ')' && depth > 0;
    }
    while (used > 0 && ((unsigned char)label[used - 1] >= 0x80 || label[used - 1] == ' '))
        used--; /* no half of a character */
    label[used] = '\0';
}

static bool taken(const report *r, int device)
{
    for (int k = 0; k < device; k++)
        if (strcmp(r->devices[k].label, r->devices[device].label) == 0)
            return true;
    return false;
}

static void name_device(report *r, int d)
{
    report_device *device = &r->devices[d];
    char name[25];
    shorten(device->name, name, sizeof name);
    if (device->file->label && device->file->devices == 1)
        snprintf(device->label, REPORT_LABEL, "%.40s", device->file->label);
    else if (device->file->label)
        snprintf(device->label, REPORT_LABEL, "%.22s, %.16s", device->file->label, device->id);
    else if (strcmp(device->backend, "ref") == 0)
        snprintf(device->label, REPORT_LABEL, "reference");
    else
        snprintf(device->label, REPORT_LABEL, "%s, %.12s", *name ? name : device->id, device->backend);
    const size_t length = strlen(device->label);
    for (int n = 2; taken(r, d); n++)
        snprintf(device->label + length, REPORT_LABEL - length, " #%d", n);
}

bool report_arrange(report *r)
{
    for (int d = 0; d < r->device_count; d++)
        name_device(r, d);
    if (!fill_rows(r)) {
        cli_error("out of memory");
        return false;
    }
    if (make_groups(r))
        return true;
    cli_error("the files have more than %d groups of cases", REPORT_MAX_GROUPS);
    return false;
}

/* ---- what is said of a device as a whole ---- */

double report_spread(const report_result *result)
{
    return (result->three_quarters - result->quarter) / result->seconds;
}

double report_relative(const report *r, const report_group *group, int device, int *used)
{
    double sum = 0;
    *used = 0;
    for (int k = group->first; k < group->first + group->count; k++) {
        double fastest = INFINITY;
        bool all = true;
        for (int d = 0; d < r->device_count; d++) {
            const report_result *result = report_measured(&r->rows[k], d);
            all = all && result;
            fastest = result ? fmin(fastest, result->seconds) : fastest;
        }
        if (all) {
            sum += log(fastest / r->rows[k].of[device]->seconds);
            ++*used;
        }
    }
    return *used ? exp(sum / *used) : NAN;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double report_median_share(const report *r, const report_group *group, int device)
{
    double shares[REPORT_MAX_RESULTS];
    int count = 0;
    for (int k = group->first; k < group->first + group->count && count < REPORT_MAX_RESULTS; k++) {
        const report_result *result = report_measured(&r->rows[k], device);
        if (result && !isnan(result->share))
            shares[count++] = result->share;
    }
    qsort(shares, (size_t)count, sizeof *shares, ascending);
    return count ? 0.5 * (shares[(count - 1) / 2] + shares[count / 2]) : NAN;
}
