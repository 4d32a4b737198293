/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of images by a classifier that was trained here. They are made like the Inception score (Salimans et al. 2016) and the
 * Frechet Inception distance (Heusel et al. 2017) and are not comparable with these: the classifier is another one. */
#include "train_atom.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 500
#define PARTS 10
#define FEATURES 7 /* layers of the classifier that make its features; the last one makes its logits */

/* LAPACK: eigenvalues and, with 'V', eigenvectors of a symmetric matrix. */
void dsyev_(const char *job, const char *half, const int *n, double *a, const int *lda, double *w, double *work, const int *lwork, int *info);

/* What a set of images looks like to the classifier. */
typedef struct view {
    float *features, *probabilities;
    int64_t n;
    int dim, classes;
} view;

static dp_network *load_classifier(train_run *run, int *classes)
{
    char path[4096], message[512], name[256];
    dp_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", run->options.classifier);
    if (dp_safetensors_open(path, &file, message, sizeof message) != DP_OK) {
        cli_error("--classifier: %s", message);
        return NULL;
    }
    const dp_safetensors_entry *last = dp_safetensors_at(file, dp_safetensors_find(file, "classifier.7.bias"));
    *classes = last && last->shape.rank == 1 ? (int)last->shape.dim[0] : 0;
    dp_network *network = *classes > 1 ? classifier_network(run->device, run->data.shape, *classes, 0) : NULL;
    if (*classes < 2)
        cli_error("--classifier %s: has no classifier of images", run->options.classifier);
    for (int k = 0; network && k < dp_network_parameter_count(network) + dp_network_state_count(network); k++) {
        const int count = dp_network_parameter_count(network);
        snprintf(name, sizeof name, "classifier.%s", k < count ? dp_network_parameter_name(network, k) : dp_network_state_name(network, k - count));
        dp_tensor *tensor = k < count ? dp_network_parameter(network, k) : dp_network_state(network, k - count);
        if (dp_safetensors_load_into(tensor, file, name) != DP_OK) {
            cli_error("--classifier %s: %s", run->options.classifier, dp_message(run->device));
            dp_network_destroy(&network);
        }
    }
    dp_safetensors_close(&file);
    return network;
}

static bool look_at_chunk(train_run *run, dp_network *network, const float *images, int64_t n, float *features, float *probabilities)
{
    const dp_shape one = run->data.shape;
    dp_tensor *x = dp_from(run->device, DP_F32, DP_SHAPE(n, one.dim[0], one.dim[1], one.dim[2]), images);
    dp_tensor *f = dp_network_forward_range(network, x, 0, FEATURES, false);
    dp_tensor *logits = dp_network_forward_range(network, f, FEATURES, FEATURES + 1, false);
    dp_tensor *p = dp_activation(run->device, logits, DP_ACTIVATION_SOFTMAX, 0);
    const bool done = dp_read(f, features, (size_t)dp_tensor_size(f) * sizeof *features) == DP_OK &&
                      dp_read(p, probabilities, (size_t)dp_tensor_size(p) * sizeof *probabilities) == DP_OK;
    dp_tensor_release(&x);
    dp_tensor_release(&f);
    dp_tensor_release(&logits);
    dp_tensor_release(&p);
    return done;
}

static bool look_at(train_run *run, dp_network *network, const float *images, int64_t n, view *v)
{
    const dp_shape one = run->data.shape;
    const int64_t size = one.dim[0] * one.dim[1] * one.dim[2];
    v->n = n;
    v->features = malloc((size_t)(n * v->dim) * sizeof(float));
    v->probabilities = malloc((size_t)(n * v->classes) * sizeof(float));
    bool done = v->features && v->probabilities;
    if (!done)
        cli_error("out of memory");
    dp_grad_pause(run->device);
    for (int64_t first = 0; done && first < n; first += CHUNK) {
        const int64_t count = n - first < CHUNK ? n - first : CHUNK;
        done = look_at_chunk(run, network, images + first * size, count, v->features + first * v->dim, v->probabilities + first * v->classes) ||
               (train_ok(run, "classifier") && false);
    }
    dp_grad_resume(run->device);
    return done;
}

static void mean_and_covariance(const view *v, double *mean, double *covariance)
{
    const int d = v->dim;
    memset(mean, 0, (size_t)d * sizeof *mean);
    memset(covariance, 0, (size_t)(d * d) * sizeof *covariance);
    for (int64_t i = 0; i < v->n; i++)
        for (int a = 0; a < d; a++)
            mean[a] += (double)v->features[i * d + a] / (double)v->n;
    for (int64_t i = 0; i < v->n; i++)
        for (int a = 0; a < d; a++)
            for (int b = 0; b < d; b++)
                covariance[a * d + b] += ((double)v->features[i * d + a] - mean[a]) * ((double)v->features[i * d + b] - mean[b]) / (double)(v->n - 1);
}

static bool eigen(double *a, int d, double *values, bool vectors)
{
    int lwork = 8 * d, info = -1;
    double *work = malloc((size_t)lwork * sizeof *work);
    if (work)
        dsyev_(vectors ? "V" : "N", "U", &d, a, &d, values, work, &lwork, &info);
    free(work);
    if (info != 0)
        cli_error(work ? "the eigenvalues of a covariance do not converge" : "out of memory");
    return info == 0;
}

