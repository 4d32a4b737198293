/* SPDX-License-Identifier: Apache-2.0 */
/* What a device tells about itself. */
#include "opencl.h"

#include <CL/cl_ext.h>
#include <stdio.h>
#include <string.h>

/* cl_nv_device_attribute_query; not in every version of cl_ext.h. */
#define NV_PCI_BUS    0x4008
#define NV_PCI_SLOT   0x4009 /* device * 8 + function */
#define NV_PCI_DOMAIN 0x400A

uint64_t dp__cl_number(const dp__cl_api *api, cl_device_id device, cl_device_info name)
{
    union {
        uint32_t word;
        uint64_t all;
    } value = {0};
    size_t size = 0;
    if (api->clGetDeviceInfo(device, name, sizeof value, &value, &size) != CL_SUCCESS)
        return 0;
    return size == sizeof value.word ? value.word : value.all;
}

static uint32_t number32(const dp__cl_api *api, cl_device_id device, cl_device_info name)
{
    const uint64_t value = dp__cl_number(api, device, name);
    return (uint32_t)DP_MIN2(value, UINT32_MAX);
}

/* A device's string; NULL where it does not tell. Freed by the caller. */
static char *string(const dp__cl_api *api, cl_device_id device, cl_device_info name)
{
    size_t size = 0;
    if (api->clGetDeviceInfo(device, name, 0, NULL, &size) != CL_SUCCESS)
        return NULL;
    char *const text = dp__alloc(size + 1, 1);
    if (text != NULL && api->clGetDeviceInfo(device, name, size, text, NULL) != CL_SUCCESS) {
        dp__free(text);
        return NULL;
    }
    return text;
}

/* Copies at most `words` words with one blank between them: drivers pad their strings. "unknown" for none. */
static void tidy(const char *text, int words, char *out, size_t size)
{
    size_t length = 0;
    for (; text != NULL && words > 0; words--) {
        text += strspn(text, " \t\r\n");
        const size_t span = strcspn(text, " \t\r\n");
        if (span == 0)
            break;
        const int wrote =
            snprintf(out + length, size - length, "%s%.*s", length > 0 ? " " : "", (int)span, text);
        length = DP_MIN2(length + (size_t)wrote, size - 1);
        text += span;
    }
    if (length == 0)
        snprintf(out, size, "unknown");
}

static void tidy_info(const dp__cl_api *api, cl_device_id device, cl_device_info name, int words, char *out,
                      size_t size)
{
    char *const text = string(api, device, name);
    tidy(text, words, out, size);
    dp__free(text);
}

static void platform_name(const dp__cl_api *api, cl_platform_id platform, char *out, size_t size)
{
    char text[256] = "";
    if (api->clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof text, text, NULL) != CL_SUCCESS)
        text[0] = '\0';
    text[sizeof text - 1] = '\0';
    tidy(text, INT32_MAX, out, size);
}

bool dp__cl_is_rusticl(const dp__cl_api *api, cl_platform_id platform)
{
    char name[64];
    platform_name(api, platform, name, sizeof name);
    return strcmp(name, "rusticl") == 0;
}

