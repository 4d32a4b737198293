/* SPDX-License-Identifier: Apache-2.0 */
/* dipole cache: the kernels that are kept on disk. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct contents {
    char *folder; /* NULL: there is none */
    dp_cache_usage *usage;
    size_t count;
    uint64_t entries, bytes;
} contents;

static bool look(contents *there)
{
    const size_t length = dp_cache_folder(NULL, 0);
    const size_t listed = dp_cache_usage_list(NULL, 0);
    *there = (contents){.folder = length ? malloc(length + 1) : NULL,
                        .usage = calloc(listed + 1, sizeof(*there->usage))};
    if ((length && !there->folder) || !there->usage) {
        cli_error("out of memory");
        return false;
    }
    if (length)
        dp_cache_folder(there->folder, length + 1);
    const size_t found = dp_cache_usage_list(there->usage, listed);
    there->count = found < listed ? found : listed; /* others may write at the same time */
    for (size_t u = 0; u < there->count; u++) {
        there->entries += there->usage[u].entries;
        there->bytes += there->usage[u].bytes;
    }
    return true;
}

static int print_json(const contents *there, const uint64_t *removed)
{
    cJSON *json = cJSON_CreateObject();
    if (there->folder)
        cJSON_AddStringToObject(json, "folder", there->folder);
    else
        cJSON_AddNullToObject(json, "folder");
    if (removed)
        cJSON_AddNumberToObject(json, "removed", (double)*removed);
    cJSON_AddNumberToObject(json, "entries", (double)there->entries);
    cJSON_AddNumberToObject(json, "bytes", (double)there->bytes);
    cJSON *backends = cJSON_AddArrayToObject(json, "backends");
    for (size_t u = 0; u < there->count; u++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "backend", there->usage[u].backend);
        cJSON_AddNumberToObject(entry, "entries", (double)there->usage[u].entries);
        cJSON_AddNumberToObject(entry, "bytes", (double)there->usage[u].bytes);
        cJSON_AddItemToArray(backends, entry);
    }
    return cli_json_print(json);
}

static void print_text(const contents *there, const uint64_t *removed)
{
    char bytes[CLI_TEXT];
    printf("folder   %s\n",
           there->folder ? there->folder : "none: the cache is off, or there is no home for it");
    if (removed)
        printf("removed  %llu\n", (unsigned long long)*removed);
    for (size_t u = 0; u < there->count; u++)
        printf("%-7s  %llu kernels, %s\n", there->usage[u].backend,
               (unsigned long long)there->usage[u].entries, cli_bytes_text(there->usage[u].bytes, bytes));
    printf("%-7s  %llu kernels, %s\n", "all", (unsigned long long)there->entries,
           cli_bytes_text(there->bytes, bytes));
}

static int show(bool clear, bool json)
{
    contents there = {0};
    uint64_t removed = 0;
    const dp_status cleared = clear ? dp_cache_clear(&removed) : DP_OK;
    int status = look(&there) ? CLI_OK : CLI_FAILED;
    if (status == CLI_OK && json)
        status = print_json(&there, clear ? &removed : NULL);
    else if (status == CLI_OK)
        print_text(&there, clear ? &removed : NULL);
    if (cleared != DP_OK) {
        cli_error("--clear: %s: %s", there.folder ? there.folder : "", dp_status_text(cleared));
        status = CLI_FAILED;
    }
    free(there.folder);
    free(there.usage);
    return status;
}

int cli_cache(int argc, char **argv)
{
    bool stats = false, clear = false;
    const cli_option own[] = {
        {"stats", NULL, "count them; the default", .flag = &stats},
        {"clear", NULL, "remove them all", .flag = &clear},
    };
    const cli_command command = {
        .operands = "",
        .summary = "Tells of the built kernels that are kept on disk, or removes them.",
        .details =
            "environment: DIPOLE_CACHE_DIR is their folder, else $XDG_CACHE_HOME/dipole, else "
            "~/.cache/dipole;\n"
            "DIPOLE_CACHE=off keeps none; DIPOLE_CACHE_MIB is what they may take together, 256 without it.",
        .options = own,
        .option_count = CLI_COUNT(own),
    };
    cli_arguments arguments;
    const int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    if (arguments.device) {
        cli_error("--device: kernels of all devices are kept together");
        return CLI_USAGE;
    }
    if (stats && clear) {
        cli_error("--stats and --clear exclude each other");
        return CLI_USAGE;
    }
    return show(clear, arguments.json);
}
