/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan backend: compute on devices of Vulkan 1.1 and up. */
#include "device.h"

#include <stdio.h>

static const dp__gpu_driver driver = {
    .name = "vulkan",
    .glsl = true,
    .open = dp__vk_open,
    .close = dp__vk_close,
    .buffer_create = dp__vk_buffer_create,
    .buffer_destroy = dp__vk_buffer_destroy,
    .buffer_busy = dp__vk_buffer_busy,
    .buffer_write = dp__vk_buffer_write,
    .buffer_read = dp__vk_buffer_read,
    .kernel_create = dp__vk_kernel_create,
    .kernel_load = dp__vk_kernel_load,
    .kernel_destroy = dp__vk_kernel_destroy,
    .launch = dp__vk_launch,
    .series_create = dp__vk_series_create,
    .series_run = dp__vk_series_run,
    .series_destroy = dp__vk_series_destroy,
    .flush = dp__vk_flush,
    .wait = dp__vk_wait,
};

static size_t list(dp_device_info *infos, size_t capacity, char *hint, size_t hint_size)
{
    dp__vk_api api;
    if (!dp__vk_api_open(&api, hint, hint_size))
        return 0;
    uint32_t count;
    VkPhysicalDevice *devices = dp__vk_devices(&api, &count);
    for (uint32_t i = 0; i < count && i < capacity; i++) {
        dp__vk_traits traits;
        dp__vk_examine(&api, devices[i], &traits);
        infos[i] = traits.info;
        snprintf(infos[i].id, sizeof infos[i].id, "vulkan:%u", i);
    }
    if (count == 0)
        snprintf(hint, hint_size, "no Vulkan 1.1 device with a compute queue: " DP__VK_INSTALL);
    dp__free(devices);
    dp__vk_api_close(&api);
    return count;
}

static dp_status open_device(dp_device *device, size_t index)
{
    return dp__gpu_open(device, &driver, index);
}

const dp__backend dp__backend_vulkan = DP__GPU_BACKEND("vulkan", list, open_device);
