/* SPDX-License-Identifier: Apache-2.0 */
/* InfoNCE and its kin: log-sum-exps of scores against positives. With s_ij = similarity / tau, L_i = log
 * sum_j exp(s_ij) and K_j = log sum_i exp(s_ij), all gradients are sums over pairs with the weights exp(s_ij
 * - L_i) + exp(s_ij - K_j), at most 2: one formula, whose L or K is +infinity where it does not count. Rows
 * are not copied to make them unit vectors: 1 / their norms are factors of the scores, and the gradient is
 * projected at its end. */
#include "ops/loss.h"
#include <math.h>

#define SCORE   "s * ra[i] * dot(a[i], b[j]) * rb[j]"
#define CLASSES "select(l[i] == l[j], c[i] + c[j], 0)"

typedef struct contrast {
    dp__loss loss;
    double s;         /* 1 / tau */
    unsigned exclude; /* DP_EXCLUDE_SELF or 0 */
    const dp_tensor *a, *b;
    dp_tensor *ra, *rb;  /* 1 / norms */
    dp_tensor *la, *lb;  /* of rows a, of rows b */
    dp__classes classes; /* SupCon */
} contrast;

static dp_status begin(contrast *c, dp_device *device, const char *name, const dp_loss_params *params,
                       const dp__rows_of *rows, int count, dp_tensor **value, dp_tensor **gradients)
{
    DP_CHECK(dp__loss_begin(&c->loss, device, name, params, rows, count, value, gradients));
    c->s = 1 / c->loss.params.temperature;
    c->a = rows[0].tensor;
    c->b = rows[count - 1].tensor;
    DP_CHECK(dp__loss_inverse_norms(&c->loss, c->a, &c->ra));
    if (c->a != c->b)
        return dp__loss_inverse_norms(&c->loss, c->b, &c->rb);
    c->rb = dp_tensor_retain(c->ra);
    return DP_OK;
}

static dp_status end(contrast *c, dp_status status)
{
    dp_tensor_release(&c->ra);
    dp_tensor_release(&c->rb);
    dp_tensor_release(&c->la);
    dp_tensor_release(&c->lb);
    dp__loss_drop_classes(&c->classes);
    return dp__loss_end(&c->loss, status);
}

/* The same seen from the other side. */
static contrast exchanged(const contrast *c)
{
    contrast other = *c;
    other.a = c->b, other.b = c->a;
    other.ra = c->rb, other.rb = c->ra;
    other.la = c->lb, other.lb = c->la;
    return other;
}

static dp_status log_sums(const contrast *c, dp_tensor **total)
{
    const dp_arg args[] = {
        {"a", c->a, 0}, {"b", c->b, 0}, {"ra", c->ra, 0}, {"rb", c->rb, 0}, {.name = "s", .scalar = c->s}};
    *total = dp_pairwise(c->loss.device, SCORE, DP_LOGSUMEXP_J | c->exclude, (dp_args){args, 5});
    return dp__loss_made(&c->loss, *total);
}

static dp_status no_sums(const contrast *c, dp_tensor **total)
{
    *total = dp_full(c->loss.device, DP_F32, (dp_shape){1, {c->loss.n}}, (double)INFINITY);
    return dp__loss_made(&c->loss, *total);
}

/* k * sum_i ( L_i + w K_i - p s similarity(a_i, y_i) ). */
static dp_status value(const contrast *c, const dp_tensor *y, const dp_tensor *ry, double k, double w,
                       double p)
{
    const dp_arg args[] = {{"a", c->a, 0},
                           {"y", y, 0},
                           {"ra", c->ra, 0},
                           {"ry", ry, 0},
                           {"la", c->la, 0},
                           {"lb", w != 0 ? c->lb : c->la, 0},
                           {.name = "k", .scalar = k},
                           {.name = "w", .scalar = w},
                           {.name = "s", .scalar = p * c->s}};
    if (!c->loss.value)
        return DP_OK;
    return dp__rows(c->loss.device, "k * (la[i] + w * lb[i] - s * ra[i] * dot(a[i], y[i]) * ry[i])", true,
                    (dp_args){args, 9}, c->loss.value, 1);
}

