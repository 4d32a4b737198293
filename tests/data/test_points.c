/* SPDX-License-Identifier: Apache-2.0 */
/* Synthetic distributions: that they are what their names say, and the same bits for ever. */
#include <dipole/data.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 20000 };
static float xy[2 * COUNT], other[2 * COUNT];

static void sample(const char *name, int64_t count, uint64_t seed, float *points)
{
    char message[256];
    const dp_status status = dp_points_sample(name, count, seed, points, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(status, DP_OK);
}

/* Points lie about the centres in equal numbers, with the standard deviation that is told. */
static void check_mixture(const char *name, int expected)
{
    static float centres[2 * 1000];
    static double sums[1000], squares[1000];
    double sd = 0, square = 0;
    assert_int_equal(dp_points_centres(name, centres, 1000, &sd), expected);
    assert_true(sd > 0);
    memset(sums, 0, sizeof sums);
    memset(squares, 0, sizeof squares);
    for (int k = 0; k < COUNT; k++) {
        int nearest = 0;
        double least = INFINITY;
        for (int c = 0; c < expected; c++) {
            const double dx = (double)xy[2 * k] - (double)centres[2 * c], dy = (double)xy[2 * k + 1] - (double)centres[2 * c + 1];
            if (dx * dx + dy * dy < least) {
                least = dx * dx + dy * dy;
                nearest = c;
            }
        }
        sums[nearest]++;
        square += least;
    }
    /* The sum of 2 N squares of normals: 1 with a standard deviation of 1 / sqrt(N). Counts are binomial. 5 of them each. */
    assert_true(fabs(square / (2 * COUNT * sd * sd) - 1) < 5 / sqrt(COUNT));
    const double mean = (double)COUNT / expected;
    for (int c = 0; c < expected; c++)
        assert_true(fabs(sums[c] - mean) < 5 * sqrt(mean) + 1e-9 * COUNT);
}

static void test_mixtures(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int count;
    } cases[] = {{"8gaussians", 8}, {"25gaussians", 25}, {"ring:3", 3}, {"grid:1", 1}, {"grid:4", 16}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        sample(cases[c].name, COUNT, 1, xy);
        check_mixture(cases[c].name, cases[c].count);
    }
    float centres[2 * 25], two[4] = {9, 9, 9, 9};
    double sd;
    assert_int_equal(dp_points_centres("25gaussians", centres, 25, &sd), 25);
    assert_true(sd == 0.05 / 2.828);
    for (int k = 0; k < 25; k++) {
        assert_true(centres[2 * k] == (float)(2 * (k / 5 - 2) / 2.828));
        assert_true(centres[2 * k + 1] == (float)(2 * (k % 5 - 2) / 2.828));
    }
    assert_int_equal(dp_points_centres("8gaussians", centres, 25, &sd), 8);
    assert_true(sd == 0.05);
    for (int k = 0; k < 8; k++) { /* correctly rounded but for the last bit */
        assert_true(fabs((double)centres[2 * k] - cos(k * 0.7853981633974483)) < 6e-8);
        assert_true(fabs((double)centres[2 * k + 1] - sin(k * 0.7853981633974483)) < 6e-8);
    }
    assert_int_equal(dp_points_centres("grid:30", two, 1, NULL), 900);
    assert_true(two[2] == 9 && two[3] == 9); /* no more than there is room for */
    assert_int_equal(dp_points_centres("ring:1000", NULL, 0, NULL), 1000);
    static const char *const none[] = {"moons", "ring:", "ring:0", "ring:1001", "ring:99999999999", "ring:8x", "ring:-1", "grid:31",
                                       "grid: 4", "ring:K", "", "25"};
    for (size_t n = 0; n < sizeof none / sizeof *none; n++)
        assert_int_equal(dp_points_centres(none[n], centres, 25, &sd), 0);
    assert_int_equal(dp_points_centres(NULL, centres, 25, &sd), 0);
}

static double radius_of(int k)
{
    return hypot((double)xy[2 * k], (double)xy[2 * k + 1]);
}

