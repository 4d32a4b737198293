/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the cache of built kernels: what is written is read, and what is damaged, foreign, half
 * written or in the way costs nothing but the entry. No device is needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache/cache.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOBODY = 65534, DATA = 5000 };

static char base[64]; /* of the test that runs; the entries are in the folder "kernels" below */

static void remove_tree(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "/tmp/dipole-test-cache-XXXXXX");
    unsetenv("DIPOLE_CACHE");
    unsetenv("DIPOLE_CACHE_MIB");
    return mkdtemp(base) && setenv("DIPOLE_CACHE_DIR", base, 1) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(base);
    return 0;
}

/* A key and its data, both made from a number. */
static void make_key(dp__text *key, int number)
{
    *key = (dp__text){0};
    for (int line = 0; line < 50; line++)
        dp__text_add(key, "line %d of key %d\n", line, number);
}

static void make_data(unsigned char data[DATA], int number)
{
    for (int b = 0; b < DATA; b++)
        data[b] = (unsigned char)(b * 7 + number * 31 + b / 256);
}

static void put(dp__cache *cache, int number)
{
    unsigned char data[DATA];
    dp__text key;
    make_key(&key, number);
    make_data(data, number);
    dp__cache_put(cache, &key, data, sizeof data);
    dp__text_free(&key);
}

/* 1: found, 0: not there, -1: there with other data than were kept. */
static int look(dp__cache *cache, int number)
{
    unsigned char wanted[DATA];
    dp__text key;
    size_t bytes;
    make_key(&key, number);
    make_data(wanted, number);
    void *data = dp__cache_get(cache, &key, &bytes);
    const bool good = !data || (bytes == sizeof wanted && memcmp(data, wanted, sizeof wanted) == 0);
    dp__text_free(&key);
    dp__free(data);
    return !good ? -1 : data != NULL;
}

static bool get(dp__cache *cache, int number)
{
    const int found = look(cache, number);
    if (found < 0)
        fail_msg("entry %d has other data than were kept", number);
    return found > 0;
}

static dp__cache *open_cache(void)
{
    dp__cache *cache = dp__cache_open("test");
    assert_non_null(cache);
    return cache;
}

static void path_of(const dp__cache *cache, int number, char path[256])
{
    dp__text key;
    make_key(&key, number);
    const dp__hash hash = dp__hash_of(key.data, key.length);
    dp__text_free(&key);
    snprintf(path, 256, "%s/test-%016llx%016llx.kernel", cache->folder, (unsigned long long)hash.word[0],
             (unsigned long long)hash.word[1]);
}

static void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

static size_t read_file(const char *path, unsigned char *data, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t bytes = fread(data, 1, capacity, file);
    fclose(file);
    return bytes;
}

static int count_files(const char *folder)
{
    DIR *stream = opendir(folder);
    int count = 0;
    while (stream && readdir(stream))
        count++;
    if (stream)
        closedir(stream);
    return count - 2 * (count >= 2);
}