/* sum_j weight_ij rb_j b_j: the gradient to row a_i made unit, over s. */
static dp_tensor *pull(const contrast *c)
{
    const dp_arg args[] = {{"a", c->a, 0},
                           {"b", c->b, 0},
                           {"ra", c->ra, 0},
                           {"rb", c->rb, 0},
                           {"la", c->la, 0},
                           {"lb", c->lb, 0},
                           {.name = "s", .scalar = c->s},
                           {"l", c->classes.id, 0},
                           {"c", c->classes.share, 0}};
    if (c->classes.id)
        return dp_pairwise(c->loss.device,
                           "f = " SCORE "; (exp(f - la[i]) + exp(f - lb[j]) - " CLASSES ") * rb[j] * b[j]",
                           DP_SUM_J | c->exclude, (dp_args){args, 9});
    return dp_pairwise(c->loss.device, "f = " SCORE "; (exp(f - la[i]) + exp(f - lb[j])) * rb[j] * b[j]",
                       DP_SUM_J | c->exclude, (dp_args){args, 7});
}

/* The gradient to a: k s ( pull - p * the positives, made unit ). */
static dp_status gradient(const contrast *c, const dp_tensor *y, const dp_tensor *ry, double k, double p,
                          dp_tensor **result)
{
    const dp__projection how = {.x = c->a, .r = c->ra, .y = y, .rp = ry, .c = p, .k = k * c->s};
    *result = pull(c);
    DP_CHECK(dp__loss_made(&c->loss, *result));
    return dp__loss_project(&c->loss, &how, *result);
}

/* InfoNCE. */

static dp_status infonce(contrast *c)
{
    const bool both = c->loss.params.symmetric;
    const double k = 1 / ((double)c->loss.n * (both ? 2 : 1)), p = both ? 2 : 1;
    DP_CHECK(log_sums(c, &c->la));
    if (both) {
        contrast other = exchanged(c);
        DP_CHECK(log_sums(&other, &c->lb));
    } else {
        DP_CHECK(no_sums(c, &c->lb));
    }
    DP_CHECK(value(c, c->b, c->rb, k, both, p));
    if (!c->loss.gradients)
        return DP_OK;
    const contrast other = exchanged(c);
    DP_CHECK(gradient(c, c->b, c->rb, k, p, &c->loss.gradients[0]));
    return gradient(&other, c->a, c->ra, k, p, &c->loss.gradients[1]);
}

dp_status dp_loss_infonce(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                          const dp_loss_params *params, dp_tensor **result, dp_tensor **gradients)
{
    contrast c = {0};
    const dp__rows_of rows[] = {{"a", a}, {"b", b}};
    dp_status status = begin(&c, device, "infonce", params, rows, 2, result, gradients);
    return end(&c, status == DP_OK ? infonce(&c) : status);
}

/* NT-Xent, SSCL: x on both sides, so that one pass gives the gradient of both. */

/* `y`, `ry`: the positives. */
static dp_status against_itself(contrast *c, const dp_tensor *y, const dp_tensor *ry)
{
    const double k = 1 / (double)c->loss.n;
    DP_CHECK(log_sums(c, &c->la));
    c->lb = dp_tensor_retain(c->la);
    DP_CHECK(value(c, y, ry, k, 0, 1));
    return c->loss.gradients ? gradient(c, y, ry, k, 2, &c->loss.gradients[0]) : DP_OK;
}

