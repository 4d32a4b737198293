/* SPDX-License-Identifier: Apache-2.0 */
/* Every conformance case on every device: one test for a device and an op. */
#include "suite.h"
#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct part {
    const dp_device_info *info;
    const ops_op *op;
    char name[96];
} part;

static ops_list cases;
static dp_device *reference;

static void report(const part *p, const ops_case *item, const ops_verdict *verdict)
{
    print_error("%s %s %s\n    %s\n    dipole check --device %s --op %s --case '%s'\n",
                verdict->outcome == OPS_SKIPPED ? "skipped" : "FAILED", p->op->name, item->text,
                verdict->message, p->info->id, p->op->name, item->text);
}

static void run_part(void **state)
{
    const part *p = *state;
    int outcomes[3] = {0};
    double worst = 0;
    dp_device *device = dp_device_open(p->info->id);
    suite_ok(device);
    for (size_t k = 0; k < cases.count; k++) {
        ops_case *item = &cases.cases[k];
        ops_verdict verdict;
        if (item->op != p->op || (suite_tiny() && !item->tiny))
            continue;
        ops_check(item, &device, reference, &verdict);
        outcomes[verdict.outcome]++;
        worst = verdict.worst > worst ? verdict.worst : worst;
        if (verdict.outcome != OPS_PASSED)
            report(p, item, &verdict);
    }
    dp_device_close(&device);
    print_message("# %s: %d passed, %d failed, %d skipped, worst error %.2f of its bound\n", p->name,
                  outcomes[OPS_PASSED], outcomes[OPS_FAILED], outcomes[OPS_SKIPPED], worst);
    assert_int_equal(outcomes[OPS_FAILED], 0);
    assert_true(outcomes[OPS_PASSED] > 0); /* a device that skips an op altogether does not pass it */
}

static int run_parts(const dp_device_info *infos, size_t devices)
{
    size_t ops = 0;
    while (ops_at(ops))
        ops++;
    struct CMUnitTest *list = calloc(devices * ops, sizeof *list);
    part *parts = calloc(devices * ops, sizeof *parts);
    if (!list || !parts)
        exit(1);
    for (size_t k = 0; k < devices * ops; k++) {
        parts[k].info = &infos[k / ops];
        parts[k].op = ops_at(k % ops);
        snprintf(parts[k].name, sizeof parts[k].name, "%s %.40s: %s", infos[k / ops].id, infos[k / ops].name,
                 parts[k].op->name);
        list[k] =
            (struct CMUnitTest){.name = parts[k].name, .test_func = run_part, .initial_state = &parts[k]};
    }
    const int failures = _cmocka_run_group_tests("devices", list, devices * ops, NULL, NULL);
    free(list);
    free(parts);
    return failures;
}

int main(void)
{
    dp_device_info *infos;
    const size_t devices = suite_devices(&infos);
    reference = dp_device_open("ref");
    ops_list_cases(&cases, NULL);
    if (dp_failed(reference) != DP_OK || cases.message[0]) {
        fprintf(stderr, "%s%s\n", dp_message(reference), cases.message);
        return 1;
    }
    const int failures = run_parts(infos, devices);
    ops_list_free(&cases);
    dp_device_close(&reference);
    free(infos);
    return failures;
}
