/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of calls that have made their gradients with their value: the first half of the inputs are what
 * the gradients are to, the second half the gradients. */
#include "grad/tape.h"

dp_status dp__grad_given(dp_device *device, const dp__history *call, dp_tensor *cotangent,
                         dp_tensor **gradients)
{
    const int count = call->input_count / 2;
    /* Recorded, what follows would look as if the gradients were constants. */
    if (dp__recording(device, (const dp_tensor *const *)call->input, count))
        return dp__fail(device, DP_ERROR_UNSUPPORTED,
                        "backward: the gradient of a gradient of a call that has made its gradients itself "
                        "(atom.h, eieg.h)");
    for (int k = 0; k < count; k++) {
        const dp_arg args[] = {{"c", cotangent, 0}, {"g", call->input[count + k], 0}};
        if (call->needs[k] && call->input[count + k])
            DP_CHECK(dp__rule_given(device, dp_map(device, "c * g", (dp_args){args, 2}), &gradients[k]));
    }
    return DP_OK;
}
