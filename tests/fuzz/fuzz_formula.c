/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target: any text through the parser, the simplifier, first and second derivatives, the printer
 * and both forms of emitted text. README.md tells how to run it. What must hold besides that nothing crashes:
 * - what is printed parses again, to the same operations, and is then printed as the same text;
 * - the simplified list has the value of the one it came from within that one's error bound, where there is a
 * bound. */
#include "evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    X,
    H,
    Q,
    E,
    W,
    SYMBOLS,
    LONG = 130,            /* more than one block of a sum over components */
    MOST_EVALUATED = 400,  /* nodes */
    MOST_FOR_SECOND = 120, /* nodes of a formula whose second derivatives are taken */
};

static const dp__symbol symbols[SYMBOLS] = {
    [X] = {"x", 3, DP__NO_FORM}, [H] = {"h", LONG, DP__NO_FORM},
    [Q] = {"q", 0, DP__NO_FORM}, [E] = {"e", DP__NO_FORM, 0},
    [W] = {"w", 1, 3},
};

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "does not hold: %s\n", #condition);                                              \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static void emit(const dp__expr *expr)
{
    for (int unroll = 0; unroll < 2; unroll++) {
        dp__text text = {0};
        dp__expr_emit(expr, &(dp__emit_options){.unroll = unroll != 0}, &text);
        CHECK(!text.failed);
        dp__text_free(&text);
    }
}

/* ---- the printer ---- */

static char *printed(const dp__expr *expr)
{
    dp__text text = {0};
    dp__expr_print(expr, symbols, &text);
    CHECK(text.data);
    return text.data;
}

/* NULL where it has more operations than a formula may have, which derivatives can. */
static dp__expr *parsed(const char *text)
{
    char message[512];
    dp__expr *expr = NULL;
    const dp_status status = dp__expr_parse(text, symbols, SYMBOLS, &expr, message, sizeof message);
    if (status != DP_OK && !strstr(message, "more than")) {
        fprintf(stderr, "%s\n%s\n", text, message);
        abort();
    }
    return expr;
}

/* How often each kind of node is there when constants are folded and equal nodes are one. */
static void count_kinds(const dp__expr *expr, int counts[DP__NODE_KIND_COUNT])
{
    dp__expr *own = dp__expr_clone(expr), *shared;
    CHECK(own);
    for (int n = 0; n < own->node_count; n++)
        if (own->nodes[n].kind == DP__NODE_CONST)
            own->nodes[n].value = (double)(float)own->nodes[n].value; /* as they are printed */
    CHECK(shared = dp__expr_share(own));
    for (int n = 0; n < shared->node_count; n++)
        counts[shared->nodes[n].kind]++;
    dp__expr_free(&own);
    dp__expr_free(&shared);
}

static void check_print(const dp__expr *expr)
{
    int before[DP__NODE_KIND_COUNT] = {0}, after[DP__NODE_KIND_COUNT] = {0};
    char *first = printed(expr), *second = NULL, *third = NULL;
    dp__expr *again = parsed(first), *once_more = NULL;
    dp__text tree = {0};
    dp__expr_print_tree(expr, symbols, &tree);
    CHECK(tree.data);
    dp__text_free(&tree);
    if (again) {
        count_kinds(expr, before);
        count_kinds(again, after);
        if (memcmp(before, after, sizeof before) != 0) {
            fprintf(stderr, "not the same operations: %s\n", first);
            abort();
        }
        second = printed(again);
        once_more = parsed(second);
    }
    if (once_more) {
        third = printed(once_more);
        if (strcmp(second, third) != 0) {
            fprintf(stderr, "printed as\n  %s\nand then as\n  %s\n", second, third);
            abort();
        }
    }
    dp__expr_free(&again);
    dp__expr_free(&once_more);
    dp__free(first);
    dp__free(second);
    dp__free(third);
}

/* ---- the simplifier ---- */

static float numbers[3][SYMBOLS]
                    [LONG]; /* by side and symbol: some of each sign, small and large, and zeros */

