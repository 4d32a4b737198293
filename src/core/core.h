/* SPDX-License-Identifier: Apache-2.0 */
/* What everything stands on: allocation, errors, shapes, the device and tensor structs. */
#ifndef DP_CORE_CORE_H
#define DP_CORE_CORE_H

#include <dipole/tensor.h>
#include <stdarg.h>

#define DP_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DP_MIN2(a, b) ((a) < (b) ? (a) : (b))
#define DP_MAX2(a, b) ((a) > (b) ? (a) : (b))
#define DP_CEIL_DIV(a, b) (((a) + (b) - 1) / (b))

#if defined(__GNUC__)
#define DP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define DP_PRINTF(text, first)
#endif

/* Allocation. Zeroed; NULL where count * size overflows or memory is out. dp__grow doubles a growable array so that
 * `needed` elements fit, keeping its contents; false (and the array untouched) where memory is out. */
void *dp__alloc(size_t count, size_t size);
bool dp__grow(void *array_pointer, size_t *capacity, size_t needed, size_t size);
void dp__free(void *memory);

/* Text that grows; after a failed allocation it stays empty and `failed` is set, so appends need no checks. */
typedef struct dp__text {
    char *data; /* NUL-terminated, or NULL while empty */
    size_t length, capacity;
    bool failed;
} dp__text;

void dp__text_add(dp__text *text, const char *format, ...) DP_PRINTF(2, 3);
void dp__text_add_range(dp__text *text, const char *data, size_t length);
void dp__text_free(dp__text *text);
/* Writes a number and its NUL, and returns its length. */
size_t dp__int_text(int value, char text[12]);

/* A buffer: memory of one device, shared by the tensors that are views of it. */
typedef struct dp__buffer {
    int references;
    struct dp_device *device;
    uint64_t bytes;    /* a multiple of 4, at least 4: kernels read and write 32-bit words */
    uint64_t capacity; /* the backend's: what it took for them */
    void *handle;   /* the backend's; for "ref" the host memory itself */
    uint64_t version; /* how often its contents were changed in place, by the user's calls */
    bool constant;    /* written once by the host, and by no launch */
    int programs;     /* that hold on to the handle: it must stay the same */
    uint32_t capture; /* the backend's: number of the capture that it was made in; 0: none */
    bool leaf;     /* of a tensor that requires a gradient */
    bool unfollowed; /* a call that is not recorded wrote something into it that depends on such tensors */
} dp__buffer;

struct dp_device {
    const struct dp__backend *backend;
    void *state; /* the backend's */
    dp_device_info info;
    dp_status status; /* the first failure since dp_clear */
    bool lost;
    char message[512];
    struct dp_tensor *tensors; /* every handle that lives on the device */
    struct dp_program *programs; /* and every program */
    struct dp_program *running;  /* whose body is being called */
    bool unrepeatable;           /* it did what cannot be repeated */
    uint64_t bytes_in_use, peak_bytes;
    uint64_t kept_bytes; /* of released buffers that the backend keeps for the next */
    const struct dp__recorder *recorder; /* record.h; NULL until something requires a gradient */
    int recording_paused;
    uint64_t recorded;           /* calls so far */
    struct dp_tensor *condemned; /* while tensors are released: those that wait for it */
    bool releasing, closing;
};

struct dp_tensor {
    int references;
    dp_device *device;
    dp__buffer *buffer;
    dp_dtype dtype;
    dp_shape shape;
    int64_t stride[DP_MAX_RANK]; /* elements */
    int64_t offset;              /* of the first element in the buffer, in elements */
    struct dp_tensor *previous, *next; /* in device->tensors */
    bool requires_grad;
    struct dp__history *history; /* how it was computed, where that was recorded */
    struct dp_tensor *grad;      /* of a tensor that requires one */
};

/* Keeps the failure in the device (NULL is fine) unless one is kept already, and returns `status`. */
dp_status dp__fail(dp_device *device, dp_status status, const char *format, ...) DP_PRINTF(3, 4);
/* Marks the device as lost, for good. */
dp_status dp__lose(dp_device *device, const char *format, ...) DP_PRINTF(2, 3);

#define DP_CHECK(expression)                                                                                 \
    do {                                                                                                     \
        const dp_status status_ = (expression);                                                              \
        if (status_ != DP_OK)                                                                                \
            return status_;                                                                                  \
    } while (0)

/* Shapes. */
int64_t dp__shape_size(const dp_shape *shape); /* elements; -1 where a size is negative or the product overflows */
bool dp__shape_equal(const dp_shape *a, const dp_shape *b);
/* NumPy's rule; false where they do not fit. */
bool dp__shape_broadcast(const dp_shape *a, const dp_shape *b, dp_shape *result);
/* "[2, 3]" into the caller's `text`, which it returns. */
#define DP_SHAPE_TEXT 192
const char *dp__shape_text(const dp_shape *shape, char text[DP_SHAPE_TEXT]);

/* Loop nests over several views of the same shape. Drops axes of size 1 and merges neighbours that are one run in each
 * view, so that most nests become one loop. `stride[v][axis]` are the views' strides, all in elements. */
#define DP__NEST_VIEWS (16 + 8)
typedef struct dp__nest {
    int rank;  /* may be 0: one element */
    int views;
    int64_t dim[DP_MAX_RANK];
    int64_t stride[DP__NEST_VIEWS][DP_MAX_RANK];
} dp__nest;
void dp__nest_collapse(dp__nest *nest);

/* Tensors. */
/* A new handle with its own buffer, contiguous; NULL with the reason kept. */
dp_tensor *dp__tensor_create(dp_device *device, dp_dtype dtype, dp_shape shape);
/* A new handle on the buffer of `tensor` with its dtype, shape, strides and offset, which the caller changes. */
dp_tensor *dp__tensor_view(dp_tensor *tensor);
/* Strides of `tensor` as seen from the shape it is broadcast to (0 where it repeats). */
void dp__broadcast_strides(const dp_tensor *tensor, const dp_shape *shape, int64_t stride[DP_MAX_RANK]);
bool dp__tensor_overlaps_itself(const dp_tensor *tensor);
/* The range of elements of the buffer that the tensor's elements lie in: [*first, *end). Empty tensors: equal. */
void dp__tensor_range(const dp_tensor *tensor, int64_t *first, int64_t *end);

/* Checks the arguments that every op has: device open, not lost, tensor not NULL and on `device`. `name` is the
 * argument's name for the message. */
dp_status dp__check_device(dp_device *device);
dp_status dp__check_tensor(dp_device *device, const dp_tensor *tensor, const char *name);
dp_status dp__check_dtype(dp_device *device, const dp_tensor *tensor, const char *name, dp_dtype dtype);
/* f32, f16 or bf16. */
dp_status dp__check_float(dp_device *device, const dp_tensor *tensor, const char *name);

/* Elements of 16 bits (half.c). widen is exact; narrow and from round once, to nearest, ties to even. */
static inline bool dp__is_half(dp_dtype dtype)
{
    return dtype == DP_F16 || dtype == DP_BF16;
}
float dp__half_widen(dp_dtype dtype, uint16_t half);
uint16_t dp__half_narrow(dp_dtype dtype, float value);
uint16_t dp__half_from(dp_dtype dtype, double value);

/* Buffers. */
dp__buffer *dp__buffer_create(dp_device *device, uint64_t bytes); /* NULL with the reason kept */
void dp__buffer_release(dp__buffer *buffer);

#endif
