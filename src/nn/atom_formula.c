/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas of Atom Modeling's losses. In them a sample's rows have h components like those of e, of which the first is
 * free, for it is the charge's there: what belongs to the whole sample is kept in it. */
#include "nn/atom_formula.h"
#include <math.h>

/* rho = |v|_p and g, its gradient. */
static void add_norm(dp__text *text, double norm)
{
    if (norm == 2)
        dp__text_add(text, "vv = dot(v, v); vr = select(vv > 0, rsqrt(vv), 0); rho = vv * vr; g = vr * v;");
    else if (norm == 1)
        dp__text_add(text, "rho = sum(abs(v)); g = sign(v);");
    else if (isinf(norm)) /* the first of the largest */
        dp__text_add(text, "rho = max(abs(v)); vk = min(select(abs(v) == rho, index(v), inf));"
                           "g = select(index(v) == vk, sign(v), 0);");
    else /* the largest is taken out, so that no power overflows */
        dp__text_add(text,
                     "vm = max(abs(v)); vs = abs(v) / max(vm, 1e-37); vt = sum(vs^%.9g)^(1 / %.9g);"
                     "rho = vm * vt; g = select(vm > 0, sign(v) * (vs / max(vt, 1))^(%.9g), 0);",
                     norm, norm, norm - 1);
}

/* Charge, mass and what is missing of it. */
#define UNIT "k = index(e[i]); q = tanh(0.5 * e[i][0]); ng = max(-q, 0); m = 1 - ng;"

void dp__atom_sums_formula(dp__text *text, bool nuclei)
{
    dp__text_add(text, UNIT "s = index(z[j]);");
    if (nuclei)
        dp__text_add(text, "select(k > 0, c * m * e[i], 0),");
    dp__text_add(text, "select(s < 1, max(q, 0), select(s < 2, ng, select(s < 3, q * q, 0))) + z[j]");
}

void dp__atom_radius_formula(dp__text *text, double norm, bool gradient)
{
    dp__text_add(text, UNIT "v = select(k > 0, e[i] - u[j], 0);");
    add_norm(text, norm);
    dp__text_add(text, gradient ? "select(k > 0, c * ng * g, c * ng * rho)" : "c * ng * rho");
}

/* What pairs of samples have in common: D with its gradient g, whether it is above its least value, and 1 / (D + R). */
static void add_distance(dp__text *text, double norm)
{
    dp__text_add(text, "k = index(u[i]); v = select(k > 0, u[i] - w[j], 0);");
    add_norm(text, norm);
    dp__text_add(text, "D = max(rho, 1e-6); inside = select(rho > 1e-6, 1, 0); far = 1 / (D + 0.5 * (r[i] + s[j]));");
}

static void add_to_sums(dp__text *text, const char *of)
{
    dp__text_add(text,
                 ", c * select(l < 1, %s[0] * near - %s[1] * far, select(l < 2, %s[1] * near - %s[0] * far,"
                 "select(l < 3, 0, (%s[0] - %s[1]) * near)))",
                 of, of, of, of, of, of);
}

void dp__atom_closed_formula(dp__text *text, double norm, bool gradient, bool both)
{
    add_distance(text, norm);
    dp__text_add(text, "near = 1 / D; like = t[i][0] * p[j][0] + t[i][1] * p[j][1];"
                       "unlike = t[i][0] * p[j][1] + t[i][1] * p[j][0];");
    if (!gradient) {
        dp__text_add(text, "like * near - unlike * far");
        return;
    }
    dp__text_add(text, "gd = inside * (unlike * far * far - like * near * near); gr = 0.5 * unlike * far * far;"
                       "l = index(t[i]); like * near - unlike * far, c * select(k > 0, gd * g, gr)");
    add_to_sums(text, "p[j]");
    if (both) {
        dp__text_add(text, ", c * select(k > 0, -gd * g, gr)");
        add_to_sums(text, "t[i]");
    }
}

void dp__atom_distance_formula(dp__text *text, double norm, bool gradient)
{
    add_distance(text, norm);
    dp__text_add(text, gradient ? "1 / D, far, select(k > 0, inside * g, 0)" : "1 / D, far");
}

/* a is the gradient to the sample's row: to the radius in component 0, to the nucleus behind it. */
void dp__atom_gradient_formula(dp__text *text, double norm, dp__atom_force force)
{
    dp__text_add(text, UNIT);
    if (force != DP__ATOM_NO_FORCE) {
        dp__text_add(text, "v = select(k > 0, e[i] - u[j], 0);");
        add_norm(text, norm);
        dp__text_add(text, "dr = a[j][0]; toward = select(k > 0, a[j] - dr * w[j], 0);"
                           "dm = c * (dot(toward, e[i]) - dr * rho);");
    }
    dp__text_add(text, "dq = cc * (t[j][0] - t[j][1]) * 2 + cp * (t[j][2] - third) * 4 * q");
    if (force != DP__ATOM_NO_FORCE)
        dp__text_add(text, " + select(q < 0, dm, 0)");
    if (force == DP__ATOM_CLOSED)
        dp__text_add(text, " + select(q > 0, b[j][0], select(q < 0, -b[j][1], b[j][3]))");
    if (force == DP__ATOM_DRAWN_PAIRS)
        dp__text_add(text, " + b[i]");
    dp__text_add(text, "; select(k > 0, %s, 0.5 * (1 - q * q) * dq)",
                 force == DP__ATOM_NO_FORCE ? "0 * k" : "c * (m * toward + dr * ng * g)");
}
