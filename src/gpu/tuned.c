/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/tuned.h"
#include "gpu/capture.h"
#include "gpu/source.h"
#include "gpu/trial.h"
#include "gpu/tune_shapes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERDICT_FIELDS 5
#define FOREIGN_FLOPS                                                                                        \
    4e8 /* of a call that is tried for a library: it takes kernels for large products from about 2e8 on */
#define PROBE_FLOPS 2e8 /* of a call that is tried as it is, because no smaller one has the same kernel */

static const char verdict_header[] =
    "# Kernels that Dipole compared with its reference, by device, variant and hash of the source\n";

/* A kernel that was compared with the reference, by the hash of its source. */
typedef struct verdict {
    uint64_t source;
    bool right;
} verdict;

/* The same for this process, by what the source depends on, which is quicker to tell. */
typedef struct known_kernel {
    uint64_t key;
    dp__tuned_verdict verdict;
} known_kernel;

struct dp__tuned {
    bool loaded, off;
    char device[DP__DEVICE_KEY];
    dp__entries entries;
    verdict *verdicts;
    size_t verdict_count, verdict_capacity;
    dp__text new_verdicts;
    known_kernel *kernels;
    size_t kernel_count, kernel_capacity;
};

#define HASH_START 0xcbf29ce484222325u

/* FNV-1a */
static uint64_t add_hash(uint64_t hash, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash;
}

uint64_t dp__variant_source(const dp__variant *variant, bool glsl)
{
    char parameters[128];
    snprintf(parameters, sizeof parameters, "%d %d %d %d %u %u", variant->width, variant->rows,
             variant->vectors, variant->depth, variant->group_x, variant->group_y);
    uint64_t hash = add_hash(HASH_START, parameters, strlen(parameters));
    for (const dp__embedded_source *source = dp__embedded_sources; source->name; source++)
        if (strcmp(source->name, variant->kernel) == 0 && (strcmp(source->dialect, "comp") == 0) == glsl)
            hash = add_hash(hash, source->text, strlen(source->text));
    return hash;
}

dp__tuned *dp__tuned_create(void)
{
    return dp__alloc(1, sizeof(dp__tuned));
}

void dp__tuned_free(dp__gpu *gpu)
{
    dp__tuned *tuned = gpu->tuned;
    char message[256];
    if (!tuned)
        return;
    dp__tuned_save_verdicts(gpu, message); /* where it cannot be written, the next process compares again */
    dp__entries_free(&tuned->entries);
    dp__free(tuned->verdicts);
    dp__free(tuned->kernels);
    dp__text_free(&tuned->new_verdicts);
    dp__free(tuned);
    gpu->tuned = NULL;
}

/* "device | variant | source | right | version" */
static bool read_verdict(const dp__line *line, uint64_t *source, bool *right)
{
    char *end;
    if (line->fields != VERDICT_FIELDS || strlen(line->field[2]) != 16)
        return false;
    *source = strtoull(line->field[2], &end, 16);
    *right = strcmp(line->field[3], "right") == 0;
    return *end == '\0' && (*right || strcmp(line->field[3], "wrong") == 0);
}

static bool add_verdict(void *data, const dp__line *line)
{
    dp__tuned *tuned = data;
    verdict new;
    if (!read_verdict(line, &new.source, &new.right))
        return false;
    if (tuned && strcmp(line->field[0], tuned->device) == 0 &&
        dp__grow(&tuned->verdicts, &tuned->verdict_capacity, tuned->verdict_count + 1,
                 sizeof *tuned->verdicts))
        tuned->verdicts[tuned->verdict_count++] = new;
    return true;
}

bool dp__tuned_save_verdicts(dp__gpu *gpu, char message[256])
{
    dp__tuned *tuned = gpu->tuned;
    dp__text path = {0};
    if (!tuned || tuned->new_verdicts.length == 0)
        return true;
    const bool saved =
        !dp__database_path(".verified", &path) || /* there is no place for it */
        dp__line_file_merge(path.data, verdict_header, &tuned->new_verdicts, 3, add_verdict, message);
    dp__text_free(&path);
    dp__text_free(&tuned->new_verdicts);
    return saved;
}

static void warn(const char *path, size_t bad, size_t first)
{
    if (bad > 0)
        fprintf(
            stderr,
            "dipole: %s: %zu line%s of it cannot be understood and %s passed over, the first is line %zu\n",
            path, bad, bad > 1 ? "s" : "", bad > 1 ? "are" : "is", first);
}

/* Entries of the user's that were measured with another kernel are worth no more than shipped ones. */
static void date_entries(dp__gpu *gpu, dp__entries *entries, size_t first)
{
    for (size_t i = first; i < entries->count; i++) {
        const dp__variant *variant = dp__variant_find(entries->list[i].variant);
        if (variant && entries->list[i].source != dp__variant_source(variant, gpu->driver->glsl))
            entries->list[i].shipped = true;
    }
}

