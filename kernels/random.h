/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers, the same bits on every device: docs/random.md is the definition, and the order of the
 * operations below. Constants stand in decimal with 9 digits, as GLSL has no hexadecimal floats. */
NO_CONTRACT

/* Philox 4x32-10 (Salmon et al., SC 2011). */
FUNCTION UINT4 philox(UINT4 c, uint key_0, uint key_1)
{
    for (int round = 0; round < 10; round++) {
        c = UINT4(MUL_HIGH(0xCD9E8D57u, c.z) ^ c.y ^ key_0, 0xCD9E8D57u * c.z,
                  MUL_HIGH(0xD2511F53u, c.x) ^ c.w ^ key_1, 0xD2511F53u * c.x);
        key_0 += 0x9E3779B9u;
        key_1 += 0xBB67AE85u;
    }
    return c;
}

/* [0, 1) from the upper 24 bits. */
FUNCTION float random_unit(uint word)
{
    return FLOAT(word >> 8) * 5.96046448e-8f;
}

/* sqrt(-2 ln((word + 1/2) / 2^32)) */
FUNCTION float random_radius(uint word)
{
    const bool small = word < 0xB504F334u;
    const uint v = small ? word : ~word;
    PRECISE const float w = FLOAT(v >> 8) * 5.96046448e-8f + (FLOAT(v & 255u) + 0.5f) * 2.32830644e-10f;
    const uint i = AS_UINT(w) + 0x004AFB0Du;
    PRECISE const float m = AS_FLOAT((i & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
    PRECISE const float f = small ? m : -w;
    PRECISE const float k = small ? FLOAT(INT(i >> 23) - 127) : 0.0f;
    PRECISE const float g = f * f;
    PRECISE float q = 0.152760088f;
    q = q * f - 0.255290329f;
    q = q * f + 0.263188362f;
    q = q * f - 0.284017831f;
    q = q * f + 0.332466066f;
    q = q * f - 0.400025219f;
    q = q * f + 0.500016451f;
    q = q * f - 0.666666627f;
    PRECISE const float p = ((q * f) * g + g) + f * -2.0f;
    PRECISE const float s = k * -1.38629436f + p;
    PRECISE const float h = s * 0.5f;
    PRECISE float y = AS_FLOAT(0x5F3759DFu - (AS_UINT(s) >> 1));
    y = y * (1.5f - (h * y) * y);
    y = y * (1.5f - (h * y) * y);
    y = y * (1.5f - (h * y) * y);
    PRECISE const float r = s * y;
    return r;
}

/* The cosine of the angle of a word; its sine is that of a word a quarter turn (0x40000000) less. */
FUNCTION float random_cosine(uint word)
{
    const uint quarter = word >> 30;
    const uint d = word & 0x3FFFFFFFu;
    PRECISE const float z =
        (FLOAT(d >> 6) - 8388608.0f) * 5.96046448e-8f + (FLOAT(d & 63u) + 0.5f) * 9.31322575e-10f;
    PRECISE const float t = z * z;
    PRECISE float s = 7.96818659e-2f + t * -4.60606348e-3f;
    s = -0.645963669f + t * s;
    s = z * (1.57079637f + t * s);
    PRECISE float c = -2.08552536e-2f + t * 8.93572578e-4f;
    c = 0.253668517f + t * c;
    c = -1.23370051f + t * c;
    c = 1.0f + t * c;
    const float value = (quarter & 1u) != 0u ? s : c;
    return quarter == 1u || quarter == 2u ? -value : value;
}
