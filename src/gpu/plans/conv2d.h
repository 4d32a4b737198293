/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to run a convolution, of which conv2d.c chooses. */
#ifndef DP_GPU_PLANS_CONV2D_H
#define DP_GPU_PLANS_CONV2D_H

#include "gpu/step.h"

/* conv2d_direct.c: any call, by the sums as they stand in call.h; without its epilogue. */
dp_status dp__conv2d_direct(dp__gpu *gpu, const dp__conv2d_call *call);

/* conv2d_contract.c: as contractions, with its epilogue; *done is false, and nothing done, where that does not pay. */
dp_status dp__conv2d_contract(dp__gpu *gpu, const dp__conv2d_call *call, bool *done);

/* conv2d_winograd.c: a call that allows it, without its epilogue. *done is false, and nothing done, where one image's transform does
 * not fit into a tensor. */
dp_status dp__conv2d_winograd(dp__gpu *gpu, const dp__conv2d_call *call, bool *done);

#endif
