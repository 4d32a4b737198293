/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a scenario fails in turn, on the reference: a status, no crash, no leak.
 * Linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc and the static library. */
#include "suite/failing_alloc.h"
#include "suite.h"
#include "cache/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scenarios get a device that works, or NULL where they open one themselves. Each returns the status that it
 * met. */
typedef dp_status scenario(dp_device *device);

static dp_status opening(dp_device *unused)
{
    (void)unused;
    dp_device *device = dp_device_open("ref");
    const dp_status status = dp_failed(device);
    dp_device_close(&device);
    return status == DP_ERROR_NO_DEVICE ? DP_ERROR_MEMORY : status; /* a NULL handle says so */
}

static dp_status tensors(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(4, 6), -1, 1), *n = dp_randn(device, 1, DP_SHAPE(4, 6));
    dp_tensor *slice = dp_slice(x, 1, 0, 6, 2), *turned = dp_transpose(slice, 0, 1),
              *copy = dp_copy(device, turned);
    dp_tensor *flat = dp_reshape(copy, DP_SHAPE(12)), *wide = dp_broadcast(flat, DP_SHAPE(2, 12));
    dp_tensor *ints = dp_full(device, DP_I32, DP_SHAPE(3), 1),
              *permuted = dp_permute(x, (const int[]){1, 0}, 2);
    float values[12] = {0};
    dp_read(turned, values, sizeof values);
    dp_write(turned, values, sizeof values);
    dp_fill(slice, 1);
    dp_tensor *step = dp_full(device, DP_F32, DP_SCALAR, 1), *drawn = dp_randint_at(device, 1, step, DP_SHAPE(5), 3);
    dp_tensor *list[] = {x, n, step, drawn, slice, turned, copy, flat, wide, ints, permuted};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status primitives(dp_device *device)
{
    dp_tensor *a = dp_uniform(device, 1, DP_SHAPE(4, 4), -1, 1), *at = dp_transpose(a, 0, 1);
    dp_tensor *image = dp_reshape(a, DP_SHAPE(1, 1, 4, 4)), *index = dp_full(device, DP_I32, DP_SHAPE(3), 1);
    dp_tensor *columns = dp_full(device, DP_I32, DP_SHAPE(4, 2), 3),
              *rows = dp_full(device, DP_I32, DP_SHAPE(4), 0);
    dp_tensor *square = dp_full(device, DP_I32, DP_SHAPE(4, 4), 2);
    dp_tensor *list[] = {
        dp_matmul(device, a, at, &(dp_matmul_params){.beta = 1, .c = a}),
        dp_matmul_bound(device, a, at, NULL),
        dp_conv2d(device, image, image, &(dp_conv2d_params){.padding = {1, 1}}),
        dp_conv2d_bound(device, image, image, NULL),
        dp_reduce(device, at, DP_LOGSUMEXP, DP_AXIS(1)),
        dp_reduce(device, at, DP_ARGMAX, DP_AXIS(0)),
        dp_reduce_bound(device, at, DP_SUM, DP_ALL_AXES),
        dp_gather_rows(device, at, index),
        dp_gather(device, a, columns, 1),
        dp_scatter_add_rows(device, at, rows, 2),
        dp_scatter_add(device, at, square, 1, 3),
        a,
        at,
        image,
        index,
        columns,
        rows,
        square,
    };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status halves(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(1, 1, 4, 4), -1, 1), *half = dp_cast(device, x, DP_BF16);
    dp_tensor *other = dp_cast(device, half, DP_F16), *part = dp_slice(other, 3, 0, 4, 3), *copy = dp_copy(device, part);
    const uint16_t words[8] = {0};
    uint16_t read[8];
    dp_write(part, words, sizeof words);
    dp_read(part, read, sizeof read);
    dp_fill(part, 1);
    dp_fill(half, 1);
    dp_tensor *list[] = {
        dp_cast(device, part, DP_F32),
        dp_full(device, DP_F16, DP_SCALAR, 2),
        dp_matmul(device, half, other, NULL),
        dp_matmul_bound(device, half, other, NULL),
        dp_conv2d(device, other, part, NULL),
        x,
        half,
        other,
        part,
        copy,
    };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status convolutions(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(1, 2, 4, 4), -1, 1), *w = dp_uniform(device, 2, DP_SHAPE(2, 2, 2, 2), -1, 1);
    dp_tensor *y = dp_uniform(device, 3, DP_SHAPE(1, 2, 3, 3), -1, 1), *bias = dp_full(device, DP_F32, DP_SHAPE(2, 1, 1), 1);
    const dp_args args = DP_ARGS({"b", bias, 0}, {.name = "s", .scalar = 2});
    const dp_matmul_params product = {.epilogue = "s * result", .epilogue_args = DP_ARGS({.name = "s", .scalar = 2})};
    const dp_conv2d_params conv = {.winograd = 2, .epilogue = "max(s * result + b, 0)", .epilogue_args = args};
    const dp_conv2d_transposed_params turned = {.stride = {2, 2}, .epilogue = "s * result + b", .epilogue_args = args};
    dp_tensor *list[] = {
        dp_conv2d(device, x, w, &conv),
        dp_conv2d_bound(device, x, w, &conv),
        dp_conv2d_gradient_input(device, w, y, 4, 4, NULL),
        dp_conv2d_gradient_input_bound(device, w, y, 4, 4, NULL),
        dp_conv2d_gradient_weights(device, x, y, 2, 2, NULL),
        dp_conv2d_gradient_weights_bound(device, x, y, 2, 2, NULL),
        dp_conv2d_transposed(device, y, w, &turned),
        dp_conv2d_transposed_bound(device, y, w, &turned),
        dp_matmul(device, x, x, &product),
        dp_matmul_bound(device, x, x, &product),
        x,
        w,
        y,
        bias,
    };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status formulas(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(5, 3), -1, 1),
              *q = dp_uniform(device, 2, DP_SHAPE(5), -1, 1);
    dp_tensor *y = dp_copy(device, x), *outputs[] = {y};
    const dp_args xy = DP_ARGS({"x", x, 0}, {"y", y, 0}), pair = DP_ARGS({"x", x, 0}, {"q", q, 0});
    dp_map_into(device, "s = x + y; s * s", xy, outputs, 1);
    dp_tensor *near[] = {NULL, NULL, NULL, NULL};
    dp_pairwise_smallest(device, "norm(x[i] - x[j])", 2, DP_OVER_J | DP_EXCLUDE_SELF, DP_ARGS({"x", x, 0}), &near[0], &near[1]);
    dp_pairwise_smallest_bound(device, "q[i] - q[j]", 3, DP_OVER_I, DP_ARGS({"q", q, 0}), &near[2], &near[3]);
    dp_tensor *list[] = {
        near[0],
        near[1],
        near[2],
        near[3],
        dp_map(device, "a = x * y; exp(a) + max(x, y, 0.5)^3", xy),
        dp_map_bound(device, "exp(x) * y", xy, 0),
        dp_pairwise(device, "q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + 0.25)", DP_SUM_ALL | DP_EXCLUDE_SELF,
                    pair),
        dp_pairwise(device, "q[j] * (x[i] - x[j]) * norm_p(x[i] - x[j], 3)", DP_MAX_I, pair),
        dp_pairwise(device, "dot(x[i], x[j])", DP_ARGMIN_J, pair),
        dp_pairwise(device, "x[i][1] * x[j][2]", DP_LOGSUMEXP_J, pair),
        dp_pairwise_bound(device, "norm(x[i] - x[j])", DP_MEAN_J, pair),
        x,
        q,
        y,
    };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status problems(dp_device *device)
{
    static const int64_t offsets[] = {0, 1, 1, 5};
    static const char *const names[] = {"x", "s"};
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(5, 2), -1, 1), *cube = dp_uniform(device, 2, DP_SHAPE(2, 2, 3), -1, 1);
    dp_tensor *turned = dp_transpose(cube, 1, 2), *gradients[2] = {NULL, NULL}, *more[2] = {NULL, NULL}, *value = NULL;
    dp_tensor *order, *inverse = NULL, *mask = dp_pair_mask_cutoff(device, x, x, 32, 0.5);
    const dp_args args = DP_ARGS({"x", x, 0}, {.name = "s", .scalar = 2}), batch_args = DP_ARGS({"x", turned, 0});
    const dp_pair_options ragged = {3, offsets, offsets}, batch = {.batch = true}, masked = {.mask = mask, .tile = 32};
    order = dp_sort_spatial(device, x, 32, 3, offsets, &inverse);
    dp_pairwise_gradient_with(device, "s * norm(x[i] - x[j])", DP_MEAN_ALL, args, &ragged, NULL, names, 2, gradients, &value);
    if (mask)
        dp_pairwise_gradient_with(device, "s * dot(x[i], x[j])", DP_MEAN_I, args, &masked, NULL, names, 2, more, NULL);
    dp_tensor *list[] = {
        dp_pairwise_with(device, "dot(x[i], x[j])", DP_MEAN_I, batch_args, &batch),
        dp_pairwise_bound_with(device, "x[i] * s + x[j]", DP_SUM_ALL, args, &ragged),
        x,
        cube,
        turned,
        mask,
        order,
        inverse,
        gradients[0],
        gradients[1],
        more[0],
        more[1],
        value,
    };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status reductions(dp_device *device)
{
    static const char *const wrt[] = {"x", "q"};
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(5, 3), -1, 1), *q = dp_uniform(device, 2, DP_SHAPE(5), -1, 1);
    dp_tensor *cotangent = dp_full(device, DP_F32, DP_SHAPE(5), 2), *g[3][2], *value[3];
    const dp_args args = DP_ARGS({"x", x, 0}, {"q", q, 0});
    dp_pairwise_gradient(device, "q[j] * dot(x[i], x[j])", DP_LOGSUMEXP_J, args, cotangent, wrt, 2, g[0], &value[0]);
    dp_pairwise_gradient(device, "q[j] * dot(x[i], x[j])", DP_MIN_J, args, cotangent, wrt, 2, g[1], &value[1]);
    dp_pairwise_softmax_gradient(device, "dot(x[i], x[j])", "q[j]", DP_SUM_J, args, cotangent, wrt, 2, g[2], &value[2]);
    dp_tensor *list[] = {x, q, cotangent, g[0][0], g[0][1], value[0], g[1][0], g[1][1], value[1], g[2][0], g[2][1], value[2]};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status losses(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(4, 3), -1, 1), *y = dp_uniform(device, 2, DP_SHAPE(4, 3), -1, 1);
    dp_tensor *label = dp_from(device, DP_I32, DP_SHAPE(4), (const int32_t[]){1, 1, 2, 2}), *g[10][3] = {{NULL}}, *value[10];
    dp_loss_infonce(device, x, y, &(dp_loss_params){.symmetric = true}, &value[0], g[0]);
    dp_loss_ntxent(device, x, NULL, &value[1], g[1]);
    dp_loss_sscl(device, x, &(dp_loss_params){.similarity = DP_DOT}, &value[2], g[2]);
    dp_loss_mixcse(device, x, y, NULL, &value[3], g[3]);
    dp_loss_supcon(device, x, label, NULL, &value[4], g[4]);
    dp_loss_alignment(device, x, y, NULL, &value[5], g[5]);
    dp_loss_uniformity(device, x, NULL, &value[6], g[6]);
    dp_loss_hinge(device, x, y, x, NULL, &value[7], g[7]);
    dp_loss_rank_hinge(device, x, y, x, NULL, &value[8], g[8]);
    dp_loss_batch_hard(device, x, label, NULL, &value[9], g[9]);
    for (int k = 0; k < 10; k++) {
        for (int t = 0; t < 3; t++)
            dp_tensor_release(&g[k][t]);
        dp_tensor_release(&value[k]);
    }
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    dp_tensor_release(&label);
    return dp_failed(device);
}

