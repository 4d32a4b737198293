/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance cases of every op, shared by `dipole check`, the test suite and `dipole bench`.
 *
 * A case is an op and a line of text that holds all its parameters, "m=17 n=31 k=5 ta=1": the text identifies
 * it, repeats it, and is what its functions read. Inputs come from a hash of the text, so they are the same
 * bits on each device. */
#ifndef TESTS_OPS_H
#define TESTS_OPS_H

#include <dipole/dipole.h>

#define OPS_TEXT        192
#define OPS_MAX_INPUTS  16
#define OPS_MAX_RESULTS 9

typedef struct ops_run ops_run;
typedef struct ops_list ops_list;

/* One op: how its cases are listed and what a case does. */
typedef struct ops_op {
    const char *name;
    const char *keys; /* every key that a case's text may have, between blanks */
    const char
        *shape; /* the keys that a shape such as 512x256x64 fills, in its order; NULL: it has no benchmark */
    size_t state_size; /* of run->state, which is zeroed */

    void (*cases)(ops_list *list);
    void (*bench)(ops_list *list); /* NULL where shape is */

    /* Reads the parameters, makes the inputs and sets the costs. */
    void (*setup)(ops_run *run);
    /* Runs the op and sets run->result; is repeated. */
    void (*launch)(ops_run *run);
    /* On the reference: sets run->bound; NULL, or a result left without one: it must be met exactly. */
    void (*bound)(ops_run *run);
    /* An independent computation of one result from the inputs alone (words as numbers where run->exact). */
    void (*expect)(ops_run *run, int result, double *values);
    /* For a result of indices that has a bound: the values that the indices stand for; NaN for one that is
     * out of range. */
    void (*at)(ops_run *run, const int32_t *index, double *values);
} ops_op;

/* A case of a list. */
typedef struct ops_case {
    const ops_op *op;
    char text[OPS_TEXT];
    bool tiny;                 /* for interpreters: a handful of elements */
    struct ops_answer *answer; /* the reference's, once it was asked */
} ops_case;

struct ops_list {
    ops_case *cases;
    size_t count, capacity;
    const ops_op *op;  /* whose cases are being added */
    char message[256]; /* why a case could not be added; else "" */
};

/* An input as it was uploaded, to see that nothing wrote on it. */
typedef struct ops_source {
    dp_tensor *tensor;
    void *data;
    size_t bytes;
} ops_source;

/* One case on one device. */
struct ops_run {
    const ops_op *op;
    const char *text;
    dp_device *device;
    void *state; /* the op's */

    dp_tensor *result[OPS_MAX_RESULTS];
    dp_tensor *bound[OPS_MAX_RESULTS]; /* NULL: exact */
    int results;
    bool exact; /* results are compared as 32-bit words */
    double flops, bytes, pairs;

    ops_source source[OPS_MAX_INPUTS];
    int sources;
    struct ops_kept *kept; /* tensors and memory that live as long as the run */
    bool failed;           /* out of host memory */
};

/* All ops, by index from 0; NULL past the last. */
const ops_op *ops_at(size_t index);
const ops_op *ops_find(const char *name);

/* Lists. `add` takes a printf format; both list functions take NULL for every op. */
void ops_add(ops_list *list, bool tiny, const char *format, ...) __attribute__((format(printf, 3, 4)));
void ops_list_cases(ops_list *list, const ops_op *op);
void ops_list_bench(ops_list *list, const ops_op *op);
/* Adds the case of a shape, "512x256x64" or a text of keys. false, with list->message, where it is neither.
 */
bool ops_list_shape(ops_list *list, const ops_op *op, const char *shape);
void ops_list_free(ops_list *list);

/* A run: open makes the inputs, launch may be repeated, close frees all. Errors are kept in the device. */
void ops_run_open(ops_run *run, const ops_case *item, dp_device *device);
void ops_run_launch(ops_run *run);
void ops_run_close(ops_run *run);

