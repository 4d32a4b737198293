/* SPDX-License-Identifier: Apache-2.0 */
/* The metric and the losses of EIEG. Where only x moves, the pairs of x with itself and those with y take one pass each, of which
 * the second takes over the sums of the first. Else both sets are one, of points with a sign, and all pairs take one pass. */
#include "nn/eieg_formula.h"
#include "nn/given.h"
#include <dipole/pairwise.h>
#include <math.h>

/* One call: factors of S_xx, S_yy, S_xy and of the stabilisers of x and y. */
typedef struct eieg {
    dp_device *device;
    const char *name, *names[2]; /* of the call and its sets */
    const dp_tensor *set[2], *both; /* both: the sets as one, x before y; NULL: they are two */
    bool wanted[2];
    double rows[2];
    dp_eieg_params params;
    dp__eieg_kernel kernel;
    bool generator; /* its loss */
    bool measured;  /* the length comes from the points */
    dp_tensor *l2;  /* its square, where it does */
    double self[2], cross, stabiliser[2];
    dp_tensor *value, *gradient[2];
} eieg;

/* Checks. ------------------------------ */

static dp_status check_number(const eieg *e, const char *name, double value, double least, double most)
{
    if (value >= least && value <= most)
        return DP_OK;
    return dp__fail(e->device, DP_ERROR_ARGUMENT, "%s: %s is %g: %g to %g is allowed", e->name, name, value, least, most);
}

static dp_status check_sets(eieg *e)
{
    char text[DP_SHAPE_TEXT], other[DP_SHAPE_TEXT];
    for (int k = 0; k < 2; k++) {
        DP_CHECK(dp__check_dtype(e->device, e->set[k], e->names[k], DP_F32));
        const dp_shape *shape = &e->set[k]->shape;
        if (shape->rank < 1 || shape->rank > 2 || dp__shape_size(shape) < 1)
            return dp__fail(e->device, DP_ERROR_ARGUMENT,
                            "%s: %s has shape %s: [N, n] or [N] with a point at least is allowed", e->name, e->names[k],
                            dp__shape_text(shape, text));
        e->rows[k] = (double)shape->dim[0];
        e->wanted[k] = dp__recording(e->device, e->both ? &e->both : &e->set[k], 1);
    }
    const dp_shape *x = &e->set[0]->shape, *y = &e->set[1]->shape;
    if (x->rank != y->rank || (x->rank == 2 && x->dim[1] != y->dim[1]))
        return dp__fail(e->device, DP_ERROR_ARGUMENT, "%s: points of %s, %s, and of %s, %s, are not of one dimension",
                        e->name, e->names[0], dp__shape_text(x, text), e->names[1], dp__shape_text(y, other));
    return DP_OK;
}

static dp_status check_params(eieg *e)
{
    dp_eieg_params *p = &e->params;
    const double dims = e->set[0]->shape.rank == 2 ? (double)e->set[0]->shape.dim[1] : 1;
    p->s = p->s == 0 ? dims - 1 : p->s;
    p->eps = p->eps == 0 ? 0.1 : p->eps;
    p->eps_stab = p->eps_stab == 0 ? 0.8 : p->eps_stab;
    p->lambda = p->lambda == 0 ? 1 : p->lambda;
    p->attraction = p->attraction == 0 ? 1 : p->attraction;
    e->measured = p->scaled && p->length == 0 && p->s >= 1;
    p->length = !p->scaled || (p->length == 0 && p->s < 1) ? 1 : e->measured ? p->eps : p->length;
    DP_CHECK(check_number(e, "s", p->s, 0, 4096));
    DP_CHECK(check_number(e, "eps", p->eps, 1e-15, 1e15));
    DP_CHECK(check_number(e, "eps_stab", p->eps_stab, 1e-15, 1e15));
    DP_CHECK(check_number(e, "lambda", p->lambda, -1e15, 1e15));
    DP_CHECK(check_number(e, "attraction", p->attraction, 0, 1e15));
    DP_CHECK(check_number(e, "length", p->length, 1e-15, 1e15));
    if (p->eps_tensor) {
        DP_CHECK(dp__check_dtype(e->device, p->eps_tensor, "eps_tensor", DP_F32));
        if (dp_tensor_size(p->eps_tensor) != 1 || p->estimator == DP_ESTIMATOR_V_DIAGONAL)
            return dp__fail(e->device, DP_ERROR_ARGUMENT, "%s: eps_tensor has %lld elements%s: it must have one", e->name,
                            (long long)dp_tensor_size(p->eps_tensor),
                            p->estimator == DP_ESTIMATOR_V_DIAGONAL ? ", with DP_ESTIMATOR_V_DIAGONAL, which needs eps" : "");
    }
    if (e->measured && p->estimator == DP_ESTIMATOR_V_DIAGONAL)
        return dp__fail(e->device, DP_ERROR_ARGUMENT, "%s: length is 0, that is measured, with DP_ESTIMATOR_V_DIAGONAL: give one",
                        e->name);
    if ((unsigned)p->kernel > DP_EIEG_PLUMMER)
        return dp__fail(e->device, DP_ERROR_ARGUMENT, "%s: kernel is %d: it is one of dp_eieg_kernel", e->name,
                        (int)p->kernel);
    if ((unsigned)p->stabiliser > DP_EIEG_STABILISER_NONE)
        return dp__fail(e->device, DP_ERROR_ARGUMENT, "%s: stabiliser is %d: it is one of dp_eieg_stabiliser", e->name,
                        (int)p->stabiliser);
    if ((unsigned)p->estimator > DP_ESTIMATOR_U)
        return dp__fail(e->device, DP_ERROR_ARGUMENT, "%s: estimator is %d: it is one of dp_estimator", e->name,
                        (int)p->estimator);
    return DP_OK;
}

