/* SPDX-License-Identifier: Apache-2.0 */
/* Potentials and metrics on every device: what must hold of them whatever the points, weights, and what is refused. */
#include "suite.h"

#include <math.h>
#include <string.h>

#define N 7
#define M 5
#define D 2

#define PARAMETERS(...) .args = DP_ARGS(__VA_ARGS__)

static float number(uint32_t k)
{
    k ^= k >> 16, k *= 0x7feb352du, k ^= k >> 15, k *= 0x846ca68bu, k ^= k >> 16;
    return (float)(k >> 8) / 8388608.0f - 1.0f;
}

typedef struct sets {
    float x[N * D], y[M * D], a[N], b[M];
} sets;

static sets make_sets(void)
{
    sets s;
    for (uint32_t k = 0; k < N * D; k++)
        s.x[k] = number(k);
    for (uint32_t k = 0; k < M * D; k++)
        s.y[k] = 0.5f * number(100 + k) + 0.25f;
    for (uint32_t k = 0; k < N; k++)
        s.a[k] = number(200 + k) / 8;
    for (uint32_t k = 0; k < M; k++)
        s.b[k] = number(300 + k) / 8;
    return s;
}

/* A metric's value and what was wanted of its gradients. */
typedef struct answer {
    double value;
    float x[N * D], y[N * D], a[N], b[M];
} answer;

static void read_some(dp_tensor **tensor, float *values)
{
    if (*tensor)
        assert_int_equal(dp_read(*tensor, values, (size_t)dp_tensor_size(*tensor) * sizeof *values), DP_OK);
    dp_tensor_release(tensor);
}

static answer ask(dp_device *device, const sets *s, dp_metric_params params, bool weights, unsigned wanted)
{
    answer found = {0};
    dp_metric_gradients g;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(N, D), s->x), *y = dp_from(device, DP_F32, DP_SHAPE(M, D), s->y);
    dp_tensor *a = dp_from(device, DP_F32, DP_SHAPE(N), s->a), *b = dp_from(device, DP_F32, DP_SHAPE(M), s->b);
    params.x_weights = weights ? a : NULL;
    params.y_weights = weights ? b : NULL;
    dp_tensor *value = dp_metric(device, x, y, &params, wanted, &g);
    suite_ok(device);
    found.value = dp_item(value);
    read_some(&g.x, found.x), read_some(&g.y, found.y), read_some(&g.x_weights, found.a), read_some(&g.y_weights, found.b);
    dp_tensor *list[] = {x, y, a, b, value};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return found;
}

static double largest(const float *values, int count)
{
    double result = 0;
    for (int k = 0; k < count; k++)
        result = fmax(result, fabs((double)values[k]));
    return result;
}

static void near(double found, double expected, double allowed)
{
    if (!(fabs(found - expected) <= allowed))
        fail_msg("%.9g, not %.9g: %.3g is allowed", found, expected, allowed);
}

/* k and w of the capped potential at 0, half of eps, eps and twice that, for n = 2 and 3. */
static void check_values(dp_device *device)
{
    static const double k[2][4] = {{15, 13.75, 10, 5}, {200, 175, 100, 25}};
    static const double w[2][4] = {{1e3, 1e3, 1e3, 125}, {2e4, 2e4, 2e4, 1250}};
    static const float r[4] = {0, 0.05f, 0.1f, 0.2f};
    static const char *const wrt[] = {"x"};
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(4), r), *y = dp_full(device, DP_F32, DP_SHAPE(1), 0);
    const int dimensions = !strcmp(dp_device_get_info(device).backend, "ref") ? 2 : 1; /* a kernel for each exponent */
    for (int n = 0; n < dimensions; n++) {
        dp_potential_call p;
        dp_tensor *g = NULL, *v = NULL;
        float values[4], slopes[4];
        assert_int_equal(dp_potential_prepare(device, "riesz", DP_ARGS({"x", x, 0}, {"y", y, 0}, {"s", NULL, n + 1}), &p),
                         DP_OK);
        assert_int_equal(dp_pairwise_gradient(device, p.formula, DP_SUM_J, p.args, NULL, wrt, 1, &g, &v), DP_OK);
        read_some(&v, values), read_some(&g, slopes);
        for (int t = 0; t < 4; t++) {
            near((double)values[t], k[n][t], 1e-6 * k[n][t]);
            near((double)slopes[t], -w[n][t] * (double)r[t], 2e-6 * w[n][t] * (double)r[t]);
        }
    }
    dp_tensor_release(&x);
    dp_tensor_release(&y);
}

