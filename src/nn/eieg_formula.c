/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/eieg_formula.h"
#include <math.h>

/* The exponent of the stabiliser's kernel, where it is one of the capped kind. */
static double stabiliser_exponent(const dp__eieg_kernel *k)
{
    return k->stabiliser == DP_EIEG_STABILISER_C ? k->s + 2 : k->s;
}

void dp__eieg_scalars(const dp__eieg_kernel *k, dp_arg args[DP__EIEG_SCALARS])
{
    const double l2 = k->length * k->length;
    /* C's kernel comes out with length^(s + 2), B's with none. */
    const double stabiliser = k->stabiliser == DP_EIEG_STABILISER_C   ? 1 / l2
                              : k->stabiliser == DP_EIEG_STABILISER_B ? pow(k->length, k->s)
                                                                      : 1;
    args[0] = (dp_arg){"e2", NULL, k->eps * k->eps};
    args[1] = (dp_arg){"ie", NULL, 1 / k->eps};
    args[2] = (dp_arg){"l2", NULL, l2};
    args[3] = (dp_arg){"f2", NULL, k->eps_stab * k->eps_stab};
    args[4] = (dp_arg){"fs", NULL, stabiliser};
    args[5] = (dp_arg){"most", NULL, k->most};
}

/* name = (L / r)^s, of r^2 as text. */
static void add_power(dp__text *text, const dp__eieg_kernel *k, const char *name, const char *square, double s)
{
    const bool bounded = k->most > 0;
    dp__text_add(text, "%s = %s(l2 / (%s))^%.9g%s;", name, bounded ? "min(" : "", square, s / 2, bounded ? ", most)" : "");
}

/* The capped kernel in one expression: with u = max(t, eps^2) it is L^s u^(-s/2) (1 + s/2 max(1 - t / eps^2, 0)). */
static void add_capped(dp__text *text, const dp__eieg_kernel *k, char name, const char *eps2, double s)
{
    const char power[] = {name, 'v', '\0'}, square[] = {name, 'u', '\0'};
    if (s == 0)
        dp__text_add(text,
                     "%cu = max(t, %s); %ck = 0.5 * max(1 - t / %s, 0) - 0.5 * log(%cu); %cw = 1 / %cu;", name, eps2,
                     name, eps2, name, name, name);
    else {
        dp__text_add(text, "%s = max(t, %s);", square, eps2);
        add_power(text, k, power, square, s);
        dp__text_add(text, "%ck = %s * (1 + %.9g * max(1 - t / %s, 0)); %cw = %.9g * %s / %s;", name, power, s / 2, eps2, name, s, power,
                     square);
    }
}

void dp__eieg_add_kernel(dp__text *text, const dp__eieg_kernel *k)
{
    const double s = k->s;
    if (k->kernel == DP_EIEG_CAPPED)
        add_capped(text, k, 'k', "e2", s);
    else if (k->kernel == DP_EIEG_PLUMMER && s == 0)
        dp__text_add(text, "ku = t + e2; kk = -0.5 * log(ku); kw = 1 / ku;");
    else if (k->kernel == DP_EIEG_PLUMMER) {
        dp__text_add(text, "ku = t + e2;");
        add_power(text, k, "kk", "ku", s);
        dp__text_add(text, "kw = %.9g * kk / ku;", s);
    } else { /* d is the smoothed distance, r the one cut off: k'(r) = -s d^(-s-1) d'(r), d'(r) / r = 1 / max(r, eps) */
        dp__text_add(text, "kr = sqrt(max(t, e2)); kd = select(t >= e2, kr, 0.5 * (t + e2) * ie);");
        if (s == 0)
            dp__text_add(text, "kk = -log(kd); kw = 1 / (kd * kr);");
        else {
            add_power(text, k, "kk", "kd * kd", s);
            dp__text_add(text, "kw = %.9g * kk / (kd * kr);", s);
        }
    }
}

void dp__eieg_add_stabiliser(dp__text *text, const dp__eieg_kernel *k)
{
    if (k->most == 0)
        dp__text_add(text, "gs = fs;");
    else if (k->stabiliser == DP_EIEG_STABILISER_B)
        dp__text_add(text, "gs = min(l2^%.9g, most);", k->s / 2);
    else
        dp__text_add(text, k->stabiliser == DP_EIEG_STABILISER_C ? "gs = 1 / l2;" : "gs = 1;");
    if (k->stabiliser == DP_EIEG_STABILISER_B)
        dp__text_add(text, "sk = max(1 - t / f2, 0); sw = select(t < f2, 2 / f2, 0);");
    else
        add_capped(text, k, 's', "f2", stabiliser_exponent(k));
}

double dp__eieg_at_zero(const dp__eieg_kernel *k)
{
    const double s = k->s, plain = pow(k->length / k->eps, s);
    if (s == 0)
        return -log(k->eps) + (k->kernel == DP_EIEG_CAPPED ? 0.5 : k->kernel == DP_EIEG_SMOOTH_DIST ? log(2) : 0);
    return k->kernel == DP_EIEG_CAPPED        ? (s + 2) / 2 * plain
           : k->kernel == DP_EIEG_SMOOTH_DIST ? pow(2, s) * plain
                                              : plain;
}

/* Of k, of w, which is at most 2 s k(0) / eps^2 (1 / eps^2 or twice that for s = 0), and of L^2 / eps^2 in between. */
static double largest_of(double at_zero, double s, double eps, double length)
{
    const double w = s == 0 ? 2 / (eps * eps) : 2 * s * at_zero / (eps * eps);
    return fmax(fmax(fabs(at_zero), w), length * length / (eps * eps));
}

double dp__eieg_largest(const dp__eieg_kernel *k)
{
    const double own = largest_of(dp__eieg_at_zero(k), k->s, k->eps, k->length);
    dp__eieg_kernel stabiliser = *k;
    if (k->stabiliser == DP_EIEG_STABILISER_NONE)
        return own;
    if (k->stabiliser == DP_EIEG_STABILISER_B)
        return fmax(own, fmax(pow(k->length, k->s), 2 / (k->eps_stab * k->eps_stab)));
    stabiliser.kernel = DP_EIEG_CAPPED;
    stabiliser.s = stabiliser_exponent(k);
    stabiliser.eps = k->eps_stab;
    return fmax(own, largest_of(dp__eieg_at_zero(&stabiliser), stabiliser.s, k->eps_stab, k->length));
}