static dp_status check_range(eieg *e)
{
    const dp_eieg_params *p = &e->params;
    const bool stabilised = e->stabiliser[0] != 0 || e->stabiliser[1] != 0;
    e->kernel = (dp__eieg_kernel){p->kernel, stabilised ? p->stabiliser : DP_EIEG_STABILISER_NONE,
                                  p->s,      p->eps,
                                  p->eps_stab, p->length};
    const double largest = dp__eieg_largest(&e->kernel), range = 1e36;
    e->kernel.most = e->measured ? range / largest : 0;
    if (!(largest <= range))
        return dp__fail(e->device, DP_ERROR_ARGUMENT,
                        "%s: with s = %g, eps = %g, eps_stab = %g and a factor of %g^s the kernel leaves the range of "
                        "f32; `scaled`, with no length, helps",
                        e->name, p->s, p->eps, p->eps_stab, p->length);
    for (int k = 0; k < 2 && p->estimator == DP_ESTIMATOR_U; k++)
        if (e->self[k] != 0 && e->rows[k] < 2)
            return dp__fail(e->device, DP_ERROR_ARGUMENT, "%s: DP_ESTIMATOR_U needs two points at least, %s has one",
                            e->name, e->names[k]);
    return DP_OK;
}

/* Both sets are there and right; what each sum over pairs is multiplied by. */
static dp_status begin(eieg *e, const dp_tensor *x, const dp_tensor *y, const dp_eieg_params *params)
{
    DP_CHECK(dp__check_device(e->device));
    e->params = params ? *params : (dp_eieg_params){0};
    e->set[0] = x;
    e->set[1] = y;
    DP_CHECK(check_sets(e));
    DP_CHECK(check_params(e));
    if (e->params.stabiliser == DP_EIEG_STABILISER_NONE)
        e->stabiliser[0] = e->stabiliser[1] = 0;
    DP_CHECK(check_range(e));
    for (int k = 0; k < 2; k++) {
        const double n = e->rows[k], pairs = e->params.estimator == DP_ESTIMATOR_U ? n * (n - 1) : n * n;
        e->self[k] = e->self[k] == 0 ? 0 : e->self[k] / pairs;
        e->stabiliser[k] *= e->params.lambda / (n * n);
    }
    e->cross *= (e->generator ? e->params.attraction : 1) / (e->rows[0] * e->rows[1]);
    return DP_OK;
}

/* One pass over pairs. ------------------------------ */

enum { MOST_ARGS = DP__EIEG_SCALARS + 10 };

