/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of normalisation (Ioffe, Szegedy 2015, section 3). With h = (x - mean) * i, z = h s + b, y = f(z), G
 * the cotangent, and p = G f'(z) s the gradient to h, means over the normalised axes:
 *
 *     to x    i (p - mean(p) - h mean(p h))
 *     to s    the sum of G f'(z) h
 *     to b    the sum of G f'(z)
 *
 * Where s is one number for each mean it comes out of them, so that two sums serve all three. What is recorded
 * computes mean and i anew, so that their derivatives are seen. */
#include "grad/tape.h"
#include <math.h>
#include <stdio.h>

typedef struct rule {
    dp_device *device;
    const dp__normalize_params *params;
    dp_tensor *x, *scale, *shift, *mean, *inverse, *cotangent;
    bool recorded;
    double count; /* elements of a mean */
} rule;

/* A map of x, m, i, s, b and up to three more: the formula may use h, and z where there is an f. */
static dp_status map(const rule *r, const char *formula, const dp_arg *more, int more_count,
                     dp_tensor **results, int count)
{
    char text[512];
    dp_arg arg[12] = {{"x", r->x, 0},
                      {"m", r->mean, 0},
                      {"i", r->inverse, 0},
                      {"slope", NULL, r->params->slope},
                      {"n", NULL, r->count}};
    int args = 5;
    if (r->scale)
        arg[args++] = (dp_arg){"s", r->scale, 0};
    if (r->shift)
        arg[args++] = (dp_arg){"b", r->shift, 0};
    for (int k = 0; k < more_count; k++)
        arg[args++] = more[k];
    snprintf(text, sizeof text, "h = (x - m) * i; z = h%s%s; %s", r->scale ? " * s" : "",
             r->shift ? " + b" : "", formula);
    if (count == 1) {
        results[0] = dp_map(r->device, text, (dp_args){arg, args});
        return results[0] ? DP_OK : dp_failed(r->device);
    }
    for (int k = 0; k < count; k++)
        if (!(results[k] = dp_empty(r->device, DP_F32, r->x->shape)))
            return dp_failed(r->device);
    return dp_map_into(r->device, text, (dp_args){arg, args}, results, count);
}

static dp_tensor *reduce(const rule *r, const dp_tensor *x, dp_reduction reduction)
{
    return dp_reduce(r->device, x, reduction, r->params->axes | DP_KEEP_AXES);
}

/* mean and i of x, as recorded calls. */
static dp_status statistics(rule *r)
{
    r->mean = reduce(r, r->x, DP_MEAN);
    dp_tensor *squares = dp_map(r->device, "d = x - m; d * d", DP_ARGS({"x", r->x, 0}, {"m", r->mean, 0}));
    dp_tensor *variance = reduce(r, squares, DP_MEAN);
    r->inverse = dp_map(r->device, "rsqrt(v + eps)",
                        DP_ARGS({"v", variance, 0}, {.name = "eps", .scalar = r->params->epsilon}));
    dp_tensor_release(&squares);
    dp_tensor_release(&variance);
    return r->inverse ? DP_OK : dp_failed(r->device);
}

/* The gradient to z, p with `weight`: " * s" or "", and p h. */
static dp_status products(const rule *r, const char *weight, dp_tensor **p, dp_tensor **ph)
{
    char both[256], first[160], second[160];
    const char *f = r->params->derivative;
    const dp_arg g = {"g", r->cotangent, 0};
    if (!f && !*weight) { /* p is G itself */
        *p = dp_tensor_retain(r->cotangent);
        return map(r, "g * h", &g, 1, ph, 1);
    }
    char steps[96] = "g";
    const char *result = steps; /* the formula is definitions, and an expression behind them */
    const char *last = f;
    for (const char *at = f; at && *at; at++)
        last = *at == ';' ? at + 1 : last;
    const int head = f ? (int)(last - f) : 0;
    snprintf(steps, sizeof steps, "(%s)%s", f ? last : "g", weight);
    snprintf(first, sizeof first, "%.*s%s", head, f ? f : "", result);
    snprintf(second, sizeof second, "%.*s(%s) * h", head, f ? f : "", result);
    if (r->recorded) { /* calls of one output */
        DP_CHECK(map(r, first, &g, 1, p, 1));
        return map(r, second, &g, 1, ph, 1);
    }
    dp_tensor *results[2] = {NULL, NULL};
    snprintf(both, sizeof both, "%.*sp = %s; p, p * h", head, f ? f : "", result);
    const dp_status status = map(r, both, &g, 1, results, 2);
    *p = results[0];
    *ph = results[1];
    return status;
}

