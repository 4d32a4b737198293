/* SPDX-License-Identifier: Apache-2.0 */
/* Energies of pairs of atoms and their gradients: of all pairs of samples, of those that were drawn, and of sub-units that
 * were drawn. */
#include "nn/atom.h"
#include "nn/atom_formula.h"
#include "nn/given.h"

/* All pairs of samples. ------------------------------ */

dp_status dp__atom_meet_all(dp__atoms *a)
{
    const int64_t b = a->batch, h = a->channels;
    dp_tensor *u = dp_reshape(a->nuclei, (dp_shape){2, {b, h}}), *t = dp_reshape(a->sums, (dp_shape){2, {b, 4}}),
              *r = dp_reshape(a->radii, (dp_shape){1, {b}}), *results[3] = {NULL, NULL, NULL};
    const double each = 2 * a->weight[DP__ATOM_FORCE] / ((double)b * (double)(b - 1)); /* (a, b) and (b, a) */
    const dp_arg args[] = {{"u", u, 0}, {"w", u, 0}, {"r", r, 0}, {"s", r, 0},
                           {"t", t, 0}, {"p", t, 0}, {"c", NULL, each}};
    dp__text text = {0};
    dp__atom_closed_formula(&text, a->params.norm, a->gradient, false);
    dp_status status = dp__atom_run(a, &text, DP_SUM_J | DP_EXCLUDE_SELF, (dp_args){args, a->gradient ? 7 : 6}, false,
                                    results, a->gradient ? 3 : 1);
    a->energy = results[0];
    a->to_row = results[1];
    a->to_sums = results[2];
    if (status == DP_OK && a->gradient)
        status = dp__atom_reshape(a, &a->to_row, (dp_shape){3, {b, 1, h}});
    if (status == DP_OK && a->gradient)
        status = dp__atom_reshape(a, &a->to_sums, (dp_shape){3, {b, 1, 4}});
    dp_tensor_release(&u);
    dp_tensor_release(&t);
    dp_tensor_release(&r);
    return status;
}

/* Pairs that were drawn. ------------------------------ */

/* What the two samples of each pair have: rows of samples, picked. */
typedef struct met {
    dp_tensor *nuclei[2], *radii[2], *sums[2], *charges[2]; /* [P, 1, h], [P, 1], [P, 1, 4], [P, M] */
    dp_tensor *index[2];                                    /* [P, M] */
    dp_tensor *results[5];
} met;

static void drop(met *m)
{
    for (int side = 0; side < 2; side++) {
        dp_tensor **const list[] = {&m->nuclei[side], &m->radii[side], &m->sums[side], &m->charges[side],
                                    &m->index[side]};
        for (size_t k = 0; k < DP_COUNT(list); k++)
            dp_tensor_release(list[k]);
    }
    for (size_t k = 0; k < DP_COUNT(m->results); k++)
        dp_tensor_release(&m->results[k]);
}

static dp_status pick(const dp__atoms *a, dp_tensor *from, int side, dp_tensor **result)
{
    const dp_atom_pairs *pairs = a->params.pairs;
    const bool in_order = side == 0 && pairs->params.pairing == DP_ATOM_SHIFT; /* pair b has sample b */
    *result = in_order ? dp_tensor_retain(from) : dp_gather_rows(a->device, from, side == 0 ? pairs->a : pairs->b);
    return dp__made(a->device, *result);
}

/* Adds what the pairs have for the samples of both sides. */
static dp_status give_back(const dp__atoms *a, dp_tensor *of_a, dp_tensor *of_b, dp_tensor **result)
{
    const dp_atom_pairs *pairs = a->params.pairs;
    const bool in_order = pairs->params.pairing == DP_ATOM_SHIFT;
    dp_tensor *x = in_order ? dp_tensor_retain(of_a) : dp_scatter_add_rows(a->device, of_a, pairs->a, a->batch);
    dp_tensor *y = dp_scatter_add_rows(a->device, of_b, pairs->b, a->batch);
    const dp_arg args[] = {{"x", x, 0}, {"y", y, 0}};
    if (x && y)
        *result = dp_map(a->device, "x + y", (dp_args){args, 2});
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    return dp__made(a->device, *result);
}

