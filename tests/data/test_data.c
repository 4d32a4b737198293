/* SPDX-License-Identifier: Apache-2.0 */
/* dp_data_read: every format, good and malformed. The files are written into a temporary folder. */
#include <dipole/data.h>

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define TEXT(literal) literal, sizeof(literal) - 1

static char folder[] = "/tmp/dipole-data-XXXXXX";
static char path[64];

static void write_file(const void *bytes, size_t count, bool packed)
{
    if (packed) {
        gzFile file = gzopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(gzwrite(file, bytes, (unsigned)count), (int)count);
        assert_int_equal(gzclose(file), Z_OK);
        return;
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static dp_data read_good(const void *bytes, size_t count, bool packed, int64_t limit)
{
    dp_data data;
    char message[256];
    write_file(bytes, count, packed);
    const dp_status status = dp_data_read(path, limit, &data, message, sizeof(message));
    assert_string_equal(message, "");
    assert_int_equal(status, DP_OK);
    return data;
}

static void expect(dp_data *data, const char *type, dp_shape shape, const float *values)
{
    assert_string_equal(data->type, type);
    assert_int_equal(data->shape.rank, shape.rank);
    int64_t size = 1;
    for (int axis = 0; axis < shape.rank; axis++) {
        assert_int_equal(data->shape.dim[axis], shape.dim[axis]);
        size *= shape.dim[axis];
    }
    for (int64_t v = 0; v < size; v++)
        if (!(data->values[v] == values[v] || (isnan(values[v]) && isnan(data->values[v]))))
            fail_msg("value %lld is %.9g, not %.9g", (long long)v, (double)data->values[v],
                     (double)values[v]);
    dp_data_free(data);
    assert_null(data->values);
    assert_int_equal(data->shape.rank, 0);
}

static void expect_bad(dp_status expected, const char *part)
{
    dp_data data = {.shape = {.rank = 3}};
    char message[256], tiny[8];
    const dp_status status = dp_data_read(path, 0, &data, message, sizeof(message));
    if (status != expected || !strstr(message, part) || strncmp(message, path, strlen(path)) != 0)
        fail_msg("%s \"%s\", expected %s \"...%s...\"", dp_status_name(status), message,
                 dp_status_name(expected), part);
    assert_null(strchr(message, '\n'));
    assert_null(data.values);
    assert_int_equal(data.shape.rank, 0);
    assert_int_equal(dp_data_read(path, 0, &data, tiny, sizeof(tiny)), expected);
    assert_non_null(memchr(tiny, '\0', sizeof(tiny)));
    assert_int_equal(dp_data_read(path, 0, &data, NULL, 0), expected);
}

/* A version 1 NPY file (version 2 where the header is long). */
static size_t make_npy(unsigned char *file, const char *header, const void *values, size_t bytes)
{
    const size_t length = strlen(header);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (unsigned char)(length & 255);
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + 10, header, length);
    if (bytes)
        memcpy(file + 10 + length, values, bytes);
    return 10 + length + bytes;
}

static void test_idx(void **state)
{
    (void)state;
    static const unsigned char u1[] = {0, 0, 8, 3, 0, 0, 0, 3,   0,   0,   0,
                                       1, 0, 0, 0, 2, 0, 1, 127, 128, 254, 255};
    static const float values[] = {0, 1, 127, 128, 254, 255};
    for (int packed = 0; packed < 2; packed++) {
        dp_data data = read_good(u1, sizeof(u1), packed, 0);
        expect(&data, "u1", DP_SHAPE(3, 1, 2), values);
        data = read_good(u1, sizeof(u1), packed, 2);
        expect(&data, "u1", DP_SHAPE(2, 1, 2), values);
        data = read_good(u1, sizeof(u1), packed, INT64_MAX);
        expect(&data, "u1", DP_SHAPE(3, 1, 2), values);
    }
    static const unsigned char i1[] = {0, 0, 9, 1, 0, 0, 0, 3, 0x80, 0xff, 0x7f};
    dp_data data = read_good(i1, sizeof(i1), false, 0);
    expect(&data, "i1", DP_SHAPE(3), (const float[]){-128, -1, 127});
    static const unsigned char i2[] = {0, 0, 11, 1, 0, 0, 0, 2, 0x80, 0, 0x01, 0x02};
    data = read_good(i2, sizeof(i2), false, 0);
    expect(&data, "i2", DP_SHAPE(2), (const float[]){-32768, 258});
    static const unsigned char i4[] = {0, 0, 12, 1, 0, 0, 0, 2, 0x80, 0, 0, 0, 0, 1, 0, 0};
    data = read_good(i4, sizeof(i4), false, 0);
    expect(&data, "i4", DP_SHAPE(2), (const float[]){-2147483648.0f, 65536});
    static const unsigned char f4[] = {0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0};
    data = read_good(f4, sizeof(f4), false, 0);
    expect(&data, "f4", DP_SHAPE(1), (const float[]){1.5f});
    static const unsigned char f8[] = {0, 0, 14, 1, 0, 0, 0, 1, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0};
    data = read_good(f8, sizeof(f8), false, 0);
    expect(&data, "f8", DP_SHAPE(1), (const float[]){1.5f});
    static const unsigned char none[] = {0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 5};
    data = read_good(none, sizeof(none), false, 0);
    assert_null(data.values);
    expect(&data, "u1", DP_SHAPE(0, 5), NULL);
}

static void test_idx_large(void **state)
{
    (void)state;
    const size_t rows = 300007; /* several growths, several chunks, no round number */
    unsigned char *file = calloc(8 + rows, 1);
    assert_non_null(file);
    memcpy(file,
           (const unsigned char[]){0, 0, 8, 1, 0, (unsigned char)(rows >> 16), (unsigned char)(rows >> 8),
                                   (unsigned char)rows},
           8);
    for (size_t r = 0; r < rows; r++)
        file[8 + r] = (unsigned char)(r * 31 >> 3);
    for (int packed = 0; packed < 2; packed++) {
        dp_data data = read_good(file, 8 + rows, packed, 0);
        assert_int_equal(data.shape.dim[0], rows);
        for (size_t r = 0; r < rows; r++)
            assert_true(data.values[r] == (float)file[8 + r]);
        dp_data_free(&data);
    }
    free(file);
}

static void test_npy_types(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        unsigned char bytes[16];
        size_t count;
        float values[2];
        const char *type;
    } cases[] = {
        {"|u1", {0, 255}, 2, {0, 255}, "u1"},
        {"|i1", {0x80, 0x7f}, 2, {-128, 127}, "i1"},
        {"<u2", {0x02, 0x01, 0xff, 0xff}, 4, {258, 65535}, "u2"},
        {">u2", {0x01, 0x02, 0xff, 0xff}, 4, {258, 65535}, "u2"},
        {"<i2", {0xff, 0xff, 0, 0x80}, 4, {-1, -32768}, "i2"},
        {"<u4", {0, 0, 0, 0x80, 1, 0, 0, 0}, 8, {2147483648.0f, 1}, "u4"},
        {">i4", {0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe}, 8, {-2147483648.0f, -2}, "i4"},
        {"<u8", {0, 0, 0, 0, 0, 0, 0, 0x80, 3}, 16, {9223372036854775808.0f, 3}, "u8"},
        {"<i8", {0, 0, 0, 0, 0, 0, 0, 0x80, 3}, 16, {-9223372036854775808.0f, 3}, "i8"},
        {"<f4", {0, 0, 0xc0, 0x3f, 0, 0, 0x80, 0xff}, 8, {1.5f, -INFINITY}, "f4"},
        {">f4", {0x3f, 0xc0, 0, 0, 0x7f, 0xc0, 0, 0}, 8, {1.5f, NAN}, "f4"},
        {"<f8", {0, 0, 0, 0, 0, 0, 0xf8, 0xbf, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f}, 16, {-1.5f, INFINITY}, "f8"},
        {"<f8",
         {0x9c, 0x75, 0, 0x88, 0x3c, 0xe4, 0x37, 0x7e, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f},
         16,
         {INFINITY, NAN},
         "f8"}, /* 1e300 */
        {"<f2", {0, 0x3e, 1, 0x80}, 4, {1.5f, -5.9604645e-8f}, "f2"},
        {"<f2", {0xff, 0x7b, 0, 0xfc}, 4, {65504, -INFINITY}, "f2"},
        {"<f2", {0, 0x04, 0x01, 0x7c}, 4, {6.1035156e-5f, NAN}, "f2"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        unsigned char file[256];
        char header[128];
        snprintf(header, sizeof(header), "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }  \n",
                 cases[c].descr);
        const size_t size = make_npy(file, header, cases[c].bytes, cases[c].count);
        dp_data data = read_good(file, size, c % 2, 0);
        expect(&data, cases[c].type, DP_SHAPE(2), cases[c].values);
    }
}

static void test_npy_order(void **state)
{
    (void)state;
    unsigned char file[256], bytes[24];
    float values[24], rows[24];
    /* a[r, i, j] = 100 r + 10 i + j of shape (4, 3, 2); in Fortran order r is the fastest. */
    for (int r = 0; r < 4; r++)
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 2; j++) {
                bytes[r + 4 * (i + 3 * j)] = (unsigned char)(60 * r + 10 * i + j);
                rows[(r * 3 + i) * 2 + j] = (float)(60 * r + 10 * i + j);
            }
    size_t size = make_npy(file, "{\"shape\": (4L, 3, 2), 'fortran_order':True,'descr': \"|u1\"}", bytes, 24);
    dp_data data = read_good(file, size, false, 0);
    expect(&data, "u1", DP_SHAPE(4, 3, 2), rows);
    data = read_good(file, size, true, 3);
    expect(&data, "u1", DP_SHAPE(3, 3, 2), rows);

    size = make_npy(file, "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 3, 2)}", bytes, 24);
    for (int v = 0; v < 24; v++)
        values[v] = bytes[v];
    data = read_good(file, size, false, 3);
    expect(&data, "u1", DP_SHAPE(3, 3, 2), values);

    size = make_npy(file, "{'descr': '|u1', 'fortran_order': True, 'shape': (0, 3)}", NULL, 0);
    data = read_good(file, size, false, 0);
    expect(&data, "u1", DP_SHAPE(0, 3), NULL);
    size = make_npy(file, "{'descr': '|u1', 'fortran_order': True, 'shape': (3, 0)}", NULL, 0);
    data = read_good(file, size, false, 2);
    expect(&data, "u1", DP_SHAPE(2, 0), NULL);
}

