/* SPDX-License-Identifier: Apache-2.0 */
#include "epilogue.h"

#include <math.h>

#define SCALAR 0.75

void ops_epilogue_setup(ops_run *run, dp_shape result, dp_shape bias, ops_epilogue *epilogue)
{
    static const ops_fill fill = {.low = -2, .high = 2};
    char layout[12];
    const bool relu = ops_is(run, "e", "relu");
    *epilogue = (ops_epilogue){.result = result, .bias = relu ? bias : result};
    if (!relu && !ops_is(run, "e", "swish"))
        return;
    epilogue->text = relu ? "max(result + b, 0)" : "s = a * result; z + s * sigmoid(s)";
    epilogue->tensor = ops_input(run, DP_F32, epilogue->bias, ops_word(run, "zl", "", layout, sizeof layout), fill);
    epilogue->arg[0] = (dp_arg){.name = relu ? "b" : "z", .tensor = epilogue->tensor};
    epilogue->arg[1] = (dp_arg){.name = "a", .scalar = SCALAR};
    epilogue->args = (dp_args){epilogue->arg, relu ? 1 : 2};
}

void ops_epilogue_expect(ops_run *run, const ops_epilogue *epilogue, double *values)
{
    if (!epilogue->text)
        return;
    const float *data = ops_floats(run, epilogue->tensor);
    for (int64_t t = 0; t < ops_size(epilogue->result); t++) {
        int64_t index[DP_MAX_RANK];
        ops_unravel(epilogue->result, t, index);
        const double other = (double)data[ops_ravel_broadcast(epilogue->bias, epilogue->result, index)];
        const double s = SCALAR * values[t];
        values[t] = epilogue->args.count == 1 ? fmax(values[t] + other, 0) : other + s / (1 + exp(-s));
    }
}
