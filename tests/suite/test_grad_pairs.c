/* SPDX-License-Identifier: Apache-2.0 */
/* Derivatives through sums over pairs on every device, beside differences of the reference. */
#include "grad_check.h"

#include <dipole/batch.h>
#include <dipole/loss.h>
#include <dipole/metric.h>
#include <string.h>

/* Values of x: [4, 2], y: [3, 2], q: [4], p: [3], s: [], w: [2], in batches with an axis of 2 in front of
 * what is indexed. */
enum { X = 1, Y = 2, Q = 4, P = 8, S = 16, W = 32, KINDS = 6 };
static const char *const names[KINDS] = {"x", "y", "q", "p", "s", "w"};

typedef enum cut { WHOLE, BATCH, RAGGED, HOLES, EQUAL, MASKED } cut;

typedef struct pair_case {
    const char *formula, *value; /* value: of a softmax */
    unsigned mode, kinds;
    cut cut;
    int order; /* the highest that there is */
    double step;
    int devices; /* the highest that is tried on devices whose kernels take time to build; the rules are the
                    same there */
} pair_case;

#define KERNEL "exp(-s * sqdist(x[i], y[j]))"

static const pair_case cases[] = {
    {KERNEL, NULL, DP_SUM_ALL, X | Y | S, WHOLE, 2, 0},
    {"q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + 0.5)", NULL, DP_SUM_ALL | DP_EXCLUDE_SELF, X | Q, WHOLE, 2, 0,
     2},
    {"q[i] * p[j] * " KERNEL, NULL, DP_MEAN_ALL, X | Y | Q | P | S, WHOLE, 2, 0},
    {"q[i] * " KERNEL, NULL, DP_SUM_J, X | Y | Q | S, WHOLE, 2, 0, 1},
    {"p[j] * sin(x[i] * w) * y[j]", NULL, DP_MEAN_J, X | Y | P | W, WHOLE, 2, 0},
    {"p[j] * cos(dot(x[i], y[j]) + dot(w, x[i]))", NULL, DP_MEAN_I, X | Y | P | W, WHOLE, 2, 0, 1},
    {"cos(dot(x[i], x[j])) * (x[i] - x[j])", NULL, DP_SUM_I | DP_EXCLUDE_SELF, X, WHOLE, 2, 0},
    {"x[i] * x[i] * q[j]", NULL, DP_SUM_ALL, X | Q, WHOLE, 2, 0},
    {"q[i] + p[j]", NULL, DP_MEAN_J, Q | P, WHOLE, 2, 0},
    {"dot(x[i], y[j]) * s", NULL, DP_LOGSUMEXP_J, X | Y | S, WHOLE, 2, 0, 1},
    {"t = x[i] * y[j]; t + q[i] * t", NULL, DP_LOGSUMEXP_I, X | Y | Q, WHOLE, 2, 0},
    {"dot(x[i], x[j])", NULL, DP_LOGSUMEXP_ALL | DP_EXCLUDE_SELF, X, WHOLE, 2, 0},
    {"dot(x[i], y[j]) * s", "q[i] * y[j]", DP_SUM_J, X | Y | Q | S, WHOLE, 2, 0},
    {"t = dot(x[i], y[j]); t * s", "t = p[j]; t * q[i]", DP_SUM_I, X | Y | Q | P | S, WHOLE, 2, 0},
    {"dot(x[i], y[j])", "p[j] * x[i]", DP_SUM_ALL, X | Y | P, WHOLE, 2, 0, 1},
    {"sqdist(x[i], y[j]) * q[i]", NULL, DP_MAX_J, X | Y | Q, WHOLE, 1, 1.0 / 1024},
    {"sqdist(x[i], y[j]) * s", NULL, DP_MIN_I, X | Y | S, WHOLE, 1, 1.0 / 1024},
    {"sqdist(x[i], y[j])", NULL, DP_MAX_ALL, X | Y, WHOLE, 1, 1.0 / 1024, 1},
    {"q[i] * " KERNEL, NULL, DP_SUM_ALL, X | Y | Q | S, BATCH, 2, 0},
    {"p[j] * x[i] * sin(x[i] * y[j])", NULL, DP_MEAN_J, X | Y | P, BATCH, 2, 0},
    {"p[j] * x[i] * sin(x[i] * y[j])", NULL, DP_MEAN_ALL, X | Y | P, BATCH, 2, 0},
    {"q[i] * " KERNEL, NULL, DP_MEAN_ALL, X | Y | Q | S, RAGGED, 2, 0, 1},
    {"p[j] * " KERNEL " * x[i]", NULL, DP_SUM_ALL, X | Y | P | S, HOLES, 2, 0},
    {"q[i] * cos(dot(x[i], x[j]))", NULL, DP_MEAN_I | DP_EXCLUDE_SELF, X | Q, EQUAL, 2, 0},
    {"q[i] * cos(dot(x[i], x[j]))", NULL, DP_MEAN_ALL | DP_EXCLUDE_SELF, X | Q, MASKED, 2, 0},
    {"x[i] * x[j]", NULL, DP_MEAN_J, X, MASKED, 2, 0},
};

