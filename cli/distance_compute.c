/* SPDX-License-Identifier: Apache-2.0 */
/* The sums of `dipole distance` on one device.
 *
 * Both sets lie on the device in blocks of rows; a launch handles one block of x against one of y and gives
 * f32 sums over a block, which are added up here in double. So a launch stays short, tensors stay within the
 * device's limits, and memory is O(N + M).
 *
 * Standard error: the two-sample delete-one jackknife (Arvesen 1969). With the row sums R_i = sum_j k(x_i,
 * x_j) and C_i = sum_j k(x_i, y_j), deleting x_i changes S_xx = T / N^2 to (T - 2 R_i + k(x_i, x_i)) / (N -
 * 1)^2 and S_xy to (T_xy - C_i) / ((N - 1) M). So the value without x_i differs from the mean of all such
 * values by d_i = -2 (R_i - mean R) / (N - 1)^2 + 2 (C_i - mean C) / ((N - 1) M) where k(x, x) is the same
 * for all x, as it is for a function of |x - y|; U-statistic: (N - 1) (N - 2) for (N - 1)^2. Then error^2 =
 * (N - 1) / N sum_i d_i^2 + the same over y. */
#include "distance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                              \
    32 /* permutations that are summed in one pass, less the two columns that each pass has besides */
#define OFFSET_ROWS 64 /* rows of each set that the mean of the kernel is taken over */

struct block {
    dp_tensor *rows, *weights;
    int64_t first, count; /* of the rows of A, then of B */
};

struct job {
    const distance_options *options;
    const distance_set *a, *b;
    const distance_kernel *kernel;
    dp_device *device;
    struct block *blocks; /* A's, then B's */
    size_t a_blocks, block_count;
    double offset;
    float *buffer; /* what a launch gives back */
    double done, pairs;
};

/* Pairs times dimension of one launch: tenths of a second, so that Ctrl-C and progress feel prompt. */
static double launch_work(dp_device_type type)
{
    switch (type) {
    case DP_DEVICE_REFERENCE:
        return 1 << 26;
    case DP_DEVICE_SOFTWARE_GPU:
        return 1 << 28;
    case DP_DEVICE_CPU:
        return 1 << 30;
    default:
        return 0x1p34;
    }
}

static int64_t block_rows(const struct job *job)
{
    const dp_device_info info = dp_device_get_info(job->device);
    const int64_t columns = job->a->dim > COLUMNS ? job->a->dim : COLUMNS;
    const int64_t by_memory = (int64_t)(info.max_tensor_bytes / sizeof(float)) / columns;
    const int64_t by_work = (int64_t)sqrt(launch_work(info.type) / (double)job->a->dim);
    int64_t rows = by_work < by_memory ? by_work : by_memory;
    const int64_t most = job->a->rows > job->b->rows ? job->a->rows : job->b->rows;
    rows = rows < 64 ? (by_memory < 64 ? by_memory : 64) : rows / 64 * 64;
    return rows < 1 ? 1 : rows > most ? most : rows;
}

static bool upload_set(struct job *job, const distance_set *set, int64_t offset, int64_t rows)
{
    for (int64_t first = 0; first < set->rows; first += rows) {
        struct block *block = &job->blocks[job->block_count];
        block->first = offset + first;
        block->count = set->rows - first < rows ? set->rows - first : rows;
        block->rows = dp_from(job->device, DP_F32, DP_SHAPE(block->count, set->dim),
                              set->data.values + first * set->dim);
        if (!block->rows)
            return false;
        job->block_count++;
    }
    return true;
}

static bool upload(struct job *job)
{
    const int64_t rows = block_rows(job);
    job->blocks = calloc((size_t)(job->a->rows / rows + job->b->rows / rows + 2), sizeof(*job->blocks));
    job->buffer = calloc((size_t)rows * COLUMNS, sizeof(*job->buffer));
    if (!job->blocks || !job->buffer) {
        cli_error("out of memory");
        return false;
    }
    if (!upload_set(job, job->a, 0, rows))
        return false;
    job->a_blocks = job->block_count;
    return upload_set(job, job->b, job->a->rows, rows);
}

