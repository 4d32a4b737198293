/* SPDX-License-Identifier: Apache-2.0 */
/* What is recorded, and for how long: misuse, changes in place, lifetimes, what is not computed. */
#include "suite.h"

#include <dipole/batch.h>
#include <dipole/bound.h>
#include <dipole/grad.h>
#include <dipole/pairwise.h>
#include <string.h>

static dp_tensor *leaf(dp_device *device, double value)
{
    dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(3), value);
    assert_int_equal(dp_require_grad(x), DP_OK);
    return x;
}

static dp_tensor *square(dp_device *device, const dp_tensor *x)
{
    return dp_map(device, "x * x", DP_ARGS({"x", x, 0}));
}

static dp_tensor *total(dp_device *device, dp_tensor *x)
{
    dp_tensor *sum = dp_reduce(device, x, DP_SUM, DP_ALL_AXES);
    dp_tensor_release(&x);
    return sum;
}

static void each(const dp_tensor *x, double value)
{
    suite_values(x, (const double[]){value, value, value}, 3);
}

static void misuse(dp_device *device)
{
    dp_tensor *x = leaf(device, 2), *plain = dp_full(device, DP_F32, DP_SHAPE(3), 1), *y = square(device, x);
    dp_tensor *half = dp_cast(device, plain, DP_F16), *wrong = dp_full(device, DP_F32, DP_SHAPE(2), 1),
              *found = NULL;
    assert_int_not_equal(dp_require_grad(NULL), DP_OK);
    assert_int_equal(dp_require_grad(half), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "f16");
    assert_int_equal(dp_require_grad(y), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "dp_detach");
    assert_int_not_equal(dp_backward(NULL), DP_OK);
    assert_int_equal(dp_backward(y), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "[3]");
    dp_tensor *constant = dp_full(device, DP_F32, DP_SCALAR, 1);
    assert_int_equal(dp_backward(constant), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "not computed");
    assert_int_equal(dp_gradients(y, NULL, &plain, 1, 0, &found), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "wrt[0]");
    assert_int_equal(dp_gradients(y, wrong, &x, 1, 0, &found), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "[2]");
    assert_int_equal(dp_gradients(y, half, &x, 1, 0, &found), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "cotangent");
    assert_int_equal(dp_gradients(y, NULL, NULL, 1, 0, &found), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "NULL");
    assert_int_equal(dp_gradients(y, NULL, &x, -1, 0, &found), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "-1");
    assert_null(found);
    assert_null(dp_grad(NULL));
    assert_null(dp_grad(x));
    assert_false(dp_requires_grad(NULL));
    assert_null(dp_detach(NULL));
    dp_grad_clear(NULL);
    dp_grad_pause(NULL);
    dp_grad_resume(NULL);
    dp_grad_resume(device); /* one too many changes nothing */
    dp_tensor *z = square(device, x);
    assert_true(dp_requires_grad(z));
    dp_tensor *list[] = {x, plain, y, half, wrong, constant, z};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    suite_works(device);
}

static void spent(dp_device *device)
{
    dp_tensor *x = leaf(device, 2), *loss = total(device, square(device, x)), *found = NULL;
    assert_int_equal(dp_gradients(loss, NULL, &x, 1, DP_GRADIENT_KEEP, &found), DP_OK);
    each(found, 4);
    assert_int_equal(dp_fill(found, 9), DP_OK); /* the caller's own */
    dp_tensor_release(&found);
    assert_int_equal(dp_backward(loss), DP_OK);
    each(dp_grad(x), 4);
    assert_int_equal(dp_backward(loss), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "DP_GRADIENT_KEEP");
    each(dp_grad(x), 4);
    dp_tensor_release(&loss);
    loss = total(device, square(device, x)); /* another one adds */
    assert_int_equal(dp_backward(loss), DP_OK);
    each(dp_grad(x), 8);
    dp_grad_clear(x);
    assert_null(dp_grad(x));
    dp_tensor_release(&loss);
    dp_tensor_release(&x);
}

static void changed(dp_device *device)
{
    dp_tensor *x = leaf(device, 2), *y = square(device, x), *loss = total(device, dp_tensor_retain(y)),
              *found;
    assert_int_equal(dp_fill(x, 3), DP_OK); /* an argument that the rule reads */
    assert_int_equal(dp_backward(loss), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "changed in place");
    dp_tensor_release(&y);
    dp_tensor_release(&loss);
    y = square(device, x); /* a result, before its use */
    assert_int_equal(dp_map_into(device, "2 * y", DP_ARGS({"y", y, 0}), &y, 1), DP_OK);
    loss = total(device, dp_tensor_retain(y));
    assert_int_equal(dp_backward(loss), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "changed in place");
    dp_tensor_release(&y);
    dp_tensor_release(&loss);
    y = dp_slice(x, 0, 1, 3, 1); /* a view follows its tensor */
    assert_int_equal(dp_fill(x, 4), DP_OK);
    loss = total(device, square(device, y));
    assert_int_equal(dp_gradients(loss, NULL, &x, 1, 0, &found), DP_OK);
    suite_values(found, (const double[]){0, 8, 8}, 3);
    dp_tensor_release(&found);
    dp_tensor_release(&y);
    dp_tensor_release(&loss);
    dp_tensor_release(&x);
}

