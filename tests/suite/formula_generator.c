/* SPDX-License-Identifier: Apache-2.0 */
#include "formula_generator.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT = 1200,   /* of one expression while it grows */
    MOST = 6,      /* no value is larger; what may be is scaled down */
    LONGEST = 90,  /* an operand that would be longer becomes a name */
    SHORTEST = 24, /* of a whole formula */
};

/* An expression and the range of its values; of all components, for a vector. */
typedef struct piece {
    char text[TEXT];
    double low, high;
} piece;

typedef struct generator {
    uint64_t state;
    int dim;
    piece scalar_name, vector_name; /* what was defined; text "" before */
} generator;

static unsigned below(generator *g, unsigned limit)
{
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(g->state >> 33) % limit;
}

static piece make(double low, double high, const char *format, ...) __attribute__((format(printf, 3, 4)));
static piece make(double low, double high, const char *format, ...)
{
    piece p = {.low = low, .high = high};
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(p.text, sizeof p.text, format, list);
    va_end(list);
    if (length >= (int)sizeof p.text || !(low <= high)) {
        fprintf(stderr, "the generator is wrong: %d characters, %g .. %g: %s\n", length, low, high, p.text);
        abort();
    }
    return p;
}

static double size_of(const piece *p)
{
    return fmax(fabs(p->low), fabs(p->high));
}

/* Not larger than `most`, nor too long: scaled, or bent by a function. */
static piece tame(generator *g, piece p, double most)
{
    if (strlen(p.text) > LONGEST)
        return make(-1, 1, "%s", below(g, 2) ? "q[i]" : "p[j]");
    if (size_of(&p) <= most)
        return p;
    if (most >= 1 && below(g, 2))
        return make(-1, 1, "%s(%s)", below(g, 2) ? "tanh" : "sin", p.text);
    const double scale = ceil(size_of(&p) / most);
    return make(p.low / scale, p.high / scale, "(%s) / %g", p.text, scale);
}

/* The range of a product, a quotient or a power from its corners. */
static piece corners(const piece *a, const piece *b, double (*f)(double, double), const char *format)
{
    const double v[4] = {f(a->low, b->low), f(a->low, b->high), f(a->high, b->low), f(a->high, b->high)};
    double low = v[0], high = v[0];
    for (int k = 1; k < 4; k++) {
        low = fmin(low, v[k]);
        high = fmax(high, v[k]);
    }
    piece p = {.low = low, .high = high};
    snprintf(p.text, sizeof p.text, format, a->text, b->text);
    return p;
}

static double times(double a, double b)
{
    return a * b;
}

static double over(double a, double b)
{
    return a / b;
}

static piece scalar(generator *g, int depth);
static piece vector(generator *g, int depth);

static piece scalar_leaf(generator *g)
{
    static const double numbers[] = {0.5, 2, -1, 1.5, 0.3, -0.75, 3};
    switch (below(g, 9)) {
    case 0:
        return make(-1, 1, "x[i][%u]", below(g, (unsigned)g->dim));
    case 1:
        return make(-1, 1, "y[j][%u]", below(g, (unsigned)g->dim));
    case 2:
        return make(-1, 1, "w[%u]", below(g, (unsigned)g->dim));
    case 3:
        return make(GENERATED_LEAST_EPS, 1, "eps");
    case 4: {
        const double number = numbers[below(g, sizeof numbers / sizeof *numbers)];
        return make(number, number, "%g", number);
    }
    case 5:
        if (g->scalar_name.text[0])
            return g->scalar_name;
        /* fall through */
    case 6:
        return make(-1, 1, "q[i]");
    default:
        return make(-1, 1, "p[j]");
    }
}

static piece vector_leaf(generator *g)
{
    switch (below(g, 6)) {
    case 0:
        if (g->vector_name.text[0])
            return g->vector_name;
        /* fall through */
    case 1:
        return make(-1, 1, "x[i]");
    case 2:
        return make(-1, 1, "y[j]");
    case 3:
        return make(-1, 1, "w");
    case 4:
        return make(0, g->dim - 1, "index(x[i])");
    default:
        return make(-2, 2, "(x[i] - y[j])");
    }
}

