/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail: for programs that are linked with --wrap=malloc,--wrap=calloc,--wrap=realloc, in their one source file. */
#ifndef DIPOLE_TESTS_FAILING_ALLOC_H
#define DIPOLE_TESTS_FAILING_ALLOC_H

#include "suite/countdown.h"

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

#endif