/* Recording, both orders of going back, and the calls over pairs that make their gradients at once or compose them. */
static dp_status derivatives(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(4, 2), -1, 1), *w = dp_uniform(device, 2, DP_SHAPE(2, 2), -1, 1);
    dp_tensor *many[2] = {NULL, NULL}, *found[2] = {NULL, NULL}, *seconds[2] = {NULL, NULL}, *loss = NULL, *nearest[2] = {NULL, NULL};
    dp_require_grad(x);
    dp_require_grad(w);
    dp_tensor *y = dp_matmul(device, x, w, NULL), *part = dp_slice(y, 0, 0, 2, 1);
    const dp_args args = DP_ARGS({"x", y, 0}, {"z", part, 0});
    const dp_pair_options two = {.problems = 2};
    dp_pairwise_many(device, "d = x[i] - z[j]; dot(d, d), d * d", DP_MEAN_J, args, many, 2);
    dp_pairwise_smallest(device, "sqdist(x[i], z[j])", 1, DP_OVER_J, args, &nearest[0], &nearest[1]);
    dp_loss_ntxent(device, y, NULL, &loss, NULL);
    dp_tensor *list[] = {
        dp_pairwise(device, "rsqrt(sqdist(x[i], z[j]) + 1)", DP_SUM_ALL, args),
        dp_pairwise(device, "dot(x[i], z[j])", DP_MAX_ALL, args),
        dp_pairwise_with(device, "dot(x[i], z[j])", DP_MEAN_ALL, args, &two),
        dp_pairwise_softmax(device, "dot(x[i], z[j])", "z[j]", DP_SUM_J, args),
        dp_metric(device, y, part, &(dp_metric_params){.potential = "plummer"}, 0, NULL),
        many[0],
        many[1],
        loss,
    };
    enum { COUNT = sizeof list / sizeof *list };
    dp_tensor *sum = NULL, *wrt[] = {x, w};
    for (int k = 0; k < COUNT; k++) {
        dp_tensor *number = dp_reduce(device, list[k], DP_SUM, DP_ALL_AXES), *more = sum;
        if (number && sum)
            more = dp_map(device, "a + b", DP_ARGS({"a", sum, 0}, {"b", number, 0}));
        else if (number)
            more = dp_tensor_retain(number);
        if (more != sum)
            dp_tensor_release(&sum);
        sum = more;
        dp_tensor_release(&number);
    }
    if (sum && x && w && dp_failed(device) == DP_OK)
        dp_gradients(sum, NULL, wrt, 2, DP_GRADIENT_KEEP, found);
    dp_tensor *square = list[3] && dp_failed(device) == DP_OK ? dp_map(device, "y * y", DP_ARGS({"y", list[3], 0})) : NULL;
    dp_tensor *total = square ? dp_reduce(device, square, DP_SUM, DP_ALL_AXES) : NULL;
    if (total && dp_failed(device) == DP_OK && dp_gradients(total, NULL, wrt, 1, DP_GRADIENT_RECORD, seconds) == DP_OK) {
        dp_tensor *form = dp_reduce(device, seconds[0], DP_SUM, DP_ALL_AXES);
        if (form)
            dp_backward(form);
        dp_tensor_release(&form);
    }
    dp_tensor *rest[] = {x, w, y, part, sum, square, total, found[0], found[1], seconds[0], nearest[0], nearest[1]};
    for (size_t k = 0; k < sizeof rest / sizeof *rest; k++)
        dp_tensor_release(&rest[k]);
    for (int k = 0; k < COUNT; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

/* A formula that is wrong needs memory for its message; either may be told. */
static dp_status wrong_formula(dp_device *device)
{
    assert_null(dp_map(device, "1 + foo", DP_NO_ARGS));
    return dp_failed(device) == DP_ERROR_FORMULA ? dp_clear(device), DP_OK : dp_failed(device);
}

static dp_status explaining(dp_device *device)
{
    (void)device;
    const dp_explain_options options = {.dim = 2, .vectors = "x", .gradient = "x[i], x[j], q[j]"};
    dp_explanation *told[2] = {NULL, NULL};
    dp_status status = dp_explanation_create("q[j] / norm(x[i] - x[j]) + max(x[i], x[j])[1]", &options, &told[0]);
    if (status == DP_OK)
        status = dp_explanation_create("d = x[i] - x[j]; select(q[i] < 1, exp(-dot(d, d)), 0)", NULL, &told[1]);
    dp_explanation_destroy(&told[0]);
    dp_explanation_destroy(&told[1]);
    return status;
}

static dp_status metrics(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(4, 2), -1, 1), *y = dp_uniform(device, 2, DP_SHAPE(3, 2), -1, 1);
    dp_tensor *a = dp_uniform(device, 3, DP_SHAPE(4), 0, 1), *h = dp_full(device, DP_F32, DP_SHAPE(2), 0.5);
    const dp_metric_params weighted = {.potential = "plummer", .x_weights = a};
    const dp_metric_params several = {.potential = "gaussians", .args = DP_ARGS({"h", h, 0}), .estimator = DP_ESTIMATOR_U};
    dp_metric_gradients g[2];
    dp_tensor *list[] = {
        dp_metric(device, x, y, &weighted, DP_METRIC_X | DP_METRIC_Y | DP_METRIC_X_WEIGHTS, &g[0]),
        dp_metric(device, x, y, &several, DP_METRIC_Y, &g[1]),
        dp_pairwise_hvp(device, "sqdist(x[i], x[j])^2 * a[j]", DP_MEAN_ALL, DP_ARGS({"x", x, 0}, {"a", a, 0}), "x", x),
        g[0].x, g[0].y, g[0].x_weights, g[1].y, x, y, a, h,
    };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static dp_status profiling(dp_device *device)
{
    dp_profile_entry entries[4];
    dp_profile(device, true);
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(5, 5), -1, 1), *y = dp_matmul(device, x, x, NULL);
    dp_profile_list(device, entries, 4);
    dp_profile(device, false);
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    return dp_failed(device);
}

