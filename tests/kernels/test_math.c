/* SPDX-License-Identifier: Apache-2.0 */
/* Every function of the formula language on every device, against the host's double precision, within the
 * bound that dp_map_bound gives; and how good the random numbers are. Arguments cover all magnitudes, crowd
 * around 0 and 1 and at the functions' own corners. Subnormal arguments are left out: a device may take them
 * for zero. */
#include <dipole/dipole.h>

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT                  (1 << 20)
#define GROUP                  8 /* formulas of one kernel: what few bindings allow */
#define MAX_DEVICES            16
#define XY(x_tensor, y_tensor) DP_ARGS({.name = "x", .tensor = x_tensor}, {.name = "y", .tensor = y_tensor})

/* name, formula, the same in double precision */
#define FUNCTIONS(F)                                                                                         \
    F(add, "x + y", x + y)                                                                                   \
    F(multiply, "x * y", x *y)                                                                               \
    F(divide, "x / y", x / y)                                                                                \
    F(negate, "-x", -x)                                                                                      \
    F(minimum, "min(x, y)", x < y ? x : y)                                                                   \
    F(maximum, "max(x, y)", x > y ? x : y)                                                                   \
    F(absolute, "abs(x)", fabs(x))                                                                           \
    F(sign, "sign(x)", (x > 0) - (x < 0))                                                                    \
    F(floor, "floor(x)", floor(x))                                                                           \
    F(less, "x < y", x < y)                                                                                  \
    F(at_most, "x <= y", x <= y)                                                                             \
    F(whole, "x == floor(x)", x == floor(x))                                                                 \
    F(choice, "select(x < 0, y, sqrt(x))", x < 0 ? y : sqrt(x))                                              \
    F(square_root, "sqrt(abs(x))", sqrt(fabs(x)))                                                            \
    F(inverse_root, "rsqrt(abs(x))", 1 / sqrt(fabs(x)))                                                      \
    F(exponential, "exp(x)", exp(x))                                                                         \
    F(logarithm, "log(abs(x))", log(fabs(x)))                                                                \
    F(sine, "sin(x)", sin(x))                                                                                \
    F(cosine, "cos(x)", cos(x))                                                                              \
    F(tangent, "tanh(x)", tanh(x))                                                                           \
    F(logistic, "sigmoid(x)", 1 / (1 + exp(-x)))                                                             \
    F(power, "abs(x) ^ y", pow(fabs(x), y))                                                                  \
    F(whole_power, "x ^ floor(y)", pow(x, floor(y)))

#define DEFINE(name, formula, value)                                                                         \
    static double exact_##name(double x, double y)                                                           \
    {                                                                                                        \
        (void)y;                                                                                             \
        return value;                                                                                        \
    }
FUNCTIONS(DEFINE)
#undef DEFINE

static const struct function {
    const char *formula;
    double (*exact)(double x, double y);
} functions[] = {
#define ROW(name, formula, value) {formula, exact_##name},
    FUNCTIONS(ROW)
#undef ROW
};
#define FUNCTION_COUNT ((int)(sizeof functions / sizeof functions[0]))

