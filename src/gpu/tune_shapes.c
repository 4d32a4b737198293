/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/tune_shapes.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST (1 << 20) /* of a size */

/* What the benchmarks measure: square, batched, transposed and thin products, layers of DCGAN and of
 * ResNet-50. */
const char *const dp__tune_shapes[] = {
    "matmul 512x512x512",
    "matmul 1024x1024x1024",
    "matmul 128x128x128",
    "matmul 512x512x512 nt",
    "matmul 512x512x512 tn",
    "matmul 64x64x64 batches=64",
    "matmul 1024x16x1024",
    "matmul 16x1024x1024",
    "matmul 64x64x4096",
    "matmul 1x2048x2048",
    "matmul 2048x1x2048 nt",
    "conv2d 4x64x56x56x64x3x3",
    "conv2d 4x256x14x14x256x3x3",
    "conv2d 4x64x56x56x256x1x1",
    "conv2d 16x64x32x32x128x4x4 stride=2",
    "conv2d 16x3x64x64x64x4x4 stride=2",
    "conv2d_input 16x64x32x32x128x4x4 stride=2",
    "conv2d_weights 4x64x56x56x64x3x3",
    "conv2d_weights 16x64x32x32x128x4x4 stride=2",
    NULL,
};

static const char *const ops[] = {"matmul", "conv2d", "conv2d_input", "conv2d_weights"};

/* "3x4x5" into at most `most` sizes. Returns how many, 0 where it is not that. */
static int read_sizes(const char *text, int64_t *size, int most)
{
    int count = 0;
    for (;;) {
        char *end;
        const long long value = strtoll(text, &end, 10);
        if (end == text || count == most || value < 1 || value > LARGEST)
            return 0;
        size[count++] = value;
        if (*end == '\0')
            return count;
        if (*end != 'x')
            return 0;
        text = end + 1;
    }
}

static bool read_option(const char *word, const char *name, int64_t least, int64_t most, int64_t *value)
{
    const size_t length = strlen(name);
    char *end;
    if (strncmp(word, name, length) != 0 || word[length] != '=')
        return false;
    *value = strtoll(word + length + 1, &end, 10);
    return end != word + length + 1 && *end == '\0' && *value >= least && *value <= most;
}

static bool read_matmul(const int64_t size[7], const char *const *word, int words, dp__trial_shape *shape)
{
    *shape =
        (dp__trial_shape){.batches = 1, .m = size[0], .n = {size[1], 1, 1}, .depth = size[2], .column = 1};
    for (int w = 0; w < words; w++) {
        const bool layout = strlen(word[w]) == 2 && strspn(word[w], "nt") == 2;
        if (!layout && !read_option(word[w], "batches", 1, LARGEST, &shape->batches))
            return false;
        if (layout) {
            shape->a_turned = word[w][0] == 't';
            shape->b_turned = word[w][1] == 't';
        }
    }
    return true;
}

/* As contractions: forward m are the filters and columns the pixels; of the gradient to the input m are the
 * channels, and the pixels that a step of the stride leaves together; of the gradient to the weights columns
 * are the weights and depths the pixels. */
static bool read_conv(int op, const int64_t s[7], const char *const *word, int words, dp__trial_shape *shape)
{
    int64_t stride = 1, padding = (s[5] - 1) / 2;
    for (int w = 0; w < words; w++)
        if (!read_option(word[w], "stride", 1, 16, &stride) &&
            !read_option(word[w], "padding", 0, 64, &padding))
            return false;
    if ((double)s[0] * (double)s[1] * (double)s[2] * (double)s[3] > 2147483647.0 || s[5] > 64 || s[6] > 64)
        return false;
    const int64_t height = s[2] + 2 * padding - s[5], width = s[3] + 2 * padding - s[6];
    if (height < 0 || width < 0)
        return false;
    const int64_t p = height / stride + 1, q = width / stride + 1;
    if (op == 1) {
        *shape = (dp__trial_shape){.table = 1,
                                   .batches = 1,
                                   .m = s[4],
                                   .n = {q, p, s[0]},
                                   .depth = s[1] * s[5] * s[6],
                                   .column = (int)stride,
                                   .taps = s[5] == s[6] ? s[5] * s[6] : 0};
    } else if (op == 2) {
        const int64_t r = DP_CEIL_DIV(s[5], stride), t = DP_CEIL_DIV(s[6], stride);
        *shape = (dp__trial_shape){.table = 1,
                                   .batches = 1,
                                   .m = s[1],
                                   .depth = s[4] * r * t,
                                   .column = 1,
                                   .n = {DP_CEIL_DIV(s[3], stride), DP_CEIL_DIV(s[2], stride), s[0]},
                                   .taps = r == t ? r * t : 0,
                                   .apart = (int)stride};
    } else {
        *shape = (dp__trial_shape){.table = 2,
                                   .batches = 1,
                                   .m = s[4],
                                   .n = {s[6], s[5], s[1]},
                                   .depth = s[0] * p * q,
                                   .column = 1,
                                   .along = (int)stride};
    }
    return true;
}

