/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/formula.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

static bool name_valid(const char *name)
{
    if (!name || !(isalpha((unsigned char)name[0]) || name[0] == '_'))
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return *name == '\0';
}

static dp_status check_arg(dp_device *device, dp_args args, int index)
{
    const dp_arg *arg = &args.arg[index];
    if (!name_valid(arg->name))
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "args[%d] is named \"%.64s\": a name is a letter or _, then letters, digits and _", index,
                        arg->name ? arg->name : "(NULL)");
    for (int other = 0; other < index; other++)
        if (strcmp(arg->name, args.arg[other].name) == 0)
            return dp__fail(device, DP_ERROR_ARGUMENT, "args[%d] and args[%d] are both named \"%.64s\"", other, index,
                            arg->name);
    if (arg->tensor)
        return dp__check_dtype(device, arg->tensor, arg->name, DP_F32);
    if (isnan(arg->scalar) || (isfinite(arg->scalar) && !isfinite((float)arg->scalar)))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s is %g: a scalar must be a number in the range of f32", arg->name,
                        arg->scalar);
    return DP_OK;
}

dp_status dp__formula_check_args(dp_device *device, const char *formula, dp_args args)
{
    DP_CHECK(dp__check_device(device));
    if (!formula)
        return dp__fail(device, DP_ERROR_ARGUMENT, "formula is NULL");
    if (args.count < 0 || args.count > DP_MAX_ARGS || (args.count > 0 && !args.arg))
        return dp__fail(device, DP_ERROR_ARGUMENT, "args has %d entries%s: 0 to %d are allowed", args.count,
                        args.arg ? "" : " at NULL", DP_MAX_ARGS);
    for (int index = 0; index < args.count; index++)
        DP_CHECK(check_arg(device, args, index));
    return DP_OK;
}

dp_status dp__formula_parse(dp_device *device, const char *formula, const dp__symbol *symbols, dp_args args,
                            dp__expr **expr)
{
    char message[sizeof device->message];
    const dp_status status = dp__expr_parse(formula, symbols, args.count, expr, message, sizeof message);
    return status == DP_OK ? DP_OK : dp__fail(device, status, "%s", message);
}
