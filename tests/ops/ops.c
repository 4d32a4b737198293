/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of cases, parameters, inputs and runs. */
#include "ops.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const ops_op ops_cast, ops_copy, ops_random, ops_matmul, ops_conv2d, ops_conv2d_gradient_input,
    ops_conv2d_gradient_weights, ops_conv2d_transposed, ops_map, ops_reduce, ops_gather,
    ops_scatter_add, ops_pairwise, ops_pairwise_batch, ops_pairwise_smallest, ops_potential;

static const ops_op *const table[] = {
    &ops_copy,   &ops_random,      &ops_matmul,   &ops_conv2d,           &ops_map,       &ops_reduce,
    &ops_gather, &ops_scatter_add, &ops_pairwise, &ops_pairwise_smallest, &ops_potential,
    &ops_cast, &ops_pairwise_batch, &ops_conv2d_gradient_input, &ops_conv2d_gradient_weights, &ops_conv2d_transposed,
};

/* The layouts below use at most one more element than this many times an axis. */
enum { MAX_STEP = 3 };

struct ops_kept {
    struct ops_kept *next;
    dp_tensor *tensor;
    void *memory;
};

const ops_op *ops_at(size_t index)
{
    return index < sizeof table / sizeof table[0] ? table[index] : NULL;
}

const ops_op *ops_find(const char *name)
{
    for (size_t k = 0; ops_at(k); k++)
        if (!strcmp(ops_at(k)->name, name))
            return ops_at(k);
    return NULL;
}

/* ---- parameters: key=value or key="value" between blanks ---- */

typedef struct pair {
    const char *key, *value;
    size_t key_length, value_length;
} pair;

static bool next_pair(const char **cursor, pair *found)
{
    const char *at = *cursor + strspn(*cursor, " ");
    found->key = at;
    found->key_length = strcspn(at, "= ");
    at += found->key_length;
    if (!found->key_length || *at != '=')
        return false;
    at++;
    const bool quoted = *at == '"';
    found->value = at + quoted;
    found->value_length = strcspn(found->value, quoted ? "\"" : " ");
    at = found->value + found->value_length;
    *cursor = quoted && *at == '"' ? at + 1 : at;
    return true;
}

static bool find_pair(const char *text, const char *key, pair *found)
{
    while (next_pair(&text, found))
        if (found->key_length == strlen(key) && !memcmp(found->key, key, found->key_length))
            return true;
    return false;
}

/* Whether the `length` characters at `word` are one of the words of `list`. */
static bool listed(const char *list, const char *word, size_t length)
{
    while (*list) {
        const size_t span = strcspn(list, " ");
        if (span == length && !memcmp(list, word, length))
            return true;
        list += span + strspn(list + span, " ");
    }
    return false;
}

static bool text_valid(ops_list *list, const char *text)
{
    const ops_op *op = list->op;
    pair found;
    while (next_pair(&text, &found))
        if (!listed(op->keys, found.key, found.key_length)) {
            snprintf(list->message, sizeof list->message, "%s has no parameter '%.*s'; it has: %s", op->name,
                     (int)found.key_length, found.key, op->keys);
            return false;
        }
    if (text[strspn(text, " ")])
        snprintf(list->message, sizeof list->message, "'%s' is not of the form key=value", text);
    return !text[strspn(text, " ")];
}

const char *ops_word(const ops_run *run, const char *key, const char *fallback, char *word, size_t size)
{
    pair found;
    if (find_pair(run->text, key, &found))
        snprintf(word, size, "%.*s", (int)found.value_length, found.value);
    else
        snprintf(word, size, "%s", fallback);
    return word;
}

bool ops_is(const ops_run *run, const char *key, const char *value)
{
    pair found;
    return find_pair(run->text, key, &found) && found.value_length == strlen(value) &&
           !memcmp(found.value, value, found.value_length);
}

int64_t ops_int(const ops_run *run, const char *key, int64_t fallback)
{
    char word[32];
    ops_word(run, key, "", word, sizeof word);
    return *word ? strtoll(word, NULL, 10) : fallback;
}

double ops_real(const ops_run *run, const char *key, double fallback)
{
    char word[32];
    ops_word(run, key, "", word, sizeof word);
    return *word ? strtod(word, NULL) : fallback;
}