static const int64_t ragged[2][3] = {{0, 1, 4}, {0, 2, 3}}, holes[2][4] = {{0, 1, 1, 4}, {0, 2, 3, 3}};

static dp_pair_options options_of(dp_device *device, const pair_case *c, dp_tensor **mask)
{
    dp_pair_options o = {0};
    *mask = NULL;
    o.batch = c->cut == BATCH;
    if (c->cut == RAGGED)
        o.problems = 2, o.offsets_i = ragged[0], o.offsets_j = ragged[1];
    if (c->cut == HOLES)
        o.problems = 3, o.offsets_i = holes[0], o.offsets_j = holes[1];
    if (c->cut == EQUAL)
        o.problems = 2;
    if (c->cut == MASKED) {
        o.tile = 32;
        o.mask = *mask = dp_full(device, DP_F32, DP_SHAPE(1, 1), 1);
    }
    return o;
}

static dp_tensor *value_of(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    const pair_case *c = context;
    dp_arg arg[KINDS];
    for (int kind = 0, k = 0; kind < KINDS; kind++)
        if (c->kinds >> kind & 1)
            arg[k] = (dp_arg){names[kind], x[k], 0}, k++;
    dp_tensor *mask, *y;
    const dp_pair_options options = options_of(device, c, &mask);
    if (c->value)
        y = dp_pairwise_softmax(device, c->formula, c->value, c->mode, (dp_args){arg, count});
    else
        y = dp_pairwise_with(device, c->formula, c->mode, (dp_args){arg, count},
                             c->cut == WHOLE ? NULL : &options);
    dp_tensor_release(&mask);
    return grad_number(device, y);
}

static void run_cases(dp_device *device, int order)
{
    const bool reference = !strcmp(dp_device_get_info(device).backend, "ref");
    for (size_t t = 0; t < sizeof cases / sizeof *cases; t++) {
        const pair_case *c = &cases[t];
        const int64_t b = c->cut == BATCH ? 2 : 1;
        dp_shape shapes[KINDS] = {DP_SHAPE(4, 2), DP_SHAPE(3, 2), DP_SHAPE(4),
                                  DP_SHAPE(3),    DP_SCALAR,      DP_SHAPE(2)};
        dp_shape used[KINDS];
        int count = 0;
        for (int kind = 0; kind < KINDS; kind++) {
            if (b > 1 && kind < 4) {
                for (int axis = shapes[kind].rank++; axis > 0; axis--)
                    shapes[kind].dim[axis] = shapes[kind].dim[axis - 1];
                shapes[kind].dim[0] = b;
            }
            if (c->kinds >> kind & 1)
                used[count++] = shapes[kind];
        }
        if (order <= (reference ? c->order : c->devices))
            grad_case(device, c->formula, value_of, (void *)c, used, count, order, c->step, 4);
    }
}

