/* SPDX-License-Identifier: Apache-2.0 */
/* The GLSL 4.50 side of the language that kernel bodies are written in. cl/dialect.h defines the same names
 * and explains them. W is 1, 2 or 4 here. */
#extension GL_EXT_control_flow_attributes : require
#ifndef W
#define W 1
#endif

#define CAT(a, b) a##b

#define IN_(number, type, name)                                                                              \
    layout(std430, binding = number) readonly restrict buffer name##_buffer { type name[]; };
#define OUT_(number, type, name)                                                                             \
    layout(std430, binding = number) restrict buffer name##_buffer { type name[]; };
#define IN_ALIASED(number, type, name)                                                                       \
    layout(std430, binding = number) readonly buffer name##_buffer { type name[]; };
#define OUT_ALIASED(number, type, name)                                                                      \
    layout(std430, binding = number) buffer name##_buffer { type name[]; };
#define PARAM_(type, name) type name;
#define LOCAL_(type, name, size) shared type name[size];
#define KERNEL_BEGIN(name)                                                                                   \
    layout(push_constant) uniform name##_params { PARAMS(PARAM_) };                                          \
    KERNEL_BEGIN_NO_PARAMS(name)
#define KERNEL_BEGIN_NO_PARAMS(name)                                                                         \
    layout(local_size_x = GX, local_size_y = GY, local_size_z = GZ) in;                                      \
    BUFFERS(IN_, OUT_)                                                                                       \
    LOCALS(LOCAL_)                                                                                           \
    void main()                                                                                              \
    {
#define KERNEL_END }
#define FUNCTION

#define GLOBAL_ID(d) int(gl_GlobalInvocationID[d])
#define LOCAL_ID(d) int(gl_LocalInvocationID[d])
#define GROUP_ID(d) int(gl_WorkGroupID[d])
#define GROUP_COUNT(d) int(gl_NumWorkGroups[d])
#define FLAT_ID (GLOBAL_ID(0) + GLOBAL_ID(1) * GX * GROUP_COUNT(0))
#define LOCAL_BARRIER() barrier()

#define PLACE(name, buffer, index) const int name = (index)
#define AT_PLACE(name, buffer, k) (buffer[(name) + (k)])
#define PLACES(name, count) int name[count]
#define SET_PLACE(place, buffer, index) ((place) = (index))

#define UNROLL_LOOP [[unroll]]
#define UNROLL UNROLL_LOOP
#define NO_CONTRACT
#define PRECISE precise

#define FLOAT(x) float(x)
#define INT(x) int(x)
#define UINT(x) uint(x)
#define AS_FLOAT(x) uintBitsToFloat(x)
#define AS_UINT(x) floatBitsToUint(x)
#define UINT4 uvec4
uint MUL_HIGH(uint x, uint y)
{
    uint high, low;
    umulExtended(x, y, high, low);
    return high;
}

#if W == 1
#define REAL float
#define INTS int
#define LANE(v, k) (v)
#define SET_LANE(v, k, s) ((v) = (s))
#define LANE_INT(v, k) (v)
#define SET_LANE_INT(v, k, s) ((v) = (s))
#define CHOOSE_INTS(b, x, y) ((b) ? (x) : (y))
#define LOAD(buffer, i) (buffer[i])
#define STORE(buffer, i, v) (buffer[i] = (v))
#define LOAD_INTS(buffer, i) (buffer[i])
#define STORE_INTS(buffer, i, v) (buffer[i] = (v))
#define IOTA 0.0
#define CHOOSE(b, x, y) ((b) ? (x) : (y))
#define LESS(x, y) ((x) < (y))
#define LESS_EQUAL(x, y) ((x) <= (y))
#define EQUAL(x, y) ((x) == (y))
#define NOT_EQUAL(x, y) ((x) != (y))
#define INTS_EQUAL(x, y) ((x) == (y))
#define ANY(b) (b)
#else
#define LANE(v, k) ((v)[k])
#define SET_LANE(v, k, s) ((v)[k] = (s))
#define LANE_INT(v, k) ((v)[k])
#define SET_LANE_INT(v, k, s) ((v)[k] = (s))
#define CHOOSE_INTS(b, x, y) mix(INTS(y), INTS(x), b)
#define CHOOSE(b, x, y) mix(REAL(y), REAL(x), b)
#define LESS(x, y) lessThan(x, y)
#define LESS_EQUAL(x, y) lessThanEqual(x, y)
#define EQUAL(x, y) equal(x, y)
#define NOT_EQUAL(x, y) notEqual(x, y)
#define INTS_EQUAL(x, y) equal(x, y)
#define ANY(b) any(b)
#if W == 2
#define REAL vec2
#define INTS ivec2
#define LOAD(buffer, i) vec2(buffer[i], buffer[(i) + 1])
#define STORE(buffer, i, v)                                                                                  \
    do {                                                                                                     \
        const vec2 store_value = (v);                                                                        \
        buffer[i] = store_value.x;                                                                           \
        buffer[(i) + 1] = store_value.y;                                                                     \
    } while (false)
#define LOAD_INTS(buffer, i) ivec2(buffer[i], buffer[(i) + 1])
#define STORE_INTS(buffer, i, v)                                                                             \
    do {                                                                                                     \
        const ivec2 store_value = (v);                                                                       \
        buffer[i] = store_value.x;                                                                           \
        buffer[(i) + 1] = store_value.y;                                                                     \
    } while (false)
#define IOTA vec2(0, 1)
#else
#define REAL vec4
#define INTS ivec4
#define LOAD(buffer, i) vec4(buffer[i], buffer[(i) + 1], buffer[(i) + 2], buffer[(i) + 3])
#define STORE(buffer, i, v)                                                                                  \
    do {                                                                                                     \
        const vec4 store_value = (v);                                                                        \
        buffer[i] = store_value.x;                                                                           \
        buffer[(i) + 1] = store_value.y;                                                                     \
        buffer[(i) + 2] = store_value.z;                                                                     \
        buffer[(i) + 3] = store_value.w;                                                                     \
    } while (false)
#define LOAD_INTS(buffer, i) ivec4(buffer[i], buffer[(i) + 1], buffer[(i) + 2], buffer[(i) + 3])
#define STORE_INTS(buffer, i, v)                                                                             \
    do {                                                                                                     \
        const ivec4 store_value = (v);                                                                       \
        buffer[i] = store_value.x;                                                                           \
        buffer[(i) + 1] = store_value.y;                                                                     \
        buffer[(i) + 2] = store_value.z;                                                                     \
        buffer[(i) + 3] = store_value.w;                                                                     \
    } while (false)
#define IOTA vec4(0, 1, 2, 3)
#endif
#endif
#define SPLAT(s) REAL(s)
#if W == 1
#define LANE_SUM(v) (v)
#elif W == 2
#define LANE_SUM(v) ((v).x + (v).y)
#else
#define LANE_SUM(v) (((v).x + (v).z) + ((v).y + (v).w))
#endif
#define SPLAT_INT(s) INTS(s)
#define BOOLS_TO_REAL(b) REAL(b)
#define TO_INTS(v) INTS(v)
#define TO_REAL(i) REAL(i)
#define AS_INTS(v) floatBitsToInt(v)
#define AS_REAL(i) intBitsToFloat(i)

#define FMA(x, y, z) fma(x, y, z)
#define RSQRT(x) inversesqrt(x)
#define SQRT(x) sqrt(x)
#define EXP(x) exp(x)
#define EXP2(x) exp2(x)
#define LOG2(x) log2(x)
#define FLOOR(x) floor(x)
#define ABS(x) abs(x)
#define SIGN(x) sign(x)
#define MIN(x, y) min(x, y)
#define MAX(x, y) max(x, y)
