/* SPDX-License-Identifier: Apache-2.0 */
/* Every variant of the losses of loss.h on the reference: against loops in double precision, and their
 * gradients against central differences of those. Differences of fourth order with steps of 2^-12 are right
 * to about 1e-10; the tolerance is for f32. */
#include <dipole/dipole.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define N         6
#define D         3
#define TOLERANCE 1e-5

typedef enum kind {
    INFONCE,
    NTXENT,
    SSCL,
    MIXCSE,
    SUPCON,
    ALIGNMENT,
    UNIFORMITY,
    HINGE,
    RANK_HINGE,
    BATCH_HARD
} kind;

typedef struct problem {
    const char *name;
    kind kind;
    int embeddings;
    dp_loss_params params;
    int32_t labels[N];
} problem;

/* The embeddings, and those that no gradient goes through. */
typedef struct inputs {
    double x[3][N * D], frozen[N * D];
} inputs;

/* In double precision. ------------------------------------------------------- */

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int c = 0; c < D; c++)
        sum += a[c] * b[c];
    return sum;
}

static double cosine(const double *a, const double *b)
{
    const double size = sqrt(dot(a, a) * dot(b, b));
    return size > 0 ? dot(a, b) / size : 0;
}

static double distance(const double *a, const double *b, int norm)
{
    double sum = 0;
    for (int c = 0; c < D; c++)
        sum += norm == 1 ? fabs(a[c] - b[c]) : (a[c] - b[c]) * (a[c] - b[c]);
    return norm == 1 ? sum : sqrt(sum);
}

static double score(const problem *p, const double *a, const double *b)
{
    const double tau = p->params.temperature != 0 ? p->params.temperature : 0.05;
    return (p->params.similarity == DP_DOT ? dot(a, b) : cosine(a, b)) / tau;
}

/* The score of a against a mixture of rows i and j of what is frozen. */
static double mixture(const problem *p, const inputs *in, const double *a, int i, int j)
{
    const double w = p->params.mix != 0 ? p->params.mix : 0.2, *bi = in->frozen + i * D,
                 *bj = in->frozen + j * D;
    double m[D];
    for (int c = 0; c < D; c++)
        m[c] = w * bi[c] / sqrt(dot(bi, bi)) + (1 - w) * bj[c] / sqrt(dot(bj, bj));
    return score(p, a, m);
}

/* log sum_j exp(score) minus that of the positive row. */
static double row_loss(const problem *p, const inputs *in, const double *a, const double *b, int i,
                       int positive)
{
    const bool exclude = p->kind == NTXENT || p->kind == SUPCON;
    double sum = 0;
    for (int j = 0; j < N; j++) {
        sum += exclude && j == i ? 0 : exp(score(p, a + i * D, b + j * D));
        sum += p->kind == MIXCSE && j != i ? exp(mixture(p, in, a + i * D, i, j)) : 0;
    }
    return log(sum) - (positive >= 0 ? score(p, a + i * D, b + positive * D) : 0);
}

static double supcon(const problem *p, const inputs *in)
{
    double total = 0;
    int valid = 0;
    for (int i = 0; i < N; i++) {
        double sum = 0;
        int count = 0;
        for (int j = 0; j < N; j++)
            if (j != i && p->labels[j] == p->labels[i])
                sum += score(p, in->x[0] + i * D, in->x[0] + j * D), count++;
        if (count)
            total += row_loss(p, in, in->x[0], in->x[0], i, -1) - sum / count, valid++;
    }
    return valid ? total / valid : 0;
}

static double uniformity(const problem *p, const inputs *in)
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum += i == j
                       ? 0
                       : exp(-p->params.sharpness * pow(distance(in->x[0] + i * D, in->x[0] + j * D, 2), 2));
    return log(sum / (N * (N - 1)));
}

static double hinge(const problem *p, double gap)
{
    return p->params.soft ? log1p(exp(gap)) : fmax(0, gap + p->params.margin);
}

static double batch_hard(const problem *p, const inputs *in)
{
    double total = 0;
    for (int i = 0; i < N; i++) {
        double far = -INFINITY, near = INFINITY;
        for (int j = 0; j < N; j++) {
            const double d = distance(in->x[0] + i * D, in->x[0] + j * D, 2);
            if (p->labels[i] != p->labels[j])
                near = fmin(near, d);
            else if (i != j)
                far = fmax(far, d);
        }
        total += isfinite(far) && isfinite(near) ? hinge(p, far - near) : 0;
    }
    return total / N;
}

