/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loss.h"
#include "core/record.h"
#include <math.h>
#include <stdlib.h>

/* Parameters. */

static dp_status check_number(dp_device *device, const char *loss, const char *name, double value,
                              double least, double most)
{
    if (value >= least && value <= most)
        return DP_OK;
    return dp__fail(device, DP_ERROR_ARGUMENT, "%s: %s is %g: %g to %g is allowed", loss, name, value, least,
                    most);
}

static dp_status fill_params(dp_device *device, const char *name, const dp_loss_params *given,
                             dp_loss_params *p)
{
    *p = given ? *given : (dp_loss_params){0};
    p->temperature = p->temperature == 0 ? 0.05 : p->temperature;
    p->mix = p->mix == 0 ? 0.2 : p->mix;
    p->norm = p->norm == 0 ? 2 : p->norm;
    p->power = p->power == 0 ? 2 : p->power;
    p->sharpness = p->sharpness == 0 ? 2 : p->sharpness;
    if ((unsigned)p->similarity >= DP_SIMILARITY_COUNT)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: similarity is %d: DP_COSINE or DP_DOT is allowed",
                        name, (int)p->similarity);
    DP_CHECK(check_number(device, name, "temperature", p->temperature, 1e-6, 1e6));
    DP_CHECK(check_number(device, name, "mix", p->mix, 0, 1));
    DP_CHECK(check_number(device, name, "margin", p->margin, -1e30, 1e30));
    DP_CHECK(check_number(device, name, "norm", p->norm, 1, 2));
    DP_CHECK(check_number(device, name, "power", p->power, 1, 1e3));
    return check_number(device, name, "sharpness", p->sharpness, 1e-30, 1e30);
}

static dp_status check_rows(const dp__loss *loss, const dp__rows_of *rows, int count)
{
    char first[DP_SHAPE_TEXT], other[DP_SHAPE_TEXT];
    for (int k = 0; k < count; k++) {
        DP_CHECK(dp__check_dtype(loss->device, rows[k].tensor, rows[k].name, DP_F32));
        const dp_shape *shape = &rows[k].tensor->shape;
        if (shape->rank != 2 || shape->dim[0] < 1 || shape->dim[1] < 1)
            return dp__fail(loss->device, DP_ERROR_ARGUMENT,
                            "%s: %s has shape %s: [N, d] with both 1 or more is allowed", loss->name,
                            rows[k].name, dp__shape_text(shape, other));
        if (!dp__shape_equal(shape, &rows[0].tensor->shape))
            return dp__fail(loss->device, DP_ERROR_ARGUMENT,
                            "%s: %s has shape %s, %s has %s: they must be equal", loss->name, rows[k].name,
                            dp__shape_text(shape, other), rows[0].name,
                            dp__shape_text(&rows[0].tensor->shape, first));
    }
    return DP_OK;
}

dp_status dp__loss_begin(dp__loss *loss, dp_device *device, const char *name, const dp_loss_params *params,
                         const dp__rows_of *rows, int count, dp_tensor **value, dp_tensor **gradients)
{
    *loss =
        (dp__loss){.device = device, .name = name, .value = value, .gradients = gradients, .count = count};
    for (int k = 0; k < count; k++)
        loss->rows[k] = rows[k].tensor;
    if (value)
        *value = NULL;
    for (int k = 0; gradients && k < count; k++)
        gradients[k] = NULL;
    DP_CHECK(dp__check_device(device));
    DP_CHECK(fill_params(device, name, params, &loss->params));
    DP_CHECK(check_rows(loss, rows, count));
    loss->n = rows[0].tensor->shape.dim[0];
    if (value && !gradients && dp__recording(device, loss->rows, count))
        loss->gradients = loss->own;
    loss->begun = true;
    dp__record_pause(device);
    return DP_OK;
}

