/* SPDX-License-Identifier: Apache-2.0 */
/* Derivatives through metrics and losses: values carry the gradients that the same call has made. */
#include "grad_check.h"

#include <dipole/loss.h>
#include <dipole/metric.h>
#include <math.h>
#include <string.h>

/* Losses. */

enum { N = 4, D = 3, MOST = 3 };

typedef enum loss_kind {
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
} loss_kind;

typedef struct loss_case {
    const char *name;
    loss_kind kind;
    int count; /* of embeddings */
    dp_loss_params params;
    double step;
    bool true_gradient; /* MixCSE lets no gradient through its mixtures */
} loss_case;

static const loss_case losses[] = {
    {"infonce", INFONCE, 2, {.temperature = 0.5}, 0, true},
    {"infonce, both ways",
     INFONCE,
     2,
     {.temperature = 0.5, .symmetric = true, .similarity = DP_DOT},
     0,
     true},
    {"ntxent", NTXENT, 1, {.temperature = 0.5}, 0, true},
    {"sscl", SSCL, 1, {.temperature = 0.5}, 0, true},
    {"mixcse", MIXCSE, 2, {.temperature = 0.5}, 0, false},
    {"supcon", SUPCON, 1, {.temperature = 0.5}, 0, true},
    {"alignment", ALIGNMENT, 2, {.power = 3}, 0, true},
    {"uniformity", UNIFORMITY, 1, {.sharpness = 1}, 0, true},
    {"hinge", HINGE, 3, {.margin = 2}, 1.0 / 512, true},
    {"rank hinge", RANK_HINGE, 3, {.margin = 2}, 1.0 / 512, true},
    {"batch hard", BATCH_HARD, 1, {.margin = 2}, 1.0 / 1024, true},
    {"batch hard, soft", BATCH_HARD, 1, {.soft = true}, 1.0 / 1024, true},
};

static dp_status call_loss(dp_device *device, const loss_case *c, dp_tensor *const *x, dp_tensor **value,
                           dp_tensor **gradients)
{
    dp_tensor *labels = dp_from(device, DP_I32, DP_SHAPE(N), (const int32_t[]){7, 2, 7, 2});
    dp_status status = DP_OK;
    switch (c->kind) {
    case INFONCE:
        status = dp_loss_infonce(device, x[0], x[1], &c->params, value, gradients);
        break;
    case NTXENT:
        status = dp_loss_ntxent(device, x[0], &c->params, value, gradients);
        break;
    case SSCL:
        status = dp_loss_sscl(device, x[0], &c->params, value, gradients);
        break;
    case MIXCSE:
        status = dp_loss_mixcse(device, x[0], x[1], &c->params, value, gradients);
        break;
    case SUPCON:
        status = dp_loss_supcon(device, x[0], labels, &c->params, value, gradients);
        break;
    case ALIGNMENT:
        status = dp_loss_alignment(device, x[0], x[1], &c->params, value, gradients);
        break;
    case UNIFORMITY:
        status = dp_loss_uniformity(device, x[0], &c->params, value, gradients);
        break;
    case HINGE:
        status = dp_loss_hinge(device, x[0], x[1], x[2], &c->params, value, gradients);
        break;
    case RANK_HINGE:
        status = dp_loss_rank_hinge(device, x[0], x[1], x[2], &c->params, value, gradients);
        break;
    case BATCH_HARD:
        status = dp_loss_batch_hard(device, x[0], labels, &c->params, value, gradients);
        break;
    }
    dp_tensor_release(&labels);
    return status;
}

static dp_tensor *loss_value(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    dp_tensor *value = NULL;
    (void)count;
    call_loss(device, context, x, &value, NULL);
    return grad_number(device, value);
}

static void losses_checked(dp_device *device)
{
    const dp_shape shapes[MOST] = {DP_SHAPE(N, D), DP_SHAPE(N, D), DP_SHAPE(N, D)};
    for (size_t k = 0; k < sizeof losses / sizeof *losses; k++)
        if (losses[k].true_gradient)
            grad_case(device, losses[k].name, loss_value, (void *)&losses[k], shapes, losses[k].count, 1,
                      losses[k].step, 6);
}

