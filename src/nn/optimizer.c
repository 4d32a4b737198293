/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers. What one step needs of the past are averages with weights that sum to less than 1 at first.
 * Each Adam average is divided by the same average of ones, which is 1 - beta^t without its rounding; it and
 * the step's number are counted on in one small launch. */
#include "core/core.h"
#include <dipole/grad.h>
#include <dipole/network.h>
#include <dipole/ops.h>
#include <dipole/optimizer.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct slot {
    dp_tensor *parameter; /* retained */
    dp_tensor *m, *v;     /* NULL where the kind has none */
    dp_tensor *squares;   /* of its gradient, a view; where norms are clipped */
} slot;

struct dp_optimizer {
    dp_device *device;
    dp_optimizer_params params;
    char *schedule;
    slot *slots;
    int count;
    dp_tensor *t, *s1, *s2, *rate, *clip; /* scalars; s1 and s2 of Adam, clip where norms are clipped */
    dp_tensor *squares;                   /* of all gradients */
    struct {
        char *name;
        dp_tensor *tensor; /* not retained */
    } * state;
    int state_count;
};

static const char *const names[DP_OPTIMIZER_COUNT] = {
    [DP_SGD] = "sgd", [DP_ADAM] = "adam", [DP_ADAMW] = "adamw"};

const char *dp_optimizer_name(dp_optimizer_kind kind)
{
    return (unsigned)kind < DP_OPTIMIZER_COUNT ? names[kind] : "unknown";
}

static bool is_adam(const dp_optimizer *o)
{
    return o->params.kind != DP_SGD;
}

/* Parameters of the call. */

static dp_status check_number(dp_device *device, const char *name, double value, double low, double high,
                              bool below)
{
    if (value >= low && (below ? value < high : value <= high))
        return DP_OK;
    return dp__fail(device, DP_ERROR_ARGUMENT, "optimizer: %s is %g: %g to %s%g is allowed", name, value, low,
                    below ? "below " : "", high);
}

static double or_default(double value, double standard)
{
    return value == 0 ? standard : value == DP_ZERO ? 0 : value;
}

static dp_status fill_params(dp_device *device, const dp_optimizer_params *given, dp_optimizer_params *p)
{
    *p = given ? *given : (dp_optimizer_params){0};
    if ((unsigned)p->kind >= DP_OPTIMIZER_COUNT)
        return dp__fail(device, DP_ERROR_ARGUMENT, "optimizer: kind %d is not in dp_optimizer_kind",
                        (int)p->kind);
    p->rate = or_default(p->rate, p->kind == DP_SGD ? 1e-2 : 1e-3);
    p->beta1 = or_default(p->beta1, 0.9);
    p->beta2 = or_default(p->beta2, 0.999);
    p->epsilon = or_default(p->epsilon, 1e-8);
    DP_CHECK(check_number(device, "rate", p->rate, 0, 1e30, false));
    DP_CHECK(check_number(device, "momentum", p->momentum, 0, 1, true));
    DP_CHECK(
        check_number(device, "beta1", p->beta1, 0, 0.9999999, false)); /* 1 - beta must not be 0 in f32 */
    DP_CHECK(check_number(device, "beta2", p->beta2, 0, 0.9999999, false));
    DP_CHECK(check_number(device, "epsilon", p->epsilon, 0, 1e30, false));
    DP_CHECK(check_number(device, "weight_decay", p->weight_decay, 0, 1e30, false));
    DP_CHECK(check_number(device, "clip_norm", p->clip_norm, 0, 1e30, false));
    if (p->nesterov && p->momentum == 0)
        return dp__fail(device, DP_ERROR_ARGUMENT, "optimizer: nesterov needs a momentum above 0");
    return DP_OK;
}

static dp_status check_parameters(dp_device *device, dp_tensor *const *parameters, int count)
{
    if (count < 1 || !parameters)
        return dp__fail(device, DP_ERROR_ARGUMENT, "optimizer: %d parameters%s: 1 or more are needed", count,
                        parameters ? "" : " at NULL");
    for (int k = 0; k < count; k++) {
        char name[32];
        snprintf(name, sizeof name, "parameters[%d]", k);
        DP_CHECK(dp__check_dtype(device, parameters[k], name, DP_F32));
        if (dp__tensor_overlaps_itself(parameters[k]))
            return dp__fail(device, DP_ERROR_ARGUMENT,
                            "optimizer: %s cannot be written: it is a broadcast view", name);
    }
    return DP_OK;
}

/* Making. */

