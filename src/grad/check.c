/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients beside central differences of the reference. Differences of steps h, h / 2 and h / 4 are
 * extrapolated twice (Richardson); how much the two first extrapolations disagree, and what f32 rounding
 * shows in second differences of a tiny step, is allowed. */
#include "grad/tape.h"
#include <dipole/grad.h>
#include <math.h>
#include <string.h>

#define MAX_TENSORS  16
#define NOISE_PROBES 8
#define EPSILON      5.96e-8 /* 2^-24 */

typedef struct check {
    dp_device *device, *reference;
    dp_grad_function f;
    void *context;
    dp_tensor *const *x;
    int count, order;
    float *value[MAX_TENSORS], *gradient[MAX_TENSORS];
    int64_t size[MAX_TENSORS];
} check;

/* The sum over all tensors of direction * gradient, recorded: a scalar whose gradient is a product with the
 * Hessian. */
static dp_tensor *linear_form(dp_device *device, dp_tensor *const *gradients, int count)
{
    dp_tensor *sum = NULL;
    for (int k = 0; k < count; k++) {
        dp_tensor *direction = dp_uniform(device, 1000 + (uint64_t)k, gradients[k]->shape, -1, 1);
        dp_tensor *product = dp_map(device, "r * g", DP_ARGS({"r", direction}, {"g", gradients[k]}));
        sum = dp__rule_add(device, sum, dp_reduce(device, product, DP_SUM, DP_ALL_AXES));
        dp_tensor_release(&direction);
        dp_tensor_release(&product);
    }
    return sum;
}

/* The function that is looked at: f, or the linear form of its gradient. */
static dp_tensor *evaluate(const check *c, dp_device *device, dp_tensor *const *x)
{
    dp_tensor *result = c->f(device, x, c->count, c->context), *gradients[MAX_TENSORS] = {NULL};
    if (result && dp_tensor_size(result) != 1) {
        dp__fail(device, DP_ERROR_ARGUMENT, "grad_check: f gives %lld elements: it must be one",
                 (long long)dp_tensor_size(result));
        dp_tensor_release(&result);
    }
    if (!result || c->order == 1)
        return result;
    dp_tensor *form = NULL;
    if (dp_gradients(result, NULL, x, c->count, DP_GRADIENT_RECORD, gradients) == DP_OK)
        form = linear_form(device, gradients, c->count);
    for (int k = 0; k < c->count; k++)
        dp_tensor_release(&gradients[k]);
    dp_tensor_release(&result);
    return form;
}

/* f on the reference, of the values as they are now. */
static double at_values(const check *c)
{
    dp_tensor *x[MAX_TENSORS] = {NULL}, *result = NULL;
    bool whole = true;
    for (int k = 0; k < c->count; k++) {
        x[k] = dp_from(c->reference, DP_F32, c->x[k]->shape, c->value[k]);
        whole = whole && x[k] && dp_require_grad(x[k]) == DP_OK;
    }
    if (whole)
        result = evaluate(c, c->reference, x);
    const double value = dp_item(result);
    dp_tensor_release(&result);
    for (int k = 0; k < c->count; k++)
        dp_tensor_release(&x[k]);
    return value;
}

/* f(x + step) and f(x - step); *width receives what f32 makes of 2 step. */
static void two_sides(const check *c, int k, int64_t element, double step, double sides[2], double *width)
{
    float *at = &c->value[k][element];
    const float middle = *at, above = (float)(middle + step), below = (float)(middle - step);
    *at = above;
    sides[0] = at_values(c);
    *at = below;
    sides[1] = at_values(c);
    *at = middle;
    *width = (double)above - (double)below;
}

static double step_of(const check *c, int k, int64_t element, double step)
{
    return step * fmax(1, fabs((double)c->value[k][element]));
}

/* How much f moves by rounding alone. */
static double noise_of(const check *c, double step)
{
    const double middle = at_values(c);
    double noise = EPSILON * fabs(middle);
    for (int k = 0; k < c->count; k++) {
        const int64_t stride = DP_MAX2(DP_CEIL_DIV(c->size[k], NOISE_PROBES), 1);
        for (int64_t e = 0; e < c->size[k]; e += stride) {
            double sides[2], width;
            two_sides(c, k, e, step_of(c, k, e, step) / 4096, sides, &width);
            noise = fmax(noise, fabs(sides[0] - 2 * middle + sides[1]));
        }
    }
    return noise;
}

