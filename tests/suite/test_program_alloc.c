/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the library fails in turn while a program is made, recorded, run and destroyed: a status, no crash, nothing
 * left behind, and right results where it went well. Drivers' own allocations do not fail.
 * Linked with -Wl,--wrap=dp__alloc,--wrap=dp__grow and the static library. */
#include "suite.h"
#include "suite/countdown.h"

#include <string.h>

void *__real_dp__alloc(size_t count, size_t size);
void *__wrap_dp__alloc(size_t count, size_t size);
bool __real_dp__grow(void *array_pointer, size_t *capacity, size_t needed, size_t size);
bool __wrap_dp__grow(void *array_pointer, size_t *capacity, size_t needed, size_t size);

void *__wrap_dp__alloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_dp__alloc(count, size);
}

bool __wrap_dp__grow(void *array_pointer, size_t *capacity, size_t needed, size_t size)
{
    return !fails() && __real_dp__grow(array_pointer, capacity, needed, size);
}

typedef struct world {
    dp_tensor *x, *w, *y;
} world;

static dp_status body(dp_device *device, void *context)
{
    static const int64_t offsets[] = {0, 2, 4};
    const dp_pair_options options = {.problems = 2, .offsets_i = offsets, .offsets_j = offsets};
    world *own = context;
    dp_tensor_release(&own->y);
    dp_tensor *y = dp_matmul(device, own->x, own->w, NULL), *part = dp_from(device, DP_F32, DP_SHAPE(2), (const float[]){1, 2});
    dp_tensor *sums = dp_pairwise_with(device, "sqdist(x[i], x[j])", DP_SUM_J, DP_ARGS({"x", own->x, 0}), &options);
    dp_tensor *column = dp_reshape(sums, DP_SHAPE(4, 1));
    own->y = dp_map(device, "y * p + s", DP_ARGS({"y", y, 0}, {"p", part, 0}, {"s", column, 0}));
    dp_tensor *list[] = {y, part, sums, column};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status run_three(dp_device *device, world *own)
{
    dp_program *program = dp_program_create(device, body, own);
    dp_status status = program ? DP_OK : dp_failed(device);
    for (int run = 0; run < 3 && status == DP_OK; run++)
        status = dp_program_run(program);
    if (status != DP_OK)
        assert_int_equal(dp_failed(device), status);
    dp_program_destroy(&program);
    return status;
}

static void test_each(dp_device *device)
{
    float want[8], got[8];
    world own = {dp_uniform(device, 1, DP_SHAPE(4, 3), -1, 1), dp_uniform(device, 2, DP_SHAPE(3, 2), -1, 1), NULL};
    assert_int_equal(body(device, &own), DP_OK); /* with all its kernels built */
    assert_int_equal(dp_read(own.y, want, sizeof want), DP_OK);
    assert_int_equal(run_three(device, &own), DP_OK);
    dp_tensor_release(&own.y);
    const uint64_t before = dp_memory_get(device).bytes;
    for (long k = 1;; k++) {
        assert_true(k < 100000);
        failed = false;
        countdown = k;
        const dp_status status = run_three(device, &own);
        countdown = 0;
        if (failed && status != DP_OK && status != DP_ERROR_MEMORY)
            fail_msg("allocation %ld: %s: %s", k, dp_status_name(status), dp_message(device));
        if (status == DP_OK) {
            assert_int_equal(dp_read(own.y, got, sizeof got), DP_OK);
            assert_memory_equal(got, want, sizeof got);
        }
        dp_clear(device);
        dp_tensor_release(&own.y);
        assert_true(dp_memory_get(device).bytes == before);
        if (!failed) {
            assert_int_equal(status, DP_OK);
            break;
        }
    }
    dp_tensor_release(&own.x);
    dp_tensor_release(&own.w);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {{"each allocation", test_each}};
    return suite_run("program_alloc", tests, 1);
}
