/* SPDX-License-Identifier: Apache-2.0 */
/* Synthetic distributions in the plane. All arithmetic is of operations that IEEE 754 rounds in one way (+ - * / sqrt), with sines
 * and exponentials made of them, so that the same seed gives the same bits with every compiler and library. */
#include "data/report.h"
#include <dipole/data.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "arithmetic must round to its type");

#define MOST_POINTS  (((int64_t)1 << 30) - 1)
#define NORMALS_SEED 0x9E3779B97F4A7C15u /* added to the seed: another key of the generator */
#define SPREAD       2.828

/* Two uniform numbers below 1 and two normal ones. */
typedef struct draw {
    double u[2], n[2];
} draw;

/* Cosine and sine of `turns` whole turns, by their series within an eighth of a turn: errors below 1e-15. */
static void circle(double turns, double *cosine, double *sine)
{
    const double quarter = floor(4 * turns + 0.5), x = 6.283185307179586 * (turns - quarter / 4), t = x * x;
    double c = 0, s = 0;
    for (int k = 16; k >= 2; k -= 2) {
        c = (1 + c) * -t / (k * (k - 1));
        s = (1 + s) * -t / (k * (k + 1));
    }
    c = 1 + c;
    s = x * (1 + s);
    const double around[4] = {c, -s, -c, s};
    const int q = (int)(quarter - 4 * floor(quarter / 4));
    *cosine = around[q];
    *sine = around[(q + 3) & 3];
}

/* e^x for |x| below 10: the series of x / 64, squared six times. */
static double exponential(double x)
{
    const double part = x / 64;
    double sum = 0;
    for (int k = 12; k >= 1; k--)
        sum = (1 + sum) * part / k;
    double result = 1 + sum;
    for (int k = 0; k < 6; k++)
        result *= result;
    return result;
}

static void add_noise(const draw *d, double sd, double xy[2])
{
    xy[0] += sd * d->n[0];
    xy[1] += sd * d->n[1];
}

/* One of `count` circles, the largest of radius 1. */
static void on_circles(const draw *d, int count, double sd, double xy[2])
{
    const double radius = (1 + floor(d->u[0] * count)) / count;
    circle(d->u[1], &xy[0], &xy[1]);
    xy[0] *= radius;
    xy[1] *= radius;
    add_noise(d, sd, xy);
}

static void circles(const draw *d, double xy[2])
{
    on_circles(d, 2, 0.03, xy);
}

static void rings(const draw *d, double xy[2])
{
    on_circles(d, 4, 0.02, xy);
}

/* Two half circles that reach into each other. */
static void moons(const draw *d, double xy[2])
{
    double c, s;
    circle(d->u[1] / 2, &c, &s);
    const bool upper = d->u[0] < 0.5;
    xy[0] = (upper ? c : 1 - c) - 0.5;
    xy[1] = (upper ? s : 0.5 - s) - 0.25;
    add_noise(d, 0.05, xy);
}

/* Two arms of one turn and a half, with more points farther out, where they are longer. */
static void spirals(const draw *d, double xy[2])
{
    const double along = sqrt(d->u[1]), radius = d->u[0] < 0.5 ? along : -along;
    circle(1.5 * along, &xy[0], &xy[1]);
    xy[0] *= radius;
    xy[1] *= radius;
    add_noise(d, 0.02, xy);
}

/* The roll of manifold learning seen from its side: radius and angle grow together, from 3/4 to 9/4 of a turn. */
static void swissroll(const draw *d, double xy[2])
{
    const double turns = 0.75 * (1 + 2 * d->u[1]);
    circle(turns, &xy[0], &xy[1]);
    xy[0] *= turns / 2.25;
    xy[1] *= turns / 2.25;
    add_noise(d, 0.02, xy);
}

/* The dark half of 4 x 4 fields of [-1, 1]^2. */
static void checkerboard(const draw *d, double xy[2])
{
    const double column = floor(4 * d->u[0]), pick = floor(2 * d->u[1]);
    const double row = 2 * pick + (column - 2 * floor(column / 2));
    xy[0] = -1 + 2 * d->u[0];
    xy[1] = -1 + 0.5 * (row + (2 * d->u[1] - pick));
}

/* Five arms of a Gaussian each, wound up by e^radius / 4 radians (Johnson et al., "Composing graphical models with neural
 * networks for structured representations and fast inference", 2016), at half their size. */
static void pinwheel(const draw *d, double xy[2])
{
    const double along = 1 + 0.3 * d->n[0], across = 0.1 * d->n[1];
    double c, s;
    circle(floor(5 * d->u[0]) / 5 + 0.25 * exponential(along) / 6.283185307179586, &c, &s);
    xy[0] = 0.5 * (c * along - s * across);
    xy[1] = 0.5 * (s * along + c * across);
}

static const struct {
    const char *name;
    void (*sample)(const draw *d, double xy[2]); /* NULL: a mixture */
} table[] = {
    {"8gaussians", NULL}, {"25gaussians", NULL},   {"ring:K", NULL},           {"grid:K", NULL},      {"circles", circles},
    {"rings", rings},     {"moons", moons},        {"spirals", spirals},       {"swissroll", swissroll},
    {"checkerboard", checkerboard}, {"pinwheel", pinwheel},
};

