/* SPDX-License-Identifier: Apache-2.0 */
/* The tuner: goes through the shapes again and again, each time with the next candidate of each, until the
 * time is over; then the best of each shape are timed in turns, and the fastest is kept. */
#include "gpu/capture.h"
#include "gpu/tuner.h"
#include "gpu/cost_model.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SECONDS 60.0
#define FINALS_SHARE    0.2 /* of the time, for the last comparison */
#define FINALISTS       4
#define FINALIST_WITHIN 1.3 /* times the fastest */
#define ROUNDS          5
#define MOST_CANDIDATES 128
#define LOG_BYTES       ((uint64_t)4 << 20)

typedef struct candidate {
    const dp__variant *variant;
    double score;   /* the model's, or a random one */
    double seconds; /* of one call: 0 while it was not timed */
    double gflops;
    bool tried, whole; /* whether the whole call was timed, more than once */
} candidate;

typedef struct shape_state {
    const char *text;
    char class_text[DP__CLASS_TEXT];
    dp__trial_shape shape;
    dp__shape_class shape_class;
    const dp__variant *fallback; /* what is taken where nothing was measured */
    candidate *candidates;       /* in the order in which they are tried */
    int count, tried;
    bool closed, kept; /* nothing can be measured; its entry was written */
} shape_state;

typedef struct tuner {
    dp__gpu *gpu;
    const dp_tune_options *options;
    shape_state *shapes;
    size_t count;
    dp__timings timings; /* the model's */
    dp__model model;
    dp__text path, log_path, log; /* log: lines not yet written */
    double start, seconds;
    bool stopped;
} tuner;

static double time_left(const tuner *own)
{
    return own->options->exhaustive ? 1e9 : own->seconds - (dp__tuner_seconds() - own->start);
}

static double done_part(const tuner *own)
{
    size_t tried = 0, all = 0;
    for (size_t s = 0; s < own->count; s++) {
        tried += (size_t)own->shapes[s].tried;
        all += (size_t)own->shapes[s].count;
    }
    const double part = all ? (double)tried / (double)all : 1;
    const double elapsed = own->options->exhaustive ? 0 : (dp__tuner_seconds() - own->start) / own->seconds;
    return fmin(fmax(part, elapsed), 1);
}

