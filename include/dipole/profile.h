/* SPDX-License-Identifier: Apache-2.0 */
/* A profile: every launch timed while it is on, and summed by kernel; and what memory is in use. */
#ifndef DIPOLE_PROFILE_H
#define DIPOLE_PROFILE_H

#include <dipole/device.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dp_profile_entry {
    char kernel[48];
    uint64_t launches;
    double seconds; /* on the device where DP_FEATURE_TIMESTAMPS is set; else by the host's clock around each launch */
    double flops;   /* as the op counts them */
    double bytes;   /* read and written at least */
} dp_profile_entry;

/* Forgets what was recorded and turns timing on or off. Where a device has no timestamps, each launch is waited for. */
DP_API dp_status dp_profile(dp_device *device, bool on);
/* Waits for the device, writes at most `capacity` entries, the longest first, and returns how many there are. */
DP_API size_t dp_profile_list(dp_device *device, dp_profile_entry *entries, size_t capacity);

/* Bytes of device memory that the library holds: tensors, what programs keep, and what calls need while they are recorded. What
 * drivers and kernels need is not in it. GPU devices keep memory that was released for what comes next, an eighth of the device's
 * memory at most, and give it back before an allocation fails; that is counted apart. */
typedef struct dp_memory {
    uint64_t bytes;      /* now */
    uint64_t peak_bytes; /* at most, since the device was opened or dp_memory_reset */
    uint64_t kept_bytes; /* now, released and kept; in neither of the two */
} dp_memory;

DP_API dp_memory dp_memory_get(const dp_device *device); /* NULL: zeros */
DP_API void dp_memory_reset(dp_device *device);          /* the peak becomes what is in use; NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
