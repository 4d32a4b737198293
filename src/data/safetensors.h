/* SPDX-License-Identifier: Apache-2.0 */
/* What reader and writer of safetensors share. */
#ifndef DP_DATA_SAFETENSORS_H
#define DP_DATA_SAFETENSORS_H

#include "data/report.h"
#include <dipole/file.h>

#define DP__SAFETENSORS_MAX_HEADER ((uint64_t)100000000) /* as the format's own library */
#define DP__SAFETENSORS_PAIRS      "__metadata__"

/* What a header says, its order and its sums still unchecked. Names and pairs point into the header's text. */
typedef struct dp__safetensors_header {
    dp_safetensors_entry *entries; /* `offset` counts from the end of the header here */
    size_t count, capacity;
    dp_metadata *pairs;
    size_t pairs_count, pairs_capacity;
} dp__safetensors_header;

/* Parses `text` (`length` bytes and a NUL behind them), whose strings are decoded in place. On failure the lists are freed. */
dp_status dp__safetensors_parse(const dp__report *report, char *text, size_t length, dp__safetensors_header *header);
void dp__safetensors_free(dp__safetensors_header *header);

/* "F32"; NULL for dtypes that tensors cannot have. */
const char *dp__safetensors_type(dp_dtype dtype);
bool dp__little_endian(void);

#endif
