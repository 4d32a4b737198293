/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of calls that make their gradients together with their value, for which a pass that is not recorded never asks. */
#include "grad/tape.h"

dp_status dp__grad_given(dp_device *device, const dp__history *call, dp_tensor *cotangent, dp_tensor **gradients)
{
    (void)call, (void)cotangent, (void)gradients;
    return dp__fail(device, DP_ERROR_UNSUPPORTED,
                    "backward: the losses of loss.h, atom.h and eieg.h have first derivatives only, not with DP_GRADIENT_RECORD");
}
