/* SPDX-License-Identifier: Apache-2.0 */
/* The reference against values computed by hand, identities and finite differences. */
#include <dipole/dipole.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ROUNDING 0x1p-23 /* relative error of a result, as f32 and as what it is compared with */

static int open_device(void **state)
{
    *state = dp_device_open("ref");
    return dp_failed(*state) == DP_OK ? 0 : -1;
}

static int close_device(void **state)
{
    dp_device *device = *state;
    dp_device_close(&device);
    return 0;
}

static dp_tensor *floats(dp_device *device, dp_shape shape, const float *data)
{
    return dp_from(device, DP_F32, shape, data);
}

static dp_tensor *ints(dp_device *device, dp_shape shape, const int32_t *data)
{
    return dp_from(device, DP_I32, shape, data);
}

/* Compares all elements; NaN is equal to NaN. */
static void expect(dp_device *device, const dp_tensor *tensor, const float *expected, double tolerance)
{
    float data[256];
    const size_t size = (size_t)dp_tensor_size(tensor);
    if (dp_read(tensor, data, size * sizeof *data) != DP_OK)
        fail_msg("%s", dp_message(device));
    for (size_t t = 0; t < size; t++) {
        const double a = (double)data[t], b = (double)expected[t];
        if (!(fabs(a - b) <= tolerance * fabs(b) || a == b || (isnan(a) && isnan(b))))
            fail_msg("element %zu is %.9g instead of %.9g", t, a, b);
    }
}

static void expect_ints(dp_device *device, const dp_tensor *tensor, const int32_t *expected)
{
    int32_t data[64];
    const size_t bytes = (size_t)dp_tensor_size(tensor) * sizeof *data;
    if (dp_read(tensor, data, bytes) != DP_OK)
        fail_msg("%s", dp_message(device));
    assert_memory_equal(data, expected, bytes);
}

#define FLOATS(...) ((const float[]){__VA_ARGS__})
#define INTS(...)   ((const int32_t[]){__VA_ARGS__})

/* Random numbers. ------------------------------ */

static void expect_bits(dp_device *device, const dp_tensor *tensor, const uint32_t *bits, int count)
{
    uint32_t data[16];
    assert_int_equal(DP_OK, dp_read(tensor, data, (size_t)dp_tensor_size(tensor) * sizeof *data));
    assert_int_equal(DP_OK, dp_failed(device));
    for (int t = 0; t < count; t++)
        if (data[t] != bits[t])
            fail_msg("element %d has bits %08x instead of %08x", t, data[t], bits[t]);
}

/* The table at the end of docs/random.md. */
static void test_random_bits(void **state)
{
    static const uint32_t unit[2][8] = {
        {0x3f63e806, 0x3f650a0e, 0x3f15f222, 0x3f3615aa, 0x3f2c0814, 0x3f5fc5cc, 0x3ef380f4, 0x3f27f660},
        {0x3f385022, 0x3f458cb0, 0x3da53d00, 0x3ef509fe, 0x3f2dca14, 0x3ea47c1a, 0x3eca8028, 0x3f3299da}};
    static const uint32_t normal[2][8] = {
        {0x3d73a553, 0xbef4fbdb, 0xbf62d47c, 0xbf08990f, 0xbba30688, 0xbf6440c5, 0xbf99156f, 0xbe726d7a},
        {0xbefae75f, 0xbf254d19, 0xbfae035c, 0x3fe47b66, 0x3e9549d2, 0x3f54986f, 0xbf9c7c82, 0xbf19b6e0}};
    static const uint64_t seeds[2] = {1, 0x123456789abcdef};
    dp_device *device = *state;
    for (int s = 0; s < 2; s++) {
        expect_bits(device, dp_uniform(device, seeds[s], DP_SHAPE(8), 0, 1), unit[s], 8);
        expect_bits(device, dp_randn(device, seeds[s], DP_SHAPE(8)), normal[s], 8);
        expect_bits(device, dp_randn(device, seeds[s], DP_SHAPE(1, 7)), normal[s],
                    7); /* cut within a quadruple */
    }
    /* The generator's own check values: counter 0, key 0. */
    expect(device, dp_uniform(device, 0, DP_SHAPE(4), 0, 16777216),
           FLOATS(0x6627e8, 0xe169c5, 0xbc57ac, 0x9b00db), 0);
    expect(device, dp_uniform(device, 0, DP_SHAPE(2), -1, 3),
           FLOATS(-1 + 4 * (float)0x6627e8 * 0x1p-24f, -1 + 4 * (float)0xe169c5 * 0x1p-24f), 0);
}