/* Runs the kernel on two blocks and leaves rows * columns numbers in job->buffer. */
static bool launch(struct job *job, const char *formula, unsigned mode, const struct block *x,
                   const struct block *y, int64_t columns)
{
    const dp_arg arg[] = {{.name = "x", .tensor = x->rows},
                          {.name = "y", .tensor = y->rows},
                          {.name = "gauge", .scalar = job->kernel->gauge},
                          {.name = "offset", .scalar = job->offset},
                          {.name = "w", .tensor = y->weights}};
    const int count = (int)CLI_COUNT(arg) - !y->weights;
    dp_tensor *sums = dp_pairwise(job->device, formula, mode, (dp_args){arg, count});
    const int64_t rows = mode & DP_OVER_I ? y->count : x->count;
    const bool fits = sums && dp_tensor_size(sums) == rows * columns;
    if (fits)
        dp_read(sums, job->buffer, (size_t)(rows * columns) * sizeof(float));
    else if (sums)
        cli_error("--kernel: the formula gives a vector; a kernel is a number");
    dp_tensor_release(&sums);
    job->done += (double)x->count * (double)y->count;
    cli_progress(job->done / job->pairs, "distance on %s", dp_device_get_info(job->device).id);
    return fits && dp_failed(job->device) == DP_OK && !cli_interrupted();
}

/* sums[i] = sum over y of k(x_i, y_j) for all rows i of the blocks x, or with DP_SUM_I sums[j] over x. Rows
 * are counted from the first block's. Without `diagonal`, the pairs of a row with itself are left out. */
static bool sum_rows(struct job *job, unsigned mode, const struct block *x, size_t x_count,
                     const struct block *y, size_t y_count, bool diagonal, double *sums)
{
    for (size_t i = 0; i < x_count; i++)
        for (size_t j = 0; j < y_count; j++) {
            const bool exclude = !diagonal && &x[i] == &y[j];
            if (!launch(job, job->kernel->formula, mode | (exclude ? DP_EXCLUDE_SELF : 0u), &x[i], &y[j], 1))
                return false;
            const bool over_i = mode & DP_OVER_I;
            double *at = sums + (over_i ? y[j].first - y[0].first : x[i].first - x[0].first);
            for (int64_t r = 0; r < (over_i ? y[j].count : x[i].count); r++)
                at[r] += (double)job->buffer[r];
        }
    return true;
}

static double total(const double *values, int64_t count)
{
    double sum = 0;
    for (int64_t v = 0; v < count; v++)
        sum += values[v];
    return sum;
}

/* One side's part of error^2, see above. */
static double jackknife(const double *self, const double *cross, int64_t n, int64_t m, bool unbiased)
{
    if (n < (unbiased ? 3 : 2))
        return NAN;
    const double self_mean = total(self, n) / (double)n, cross_mean = total(cross, n) / (double)n;
    const double rest = (double)(n - 1), self_pairs = rest * (unbiased ? rest - 1 : rest);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d =
            -2 * (self[i] - self_mean) / self_pairs + 2 * (cross[i] - cross_mean) / (rest * (double)m);
        sum += d * d;
    }
    return rest / (double)n * sum;
}

/* S_xx + S_yy - 2 S_xy from the totals of the three. */
static double combine(const struct job *job, double xx, double yy, double xy)
{
    const double n = (double)job->a->rows, m = (double)job->b->rows;
    const bool unbiased = job->options->unbiased;
    return xx / (n * (unbiased ? n - 1 : n)) + yy / (m * (unbiased ? m - 1 : m)) - 2 * xy / (n * m);
}

