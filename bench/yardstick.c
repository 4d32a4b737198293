/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick: pair sums written by hand for AVX2 and FMA on all cores, what a portable kernel on this CPU
 * is measured against; and what the machine can do at most, in fused multiply-adds and in memory bandwidth.
 * Results are compared with sums in f64. */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define AVX2   __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline)) AVX2
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { MAX_DIM = 16, MAX_TILE = 8, LANES = 8, J_BLOCK = 512, MAX_THREADS = 64 };

typedef enum method {
    ESTIMATE,
    EXACT
} method; /* of 1 / sqrt: rsqrtps and a Newton step, or sqrtps and divps */

/* Points i are laid out as structures of arrays of 8 points: component c of point i is x[(i / 8 dim + c) 8 +
 * i mod 8]; all offsets in the loops are constants then, and no two components share a cache set, as they
 * would a power of two apart. */
typedef struct soa {
    size_t n, m;
    float *x, *energy, *gradient;
    const float *y; /* row-major: each number is broadcast */
} soa;

INLINE __m256 rsqrt(__m256 t, method how)
{
    if (how == EXACT)
        return _mm256_div_ps(_mm256_set1_ps(1), _mm256_sqrt_ps(t));
    const __m256 guess = _mm256_rsqrt_ps(t);
    const __m256 half = _mm256_mul_ps(_mm256_mul_ps(t, guess), _mm256_set1_ps(-0.5f));
    return _mm256_mul_ps(guess, _mm256_fmadd_ps(half, guess, _mm256_set1_ps(1.5f)));
}

/* exp(x) for x <= 0, 0 below e^-87: 2^k e^f with f in [-ln 2 / 2, ln 2 / 2], a minimax polynomial. Adding 1.5
 * 2^23 rounds to an integer, which then stands in the low bits. */
INLINE __m256 exp_negative(__m256 x)
{
    const __m256 magic = _mm256_set1_ps(12582912.0f);
    x = _mm256_max_ps(x, _mm256_set1_ps(-87.5f));
    const __m256 shifted = _mm256_fmadd_ps(x, _mm256_set1_ps(1.44269504f), magic);
    const __m256 k = _mm256_sub_ps(shifted, magic);
    const __m256 f = _mm256_fnmadd_ps(k, _mm256_set1_ps(0.693147182f), x);
    __m256 p = _mm256_set1_ps(8.31251126e-3f);
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(4.18902412e-2f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0.166671157f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0.499992311f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1));
    const __m256i bits =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(p, _mm256_castsi256_ps(bits));
}

/* *t is r^2 (Coulomb: + eps^2) and becomes -2 dk/dt; the value is k. */
INLINE __m256 potential(bench_potential which, method how, __m256 *t)
{
    if (which == BENCH_GAUSS)
        return *t = exp_negative(_mm256_mul_ps(*t, _mm256_set1_ps(-0.5f)));
    if (which == BENCH_COULOMB) {
        const __m256 inverse = rsqrt(*t, how);
        *t = _mm256_mul_ps(_mm256_mul_ps(inverse, inverse), inverse);
        return inverse;
    }
    const __m256 inverse = rsqrt(_mm256_max_ps(*t, _mm256_set1_ps(BENCH_EPS * BENCH_EPS)), how);
    const __m256 square = _mm256_mul_ps(inverse, inverse);
    const __m256 half =
        _mm256_fmadd_ps(_mm256_mul_ps(*t, square), _mm256_set1_ps(-0.5f), _mm256_set1_ps(1.5f));
    *t = _mm256_mul_ps(square, inverse);
    return _mm256_mul_ps(inverse, half);
}

/* Of component c, with vector k / jb of points i and point k mod jb of j. */
INLINE __m256 difference(const float *x, const float *y, int dim, int c, int k, int jb)
{
    return _mm256_sub_ps(_mm256_loadu_ps(x + (k / jb * dim + c) * LANES),
                         _mm256_broadcast_ss(y + k % jb * dim + c));
}

/* `ib` vectors of points i from `first` on, against `jb` points j at once; all but `s` and `first` are
 * constants. */
