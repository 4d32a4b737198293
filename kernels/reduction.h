/* SPDX-License-Identifier: Apache-2.0 */
/* How values are reduced, for `reduce` and `pairwise`. REDUCTION is a dp_reduction. Three levels, in a fixed order:
 *
 * 1. Lanes: each lane of a REAL has a state of its own. Values come in blocks of at most SUM_BLOCK, within which sums are plain;
 *    a block's sum is added to a compensated total, so that the error does not grow with the number of values.
 *        DECLARE_STATES(count)                                arrays of states, numbered by k below
 *        STATE_BEGIN(k)
 *        BLOCK_BEGIN(k) { BLOCK_ADD(k, value, index) ... } BLOCK_END(k)      value: REAL, index: INTS
 *        BLOCK_ADD_PRODUCT(k, x, y, index)                    the same of x * y, in one rounding where that is one instruction
 *    A part of a block may be added up in registers, in SPLIT (1 or 4) sums that do not wait for each other: between
 *    SPLIT_BEGIN(part, k) and SPLIT_END(part, k), SPLIT_ADD(part, k, number, value, index) and SPLIT_ADD_PRODUCT of value `number`.
 * 2. Scalars: a state's lane is a pair (p, q); pairs merge into one, which is a result.
 *        p = STATE_P(k, lane);  q = STATE_Q(k, lane);         float p; SECOND q
 *        MERGE(p, q, other_p, other_q)
 *        FINISH(p, q)                                         the result as a float (arg: the best value; its index is q)
 * 3. Results of parts are values again (arg: with their indices) for the next launch.
 *
 * IDENTITY is the value that changes nothing. Sums: p + q is the total. Log-sum-exp: p is an integer, at least each value times
 * log2(e) unless none came, q the sum of 2^(value log2(e) - p): scaling by powers of two is exact. */
#define SUM_BLOCK 128
#ifndef SPLIT
#define SPLIT 1
#endif

#define LOWEST (-3.40282347e38f)
#define LOG2_E 1.44269504f
#define LN_2 0.693147181f
#define INFINITY1 AS_FLOAT(0x7F800000u)
#define NAN1 AS_FLOAT(0x7FC00000u)

/* dp_reduction */
#define REDUCE_SUM 0
#define REDUCE_MEAN 1
#define REDUCE_MAX 2
#define REDUCE_MIN 3
#define REDUCE_ARGMAX 4
#define REDUCE_ARGMIN 5
#define REDUCE_LOGSUMEXP 6

#if REDUCTION == REDUCE_ARGMAX || REDUCTION == REDUCE_ARGMIN
#define WITH_INDEX 1
#define SECOND int
#else
#define WITH_INDEX 0
#define SECOND float
#endif

#if REDUCTION == REDUCE_SUM || REDUCTION == REDUCE_MEAN

#define IDENTITY SPLAT(0.0f)
#define DECLARE_STATES(count) PRECISE REAL state_block[count], state_total[count], state_error[count]
#define STATE_BEGIN(k) state_total[k] = state_error[k] = SPLAT(0.0f)
#define BLOCK_BEGIN(k) state_block[k] = SPLAT(0.0f)
#define BLOCK_ADD(k, value, index) state_block[k] += (value)
#define BLOCK_ADD_PRODUCT(k, x, y, index) state_block[k] = FMA(x, y, state_block[k])
#define BLOCK_END(k) TWO_SUM(state_total[k], state_error[k], state_block[k])
#if SPLIT == 1
#define SPLIT_BEGIN(part, k) REAL part[1]; part[0] = state_block[k]
#define SPLIT_END(part, k) state_block[k] = part[0]
#else
#define SPLIT_BEGIN(part, k)                                                                                 \
    REAL part[4];                                                                                            \
    part[0] = state_block[k];                                                                                \
    part[1] = part[2] = part[3] = SPLAT(0.0f)
#define SPLIT_END(part, k) state_block[k] = (part[0] + part[1]) + (part[2] + part[3])
#endif
#define SPLIT_ADD(part, k, number, value, index) part[(number) % SPLIT] += (value)
#define SPLIT_ADD_PRODUCT(part, k, number, x, y, index)                                                      \
    part[(number) % SPLIT] = FMA(x, y, part[(number) % SPLIT])
#define STATE_P(k, lane) LANE(state_total[k], lane)
#define STATE_Q(k, lane) LANE(state_error[k], lane)
#define MERGE(p, q, other_p, other_q)                                                                        \
    do {                                                                                                     \
        TWO_SUM1(p, q, other_p);                                                                             \
        (q) += (other_q);                                                                                    \
    } while (false)
/* An infinite total has no error to speak of. */
#define FINISH(p, q) ((p) - (p) == 0.0f ? (p) + (q) : (p))

#elif REDUCTION == REDUCE_LOGSUMEXP

#define IDENTITY (-INFINITY_REAL)
#define DECLARE_STATES(count)                                                                                \
    PRECISE REAL state_block[count], state_exponent[count], state_total[count], state_error[count];          \
    REAL block_exponent[count]
#define STATE_BEGIN(k)                                                                                       \
    state_exponent[k] = SPLAT(LOWEST);                                                                       \
    state_total[k] = state_error[k] = SPLAT(0.0f)
#define BLOCK_BEGIN(k)                                                                                       \
    block_exponent[k] = state_exponent[k];                                                                   \
    state_block[k] = SPLAT(0.0f)
