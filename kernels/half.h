/* SPDX-License-Identifier: Apache-2.0 */
/* f16 and bf16, in the lower half of a word, to and from the bits of an f32: by integers alone, so that no device's own way of rounding
 * or of flushing denormals comes in. src/core/half.c has the same steps. */

FUNCTION uint widen_f16(uint half_word)
{
    const uint sign = (half_word & 0x8000u) << 16, exponent = (half_word >> 10) & 31u, fraction = half_word & 0x3FFu;
    if (exponent == 31u)
        return sign | 0x7F800000u | (fraction << 13) | (fraction != 0u ? 0x400000u : 0u);
    if (exponent != 0u)
        return sign | ((exponent + 112u) << 23) | (fraction << 13);
    /* fraction 2^-24: a normal number in f32 */
    return fraction != 0u ? sign | (AS_UINT(FLOAT(fraction)) - (24u << 23)) : sign;
}

FUNCTION uint narrow_f16(uint word)
{
    const uint sign = (word >> 16) & 0x8000u, size = word & 0x7FFFFFFFu;
    if (size > 0x7F800000u)
        return sign | 0x7E00u | ((size >> 13) & 0x1FFu);
    if (size >= 0x477FF000u) /* 65520, from where on rounding reaches 2^16 */
        return sign | 0x7C00u;
    if (size >= 0x38800000u) /* 2^-14, the least normal f16; a carry goes into the exponent, where it belongs */
        return sign | (((size + 0xFFFu + ((size >> 13) & 1u)) >> 13) - (112u << 10));
    if (size <= 0x33000000u) /* up to 2^-25, half of the least denormal one */
        return sign;
    const uint shift = 126u - (size >> 23), fraction = (size & 0x7FFFFFu) | 0x800000u;
    return sign | ((fraction + (1u << (shift - 1u)) - 1u + ((fraction >> shift) & 1u)) >> shift);
}

FUNCTION uint widen_bf16(uint half_word)
{
    return (half_word << 16) | ((half_word & 0x7FFFu) > 0x7F80u ? 0x400000u : 0u);
}

FUNCTION uint narrow_bf16(uint word)
{
    if ((word & 0x7FFFFFFFu) > 0x7F800000u)
        return (word >> 16) | 0x40u;
    return (word + 0x7FFFu + ((word >> 16) & 1u)) >> 16;
}
