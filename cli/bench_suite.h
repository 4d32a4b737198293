/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of `dipole bench --suite`: bench_suite.c runs it, bench_suite_cases.c has the list,
 * bench_suite_moves.c the cases that are no operation (transfers, launches), bench_suite_energy.c and
 * bench_suite_host.c read what the system tells, bench_suite_json.c writes the file. docs/bench.md has the
 * fields of the file. */
#ifndef DIPOLE_CLI_BENCH_SUITE_H
#define DIPOLE_CLI_BENCH_SUITE_H

#include "bench.h"
#include "ops/ops.h"

#define SUITE_FORMAT "dipole-bench"
enum {
    SUITE_FORMAT_VERSION = 1, /* of the file; grows where a reader of the old one would go wrong */
    SUITE_VERSION = 1,        /* of the list; grows with any change of a case that stands in a suite */
};

typedef enum suite_size { SUITE_TINY = 1, SUITE_QUICK = 2, SUITE_FULL = 4 } suite_size;

/* What bounds a run on one device. */
typedef struct suite_plan {
    const char *name;
    suite_size size;
    double seconds;    /* for the samples of a case */
    double call_limit; /* a case is skipped where a call is expected to take longer */
    double time_limit; /* once a device took so long, the rest is skipped */
    int64_t elements;  /* of the tensors that memory bandwidth is measured with, at most */
} suite_plan;

/* NULL where there is no such suite. */
const suite_plan *suite_find(const char *name);

/* One row of the list. Rows of a group stand together. Rows of an op become larger: from the time of one that
 * of the next is foreseen, and the first is not. */
typedef struct suite_case {
    const char *group; /* "matmul": what tables and charts are made of */
    const char *title; /* unique in its group */
    const char *op;    /* of tests/ops, or "upload", "download", "launch" */
    const char *text;  /* its parameters */
    unsigned sizes;    /* suite_size, or'ed: in which suites it stands */
} suite_case;

extern const suite_case suite_cases[];
extern const size_t suite_case_count;

/* A case on a device, ready to be timed. */
typedef struct suite_run {
    ops_run run;
    ops_list list; /* its only case */
    struct suite_move *move;
    bench_work work;
    double flops, bytes, pairs;
} suite_run;

/* False after writing why into `reason`. Close it also then. */
bool suite_open(suite_run *run, const suite_case *item, dp_device *device, char *reason, size_t size);
void suite_close(suite_run *run);

/* Of bench_suite_moves.c: NULL with a failed device or out of memory. */
struct suite_move *suite_move_open(const char *op, const char *text, dp_device *device, suite_run *run);
void suite_move_close(struct suite_move **move);

/* Energy: joules that a counter of the system counted, or watts that it shows; bench_suite_energy.c. */
enum { ENERGY_SOURCES = 8, ENERGY_PATH = 384 };
typedef struct suite_energy {
    int count; /* 0: nothing can be read */
    struct {
        char path[ENERGY_PATH];
        double range, begin; /* a counter starts anew at `range` microjoules (0: never) */
        bool power;          /* microwatts */
    } source[ENERGY_SOURCES];
    double start; /* time */
} suite_energy;

/* What can be read for a device: the counters of its card, or of the processors where those compute. */
void suite_energy_find(suite_energy *energy, const dp_device_info *info);
void suite_energy_begin(suite_energy *energy);
/* Joules since begin; NAN where they cannot be read. */
double suite_energy_end(const suite_energy *energy);

typedef enum suite_status { SUITE_MEASURED, SUITE_SKIPPED, SUITE_BROKEN } suite_status;

typedef struct suite_result {
    const suite_case *item;
    suite_status status;
    char reason[256]; /* of what was not measured */
    bench_timing timing;
    double flops, bytes, pairs;
    double joules; /* a call; NAN where not known */
    uint64_t peak_bytes;
} suite_result;

/* What the device itself can do, 0 where not known. */
typedef struct suite_roof {
    double flops, bytes; /* per second */
} suite_roof;

/* The least seconds that a call could take under the roof; 0 where not known. */
double suite_least_seconds(const suite_roof *roof, double flops, double bytes);

/* Facts about the machine; no name of it, no path. bench_suite_host.c. */
cJSON *suite_host_json(void);
/* How many programs wanted a processor in the last minute, NAN where not known; and the processors. */
double suite_load(void);
long suite_processors(void);

/* bench_suite_json.c */
cJSON *suite_begin_json(const suite_plan *plan);
cJSON *suite_device_json(cJSON *file, const dp_device_info *info, const suite_roof *roof);
void suite_result_json(cJSON *device, const suite_result *result, const suite_roof *roof);
void suite_end_device_json(cJSON *device, double seconds, double load);
void suite_set_complete(cJSON *file, bool complete);

/* A file that appears whole or not at all: written beside its place, then renamed. False after a message.  */
bool cli_write_file(const char *path, const char *text, size_t length);

/* The whole: CLI_OK, CLI_FAILED, CLI_INTERRUPTED. `out` may be NULL; with `as_json` the file is printed too.
 */
int suite_run_all(const suite_plan *plan, const cli_ids *ids, const char *out, bool as_json);

#endif
