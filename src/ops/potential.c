/* SPDX-License-Identifier: Apache-2.0 */
/* The potentials that have a name. Nothing else in the library knows one. */
#include "ops/formula.h"
#include <dipole/potential.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RADIAL(text) .formula = "t = sqdist(x[i], y[j]); " text, .radial = text, .tensors = "x[i] y[j]"

/* Parameters that several rows have. Squares of lengths must be normal numbers of f32, and so must their inverse. */
#define LENGTH_LOW  1e-18
#define LENGTH_HIGH 1e18
#define LENGTH(name, value, meaning) {name, value, LENGTH_LOW, LENGTH_HIGH, false, "length", meaning}
#define SOFTENING(value) LENGTH("eps", value, "softening: the distance is sqrt(r^2 + eps^2)")
#define EXPONENT(low) {"s", 1, low, 64, true, "", "exponent; d - 1 is the elastic interaction in d dimensions"}

static const dp_potential table[] = {
    {.name = "riesz",
     RADIAL("e = eps^2; m = max(t, e); u = 1 - t / e; "
            "select(s == 0, select(t < e, 0.5 * u - 0.5 * log(e), -0.5 * log(m)), "
            "select(t < e, e^(-s / 2) * (1 + s / 2 * u), m^(-s / 2)))"),
     .parameter = {EXPONENT(0), LENGTH("eps", 0.1, "cut-off: a parabola in r below it")},
     .at_zero = "k = (s + 2) / 2 eps^-s (s = 0: 1 / 2 - log(eps)), g = 0; g is linear in r below eps",
     .source = "r^-s, for s = 0 its limit -log(r); Chen, Wu, Xiang, arXiv:2303.10553, Eq. 4, read as a quadratic cap"},
    {.name = "riesz_smooth",
     RADIAL("q = select(t < eps^2, 0.5 * (t / eps + eps), sqrt(t)); select(s == 0, -log(q), q^(-s))"),
     .parameter = {EXPONENT(0), LENGTH("eps", 0.1, "cut-off: the distance is r^2 / (2 eps) + eps / 2 below it")},
     .at_zero = "k = (eps / 2)^-s (s = 0: -log(eps / 2)), g = 0",
     .source = "r^-s; Chen, Wu, Xiang, arXiv:2303.10553, Eq. 4, read as a smoothed distance"},
    {.name = "plummer",
     RADIAL("(t + eps^2)^(-s / 2)"),
     .parameter = {{"s", 1, 1e-3, 64, true, "", "exponent"}, SOFTENING(0.1)},
     .at_zero = "k = eps^-s, g = 0",
     .positive = true,
     .source = "Plummer, MNRAS 71 (1911) 460; Unterthiner et al., Coulomb GANs, ICLR 2018"},
    {.name = "coulomb",
     RADIAL("c * rsqrt(t + eps^2)"),
     .parameter = {{"c", 1, -1e18, 1e18, false, "energy length", "energy of two unit charges at distance 1"}, SOFTENING(1e-3)},
     .at_zero = "k = c / eps, g = 0",
     .positive = true,
     .source = "Coulomb's law in three dimensions, softened as Plummer's; charges are weights of the points"},
    {.name = "energy",
     RADIAL("-(t + eps^2)^(b / 2)"),
     .parameter = {{"b", 1, 1e-3, 2, true, "", "exponent; conditionally positive definite below 2"},
                   {"eps", 0, 0, LENGTH_HIGH, false, "length", "softening; 0: none"}},
     .at_zero = "k = -eps^b, g = 0 (eps = 0 has a kink there: 0 is taken, b < 1 is steep beside it)",
     .positive = true,
     .source = "Szekely, Rizzo, J. Stat. Plann. Inference 143 (2013) 1249"},
    {.name = "log",
     RADIAL("-0.5 * log(t + eps^2)"),
     .parameter = {SOFTENING(0.1)},
     .at_zero = "k = -log(eps), g = 0",
     .positive = true,
     .source = "the limit of (k - 1) / s for plummer with s -> 0"},
    {.name = "gaussian",
     RADIAL("exp(-0.5 / sigma^2 * t)"),
     .parameter = {LENGTH("sigma", 1, "bandwidth")},
     .at_zero = "k = 1, g = 0",
     .positive = true,
     .source = "Gretton et al., JMLR 13 (2012) 723"},
    {.name = "gaussians",
     .formula = "t = sqdist(x[i], y[j]); sum(exp(-0.5 * t / h^2))",
     .tensors = "x[i] y[j] h",
     .at_zero = "k = the number of bandwidths, g = 0",
     .positive = true,
     .source = "the sum of gaussians of bandwidths h (a vector of the call); Li et al., MMD GAN, NeurIPS 2017"},
    {.name = "laplace",
     RADIAL("exp(-sqrt(t) / sigma)"),
     .parameter = {LENGTH("sigma", 1, "length over which it falls by e")},
     .at_zero = "k = 1, a kink: g = 0 is taken",
     .positive = true,
     .source = "Rasmussen, Williams, Gaussian Processes for Machine Learning, 2006, Eq. 4.18 (Matern 1/2)"},
    {.name = "inverse_multiquadric",
     RADIAL("(c^2 + t)^(-b)"),
     .parameter = {{"b", 0.5, 1e-3, 32, true, "", "exponent"}, LENGTH("c", 1, "length below which it is flat")},
     .at_zero = "k = c^(-2 b), g = 0",
     .positive = true,
     .source = "Hardy, J. Geophys. Res. 76 (1971) 1905; Gorham, Mackey, ICML 2017"},
    {.name = "rational_quadratic",
     RADIAL("(1 + t / (2 * a * l^2))^(-a)"),
     .parameter = {{"a", 1, 1e-3, 64, true, "", "exponent; gaussian of sigma = l for a -> infinity"}, LENGTH("l", 1, "length")},
     .at_zero = "k = 1, g = 0",
     .positive = true,
     .source = "Rasmussen, Williams 2006, Eq. 4.19"},
    {.name = "student_t",
     RADIAL("(1 + t / nu)^(-(nu + 1) / 2)"),
     .parameter = {{"nu", 1, 1e-3, 64, true, "", "degrees of freedom; 1: 1 / (1 + r^2)"}},
     .at_zero = "k = 1, g = 0",
     .positive = true,
     .source = "van der Maaten, Hinton, JMLR 9 (2008) 2579, Eq. 4"},
    {.name = "matern32",
     RADIAL("z = sqrt(3 * t) / l; (1 + z) * exp(-z)"),
     .parameter = {LENGTH("l", 1, "length")},
     .at_zero = "k = 1, g = 0",
     .positive = true,
     .source = "Rasmussen, Williams 2006, Eq. 4.17"},
    {.name = "matern52",
     RADIAL("z = sqrt(5 * t) / l; (1 + z + z^2 / 3) * exp(-z)"),
     .parameter = {LENGTH("l", 1, "length")},
     .at_zero = "k = 1, g = 0",
     .positive = true,
     .source = "Rasmussen, Williams 2006, Eq. 4.17"},
    {.name = "wendland_c2",
     RADIAL("z = sqrt(t) / R; max(0, 1 - z)^4 * (4 * z + 1)"),
     .parameter = {LENGTH("R", 1, "radius: 0 beyond it")},
     .at_zero = "k = 1, g = 0; positive definite for d <= 3 only",
     .source = "Wendland, Adv. Comput. Math. 4 (1995) 389"},
    {.name = "parabola",
     RADIAL("max(0, 1 - t / R^2)"),
     .parameter = {LENGTH("R", 1, "radius: 0 beyond it")},
     .at_zero = "k = 1, g = 0; a kink at r = R",
     .source = "Epanechnikov, Theory Probab. Appl. 14 (1969) 153"},
    {.name = "yukawa",
     RADIAL("a = sqrt(t + eps^2); exp(-kappa * a) / a"),
     .parameter = {{"kappa", 1, 0, 1e18, false, "1/length", "screening"}, SOFTENING(0.1)},
     .at_zero = "k = exp(-kappa eps) / eps, g = 0",
     .positive = true,
     .source = "Yukawa, Proc. Phys.-Math. Soc. Japan 17 (1935) 48, softened as Plummer's"},
    {.name = "lennard_jones",
     RADIAL("e = cut^2; c = (sigma^2 / e)^3; p = (sigma^2 / max(t, e))^3; "
            "4 * epsilon * select(t < e, c^2 - c + (1 - t / e) * (6 * c^2 - 3 * c), p^2 - p)"),
     .parameter = {{"epsilon", 1, -1e18, 1e18, false, "energy", "depth of the well"},
                   LENGTH("sigma", 1, "where it is 0"),
                   LENGTH("cut", 0.5, "a parabola in r below it; (sigma / cut)^12 must fit into f32")},
     .at_zero = "k = 4 epsilon (7 c^2 - 4 c) with c = (sigma / cut)^6, g = 0",
     .source = "Lennard-Jones, Proc. Phys. Soc. 43 (1931) 461"},
    {.name = "atoms",
     .formula = "z = q[i] * p[j]; z / (max(norm(x[i] - y[j]), delta) + select(z < 0, 0.5 * (r[i] + s[j]), 0))",
     .tensors = "x[i] y[j] q[i] p[j] r[i] s[j]",
     .parameter = {{"delta", 1e-6, 1e-18, 1e18, false, "length", "least distance of two nuclei"}},
     .at_zero = "k = q p / delta (unlike charges: q p / (delta + R)), g = 0 to the nuclei within delta",
     .source = "Atom Modeling, force of sub-units: nuclei x, y, charges q, p, radii r, s, a row for each sub-unit"},
};

