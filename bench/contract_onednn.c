/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products and convolutions through oneDNN (version 2). Convolutions take the layouts that it likes best:
 * --layout own    tensors are in them before and stay in them: the reorders are not timed
 * --layout plain  tensors are row-major (NCHW) before and after: the reorders of all three, where they are needed, are timed */
#include "contract.h"

#include <dnnl.h>

#include <stdio.h>
#include <string.h>

enum { X, W, Y, SLOTS };

/* One of the three tensors: as it is given, and as the primitive has it; `reorder` leads into the primitive, or out of it for
 * what is made. NULL where both are the same. */
typedef struct onednn_slot {
    dnnl_memory_t plain, own;
    dnnl_primitive_t reorder;
    int argument; /* of the primitive */
    bool made;
} onednn_slot;

typedef struct onednn_state {
    bool plain_layout;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    const contract_problem *problem;
    onednn_slot slot[SLOTS];
    dnnl_primitive_t primitive;
} onednn_state;

static bool good(dnnl_status_t status, const char *what)
{
    return status == dnnl_success || contract_fail("%s: oneDNN status %d", what, (int)status);
}

typedef struct described {
    dnnl_memory_desc_t plain[SLOTS], any[SLOTS];
    dnnl_dims_t strides, padding, padding_behind;
} described;

static void describe(const contract_problem *p, described *d)
{
    const dnnl_dims_t dims[SLOTS] = {{p->images, p->channels, p->size, p->size},
                                     {p->kernels, p->channels, p->rows, p->rows},
                                     {p->images, p->kernels, p->out, p->out}};
    memset(d, 0, sizeof *d);
    for (int s = 0; s < SLOTS; s++) {
        dnnl_memory_desc_init_by_tag(&d->plain[s], 4, dims[s], dnnl_f32, dnnl_abcd);
        dnnl_memory_desc_init_by_tag(&d->any[s], 4, dims[s], dnnl_f32, dnnl_format_tag_any);
    }
    for (int axis = 0; axis < 2; axis++) {
        d->strides[axis] = p->stride;
        d->padding[axis] = p->padding;
        d->padding_behind[axis] = (p->out - 1) * p->stride + p->rows - p->size - p->padding;
    }
}

static bool plan_forward(const onednn_state *state, const described *d, dnnl_prop_kind_t kind, dnnl_primitive_desc_t *plan)
{
    dnnl_convolution_desc_t convolution;
    return good(dnnl_convolution_forward_desc_init(&convolution, kind, dnnl_convolution_direct, &d->any[X], &d->any[W], NULL,
                                                   &d->any[Y], d->strides, d->padding, d->padding_behind),
                "forward") &&
           good(dnnl_primitive_desc_create(plan, &convolution, NULL, state->engine, NULL), "forward");
}

/* The plans of gradients look at that of the forward convolution. */
static bool plan_gradient(const onednn_state *state, const described *d, dnnl_primitive_desc_t *plan)
{
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_desc_t forward = NULL;
    if (!plan_forward(state, d, dnnl_forward_training, &forward))
        return false;
    dnnl_status_t status =
        state->problem->kind == CONTRACT_INPUT
            ? dnnl_convolution_backward_data_desc_init(&convolution, dnnl_convolution_direct, &d->any[X], &d->any[W], &d->any[Y],
                                                       d->strides, d->padding, d->padding_behind)
            : dnnl_convolution_backward_weights_desc_init(&convolution, dnnl_convolution_direct, &d->any[X], &d->any[W], NULL,
                                                          &d->any[Y], d->strides, d->padding, d->padding_behind);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(plan, &convolution, NULL, state->engine, forward);
    dnnl_primitive_desc_destroy(forward);
    return good(status, "gradient");
}

static bool make_reorder(const onednn_state *state, onednn_slot *slot, const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *own)
{
    dnnl_primitive_desc_t plan;
    if (!good(dnnl_reorder_primitive_desc_create(&plan, slot->made ? own : plain, state->engine, slot->made ? plain : own,
                                                 state->engine, NULL),
              "reorder"))
        return false;
    const dnnl_status_t status = dnnl_primitive_create(&slot->reorder, plan);
    dnnl_primitive_desc_destroy(plan);
    return good(status, "reorder");
}