/* Calls that give derivatives are differentiated as well: what they return is of the first or second order
 * itself. */

static dp_tensor *both(dp_device *device, dp_tensor *a, dp_tensor *b)
{
    dp_tensor *sum = a && b ? dp_map(device, "a + b", DP_ARGS({"a", a, 0}, {"b", b, 0})) : NULL;
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    return sum;
}

static dp_tensor *many_value(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    dp_tensor *y[2] = {NULL, NULL};
    (void)count, (void)context;
    dp_pairwise_many(device,
                     "d = x[i] - y[j]; r = rsqrt(dot(d, d) + 0.5); r * q[i], norm_p(d * d + 1, 3) * d",
                     DP_SUM_J, DP_ARGS({"x", x[0], 0}, {"y", x[1], 0}, {"q", x[2], 0}), y, 2);
    return both(device, grad_number(device, y[0]), grad_number(device, y[1]));
}

/* context: the mode */
static dp_tensor *gradient_value(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    static const char *const wrt[] = {"x", "s"};
    dp_tensor *g[2] = {NULL, NULL}, *value = NULL;
    (void)count;
    dp_pairwise_gradient(device, "s * cos(dot(x[i], y[j]))", *(const unsigned *)context,
                         DP_ARGS({"x", x[0], 0}, {"y", x[1], 0}, {"s", x[3], 0}), x[2], wrt, 2, g, &value);
    return both(device, both(device, grad_number(device, g[0]), grad_number(device, g[1])),
                grad_number(device, value));
}

static dp_tensor *softmax_gradient_value(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    static const char *const wrt[] = {"x"};
    dp_tensor *g = NULL, *value = NULL;
    (void)count, (void)context;
    dp_pairwise_softmax_gradient(device, "s * dot(x[i], y[j])", "x[i][0] * y[j][1]", DP_SUM_J,
                                 DP_ARGS({"x", x[0], 0}, {"y", x[1], 0}, {"s", x[3], 0}), x[2], wrt, 1, &g,
                                 &value);
    return both(device, grad_number(device, g), grad_number(device, value));
}

static dp_tensor *hvp_value(dp_device *device, dp_tensor *const *x, int count, void *context)
{
    (void)count;
    return grad_number(device,
                       dp_pairwise_hvp(device, "cos(dot(x[i], x[j])) * y[j]", *(const unsigned *)context,
                                       DP_ARGS({"x", x[0], 0}, {"y", x[1], 0}), "x", x[2]));
}

static void derivatives(dp_device *device)
{
    static unsigned sums[] = {DP_SUM_J, DP_MEAN_J, DP_LOGSUMEXP_J},
                    means[] = {DP_SUM_J, DP_MEAN_I, DP_MEAN_ALL};
    const bool reference = !strcmp(dp_device_get_info(device).backend, "ref");
    const dp_shape shapes[] = {DP_SHAPE(4, 2), DP_SHAPE(3, 2), DP_SHAPE(4), DP_SCALAR};
    const dp_shape square[] = {DP_SHAPE(4, 2), DP_SHAPE(4, 2), DP_SHAPE(4, 2)};
    grad_case(device, "many", many_value, NULL, shapes, 3, 1, 0, 4);
    for (int order = 1; order <= 2 && reference; order++) {
        grad_case(device, "softmax gradient", softmax_gradient_value, NULL, shapes, 4, order, 0, 3);
        for (int k = 0; k < 3; k++) {
            grad_case(device, "gradient", gradient_value, &sums[k], shapes, 4, order, 0, 3);
            grad_case(device, "hvp", hvp_value, &means[k], square, 3, order, 0, 3);
        }
    }
}

static void first_order(dp_device *device)
{
    run_cases(device, 1);
}

static void second_order(dp_device *device)
{
    run_cases(device, 2);
}

static const suite_test tests[] = {
    {"first order", first_order},
    {"second order", second_order},
    {"calls that give derivatives", derivatives},
};

int main(void)
{
    return suite_run("grad_pairs", tests, sizeof tests / sizeof *tests);
}