/* What a call writes into a tensor that is there is not recorded: no gradient gets lost without a word. */
static void written(dp_device *device)
{
    dp_tensor *x = leaf(device, 2), *state = dp_full(device, DP_F32, DP_SHAPE(3), 1),
              *part = dp_slice(state, 0, 0, 3, 1);
    assert_int_equal(dp_map_into(device, "x + s", DP_ARGS({"x", x, 0}, {"s", part, 0}), &part, 1), DP_OK);
    dp_tensor *loss = total(device, square(device, state));
    assert_int_equal(dp_backward(loss), DP_ERROR_ARGUMENT);
    suite_failed(device, DP_ERROR_ARGUMENT, "dp_map_into");
    dp_tensor_release(&loss);
    assert_int_equal(dp_fill(state, 1), DP_OK); /* new contents */
    loss = total(device, square(device, state));
    assert_false(dp_requires_grad(loss));
    dp_tensor_release(&loss);
    dp_grad_pause(device); /* or meant so */
    assert_int_equal(dp_map_into(device, "x + s", DP_ARGS({"x", x, 0}, {"s", state, 0}), &state, 1), DP_OK);
    dp_grad_resume(device);
    loss = total(device, dp_map(device, "x * s", DP_ARGS({"x", x, 0}, {"s", state, 0})));
    assert_int_equal(dp_backward(loss), DP_OK);
    each(dp_grad(x), 3);
    assert_int_equal(dp_map_into(device, "x - g", DP_ARGS({"x", x, 0}, {"g", dp_grad(x), 0}), &x, 1),
                     DP_OK); /* a step */
    each(x, -1);
    dp_tensor_release(&loss);
    loss = total(device, square(device, x));
    assert_int_equal(dp_backward(loss), DP_OK);
    each(dp_grad(x), 1);
    dp_tensor *list[] = {x, state, part, loss};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

static void paused(dp_device *device)
{
    dp_tensor *x = leaf(device, 2);
    dp_grad_pause(device);
    dp_grad_pause(device);
    dp_grad_resume(device);
    dp_tensor *y = square(device, x);
    assert_false(dp_requires_grad(y));
    dp_grad_resume(device);
    dp_tensor *z = square(device, x), *constant = dp_detach(z), *w = square(device, constant);
    assert_true(dp_requires_grad(z));
    assert_false(dp_requires_grad(constant));
    assert_false(dp_requires_grad(w));
    each(w, 16);
    dp_tensor *list[] = {x, y, z, constant, w};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* A graph that is alive when the device goes. */
static void closed(dp_device *device)
{
    const dp_device_info info = dp_device_get_info(device);
    dp_device *other = dp_device_open(info.id);
    dp_tensor *x = leaf(other, 2), *loss = total(other, square(other, x)), *more = square(other, loss);
    dp_tensor *points = dp_uniform(other, 1, DP_SHAPE(4, 2), -1, 1);
    assert_int_equal(dp_require_grad(points), DP_OK);
    dp_tensor *energy = dp_pairwise(other, "q[j] * rsqrt(sqdist(x[i], x[j]) + 0.5)", DP_SUM_ALL,
                                    DP_ARGS({"x", points, 0}, {"q", more, 0}));
    assert_null(energy); /* q is a number: a failure on the way */
    dp_clear(other);
    energy = dp_pairwise(other, "rsqrt(sqdist(x[i], x[j]) + 0.5)", DP_SUM_ALL, DP_ARGS({"x", points, 0}));
    assert_non_null(energy);
    assert_int_equal(dp_backward(loss), DP_OK);
    dp_device_close(&other); /* and all that lives on it */
    suite_works(device);
}

/* Calls one behind the other: nothing recurses over them. */
static void chain(dp_device *device)
{
    const int64_t calls =
        suite_tiny() || strcmp(dp_device_get_info(device).backend, "ref") != 0 ? 2000 : 100000;
    dp_tensor *x = leaf(device, 2), *y = dp_tensor_retain(x);
    for (int64_t k = 0; k < calls; k++) { /* views cost no kernel */
        dp_tensor *next = dp_reshape(y, k % 2 ? DP_SHAPE(3) : DP_SHAPE(3, 1));
        dp_tensor_release(&y);
        y = next;
    }
    dp_tensor *loss = total(device, dp_tensor_retain(y)), *found;
    assert_int_equal(dp_gradients(loss, NULL, &x, 1, DP_GRADIENT_KEEP, &found), DP_OK);
    each(found, 1);
    dp_tensor_release(&found);
    dp_tensor_release(&y);
    dp_tensor_release(&loss); /* lets go of all of it */
    loss = NULL;
    dp_tensor_release(&x);
}

static uint64_t launches(dp_device *device)
{
    dp_profile_entry entries[64];
    const size_t count = dp_profile_list(device, entries, 64);
    uint64_t sum = 0;
    for (size_t k = 0; k < count && k < 64; k++)
        sum += entries[k].launches;
    return sum;
}

/* Nothing is computed for what nobody asks for. */
static void pruned(dp_device *device)
{
    dp_tensor *a = dp_uniform(device, 1, DP_SHAPE(3, 3), -1, 1),
              *b = dp_uniform(device, 2, DP_SHAPE(3, 3), -1, 1), *found[2];
    assert_int_equal(dp_require_grad(a), DP_OK);
    assert_int_equal(dp_require_grad(b), DP_OK);
    dp_tensor *c = dp_matmul(device, a, b, NULL), *ones = dp_full(device, DP_F32, DP_SHAPE(3, 3), 1),
              *wrt[] = {a, b};
    uint64_t used[3];
    for (int count = 1; count <= 2; count++) {
        dp_profile(device, true);
        assert_int_equal(dp_gradients(c, ones, wrt, count, DP_GRADIENT_KEEP, found), DP_OK);
        used[count] = launches(device);
        dp_profile(device, false);
        for (int k = 0; k < count; k++)
            dp_tensor_release(&found[k]);
    }
    if (used[1] > 0) /* the reference launches nothing */
        assert_int_equal(used[2], 2 * used[1]);
    dp_tensor *x = leaf(device, 1), *loss = total(device, square(device, x)); /* c is no part of it */
    assert_int_equal(dp_gradients(loss, NULL, wrt, 1, DP_GRADIENT_KEEP, found), DP_OK);
    suite_values(found[0], (const double[9]){0}, 9);
    dp_tensor *list[] = {a, b, c, ones, x, loss, found[0]};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* The same bits each time, several paths to one tensor and pairs among them. */
static void repeated(dp_device *device)
{
    float bits[2][8];
    for (int run = 0; run < 2; run++) {
        dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(4, 2), -1, 1), *found;
        assert_int_equal(dp_require_grad(x), DP_OK);
        dp_tensor *energy =
            dp_pairwise(device, "rsqrt(sqdist(x[i], x[j]) + 0.5)", DP_SUM_ALL, DP_ARGS({"x", x, 0}));
        dp_tensor *y = dp_map(device, "e * x * x + x", DP_ARGS({"e", energy, 0}, {"x", x, 0})),
                  *loss = total(device, y);
        assert_int_equal(dp_gradients(loss, NULL, &x, 1, 0, &found), DP_OK);
        assert_int_equal(dp_read(found, bits[run], sizeof bits[run]), DP_OK);
        dp_tensor *list[] = {x, energy, loss, found};
        for (size_t k = 0; k < sizeof list / sizeof *list; k++)
            dp_tensor_release(&list[k]);
    }
    assert_memory_equal(bits[0], bits[1], sizeof bits[0]);
}

/* Calls of which there is no gradient, or none of the second order, say so. */
static void unsupported(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(4, 2), -1, 1), *values, *index, *found = NULL;
    const dp_args args = DP_ARGS({"x", x, 0});
    assert_int_equal(dp_require_grad(x), DP_OK);
    assert_int_equal(dp_pairwise_smallest(device, "sqdist(x[i], x[j])", 2, DP_OVER_J, args, &values, &index),
                     DP_OK);
    assert_false(dp_requires_grad(index));
    dp_tensor *loss = dp_reduce(device, values, DP_SUM, DP_ALL_AXES);
    assert_int_equal(dp_backward(loss), DP_ERROR_UNSUPPORTED);
    suite_failed(device, DP_ERROR_UNSUPPORTED, "dp_pairwise_smallest");
    dp_tensor *winner = dp_pairwise(device, "sqdist(x[i], x[j])", DP_ARGMAX_J, args);
    assert_false(dp_requires_grad(winner));
    dp_tensor *far = dp_pairwise(device, "sqdist(x[i], x[j])", DP_MAX_J, args),
              *sum = dp_reduce(device, far, DP_SUM, DP_ALL_AXES);
    assert_int_equal(dp_gradients(sum, NULL, &x, 1, DP_GRADIENT_RECORD, &found), DP_OK);
    dp_tensor *again = dp_reduce(device, found, DP_SUM, DP_ALL_AXES);
    assert_int_equal(dp_backward(again), DP_ERROR_UNSUPPORTED);
    suite_failed(device, DP_ERROR_UNSUPPORTED, "first derivatives");
    const dp_pair_options two = {.problems = 2};
    dp_tensor *each_max = dp_pairwise_with(device, "dot(x[i], x[j])", DP_LOGSUMEXP_ALL, args, &two);
    dp_tensor *both = dp_reduce(device, each_max, DP_SUM, DP_ALL_AXES);
    assert_int_equal(dp_backward(both), DP_ERROR_UNSUPPORTED);
    suite_failed(device, DP_ERROR_UNSUPPORTED, "problems");
    dp_tensor *list[] = {x, values, index, loss, winner, far, sum, found, again, each_max, both};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
}

/* What is no function of its arguments that has a derivative worth the name is a constant, and may be used as
 * one. */
static void constants(dp_device *device)
{
    if (strcmp(dp_device_get_info(device).backend, "ref") != 0)
        return; /* bounds are the reference's alone */
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(40, 2), -1, 1),
              *image = dp_reshape(x, DP_SHAPE(1, 1, 8, 10));
    dp_tensor *index = dp_full(device, DP_I32, DP_SHAPE(40), 1), *values = NULL, *indices = NULL;
    assert_int_equal(dp_require_grad(x), DP_OK);
    assert_int_equal(dp_require_grad(image), DP_OK);
    const dp_args args = DP_ARGS({"x", x, 0});
    const dp_matmul_params product = {.transpose_b = true, .epilogue = "result + 1"};
    dp_pairwise_smallest_bound(device, "sqdist(x[i], x[j])", 2, DP_OVER_J, args, &values, &indices);
    dp_tensor *mask = dp_pair_mask_cutoff(device, x, x, 32, 0.5),
              *list[] = {
                  values,
                  indices,
                  mask,
                  dp_pairwise_bound(device, "sqdist(x[i], x[j])", DP_SUM_J, args),
                  dp_map_bound(device, "x * x", args, 0),
                  dp_reduce_bound(device, x, DP_SUM, DP_AXIS(0)),
                  dp_matmul_bound(device, x, x, &product),
                  dp_conv2d_bound(device, image, image, NULL),
                  dp_conv2d_gradient_input_bound(device, image, image, 15, 19, NULL),
                  dp_conv2d_gradient_weights_bound(device, image, image, 1, 1, NULL),
                  dp_conv2d_transposed_bound(device, image, image, NULL),
                  dp_scatter_add_rows_bound(device, x, index, 2),
                  dp_sort_spatial(device, x, 32, 0, NULL, NULL),
                  dp_reduce(device, x, DP_ARGMAX, DP_AXIS(0)),
              };
    suite_ok(device);
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        assert_non_null(list[k]);
        if (dp_requires_grad(list[k]))
            fail_msg("result %zu is recorded", k);
    }
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        dp_tensor_release(&list[k]);
    dp_tensor_release(&x);
    dp_tensor_release(&image);
    dp_tensor_release(&index);
}

