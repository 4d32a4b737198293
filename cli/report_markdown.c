/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of a report in Markdown, for a README. */
#include "report.h"

#include <math.h>
#include <string.h>

/* Text of strangers as text: no table, no HTML, no emphasis, no link. */
static void escape(FILE *out, const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            fputc(' ', out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (strchr("|`*_[]\\#~!", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
}

static void device_table(const report *r, FILE *out)
{
    fputs("| device | name | API, driver | peak | memory | host |\n| --- | --- | --- | --: | --: | --- |\n",
          out);
    for (int d = 0; d < r->device_count; d++) {
        const report_device *device = &r->devices[d];
        const char *const cells[] = {device->label, device->name, device->api};
        char text[CLI_TEXT];
        for (size_t k = 0; k < CLI_COUNT(cells); k++) {
            fputs("| ", out);
            escape(out, cells[k]);
            fputc(' ', out);
        }
        fputs("; ", out);
        escape(out, device->driver);
        fprintf(out, " | %s ", isnan(device->peak) ? "–" : report_quantity(device->peak, "FLOP/s", text));
        fprintf(out, "| %s | ",
                isnan(device->bandwidth) ? "–" : report_quantity(device->bandwidth, "B/s", text));
        escape(out, device->file->cpu);
        fputs(", ", out);
        escape(out, device->file->system);
        fputs(" |\n", out);
    }
}

static void group_table(const report *r, const report_group *group, FILE *out)
{
    char text[CLI_TEXT];
    fputs("\n### ", out);
    escape(out, report_group_title(group));
    fprintf(out, ", %s\n\n| case |", group->unit);
    for (int d = 0; d < r->device_count; d++) {
        fputc(' ', out);
        escape(out, r->devices[d].label);
        fputs(" |", out);
    }
    fputs("\n| --- |", out);
    for (int d = 0; d < r->device_count; d++)
        fputs(" --: |", out);
    for (int k = group->first; k < group->first + group->count; k++) {
        fputs("\n| ", out);
        escape(out, r->rows[k].title);
        fputs(" |", out);
        for (int d = 0; d < r->device_count; d++) {
            const report_result *result = report_measured(&r->rows[k], d);
            if (!result) {
                fprintf(out, " %s |",
                        !r->rows[k].of[d]                           ? "–"
                        : r->rows[k].of[d]->status == REPORT_FAILED ? "failed"
                                                                    : "skipped");
                continue;
            }
            fprintf(out, " %s", report_number(report_value(group, result) / group->scale, text));
            if (!isnan(result->share))
                fprintf(out, " (%.0f %%)", 100 * result->share);
            fputs(report_spread(result) > REPORT_WIDE ? " ± |" : " |", out);
        }
    }
    fputc('\n', out);
}

void report_markdown(const report *r, FILE *out)
{
    fputs("## Dipole benchmark, suite ", out);
    escape(out, r->files[0].suite);
    fprintf(out, " %.0f\n\n", r->files[0].suite_version);
    device_table(r, out);
    fputs("\nMedians; in parentheses the share of the roofline; ± where the samples spread widely.\n", out);
    for (int g = 0; g < r->group_count; g++)
        group_table(r, &r->groups[g], out);
    fputc('\n', out);
    report_warnings(r, out, "- ", "\n", escape);
}
