/* SPDX-License-Identifier: Apache-2.0 */
/* Lesson 7: gradients. Equal charges in a bowl repel each other until they rest: their energy is written down
 * as in lesson 2, and dp_backward gives the forces. At rest the virial theorem holds: the charges' energy, of
 * which r^-1 is the power, is twice the bowl's, of which it is r^2. 07_gradients [NUMBER OF CHARGES] */
#include <dipole/dipole.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 400 };

typedef struct energies {
    dp_tensor *charges, *bowl, *sum; /* each a number */
} energies;

/* x requires a gradient, so all this is recorded; the sum over pairs makes its own gradient in the same pass.
 */
static energies energy(dp_device *dev, const dp_tensor *x)
{
    energies e = {.charges = dp_pairwise(dev, "0.5 * rsqrt(sqdist(x[i], x[j]))", DP_SUM_ALL | DP_EXCLUDE_SELF,
                                         DP_ARGS({"x", x, 0}))};
    dp_tensor *square = dp_map(dev, "0.5 * x^2", DP_ARGS({"x", x, 0}));
    e.bowl = dp_reduce(dev, square, DP_SUM, DP_ALL_AXES);
    e.sum = dp_map(dev, "a + b", DP_ARGS({"a", e.charges, 0}, {"b", e.bowl, 0}));
    dp_tensor_release(&square);
    return e;
}

static void release(energies *e)
{
    dp_tensor_release(&e->charges);
    dp_tensor_release(&e->bowl);
    dp_tensor_release(&e->sum);
}

/* One step downhill, for all charges together. */
static void step(dp_device *dev, dp_tensor *x)
{
    energies e = energy(dev, x);
    dp_backward(e.sum);
    dp_map_into(dev, "x - rate * g",
                DP_ARGS({"x", x, 0}, {"g", dp_grad(x), 0}, {.name = "rate", .scalar = 0.1}), &x, 1);
    dp_grad_clear(x); /* the next backward adds to what is there */
    release(&e);
}

int main(int argc, char **argv)
{
    const long n = argc > 1 ? atol(argv[1]) : 64;
    dp_device *dev = dp_device_open(NULL);
    dp_tensor *x = n >= 2 && n <= 1000000 ? dp_randn(dev, 1, DP_SHAPE(n, 3)) : NULL;
    if (!x) {
        fprintf(stderr, "%s\n", dp_failed(dev) ? dp_message(dev) : "the number of charges is 2 to 1000000");
        dp_device_close(&dev);
        return 1;
    }
    dp_require_grad(x);
    double ratio = 0;
    for (int k = 0; k <= STEPS && !dp_failed(dev); k++) {
        if (k % (STEPS / 4) == 0) {
            energies e = energy(dev, x);
            ratio = dp_item(e.charges) / dp_item(e.bowl);
            printf("step %3d: energy %.6f, that of the charges is %.6f times the bowl's\n", k, dp_item(e.sum),
                   ratio);
            release(&e);
        }
        step(dev, x);
    }
    const bool rests = fabs(ratio - 2) < 1e-3;
    if (dp_failed(dev))
        fprintf(stderr, "%s\n", dp_message(dev));
    else
        printf("at rest it is 2: %s\n", rests ? "yes" : "no");
    const int status = dp_failed(dev) || !rests;
    dp_device_close(&dev);
    return status;
}
