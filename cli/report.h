/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of `dipole bench report`: report.c has the command, report_load.c reads and checks the
 * files of `dipole bench --suite`, report_model.c brings them together, report_page.c, report_tables.c,
 * report_bars.c and report_roofline.c write the page, report_markdown.c tables for a README, report_text.c
 * numbers and escaped text.
 *
 * All that comes from a file is text of strangers: it goes through report_escape, or is a number. */
#ifndef DIPOLE_CLI_REPORT_H
#define DIPOLE_CLI_REPORT_H

#include "cli.h"

#include <stdio.h>

enum {
    REPORT_MAX_DEVICES = 24,
    REPORT_MAX_RESULTS = 1000, /* of a device */
    REPORT_LABEL = 48,
    REPORT_MAX_GROUPS = 32,
};

/* Middle halves of the samples that spread over more than this part of their median are marked. */
#define REPORT_WIDE 0.2

typedef enum report_status { REPORT_ABSENT, REPORT_MEASURED, REPORT_SKIPPED, REPORT_FAILED } report_status;

/* One case on one device. Strings belong to the file's JSON; numbers are finite and not negative, NAN where
 * the file has null. */
typedef struct report_result {
    const char *group, *title, *parameters, *reason;
    report_status status;
    double seconds, min, quarter, three_quarters, max, first;
    double samples, flops, bytes, pairs, share, joules, peak_bytes;
} report_result;

/* A file. */
typedef struct report_file {
    const char *path, *label; /* label: as given on the command line, or NULL */
    cJSON *json;
    const char *suite, *version, *date, *system, *kernel, *cpu;
    double suite_version, threads;
    bool complete;
    int devices;
} report_file;

typedef struct report_device {
    const report_file *file;
    const char *id, *backend, *name, *vendor, *driver, *api, *type;
    double peak, bandwidth, load; /* NAN where not known */
    report_result *results;
    int count;
    char label[REPORT_LABEL]; /* short, and of this device alone */
} report_device;

/* A row: one case on every device. */
typedef struct report_row {
    const char *group, *title;
    const report_result **of; /* by device; NULL where its file has no such case */
} report_row;

/* What the rows of a group have in common. */
typedef struct report_group {
    const char *name;
    int first, count; /* rows */
    /* What is shown: an amount by second, or seconds where there is none. Divided by `scale`, in `unit`. */
    enum { REPORT_FLOPS, REPORT_PAIRS, REPORT_BYTES, REPORT_SECONDS } kind;
    double scale, largest; /* largest: of all values, unscaled */
    char unit[16];
} report_group;

typedef struct report {
    report_file *files;
    int file_count;
    report_device *devices;
    int device_count;
    report_row *rows;
    int row_count;
    report_group groups[REPORT_MAX_GROUPS];
    int group_count;
} report;

/* The subcommand: argv[0] is "report". */
int report_command(int argc, char **argv);

/* Reads files, "PATH" or "LABEL=PATH"; false after a message that names file and field. Free also then. */
bool report_load(report *r, char **operands, int count);
/* Rows, groups, labels; false after a message. */
bool report_arrange(report *r);
void report_free(report *r);

/* ---- asking ---- */

const report_result *report_measured(const report_row *row, int device); /* NULL where it was not */
/* What the group shows: an amount by second, or seconds. */
double report_value(const report_group *group, const report_result *result);
double report_value_at(const report_group *group, const report_result *result, double seconds);
double report_spread(const report_result *result); /* (three quarters - one quarter) / median */
/* Geometric mean over the cases that all devices have measured of their speed by that of the fastest; NAN
 * where there is none. `used` receives how many. */
double report_relative(const report *r, const report_group *group, int device, int *used);
/* The median of the shares of the roofline; NAN where none is known. */
double report_median_share(const report *r, const report_group *group, int device);
const char *report_group_title(const report_group *group);

/* ---- writing ---- */

void report_escape(FILE *out, const char *text);
/* Three digits, never an exponent between 0.001 and 10^6. Returns `text`. */
const char *report_number(double value, char text[CLI_TEXT]);
/* "173 GFLOP/s", with a narrow no-break space. Returns `text`. */
const char *report_quantity(double value, const char *unit, char text[CLI_TEXT]);

void report_page(const report *r, FILE *out);
void report_tables(const report *r, const report_group *group, FILE *out);
void report_all_measurements(const report *r, FILE *out);
void report_glance(const report *r, FILE *out);
void report_bars(const report *r, const report_group *group, FILE *out);
void report_rooflines(const report *r, FILE *out);
void report_markdown(const report *r, FILE *out);

/* One line for each thing that a reader should know before trusting numbers; `escape` writes text of
 * strangers. Returns how many. */
int report_warnings(const report *r, FILE *out, const char *before, const char *after,
                    void (*escape)(FILE *out, const char *text));

extern const char report_page_css[], report_page_js[]; /* made from cli/report_page.css and .js */

#endif
