/* SPDX-License-Identifier: Apache-2.0 */
/* What calls over pairs do where an argument requires a gradient. A sum or mean that is one number makes its
 * gradients at once: one pass over the pairs gives both, and going back is a product with the cotangent. */
#include "ops/pairwise_record.h"
#include <stdio.h>
#include <string.h>

bool dp__pair_recording(dp_device *device, dp_args args, const dp_tensor *cotangent)
{
    return dp__recording_args(device, args) || dp__recording(device, &cotangent, 1);
}

bool dp__pair_whole(const dp_pair_options *options)
{
    return !options || (options->problems == 0 && !options->offsets_i && !options->offsets_j &&
                        !options->batch && !options->mask);
}

void dp__pair_symbols(dp_args args, bool batch, dp__symbol symbols[DP_MAX_ARGS])
{
    for (int s = 0; s < args.count; s++) {
        const dp_tensor *tensor = args.arg[s].tensor;
        symbols[s] = (dp__symbol){args.arg[s].name, DP__NO_FORM, tensor ? DP__NO_FORM : 0};
        if (!tensor)
            continue;
        const int rank = tensor->shape.rank - (batch && tensor->shape.rank > 1);
        const int last = rank > 0 ? (int)tensor->shape.dim[tensor->shape.rank - 1] : 0;
        const bool rows = tensor->shape.rank > (batch ? 1 : 0), call = tensor->shape.rank < 2;
        symbols[s].row_dim = !rows ? DP__NO_FORM : rank == 1 ? 0 : last;
        symbols[s].call_dim = !call                     ? DP__NO_FORM
                              : tensor->shape.rank == 0 ? 0
                              : last > 0                ? last
                                                        : DP__NO_FORM;
    }
}

void dp__pair_name(const char *a, const char *b, dp_args args, int number, char name[DP__PAIR_NAME])
{
    for (int attempt = 0;; attempt++) {
        snprintf(name, DP__PAIR_NAME, "r%d_%d", number, attempt);
        bool taken = strstr(a, name) || (b && strstr(b, name));
        for (int s = 0; s < args.count; s++)
            taken = taken || strcmp(args.arg[s].name, name) == 0;
        if (!taken)
            return;
    }
}

/* The call's data with the offsets and the text behind it; NULL where memory is out. */
static dp__pairs *pack(const dp__pair_call *call, size_t *bytes)
{
    static const dp_pair_options none = {0};
    const dp_pair_options *o = call->options ? call->options : &none;
    const size_t offsets = ((size_t)o->problems + 1) * sizeof(int64_t);
    dp__pairs p = {.mode = call->mode,
                   .name = call->name,
                   .with = call->options != NULL,
                   .problems = o->problems,
                   .batch = o->batch,
                   .tile = o->tile};
    *bytes = sizeof p;
    if (o->offsets_i)
        p.offset_i = (int64_t)*bytes, *bytes += offsets;
    if (o->offsets_j)
        p.offset_j = (int64_t)*bytes, *bytes += offsets;
    if (call->value)
        p.value = (int64_t)*bytes, *bytes += strlen(call->value) + 1;
    char *packed = dp__alloc(1, *bytes);
    if (!packed)
        return NULL;
    memcpy(packed, &p, sizeof p);
    if (o->offsets_i)
        memcpy(packed + p.offset_i, o->offsets_i, offsets);
    if (o->offsets_j)
        memcpy(packed + p.offset_j, o->offsets_j, offsets);
    if (call->value)
        strcpy(packed + p.value, call->value);
    return (dp__pairs *)packed;
}

dp_tensor *dp__pair_record(dp_tensor *out, const dp__pair_call *call)
{
    dp_tensor *fused[DP__MAX_RECORDED] = {NULL};
    const int count = call->args.count;
    dp__record_call r = {
        .rule = call->rule, .input_count = count + 2, .formula = call->formula, .args = call->args};
    if (!out)
        return NULL;
    dp__pairs *p = pack(call, &r.bytes);
    if (!p) {
        dp__fail(out->device, DP_ERROR_MEMORY, "no memory for the record of a call");
        dp_tensor_release(&out);
        return NULL;
    }
    for (int s = 0; s < count; s++) {
        r.inputs[s] = call->args.arg[s].tensor;
        fused[s] = call->fused ? call->fused[s] : NULL;
    }
    r.inputs[count] = call->options ? call->options->mask : NULL;
    r.inputs[count + 1] = call->cotangent;
    r.params = p;
    r.fused = call->fused ? fused : NULL;
    out = dp__record(out, &r);
    dp__free(p);
    return out;
}

/* Values. */

/* Whether the result is one number that a sum or mean gives. */
static bool is_number(dp_device *device, const dp__pair_call *call)
{
    const unsigned reduction = call->mode & 0xffu;
    if ((reduction != DP_SUM && reduction != DP_MEAN) || !(call->mode & DP_OVER_ALL))
        return false;
    if (!dp__pair_whole(call->options) &&
        (call->options->problems > 0 || call->options->offsets_i || call->options->offsets_j ||
         call->options->batch || call->args.count == DP_MAX_ARGS))
        return false;
    dp__expr *expr = NULL;
    const bool number = dp__pairwise_parse(device, call->formula, call->args, 1, &expr) == DP_OK &&
                        expr->nodes[expr->outputs[0]].dim == 0;
    dp__expr_free(&expr);
    return number;
}

