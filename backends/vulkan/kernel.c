/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels: GLSL to a compute pipeline. */
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The layouts of all kernels of so many bindings. */
static VkResult make_layouts(dp__vk *vk, uint32_t bindings)
{
    VkDescriptorSetLayoutBinding binding[DP__MAX_BINDINGS] = {0};
    for (uint32_t i = 0; i < bindings; i++) {
        binding[i].binding = i;
        binding[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        binding[i].descriptorCount = 1;
        binding[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
    }
    const VkDescriptorSetLayoutCreateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = bindings,
        .pBindings = binding,
    };
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, DP__VK_PUSH_BYTES};
    const VkPipelineLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &vk->set_layout[bindings],
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &push,
    };
    VkResult result = VK_SUCCESS;
    if (!vk->set_layout[bindings])
        result = vk->api.CreateDescriptorSetLayout(vk->device, &set_info, NULL, &vk->set_layout[bindings]);
    if (result != VK_SUCCESS)
        vk->set_layout[bindings] = VK_NULL_HANDLE;
    else if (!vk->pipeline_layout[bindings] &&
             (result = vk->api.CreatePipelineLayout(vk->device, &info, NULL, &vk->pipeline_layout[bindings])))
        vk->pipeline_layout[bindings] = VK_NULL_HANDLE;
    return result;
}

static VkResult make_pipeline(dp__vk *vk, const uint32_t *words, size_t bytes, VkPipelineCache cache,
                              dp__vk_kernel *kernel)
{
    const VkShaderModuleCreateInfo module_info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = bytes,
        .pCode = words,
    };
    VkShaderModule module;
    VkResult result = vk->api.CreateShaderModule(vk->device, &module_info, NULL, &module);
    if (result != VK_SUCCESS)
        return result;
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main"},
        .layout = kernel->layout,
    };
    result = vk->api.CreateComputePipelines(vk->device, cache, 1, &info, NULL, &kernel->pipeline);
    if (result != VK_SUCCESS)
        kernel->pipeline = VK_NULL_HANDLE;
    vk->api.DestroyShaderModule(vk->device, module, NULL);
    return result;
}

/* What is kept of a kernel: this, its SPIR-V, and what the driver makes of that (none where there is nothing
 * behind). */
typedef struct binary_header {
    uint64_t spirv_bytes;
} binary_header;

/* The driver checks the header too (VkPipelineCacheHeaderVersionOne), or ought to. */
static bool is_from_driver(const dp__vk *vk, const unsigned char *data, size_t bytes)
{
    VkPipelineCacheHeaderVersionOne header;
    if (bytes < sizeof header)
        return false;
    memcpy(&header, data, sizeof header);
    return header.headerSize >= sizeof header &&
           header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           header.vendorID == vk->traits.vendor_id && header.deviceID == vk->traits.device_id &&
           memcmp(header.pipelineCacheUUID, vk->traits.cache_uuid, VK_UUID_SIZE) == 0;
}

/* NULL where there is no data of this driver, and where the driver has no cache to give. */
static VkPipelineCache open_cache(dp__vk *vk, const void *data, size_t bytes)
{
    const bool fits = is_from_driver(vk, data, bytes);
    const VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = fits ? bytes : 0,
        .pInitialData = fits ? data : NULL,
    };
    VkPipelineCache cache;
    return vk->api.CreatePipelineCache(vk->device, &info, NULL, &cache) == VK_SUCCESS ? cache
                                                                                      : VK_NULL_HANDLE;
}

/* The binary of a kernel that was made with this cache; SPIR-V alone where the driver gives nothing, none
 * where memory is out. */
static void take_binary(dp__vk *vk, const uint32_t *words, size_t bytes, VkPipelineCache cache,
                        dp__binary *binary)
{
    const binary_header header = {bytes};
    size_t kept = 0;
    *binary = (dp__binary){NULL, 0};
    if (cache && vk->api.GetPipelineCacheData(vk->device, cache, &kept, NULL) != VK_SUCCESS)
        kept = 0;
    unsigned char *data = dp__alloc(sizeof header + bytes + kept, 1);
    if (!data)
        return;
    memcpy(data, &header, sizeof header);
    memcpy(data + sizeof header, words, bytes);
    if (kept > 0 &&
        vk->api.GetPipelineCacheData(vk->device, cache, &kept, data + sizeof header + bytes) != VK_SUCCESS)
        kept = 0;
    *binary = (dp__binary){data, sizeof header + bytes + kept};
}

static bool debugging(void)
{
    const char *debug = getenv("DIPOLE_DEBUG");
    return debug && strstr(debug, "kernels");
}

static void print_source(const char *text)
{
    int number = 1;
    while (*text) {
        const int length = (int)strcspn(text, "\n");
        fprintf(stderr, "%4d  %.*s\n", number++, length, text);
        text += length + (text[length] == '\n');
    }
}

