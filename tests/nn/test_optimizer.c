/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers on every device: several steps beside the published formulas in double, schedules, clipping,
 * state, a net that learns XOR. */
#include "suite/suite.h"

#include <math.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
enum { SIZE = 5, OTHER = 2, STEPS = 6 };

/* A parameter in double: the formulas of Kingma, Ba 2015, of Loshchilov, Hutter 2019, and of SGD as PyTorch
 * has it. */
typedef struct plain {
    double p[SIZE], m[SIZE], v[SIZE];
} plain;

static void plain_step(plain *x, const dp_optimizer_params *o, const double *gradient, int count, int t,
                       double rate)
{
    for (int k = 0; k < count; k++) {
        double g = gradient[k];
        if (o->kind == DP_ADAMW)
            x->p[k] -= rate * o->weight_decay * x->p[k];
        else
            g += o->weight_decay * x->p[k];
        if (o->kind == DP_SGD) {
            x->m[k] = o->momentum * x->m[k] + g;
            x->p[k] -= rate * (o->nesterov ? g + o->momentum * x->m[k] : x->m[k]);
            continue;
        }
        x->m[k] = o->beta1 * x->m[k] + (1 - o->beta1) * g;
        x->v[k] = o->beta2 * x->v[k] + (1 - o->beta2) * g * g;
        const double m = x->m[k] / (1 - pow(o->beta1, t)), v = x->v[k] / (1 - pow(o->beta2, t));
        x->p[k] -= rate * m / (sqrt(v) + o->epsilon);
    }
}

/* Gradients of 3 sizes, of both signs. */
static float gradient_at(int t, int k)
{
    static const float sizes[] = {1, 0.03125f, 20};
    return sizes[k % 3] * (float)((7 * t * t + 5 * t * k + 3 * k) % 11 - 5) / 8;
}

static double rate_at(const char *schedule, double rate, int t)
{
    return !schedule                                   ? rate
           : !strcmp(schedule, "min(t / 4, 1) * rate") ? fmin(t / 4.0, 1) * rate
                                                       : rate * pow(0.5, floor(t / 3));
}

/* Two parameters, the second of which has its gradients scaled by 1 / 2 and none in step 3. */
static void follow(dp_device *device, dp_optimizer_params o)
{
    plain a = {{1, -2, 0.5, 0, 3}, {0}, {0}}, b = {{-1, 1}, {0}, {0}};
    float values[SIZE], ga[SIZE], gb[OTHER];
    dp_tensor *p[] = {dp_from(device, DP_F32, DP_SHAPE(SIZE, 1), (float[]){1, -2, 0.5f, 0, 3}),
                      dp_from(device, DP_F32, DP_SHAPE(OTHER), (float[]){-1, 1})};
    dp_optimizer *optimizer = dp_optimizer_create(device, p, NULL, 2, &o);
    assert_non_null(optimizer);
    o.beta1 = o.beta1 == 0 ? 0.9 : o.beta1 == DP_ZERO ? 0 : o.beta1;
    o.beta2 = o.beta2 == 0 ? 0.999 : o.beta2;
    o.epsilon = o.epsilon == 0 ? 1e-8 : o.epsilon;
    for (int t = 1; t <= STEPS; t++) {
        double da[SIZE], db[OTHER], norm = 0;
        for (int k = 0; k < SIZE; k++)
            norm += pow(da[k] = (double)(ga[k] = gradient_at(t, k)), 2);
        for (int k = 0; k < OTHER; k++)
            norm += t == 3 ? 0 : pow(db[k] = (double)(gb[k] = gradient_at(t, k + 1) / 2), 2);
        const double clip = o.clip_norm > 0 ? fmin(o.clip_norm / (sqrt(norm) + 1e-6), 1) : 1;
        for (int k = 0; k < SIZE; k++)
            da[k] *= clip;
        for (int k = 0; k < OTHER && t != 3; k++)
            db[k] *= clip;
        const double rate = rate_at(o.schedule, o.rate, t);
        plain_step(&a, &o, da, SIZE, t, rate);
        if (t != 3)
            plain_step(&b, &o, db, OTHER, t, rate);
        dp_tensor *g[] = {dp_from(device, DP_F32, DP_SHAPE(SIZE, 1), ga),
                          t == 3 ? NULL : dp_from(device, DP_F32, DP_SHAPE(OTHER), gb)};
        assert_int_equal(dp_optimizer_step(optimizer, (const dp_tensor *const *)g), DP_OK);
        dp_tensor_release(&g[0]);
        dp_tensor_release(&g[1]);
        assert_true(fabs(dp_item(dp_optimizer_rate(optimizer)) - rate) <= 4 * 0x1p-24 * rate);
    }
    /* SGD: m is up to 20 / (1 - 0.75), and rounds some 8 times a step, of which a momentum of 0.75 keeps 4
     * steps' worth. Adam: a step is at most about 4 rates; betas are rounded to f32, which moves 1 - beta2 =
     * 0.001 by 1.3e-5 of it, and averages by less. p is below 4. */
    const double part = o.kind == DP_SGD ? 4 * 8 * 0x1p-24 * 80 * o.rate : 4 * o.rate * 3e-5;
    const double allowed = STEPS * (part + 4 * 0x1p-24 * 4);
    for (int k = 0; k < 2; k++) {
        const plain *x = k == 0 ? &a : &b;
        const int count = k == 0 ? SIZE : OTHER;
        assert_int_equal(dp_read(p[k], values, (size_t)count * sizeof *values), DP_OK);
        for (int e = 0; e < count; e++)
            if (!(fabs((double)values[e] - x->p[e]) <= allowed))
                fail_msg("%s: p[%d][%d] is %.9g, not %.9g", dp_optimizer_name(o.kind), k, e,
                         (double)values[e], x->p[e]);
        dp_tensor_release(&p[k]);
    }
    dp_optimizer_destroy(&optimizer);
}

