/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses a contraction's kernel variant, cuts it into groups and slices, and launches it. */
#include "gpu/contraction.h"
#include "gpu/tuned.h"
#include <string.h>

#define SMALL_WORK     1e6 /* multiplications below which a CPU's copy of B costs more than it gains */
#define SOFTWARE_SMALL 3e7 /* and those below which a software GPU spends longer on compiling a large tile   \
                            */

typedef struct contract_plan {
    const dp__variant *variant;
    int width, unit, unit_step, vectors;
    uint32_t group_x, group_y;
    int64_t panels_m, panels_n; /* of a work-item of contract_panels */
    int64_t slices, slice_depth, groups;
    bool along_depth;
} contract_plan;

static bool is_kernel(const dp__variant *variant, const char *kernel)
{
    return strcmp(variant->kernel, kernel) == 0;
}

static int64_t columns_of(const dp__contraction *call)
{
    return call->n[0] * call->n[1] * call->n[2];
}

/* The unit (8, 4, 2 or 1 columns, at most `most`) that covers a row of n columns with the fewest. */
static int choose_unit(int64_t n, int most)
{
    int best = 1;
    int64_t fewest = n;
    for (int unit = 2; unit <= most && unit <= n; unit *= 2) {
        const int64_t covered = DP_CEIL_DIV(n, unit) * unit;
        /* A wider unit is worth an eighth more columns. */
        if (covered <= fewest + fewest / 8) {
            best = unit;
            fewest = DP_MIN2(covered, fewest);
        }
    }
    return best;
}

/* Whether A and B both lie along their depths. */
static bool is_dot(const dp__contraction *call)
{
    return call->table == 0 && call->n[1] == 1 && call->n[2] == 1 && call->a.column[0] == 1 &&
           call->b.step == 1;
}

/* Whether a row of the table can do this call as it is. */
static bool suits(const dp__variant *variant, const dp__gpu *gpu, const dp__contraction *call)
{
    if (!dp__variant_fits(variant, &gpu->limits, gpu->driver->glsl))
        return false;
    if (is_kernel(variant, "clblast"))
        return dp__contract_gemm_suits(gpu, call);
    if (is_kernel(variant, "contract_panels"))
        return call->depth > 0 &&
               (!variant->packs || call->table != 2); /* its loop over blocks of depths writes the result */
    if (is_kernel(variant, "contract_dot"))
        return is_dot(call);
    if (is_kernel(variant, "contract_direct") && variant->width > 1)
        return call->b.column[0] == 1 && call->n[0] >= variant->width;
    return true;
}

static const dp__variant *first_that_suits(const dp__gpu *gpu, const dp__contraction *call,
                                           const char *const *names)
{
    for (; *names; names++) {
        const dp__variant *variant = dp__variant_find(*names);
        if (variant && suits(variant, gpu, call))
            return variant;
    }
    return dp__variant_find("direct_1x1");
}

/* Whether A is read often enough, and badly enough from where it is: across its rows, or more than a cache
 * holds. */
static bool packing_pays(const dp__contraction *call)
{
    return call->table == 0 && columns_of(call) >= 256 && call->m >= 96 &&
           (call->a.column[0] != 1 || call->m * call->depth >= 1 << 19);
}