static dp_status keep(dp_optimizer *o, const char *prefix, const char *name, int number, dp_tensor *tensor)
{
    dp__text text = {0};
    if (!tensor)
        return dp_failed(o->device);
    if (name)
        dp__text_add(&text, "%s%s", prefix, name);
    else
        dp__text_add(&text, "%s%d", prefix, number);
    if (text.failed) {
        dp__text_free(&text);
        return dp__fail(o->device, DP_ERROR_MEMORY, "no memory for the optimizer's names");
    }
    o->state[o->state_count].name = text.data;
    o->state[o->state_count++].tensor = tensor;
    return DP_OK;
}

static dp_tensor *zeros(dp_device *device, dp_shape shape)
{
    return dp_full(device, DP_F32, shape, 0);
}

static dp_status make_squares(dp_optimizer *o)
{
    int64_t elements = 0, at = 0;
    for (int k = 0; k < o->count; k++)
        elements += dp_tensor_size(o->slots[k].parameter);
    if (elements > INT32_MAX)
        return dp__fail(o->device, DP_ERROR_ARGUMENT,
                        "optimizer: clip_norm of %lld elements: 2^31 - 1 are allowed", (long long)elements);
    o->squares = zeros(o->device, (dp_shape){1, {elements}});
    o->clip = dp_full(o->device, DP_F32, DP_SCALAR, 1);
    for (int k = 0; k < o->count && o->squares; k++) {
        const int64_t size = dp_tensor_size(o->slots[k].parameter);
        dp_tensor *part = dp_slice(o->squares, 0, at, at + size, 1);
        o->slots[k].squares = part ? dp_reshape(part, o->slots[k].parameter->shape) : NULL;
        dp_tensor_release(&part);
        if (!o->slots[k].squares)
            return dp_failed(o->device);
        at += size;
    }
    return o->squares && o->clip ? DP_OK : dp_failed(o->device);
}

static dp_status make_state(dp_optimizer *o, const char *const *given)
{
    o->rate = dp_full(o->device, DP_F32, DP_SCALAR, 0);
    if (!o->rate)
        return dp_failed(o->device);
    DP_CHECK(keep(o, "t", "", 0, o->t = zeros(o->device, DP_SCALAR)));
    if (is_adam(o)) {
        DP_CHECK(keep(o, "s1", "", 0, o->s1 = zeros(o->device, DP_SCALAR)));
        DP_CHECK(keep(o, "s2", "", 0, o->s2 = zeros(o->device, DP_SCALAR)));
    }
    for (int k = 0; k < o->count; k++) {
        slot *s = &o->slots[k];
        const char *name = given ? given[k] : NULL;
        if (is_adam(o) || o->params.momentum > 0)
            DP_CHECK(keep(o, "m.", name, k, s->m = zeros(o->device, s->parameter->shape)));
        if (is_adam(o))
            DP_CHECK(keep(o, "v.", name, k, s->v = zeros(o->device, s->parameter->shape)));
    }
    return o->params.clip_norm > 0 ? make_squares(o) : DP_OK;
}

static dp_args schedule_args(const dp_optimizer *o, dp_arg arg[2])
{
    arg[0] = (dp_arg){"t", o->t, 0};
    arg[1] = (dp_arg){"rate", NULL, o->params.rate};
    return (dp_args){arg, 2};
}

/* Tried once, so that what is wrong with it shows here. */
static dp_status make_schedule(dp_optimizer *o)
{
    dp_arg arg[2];
    const char *text = o->params.schedule;
    if (!text)
        return dp_fill(o->rate, o->params.rate);
    o->schedule = dp__alloc(strlen(text) + 1, 1);
    if (!o->schedule)
        return dp__fail(o->device, DP_ERROR_MEMORY, "no memory for the schedule");
    strcpy(o->schedule, text);
    o->params.schedule = o->schedule;
    DP_CHECK(dp_map_into(o->device, o->schedule, schedule_args(o, arg), &o->rate, 1));
    return dp_fill(o->rate, 0);
}

static dp_status create(dp_optimizer *o, dp_tensor *const *parameters, const char *const *given)
{
    o->slots = dp__alloc((size_t)o->count, sizeof *o->slots);
    o->state = dp__alloc(2 * (size_t)o->count + 3, sizeof *o->state);
    if (!o->slots || !o->state)
        return dp__fail(o->device, DP_ERROR_MEMORY, "no memory for an optimizer of %d parameters", o->count);
    for (int k = 0; k < o->count; k++)
        o->slots[k].parameter = dp_tensor_retain(parameters[k]);
    DP_CHECK(make_state(o, given));
    return make_schedule(o);
}

