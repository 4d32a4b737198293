/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan API without linking to it: the loader library is opened at run time, and its functions stand in
 * a table. */
#ifndef DP_VULKAN_LOADER_H
#define DP_VULKAN_LOADER_H

#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#include <vulkan/vulkan_core.h>

#include <stdbool.h>
#include <stddef.h>

/* The end of each hint. */
#define DP__VK_INSTALL "on Debian install libvulkan1 and mesa-vulkan-drivers, or your GPU's driver"

/* Every function that is used, without "vk". All of them are in Vulkan 1.1, so none may be missing. */
#define DP__VK_GLOBAL_FUNCTIONS(X)                                                                           \
    X(EnumerateInstanceVersion)                                                                              \
    X(CreateInstance)

#define DP__VK_INSTANCE_FUNCTIONS(X)                                                                         \
    X(DestroyInstance)                                                                                       \
    X(EnumeratePhysicalDevices)                                                                              \
    X(EnumerateDeviceExtensionProperties)                                                                    \
    X(GetPhysicalDeviceProperties)                                                                           \
    X(GetPhysicalDeviceProperties2)                                                                          \
    X(GetPhysicalDeviceFeatures2)                                                                            \
    X(GetPhysicalDeviceMemoryProperties)                                                                     \
    X(GetPhysicalDeviceMemoryProperties2)                                                                    \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                                \
    X(CreateDevice)                                                                                          \
    X(GetDeviceProcAddr)

#define DP__VK_DEVICE_FUNCTIONS(X)                                                                           \
    X(DestroyDevice)                                                                                         \
    X(DeviceWaitIdle)                                                                                        \
    X(GetDeviceQueue)                                                                                        \
    X(QueueSubmit)                                                                                           \
    X(CreateFence)                                                                                           \
    X(DestroyFence)                                                                                          \
    X(ResetFences)                                                                                           \
    X(WaitForFences)                                                                                         \
    X(GetFenceStatus)                                                                                        \
    X(CreateCommandPool)                                                                                     \
    X(DestroyCommandPool)                                                                                    \
    X(ResetCommandPool)                                                                                      \
    X(AllocateCommandBuffers)                                                                                \
    X(BeginCommandBuffer)                                                                                    \
    X(EndCommandBuffer)                                                                                      \
    X(CmdBindPipeline)                                                                                       \
    X(CmdBindDescriptorSets)                                                                                 \
    X(CmdPushConstants)                                                                                      \
    X(CmdExecuteCommands)                                                                                    \
    X(CmdDispatch)                                                                                           \
    X(CmdCopyBuffer)                                                                                         \
    X(CmdPipelineBarrier)                                                                                    \
    X(CmdResetQueryPool)                                                                                     \
    X(CmdWriteTimestamp)                                                                                     \
    X(CreateQueryPool)                                                                                       \
    X(DestroyQueryPool)                                                                                      \
    X(GetQueryPoolResults)                                                                                   \
    X(CreateBuffer)                                                                                          \
    X(DestroyBuffer)                                                                                         \
    X(GetBufferMemoryRequirements)                                                                           \
    X(AllocateMemory)                                                                                        \
    X(FreeMemory)                                                                                            \
    X(BindBufferMemory)                                                                                      \
    X(MapMemory)                                                                                             \
    X(FlushMappedMemoryRanges)                                                                               \
    X(InvalidateMappedMemoryRanges)                                                                          \
    X(CreateDescriptorSetLayout)                                                                             \
    X(DestroyDescriptorSetLayout)                                                                            \
    X(CreateDescriptorPool)                                                                                  \
    X(DestroyDescriptorPool)                                                                                 \
    X(ResetDescriptorPool)                                                                                   \
    X(AllocateDescriptorSets)                                                                                \
    X(UpdateDescriptorSets)                                                                                  \
    X(CreatePipelineLayout)                                                                                  \
    X(DestroyPipelineLayout)                                                                                 \
    X(CreatePipelineCache)                                                                                   \
    X(GetPipelineCacheData)                                                                                  \
    X(DestroyPipelineCache)                                                                                  \
    X(CreateShaderModule)                                                                                    \
    X(DestroyShaderModule)                                                                                   \
    X(CreateComputePipelines)                                                                                \
    X(DestroyPipeline)

/* One instance. Each listing and each open device has its own, so that devices share nothing and may live in
 * different threads. */
typedef struct dp__vk_api {
    void *library;
    VkInstance instance;
#define DP__VK_MEMBER(name) PFN_vk##name name;
    DP__VK_GLOBAL_FUNCTIONS(DP__VK_MEMBER)
    DP__VK_INSTANCE_FUNCTIONS(DP__VK_MEMBER)
    DP__VK_DEVICE_FUNCTIONS(DP__VK_MEMBER)
#undef DP__VK_MEMBER
} dp__vk_api;

/* Opens the loader and makes an instance. On failure nothing is left and `hint` says in one line why and what
 * to install. */
bool dp__vk_api_open(dp__vk_api *api, char *hint, size_t hint_size);
/* Also for a zeroed struct. */
void dp__vk_api_close(dp__vk_api *api);
/* The device's functions, without the loader's detour. False where one is missing. */
bool dp__vk_api_load_device(dp__vk_api *api, VkDevice device);

/* "VK_ERROR_DEVICE_LOST". Never NULL, static. */
const char *dp__vk_result_name(VkResult result);

#endif
