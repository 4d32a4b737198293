/* SPDX-License-Identifier: Apache-2.0 */
/* dipole distance: how far apart two data sets are. */
#include "distance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sample on which the distance was computed. */
typedef struct report {
    const distance_options *options;
    const distance_set *a, *b;
    const distance_kernel *kernel;
} report;

static void add_number(cJSON *json, const char *name, double value)
{
    if (isnan(value))
        cJSON_AddNullToObject(json, name);
    else
        cJSON_AddNumberToObject(json, name, value);
}

static cJSON *parameters_json(const report *r)
{
    cJSON *json = cJSON_CreateObject();
    if (strcmp(r->kernel->name, "formula") == 0)
        cJSON_AddStringToObject(json, "formula", r->options->kernel);
    if (!isnan(r->kernel->bandwidth))
        cJSON_AddNumberToObject(json, "bandwidth", r->kernel->bandwidth);
    if (!isnan(r->kernel->exponent)) {
        cJSON_AddNumberToObject(json, "exponent", r->kernel->exponent);
        cJSON_AddNumberToObject(json, "cutoff", r->kernel->cutoff);
    }
    cJSON_AddBoolToObject(json, "unbiased", r->options->unbiased);
    cJSON_AddNumberToObject(json, "permutations", (double)r->options->permutations);
    cJSON_AddNumberToObject(json, "seed", (double)r->options->seed);
    return json;
}

static cJSON *result_json(const report *r, const distance_result *result)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "value", result->value);
    add_number(json, "stderr", result->error);
    add_number(json, "p_value", result->p_value);
    cJSON_AddNumberToObject(json, "n", (double)r->a->rows);
    cJSON_AddNumberToObject(json, "m", (double)r->b->rows);
    cJSON_AddNumberToObject(json, "dim", (double)r->a->dim);
    cJSON_AddNumberToObject(json, "pairs", result->pairs);
    cJSON_AddNumberToObject(json, "seconds", result->seconds);
    cJSON_AddStringToObject(json, "device", result->device);
    cJSON_AddStringToObject(json, "kernel", r->kernel->name);
    cJSON_AddItemToObject(json, "parameters", parameters_json(r));
    cJSON_AddNumberToObject(json, "peak_bytes", (double)cli_peak_bytes());
    return json;
}

static void print_result(const report *r, const distance_result *result)
{
    char rate[CLI_TEXT], pairs[CLI_TEXT], peak[CLI_TEXT];
    printf("%s  %s\n", result->device, result->name);
    printf("  distance  %.8g", result->value);
    if (!isnan(result->error))
        printf(" +- %.2g", result->error);
    printf("  (%s", r->kernel->name);
    if (!isnan(r->kernel->bandwidth))
        printf(", bandwidth %.6g", r->kernel->bandwidth);
    if (!isnan(r->kernel->exponent))
        printf(", exponent %.6g, cutoff %.6g", r->kernel->exponent, r->kernel->cutoff);
    printf("; %s)\n", r->options->unbiased ? "unbiased" : "zero for equal sets");
    if (!isnan(result->p_value))
        printf("  p-value   %.4g, of %lld permutations\n", result->p_value,
               (long long)r->options->permutations);
    printf("  data      %lld and %lld rows of %lld values\n", (long long)r->a->rows, (long long)r->b->rows,
           (long long)r->a->dim);
    printf("  work      %spairs in %.3g s, %spairs/s\n", cli_si_text(result->pairs, pairs), result->seconds,
           cli_si_text(result->pairs / result->seconds, rate));
    printf("  memory    %s at most\n", cli_bytes_text(cli_peak_bytes(), peak));
}

/* Text is printed as it comes, JSON at the end: one object, or with --device all {"results": [...]}. A device
 * that fails does not stop the others. */
static int run_devices(const report *r, const cli_arguments *arguments, const cli_ids *ids)
{
    const bool list = arguments->device && strcmp(arguments->device, "all") == 0;
    cJSON *results = cJSON_CreateArray();
    int status = CLI_OK;
    for (size_t d = 0; d < ids->count && status != CLI_INTERRUPTED; d++) {
        distance_result result;
        const int one = distance_compute(r->options, r->a, r->b, r->kernel, ids->id[d], &result);
        if (one == CLI_OK && arguments->json)
            cJSON_AddItemToArray(results, result_json(r, &result));
        else if (one == CLI_OK)
            print_result(r, &result);
        fflush(stdout);
        status = one == CLI_OK ? status : one;
    }
    if (!arguments->json || status == CLI_INTERRUPTED || (!list && status != CLI_OK)) {
        cJSON_Delete(results);
        return status;
    }
    cJSON *json = results;
    if (list) {
        json = cJSON_CreateObject();
        cJSON_AddItemToObject(json, "results", results);
    } else {
        json = cJSON_DetachItemFromArray(results, 0);
        cJSON_Delete(results);
    }
    const int printed = cli_json_print(json);
    return status == CLI_OK ? printed : status;
}