/* Whether all tensors of it have fewer than 2^31 elements, as all have. */
static bool is_possible(const dp__trial_shape *shape)
{
    const double columns = (double)shape->n[0] * (double)shape->n[1] * (double)shape->n[2],
                 most = 2147483647.0;
    const double m = (double)shape->m, depth = (double)shape->depth, batches = (double)shape->batches;
    return batches * m * depth <= most && batches * m * columns * DP_MAX2(shape->apart, 1) <= most &&
           (shape->table || batches * depth * columns <= most);
}

bool dp__tune_shape_is(const char *text, const char *op)
{
    const size_t length = strlen(op);
    return strncmp(text, op, length) == 0 && text[length] == ' ';
}

bool dp__tune_shape_read(const char *text, dp__trial_shape *shape, char message[256])
{
    char copy[128];
    const char *word[8];
    int words = 0, op = -1;
    int64_t size[7] = {0};
    char *state = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = strtok_r(copy, " ", &state); at && words < 8; at = strtok_r(NULL, " ", &state))
        word[words++] = at;
    for (int o = 0; words > 1 && o < (int)DP_COUNT(ops); o++)
        if (strcmp(word[0], ops[o]) == 0)
            op = o;
    const int sizes = op < 0 ? 0 : read_sizes(word[1], size, 7);
    const bool good = strlen(text) < sizeof copy && words < 8 &&
                      (op == 0 ? sizes == 3 && read_matmul(size, word + 2, words - 2, shape)
                               : op > 0 && sizes == 7 && read_conv(op, size, word + 2, words - 2, shape)) &&
                      is_possible(shape);
    if (!good)
        snprintf(message, 256,
                 "tune: \"%.100s\" is no shape such as \"matmul 512x512x512 nt batches=8\" or \"conv2d "
                 "16x64x28x28x128x3x3 stride=2\", sizes from 1 to %d",
                 text, LARGEST);
    return good;
}

static bool halve(int64_t *size, int64_t least)
{
    if (*size < 2 * least)
        return false;
    *size = DP_CEIL_DIV(*size, 2);
    return true;
}

/* Batches and images first, then the largest of the sizes; the innermost axis and short depths last. */
bool dp__tune_shape_cut(dp__trial_shape *shape, double flops, uint64_t bytes)
{
    while (dp__trial_flops(shape) > flops || dp__trial_bytes(shape) > bytes) {
        int64_t *outer = shape->table == 1 ? &shape->n[2] : &shape->batches;
        int64_t *largest = shape->m > shape->n[0] ? &shape->m : &shape->n[0];
        if (halve(outer, 1) || halve(&shape->n[1], 4))
            continue;
        if (shape->depth > 4 * *largest && halve(&shape->depth, 64)) {
            shape->taps = 0;
            continue;
        }
        if (halve(largest, 64) || (shape->table == 2 && halve(&shape->n[2], 4)))
            continue;
        if (halve(&shape->depth, 32)) {
            shape->taps = 0;
            continue;
        }
        if (!halve(&shape->m, 1) && !halve(&shape->n[0], 1) && !halve(&shape->n[2], 1) &&
            !halve(&shape->n[1], 1) && !halve(&shape->depth, 1))
            return false;
    }
    return true;
}