/* The table of step 3 behind it. What is not a whole number from 0 to 2^24 is made one. */
static void test_random_steps(void **state)
{
    static const uint32_t unit[8] = {0x3f69f4fa, 0x3f1af93c, 0x3ed51612, 0x3eeacad0, 0x3f0cce4d, 0x3f354eda, 0x3e77547c, 0x3e3c8d14},
                          normal[8] = {0xbed79ede, 0x3d55e3d6, 0xbf29f00e, 0x3f92a5e2, 0xbf7280d1, 0xbf0bcef9, 0x3fc90b6b, 0x3f1caac0}, whole[8] = {913, 605, 416, 458, 550, 708, 241, 184};
    dp_device *device = *state;
    expect_bits(device, dp_uniform_at(device, 1, floats(device, DP_SCALAR, FLOATS(3)), DP_SHAPE(8), 0, 1), unit, 8);
    expect_bits(device, dp_randn_at(device, 1, floats(device, DP_SHAPE(1, 1), FLOATS(3)), DP_SHAPE(8)), normal, 8);
    expect_bits(device, dp_randint_at(device, 1, floats(device, DP_SHAPE(1), FLOATS(3)), DP_SHAPE(8), 1000), whole, 8);
    expect_bits(device, dp_randint_at(device, 1, floats(device, DP_SCALAR, FLOATS(3.75f)), DP_SHAPE(7), 1000), whole, 7);
    static const float odd[][2] = {{-5, 0}, {NAN, 0}, {0.5f, 0}, {INFINITY, 16777216}, {1e20f, 16777216}};
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
        uint32_t as[8];
        dp_tensor *meant = dp_randn_at(device, 7, floats(device, DP_SCALAR, &odd[k][1]), DP_SHAPE(8));
        assert_int_equal(DP_OK, dp_read(meant, as, sizeof as));
        expect_bits(device, dp_randn_at(device, 7, floats(device, DP_SCALAR, &odd[k][0]), DP_SHAPE(8)), as, 8);
    }
    uint32_t plain[8];
    assert_int_equal(DP_OK, dp_read(dp_randn(device, 7, DP_SHAPE(8)), plain, sizeof plain));
    expect_bits(device, dp_randn_at(device, 7, floats(device, DP_SCALAR, FLOATS(0)), DP_SHAPE(8)), plain, 8);
}

static void test_random_moments(void **state)
{
    dp_device *device = *state;
    const int n = 1 << 18;
    dp_tensor *x = dp_randn(device, 99, DP_SHAPE(n));
    const double mean = dp_item(dp_reduce(device, x, DP_MEAN, DP_ALL_AXES));
    const double square =
        dp_item(dp_reduce(device, dp_map(device, "x^2", DP_ARGS({"x", x})), DP_MEAN, DP_ALL_AXES));
    const double fourth =
        dp_item(dp_reduce(device, dp_map(device, "x^4", DP_ARGS({"x", x})), DP_MEAN, DP_ALL_AXES));
    assert_true(fabs(mean) < 5 / sqrt(n) && fabs(square - 1) < 5 * sqrt(2.0 / n) &&
                fabs(fourth - 3) < 5 * sqrt(96.0 / n));
}

/* Matmul and convolution. ------------------------------ */

static void test_matmul(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = floats(device, DP_SHAPE(2, 3), FLOATS(1, 2, 3, 4, 5, 6));
    dp_tensor *b = floats(device, DP_SHAPE(3, 2), FLOATS(7, 8, 9, 10, 11, 12));
    expect(device, dp_matmul(device, a, b, NULL), FLOATS(58, 64, 139, 154), 0);
    const dp_matmul_params both = {.transpose_a = true, .transpose_b = true};
    expect(device, dp_matmul(device, a, b, &both), FLOATS(39, 49, 59, 54, 68, 82, 69, 87, 105), 0);
    const dp_matmul_params second = {.transpose_b = true};
    expect(device, dp_matmul(device, a, a, &second), FLOATS(14, 32, 32, 77), 0);

    dp_tensor *c = floats(device, DP_SHAPE(2), FLOATS(10, 20)); /* broadcast over rows */
    const dp_matmul_params affine = {.alpha = 2, .beta = -1, .c = c};
    expect(device, dp_matmul(device, a, b, &affine), FLOATS(106, 108, 268, 288), 0);

    const dp_matmul_params scaled = {.beta = 3, .c = c};
    dp_tensor *nothing_a = dp_empty(device, DP_F32, DP_SHAPE(2, 0)),
              *nothing_b = dp_empty(device, DP_F32, DP_SHAPE(0, 2));
    expect(device, dp_matmul(device, nothing_a, nothing_b, &scaled), FLOATS(30, 60, 30, 60), 0);

    dp_tensor *batch = floats(device, DP_SHAPE(2, 1, 3), FLOATS(1, 0, 0, 0, 0, 1)); /* picks rows of b */
    expect(device, dp_matmul(device, batch, b, NULL), FLOATS(7, 8, 11, 12), 0);
    dp_tensor *every_other =
        dp_slice(floats(device, DP_SHAPE(2, 6), FLOATS(1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0)), 1, 0, 6, 2);
    expect(device, dp_matmul(device, every_other, b, NULL), FLOATS(58, 64, 139, 154), 0);

    dp_tensor *ones = dp_full(device, DP_F32, DP_SHAPE(3, 1), 1);
    dp_tensor *exact =
        floats(device, DP_SHAPE(1, 3), FLOATS(16777216, 1, -16777216)); /* f32 sums would lose the 1 */
    expect(device, dp_matmul(device, exact, ones, NULL), FLOATS(1), 0);
}

