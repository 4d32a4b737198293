/* SPDX-License-Identifier: Apache-2.0 */
/* The queue: recording launches and copies, ordering them, submitting, waiting, timing. */
#include "device.h"

#include <time.h>

/* A byte counts as much as the floating-point operations that a GPU does in its time. */
#define FLOPS_PER_BYTE 8
/* A submission ends when a device that has nothing to do has waited so long: it works while the host goes on. */
#define SECONDS_OF_PATIENCE 200e-6

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

VkResult dp__vk_slot_create(dp__vk *vk, dp__vk_slot *slot)
{
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
        .queueFamilyIndex = vk->traits.family,
    };
    VkResult result = vk->api.CreateCommandPool(vk->device, &pool, NULL, &slot->pool);
    if (result != VK_SUCCESS)
        return result;
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = slot->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    result = vk->api.AllocateCommandBuffers(vk->device, &commands, &slot->commands);
    if (result != VK_SUCCESS)
        return result;
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, DP__VK_LAUNCHES * DP__MAX_BINDINGS};
    const VkDescriptorPoolCreateInfo descriptors = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = DP__VK_LAUNCHES,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    result = vk->api.CreateDescriptorPool(vk->device, &descriptors, NULL, &slot->descriptors);
    if (result != VK_SUCCESS)
        return result;
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    return vk->api.CreateFence(vk->device, &fence, NULL, &slot->fence);
}

void dp__vk_slot_destroy(dp__vk *vk, dp__vk_slot *slot)
{
    vk->api.DestroyQueryPool(vk->device, slot->queries, NULL);
    vk->api.DestroyFence(vk->device, slot->fence, NULL);
    vk->api.DestroyDescriptorPool(vk->device, slot->descriptors, NULL);
    vk->api.DestroyCommandPool(vk->device, slot->pool, NULL);
}

static dp__vk_slot *slot_of(const dp__vk *vk, uint64_t number)
{
    return (dp__vk_slot *)&vk->slot[number % DP__VK_RING];
}

/* Passes on the times of a submission that is done. */
static void report_times(dp__vk *vk, dp__vk_slot *slot)
{
    uint64_t ticks[2 * DP__VK_LAUNCHES];
    const uint32_t count = slot->timed_count;
    slot->timed_count = 0;
    if (count == 0 || vk->api.GetQueryPoolResults(vk->device, slot->queries, 0, 2 * count, sizeof ticks,
                                                  ticks, sizeof *ticks, VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return;
    for (uint32_t i = 0; i < count; i++) {
        const dp__vk_timed *timed = &slot->timed[i];
        const uint64_t span = (ticks[2 * i + 1] - ticks[2 * i]) & vk->traits.tick_mask;
        dp__profile_add(vk->gpu, timed->kernel, (double)span * vk->traits.tick, timed->flops, timed->bytes);
    }
}

static dp_status submit(dp__vk *vk);

dp_status dp__vk_begin(dp__vk *vk, int launches, double work)
{
    dp__vk_slot *slot = slot_of(vk, vk->current);
    if (vk->recording && slot->launches > 0 && (slot->launches + launches > DP__VK_LAUNCHES || slot->work + work > DP__VK_WORK))
        DP_CHECK(submit(vk));
    if (vk->recording)
        return DP_OK;
    slot = slot_of(vk, vk->current);
    DP_CHECK(dp__vk_wait_for(vk, vk->current - DP__VK_RING));
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkResult result = vk->api.ResetFences(vk->device, 1, &slot->fence);
    if (result == VK_SUCCESS)
        result = vk->api.ResetDescriptorPool(vk->device, slot->descriptors, 0);
    if (result == VK_SUCCESS)
        result = vk->api.ResetCommandPool(vk->device, slot->pool, 0);
    if (result == VK_SUCCESS)
        result = vk->api.BeginCommandBuffer(slot->commands, &info);
    if (result != VK_SUCCESS)
        return dp__vk_fail(vk, result, "vkBeginCommandBuffer");
    slot->launches = 0;
    slot->work = 0;
    slot->began = now();
    vk->recording = true;
    return DP_OK;
}

static void record_barrier(dp__vk *vk, VkCommandBuffer commands, VkPipelineStageFlags stages, VkAccessFlags accesses)
{
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = accesses,
    };
    vk->api.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, stages,
                               0, 1, &barrier, 0, NULL, 0, NULL);
}

void dp__vk_barrier(dp__vk *vk, VkCommandBuffer commands)
{
    record_barrier(vk, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                   VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                       VK_ACCESS_TRANSFER_WRITE_BIT);
}

static void start_epoch(dp__vk *vk)
{
    dp__vk_barrier(vk, slot_of(vk, vk->current)->commands);
    vk->epoch++;
}

static bool is_hazard(const dp__vk *vk, const dp__vk_buffer *buffer, bool writes)
{
    return buffer->write_epoch == vk->epoch || (writes && buffer->read_epoch == vk->epoch);
}

