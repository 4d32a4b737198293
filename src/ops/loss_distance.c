/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of distances: alignment, uniformity, and hinges over triplets that are given or mined. What is
 * summed over rows alone is a formula of rows. */
#include "ops/loss.h"
#include <math.h>

/* Alignment, uniformity. */

dp_status dp_loss_alignment(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                            const dp_loss_params *params, dp_tensor **value, dp_tensor **gradients)
{
    static const char *const wrt[] = {"a", "b"};
    const dp__rows_of rows[] = {{"a", a}, {"b", b}};
    dp__loss loss;
    dp_status status = dp__loss_begin(&loss, device, "alignment", params, rows, 2, value, gradients);
    const dp_arg args[] = {{"a", a, 0}, {"b", b, 0}, {.name = "p", .scalar = loss.params.power / 2}};
    if (status == DP_OK)
        status = dp__rows_gradient(device, "sqdist(a[i], b[i])^p", 1 / (double)loss.n, (dp_args){args, 3},
                                   wrt, loss.gradients ? 2 : 0, loss.gradients, value);
    return dp__loss_end(&loss, status);
}

static dp_status uniformity(const dp__loss *loss, const dp_tensor *x)
{
    const double t = loss->params.sharpness, n = (double)loss->n;
    const dp_arg args[] = {{"x", x, 0}, {.name = "t", .scalar = t}};
    if (loss->n < 2)
        return dp__fail(loss->device, DP_ERROR_ARGUMENT, "uniformity: x has 1 row: 2 or more are needed");
    dp_tensor *total = dp_pairwise(loss->device, "-t * sqdist(x[i], x[j])",
                                   DP_LOGSUMEXP_ALL | DP_EXCLUDE_SELF, (dp_args){args, 2});
    dp_status status = dp__loss_made(loss, total);
    if (status == DP_OK && loss->value) {
        const dp_arg parts[] = {{"z", total, 0}, {.name = "pairs", .scalar = log(n * (n - 1))}};
        *loss->value = dp_map(loss->device, "z - pairs", (dp_args){parts, 2});
        status = dp__loss_made(loss, *loss->value);
    }
    if (status == DP_OK && loss->gradients) {
        const dp_arg pairs[] = {
            {"x", x, 0}, {"z", total, 0}, {.name = "t", .scalar = t}, {.name = "c", .scalar = -4 * t}};
        loss->gradients[0] = dp_pairwise(loss->device, "c * exp(-t * sqdist(x[i], x[j]) - z) * (x[i] - x[j])",
                                         DP_SUM_J | DP_EXCLUDE_SELF, (dp_args){pairs, 4});
        status = dp__loss_made(loss, loss->gradients[0]);
    }
    dp_tensor_release(&total);
    return status;
}

dp_status dp_loss_uniformity(dp_device *device, const dp_tensor *x, const dp_loss_params *params,
                             dp_tensor **value, dp_tensor **gradient)
{
    const dp__rows_of rows[] = {{"x", x}};
    dp__loss loss;
    dp_status status = dp__loss_begin(&loss, device, "uniformity", params, rows, 1, value, gradient);
    return dp__loss_end(&loss, status == DP_OK ? uniformity(&loss, x) : status);
}

/* Hinges. In each, max(0, .) has the derivative 0 at 0. What is differentiated by hand here is short: scalars
 * of a row in one pass, and the three gradients element by element from those. (Differentiated symbolically
 * the kernel has vectors for all three at once, which takes software devices long to build.) */

enum { MAX_SCALARS = 6 };

/* The term of a row, then the factors a, b, ... that `gradients`, three outputs, are made of. k: the scale,
 * m: the margin; rows count where v is above 0. */
typedef struct hinge_form {
    const char *scalars, *gradients;
    int count; /* of scalars */
} hinge_form;

#define GAP             "dp = norm(h[i] - p[i]); dn = norm(h[i] - n[i]); e = dp - dn;"
#define ALONG_DISTANCES "u = select(a > 0, a * (h - p), 0); w = select(b > 0, b * (h - n), 0); u - w, -u, w"

static const hinge_form hinge_two = {
    GAP
    "t = select(v[i] > 0 and e + m > 0, k, 0);"
    "select(t > 0, t * (e + m), 0), select(t > 0 and dp > 0, t / dp, 0), select(t > 0 and dn > 0, t / dn, 0)",
    ALONG_DISTANCES, 3};
static const hinge_form hinge_soft = {
    GAP "t = select(v[i] > 0, k * sigmoid(e), 0);"
        "select(v[i] > 0, k * (max(e, 0) + log(1 + exp(-abs(e)))), 0),"
        "select(v[i] > 0 and dp > 0, t / dp, 0), select(v[i] > 0 and dn > 0, t / dn, 0)",
    ALONG_DISTANCES, 3};
