/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include <stdlib.h>
#include <string.h>

void *dp__alloc(size_t count, size_t size)
{
    return calloc(count ? count : 1, size ? size : 1); /* checks the product */
}

bool dp__grow(void *array_pointer, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return true;
    size_t larger = *capacity > SIZE_MAX / 2 ? needed : *capacity * 2;
    larger = DP_MAX2(larger, DP_MAX2(needed, 8));
    if (larger > SIZE_MAX / size)
        return false;
    void *memory;
    memcpy(&memory, array_pointer, sizeof memory);
    memory = realloc(memory, larger * size);
    if (!memory)
        return false;
    memcpy(array_pointer, &memory, sizeof memory);
    *capacity = larger;
    return true;
}

void dp__free(void *memory)
{
    free(memory);
}
