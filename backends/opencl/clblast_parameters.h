/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of CLBlast's kernels for devices that it ships none for, as CLBlastOverrideParameters takes them. bench/ measures
 * CLBlast with and without them. */
#ifndef DP_OPENCL_CLBLAST_PARAMETERS_H
#define DP_OPENCL_CLBLAST_PARAMETERS_H

#include <stddef.h>

#define DP__CLBLAST_MAX_PARAMETERS 16

typedef struct dp__clblast_entry {
    const char *kernel; /* CLBlast's name of it */
    struct {
        const char *name;
        size_t value;
    } parameter[DP__CLBLAST_MAX_PARAMETERS]; /* until the first without a name */
} dp__clblast_entry;

/* PoCL on a CPU whose vectors are 8 floats wide. A work-item has 24 x 4 elements in 12 vectors, nothing is staged in local memory,
 * and tiles of 48 rows give the padded copies of matrices whose sizes are powers of two lines that do not all fall into the same few
 * sets of the cache. The second entry is where products are so small that the direct kernel, which pads nothing, takes over:
 * nowhere, since it was 2 to 6 times slower from 64^3 up. Found among some thirty by GFLOP for a second of CPU time (CLBlast 1.5.3,
 * PoCL 3.1, AVX2; 256^3, 512^3, 1024^3; 64, 4096, 1024; 4096, 64, 64). */
static const dp__clblast_entry dp__clblast_cpu8[] = {
    {"Xgemm",
     {{"GEMMK", 0}, {"KREG", 1}, {"KWG", 32}, {"KWI", 2}, {"MDIMA", 2}, {"MDIMC", 2}, {"MWG", 48}, {"NDIMB", 2},
      {"NDIMC", 2}, {"NWG", 8}, {"SA", 0}, {"SB", 0}, {"STRM", 0}, {"STRN", 0}, {"VWM", 8}, {"VWN", 4}}},
    {"GemmRoutine", {{"XGEMM_MIN_INDIRECT_SIZE", 1}}},
};

#endif
