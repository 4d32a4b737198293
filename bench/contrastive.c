/* SPDX-License-Identifier: Apache-2.0 */
/* InfoNCE over all pairs of N embeddings with N others, value and gradients to both, and the memory that
 * takes. Its first 2048 rows are compared with a dense computation in f64 that stores the whole matrix, its
 * gradient at some rows with sums in f64; the bounds are derived in docs/losses.md. Exit status: 0 within
 * them, 1 else or on failure, 2 bad usage. */
#include <dipole/dipole.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define UNIT    0x1p-24
#define SAMPLES 8

typedef struct options {
    const char *device;
    long long n, subset;
    int dim;
    double temperature;
    bool json;
} options;

static _Noreturn void usage(const char *program, int status)
{
    fprintf(status ? stderr : stdout,
            "usage: %s [options]\n"
            "  --device ID      default: the best there is\n"
            "  --n N            rows of either side; default 65536\n"
            "  --dim D          default 128\n"
            "  --subset K       rows of the dense check; default 2048, at most N\n"
            "  --temperature T  default 0.05\n"
            "  --json           output for programs\n",
            program);
    exit(status);
}

static bool set_option(options *o, const char *name, const char *text)
{
    char *rest;
    const double value = strtod(text, &rest);
    if (!strcmp(name, "--device"))
        return (o->device = text) != NULL;
    if (*rest || !(value > 0))
        return false;
    if (!strcmp(name, "--n"))
        return (o->n = (long long)value) >= 2 && value == (double)o->n && value <= 1 << 24;
    if (!strcmp(name, "--dim"))
        return value <= 4096 && (o->dim = (int)value) >= 1 && value == (double)o->dim;
    if (!strcmp(name, "--subset"))
        return value <= 16384 && (o->subset = (long long)value) >= 2 && value == (double)o->subset;
    if (!strcmp(name, "--temperature"))
        return (o->temperature = value) >= 1e-3 && value <= 1e3;
    return false;
}

static options parse(int argc, char **argv)
{
    options o = {.n = 65536, .subset = 2048, .dim = 128, .temperature = 0.05};
    for (int a = 1; a < argc; a++) {
        if (!strcmp(argv[a], "--help"))
            usage(argv[0], 0);
        else if (!strcmp(argv[a], "--json"))
            o.json = true;
        else if (a + 1 == argc || !set_option(&o, argv[a], argv[a + 1]))
            usage(argv[0], 2);
        else
            a++;
    }
    o.subset = o.subset < o.n ? o.subset : o.n;
    return o;
}

/* Memory and time. ----------------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A line of /proc/self/status in bytes; 0 where there is none. */
static double status_bytes(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double bytes = 0;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)))
            bytes = 1024 * atof(line + strlen(name));
    if (file)
        fclose(file);
    return bytes;
}

/* Lets the peak be counted from here on. */
static bool reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    const bool written = file && fputs("5", file) >= 0;
    return file && fclose(file) == 0 && written;
}

/* A line on the terminal while a call runs, at a rate that was measured before. */
typedef struct ticker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool running, done;
    double expected;
} ticker;

static void *tick(void *data)
{
    ticker *t = data;
    const double begin = seconds();
    pthread_mutex_lock(&t->lock);
    while (!t->done) {
        struct timespec next;
        clock_gettime(CLOCK_REALTIME, &next);
        next.tv_sec++;
        pthread_cond_timedwait(&t->over, &t->lock, &next);
        fprintf(stderr, "\rcontrastive: %.0f s of about %.0f s ", seconds() - begin, t->expected);
    }
    pthread_mutex_unlock(&t->lock);
    fprintf(stderr, "\r%60s\r", "");
    return NULL;
}

static void ticker_start(ticker *t, double expected)
{
    t->expected = expected;
    t->done = false;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->over, NULL);
    t->running = isatty(STDERR_FILENO) && pthread_create(&t->thread, NULL, tick, t) == 0;
}

static void ticker_stop(ticker *t)
{
    pthread_mutex_lock(&t->lock);
    t->done = true;
    pthread_cond_signal(&t->over);
    pthread_mutex_unlock(&t->lock);
    if (t->running)
        pthread_join(t->thread, NULL);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->over);
}

/* The problem. --------------------------------------------------------------- */

typedef struct problem {
    dp_tensor *a, *b, *value, *gradients[2];
    double seconds;
} problem;

/* Row i of b is row i of a and noise. The first rows are the same whatever n is. */
static bool make(dp_device *device, const options *o, long long n, problem *p)
{
    *p = (problem){.a = dp_randn(device, 1, DP_SHAPE(n, o->dim)),
                   .b = dp_randn(device, 2, DP_SHAPE(n, o->dim))};
    return dp_map_into(device, "0.6 * a + 0.8 * b", DP_ARGS({"a", p->a, 0}, {"b", p->b, 0}), &p->b, 1) ==
           DP_OK;
}

