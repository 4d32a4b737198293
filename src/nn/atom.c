/* SPDX-License-Identifier: Apache-2.0 */
/* The losses of Atom Modeling: sums of each sample, its radius, pairs of samples, and the gradient, each in one pass. */
#include "nn/atom.h"
#include "nn/atom_formula.h"
#include "nn/given.h"
#include <dipole/batch.h>
#include <math.h>

enum { FORCE = DP__ATOM_FORCE, CHARGE = DP__ATOM_CHARGE, PNUM = DP__ATOM_PNUM, LOSSES = DP__ATOM_LOSSES };

dp_status dp__atom_run(const dp__atoms *a, dp__text *text, unsigned mode, dp_args args, bool batched,
                       dp_tensor **results, int count)
{
    const dp_pair_options options = {.batch = batched};
    dp_status status = dp_failed(a->device); /* a view among the arguments may be missing */
    if (status == DP_OK && text->failed)
        status = dp__fail(a->device, DP_ERROR_MEMORY, "atom_loss: no memory for a formula");
    if (status == DP_OK)
        status = dp_pairwise_many_with(a->device, text->data, mode, args, &options, results, count);
    dp__text_free(text);
    return status;
}

dp_status dp__atom_reshape(const dp__atoms *a, dp_tensor **x, dp_shape shape)
{
    dp_tensor *view = dp_reshape(*x, shape);
    dp_tensor_release(x);
    *x = view;
    return dp__made(a->device, view);
}

/* Samples. ------------------------------ */

static dp_status sum_samples(dp__atoms *a)
{
    const bool nuclei = a->weight[FORCE] != 0;
    const dp_arg args[] = {{"e", a->e, 0}, {"z", a->zeros, 0}, {"c", NULL, 1 / (double)a->units}};
    dp__text text = {0};
    dp_tensor *results[2] = {NULL, NULL};
    dp__atom_sums_formula(&text, nuclei);
    const dp_status status =
        dp__atom_run(a, &text, DP_SUM_I, (dp_args){args, nuclei ? 3 : 2}, true, results, nuclei ? 2 : 1);
    a->nuclei = nuclei ? results[0] : NULL;
    a->sums = results[nuclei ? 1 : 0];
    return status;
}

static dp_status find_radii(dp__atoms *a)
{
    const dp_arg args[] = {{"e", a->e, 0}, {"u", a->nuclei, 0}, {"c", NULL, 1 / (double)a->units}};
    dp__text text = {0};
    dp_tensor *result = NULL;
    dp__atom_radius_formula(&text, a->params.norm, a->gradient);
    DP_CHECK(dp__atom_run(a, &text, DP_SUM_I, (dp_args){args, 3}, true, &result, 1));
    if (!a->gradient) {
        a->radii = result;
        return DP_OK;
    }
    a->inner = result;
    a->radii = dp_slice(result, 2, 0, 1, 1);
    DP_CHECK(dp__made(a->device, a->radii));
    return dp__atom_reshape(a, &a->radii, (dp_shape){2, {a->batch, 1}});
}

/* Values. ------------------------------ */

/* How many terms the energies are sums of, for one sample or pair. */
static double others(const dp__atoms *a)
{
    return a->params.pairs ? 1 : (double)(a->batch - 1);
}

/* The mean over samples of the three with these weights; over pairs for the energies, of which there are as many, and whose order
 * the mean does not see. */
