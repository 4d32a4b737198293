/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between f32, f16 and bf16, as bits. fill: words (any bits), count (all numbers of 16 bits), ties (between all of these),
 * small (denormals of f32 and what is near those of f16). view: a layout. n: short for shape. */
#include "ops.h"

#include <math.h>
#include <string.h>

typedef struct state {
    dp_dtype from, to;
    dp_tensor *x;
    int64_t size;
} state;

static void setup(ops_run *run)
{
    state *s = run->state;
    char layout[12];
    s->from = ops_dtype(run, "from", DP_F32);
    s->to = ops_dtype(run, "to", DP_F16);
    const dp_shape shape = ops_shape(run, "shape", DP_SHAPE(ops_int(run, "n", 1000)));
    ops_fill fill = {.kind = OPS_WORDS, .halves = s->to};
    if (ops_is(run, "fill", "count"))
        fill.kind = OPS_COUNT;
    else if (ops_is(run, "fill", "ties"))
        fill.kind = OPS_TIES;
    else if (ops_is(run, "fill", "small"))
        fill = (ops_fill){.kind = OPS_UNIFORM, .low = -0x1p-13, .high = 0x1p-13};
    else if (ops_is(run, "fill", "uniform"))
        fill = (ops_fill){.kind = OPS_UNIFORM, .low = -1, .high = 1};
    s->x = ops_input(run, s->from, shape, ops_word(run, "view", "", layout, sizeof layout), fill);
    s->size = ops_size(shape);
    run->exact = true;
    run->bytes = (double)(dp_dtype_size(s->from) + dp_dtype_size(s->to)) * (double)s->size;
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    run->results = 1;
    run->result[0] = dp_cast(run->device, s->x, s->to);
}

/* The number of 16 bits next to the size of a double, by the spacing of such numbers where it is: the even one of two as near. Beyond
 * the largest number more than its infinity. */
static uint32_t nearest(dp_dtype dtype, double value)
{
    const int fraction_bits = dtype == DP_F16 ? 10 : 7, bias = dtype == DP_F16 ? 15 : 127;
    int exponent = 1 - bias; /* of denormals, too */
    if (value != 0)
        exponent = ilogb(value) > exponent ? ilogb(value) : exponent;
    const double steps = nearbyint(ldexp(fabs(value), fraction_bits - exponent)); /* to even */
    /* 2^fraction_bits steps are a denormal's carry, or a normal number's first; twice that the next exponent's */
    return ((uint32_t)(exponent + bias - 1) << fraction_bits) + (uint32_t)steps;
}

static uint32_t converted(const state *s, uint32_t bits)
{
    const int fraction_bits[DP_DTYPE_COUNT] = {[DP_F32] = 23, [DP_F16] = 10, [DP_BF16] = 7};
    const int width[DP_DTYPE_COUNT] = {[DP_F32] = 31, [DP_F16] = 15, [DP_BF16] = 15};
    const double value = ops_number(s->from, bits);
    const uint32_t sign = bits >> width[s->from] & 1, fraction = bits & ((1u << fraction_bits[s->from]) - 1);
    const uint32_t infinity = ((1u << (width[s->to] - fraction_bits[s->to])) - 1) << fraction_bits[s->to];
    const int more = fraction_bits[s->to] - fraction_bits[s->from];
    if (isnan(value)) /* the payload's upper bits, and the highest set */
        return sign << width[s->to] | infinity | (more > 0 ? fraction << more : fraction >> -more) | 1u << (fraction_bits[s->to] - 1);
    if (isinf(value))
        return sign << width[s->to] | infinity;
    if (s->to == DP_F32) {
        uint32_t wide;
        memcpy(&wide, &(float){(float)value}, sizeof wide);
        return wide;
    }
    const uint32_t size = nearest(s->to, value);
    return sign << 15 | (size < infinity ? size : infinity);
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const size_t bytes = dp_dtype_size(s->from);
    void *data = ops_memory(run, (size_t)s->size, bytes);
    (void)result;
    if (!data)
        return;
    dp_read(s->x, data, (size_t)s->size * bytes);
    for (int64_t t = 0; t < s->size; t++) {
        const uint32_t bits = ops_bits(data, s->from, (size_t)t);
        values[t] = s->from == s->to ? bits : converted(s, bits);
    }
}

static void cases(ops_list *list)
{
    ops_add(list, true, "from=f32 to=f16 n=5 fill=uniform");
    ops_add(list, true, "from=bf16 to=f32 n=3");
    ops_add(list, false, "from=f16 to=f32 n=65536 fill=count");
    ops_add(list, false, "from=bf16 to=f32 n=65536 fill=count");
    ops_add(list, false, "from=f16 to=bf16 n=65536 fill=count");
    ops_add(list, false, "from=bf16 to=f16 n=65536 fill=count");
    ops_add(list, false, "from=f32 to=f16 n=196608 fill=ties");
    ops_add(list, false, "from=f32 to=bf16 n=196608 fill=ties");
    ops_add(list, false, "from=f32 to=f16 n=100003");
    ops_add(list, false, "from=f32 to=f16 n=100003 fill=small");
    ops_add(list, false, "from=f32 to=bf16 n=100003");
    ops_add(list, false, "from=f32 to=bf16 n=1");
    ops_add(list, false, "from=f32 to=f16 shape=scalar");
    ops_add(list, false, "from=f32 to=bf16 shape=3x0x5");
    ops_add(list, false, "from=f32 to=f32 n=33");
    ops_add(list, false, "from=bf16 to=bf16 n=33");
    ops_add(list, false, "from=f32 to=f16 n=101 view=step");
    ops_add(list, false, "from=f32 to=f16 shape=33x17 view=t");
    ops_add(list, false, "from=f32 to=f16 shape=7x9x5 view=chain");
    ops_add(list, false, "from=f32 to=f16 shape=7x9x5 view=bcast");
    ops_add(list, false, "from=f16 to=f32 n=101 view=step");
    ops_add(list, false, "from=bf16 to=f32 n=33 view=offset");
    ops_add(list, false, "from=bf16 to=f32 n=34 view=inner");
    ops_add(list, false, "from=bf16 to=f32 shape=33x17 view=t");
    ops_add(list, false, "from=bf16 to=f32 shape=7x9x5 view=rows");
    ops_add(list, false, "from=f16 to=bf16 shape=11x5 view=offset");
    ops_add(list, false, "from=bf16 to=f16 shape=2x3x4x5x3x2x2x3 view=rev");
}

static void bench(ops_list *list)
{
    ops_add(list, false, "from=f32 to=bf16 n=1000000");
    ops_add(list, false, "from=f16 to=f32 n=1000000");
}

const ops_op ops_cast = {
    .name = "cast",
    .keys = "from to fill shape view n",
    .shape = "n",
    .state_size = sizeof(state),
    .cases = cases,
    .bench = bench,
    .setup = setup,
    .launch = launch,
    .expect = expect,
};