static const hinge_form hinge_one = {
    "e = sum(abs(h[i] - p[i])) - sum(abs(h[i] - n[i])) + m; t = select(e > 0, k, 0); t * e, t, t",
    "u = a * sign(h - p); w = b * sign(h - n); u - w, -u, w", 3};
/* With rh, rp, rn = 1 / the norms, of rows of zeros 0: they have cosine 0 with every other. */
static const hinge_form hinge_rank = {
    "hh = dot(h[i], h[i]); pp = dot(p[i], p[i]); nn = dot(n[i], n[i]); rh = select(hh > 0, rsqrt(hh), 0);"
    "rp = select(pp > 0, rsqrt(pp), 0); rn = select(nn > 0, rsqrt(nn), 0);"
    "cp = dot(h[i], p[i]) * rh * rp; cn = dot(h[i], n[i]) * rh * rn; e = cn - cp + m; t = select(e > 0, k, "
    "0);"
    "t * e, t * rh * rn, t * rh * rp, t * (cn - cp) * rh * rh, t * cp * rp * rp, t * cn * rn * rn",
    "a * n - b * p - c * h, f * p - b * h, a * h - g * n", 6};

/* The three gradients from the scalars behind the first. */
static dp_status hinge_gradients(const dp__loss *loss, const hinge_form *form, const dp_tensor *const rows[3],
                                 dp_tensor *const *scalars, dp_tensor **gradients)
{
    static const char *const names[MAX_SCALARS] = {NULL, "a", "b", "c", "f", "g"};
    dp_arg args[3 + MAX_SCALARS] = {{"h", rows[0], 0}, {"p", rows[1], 0}, {"n", rows[2], 0}};
    dp_tensor *columns[MAX_SCALARS] = {NULL};
    dp_status status = DP_OK;
    for (int k = 1; status == DP_OK && k < form->count; k++) {
        columns[k] = dp_reshape(scalars[k], (dp_shape){2, {loss->n, 1}});
        args[2 + k] = (dp_arg){names[k], columns[k], 0};
        status = dp__loss_made(loss, columns[k]);
    }
    for (int k = 0; status == DP_OK && k < 3; k++) {
        gradients[k] = dp_empty(loss->device, DP_F32, rows[0]->shape);
        status = dp__loss_made(loss, gradients[k]);
    }
    if (status == DP_OK)
        status = dp_map_into(loss->device, form->gradients, (dp_args){args, 2 + form->count}, gradients, 3);
    for (int k = 1; k < form->count; k++)
        dp_tensor_release(&columns[k]);
    return status;
}

/* k * sum_i hinge(h_i, p_i, n_i) over the rows with v_i above 0. */
static dp_status hinges_where(const dp__loss *loss, const hinge_form *form, double k,
                              const dp_tensor *const rows[3], const dp_tensor *valid, dp_tensor **gradients)
{
    const dp_arg args[] = {{"h", rows[0], 0},
                           {"p", rows[1], 0},
                           {"n", rows[2], 0},
                           {"v", valid, 0},
                           {.name = "m", .scalar = loss->params.margin},
                           {.name = "k", .scalar = k}};
    dp_tensor *scalars[MAX_SCALARS] = {NULL};
    dp_status status = dp__rows(loss->device, form->scalars, false, (dp_args){args, 6}, scalars, form->count);
    if (status == DP_OK && loss->value) {
        *loss->value = dp_reduce(loss->device, scalars[0], DP_SUM, DP_ALL_AXES);
        status = dp__loss_made(loss, *loss->value);
    }
    if (status == DP_OK && gradients)
        status = hinge_gradients(loss, form, rows, scalars, gradients);
    for (int s = 0; s < form->count; s++)
        dp_tensor_release(&scalars[s]);
    return status;
}

static dp_status hinge(dp_device *device, const char *name, const hinge_form *one, const hinge_form *two,
                       const dp_tensor *const rows[3], const dp_loss_params *params, dp_tensor **value,
                       dp_tensor **gradients)
{
    const dp__rows_of named[] = {{"h", rows[0]}, {"positive", rows[1]}, {"negative", rows[2]}};
    dp__loss loss;
    dp_tensor *valid = NULL;
    dp_status status = dp__loss_begin(&loss, device, name, params, named, 3, value, gradients);
    if (status == DP_OK)
        status = dp__loss_made(&loss, valid = dp_full(device, DP_F32, (dp_shape){1, {loss.n}}, 1));
    if (status == DP_OK)
        status = hinges_where(&loss, loss.params.norm == 1 ? one : two, 1, rows, valid, loss.gradients);
    dp_tensor_release(&valid);
    return dp__loss_end(&loss, status);
}

