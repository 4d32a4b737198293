/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that are kept on disk: the next opening loads them and computes the same bits; entries that are
 * damaged, that the driver refuses, or that cannot be kept cost a build. */
#include "suite.h"

#include "cache/cache.h"
#include "gpu/driver.h"
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 8, WORKERS = 3 };

static char base[64];

/* What one opening of the device saw of the cache, and what it computed. */
typedef struct outcome {
    int hits, misses, stored, damaged;
    uint32_t words[COUNT];
    bool worked;
} outcome;

/* Opens the device anew, runs one kernel, closes it. From any thread. */
static outcome compute(const char *id)
{
    outcome seen = {0};
    dp_device *device = dp_device_open(id);
    float values[COUNT];
    for (int k = 0; k < COUNT; k++)
        values[k] = 0.37f * (float)k + 0.1f;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(COUNT), values);
    dp_tensor *y = dp_map(device, "exp(sin(x) - 0.25) * x + 3", DP_ARGS({"x", x, 0}));
    seen.worked = dp_read(y, seen.words, sizeof seen.words) == DP_OK && dp_failed(device) == DP_OK;
    const dp__cache *cache = device && device->state ? ((dp__gpu *)device->state)->disk : NULL;
    if (cache) {
        seen.hits = cache->hits;
        seen.misses = cache->misses;
        seen.stored = cache->stored;
        seen.damaged = cache->damaged;
    }
    dp_device_close(&device);
    return seen;
}

static void expect(const char *id, const outcome *first, int hits, int stored, int damaged)
{
    const outcome seen = compute(id);
    assert_true(seen.worked);
    assert_memory_equal(seen.words, first->words, sizeof seen.words);
    if (seen.hits != hits || seen.stored != stored || seen.damaged != damaged)
        fail_msg("%s: %d hits, %d stored, %d damaged; wanted %d, %d, %d", id, seen.hits, seen.stored,
                 seen.damaged, hits, stored, damaged);
}

/* An empty cache for this test; false for the reference, which builds nothing. */
static bool begin(dp_device *device, char id[32])
{
    const dp_device_info info = dp_device_get_info(device);
    snprintf(id, 32, "%s", info.id);
    if (strcmp(info.backend, "ref") == 0)
        return false;
    snprintf(base, sizeof base, "/tmp/dipole-test-kernels-XXXXXX");
    assert_non_null(mkdtemp(base));
    return setenv("DIPOLE_CACHE_DIR", base, 1) == 0;
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    assert_int_equal(system(command), 0);
}

/* The path of the one entry there is. */
static void find_entry(char path[400])
{
    char folder[128];
    const struct dirent *item;
    path[0] = '\0';
    snprintf(folder, sizeof folder, "%s/kernels", base);
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    while ((item = readdir(stream)))
        if (item->d_name[0] != '.') {
            assert_string_equal(path, "");
            snprintf(path, 400, "%s/%.200s", folder, item->d_name);
        }
    closedir(stream);
    assert_true(path[0] != '\0');
}

static unsigned char *read_entry(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    unsigned char *data = calloc(1, 1 << 24);
    assert_non_null(data);
    *bytes = fread(data, 1, 1 << 24, file);
    fclose(file);
    return data;
}

static void write_entry(const char *path, const unsigned char *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

static void test_second_opening(dp_device *device)
{
    char id[32];
    if (!begin(device, id))
        return;
    const outcome first = compute(id);
    assert_true(first.worked);
    assert_int_equal(first.hits, 0);
    assert_int_equal(first.misses, 1);
    assert_int_equal(first.stored, 1);
    expect(id, &first, 1, 0, 0);
    setenv("DIPOLE_CACHE", "off", 1);
    expect(id, &first, 0, 0, 0);
    unsetenv("DIPOLE_CACHE");
    setenv("DIPOLE_CACHE_DIR", "/proc/nothing", 1); /* no folder can be made */
    expect(id, &first, 0, 0, 0);
    end();
}

static void test_damaged(dp_device *device)
{
    char id[32], path[400];
    if (!begin(device, id))
        return;
    const outcome first = compute(id);
    find_entry(path);
    assert_int_equal(truncate(path, 300), 0);
    expect(id, &first, 0, 1, 1);
    size_t bytes;
    unsigned char *data = read_entry(path, &bytes);
    data[bytes - 9] ^= 1;
    write_entry(path, data, bytes);
    free(data);
    expect(id, &first, 0, 1, 1);
    expect(id, &first, 1, 0, 0);
    end();
}

/* A whole entry of the right key whose data no driver can take. Not for rusticl: that of Mesa 22.3 ends the
 * process where a binary is not its own, which is why the library's checks come before the driver's. */
static void test_refused(dp_device *device)
{
    char id[32], path[400];
    if (strncmp(dp_device_get_info(device).driver, "rusticl", 7) == 0 || !begin(device, id))
        return;
    const outcome first = compute(id);
    find_entry(path);
    size_t bytes;
    unsigned char *data = read_entry(path, &bytes);
    dp__text key = {0}; /* the file's layout: magic, hash, the lengths of key and data, key, data */
    uint64_t length;
    memcpy(&length, data + 24, sizeof length);
    dp__text_add_range(&key, (const char *)data + 40, (size_t)length);
    assert_non_null(strstr(key.data, dp_version()));
    assert_non_null(strstr(key.data, "\nmap groups "));
    dp__cache *cache = dp__cache_open(dp_device_get_info(device).backend);
    size_t kept;
    void *binary = dp__cache_get(cache, &key, &kept);
    assert_non_null(binary);
    dp__free(binary);
    dp__cache_put(cache, &key, "nonsense, and not a kernel", 26);
    dp__cache_close(cache);
    dp__text_free(&key);
    free(data);
    expect(id, &first, 1, 1, 1);
    expect(id, &first, 1, 0, 0);
    end();
}

typedef struct worker {
    pthread_t thread;
    const char *id;
    outcome seen;
} worker;

static void *work(void *argument)
{
    worker *w = argument;
    w->seen = compute(w->id);
    return NULL;
}

/* Threads that build, keep and load the same kernel at once, each on its own handle. */
static void test_together(dp_device *device)
{
    char id[32];
    worker workers[WORKERS];
    if (!begin(device, id))
        return;
    for (int w = 0; w < WORKERS; w++) {
        workers[w] = (worker){.id = id};
        assert_int_equal(pthread_create(&workers[w].thread, NULL, work, &workers[w]), 0);
    }
    for (int w = 0; w < WORKERS; w++)
        pthread_join(workers[w].thread, NULL);
    for (int w = 0; w < WORKERS; w++) {
        assert_true(workers[w].seen.worked);
        assert_int_equal(workers[w].seen.damaged, 0);
        assert_memory_equal(workers[w].seen.words, workers[0].seen.words, sizeof workers[0].seen.words);
    }
    expect(id, &workers[0].seen, 1, 0, 0);
    end();
}

int main(void)
{
    static const suite_test tests[] = {
        {"a second opening loads what the first built", test_second_opening},
        {"damaged entries are built anew", test_damaged},
        {"entries that the driver refuses are built anew", test_refused},
        {"several threads", test_together},
    };
    return suite_run("kernel_cache", tests, sizeof tests / sizeof *tests);
}