static void test_conv2d(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = floats(device, DP_SHAPE(1, 1, 3, 3), FLOATS(1, 2, 3, 4, 5, 6, 7, 8, 9));
    dp_tensor *w = floats(device, DP_SHAPE(1, 1, 2, 2), FLOATS(1, 2, 3, 4));
    expect(device, dp_conv2d(device, x, w, NULL), FLOATS(37, 47, 67, 77), 0);

    const dp_conv2d_params padded = {.padding = {1, 0}, .stride = {2, 1}};
    expect(device, dp_conv2d(device, x, w, &padded), FLOATS(11, 18, 67, 77), 0);
    const dp_conv2d_params dilated = {.dilation = {2, 2}};
    expect(device, dp_conv2d(device, x, w, &dilated), FLOATS(1 + 2 * 3 + 3 * 7 + 4 * 9), 0);
    const dp_conv2d_params wide = {.padding = {0, 1}, .dilation = {2, 1}, .stride = {1, 3}};
    expect(device, dp_conv2d(device, x, w, &wide), FLOATS(2 * 1 + 4 * 7, 1 * 3 + 3 * 9), 0);

    /* Groups: each output channel sees its own half of the input's. */
    dp_tensor *two = floats(device, DP_SHAPE(1, 2, 1, 2), FLOATS(1, 2, 10, 20));
    dp_tensor *each = floats(device, DP_SHAPE(4, 1, 1, 1), FLOATS(1, 2, 3, 4));
    const dp_conv2d_params grouped = {.groups = 2};
    expect(device, dp_conv2d(device, two, each, &grouped), FLOATS(1, 2, 2, 4, 30, 60, 40, 80), 0);
    dp_tensor *mixed = floats(device, DP_SHAPE(1, 2, 1, 1), FLOATS(1, -1));
    expect(device, dp_conv2d(device, two, mixed, NULL), FLOATS(-9, -18), 0);
}

/* A convolution with as large a window as the image has is a matmul; so is one of 1 x 1. */
static void test_conv2d_is_matmul(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = dp_randn(device, 1, DP_SHAPE(3, 4, 5, 6)), *w = dp_randn(device, 2, DP_SHAPE(2, 4, 5, 6));
    const dp_matmul_params transposed = {.transpose_b = true};
    dp_tensor *product =
        dp_matmul(device, dp_reshape(x, DP_SHAPE(3, 120)), dp_reshape(w, DP_SHAPE(2, 120)), &transposed);
    float expected[6];
    assert_int_equal(DP_OK, dp_read(product, expected, sizeof expected));
    expect(device, dp_conv2d(device, x, w, NULL), expected, 0x1p-23);
}

/* Map. ------------------------------ */

static void expect_map(dp_device *device, const char *formula, float a, float b, double expected)
{
    const dp_args args = DP_ARGS({"a", floats(device, DP_SHAPE(1), &a)}, {.name = "b", .scalar = (double)b});
    const double value = dp_item(dp_map(device, formula, args));
    if (dp_failed(device) != DP_OK)
        fail_msg("%s", dp_message(device));
    if (!(fabs(value - expected) <= ROUNDING * fabs(expected) || value == expected ||
          (isnan(value) && isnan(expected))))
        fail_msg("%s of %g, %g is %.9g instead of %.9g", formula, (double)a, (double)b, value, expected);
}

