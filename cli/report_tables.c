/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the page. A cell's data-v is what its column is sorted by. */
#include "report.h"

#include <math.h>

static void device_heads(const report *r, FILE *out)
{
    for (int d = 0; d < r->device_count; d++) {
        fprintf(out, "<th scope=\"col\" class=\"n\"><i class=\"swatch c%d\"></i>", d % 8);
        report_escape(out, r->devices[d].label);
        fputs("</th>", out);
    }
}

/* Whether no device was faster. */
static bool fastest(const report *r, const report_row *row, int device)
{
    for (int d = 0; d < r->device_count; d++)
        if (report_measured(row, d) && row->of[d]->seconds < row->of[device]->seconds)
            return false;
    return true;
}

static void missing_cell(const report_result *result, FILE *out)
{
    fputs("<td class=\"n none\"", out);
    if (result) {
        fputs(" title=\"", out);
        report_escape(out, result->reason);
        fprintf(out, "\">%s</td>", result->status == REPORT_FAILED ? "failed" : "skipped");
    } else {
        fputs(">–</td>", out);
    }
}

static void value_cell(const report *r, const report_group *group, const report_row *row, int d, FILE *out)
{
    char text[CLI_TEXT];
    const report_result *result = report_measured(row, d);
    if (!result) {
        missing_cell(row->of[d], out);
        return;
    }
    const double value = report_value(group, result);
    fprintf(out, "<td class=\"n%s\" data-v=\"%.6g\">",
            r->device_count > 1 && fastest(r, row, d) ? " best" : "", value);
    if (report_spread(result) > REPORT_WIDE)
        fprintf(
            out,
            "<span class=\"wide\" title=\"the middle half of the samples spreads over %.0f %%\">± </span>",
            100 * report_spread(result));
    fputs(report_number(value / group->scale, text), out);
    if (!isnan(result->share))
        fprintf(out, "<small>%.*f %%</small>", result->share < 0.0995 ? 1 : 0, 100 * result->share);
    fputs("</td>", out);
}

