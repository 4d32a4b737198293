/* SPDX-License-Identifier: Apache-2.0 */
/* Energy as Linux shows it, where it does:
 *   processors   class/powercap/intel-rapl:N/energy_uj, a counter of each package (AMD's too), for root alone
 * on many systems graphics     bus/pci/devices/CARD/hwmon/hwmonN/energy1_input, a counter (i915, xe), else
 * power1_average (amdgpu) both of the whole package or card, with everything else that runs there.
 * DIPOLE_SYSFS stands in for /sys. */
#include "bench_suite.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double read_number(const char *path)
{
    double value = NAN;
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%lf", &value) != 1)
        value = NAN;
    if (file)
        fclose(file);
    return value;
}

/* Adds what a pattern of paths finds and what can be read. */
static void add(suite_energy *energy, const char *pattern, bool power)
{
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t k = 0; k < found.gl_pathc && energy->count < ENERGY_SOURCES; k++) {
        const char *path = found.gl_pathv[k];
        if (strlen(path) >= ENERGY_PATH || isnan(read_number(path)))
            continue;
        char range[ENERGY_PATH + 32];
        snprintf(range, sizeof range, "%.*s/max_energy_range_uj", (int)(strrchr(path, '/') - path), path);
        const double most = power ? NAN : read_number(range);
        snprintf(energy->source[energy->count].path, ENERGY_PATH, "%s", path);
        energy->source[energy->count].range = isnan(most) ? 0 : most;
        energy->source[energy->count++].power = power;
    }
    globfree(&found);
}

void suite_energy_find(suite_energy *energy, const dp_device_info *info)
{
    const char *given = getenv("DIPOLE_SYSFS"), *root = given && *given ? given : "/sys";
    const bool card = info->type == DP_DEVICE_INTEGRATED_GPU || info->type == DP_DEVICE_DISCRETE_GPU ||
                      info->type == DP_DEVICE_ACCELERATOR;
    char pattern[ENERGY_PATH];
    *energy = (suite_energy){0};
    if (!card) {
        snprintf(pattern, sizeof pattern, "%s/class/powercap/intel-rapl:[0-9]/energy_uj", root);
        add(energy, pattern, false);
    } else if (strncmp(info->card, "pci:", 4) == 0) {
        snprintf(pattern, sizeof pattern, "%s/bus/pci/devices/%s/hwmon/hwmon*/energy1_input", root,
                 info->card + 4);
        add(energy, pattern, false);
        snprintf(pattern, sizeof pattern, "%s/bus/pci/devices/%s/hwmon/hwmon*/power1_average", root,
                 info->card + 4);
        if (energy->count == 0)
            add(energy, pattern, true);
    }
}

void suite_energy_begin(suite_energy *energy)
{
    for (int k = 0; k < energy->count; k++)
        energy->source[k].begin = read_number(energy->source[k].path);
    energy->start = cli_seconds();
}

double suite_energy_end(const suite_energy *energy)
{
    const double took = cli_seconds() - energy->start;
    double micro = energy->count ? 0 : NAN;
    for (int k = 0; k < energy->count; k++) {
        const double end = read_number(energy->source[k].path), begin = energy->source[k].begin;
        if (energy->source[k].power)
            micro += 0.5 * (begin + end) * took;
        else
            micro += end - begin + (end < begin ? energy->source[k].range : 0);
    }
    return micro >= 0 ? micro * 1e-6 : NAN;
}
