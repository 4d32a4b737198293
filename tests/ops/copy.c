/* SPDX-License-Identifier: Apache-2.0 */
/* Copies, transfers, fills and views: elements must arrive as the same 32 bits, and nothing beside them may
 * change.
 *
 *   how = copy   dp_copy of a view              read   dp_read of a view             write  dp_write through
 * a view fill   dp_fill through a view         full   dp_full                       reshape  a copy as
 * another shape split  a view of a part reshaped, then permuted, then copied */
#include "ops.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
    char how[12], layout[12];
    dp_dtype dtype;
    dp_shape shape, other; /* other: what `reshape` makes */
    dp_tensor *buffer, *view;
    const void *stored; /* what the buffer holds before the op */
    void *data;         /* what `write` writes */
    double value;       /* of `fill` and `full` */
} state;

static void setup(ops_run *run)
{
    state *s = run->state;
    ops_word(run, "how", "copy", s->how, sizeof s->how);
    ops_word(run, "view", "", s->layout, sizeof s->layout);
    s->dtype = ops_dtype(run, "dtype", DP_F32);
    s->shape = ops_shape(run, "shape", DP_SHAPE(1000));
    s->other = ops_shape(run, "to", s->shape);
    s->value = s->dtype == DP_I32 ? -123456 : 0.1;
    s->buffer = ops_buffer(run, s->dtype, s->shape, s->layout, (ops_fill){.kind = OPS_WORDS});
    s->stored = run->sources ? run->source[0].data : NULL;
    s->view = ops_view(run, s->buffer, s->shape, s->layout);
    run->exact = true;
    run->bytes = 2.0 * (double)dp_dtype_size(s->dtype) * (double)ops_size(s->shape);
    if (strcmp(s->how, "write") && strcmp(s->how, "fill"))
        return;
    ops_will_write(run);
    const int64_t size = ops_size(s->shape);
    s->data = ops_memory(run, (size_t)size, dp_dtype_size(s->dtype));
    for (int64_t t = 0; s->data && t < size; t++) {
        const uint32_t bits = ops_element(7, (ops_fill){.kind = OPS_WORDS}, s->dtype, t);
        if (dp_dtype_size(s->dtype) == 2)
            ((uint16_t *)s->data)[t] = (uint16_t)bits;
        else
            ((uint32_t *)s->data)[t] = bits;
    }
}

/* Half of the first axis, folded to two axes, exchanged. */
static dp_tensor *split(const ops_run *run)
{
    const state *s = run->state;
    const int64_t rows = s->shape.dim[0] / 2, columns = ops_size(s->shape) / s->shape.dim[0];
    dp_tensor *part = dp_slice(s->view, 0, rows, 2 * rows, 1);
    dp_tensor *flat = dp_reshape(part, DP_SHAPE(rows * columns));
    dp_tensor *folded = dp_reshape(flat, DP_SHAPE(rows, columns));
    dp_tensor *turned = dp_transpose(folded, 0, 1);
    dp_tensor *result = dp_copy(run->device, turned);
    dp_tensor_release(&part);
    dp_tensor_release(&flat);
    dp_tensor_release(&folded);
    dp_tensor_release(&turned);
    return result;
}

static dp_tensor *reshaped_copy(const ops_run *run)
{
    const state *s = run->state;
    dp_tensor *copy = dp_copy(run->device, s->view), *result = dp_reshape(copy, s->other);
    dp_tensor_release(&copy);
    return result;
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    const bool write = !strcmp(s->how, "write"), fill = !strcmp(s->how, "fill");
    run->results = 1;
    if (write)
        dp_write(s->view, s->data, (size_t)ops_size(s->shape) * dp_dtype_size(s->dtype));
    if (fill)
        dp_fill(s->view, s->value);
    if (write || fill)
        run->result[0] = dp_tensor_retain(s->buffer);
    else if (!strcmp(s->how, "read"))
        run->result[0] = dp_tensor_retain(s->view);
    else if (!strcmp(s->how, "full"))
        run->result[0] = dp_full(run->device, s->dtype, s->shape, s->value);
    else if (!strcmp(s->how, "split"))
        run->result[0] = split(run);
    else
        run->result[0] = reshaped_copy(run);
}

