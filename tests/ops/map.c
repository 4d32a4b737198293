/* SPDX-License-Identifier: Apache-2.0 */
/* Formulas element by element. f: the formula over the tensors x, y, z and the scalars a, b. x, y, z: their
 * shapes ([n] where not given), xl, yl, zl: their layouts, low, high, levels: their values. into=1: the
 * outputs are slices of larger tensors, whose other elements must stay. inplace=1: the first output is x. */
#include "ops.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { TENSORS = 3, SCALARS = 2, NAMES = TENSORS + SCALARS, MAX_OUTPUTS = 3 };
#define GUARD_VALUE 12345.0

static const char *const names[NAMES] = {"x", "y", "z", "a", "b"};
static const double scalars[SCALARS] = {0.3, -1.75};

typedef struct formula {
    const char *text;
    double low, high;
    bool levels;
    double (*unary)(double x); /* of x; else: */
    void (*value)(const double *v, double *out);
} formula;

typedef struct state {
    char text[128];
    const formula *known; /* NULL: no independent computation */
    dp_shape shape[TENSORS], full;
    dp_tensor *tensor[TENSORS];
    dp_arg arg[NAMES];
    dp_args args;
    dp_tensor *large[MAX_OUTPUTS], *part[MAX_OUTPUTS], *before[MAX_OUTPUTS], *after[MAX_OUTPUTS];
    int outputs;
    bool into, in_place;
} state;

/* ---- the formulas once more, in C ---- */

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

static double negative(double x)
{
    return -x;
}

