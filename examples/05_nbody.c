/* SPDX-License-Identifier: Apache-2.0 */
/* Lesson 5: bodies that attract each other, stepped on the device by velocity Verlet, and their energy, which
 * must stay. The method is of second order: with half the step the energy's error must fall to a quarter, or
 * something is wrong. 05_nbody [NUMBER OF BODIES] */
#include <dipole/dipole.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TIME 2.0

typedef struct bodies {
    dp_device *dev;
    dp_tensor *x, *v, *m, *column; /* [n, 3], [n, 3], [n]; m as [n, 1], a view that stands next to [n, 3] */
    dp_tensor *slope;              /* of the potential energy, [n, 3]: minus the forces */
    dp_tensor *potential;          /* the energy itself */
} bodies;

/* Energy and forces come from one pass over the pairs: 0.5 sum m_i m_j k(x_i, x_j), softened where two bodies
 * meet. */
static void pull(bodies *b)
{
    const dp_metric_params gravity = {
        .potential = "coulomb",
        .args = DP_ARGS({.name = "c", .scalar = -1}, {.name = "eps", .scalar = 0.2}),
        .x_weights = b->m,
        .xx = 0.5};
    dp_metric_gradients gradients = {NULL};
    dp_tensor_release(&b->potential);
    dp_tensor_release(&b->slope);
    b->potential = dp_metric(b->dev, b->x, NULL, &gravity, DP_METRIC_X, &gradients);
    b->slope = gradients.x;
}

static double energy(const bodies *b)
{
    dp_tensor *kinetic = dp_map(b->dev, "0.5 * m * v^2", DP_ARGS({"m", b->column, 0}, {"v", b->v, 0}));
    dp_tensor *sum = dp_reduce(b->dev, kinetic, DP_SUM, DP_ALL_AXES);
    const double total = dp_item(sum) + dp_item(b->potential);
    dp_tensor_release(&kinetic);
    dp_tensor_release(&sum);
    return total;
}

/* Half a kick, a drift, and half a kick with the new forces; x and v are written in place and never leave the
 * device. */
static void step(bodies *b, double dt)
{
    const dp_args args = DP_ARGS({"x", b->x, 0}, {"v", b->v, 0}, {"m", b->column, 0}, {"g", b->slope, 0},
                                 {.name = "dt", .scalar = dt});
    dp_map_into(b->dev, "w = v - 0.5 * dt * g / m; x + dt * w, w", args, (dp_tensor *[]){b->x, b->v}, 2);
    pull(b);
    dp_map_into(
        b->dev, "v - 0.5 * dt * g / m",
        DP_ARGS({"v", b->v, 0}, {"m", b->column, 0}, {"g", b->slope, 0}, {.name = "dt", .scalar = dt}), &b->v,
        1);
}

/* The largest error of the energy on the way, relative to the potential energy at the start. */
static double simulate(dp_device *dev, int64_t n, int steps)
{
    bodies b = {.dev = dev,
                .x = dp_randn(dev, 1, DP_SHAPE(n, 3)),
                .v = dp_uniform(dev, 2, DP_SHAPE(n, 3), -0.5, 0.5),
                .m = dp_uniform(dev, 3, DP_SHAPE(n), 0.5 / (double)n, 1.5 / (double)n)};
    b.column = dp_reshape(b.m, DP_SHAPE(n, 1));
    pull(&b);
    const double start = energy(&b), scale = fabs(dp_item(b.potential));
    double drift = 0;
    for (int k = 1; k <= steps && !dp_failed(dev); k++) {
        step(&b, TIME / steps);
        const double off = fabs(energy(&b) - start) / scale;
        drift = off > drift ? off : drift;
    }
    printf("%4d steps of %.4f: energy %.6f, off by at most %.2e of the potential energy\n", steps,
           TIME / steps, start, drift);
    dp_tensor *all[] = {b.x, b.v, b.m, b.column, b.slope, b.potential};
    for (int k = 0; k < 6; k++)
        dp_tensor_release(&all[k]);
    return drift;
}

int main(int argc, char **argv)
{
    const long n = argc > 1 ? strtol(argv[1], NULL, 10) : 300;
    dp_device *dev = dp_device_open(NULL);
    printf("%ld bodies on %s\n", n, dp_device_get_info(dev).name);
    const double coarse = simulate(dev, n, 20), fine = simulate(dev, n, 40);
    const double rounding = 40 * 0x1p-23; /* of f32 positions and velocities, one a step */
    int status = 1;
    if (dp_failed(dev))
        fprintf(stderr, "%s\n", dp_message(dev));
    else if (fine > coarse / 3 + rounding) /* 4 for a second-order method, 2 for one of first order */
        fprintf(stderr, "half the step made the error only %.2f times smaller\n", coarse / fine);
    else
        status = 0;
    if (status == 0)
        printf("half the step, an error %.2f times smaller: second order\n", coarse / fine);
    dp_device_close(&dev);
    return status;
}
