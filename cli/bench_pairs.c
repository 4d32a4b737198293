/* SPDX-License-Identifier: Apache-2.0 */
/* dipole bench: sums over pairs of a potential or a formula, with gradients, in parts where they are large.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_ROWS = 65536, /* of one part, and at least LEAST_ROWS of them: enough for a large device */
    LEAST_ROWS = 4096,
};

#define MOST_PAIRS 4294967296.0 /* of one part; a slow device takes some seconds for them */

/* One problem on one device. */
typedef struct pair_run {
    const bench_pairs *pairs;
    dp_device *device;
    dp_arg arg[DP_MAX_ARGS]; /* what is indexed by i as a whole */
    int count;
    bool by_i[DP_MAX_ARGS]; /* which are cut into parts */
    const char *wrt[BENCH_MAX_WRT];
    int64_t rows, parts;     /* of i in one part, and how many parts */
    double flops;            /* of one pair */
    double slowest, fastest; /* part so far, in seconds for the whole */
    dp_tensor **kept;        /* the results of all parts: 1 + wrt_count each */
} pair_run;

static bool complain(const pair_run *run, const char *what)
{
    if (!cli_interrupted())
        cli_error("%s: %s", dp_device_get_info(run->device).id, what ? what : dp_message(run->device));
    return false;
}

/* ---- the command line ---- */

static void list_potentials(const char *wrong)
{
    char names[1024] = "";
    size_t used = 0;
    for (size_t k = 0; dp_potential_at(k) && used < sizeof names; k++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", k ? ", " : "",
                                 dp_potential_at(k)->name);
    cli_error("--potential: \"%s\" is none of %s", wrong, names);
}

static bool read_shape(bench_pairs *pairs, const char *shape)
{
    long long n, m, d;
    int end = 0;
    if (sscanf(shape, "%lldx%lldx%lld%n", &n, &m, &d, &end) != 3 || shape[end] || n < 1 || m < 1 || d < 1 ||
        n > INT32_MAX || m > INT32_MAX || d > 65536)
        return false;
    pairs->n = n;
    pairs->m = m;
    pairs->dim = d;
    return true;
}

/* Whether the formula has x[j], say, blanks aside: x is cut into rows of i, so it cannot stand on the other
 * side too. */
static const char *wrong_side(const char *formula)
{
    static const char *const wrong[] = {"x[j]", "q[j]", "y[i]", "p[i]"};
    for (const char *at = formula; at && *at; at++)
        for (size_t k = 0; k < CLI_COUNT(wrong); k++) {
            const char *c = at, *w = wrong[k];
            while (*w && (*c == *w || *c == ' '))
                w += *c++ == *w;
            if (!*w)
                return wrong[k];
        }
    return NULL;
}

/* The names of --wrt, with commas between them. */
static bool split_wrt(bench_pairs *pairs)
{
    for (const char *at = pairs->wrt; at && *at;) {
        const size_t length = strcspn(at, ", ");
        if (length > 0 && (pairs->wrt_count == BENCH_MAX_WRT || length >= BENCH_NAME))
            return false;
        if (length > 0)
            memcpy(pairs->wrt_name[pairs->wrt_count++], at, length);
        at += length + (at[length] != '\0');
    }
    return true;
}

int bench_pairs_check(bench_pairs *pairs, const char *shape)
{
    if (pairs->potential && pairs->formula)
        cli_error("--potential and --formula exclude each other");
    else if (!pairs->potential && !pairs->formula)
        cli_error("--gradient, --wrt and --rows need --potential or --formula");
    else if (pairs->potential && !dp_potential_find(pairs->potential))
        list_potentials(pairs->potential);
    else if (!split_wrt(pairs))
        cli_error("--wrt: more than %d names, or one of more than %d letters", BENCH_MAX_WRT, BENCH_NAME - 1);
    else if (wrong_side(pairs->formula))
        cli_error("--formula: %s: x and q are indexed by i, y and p by j", wrong_side(pairs->formula));
    else if (!read_shape(pairs, shape ? shape : "2000x2000x3"))
        cli_error(
            "--shape: \"%s\" is not NxMxD, such as 2000x2000x3, with N and M up to %d and D up to 65536",
            shape, INT32_MAX);
    else
        return CLI_GO_ON;
    return CLI_USAGE;
}

/* ---- arguments ---- */

static void add_tensor(pair_run *run, const char *name, dp_tensor *tensor, bool by_i)
{
    run->by_i[run->count] = by_i;
    run->arg[run->count++] = (dp_arg){.name = name, .tensor = tensor};
}

