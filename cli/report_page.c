/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a report: its frame, what was measured on, and what comes in which order. It loads nothing, and
 * its policy would not let it. Colours, sizes and sorting are report_page.css and .js. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void detail(FILE *out, const char *name, const char *value)
{
    fprintf(out, "<dt>%s</dt><dd>", name);
    report_escape(out, value);
    fputs("</dd>", out);
}

static void figure(FILE *out, const char *name, double value, const char *unit)
{
    char text[CLI_TEXT];
    fprintf(out, "<div><b>%s</b><span>%s</span></div>",
            isnan(value) ? "–" : report_quantity(value, unit, text), name);
}

/* 2026-11-24T20:13:43Z as 2026-11-24 20:13 UTC; what looks otherwise as it is. */
static void date(FILE *out, const char *text)
{
    int year, month, day, hour, minute, second, end = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour, &minute, &second, &end) == 6 &&
        end && !text[end])
        fprintf(out, "%04d-%02d-%02d %02d:%02d UTC", year, month, day, hour, minute);
    else
        report_escape(out, text);
}

/* Seconds of a launch and the wait for it; NAN where it was not measured. */
static double launch_seconds(const report_device *device)
{
    for (int k = 0; k < device->count; k++)
        if (device->results[k].status == REPORT_MEASURED && strcmp(device->results[k].group, "launch") == 0)
            return device->results[k].seconds;
    return NAN;
}

static void device_card(const report_device *device, int number, FILE *out)
{
    const report_file *file = device->file;
    fprintf(out, "<article class=\"card\"><h3><i class=\"swatch c%d\"></i>", number % 8);
    report_escape(out, device->label);
    fputs("</h3><p class=\"name\">", out);
    report_escape(out, device->name);
    fputs("</p><div class=\"figures\">", out);
    figure(out, "peak", device->peak, "FLOP/s");
    figure(out, "memory", device->bandwidth, "B/s");
    figure(out, "launch", launch_seconds(device), "s");
    fputs("</div><dl>", out);
    detail(out, "API", device->api);
    detail(out, "driver", device->driver);
    detail(out, "vendor", device->vendor);
    fputs("<dt>kind</dt><dd>", out);
    report_escape(out, device->type);
    fputs(", <code>", out);
    report_escape(out, device->id);
    fputs("</code></dd><dt>host</dt><dd>", out);
    report_escape(out, file->cpu);
    fprintf(out, ", %.0f thread%s</dd>", file->threads, file->threads == 1 ? "" : "s");
    detail(out, "system", file->system);
    detail(out, "kernel", file->kernel);
    fputs("<dt>run</dt><dd>Dipole ", out);
    report_escape(out, file->version);
    fputs(", ", out);
    date(out, file->date);
    fputs("</dd></dl></article>\n", out);
}

static void head(const report *r, FILE *out)
{
    const report_file *first = &r->files[0];
    int measured = 0;
    for (int d = 0; d < r->device_count; d++)
        for (int k = 0; k < r->devices[d].count; k++)
            measured += r->devices[d].results[k].status == REPORT_MEASURED;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
          "<meta name=\"color-scheme\" content=\"light dark\">"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
          "'unsafe-inline'; "
          "script-src 'unsafe-inline'\"><title>Dipole benchmark</title>\n<style>\n",
          out);
    fputs(report_page_css, out);
    fputs("</style></head>\n<body><header><h1>Dipole benchmark</h1><p class=\"lead\">", out);
    fprintf(out, "%d device%s, %d cases, %d measurements. Suite <b>", r->device_count,
            r->device_count == 1 ? "" : "s", r->row_count, measured);
    report_escape(out, first->suite);
    fprintf(out, "</b>, version %.0f.</p></header>\n<main>\n", first->suite_version);
}

static void warnings(const report *r, FILE *out)
{
    char *text = NULL;
    size_t length = 0;
    FILE *lines = open_memstream(&text, &length);
    if (!lines)
        return;
    const int count = report_warnings(r, lines, "<li>", "</li>\n", report_escape);
    fclose(lines);
    if (count) {
        fputs("<aside><h2>Before you compare</h2><ul>\n", out);
        fwrite(text, 1, length, out);
        fputs("</ul></aside>\n", out);
    }
    free(text);
}

static void anchor(const report_group *group, const report *r, FILE *out)
{
    fprintf(out, "g%d", (int)(group - r->groups));
}

static void contents(const report *r, FILE *out)
{
    fputs("<nav><a href=\"#devices\">Devices</a><a href=\"#glance\">At a glance</a><a "
          "href=\"#roofline\">Rooflines</a>",
          out);
    for (int g = 0; g < r->group_count; g++) {
        fputs("<a href=\"#", out);
        anchor(&r->groups[g], r, out);
        fputs("\">", out);
        report_escape(out, report_group_title(&r->groups[g]));
        fputs("</a>", out);
    }
    fputs("<a href=\"#all\">All numbers</a></nav>\n", out);
}

static void group_section(const report *r, const report_group *group, FILE *out)
{
    fputs("<section id=\"", out);
    anchor(group, r, out);
    fputs("\"><h2>", out);
    report_escape(out, report_group_title(group));
    bool shares = false;
    for (int d = 0; d < r->device_count; d++)
        shares = shares || !isnan(report_median_share(r, group, d));
    fprintf(out, " <small>%s, %s is better%s</small></h2>\n", group->unit,
            group->kind == REPORT_SECONDS ? "less" : "more",
            shares ? "; beside it the share of the roofline" : "");
    report_tables(r, group, out);
    report_bars(r, group, out);
    fputs("</section>\n", out);
}

void report_page(const report *r, FILE *out)
{
    head(r, out);
    contents(r, out);
    warnings(r, out);
    fputs("<section id=\"devices\"><h2>Devices</h2><div class=\"cards\">\n", out);
    for (int d = 0; d < r->device_count; d++)
        device_card(&r->devices[d], d, out);
    fputs("</div><p class=\"note\">Peak: multiply-adds alone, each counted as two. Memory: the faster of a "
          "copy and a triad, bytes "
          "read and written. Launch: a kernel that does next to nothing, and the wait for it. All are "
          "measured in the same run, "
          "through the same compilers as everything else.</p></section>\n",
          out);
    report_glance(r, out);
    report_rooflines(r, out);
    for (int g = 0; g < r->group_count; g++)
        group_section(r, &r->groups[g], out);
    report_all_measurements(r, out);
    fputs("</main><footer>Made by <code>dipole bench report</code>, Dipole ", out);
    report_escape(out, dp_version());
    fputs(".</footer>\n<script>\n", out);
    fputs(report_page_js, out);
    fputs("</script></body></html>\n", out);
}
