/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kernel variants: parameters of one body each, of which a device's best is found by
 * measurement (tuner) or, before that, by its kind. */
#ifndef DP_GPU_VARIANTS_H
#define DP_GPU_VARIANTS_H

#include "gpu/driver.h"

/* Kinds of devices that a variant is for. */
enum { DP__ON_CPU = 1, DP__ON_SOFTWARE = 2, DP__ON_GPU = 4 };

/* A contraction's kernel (kernels/contract_*.body). */
typedef struct dp__variant {
    const char *name;   /* "panels_6x16": unique, and what DIPOLE_VARIANT and the database call it */
    const char *kernel; /* the name of its source; "clblast": none, the driver's library */
    unsigned devices;   /* DP__ON_... */
    int width;          /* W, lanes of its explicit vectors */
    int rows;           /* MR, rows of a work-item */
    int vectors;        /* NV, its vectors of columns; of tiles NR, its columns */
    int depth;          /* KC, depths that are staged at once; 0: nothing is */
    uint32_t group_x, group_y;
    bool packs; /* a copy of A in panels of rows is made first (cl/contract_rows.cl) */
} dp__variant;

/* All of them; *count is how many. */
const dp__variant *dp__variants(size_t *count);
/* NULL where there is none of that name. */
const dp__variant *dp__variant_find(const char *name);
/* Whether the device can run it at all: its kind, vectors, group size, local memory. */
bool dp__variant_fits(const dp__variant *variant, const dp__gpu_limits *limits, bool glsl);
/* What DIPOLE_VARIANT in the environment asks for, or NULL. */
const dp__variant *dp__variant_forced(void);

#endif
