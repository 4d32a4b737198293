/* SPDX-License-Identifier: Apache-2.0 */
/* The synthetic task of Atom Modeling (its Eq. 5): numbers from two normal populations, and a label that says
 * which one prevails: "y = 1 where P(x in A) > P(x in B)". That can be read in three ways, see `label_of`.
 * Beside the network's accuracy stand those of two rules that know the populations: the best there is for the
 * first reading, and the sum of posteriors. */
#include "train_atom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEST_ROWS 6000
#define EPOCHS    150
#define DATA_SEED 31337 /* of the run's seed; the test set's is one more */

typedef struct synthetic_run {
    classifier classifier;
    float *test;
    int32_t *test_labels;
    double best, sum; /* accuracies on the test set */
} synthetic_run;

static void settle(train_options *o)
{
    o->batch = o->batch ? o->batch : 32;
    o->rate = *o->rate ? o->rate : "1e-3";
    o->beta1 = o->beta1 >= 0 ? o->beta1 : 0.9;
    o->steps = o->steps ? o->steps : (EPOCHS * o->rows + o->batch - 1) / o->batch;
}

typedef enum label_kind {
    MEMBERSHIP, /* more than half of the numbers are from the second population: no function of x alone */
    POSTERIOR,  /* the mean posterior probability of the second population is above one half */
    LIKELIHOOD, /* the sample is likelier under the second population: here, its sum is positive */
    LABELS
} label_kind;

static label_kind label_of(const train_options *o)
{
    static const char *const names[LABELS] = {"membership", "posterior", "likelihood"};
    for (int k = 0; k < LABELS; k++)
        if (strcmp(o->label, names[k]) == 0)
            return (label_kind)k;
    cli_error("--label: \"%s\" is none of membership, posterior, likelihood", o->label);
    return LABELS;
}

/* The chance that a number is of the second population. */
static double posterior(const train_options *o, float x)
{
    return 1 / (1 + exp(-2 * o->mean * (double)x / (o->deviation * o->deviation)));
}

static bool label(const train_options *o, label_kind kind, const float *x, int64_t second)
{
    double sum = 0;
    for (int64_t k = 0; k < o->units; k++)
        sum += kind == POSTERIOR ? posterior(o, x[k]) - 0.5 : (double)x[k];
    return kind == MEMBERSHIP ? 2 * second > o->units : sum > 0;
}

/* Rows of numbers [rows, units] and their labels, from uniform numbers (which population) and normal ones. */
static bool sample(const train_run *run, int64_t rows, uint64_t seed, float *x, int32_t *labels)
{
    const train_options *o = &run->options;
    const int64_t n = o->units;
    const label_kind kind = label_of(o);
    const size_t size = (size_t)(rows * n) * sizeof *x;
    float *z = malloc(size);
    dp_tensor *u = dp_uniform(run->device, seed, DP_SHAPE(rows, n), 0, 1),
              *normal = dp_randn(run->device, seed + 0x9E3779B97F4A7C15u, DP_SHAPE(rows, n));
    const bool done =
        kind != LABELS && z && dp_read(u, x, size) == DP_OK && dp_read(normal, z, size) == DP_OK;
    for (int64_t r = 0; done && r < rows; r++) {
        int64_t second = 0;
        for (int64_t k = 0; k < n; k++) {
            float *at = &x[r * n + k];
            const bool of_second = *at >= 0.5f;
            second += of_second;
            *at = (of_second ? (float)o->mean : -(float)o->mean) + (float)o->deviation * z[r * n + k];
        }
        labels[r] = label(o, kind, x + r * n, second);
    }
    dp_tensor_release(&u);
    dp_tensor_release(&normal);
    free(z);
    if (!z)
        cli_error("out of memory");
    return done || (z && kind != LABELS && train_ok(run, "samples") && false);
}

/* Whether more than half of the numbers are of the second population: the likelier answer, and that of the
 * sum of posteriors. `chance` has room for n + 1. */