static void tell(tuner *own, dp_tune_stage stage, const shape_state *state, const candidate *one,
                 const char *message)
{
    if (!own->options->progress)
        return;
    const dp_tune_event event = {.stage = stage,
                                 .shape = state->text,
                                 .shape_class = state->class_text,
                                 .variant = one ? one->variant->name : "",
                                 .message = message,
                                 .seconds = one ? one->seconds : time_left(own),
                                 .gflops = one ? one->gflops : 0,
                                 .done = done_part(own),
                                 .tried = state->tried,
                                 .candidates = state->count,
                                 .is_default = one && one->variant == state->fallback};
    if (!own->options->progress(own->options->data, &event))
        own->stopped = true;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int by_score(const void *a, const void *b)
{
    const candidate *left = a, *right = b;
    return (left->score < right->score) - (left->score > right->score);
}

static dp_status add_candidates(tuner *own, shape_state *state, const dp__contraction *call)
{
    const dp_tune_options *options = own->options;
    const dp__model_device device = dp__model_device_of(own->gpu);
    uint64_t random = (options->seed + 1) * 0x9E3779B97F4A7C15u + (uint64_t)(state - own->shapes) + 1;
    size_t count;
    const dp__variant *variants = dp__variants(&count);
    count = DP_MIN2(count, MOST_CANDIDATES);
    state->candidates = dp__alloc(count, sizeof *state->candidates);
    if (!state->candidates)
        return dp__fail(own->gpu->device, DP_ERROR_MEMORY, "tune: no memory for %zu candidates", count);
    for (size_t v = 0; v < count; v++) {
        if (!dp__contract_suits(own->gpu, call, &variants[v]))
            continue;
        candidate *new = &state->candidates[state->count++];
        new->variant = dp__variant_find(variants[v].name);
        new->score = options->order == DP_TUNE_BY_TABLE ? -(double)v
                     : options->order == DP_TUNE_RANDOM
                         ? (double)(next_random(&random) >> 11)
                         : dp__model_predict(&own->model, &device, &state->shape_class, new->variant);
    }
    qsort(state->candidates, (size_t)state->count, sizeof *state->candidates, by_score);
    return DP_OK;
}

/* A contraction of that shape without memory behind it, for what depends on sizes and strides alone. */
static dp_status prepare(tuner *own, const char *text, shape_state *state)
{
    char message[256];
    *state = (shape_state){.text = text};
    if (!dp__tune_shape_read(text, &state->shape, message))
        return dp__fail(own->gpu->device, DP_ERROR_ARGUMENT, "%s", message);
    const dp__contraction call = dp__trial_call(&state->shape);
    state->shape_class = dp__class_of(&call);
    dp__class_print(&state->shape_class, state->class_text);
    state->fallback = dp__contract_safe(own->gpu, &call);
    return add_candidates(own, state, &call);
}

static dp_status prepare_all(tuner *own)
{
    const dp_tune_options *options = own->options;
    const char *const *texts = options->shape_count > 0 ? options->shapes : dp__tune_shapes;
    size_t count = options->shape_count;
    while (options->shape_count == 0 && texts[count])
        count++;
    own->shapes = dp__alloc(count, sizeof *own->shapes);
    if (!own->shapes)
        return dp__fail(own->gpu->device, DP_ERROR_MEMORY, "tune: no memory for %zu shapes", count);
    for (size_t s = 0; s < count; s++) {
        if (options->op && !dp__tune_shape_is(texts[s], options->op))
            continue;
        DP_CHECK(prepare(own, texts[s], &own->shapes[own->count++]));
    }
    if (own->count == 0)
        return dp__fail(own->gpu->device, DP_ERROR_ARGUMENT,
                        "tune: there is no shape of op \"%.64s\"; ops are matmul, conv2d, conv2d_input and "
                        "conv2d_weights",
                        options->op ? options->op : "");
    return DP_OK;
}

/* What earlier runs measured, here and elsewhere. */
static dp_status learn(tuner *own)
{
    const dp__model_device device = dp__model_device_of(own->gpu);
    dp__text path = {0};
    size_t length;
    dp__shipped_timings(&own->timings);
    char *text = dp__database_path(".log", &path) ? dp__line_file_read(path.data, &length) : NULL;
    if (text)
        dp__timings_parse(&own->timings, text, length);
    dp__free(text);
    dp__text_free(&path);
    return dp__model_train(&own->model, &own->timings, own->options->fresh ? device.key : NULL)
               ? DP_OK
               : dp__fail(own->gpu->device, DP_ERROR_MEMORY, "tune: no memory to learn from %zu timings",
                          own->timings.count);
}

/* Where results go; an empty path: nowhere. Told before anything is measured where that cannot be written. */
static dp_status choose_files(tuner *own)
{
    const dp_tune_options *options = own->options;
    dp_device *device = own->gpu->device;
    char message[256];
    if (options->dry_run || (options->file && !*options->file))
        return DP_OK;
    if (options->file)
        dp__text_add(&own->path, "%s", options->file);
    else if (!dp__database_path("", &own->path))
        return dp__fail(device, DP_ERROR_IO,
                        dp__database_off()
                            ? "tune: DIPOLE_TUNING is \"off\": there is no file to write to"
                            : "tune: neither DIPOLE_TUNING, XDG_DATA_HOME nor HOME tells where the file is");
    dp__text_add(&own->log_path, "%s.log", own->path.data ? own->path.data : "");
    if (own->path.failed || own->log_path.failed)
        return dp__fail(device, DP_ERROR_MEMORY, "tune: no memory for the file's name");
    const dp__text nothing = {.data = "\n", .length = 1};
    if (!dp__line_file_append(own->log_path.data, &nothing, LOG_BYTES, message) ||
        !dp__line_file_writable(own->path.data, message))
        return dp__fail(device, DP_ERROR_IO, "tune: %s", message);
    return DP_OK;
}

static void log_timing(tuner *own, const shape_state *state, const candidate *one)
{
    const dp__model_device device = dp__model_device_of(own->gpu);
    dp__timing timing = {.units = device.units,
                         .vector = device.vector,
                         .group = device.group,
                         .local = device.local,
                         .shape = state->shape_class,
                         .seconds = one->seconds,
                         .gflops = one->gflops};
    snprintf(timing.device, sizeof timing.device, "%s", device.key);
    snprintf(timing.variant, sizeof timing.variant, "%s", one->variant->name);
    dp__database_date(timing.date);
    dp__timing_print(&timing, &own->log);
}

/* The fastest so far; NULL before the first. */
static candidate *fastest(const shape_state *state)
{
    candidate *best = NULL;
    for (int c = 0; c < state->count; c++)
        if (state->candidates[c].gflops > 0 && (!best || state->candidates[c].gflops > best->gflops))
            best = &state->candidates[c];
    return best;
}

/* Failures of one candidate are not those of the device: told, and forgotten. */
static dp_status measure(tuner *own, shape_state *state, const dp__tuner_bench *bench, candidate *one)
{
    dp_device *device = own->gpu->device;
    char message[256];
    const candidate *best = fastest(state);
    double flops = 0;
    one->tried = true;
    state->tried++;
    const dp__tuned_verdict verdict =
        dp__tuned_verify(own->gpu, &bench->whole.call, one->variant, true, message);
    dp_status status = device->lost ? DP_ERROR_DEVICE_LOST : DP_OK;
    if (status == DP_OK && verdict == DP__TUNED_RIGHT) {
        const double best_seconds = best ? dp__trial_flops(&bench->whole.shape) / (best->gflops * 1e9) : 0;
        status = dp__tuner_time(own->gpu, bench, one->variant, best_seconds, &one->seconds, &flops);
        if (status == DP_OK) {
            one->gflops = flops / one->seconds * 1e-9;
            one->whole = flops == dp__trial_flops(&bench->whole.shape);
            tell(own, DP_TUNE_MEASURED, state, one, "");
            return DP_OK;
        }
        snprintf(message, sizeof message, "%.255s", device->message);
    }
    tell(own, verdict == DP__TUNED_WRONG ? DP_TUNE_WRONG : DP_TUNE_FAILED, state, one, message);
    if (device->lost)
        return DP_ERROR_DEVICE_LOST;
    dp_clear(device);
    return DP_OK;
}

static candidate *next_candidate(const shape_state *state, const dp__variant *wanted)
{
    for (int c = 0; c < state->count; c++)
        if (!state->candidates[c].tried && (!wanted || state->candidates[c].variant == wanted))
            return &state->candidates[c];
    return NULL;
}

/* The next `tries` candidates of a shape. */
static dp_status visit(tuner *own, shape_state *state, bool first)
{
    dp__tuner_bench bench;
    dp_device *device = own->gpu->device;
    if (dp__tuner_bench_open(own->gpu, &state->shape, state->fallback, own->options->cpu_time, &bench) !=
        DP_OK) {
        if (device->lost)
            return DP_ERROR_DEVICE_LOST;
        candidate none = {.variant = state->fallback};
        tell(own, DP_TUNE_FAILED, state, &none, device->message);
        dp_clear(device);
        state->closed = true;
        return DP_OK;
    }
    candidate *next = next_candidate(state, NULL);
    dp_status status = next ? measure(own, state, &bench, next) : DP_OK;
    /* The first time what is taken by default is timed too: what is chosen must not be slower. */
    next = first ? next_candidate(state, state->fallback) : NULL;
    if (status == DP_OK && next && !own->stopped)
        status = measure(own, state, &bench, next);
    dp__tuner_bench_close(&bench);
    return status;
}

static dp_status search(tuner *own)
{
    const double share = own->options->exhaustive ? 0 : FINALS_SHARE * own->seconds;
    bool any = true;
    for (int pass = 0; any; pass++) {
        any = false;
        for (size_t s = 0; s < own->count; s++) {
            shape_state *state = &own->shapes[s];
            if (own->stopped || (time_left(own) < share && !(pass == 0 && s == 0)))
                return DP_OK;
            if (state->closed || !next_candidate(state, NULL))
                continue;
            any = true;
            if (pass == 0)
                tell(own, DP_TUNE_SHAPE, state, NULL, "");
            DP_CHECK(visit(own, state, pass == 0));
        }
    }
    return DP_OK;
}

static int ascending(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Those that are nearly as fast as the fastest, in turns, so that whatever else the machine does hits them
 * alike. */
static dp_status play_finals(tuner *own, shape_state *state)
{
    candidate *finalist[FINALISTS];
    double sample[FINALISTS][ROUNDS];
    dp__tuner_bench bench;
    int count = 0;
    const candidate *best = fastest(state);
    for (int c = 0; best && c < state->count && count < FINALISTS; c++)
        if (state->candidates[c].whole && state->candidates[c].gflops * FINALIST_WITHIN >= best->gflops)
            finalist[count++] = &state->candidates[c];
    if (count < 2 || own->stopped || time_left(own) <= 0)
        return DP_OK;
    DP_CHECK(dp__tuner_bench_open(own->gpu, &state->shape, state->fallback, own->options->cpu_time, &bench));
    int rounds = 0;
    dp_status status = DP_OK;
    for (; status == DP_OK && rounds < ROUNDS; rounds++)
        for (int f = 0; status == DP_OK && f < count; f++)
            status = dp__tuner_sample(own->gpu, &bench, finalist[f]->variant, finalist[f]->seconds,
                                      &sample[f][rounds]);
    for (int f = 0; status == DP_OK && f < count; f++) {
        qsort(sample[f], (size_t)rounds, sizeof *sample[f], ascending);
        finalist[f]->seconds = sample[f][rounds / 2];
        finalist[f]->gflops = dp__trial_flops(&bench.whole.shape) / finalist[f]->seconds * 1e-9;
    }
    dp__tuner_bench_close(&bench);
    return status;
}

/* Writes a shape's result down and uses it. */
static dp_status keep(tuner *own, shape_state *state)
{
    dp_device *device = own->gpu->device;
    const candidate *best = fastest(state);
    char message[256];
    if (!best || state->kept)
        return DP_OK;
    state->kept = true;
    for (int c = 0; c < state->count; c++)
        if (state->candidates[c].gflops > 0)
            log_timing(own, state, &state->candidates[c]);
    dp__entry entry = {.shape = state->shape_class,
                       .gflops = best->gflops,
                       .source = dp__variant_source(best->variant, own->gpu->driver->glsl)};
    dp__device_key(&device->info, entry.device);
    snprintf(entry.variant, sizeof entry.variant, "%s", best->variant->name);
    snprintf(entry.library, sizeof entry.library, "%s", dp_version());
    snprintf(entry.provenance, sizeof entry.provenance, "measured%s, %d of %d kernels tried",
             own->options->cpu_time ? " by CPU time" : "", state->tried, state->count);
    dp__database_date(entry.date);
    tell(own, DP_TUNE_CHOSEN, state, best, "");
    if (!own->path.data)
        return DP_OK;
    dp__tuned_add(own->gpu, &entry);
    const bool written = dp__entries_save(own->path.data, &entry, 1, message) &&
                         dp__line_file_append(own->log_path.data, &own->log, LOG_BYTES, message) &&
                         dp__tuned_save_verdicts(own->gpu, message);
    dp__text_free(&own->log);
    return written ? DP_OK : dp__fail(device, DP_ERROR_IO, "tune: %s", message);
}

static dp_status plan_only(tuner *own)
{
    for (size_t s = 0; s < own->count && !own->stopped; s++) {
        tell(own, DP_TUNE_SHAPE, &own->shapes[s], NULL, "");
        for (int c = 0; c < own->shapes[s].count && !own->stopped; c++) {
            own->shapes[s].tried++;
            tell(own, DP_TUNE_PLANNED, &own->shapes[s], &own->shapes[s].candidates[c], "");
        }
    }
    return DP_OK;
}

/* Where the search fails, what was found before is kept all the same. */
static dp_status tune(tuner *own)
{
    DP_CHECK(choose_files(own));
    DP_CHECK(learn(own));
    DP_CHECK(prepare_all(own));
    if (own->options->dry_run)
        return plan_only(own);
    dp_status status = search(own);
    for (size_t s = 0; s < own->count; s++) {
        if (status == DP_OK)
            status = play_finals(own, &own->shapes[s]);
        const dp_status kept = keep(own, &own->shapes[s]);
        status = status == DP_OK ? kept : status;
    }
    return status;
}

dp_status dp__gpu_tune(dp_device *device, const dp_tune_options *options)
{
    tuner own = {.gpu = device->state,
                 .options = options,
                 .start = dp__tuner_seconds(),
                 .seconds = options->seconds > 0 ? options->seconds : DEFAULT_SECONDS};
    const bool profiling = own.gpu->profiling;
    own.gpu->profiling = false; /* a profile is of the user's own calls */
    dp__capture_suspend(own.gpu);
    const dp_status status = tune(&own);
    dp__capture_resume(own.gpu);
    own.gpu->profiling = profiling;
    for (size_t s = 0; s < own.count; s++)
        dp__free(own.shapes[s].candidates);
    dp__free(own.shapes);
    dp__model_free(&own.model);
    dp__timings_free(&own.timings);
    dp__text_free(&own.path);
    dp__text_free(&own.log_path);
    dp__text_free(&own.log);
    return status;
}
