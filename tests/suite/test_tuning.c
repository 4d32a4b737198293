/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured is used, and nothing that is wrong ever is. Linked with
 * -Wl,--wrap=dp__variants,--wrap=dp__variant_find: the table has one more row, whose tile is not a multiple
 * of its group, so that a part of each tile is never loaded. */
#include "suite.h"
#include "gpu/trial.h"
#include "gpu/tuned.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const dp__variant planted = {
    "planted", "contract_tiles", DP__ON_CPU | DP__ON_GPU | DP__ON_SOFTWARE, 1, 4, 4, 5, 16, 16};

const dp__variant *__real_dp__variants(size_t *count);
const dp__variant *__real_dp__variant_find(const char *name);
const dp__variant *__wrap_dp__variants(size_t *count);
const dp__variant *__wrap_dp__variant_find(const char *name);

const dp__variant *__wrap_dp__variants(size_t *count)
{
    static dp__variant all[128];
    size_t real;
    const dp__variant *table = __real_dp__variants(&real);
    assert_true(real < 127);
    memcpy(all, table, real * sizeof *all);
    all[real] = planted;
    *count = real + 1;
    return all;
}

const dp__variant *__wrap_dp__variant_find(const char *name)
{
    return strcmp(name, "planted") == 0 ? &planted : __real_dp__variant_find(name);
}

static char folder[256], path[300];

static void new_database(void)
{
    static int number;
    snprintf(path, sizeof path, "%s/%d.txt", folder, number++);
    setenv("DIPOLE_TUNING", path, 1);
}

static void write_text(const char *suffix, const char *text)
{
    char name[320];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Static. */
static const char *read_text(const char *suffix)
{
    static char text[20000];
    char name[320];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "rb");
    const size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    return text;
}

/* An entry for products of about 64 x 64 x 64. */
static void write_entry(const dp_device *device, const char *variant)
{
    char key[DP__DEVICE_KEY], line[1000];
    const dp_device_info info = dp_device_get_info(device);
    dp__device_key(&info, key);
    snprintf(line, sizeof line,
             "%s | matmul nnn m=64 n=64 k=64 batches=1 | %s | 1e+06 GFLOP/s | 0.1.0 0000000000000001 | "
             "2026-01-31 | measured\n",
             key, variant);
    write_text("", line);
}

/* The file is read once a device: a fresh one. */
static dp_device *open_again(const dp_device *device)
{
    dp_device *own = dp_device_open(dp_device_get_info(device).id);
    suite_ok(own);
    return own;
}

static bool is_gpu(const dp_device *device)
{
    return strcmp(dp_device_get_info(device).backend, "ref") != 0;
}

/* A product of 70 x 66 x 50 of whole numbers is right. */
static void multiply(dp_device *device)
{
    enum { M = 70, N = 66, K = 50 };
    static float a[M * K], b[K * N], c[M * N];
    for (int t = 0; t < M * K; t++)
        a[t] = (float)(t * 7 % 11 - 5);
    for (int t = 0; t < K * N; t++)
        b[t] = (float)(t * 5 % 13 - 6);
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(M, K), a),
              *y = dp_from(device, DP_F32, DP_SHAPE(K, N), b);
    dp_tensor *product = dp_matmul(device, x, y, NULL);
    dp_read(product, c, sizeof c);
    suite_ok(device);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            float sum = 0;
            for (int k = 0; k < K; k++)
                sum += a[i * K + k] * b[k * N + j];
            assert_true(sum == c[i * N + j]);
        }
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    dp_tensor_release(&product);
}

static const dp__variant *chosen(dp_device *device)
{
    const dp__trial_shape shape = {.batches = 1, .m = 70, .n = {66, 1, 1}, .depth = 50, .column = 1};
    const dp__contraction call = dp__trial_call(&shape);
    return dp__tuned_choice(device->state, &call);
}

