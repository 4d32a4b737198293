/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of contractions that the same kernel variant is expected to suit: what they are, how their matrices
 * lie in memory, and their sizes to the nearest power of two. */
#ifndef DP_GPU_SHAPE_CLASS_H
#define DP_GPU_SHAPE_CLASS_H

#include "gpu/contraction.h"

/* By the table of the contraction: 0, 1, 2. */
typedef enum dp__contraction_kind {
    DP__MATMUL,
    DP__CONV,
    DP__CONV_WEIGHTS,
    DP__CONTRACTION_KINDS
} dp__contraction_kind;

/* `a`: 'n' where neighbours of A are depths, else 't'. `b`: 'n' where neighbours of B are columns, 't' where
 * they are depths, else 's'. `result`: 'n' where neighbours of the result are columns, else 's'. Sizes are
 * exponents of two. `row` is the innermost axis of the columns, for convolutions; of a product it is `n`. */
typedef struct dp__shape_class {
    dp__contraction_kind kind;
    char a, b, result;
    int m, n, row, k, batches;
} dp__shape_class;

#define DP__CLASS_TEXT 96

dp__shape_class dp__class_of(const dp__contraction *call);
bool dp__class_equal(const dp__shape_class *a, const dp__shape_class *b);
/* How far apart two classes are, in powers of two summed over the sizes; infinite for different kinds. */
double dp__class_distance(const dp__shape_class *a, const dp__shape_class *b);

/* "matmul ntn m=512 n=512 k=64 batches=1", "conv nnn m=64 n=4096 row=64 k=512 batches=1". Returns `text`. */
const char *dp__class_print(const dp__shape_class *shape, char text[DP__CLASS_TEXT]);
bool dp__class_parse(const char *text, dp__shape_class *shape);

#endif
