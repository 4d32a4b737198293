/* SPDX-License-Identifier: Apache-2.0 */
#include "train_auxiliary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANK_MARGIN 0.5   /* Wang and Gupta 2015 */
#define PAIR_SEED   55001 /* apart from the run's other numbers */

static const char *const names[AUXILIARY_COUNT] = {
    "none", "atom", "force", "charge", "number", "force+charge", "force+number", "hinge1", "hinge2", "rank-hinge", "simclr", "sscl", "vq"};

auxiliary_kind auxiliary_find(const char *name)
{
    for (int k = 0; k < AUXILIARY_COUNT; k++)
        if (strcmp(names[k], name) == 0)
            return (auxiliary_kind)k;
    cli_error("--loss: \"%s\" is none of none, atom, force, charge, number, force+charge, force+number, hinge1, "
              "hinge2, rank-hinge, simclr, sscl, vq",
              name);
    return AUXILIARY_COUNT;
}

bool auxiliary_is_atom(auxiliary_kind kind)
{
    return kind >= AUXILIARY_ATOM && kind <= AUXILIARY_FORCE_NUMBER;
}

bool auxiliary_needs_triplets(auxiliary_kind kind)
{
    return kind >= AUXILIARY_HINGE1 && kind <= AUXILIARY_RANK_HINGE;
}

/* Of --sampling: `all` needs no pairs, the others draw them. */
static bool open_pairs(train_run *run, int64_t batch, int64_t units, auxiliary *a)
{
    const train_options *o = &run->options;
    const bool all = strcmp(o->sampling, "all") == 0, distinct = strcmp(o->sampling, "distinct") == 0;
    if (!all && !distinct && strcmp(o->sampling, "independent") != 0) {
        cli_error("--sampling: \"%s\" is none of distinct, independent, all", o->sampling);
        return false;
    }
    if (all && o->normalise) {
        cli_error("--normalise: not with --sampling all, which has a factor of its own");
        return false;
    }
    a->atom.expected = all;
    if (all)
        return true;
    const dp_atom_pairs_params params = {.units = distinct ? DP_ATOM_DISTINCT : DP_ATOM_REPEATED,
                                         .most = o->pairs,
                                         .seed = (uint64_t)o->seed + PAIR_SEED};
    a->pairs = dp_atom_pairs_create(run->device, batch, units, &params);
    a->atom.pairs = a->pairs;
    return train_ok(run, "pairs");
}

static bool open_atom(train_run *run, int64_t batch, int64_t units, int64_t channels, auxiliary *a)
{
    const double p = run->options.norm;
    const auxiliary_kind kind = a->kind;
    if (p != 0 && p < 1) {
        cli_error("--norm: %g: 1 or more, or 0 for the largest component", p);
        return false;
    }
    if (channels < 2) {
        cli_error("--loss %s: a sub-unit of %lld channels has no position: it needs 2", names[kind],
                  (long long)channels);
        return false;
    }
    a->atom = (dp_atom_params){.norm = p == 0 ? (double)INFINITY : p,
                               .normalise = run->options.normalise,
                               .force = kind != AUXILIARY_CHARGE && kind != AUXILIARY_NUMBER,
                               .charge = kind == AUXILIARY_ATOM || kind == AUXILIARY_CHARGE || kind == AUXILIARY_FORCE_CHARGE,
                               .pnum = kind == AUXILIARY_ATOM || kind == AUXILIARY_NUMBER || kind == AUXILIARY_FORCE_NUMBER};
    return a->atom.force == 0 || open_pairs(run, batch, units, a);
}

/* Codes begin uniform in -1 / K .. 1 / K and are learned as the network is. */
static bool open_codebook(train_run *run, int64_t channels, auxiliary *a)
{
    const train_options *o = &run->options;
    const double edge = 1.0 / (double)o->codes;
    const char *const name = "codebook";
    a->codebook =
        dp_uniform(run->device, (uint64_t)o->seed + PAIR_SEED, DP_SHAPE(o->codes, channels), -edge, edge);
    if (!a->codebook || dp_require_grad(a->codebook) != DP_OK || !train_keep(run, "", name, a->codebook))
        return train_ok(run, name) && false;
    a->optimizer = train_adam(run, &a->codebook, &name, 1, o->rate);
    bool kept = train_ok(run, name);
    for (int k = 0; kept && k < dp_optimizer_state_count(a->optimizer); k++)
        kept = train_keep(run, "codebook.adam.", dp_optimizer_state_name(a->optimizer, k),
                          dp_optimizer_state(a->optimizer, k));
    return kept;
}

bool auxiliary_open(train_run *run, int64_t batch, int64_t units, int64_t channels, auxiliary *a)
{
    *a = (auxiliary){.kind = auxiliary_find(run->options.loss)};
    a->loss = (dp_loss_params){.temperature = run->options.temperature,
                               .norm = a->kind == AUXILIARY_HINGE1 ? 1 : 2,
                               .margin = a->kind == AUXILIARY_RANK_HINGE ? RANK_MARGIN : 0};
    if (a->kind == AUXILIARY_COUNT)
        return false;
    if (auxiliary_is_atom(a->kind))
        return open_atom(run, batch, units, channels, a);
    return a->kind != AUXILIARY_VQ || open_codebook(run, channels, a);
}