static bool make_slot(onednn_state *state, int which, float *data, const dnnl_memory_desc_t *plain, dnnl_primitive_desc_t plan)
{
    static const dnnl_query_t queries[2][SLOTS] = {
        {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
        {dnnl_query_diff_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md}};
    static const int arguments[2][SLOTS] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                                            {DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    const contract_kind kind = state->problem->kind;
    onednn_slot *slot = &state->slot[which];
    slot->made = which == (kind == CONTRACT_INPUT ? X : kind == CONTRACT_WEIGHTS ? W : Y);
    const bool difference = kind != CONTRACT_FORWARD && (slot->made || which == Y);
    const dnnl_memory_desc_t *own = dnnl_primitive_desc_query_md(plan, queries[difference][which], 0);
    slot->argument = arguments[difference][which];
    return good(dnnl_memory_create(&slot->plain, plain, state->engine, data), "memory") &&
           (dnnl_memory_desc_equal(plain, own) ||
            (good(dnnl_memory_create(&slot->own, own, state->engine, DNNL_MEMORY_ALLOCATE), "memory") &&
             make_reorder(state, slot, plain, own)));
}

static bool reorder(const onednn_state *state, const onednn_slot *slot)
{
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, slot->made ? slot->own : slot->plain},
                                         {DNNL_ARG_TO, slot->made ? slot->plain : slot->own}};
    return !slot->reorder || good(dnnl_primitive_execute(slot->reorder, state->stream, 2, arguments), "reorder");
}

static bool prepare(void *data, const contract_problem *p)
{
    onednn_state *state = data;
    float *const values[SLOTS] = {p->x, p->w, p->y};
    described d;
    dnnl_primitive_desc_t plan = NULL;
    state->problem = p;
    if (p->kind == CONTRACT_MATMUL)
        return !state->plain_layout || contract_unsupported("the same as with its own layouts");
    describe(p, &d);
    if (!(p->kind == CONTRACT_FORWARD ? plan_forward(state, &d, dnnl_forward_inference, &plan) : plan_gradient(state, &d, &plan)))
        return false;
    bool done = good(dnnl_primitive_create(&state->primitive, plan), "convolution");
    for (int s = 0; s < SLOTS; s++)
        done = done && make_slot(state, s, values[s], &d.plain[s], plan) &&
               (state->slot[s].made || reorder(state, &state->slot[s]));
    dnnl_primitive_desc_destroy(plan);
    return done && good(dnnl_stream_wait(state->stream), "wait");
}

static bool run(void *data)
{
    const onednn_state *state = data;
    const contract_problem *p = state->problem;
    dnnl_exec_arg_t arguments[SLOTS];
    if (p->kind == CONTRACT_MATMUL)
        return good(dnnl_sgemm('N', 'N', p->m, p->n, p->k, 1, p->x, p->k, p->w, p->n, 0, p->y, p->n), "dnnl_sgemm");
    for (int s = 0; s < SLOTS; s++) {
        const onednn_slot *slot = &state->slot[s];
        arguments[s] = (dnnl_exec_arg_t){slot->argument, slot->own ? slot->own : slot->plain};
        if (state->plain_layout && !slot->made && !reorder(state, slot))
            return false;
    }
    if (!good(dnnl_primitive_execute(state->primitive, state->stream, SLOTS, arguments), "convolution"))
        return false;
    for (int s = 0; s < SLOTS; s++)
        if (state->plain_layout && state->slot[s].made && !reorder(state, &state->slot[s]))
            return false;
    return good(dnnl_stream_wait(state->stream), "wait");
}

/* The result's plain memory is the problem's own. */
static bool fetch(void *data, float *result)
{
    const onednn_state *state = data;
    (void)result;
    for (int s = 0; s < SLOTS; s++)
        if (!state->plain_layout && state->slot[s].made && !reorder(state, &state->slot[s]))
            return false;
    return good(dnnl_stream_wait(state->stream), "wait");
}

static void finish(void *data)
{
    onednn_state *state = data;
    for (int s = 0; s < SLOTS; s++) {
        onednn_slot *slot = &state->slot[s];
        dnnl_primitive_destroy(slot->reorder);
        dnnl_memory_destroy(slot->own);
        dnnl_memory_destroy(slot->plain);
        memset(slot, 0, sizeof *slot);
    }
    dnnl_primitive_destroy(state->primitive);
    state->primitive = NULL;
}

int main(int argc, char **argv)
{
    static const contract_contender onednn = {prepare, run, fetch, finish};
    onednn_state state = {.plain_layout = !strcmp(contract_option(argc, argv, "--layout", "own"), "plain")};
    const dnnl_version_t *version = dnnl_version();
    char what[160];
    if (!good(dnnl_engine_create(&state.engine, dnnl_cpu, 0), "engine") ||
        !good(dnnl_stream_create(&state.stream, state.engine, dnnl_stream_default_flags), "stream")) {
        fprintf(stderr, "contract_onednn: %s\n", contract_why);
        return 1;
    }
    snprintf(what, sizeof what, "oneDNN %d.%d.%d, %s", version->major, version->minor, version->patch,
             state.plain_layout ? "NCHW in and out" : "its own layouts");
    const int status = contract_serve(&onednn, &state, what);
    dnnl_stream_destroy(state.stream);
    dnnl_engine_destroy(state.engine);
    return status;
}
