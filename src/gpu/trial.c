/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/trial.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define UNIT_ROUNDOFF 0x1p-24

static int64_t columns_of(const dp__trial_shape *shape)
{
    return shape->n[0] * shape->n[1] * shape->n[2];
}

/* The side of the square of taps. */
static int64_t side_of(int64_t taps)
{
    return taps == 9 ? 3 : taps == 16 ? 4 : taps == 25 ? 5 : taps == 49 ? 7 : 1;
}

/* The image that a convolution reads, with its padding in it: {width, height, channels}. */
static void image_of(const dp__trial_shape *shape, int64_t image[3])
{
    if (shape->table == 1) {
        const int64_t side = side_of(shape->taps);
        image[0] = (shape->n[0] - 1) * shape->column + side;
        image[1] = (shape->n[1] - 1) * shape->column + side;
        image[2] = DP_CEIL_DIV(shape->depth, side * side);
    } else { /* the gradient to the weights: depths are the pixels of the result, columns the weights */
        const int64_t width = DP_MAX2(DP_MIN2(shape->depth, 56), 1), stride = DP_MAX2(shape->along, 1);
        image[0] = (width - 1) * stride + (shape->n[0] - 1) * shape->column + 1;
        image[1] = (DP_CEIL_DIV(shape->depth, width) - 1) * stride + (shape->n[1] - 1) * shape->column + 1;
        image[2] = shape->n[2];
    }
}

static int64_t b_size(const dp__trial_shape *shape)
{
    int64_t image[3];
    if (!shape->table)
        return shape->batches * shape->depth * columns_of(shape) * shape->column;
    image_of(shape, image);
    const int64_t images = shape->table == 1 ? shape->n[2] : 1;
    return shape->batches * images * image[0] * image[1] * image[2];
}

double dp__trial_flops(const dp__trial_shape *shape)
{
    return 2.0 * (double)shape->batches * (double)shape->m * (double)columns_of(shape) * (double)shape->depth;
}

uint64_t dp__trial_bytes(const dp__trial_shape *shape)
{
    const int64_t a = shape->batches * shape->m * shape->depth,
                  result = shape->batches * shape->m * columns_of(shape) * DP_MAX2(shape->apart, 1);
    return 4 * (uint64_t)(a + b_size(shape) + 2 * result + 2 * shape->depth);
}

static int64_t taps_of(int64_t depth)
{
    return depth % 9 == 0 ? 9 : depth % 49 == 0 ? 49 : depth % 25 == 0 ? 25 : depth % 16 == 0 ? 16 : 1;
}

dp__trial_shape dp__trial_of(const dp__contraction *call)
{
    dp__trial_shape shape = {.table = call->table,
                             .batches = call->batches,
                             .m = call->m,
                             .depth = call->depth,
                             .a_turned = call->table != 2 && call->a.column[0] != 1};
    memcpy(shape.n, call->n, sizeof shape.n);
    const int64_t apart = call->b.column[0], along = call->along_depth;
    shape.apart = call->result.column[0] == 1 ? 1 : call->result.column[0] == 2 ? 2 : 3;
    if (call->table) {
        shape.along = along <= 2 ? (int)along : 3;
        shape.column = apart == 1 ? 1 : apart == 2 ? 2 : 3;
        shape.taps = call->table == 1 ? taps_of(call->depth) : 0;
    } else {
        shape.b_turned = apart != 1 && call->b.step == 1;
        shape.column = apart == 1 || shape.b_turned ? 1 : apart == 2 ? 2 : 3;
    }
    return shape;
}

/* Where each depth is, in B or in A and B. */
static void fill_steps(const dp__trial_shape *shape, int32_t *steps)
{
    int64_t image[3];
    image_of(shape, image);
    const int64_t side = side_of(shape->taps), width = DP_MAX2(DP_MIN2(shape->depth, 56), 1);
    const int64_t stride = DP_MAX2(shape->along, 1);
    for (int64_t k = 0; k < shape->depth; k++) {
        if (shape->table == 1) {
            const int64_t tap = k % (side * side);
            steps[k] = (int32_t)((k / (side * side) * image[1] + tap / side) * image[0] + tap % side);
        } else {
            steps[2 * k] = (int32_t)k;
            steps[2 * k + 1] = (int32_t)((k / width * image[0] + k % width) * stride);
        }
    }
}

static void set_b(const dp__trial_shape *shape, dp__contraction *call)
{
    const int64_t n = columns_of(shape), apart = shape->column;
    call->b = (dp__contraction_view){.batch = b_size(shape) / shape->batches};
    if (!shape->table) {
        call->b.step = shape->b_turned ? 1 : n * apart;
        call->b.column[0] = shape->b_turned ? shape->depth * apart : apart;
        call->b.column[1] = call->b.column[0] * shape->n[0];
        call->b.column[2] = call->b.column[1] * shape->n[1];
        return;
    }
    int64_t image[3];
    image_of(shape, image);
    call->b.column[0] = apart;
    call->b.column[1] = apart * image[0];
    call->b.column[2] = image[0] * image[1] * (shape->table == 1 ? image[2] : 1);
}

