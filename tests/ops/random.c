/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: the very bits that docs/random.md defines. */
#include "ops.h"

#include <inttypes.h>
#include <string.h>

typedef struct state {
    dp_shape shape;
    uint64_t seed;
    double low, high;
    int64_t step, range; /* -1: none; 0: none */
    bool normal;
    dp_tensor *counter;
} state;

static void setup(ops_run *run)
{
    state *s = run->state;
    s->shape = ops_shape(run, "shape", DP_SHAPE(1000));
    s->seed = (uint64_t)ops_int(run, "seed", 1);
    s->low = ops_real(run, "low", 0);
    s->high = ops_real(run, "high", 1);
    s->normal = ops_is(run, "kind", "normal");
    s->step = ops_int(run, "step", -1);
    s->range = ops_int(run, "range", 0);
    if (s->step >= 0) /* not the first element of its buffer */
        s->counter = ops_keep(run, dp_slice(ops_keep(run, dp_from(run->device, DP_F32, DP_SHAPE(2),
                                                                  (const float[]){7, (float)s->step})),
                                            0, 1, 2, 1));
    run->exact = true;
    run->bytes = 4.0 * (double)ops_size(s->shape);
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    run->results = 1;
    if (s->step >= 0)
        run->result[0] = s->range    ? dp_randint_at(run->device, s->seed, s->counter, s->shape, s->range)
                         : s->normal ? dp_randn_at(run->device, s->seed, s->counter, s->shape)
                                     : dp_uniform_at(run->device, s->seed, s->counter, s->shape, s->low, s->high);
    else
        run->result[0] = s->normal ? dp_randn(run->device, s->seed, s->shape)
                                   : dp_uniform(run->device, s->seed, s->shape, s->low, s->high);
}

/* The four words of call `block` at a step. */
static void philox(uint64_t seed, uint32_t step, uint32_t block, uint32_t word[4])
{
    uint32_t c[4] = {block, step, 0, 0}, k[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (int round = 0; round < 10; round++) {
        const uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b,
                                  (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
        memcpy(c, next, sizeof c);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    memcpy(word, c, sizeof c);
}

static uint32_t bits(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

static float from_bits(uint32_t word)
{
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* Every operation below must round to f32 on its own: volatile keeps a compiler from contracting. */
static float add(float a, float b)
{
    volatile float sum = a + b;
    return sum;
}

static float mul(float a, float b)
{
    volatile float product = a * b;
    return product;
}

static float polynomial(float x, const float *coefficient, int count)
{
    float value = coefficient[0];
    for (int k = 1; k < count; k++)
        value = add(mul(value, x), coefficient[k]);
    return value;
}

/* docs/random.md, "Radius". */
static float radius(uint32_t a)
{
    static const float series[] = {0x1.38da48p-3f, -0x1.056ad4p-2f, 0x1.0d8140p-2f, -0x1.22d592p-2f,
                                   0x1.5471fcp-2f, -0x1.99a036p-2f, 0x1.000228p-1f, -0x1.555554p-1f};
    const bool small = a < 0xB504F334u;
    const uint32_t v = small ? a : ~a;
    const float w = add(mul((float)(v >> 8), 0x1p-24f), mul(add((float)(v & 255), 0.5f), 0x1p-32f));
    float k = 0, f = -w;
    if (small) {
        const uint32_t i = bits(w) + 0x004AFB0Du;
        k = (float)((int)(i >> 23) - 127);
        f = add(from_bits((i & 0x007FFFFFu) + 0x3F3504F3u), -1);
    }
    const float g = mul(f, f), q = polynomial(f, series, 8);
    const float p = add(add(mul(mul(q, f), g), g), mul(f, -2));
    const float s = add(mul(k, -0x1.62e430p+0f), p), h = mul(s, 0.5f);
    float y = from_bits(0x5F3759DFu - (bits(s) >> 1));
    for (int step = 0; step < 3; step++)
        y = mul(y, add(1.5f, -mul(mul(h, y), y)));
    return mul(s, y);
}

/* docs/random.md, "Angle": cosine, or sine. */
static float angle(uint32_t b, bool sine)
{
    static const float series_s[] = {-0x1.2ddcecp-8f, 0x1.46607ep-4f, -0x1.4abbc0p-1f, 0x1.921fb6p+0f};
    static const float series_c[] = {0x1.d47d48p-11f, -0x1.55b146p-6f, 0x1.03c1aep-2f, -0x1.3bd3ccp+0f, 1};
    const uint32_t d = b & 0x3FFFFFFFu;
    const float coarse = mul(add((float)(d >> 6), -8388608), 0x1p-24f);
    const float z = add(coarse, mul(add((float)(d & 63), 0.5f), 0x1p-30f)), t = mul(z, z);
    const float s = mul(z, polynomial(t, series_s, 4)), c = polynomial(t, series_c, 5);
    const float turn[4] = {c, -s, -c, s}; /* the sine of a quarter is the cosine of the one before */
    return turn[sine ? ((b >> 30) + 3) % 4 : b >> 30];
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const float low = (float)s->low, span = (float)s->high - (float)s->low;
    (void)result;
    for (int64_t t = 0; t < ops_size(s->shape); t++) {
        uint32_t word[4];
        philox(s->seed, s->step > 0 ? (uint32_t)s->step : 0, (uint32_t)(t / 4), word);
        const uint32_t *pair = word + t % 4 / 2 * 2;
        float value = add(low, mul(span, mul((float)(word[t % 4] >> 8), 0x1p-24f)));
        if (s->normal)
            value = mul(radius(pair[0]), angle(pair[1], t % 2));
        values[t] = s->range ? (double)((uint64_t)word[t % 4] * (uint64_t)s->range >> 32) : (double)bits(value);
    }
}

static void cases(ops_list *list)
{
    static const char *const shapes[] = {"0", "scalar", "1", "2", "3", "5", "7x9", "255", "65537"};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int normal = 0; normal < 2; normal++)
            ops_add(list, k > 2 && k < 6, "kind=%s shape=%s seed=%d", normal ? "normal" : "uniform",
                    shapes[k], (int)k);
    ops_add(list, false, "kind=uniform shape=1001 seed=81985529216486895 low=-2.5 high=1e6");
    ops_add(list, false, "kind=uniform shape=1001 seed=-1 low=3 high=3");
    ops_add(list, false, "kind=uniform shape=1001 seed=3 low=1 high=-1");
    ops_add(list, false, "kind=normal shape=200001 seed=81985529216486895");
    ops_add(list, false, "kind=normal shape=1001 seed=-1");
    ops_add(list, true, "kind=uniform shape=7 seed=5 step=0");
    ops_add(list, true, "kind=normal shape=7 seed=5 step=3");
    ops_add(list, true, "kind=integer shape=7 seed=5 step=3 range=10");
    ops_add(list, false, "kind=uniform shape=1001 seed=-1 step=16777216 low=-2.5 high=7");
    ops_add(list, false, "kind=normal shape=65537 seed=81985529216486895 step=77777");
    ops_add(list, false, "kind=integer shape=65537 seed=-1 step=9999999 range=2147483647");
    ops_add(list, false, "kind=integer shape=7x9 seed=1 step=1 range=1");
}

const ops_op ops_random = {
    .name = "random",
    .keys = "kind shape seed low high step range",
    .state_size = sizeof(state),
    .cases = cases,
    .setup = setup,
    .launch = launch,
    .expect = expect,
};
