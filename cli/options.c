/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a subcommand: one table is parsed with getopt_long and printed by --help. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 64
#define HELP_COLUMN 24

static void print_option(const cli_option *option)
{
    char left[64];
    snprintf(left, sizeof(left), "  --%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    printf("%-*s", HELP_COLUMN, left);
    if (strlen(left) >= HELP_COLUMN)
        printf("\n%*s", HELP_COLUMN, "");
    for (const char *c = option->help; *c; c++) {
        putchar(*c);
        if (*c == '\n')
            printf("%*s", HELP_COLUMN, "");
    }
    putchar('\n');
}

static void print_help(const cli_command *command, const char *name, const cli_option *options, size_t count)
{
    printf("usage: dipole %s%s%s [options]\n\n%s\n\noptions:\n", name, *command->operands ? " " : "",
           command->operands, command->summary);
    for (size_t o = 0; o < count; o++)
        print_option(&options[o]);
    if (command->details)
        printf("\n%s\n", command->details);
}

static int refuse(const cli_option *option, const char *value)
{
    const char *kind = option->integer ? "an integer" : "a number";
    if (option->least == 0 && option->most == 0)
        cli_error("--%s: \"%s\" is not %s", option->name, value, kind);
    else if (isinf(option->most))
        cli_error("--%s: \"%s\" is not %s of at least %.12g", option->name, value, kind, option->least);
    else
        cli_error("--%s: \"%s\" is not %s from %.12g to %.12g", option->name, value, kind, option->least,
                  option->most);
    return CLI_USAGE;
}

static bool in_range(const cli_option *option, double value)
{
    return (option->least == 0 && option->most == 0) || (value >= option->least && value <= option->most);
}

static int set_option(const cli_option *option, const char *value)
{
    if (option->flag) {
        *option->flag = true;
        return CLI_GO_ON;
    }
    if (option->text) {
        *option->text = value;
        return CLI_GO_ON;
    }
    char *end = NULL;
    errno = 0;
    if (option->integer) {
        const long long number = strtoll(value, &end, 10);
        if (end == value || *end || errno || !in_range(option, (double)number))
            return refuse(option, value);
        *option->integer = number;
    } else {
        const double number = strtod(value, &end);
        if (end == value || *end || !isfinite(number) || !in_range(option, number))
            return refuse(option, value);
        *option->real = number;
    }
    return CLI_GO_ON;
}

static int check_operands(const cli_command *command, int argc, char **argv)
{
    const int given = argc - optind;
    const int most = command->operand_most > 0 ? command->operand_most : command->operand_count;
    if (given >= command->operand_count && given <= most)
        return CLI_GO_ON;
    if (given > most)
        cli_error("\"%s\" is one argument too many; try 'dipole %s --help'", argv[optind + most], argv[0]);
    else
        cli_error("needs %s; try 'dipole %s --help'", command->operands, argv[0]);
    return CLI_USAGE;
}

/* getopt answers '?' for an option that is unknown or ambiguous, and for a flag that was given a value. */
static int refuse_option(char **argv, bool has_value)
{
    cli_error("%s: %s; try 'dipole %s --help'", argv[optind - 1],
              has_value ? "this option takes no value" : "no such option", argv[0]);
    return CLI_USAGE;
}

int cli_parse(const cli_command *command, int argc, char **argv, cli_arguments *arguments)
{
    *arguments = (cli_arguments){0};
    bool help = false;
    cli_option options[MAX_OPTIONS + 3];
    struct option longs[MAX_OPTIONS + 4] = {{0}};
    const size_t own = command->option_count < MAX_OPTIONS ? command->option_count : MAX_OPTIONS;
    const cli_option common[] = {
        {"device", "ID|all",
         "a device of 'dipole devices', or all of them;\ndefault: $DIPOLE_DEVICE, else the best",
         .text = &arguments->device},
        {"json", NULL, "print JSON", .flag = &arguments->json},
        {"help", NULL, "print this", .flag = &help},
    };
    if (own)
        memcpy(options, command->options, own * sizeof(*options));
    const size_t left_out = command->plain ? CLI_COUNT(common) - 1 : 0; /* all but --help */
    memcpy(options + own, common + left_out, sizeof(common) - left_out * sizeof(*common));
    const size_t count = own + CLI_COUNT(common) - left_out;
    for (size_t o = 0; o < count; o++) {
        longs[o].name = options[o].name;
        longs[o].has_arg = options[o].flag ? no_argument : required_argument;
        longs[o].val = 256 + (int)o; /* above every character */
    }

    optind = 0; /* starts anew, after main's own look at the arguments */
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
        if (c == ':') {
            cli_error("%s needs a value", argv[optind - 1]);
            return CLI_USAGE;
        }
        if (c == '?')
            return refuse_option(argv, optopt >= 256);
        const int status =
            c == 'h' ? set_option(&options[count - 1], NULL) : set_option(&options[c - 256], optarg);
        if (status != CLI_GO_ON)
            return status;
        if (help) {
            print_help(command, argv[0], options, count);
            return CLI_OK;
        }
    }
    arguments->operands = argv + optind;
    arguments->operand_count = argc - optind;
    return check_operands(command, argc, argv);
}
