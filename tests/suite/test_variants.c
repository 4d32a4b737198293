/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of the table of contractions' kernels, forced in turn on every device that can run it: one
 * test for a device and a row. */
#include "gpu/variants.h"
#include "ops/ops.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct part {
    const dp_device_info *info;
    const dp__variant *variant;
    char name[96];
} part;

/* Rows and columns that end inside of every tile, depths that end inside of every block and are cut into
 * several. */
static const struct {
    const char *op, *text;
    bool always; /* every row can do it, but those of contract_dot, */
    bool dot;    /* which do this one, and no others need it */
} cases[] = {
    {"matmul", "m=67 n=131 k=533", true, false},
    {"matmul", "m=5 n=3 k=533 tb=1 ab=2 bb=2", false, true},
    {"matmul", "m=35 n=67 k=45 ta=1 tb=1 ab=2 bb=2 alpha=2 beta=-0.5 c=column", false, false},
    {"conv2d", "n=2 c=5 h=13 w=22 k=17 r=3 s=3 sh=2 ph=1 pw=1 e=swish", false, false},
    {"conv2d_gradient_weights", "n=2 c=5 h=9 w=18 k=17 r=3 s=3 ph=1 pw=1", false, false},
};

static dp_device *reference;

static bool fits(const dp_device_info *info, const dp__variant *variant)
{
    dp_device *device = dp_device_open(info->id);
    const dp__gpu *gpu = strcmp(info->backend, "ref") == 0 ? NULL : device->state;
    const bool answer = gpu && strcmp(variant->kernel, "clblast") != 0 && /* a test of its own */
                        dp__variant_fits(variant, &gpu->limits, gpu->driver->glsl);
    dp_device_close(&device);
    return answer;
}

/* One product must have been run by the row's kernel: a row that is passed over proves nothing. */
static void assert_ran(dp_device *device, const char *kernel)
{
    dp_profile_entry entries[16];
    const size_t count = dp_profile_list(device, entries, 16);
    bool ran = false;
    for (size_t k = 0; k < count && k < 16; k++)
        ran = ran || strcmp(entries[k].kernel, kernel) == 0;
    assert_true(ran);
}

static void run_part(void **state)
{
    const part *p = *state;
    dp_device *device = dp_device_open(p->info->id);
    suite_ok(device);
    setenv("DIPOLE_VARIANT", p->variant->name, 1);
    const bool dot = strcmp(p->variant->kernel, "contract_dot") == 0;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        if (cases[k].dot && !dot)
            continue;
        const bool proves = dot ? cases[k].dot : cases[k].always;
        ops_list list = {0};
        list.op = ops_find(cases[k].op);
        ops_add(&list, true, "%s", cases[k].text);
        assert_int_equal(list.count, 1);
        ops_verdict verdict;
        assert_int_equal(dp_profile(device, proves), DP_OK);
        ops_check(&list.cases[0], &device, reference, &verdict);
        if (verdict.outcome != OPS_PASSED)
            fail_msg("DIPOLE_VARIANT=%s dipole check --device %s --op %s --case '%s': %s", p->variant->name,
                     p->info->id, cases[k].op, cases[k].text, verdict.message);
        if (proves)
            assert_ran(device, p->variant->kernel);
        ops_list_free(&list);
    }
    unsetenv("DIPOLE_VARIANT");
    dp_device_close(&device);
}

int main(void)
{
    dp_device_info *infos;
    size_t rows, count = 0;
    const size_t devices = suite_devices(&infos);
    const dp__variant *variants = dp__variants(&rows);
    struct CMUnitTest *list = calloc(devices * rows + 1, sizeof *list);
    part *parts = calloc(devices * rows + 1, sizeof *parts);
    reference = dp_device_open("ref");
    if (!list || !parts || dp_failed(reference) != DP_OK)
        return 1;
    for (size_t k = 0; k < devices * rows; k++) {
        part *p = &parts[count];
        *p = (part){.info = &infos[k / rows], .variant = &variants[k % rows]};
        if (!fits(p->info, p->variant))
            continue;
        snprintf(p->name, sizeof p->name, "%s %.40s: %s", p->info->id, p->info->name, p->variant->name);
        list[count++] = (struct CMUnitTest){.name = p->name, .test_func = run_part, .initial_state = p};
    }
    const int failures = _cmocka_run_group_tests("variants", list, count, NULL, NULL);
    dp_device_close(&reference);
    free(list);
    free(parts);
    free(infos);
    return failures;
}
