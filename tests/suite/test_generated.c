/* SPDX-License-Identifier: Apache-2.0 */
/* Random formulas on every device: values and gradients against the reference, within the bound that follows
 * from each formula; for a gradient, from the formula that is printed of it. A group of formulas is one
 * kernel with several outputs for the values, and their sum is one formula for the gradients; where that
 * fails, each is run alone to name the guilty one. */
#include "suite.h"

#include "expr/expr.h"
#include "formula_generator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define GROUPS   5
#define GROUP    8 /* formulas */
#define N        33
#define M        21
#define MAX_DIM  3
#define ROUNDOFF 0x1p-24

static const char *const names[GENERATED_NAMES] = {"x", "y", "q", "p", "w", "eps"};
static const dp__side sides[GENERATED_NAMES] = {DP__SIDE_I, DP__SIDE_J,    DP__SIDE_I,
                                                DP__SIDE_J, DP__SIDE_CALL, DP__SIDE_CALL};

typedef struct group {
    int dim, number[GROUP];
    generated formula[GROUP];
} group;

typedef struct inputs {
    dp_tensor *tensor[GENERATED_NAMES];
    dp_arg arg[GENERATED_NAMES];
    dp_args args;
} inputs;

static bool is_vector(int name)
{
    return name == GENERATED_X || name == GENERATED_Y || name == GENERATED_W;
}

static void open_inputs(inputs *in, dp_device *device, int dim)
{
    const dp_shape shapes[GENERATED_NAMES] = {DP_SHAPE(N, dim), DP_SHAPE(M, dim), DP_SHAPE(N), DP_SHAPE(M),
                                              DP_SHAPE(dim)};
    for (int s = 0; s < GENERATED_NAMES; s++) {
        in->tensor[s] = s == GENERATED_EPS ? NULL : dp_uniform(device, 40 + (uint64_t)s, shapes[s], -1, 1);
        in->arg[s] = (dp_arg){names[s], in->tensor[s], 0.4375};
    }
    in->args = (dp_args){in->arg, GENERATED_NAMES};
}

static void close_inputs(inputs *in)
{
    for (int s = 0; s < GENERATED_NAMES; s++)
        dp_tensor_release(&in->tensor[s]);
}

/* The formulas of the group from `first` on, by commas, or their sum with vectors summed up. */
static void write_text(const group *g, int first, int count, bool sum, dp__text *text)
{
    for (int k = first; k < first + count; k++)
        dp__text_add(text, "%s", g->formula[k].definitions);
    for (int k = first; k < first + count; k++) {
        dp__text_add(text, "%s", k > first ? (sum ? " + " : ", ") : "");
        dp__text_add(text,
                     sum && g->formula[k].vector ? "sum(%s)"
                     : sum                       ? "(%s)"
                                                 : "%s",
                     g->formula[k].expression);
    }
    assert_false(text->failed);
}

/* How many elements were compared, and how many of them closely. */
typedef struct tally {
    long compared, close;
} tally;

/* Whether all elements are within their bounds; says which is not. `wanted` and `bound` are released. */
static bool within(const dp_tensor *found, dp_tensor *wanted, dp_tensor *bound, const char *what, tally *t)
{
    float a[N * MAX_DIM], b[N * MAX_DIM], e[N * MAX_DIM];
    const size_t size = (size_t)dp_tensor_size(wanted);
    bool good = size <= N * MAX_DIM && (size_t)dp_tensor_size(found) == size &&
                (size_t)dp_tensor_size(bound) == size && dp_read(found, a, size * sizeof *a) == DP_OK &&
                dp_read(wanted, b, size * sizeof *b) == DP_OK && dp_read(bound, e, size * sizeof *e) == DP_OK;
    if (!good)
        print_error("%s: no results, or of another size\n", what);
    for (size_t k = 0; good && k < size; k++) {
        const double allowed = (double)e[k] + ROUNDOFF * fabs((double)b[k]);
        t->compared++;
        t->close += allowed <= 1e-4 * (1 + fabs((double)b[k]));
        good = isinf(e[k]) || fabs((double)a[k] - (double)b[k]) <= allowed;
        if (!good)
            print_error("%s, element %zu: %.9g, reference %.9g, bound %.3g\n", what, k, (double)a[k],
                        (double)b[k], allowed);
    }
    dp_tensor_release(&wanted);
    dp_tensor_release(&bound);
    return good;
}

