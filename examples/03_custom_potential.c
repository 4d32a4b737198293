/* SPDX-License-Identifier: Apache-2.0 */
/* Lesson 3: a pair formula of one's own, here Morse's bond, on every device found: the same value on each. */
#include <dipole/dipole.h>
#include <stdio.h>

#define CAPACITY 32

static const char morse[] = "0.5 * depth * ((1 - exp(-a * (norm(x[i] - x[j]) - r0)))^2 - 1)";

static int run(const char *id)
{
    dp_device *dev = dp_device_open(id);
    dp_tensor *x = dp_uniform(dev, 7, DP_SHAPE(500, 3), 0, 10);
    dp_tensor *energy = dp_pairwise(dev, morse, DP_SUM_ALL | DP_EXCLUDE_SELF,
                                    DP_ARGS({"x", x}, {.name = "depth", .scalar = 4.7},
                                            {.name = "a", .scalar = 1.9}, {.name = "r0", .scalar = 0.74}));
    const double value = dp_item(energy);
    const int status = dp_failed(dev) ? 1 : 0;
    if (status)
        fprintf(stderr, "%s: %s\n", id, dp_message(dev));
    else
        printf("%-10s %.7g\n", id, value);
    dp_device_close(&dev); /* and every tensor on it */
    return status;
}

int main(void)
{
    dp_device_info infos[CAPACITY];
    const size_t count = dp_device_list(infos, CAPACITY);
    int failures = 0;
    for (size_t i = 0; i < count && i < CAPACITY; i++)
        failures += run(infos[i].id);
    return failures > 0;
}
