/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of `dipole` share. The command uses the public headers of the library, getopt and
 * cJSON. */
#ifndef DIPOLE_CLI_H
#define DIPOLE_CLI_H

#include <cJSON.h>
#include <dipole/dipole.h>

#define CLI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__GNUC__)
#define CLI_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CLI_PRINTF(text, first)
#endif

/* Exit statuses. CLI_GO_ON is none: cli_parse returns it where there is work to do. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130, CLI_GO_ON = -1 };

/* The subcommands: argv[0] is the subcommand's name. Each returns an exit status. */
int cli_devices(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_tune(int argc, char **argv);
int cli_distance(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_cache(int argc, char **argv);
int cli_train(int argc, char **argv);
int cli_flow(int argc, char **argv);
int cli_eval(int argc, char **argv);
int cli_plot(int argc, char **argv);

/* One option of a subcommand: exactly one of the four pointers is set, and what it points to holds the
 * default. Numbers are refused outside of least .. most (both 0: any finite number). */
typedef struct cli_option {
    const char *name;     /* "limit" for --limit */
    const char *argument; /* "N" in the help; NULL for a flag */
    const char *help;     /* '\n' starts a new line */
    bool *flag;
    const char **text; /* points into argv */
    int64_t *integer;
    double *real;
    double least, most;
} cli_option;

/* A subcommand as --help describes it. The options --device ID|all, --json and --help are added to each,
 * where it is not `plain`. */
typedef struct cli_command {
    const char *operands; /* "A B"; "" for none */
    const char *summary;  /* a sentence or two */
    const char *details;  /* printed after the options; may be NULL */
    const cli_option *options;
    size_t option_count;
    int operand_count; /* how many there must be */
    int operand_most;  /* 0: no more */
    bool plain;        /* without --device and --json */
} cli_command;

/* What was parsed besides the command's own options. */
typedef struct cli_arguments {
    const char *device; /* as given; NULL if not */
    bool json;
    char **operands; /* points into argv */
    int operand_count;
} cli_arguments;

/* Fills the options and `arguments`. Returns CLI_GO_ON, or what the subcommand is to return at once: CLI_OK
 * after --help, CLI_USAGE after a message on stderr. */
int cli_parse(const cli_command *command, int argc, char **argv, cli_arguments *arguments);

/* Prints "dipole SUBCOMMAND: ..." and a new line on stderr, above the progress line. */
void cli_error(const char *format, ...) CLI_PRINTF(1, 2);
/* The name that cli_error prints; NULL: "dipole" alone. */
void cli_set_name(const char *subcommand);

/* The ids that --device stands for: all of dp_device_list for "all", else the one that was given ("" if none
 * was, which dp_device_open takes). False after a message. Free with cli_free_ids; also after failure. */
typedef struct cli_ids {
    size_t count;
    char (*id)[sizeof(((dp_device_info *)0)->id)];
} cli_ids;
bool cli_expand_ids(const char *device, cli_ids *ids);
void cli_free_ids(cli_ids *ids);

/* dp_device_open; NULL after a message where it failed. */
dp_device *cli_open(const char *id);

/* Work that may take long calls this now and then: from two seconds after the first call on, a line "WHAT  43
 * %" is kept on stderr where that is a terminal. `done` is 0 .. 1; call with 0 before the work begins. */
void cli_progress(double done, const char *format, ...) CLI_PRINTF(2, 3);
/* Erases the line; the next cli_progress starts anew. */
void cli_progress_end(void);

/* Called by main first: from then on SIGINT and SIGTERM set a flag, and a second one kills. */
void cli_init(void);
/* Whether one came. Long work asks between its steps, frees everything and returns CLI_INTERRUPTED. */
bool cli_interrupted(void);

double cli_seconds(void);      /* a monotonic clock */
uint64_t cli_peak_bytes(void); /* the largest resident size of the process so far */

/* "1.50 GiB". Returns `text`. */
#define CLI_TEXT 32
const char *cli_bytes_text(uint64_t bytes, char text[CLI_TEXT]);
/* "1.5 G", three digits and a decimal prefix, for rates. Returns `text`. */
const char *cli_si_text(double value, char text[CLI_TEXT]);

/* JSON: build with cJSON's calls without checking each; cli_json_print prints it on stdout, frees it and
 * returns CLI_OK, or CLI_FAILED with a message where memory was out at any point. */
int cli_json_print(cJSON *json);

#endif