dp_status dp_loss_hinge(dp_device *device, const dp_tensor *h, const dp_tensor *positive,
                        const dp_tensor *negative, const dp_loss_params *params, dp_tensor **value,
                        dp_tensor **gradients)
{
    const dp_tensor *const rows[3] = {h, positive, negative};
    return hinge(device, "hinge", &hinge_one, &hinge_two, rows, params, value, gradients);
}

dp_status dp_loss_rank_hinge(dp_device *device, const dp_tensor *h, const dp_tensor *positive,
                             const dp_tensor *negative, const dp_loss_params *params, dp_tensor **value,
                             dp_tensor **gradients)
{
    const dp_tensor *const rows[3] = {h, positive, negative};
    return hinge(device, "rank_hinge", &hinge_rank, &hinge_rank, rows, params, value, gradients);
}

/* Batch-hard: the triplets are mined, and what belongs to a mined row goes back to it. */

typedef struct mining {
    dp__loss loss;
    const dp_tensor *x;
    dp__classes classes;
    dp_tensor *index[2], *rows[2]; /* of the hardest positives and negatives */
    dp_tensor *valid;              /* f32 [N] */
    dp_tensor *parts[3];
} mining;

static dp_status mine(mining *m)
{
    static const char *const text[2] = {"select(l[i] == l[j], sqdist(x[i], x[j]), -inf)",
                                        "select(l[i] != l[j], sqdist(x[i], x[j]), inf)"};
    static const unsigned mode[2] = {DP_ARGMAX_J | DP_EXCLUDE_SELF, DP_ARGMIN_J | DP_EXCLUDE_SELF};
    const dp_arg args[] = {{"x", m->x, 0}, {"l", m->classes.id, 0}};
    for (int k = 0; k < 2; k++) {
        m->index[k] = dp_pairwise(m->loss.device, text[k], mode[k], (dp_args){args, 2});
        DP_CHECK(dp__loss_made(&m->loss, m->index[k]));
        m->rows[k] = dp_gather_rows(m->loss.device, m->x, m->index[k]);
        DP_CHECK(dp__loss_made(&m->loss, m->rows[k]));
    }
    if (m->classes.count > 1)
        m->valid = dp_tensor_retain(m->classes.share);
    else /* no negatives */
        m->valid = dp_full(m->loss.device, DP_F32, (dp_shape){1, {m->loss.n}}, 0);
    return dp__loss_made(&m->loss, m->valid);
}

/* parts[0] + the other two, scattered. */
static dp_status gather_parts(mining *m)
{
    dp_tensor *back[2] = {NULL, NULL};
    dp_status status = DP_OK;
    for (int k = 0; status == DP_OK && k < 2; k++) {
        back[k] = dp_scatter_add_rows(m->loss.device, m->parts[k + 1], m->index[k], m->loss.n);
        status = dp__loss_made(&m->loss, back[k]);
        dp_tensor_release(&m->parts[k + 1]);
    }
    const dp_arg args[] = {{"h", m->parts[0], 0}, {"p", back[0], 0}, {"n", back[1], 0}};
    if (status == DP_OK)
        status = dp_map_into(m->loss.device, "h + p + n", (dp_args){args, 3}, &m->parts[0], 1);
    if (status == DP_OK) {
        m->loss.gradients[0] = m->parts[0];
        m->parts[0] = NULL;
    }
    dp_tensor_release(&back[0]);
    dp_tensor_release(&back[1]);
    return status;
}

static dp_status batch_hard(mining *m, const dp_tensor *labels)
{
    DP_CHECK(dp__loss_classes(&m->loss, labels, &m->classes));
    DP_CHECK(mine(m));
    const dp_tensor *const rows[3] = {m->x, m->rows[0], m->rows[1]};
    const bool wanted = m->loss.gradients != NULL;
    DP_CHECK(hinges_where(&m->loss, m->loss.params.soft ? &hinge_soft : &hinge_two, 1 / (double)m->loss.n,
                          rows, m->valid, wanted ? m->parts : NULL));
    return wanted ? gather_parts(m) : DP_OK;
}

dp_status dp_loss_batch_hard(dp_device *device, const dp_tensor *x, const dp_tensor *labels,
                             const dp_loss_params *params, dp_tensor **value, dp_tensor **gradient)
{
    const dp__rows_of rows[] = {{"x", x}};
    mining m = {.x = x};
    dp_status status = dp__loss_begin(&m.loss, device, "batch_hard", params, rows, 1, value, gradient);
    if (status == DP_OK)
        status = batch_hard(&m, labels);
    for (int k = 0; k < 2; k++) {
        dp_tensor_release(&m.index[k]);
        dp_tensor_release(&m.rows[k]);
    }
    for (int k = 0; k < 3; k++)
        dp_tensor_release(&m.parts[k]);
    dp_tensor_release(&m.valid);
    dp__loss_drop_classes(&m.classes);
    return dp__loss_end(&m.loss, status);
}
