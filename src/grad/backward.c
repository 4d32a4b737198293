/* SPDX-License-Identifier: Apache-2.0 */
/* Going back: the recorded calls behind an output, from the last to the first, each handing its cotangent to
 * its inputs. */
#include "grad/tape.h"
#include <dipole/grad.h>
#include <stdlib.h>

typedef struct pass {
    dp_device *device;
    uint64_t number; /* marks what this pass has seen */
    unsigned flags;
    const dp_tensor *ones; /* the cotangent of the output, where it is 1 */
    bool leaves;           /* to dp_grad of the marked tensors; else to these: */
    dp_tensor *const *wrt;
    int count;
    dp_tensor **gradients;
    dp_tensor **list; /* tensors with a history, retained */
    size_t length, capacity;
} pass;

static const dp__rule_function rules[DP__RULE_COUNT] = {
#define DP_RULE(name, reads) [DP__RULE_##name] = dp__grad_##name,
#include "core/rules.def"
#undef DP_RULE
};

static const bool reads_arguments[DP__RULE_COUNT] = {
#define DP_RULE(name, reads) [DP__RULE_##name] = reads,
#include "core/rules.def"
#undef DP_RULE
};

static bool is_target(const pass *p, const dp_tensor *x)
{
    if (p->leaves)
        return x->requires_grad;
    for (int k = 0; k < p->count; k++)
        if (p->wrt[k] == x)
            return true;
    return false;
}

/* Puts x on the list where a call made it that this pass has not seen. */
static dp_status visit(pass *p, const dp_tensor *x)
{
    if (x && !x->requires_grad && !x->history && x->buffer->unfollowed)
        return dp__fail(p->device, DP_ERROR_ARGUMENT,
                        "backward: a tensor on the way was written in place (dp_map_into) from tensors that "
                        "require a gradient: that is not recorded (dp_map is; dp_grad_pause or dp_detach "
                        "where it is meant to be a constant)");
    if (!x || !x->history || x->history->pass == p->number)
        return DP_OK;
    if (x->history->spent)
        return dp__fail(
            p->device, DP_ERROR_ARGUMENT,
            "backward: a pass has gone through these calls already (DP_GRADIENT_KEEP keeps them)");
    if (!dp__grow(&p->list, &p->capacity, p->length + 1, sizeof(*p->list)))
        return dp__fail(p->device, DP_ERROR_MEMORY, "no memory for the list of recorded calls");
    x->history->pass = p->number;
    p->list[p->length++] = dp_tensor_retain((dp_tensor *)x);
    return DP_OK;
}

/* Lists every call behind `output`: what is appended is looked at later. */
static dp_status collect(pass *p, const dp_tensor *output)
{
    p->number = ++p->device->recorded;
    DP_CHECK(visit(p, output));
    for (size_t at = 0; at < p->length; at++) {
        const dp__history *h = p->list[at]->history;
        for (int k = 0; k < h->input_count; k++)
            DP_CHECK(visit(p, h->input[k]));
    }
    return DP_OK;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = (*(dp_tensor *const *)a)->history->number,
                   y = (*(dp_tensor *const *)b)->history->number;
    return x < y ? -1 : x > y;
}

/* Which calls lead to a target, in their order: an input's call comes before those that use it. */
static void mark(const pass *p)
{
    for (size_t t = 0; t < p->length; t++) {
        dp__history *h = p->list[t]->history;
        h->wanted = false;
        for (int k = 0; k < h->input_count; k++) {
            const dp_tensor *x = h->input[k];
            h->needs[k] = x && (is_target(p, x) || (x->history && x->history->wanted));
            h->wanted = h->wanted || h->needs[k];
        }
    }
}

static dp_status add_to(const pass *p, dp_tensor **sum, dp_tensor *part)
{
    *sum = dp__rule_add(p->device, *sum, part);
    return *sum ? DP_OK : dp_failed(p->device);
}

