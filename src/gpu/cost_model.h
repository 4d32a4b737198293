/* SPDX-License-Identifier: Apache-2.0 */
/* Where the tuner looks first: how fast a variant will be for a class on a device, against the best one
 * there, learnt from timings on this and on other devices. A ridge regression on what is known without
 * running anything, drawn towards what is expected before any measurement, and on top of it what its mistakes
 * were for near classes on the same device. */
#ifndef DP_GPU_COST_MODEL_H
#define DP_GPU_COST_MODEL_H

#include "gpu/database.h"

#define DP__MODEL_FEATURES 45

/* A device as the model sees it; a timing's log line tells as much. */
typedef struct dp__model_device {
    char key[DP__DEVICE_KEY];
    uint32_t units, vector, group;
    uint64_t local;
} dp__model_device;

typedef struct dp__model {
    double weight[DP__MODEL_FEATURES];
    bool seen[3];               /* types of devices that it learnt from: CPU, software GPU, GPU */
    const dp__timings *timings; /* what it learnt from: kept by the caller */
    double *rest; /* what the regression left over of each timing; NaN where it was not learnt from */
} dp__model;

dp__model_device dp__model_device_of(const dp__gpu *gpu);
dp__model_device dp__model_device_in(const dp__timing *timing);

/* Learns from the timings, but for those of the device `without` (NULL: from all). False where memory is out.
 * For a type of device that it has not learnt from, what is expected counts alone: variants like the safe
 * choice that waste little come first. */
bool dp__model_train(dp__model *model, const dp__timings *timings, const char *without);
void dp__model_free(dp__model *model);
/* log2 of the speed against the fastest variant's, about: only the order means something. */
double dp__model_predict(const dp__model *model, const dp__model_device *device, const dp__shape_class *shape,
                         const dp__variant *variant);

#endif