static void fill_numbers(void)
{
    static const float some[] = {1.5f, -2, 0.25f, 3, -0.625f, 0, 7, -1, 1e-3f, 40};
    int at = 0;
    for (int side = 0; side < 3; side++)
        for (int s = 0; s < SYMBOLS; s++)
            for (int c = 0; c < LONG; c++)
                numbers[side][s][c] = some[at++ % (int)(sizeof some / sizeof *some)];
}

static void evaluate(dp__evaluator *evaluator, const dp__expr *expr, bool bound)
{
    CHECK(dp__evaluator_create(NULL, evaluator, expr, bound) == DP_OK);
    for (int side = 0; side < 3; side++)
        for (int s = 0; s < SYMBOLS; s++)
            evaluator->row[side][s] = (dp__row){numbers[side][s], 1};
    for (int side = DP__SIDE_CALL; side <= DP__SIDE_J; side++)
        dp__evaluate(evaluator, (dp__side)side);
}

static void check_simple(const dp__expr *expr, const dp__expr *simple)
{
    dp__evaluator from, to;
    if (expr->node_count > MOST_EVALUATED)
        return;
    evaluate(&from, expr, true);
    evaluate(&to, simple, false);
    for (int o = 0; o < expr->output_count; o++) {
        const int width = dp__node_width(&expr->nodes[expr->outputs[o]]);
        const size_t a = from.start[expr->outputs[o]], b = to.start[simple->outputs[o]];
        CHECK(simple->nodes[simple->outputs[o]].dim == expr->nodes[expr->outputs[o]].dim);
        for (int c = 0; c < width; c++) {
            const double wanted = from.value[a + (size_t)c], bound = from.error[a + (size_t)c];
            const double got = to.value[b + (size_t)c];
            if (bound < (double)INFINITY && got != wanted && !(fabs(got - wanted) <= bound)) {
                fprintf(stderr, "output %d, component %d is %.17g, simplified %.17g; the bound is %.3g\n", o,
                        c, wanted, got, bound);
                abort();
            }
        }
    }
    dp__evaluator_free(&from);
    dp__evaluator_free(&to);
}

static dp__expr *simplified(const dp__expr *expr)
{
    dp__expr *simple = dp__expr_simplify(expr);
    CHECK(simple);
    check_simple(expr, simple);
    check_print(simple);
    emit(simple);
    return simple;
}

/* ---- derivatives ---- */

static void differentiate(const dp__expr *expr, int order)
{
    static const dp__indexed targets[] = {
        {X, DP__SIDE_I, 3}, {H, DP__SIDE_J, LONG}, {Q, DP__SIDE_I, 0}, {E, DP__SIDE_CALL, 0}};
    const dp__differentiation how = {
        .targets = targets, .target_count = (int)DP_COUNT(targets), .keep_outputs = true};
    dp__expr *gradient = dp__expr_differentiate(expr, &how);
    CHECK(gradient && gradient->output_count == expr->output_count + how.target_count);
    dp__expr *simple = simplified(gradient);
    check_print(gradient);
    if (order > 1 && gradient->node_count <= MOST_FOR_SECOND)
        differentiate(gradient, order - 1);
    dp__expr_free(&gradient);
    dp__expr_free(&simple);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), message[512];
    dp__expr *expr;
    if (!text)
        return 0;
    fill_numbers();
    memcpy(text, data, size);
    text[size] = '\0';
    const dp_status status = dp__expr_parse(text, symbols, SYMBOLS, &expr, message, sizeof message);
    CHECK((status == DP_OK) == (expr != NULL) && (status == DP_OK) == (message[0] == '\0'));
    if (expr) {
        dp__expr *simple = simplified(expr);
        check_print(expr);
        differentiate(expr, 2);
        dp__expr_swap_sides(expr);
        emit(expr);
        dp__expr_free(&simple);
        dp__expr_free(&expr);
    }
    free(text);
    return 0;
}