static int check_labels(const distance_options *options)
{
    const char *wrong = !options->labels_a != (options->class_a < 0) ? "--labels-a and --class-a go together"
                        : !options->labels_b != (options->class_b < 0)
                            ? "--labels-b and --class-b go together"
                            : NULL;
    if (!wrong)
        return CLI_GO_ON;
    cli_error("%s", wrong);
    return CLI_USAGE;
}

static int run(const distance_options *options, const cli_arguments *arguments)
{
    distance_set a = {0}, b = {0};
    distance_kernel kernel = {0};
    cli_ids ids = {0};
    int status = CLI_FAILED;
    if (cli_expand_ids(arguments->device, &ids) &&
        distance_load(options, arguments->operands[0], options->labels_a, options->class_a, &a) &&
        distance_load(options, arguments->operands[1], options->labels_b, options->class_b, &b) &&
        distance_match(&a, &b) && distance_kernel_make(options, &a, &b, &kernel)) {
        const report r = {options, &a, &b, &kernel};
        status = run_devices(&r, arguments, &ids);
    }
    free(kernel.formula);
    dp_data_free(&a.data);
    dp_data_free(&b.data);
    cli_free_ids(&ids);
    return cli_interrupted() ? CLI_INTERRUPTED : status;
}

int cli_distance(int argc, char **argv)
{
    distance_options o = {.kernel = "energy",
                          .class_a = -1,
                          .class_b = -1,
                          .bandwidth = NAN,
                          .exponent = NAN,
                          .cutoff = NAN,
                          .scale = NAN};
    const cli_option options[] = {
        {"kernel", "NAME|K", "energy (the default), gaussian, elastic, or a formula; see below",
         .text = &o.kernel},
        {"limit", "N", "use at most N rows of each; default: all", .integer = &o.limit, .least = 1,
         .most = INT32_MAX},
        {"unbiased", NULL,
         "leave out the pairs of a row with itself (U-statistic): 0 on average for\n"
         "samples of one distribution. Without: never negative for energy and\n"
         "gaussian, 0 for equal sets (V-statistic)",
         .flag = &o.unbiased},
        {"permutations", "P", "give a p-value too, from P random exchanges of rows",
         .integer = &o.permutations, .least = 1, .most = 1000000},
        {"seed", "S", "of the permutations; default: 0", .integer = &o.seed, .least = 0, .most = 0x1p53},
        {"bandwidth", "H", "of gaussian", .real = &o.bandwidth, .least = 1e-30, .most = 1e30},
        {"exponent", "S", "of elastic", .real = &o.exponent, .least = 0, .most = 1000},
        {"cutoff", "EPS", "of elastic", .real = &o.cutoff, .least = 1e-30, .most = 1e30},
        {"scale", "F", "multiply all values by F; default: 1/255 for files of bytes, else 1",
         .real = &o.scale, .least = 1e-30, .most = 1e30},
        {"labels-a", "FILE", "a label for each row of A; only rows with that of --class-a are used",
         .text = &o.labels_a},
        {"class-a", "K", "the label", .integer = &o.class_a, .least = 0, .most = 1 << 24},
        {"labels-b", "FILE", "the same for B", .text = &o.labels_b},
        {"class-b", "K", "the label", .integer = &o.class_b, .least = 0, .most = 1 << 24},
    };
    char details[2048];
    snprintf(details, sizeof(details), "kernels:\n%s\n\nThe formulas: docs/distance.md.",
             distance_kernel_help);
    const cli_command command = {
        .operands = "A B",
        .summary =
            "Tells how far apart two data sets are: E k(a, a') + E k(b, b') - 2 E k(a, b) for a kernel k,\n"
            "with its standard error. A and B are IDX (also gzip-compressed), NPY or CSV files; axis 0\n"
            "counts the rows, the others are one vector.",
        .details = details,
        .options = options,
        .option_count = CLI_COUNT(options),
        .operand_count = 2,
    };
    cli_arguments arguments;
    int status = cli_parse(&command, argc, argv, &arguments);
    if (status == CLI_GO_ON)
        status = check_labels(&o);
    if (status == CLI_GO_ON)
        status = distance_kernel_check(&o);
    return status == CLI_GO_ON ? run(&o, &arguments) : status;
}
