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

#endif
