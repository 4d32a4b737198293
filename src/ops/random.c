/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/call.h"
#include <math.h>

static dp_tensor *random_tensor(dp_device *device, dp_shape shape, dp__random_call call)
{
    call.out = dp__tensor_create(device, DP_F32, shape);
    if (call.out && dp_tensor_size(call.out) > 0 && dp__dispatch(device, DP__OP_random, &call) != DP_OK)
        dp_tensor_release(&call.out);
    return call.out;
}

dp_tensor *dp_uniform(dp_device *device, uint64_t seed, dp_shape shape, double low, double high)
{
    if (dp__check_device(device) != DP_OK)
        return NULL;
    if (!isfinite((float)low) || !isfinite((float)high) || !isfinite((float)high - (float)low)) {
        dp__fail(device, DP_ERROR_ARGUMENT, "uniform from %g to %g: both ends and their distance must be finite in f32",
                 low, high);
        return NULL;
    }
    return random_tensor(device, shape, (dp__random_call){.seed = seed, .low = (float)low, .high = (float)high});
}

dp_tensor *dp_randn(dp_device *device, uint64_t seed, dp_shape shape)
{
    return random_tensor(device, shape, (dp__random_call){.seed = seed, .normal = true});
}
