/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of representations, written in the public ops, against values that were made elsewhere in double
 * precision. */
#include "golden_case.h"

static dp_tensor *labels(dp_device *device)
{
    return dp_from(device, DP_F32, DP_SHAPE(6), (const float[]){0, 0, 1, 1, 2, 2});
}

/* Losses of rows against rows. ------------------------------ */

static void test_hinge(void **state)
{
    static const double golden[3] = {0, GOLDEN_HINGE_1, GOLDEN_HINGE_2};
    dp_device *device = *state;
    dp_tensor *h = input(device, 11, DP_SHAPE(4, 3)), *near = input(device, 12, DP_SHAPE(4, 3));
    dp_tensor *far = input(device, 13, DP_SHAPE(4, 3));
    for (int p = 1; p <= 2; p++) {
        dp_tensor *loss =
            dp_map(device, "max(0, a - b)",
                   DP_ARGS({"a", distance(device, h, near, p)}, {"b", distance(device, h, far, p)}));
        check(device, sum_of(device, loss), golden[p], SEVERAL_CALLS, golden[p]);
    }
}

/* The cosines between row i of a and row i of b. */
static dp_tensor *cosines(dp_device *device, const dp_tensor *a, const dp_tensor *b)
{
    dp_tensor *ab =
        dp_reduce(device, dp_map(device, "a * b", DP_ARGS({"a", a}, {"b", b})), DP_SUM, DP_AXIS(1));
    dp_tensor *aa = dp_reduce(device, dp_map(device, "a * a", DP_ARGS({"a", a})), DP_SUM, DP_AXIS(1));
    dp_tensor *bb = dp_reduce(device, dp_map(device, "b * b", DP_ARGS({"b", b})), DP_SUM, DP_AXIS(1));
    return dp_map(device, "ab * rsqrt(aa * bb)", DP_ARGS({"ab", ab}, {"aa", aa}, {"bb", bb}));
}

#define COSINE "dot(x[i], y[j]) * rsqrt(dot(x[i], x[i]) * dot(y[j], y[j]))"

static void test_rank_h(void **state)
{
    dp_device *device = *state;
    dp_tensor *h = input(device, 11, DP_SHAPE(4, 3)), *near = input(device, 12, DP_SHAPE(4, 3));
    dp_tensor *far = input(device, 13, DP_SHAPE(4, 3));
    dp_tensor *loss = dp_map(device, "max(0, n - p + 0.5)",
                             DP_ARGS({"p", cosines(device, h, near)}, {"n", cosines(device, h, far)}));
    check(device, sum_of(device, loss), GOLDEN_RANK_H, SEVERAL_CALLS, GOLDEN_RANK_H);
}

static void test_simcse(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = input(device, 11, DP_SHAPE(4, 3)), *b = input(device, 12, DP_SHAPE(4, 3));
    const double positive = mean_of(device, cosines(device, a, b));
    const double sharp = mean_of(device, pairs(device, COSINE " / 0.05", DP_LOGSUMEXP_J, a, b));
    const double soft = mean_of(device, pairs(device, COSINE " / 0.5", DP_LOGSUMEXP_J, a, b));
    check(device, sharp - positive / 0.05, GOLDEN_SIMCSE_0_05, SEVERAL_CALLS,
          fabs(sharp) + 20 * fabs(positive));
    check(device, soft - positive / 0.5, GOLDEN_SIMCSE_0_5, SEVERAL_CALLS, fabs(soft) + 2 * fabs(positive));
}

static void test_ntxent(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = input(device, 14, DP_SHAPE(8, 3));
    dp_tensor *partner = indices(device, DP_SHAPE(8), (const int32_t[]){1, 0, 3, 2, 5, 4, 7, 6});
    const double positive = mean_of(device, cosines(device, x, dp_gather_rows(device, x, partner)));
    const double all =
        mean_of(device, pairs(device, COSINE " / 0.5", DP_LOGSUMEXP_J | DP_EXCLUDE_SELF, x, x));
    check(device, all - positive / 0.5, GOLDEN_NTXENT_0_5, SEVERAL_CALLS, fabs(all) + 2 * fabs(positive));
}

