/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of the smallest entries (value, index) seen so far, each a heap in two arrays from `at` on: entry h is not better than
 * its children 2 h + 1 and 2 h + 2, so the worst one is at `at`. Equal values are ordered by their indices. Free places hold
 * (infinity, -1), which is worse than whatever is taken. */
#define WORSE(value, index, other_value, other_index)                                                        \
    ((value) > (other_value) || ((value) == (other_value) && (index) > (other_index)))

/* (new_value, new_index) takes the place of the worst entry. At most log2(size) rounds. */
#define HEAP_REPLACE(values, indices, at, size, new_value, new_index)                                        \
    do {                                                                                                     \
        int heap_hole = 0, heap_child = 1;                                                                   \
        while (heap_child < (size)) {                                                                        \
            float heap_value = values[(at) + heap_child];                                                    \
            int heap_index = indices[(at) + heap_child];                                                     \
            if (heap_child + 1 < (size)) {                                                                   \
                const float heap_other = values[(at) + heap_child + 1];                                      \
                const int heap_other_index = indices[(at) + heap_child + 1];                                 \
                if (WORSE(heap_other, heap_other_index, heap_value, heap_index)) {                           \
                    heap_value = heap_other;                                                                 \
                    heap_index = heap_other_index;                                                           \
                    heap_child++;                                                                            \
                }                                                                                            \
            }                                                                                                \
            if (!WORSE(heap_value, heap_index, new_value, new_index))                                        \
                break;                                                                                       \
            values[(at) + heap_hole] = heap_value;                                                           \
            indices[(at) + heap_hole] = heap_index;                                                          \
            heap_hole = heap_child;                                                                          \
            heap_child = 2 * heap_hole + 1;                                                                  \
        }                                                                                                    \
        values[(at) + heap_hole] = (new_value);                                                              \
        indices[(at) + heap_hole] = (new_index);                                                             \
    } while (false)