void auxiliary_close(auxiliary *a)
{
    dp_atom_pairs_destroy(&a->pairs);
    dp_optimizer_destroy(&a->optimizer);
    dp_tensor_release(&a->codebook);
    dp_tensor_release(&a->gradient);
}

bool auxiliary_before_step(train_run *run, auxiliary *a)
{
    return !a->pairs || dp_atom_pairs_sample(a->pairs, (uint64_t)run->step) == DP_OK ||
           train_ok(run, "pairs");
}

/* [B, n, h] as [B, n h]: a view, or a copy where the strides allow none. */
static dp_tensor *concatenated(dp_device *device, dp_tensor *e)
{
    const dp_shape shape = dp_tensor_shape(e);
    dp_tensor *whole = dp_tensor_contiguous(e) ? dp_tensor_retain(e) : dp_copy(device, e);
    dp_tensor *rows = dp_reshape(whole, DP_SHAPE(shape.dim[0], shape.dim[1] * shape.dim[2]));
    dp_tensor_release(&whole);
    return rows;
}

/* The library's hinges are sums over samples: their mean, so that a coefficient means the same for every
 * batch. */
static dp_tensor *hinge(dp_device *device, const auxiliary *a, dp_tensor *e, dp_tensor *positive,
                        dp_tensor *negative)
{
    dp_tensor *h = concatenated(device, e), *p = concatenated(device, positive),
              *n = concatenated(device, negative);
    dp_tensor *sum = NULL, *mean = NULL;
    const dp_status status = a->kind == AUXILIARY_RANK_HINGE
                                 ? dp_loss_rank_hinge(device, h, p, n, &a->loss, &sum, NULL)
                                 : dp_loss_hinge(device, h, p, n, &a->loss, &sum, NULL);
    if (status == DP_OK)
        mean = dp_map(device, "sum / b",
                      DP_ARGS({"sum", sum}, {.name = "b", .scalar = (double)dp_tensor_shape(e).dim[0]}));
    dp_tensor_release(&sum);
    dp_tensor_release(&h);
    dp_tensor_release(&p);
    dp_tensor_release(&n);
    return mean;
}

static dp_tensor *contrastive(dp_device *device, const auxiliary *a, dp_tensor *e)
{
    dp_tensor *h = concatenated(device, e), *value = NULL;
    if (a->kind == AUXILIARY_SIMCLR)
        dp_loss_ntxent(device, h, &a->loss, &value, NULL);
    else
        dp_loss_sscl(device, h, &a->loss, &value, NULL);
    dp_tensor_release(&h);
    return value;
}

static dp_tensor *quantise(dp_device *device, const auxiliary *a, dp_tensor *e, dp_tensor **replaced)
{
    const dp_shape shape = dp_tensor_shape(e);
    dp_tensor *whole = dp_tensor_contiguous(e) ? dp_tensor_retain(e) : dp_copy(device, e), *codes = NULL;
    dp_tensor *rows = dp_reshape(whole, DP_SHAPE(shape.dim[0] * shape.dim[1], shape.dim[2]));
    dp_tensor *value = dp_vq(device, rows, a->codebook, NULL, replaced ? &codes : NULL, NULL);
    if (replaced)
        *replaced = codes ? dp_reshape(codes, shape) : NULL;
    dp_tensor_release(&codes);
    dp_tensor_release(&rows);
    dp_tensor_release(&whole);
    return value;
}

dp_tensor *auxiliary_loss(train_run *run, auxiliary *a, dp_tensor *e, dp_tensor *positive,
                          dp_tensor *negative, dp_tensor **replaced)
{
    if (replaced)
        *replaced = NULL;
    if (!e)
        return NULL;
    if (auxiliary_is_atom(a->kind))
        return dp_atom_loss(run->device, e, &a->atom, NULL);
    if (auxiliary_needs_triplets(a->kind))
        return positive && negative ? hinge(run->device, a, e, positive, negative) : NULL;
    if (a->kind == AUXILIARY_SIMCLR || a->kind == AUXILIARY_SSCL)
        return contrastive(run->device, a, e);
    return a->kind == AUXILIARY_VQ ? quantise(run->device, a, e, replaced) : NULL;
}

dp_tensor *auxiliary_add(const train_run *run, dp_tensor *loss, dp_tensor *value)
{
    if (!loss || !value)
        return dp_tensor_retain(loss);
    return dp_map(
        run->device, "loss + c * value",
        DP_ARGS({"loss", loss}, {"value", value}, {.name = "c", .scalar = run->options.coefficient}));
}

dp_status auxiliary_gradient(train_run *run, auxiliary *a, dp_tensor *total)
{
    if (!a->codebook)
        return DP_OK;
    return total ? dp_gradients(total, NULL, &a->codebook, 1, DP_GRADIENT_KEEP, &a->gradient)
                 : dp_failed(run->device);
}

dp_status auxiliary_update(auxiliary *a)
{
    if (!a->codebook)
        return DP_OK;
    const dp_status status = dp_optimizer_step(a->optimizer, (const dp_tensor *const *)&a->gradient);
    dp_tensor_release(&a->gradient);
    return status;
}
