/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"

bool dp__recording(const dp_device *device, const dp_tensor *const *inputs, int count)
{
    if (!device || !device->recorder || device->recording_paused > 0)
        return false;
    for (int k = 0; k < count; k++)
        if (inputs[k] && (inputs[k]->requires_grad || inputs[k]->history || inputs[k]->buffer->unfollowed))
            return true;
    return false;
}

bool dp__recording_args(const dp_device *device, dp_args args)
{
    for (int k = 0; k < args.count; k++)
        if (dp__recording(device, &args.arg[k].tensor, 1))
            return true;
    return false;
}

dp_tensor *dp__record(dp_tensor *out, const dp__record_call *call)
{
    if (out && dp__recording(out->device, call->inputs, call->input_count) &&
        out->device->recorder->record(out, call) != DP_OK)
        dp_tensor_release(&out);
    return out;
}

void dp__record_written(dp_tensor *out, bool followed)
{
    dp__buffer *buffer = out->buffer;
    buffer->version++;
    if (followed)
        buffer->unfollowed = !buffer->leaf && !out->history;
    else if ((uint64_t)dp_tensor_size(out) * dp_dtype_size(out->dtype) + 3 >= buffer->bytes)
        buffer->unfollowed = false;
}

void dp__record_pause(dp_device *device)
{
    if (device)
        device->recording_paused++;
}

void dp__record_resume(dp_device *device)
{
    if (device)
        device->recording_paused--;
}
