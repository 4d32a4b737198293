/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick's problems through Dipole, on any device: energy and gradient to x in one pass over the
 * pairs. A measured run is one call and the wait until the device is done; results are read once, for the
 * check against sums in f64. */
#include "common.h"

#include <dipole/dipole.h>

#include <stdio.h>
#include <string.h>

/* e2 is the square of BENCH_EPS. */
static const char *const formulas[BENCH_POTENTIALS] = {
    [BENCH_COULOMB] = "r = rsqrt(sqdist(x[i], y[j]) + e2); r, -r^3 * (x[i] - y[j])",
    [BENCH_RIESZ] =
        "t = sqdist(x[i], y[j]); r = rsqrt(max(t, e2)); r * (1.5 - 0.5 * t * r^2), -r^3 * (x[i] - y[j])",
    [BENCH_GAUSS] = "g = exp(-0.5 * sqdist(x[i], y[j])); g, -g * (x[i] - y[j])",
    [BENCH_DISTANCE] = "t = sqdist(x[i], y[j]); r = select(t > 0, rsqrt(t), 0); -t * r, -r * (x[i] - y[j])",
};

typedef struct pair_run {
    dp_device *device;
    const char *formula;
    dp_tensor *x, *y;
    bool self;
    dp_tensor *result[2];
} pair_run;

static void release_results(pair_run *run)
{
    for (int o = 0; o < 2; o++)
        dp_tensor_release(&run->result[o]);
}

static bool run_pairs(void *data)
{
    pair_run *run = data;
    const double eps = (double)BENCH_EPS;
    release_results(run);
    char formula[128];
    snprintf(formula, sizeof formula, "%s", run->formula);
    for (char *y = formula; run->self && (y = strstr(y, "y[j]"));)
        *y = 'x'; /* the library sees that both sides are one set */
    dp_pairwise_many(run->device, formula, run->self ? DP_SUM_J | DP_EXCLUDE_SELF : DP_SUM_J,
                     DP_ARGS({"x", run->x}, {"y", run->y}, {.name = "e2", .scalar = eps * eps}), run->result,
                     2);
    return dp_device_wait(run->device) == DP_OK;
}

/* Reads the results, compares them with sums in f64 and prints the row. */
static bool print_checked(const bench_options *options, const pair_run *run, bench_row *row)
{
    const bench_problem *problem = row->problem;
    if (dp_read(run->result[0], problem->energy, problem->n * sizeof(float)) != DP_OK ||
        dp_read(run->result[1], problem->gradient, problem->n * (size_t)problem->dim * sizeof(float)) != DP_OK)
        return false;
    row->error = bench_error(problem);
    bench_print(options, row);
    return row->error <= BENCH_MAX_ERROR;
}

static bool close_case(dp_device *device, pair_run *run, bench_problem *problem, const bench_row *row, bool good)
{
    if (!good)
        fprintf(stderr, "pairwise: %s %s in dimension %d: %s\n", row->name, row->variant, problem->dim,
                dp_failed(device) ? dp_message(device) : "wrong results");
    release_results(run);
    dp_tensor_release(&run->x);
    dp_tensor_release(&run->y);
    bench_close(problem);
    dp_clear(device);
    return good;
}

static bool bench_case(const bench_options *options, dp_device *device, bench_problem problem)
{
    bench_row row = {.name = bench_potential_names[problem.potential],
                     .variant = "",
                     .unit = "pairs/s",
                     .problem = &problem};
    bool good = false;
    if (!bench_open(&problem))
        return false;
    const int64_t n = (int64_t)problem.n, m = (int64_t)problem.m;
    pair_run run = {.device = device, .formula = formulas[problem.potential], .self = problem.self};
    run.x = dp_from(device, DP_F32, DP_SHAPE(n, problem.dim), problem.x);
    run.y = dp_from(device, DP_F32, DP_SHAPE(m, problem.dim), problem.y);
    good = bench_measure(&row.rates, options->seconds, (double)n * (double)m, run_pairs, &run) && print_checked(options, &run, &row);
    return close_case(device, &run, &problem, &row, good);
}

/* Value and gradients to both sides, as training needs them, by symbolic differentiation. */
static bool run_both_sides(void *data)
{
    static const char *const wrt[] = {"x", "y"};
    pair_run *run = data;
    dp_tensor *gradients[2] = {NULL, NULL};
    release_results(run);
    const dp_status status =
        dp_pairwise_gradient(run->device, run->formula, DP_SUM_J, DP_ARGS({"x", run->x, 0}, {"y", run->y, 0}), NULL, wrt, 2,
                             gradients, &run->result[0]);
    run->result[1] = gradients[0];
    dp_tensor_release(&gradients[1]);
    return status == DP_OK && dp_device_wait(run->device) == DP_OK;
}