static void test_shapes(void **state)
{
    (void)state;
    int inner = 0, fields[4][4] = {{0}};
    sample("circles", COUNT, 2, xy);
    for (int k = 0; k < COUNT; k++) {
        inner += radius_of(k) < 0.75;
        assert_true(fmin(fabs(radius_of(k) - 0.5), fabs(radius_of(k) - 1)) < 6 * 0.03);
    }
    assert_true(abs(inner - COUNT / 2) < 5 * sqrt(COUNT) / 2);
    sample("checkerboard", COUNT, 2, xy);
    for (int k = 0; k < COUNT; k++) {
        assert_true(fabsf(xy[2 * k]) <= 1 && fabsf(xy[2 * k + 1]) <= 1);
        fields[(int)fminf(3, 2 * (xy[2 * k + 1] + 1))][(int)fminf(3, 2 * (xy[2 * k] + 1))]++;
    }
    for (int row = 0; row < 4; row++)
        for (int column = 0; column < 4; column++)
            assert_true((row + column) % 2 ? fields[row][column] <= 2 : abs(fields[row][column] - COUNT / 8) < 5 * sqrt(COUNT / 8));
    sample("swissroll", COUNT, 2, xy); /* three turns of one curve: the radius tells the angle */
    for (int k = 0; k < COUNT; k++) {
        const double turns = radius_of(k) * 2.25;
        assert_true(turns > 0.75 - 0.3 && turns < 2.25 + 0.3);
        const double along = hypot((double)xy[2 * k] - radius_of(k) * cos(turns * 6.283185307179586),
                                   (double)xy[2 * k + 1] - radius_of(k) * sin(turns * 6.283185307179586));
        assert_true(along < 6 * 0.02 * 2.25 * 6.2832 + 0.1);
    }
    for (size_t n = 0; dp_points_name(n); n++) { /* all of them: within reach, about the middle, no point twice */
        if (strchr(dp_points_name(n), ':'))
            continue;
        double mean[2] = {0, 0};
        sample(dp_points_name(n), COUNT, 3, xy);
        for (int k = 0; k < COUNT; k++)
            for (int c = 0; c < 2; c++) {
                assert_true(fabsf(xy[2 * k + c]) < 2);
                mean[c] += (double)xy[2 * k + c] / COUNT;
            }
        assert_true(fabs(mean[0]) < 0.2 && fabs(mean[1]) < 0.2);
        assert_true(memcmp(xy, xy + 2, sizeof *xy * 2) != 0);
    }
}

static uint64_t fingerprint(const float *points, int count)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a over the bits */
    for (int k = 0; k < count; k++) {
        uint32_t word;
        memcpy(&word, &points[k], sizeof word);
        for (int b = 0; b < 4; b++)
            hash = (hash ^ (word >> 8 * b & 255)) * 1099511628211u;
    }
    return hash;
}

/* Samples are part of results: they may not change, here or on another machine. */
static void test_bits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t hash;
    } expected[] = {
        {"8gaussians", 0x8e81beb6bbc14b99u},
        {"25gaussians", 0xe1fd5bc706b47b5bu},
        {"ring:7", 0x48d9bacfe64fe783u},
        {"grid:4", 0xccdb698c4bab73edu},
        {"circles", 0x66b04867168f0078u},
        {"rings", 0x446a00f982c4454au},
        {"moons", 0x9f8751d9f438c1beu},
        {"spirals", 0xc842b3969b586fd7u},
        {"swissroll", 0x97c63fbedaaa345cu},
        {"checkerboard", 0x7b196becef12e452u},
        {"pinwheel", 0x06328f98616a3c63u},
    };
    for (size_t n = 0; n < sizeof expected / sizeof *expected; n++) {
        sample(expected[n].name, 1000, 0x123456789ABCDEFu, xy);
        const uint64_t hash = fingerprint(xy, 2000);
        if (hash != expected[n].hash)
            fail_msg("{\"%s\", 0x%016llxu},", expected[n].name, (unsigned long long)hash);
    }
    sample("moons", 1000, 5, xy);
    sample("moons", 10, 5, other); /* the first ones do not depend on how many there are */
    assert_memory_equal(xy, other, 20 * sizeof *xy);
    sample("moons", 1000, 6, other);
    assert_true(memcmp(xy, other, 2000 * sizeof *xy) != 0);
}

static void test_bad_calls(void **state)
{
    (void)state;
    char message[256];
    assert_int_equal(dp_points_sample("mons", 1, 1, xy, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_string_equal(message, "points: there is no distribution \"mons\" (see dp_points_name)");
    assert_int_equal(dp_points_sample(NULL, 1, 1, xy, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_points_sample("moons", 1, 1, NULL, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_points_sample("moons", -1, 1, xy, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_points_sample("moons", (int64_t)1 << 30, 1, xy, NULL, 0), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_points_sample("ring:K", 1, 1, xy, message, sizeof message), DP_ERROR_ARGUMENT);
    assert_int_equal(dp_points_sample("moons", 0, 1, NULL, message, sizeof message), DP_OK);
    assert_null(dp_points_name(1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"points/mixtures", test_mixtures, NULL, NULL, NULL},
        {"points/shapes", test_shapes, NULL, NULL, NULL},
        {"points/bits", test_bits, NULL, NULL, NULL},
        {"points/bad_calls", test_bad_calls, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("points", tests, NULL, NULL);
}
