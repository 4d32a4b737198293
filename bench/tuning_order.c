/* SPDX-License-Identifier: Apache-2.0 */
/* How soon the tuner's order of candidates comes to a good one, against a random order, on logs of exhaustive
 * runs.
 *
 *     tuning_order [LOG...]        default: the logs that are shipped
 *
 * For each device and class of the logs: how many candidates are tried until one is within 5 % of the
 * fastest. By the model that has learnt from the other devices alone, by one that has seen this device's
 * other classes too, by the table, and for a random order the mean over all orders: with g good ones of n it
 * is (n + 1) / (g + 1). */
#include "gpu/cost_model.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOOD         0.95
#define MOST         64
#define MOST_CLASSES 1000

enum { OTHERS, ALL_BUT_CLASS, TABLE, RANDOM, ORDERS };

/* What was measured of one class on one device: the best timing of each variant. */
typedef struct group {
    const dp__timing *timing[MOST];
    int count;
} group;

static bool same_class(const dp__timing *a, const dp__timing *b)
{
    return strcmp(a->device, b->device) == 0 && dp__class_equal(&a->shape, &b->shape);
}

static group group_of(const dp__timings *timings, const dp__timing *first)
{
    group own = {.count = 0};
    for (size_t t = 0; t < timings->count; t++) {
        const dp__timing *timing = &timings->list[t];
        int at = 0;
        if (!same_class(timing, first) || !dp__variant_find(timing->variant))
            continue;
        while (at < own.count && strcmp(own.timing[at]->variant, timing->variant) != 0)
            at++;
        if (at == own.count && own.count < MOST)
            own.timing[own.count++] = timing;
        else if (at < own.count && timing->gflops > own.timing[at]->gflops)
            own.timing[at] = timing;
    }
    return own;
}

static double best_of(const group *own)
{
    double best = 0;
    for (int i = 0; i < own->count; i++)
        best = fmax(best, own->timing[i]->gflops);
    return best;
}

/* How many are tried, highest score first, until one is good. */
static int tried(const group *own, const double score[])
{
    const double best = best_of(own);
    double top = -INFINITY;
    int count = 1;
    for (int i = 0; i < own->count; i++)
        if (own->timing[i]->gflops >= GOOD * best)
            top = fmax(top, score[i]);
    for (int i = 0; i < own->count; i++)
        count += score[i] > top;
    return count;
}

static int tried_by_model(const dp__timings *timings, const char *without, const group *own)
{
    dp__model model;
    double score[MOST];
    if (!dp__model_train(&model, timings, without))
        exit(1);
    const dp__model_device device = dp__model_device_in(own->timing[0]);
    for (int i = 0; i < own->count; i++)
        score[i] = dp__model_predict(&model, &device, &own->timing[i]->shape,
                                     dp__variant_find(own->timing[i]->variant));
    dp__model_free(&model);
    return tried(own, score);
}

static int tried_by_table(const group *own)
{
    double score[MOST];
    size_t count;
    const dp__variant *variants = dp__variants(&count);
    for (int i = 0; i < own->count; i++) {
        size_t v = 0;
        while (v + 1 < count && strcmp(variants[v].name, own->timing[i]->variant) != 0)
            v++;
        score[i] = -(double)v;
    }
    return tried(own, score);
}

static double tried_at_random(const group *own)
{
    const double best = best_of(own);
    int good = 0;
    for (int i = 0; i < own->count; i++)
        good += own->timing[i]->gflops >= GOOD * best;
    return (own->count + 1.0) / (good + 1.0);
}

/* All timings but those of one class on one device. */
static dp__timings without_class(const dp__timings *timings, const dp__timing *class_of)
{
    dp__timings rest = {0};
    for (size_t t = 0; t < timings->count; t++)
        if (!same_class(&timings->list[t], class_of)) {
            if (!dp__grow(&rest.list, &rest.capacity, rest.count + 1, sizeof *rest.list))
                exit(1);
            rest.list[rest.count++] = timings->list[t];
        }
    return rest;
}

static int ascending(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print_row(const char *name, int classes, double values[ORDERS][MOST_CLASSES])
{
    printf("%-60.60s %7d", name, classes);
    for (int order = 0; order < ORDERS; order++) {
        double sum = 0;
        for (int i = 0; i < classes; i++)
            sum += values[order][i];
        qsort(values[order], (size_t)classes, sizeof(double), ascending);
        printf("  %5.2f %5.2f", 0.5 * (values[order][(classes - 1) / 2] + values[order][classes / 2]),
               sum / classes);
    }
    putchar('\n');
}

static double all[ORDERS][MOST_CLASSES], own_values[ORDERS][MOST_CLASSES];

/* One device's row; its values are added to `all`. */
static int judge_device(const dp__timings *timings, const char *device, int total)
{
    int classes = 0;
    for (size_t t = 0; t < timings->count && total + classes < MOST_CLASSES; t++) {
        const dp__timing *timing = &timings->list[t];
        size_t first = 0;
        while (!same_class(&timings->list[first], timing))
            first++;
        if (first < t || strcmp(timing->device, device) != 0)
            continue;
        const group own = group_of(timings, timing);
        if (own.count < 2)
            continue;
        dp__timings rest = without_class(timings, timing);
        own_values[OTHERS][classes] = tried_by_model(timings, device, &own);
        own_values[ALL_BUT_CLASS][classes] = tried_by_model(&rest, NULL, &own);
        own_values[TABLE][classes] = tried_by_table(&own);
        own_values[RANDOM][classes] = tried_at_random(&own);
        for (int order = 0; order < ORDERS; order++)
            all[order][total + classes] = own_values[order][classes];
        classes++;
        dp__timings_free(&rest);
    }
    if (classes > 0)
        print_row(device, classes, own_values);
    return total + classes;
}

static bool read_log(dp__timings *timings, const char *path)
{
    size_t length;
    char *text = dp__line_file_read(path, &length);
    if (!text)
        fprintf(stderr, "tuning_order: %s cannot be read\n", path);
    else
        dp__timings_parse(timings, text, length);
    dp__free(text);
    return text != NULL;
}

int main(int argc, char **argv)
{
    dp__timings timings = {0};
    int total = 0;
    for (int a = 1; a < argc; a++)
        if (!read_log(&timings, argv[a]))
            return 1;
    if (argc == 1)
        dp__shipped_timings(&timings);
    printf("candidates tried until within 5 %% of the fastest: median and mean over classes\n%-60s %7s  "
           "%-11s  %-11s  %-11s  %-11s\n",
           "device", "classes", "new device", "new class", "table", "random");
    for (size_t t = 0; t < timings.count; t++) {
        size_t first = 0;
        while (strcmp(timings.list[first].device, timings.list[t].device) != 0)
            first++;
        if (first == t)
            total = judge_device(&timings, timings.list[t].device, total);
    }
    if (total > 0)
        print_row("all", total, all);
    dp__timings_free(&timings);
    return total > 0 ? 0 : 1;
}
