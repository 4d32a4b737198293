/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: one open Vulkan device, its buffers and its queue. */
#ifndef DP_VULKAN_DEVICE_H
#define DP_VULKAN_DEVICE_H

#include "gpu/driver.h"
#include "loader.h"

#define DP__VK_RING       4  /* submissions recorded or in flight */
#define DP__VK_LAUNCHES   64 /* of one submission */
#define DP__VK_PUSH_BYTES (DP__MAX_PARAMS * 4)
/* About the work of one submission, so that the device starts early and none runs into a watchdog: FLOPs. */
#define DP__VK_WORK 2e9

typedef struct dp__vk dp__vk;

/* What a submission uses and the host destroys while it may be in flight: a buffer or a kernel. */
typedef struct dp__vk_object {
    uint64_t used; /* number of the last submission that uses it */
    void (*destroy)(dp__vk *vk, struct dp__vk_object *object);
    struct dp__vk_object *next; /* in dp__vk.trash */
} dp__vk_object;

/* One allocation of the driver's. */
typedef struct dp__vk_memory {
    VkDeviceMemory handle;
    uint64_t bytes;
    uint32_t type;
    unsigned char *mapped; /* NULL: not mapped */
} dp__vk_memory;

typedef struct dp__vk_block dp__vk_block; /* memory.c: one allocation for many small buffers */

typedef struct dp__vk_buffer {
    dp__vk_object object; /* first */
    VkBuffer handle;
    dp__vk_block *block; /* that the memory belongs to; NULL: it is the buffer's own */
    VkDeviceMemory memory;
    uint64_t offset, size; /* in the memory */
    uint32_t type;         /* of the memory */
    unsigned char *mapped; /* NULL: reached by copies only */
    uint64_t written;      /* number of the last submission that writes it */
    uint64_t read_epoch, write_epoch;
} dp__vk_buffer;

typedef struct dp__vk_kernel {
    dp__vk_object object; /* first */
    VkPipeline pipeline;
    VkPipelineLayout layout; /* the device's */
} dp__vk_kernel;

/* Upload and download memory where tensors cannot be mapped: two halves in turn. */
typedef struct dp__vk_staging {
    dp__vk_buffer *half[2];
    int turn;
    uint64_t filled; /* bytes of the half whose turn it is */
} dp__vk_staging;

typedef struct dp__vk_timed {
    const char *kernel;
    double flops, bytes;
} dp__vk_timed;

/* One place of the ring: what is recorded, or was submitted. */
typedef struct dp__vk_slot {
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkDescriptorPool descriptors;
    VkFence fence;
    VkQueryPool queries; /* two of each timed launch; made when the first one is timed */
    int launches;
    double work, began; /* began: by the host's clock, seconds */
    dp__vk_timed timed[DP__VK_LAUNCHES];
    uint32_t timed_count;
} dp__vk_slot;

/* What a physical device says of itself. */
typedef struct dp__vk_traits {
    dp_device_info info; /* but for its id */
    dp__gpu_limits limits;
    uint64_t atom;      /* nonCoherentAtomSize */
    bool tells_budget; /* VK_EXT_memory_budget */
    uint32_t vendor_id, device_id, driver_version;
    uint8_t cache_uuid[VK_UUID_SIZE]; /* of the driver's build, as data of its pipeline caches name it */
    uint32_t family;    /* of the queue to use */
    double tick;        /* seconds of a timestamp's unit */
    uint64_t tick_mask; /* a timestamp's valid bits; 0: no timestamps */
} dp__vk_traits;

/* dp__gpu.driver_state.
 *
 * Submissions are numbered. The number being recorded is `current`; all up to `completed` are known to be
 * done, which the queue's order makes one number. Slot n % DP__VK_RING belongs to submission n.
 *
 * An epoch is what lies between two pipeline barriers. A buffer remembers the epochs in which recorded work
 * last read and wrote it; a command needs a barrier only where one of them is the current epoch and one of
 * the two accesses writes. Barriers reach back over earlier submissions, so epochs go on over them. */
struct dp__vk {
    dp__gpu *gpu;
    dp__vk_api api;
    VkPhysicalDevice physical;
    VkPhysicalDeviceMemoryProperties memory;
    uint64_t heap_used[VK_MAX_MEMORY_HEAPS];
    dp__vk_block *blocks;
    dp__vk_traits traits;
    bool patient;     /* work that waits does not start early, by the clock (DIPOLE_EARLY=off) */
    bool map_tensors; /* tensors live in memory that the host maps; else they are reached through the staging
                         buffers */
    VkDevice device;
    VkQueue queue;
    VkDescriptorSetLayout set_layout[DP__MAX_BINDINGS + 1]; /* by number of bindings, made when first used */
    VkPipelineLayout pipeline_layout[DP__MAX_BINDINGS + 1];
    dp__vk_slot slot[DP__VK_RING];
    uint64_t current, completed;
    bool recording;
    uint64_t epoch;
    dp__vk_staging staging;
    dp__vk_object *trash; /* destroyed by the host, not yet by us */
};