static void drop(problem *p)
{
    dp_tensor *all[] = {p->a, p->b, p->value, p->gradients[0], p->gradients[1]};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        dp_tensor_release(&all[k]);
    *p = (problem){0};
}

static bool run(dp_device *device, const options *o, problem *p)
{
    const dp_loss_params params = {.temperature = o->temperature};
    const double begin = seconds();
    dp_loss_infonce(device, p->a, p->b, &params, &p->value, p->gradients);
    const bool good = dp_device_wait(device) == DP_OK;
    p->seconds = seconds() - begin;
    return good;
}

/* Rows of a tensor as doubles; NULL where that fails. */
static double *rows_of(dp_tensor *tensor, long long first, long long count)
{
    const size_t size = (size_t)count * (size_t)dp_tensor_shape(tensor).dim[1];
    dp_tensor *view = dp_slice(tensor, 0, first, first + count, 1);
    float *values = malloc(size * sizeof *values);
    double *result = malloc(size * sizeof *result);
    if (!values || !result || dp_read(view, values, size * sizeof *values) != DP_OK) {
        free(result);
        result = NULL;
    }
    for (size_t k = 0; result && k < size; k++)
        result[k] = (double)values[k];
    free(values);
    dp_tensor_release(&view);
    return result;
}

/* In f64. -------------------------------------------------------------------- */

/* What is compared: an error and its bound, of the same things. */
typedef struct comparison {
    double error, bound, ratio; /* at the largest ratio error / bound */
    double relative;            /* the largest error over the largest norm of a row */
} comparison;

static double dot(const double *a, const double *b, int dim)
{
    double sum = 0;
    for (int c = 0; c < dim; c++)
        sum += a[c] * b[c];
    return sum;
}

/* To unit norm; `norms` receives what they were. */
static void normalise(double *x, double *norms, long long n, int dim)
{
    for (long long i = 0; i < n; i++) {
        norms[i] = sqrt(dot(x + i * dim, x + i * dim, dim));
        for (int c = 0; c < dim; c++)
            x[i * dim + c] /= norms[i];
    }
}

/* How far a score may be off, and a weight relative to itself (docs/losses.md). */
static double score_error(const options *o)
{
    return UNIT * (2 * o->dim + 25) / o->temperature;
}

static double log_sum_error(const options *o, long long n)
{
    return score_error(o) + UNIT * (21 / o->temperature + 95 * log((double)n) + 680);
}

static double weight_error(const options *o, long long n)
{
    return score_error(o) + log_sum_error(o, n) + UNIT * (10 / o->temperature + 5 * log((double)n) + 6);
}

/* Of the gradient of a row whose weights sum to `weights`, next to 1 for the positive. */
static double gradient_error(const options *o, long long n, long long terms, double norm, double weights)
{
    const double sums = UNIT * (fmin((double)terms, 140) + 2 * o->dim + 40);
    return 2 * (weight_error(o, n) + sums) * (weights + 1) / ((double)n * o->temperature * norm);
}

/* g, the sum over unit rows, becomes the gradient and is compared with `found`. */
static void compare_row(double *g, const double *x, const double *positive, const double *found, int dim,
                        double norm, double scale, double bound, comparison *result, double *largest)
{
    for (int c = 0; c < dim; c++)
        g[c] -= positive[c];
    const double along = dot(g, x, dim);
    double error = 0, size = 0;
    for (int c = 0; c < dim; c++) {
        const double exact = scale / norm * (g[c] - along * x[c]);
        error += (exact - found[c]) * (exact - found[c]);
        size += exact * exact;
    }
    error = sqrt(error);
    *largest = fmax(*largest, sqrt(size));
    result->relative = fmax(result->relative, error);
    if (!(error / bound <= result->ratio))
        *result = (comparison){error, bound, error / bound, result->relative};
}

typedef struct dense {
    double *matrix, *a, *b, *norm_a, *norm_b, *found[2], *sum;
} dense;