static void test_functions(void **state)
{
    dp_device *device = *state;
    expect_map(device, "a + b * 2 - 3 / a", 2, 5, 10.5);
    expect_map(device, "-a^2", 3, 0, -9);
    expect_map(device, "a^b", 2, 0.5f, 1.4142135623730951);
    expect_map(device, "a^b", -2, 3, -8);
    expect_map(device, "a^b", 0, 0, 1);
    expect_map(device, "a^b", -2, 0.5f, (double)NAN);
    expect_map(device, "a^2", -3, 0, 9);
    expect_map(device, "abs(a) + sign(a) + floor(a)", -2.5f, 0, 2.5 - 1 - 3);
    expect_map(device, "sign(a)", 0, 0, 0);
    expect_map(device, "exp(a) + log(b)", 1, 2, 3.4114290090191907);
    expect_map(device, "sqrt(a) * rsqrt(b)", 9, 16, 0.75);
    expect_map(device, "rsqrt(a)", 0, 0, (double)INFINITY);
    expect_map(device, "sin(a) + cos(b)", 0.5f, 0.25f, 1.448337960331848);
    expect_map(device, "tanh(a) - sigmoid(b)", 0.5f, 2, -0.41867992071787267);
    expect_map(device, "sigmoid(a) + sigmoid(b)", -200, 200, 1);
    expect_map(device, "min(a, b) * 10 + max(a, b)", 3, -4, -37);
    expect_map(device, "clamp(a, -1, b)", 7, 2, 2);
    expect_map(device, "(a < b) + 2 * (a <= b) + 4 * (a == b) + 8 * (a != b)", 3, 3, 6);
    expect_map(device, "(a > b) + 2 * (a >= b)", 3, 2, 3);
    expect_map(device, "(a and b) + 2 * (a or b) + 4 * (not b)", 3, 0, 6);
    expect_map(device, "select(a, 1 / a, 7)", 0, 0, 7);
    expect_map(device, "select(a < 0, log(a), b)", 1, 5, 5);
    expect_map(device, "log(a)", -1, 0, (double)NAN);
    expect_map(device, "d = a - b; s = d * d; s * s", 5, 3, 16);
}

/* tanh' = 1 - tanh^2 and so on, by central differences in double precision: only the results are rounded. */
static void test_derivatives(void **state)
{
    static const char *const pairs[][2] = {
        {"tanh(x)", "1 - tanh(x)^2"}, {"sigmoid(x)", "sigmoid(x) * (1 - sigmoid(x))"},
        {"exp(x)", "exp(x)"},         {"log(x)", "1 / x"},
        {"sin(x)", "cos(x)"},         {"cos(x)", "-sin(x)"},
        {"sqrt(x)", "0.5 / sqrt(x)"}, {"rsqrt(x)", "-0.5 * rsqrt(x)^3"},
        {"x^2.5", "2.5 * x^1.5"},
    };
    dp_device *device = *state;
    dp_tensor *x = dp_uniform(device, 5, DP_SHAPE(50), 0.3, 2);
    for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
        char formula[128];
        const char *open = strchr(pairs[p][0], 'x'), *head = pairs[p][0];
        if (strcmp(head, "exp(x)") == 0)
            open = head + 4;
        const int before = (int)(open - head);
        snprintf(formula, sizeof formula, "(%.*s(x + 0.001)%s - %.*s(x - 0.001)%s) / 0.002 - (%s)", before,
                 head, open + 1, before, head, open + 1, pairs[p][1]);
        dp_tensor *difference = dp_map(device, formula, DP_ARGS({"x", x}));
        dp_tensor *largest =
            dp_reduce(device, dp_map(device, "abs(d)", DP_ARGS({"d", difference})), DP_MAX, DP_ALL_AXES);
        if (!(dp_item(largest) < 3e-5))
            fail_msg("%s is %g; %s", formula, dp_item(largest), dp_message(device));
    }
}

static void test_map_shapes(void **state)
{
    dp_device *device = *state;
    dp_tensor *column = floats(device, DP_SHAPE(2, 1), FLOATS(10, 20)),
              *row = floats(device, DP_SHAPE(3), FLOATS(1, 2, 3));
    expect(device, dp_map(device, "a + b", DP_ARGS({"a", column}, {"b", row})),
           FLOATS(11, 12, 13, 21, 22, 23), 0);

    /* Two outputs, one of them in place, one a transposed view. */
    dp_tensor *m = floats(device, DP_SHAPE(2, 3), FLOATS(1, 2, 3, 4, 5, 6)),
              *t = dp_empty(device, DP_F32, DP_SHAPE(3, 2));
    dp_tensor *outputs[2] = {m, dp_transpose(t, 0, 1)};
    assert_int_equal(DP_OK, dp_map_into(device, "m * 2, m + b", DP_ARGS({"m", m}, {"b", row}), outputs, 2));
    expect(device, m, FLOATS(2, 4, 6, 8, 10, 12), 0);
    expect(device, t, FLOATS(2, 5, 4, 7, 6, 9), 0);
}