static double loss(const problem *p, const inputs *in)
{
    double total = 0;
    if (p->kind == SUPCON)
        return supcon(p, in);
    if (p->kind == UNIFORMITY)
        return uniformity(p, in);
    if (p->kind == BATCH_HARD)
        return batch_hard(p, in);
    const double *x = in->x[0], *y = p->embeddings > 1 ? in->x[1] : x, *z = in->x[2];
    for (int i = 0; i < N; i++) {
        const double *xi = x + i * D, *yi = y + i * D, *zi = z + i * D;
        if (p->kind == ALIGNMENT)
            total += pow(distance(xi, yi, 2), p->params.power) / N;
        else if (p->kind == HINGE)
            total += hinge(p, distance(xi, yi, p->params.norm) - distance(xi, zi, p->params.norm));
        else if (p->kind == RANK_HINGE)
            total += hinge(p, cosine(xi, zi) - cosine(xi, yi));
        else
            total +=
                row_loss(p, in, x, y, i, p->kind == NTXENT ? i ^ 1 : i) / N / (p->params.symmetric ? 2 : 1);
        if (p->params.symmetric)
            total += row_loss(p, in, y, x, i, i) / N / 2;
    }
    return total;
}

static double slope(const problem *p, inputs *in, double *moved)
{
    const double kept = *moved, step = 0x1p-12;
    double at[4];
    for (int t = 0; t < 4; t++) {
        *moved = kept + (t < 2 ? t - 2 : t - 1) * step;
        at[t] = loss(p, in);
    }
    *moved = kept;
    return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step);
}

/* Calls. --------------------------------------------------------------------- */

static dp_status call(dp_device *device, const problem *p, dp_tensor *const x[3], const dp_tensor *labels,
                      dp_tensor **value, dp_tensor **g)
{
    const dp_loss_params *params = &p->params;
    switch (p->kind) {
    case INFONCE:
        return dp_loss_infonce(device, x[0], x[1], params, value, g);
    case NTXENT:
        return dp_loss_ntxent(device, x[0], params, value, g);
    case SSCL:
        return dp_loss_sscl(device, x[0], params, value, g);
    case MIXCSE:
        return dp_loss_mixcse(device, x[0], x[1], params, value, g);
    case SUPCON:
        return dp_loss_supcon(device, x[0], labels, params, value, g);
    case ALIGNMENT:
        return dp_loss_alignment(device, x[0], x[1], params, value, g);
    case UNIFORMITY:
        return dp_loss_uniformity(device, x[0], params, value, g);
    case HINGE:
        return dp_loss_hinge(device, x[0], x[1], x[2], params, value, g);
    case RANK_HINGE:
        return dp_loss_rank_hinge(device, x[0], x[1], x[2], params, value, g);
    default:
        return dp_loss_batch_hard(device, x[0], labels, params, value, g);
    }
}

/* A number in [-1, 1), a multiple of 2^-23. */
static double number(uint32_t k)
{
    k ^= k >> 16, k *= 0x7feb352du, k ^= k >> 15, k *= 0x846ca68bu, k ^= k >> 16;
    return (double)(k >> 8) / 8388608.0 - 1;
}

static dp_tensor *upload(dp_device *device, const double *values)
{
    float single[N * D];
    for (int k = 0; k < N * D; k++)
        single[k] = (float)values[k];
    return dp_from(device, DP_F32, DP_SHAPE(N, D), single);
}

static void compare(const problem *p, inputs *in, int which, const dp_tensor *gradient)
{
    float found[N * D];
    double exact[N * D], largest = 0;
    assert_int_equal(dp_read(gradient, found, sizeof found), DP_OK);
    for (int k = 0; k < N * D; k++) {
        exact[k] = slope(p, in, &in->x[which][k]);
        largest = fmax(largest, fabs(exact[k]));
    }
    for (int k = 0; k < N * D; k++)
        if (!(fabs(exact[k] - (double)found[k]) <= TOLERANCE * largest + 1e-9))
            fail_msg("%s: gradient %d, element %d: %.9g instead of %.9g", p->name, which, k, (double)found[k],
                     exact[k]);
}