/* The cache of kernels reports nothing but what it clears: without memory it finds and keeps nothing. */
static dp_status caching(dp_device *device)
{
    dp__cache *cache = dp__cache_open("alloc");
    dp__text key = {0};
    size_t bytes = 0;
    dp_cache_usage usage[2];
    char folder[64];
    dp__text_add(&key, "a key");
    if (cache) {
        dp__cache_put(cache, &key, "data", 5);
        char *data = dp__cache_get(cache, &key, &bytes);
        assert_true(!data || (bytes == 5 && strcmp(data, "data") == 0));
        dp__free(data);
        dp__cache_trim(cache->folder, 1);
        dp__cache_put(cache, &key, "data", 5);
    }
    dp_cache_folder(folder, sizeof folder);
    dp_cache_usage_list(usage, 2);
    dp__text_free(&key);
    dp__cache_close(cache);
    const dp_status status = dp_cache_clear(NULL);
    return status == DP_ERROR_IO ? DP_ERROR_MEMORY : status == DP_OK ? dp_failed(device) : status;
}

/* What training is made of, with its gradients. */
static dp_status training(dp_device *device)
{
    const dp_atom_pairs_params alike = {.units = DP_ATOM_ALL}, drawn = {.units = DP_ATOM_REPEATED};
    dp_atom_pairs *pairs[2] = {dp_atom_pairs_create(device, 2, 3, &alike), dp_atom_pairs_create(device, 2, 3, &drawn)};
    dp_tensor *e = dp_uniform(device, 1, DP_SHAPE(2, 3, 2), -1, 1), *f = dp_uniform(device, 2, DP_SHAPE(3, 2), -1, 1),
              *g = dp_uniform(device, 3, DP_SHAPE(2, 2), -1, 1), *quantised = NULL, *codes = NULL, *parts[3] = {NULL};
    dp_atom_state state = {0};
    if (dp_require_grad(e) == DP_OK && dp_require_grad(f) == DP_OK)
        dp_atom_state_create(device, e, 3, &state);
    dp_tensor *losses[] = {
        dp_atom_loss(device, e, NULL, parts),
        pairs[0] ? dp_atom_loss(device, e, &(dp_atom_params){.pairs = pairs[0]}, NULL) : NULL,
        pairs[1] ? dp_atom_loss(device, e, &(dp_atom_params){.pairs = pairs[1]}, NULL) : NULL,
        dp_eieg_generator_loss(device, f, g, NULL),
        dp_eieg_discriminator_loss(device, f, g, NULL),
        dp_eieg_metric(device, f, g, &(dp_eieg_params){.estimator = DP_ESTIMATOR_V_DIAGONAL}),
        dp_eieg_flow_velocity(device, f, g, 1, 0.5, 1, 1),
        dp_vq(device, f, g, NULL, &quantised, &codes),
    };
    for (size_t k = 0; k < sizeof losses / sizeof *losses; k++) {
        if (dp_requires_grad(losses[k]))
            dp_backward(losses[k]);
        dp_tensor_release(&losses[k]);
    }
    dp_atom_state_release(&state);
    dp_atom_pairs_destroy(&pairs[0]);
    dp_atom_pairs_destroy(&pairs[1]);
    dp_tensor *list[] = {e, f, g, quantised, codes, parts[0], parts[1], parts[2]};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    return dp_failed(device);
}

