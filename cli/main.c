/* SPDX-License-Identifier: Apache-2.0 */
/* The command `dipole`: its subcommands and what holds for all of them. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} subcommands[] = {
    {"devices", cli_devices, "list the devices that are there"},
    {"check", cli_check, "compare every operation on a device with the reference"},
    {"bench", cli_bench, "measure the speed of the operations"},
    {"tune", cli_tune, "find the fastest kernels of a device, and keep them"},
    {"distance", cli_distance, "tell how far apart two data sets are"},
    {"train", cli_train, "train a generator or a classifier"},
    {"flow", cli_flow, "move particles by their elastic interaction with data"},
    {"eval", cli_eval, "score what was trained"},
    {"plot", cli_plot, "draw how the scores and losses of runs went"},
    {"explain", cli_explain, "show the derivatives, the cost and the kernel of a formula"},
    {"cache", cli_cache, "tell of the kernels that are kept on disk, or remove them"},
};

static void print_help(void)
{
    puts("usage: dipole SUBCOMMAND [options]\n\n"
         "Pairwise physics and tensor work on OpenCL, Vulkan, or a plain C reference.\n\nsubcommands:");
    for (size_t s = 0; s < CLI_COUNT(subcommands); s++)
        printf("  %-10s %s\n", subcommands[s].name, subcommands[s].summary);
    puts("\noptions:\n"
         "  --help     print this; 'dipole SUBCOMMAND --help' tells of one subcommand\n"
         "  --version  print the version\n\n"
         "exit status: 0 success, 1 failure, 2 bad usage, 130 interrupted");
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        cli_error("needs a subcommand; try 'dipole --help'");
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("dipole %s\n", dp_version());
        return CLI_OK;
    }
    for (size_t s = 0; s < CLI_COUNT(subcommands); s++)
        if (strcmp(argv[1], subcommands[s].name) == 0) {
            cli_set_name(subcommands[s].name);
            return subcommands[s].run(argc - 1, argv + 1);
        }
    cli_error("\"%s\" is not a subcommand; try 'dipole --help'", argv[1]);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    cli_init();
    const int status = run(argc, argv);
    cli_progress_end();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_error("standard output: %s", strerror(errno));
        return CLI_FAILED;
    }
    return status;
}