/* At least 0.06. */
static piece positive(generator *g, int depth)
{
    const piece a = tame(g, scalar(g, depth - 1), 2);
    switch (below(g, 8)) {
    case 0:
        return make(0.5, 0.5 + size_of(&a) * size_of(&a), "(0.5 + (%s)^2)", a.text);
    case 1:
        return make(GENERATED_LEAST_EPS, 1 + size_of(&a), "(eps + abs(%s))", a.text);
    case 2:
        return make(exp(a.low / 2), exp(a.high / 2), "exp(0.5 * (%s))", a.text);
    case 3:
        return make(GENERATED_LEAST_EPS * GENERATED_LEAST_EPS, 1 + 4 * g->dim,
                    "(sqdist(x[i], y[j]) + eps^2)");
    case 4:
        return make(0.25, fmax(a.high, 0.25), "max(%s, 0.25)", a.text);
    case 5:
        return make(0.1, 1.1, "(0.1 + sigmoid(%s))", a.text);
    case 6:
        return make(0.5, 2, "clamp(%s, 0.5, 2)", a.text);
    default:
        return make(1, 1 + 2 * sqrt(g->dim), "(1 + norm(x[i] - y[j]))");
    }
}

/* 0 or 1. */
static piece condition(generator *g, int depth)
{
    static const char *const compare[] = {"<", "<=", ">", ">=", "!=", "=="};
    const piece a = scalar(g, depth - 1), b = scalar(g, depth - 1), c = scalar_leaf(g);
    switch (below(g, 6)) {
    case 0:
        return make(0, 1, "(%s < %s and %s > 0)", a.text, b.text, c.text);
    case 1:
        return make(0, 1, "(%s > %s or %s < -0.5)", a.text, b.text, c.text);
    case 2:
        return make(0, 1, "(not %s <= %s)", a.text, b.text);
    default:
        return make(0, 1, "(%s %s %s)", a.text, compare[below(g, 6)], b.text);
    }
}

static piece power(generator *g, int depth)
{
    static const double exponents[] = {-2, -1.5, -1, -0.5, 0.3, 0.5, 1.5, 2.5};
    if (below(g, 2)) {
        const piece a = tame(g, scalar(g, depth - 1), 1.5);
        const int n = 2 + (int)below(g, 3);
        const double most = pow(size_of(&a), n);
        return make(n % 2 ? -most : 0, most, "(%s)^%d", a.text, n);
    }
    const piece base = positive(g, depth);
    if (below(g, 2)) {
        const double e = exponents[below(g, sizeof exponents / sizeof *exponents)];
        const piece exponent = make(e, e, "%g", e);
        return corners(&base, &exponent, pow, "%s^%s");
    }
    const piece exponent = tame(g, scalar(g, depth - 1), 1.5);
    return corners(&base, &exponent, pow, "pow(%s, %s)");
}

static piece function(generator *g, int depth)
{
    const piece a = scalar(g, depth - 1);
    switch (below(g, 9)) {
    case 0: {
        const piece b = tame(g, a, 2);
        return make(exp(b.low), exp(b.high), "exp(%s)", b.text);
    }
    case 1:
        return make(-1, 1, "tanh(%s)", a.text);
    case 2:
        return make(0, 1, "sigmoid(%s)", a.text);
    case 3:
        return make(-1, 1, "%s(%s)", below(g, 2) ? "sin" : "cos", a.text);
    case 4:
        return make(0, size_of(&a), "abs(%s)", a.text);
    case 5:
        return below(g, 2) ? make(-1, 1, "sign(%s)", a.text)
                           : make(floor(a.low), floor(a.high), "floor(%s)", a.text);
    case 6: {
        const piece p = positive(g, depth);
        return make(log(p.low), log(p.high), "log(%s)", p.text);
    }
    case 7: {
        const piece p = positive(g, depth);
        return make(sqrt(p.low), sqrt(p.high), "sqrt(%s)", p.text);
    }
    default: {
        const piece p = positive(g, depth);
        return make(1 / sqrt(p.high), 1 / sqrt(p.low), "rsqrt(%s)", p.text);
    }
    }
}

/* A vector to a scalar. */
static piece contraction(generator *g, int depth)
{
    static const char *const orders[] = {"1", "1.5", "2", "3", "inf"};
    const piece v = vector(g, depth - 1), u = vector(g, depth - 1);
    const double d = g->dim, most = size_of(&v), product = d * most * size_of(&u);
    switch (below(g, 8)) {
    case 0:
        return make(-product, product, "dot(%s, %s)", v.text, u.text);
    case 1:
        return make(0, d * pow(most + size_of(&u), 2), "sqdist(%s, %s)", v.text, u.text);
    case 2:
        return make(0, sqrt(d) * most, "norm(%s)", v.text);
    case 3:
        return make(0, d * most, "norm_p(%s, %s)", v.text, orders[below(g, 5)]);
    case 4:
        return make(d * v.low, d * v.high, "sum(%s)", v.text);
    case 5:
        return make(v.low, v.high, "mean(%s)", v.text);
    case 6:
        return make(v.low, v.high, "%s(%s)", below(g, 2) ? "max" : "min", v.text);
    default:
        return make(v.low, v.high, "(%s)[%u]", v.text, below(g, (unsigned)g->dim));
    }
}