/* A mask made of tracked points is a constant of the sum that it cuts. */
static void cut_off(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(40, 2), -1, 1);
    assert_int_equal(dp_require_grad(x), DP_OK);
    dp_tensor *mask = dp_pair_mask_cutoff(device, x, x, 32, 0.5);
    const dp_pair_options cut = {.mask = mask, .tile = 32};
    dp_tensor *sum =
        dp_pairwise_with(device, "rsqrt(sqdist(x[i], x[j]) + 0.5)", DP_MEAN_ALL, DP_ARGS({"x", x, 0}), &cut);
    assert_false(dp_requires_grad(mask));
    assert_int_equal(dp_backward(sum), DP_OK);
    assert_non_null(dp_grad(x));
    dp_tensor_release(&x);
    dp_tensor_release(&mask);
    dp_tensor_release(&sum);
}

static const suite_test tests[] = {
    {"a cut-off", cut_off},
    {"constants", constants},
    {"misuse", misuse},
    {"spent calls", spent},
    {"changes in place", changed},
    {"writes in place", written},
    {"pauses", paused},
    {"a device that closes", closed},
    {"a long chain", chain},
    {"pruning", pruned},
    {"repeats", repeated},
    {"what has no gradient", unsupported},
};

int main(void)
{
    return suite_run("grad_tape", tests, sizeof tests / sizeof *tests);
}
