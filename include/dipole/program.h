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
 * but for what it hands out through `context`, which every later run writes anew at the same place.
 * A status that is not DP_OK ends the run. */
typedef dp_status (*dp_program_body)(dp_device *device, void *context);

/* NULL where memory is out. `context` belongs to the caller and must outlive the program. */
DP_API dp_program *dp_program_create(dp_device *device, dp_program_body body, void *context);

/* The first run calls the body and records what it does on the device; later ones do that again, in the same order and with the same
 * bits, at the cost of the launches alone. Memory that the body used stays with the program. On a device that cannot record
 * ("ref") every run calls the body. Errors: the body's; ERROR_UNSUPPORTED where it did something that cannot be repeated
 * (reading a tensor back), and then nothing is recorded. */
DP_API dp_status dp_program_run(dp_program *program);

/* Nulls the handle; NULL is fine. Before the device is closed. */
DP_API void dp_program_destroy(dp_program **program);

#ifdef __cplusplus
}
#endif
#endif
