/* SPDX-License-Identifier: Apache-2.0 */
/* What every other header needs: visibility, version, statuses. */
#ifndef DIPOLE_BASE_H
#define DIPOLE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define DP_API __attribute__((visibility("default")))
#else
#define DP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define DP_VERSION_MAJOR 0
#define DP_VERSION_MINOR 1
#define DP_VERSION_PATCH 0

/* Every status a call can return: its name without DP_, and what it means. */
#define DP_STATUS_LIST(X)                                                                                    \
    X(OK, "no error")                                                                                        \
    X(ERROR_ARGUMENT, "an argument is outside of what the call allows")                                      \
    X(ERROR_FORMULA, "a formula cannot be parsed or its types do not fit")                                   \
    X(ERROR_UNSUPPORTED, "the device or this version cannot do it")                                          \
    X(ERROR_MEMORY, "out of memory, on the host or on the device")                                           \
    X(ERROR_NO_DEVICE, "no such device")                                                                     \
    X(ERROR_DEVICE_LOST, "the device was lost; open it again")                                               \
    X(ERROR_DRIVER, "the driver refused or failed")                                                          \
    X(ERROR_IO, "a file cannot be opened, read or written")                                                  \
    X(ERROR_FORMAT, "a file is not what its name or header says")

typedef enum dp_status {
#define DP_STATUS_ENUM(name, text) DP_##name,
    DP_STATUS_LIST(DP_STATUS_ENUM)
#undef DP_STATUS_ENUM
        DP_STATUS_COUNT
} dp_status;

/* "DP_ERROR_MEMORY"; "unknown status" outside of the list. Never NULL, static. */
DP_API const char *dp_status_name(dp_status status);
/* The sentence of the list above. Never NULL, static. */
DP_API const char *dp_status_text(dp_status status);
/* "0.1.0", of the library that runs. Static. */
DP_API const char *dp_version(void);

#ifdef __cplusplus
}
#endif
#endif
