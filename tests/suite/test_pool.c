/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is released and taken again: results stay right while launches and the host's writes share it,
 * what is kept is counted, and all of it comes back before an allocation fails. */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT = 64, ROUNDS = 200 };

/* Inputs of many rounds go through the same few buffers; nothing waits in between, and all results are right
 * at the end. */
static void test_in_flight(dp_device *device)
{
    dp_tensor *sums[ROUNDS];
    float values[COUNT], word;
    for (int round = 0; round < ROUNDS; round++) {
        for (int k = 0; k < COUNT; k++)
            values[k] = (float)(round + k);
        dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(COUNT), values);
        dp_tensor *y = dp_map(device, "2 * x + 1", DP_ARGS({"x", x, 0}));
        dp_tensor *z = dp_map(device, "x - y", DP_ARGS({"x", x, 0}, {"y", y, 0}));
        dp_tensor_release(&x);
        dp_tensor_release(&y);
        sums[round] = dp_reduce(device, z, DP_SUM, DP_ALL_AXES);
        dp_tensor_release(&z);
    }
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(dp_read(sums[round], &word, sizeof word), DP_OK);
        assert_true(word == -(float)(COUNT * round + COUNT * (COUNT - 1) / 2 + COUNT));
        dp_tensor_release(&sums[round]);
    }
}

/* The host writes a tensor again and again while launches read it: each sees the values of its turn. */
static void test_overwritten(dp_device *device)
{
    float values[COUNT] = {0}, seen[COUNT];
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(COUNT), values), *half = dp_slice(x, 0, 0, COUNT / 2, 1);
    dp_tensor *results[ROUNDS / 4];
    for (int round = 0; round < ROUNDS / 4; round++) {
        for (int k = 0; k < COUNT; k++)
            values[k] = (float)(round * k);
        if (round % 3 == 2) /* a part of it: the rest must stay */
            assert_int_equal(dp_write(half, values, sizeof values / 2), DP_OK);
        else
            assert_int_equal(dp_write(x, values, sizeof values), DP_OK);
        results[round] = dp_map(device, "2 * x + 1", DP_ARGS({"x", x, 0}));
    }
    for (int round = 0; round < ROUNDS / 4; round++) {
        assert_int_equal(dp_read(results[round], seen, sizeof seen), DP_OK);
        for (int k = 0; k < COUNT; k++) {
            const int of = round % 3 == 2 && k >= COUNT / 2 ? round - 1 : round;
            assert_true(seen[k] == (float)(2 * of * k + 1));
        }
        dp_tensor_release(&results[round]);
    }
    dp_tensor_release(&half);
    dp_tensor_release(&x);
}

static void test_counted(dp_device *device)
{
    const dp_memory before = dp_memory_get(device);
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(1000), 1);
    const dp_memory held = dp_memory_get(device);
    assert_int_equal(held.bytes, before.bytes + 4000);
    dp_tensor_release(&x);
    const dp_memory after = dp_memory_get(device);
    const bool reference = strcmp(dp_device_get_info(device).backend, "ref") == 0;
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(after.peak_bytes, held.peak_bytes);
    assert_true(reference ? after.kept_bytes == 0 : after.kept_bytes >= held.kept_bytes + 4000);
    assert_int_equal(dp_device_wait(device), DP_OK);
    x = dp_full(device, DP_F32, DP_SHAPE(990), 2); /* takes the same */
    assert_true(reference || dp_memory_get(device).kept_bytes <= after.kept_bytes - 4000);
    float values[990];
    assert_int_equal(dp_read(x, values, sizeof values), DP_OK);
    assert_true(values[0] == 2 && values[989] == 2);
    dp_tensor_release(&x);
}

/* Tensors of many sizes: what is kept stays below an eighth of the memory, and tensors of nearly all memory
 * can still be had. Nothing is computed on them, so that most drivers only promise it. */
static void test_pressure(dp_device *device)
{
    const dp_device_info info = dp_device_get_info(device);
    if (strcmp(info.backend, "ref") == 0)
        return;
    const uint64_t step = info.memory_bytes / 64;
    for (int k = 1; k <= 12; k++) {
        dp_tensor *x = dp_empty(device, DP_F32, DP_SHAPE((int64_t)(step / 4 / 4 * (uint64_t)k)));
        if (!x) {
            assert_true(dp_clear(device) != DP_OK);
            continue; /* more than one tensor may take here */
        }
        dp_tensor_release(&x);
        assert_true(dp_memory_get(device).kept_bytes <= info.memory_bytes / 8);
    }
    const uint64_t piece = step * 4 < info.max_tensor_bytes ? step * 4 : info.max_tensor_bytes;
    dp_tensor *held[1024] = {0};
    const size_t fits = (size_t)((info.memory_bytes - dp_memory_get(device).bytes) / 10 * 9 / piece);
    size_t count = 0;
    for (; count < fits && count < 1024; count++)
        if (!(held[count] = dp_empty(device, DP_F32, DP_SHAPE((int64_t)(piece / 4)))))
            break;
    assert_true(dp_memory_get(device).bytes + dp_memory_get(device).kept_bytes <= info.memory_bytes);
    if (dp_failed(device) != DP_OK)
        suite_failed(device, DP_ERROR_MEMORY, "bytes"); /* the machine may really have no more */
    for (size_t k = 0; k < count; k++)
        dp_tensor_release(&held[k]);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {
        {"buffers in flight", test_in_flight},
        {"overwritten in flight", test_overwritten},
        {"what is kept is counted", test_counted},
        {"under pressure", test_pressure},
    };
    return suite_run("pool", tests, sizeof tests / sizeof *tests);
}