static void fail_each(scenario *run, bool opens)
{
    for (long k = 1;; k++) {
        assert_true(k < 100000);
        dp_device *device = opens ? NULL : dp_device_open("ref");
        failed = false;
        countdown = k;
        const dp_status status = run(device);
        countdown = 0;
        if (failed && status != DP_OK && status != DP_ERROR_MEMORY)
            fail_msg("allocation %ld: %s: %s", k, dp_status_name(status), dp_message(device));
        if (device) {
            dp_clear(device);
            suite_works(device);
        }
        dp_device_close(&device);
        if (!failed) {
            assert_int_equal(status, DP_OK);
            return;
        }
    }
}

static void test_opening(void **state)
{
    (void)state;
    fail_each(opening, true);
}

static void test_training(void **state)
{
    (void)state;
    fail_each(training, false);
}

static void test_tensors(void **state)
{
    (void)state;
    fail_each(tensors, false);
}

static void test_primitives(void **state)
{
    (void)state;
    fail_each(primitives, false);
}

static void test_halves(void **state)
{
    (void)state;
    fail_each(halves, false);
}

static void test_convolutions(void **state)
{
    (void)state;
    fail_each(convolutions, false);
}

static void test_formulas(void **state)
{
    (void)state;
    fail_each(formulas, false);
}

