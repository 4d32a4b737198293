/* SPDX-License-Identifier: Apache-2.0 */
/* The losses of loss.h, on every device: values and gradients against ones that were made elsewhere in double
 * precision, to 1e-5 of the largest component; and on the reference every variant against central differences
 * of plain loops. */
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-5
#define ARGUMENT  DP_ERROR_ARGUMENT
#define DIM       4

/* Golden values. ------------------------------------------------------------- */

/* The norm of a gradient and its first three components. */
typedef struct golden_gradient {
    double norm, first[3];
} golden_gradient;

typedef struct golden_case {
    const char *name;
    dp_loss_params params;
    double value;
    int count; /* of gradients that are known */
    golden_gradient gradients[3];
} golden_case;

/* A number in [-1, 1), a multiple of 2^-23. */
static float golden_input(uint32_t seed, uint32_t t)
{
    uint32_t x = t + seed * 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    x ^= x >> 16;
    return (float)(x >> 8) * 0x1p-23f - 1;
}

/* Always of DIM components, of zeros from `dim` on, which changes none of these losses: so the kernels are
 * the same ones. */
static dp_tensor *input(dp_device *device, uint32_t seed, int rows, int dim)
{
    float data[8 * DIM] = {0};
    for (int t = 0; t < rows * dim; t++)
        data[t / dim * DIM + t % dim] = golden_input(seed, (uint32_t)t);
    return dp_from(device, DP_F32, DP_SHAPE(rows, DIM), data);
}

static dp_tensor *labels(dp_device *device)
{
    return dp_from(device, DP_I32, DP_SHAPE(6), (const int32_t[]){-7, -7, 1 << 30, 1 << 30, 5, 5});
}

static void check_gradient(const char *name, const dp_tensor *gradient, const golden_gradient *golden)
{
    float g[64];
    const int count = (int)dp_tensor_size(gradient);
    double square = 0, largest = 0;
    assert_in_range(count, 3, 64);
    assert_int_equal(dp_read(gradient, g, (size_t)count * sizeof *g), DP_OK);
    for (int k = 0; k < count; k++) {
        square += (double)g[k] * (double)g[k];
        largest = fmax(largest, fabs((double)g[k]));
    }
    for (int k = 0; k < 3; k++)
        if (!(fabs((double)g[k] - golden->first[k]) <= TOLERANCE * largest))
            fail_msg("%s: component %d of a gradient is %.9g instead of %.9g", name, k, (double)g[k],
                     golden->first[k]);
    if (!(fabs(sqrt(square) - golden->norm) <= TOLERANCE * largest * sqrt(count)))
        fail_msg("%s: the norm of a gradient is %.9g instead of %.9g", name, sqrt(square), golden->norm);
}

/* What a call gave against what it should. Drops it. */
static void check_golden(dp_device *device, const golden_case *golden, dp_tensor *value,
                         dp_tensor **gradients, int count)
{
    if (dp_failed(device))
        fail_msg("%s: %s", golden->name, dp_message(device));
    const double found = dp_item(value);
    if (!(fabs(found - golden->value) <= TOLERANCE * fabs(golden->value)))
        fail_msg("%s: %.9g instead of %.9g", golden->name, found, golden->value);
    for (int k = 0; k < count; k++) {
        if (k < golden->count)
            check_gradient(golden->name, gradients[k], &golden->gradients[k]);
        dp_tensor_release(&gradients[k]);
    }
    dp_tensor_release(&value);
}

typedef dp_status (*loss_of_two)(dp_device *, const dp_tensor *, const dp_tensor *, const dp_loss_params *,
                                 dp_tensor **, dp_tensor **);

static void golden_two(dp_device *device, loss_of_two loss, int first, int rows, int dim,
                       const golden_case *golden)
{
    dp_tensor *a = input(device, (uint32_t)first, rows, dim),
              *b = input(device, (uint32_t)first + 1, rows, dim);
    dp_tensor *value, *gradients[2];
    loss(device, a, b, &golden->params, &value, gradients);
    check_golden(device, golden, value, gradients, 2);
    dp_tensor_release(&a);
    dp_tensor_release(&b);
}

