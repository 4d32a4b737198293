/* SPDX-License-Identifier: Apache-2.0 */
/* Rooflines (Williams, Waterman, Patterson, CACM 52(4), 2009): for each device the cases by FLOPs for each
 * byte and FLOP/s, under what its own peak and memory allow. All on the same logarithmic axes. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 420, HEIGHT = 300, LEFT = 58, RIGHT = 10, TOP = 10, BOTTOM = 42 };

/* Decades that the axes reach from and to. */
typedef struct axes {
    double x0, x1, y0, y1;
} axes;

static double place_x(const axes *a, double intensity)
{
    return LEFT + (log10(intensity) - a->x0) / (a->x1 - a->x0) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const axes *a, double rate)
{
    return HEIGHT - BOTTOM - (log10(rate) - a->y0) / (a->y1 - a->y0) * (HEIGHT - TOP - BOTTOM);
}

static bool has_roof(const report_device *device)
{
    return !isnan(device->peak) && !isnan(device->bandwidth);
}

/* Cases that compute, and are under the roof of the device's own memory. */
static bool drawn(const report_result *result)
{
    return result->status == REPORT_MEASURED && !isnan(result->share) && result->flops > 0 &&
           result->bytes > 0;
}

static bool find_axes(const report *r, axes *a)
{
    *a = (axes){INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (int d = 0; d < r->device_count; d++) {
        const report_device *device = &r->devices[d];
        if (!has_roof(device))
            continue;
        a->y1 = fmax(a->y1, log10(device->peak));
        a->x0 = fmin(a->x0, log10(device->peak / device->bandwidth) - 1);
        a->x1 = fmax(a->x1, log10(device->peak / device->bandwidth) + 1);
        for (int k = 0; k < device->count; k++)
            if (drawn(&device->results[k])) {
                const double x = log10(device->results[k].flops / device->results[k].bytes);
                const double y = log10(device->results[k].flops / device->results[k].seconds);
                *a = (axes){fmin(a->x0, x), fmax(a->x1, x), fmin(a->y0, y), fmax(a->y1, y)};
            }
    }
    a->y0 = fmin(a->y0, a->y1 - 1);
    *a = (axes){floor(a->x0), ceil(a->x1 + 0.01), floor(a->y0), ceil(a->y1 + 0.05)};
    return isfinite(a->x0) && isfinite(a->y0);
}

/* A shape of its own for each group, so that colour is not needed to tell them apart. */
static void put_mark(FILE *out, int group, double x, double y)
{
    fprintf(out, "<path class=\"mark m%d\" d=\"", group % 8);
    switch (group % 8) {
    case 0:
        fprintf(out, "M%.1f %.1fa4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", x - 4, y);
        break;
    case 1:
        fprintf(out, "M%.1f %.1fh7v7h-7z", x - 3.5, y - 3.5);
        break;
    case 2:
        fprintf(out, "M%.1f %.1fl4.5 8h-9z", x, y - 5);
        break;
    case 3:
        fprintf(out, "M%.1f %.1fl5 5l-5 5l-5 -5z", x, y - 5);
        break;
    case 4:
        fprintf(out, "M%.1f %.1fl4.5 -8h-9z", x, y + 5);
        break;
    case 5:
        fprintf(out, "M%.1f %.1fh3v3h3v3h-3v3h-3v-3h-3v-3h3z", x - 1.5, y - 4.5);
        break;
    case 6:
        fprintf(out, "M%.1f %.1fh10v4h-10z", x - 5, y - 2);
        break;
    default:
        fprintf(out, "M%.1f %.1fh4v10h-4z", x - 2, y - 5);
    }
    fputs("\">", out);
}

static void grid(const axes *a, FILE *out)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P"};
    const int step = a->x1 - a->x0 > 6 ? 2 : 1;
    for (int x = (int)a->x0; x <= (int)a->x1; x++) {
        const double at = place_x(a, pow(10, x));
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>", at, TOP, HEIGHT - BOTTOM);
        if ((x - (int)a->x0) % step == 0)
            fprintf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%d\">%g</text>", at, HEIGHT - BOTTOM + 17,
                    pow(10, x));
    }
    for (int y = (int)a->y0; y <= (int)a->y1; y++) {
        const double at = place_y(a, pow(10, y));
        fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, at, WIDTH - RIGHT);
        if (y >= 0 && y < 18)
            fprintf(out, "<text class=\"tick y\" x=\"%d\" y=\"%.1f\">%g %s</text>", LEFT - 6, at + 4,
                    pow(10, y % 3), prefix[y / 3]);
    }
    fprintf(out, "<text class=\"name\" x=\"%d\" y=\"%d\">FLOPs for each byte</text>",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8);
    fprintf(out, "<text class=\"name\" transform=\"translate(11 %d) rotate(-90)\">FLOP/s</text>",
            (HEIGHT - BOTTOM + TOP) / 2);
}