/* Before anything was measured: by the kind of device and the size of the call. */
static const dp__variant *safe_choice(const dp__gpu *gpu, const dp__contraction *call)
{
    static const char *const dot[] = {"dot_4x2_w16", "dot_4x2_w8", "dot_4x1v", "dot_4x1", NULL};
    static const char *const cpu_row[] = {"direct_1x32", "direct_4x4", NULL};
    static const char *const cpu_low[] = {"direct_4x24", "direct_4x4", NULL};
    static const char *const cpu_small[] = {"direct_12x32", "direct_6x16", "direct_4x4", NULL};
    static const char *const cpu_apart[] = {"panels_12x32", "panels_6x16_k512", "panels_4x16", "direct_4x4",
                                            NULL};
    static const char *const cpu_packed[] = {"panels_12x32_packed", "panels_6x16_packed", "panels_4x16",
                                             "direct_4x4", NULL};
    static const char *const cpu[] = {"panels_12x32", "panels_6x16", "panels_4x16", "direct_4x4", NULL};
    static const char *const software_small[] = {"direct_4x8v", "direct_4x4v", "direct_4x4", NULL};
    static const char *const software[] = {"direct_16x8v", "direct_16x16", "direct_4x4", NULL};
    static const char *const small[] = {"tiles_32x32", "direct_4x4", NULL};
    static const char *const large[] = {"tiles_64x64", "tiles_32x32", "direct_4x4", NULL};
    const double rows = (double)call->m, columns = (double)columns_of(call);
    if (is_dot(call) && DP_MIN2(rows, columns) <= 4)
        return first_that_suits(gpu, call, dot);
    const double work = rows * columns * (double)call->depth;
    if (gpu->limits.type == DP_DEVICE_CPU) {
        const bool direct = call->b.column[0] == 1; /* no panel is copied: it would be used too seldom */
        return first_that_suits(gpu, call,
                                direct && call->m == 1        ? cpu_row
                                : direct && call->m <= 8      ? cpu_low
                                : direct && work < SMALL_WORK ? cpu_small
                                : call->result.column[0] != 1 ? cpu_apart
                                : packing_pays(call)          ? cpu_packed
                                                              : cpu);
    }
    if (gpu->limits.type == DP_DEVICE_SOFTWARE_GPU)
        return first_that_suits(gpu, call, work < SOFTWARE_SMALL || call->m < 8 ? software_small : software);
    return first_that_suits(
        gpu, call,
        rows * columns * (double)call->batches < 64.0 * 64 * 4 * gpu->limits.compute_units ? small : large);
}

/* What the environment asks for, else what was measured, else the safe choice. */
static const dp__variant *choose(dp__gpu *gpu, const dp__contraction *call)
{
    const dp__variant *forced = dp__variant_forced();
    if (forced && suits(forced, gpu, call))
        return forced;
    const dp__variant *tuned = dp__tuned_choice(gpu, call);
    return tuned ? tuned : safe_choice(gpu, call);
}

/* Groups of a direct kernel that are larger than the matrix lose their empty halves. */
static void shrink_group(contract_plan *plan, const dp__contraction *call, int64_t units)
{
    while (plan->group_x > 1 && (int64_t)(plan->group_x / 2) * plan->vectors >= units)
        plan->group_x /= 2;
    while (plan->group_y > 1 && (int64_t)(plan->group_y / 2) * plan->variant->rows >= call->m)
        plan->group_y /= 2;
}

/* How many tiles there are, for one batch and slice. */
static int64_t count_tiles(contract_plan *plan, const dp__contraction *call, const dp__gpu *gpu)
{
    const dp__variant *variant = plan->variant;
    const int64_t lines = call->n[1] * call->n[2], units = DP_CEIL_DIV(call->n[0], plan->unit) * lines;
    if (is_kernel(variant, "contract_tiles"))
        return DP_CEIL_DIV(call->m, (int64_t)variant->rows * plan->group_y) *
               DP_CEIL_DIV(columns_of(call), (int64_t)variant->vectors * plan->group_x);
    if (is_kernel(variant, "contract_dot"))
        return DP_CEIL_DIV(call->m, variant->rows) * DP_CEIL_DIV(call->n[0], variant->vectors);
    if (is_kernel(variant, "contract_direct")) {
        shrink_group(plan, call, units);
        return DP_CEIL_DIV(call->m, (int64_t)variant->rows * plan->group_y) *
               DP_CEIL_DIV(units, (int64_t)plan->vectors * plan->group_x);
    }
    /* Panels: enough tiles for every thread, each of them large enough that the copied columns are used
     * often. */
    const int64_t rows = DP_CEIL_DIV(call->m, variant->rows);
    const int64_t columns = DP_CEIL_DIV(units, (int64_t)plan->vectors * plan->width / plan->unit);
    const int64_t wanted = 6 * DP_MAX2(gpu->limits.compute_units, 1);
    plan->panels_m = DP_CEIL_DIV(rows, DP_CEIL_DIV(rows, 48));
    plan->panels_n = 8;
    while (plan->panels_n > 1 &&
           DP_CEIL_DIV(rows, plan->panels_m) * DP_CEIL_DIV(columns, plan->panels_n) * call->batches < wanted)
        plan->panels_n /= 2;
    while (plan->panels_m > 12 &&
           DP_CEIL_DIV(rows, plan->panels_m) * DP_CEIL_DIV(columns, plan->panels_n) * call->batches < wanted)
        plan->panels_m = DP_CEIL_DIV(plan->panels_m, 2);
    return DP_CEIL_DIV(rows, plan->panels_m) * DP_CEIL_DIV(columns, plan->panels_n);
}

