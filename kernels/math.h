/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of the formula language that a dialect does not have or that a driver gets wrong: each
 * keeps the bound of docs/precision.md on every device. Vulkan promises too little for sin, cos, tanh and
 * pow; OpenCL promises enough, but PoCL 3.1 returns 0.0156 for the sine of 1e-23 where another lane of the
 * vector is large, and these are faster than PoCL's and rusticl's. x, y: REALs; a bool of the language is a
 * REAL, 1 or 0, and any value but 0 is true. The polynomials are minimax fits made for these intervals. */
#define LT(x, y) BOOLS_TO_REAL(LESS(x, y))
#define LE(x, y) BOOLS_TO_REAL(LESS_EQUAL(x, y))
#define EQ(x, y) BOOLS_TO_REAL(EQUAL(x, y))
#define NE(x, y) BOOLS_TO_REAL(NOT_EQUAL(x, y))
/* x where c holds, else y; the other may be anything. */
#define SELECT(c, x, y) CHOOSE(NOT_EQUAL(c, SPLAT(0.0f)), x, y)
#define INFINITY_REAL AS_REAL(SPLAT_INT(0x7F800000))
#define NAN_REAL AS_REAL(SPLAT_INT(0x7FC00000))

/* s + x, rounded, becomes s, and what the rounding lost is added to e (Knuth's sum of two; any order of
 * magnitude). */
#define TWO_SUM_OF(type, s, e, x)                                                                            \
    do {                                                                                                     \
        PRECISE const type two_sum_x = (x);                                                                  \
        PRECISE const type two_sum_t = (s) + two_sum_x;                                                      \
        PRECISE const type two_sum_b = two_sum_t - (s);                                                      \
        PRECISE const type two_sum_e = ((s) - (two_sum_t - two_sum_b)) + (two_sum_x - two_sum_b);            \
        (s) = two_sum_t;                                                                                     \
        (e) += two_sum_e;                                                                                    \
    } while (false)
#define TWO_SUM(s, e, x) TWO_SUM_OF(REAL, s, e, x)
#define TWO_SUM1(s, e, x) TWO_SUM_OF(float, s, e, x)

/* 2^e, exact, for an integer e; below -126 and above 127 as those. */
#define EXP2I(e) AS_REAL((TO_INTS(MIN(MAX(e, SPLAT(-126.0f)), SPLAT(127.0f))) + 127) << 23)

#ifndef EXP_DECAY
#define EXP_DECAY(x) EXP(x)
#endif

#ifndef LOG
/* GLSL leaves open what the logarithm is where it has no value. */
FUNCTION REAL LOG(REAL x)
{
    const REAL edge = CHOOSE(EQUAL(x, SPLAT(0.0f)), -INFINITY_REAL, NAN_REAL);
    return CHOOSE(LESS(SPLAT(0.0f), x), log(x), edge);
}
#endif

FUNCTION REAL SIGMOID(REAL x)
{
    return SPLAT(1.0f) / (SPLAT(1.0f) + EXP(-x));
}

/* 2^(y log2|x|), with C's rules for finite x and y: x^0 = 1, 0^y = 0 or infinity, the sign of odd powers,
 * NaN for other powers of negative numbers. */
FUNCTION REAL POW(REAL x, REAL y)
{
    PRECISE const REAL size = EXP2(y * LOG2(ABS(x)));
    const REAL at_zero = CHOOSE(LESS(y, SPLAT(0.0f)), INFINITY_REAL, SPLAT(0.0f));
    const REAL half_y = y * 0.5f;
    const REAL power = CHOOSE(EQUAL(x, SPLAT(0.0f)), at_zero, size);
    const REAL integer_power = CHOOSE(EQUAL(FLOOR(half_y), half_y), power, -power);
    const REAL of_negative = CHOOSE(EQUAL(FLOOR(y), y), integer_power, NAN_REAL);
    const REAL result = CHOOSE(LESS(x, SPLAT(0.0f)), of_negative, power);
    return CHOOSE(EQUAL(y, SPLAT(0.0f)), SPLAT(1.0f), result);
}

/* sin(x + quarter pi/2). x is brought to [-pi/4, pi/4] by multiples of pi/2 in four parts, of which the
 * first three have so few bits that their products are exact up to 2^15 (Cody and Waite); beyond, the
 * result still lies in [-1, 1]. */
FUNCTION REAL sine_of(REAL x, int quarter)
{
    const REAL k = FLOOR(x * 0.636619747f + 0.5f);
    PRECISE REAL r = x - k * 1.5703125f;
    r = r - k * 4.83512878e-4f;
    r = r - k * 3.13855708e-7f;
    r = r - k * 6.07710063e-11f;
    r = CHOOSE(LESS(SPLAT(0.8f), ABS(r)), SPLAT(0.8f), r);
    const REAL t = r * r;
    const REAL s = r + r * t * (t * (t * -1.95172062e-4f + 8.33218452e-3f) - 0.166666552f);
    const REAL c = t * t * (t * (t * 2.44306702e-5f - 1.38873013e-3f) + 4.16666456e-2f) + (1.0f - 0.5f * t);
    const INTS q = TO_INTS(k) + quarter;
    const REAL value = CHOOSE(INTS_EQUAL(q & 1, SPLAT_INT(0)), s, c);
    return CHOOSE(INTS_EQUAL(q & 2, SPLAT_INT(0)), value, -value);
}
#define SIN(x) sine_of(x, 0)
#define COS(x) sine_of(x, 1)

/* Below 1 a polynomial, beyond from exp, whose own error is damped there. */
FUNCTION REAL TANH(REAL x)
{
    const REAL a = ABS(x);
    const REAL t = x * x;
    REAL p = t * -3.58407531e-4f + 2.30127829e-3f;
    p = t * p - 7.94606656e-3f;
    p = t * p + 2.14866903e-2f;
    p = t * p - 5.38798459e-2f;
    p = t * p + 0.133323461f;
    p = t * p - 0.333332956f;
    const REAL large = 1.0f - 2.0f / (1.0f + EXP(2.0f * a));
    return CHOOSE(LESS(a, SPLAT(1.0f)), x + x * t * p, CHOOSE(LESS(x, SPLAT(0.0f)), -large, large));
}
