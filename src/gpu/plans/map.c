/* SPDX-License-Identifier: Apache-2.0 */
/* map, and copy, which is the map "x" on 32-bit words (those of 16 bits are in cast.c): the kernel's generated parts and its launch. */
#include "gpu/step.h"

/* How a buffer's W neighbours along the innermost axis lie: next to each other, all the same, or apart. */
typedef enum spacing { NEXT, SAME, APART } spacing;

/* One map after its axes were collapsed. Views: the inputs in order of their symbols, then the outputs. */
typedef struct map_loops {
    dp__nest nest;
    const dp_tensor *view[DP__NEST_VIEWS];
    int symbol[DP__NEST_VIEWS]; /* of an input */
    int inputs;
    const char *type; /* of the elements: "float", or "int" for copies */
} map_loops;

static void add_view(map_loops *loops, const dp_tensor *tensor, int symbol)
{
    dp__nest *nest = &loops->nest;
    nest->rank = tensor->shape.rank;
    for (int axis = 0; axis < nest->rank; axis++) {
        nest->dim[axis] = tensor->shape.dim[axis];
        nest->stride[nest->views][axis] = tensor->stride[axis];
    }
    loops->symbol[nest->views] = symbol;
    loops->view[nest->views++] = tensor;
}

static spacing spacing_of(const map_loops *loops, int view)
{
    const dp__nest *nest = &loops->nest;
    const int64_t stride = nest->rank > 0 ? nest->stride[view][nest->rank - 1] : 1;
    return stride == 1 ? NEXT : stride == 0 ? SAME : APART;
}

/* The first view with the same strides: what depends on them is computed once for all of these. */
static int leader(const map_loops *loops, int view)
{
    const dp__nest *nest = &loops->nest;
    for (int first = 0; first < view; first++) {
        bool same = true;
        for (int axis = 0; axis < nest->rank && same; axis++)
            same = nest->stride[first][axis] == nest->stride[view][axis];
        if (same)
            return first;
    }
    return view;
}

static bool is_scalar(const dp__map_call *call, int symbol)
{
    return !call->in[symbol] && dp__expr_uses(call->expr, symbol, DP__SIDE_CALL);
}

/* BUFFERS and PARAMS: the sizes, then for each view its offset, and where it leads its outer strides and if needed its inner one, then
 * the scalars. add_arguments() gives the values in the same order. */
static void emit_bindings(const map_loops *loops, const dp__map_call *call, dp__text *text)
{
    const dp__nest *nest = &loops->nest;
    dp__text_add(text, "#define BUFFERS(IN, OUT)");
    for (int v = 0; v < nest->views; v++)
        dp__text_add(text, " %s_ALIASED(%d, %s, b%d)", v < loops->inputs ? "IN" : "OUT", v, loops->type, v);
    dp__text_add(text, "\n#define PARAMS(P) P(int, items) P(int, chunks) P(int, inner)");
    for (int axis = 0; axis + 1 < nest->rank; axis++)
        dp__text_add(text, " P(int, dim%d)", axis);
    for (int v = 0; v < nest->views; v++) {
        dp__text_add(text, " P(int, offset%d)", v);
        if (leader(loops, v) != v)
            continue;
        for (int axis = 0; axis + 1 < nest->rank; axis++)
            dp__text_add(text, " P(int, stride%d_%d)", v, axis);
        if (spacing_of(loops, v) == APART)
            dp__text_add(text, " P(int, step%d)", v);
    }
    for (int s = 0; call && s < call->expr->symbol_count; s++)
        if (is_scalar(call, s))
            dp__text_add(text, " P(float, scalar%d)", s);
    dp__text_add(text, "\n");
    for (int s = 0; call && s < call->expr->symbol_count; s++)
        if (is_scalar(call, s))
            dp__text_add(text, "#define SYM%d_C(c) SPLAT(scalar%d)\n", s, s);
}

static void add_arguments(const map_loops *loops, const dp__map_call *call, int64_t items, int64_t chunks, dp__step *step)
{
    const dp__nest *nest = &loops->nest;
    for (int v = 0; v < nest->views; v++)
        (v < loops->inputs ? dp__step_in : dp__step_out)(step, loops->view[v]->buffer);
    dp__step_int(step, items);
    dp__step_int(step, chunks);
    dp__step_int(step, nest->rank > 0 ? nest->dim[nest->rank - 1] : 1);
    for (int axis = 0; axis + 1 < nest->rank; axis++)
        dp__step_int(step, nest->dim[axis]);
    for (int v = 0; v < nest->views; v++) {
        dp__step_int(step, loops->view[v]->offset);
        if (leader(loops, v) != v)
            continue;
        for (int axis = 0; axis + 1 < nest->rank; axis++)
            dp__step_int(step, nest->stride[v][axis]);
        if (spacing_of(loops, v) == APART)
            dp__step_int(step, nest->stride[v][nest->rank - 1]);
    }
    for (int s = 0; call && s < call->expr->symbol_count; s++)
        if (is_scalar(call, s))
            dp__step_float(step, call->scalar[s]);
}