static dp_status ntxent(contrast *c)
{
    const int64_t n = c->loss.n;
    if (n % 2 != 0)
        return dp__fail(c->loss.device, DP_ERROR_ARGUMENT,
                        "ntxent: x has %lld rows: an even number is needed, two a pair", (long long)n);
    int32_t *partner = dp__alloc((size_t)n, sizeof(*partner));
    if (!partner)
        return dp__fail(c->loss.device, DP_ERROR_MEMORY, "ntxent: no memory for %lld partners", (long long)n);
    for (int64_t i = 0; i < n; i++)
        partner[i] = (int32_t)(i ^ 1);
    dp_tensor *index = dp_from(c->loss.device, DP_I32, (dp_shape){1, {n}}, partner);
    dp__free(partner);
    dp_tensor *y = index ? dp_gather_rows(c->loss.device, c->a, index) : NULL;
    dp_tensor *ry = y ? dp_gather_rows(c->loss.device, c->ra, index) : NULL;
    c->exclude = DP_EXCLUDE_SELF;
    const dp_status status = ry ? against_itself(c, y, ry) : dp_failed(c->loss.device);
    dp_tensor_release(&index);
    dp_tensor_release(&y);
    dp_tensor_release(&ry);
    return status;
}

dp_status dp_loss_ntxent(dp_device *device, const dp_tensor *x, const dp_loss_params *params,
                         dp_tensor **result, dp_tensor **gradient_x)
{
    contrast c = {0};
    const dp__rows_of rows[] = {{"x", x}};
    dp_status status = begin(&c, device, "ntxent", params, rows, 1, result, gradient_x);
    return end(&c, status == DP_OK ? ntxent(&c) : status);
}

dp_status dp_loss_sscl(dp_device *device, const dp_tensor *x, const dp_loss_params *params,
                       dp_tensor **result, dp_tensor **gradient_x)
{
    contrast c = {0};
    const dp__rows_of rows[] = {{"x", x}};
    dp_status status = begin(&c, device, "sscl", params, rows, 1, result, gradient_x);
    return end(&c, status == DP_OK ? against_itself(&c, c.a, c.ra) : status);
}

/* SupCon. */

/* L_i is +infinity for a row without positives: it takes no part. */
static dp_status supcon_sums(contrast *c)
{
    dp_tensor *all = NULL;
    DP_CHECK(log_sums(c, &all));
    const dp_arg args[] = {{"all", all, 0}, {"c", c->classes.share, 0}};
    c->la = dp_map(c->loss.device, "select(c > 0, all, inf)", (dp_args){args, 2});
    c->lb = dp_tensor_retain(c->la);
    dp_tensor_release(&all);
    return dp__loss_made(&c->loss, c->la);
}

static dp_status supcon_value(const contrast *c, double k)
{
    const dp_arg pairs[] = {{"a", c->a, 0},
                            {"b", c->b, 0},
                            {"ra", c->ra, 0},
                            {"rb", c->rb, 0},
                            {.name = "s", .scalar = c->s},
                            {"l", c->classes.id, 0}};
    dp_tensor *same = dp_pairwise(c->loss.device, "select(l[i] == l[j], " SCORE ", 0)", DP_SUM_J | c->exclude,
                                  (dp_args){pairs, 6});
    DP_CHECK(dp__loss_made(&c->loss, same));
    const dp_arg rows[] = {
        {"la", c->la, 0}, {"c", c->classes.share, 0}, {"same", same, 0}, {.name = "k", .scalar = k}};
    dp_tensor *terms = dp_map(c->loss.device, "select(c > 0, k * (la - c * same), 0)", (dp_args){rows, 4});
    if (terms)
        *c->loss.value = dp_reduce(c->loss.device, terms, DP_SUM, DP_ALL_AXES);
    dp_tensor_release(&terms);
    dp_tensor_release(&same);
    return dp__loss_made(&c->loss, *c->loss.value);
}

static dp_status supcon(contrast *c, const dp_tensor *labels)
{
    DP_CHECK(dp__loss_classes(&c->loss, labels, &c->classes));
    const double k = c->classes.paired > 0 ? 1 / (double)c->classes.paired : 0;
    c->exclude = DP_EXCLUDE_SELF;
    DP_CHECK(supcon_sums(c));
    if (c->loss.value)
        DP_CHECK(supcon_value(c, k));
    return c->loss.gradients ? gradient(c, c->a, c->ra, k, 0, &c->loss.gradients[0]) : DP_OK;
}