static void dense_close(dense *d)
{
    double *all[] = {d->matrix, d->a, d->b, d->norm_a, d->norm_b, d->found[0], d->found[1], d->sum};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

static bool dense_open(dense *d, problem *p, long long n, int dim)
{
    const size_t rows = (size_t)n;
    *d = (dense){malloc(rows * rows * sizeof(double)),
                 rows_of(p->a, 0, n),
                 rows_of(p->b, 0, n),
                 malloc(rows * sizeof(double)),
                 malloc(rows * sizeof(double)),
                 {rows_of(p->gradients[0], 0, n), rows_of(p->gradients[1], 0, n)},
                 malloc((size_t)dim * sizeof(double))};
    return d->matrix && d->a && d->b && d->norm_a && d->norm_b && d->found[0] && d->found[1] && d->sum;
}

/* The matrix of scores becomes the one of weights; returns the loss. */
static double weigh(dense *d, const options *o, long long n)
{
    double total = 0;
    for (long long i = 0; i < n; i++) {
        double *row = d->matrix + i * n, largest = -INFINITY, sum = 0;
        for (long long j = 0; j < n; j++) {
            row[j] = dot(d->a + i * o->dim, d->b + j * o->dim, o->dim) / o->temperature;
            largest = fmax(largest, row[j]);
        }
        for (long long j = 0; j < n; j++)
            sum += exp(row[j] - largest);
        const double log_sum = largest + log(sum);
        total += log_sum - row[i];
        for (long long j = 0; j < n; j++)
            row[j] = exp(row[j] - log_sum);
    }
    return total / (double)n;
}

static comparison compare_side(dense *d, const options *o, long long n, bool second)
{
    comparison result = {.ratio = -1};
    const double scale = 1 / ((double)n * o->temperature);
    const double *from = second ? d->a : d->b, *to = second ? d->b : d->a,
                 *norms = second ? d->norm_b : d->norm_a;
    double largest = 0;
    for (long long i = 0; i < n; i++) {
        double weights = 0;
        memset(d->sum, 0, (size_t)o->dim * sizeof(double));
        for (long long j = 0; j < n; j++) {
            const double w = d->matrix[second ? j * n + i : i * n + j];
            weights += w;
            for (int c = 0; c < o->dim; c++)
                d->sum[c] += w * from[j * o->dim + c];
        }
        compare_row(d->sum, to + i * o->dim, from + i * o->dim, d->found[second] + i * o->dim, o->dim,
                    norms[i], scale, gradient_error(o, n, n, norms[i], weights), &result, &largest);
    }
    result.relative /= largest;
    return result;
}

/* Value and gradients to a and b. */
static bool compare_dense(const options *o, problem *p, comparison result[3])
{
    const long long n = o->subset;
    dense d;
    const bool good = dense_open(&d, p, n, o->dim);
    if (good) {
        normalise(d.a, d.norm_a, n, o->dim);
        normalise(d.b, d.norm_b, n, o->dim);
        const double exact = weigh(&d, o, n), error = fabs(exact - dp_item(p->value));
        const double bound = log_sum_error(o, n) + score_error(o) + 8 * UNIT * fabs(exact);
        result[0] = (comparison){error, bound, error / bound, error / fabs(exact)};
        result[1] = compare_side(&d, o, n, false);
        result[2] = compare_side(&d, o, n, true);
    }
    dense_close(&d);
    return good;
}

/* The gradient to row i of a needs nothing of the other rows of a. Walks b in blocks. */
static bool compare_sample(const options *o, problem *p, long long i, comparison *result, double *largest)
{
    const long long n = o->n, block = 1024;
    double *x = rows_of(p->a, i, 1), *positive = rows_of(p->b, i, 1), *found = rows_of(p->gradients[0], i, 1);
    double *sum = calloc((size_t)o->dim, sizeof *sum), norm[1], weights = 0, unused;
    bool good = x && positive && found && sum;
    if (good) {
        normalise(x, norm, 1, o->dim);
        normalise(positive, &unused, 1, o->dim);
    }
    for (long long first = 0; good && first < n; first += block) {
        const long long count = n - first < block ? n - first : block;
        double norms[1024], *b = rows_of(p->b, first, count);
        good = b != NULL;
        if (good)
            normalise(b, norms, count, o->dim);
        for (long long j = 0; good && j < count; j++) { /* no cosine is above 1 */
            const double w = exp((dot(x, b + j * o->dim, o->dim) - 1) / o->temperature);
            weights += w;
            for (int c = 0; c < o->dim; c++)
                sum[c] += w * b[j * o->dim + c];
        }
        free(b);
    }
    for (int c = 0; good && c < o->dim; c++)
        sum[c] /= weights;
    if (good)
        compare_row(sum, x, positive, found, o->dim, norm[0], 1 / ((double)n * o->temperature),
                    gradient_error(o, n, n, norm[0], 1), result, largest);
    free(x);
    free(positive);
    free(found);
    free(sum);
    return good;
}

static bool compare_samples(const options *o, problem *p, comparison *result)
{
    double largest = 0;
    bool good = true;
    *result = (comparison){.ratio = -1};
    for (long long k = 0; good && k < SAMPLES; k++)
        good = compare_sample(o, p, k * (o->n - 1) / (SAMPLES - 1), result, &largest);
    result->relative /= largest;
    return good;
}

/* Output. -------------------------------------------------------------------- */

typedef struct report {
    comparison subset[3], sample;
    double value, seconds, before, peak, whole_peak;
    bool peak_known; /* since the warm-up */
} report;

static void print_text(const options *o, const char *device, const report *r)
{
    static const char *const names[] = {"value", "gradient to a", "gradient to b"};
    printf("InfoNCE, %lld x %lld embeddings of %d dimensions, tau %g, on %s\n", o->n, o->n, o->dim,
           o->temperature, device);
    printf("  value %.7g, with both gradients in %.2f s: %.4g pairs/s\n", r->value, r->seconds,
           (double)o->n * (double)o->n / r->seconds);
    if (r->peak_known)
        printf("  memory: %.1f MB resident before, peak %.1f MB: %.1f MB for it\n", r->before / 1e6,
               r->peak / 1e6, (r->peak - r->before) / 1e6);
    printf("  peak of the whole process, compilers included: %.1f MB\n", r->whole_peak / 1e6);
    for (int k = 0; k < 3; k++)
        printf("  dense f64, %lld rows: %s: error %.3g, bound %.3g (relative to the largest: %.3g)\n",
               o->subset, names[k], r->subset[k].error, r->subset[k].bound, r->subset[k].relative);
    printf("  f64 at %d of the %lld rows: gradient to a: error %.3g, bound %.3g (%.3g)\n", SAMPLES, o->n,
           r->sample.error, r->sample.bound, r->sample.relative);
}

static void print_comparison(const char *name, const comparison *c, const char *after)
{
    printf("\"%s\": {\"error\": %.4g, \"bound\": %.4g, \"relative\": %.4g}%s", name, c->error, c->bound,
           c->relative, after);
}

static void print_json(const options *o, const char *device, const report *r)
{
    printf(
        "{\"program\": \"contrastive\", \"device\": \"%s\", \"n\": %lld, \"dim\": %d, \"temperature\": %g,\n",
        device, o->n, o->dim, o->temperature);
    printf(" \"value\": %.9g, \"seconds\": %.4f, \"pairs_per_second\": %.5g,\n", r->value, r->seconds,
           (double)o->n * (double)o->n / r->seconds);
    if (r->peak_known)
        printf(" \"bytes_before\": %.0f, \"peak_bytes\": %.0f, \"own_bytes\": %.0f,\n", r->before, r->peak,
               r->peak - r->before);
    printf(" \"process_peak_bytes\": %.0f,\n \"subset\": {\"rows\": %lld, ", r->whole_peak, o->subset);
    print_comparison("value", &r->subset[0], ", ");
    print_comparison("gradient_a", &r->subset[1], ", ");
    print_comparison("gradient_b", &r->subset[2], "},\n ");
    print_comparison("sampled_gradient_a", &r->sample, "}\n");
}

static bool measure(dp_device *device, const options *o, report *r)
{
    problem p;
    ticker t;
    bool good = make(device, o, o->subset, &p) && run(device, o, &p) && compare_dense(o, &p, r->subset);
    problem again = {.a = p.a, .b = p.b};
    good = good && run(device, o, &again); /* kernels are built now */
    const double ratio = (double)o->n / (double)o->subset, expected = again.seconds * ratio * ratio;
    again.a = again.b = NULL;
    drop(&again);
    drop(&p);
    if (!good)
        return false;
    r->before = status_bytes("VmRSS:");
    r->peak_known = reset_peak() && r->before > 0;
    ticker_start(&t, expected);
    good = make(device, o, o->n, &p) && run(device, o, &p);
    ticker_stop(&t);
    r->peak = status_bytes("VmHWM:");
    r->seconds = p.seconds;
    r->value = good ? dp_item(p.value) : 0;
    good = good && compare_samples(o, &p, &r->sample);
    drop(&p);
    return good;
}

int main(int argc, char **argv)
{
    const options o = parse(argc, argv);
    dp_device *device = dp_device_open(o.device);
    const dp_device_info info = dp_device_get_info(device);
    report r = {.seconds = 0};
    bool good = !dp_failed(device) && measure(device, &o, &r);
    if (good) {
        struct rusage use;
        getrusage(RUSAGE_SELF, &use);
        r.whole_peak = 1024.0 * (double)use.ru_maxrss;
        (o.json ? print_json : print_text)(&o, info.id, &r);
        for (int k = 0; k < 3; k++)
            good = good && r.subset[k].ratio <= 1;
        good = good && r.sample.ratio <= 1;
        if (!good)
            fprintf(stderr, "contrastive: an error is above its bound\n");
    } else {
        fprintf(stderr, "contrastive: %s\n", dp_failed(device) ? dp_message(device) : "out of memory");
    }
    dp_device_close(&device);
    return good ? 0 : 1;
}