static void test_mixcse(void **state)
{
    const char *mixed = "bi = y[i] * rsqrt(dot(y[i], y[i])); bj = y[j] * rsqrt(dot(y[j], y[j]));"
                        "c = 0.2 * bi + 0.8 * bj;"
                        "dot(x[i], c) * rsqrt(dot(c, c) * dot(x[i], x[i])) / 0.05";
    dp_device *device = *state;
    dp_tensor *a = input(device, 11, DP_SHAPE(4, 3)), *b = input(device, 12, DP_SHAPE(4, 3));
    const double positive = mean_of(device, cosines(device, a, b));
    dp_tensor *plain = pairs(device, COSINE " / 0.05", DP_LOGSUMEXP_J, a, b);
    dp_tensor *mixtures = pairs(device, mixed, DP_LOGSUMEXP_J | DP_EXCLUDE_SELF, a, b);
    dp_tensor *both = dp_map(device, "m = max(a, b); m + log(exp(a - m) + exp(b - m))",
                             DP_ARGS({"a", plain}, {"b", mixtures}));
    const double all = mean_of(device, both);
    check(device, all - positive / 0.05, GOLDEN_MIXCSE_0_05_0_2, SEVERAL_CALLS,
          fabs(all) + 20 * fabs(positive));
}

static void test_sscl(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = input(device, 11, DP_SHAPE(4, 3));
    const double all = mean_of(device, pairs(device, COSINE " / 0.5", DP_LOGSUMEXP_J, a, a));
    check(device, all - 1 / 0.5, GOLDEN_SSCL_0_5, SEVERAL_CALLS, all);
}

static void test_vector_quantisation(void **state)
{
    static const int32_t golden[6] = GOLDEN_VQ_CODES;
    dp_device *device = *state;
    dp_tensor *z = input(device, 15, DP_SHAPE(6, 3)), *e = input(device, 16, DP_SHAPE(4, 3));
    int32_t codes[6];
    dp_tensor *nearest = pairs(device, "sqdist(x[i], y[j])", DP_ARGMIN_J, z, e);
    assert_int_equal(DP_OK, dp_read(nearest, codes, sizeof codes));
    assert_memory_equal(codes, golden, sizeof codes);
    dp_tensor *square =
        dp_map(device, "(z - e)^2", DP_ARGS({"z", z}, {"e", dp_gather_rows(device, e, nearest)}));
    check(device, 1.25 * mean_of(device, square), GOLDEN_VQ_0_25, SEVERAL_CALLS, GOLDEN_VQ_0_25);
    const double least = sum_of(device, pairs(device, "sqdist(x[i], y[j])", DP_MIN_J, z, e));
    check(device, 1.25 * least / 18, GOLDEN_VQ_0_25, SEVERAL_CALLS, GOLDEN_VQ_0_25);
}

static void test_alignment_and_uniformity(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = input(device, 41, DP_SHAPE(6, 4)), *b = input(device, 42, DP_SHAPE(6, 4));
    const double align = sum_of(device, dp_map(device, "(a - b)^2", DP_ARGS({"a", a}, {"b", b}))) / 6;
    check(device, align, GOLDEN_ALIGN_2, SEVERAL_CALLS, align);
    dp_tensor *mean = pairs(device, "exp(-2 * sqdist(x[i], y[j]))", DP_MEAN_ALL | DP_EXCLUDE_SELF, a, a);
    check(device, log(dp_item(mean)), GOLDEN_UNIFORM_2, SEVERAL_CALLS, 1);
    dp_tensor *whole = pairs(device, "-2 * sqdist(x[i], y[j])", DP_LOGSUMEXP_ALL | DP_EXCLUDE_SELF, a, a);
    check(device, dp_item(whole) - log(30), GOLDEN_UNIFORM_2, SEVERAL_CALLS, log(30));
}

/* Columns with mean zero. */
static dp_tensor *centred(dp_device *device, const dp_tensor *x)
{
    dp_tensor *mean = dp_reduce(device, x, DP_MEAN, DP_AXIS(0) | DP_KEEP_AXES);
    return dp_map(device, "x - m", DP_ARGS({"x", x}, {"m", mean}));
}

static dp_tensor *identity4(dp_device *device)
{
    float one[16] = {0};
    for (int t = 0; t < 4; t++)
        one[5 * t] = 1;
    return dp_from(device, DP_F32, DP_SHAPE(4, 4), one);
}