typedef struct context {
    dp_device *ref;
    dp_tensor *x, *y; /* on ref */
    float *x_values, *y_values, *result;
} context;

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint32_t random_word(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

/* In [-1, 1). */
static double random_real(void)
{
    return (double)random_word() / 2147483648.0 - 1;
}

static float any_float(void)
{
    const uint32_t word = random_word();
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static float argument(void)
{
    static const float special[] = {0,      1,      -1,    0.5f,   2,     -2,      3,      88.7f,
                                    -87.3f, 1e-30f, 1e30f, -1e30f, 32768, FLT_MAX, FLT_MIN};
    const uint32_t word = random_word();
    double value;
    switch (word % 10) {
    case 0:
        value = special[word / 10 % (sizeof special / sizeof special[0])];
        break;
    case 1:
    case 2:
        value = any_float();
        break;
    case 3:
        value = 1 + random_real() * exp2(12 * random_real() - 12);
        break;
    case 4:
        value = random_real() * exp2(20 * random_real() - 20);
        break;
    case 5:
        value = floor(20 * random_real());
        break;
    case 6:
        value = 32768 * random_real();
        break;
    case 7:
        value = 1.57079632679 * floor(20000 * random_real()) + 1e-3 * random_real();
        break;
    case 8:
        value = 110 * random_real();
        break;
    default:
        value = 4 * random_real();
    }
    const float result = (float)value;
    return isfinite(result) && (result == 0 || fabsf(result) >= FLT_MIN) ? result : 1.5f;
}

/* The functions of one kernel, with what each should give. */
typedef struct group {
    int first, count;
    char formula[512];
    double *exact[GROUP];
    float *bound[GROUP];
} group;

static void group_free(group *g)
{
    for (int f = 0; f < GROUP; f++) {
        free(g->exact[f]);
        free(g->bound[f]);
    }
}

static void group_fill(group *g, const context *c)
{
    size_t length = 0;
    for (int f = 0; f < g->count; f++) {
        const struct function *function = &functions[g->first + f];
        length += (size_t)snprintf(g->formula + length, sizeof g->formula - length, "%s%s", f ? ", " : "",
                                   function->formula);
        assert_true(length < sizeof g->formula);
        g->exact[f] = malloc(COUNT * sizeof(double));
        g->bound[f] = malloc(COUNT * sizeof(float));
        assert_true(g->exact[f] && g->bound[f]);
        for (int i = 0; i < COUNT; i++)
            g->exact[f][i] = function->exact((double)c->x_values[i], (double)c->y_values[i]);
        dp_tensor *bound = dp_map_bound(c->ref, function->formula, XY(c->x, c->y), 0);
        assert_int_equal(dp_read(bound, g->bound[f], COUNT * sizeof(float)), DP_OK);
        dp_tensor_release(&bound);
    }
}

/* Error over bound. */
static double error_ratio(double got, double exact, double bound)
{
    if (isnan(exact))
        return isnan(got) ? 0 : (double)INFINITY;
    if (isinf(exact))
        return got == exact ? 0 : (double)INFINITY;
    if (isinf(bound))
        return 0;
    const double error = fabs(got - exact);
    return error == 0 ? 0 : isnan(error) ? (double)INFINITY : error / bound;
}

/* Prints the worst argument; true where all are within the bound. */
static bool judge(const context *c, const group *g, int f, const char *device)
{
    double worst = 0;
    int at = 0, bad = 0;
    for (int i = 0; i < COUNT; i++) {
        const double ratio = error_ratio((double)c->result[i], g->exact[f][i], (double)g->bound[f][i]);
        bad += ratio > 1;
        if (ratio > worst) {
            worst = ratio;
            at = i;
        }
    }
    const char *formula = functions[g->first + f].formula;
    print_message("# %-12s %-26s worst error %.3f of its bound, at x = %a, y = %a\n", device, formula, worst,
                  (double)c->x_values[at], (double)c->y_values[at]);
    if (bad > 0)
        print_message("FAILED for %d arguments; there: got %a, exact %a, bound %g\n", bad,
                      (double)c->result[at], g->exact[f][at], (double)g->bound[f][at]);
    return bad == 0;
}

static int check_group(const context *c, const group *g, const char *id)
{
    dp_device *device = dp_device_open(id);
    dp_tensor *x = dp_copy(device, c->x), *y = dp_copy(device, c->y), *out[GROUP];
    for (int f = 0; f < g->count; f++)
        out[f] = dp_empty(device, DP_F32, DP_SHAPE(COUNT));
    dp_map_into(device, g->formula, XY(x, y), out, g->count);
    if (dp_failed(device))
        fail_msg("%s: %s", id, dp_message(device));
    int failures = 0;
    for (int f = 0; f < g->count; f++) {
        assert_int_equal(dp_read(out[f], c->result, COUNT * sizeof(float)), DP_OK);
        failures += !judge(c, g, f, id);
    }
    dp_device_close(&device);
    return failures;
}

static void test_functions(void **state)
{
    const context *c = *state;
    dp_device_info infos[MAX_DEVICES];
    const size_t found = dp_device_list(infos, MAX_DEVICES);
    const size_t devices = found < MAX_DEVICES ? found : MAX_DEVICES;
    int failures = 0;
    for (int first = 0; first < FUNCTION_COUNT; first += GROUP) {
        group g = {.first = first, .count = FUNCTION_COUNT - first < GROUP ? FUNCTION_COUNT - first : GROUP};
        group_fill(&g, c);
        for (size_t d = 0; d < devices; d++)
            failures += check_group(c, &g, infos[d].id);
        group_free(&g);
    }
    assert_int_equal(failures, 0);
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov's distance times sqrt(n): above 1.95 once in 1000 samples, and the seed is fixed. */
static double distance_to_normal(float *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_floats);
    double largest = 0;
    for (int i = 0; i < count; i++) {
        const double p = 0.5 * erfc(-(double)values[i] / sqrt(2));
        largest = fmax(largest, fmax((i + 1) / (double)count - p, p - i / (double)count));
    }
    return largest * sqrt(count);
}

/* Every limit is 4 standard deviations of the statistic. Other devices have the same bits
 * (tests/ops/random.c). */
static void test_normal_quality(void **state)
{
    const context *c = *state;
    dp_tensor *normal = dp_randn(c->ref, 2026, DP_SHAPE(COUNT));
    assert_int_equal(dp_read(normal, c->result, COUNT * sizeof(float)), DP_OK);
    dp_tensor_release(&normal);
    double mean = 0, square = 0, cube = 0, fourth = 0, neighbours = 0;
    int beyond[6] = {0};
    for (int i = 0; i < COUNT; i++) {
        const double v = (double)c->result[i];
        mean += v / COUNT;
        square += v * v / COUNT;
        cube += v * v * v / COUNT;
        fourth += v * v * v * v / COUNT;
        neighbours += i % 2 ? v * (double)c->result[i - 1] / (COUNT / 2) : 0;
        for (int k = 1; k < 6; k++)
            beyond[k] += fabs(v) > k;
    }
    const double deviation = 4 / sqrt(COUNT);
    assert_true(fabs(mean) < deviation);
    assert_true(fabs(square - 1) < deviation * sqrt(2));
    assert_true(fabs(cube) < deviation * sqrt(15));
    assert_true(fabs(fourth - 3) < deviation * sqrt(96));
    assert_true(fabs(neighbours) < deviation * sqrt(2));
    for (int k = 1; k < 6; k++) {
        const double expected = COUNT * erfc(k / sqrt(2));
        assert_true(fabs(beyond[k] - expected) < 4 * sqrt(expected) + 1);
    }
    assert_true(distance_to_normal(c->result, COUNT) < 1.95);
}

static void test_uniform_quality(void **state)
{
    const context *c = *state;
    dp_tensor *uniform = dp_uniform(c->ref, 2026, DP_SHAPE(COUNT), 0, 1);
    assert_int_equal(dp_read(uniform, c->result, COUNT * sizeof(float)), DP_OK);
    dp_tensor_release(&uniform);
    qsort(c->result, COUNT, sizeof(float), compare_floats);
    double largest = 0;
    for (int i = 0; i < COUNT; i++)
        largest = fmax(largest, fabs((i + 0.5) / COUNT - (double)c->result[i]));
    assert_true(c->result[0] >= 0 && c->result[COUNT - 1] < 1);
    assert_true(largest * sqrt(COUNT) < 1.95);
}

static int setup(void **state)
{
    context *c = calloc(1, sizeof *c);
    if (!c)
        return -1;
    *state = c;
    c->x_values = malloc(3 * sizeof(float) * COUNT);
    if (!c->x_values)
        return -1;
    c->y_values = c->x_values + COUNT;
    c->result = c->y_values + COUNT;
    for (int i = 0; i < COUNT; i++) {
        c->x_values[i] = argument();
        c->y_values[i] = argument();
    }
    c->ref = dp_device_open("ref");
    c->x = dp_from(c->ref, DP_F32, DP_SHAPE(COUNT), c->x_values);
    c->y = dp_from(c->ref, DP_F32, DP_SHAPE(COUNT), c->y_values);
    return dp_failed(c->ref) ? -1 : 0;
}

static int teardown(void **state)
{
    context *c = *state;
    dp_device_close(&c->ref);
    free(c->x_values);
    free(c);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_normal_quality),
        cmocka_unit_test(test_uniform_quality),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
