/* SPDX-License-Identifier: Apache-2.0 */
/* How good samples are: numbers with names. */
#ifndef DIPOLE_CLI_SCORES_H
#define DIPOLE_CLI_SCORES_H

#include "cli.h"

#define SCORES_MOST 16

typedef struct score_list {
    struct {
        const char *name; /* static: "modes", "high_quality", ... */
        double value, error; /* its standard error; NaN: none */
    } score[SCORES_MOST];
    int count;
} score_list;

void scores_add(score_list *scores, const char *name, double value, double error);

/* Of a mixture with equal weights: `modes`, the centres that at least one in 500 of the samples are within 4 deviations of, and
 * `high_quality`, the share of samples within 4 deviations of any. xy: [n, 2]. */
void scores_modes(score_list *scores, const float *xy, int64_t n, const float *centres, int modes, double deviation);

/* The energy distance and MMD^2 (sum of Gaussians; bandwidths from the median distance) of samples and held-out rows, at most four of these a
 * sample: U-statistics, with standard errors from ten disjoint parts of both. False after a message. */
bool scores_distances(dp_device *device, score_list *scores, const float *samples, int64_t n, const float *data, int64_t m,
                      int64_t dim);

void scores_print(const score_list *scores);
cJSON *scores_json(const score_list *scores);

#endif