/* The position in the buffer of the view's element at `index`: the layouts of ops.h, once more, by arithmetic
 * alone. */
static int64_t stored_at(dp_shape shape, const char *layout, const int64_t *index)
{
    const int last = shape.rank - 1;
    dp_shape full = shape;
    int64_t at[DP_MAX_RANK] = {0};
    for (int a = 0; a < shape.rank; a++)
        at[a] = index[a];
    if (!strcmp(layout, "t")) {
        full.dim[last] = shape.dim[last - 1];
        full.dim[last - 1] = shape.dim[last];
        at[last] = index[last - 1];
        at[last - 1] = index[last];
    } else if (!strcmp(layout, "rev")) {
        for (int a = 0; a < shape.rank; a++) {
            full.dim[a] = shape.dim[last - a];
            at[a] = index[last - a];
        }
    } else if (!strcmp(layout, "step")) {
        full.dim[last] = 2 * shape.dim[last] + 1;
        at[last] = 2 * index[last] + 1;
    } else if (!strcmp(layout, "rows")) {
        full.dim[0] = 3 * shape.dim[0] + 1;
        at[0] = 3 * index[0] + 1;
    } else if (!strcmp(layout, "offset")) {
        full.dim[0] = shape.dim[0] + 1;
        at[0] = index[0] + 1;
    } else if (!strcmp(layout, "bcast")) {
        full.dim[0] = 1;
        at[0] = 0;
    } else if (!strcmp(layout, "inner")) {
        full.dim[last] = 1;
        at[last] = 0;
    } else if (!strcmp(layout, "chain")) {
        return ((index[2] + 2) * (2 * shape.dim[0] + 1) + 2 * index[0] + 1) * shape.dim[1] + index[1];
    }
    return ops_ravel(full, at);
}

static uint32_t value_word(const state *s)
{
    uint32_t word = (uint32_t)(int32_t)s->value;
    if (s->dtype == DP_F32)
        memcpy(&word, &(float){(float)s->value}, sizeof word);
    return s->dtype == DP_F16 ? 0x2e66 : s->dtype == DP_BF16 ? 0x3dcd : word; /* 0.1: 1638 2^-14, 205 2^-11 */
}

/* What the whole buffer holds after something went through the view. */
static void expect_written(const ops_run *run, double *values)
{
    const state *s = run->state;
    int64_t index[DP_MAX_RANK];
    for (size_t t = 0; t < run->source[0].bytes / dp_dtype_size(s->dtype); t++)
        values[t] = ops_bits(s->stored, s->dtype, t);
    for (int64_t t = 0; t < ops_size(s->shape); t++) {
        ops_unravel(s->shape, t, index);
        values[stored_at(s->shape, s->layout, index)] =
            strcmp(s->how, "fill") ? ops_bits(s->data, s->dtype, (size_t)t) : value_word(s);
    }
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const int64_t size = dp_tensor_size(run->result[result]);
    int64_t index[DP_MAX_RANK];
    if (!strcmp(s->how, "write") || !strcmp(s->how, "fill")) {
        expect_written(run, values);
        return;
    }
    for (int64_t t = 0; t < size; t++) {
        int64_t from = t;
        if (!strcmp(s->how, "split")) {
            const int64_t rows = s->shape.dim[0] / 2, columns = ops_size(s->shape) / s->shape.dim[0];
            from = (rows + t % rows) * columns + t / rows;
        }
        ops_unravel(s->shape, from, index);
        values[t] = strcmp(s->how, "full")
                        ? ops_bits(s->stored, s->dtype, (size_t)stored_at(s->shape, s->layout, index))
                        : value_word(s);
    }
}