static int group_number(const report *r, const char *name)
{
    for (int g = 0; g < r->group_count; g++)
        if (strcmp(r->groups[g].name, name) == 0)
            return g;
    return 0;
}

static void points(const report *r, const report_device *device, const axes *a, FILE *out)
{
    for (int k = 0; k < device->count; k++) {
        const report_result *result = &device->results[k];
        char text[CLI_TEXT];
        if (!drawn(result))
            continue;
        put_mark(out, group_number(r, result->group), place_x(a, result->flops / result->bytes),
                 place_y(a, result->flops / result->seconds));
        fputs("<title>", out);
        report_escape(out, report_group_title(&r->groups[group_number(r, result->group)]));
        fputs(": ", out);
        report_escape(out, result->title);
        fprintf(out, "\n%s, ", report_quantity(result->flops / result->seconds, "FLOP/s", text));
        fprintf(out, "%.0f %% of the roofline</title></path>", 100 * result->share);
    }
}

static void chart(const report *r, int d, const axes *a, FILE *out)
{
    const report_device *device = &r->devices[d];
    const double ridge = device->peak / device->bandwidth, left = pow(10, a->x0), right = pow(10, a->x1);
    /* The slope, from where it comes into the chart. */
    const double from = fmax(left, pow(10, a->y0) / device->bandwidth);
    char text[CLI_TEXT];
    fprintf(out, "<figure><figcaption><i class=\"swatch c%d\"></i>", d % 8);
    report_escape(out, device->label);
    fprintf(out, "<small>%s, ", report_quantity(device->peak, "FLOP/s", text));
    fprintf(out, "%s</small></figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"roofline of ",
            report_quantity(device->bandwidth, "B/s", text), WIDTH, HEIGHT);
    report_escape(out, device->label);
    fputs("\">", out);
    grid(a, out);
    fprintf(out, "<path class=\"roof s%d\" d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>", d % 8, place_x(a, from),
            place_y(a, from * device->bandwidth), place_x(a, ridge), place_y(a, device->peak),
            place_x(a, right));
    points(r, device, a, out);
    fputs("</svg></figure>\n", out);
}

/* Whether some chart has a point of the group. */
static bool is_drawn(const report *r, const report_group *group)
{
    for (int k = group->first; k < group->first + group->count; k++)
        for (int d = 0; d < r->device_count; d++)
            if (has_roof(&r->devices[d]) && r->rows[k].of[d] && drawn(r->rows[k].of[d]))
                return true;
    return false;
}

static void legend(const report *r, FILE *out)
{
    fputs("<p class=\"legend\">", out);
    for (int g = 0; g < r->group_count; g++)
        if (is_drawn(r, &r->groups[g])) {
            fputs("<span><svg viewBox=\"0 0 14 14\" width=\"14\" height=\"14\" aria-hidden=\"true\">", out);
            put_mark(out, g, 7, 7);
            fputs("</path></svg>", out);
            report_escape(out, report_group_title(&r->groups[g]));
            fputs("</span>", out);
        }
    fputs("</p>", out);
}

void report_rooflines(const report *r, FILE *out)
{
    axes a;
    fputs("<section id=\"roofline\"><h2>Rooflines</h2><p>A roofline is the most that a device can do with a "
          "case: the slope is "
          "what its memory can feed at so many FLOPs for each byte, the flat part what its arithmetic can "
          "do, and each mark is a "
          "case that should be close below.</p>",
          out);
    if (find_axes(r, &a)) {
        legend(r, out);
        fputs("<div class=\"charts\">\n", out);
        for (int d = 0; d < r->device_count; d++)
            if (has_roof(&r->devices[d]))
                chart(r, d, &a, out);
        fputs("</div>", out);
    }
    fputs("<p class=\"note\">Bytes are those of arguments and results, each once. Cases that only move data "
          "are not in the charts, "
          "and the reference, which interprets formulas, has no roof.</p></section>\n",
          out);
}
