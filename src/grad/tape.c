/* SPDX-License-Identifier: Apache-2.0 */
/* The tape: every recorded call hangs at its result and holds its arguments, so that it goes when nobody
 * needs it any more. */
#include "grad/tape.h"
#include <dipole/grad.h>
#include <string.h>

static void history_free(dp__history *h)
{
    const bool closing = h->output->device->closing; /* all tensors go, in any order */
    for (int k = 0; k < h->input_count && !closing; k++) {
        dp_tensor_release(&h->input[k]);
        if (h->fused)
            dp_tensor_release(&h->fused[k]);
    }
    for (int a = 0; a < h->arg_count && h->arg; a++)
        dp__free((char *)h->arg[a].name);
    if (!closing)
        dp_tensor_release(&h->cotangent);
    dp__free(h->arg);
    dp__free(h->formula);
    dp__free(h->params);
    dp__free(h->fused);
    dp__free(h);
}

static char *copy_text(const char *text)
{
    char *copy = dp__alloc(strlen(text) + 1, 1);
    return copy ? strcpy(copy, text) : NULL;
}

static bool copy_formula(dp__history *h, const dp__record_call *call)
{
    h->formula = copy_text(call->formula);
    h->arg = dp__alloc((size_t)DP_MAX2(call->args.count, 1), sizeof *h->arg);
    h->arg_count = h->arg ? call->args.count : 0;
    bool whole = h->formula && h->arg;
    for (int a = 0; a < h->arg_count; a++) {
        h->arg[a] = call->args.arg[a];
        h->arg[a].name = copy_text(call->args.arg[a].name);
        whole = whole && h->arg[a].name;
    }
    return whole;
}

static dp_status record(dp_tensor *out, const dp__record_call *call)
{
    dp__history *h = dp__alloc(1, sizeof *h);
    if (!h)
        return dp__fail(out->device, DP_ERROR_MEMORY, "no memory for the record of a call");
    h->output = out;
    h->number = ++out->device->recorded;
    h->rule = call->rule;
    h->output_version = out->buffer->version;
    h->input_count = call->input_count;
    for (int k = 0; k < call->input_count; k++) {
        h->input[k] = dp_tensor_retain((dp_tensor *)call->inputs[k]);
        h->version[k] = h->input[k] ? h->input[k]->buffer->version : 0;
    }
    bool whole = !call->formula || copy_formula(h, call);
    if (call->bytes > 0 && (h->params = dp__alloc(1, call->bytes)))
        memcpy(h->params, call->params, call->bytes);
    whole = whole && (h->params || call->bytes == 0);
    if (call->fused && (h->fused = dp__alloc((size_t)DP_MAX2(h->input_count, 1), sizeof *h->fused)))
        for (int k = 0; k < h->input_count; k++)
            h->fused[k] = dp_tensor_retain(call->fused[k]);
    whole = whole && (h->fused || !call->fused);
    if (whole) {
        out->history = h;
        return DP_OK;
    }
    history_free(h);
    return dp__fail(out->device, DP_ERROR_MEMORY, "no memory for the record of a call");
}

static const dp__recorder recorder = {record, history_free};

dp_status dp_require_grad(dp_tensor *x)
{
    dp_device *device = dp_tensor_device(x);
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, x, "x", DP_F32));
    if (x->history)
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "require_grad: x is the result of a recorded call; dp_detach it first");
    device->recorder = &recorder;
    x->requires_grad = x->buffer->leaf = true;
    return DP_OK;
}

bool dp_requires_grad(const dp_tensor *x)
{
    return x && (x->requires_grad || x->history);
}

dp_tensor *dp_detach(dp_tensor *x)
{
    return dp__check_device(dp_tensor_device(x)) == DP_OK ? dp__tensor_view(x) : NULL;
}

void dp_grad_pause(dp_device *device)
{
    dp__record_pause(device);
}

void dp_grad_resume(dp_device *device)
{
    if (device && device->recording_paused > 0)
        dp__record_resume(device);
}

const dp_tensor *dp_grad(const dp_tensor *x)
{
    return x ? x->grad : NULL;
}

void dp_grad_clear(dp_tensor *x)
{
    if (x)
        dp_tensor_release(&x->grad);
}
