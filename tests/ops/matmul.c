/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products. ta, tb: transposes. ab, bb: batch axes of a and b. al, bl, cl: layouts (see ops.h). ad, bd: dtypes. c:
 * what C0 is (full, row, column, scalar); alpha, beta. */
#include "epilogue.h"

#include <inttypes.h>
#include <string.h>

typedef struct state {
    int64_t m, n, k;
    dp_shape batch_a, batch_b, batch, shape; /* batch: of the result; shape: the result's */
    dp_shape shape_c;
    dp_tensor *a, *b, *c;
    dp_matmul_params params;
    ops_epilogue epilogue;
} state;

static dp_shape with_matrix(dp_shape batch, int64_t rows, int64_t columns, bool transposed)
{
    batch.dim[batch.rank++] = transposed ? columns : rows;
    batch.dim[batch.rank++] = transposed ? rows : columns;
    return batch;
}

static dp_shape common(dp_shape a, dp_shape b)
{
    dp_shape shape = a.rank > b.rank ? a : b;
    const dp_shape *other = a.rank > b.rank ? &b : &a;
    for (int k = 1; k <= other->rank; k++)
        if (shape.dim[shape.rank - k] == 1)
            shape.dim[shape.rank - k] = other->dim[other->rank - k];
    return shape;
}

static void setup_c(ops_run *run)
{
    static const ops_fill fill = {.low = -1, .high = 1};
    state *s = run->state;
    char layout[12];
    s->params.alpha = (float)ops_real(run, "alpha", 0);
    s->params.beta = (float)ops_real(run, "beta", 0);
    s->shape_c = s->shape;
    if (ops_is(run, "c", "row"))
        s->shape_c = DP_SHAPE(s->n);
    else if (ops_is(run, "c", "column"))
        s->shape_c = DP_SHAPE(s->m, 1);
    else if (ops_is(run, "c", "scalar"))
        s->shape_c = DP_SCALAR;
    if (s->params.beta != 0)
        s->c = ops_input(run, DP_F32, s->shape_c, ops_word(run, "cl", "", layout, sizeof layout), fill);
    s->params.c = s->c;
}

static void setup(ops_run *run)
{
    static const ops_fill fill = {.low = -1, .high = 1};
    state *s = run->state;
    char layout[12];
    s->m = ops_int(run, "m", 1);
    s->n = ops_int(run, "n", 1);
    s->k = ops_int(run, "k", 1);
    s->params.transpose_a = ops_int(run, "ta", 0);
    s->params.transpose_b = ops_int(run, "tb", 0);
    s->batch_a = ops_shape(run, "ab", DP_SCALAR);
    s->batch_b = ops_shape(run, "bb", DP_SCALAR);
    s->batch = common(s->batch_a, s->batch_b);
    s->shape = with_matrix(s->batch, s->m, s->n, false);
    const dp_shape a = with_matrix(s->batch_a, s->m, s->k, s->params.transpose_a);
    const dp_shape b = with_matrix(s->batch_b, s->k, s->n, s->params.transpose_b);
    s->a = ops_input(run, ops_dtype(run, "ad", DP_F32), a, ops_word(run, "al", "", layout, sizeof layout), fill);
    s->b = ops_input(run, ops_dtype(run, "bd", DP_F32), b, ops_word(run, "bl", "", layout, sizeof layout), fill);
    setup_c(run);
    ops_epilogue_setup(run, s->shape, DP_SHAPE(s->n), &s->epilogue);
    s->params.epilogue = s->epilogue.text;
    s->params.epilogue_args = s->epilogue.args;
    run->flops = 2.0 * (double)s->k * (double)ops_size(s->shape);
    run->bytes = (double)dp_dtype_size(dp_tensor_dtype(s->a)) * (double)ops_size(a) +
                 (double)dp_dtype_size(dp_tensor_dtype(s->b)) * (double)ops_size(b) + 4.0 * (double)ops_size(s->shape);
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    run->results = 1;
    run->result[0] = dp_matmul(run->device, s->a, s->b, &s->params);
}

