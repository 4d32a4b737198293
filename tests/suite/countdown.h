/* SPDX-License-Identifier: Apache-2.0 */
/* Which allocation fails, for programs of one source file that stand in for an allocator. */
#ifndef DIPOLE_TESTS_COUNTDOWN_H
#define DIPOLE_TESTS_COUNTDOWN_H

#include <stdbool.h>

static long countdown; /* the allocation that fails, counted from 1; 0: none */
static bool failed;    /* whether it was reached */

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    failed = true;
    return true;
}

#endif
