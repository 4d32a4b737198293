/* SPDX-License-Identifier: Apache-2.0 */
/* An open device: its life, its failures, and what is destroyed late. */
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dp_status dp__vk_fail(dp__vk *vk, VkResult result, const char *what)
{
    dp_device *device = vk->gpu->device;
    const char *name = dp__vk_result_name(result);
    switch ((int)result) {
    case VK_ERROR_DEVICE_LOST:
        return dp__lose(device, "%s: %s", what, name);
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_MEMORY_MAP_FAILED:
        return dp__fail(device, DP_ERROR_MEMORY, "%s: %s", what, name);
    default:
        return dp__fail(device, DP_ERROR_DRIVER, "%s: %s", what, name);
    }
}

static VkResult create_device(dp__vk *vk)
{
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = vk->traits.family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
    };
    const VkResult result = vk->api.CreateDevice(vk->physical, &info, NULL, &vk->device);
    if (result != VK_SUCCESS) {
        vk->device = VK_NULL_HANDLE;
        return result;
    }
    if (!dp__vk_api_load_device(&vk->api, vk->device)) {
        if (vk->api.DestroyDevice)
            vk->api.DestroyDevice(vk->device, NULL);
        vk->device = VK_NULL_HANDLE;
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    vk->api.GetDeviceQueue(vk->device, vk->traits.family, 0, &vk->queue);
    return VK_SUCCESS;
}

static VkResult create_objects(dp__vk *vk)
{
    VkResult result = VK_SUCCESS;
    for (int i = 0; i < DP__VK_RING && result == VK_SUCCESS; i++)
        result = dp__vk_slot_create(vk, &vk->slot[i]);
    return result;
}

static bool take_physical(dp__vk *vk, size_t index)
{
    uint32_t count;
    VkPhysicalDevice *devices = dp__vk_devices(&vk->api, &count);
    const bool found = index < count;
    if (found)
        vk->physical = devices[index];
    dp__free(devices);
    if (!found)
        return false;
    dp__vk_examine(&vk->api, vk->physical, &vk->traits);
    vk->api.GetPhysicalDeviceMemoryProperties(vk->physical, &vk->memory);
    vk->map_tensors = vk->traits.info.features & DP_FEATURE_UNIFIED_MEMORY;
    vk->gpu->limits = vk->traits.limits;
    vk->gpu->device->info = vk->traits.info;
    snprintf(vk->gpu->device->info.id, sizeof vk->gpu->device->info.id, "vulkan:%zu", index);
    dp__vk_identify(vk, vk->gpu->identity, sizeof vk->gpu->identity);
    return true;
}

dp_status dp__vk_open(dp__gpu *gpu, size_t index)
{
    dp__vk *vk = dp__alloc(1, sizeof *vk);
    if (!vk)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for a Vulkan device");
    vk->gpu = gpu;
    vk->epoch = 1; /* buffers start with 0: not used in this epoch */
    vk->current = DP__VK_RING;
    vk->completed = DP__VK_RING - 1;
    gpu->driver_state = vk;
    const char *early = getenv("DIPOLE_EARLY");
    vk->patient = early && strcmp(early, "off") == 0;

    dp_status status;
    char hint[256];
    if (!dp__vk_api_open(&vk->api, hint, sizeof hint)) {
        status = dp__fail(gpu->device, DP_ERROR_NO_DEVICE, "%s", hint);
    } else if (!take_physical(vk, index)) {
        status = dp__fail(gpu->device, DP_ERROR_NO_DEVICE, "there is no device vulkan:%zu any more", index);
    } else {
        VkResult result = create_device(vk);
        status = result == VK_SUCCESS ? DP_OK : dp__vk_fail(vk, result, "vkCreateDevice");
        if (status == DP_OK && (result = create_objects(vk)) != VK_SUCCESS)
            status = dp__vk_fail(vk, result, "setting up the queue");
    }
    if (status != DP_OK)
        dp__vk_close(gpu);
    return status;
}

void dp__vk_close(dp__gpu *gpu)
{
    dp__vk *vk = gpu->driver_state;
    if (!vk)
        return;
    if (vk->device) {
        vk->api.DeviceWaitIdle(vk->device); /* a lost device is idle too */
        for (int i = 0; i < 2; i++)
            if (vk->staging.half[i])
                dp__vk_release(vk, &vk->staging.half[i]->object);
        for (int i = 0; i < DP__VK_RING; i++)
            dp__vk_slot_destroy(vk, &vk->slot[i]);
        dp__vk_empty_trash(vk, UINT64_MAX);
        for (int i = 0; i <= DP__MAX_BINDINGS; i++) {
            vk->api.DestroyPipelineLayout(vk->device, vk->pipeline_layout[i], NULL);
            vk->api.DestroyDescriptorSetLayout(vk->device, vk->set_layout[i], NULL);
        }
        vk->api.DestroyDevice(vk->device, NULL);
    }
    dp__vk_api_close(&vk->api);
    dp__free(vk);
    gpu->driver_state = NULL;
}

void dp__vk_release(dp__vk *vk, dp__vk_object *object)
{
    if (object->used <= vk->completed) {
        object->destroy(vk, object);
    } else {
        object->next = vk->trash;
        vk->trash = object;
    }
}

void dp__vk_empty_trash(dp__vk *vk, uint64_t done)
{
    dp__vk_object **link = &vk->trash;
    while (*link) {
        dp__vk_object *object = *link;
        if (object->used > done) {
            link = &object->next;
        } else {
            *link = object->next;
            object->destroy(vk, object);
        }
    }
}