static void bound(ops_run *run)
{
    const state *s = run->state;
    run->bound[0] = dp_matmul_bound(run->device, s->a, s->b, &s->params);
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const float *a = ops_floats(run, s->a), *b = ops_floats(run, s->b),
                *c = s->c ? ops_floats(run, s->c) : NULL;
    const int64_t step_a = s->params.transpose_a ? s->m : 1, row_a = s->params.transpose_a ? 1 : s->k;
    const int64_t step_b = s->params.transpose_b ? 1 : s->n, column_b = s->params.transpose_b ? s->k : 1;
    const double alpha = s->params.alpha != 0 ? (double)s->params.alpha : 1;
    (void)result;
    for (int64_t t = 0; t < ops_size(s->shape); t++) {
        int64_t index[DP_MAX_RANK];
        ops_unravel(s->shape, t, index);
        const int64_t i = index[s->batch.rank], j = index[s->batch.rank + 1];
        const float *row = a + ops_ravel_broadcast(s->batch_a, s->batch, index) * s->m * s->k + i * row_a;
        const float *column =
            b + ops_ravel_broadcast(s->batch_b, s->batch, index) * s->k * s->n + j * column_b;
        double sum = 0;
        for (int64_t k = 0; k < s->k; k++)
            sum += (double)row[k * step_a] * (double)column[k * step_b];
        values[t] = alpha * sum;
        if (c)
            values[t] += (double)s->params.beta * (double)c[ops_ravel_broadcast(s->shape_c, s->shape, index)];
    }
    ops_epilogue_expect(run, &s->epilogue, values);
}

