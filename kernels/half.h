/* SPDX-License-Identifier: Apache-2.0 */
/* f16 and bf16, in the lower half of a word, to and from the bits of an f32: by integers alone, so that no device's own way of rounding
 * or of flushing denormals comes in, and without branches. src/core/half.c does the same in plain steps. */

FUNCTION uint widen_f16(uint half_word)
{
    const uint sign = (half_word & 0x8000u) << 16, size = half_word & 0x7FFFu;
    const uint special = 0x7F800000u | (size << 13) | (size > 0x7C00u ? 0x400000u : 0u);
    const uint denormal = size != 0u ? AS_UINT(FLOAT(size)) - (24u << 23) : 0u; /* size 2^-24: normal in f32 */
    return sign | (size >= 0x7C00u ? special : size >= 0x400u ? (size << 13) + (112u << 23) : denormal);
}

FUNCTION uint narrow_f16(uint word)
{
    const uint sign = (word >> 16) & 0x8000u, size = word & 0x7FFFFFFFu, exponent = size >> 23;
    /* From 2^-14 on, the least normal f16: a carry goes into the exponent, where it belongs. */
    const uint normal = ((size + 0xFFFu + ((size >> 13) & 1u)) >> 13) - (112u << 10);
    /* Below: in steps of 2^-24; what is less than half a step is shifted out altogether. */
    const uint shift = 126u - (exponent < 101u ? 101u : exponent > 112u ? 112u : exponent);
    const uint fraction = (size & 0x7FFFFFu) | 0x800000u;
    const uint denormal = (fraction + (1u << (shift - 1u)) - 1u + ((fraction >> shift) & 1u)) >> shift;
    const uint finite = size >= 0x38800000u ? normal : denormal;
    const uint number = size >= 0x477FF000u ? 0x7C00u : finite; /* 65520, from where on rounding reaches 2^16 */
    return sign | (size > 0x7F800000u ? 0x7E00u | ((size >> 13) & 0x1FFu) : number);
}

FUNCTION uint widen_bf16(uint half_word)
{
    return (half_word << 16) | ((half_word & 0x7FFFu) > 0x7F80u ? 0x400000u : 0u);
}

FUNCTION uint narrow_bf16(uint word)
{
    return (word & 0x7FFFFFFFu) > 0x7F800000u ? (word >> 16) | 0x40u : (word + 0x7FFFu + ((word >> 16) & 1u)) >> 16;
}
