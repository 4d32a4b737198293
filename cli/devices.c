/* SPDX-License-Identifier: Apache-2.0 */
/* dipole devices: what is there. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HINTS 16

static const struct {
    uint32_t bit;
    const char *name;
} features[] = {
    {DP_FEATURE_F16, "f16"},
    {DP_FEATURE_F64, "f64"},
    {DP_FEATURE_TIMESTAMPS, "timestamps"},
    {DP_FEATURE_SUBGROUPS, "subgroups"},
    {DP_FEATURE_UNIFIED_MEMORY, "unified-memory"},
};

typedef struct listing {
    dp_device_info *infos;
    size_t count;
    char hints[MAX_HINTS][256];
    size_t hint_count;
} listing;

static bool is_wanted(const dp_device_info *info, const char *device)
{
    return !device || strcmp(device, "all") == 0 || strcmp(device, info->id) == 0 ||
           strcmp(device, info->backend) == 0;
}

static int list_devices(const char *device, listing *list)
{
    const size_t listed = dp_device_list(NULL, 0);
    list->infos = calloc(listed ? listed : 1, sizeof(*list->infos));
    if (!list->infos) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    const size_t there = dp_device_list(list->infos, listed);
    for (size_t d = 0; d < listed && d < there; d++)
        if (is_wanted(&list->infos[d], device))
            list->infos[list->count++] = list->infos[d];
    if (list->count == 0) {
        cli_error("--device: there is no \"%s\"; without --device all are listed", device ? device : "");
        return CLI_FAILED;
    }
    for (size_t b = 0; list->hint_count < MAX_HINTS; b++) {
        char *hint = list->hints[list->hint_count];
        if (!dp_backend_name(b, hint, sizeof(list->hints[0])))
            break;
        list->hint_count += *hint != '\0';
    }
    return CLI_OK;
}

/* An earlier entry that is the same card, seen through another API; NULL if there is none. */
static const dp_device_info *same_card(const listing *list, size_t d)
{
    for (size_t e = 0; e < d && *list->infos[d].card; e++)
        if (strcmp(list->infos[e].card, list->infos[d].card) == 0)
            return &list->infos[e];
    return NULL;
}

static int print_json(const listing *list)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *devices = cJSON_AddArrayToObject(json, "devices");
    for (size_t d = 0; d < list->count; d++) {
        const dp_device_info *info = &list->infos[d];
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "id", info->id);
        cJSON_AddStringToObject(entry, "backend", info->backend);
        cJSON_AddStringToObject(entry, "name", info->name);
        cJSON_AddStringToObject(entry, "vendor", info->vendor);
        cJSON_AddStringToObject(entry, "driver", info->driver);
        cJSON_AddStringToObject(entry, "api", info->api);
        cJSON_AddStringToObject(entry, "type", dp_device_type_name(info->type));
        cJSON_AddNumberToObject(entry, "memory_bytes", (double)info->memory_bytes);
        cJSON_AddNumberToObject(entry, "max_tensor_bytes", (double)info->max_tensor_bytes);
        cJSON_AddNumberToObject(entry, "local_bytes", (double)info->local_bytes);
        cJSON_AddNumberToObject(entry, "max_group_size", info->max_group_size);
        cJSON_AddNumberToObject(entry, "subgroup_size", info->subgroup_size);
        cJSON_AddNumberToObject(entry, "compute_units", info->compute_units);
        cJSON *names = cJSON_AddArrayToObject(entry, "features");
        for (size_t f = 0; f < CLI_COUNT(features); f++)
            if (info->features & features[f].bit)
                cJSON_AddItemToArray(names, cJSON_CreateString(features[f].name));
        cJSON_AddStringToObject(entry, "card", info->card);
        cJSON_AddItemToArray(devices, entry);
    }
    cJSON *hints = cJSON_AddArrayToObject(json, "hints");
    for (size_t h = 0; h < list->hint_count; h++)
        cJSON_AddItemToArray(hints, cJSON_CreateString(list->hints[h]));
    return cli_json_print(json);
}

static int widest(int width, const char *text)
{
    const int length = (int)strlen(text);
    return length > width ? length : width;
}

static void print_table(const listing *list)
{
    int id = 2, type = 4, name = 4, memory = 6;
    char bytes[CLI_TEXT];
    for (size_t d = 0; d < list->count; d++) {
        const dp_device_info *info = &list->infos[d];
        id = widest(id, info->id);
        type = widest(type, dp_device_type_name(info->type));
        name = widest(name, info->name);
        memory = widest(memory, cli_bytes_text(info->memory_bytes, bytes));
    }
    printf("%-*s  %-*s  %-*s  %*s  %s\n", id, "id", type, "type", name, "name", memory, "memory", "driver");
    for (size_t d = 0; d < list->count; d++) {
        const dp_device_info *info = &list->infos[d], *same = same_card(list, d);
        printf("%-*s  %-*s  %-*s  %*s  %s, %s%s%s\n", id, info->id, type, dp_device_type_name(info->type),
               name, info->name, memory, cli_bytes_text(info->memory_bytes, bytes), info->driver, info->api,
               same ? "; the same card as " : "", same ? same->id : "");
    }
    for (size_t h = 0; h < list->hint_count; h++)
        printf("hint: %s\n", list->hints[h]);
}

int cli_devices(int argc, char **argv)
{
    static const cli_command command = {
        .operands = "",
        .summary = "Lists the devices that computations can run on, and hints where a backend has none.",
    };
    cli_arguments arguments;
    int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    listing list = {0};
    status = list_devices(arguments.device, &list);
    if (status == CLI_OK && arguments.json)
        status = print_json(&list);
    else if (status == CLI_OK)
        print_table(&list);
    free(list.infos);
    return status;
}
