/* SPDX-License-Identifier: Apache-2.0 */
/* One case against the reference, element by element. */
#include "ops.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_ROUNDOFF 0x1p-24

/* One result on the host. */
typedef struct values {
    dp_dtype dtype;
    dp_shape shape;
    size_t count;
    void *data;   /* the elements' bits, each in 32 */
    float *bound; /* NULL: exact */
} values;

struct ops_answer {
    values result[OPS_MAX_RESULTS];
    int results;
};

void ops_answer_free(struct ops_answer **answer)
{
    for (int k = 0; *answer && k < OPS_MAX_RESULTS; k++) {
        free((*answer)->result[k].data);
        free((*answer)->result[k].bound);
    }
    free(*answer);
    *answer = NULL;
}

static bool fail(ops_verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Keeps the first failure; returns false. */
static bool fail(ops_verdict *verdict, const char *format, ...)
{
    if (verdict->outcome == OPS_PASSED) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(verdict->message, sizeof verdict->message, format, arguments);
        va_end(arguments);
        verdict->outcome = OPS_FAILED;
    }
    return false;
}

/* Asks the device whether all went well so far. Unsupported is a skip. */
static bool device_ok(const ops_run *run, ops_verdict *verdict)
{
    const dp_status status = dp_failed(run->device);
    if (run->failed)
        return fail(verdict, "out of host memory");
    if (status == DP_OK)
        return true;
    fail(verdict, "%s: %s", dp_status_name(status), dp_message(run->device));
    if (status == DP_ERROR_UNSUPPORTED)
        verdict->outcome = OPS_SKIPPED;
    return false;
}

/* ---- reading ---- */

static void *read_words(const dp_tensor *tensor, size_t count)
{
    const dp_dtype dtype = dp_tensor_dtype(tensor);
    uint32_t *data = calloc(count ? count : 1, sizeof *data);
    if (data)
        dp_read(tensor, data, count * dp_dtype_size(dtype));
    for (size_t t = count; data && dp_dtype_size(dtype) == 2 && t-- > 0;) /* from behind: in place */
        data[t] = ops_bits(data, dtype, t);
    return data;
}

static bool read_results(ops_run *run, struct ops_answer *answer, ops_verdict *verdict)
{
    if (!device_ok(run, verdict))
        return false;
    answer->results = run->results;
    for (int k = 0; k < run->results; k++) {
        values *result = &answer->result[k];
        result->dtype = dp_tensor_dtype(run->result[k]);
        result->shape = dp_tensor_shape(run->result[k]);
        result->count = (size_t)dp_tensor_size(run->result[k]);
        result->data = read_words(run->result[k], result->count);
        if (!result->data)
            return fail(verdict, "out of host memory");
    }
    return device_ok(run, verdict);
}

/* Launches once and reads the results. */
static bool launch_and_read(ops_run *run, struct ops_answer *answer, ops_verdict *verdict)
{
    ops_run_launch(run);
    return read_results(run, answer, verdict);
}

static bool inputs_intact(ops_run *run, ops_verdict *verdict)
{
    for (int k = 0; k < run->sources; k++) {
        const ops_source *source = &run->source[k];
        if (!source->tensor)
            continue;
        void *now = calloc(source->bytes ? source->bytes : 1, 1);
        if (now)
            dp_read(source->tensor, now, source->bytes);
        const bool same = now && !memcmp(now, source->data, source->bytes);
        free(now);
        if (!device_ok(run, verdict))
            return false;
        if (!same)
            return fail(verdict, "input %d was overwritten", k);
    }
    return true;
}

/* ---- comparing ---- */

static bool same_kind(double a, double b)
{
    return isnan(a) ? isnan(b) : !isnan(b) && signbit(a) == signbit(b);
}

/* Whether `got` is close enough to `want`; adds to *worst. An infinite bound says that f32 may overflow on
 * the way. */
