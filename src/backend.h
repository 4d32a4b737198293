/* SPDX-License-Identifier: Apache-2.0 */
/* The contract between the library and a backend. Dispatch (dispatch.c) is the only caller; it has validated everything
 * that a user passed, so a backend assumes valid input. Failures are kept with dp__fail() and their status returned. */
#ifndef DP_BACKEND_H
#define DP_BACKEND_H

#include "core/core.h"
#include <dipole/explain.h>
#include <dipole/profile.h>
#include <dipole/tune.h>

typedef enum dp__op {
#define DP_OP(name) DP__OP_##name,
#include "ops/ops.def"
#undef DP_OP
    DP__OP_COUNT
} dp__op;

typedef struct dp__backend {
    const char *name; /* "opencl" */

    /* Writes at most `capacity` infos and returns how many devices there are. With none, `hint` says why in one line. Needs no
     * device; may be called at any time and from any thread. */
    size_t (*list)(dp_device_info *infos, size_t capacity, char *hint, size_t hint_size);
    /* Opens what the listing has at `index`: fills device->state, and device->info as the listing does. Needs no listing before.
     * ERROR_NO_DEVICE where there is none; on failure leaves nothing behind. */
    dp_status (*open)(dp_device *device, size_t index);
    void (*close)(dp_device *device); /* all buffers are gone by then */

    /* Sets buffer->handle for buffer->bytes bytes, contents undefined. */
    dp_status (*buffer_create)(dp_device *device, dp__buffer *buffer);
    /* Launches in flight may still use it: memory goes back when they are done. */
    void (*buffer_destroy)(dp_device *device, dp__buffer *buffer);
    /* In order with the launches before; host memory may be reused on return. */
    dp_status (*buffer_write)(dp_device *device, dp__buffer *buffer, uint64_t offset, const void *data,
                              uint64_t bytes);
    dp_status (*buffer_read)(dp_device *device, dp__buffer *buffer, uint64_t offset, void *data,
                             uint64_t bytes);

    /* Runs the op, `call` being its struct in ops/call.h; ERROR_UNSUPPORTED with the reason, and nothing done, where it cannot. */
    dp_status (*run)(dp_device *device, dp__op op, const void *call);
    dp_status (*wait)(dp_device *device);
    /* Appends the sources of the kernels that run would build, and runs nothing. NULL: the backend has none. */
    dp_status (*source)(dp_device *device, dp__op op, const void *call, dp_dialect dialect, dp__text *text);

    dp_status (*profile)(dp_device *device, bool on);
    size_t (*profile_list)(dp_device *device, dp_profile_entry *entries, size_t capacity);
    /* See dp_tune; the options are valid. NULL: there is nothing to tune. */
    dp_status (*tune)(dp_device *device, const dp_tune_options *options);

    /* Programs; all NULL where the backend cannot record. Between begin and end what is run is recorded too; end, with `keep`, makes
     * a recording of it, and forgets it otherwise, or on failure. Where it cannot be repeated device->unrepeatable is set. */
    dp_status (*capture_begin)(dp_device *device);
    dp_status (*capture_end)(dp_device *device, bool keep, void **recording);
    dp_status (*replay)(dp_device *device, void *recording);
    void (*recording_free)(dp_device *device, void *recording);
} dp__backend;

/* backends.c: the registration table; NULL past the last. */
const dp__backend *dp__backend_at(size_t index);

#endif
