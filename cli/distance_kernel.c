/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of `dipole distance` and the defaults of their parameters. Their formulas are those of the library's table
 * of potentials.
 *
 * A named kernel is a function of t = gauge |x - y|^2 alone, so the points stay in the unit of their file,
 * where the squared distances of bytes are integers and exact in f32 below 2^24; gauge and gain carry the
 * scale. A constant subtracted from k drops out of S_xx + S_yy - 2 S_xy, with a diagonal and without;
 * subtracting about the mean keeps the sums, and so their errors, small. */
#include "distance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE       256 /* rows of each set that the defaults are taken from */
#define MAX_EXPONENT 3.0

const char distance_kernel_help[] =
    "energy    k = -|x - y|: the energy distance 2 E|x - y| - E|x - x'| - E|y - y'|\n"
    "gaussian  k = exp(-|x - y|^2 / (2 H^2)): MMD^2; H is the median distance\n"
    "elastic   k = (EPS / |x - y|)^S, capped by a parabola below EPS: the elastic-interaction\n"
    "          metric times EPS^S; S is the dimension - 1, at most 3 (0: the logarithm);\n"
    "          EPS is the distance that 1 of 100 pairs falls below\n"
    "POTENTIAL another one of the library's table (docs/potentials.md), such as matern52, with the\n"
    "          defaults of its parameters\n"
    "FORMULA   any symmetric k of x[i] and y[j], such as \"1 / (1 + sqdist(x[i], y[j]))\"\n"
    "The defaults of H and EPS are taken from at most 256 rows of each set, evenly spread.";

static bool is_formula(const char *kernel)
{
    return strstr(kernel, "x[i]") && strstr(kernel, "y[j]");
}

/* The potential of the table that a kernel which is none of the three stands for, or NULL. */
static const dp_potential *other_potential(const char *kernel)
{
    const dp_potential *potential = dp_potential_find(kernel);
    return potential && potential->radial ? potential : NULL;
}