static void test_wrong_kernel(dp_device *given)
{
    if (!is_gpu(given))
        return;
    for (int process = 0; process < 2; process++) { /* the second one reads what the first found */
        if (process == 0)
            new_database();
        write_entry(given, "planted");
        dp_device *device = open_again(given);
        const uint64_t peak = dp_memory_get(device).peak_bytes;
        assert_true(chosen(device) != &planted);
        assert_true(dp_memory_get(device).bytes == 0 && dp_memory_get(device).peak_bytes == peak);
        multiply(device);
        assert_true(chosen(device) != &planted);
        dp_device_close(&device);
        assert_non_null(strstr(read_text(".verified"), " | planted | "));
        assert_non_null(strstr(read_text(".verified"), " | wrong | "));
    }
}

static void test_right_kernel(dp_device *given)
{
    if (!is_gpu(given))
        return;
    new_database();
    write_entry(given, "direct_1x1");
    dp_device *device = open_again(given);
    const dp__variant *variant = chosen(device);
    assert_non_null(variant);
    assert_string_equal(variant->name, "direct_1x1");
    multiply(device);
    dp_device_close(&device);
    assert_non_null(strstr(read_text(".verified"), " | direct_1x1 | "));
    assert_null(strstr(read_text(".verified"), "wrong"));
}

static void test_off_and_damaged(dp_device *given)
{
    if (!is_gpu(given))
        return;
    new_database();
    write_entry(given, "direct_1x1");
    setenv("DIPOLE_TUNING", "off", 1);
    dp_device *device = open_again(given);
    assert_null(chosen(device));
    dp_device_close(&device);
    setenv("DIPOLE_TUNING", path, 1);
    write_entry(given, "of_another_version");
    write_text(".verified", "\001\002|junk\n| | | |\n");
    device = open_again(given);
    const dp__variant *variant = chosen(device); /* of a shipped entry, or none */
    assert_true(variant != &planted);
    multiply(device);
    dp_device_close(&device);
    new_database();
    write_text("", "not | an entry\n\377\376");
    device = open_again(given);
    multiply(device);
    dp_device_close(&device);
}

typedef struct told {
    int planned, measured, wrong, failed, chosen, stop_after;
    char best[32];
    double gflops;
} told;

static bool listen(void *data, const dp_tune_event *event)
{
    told *own = data;
    own->planned += event->stage == DP_TUNE_PLANNED;
    own->measured += event->stage == DP_TUNE_MEASURED;
    own->wrong += event->stage == DP_TUNE_WRONG && strcmp(event->variant, "planted") == 0;
    own->failed += event->stage == DP_TUNE_FAILED;
    own->chosen += event->stage == DP_TUNE_CHOSEN;
    assert_true(event->done >= 0 && event->done <= 1);
    if (event->stage == DP_TUNE_MEASURED)
        assert_true(event->seconds > 0 && event->gflops > 0 && strcmp(event->variant, "planted") != 0);
    if (event->stage == DP_TUNE_CHOSEN) {
        snprintf(own->best, sizeof own->best, "%s", event->variant);
        own->gflops = event->gflops;
    }
    return own->stop_after == 0 || own->measured < own->stop_after;
}

static const char *const tiny[] = {"matmul 70x66x50"};

/* Everything is tried: the planted row is found out, the fastest of the others is written down and used at
 * once. */
static void test_tune(dp_device *given)
{
    if (!is_gpu(given))
        return;
    new_database();
    dp_device *device = open_again(given);
    told own = {0};
    const dp_tune_options options = {
        .shapes = tiny, .shape_count = 1, .exhaustive = true, .progress = listen, .data = &own};
    assert_int_equal(dp_tune(device, &options), DP_OK);
    suite_ok(device);
    assert_true(own.wrong == 1 && own.measured > 1 && own.chosen == 1 && own.failed == 0);
    assert_string_not_equal(own.best, "planted");
    assert_string_equal(chosen(device)->name, own.best);
    multiply(device);
    dp_device_close(&device);
    char words[64];
    snprintf(words, sizeof words, " | %s | ", own.best);
    assert_non_null(strstr(read_text(""), words));
    assert_non_null(strstr(read_text(""), "matmul nnn m=64 n=64 k=64 batches=1"));
    assert_non_null(strstr(read_text(".log"), "GFLOP/s"));
    assert_null(strstr(read_text(".log"), "planted"));
    /* By another process the entry is used as it is. */
    device = open_again(given);
    assert_string_equal(chosen(device)->name, own.best);
    dp_device_close(&device);
}

