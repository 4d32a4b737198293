/* SPDX-License-Identifier: Apache-2.0 */
/* Lesson 2: the energy of charges in space, softened where they meet, in memory that grows with their number
 * and not with the number of pairs.   02_pair_energy [NUMBER OF CHARGES] */
#include <dipole/dipole.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const long n = argc > 1 ? strtol(argv[1], NULL, 10) : 4000;

    dp_device *dev = dp_device_open(NULL); /* the best device there is */
    dp_tensor *x = dp_randn(dev, 1, DP_SHAPE(n, 3));
    dp_tensor *q = dp_uniform(dev, 2, DP_SHAPE(n), -1, 1);

    /* x[i] and x[j] are rows of a tensor, a plain name is a scalar of the call. */
    dp_tensor *energy = dp_pairwise(dev, "0.5 * q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + eps^2)",
                                    DP_SUM_ALL | DP_EXCLUDE_SELF,
                                    DP_ARGS({"x", x}, {"q", q}, {.name = "eps", .scalar = 1e-3}));
    const double value = dp_item(energy);

    const int status = dp_failed(dev) ? 1 : 0;
    if (status) /* one place to ask, one message to read */
        fprintf(stderr, "%s\n", dp_message(dev));
    else
        printf("%ld charges on %s: %.7g\n", n, dp_device_get_info(dev).name, value);
    dp_device_close(&dev); /* and everything that lives on it */
    return status;
}
