/* SPDX-License-Identifier: Apache-2.0 */
/* Physical devices: which can be used, and what they say of themselves. */
#include "device.h"

#include <stdio.h>
#include <string.h>

/* The queue family to compute on: one without graphics where there is one, so that a desktop stays
 * responsive, and with timestamps before one without. */
static bool choose_family(const dp__vk_api *api, VkPhysicalDevice physical, uint32_t *family, uint32_t *bits)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = DP_COUNT(families);
    api->GetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
    int best = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || families[i].queueCount == 0)
            continue;
        const bool graphics = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
        const int score = 2 * (families[i].timestampValidBits > 0) + !graphics;
        if (score > best) {
            best = score;
            *family = i;
            *bits = families[i].timestampValidBits;
        }
    }
    return best >= 0;
}

static bool usable(const dp__vk_api *api, VkPhysicalDevice physical)
{
    VkPhysicalDeviceProperties properties;
    uint32_t family, bits;
    api->GetPhysicalDeviceProperties(physical, &properties);
    return properties.apiVersion >= VK_API_VERSION_1_1 && choose_family(api, physical, &family, &bits);
}

VkPhysicalDevice *dp__vk_devices(const dp__vk_api *api, uint32_t *count)
{
    uint32_t listed = 0;
    *count = 0;
    if (api->EnumeratePhysicalDevices(api->instance, &listed, NULL) != VK_SUCCESS || listed == 0)
        return NULL;
    VkPhysicalDevice *devices = dp__alloc(listed, sizeof *devices);
    if (!devices)
        return NULL;
    const VkResult result = api->EnumeratePhysicalDevices(api->instance, &listed, devices);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE)
        listed = 0;
    for (uint32_t i = 0; i < listed; i++)
        if (usable(api, devices[i]))
            devices[(*count)++] = devices[i];
    return devices;
}

static VkExtensionProperties *list_extensions(const dp__vk_api *api, VkPhysicalDevice physical,
                                              uint32_t *count)
{
    *count = 0;
    if (api->EnumerateDeviceExtensionProperties(physical, NULL, count, NULL) != VK_SUCCESS)
        *count = 0;
    VkExtensionProperties *extensions = *count ? dp__alloc(*count, sizeof *extensions) : NULL;
    if (!extensions || api->EnumerateDeviceExtensionProperties(physical, NULL, count, extensions) < 0)
        *count = 0;
    return extensions;
}

/* Everything that a physical device says of itself and that is used here. The structs that it does not know
 * stay zero. */
typedef struct device_facts {
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMaintenance3Properties sizes;
    VkPhysicalDeviceSubgroupProperties subgroups;
    VkPhysicalDeviceDriverProperties driver;
    VkPhysicalDevicePCIBusInfoPropertiesEXT pci;
    VkPhysicalDeviceShaderSMBuiltinsPropertiesNV units_nvidia;
    VkPhysicalDeviceShaderCorePropertiesAMD units_amd;
    VkPhysicalDeviceFeatures features;
    VkPhysicalDeviceShaderFloat16Int8Features f16;
    bool tells_budget;
    uint64_t local_memory; /* of all device-local heaps */
    uint32_t family, timestamp_bits;
} device_facts;

