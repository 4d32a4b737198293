/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/given.h"
#include <dipole/pairwise.h>
#include <dipole/grad.h>
#include <dipole/vq.h>

/* What is made on the way. */
typedef struct vq {
    dp_device *device;
    dp_tensor *z, *codebook;
    double of_codes, of_vectors; /* weights */
    dp_tensor *codes, *nearest, *quantised, *value;
} vq;

static dp_status check_rows(dp_device *device, const dp_tensor *tensor, const char *name)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_dtype(device, tensor, name, DP_F32));
    if (tensor->shape.rank != 2 || dp__shape_size(&tensor->shape) < 1)
        return dp__fail(device, DP_ERROR_ARGUMENT, "vq: %s has shape %s: [N, d] with both 1 or more is allowed", name,
                        dp__shape_text(&tensor->shape, text));
    return DP_OK;
}

static dp_status check(vq *v, const dp_vq_params *params)
{
    const double beta = params && params->beta != 0 ? params->beta : 0.25;
    DP_CHECK(check_rows(v->device, v->z, "z"));
    DP_CHECK(check_rows(v->device, v->codebook, "codebook"));
    if (v->z->shape.dim[1] != v->codebook->shape.dim[1])
        return dp__fail(v->device, DP_ERROR_ARGUMENT, "vq: z has vectors of %lld components, codebook of %lld",
                        (long long)v->z->shape.dim[1], (long long)v->codebook->shape.dim[1]);
    if (!(beta >= 0 && beta <= 1e6))
        return dp__fail(v->device, DP_ERROR_ARGUMENT, "vq: beta is %g: 0 to 1e6 is allowed", beta);
    v->of_codes = params && params->swapped ? beta : 1;
    v->of_vectors = params && params->swapped ? 1 : beta;
    return DP_OK;
}

static dp_status find_codes(vq *v)
{
    const dp_arg args[] = {{"z", v->z, 0}, {"e", v->codebook, 0}};
    dp__record_pause(v->device);
    v->codes = dp_pairwise(v->device, "sqdist(z[i], e[j])", DP_ARGMIN_J, (dp_args){args, 2});
    dp__record_resume(v->device);
    DP_CHECK(dp__made(v->device, v->codes));
    v->nearest = dp_gather_rows(v->device, v->codebook, v->codes);
    return dp__made(v->device, v->nearest);
}

/* Both terms have one value, and differ in where their gradients go: so their sum is one map, of x through which gradients go to
 * the vectors and of y through which they go to the codes. */
static dp_status find_loss(vq *v)
{
    dp_tensor *z = dp_detach(v->z), *nearest = dp_detach(v->nearest), *terms = NULL;
    const dp_arg args[] = {{"z", v->z, 0},           {"y", nearest, 0},
                           {"x", z, 0},              {"e", v->nearest, 0},
                           {"a", NULL, v->of_codes}, {"b", NULL, v->of_vectors}};
    if (z && nearest)
        terms = dp_map(v->device, "a * (x - e)^2 + b * (z - y)^2", (dp_args){args, 6});
    if (terms)
        v->value = dp_reduce(v->device, terms, DP_MEAN, DP_ALL_AXES);
    dp_tensor_release(&z);
    dp_tensor_release(&nearest);
    dp_tensor_release(&terms);
    return dp__made(v->device, v->value);
}

static dp_status pass_through(vq *v)
{
    dp_tensor *z = dp_detach(v->z), *nearest = dp_detach(v->nearest);
    const dp_arg args[] = {{"z", v->z, 0}, {"x", z, 0}, {"e", nearest, 0}};
    if (z && nearest)
        v->quantised = dp_map(v->device, "z + (e - x)", (dp_args){args, 3});
    dp_tensor_release(&z);
    dp_tensor_release(&nearest);
    return dp__made(v->device, v->quantised);
}

dp_tensor *dp_vq(dp_device *device, const dp_tensor *z, const dp_tensor *codebook, const dp_vq_params *params,
                 dp_tensor **quantised, dp_tensor **codes)
{
    vq v = {.device = device, .z = (dp_tensor *)z, .codebook = (dp_tensor *)codebook};
    if (quantised)
        *quantised = NULL;
    if (codes)
        *codes = NULL;
    dp_status status = dp__check_device(device);
    if (status == DP_OK)
        status = check(&v, params);
    if (status == DP_OK)
        status = find_codes(&v);
    if (status == DP_OK)
        status = find_loss(&v);
    if (status == DP_OK && quantised)
        status = pass_through(&v);
    dp_tensor_release(&v.nearest);
    if (status != DP_OK) {
        dp_tensor_release(&v.codes);
        dp_tensor_release(&v.value);
        return NULL;
    }
    if (quantised)
        *quantised = v.quantised;
    if (codes)
        *codes = v.codes;
    else
        dp_tensor_release(&v.codes);
    return v.value;
}
