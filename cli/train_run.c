/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a run, and its checkpoint: every tensor that the next step depends on, and the step's number. */
#include "train.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT "checkpoint.safetensors"

const char *train_path(const train_run *run, const char *name, int slot)
{
    static char paths[4][4096];
    snprintf(paths[slot & 3], sizeof paths[0], "%s/%s", run->options.out, name);
    return paths[slot & 3];
}

bool train_ok(const train_run *run, const char *what)
{
    if (dp_failed(run->device) == DP_OK)
        return true;
    cli_error("%s: %s", what, dp_message(run->device));
    return false;
}

bool train_keep(train_run *run, const char *prefix, const char *name, const dp_tensor *tensor)
{
    if ((size_t)run->state_count == run->state_capacity) {
        const size_t capacity = run->state_capacity ? 2 * run->state_capacity : 64;
        dp_named_tensor *state = realloc(run->state, capacity * sizeof *state);
        if (!state) {
            cli_error("out of memory");
            return false;
        }
        run->state = state;
        run->state_capacity = capacity;
    }
    const size_t length = strlen(prefix) + strlen(name) + 1;
    char *whole = malloc(length);
    if (!whole || !tensor) {
        cli_error(whole ? "%s%s: no such tensor" : "out of memory", prefix, name);
        free(whole);
        return false;
    }
    snprintf(whole, length, "%s%s", prefix, name);
    run->state[run->state_count++] = (dp_named_tensor){whole, tensor};
    return true;
}

bool train_save(train_run *run)
{
    char step[32], message[512];
    char *settings = cJSON_PrintUnformatted(run->settings);
    snprintf(step, sizeof step, "%lld", (long long)run->step);
    const dp_metadata pairs[] = {{"step", step}, {"settings", settings ? settings : ""}, {"version", dp_version()}};
    const bool saved = settings && dp_safetensors_save(train_path(run, CHECKPOINT, 0), run->state, run->state_count, pairs, (int)CLI_COUNT(pairs),
                                                       message, sizeof message) == DP_OK;
    if (!saved)
        cli_error("%s", settings ? message : "out of memory");
    cJSON_free(settings);
    return saved;
}

static bool load_all(train_run *run, const dp_safetensors *file)
{
    if (dp_safetensors_count(file) != run->state_count) {
        cli_error("%s has %d tensors; this run has %d", train_path(run, CHECKPOINT, 0), dp_safetensors_count(file), run->state_count);
        return false;
    }
    for (int k = 0; k < run->state_count; k++)
        if (dp_safetensors_load_into((dp_tensor *)run->state[k].tensor, file, run->state[k].name) != DP_OK)
            return train_ok(run, train_path(run, CHECKPOINT, 0));
    return true;
}

bool train_load(train_run *run)
{
    char message[512], *end = NULL;
    dp_safetensors *file = NULL;
    if (dp_safetensors_open(train_path(run, CHECKPOINT, 0), &file, message, sizeof message) != DP_OK) {
        cli_error("%s", message);
        return false;
    }
    const char *step = dp_safetensors_value(file, "step");
    const long long number = step ? strtoll(step, &end, 10) : -1;
    bool loaded = step && end != step && !*end && number >= 0;
    if (!loaded)
        cli_error("%s: has no step: not a checkpoint of a run", train_path(run, CHECKPOINT, 0));
    loaded = loaded && load_all(run, file);
    run->step = loaded ? number : 0;
    dp_safetensors_close(&file);
    return loaded;
}

dp_status train_report(train_run *run, int k, dp_tensor *loss)
{
    dp_tensor *flat = loss ? dp_reshape(loss, DP_SHAPE(1)) : NULL, *slot = dp_slice(run->loss, 0, k, k + 1, 1);
    dp_grad_pause(run->device);
    const dp_status status = flat && slot ? dp_map_into(run->device, "x", DP_ARGS({"x", flat}), &slot, 1) : dp_failed(run->device);
    dp_grad_resume(run->device);
    dp_tensor_release(&flat);
    dp_tensor_release(&slot);
    dp_tensor_release(&loss);
    return status;
}
