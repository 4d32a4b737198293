/* SPDX-License-Identifier: Apache-2.0 */
/* Different devices, and two handles of each device, used from two threads at once. */
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 12, SIZE = 96 };

typedef struct worker {
    const char *id;
    pthread_t thread;
    pthread_barrier_t *start;
    double sums[2];
    dp_status status;
    char message[256];
} worker;

/* One round: a product of random matrices, a pairwise sum, a map whose kernel is new in every round. */
static void work(dp_device *device, int round, double sums[2])
{
    char formula[64];
    snprintf(formula, sizeof formula, "tanh(x) + %d", round);
    dp_tensor *a = dp_uniform(device, (uint64_t)round, DP_SHAPE(SIZE, SIZE), -1, 1);
    dp_tensor *b = dp_randn(device, (uint64_t)round + 1, DP_SHAPE(SIZE, SIZE));
    dp_tensor *c = dp_matmul(device, a, b, NULL);
    dp_tensor *mapped = dp_map(device, formula, DP_ARGS({"x", c, 0}));
    dp_tensor *total = dp_reduce(device, mapped, DP_SUM, DP_ALL_AXES);
    dp_tensor *energy =
        dp_pairwise(device, "rsqrt(sqdist(x[i], x[j]) + 0.5)", DP_SUM_ALL, DP_ARGS({"x", a, 0}));
    sums[0] += dp_item(total);
    sums[1] += dp_item(energy);
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    dp_tensor_release(&c);
    dp_tensor_release(&mapped);
    dp_tensor_release(&total);
    dp_tensor_release(&energy);
}

static void *run(void *argument)
{
    worker *w = argument;
    pthread_barrier_wait(w->start);
    dp_device_list(NULL, 0);
    dp_device *device = dp_device_open(w->id);
    for (int round = 0; round < ROUNDS; round++)
        work(device, round, w->sums);
    w->status = dp_failed(device);
    snprintf(w->message, sizeof w->message, "%s", dp_message(device));
    dp_device_close(&device);
    return NULL;
}

/* Starts all together. cmocka's assertions belong to the main thread, so results are looked at after the
 * join. */
static void run_together(worker *workers, unsigned count)
{
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, count), 0);
    for (unsigned k = 0; k < count; k++) {
        workers[k].start = &start;
        assert_int_equal(pthread_create(&workers[k].thread, NULL, run, &workers[k]), 0);
    }
    for (unsigned k = 0; k < count; k++)
        pthread_join(workers[k].thread, NULL);
    pthread_barrier_destroy(&start);
    for (unsigned k = 0; k < count; k++)
        if (workers[k].status != DP_OK)
            fail_msg("%s: %s: %s", workers[k].id, dp_status_name(workers[k].status), workers[k].message);
}

static void same_sums(const worker *a, const worker *b)
{
    if (a->sums[0] != b->sums[0] || a->sums[1] != b->sums[1])
        fail_msg("%s: %.9g and %.9g, or %.9g and %.9g", a->id, a->sums[0], a->sums[1], b->sums[0],
                 b->sums[1]);
}

/* Two handles of one device, and the same alone: the same bits. */
static void one_device(void **state)
{
    const dp_device_info *info = *state;
    worker pair[2] = {{.id = info->id}, {.id = info->id}}, alone = {.id = info->id};
    run_together(pair, 2);
    run_together(&alone, 1);
    same_sums(&pair[0], &pair[1]);
    same_sums(&pair[0], &alone);
}

/* Two devices at once: each as it is alone. */
static void two_devices(void **state)
{
    const dp_device_info *info = *state;
    worker pair[2] = {{.id = info[0].id}, {.id = info[1].id}},
           alone[2] = {{.id = info[0].id}, {.id = info[1].id}};
    run_together(pair, 2);
    run_together(&alone[0], 1);
    run_together(&alone[1], 1);
    same_sums(&pair[0], &alone[0]);
    same_sums(&pair[1], &alone[1]);
}

int main(void)
{
    dp_device_info *infos;
    const size_t devices = suite_devices(&infos);
    struct CMUnitTest *list = calloc(2 * devices, sizeof *list);
    size_t count = 0;
    if (!list)
        return 1;
    for (size_t k = 0; k < devices; k++)
        list[count++] =
            (struct CMUnitTest){.name = infos[k].id, .test_func = one_device, .initial_state = &infos[k]};
    for (size_t k = 0; k + 1 < devices; k++)
        list[count++] =
            (struct CMUnitTest){.name = "two devices", .test_func = two_devices, .initial_state = &infos[k]};
    const int failures = _cmocka_run_group_tests("threads", list, count, NULL, NULL);
    free(list);
    free(infos);
    return failures;
}
