/* SPDX-License-Identifier: Apache-2.0 */
/* What a capture leaves: launches and products in their order, and the memory that they use. */
#ifndef DP_GPU_RECORDING_H
#define DP_GPU_RECORDING_H

#include "gpu/driver.h"

/* A driver's buffer that a recorded launch uses. */
typedef struct dp__place {
    void *handle;
    uint64_t capacity;
    dp__buffer *live; /* that has the handle; NULL: it lies in the pool, or is the recording's */
    bool pinned;      /* its contents must stay: the host wrote them */
    bool held;        /* it is the recording's, and no longer the pool's */
} dp__place;

typedef struct dp__recorded_gemm {
    size_t at; /* before this launch */
    dp__gemm gemm;
} dp__recorded_gemm;

typedef struct dp__recording {
    dp__launch *launches;
    size_t count, capacity;
    dp__recorded_gemm *gemms;
    size_t gemm_count, gemm_capacity;
    dp__place *places;
    size_t place_count, place_capacity;
    dp__buffer **views; /* the buffers of `launches` and `gemms`: tensors' come and go, and their handles change hands */
    size_t view_count, view_capacity;
    bool sealed;   /* it has taken over the memory */
    void **series; /* the driver's, of the launches before, between and behind the products; NULL: none */
} dp__recording;

/* Add a launch, a product, a buffer that they use. ERROR_MEMORY. */
dp_status dp__recording_launch(dp__gpu *gpu, dp__recording *recording, const dp__launch *launch);
dp_status dp__recording_gemm(dp__gpu *gpu, dp__recording *recording, const dp__gemm *gemm);
dp_status dp__recording_touch(dp__gpu *gpu, dp__recording *recording, dp__buffer *buffer, dp__place **place);
dp__place *dp__recording_find(const dp__recording *recording, const void *handle); /* NULL: none */

/* Takes over the memory, and lets the driver prepare the launches. */
dp_status dp__recording_seal(dp__gpu *gpu, dp__recording *recording);
dp_status dp__recording_run(dp__gpu *gpu, dp__recording *recording);
void dp__recording_free(dp__gpu *gpu, dp__recording *recording); /* sealed or not */

#endif