static void contrastive(dp_device *device)
{
    static const golden_case simcse = {
        "simcse",
        {.similarity = DP_COSINE},
        9.09764574392082,
        2,
        {{13.482584222886581, {6.095892041110111, 7.997496871307668, 4.5779560040183895}},
         {9.578655008327658, {1.2031956317805368, -3.2111460856828704, -1.323680453288119}}}};
    static const golden_case soft = {
        "simcse, tau 0.5",
        {.temperature = 0.5},
        1.4241591456674985,
        2,
        {{0.9656681215335852, {0.385689138661213, 0.4822788435979291, 0.2812674369764361}},
         {0.8092102039543282, {0.04409840246862988, -0.13877213672652533, -0.12960075739561133}}}};
    static const golden_case ntxent = {
        "ntxent",
        {.temperature = 0.5},
        2.2724847141548405,
        1,
        {{1.2847711407849662, {0.15258574268678982, -0.3312449103366689, 0.0754777847389877}}}};
    static const golden_case sscl = {
        "sscl",
        {.temperature = 0.5},
        0.579374277932787,
        1,
        {{0.5397603934894184, {0.38807270750929673, -0.10775334885166352, 0.07351506211627444}}}};
    golden_two(device, dp_loss_infonce, 11, 4, 3, &simcse);
    golden_two(device, dp_loss_infonce, 11, 4, 3, &soft);
    dp_tensor *x = input(device, 14, 8, 3), *h = input(device, 11, 4, 3), *value, *gradient;
    dp_loss_ntxent(device, x, &ntxent.params, &value, &gradient);
    check_golden(device, &ntxent, value, &gradient, 1);
    dp_loss_sscl(device, h, &sscl.params, &value, &gradient);
    check_golden(device, &sscl, value, &gradient, 1);
    dp_tensor_release(&x);
    dp_tensor_release(&h);
}

static void mixtures(dp_device *device)
{
    static const golden_case mixcse = {
        "mixcse",
        {.mix = 0.2},
        9.651842454317636,
        2,
        {{13.246191830419745, {5.337378967552696, 8.317081844453131, 4.472762825901546}},
         {7.390278677770503, {0.9052569640428711, -2.769963738035012, -2.3574790474977374}}}};
    golden_two(device, dp_loss_mixcse, 11, 4, 3, &mixcse);
}

static void supervised(dp_device *device)
{
    static const golden_case supcon = {
        "supcon",
        {.temperature = 0.1},
        9.401294180916688,
        1,
        {{8.517384742527588, {-0.6076149463079474, -3.700205388735986, -1.4638697676031411}}}};
    static const golden_case hard = {
        "batch_hard",
        {.margin = 0.2},
        1.0652324163549087,
        1,
        {{0.8607969764722712, {-0.19995445703799386, -0.2386878941693459, -0.2630394541526957}}}};
    static const golden_case soft = {
        "batch_hard, soft",
        {.soft = true},
        1.222248798890432,
        1,
        {{0.60809267100248, {-0.14628220106781156, -0.18334647365009052, -0.19490852013129445}}}};
    dp_tensor *x = input(device, 41, 6, 4), *label = labels(device), *value, *gradient;
    dp_loss_supcon(device, x, label, &supcon.params, &value, &gradient);
    check_golden(device, &supcon, value, &gradient, 1);
    dp_loss_batch_hard(device, x, label, &hard.params, &value, &gradient);
    check_golden(device, &hard, value, &gradient, 1);
    if (suite_full(device)) {
        dp_loss_batch_hard(device, x, label, &soft.params, &value, &gradient);
        check_golden(device, &soft, value, &gradient, 1);
    }
    dp_tensor_release(&x);
    dp_tensor_release(&label);
}

static void distances(dp_device *device)
{
    static const golden_case align = {
        "alignment",
        {.power = 0},
        1.3479242516674432,
        2,
        {{0.9479536738566371, {0.07713929812113444, 0.17070372899373373, -0.06090974807739258}},
         {0.9479536738566371, {-0.07713929812113444, -0.17070372899373373, 0.06090974807739258}}}};
    static const golden_case uniform = {
        "uniformity",
        {.sharpness = 2},
        -2.9094280889094564,
        1,
        {{2.732700420209286, {0.2198010506135432, -0.9430889467762837, 0.00800070256631576}}}};
    golden_two(device, dp_loss_alignment, 41, 6, 4, &align);
    dp_tensor *x = input(device, 41, 6, 4), *value, *gradient;
    dp_loss_uniformity(device, x, &uniform.params, &value, &gradient);
    check_golden(device, &uniform, value, &gradient, 1);
    dp_tensor_release(&x);
}

static void hinges(dp_device *device)
{
    static const golden_case one = {
        "hinge 1",
        {.norm = 1},
        2.427861213684082,
        3,
        {{2.8284271247461903, {0, 0, 0}}, {2.449489742783178, {0, 0, 0}}, {2.449489742783178, {0, 0, 0}}}};
    static const golden_case two = {
        "hinge 2",
        {.norm = 2},
        1.5815854695882494,
        3,
        {{1.3145502157644269, {0, 0, 0}}, {1.4142135623730951, {0, 0, 0}}, {1.414213562373095, {0, 0, 0}}}};
    static const golden_case rank = {
        "rank_hinge",
        {.margin = 0.5},
        2.5750532565547024,
        3,
        {{3.6611080945444305, {2.915583949919929, 1.091508770998567, 1.2238946582601427}},
         {2.036178381424487, {-0.24037385762568358, 0.22586018079244108, -1.3344242829116602}},
         {2.085335540989645, {-0.2867624472208027, -0.3659975079443919, 1.065813938417232}}}};
    dp_tensor *h = input(device, 11, 4, 3), *p = input(device, 12, 4, 3), *n = input(device, 13, 4, 3),
              *value, *g[3];
    dp_loss_hinge(device, h, p, n, &one.params, &value, g);
    check_golden(device, &one, value, g, 3);
    dp_loss_hinge(device, h, p, n, &two.params, &value, g);
    check_golden(device, &two, value, g, 3);
    dp_loss_rank_hinge(device, h, p, n, &rank.params, &value, g);
    check_golden(device, &rank, value, g, 3);
    dp_tensor_release(&h);
    dp_tensor_release(&p);
    dp_tensor_release(&n);
}

