/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/step.h"

dp_status dp__plan_random(dp__gpu *gpu, const dp__random_call *call)
{
    const dp__tuning tuning = dp__tuning_of(&gpu->limits);
    const int64_t size = dp_tensor_size(call->out);
    dp__step step = dp__step_new("random", tuning.group, 1);
    dp__step_define(&step, "STEP", call->step != NULL);
    dp__step_define(&step, "RANGE", call->range != 0);
    if (call->step)
        dp__step_in(&step, call->step->buffer);
    dp__step_out(&step, call->out->buffer);
    dp__step_int(&step, (int32_t)(uint32_t)call->seed);
    dp__step_int(&step, (int32_t)(uint32_t)(call->seed >> 32));
    if (call->range) {
        dp__step_int(&step, call->range);
    } else {
        dp__step_int(&step, call->normal);
        dp__step_float(&step, call->low);
        dp__step_float(&step, call->high - call->low);
    }
    dp__step_int(&step, size);
    if (call->step)
        dp__step_int(&step, call->step->offset);
    step.launch.bytes = 4.0 * (double)size;
    return dp__step_run(gpu, &step, DP_CEIL_DIV(size, 4 * (int64_t)tuning.group)); /* four elements an item */
}