static double variance_and_covariance(dp_device *device, const dp_tensor *x)
{
    const dp_matmul_params params = {.transpose_a = true, .alpha = 1 / 5.0f};
    dp_tensor *c = centred(device, x), *one = identity4(device);
    dp_tensor *covariance = dp_matmul(device, c, c, &params);
    dp_tensor *variance = dp_reduce(
        device, dp_map(device, "c * one", DP_ARGS({"c", covariance}, {"one", one})), DP_SUM, DP_AXIS(1));
    const double spread =
        sum_of(device, dp_map(device, "max(0, 1 - sqrt(v + 1e-4))", DP_ARGS({"v", variance})));
    const double off =
        sum_of(device, dp_map(device, "(1 - one) * c^2", DP_ARGS({"c", covariance}, {"one", one})));
    return 25 * spread / 4 + off / 4;
}

static void test_vicreg(void **state)
{
    dp_device *device = *state;
    dp_tensor *a = input(device, 41, DP_SHAPE(6, 4)), *b = input(device, 42, DP_SHAPE(6, 4));
    const double invariance = sum_of(device, dp_map(device, "(a - b)^2", DP_ARGS({"a", a}, {"b", b}))) / 6;
    const double loss =
        25 * invariance + variance_and_covariance(device, a) + variance_and_covariance(device, b);
    check(device, loss, GOLDEN_VICREG, SEVERAL_CALLS, GOLDEN_VICREG);
}

static dp_tensor *standardised(dp_device *device, const dp_tensor *x)
{
    dp_tensor *c = centred(device, x);
    dp_tensor *variance = dp_reduce(device, dp_map(device, "c^2", DP_ARGS({"c", c})), DP_MEAN, DP_AXIS(0));
    return dp_map(device, "c * rsqrt(v)", DP_ARGS({"c", c}, {"v", variance}));
}

static void test_barlow_twins(void **state)
{
    const dp_matmul_params params = {.transpose_a = true, .alpha = 1 / 6.0f};
    dp_device *device = *state;
    dp_tensor *a = input(device, 41, DP_SHAPE(6, 4)), *b = input(device, 42, DP_SHAPE(6, 4));
    dp_tensor *c = dp_matmul(device, standardised(device, a), standardised(device, b), &params);
    dp_tensor *terms =
        dp_map(device, "select(one, (1 - c)^2, 5e-3 * c^2)", DP_ARGS({"c", c}, {"one", identity4(device)}));
    check(device, sum_of(device, terms), GOLDEN_BARLOW, SEVERAL_CALLS, 1);
}

static void test_triplet(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = input(device, 41, DP_SHAPE(6, 4)), *label = labels(device);
    const dp_args args = DP_ARGS({"x", x}, {"l", label});
    dp_tensor *same = dp_pairwise(device, "select(l[i] == l[j], sqrt(sqdist(x[i], x[j])), -inf)",
                                  DP_MAX_J | DP_EXCLUDE_SELF, args);
    dp_tensor *other =
        dp_pairwise(device, "select(l[i] != l[j], sqrt(sqdist(x[i], x[j])), inf)", DP_MIN_J, args);
    const dp_args extremes = DP_ARGS({"p", same}, {"n", other});
    check(device, mean_of(device, dp_map(device, "max(0, 0.2 + p - n)", extremes)), GOLDEN_TRIPLET_BH_0_2,
          SEVERAL_CALLS, 2);
    check(device, mean_of(device, dp_map(device, "log(1 + exp(p - n))", extremes)), GOLDEN_TRIPLET_SOFT,
          SEVERAL_CALLS, 2);
}

static void test_supcon(void **state)
{
    dp_device *device = *state;
    dp_tensor *x = input(device, 41, DP_SHAPE(6, 4)), *label = labels(device);
    dp_tensor *all = pairs(device, COSINE " / 0.1", DP_LOGSUMEXP_J | DP_EXCLUDE_SELF, x, x);
    const dp_args args = DP_ARGS({"x", x}, {"y", x}, {"l", label});
    dp_tensor *same =
        dp_pairwise(device, "(l[i] == l[j]) * " COSINE " / 0.1", DP_SUM_J | DP_EXCLUDE_SELF, args);
    dp_tensor *count = dp_pairwise(device, "l[i] == l[j]", DP_SUM_J | DP_EXCLUDE_SELF, args);
    dp_tensor *loss =
        dp_map(device, "all - same / count", DP_ARGS({"all", all}, {"same", same}, {"count", count}));
    check(device, mean_of(device, loss), GOLDEN_SUPCON_0_1, SEVERAL_CALLS, GOLDEN_SUPCON_0_1);
}

