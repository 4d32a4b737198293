/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses, and the one failure that a device keeps. */
#include "core/core.h"
#include <stdio.h>

#define STRING(x) #x
#define VERSION(major, minor, patch) STRING(major) "." STRING(minor) "." STRING(patch)

const char *dp_version(void)
{
    return VERSION(DP_VERSION_MAJOR, DP_VERSION_MINOR, DP_VERSION_PATCH);
}

const char *dp_status_name(dp_status status)
{
    static const char *const names[] = {
#define NAME(name, text) "DP_" #name,
        DP_STATUS_LIST(NAME)
#undef NAME
    };
    return (unsigned)status < DP_COUNT(names) ? names[status] : "unknown status";
}

const char *dp_status_text(dp_status status)
{
    static const char *const texts[] = {
#define TEXT(name, text) text,
        DP_STATUS_LIST(TEXT)
#undef TEXT
    };
    return (unsigned)status < DP_COUNT(texts) ? texts[status] : "unknown status";
}

static dp_status keep(dp_device *device, dp_status status, const char *format, va_list list)
{
    if (device && device->status == DP_OK) {
        device->status = status;
        vsnprintf(device->message, sizeof device->message, format, list);
    }
    return status;
}

dp_status dp__fail(dp_device *device, dp_status status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    keep(device, status, format, list);
    va_end(list);
    return status;
}

dp_status dp__lose(dp_device *device, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    keep(device, DP_ERROR_DEVICE_LOST, format, list);
    va_end(list);
    device->lost = true;
    return DP_ERROR_DEVICE_LOST;
}

dp_status dp_failed(const dp_device *device)
{
    return device ? device->status : DP_ERROR_NO_DEVICE;
}

const char *dp_message(const dp_device *device)
{
    return device ? device->message : "the device is NULL: the host has no memory for it";
}

dp_status dp_clear(dp_device *device)
{
    if (!device)
        return DP_ERROR_NO_DEVICE;
    const dp_status status = device->status;
    device->status = device->lost ? DP_ERROR_DEVICE_LOST : device->backend ? DP_OK : status;
    if (device->status == DP_OK)
        device->message[0] = '\0';
    return status;
}

dp_status dp__check_device(dp_device *device)
{
    if (!device)
        return DP_ERROR_NO_DEVICE;
    if (device->lost)
        return dp__fail(device, DP_ERROR_DEVICE_LOST, "device %s was lost", device->info.id);
    if (!device->backend)
        return device->status; /* it failed to open: the message says why */
    return DP_OK;
}

dp_status dp__check_tensor(dp_device *device, const dp_tensor *tensor, const char *name)
{
    if (!tensor) /* quiet after an earlier failure: dp__fail keeps the first */
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s is NULL", name);
    if (tensor->device != device)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s is on device %s, not on %s (dp_copy moves it)", name,
                        tensor->device->info.id, device->info.id);
    return DP_OK;
}

dp_status dp__check_dtype(dp_device *device, const dp_tensor *tensor, const char *name, dp_dtype dtype)
{
    DP_CHECK(dp__check_tensor(device, tensor, name));
    if (tensor->dtype != dtype)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s is %s, but must be %s%s", name, dp_dtype_name(tensor->dtype),
                        dp_dtype_name(dtype), dp__is_half(tensor->dtype) && dtype == DP_F32 ? " (dp_cast converts)" : "");
    return DP_OK;
}

dp_status dp__check_float(dp_device *device, const dp_tensor *tensor, const char *name)
{
    DP_CHECK(dp__check_tensor(device, tensor, name));
    if (tensor->dtype != DP_F32 && !dp__is_half(tensor->dtype))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s is %s, but must be f32, f16 or bf16", name,
                        dp_dtype_name(tensor->dtype));
    return DP_OK;
}
