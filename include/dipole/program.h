/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: the work of a function, recorded once and run again without the host's part of it. For loops of many small steps, such
 * as training. */
#ifndef DIPOLE_PROGRAM_H
#define DIPOLE_PROGRAM_H

#include <dipole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_program dp_program;

/* Calls of this library that do the same work each time: same shapes, scalars and tensors. What changes from one run to the next
 * lies in tensors that exist before and after it: it is written in place (dp_map_into, dp_optimizer_step), or by the host between
 * two runs (dp_write). Random numbers come from dp_uniform_at and its like. It reads nothing back, and it lets go of what it makes,
 * but for what it hands out through `context`, which every later run writes anew at the same place. What the host writes in it
 * (dp_from, dp_fill, dp_write) every later run writes again, with the values of the first. Other devices' work is not recorded.
 * A status that is not DP_OK, returned or kept in the device, is the run's. docs/program.md has an example. */
typedef dp_status (*dp_program_body)(dp_device *device, void *context);

/* `context` belongs to the caller and must outlive the program. NULL on failure, with the reason kept: ERROR_ARGUMENT (body is
 * NULL), ERROR_MEMORY. */
DP_API dp_program *dp_program_create(dp_device *device, dp_program_body body, void *context);

/* The first run calls the body and records what it does on the device; later ones do that again, in the same order and with the same
 * bits, at the cost of the launches alone. Memory that the body used stays with the program, and dp_memory_get counts it. On a
 * device that cannot record ("ref") every run calls the body. Like a call, a run is asynchronous; it may be profiled.
 * Errors: the body's; ERROR_UNSUPPORTED where it did something that cannot be repeated: it read a tensor back, or released one that
 * it had used and that was there before it, or wrote only half a word of one; and where a program's body runs already. ERROR_MEMORY.
 * Then nothing is recorded, and the next run is the first again. NULL: ERROR_ARGUMENT. */
DP_API dp_status dp_program_run(dp_program *program);

/* Nulls the handle; NULL is fine. At any time but within its own body (then ERROR_UNSUPPORTED is kept, and nothing done): its last run
 * may be under way, and tensors that the body handed out live on. Closing the device destroys its programs; their handles are void. */
DP_API void dp_program_destroy(dp_program **program);

#ifdef __cplusplus
}
#endif
#endif