/* The authors' test vectors: the bytes 0, 1, ... with the key 0 to 15. */
static void test_hash(void **state)
{
    (void)state;
    const unsigned char bytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    const dp__hash none = dp__hash_of(bytes, 0), one = dp__hash_of(bytes, 1);
    assert_true(none.word[0] == 0xe6a825ba047f81a3u && none.word[1] == 0x930255c71472f66du);
    assert_true(one.word[0] == 0x44af996bd8c187dau && one.word[1] == 0x45fc229b11597634u);
    for (size_t length = 0; length < sizeof bytes; length++) {
        const dp__hash shorter = dp__hash_of(bytes, length), longer = dp__hash_of(bytes, length + 1);
        assert_true(shorter.word[0] != longer.word[0] && shorter.word[1] != longer.word[1]);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    dp__cache *cache = open_cache();
    assert_false(get(cache, 1));
    assert_int_equal(count_files(base), 0); /* looking makes no folder */
    put(cache, 1);
    put(cache, 2);
    assert_true(get(cache, 1));
    assert_true(get(cache, 2));
    assert_false(get(cache, 3));
    assert_int_equal(cache->hits, 2);
    assert_int_equal(cache->misses, 2);
    assert_int_equal(cache->stored, 2);
    assert_int_equal(count_files(cache->folder), 2);
    dp__cache_close(cache);
    cache = open_cache();
    assert_true(get(cache, 1));
    dp__cache_close(cache);
    dp__cache *other = dp__cache_open("other"); /* entries of one backend are not those of another */
    assert_false(get(other, 1));
    dp__cache_close(other);
}

/* The file becomes `bytes` long, with the byte at `place` changed if that lies in it. */
static void check_damage(dp__cache *cache, const unsigned char *whole, size_t bytes, size_t place)
{
    unsigned char image[2 * DATA];
    char path[256];
    const int damaged = cache->damaged;
    path_of(cache, 1, path);
    memcpy(image, whole, bytes);
    if (place < bytes)
        image[place] ^= 0x40;
    write_file(path, image, bytes);
    if (get(cache, 1))
        fail_msg("%zu bytes with byte %zu changed pass for an entry", bytes, place);
    assert_int_equal(cache->damaged, damaged + 1);
    assert_int_not_equal(access(path, F_OK), 0); /* it is gone, and can be kept again */
    put(cache, 1);
    assert_true(get(cache, 1));
}

static void test_damage(void **state)
{
    (void)state;
    unsigned char whole[2 * DATA] = {0};
    char path[256];
    dp__cache *cache = open_cache();
    put(cache, 1);
    path_of(cache, 1, path);
    const size_t bytes = read_file(path, whole, sizeof whole);
    assert_true(bytes > DATA && bytes + 1 < sizeof whole);
    for (size_t length = 0; length < bytes; length += length < 64 ? 5 : 997)
        check_damage(cache, whole, length, SIZE_MAX);
    check_damage(cache, whole, bytes - 1, SIZE_MAX);
    check_damage(cache, whole, bytes + 1, SIZE_MAX);
    for (size_t place = 0; place < bytes; place += place < 64 ? 1 : 499)
        check_damage(cache, whole, bytes, place);
    check_damage(cache, whole, bytes, bytes - 1);
    dp__cache_close(cache);
}

/* A whole entry under the name of another: as if two keys had one hash. */
static void test_wrong_key(void **state)
{
    (void)state;
    char path[256], other[256];
    dp__cache *cache = open_cache();
    put(cache, 1);
    put(cache, 2);
    path_of(cache, 1, path);
    path_of(cache, 2, other);
    assert_int_equal(rename(path, other), 0);
    assert_false(get(cache, 2));
    assert_int_equal(cache->damaged, 1);
    put(cache, 2);
    assert_true(get(cache, 2));
    dp__cache_close(cache);
}

/* Things that are no files of ours in an entry's place: not followed, not used, not waited for. */
static void test_in_the_way(void **state)
{
    (void)state;
    char path[256], target[256];
    dp__cache *cache = open_cache();
    put(cache, 1);
    path_of(cache, 1, path);
    snprintf(target, sizeof target, "%s/elsewhere", base);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_false(get(cache, 1));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(get(cache, 1));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(get(cache, 1));
    put(cache, 1);
    assert_true(cache->read_only);                   /* a folder cannot be replaced */
    assert_int_equal(count_files(cache->folder), 1); /* and no unfinished file is left */
    dp__cache_close(cache);
}

/* What others may write is code of others. */
static void test_other_writers(void **state)
{
    (void)state;
    char path[256];
    dp__cache *cache = open_cache();
    put(cache, 1);
    path_of(cache, 1, path);
    assert_int_equal(chmod(path, 0622), 0);
    assert_false(get(cache, 1));
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(get(cache, 1));
    if (geteuid() == 0) {
        assert_int_equal(chown(path, NOBODY, NOBODY), 0);
        assert_false(get(cache, 1));
        put(cache, 1); /* replaced, not written into */
        assert_true(get(cache, 1));
    }
    dp__cache_close(cache);
}

/* As somebody who may read but not write. */
static void test_read_only(void **state)
{
    (void)state;
    const bool root = geteuid() == 0;
    char path[256];
    dp__cache *cache = open_cache();
    put(cache, 1);
    path_of(cache, 1, path);
    assert_int_equal(chmod(path, 0444) | chmod(cache->folder, 0555) | chmod(base, 0555), 0);
    if (root)
        assert_int_equal(seteuid(NOBODY), 0);
    const bool found = get(cache, 1);
    put(cache, 2);
    put(cache, 3);
    const bool second = get(cache, 2);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(base, 0700) | chmod(cache->folder, 0700), 0);
    assert_true(found);
    assert_false(second);
    assert_true(cache->read_only);
    assert_int_equal(cache->stored, 1);
    assert_int_equal(count_files(cache->folder), 1);
    dp__cache_close(cache);
}