static dp_tensor *weighted(const dp__atoms *a, const double weight[LOSSES])
{
    dp_tensor *part[4] = {NULL}, *terms = NULL, *result = NULL;
    const bool energy = weight[FORCE] != 0;
    for (int k = 0; k < 3; k++)
        part[k] = dp_slice(a->sums, 2, k, k + 1, 1);
    if (energy)
        part[3] = dp_reshape(a->energy, (dp_shape){3, {a->batch, 1, 1}});
    const dp_arg args[] = {{"x", part[0], 0},
                           {"y", part[1], 0},
                           {"s", part[2], 0},
                           {"cc", NULL, weight[CHARGE]},
                           {"cp", NULL, weight[PNUM]},
                           {"third", NULL, 2 * (double)a->units / 3},
                           {"cf", NULL, weight[FORCE] / others(a)},
                           {"f", part[3], 0}};
    static const char with[] = "cc * (x - y)^2 + cp * (s - third)^2 + cf * f";
    static const char without[] = "cc * (x - y)^2 + cp * (s - third)^2";
    if (dp_failed(a->device) == DP_OK)
        terms = dp_map(a->device, energy ? with : without, (dp_args){args, energy ? 8 : 6});
    if (terms)
        result = dp_reduce(a->device, terms, DP_MEAN, DP_ALL_AXES);
    for (int k = 0; k < 4; k++)
        dp_tensor_release(&part[k]);
    dp_tensor_release(&terms);
    return result;
}

static dp_status find_parts(const dp__atoms *a, dp_tensor *parts[LOSSES])
{
    const double given[LOSSES] = {a->params.force, a->params.charge, a->params.pnum};
    for (int k = 0; k < LOSSES; k++) {
        double weight[LOSSES] = {0};
        if (given[k] == 0)
            continue;
        weight[k] = a->weight[k] / given[k];
        parts[k] = weighted(a, weight);
        DP_CHECK(dp__made(a->device, parts[k]));
    }
    return DP_OK;
}

/* The gradient, of e's shape. */
static dp_status find_gradient(const dp__atoms *a, dp_tensor **gradient)
{
    const double b = (double)a->batch, n = (double)a->units;
    const dp__atom_force force = a->weight[FORCE] == 0 ? DP__ATOM_NO_FORCE
                                 : a->to_charges       ? DP__ATOM_DRAWN_PAIRS
                                                       : DP__ATOM_CLOSED;
    const dp_arg args[] = {{"e", a->e, 0},
                           {"t", a->sums, 0},
                           {"cc", NULL, a->weight[CHARGE] / b},
                           {"cp", NULL, a->weight[PNUM] / b},
                           {"third", NULL, 2 * n / 3},
                           {"c", NULL, 1 / n},
                           {"u", a->nuclei, 0},
                           {"w", a->inner, 0},
                           {"a", a->to_row, 0},
                           {"b", a->to_charges ? a->to_charges : a->to_sums, 0}};
    dp__text text = {0};
    dp__atom_gradient_formula(&text, a->params.norm, force);
    return dp__atom_run(a, &text, DP_SUM_J, (dp_args){args, force == DP__ATOM_NO_FORCE ? 5 : 10}, true, gradient, 1);
}

/* Checks. ------------------------------ */

static dp_status check_pairs(const dp__atoms *a)
{
    const dp_atom_pairs *pairs = a->params.pairs;
    if (!pairs)
        return DP_OK;
    if (pairs->batch != a->batch || pairs->units != a->units)
        return dp__fail(a->device, DP_ERROR_ARGUMENT,
                        "atom_loss: pairs are of %lld samples of %lld sub-units, e has %lld of %lld",
                        (long long)pairs->batch, (long long)pairs->units, (long long)a->batch, (long long)a->units);
    if (a->params.expected && pairs->params.units != DP_ATOM_ALL)
        return dp__fail(a->device, DP_ERROR_ARGUMENT,
                        "atom_loss: expected is for the closed form: pairs have sub-units that were drawn");
    DP_CHECK(dp__check_dtype(a->device, pairs->a, "pairs->a", DP_I32));
    return dp__check_dtype(a->device, pairs->b, "pairs->b", DP_I32);
}