static void exchange(float *points, int i, int j)
{
    for (int c = 0; c < D; c++) {
        const float kept = points[i * D + c];
        points[i * D + c] = points[j * D + c];
        points[j * D + c] = kept;
    }
}

/* Translation, permutation, rotation by a right angle, and lengths in another unit. */
static void invariances(dp_device *device)
{
    const sets s = make_sets();
    const dp_metric_params p = {.potential = "riesz", PARAMETERS({"eps", NULL, 0.25})};
    const answer e = ask(device, &s, p, false, DP_METRIC_X | DP_METRIC_Y);
    const double size = largest(e.x, N * D) + largest(e.y, M * D);
    for (int c = 0; c < D; c++) {
        double total = 0;
        for (int i = 0; i < N; i++)
            total += (double)e.x[i * D + c];
        for (int j = 0; j < M; j++)
            total += (double)e.y[j * D + c];
        near(total, 0, 1e-5 * size);
    }
    sets other = s;
    exchange(other.x, 0, 4), exchange(other.x, 2, 3), exchange(other.y, 0, 1);
    near(ask(device, &other, p, false, DP_METRIC_X | DP_METRIC_Y).value, e.value, 1e-5);
    for (int k = 0; k < N; k++)
        other.x[k * D] = -s.x[k * D + 1], other.x[k * D + 1] = s.x[k * D];
    for (int k = 0; k < M; k++)
        other.y[k * D] = -s.y[k * D + 1], other.y[k * D + 1] = s.y[k * D];
    const answer turned = ask(device, &other, p, false, DP_METRIC_X | DP_METRIC_Y);
    near(turned.value, e.value, 1e-5);
    near((double)turned.x[0], -(double)e.x[1], 1e-5 * size);
    for (int k = 0; k < N * D; k++)
        other.x[k] = 4 * s.x[k];
    for (int k = 0; k < M * D; k++)
        other.y[k] = 4 * s.y[k];
    const dp_metric_params wide = {.potential = "riesz", PARAMETERS({"eps", NULL, 1})};
    near(ask(device, &other, wide, false, DP_METRIC_X | DP_METRIC_Y).value, e.value / 4, 1e-5);
    /* a small step down the gradient makes it less */
    other = s;
    for (int k = 0; k < N * D; k++)
        other.x[k] -= 1e-3f * e.x[k];
    assert_true(ask(device, &other, p, false, DP_METRIC_X | DP_METRIC_Y).value < e.value);
}

/* Equal sets: exactly no distance with the diagonal, no force; never less for a positive definite potential. */
static void equal_sets(dp_device *device)
{
    const sets s = make_sets();
    const dp_metric_params p = {.potential = "plummer", .estimator = DP_ESTIMATOR_V_DIAGONAL};
    assert_true(ask(device, &s, p, false, DP_METRIC_X).value > 0.01);
    dp_metric_gradients g;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(N, D), s.x), *value = dp_metric(device, x, x, &p, DP_METRIC_X, &g);
    float slopes[N * D];
    near(dp_item(value), 0, 1e-5);
    read_some(&g.x, slopes);
    near(largest(slopes, N * D), 0, 1e-5);
    dp_tensor_release(&x);
    dp_tensor_release(&value);
}

/* Weights: those of 1 / N and 1 / M change nothing; the value is a polynomial of second degree in them, so central differences
 * are exact but for roundings; and what is left out is zero. */
