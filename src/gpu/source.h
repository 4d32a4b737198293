/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel sources: the entry files of cl/ and shaders/ with their includes, built into the library by scripts/embed.py. */
#ifndef DP_GPU_SOURCE_H
#define DP_GPU_SOURCE_H

typedef struct dp__embedded_source {
    const char *name;    /* "matmul" */
    const char *dialect; /* "cl" or "comp", the entry file's ending */
    const char *text;    /* with lines #include "bindings" and #include "formula" where generated text goes */
} dp__embedded_source;

extern const dp__embedded_source dp__embedded_sources[]; /* ends with a NULL name */

#endif
