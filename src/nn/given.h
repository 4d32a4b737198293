/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that make their gradients together with their value. */
#ifndef DP_NN_GIVEN_H
#define DP_NN_GIVEN_H

#include "core/record.h"

enum { DP__MOST_GIVEN = 2 };

/* Records `value`, a new tensor [], as a function of x[k] with the gradients given (NULL where none is needed), which it takes over.
 * Returns it; NULL, with all released, where memory is out or value is NULL. */
static inline dp_tensor *dp__given(dp_tensor *value, const dp_tensor *const *x, dp_tensor **gradients, int count)
{
    dp__record_call call = {.rule = DP__RULE_given, .input_count = count, .fused = gradients};
    for (int k = 0; k < count; k++)
        call.inputs[k] = x[k];
    value = dp__record(value, &call);
    for (int k = 0; k < count; k++)
        dp_tensor_release(&gradients[k]);
    return value;
}

/* A new tensor, or why there is none. */
static inline dp_status dp__made(dp_device *device, const dp_tensor *tensor)
{
    return tensor ? DP_OK : dp_failed(device);
}

#endif
