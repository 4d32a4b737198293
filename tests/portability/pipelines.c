/* SPDX-License-Identifier: Apache-2.0 */
/* pipelines FOLDER: makes a compute pipeline of each shader that stdin names ("NAME FILE BINDINGS" a line,
 * FILE a .spv in FOLDER) on the first Vulkan device and prints what the driver's compiler tells of it,
 * "NAME<tab>STATISTIC<tab>VALUE" a line. Each name is first printed alone, with an empty statistic: of a
 * driver that crashes the last one tells on what. Before all, "driver" and its version. Only pipelines are
 * made, never a buffer and no queue is used, so that the driver may be one whose GPU is not there. */
#include <vulkan/vulkan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BINDINGS    20
#define PUSH_BYTES      128
#define MAX_EXECUTABLES 8
#define MAX_STATISTICS  64

typedef struct driver {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    PFN_vkGetPipelineExecutablePropertiesKHR properties;
    PFN_vkGetPipelineExecutableStatisticsKHR statistics;
} driver;

static int fail(const char *what, VkResult result)
{
    fprintf(stderr, "%s: VkResult %d\n", what, (int)result);
    return 1;
}

static int open_device(driver *d)
{
    static const char *const extension = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo instance_info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                                .pApplicationInfo = &application};
    VkResult result = vkCreateInstance(&instance_info, NULL, &d->instance);
    if (result != VK_SUCCESS)
        return fail("vkCreateInstance", result);
    uint32_t count = 1;
    result = vkEnumeratePhysicalDevices(d->instance, &count, &d->physical);
    if (result < 0 || count == 0)
        return fail("there is no Vulkan device", result);
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &feature,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = 1,
                                     .ppEnabledExtensionNames = &extension};
    result = vkCreateDevice(d->physical, &info, NULL, &d->device);
    if (result != VK_SUCCESS)
        return fail("vkCreateDevice", result);
    d->properties = (PFN_vkGetPipelineExecutablePropertiesKHR)vkGetDeviceProcAddr(
        d->device, "vkGetPipelineExecutablePropertiesKHR");
    d->statistics = (PFN_vkGetPipelineExecutableStatisticsKHR)vkGetDeviceProcAddr(
        d->device, "vkGetPipelineExecutableStatisticsKHR");
    return d->properties && d->statistics ? 0 : fail(extension, VK_ERROR_EXTENSION_NOT_PRESENT);
}

static VkResult make_layout(const driver *d, uint32_t bindings, VkDescriptorSetLayout *set,
                            VkPipelineLayout *layout)
{
    VkDescriptorSetLayoutBinding binding[MAX_BINDINGS] = {0};
    for (uint32_t b = 0; b < bindings; b++)
        binding[b] = (VkDescriptorSetLayoutBinding){.binding = b,
                                                    .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                    .descriptorCount = 1,
                                                    .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    const VkDescriptorSetLayoutCreateInfo set_info = {.sType =
                                                          VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                      .bindingCount = bindings,
                                                      .pBindings = binding};
    const VkResult result = vkCreateDescriptorSetLayout(d->device, &set_info, NULL, set);
    if (result != VK_SUCCESS)
        return result;
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, PUSH_BYTES};
    const VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                             .setLayoutCount = 1,
                                             .pSetLayouts = set,
                                             .pushConstantRangeCount = 1,
                                             .pPushConstantRanges = &push};
    return vkCreatePipelineLayout(d->device, &info, NULL, layout);
}

static VkResult make_pipeline(const driver *d, const uint32_t *words, size_t bytes, VkPipelineLayout layout,
                              VkPipeline *pipeline)
{
    const VkShaderModuleCreateInfo module_info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = bytes, .pCode = words};
    VkShaderModule module;
    VkResult result = vkCreateShaderModule(d->device, &module_info, NULL, &module);
    if (result != VK_SUCCESS)
        return result;
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main"},
        .layout = layout,
    };
    result = vkCreateComputePipelines(d->device, VK_NULL_HANDLE, 1, &info, NULL, pipeline);
    vkDestroyShaderModule(d->device, module, NULL);
    return result;
}

