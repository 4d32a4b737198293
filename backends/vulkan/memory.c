/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory: its types, the budget, and slots of shared blocks for small buffers. A driver may refuse to
 * make more than 4096 allocations, and each costs a call of the kernel's. */
#include "device.h"

/* Types that need features which are not enabled, or that are slow. */
#define AVOIDED_TYPES                                                                                        \
    (VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT | VK_MEMORY_PROPERTY_PROTECTED_BIT |                            \
     VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD |               \
     VK_MEMORY_PROPERTY_RDMA_CAPABLE_BIT_NV)

/* The first type, in the driver's order, that is allowed by `mask`, has all of `wanted` and none of
 * `avoided`. */
static bool find_type(const dp__vk *vk, uint32_t mask, VkFlags wanted, VkFlags avoided, uint32_t *type)
{
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++) {
        const VkFlags flags = vk->memory.memoryTypes[i].propertyFlags;
        if ((mask >> i & 1) && (flags & wanted) == wanted && !(flags & avoided)) {
            *type = i;
            return true;
        }
    }
    return false;
}

static bool choose_type(const dp__vk *vk, uint32_t mask, bool mapped, bool local, uint32_t *type)
{
    const VkFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT, device = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkFlags cached = host | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    if (mapped && local) /* what lies in neither follows below */
        return find_type(vk, mask, device | cached, AVOIDED_TYPES, type) ||
               find_type(vk, mask, device | host, AVOIDED_TYPES, type) ||
               find_type(vk, mask, cached, AVOIDED_TYPES, type) ||
               find_type(vk, mask, host, AVOIDED_TYPES, type);
    if (mapped)
        return find_type(vk, mask, cached, AVOIDED_TYPES | device, type) ||
               find_type(vk, mask, cached, AVOIDED_TYPES, type) ||
               find_type(vk, mask, host, AVOIDED_TYPES, type);
    return find_type(vk, mask, device, AVOIDED_TYPES | host, type) ||
           find_type(vk, mask, device, AVOIDED_TYPES, type) || find_type(vk, mask, 0, AVOIDED_TYPES, type);
}

/* A block holds buffers of one size; a slot's number is its bit. */
#define MOST_SLOTS    64
#define LARGEST_SLOT  ((uint64_t)64 << 10)
#define LARGEST_BLOCK ((uint64_t)1 << 20)
#define SLOT_ALIGN    ((uint64_t)256) /* of storage buffers and of nonCoherentAtomSize at most, says Vulkan */

struct dp__vk_block {
    dp__vk_memory memory;
    uint64_t slot_bytes, used;
    bool local; /* of tensors, not staging */
    struct dp__vk_block *next;
};

/* Some drivers promise more than their heap holds and take the whole machine down when it is touched. What
 * the driver says is left for this process is asked where it can be. */
static bool fits_budget(const dp__vk *vk, uint32_t heap, uint64_t bytes)
{
    const uint64_t limit = vk->memory.memoryHeaps[heap].size;
    if (bytes > limit || vk->heap_used[heap] > limit - bytes)
        return false;
    if (!vk->traits.tells_budget)
        return true;
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
    vk->api.GetPhysicalDeviceMemoryProperties2(vk->physical, &properties);
    const uint64_t most = budget.heapBudget[heap], used = budget.heapUsage[heap];
    return most == 0 || (used <= most && bytes <= most - used); /* 0 is no answer */
}

static void free_memory(dp__vk *vk, const dp__vk_memory *memory)
{
    vk->api.FreeMemory(vk->device, memory->handle, NULL); /* unmaps too */
    vk->heap_used[vk->memory.memoryTypes[memory->type].heapIndex] -= memory->bytes;
}