const char *dp_points_name(size_t index)
{
    return index < DP_COUNT(table) ? table[index].name : NULL;
}

typedef struct mixture {
    bool grid;
    int k, count;
    double sd;
} mixture;

/* The number behind "PREFIX:", 0 where there is none. */
static int number_behind(const char *name, const char *prefix, int most)
{
    const size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0 || name[length] < '1' || name[length] > '9' || strlen(name + length) > 4)
        return 0;
    char *end;
    const long number = strtol(name + length, &end, 10);
    return *end || number > most ? 0 : (int)number;
}

static bool find_mixture(const char *name, mixture *found)
{
    const int grid = strcmp(name, "25gaussians") == 0 ? 5 : number_behind(name, "grid:", 30);
    const int ring = strcmp(name, "8gaussians") == 0 ? 8 : number_behind(name, "ring:", 1000);
    if (grid)
        *found = (mixture){true, grid, grid * grid, 0.05 / SPREAD};
    else if (ring)
        *found = (mixture){false, ring, ring, 0.05};
    return grid || ring;
}

/* Rounded to f32, as everybody sees it. */
static void centre_of(const mixture *own, int index, float xy[2])
{
    double c, s;
    if (own->grid) {
        c = 2 * (index / own->k - (own->k - 1) / 2.0) / SPREAD;
        s = 2 * (index % own->k - (own->k - 1) / 2.0) / SPREAD;
    } else {
        circle((double)index / own->k, &c, &s);
    }
    xy[0] = (float)c;
    xy[1] = (float)s;
}

int dp_points_centres(const char *name, float *xy, int capacity, double *sd)
{
    mixture own;
    if (!name || !find_mixture(name, &own))
        return 0;
    for (int k = 0; xy && k < own.count && k < capacity; k++)
        centre_of(&own, k, xy + 2 * (size_t)k);
    if (sd)
        *sd = own.sd;
    return own.count;
}

/* The numbers that all points are made of, from the reference device: what dp_uniform and dp_randn say holds for them. */
static dp_status draw_numbers(const dp__report *report, int64_t count, uint64_t seed, float *uniform, float *normal)
{
    dp_device *host = dp_device_open("ref");
    dp_tensor *u = dp_uniform(host, seed, (dp_shape){2, {count, 2}}, 0, 1);
    dp_tensor *n = dp_randn(host, seed + NORMALS_SEED, (dp_shape){2, {count, 2}});
    dp_read(u, uniform, (size_t)count * 2 * sizeof *uniform);
    dp_read(n, normal, (size_t)count * 2 * sizeof *normal);
    dp_status status = dp_failed(host);
    if (status == DP_ERROR_NO_DEVICE)
        status = DP_ERROR_MEMORY; /* there always is this one, but for that */
    if (status != DP_OK)
        dp__report_fail(report, status, "%s", dp_message(host));
    dp_tensor_release(&u);
    dp_tensor_release(&n);
    dp_device_close(&host);
    return status;
}

static dp_status sample(const dp__report *report, const mixture *mixed, void (*one)(const draw *, double *), int64_t count,
                        uint64_t seed, float *xy)
{
    float *normal = dp__alloc((size_t)count, 2 * sizeof *normal);
    if (!normal)
        return dp__report_fail(report, DP_ERROR_MEMORY, "no memory for %lld points", (long long)count);
    const dp_status status = draw_numbers(report, count, seed, xy, normal);
    for (int64_t k = 0; status == DP_OK && k < count; k++) {
        const draw d = {{(double)xy[2 * k], (double)xy[2 * k + 1]}, {(double)normal[2 * k], (double)normal[2 * k + 1]}};
        double point[2];
        if (one) {
            one(&d, point);
        } else {
            float centre[2];
            centre_of(mixed, (int)(d.u[0] * mixed->count), centre);
            point[0] = (double)centre[0];
            point[1] = (double)centre[1];
            add_noise(&d, mixed->sd, point);
        }
        xy[2 * k] = (float)point[0];
        xy[2 * k + 1] = (float)point[1];
    }
    dp__free(normal);
    return status;
}

dp_status dp_points_sample(const char *name, int64_t count, uint64_t seed, float *xy, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin("points", message, message_size);
    char shown[DP__SHOWN_TEXT];
    mixture own;
    size_t row = 0;
    if (!name || (!xy && count > 0))
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "%s is NULL", name ? "xy" : "name");
    if (count < 0 || count > MOST_POINTS)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "count is %lld; 0 to %lld are allowed", (long long)count,
                               (long long)MOST_POINTS);
    while (row < DP_COUNT(table) && (!table[row].sample || strcmp(table[row].name, name) != 0))
        row++;
    if (row == DP_COUNT(table) && !find_mixture(name, &own))
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "there is no distribution \"%s\" (see dp_points_name)",
                               dp__shown(name, shown));
    if (count == 0)
        return DP_OK;
    return sample(&report, &own, row < DP_COUNT(table) ? table[row].sample : NULL, count, seed, xy);
}
