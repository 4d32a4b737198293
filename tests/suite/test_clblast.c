/* SPDX-License-Identifier: Apache-2.0 */
/* CLBlast where it is asked for: a transposed product with alpha, beta and a C that is broadcast, within the bound; done by CLBlast
 * where that is built in, installed and meant for the device, and by a kernel of our own elsewhere. */
#include "suite.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { M = 5, N = 7, K = 3 };

static bool expected(const dp_device *device)
{
    const dp_device_info info = dp_device_get_info(device);
    return HAVE_CLBLAST && !strcmp(info.backend, "opencl") && info.type != DP_DEVICE_SOFTWARE_GPU &&
           dlopen("libclblast.so.1", RTLD_NOW | RTLD_LOCAL);
}

static bool used(dp_device *device)
{
    dp_profile_entry entries[16];
    const size_t count = dp_profile_list(device, entries, 16);
    for (size_t e = 0; e < count && e < 16; e++)
        if (!strcmp(entries[e].kernel, "clblast"))
            return entries[e].launches > 0 && entries[e].flops == 2.0 * M * N * K;
    return false;
}

/* alpha A^T B + beta c; a is [K, M]. */
static void multiply(dp_device *device, dp_device *reference, float *values, float *exact, float *bound)
{
    dp_device *const devices[] = {device, reference};
    for (int d = 0; d < 2; d++) {
        dp_tensor *a = suite_range(devices[d], DP_SHAPE(K, M)), *b = suite_range(devices[d], DP_SHAPE(K, N));
        dp_tensor *c = suite_range(devices[d], DP_SHAPE(N));
        const dp_matmul_params params = {.transpose_a = true, .alpha = 0.3f, .beta = 0.7f, .c = c};
        dp_tensor *result = dp_matmul(devices[d], a, b, &params);
        dp_read(result, d ? exact : values, M * N * sizeof *values);
        dp_tensor *error = d ? dp_matmul_bound(devices[d], a, b, &params) : NULL;
        if (error)
            dp_read(error, bound, M * N * sizeof *bound);
        suite_ok(devices[d]);
        dp_tensor_release(&error);
        dp_tensor_release(&result);
        dp_tensor_release(&c);
        dp_tensor_release(&b);
        dp_tensor_release(&a);
    }
}

static void product(dp_device *device)
{
    float values[M * N], exact[M * N], bound[M * N];
    dp_device *reference = dp_device_open("ref");
    for (int profiled = 0; profiled < 2; profiled++) {
        assert_int_equal(dp_profile(device, profiled), DP_OK);
        multiply(device, reference, values, exact, bound);
        for (int i = 0; i < M * N; i++)
            assert_true(values[i] >= exact[i] - bound[i] && values[i] <= exact[i] + bound[i]);
    }
    assert_int_equal(used(device), expected(device));
    dp_profile(device, false);
    multiply(device, reference, values, exact, bound); /* and once more after the profile */
    dp_device_close(&reference);
}

/* A program repeats a library's products too, between launches of our own. */
typedef struct layers {
    dp_tensor *a, *b, *result;
} layers;

static dp_status two_products(dp_device *device, void *context)
{
    layers *own = context;
    dp_tensor_release(&own->result);
    dp_tensor *first = dp_matmul(device, own->a, own->b, NULL);
    dp_tensor *turned = dp_map(device, "0.5 * x", DP_ARGS({"x", first, 0}));
    const dp_matmul_params params = {.transpose_b = true};
    dp_tensor *second = dp_matmul(device, turned, own->b, &params);
    own->result = dp_map(device, "x + 1", DP_ARGS({"x", second, 0}));
    dp_tensor *gone[] = {first, turned, second};
    for (size_t k = 0; k < sizeof gone / sizeof *gone; k++)
        dp_tensor_release(&gone[k]);
    return dp_failed(device);
}

static void in_a_program(dp_device *device)
{
    layers own = {suite_range(device, DP_SHAPE(M, K)), suite_range(device, DP_SHAPE(K, N)), NULL}, direct = own;
    float got[M * K], want[M * K], input[M * K];
    dp_program *program = dp_program_create(device, two_products, &own);
    for (int run = 0; run < 3; run++) {
        for (int k = 0; k < M * K; k++)
            input[k] = (float)(k % 5 - run);
        assert_int_equal(dp_write(own.a, input, sizeof input), DP_OK);
        assert_int_equal(dp_program_run(program), DP_OK);
        assert_int_equal(two_products(device, &direct), DP_OK);
        assert_int_equal(dp_read(own.result, got, sizeof got), DP_OK);
        assert_int_equal(dp_read(direct.result, want, sizeof want), DP_OK);
        assert_memory_equal(got, want, sizeof got);
    }
    assert_int_equal(dp_profile(device, true), DP_OK);
    assert_int_equal(dp_program_run(program), DP_OK);
    dp_profile_entry entries[16];
    const size_t count = dp_profile_list(device, entries, 16);
    int products = 0;
    for (size_t e = 0; e < count && e < 16; e++)
        products += strcmp(entries[e].kernel, "clblast") ? 0 : (int)entries[e].launches;
    assert_int_equal(products, expected(device) ? 2 : 0);
    dp_profile(device, false);
    dp_program_destroy(&program);
    dp_tensor *list[] = {own.a, own.b, own.result, direct.result};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

int main(void)
{
    const suite_test tests[] = {{"product", product}, {"in a program", in_a_program}};
    setenv("DIPOLE_VARIANT", "clblast", 1);
    return suite_run("clblast", tests, sizeof tests / sizeof *tests);
}