void report_tables(const report *r, const report_group *group, FILE *out)
{
    fputs("<div class=\"scroll\"><table class=\"sortable\"><thead><tr><th scope=\"col\">Case</th>", out);
    device_heads(r, out);
    fputs("</tr></thead><tbody>\n", out);
    for (int k = group->first; k < group->first + group->count; k++) {
        fprintf(out, "<tr><th scope=\"row\" data-v=\"%d\">", k);
        report_escape(out, r->rows[k].title);
        fputs("</th>", out);
        for (int d = 0; d < r->device_count; d++)
            value_cell(r, group, &r->rows[k], d, out);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

/* ---- at a glance ---- */

static void glance_cell(double value, const char *text, FILE *out)
{
    if (isnan(value))
        fputs("<td class=\"n none\">–</td>", out);
    else
        fprintf(out, "<td class=\"n meter\" data-v=\"%.6g\" style=\"--part:%.1f%%\">%s</td>", value,
                100 * fmin(value, 1), text);
}

static void glance_table(const report *r, bool relative, FILE *out)
{
    fputs("<div class=\"scroll\"><table class=\"sortable\"><thead><tr><th scope=\"col\">Group</th>", out);
    if (relative)
        fputs("<th scope=\"col\" class=\"n\">Cases</th>", out);
    device_heads(r, out);
    fputs("</tr></thead><tbody>\n", out);
    for (int g = 0; g < r->group_count; g++) {
        const report_group *group = &r->groups[g];
        int used = 0;
        bool any = false;
        for (int d = 0; d < r->device_count; d++)
            any = any ||
                  !isnan(relative ? report_relative(r, group, d, &used) : report_median_share(r, group, d));
        if (!any)
            continue;
        fprintf(out, "<tr><th scope=\"row\" data-v=\"%d\">", g);
        report_escape(out, report_group_title(group));
        fputs("</th>", out);
        if (relative)
            fprintf(out, "<td class=\"n\" data-v=\"%d\">%d of %d</td>", used, used, group->count);
        for (int d = 0; d < r->device_count; d++) {
            char text[CLI_TEXT];
            const double value =
                relative ? report_relative(r, group, d, &used) : report_median_share(r, group, d);
            snprintf(text, sizeof text, "%.*f %%", value < 0.0995 ? 1 : 0, 100 * value);
            glance_cell(value, text, out);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

void report_glance(const report *r, FILE *out)
{
    bool any = false;
    for (int g = 0; g < r->group_count; g++)
        for (int d = 0; d < r->device_count; d++)
            any = any || !isnan(report_median_share(r, &r->groups[g], d));
    fputs("<section id=\"glance\"><h2>At a glance</h2><div class=\"pair\">", out);
    if (r->device_count > 1) {
        fputs("<div><h3>Speed beside the fastest device</h3><p class=\"note\">Geometric mean over the cases "
              "that every device "
              "has measured.</p>",
              out);
        glance_table(r, true, out);
        fputs("</div>", out);
    }
    if (any) {
        fputs("<div><h3>Share of the roofline</h3><p class=\"note\">Median over the cases that the device "
              "has measured. More than "
              "100 % is data that was in a cache.</p>",
              out);
        glance_table(r, false, out);
        fputs("</div>", out);
    }
    fputs("</div></section>\n", out);
}

/* ---- everything ---- */

static void number_cell(double value, const char *unit, FILE *out)
{
    char text[CLI_TEXT];
    if (isnan(value))
        fputs("<td class=\"n none\">–</td>", out);
    else
        fprintf(out, "<td class=\"n\" data-v=\"%.6g\">%s</td>", value, report_quantity(value, unit, text));
}

static void percent_cell(double part, FILE *out)
{
    if (isnan(part))
        fputs("<td class=\"n none\">–</td>", out);
    else
        fprintf(out, "<td class=\"n\" data-v=\"%.6g\">%.1f %%</td>", part, 100 * part);
}

static void measurement(const report *r, const report_group *group, const report_row *row, int d, FILE *out)
{
    static const char *const units[] = {"FLOP/s", "pairs/s", "B/s"};
    const report_result *result = row->of[d];
    fputs("<tr><td>", out);
    report_escape(out, r->devices[d].label);
    fputs("</td><td>", out);
    report_escape(out, report_group_title(group));
    fputs("</td><td title=\"", out);
    report_escape(out, result->parameters);
    fputs("\">", out);
    report_escape(out, row->title);
    fputs("</td>", out);
    if (result->status != REPORT_MEASURED) {
        fprintf(out, "<td colspan=\"10\" class=\"none\">%s: ",
                result->status == REPORT_FAILED ? "failed" : "skipped");
        report_escape(out, result->reason);
        fputs("</td></tr>\n", out);
        return;
    }
    number_cell(result->seconds, "s", out);
    percent_cell(report_spread(result), out);
    number_cell(result->min, "s", out);
    number_cell(result->max, "s", out);
    fprintf(out, "<td class=\"n\" data-v=\"%.0f\">%.0f</td>", result->samples, result->samples);
    number_cell(group->kind == REPORT_SECONDS ? NAN : report_value(group, result),
                group->kind == REPORT_SECONDS ? "" : units[group->kind], out);
    percent_cell(result->share, out);
    number_cell(result->first, "s", out);
    number_cell(result->joules, "J", out);
    number_cell(result->peak_bytes, "B", out);
    fputs("</tr>\n", out);
}

void report_all_measurements(const report *r, FILE *out)
{
    static const char *const heads[] = {"median", "spread",      "least",      "most",   "samples",
                                        "rate",   "of roofline", "first call", "energy", "memory"};
    fputs("<section id=\"all\"><h2>All numbers</h2><details><summary>Every measurement, with its "
          "spread</summary><p class=\"note\">"
          "Median, least and most are seconds of one call; spread is the middle half of the samples beside "
          "the median. The first "
          "call builds its kernels. Energy is of one call, of the whole card or processor package, where the "
          "system shows it. "
          "Memory is what tensors took at most.</p><div class=\"scroll\"><table class=\"sortable "
          "all\"><thead><tr>"
          "<th scope=\"col\">Device</th><th scope=\"col\">Group</th><th scope=\"col\">Case</th>",
          out);
    for (size_t k = 0; k < CLI_COUNT(heads); k++)
        fprintf(out, "<th scope=\"col\" class=\"n\">%s</th>", heads[k]);
    fputs("</tr></thead><tbody>\n", out);
    for (int g = 0; g < r->group_count; g++)
        for (int k = r->groups[g].first; k < r->groups[g].first + r->groups[g].count; k++)
            for (int d = 0; d < r->device_count; d++)
                if (r->rows[k].of[d])
                    measurement(r, &r->groups[g], &r->rows[k], d, out);
    fputs("</tbody></table></div></details></section>\n", out);
}
