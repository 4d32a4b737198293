/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/call.h"
#include <math.h>

static dp_tensor *random_tensor(dp_device *device, dp_shape shape, dp__random_call call)
{
    call.out = dp__tensor_create(device, call.range ? DP_I32 : DP_F32, shape);
    if (call.out && dp_tensor_size(call.out) > 0 && dp__dispatch(device, DP__OP_random, &call) != DP_OK)
        dp_tensor_release(&call.out);
    return call.out;
}

static dp_status check_range(dp_device *device, double low, double high)
{
    if (!isfinite((float)low) || !isfinite((float)high) || !isfinite((float)high - (float)low))
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "uniform from %g to %g: both ends and their distance must be finite in f32", low, high);
    return DP_OK;
}

static dp_status check_step(dp_device *device, const dp_tensor *step)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, step, "step", DP_F32));
    if (dp_tensor_size(step) != 1)
        return dp__fail(device, DP_ERROR_ARGUMENT, "step has shape %s: it must have one element",
                        dp__shape_text(&step->shape, text));
    return DP_OK;
}

dp_tensor *dp_uniform(dp_device *device, uint64_t seed, dp_shape shape, double low, double high)
{
    if (dp__check_device(device) != DP_OK || check_range(device, low, high) != DP_OK)
        return NULL;
    return random_tensor(device, shape, (dp__random_call){.seed = seed, .low = (float)low, .high = (float)high});
}

dp_tensor *dp_randn(dp_device *device, uint64_t seed, dp_shape shape)
{
    return random_tensor(device, shape, (dp__random_call){.seed = seed, .normal = true});
}

dp_tensor *dp_uniform_at(dp_device *device, uint64_t seed, const dp_tensor *step, dp_shape shape, double low,
                         double high)
{
    if (check_step(device, step) != DP_OK || check_range(device, low, high) != DP_OK)
        return NULL;
    const dp__random_call call = {.seed = seed, .step = step, .low = (float)low, .high = (float)high};
    return random_tensor(device, shape, call);
}

dp_tensor *dp_randn_at(dp_device *device, uint64_t seed, const dp_tensor *step, dp_shape shape)
{
    if (check_step(device, step) != DP_OK)
        return NULL;
    return random_tensor(device, shape, (dp__random_call){.seed = seed, .step = step, .normal = true});
}

dp_tensor *dp_randint_at(dp_device *device, uint64_t seed, const dp_tensor *step, dp_shape shape, int64_t n)
{
    if (check_step(device, step) != DP_OK)
        return NULL;
    if (n < 1 || n > INT32_MAX) {
        dp__fail(device, DP_ERROR_ARGUMENT, "randint: n is %lld, but must be from 1 to 2^31 - 1", (long long)n);
        return NULL;
    }
    return random_tensor(device, shape, (dp__random_call){.seed = seed, .step = step, .range = (uint32_t)n});
}