#define BLOCK_ADD(k, value, index)                                                                           \
    do {                                                                                                     \
        const REAL add_scaled = (value) * LOG2_E;                                                            \
        const REAL add_exponent = MAX(block_exponent[k], MIN(-FLOOR(-add_scaled), SPLAT(-LOWEST)));          \
        state_block[k] = state_block[k] * POWER_OF_2(block_exponent[k] - add_exponent) + EXP2(add_scaled - add_exponent); \
        block_exponent[k] = add_exponent;                                                                    \
    } while (false)
#define BLOCK_END(k)                                                                                         \
    do {                                                                                                     \
        const REAL end_scale = POWER_OF_2(state_exponent[k] - block_exponent[k]);                            \
        state_exponent[k] = block_exponent[k];                                                               \
        state_total[k] = state_total[k] * end_scale;                                                         \
        state_error[k] = state_error[k] * end_scale;                                                         \
        TWO_SUM(state_total[k], state_error[k], state_block[k]);                                             \
    } while (false)
/* 2^e for integers e <= 0; 0 where that is below f32's range. */
#define POWER_OF_2(e) CHOOSE(LESS(e, SPLAT(-126.0f)), SPLAT(0.0f), EXP2I(e))
#define POWER_OF_2_1(e) ((e) < -126.0f ? 0.0f : AS_FLOAT(UINT(INT(e) + 127) << 23))
#define STATE_P(k, lane) LANE(state_exponent[k], lane)
#define STATE_Q(k, lane) (LANE(state_total[k], lane) + LANE(state_error[k], lane))
#define MERGE(p, q, other_p, other_q)                                                                        \
    do {                                                                                                     \
        const float merge_p = max(p, other_p);                                                               \
        (q) = (q) * POWER_OF_2_1((p) - merge_p) + (other_q) * POWER_OF_2_1((other_p) - merge_p);             \
        (p) = merge_p;                                                                                       \
    } while (false)
#define FINISH(p, q) ((q) == 0.0f ? -INFINITY1 : ((p) + log2(q)) * LN_2)

#else /* max, min, argmax, argmin; a NaN among the values makes the result NaN */

#if REDUCTION == REDUCE_MAX || REDUCTION == REDUCE_ARGMAX
#define IDENTITY (-INFINITY_REAL)
#define BETTER(x, y) LESS(y, x)
#define BETTER1(x, y) ((x) > (y))
#define WORST1 (-INFINITY1)
#else
#define IDENTITY INFINITY_REAL
#define BETTER(x, y) LESS(x, y)
#define BETTER1(x, y) ((x) < (y))
#define WORST1 INFINITY1
#endif
#define BLOCK_BEGIN(k)
#define BLOCK_END(k)
#define STATE_P(k, lane) LANE(state_best[k], lane)

#if WITH_INDEX
/* The first of equal values wins: lanes see increasing indices, merges compare them. */
#define DECLARE_STATES(count)                                                                                \
    REAL state_best[count];                                                                                  \
    INTS state_index[count]
#define STATE_BEGIN(k)                                                                                       \
    state_best[k] = IDENTITY;                                                                                \
    state_index[k] = SPLAT_INT(-1)
#define BLOCK_ADD(k, value, index)                                                                           \
    do {                                                                                                     \
        const REAL add_value = (value);                                                                      \
        state_index[k] = CHOOSE_INTS(BETTER(add_value, state_best[k]), index, state_index[k]);               \
        state_best[k] = CHOOSE(BETTER(add_value, state_best[k]), add_value, state_best[k]);                  \
    } while (false)
#define STATE_Q(k, lane) LANE_INT(state_index[k], lane)
#define MERGE(p, q, other_p, other_q)                                                                        \
    do {                                                                                                     \
        if ((other_q) >= 0 &&                                                                                \
            ((q) < 0 || BETTER1(other_p, p) || ((other_p) == (p) && (other_q) < (q)))) {                     \
            (p) = (other_p);                                                                                 \
            (q) = (other_q);                                                                                 \
        }                                                                                                    \
    } while (false)
#define FINISH(p, q) (p)
#else
#define DECLARE_STATES(count) REAL state_best[count], state_bad[count]
#define STATE_BEGIN(k)                                                                                       \
    state_best[k] = IDENTITY;                                                                                \
    state_bad[k] = SPLAT(0.0f)
#define BLOCK_ADD(k, value, index)                                                                           \
    do {                                                                                                     \
        const REAL add_value = (value);                                                                      \
        state_best[k] = CHOOSE(BETTER(add_value, state_best[k]), add_value, state_best[k]);                  \
        state_bad[k] = CHOOSE(EQUAL(add_value, add_value), state_bad[k], SPLAT(1.0f));                       \
    } while (false)
#define STATE_Q(k, lane) LANE(state_bad[k], lane)
#define MERGE(p, q, other_p, other_q)                                                                        \
    do {                                                                                                     \
        (p) = BETTER1(other_p, p) ? (other_p) : (p);                                                         \
        (q) += (other_q);                                                                                    \
    } while (false)
#define FINISH(p, q) ((q) > 0.0f ? NAN1 : (p))
#endif
#endif

#ifndef BLOCK_ADD_PRODUCT
#define BLOCK_ADD_PRODUCT(k, x, y, index) BLOCK_ADD(k, (x) * (y), index)
#endif
#ifndef SPLIT_ADD
#define SPLIT_BEGIN(part, k)
#define SPLIT_END(part, k)
#define SPLIT_ADD(part, k, number, value, index) BLOCK_ADD(k, value, index)
#define SPLIT_ADD_PRODUCT(part, k, number, x, y, index) BLOCK_ADD_PRODUCT(k, x, y, index)
#endif