static void rules(const train_options *o, const float *x, double *chance, bool *best, bool *sum)
{
    const int64_t n = o->units;
    double total = 0, more = 0;
    chance[0] = 1; /* of 0 numbers so far, 0 are of the second */
    for (int64_t k = 0; k < n; k++) {
        const double p = posterior(o, x[k]);
        total += p;
        chance[k + 1] = 0;
        for (int64_t c = k + 1; c > 0; c--)
            chance[c] = chance[c] * (1 - p) + chance[c - 1] * p;
        chance[0] *= 1 - p;
    }
    for (int64_t c = n / 2 + 1; c <= n; c++)
        more += chance[c];
    *best = more > 0.5;
    *sum = 2 * total > (double)n;
}

static bool score_rules(const train_run *run, synthetic_run *own)
{
    double *chance = malloc((size_t)(run->options.units + 1) * sizeof *chance);
    int64_t best = 0, sum = 0;
    for (int64_t r = 0; chance && r < TEST_ROWS; r++) {
        bool by_chance, by_sum;
        rules(&run->options, own->test + r * run->options.units, chance, &by_chance, &by_sum);
        best += by_chance == (own->test_labels[r] == 1);
        sum += by_sum == (own->test_labels[r] == 1);
    }
    own->best = (double)best / TEST_ROWS;
    own->sum = (double)sum / TEST_ROWS;
    if (!chance)
        cli_error("out of memory");
    free(chance);
    return chance != NULL;
}

static dp_network *network(const train_run *run)
{
    const dp_layer layers[] = {{.kind = DP_LAYER_LINEAR, .outputs = run->options.units * run->options.width},
                               {.kind = DP_LAYER_ACTIVATION, .activation = DP_ACTIVATION_RELU},
                               {.kind = DP_LAYER_LINEAR, .outputs = 2}};
    return dp_network_create(run->device, layers, CLI_COUNT(layers), DP_SHAPE(run->options.units),
                             (uint64_t)run->options.seed, NULL);
}

static bool create(train_run *run)
{
    synthetic_run *own = run->own = calloc(1, sizeof *own);
    const train_options *o = &run->options;
    const uint64_t seed = ((uint64_t)o->seed << 32) + DATA_SEED;
    float *x = malloc((size_t)(o->rows * o->units) * sizeof *x);
    int32_t *labels = malloc((size_t)o->rows * sizeof *labels);
    if (own) {
        own->test = malloc((size_t)(TEST_ROWS * o->units) * sizeof *own->test);
        own->test_labels = malloc(TEST_ROWS * sizeof *own->test_labels);
    }
    bool done = own && x && labels && own->test && own->test_labels;
    if (!done)
        cli_error("out of memory");
    done = done && sample(run, o->rows, seed, x, labels) &&
           sample(run, TEST_ROWS, seed + 1, own->test, own->test_labels) && score_rules(run, own);
    if (done) {
        dp_tensor *values = dp_from(run->device, DP_F32, DP_SHAPE(o->rows, o->units), x);
        done = train_ok(run, "samples") &&
               classifier_open(run, &own->classifier, network(run), 1, o->units, values, labels, 2);
        own->classifier.test = own->test;
        own->classifier.test_labels = own->test_labels;
        own->classifier.test_rows = TEST_ROWS;
        dp_tensor_release(&values);
    }
    free(x);
    free(labels);
    return done;
}

static dp_status step(train_run *run)
{
    return classifier_step(run, &((synthetic_run *)run->own)->classifier);
}

static bool before_step(train_run *run)
{
    return auxiliary_before_step(run, &((synthetic_run *)run->own)->classifier.auxiliary);
}

static bool score(train_run *run, score_list *scores)
{
    synthetic_run *own = run->own;
    if (!classifier_score(run, &own->classifier, scores))
        return false;
    scores_add(scores, "membership_rule", own->best, sqrt(own->best * (1 - own->best) / TEST_ROWS));
    scores_add(scores, "posterior_sum_rule", own->sum, sqrt(own->sum * (1 - own->sum) / TEST_ROWS));
    return true;
}

static void destroy(train_run *run)
{
    synthetic_run *own = run->own;
    if (own) {
        classifier_close(&own->classifier);
        free(own->test);
        free(own->test_labels);
    }
    free(own);
}

const atom_task atom_synthetic = {"synthetic", settle, create, step, before_step, score, NULL, destroy};