static void test_npy_versions(void **state)
{
    (void)state;
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n";
    for (unsigned char version = 2; version <= 3; version++) {
        unsigned char file[128] = "\x93NUMPY";
        file[6] = version;
        file[8] = sizeof(header) - 1;
        memcpy(file + 12, header, sizeof(header) - 1);
        file[12 + sizeof(header) - 1] = 7;
        dp_data data = read_good(file, 12 + sizeof(header), false, 0);
        expect(&data, "u1", DP_SHAPE(1), (const float[]){7});
    }
}

static void test_csv(void **state)
{
    (void)state;
    static const float values[] = {1, -2.5f, 3e2f, 4, 5, 6};
    static const struct {
        const char *text;
        int64_t rows, columns;
    } cases[] = {
        {"1,-2.5,3e2\n4,5,6\n", 2, 3},
        {"1;-2.5;+300\r\n4;5;6\r\n", 2, 3},
        {"1\t-2.5\t3e2\n4\t5\t6", 2, 3},
        {"  1   -2.5 300.0  \n 4 5 6 ", 2, 3},
        {"1 , -2.5,\t3e2\n4, 5 ;6\n", 2, 3},
        {"\xef\xbb\xbf"
         "a,\"b c\",d\n1,-2.5,3e2\n4,5,6\n",
         2, 3},
        {"# three columns\n\n1,-2.5,3e2 # 9,9\n\n  \n#\n4,5,6\n", 2, 3},
        {"width height depth\r1 -2.5 300\r4 5 6\r", 2, 3},
        {"1\n-2.5\n3e2\n4\n5\n6\n", 6, 1},
    };
    for (size_t c = 0; c < COUNT(cases); c++)
        for (int packed = 0; packed < 2; packed++) {
            dp_data data = read_good(cases[c].text, strlen(cases[c].text), packed, 0);
            expect(&data, "text", DP_SHAPE(cases[c].rows, cases[c].columns), values);
        }
    dp_data data = read_good(TEXT("1,-2.5\n300,4\nnot read\n"), false, 2);
    expect(&data, "text", DP_SHAPE(2, 2), values);
    data = read_good(TEXT("nan,inf\n1e400,-1e39\n"), false, 0);
    expect(&data, "text", DP_SHAPE(2, 2), (const float[]){NAN, INFINITY, INFINITY, -INFINITY});
}

