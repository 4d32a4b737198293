/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader should know before comparing numbers. */
#include "report.h"

#include <math.h>
#include <string.h>

enum { MOST_NAMES = 4 };

typedef struct warner {
    FILE *out;
    const char *before, *after;
    void (*escape)(FILE *out, const char *text);
    int count;
} warner;

static void begin(warner *w, const char *subject)
{
    fputs(w->before, w->out);
    w->escape(w->out, subject);
    w->count++;
}

static void end(warner *w)
{
    fputs(w->after, w->out);
}

static bool is_wide(const report_result *result)
{
    return result->status == REPORT_MEASURED && report_spread(result) > REPORT_WIDE;
}

static bool is_failed(const report_result *result)
{
    return result->status == REPORT_FAILED;
}

static bool is_skipped(const report_result *result)
{
    return result->status == REPORT_SKIPPED;
}

static int count_of(const report_device *device, bool (*is)(const report_result *result))
{
    int count = 0;
    for (int k = 0; k < device->count; k++)
        count += is(&device->results[k]);
    return count;
}

/* The first few, by name; of the others the tables tell. */
static void name_failed(warner *w, const report_device *device)
{
    int named = 0;
    for (int k = 0; k < device->count && named < MOST_NAMES; k++)
        if (is_failed(&device->results[k])) {
            fputs(named++ ? "; " : ": ", w->out);
            w->escape(w->out, device->results[k].title);
            fputs(" (", w->out);
            w->escape(w->out, device->results[k].reason);
            fputc(')', w->out);
        }
    if (count_of(device, is_failed) > named)
        fputs("; and others", w->out);
}

/* One line for a device. */
static void warn_of_device(warner *w, const report_device *device)
{
    const int failed = count_of(device, is_failed), wide = count_of(device, is_wide),
              skipped = count_of(device, is_skipped);
    const bool busy = !isnan(device->load) && device->load > 0.5 * device->file->threads;
    const char *comma = ": ";
    if (failed + wide + skipped + busy == 0)
        return;
    begin(w, device->label);
    if (busy) {
        fprintf(w->out, "%sthe machine was busy when the run began, load %.1f on %.0f threads", comma,
                device->load, device->file->threads);
        comma = "; ";
    }
    if (wide) {
        fprintf(w->out, "%s%d of %d cases spread widely", comma, wide, device->count);
        comma = "; ";
    }
    if (skipped) {
        fprintf(w->out, "%s%d skipped", comma, skipped);
        comma = "; ";
    }
    if (failed) {
        fprintf(w->out, "%s%d failed", comma, failed);
        name_failed(w, device);
    }
    fputc('.', w->out);
    end(w);
}

static void warn_of_file(warner *w, const report_file *file, const report_file *first)
{
    if (!file->complete) {
        begin(w, file->label ? file->label : "A file");
        fputs(": the run was interrupted, and what came after is missing.", w->out);
        end(w);
    }
    if (strcmp(file->version, first->version) != 0) {
        begin(w, "Different versions of Dipole: ");
        w->escape(w->out, first->version);
        fputs(" and ", w->out);
        w->escape(w->out, file->version);
        fputc('.', w->out);
        end(w);
    }
    if (file->suite_version != first->suite_version || strcmp(file->suite, first->suite) != 0) {
        begin(w, "Different suites: ");
        w->escape(w->out, first->suite);
        fprintf(w->out, " %.0f and ", first->suite_version);
        w->escape(w->out, file->suite);
        fprintf(w->out, " %.0f. Cases of one name may not be the same.", file->suite_version);
        end(w);
    }
}

int report_warnings(const report *r, FILE *out, const char *before, const char *after,
                    void (*escape)(FILE *out, const char *text))
{
    warner w = {out, before, after, escape, 0};
    bool wide = false;
    for (int k = 0; k < r->file_count; k++)
        warn_of_file(&w, &r->files[k], &r->files[0]);
    for (int d = 0; d < r->device_count; d++) {
        wide = wide || count_of(&r->devices[d], is_wide) > 0;
        warn_of_device(&w, &r->devices[d]);
    }
    if (wide) {
        begin(&w, "± marks a number that spreads widely: the middle half of its samples over more than ");
        fprintf(out, "%.0f %% of the median.", 100 * REPORT_WIDE);
        end(&w);
    }
    return w.count;
}