static void steps(dp_device *device)
{
    follow(device, (dp_optimizer_params){.rate = 0.125});
    follow(device, (dp_optimizer_params){.rate = 0.125,
                                         .momentum = 0.75,
                                         .weight_decay = 0.125,
                                         .schedule = "rate * 0.5^floor(t / 3)"});
    follow(device, (dp_optimizer_params){.rate = 0.125, .momentum = 0.75, .nesterov = true, .clip_norm = 2});
    follow(device, (dp_optimizer_params){.kind = DP_ADAM, .rate = 0.01, .schedule = "min(t / 4, 1) * rate"});
    follow(device, (dp_optimizer_params){.kind = DP_ADAM,
                                         .rate = 0.01,
                                         .beta1 = DP_ZERO,
                                         .beta2 = 0.9,
                                         .weight_decay = 0.25,
                                         .clip_norm = 2});
    follow(device, (dp_optimizer_params){
                       .kind = DP_ADAMW, .rate = 0.01, .beta1 = 0.5, .weight_decay = 0.25, .epsilon = 1e-3});
}

static void states(dp_device *device)
{
    static const char *const adam[] = {"t", "s1", "s2", "m.w", "v.w"};
    dp_tensor *p = dp_full(device, DP_F32, DP_SHAPE(2, 2), 1),
              *g = dp_full(device, DP_F32, DP_SHAPE(2, 2), 0.5);
    dp_optimizer *a = dp_optimizer_create(device, &p, (const char *const[]){"w"}, 1,
                                          &(dp_optimizer_params){.kind = DP_ADAM});
    dp_optimizer *sgd = dp_optimizer_create(device, &p, NULL, 1, NULL);
    dp_optimizer *b = dp_optimizer_create(device, &p, NULL, 1, &(dp_optimizer_params){.kind = DP_ADAM});
    assert_int_equal(dp_optimizer_state_count(a), COUNT(adam));
    for (int k = 0; k < COUNT(adam); k++)
        assert_string_equal(dp_optimizer_state_name(a, k), adam[k]);
    assert_int_equal(dp_optimizer_state_count(sgd), 1);
    assert_string_equal(dp_optimizer_state_name(b, 3), "m.0");
    assert_null(dp_optimizer_state(a, 5));
    assert_null(dp_optimizer_state_name(a, -1));
    float first[4], again[4];
    assert_int_equal(dp_optimizer_step(a, (const dp_tensor *const[]){g}), DP_OK);
    dp_tensor *kept = dp_copy(device, p);
    for (int k = 0; k < COUNT(adam); k++) { /* what one has found the other goes on with */
        dp_tensor *to = dp_optimizer_state(b, k);
        assert_int_equal(dp_map_into(device, "x", DP_ARGS({"x", dp_optimizer_state(a, k), 0}), &to, 1),
                         DP_OK);
    }
    assert_int_equal(dp_optimizer_step(a, (const dp_tensor *const[]){g}), DP_OK);
    dp_read(p, first, sizeof first);
    assert_int_equal(dp_map_into(device, "x", DP_ARGS({"x", kept, 0}), &p, 1), DP_OK);
    assert_int_equal(dp_optimizer_step(b, (const dp_tensor *const[]){g}), DP_OK);
    dp_read(p, again, sizeof again);
    assert_memory_equal(first, again, sizeof first);
    assert_true(dp_item(dp_optimizer_state(b, 0)) == 2);
    dp_optimizer_destroy(&a);
    dp_optimizer_destroy(&b);
    dp_optimizer_destroy(&sgd);
    dp_tensor_release(&p);
    dp_tensor_release(&g);
    dp_tensor_release(&kept);
}