/* The largest of all as the largest of each row's. */
static dp_tensor *extreme_of_all(dp_device *device, const dp__pair_call *call)
{
    const unsigned reduction = call->mode & 0xffu;
    dp_tensor *rows = dp_pairwise_with(
        device, call->formula, (call->mode & ~(unsigned)DP_OVER_ALL) | DP_OVER_J, call->args, call->options);
    dp_tensor *all = rows ? dp_reduce(device, rows, (dp_reduction)reduction, DP_AXIS(0)) : NULL;
    dp_tensor_release(&rows);
    return all;
}

dp_tensor *dp__pairwise_recorded(dp_device *device, const dp__pair_call *call)
{
    const unsigned reduction = call->mode & 0xffu;
    dp_tensor *out = NULL;
    if ((reduction == DP_MAX || reduction == DP_MIN) && (call->mode & DP_OVER_ALL) &&
        dp__pair_whole(call->options))
        return extreme_of_all(device, call);
    if (is_number(device, call)) {
        dp__gradient_recorded(device, call, NULL, 0, NULL, &out);
        return out;
    }
    dp__record_pause(device);
    out = dp__pairwise_plain(device, call);
    dp__record_resume(device);
    return reduction == DP_ARGMAX || reduction == DP_ARGMIN ? out : dp__pair_record(out, call);
}

/* Gradients. */

typedef struct recording {
    dp_device *device;
    dp__pair_call call; /* of the value */
    const char *names[DP_MAX_OUTPUTS];
    int symbol[DP_MAX_OUTPUTS], given,
        count; /* those that the user wants, and behind them those for the value */
    dp_tensor *gradient[DP_MAX_OUTPUTS];
    bool fuse;
} recording;

static int symbol_of(dp_args args, const char *name)
{
    for (int s = 0; name && s < args.count; s++)
        if (strcmp(args.arg[s].name, name) == 0)
            return s;
    return -1;
}

/* The tracked arguments that the user has not named; false where they are too many. */
static bool list_tracked(recording *r)
{
    for (int s = 0; s < r->call.args.count; s++) {
        bool named = false;
        for (int k = 0; k < r->count; k++)
            named = named || r->symbol[k] == s;
        if (named || !dp__recording(r->device, &r->call.args.arg[s].tensor, 1))
            continue;
        if (r->count == DP_MAX_OUTPUTS - 1) {
            r->count = r->given;
            return false;
        }
        r->names[r->count] = r->call.args.arg[s].name;
        r->symbol[r->count++] = s;
    }
    return true;
}

/* The value with the gradients that its history keeps: copies of what the user has. */
static dp_tensor *record_value(recording *r, dp_tensor *value)
{
    dp_tensor *fused[DP_MAX_ARGS] = {NULL};
    bool whole = true;
    for (int k = 0; k < r->count && r->fuse; k++) {
        const int s = r->symbol[k];
        if (fused[s] || !dp__recording(r->device, &r->call.args.arg[s].tensor, 1))
            continue;
        fused[s] = k < r->given ? dp_copy(r->device, r->gradient[k]) : dp_tensor_retain(r->gradient[k]);
        whole = whole && fused[s];
    }
    dp__pair_call call = r->call;
    call.rule = DP__RULE_pairwise;
    call.cotangent = NULL;
    call.fused = r->fuse ? fused : NULL;
    if (whole)
        value = dp__pair_record(value, &call);
    else
        dp_tensor_release(&value);
    for (int s = 0; s < DP_MAX_ARGS; s++)
        dp_tensor_release(&fused[s]);
    return value;
}

static dp_status record_all(recording *r, dp_tensor **gradients, dp_tensor **value)
{
    if (value && !(*value = record_value(r, *value)))
        return dp_failed(r->device);
    for (int k = 0; k < r->given; k++) {
        dp__pair_call call = r->call;
        call.rule = DP__RULE_pairwise_gradient;
        call.name = r->symbol[k];
        gradients[k] = dp__pair_record(r->gradient[k], &call);
        r->gradient[k] = NULL;
        if (!gradients[k])
            return dp_failed(r->device);
    }
    return DP_OK;
}

dp_status dp__gradient_recorded(dp_device *device, const dp__pair_call *call, const char *const *wrt,
                                int count, dp_tensor **gradients, dp_tensor **value)
{
    if ((call->mode & 0xffu) == DP_LOGSUMEXP && dp__pair_whole(call->options))
        return dp__gradient_composed(device, call, wrt, count, gradients, value);
    recording r = {.device = device, .call = *call, .given = count, .count = count};
    for (int k = 0; k < count; k++) {
        r.names[k] = wrt[k];
        r.symbol[k] = symbol_of(call->args, wrt[k]);
    }
    r.fuse = value && !call->cotangent && is_number(device, call) && list_tracked(&r);
    dp__record_pause(device);
    dp_status status = dp__gradient_plain(device, call, r.names, r.count, r.gradient, value);
    dp__record_resume(device);
    if (status == DP_OK)
        status = record_all(&r, gradients, value);
    for (int k = 0; k < r.count; k++)
        dp_tensor_release(&r.gradient[k]);
    for (int k = 0; k < count && status != DP_OK; k++)
        dp_tensor_release(&gradients[k]);
    if (status != DP_OK && value)
        dp_tensor_release(value);
    return status;
}