static void report_build(dp__vk *vk, const dp__kernel_source *source, const dp__text *log)
{
    const char *text = log->data ? log->data : "no memory for the log";
    if (debugging()) {
        fprintf(stderr, "dipole: GLSL kernel %s does not build\n%s\n", source->name, text);
        print_source(source->text);
    }
    int length = 0, lines = 0; /* the first of the log, within what a message holds */
    while (text[length] && length < 320 && lines < 3)
        lines += text[length++] == '\n';
    while (length > 0 && text[length - 1] == '\n')
        length--;
    dp__fail(vk->gpu->device, DP_ERROR_DRIVER, "kernel %s does not build: %.*s", source->name, length, text);
}

static void destroy_kernel(dp__vk *vk, dp__vk_object *object)
{
    dp__vk_kernel *kernel = (dp__vk_kernel *)object;
    vk->api.DestroyPipeline(vk->device, kernel->pipeline, NULL);
    dp__free(kernel);
}

static dp_status build(dp__vk *vk, const dp__kernel_source *source, dp__binary *built, dp__vk_kernel *kernel)
{
    uint32_t *words = NULL;
    size_t bytes = 0;
    dp__text log = {0};
    dp_status status = dp__vk_compile(source->text, debugging(), &words, &bytes, &log);
    if (status == DP_OK) {
        const VkPipelineCache cache = built ? open_cache(vk, NULL, 0) : VK_NULL_HANDLE;
        const VkResult result = make_pipeline(vk, words, bytes, cache, kernel);
        char what[96];
        snprintf(what, sizeof what, "vkCreateComputePipelines of kernel %.48s", source->name);
        if (result != VK_SUCCESS)
            status = dp__vk_fail(vk, result, what);
        else if (built)
            take_binary(vk, words, bytes, cache, built);
        vk->api.DestroyPipelineCache(vk->device, cache, NULL);
    } else if (status == DP_ERROR_MEMORY) {
        dp__fail(vk->gpu->device, status, "no memory to build kernel %s", source->name);
    } else {
        report_build(vk, source, &log);
    }
    dp__free(words);
    dp__text_free(&log);
    return status;
}

/* NULL where memory is out, or `result` is no success. */
static dp__vk_kernel *new_kernel(dp__vk *vk, const dp__kernel_source *source, VkResult *result)
{
    *result = make_layouts(vk, (uint32_t)source->bindings);
    dp__vk_kernel *kernel = *result == VK_SUCCESS ? dp__alloc(1, sizeof *kernel) : NULL;
    if (kernel) {
        kernel->object.destroy = destroy_kernel;
        kernel->layout = vk->pipeline_layout[source->bindings];
    }
    return kernel;
}

dp_status dp__vk_kernel_create(dp__gpu *gpu, const dp__kernel_source *source, dp__binary *built,
                               void **result)
{
    dp__vk *vk = gpu->driver_state;
    VkResult made;
    *result = NULL;
    if (gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    dp__vk_kernel *kernel = new_kernel(vk, source, &made);
    if (made != VK_SUCCESS)
        return dp__vk_fail(vk, made, "vkCreatePipelineLayout");
    if (!kernel)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for kernel %s", source->name);
    const dp_status status = build(vk, source, built, kernel);
    if (status == DP_OK)
        *result = kernel;
    else
        destroy_kernel(vk, &kernel->object);
    return status;
}

bool dp__vk_kernel_load(dp__gpu *gpu, const dp__kernel_source *source, const dp__binary *binary,
                        void **result)
{
    dp__vk *vk = gpu->driver_state;
    const unsigned char *data = binary->data;
    binary_header header;
    VkResult made;
    if (gpu->device->lost || binary->bytes < sizeof header)
        return false;
    memcpy(&header, data, sizeof header);
    const size_t rest = binary->bytes - sizeof header, spirv = (size_t)header.spirv_bytes;
    if (spirv > rest || spirv == 0 || spirv % 4 != 0)
        return false;
    dp__vk_kernel *kernel = new_kernel(vk, source, &made);
    if (!kernel)
        return false;
    const VkPipelineCache cache = open_cache(vk, data + sizeof header + spirv, rest - spirv);
    made = make_pipeline(vk, (const uint32_t *)(const void *)(data + sizeof header), spirv, cache, kernel);
    vk->api.DestroyPipelineCache(vk->device, cache, NULL);
    if (made == VK_SUCCESS)
        *result = kernel;
    else
        destroy_kernel(vk, &kernel->object);
    return made == VK_SUCCESS;
}

void dp__vk_identify(const dp__vk *vk, char *text, size_t size)
{
    const dp__vk_traits *traits = &vk->traits;
    char uuid[2 * VK_UUID_SIZE + 1];
    for (size_t b = 0; b < VK_UUID_SIZE; b++)
        snprintf(uuid + 2 * b, 3, "%02x", traits->cache_uuid[b]);
    snprintf(text, size, "%s%s\n%s\n%s\n%s\n%08x:%08x %08x %s", dp__vk_compiler(),
             debugging() ? " debug" : "", traits->info.name, traits->info.driver, traits->info.api,
             traits->vendor_id, traits->device_id, traits->driver_version, uuid);
}

void dp__vk_kernel_destroy(dp__gpu *gpu, void *handle)
{
    dp__vk_kernel *kernel = handle;
    if (kernel)
        dp__vk_release(gpu->driver_state, &kernel->object);
}