/* Reductions. ------------------------------ */

static void test_reduce(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = floats(device, DP_SHAPE(2, 3), FLOATS(1, 5, 3, 4, 2, 5));
    expect(device, dp_reduce(device, x, DP_SUM, DP_AXIS(1)), FLOATS(9, 11), 0);
    expect(device, dp_reduce(device, x, DP_SUM, DP_AXIS(0)), FLOATS(5, 7, 8), 0);
    expect(device, dp_reduce(device, x, DP_MEAN, DP_ALL_AXES), FLOATS(20 / 6.0f), ROUNDING);
    expect(device, dp_reduce(device, x, DP_MAX, DP_AXIS(0)), FLOATS(4, 5, 5), 0);
    expect(device, dp_reduce(device, x, DP_MIN, DP_AXIS(1)), FLOATS(1, 2), 0);
    expect_ints(device, dp_reduce(device, x, DP_ARGMAX, DP_AXIS(1)), INTS(1, 2));
    expect_ints(device, dp_reduce(device, x, DP_ARGMAX, DP_ALL_AXES), INTS(1)); /* the first of two */
    expect_ints(device, dp_reduce(device, x, DP_ARGMIN, DP_AXIS(0) | DP_KEEP_AXES), INTS(0, 1, 0));
    expect(device, dp_reduce(device, dp_transpose(x, 0, 1), DP_SUM, DP_AXIS(0)), FLOATS(9, 11), 0);
    expect(device, dp_reduce(device, x, DP_LOGSUMEXP, DP_AXIS(1)), FLOATS(5.1429316f, 5.3490120f), ROUNDING);
}

static void test_reduce_edges(void **state)
{
    dp_device *device = *state;
    static const float nothing[] = {0, NAN, -INFINITY, INFINITY};
    dp_tensor *empty = dp_empty(device, DP_F32, DP_SHAPE(1, 0));
    for (int r = DP_SUM; r <= DP_MIN; r++)
        expect(device, dp_reduce(device, empty, (dp_reduction)r, DP_AXIS(1)), &nothing[r], 0);
    expect(device, dp_reduce(device, empty, DP_LOGSUMEXP, DP_AXIS(1)), FLOATS(-INFINITY), 0);
    expect_ints(device, dp_reduce(device, empty, DP_ARGMAX, DP_AXIS(1)), INTS(-1));
    expect_ints(device, dp_reduce(device, empty, DP_ARGMIN, DP_AXIS(1)), INTS(-1));

    dp_tensor *lost = floats(device, DP_SHAPE(4), FLOATS(1, NAN, 3, -2));
    for (int r = DP_SUM; r <= DP_LOGSUMEXP; r++)
        if (r != DP_ARGMAX && r != DP_ARGMIN)
            expect(device, dp_reduce(device, lost, (dp_reduction)r, DP_ALL_AXES), FLOATS(NAN), 0);
    dp_tensor *low = dp_full(device, DP_F32, DP_SHAPE(3), -(double)INFINITY);
    expect_ints(device, dp_reduce(device, low, DP_ARGMAX, DP_ALL_AXES), INTS(0));
    expect(device, dp_reduce(device, low, DP_LOGSUMEXP, DP_ALL_AXES), FLOATS(-INFINITY), 0);

    dp_tensor *high = floats(device, DP_SHAPE(4), FLOATS(1000, -INFINITY, 1000, -1000));
    expect(device, dp_reduce(device, high, DP_LOGSUMEXP, DP_ALL_AXES), FLOATS(1000.6931472f), ROUNDING);
    dp_tensor *rising = floats(device, DP_SHAPE(3), FLOATS(-2000, 0, 2000));
    expect(device, dp_reduce(device, rising, DP_LOGSUMEXP, DP_ALL_AXES), FLOATS(2000), 0);
    expect(device, dp_reduce(device, dp_full(device, DP_F32, DP_SCALAR, 4), DP_SUM, DP_ALL_AXES), FLOATS(4),
           0);
}