const dp_potential *dp_potential_at(size_t index)
{
    return index < sizeof table / sizeof *table ? &table[index] : NULL;
}

const dp_potential *dp_potential_find(const char *name)
{
    for (size_t k = 0; name && dp_potential_at(k); k++)
        if (strcmp(table[k].name, name) == 0)
            return &table[k];
    return NULL;
}

int dp_potential_parameter_count(const dp_potential *potential)
{
    int count = 0;
    while (potential && count < DP_MAX_PARAMETERS && potential->parameter[count].name)
        count++;
    return count;
}

/* Whether `name` is one of the tensors, "x[i] y[j] h". */
static bool has_tensor(const dp_potential *potential, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = potential->tensors; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strncmp(at, name, length) == 0 && strchr("[ ", at[length])) /* or the end */
            return true;
    return false;
}

static const dp_parameter *find_parameter(const dp_potential *potential, const char *name)
{
    for (int k = 0; k < dp_potential_parameter_count(potential); k++)
        if (strcmp(potential->parameter[k].name, name) == 0)
            return &potential->parameter[k];
    return NULL;
}

/* Adds the argument, or the definition of an exponent. */
static void add_argument(dp_potential_call *call, const dp_parameter *parameter, dp_arg arg)
{
    if (!parameter || !parameter->exponent || arg.tensor) {
        call->arg[call->args.count++] = arg;
        return;
    }
    const size_t used = strlen(call->text);
    snprintf(call->text + used, sizeof call->text - used, "%s = %.9g; ", arg.name, arg.scalar);
    for (char *at = call->text + used; *at; at++)
        *at = *at == ',' ? '.' : *at; /* whatever the locale */
}

