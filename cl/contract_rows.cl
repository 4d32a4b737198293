/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of A as contract_panels.cl reads them, MR at a time: result[batch][panel][k][r]. Rows beyond
 * the last repeat it. A work-item has a block of KC depths of one panel. */
#include "dialect.h"
#define BUFFERS(IN, OUT) IN(0, float, a) OUT(1, float, result)
#define PARAMS(P)                                                                                            \
    P(int, batches) P(int, m) P(int, depth) P(int, a_offset) P(int, a_batch) P(int, a_row) P(int, a_column)
#define LOCALS(L)

KERNEL_BEGIN(contract_rows)
    const int blocks = (depth + KC - 1) / KC, panels = (m + MR - 1) / MR, item = FLAT_ID;
    const int block = item % blocks, panel = item / blocks % panels, batch = item / blocks / panels;
    if (batch < batches) {
        __global float *const to = result + (batch * panels + panel) * depth * MR;
        PLACES(rows, MR);
        UNROLL for (int r = 0; r < MR; r++)
            SET_PLACE(rows[r], a, a_offset + batch * a_batch + min(panel * MR + r, m - 1) * a_row);
        for (int k = block * KC; k < min(depth, (block + 1) * KC); k++)
            UNROLL for (int r = 0; r < MR; r++)
                to[k * MR + r] = AT_PLACE(rows[r], a, k * a_column);
    }
KERNEL_END
