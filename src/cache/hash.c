/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/cache.h"
#include <string.h>

/* SipHash-2-4 with a result of 128 bits (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012, and
 * the authors' note on the longer result), with the key of their test vectors, 00 01 ... 0f: the same names
 * in every process. */

#define ROTATE(word, bits) ((word) << (bits) | (word) >> (64 - (bits)))

static void sip_rounds(uint64_t v[4], int rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = ROTATE(v[1], 13) ^ v[0];
        v[3] = ROTATE(v[3], 16) ^ v[2];
        v[0] = ROTATE(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = ROTATE(v[1], 17) ^ v[2];
        v[3] = ROTATE(v[3], 21) ^ v[0];
        v[2] = ROTATE(v[2], 32);
    }
}

static void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

/* Little-endian, whatever the machine is. */
static uint64_t word_at(const unsigned char *data, size_t bytes)
{
    uint64_t word = 0;
    for (size_t b = 0; b < bytes; b++)
        word |= (uint64_t)data[b] << 8 * b;
    return word;
}

dp__hash dp__hash_of(const void *data, size_t bytes)
{
    static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xee,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    const unsigned char *at = data;
    const size_t rest = bytes % 8;
    for (const unsigned char *end = at + (bytes - rest); at != end; at += 8)
        absorb(v, word_at(at, 8));
    absorb(v, word_at(at, rest) | (uint64_t)bytes << 56);
    dp__hash hash;
    v[2] ^= 0xee;
    sip_rounds(v, 4);
    hash.word[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    sip_rounds(v, 4);
    hash.word[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
    return hash;
}
