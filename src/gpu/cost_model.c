/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/cost_model.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F       DP__MODEL_FEATURES
#define RIDGE   2.0  /* timings that say "no effect" for each feature */
#define SLOWEST -6.0 /* how much slower than the best does not matter beyond that */
#define LIKE                                                                                                 \
    0.3 /* what a timing on a device of the same vendor, type and API counts for, against the device's own,  \
         */
#define OTHER 0.1 /* and on another device of the same type */

dp__model_device dp__model_device_of(const dp__gpu *gpu)
{
    dp__model_device device = {.units = gpu->limits.compute_units,
                               .vector = gpu->limits.max_vector,
                               .group = gpu->limits.max_group_size,
                               .local = gpu->limits.local_bytes};
    dp__device_key(&gpu->device->info, device.key);
    return device;
}

dp__model_device dp__model_device_in(const dp__timing *timing)
{
    dp__model_device device = {
        .units = timing->units, .vector = timing->vector, .group = timing->group, .local = timing->local};
    snprintf(device.key, sizeof device.key, "%s", timing->device);
    return device;
}

static bool is_vulkan(const dp__model_device *device)
{
    return strncmp(device->key, "vulkan/", 7) == 0;
}

static bool has_type(const dp__model_device *device, const char *type)
{
    const char *slash = strchr(device->key, '/');
    return slash && strncmp(slash + 1, type, strlen(type)) == 0;
}

/* The safe choice of a device that may not be here, for a typical call of the class. */
static const dp__variant *safe_of(const dp__model_device *device, const dp__shape_class *shape)
{
    const dp__gpu_driver driver = {.glsl = is_vulkan(device)};
    dp__gpu gpu = {.driver = &driver};
    gpu.limits = (dp__gpu_limits){.type = has_type(device, "cpu")        ? DP_DEVICE_CPU
                                          : has_type(device, "software") ? DP_DEVICE_SOFTWARE_GPU
                                                                         : DP_DEVICE_DISCRETE_GPU,
                                  .max_group_size = device->group,
                                  .max_group_dim = {device->group, device->group, 64},
                                  .local_bytes = device->local,
                                  .max_vector = device->vector,
                                  .compute_units = device->units,
                                  .max_tensor_bytes = (uint64_t)1 << 31,
                                  .max_bindings = 16,
                                  .subgroup_size = 32};
    const int64_t n = (int64_t)1 << shape->n, row = (int64_t)1 << DP_MIN2(shape->row, shape->n);
    const bool wide = shape->b == 'n';
    dp__contraction call = {.batches = (int64_t)1 << shape->batches,
                            .m = (int64_t)1 << shape->m,
                            .n = {row, n / row, 1},
                            .depth = (int64_t)1 << shape->k,
                            .table = (int)shape->kind};
    call.a.column[0] = shape->a == 'n' ? 1 : call.m;
    call.b.column[0] = wide ? 1 : call.depth;
    call.b.step = wide ? n : 1;
    call.result.column[0] = shape->result == 'n' ? 1 : 2;
    return dp__contract_safe(&gpu, &call);
}

/* log2 of how much more is computed than asked for, where `size` is cut into tiles. */
static double waste(double size, double tile)
{
    return log2(ceil(size / tile) * tile / size);
}

static int type_of(const dp__model_device *device)
{
    return has_type(device, "cpu") ? 0 : has_type(device, "software") ? 1 : 2;
}

/* Before any measurement: variants like the safe choice are good, and what is computed in vain costs what it
 * takes. The first features are these. */
enum { SAFE, SAFE_KERNEL, UNLIKE_SAFE, WASTE_ROWS, WASTE_COLUMNS, EXPECTED };
static const double expected[EXPECTED] = {0.5, 0.5, -0.3, -0.7, -0.7};

static double expect(const double x[F])
{
    double sum = 0;
    for (int f = 0; f < EXPECTED; f++)
        sum += expected[f] * x[f];
    return sum;
}

/* What is known of a variant alone. */
static int variant_features(const dp__variant *variant, double x[])
{
    const double columns = (double)variant->vectors * variant->width;
    int f = 0;
    x[f++] = strcmp(variant->kernel, "contract_direct") == 0;
    x[f++] = strcmp(variant->kernel, "contract_panels") == 0;
    x[f++] = strcmp(variant->kernel, "contract_tiles") == 0;
    x[f++] = strcmp(variant->kernel, "contract_dot") == 0;
    x[f++] = log2(variant->width) / 2;
    x[f++] = log2(variant->rows * columns) / 3;
    x[f++] = 1.0 / variant->rows + 1 / columns; /* what is read for a multiply-add */
    x[f++] = log2((double)variant->group_x * variant->group_y) / 4;
    x[f++] = variant->vectors > 1;
    return f;
}

