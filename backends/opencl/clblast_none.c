/* SPDX-License-Identifier: Apache-2.0 */
/* clblast.c where CLBlast's header was missing at build time. */
#include "opencl.h"

bool dp__cl_has_gemm(dp__gpu *gpu)
{
    (void)gpu;
    return false;
}

dp_status dp__cl_gemm(dp__gpu *gpu, const dp__gemm *gemm)
{
    (void)gemm;
    return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED, "this library was built without CLBlast");
}

void dp__cl_gemm_close(dp__gpu *gpu)
{
    (void)gpu;
}
