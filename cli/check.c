/* SPDX-License-Identifier: Apache-2.0 */
/* dipole check: the conformance cases of tests/ops on a device, against the reference. */
#include "cli.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

#define MAX_OPS 32
#define MAX_NOTES 20 /* failures that are printed in full */

/* What came out on one device. */
typedef struct report {
    dp_device_info info;
    int cases, passed, failed, skipped;
    int op_cases[MAX_OPS];
    double worst[MAX_OPS]; /* by op */
    double worst_of_all;
    const ops_case *worst_case;
    cJSON *failures, *skips; /* objects of op, case, message, repeat */
} report;

static void add_note(cJSON *list, const report *r, const ops_case *item, const char *message)
{
    char repeat[512];
    cJSON *note = cJSON_CreateObject();
    snprintf(repeat, sizeof repeat, "dipole check --device %s --op %s --case '%s'", r->info.id,
             item->op->name, item->text);
    cJSON_AddStringToObject(note, "op", item->op->name);
    cJSON_AddStringToObject(note, "case", item->text);
    cJSON_AddStringToObject(note, "message", message);
    cJSON_AddStringToObject(note, "repeat", repeat);
    cJSON_AddItemToArray(list, note);
}

static void count_verdict(report *r, const ops_case *item, const ops_verdict *verdict)
{
    r->cases++;
    r->passed += verdict->outcome == OPS_PASSED;
    r->failed += verdict->outcome == OPS_FAILED;
    r->skipped += verdict->outcome == OPS_SKIPPED;
    if (verdict->outcome != OPS_PASSED)
        add_note(verdict->outcome == OPS_FAILED ? r->failures : r->skips, r, item, verdict->message);
    for (size_t k = 0; k < MAX_OPS && ops_at(k); k++)
        if (ops_at(k) == item->op) {
            r->op_cases[k]++;
            r->worst[k] = verdict->worst > r->worst[k] ? verdict->worst : r->worst[k];
        }
    if (verdict->worst > r->worst_of_all) {
        r->worst_of_all = verdict->worst;
        r->worst_case = item;
    }
}

static void run_cases(report *r, ops_list *list, dp_device **device, dp_device *reference)
{
    for (size_t k = 0; k < list->count && !cli_interrupted(); k++) {
        ops_verdict verdict;
        cli_progress((double)k / (double)list->count, "checking %s: %s", r->info.id, list->cases[k].op->name);
        ops_check(&list->cases[k], device, reference, &verdict);
        count_verdict(r, &list->cases[k], &verdict);
    }
    cli_progress_end();
}

static void print_notes(const char *what, const cJSON *list)
{
    const cJSON *note;
    int printed = 0;
    cJSON_ArrayForEach(note, list)
    {
        if (printed++ == MAX_NOTES) {
            printf("  %s ... and %d more (--json has them all)\n", what, cJSON_GetArraySize(list) - MAX_NOTES);
            break;
        }
        printf("  %s %s %s\n    %s\n    %s\n", what, cJSON_GetStringValue(cJSON_GetObjectItem(note, "op")),
               cJSON_GetStringValue(cJSON_GetObjectItem(note, "case")),
               cJSON_GetStringValue(cJSON_GetObjectItem(note, "message")),
               cJSON_GetStringValue(cJSON_GetObjectItem(note, "repeat")));
    }
}

static void print_report(const report *r)
{
    printf("%-10s %-28.28s %4d cases  ", r->info.id, r->info.name, r->cases);
    if (r->failed)
        printf("%d FAILED", r->failed);
    else
        printf(cli_interrupted() ? "interrupted" : "ok");
    if (r->skipped)
        printf("  %d skipped", r->skipped);
    if (r->worst_case)
        printf("  worst error %.2f of its bound (%s %s)", r->worst_of_all, r->worst_case->op->name,
               r->worst_case->text);
    putchar('\n');
    print_notes("FAILED", r->failures);
    print_notes("skipped", r->skips);
    fflush(stdout);
}