/* XOR, learned by a small net, step by step or as a program. */
static const dp_layer layers[] = {
    {.kind = DP_LAYER_LINEAR, .outputs = 8, .activation = DP_ACTIVATION_TANH},
    {.kind = DP_LAYER_BATCH_NORM},
    {.kind = DP_LAYER_LINEAR, .outputs = 2},
};

typedef struct training {
    dp_network *net;
    dp_optimizer *optimizer;
    dp_tensor *x, *labels, *loss; /* loss: handed out */
} training;

static dp_status train(dp_device *device, void *context)
{
    training *t = context;
    dp_tensor *y = dp_network_forward(t->net, t->x, true), *loss = dp_cross_entropy(device, y, t->labels);
    dp_status status = loss ? dp_backward(loss) : dp_failed(device);
    if (status == DP_OK)
        status = dp_optimizer_step(t->optimizer, NULL);
    if (status == DP_OK)
        status = dp_map_into(device, "x", DP_ARGS({"x", loss, 0}), &t->loss, 1);
    dp_network_grad_clear(t->net);
    dp_tensor_release(&y);
    dp_tensor_release(&loss);
    return status;
}

static training begin(dp_device *device)
{
    static const float x[] = {-1, -1, 1, 1, -1, 1, 1, -1, -0.5f, -1, 0.5f, 1, -0.5f, 1, 0.5f, -1};
    training t = {.net = dp_network_create(device, layers, COUNT(layers), DP_SHAPE(2), 3, NULL)};
    t.optimizer = dp_optimizer_of(
        t.net,
        &(dp_optimizer_params){.kind = DP_ADAM, .rate = 0.02, .schedule = "rate * 0.5^floor(t / 150)"});
    t.x = dp_from(device, DP_F32, DP_SHAPE(8, 2), x);
    t.labels = dp_from(device, DP_I32, DP_SHAPE(8), (int32_t[]){0, 0, 1, 1, 0, 0, 1, 1});
    t.loss = dp_full(device, DP_F32, DP_SCALAR, 0);
    assert_true(t.net && t.optimizer && t.x && t.labels && t.loss);
    return t;
}

static void end(training *t)
{
    dp_optimizer_destroy(&t->optimizer);
    dp_network_destroy(&t->net);
    dp_tensor_release(&t->x);
    dp_tensor_release(&t->labels);
    dp_tensor_release(&t->loss);
}

static void learning(dp_device *device)
{
    const dp_device_type type = dp_device_get_info(device).type;
    const int count = type == DP_DEVICE_SOFTWARE_GPU || suite_tiny() ? 12 : 200;
    float first[16], again[16];
    training by_step = begin(device), as_program = begin(device);
    dp_program *program = dp_program_create(device, train, &as_program);
    double before = 0;
    for (int t = 0; t < count; t++) {
        assert_int_equal(train(device, &by_step), DP_OK);
        assert_int_equal(dp_program_run(program), DP_OK);
        before = t == 0 ? dp_item(by_step.loss) : before;
    }
    for (int k = 0; k < dp_network_parameter_count(by_step.net); k++) { /* the same bits, both ways */
        const size_t bytes = (size_t)dp_tensor_size(dp_network_parameter(by_step.net, k)) * sizeof *first;
        dp_read(dp_network_parameter(by_step.net, k), first, bytes);
        dp_read(dp_network_parameter(as_program.net, k), again, bytes);
        assert_memory_equal(first, again, bytes);
    }
    const double after = dp_item(as_program.loss);
    assert_true(after < before && dp_item(by_step.loss) == after);
    dp_tensor *y = dp_network_forward(as_program.net, as_program.x, false),
              *right = dp_accuracy(device, y, as_program.labels);
    if (count == 200)
        assert_true(after < 0.05 && dp_item(right) == 1);
    dp_tensor_release(&y);
    dp_tensor_release(&right);
    dp_program_destroy(&program);
    end(&by_step);
    end(&as_program);
}

