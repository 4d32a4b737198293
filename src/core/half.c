/* SPDX-License-Identifier: Apache-2.0 */
/* f16 (IEEE 754 binary16) and bf16 (the upper half of an f32), to and from f32, by integers alone: the same bits on every
 * machine. kernels/half.h does the same on devices. */
#include "core/core.h"
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t widen_f16(uint32_t half)
{
    const uint32_t sign = (half & 0x8000) << 16, size = half & 0x7fff;
    if (size >= 0x7c00)
        return sign | 0x7f800000 | size << 13 | (size > 0x7c00 ? 0x400000u : 0u);
    if (size >= 0x400)
        return sign | ((size << 13) + (112u << 23));
    /* size 2^-24: a normal number in f32 */
    return size ? sign | (bits_of((float)size) - (24u << 23)) : sign;
}

static uint32_t narrow_f16(uint32_t word)
{
    const uint32_t sign = word >> 16 & 0x8000, size = word & 0x7fffffff;
    if (size > 0x7f800000)
        return sign | 0x7e00 | (size >> 13 & 0x1ff);
    if (size >= 0x477ff000) /* 65520, from where on rounding reaches 2^16 */
        return sign | 0x7c00;
    if (size >= 0x38800000) /* 2^-14, the least normal f16; a carry goes into the exponent, where it belongs */
        return sign | (((size + 0xfff + (size >> 13 & 1)) >> 13) - (112 << 10));
    if (size <= 0x33000000) /* up to 2^-25, half of the least denormal one */
        return sign;
    const uint32_t shift = 126 - (size >> 23), fraction = (size & 0x7fffff) | 0x800000;
    return sign | (fraction + (1u << (shift - 1)) - 1 + (fraction >> shift & 1)) >> shift;
}

static uint32_t widen_bf16(uint32_t half)
{
    return half << 16 | ((half & 0x7fff) > 0x7f80 ? 0x400000u : 0u);
}

static uint32_t narrow_bf16(uint32_t word)
{
    if ((word & 0x7fffffff) > 0x7f800000)
        return word >> 16 | 0x40;
    return (word + 0x7fff + (word >> 16 & 1)) >> 16;
}

float dp__half_widen(dp_dtype dtype, uint16_t half)
{
    return float_of(dtype == DP_F16 ? widen_f16(half) : widen_bf16(half));
}

uint16_t dp__half_narrow(dp_dtype dtype, float value)
{
    return (uint16_t)(dtype == DP_F16 ? narrow_f16(bits_of(value)) : narrow_bf16(bits_of(value)));
}

/* By way of an f32 that is cut and whose last bit says that something was: f32 has more than twice the bits of both, so the second
 * rounding cannot be misled by the first. */
uint16_t dp__half_from(dp_dtype dtype, double value)
{
    const float nearest = (float)value;
    uint32_t bits = bits_of(nearest);
    const double size = value < 0 ? -value : value, rounded = (double)float_of(bits & 0x7fffffff);
    if (rounded > size)
        bits--;
    if (rounded != size && value == value)
        bits |= 1;
    return dp__half_narrow(dtype, float_of(bits));
}