/* Runs `text` with the kernel's scalars behind the arguments given. */
static dp_status run(const eieg *e, dp__text *text, unsigned mode, const dp_arg *given, int count, dp_tensor **results,
                     int result_count)
{
    dp_arg args[MOST_ARGS];
    dp__text whole = {0};
    dp_tensor *eps = e->params.eps_tensor ? dp_reshape((dp_tensor *)e->params.eps_tensor, (dp_shape){0}) : NULL;
    for (int k = 0; k < count; k++)
        args[k] = given[k];
    dp__eieg_scalars(&e->kernel, args + count);
    if (eps) { /* what depends on it comes from the formula instead */
        args[count] = (dp_arg){"eps", eps, 0};
        args[count + 1].name = "unused";
    }
    if (e->l2) {
        args[count + 2].tensor = e->l2;
        args[count + 2].scalar = 0;
    }
    dp__text_add(&whole, "%s%s", eps ? "e2 = eps * eps; ie = 1 / eps;" : "", text->data ? text->data : "");
    dp_status status = DP_OK;
    if (text->failed || whole.failed)
        status = dp__fail(e->device, DP_ERROR_MEMORY, "%s: no memory for a formula", e->name);
    if (status == DP_OK)
        status = dp_pairwise_many(e->device, whole.data, mode, (dp_args){args, count + DP__EIEG_SCALARS}, results, result_count);
    dp_tensor_release(&eps);
    dp__text_free(&whole);
    dp__text_free(text);
    return status;
}

/* Sums over the pairs of x with y, or with x itself: fk k in results[0] and fw w (y - x) in results[1], or what of these is wanted,
 * with what is in `results` already added. */
static dp_status pass(const eieg *e, const dp_tensor *y, bool self, double fk, double fw, bool value, bool gradient,
                      dp_tensor **results)
{
    dp__text text = {0};
    dp_tensor *out[2] = {NULL, NULL};
    const bool carry = results[0] || results[1];
    const dp_arg args[] = {{"x", e->set[0], 0}, {"y", y, 0},
                           {"fk", NULL, fk},    {"fw", NULL, fw},
                           {"c", NULL, 1 / (double)y->shape.dim[0]},
                           {"p", results[0], 0}, {"g", results[1], 0}};
    /* Arguments that are there and not used are no trouble, but a tensor at NULL would be a scalar. */
    dp_arg list[7];
    int count = 0;
    for (int k = 0; k < 7; k++)
        if (k < 5 || args[k].tensor)
            list[count++] = args[k];
    dp__text_add(&text, self ? "t = sqdist(x[i], x[j]);" : "t = sqdist(x[i], y[j]);");
    dp__eieg_add_kernel(&text, &e->kernel);
    if (value)
        dp__text_add(&text, "fk * kk%s%s", carry ? " + c * p[i]" : "", gradient ? ", " : "");
    if (gradient)
        dp__text_add(&text, "fw * kw * (%s - x[i])%s", self ? "x[j]" : "y[j]", carry ? " + c * g[i]" : "");
    const dp_status status = run(e, &text, DP_SUM_J | (self ? DP_EXCLUDE_SELF : 0), list, count, out, value + gradient);
    dp_tensor_release(&results[0]);
    dp_tensor_release(&results[1]);
    results[0] = value ? out[0] : NULL;
    results[1] = gradient ? out[value] : NULL;
    return status;
}

static dp_status only_x_moves(eieg *e)
{
    dp_tensor *results[2] = {NULL, NULL};
    dp_status status = DP_OK;
    if (e->self[0] != 0)
        status = pass(e, e->set[0], true, e->self[0], 2 * e->self[0], true, e->wanted[0], results);
    if (status == DP_OK)
        status = pass(e, e->set[1], false, e->cross, e->cross, true, e->wanted[0], results);
    if (status == DP_OK)
        e->value = dp_reduce(e->device, results[0], DP_SUM, DP_ALL_AXES);
    e->gradient[0] = results[1];
    dp_tensor_release(&results[0]);
    return status == DP_OK ? dp__made(e->device, e->value) : status;
}

