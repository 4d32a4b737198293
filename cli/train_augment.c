/* SPDX-License-Identifier: Apache-2.0 */
/* Changed views of images: where each pixel comes from is a row of a table, drawn for each image. */
#include "train_labelled.h"

#include <stdlib.h>

#define SHIFT  2
#define SHIFTS (2 * SHIFT + 1)

/* [shifts, or twice as many with mirror images, size] */
static dp_tensor *table(dp_device *device, int64_t size, bool flip)
{
    const int variants = flip ? 2 * SHIFTS : SHIFTS;
    int32_t *from = malloc((size_t)(variants * size) * sizeof *from);
    dp_tensor *t = NULL;
    for (int v = 0; from && v < variants; v++)
        for (int64_t k = 0; k < size; k++) {
            int64_t at = k + v % SHIFTS - SHIFT;
            at = at < 0 ? 0 : at >= size ? size - 1 : at;
            from[v * size + k] = (int32_t)(v < SHIFTS ? at : size - 1 - at);
        }
    if (from)
        t = dp_from(device, DP_I32, DP_SHAPE(variants, size), from);
    free(from);
    return t;
}

bool augmenter_open(const train_run *run, dp_shape shape, bool flip, augmenter *a)
{
    a->columns = table(run->device, shape.dim[2], flip);
    a->rows = table(run->device, shape.dim[1], false);
    if (a->columns && a->rows)
        return true;
    if (train_ok(run, "augment"))
        cli_error("out of memory");
    return false;
}

void augmenter_close(augmenter *a)
{
    dp_tensor_release(&a->columns);
    dp_tensor_release(&a->rows);
}

/* Along axis 2 or 3. */
static dp_tensor *along(const train_run *run, const dp_tensor *t, int place, dp_tensor *x, int axis)
{
    const dp_shape shape = dp_tensor_shape(x), whole = dp_tensor_shape(t);
    dp_shape one = {4, {shape.dim[0], 1, 1, 1}};
    one.dim[axis] = whole.dim[1];
    dp_tensor *choice = train_randint(run, place, DP_SHAPE(shape.dim[0]), whole.dim[0]);
    dp_tensor *from = dp_gather_rows(run->device, t, choice), *view = dp_reshape(from, one),
              *index = dp_broadcast(view, shape);
    dp_tensor *y = dp_gather(run->device, x, index, axis);
    dp_tensor_release(&choice);
    dp_tensor_release(&from);
    dp_tensor_release(&view);
    dp_tensor_release(&index);
    return y;
}

dp_tensor *augmented(const train_run *run, const augmenter *a, int place, dp_tensor *x)
{
    if (!a->columns)
        return dp_tensor_retain(x);
    dp_tensor *moved = along(run, a->columns, place, x, 3),
              *both = moved ? along(run, a->rows, place + 1, moved, 2) : NULL;
    dp_tensor_release(&moved);
    return both;
}
