/* SPDX-License-Identifier: Apache-2.0 */
/* Derivatives of random formulas, in double precision, against central differences: those of the symbolic
 * derivative of each pair, what is printed of it, and what dp_pairwise_gradient sums up. Each tolerance
 * follows from the step and from the roundings of the formula at hand. Points within two steps of a kink or
 * jump are left out: there, some comparison, sign, floor or choice of a minimum inside of the formula changes
 * from one point of the difference to another. */
#include "evaluate.h"
#include "suite/formula_generator.h"
#include <dipole/dipole.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define FORMULAS 64
#define N        4
#define M        3
#define MAX_DIM  3
#define STEP     0x1p-11 /* the inputs are multiples of it: moved by steps they are exact in f32 */
#define F64_PART 0x1p-29 /* of a bound for f32: the unit roundoffs are 2^-53 and 2^-24 */

typedef struct problem {
    int dim;
    char text[2048];
    dp__symbol symbols[GENERATED_NAMES];
    dp__expr *expr, *gradient, *printed; /* the gradients to all names, one output each */
    dp__evaluator formula, derivative, again;
    float x[N * MAX_DIM], y[M * MAX_DIM], q[N], p[M], w[MAX_DIM], eps;
    long compared, kinks;
} problem;

static const char *const names[GENERATED_NAMES] = {"x", "y", "q", "p", "w", "eps"};
static const dp__side sides[GENERATED_NAMES] = {DP__SIDE_I, DP__SIDE_J,    DP__SIDE_I,
                                                DP__SIDE_J, DP__SIDE_CALL, DP__SIDE_CALL};

#define FAIL(p, ...)                                                                                         \
    do {                                                                                                     \
        print_error("seed %d, d = %d: %s\n", GENERATED_SEED, (p)->dim, (p)->text);                           \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

static uint64_t random_state = GENERATED_SEED;

static float on_grid(double low, double high)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    const double share = (double)(random_state >> 40) * 0x1p-24;
    return (float)(STEP * floor((low + (high - low) * share) / STEP));
}

static float *data_of(problem *p, int name, int row)
{
    switch (name) {
    case GENERATED_X:
        return p->x + row * p->dim;
    case GENERATED_Y:
        return p->y + row * p->dim;
    case GENERATED_Q:
        return p->q + row;
    case GENERATED_P:
        return p->p + row;
    case GENERATED_W:
        return p->w;
    default:
        return &p->eps;
    }
}

static int width_of(const problem *p, int name)
{
    return name == GENERATED_X || name == GENERATED_Y || name == GENERATED_W ? p->dim : 1;
}

static void fill(float *values, int count)
{
    for (int k = 0; k < count; k++)
        values[k] = on_grid(-0.95, 0.95);
}

static dp__expr *parse(problem *p, const char *text)
{
    char message[512];
    dp__expr *expr = NULL;
    if (dp__expr_parse(text, p->symbols, GENERATED_NAMES, &expr, message, sizeof message) != DP_OK)
        FAIL(p, "%s\n%s", text, message);
    return expr;
}