dp_shape ops_shape(const ops_run *run, const char *key, dp_shape fallback)
{
    char word[96];
    ops_word(run, key, "", word, sizeof word);
    if (!*word)
        return fallback;
    dp_shape shape = DP_SCALAR;
    if (!strcmp(word, "scalar"))
        return shape;
    for (const char *at = word; *at && shape.rank < DP_MAX_RANK;) {
        char *end;
        shape.dim[shape.rank++] = strtoll(at, &end, 10);
        at = *end == 'x' ? end + 1 : "";
    }
    return shape;
}

/* ---- lists ---- */

static bool grow(ops_list *list)
{
    if (list->count < list->capacity)
        return true;
    const size_t capacity = list->capacity ? 2 * list->capacity : 64;
    ops_case *cases = realloc(list->cases, capacity * sizeof *cases);
    if (!cases) {
        snprintf(list->message, sizeof list->message, "out of memory");
        return false;
    }
    list->cases = cases;
    list->capacity = capacity;
    return true;
}

void ops_add(ops_list *list, bool tiny, const char *format, ...)
{
    if (!grow(list))
        return;
    ops_case *item = &list->cases[list->count];
    memset(item, 0, sizeof *item);
    item->op = list->op;
    item->tiny = tiny;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(item->text, sizeof item->text, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof item->text)
        snprintf(list->message, sizeof list->message, "a case is too long: %.100s", item->text);
    else if (text_valid(list, item->text))
        list->count++;
}

void ops_list_cases(ops_list *list, const ops_op *op)
{
    for (size_t k = 0; ops_at(k); k++)
        if (!op || op == ops_at(k)) {
            list->op = ops_at(k);
            ops_at(k)->cases(list);
        }
}

void ops_list_bench(ops_list *list, const ops_op *op)
{
    for (size_t k = 0; ops_at(k); k++)
        if ((!op || op == ops_at(k)) && ops_at(k)->bench) {
            list->op = ops_at(k);
            ops_at(k)->bench(list);
        }
}

void ops_list_free(ops_list *list)
{
    for (size_t k = 0; k < list->count; k++)
        ops_answer_free(&list->cases[k].answer);
    free(list->cases);
    memset(list, 0, sizeof *list);
}

/* "512x64" as "m=512 n=64", by the op's list of keys; false where it does not fit. */
static bool spell_shape(const ops_op *op, const char *shape, char text[OPS_TEXT])
{
    const char *key = op->shape;
    size_t used = 0;
    while (*key) {
        const size_t span = strcspn(key, " "), digits = strspn(shape, "0123456789");
        if (!digits || digits > 10 || used + span + digits + 3 > OPS_TEXT)
            return false;
        used += (size_t)snprintf(text + used, OPS_TEXT - used, "%s%.*s=%.*s", used ? " " : "", (int)span, key,
                                 (int)digits, shape);
        key += span + strspn(key + span, " ");
        shape += digits;
        if (*key && *shape++ != 'x')
            return false;
    }
    return !*shape;
}

bool ops_list_shape(ops_list *list, const ops_op *op, const char *shape)
{
    char text[OPS_TEXT] = "";
    list->op = op;
    if (!op->shape)
        snprintf(list->message, sizeof list->message, "%s has no benchmark", op->name);
    else if (strchr(shape, '='))
        ops_add(list, false, "%s", shape);
    else if (spell_shape(op, shape, text))
        ops_add(list, false, "%s", text);
    else
        snprintf(list->message, sizeof list->message,
                 "'%.64s' is no shape of %s: that is numbers with x between them for %s", shape, op->name,
                 op->shape);
    return !list->message[0];
}

/* ---- shapes ---- */

int64_t ops_size(dp_shape shape)
{
    int64_t size = 1;
    for (int a = 0; a < shape.rank; a++)
        size *= shape.dim[a];
    return size;
}

bool ops_same_shape(dp_shape a, dp_shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int k = 0; k < a.rank; k++)
        if (a.dim[k] != b.dim[k])
            return false;
    return true;
}

void ops_unravel(dp_shape shape, int64_t t, int64_t index[DP_MAX_RANK])
{
    for (int a = shape.rank - 1; a >= 0; a--) {
        index[a] = t % shape.dim[a];
        t /= shape.dim[a];
    }
}