static void load_file(dp__gpu *gpu, const char *suffix)
{
    dp__tuned *tuned = gpu->tuned;
    dp__text path = {0};
    size_t length, first = 0, bad = 0;
    char *text = dp__database_path(suffix, &path) ? dp__line_file_read(path.data, &length) : NULL;
    if (text && *suffix) {
        bad = dp__lines_read(text, length, add_verdict, tuned, &first);
    } else if (text) {
        const size_t before = tuned->entries.count;
        bad = dp__entries_parse(&tuned->entries, text, length, false, &first);
        date_entries(gpu, &tuned->entries, before);
    }
    if (text)
        warn(path.data, bad, first);
    dp__free(text);
    dp__text_free(&path);
}

/* The user's file first: of entries that are equally near the first is taken. */
static void load(dp__gpu *gpu)
{
    dp__tuned *tuned = gpu->tuned;
    tuned->loaded = true;
    tuned->off = dp__database_off();
    dp__device_key(&gpu->device->info, tuned->device);
    if (tuned->off)
        return;
    load_file(gpu, "");
    load_file(gpu, ".verified");
    dp__shipped_entries(&tuned->entries);
    dp__entries_narrow(&tuned->entries, tuned->device);
}

void dp__tuned_add(dp__gpu *gpu, const dp__entry *entry)
{
    dp__tuned *tuned = gpu->tuned;
    if (!tuned)
        return;
    if (!tuned->loaded)
        load(gpu);
    for (size_t i = 0; i < tuned->entries.count; i++) {
        dp__entry *old = &tuned->entries.list[i];
        if (!old->shipped && strcmp(old->device, entry->device) == 0 &&
            dp__class_equal(&old->shape, &entry->shape)) {
            *old = *entry;
            return;
        }
    }
    if (dp__grow(&tuned->entries.list, &tuned->entries.capacity, tuned->entries.count + 1, sizeof *entry))
        tuned->entries.list[tuned->entries.count++] = *entry;
}

/* What the source of a call's kernel depends on. */
static uint64_t kernel_key(const dp__step *step)
{
    uint64_t hash = add_hash(HASH_START, step->kernel, strlen(step->kernel));
    for (int d = 0; d < step->defines; d++) {
        hash = add_hash(hash, step->define[d].name, strlen(step->define[d].name) + 1);
        hash = add_hash(hash, (const char *)&step->define[d].value, sizeof step->define[d].value);
    }
    return hash;
}

/* Whether a variant's kernels are a library's own (gemm.c): their source is not ours to see. */
static bool is_foreign(const dp__variant *variant)
{
    for (const dp__embedded_source *source = dp__embedded_sources; source->name; source++)
        if (strcmp(source->name, variant->kernel) == 0)
            return false;
    return true;
}

/* A library has kernels of its own for each layout and size, which it chooses unseen: each class counts as
 * one. */
static uint64_t foreign_key(const dp__contraction *call, const dp__variant *variant)
{
    const dp__shape_class shape = dp__class_of(call);
    char text[DP__CLASS_TEXT];
    dp__class_print(&shape, text);
    return add_hash(add_hash(HASH_START, variant->name, strlen(variant->name)), text, strlen(text));
}

/* The kernel of a call without its epilogue: that one is checked, a formula that is applied to its sums is
 * not part of it. */
static void plain_step(const dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant,
                       dp__step *step)
{
    dp__contraction plain = *call;
    plain.epilogue = NULL;
    dp__contract_step(gpu, &plain, variant, step);
}

static uint64_t call_key(const dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant)
{
    dp__step step;
    if (is_foreign(variant))
        return foreign_key(call, variant);
    plain_step(gpu, call, variant, &step);
    return kernel_key(&step);
}

static const known_kernel *find_known(const dp__tuned *tuned, uint64_t key)
{
    for (size_t i = 0; i < tuned->kernel_count; i++)
        if (tuned->kernels[i].key == key)
            return &tuned->kernels[i];
    return NULL;
}

/* False where memory is out for the source's text. */
static bool source_of(const dp__gpu *gpu, const dp__step *step, uint64_t *hash)
{
    dp__text text = {0};
    const bool made = dp__step_source(step, gpu->driver->glsl, &text);
    *hash = made ? add_hash(HASH_START, text.data, text.length) : 0;
    dp__text_free(&text);
    return made;
}

static const verdict *find_verdict(const dp__tuned *tuned, uint64_t source)
{
    for (size_t i = tuned->verdict_count; i-- > 0;) /* the newest first */
        if (tuned->verdicts[i].source == source)
            return &tuned->verdicts[i];
    return NULL;
}