/* Gather and scatter. ------------------------------ */

static void test_gather(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = floats(device, DP_SHAPE(3, 2), FLOATS(1, 2, 3, 4, 5, 6));
    dp_tensor *index = ints(device, DP_SHAPE(4), INTS(2, 0, -1, 3));
    expect(device, dp_gather_rows(device, x, index), FLOATS(5, 6, 1, 2, NAN, NAN, NAN, NAN), 0);
    dp_tensor *whole = ints(device, DP_SHAPE(2), INTS(7, 8));
    expect_ints(device, dp_gather_rows(device, whole, index), INTS(INT32_MIN, 7, INT32_MIN, INT32_MIN));
    dp_tensor *along = ints(device, DP_SHAPE(3, 1), INTS(1, 0, 1));
    expect(device, dp_gather(device, x, along, 1), FLOATS(2, 3, 6), 0);
    dp_tensor *down = ints(device, DP_SHAPE(1, 2), INTS(2, 1));
    expect(device, dp_gather(device, x, down, 0), FLOATS(5, 4), 0);
}

static void test_scatter_add(void **state)
{
    dp_device *device = *state;
    dp_tensor *y = floats(device, DP_SHAPE(4, 2), FLOATS(1, 2, 3, 4, 5, 6, 7, 8));
    dp_tensor *index = ints(device, DP_SHAPE(4), INTS(2, 0, 2, 9));
    expect(device, dp_scatter_add_rows(device, y, index, 3), FLOATS(3, 4, 0, 0, 6, 8), 0);
    dp_tensor *along = ints(device, DP_SHAPE(4, 2), INTS(0, 0, 1, 0, -1, 1, 2, 2));
    expect(device, dp_scatter_add(device, y, along, 1, 3), FLOATS(3, 0, 0, 4, 3, 0, 0, 6, 0, 0, 0, 15), 0);

    /* <gather(x), y> = <x, scatter(y)> */
    dp_tensor *x = dp_randn(device, 3, DP_SHAPE(5, 7)), *z = dp_randn(device, 4, DP_SHAPE(9, 7));
    dp_tensor *rows = ints(device, DP_SHAPE(9), INTS(4, 0, 0, 3, 2, 2, 2, 4, 1));
    const dp_args forward = DP_ARGS({"a", dp_gather_rows(device, x, rows)}, {"b", z});
    const dp_args backward = DP_ARGS({"a", dp_scatter_add_rows(device, z, rows, 5)}, {"b", x});
    const double one = dp_item(dp_reduce(device, dp_map(device, "a * b", forward), DP_SUM, DP_ALL_AXES));
    const double other = dp_item(dp_reduce(device, dp_map(device, "a * b", backward), DP_SUM, DP_ALL_AXES));
    assert_true(fabs(one - other) < 1e-5 && fabs(one) > 0.1);
}

/* Pairs. ------------------------------ */

static void test_pairwise(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = floats(device, DP_SHAPE(3), FLOATS(1, 2, 4)),
              *y = floats(device, DP_SHAPE(2), FLOATS(10, 30));
    const dp_args args = DP_ARGS({"x", x}, {"y", y}, {.name = "k", .scalar = 2});
    expect(device, dp_pairwise(device, "k * x[i] * y[j]", DP_SUM_J, args), FLOATS(80, 160, 320), 0);
    expect(device, dp_pairwise(device, "k * x[i] * y[j]", DP_SUM_I, args), FLOATS(140, 420), 0);
    expect(device, dp_pairwise(device, "k * x[i] * y[j]", DP_SUM_ALL, args), FLOATS(560), 0);
    expect(device, dp_pairwise(device, "x[i] * y[j]", DP_MEAN_ALL, args), FLOATS(280 / 6.0f), ROUNDING);
    expect(device, dp_pairwise(device, "x[i] - y[j]", DP_MAX_J, args), FLOATS(-9, -8, -6), 0);
    expect_ints(device, dp_pairwise(device, "abs(3 * x[j] - y[i])", DP_ARGMIN_J, args), INTS(2, 2));
    expect_ints(device, dp_pairwise(device, "abs(x[i] - 3) + 0 * y[j]", DP_ARGMIN_I, args),
                INTS(1, 1)); /* the first */
    expect(device, dp_pairwise(device, "log(x[i] * y[j])", DP_LOGSUMEXP_J, args),
           FLOATS(3.6888795f, 4.3820266f, 5.0751738f), ROUNDING);
    expect(device, dp_pairwise(device, "x[i] * x[j]", DP_SUM_J | DP_EXCLUDE_SELF, args), FLOATS(6, 10, 12),
           0);
    expect(device, dp_pairwise(device, "x[i] * x[j]", DP_MEAN_ALL | DP_EXCLUDE_SELF, args), FLOATS(28 / 6.0f),
           ROUNDING);
}