/* Results: [batches, m, n], of a convolution [batches, images, m, pixels]. */
static dp__contraction_view result_view(const dp__trial_shape *shape)
{
    const int64_t apart = DP_MAX2(shape->apart, 1), pixels = shape->n[0] * shape->n[1] * apart,
                  n = columns_of(shape) * apart;
    const bool images = shape->table == 1 && shape->n[2] > 1;
    return (dp__contraction_view){
        .batch = shape->m * n,
        .step = images ? pixels : n,
        .column = {apart, shape->n[0] * apart, images ? shape->m * pixels : pixels}};
}

dp__contraction dp__trial_call(const dp__trial_shape *shape)
{
    dp__contraction call = {.batches = shape->batches,
                            .m = shape->m,
                            .n = {shape->n[0], shape->n[1], shape->n[2]},
                            .depth = shape->depth,
                            .alpha = 1,
                            .table = shape->table,
                            .along_depth = shape->table ? shape->along : 0};
    call.a = (dp__contraction_view){.batch = shape->m * shape->depth,
                                    .step = shape->a_turned ? 1 : shape->depth,
                                    .column = {shape->table == 2 ? 0
                                               : shape->a_turned ? shape->m
                                                                 : 1}};
    set_b(shape, &call);
    call.c = call.result = result_view(shape);
    return call;
}

static void set_call(dp__trial *trial)
{
    dp__contraction *call = &trial->call;
    *call = dp__trial_call(&trial->shape);
    call->a.buffer = trial->a->buffer;
    call->b.buffer = trial->b->buffer;
    call->c.buffer = trial->c->buffer;
    call->result.buffer = trial->result->buffer;
    call->steps = trial->steps ? trial->steps->buffer : NULL;
}

static dp_tensor *random_tensor(dp__gpu *gpu, uint64_t seed, int64_t size)
{
    dp_tensor *tensor = dp__tensor_create(gpu->device, DP_F32, DP_SHAPE(size));
    const dp__random_call call = {.seed = seed, .low = -1, .high = 1, .out = tensor};
    if (tensor && dp__plan_random(gpu, &call) != DP_OK)
        dp_tensor_release(&tensor);
    return tensor;
}

static dp_status upload_steps(dp__gpu *gpu, dp__trial *trial)
{
    const size_t count = (size_t)trial->shape.depth * (size_t)trial->shape.table;
    trial->step = dp__alloc(count, sizeof *trial->step);
    if (!trial->step)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for a table of %zu depths", count);
    fill_steps(&trial->shape, trial->step);
    trial->steps = dp__tensor_create(gpu->device, DP_I32, DP_SHAPE((int64_t)count));
    return trial->steps ? gpu->driver->buffer_write(gpu, trial->steps->buffer->handle, 0, trial->step,
                                                    count * sizeof *trial->step)
                        : DP_ERROR_MEMORY;
}

dp_status dp__trial_open(dp__gpu *gpu, const dp__trial_shape *shape, uint64_t seed, dp__trial *trial)
{
    *trial = (dp__trial){.shape = *shape};
    const int64_t results = shape->batches * shape->m * columns_of(shape) * DP_MAX2(shape->apart, 1);
    dp_status status = shape->table ? upload_steps(gpu, trial) : DP_OK;
    if (status == DP_OK) {
        trial->a = random_tensor(gpu, seed, DP_MAX2(shape->batches * shape->m * shape->depth, 1));
        trial->b = random_tensor(gpu, seed + 1, DP_MAX2(b_size(shape), 1));
        trial->c = random_tensor(gpu, seed + 2, results);
        trial->result = random_tensor(gpu, seed + 3, results);
        status = trial->a && trial->b && trial->c && trial->result ? DP_OK : DP_ERROR_MEMORY;
    }
    if (status == DP_OK)
        set_call(trial);
    else
        dp__trial_close(trial);
    return status;
}

void dp__trial_close(dp__trial *trial)
{
    dp_tensor *tensors[] = {trial->a, trial->b, trial->c, trial->result, trial->steps};
    for (size_t i = 0; i < DP_COUNT(tensors); i++)
        dp_tensor_release(&tensors[i]);
    dp__free(trial->step);
    *trial = (dp__trial){0};
}

/* A tensor's numbers on the host. */
static float *download(dp__gpu *gpu, const dp_tensor *tensor)
{
    const size_t bytes = (size_t)tensor->shape.dim[0] * sizeof(float);
    float *values = dp__alloc(bytes, 1);
    if (!values) {
        dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for %zu bytes of a check", bytes);
    } else if (gpu->driver->buffer_read(gpu, tensor->buffer->handle, 0, values, bytes) != DP_OK) {
        dp__free(values);
        values = NULL;
    }
    return values;
}