static void add_points(pair_run *run, const char *name, int64_t rows, bool vector, bool by_i)
{
    const dp_shape shape = vector ? DP_SHAPE(rows, run->pairs->dim) : DP_SHAPE(rows);
    add_tensor(run, name, dp_uniform(run->device, 7 + (uint64_t)run->count, shape, -1, 1), by_i);
}

/* What the formulas of the command line and of the table may name. Those of the table that stand without an
 * index are vectors of positive numbers. */
static bool add_arguments(pair_run *run)
{
    const bench_pairs *pairs = run->pairs;
    const char *tensors =
        pairs->potential ? dp_potential_find(pairs->potential)->tensors : "x[i] y[j] q[i] p[j]";
    static const char *const names[] = {"x", "y", "q", "p", "r", "s", "h"};
    for (size_t k = 0; k < CLI_COUNT(names); k++) {
        char by_i[BENCH_NAME], by_j[BENCH_NAME];
        snprintf(by_i, sizeof by_i, "%s[i]", names[k]);
        snprintf(by_j, sizeof by_j, "%s[j]", names[k]);
        const bool vector = k < 2;
        if (strstr(tensors, by_i))
            add_points(run, names[k], pairs->n, vector, true);
        else if (strstr(tensors, by_j))
            add_points(run, names[k], pairs->m, vector, false);
        else if (strchr(tensors, names[k][0]))
            add_tensor(run, names[k], dp_uniform(run->device, 7, DP_SHAPE(pairs->dim), 0.5, 1.5), false);
    }
    if (!pairs->potential)
        run->arg[run->count++] = (dp_arg){.name = "eps", .scalar = 0.1};
    return dp_failed(run->device) == DP_OK || complain(run, NULL);
}

/* ---- what a pair costs ---- */

/* Names of one kind with commas between them, as dp_explain_options takes them. */
static void add_name(char *list, size_t size, const char *name, const char *index)
{
    const size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s%s", used ? ", " : "", name, index);
}

static const char *index_of(const pair_run *run, const char *name)
{
    for (int k = 0; k < run->count; k++)
        if (strcmp(run->arg[k].name, name) == 0)
            return !run->arg[k].tensor ? "" : run->by_i[k] ? "[i]" : strcmp(name, "h") ? "[j]" : "";
    return "";
}

/* Of the simplified formula with its gradients, and of adding them to their sums. */
static bool count_flops(pair_run *run, const char *formula)
{
    char vectors[128] = "", targets[256] = "";
    dp_explanation *told = NULL;
    double sums = 1;
    for (int k = 0; k < run->count; k++) {
        const dp_shape shape = dp_tensor_shape(run->arg[k].tensor);
        char symbol[BENCH_NAME + 4];
        snprintf(symbol, sizeof symbol, "%s%s", run->arg[k].name, index_of(run, run->arg[k].name));
        const bool vector = shape.rank == 2 || (shape.rank == 1 && !strcmp(run->arg[k].name, "h"));
        if (vector && strstr(formula, symbol))
            add_name(vectors, sizeof vectors, run->arg[k].name, "");
    }
    for (int k = 0; k < run->pairs->wrt_count; k++) {
        add_name(targets, sizeof targets, run->pairs->wrt_name[k], index_of(run, run->pairs->wrt_name[k]));
        sums += run->pairs->wrt_name[k][0] == 'x' || run->pairs->wrt_name[k][0] == 'y'
                    ? (double)run->pairs->dim
                    : 1;
    }
    const dp_explain_options options = {.dim = (int)run->pairs->dim, .vectors = vectors, .gradient = targets};
    const bool good = dp_explanation_create(formula, &options, &told) == DP_OK;
    if (good)
        run->flops = sums + (run->pairs->wrt_count ? told->flops_with_gradients : told->flops);
    else
        complain(run, told ? told->message : "out of memory");
    dp_explanation_destroy(&told);
    return good;
}

/* ---- the call ---- */

/* Adds the gradient to what is not indexed by i to that of the parts before. */
static void accumulate(pair_run *run, int64_t part)
{
    const int stride = 1 + run->pairs->wrt_count;
    for (int k = 0; k < run->pairs->wrt_count && part > 0; k++) {
        dp_tensor **total = &run->kept[1 + k], **own = &run->kept[part * stride + 1 + k];
        if (strcmp(index_of(run, run->pairs->wrt_name[k]), "[i]") == 0)
            continue;
        dp_tensor *sum = dp_map(run->device, "a + b", DP_ARGS({"a", *total, 0}, {"b", *own, 0}));
        dp_tensor_release(total);
        dp_tensor_release(own);
        *total = sum;
    }
}

static bool prepare(pair_run *run, const dp_arg *arg, dp_potential_call *call)
{
    const char *potential = run->pairs->potential ? run->pairs->potential : run->pairs->formula;
    return dp_potential_prepare(run->device, potential, (dp_args){arg, run->count}, call) == DP_OK;
}