static void test_pairwise_vectors(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = floats(device, DP_SHAPE(2, 2), FLOATS(1, 2, 3, 4)),
              *v = floats(device, DP_SHAPE(2), FLOATS(10, 100));
    dp_tensor *y =
        dp_transpose(floats(device, DP_SHAPE(2, 3), FLOATS(0, 1, 2, 0, 1, 3)), 0, 1); /* (0,0) (1,1) (2,3) */
    const dp_args args = DP_ARGS({"x", x}, {"y", y}, {"v", v});
    expect(device, dp_pairwise(device, "x[i] - y[j]", DP_SUM_J, args), FLOATS(0, 2, 6, 8), 0);
    expect(device, dp_pairwise(device, "v * (x[i] - y[j])", DP_SUM_I, args), FLOATS(40, 600, 20, 400, 0, 0),
           0);
    expect(device, dp_pairwise(device, "x[i] * y[j]", DP_MAX_ALL, args), FLOATS(6, 12), 0);
    expect(device, dp_pairwise(device, "sqdist(x[i], y[j])", DP_SUM_J, args), FLOATS(5 + 1 + 2, 25 + 13 + 2),
           0);
    expect(device, dp_pairwise(device, "norm_p(x[i] - y[j], 1)", DP_MAX_J, args), FLOATS(3, 7), 0);
    expect(device, dp_pairwise(device, "max(x[i]) * min(y[j] + v)", DP_SUM_ALL, args), FLOATS(6 * 33), 0);
    expect(device, dp_pairwise(device, "dot(x[i], v) + y[j][1]", DP_MEAN_J, args),
           FLOATS(210 + 4 / 3.0f, 430 + 4 / 3.0f), ROUNDING);
}

static void test_pairwise_of_nothing(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = floats(device, DP_SHAPE(1), FLOATS(1)), *y = dp_empty(device, DP_F32, DP_SHAPE(0));
    const dp_args args = DP_ARGS({"x", x}, {"y", y});
    static const float nothing[] = {0, NAN, -INFINITY, INFINITY};
    for (unsigned r = DP_SUM; r <= DP_MIN; r++) {
        expect(device, dp_pairwise(device, "x[i] + y[j]", r | DP_OVER_J, args), &nothing[r], 0);
        expect(device, dp_pairwise(device, "x[i] + y[j]", r | DP_OVER_ALL, args), &nothing[r], 0);
        expect(device, dp_pairwise(device, "x[i] + x[j]", r | DP_OVER_J | DP_EXCLUDE_SELF, args), &nothing[r],
               0);
        assert_int_equal(0, dp_tensor_size(dp_pairwise(device, "x[i] + y[j]", r | DP_OVER_I, args)));
    }
    expect(device, dp_pairwise(device, "x[i] + y[j]", DP_LOGSUMEXP_J, args), FLOATS(-INFINITY), 0);
    expect_ints(device, dp_pairwise(device, "x[i] + y[j]", DP_ARGMAX_J, args), INTS(-1));
}

/* The force is minus the gradient of the energy, and all forces together are none. */
static void test_forces(void **state)
{
    static const char energy[] = "0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + 0.05)";
    static const char force[] = "d = x[i] - x[j]; q[i] * q[j] * (dot(d, d) + 0.05)^(-1.5) * d";
    enum { N = 8 };
    dp_device *device = *state;
    dp_tensor *q = dp_uniform(device, 1, DP_SHAPE(N), -3, 3), *x = dp_randn(device, 2, DP_SHAPE(N, 3));
    float at[N * 3], forces[N * 3];
    double total[3] = {0}, strongest = 0;
    dp_read(x, at, sizeof at);
    dp_read(dp_pairwise(device, force, DP_SUM_J, DP_ARGS({"q", q}, {"x", x})), forces, sizeof forces);
    for (int t = 0; t < N * 3; t++) {
        const float step = 0x1p-7f;
        double change = 0;
        for (int side = -1; side <= 1; side += 2) {
            float moved[N * 3];
            memcpy(moved, at, sizeof at);
            moved[t] += (float)side * step;
            dp_tensor *there = floats(device, DP_SHAPE(N, 3), moved);
            change += side * dp_item(dp_pairwise(device, energy, DP_SUM_ALL | DP_EXCLUDE_SELF,
                                                 DP_ARGS({"q", q}, {"x", there})));
        }
        const double gradient = change / (2 * (double)step);
        if (!(fabs(gradient + (double)forces[t]) < 3e-3))
            fail_msg("force %d is %g, minus the gradient %g", t, (double)forces[t], -gradient);
        total[t % 3] += (double)forces[t];
        strongest = fmax(strongest, fabs((double)forces[t]));
    }
    for (int c = 0; c < 3; c++)
        assert_true(fabs(total[c]) < 1e-5);
    if (!(strongest > 1))
        fail_msg("the strongest force is %g", strongest);
}