static void open_problem(problem *p, int number)
{
    generated formula;
    dp__indexed targets[GENERATED_NAMES];
    dp__text text = {0};
    *p = (problem){.dim = 2 + number % 2};
    generate_formula(GENERATED_SEED, number, p->dim, &formula);
    snprintf(p->text, sizeof p->text, "%s%s", formula.definitions, formula.expression);
    for (int s = 0; s < GENERATED_NAMES; s++) {
        const int dim = width_of(p, s) > 1 ? p->dim : 0;
        const bool call = sides[s] == DP__SIDE_CALL;
        p->symbols[s] = (dp__symbol){names[s], call ? DP__NO_FORM : dim, call ? dim : DP__NO_FORM};
        targets[s] = (dp__indexed){s, sides[s], dim};
    }
    p->expr = parse(p, p->text);
    dp__expr *raw = dp__expr_differentiate(
        p->expr, &(dp__differentiation){.targets = targets, .target_count = GENERATED_NAMES});
    assert_non_null(raw);
    p->gradient = dp__expr_simplify(raw);
    assert_non_null(p->gradient);
    dp__expr_print(p->gradient, p->symbols, &text);
    p->printed = parse(p, text.data);
    dp__text_free(&text);
    dp__expr_free(&raw);
    assert_int_equal(dp__evaluator_create(NULL, &p->formula, p->expr, true), DP_OK);
    assert_int_equal(dp__evaluator_create(NULL, &p->derivative, p->gradient, true), DP_OK);
    assert_int_equal(dp__evaluator_create(NULL, &p->again, p->printed, false), DP_OK);
    fill(p->x, N * p->dim), fill(p->y, M * p->dim), fill(p->q, N), fill(p->p, M), fill(p->w, p->dim);
    p->eps = on_grid(GENERATED_LEAST_EPS + 8 * STEP, 0.95);
}

static void close_problem(problem *p)
{
    dp__evaluator_free(&p->formula);
    dp__evaluator_free(&p->derivative);
    dp__evaluator_free(&p->again);
    dp__expr_free(&p->expr);
    dp__expr_free(&p->gradient);
    dp__expr_free(&p->printed);
}

/* Evaluates at the pair (i, j). */
static void evaluate(problem *p, dp__evaluator *evaluator, int i, int j)
{
    for (int s = 0; s < GENERATED_NAMES; s++)
        evaluator->row[sides[s]][s] = (dp__row){data_of(p, s, sides[s] == DP__SIDE_I ? i : j), 1};
    for (int side = DP__SIDE_CALL; side <= DP__SIDE_J; side++)
        dp__evaluate(evaluator, (dp__side)side);
}

/* The sum of the first output's components, and how far off it may be in double precision. */
static double value_of(const dp__evaluator *evaluator, double *error)
{
    const int n = evaluator->expr->outputs[0];
    double sum = 0;
    *error = 0;
    for (int c = 0; c < dp__node_width(&evaluator->expr->nodes[n]); c++) {
        sum += evaluator->value[evaluator->start[n] + (size_t)c];
        *error += F64_PART * evaluator->error[evaluator->start[n] + (size_t)c];
        *error += 0x1p-52 * fabs(sum);
    }
    return sum;
}

static int order_of(double a, double b)
{
    return (a > b) - (a < b);
}

static double operand(const dp__evaluator *e, const dp__node *node, int o, int c)
{
    const int n = node->operand[o];
    return e->value[e->start[n] + (size_t)(e->expr->nodes[n].dim > 0 ? c : 0)];
}

/* Which way component c of a node goes where it may go several, as a small number. */
static int branch(const dp__evaluator *e, const dp__node *node, int c)
{
    switch (node->kind) {
    case DP__NODE_LT:
    case DP__NODE_LE:
    case DP__NODE_EQ:
    case DP__NODE_NE:
    case DP__NODE_MIN:
    case DP__NODE_MAX:
        return order_of(operand(e, node, 0, c), operand(e, node, 1, c));
    case DP__NODE_AND:
    case DP__NODE_OR:
        return 3 * order_of(operand(e, node, 0, c), 0) + order_of(operand(e, node, 1, c), 0);
    case DP__NODE_NOT:
    case DP__NODE_SELECT:
    case DP__NODE_ABS:
    case DP__NODE_SIGN:
        return order_of(operand(e, node, 0, c), 0);
    case DP__NODE_FLOOR:
        return (int)floor(operand(e, node, 0, c)) +
               (operand(e, node, 0, c) == floor(operand(e, node, 0, c)) ? 1000 : 0);
    default:
        return 0;
    }
}

/* The component that a largest or smallest of a vector is. */
static int chosen(const dp__evaluator *e, const dp__node *node)
{
    const int n = node->operand[0];
    const double *v = e->value + e->start[n];
    int best = 0;
    for (int c = 1; c < dp__node_width(&e->expr->nodes[n]); c++)
        if (node->kind == DP__NODE_LARGEST ? v[c] > v[best] : v[c] < v[best])
            best = c;
    return best;
}

