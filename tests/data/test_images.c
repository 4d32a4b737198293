/* SPDX-License-Identifier: Apache-2.0 */
/* dp_images_load: data sets of every kind, made here; sizes, labels, order, and what is damaged. */
#include <dipole/data.h>
#include <dipole/image.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jpeglib.h>

static char folder[] = "/tmp/dipole-images-XXXXXX";
static char names[16][96]; /* of files that were made, to be removed */
static int made;

static const char *path_of(const char *name)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remember(const char *path)
{
    for (int n = 0; n < made; n++)
        if (strcmp(names[n], path) == 0)
            return;
    assert_in_range(made, 0, 15);
    snprintf(names[made++], sizeof names[0], "%s", path);
}

static void forget_all(void)
{
    while (made > 0)
        unlink(names[--made]);
}

static void write_file(const char *name, const void *bytes, size_t count)
{
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
    remember(path_of(name));
}

static size_t read_file(const char *name, unsigned char *bytes, size_t most)
{
    FILE *file = fopen(path_of(name), "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, most, file);
    fclose(file);
    return size;
}

static void load_good(const char *path, int side, int64_t limit, dp_images *images)
{
    char message[256];
    const dp_status status = dp_images_load(path, side, limit, images, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(status, DP_OK);
}

static void expect_bad(const char *path, int side, dp_status expected, const char *part)
{
    dp_images images = {.count = 7};
    char message[256];
    const dp_status status = dp_images_load(path, side, 0, &images, message, sizeof message);
    if (status != expected || !strstr(message, part))
        fail_msg("%s \"%s\", expected %s \"...%s...\"", dp_status_name(status), message, dp_status_name(expected), part);
    assert_null(images.pixels);
    assert_null(images.labels);
    assert_int_equal(images.count, 0);
    assert_int_equal(dp_images_load(path, side, 0, &images, NULL, 0), expected);
}

static void test_idx(void **state)
{
    (void)state;
    static const unsigned char file[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 100, 200, 255, 1, 2, 3, 4};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 3};
    dp_images images;
    write_file("t-images-idx3-ubyte", file, sizeof file);
    load_good(path_of("t-images-idx3-ubyte"), 0, 0, &images); /* without labels beside it */
    assert_int_equal(images.count, 2);
    assert_int_equal(images.channels, 1);
    assert_int_equal(images.side, 2);
    assert_memory_equal(images.pixels, file + 16, 8);
    assert_null(images.labels);
    dp_images_free(&images);
    assert_null(images.pixels);

    write_file("t-labels-idx1-ubyte", labels, sizeof labels);
    load_good(path_of("t-images-idx3-ubyte"), 2, 0, &images);
    assert_memory_equal(images.pixels, file + 16, 8);
    assert_int_equal(images.labels[0], 7);
    assert_int_equal(images.labels[1], 3);
    dp_images_free(&images);
    load_good(path_of("t-images-idx3-ubyte"), 1, 1, &images); /* the mean of the four: 138.75 */
    assert_int_equal(images.count, 1);
    assert_int_equal(images.pixels[0], 139);
    assert_int_equal(images.labels[0], 7);
    dp_images_free(&images);
    load_good(path_of("t-images-idx3-ubyte"), 4, 1, &images); /* linear between centres: 0, 25, 75, 100 along the top */
    assert_memory_equal(images.pixels, ((const uint8_t[]){0, 25, 75, 100}), 4);
    assert_memory_equal(images.pixels + 12, ((const uint8_t[]){200, 214, 241, 255}), 4);
    dp_images_free(&images);

    write_file("t-labels-idx1-ubyte", labels, sizeof labels - 1);
    expect_bad(path_of("t-images-idx3-ubyte"), 2, DP_ERROR_FORMAT, "is truncated");
    write_file("t-labels-idx1-ubyte", "\0\0\x08\1\0\0\0\3\1\2\3", 11);
    expect_bad(path_of("t-images-idx3-ubyte"), 2, DP_ERROR_FORMAT, "no u8 labels of the 2 images");
    write_file("flat", "\0\0\x08\1\0\0\0\3\1\2\3", 11);
    expect_bad(path_of("flat"), 2, DP_ERROR_FORMAT, "holds u1 of shape [3]");
    write_file("floats", "\0\0\x0d\3\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\0", 20);
    expect_bad(path_of("floats"), 2, DP_ERROR_FORMAT, "holds f4 of shape [1, 1, 1]");
    write_file("none", "\0\0\x08\3\0\0\0\1\0\0\0\0\0\0\0\1", 16);
    expect_bad(path_of("none"), 2, DP_ERROR_FORMAT, "shape [1, 0, 1]");
    /* Channels, and sides that differ: the middle 2 x 2 of 2 x 4. */
    static const unsigned char wide[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 4,
                                         1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18};
    write_file("wide", wide, sizeof wide);
    load_good(path_of("wide"), 0, 0, &images);
    assert_int_equal(images.channels, 2);
    assert_memory_equal(images.pixels, ((const uint8_t[]){2, 3, 6, 7, 12, 13, 16, 17}), 8);
    dp_images_free(&images);
    forget_all();
}

static void test_cifar(void **state)
{
    (void)state;
    static unsigned char batch[3][3073];
    for (int k = 0; k < 3; k++) {
        batch[k][0] = (unsigned char)(3 * k + 1);
        for (int b = 0; b < 3072; b++)
            batch[k][1 + b] = (unsigned char)(b % 251 + k + b / 1024 * 60);
    }
    dp_images images;
    write_file("test_batch.bin", batch[2], 3073);
    load_good(folder, 0, 0, &images); /* alone it is what there is */
    assert_int_equal(images.count, 1);
    assert_int_equal(images.labels[0], 7);
    dp_images_free(&images);
    write_file("data_batch_2.bin", batch[1], 3073);
    write_file("data_batch_1.bin", batch, 2 * 3073);
    write_file("batches.meta.txt", "airplane\n", 9);
    load_good(folder, 0, 0, &images);
    assert_int_equal(images.count, 3);
    assert_int_equal(images.channels, 3);
    assert_int_equal(images.side, 32);
    static const int order[] = {0, 1, 1};
    for (int k = 0; k < 3; k++) {
        assert_int_equal(images.labels[k], batch[order[k]][0]);
        assert_memory_equal(images.pixels + 3072 * k, batch[order[k]] + 1, 3072);
    }
    dp_images_free(&images);
    load_good(folder, 16, 2, &images);
    assert_int_equal(images.count, 2);
    for (int c = 0; c < 3; c++) { /* the mean of 2 x 2 pixels */
        const unsigned char *plane = batch[0] + 1 + 1024 * c;
        const int mean = (plane[0] + plane[1] + plane[32] + plane[33] + 2) / 4;
        assert_int_equal(images.pixels[256 * c], mean);
    }
    dp_images_free(&images);
    load_good(path_of("test_batch.bin"), 0, 0, &images);
    assert_memory_equal(images.pixels, batch[2] + 1, 3072);
    dp_images_free(&images);

    write_file("data_batch_2.bin", batch[1], 3072);
    expect_bad(folder, 0, DP_ERROR_FORMAT, "data_batch_2.bin: has 3072 bytes");
    batch[1][0] = 10;
    write_file("data_batch_2.bin", batch[1], 3073);
    expect_bad(folder, 0, DP_ERROR_FORMAT, "data_batch_2.bin: has a label over 9");
    forget_all();
}

/* A JPEG of one colour a quarter, at the best quality. */
static void make_jpeg(const char *name, int width, int height, int components)
{
    struct jpeg_compress_struct library;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL, row[300];
    unsigned long size = 0;
    library.err = jpeg_std_error(&errors);
    jpeg_create_compress(&library);
    jpeg_mem_dest(&library, &bytes, &size);
    library.image_width = (JDIMENSION)width;
    library.image_height = (JDIMENSION)height;
    library.input_components = components;
    library.in_color_space = components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&library);
    jpeg_set_quality(&library, 100, TRUE);
    jpeg_start_compress(&library, TRUE);
    for (int y = 0; y < height; y++) {
        JSAMPROW rows[] = {row};
        for (int x = 0; x < width; x++)
            for (int c = 0; c < components; c++)
                row[x * components + c] = (unsigned char)((y < height / 2 ? 200 : 70) - 30 * c + (x < width / 2 ? 0 : 20));
        jpeg_write_scanlines(&library, rows, 1);
    }
    jpeg_finish_compress(&library);
    write_file(name, bytes, size);
    jpeg_destroy_compress(&library);
    free(bytes);
}