static double number(const VkPipelineExecutableStatisticKHR *statistic)
{
    switch (statistic->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
        return statistic->value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
        return (double)statistic->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR:
        return (double)statistic->value.u64;
    default:
        return statistic->value.f64;
    }
}

/* Where a driver has made the shader for several widths of subgroups, those of all follow each other. */
static VkResult print_statistics(const driver *d, const char *name, VkPipeline pipeline)
{
    VkPipelineExecutablePropertiesKHR executables[MAX_EXECUTABLES];
    for (int e = 0; e < MAX_EXECUTABLES; e++)
        executables[e] = (VkPipelineExecutablePropertiesKHR){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
    uint32_t count = MAX_EXECUTABLES;
    const VkPipelineInfoKHR pipeline_info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR,
                                             .pipeline = pipeline};
    VkResult result = d->properties(d->device, &pipeline_info, &count, executables);
    for (uint32_t e = 0; result >= 0 && e < count; e++) {
        VkPipelineExecutableStatisticKHR statistics[MAX_STATISTICS];
        for (int s = 0; s < MAX_STATISTICS; s++)
            statistics[s] = (VkPipelineExecutableStatisticKHR){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
        uint32_t found = MAX_STATISTICS;
        const VkPipelineExecutableInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                                  .pipeline = pipeline,
                                                  .executableIndex = e};
        result = d->statistics(d->device, &info, &found, statistics);
        printf("%s\tSubgroup size\t%u\n", name, executables[e].subgroupSize);
        for (uint32_t s = 0; result >= 0 && s < found; s++)
            printf("%s\t%s\t%.0f\n", name, statistics[s].name, number(&statistics[s]));
    }
    return result;
}

static VkResult examine(const driver *d, const char *name, const uint32_t *words, size_t bytes,
                        uint32_t bindings)
{
    VkDescriptorSetLayout set = VK_NULL_HANDLE;
    VkPipelineLayout layout = VK_NULL_HANDLE;
    VkPipeline pipeline = VK_NULL_HANDLE;
    VkResult result = make_layout(d, bindings, &set, &layout);
    if (result == VK_SUCCESS)
        result = make_pipeline(d, words, bytes, layout, &pipeline);
    if (result == VK_SUCCESS)
        result = print_statistics(d, name, pipeline);
    vkDestroyPipeline(d->device, pipeline, NULL);
    vkDestroyPipelineLayout(d->device, layout, NULL);
    vkDestroyDescriptorSetLayout(d->device, set, NULL);
    return result;
}

/* NULL where it cannot be read. The caller frees it. */
static uint32_t *read_words(const char *folder, const char *file, size_t *bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *stream = fopen(path, "rb");
    uint32_t *words = NULL;
    if (stream && fseek(stream, 0, SEEK_END) == 0) {
        const long size = ftell(stream);
        rewind(stream);
        if (size > 0 && (words = malloc((size_t)size)) &&
            fread(words, 1, (size_t)size, stream) != (size_t)size) {
            free(words);
            words = NULL;
        }
        *bytes = (size_t)size;
    }
    if (stream)
        fclose(stream);
    if (!words)
        fprintf(stderr, "%s cannot be read\n", path);
    return words;
}

int main(int argc, char **argv)
{
    driver d = {0};
    if (argc != 2) {
        fprintf(stderr, "pipelines FOLDER <LIST\n");
        return 2;
    }
    if (open_device(&d) != 0)
        return 1;
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(d.physical, &properties);
    printf("driver\tversion\t%u\n", properties.driverVersion);
    char name[128], file[256];
    unsigned bindings;
    int bad = 0;
    while (scanf("%127s %255s %u", name, file, &bindings) == 3) {
        size_t bytes = 0;
        uint32_t *words = bindings <= MAX_BINDINGS ? read_words(argv[1], file, &bytes) : NULL;
        printf("%s\t\t0\n", name);
        fflush(stdout);
        bad += !words ||
               (examine(&d, name, words, bytes, bindings) != VK_SUCCESS && fail(name, VK_ERROR_UNKNOWN));
        free(words);
    }
    fflush(stdout);
    vkDestroyDevice(d.device, NULL);
    vkDestroyInstance(d.instance, NULL);
    return bad > 0;
}