/* A size that needs two tiles and leaves the same rest. */
static int64_t fewer(int64_t size, int64_t tile)
{
    return size > 2 * tile ? tile + size % tile : size;
}

/* A small call for which a variant takes the same kernel: two tiles either way and two blocks of depths. */
static dp__trial_shape reduced(const dp__contraction *call, const dp__variant *variant)
{
    dp__trial_shape shape = dp__trial_of(call);
    const int64_t rows = variant->rows * (int64_t)variant->group_y;
    const int64_t columns = (int64_t)variant->vectors * variant->width * variant->group_x;
    const int64_t tile = columns * DP_CEIL_DIV(128, columns); /* wide enough for every unit of columns */
    shape.m = fewer(shape.m, rows * DP_CEIL_DIV(16, rows));
    shape.n[0] = fewer(shape.n[0], tile);
    for (int axis = 1; axis < 3; axis++) {
        const int64_t inner = axis == 1 ? shape.n[0] : shape.n[0] * shape.n[1];
        shape.n[axis] = DP_MIN2(shape.n[axis], DP_CEIL_DIV(tile, inner) + 1);
    }
    /* Of work-items that share one sum, each takes a vector of depths. */
    const int64_t block = DP_MAX2(variant->depth, DP_MAX2(32, (int64_t)variant->width * variant->group_x));
    if (shape.depth > 2 * block) {
        shape.depth = block + shape.depth % block;
        shape.taps = 0;
    }
    shape.batches = DP_MIN2(shape.batches, 2);
    return shape;
}

/* The same with other rests, which the kernel does not depend on. */
static dp__trial_shape odd(dp__trial_shape shape)
{
    shape.m += 3;
    shape.n[0] += shape.n[0] > 128 ? 5 : 0;
    shape.depth += 7;
    shape.taps = 0;
    return shape;
}

/* Compares the kernel that a variant takes for `call` on one trial; *same tells whether the trial has that
 * kernel at all. */
static dp_status compare(dp__gpu *gpu, const dp__trial_shape *shape, const dp__variant *variant, uint64_t key,
                         bool *same, bool *right)
{
    dp__trial trial;
    *same = false;
    DP_CHECK(dp__trial_open(gpu, shape, 11, &trial));
    *same = dp__contract_suits(gpu, &trial.call, variant) && call_key(gpu, &trial.call, variant) == key;
    const dp_status status = *same ? dp__trial_check(gpu, &trial, variant, right) : DP_OK;
    dp__trial_close(&trial);
    return status;
}

static dp_status compare_all(dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant,
                             uint64_t key, bool thorough, dp__tuned_verdict *result)
{
    bool same, right = false;
    dp__trial_shape shape = is_foreign(variant) ? dp__trial_of(call) : reduced(call, variant);
    if (is_foreign(variant)) {
        if (!dp__tune_shape_cut(&shape, FOREIGN_FLOPS, UINT64_MAX))
            return DP_OK;
        const dp__contraction small = dp__trial_call(&shape); /* where it is cut, of another class */
        key = call_key(gpu, &small, variant);
    }
    DP_CHECK(compare(gpu, &shape, variant, key, &same, &right));
    if (!same) {
        shape = dp__trial_of(call);
        if (dp__trial_flops(&shape) > PROBE_FLOPS || is_foreign(variant))
            return DP_OK;
        DP_CHECK(compare(gpu, &shape, variant, key, &same, &right));
    }
    if (same && right && thorough && !is_foreign(variant)) {
        bool same_odd;
        shape = odd(shape);
        DP_CHECK(compare(gpu, &shape, variant, key, &same_odd, &right));
        right = right || !same_odd;
    }
    if (same)
        *result = right ? DP__TUNED_RIGHT : DP__TUNED_WRONG;
    return DP_OK;
}

/* A check must not show: neither in the profile, nor in a program, nor as a failure, nor in the memory that was used. */
static dp__tuned_verdict compare_quietly(dp__gpu *gpu, const dp__contraction *call,
                                         const dp__variant *variant, uint64_t key, bool thorough,
                                         char message[256])
{
    dp_device *device = gpu->device;
    const bool profiling = gpu->profiling, failed = device->status != DP_OK;
    const uint64_t peak = device->peak_bytes;
    dp__tuned_verdict result = DP__TUNED_FAILED;
    gpu->profiling = false;
    dp__capture_suspend(gpu);
    const dp_status status = compare_all(gpu, call, variant, key, thorough, &result);
    dp__capture_resume(gpu);
    if (message)
        snprintf(message, 256, "%.255s",
                 result == DP__TUNED_WRONG ? "its result is wrong"
                 : status != DP_OK         ? (failed ? dp_status_text(status) : device->message)
                                           : "no small call has the same kernel");
    gpu->profiling = profiling;
    device->peak_bytes = DP_MAX2(peak, device->bytes_in_use);
    if (!failed && !device->lost)
        dp_clear(device);
    return status == DP_OK ? result : DP__TUNED_FAILED;
}