/* `name` as a whole word. */
static bool has(const char *extensions, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = extensions; at != NULL && (at = strstr(at, name)) != NULL; at += length)
        if ((at == extensions || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

const char *dp__cl_unusable(const dp__cl_api *api, cl_device_id device)
{
    char profile[32], version[32];
    int major = 0, minor = 0;
    tidy_info(api, device, CL_DEVICE_PROFILE, 1, profile, sizeof profile);
    tidy_info(api, device, CL_DEVICE_VERSION, 2, version, sizeof version);
    if (dp__cl_number(api, device, CL_DEVICE_AVAILABLE) == 0)
        return "is not available";
    if (dp__cl_number(api, device, CL_DEVICE_COMPILER_AVAILABLE) == 0)
        return "has no compiler";
    if (dp__cl_number(api, device, CL_DEVICE_ENDIAN_LITTLE) == 0)
        return "is not little-endian";
    if (strcmp(profile, "FULL_PROFILE") != 0)
        return "has the embedded profile only";
    if (sscanf(version, "OpenCL %d.%d", &major, &minor) != 2 || major * 10 + minor < 12)
        return "is older than OpenCL 1.2";
    return NULL;
}

/* Software that implements a GPU calls itself a CPU, or everything at once (oclgrind). */
static bool is_software(const char *name)
{
    static const char *const names[] = {"llvmpipe", "softpipe", "SwiftShader", "Oclgrind"};
    for (size_t i = 0; i < DP_COUNT(names); i++)
        if (strstr(name, names[i]) != NULL)
            return true;
    return false;
}

static dp_device_type type_of(const dp__cl_api *api, cl_device_id device, const char *name)
{
    const uint64_t type = dp__cl_number(api, device, CL_DEVICE_TYPE);
    if (is_software(name))
        return DP_DEVICE_SOFTWARE_GPU;
    if ((type & CL_DEVICE_TYPE_CPU) != 0)
        return DP_DEVICE_CPU;
    if ((type & CL_DEVICE_TYPE_GPU) == 0)
        return DP_DEVICE_ACCELERATOR;
    return dp__cl_number(api, device, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0 ? DP_DEVICE_INTEGRATED_GPU
                                                                          : DP_DEVICE_DISCRETE_GPU;
}

/* Where the device sits on the bus; "" if it does not tell. */
static void card_of(const dp__cl_api *api, cl_device_id device, const char *extensions, char *card,
                    size_t size)
{
    cl_device_pci_bus_info_khr pci = {0};
    cl_device_topology_amd amd;
    bool known = false;
    if (has(extensions, "cl_khr_pci_bus_info")) {
        known =
            api->clGetDeviceInfo(device, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof pci, &pci, NULL) == CL_SUCCESS;
    } else if (has(extensions, "cl_nv_device_attribute_query")) {
        cl_uint slot = 0;
        known = api->clGetDeviceInfo(device, NV_PCI_BUS, sizeof slot, &pci.pci_bus, NULL) == CL_SUCCESS &&
                api->clGetDeviceInfo(device, NV_PCI_SLOT, sizeof slot, &slot, NULL) == CL_SUCCESS;
        pci.pci_domain = number32(api, device, NV_PCI_DOMAIN);
        pci.pci_device = slot >> 3;
        pci.pci_function = slot & 7;
    } else if (has(extensions, "cl_amd_device_attribute_query") &&
               api->clGetDeviceInfo(device, CL_DEVICE_TOPOLOGY_AMD, sizeof amd, &amd, NULL) == CL_SUCCESS) {
        known = amd.raw.type == CL_DEVICE_TOPOLOGY_TYPE_PCIE_AMD;
        pci.pci_bus = (unsigned char)amd.pcie.bus;
        pci.pci_device = (unsigned char)amd.pcie.device;
        pci.pci_function = (unsigned char)amd.pcie.function;
    }
    card[0] = '\0';
    if (known)
        snprintf(card, size, "pci:%04x:%02x:%02x.%x", pci.pci_domain & 0xffff, pci.pci_bus & 0xff,
                 pci.pci_device & 0xff, pci.pci_function & 0xf);
}

/* Intel's kernels run at one of several sizes, which the compiler picks: the largest. */
static uint32_t subgroup_size(const dp__cl_api *api, cl_device_id device, const char *extensions)
{
    if (has(extensions, "cl_nv_device_attribute_query"))
        return number32(api, device, CL_DEVICE_WARP_SIZE_NV);
    if (has(extensions, "cl_amd_device_attribute_query"))
        return number32(api, device, CL_DEVICE_WAVEFRONT_WIDTH_AMD);
    size_t sizes[16] = {0}, bytes = 0, largest = 0;
    if (has(extensions, "cl_intel_required_subgroup_size") &&
        api->clGetDeviceInfo(device, CL_DEVICE_SUB_GROUP_SIZES_INTEL, sizeof sizes, sizes, &bytes) ==
            CL_SUCCESS)
        for (size_t i = 0; i < bytes / sizeof sizes[0]; i++)
            largest = DP_MAX2(largest, sizes[i]);
    return (uint32_t)largest;
}

/* A timer whose resolution is 0 is none: rusticl of Mesa 22.3 lets a queue take times, which are all 0. */
static uint32_t features_of(const dp__cl_api *api, cl_device_id device, const char *extensions)
{
    uint32_t features = 0;
    if (has(extensions, "cl_khr_fp16"))
        features |= DP_FEATURE_F16;
    if (has(extensions, "cl_khr_fp64"))
        features |= DP_FEATURE_F64;
    if (has(extensions, "cl_khr_subgroups") || has(extensions, "cl_intel_subgroups"))
        features |= DP_FEATURE_SUBGROUPS;
    if ((dp__cl_number(api, device, CL_DEVICE_QUEUE_PROPERTIES) & CL_QUEUE_PROFILING_ENABLE) != 0 &&
        dp__cl_number(api, device, CL_DEVICE_PROFILING_TIMER_RESOLUTION) > 0)
        features |= DP_FEATURE_TIMESTAMPS;
    if (dp__cl_number(api, device, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0)
        features |= DP_FEATURE_UNIFIED_MEMORY;
    return features;
}

/* The driver: the platform's name and the driver's version. AMD's device name is an architecture ("gfx1030"),
 * its board name what the card is sold as. */
static void describe_names(const dp__cl_api *api, const dp__cl_found *found, const char *extensions,
                           dp_device_info *info)
{
    char platform[64], version[60];
    platform_name(api, found->platform, platform, sizeof platform);
    tidy_info(api, found->device, CL_DRIVER_VERSION, INT32_MAX, version, sizeof version);
    snprintf(info->driver, sizeof info->driver, "%s %s", platform, version);
    tidy_info(api, found->device, CL_DEVICE_NAME, INT32_MAX, info->name, sizeof info->name);
    if (has(extensions, "cl_amd_device_attribute_query")) {
        char board[sizeof info->name];
        tidy_info(api, found->device, CL_DEVICE_BOARD_NAME_AMD, INT32_MAX, board, sizeof board);
        if (strcmp(board, "unknown") != 0)
            memcpy(info->name, board, sizeof board);
    }
    tidy_info(api, found->device, CL_DEVICE_VENDOR, INT32_MAX, info->vendor, sizeof info->vendor);
    tidy_info(api, found->device, CL_DEVICE_OPENCL_C_VERSION, 3, info->api, sizeof info->api);
}

/* The device's version tells what PoCL compiles for: a folder may be seen by machines with other CPUs. */
void dp__cl_identify(const dp__cl_api *api, const dp__cl_found *found, char *text, size_t size)
{
    static const cl_device_info names[] = {CL_DEVICE_NAME, CL_DEVICE_VENDOR, CL_DEVICE_VERSION, CL_DRIVER_VERSION,
                                           CL_DEVICE_OPENCL_C_VERSION};
    char part[160], version[160] = "";
    platform_name(api, found->platform, part, sizeof part);
    if (api->clGetPlatformInfo(found->platform, CL_PLATFORM_VERSION, sizeof version, version, NULL) != CL_SUCCESS)
        version[0] = '\0';
    int length = snprintf(text, size, "%s\n%s\n%.159s", dp__cl_options, part, version);
    for (size_t n = 0; n < DP_COUNT(names) && length > 0 && (size_t)length < size; n++) {
        tidy_info(api, found->device, names[n], INT32_MAX, part, sizeof part);
        length += snprintf(text + length, size - (size_t)length, "\n%s", part);
    }
}

void dp__cl_describe(const dp__cl_api *api, const dp__cl_found *found, size_t index, dp_device_info *info)
{
    const cl_device_id device = found->device;
    char *const extensions = string(api, device, CL_DEVICE_EXTENSIONS);
    memset(info, 0, sizeof *info);
    snprintf(info->id, sizeof info->id, "opencl:%zu", index);
    snprintf(info->backend, sizeof info->backend, "opencl");
    describe_names(api, found, extensions, info);
    card_of(api, device, extensions, info->card, sizeof info->card);
    info->type = type_of(api, device, info->name);
    info->features = features_of(api, device, extensions);
    info->compute_units = number32(api, device, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->max_group_size = number32(api, device, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    info->subgroup_size = subgroup_size(api, device, extensions);
    info->memory_bytes = dp__cl_number(api, device, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_tensor_bytes = dp__cl_number(api, device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    info->local_bytes = dp__cl_number(api, device, CL_DEVICE_LOCAL_MEM_SIZE);
    dp__free(extensions);
}