int64_t ops_ravel(dp_shape shape, const int64_t index[DP_MAX_RANK])
{
    int64_t t = 0;
    for (int a = 0; a < shape.rank; a++)
        t = t * shape.dim[a] + index[a];
    return t;
}

int64_t ops_ravel_broadcast(dp_shape shape, dp_shape full, const int64_t index[DP_MAX_RANK])
{
    int64_t t = 0;
    for (int a = 0; a < shape.rank; a++)
        t = t * shape.dim[a] + (shape.dim[a] == 1 ? 0 : index[full.rank - shape.rank + a]);
    return t;
}

/* ---- what a run holds ---- */

static struct ops_kept *keep(ops_run *run)
{
    struct ops_kept *node = calloc(1, sizeof *node);
    if (!node) {
        run->failed = true;
        return NULL;
    }
    node->next = run->kept;
    run->kept = node;
    return node;
}

dp_tensor *ops_keep(ops_run *run, dp_tensor *tensor)
{
    struct ops_kept *node = tensor ? keep(run) : NULL;
    if (node)
        node->tensor = tensor;
    else
        dp_tensor_release(&tensor);
    return tensor;
}

void *ops_memory(ops_run *run, size_t count, size_t size)
{
    struct ops_kept *node = keep(run);
    if (!node)
        return NULL;
    node->memory = calloc(count ? count : 1, size);
    run->failed = run->failed || !node->memory;
    return node->memory;
}

static const void *read_all(ops_run *run, const dp_tensor *tensor, size_t element)
{
    static const float nothing[1];
    const size_t size = (size_t)dp_tensor_size(tensor);
    void *data = tensor ? ops_memory(run, size, element) : NULL;
    if (!data)
        return nothing;
    dp_read(tensor, data, size * element);
    return data;
}

const float *ops_floats(ops_run *run, const dp_tensor *tensor)
{
    const dp_dtype dtype = dp_tensor_dtype(tensor);
    const void *data = read_all(run, tensor, dp_dtype_size(dtype));
    if (dtype == DP_F32)
        return data;
    const size_t size = (size_t)dp_tensor_size(tensor);
    float *wide = ops_memory(run, size, sizeof *wide);
    for (size_t t = 0; wide && t < size; t++)
        wide[t] = (float)ops_number(dtype, ops_bits(data, dtype, t));
    return wide ? wide : data;
}

const int32_t *ops_ints(ops_run *run, const dp_tensor *tensor)
{
    return read_all(run, tensor, sizeof(int32_t));
}

/* ---- elements ---- */

dp_dtype ops_dtype(const ops_run *run, const char *key, dp_dtype fallback)
{
    for (int d = 0; d < DP_DTYPE_COUNT; d++)
        if (ops_is(run, key, dp_dtype_name((dp_dtype)d)))
            return (dp_dtype)d;
    return fallback;
}

uint32_t ops_bits(const void *data, dp_dtype dtype, size_t t)
{
    return dp_dtype_size(dtype) == 2 ? ((const uint16_t *)data)[t] : ((const uint32_t *)data)[t];
}

/* By the formats' definition: sign, exponent, fraction. */
double ops_number(dp_dtype dtype, uint32_t bits)
{
    if (dtype == DP_I32)
        return (double)(int32_t)bits;
    const int fraction_bits = dtype == DP_F32 ? 23 : dtype == DP_F16 ? 10 : 7, exponent_bits = dtype == DP_F16 ? 5 : 8;
    const int most = (1 << exponent_bits) - 1, bias = most / 2;
    const int exponent = (int)(bits >> fraction_bits) & most;
    const uint32_t fraction = bits & ((1u << fraction_bits) - 1);
    const bool minus = bits >> (fraction_bits + exponent_bits) & 1;
    double size = exponent ? ldexp(1.0 + ldexp((double)fraction, -fraction_bits), exponent - bias)
                           : ldexp((double)fraction, 1 - bias - fraction_bits);
    if (exponent == most)
        size = fraction ? (double)NAN : (double)INFINITY;
    return minus ? -size : size;
}

