/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"
#include "gpu/capture.h"
#include <string.h>

dp__step dp__step_new(const char *kernel, uint32_t group_x, uint32_t group_y)
{
    dp__step step = {.kernel = kernel, .launch = {.kernel_name = kernel, .group = {group_x, group_y, 1}}};
    dp__step_define(&step, "GX", (int)group_x);
    dp__step_define(&step, "GY", (int)group_y);
    dp__step_define(&step, "GZ", 1);
    return step;
}

void dp__step_define(dp__step *step, const char *name, int value)
{
    if (step->defines == DP__MAX_DEFINES) {
        step->overflow = true;
        return;
    }
    step->define[step->defines].name = name;
    step->define[step->defines++].value = value;
}

static void add_buffer(dp__step *step, dp__buffer *buffer, bool writes)
{
    if (step->launch.bindings == DP__MAX_BINDINGS)
        step->overflow = true;
    else
        step->launch.binding[step->launch.bindings++] = (dp__binding){buffer, writes};
}

void dp__step_in(dp__step *step, dp__buffer *buffer)
{
    add_buffer(step, buffer, false);
}

void dp__step_out(dp__step *step, dp__buffer *buffer)
{
    add_buffer(step, buffer, true);
}

static void add_word(dp__step *step, uint32_t word)
{
    if (step->launch.params == DP__MAX_PARAMS)
        step->overflow = true;
    else
        step->launch.param[step->launch.params++] = word;
}

void dp__step_int(dp__step *step, int64_t value)
{
    add_word(step, (uint32_t)(int32_t)value); /* tensors have fewer than 2^31 elements */
}

void dp__step_float(dp__step *step, float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    add_word(step, word);
}

dp_status dp__step_run(dp__gpu *gpu, dp__step *step, int64_t groups)
{
    const dp__gpu_limits *limits = &gpu->limits;
    dp__launch *launch = &step->launch;
    if (groups <= 0)
        return DP_OK;
    if (step->overflow || (uint32_t)launch->bindings > limits->max_bindings)
        return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED,
                        "%s: %d tensors and %d numbers; one kernel on %s takes %u and %d", step->kernel,
                        launch->bindings, launch->params, gpu->device->info.id,
                        DP_MIN2(limits->max_bindings, DP__MAX_BINDINGS), DP__MAX_PARAMS);
    const uint64_t row = DP_MIN2((uint64_t)groups, DP_MIN2(limits->max_groups[0], 1u << 30));
    const uint64_t rows = DP_CEIL_DIV((uint64_t)groups, row);
    if (rows > limits->max_groups[1])
        return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED, "%s: %lld work-groups; %s takes %llu x %llu", step->kernel,
                        (long long)groups, gpu->device->info.id, (unsigned long long)limits->max_groups[0],
                        (unsigned long long)limits->max_groups[1]);
    launch->groups[0] = (uint32_t)row;
    launch->groups[1] = (uint32_t)rows;
    launch->groups[2] = 1;
    DP_CHECK(dp__kernel_find(gpu, step, &launch->kernel));
    DP_CHECK(gpu->driver->launch(gpu, launch));
    return dp__capture_launch(gpu, launch);
}
