/* SPDX-License-Identifier: Apache-2.0 */
/* Epilogues: fused into a contraction where its kernel has room for their arguments, else as a map in place. */
#include "gpu/step.h"

dp_status dp__plan_epilogue(dp__gpu *gpu, const dp__epilogue *epilogue, dp_tensor *out)
{
    if (!epilogue || dp_tensor_size(out) == 0)
        return DP_OK;
    dp__map_call call = {.expr = epilogue->expr, .out = {out}};
    for (int s = 0; s < epilogue->expr->symbol_count; s++) {
        call.in[s] = s == epilogue->result_symbol ? out : epilogue->in[s];
        call.scalar[s] = epilogue->scalar[s];
    }
    return dp__plan_map(gpu, &call);
}

/* The symbol of an epilogue's n-th tensor, or scalar, other than the result; -1 where there are no more. */
static int find_symbol(const dp__epilogue *epilogue, bool tensor, int n)
{
    for (int s = 0; s < epilogue->expr->symbol_count; s++)
        if (s != epilogue->result_symbol && (epilogue->in[s] != NULL) == tensor && n-- == 0)
            return s;
    return -1;
}

bool dp__epilogue_fuses(const dp__gpu *gpu, const dp__epilogue *epilogue, int64_t depth)
{
    return epilogue && depth <= dp__tuning_of(&gpu->limits).rounds / 2 && find_symbol(epilogue, true, 1) < 0 &&
           find_symbol(epilogue, false, 1) < 0;
}

const dp_tensor *dp__epilogue_tensor(const dp__epilogue *epilogue)
{
    const int symbol = find_symbol(epilogue, true, 0);
    return symbol < 0 ? NULL : epilogue->in[symbol];
}

float dp__epilogue_scalar(const dp__epilogue *epilogue)
{
    const int symbol = find_symbol(epilogue, false, 0);
    return symbol < 0 ? 0 : epilogue->scalar[symbol];
}

void dp__epilogue_emit(const dp__epilogue *epilogue, dp__text *text)
{
    const int symbols[] = {epilogue->result_symbol, find_symbol(epilogue, true, 0), find_symbol(epilogue, false, 0)};
    static const char *const values[] = {"own", "other", "SPLAT(scalar)"};
    for (int i = 0; i < 3; i++)
        if (symbols[i] >= 0)
            dp__text_add(text, "#define SYM%d_C(c) %s\n", symbols[i], values[i]);
    dp__text_add(text, "    REAL out0;\n#define OUTPUT(number, component, value) out##number = value\n");
    dp__expr_emit(epilogue->expr, &(dp__emit_options){.unroll = true, .indent = 4}, text);
}
