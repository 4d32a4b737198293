/* SPDX-License-Identifier: Apache-2.0 */
/* A project of its own that uses an installed Dipole. Build it with pkg-config,
 *     cc main.c $(pkg-config --cflags --libs dipole) -o consumer
 * or with CMake and the CMakeLists.txt beside it. */
#include <dipole/dipole.h>

#include <stdio.h>

int main(void)
{
    dp_device *dev = dp_device_open("ref");
    dp_tensor *x = dp_full(dev, DP_F32, DP_SHAPE(5, 2), 1);
    dp_tensor *pairs = dp_pairwise(dev, "1 + sqdist(x[i], x[j])", DP_SUM_ALL, DP_ARGS({"x", x}));
    const double count = dp_item(pairs);
    if (dp_failed(dev))
        fprintf(stderr, "%s\n", dp_message(dev));
    printf("Dipole %s counts %g pairs\n", dp_version(), count);
    dp_device_close(&dev);
    return count == 25 ? 0 : 1;
}
