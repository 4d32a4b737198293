/* SPDX-License-Identifier: Apache-2.0 */
/* A contraction on CPUs, as a BLAS would run it; OpenCL alone, where a work-item can be a thread's worth of
 * work: it is a group of its own, with a tile of up to NP panels of NR columns. Of each block of KC depths it
 * copies its panels of B into local memory (the second cache), and multiplies each, from the first cache,
 * with its rows of A, MR rows at a time:
 *
 *     for blocks of KC depths:
 *         copy the tile's panels
 *         for each panel, for PANELS_M times MR rows:  MR x NV vectors of sums
 *
 * Between blocks the sums wait in the result. Columns come in units of U neighbours, UNIT_STEP apart in B
 * (0: b_0). Where the innermost axis is no multiple of U, its last unit is moved left until it fits (n0 >=
 * U), and stores only the columns that are its own. ALONG_DEPTH 1: depths are neighbours in B, UNIT_STEP
 * apart, not columns. */
#include "dialect.h"
#include "../kernels/math.h"
#include "../kernels/contract.h"
#define NR (NV * W)
#define UNITS (NR / U)
#define NP 8
#define PANELS_M (panels & 0xFFFF)
#define PANELS_N (panels >> 16)
/* A_PACKED 1: A is as contract_rows.cl leaves it. */
#if A_PACKED
#undef A_STEP
#define A_STEP(k) ((k) * MR)
#define A_ROW(q, r) ((q) * MR * depth + (r))
#else
#define A_ROW(q, r) (min((q) * MR + (r), m - 1) * a_row)
#endif
#define LOCALS(L) L(float, tile, NP * KC * NR)

/* Neighbours, UNIT_STEP apart. */
#if UNIT_STEP == 1
#define LOAD_2(from) vload2(0, from)
#define LOAD_4(from) vload4(0, from)
#define LOAD_8(from) vload8(0, from)
#elif UNIT_STEP == 2
#define LOAD_2(from) vload3(0, from).xz
#define LOAD_4(from) ((float4)(vload4(0, from).even, vload4(0, (from) + 3).odd))
#define LOAD_8(from) ((float8)(vload8(0, from).even, vload8(0, (from) + 7).odd))
#else
#define LOAD_2(from) ((float2)((from)[0], (from)[b_0]))
#define LOAD_4(from) ((float4)(LOAD_2(from), LOAD_2((from) + 2 * b_0)))
#define LOAD_8(from) ((float8)(LOAD_4(from), LOAD_4((from) + 4 * b_0)))
#endif
#define LOAD_1(from) (*(from))
#define LOAD_16(from) ((float16)(LOAD_8(from), LOAD_8((from) + 8 * (UNIT_STEP ? UNIT_STEP : b_0))))
#define STORE_1(v, to) (*(to) = (v))
#define STORE_2(v, to) vstore2(v, 0, to)
#define STORE_4(v, to) vstore4(v, 0, to)
#define STORE_8(v, to) vstore8(v, 0, to)
#define STORE_16(v, to) vstore16(v, 0, to)
#define STORE_SUM(v, to) CAT(vstore, W)(v, 0, to)
#define LOAD_UNIT(from) CAT(LOAD_, U)(from)
#define STORE_UNIT(v, to) CAT(STORE_, U)(v, to)

