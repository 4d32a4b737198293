/* SPDX-License-Identifier: Apache-2.0 */
#include "scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RARE 500 /* a mode counts from one in so many samples on; 25 modes have one in 25 each */
#define CLOSE 4  /* deviations */
#define PARTS 10
#define HELD_OUT_A_SAMPLE 4 /* rows of data; more cost their square, and take at most a fifth off the error */

void scores_add(score_list *scores, const char *name, double value, double error)
{
    if (scores->count < SCORES_MOST) {
        scores->score[scores->count].name = name;
        scores->score[scores->count].value = value;
        scores->score[scores->count++].error = error;
    }
}

void scores_modes(score_list *scores, const float *xy, int64_t n, const float *centres, int modes, double deviation)
{
    int64_t *hits = calloc((size_t)modes, sizeof *hits), good = 0;
    int captured = 0;
    for (int64_t i = 0; hits && i < n; i++) {
        double least = (double)INFINITY;
        int nearest = 0;
        for (int m = 0; m < modes; m++) {
            const double r = hypot((double)xy[2 * i] - (double)centres[2 * m], (double)xy[2 * i + 1] - (double)centres[2 * m + 1]);
            if (r < least) {
                least = r;
                nearest = m;
            }
        }
        if (least <= CLOSE * deviation) {
            hits[nearest]++;
            good++;
        }
    }
    for (int m = 0; hits && m < modes; m++)
        captured += hits[m] * RARE >= n;
    const double share = (double)good / (double)n;
    scores_add(scores, "modes", captured, (double)NAN);
    scores_add(scores, "high_quality", share, sqrt(share * (1 - share) / (double)n));
    free(hits);
}

/* Value and standard error of a mean over parts. */
static void mean_of(const double *value, int count, double *mean, double *error)
{
    double sum = 0, squares = 0;
    for (int k = 0; k < count; k++)
        sum += value[k];
    *mean = sum / count;
    for (int k = 0; k < count; k++)
        squares += (value[k] - *mean) * (value[k] - *mean);
    *error = sqrt(squares / (count * (count - 1.0)));
}

/* The U-statistic of a potential on part `k` of both sets. */
static double part(dp_device *device, const dp_metric_params *params, const dp_tensor *x, const dp_tensor *y, int k)
{
    const int64_t n = dp_tensor_shape(x).dim[0] / PARTS, m = dp_tensor_shape(y).dim[0] / PARTS;
    dp_tensor *a = dp_slice((dp_tensor *)x, 0, k * n, (k + 1) * n, 1), *b = dp_slice((dp_tensor *)y, 0, k * m, (k + 1) * m, 1);
    dp_tensor *value = a && b ? dp_metric(device, a, b, params, 0, NULL) : NULL;
    const double result = dp_item(value);
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    dp_tensor_release(&value);
    return result;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The median distance of some pairs of data rows. */
static double median_distance(const float *data, int64_t m, int64_t dim)
{
    double r[1000];
    int count = 0;
    for (int64_t i = 0; i + 1 < m && count < 1000; i += 2, count++) {
        double sum = 0;
        for (int64_t c = 0; c < dim; c++) {
            const double d = (double)data[i * dim + c] - (double)data[(i + 1) * dim + c];
            sum += d * d;
        }
        r[count] = sqrt(sum);
    }
    qsort(r, (size_t)count, sizeof *r, ascending);
    return count > 0 && r[count / 2] > 0 ? r[count / 2] : 1;
}

bool scores_distances(dp_device *device, score_list *scores, const float *samples, int64_t n, const float *data, int64_t m, int64_t dim)
{
    if (n < 2 * PARTS || m < 2 * PARTS)
        return true;
    const double width = median_distance(data, m, dim);
    if (m > HELD_OUT_A_SAMPLE * n)
        m = HELD_OUT_A_SAMPLE * n;
    dp_tensor *x = dp_from(device, DP_F32, DP_SHAPE(n, dim), samples), *y = dp_from(device, DP_F32, DP_SHAPE(m, dim), data);
    const float widths[] = {(float)(width / 4), (float)(width / 2), (float)width, (float)(2 * width), (float)(4 * width)};
    dp_tensor *h = dp_from(device, DP_F32, DP_SHAPE(CLI_COUNT(widths)), widths);
    const dp_metric_params energy = {.potential = "energy", .estimator = DP_ESTIMATOR_U};
    const dp_metric_params mmd = {.potential = "gaussians", .args = DP_ARGS({"h", h}), .estimator = DP_ESTIMATOR_U};
    double values[2][PARTS], mean, error;
    for (int k = 0; k < PARTS; k++) {
        values[0][k] = part(device, &energy, x, y, k);
        values[1][k] = part(device, &mmd, x, y, k);
    }
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    dp_tensor_release(&h);
    if (dp_failed(device)) {
        cli_error("scores: %s", dp_message(device));
        return false;
    }
    mean_of(values[0], PARTS, &mean, &error);
    scores_add(scores, "energy_distance", mean, error);
    mean_of(values[1], PARTS, &mean, &error);
    scores_add(scores, "mmd2", mean, error);
    return true;
}

void scores_print(const score_list *scores)
{
    for (int k = 0; k < scores->count; k++) {
        printf("%-18s %.6g", scores->score[k].name, scores->score[k].value);
        if (!isnan(scores->score[k].error))
            printf(" +- %.2g", scores->score[k].error);
        putchar('\n');
    }
}

cJSON *scores_json(const score_list *scores)
{
    cJSON *object = cJSON_CreateObject();
    for (int k = 0; k < scores->count; k++) {
        char name[64];
        cJSON_AddNumberToObject(object, scores->score[k].name, scores->score[k].value);
        snprintf(name, sizeof name, "%s_error", scores->score[k].name);
        if (!isnan(scores->score[k].error))
            cJSON_AddNumberToObject(object, name, scores->score[k].error);
    }
    return object;
}
