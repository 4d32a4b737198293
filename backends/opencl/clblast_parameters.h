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

/* A CPU whose vectors are 8 floats wide, under PoCL. */
static const dp__clblast_entry dp__clblast_cpu8[] = {
    {"Xgemm",
     {{"GEMMK", 0}, {"KREG", 1}, {"KWG", 32}, {"KWI", 2}, {"MDIMA", 4}, {"MDIMC", 4}, {"MWG", 32}, {"NDIMB", 4},
      {"NDIMC", 4}, {"NWG", 32}, {"SA", 0}, {"SB", 0}, {"STRM", 0}, {"STRN", 0}, {"VWM", 8}, {"VWN", 8}}},
};

#endif