/* The f32 in the middle between the 16-bit number t / 3 and the next one away from zero, or its neighbours; NaNs behind infinity. */
static uint32_t tie(dp_dtype dtype, int64_t t)
{
    const uint32_t half = (uint32_t)(t / 3) & 0xffff, sign = half & 0x8000, infinity = dtype == DP_F16 ? 0x7c00 : 0x7f80;
    const uint32_t size = half & 0x7fff, last = infinity - 1, step = infinity - 2;
    if (size >= infinity)
        return sign << 16 | 0x7f800000u | (size - infinity) << 12 | (uint32_t)(t % 3) << 22;
    double middle = (ops_number(dtype, size) + ops_number(dtype, size + 1)) / 2;
    if (size == last)
        middle = ops_number(dtype, last) + (ops_number(dtype, last) - ops_number(dtype, step)) / 2;
    const float value = (float)middle; /* exact */
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return sign << 16 | (bits + (uint32_t)(t % 3) - 1);
}

/* ---- inputs ---- */

static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

static uint64_t seed_of(const ops_run *run)
{
    uint64_t seed = 0xcbf29ce484222325u;
    for (const char *at = run->text; *at; at++)
        seed = (seed ^ (unsigned char)*at) * 0x100000001b3u;
    return mix(seed + (uint64_t)run->sources);
}

/* The f16 of a number of less than 2^16 without the bits that have no place, 0 where it is denormal. */
static uint32_t cut_f16(double value)
{
    int exponent;
    const double part = frexp(fabs(value), &exponent); /* in [1/2, 1) */
    if (part == 0 || exponent < -13)
        return 0;
    return (value < 0 ? 0x8000u : 0u) | (uint32_t)(exponent + 14) << 10 | ((uint32_t)(part * 2048) & 0x3ff);
}

uint32_t ops_element(uint64_t seed, ops_fill fill, dp_dtype dtype, int64_t t)
{
    const uint64_t word = mix(seed + 0x9e3779b97f4a7c15u * (uint64_t)(t + 1));
    const double part = (double)(word >> 40) * 0x1p-24;
    const bool half = dp_dtype_size(dtype) == 2;
    uint32_t bits = half ? (uint32_t)word & 0xffff : (uint32_t)word;
    if (fill.kind == OPS_COUNT)
        return (uint32_t)t & (half ? 0xffff : 0xffffffff);
    if (fill.kind == OPS_TIES)
        return tie(fill.halves, t);
    double value = fill.low + (fill.high - fill.low) * part;
    if (fill.kind == OPS_LEVELS)
        value = fill.low + floor((fill.high - fill.low + 1) * part);
    if (fill.kind != OPS_WORDS && dtype == DP_I32)
        bits = (uint32_t)(int32_t)value;
    else if (fill.kind != OPS_WORDS && dtype == DP_F16)
        bits = cut_f16(value);
    else if (fill.kind != OPS_WORDS) {
        memcpy(&bits, &(float){(float)value}, sizeof bits);
        bits = half ? bits >> 16 : bits;
    }
    return bits;
}

static bool is(const char *layout, const char *name)
{
    return !strcmp(layout, name);
}

static void swap(int64_t *a, int64_t *b)
{
    const int64_t t = *a;
    *a = *b;
    *b = t;
}

/* The shape of the buffer that a view of `shape` is taken from. */
static dp_shape stored_shape(dp_shape shape, const char *layout)
{
    dp_shape stored = shape;
    const int last = shape.rank - 1;
    if (shape.rank == 0)
        return stored;
    if (is(layout, "t") && last > 0)
        swap(&stored.dim[last], &stored.dim[last - 1]);
    else if (is(layout, "rev"))
        for (int a = 0; a < shape.rank; a++)
            stored.dim[a] = shape.dim[last - a];
    else if (is(layout, "step"))
        stored.dim[last] = 2 * shape.dim[last] + 1;
    else if (is(layout, "rows"))
        stored.dim[0] = MAX_STEP * shape.dim[0] + 1;
    else if (is(layout, "offset"))
        stored.dim[0] = shape.dim[0] + 1;
    else if (is(layout, "bcast"))
        stored.dim[0] = 1;
    else if (is(layout, "inner"))
        stored.dim[last] = 1;
    else if (is(layout, "chain"))
        stored = (dp_shape){3, {shape.dim[2] + 3, 2 * shape.dim[0] + 1, shape.dim[1]}};
    return stored;
}

