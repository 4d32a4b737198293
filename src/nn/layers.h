/* SPDX-License-Identifier: Apache-2.0 */
/* What layers, losses and networks share. */
#ifndef DP_NN_LAYERS_H
#define DP_NN_LAYERS_H

#include "core/record.h"
#include <dipole/nn.h>
#include <dipole/ops.h>

/* An activation as a formula of z and `slope`, and what goes back through it as one of z, g and `slope`.
 * SOFTMAX has none: NULL. */
const char *dp__activation_formula(dp_activation_kind kind);
const char *dp__activation_derivative(dp_activation_kind kind);
/* The same as a formula of the activation's result y instead of z; NULL for NONE and SOFTMAX. */
const char *dp__activation_backward(dp_activation_kind kind);
/* `kind` in the enum, `slope` 0 or more and finite, and SOFTMAX only where `any`. */
dp_status dp__check_activation(dp_device *device, const char *name, dp_activation_kind kind, double slope,
                               bool any);
/* A number within [low, high], or below high where `below`. */
dp_status dp__check_within(dp_device *device, const char *name, const char *what, double value, double low,
                           double high, bool below);

/* x in another shape of the same size, copied where its strides allow no view. */
dp_tensor *dp__in_shape(dp_device *device, const dp_tensor *x, dp_shape shape);

/* dp_linear with the activation (not SOFTMAX) of its result. */
dp_tensor *dp__linear(dp_device *device, const dp_tensor *x, const dp_tensor *w, const dp_tensor *b,
                      dp_activation_kind kind, double slope);

/* The epilogue "activation(result + bias)" into `text`, with its arguments into `args`, which holds 2; NULL:
 * neither is there. */
#define DP__EPILOGUE_TEXT 160
const char *dp__activation_epilogue(const dp_tensor *bias, dp_activation_kind kind, double slope,
                                    char text[DP__EPILOGUE_TEXT], dp_arg arg[2], dp_args *args);

#endif