static bool call_part(pair_run *run, int64_t part)
{
    const bench_pairs *pairs = run->pairs;
    const int64_t start = part * run->rows,
                  stop = start + run->rows < pairs->n ? start + run->rows : pairs->n;
    dp_tensor **out = run->kept + part * (1 + pairs->wrt_count), *slice[DP_MAX_ARGS] = {NULL};
    dp_arg arg[DP_MAX_ARGS];
    dp_potential_call call;
    for (int k = 0; k < run->count; k++) {
        arg[k] = run->arg[k];
        if (run->by_i[k])
            arg[k].tensor = slice[k] = dp_slice((dp_tensor *)run->arg[k].tensor, 0, start, stop, 1);
    }
    for (int k = 0; k <= pairs->wrt_count; k++)
        dp_tensor_release(&out[k]);
    const bool good = prepare(run, arg, &call);
    if (good && pairs->wrt_count == 0)
        out[0] = dp_pairwise(run->device, call.formula, DP_SUM_J, call.args);
    else if (good)
        dp_pairwise_gradient(run->device, call.formula, DP_SUM_J, call.args, NULL, run->wrt, pairs->wrt_count,
                             out + 1, out);
    accumulate(run, part);
    for (int k = 0; k < run->count; k++)
        dp_tensor_release(&slice[k]);
    return dp_failed(run->device) == DP_OK;
}

static bool call_whole(void *data)
{
    return call_part(data, 0);
}

/* All parts one after the other, each waited for: a launch stays short, and there is progress to show. */
static bool run_parts(pair_run *run, bench_timing *timing)
{
    const bench_pairs *pairs = run->pairs;
    if (!call_part(run, 0) || dp_device_wait(run->device) != DP_OK) /* warms up */
        return false;
    *timing = (bench_timing){0, 0, 0};
    for (int64_t part = 0; part < run->parts; part++) {
        const double start = cli_seconds();
        cli_progress((double)part / (double)run->parts, "pairwise %lldx%lldx%lld", (long long)pairs->n,
                     (long long)pairs->m, (long long)pairs->dim);
        if (cli_interrupted() || !call_part(run, part) || dp_device_wait(run->device) != DP_OK)
            return false;
        const double rows = (double)(part + 1 < run->parts ? run->rows : pairs->n - part * run->rows);
        const double own = cli_seconds() - start, whole = own * (double)pairs->n / rows;
        timing->median += own;
        timing->min = part == 0 || whole < timing->min ? whole : timing->min;
        timing->max = part == 0 || whole > timing->max ? whole : timing->max;
    }
    cli_progress_end();
    return true;
}

/* ---- results ---- */

typedef struct pair_result {
    bench_timing timing;
    double pairs, flops, bytes, peak_flops; /* of a call; of a second */
    dp_memory memory;
} pair_result;

static void print_result(const pair_run *run, const pair_result *r)
{
    const bench_pairs *p = run->pairs;
    char pairs[CLI_TEXT], flops[CLI_TEXT], memory[CLI_TEXT], process[CLI_TEXT];
    printf("%-10s pairwise    %s%s%s %lldx%lldx%lld  %.3f ms  (%.3f .. %.3f)  %spairs/s  %sFLOP/s, %.0f %% "
           "of peak  %s on the device, "
           "%s of the process\n",
           dp_device_get_info(run->device).id, p->potential ? p->potential : p->formula,
           p->wrt ? ", gradient to " : "", p->wrt ? p->wrt : "", (long long)p->n, (long long)p->m,
           (long long)p->dim, 1e3 * r->timing.median, 1e3 * r->timing.min, 1e3 * r->timing.max,
           cli_si_text(r->pairs / r->timing.median, pairs), cli_si_text(r->flops / r->timing.median, flops),
           100 * r->flops / r->timing.median / r->peak_flops, cli_bytes_text(r->memory.peak_bytes, memory),
           cli_bytes_text(cli_peak_bytes(), process));
    fflush(stdout);
}

