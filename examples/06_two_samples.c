/* SPDX-License-Identifier: Apache-2.0 */
/* Lesson 6: do two samples come from one distribution? The energy distance between them, compared with what
 * it is when the points are dealt to the two samples at random (Szekely, Rizzo 2013; a permutation test).
 *
 * The distance is a sum over all pairs of the pooled points, sum_ij s_i s_j k(z_i, z_j), with s = 1 / n for
 * the points of the first sample and -1 / m for those of the second: a deal is nothing but a vector s. With a
 * matrix S of many deals, one row a point, one call sums for all of them in one pass over the pairs. */
#include <dipole/dipole.h>

#include <stdio.h>
#include <stdlib.h>

enum {
    SIZE = 200, /* points of each sample */
    POOL = 2 * SIZE,
    DEALS = 16, /* of one call: a vector of as many components */
    CALLS = 13, /* the same kernel each time */
};

static uint64_t random_state = 1;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % limit);
}

/* The signs of some deals; the first of all is the one that was observed. */
static void deal(float signs[POOL][DEALS], bool observed)
{
    for (int d = 0; d < DEALS; d++) {
        for (int k = 0; k < POOL; k++)
            signs[k][d] = k < SIZE ? 1.0f / SIZE : -1.0f / SIZE;
        for (int k = POOL - 1; k > 0 && !(observed && d == 0); k--) {
            const unsigned other = below((unsigned)k + 1);
            const float kept = signs[k][d];
            signs[k][d] = signs[other][d];
            signs[other][d] = kept;
        }
    }
}

/* How rare a distance as large as the observed one is: its rank among all deals. */
static double p_value(dp_device *dev, const dp_tensor *pool, double *distance)
{
    static float signs[POOL][DEALS];
    int as_large = 0;
    for (int call = 0; call < CALLS; call++) {
        float sums[DEALS] = {0};
        deal(signs, call == 0);
        dp_tensor *s = dp_from(dev, DP_F32, DP_SHAPE(POOL, DEALS), signs);
        dp_tensor *all = dp_pairwise(dev, "-norm(z[i] - z[j]) * s[i] * s[j]", DP_SUM_ALL,
                                     DP_ARGS({"z", pool, 0}, {"s", s, 0}));
        dp_read(all, sums, sizeof sums);
        if (call == 0)
            *distance = (double)sums[0];
        for (int d = 0; d < DEALS; d++)
            as_large += (double)sums[d] >= *distance; /* the observed one is itself among them */
        dp_tensor_release(&s);
        dp_tensor_release(&all);
    }
    return (double)as_large / (CALLS * DEALS);
}

/* Two normal samples in the plane, the second moved to the right. */
static double test(dp_device *dev, double shift)
{
    double distance = 0;
    dp_tensor *pool = dp_randn(dev, 5, DP_SHAPE(POOL, 2));
    dp_tensor *rows = dp_slice(pool, 0, SIZE, POOL, 1),
              *second = dp_slice(rows, 1, 0, 1, 1); /* its first column, a view */
    dp_map_into(dev, "x + shift", DP_ARGS({"x", second, 0}, {.name = "shift", .scalar = shift}), &second, 1);
    const double p = p_value(dev, pool, &distance);
    printf("moved by %.1f: distance %.4f, p = %.3f\n", shift, distance, p);
    dp_tensor_release(&second);
    dp_tensor_release(&rows);
    dp_tensor_release(&pool);
    return p;
}

int main(void)
{
    dp_device *dev = dp_device_open(NULL);
    printf("two samples of %d points, %d deals, on %s\n", SIZE, CALLS * DEALS - 1,
           dp_device_get_info(dev).name);
    const double equal = test(dev, 0), moved = test(dev, 0.5);
    const bool good = equal > 0.05 && moved <= 0.01;
    if (dp_failed(dev))
        fprintf(stderr, "%s\n", dp_message(dev));
    else
        puts(good ? "the first pair looks alike, the second does not" : "not what was expected");
    const int status = dp_failed(dev) || !good;
    dp_device_close(&dev);
    return status;
}