/* The result as if it were contiguous: [batches, m, n]. */
static bool is_contiguous(const dp__contraction *call)
{
    const dp__contraction_view *r = &call->result;
    return r->column[0] == 1 && (call->n[1] == 1 || r->column[1] == call->n[0]) &&
           (call->n[2] == 1 || r->column[2] == call->n[0] * call->n[1]) &&
           (call->m == 1 || r->step == columns_of(call)) &&
           (call->batches == 1 || r->batch == call->m * columns_of(call)) && r->offset == 0;
}

/* Depths are cut where loops may not take them all, and where there are too few tiles for the device. */
static void choose_slices(contract_plan *plan, const dp__contraction *call, const dp__gpu *gpu, int64_t tiles)
{
    const int64_t rounds = dp__tuning_of(&gpu->limits).rounds / 2; /* others are around and inside */
    const int64_t wanted = 4 * DP_MAX2(gpu->limits.compute_units, 1);
    plan->slices = 1;
    if (call->beta == 0 && !call->epilogue && is_contiguous(call)) {
        plan->slices = DP_MAX2(DP_CEIL_DIV(call->depth, rounds), 1);
        while (tiles * call->batches * plan->slices < wanted && call->depth / (2 * plan->slices) >= 512)
            plan->slices *= 2;
    }
    plan->slice_depth = DP_CEIL_DIV(call->depth, plan->slices);
    const int64_t block = plan->variant->depth > 0 ? plan->variant->depth : 1;
    if (plan->slices > 1)
        plan->slice_depth = DP_CEIL_DIV(plan->slice_depth, block) * block;
    plan->slices = DP_MAX2(DP_CEIL_DIV(call->depth, DP_MAX2(plan->slice_depth, 1)), 1);
    plan->slice_depth = DP_MAX2(plan->slice_depth, 1);
    plan->groups = tiles * plan->slices * call->batches;
}

static contract_plan make_plan(const dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant)
{
    contract_plan plan = {.variant = variant};
    plan.width = variant->width;
    plan.vectors = variant->vectors;
    plan.group_x = variant->group_x;
    plan.group_y = variant->group_y;
    plan.unit = plan.width;
    plan.along_depth = call->table ? call->along_depth > 0 : call->b.column[0] != 1 && call->b.step == 1;
    const int64_t apart = !plan.along_depth ? call->b.column[0] : call->table ? call->along_depth : 1;
    plan.unit_step = apart == 1 || apart == 2 ? (int)apart : 0;
    if (is_kernel(variant, "contract_panels"))
        plan.unit = plan.along_depth && call->table ? 1 : choose_unit(call->n[0], plan.width);
    choose_slices(&plan, call, gpu, count_tiles(&plan, call, gpu));
    return plan;
}

