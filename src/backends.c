/* SPDX-License-Identifier: Apache-2.0 */
/* The registration table: the one place outside of backends/ that names a backend. */
#include "backend.h"

extern const dp__backend dp__backend_ref;
#ifdef DP_HAVE_OPENCL
extern const dp__backend dp__backend_opencl;
#endif
#ifdef DP_HAVE_VULKAN
extern const dp__backend dp__backend_vulkan;
#endif

static const dp__backend *const backends[] = {
    &dp__backend_ref,
#ifdef DP_HAVE_OPENCL
    &dp__backend_opencl,
#endif
#ifdef DP_HAVE_VULKAN
    &dp__backend_vulkan,
#endif
};

const dp__backend *dp__backend_at(size_t index)
{
    return index < DP_COUNT(backends) ? backends[index] : NULL;
}
