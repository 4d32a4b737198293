/* SPDX-License-Identifier: Apache-2.0 */
/* Charges, masses, nuclei and radii, in calls that are recorded one by one. */
#include "nn/atom.h"
#include "nn/given.h"
#include <dipole/grad.h>
#include <math.h>
#include <stdio.h>

dp_status dp__atom_check(dp_device *device, const char *call, const dp_tensor *e, double *norm)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_device(device));
    DP_CHECK(dp__check_dtype(device, e, "e", DP_F32));
    const dp_shape *shape = &e->shape;
    if (shape->rank != 3 || shape->dim[0] < 1 || shape->dim[1] < 1 || shape->dim[2] < 2)
        return dp__fail(device, DP_ERROR_ARGUMENT,
                        "%s: e has shape %s: [B, n, h] with B and n of 1 or more and h of 2 or more is allowed", call,
                        dp__shape_text(shape, text));
    *norm = *norm == 0 ? 2 : *norm;
    if (!(*norm >= 1 && (*norm <= 1e3 || isinf(*norm))))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: norm is %g: 1 to 1000 or INFINITY is allowed", call, *norm);
    return DP_OK;
}

static dp_tensor *map_one(dp_device *device, const char *formula, const dp_tensor *x)
{
    const dp_arg args[] = {{"x", x, 0}};
    return x ? dp_map(device, formula, (dp_args){args, 1}) : NULL;
}

static dp_tensor *map_two(dp_device *device, const char *formula, const dp_tensor *x, const dp_tensor *y)
{
    const dp_arg args[] = {{"x", x, 0}, {"y", y, 0}};
    return x && y ? dp_map(device, formula, (dp_args){args, 2}) : NULL;
}

/* Of any p that has no formula of its own: the largest component is taken out, so that no power overflows.
 * The result does not depend on that factor, so none of its gradient goes through it. */
static dp_tensor *norm_any(dp_device *device, const dp_tensor *d, double norm)
{
    char power[80], root[80];
    dp_tensor *part[5] = {NULL};
    snprintf(power, sizeof power, "(abs(x) / max(y, 1e-37))^%.9g", norm);
    snprintf(root, sizeof root, "y * x^(1 / %.9g)", norm);
    dp_grad_pause(device);
    part[0] = map_one(device, "abs(x)", d);
    part[1] = part[0] ? dp_reduce(device, part[0], DP_MAX, DP_AXIS(2) | DP_KEEP_AXES) : NULL;
    dp_grad_resume(device);
    part[2] = map_two(device, power, d, part[1]);
    part[3] = part[2] ? dp_reduce(device, part[2], DP_SUM, DP_AXIS(2) | DP_KEEP_AXES) : NULL;
    part[4] = map_two(device, root, part[3], part[1]);
    for (int k = 0; k < 4; k++)
        dp_tensor_release(&part[k]);
    return part[4];
}

/* |d|_p over the last axis, which is kept: [B, n, 1]. */
static dp_tensor *norm_of(dp_device *device, const dp_tensor *d, double norm)
{
    if (norm != 1 && norm != 2 && !isinf(norm))
        return norm_any(device, d, norm);
    dp_tensor *terms = map_one(device, norm == 2 ? "x * x" : "abs(x)", d);
    dp_tensor *result =
        terms ? dp_reduce(device, terms, isinf(norm) ? DP_MAX : DP_SUM, DP_AXIS(2) | DP_KEEP_AXES) : NULL;
    dp_tensor_release(&terms);
    if (norm != 2)
        return result;
    dp_tensor *root = map_one(device, "sqrt(x)", result);
    dp_tensor_release(&result);
    return root;
}

static dp_tensor *nuclei(dp_device *device, const dp_tensor *masses, const dp_tensor *positions)
{
    dp_tensor *terms = map_two(device, "x * y", masses, positions);
    dp_tensor *result = terms ? dp_reduce(device, terms, DP_MEAN, DP_AXIS(1) | DP_KEEP_AXES) : NULL;
    dp_tensor_release(&terms);
    return result;
}

static dp_tensor *radii(dp_device *device, const dp_tensor *masses, const dp_tensor *positions, const dp_tensor *mu,
                        double norm)
{
    dp_tensor *d = map_two(device, "x - y", positions, mu);
    dp_tensor *rho = d ? norm_of(device, d, norm) : NULL;
    dp_tensor *terms = map_two(device, "(1 - x) * y", masses, rho);
    dp_tensor *result = terms ? dp_reduce(device, terms, DP_MEAN, DP_AXIS(1) | DP_AXIS(2)) : NULL;
    dp_tensor_release(&d);
    dp_tensor_release(&rho);
    dp_tensor_release(&terms);
    return result;
}

static dp_tensor *reshaped(dp_tensor *x, dp_shape shape)
{
    return x ? dp_reshape(x, shape) : NULL;
}

static dp_status create(dp_device *device, dp_tensor *e, double norm, dp_atom_state *state)
{
    const int64_t batch = e->shape.dim[0], units = e->shape.dim[1], channels = e->shape.dim[2];
    dp_tensor *first = dp_slice(e, 2, 0, 1, 1), *positions = dp_slice(e, 2, 1, channels, 1);
    dp_tensor *q = map_one(device, "tanh(0.5 * x)", first), *m = map_one(device, "1 + min(x, 0)", q);
    dp_tensor *mu = nuclei(device, m, positions);
    state->radii = radii(device, m, positions, mu, norm);
    state->charges = reshaped(q, (dp_shape){2, {batch, units}});
    state->masses = reshaped(m, (dp_shape){2, {batch, units}});
    state->nuclei = reshaped(mu, (dp_shape){2, {batch, channels - 1}});
    dp_tensor *const list[] = {first, positions, q, m, mu};
    for (size_t k = 0; k < DP_COUNT(list); k++)
        dp_tensor_release(&(dp_tensor *){list[k]});
    return state->radii && state->charges && state->masses && state->nuclei ? DP_OK : dp_failed(device);
}

dp_status dp_atom_state_create(dp_device *device, const dp_tensor *e, double norm, dp_atom_state *state)
{
    DP_CHECK(dp__check_device(device));
    if (!state)
        return dp__fail(device, DP_ERROR_ARGUMENT, "atom_state: state is NULL");
    *state = (dp_atom_state){0};
    DP_CHECK(dp__atom_check(device, "atom_state", e, &norm));
    const dp_status status = create(device, (dp_tensor *)e, norm, state);
    if (status != DP_OK)
        dp_atom_state_release(state);
    return status;
}

void dp_atom_state_release(dp_atom_state *state)
{
    if (!state)
        return;
    dp_tensor_release(&state->charges);
    dp_tensor_release(&state->masses);
    dp_tensor_release(&state->nuclei);
    dp_tensor_release(&state->radii);
}