/* POSITIONS: at<v>, where view v's row begins. The outer axes are taken off `row` from the innermost outwards. */
static void emit_positions(const map_loops *loops, dp__text *text)
{
    const dp__nest *nest = &loops->nest;
    dp__text_add(text, "#define POSITIONS int rest = row;");
    for (int v = 0; v < nest->views; v++)
        if (leader(loops, v) == v)
            dp__text_add(text, " int from%d = 0;", v);
    for (int axis = nest->rank - 2; axis >= 0; axis--) {
        for (int v = 0; v < nest->views; v++)
            if (leader(loops, v) == v)
                dp__text_add(text, " from%d += rest %% dim%d * stride%d_%d;", v, axis, v, axis);
        dp__text_add(text, " rest /= dim%d;", axis);
    }
    for (int v = 0; v < nest->views; v++)
        dp__text_add(text, " const int at%d = offset%d + from%d;", v, v, leader(loops, v));
    dp__text_add(text, "\n");
}

static void emit_loads(const map_loops *loops, dp__text *text)
{
    dp__text_add(text, "#define LOADS");
    for (int v = 0; v < loops->inputs; v++) {
        const spacing apart = spacing_of(loops, v);
        if (apart == SAME) {
            dp__text_add(text, " const VALUE in%d = VALUE_OF(b%d[at%d]);", v, v, v);
            continue;
        }
        dp__text_add(text, " VALUE in%d = VALUE_OF(0);", v);
        if (apart == NEXT)
            dp__text_add(text, " if (whole) in%d = LOAD(b%d, at%d + k); else", v, v, v);
        dp__text_add(text, " for (int lane = 0; lane < W; lane++) if (k + lane < inner) SET_VALUE(in%d, lane, b%d[at%d + (k + lane)%s",
                     v, v, v, apart == NEXT ? "]);" : "");
        if (apart == APART)
            dp__text_add(text, " * step%d]);", leader(loops, v));
    }
    dp__text_add(text, "\n");
    for (int v = 0; v < loops->inputs; v++)
        dp__text_add(text, "#define SYM%d_C(c) in%d\n", loops->symbol[v], v);
}

static void emit_stores(const map_loops *loops, dp__text *text)
{
    dp__text_add(text, "#define STORES");
    for (int v = loops->inputs; v < loops->nest.views; v++) {
        const int o = v - loops->inputs;
        if (spacing_of(loops, v) == NEXT)
            dp__text_add(text, " if (whole) { STORE(b%d, at%d + k, out%d); } else", v, v, o);
        dp__text_add(text, " for (int lane = 0; lane < W; lane++) if (k + lane < inner) b%d[at%d + (k + lane)%s", v, v,
                     spacing_of(loops, v) == APART ? " * " : "");
        if (spacing_of(loops, v) == APART)
            dp__text_add(text, "step%d", leader(loops, v));
        dp__text_add(text, "] = GET_VALUE(out%d, lane);", o);
    }
    dp__text_add(text, "\n");
}

static void emit_formula(const dp__map_call *call, dp__text *text)
{
    if (!call) {
        dp__text_add(text, "        const INTS out0 = in0;\n");
        return;
    }
    for (int o = 0; o < call->expr->output_count; o++)
        dp__text_add(text, "        REAL out%d;\n", o);
    dp__text_add(text, "#define OUTPUT(number, component, value) out##number = value\n");
    dp__expr_emit(call->expr, &(dp__emit_options){.unroll = true, .indent = 8}, text);
}