static void complain(const group *g, const char *text)
{
    print_error("seed %d, formulas %d ..., d = %d: %s\n", GENERATED_SEED, g->number[0], g->dim, text);
}

static void check_values(dp_device *device, dp_device *reference, const group *g, tally *t)
{
    inputs here, there;
    dp_tensor *results[GROUP];
    dp__text all = {0};
    open_inputs(&here, device, g->dim);
    open_inputs(&there, reference, g->dim);
    write_text(g, 0, GROUP, false, &all);
    if (dp_pairwise_many(device, all.data, DP_SUM_J, here.args, results, GROUP) != DP_OK) {
        complain(g, all.data);
        fail_msg("%s", dp_message(device));
    }
    for (int k = 0; k < GROUP; k++) {
        dp__text one = {0};
        write_text(g, k, 1, false, &one);
        if (!within(results[k], dp_pairwise(reference, one.data, DP_SUM_J, there.args),
                    dp_pairwise_bound(reference, one.data, DP_SUM_J, there.args), "the sum over j", t)) {
            complain(g, one.data);
            fail_msg("formula %d: %s", g->number[k], dp_message(reference));
        }
        dp__text_free(&one);
        dp_tensor_release(&results[k]);
    }
    dp__text_free(&all);
    close_inputs(&here);
    close_inputs(&there);
}

/* The gradient to a name as a formula, with nothing added that names both sides: a call needs them. */
static char *print_gradient(const group *g, const char *text, int name)
{
    dp__symbol symbols[GENERATED_NAMES];
    dp__text printed = {0};
    char message[512];
    dp__expr *expr = NULL;
    for (int s = 0; s < GENERATED_NAMES; s++) {
        const int dim = is_vector(s) ? g->dim : 0;
        const bool call = sides[s] == DP__SIDE_CALL;
        symbols[s] = (dp__symbol){names[s], call ? DP__NO_FORM : dim, call ? dim : DP__NO_FORM};
    }
    const dp__indexed target = {name, sides[name], is_vector(name) ? g->dim : 0};
    if (dp__expr_parse(text, symbols, GENERATED_NAMES, &expr, message, sizeof message) != DP_OK)
        fail_msg("%s", message);
    dp__expr *raw =
        dp__expr_differentiate(expr, &(dp__differentiation){.targets = &target, .target_count = 1});
    dp__expr *simple = raw ? dp__expr_simplify(raw) : NULL;
    assert_non_null(simple);
    dp__expr_print(simple, symbols, &printed);
    dp__expr_free(&simple);
    dp__expr_free(&raw);
    dp__expr_free(&expr);
    char *last = strrchr(printed.data, ';');
    dp__text both = {0};
    const int definitions = last ? (int)(last + 1 - printed.data) : 0;
    dp__text_add(&both, "%.*s (%s) + 0 * (q[i] + p[j])", definitions, printed.data,
                 printed.data + definitions);
    dp__text_free(&printed);
    return both.data;
}