static dp_status check_given(dp_device *device, const dp_potential *potential, const dp_arg *arg)
{
    const dp_parameter *parameter = find_parameter(potential, arg->name);
    if (!parameter && !has_tensor(potential, arg->name))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s has no argument \"%.64s\"", potential->name, arg->name);
    if (parameter && !arg->tensor && !(arg->scalar >= parameter->low && arg->scalar <= parameter->high))
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s: %s is %g; %g to %g is allowed", potential->name, arg->name, arg->scalar,
                        parameter->low, parameter->high);
    return DP_OK;
}

static bool given(dp_args args, const char *name)
{
    for (int k = 0; k < args.count; k++)
        if (strcmp(args.arg[k].name, name) == 0)
            return true;
    return false;
}

static dp_status prepare_named(dp_device *device, const dp_potential *potential, dp_args args, dp_potential_call *call)
{
    for (int k = 0; k < args.count; k++) {
        DP_CHECK(check_given(device, potential, &args.arg[k]));
        add_argument(call, find_parameter(potential, args.arg[k].name), args.arg[k]);
    }
    for (int k = 0; k < dp_potential_parameter_count(potential); k++) {
        const dp_parameter *parameter = &potential->parameter[k];
        if (given(args, parameter->name))
            continue;
        if (call->args.count == DP_MAX_ARGS)
            return dp__fail(device, DP_ERROR_ARGUMENT, "%s: more than %d arguments with the defaults of its parameters",
                            potential->name, DP_MAX_ARGS);
        add_argument(call, parameter, (dp_arg){parameter->name, NULL, parameter->value});
    }
    const size_t used = strlen(call->text);
    snprintf(call->text + used, sizeof call->text - used, "%s", potential->formula);
    call->formula = call->text;
    return DP_OK;
}

/* A word alone is no formula of pairs, and most likely a name that was mistyped. */
static bool is_word(const char *text)
{
    while (isalnum((unsigned char)*text) || *text == '_' || *text == '-')
        text++;
    return *text == '\0';
}

dp_status dp_potential_prepare(dp_device *device, const char *potential, dp_args args, dp_potential_call *call)
{
    DP_CHECK(dp__check_device(device));
    if (!potential || !call)
        return dp__fail(device, DP_ERROR_ARGUMENT, "%s is NULL", potential ? "call" : "potential");
    DP_CHECK(dp__formula_check_args(device, potential, args));
    *call = (dp_potential_call){.formula = potential, .args = {call->arg, 0}};
    const dp_potential *found = dp_potential_find(potential);
    if (found)
        return prepare_named(device, found, args, call);
    if (is_word(potential))
        return dp__fail(device, DP_ERROR_ARGUMENT, "\"%.64s\" is neither the name of a potential nor a formula of pairs",
                        potential);
    for (int k = 0; k < args.count; k++)
        call->arg[call->args.count++] = args.arg[k];
    return DP_OK;
}
