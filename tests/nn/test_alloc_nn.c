/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of layers, networks and optimisers fails in turn, on the reference: a status, no crash, no
 * leak, and nothing half done that breaks the next call. Linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc and the static library. */
#include "suite/failing_alloc.h"
#include "suite/suite.h"

#include <stdlib.h>

typedef dp_status scenario(dp_device *device);

static void release(dp_tensor **list, size_t count)
{
    for (size_t k = 0; k < count; k++)
        dp_tensor_release(&list[k]);
}

static dp_status norms(dp_device *device)
{
    const dp_batch_norm_params on = {.training = true, .activation = DP_ACTIVATION_TANH};
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(2, 2, 1, 2), -1, 1),
              *s = dp_full(device, DP_F32, DP_SHAPE(2), 1);
    dp_tensor *m = dp_full(device, DP_F32, DP_SHAPE(2), 0),
              *c = dp_full(device, DP_F32, DP_SHAPE(2, 1, 1), 1);
    dp_tensor *v = dp_full(device, DP_F32, DP_SHAPE(2), 1), *gradients[2] = {NULL, NULL};
    if (x && s && c && dp_require_grad(x) == DP_OK && dp_require_grad(s) == DP_OK &&
        dp_require_grad(c) == DP_OK) {
        dp_tensor *y = dp_batch_norm(device, x, s, s, m, v, &on), *z = dp_layer_norm(device, x, 3, c, c, 0);
        for (unsigned flags = 0; y && flags <= DP_GRADIENT_RECORD; flags += DP_GRADIENT_RECORD) {
            dp_gradients(y, NULL, (dp_tensor *const[]){x, s}, 2, flags | DP_GRADIENT_KEEP, gradients);
            release(gradients, 2);
            if (z)
                dp_gradients(z, NULL, (dp_tensor *const[]){x, c}, 2, flags | DP_GRADIENT_KEEP, gradients);
            release(gradients, 2);
        }
        dp_tensor *infer = dp_batch_norm(device, x, s, s, m, v, NULL);
        release((dp_tensor *[]){y, z, infer}, 3);
    }
    release((dp_tensor *[]){x, s, m, c, v}, 5);
    return dp_failed(device);
}

static dp_status functions(dp_device *device)
{
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(2, 3), -1, 1),
              *w = dp_uniform(device, 2, DP_SHAPE(3, 3), -1, 1);
    dp_tensor *b = dp_full(device, DP_F32, DP_SHAPE(3), 1), *step = dp_full(device, DP_F32, DP_SCALAR, 1);
    dp_tensor *labels = dp_full(device, DP_I32, DP_SHAPE(2), 1), *turned = dp_transpose(w, 0, 1);
    dp_tensor *list[] = {
        dp_linear(device, turned, w, b),
        dp_activation(device, x, DP_ACTIVATION_SOFTMAX, 0),
        dp_dropout(device, x, 0.5, 1, step, true),
        dp_embedding(device, w, labels),
        dp_cross_entropy(device, x, labels),
        dp_binary_cross_entropy_with_logits(device, x, NULL, 1),
        dp_mse(device, x, b),
        dp_accuracy(device, x, labels),
        x,
        w,
        b,
        step,
        labels,
        turned,
    };
    release(list, sizeof list / sizeof *list);
    return dp_failed(device);
}

static const dp_layer body[] = {
    {.kind = DP_LAYER_CONV2D, .outputs = 2, .kernel = {1}, .activation = DP_ACTIVATION_TANH}};
static const dp_layer layers[] = {
    {.kind = DP_LAYER_CONV2D_TRANSPOSED, .outputs = 2, .kernel = {2}, .stride = {2}},
    {.kind = DP_LAYER_RESIDUAL, .body = body, .body_count = 1, .shortcut = body, .shortcut_count = 1},
    {.kind = DP_LAYER_BATCH_NORM, .activation = DP_ACTIVATION_RELU},
    {.kind = DP_LAYER_LAYER_NORM},
    {.kind = DP_LAYER_DROPOUT, .rate = 0.5},
    {.kind = DP_LAYER_FLATTEN},
    {.kind = DP_LAYER_LINEAR, .outputs = 2, .activation = DP_ACTIVATION_SOFTMAX},
};

static dp_status networks(dp_device *device)
{
    const dp_network_init normal = {.scheme = DP_INIT_NORMAL};
    dp_network *net =
        dp_network_create(device, layers, sizeof layers / sizeof *layers, DP_SHAPE(1, 1, 1), 1, &normal);
    dp_network *other =
        net ? dp_network_create(device, layers, sizeof layers / sizeof *layers, DP_SHAPE(1, 1, 1), 2, NULL)
            : NULL;
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(2, 1, 1, 1), -1, 1), *y = NULL;
    if (other) {
        y = dp_network_forward(net, x, true);
        dp_network_copy(other, net);
        dp_network_average(other, net, 0.5);
    }
    release((dp_tensor *[]){x, y}, 2);
    dp_network_destroy(&net);
    dp_network_destroy(&other);
    return dp_failed(device);
}

static dp_status optimizers(dp_device *device)
{
    const dp_optimizer_params params = {.kind = DP_ADAM, .clip_norm = 1, .schedule = "rate / t"};
    dp_network *net = dp_network_create(device, layers + 6, 1, DP_SHAPE(2), 1, NULL);
    dp_optimizer *o = net ? dp_optimizer_of(net, &params) : NULL;
    dp_tensor *x = dp_uniform(device, 1, DP_SHAPE(1, 2), -1, 1),
              *y = o ? dp_network_forward(net, x, true) : NULL;
    dp_tensor *loss = y ? dp_reduce(device, y, DP_SUM, DP_ALL_AXES) : NULL;
    if (loss && dp_backward(loss) == DP_OK)
        dp_optimizer_step(o, NULL);
    release((dp_tensor *[]){x, y, loss}, 3);
    dp_optimizer_destroy(&o);
    dp_network_destroy(&net);
    return dp_failed(device);
}

static void fail_each(scenario *run)
{
    for (long k = 1;; k++) {
        assert_true(k < 100000);
        dp_device *device = dp_device_open("ref");
        failed = false;
        countdown = k;
        const dp_status status = run(device);
        countdown = 0;
        if (failed && status != DP_OK && status != DP_ERROR_MEMORY)
            fail_msg("allocation %ld: %s: %s", k, dp_status_name(status), dp_message(device));
        dp_clear(device);
        suite_works(device);
        dp_device_close(&device);
        if (!failed) {
            assert_int_equal(status, DP_OK);
            return;
        }
    }
}

static void test_norms(void **state)
{
    (void)state;
    fail_each(norms);
}

static void test_functions(void **state)
{
    (void)state;
    fail_each(functions);
}

static void test_networks(void **state)
{
    (void)state;
    fail_each(networks);
}

static void test_optimizers(void **state)
{
    (void)state;
    fail_each(optimizers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_norms), cmocka_unit_test(test_functions),
                                       cmocka_unit_test(test_networks), cmocka_unit_test(test_optimizers)};
    return cmocka_run_group_tests_name("alloc_nn", tests, NULL, NULL);
}