static void same(const dp_tensor *a, const dp_tensor *b, double tolerance)
{
    float left[N * D], right[N * D];
    assert_non_null(a);
    assert_non_null(b);
    const size_t count = (size_t)dp_tensor_size(a);
    assert_int_equal(dp_tensor_size(b), count);
    assert_in_range(count, 1, N * D);
    assert_int_equal(dp_read(a, left, count * sizeof *left), DP_OK);
    assert_int_equal(dp_read(b, right, count * sizeof *right), DP_OK);
    for (size_t e = 0; e < count; e++)
        if (!(fabs((double)left[e] - (double)right[e]) <= tolerance * fmax(1, fabs((double)right[e]))))
            fail_msg("element %zu: %.9g and %.9g", e, (double)left[e], (double)right[e]);
}

/* What the caller asks for is not recorded and is what goes back from the value, bit by bit, whatever happens
 * to it in between. */
static void losses_fused(dp_device *device)
{
    for (size_t k = 0; k < sizeof losses / sizeof *losses; k++) {
        const loss_case *c = &losses[k];
        dp_tensor *x[MOST] = {NULL}, *value = NULL, *asked[MOST] = {NULL}, *kept[MOST] = {NULL},
                  *again = NULL, *second[MOST];
        for (int e = 0; e < c->count; e++) {
            x[e] = dp_uniform(device, 5 + (uint64_t)e, DP_SHAPE(N, D), -1, 1);
            assert_int_equal(dp_require_grad(x[e]), DP_OK);
        }
        assert_int_equal(call_loss(device, c, x, &value, asked), DP_OK);
        assert_true(dp_requires_grad(value));
        for (int e = 0; e < c->count; e++) {
            assert_false(dp_requires_grad(asked[e]));
            kept[e] = dp_copy(device, asked[e]);
            assert_int_equal(dp_fill(asked[e], 7), DP_OK);
        }
        assert_int_equal(dp_backward(value), DP_OK);
        for (int e = 0; e < c->count; e++)
            same(dp_grad(x[e]), kept[e], 0);
        assert_int_equal(call_loss(device, c, x, &again, NULL), DP_OK);
        assert_int_equal(dp_gradients(again, NULL, x, c->count, DP_GRADIENT_RECORD, second),
                         DP_ERROR_UNSUPPORTED);
        suite_failed(device, DP_ERROR_UNSUPPORTED, "DP_GRADIENT_RECORD");
        for (int e = 0; e < c->count; e++) {
            dp_tensor_release(&x[e]);
            dp_tensor_release(&asked[e]);
            dp_tensor_release(&kept[e]);
        }
        dp_tensor_release(&value);
        dp_tensor_release(&again);
    }
}

/* Nothing is computed or kept for what is not tracked. */
static void losses_untracked(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 5, DP_SHAPE(N, D), -1, 1),
              *y = dp_uniform(device, 6, DP_SHAPE(N, D), -1, 1);
    dp_tensor *value = NULL, *gradients[2];
    assert_int_equal(dp_require_grad(y), DP_OK);
    dp_grad_pause(device);
    assert_int_equal(dp_loss_infonce(device, x, y, NULL, &value, NULL), DP_OK);
    assert_false(dp_requires_grad(value));
    dp_tensor_release(&value);
    dp_grad_resume(device);
    assert_int_equal(dp_loss_infonce(device, x, y, NULL, NULL, gradients), DP_OK);
    assert_false(dp_requires_grad(gradients[0]));
    for (int k = 0; k < 2; k++)
        dp_tensor_release(&gradients[k]);
    assert_int_not_equal(dp_loss_ntxent(device, NULL, NULL, &value, NULL), DP_OK);
    suite_failed(device, DP_ERROR_ARGUMENT, "x");
    assert_int_equal(dp_loss_infonce(device, x, y, NULL, &value, NULL),
                     DP_OK); /* recording goes on after a failure */
    assert_true(dp_requires_grad(value));
    assert_int_equal(dp_backward(value), DP_OK);
    assert_null(dp_grad(x));
    assert_non_null(dp_grad(y));
    dp_tensor_release(&value);
    dp_tensor_release(&x);
    dp_tensor_release(&y);
}

/* Metrics. */

typedef struct metric_case {
    const char *name;
    dp_metric_params params;
    bool weights, width; /* the last argument is the potential's width */
} metric_case;

