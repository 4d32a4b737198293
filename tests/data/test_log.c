/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of a run: what is in them, going on after an interruption anywhere, and full disks. */
#include <dipole/file.h>

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/dipole-log-XXXXXX";
static char path[64];
static const char *const columns[] = {"loss", "learning rate"};

static size_t read_file(char *text, size_t most)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t size = fread(text, 1, most - 1, file);
    text[size] = '\0';
    fclose(file);
    return size;
}

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static dp_log *open_good(dp_log_format format, int64_t resume)
{
    dp_log *log = NULL;
    char message[256];
    const dp_status status = dp_log_open(path, format, columns, 2, resume, &log, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(status, DP_OK);
    return log;
}

static void expect_bad(dp_status expected, const char *part, dp_log_format format, int64_t resume)
{
    dp_log *log = (dp_log *)&folder;
    char message[256];
    const dp_status status = dp_log_open(path, format, columns, 2, resume, &log, message, sizeof message);
    if (status != expected || !strstr(message, part))
        fail_msg("%s \"%s\", expected %s \"...%s...\"", dp_status_name(status), message, dp_status_name(expected), part);
    assert_null(log);
}

static void test_text(void **state)
{
    (void)state;
    static const double rows[][2] = {{0.1, 1e-3}, {1.0 / 3, 100000}, {NAN, -INFINITY}, {-0.0, 1e300}, {(double)0.1f, 16777217}};
    static const char *const expected[] = {
        "step,loss,learning rate\n0,0.1,0.001\n1,0.3333333333333333,1e+05\n5,nan,-inf\n6,-0,1e+300\n"
        "7,0.10000000149011612,16777217\n",
        "{\"step\":0,\"loss\":0.1,\"learning rate\":0.001}\n{\"step\":1,\"loss\":0.3333333333333333,\"learning rate\":1e+05}\n"
        "{\"step\":5,\"loss\":null,\"learning rate\":null}\n{\"step\":6,\"loss\":-0,\"learning rate\":1e+300}\n"
        "{\"step\":7,\"loss\":0.10000000149011612,\"learning rate\":16777217}\n"};
    static const int64_t steps[] = {0, 1, 5, 6, 7};
    char text[1024], message[256];
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        print_message("# no locale with a decimal comma is installed\n");
    for (int format = 0; format < 2; format++) {
        dp_log *log = open_good((dp_log_format)format, -1);
        assert_int_equal(dp_log_last(log), -1);
        for (int r = 0; r < 5; r++)
            assert_int_equal(dp_log_row(log, steps[r], rows[r], message, sizeof message), DP_OK);
        read_file(text, sizeof text); /* before it is closed */
        assert_string_equal(text, expected[format]);
        assert_int_equal(dp_log_last(log), 7);
        assert_int_equal(dp_log_row(log, 7, rows[0], message, sizeof message), DP_ERROR_ARGUMENT);
        assert_non_null(strstr(message, "step 7 is not after step 7"));
        assert_int_equal(dp_log_row(log, 8, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
        assert_int_equal(dp_log_close(&log), DP_OK);
        assert_null(log);
        read_file(text, sizeof text);
        assert_string_equal(text, expected[format]);
    }
    setlocale(LC_NUMERIC, "C");
}

/* A run of steps 0, 2, ... that is cut off anywhere, and goes on from a checkpoint, leaves the file of one that ran through. */
static void test_resume(void **state)
{
    (void)state;
    char whole[1024], text[1024];
    for (int format = 0; format < 2; format++) {
        dp_log *log = open_good((dp_log_format)format, -1);
        for (int step = 0; step < 12; step += 2)
            assert_int_equal(dp_log_row(log, step, (const double[]){sqrt(step), step % 4 ? NAN : 1}, NULL, 0), DP_OK);
        assert_int_equal(dp_log_close(&log), DP_OK);
        const size_t size = read_file(whole, sizeof whole);
        for (size_t cut = 0; cut <= size; cut += cut + 4 < size ? 3 : 1) { /* each opening waits for the disk */
            write_file(whole, cut);
            log = open_good((dp_log_format)format, 5);
            const int64_t last = dp_log_last(log); /* 4, or less where rows before the checkpoint are gone */
            assert_true(last <= 4);
            if (cut > size / 2 + 60)
                assert_int_equal(last, 4);
            for (int64_t step = last < 0 ? 0 : last + 2; step < 12; step += 2)
                assert_int_equal(dp_log_row(log, step, (const double[]){sqrt((double)step), step % 4 ? NAN : 1}, NULL, 0), DP_OK);
            assert_int_equal(dp_log_close(&log), DP_OK);
            assert_int_equal(read_file(text, sizeof text), size);
            assert_memory_equal(text, whole, size);
        }
        write_file(whole, size);
        log = open_good((dp_log_format)format, 100); /* nothing is dropped */
        assert_int_equal(dp_log_last(log), 10);
        assert_int_equal(dp_log_close(&log), DP_OK);
        assert_int_equal(read_file(text, sizeof text), size);
        unlink(path);
        log = open_good((dp_log_format)format, 5); /* begun where there is none */
        assert_int_equal(dp_log_last(log), -1);
        assert_int_equal(dp_log_close(&log), DP_OK);
        assert_int_equal(read_file(text, sizeof text), format ? 0 : strlen("step,loss,learning rate\n"));
    }
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
        dp_log_format format;
    } cases[] = {
        {"step,loss\n0,1\n", "has other columns", DP_LOG_CSV},
        {"step,loss,learning rates\n", "has other columns", DP_LOG_CSV},
        {"\n", "has other columns", DP_LOG_CSV},
        {"step,loss,learning rate\n0,1\n", "line 2 is no row", DP_LOG_CSV},
        {"step,loss,learning rate\n0,1,2\n1,1,2,3\n", "line 3 is no row", DP_LOG_CSV},
        {"step,loss,learning rate\n0,1,2\n1,x,2\n", "line 3 is no row", DP_LOG_CSV},
        {"step,loss,learning rate\n3,1,2\n3,1,2\n", "line 3 is no row", DP_LOG_CSV},
        {"step,loss,learning rate\n-3,1,2\n", "line 2 is no row", DP_LOG_CSV},
        {"step,loss,learning rate\n99999999999999999999,1,2\n", "line 2 is no row", DP_LOG_CSV},
        {"step,loss,learning rate\n\n", "line 2 is no row", DP_LOG_CSV},
        {"{\"step\":1,\"loss\":1}\n", "line 1 is no row", DP_LOG_JSON_LINES},
        {"{\"step\":1,\"loss\":1,\"learning rate\":2}x\n", "line 1 is no row", DP_LOG_JSON_LINES},
        {"{\"step\":1,\"loss\":1,\"learning rate\":}\n", "line 1 is no row", DP_LOG_JSON_LINES},
        {"step,loss,learning rate\n", "line 1 is no row", DP_LOG_JSON_LINES},
    };
    char text[256];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        write_file(cases[c].text, strlen(cases[c].text));
        expect_bad(DP_ERROR_FORMAT, cases[c].part, cases[c].format, 50);
        read_file(text, sizeof text);
        assert_string_equal(text, cases[c].text); /* left as it is */
    }
    write_file("step,loss,learning rate\n0,1,\0\n", 31);
    expect_bad(DP_ERROR_FORMAT, "line 2 is no row", DP_LOG_CSV, 50);
}

static void expect_bad_columns(const char *part, const char *const *names, int count)
{
    dp_log *log;
    char message[256];
    assert_int_equal(dp_log_open(path, DP_LOG_CSV, names, count, -1, &log, message, sizeof message), DP_ERROR_ARGUMENT);
    if (!strstr(message, part))
        fail_msg("\"%s\", expected \"...%s...\"", message, part);
    assert_null(log);
}

static void test_bad_calls(void **state)
{
    (void)state;
    dp_log *log;
    char message[256];
    expect_bad_columns("count is 0", columns, 0);
    expect_bad_columns("count is 1001", columns, 1001);
    expect_bad_columns("columns is NULL", NULL, 1);
    expect_bad_columns("column 1 is NULL", (const char *const[]){"a", NULL}, 2);
    static const char *const bad[] = {"", "step", "a,b", "a\"", "a\\", "a\n", "\xe9", "a"};
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
        expect_bad_columns("column 1 cannot be named", (const char *const[]){"a", bad[b]}, 2);
    expect_bad(DP_ERROR_ARGUMENT, "format is 2", (dp_log_format)2, -1);
    assert_int_equal(dp_log_open(NULL, DP_LOG_CSV, columns, 2, -1, &log, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_string_equal(message, "path: is NULL");
    assert_int_equal(dp_log_open(path, DP_LOG_CSV, columns, 2, -1, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_log_open(folder, DP_LOG_CSV, columns, 2, -1, &log, message, sizeof message), DP_ERROR_IO);
    assert_int_equal(dp_log_open(folder, DP_LOG_CSV, columns, 2, 5, &log, message, sizeof message), DP_ERROR_IO);
    assert_int_equal(dp_log_open("/proc/none/x", DP_LOG_CSV, columns, 2, 5, &log, message, sizeof message), DP_ERROR_IO);
    assert_int_equal(dp_log_row(NULL, 1, (const double[]){1, 2}, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_log_close(NULL), DP_OK);
    assert_int_equal(dp_log_last(NULL), -1);
}

/* A row that does not fit is taken back, and goes in when there is room. */
static void test_full(void **state)
{
    (void)state;
    struct rlimit old;
    char text[256], message[256];
    dp_log *log = open_good(DP_LOG_CSV, -1);
    assert_int_equal(dp_log_row(log, 0, (const double[]){1, 2}, NULL, 0), DP_OK);
    const size_t before = read_file(text, sizeof text);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = before + 3, .rlim_max = old.rlim_max}), 0);
    const dp_status status = dp_log_row(log, 1, (const double[]){3, 4}, message, sizeof message);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, DP_ERROR_IO);
    assert_non_null(strstr(message, "cannot be written: File too large"));
    assert_int_equal(read_file(text, sizeof text), before);
    assert_int_equal(dp_log_row(log, 1, (const double[]){3, 4}, NULL, 0), DP_OK);
    assert_int_equal(dp_log_close(&log), DP_OK);
    read_file(text, sizeof text);
    assert_string_equal(text, "step,loss,learning rate\n0,1,2\n1,3,4\n");
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"log/text", test_text, NULL, NULL, NULL},           {"log/resume", test_resume, NULL, NULL, NULL},
        {"log/bad_files", test_bad_files, NULL, NULL, NULL}, {"log/bad_calls", test_bad_calls, NULL, NULL, NULL},
        {"log/full", test_full, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("log", tests, set_up, tear_down);
}