static void cases(ops_list *list)
{
    static const int edge[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129};
    const int edges = sizeof edge / sizeof *edge;
    for (int k = 0; k < edges; k++) /* each edge as m, n and k, next to others, in each transposition */
        ops_add(list, false, "m=%d n=%d k=%d ta=%d tb=%d", edge[k], edge[(k + 5) % edges],
                edge[(k + 11) % edges], k % 2, k / 2 % 2);
    for (int t = 0; t < 4; t++) {
        ops_add(list, true, "m=9 n=7 k=5 ta=%d tb=%d", t % 2, t / 2);
        ops_add(list, false, "m=67 n=131 k=43 ta=%d tb=%d alpha=-0.5", t % 2, t / 2);
        ops_add(list, false, "m=64 n=64 k=64 ta=%d tb=%d al=step bl=rows", t % 2, t / 2);
        ops_add(list, false, "m=61 n=33 k=29 ta=%d tb=%d ab=3 bb=3", t % 2, t / 2);
    }
    ops_add(list, true, "m=3 n=2 k=0");
    ops_add(list, true, "m=19 n=34 k=18 al=step");
    ops_add(list, false, "m=33 n=17 k=0 beta=2 c=full");
    ops_add(list, false, "m=0 n=5 k=3");
    ops_add(list, false, "m=5 n=0 k=3 beta=1 c=full");
    ops_add(list, false, "m=1 n=1 k=1");
    ops_add(list, false, "m=1 n=1 k=100003");
    ops_add(list, false, "m=1 n=1000 k=300");
    ops_add(list, false, "m=1000 n=1 k=300");
    ops_add(list, false, "m=1000 n=1 k=300 tb=1 ta=1");
    ops_add(list, false, "m=1031 n=1031 k=1");
    ops_add(list, false, "m=256 n=256 k=256");
    ops_add(list, false, "m=200 n=300 k=500 tb=1");
    ops_add(list, false, "m=19 n=23 k=4099");
    ops_add(list, true, "m=5 n=6 k=3 alpha=2 beta=-0.5 c=row");
    ops_add(list, false, "m=70 n=50 k=20 alpha=2 beta=-0.5 c=full");
    ops_add(list, false, "m=70 n=50 k=20 beta=1 c=row");
    ops_add(list, false, "m=70 n=50 k=20 beta=1 c=column");
    ops_add(list, false, "m=70 n=50 k=20 beta=3 c=scalar");
    ops_add(list, false, "m=70 n=50 k=20 beta=1 c=full cl=t");
    ops_add(list, false, "m=33 n=65 k=17 ab=4 bb=4 beta=1 c=row cl=step");
    ops_add(list, false, "m=33 n=65 k=17 ab=4 bb=4 beta=0.25 c=full cl=rev");
    ops_add(list, true, "m=3 n=2 k=4 ab=2 bb=1");
    ops_add(list, false, "m=31 n=33 k=17 ab=2x1 bb=3");
    ops_add(list, false, "m=8 n=8 k=8 ab=5x1x3 bb=4x1 beta=1 c=column");
    ops_add(list, false, "m=17 n=9 k=21 ab=7");
    ops_add(list, false, "m=17 n=9 k=21 bb=7 tb=1");
    ops_add(list, false, "m=17 n=9 k=21 ab=3 bb=3 al=bcast");
    ops_add(list, false, "m=17 n=9 k=21 ab=0 bb=1");
    ops_add(list, false, "m=2 n=3 k=4 ab=300 bb=300 ta=1");
    ops_add(list, false, "m=40 n=50 k=60 al=t bl=t");
    ops_add(list, false, "m=40 n=50 k=60 al=inner bl=offset");
    ops_add(list, false, "m=40 n=50 k=60 al=bcast bl=bcast ta=1");
    ops_add(list, false, "m=21 n=22 k=23 ab=2x3 bb=2x3 al=rev bl=step");
    ops_add(list, false, "m=21 n=22 k=23 ab=5 bb=5 al=chain bl=rows tb=1");
    ops_add(list, true, "m=3 n=4 k=2 e=relu");
    ops_add(list, false, "m=33 n=17 k=20 e=relu alpha=2 beta=-0.5 c=row");
    ops_add(list, false, "m=21 n=22 k=23 ab=2x3 bb=3 e=swish zl=rev");
    ops_add(list, false, "m=1 n=2 k=100003 e=relu"); /* after the last slice of k alone */
    ops_add(list, false, "m=9 n=17 k=0 e=relu");
    ops_add(list, false, "m=9 n=0 k=3 e=relu");
    ops_add(list, true, "m=5 n=3 k=7 ad=f16 bd=bf16");
    ops_add(list, false, "m=64 n=64 k=64 ad=f16 bd=f16");
    ops_add(list, false, "m=33 n=17 k=21 ad=bf16 ta=1 beta=1 c=row e=relu");
    ops_add(list, false, "m=31 n=33 k=17 ab=2x1 bb=3 ad=f16 bd=bf16 al=rev tb=1");
    ops_add(list, false, "m=17 n=9 k=21 ab=3 bb=3 al=bcast bl=step ad=bf16 bd=bf16");
    ops_add(list, false, "m=3 n=2 k=0 ad=f16");
}

static void bench(ops_list *list)
{
    static const int size[] = {128, 512, 1024};
    for (int k = 0; k < 3; k++)
        ops_add(list, false, "m=%d n=%d k=%d", size[k], size[k], size[k]);
    ops_add(list, false, "m=64 n=64 k=64 ab=64 bb=64");
    ops_add(list, false, "m=512 n=512 k=512 tb=1");
}

const ops_op ops_matmul = {
    .name = "matmul",
    .keys = "m n k ta tb ab bb al bl cl ad bd c alpha beta" OPS_EPILOGUE_KEYS,
    .shape = "m n k",
    .state_size = sizeof(state),
    .cases = cases,
    .bench = bench,
    .setup = setup,
    .launch = launch,
    .bound = bound,
    .expect = expect,
};
