/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of a suite that are no operation: transfers between host and device, and launches that do next to
 * nothing. */
#include "bench_suite.h"

#include <stdlib.h>
#include <string.h>

typedef struct suite_move {
    dp_device *device;
    dp_tensor *tensor, *result;
    void *host;
    size_t bytes;
} suite_move;

static bool upload(void *data)
{
    const suite_move *move = data;
    return dp_write(move->tensor, move->host, move->bytes) == DP_OK;
}

static bool download(void *data)
{
    const suite_move *move = data;
    return dp_read(move->tensor, move->host, move->bytes) == DP_OK;
}

/* One element: what is timed is the way there. */
static bool launch(void *data)
{
    const suite_move *move = data;
    return dp_map_into(move->device, "x + 1", DP_ARGS({.name = "x", .tensor = move->tensor}), &move->result,
                       1) == DP_OK;
}

suite_move *suite_move_open(const char *op, const char *text, dp_device *device, suite_run *run)
{
    const long long number = atoll(strchr(text, '=') + 1);
    const bool is_launch = strcmp(op, "launch") == 0;
    suite_move *move = calloc(1, sizeof *move);
    if (!move)
        return NULL;
    move->device = device;
    move->bytes = is_launch ? sizeof(float) : (size_t)number;
    move->tensor = dp_full(device, DP_F32, DP_SHAPE((int64_t)(move->bytes / sizeof(float))), 1);
    move->result = is_launch ? dp_empty(device, DP_F32, DP_SHAPE(1)) : NULL;
    move->host = malloc(move->bytes);
    if (!move->host) {
        suite_move_close(&move);
        return NULL;
    }
    memset(move->host, 0, move->bytes); /* touched: pages that are not there yet would be part of the time */
    run->bytes = is_launch ? 0 : (double)move->bytes;
    run->work = (bench_work){device, move,
                             is_launch                   ? launch
                             : strcmp(op, "upload") == 0 ? upload
                                                         : download,
                             is_launch ? (int)number : 0};
    return move;
}

void suite_move_close(suite_move **move)
{
    if (!*move)
        return;
    dp_tensor_release(&(*move)->tensor);
    dp_tensor_release(&(*move)->result);
    free((*move)->host);
    free(*move);
    *move = NULL;
}