/* What scalars and vectors have in common; `of` makes an operand of the same type. */
static piece combination(generator *g, int depth, piece (*of)(generator *, int))
{
    const piece a = of(g, depth - 1), b = of(g, depth - 1), s = scalar(g, depth - 1);
    switch (below(g, 9)) {
    case 0:
        return make(a.low + b.low, a.high + b.high, "(%s + %s)", a.text, b.text);
    case 1:
        return make(a.low - b.high, a.high - b.low, "(%s - (%s))", a.text, b.text);
    case 2:
        return corners(&s, &a, times, "((%s) * (%s))");
    case 3: {
        const piece p = positive(g, depth);
        return corners(&a, &p, over, "((%s) / %s)");
    }
    case 4:
        return make(-a.high, -a.low, "(-(%s))", a.text);
    case 5: {
        const piece c = condition(g, depth);
        return make(fmin(a.low, b.low), fmax(a.high, b.high), "select(%s, %s, %s)", c.text, a.text, b.text);
    }
    case 6:
        return make(fmin(a.low, s.low), fmin(a.high, s.high), "min(%s, %s)", a.text, s.text);
    case 7:
        return make(fmax(a.low, fmax(b.low, s.low)), fmax(a.high, fmax(b.high, s.high)), "max(%s, %s, %s)",
                    a.text, b.text, s.text);
    default:
        return make(-0.75, 0.5, "clamp(%s, -0.75, 0.5)", a.text);
    }
}

static piece vector(generator *g, int depth)
{
    piece p;
    if (depth <= 0)
        return vector_leaf(g);
    if (below(g, 3)) {
        p = combination(g, depth, vector);
    } else {
        const piece a = vector(g, depth - 1), b = vector_leaf(g);
        switch (below(g, 5)) {
        case 0:
            p = make(0, size_of(&a) * size_of(&a), "(%s)^2", a.text);
            break;
        case 1:
            p = make(-1, 1, "%s(%s)", below(g, 2) ? "tanh" : "cos", a.text);
            break;
        case 2:
            p = make(0, size_of(&a), "abs(%s)", a.text);
            break;
        case 3:
            p = make(fmin(a.low, b.low), fmax(a.high, b.high), "select(%s < %s, %s, %s)", a.text, b.text,
                     b.text, a.text);
            break;
        default:
            p = make(exp(-size_of(&b)), exp(size_of(&b)), "exp(%s)", b.text);
        }
    }
    return tame(g, p, MOST);
}

static piece scalar(generator *g, int depth)
{
    if (depth <= 0)
        return scalar_leaf(g);
    switch (below(g, 8)) {
    case 0:
    case 1:
        return tame(g, function(g, depth), MOST);
    case 2:
        return tame(g, power(g, depth), MOST);
    case 3:
    case 4:
        return tame(g, contraction(g, depth), MOST);
    default:
        return tame(g, combination(g, depth, scalar), MOST);
    }
}

void generate_formula(uint64_t seed, int number, int dim, generated *formula)
{
    generator g = {.state = seed * 0x9e3779b97f4a7c15u + (uint64_t)number, .dim = dim};
    int length = 0;
    memset(formula, 0, sizeof *formula);
    for (int warm = 0; warm < 4; warm++)
        below(&g, 2);
    if (below(&g, 2)) {
        const piece s = tame(&g, scalar(&g, 2), 2);
        length = snprintf(formula->definitions, sizeof formula->definitions, "a%d = %s; ", number, s.text);
        g.scalar_name = make(s.low, s.high, "a%d", number);
    }
    if (below(&g, 2)) {
        const piece v = tame(&g, vector(&g, 1), 2);
        snprintf(formula->definitions + length, sizeof formula->definitions - (size_t)length, "v%d = %s; ",
                 number, v.text);
        g.vector_name = make(v.low, v.high, "v%d", number);
    }
    formula->vector = below(&g, 5) == 0;
    piece p;
    do
        p = formula->vector ? vector(&g, 2) : scalar(&g, 3);
    while (strlen(p.text) < SHORTEST);
    if (g.scalar_name.text[0] && !strstr(p.text, g.scalar_name.text))
        p = make(0, 1, "%s * (%s)", g.scalar_name.text, p.text);
    if (g.vector_name.text[0] && !strstr(p.text, g.vector_name.text))
        p = make(0, 1, formula->vector ? "%s + %s" : "%s + mean(%s)", p.text, g.vector_name.text);
    const bool i = strstr(formula->definitions, "[i]") || strstr(p.text, "[i]");
    const bool j = strstr(formula->definitions, "[j]") || strstr(p.text, "[j]");
    snprintf(formula->expression, sizeof formula->expression,
             i && j ? "%s" : "(%s) * (1 + 0.5 * q[i] * p[j])", p.text);
}