/* Hands gradient k of a call to where it belongs: to the call that made the input, and to the targets. */
static dp_status deliver(const pass *p, dp_tensor *x, dp_tensor *gradient)
{
    dp_status status = DP_OK;
    if (p->leaves && x->requires_grad)
        status = add_to(p, &x->grad, dp_tensor_retain(gradient));
    for (int k = 0; !p->leaves && k < p->count && status == DP_OK; k++)
        if (p->wrt[k] == x)
            status = add_to(p, &p->gradients[k], dp_tensor_retain(gradient));
    if (x->history && x->history->wanted && x->history->pass == p->number && status == DP_OK)
        return add_to(p, &x->history->cotangent, gradient);
    dp_tensor_release(&gradient);
    return status;
}

/* A view of the first argument stays one, whatever is written there. */
static dp_status check_versions(const pass *p, const dp__history *h)
{
    const dp__buffer *own = h->output->buffer;
    if (own->version != h->output_version &&
        !(h->input_count > 0 && h->input[0] && h->input[0]->buffer == own))
        return dp__fail(p->device, DP_ERROR_ARGUMENT,
                        "backward: the result of a recorded call was changed in place after the call");
    if (h->fused && p->device->recording_paused > 0)
        return DP_OK;
    for (int k = 0; k < h->input_count && reads_arguments[h->rule]; k++)
        if (h->input[k] && h->input[k]->buffer->version != h->version[k])
            return dp__fail(p->device, DP_ERROR_ARGUMENT,
                            "backward: argument %d of a recorded call was changed in place after the call",
                            k);
    return DP_OK;
}

/* Gradients that the call made itself, times the cotangent, which has one element. */
static dp_status multiply(const pass *p, const dp__history *h, dp_tensor *cotangent, dp_tensor **gradients)
{
    for (int k = 0; k < h->input_count; k++) {
        if (!h->needs[k] || !h->fused[k])
            continue;
        gradients[k] = cotangent == p->ones
                           ? dp_tensor_retain(h->fused[k])
                           : dp_map(p->device, "g * c", DP_ARGS({"g", h->fused[k]}, {"c", cotangent}));
        if (!gradients[k])
            return dp_failed(p->device);
    }
    return DP_OK;
}

static dp_status go_back(const pass *p, dp__history *h)
{
    dp_tensor *gradients[DP__MAX_RECORDED] = {NULL}, *cotangent = h->cotangent;
    h->cotangent = NULL;
    if (!cotangent || !h->wanted) {
        dp_tensor_release(&cotangent);
        return DP_OK;
    }
    dp_status status = check_versions(p, h);
    if (status == DP_OK)
        status = h->fused && p->device->recording_paused > 0
                     ? multiply(p, h, cotangent, gradients)
                     : rules[h->rule](p->device, h, cotangent, gradients);
    for (int k = 0; k < h->input_count && status == DP_OK; k++) {
        dp_tensor *gradient = gradients[k];
        gradients[k] = NULL;
        if (gradient && h->needs[k])
            status = deliver(p, h->input[k], gradient);
        else
            dp_tensor_release(&gradient);
    }
    for (int k = 0; k < h->input_count; k++)
        dp_tensor_release(&gradients[k]);
    dp_tensor_release(&cotangent);
    return status;
}

/* The arguments are let go; the mark stays. */
static void spend(dp__history *h)
{
    h->spent = true;
    for (int k = 0; k < h->input_count; k++)
        dp_tensor_release(&h->input[k]);
    for (int k = 0; k < h->input_count && h->fused; k++)
        dp_tensor_release(&h->fused[k]);
}

static dp_status walk(pass *p, const dp_tensor *output, dp_tensor *seed)
{
    const bool keep = p->flags & (DP_GRADIENT_KEEP | DP_GRADIENT_RECORD);
    dp_status status = collect(p, output);
    if (status == DP_OK) {
        qsort(p->list, p->length, sizeof(*p->list), by_number);
        mark(p);
        status = deliver(p, (dp_tensor *)output, dp_tensor_retain(seed));
    }
    for (size_t t = p->length; t-- > 0;) {
        dp__history *h = p->list[t]->history;
        if (status == DP_OK)
            status = go_back(p, h);
        dp_tensor_release(&h->cotangent);
        if (status == DP_OK && !keep)
            spend(h);
        dp_tensor_release(&p->list[t]);
    }
    dp__free(p->list);
    return status;
}

