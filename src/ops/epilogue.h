/* SPDX-License-Identifier: Apache-2.0 */
/* Epilogues of ops: from the formula and arguments of a call to a dp__epilogue. */
#ifndef DP_OPS_EPILOGUE_H
#define DP_OPS_EPILOGUE_H

#include "ops/call.h"

/* Checks and binds `formula` for a result of shape `result`; `op` is for messages. NULL is no epilogue: expr stays NULL. On
 * failure nothing is left. */
dp_status dp__epilogue_create(dp_device *device, const char *op, const char *formula, dp_args args,
                              const dp_shape *result, dp__epilogue *epilogue);
void dp__epilogue_free(dp__epilogue *epilogue);

/* Whether a call with these operands and this epilogue is recorded (core/record.h). Then it is two calls, without the epilogue and
 * the map of it that dp__epilogue_map makes: each has its rule. It takes `result` over, which may be NULL. */
bool dp__epilogue_recorded(const dp_device *device, const dp_tensor *a, const dp_tensor *b, const char *formula, dp_args args);
dp_tensor *dp__epilogue_map(dp_device *device, dp_tensor *result, const char *formula, dp_args args);

#endif
