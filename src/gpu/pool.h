/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DP_GPU_POOL_H
#define DP_GPU_POOL_H

#include "gpu/driver.h"

/* pool.c: dp__gpu_buffer_create, _destroy and _write of driver.h, and the end of what is kept. */
void dp__pool_free(dp__gpu *gpu);
/* Takes a handle out of what is kept; false where it is not. Gives one to it, or to the driver. */
bool dp__pool_take(dp__gpu *gpu, const void *handle);
void dp__pool_give(dp__gpu *gpu, void *handle, uint64_t bytes);
/* Exchanges a buffer's handle for one that is new. */
dp_status dp__pool_renew(dp__gpu *gpu, dp__buffer *buffer);

#endif