/* Eight depths of eight columns, each loaded along its depths, into rows of eight columns. */
static void store_transposed(float8 a, float8 b, float8 c, float8 d, float8 e, float8 f, float8 g, float8 h,
                             __local float *to)
{
#define INTERLEAVE_LOW(x, y) ((float8)(x.s0, y.s0, x.s1, y.s1, x.s4, y.s4, x.s5, y.s5))
#define INTERLEAVE_HIGH(x, y) ((float8)(x.s2, y.s2, x.s3, y.s3, x.s6, y.s6, x.s7, y.s7))
#define PAIRS_LOW(x, y) ((float8)(x.s01, y.s01, x.s45, y.s45))
#define PAIRS_HIGH(x, y) ((float8)(x.s23, y.s23, x.s67, y.s67))
    const float8 ab0 = INTERLEAVE_LOW(a, b), ab1 = INTERLEAVE_HIGH(a, b), cd0 = INTERLEAVE_LOW(c, d),
                 cd1 = INTERLEAVE_HIGH(c, d), ef0 = INTERLEAVE_LOW(e, f), ef1 = INTERLEAVE_HIGH(e, f),
                 gh0 = INTERLEAVE_LOW(g, h), gh1 = INTERLEAVE_HIGH(g, h);
    const float8 l0 = PAIRS_LOW(ab0, cd0), l1 = PAIRS_HIGH(ab0, cd0), l2 = PAIRS_LOW(ab1, cd1),
                 l3 = PAIRS_HIGH(ab1, cd1), r0 = PAIRS_LOW(ef0, gh0), r1 = PAIRS_HIGH(ef0, gh0),
                 r2 = PAIRS_LOW(ef1, gh1), r3 = PAIRS_HIGH(ef1, gh1);
    vstore8((float8)(l0.lo, r0.lo), 0, to);
    vstore8((float8)(l1.lo, r1.lo), 0, to + NR);
    vstore8((float8)(l2.lo, r2.lo), 0, to + 2 * NR);
    vstore8((float8)(l3.lo, r3.lo), 0, to + 3 * NR);
    vstore8((float8)(l0.hi, r0.hi), 0, to + 4 * NR);
    vstore8((float8)(l1.hi, r1.hi), 0, to + 5 * NR);
    vstore8((float8)(l2.hi, r2.hi), 0, to + 6 * NR);
    vstore8((float8)(l3.hi, r3.hi), 0, to + 7 * NR);
}

static REAL load_apart(__global const float *from, int apart)
{
    if (apart == 1)
        return CAT(vload, W)(0, from);
    REAL v;
    for (int t = 0; t < W; t++)
        SET_LANE(v, t, from[t * apart]);
    return v;
}