dp_optimizer *dp_optimizer_create(dp_device *device, dp_tensor *const *parameters, const char *const *given,
                                  int count, const dp_optimizer_params *params)
{
    dp_optimizer_params filled;
    if (dp__check_device(device) != DP_OK || fill_params(device, params, &filled) != DP_OK ||
        check_parameters(device, parameters, count) != DP_OK)
        return NULL;
    dp_optimizer *o = dp__alloc(1, sizeof *o);
    if (!o) {
        dp__fail(device, DP_ERROR_MEMORY, "no memory for an optimizer");
        return NULL;
    }
    *o = (dp_optimizer){.device = device, .params = filled, .count = count};
    if (create(o, parameters, given) != DP_OK)
        dp_optimizer_destroy(&o);
    return o;
}

dp_optimizer *dp_optimizer_of(const dp_network *network, const dp_optimizer_params *params)
{
    const int count = dp_network_parameter_count(network);
    dp_device *device = dp_network_device(network);
    if (dp__check_device(device) != DP_OK)
        return NULL;
    dp_tensor **parameters = dp__alloc((size_t)DP_MAX2(count, 1), sizeof *parameters);
    const char **given = dp__alloc((size_t)DP_MAX2(count, 1), sizeof *given);
    dp_optimizer *o = NULL;
    for (int k = 0; k < count && parameters && given; k++) {
        parameters[k] = dp_network_parameter(network, k);
        given[k] = dp_network_parameter_name(network, k);
    }
    if (parameters && given)
        o = dp_optimizer_create(device, parameters, given, count, params);
    else
        dp__fail(device, DP_ERROR_MEMORY, "no memory for an optimizer of %d parameters", count);
    dp__free(parameters);
    dp__free(given);
    return o;
}

void dp_optimizer_destroy(dp_optimizer **optimizer)
{
    if (!optimizer || !*optimizer)
        return;
    dp_optimizer *o = *optimizer;
    for (int k = 0; k < o->count && o->slots; k++) {
        dp_tensor_release(&o->slots[k].parameter);
        dp_tensor_release(&o->slots[k].m);
        dp_tensor_release(&o->slots[k].v);
        dp_tensor_release(&o->slots[k].squares);
    }
    for (int k = 0; k < o->state_count; k++)
        dp__free(o->state[k].name);
    dp_tensor **const scalars[] = {&o->t, &o->s1, &o->s2, &o->rate, &o->clip, &o->squares};
    for (size_t k = 0; k < DP_COUNT(scalars); k++)
        dp_tensor_release(scalars[k]);
    dp__free(o->slots);
    dp__free(o->state);
    dp__free(o->schedule);
    dp__free(o);
    *optimizer = NULL;
}

/* Steps. */

static const dp_tensor *gradient_of(const dp_optimizer *o, const dp_tensor *const *gradients, int k)
{
    return gradients ? gradients[k] : dp_grad(o->slots[k].parameter);
}

static dp_status check_gradients(const dp_optimizer *o, const dp_tensor *const *gradients)
{
    char name[32], tg[DP_SHAPE_TEXT], tp[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_device(o->device));
    for (int k = 0; k < o->count; k++) {
        const dp_tensor *g = gradient_of(o, gradients, k);
        if (!g)
            continue;
        snprintf(name, sizeof name, "gradients[%d]", k);
        DP_CHECK(dp__check_dtype(o->device, g, name, DP_F32));
        if (!dp__shape_equal(&g->shape, &o->slots[k].parameter->shape))
            return dp__fail(o->device, DP_ERROR_ARGUMENT, "optimizer: %s has shape %s, its parameter %s",
                            name, dp__shape_text(&g->shape, tg),
                            dp__shape_text(&o->slots[k].parameter->shape, tp));
    }
    return DP_OK;
}

/* The step's number, the averages of ones, and the rate. */
static dp_status count_on(dp_optimizer *o)
{
    dp_arg arg[2];
    if (is_adam(o))
        DP_CHECK(dp_map_into(o->device, "t + 1, a + (1 - b1) * (1 - a), c + (1 - b2) * (1 - c)",
                             DP_ARGS({"t", o->t, 0}, {"a", o->s1, 0}, {"c", o->s2, 0},
                                     {.name = "b1", .scalar = o->params.beta1},
                                     {.name = "b2", .scalar = o->params.beta2}),
                             (dp_tensor *const[]){o->t, o->s1, o->s2}, 3));
    else
        DP_CHECK(dp_map_into(o->device, "t + 1", DP_ARGS({"t", o->t, 0}), &o->t, 1));
    return o->schedule ? dp_map_into(o->device, o->schedule, schedule_args(o, arg), &o->rate, 1) : DP_OK;
}

