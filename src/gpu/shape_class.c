/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/shape_class.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER_LAYOUT 2.0 /* a matrix that lies otherwise is as far away as two powers of two */

static const char *const kind_names[] = {"matmul", "conv", "conv_weights"};

static int exponent(int64_t size)
{
    return size <= 1 ? 0 : (int)floor(log2((double)size) + 0.5);
}

dp__shape_class dp__class_of(const dp__contraction *call)
{
    const int64_t n = call->n[0] * call->n[1] * call->n[2];
    const bool columns = call->b.column[0] == 1 && !(call->table && call->along_depth > 0);
    const bool depths = call->table ? call->along_depth > 0 : call->b.step == 1;
    return (dp__shape_class){.kind = call->table == 1   ? DP__CONV
                                     : call->table == 2 ? DP__CONV_WEIGHTS
                                                        : DP__MATMUL,
                             .a = call->table == 2 || call->a.column[0] == 1 ? 'n' : 't',
                             .b = columns  ? 'n'
                                  : depths ? 't'
                                           : 's',
                             .result = call->result.column[0] == 1 ? 'n' : 's',
                             .m = exponent(call->m),
                             .n = exponent(n),
                             .row = exponent(call->table ? call->n[0] : n),
                             .k = exponent(call->depth),
                             .batches = exponent(call->batches)};
}

bool dp__class_equal(const dp__shape_class *a, const dp__shape_class *b)
{
    return a->kind == b->kind && a->a == b->a && a->b == b->b && a->result == b->result && a->m == b->m &&
           a->n == b->n && a->row == b->row && a->k == b->k && a->batches == b->batches;
}

double dp__class_distance(const dp__shape_class *a, const dp__shape_class *b)
{
    if (a->kind != b->kind)
        return INFINITY;
    const int sizes = abs(a->m - b->m) + abs(a->n - b->n) + abs(a->k - b->k) + abs(a->batches - b->batches) +
                      (a->kind != DP__MATMUL ? abs(a->row - b->row) : 0);
    return sizes + (a->a != b->a ? OTHER_LAYOUT : 0) + (a->b != b->b ? OTHER_LAYOUT : 0) +
           (a->result != b->result ? OTHER_LAYOUT : 0);
}

const char *dp__class_print(const dp__shape_class *shape, char text[DP__CLASS_TEXT])
{
    char row[24] = "";
    if (shape->kind != DP__MATMUL)
        snprintf(row, sizeof row, " row=%ld", 1L << shape->row);
    snprintf(text, DP__CLASS_TEXT, "%s %c%c%c m=%ld n=%ld%s k=%ld batches=%ld", kind_names[shape->kind],
             shape->a, shape->b, shape->result, 1L << shape->m, 1L << shape->n, row, 1L << shape->k,
             1L << shape->batches);
    return text;
}

/* Reads "NAME=POWER " at *text, and moves on. */
static bool read_size(const char **text, const char *name, int *power)
{
    const size_t length = strlen(name);
    if (strncmp(*text, name, length) != 0 || (*text)[length] != '=')
        return false;
    char *end;
    const long long size = strtoll(*text + length + 1, &end, 10);
    if (size < 1 || size > (1LL << 31) || (size & (size - 1)) != 0 || (*end && *end != ' '))
        return false;
    *power = exponent(size);
    *text = *end ? end + 1 : end;
    return true;
}

bool dp__class_parse(const char *text, dp__shape_class *shape)
{
    for (int kind = 0; kind < DP__CONTRACTION_KINDS; kind++) {
        const size_t length = strlen(kind_names[kind]);
        if (strncmp(text, kind_names[kind], length) != 0 || text[length] != ' ')
            continue;
        const char *at = text + length + 1;
        *shape = (dp__shape_class){.kind = (dp__contraction_kind)kind, .a = at[0]};
        if (!(at[0] == 'n' || at[0] == 't') || !(at[1] == 'n' || at[1] == 't' || at[1] == 's') ||
            !(at[2] == 'n' || at[2] == 's') || at[3] != ' ')
            return false;
        shape->b = at[1];
        shape->result = at[2];
        at += 4;
        if (!read_size(&at, "m", &shape->m) || !read_size(&at, "n", &shape->n))
            return false;
        shape->row = shape->n;
        if (kind != DP__MATMUL && !read_size(&at, "row", &shape->row))
            return false;
        return read_size(&at, "k", &shape->k) && read_size(&at, "batches", &shape->batches) && *at == '\0';
    }
    return false;
}