/* tr (A B)^(1/2) = the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric. A and B are overwritten; `root` and
 * `product` are space for as many numbers. */
static bool trace_of_root(double *a, const double *b, double *root, double *product, double *values, int d, double *trace)
{
    if (!eigen(a, d, values, true))
        return false;
    for (int i = 0; i < d; i++) /* column k of a is its k-th eigenvector: a[k * d + i] in C's order */
        for (int j = 0; j < d; j++) {
            double sum = 0;
            for (int k = 0; k < d; k++)
                sum += a[k * d + i] * sqrt(fmax(values[k], 0)) * a[k * d + j];
            root[i * d + j] = sum;
        }
    for (int i = 0; i < d; i++)
        for (int j = 0; j < d; j++) {
            double sum = 0;
            for (int k = 0; k < d; k++)
                sum += root[i * d + k] * b[k * d + j];
            product[i * d + j] = sum;
        }
    for (int i = 0; i < d; i++)
        for (int j = 0; j < d; j++) {
            double sum = 0;
            for (int k = 0; k < d; k++)
                sum += product[i * d + k] * root[k * d + j];
            a[i * d + j] = sum;
        }
    if (!eigen(a, d, values, false))
        return false;
    *trace = 0;
    for (int k = 0; k < d; k++)
        *trace += sqrt(fmax(values[k], 0));
    return true;
}

/* |m1 - m2|^2 + tr (C1 + C2 - 2 (C1 C2)^(1/2)) of the Gaussians that fit both sets of features. */
static bool frechet(const view *a, const view *b, double *distance)
{
    const int d = a->dim;
    const size_t square = (size_t)d * (size_t)d;
    double *space = malloc((4 * square + 3 * (size_t)d) * sizeof *space), trace = 0;
    if (!space) {
        cli_error("out of memory");
        return false;
    }
    double *ca = space, *cb = ca + square, *root = cb + square, *product = root + square, *ma = product + square, *mb = ma + d, *values = mb + d;
    mean_and_covariance(a, ma, ca);
    mean_and_covariance(b, mb, cb);
    *distance = 0;
    for (int k = 0; k < d; k++)
        *distance += (ma[k] - mb[k]) * (ma[k] - mb[k]) + ca[k * d + k] + cb[k * d + k];
    const bool done = trace_of_root(ca, cb, root, product, values, d, &trace);
    *distance -= 2 * trace;
    free(space);
    return done;
}

/* exp of the mean KL divergence of each image's probabilities from their mean, over a part of the images. */
static double confidence(const view *v, int64_t first, int64_t n)
{
    double mean[256] = {0}, sum = 0;
    const int classes = v->classes < 256 ? v->classes : 256;
    for (int64_t i = first; i < first + n; i++)
        for (int c = 0; c < classes; c++)
            mean[c] += (double)v->probabilities[i * v->classes + c] / (double)n;
    for (int64_t i = first; i < first + n; i++)
        for (int c = 0; c < classes; c++) {
            const double p = (double)v->probabilities[i * v->classes + c];
            sum += p > 0 ? p * log(p / mean[c]) : 0;
        }
    return exp(sum / (double)n);
}

static void add_confidence(const view *v, score_list *scores)
{
    double value[PARTS], mean = 0, squares = 0;
    for (int k = 0; k < PARTS; k++) {
        value[k] = confidence(v, k * (v->n / PARTS), v->n / PARTS);
        mean += value[k] / PARTS;
    }
    for (int k = 0; k < PARTS; k++)
        squares += (value[k] - mean) * (value[k] - mean);
    scores_add(scores, "classifier_score", mean, sqrt(squares / (PARTS * (PARTS - 1.0))));
}

static bool named(const train_run *run)
{
    return run->data.images && run->options.classifier && *run->options.classifier;
}

bool train_check_classifier(train_run *run, int64_t n)
{
    int classes = 0;
    if (!named(run))
        return true;
    if (n < 10 * PARTS || run->data.held_out_rows < 10 * PARTS) {
        cli_error("--classifier: %lld samples and %lld held-out images; at least %d of each are needed", (long long)n,
                  (long long)run->data.held_out_rows, 10 * PARTS);
        return false;
    }
    dp_network *network = load_classifier(run, &classes);
    const bool loaded = network != NULL;
    dp_network_destroy(&network);
    return loaded;
}

bool train_score_images(train_run *run, const float *samples, int64_t n, score_list *scores)
{
    view real = {0}, made = {0};
    if (!named(run))
        return true;
    dp_network *network = load_classifier(run, &real.classes);
    if (!network)
        return false;
    real.dim = made.dim = (int)dp_network_shape(network, FEATURES).dim[0];
    made.classes = real.classes;
    double distance = 0;
    const bool done = look_at(run, network, samples, n, &made) && look_at(run, network, run->data.held_out, run->data.held_out_rows, &real) &&
                      frechet(&made, &real, &distance);
    if (done) {
        scores_add(scores, "classifier_frechet", distance, (double)NAN);
        add_confidence(&made, scores);
    }
    free(real.features);
    free(real.probabilities);
    free(made.features);
    free(made.probabilities);
    dp_network_destroy(&network);
    return done;
}