/* Wrong arguments: a message that names them, nothing leaked, and a device that goes on working. No kernel is
 * built for these. */

static void refused(dp_device *device, dp_tensor *const *results, dp_status status, const char *word)
{
    for (int k = 0; k < 2; k++)
        assert_null(results[k]);
    suite_failed(device, status, word);
}

static void wrong_parameters(dp_device *device, const dp_tensor *x, const dp_tensor *odd)
{
    static const struct {
        dp_loss_params params;
        const char *word;
    } wrong[] = {
        {{.similarity = (dp_similarity)7}, "similarity"},
        {{.temperature = -1}, "temperature"},
        {{.temperature = NAN}, "temperature"},
        {{.temperature = 1e-9}, "temperature"},
        {{.mix = 1.5}, "mix"},
        {{.margin = INFINITY}, "margin"},
        {{.norm = 3}, "norm"},
        {{.power = 0.5}, "power"},
        {{.sharpness = -2}, "sharpness"},
    };
    dp_tensor *r[2];
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        r[0] = r[1] = (dp_tensor *)(uintptr_t)x;
        assert_int_equal(dp_loss_sscl(device, x, &wrong[k].params, &r[0], &r[1]), ARGUMENT);
        refused(device, r, ARGUMENT, wrong[k].word);
    }
    dp_loss_ntxent(device, odd, NULL, &r[0], &r[1]);
    refused(device, r, ARGUMENT, "3 rows");
}

static void wrong(dp_device *device)
{
    dp_device *other = dp_device_open("ref");
    dp_tensor *x = suite_range(device, DP_SHAPE(4, 2)), *odd = suite_range(device, DP_SHAPE(3, 2));
    dp_tensor *row = suite_range(device, DP_SHAPE(4)), *foreign = suite_range(other, DP_SHAPE(4, 2));
    dp_tensor *empty = dp_empty(device, DP_F32, DP_SHAPE(0, 2)), *one = dp_slice(x, 0, 0, 1, 1);
    dp_tensor *label = dp_full(device, DP_I32, DP_SHAPE(3), 1), *r[2], *g[3];
    wrong_parameters(device, x, odd);
    dp_loss_infonce(device, x, odd, NULL, &r[0], g);
    r[1] = g[0];
    refused(device, r, ARGUMENT, "b has shape [3, 2]");
    dp_loss_infonce(device, x, foreign, NULL, &r[0], g);
    refused(device, r, ARGUMENT, "b ");
    dp_loss_sscl(device, row, NULL, &r[0], &r[1]);
    refused(device, r, ARGUMENT, "x has shape [4]");
    dp_loss_sscl(device, empty, NULL, &r[0], &r[1]);
    refused(device, r, ARGUMENT, "x has shape [0, 2]");
    dp_loss_sscl(device, label, NULL, &r[0], &r[1]);
    refused(device, r, ARGUMENT, "x ");
    dp_loss_alignment(device, NULL, x, NULL, &r[0], g);
    refused(device, r, ARGUMENT, "a ");
    dp_loss_uniformity(device, one, NULL, &r[0], &r[1]);
    refused(device, r, ARGUMENT, "2 or more");
    dp_loss_batch_hard(device, x, row, NULL, &r[0], &r[1]);
    refused(device, r, ARGUMENT, "labels");
    dp_loss_batch_hard(device, x, label, NULL, &r[0], &r[1]);
    refused(device, r, ARGUMENT, "labels has shape [3]");
    dp_loss_hinge(device, x, x, odd, NULL, &r[0], g);
    refused(device, r, ARGUMENT, "negative");
    dp_loss_rank_hinge(device, x, odd, x, NULL, &r[0], g);
    refused(device, r, ARGUMENT, "positive");
    assert_int_equal(dp_loss_mixcse(NULL, x, x, NULL, &r[0], g), DP_ERROR_NO_DEVICE);
    assert_null(r[0]);
    suite_works(device);
    dp_tensor *all[] = {x, odd, row, empty, one, label};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        dp_tensor_release(&all[k]);
    dp_device_close(&other);
}

int main(void)
{
    static const suite_test tests[] = {{"contrastive", contrastive}, {"mixtures", mixtures},
                                       {"supervised", supervised},   {"distances", distances},
                                       {"hinges", hinges},           {"wrong", wrong}};
    return suite_run("losses", tests, sizeof tests / sizeof *tests);
}
