/* SPDX-License-Identifier: Apache-2.0 */
/* docs/random.md step by step. Each operation must round once and by itself: this file is compiled with
 * -ffp-contract=off, and the static assertion below refuses wider arithmetic. */
#include "ref.h"
#include <float.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "single-precision arithmetic must round to single precision");

typedef struct words {
    uint32_t word[4];
} words;

static words philox(uint64_t call, uint32_t step, uint64_t seed)
{
    words c = {{(uint32_t)call, step, 0, 0}};
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t even = (uint64_t)0xD2511F53 * c.word[0], odd = (uint64_t)0xCD9E8D57 * c.word[2];
        c = (words){{(uint32_t)(odd >> 32) ^ c.word[1] ^ key0, (uint32_t)odd,
                     (uint32_t)(even >> 32) ^ c.word[3] ^ key1, (uint32_t)even}};
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
    return c;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* -2 ln(u) of u = (a + 1/2) / 2^32. */
static float minus_two_log(uint32_t a)
{
    static const float q[8] = {0x1.38da48p-3f, -0x1.056ad4p-2f, 0x1.0d8140p-2f, -0x1.22d592p-2f,
                               0x1.5471fcp-2f, -0x1.99a036p-2f, 0x1.000228p-1f, -0x1.555554p-1f};
    const bool small = a < 0xB504F334;
    const uint32_t v = small ? a : ~a;
    const float w = (float)(v >> 8) * 0x1p-24f + ((float)(v & 255) + 0.5f) * 0x1p-32f;
    float k = 0, f = -w;
    if (small) {
        const uint32_t i = bits_of(w) + 0x004AFB0D;
        k = (float)((int)(i >> 23) - 127);
        f = float_of((i & 0x007FFFFF) + 0x3F3504F3) - 1.0f;
    }
    const float g = f * f;
    float sum = q[0];
    for (int term = 1; term < 8; term++)
        sum = sum * f + q[term];
    const float p = ((sum * f) * g + g) + f * -2.0f;
    return k * -0x1.62e430p+0f + p;
}

static float square_root(float s)
{
    const float h = s * 0.5f;
    float y = float_of(0x5F3759DF - (bits_of(s) >> 1));
    for (int step = 0; step < 3; step++)
        y = y * (1.5f - (h * y) * y);
    return s * y;
}

/* Cosine and sine of the angle b / 2^32 turns, half a step and an eighth of a turn aside (docs/random.md). */
static void circle_point(uint32_t b, float *cosine, float *sine)
{
    const uint32_t d = b & 0x3FFFFFFF;
    const float z = ((float)(d >> 6) - 8388608.0f) * 0x1p-24f + ((float)(d & 63) + 0.5f) * 0x1p-30f;
    const float t = z * z;
    const float s = z * (0x1.921fb6p+0f + t * (-0x1.4abbc0p-1f + t * (0x1.46607ep-4f + t * -0x1.2ddcecp-8f)));
    const float c =
        1.0f + t * (-0x1.3bd3ccp+0f + t * (0x1.03c1aep-2f + t * (-0x1.55b146p-6f + t * 0x1.d47d48p-11f)));
    const float around[4] = {c, -s, -c, s};
    *cosine = around[b >> 30];
    *sine = around[((b >> 30) + 3) & 3];
}

/* What a number on the device counts as: 0 to 2^24, without its fraction; NaN as 0. */
static uint32_t step_of(const dp__random_call *call)
{
    if (!call->step)
        return 0;
    const float step = dp__ref_floats(call->step)[call->step->offset];
    return step > 0 ? (uint32_t)(step < 16777216.0f ? step : 16777216.0f) : 0;
}

/* The values of the elements whose words these are, as f32 or, with a range, as i32: four words either way. */
static void four_values(const dp__random_call *call, words c, uint32_t bits[4])
{
    float value[4];
    if (call->range) {
        for (int t = 0; t < 4; t++)
            bits[t] = (uint32_t)((uint64_t)c.word[t] * call->range >> 32);
        return;
    }
    if (call->normal) {
        for (int pair = 0; pair < 4; pair += 2) {
            const float radius = square_root(minus_two_log(c.word[pair]));
            float cosine, sine;
            circle_point(c.word[pair + 1], &cosine, &sine);
            value[pair] = radius * cosine;
            value[pair + 1] = radius * sine;
        }
    } else {
        const float span = call->high - call->low;
        for (int t = 0; t < 4; t++) {
            const float unit = (float)(c.word[t] >> 8) * 0x1p-24f;
            value[t] = call->low + span * unit;
        }
    }
    for (int t = 0; t < 4; t++)
        bits[t] = bits_of(value[t]);
}

dp_status dp__ref_random(dp_device *device, const dp__random_call *call)
{
    (void)device;
    uint32_t *out = (uint32_t *)call->out->buffer->handle + call->out->offset;
    const int64_t size = dp__shape_size(&call->out->shape);
    const uint32_t step = step_of(call);
    for (int64_t t = 0; t < size; t += 4) {
        uint32_t bits[4];
        four_values(call, philox((uint64_t)t / 4, step, call->seed), bits);
        memcpy(out + t, bits, (size_t)DP_MIN2(size - t, 4) * sizeof *out);
    }
    return DP_OK;
}
