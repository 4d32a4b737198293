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

/* "3 of 40 cases spread ...: a, b and 1 more." */
static void name_cases(warner *w, const report_device *device, bool (*is)(const report_result *result), const char *what)
{
    int count = 0, named = 0;
    for (int k = 0; k < device->count; k++)
        count += is(&device->results[k]);
    if (count == 0)
        return;
    begin(w, device->label);
    fprintf(w->out, ": %d of %d cases %s: ", count, device->count, what);
    for (int k = 0; k < device->count && named < MOST_NAMES; k++)
        if (is(&device->results[k])) {
            fputs(named++ ? "; " : "", w->out);
            w->escape(w->out, device->results[k].title);
        }
    if (count > named)
        fprintf(w->out, "; and %d more", count - named);
    fputc('.', w->out);
    end(w);
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
    char wide[96];
    snprintf(wide, sizeof wide, "spread widely (the middle half of the samples over more than %.0f %%)", 100 * REPORT_WIDE);
    for (int k = 0; k < r->file_count; k++)
        warn_of_file(&w, &r->files[k], &r->files[0]);
    for (int d = 0; d < r->device_count; d++) {
        const report_device *device = &r->devices[d];
        if (!isnan(device->load) && device->load > 0.5 * device->file->threads) {
            begin(&w, device->label);
            fprintf(out, ": the machine was busy before the run (load %.1f on %.0f threads).", device->load,
                    device->file->threads);
            end(&w);
        }
        name_cases(&w, device, is_wide, wide);
        name_cases(&w, device, is_failed, "failed");
        name_cases(&w, device, is_skipped, "were skipped as too slow");
    }
    return w.count;
}