static void test_csv_long_line(void **state)
{
    (void)state;
    const int columns = 20000;
    char *text = malloc(2 * 8 * (size_t)columns);
    assert_non_null(text);
    int length = 0;
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < columns; c++)
            length += sprintf(text + length, "%d%c", c, c == columns - 1 ? '\n' : ',');
    dp_data data = read_good(text, (size_t)length, false, 0);
    assert_int_equal(data.shape.dim[0], 2);
    assert_int_equal(data.shape.dim[1], columns);
    for (int v = 0; v < 2 * columns; v++)
        assert_true(data.values[v] == (float)(v % columns));
    dp_data_free(&data);
    free(text);
}

/* A program that set a locale with a decimal comma reads the same numbers. */
static void test_csv_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    size_t n = 0;
    while (n < COUNT(names) && !setlocale(LC_NUMERIC, names[n]))
        n++;
    if (n == COUNT(names)) {
        print_message("# no locale with a decimal comma is installed: nothing to test\n");
        return;
    }
    dp_data data = read_good(TEXT("1.5,2\n"), false, 0);
    expect(&data, "text", DP_SHAPE(1, 2), (const float[]){1.5f, 2});
    assert_string_equal(localeconv()->decimal_point, ",");
    setlocale(LC_NUMERIC, "C");
}