static void expect_near(const uint8_t *pixel, int value)
{
    if (abs(*pixel - value) > 3) /* quality 100 still rounds its coefficients and colours */
        fail_msg("%d, expected about %d", *pixel, value);
}

static void test_pictures(void **state)
{
    (void)state;
    static uint8_t png[24 * 16 * 3];
    dp_images images;
    for (int k = 0; k < 24 * 16 * 3; k++)
        png[k] = (uint8_t)(k % 3 * 50 + k / (24 * 3));
    make_jpeg("b.jpg", 32, 48, 3);
    make_jpeg("c.JPEG", 16, 16, 1);
    assert_int_equal(dp_png_write(path_of("a.png"), 24, 16, 3, png, NULL, 0), DP_OK);
    remember(path_of("a.png"));
    assert_int_equal(dp_png_write(path_of("d.png"), 8, 8, 1, png, NULL, 0), DP_OK);
    remember(path_of("d.png"));
    write_file("readme.txt", "text", 4);
    write_file(".hidden.png", "text", 4);
    load_good(folder, 8, 0, &images);
    assert_int_equal(images.count, 4);
    assert_int_equal(images.channels, 3);
    assert_null(images.labels);
    const uint8_t *a = images.pixels, *b = a + 192, *c = b + 192, *d = c + 192;
    for (int plane = 0; plane < 3; plane++) {
        assert_int_equal(a[64 * plane], plane * 50 + 1); /* rows 0 and 1: the mean of 0 and 1, rounded up */
        assert_int_equal(a[64 * plane + 63], plane * 50 + 15);
        expect_near(&b[64 * plane], 200 - 30 * plane);
        expect_near(&b[64 * plane + 7], 220 - 30 * plane);
        expect_near(&b[64 * plane + 56], 70 - 30 * plane);
        expect_near(&c[64 * plane], 200);
        expect_near(&c[64 * plane + 63], 90);
        for (int k = 0; k < 64; k++)
            assert_int_equal(d[64 * plane + k], png[k]); /* grey: each channel the same */
    }
    dp_images_free(&images);
    load_good(folder, 8, 1, &images);
    assert_int_equal(images.count, 1);
    dp_images_free(&images);
    load_good(path_of("b.jpg"), 0, 0, &images);
    assert_int_equal(images.side, 32); /* the middle of 32 x 48 */
    dp_images_free(&images);
    expect_bad(folder, 0, DP_ERROR_ARGUMENT, "needs one that all are brought to");
}

