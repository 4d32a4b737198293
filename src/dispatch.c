/* SPDX-License-Identifier: Apache-2.0 */
/* The only crossing from an op into a backend. */
#include "ops/call.h"

dp_status dp__dispatch(dp_device *device, dp__op op, const void *call)
{
    return device->backend->run(device, op, call);
}

dp_status dp__dispatch_source(dp_device *device, dp__op op, const void *call, dp_dialect dialect, dp__text *text)
{
    if (!device->backend->source)
        return dp__fail(device, DP_ERROR_UNSUPPORTED, "device %s has no kernels: it is plain C", device->info.id);
    return device->backend->source(device, op, call, dialect, text);
}

dp_status dp__buffer_write(dp__buffer *buffer, uint64_t offset, const void *data, uint64_t bytes)
{
    return buffer->device->backend->buffer_write(buffer->device, buffer, offset, data, bytes);
}

dp_status dp__buffer_read(dp__buffer *buffer, uint64_t offset, void *data, uint64_t bytes)
{
    if (buffer->device->running) { /* on all devices, so that what runs on one runs on the others */
        buffer->device->unrepeatable = true;
        return dp__fail(buffer->device, DP_ERROR_UNSUPPORTED,
                        "a program cannot repeat a read: read its results between two runs");
    }
    return buffer->device->backend->buffer_read(buffer->device, buffer, offset, data, bytes);
}