static void compare(const check *c, int k, int64_t element, double step, double noise,
                    dp_grad_check_result *result)
{
    double slope[3], scale = 0;
    const double h = step_of(c, k, element, step);
    for (int level = 0; level < 3; level++) {
        double sides[2], width;
        two_sides(c, k, element, h / (1 << level), sides, &width);
        slope[level] = (sides[0] - sides[1]) / width;
    }
    const double coarse = (4 * slope[1] - slope[0]) / 3, fine = (4 * slope[2] - slope[1]) / 3;
    for (int64_t e = 0; e < c->size[k]; e++)
        scale = fmax(scale, fabs((double)c->gradient[k][e]));
    const double difference = (16 * fine - coarse) / 15, gradient = (double)c->gradient[k][element];
    const double allowed = fabs(fine - coarse) + 4 * noise / (h / 4) + 64 * EPSILON * scale;
    const double error = fabs(gradient - difference) / fmax(allowed, 1e-30);
    if (!(error <= result->worst)) /* a NaN is the worst */
        *result = (dp_grad_check_result){
            isnan(error) ? (double)INFINITY : error, k, element, gradient, difference, allowed};
}

static dp_status gradients_on_device(check *c)
{
    dp_tensor *found[MAX_TENSORS] = {NULL}, *result = evaluate(c, c->device, c->x);
    dp_status status = result ? DP_OK : dp_failed(c->device);
    if (status == DP_OK && dp_requires_grad(result))
        status = dp_gradients(result, NULL, c->x, c->count, 0, found);
    for (int k = 0; k < c->count && status == DP_OK; k++)
        if (found[k]) /* NULL: f does not depend on any, and all are 0 */
            status = dp_read(found[k], c->gradient[k], (size_t)c->size[k] * sizeof(float));
    for (int k = 0; k < c->count; k++)
        dp_tensor_release(&found[k]);
    dp_tensor_release(&result);
    return status;
}

static dp_status prepare(check *c)
{
    for (int k = 0; k < c->count; k++) {
        DP_CHECK(dp__check_dtype(c->device, c->x[k], "x", DP_F32));
        c->size[k] = dp_tensor_size(c->x[k]);
        c->value[k] = dp__alloc((size_t)DP_MAX2(c->size[k], 1), sizeof(float));
        c->gradient[k] = dp__alloc((size_t)DP_MAX2(c->size[k], 1), sizeof(float));
        if (!c->value[k] || !c->gradient[k])
            return dp__fail(c->device, DP_ERROR_MEMORY, "no memory for the values of x[%d]", k);
        DP_CHECK(dp_read(c->x[k], c->value[k], (size_t)c->size[k] * sizeof(float)));
        if (!dp_requires_grad(c->x[k]))
            DP_CHECK(dp_require_grad(c->x[k]));
    }
    c->reference = dp_device_open("ref");
    return dp_failed(c->reference)
               ? dp__fail(c->device, dp_failed(c->reference), "%s", dp_message(c->reference))
               : DP_OK;
}

dp_status dp_grad_check(dp_grad_function f, void *context, dp_tensor *const *x, int count, int order,
                        double step, int64_t limit, dp_grad_check_result *result)
{
    check c = {.device = x && count > 0 ? dp_tensor_device(x[0]) : NULL,
               .f = f,
               .context = context,
               .x = x,
               .count = count,
               .order = order};
    if (result)
        *result = (dp_grad_check_result){0};
    DP_CHECK(dp__check_device(c.device));
    if (!f || !result || count > MAX_TENSORS || order < 1 || order > 2 || !(step >= 0) || step > 1 ||
        limit < 0)
        return dp__fail(c.device, DP_ERROR_ARGUMENT,
                        "grad_check: f%s, %d tensors (1 to %d), order %d (1 or 2), step %g (0 to 1), limit "
                        "%lld, result%s",
                        f ? "" : " is NULL", count, MAX_TENSORS, order, step, (long long)limit,
                        result ? "" : " is NULL");
    step = step > 0 ? step : 1.0 / 32;
    dp_status status = prepare(&c);
    if (status == DP_OK)
        status = gradients_on_device(&c);
    const double noise = status == DP_OK ? noise_of(&c, step) : 0;
    for (int k = 0; k < count && status == DP_OK; k++) {
        const int64_t stride = limit > 0 ? DP_MAX2(DP_CEIL_DIV(c.size[k], limit), 1) : 1;
        for (int64_t e = 0; e < c.size[k]; e += stride)
            compare(&c, k, e, step, noise, result);
    }
    if (status == DP_OK && dp_failed(c.reference))
        status = dp__fail(c.device, dp_failed(c.reference), "on the reference: %s", dp_message(c.reference));
    for (int k = 0; k < count && k < MAX_TENSORS; k++) {
        dp__free(c.value[k]);
        dp__free(c.gradient[k]);
    }
    dp_device_close(&c.reference);
    return status;
}