/* Whether value and gradients of the sum of some formulas are good. */
static bool gradients_good(dp_device *device, dp_device *reference, const group *g, int first, int count,
                           tally *t)
{
    static const unsigned modes[] = {
        [DP__SIDE_CALL] = DP_SUM_ALL, [DP__SIDE_I] = DP_SUM_J, [DP__SIDE_J] = DP_SUM_I};
    inputs here, there;
    dp_tensor *gradients[GENERATED_NAMES], *value;
    dp__text text = {0};
    open_inputs(&here, device, g->dim);
    open_inputs(&there, reference, g->dim);
    write_text(g, first, count, true, &text);
    bool good = dp_pairwise_gradient(device, text.data, DP_SUM_J, here.args, NULL, names, GENERATED_NAMES,
                                     gradients, &value) == DP_OK;
    if (!good)
        print_error("%s\n", dp_message(device));
    good = good && within(value, dp_pairwise(reference, text.data, DP_SUM_J, there.args),
                          dp_pairwise_bound(reference, text.data, DP_SUM_J, there.args), "the value", t);
    for (int s = 0; good && s < GENERATED_NAMES; s++) {
        char *formula = print_gradient(g, text.data, s), what[32];
        const unsigned mode = modes[sides[s]];
        snprintf(what, sizeof what, "the gradient to %s", names[s]);
        good = within(gradients[s], dp_pairwise(reference, formula, mode, there.args),
                      dp_pairwise_bound(reference, formula, mode, there.args), what, t);
        if (!good)
            print_error("  which is %s\n", formula);
        dp__free(formula);
    }
    for (int s = 0; s < GENERATED_NAMES; s++)
        dp_tensor_release(&gradients[s]);
    dp_tensor_release(&value);
    dp__text_free(&text);
    close_inputs(&here);
    close_inputs(&there);
    return good;
}

static void check_gradients(dp_device *device, dp_device *reference, const group *g, tally *t)
{
    if (gradients_good(device, reference, g, 0, GROUP, t))
        return;
    dp_clear(device);
    for (int k = 0; k < GROUP; k++)
        if (!gradients_good(device, reference, g, k, 1, t)) {
            dp__text text = {0};
            write_text(g, k, 1, true, &text);
            complain(g, text.data);
            dp__text_free(&text);
            fail_msg("formula %d", g->number[k]);
        }
    dp__text text = {0};
    write_text(g, 0, GROUP, true, &text);
    complain(g, text.data);
    fail_msg("their sum, though none alone");
}

/* Whether the bounds of a formula's gradients tell more than nothing, as they do not where two sides of a
 * comparison are equal. */
static bool is_told(dp_device *reference, const group *g, int k)
{
    tally t = {0};
    return gradients_good(reference, reference, g, k, 1, &t) && t.close >= 0.95 * (double)t.compared;
}

/* The groups, chosen once: even formulas are of dimension 2, odd ones of 3, as in ref/test_generated.c. */
static const group *all_groups(dp_device *reference)
{
    static group groups[GROUPS];
    int next[2] = {0, 1}, left_out = 0;
    for (int n = 0; n < GROUPS && groups[n].dim == 0; n++) {
        group *g = &groups[n];
        g->dim = n < 3 ? 2 : 3;
        for (int k = 0; k < GROUP;) {
            g->number[k] = next[g->dim - 2];
            next[g->dim - 2] += 2;
            generate_formula(GENERATED_SEED, g->number[k], g->dim, &g->formula[k]);
            if (is_told(reference, g, k))
                k++;
            else
                left_out++;
        }
    }
    assert_in_range(left_out, 0, GROUPS * GROUP / 5);
    return groups;
}

static void run(dp_device *device, void (*check)(dp_device *, dp_device *, const group *, tally *))
{
    dp_device *reference = dp_device_open("ref");
    const group *groups = all_groups(reference);
    tally t = {0};
    for (int k = 0; k < (suite_tiny() ? 1 : GROUPS); k++)
        check(device, reference, &groups[k], &t);
    if (t.close < 0.95 * (double)t.compared) /* the test must be able to fail */
        fail_msg("seed %d: of %ld bounds only %ld are close", GENERATED_SEED, t.compared, t.close);
    dp_device_close(&reference);
}

static void values(dp_device *device)
{
    run(device, check_values);
}

static void gradients(dp_device *device)
{
    run(device, check_gradients);
}

int main(void)
{
    static const suite_test tests[] = {{"values", values}, {"gradients", gradients}};
    return suite_run("generated", tests, sizeof tests / sizeof *tests);
}