static cJSON *result_json(const pair_run *run, const pair_result *r)
{
    const bench_pairs *p = run->pairs;
    char shape[80];
    cJSON *json = cJSON_CreateObject();
    snprintf(shape, sizeof shape, "%lldx%lldx%lld", (long long)p->n, (long long)p->m, (long long)p->dim);
    cJSON_AddStringToObject(json, "op", "pairwise");
    cJSON_AddStringToObject(json, "shape", shape);
    cJSON_AddStringToObject(json, "device", dp_device_get_info(run->device).id);
    if (p->potential)
        cJSON_AddStringToObject(json, "potential", p->potential);
    else
        cJSON_AddStringToObject(json, "formula", p->formula);
    cJSON *gradient = cJSON_AddArrayToObject(json, "gradient");
    for (int k = 0; k < run->pairs->wrt_count; k++)
        cJSON_AddItemToArray(gradient, cJSON_CreateString(run->pairs->wrt_name[k]));
    cJSON_AddNumberToObject(json, "seconds", r->timing.median);
    cJSON_AddNumberToObject(json, "seconds_min", r->timing.min);
    cJSON_AddNumberToObject(json, "seconds_max", r->timing.max);
    cJSON_AddNumberToObject(json, "parts", (double)run->parts);
    cJSON_AddNumberToObject(json, "flops", r->flops);
    cJSON_AddNumberToObject(json, "bytes", r->bytes);
    cJSON_AddNumberToObject(json, "pairs", r->pairs);
    cJSON_AddNumberToObject(json, "pairs_per_second", r->pairs / r->timing.median);
    cJSON_AddNumberToObject(json, "flops_per_second", r->flops / r->timing.median);
    cJSON_AddNumberToObject(json, "peak_flops_per_second", r->peak_flops);
    cJSON_AddNumberToObject(json, "fraction_of_peak", r->flops / r->timing.median / r->peak_flops);
    cJSON_AddNumberToObject(json, "peak_bytes", (double)r->memory.peak_bytes);
    cJSON_AddNumberToObject(json, "process_peak_bytes", (double)cli_peak_bytes());
    return json;
}

/* What is read and written at least: every argument and every result once. */
static double least_bytes(const pair_run *run)
{
    double bytes = 4 * (double)run->pairs->n;
    for (int k = 0; k < run->count; k++) {
        const double own = run->arg[k].tensor ? 4 * (double)dp_tensor_size(run->arg[k].tensor) : 0;
        bytes += own;
        for (int w = 0; w < run->pairs->wrt_count; w++)
            bytes += strcmp(run->pairs->wrt_name[w], run->arg[k].name) == 0 ? own : 0;
    }
    return bytes;
}

static void choose_parts(pair_run *run)
{
    const double fitting = MOST_PAIRS / (double)run->pairs->m;
    run->rows = fitting > MOST_ROWS ? MOST_ROWS : fitting < LEAST_ROWS ? LEAST_ROWS : (int64_t)fitting;
    if (run->pairs->rows > 0 || (double)run->pairs->n * (double)run->pairs->m <= MOST_PAIRS)
        run->rows =
            run->pairs->rows > 0 && run->pairs->rows < run->pairs->n ? run->pairs->rows : run->pairs->n;
    run->parts = (run->pairs->n + run->rows - 1) / run->rows;
}

static bool measure_pairs(pair_run *run, double seconds, pair_result *r)
{
    dp_potential_call call;
    bool good = prepare(run, run->arg, &call) && count_flops(run, call.formula);
    if (good && run->parts > 1)
        good = run_parts(run, &r->timing);
    else if (good)
        good = bench_measure(&(bench_work){run->device, run, call_whole, 0}, seconds, &r->timing);
    r->memory = dp_memory_get(run->device);
    r->pairs = (double)run->pairs->n * (double)run->pairs->m;
    r->flops = run->flops * r->pairs;
    r->bytes = least_bytes(run);
    return good;
}

bool bench_pairs_run(const bench_pairs *pairs, dp_device *device, double seconds, cJSON *results)
{
    pair_run run = {.pairs = pairs, .device = device};
    pair_result result = {.peak_flops = bench_peak(device, seconds)};
    for (int k = 0; k < pairs->wrt_count; k++)
        run.wrt[k] = pairs->wrt_name[k];
    choose_parts(&run);
    dp_memory_reset(device);
    bool good = result.peak_flops > 0;
    run.kept = good ? calloc((size_t)run.parts * (size_t)(1 + pairs->wrt_count), sizeof *run.kept) : NULL;
    if (good && !run.kept)
        good = complain(&run, "out of host memory");
    good = good && add_arguments(&run);
    if (good && !measure_pairs(&run, seconds, &result))
        good = dp_failed(device) ? complain(&run, NULL) : false;
    else if (good && results)
        cJSON_AddItemToArray(results, result_json(&run, &result));
    else if (good)
        print_result(&run, &result);
    for (int64_t k = 0; run.kept && k < run.parts * (1 + pairs->wrt_count); k++)
        dp_tensor_release(&run.kept[k]);
    free(run.kept);
    for (int k = 0; k < run.count; k++)
        dp_tensor_release((dp_tensor **)&run.arg[k].tensor);
    dp_clear(device);
    return good;
}