/* What a check works on. */
typedef struct sums {
    const float *a, *b;
    int64_t *place;          /* of each column in B */
    double *sum, *magnitude; /* of a row */
} sums;

static void add_row(const dp__trial *trial, sums *own, int64_t batch, int64_t row)
{
    const dp__contraction *call = &trial->call;
    const int64_t n = columns_of(&trial->shape);
    for (int64_t j = 0; j < n; j++)
        own->sum[j] = own->magnitude[j] = 0;
    for (int64_t k = 0; k < call->depth; k++) {
        const int64_t in_a = call->table == 2 ? trial->step[2 * k] : k * call->a.column[0];
        const int64_t in_b = call->table == 2   ? trial->step[2 * k + 1]
                             : call->table == 1 ? trial->step[k]
                                                : k * call->b.step;
        const double x = (double)own->a[batch * call->a.batch + row * call->a.step + in_a];
        const float *b = own->b + batch * call->b.batch + in_b;
        for (int64_t j = 0; j < n; j++) {
            const double product = x * (double)b[own->place[j]];
            own->sum[j] += product;
            own->magnitude[j] += fabs(product);
        }
    }
}

/* As in the reference's bound of a product: any order of the products and their sums, and a rounding each for
 * alpha, beta and their sum; what denormal numbers may lose. */
static bool is_within(const dp__contraction *call, double sum, double magnitude, double c, float result)
{
    const double alpha = (double)call->alpha, beta = (double)call->beta, roundings = (double)call->depth + 3;
    const double all = fabs(alpha) * magnitude + fabs(beta * c), chain = roundings * UNIT_ROUNDOFF;
    const double bound = chain / (1 - chain) * all + (roundings * fmax(fabs(alpha), 1) + 3) * (double)FLT_MIN;
    const double error = fabs((double)result - (alpha * sum + beta * c));
    return error <= bound; /* false for NaN */
}

static bool row_is_right(const dp__trial *trial, const dp__contraction *call, const sums *own, const float *c,
                         const float *result, int64_t batch, int64_t row)
{
    const dp__contraction_view *view = &call->result;
    for (int64_t j = 0; j < columns_of(&trial->shape); j++) {
        const int64_t j0 = j % call->n[0], j1 = j / call->n[0] % call->n[1], j2 = j / call->n[0] / call->n[1];
        const int64_t at = batch * view->batch + row * view->step + j0 * view->column[0] +
                           j1 * view->column[1] + j2 * view->column[2];
        if (!is_within(call, own->sum[j], own->magnitude[j], (double)c[at], result[at]))
            return false;
    }
    return true;
}

static bool all_right(const dp__trial *trial, const dp__contraction scaled, sums *own, const float *c,
                      float *const result[2])
{
    for (int64_t j = 0; j < columns_of(&trial->shape); j++) {
        const dp__contraction *call = &trial->call;
        own->place[j] = j % call->n[0] * call->b.column[0] + j / call->n[0] % call->n[1] * call->b.column[1] +
                        j / call->n[0] / call->n[1] * call->b.column[2];
    }
    for (int64_t batch = 0; batch < trial->shape.batches; batch++)
        for (int64_t row = 0; row < trial->shape.m; row++) {
            add_row(trial, own, batch, row);
            if (!row_is_right(trial, &trial->call, own, c, result[0], batch, row) ||
                !row_is_right(trial, &scaled, own, c, result[1], batch, row))
                return false;
        }
    return true;
}

dp_status dp__trial_check(dp__gpu *gpu, dp__trial *trial, const dp__variant *variant, bool *right)
{
    dp__contraction scaled = trial->call;
    scaled.alpha = -0.5f;
    scaled.beta = 0.25f;
    const size_t n = (size_t)columns_of(&trial->shape);
    float *result[2] = {NULL, NULL}, *a = NULL, *b = NULL, *c = NULL;
    sums own = {.place = dp__alloc(n, sizeof *own.place),
                .sum = dp__alloc(n, sizeof *own.sum),
                .magnitude = dp__alloc(n, sizeof *own.magnitude)};
    *right = false;
    dp_status status =
        own.place && own.sum && own.magnitude
            ? DP_OK
            : dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for a check of %zu columns", n);
    for (int run = 0; status == DP_OK && run < 2; run++) {
        status = dp__contract_with(gpu, run ? &scaled : &trial->call, variant);
        if (status == DP_OK && !(result[run] = download(gpu, trial->result)))
            status = DP_ERROR_DRIVER;
    }
    if (status == DP_OK) {
        own.a = a = download(gpu, trial->a);
        own.b = b = download(gpu, trial->b);
        c = download(gpu, trial->c);
        status = a && b && c ? DP_OK : DP_ERROR_DRIVER;
    }
    if (status == DP_OK)
        *right = all_right(trial, scaled, &own, c, result);
    void *memory[] = {own.place, own.sum, own.magnitude, result[0], result[1], a, b, c};
    for (size_t i = 0; i < DP_COUNT(memory); i++)
        dp__free(memory[i]);
    return status;
}