static void mark(dp__vk *vk, dp__vk_buffer *buffer, bool writes)
{
    buffer->object.used = vk->current;
    buffer->read_epoch = vk->epoch;
    if (writes) {
        buffer->written = vk->current;
        buffer->write_epoch = vk->epoch;
    }
}

/* Nothing was executed of what was recorded, and nobody can record it again: results would be silently wrong.
 */
static dp_status lose_work(dp__vk *vk, VkResult result, const char *what)
{
    return dp__lose(vk->gpu->device, "recorded work was lost: %s: %s", what, dp__vk_result_name(result));
}

static dp_status submit(dp__vk *vk)
{
    if (vk->gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    if (!vk->recording)
        return DP_OK;
    dp__vk_slot *slot = slot_of(vk, vk->current);
    record_barrier(vk, slot->commands, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT); /* for reads of mapped memory */
    vk->recording = false;
    VkResult result = vk->api.EndCommandBuffer(slot->commands);
    if (result != VK_SUCCESS)
        return lose_work(vk, result, "vkEndCommandBuffer");
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &slot->commands,
    };
    result = vk->api.QueueSubmit(vk->queue, 1, &info, slot->fence);
    if (result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY) {
        DP_CHECK(
            dp__vk_wait_for(vk, vk->current - 1)); /* what is in flight holds memory: once more without it */
        result = vk->api.QueueSubmit(vk->queue, 1, &info, slot->fence);
    }
    if (result != VK_SUCCESS)
        return lose_work(vk, result, "vkQueueSubmit");
    vk->current++;
    return DP_OK;
}

dp_status dp__vk_wait_for(dp__vk *vk, uint64_t number)
{
    if (number <= vk->completed)
        return DP_OK;
    if (number == vk->current)
        DP_CHECK(submit(vk));
    const VkResult result =
        vk->api.WaitForFences(vk->device, 1, &slot_of(vk, number)->fence, VK_TRUE, UINT64_MAX);
    if (result != VK_SUCCESS)
        return dp__vk_fail(vk, result, "vkWaitForFences");
    while (vk->completed < number)
        report_times(vk, slot_of(vk, ++vk->completed));
    dp__vk_empty_trash(vk, vk->completed);
    return DP_OK;
}

void dp__vk_look(dp__vk *vk)
{
    const uint64_t before = vk->completed;
    while (vk->completed + 1 < vk->current &&
           vk->api.GetFenceStatus(vk->device, slot_of(vk, vk->completed + 1)->fence) == VK_SUCCESS)
        report_times(vk, slot_of(vk, ++vk->completed));
    if (vk->completed > before)
        dp__vk_empty_trash(vk, vk->completed);
}

dp_status dp__vk_flush(dp__gpu *gpu)
{
    return submit(gpu->driver_state);
}

dp_status dp__vk_wait(dp__gpu *gpu)
{
    dp__vk *vk = gpu->driver_state;
    DP_CHECK(submit(vk));
    return dp__vk_wait_for(vk, vk->current - 1);
}

dp_status dp__vk_copy(dp__vk *vk, dp__vk_buffer *from, uint64_t from_offset, dp__vk_buffer *to,
                      uint64_t to_offset, uint64_t bytes)
{
    DP_CHECK(dp__vk_begin(vk, 0, 0));
    if (is_hazard(vk, from, false) || is_hazard(vk, to, true))
        start_epoch(vk);
    const VkBufferCopy region = {from_offset, to_offset, bytes};
    vk->api.CmdCopyBuffer(slot_of(vk, vk->current)->commands, from->handle, to->handle, 1, &region);
    mark(vk, from, false);
    mark(vk, to, true);
    return DP_OK;
}

dp_status dp__vk_bind(dp__vk *vk, VkCommandBuffer commands, VkDescriptorPool descriptors, const dp__launch *launch)
{
    if (launch->bindings == 0)
        return DP_OK;
    const dp__vk_kernel *kernel = launch->kernel;
    const VkDescriptorSetAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = descriptors,
        .descriptorSetCount = 1,
        .pSetLayouts = &vk->set_layout[launch->bindings],
    };
    VkDescriptorSet set;
    const VkResult result = vk->api.AllocateDescriptorSets(vk->device, &info, &set);
    if (result != VK_SUCCESS)
        return dp__vk_fail(vk, result, "vkAllocateDescriptorSets");
    VkDescriptorBufferInfo buffers[DP__MAX_BINDINGS];
    VkWriteDescriptorSet writes[DP__MAX_BINDINGS] = {0};
    for (int i = 0; i < launch->bindings; i++) {
        const dp__vk_buffer *buffer = launch->binding[i].buffer->handle;
        /* the tensor's bytes, not those of the buffer that it was given: the validation layer sees what lies beyond */
        buffers[i] = (VkDescriptorBufferInfo){buffer->handle, 0, launch->binding[i].buffer->bytes};
        writes[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
        writes[i].dstSet = set;
        writes[i].dstBinding = (uint32_t)i;
        writes[i].descriptorCount = 1;
        writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        writes[i].pBufferInfo = &buffers[i];
    }
    vk->api.UpdateDescriptorSets(vk->device, (uint32_t)launch->bindings, writes, 0, NULL);
    vk->api.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, kernel->layout, 0, 1, &set, 0, NULL);
    return DP_OK;
}

