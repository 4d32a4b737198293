/* SPDX-License-Identifier: Apache-2.0 */
/* Series: launches that are recorded once, in secondary command buffers of as much as a submission may hold, with their descriptors
 * and barriers. */
#include "device.h"

typedef struct part {
    dp__vk_object object; /* first */
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkDescriptorPool descriptors;
    const dp__launch *launches;
    size_t count;
    double work;
} part;

typedef struct series {
    part **parts;
    size_t count;
} series;

static void destroy_part(dp__vk *vk, dp__vk_object *object)
{
    part *own = (part *)object;
    vk->api.DestroyDescriptorPool(vk->device, own->descriptors, NULL);
    vk->api.DestroyCommandPool(vk->device, own->pool, NULL);
    dp__free(own);
}

static VkResult create_objects(dp__vk *vk, part *own)
{
    uint32_t bindings = 0;
    for (size_t k = 0; k < own->count; k++)
        bindings += (uint32_t)own->launches[k].bindings;
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, DP_MAX2(bindings, 1u)};
    const VkDescriptorPoolCreateInfo descriptors = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = (uint32_t)own->count,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = vk->traits.family,
    };
    VkResult result = vk->api.CreateDescriptorPool(vk->device, &descriptors, NULL, &own->descriptors);
    if (result != VK_SUCCESS) {
        own->descriptors = VK_NULL_HANDLE;
        return result;
    }
    result = vk->api.CreateCommandPool(vk->device, &pool, NULL, &own->pool);
    if (result != VK_SUCCESS) {
        own->pool = VK_NULL_HANDLE;
        return result;
    }
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = own->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
        .commandBufferCount = 1,
    };
    return vk->api.AllocateCommandBuffers(vk->device, &commands, &own->commands);
}

static bool share(const dp__launch *a, const dp__launch *b)
{
    for (int i = 0; i < a->bindings; i++)
        for (int k = 0; k < b->bindings; k++)
            if (a->binding[i].buffer->handle == b->binding[k].buffer->handle && (a->binding[i].writes || b->binding[k].writes))
                return true;
    return false;
}

static dp_status record(dp__vk *vk, part *own)
{
    const VkCommandBufferInheritanceInfo inherited = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO};
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT, /* a run may be recorded while the one before it is under way */
        .pInheritanceInfo = &inherited,
    };
    VkResult result = vk->api.BeginCommandBuffer(own->commands, &info);
    if (result != VK_SUCCESS)
        return dp__vk_fail(vk, result, "vkBeginCommandBuffer");
    size_t epoch = 0; /* the first launch behind the last barrier */
    for (size_t k = 0; k < own->count; k++) {
        bool hazard = false;
        for (size_t before = epoch; before < k && !hazard; before++)
            hazard = share(&own->launches[before], &own->launches[k]);
        if (hazard) {
            dp__vk_barrier(vk, own->commands);
            epoch = k;
        }
        DP_CHECK(dp__vk_bind(vk, own->commands, own->descriptors, &own->launches[k]));
        dp__vk_dispatch(vk, own->commands, &own->launches[k]);
    }
    result = vk->api.EndCommandBuffer(own->commands);
    return result == VK_SUCCESS ? DP_OK : dp__vk_fail(vk, result, "vkEndCommandBuffer");
}

/* Of the first launches, as many as a submission takes. */
static dp_status create_part(dp__vk *vk, const dp__launch *launches, size_t count, part **result)
{
    part *own = dp__alloc(1, sizeof *own);
    if (!own)
        return dp__fail(vk->gpu->device, DP_ERROR_MEMORY, "no memory for a series of launches");
    *result = own;
    own->object.destroy = destroy_part;
    own->launches = launches;
    while (own->count < count && own->count < DP__VK_LAUNCHES && own->work < DP__VK_WORK)
        own->work += dp__vk_work(&launches[own->count++]);
    const VkResult made = create_objects(vk, own);
    return made == VK_SUCCESS ? record(vk, own) : dp__vk_fail(vk, made, "objects for a series of launches");
}

dp_status dp__vk_series_create(dp__gpu *gpu, const dp__launch *launches, size_t count, void **result)
{
    dp__vk *vk = gpu->driver_state;
    series *own = dp__alloc(1, sizeof *own);
    if (own)
        own->parts = dp__alloc(count, sizeof *own->parts);
    dp_status status = own && own->parts ? DP_OK
                                         : dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for a series of %zu launches", count);
    for (size_t at = 0; status == DP_OK && at < count;) {
        status = create_part(vk, launches + at, count - at, &own->parts[own->count]);
        if (own->parts[own->count])
            at += own->parts[own->count++]->count;
    }
    if (status != DP_OK && own)
        dp__vk_series_destroy(gpu, own);
    *result = status == DP_OK ? own : NULL;
    return status;
}

dp_status dp__vk_series_run(dp__gpu *gpu, void *handle)
{
    dp__vk *vk = gpu->driver_state;
    const series *own = handle;
    if (gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    for (size_t p = 0; p < own->count; p++) {
        part *next = own->parts[p];
        DP_CHECK(dp__vk_begin(vk, (int)next->count, next->work));
        dp__vk_order(vk, next->launches, next->count);
        next->object.used = vk->current;
        vk->api.CmdExecuteCommands(vk->slot[vk->current % DP__VK_RING].commands, 1, &next->commands);
        DP_CHECK(dp__vk_recorded(vk, (int)next->count, next->work));
    }
    return DP_OK;
}

void dp__vk_series_destroy(dp__gpu *gpu, void *handle)
{
    dp__vk *vk = gpu->driver_state;
    series *own = handle;
    for (size_t p = 0; p < own->count; p++)
        dp__vk_release(vk, &own->parts[p]->object);
    dp__free(own->parts);
    dp__free(own);
}
