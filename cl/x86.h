/* SPDX-License-Identifier: Apache-2.0 */
/* What an x86 CPU with AVX has and OpenCL C does not: the estimate of 1 / sqrt(x), and with it functions that
 * need no call and no branch. PoCL compiles kernels with clang for the host, so clang's names of the
 * instructions are there. For vectors of 8 and 16; others take the dialect's functions.
 *
 * MINPS and MAXPS give their second operand where one of the two is a NaN. */
#if defined(__AVX__) && defined(__FMA__) && defined(__clang__) && (W == 8 || W == 16)
#define HAVE_X86 1

/* A step of Newton's, e + e t with t = (1 - x e^2) / 2: the estimate e has a relative error of at most 1.5 2^-12 (by the
 * instruction's definition), of which the step leaves at most 3/2 e^2, 3.4 u, always too small; 2^-24 more in its constant takes 1 u
 * of that away. With the roundings of x e, 0.5 u, and of the sum, 1 u: 3.9 u. t is a NaN where x is 0 or infinite; then 0.5 keeps
 * the estimate's infinity or 0. */
static float8 x86_rsqrt8(float8 x)
{
    const float8 e = __builtin_ia32_rsqrtps256(x);
    const float8 t = fma(x * -0.5f * e, e, (float8)(0.50000006f));
    return fma(e, __builtin_ia32_minps256(t, (float8)(0.5f)), e);
}

/* factor exp(f) for |f| <= ln(2) / 2: a minimax polynomial of degree 5. */
static float8 x86_exp_fraction(float8 f, float factor)
{
    float8 p = fma(f, (float8)(factor * 0.00831251126f), (float8)(factor * 0.0418902412f));
    p = fma(p, f, (float8)(factor * 0.166671157f));
    p = fma(p, f, (float8)(factor * 0.499992311f));
    p = fma(p, f, (float8)(factor));
    return fma(p, f, (float8)(factor));
}

/* exp(x) = 2^n exp(f): n is x log2(e), rounded to an integer by adding 1.5 2^23. One constant for ln(2) leaves n 1.5e-9 of error in
 * f, small next to the 2 u |x| that exp may have. The fraction is doubled and the power halved, so that n = 128 is in range. Below
 * the least normal number the result is 0. */
static float8 x86_exp8(float8 x)
{
    const float8 bounded =
        __builtin_ia32_minps256((float8)(88.8f), __builtin_ia32_maxps256((float8)(-86.9f), x));
    const float8 shifted = fma(bounded, (float8)(1.44269504f), (float8)(12582912.0f));
    const float8 f = fma(shifted - 12582912.0f, (float8)(-0.693147182f), bounded);
    const float8 value = x86_exp_fraction(f, 2.0f) * as_float8((as_int8(shifted) + 126) << 23);
    return select(value, (float8)(0.0f), x < -87.33654f);
}

/* The same for x <= 0, where the power need not be halved for n = 128: what would be below the least normal number is between 0 and
 * that. */
static float8 x86_exp_decay8(float8 x)
{
    const float8 bounded = __builtin_ia32_maxps256((float8)(-87.5f), x);
    const float8 shifted = fma(bounded, (float8)(1.44269504f), (float8)(12582912.0f));
    const float8 f = fma(shifted - 12582912.0f, (float8)(-0.693147182f), bounded);
    return x86_exp_fraction(f, 1.0f) * as_float8((as_int8(shifted) + 127) << 23);
}

#if W == 8
#define RSQRT(x) x86_rsqrt8(x)
#define EXP(x) x86_exp8(x)
#define EXP_DECAY(x) x86_exp_decay8(x)
#else
static float16 x86_rsqrt16(float16 x)
{
    return (float16)(x86_rsqrt8(x.lo), x86_rsqrt8(x.hi));
}

static float16 x86_exp16(float16 x)
{
    return (float16)(x86_exp8(x.lo), x86_exp8(x.hi));
}

static float16 x86_exp_decay16(float16 x)
{
    return (float16)(x86_exp_decay8(x.lo), x86_exp_decay8(x.hi));
}
#define RSQRT(x) x86_rsqrt16(x)
#define EXP(x) x86_exp16(x)
#define EXP_DECAY(x) x86_exp_decay16(x)
#endif
#endif