/* Both sets as one, and 1 or -1 for each point. */
static dp_status join(const eieg *e, dp_tensor **points, dp_tensor **signs)
{
    dp_shape shape = e->set[0]->shape;
    const int64_t n = shape.dim[0];
    shape.dim[0] += e->set[1]->shape.dim[0];
    *points = e->both ? dp_tensor_retain((dp_tensor *)e->both) : dp_empty(e->device, DP_F32, shape);
    *signs = dp_full(e->device, DP_F32, (dp_shape){1, {shape.dim[0]}}, 1);
    dp_status status = *points && *signs ? DP_OK : dp_failed(e->device);
    for (int k = 0; k < 2 && status == DP_OK && !e->both; k++) {
        const dp_arg args[] = {{"x", e->set[k], 0}};
        dp_tensor *part = dp_slice(*points, 0, k == 0 ? 0 : n, k == 0 ? n : shape.dim[0], 1);
        status = part ? dp_map_into(e->device, "x", (dp_args){args, 1}, &part, 1) : dp_failed(e->device);
        dp_tensor_release(&part);
    }
    if (status == DP_OK) {
        dp_tensor *part = dp_slice(*signs, 0, n, shape.dim[0], 1);
        status = part ? dp_fill(part, -1) : dp_failed(e->device);
        dp_tensor_release(&part);
    }
    return status;
}

/* L^2 such that L^s is 1 over the mean of r max(r, eps)^-(s + 2), the force between two points but for s, of the pairs that the call
 * sums. By way of its logarithm: it leaves the range of f32. */
static dp_status measure_length(eieg *e, const dp_tensor *points, const dp_tensor *signs)
{
    const double none = -1e30, n = e->rows[0], m = e->rows[1], s = e->params.s;
    const bool xx = e->self[0] != 0 || e->stabiliser[0] != 0, yy = e->self[1] != 0 || e->stabiliser[1] != 0;
    const double count = (xx ? n * (n - 1) : 0) + (yy ? m * (m - 1) : 0) + 2 * n * m;
    const dp_arg args[] = {{"z", points, 0}, {"c", signs, 0}, {"h", NULL, s / 2 + 1}, {"xx", NULL, xx ? 0 : none}, {"yy", NULL, yy ? 0 : none}};
    dp__text text = {0};
    dp_tensor *total = NULL;
    dp__text_add(&text, "t = sqdist(z[i], z[j]); select(c[i] * c[j] < 0, 0, select(c[i] > 0, xx, yy))"
                        " + select(t > 0, 0.5 * log(t) - h * log(max(t, e2)), -1e30)");
    DP_CHECK(run(e, &text, DP_LOGSUMEXP_ALL | DP_EXCLUDE_SELF, args, 5, &total, 1));
    e->l2 = dp_map(e->device, "exp(c * (m - total))",
                   DP_ARGS({"total", total}, {.name = "c", .scalar = 2 / s}, {.name = "m", .scalar = log(count)}));
    dp_tensor_release(&total);
    return dp__made(e->device, e->l2);
}

static dp_status all_pairs(const eieg *e, const dp_tensor *points, const dp_tensor *signs, dp_tensor **results)
{
    const bool gradient = e->wanted[0] || e->wanted[1], stabilised = e->kernel.stabiliser != DP_EIEG_STABILISER_NONE;
    const dp_arg args[] = {{"z", points, 0},
                           {"c", signs, 0},
                           {"xx", NULL, e->self[0]},
                           {"yy", NULL, e->self[1]},
                           {"xy", NULL, e->cross / 2}, /* (x, y) and (y, x) */
                           {"sx", NULL, e->stabiliser[0]},
                           {"sy", NULL, e->stabiliser[1]}};
    dp__text text = {0};
    dp__text_add(&text, "t = sqdist(z[i], z[j]);");
    dp__eieg_add_kernel(&text, &e->kernel);
    dp__text_add(&text, "both = c[i] * c[j]; f = select(both < 0, xy, select(c[i] > 0, xx, yy));");
    if (stabilised) {
        dp__eieg_add_stabiliser(&text, &e->kernel);
        dp__text_add(&text, "h = gs * select(both < 0, 0, select(c[i] > 0, sx, sy));");
    }
    dp__text_add(&text, stabilised ? "f * kk + h * sk" : "f * kk");
    if (gradient)
        dp__text_add(&text, stabilised ? ", 2 * (f * kw + h * sw) * (z[j] - z[i])" : ", 2 * f * kw * (z[j] - z[i])");
    return run(e, &text, DP_SUM_J | DP_EXCLUDE_SELF, args, 7, results, gradient ? 2 : 1);
}

