/* SPDX-License-Identifier: Apache-2.0 */
#include "grad_check.h"

dp_tensor *grad_number(dp_device *device, dp_tensor *y)
{
    if (!y)
        return NULL;
    dp_tensor *r = dp_uniform(device, 77, dp_tensor_shape(y), 0.5, 1.5);
    dp_tensor *terms = dp_map(device, "r * (y + 0.25 * y * y)", DP_ARGS({"r", r, 0}, {"y", y, 0}));
    dp_tensor *sum = dp_reduce(device, terms, DP_SUM, DP_ALL_AXES);
    dp_tensor_release(&r);
    dp_tensor_release(&terms);
    dp_tensor_release(&y);
    return sum;
}

void grad_case(dp_device *device, const char *name, dp_grad_function f, void *context, const dp_shape *shapes,
               int count, int order, double step, int64_t limit)
{
    enum { MOST = 8 };
    dp_tensor *x[MOST] = {NULL};
    dp_grad_check_result result;
    assert_in_range(count, 1, MOST);
    for (int k = 0; k < count; k++)
        x[k] = dp_uniform(device, 5 + (uint64_t)k, shapes[k], -1, 1);
    if (dp_grad_check(f, context, x, count, order, step, limit, &result) != DP_OK)
        fail_msg("%s, order %d: %s", name, order, dp_message(device));
    if (!(result.worst <= 1))
        fail_msg("%s, order %d: element %lld of argument %d is %.7g, the difference %.7g, allowed %.3g", name,
                 order, (long long)result.element, result.argument, result.gradient, result.difference,
                 result.allowed);
    for (int k = 0; k < count; k++)
        dp_tensor_release(&x[k]);
}
