/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of a linear layer y = f(x w^T + b): with G the cotangent and p = G f'(z), f' as y tells it, p w to x, p^T x to w and the
 * sum of p over rows to b. */
#include "grad/tape.h"

static dp_tensor *through_activation(dp_device *device, const dp__history *call, dp_tensor *cotangent)
{
    const dp__linear_params *params = call->params;
    if (!params->derivative)
        return dp_tensor_retain(cotangent);
    return dp_map(device, params->derivative,
                  DP_ARGS({"y", call->output, 0}, {"g", cotangent, 0}, {.name = "slope", .scalar = params->slope}));
}

dp_status dp__grad_linear(dp_device *device, const dp__history *call, dp_tensor *cotangent, dp_tensor **gradients)
{
    dp_tensor *p = through_activation(device, call, cotangent);
    dp_status status = p ? DP_OK : dp_failed(device);
    if (status == DP_OK && call->needs[0])
        status = dp__rule_given(device, dp_matmul(device, p, call->input[1], NULL), &gradients[0]);
    if (status == DP_OK && call->needs[1])
        status = dp__rule_given(device, dp_matmul(device, p, call->input[0], &(dp_matmul_params){.transpose_a = true}), &gradients[1]);
    if (status == DP_OK && call->needs[2])
        status = dp__rule_given(device, dp_reduce(device, p, DP_SUM, DP_AXIS(0)), &gradients[2]);
    dp_tensor_release(&p);
    return status;
}