static void test_problems(void **state)
{
    (void)state;
    fail_each(problems, false);
}

static void test_reductions(void **state)
{
    (void)state;
    fail_each(reductions, false);
}

static void test_losses(void **state)
{
    (void)state;
    fail_each(losses, false);
}

static void test_derivatives(void **state)
{
    (void)state;
    fail_each(derivatives, false);
}

static void test_wrong_formula(void **state)
{
    (void)state;
    fail_each(wrong_formula, false);
}

static void test_explaining(void **state)
{
    (void)state;
    fail_each(explaining, false);
}

static void test_metrics(void **state)
{
    (void)state;
    fail_each(metrics, false);
}

static void test_profiling(void **state)
{
    (void)state;
    fail_each(profiling, false);
}

static void test_caching(void **state)
{
    (void)state;
    char folder[] = "/tmp/dipole-test-alloc-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    setenv("DIPOLE_CACHE_DIR", folder, 1);
    fail_each(caching, false);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caching),       cmocka_unit_test(test_opening),       cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_primitives),    cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_wrong_formula), cmocka_unit_test(test_profiling),
        cmocka_unit_test(test_explaining),    cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_problems),      cmocka_unit_test(test_halves), cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_reductions),    cmocka_unit_test(test_losses), cmocka_unit_test(test_derivatives),
    };
    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