/* All features: of the variant on each type of device, and of how it fits the class and the device. */
static void features(const dp__model_device *device, const dp__shape_class *shape, const dp__variant *variant,
                     double x[F])
{
    double own[12]; /* direct, panels, tiles, dot, width, work, what is read, group, several vectors */
    const int count = variant_features(variant, own);
    const double m = exp2(shape->m), n = exp2(shape->n), batches = exp2(shape->batches);
    const double rows = (double)variant->rows * variant->group_y;
    const double columns = (double)variant->vectors * variant->width * variant->group_x;
    const double tiles = ceil(m / rows) * ceil(n / columns) * batches / DP_MAX2(device->units, 1);
    const double few = fmin(fmax(3 - log2(tiles), 0), 6) / 2; /* tiles for the compute units */
    const double small = fmin(fmax(22 - (shape->m + shape->n + shape->k + shape->batches), 0), 12) / 4;
    const dp__variant *safe = safe_of(device, shape);
    memset(x, 0, F * sizeof *x);
    x[SAFE] = variant == safe;
    x[SAFE_KERNEL] = strcmp(variant->kernel, safe->kernel) == 0;
    x[UNLIKE_SAFE] = fabs(log2((double)variant->rows * variant->vectors * variant->width) -
                          log2((double)safe->rows * safe->vectors * safe->width));
    x[WASTE_ROWS] = fmin(waste(m, rows), 4);
    x[WASTE_COLUMNS] = fmin(waste(n, columns), 4);
    int f = EXPECTED;
    for (int i = 0; i < count; i++) {
        x[f++] = has_type(device, "cpu") ? own[i] : 0;
        x[f++] = has_type(device, "software") ? own[i] : 0;
        x[f++] = is_vulkan(device) ? own[i] : 0;
    }
    x[f++] = shape->kind == DP__MATMUL ? 0 : fmin(waste(exp2(shape->row), (double)variant->width), 3);
    x[f++] = few;
    x[f++] = few * own[5];
    x[f++] = small * own[1];
    x[f++] = small * own[2];
    x[f++] = small * own[5];
    x[f++] = shape->b != 'n' ? own[0] : 0;
    x[f++] = shape->b != 'n' ? own[4] : 0;
    x[f++] = shape->a != 'n' ? own[0] : 0;
    x[f++] = shape->kind != DP__MATMUL ? own[2] : 0;
    x[f++] = shape->kind != DP__MATMUL ? own[4] : 0;
    x[f++] = variant->width > (int)device->vector;
    x[f++] = 1;
}

/* Solves the symmetric positive definite system a w = b in place (Cholesky). */
static void solve(double a[F][F], double b[F])
{
    for (int i = 0; i < F; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i][j];
            for (int k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            a[i][j] = i == j ? sqrt(sum) : sum / a[j][j];
        }
    for (int i = 0; i < F; i++) {
        for (int k = 0; k < i; k++)
            b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
    for (int i = F - 1; i >= 0; i--) {
        for (int k = i + 1; k < F; k++)
            b[i] -= a[k][i] * b[k];
        b[i] /= a[i][i];
    }
}

/* log2 of a timing's speed against the best of its device and class; NaN where its variant is not in the
 * table. */
static double target(const dp__timings *timings, const dp__timing *own)
{
    double best = 0;
    for (size_t i = 0; i < timings->count; i++) {
        const dp__timing *other = &timings->list[i];
        if (dp__class_equal(&other->shape, &own->shape) && strcmp(other->device, own->device) == 0)
            best = fmax(best, other->gflops);
    }
    return dp__variant_find(own->variant) && own->gflops > 0 ? fmax(log2(own->gflops / best), SLOWEST)
                                                             : (double)NAN;
}

static double product(const double a[F], const double b[F])
{
    double sum = 0;
    for (int f = 0; f < F; f++)
        sum += a[f] * b[f];
    return sum;
}

bool dp__model_train(dp__model *model, const dp__timings *timings, const char *without)
{
    *model = (dp__model){.timings = timings, .rest = dp__alloc(timings->count, sizeof *model->rest)};
    double(*a)[F] = dp__alloc(F, sizeof *a), x[F];
    double(*known)[F] = dp__alloc(timings->count, sizeof *known);
    if (!model->rest || !a || !known) {
        dp__free(a);
        dp__free(known);
        dp__model_free(model);
        return false;
    }
    for (int f = 0; f < F; f++)
        a[f][f] = RIDGE;
    for (size_t t = 0; t < timings->count; t++) {
        const dp__timing *timing = &timings->list[t];
        const dp__model_device device = dp__model_device_in(timing);
        const bool use = !without || strcmp(timing->device, without) != 0;
        const double y = use ? target(timings, timing) : (double)NAN;
        model->rest[t] = y;
        if (isnan(y))
            continue;
        features(&device, &timing->shape, dp__variant_find(timing->variant), x);
        memcpy(known[t], x, sizeof x);
        for (int i = 0; i < F; i++) {
            for (int j = 0; j < F; j++)
                a[i][j] += x[i] * x[j];
            model->weight[i] += x[i] * (y - expect(x)); /* the regression is of what was not expected */
        }
        model->seen[type_of(&device)] = true;
    }
    solve(a, model->weight);
    for (size_t t = 0; t < timings->count; t++)
        model->rest[t] -= product(model->weight, known[t]) + expect(known[t]); /* NaN stays */
    dp__free(a);
    dp__free(known);
    return true;
}

void dp__model_free(dp__model *model)
{
    dp__free(model->rest);
    *model = (dp__model){0};
}

double dp__model_predict(const dp__model *model, const dp__model_device *device, const dp__shape_class *shape,
                         const dp__variant *variant)
{
    double x[F], sum = 0, count = 0.5;
    features(device, shape, variant, x);
    if (!model->seen[type_of(device)])
        return expect(x);
    for (size_t t = 0; t < model->timings->count; t++) {
        const dp__timing *timing = &model->timings->list[t];
        if (isnan(model->rest[t]) || strcmp(timing->variant, variant->name) != 0)
            continue;
        const int other = dp__device_distance(timing->device, device->key);
        const double distance = dp__class_distance(&timing->shape, shape);
        if (other > 3 || isinf(distance))
            continue;
        const double weight = exp2(-distance) * (other == 0 ? 1 : other == 1 ? LIKE : OTHER);
        sum += weight * model->rest[t];
        count += weight;
    }
    return expect(x) + product(model->weight, x) + sum / count;
}
