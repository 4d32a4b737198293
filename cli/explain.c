/* SPDX-License-Identifier: Apache-2.0 */
/* dipole explain: what becomes of a formula. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static int print_json(const char *formula, const dp_explanation *told)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "formula", formula);
    cJSON_AddStringToObject(json, "names", told->names);
    cJSON_AddStringToObject(json, "simplified", told->formula);
    cJSON_AddStringToObject(json, "tree", told->tree);
    cJSON_AddNumberToObject(json, "flops", told->flops);
    cJSON_AddNumberToObject(json, "flops_with_gradients", told->flops_with_gradients);
    cJSON *gradients = cJSON_AddArrayToObject(json, "gradients");
    for (int g = 0; g < told->gradient_count; g++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "to", told->gradients[g].target);
        cJSON_AddStringToObject(entry, "formula", told->gradients[g].formula);
        cJSON_AddNumberToObject(entry, "flops", told->gradients[g].flops);
        cJSON_AddItemToArray(gradients, entry);
    }
    if (told->source)
        cJSON_AddStringToObject(json, "source", told->source);
    return cli_json_print(json);
}

static void print_text(const dp_explanation *told)
{
    printf("names       %s\n", told->names ? told->names : "none");
    printf("simplified  %s\n", told->formula);
    printf("FLOPs       %g a pair", told->flops);
    if (told->gradient_count > 0)
        printf(", %g with the gradients", told->flops_with_gradients);
    printf("\n\n%s", told->tree);
    for (int g = 0; g < told->gradient_count; g++)
        printf("\ngradient to %s, %g FLOPs by itself:\n  %s\n", told->gradients[g].target,
               told->gradients[g].flops, told->gradients[g].formula);
    if (told->source)
        printf("\nkernel, the gradients on side i included:\n%s", told->source);
}

static int choose_dialect(const char *dialect, dp_explain_options *options)
{
    if (!dialect)
        return CLI_GO_ON;
    options->dialect = strcmp(dialect, "cl") == 0     ? DP_DIALECT_CL
                       : strcmp(dialect, "glsl") == 0 ? DP_DIALECT_GLSL
                                                      : DP_DIALECT_DEVICE;
    if (options->dialect != DP_DIALECT_DEVICE)
        return CLI_GO_ON;
    cli_error("--dialect: \"%s\" is neither cl nor glsl", dialect);
    return CLI_USAGE;
}

static int explain(const char *formula, const dp_explain_options *options, bool json)
{
    dp_explanation *told = NULL;
    const dp_status status = dp_explanation_create(formula, options, &told);
    int result = CLI_OK;
    if (status != DP_OK) {
        cli_error("%s", told ? told->message : "out of memory");
        result = status == DP_ERROR_ARGUMENT ? CLI_USAGE : CLI_FAILED;
    } else if (json) {
        result = print_json(formula, told);
    } else {
        print_text(told);
    }
    dp_explanation_destroy(&told);
    return result;
}

int cli_explain(int argc, char **argv)
{
    dp_explain_options options = {.dim = 3};
    int64_t dim = 3;
    const char *dialect = NULL;
    bool source = false;
    const cli_option own[] = {
        {"dim", "D", "components of the vectors; default: 3", .integer = &dim, .least = 1, .most = 65536},
        {"vectors", "NAMES", "the names that are vectors: x,y\ndefault: those inside of sum, dot, norm, ...",
         .text = &options.vectors},
        {"gradient", "NAMES", "what to differentiate to: x[i],q[j]\ndefault: all names that are indexed",
         .text = &options.gradient},
        {"source", NULL, "print the kernel that the device builds", .flag = &source},
        {"dialect", "cl|glsl", "of the kernel; default: the device's", .text = &dialect},
    };
    const cli_command command = {
        .operands = "FORMULA",
        .summary = "Shows what becomes of a formula of pairs: types, derivatives, FLOPs, and the kernel.",
        .details = "example: dipole explain '0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)' "
                   "--gradient 'x[i]'",
        .options = own,
        .option_count = CLI_COUNT(own),
        .operand_count = 1,
    };
    cli_arguments arguments;
    int status = cli_parse(&command, argc, argv, &arguments);
    if (status == CLI_GO_ON)
        status = choose_dialect(dialect, &options);
    if (status != CLI_GO_ON)
        return status;
    options.dim = (int)dim;
    if (source && !(options.device = cli_open(arguments.device)))
        return CLI_FAILED;
    status = explain(arguments.operands[0], &options, arguments.json);
    dp_device_close(&options.device);
    return status;
}