static void refused(dp_device *device, dp_tensor *p, dp_optimizer_params params, dp_status status,
                    const char *word)
{
    assert_null(dp_optimizer_create(device, &p, NULL, 1, &params));
    suite_failed(device, status, word);
}

static void wrong(dp_device *device)
{
    const dp_status argument = DP_ERROR_ARGUMENT;
    dp_tensor *p = dp_full(device, DP_F32, DP_SHAPE(3), 1), *ints = dp_full(device, DP_I32, DP_SHAPE(3), 1);
    dp_tensor *wide = dp_broadcast(p, DP_SHAPE(2, 3)), *other = dp_full(device, DP_F32, DP_SHAPE(4), 1);
    refused(device, p, (dp_optimizer_params){.kind = (dp_optimizer_kind)5}, argument, "kind 5");
    refused(device, p, (dp_optimizer_params){.rate = -2}, argument, "rate is -2");
    refused(device, p, (dp_optimizer_params){.rate = (double)NAN}, argument, "rate");
    refused(device, p, (dp_optimizer_params){.momentum = 1}, argument, "momentum is 1");
    refused(device, p, (dp_optimizer_params){.nesterov = true}, argument, "nesterov");
    refused(device, p, (dp_optimizer_params){.beta1 = 1}, argument, "beta1 is 1");
    refused(device, p, (dp_optimizer_params){.beta2 = 2}, argument, "beta2 is 2");
    refused(device, p, (dp_optimizer_params){.epsilon = -3}, argument, "epsilon is -3");
    refused(device, p, (dp_optimizer_params){.weight_decay = -1}, argument, "weight_decay is -1");
    refused(device, p, (dp_optimizer_params){.clip_norm = -1}, argument, "clip_norm is -1");
    refused(device, p, (dp_optimizer_params){.schedule = "2 * u"}, DP_ERROR_FORMULA, "'u'");
    refused(device, p, (dp_optimizer_params){.schedule = "t, t"}, argument, "outputs");
    refused(device, ints, (dp_optimizer_params){0}, argument, "parameters[0]");
    refused(device, wide, (dp_optimizer_params){0}, argument, "broadcast");
    refused(device, NULL, (dp_optimizer_params){0}, argument, "parameters[0]");
    assert_null(dp_optimizer_create(device, &p, NULL, 0, NULL));
    suite_failed(device, argument, "0 parameters");
    assert_null(dp_optimizer_create(device, NULL, NULL, 1, NULL));
    suite_failed(device, argument, "NULL");
    dp_optimizer *o = dp_optimizer_create(device, &p, NULL, 1, NULL);
    assert_int_equal(dp_optimizer_step(o, (const dp_tensor *const[]){other}), argument);
    suite_failed(device, argument, "gradients[0] has shape [4]");
    assert_int_equal(dp_optimizer_step(o, (const dp_tensor *const[]){ints}), argument);
    suite_failed(device, argument, "gradients[0]");
    assert_int_equal(dp_optimizer_step(NULL, NULL), argument);
    suite_values(p, (const double[]){1, 1, 1}, 3);
    assert_string_equal(dp_optimizer_name(DP_ADAMW), "adamw");
    assert_string_equal(dp_optimizer_name((dp_optimizer_kind)9), "unknown");
    dp_optimizer_destroy(&o);
    dp_optimizer_destroy(NULL);
    dp_tensor_release(&p);
    dp_tensor_release(&ints);
    dp_tensor_release(&wide);
    dp_tensor_release(&other);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {
        {"steps", steps}, {"states", states}, {"learning", learning}, {"wrong calls", wrong}};
    return suite_run("optimizer", tests, sizeof tests / sizeof *tests);
}