/* The device. ------------------------------ */

static void test_copy(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = floats(device, DP_SHAPE(2, 3), FLOATS(1, 2, 3, 4, 5, 6));
    expect(device, dp_copy(device, dp_transpose(x, 0, 1)), FLOATS(1, 4, 2, 5, 3, 6), 0);
    expect(device, dp_copy(device, dp_slice(x, 1, 0, 3, 2)), FLOATS(1, 3, 4, 6), 0);
    dp_tensor *row = dp_slice(x, 0, 1, 2, 1);
    expect(device, dp_copy(device, dp_broadcast(row, DP_SHAPE(2, 3))), FLOATS(4, 5, 6, 4, 5, 6), 0);
    const uint32_t bits = 0x7f812345; /* a NaN keeps its payload */
    uint32_t back;
    dp_read(dp_copy(device, dp_from(device, DP_F32, DP_SHAPE(1), &bits)), &back, sizeof back);
    assert_int_equal(bits, back);
}

static void test_profile(void **state)
{
    dp_device *device = *state;
    dp_profile_entry entry[4];
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(50, 50), 1);
    assert_int_equal(DP_OK, dp_profile(device, true));
    for (int t = 0; t < 3; t++)
        dp_matmul(device, x, x, NULL);
    dp_map(device, "x", DP_ARGS({"x", x}));
    assert_int_equal(2, dp_profile_list(device, entry, 4));
    assert_true(entry[0].seconds >= entry[1].seconds && entry[1].seconds > 0);
    const int matmul = strcmp(entry[0].kernel, "matmul") == 0 ? 0 : 1;
    assert_string_equal("matmul", entry[matmul].kernel);
    assert_string_equal("map", entry[1 - matmul].kernel);
    assert_int_equal(3, entry[matmul].launches);
    assert_int_equal(2, dp_profile_list(device, entry, 1));
    assert_int_equal(DP_OK, dp_profile(device, false));
    dp_matmul(device, x, x, NULL);
    assert_int_equal(0, dp_profile_list(device, entry, 4));
}

static void test_memory_limit(void **state)
{
    dp_device *device = *state;
    const dp_device_info info = dp_device_get_info(device);
    assert_int_equal(DP_DEVICE_REFERENCE, info.type);
    assert_true(info.memory_bytes > 1 << 20);
    /* Within the limit for one tensor, but not all of them together. Nothing is written, so nothing is taken.
     */
    dp_tensor *last = NULL;
    for (int t = 0; t < 100000 && dp_failed(device) == DP_OK; t++)
        last = dp_empty(device, DP_F32, DP_SHAPE(INT32_MAX));
    assert_null(last);
    assert_int_equal(DP_ERROR_MEMORY, dp_clear(device));
    expect(device, dp_full(device, DP_F32, DP_SHAPE(1), 3), FLOATS(3), 0);
}

#define REF_TEST(name) cmocka_unit_test_setup_teardown(name, open_device, close_device)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REF_TEST(test_random_bits),
        REF_TEST(test_random_steps),
        REF_TEST(test_random_moments),
        REF_TEST(test_matmul),
        REF_TEST(test_conv2d),
        REF_TEST(test_conv2d_is_matmul),
        REF_TEST(test_functions),
        REF_TEST(test_derivatives),
        REF_TEST(test_map_shapes),
        REF_TEST(test_reduce),
        REF_TEST(test_reduce_edges),
        REF_TEST(test_gather),
        REF_TEST(test_scatter_add),
        REF_TEST(test_pairwise),
        REF_TEST(test_pairwise_vectors),
        REF_TEST(test_pairwise_of_nothing),
        REF_TEST(test_forces),
        REF_TEST(test_copy),
        REF_TEST(test_profile),
        REF_TEST(test_memory_limit),
    };
    return cmocka_run_group_tests_name("ref", tests, NULL, NULL);
}