INLINE void pairs(const soa *s, size_t first, bench_potential which, method how, int dim, int ib, int jb)
{
    const float *x = s->x + first * (size_t)dim;
    const __m256 start = _mm256_set1_ps(which == BENCH_COULOMB ? BENCH_EPS * BENCH_EPS : 0);
    for (size_t from = 0; from < s->m; from += J_BLOCK) {
        const size_t to = from + J_BLOCK < s->m ? from + J_BLOCK : s->m;
        __m256 energy[MAX_TILE], slope[MAX_TILE * MAX_DIM], w[MAX_TILE];
        UNROLL for (int b = 0; b < ib; b++) energy[b] = _mm256_setzero_ps();
        for (int k = 0; k < ib * dim; k++)
            slope[k] = _mm256_setzero_ps();
        for (size_t j = from; j < to; j += (size_t)jb) {
            const float *y = s->y + j * (size_t)dim;
            UNROLL for (int k = 0; k < ib * jb; k++) w[k] = start;
            UNROLL for (int c = 0; c < dim; c++) UNROLL for (int k = 0; k < ib * jb; k++)
            {
                const __m256 d = difference(x, y, dim, c, k, jb);
                w[k] = _mm256_fmadd_ps(d, d, w[k]);
            }
            UNROLL for (int k = 0; k < ib * jb; k++) energy[k / jb] =
                _mm256_add_ps(energy[k / jb], potential(which, how, &w[k]));
            UNROLL for (int c = 0; c < dim; c++) UNROLL for (int k = 0; k < ib * jb; k++)
            {
                const __m256 d = difference(x, y, dim, c, k, jb);
                slope[k / jb * dim + c] = _mm256_fnmadd_ps(w[k], d, slope[k / jb * dim + c]);
            }
        }
        for (int b = 0; b < ib; b++) {
            float *e = s->energy + first + b * LANES;
            _mm256_storeu_ps(e, _mm256_add_ps(_mm256_loadu_ps(e), energy[b]));
            for (int c = 0; c < dim; c++) {
                float *g = s->gradient + first * (size_t)dim + (b * dim + c) * LANES;
                _mm256_storeu_ps(g, _mm256_add_ps(_mm256_loadu_ps(g), slope[b * dim + c]));
            }
        }
    }
}

typedef struct loop {
    bench_potential which;
    method how;
    int dim, ib;
    void (*run)(const soa *s, size_t first);
} loop;

#ifndef TILE2
#define TILE2  2, 1
#define TILE3  1, 1
#define TILE16 1, 4
#endif
#define LOOP(name, which, how, dim, tile)                                                                    \
    AVX2 static void name(const soa *s, size_t first)                                                        \
    {                                                                                                        \
        pairs(s, first, which, how, dim, tile);                                                              \
    }
#define FIRST_(a, b) a
#define FIRST(...)   FIRST_(__VA_ARGS__)
#define LOOPS(X)                                                                                             \
    X(coulomb2, BENCH_COULOMB, ESTIMATE, 2, TILE2)                                                           \
    X(coulomb3, BENCH_COULOMB, ESTIMATE, 3, TILE3)                                                           \
    X(coulomb16, BENCH_COULOMB, ESTIMATE, 16, TILE16)                                                        \
    X(coulomb2_exact, BENCH_COULOMB, EXACT, 2, TILE2)                                                        \
    X(coulomb3_exact, BENCH_COULOMB, EXACT, 3, TILE3)                                                        \
    X(coulomb16_exact, BENCH_COULOMB, EXACT, 16, TILE16)                                                     \
    X(riesz2, BENCH_RIESZ, ESTIMATE, 2, TILE2)                                                               \
    X(riesz3, BENCH_RIESZ, ESTIMATE, 3, TILE3)                                                               \
    X(riesz16, BENCH_RIESZ, ESTIMATE, 16, TILE16)                                                            \
    X(riesz2_exact, BENCH_RIESZ, EXACT, 2, TILE2)                                                            \
    X(riesz3_exact, BENCH_RIESZ, EXACT, 3, TILE3)                                                            \
    X(riesz16_exact, BENCH_RIESZ, EXACT, 16, TILE16)                                                         \
    X(gauss2, BENCH_GAUSS, ESTIMATE, 2, TILE2)                                                               \
    X(gauss3, BENCH_GAUSS, ESTIMATE, 3, TILE3)                                                               \
    X(gauss16, BENCH_GAUSS, ESTIMATE, 16, TILE16)
