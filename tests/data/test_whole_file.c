/* SPDX-License-Identifier: Apache-2.0 */
/* Files that appear whole or not at all: full disks, folders that cannot be written, links, permissions. */
#include "core/whole_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/dipole-whole-XXXXXX";
static char path[64], other[64];

static void expect_content(const char *name, const char *text)
{
    char content[64] = "";
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    content[fread(content, 1, sizeof content - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(content, text);
}

static int files_in(const char *name)
{
    int count = 0;
    DIR *stream = opendir(name);
    assert_non_null(stream);
    for (const struct dirent *item; (item = readdir(stream));)
        count += strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0;
    closedir(stream);
    return count;
}

static void test_replace(void **state)
{
    (void)state;
    assert_true(dp__whole_save(path, "one", 3));
    expect_content(path, "one");
    assert_int_equal(files_in(folder), 1);
    struct stat status;
    assert_int_equal(chmod(path, 0640), 0);
    assert_true(dp__whole_save(path, "second", 6));
    expect_content(path, "second");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_true(dp__whole_save(path, "", 0));
    expect_content(path, "");
    unlink(path);
    const mode_t old = umask(027);
    assert_true(dp__whole_save(path, "one", 3));
    umask(old);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(files_in(folder), 1);
}

static void test_drop(void **state)
{
    (void)state;
    dp__whole_file file;
    assert_true(dp__whole_save(path, "old", 3));
    assert_true(dp__whole_open(&file, path, NULL));
    assert_true(dp__whole_write(&file, "new", 3));
    assert_int_equal(files_in(folder), 2);
    expect_content(path, "old"); /* until it is closed */
    dp__whole_drop(&file);
    expect_content(path, "old");
    assert_int_equal(files_in(folder), 1);
}

/* As on a full disk: writing ends with an error in the middle. */
static void test_full(void **state)
{
    (void)state;
    struct rlimit old, limit;
    assert_true(dp__whole_save(path, "old", 3));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){.rlim_cur = 100000, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    char *data = calloc(200000, 1);
    assert_non_null(data);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const bool saved = dp__whole_save(path, data, 200000);
    const int error = errno;
    dp__whole_file file;
    const bool opened = dp__whole_open(&file, path, NULL);
    bool wrote = true;
    for (int part = 0; part < 4; part++)
        wrote = dp__whole_write(&file, data, 50000);
    const bool closed = dp__whole_close(&file);
    const int second_error = errno;
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    free(data);
    assert_false(saved);
    assert_int_equal(error, EFBIG);
    assert_true(opened);
    assert_false(wrote);
    assert_false(closed);
    assert_int_equal(second_error, EFBIG);
    expect_content(path, "old");
    assert_int_equal(files_in(folder), 1);
}

static void expect_refused(const char *name, int error)
{
    errno = 0;
    const bool saved = dp__whole_save(name, "new", 3);
    assert_int_equal(errno, error);
    assert_false(saved);
}

static void test_refused(void **state)
{
    (void)state;
    char name[400];
    assert_true(dp__whole_save(path, "old", 3));
    snprintf(name, sizeof name, "%s/none/file", folder);
    expect_refused(name, ENOENT);
    snprintf(name, sizeof name, "%s/below", path);
    expect_refused(name, ENOTDIR);
    expect_refused(folder, EISDIR);
    expect_refused("/dev/full", EINVAL); /* a device is not replaced by a file, whoever runs this */
    expect_refused("", ENOENT);
    snprintf(name, sizeof name, "%s/%0300d", folder, 1);
    expect_refused(name, ENAMETOOLONG);
    struct stat status;
    assert_int_equal(stat("/dev/full", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    expect_content(path, "old");
    assert_int_equal(files_in(folder), 1);
}

static void test_read_only(void **state)
{
    (void)state;
    assert_true(dp__whole_save(path, "old", 3));
    if (geteuid() == 0) /* who may write everywhere: become somebody who may not */
        if (chown(path, 65534, 65534) != 0 || chown(folder, 65534, 65534) != 0 || seteuid(65534) != 0)
            skip();
    assert_int_equal(chmod(path, 0444), 0);
    expect_refused(path, EACCES);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    expect_refused(path, EACCES);
    expect_refused(other, EACCES);
    assert_int_equal(chmod(folder, 0755), 0);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    expect_content(path, "old");
    assert_int_equal(files_in(folder), 1);
}

static void test_links(void **state)
{
    (void)state;
    struct stat status;
    assert_true(dp__whole_save(path, "old", 3));
    assert_int_equal(symlink("file", other), 0);
    assert_true(dp__whole_save(other, "new", 3));
    expect_content(path, "new");
    assert_int_equal(lstat(other, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    unlink(path);
    expect_refused(other, ENOENT);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(files_in(folder), 0);
}

/* Names without a folder are of the current one; long ones leave room for the temporary's. */
static void test_names(void **state)
{
    (void)state;
    char here[4096], name[256];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    const bool saved = dp__whole_save("file", "one", 3);
    memset(name, 'n', 255);
    name[255] = '\0';
    const bool long_saved = dp__whole_save(name, "two", 3);
    const int removed = unlink(name);
    assert_int_equal(chdir(here), 0);
    assert_true(saved);
    assert_true(long_saved);
    assert_int_equal(removed, 0);
    expect_content(path, "one");
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"whole_file/replace", test_replace, NULL, NULL, NULL},
        {"whole_file/drop", test_drop, NULL, NULL, NULL},
        {"whole_file/full", test_full, NULL, NULL, NULL},
        {"whole_file/refused", test_refused, NULL, NULL, NULL},
        {"whole_file/read_only", test_read_only, NULL, NULL, NULL},
        {"whole_file/links", test_links, NULL, NULL, NULL},
        {"whole_file/names", test_names, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("whole_file", tests, set_up, tear_down);
}
