/* SPDX-License-Identifier: Apache-2.0 */
/* What rules share. */
#include "grad/tape.h"
#include <stdio.h>
#include <string.h>

void dp__rule_name(const dp__history *call, int number, char name[DP__RULE_NAME])
{
    for (int attempt = 0;; attempt++) {
        snprintf(name, DP__RULE_NAME, "g%d_%d", number, attempt);
        bool taken = strstr(call->formula, name) != NULL;
        for (int a = 0; a < call->arg_count; a++)
            taken = taken || strcmp(call->arg[a].name, name) == 0;
        if (!taken)
            return;
    }
}

dp_tensor *dp__rule_add(dp_device *device, dp_tensor *a, dp_tensor *b)
{
    if (!a || !b)
        return a ? a : b;
    dp_tensor *sum = dp_map(device, "a + b", DP_ARGS({"a", a}, {"b", b}));
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    return sum;
}

dp_tensor *dp__rule_reshape(dp_device *device, dp_tensor *x, dp_shape shape)
{
    if (!x)
        return NULL;
    if (dp__shape_equal(&x->shape, &shape))
        return dp_tensor_retain(x);
    dp_tensor *packed = dp_tensor_contiguous(x) ? dp_tensor_retain(x) : dp_copy(device, x);
    dp_tensor *view = dp_reshape(packed, shape);
    dp_tensor_release(&packed);
    return view;
}

dp_tensor *dp__rule_unbroadcast(dp_device *device, dp_tensor *x, dp_shape shape)
{
    if (!x || dp__shape_equal(&x->shape, &shape))
        return x;
    const int added = x->shape.rank - shape.rank;
    unsigned axes = 0;
    for (int axis = 0; axis < x->shape.rank; axis++)
        if (axis < added || (shape.dim[axis - added] == 1 && x->shape.dim[axis] != 1))
            axes |= DP_AXIS(axis);
    dp_tensor *sum = axes ? dp_reduce(device, x, DP_SUM, axes) : dp_tensor_retain(x);
    dp_tensor *result = dp__rule_reshape(device, sum, shape);
    dp_tensor_release(&sum);
    dp_tensor_release(&x);
    return result;
}

dp_tensor *dp__rule_unslice(dp_device *device, dp_tensor *x, const dp__slice *s)
{
    dp__record_pause(device);
    dp_tensor *out = dp_full(device, DP_F32, s->shape, 0);
    dp_tensor *part = dp_slice(out, s->axis, s->start, s->stop, s->step);
    if (!part || dp_map_into(device, "x", DP_ARGS({"x", x}), &part, 1) != DP_OK)
        dp_tensor_release(&out);
    dp_tensor_release(&part);
    dp__record_resume(device);
    return dp__record(
        out, &(dp__record_call){
                 .rule = DP__RULE_unslice, .inputs = {x}, .input_count = 1, .params = s, .bytes = sizeof *s});
}