static VkResult allocate_memory(dp__vk *vk, uint64_t bytes, uint32_t type, bool mapped, dp__vk_memory *memory)
{
    const uint32_t heap = vk->memory.memoryTypes[type].heapIndex;
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = bytes,
        .memoryTypeIndex = type,
    };
    void *map = NULL;
    *memory = (dp__vk_memory){.type = type, .bytes = bytes};
    if (!fits_budget(vk, heap, bytes))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkResult result = vk->api.AllocateMemory(vk->device, &info, NULL, &memory->handle);
    if (result != VK_SUCCESS)
        return result;
    vk->heap_used[heap] += bytes;
    if (mapped &&
        (result = vk->api.MapMemory(vk->device, memory->handle, 0, VK_WHOLE_SIZE, 0, &map)) != VK_SUCCESS)
        free_memory(vk, memory);
    memory->mapped = map;
    return result;
}

static void use_memory(dp__vk_buffer *buffer, const dp__vk_memory *memory, uint64_t offset, uint64_t size)
{
    buffer->memory = memory->handle;
    buffer->offset = offset;
    buffer->size = size;
    buffer->type = memory->type;
    buffer->mapped = memory->mapped ? memory->mapped + offset : NULL;
}

/* A block with a free slot of this size; NULL where there is none and no memory for one. */
static dp__vk_block *find_block(dp__vk *vk, uint64_t slot_bytes, uint32_t type, bool mapped, bool local)
{
    const uint32_t slots = (uint32_t)DP_MIN2(MOST_SLOTS, LARGEST_BLOCK / slot_bytes);
    const uint64_t full = slots == 64 ? UINT64_MAX : ((uint64_t)1 << slots) - 1;
    for (dp__vk_block *block = vk->blocks; block; block = block->next)
        if (block->slot_bytes == slot_bytes && block->memory.type == type && block->local == local &&
            block->used != full)
            return block;
    dp__vk_block *block = dp__alloc(1, sizeof *block);
    if (!block)
        return NULL;
    *block = (dp__vk_block){.slot_bytes = slot_bytes, .local = local, .next = vk->blocks};
    if (allocate_memory(vk, slots * slot_bytes, type, mapped, &block->memory) != VK_SUCCESS) {
        dp__free(block);
        return NULL;
    }
    vk->blocks = block;
    return block;
}

static bool take_slot(dp__vk *vk, uint64_t slot_bytes, uint32_t type, bool mapped, bool local,
                      dp__vk_buffer *buffer)
{
    dp__vk_block *block = find_block(vk, slot_bytes, type, mapped, local);
    if (!block)
        return false;
    uint32_t slot = 0;
    while (block->used >> slot & 1)
        slot++;
    block->used |= (uint64_t)1 << slot;
    buffer->block = block;
    use_memory(buffer, &block->memory, slot * slot_bytes, slot_bytes);
    return true;
}

VkResult dp__vk_memory_take(dp__vk *vk, const VkMemoryRequirements *needs, bool mapped, bool local,
                            dp__vk_buffer *buffer)
{
    uint32_t type;
    dp__vk_memory memory;
    if (!choose_type(vk, needs->memoryTypeBits, mapped, local, &type))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    const uint64_t slot = DP_CEIL_DIV(needs->size, SLOT_ALIGN) * SLOT_ALIGN;
    const bool small =
        slot <= LARGEST_SLOT && needs->alignment <= SLOT_ALIGN && vk->traits.atom <= SLOT_ALIGN;
    if (small && take_slot(vk, slot, type, mapped, local, buffer))
        return VK_SUCCESS;
    const VkResult result = allocate_memory(vk, needs->size, type, mapped, &memory);
    if (result == VK_SUCCESS)
        use_memory(buffer, &memory, 0, needs->size);
    return result;
}

void dp__vk_memory_give(dp__vk *vk, dp__vk_buffer *buffer)
{
    dp__vk_block *block = buffer->block;
    if (!buffer->memory)
        return;
    if (!block) {
        free_memory(vk,
                    &(dp__vk_memory){.handle = buffer->memory, .type = buffer->type, .bytes = buffer->size});
        return;
    }
    block->used &= ~((uint64_t)1 << buffer->offset / block->slot_bytes);
    if (block->used != 0)
        return;
    dp__vk_block **link = &vk->blocks;
    while (*link != block)
        link = &(*link)->next;
    *link = block->next;
    free_memory(vk, &block->memory);
    dp__free(block);
}