static void test_damaged_pictures(void **state)
{
    (void)state;
    static unsigned char bytes[8192];
    forget_all();
    make_jpeg("a.jpg", 32, 32, 3);
    size_t size = read_file("a.jpg", bytes, sizeof bytes);
    for (size_t cut = 0; cut < size - 2; cut += 13) {
        write_file("a.jpg", bytes, cut);
        expect_bad(folder, 8, DP_ERROR_FORMAT, "a.jpg: is ");
    }
    unlink(path_of("a.jpg"));
    static uint8_t noise[32 * 32 * 3];
    for (size_t k = 0; k < sizeof noise; k++)
        noise[k] = (uint8_t)(k * k >> 3);
    assert_int_equal(dp_png_write(path_of("a.png"), 32, 32, 3, noise, NULL, 0), DP_OK);
    remember(path_of("a.png"));
    size = read_file("a.png", bytes, sizeof bytes);
    for (size_t cut = 0; cut < size - 16; cut += 29) {
        write_file("a.png", bytes, cut);
        expect_bad(folder, 8, DP_ERROR_FORMAT, "a.png: is ");
    }
    bytes[size / 2] ^= 1;
    write_file("a.png", bytes, size);
    expect_bad(folder, 8, DP_ERROR_FORMAT, "a.png: is damaged");
    /* A size that no memory is taken for. */
    bytes[size / 2] ^= 1;
    static const unsigned char huge[] = {0, 0, 0x40, 0, 0, 0, 0x40, 0, 8, 2, 0, 0, 0, 0x3E, 0xD6, 0x44, 0x7A};
    memcpy(bytes + 16, huge, 13);
    unsigned long crc = 0xFFFFFFFFul; /* the header's check sum, as PNG defines it */
    for (int k = 12; k < 29; k++) {
        crc ^= bytes[k];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320ul : 0);
    }
    crc ^= 0xFFFFFFFFul;
    for (int k = 0; k < 4; k++)
        bytes[29 + k] = (unsigned char)(crc >> (24 - 8 * k));
    write_file("a.png", bytes, size);
    expect_bad(folder, 8, DP_ERROR_FORMAT, "has 16384 x 16384 pixels");
    forget_all();
}

static void test_bad_paths(void **state)
{
    (void)state;
    dp_images images;
    char message[256];
    forget_all();
    expect_bad(folder, 8, DP_ERROR_FORMAT, "is a folder without batches");
    expect_bad(path_of("none"), 8, DP_ERROR_IO, "No such file");
    write_file("text", "hello, world", 12);
    expect_bad(path_of("text"), 8, DP_ERROR_FORMAT, "is no IDX, JPEG or PNG file");
    write_file("empty", "", 0);
    expect_bad(path_of("empty"), 8, DP_ERROR_FORMAT, "is no IDX, JPEG or PNG file");
    expect_bad(path_of("text"), -1, DP_ERROR_ARGUMENT, "side is -1");
    expect_bad(path_of("text"), 4097, DP_ERROR_ARGUMENT, "side is 4097");
    expect_bad(NULL, 8, DP_ERROR_ARGUMENT, "path: is NULL");
    assert_int_equal(dp_images_load(folder, 8, -1, &images, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_images_load(folder, 8, 0, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_non_null(strstr(message, "images is NULL"));
    dp_images_free(NULL);
    forget_all();
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    forget_all();
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"images/idx", test_idx, NULL, NULL, NULL},
        {"images/cifar", test_cifar, NULL, NULL, NULL},
        {"images/pictures", test_pictures, NULL, NULL, NULL},
        {"images/damaged_pictures", test_damaged_pictures, NULL, NULL, NULL},
        {"images/bad_paths", test_bad_paths, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("images", tests, set_up, tear_down);
}