static dp_status run(pass *p, const dp_tensor *output, const dp_tensor *cotangent)
{
    const bool quiet = !(p->flags & DP_GRADIENT_RECORD);
    if (quiet)
        dp__record_pause(p->device);
    dp_tensor *seed =
        cotangent ? dp_tensor_retain((dp_tensor *)cotangent) : dp_full(p->device, DP_F32, output->shape, 1);
    p->ones = cotangent ? NULL : seed;
    const dp_status status = seed ? walk(p, output, seed) : dp_failed(p->device);
    dp_tensor_release(&seed);
    if (quiet)
        dp__record_resume(p->device);
    return status;
}

dp_status dp_backward(const dp_tensor *loss)
{
    char text[DP_SHAPE_TEXT];
    dp_device *device = dp_tensor_device(loss);
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, loss, "loss", DP_F32));
    if (dp_tensor_size(loss) != 1)
        return dp__fail(
            device, DP_ERROR_ARGUMENT,
            "backward: loss has shape %s: it must have one element (dp_gradients takes a cotangent)",
            dp__shape_text(&loss->shape, text));
    if (!dp_requires_grad(loss))
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "backward: loss was not computed from anything that requires a gradient");
    pass p = {.device = device, .leaves = true};
    return run(&p, loss, NULL);
}

static dp_status check_wrt(dp_device *device, dp_tensor *const *wrt, int count, dp_tensor **gradients)
{
    if (count < 0 || (count > 0 && (!wrt || !gradients)))
        return dp__fail(device, DP_ERROR_ARGUMENT, "gradients: %d tensors%s", count,
                        count > 0 ? " with wrt or gradients at NULL" : ": 0 or more are allowed");
    for (int k = 0; k < count; k++) {
        DP_CHECK(dp__check_tensor(device, wrt[k], "wrt"));
        if (!dp_requires_grad(wrt[k]))
            return dp__fail(device, DP_ERROR_ARGUMENT, "gradients: wrt[%d] does not require a gradient", k);
    }
    return DP_OK;
}

/* What is handed out is nobody else's memory: not the cotangent's or one that a kept call holds, nor a
 * broadcast view. */
static dp_status own(dp_tensor **gradient)
{
    if ((*gradient)->references == 1 && (*gradient)->buffer->references == 1 &&
        !dp__tensor_overlaps_itself(*gradient))
        return DP_OK;
    dp_device *device = (*gradient)->device;
    dp_tensor *copy = dp_copy(device, *gradient);
    dp_tensor_release(gradient);
    *gradient = copy;
    return copy ? DP_OK : dp_failed(device);
}

dp_status dp_gradients(const dp_tensor *output, const dp_tensor *cotangent, dp_tensor *const *wrt, int count,
                       unsigned flags, dp_tensor **gradients)
{
    char tc[DP_SHAPE_TEXT], to[DP_SHAPE_TEXT];
    dp_device *device = dp_tensor_device(output);
    for (int k = 0; gradients && k < count; k++)
        gradients[k] = NULL;
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, output, "output", DP_F32));
    DP_CHECK(check_wrt(device, wrt, count, gradients));
    if (cotangent) {
        DP_CHECK(dp__check_dtype(device, cotangent, "cotangent", DP_F32));
        if (!dp__shape_equal(&cotangent->shape, &output->shape))
            return dp__fail(device, DP_ERROR_ARGUMENT, "gradients: cotangent has shape %s, output %s",
                            dp__shape_text(&cotangent->shape, tc), dp__shape_text(&output->shape, to));
    }
    pass p = {.device = device, .flags = flags, .wrt = wrt, .count = count, .gradients = gradients};
    dp_status status = run(&p, output, cotangent);
    for (int k = 0; k < count && status == DP_OK; k++)
        if (!gradients[k] && !(gradients[k] = dp_full(device, DP_F32, wrt[k]->shape, 0)))
            status = dp_failed(device);
    for (int k = 0; k < count && status == DP_OK; k++)
        status = own(&gradients[k]);
    for (int k = 0; k < count && status != DP_OK; k++)
        dp_tensor_release(&gradients[k]);
    return status;
}
