/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of every device into files and back: dtypes, strides, other devices. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/dipole-files-XXXXXX";
static char path[64];

static void test_safetensors(dp_device *device)
{
    const uint16_t half[] = {0x3C00, 0xC000, 0x7BFF};
    const int32_t ints[] = {3, -4};
    uint16_t words[3];
    dp_tensor *x = suite_range(device, DP_SHAPE(3, 4)), *turned = dp_transpose(x, 0, 1), *part = dp_slice(x, 1, 1, 4, 2);
    dp_tensor *h = dp_from(device, DP_F16, DP_SHAPE(3), half), *b = dp_from(device, DP_BF16, DP_SHAPE(3), half);
    dp_tensor *i = dp_from(device, DP_I32, DP_SHAPE(2), ints), *one = dp_full(device, DP_F32, DP_SCALAR, 7);
    const dp_named_tensor tensors[] = {{"half", h}, {"x", x}, {"turned", turned}, {"part", part}, {"brain", b}, {"i", i}, {"one", one}};
    char message[256];
    dp_safetensors *file;
    assert_int_equal(dp_safetensors_save(path, tensors, 7, NULL, 0, message, sizeof message), DP_OK);
    assert_int_equal(dp_safetensors_open(path, &file, message, sizeof message), DP_OK);

    dp_tensor *loaded = dp_safetensors_load(device, file, "turned");
    suite_values(loaded, (const double[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, 12);
    assert_int_equal(dp_fill(x, 0), DP_OK);
    assert_int_equal(dp_safetensors_load_into(turned, file, "turned"), DP_OK); /* through the view */
    suite_values(x, (const double[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 12);
    assert_int_equal(dp_fill(x, 0), DP_OK);
    assert_int_equal(dp_safetensors_load_into(part, file, "part"), DP_OK); /* what lies between stays */
    suite_values(x, (const double[]){0, 1, 0, 3, 0, 5, 0, 7, 0, 9, 0, 11}, 12);
    const char *const halves[] = {"half", "brain"};
    for (int k = 0; k < 2; k++) {
        dp_tensor *copy = dp_safetensors_load(device, file, halves[k]);
        assert_int_equal(dp_tensor_dtype(copy), k ? DP_BF16 : DP_F16);
        assert_int_equal(dp_read(copy, words, sizeof words), DP_OK);
        assert_memory_equal(words, half, sizeof words);
        dp_tensor_release(&copy);
    }
    dp_tensor *copy = dp_safetensors_load(device, file, "i");
    suite_values(copy, (const double[]){3, -4}, 2);
    dp_tensor_release(&copy);
    copy = dp_safetensors_load(device, file, "one");
    assert_true(dp_item(copy) == 7);

    assert_int_equal(dp_safetensors_load_into(x, file, "turned"), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "\"turned\" is F32 [4, 3], the tensor is f32 [3, 4]");
    assert_int_equal(dp_safetensors_load_into(h, file, "brain"), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "is BF16 [3], the tensor is f16 [3]");
    assert_int_equal(dp_safetensors_load_into(x, file, "none"), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "there is no tensor \"none\"");
    assert_null(dp_safetensors_load(device, file, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "name is NULL");
    assert_null(dp_safetensors_load(device, NULL, "x"));
    suite_failed(device, DP_ERROR_ARGUMENT, "file is NULL");
    assert_int_equal(dp_safetensors_load_into(NULL, file, "x"), DP_ERROR_ARGUMENT);
    dp_safetensors_close(&file);
    dp_tensor *all[] = {x, turned, part, h, b, i, one, loaded, copy};
    for (size_t t = 0; t < sizeof all / sizeof *all; t++)
        dp_tensor_release(&all[t]);
}

static void test_text(dp_device *device)
{
    char message[256], read[16] = "";
    (void)device;
    assert_int_equal(dp_text_write(path, "one\ntwo", message, sizeof message), DP_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(read, 1, sizeof read - 1, file), 7);
    fclose(file);
    assert_string_equal(read, "one\ntwo");
    assert_int_equal(dp_text_write(folder, "one", message, sizeof message), DP_ERROR_IO);
    assert_non_null(strstr(message, folder));
    assert_int_equal(dp_text_write(path, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
}

int main(void)
{
    static const suite_test tests[] = {{"safetensors", test_safetensors}, {"text", test_text}};
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/file", folder);
    const int failures = suite_run("files", tests, sizeof tests / sizeof *tests);
    unlink(path);
    return rmdir(folder) == 0 ? failures : 1;
}
