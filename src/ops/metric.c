/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of two sets: three sums over pairs, each with its gradients from one call, added with their factors. */
#include "core/record.h"
#include "ops/call.h"
#include <dipole/metric.h>
#include <dipole/pairwise.h>
#include <ctype.h>
#include <string.h>

enum { POINTS_X, POINTS_Y, WEIGHTS_X, WEIGHTS_Y, KINDS };
enum { PART_XX, PART_YY, PART_XY, PARTS };

/* The arguments' names; those of the weights are unlikely to be in a formula, and an error where they are. */
static const char *const names[KINDS] = {"x", "y", "x_weights", "y_weights"};

/* Of each part, which of them stand on the side of i and of j. */
static const int sides[PARTS][2] = {{POINTS_X, POINTS_X}, {POINTS_Y, POINTS_Y}, {POINTS_X, POINTS_Y}};

typedef struct metric {
    dp_device *device;
    const dp_metric_params *params;
    const dp_tensor *tensor[KINDS]; /* NULL: no weights */
    double factor[PARTS];
    bool wanted[KINDS];
    dp_potential_call call;
    dp_tensor *value, *gradient[KINDS]; /* what was added up so far */
} metric;

static int64_t rows(const dp_tensor *tensor)
{
    return tensor && tensor->shape.rank > 0 ? tensor->shape.dim[0] : 0;
}

static dp_status check_points(metric *m, int kind, const dp_tensor *tensor)
{
    char text[DP_SHAPE_TEXT];
    DP_CHECK(dp__check_dtype(m->device, tensor, names[kind], DP_F32));
    if (tensor->shape.rank < 1 || tensor->shape.rank > 2 || rows(tensor) < 1)
        return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: %s has shape %s: [n] or [n, d] with a point at least is allowed",
                        names[kind], dp__shape_text(&tensor->shape, text));
    return DP_OK;
}

static dp_status check_dimensions(metric *m, const dp_tensor *x, const dp_tensor *y)
{
    char tx[DP_SHAPE_TEXT], ty[DP_SHAPE_TEXT];
    if (x->shape.rank != y->shape.rank || (x->shape.rank == 2 && x->shape.dim[1] != y->shape.dim[1]))
        return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: points of %s and of %s are not of one dimension",
                        dp__shape_text(&x->shape, tx), dp__shape_text(&y->shape, ty));
    return DP_OK;
}

static dp_status check_weights(metric *m, int kind, const dp_tensor *tensor)
{
    char text[DP_SHAPE_TEXT];
    if (!tensor)
        return m->wanted[kind] ? dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: the gradient to %s is wanted, which is NULL",
                                          names[kind])
                               : DP_OK;
    DP_CHECK(dp__check_dtype(m->device, tensor, names[kind], DP_F32));
    const int64_t expected = rows(m->tensor[kind - WEIGHTS_X]);
    if (tensor->shape.rank != 1 || rows(tensor) != expected)
        return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: %s has shape %s, not [%lld]", names[kind],
                        dp__shape_text(&tensor->shape, text), (long long)expected);
    if (m->params->estimator == DP_ESTIMATOR_U)
        return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: %s with DP_ESTIMATOR_U: weighted sums are V-statistics",
                        names[kind]);
    return DP_OK;
}

static dp_status check_estimator(metric *m)
{
    const dp_estimator estimator = m->params->estimator;
    if ((unsigned)estimator > DP_ESTIMATOR_U)
        return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: estimator %d is not one of dp_estimator", (int)estimator);
    for (int part = PART_XX; part <= PART_YY && estimator == DP_ESTIMATOR_U; part++)
        if (m->factor[part] != 0 && rows(m->tensor[sides[part][0]]) < 2)
            return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: DP_ESTIMATOR_U needs two points at least, %s has one",
                            names[sides[part][0]]);
    return DP_OK;
}