/* A hash of all branches: the formula is smooth where it stays the same. */
static uint64_t pattern(const dp__evaluator *e)
{
    uint64_t hash = 1;
    for (int n = 0; n < e->expr->node_count; n++) {
        const dp__node *node = &e->expr->nodes[n];
        const bool reduces = node->kind == DP__NODE_LARGEST || node->kind == DP__NODE_SMALLEST;
        for (int c = 0; c < dp__node_width(node); c++)
            hash = hash * 6364136223846793005u +
                   (uint64_t)(2000 + (reduces ? chosen(e, node) : branch(e, node, c)));
    }
    return hash;
}

typedef struct slope {
    double value, error;
    bool smooth;
} slope;

/* Of fourth order, with steps of one and of two: the difference of both is 15 times the error of the first.
 */
static slope difference(problem *p, float *moved, int i, int j)
{
    static const int at[6] = {-4, -2, -1, 1, 2, 4};
    const float kept = *moved;
    double f[6], worst = 0;
    evaluate(p, &p->formula, i, j);
    const uint64_t here = pattern(&p->formula);
    slope s = {.smooth = true};
    for (int k = 0; k < 6; k++) {
        double error;
        *moved = kept + (float)(at[k] * STEP);
        evaluate(p, &p->formula, i, j);
        f[k] = value_of(&p->formula, &error);
        worst = fmax(worst, error);
        s.smooth = s.smooth && pattern(&p->formula) == here;
    }
    *moved = kept;
    s.value = (f[1] - 8 * f[2] + 8 * f[3] - f[4]) / (12 * STEP);
    const double wide = (f[0] - 8 * f[1] + 8 * f[4] - f[5]) / (24 * STEP);
    s.error = fabs(wide - s.value) + 18 * worst / (12 * STEP);
    return s;
}

/* The symbolic derivative of one pair to a component, and what was printed of it. */
static double symbolic(problem *p, int name, int c, double *error)
{
    const int n = p->gradient->outputs[name], m = p->printed->outputs[name];
    const double value = p->derivative.value[p->derivative.start[n] + (size_t)c];
    const double bound = p->derivative.error[p->derivative.start[n] + (size_t)c];
    const double again = p->again.value[p->again.start[m] + (size_t)c];
    if (!(fabs(again - value) <= bound)) /* its constants are rounded to f32 */
        FAIL(p, "to %s, component %d: %.12g, printed and parsed %.12g, bound %.3g", names[name], c, value,
             again, bound);
    *error = F64_PART * bound;
    return value;
}

static void compare_pair(problem *p, int name, int c, int i, int j, slope *total)
{
    double error;
    evaluate(p, &p->derivative, i, j);
    evaluate(p, &p->again, i, j);
    const double wanted = symbolic(p, name, c, &error);
    const slope s = difference(p, data_of(p, name, sides[name] == DP__SIDE_I ? i : j) + c, i, j);
    total->value += s.value;
    total->error += s.error;
    total->smooth = total->smooth && s.smooth;
    p->compared += s.smooth;
    p->kinks += !s.smooth;
    if (s.smooth && !(fabs(s.value - wanted) <= s.error + error))
        FAIL(p, "to %s, component %d, pair %d, %d: %.12g, by differences %.12g +- %.2g", names[name], c, i, j,
             wanted, s.value, s.error + error);
    /* The test must be able to fail. */
    if (s.smooth && !(s.error + error <= 1e-4 * (1 + fabs(wanted))))
        FAIL(p, "to %s, component %d, pair %d, %d: differences tell it only up to %.3g", names[name], c, i, j,
             s.error + error);
}