/* Elements that share words with others: odd sizes, odd offsets, gaps. */
static void cases_halves(ops_list *list)
{
    ops_add(list, true, "how=copy view=t shape=3x5 dtype=f16");
    ops_add(list, true, "how=write view=offset shape=3x5 dtype=bf16");
    ops_add(list, false, "how=copy shape=scalar dtype=bf16");
    ops_add(list, false, "how=copy shape=1001 dtype=f16");
    ops_add(list, false, "how=copy view=chain shape=7x9x5 dtype=bf16");
    ops_add(list, false, "how=copy view=bcast shape=7x5 dtype=f16");
    ops_add(list, false, "how=copy view=rev shape=2x3x4x5x6x3x2x3 dtype=bf16");
    ops_add(list, false, "how=read view=step shape=17x9x23 dtype=f16");
    ops_add(list, false, "how=read view=offset shape=3x7x1 dtype=bf16");
    ops_add(list, false, "how=write view=step shape=5x3x4 dtype=f16");
    ops_add(list, false, "how=write view=rev shape=33x17x65 dtype=bf16");
    ops_add(list, false, "how=write view=chain shape=5x3x4 dtype=f16");
    ops_add(list, false, "how=fill view=offset shape=13x31x3 dtype=f16");
    ops_add(list, false, "how=fill view=offset shape=2x1 dtype=f16");
    ops_add(list, false, "how=fill view=offset shape=1x1 dtype=bf16");
    ops_add(list, false, "how=fill view=rows shape=13x31x8 dtype=bf16");
    ops_add(list, false, "how=full shape=257x129 dtype=f16");
    ops_add(list, false, "how=full shape=1 dtype=bf16");
    ops_add(list, false, "how=reshape shape=6x35 view=t to=5x2x21 dtype=f16");
    ops_add(list, false, "how=split shape=10x7x3 dtype=bf16");
}

static void cases(ops_list *list)
{
    static const char *const shapes[] = {"scalar", "0",    "1",      "7",
                                         "3x0x5",  "1000", "65x129", "2x3x4x5x6x7x2x3"};
    static const char *const layouts[] = {"t", "rev", "step", "rows", "offset", "bcast", "inner", "chain"};
    static const char *const both[] = {"f32", "i32"};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        ops_add(list, k < 4, "how=copy shape=%s dtype=%s", shapes[k], both[k % 2]);
    for (size_t k = 0; k < sizeof layouts / sizeof *layouts; k++) {
        ops_add(list, k < 3, "how=copy view=%s shape=5x3x4 dtype=%s", layouts[k], both[k % 2]);
        ops_add(list, false, "how=copy view=%s shape=37x67x33 dtype=%s", layouts[k], both[(k + 1) % 2]);
        ops_add(list, false, "how=read view=%s shape=17x9x23 dtype=%s", layouts[k], both[k % 2]);
        if (!strcmp(layouts[k], "bcast") || !strcmp(layouts[k], "inner"))
            continue; /* these cannot be written */
        ops_add(list, k == 2, "how=write view=%s shape=5x3x4 dtype=%s", layouts[k], both[k % 2]);
        ops_add(list, false, "how=write view=%s shape=33x17x65 dtype=%s", layouts[k], both[(k + 1) % 2]);
        ops_add(list, false, "how=fill view=%s shape=13x31x8 dtype=%s", layouts[k], both[k % 2]);
    }
    ops_add(list, false, "how=copy shape=1000003");
    ops_add(list, false, "how=copy view=t shape=1031x517");
    ops_add(list, false, "how=copy view=t shape=0x5");
    ops_add(list, false, "how=fill view=step shape=100001");
    ops_add(list, false, "how=full shape=0");
    ops_add(list, true, "how=full shape=scalar");
    ops_add(list, false, "how=full shape=257x129");
    ops_add(list, false, "how=full shape=100 dtype=i32");
    ops_add(list, false, "how=reshape shape=6x35 view=t to=5x2x21");
    ops_add(list, false, "how=reshape shape=4x1x8 to=32");
    ops_add(list, false, "how=reshape shape=1x1 to=scalar");
    ops_add(list, false, "how=split shape=10x7x3");
    ops_add(list, false, "how=split shape=64x65 dtype=i32");
    cases_halves(list);
}

const ops_op ops_copy = {
    .name = "copy",
    .keys = "how view dtype shape to",
    .state_size = sizeof(state),
    .cases = cases,
    .setup = setup,
    .launch = launch,
    .expect = expect,
};