static void get_facts(const dp__vk_api *api, VkPhysicalDevice physical, device_facts *facts)
{
    uint32_t count;
    VkExtensionProperties *extensions = list_extensions(api, physical, &count);
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    memset(facts, 0, sizeof *facts);
    api->GetPhysicalDeviceProperties(physical, &facts->properties);
    const bool is_1_2 = facts->properties.apiVersion >= VK_API_VERSION_1_2;

#define CHAIN(list, member, type, known)                                                                     \
    if ((known) && !facts->member.sType) {                                                                   \
        facts->member.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##type;                                      \
        facts->member.pNext = list.pNext;                                                                    \
        list.pNext = &facts->member;                                                                         \
    }
    CHAIN(properties, sizes, MAINTENANCE_3_PROPERTIES, true)
    CHAIN(properties, subgroups, SUBGROUP_PROPERTIES, true)
    CHAIN(properties, driver, DRIVER_PROPERTIES, is_1_2)
    CHAIN(features, f16, SHADER_FLOAT16_INT8_FEATURES, is_1_2)
    for (uint32_t i = 0; i < count; i++) {
        const char *name = extensions[i].extensionName;
        facts->tells_budget |= !strcmp(name, "VK_EXT_memory_budget");
        CHAIN(properties, driver, DRIVER_PROPERTIES, !is_1_2 && !strcmp(name, "VK_KHR_driver_properties"))
        CHAIN(features, f16, SHADER_FLOAT16_INT8_FEATURES,
              !is_1_2 && !strcmp(name, "VK_KHR_shader_float16_int8"))
        CHAIN(properties, pci, PCI_BUS_INFO_PROPERTIES_EXT, !strcmp(name, "VK_EXT_pci_bus_info"))
        CHAIN(properties, units_nvidia, SHADER_SM_BUILTINS_PROPERTIES_NV,
              !strcmp(name, "VK_NV_shader_sm_builtins"))
        CHAIN(properties, units_amd, SHADER_CORE_PROPERTIES_AMD,
              !strcmp(name, "VK_AMD_shader_core_properties"))
    }
#undef CHAIN
    dp__free(extensions);

    api->GetPhysicalDeviceProperties2(physical, &properties);
    api->GetPhysicalDeviceFeatures2(physical, &features);
    facts->features = features.features;
    choose_family(api, physical, &facts->family, &facts->timestamp_bits);
    VkPhysicalDeviceMemoryProperties memory;
    api->GetPhysicalDeviceMemoryProperties(physical, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if (memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
            facts->local_memory += memory.memoryHeaps[i].size;
}

static void name_vendor(uint32_t id, char *text, size_t size)
{
    static const struct {
        uint32_t id;
        const char *name;
    } vendors[] = {
        {0x1002, "AMD"},
        {0x1022, "AMD"},
        {0x10DE, "NVIDIA"},
        {0x8086, "Intel"},
        {0x13B5, "Arm"},
        {0x5143, "Qualcomm"},
        {0x1010, "Imagination"},
        {0x106B, "Apple"},
        {0x14E4, "Broadcom"},
        {0x1AE0, "Google"},
        {0x1414, "Microsoft"},
        {VK_VENDOR_ID_MESA, "Mesa"},
        {VK_VENDOR_ID_POCL, "PoCL"},
    };
    for (size_t i = 0; i < DP_COUNT(vendors); i++) {
        if (vendors[i].id == id) {
            snprintf(text, size, "%s", vendors[i].name);
            return;
        }
    }
    snprintf(text, size, "vendor 0x%04x", id);
}

static void name_driver(const device_facts *facts, char *text, size_t size)
{
    const uint32_t version = facts->properties.driverVersion;
    const char *name = facts->driver.driverName[0] ? facts->driver.driverName : "version";
    if (facts->driver.driverInfo[0])
        snprintf(text, size, "%.60s %.60s", name, facts->driver.driverInfo);
    else if (facts->properties.vendorID == 0x10DE) /* NVIDIA packs its versions as 10.8.8.6 bits */
        snprintf(text, size, "%.60s %u.%02u", name, version >> 22, version >> 14 & 0xFF);
    else
        snprintf(text, size, "%.60s %u.%u.%u", name, VK_API_VERSION_MAJOR(version),
                 VK_API_VERSION_MINOR(version), VK_API_VERSION_PATCH(version));
}

static dp_device_type type_of(const VkPhysicalDeviceProperties *properties)
{
    switch (properties->deviceType) {
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return DP_DEVICE_SOFTWARE_GPU;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return DP_DEVICE_INTEGRATED_GPU;
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return DP_DEVICE_DISCRETE_GPU;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return DP_DEVICE_DISCRETE_GPU; /* a share of a server's card */
    default:
        return DP_DEVICE_ACCELERATOR;
    }
}

static bool is_unified(dp_device_type type)
{
    return type == DP_DEVICE_INTEGRATED_GPU || type == DP_DEVICE_SOFTWARE_GPU;
}

static uint32_t features_of(const device_facts *facts)
{
    uint32_t features = 0;
    if (facts->f16.shaderFloat16)
        features |= DP_FEATURE_F16;
    if (facts->features.shaderFloat64)
        features |= DP_FEATURE_F64;
    if (facts->timestamp_bits > 0)
        features |= DP_FEATURE_TIMESTAMPS;
    if (facts->subgroups.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT)
        features |= DP_FEATURE_SUBGROUPS;
    if (is_unified(type_of(&facts->properties)))
        features |= DP_FEATURE_UNIFIED_MEMORY;
    return features;
}

static uint32_t count_units(const device_facts *facts)
{
    const VkPhysicalDeviceShaderCorePropertiesAMD *amd = &facts->units_amd;
    if (facts->units_nvidia.shaderSMCount)
        return facts->units_nvidia.shaderSMCount;
    return amd->shaderEngineCount * amd->shaderArraysPerEngineCount * amd->computeUnitsPerShaderArray;
}

/* Of whole words: kernels address nothing smaller. */
static uint64_t max_tensor_bytes(const device_facts *facts)
{
    uint64_t bytes = facts->properties.limits.maxStorageBufferRange;
    bytes = DP_MIN2(bytes, facts->sizes.maxMemoryAllocationSize);
    bytes = DP_MIN2(bytes, facts->local_memory);
    return bytes / 4 * 4;
}

static void describe(const device_facts *facts, dp_device_info *info)
{
    const VkPhysicalDeviceProperties *properties = &facts->properties;
    memset(info, 0, sizeof *info);
    snprintf(info->backend, sizeof info->backend, "vulkan");
    snprintf(info->name, sizeof info->name, "%.127s",
             properties->deviceName[0] ? properties->deviceName : "unnamed");
    name_vendor(properties->vendorID, info->vendor, sizeof info->vendor);
    name_driver(facts, info->driver, sizeof info->driver);
    snprintf(info->api, sizeof info->api, "Vulkan %u.%u.%u", VK_API_VERSION_MAJOR(properties->apiVersion),
             VK_API_VERSION_MINOR(properties->apiVersion), VK_API_VERSION_PATCH(properties->apiVersion));
    if (facts->pci.sType)
        snprintf(info->card, sizeof info->card, "pci:%04x:%02x:%02x.%x", facts->pci.pciDomain,
                 facts->pci.pciBus, facts->pci.pciDevice, facts->pci.pciFunction);
    info->type = type_of(properties);
    info->features = features_of(facts);
    info->compute_units = count_units(facts);
    info->max_group_size = properties->limits.maxComputeWorkGroupInvocations;
    info->subgroup_size = facts->subgroups.subgroupSize;
    info->memory_bytes = facts->local_memory;
    info->max_tensor_bytes = max_tensor_bytes(facts);
    info->local_bytes = properties->limits.maxComputeSharedMemorySize;
}

static void set_limits(const device_facts *facts, const dp_device_info *info, dp__gpu_limits *limits)
{
    const VkPhysicalDeviceLimits *from = &facts->properties.limits;
    memset(limits, 0, sizeof *limits);
    limits->type = info->type;
    memcpy(limits->vendor, info->vendor, sizeof limits->vendor);
    memcpy(limits->name, info->name, sizeof limits->name);
    limits->max_group_size = info->max_group_size;
    for (int i = 0; i < 3; i++) {
        limits->max_group_dim[i] = from->maxComputeWorkGroupSize[i];
        limits->max_groups[i] = from->maxComputeWorkGroupCount[i];
    }
    limits->local_bytes = info->local_bytes;
    limits->max_tensor_bytes = info->max_tensor_bytes;
    limits->max_bindings =
        DP_MIN2(from->maxPerStageDescriptorStorageBuffers, from->maxDescriptorSetStorageBuffers);
    limits->max_bindings = DP_MIN2(limits->max_bindings, from->maxPerStageResources);
    limits->max_bindings = DP_MIN2(limits->max_bindings, DP__MAX_BINDINGS);
    limits->max_vector = 4;
    limits->compute_units = info->compute_units;
    limits->subgroup_size = info->subgroup_size;
}

void dp__vk_examine(const dp__vk_api *api, VkPhysicalDevice physical, dp__vk_traits *traits)
{
    device_facts facts;
    get_facts(api, physical, &facts);
    memset(traits, 0, sizeof *traits);
    describe(&facts, &traits->info);
    set_limits(&facts, &traits->info, &traits->limits);
    traits->tells_budget = facts.tells_budget;
    traits->vendor_id = facts.properties.vendorID;
    traits->device_id = facts.properties.deviceID;
    traits->driver_version = facts.properties.driverVersion;
    memcpy(traits->cache_uuid, facts.properties.pipelineCacheUUID, sizeof traits->cache_uuid);
    traits->atom = facts.properties.limits.nonCoherentAtomSize;
    traits->family = facts.family;
    traits->tick = (double)facts.properties.limits.timestampPeriod * 1e-9;
    traits->tick_mask = facts.timestamp_bits < 64 ? ((uint64_t)1 << facts.timestamp_bits) - 1 : UINT64_MAX;
}
