/* SPDX-License-Identifier: Apache-2.0 */
/* Lesson 8: a network that learns to tell two moons apart. The network is a table of layers; a step of
 * training is recorded once as a program and run again, with a new batch made on the device each time. */
#include <dipole/dipole.h>

#include <stdio.h>

enum { BATCH = 64, STEPS = 400 };

static const dp_layer layers[] = {
    {.kind = DP_LAYER_LINEAR, .outputs = 32, .activation = DP_ACTIVATION_TANH},
    {.kind = DP_LAYER_LINEAR, .outputs = 32, .activation = DP_ACTIVATION_TANH},
    {.kind = DP_LAYER_LINEAR, .outputs = 2},
};

typedef struct training {
    dp_network *net;
    dp_optimizer *optimizer;
    dp_tensor *step; /* the number of the batch, which picks its random numbers */
    dp_tensor *loss; /* of the last step */
} training;

/* Points of two half circles, one above and one below, with noise: [BATCH, 2], and whose they are: i32
 * [BATCH]. */
static void batch_of(dp_device *dev, const dp_tensor *step, dp_tensor **points, dp_tensor **labels)
{
    static const float zero_one[] = {0, 1};
    dp_tensor *angle = dp_uniform_at(dev, 1, step, DP_SHAPE(BATCH, 1), 0, 3.14159265);
    dp_tensor *noise = dp_randn_at(dev, 2, step, DP_SHAPE(BATCH, 2));
    dp_tensor *pair =
        dp_from(dev, DP_F32, DP_SHAPE(1, 2), zero_one); /* 0 in the first column, 1 in the second */
    *labels = dp_randint_at(dev, 3, step, DP_SHAPE(BATCH), 2);
    dp_tensor *values = dp_reshape(pair, DP_SHAPE(2)), *which = dp_gather_rows(dev, values, *labels);
    dp_tensor *moon = which ? dp_reshape(which, DP_SHAPE(BATCH, 1)) : NULL;
    *points = dp_map(dev,
                     "x = select(moon, 1 - cos(a), cos(a)); y = select(moon, 0.5 - sin(a), sin(a));"
                     "select(column, y, x) + 0.1 * noise",
                     DP_ARGS({"moon", moon, 0}, {"a", angle, 0}, {"column", pair, 0}, {"noise", noise, 0}));
    dp_tensor_release(&angle);
    dp_tensor_release(&noise);
    dp_tensor_release(&pair);
    dp_tensor_release(&values);
    dp_tensor_release(&which);
    dp_tensor_release(&moon);
}

/* One step: forward, back, and the optimiser; all that changes lies in tensors, so it can be run again as it
 * was recorded. */
static dp_status train(dp_device *dev, void *context)
{
    training *t = context;
    dp_tensor *x = NULL, *labels = NULL;
    dp_map_into(dev, "n + 1", DP_ARGS({"n", t->step, 0}), &t->step, 1);
    batch_of(dev, t->step, &x, &labels);
    dp_tensor *y = dp_network_forward(t->net, x, true), *loss = dp_cross_entropy(dev, y, labels);
    dp_backward(loss);
    dp_optimizer_step(t->optimizer, NULL);
    dp_network_grad_clear(t->net);
    dp_map_into(dev, "x", DP_ARGS({"x", loss, 0}), &t->loss, 1);
    dp_tensor_release(&x);
    dp_tensor_release(&labels);
    dp_tensor_release(&y);
    dp_tensor_release(&loss);
    return dp_failed(dev);
}

/* The part of points that the network has never seen which it tells right. */
static double test(dp_device *dev, const training *t)
{
    dp_tensor *step = dp_full(dev, DP_F32, DP_SCALAR, STEPS + 1), *x = NULL, *labels = NULL;
    batch_of(dev, step, &x, &labels);
    dp_grad_pause(dev);
    dp_tensor *y = dp_network_forward(t->net, x, false), *right = dp_accuracy(dev, y, labels);
    dp_grad_resume(dev);
    const double part = dp_item(right);
    dp_tensor_release(&step);
    dp_tensor_release(&x);
    dp_tensor_release(&labels);
    dp_tensor_release(&y);
    dp_tensor_release(&right);
    return part;
}

int main(void)
{
    dp_device *dev = dp_device_open(NULL);
    training t = {.net = dp_network_create(dev, layers, 3, DP_SHAPE(2), 7, NULL)};
    t.optimizer = dp_optimizer_of(
        t.net,
        &(dp_optimizer_params){.kind = DP_ADAM, .rate = 1e-2, .schedule = "rate * 0.5^floor(t / 150)"});
    t.step = dp_full(dev, DP_F32, DP_SCALAR, 0);
    t.loss = dp_full(dev, DP_F32, DP_SCALAR, 0);
    printf("a network of %lld numbers, on %s\n", (long long)dp_network_parameter_elements(t.net),
           dp_device_get_info(dev).name);
    dp_program *program = dp_program_create(dev, train, &t);
    for (int step = 1; step <= STEPS && dp_program_run(program) == DP_OK; step++)
        if (step == 1 || step % 100 == 0)
            printf("step %3d: loss %.4f\n", step, dp_item(t.loss));
    const double part = test(dev, &t);
    printf("%.0f %% of new points are told right\n", 100 * part);
    if (dp_failed(dev))
        fprintf(stderr, "%s\n", dp_message(dev));
    const int status = dp_failed(dev) || !(part > 0.95);
    dp_program_destroy(&program);
    dp_optimizer_destroy(&t.optimizer);
    dp_network_destroy(&t.net);
    dp_device_close(&dev);
    return status;
}
