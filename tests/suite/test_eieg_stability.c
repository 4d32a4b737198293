/* SPDX-License-Identifier: Apache-2.0 */
/* Linear stability of EIEG in the plane (the paper's appendix C; docs/results/stability.md): a constant density of points whose places
 * are moved by a small wave. A step of the generator damps the wave, one of the discriminator without a stabiliser makes it grow, each at
 * a rate that follows from the Fourier transforms of the kernels. Prints the rates. */
#include "suite.h"

#include <dipole/eieg.h>

#include <math.h>
#include <stdlib.h>

enum {
    COLUMNS = 60,
    ROWS = 32,
    POINTS = COLUMNS * ROWS
};
#define APART     0.2 /* of the points: a box of 12 x 6.4 */
#define EPS       0.4 /* two of them, so that Plummer's kernel, which is smooth, sees a density */
#define AMPLITUDE 0.02

static const double pi = 3.14159265358979323846;

/* What is shown here does not depend on the device, whose losses are compared with the reference elsewhere. */
static bool is_reference(dp_device *device)
{
    return dp_device_get_info(device).type == DP_DEVICE_REFERENCE;
}

/* Of a kernel that is r^-s from `cap` on and a parabola within (s = 0 here: the parabola (1 - r^2 / cap^2) alone), the Fourier
 * transform at |k|: 2 pi int k(r) J0(|k| r) r dr, by Simpson's rule, and from 1/r its own transform 2 pi / |k|. */
static double transform(double s, double cap, double k)
{
    enum { STEPS = 4000 };
    const double h = cap / STEPS;
    double sum = 0;
    for (int t = 0; t <= STEPS; t++) {
        const double r = t * h, weight = t == 0 || t == STEPS ? 1 : t % 2 ? 4 : 2;
        const double value = s == 0 ? 1 - r * r / (cap * cap) : ((s + 2) / 2 - s / 2 * r * r / (cap * cap)) * pow(cap, -s);
        sum += weight * j0(k * r) * (s == 1 ? value * r - 1 : value * r);
    }
    double result = sum * h / 3 + (s == 1 ? 1 / k : 0);
    if (s == 3) { /* the tail of r^-2 J0, with u = 1 / r: int_0^(1/cap) J0(k / u) du */
        const double top = 1 / cap, step = top / 40000;
        for (int t = 0; t < 40000; t++)
            result += step * j0(k / ((t + 0.5) * step));
    }
    return 2 * pi * result;
}

/* lambda beyond which every wave that is at most as long as a box of side 8, with |k| <= 4, is stable. */
static double critical(double s, double cap)
{
    double most = 0;
    for (int step = 0; step <= 16; step++) {
        const double least = pi / 4, k = least + (4 - least) * step / 16;
        most = fmax(most, transform(1, 0.1, k) / transform(s, cap, k));
    }
    return most;
}

static void critical_weights(dp_device *device)
{
    if (!is_reference(device))
        return;
    assert_true(fabs(critical(1, 0.8) - 10.2) <= 0.05);
    assert_true(fabs(critical(0, 0.8) - 8.0) <= 0.05);
    assert_true(fabs(critical(3, 0.8) - 1.41) <= 0.005);
}

static double place(int point, int axis)
{
    return APART * (axis == 0 ? point % COLUMNS - (COLUMNS - 1) / 2.0 : point / COLUMNS - (ROWS - 1) / 2.0);
}

typedef dp_tensor *call(dp_device *device, const dp_tensor *x, const dp_tensor *y, const dp_eieg_params *params);

/* -N times the gradient of a loss by its first points, where these are the lattice with a wave of wave number k, the others the lattice:
 * how fast the wave grows, over its amplitude, in the middle, where the edges are far. */