KERNEL_BEGIN(contract_panels)
    const int row_units = (n0 + U - 1) / U, units = row_units * n1 * n2;
    const int panels_n = (units + UNITS - 1) / UNITS, panels_m = (m + MR - 1) / MR;
    const int tiles_n = (panels_n + PANELS_N - 1) / PANELS_N, tiles_m = (panels_m + PANELS_M - 1) / PANELS_M;
    const int slices = max((depth + slice_depth - 1) / slice_depth, 1);
    const int group = GROUP_ID(0) + GROUP_ID(1) * GROUP_COUNT(0);
    const int tile_m = group % tiles_m, tile_n = group / tiles_m % tiles_n;
    const int slice = group / tiles_m / tiles_n % slices, batch = group / tiles_m / tiles_n / slices;
    const int first_k = slice * slice_depth, end_k = min(depth, first_k + slice_depth);
    const int first_q = tile_m * PANELS_M, end_q = min(first_q + PANELS_M, panels_m);
    const int own_panels = min(PANELS_N, panels_n - tile_n * PANELS_N);
    if (batch < batches) {
        int b_at[NP * UNITS], c_at[NP * UNITS], result_at[NP * UNITS], own[NP * UNITS];
        for (int u = 0; u < own_panels * UNITS; u++) {
            const int unit = tile_n * PANELS_N * UNITS + u, known = min(unit, units - 1);
            const int line = known / row_units;
            const int j0 = known % row_units * U, start = min(j0, n0 - U), j1 = line % n1, j2 = line / n1;
            b_at[u] = b_offset + batch * b_batch + COLUMN_AT(b, j2, j1, start);
            c_at[u] = c_offset + batch * c_batch + COLUMN_AT(c, j2, j1, start);
            result_at[u] =
                result_offset + (slice * batches + batch) * result_batch + COLUMN_AT(result, j2, j1, start);
            own[u] = unit < units ? j0 - start : U;
        }
        for (int k0 = first_k; k0 < end_k; k0 += KC) {
            const int count = min(KC, end_k - k0);
            const bool last = k0 + KC >= end_k;
#if ALONG_DEPTH
            for (int t = 0; t < own_panels * NR; t += 8) {
                __local float *const to = tile + t / NR * KC * NR + t % NR;
                int from[8];
                for (int lane = 0; lane < 8; lane++)
                    from[lane] = b_at[(t + lane) / U] + (t + lane) % U * b_0;
                int k = 0;
                while (k < count) {
                    const int step = B_STEP(k0 + k);
#if UNIT_STEP
                    if (k + 8 <= count && B_STEP(k0 + k + 7) - step == 7 * UNIT_STEP) {
                        __global const float *const at = b + step;
                        store_transposed(LOAD_8(at + from[0]), LOAD_8(at + from[1]), LOAD_8(at + from[2]),
                                         LOAD_8(at + from[3]), LOAD_8(at + from[4]), LOAD_8(at + from[5]),
                                         LOAD_8(at + from[6]), LOAD_8(at + from[7]), to + k * NR);
                        k += 8;
                        continue;
                    }
#endif
                    UNROLL for (int lane = 0; lane < 8; lane++)
                        to[k * NR + lane] = b[from[lane] + step];
                    k++;
                }
            }
#else
            for (int k = 0; k < count; k++) {
                const int step = B_STEP(k0 + k);
                for (int p = 0; p < own_panels; p++)
                    UNROLL for (int u = 0; u < UNITS; u++)
                        STORE_UNIT(LOAD_UNIT(b + b_at[p * UNITS + u] + step), tile + (p * KC + k) * NR + u * U);
            }
#endif
            for (int p = 0; p < own_panels; p++) {
                __local const float *const panel = tile + p * KC * NR;
                const int first_u = p * UNITS;
                /* Whether each vector is one run of the result, or a unit of it. */
                bool whole = result_0 == 1 && (!(USES_C) || U == W), strided = U == W;
                for (int u = 0; u < UNITS; u++) {
                    strided = strided && own[first_u + u] == 0;
                    whole = whole && own[first_u + u] == 0 &&
                            result_at[first_u + u] == result_at[first_u + u * U / W * W / U] + u * U % W;
                }
                for (int q = first_q; q < end_q; q++) {
                    PLACES(a_places, MR);
                    REAL sum[MR * NV];
                    UNROLL for (int r = 0; r < MR; r++)
                        SET_PLACE(a_places[r], a, a_offset + batch * a_batch + A_ROW(q, r));
                    UNROLL for (int s = 0; s < MR * NV; s++)
                        sum[s] = SPLAT(0.0f);
                    for (int k = 0; k < count; k++) {
                        const int step = A_STEP(k0 + k);
                        REAL b_values[NV];
                        UNROLL for (int v = 0; v < NV; v++)
                            b_values[v] = LOAD(panel, k * NR + v * W);
                        UNROLL for (int r = 0; r < MR; r++) {
                            const REAL a_value = SPLAT(AT_PLACE(a_places[r], a, step));
                            UNROLL for (int v = 0; v < NV; v++)
                                sum[r * NV + v] = FMA(a_value, b_values[v], sum[r * NV + v]);
                        }
                    }
                    if (whole || strided) {
                        UNROLL for (int r = 0; r < MR; r++) {
                            const int row = q * MR + r;
                            if (row < m) {
                                UNROLL for (int v = 0; v < NV; v++) {
                                    const int at = result_at[first_u + v * W / U] + row * result_row;
                                    const int from = c_at[first_u + v * W / U] + row * c_row;
                                    REAL value = sum[r * NV + v];
                                    if (k0 > first_k)
                                        value += load_apart(result + at, whole ? 1 : result_0);
                                    if (last)
                                        value = FINISH(value, USES_C ? load_apart(c + from, c_0) : SPLAT(0.0f));
                                    if (whole)
                                        STORE(result, at, value);
                                    else
                                        UNROLL for (int t = 0; t < W; t++)
                                            result[at + t * result_0] = LANE(value, t);
                                }
                            }
                        }
                    } else {
                        float sums[MR * NR]; /* apart, so that `sum` is never indexed and stays in registers */
                        UNROLL for (int s = 0; s < MR * NV; s++)
                            STORE_SUM(sum[s], sums + s * W);
                        for (int s = 0; s < MR * NR; s++) {
                            const int row = q * MR + s / NR, u = first_u + s % NR / U, t = s % U;
                            if (row < m && t >= own[u]) {
                                const int at = result_at[u] + row * result_row + t * result_0;
                                float value = sums[s];
                                if (k0 > first_k)
                                    value += result[at];
                                if (last)
                                    value = finish_one(
                                        value, USES_C ? c[c_at[u] + row * c_row + t * c_0] : 0.0f, alpha, beta);
                                result[at] = value;
                            }
                        }
                    }
                }
            }
        }
    }
KERNEL_END