/* Its rate in useful FLOP/s, 7 a component: the difference and its square, added up, and twice a product that is added. */
static bool bench_both_sides(const bench_options *options, dp_device *device, bench_problem problem)
{
    bench_row row = {.name = bench_potential_names[problem.potential], .variant = "both", .unit = "FLOP/s", .problem = &problem};
    bool good = false;
    if (!bench_open(&problem))
        return false;
    const int64_t n = (int64_t)problem.n, m = (int64_t)problem.m;
    pair_run run = {.device = device,
                    .formula = problem.potential == BENCH_GAUSS ? "exp(-0.5 * sqdist(x[i], y[j]))" : "-norm(x[i] - y[j])"};
    run.x = dp_from(device, DP_F32, DP_SHAPE(n, problem.dim), problem.x);
    run.y = dp_from(device, DP_F32, DP_SHAPE(m, problem.dim), problem.y);
    const double flops = 7.0 * problem.dim * (double)n * (double)m;
    good = bench_measure(&row.rates, options->seconds, flops, run_both_sides, &run) && print_checked(options, &run, &row);
    return close_case(device, &run, &problem, &row, good);
}

typedef struct matmul_run {
    dp_device *device;
    dp_tensor *a, *b;
} matmul_run;

static bool run_matmul(void *data)
{
    matmul_run *run = data;
    dp_tensor *c = dp_matmul(run->device, run->a, run->b, NULL);
    const bool good = dp_device_wait(run->device) == DP_OK;
    dp_tensor_release(&c);
    return good;
}

/* The FLOP/s that pairs of many dimensions, two such products, are compared with. */
static bool bench_matmul(const bench_options *options, dp_device *device)
{
    enum { SIZE = 1024 };
    bench_row row = {.name = "matmul", .variant = "1024^3", .unit = "FLOP/s", .error = -1};
    matmul_run run = {device, dp_randn(device, 1, DP_SHAPE(SIZE, SIZE)),
                      dp_randn(device, 2, DP_SHAPE(SIZE, SIZE))};
    const bool good = bench_measure(&row.rates, options->seconds, 2.0 * SIZE * SIZE * SIZE, run_matmul, &run);
    if (good)
        bench_print(options, &row);
    else
        fprintf(stderr, "pairwise: matmul: %s\n", dp_message(device));
    dp_tensor_release(&run.a);
    dp_tensor_release(&run.b);
    dp_clear(device);
    return good;
}

static bool bench_grid(const bench_options *options, dp_device *device)
{
    static const int dims[] = {2, 3, 16};
    bool good = true;
    for (int p = 0; p < BENCH_POTENTIALS; p++)
        for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
            if (options->potential < 0 ? p != BENCH_DISTANCE && (!options->dim || options->dim == dims[d])
                                       : options->potential == p && (options->dim ? d == 0 : true)) {
                const bench_problem problem = {.potential = (bench_potential)p,
                                               .dim = options->dim ? options->dim : dims[d],
                                               .n = options->n ? options->n : 16384,
                                               .m = options->m ? options->m : 16384};
                good = bench_case(options, device, problem) && good;
            }
    return good;
}

static bool bench_suite(const bench_options *options, dp_device *device)
{
    static const bench_problem problems[] = {
        {.potential = BENCH_COULOMB, .dim = 3, .n = 256, .m = 256},
        {.potential = BENCH_COULOMB, .dim = 3, .n = 4096, .m = 4096},
        {.potential = BENCH_COULOMB, .dim = 3, .n = 65536, .m = 65536},
        {.potential = BENCH_COULOMB, .dim = 3, .n = 16384, .m = 16384, .self = true},
        {.potential = BENCH_COULOMB, .dim = 3, .n = 65536, .m = 65536, .self = true},
        {.potential = BENCH_DISTANCE, .dim = 784, .n = 2048, .m = 2048},
    };
    static const bench_problem both[] = {
        {.potential = BENCH_GAUSS, .dim = 16, .n = 8192, .m = 8192},
        {.potential = BENCH_DISTANCE, .dim = 784, .n = 2048, .m = 2048},
    };
    bool good = true;
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++)
        good = bench_case(options, device, problems[k]) && good;
    for (size_t k = 0; k < sizeof both / sizeof *both; k++)
        good = bench_both_sides(options, device, both[k]) && good;
    return bench_matmul(options, device) && good;
}

int main(int argc, char **argv)
{
    const bench_options options = bench_parse(argc, argv, true);
    dp_device *device = dp_device_open(options.device);
    const dp_device_info info = dp_device_get_info(device);
    char what[320];
    bool good = true;
    if (dp_failed(device)) {
        fprintf(stderr, "pairwise: %s\n", dp_message(device));
        dp_device_close(&device);
        return 1;
    }
    snprintf(what, sizeof what, "%s, %s, %s", info.id, info.name, info.driver);
    bench_begin(&options, "pairwise", what);
    good = bench_grid(&options, device);
    if (options.suite)
        good = bench_suite(&options, device) && good;
    bench_end(&options);
    dp_device_close(&device);
    return good ? 0 : 1;
}