/* No place at all, and places where no folder can be made. */
static void test_no_folder(void **state)
{
    (void)state;
    static const char *const places[] = {"/proc/nothing/of/ours", "/dev/null", "/dev/null/below"};
    dp_cache_usage usage;
    uint64_t removed = 7;
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        setenv("DIPOLE_CACHE_DIR", places[p], 1);
        dp__cache *cache = open_cache();
        assert_false(get(cache, 1));
        put(cache, 1);
        assert_false(get(cache, 1));
        assert_true(cache->read_only);
        assert_int_equal(dp_cache_usage_list(&usage, 1), 0);
        dp__cache_close(cache);
    }
    setenv("DIPOLE_CACHE", "off", 1);
    assert_null(dp__cache_open("test"));
    assert_int_equal(dp_cache_clear(&removed), DP_OK);
    assert_int_equal(removed, 0);
}

/* A disk that is full: the process may write no file of this size. */
static void test_full_disk(void **state)
{
    (void)state;
    struct rlimit before, little;
    dp__cache *cache = open_cache();
    put(cache, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = (struct rlimit){.rlim_cur = 1000, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    put(cache, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_true(cache->read_only);
    assert_true(get(cache, 1));
    assert_false(get(cache, 2));
    assert_int_equal(count_files(cache->folder), 1);
    dp__cache_close(cache);
}

/* Several processes write, damage, read and clear the same few entries: each sees whole ones or none. */
static void disturb(unsigned seed)
{
    dp__cache *cache = open_cache();
    char path[256];
    bool good = true;
    for (int round = 0; round < 300; round++) {
        seed = seed * 1103515245u + 12345;
        const int number = (int)(seed >> 16) % 4, found = look(cache, number);
        good = good && found >= 0;
        if (found == 0)
            put(cache, number);
        path_of(cache, number, path);
        if (round % 7 == 0 && truncate(path, 1000) != 0)
            continue; /* it may be gone */
        if (round % 50 == 49)
            dp_cache_clear(NULL);
    }
    good = good && !cache->read_only;
    dp__cache_close(cache);
    _exit(good ? 0 : 1);
}

static void test_processes(void **state)
{
    (void)state;
    pid_t children[4];
    for (unsigned c = 0; c < 4; c++)
        if ((children[c] = fork()) == 0)
            disturb(c + 1);
    for (int c = 0; c < 4; c++) {
        int status = 1;
        assert_int_equal(waitpid(children[c], &status, 0), children[c]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    char folder[128];
    snprintf(folder, sizeof folder, "%s/kernels", base);
    assert_int_equal(dp_cache_clear(NULL), DP_OK);
    assert_int_equal(count_files(folder), 0); /* no unfinished file either */
}

static void set_age(const dp__cache *cache, int number, int hours)
{
    char path[256];
    path_of(cache, number, path);
    const struct timespec times[2] = {{.tv_sec = time(NULL) - hours * 3600},
                                      {.tv_sec = time(NULL) - hours * 3600}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* What was not used for longest goes first; use makes an entry young; other files stay. */
static void test_limit(void **state)
{
    (void)state;
    char path[256], foreign[256];
    dp__cache *cache = open_cache();
    for (int number = 0; number < 8; number++) {
        put(cache, number);
        set_age(cache, number, 10 + number);
    }
    assert_true(get(cache, 7)); /* the oldest is used */
    snprintf(foreign, sizeof foreign, "%s/notes.kernel", cache->folder);
    write_file(foreign, "mine", 4);
    snprintf(path, sizeof path, "%s/tmp-abc123", cache->folder);
    write_file(path, "half", 4);
    dp__cache_trim(cache->folder, (uint64_t)1 << 30);
    assert_int_equal(count_files(cache->folder),
                     10); /* below the limit nothing goes, nor does what is being written */
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    dp__cache_trim(cache->folder, 5 * (DATA + 1200));
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(access(foreign, F_OK), 0);
    assert_true(get(cache, 7));
    assert_true(get(cache, 0));
    assert_false(get(cache, 6));
    assert_false(get(cache, 5));
    dp__cache_close(cache);
    setenv("DIPOLE_CACHE_MIB", "3", 1);
    assert_true(dp__cache_limit() == (uint64_t)3 << 20);
    setenv("DIPOLE_CACHE_MIB", "lots", 1);
    assert_true(dp__cache_limit() == (uint64_t)256 << 20);
    setenv("DIPOLE_CACHE_MIB", "-1", 1);
    assert_true(dp__cache_limit() == (uint64_t)256 << 20);
}

/* Large entries: the folder is looked at again while they are written. */
static void test_growth(void **state)
{
    (void)state;
    enum { LARGE = 3 << 20 };
    setenv("DIPOLE_CACHE_MIB", "20", 1);
    dp__cache *cache = open_cache();
    unsigned char *data = calloc(LARGE, 1);
    assert_non_null(data);
    for (int number = 0; number < 40; number++) {
        dp__text key;
        make_key(&key, number);
        dp__cache_put(cache, &key, data, LARGE);
        dp__text_free(&key);
    }
    free(data);
    assert_int_equal(cache->stored, 40);
    assert_in_range(count_files(cache->folder), 5, 12); /* 20 MiB, and what is written between two looks */
    dp__cache_close(cache);
}

static void test_public(void **state)
{
    (void)state;
    char folder[256], small[8], wanted[128];
    dp_cache_usage usage[4];
    uint64_t removed = 0;
    snprintf(wanted, sizeof wanted, "%s/kernels", base);
    assert_int_equal(dp_cache_folder(folder, sizeof folder), strlen(wanted));
    assert_string_equal(folder, wanted);
    assert_int_equal(dp_cache_folder(small, sizeof small), strlen(wanted));
    assert_int_equal(strlen(small), 7);
    assert_int_equal(dp_cache_folder(NULL, 0), strlen(wanted));
    assert_int_equal(dp_cache_usage_list(usage, 4), 0); /* a folder that is not there */
    assert_int_equal(dp_cache_clear(&removed), DP_OK);
    dp__cache *cache = open_cache(), *other = dp__cache_open("alpha");
    put(cache, 1);
    put(cache, 2);
    put(other, 1);
    assert_int_equal(dp_cache_usage_list(NULL, 0), 2);
    assert_int_equal(dp_cache_usage_list(usage, 1), 2);
    assert_string_equal(usage[0].backend, "alpha");
    assert_int_equal(dp_cache_usage_list(usage, 4), 2);
    assert_string_equal(usage[1].backend, "test");
    assert_int_equal(usage[1].entries, 2);
    assert_in_range(usage[1].bytes, 2 * DATA, 2 * DATA + 4000);
    snprintf(folder, sizeof folder, "%s/mine", cache->folder);
    write_file(folder, "x", 1);
    assert_int_equal(dp_cache_clear(&removed), DP_OK);
    assert_int_equal(removed, 3);
    assert_int_equal(count_files(cache->folder), 1);
    dp__cache_close(cache);
    dp__cache_close(other);
}

/* Where the folder is, by what the environment says. */
static void test_places(void **state)
{
    (void)state;
    char folder[256], *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    unsetenv("DIPOLE_CACHE_DIR");
    setenv("XDG_CACHE_HOME", "/somewhere", 1);
    setenv("HOME", "/at/home", 1);
    dp_cache_folder(folder, sizeof folder);
    assert_string_equal(folder, "/somewhere/dipole/kernels");
    setenv("XDG_CACHE_HOME", "relative", 1);
    dp_cache_folder(folder, sizeof folder);
    assert_string_equal(folder, "/at/home/.cache/dipole/kernels");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_int_equal(dp_cache_folder(folder, sizeof folder), 0);
    assert_string_equal(folder, "");
    if (home)
        setenv("HOME", home, 1);
    free(home);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hash),          TEST(round_trip), TEST(damage),    TEST(wrong_key), TEST(in_the_way),
        TEST(other_writers), TEST(read_only),  TEST(no_folder), TEST(full_disk), TEST(processes),
        TEST(limit),         TEST(growth),     TEST(public),    TEST(places),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