static double growth(dp_device *device, call *function, const dp_eieg_params *params, double k)
{
    float *x = malloc(sizeof(float[2 * POINTS])), *y = malloc(sizeof(float[2 * POINTS]));
    assert_true(x && y);
    for (int p = 0; p < POINTS; p++) {
        x[2 * p] = (float)(place(p, 0) + AMPLITUDE * sin(k * place(p, 0)));
        y[2 * p] = (float)place(p, 0);
        x[2 * p + 1] = y[2 * p + 1] = (float)place(p, 1);
    }
    dp_tensor *moved = dp_from(device, DP_F32, DP_SHAPE(POINTS, 2), x), *still = dp_from(device, DP_F32, DP_SHAPE(POINTS, 2), y);
    dp_require_grad(moved);
    dp_tensor *loss = function(device, moved, still, params);
    suite_ok(device);
    assert_int_equal(dp_backward(loss), DP_OK);
    assert_int_equal(dp_read(dp_grad(moved), x, sizeof(float[2 * POINTS])), DP_OK);
    double along = 0, all = 0;
    for (int p = 0; p < POINTS; p++) {
        const double wave = sin(k * place(p, 0));
        if (fabs(place(p, 0)) < 4 && fabs(place(p, 1)) < 0.5) {
            along -= POINTS * (double)x[2 * p] * wave;
            all += wave * wave;
        }
    }
    dp_tensor_release(&loss);
    dp_tensor_release(&moved);
    dp_tensor_release(&still);
    free(x);
    free(y);
    return along / all / AMPLITUDE;
}

/* Of Plummer's kernel, whose transform is 2 pi exp(-eps k) / k: 2 c k^2 K^, with the density c of all points together 1 over the area;
 * negative, decay, for the generator. */
static void growth_rates(dp_device *device)
{
    const dp_eieg_params params = {.eps = EPS, .kernel = DP_EIEG_PLUMMER, .stabiliser = DP_EIEG_STABILISER_NONE};
    if (is_reference(device))
        return;
    for (int waves = 4; waves <= 8; waves += 2) {
        const double k = 2 * pi * waves / (COLUMNS * APART), expected = 4 * pi * k * exp(-EPS * k) / (POINTS * APART * APART);
        const double generator = growth(device, dp_eieg_generator_loss, &params, k), discriminator = growth(device, dp_eieg_discriminator_loss, &params, k);
        print_message("k = %.3f: generator %.5f, discriminator %.5f, expected -+ %.5f\n", k, generator, discriminator, expected);
        assert_true(fabs(generator + expected) <= 0.02 * expected && fabs(discriminator - expected) <= 0.02 * expected);
    }
}

static double loss_of(dp_device *device, double amplitude, call *function, const dp_eieg_params *params)
{
    enum { SIDE = 16 };
    float x[SIDE * SIDE * 2];
    for (int k = 0; k < SIDE * SIDE; k++) {
        const double place = 0.5 * (k % SIDE); /* a wave of length 4 along the first axis */
        x[2 * k] = (float)(place + amplitude * cos(acos(-1) / 2 * place));
        x[2 * k + 1] = 0.5f * (float)(k / SIDE);
    }
    const float far[2] = {3.75f, 3.75f};
    dp_tensor *f = dp_from(device, DP_F32, DP_SHAPE(SIDE * SIDE, 2), x), *g = dp_from(device, DP_F32, DP_SHAPE(1, 2), far);
    dp_tensor *value = function(device, f, g, params);
    suite_ok(device);
    const double found = dp_item(value);
    dp_tensor_release(&f);
    dp_tensor_release(&g);
    dp_tensor_release(&value);
    return found;
}

/* Curvature of a loss along a wave of density; the one point of the other set is subtracted. Descent makes a wave grow
 * where it is negative. */
static double curvature(dp_device *device, call *function, const dp_eieg_params *params, double cross)
{
    const dp_eieg_params alone = {.no_self = true};
    double sum = 0;
    for (int k = -1; k <= 1; k++) {
        const double amplitude = 0.1 * k, weight = k == 0 ? -2 : 1;
        sum += weight * (loss_of(device, amplitude, function, params) -
                         cross * loss_of(device, amplitude, dp_eieg_generator_loss, &alone));
    }
    return sum / 0.01;
}

static void signs(dp_device *device)
{
    const dp_eieg_params none = {.stabiliser = DP_EIEG_STABILISER_NONE}, weak = {.lambda = 0.2}, strong = {.lambda = 5};
    if (!is_reference(device))
        return;
    assert_true(curvature(device, dp_eieg_generator_loss, &none, 1) > 1e-3);
    assert_true(curvature(device, dp_eieg_discriminator_loss, &none, -1) < -1e-3);
    assert_true(curvature(device, dp_eieg_discriminator_loss, &weak, -1) < -1e-3);
    assert_true(curvature(device, dp_eieg_discriminator_loss, &strong, -1) > 1e-3);
}

int main(void)
{
    static const suite_test tests[] = {{"growth rates", growth_rates}, {"critical weights", critical_weights}, {"signs", signs}};
    return suite_run("eieg_stability", tests, sizeof tests / sizeof *tests);
}