LOOPS(LOOP)
#define LOOP_ROW(name, which, how, dim, tile) {which, how, dim, FIRST(tile), name},
static const loop loops[] = {LOOPS(LOOP_ROW)};

/* Threads take pieces until none is left. */
typedef struct work {
    void (*piece)(void *data, size_t number);
    void *data;
    size_t count;
    atomic_size_t next;
} work;

static void *take_pieces(void *data)
{
    work *w = data;
    for (size_t k; (k = atomic_fetch_add(&w->next, 1)) < w->count;)
        w->piece(w->data, k);
    return NULL;
}

static void run_pieces(void (*piece)(void *, size_t), void *data, size_t count)
{
    pthread_t threads[MAX_THREADS];
    work w = {.piece = piece, .data = data, .count = count};
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int started = 0;
    while (started < MAX_THREADS && started + 1 < cores &&
           !pthread_create(&threads[started], NULL, take_pieces, &w))
        started++;
    take_pieces(&w);
    for (int t = 0; t < started; t++)
        pthread_join(threads[t], NULL);
}

typedef struct pair_run {
    soa soa;
    const loop *loop;
} pair_run;

/* 64 points i. */
static void run_piece(void *data, size_t number)
{
    const pair_run *run = data;
    for (size_t i = 64 * number; i < 64 * (number + 1); i += (size_t)run->loop->ib * LANES)
        run->loop->run(&run->soa, i);
}

static bool run_pairs(void *data)
{
    pair_run *run = data;
    memset(run->soa.energy, 0, run->soa.n * sizeof(float));
    memset(run->soa.gradient, 0, run->soa.n * (size_t)run->loop->dim * sizeof(float));
    run_pieces(run_piece, run, run->soa.n / 64);
    return true;
}

static size_t place(size_t i, size_t c, size_t dim)
{
    return (i / LANES * dim + c) * LANES + i % LANES;
}

static void close_soa(soa *s)
{
    free(s->x);
    free(s->energy);
    free(s->gradient);
}

static bool open_soa(soa *s, const bench_problem *problem)
{
    const size_t n = problem->n, dim = (size_t)problem->dim;
    *s = (soa){.n = n,
               .m = problem->m,
               .x = malloc(n * dim * sizeof(float)),
               .energy = malloc(n * sizeof(float)),
               .gradient = malloc(n * dim * sizeof(float)),
               .y = problem->y};
    if (!s->x || !s->energy || !s->gradient) {
        close_soa(s);
        return false;
    }
    for (size_t k = 0; k < n * dim; k++)
        s->x[place(k / dim, k % dim, dim)] = problem->x[k];
    return true;
}

static bool bench_loop(const bench_options *options, const loop *l)
{
    bench_problem problem = {.potential = l->which,
                             .dim = l->dim,
                             .n = options->n ? options->n : 16384,
                             .m = options->m ? options->m : 16384};
    pair_run run = {.loop = l};
    bench_row row = {.name = bench_potential_names[l->which],
                     .variant = l->how == EXACT ? "exact" : "",
                     .unit = "pairs/s",
                     .problem = &problem};
    if (!bench_open(&problem))
        return false;
    const bool opened = open_soa(&run.soa, &problem);
    if (opened) {
        bench_measure(&row.rates, options->seconds, (double)problem.n * (double)problem.m, run_pairs, &run);
        memcpy(problem.energy, run.soa.energy, problem.n * sizeof(float));
        for (size_t k = 0, dim = (size_t)l->dim; k < problem.n * dim; k++)
            problem.gradient[k] = run.soa.gradient[place(k / dim, k % dim, dim)];
        row.error = bench_error(&problem);
        bench_print(options, &row);
        close_soa(&run.soa);
    }
    bench_close(&problem);
    if (!(row.error <= BENCH_MAX_ERROR))
        fprintf(stderr, "yardstick: %s in dimension %d is wrong\n", row.name, l->dim);
    return opened && row.error <= BENCH_MAX_ERROR;
}

