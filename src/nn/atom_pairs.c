/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing pairs of samples and of sub-units, on the host. */
#include "nn/atom.h"
#include "nn/given.h"
#include <string.h>

/* Philox 4x32-10 (Salmon et al., SC 2011): word `at` of the numbers of one purpose, pair and step. */
typedef struct stream {
    uint32_t key[2], counter[4];
    uint32_t word[4];
    uint32_t taken; /* words of this block */
} stream;

enum { OF_SHIFT, OF_PAIRS, OF_UNITS_A, OF_UNITS_B };

static stream stream_of(uint64_t seed, uint64_t step, uint32_t pair, uint32_t purpose)
{
    return (stream){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                    .counter = {0, (uint32_t)step, pair, 1 + purpose}, /* 0 is dp_uniform_at's */
                    .taken = 4};
}

static void next_block(stream *s)
{
    uint32_t key[2] = {s->key[0], s->key[1]}, *c = s->word;
    memcpy(c, s->counter, sizeof s->word);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ key[0], (uint32_t)b,
                                  (uint32_t)(a >> 32) ^ c[3] ^ key[1], (uint32_t)a};
        memcpy(c, next, sizeof next);
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    s->counter[0]++;
    s->taken = 0;
}

/* Uniform in 0 .. n - 1, as dp_randint_at has it. */
static int64_t below(stream *s, int64_t n)
{
    if (s->taken == 4)
        next_block(s);
    return (int64_t)((uint64_t)s->word[s->taken++] * (uint64_t)n >> 32);
}

static void draw_samples(const dp_atom_pairs *pairs, uint64_t step, int32_t *a, int32_t *b)
{
    const int64_t batch = pairs->batch;
    stream shift = stream_of(pairs->params.seed, step, 0, OF_SHIFT);
    const int64_t t = 1 + below(&shift, batch - 1);
    for (int64_t k = 0; k < batch; k++) {
        a[k] = (int32_t)k;
        b[k] = (int32_t)((k + t) % batch);
        if (pairs->params.pairing == DP_ATOM_IID) {
            stream s = stream_of(pairs->params.seed, step, (uint32_t)k, OF_PAIRS);
            a[k] = (int32_t)below(&s, batch);
            const int32_t other = (int32_t)below(&s, batch - 1);
            b[k] = other + (other >= a[k]);
        }
    }
}

/* The first `drawn` places of a shuffle. `order` holds any order of 0 .. units - 1, and another one after. */
static void draw_units(stream s, int64_t units, int64_t drawn, int32_t *order, int32_t *picks)
{
    for (int64_t k = 0; k < units; k++)
        order[k] = (int32_t)k;
    for (int64_t k = 0; k < drawn; k++) {
        const int64_t at = k + below(&s, units - k);
        picks[k] = order[at];
        order[at] = order[k];
    }
}

static dp_status write_units(dp_atom_pairs *pairs, uint64_t step, dp_tensor *to, uint32_t purpose, int32_t *order,
                             int32_t *picks)
{
    for (int64_t k = 0; k < pairs->batch; k++)
        draw_units(stream_of(pairs->params.seed, step, (uint32_t)k, purpose), pairs->units, pairs->drawn, order,
                   picks + k * pairs->drawn);
    return dp_write(to, picks, (size_t)(pairs->batch * pairs->drawn) * sizeof *picks);
}

dp_status dp_atom_pairs_sample(dp_atom_pairs *pairs, uint64_t step)
{
    dp_device *device = pairs ? dp_tensor_device(pairs->a) : NULL;
    DP_CHECK(dp__check_device(device));
    if (step > 1 << 24)
        return dp__fail(device, DP_ERROR_ARGUMENT, "atom_pairs: step is %llu: 0 to 2^24 is allowed",
                        (unsigned long long)step);
    const size_t batch = (size_t)pairs->batch;
    const float number = (float)step;
    int32_t *samples = dp__alloc(2 * batch, sizeof *samples);
    int32_t *order = dp__alloc((size_t)pairs->units, sizeof *order);
    int32_t *picks = dp__alloc(batch * (size_t)DP_MAX2(pairs->drawn, 1), sizeof *picks);
    dp_status status = DP_OK;
    if (!samples || !order || !picks)
        status = dp__fail(device, DP_ERROR_MEMORY, "atom_pairs: no memory for %zu pairs", batch);
    if (status == DP_OK) {
        draw_samples(pairs, step, samples, samples + batch);
        status = dp_write(pairs->a, samples, batch * sizeof *samples);
    }
    if (status == DP_OK)
        status = dp_write(pairs->b, samples + batch, batch * sizeof *samples);
    if (status == DP_OK && pairs->i)
        status = write_units(pairs, step, pairs->i, OF_UNITS_A, order, picks);
    if (status == DP_OK && pairs->j)
        status = write_units(pairs, step, pairs->j, OF_UNITS_B, order, picks);
    if (status == DP_OK)
        status = dp_write(pairs->step, &number, sizeof number);
    dp__free(samples);
    dp__free(order);
    dp__free(picks);
    return status;
}

