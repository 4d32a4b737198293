/* SPDX-License-Identifier: Apache-2.0 */
#include "backend.h"
#include <math.h>

#define LONGEST 86400.0

dp_status dp_tune(dp_device *device, const dp_tune_options *options)
{
    static const dp_tune_options defaults;
    if (!options)
        options = &defaults;
    DP_CHECK(dp__check_device(device));
    if (!(options->seconds >= 0 && options->seconds <= LONGEST)) /* NaN too */
        return dp__fail(device, DP_ERROR_ARGUMENT, "tune: seconds is %g, but must be from 0 to %g",
                        options->seconds, LONGEST);
    if ((unsigned)options->order > DP_TUNE_BY_TABLE)
        return dp__fail(device, DP_ERROR_ARGUMENT, "tune: order is %d, which is none", (int)options->order);
    if (options->shape_count > 0 && !options->shapes)
        return dp__fail(device, DP_ERROR_ARGUMENT, "tune: shapes is NULL, but shape_count %zu",
                        options->shape_count);
    for (size_t i = 0; i < options->shape_count; i++)
        if (!options->shapes[i])
            return dp__fail(device, DP_ERROR_ARGUMENT, "tune: shapes[%zu] is NULL", i);
    if (!device->backend->tune)
        return dp__fail(device, DP_ERROR_UNSUPPORTED, "tune: device %s has nothing to tune: it is plain C",
                        device->info.id);
    return device->backend->tune(device, options);
}