static dp_status check(metric *m, const dp_tensor *x, const dp_tensor *y, unsigned wanted, bool can_give)
{
    const dp_metric_params *p = m->params;
    if (wanted & ~15u || (wanted && !can_give))
        return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: wanted is 0x%x%s", wanted,
                        can_give ? ": it is DP_METRIC_X, ... or'ed" : " with gradients at NULL");
    for (int kind = 0; kind < KINDS; kind++)
        m->wanted[kind] = wanted >> kind & 1;
    const bool plain = p->xx == 0 && p->yy == 0 && p->xy == 0;
    m->factor[PART_XX] = plain ? 1 : p->xx;
    m->factor[PART_YY] = plain ? 1 : p->yy;
    m->factor[PART_XY] = plain ? -2 : p->xy;
    m->tensor[POINTS_X] = x;
    m->tensor[POINTS_Y] = y;
    DP_CHECK(check_points(m, POINTS_X, x));
    if (y || m->factor[PART_YY] != 0 || m->factor[PART_XY] != 0 || m->wanted[POINTS_Y]) {
        DP_CHECK(check_points(m, POINTS_Y, y));
        DP_CHECK(check_dimensions(m, x, y));
    }
    DP_CHECK(check_weights(m, WEIGHTS_X, m->tensor[WEIGHTS_X] = p->x_weights));
    DP_CHECK(check_weights(m, WEIGHTS_Y, m->tensor[WEIGHTS_Y] = p->y_weights));
    for (int a = 0; a < m->call.args.count; a++)
        for (int kind = 0; kind < KINDS; kind++)
            if (strcmp(m->call.args.arg[a].name, names[kind]) == 0)
                return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: \"%s\" is among args; it is an argument of its own",
                                names[kind]);
    return check_estimator(m);
}

/* The formula with x for y or y for x where a part is of one set; words are letters, digits and what numbers have. */
static void add_renamed(dp__text *text, const char *formula, size_t length, int part)
{
    const char from = part == PART_XX ? 'y' : 'x', to = part == PART_XX ? 'x' : 'y';
    for (size_t at = 0; at < length;) {
        size_t word = 0;
        while (at + word < length &&
               (isalnum((unsigned char)formula[at + word]) || formula[at + word] == '_' || formula[at + word] == '.'))
            word++;
        if (word == 1 && formula[at] == from && part != PART_XY)
            dp__text_add_range(text, &to, 1);
        else
            dp__text_add_range(text, formula + at, word ? word : 1);
        at += word ? word : 1;
    }
}

/* "a = ...; k" becomes "a = ...; x_weights[i] * y_weights[j] * (k)". */
static void write_formula(const metric *m, int part, dp__text *text)
{
    const char *formula = m->call.formula, *last = strrchr(formula, ';');
    const size_t definitions = last ? (size_t)(last + 1 - formula) : 0;
    add_renamed(text, formula, definitions, part);
    dp__text_add(text, " ");
    for (int side = 0; side < 2; side++)
        if (m->tensor[WEIGHTS_X + sides[part][side]])
            dp__text_add(text, "%s[%c] * ", names[WEIGHTS_X + sides[part][side]], side == 0 ? 'i' : 'j');
    dp__text_add(text, "(");
    add_renamed(text, formula + definitions, strlen(formula + definitions), part);
    dp__text_add(text, ")");
}

/* The names of the part, as arguments behind the potential's, and those that a gradient is wanted to. */
static dp_status list_arguments(metric *m, int part, dp_arg args[DP_MAX_ARGS], int *arg_count, int kinds[KINDS],
                                int *kind_count)
{
    *arg_count = m->call.args.count;
    *kind_count = 0;
    memcpy(args, m->call.args.arg, (size_t)*arg_count * sizeof(*args));
    for (int kind = 0; kind < KINDS; kind++) {
        const int set = kind % WEIGHTS_X;
        if (!m->tensor[kind] || (set != sides[part][0] && set != sides[part][1]))
            continue;
        if (*arg_count == DP_MAX_ARGS)
            return dp__fail(m->device, DP_ERROR_ARGUMENT, "metric: more than %d arguments with the points and weights",
                            DP_MAX_ARGS);
        args[(*arg_count)++] = (dp_arg){names[kind], m->tensor[kind], 0};
        if (m->wanted[kind])
            kinds[(*kind_count)++] = kind;
    }
    return DP_OK;
}

/* What a part's sum is multiplied by. */
static double scale(const metric *m, int part)
{
    double result = m->factor[part];
    for (int side = 0; side < 2; side++) {
        const int set = sides[part][side];
        const double n = (double)rows(m->tensor[set]);
        if (!m->tensor[WEIGHTS_X + set])
            result /= m->params->estimator == DP_ESTIMATOR_U && part != PART_XY && side == 1 ? n - 1 : n;
    }
    return result;
}