/* The factor that brings the norm of all gradients down to the largest that is allowed. */
static dp_status find_clip(dp_optimizer *o, const dp_tensor *const *gradients)
{
    for (int k = 0; k < o->count; k++) {
        const dp_tensor *g = gradient_of(o, gradients, k);
        if (g)
            DP_CHECK(dp_map_into(o->device, "g * g", DP_ARGS({"g", g, 0}), &o->slots[k].squares, 1));
        else
            DP_CHECK(dp_fill(o->slots[k].squares, 0));
    }
    dp_tensor *sum = dp_reduce(o->device, o->squares, DP_SUM, DP_ALL_AXES);
    const dp_status status =
        sum ? dp_map_into(o->device, "min(most / (sqrt(s) + 1e-6), 1)", /* as PyTorch's clip_grad_norm_ */
                          DP_ARGS({"s", sum, 0}, {.name = "most", .scalar = o->params.clip_norm}), &o->clip,
                          1)
            : dp_failed(o->device);
    dp_tensor_release(&sum);
    return status;
}

/* The pass over a parameter: its formula is put together of what the parameters ask for. */
static dp_status update(dp_optimizer *o, const slot *s, const dp_tensor *gradient)
{
    const dp_optimizer_params *p = &o->params;
    char text[512];
    dp_arg arg[DP_MAX_ARGS] = {{"p", s->parameter, 0}, {"g0", gradient, 0}, {"rate", o->rate, 0}};
    int count = 3, outputs = 1;
    dp_tensor *out[3] = {s->parameter, s->m, s->v};
    const char *const clipped = p->clip_norm > 0 ? " * clip" : "";
    const char *const decay = p->weight_decay == 0 ? "" : p->kind == DP_ADAMW ? "" : " + decay * p";
    const char *const shrunk = p->weight_decay > 0 && p->kind == DP_ADAMW ? "p - rate * decay * p" : "p";
    if (p->clip_norm > 0)
        arg[count++] = (dp_arg){"clip", o->clip, 0};
    if (p->weight_decay > 0)
        arg[count++] = (dp_arg){"decay", NULL, p->weight_decay};
    if (s->m)
        arg[count++] = (dp_arg){"m0", s->m, 0};
    if (is_adam(o)) {
        const dp_arg more[] = {{"v0", s->v, 0},        {"s1", o->s1, 0},       {"s2", o->s2, 0},
                               {"b1", NULL, p->beta1}, {"b2", NULL, p->beta2}, {"eps", NULL, p->epsilon}};
        memcpy(arg + count, more, sizeof more);
        count += (int)DP_COUNT(more);
        outputs = 3;
        snprintf(text, sizeof text,
                 "g = g0%s%s; m = m0 + (1 - b1) * (g - m0); v = b2 * v0 + (1 - b2) * g * g; "
                 "%s - rate * (m / s1) / (sqrt(v / s2) + eps), m, v",
                 clipped, decay, shrunk);
    } else if (s->m) {
        arg[count++] = (dp_arg){"k", NULL, p->momentum};
        outputs = 2;
        snprintf(text, sizeof text, "g = g0%s%s; m = k * m0 + g; p - rate * %s, m", clipped, decay,
                 p->nesterov ? "(g + k * m)" : "m");
    } else {
        snprintf(text, sizeof text, "g = g0%s%s; p - rate * g", clipped, decay);
    }
    dp_grad_pause(o->device); /* the slots are no functions of the parameters */
    const dp_status status = dp_map_into(o->device, text, (dp_args){arg, count}, out, outputs);
    dp_grad_resume(o->device);
    return status;
}

dp_status dp_optimizer_step(dp_optimizer *o, const dp_tensor *const *gradients)
{
    if (!o)
        return DP_ERROR_ARGUMENT;
    DP_CHECK(check_gradients(o, gradients));
    DP_CHECK(count_on(o));
    if (o->params.clip_norm > 0)
        DP_CHECK(find_clip(o, gradients));
    for (int k = 0; k < o->count; k++) {
        const dp_tensor *g = gradient_of(o, gradients, k);
        if (g)
            DP_CHECK(update(o, &o->slots[k], g));
    }
    return DP_OK;
}

int dp_optimizer_state_count(const dp_optimizer *o)
{
    return o ? o->state_count : 0;
}

dp_tensor *dp_optimizer_state(const dp_optimizer *o, int index)
{
    return o && index >= 0 && index < o->state_count ? o->state[index].tensor : NULL;
}

const char *dp_optimizer_state_name(const dp_optimizer *o, int index)
{
    return o && index >= 0 && index < o->state_count ? o->state[index].name : NULL;
}

dp_tensor *dp_optimizer_rate(const dp_optimizer *o)
{
    return o ? o->rate : NULL;
}
