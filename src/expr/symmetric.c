/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a formula stays the same when i and j are exchanged.
 *
 * Every node of the formula and of its exchanged copy gets a number and a sign, so that equal numbers are equal functions,
 * and so are equal signs. x[i] - x[j] and x[j] - x[i] have one number and opposite signs, which a product of the two, an
 * even power or abs() loses again. Products of a few factors are numbered by their sorted factors, so that the order in which
 * they were written does not matter. min and max are not taken for commutative: of equal operands the gradient goes to the
 * first, so exchanged they have another gradient. What is not recognised costs a second pass and nothing else. */
#include "expr/expr.h"
#include <dipole/formula.h>
#include <math.h>

typedef struct term {
    int number, sign; /* sign: 1 or -1 */
} term;

typedef struct numbering {
    dp__node *keys; /* of each number: its operands are 2 * number + (sign < 0), but for -1 */
    int count;
} numbering;

enum { MOST_FACTORS = 8, MOST_NODES = 1024 }; /* the work is the square of both */

static int literal(term t)
{
    return 2 * t.number + (t.sign < 0);
}

static int number_of(numbering *n, const dp__node *key)
{
    for (int k = 0; k < n->count; k++) {
        const dp__node *other = &n->keys[k];
        if (other->kind == key->kind && other->dim == key->dim && other->operand[0] == key->operand[0] &&
            other->operand[1] == key->operand[1] && other->operand[2] == key->operand[2] && other->value == key->value &&
            other->symbol == key->symbol && other->side == key->side)
            return k;
    }
    n->keys[n->count] = *key;
    return n->count++;
}

static void swap_if(bool condition, term *a, term *b)
{
    const term kept = *a;
    if (condition) {
        *a = *b;
        *b = kept;
    }
}

/* A sum: the smaller number first, and with the sign of the sum before it. */
static term number_sum(numbering *n, dp__node key, term a, term b)
{
    swap_if(a.number > b.number, &a, &b);
    key.kind = DP__NODE_ADD;
    key.operand[0] = 2 * a.number;
    key.operand[1] = 2 * b.number + (a.sign != b.sign);
    return (term){number_of(n, &key), a.sign};
}

static term number_quotient(numbering *n, dp__node key, term a, term b)
{
    key.operand[0] = 2 * a.number;
    key.operand[1] = 2 * b.number;
    return (term){number_of(n, &key), a.sign * b.sign};
}

/* Inserts the factors of a product, which is ((f0 * f1) * f2) ..., into the sorted list; false where there are too many. */
static bool add_factors(const numbering *n, int number, int factors[MOST_FACTORS], int *count)
{
    for (bool more = true; more;) {
        const dp__node *key = &n->keys[number];
        more = key->kind == DP__NODE_MUL;
        const int factor = more ? key->operand[1] / 2 : number;
        if (*count == MOST_FACTORS)
            return false;
        int at = (*count)++;
        for (; at > 0 && factors[at - 1] > factor; at--)
            factors[at] = factors[at - 1];
        factors[at] = factor;
        number = more ? key->operand[0] / 2 : number;
    }
    return true;
}

static term number_product(numbering *n, dp__node key, term a, term b)
{
    int factors[MOST_FACTORS], count = 0;
    if (!add_factors(n, a.number, factors, &count) || !add_factors(n, b.number, factors, &count)) {
        swap_if(a.number > b.number, &a, &b);
        return number_quotient(n, key, a, b);
    }
    int number = factors[0];
    for (int f = 1; f < count; f++) {
        key.operand[0] = 2 * number;
        key.operand[1] = 2 * factors[f];
        key.dim = DP_MAX2(n->keys[number].dim, n->keys[factors[f]].dim);
        number = number_of(n, &key);
    }
    return (term){number, a.sign * b.sign};
}

