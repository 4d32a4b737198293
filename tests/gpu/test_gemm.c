/* SPDX-License-Identifier: Apache-2.0 */
/* Contractions as matrix products of a library: a driver that multiplies in plain C takes what src/gpu/gemm.c makes of views, and
 * every result is compared with the contraction's definition. Small integers: all sums are exact. */
#include "gpu/contraction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

enum { SIZE = 4096, UNTOUCHED = -777 };

static float values_a[SIZE], values_b[SIZE], values_result[SIZE];
static dp__buffer buffer_a = {.handle = values_a}, buffer_b = {.handle = values_b}, buffer_result = {.handle = values_result};
static int products;

static bool has_gemm(dp__gpu *gpu)
{
    (void)gpu;
    return true;
}

static float *element(const dp__gemm_matrix *matrix, int64_t batch, int64_t row, int64_t column)
{
    float *values = matrix->buffer->handle;
    const int64_t line = matrix->by_columns ? column : row, place = matrix->by_columns ? row : column;
    return &values[matrix->offset + batch * matrix->batch + line * matrix->leading + place];
}

/* What a BLAS does, with what it asks of leading dimensions. */
static dp_status gemm(dp__gpu *gpu, const dp__gemm *call)
{
    (void)gpu;
    products++;
    assert_true(call->a.leading >= (call->a.by_columns ? call->m : call->k));
    assert_true(call->b.leading >= (call->b.by_columns ? call->k : call->n));
    assert_true(call->result.leading >= (call->result.by_columns ? call->m : call->n));
    for (int64_t batch = 0; batch < call->batches; batch++)
        for (int64_t i = 0; i < call->m; i++)
            for (int64_t j = 0; j < call->n; j++) {
                float sum = 0;
                for (int64_t k = 0; k < call->k; k++)
                    sum += *element(&call->a, batch, i, k) * *element(&call->b, batch, k, j);
                *element(&call->result, batch, i, j) = call->alpha * sum;
            }
    return DP_OK;
}

static const dp__gpu_driver driver = {.name = "plain", .has_gemm = has_gemm, .gemm = gemm};
static dp__gpu gpu = {.driver = &driver};

static int64_t place(const dp__contraction_view *view, int64_t batch, int64_t row, int64_t column)
{
    return view->offset + batch * view->batch + row * view->step + column * view->column[0];
}

static void check(const dp__contraction *call)
{
    for (int i = 0; i < SIZE; i++) {
        values_a[i] = (float)(i * 7 % 11 - 5);
        values_b[i] = (float)(i * 5 % 13 - 6);
        values_result[i] = UNTOUCHED;
    }
    products = 0;
    assert_true(dp__contract_gemm_suits(&gpu, call));
    assert_int_equal(dp__contract_gemm(&gpu, call), DP_OK);
    assert_int_equal(products, 1);
    for (int64_t batch = 0; batch < call->batches; batch++)
        for (int64_t i = 0; i < call->m; i++)
            for (int64_t j = 0; j < call->n[0]; j++) {
                float sum = 0;
                for (int64_t k = 0; k < call->depth; k++)
                    sum += values_a[place(&call->a, batch, i, k)] * values_b[place(&call->b, batch, k, j)];
                assert_true(values_result[place(&call->result, batch, i, j)] == call->alpha * sum);
                values_result[place(&call->result, batch, i, j)] = UNTOUCHED;
            }
    for (int i = 0; i < SIZE; i++)
        assert_true(values_result[i] == UNTOUCHED);
}

/* [batches, rows, columns], contiguous or with its last two axes exchanged, each line `padding` apart from the next. */
static dp__contraction_view view_of(dp__buffer *buffer, int64_t rows, int64_t columns, bool turned, int64_t padding, int64_t offset)
{
    const int64_t step = turned ? 1 : columns + padding, column = turned ? rows + padding : 1;
    return (dp__contraction_view){.buffer = buffer, .offset = offset, .batch = (rows + padding) * (columns + padding),
                                  .step = step, .column = {column, 0, 0}};
}

static dp__contraction call_of(int64_t batches, int64_t m, int64_t n, int64_t k, int turned, int64_t padding)
{
    return (dp__contraction){.batches = batches, .m = m, .n = {n, 1, 1}, .depth = k, .alpha = 2,
                             .a = view_of(&buffer_a, m, k, turned & 1, padding, 3 * padding),
                             .b = view_of(&buffer_b, k, n, turned & 2, padding, padding),
                             .result = view_of(&buffer_result, m, n, turned & 4, padding, 5 * padding)};
}

static void all_layouts(void **state)
{
    static const int64_t sizes[][3] = {{5, 7, 3}, {1, 1, 1}, {1, 6, 4}, {6, 1, 4}, {6, 4, 1}, {1, 1, 9}, {1, 9, 1}, {9, 1, 1}};
    (void)state;
    for (size_t s = 0; s < DP_COUNT(sizes); s++)
        for (int turned = 0; turned < 8; turned++)
            for (int64_t padding = 0; padding < 3; padding += 2)
                for (int64_t batches = 1; batches < 4; batches += 2) {
                    const dp__contraction call = call_of(batches, sizes[s][0], sizes[s][1], sizes[s][2], turned, padding);
                    check(&call);
                }
}

/* The same matrix for the whole batch, and strides that mean nothing. */
static void broadcast(void **state)
{
    (void)state;
    dp__contraction call = call_of(3, 4, 5, 6, 0, 0);
    call.b.batch = 0;
    check(&call);
    call = call_of(1, 1, 5, 6, 0, 0);
    call.a.step = 0;
    call.result.step = -9;
    call.a.batch = call.b.batch = call.result.batch = -5;
    check(&call);
    call = call_of(1, 4, 1, 6, 0, 0);
    call.b.column[0] = 0;
    check(&call);
}

static void refuse(const dp__contraction *call)
{
    assert_false(dp__contract_gemm_suits(&gpu, call));
}

static void refused(void **state)
{
    (void)state;
    const dp__contraction good = call_of(2, 4, 5, 6, 0, 0);
    dp__contraction call = good;
    call.a.column[0] = 2; /* neither rows nor columns are contiguous */
    refuse(&call);
    call = good;
    call.a.step = 0; /* the same row again and again */
    refuse(&call);
    call = good;
    call.b.step = -5;
    refuse(&call);
    call = good;
    call.a.step = 5; /* rows overlap */
    refuse(&call);
    call = good;
    call.a.batch = -24;
    refuse(&call);
    call = good;
    call.n[1] = 2;
    refuse(&call);
    call = good;
    call.table = 1;
    refuse(&call);
    call = good;
    call.epilogue = &(const dp__epilogue){0}; /* a library has no formulas */
    refuse(&call);
    call = good;
    call.depth = 0;
    refuse(&call);
    call = good;
    call.batches = 65536;
    refuse(&call);
    call = good;
    call.b.offset = INT32_MAX - 30; /* its end is beyond 32 bits */
    refuse(&call);
    call = good;
    call.a.step = INT32_MAX / 2;
    refuse(&call);
}

static void no_library(void **state)
{
    static const dp__gpu_driver none = {.name = "none"};
    const dp__gpu without = {.driver = &none};
    const dp__contraction call = call_of(1, 4, 5, 6, 0, 0);
    (void)state;
    assert_false(dp__contract_gemm_suits(&without, &call));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_layouts), cmocka_unit_test(broadcast), cmocka_unit_test(refused),
                                       cmocka_unit_test(no_library)};
    return cmocka_run_group_tests_name("gemm", tests, NULL, NULL);
}