void dp__vk_dispatch(dp__vk *vk, VkCommandBuffer commands, const dp__launch *launch)
{
    const dp__vk_kernel *kernel = launch->kernel;
    vk->api.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, kernel->pipeline);
    if (launch->params > 0)
        vk->api.CmdPushConstants(commands, kernel->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, (uint32_t)launch->params * 4,
                                 launch->param);
    vk->api.CmdDispatch(commands, launch->groups[0], launch->groups[1], launch->groups[2]);
}

double dp__vk_work(const dp__launch *launch)
{
    return launch->flops + FLOPS_PER_BYTE * launch->bytes;
}

/* Makes the launch that is recorded next the only one that runs, and takes the time before it. */
static dp_status start_timing(dp__vk *vk, dp__vk_slot *slot)
{
    if (!slot->queries) {
        const VkQueryPoolCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
            .queryType = VK_QUERY_TYPE_TIMESTAMP,
            .queryCount = 2 * DP__VK_LAUNCHES,
        };
        const VkResult result = vk->api.CreateQueryPool(vk->device, &info, NULL, &slot->queries);
        if (result != VK_SUCCESS) {
            slot->queries = VK_NULL_HANDLE;
            return dp__vk_fail(vk, result, "vkCreateQueryPool");
        }
    }
    if (slot->timed_count == 0)
        vk->api.CmdResetQueryPool(slot->commands, slot->queries, 0, 2 * DP__VK_LAUNCHES);
    start_epoch(vk);
    vk->api.CmdWriteTimestamp(slot->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, slot->queries,
                              2 * slot->timed_count);
    return DP_OK;
}

static void stop_timing(dp__vk *vk, dp__vk_slot *slot, const dp__launch *launch)
{
    vk->api.CmdWriteTimestamp(slot->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, slot->queries,
                              2 * slot->timed_count + 1);
    slot->timed[slot->timed_count++] = (dp__vk_timed){launch->kernel_name, launch->flops, launch->bytes};
}

void dp__vk_order(dp__vk *vk, const dp__launch *launches, size_t count)
{
    bool hazard = false;
    for (size_t k = 0; k < count; k++)
        for (int i = 0; i < launches[k].bindings; i++)
            hazard |= is_hazard(vk, launches[k].binding[i].buffer->handle, launches[k].binding[i].writes);
    if (hazard)
        start_epoch(vk);
    for (size_t k = 0; k < count; k++) {
        for (int i = 0; i < launches[k].bindings; i++)
            mark(vk, launches[k].binding[i].buffer->handle, launches[k].binding[i].writes);
        ((dp__vk_kernel *)launches[k].kernel)->object.used = vk->current;
    }
}

static bool keeps_waiting(dp__vk *vk, const dp__vk_slot *slot)
{
    if (vk->patient || now() - slot->began < SECONDS_OF_PATIENCE)
        return false;
    dp__vk_look(vk);
    return vk->completed + 1 == vk->current;
}

dp_status dp__vk_recorded(dp__vk *vk, int launches, double work)
{
    dp__vk_slot *slot = slot_of(vk, vk->current);
    slot->launches += launches;
    slot->work += work;
    if (slot->launches < DP__VK_LAUNCHES && slot->work < DP__VK_WORK && !keeps_waiting(vk, slot))
        return DP_OK;
    return submit(vk);
}

static dp_status record(dp__vk *vk, const dp__launch *launch, bool timed)
{
    DP_CHECK(dp__vk_begin(vk, 0, 0));
    dp__vk_slot *slot = slot_of(vk, vk->current);
    DP_CHECK(dp__vk_bind(vk, slot->commands, slot->descriptors, launch));
    if (timed)
        DP_CHECK(start_timing(vk, slot));
    dp__vk_order(vk, launch, 1);
    dp__vk_dispatch(vk, slot->commands, launch);
    if (timed)
        stop_timing(vk, slot, launch);
    return dp__vk_recorded(vk, 1, dp__vk_work(launch));
}

/* For devices without timestamps: by the host's clock, alone on the device. */
static dp_status launch_alone(dp__vk *vk, const dp__launch *launch)
{
    DP_CHECK(dp__vk_wait(vk->gpu));
    const double start = now();
    DP_CHECK(record(vk, launch, false));
    DP_CHECK(dp__vk_wait(vk->gpu));
    dp__profile_add(vk->gpu, launch->kernel_name, now() - start, launch->flops, launch->bytes);
    return DP_OK;
}

dp_status dp__vk_launch(dp__gpu *gpu, const dp__launch *launch)
{
    dp__vk *vk = gpu->driver_state;
    if (gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    if (gpu->profiling && vk->traits.tick_mask == 0)
        return launch_alone(vk, launch);
    return record(vk, launch, gpu->profiling);
}
