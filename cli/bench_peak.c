/* SPDX-License-Identifier: Apache-2.0 */
/* dipole bench: what multiply-adds alone reach on a device, through a formula like any other. It is what the
 * kernels of this library can get at best, and a lower bound of what the hardware can do. */
#include "bench.h"

#include <stdio.h>

enum {
    CHAINS = 8, /* of multiply-adds that do not wait for each other, */
    LINKS = 24, /* each so long */
};

typedef struct peak_run {
    dp_device *device;
    char formula[CHAINS * (LINKS * 12 + 16)];
    dp_tensor *a, *b, *result;
} peak_run;

/* ((a b + a) b + a) b ..., begun with a number of its own in each chain, so that no two are the same. */
static void write_chains(peak_run *peak)
{
    size_t used = 0;
    for (int c = 0; c < CHAINS; c++) {
        char *at = peak->formula;
        const size_t size = sizeof peak->formula;
        used += (size_t)snprintf(at + used, size - used, "%s", c ? " + " : "");
        for (int k = 0; k < LINKS; k++)
            used += (size_t)snprintf(at + used, size - used, "(");
        used += (size_t)snprintf(at + used, size - used, "0.%d", c + 1);
        for (int k = 0; k < LINKS; k++)
            used += (size_t)snprintf(at + used, size - used, "*b[j]+a[i])");
    }
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
    bench_timing timing = {0, 0, 0};
    int64_t n = 64, m = 64;
    bool good = true;
    write_chains(&peak);
    do {
        n *= 2;
        m = n < 4096 ? n : 4096;
        dp_tensor_release(&peak.a);
        dp_tensor_release(&peak.b);
        peak.a = dp_uniform(device, 1, DP_SHAPE(n), 0.1, 0.5);
        peak.b = dp_uniform(device, 2, DP_SHAPE(m), 0.1, 0.5);
        good = bench_measure(&(bench_work){device, &peak, call_peak}, 0.001, &timing);
    } while (good && timing.median < 0.01 && n < 1 << 20 && !cli_interrupted());
    if (good)
        good = bench_measure(&(bench_work){device, &peak, call_peak}, seconds < 0.5 ? seconds : 0.5, &timing);
    dp_tensor_release(&peak.a);
    dp_tensor_release(&peak.b);
    dp_tensor_release(&peak.result);
    if (!good && !cli_interrupted())
        cli_error("%s: %s", dp_device_get_info(device).id, dp_message(device));
    return good ? 2.0 * CHAINS * LINKS * (double)n * (double)m / timing.min : 0;
}
