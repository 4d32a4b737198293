/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target: any text through the parser, the simplifier, differentiation, the printer and both forms of emitted text.
 * clang -fsanitize=fuzzer,address,undefined; run with -max_len=4096 -dict=... as wished. */
#include "expr/expr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void emit(const dp__expr *expr)
{
    for (int unroll = 0; unroll < 2; unroll++) {
        dp__text text = {0};
        dp__expr_emit(expr, &(dp__emit_options){.unroll = unroll != 0}, &text);
        dp__text_free(&text);
    }
}

/* What is printed must parse. */
static void print(const dp__expr *expr, const dp__symbol *symbols, int count)
{
    dp__text text = {0};
    char message[512];
    dp__expr *again = NULL;
    dp__expr_print(expr, symbols, &text);
    if (text.data && dp__expr_parse(text.data, symbols, count, &again, message, sizeof(message)) == DP_ERROR_FORMULA &&
        !strstr(message, "more than"))
        abort();
    dp__expr_free(&again);
    dp__text_free(&text);
}

static void differentiate(const dp__expr *expr, const dp__symbol *symbols, int count)
{
    static const dp__indexed targets[] = {{0, DP__SIDE_I, 3}, {1, DP__SIDE_J, 130}, {2, DP__SIDE_I, 0}, {3, DP__SIDE_CALL, 0}};
    const dp__differentiation how = {.targets = targets, .target_count = (int)DP_COUNT(targets), .keep_outputs = true};
    dp__expr *gradient = dp__expr_differentiate(expr, &how), *simple = gradient ? dp__expr_simplify(gradient) : NULL;
    if (simple) {
        print(simple, symbols, count);
        emit(simple);
    }
    dp__expr_free(&gradient);
    dp__expr_free(&simple);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const dp__symbol symbols[] = {{"x", 3, DP__NO_FORM},
                                         {"h", 130, DP__NO_FORM},
                                         {"q", 0, DP__NO_FORM},
                                         {"e", DP__NO_FORM, 0},
                                         {"w", 1, 3}};
    char *text = malloc(size + 1), message[512];
    dp__expr *expr;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    const dp_status status =
        dp__expr_parse(text, symbols, (int)DP_COUNT(symbols), &expr, message, sizeof(message));
    if ((status == DP_OK) != (expr != NULL) || (status == DP_OK) != (message[0] == '\0'))
        abort();
    if (expr) {
        dp__expr *simple = dp__expr_simplify(expr);
        print(expr, symbols, (int)DP_COUNT(symbols));
        differentiate(expr, symbols, (int)DP_COUNT(symbols));
        dp__expr_swap_sides(expr);
        emit(expr);
        if (simple)
            emit(simple);
        dp__expr_free(&simple);
        dp__expr_free(&expr);
    }
    free(text);
    return 0;
}
