/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/variants.h"
#include <stdlib.h>
#include <string.h>

#define DIRECT(name, devices, width, rows, vectors, x, y)                                                    \
    {                                                                                                        \
        name, "contract_direct", devices, width, rows, vectors, 0, x, y, false                               \
    }
#define DOT(name, devices, width, rows, columns, x)                                                          \
    {                                                                                                        \
        name, "contract_dot", devices, width, rows, columns, 0, x, 1, false                                  \
    }
#define PANELS(name, width, rows, vectors, depth, packs)                                                     \
    {                                                                                                        \
        name, "contract_panels", DP__ON_CPU, width, rows, vectors, depth, 1, 1, packs                        \
    }
#define TILES(name, rows, columns, depth, x, y)                                                              \
    {                                                                                                        \
        name, "contract_tiles", DP__ON_GPU | DP__ON_SOFTWARE, 1, rows, columns, depth, x, y, false           \
    }

/* Names tell the work-item's rows x columns; of tiles the group's. */
static const dp__variant variants[] = {
    DIRECT("direct_4x4", DP__ON_GPU | DP__ON_SOFTWARE | DP__ON_CPU, 1, 4, 4, 16, 8),
    DIRECT("direct_1x1", DP__ON_GPU | DP__ON_SOFTWARE | DP__ON_CPU, 1, 1, 1, 64, 1),
    DIRECT("direct_4x4v", DP__ON_GPU | DP__ON_SOFTWARE, 4, 4, 1, 16, 8),
    DIRECT("direct_4x8v", DP__ON_SOFTWARE, 4, 4, 2, 8, 8),
    DIRECT("direct_8x8v", DP__ON_SOFTWARE, 4, 8, 2, 8, 8),
    DIRECT("direct_16x8v", DP__ON_SOFTWARE, 4, 16, 2, 8, 8),
    DIRECT("direct_16x16", DP__ON_SOFTWARE, 1, 16, 16, 8, 4),
    DIRECT("direct_6x16", DP__ON_CPU, 8, 6, 2, 1, 1),
    DIRECT("direct_4x24", DP__ON_CPU, 8, 4, 3, 1, 1),
    DIRECT("direct_1x32", DP__ON_CPU, 8, 1, 4, 1, 1),
    DIRECT("direct_12x32", DP__ON_CPU, 16, 12, 2, 1, 1),
    DOT("dot_4x1", DP__ON_GPU | DP__ON_SOFTWARE, 1, 4, 1, 64),
    DOT("dot_4x1v", DP__ON_GPU | DP__ON_SOFTWARE, 4, 4, 1, 32),
    DOT("dot_4x2_w8", DP__ON_CPU, 8, 4, 2, 1),
    DOT("dot_4x2_w16", DP__ON_CPU, 16, 4, 2, 1),
    PANELS("panels_6x16", 8, 6, 2, 256, false),
    PANELS("panels_6x16_packed", 8, 6, 2, 256, true),
    PANELS("panels_6x16_k512", 8, 6, 2, 512, false),
    PANELS("panels_6x16_k512_packed", 8, 6, 2, 512, true),
    PANELS("panels_4x24", 8, 4, 3, 192, false),
    PANELS("panels_4x16", 4, 4, 4, 256, false), /* 128-bit registers */
    PANELS("panels_12x32", 16, 12, 2, 192, false),
    PANELS("panels_12x32_packed", 16, 12, 2, 192, true), /* 512-bit registers */
    TILES("tiles_32x32", 4, 4, 16, 8, 8),
    TILES("tiles_64x64", 4, 4, 16, 16, 16),
    TILES("tiles_64x64_8x4", 8, 4, 16, 16, 8),
    TILES("tiles_128x64", 8, 4, 16, 16, 16),
    TILES("tiles_128x128", 8, 8, 8, 16, 16),
    {"clblast", "clblast", DP__ON_CPU | DP__ON_GPU, 1, 1, 1, 0, 1,
     1}, /* a library's own (gemm.c); never by default */
};

const dp__variant *dp__variants(size_t *count)
{
    *count = DP_COUNT(variants);
    return variants;
}

const dp__variant *dp__variant_find(const char *name)
{
    for (size_t i = 0; i < DP_COUNT(variants); i++)
        if (strcmp(variants[i].name, name) == 0)
            return &variants[i];
    return NULL;
}

static unsigned kind_of(const dp__gpu_limits *limits)
{
    return limits->type == DP_DEVICE_CPU            ? DP__ON_CPU
           : limits->type == DP_DEVICE_SOFTWARE_GPU ? DP__ON_SOFTWARE
                                                    : DP__ON_GPU;
}

/* The two tiles of contract_tiles.body, the panel of contract_panels.body. */
static uint64_t local_bytes(const dp__variant *variant)
{
    const uint64_t columns = (uint64_t)variant->vectors * (uint64_t)variant->width * variant->group_x;
    const uint64_t rows = (uint64_t)variant->rows * variant->group_y;
    const uint64_t staged = variant->width > 1 ? columns : rows + 4 + columns + 4;
    const uint64_t panels = strcmp(variant->kernel, "contract_panels") == 0 ? 8 : 1;
    return 4 * (uint64_t)variant->depth * staged * panels;
}

/* Intel's 128 registers of 8 lanes, or 16, hold no 64 sums an item: the compiler goes down to 8 lanes and
 * spills (docs/portability.md). */
static bool has_registers(const dp__variant *variant, const dp__gpu_limits *limits)
{
    return kind_of(limits) != DP__ON_GPU || !strstr(limits->vendor, "Intel") ||
           variant->rows * variant->vectors * variant->width <= 32;
}

bool dp__variant_fits(const dp__variant *variant, const dp__gpu_limits *limits, bool glsl)
{
    const uint32_t items = variant->group_x * variant->group_y;
    if (glsl && (strcmp(variant->kernel, "contract_panels") == 0 || strcmp(variant->kernel, "clblast") == 0))
        return false;
    return (variant->devices & kind_of(limits)) && has_registers(variant, limits) &&
           variant->width <= (int)limits->max_vector && items <= limits->max_group_size &&
           variant->group_x <= limits->max_group_dim[0] && variant->group_y <= limits->max_group_dim[1] &&
           local_bytes(variant) <= limits->local_bytes;
}

const dp__variant *dp__variant_forced(void)
{
    const char *name = getenv("DIPOLE_VARIANT");
    return name && *name ? dp__variant_find(name) : NULL;
}
