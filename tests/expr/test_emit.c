/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of emitted text. That it compiles and computes the same is what the suite over all devices
 * tests. */
#include "formulas.h"

#include <limits.h>
#include <stdio.h>

static char *emitted(const dp__expr *expr, bool unroll)
{
    dp__text text = {0};
    dp__expr_emit(expr, &(dp__emit_options){.unroll = unroll, .indent = 4}, &text);
    assert_false(text.failed);
    return text.data;
}

static int occurrences(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

static void check_emit(const char *formula, bool unroll, const char *wanted)
{
    dp__expr *expr = simplified(formula);
    char *text = emitted(expr, unroll);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s gives\n%s, not\n%s", formula, text, wanted);
    free(text);
    dp__expr_free(&expr);
}

static void test_emit_unrolled(void **state)
{
    (void)state;
    check_emit("0.1 * q[i] + q[j], 7", true,
               "    REAL v1 = SYM2_I(0);\n"
               "    REAL v3 = SYM2_J(0);\n"
               "    REAL v4 = FMA(v1, SPLAT(0.100000001f), v3);\n"
               "    OUTPUT(0, 0, v4);\n"
               "    OUTPUT(1, 0, SPLAT(7.0f));\n");
    check_emit("dot(x[i], x[j])", true,
               "    REAL v0_0 = SYM0_I(0);\n"
               "    REAL v0_1 = SYM0_I(1);\n"
               "    REAL v0_2 = SYM0_I(2);\n"
               "    REAL v1_0 = SYM0_J(0);\n"
               "    REAL v1_1 = SYM0_J(1);\n"
               "    REAL v1_2 = SYM0_J(2);\n"
               "    REAL v3 = v0_0 * v1_0;\n"
               "    v3 = FMA(v0_1, v1_1, v3);\n"
               "    v3 = FMA(v0_2, v1_2, v3);\n"
               "    OUTPUT(0, 0, v3);\n");
    check_emit("dot(index(x[i]), x[i])", true,
               "    REAL v1_0 = SYM0_I(0);\n"
               "    REAL v1_1 = SYM0_I(1);\n"
               "    REAL v1_2 = SYM0_I(2);\n"
               "    REAL v3 = SPLAT(0.0f) * v1_0;\n"
               "    v3 = FMA(SPLAT(1.0f), v1_1, v3);\n"
               "    v3 = FMA(SPLAT(2.0f), v1_2, v3);\n"
               "    OUTPUT(0, 0, v3);\n");
    check_emit("x[j][2] - eps * q[i]", true,
               "    REAL v1 = SYM0_J(2);\n"
               "    REAL v2 = SYM3_C(0);\n"
               "    REAL v3 = SYM2_I(0);\n"
               "    REAL v5 = FMA(-v2, v3, v1);\n"
               "    OUTPUT(0, 0, v5);\n");
    check_emit("eps * q[i] - 1", true,
               "    REAL v0 = SYM3_C(0);\n"
               "    REAL v1 = SYM2_I(0);\n"
               "    REAL v4 = FMA(v0, v1, -SPLAT(1.0f));\n"
               "    OUTPUT(0, 0, v4);\n");
    check_emit("-inf, eps and eps < 1, 1e20", true,
               "    REAL v1 = SYM3_C(0);\n"
               "    REAL v3 = LT(v1, SPLAT(1.0f));\n"
               "    REAL v4 = NE(v1, SPLAT(0.0f)) * v3;\n"
               "    OUTPUT(0, 0, (-INFINITY_REAL));\n"
               "    OUTPUT(1, 0, v4);\n"
               "    OUTPUT(2, 0, SPLAT(1.00000002e+20f));\n");
}

static void test_emit_loops(void **state)
{
    (void)state;
    check_emit("q[j] * (x[i] - x[j]) * rsqrt(sqdist(x[i], x[j]) + eps)", false,
               "    REAL v6[BLOCK];\n"
               "    for (int s = 0; s < BLOCK; s += SUB) {\n"
               "        REAL p6[SUB];\n"
               "        UNROLL for (int r = 0; r < SUB; r++) p6[r] = SPLAT(0.0f);\n"
               "        for (int c = 0; c < 3; c++) {\n"
               "            REAL v1 = SYM0_I(c);\n"
               "            UNROLL for (int r = 0; r < SUB; r++) {\n"
               "                const int b = s + r;\n"
               "                REAL v2 = SYM0_J(c);\n"
               "                REAL v3 = v1 - v2;\n"
               "                p6[r] = FMA(v3, v3, p6[r]);\n"
               "            }\n"
               "        }\n"
               "        UNROLL for (int r = 0; r < SUB; r++) v6[s + r] = p6[r];\n"
               "    }\n"
               "    REAL v9[BLOCK];\n"
               "    REAL v7 = SYM3_C(0);\n"
               "    for (int s = 0; s < BLOCK; s += SUB) {\n"
               "        UNROLL for (int r = 0; r < SUB; r++) {\n"
               "            const int b = s + r;\n"
               "            REAL v8 = v6[b] + v7;\n"
               "            v9[b] = RSQRT(v8);\n"
               "        }\n"
               "    }\n"
               "    for (int c = FIRST_COMPONENT; c < END_COMPONENT; c++) {\n"
               "        REAL v1 = SYM0_I(c);\n"
               "        OUTPUT_BEGIN(0, c);\n"
               "        UNROLL for (int r = 0; r < BLOCK; r++) {\n"
               "            const int b = r;\n"
               "            REAL v0 = SYM2_J(0);\n"
               "            REAL v2 = SYM0_J(c);\n"
               "            REAL v3 = v1 - v2;\n"
               "            REAL v4 = v0 * v3;\n"
               "            REAL v10 = v4 * v9[b];\n"
               "            OUTPUT(0, c, v10);\n"
               "        }\n"
               "        OUTPUT_END(0, c);\n"
               "    }\n");
}

static void test_emit_products(void **state)
{
    (void)state;
    dp__expr *expr = simplified("q[i] * q[j], -(q[i] * (q[j] + 1)), q[i] + q[j]");
    dp__text text = {0};
    dp__expr_emit(expr, &(dp__emit_options){.unroll = true, .products = true}, &text);
    assert_int_equal(occurrences(text.data, "OUTPUT_PRODUCT(0, 0, v"), 1);
    assert_int_equal(occurrences(text.data, "OUTPUT_PRODUCT(1, 0, -v"), 1);
    assert_int_equal(occurrences(text.data, "OUTPUT(2, 0, v"), 1);
    assert_int_equal(occurrences(text.data, " * "), 0);
    dp__text_free(&text);
    dp__expr_free(&expr);
}

static void test_emit_phases(void **state)
{
    (void)state;
    /* reductions of one level and dimension share a loop, others do not */
    dp__expr *expr = simplified("sum(x[i] * x[j]) + max(x[i] - x[j]) + sum(h[i] * h[j])");
    char *text = emitted(expr, false);
    assert_int_equal(occurrences(text, "c < 3;"), 1);
    assert_int_equal(occurrences(text, "c < 5;"), 1);
    assert_int_equal(occurrences(text, "OUTPUT("), 1);
    free(text);
    dp__expr_free(&expr);

    /* a softmax takes two */
    expr = simplified("m = max(h[j]); log(sum(exp(h[j] - m))) + m");
    text = emitted(expr, false);
    assert_int_equal(occurrences(text, "c < 5;"), 2);
    assert_true(strstr(text, "MAX(") < strstr(text, "EXP("));
    free(text);
    dp__expr_free(&expr);

    /* sums over many components are blocked and compensated, largest components are not */
    const dp__symbol wide = {"y", 784, DP__NO_FORM};
    char message[256];
    assert_int_equal(
        dp__expr_parse("sqdist(y[i], y[j]), max(y[j])", &wide, 1, &expr, message, sizeof(message)), DP_OK);
    for (int unroll = 0; unroll < 2; unroll++) {
        text = emitted(expr, unroll != 0);
        assert_int_equal(occurrences(text, "TWO_SUM("), unroll ? 7 : 1);
        assert_int_equal(occurrences(text, "for (int c0 = 0; c0 < 784; c0 += 128)"), unroll ? 0 : 1);
        assert_int_equal(occurrences(text, "MAX("), unroll ? 783 : 1);
        free(text);
    }
    dp__expr_free(&expr);
}

/* Whatever the formula: braces match, no name is declared twice in its scope or used before, literals are
 * typed. */
static void check_text(const char *text)
{
    int depth = 0;
    for (const char *c = text; *c; c++) {
        depth += *c == '{' ? 1 : *c == '}' ? -1 : 0;
        assert_true(depth >= 0);
    }
    assert_int_equal(depth, 0);
    for (const char *c = text; (c = strstr(c, "SPLAT(")); c++) {
        const size_t length = strcspn(c, ")");
        assert_int_equal(c[length - 1], 'f');
        assert_true(memchr(c, '.', length) || memchr(c, 'e', length));
    }
    assert_null(strstr(text, "--"));
    assert_null(strstr(text, "nan"));
}

/* Straight-line text is checked name by name. */
static void check_names(const char *text)
{
    bool declared[4096][4] = {{false}};
    for (const char *c = text; (c = strchr(c, 'v')); c++) {
        char *end;
        const long n = strtol(c + 1, &end, 10), component = *end == '_' ? strtol(end + 1, NULL, 10) : 3;
        assert_in_range(n, 0, 4095);
        const bool declares = c - text >= 5 && memcmp(c - 5, "REAL ", 5) == 0;
        assert_true(declared[n][component] != declares);
        declared[n][component] = true;
    }
}

/* Simple formats take a way of their own: the same text as printf's. */
static void test_text(void **state)
{
    static const int numbers[] = {0, 7, 10, -1, 1234567890, INT_MAX, INT_MIN};
    char wanted[256];
    (void)state;
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        dp__text text = {0};
        dp__text_add(&text, "%d%s%%%c|%d", numbers[k], k % 2 ? "" : "word", 'x', -(int)k);
        dp__text_add(&text, " %5d %u %s", numbers[k], (unsigned)numbers[k], "slow");
        dp__text_add(&text, "%s", "");
        snprintf(wanted, sizeof wanted, "%d%s%%%c|%d %5d %u %s", numbers[k], k % 2 ? "" : "word", 'x', -(int)k, numbers[k],
                 (unsigned)numbers[k], "slow");
        assert_string_equal(text.data, wanted);
        assert_int_equal(text.length, strlen(wanted));
        dp__text_free(&text);
    }
}

static void test_emit_any(void **state)
{
    (void)state;
    random_state = 7;
    for (int round = 0; round < 500; round++) {
        dp__text formula = {0};
        random_expr(&formula, 1 + (int)random_below(5), random_below(2) != 0);
        dp__expr *expr = round % 2 ? simplified(formula.data) : parse(formula.data);
        char *straight = emitted(expr, true), *loops = emitted(expr, false);
        check_text(straight);
        check_names(straight);
        check_text(loops);
        free(straight);
        free(loops);
        dp__text_free(&formula);
        dp__expr_free(&expr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emit_unrolled),
        cmocka_unit_test(test_emit_loops),
        cmocka_unit_test(test_emit_products),
        cmocka_unit_test(test_emit_phases),
        cmocka_unit_test(test_emit_any),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
