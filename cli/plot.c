/* SPDX-License-Identifier: Apache-2.0 */
/* `dipole plot`: a column of the logs of runs, as curves over the steps. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MOST 16
#define LINE_MOST 4096

typedef struct curve {
    double *x, *y;
    int64_t count, room;
} curve;

static bool add(curve *c, double x, double y)
{
    if (c->count == c->room) {
        const int64_t room = c->room ? 2 * c->room : 256;
        double *more_x = realloc(c->x, (size_t)room * sizeof *c->x);
        c->x = more_x ? more_x : c->x;
        double *more_y = more_x ? realloc(c->y, (size_t)room * sizeof *c->y) : NULL;
        c->y = more_y ? more_y : c->y;
        if (!more_y) {
            cli_error("out of memory");
            return false;
        }
        c->room = room;
    }
    c->x[c->count] = x;
    c->y[c->count++] = y;
    return true;
}

/* The field number `at` of a line of a log. */
static const char *field(const char *line, int at)
{
    for (; line && at > 0; at--) {
        line = strchr(line, ',');
        line += line != NULL;
    }
    return line;
}

/* The place of a column in a log's first line; -1: it is not there. */
static int find(const char *line, const char *column)
{
    const size_t length = strlen(column);
    int at = 0;
    for (const char *f = line; f; f = field(f, 1), at++)
        if (strncmp(f, column, length) == 0 && strchr(",\r\n", f[length]))
            return at;
    return -1;
}

/* Reads a column of a log. *found: it has one. False after a message; a log that is not there is none. */
static bool read_log(const char *path, const char *column, curve *c, bool *found)
{
    char line[LINE_MOST];
    FILE *file = fopen(path, "r");
    bool done = true;
    if (!file && errno == ENOENT)
        return true;
    if (!file) {
        cli_error("%s: %s", path, strerror(errno));
        return false;
    }
    const int at = fgets(line, sizeof line, file) ? find(line, column) : -1;
    *found = at > 0;
    while (*found && done && fgets(line, sizeof line, file)) {
        const char *value = field(line, at);
        char *end = NULL;
        const double x = strtod(line, &end), y = value ? strtod(value, NULL) : (double)NAN;
        done = end != line && add(c, x, y);
        if (end == line)
            cli_error("%s: a row begins with no step: %.40s", path, line);
    }
    if (ferror(file)) {
        cli_error("%s: cannot be read", path);
        done = false;
    }
    fclose(file);
    return done;
}

static bool read_run(const char *folder, const char *column, curve *c)
{
    static const char *const logs[] = {"scores.csv", "metrics.csv"};
    char path[4096];
    bool found = false;
    for (size_t k = 0; k < CLI_COUNT(logs) && !found; k++) {
        snprintf(path, sizeof path, "%s/%s", folder, logs[k]);
        if (!read_log(path, column, c, &found))
            return false;
    }
    if (!found)
        cli_error("%s: neither scores.csv nor metrics.csv has a column \"%s\"", folder, column);
    return found;
}

/* The last part of a path. */
static const char *name_of(char *folder)
{
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    const char *slash = strrchr(folder, '/');
    return slash && slash[1] ? slash + 1 : folder;
}

static bool draw(const curve *curves, char **folders, int count, const char *column, const char *png, bool log_y)
{
    dp_plot_series series[RUNS_MOST];
    char message[512] = "";
    dp_image image = {0};
    for (int k = 0; k < count; k++)
        series[k] = (dp_plot_series){.x = curves[k].x, .y = curves[k].y, .count = curves[k].count, .name = name_of(folders[k])};
    const dp_plot_options options = {.x_label = "step", .y_label = column, .log_y = log_y};
    const bool done =
        dp_plot_lines(series, count, &options, &image, message, sizeof message) == DP_OK &&
        dp_png_write(png, image.width, image.height, image.channels, image.pixels, message, sizeof message) == DP_OK;
    if (!done)
        cli_error("%s", message);
    dp_image_free(&image);
    return done;
}

int cli_plot(int argc, char **argv)
{
    const char *column = NULL, *png = NULL;
    bool log_y = false;
    const cli_option options[] = {
        {"column", "NAME", "of scores.csv or metrics.csv: loss_g, energy_distance, ...", .text = &column},
        {"png", "FILE", "where the picture goes", .text = &png},
        {"log", NULL, "a logarithmic axis", .flag = &log_y},
    };
    const cli_command command = {
        .operands = "DIR...",
        .operand_count = 1,
        .operand_most = RUNS_MOST,
        .summary = "Draws how a score or a loss went in one run or several: the logs that 'dipole train' and 'dipole flow'\nleave.",
        .details = "example: dipole plot gan eieg-gan --column energy_distance --png curves.png",
        .options = options,
        .option_count = CLI_COUNT(options),
        .plain = true,
    };
    cli_arguments arguments;
    curve curves[RUNS_MOST] = {{0}};
    const int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    if (!column || !png) {
        cli_error("--%s: must be given", column ? "png" : "column");
        return CLI_USAGE;
    }
    bool done = true;
    for (int k = 0; k < arguments.operand_count && done; k++)
        done = read_run(arguments.operands[k], column, &curves[k]);
    done = done && draw(curves, arguments.operands, arguments.operand_count, column, png, log_y);
    for (int k = 0; k < RUNS_MOST; k++) {
        free(curves[k].x);
        free(curves[k].y);
    }
    return done ? CLI_OK : CLI_FAILED;
}