static const metric_case metrics[] = {
    {"gaussian", {.potential = "gaussian"}, false, true},
    {"unbiased, a formula",
     {.potential = "rsqrt(sqdist(x[i], y[j]) + 0.5)", .estimator = DP_ESTIMATOR_U},
     false,
     false},
    {"weights",
     {.potential = "exp(-0.5 * sqdist(x[i], y[j]))", .estimator = DP_ESTIMATOR_V_DIAGONAL},
     true,
     false},
    {"factors", {.potential = "cos(dot(x[i], y[j]))", .xx = -1, .xy = 2}, false, false},
};

static dp_tensor *metric(dp_device *device, const metric_case *c, dp_tensor *const *x, unsigned wanted,
                         dp_metric_gradients *gradients)
{
    dp_metric_params p = c->params;
    const dp_arg width[] = {{"sigma", c->width ? x[2] : NULL, 0}};
    if (c->weights)
        p.x_weights = x[2], p.y_weights = x[3];
    if (c->width)
        p.args = (dp_args){width, 1};
    return dp_metric(device, x[0], x[1], &p, wanted, gradients);
}

static dp_tensor *metric_value(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count;
    return grad_number(device, metric(device, context, x, 0, NULL));
}

static int metric_shapes(const metric_case *c, dp_shape shapes[4])
{
    shapes[0] = DP_SHAPE(N, D), shapes[1] = DP_SHAPE(3, D);
    shapes[2] = c->width ? DP_SCALAR : DP_SHAPE(N), shapes[3] = DP_SHAPE(3);
    return 2 + 2 * c->weights + c->width;
}

static void metrics_checked(dp_device *device)
{
    const bool reference = !strcmp(dp_device_get_info(device).backend, "ref");
    for (size_t k = 0; k < sizeof metrics / sizeof *metrics; k++) {
        dp_shape shapes[4];
        const int count = metric_shapes(&metrics[k], shapes);
        for (int order = 1; order <= (reference ? 2 : k < 1); order++)
            grad_case(device, metrics[k].name, metric_value, (void *)&metrics[k], shapes, count, order, 0, 4);
    }
}

static void metrics_fused(dp_device *device)
{
    const metric_case *c = &metrics[2];
    dp_shape shapes[4];
    dp_tensor *x[4];
    dp_metric_gradients asked;
    const int count = metric_shapes(c, shapes);
    for (int e = 0; e < count; e++) {
        x[e] = dp_uniform(device, 5 + (uint64_t)e, shapes[e], -1, 1);
        assert_int_equal(dp_require_grad(x[e]), DP_OK);
    }
    dp_tensor *value = metric(device, c, x, DP_METRIC_X | DP_METRIC_Y_WEIGHTS, &asked);
    assert_true(dp_requires_grad(value));
    assert_false(dp_requires_grad(asked.x));
    assert_false(dp_requires_grad(asked.y_weights));
    dp_profile(device, true);
    assert_int_equal(dp_backward(value), DP_OK);
    dp_profile_entry entries[64];
    const size_t kernels = dp_profile_list(device, entries, 64);
    dp_profile(device, false);
    for (size_t k = 0; k < kernels && k < 64; k++) /* no pass over the pairs is left to do */
        if (strstr(entries[k].kernel, "pair"))
            fail_msg("backward has run %s", entries[k].kernel);
    same(dp_grad(x[0]), asked.x, 1e-6);
    same(dp_grad(x[3]), asked.y_weights, 1e-6);
    assert_non_null(dp_grad(x[1]));
    assert_non_null(dp_grad(x[2]));
    for (int e = 0; e < count; e++)
        dp_tensor_release(&x[e]);
    dp_tensor_release(&asked.x);
    dp_tensor_release(&asked.y_weights);
    dp_tensor_release(&value);
}

static const suite_test tests[] = {
    {"losses, first order", losses_checked},         {"losses keep their gradients", losses_fused},
    {"losses without tracking", losses_untracked},   {"metrics, both orders", metrics_checked},
    {"metrics keep their gradients", metrics_fused},
};

int main(void)
{
    return suite_run("grad_losses", tests, sizeof tests / sizeof *tests);
}