/* Value and gradients together, and each alone. */
static void run(const problem *p)
{
    dp_device *device = dp_device_open("ref");
    dp_tensor *x[3], *gradients[3], *again[3], *value, *alone;
    inputs in;
    for (int k = 0; k < N * D; k++) {
        for (int e = 0; e < 3; e++)
            in.x[e][k] = number(1000 * (uint32_t)e + (uint32_t)k);
        in.frozen[k] = in.x[1][k];
    }
    for (int e = 0; e < 3; e++)
        x[e] = upload(device, in.x[e]);
    dp_tensor *labels = dp_from(device, DP_I32, DP_SHAPE(N), p->labels);
    call(device, p, x, labels, &value, gradients);
    call(device, p, x, labels, &alone, NULL);
    call(device, p, x, labels, NULL, again);
    if (dp_failed(device))
        fail_msg("%s: %s", p->name, dp_message(device));
    const double exact = loss(p, &in);
    if (!(fabs(dp_item(value) - exact) <= TOLERANCE * fabs(exact)))
        fail_msg("%s: %.9g instead of %.9g", p->name, dp_item(value), exact);
    assert_true(dp_item(value) == dp_item(alone));
    for (int e = 0; e < p->embeddings; e++) {
        compare(p, &in, e, gradients[e]);
        compare(p, &in, e, again[e]);
    }
    dp_device_close(&device);
}

static void test_contrastive(void **state)
{
    static const problem problems[] = {
        {"infonce", INFONCE, 2, {.temperature = 0.07}, {0}},
        {"infonce, symmetric", INFONCE, 2, {.symmetric = true, .temperature = 0.3}, {0}},
        {"infonce, dot", INFONCE, 2, {.similarity = DP_DOT, .temperature = 0.5}, {0}},
        {"infonce, dot, symmetric",
         INFONCE,
         2,
         {.similarity = DP_DOT, .symmetric = true, .temperature = 2},
         {0}},
        {"ntxent", NTXENT, 1, {.temperature = 0.2}, {0}},
        {"ntxent, dot", NTXENT, 1, {.similarity = DP_DOT, .temperature = 0.5}, {0}},
        {"sscl", SSCL, 1, {.temperature = 0.2}, {0}},
        {"sscl, dot", SSCL, 1, {.similarity = DP_DOT, .temperature = 0.5}, {0}},
        {"mixcse", MIXCSE, 2, {.temperature = 0.1, .mix = 0.4}, {0}},
    };
    (void)state;
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++)
        run(&problems[k]);
}

static void test_labels(void **state)
{
    static const problem problems[] = {
        {"supcon", SUPCON, 1, {.temperature = 0.2}, {1, 2, 1, 2, 1, 2}},
        {"supcon, dot", SUPCON, 1, {.similarity = DP_DOT, .temperature = 0.5}, {3, 3, 3, 4, 4, 4}},
        {"supcon, a row alone", SUPCON, 1, {.temperature = 0.2}, {1, 2, 1, 7, 1, 2}},
        {"supcon, all alone", SUPCON, 1, {.temperature = 0.2}, {1, 2, 3, 4, 5, 6}},
        {"batch_hard", BATCH_HARD, 1, {.margin = 0.1}, {1, 2, 1, 2, 1, 2}},
        {"batch_hard, a row alone", BATCH_HARD, 1, {.margin = 1}, {1, 2, 1, 7, 1, 2}},
        {"batch_hard, soft", BATCH_HARD, 1, {.soft = true}, {1, 2, 1, 7, 1, 2}},
        {"batch_hard, one class", BATCH_HARD, 1, {.margin = 1}, {5, 5, 5, 5, 5, 5}},
        {"batch_hard, all alone", BATCH_HARD, 1, {.margin = 1}, {1, 2, 3, 4, 5, 6}},
    };
    (void)state;
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++)
        run(&problems[k]);
}

static void test_distances(void **state)
{
    static const problem problems[] = {
        {"alignment", ALIGNMENT, 2, {.power = 2}, {0}},
        {"alignment, 1", ALIGNMENT, 2, {.power = 1}, {0}},
        {"alignment, 3", ALIGNMENT, 2, {.power = 3}, {0}},
        {"uniformity", UNIFORMITY, 1, {.sharpness = 2}, {0}},
        {"uniformity, sharp", UNIFORMITY, 1, {.sharpness = 400}, {0}},
        {"hinge 1", HINGE, 3, {.norm = 1, .margin = 0.25}, {0}},
        {"hinge 2", HINGE, 3, {.norm = 2, .margin = -0.1}, {0}},
        {"rank_hinge", RANK_HINGE, 3, {.margin = 0.5}, {0}},
    };
    (void)state;
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++)
        run(&problems[k]);
}