static double rsqrt(double x)
{
    return 1 / sqrt(x);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double reciprocal(double x)
{
    return 1 / x;
}

static double square(double x)
{
    return x * x;
}

static double cube(double x)
{
    return x * x * x;
}

static double power_m2(double x)
{
    return 1 / (x * x);
}

static double power_7(double x)
{
    return pow(x, 7);
}

static double power_m32(double x)
{
    return 1 / (x * sqrt(x));
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double softplus(double x)
{
    return fmax(x, 0) + log(1 + exp(-fabs(x)));
}

static double clamped(double x)
{
    return fmin(fmax(x, -1), 2);
}

static double leaky(double x)
{
    return x > 0 ? x : 0.25 * x;
}

static double log_or_0(double x)
{
    return x > 0 ? log(x) : 0;
}

static double horner(double x)
{
    return ((x * 0.5 - 3) * x + 1.25) * x - 7;
}

static double overflow(double x)
{
    return x * 2e38;
}

static void plus(const double *v, double *out)
{
    out[0] = v[0] + v[1];
}

static void minus_product(const double *v, double *out)
{
    out[0] = v[0] * v[1] - v[2];
}

static void quotient(const double *v, double *out)
{
    out[0] = v[0] / v[1];
}

static void power(const double *v, double *out)
{
    out[0] = pow(v[0], v[1]);
}

static void least_largest(const double *v, double *out)
{
    out[0] = fmin(fmin(v[0], v[1]), v[2]) + fmax(v[0], v[1]);
}

static void comparisons(const double *v, double *out)
{
    out[0] = (v[0] < v[1]) + 2 * (v[0] <= v[1]) + 4 * (v[0] == v[1]) + 8 * (v[0] != v[1]) +
             16 * (v[0] > v[1]) + 32 * (v[0] >= v[1]);
}

static void logic(const double *v, double *out)
{
    out[0] = (v[0] > 0 && v[1] > 0) || !(v[2] > 0) ? v[0] : v[1];
}

static void scalars_only(const double *v, double *out)
{
    out[0] = v[3] * v[4];
}

static void affine(const double *v, double *out)
{
    out[0] = v[3] * v[0] + v[4];
}

static void swap(const double *v, double *out)
{
    out[0] = v[1];
    out[1] = v[0];
}

static void named(const double *v, double *out)
{
    const double s = v[0] + v[1], d = v[0] - v[1];
    out[0] = s * d * s;
}

static void adam(const double *v, double *out)
{
    out[0] = v[3] * v[0] + (1 - v[3]) * v[1];
    out[1] = 0.5 * v[2] * v[2] + 0.5 * v[1] * v[1];
    out[2] = out[0] * rsqrt(out[1] + 0x1p-10);
}

/* The first row of a text is where its function is looked up. */
static const formula formulas[] = {
    {"exp(x)", -20, 20, false, exp, NULL},
    {"exp(x)", -100, 100, false, exp, NULL},
    {"exp(x)", -0.001, 0.001, false, exp, NULL},
    {"log(x)", 1e-6, 100, false, log, NULL},
    {"log(x)", 0.5, 2, false, log, NULL},
    {"log(x)", -2, 2, true, log, NULL},
    {"sqrt(x)", 0, 100, false, sqrt, NULL},
    {"sqrt(x)", -2, 4, true, sqrt, NULL},
    {"rsqrt(x)", 1e-4, 100, false, rsqrt, NULL},
    {"sin(x)", -10, 10, false, sin, NULL},
    {"sin(x)", -30000, 30000, false, sin, NULL},
    {"cos(x)", -10, 10, false, cos, NULL},
    {"cos(x)", -30000, 30000, false, cos, NULL},
    {"tanh(x)", -12, 12, false, tanh, NULL},
    {"tanh(x)", -0.01, 0.01, false, tanh, NULL},
    {"tanh(x)", -100, 100, true, tanh, NULL},
    {"sigmoid(x)", -20, 20, false, sigmoid, NULL},
    {"sigmoid(x)", -100, 100, false, sigmoid, NULL},
    {"abs(x)", -3, 3, false, fabs, NULL},
    {"sign(x)", -3, 3, true, sign, NULL},
    {"floor(x)", -5, 5, false, floor, NULL},
    {"floor(x)", -3, 3, true, floor, NULL},
    {"-x", -3, 3, false, negative, NULL},
    {"1 / x", -1, 1, false, reciprocal, NULL},
    {"x^2", -30, 30, false, square, NULL},
    {"x^3", -30, 30, false, cube, NULL},
    {"x^-2", 0.01, 30, false, power_m2, NULL},
    {"x^7", -3, 3, false, power_7, NULL},
    {"x^0.5", 0, 30, false, sqrt, NULL},
    {"x^-1.5", 0.01, 30, false, power_m32, NULL},
    {"x * sigmoid(x)", -20, 20, false, silu, NULL},
    {"max(x, 0) + log(1 + exp(-abs(x)))", -40, 40, false, softplus, NULL},
    {"clamp(x, -1, 2)", -3, 3, false, clamped, NULL},
    {"select(x > 0, x, 0.25 * x)", -3, 3, false, leaky, NULL},
    {"select(x > 0, log(x), 0)", -3, 3, false, log_or_0, NULL},
    {"((x * 0.5 - 3) * x + 1.25) * x - 7", -8, 8, false, horner, NULL},
    {"x * 2e38", -5, 5, true, overflow, NULL},
    {"x + y", -1, 1, false, NULL, plus},
    {"x * y - z", -1, 1, false, NULL, minus_product},
    {"x / y", -1, 1, false, NULL, quotient},
    {"x / y", -2, 2, true, NULL, quotient},
    {"x^y", 0.01, 12, false, NULL, power},
    {"pow(x, y)", 0.5, 2, false, NULL, power},
    {"min(x, y, z) + max(x, y)", -4, 4, true, NULL, least_largest},
    {"(x < y) + 2 * (x <= y) + 4 * (x == y) + 8 * (x != y) + 16 * (x > y) + 32 * (x >= y)", -2, 2, true, NULL,
     comparisons},
    {"select(x > 0 and y > 0 or not z > 0, x, y)", -2, 2, true, NULL, logic},
    {"a * b", 0, 1, false, NULL, scalars_only},
    {"a * x + b", -9, 9, false, NULL, affine},
    {"s = x + y; d = x - y; s * d * s", -2, 2, false, NULL, named},
    {"y, x", -2, 2, false, NULL, swap},
    {"m = a * x + (1 - a) * y; v = 0.5 * z^2 + 0.5 * y^2; m, v, m * rsqrt(v + 0.0009765625)", -2, 2, false,
     NULL, adam},
};
enum { FORMULAS = sizeof formulas / sizeof *formulas };

/* ---- a case ---- */

/* Whether a name stands in a formula as a word. */
static bool uses(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
        const bool starts = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (starts && !isalnum((unsigned char)at[length]) && at[length] != '_')
            return true;
    }
    return false;
}

/* Commas outside of parentheses separate outputs. */
static int count_outputs(const char *text)
{
    int depth = 0, count = 1;
    for (; *text; text++) {
        depth += (*text == '(') - (*text == ')');
        count += *text == ',' && depth == 0;
    }
    return count;
}

static dp_shape broadcast_shape(dp_shape a, dp_shape b)
{
    dp_shape shape = a.rank > b.rank ? a : b;
    for (int k = 1; k <= shape.rank; k++) {
        const int64_t in_a = k <= a.rank ? a.dim[a.rank - k] : 1, in_b = k <= b.rank ? b.dim[b.rank - k] : 1;
        shape.dim[shape.rank - k] = in_a == 1 ? in_b : in_a;
    }
    return shape;
}

static void setup_inputs(ops_run *run)
{
    static const char *const layouts[TENSORS] = {"xl", "yl", "zl"};
    state *s = run->state;
    const ops_fill fill = {.kind = ops_int(run, "levels", 0) ? OPS_LEVELS : OPS_UNIFORM,
                           .low = ops_real(run, "low", -1),
                           .high = ops_real(run, "high", 1)};
    char layout[12];
    s->full = DP_SCALAR;
    s->args.arg = s->arg;
    for (int k = 0; k < NAMES; k++) {
        if (!uses(s->text, names[k]))
            continue;
        s->arg[s->args.count].name = names[k];
        if (k >= TENSORS) {
            s->arg[s->args.count++].scalar = scalars[k - TENSORS];
            continue;
        }
        s->shape[k] = ops_shape(run, names[k], DP_SHAPE(ops_int(run, "n", 1000)));
        ops_word(run, layouts[k], "", layout, sizeof layout);
        s->tensor[k] = ops_input(run, DP_F32, s->shape[k], layout, fill);
        s->arg[s->args.count++].tensor = s->tensor[k];
        s->full = broadcast_shape(s->full, s->shape[k]);
        run->bytes += 4.0 * (double)ops_size(s->shape[k]);
    }
}

static dp_tensor *last_axis(ops_run *run, dp_tensor *tensor, int64_t start, int64_t stop)
{
    return ops_keep(run, dp_slice(tensor, dp_tensor_shape(tensor).rank - 1, start, stop, 1));
}

static void setup(ops_run *run)
{
    state *s = run->state;
    ops_word(run, "f", "x", s->text, sizeof s->text);
    for (int k = FORMULAS - 1; k >= 0; k--)
        if (!strcmp(formulas[k].text, s->text))
            s->known = &formulas[k];
    setup_inputs(run);
    s->outputs = count_outputs(s->text);
    s->outputs = s->outputs < MAX_OUTPUTS ? s->outputs : MAX_OUTPUTS;
    s->into = ops_int(run, "into", 0) && s->full.rank > 0;
    s->in_place = ops_int(run, "inplace", 0);
    run->bytes += 4.0 * (double)ops_size(s->full) * s->outputs;
    for (int o = 0; o < s->outputs; o++) {
        dp_shape shape = s->full;
        const int64_t columns = s->into ? shape.dim[shape.rank - 1] : 0;
        if (s->into)
            shape.dim[shape.rank - 1] += 5;
        s->large[o] = ops_keep(run, dp_full(run->device, DP_F32, shape, GUARD_VALUE));
        s->part[o] = s->into ? last_axis(run, s->large[o], 2, columns + 2) : s->large[o];
        if (s->into) {
            s->before[o] = last_axis(run, s->large[o], 0, 2);
            s->after[o] = last_axis(run, s->large[o], columns + 2, columns + 5);
        }
    }
}

static void launch_into(ops_run *run)
{
    const state *s = run->state;
    dp_arg arg[NAMES];
    dp_tensor *outputs[MAX_OUTPUTS];
    memcpy(arg, s->arg, sizeof arg);
    run->results = s->into ? 3 * s->outputs : s->outputs;
    for (int o = 0; o < s->outputs; o++) {
        outputs[o] = s->part[o];
        run->result[o] =
            o == 0 && s->in_place ? dp_copy(run->device, s->tensor[0]) : dp_tensor_retain(s->part[o]);
        if (s->into) {
            run->result[s->outputs + 2 * o] = dp_tensor_retain(s->before[o]);
            run->result[s->outputs + 2 * o + 1] = dp_tensor_retain(s->after[o]);
        }
    }
    if (s->in_place)
        arg[0].tensor = outputs[0] = run->result[0];
    dp_map_into(run->device, s->text, (dp_args){arg, s->args.count}, outputs, s->outputs);
}

static void launch(ops_run *run)
{
    const state *s = run->state;
    if (s->outputs > 1 || s->into || s->in_place) {
        launch_into(run);
        return;
    }
    run->results = 1;
    run->result[0] = dp_map(run->device, s->text, s->args);
}

static void bound(ops_run *run)
{
    const state *s = run->state;
    for (int o = 0; o < s->outputs; o++)
        run->bound[o] = dp_map_bound(run->device, s->text, s->args, o);
}

static void expect(ops_run *run, int result, double *values)
{
    const state *s = run->state;
    const int64_t size = dp_tensor_size(run->result[result]);
    const float *data[TENSORS] = {NULL};
    for (int k = 0; k < TENSORS; k++)
        if (s->tensor[k])
            data[k] = ops_floats(run, s->tensor[k]);
    for (int64_t t = 0; t < size; t++) {
        double v[NAMES] = {0}, out[MAX_OUTPUTS] = {GUARD_VALUE};
        int64_t index[DP_MAX_RANK];
        ops_unravel(s->full, t, index);
        for (int k = 0; k < NAMES && result < s->outputs; k++)
            if (k >= TENSORS)
                v[k] = (double)(float)scalars[k - TENSORS];
            else if (data[k])
                v[k] = (double)data[k][ops_ravel_broadcast(s->shape[k], s->full, index)];
        if (result >= s->outputs)
            values[t] = GUARD_VALUE;
        else if (s->known->unary)
            values[t] = s->known->unary(v[0]);
        else {
            s->known->value(v, out);
            values[t] = out[result];
        }
    }
}

static void cases(ops_list *list)
{
    static const char adam_text[] =
        "m = a * x + (1 - a) * y; v = 0.5 * z^2 + 0.5 * y^2; m, v, m * rsqrt(v + 0.0009765625)";
    for (int k = 0; k < FORMULAS; k++) {
        const formula *f = &formulas[k];
        ops_add(list, false, "f=\"%s\" low=%g high=%g%s", f->text, f->low, f->high,
                f->levels ? " levels=1" : "");
    }
    static const char *const sizes[] = {"0",  "scalar", "1",   "2",   "63",    "64",
                                        "65", "255",    "256", "257", "100003"};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        ops_add(list, k == 2, "f=\"a * x + b\" x=%s", sizes[k]);
    ops_add(list, true, "f=\"x * y - z\" n=5");
    ops_add(list, true, "f=\"exp(x)\" n=7");
    ops_add(list, true, "f=\"y, x\" n=5 into=1");
    ops_add(list, false, "f=\"x + y\" x=33x17 y=17");
    ops_add(list, true, "f=\"x + y\" x=3x1 y=1x4");
    ops_add(list, false, "f=\"x + y\" x=7x1x9 y=5x1");
    ops_add(list, false, "f=\"x + y\" x=scalar y=100");
    ops_add(list, false, "f=\"x + y\" x=0x3 y=1x3");
    ops_add(list, false, "f=\"x * y - z\" x=31x1x33 y=1x29x1 z=33");
    ops_add(list, false, "f=\"x * y - z\" x=2x3x4x5x6x7 y=5x1x7 z=3x1x5x1x1");
    ops_add(list, false, "f=\"x * y - z\" x=2x1x3x1x2x1x3x2 y=1x3x1x2x1x2x1x2 z=scalar");
    ops_add(list, false, "f=\"x * y - z\" x=65x67 y=65x67 z=65x67 xl=t yl=step zl=rows");
    ops_add(list, false, "f=\"x * y - z\" x=9x10x11 y=9x10x11 z=10x11 xl=rev yl=chain zl=inner");
    ops_add(list, false, "f=\"x + y\" x=129x65 y=129x65 xl=offset yl=bcast into=1");
    ops_add(list, false, "f=\"a * x + b\" x=1000 into=1");
    ops_add(list, false, "f=\"a * x + b\" x=37x41 xl=t into=1");
    ops_add(list, false, "f=\"a * x + b\" x=5x0x3 into=1");
    ops_add(list, false, "f=\"a * x + b\" x=1001 inplace=1");
    ops_add(list, false, "f=\"x * y - z\" x=64x64 y=64 z=64x1 inplace=1");
    ops_add(list, false, "f=\"y, x\" x=257 y=257 inplace=1");
    ops_add(list, false, "f=\"%s\" n=1003 inplace=1", adam_text);
    ops_add(list, false, "f=\"%s\" n=129 into=1", adam_text);
    ops_add(list, false, "f=\"%s\" x=31x33 y=31x33 z=33 yl=t into=1", adam_text);
}

static void bench(ops_list *list)
{
    ops_add(list, false, "f=\"a * x + b\" n=1000000");
    ops_add(list, false, "f=\"x * y - z\" n=1000000");
    ops_add(list, false, "f=\"x * sigmoid(x)\" n=1000000");
}

const ops_op ops_map = {
    .name = "map",
    .keys = "f n x y z xl yl zl low high levels into inplace",
    .shape = "n",
    .state_size = sizeof(state),
    .cases = cases,
    .bench = bench,
    .setup = setup,
    .launch = launch,
    .bound = bound,
    .expect = expect,
};
