/* SPDX-License-Identifier: Apache-2.0 */
/* The tuning database without a device: reading what nobody wrote on purpose, writing while others write,
 * finding the nearest entry, and the model that orders candidates. Linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc. */
#include "gpu/cost_model.h"
#include "gpu/tune_shapes.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static _Thread_local long countdown; /* the allocation that fails, counted from 1; 0: none */

static bool fails(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

#define POCL "opencl/cpu/genuineintel/pthread-skylake/pocl-3-1"
#define RADV "vulkan/discrete-gpu/amd/radeon-rx-6800/radv-23"
#define REST " | panels_6x16 | 143.2 GFLOP/s | 0.1.0 0123456789abcdef | 2026-01-31 | measured\n"

static const char good[] =
    POCL " | matmul nnn m=512 n=512 k=512 batches=1" REST "# a comment\n\n" POCL
         " | conv nsn m=64 n=4096 row=64 k=512 batches=1 | tiles_64x64 | - | - | 2026-01-31 | derived from "
         "register counts: 40\n" RADV " | conv_weights ttn m=1 n=1 row=1 k=2147483648 batches=64" REST;

static char folder[256];

static int make_folder(void **state)
{
    (void)state;
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/dipole-tuning-XXXXXX", root ? root : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
}

static size_t parse(dp__entries *entries, const char *text)
{
    return dp__entries_parse(entries, text, strlen(text), false, NULL);
}

static void test_read_and_print(void **state)
{
    (void)state;
    dp__entries entries = {0}, again = {0};
    dp__text text = {0};
    assert_int_equal(parse(&entries, good), 0);
    assert_int_equal(entries.count, 3);
    assert_string_equal(entries.list[0].variant, "panels_6x16");
    assert_true(entries.list[0].source == 0x0123456789abcdefu && entries.list[0].gflops == 143.2);
    assert_true(entries.list[1].gflops == 0 && entries.list[1].shape.row == 6 &&
                entries.list[1].shape.b == 's');
    assert_int_equal(entries.list[2].shape.k, 31);
    for (size_t i = 0; i < entries.count; i++)
        dp__entry_print(&entries.list[i], &text);
    assert_int_equal(parse(&again, text.data), 0);
    assert_int_equal(again.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(&again.list[i], &entries.list[i], sizeof again.list[i]);
    dp__text_free(&text);
    dp__entries_free(&again);
    dp__entries_free(&entries);
}

static void test_malformed_lines(void **state)
{
    static const char *const bad[] = {
        "nonsense",
        "|||||||",
        "||||||||||||||||||||||||||||||||||||||||",
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | panels_6x16",
        POCL " | matmul nnn m=500 n=512 k=512 batches=1" REST,
        POCL " | matmul nnn m=512 n=512 k=512" REST,
        POCL " | matmul nxn m=512 n=512 k=512 batches=1" REST,
        POCL " | matmul nnn m=-512 n=512 k=512 batches=1" REST,
        POCL " | matmul nnn m=512 n=512 k=99999999999999999999 batches=1" REST,
        POCL " | matmul n" REST,
        POCL " | conv nnn m=512 n=512 k=512 batches=1" REST,
        POCL " | sort nn m=512 n=512 k=512 batches=1" REST,
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | a | fast GFLOP/s | - | 2026-01-31 | measured",
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | a | nan GFLOP/s | - | 2026-01-31 | measured",
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | a | 1e999 GFLOP/s | - | 2026-01-31 | measured",
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | a | 3 | - | 2026-01-31 | measured",
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | a | - | 0.1.0 xyz | 2026-01-31 | measured",
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | a | - | - | yesterday | measured",
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | a | - | - | 2026-01-31 |",
        " | matmul nnn m=512 n=512 k=512 batches=1" REST,
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | a_name_of_a_variant_that_is_longer_than_any | - | "
             "- | 2026-01-31 | x",
    };
    (void)state;
    for (size_t i = 0; i < DP_COUNT(bad); i++) {
        dp__entries entries = {0};
        dp__text text = {0};
        size_t first = 0;
        dp__text_add(&text, "%s%s\n%s", good, bad[i], "# the end\n");
        assert_int_equal(dp__entries_parse(&entries, text.data, text.length, false, &first), 1);
        assert_int_equal(first, 6);
        assert_int_equal(entries.count, 3);
        dp__entries_free(&entries);
        dp__text_free(&text);
    }
}

/* Cut anywhere, and with any byte replaced: no more entries than there were, and no crash. */
static void test_damage(void **state)
{
    (void)state;
    char text[sizeof good];
    const size_t length = sizeof good - 1;
    for (size_t cut = 0; cut <= length; cut++) {
        dp__entries entries = {0};
        char *part = malloc(cut + 1); /* so that a sanitizer sees what reads beyond it */
        assert_non_null(part);
        memcpy(part, good, cut);
        assert_true(dp__entries_parse(&entries, part, cut, false, NULL) <= 1);
        assert_true(entries.count <= 3);
        free(part);
        dp__entries_free(&entries);
    }
    for (size_t at = 0; at < length; at++)
        for (int byte = 0; byte < 256; byte += 15) {
            dp__entries entries = {0};
            memcpy(text, good, length);
            text[at] = (char)byte;
            assert_true(dp__entries_parse(&entries, text, length, false, NULL) <= 2);
            assert_true(entries.count <= 3);
            dp__entries_free(&entries);
        }
    char *long_line = malloc(100000);
    assert_non_null(long_line);
    memset(long_line, 'x', 100000);
    dp__entries entries = {0};
    assert_int_equal(dp__entries_parse(&entries, long_line, 100000, false, NULL), 1);
    free(long_line);
}

static void test_last_one_wins(void **state)
{
    (void)state;
    dp__entries entries = {0};
    assert_int_equal(parse(&entries,
                           POCL " | matmul nnn m=2 n=2 k=2 batches=1" REST POCL
                                " | matmul nnn m=2 n=2 k=2 batches=1 | other | - | - | 2026-01-31 | x\n"),
                     0);
    assert_int_equal(entries.count, 1);
    assert_string_equal(entries.list[0].variant, "other");
    dp__entries_free(&entries);
}

static dp__entry entry_of(const char *device, int m, const char *variant)
{
    dp__entry entry = {
        .shape = {.kind = DP__MATMUL, .a = 'n', .b = 'n', .result = 'n', .m = m, .n = 9, .row = 9, .k = 9},
        .gflops = 1,
        .library = "0.1.0",
        .source = 1,
        .date = "2026-01-31",
        .provenance = "measured"};
    snprintf(entry.device, sizeof entry.device, "%s", device);
    snprintf(entry.variant, sizeof entry.variant, "%s", variant);
    return entry;
}

static size_t read_back(const char *path, dp__entries *entries)
{
    size_t length;
    char *text = dp__line_file_read(path, &length);
    assert_non_null(text);
    const size_t bad = dp__entries_parse(entries, text, length, false, NULL);
    free(text);
    return bad;
}

/* What another process wrote, comments and variants of another version stay; what is no entry goes. */
static void test_merge(void **state)
{
    (void)state;
    char message[256] = "";
    const char *path = path_of("new/folders/tuning.txt");
    const dp__entry first = entry_of(POCL, 5, "direct_4x4"), second = entry_of(POCL, 6, "of_a_newer_version"),
                    third = entry_of(POCL, 5, "direct_1x1");
    assert_true(dp__entries_save(path, &first, 1, message));
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    dp__text line = {0};
    dp__entry_print(&second, &line);
    fprintf(file, "# mine\nbroken |\n%s", line.data);
    fclose(file);
    dp__text_free(&line);
    assert_true(dp__entries_save(path, &third, 1, message));
    dp__entries entries = {0};
    assert_int_equal(read_back(path, &entries), 0);
    assert_int_equal(entries.count, 2);
    assert_string_equal(entries.list[0].variant, "direct_1x1");
    assert_string_equal(entries.list[1].variant, "of_a_newer_version");
    dp__entries_free(&entries);
    size_t length;
    char *text = dp__line_file_read(path, &length);
    assert_non_null(strstr(text, "# mine\n"));
    assert_true(strncmp(text, "# Dipole's tuning database", 26) == 0);
    assert_null(strstr(text + 1, "# Dipole's tuning database")); /* the header stands once */
    free(text);
}

static void test_merge_over_damage(void **state)
{
    (void)state;
    char message[256] = "", junk[5000];
    const dp__entry entry = entry_of(POCL, 5, "direct_4x4");
    const char *path = path_of("junk.txt");
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (char)(i * 2654435761u >> 13);
    write_file(path, junk, sizeof junk);
    assert_true(dp__entries_save(path, &entry, 1, message));
    dp__entries entries = {0};
    assert_int_equal(read_back(path, &entries), 0);
    assert_int_equal(entries.count, 1);
    dp__entries_free(&entries);
}

static void test_not_writable(void **state)
{
    (void)state;
    char message[256] = "";
    const dp__entry entry = entry_of(POCL, 5, "direct_4x4");
    write_file(path_of("file"), "x", 1);
    assert_false(dp__entries_save(path_of("file/below.txt"), &entry, 1, message));
    assert_non_null(strstr(message, "file/below.txt"));
    assert_int_equal(mkdir(path_of("directory.txt"), 0777), 0);
    message[0] = '\0';
    assert_false(dp__entries_save(path_of("directory.txt"), &entry, 1, message));
    assert_non_null(strstr(message, "directory.txt"));
    char *name = calloc(6000, 1);
    assert_non_null(name);
    memset(name, 'x', 5999);
    assert_false(dp__line_file_writable(name, message));
    free(name);
    if (geteuid() != 0) { /* root may write what is read-only */
        write_file(path_of("read-only.txt"), "# kept\n", 7);
        assert_int_equal(chmod(path_of("read-only.txt"), 0444), 0);
        assert_false(dp__entries_save(path_of("read-only.txt"), &entry, 1, message));
    }
}

#define WRITERS 6
#define WRITES  12

static void *write_entries(void *data)
{
    const int writer = *(const int *)data;
    char message[256], path[512], device[64];
    snprintf(path, sizeof path, "%s/shared.txt", folder);
    snprintf(device, sizeof device, "opencl/cpu/a/b-%d/c", writer);
    for (int i = 0; i < WRITES; i++) {
        const dp__entry entry = entry_of(device, i, "direct_4x4");
        if (!dp__entries_save(path, &entry, 1, message))
            return message[0] ? data : NULL;
    }
    return NULL;
}

static void test_writers_at_once(void **state)
{
    (void)state;
    pthread_t thread[WRITERS];
    int number[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        number[w] = w;
        assert_int_equal(pthread_create(&thread[w], NULL, write_entries, &number[w]), 0);
    }
    for (int w = 0; w < WRITERS; w++) {
        void *failed;
        pthread_join(thread[w], &failed);
        assert_null(failed);
    }
    dp__entries entries = {0};
    assert_int_equal(read_back(path_of("shared.txt"), &entries), 0);
    assert_int_equal(entries.count, WRITERS * WRITES);
    dp__entries_free(&entries);
}

static void test_devices(void **state)
{
    (void)state;
    char key[DP__DEVICE_KEY];
    const dp_device_info info = {.backend = "opencl",
                                 .type = DP_DEVICE_DISCRETE_GPU,
                                 .vendor = "NVIDIA Corporation",
                                 .name = "(RTX)  2080/Ti ",
                                 .driver = "535.54 \xc3\xa9"};
    dp__device_key(&info, key);
    assert_string_equal(key, "opencl/discrete-gpu/nvidia-corporation/rtx-2080-ti/535-54");
    assert_true(dp__device_matches("*/discrete-gpu/nvidia*/*20?0*/*", key) == false);
    assert_true(dp__device_matches("*/discrete-gpu/nvidia*/*2080*/*", key));
    assert_true(dp__device_matches("*", "") && !dp__device_matches("", "a") &&
                dp__device_matches("a**b*", "ab"));
    assert_int_equal(dp__device_distance("*/*/nvidia*/*/*", key), 0);
    assert_int_equal(dp__device_distance("opencl/discrete-gpu/nvidia*/gtx/*", key), 1);
    assert_int_equal(dp__device_distance("vulkan/discrete-gpu/nvidia*/*/*", key), 2);
    assert_int_equal(dp__device_distance("opencl/discrete-gpu/amd/x/y", key), 3);
    assert_int_equal(dp__device_distance(POCL, key), 4);
}

static bool not_that(void *data, const dp__entry *entry)
{
    return strcmp(entry->variant, data) != 0;
}

static void test_nearest(void **state)
{
    (void)state;
    dp__entries entries = {0};
    const char user[] =
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | near | 1 GFLOP/s | - | 2026-01-31 | x\n" POCL
             " | matmul nnn m=64 n=512 k=512 batches=1 | far | 1 GFLOP/s | - | 2026-01-31 | x\n" POCL
             " | matmul tnn m=512 n=512 k=512 batches=1 | turned | 1 GFLOP/s | - | 2026-01-31 | x\n" RADV
             " | matmul nnn m=4 n=4 k=4 batches=1 | other | 1 GFLOP/s | - | 2026-01-31 | x\n";
    const char shipped[] =
        POCL " | matmul nnn m=512 n=512 k=512 batches=1 | shipped | 1 GFLOP/s | - | 2026-01-31 | x\n" POCL
             " | matmul nnn m=16 n=512 k=512 batches=1 | shipped_16 | 1 GFLOP/s | - | 2026-01-31 | x\n"
             "*/cpu/*/*/* | matmul nnn m=512 n=512 k=512 batches=1 | derived | - | - | 2026-01-31 | x\n";
    assert_int_equal(parse(&entries, user), 0);
    assert_int_equal(dp__entries_parse(&entries, shipped, sizeof shipped - 1, true, NULL), 0);
    dp__shape_class shape = {
        .kind = DP__MATMUL, .a = 'n', .b = 'n', .result = 'n', .m = 9, .n = 9, .row = 9, .k = 9};
#define FOUND(device) dp__entries_find(&entries, device, &shape, NULL, NULL)->variant
    assert_string_equal(FOUND(POCL), "near"); /* the user's before shipped ones */
    assert_string_equal(dp__entries_find(&entries, POCL, &shape, not_that, "near")->variant, "shipped");
    shape.m = 4;
    assert_string_equal(FOUND(POCL), "shipped_16"); /* nearer counts for more */
    shape.m = 6;
    assert_string_equal(FOUND(POCL), "far");
    shape.m = 8;
    assert_string_equal(FOUND(POCL), "near");
    shape.a = 't';
    assert_string_equal(FOUND(POCL), "turned");
    shape = (dp__shape_class){
        .kind = DP__MATMUL, .a = 'n', .b = 'n', .result = 'n', .m = 9, .n = 9, .row = 9, .k = 9};
    assert_string_equal(FOUND("opencl/cpu/genuineintel/pthread-skylake/pocl-4"),
                        "derived"); /* measured elsewhere is less */
    assert_string_equal(
        dp__entries_find(&entries, "opencl/cpu/genuineintel/x/y", &shape, not_that, "derived")->variant,
        "near");
    assert_null(dp__entries_find(&entries, "opencl/discrete-gpu/intel/x/y", &shape, NULL,
                                 NULL)); /* too far a class */
    shape.m = shape.n = shape.row = shape.k = 3;
    assert_string_equal(FOUND("opencl/discrete-gpu/intel/x/y"), "other"); /* the nearest kind of device */
    shape.kind = DP__CONV;
    assert_null(dp__entries_find(&entries, POCL, &shape, NULL, NULL));
    dp__entries_free(&entries);
}

static void test_paths(void **state)
{
    (void)state;
    dp__text path = {0};
    char *const old = getenv("DIPOLE_TUNING") ? strdup(getenv("DIPOLE_TUNING")) : NULL;
    setenv("DIPOLE_TUNING", "/a/b", 1);
    assert_true(dp__database_path(".log", &path));
    assert_string_equal(path.data, "/a/b.log");
    dp__text_free(&path);
    setenv("DIPOLE_TUNING", "off", 1);
    assert_true(dp__database_off() && !dp__database_path("", &path));
    setenv("DIPOLE_TUNING", "", 1);
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_true(dp__database_path("", &path));
    assert_string_equal(path.data, "/data/dipole/tuning.txt");
    dp__text_free(&path);
    setenv("XDG_DATA_HOME", "relative", 1);
    setenv("HOME", "/home/me", 1);
    assert_true(dp__database_path("", &path));
    assert_string_equal(path.data, "/home/me/.local/share/dipole/tuning.txt");
    dp__text_free(&path);
    if (old)
        setenv("DIPOLE_TUNING", old, 1);
    free(old);
}

static void test_shapes(void **state)
{
    static const char *const bad[] = {"",
                                      "matmul",
                                      "matmul 5x5",
                                      "matmul 5x5x5x5",
                                      "matmul 0x5x5",
                                      "matmul 5x5x5 nx",
                                      "matmul 5x5x5 batches=0",
                                      "sort 5x5x5",
                                      "conv2d 1x1x1x1x1x3x3 padding=0",
                                      "conv2d 1x1x8x8x1x3x3 stride=0",
                                      "matmul 1048576x1048576x1048576",
                                      "conv2d 1000000x1000000x1000000x1000000x1x1x1",
                                      "matmul 5x5x5 nn nn nn nn nn nn nn nn",
                                      "matmul 99999999999999999999x5x5"};
    char message[256];
    dp__trial_shape shape;
    (void)state;
    for (size_t i = 0; i < DP_COUNT(bad); i++) {
        assert_false(dp__tune_shape_read(bad[i], &shape, message));
        assert_non_null(strstr(message, bad[i]));
    }
    assert_true(dp__tune_shape_read("matmul 3x4x5 tn batches=7", &shape, message));
    assert_true(shape.m == 3 && shape.n[0] == 4 && shape.depth == 5 && shape.batches == 7 && shape.a_turned &&
                !shape.b_turned);
    assert_true(dp__tune_shape_read("conv2d 2x3x8x8x5x4x4 stride=2", &shape, message));
    assert_true(shape.m == 5 && shape.n[0] == 4 && shape.n[1] == 4 && shape.n[2] == 2 && shape.depth == 48 &&
                shape.table == 1);
    for (int i = 0; dp__tune_shapes[i]; i++) {
        assert_true(dp__tune_shape_read(dp__tune_shapes[i], &shape, message));
        const dp__contraction call = dp__trial_call(&shape);
        const dp__shape_class whole = dp__class_of(&call);
        char text[DP__CLASS_TEXT];
        dp__shape_class again;
        assert_true(dp__class_parse(dp__class_print(&whole, text), &again) &&
                    dp__class_equal(&whole, &again));
        assert_true(dp__tune_shape_cut(&shape, 1e5, 1 << 20));
        assert_true(dp__trial_flops(&shape) <= 1e5 && dp__trial_flops(&shape) > 0);
        assert_false(dp__tune_shape_cut(&shape, 1, 1));
    }
}

/* Every shipped line is good, and names a variant that there is. */
static void test_shipped(void **state)
{
    (void)state;
    size_t entries_seen = 0, timings_seen = 0;
    for (const dp__shipped_file *file = dp__shipped_files; file->name; file++) {
        dp__entries entries = {0};
        dp__timings timings = {0};
        const size_t length = strlen(file->text);
        assert_int_equal(file->log ? dp__timings_parse(&timings, file->text, length)
                                   : dp__entries_parse(&entries, file->text, length, true, NULL),
                         0);
        for (size_t i = 0; i < entries.count; i++)
            if (!dp__variant_find(entries.list[i].variant))
                fail_msg("%s: no variant %s", file->name, entries.list[i].variant);
        entries_seen += entries.count;
        timings_seen += timings.count;
        dp__entries_free(&entries);
        dp__timings_free(&timings);
    }
    assert_true(entries_seen > 0 && timings_seen > 0);
}

static void add_timing(dp__timings *timings, const char *device, int size, const char *variant, double gflops)
{
    dp__timing timing = {.units = 4,
                         .vector = 16,
                         .group = 4096,
                         .local = 1 << 19,
                         .seconds = 1,
                         .gflops = gflops,
                         .shape = {.kind = DP__MATMUL,
                                   .a = 'n',
                                   .b = 'n',
                                   .result = 'n',
                                   .m = size,
                                   .n = size,
                                   .row = size,
                                   .k = size}};
    snprintf(timing.device, sizeof timing.device, "%s", device);
    snprintf(timing.variant, sizeof timing.variant, "%s", variant);
    assert_true(dp__grow(&timings->list, &timings->capacity, timings->count + 1, sizeof timing));
    timings->list[timings->count++] = timing;
}

/* What it saw on a device it predicts there for a near class, against what it saw elsewhere. */
static void test_model(void **state)
{
    (void)state;
    dp__timings timings = {0};
    dp__model model;
    for (int size = 7; size <= 10; size++) {
        add_timing(&timings, POCL, size, "panels_6x16", 10);
        add_timing(&timings, POCL, size, "direct_6x16", 100);
        add_timing(&timings, POCL, size, "direct_1x1", 1);
    }
    const dp__model_device device = dp__model_device_in(&timings.list[0]);
    dp__shape_class shape = timings.list[0].shape;
    shape.m++;
    assert_true(dp__model_train(&model, &timings, NULL));
#define SCORE(name) dp__model_predict(&model, &device, &shape, dp__variant_find(name))
    assert_true(SCORE("direct_6x16") > SCORE("panels_6x16") + 1 &&
                SCORE("panels_6x16") > SCORE("direct_1x1"));
    dp__model_free(&model);
    /* Without any of it the safe choice comes first. */
    assert_true(dp__model_train(&model, &timings, POCL));
    size_t count;
    const dp__variant *variants = dp__variants(&count);
    double best = -INFINITY;
    const char *first = "";
    for (size_t v = 0; v < count; v++)
        if (SCORE(variants[v].name) > best) {
            best = SCORE(variants[v].name);
            first = variants[v].name;
        }
    assert_string_equal(first, "panels_12x32"); /* which that device, with vectors of 16, is given */
    dp__model_free(&model);
    dp__timings_free(&timings);
}

/* Each allocation fails in turn: no crash, no leak, and a file stays as it was or is written whole. */
static void test_no_memory(void **state)
{
    (void)state;
    char message[256];
    const char *path = path_of("memory.txt");
    const dp__entry first = entry_of(POCL, 5, "direct_4x4"), second = entry_of(POCL, 6, "direct_4x4");
    assert_true(dp__entries_save(path, &first, 1, message));
    bool saved = false;
    for (long n = 1; !saved && n < 200; n++) {
        countdown = n;
        saved = dp__entries_save(path, &second, 1, message);
        saved = countdown > 0 && saved;
        countdown = 0;
        dp__entries entries = {0};
        assert_int_equal(read_back(path, &entries), 0);
        assert_true(entries.count == 1 || entries.count == 2);
        dp__entries_free(&entries);
    }
    assert_true(saved);
    bool trained = false;
    for (long n = 1; !trained && n < 200; n++) {
        dp__timings timings = {0};
        dp__model model = {0};
        add_timing(&timings, POCL, 8, "direct_4x4", 10);
        countdown = n;
        trained = dp__model_train(&model, &timings, NULL);
        countdown = 0;
        dp__model_free(&model);
        dp__timings_free(&timings);
    }
    assert_true(trained);
    for (long n = 1; n < 20; n++) {
        dp__entries entries = {0};
        countdown = n;
        parse(&entries, good);
        countdown = 0;
        assert_true(entries.count == 3 || entries.failed);
        dp__entries_free(&entries);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_and_print), cmocka_unit_test(test_malformed_lines),
        cmocka_unit_test(test_damage),         cmocka_unit_test(test_last_one_wins),
        cmocka_unit_test(test_merge),          cmocka_unit_test(test_merge_over_damage),
        cmocka_unit_test(test_not_writable),   cmocka_unit_test(test_writers_at_once),
        cmocka_unit_test(test_devices),        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_paths),          cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_shipped),        cmocka_unit_test(test_model),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("tuning database", tests, make_folder, remove_folder);
}