int distance_kernel_check(const distance_options *options)
{
    const char *kernel = options->kernel;
    const bool gaussian = strcmp(kernel, "gaussian") == 0, elastic = strcmp(kernel, "elastic") == 0;
    if (!gaussian && !elastic && strcmp(kernel, "energy") != 0 && !is_formula(kernel) && !other_potential(kernel)) {
        cli_error("--kernel: \"%s\" is not energy, gaussian, elastic, a potential or a formula of x[i] and y[j]", kernel);
        return CLI_USAGE;
    }
    const char *wrong = !gaussian && !isnan(options->bandwidth) ? "--bandwidth is for --kernel gaussian"
                        : !elastic && !isnan(options->exponent) ? "--exponent is for --kernel elastic"
                        : !elastic && !isnan(options->cutoff)   ? "--cutoff is for --kernel elastic"
                                                                : NULL;
    if (!wrong)
        return CLI_GO_ON;
    cli_error("%s", wrong);
    return CLI_USAGE;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t gather_sample(const distance_set *set, const float **rows)
{
    const int64_t count = set->rows < SAMPLE ? set->rows : SAMPLE;
    for (int64_t r = 0; r < count; r++)
        rows[r] = set->data.values + r * set->rows / count * set->dim;
    return (size_t)count;
}

/* The distance, in the unit of the data, that `quantile` of the pairs of a sample of both sets falls below.
 */
static bool find_quantile(const distance_set *a, const distance_set *b, double quantile, double *result)
{
    const float *row[2 * SAMPLE];
    size_t rows = gather_sample(a, row), pairs = 0;
    rows += gather_sample(b, row + rows);
    double *distance = calloc(rows * rows / 2, sizeof(*distance)); /* two rows at least */
    if (!distance) {
        cli_error("out of memory");
        return false;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < i; j++) {
            double sum = 0;
            for (int64_t c = 0; c < a->dim; c++) {
                const double difference = (double)row[i][c] - (double)row[j][c];
                sum += difference * difference;
            }
            if (sum > 0) /* duplicates say nothing of the scale */
                distance[pairs++] = sqrt(sum) * a->scale;
        }
    qsort(distance, pairs, sizeof(*distance), compare);
    *result = pairs ? distance[(size_t)(quantile * (double)(pairs - 1))] : 1;
    free(distance);
    return true;
}

/* "a = ...; k"  ->  "a = ...; (k) - offset" */
static bool set_formula(distance_kernel *kernel, const char *text)
{
    const char *last = strrchr(text, ';');
    last = last ? last + 1 : text;
    const size_t size = strlen(text) + 32;
    kernel->formula = malloc(size);
    if (kernel->formula)
        snprintf(kernel->formula, size, "%.*s (%s) - offset", (int)(last - text), text, last);
    else
        cli_error("out of memory");
    return kernel->formula != NULL;
}

/* A potential of the table in t = gauge |x - y|^2, its parameters as definitions before it. */
static bool set_potential(distance_kernel *kernel, const dp_potential *potential, const char *parameters)
{
    char text[DP_POTENTIAL_TEXT];
    snprintf(text, sizeof(text), "%st = gauge * sqdist(x[i], y[j]); %s", parameters, potential->radial);
    return set_formula(kernel, text);
}

static bool set_defaults(distance_kernel *kernel, const dp_potential *potential)
{
    char text[DP_POTENTIAL_TEXT] = "";
    size_t used = 0;
    for (int k = 0; k < dp_potential_parameter_count(potential); k++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s = %.9g; ", potential->parameter[k].name,
                                 potential->parameter[k].value);
    return set_potential(kernel, potential, text);
}

static bool make_gaussian(const distance_options *options, const distance_set *a, const distance_set *b,
                          distance_kernel *kernel)
{
    kernel->bandwidth = options->bandwidth;
    if (isnan(options->bandwidth) && !find_quantile(a, b, 0.5, &kernel->bandwidth))
        return false;
    const double ratio = a->scale / kernel->bandwidth;
    kernel->gauge = ratio * ratio;
    return set_potential(kernel, dp_potential_find("gaussian"), "sigma = 1; ");
}

/* The scaled kernel eps^s k, which has eps = 1 in t = (r / eps)^2. */
static bool make_elastic(const distance_options *options, const distance_set *a, const distance_set *b,
                         distance_kernel *kernel)
{
    kernel->exponent = !isnan(options->exponent) ? options->exponent : fmin((double)a->dim - 1, MAX_EXPONENT);
    kernel->cutoff = options->cutoff;
    if (isnan(options->cutoff) && !find_quantile(a, b, 0.01, &kernel->cutoff))
        return false;
    const double ratio = a->scale / kernel->cutoff;
    kernel->gauge = ratio * ratio;
    char text[64]; /* the exponent as a literal: small ones become products and square roots */
    snprintf(text, sizeof(text), "s = %.9g; eps = 1; ", kernel->exponent);
    return set_potential(kernel, dp_potential_find("riesz"), text);
}

bool distance_kernel_make(const distance_options *options, distance_set *a, distance_set *b,
                          distance_kernel *kernel)
{
    *kernel = (distance_kernel){
        .name = options->kernel, .gauge = 1, .gain = 1, .bandwidth = NAN, .exponent = NAN, .cutoff = NAN};
    const bool formula = is_formula(options->kernel), energy = strcmp(options->kernel, "energy") == 0;
    const bool named = energy || strcmp(options->kernel, "gaussian") == 0 || strcmp(options->kernel, "elastic") == 0;
    distance_scale(a, b, !named);
    if (strcmp(options->kernel, "gaussian") == 0)
        return make_gaussian(options, a, b, kernel);
    if (strcmp(options->kernel, "elastic") == 0)
        return make_elastic(options, a, b, kernel);
    if (formula) {
        kernel->name = "formula";
        return set_formula(kernel, options->kernel);
    }
    if (!energy)
        return set_defaults(kernel, other_potential(options->kernel));
    kernel->gain = a->scale;
    return set_potential(kernel, dp_potential_find("energy"), "b = 1; eps = 0; ");
}