/* A function of one operand: sign is what remains of the operand's. */
static term number_function(numbering *n, dp__node key, term a, bool odd)
{
    key.operand[0] = 2 * a.number;
    return (term){number_of(n, &key), odd ? a.sign : 1};
}

static term number_power(numbering *n, const dp__expr *expr, dp__node key, term a, term b)
{
    const dp__node *exponent = &expr->nodes[key.operand[1]];
    const bool whole = exponent->kind == DP__NODE_CONST && floor(exponent->value) == exponent->value;
    const bool odd = whole && fmod(exponent->value, 2) != 0;
    key.operand[0] = whole ? 2 * a.number : literal(a);
    key.operand[1] = literal(b);
    return (term){number_of(n, &key), odd ? a.sign : 1};
}

static term number_node(numbering *n, const dp__expr *expr, const term *terms, int node, bool exchanged)
{
    dp__node key = expr->nodes[node];
    term t[3] = {{0}};
    for (int o = 0; o < 3; o++)
        if (key.operand[o] >= 0)
            t[o] = terms[key.operand[o]];
    switch (key.kind) {
    case DP__NODE_SYMBOL:
        if (exchanged && key.side != DP__SIDE_CALL)
            key.side = key.side == DP__SIDE_I ? DP__SIDE_J : DP__SIDE_I;
        break;
    case DP__NODE_NEG:
        return (term){t[0].number, -t[0].sign};
    case DP__NODE_SUB:
        t[1].sign = -t[1].sign;
        return number_sum(n, key, t[0], t[1]);
    case DP__NODE_ADD:
        return number_sum(n, key, t[0], t[1]);
    case DP__NODE_MUL:
        return number_product(n, key, t[0], t[1]);
    case DP__NODE_DIV:
        return number_quotient(n, key, t[0], t[1]);
    case DP__NODE_POW:
        return number_power(n, expr, key, t[0], t[1]);
    case DP__NODE_SUM:
    case DP__NODE_SIN:
    case DP__NODE_TANH:
    case DP__NODE_SIGN:
        return number_function(n, key, t[0], true);
    case DP__NODE_ABS:
    case DP__NODE_COS:
        return number_function(n, key, t[0], false);
    case DP__NODE_EQ:
    case DP__NODE_NE:
    case DP__NODE_AND:
    case DP__NODE_OR:
        swap_if(literal(t[0]) > literal(t[1]), &t[0], &t[1]);
        break;
    default:
        break;
    }
    for (int o = 0; o < 3; o++)
        if (key.operand[o] >= 0)
            key.operand[o] = literal(t[o]);
    return (term){number_of(n, &key), 1};
}

bool dp__expr_parity(const dp__expr *expr, int *parity)
{
    const size_t most = 2 * (size_t)expr->node_count + 1;
    if (expr->node_count > MOST_NODES)
        return false;
    numbering n = {dp__alloc(most * MOST_FACTORS, sizeof(*n.keys)), 0};
    term *terms = dp__alloc(most, sizeof(*terms)), *other = terms ? terms + expr->node_count : NULL;
    const bool good = n.keys && terms;
    bool all = good;
    for (int k = 0; good && k < expr->node_count; k++) {
        terms[k] = number_node(&n, expr, terms, k, false);
        other[k] = number_node(&n, expr, other, k, true);
    }
    for (int o = 0; o < expr->output_count; o++) {
        const int node = expr->outputs[o];
        parity[o] = good && terms[node].number == other[node].number ? terms[node].sign * other[node].sign : 0;
        all = all && parity[o] != 0;
    }
    dp__free(n.keys);
    dp__free(terms);
    return all;
}

bool dp__expr_symmetric(const dp__expr *expr)
{
    int parity[DP_MAX_OUTPUTS];
    bool symmetric = expr->output_count <= DP_MAX_OUTPUTS && dp__expr_parity(expr, parity);
    for (int o = 0; symmetric && o < expr->output_count; o++)
        symmetric = parity[o] > 0;
    return symmetric;
}