/* Parameters of the run's text. */
int64_t ops_int(const ops_run *run, const char *key, int64_t fallback);
double ops_real(const ops_run *run, const char *key, double fallback);
/* Into `word`, cut to its size; `fallback` where the text has no such key. Returns `word`. */
const char *ops_word(const ops_run *run, const char *key, const char *fallback, char *word, size_t size);
bool ops_is(const ops_run *run, const char *key, const char *value);
/* "3x4x5", "scalar" for rank 0. */
dp_shape ops_shape(const ops_run *run, const char *key, dp_shape fallback);

/* The dtype that the text says; `fallback` where it has no such key. */
dp_dtype ops_dtype(const ops_run *run, const char *key, dp_dtype fallback);
/* Element `t` of data as it is in memory, as bits; and what number the bits of an element are. */
uint32_t ops_bits(const void *data, dp_dtype dtype, size_t t);
double ops_number(dp_dtype dtype, uint32_t bits);

/* Inputs. A layout says how a tensor of a shape lies in memory:
 *   "" contiguous          t  last two axes exchanged       rev  all axes in reverse order
 *   step  every 2nd of the last axis     rows  every 3rd of the first    offset  all but the first row
 *   bcast / inner  the first / last axis repeats one element     chain  rank 3: slices of a permutation of
 * slices */
typedef enum ops_kind {
    OPS_UNIFORM, /* between low and high */
    OPS_LEVELS,  /* whole numbers low .. high */
    OPS_WORDS,   /* any bits */
    OPS_COUNT,   /* element t has the bits t: every 16-bit number there is */
    OPS_TIES     /* f32: what lies between each 16-bit number and the next, and the f32 before and behind that */
} ops_kind;
typedef struct ops_fill {
    ops_kind kind;
    double low, high;
    dp_dtype halves; /* the 16-bit numbers of OPS_TIES */
} ops_fill;

/* The element `t` of a filled buffer, as its 16 or 32 bits. Of 16 bits values are cut, not rounded. */
uint32_t ops_element(uint64_t seed, ops_fill fill, dp_dtype dtype, int64_t t);
/* Uploads the buffer that a layout needs and returns it; a view of it; both in one. The run keeps them. */
dp_tensor *ops_buffer(ops_run *run, dp_dtype dtype, dp_shape shape, const char *layout, ops_fill fill);
dp_tensor *ops_view(ops_run *run, dp_tensor *buffer, dp_shape shape, const char *layout);
dp_tensor *ops_input(ops_run *run, dp_dtype dtype, dp_shape shape, const char *layout, ops_fill fill);
/* Forgets the last input: the op writes on it. */
void ops_will_write(ops_run *run);

/* What the run holds until it is closed. */
dp_tensor *ops_keep(ops_run *run, dp_tensor *tensor);
void *ops_memory(ops_run *run, size_t count, size_t size);
/* A tensor's elements on the host, f16 and bf16 as the f32 they are; never NULL, but of zeros where it cannot be read. */
const float *ops_floats(ops_run *run, const dp_tensor *tensor);
const int32_t *ops_ints(ops_run *run, const dp_tensor *tensor);

int64_t ops_size(dp_shape shape);
bool ops_same_shape(dp_shape a, dp_shape b);
/* Row-major position `t` of `shape` as an index per axis, and back. */
void ops_unravel(dp_shape shape, int64_t t, int64_t index[DP_MAX_RANK]);
int64_t ops_ravel(dp_shape shape, const int64_t index[DP_MAX_RANK]);
/* The position in a tensor of `shape` that an index of a shape it is broadcast to reads. */
int64_t ops_ravel_broadcast(dp_shape shape, dp_shape full, const int64_t index[DP_MAX_RANK]);

/* Checking (check.c). */
typedef enum ops_outcome { OPS_PASSED, OPS_FAILED, OPS_SKIPPED } ops_outcome;
typedef struct ops_verdict {
    ops_outcome outcome;
    double worst;      /* error over its bound */
    char message[640]; /* why it failed or was skipped */
} ops_verdict;

/* Runs the case twice on *device: same bits both times, inputs untouched, and every element within its bound
 * of the reference's; on the reference itself, of an independent computation. `reference` is an open "ref". A
 * device that was lost is opened again. */
void ops_check(ops_case *item, dp_device **device, dp_device *reference, ops_verdict *verdict);
void ops_answer_free(struct ops_answer **answer);

#endif
