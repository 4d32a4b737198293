/* SPDX-License-Identifier: Apache-2.0 */
/* dipole bench report: a page, or tables, of files of `dipole bench --suite`. */
#include "report.h"
#include "bench_suite.h"

#include <stdlib.h>
#include <string.h>

/* Writes a file through what `make` prints; false after a message. */
static bool write_output(const report *r, const char *path, void (*make)(const report *r, FILE *out))
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    bool good = out;
    if (out) {
        make(r, out);
        good = !ferror(out);
        good = fclose(out) == 0 && good;
    }
    if (!good)
        cli_error("out of memory");
    good = good && cli_write_file(path, text, length);
    free(text);
    return good;
}

int report_command(int argc, char **argv)
{
    const char *html = NULL, *markdown = NULL;
    const cli_option options[] = {
        {"html", "FILE", "write a page that needs no network", .text = &html},
        {"markdown", "FILE", "write tables for a README", .text = &markdown},
    };
    const cli_command command = {
        .operands = "FILE.json...",
        .summary = "Puts devices side by side: files of 'dipole bench --suite NAME --out FILE.json'.",
        .details = "LABEL=FILE.json gives a device a name of its own.\n"
                   "example: dipole bench report PoCL=a.json lavapipe=b.json --html report.html",
        .options = options,
        .option_count = CLI_COUNT(options),
        .operand_count = 1,
        .operand_most = REPORT_MAX_DEVICES,
        .plain = true,
    };
    cli_arguments arguments;
    report r = {0};
    static char name[] = "bench report";
    argv[0] = name;
    cli_set_name(name);
    int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    if (!html && !markdown) {
        cli_error("needs --html or --markdown; try 'dipole bench report --help'");
        return CLI_USAGE;
    }
    bool good = report_load(&r, arguments.operands, arguments.operand_count) && report_arrange(&r);
    good = good && (!html || write_output(&r, html, report_page));
    good = good && (!markdown || write_output(&r, markdown, report_markdown));
    report_free(&r);
    return good ? CLI_OK : CLI_FAILED;
}