static void add_defines(dp__step *step, const contract_plan *plan, const dp__contraction *call)
{
    const dp__variant *variant = plan->variant;
    dp__step_define(step, "W", plan->width);
    dp__step_define(step, "MR", variant->rows);
    dp__step_define(step, is_kernel(variant, "contract_tiles") ? "NR" : "NV", plan->vectors);
    dp__step_define(step, "TABLE", call->table);
    dp__step_define(step, "A_UNIT", call->a.column[0] == 1);
    dp__step_define(step, "EPILOGUE", call->epilogue != NULL);
    if (call->epilogue)
        dp__step_define(step, "OTHER", call->c.buffer != NULL);
    if (variant->depth > 0)
        dp__step_define(step, "KC", variant->depth);
    if (is_kernel(variant, "contract_tiles")) {
        dp__step_define(step, "A_ALONG_DEPTH", call->a.column[0] == 1 || call->table == 2);
        dp__step_define(step, "B_ALONG_DEPTH", plan->along_depth);
    } else if (is_kernel(variant, "contract_panels")) {
        dp__step_define(step, "U", plan->unit);
        dp__step_define(step, "UNIT_STEP", plan->unit_step);
        dp__step_define(step, "ALONG_DEPTH", plan->along_depth);
        dp__step_define(step, "A_PACKED", variant->packs);
    }
}

static void add_view(dp__step *step, const dp__contraction_view *view, int columns)
{
    dp__step_int(step, view->offset);
    dp__step_int(step, view->batch);
    dp__step_int(step, view->step);
    for (int axis = columns - 1; axis >= 0; axis--)
        dp__step_int(step, view->column[axis]);
}

static dp__step make_step(const contract_plan *plan, const dp__contraction *call)
{
    const dp__contraction_view *c = call->c.buffer ? &call->c : &call->a;
    dp__step step = dp__step_new(plan->variant->kernel, plan->group_x, plan->group_y);
    add_defines(&step, plan, call);
    dp__step_in(&step, call->a.buffer);
    dp__step_in(&step, call->b.buffer);
    dp__step_in(&step, c->buffer);
    dp__step_in(&step, call->table ? call->steps : call->a.buffer);
    dp__step_out(&step, call->result.buffer);
    const int64_t sizes[] = {call->batches, plan->panels_n << 16 | plan->panels_m,
                             call->m,       call->n[0],
                             call->n[1],    call->n[2],
                             call->depth,   plan->slice_depth};
    for (size_t i = 0; i < DP_COUNT(sizes); i++)
        dp__step_int(&step, sizes[i]);
    add_view(&step, &call->a, 1);
    add_view(&step, &call->b, 3);
    add_view(&step, c, 3);
    add_view(&step, &call->result, 3);
    dp__step_float(&step, call->alpha);
    dp__step_float(&step, call->epilogue ? dp__epilogue_scalar(call->epilogue) : call->beta);
    const double columns = (double)columns_of(call), rows = (double)call->m, depth = (double)call->depth;
    step.launch.flops = 2.0 * (double)call->batches * rows * columns * depth;
    step.launch.bytes = 4.0 * (double)call->batches * (rows * depth + depth * columns + rows * columns);
    return step;
}

static dp_status launch(dp__gpu *gpu, const contract_plan *plan, const dp__contraction *call)
{
    dp__step step = make_step(plan, call);
    dp__text formula = {0};
    if (call->epilogue)
        dp__epilogue_emit(call->epilogue, &formula);
    step.formula = formula.data;
    const dp_status status = formula.failed
                                 ? dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for an epilogue's text")
                                 : dp__step_run(gpu, &step, plan->groups);
    dp__text_free(&formula);
    return status;
}

/* The slices' results into a tensor of their own, and their sum from there into the result. */
static dp_status run_slices(dp__gpu *gpu, const contract_plan *plan, const dp__contraction *call)
{
    const int64_t size = call->batches * call->m * columns_of(call);
    dp_tensor *parts = dp__tensor_create(gpu->device, DP_F32, DP_SHAPE(plan->slices, size));
    if (!parts)
        return DP_ERROR_MEMORY;
    dp__contraction sliced = *call;
    sliced.result.buffer = parts->buffer;
    sliced.result.offset = parts->offset;
    sliced.result.batch = call->m * columns_of(call);
    dp_status status = launch(gpu, plan, &sliced);
    if (status == DP_OK) {
        dp_tensor turned = *parts, sum = *parts; /* views, for the call alone */
        turned.shape = DP_SHAPE(size, plan->slices);
        turned.stride[0] = 1;
        turned.stride[1] = size;
        sum.shape = DP_SHAPE(size);
        sum.stride[0] = 1;
        sum.buffer = call->result.buffer;
        sum.offset = call->result.offset;
        status = dp__plan_reduce(
            gpu, &(dp__reduce_call){.x = &turned, .out = &sum, .reduction = DP_SUM, .reduced = 1});
    }
    dp_tensor_release(&parts);
    return status;
}