/* All pairs of one row of a name against the reference's gradient, an f32. */
static void compare_row(problem *p, int name, int row, int c, double found)
{
    slope total = {.smooth = true};
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++)
            if (sides[name] == DP__SIDE_CALL || row == (sides[name] == DP__SIDE_I ? i : j))
                compare_pair(p, name, c, i, j, &total);
    const double allowed =
        total.error + 0x1p-23 * fabs(found) + 1e-9; /* its sums are f64, rounded once or, of parts, twice */
    if (total.smooth && !(fabs(total.value - found) <= allowed))
        FAIL(p, "dp_pairwise_gradient to %s, row %d, component %d: %.9g, by differences %.9g +- %.2g",
             names[name], row, c, found, total.value, allowed);
}

static void check_formula(problem *p, dp_device *reference)
{
    const dp_shape row_i = DP_SHAPE(N, p->dim), row_j = DP_SHAPE(M, p->dim);
    dp_tensor *t[GENERATED_NAMES] = {dp_from(reference, DP_F32, row_i, p->x),
                                     dp_from(reference, DP_F32, row_j, p->y),
                                     dp_from(reference, DP_F32, DP_SHAPE(N), p->q),
                                     dp_from(reference, DP_F32, DP_SHAPE(M), p->p),
                                     dp_from(reference, DP_F32, DP_SHAPE(p->dim), p->w),
                                     NULL};
    dp_arg arg[GENERATED_NAMES];
    dp_tensor *gradient[GENERATED_NAMES];
    for (int s = 0; s < GENERATED_NAMES; s++)
        arg[s] = (dp_arg){names[s], t[s], (double)p->eps};
    if (dp_pairwise_gradient(reference, p->text, DP_SUM_J, (dp_args){arg, GENERATED_NAMES}, NULL, names,
                             GENERATED_NAMES, gradient, NULL) != DP_OK)
        FAIL(p, "%s", dp_message(reference));
    for (int s = 0; s < GENERATED_NAMES; s++) {
        float found[N * MAX_DIM];
        const int rows = sides[s] == DP__SIDE_I ? N : sides[s] == DP__SIDE_J ? M : 1, width = width_of(p, s);
        assert_int_equal(dp_tensor_size(gradient[s]), rows * width);
        assert_int_equal(dp_read(gradient[s], found, (size_t)(rows * width) * sizeof *found), DP_OK);
        for (int k = 0; k < rows * width; k++)
            compare_row(p, s, k / width, k % width, (double)found[k]);
        dp_tensor_release(&gradient[s]);
        dp_tensor_release(&t[s]);
    }
}

static void test_against_differences(void **state)
{
    (void)state;
    dp_device *reference = dp_device_open("ref");
    long compared = 0, kinks = 0;
    for (int k = 0; k < FORMULAS; k++) {
        problem p;
        open_problem(&p, k);
        check_formula(&p, reference);
        compared += p.compared;
        kinks += p.kinks;
        close_problem(&p);
    }
    print_message("# seed %d: %ld derivatives compared, %ld next to a kink\n", GENERATED_SEED, compared, kinks);
    assert_true(compared > 95 * kinks);
    dp_device_close(&reference);
}

/* They use the whole language. */
static void test_every_operation(void **state)
{
    (void)state;
    int count[DP__NODE_KIND_COUNT] = {0};
    for (int k = 0; k < FORMULAS; k++) {
        problem p;
        open_problem(&p, k);
        for (int n = 0; n < p.expr->node_count; n++)
            count[p.expr->nodes[n].kind]++;
        assert_true(dp__expr_uses(p.expr, GENERATED_X, DP__SIDE_I) ||
                    dp__expr_uses(p.expr, GENERATED_Q, DP__SIDE_I));
        assert_true(dp__expr_uses(p.expr, GENERATED_Y, DP__SIDE_J) ||
                    dp__expr_uses(p.expr, GENERATED_P, DP__SIDE_J));
        close_problem(&p);
    }
    for (int kind = 0; kind < DP__NODE_KIND_COUNT; kind++)
        if (count[kind] == 0)
            fail_msg("seed %d: no formula has %s", GENERATED_SEED, dp__node_name((dp__node_kind)kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_against_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