static dp_status check(dp_device *device, int64_t batch, int64_t units, const dp_atom_pairs_params *p)
{
    DP_CHECK(dp__check_device(device));
    if (batch < 2 || batch > INT32_MAX)
        return dp__fail(device, DP_ERROR_ARGUMENT, "atom_pairs: batch is %lld: 2 or more samples are needed",
                        (long long)batch);
    if (units < 1 || units > INT32_MAX)
        return dp__fail(device, DP_ERROR_ARGUMENT, "atom_pairs: units is %lld: 1 or more are needed", (long long)units);
    if ((unsigned)p->pairing > DP_ATOM_IID)
        return dp__fail(device, DP_ERROR_ARGUMENT, "atom_pairs: pairing is %d: it is one of dp_atom_pairing",
                        (int)p->pairing);
    if ((unsigned)p->units > DP_ATOM_ALL)
        return dp__fail(device, DP_ERROR_ARGUMENT, "atom_pairs: units is %d: it is one of dp_atom_units", (int)p->units);
    if (p->most < 1)
        return dp__fail(device, DP_ERROR_ARGUMENT, "atom_pairs: most is %lld: 1 or more, or 0 for %d, is allowed",
                        (long long)p->most, DP__ATOM_DRAWN);
    return DP_OK;
}

dp_atom_pairs *dp_atom_pairs_create(dp_device *device, int64_t batch, int64_t units, const dp_atom_pairs_params *params)
{
    dp_atom_pairs_params p = params ? *params : (dp_atom_pairs_params){0};
    p.most = p.most == 0 ? DP__ATOM_DRAWN : p.most;
    if (check(device, batch, units, &p) != DP_OK)
        return NULL;
    dp_atom_pairs *pairs = dp__alloc(1, sizeof *pairs);
    if (!pairs) {
        dp__fail(device, DP_ERROR_MEMORY, "atom_pairs: no memory");
        return NULL;
    }
    pairs->params = p;
    pairs->batch = batch;
    pairs->units = units;
    pairs->drawn = p.units == DP_ATOM_ALL ? 0 : DP_MIN2(p.most, units);
    const dp_shape samples = {1, {batch}}, picks = {2, {batch, pairs->drawn}};
    const bool drawn_here = p.units == DP_ATOM_DISTINCT;
    pairs->a = dp_empty(device, DP_I32, samples);
    pairs->b = dp_empty(device, DP_I32, samples);
    pairs->step = dp_empty(device, DP_F32, (dp_shape){1, {1}});
    pairs->i = drawn_here ? dp_empty(device, DP_I32, picks) : NULL;
    pairs->j = drawn_here ? dp_empty(device, DP_I32, picks) : NULL;
    const bool whole = pairs->a && pairs->b && pairs->step && (!drawn_here || (pairs->i && pairs->j));
    if (!whole || dp_atom_pairs_sample(pairs, 0) != DP_OK)
        dp_atom_pairs_destroy(&pairs);
    return pairs;
}

void dp_atom_pairs_destroy(dp_atom_pairs **pairs)
{
    if (!pairs || !*pairs)
        return;
    dp_tensor_release(&(*pairs)->a);
    dp_tensor_release(&(*pairs)->b);
    dp_tensor_release(&(*pairs)->i);
    dp_tensor_release(&(*pairs)->j);
    dp_tensor_release(&(*pairs)->step);
    dp__free(*pairs);
    *pairs = NULL;
}