static bool within(double got, double want, double bound, double *worst)
{
    if (isnan(want) || isnan(bound))
        return isnan(want) && isnan(got);
    if (isinf(want))
        return same_kind(got, want) && (isinf(got) || (isinf(bound) && fabs(got) > (double)FLT_MAX / 4));
    if (isinf(bound))
        return true;
    const double error = fabs(got - want);
    const double allowed = bound + UNIT_ROUNDOFF * fabs(want);
    if (!(error <= allowed))
        return false;
    if (error > 0)
        *worst = fmax(*worst, error / allowed);
    return true;
}

static void where(const values *result, size_t t, char *text, size_t size)
{
    int64_t index[DP_MAX_RANK];
    size_t used = 1;
    ops_unravel(result->shape, (int64_t)t, index);
    snprintf(text, size, "[");
    for (int a = 0; a < result->shape.rank && used < size; a++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, a ? ", " : "", index[a]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

/* Numbers of a result: of words, of i32, of f32. */
static double number(const ops_run *run, const values *result, size_t t)
{
    uint32_t word;
    memcpy(&word, (const char *)result->data + t * sizeof word, sizeof word);
    return run->exact ? word : ops_number(result->dtype, word);
}

/* `got` against `want` with a bound that is scaled by `part`: 1 for a device, next to nothing for the
 * reference. */
static bool compare(const ops_run *run, int which, const values *got, const double *want, const float *bound,
                    double part, ops_verdict *verdict)
{
    size_t empty = 0;
    for (size_t t = 0; t < got->count; t++) {
        const double value = number(run, got, t);
        const double allowed = bound ? (double)bound[t] * part : 0;
        const bool exact = run->exact || (got->dtype == DP_I32 && !bound);
        empty += isinf(allowed) && isfinite(want[t]);
        if (exact ? value == want[t] : within(value, want[t], allowed, &verdict->worst))
            continue;
        char place[128];
        where(got, t, place, sizeof place);
        if (run->exact)
            return fail(verdict, "result %d at %s has the bits %08x, not %08x", which, place, (unsigned)value,
                        (unsigned)want[t]);
        return fail(verdict, "result %d at %s is %.9g, not %.9g: off by %.3g where %.3g is allowed", which,
                    place, value, want[t], fabs(value - want[t]), allowed);
    }
    if (2 * empty > got->count)
        return fail(verdict, "result %d: the bound of %zu of %zu elements is infinite", which, empty,
                    got->count);
    return true;
}

/* The numbers of a result to compare by: for indices that have a bound, the values that they stand for. */
static double *numbers(ops_run *run, const values *result, bool indices)
{
    double *list = ops_memory(run, result->count, sizeof *list);
    if (list && indices)
        run->op->at(run, result->data, list);
    else
        for (size_t t = 0; list && t < result->count; t++)
            list[t] = number(run, result, t);
    return list;
}

/* Indices by what they stand for; equal ones (-1 over no elements, too) are right. */
static bool compare_indices(ops_run *run, int which, const values *got, const values *want,
                            ops_verdict *verdict)
{
    const double *a = numbers(run, got, true), *b = numbers(run, want, true);
    const int32_t *i = got->data, *j = want->data;
    if (!a || !b)
        return fail(verdict, "out of host memory");
    for (size_t t = 0; t < got->count; t++) {
        if (i[t] == j[t] || within(a[t], b[t], (double)want->bound[t], &verdict->worst))
            continue;
        char place[128];
        where(got, t, place, sizeof place);
        return fail(verdict, "result %d at %s is index %d of value %.9g, not %d of %.9g: allowed is %.3g",
                    which, place, i[t], a[t], j[t], b[t], (double)want->bound[t]);
    }
    return true;
}

/* What a device computed against the reference's answer. */
static bool compare_answer(ops_run *run, const struct ops_answer *got, const struct ops_answer *want,
                           ops_verdict *verdict)
{
    if (got->results != want->results)
        return fail(verdict, "%d results, not %d", got->results, want->results);
    for (int k = 0; k < got->results; k++) {
        const values *a = &got->result[k], *b = &want->result[k];
        if (a->dtype != b->dtype || !ops_same_shape(a->shape, b->shape))
            return fail(verdict, "result %d has another type or shape than the reference's", k);
        if (b->dtype == DP_I32 && b->bound && run->op->at) {
            if (!compare_indices(run, k, a, b, verdict))
                return false;
            continue;
        }
        const double *list = numbers(run, b, false);
        if (!list)
            return fail(verdict, "out of host memory");
        if (!compare(run, k, a, list, b->bound, 1, verdict))
            return false;
    }
    return true;
}

/* The reference's results against the independent computation. It rounds doubles once, so nothing but that is
 * allowed, and a trace of the bound for the rounding of the doubles themselves. */
static bool compare_independent(ops_run *run, const struct ops_answer *answer, ops_verdict *verdict)
{
    for (int k = 0; run->op->expect && k < answer->results; k++) {
        const values *result = &answer->result[k];
        double *want = ops_memory(run, result->count, sizeof *want);
        if (!want)
            return fail(verdict, "out of host memory");
        run->op->expect(run, k, want);
        for (size_t t = 0; t < result->count && result->dtype == DP_F32 && !run->exact; t++)
            want[t] = (double)(float)want[t]; /* may overflow, as the reference's does */
        if (!device_ok(run, verdict) ||
            !compare(run, k, result, want, result->dtype == DP_F32 ? result->bound : NULL, 1e-5, verdict))
            return false;
    }
    return true;
}

/* ---- a case ---- */

/* The reference's answer with its bounds, checked against the independent computation; kept in the case. */
static bool ask_reference(ops_case *item, dp_device *reference, ops_verdict *verdict)
{
    if (item->answer)
        return true;
    ops_verdict own = {.outcome = OPS_PASSED};
    ops_run run;
    dp_clear(reference);
    ops_run_open(&run, item, reference);
    item->answer = calloc(1, sizeof *item->answer);
    if (!item->answer)
        fail(&own, "out of host memory");
    else if (launch_and_read(&run, item->answer, &own)) {
        if (item->op->bound)
            item->op->bound(&run);
        for (int k = 0; k < run.results && device_ok(&run, &own); k++)
            if (run.bound[k])
                item->answer->result[k].bound = read_words(run.bound[k], item->answer->result[k].count);
        if (device_ok(&run, &own))
            compare_independent(&run, item->answer, &own);
    }
    ops_run_close(&run);
    if (own.outcome == OPS_PASSED)
        return true;
    ops_answer_free(&item->answer);
    verdict->outcome = own.outcome;
    snprintf(verdict->message, sizeof verdict->message, "on the reference: %.600s", own.message);
    return false;
}

static bool same_bits(const struct ops_answer *a, const struct ops_answer *b, ops_verdict *verdict)
{
    for (int k = 0; k < a->results; k++)
        if (memcmp(a->result[k].data, b->result[k].data, a->result[k].count * sizeof(uint32_t)))
            return fail(verdict, "result %d has other bits when it is run again", k);
    return true;
}

static void reopen_if_lost(dp_device **device)
{
    if (dp_failed(*device) != DP_ERROR_DEVICE_LOST)
        return;
    const dp_device_info info = dp_device_get_info(*device);
    dp_device_close(device);
    *device = dp_device_open(info.id);
}

void ops_check(ops_case *item, dp_device **device, dp_device *reference, ops_verdict *verdict)
{
    *verdict = (ops_verdict){.outcome = OPS_PASSED};
    if (!ask_reference(item, reference, verdict))
        return;
    struct ops_answer *first = calloc(1, sizeof *first), *second = calloc(1, sizeof *second);
    ops_run run;
    dp_clear(*device);
    ops_run_open(&run, item, *device);
    if (!first || !second)
        fail(verdict, "out of host memory");
    else if (launch_and_read(&run, first, verdict) && launch_and_read(&run, second, verdict) &&
             same_bits(first, second, verdict) && inputs_intact(&run, verdict))
        compare_answer(&run, first, item->answer, verdict);
    ops_run_close(&run);
    ops_answer_free(&first);
    ops_answer_free(&second);
    reopen_if_lost(device);
    dp_clear(*device);
}