static void weights(dp_device *device)
{
    const unsigned all = DP_METRIC_X | DP_METRIC_Y | DP_METRIC_X_WEIGHTS | DP_METRIC_Y_WEIGHTS;
    const dp_metric_params p = {.potential = "riesz"};
    sets s = make_sets();
    const sets kept = s;
    dp_device *reference = dp_device_open("ref");
    for (int k = 0; k < N; k++)
        s.a[k] = 1.0f / N;
    for (int k = 0; k < M; k++)
        s.b[k] = 1.0f / M;
    const answer plain = ask(reference, &s, p, false, DP_METRIC_X | DP_METRIC_Y), even = ask(device, &s, p, true, all);
    near(even.value, plain.value, 1e-5);
    for (int k = 0; k < N * D; k++)
        near((double)even.x[k], (double)plain.x[k], 1e-5 * largest(plain.x, N * D));
    for (int k = 0; k < M * D; k++)
        near((double)even.y[k], (double)plain.y[k], 1e-5 * largest(plain.y, M * D));
    s = kept;
    const answer found = ask(device, &s, p, true, all);
    for (int k = 0; k < N + M; k++) {
        double at[2];
        for (int t = 0; t < 2; t++) {
            s = kept;
            *(k < N ? &s.a[k] : &s.b[k - N]) += t ? 0.25f : -0.25f;
            at[t] = ask(reference, &s, p, true, 0).value;
        }
        near((double)(k < N ? found.a[k] : found.b[k - N]), (at[1] - at[0]) / 0.5, 2e-5);
    }
    const dp_metric_params half_self = {.potential = "riesz", .xx = 0.5}, self = {.potential = "riesz", .xx = 1};
    const answer half = ask(device, &kept, half_self, true, all), whole = ask(reference, &kept, self, true, all);
    near(half.value, whole.value / 2, 1e-5);
    near((double)half.a[1], (double)whole.a[1] / 2, 1e-5);
    assert_true(largest(half.y, M * D) == 0 && largest(half.b, M) == 0);
    dp_device_close(&reference);
}

static uint64_t launches(dp_device *device, const char *formula, dp_args args, unsigned mode, const dp_tensor *cotangent)
{
    static const char *const wrt[] = {"x"};
    dp_profile_entry entries[16];
    dp_tensor *g = NULL;
    assert_int_equal(dp_profile(device, true), DP_OK);
    assert_int_equal(dp_pairwise_gradient(device, formula, mode, args, cotangent, wrt, 1, &g, NULL), DP_OK);
    const size_t count = dp_profile_list(device, entries, 16);
    uint64_t total = 0;
    for (size_t k = 0; k < count && k < 16; k++)
        if (strstr(entries[k].kernel, "pairwise"))
            total += entries[k].launches;
    dp_profile(device, false);
    dp_tensor_release(&g);
    return total;
}

/* Where i and j may be exchanged, one pass is made for both sides; with a cotangent of its own for each i, two. */
static void one_pass(dp_device *device)
{
    if (!strcmp(dp_device_get_info(device).backend, "ref"))
        return; /* it has no kernels to count */
    const sets s = make_sets();
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(N, D), s.x), *c = dp_full(device, DP_F32, DP_SHAPE(N), 1);
    const dp_args args = DP_ARGS({"x", x, 0});
    const char *formula = "rsqrt(sqdist(x[i], x[j]) + 0.25)";
    const uint64_t once = launches(device, formula, args, DP_SUM_J, NULL);
    assert_true(once > 0);
    assert_int_equal(launches(device, formula, args, DP_SUM_J, c), 2 * once);
    dp_tensor_release(&x);
    dp_tensor_release(&c);
}

static void wrong_potentials(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(3, 2));
    dp_potential_call p;
    assert_int_equal(dp_potential_prepare(device, "plumber", DP_NO_ARGS, &p), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "plumber");
    assert_int_equal(dp_potential_prepare(device, NULL, DP_NO_ARGS, &p), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "potential");
    assert_int_equal(dp_potential_prepare(device, "riesz", DP_NO_ARGS, NULL), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "call");
    assert_int_equal(dp_potential_prepare(device, "riesz", DP_ARGS({"sigma", NULL, 1}), &p), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "sigma");
    assert_int_equal(dp_potential_prepare(device, "riesz", DP_ARGS({"eps", NULL, 0}), &p), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "eps is 0");
    assert_int_equal(dp_potential_prepare(device, "energy", DP_ARGS({"b", NULL, 2.5}), &p), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "2.5");
    assert_int_equal(dp_potential_prepare(device, "gaussian", DP_ARGS({"sigma", NULL, (double)NAN}), &p), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "sigma");
    assert_int_equal(dp_potential_prepare(device, "x[i] * y[j]", DP_ARGS({"1x", x, 0}), &p), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "1x");
    assert_null(dp_potential_find(NULL));
    assert_null(dp_potential_find("riesz "));
    assert_int_equal(dp_potential_parameter_count(NULL), 0);
    for (size_t k = 0; dp_potential_at(k); k++)
        assert_ptr_equal(dp_potential_find(dp_potential_at(k)->name), dp_potential_at(k));
    assert_null(dp_potential_at(1000000));
    dp_tensor_release(&x);
}

