/* SPDX-License-Identifier: Apache-2.0 */
/* dipole bench: what multiply-adds alone, and moves through memory alone, reach on a device, by formulas like
 * any other. It is what the kernels of this library can get at best, and a lower bound of what the hardware
 * can do. */
#include "bench.h"

#include <stdio.h>

enum {
    CHAINS = 10, /* of multiply-adds that do not wait for each other: two pipes with a latency of 4 need 8, */
    LINKS = 24,  /* each so long */
    TRIES = 4, /* measurements, of which the fastest counts: others on the machine disturb them one by one */
    MOST_I = 1 << 20,
    MOST_J = 4096,
    LEAST_ELEMENTS = 1 << 14,
};

/* Seconds of the fastest batch; 0 on failure. */
static double fastest(const bench_work *work, double seconds)
{
    double best = 0;
    for (int k = 0; k < TRIES && !cli_interrupted(); k++) {
        bench_timing timing;
        if (!bench_measure(work, seconds / TRIES, &timing))
            return 0;
        best = best == 0 || timing.min < best ? timing.min : best;
    }
    return best;
}

/* `rate`; 0 after a message. */
static double finish(dp_device *device, double rate)
{
    if (!(rate > 0) && !cli_interrupted())
        cli_error("%s: %s", dp_device_get_info(device).id, dp_message(device));
    return rate > 0 ? rate : 0;
}

/* ---- multiply-adds ---- */

typedef struct peak_run {
    dp_device *device;
    char formula[CHAINS * LINKS * 32];
    dp_tensor *a, *b, *result;
} peak_run;

/* The state is a number for each chain, and a step is v0 = v0 a + v1; v1 = v1 a + v2; ... all with the values
 * of the step before. As each needs its neighbour too, a compiler that saves registers has no choice but to
 * take one step after the other, and the multiply-adds of a step do not wait for each other. Values stay
 * below 1000: a and b are at most 0.5. */
static void write_chains(char *text, size_t size)
{
    size_t used = 0;
    for (int c = 0; c < CHAINS; c++)
        used += (size_t)snprintf(text + used, size - used, "c%d_0=b[j]*0.%02d+a[i];", c, c + 1);
    for (int k = 1; k < LINKS; k++)
        for (int c = 0; c < CHAINS; c++) {
            used += (size_t)snprintf(text + used, size - used, "c%d_%d=c%d_%d*a[i]+", c, k, c, k - 1);
            used += c + 1 < CHAINS ? (size_t)snprintf(text + used, size - used, "c%d_%d;", c + 1, k - 1)
                                   : (size_t)snprintf(text + used, size - used, "b[j];");
        }
    for (int c = 0; c < CHAINS; c++)
        used += (size_t)snprintf(text + used, size - used, "%sc%d_%d", c ? "+" : "", c, LINKS - 1);
}

static bool call_peak(void *data)
{
    peak_run *peak = data;
    dp_tensor_release(&peak->result);
    peak->result =
        dp_pairwise(peak->device, peak->formula, DP_SUM_J, DP_ARGS({"a", peak->a, 0}, {"b", peak->b, 0}));
    return peak->result;
}

double bench_peak(dp_device *device, double seconds)
{
    peak_run peak = {.device = device};
    const bench_work work = {.device = device, .data = &peak, .call = call_peak};
    bench_timing timing = {.min = 0};
    int64_t n = 64, m = 64;
    bool good = true;
    write_chains(peak.formula, sizeof peak.formula);
    do {
        n *= 2;
        m = n < MOST_J ? n : MOST_J;
        dp_tensor_release(&peak.a);
        dp_tensor_release(&peak.b);
        peak.a = dp_uniform(device, 1, DP_SHAPE(n), 0.1, 0.5);
        peak.b = dp_uniform(device, 2, DP_SHAPE(m), 0.1, 0.5);
        good = bench_measure(&work, 0, &timing);
    } while (good && timing.min < 0.01 && n < MOST_I && !cli_interrupted());
    const double took = good ? fastest(&work, seconds < 0.5 ? seconds : 0.5) : 0;
    dp_tensor_release(&peak.a);
    dp_tensor_release(&peak.b);
    dp_tensor_release(&peak.result);
    return finish(device, took > 0 ? 2.0 * CHAINS * LINKS * (double)n * (double)m / took : 0);
}

/* ---- moves through memory ---- */

typedef struct move_run {
    dp_device *device;
    const char *formula; /* of x, y, a */
    dp_arg arg[3];
    int64_t size;
    dp_tensor *x, *y, *result;
} move_run;

static bool call_move(void *data)
{
    const move_run *run = data;
    return dp_map_into(run->device, run->formula, (dp_args){run->arg, CLI_COUNT(run->arg)}, &run->result,
                       1) == DP_OK;
}

static void release(move_run *run)
{
    dp_tensor_release(&run->x);
    dp_tensor_release(&run->y);
    dp_tensor_release(&run->result);
}

static void make(move_run *run, int64_t size)
{
    release(run);
    run->size = size;
    run->x = dp_uniform(run->device, 1, DP_SHAPE(size), 0.1, 0.5);
    run->y = dp_uniform(run->device, 2, DP_SHAPE(size), 0.1, 0.5);
    run->result = dp_empty(run->device, DP_F32, DP_SHAPE(size));
    run->arg[0] = (dp_arg){.name = "x", .tensor = run->x};
    run->arg[1] = (dp_arg){.name = "y", .tensor = run->y};
    run->arg[2] = (dp_arg){.name = "a", .scalar = 0.5};
}

/* Grows the tensors, at most to `most` elements, until a call takes a good part of a second. */
static bool grow(move_run *run, int64_t most)
{
    bench_timing timing = {.min = 0};
    for (int64_t size = LEAST_ELEMENTS < most ? LEAST_ELEMENTS : most;;
         size = size < most / 4 ? 4 * size : most) {
        make(run, size);
        if (cli_interrupted() || !bench_measure(&(bench_work){run->device, run, call_move, 0}, 0, &timing))
            return false;
        if (timing.min > 0.06 || size == most)
            return true;
    }
}

double bench_bandwidth(dp_device *device, int64_t elements, double seconds)
{
    static const struct {
        const char *formula;
        double bytes; /* of an element */
    } moves[] = {{"x", 8}, {"x + a * y", 12}};
    move_run run = {.device = device};
    double best = 0;
    bool good = true;
    for (size_t k = 0; good && k < CLI_COUNT(moves); k++) {
        run.formula = moves[k].formula;
        const double took =
            grow(&run, elements) ? fastest(&(bench_work){device, &run, call_move, 0}, seconds / 2) : 0;
        good = took > 0;
        if (good && moves[k].bytes * (double)run.size / took > best)
            best = moves[k].bytes * (double)run.size / took;
        release(&run);
    }
    return finish(device, good ? best : 0);
}
