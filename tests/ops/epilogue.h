/* SPDX-License-Identifier: Apache-2.0 */
/* Epilogues of cases: e=relu or e=swish, with a bias b, a tensor z of the result's shape (zl: its layout) and a scalar a. */
#ifndef TESTS_OPS_EPILOGUE_H
#define TESTS_OPS_EPILOGUE_H

#include "ops.h"

#define OPS_EPILOGUE_KEYS " e zl"

typedef struct ops_epilogue {
    const char *text; /* NULL: none */
    dp_args args;
    dp_arg arg[2];
    dp_shape result, bias;
    dp_tensor *tensor; /* b or z */
} ops_epilogue;

void ops_epilogue_setup(ops_run *run, dp_shape result, dp_shape bias, ops_epilogue *epilogue);
/* All of `values`, which are the op's own results. */
void ops_epilogue_expect(ops_run *run, const ops_epilogue *epilogue, double *values);

#endif