static void test_bad_idx(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *part;
    } cases[] = {
        {TEXT("\0\0"), "ends within its IDX header"},
        {TEXT("\0\0\x08"), "ends within its IDX header"},
        {TEXT("\0\0\x07\x01\0\0\0\1a"), "unknown type 0x07"},
        {TEXT("\0\0\x08\0"), "rank 0"},
        {TEXT("\0\0\x08\x09\0\0\0\1"), "rank 9"},
        {TEXT("\0\0\x08\x02\0\0\0\1\0\0"), "ends within its IDX header"},
        {TEXT("\0\0\x08\x01\0\0\0\4abc"), "promises 4 values, there are 3"},
        {TEXT("\0\0\x0d\x01\0\0\0\1abc"), "promises 1 values, there are 0"},
        {TEXT("\0\0\x08\x01\0\0\0\2abc"), "goes on behind the [2] values"},
        {TEXT("\0\0\x08\x01\0\0\0\0a"), "goes on behind the [0] values"},
        {TEXT("\0\0\x08\x01\xff\xff\xff\xffgarbage"), "promises 4294967295 values, there are 7"},
        {TEXT("\0\0\x0e\x02\x7f\xff\xff\xff\x7f\xff\xff\xff"), "more than can be addressed"},
        {TEXT("\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "more than can be addressed"},
    };
    for (size_t c = 0; c < COUNT(cases); c++)
        for (int packed = 0; packed < 2; packed++) {
            write_file(cases[c].bytes, cases[c].count, packed);
            expect_bad(DP_ERROR_FORMAT, cases[c].part);
        }
}

static void test_bad_npy(void **state)
{
    (void)state;
    static const struct {
        const char *header, *part;
    } cases[] = {
        {"", "is no dict"},
        {"[1]", "is no dict"},
        {"{'descr' '|u1'}", "no dict of names"},
        {"{'descr': '|u1'", "is no dict"},
        {"{'descr': '|u1', 'shape': (2,)}", "lacks"},
        {"{'descr': '|u1', 'fortran_order': False}", "lacks"},
        {"{'fortran_order': False, 'shape': (2,)}", "lacks"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "no plain type"},
        {"{'descr': '|u1", "no plain type"},
        {"{'descr': '|u123456789012345', 'fortran_order': False, 'shape': (2,)}", "no plain type"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", "\"<c8\""},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", "\"|O\""},
        {"{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}", "\"|f4\""},
        {"{'descr': '', 'fortran_order': False, 'shape': (2,)}", "\"\""},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}", "neither True nor False"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': 2}", "no tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}", "no tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2", "no tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (,)}", "no tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "no tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775808,)}", "no tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999,)}", "no tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807,)}",
         "more than can be addressed"},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (4294967296, 4294967296)}",
         "more than can be addressed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1152921504606846976,)}", "there are 2"},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (1048576, 1048576)}", "there are 2"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': ()}", "a single number"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", "promises 3 values, there are 2"},
        {"{'descr': '<u2', 'fortran_order': False, 'shape': (2,)}", "promises 2 values, there are 1"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", "goes on behind the [1] values"},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (1, 1)}", "goes on behind the [1, 1] values"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} 1", "goes on behind its dict"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'more': 1}", "unknown name"},
    };
    unsigned char file[512];
    for (size_t c = 0; c < COUNT(cases); c++) {
        write_file(file, make_npy(file, cases[c].header, "ab", 2), c % 2);
        expect_bad(DP_ERROR_FORMAT, cases[c].part);
    }
    write_file(TEXT("\x93NUMPY\x04\0\1\0{"), false);
    expect_bad(DP_ERROR_FORMAT, "version 4");
    write_file(TEXT("\x93NUMPY\x02\0\xff\xff\xff\xff{"), false);
    expect_bad(DP_ERROR_FORMAT, "4294967295 bytes");
    write_file(TEXT("\x93NUMPY\x01\0\xff\xff{"), false);
    expect_bad(DP_ERROR_FORMAT, "ends within its NPY header");
    write_file(TEXT("\x93NUMPY\x01\0\x01"), false);
    expect_bad(DP_ERROR_FORMAT, "ends within its NPY header");
    write_file(TEXT("\x93NUMPY"), false);
    expect_bad(DP_ERROR_FORMAT, "ends within its NPY header");
    write_file(TEXT("\x93NUMPY\x01\0\x04\0{\0}\n"), false);
    expect_bad(DP_ERROR_FORMAT, "NUL byte");
}