/* Runs the loops; call is NULL for a copy. */
static dp_status run(dp__gpu *gpu, map_loops *loops, const dp__map_call *call, const char *name)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    dp__nest *nest = &loops->nest;
    dp__nest_collapse(nest);
    const int64_t inner = nest->rank > 0 ? nest->dim[nest->rank - 1] : 1, size = dp_tensor_size(loops->view[0]);
    /* One lane for short rows. (GLSL's vectors of ints are not worth a second dialect.) */
    const int width = inner > 1 && (call || !gpu->driver->glsl) ? tuning.width : 1;
    const int64_t chunks = DP_CEIL_DIV(inner, width), items = size / inner * chunks;
    dp__text bindings = {0}, formula = {0};
    emit_bindings(loops, call, &bindings);
    emit_positions(loops, &bindings);
    emit_loads(loops, &bindings);
    emit_stores(loops, &bindings);
    emit_formula(call, &formula);
    dp__step step = dp__step_new("map", tuning.group, 1);
    dp__step_define(&step, "W", width);
    dp__step_define(&step, "WORDS", !call);
    step.bindings = bindings.data;
    step.formula = formula.data;
    step.launch.kernel_name = name;
    step.launch.flops = call ? (double)size * dp__expr_flops(call->expr) : 0;
    step.launch.bytes = 4.0 * (double)size * nest->views;
    add_arguments(loops, call, items, chunks, &step);
    const dp_status status = bindings.failed || formula.failed
                                 ? dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the source of kernel map")
                                 : dp__step_run(gpu, &step, DP_CEIL_DIV(items, tuning.group));
    dp__text_free(&bindings);
    dp__text_free(&formula);
    return status;
}

dp_status dp__plan_copy(dp__gpu *gpu, const dp__copy_call *call)
{
    if (dp__is_half(call->in->dtype))
        return dp__plan_copy_halves(gpu, call);
    map_loops loops = {.inputs = 1, .type = "int"};
    add_view(&loops, call->in, 0);
    add_view(&loops, call->out, 0);
    return run(gpu, &loops, NULL, "copy");
}

/* The parameters that a map of these loops would take. */
static int count_params(const map_loops *loops, const dp__map_call *call)
{
    map_loops collapsed = *loops;
    dp__nest_collapse(&collapsed.nest);
    const int outer = DP_MAX2(collapsed.nest.rank - 1, 0);
    int params = 3 + outer + collapsed.nest.views;
    for (int v = 0; v < collapsed.nest.views; v++)
        if (leader(&collapsed, v) == v)
            params += outer + (spacing_of(&collapsed, v) == APART);
    for (int s = 0; s < call->expr->symbol_count; s++)
        params += is_scalar(call, s);
    return params;
}

static void collect(const dp__map_call *call, map_loops *loops)
{
    *loops = (map_loops){.type = "float"};
    for (int s = 0; s < call->expr->symbol_count; s++)
        if (call->in[s] && dp__expr_uses(call->expr, s, DP__SIDE_CALL))
            add_view(loops, call->in[s], s);
    loops->inputs = loops->nest.views;
    for (int o = 0; o < call->expr->output_count; o++)
        add_view(loops, call->out[o], -1);
}

/* With too many axes and tensors for one launch's parameters: contiguous copies of all, so that the axes become one. */
static dp_status run_packed(dp__gpu *gpu, const dp__map_call *call)
{
    dp__map_call packed = *call;
    map_loops loops;
    dp_status status = DP_OK;
    for (int s = 0; s < DP_MAX_ARGS; s++) {
        packed.in[s] = call->in[s] ? dp_copy(gpu->device, call->in[s]) : NULL;
        if (call->in[s] && !packed.in[s])
            status = DP_ERROR_MEMORY;
    }
    for (int o = 0; o < DP_MAX_OUTPUTS; o++) {
        packed.out[o] = call->out[o] ? dp_empty(gpu->device, DP_F32, call->out[o]->shape) : NULL;
        if (call->out[o] && !packed.out[o])
            status = DP_ERROR_MEMORY;
    }
    if (status == DP_OK) {
        collect(&packed, &loops);
        status = run(gpu, &loops, &packed, "map");
    }
    for (int o = 0; status == DP_OK && o < call->expr->output_count; o++)
        status = dp__plan_copy(gpu, &(dp__copy_call){packed.out[o], call->out[o]});
    for (int s = 0; s < DP_MAX_ARGS; s++)
        dp_tensor_release((dp_tensor **)&packed.in[s]);
    for (int o = 0; o < DP_MAX_OUTPUTS; o++)
        dp_tensor_release(&packed.out[o]);
    return status;
}

dp_status dp__plan_map(dp__gpu *gpu, const dp__map_call *call)
{
    DP_CHECK(dp__gpu_refuse_bound(gpu, call->bound));
    dp__map_call simple = *call;
    dp__expr *expr = dp__expr_simplify(call->expr);
    if (!expr)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the formula");
    simple.expr = expr;
    map_loops loops;
    collect(&simple, &loops);
    const dp_status status = count_params(&loops, &simple) > DP__MAX_PARAMS ? run_packed(gpu, &simple)
                                                                            : run(gpu, &loops, &simple, "map");
    dp__expr_free(&expr);
    return status;
}
