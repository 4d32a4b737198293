/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 256 };

/* One test on one device. */
typedef struct bound_test {
    const suite_test *test;
    const dp_device_info *info;
    dp_device *device;
    char name[128];
} bound_test;

static bool occurs(const char *text, const char *word, size_t length)
{
    for (; *text; text++) {
        size_t k = 0;
        while (k < length && tolower((unsigned char)text[k]) == tolower((unsigned char)word[k]))
            k++;
        if (k == length)
            return true;
    }
    return false;
}

/* Whether all words of the entry, which ends at a comma or the end, occur in what the device tells. */
static bool matches(const dp_device_info *info, const char *entry)
{
    char text[512];
    snprintf(text, sizeof text, "%s %s %s %s %s %s", info->id, info->backend, info->name, info->vendor,
             info->driver, info->api);
    const char *end = entry + strcspn(entry, ",");
    while (entry < end) {
        const size_t length = strcspn(entry, "+,");
        if (length && !occurs(text, entry, length))
            return false;
        entry += length + (entry[length] == '+');
    }
    return true;
}

static const char *next_entry(const char *entry)
{
    entry += strcspn(entry, ",");
    return entry + (*entry == ',');
}

static void require(const dp_device_info *infos, size_t count)
{
    const char *entry = getenv("DIPOLE_REQUIRE");
    for (; entry && *entry; entry = next_entry(entry)) {
        bool found = *entry == ',';
        for (size_t k = 0; k < count && !found; k++)
            found = matches(&infos[k], entry);
        if (!found) {
            fprintf(stderr, "DIPOLE_REQUIRE: no device matches \"%.*s\"; there are:\n",
                    (int)strcspn(entry, ","), entry);
            for (size_t k = 0; k < count; k++)
                fprintf(stderr, "  %s  %s  %s\n", infos[k].id, infos[k].name, infos[k].driver);
            exit(1);
        }
    }
}

static bool wanted(const dp_device_info *info)
{
    const char *entry = getenv("DIPOLE_TEST_DEVICES");
    if (!entry || !*entry)
        return true;
    for (; *entry; entry = next_entry(entry))
        if (*entry != ',' && matches(info, entry))
            return true;
    return false;
}

size_t suite_devices(dp_device_info **result)
{
    const size_t listed = dp_device_list(NULL, 0);
    dp_device_info *infos = calloc(listed + 1, sizeof *infos);
    if (!infos)
        exit(1);
    size_t count = dp_device_list(infos, listed), kept = 0;
    count = count < listed ? count : listed;
    require(infos, count);
    for (size_t k = 0; k < count; k++)
        if (wanted(&infos[k]))
            infos[kept++] = infos[k];
    if (!kept) {
        fprintf(stderr, "no device to test\n");
        exit(1);
    }
    *result = infos;
    return kept;
}

bool suite_tiny(void)
{
    const char *tiny = getenv("DIPOLE_TEST_TINY");
    return tiny && !strcmp(tiny, "1");
}

bool suite_full(dp_device *device)
{
    const char *full = getenv("DIPOLE_TEST_FULL");
    return (full && !strcmp(full, "1")) || dp_device_get_info(device).type == DP_DEVICE_REFERENCE;
}

void suite_ok(dp_device *device)
{
    if (dp_failed(device) != DP_OK)
        fail_msg("%s: %s", dp_status_name(dp_failed(device)), dp_message(device));
}

void suite_failed(dp_device *device, dp_status status, const char *word)
{
    if (dp_failed(device) != status)
        fail_msg("%s (\"%s\"), not %s", dp_status_name(dp_failed(device)), dp_message(device),
                 dp_status_name(status));
    if (!strstr(dp_message(device), word))
        fail_msg("the message \"%s\" does not name \"%s\"", dp_message(device), word);
    assert_int_equal(dp_clear(device), status);
    assert_int_equal(dp_failed(device), DP_OK);
    assert_string_equal(dp_message(device), "");
}

dp_tensor *suite_range(dp_device *device, dp_shape shape)
{
    float values[MAX_VALUES];
    size_t count = 1;
    for (int a = 0; a < shape.rank; a++)
        count *= (size_t)shape.dim[a];
    assert_in_range(count, 0, MAX_VALUES);
    for (size_t k = 0; k < count; k++)
        values[k] = (float)k;
    return dp_from(device, DP_F32, shape, values);
}

void suite_values(const dp_tensor *tensor, const double *values, size_t count)
{
    uint32_t words[MAX_VALUES];
    assert_non_null(tensor);
    assert_in_range(count, 0, MAX_VALUES);
    assert_int_equal(dp_tensor_size(tensor), count);
    assert_int_equal(dp_read(tensor, words, count * sizeof words[0]), DP_OK);
    for (size_t k = 0; k < count; k++) {
        float as_float;
        memcpy(&as_float, &words[k], sizeof as_float);
        const double value = dp_tensor_dtype(tensor) == DP_I32 ? (double)(int32_t)words[k] : (double)as_float;
        if (value != values[k] && !(value != value && values[k] != values[k]))
            fail_msg("element %zu is %.9g, not %.9g", k, value, values[k]);
    }
}

void suite_works(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(3));
    dp_tensor *y = dp_map(device, "2 * x + 1", DP_ARGS({"x", x, 0}));
    suite_values(y, (const double[]){1, 3, 5}, 3);
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    suite_ok(device);
}

static int set_up(void **state)
{
    bound_test *test = *state;
    test->device = dp_device_open(test->info->id);
    return dp_failed(test->device) == DP_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    bound_test *test = *state;
    dp_device_close(&test->device);
    return 0;
}

static void run_one(void **state)
{
    const bound_test *test = *state;
    test->test->run(test->device);
    suite_ok(test->device);
}

int suite_run(const char *group, const suite_test *tests, size_t count)
{
    dp_device_info *infos;
    const size_t devices = suite_devices(&infos);
    struct CMUnitTest *list = calloc(devices * count, sizeof *list);
    bound_test *state = calloc(devices * count, sizeof *state);
    if (!list || !state)
        exit(1);
    for (size_t k = 0; k < devices * count; k++) {
        state[k].test = &tests[k % count];
        state[k].info = &infos[k / count];
        snprintf(state[k].name, sizeof state[k].name, "%s: %s", infos[k / count].id, tests[k % count].name);
        list[k] = (struct CMUnitTest){.name = state[k].name,
                                      .test_func = run_one,
                                      .setup_func = set_up,
                                      .teardown_func = tear_down,
                                      .initial_state = &state[k]};
    }
    const int failures = _cmocka_run_group_tests(group, list, devices * count, NULL, NULL);
    free(list);
    free(state);
    free(infos);
    return failures;
}
