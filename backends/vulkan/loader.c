/* SPDX-License-Identifier: Apache-2.0 */
#include "loader.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

const char *dp__vk_result_name(VkResult result)
{
    switch ((int)result) {
#define NAME(name)                                                                                           \
    case name:                                                                                               \
        return #name;
        NAME(VK_SUCCESS)
        NAME(VK_NOT_READY)
        NAME(VK_TIMEOUT)
        NAME(VK_INCOMPLETE)
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
        NAME(VK_ERROR_INITIALIZATION_FAILED)
        NAME(VK_ERROR_DEVICE_LOST)
        NAME(VK_ERROR_MEMORY_MAP_FAILED)
        NAME(VK_ERROR_LAYER_NOT_PRESENT)
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
        NAME(VK_ERROR_FEATURE_NOT_PRESENT)
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
        NAME(VK_ERROR_TOO_MANY_OBJECTS)
        NAME(VK_ERROR_FORMAT_NOT_SUPPORTED)
        NAME(VK_ERROR_FRAGMENTED_POOL)
        NAME(VK_ERROR_OUT_OF_POOL_MEMORY)
        NAME(VK_ERROR_INVALID_EXTERNAL_HANDLE)
        NAME(VK_ERROR_FRAGMENTATION)
        NAME(VK_ERROR_INVALID_SHADER_NV)
        NAME(VK_ERROR_UNKNOWN)
#undef NAME
    default:
        return "an unknown VkResult";
    }
}

static bool load_global(dp__vk_api *api, PFN_vkGetInstanceProcAddr get)
{
    bool complete = true;
#define LOAD(name) complete &= (api->name = (PFN_vk##name)get(NULL, "vk" #name)) != NULL;
    DP__VK_GLOBAL_FUNCTIONS(LOAD)
#undef LOAD
    return complete;
}

static bool load_instance(dp__vk_api *api, PFN_vkGetInstanceProcAddr get)
{
    bool complete = true;
#define LOAD(name) complete &= (api->name = (PFN_vk##name)get(api->instance, "vk" #name)) != NULL;
    DP__VK_INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
    return complete;
}

bool dp__vk_api_load_device(dp__vk_api *api, VkDevice device)
{
    bool complete = true;
#define LOAD(name) complete &= (api->name = (PFN_vk##name)api->GetDeviceProcAddr(device, "vk" #name)) != NULL;
    DP__VK_DEVICE_FUNCTIONS(LOAD)
#undef LOAD
    return complete;
}

static VkResult create_instance(dp__vk_api *api)
{
    uint32_t version = 0;
    const VkResult result = api->EnumerateInstanceVersion(&version);
    if (result != VK_SUCCESS)
        return result;
    if (version < VK_API_VERSION_1_1)
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pEngineName = "Dipole",
        .apiVersion = version < VK_API_VERSION_1_3 ? version : VK_API_VERSION_1_3,
    };
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = &application,
    };
    return api->CreateInstance(&info, NULL, &api->instance);
}

bool dp__vk_api_open(dp__vk_api *api, char *hint, size_t hint_size)
{
    memset(api, 0, sizeof *api);
    api->library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    PFN_vkGetInstanceProcAddr get = NULL;
    if (api->library)
        get = (PFN_vkGetInstanceProcAddr)dlsym(api->library, "vkGetInstanceProcAddr");
    if (!get) {
        snprintf(hint, hint_size, "no Vulkan loader (libvulkan.so.1): " DP__VK_INSTALL);
        goto fail;
    }
    if (!load_global(api, get)) {
        snprintf(hint, hint_size, "the Vulkan loader is older than version 1.1: " DP__VK_INSTALL);
        goto fail;
    }
    const VkResult result = create_instance(api);
    if (result != VK_SUCCESS) {
        api->instance = VK_NULL_HANDLE;
        if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
            snprintf(hint, hint_size, "no Vulkan 1.1 driver: " DP__VK_INSTALL);
        else /* a manifest that is not JSON makes some loaders fail as a whole, with OUT_OF_HOST_MEMORY */
            snprintf(hint, hint_size, "vkCreateInstance: %s; VK_LOADER_DEBUG=error tells which driver",
                     dp__vk_result_name(result));
        goto fail;
    }
    if (!load_instance(api, get)) {
        snprintf(hint, hint_size, "the Vulkan loader lacks functions of version 1.1: " DP__VK_INSTALL);
        goto fail;
    }
    return true;
fail:
    dp__vk_api_close(api);
    return false;
}

void dp__vk_api_close(dp__vk_api *api)
{
    if (api->instance && api->DestroyInstance)
        api->DestroyInstance(api->instance, NULL);
    if (api->library)
        dlclose(api->library);
    memset(api, 0, sizeof *api);
}