/* The value with the gradients that its history keeps: copies of what the caller gets. */
static dp_status record_value(dp__loss *loss)
{
    dp__record_call call = {.rule = DP__RULE_given, .input_count = loss->count};
    dp_tensor *fused[DP__LOSS_ROWS] = {NULL};
    bool whole = true;
    if (!loss->value || !dp__recording(loss->device, loss->rows, loss->count))
        return DP_OK;
    for (int k = 0; k < loss->count; k++) {
        call.inputs[k] = loss->rows[k];
        if (dp__recording(loss->device, &loss->rows[k], 1)) {
            fused[k] = loss->gradients == loss->own ? dp_tensor_retain(loss->own[k])
                                                    : dp_copy(loss->device, loss->gradients[k]);
            whole = whole && fused[k];
        }
    }
    call.fused = fused;
    if (whole)
        *loss->value = dp__record(*loss->value, &call);
    for (int k = 0; k < loss->count; k++)
        dp_tensor_release(&fused[k]);
    return whole && *loss->value ? DP_OK : dp_failed(loss->device);
}

dp_status dp__loss_end(dp__loss *loss, dp_status status)
{
    if (loss->begun)
        dp__record_resume(loss->device);
    if (status == DP_OK)
        status = record_value(loss);
    for (int k = 0; k < loss->count; k++)
        dp_tensor_release(&loss->own[k]);
    for (int k = 0; status != DP_OK && loss->gradients && k < loss->count; k++)
        dp_tensor_release(&loss->gradients[k]);
    if (status != DP_OK && loss->value)
        dp_tensor_release(loss->value);
    return status;
}

dp_status dp__loss_made(const dp__loss *loss, const dp_tensor *tensor)
{
    return tensor ? DP_OK : dp_failed(loss->device);
}

/* Labels. */

/* A label and the row it is of. */
typedef struct entry {
    int32_t label, row;
} entry;

static int compare(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return (x->label > y->label) - (x->label < y->label);
}

/* Numbers the runs of equal labels. */
static void number_classes(const entry *sorted, int64_t n, float *id, float *share, dp__classes *classes)
{
    for (int64_t first = 0, end; first < n; first = end) {
        for (end = first; end < n && sorted[end].label == sorted[first].label;)
            end++;
        const int64_t others = end - first - 1;
        classes->paired += others > 0 ? end - first : 0;
        for (int64_t k = first; k < end; k++) {
            id[sorted[k].row] = (float)classes->count;
            share[sorted[k].row] = others > 0 ? 1 / (float)others : 0;
        }
        classes->count++;
    }
}

static dp_status read_classes(const dp__loss *loss, const dp_tensor *labels, dp__classes *classes)
{
    const size_t n = (size_t)loss->n;
    entry *sorted = dp__alloc(n, sizeof(*sorted));
    int32_t *label = dp__alloc(n, sizeof(*label));
    float *id = dp__alloc(n, sizeof(*id)), *share = dp__alloc(n, sizeof(*share));
    dp_status status = DP_OK;
    if (!sorted || !label || !id || !share)
        status = dp__fail(loss->device, DP_ERROR_MEMORY, "%s: no memory for %lld labels", loss->name,
                          (long long)n);
    else
        status = dp_read(labels, label, n * sizeof(*label));
    if (status == DP_OK) {
        for (size_t k = 0; k < n; k++)
            sorted[k] = (entry){label[k], (int32_t)k};
        qsort(sorted, n, sizeof(*sorted), compare);
        number_classes(sorted, loss->n, id, share, classes);
        classes->id = dp_from(loss->device, DP_F32, (dp_shape){1, {loss->n}}, id);
        classes->share = dp_from(loss->device, DP_F32, (dp_shape){1, {loss->n}}, share);
        status = dp__loss_made(loss, classes->id && classes->share ? classes->id : NULL);
    }
    dp__free(sorted);
    dp__free(label);
    dp__free(id);
    dp__free(share);
    return status;
}

dp_status dp__loss_classes(const dp__loss *loss, const dp_tensor *labels, dp__classes *classes)
{
    char text[DP_SHAPE_TEXT];
    *classes = (dp__classes){0};
    DP_CHECK(dp__check_dtype(loss->device, labels, "labels", DP_I32));
    if (labels->shape.rank != 1 || labels->shape.dim[0] != loss->n)
        return dp__fail(loss->device, DP_ERROR_ARGUMENT,
                        "%s: labels has shape %s: [%lld] is needed, one a row", loss->name,
                        dp__shape_text(&labels->shape, text), (long long)loss->n);
    if (loss->n > 1 << 24) /* f32 numbers them exactly up to there */
        return dp__fail(loss->device, DP_ERROR_UNSUPPORTED, "%s: %lld rows with labels: 2^24 are supported",
                        loss->name, (long long)loss->n);
    return read_classes(loss, labels, classes);
}