static dp_status both_move(eieg *e)
{
    dp_tensor *points = NULL, *signs = NULL, *results[2] = {NULL, NULL};
    const int64_t n = e->set[0]->shape.dim[0], m = e->set[1]->shape.dim[0];
    dp_status status = join(e, &points, &signs);
    if (status == DP_OK && e->measured)
        status = measure_length(e, points, signs);
    if (status == DP_OK)
        status = all_pairs(e, points, signs, results);
    if (status == DP_OK) {
        e->value = dp_reduce(e->device, results[0], DP_SUM, DP_ALL_AXES);
        status = dp__made(e->device, e->value);
    }
    if (e->both && e->wanted[0])
        e->gradient[0] = dp_tensor_retain(results[1]);
    for (int k = 0; k < 2 && status == DP_OK && !e->both; k++)
        if (e->wanted[k]) {
            e->gradient[k] = dp_slice(results[1], 0, k == 0 ? 0 : n, k == 0 ? n : n + m, 1);
            status = dp__made(e->device, e->gradient[k]);
        }
    dp_tensor_release(&points);
    dp_tensor_release(&signs);
    dp_tensor_release(&e->l2);
    dp_tensor_release(&results[0]);
    dp_tensor_release(&results[1]);
    return status;
}

/* The pairs i = j, which only a value has, and are the same for all points. */
static dp_status add_diagonal(eieg *e)
{
    const double zero = dp__eieg_at_zero(&e->kernel);
    const dp_arg args[] = {{"x", e->value, 0},
                           {"c", NULL, zero * (e->self[0] * e->rows[0] + e->self[1] * e->rows[1])}};
    dp_tensor *value = dp_map(e->device, "x + c", (dp_args){args, 2});
    dp_tensor_release(&e->value);
    e->value = value;
    return dp__made(e->device, value);
}

static dp_tensor *compute(eieg *e, const dp_tensor *x, const dp_tensor *y, const dp_eieg_params *params)
{
    dp_status status = begin(e, x, y, params);
    dp__record_pause(e->device);
    if (status == DP_OK) {
        const bool fixed = e->self[1] == 0 && e->stabiliser[0] == 0 && e->stabiliser[1] == 0 && !e->wanted[1] && !e->measured;
        status = fixed ? only_x_moves(e) : both_move(e);
    }
    if (status == DP_OK && e->params.estimator == DP_ESTIMATOR_V_DIAGONAL)
        status = add_diagonal(e);
    dp__record_resume(e->device);
    if (status == DP_OK)
        return e->both ? dp__given(e->value, &e->both, e->gradient, 1) : dp__given(e->value, e->set, e->gradient, 2);
    dp_tensor_release(&e->value);
    dp_tensor_release(&e->gradient[0]);
    dp_tensor_release(&e->gradient[1]);
    return NULL;
}

dp_tensor *dp_eieg_metric(dp_device *device, const dp_tensor *x, const dp_tensor *y, const dp_eieg_params *params)
{
    eieg e = {.device = device, .name = "eieg_metric", .names = {"x", "y"}, .self = {1, 1}, .cross = -2};
    return compute(&e, x, y, params);
}

dp_tensor *dp_eieg_generator_loss(dp_device *device, const dp_tensor *g, const dp_tensor *r, const dp_eieg_params *params)
{
    eieg e = {.device = device, .name = "eieg_generator_loss", .names = {"g", "r"}, .cross = -2};
    e.generator = true;
    e.self[0] = params && params->no_self ? 0 : 1;
    return compute(&e, g, r, params);
}

dp_tensor *dp_eieg_discriminator_loss(dp_device *device, const dp_tensor *f, const dp_tensor *g,
                                      const dp_eieg_params *params)
{
    eieg e = {.device = device, .name = "eieg_discriminator_loss", .names = {"f", "g"}, .self = {-1, -1}, .cross = 2};
    e.stabiliser[0] = 1;
    e.stabiliser[1] = params && params->stabilise_generated ? 1 : 0;
    return compute(&e, f, g, params);
}