dp_tensor *ops_buffer(ops_run *run, dp_dtype dtype, dp_shape shape, const char *layout, ops_fill fill)
{
    const dp_shape stored = stored_shape(shape, layout);
    const int64_t size = ops_size(stored);
    const uint64_t seed = seed_of(run), most = dp_device_get_info(run->device).max_tensor_bytes;
    const size_t bytes = dp_dtype_size(dtype);
    if (size < 0 || (uint64_t)size > most / bytes) /* the device says it in its own words */
        return ops_keep(run, dp_empty(run->device, dtype, stored));
    void *data = ops_memory(run, (size_t)size, bytes);
    if (!data || run->sources == OPS_MAX_INPUTS)
        return NULL;
    for (int64_t t = 0; t < size; t++) {
        const uint32_t bits = ops_element(seed, fill, dtype, t);
        if (bytes == 2)
            ((uint16_t *)data)[t] = (uint16_t)bits;
        else
            ((uint32_t *)data)[t] = bits;
    }
    ops_source *source = &run->source[run->sources++];
    source->data = data;
    source->bytes = (size_t)size * bytes;
    source->tensor = ops_keep(run, dp_from(run->device, dtype, stored, data));
    return source->tensor;
}

static dp_tensor *chain(ops_run *run, dp_tensor *buffer, dp_shape shape)
{
    dp_tensor *turned = ops_keep(run, dp_permute(buffer, (const int[]){1, 2, 0}, 3));
    dp_tensor *odd = ops_keep(run, dp_slice(turned, 0, 1, 2 * shape.dim[0] + 1, 2));
    return ops_keep(run, dp_slice(odd, 2, 2, shape.dim[2] + 2, 1));
}

dp_tensor *ops_view(ops_run *run, dp_tensor *buffer, dp_shape shape, const char *layout)
{
    const int last = shape.rank - 1;
    if (shape.rank == 0)
        return buffer;
    if (is(layout, "t") && last > 0)
        return ops_keep(run, dp_transpose(buffer, last - 1, last));
    if (is(layout, "rev")) {
        int order[DP_MAX_RANK];
        for (int a = 0; a <= last; a++)
            order[a] = last - a;
        return ops_keep(run, dp_permute(buffer, order, shape.rank));
    }
    if (is(layout, "step"))
        return ops_keep(run, dp_slice(buffer, last, 1, 2 * shape.dim[last] + 1, 2));
    if (is(layout, "rows"))
        return ops_keep(run, dp_slice(buffer, 0, 1, MAX_STEP * shape.dim[0] + 1, MAX_STEP));
    if (is(layout, "offset"))
        return ops_keep(run, dp_slice(buffer, 0, 1, shape.dim[0] + 1, 1));
    if (is(layout, "bcast") || is(layout, "inner"))
        return ops_keep(run, dp_broadcast(buffer, shape));
    return is(layout, "chain") ? chain(run, buffer, shape) : buffer;
}

dp_tensor *ops_input(ops_run *run, dp_dtype dtype, dp_shape shape, const char *layout, ops_fill fill)
{
    dp_tensor *buffer = ops_buffer(run, dtype, shape, layout, fill);
    return buffer ? ops_view(run, buffer, shape, layout) : NULL;
}

void ops_will_write(ops_run *run)
{
    if (run->sources)
        run->source[run->sources - 1].tensor = NULL;
}

/* ---- runs ---- */

void ops_run_open(ops_run *run, const ops_case *item, dp_device *device)
{
    memset(run, 0, sizeof *run);
    run->op = item->op;
    run->text = item->text;
    run->device = device;
    run->state = ops_memory(run, 1, item->op->state_size + 1);
    if (run->state)
        item->op->setup(run);
}

static void release_results(ops_run *run)
{
    for (int k = 0; k < OPS_MAX_RESULTS; k++) {
        dp_tensor_release(&run->result[k]);
        dp_tensor_release(&run->bound[k]);
    }
    run->results = 0;
}

void ops_run_launch(ops_run *run)
{
    release_results(run);
    if (!run->failed)
        run->op->launch(run);
}

void ops_run_close(ops_run *run)
{
    release_results(run);
    while (run->kept) {
        struct ops_kept *node = run->kept;
        run->kept = node->next;
        dp_tensor_release(&node->tensor);
        free(node->memory);
        free(node);
    }
    memset(run, 0, sizeof *run);
}
