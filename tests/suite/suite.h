/* SPDX-License-Identifier: Apache-2.0 */
/* What the test programs that run on every device share.
 *
 * Environment:
 *   DIPOLE_REQUIRE       "pocl,rusticl,llvmpipe+vulkan": for each entry there must be a device in whose id,
 * backend, name, vendor, driver and api all its words occur, case aside; else the program fails before its
 * first test DIPOLE_TEST_DEVICES  the same syntax: only devices that match an entry are tested; at least one
 * must DIPOLE_TEST_TINY=1   only cases of a handful of elements, for interpreters */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dipole/dipole.h>

/* The devices to test; exits with a message where that cannot be done as the environment says. The caller
 * frees them. */
size_t suite_devices(dp_device_info **infos);
bool suite_tiny(void);
/* Whether to go through every case: on the reference, and everywhere with DIPOLE_TEST_FULL=1. Elsewhere cases that are one more kernel of
 * the same making are left out, as the building of kernels is what tests spend their time with. */
bool suite_full(dp_device *device);

/* A test that runs on each device: `device` is open and clear before, and must have no failure kept after. */
typedef struct suite_test {
    const char *name;
    void (*run)(dp_device *device);
} suite_test;

/* Runs all of them on all devices; the number of failures, for main to return. */
int suite_run(const char *group, const suite_test *tests, size_t count);

/* That the device keeps no failure; shows its message. */
void suite_ok(dp_device *device);
/* That the device keeps this failure, with a message in which `word` occurs; clears it. */
void suite_failed(dp_device *device, dp_status status, const char *word);
/* That the device still computes. */
void suite_works(dp_device *device);
/* That a tensor's elements are these; works for f32 and i32. */
void suite_values(const dp_tensor *tensor, const double *values, size_t count);

/* A new f32 tensor 0, 1, 2, ... */
dp_tensor *suite_range(dp_device *device, dp_shape shape);

#endif