dp_status dp_loss_supcon(dp_device *device, const dp_tensor *x, const dp_tensor *labels,
                         const dp_loss_params *params, dp_tensor **result, dp_tensor **gradient_x)
{
    contrast c = {0};
    const dp__rows_of rows[] = {{"x", x}};
    dp_status status = begin(&c, device, "supcon", params, rows, 1, result, gradient_x);
    return end(&c, status == DP_OK ? supcon(&c, labels) : status);
}

/* MixCSE: mixtures as further negatives, t_ij their scores. */

#define MIXTURE                                                                                              \
    "m = w * rb[i] * b[i] + (1 - w) * rb[j] * b[j]; mm = dot(m, m); rm = select(mm > 0, rsqrt(mm), 0);"      \
    "t = s * ra[i] * dot(a[i], m) * rm; "

static dp_tensor *over_mixtures(const contrast *c, const char *formula, dp_reduction reduction)
{
    const dp_arg args[] = {{"a", c->a, 0},
                           {"b", c->b, 0},
                           {"ra", c->ra, 0},
                           {"rb", c->rb, 0},
                           {"la", c->la, 0},
                           {.name = "s", .scalar = c->s},
                           {.name = "w", .scalar = c->loss.params.mix}};
    return dp_pairwise(c->loss.device, formula, (unsigned)reduction | DP_OVER_J | DP_EXCLUDE_SELF,
                       (dp_args){args, 7});
}

static dp_status mixcse_sums(contrast *c)
{
    DP_CHECK(log_sums(c, &c->la));
    dp_tensor *mixed = over_mixtures(c, MIXTURE "t", DP_LOGSUMEXP);
    const dp_arg both[] = {{"a", c->la, 0}, {"b", mixed, 0}};
    dp_tensor *sum = !mixed ? NULL
                            : dp_map(c->loss.device, "m = max(a, b); m + log(exp(a - m) + exp(b - m))",
                                     (dp_args){both, 2});
    dp_tensor_release(&c->la);
    dp_tensor_release(&mixed);
    c->la = sum;
    return dp__loss_made(&c->loss, sum);
}

static dp_status mixcse_gradient_a(const contrast *c, double k, dp_tensor **result)
{
    const dp__projection how = {.x = c->a, .r = c->ra, .y = c->b, .rp = c->rb, .c = 1, .k = k * c->s};
    dp_tensor *mixed = NULL;
    dp_status status = dp__loss_made(&c->loss, *result = pull(c));
    if (status == DP_OK)
        status = dp__loss_made(&c->loss, mixed = over_mixtures(c, MIXTURE "exp(t - la[i]) * rm * m", DP_SUM));
    const dp_arg both[] = {{"a", *result, 0}, {"b", mixed, 0}};
    if (status == DP_OK)
        status = dp_map_into(c->loss.device, "a + b", (dp_args){both, 2}, result, 1);
    dp_tensor_release(&mixed);
    return status == DP_OK ? dp__loss_project(&c->loss, &how, *result) : status;
}

static dp_status mixcse(contrast *c)
{
    const double k = 1 / (double)c->loss.n;
    DP_CHECK(mixcse_sums(c));
    DP_CHECK(no_sums(c, &c->lb));
    DP_CHECK(value(c, c->b, c->rb, k, 0, 1));
    if (!c->loss.gradients)
        return DP_OK;
    const contrast other = exchanged(c);
    DP_CHECK(mixcse_gradient_a(c, k, &c->loss.gradients[0]));
    return gradient(&other, c->a, c->ra, k, 1, &c->loss.gradients[1]);
}

dp_status dp_loss_mixcse(dp_device *device, const dp_tensor *a, const dp_tensor *b,
                         const dp_loss_params *params, dp_tensor **result, dp_tensor **gradients)
{
    contrast c = {0};
    const dp__rows_of rows[] = {{"a", a}, {"b", b}};
    dp_loss_params cosine = params ? *params : (dp_loss_params){0};
    cosine.similarity = DP_COSINE;
    dp_status status = begin(&c, device, "mixcse", &cosine, rows, 2, result, gradients);
    return end(&c, status == DP_OK ? mixcse(&c) : status);
}
