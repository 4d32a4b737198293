/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of a map: maps of its formula's derivatives times the cotangent, summed where an argument was
 * broadcast. */
#include "expr/expr.h"
#include "grad/tape.h"
#include <string.h>

typedef struct rule {
    dp_device *device;
    const dp__history *call;
    dp_tensor *cotangent;
    dp_arg args[DP_MAX_ARGS + 1]; /* the formula's, and the cotangent */
    dp__symbol symbols[DP_MAX_ARGS + 1];
    char name[DP__RULE_NAME]; /* of the cotangent */
    int count;
    int target[DP_MAX_ARGS]; /* arguments of which the derivatives are wanted */
    int targets;
} rule;

static void list(rule *r)
{
    const dp__history *h = r->call;
    dp__rule_name(h, 0, r->name);
    for (int s = 0; s < h->arg_count; s++) {
        r->args[s] = h->arg[s];
        r->symbols[s] = (dp__symbol){h->arg[s].name, DP__NO_FORM, 0};
        if (h->needs[s])
            r->target[r->targets++] = s;
    }
    r->count = h->arg_count;
    r->args[r->count] = (dp_arg){r->name, r->cotangent, 0};
    r->symbols[r->count++] = (dp__symbol){r->name, DP__NO_FORM, 0};
}

/* One output a target. */
static dp__expr *differentiate(const rule *r)
{
    char message[256];
    dp__expr *expr = NULL, *derivatives = NULL, *simple = NULL;
    const dp__indexed seed = {r->call->arg_count, DP__SIDE_CALL, 0};
    dp__indexed targets[DP_MAX_ARGS];
    for (int t = 0; t < r->targets; t++)
        targets[t] = (dp__indexed){r->target[t], DP__SIDE_CALL, 0};
    const dp__differentiation how = {.seeds = &seed, .targets = targets, .target_count = r->targets};
    if (dp__expr_parse(r->call->formula, r->symbols, r->count, &expr, message, sizeof message) == DP_OK)
        derivatives = dp__expr_differentiate(expr, &how);
    if (derivatives) {
        derivatives->symbol_count = r->count;
        simple = dp__expr_simplify(derivatives);
    }
    dp__expr_free(&derivatives);
    dp__expr_free(&expr);
    return simple;
}

/* What needs no map: 0, and the cotangent itself. */
static bool is_zero(const dp__expr *e, int output)
{
    const dp__node *node = &e->nodes[e->outputs[output]];
    return node->kind == DP__NODE_CONST && node->value == 0;
}

static bool is_cotangent(const rule *r, const dp__expr *e, int output)
{
    const dp__node *node = &e->nodes[e->outputs[output]];
    return node->kind == DP__NODE_SYMBOL && node->symbol == r->call->arg_count;
}

/* A map of some of the outputs, written as text. A recorded pass needs calls of one output. */
static dp_status run(const rule *r, dp__expr *e, const int *outputs, int count, dp_tensor **results)
{
    dp__text text = {0};
    int all[DP_MAX_ARGS], all_count = e->output_count;
    memcpy(all, e->outputs, (size_t)all_count * sizeof *all);
    for (int o = 0; o < count; o++)
        e->outputs[o] = all[outputs[o]];
    e->output_count = count;
    dp__expr *part = dp__expr_share(e); /* without what the others need */
    memcpy(e->outputs, all, (size_t)all_count * sizeof *all);
    e->output_count = all_count;
    dp_status status = DP_OK;
    if (part)
        dp__expr_print(part, r->symbols, &text);
    if (!part || text.failed)
        status = dp__fail(r->device, DP_ERROR_MEMORY, "no memory for the derivatives");
    const dp_args args = {r->args, r->count};
    if (status == DP_OK && count == 1) {
        results[0] = dp_map(r->device, text.data, args);
    } else {
        for (int o = 0; o < count && status == DP_OK; o++)
            results[o] = dp_empty(r->device, DP_F32, r->call->output->shape);
        if (status == DP_OK)
            dp_map_into(r->device, text.data, args, results, count);
    }
    dp__text_free(&text);
    dp__expr_free(&part);
    return status != DP_OK ? status : dp_failed(r->device);
}

static dp_status run_all(const rule *r, dp__expr *e, dp_tensor **gradients)
{
    const bool one_by_one =
        dp__recording(r->device, (const dp_tensor *const *)r->call->input, r->call->input_count) ||
        dp__recording(r->device, (const dp_tensor *const *)&r->cotangent, 1);
    int outputs[DP_MAX_OUTPUTS], count = 0;
    dp_tensor *results[DP_MAX_OUTPUTS] = {NULL};
    dp_status status = DP_OK;
    for (int t = 0; t < r->targets && status == DP_OK; t++) {
        if (is_cotangent(r, e, t))
            gradients[r->target[t]] = dp_tensor_retain(r->cotangent);
        else if (!is_zero(e, t))
            outputs[count++] = t;
        if (count == 0 || (count < DP_MAX_OUTPUTS && !one_by_one && t + 1 < r->targets))
            continue;
        status = run(r, e, outputs, count, results);
        for (int o = 0; o < count; o++) {
            gradients[r->target[outputs[o]]] = results[o];
            results[o] = NULL;
        }
        count = 0;
    }
    return status;
}

dp_status dp__grad_map(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                       dp_tensor **gradients)
{
    rule r = {.device = device, .call = call, .cotangent = cotangent};
    list(&r);
    if (r.count > DP_MAX_ARGS)
        return dp__fail(device, DP_ERROR_UNSUPPORTED,
                        "the gradient of a map of %d arguments: with the cotangent %d are allowed",
                        call->arg_count, DP_MAX_ARGS - 1);
    dp__expr *derivatives = differentiate(&r);
    if (!derivatives)
        return dp__fail(device, DP_ERROR_MEMORY, "no memory for the derivatives");
    dp_status status = run_all(&r, derivatives, gradients);
    dp__expr_free(&derivatives);
    for (int t = 0; t < r.targets && status == DP_OK; t++) {
        dp_tensor **gradient = &gradients[r.target[t]];
        if (*gradient &&
            !(*gradient = dp__rule_unbroadcast(device, *gradient, call->input[r.target[t]]->shape)))
            status = dp_failed(device);
    }
    return status;
}
