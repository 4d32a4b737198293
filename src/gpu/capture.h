/* SPDX-License-Identifier: Apache-2.0 */
/* Captures: while a program's body runs, its launches are noted too; a recording launches them again.
 *
 * Memory is what has to be right. A capture notes the driver's buffers ("places") that its launches use. While it runs the pool
 * reuses them as ever, which repeats in the same order; none is given back to the driver. At its end, those that are no tensor's
 * lie in the pool and become the recording's own; of the others the recording holds a reference. What the host writes goes through
 * a buffer that keeps it, and a copy from there, which is a launch as others are. */
#ifndef DP_GPU_CAPTURE_H
#define DP_GPU_CAPTURE_H

#include "gpu/driver.h"

/* After a launch, or a product, that the driver took: no effect but where a capture runs. ERROR_MEMORY. */
dp_status dp__capture_launch(dp__gpu *gpu, const dp__launch *launch);
dp_status dp__capture_gemm(dp__gpu *gpu, const dp__gemm *gemm);

/* What is done between the two is no part of the program, and may read back. They nest. */
void dp__capture_suspend(dp__gpu *gpu);
void dp__capture_resume(dp__gpu *gpu);

/* Whether writes by the host have to go through dp__capture_write. */
bool dp__capture_runs(const dp__gpu *gpu);
dp_status dp__capture_write(dp__gpu *gpu, dp__buffer *buffer, uint64_t offset, const void *data, uint64_t bytes);
/* For buffers that the host writes and launches only read: `fresh`, before they are written and used, sees to it that no recorded
 * launch has had their memory; `pin` that none gets it from now on. */
dp_status dp__capture_fresh(dp__gpu *gpu, dp__buffer *buffer);
dp_status dp__capture_pin(dp__gpu *gpu, dp__buffer *buffer);

/* For the pool. A buffer got its handle; a buffer goes, and its handle with it (true: the capture keeps it); a handle goes back to
 * the driver (the same). */
void dp__capture_born(dp__gpu *gpu, dp__buffer *buffer);
bool dp__capture_takes(dp__gpu *gpu, const dp__buffer *buffer);
bool dp__capture_holds(dp__gpu *gpu, void *handle);

#endif