/* To x, from p and the sums of p and p h. */
static dp_status to_x(const rule *r, const dp_tensor *p, const dp_tensor *sum, const dp_tensor *sum_h,
                      bool scaled, dp_tensor **gradient)
{
    const dp_arg more[] = {{"p", p, 0}, {"a", sum, 0}, {"c", sum_h, 0}};
    return map(r, scaled ? "s * i * (p - a / n - h * (c / n))" : "i * (p - a / n - h * (c / n))", more, 3,
               gradient, 1);
}

/* Sums in the shapes of scale and shift, which differ along the axes: each its own way from the elements. */
static dp_status inner_affine(const rule *r, const bool *needs, dp_tensor **gradients)
{
    const dp_arg g = {"g", r->cotangent, 0};
    if (needs[1]) {
        dp_tensor *product = NULL;
        DP_CHECK(map(r, "g * h", &g, 1, &product, 1));
        DP_CHECK(dp__rule_given(r->device, dp__rule_unbroadcast(r->device, product, r->scale->shape),
                                &gradients[1]));
    }
    if (needs[2])
        return dp__rule_given(
            r->device, dp__rule_unbroadcast(r->device, dp_tensor_retain(r->cotangent), r->shift->shape),
            &gradients[2]);
    return DP_OK;
}

static dp_status go(const rule *r, const bool *needs, dp_tensor **part, dp_tensor **gradients)
{
    const bool inner = r->params->inner && r->scale;
    if (r->params->inner)
        DP_CHECK(inner_affine(r, needs, gradients));
    if (r->params->inner && !needs[0])
        return DP_OK;
    DP_CHECK(products(r, inner ? " * s" : "", &part[0], &part[1]));
    for (int k = 0; k < 2; k++)
        if (!(part[2 + k] = reduce(r, part[k], DP_SUM)))
            return dp_failed(r->device);
    if (needs[0])
        DP_CHECK(to_x(r, part[0], part[2], part[3], r->scale && !inner, &gradients[0]));
    if (!r->params->inner && needs[1])
        DP_CHECK(
            dp__rule_given(r->device, dp__rule_reshape(r->device, part[3], r->scale->shape), &gradients[1]));
    if (!r->params->inner && needs[2])
        DP_CHECK(
            dp__rule_given(r->device, dp__rule_reshape(r->device, part[2], r->shift->shape), &gradients[2]));
    return DP_OK;
}

dp_status dp__grad_normalize(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                             dp_tensor **gradients)
{
    rule r = {.device = device,
              .params = call->params,
              .x = call->input[0],
              .scale = call->input[1],
              .shift = call->input[2],
              .cotangent = cotangent};
    r.recorded = dp__recording(device, (const dp_tensor *const *)call->input, 3) ||
                 dp__recording(device, (const dp_tensor *const *)&cotangent, 1);
    dp_status status = DP_OK;
    if (r.recorded) {
        status = statistics(&r);
    } else {
        r.mean = dp_tensor_retain(call->input[3]);
        r.inverse = dp_tensor_retain(call->input[4]);
    }
    r.count = (double)dp_tensor_size(r.x) / fmax((double)dp_tensor_size(call->input[3]), 1);
    dp_tensor *part[4] = {NULL, NULL, NULL, NULL}; /* p, p h, their sums */
    if (status == DP_OK)
        status = go(&r, call->needs, part, gradients);
    for (int k = 0; k < 4; k++)
        dp_tensor_release(&part[k]);
    dp_tensor_release(&r.mean);
    dp_tensor_release(&r.inverse);
    return status;
}