static bool find_value(struct job *job, distance_result *result)
{
    const int64_t n = job->a->rows, m = job->b->rows;
    const bool diagonal = !job->options->unbiased;
    const struct block *a = job->blocks, *b = job->blocks + job->a_blocks;
    const size_t a_count = job->a_blocks, b_count = job->block_count - job->a_blocks;
    double *aa = calloc((size_t)(n + m), 2 * sizeof(*aa));
    if (!aa) {
        cli_error("out of memory");
        return false;
    }
    double *bb = aa + n, *ab = bb + m, *ba = ab + n;
    const bool good = sum_rows(job, DP_SUM_J, a, a_count, a, a_count, diagonal, aa) &&
                      sum_rows(job, DP_SUM_J, b, b_count, b, b_count, diagonal, bb) &&
                      sum_rows(job, DP_SUM_J, a, a_count, b, b_count, true, ab) &&
                      sum_rows(job, DP_SUM_I, a, a_count, b, b_count, true, ba);
    if (good) {
        result->value = combine(job, total(aa, n), total(bb, m), total(ab, n));
        result->error = sqrt(jackknife(aa, ab, n, m, !diagonal) + jackknife(bb, ba, m, n, !diagonal));
    }
    free(aa);
    return good;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Writes 1 to n of the n + m entries weights[r * COLUMNS], all such choices alike, and 0 to the rest: each
 * row is taken with the probability (left to take) / (rows left). */
static void choose(float *weights, int64_t n, int64_t m, uint64_t *state)
{
    int64_t take = n;
    for (int64_t r = 0; r < n + m; r++) {
        const uint64_t left = (uint64_t)(n + m - r);
        const bool taken = next_random(state) % left < (uint64_t)take; /* the bias is below 2^-32 */
        weights[r * COLUMNS] = taken ? 1.0f : 0.0f;
        take -= taken;
    }
}

static bool upload_weights(struct job *job, const float *weights)
{
    for (size_t b = 0; b < job->block_count; b++) {
        struct block *block = &job->blocks[b];
        dp_tensor_release(&block->weights);
        block->weights =
            dp_from(job->device, DP_F32, DP_SHAPE(block->count, COLUMNS), weights + block->first * COLUMNS);
        if (!block->weights)
            return false;
    }
    return true;
}

/* One pass over all pairs of rows of both sets: all[c] = 1' K w_c and chosen[c] = w_c' K w_c for each column
 * of the weights. */
static bool sum_columns(struct job *job, const char *formula, const float *weights, double *all,
                        double *chosen)
{
    memset(all, 0, COLUMNS * sizeof(*all));
    memset(chosen, 0, COLUMNS * sizeof(*chosen));
    for (size_t i = 0; i < job->block_count; i++)
        for (size_t j = 0; j < job->block_count; j++) {
            const struct block *x = &job->blocks[i], *y = &job->blocks[j];
            const unsigned exclude = job->options->unbiased && i == j ? DP_EXCLUDE_SELF : 0u;
            if (!launch(job, formula, DP_SUM_J | exclude, x, y, COLUMNS))
                return false;
            for (int64_t v = 0; v < x->count * COLUMNS; v++) {
                all[v % COLUMNS] += (double)job->buffer[v];
                if (weights[x->first * COLUMNS + v] != 0)
                    chosen[v % COLUMNS] += (double)job->buffer[v];
            }
        }
    return true;
}

/* The share of permutations whose value is not below that of the sets as they are, which counts as one of
 * them (Phipson, Smyth 2010). Column 0 of the weights is all ones and column 1 is A; the others choose at
 * random which rows are A. */
static bool count_permutations(struct job *job, const char *formula, float *weights, distance_result *result)
{
    const int64_t n = job->a->rows, m = job->b->rows, wanted = job->options->permutations;
    uint64_t state = (uint64_t)job->options->seed;
    int64_t above = 0;
    for (int64_t done = 0; done < wanted;) {
        double all[COLUMNS], chosen[COLUMNS];
        for (int64_t r = 0; r < n + m; r++) {
            weights[r * COLUMNS] = 1;
            weights[r * COLUMNS + 1] = r < n ? 1.0f : 0.0f;
        }
        for (int c = 2; c < COLUMNS; c++)
            choose(weights + c, n, m, &state);
        if (!upload_weights(job, weights) || !sum_columns(job, formula, weights, all, chosen))
            return false;
        double observed = 0;
        for (int c = 1; c < COLUMNS && (c == 1 || done < wanted); c++) {
            const double value = combine(job, chosen[c], all[0] - 2 * all[c] + chosen[c], all[c] - chosen[c]);
            if (c == 1) {
                observed = value - 1e-6 * fabs(value); /* ties count, whatever the rounding */
                continue;
            }
            above += value >= observed;
            done++;
        }
    }
    result->p_value = (double)(1 + above) / (double)(1 + wanted);
    return true;
}

static bool find_p_value(struct job *job, distance_result *result)
{
    const char *last = strrchr(job->kernel->formula, ';');
    last = last ? last + 1 : job->kernel->formula;
    const size_t size = strlen(job->kernel->formula) + 32;
    char *formula = malloc(size);
    float *weights = calloc((size_t)(job->a->rows + job->b->rows) * COLUMNS, sizeof(*weights));
    bool good = formula && weights;
    if (good) {
        snprintf(formula, size, "%.*s (%s) * w[j]", (int)(last - job->kernel->formula), job->kernel->formula,
                 last);
        good = count_permutations(job, formula, weights, result);
    } else {
        cli_error("out of memory");
    }
    free(formula);
    free(weights);
    return good;
}

/* The mean of the kernel between the first rows of the two sets, about what its values are. */
static bool find_offset(struct job *job)
{
    struct block x = job->blocks[0], y = job->blocks[job->a_blocks];
    x.count = x.count < OFFSET_ROWS ? x.count : OFFSET_ROWS;
    y.count = y.count < OFFSET_ROWS ? y.count : OFFSET_ROWS;
    x.rows = dp_slice(x.rows, 0, 0, x.count, 1);
    y.rows = dp_slice(y.rows, 0, 0, y.count, 1);
    double sum = 0;
    const bool good = launch(job, job->kernel->formula, DP_SUM_J, &x, &y, 1);
    for (int64_t r = 0; r < x.count && good; r++)
        sum += (double)job->buffer[r];
    dp_tensor_release(&x.rows);
    dp_tensor_release(&y.rows);
    job->done = 0;
    job->offset = sum / ((double)x.count * (double)y.count);
    if (good && !isfinite(job->offset))
        cli_error("--kernel: the kernel is not finite between the first rows of the two sets");
    return good && isfinite(job->offset);
}

static void count_pairs(struct job *job)
{
    const double n = (double)job->a->rows, m = (double)job->b->rows;
    const double passes = ceil((double)job->options->permutations / (COLUMNS - 2));
    job->pairs = n * n + m * m + 2 * n * m + passes * (n + m) * (n + m);
}

static bool compute(struct job *job, distance_result *result)
{
    if (!upload(job) || !find_offset(job) || !find_value(job, result))
        return false;
    if (job->options->permutations > 0 && !find_p_value(job, result))
        return false;
    if (isfinite(result->value))
        return true;
    cli_error("--kernel: its sums are not finite in f32");
    return false;
}

int distance_compute(const distance_options *options, const distance_set *a, const distance_set *b,
                     const distance_kernel *kernel, const char *id, distance_result *result)
{
    *result = (distance_result){.value = NAN, .error = NAN, .p_value = NAN};
    struct job job = {.options = options, .a = a, .b = b, .kernel = kernel, .device = cli_open(id)};
    if (!job.device)
        return CLI_FAILED;
    const dp_device_info info = dp_device_get_info(job.device);
    snprintf(result->device, sizeof(result->device), "%s", info.id);
    snprintf(result->name, sizeof(result->name), "%s", info.name);
    count_pairs(&job);
    cli_progress(0, "distance on %s", info.id);
    const double start = cli_seconds();
    const bool good = compute(&job, result);
    result->seconds = cli_seconds() - start;
    result->pairs = job.pairs;
    result->value *= kernel->gain;
    result->error *= kernel->gain;
    cli_progress_end();
    if (!good && !cli_interrupted() && dp_failed(job.device) != DP_OK)
        cli_error("%s: %s", info.id, dp_message(job.device));
    free(job.blocks);
    free(job.buffer);
    dp_device_close(&job.device); /* and every tensor on it */
    return good ? CLI_OK : cli_interrupted() ? CLI_INTERRUPTED : CLI_FAILED;
}