static double scale(const dp__atoms *a)
{
    return a->weight[DP__ATOM_FORCE] / (double)a->params.pairs->batch;
}

static dp_status meet_closed(dp__atoms *a, met *m)
{
    for (int side = 0; side < 2; side++)
        DP_CHECK(pick(a, a->sums, side, &m->sums[side]));
    const dp_arg args[] = {{"u", m->nuclei[0], 0}, {"w", m->nuclei[1], 0}, {"r", m->radii[0], 0},
                           {"s", m->radii[1], 0},  {"t", m->sums[0], 0},   {"p", m->sums[1], 0},
                           {"c", NULL, scale(a)}};
    dp__text text = {0};
    dp__atom_closed_formula(&text, a->params.norm, a->gradient, true);
    DP_CHECK(dp__atom_run(a, &text, DP_SUM_J, (dp_args){args, a->gradient ? 7 : 6}, true, m->results,
                          a->gradient ? 5 : 1));
    a->energy = dp_tensor_retain(m->results[0]);
    if (!a->gradient)
        return DP_OK;
    DP_CHECK(give_back(a, m->results[1], m->results[3], &a->to_row));
    return give_back(a, m->results[2], m->results[4], &a->to_sums);
}

/* The sub-units of one side, which REPEATED draws here and now. */
static dp_tensor *units_of(const dp__atoms *a, int side)
{
    const dp_atom_pairs *pairs = a->params.pairs;
    if (pairs->params.units == DP_ATOM_DISTINCT)
        return dp_tensor_retain(side == 0 ? pairs->i : pairs->j);
    return dp_randint_at(a->device, pairs->params.seed + (side == 0 ? 0 : 0x9E3779B97F4A7C15u), pairs->step,
                         (dp_shape){2, {a->batch, pairs->drawn}}, a->units);
}

static dp_status pick_charges_of(const dp__atoms *a, met *m, dp_tensor *charges, int side)
{
    dp_tensor *rows = NULL;
    m->index[side] = units_of(a, side);
    DP_CHECK(dp__made(a->device, m->index[side]));
    DP_CHECK(pick(a, charges, side, &rows));
    m->charges[side] = dp_gather(a->device, rows, m->index[side], 1);
    dp_tensor_release(&rows);
    return dp__made(a->device, m->charges[side]);
}

static dp_status pick_charges(const dp__atoms *a, met *m)
{
    dp_tensor *first = dp_slice((dp_tensor *)a->e, 2, 0, 1, 1), *q = NULL;
    const dp_arg args[] = {{"x", first, 0}};
    if (first)
        q = dp_map(a->device, "tanh(0.5 * x)", (dp_args){args, 1});
    dp_status status = dp__made(a->device, q);
    if (status == DP_OK)
        status = dp__atom_reshape(a, &q, (dp_shape){2, {a->batch, a->units}});
    for (int side = 0; side < 2 && status == DP_OK; side++)
        status = pick_charges_of(a, m, q, side);
    dp_tensor_release(&first);
    dp_tensor_release(&q);
    return status;
}

static dp_status give_charges_back(dp__atoms *a, const met *m, dp_tensor *const *parts)
{
    dp_tensor *x = dp_scatter_add(a->device, parts[0], m->index[0], 1, a->units),
              *y = dp_scatter_add(a->device, parts[1], m->index[1], 1, a->units);
    const dp_status status = x && y ? give_back(a, x, y, &a->to_charges) : dp_failed(a->device);
    dp_tensor_release(&x);
    dp_tensor_release(&y);
    return status;
}

/* Of pairs of samples: 1 / D, 1 / (D + R), and the gradient of D. The rest needs these and the charges alone. */
enum { NEAR, FAR, TOWARD };

