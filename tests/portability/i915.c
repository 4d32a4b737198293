/* SPDX-License-Identifier: Apache-2.0 */
/* An Intel GPU that is not there, for Mesa's Vulkan driver to compile for: a library to be preloaded, which
 * answers as libdrm and the i915 kernel driver would for as long as nothing is run. The device file is one in
 * memory (memfd), so that what the driver maps is memory. PCI ids and the meaning of each question: the
 * kernel's include/uapi/drm/i915_drm.h.
 *
 *   DIPOLE_I915_DEVICE     the PCI id, in hexadecimal: 1912 (Skylake GT2), 9a49 (Tiger Lake GT2), 56a0 (Arc
 * A770) DIPOLE_I915_DISCRETE   set: it has memory of its own */
#include <xf86drm.h>
#include <drm.h>
#include <i915_drm.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUBSLICES 6 /* of one slice */
#define UNITS     8 /* EUs of a subslice */
#define MEMORY    ((uint64_t)8 << 30)

int ioctl(int file, unsigned long request, ...);

static int device_file = -1;
static struct stat device_stat;
static uint32_t last_handle;

static uint16_t pci_id(void)
{
    const char *text = getenv("DIPOLE_I915_DEVICE");
    return (uint16_t)strtoul(text ? text : "9a49", NULL, 16);
}

/* Nothing is there without a file: the driver then finds no device, which whoever runs it reports. */
static bool open_file(void)
{
    if (device_file < 0) {
        device_file = memfd_create("i915", MFD_CLOEXEC);
        if (device_file >= 0 &&
            (ftruncate(device_file, (off_t)1 << 48) != 0 || fstat(device_file, &device_stat) != 0)) {
            close(device_file);
            device_file = -1;
        }
    }
    return device_file >= 0;
}

static bool is_ours(int file)
{
    struct stat other;
    return device_file >= 0 && fstat(file, &other) == 0 && other.st_ino == device_stat.st_ino &&
           other.st_dev == device_stat.st_dev;
}

/* ---- libdrm: the list of devices, of which there is one ---- */

typedef struct listed_device {
    drmDevice device; /* first: what callers get */
    char *nodes[DRM_NODE_MAX];
    char path[64];
    drmPciBusInfo bus;
    drmPciDeviceInfo info;
} listed_device;

static drmDevicePtr list_device(void)
{
    listed_device *listed = open_file() ? calloc(1, sizeof *listed) : NULL;
    if (!listed)
        return NULL;
    snprintf(listed->path, sizeof listed->path, "/proc/self/fd/%d", device_file);
    for (int node = 0; node < DRM_NODE_MAX; node++)
        listed->nodes[node] = listed->path;
    listed->bus.dev = 2;
    listed->info.vendor_id = 0x8086;
    listed->info.device_id = pci_id();
    listed->device = (drmDevice){.nodes = listed->nodes,
                                 .available_nodes = 1 << DRM_NODE_PRIMARY | 1 << DRM_NODE_RENDER,
                                 .bustype = DRM_BUS_PCI,
                                 .businfo.pci = &listed->bus,
                                 .deviceinfo.pci = &listed->info};
    return &listed->device;
}

int drmGetDevices2(uint32_t flags, drmDevicePtr devices[], int capacity)
{
    (void)flags;
    if (devices && capacity > 0 && !(devices[0] = list_device()))
        return -ENOMEM;
    return 1;
}

int drmGetDevices(drmDevicePtr devices[], int capacity)
{
    return drmGetDevices2(0, devices, capacity);
}

int drmGetDevice2(int file, uint32_t flags, drmDevicePtr *device)
{
    (void)file, (void)flags;
    *device = list_device();
    return *device ? 0 : -ENOMEM;
}

int drmGetDevice(int file, drmDevicePtr *device)
{
    return drmGetDevice2(file, 0, device);
}

void drmFreeDevice(drmDevicePtr *device)
{
    free(*device);
    *device = NULL;
}

void drmFreeDevices(drmDevicePtr devices[], int count)
{
    for (int d = 0; d < count; d++)
        drmFreeDevice(&devices[d]);
}

/* ---- the kernel ---- */

static int get_version(struct drm_version *version)
{
    static const char name[] = "i915";
    if (version->name && version->name_len >= sizeof name - 1)
        memcpy(version->name, name, sizeof name - 1);
    version->version_major = 1;
    version->version_minor = 6;
    version->name_len = sizeof name - 1;
    version->date_len = version->desc_len = 0;
    return 0;
}

/* Most parameters ask whether something can be done. */
static int get_parameter(struct drm_i915_getparam *parameter)
{
    int value = 1;
    switch (parameter->param) {
    case I915_PARAM_CHIPSET_ID:
        value = pci_id();
        break;
    case I915_PARAM_HAS_ALIASING_PPGTT:
        value = 3;
        break; /* full, 48 bits */
    case I915_PARAM_MMAP_GTT_VERSION:
        value = 4;
        break;
    case I915_PARAM_CMD_PARSER_VERSION:
        value = 10;
        break;
    case I915_PARAM_CS_TIMESTAMP_FREQUENCY:
        value = 12000000;
        break;
    case I915_PARAM_SUBSLICE_TOTAL:
        value = SUBSLICES;
        break;
    case I915_PARAM_SUBSLICE_MASK:
        value = (1 << SUBSLICES) - 1;
        break;
    case I915_PARAM_EU_TOTAL:
        value = SUBSLICES * UNITS;
        break;
    default:
        break;
    }
    *parameter->value = value;
    return 0;
}