void dp__loss_drop_classes(dp__classes *classes)
{
    dp_tensor_release(&classes->id);
    dp_tensor_release(&classes->share);
}

/* Rows of unit norm. */

dp_status dp__loss_inverse_norms(const dp__loss *loss, const dp_tensor *x, dp_tensor **inverse)
{
    /* Scaled by the largest component first, so that no square overflows or vanishes. */
    static const char text[] = "m = max(abs(x[i])); y = x[i] / m; select(m > 1e-36, rsqrt(dot(y, y)) / m, 0)";
    const dp_arg args[] = {{"x", x, 0}};
    if (loss->params.similarity == DP_COSINE)
        return dp__rows(loss->device, text, false, (dp_args){args, 1}, inverse, 1);
    *inverse = dp_full(loss->device, DP_F32, (dp_shape){1, {loss->n}}, 1);
    return dp__loss_made(loss, *inverse);
}

/* Elements of a block of rows: what a pass over rows may copy. */
#define BLOCK_ELEMENTS (1 << 20)

/* The part of a projection that is one block of rows, as views. */
typedef struct block {
    dp_tensor *g, *x, *y, *r, *rp, *along;
    dp_tensor *column[3]; /* r, rp and along as [rows, 1] */
} block;

static void drop_block(block *b)
{
    dp_tensor **const all[] = {&b->g,     &b->x,         &b->y,         &b->r,        &b->rp,
                               &b->along, &b->column[0], &b->column[1], &b->column[2]};
    for (size_t k = 0; k < DP_COUNT(all); k++)
        dp_tensor_release(all[k]);
}

static dp_tensor *column(dp_tensor *row)
{
    return row ? dp_reshape(row, (dp_shape){2, {row->shape.dim[0], 1}}) : NULL;
}

static dp_status project_block(const dp__loss *loss, const dp__projection *p, block *b)
{
    const dp_arg rows[] = {{"g", b->g, 0}, {"x", b->x, 0},   {"y", b->y, 0},
                           {"r", b->r, 0}, {"rp", b->rp, 0}, {.name = "c", .scalar = p->c}};
    if (!b->g || !b->x || !b->y || !b->r || !b->rp)
        return dp_failed(loss->device);
    if (loss->params.similarity == DP_COSINE)
        DP_CHECK(dp__rows(loss->device, "h = g[i] - c * rp[i] * y[i]; r[i] * (r[i] * dot(h, x[i]))", false,
                          (dp_args){rows, 6}, &b->along, 1));
    else
        b->along = dp_full(loss->device, DP_F32, b->r->shape, 0);
    dp_tensor *const parts[3] = {b->r, b->rp, b->along};
    for (int k = 0; k < 3; k++)
        DP_CHECK(dp__loss_made(loss, b->column[k] = column(parts[k])));
    const dp_arg args[] = {{"g", b->g, 0},
                           {"x", b->x, 0},
                           {"y", b->y, 0},
                           {"r", b->column[0], 0},
                           {"rp", b->column[1], 0},
                           {"q", b->column[2], 0},
                           {.name = "c", .scalar = p->c},
                           {.name = "k", .scalar = p->k}};
    return dp_map_into(loss->device, "k * r * (g - c * rp * y - q * x)", (dp_args){args, 8}, &b->g, 1);
}

/* In blocks of rows, so that no pass copies more than one of them. */
dp_status dp__loss_project(const dp__loss *loss, const dp__projection *p, dp_tensor *g)
{
    const int64_t n = loss->n, rows = DP_MAX2(BLOCK_ELEMENTS / g->shape.dim[1], 1);
    dp_status status = DP_OK;
    for (int64_t first = 0; status == DP_OK && first < n; first += rows) {
        const int64_t end = DP_MIN2(first + rows, n);
        block b = {
            .g = dp_slice(g, 0, first, end, 1),
            .x = dp_slice((dp_tensor *)p->x, 0, first, end, 1),
            .y = dp_slice((dp_tensor *)p->y, 0, first, end, 1),
            .r = dp_slice((dp_tensor *)p->r, 0, first, end, 1),
            .rp = dp_slice((dp_tensor *)p->rp, 0, first, end, 1),
        };
        status = project_block(loss, p, &b);
        drop_block(&b);
    }
    return status;
}
