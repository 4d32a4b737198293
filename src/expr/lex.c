/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of a formula, and the message that points at one. Nothing here depends on the locale. */
#include "expr/parse.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WINDOW 72 /* characters of the formula's line that a message shows */

int dp__parse_fail(dp__parser *parser, const char *at, const char *format, ...)
{
    if (parser->status != DP_OK)
        return -1;
    parser->status = DP_ERROR_FORMULA;
    parser->error_at = at;
    char line[512];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof(line), format, list);
    va_end(list);
    dp__text_add(&parser->error, "%s", line);
    return -1;
}

int dp__parse_fail_memory(dp__parser *parser)
{
    if (parser->status == DP_OK)
        parser->status = DP_ERROR_MEMORY;
    return -1;
}

static bool printable(char c)
{
    return c >= ' ' && c <= '~';
}

static char shown_as(char c)
{
    return printable(c) ? c : c == '\t' || c == '\r' ? ' ' : '?';
}

void dp__parse_message(const dp__parser *parser, char *message, size_t size)
{
    if (size == 0)
        return;
    if (parser->status == DP_ERROR_MEMORY || parser->error.failed) {
        snprintf(message, size, "out of memory while reading a formula");
        return;
    }
    const char *line = parser->text;
    size_t number = 1;
    for (const char *c = parser->text; c < parser->error_at; c++) {
        if (*c == '\n') {
            line = c + 1;
            number++;
        }
    }
    const size_t column = (size_t)(parser->error_at - line), length = strcspn(line, "\n");
    const bool many = number > 1 || line[length] == '\n';

    /* the part of the line that is shown */
    size_t first = column > WINDOW / 2 && length > WINDOW ? column - WINDOW / 2 : 0;
    if (first > 0 && first + WINDOW > length)
        first = length - WINDOW;
    const size_t shown = DP_MIN2(length - first, (size_t)WINDOW);
    char window[WINDOW + 1], place[48] = "";
    for (size_t c = 0; c < shown; c++)
        window[c] = shown_as(line[first + c]);
    window[shown] = '\0';
    if (many)
        snprintf(place, sizeof(place), "line %zu, ", number);
    const char *before = first > 0 ? "..." : "", *after = first + shown < length ? "..." : "";
    snprintf(message, size, "%scolumn %zu: %s\n  %s%s%s\n  %*s^", place, column + 1, parser->error.data,
             before, window, after, (int)(strlen(before) + column - first), "");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* value * 10^exponent. Exact for what people write (up to 15 digits, small exponents), a few ulps of a double
 * else. */
static double scale(double value, int exponent)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (value == 0)
        return 0;
    for (; exponent > 22 && value < DBL_MAX; exponent -= 22)
        value *= power[22];
    for (; exponent < -22 && value > 0; exponent += 22)
        value /= power[22];
    if (exponent > 22 || exponent < -22)
        return value;
    return exponent < 0 ? value / power[-exponent] : value * power[exponent];
}

static const char *read_exponent(dp__parser *parser, const char *c, int *exponent)
{
    const char *start = c++;
    const bool negative = *c == '-';
    if (*c == '-' || *c == '+')
        c++;
    if (!is_digit(*c))
        dp__parse_fail(parser, start, "the exponent of this number has no digits");
    int value = 0;
    for (; is_digit(*c); c++)
        value = value < 100000 ? 10 * value + (*c - '0') : value;
    *exponent += negative ? -value : value;
    return c;
}

static const char *read_number(dp__parser *parser, const char *start)
{
    uint64_t digits = 0;
    int exponent = 0;
    bool point = false;
    const char *c = start;
    for (; is_digit(*c) || (*c == '.' && !point); c++) {
        if (*c == '.') {
            point = true;
        } else if (digits < UINT64_MAX / 10 - 1) {
            digits = 10 * digits + (uint64_t)(*c - '0');
            exponent -= point && exponent > INT_MIN / 2 ? 1 : 0;
        } else if (!point) {
            exponent += exponent < INT_MAX / 2 ? 1 : 0;
        }
    }
    if (*c == 'e' || *c == 'E')
        c = read_exponent(parser, c, &exponent);
    const double value = scale((double)digits, exponent);
    if (value > (double)FLT_MAX || (digits > 0 && value < (double)FLT_MIN))
        dp__parse_fail(parser, start,
                       "this number does not fit into f32, whose numbers reach from 1.2e-38 to 3.4e38%s",
                       value > (double)FLT_MAX ? " (infinity is written inf)" : "");
    parser->token.kind = DP__TOKEN_NUMBER;
    parser->token.value = value;
    return c;
}

static int word_kind(const dp__token *token)
{
    if (dp__token_is(token, "and"))
        return DP__TOKEN_AND;
    if (dp__token_is(token, "or"))
        return DP__TOKEN_OR;
    if (dp__token_is(token, "not"))
        return DP__TOKEN_NOT;
    return DP__TOKEN_NAME;
}

static const char *read_operator(dp__parser *parser, const char *c)
{
    static const struct {
        char text[3];
        int kind;
    } pairs[] = {{"<=", DP__TOKEN_LE}, {">=", DP__TOKEN_GE},  {"==", DP__TOKEN_EQ},
                 {"!=", DP__TOKEN_NE}, {"&&", DP__TOKEN_AND}, {"||", DP__TOKEN_OR}};
    for (size_t p = 0; p < DP_COUNT(pairs); p++) {
        if (c[0] == pairs[p].text[0] && c[1] == pairs[p].text[1]) {
            parser->token.kind = pairs[p].kind;
            return c + 2;
        }
    }
    if (*c == '!') {
        parser->token.kind = DP__TOKEN_NOT;
        return c + 1;
    }
    if (strchr("+-*/^<>()[],;=", *c)) {
        parser->token.kind = *c;
        return c + 1;
    }
    if (printable(*c))
        dp__parse_fail(parser, c, "'%c' is no part of the language%s", *c,
                       *c == '?' ? "; a choice is written select(condition, a, b)" : "");
    else
        dp__parse_fail(parser, c, "byte 0x%02x is no part of the language", (unsigned)(unsigned char)*c);
    return c;
}

void dp__parse_next(dp__parser *parser)
{
    const char *c = parser->resume;
    while (*c == ' ' || *c == '\t' || *c == '\n' || *c == '\r')
        c++;
    parser->token = (dp__token){.kind = DP__TOKEN_END, .start = c};
    if (parser->status != DP_OK)
        return;
    const char *end = c;
    if (is_digit(c[0]) || (c[0] == '.' && is_digit(c[1]))) {
        end = read_number(parser, c);
    } else if (is_letter(*c)) {
        while (is_letter(*end) || is_digit(*end))
            end++;
        parser->token.length = (int)DP_MIN2(end - c, INT_MAX);
        parser->token.kind = word_kind(&parser->token);
    } else if (*c != '\0') {
        end = read_operator(parser, c);
    }
    parser->token.length = (int)DP_MIN2(end - c, INT_MAX);
    if (parser->status != DP_OK)
        parser->token.kind = DP__TOKEN_END;
    parser->resume = end;
}

bool dp__token_is(const dp__token *token, const char *word)
{
    const size_t length = (size_t)token->length;
    return strlen(word) == length && memcmp(token->start, word, length) == 0;
}