/* *sum + factor * part, where *sum may be nothing yet. Takes the part over. */
static dp_status add(metric *m, dp_tensor **sum, dp_tensor *part, double factor)
{
    const dp_arg args[] = {{"part", part, 0}, {"factor", NULL, factor}, {"total", *sum, 0}};
    dp_tensor *both = dp_map(m->device, *sum ? "total + factor * part" : "factor * part", (dp_args){args, *sum ? 3 : 2});
    dp_tensor_release(&part);
    dp_tensor_release(sum);
    *sum = both;
    return both ? DP_OK : dp_failed(m->device);
}

static dp_status compute_part(metric *m, int part)
{
    dp_arg args[DP_MAX_ARGS];
    int arg_count, kinds[KINDS], kind_count;
    const char *wrt[KINDS];
    dp_tensor *gradients[KINDS] = {NULL}, *value = NULL;
    dp__text text = {0};
    DP_CHECK(list_arguments(m, part, args, &arg_count, kinds, &kind_count));
    for (int k = 0; k < kind_count; k++)
        wrt[k] = names[kinds[k]];
    write_formula(m, part, &text);
    if (text.failed)
        return dp__fail(m->device, DP_ERROR_MEMORY, "no memory for a formula");
    const bool exclude = part != PART_XY && m->params->estimator != DP_ESTIMATOR_V_DIAGONAL;
    dp_status status = dp_pairwise_gradient(m->device, text.data, DP_SUM_ALL | (exclude ? DP_EXCLUDE_SELF : 0),
                                            (dp_args){args, arg_count}, NULL, wrt, kind_count, gradients, &value);
    dp__text_free(&text);
    if (status == DP_OK && value->shape.rank > 0)
        status = dp__fail(m->device, DP_ERROR_FORMULA, "metric: the potential gives a vector; it must be a number");
    if (status == DP_OK) {
        status = add(m, &m->value, value, scale(m, part));
        value = NULL;
    }
    dp__record_pause(m->device); /* the value alone is recorded */
    for (int k = 0; k < kind_count && status == DP_OK; k++) {
        status = add(m, &m->gradient[kinds[k]], gradients[k], scale(m, part));
        gradients[k] = NULL;
    }
    dp__record_resume(m->device);
    dp_tensor_release(&value);
    for (int k = 0; k < kind_count; k++)
        dp_tensor_release(&gradients[k]);
    return status;
}

static dp_status compute(metric *m)
{
    for (int part = 0; part < PARTS; part++)
        if (m->factor[part] != 0)
            DP_CHECK(compute_part(m, part));
    for (int kind = 0; kind < KINDS; kind++) {
        if (!m->wanted[kind] || m->gradient[kind])
            continue;
        m->gradient[kind] = dp_full(m->device, DP_F32, m->tensor[kind]->shape, 0);
        if (!m->gradient[kind])
            return dp_failed(m->device);
    }
    return DP_OK;
}

dp_tensor *dp_metric(dp_device *device, const dp_tensor *x, const dp_tensor *y, const dp_metric_params *params,
                     unsigned wanted, dp_metric_gradients *gradients)
{
    metric m = {.device = device, .params = params};
    dp_status status = dp__check_device(device);
    if (gradients)
        *gradients = (dp_metric_gradients){0};
    if (status == DP_OK && !params)
        status = dp__fail(device, DP_ERROR_ARGUMENT, "metric: params is NULL");
    if (status == DP_OK)
        status = dp_potential_prepare(device, params->potential, params->args, &m.call);
    if (status == DP_OK)
        status = check(&m, x, y, wanted, gradients != NULL);
    if (status == DP_OK)
        status = compute(&m);
    if (status == DP_OK && gradients)
        *gradients = (dp_metric_gradients){m.gradient[POINTS_X], m.gradient[POINTS_Y], m.gradient[WEIGHTS_X],
                                           m.gradient[WEIGHTS_Y]};
    if (status == DP_OK)
        return m.value;
    dp_tensor_release(&m.value);
    for (int kind = 0; kind < KINDS; kind++)
        dp_tensor_release(&m.gradient[kind]);
    return NULL;
}