static dp_status find_distances(const dp__atoms *a, met *m)
{
    const dp_arg args[] = {{"u", m->nuclei[0], 0}, {"w", m->nuclei[1], 0}, {"r", m->radii[0], 0}, {"s", m->radii[1], 0}};
    dp__text text = {0};
    dp__atom_distance_formula(&text, a->params.norm, a->gradient);
    return dp__atom_run(a, &text, DP_SUM_J, (dp_args){args, 4}, true, m->results, a->gradient ? 3 : 2);
}

/* The energy, and the sums of products of like and of unlike charges. */
static dp_status add_charges(dp__atoms *a, const met *m, dp_tensor *products[2])
{
    const dp_arg args[] = {{"n", m->results[NEAR], 0}, {"f", m->results[FAR], 0},
                           {"x", m->charges[0], 0},    {"y", m->charges[1], 0}};
    dp__text text = {0};
    dp_tensor *results[3] = {NULL, NULL, NULL};
    dp__text_add(&text, "t = x[j] * y[j]; t * select(t < 0, f[i], n[i])%s", a->gradient ? ", max(t, 0), max(-t, 0)" : "");
    const dp_status status =
        dp__atom_run(a, &text, DP_SUM_J, (dp_args){args, 4}, true, results, a->gradient ? 3 : 1);
    a->energy = results[0];
    products[0] = results[1];
    products[1] = results[2];
    return status;
}

/* The gradients to both samples' rows. */
static dp_status find_rows(const dp__atoms *a, const met *m, dp_tensor *const products[2], dp_tensor *rows[2])
{
    const dp_arg args[] = {{"g", m->results[TOWARD], 0}, {"n", m->results[NEAR], 0}, {"f", m->results[FAR], 0},
                           {"l", products[0], 0},        {"v", products[1], 0},      {"c", NULL, scale(a)}};
    dp__text text = {0};
    dp__text_add(&text, "k = index(g[i]); gr = 0.5 * v[j] * f[i] * f[i]; gd = 2 * gr - l[j] * n[i] * n[i];"
                        "c * select(k > 0, gd * g[i], gr), c * select(k > 0, -gd * g[i], gr)");
    return dp__atom_run(a, &text, DP_SUM_J, (dp_args){args, 6}, true, rows, 2);
}

static dp_status find_charges(const dp__atoms *a, const met *m, dp_tensor *parts[2])
{
    const dp_arg args[] = {{"n", m->results[NEAR], 0}, {"f", m->results[FAR], 0}, {"x", m->charges[0], 0},
                           {"y", m->charges[1], 0},    {"c", NULL, scale(a)}};
    dp__text text = {0};
    dp__text_add(&text, "h = c * select(x[j] * y[j] < 0, f[i], n[i]); y[j] * h, x[j] * h");
    return dp__atom_run(a, &text, DP_SUM_I, (dp_args){args, 5}, true, parts, 2);
}

static dp_status meet_drawn(dp__atoms *a, met *m)
{
    dp_tensor *made[6] = {NULL}, **const products = made, **const rows = made + 2, **const parts = made + 4;
    dp_status status = pick_charges(a, m);
    if (status == DP_OK)
        status = find_distances(a, m);
    if (status == DP_OK)
        status = add_charges(a, m, products);
    if (status == DP_OK && a->gradient) {
        status = find_rows(a, m, products, rows);
        if (status == DP_OK)
            status = give_back(a, rows[0], rows[1], &a->to_row);
        if (status == DP_OK)
            status = find_charges(a, m, parts);
        if (status == DP_OK)
            status = give_charges_back(a, m, parts);
    }
    for (size_t k = 0; k < DP_COUNT(made); k++)
        dp_tensor_release(&made[k]);
    return status;
}

dp_status dp__atom_meet_pairs(dp__atoms *a)
{
    met m = {{NULL}};
    dp_status status = DP_OK;
    for (int side = 0; side < 2 && status == DP_OK; side++) {
        status = pick(a, a->nuclei, side, &m.nuclei[side]);
        if (status == DP_OK)
            status = pick(a, a->radii, side, &m.radii[side]);
    }
    if (status == DP_OK)
        status = a->params.pairs->params.units == DP_ATOM_ALL ? meet_closed(a, &m) : meet_drawn(a, &m);
    drop(&m);
    return status;
}