bool dp__contract_suits(const dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant)
{
    return suits(variant, gpu, call);
}

const dp__variant *dp__contract_safe(const dp__gpu *gpu, const dp__contraction *call)
{
    return safe_choice(gpu, call);
}

void dp__contract_step(const dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant,
                       dp__step *step)
{
    const contract_plan plan = make_plan(gpu, call, variant);
    *step = make_step(&plan, call);
}

/* The same product with its sides exchanged, C' = B' A', so that the few columns of a high matrix become
 * rows: their neighbours are then those of A. */
static dp__contraction exchanged(const dp__contraction *call)
{
    dp__contraction other = *call;
    other.m = call->n[0];
    other.n[0] = call->m;
    other.a = call->b;
    other.a.step = call->b.column[0];
    other.a.column[0] = call->b.step;
    other.b = call->a;
    other.b.step = call->a.column[0];
    other.b.column[0] = call->a.step;
    other.c.step = call->c.column[0];
    other.c.column[0] = call->c.step;
    other.result.step = call->result.column[0];
    other.result.column[0] = call->result.step;
    return other;
}

/* A copy of A with `rows` rows a panel. */
static dp_status run_packed(dp__gpu *gpu, const contract_plan *plan, const dp__contraction *call)
{
    const int64_t rows = plan->variant->rows, block = plan->variant->depth,
                  panels = DP_CEIL_DIV(call->m, rows);
    const int64_t batches = call->a.batch == 0 ? 1 : call->batches, size = panels * rows * call->depth;
    dp_tensor *copy = dp__tensor_create(gpu->device, DP_F32, DP_SHAPE(batches, size));
    if (!copy)
        return DP_ERROR_MEMORY;
    dp__step step = dp__step_new("contract_rows", 1, 1);
    dp__step_define(&step, "MR", (int)rows);
    dp__step_define(&step, "KC", (int)block);
    dp__step_in(&step, call->a.buffer);
    dp__step_out(&step, copy->buffer);
    const int64_t sizes[] = {batches, call->m, call->depth};
    for (size_t i = 0; i < DP_COUNT(sizes); i++)
        dp__step_int(&step, sizes[i]);
    add_view(&step, &call->a, 1);
    step.launch.bytes = 8.0 * (double)batches * (double)size;
    dp_status status = dp__step_run(gpu, &step, batches * panels * DP_CEIL_DIV(call->depth, block));
    if (status == DP_OK) {
        dp__contraction packed = *call;
        packed.a = (dp__contraction_view){copy->buffer, copy->offset, call->a.batch == 0 ? 0 : size, 0, {1}};
        status = plan->slices > 1 ? run_slices(gpu, plan, &packed) : launch(gpu, plan, &packed);
    }
    dp_tensor_release(&copy);
    return status;
}

dp_status dp__contract_with(dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant)
{
    if (is_kernel(variant, "clblast"))
        return dp__contract_gemm(gpu, call);
    const contract_plan plan = make_plan(gpu, call, variant);
    if (variant->packs)
        return run_packed(gpu, &plan, call);
    return plan.slices > 1 ? run_slices(gpu, &plan, call) : launch(gpu, &plan, call);
}

dp_status dp__contract(dp__gpu *gpu, const dp__contraction *call)
{
    dp__contraction other;
    if (call->table == 0 && call->n[1] == 1 && call->n[2] == 1 && call->n[0] <= 8 && call->n[0] < call->m &&
        call->a.step == 1 && call->a.column[0] != 1) {
        other = exchanged(call);
        call = &other;
    }
    return dp__contract_with(gpu, call, choose(gpu, call));
}