/* info.c */
/* The physical devices that can be used, in the driver's order; NULL where there are none or on failure. The
 * caller frees. */
VkPhysicalDevice *dp__vk_devices(const dp__vk_api *api, uint32_t *count);
void dp__vk_examine(const dp__vk_api *api, VkPhysicalDevice physical, dp__vk_traits *traits);

/* device.c */
dp_status dp__vk_open(dp__gpu *gpu, size_t index);
void dp__vk_close(dp__gpu *gpu);
/* Keeps a failure of the call `what` ("vkQueueSubmit") and returns its status. A lost device is marked as
 * such. */
dp_status dp__vk_fail(dp__vk *vk, VkResult result, const char *what);
/* Destroys the object as soon as no submission uses it. */
void dp__vk_release(dp__vk *vk, dp__vk_object *object);
/* Destroys what was released and is not used by a submission after number `done`. */
void dp__vk_empty_trash(dp__vk *vk, uint64_t done);

/* memory.c */
/* Memory for a buffer that needs this; sets the buffer's fields of it. */
VkResult dp__vk_memory_take(dp__vk *vk, const VkMemoryRequirements *needs, bool mapped, bool local, dp__vk_buffer *buffer);
void dp__vk_memory_give(dp__vk *vk, dp__vk_buffer *buffer); /* none is fine */

/* buffer.c */
dp_status dp__vk_buffer_create(dp__gpu *gpu, uint64_t bytes, void **handle);
void dp__vk_buffer_destroy(dp__gpu *gpu, void *handle);
bool dp__vk_buffer_busy(dp__gpu *gpu, void *handle);
dp_status dp__vk_buffer_write(dp__gpu *gpu, void *handle, uint64_t offset, const void *data, uint64_t bytes);
dp_status dp__vk_buffer_read(dp__gpu *gpu, void *handle, uint64_t offset, void *data, uint64_t bytes);

/* kernel.c */
dp_status dp__vk_kernel_create(dp__gpu *gpu, const dp__kernel_source *source, dp__binary *built, void **kernel);
bool dp__vk_kernel_load(dp__gpu *gpu, const dp__kernel_source *source, const dp__binary *binary, void **kernel);
/* What built kernels depend on besides their source. */
void dp__vk_identify(const dp__vk *vk, char *text, size_t size);
void dp__vk_kernel_destroy(dp__gpu *gpu, void *kernel);

/* spirv.c */
/* GLSL to SPIR-V 1.3. ERROR_DRIVER where it does not compile, with the reason in the log, or ERROR_MEMORY;
 * keeps no message. The caller frees words and log. From any thread. */
dp_status dp__vk_compile(const char *text, bool debug, uint32_t **words, size_t *bytes, dp__text *log);

/* series.c */
dp_status dp__vk_series_create(dp__gpu *gpu, const dp__launch *launches, size_t count, void **series);
dp_status dp__vk_series_run(dp__gpu *gpu, void *series);
void dp__vk_series_destroy(dp__gpu *gpu, void *series);

const char *dp__vk_compiler(void); /* its name and version; static */

/* queue.c */
VkResult dp__vk_slot_create(dp__vk *vk, dp__vk_slot *slot);
void dp__vk_slot_destroy(dp__vk *vk, dp__vk_slot *slot);
dp_status dp__vk_launch(dp__gpu *gpu, const dp__launch *launch);
dp_status dp__vk_flush(dp__gpu *gpu);
dp_status dp__vk_wait(dp__gpu *gpu);
/* Records a copy behind all earlier work. */
dp_status dp__vk_copy(dp__vk *vk, dp__vk_buffer *from, uint64_t from_offset, dp__vk_buffer *to,
                      uint64_t to_offset, uint64_t bytes);
/* What a launch is made of, into any command buffer: its buffers, in a set of the pool, and the rest. */
dp_status dp__vk_bind(dp__vk *vk, VkCommandBuffer commands, VkDescriptorPool descriptors, const dp__launch *launch);
void dp__vk_dispatch(dp__vk *vk, VkCommandBuffer commands, const dp__launch *launch);
double dp__vk_work(const dp__launch *launch);
/* What comes behind sees what was written before. */
void dp__vk_barrier(dp__vk *vk, VkCommandBuffer commands);
/* Around what is recorded in the ring: begin opens a submission that has room for so many launches and so much work (both 0: for one
 * more of any size); order puts a barrier where these launches, together, need one; recorded counts them, and submits where it is
 * time. */
dp_status dp__vk_begin(dp__vk *vk, int launches, double work);
void dp__vk_order(dp__vk *vk, const dp__launch *launches, size_t count);
dp_status dp__vk_recorded(dp__vk *vk, int launches, double work);
/* Returns when submission `number` is done; submits it where it is still being recorded. */
dp_status dp__vk_wait_for(dp__vk *vk, uint64_t number);
/* Moves `completed` on to what is done by now; waits for nothing. */
void dp__vk_look(dp__vk *vk);

#endif
