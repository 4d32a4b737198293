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

static VkResult make_pipeline(dp__vk *vk, const uint32_t *words, size_t bytes, dp__vk_kernel *kernel)
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
    result = vk->api.CreateComputePipelines(vk->device, vk->cache, 1, &info, NULL, &kernel->pipeline);
    if (result != VK_SUCCESS)
        kernel->pipeline = VK_NULL_HANDLE;
    vk->api.DestroyShaderModule(vk->device, module, NULL);
    return result;
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

static dp_status build(dp__vk *vk, const dp__kernel_source *source, dp__vk_kernel *kernel)
{
    uint32_t *words = NULL;
    size_t bytes = 0;
    dp__text log = {0};
    dp_status status = dp__vk_compile(source->text, debugging(), &words, &bytes, &log);
    if (status == DP_OK) {
        const VkResult result = make_pipeline(vk, words, bytes, kernel);
        char what[96];
        snprintf(what, sizeof what, "vkCreateComputePipelines of kernel %.48s", source->name);
        if (result != VK_SUCCESS)
            status = dp__vk_fail(vk, result, what);
    } else if (status == DP_ERROR_MEMORY) {
        dp__fail(vk->gpu->device, status, "no memory to build kernel %s", source->name);
    } else {
        report_build(vk, source, &log);
    }
    dp__free(words);
    dp__text_free(&log);
    return status;
}

dp_status dp__vk_kernel_create(dp__gpu *gpu, const dp__kernel_source *source, void **result)
{
    dp__vk *vk = gpu->driver_state;
    *result = NULL;
    if (gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    const VkResult made = make_layouts(vk, (uint32_t)source->bindings);
    if (made != VK_SUCCESS)
        return dp__vk_fail(vk, made, "vkCreatePipelineLayout");
    dp__vk_kernel *kernel = dp__alloc(1, sizeof *kernel);
    if (!kernel)
        return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for kernel %s", source->name);
    kernel->object.destroy = destroy_kernel;
    kernel->layout = vk->pipeline_layout[source->bindings];
    const dp_status status = build(vk, source, kernel);
    if (status == DP_OK)
        *result = kernel;
    else
        destroy_kernel(vk, &kernel->object);
    return status;
}

void dp__vk_kernel_destroy(dp__gpu *gpu, void *handle)
{
    dp__vk_kernel *kernel = handle;
    if (kernel)
        dp__vk_release(gpu->driver_state, &kernel->object);
}