/* Takes the notes over. */
static cJSON *report_json(report *r)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "id", r->info.id);
    cJSON_AddStringToObject(json, "name", r->info.name);
    cJSON_AddStringToObject(json, "driver", r->info.driver);
    cJSON_AddNumberToObject(json, "cases", r->cases);
    cJSON_AddNumberToObject(json, "passed", r->passed);
    cJSON_AddNumberToObject(json, "failed", r->failed);
    cJSON_AddNumberToObject(json, "skipped", r->skipped);
    cJSON *worst = cJSON_AddObjectToObject(json, "worst");
    for (size_t k = 0; k < MAX_OPS && ops_at(k); k++)
        if (r->op_cases[k])
            cJSON_AddNumberToObject(worst, ops_at(k)->name, r->worst[k]);
    cJSON_AddItemToObject(json, "failures", r->failures);
    cJSON_AddItemToObject(json, "skips", r->skips);
    r->failures = r->skips = NULL;
    return json;
}

/* Checks one device; whether all is well there. Adds to `json` where that is not NULL, else prints. */
static bool check_device(const char *id, ops_list *list, dp_device *reference, cJSON *json)
{
    dp_device *device = cli_open(id);
    if (!device)
        return false;
    report r = {
        .info = dp_device_get_info(device), .failures = cJSON_CreateArray(), .skips = cJSON_CreateArray()};
    run_cases(&r, list, &device, reference);
    dp_device_close(&device);
    if (json)
        cJSON_AddItemToArray(json, report_json(&r));
    else
        print_report(&r);
    cJSON_Delete(r.failures);
    cJSON_Delete(r.skips);
    return r.failed == 0;
}

/* Keeps the cases whose text is `text`, or where there is none, those that contain it. */
static void filter(ops_list *list, const char *text)
{
    bool exact = false;
    size_t kept = 0;
    for (size_t k = 0; k < list->count; k++)
        exact = exact || !strcmp(list->cases[k].text, text);
    for (size_t k = 0; k < list->count; k++)
        if (exact ? !strcmp(list->cases[k].text, text) : strstr(list->cases[k].text, text) != NULL)
            list->cases[kept++] = list->cases[k];
    list->count = kept;
}

/* Fills the list from the options; CLI_GO_ON, or an exit status after a message. */
static int choose_cases(ops_list *list, const char *op_name, const char *text)
{
    const ops_op *op = op_name ? ops_find(op_name) : NULL;
    if (op_name && !op) {
        cli_error("no op is called \"%s\"", op_name);
        return CLI_USAGE;
    }
    ops_list_cases(list, op);
    if (list->message[0]) {
        cli_error("%s", list->message);
        return CLI_FAILED;
    }
    if (text)
        filter(list, text);
    if (list->count)
        return CLI_GO_ON;
    cli_error("no case contains \"%s\"", text);
    return CLI_USAGE;
}

static int check_all(const cli_ids *ids, ops_list *list, bool as_json)
{
    dp_device *reference = cli_open("ref");
    cJSON *json = as_json ? cJSON_CreateObject() : NULL;
    cJSON *devices = as_json ? cJSON_AddArrayToObject(json, "devices") : NULL;
    int status = reference ? CLI_OK : CLI_FAILED;
    for (size_t k = 0; reference && k < ids->count && !cli_interrupted(); k++)
        if (!check_device(ids->id[k], list, reference, devices))
            status = CLI_FAILED;
    dp_device_close(&reference);
    if (as_json && cli_json_print(json) != CLI_OK)
        status = CLI_FAILED;
    return cli_interrupted() ? CLI_INTERRUPTED : status;
}

int cli_check(int argc, char **argv)
{
    const char *op = NULL, *text = NULL;
    const cli_option options[] = {
        {"op", "NAME", "only the cases of one operation", .text = &op},
        {"case", "TEXT", "only the case of this text, or those that contain it", .text = &text},
    };
    const cli_command command = {
        .operands = "",
        .summary =
            "Runs the conformance cases of every operation on a device and compares each element with the\n"
            "reference, by an error bound that follows from the arithmetic alone.",
        .details = "Exit status 1 where a case failed. Each failure comes with the line that repeats it.",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    cli_ids ids = {0};
    ops_list list = {0};
    int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    status = choose_cases(&list, op, text);
    if (status == CLI_GO_ON)
        status = cli_expand_ids(arguments.device, &ids) ? check_all(&ids, &list, arguments.json) : CLI_FAILED;
    cli_free_ids(&ids);
    ops_list_free(&list);
    return status;
}