static int32_t write_topology(void *to)
{
    struct drm_i915_query_topology_info *topology = to;
    *topology = (struct drm_i915_query_topology_info){.max_slices = 1,
                                                      .max_subslices = SUBSLICES,
                                                      .max_eus_per_subslice = UNITS,
                                                      .subslice_offset = 1,
                                                      .subslice_stride = 1,
                                                      .eu_offset = 2,
                                                      .eu_stride = 1};
    topology->data[0] = 1;
    topology->data[1] = (1 << SUBSLICES) - 1;
    for (int s = 0; s < SUBSLICES; s++)
        topology->data[2 + s] = (1 << UNITS) - 1;
    return (int32_t)sizeof *topology + 2 + SUBSLICES;
}

static int32_t write_engines(void *to)
{
    struct drm_i915_query_engine_info *engines = to;
    engines->num_engines = 1;
    engines->engines[0].engine.engine_class = I915_ENGINE_CLASS_RENDER;
    return (int32_t)(sizeof *engines + sizeof engines->engines[0]);
}

static int32_t write_regions(void *to)
{
    struct drm_i915_query_memory_regions *memory = to;
    memory->num_regions = getenv("DIPOLE_I915_DISCRETE") ? 2 : 1;
    for (uint32_t r = 0; r < memory->num_regions; r++) {
        struct drm_i915_memory_region_info *region = &memory->regions[r];
        region->region.memory_class = r == 0 ? I915_MEMORY_CLASS_SYSTEM : I915_MEMORY_CLASS_DEVICE;
        region->probed_size = region->unallocated_size = MEMORY;
        region->probed_cpu_visible_size = region->unallocated_cpu_visible_size = r == 0 ? 0 : MEMORY;
    }
    return (int32_t)(sizeof *memory + memory->num_regions * sizeof memory->regions[0]);
}

/* Asked with a length of 0 for the length, then for the answer. */
static int answer(struct drm_i915_query *query)
{
    struct drm_i915_query_item *item = (struct drm_i915_query_item *)(uintptr_t)query->items_ptr;
    for (uint32_t i = 0; i < query->num_items; i++, item++) {
        uint64_t data[128] = {0};
        int32_t length = -EINVAL; /* what a kernel says to a question it does not know */
        if ((item->query_id & 0xffff) == DRM_I915_QUERY_TOPOLOGY_INFO ||
            (item->query_id & 0xffff) == DRM_I915_QUERY_GEOMETRY_SUBSLICES)
            length = write_topology(data);
        else if (item->query_id == DRM_I915_QUERY_ENGINE_INFO)
            length = write_engines(data);
        else if (item->query_id == DRM_I915_QUERY_MEMORY_REGIONS)
            length = write_regions(data);
        if (length > 0 && item->length >= length)
            memcpy((void *)(uintptr_t)item->data_ptr, data, (size_t)length);
        item->length = length;
    }
    return 0;
}

/* Each buffer has a part of the file of its own, 4 GiB long. */
static int place_buffer(struct drm_i915_gem_mmap_offset *map)
{
    map->offset = (uint64_t)(map->handle % (1 << 15)) << 32;
    return 0;
}

static int get_context_parameter(struct drm_i915_gem_context_param *parameter)
{
    parameter->value = parameter->param == I915_CONTEXT_PARAM_GTT_SIZE ? (uint64_t)1 << 48 : 1;
    return 0;
}

/* All else succeeds, and changes nothing. */
static int serve(unsigned long request, void *argument)
{
    switch (request) {
    case DRM_IOCTL_VERSION:
        return get_version(argument);
    case DRM_IOCTL_GET_CAP:
        ((struct drm_get_cap *)argument)->value = 1;
        return 0;
    case DRM_IOCTL_SYNCOBJ_CREATE:
        ((struct drm_syncobj_create *)argument)->handle = ++last_handle;
        return 0;
    case DRM_IOCTL_I915_GETPARAM:
        return get_parameter(argument);
    case DRM_IOCTL_I915_QUERY:
        return answer(argument);
    case DRM_IOCTL_I915_GEM_CREATE:
        ((struct drm_i915_gem_create *)argument)->handle = ++last_handle;
        return 0;
    case DRM_IOCTL_I915_GEM_CREATE_EXT:
        ((struct drm_i915_gem_create_ext *)argument)->handle = ++last_handle;
        return 0;
    case DRM_IOCTL_I915_GEM_USERPTR:
        ((struct drm_i915_gem_userptr *)argument)->handle = ++last_handle;
        return 0;
    case DRM_IOCTL_I915_GEM_MMAP_OFFSET:
        return place_buffer(argument);
    case DRM_IOCTL_I915_GEM_CONTEXT_CREATE:
        ((struct drm_i915_gem_context_create *)argument)->ctx_id = 1;
        return 0;
    case DRM_IOCTL_I915_GEM_CONTEXT_CREATE_EXT:
        ((struct drm_i915_gem_context_create_ext *)argument)->ctx_id = 1;
        return 0;
    case DRM_IOCTL_I915_GEM_CONTEXT_GETPARAM:
        return get_context_parameter(argument);
    case DRM_IOCTL_I915_GEM_VM_CREATE:
        ((struct drm_i915_gem_vm_control *)argument)->vm_id = 1;
        return 0;
    case DRM_IOCTL_I915_GEM_GET_APERTURE:
        *(struct drm_i915_gem_get_aperture *)argument = (struct drm_i915_gem_get_aperture){MEMORY, MEMORY};
        return 0;
    default:
        return 0;
    }
}

int ioctl(int file, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, ...);
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (((request >> 8) & 0xff) == DRM_IOCTL_BASE && is_ours(file)) {
        if (getenv("DIPOLE_I915_TRACE"))
            fprintf(stderr, "i915: request 0x%02lx\n", request & 0xff);
        return serve(request, argument);
    }
    if (!next)
        next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    return next(file, request, argument);
}