static void test_circle(void **state)
{
    dp_device *device = *state;
    dp_tensor *positive =
        dp_map(device, "-4 * max(1.25 - s, 0) * (s - 0.75)", DP_ARGS({"s", input(device, 43, DP_SHAPE(4))}));
    dp_tensor *negative =
        dp_map(device, "4 * max(s + 0.25, 0) * (s - 0.25)", DP_ARGS({"s", input(device, 44, DP_SHAPE(5))}));
    dp_tensor *p = dp_reduce(device, positive, DP_LOGSUMEXP, DP_ALL_AXES);
    dp_tensor *n = dp_reduce(device, negative, DP_LOGSUMEXP, DP_ALL_AXES);
    dp_tensor *loss =
        dp_map(device, "x = p + n; max(x, 0) + log(1 + exp(-abs(x)))", DP_ARGS({"p", p}, {"n", n}));
    check(device, dp_item(loss), GOLDEN_CIRCLE_0_25_4, SEVERAL_CALLS, GOLDEN_CIRCLE_0_25_4);
}

static void test_tsne(void **state)
{
    dp_device *device = *state;
    dp_tensor *raw = input(device, 45, DP_SHAPE(6, 6)), *y = input(device, 46, DP_SHAPE(6, 2));
    float diagonal[36] = {0};
    for (int t = 0; t < 6; t++)
        diagonal[7 * t] = 1;
    dp_tensor *one = dp_from(device, DP_F32, DP_SHAPE(6, 6), diagonal);
    dp_tensor *p = dp_map(device, "(1 - one) * (abs(a) + abs(b))",
                          DP_ARGS({"a", raw}, {"b", dp_transpose(raw, 0, 1)}, {"one", one}));
    dp_tensor *total = dp_reduce(device, p, DP_SUM, DP_ALL_AXES);
    dp_tensor *partition = pairs(device, "1 / (1 + sqdist(x[i], y[j]))", DP_SUM_ALL | DP_EXCLUDE_SELF, y, y);
    dp_tensor *d = distance(device, dp_reshape(y, DP_SHAPE(6, 1, 2)), dp_reshape(y, DP_SHAPE(1, 6, 2)), 2);
    dp_tensor *terms = dp_map(device, "q = p / total; select(p > 0, q * log(q * z * (1 + d^2)), 0)",
                              DP_ARGS({"p", p}, {"total", total}, {"z", partition}, {"d", d}));
    check(device, sum_of(device, terms), GOLDEN_TSNE, SEVERAL_CALLS, 1);
}

static void test_cross_entropy(void **state)
{
    dp_device *device = *state;
    dp_tensor *z = input(device, 41, DP_SHAPE(6, 4));
    dp_tensor *label = indices(device, DP_SHAPE(6, 1), (const int32_t[]){0, 0, 1, 1, 2, 2});
    const double all = mean_of(device, dp_reduce(device, z, DP_LOGSUMEXP, DP_AXIS(1)));
    const double right = mean_of(device, dp_gather(device, z, label, 1));
    check(device, all - right, GOLDEN_CE, SEVERAL_CALLS, fabs(all) + fabs(right));
}

static void test_poincare(void **state)
{
    dp_device *device = *state;
    dp_tensor *u = scaled(device, 47, DP_SHAPE(1, 3), 0.5f, 0),
              *v = scaled(device, 48, DP_SHAPE(1, 3), 0.5f, 0);
    const char *formula = "g = 1 + 2 * sqdist(x[i], y[j]) / ((1 - dot(x[i], x[i])) * (1 - dot(y[j], y[j])));"
                          "log(g + sqrt(g * g - 1))";
    check(device, dp_item(pairs(device, formula, DP_SUM_ALL, u, v)), GOLDEN_POINCARE, ONE_CALL,
          GOLDEN_POINCARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOLDEN_TEST(test_hinge),
        GOLDEN_TEST(test_rank_h),
        GOLDEN_TEST(test_simcse),
        GOLDEN_TEST(test_ntxent),
        GOLDEN_TEST(test_mixcse),
        GOLDEN_TEST(test_sscl),
        GOLDEN_TEST(test_vector_quantisation),
        GOLDEN_TEST(test_alignment_and_uniformity),
        GOLDEN_TEST(test_vicreg),
        GOLDEN_TEST(test_barlow_twins),
        GOLDEN_TEST(test_triplet),
        GOLDEN_TEST(test_supcon),
        GOLDEN_TEST(test_circle),
        GOLDEN_TEST(test_tsne),
        GOLDEN_TEST(test_cross_entropy),
        GOLDEN_TEST(test_poincare),
    };
    return cmocka_run_group_tests_name("losses", tests, NULL, NULL);
}