static void wrong_metrics(dp_device *device)
{
    dp_tensor *x = suite_range(device, DP_SHAPE(3, 2)), *one = suite_range(device, DP_SHAPE(1, 2)),
              *none = suite_range(device, DP_SHAPE(0, 2)), *flat = suite_range(device, DP_SHAPE(3)), *scalar = suite_range(device, DP_SCALAR);
    dp_metric_gradients g;
    const struct {
        const dp_tensor *x, *y;
        dp_metric_params params;
        unsigned wanted;
        dp_status status;
        const char *word;
    } cases[] = {
        {NULL, x, {.potential = "riesz"}, 0, DP_ERROR_ARGUMENT, "x"},
        {x, NULL, {.potential = "riesz"}, 0, DP_ERROR_ARGUMENT, "y"},
        {none, x, {.potential = "riesz"}, 0, DP_ERROR_ARGUMENT, "[0, 2]"},
        {scalar, x, {.potential = "riesz"}, 0, DP_ERROR_ARGUMENT, "[]"},
        {x, x, {.potential = NULL}, 0, DP_ERROR_ARGUMENT, "potential"},
        {x, x, {.potential = "nothing"}, 0, DP_ERROR_ARGUMENT, "nothing"},
        {x, x, {.potential = "y[j] +"}, 0, DP_ERROR_FORMULA, "column"},
        {x, x, {.potential = "x[i] - y[j]"}, 0, DP_ERROR_FORMULA, "vector"},
        {x, flat, {.potential = "riesz"}, 0, DP_ERROR_ARGUMENT, "dimension"},
        {x, x, {.potential = "riesz"}, 16, DP_ERROR_ARGUMENT, "wanted"},
        {x, x, {.potential = "riesz"}, DP_METRIC_X_WEIGHTS, DP_ERROR_ARGUMENT, "x_weights"},
        {x, x, {.potential = "riesz", .x_weights = x}, 0, DP_ERROR_ARGUMENT, "x_weights"},
        {x, x, {.potential = "riesz", .x_weights = flat, .estimator = DP_ESTIMATOR_U}, 0, DP_ERROR_ARGUMENT, "ESTIMATOR_U"},
        {x, x, {.potential = "riesz", .estimator = (dp_estimator)7}, 0, DP_ERROR_ARGUMENT, "estimator 7"},
        {one, x, {.potential = "riesz", .estimator = DP_ESTIMATOR_U}, 0, DP_ERROR_ARGUMENT, "x has one"},
        {x, x, {.potential = "riesz", PARAMETERS({"x", x, 0})}, 0, DP_ERROR_ARGUMENT, "\"x\""},
        {x, x, {.potential = "riesz", .args = {(const dp_arg[]){{"s", NULL, 1}}, 1000}}, 0, DP_ERROR_ARGUMENT, "1000 entries"},
        {x, x, {.potential = "riesz", .args = {NULL, 1}}, 0, DP_ERROR_ARGUMENT, "NULL"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        memset(&g, 0x55, sizeof g);
        assert_null(dp_metric(device, cases[k].x, cases[k].y, &cases[k].params, cases[k].wanted, &g));
        suite_failed(device, cases[k].status, cases[k].word);
        assert_true(!g.x && !g.y && !g.x_weights && !g.y_weights);
    }
    assert_null(dp_metric(device, x, x, NULL, 0, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "params");
    assert_null(dp_metric(device, x, x, &cases[0].params, DP_METRIC_X, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "gradients");
    assert_null(dp_metric(NULL, x, x, &cases[0].params, 0, NULL));
    dp_tensor *list[] = {x, one, none, flat, scalar};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

int main(void)
{
    static const suite_test tests[] = {
        {"check values", check_values}, {"invariances", invariances}, {"equal sets", equal_sets}, {"weights", weights},
        {"one pass", one_pass}, {"wrong potentials", wrong_potentials}, {"wrong metrics", wrong_metrics},
    };
    return suite_run("metric", tests, sizeof tests / sizeof *tests);
}