static void test_budget_and_stop(dp_device *given)
{
    if (!is_gpu(given))
        return;
    new_database();
    told own = {.stop_after = 1};
    dp_tune_options options = {.shapes = tiny,
                               .shape_count = 1,
                               .seconds = 2,
                               .progress = listen,
                               .data = &own,
                               .order = DP_TUNE_BY_TABLE};
    assert_int_equal(dp_tune(given, &options), DP_OK);
    assert_int_equal(own.measured, 1); /* then it was stopped, and what it had is kept */
    assert_non_null(strstr(read_text(""), "measured, 1 of "));
    new_database();
    own = (told){0};
    options.dry_run = true;
    options.order = DP_TUNE_RANDOM;
    assert_int_equal(dp_tune(given, &options), DP_OK);
    assert_true(own.planned > 1 && own.measured == 0 && own.chosen == 0);
    assert_string_equal(read_text(""), "");
}

static void test_bad_input(dp_device *device)
{
    const dp_tune_options options[] = {
        {.shapes = tiny, .shape_count = 1, .seconds = -1},
        {.shapes = tiny, .shape_count = 1, .seconds = NAN},
        {.shapes = tiny, .shape_count = 1, .order = (dp_tune_order)7},
        {.shape_count = 1},
        {.shapes = (const char *const[]){NULL}, .shape_count = 1},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        assert_int_equal(dp_tune(device, &options[i]), DP_ERROR_ARGUMENT);
        suite_failed(device, DP_ERROR_ARGUMENT, "tune");
    }
    assert_int_equal(dp_tune(NULL, NULL), DP_ERROR_NO_DEVICE);
    if (!is_gpu(device)) {
        assert_int_equal(dp_tune(device, NULL), DP_ERROR_UNSUPPORTED);
        suite_failed(device, DP_ERROR_UNSUPPORTED, "nothing to tune");
        return;
    }
    new_database();
    assert_int_equal(dp_tune(device, &(dp_tune_options){.op = "sort"}), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "sort");
    const char *const bad[] = {"matmul 3x0x3"};
    assert_int_equal(dp_tune(device, &(dp_tune_options){.shapes = bad, .shape_count = 1}), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "3x0x3");
    char below[320];
    write_text("", "x");
    snprintf(below, sizeof below, "%s/below.txt", path);
    assert_int_equal(dp_tune(device, &(dp_tune_options){.shapes = tiny, .shape_count = 1, .file = below}),
                     DP_ERROR_IO);
    suite_failed(device, DP_ERROR_IO, "below.txt");
    setenv("DIPOLE_TUNING", "off", 1);
    assert_int_equal(dp_tune(device, &(dp_tune_options){.shapes = tiny, .shape_count = 1}), DP_ERROR_IO);
    suite_failed(device, DP_ERROR_IO, "off");
    multiply(device);
}

int main(void)
{
    const suite_test tests[] = {
        {"a wrong kernel is never used", test_wrong_kernel}, {"a right one is", test_right_kernel},
        {"off, and damaged files", test_off_and_damaged},    {"tune", test_tune},
        {"budget and stop", test_budget_and_stop},           {"bad input", test_bad_input},
    };
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/dipole-tuning-XXXXXX", root ? root : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    const int failed = suite_run("tuning", tests, sizeof tests / sizeof *tests);
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || failed;
}
