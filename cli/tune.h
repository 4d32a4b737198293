/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of `dipole tune`. */
#ifndef DIPOLE_CLI_TUNE_H
#define DIPOLE_CLI_TUNE_H

#include "cli.h"

/* What one run told of one kernel for one shape. */
typedef struct tune_row {
    char shape[128], shape_class[96], variant[32], message[256];
    dp_tune_stage stage;
    double seconds, gflops;
    bool is_default;
    int tried, candidates;
} tune_row;

typedef struct tune_rows {
    tune_row *rows;
    size_t count, capacity;
    bool failed; /* memory was out */
} tune_rows;

/* A progress function of dp_tune: `data` is a tune_listener. */
typedef struct tune_listener {
    tune_rows rows;
    const char *id;
    bool quiet; /* prints nothing but the progress line */
} tune_listener;
bool tune_listen(void *data, const dp_tune_event *event);
void tune_rows_free(tune_rows *rows);

/* Finds out how much of the fastest kernel's speed the default and a tuning within its budget reach: tunes
 * from nothing, then times everything. Prints it, or adds it to `json`. An exit status. */
int tune_report(dp_device *device, const dp_tune_options *options, cJSON *json);

#endif