/* Rows of zeros, of huge and of tiny numbers, and rows that are equal. */
static void test_singular(void **state)
{
    const float rows[4 * D] = {0, 0, 0, 1e25f, 1e25f, 0, 1e-25f, 0, 1e-25f, 0, 2, 0};
    dp_device *device = dp_device_open("ref");
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(4, D), rows),
              *label = dp_full(device, DP_I32, DP_SHAPE(4), 1);
    dp_tensor *y = dp_full(device, DP_F32, DP_SHAPE(4, D), 1), *value, *g[3];
    float found[4 * D];
    (void)state;
    dp_loss_infonce(device, x, y, NULL, &value, g);
    assert_true(isfinite(dp_item(value)));
    assert_int_equal(dp_read(g[0], found, sizeof found), DP_OK);
    for (int k = 0; k < 4 * D; k++)
        assert_true(isfinite(found[k]) && (k >= D || found[k] == 0));
    dp_loss_alignment(device, y, y, NULL, &value, g);
    assert_true(dp_item(value) == 0);
    dp_loss_hinge(device, y, y, y, NULL, &value, g);
    assert_true(dp_item(value) == 0);
    dp_loss_batch_hard(device, y, label, &(dp_loss_params){.margin = 1}, &value, g);
    assert_true(dp_item(value) == 0);
    dp_loss_supcon(device, y, label, NULL, &value, g);
    assert_true(fabs(dp_item(value) - log(3)) < 1e-5);
    assert_int_equal(dp_read(g[0], found, sizeof found), DP_OK);
    for (int k = 0; k < 4 * D; k++)
        assert_true(fabsf(found[k]) < 1e-5f);
    dp_tensor *one = dp_slice(y, 0, 0, 1, 1), *one_label = dp_slice(label, 0, 0, 1, 1);
    dp_loss_infonce(device, one, one, NULL, &value, g);
    assert_true(fabs(dp_item(value)) < 1e-5);
    dp_loss_batch_hard(device, one, one_label, NULL, &value, g);
    assert_true(dp_item(value) == 0);
    dp_loss_mixcse(device, one, one, NULL, &value, g);
    assert_true(fabs(dp_item(value)) < 1e-5);
    assert_int_equal(dp_failed(device), DP_OK);
    dp_device_close(&device);
}

enum { WIDE_ROWS = 3, WIDE = 600000 };

static double wide_dot(const float *a, const float *b)
{
    double sum = 0;
    for (int c = 0; c < WIDE; c++)
        sum += (double)a[c] * (double)b[c];
    return sum;
}

/* Rows so long that the gradient is projected in several blocks of them. */
static void test_blocks(void **state)
{
    dp_device *device = dp_device_open("ref");
    dp_tensor *x = dp_randn(device, 1, DP_SHAPE(WIDE_ROWS, WIDE)), *value, *gradient;
    const size_t bytes = sizeof(float) * WIDE_ROWS * WIDE;
    float *rows = malloc(bytes), *found = malloc(bytes);
    double cosines[WIDE_ROWS][WIDE_ROWS], norm[WIDE_ROWS], total[WIDE_ROWS] = {0};
    (void)state;
    dp_loss_sscl(device, x, &(dp_loss_params){.temperature = 0.5}, &value, &gradient);
    assert_true(rows && found);
    assert_int_equal(dp_read(x, rows, bytes), DP_OK);
    assert_int_equal(dp_read(gradient, found, bytes), DP_OK);
    for (int i = 0; i < WIDE_ROWS; i++)
        norm[i] = sqrt(wide_dot(rows + i * WIDE, rows + i * WIDE));
    for (int i = 0; i < WIDE_ROWS; i++)
        for (int j = 0; j < WIDE_ROWS; j++) {
            cosines[i][j] = wide_dot(rows + i * WIDE, rows + j * WIDE) / (norm[i] * norm[j]);
            total[i] += exp(cosines[i][j] / 0.5);
        }
    for (int i = 0; i < WIDE_ROWS; i++)
        for (int c = 0; c < WIDE; c += 9973) {
            double exact = 0;
            for (int j = 0; j < WIDE_ROWS; j++) {
                const double w = exp(cosines[i][j] / 0.5) * (1 / total[i] + 1 / total[j]);
                exact += w * ((double)rows[j * WIDE + c] / norm[j] -
                              cosines[i][j] * (double)rows[i * WIDE + c] / norm[i]);
            }
            exact /= 0.5 * WIDE_ROWS * norm[i];
            assert_true(fabs(exact - (double)found[i * WIDE + c]) <= TOLERANCE * 4 / (norm[i] * norm[i]));
        }
    free(rows);
    free(found);
    dp_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contrastive), cmocka_unit_test(test_labels), cmocka_unit_test(test_distances),
        cmocka_unit_test(test_singular),    cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests_name("loss variants", tests, NULL, NULL);
}
