/* SPDX-License-Identifier: Apache-2.0 */
/* Bars: a small chart for each case that devices can be compared by, all of a group on one axis that begins
 * at 0, the value beside each bar. */
#include "report.h"

#include <math.h>

enum { WIDTH = 360, TEXT = 122, VALUE = 66, BAR = 13, STEP = 19, LABEL_CHARACTERS = 19 };

/* The label, cut where it would run into the bar. */
static void put_label(const char *label, FILE *out)
{
    char text[REPORT_LABEL + 4];
    size_t used = 0;
    for (int characters = 0; label[used] && characters < LABEL_CHARACTERS; characters++)
        for (used++; ((unsigned char)label[used] & 0xc0) == 0x80;)
            used++;
    snprintf(text, sizeof text, "%.*s%s", (int)used, label, label[used] ? "…" : "");
    report_escape(out, text);
}

static void bar(const report *r, const report_group *group, const report_row *row, int d, FILE *out)
{
    char text[CLI_TEXT];
    const double room = WIDTH - TEXT - VALUE, y = d * STEP;
    const report_result *result = report_measured(row, d);
    fprintf(out, "<text class=\"label\" x=\"%d\" y=\"%.0f\">", TEXT - 8, y + 11);
    put_label(r->devices[d].label, out);
    fputs("</text>", out);
    if (!result) {
        fprintf(out, "<text class=\"none\" x=\"%d\" y=\"%.0f\">%s</text>", TEXT + 4, y + 11,
                !row->of[d]                           ? "–"
                : row->of[d]->status == REPORT_FAILED ? "failed"
                                                      : "skipped");
        return;
    }
    const double value = report_value(group, result), scale = room / group->largest;
    double low = report_value_at(group, result, result->three_quarters) * scale;
    double high = fmin(report_value_at(group, result, result->quarter) * scale, room + 8);
    if (group->kind == REPORT_SECONDS) {
        const double swap = low;
        low = high;
        high = fmin(swap, room + 8);
    }
    fprintf(out, "<rect class=\"c%d\" x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"/>", d % 8, TEXT, y,
            fmax(value * scale, 1), BAR);
    if (high - low > 3)
        fprintf(out, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1f\"/>", TEXT + low, y + 0.5 * BAR,
                TEXT + high);
    fprintf(out, "<text class=\"value\" x=\"%.1f\" y=\"%.0f\">%s</text>",
            TEXT + fmax(value * scale, high) + 5, y + 11, report_number(value / group->scale, text));
}

void report_bars(const report *r, const report_group *group, FILE *out)
{
    if (!(group->largest > 0))
        return;
    const int height = STEP * r->device_count;
    fputs("<div class=\"bars\">\n", out);
    for (int k = group->first; k < group->first + group->count; k++) {
        int measured = 0;
        for (int d = 0; d < r->device_count; d++)
            measured += report_measured(&r->rows[k], d) != NULL;
        if (measured == 0 ||
            (measured == 1 && r->device_count > 1)) /* nothing to compare: the table has it */
            continue;
        fputs("<figure><figcaption>", out);
        report_escape(out, r->rows[k].title);
        fprintf(out, "</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, height);
        report_escape(out, r->rows[k].title);
        fprintf(out, ", %s by device\"><path class=\"axis\" d=\"M%d 0V%d\"/>", group->unit, TEXT,
                height - STEP + BAR);
        for (int d = 0; d < r->device_count; d++)
            bar(r, group, &r->rows[k], d, out);
        fputs("</svg></figure>\n", out);
    }
    fputs("</div>\n", out);
}