static void keep_verdict(dp__gpu *gpu, const dp__variant *variant, uint64_t source, bool right)
{
    dp__tuned *tuned = gpu->tuned;
    if (dp__grow(&tuned->verdicts, &tuned->verdict_capacity, tuned->verdict_count + 1,
                 sizeof *tuned->verdicts))
        tuned->verdicts[tuned->verdict_count++] = (verdict){source, right};
    dp__text_add(&tuned->new_verdicts, "%s | %s | %016llx | %s | %s\n", tuned->device, variant->name,
                 (unsigned long long)source, right ? "right" : "wrong", dp_version());
    if (!right)
        fprintf(stderr, "dipole: %s: kernel %s gives wrong results on this device and is not used\n",
                gpu->device->info.id, variant->name);
}

/* False where memory is out for the note: then the kernel is not used, or it would be compared at each call.
 */
static bool note_kernel(dp__tuned *tuned, uint64_t key, dp__tuned_verdict result)
{
    for (size_t i = 0; i < tuned->kernel_count; i++)
        if (tuned->kernels[i].key == key) {
            tuned->kernels[i].verdict = result;
            return true;
        }
    if (!dp__grow(&tuned->kernels, &tuned->kernel_capacity, tuned->kernel_count + 1, sizeof *tuned->kernels))
        return false;
    tuned->kernels[tuned->kernel_count++] = (known_kernel){key, result};
    return true;
}

dp__tuned_verdict dp__tuned_verify(dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant,
                                   bool thorough, char message[256])
{
    dp__tuned *tuned = gpu->tuned;
    dp__step step;
    uint64_t source;
    if (message)
        message[0] = '\0';
    if (!tuned || gpu->device->lost)
        return DP__TUNED_FAILED;
    if (!tuned->loaded)
        load(gpu);
    const uint64_t key = call_key(gpu, call, variant);
    const known_kernel *known = find_known(tuned, key);
    if (known && (!thorough || known->verdict == DP__TUNED_WRONG)) {
        if (message && known->verdict == DP__TUNED_WRONG)
            snprintf(message, 256, "its result is wrong");
        return known->verdict;
    }
    if (is_foreign(variant)) {
        source = key;
    } else {
        plain_step(gpu, call, variant, &step);
        if (!source_of(gpu, &step, &source))
            return DP__TUNED_FAILED;
    }
    const verdict *old = find_verdict(tuned, source);
    dp__tuned_verdict result = old && old->right ? DP__TUNED_RIGHT : DP__TUNED_WRONG;
    if (!old || thorough) {
        result = compare_quietly(gpu, call, variant, key, thorough, message);
        if (result != DP__TUNED_FAILED && (!old || old->right != (result == DP__TUNED_RIGHT)))
            keep_verdict(gpu, variant, source, result == DP__TUNED_RIGHT);
    }
    return note_kernel(tuned, key, result) ? result : DP__TUNED_FAILED;
}

typedef struct wish {
    dp__gpu *gpu;
    const dp__contraction *call;
} wish;

/* Whether an entry can be taken as far as is known without running anything. */
static bool is_usable(void *data, const dp__entry *entry)
{
    const wish *own = data;
    const dp__variant *variant = dp__variant_find(entry->variant);
    if (!variant || !dp__contract_suits(own->gpu, own->call, variant))
        return false;
    const known_kernel *known = find_known(own->gpu->tuned, call_key(own->gpu, own->call, variant));
    return !known || known->verdict == DP__TUNED_RIGHT;
}

/* The choice depends on the call and the database alone, and on no earlier call: the same calls give the same
 * bits. */
const dp__variant *dp__tuned_choice(dp__gpu *gpu, const dp__contraction *call)
{
    dp__tuned *tuned = gpu->tuned;
    wish own = {gpu, call};
    const dp__entry *entry;
    if (!tuned || gpu->device->lost || call->batches < 1 || call->m < 1 || call->n[0] < 1 || call->n[1] < 1 ||
        call->n[2] < 1 || call->depth < 1)
        return NULL;
    if (!tuned->loaded)
        load(gpu);
    const dp__shape_class shape = dp__class_of(call);
    while ((entry = dp__entries_find(&tuned->entries, tuned->device, &shape, is_usable, &own))) {
        const dp__variant *variant = dp__variant_find(entry->variant);
        const size_t known = tuned->kernel_count;
        if (dp__tuned_verify(gpu, call, variant, false, NULL) == DP__TUNED_RIGHT)
            return variant;
        if (tuned->kernel_count ==
            known) /* no memory for a note that it is of no use, or the device is lost */
            return NULL;
    }
    return NULL;
}