enum { FMA_ROUNDS = 100000, FMA_CHAINS = 12, FMA_PIECES = 64 };

AVX2 static void fma_piece(void *data, size_t number)
{
    float *out = data;
    __m256 sum[FMA_CHAINS];
    const __m256 factor = _mm256_set1_ps(0.999f), add = _mm256_set1_ps(0.001f);
    for (int k = 0; k < FMA_CHAINS; k++)
        sum[k] = _mm256_set1_ps((float)k);
    for (int round = 0; round < FMA_ROUNDS; round++)
        UNROLL for (int k = 0; k < FMA_CHAINS; k++) sum[k] = _mm256_fmadd_ps(sum[k], factor, add);
    for (int k = 1; k < FMA_CHAINS; k++)
        sum[0] = _mm256_add_ps(sum[0], sum[k]);
    _mm256_storeu_ps(out + number * LANES, sum[0]);
}

static bool run_fma(void *data)
{
    run_pieces(fma_piece, data, FMA_PIECES);
    return true;
}

enum { TRIAD_PIECE = 1 << 18, TRIAD_PIECES = 64 };

/* a = b + 3 c, three arrays one after the other. */
static void triad_piece(void *data, size_t number)
{
    const size_t size = (size_t)TRIAD_PIECE * TRIAD_PIECES;
    float *restrict a = (float *)data + number * TRIAD_PIECE;
    const float *restrict b = (float *)data + size + number * TRIAD_PIECE;
    const float *restrict c = (float *)data + 2 * size + number * TRIAD_PIECE;
    for (size_t k = 0; k < TRIAD_PIECE; k++)
        a[k] = b[k] + 3.0f * c[k];
}

static bool run_triad(void *data)
{
    run_pieces(triad_piece, data, TRIAD_PIECES);
    return true;
}

static void bench_machine(const bench_options *options)
{
    const double elements = (double)TRIAD_PIECE * TRIAD_PIECES;
    float *memory = calloc((size_t)elements * 3, sizeof *memory);
    bench_row fma = {.name = "fma", .variant = "", .unit = "FLOP/s", .error = -1};
    bench_row triad = {.name = "triad", .variant = "", .unit = "B/s", .error = -1};
    if (!memory)
        return;
    bench_measure(&fma.rates, options->seconds, 2.0 * FMA_ROUNDS * FMA_CHAINS * LANES * FMA_PIECES, run_fma,
                  memory);
    bench_print(options, &fma);
    memset(memory, 0, (size_t)elements * 3 * sizeof *memory);
    bench_measure(&triad.rates, options->seconds, elements * 12, run_triad, memory);
    bench_print(options, &triad);
    free(memory);
}

int main(int argc, char **argv)
{
    const bench_options options = bench_parse(argc, argv, false);
    bool good = true;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        fprintf(stderr, "yardstick: skipped, this CPU has no AVX2 or no FMA\n");
        return BENCH_SKIPPED;
    }
    bench_begin(&options, "yardstick", "AVX2 and FMA by hand, all cores");
    if (options.suite || (options.potential < 0 && !options.dim))
        bench_machine(&options);
    for (size_t l = 0; l < sizeof loops / sizeof *loops; l++)
        if ((options.potential < 0 || options.potential == (int)loops[l].which) &&
            (!options.dim || options.dim == loops[l].dim))
            good = bench_loop(&options, &loops[l]) && good;
    bench_end(&options);
    return good ? 0 : 1;
}
#else
int main(int argc, char **argv)
{
    (void)bench_parse(argc, argv, false);
    fprintf(stderr, "yardstick: skipped, it is written for x86-64\n");
    return BENCH_SKIPPED;
}
#endif