static void test_bad_csv(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *part;
    } cases[] = {
        {TEXT("1,2\n3\n"), "line 2 has 1 numbers, the lines above have 2"},
        {TEXT("a,b\n1,2\r\n\r\n3,4,5\n"), "line 4 has 3 numbers"},
        {TEXT("1,2\n3,x4\n"), "line 2, field 2: \"x4\" is not a number"},
        {TEXT("1,abc\n"), "line 1, field 2: \"abc\""},
        {TEXT("1,2\nb,a\n"), "line 2, field 1"},
        {TEXT("a\nb\n1\n"), "line 2, field 1"},
        {TEXT("1,,3\n"), "field 2: \"\""},
        {TEXT("1,2,\n"), "field 3: \"\""},
        {TEXT("7\n1.5.5\n"), "\"1.5.5\""},
        {TEXT("\n\n# nothing\n"), "is empty"},
        {TEXT(" "), "is empty"},
        {TEXT("a,b\n"), "has no line of numbers"},
        {TEXT("1,2\n3,\0\n"), "has the byte 0x00"},
        {TEXT("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "has the byte 0x1a"},
        {TEXT("\x93NUMP"), "has no line of numbers"},
    };
    for (size_t c = 0; c < COUNT(cases); c++)
        for (int packed = 0; packed < 2; packed++) {
            write_file(cases[c].bytes, cases[c].count, packed);
            expect_bad(DP_ERROR_FORMAT, cases[c].part);
        }
}

static void test_bad_gzip(void **state)
{
    (void)state;
    unsigned char idx[8 + 60000] = {0, 0, 8, 1, 0, 0, 60000 >> 8, 60000 & 255}, packed[70000];
    for (size_t b = 8; b < sizeof(idx); b++)
        idx[b] = (unsigned char)(b * b >> 7);
    write_file(idx, sizeof(idx), true);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t size = fread(packed, 1, sizeof(packed), file);
    fclose(file);
    assert_in_range(size, 1000, sizeof(packed) - 1);
    for (size_t cut = 3; cut < size; cut += size / 7) {
        write_file(packed, cut, false);
        expect_bad(DP_ERROR_FORMAT, cut < 10 ? "" : "is truncated: its gzip stream ends too early");
    }
    write_file(packed, size - 1, false); /* all values are there, the check sum is not */
    expect_bad(DP_ERROR_FORMAT, "is truncated: its gzip stream ends too early");
    packed[size - 6] ^= 1; /* the check sum */
    write_file(packed, size, false);
    expect_bad(DP_ERROR_FORMAT, "is damaged");
    packed[size - 6] ^= 1;
    packed[size / 2] ^= 255;
    write_file(packed, size, false);
    expect_bad(DP_ERROR_FORMAT, "is ");
}

static void test_bad_paths(void **state)
{
    (void)state;
    dp_data data;
    char message[256];
    write_file("", 0, false);
    expect_bad(DP_ERROR_FORMAT, "is empty");
    unlink(path);
    expect_bad(DP_ERROR_IO, "No such file");
    assert_int_equal(dp_data_read(folder, 0, &data, message, sizeof(message)), DP_ERROR_IO);
    assert_non_null(strstr(message, "is a directory"));
    assert_int_equal(dp_data_read(NULL, 0, &data, message, sizeof(message)), DP_ERROR_ARGUMENT);
    assert_string_equal(message, "path: is NULL");
    assert_int_equal(dp_data_read(path, 0, NULL, message, sizeof(message)), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_data_read(path, -1, &data, message, sizeof(message)), DP_ERROR_ARGUMENT);
    assert_non_null(strstr(message, "limit is -1"));
    assert_int_equal(dp_data_read(path, -1, &data, message, 0), DP_ERROR_ARGUMENT);
    dp_data_free(NULL);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/file", folder);
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
        {"data/idx", test_idx, NULL, NULL, NULL},
        {"data/idx_large", test_idx_large, NULL, NULL, NULL},
        {"data/npy_types", test_npy_types, NULL, NULL, NULL},
        {"data/npy_order", test_npy_order, NULL, NULL, NULL},
        {"data/npy_versions", test_npy_versions, NULL, NULL, NULL},
        {"data/csv", test_csv, NULL, NULL, NULL},
        {"data/csv_long_line", test_csv_long_line, NULL, NULL, NULL},
        {"data/csv_locale", test_csv_locale, NULL, NULL, NULL},
        {"data/bad_idx", test_bad_idx, NULL, NULL, NULL},
        {"data/bad_npy", test_bad_npy, NULL, NULL, NULL},
        {"data/bad_csv", test_bad_csv, NULL, NULL, NULL},
        {"data/bad_gzip", test_bad_gzip, NULL, NULL, NULL},
        {"data/bad_paths", test_bad_paths, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("data", tests, set_up, tear_down);
}