dp_tensor *dp_eieg_discriminator_loss_of(dp_device *device, const dp_tensor *features, int64_t real,
                                         const dp_eieg_params *params)
{
    eieg e = {.device = device, .name = "eieg_discriminator_loss_of", .names = {"f", "g"}, .both = features, .self = {-1, -1}, .cross = 2};
    e.stabiliser[0] = 1;
    e.stabiliser[1] = params && params->stabilise_generated ? 1 : 0;
    if (dp__check_device(device) != DP_OK || dp__check_dtype(device, features, "features", DP_F32) != DP_OK)
        return NULL;
    const int64_t rows = features->shape.rank > 0 ? features->shape.dim[0] : 0;
    if (real < 1 || real >= rows) {
        dp__fail(device, DP_ERROR_ARGUMENT, "%s: real is %lld of %lld rows: 1 to %lld is allowed", e.name, (long long)real,
                 (long long)rows, (long long)rows - 1);
        return NULL;
    }
    dp__record_pause(device);
    dp_tensor *f = dp_slice((dp_tensor *)features, 0, 0, real, 1), *g = dp_slice((dp_tensor *)features, 0, real, rows, 1);
    dp__record_resume(device);
    dp_tensor *loss = f && g ? compute(&e, f, g, params) : NULL;
    dp_tensor_release(&f);
    dp_tensor_release(&g);
    return loss;
}

dp_tensor *dp_eieg_flow_velocity(dp_device *device, const dp_tensor *x, const dp_tensor *y, double s, double eps,
                                 double attraction, double repulsion)
{
    eieg e = {.device = device, .name = "eieg_flow_velocity", .names = {"x", "y"}};
    const dp_eieg_params params = {.s = s, .eps = eps};
    dp_tensor *results[2] = {NULL, NULL};
    dp_status status = begin(&e, x, y, &params);
    if (status == DP_OK)
        status = check_number(&e, "attraction", attraction, -1e30, 1e30);
    if (status == DP_OK)
        status = check_number(&e, "repulsion", repulsion, -1e30, 1e30);
    dp__record_pause(device);
    if (status == DP_OK && repulsion != 0)
        status = pass(&e, x, true, 0, -repulsion / e.rows[0], false, true, results);
    if (status == DP_OK)
        status = pass(&e, y, false, 0, attraction / e.rows[1], false, true, results);
    dp__record_resume(device);
    if (status != DP_OK)
        dp_tensor_release(&results[1]);
    return results[1];
}

/* Of all points as one set, as no pair i = j may count; those of x are kept. */
static dp_tensor *softmax_of_pairs(const eieg *e, double attraction, double repulsion)
{
    const double none = -1e30; /* the logarithm of a weight of 0 */
    dp_tensor *points = NULL, *signs = NULL, *all = NULL;
    const dp_eieg_params *p = &e->params;
    if (join(e, &points, &signs) == DP_OK)
        all = dp_pairwise_softmax(
            e->device, "select(c[j] > 0, lr, la) - h * log(max(sqdist(z[i], z[j]), e2))", "c[j] * (z[i] - z[j])", DP_SUM_J | DP_EXCLUDE_SELF,
            DP_ARGS({"z", points}, {"c", signs}, {.name = "h", .scalar = p->s / 2 + 1}, {.name = "e2", .scalar = p->eps * p->eps},
                    {.name = "la", .scalar = attraction > 0 ? log(attraction / e->rows[1]) : none},
                    {.name = "lr", .scalar = repulsion > 0 ? log(repulsion / e->rows[0]) : none}));
    dp_tensor *direction = all ? dp_slice(all, 0, 0, e->set[0]->shape.dim[0], 1) : NULL;
    dp_tensor_release(&points);
    dp_tensor_release(&signs);
    dp_tensor_release(&all);
    return direction;
}

dp_tensor *dp_eieg_flow_direction(dp_device *device, const dp_tensor *x, const dp_tensor *y, double s, double eps,
                                  double attraction, double repulsion)
{
    eieg e = {.device = device, .name = "eieg_flow_direction", .names = {"x", "y"}};
    const dp_eieg_params params = {.s = s, .eps = eps, .scaled = true};
    if (begin(&e, x, y, &params) != DP_OK || check_number(&e, "attraction", attraction, 0, 1e30) != DP_OK ||
        check_number(&e, "repulsion", repulsion, 0, 1e30) != DP_OK)
        return NULL;
    dp__record_pause(device);
    dp_tensor *direction = softmax_of_pairs(&e, attraction, repulsion);
    dp__record_resume(device);
    return direction;
}
