/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DP_GPU_POOL_H
#define DP_GPU_POOL_H

#include "gpu/driver.h"

/* pool.c: dp__gpu_buffer_create, _destroy and _write of driver.h, and the end of what is kept. */
void dp__pool_free(dp__gpu *gpu);

#endif
