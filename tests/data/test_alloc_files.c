/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of calls about files and pictures fails in turn: a status, no crash, no leak, no file left.
 * Linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc and the static library. */
#include "suite/failing_alloc.h"
#include <dipole/dipole.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/dipole-alloc-XXXXXX";
static char path[64];

static dp_status tensors(void)
{
    dp_device *device = dp_device_open("ref");
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(2, 3), -1, 1), *into = dp_full(device, DP_F32, DP_SHAPE(2, 3), 0);
    const dp_named_tensor named[] = {{"x", x}, {"y", into}};
    const dp_metadata pairs[] = {{"k", "v"}};
    dp_safetensors *file = NULL;
    dp_status status = dp_failed(device) == DP_ERROR_NO_DEVICE ? DP_ERROR_MEMORY : dp_failed(device);
    if (status == DP_OK)
        status = dp_safetensors_save(path, named, 2, pairs, 1, NULL, 0);
    if (status == DP_OK)
        status = dp_safetensors_open(path, &file, NULL, 0);
    if (status == DP_OK) {
        dp_tensor *loaded = dp_safetensors_load(device, file, "x");
        dp_safetensors_load_into(into, file, "x");
        dp_tensor_release(&loaded);
        status = dp_failed(device);
    }
    dp_safetensors_close(&file);
    dp_tensor_release(&x);
    dp_tensor_release(&into);
    dp_device_close(&device);
    return status;
}

static dp_status rows(void)
{
    const char *const columns[] = {"a", "b"};
    dp_log *log;
    dp_status status = DP_OK;
    for (int resume = -1; status == DP_OK && resume < 1; resume++) {
        status = dp_log_open(path, DP_LOG_CSV, columns, 2, resume, &log, NULL, 0);
        if (status == DP_OK)
            status = dp_log_row(log, resume + 1, (const double[]){1, 2}, NULL, 0);
        dp_log_close(&log);
    }
    return status;
}

static dp_status pictures(void)
{
    static const float xy[4] = {0, 1, 1, 0};
    static const double y[2] = {1, 2};
    dp_image images[4];
    dp_images loaded;
    memset(images, 0, sizeof images);
    dp_status status = dp_plot_scatter(&(dp_plot_points){xy, 2, "s", 0, 0, 0}, 1, NULL, &images[0], NULL, 0);
    if (status == DP_OK)
        status = dp_plot_lines(&(dp_plot_series){NULL, y, 2, "s", 0}, 1, NULL, &images[1], NULL, 0);
    if (status == DP_OK)
        status = dp_plot_maps(&(dp_plot_map){xy, 2, 2, "m"}, 1, 0, 2, NULL, &images[2], NULL, 0);
    if (status == DP_OK)
        status = dp_image_grid(xy, 4, 1, 1, 1, 2, 1, &images[3], NULL, 0);
    if (status == DP_OK)
        status = dp_png_write(path, images[3].width, images[3].height, 1, images[3].pixels, NULL, 0);
    if (status == DP_OK && (status = dp_images_load(folder, 4, 0, &loaded, NULL, 0)) == DP_OK)
        dp_images_free(&loaded);
    for (int k = 0; k < 4; k++)
        dp_image_free(&images[k]);
    return status;
}

static dp_status points(void)
{
    float xy[6];
    return dp_points_sample("moons", 3, 1, xy, NULL, 0);
}

static dp_status idx(void)
{
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6}, labels[] = {0, 0, 8, 1, 0, 0, 0, 1, 7};
    static char names[2][96];
    snprintf(names[0], sizeof names[0], "%s/t-images-idx3-ubyte", folder);
    snprintf(names[1], sizeof names[1], "%s/t-labels-idx1-ubyte", folder);
    const long left = countdown;
    countdown = 0; /* making the files is not what is tested */
    for (int f = 0; f < 2; f++) {
        FILE *file = fopen(names[f], "wb");
        assert_non_null(file);
        fwrite(f ? labels : images, 1, f ? sizeof labels : sizeof images, file);
        fclose(file);
    }
    countdown = left;
    dp_images loaded;
    const dp_status status = dp_images_load(names[0], 2, 0, &loaded, NULL, 0);
    if (status == DP_OK)
        assert_int_equal(loaded.labels[0], 7); /* never left out for lack of memory */
    dp_images_free(&loaded);
    unlink(names[0]);
    unlink(names[1]);
    return status;
}

static void fail_each(dp_status (*run)(void))
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file.png", folder);
    for (long k = 1;; k++) {
        assert_true(k < 10000);
        failed = false;
        countdown = k;
        const dp_status status = run();
        countdown = 0;
        unlink(path);
        assert_int_equal(rmdir(folder), 0); /* no temporary file was left */
        memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
        if (failed && status != DP_OK && status != DP_ERROR_MEMORY)
            fail_msg("allocation %ld: %s", k, dp_status_name(status));
        if (!failed) {
            assert_int_equal(status, DP_OK);
            return;
        }
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/file.png", folder);
    }
}

static void test_tensors(void **state)
{
    (void)state;
    fail_each(tensors);
}

static void test_rows(void **state)
{
    (void)state;
    fail_each(rows);
}

static void test_pictures(void **state)
{
    (void)state;
    fail_each(pictures);
}

static void test_points(void **state)
{
    (void)state;
    fail_each(points);
}

static void test_idx(void **state)
{
    (void)state;
    fail_each(idx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"alloc_files/tensors", test_tensors, NULL, NULL, NULL},   {"alloc_files/rows", test_rows, NULL, NULL, NULL},
        {"alloc_files/pictures", test_pictures, NULL, NULL, NULL}, {"alloc_files/points", test_points, NULL, NULL, NULL},
        {"alloc_files/idx", test_idx, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("alloc_files", tests, NULL, NULL);
}