static dp_status set_weights(dp__atoms *a)
{
    dp_atom_params *p = &a->params;
    const double n = (double)a->units;
    if (p->force == 0 && p->charge == 0 && p->pnum == 0)
        p->force = p->charge = p->pnum = 0.02;
    const double given[LOSSES] = {p->force, p->charge, p->pnum};
    static const char *const names[LOSSES] = {"force", "charge", "pnum"};
    for (int k = 0; k < LOSSES; k++) {
        if (!(fabs(given[k]) <= 1e30))
            return dp__fail(a->device, DP_ERROR_ARGUMENT, "atom_loss: %s is %g: -1e30 to 1e30 is allowed", names[k],
                            given[k]);
        a->weight[k] = p->normalise ? given[k] / (n * n) : given[k];
    }
    if (p->normalise && p->expected)
        return dp__fail(a->device, DP_ERROR_ARGUMENT, "atom_loss: normalise and expected: only one of them is allowed");
    if (p->normalise && p->pairs && p->pairs->drawn > 0)
        a->weight[FORCE] = given[FORCE] / (double)p->pairs->drawn;
    if (p->expected)
        a->weight[FORCE] *= (double)DP_MIN2(a->units, DP__ATOM_DRAWN) / (n * n);
    if (a->weight[FORCE] != 0 && a->batch < 2)
        return dp__fail(a->device, DP_ERROR_ARGUMENT,
                        "atom_loss: e has one sample: L_force needs 2 or more, or a weight of 0 beside one that is not");
    return DP_OK;
}

static dp_status begin(dp__atoms *a, const dp_tensor *e, const dp_atom_params *params)
{
    a->params = params ? *params : (dp_atom_params){0};
    DP_CHECK(dp__atom_check(a->device, "atom_loss", e, &a->params.norm));
    a->e = e;
    a->batch = e->shape.dim[0];
    a->units = e->shape.dim[1];
    a->channels = e->shape.dim[2];
    a->gradient = dp__recording(a->device, &e, 1);
    DP_CHECK(check_pairs(a));
    return set_weights(a);
}

static dp_status compute(dp__atoms *a, dp_tensor **value, dp_tensor **gradient)
{
    a->zeros = dp_full(a->device, DP_F32, (dp_shape){3, {a->batch, 1, 4}}, 0);
    DP_CHECK(dp__made(a->device, a->zeros));
    DP_CHECK(sum_samples(a));
    if (a->weight[FORCE] != 0) {
        DP_CHECK(find_radii(a));
        DP_CHECK(a->params.pairs ? dp__atom_meet_pairs(a) : dp__atom_meet_all(a));
    }
    *value = weighted(a, a->weight);
    DP_CHECK(dp__made(a->device, *value));
    return a->gradient ? find_gradient(a, gradient) : DP_OK;
}

static void end(dp__atoms *a)
{
    dp_tensor **const list[] = {&a->zeros,  &a->nuclei, &a->sums,    &a->inner,     &a->radii,
                                &a->energy, &a->to_row, &a->to_sums, &a->to_charges};
    for (size_t k = 0; k < DP_COUNT(list); k++)
        dp_tensor_release(list[k]);
}

dp_tensor *dp_atom_loss(dp_device *device, const dp_tensor *e, const dp_atom_params *params, dp_tensor *parts[3])
{
    dp__atoms a = {.device = device};
    dp_tensor *value = NULL, *gradient = NULL, *found[LOSSES] = {NULL};
    dp_status status = begin(&a, e, params);
    dp__record_pause(device);
    if (status == DP_OK)
        status = compute(&a, &value, &gradient);
    if (status == DP_OK && parts)
        status = find_parts(&a, found);
    dp__record_resume(device);
    end(&a);
    for (int k = 0; k < LOSSES; k++) {
        if (status != DP_OK)
            dp_tensor_release(&found[k]);
        if (parts)
            parts[k] = found[k];
    }
    if (status == DP_OK)
        return dp__given(value, &e, &gradient, 1);
    dp_tensor_release(&value);
    dp_tensor_release(&gradient);
    return NULL;
}
