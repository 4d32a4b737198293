/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenCL C 1.2 side of the language that kernel bodies are written in; shaders/dialect.h is the other
 * side and defines the same names. The host defines GX GY GZ, the work-group's size, and W, the lanes of a
 * REAL: 1, 2, 4, 8 or 16.
 *
 * A body defines BUFFERS(IN, OUT), PARAMS(P) and LOCALS(L), lists of
 *   IN(0, float, x)      buffer 0, read only, overlaps no other; numbered from 0 in order
 *   OUT(1, float, y)     written and read
 *   IN_ALIASED, OUT_ALIASED (no parameters of BUFFERS): the same, for buffers that may share memory
 *   P(int, n)            a parameter: one 32-bit int, uint or float
 *   L(float, tile, 256)  an array in local memory
 * and then stands between KERNEL_BEGIN(name) and KERNEL_END; KERNEL_BEGIN_NO_PARAMS where there are none, as
 * GLSL has no empty blocks. Helper functions are FUNCTION type name(...) { ... }. Names must not be words of
 * GLSL: in, out, input, output, sample, buffer, shared, half, common, active, filter. */
#ifndef W
#define W 1
#endif
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

#define COMMA_0
#define COMMA_1 ,
#define COMMA_2 ,
#define COMMA_3 ,
#define COMMA_4 ,
#define COMMA_5 ,
#define COMMA_6 ,
#define COMMA_7 ,
#define COMMA_8 ,
#define COMMA_9 ,
#define COMMA_10 ,
#define COMMA_11 ,
#define COMMA_12 ,
#define COMMA_13 ,
#define COMMA_14 ,
#define COMMA_15 ,
#define COMMA_16 ,
#define COMMA_17 ,
#define COMMA_18 ,
#define COMMA_19 ,
#define IN_(number, type, name) CAT(COMMA_, number) __global const type *restrict name
#define OUT_(number, type, name) CAT(COMMA_, number) __global type *restrict name
#define IN_ALIASED(number, type, name) CAT(COMMA_, number) __global const type *name
#define OUT_ALIASED(number, type, name) CAT(COMMA_, number) __global type *name
#define PARAM_(type, name) , const type name
#define LOCAL_(type, name, size) __local type name[size];
#define KERNEL_BEGIN(name)                                                                                   \
    __kernel __attribute__((reqd_work_group_size(GX, GY, GZ))) void name(BUFFERS(IN_, OUT_) PARAMS(PARAM_))  \
    {                                                                                                        \
        LOCALS(LOCAL_)
#define KERNEL_BEGIN_NO_PARAMS(name)                                                                         \
    __kernel __attribute__((reqd_work_group_size(GX, GY, GZ))) void name(BUFFERS(IN_, OUT_))                 \
    {                                                                                                        \
        LOCALS(LOCAL_)
#define KERNEL_END }
#define FUNCTION static

/* FLAT_ID numbers the work-items of a grid of two dimensions whose groups have one, for more than a
 * dimension can hold. */
#define GLOBAL_ID(d) ((int)get_global_id(d))
#define LOCAL_ID(d) ((int)get_local_id(d))
#define GROUP_ID(d) ((int)get_group_id(d))
#define GROUP_COUNT(d) ((int)get_num_groups(d))
#define FLAT_ID (GLOBAL_ID(0) + GLOBAL_ID(1) * (int)get_global_size(0))
#define LOCAL_BARRIER() barrier(CLK_LOCAL_MEM_FENCE)

/* A place in a buffer of floats, and element k from there on: what a loop reads with few address computations.
 * PLACES are an array of them, each set by SET_PLACE. */
#define PLACE(name, buffer, index) __global const float *const name = (buffer) + (index)
#define AT_PLACE(name, buffer, k) ((name)[k])
#define PLACES(name, count) __global const float *name[count]
#define SET_PLACE(place, buffer, index) ((place) = (buffer) + (index))

#define UNROLL_LOOP _Pragma("unroll")
#define UNROLL UNROLL_LOOP
/* NO_CONTRACT, once before the functions of a body, and PRECISE before the type of every variable together
 * see to it that products and sums are rounded one by one. */
#define NO_CONTRACT _Pragma("OPENCL FP_CONTRACT OFF")
#define PRECISE

/* Scalars: conversion, reinterpretation, the upper half of a product. */
#define FLOAT(x) ((float)(x))
#define INT(x) ((int)(x))
#define UINT(x) ((uint)(x))
#define AS_FLOAT(x) as_float(x)
#define AS_UINT(x) as_uint(x)
#define MUL_HIGH(x, y) mul_hi((uint)(x), (uint)(y))
#define UINT4(x, y, z, w) ((uint4)(x, y, z, w))
typedef uint4 UINT4;

/* Vectors: REAL has W floats, INTS has W ints. */
#if W == 1
#define REAL float
#define INTS int
#define LANE(v, k) (v)
#define SET_LANE(v, k, s) ((v) = (s))
#define LANE_INT(v, k) (v)
#define SET_LANE_INT(v, k, s) ((v) = (s))
#define CHOOSE_INTS(b, x, y) ((b) ? (x) : (y))
#define LOAD(buffer, i) ((buffer)[i])
#define STORE(buffer, i, v) ((buffer)[i] = (v))
#define ANY(b) (b)
#define IOTA 0.0f
#define BOOLS_TO_REAL(b) ((b) ? 1.0f : 0.0f)
#define CHOOSE(b, x, y) ((b) ? (x) : (y))
#define TO_INTS(v) convert_int(v)
#define TO_REAL(i) convert_float(i)
#define AS_INTS(v) as_int(v)
#define AS_REAL(i) as_float(i)
#else
#define REAL CAT(float, W)
#define INTS CAT(int, W)
#define LANE(v, k) (((const float *)&(v))[k])
#define SET_LANE(v, k, s) (((float *)&(v))[k] = (s))
#define LANE_INT(v, k) (((const int *)&(v))[k])
#define SET_LANE_INT(v, k, s) (((int *)&(v))[k] = (s))
#define CHOOSE_INTS(b, x, y) select((INTS)(y), (INTS)(x), b)
#define LOAD(buffer, i) CAT(vload, W)(0, (buffer) + (i))
#define STORE(buffer, i, v) CAT(vstore, W)(v, 0, (buffer) + (i))
#define BOOLS_TO_REAL(b) AS_REAL((b) & (INTS)(0x3F800000))
#define CHOOSE(b, x, y) select((REAL)(y), (REAL)(x), b)
/* Whether a mask holds for some lane; the halves as longs: PoCL 3.1 makes a branch for every lane of any(). */
#if W == 2
#define ANY(b) (as_long(b) != 0)
#elif W == 4
#define ANY(b) ANY_OF_TWO(as_long2(b))
#elif W == 8
#define ANY(b) ANY_OF_TWO(as_long4(b).lo | as_long4(b).hi)
#else
#define ANY(b) ANY_OF_TWO((as_long8(b).lo | as_long8(b).hi).lo | (as_long8(b).lo | as_long8(b).hi).hi)
#endif
#define ANY_OF_TWO(b) (((b).x | (b).y) != 0)
#define TO_INTS(v) CAT(convert_int, W)(v)
#define TO_REAL(i) CAT(convert_float, W)(i)
#define AS_INTS(v) CAT(as_int, W)(v)
#define AS_REAL(i) CAT(as_float, W)(i)
#if W == 2
#define IOTA ((REAL)(0, 1))
#elif W == 4
#define IOTA ((REAL)(0, 1, 2, 3))
#elif W == 8
#define IOTA ((REAL)(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define IOTA ((REAL)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#endif
#endif
#define LOAD_INTS(buffer, i) LOAD(buffer, i)
#define STORE_INTS(buffer, i, v) STORE(buffer, i, v)
#define SPLAT(s) ((REAL)(s))

/* The sum of a REAL's lanes, by halves. */
#define LANE_SUM2(v) ((v).x + (v).y)
static float lane_sum4(float4 v)
{
    return LANE_SUM2(v.lo + v.hi);
}
#if W == 1
#define LANE_SUM(v) (v)
#elif W == 2
#define LANE_SUM(v) LANE_SUM2(v)
#elif W == 4
#define LANE_SUM(v) lane_sum4(v)
#elif W == 8
#define LANE_SUM(v) lane_sum4((v).lo + (v).hi)
#else
#define LANE_SUM(v) lane_sum4(((v).lo + (v).hi).lo + ((v).lo + (v).hi).hi)
#endif
#define SPLAT_INT(s) ((INTS)(s))

/* CHOOSE takes what these give: bools in GLSL and where W is 1, masks elsewhere. */
#define LESS(x, y) ((x) < (y))
#define LESS_EQUAL(x, y) ((x) <= (y))
#define EQUAL(x, y) ((x) == (y))
#define NOT_EQUAL(x, y) ((x) != (y))
#define INTS_EQUAL(x, y) ((x) == (y))

/* A multiplication and an addition, in one rounding where that is one instruction; fma() is a hundred times
 * slower where it is not (rusticl on llvmpipe, Mesa 22.3), and compilers that have the instruction contract
 * the other form. */
#ifdef FP_FAST_FMAF
#define FMA(x, y, z) fma(x, y, z)
#else
#define FMA(x, y, z) ((x) * (y) + (z))
#endif
#include "x86.h"
#ifndef HAVE_X86
#define RSQRT(x) rsqrt(x)
#define EXP(x) exp(x)
#endif
#define SQRT(x) sqrt(x)
#define EXP2(x) exp2(x)
#define LOG(x) log(x)
#define LOG2(x) log2(x)
#define FLOOR(x) floor(x)
#define ABS(x) fabs(x)
#define SIGN(x) sign(x)
/* Of a number and a NaN the number; GLSL leaves that open, but the drivers that were tried agree. */
#define MIN(x, y) fmin(x, y)
#define MAX(x, y) fmax(x, y)
