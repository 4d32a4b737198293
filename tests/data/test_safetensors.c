/* SPDX-License-Identifier: Apache-2.0 */
/* Safetensors: a file of the format's own library, files of ours, and files that are wrong in every way. */
#include <dipole/file.h>

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char folder[] = "/tmp/dipole-safetensors-XXXXXX";
static char path[64];
static const char *fixture;
static dp_device *device;

static size_t read_bytes(const char *name, char *bytes, size_t most)
{
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, most, file);
    fclose(file);
    return size;
}

static void write_bytes(const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static dp_safetensors *open_good(const char *name)
{
    dp_safetensors *file = NULL;
    char message[256] = "x";
    const dp_status status = dp_safetensors_open(name, &file, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(status, DP_OK);
    assert_non_null(file);
    return file;
}

static void expect_tensor(const dp_safetensors *file, const char *name, dp_dtype dtype, dp_shape shape, const void *bytes)
{
    dp_tensor *tensor = dp_safetensors_load(device, file, name);
    assert_string_equal(dp_message(device), "");
    assert_int_equal(dp_tensor_dtype(tensor), dtype);
    const dp_shape own = dp_tensor_shape(tensor);
    assert_int_equal(own.rank, shape.rank);
    for (int axis = 0; axis < own.rank; axis++)
        assert_int_equal(own.dim[axis], shape.dim[axis]);
    char values[64];
    const size_t size = (size_t)dp_tensor_size(tensor) * dp_dtype_size(dtype);
    assert_int_equal(dp_read(tensor, values, size), DP_OK);
    assert_memory_equal(values, bytes, size ? size : 1);
    dp_tensor_release(&tensor);
}

static void test_fixture(void **state)
{
    (void)state;
    dp_safetensors *file = open_good(fixture);
    assert_int_equal(dp_safetensors_count(file), 7);
    expect_tensor(file, "layer.weight", DP_F32, DP_SHAPE(2, 3), (const float[]){0, 0.5f, -1, 1.5f, -2, 2.5f});
    expect_tensor(file, "layer.bias \xc3\xa9", DP_F16, DP_SHAPE(3), (const uint16_t[]){0x3C00, 0xB800, 0x7BFF});
    expect_tensor(file, "steps", DP_I32, DP_SCALAR, (const int32_t[]){-7});
    expect_tensor(file, "brain", DP_BF16, DP_SHAPE(1, 2), (const uint16_t[]){0x3F80, 0xC040});
    dp_tensor *empty = dp_safetensors_load(device, file, "empty");
    assert_int_equal(dp_tensor_size(empty), 0);
    assert_int_equal(dp_tensor_shape(empty).dim[1], 4);
    dp_tensor_release(&empty);
    assert_int_equal(dp_failed(device), DP_OK);

    assert_null(dp_safetensors_load(device, file, "long"));
    assert_int_equal(dp_clear(device), DP_ERROR_UNSUPPORTED);
    const int index = dp_safetensors_find(file, "long");
    int64_t values[2];
    assert_string_equal(dp_safetensors_at(file, index)->type, "I64");
    assert_int_equal(dp_safetensors_at(file, index)->dtype, DP_DTYPE_COUNT);
    assert_int_equal(dp_safetensors_read(file, index, values, 15), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_safetensors_read(file, index, NULL, 16), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_safetensors_read(file, 7, values, 16), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_safetensors_read(file, index, values, 16), DP_OK);
    assert_true(values[0] == (int64_t)1 << 40 && values[1] == -1);

    assert_int_equal(dp_safetensors_pairs(file), 2);
    assert_string_equal(dp_safetensors_value(file, "format"), "pt");
    assert_string_equal(dp_safetensors_value(file, "quoted \"key\"\n"), "a\\b\tc\xc3\xa9\xf0\x9f\x98\x80");
    assert_null(dp_safetensors_value(file, "none"));
    assert_string_equal(dp_safetensors_pair(file, 0).key, "format");
    assert_null(dp_safetensors_pair(file, 2).key);
    assert_null(dp_safetensors_at(file, -1));
    assert_int_equal(dp_safetensors_find(file, "none"), -1);
    dp_safetensors_close(&file);
    assert_null(file);
}

/* What is written is read again, as the same, and the same is written twice. */
static void test_own(void **state)
{
    (void)state;
    const float f32[] = {1, -2.5f, INFINITY, 4, 5, 6};
    const uint16_t f16[] = {1, 2, 3};
    const int32_t i32[] = {-1, 1 << 30};
    dp_tensor *a = dp_from(device, DP_F16, DP_SHAPE(3), f16), *b = dp_from(device, DP_F32, DP_SHAPE(2, 3), f32);
    dp_tensor *c = dp_from(device, DP_I32, DP_SHAPE(2, 1), i32), *turned = dp_transpose(b, 0, 1);
    const dp_named_tensor tensors[] = {{"a", a}, {"b \"\\\x01\x7f\xc3\xa9", b}, {"", c}, {"t", turned}};
    const dp_metadata pairs[] = {{"step", "12"}, {"", ""}, {"text", "{\"x\": [1,\n2]}"}};
    char message[256], first[1024], second[1024];
    assert_int_equal(dp_safetensors_save(path, tensors, 4, pairs, 3, message, sizeof message), DP_OK);
    assert_string_equal(message, "");
    const size_t size = read_bytes(path, first, sizeof first);
    assert_int_equal(dp_safetensors_save(path, tensors, 4, pairs, 3, NULL, 0), DP_OK);
    assert_int_equal(read_bytes(path, second, sizeof second), size);
    assert_memory_equal(first, second, size);

    dp_safetensors *file = open_good(path);
    assert_int_equal(dp_safetensors_count(file), 4);
    expect_tensor(file, "a", DP_F16, DP_SHAPE(3), f16);
    expect_tensor(file, "b \"\\\x01\x7f\xc3\xa9", DP_F32, DP_SHAPE(2, 3), f32);
    expect_tensor(file, "", DP_I32, DP_SHAPE(2, 1), i32);
    expect_tensor(file, "t", DP_F32, DP_SHAPE(3, 2), (const float[]){1, 4, -2.5f, 5, INFINITY, 6});
    for (int t = 0; t < 4; t++) /* values are aligned */
        assert_int_equal(dp_safetensors_at(file, t)->offset % (dp_safetensors_at(file, t)->dtype == DP_F16 ? 2 : 4), 0);
    assert_string_equal(dp_safetensors_value(file, "text"), "{\"x\": [1,\n2]}");
    assert_string_equal(dp_safetensors_value(file, ""), "");
    dp_safetensors_close(&file);

    assert_int_equal(dp_safetensors_save(path, NULL, 0, NULL, 0, NULL, 0), DP_OK);
    file = open_good(path);
    assert_int_equal(dp_safetensors_count(file), 0);
    assert_int_equal(dp_safetensors_pairs(file), 0);
    dp_safetensors_close(&file);
    dp_tensor *all[] = {a, b, c, turned};
    for (size_t t = 0; t < COUNT(all); t++)
        dp_tensor_release(&all[t]);
    assert_int_equal(dp_failed(device), DP_OK);
}

/* A file of this header and so many bytes behind it. */
static void make_file(const char *header, size_t length, size_t bytes)
{
    char file[4096] = {0};
    assert_true(8 + length + bytes <= sizeof file);
    for (int b = 0; b < 8; b++)
        file[b] = (char)((uint64_t)length >> 8 * b & 255);
    memcpy(file + 8, header, length);
    write_bytes(file, 8 + length + bytes);
}

static void expect_bad(dp_status expected, const char *part, const char *what)
{
    dp_safetensors *file = (dp_safetensors *)&folder;
    char message[256], tiny[8];
    const dp_status status = dp_safetensors_open(path, &file, message, sizeof message);
    if (status != expected || !strstr(message, part) || strncmp(message, path, strlen(path)) != 0)
        fail_msg("%s: %s \"%s\", expected %s \"...%s...\"", what, dp_status_name(status), message, dp_status_name(expected),
                 part);
    assert_null(strchr(message, '\n'));
    assert_null(file);
    assert_int_equal(dp_safetensors_open(path, &file, tiny, sizeof tiny), expected);
    assert_non_null(memchr(tiny, '\0', sizeof tiny));
}

#define F32(offsets) "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" offsets

static void test_bad_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t bytes;
        const char *part;
    } cases[] = {
        {"", 0, "does not begin with a brace"},
        {" {}", 0, "does not begin with a brace"},
        {"[]", 0, "does not begin with a brace"},
        {"{", 0, "lacks a string"},
        {"{}x", 0, "goes on behind its object"},
        {"{\"a\"}", 0, "lacks a colon"},
        {"{\"a\":1}", 0, "name without an object"},
        {"{\"a\":{}}", 0, "lacks a string"},
        {"{\"a\":{\"dtype\":\"F32\"}}", 0, "without 'dtype', 'shape' or"},
        {"{\"a\":{" F32("[0,8]") "}", 8, "does not end with a brace"},
        {"{\"a\":{" F32("[0,8]") "},}", 8, "lacks a string"},
        {"{\"a\":{" F32("[0,8]") ",}}", 8, "lacks a string"},
        {"{\"a\":{" F32("[0,8]") ",\"shape\":[2]}}", 8, "twice by the same"},
        {"{\"a\":{" F32("[0,8]") ",\"more\":1}}", 8, "by an unknown name"},
        {"{\"a\":{" F32("[0]") "}}", 8, "no begin and end"},
        {"{\"a\":{" F32("[8,0]") "}}", 8, "no begin and end"},
        {"{\"a\":{" F32("[0,8,8]") "}}", 8, "a list that is too long"},
        {"{\"a\":{" F32("[0,8") "}}", 8, "a list that does not end"},
        {"{\"a\":{" F32("[-1,7]") "}}", 8, "where a whole number must be"},
        {"{\"a\":{" F32("[0,8.0]") "}}", 8, "where a whole number must be"},
        {"{\"a\":{" F32("[0,1e1]") "}}", 8, "where a whole number must be"},
        {"{\"a\":{" F32("[0,08]") "}}", 8, "where a whole number must be"},
        {"{\"a\":{" F32("[0,\"8\"]") "}}", 8, "where a whole number must be"},
        {"{\"a\":{" F32("[0,18446744073709551616]") "}}", 8, "more than 64 bits"},
        {"{\"a\":{" F32("[0,18446744073709551615]") "}}", 8, "cannot have 18446744073709551615 bytes"},
        {"{\"a\":{" F32("[0,4]") "}}", 4, "F32 of shape [2] cannot have 4 bytes"},
        {"{\"a\":{" F32("[0,8]") "}}", 7, "is truncated: \"a\" has 8 bytes, 7 are there"},
        {"{\"a\":{" F32("[0,8]") "}}", 9, "goes on for 1 bytes behind"},
        {"{\"a\":{" F32("[1,9]") "}}", 9, "begin at byte 1, those before it end at 0"},
        {"{\"a\":{" F32("[0,8]") "},\"b\":{" F32("[4,12]") "}}", 12, "begin at byte 4, those before it end at 8"},
        {"{\"a\":{" F32("[0,8]") "},\"b\":{" F32("[0,8]") "}}", 8, "begin at byte 0, those before it end at 8"},
        {"{\"a\":{" F32("[0,8]") "},\"b\":{" F32("[12,20]") "}}", 20, "begin at byte 12, those before it end at 8"},
        {"{\"a\":{" F32("[0,8]") "},\"\\u0061\":{" F32("[8,16]") "}}", 16, "holds the name \"a\" twice"},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown type \"F31\""},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, "F4 of shape [3] cannot"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,8]}}", 8, "more than 63 bits"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, "is too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "is too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "lacks a list"},
        {"{\"__metadata__\":[]}", 0, "that is no object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "lacks a string"},
        {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "key \"a\" of its metadata twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "'__metadata__' twice"},
        {"{\"__metadata__\":{\"a\":\"1\"", 0, "an object that does not end"},
        {"{\"a", 0, "string that does not end"},
        {"{\"a\n\":", 0, "control character"},
        {"{\"\\x\":", 0, "escape sequence that is none"},
        {"{\"\\u12", 0, "escape sequence that is none"},
        {"{\"\\", 0, "escape sequence that is none"},
        {"{\"\\u0000\":", 0, "escape sequence that is none"},
        {"{\"\\ud800\":", 0, "escape sequence that is none"},
        {"{\"\\ud800\\u0041\":", 0, "escape sequence that is none"},
        {"{\"\\udc00\":", 0, "escape sequence that is none"},
        {"{\"\xff\":", 0, "not UTF-8"},
        {"{\"\xc0\x80\":", 0, "not UTF-8"},
        {"{\"\xe0\x80\x80\":", 0, "not UTF-8"},
        {"{\"\xed\xa0\x80\":", 0, "not UTF-8"},
        {"{\"\xf4\x90\x80\x80\":", 0, "not UTF-8"},
        {"{\"\xc3\":", 0, "not UTF-8"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        make_file(cases[c].header, strlen(cases[c].header), cases[c].bytes);
        expect_bad(DP_ERROR_FORMAT, cases[c].part, cases[c].header);
    }
    const char ranks[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}";
    make_file(ranks, strlen(ranks), 1);
    expect_bad(DP_ERROR_UNSUPPORTED, "rank 9", ranks);
    make_file("{\"a\":\0", 6, 0);
    expect_bad(DP_ERROR_FORMAT, "without an object", "NUL");
}

static void test_bad_files(void **state)
{
    (void)state;
    char bytes[2048], cut[64];
    write_bytes("", 0);
    expect_bad(DP_ERROR_FORMAT, "too short", "empty");
    write_bytes("1234567", 7);
    expect_bad(DP_ERROR_FORMAT, "too short", "7 bytes");
    write_bytes("\x93NUMPY\1\0", 8);
    expect_bad(DP_ERROR_FORMAT, "is no safetensors file", "NPY");
    write_bytes("\3\0\0\0\0\0\0\0{}", 10);
    expect_bad(DP_ERROR_FORMAT, "is truncated: its header has 3 bytes, 2 are there", "short header");
    write_bytes("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    expect_bad(DP_ERROR_FORMAT, "is no safetensors file", "huge header");
    const size_t size = read_bytes(fixture, bytes, sizeof bytes);
    for (size_t length = 0; length < size; length += length % 8 == 5 ? 11 : 1) { /* wherever a copy was cut off */
        write_bytes(bytes, length);
        snprintf(cut, sizeof cut, "cut after %zu bytes", length);
        expect_bad(DP_ERROR_FORMAT, "", cut);
    }
    unlink(path);
    expect_bad(DP_ERROR_IO, "No such file", "no file");
    dp_safetensors *file = NULL;
    char message[256];
    assert_int_equal(dp_safetensors_open(folder, &file, message, sizeof message), DP_ERROR_IO);
    assert_non_null(strstr(message, "is a directory"));
    assert_int_equal(dp_safetensors_open("/dev/null", &file, NULL, 0), DP_ERROR_IO);
    assert_int_equal(dp_safetensors_open(NULL, &file, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_string_equal(message, "path: is NULL");
    assert_int_equal(dp_safetensors_open(path, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
    dp_safetensors_close(NULL);
    dp_safetensors_close(&file);
    assert_int_equal(dp_safetensors_count(NULL) + dp_safetensors_pairs(NULL), 0);
    assert_int_equal(dp_safetensors_find(NULL, "a"), -1);
    assert_null(dp_safetensors_value(NULL, "a"));
}

static void test_becomes_shorter(void **state)
{
    (void)state;
    char bytes[2048];
    const size_t size = read_bytes(fixture, bytes, sizeof bytes);
    write_bytes(bytes, size);
    dp_safetensors *file = open_good(path);
    const dp_safetensors_entry *last = dp_safetensors_at(file, dp_safetensors_count(file) - 1);
    assert_int_equal(truncate(path, (off_t)(last->offset + last->bytes - 1)), 0);
    assert_int_equal(dp_safetensors_read(file, dp_safetensors_count(file) - 1, bytes, last->bytes), DP_ERROR_FORMAT);
    assert_int_equal(truncate(path, 100), 0);
    assert_null(dp_safetensors_load(device, file, "layer.weight"));
    assert_non_null(strstr(dp_message(device), "has become shorter"));
    assert_int_equal(dp_clear(device), DP_ERROR_FORMAT);
    dp_safetensors_close(&file);
}

static void expect_not_saved(dp_status expected, const char *part, const dp_named_tensor *tensors, int count,
                             const dp_metadata *pairs, int pairs_count)
{
    char message[256];
    const dp_status status = dp_safetensors_save(path, tensors, count, pairs, pairs_count, message, sizeof message);
    if (status != expected || !strstr(message, part))
        fail_msg("%s \"%s\", expected %s \"...%s...\"", dp_status_name(status), message, dp_status_name(expected), part);
}

static void test_bad_saves(void **state)
{
    (void)state;
    unlink(path);
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(100000), 1);
    const dp_named_tensor good[] = {{"x", x}}, twice[] = {{"x", x}, {"y", x}, {"x", x}}, no_name[] = {{NULL, x}},
                          no_tensor[] = {{"x", NULL}}, latin[] = {{"\xe9", x}}, reserved[] = {{"__metadata__", x}};
    const dp_metadata pair[] = {{"k", "v"}, {"k", "w"}}, no_value[] = {{"k", NULL}}, latin_value[] = {{"k", "\xe9"}};
    expect_not_saved(DP_ERROR_ARGUMENT, "count is -1", good, -1, NULL, 0);
    expect_not_saved(DP_ERROR_ARGUMENT, "pairs_count is -2", good, 1, pair, -2);
    expect_not_saved(DP_ERROR_ARGUMENT, "tensors is NULL", NULL, 1, NULL, 0);
    expect_not_saved(DP_ERROR_ARGUMENT, "pairs is NULL", good, 1, NULL, 1);
    expect_not_saved(DP_ERROR_ARGUMENT, "tensor name \"x\" comes twice", twice, 3, NULL, 0);
    expect_not_saved(DP_ERROR_ARGUMENT, "tensor name 0 is NULL", no_name, 1, NULL, 0);
    expect_not_saved(DP_ERROR_ARGUMENT, "tensor 0 is NULL", no_tensor, 1, NULL, 0);
    expect_not_saved(DP_ERROR_ARGUMENT, "tensor name 0 is not UTF-8", latin, 1, NULL, 0);
    expect_not_saved(DP_ERROR_ARGUMENT, "cannot be named \"__metadata__\"", reserved, 1, NULL, 0);
    expect_not_saved(DP_ERROR_ARGUMENT, "metadata key \"k\" comes twice", good, 1, pair, 2);
    expect_not_saved(DP_ERROR_ARGUMENT, "metadata value 0 is NULL", good, 1, no_value, 1);
    expect_not_saved(DP_ERROR_ARGUMENT, "metadata value 0 is not UTF-8", good, 1, latin_value, 1);
    assert_int_equal(access(path, F_OK), -1); /* none of them has made a file */
    char message[256];
    assert_int_equal(dp_safetensors_save(NULL, good, 1, NULL, 0, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_safetensors_save("/proc/none/file", good, 1, NULL, 0, message, sizeof message), DP_ERROR_IO);
    assert_string_equal(message, "/proc/none/file: cannot be written: No such file or directory");
    dp_tensor_release(&x);
}

/* A disk that is full in the middle of the values: the old checkpoint stays. */
static void test_full(void **state)
{
    (void)state;
    struct rlimit old;
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(100000), 1), *small = dp_full(device, DP_F32, DP_SHAPE(1), 3);
    const dp_named_tensor large[] = {{"x", small}, {"y", x}}, kept[] = {{"x", small}};
    assert_int_equal(dp_safetensors_save(path, kept, 1, NULL, 0, NULL, 0), DP_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 65536, .rlim_max = old.rlim_max}), 0);
    char message[256];
    const dp_status status = dp_safetensors_save(path, large, 2, NULL, 0, message, sizeof message);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, DP_ERROR_IO);
    assert_non_null(strstr(message, "cannot be written: File too large"));
    dp_safetensors *file = open_good(path);
    expect_tensor(file, "x", DP_F32, DP_SHAPE(1), (const float[]){3});
    dp_safetensors_close(&file);
    dp_tensor_release(&x);
    dp_tensor_release(&small);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing is left */
    assert_int_equal(mkdir(folder, 0700), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    device = dp_device_open("ref");
    return dp_failed(device);
}

static int tear_down(void **state)
{
    (void)state;
    dp_device_close(&device);
    unlink(path);
    return rmdir(folder);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_safetensors FIXTURE\n");
        return 2;
    }
    fixture = argv[1];
    const struct CMUnitTest tests[] = {
        {"safetensors/fixture", test_fixture, NULL, NULL, NULL},
        {"safetensors/own", test_own, NULL, NULL, NULL},
        {"safetensors/bad_headers", test_bad_headers, NULL, NULL, NULL},
        {"safetensors/bad_files", test_bad_files, NULL, NULL, NULL},
        {"safetensors/becomes_shorter", test_becomes_shorter, NULL, NULL, NULL},
        {"safetensors/bad_saves", test_bad_saves, NULL, NULL, NULL},
        {"safetensors/full", test_full, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("safetensors", tests, set_up, tear_down);
}
