/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: every run has the bits of a direct call of the body, whatever happens to the device's memory between two runs; what cannot be
 * repeated is refused; nothing is left behind. */
#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STATES = 8, MOST_OUTPUTS = 16, MOST_WORDS = 4096, RUNS = 4, CLUTTER = 48 };

/* What a body works on: tensors that are there before and after it, and those that it hands out. */
typedef struct world {
    dp_tensor *state[MOST_STATES], *output[MOST_OUTPUTS];
    int outputs;
    int calls; /* of the body */
} world;

/* A body, and what it needs: state[0] is an f32 counter of its runs, state[1] is written by the host between two. */
typedef struct subject {
    dp_program_body body;
    void (*open)(dp_device *device, world *own);
} subject;

static void begin(world *own)
{
    for (int k = 0; k < own->outputs; k++)
        dp_tensor_release(&own->output[k]);
    own->outputs = 0;
    own->calls++;
}

/* Hands a new reference out. */
static dp_tensor *hand(world *own, dp_tensor *tensor)
{
    assert_in_range(own->outputs, 0, MOST_OUTPUTS - 1);
    return own->output[own->outputs++] = tensor;
}

static void count_up(dp_device *device, const world *own)
{
    dp_map_into(device, "step + 1", DP_ARGS({"step", own->state[0], 0}), (dp_tensor *[]){own->state[0]}, 1);
}

static void close_world(world *own)
{
    for (int k = 0; k < MOST_OUTPUTS; k++)
        dp_tensor_release(&own->output[k]);
    for (int k = 0; k < MOST_STATES; k++)
        dp_tensor_release(&own->state[k]);
}

/* Random numbers at a step, products of batches with an epilogue, reductions, picks, updates in place, fills. */
static void open_steps(dp_device *device, world *own)
{
    own->state[0] = dp_full(device, DP_F32, DP_SCALAR, 0);
    own->state[1] = dp_uniform(device, 1, DP_SHAPE(2, 6, 4), -1, 1);
    own->state[2] = dp_uniform(device, 2, DP_SHAPE(4, 3), -1, 1);
    own->state[3] = dp_full(device, DP_F32, DP_SHAPE(5, 3), 0);
}

static dp_status steps(dp_device *device, void *context)
{
    world *own = context;
    dp_tensor *step = own->state[0], *x = own->state[1], *w = own->state[2], *sums = own->state[3];
    begin(own);
    dp_tensor *noise = hand(own, dp_randn_at(device, 3, step, DP_SHAPE(6, 4)));
    dp_tensor *index = hand(own, dp_randint_at(device, 4, step, DP_SHAPE(7), 5));
    dp_tensor *scale = hand(own, dp_uniform_at(device, 5, step, DP_SHAPE(3), 0.5, 1.5));
    dp_tensor *noisy = dp_map(device, "x + 0.1 * n", DP_ARGS({"x", x, 0}, {"n", noise, 0}));
    const dp_matmul_params params = {.epilogue = "max(result + b, 0)", .epilogue_args = DP_ARGS({"b", scale, 0})};
    dp_tensor *y = hand(own, dp_matmul(device, noisy, w, &params));
    dp_tensor *mean = hand(own, dp_reduce(device, y, DP_MEAN, DP_AXIS(0) | DP_AXIS(1)));
    dp_map_into(device, "w - 0.1 * m", DP_ARGS({"w", w, 0}, {"m", mean, 0}), (dp_tensor *[]){w}, 1);
    dp_tensor *rows = dp_gather_rows(device, sums, index);
    dp_tensor *next = dp_map(device, "r + m", DP_ARGS({"r", rows, 0}, {"m", mean, 0}));
    dp_tensor *added = dp_scatter_add_rows(device, next, index, 5);
    dp_map_into(device, "s + a", DP_ARGS({"s", sums, 0}, {"a", added, 0}), (dp_tensor *[]){sums}, 1);
    dp_tensor *gone[] = {noisy, rows, next, added, dp_map(device, "m * m", DP_ARGS({"m", mean, 0}))};
    for (size_t k = 0; k < sizeof gone / sizeof *gone; k++) /* what the host writes next may get their memory */
        dp_tensor_release(&gone[k]);
    dp_tensor *fresh = dp_full(device, DP_F32, DP_SHAPE(4), 2); /* and changed, so that each run has to fill it again */
    dp_tensor *host = hand(own, dp_from(device, DP_F32, DP_SHAPE(3), (const float[]){1, 2, 3}));
    for (int k = 0; k < 2; k++) {
        dp_map_into(device, "f * f + 1", DP_ARGS({"f", fresh, 0}), (dp_tensor *[]){fresh}, 1);
        dp_map_into(device, "h + s", DP_ARGS({"h", host, 0}, {"s", step, 0}), (dp_tensor *[]){host}, 1);
    }
    hand(own, fresh);
    hand(own, dp_copy(device, sums));
    count_up(device, own);
    return dp_failed(device);
}

/* Convolutions, with the tables of their depths, and numbers of 16 bits. */
static void open_images(dp_device *device, world *own)
{
    own->state[0] = dp_full(device, DP_F32, DP_SCALAR, 0);
    own->state[1] = dp_uniform(device, 1, DP_SHAPE(2, 2, 6, 5), -1, 1);
    own->state[2] = dp_uniform(device, 2, DP_SHAPE(4, 2, 3, 3), -1, 1);
}

static dp_status images(dp_device *device, void *context)
{
    world *own = context;
    dp_tensor *x = own->state[1], *w = own->state[2];
    const dp_conv2d_params params = {.padding = {1, 1}};
    begin(own);
    dp_tensor *y = dp_conv2d(device, x, w, &params);
    dp_tensor *gx = dp_conv2d_gradient_input(device, w, y, 6, 5, &params);
    dp_tensor *gw = dp_conv2d_gradient_weights(device, x, y, 3, 3, &params);
    dp_map_into(device, "w - 0.01 * g", DP_ARGS({"w", w, 0}, {"g", gw, 0}), (dp_tensor *[]){w}, 1);
    dp_tensor *half = dp_cast(device, gx, DP_BF16);
    hand(own, dp_conv2d(device, half, w, &params));
    hand(own, gw);
    hand(own, half);
    dp_tensor *three = hand(own, dp_full(device, DP_F16, DP_SHAPE(3), 1.5));
    hand(own, dp_cast(device, three, DP_F32));
    count_up(device, own);
    dp_tensor_release(&y);
    dp_tensor_release(&gx);
    return dp_failed(device);
}

/* Pairs: gradients, problems and masks, whose tables the host writes; the smallest; a loss. */
static void open_pairs(dp_device *device, world *own)
{
    own->state[0] = dp_full(device, DP_F32, DP_SCALAR, 0);
    own->state[1] = dp_uniform(device, 1, DP_SHAPE(70, 3), -1, 1);
    own->state[2] = dp_uniform(device, 2, DP_SHAPE(70), -1, 1);
    own->state[3] = dp_from(device, DP_I32, DP_SHAPE(3, 3), (const int32_t[]){1, 0, 1, 0, 1, 1, 1, 1, 0});
}

static dp_status pairs(dp_device *device, void *context)
{
    static const int64_t offsets[] = {0, 30, 33, 70};
    world *own = context;
    dp_tensor *x = own->state[1], *q = own->state[2], *gradient = NULL, *value = NULL, *indices = NULL, *of_loss[2] = {NULL};
    const dp_pair_options options = {.problems = 3, .offsets_i = offsets, .offsets_j = offsets, .mask = own->state[3], .tile = 32};
    const char *const energy = "q[i] * q[j] * rsqrt(sqdist(x[i], x[j]) + 0.01)";
    const dp_args args = DP_ARGS({"x", x, 0}, {"q", q, 0});
    begin(own);
    hand(own, dp_pairwise_with(device, energy, DP_MEAN_J | DP_EXCLUDE_SELF, args, &options));
    dp_pairwise_gradient(device, energy, DP_SUM_ALL | DP_EXCLUDE_SELF, args, NULL, (const char *[]){"x"}, 1, &gradient, &value);
    dp_map_into(device, "x - 0.001 * g", DP_ARGS({"x", x, 0}, {"g", gradient, 0}), (dp_tensor *[]){x}, 1);
    hand(own, value);
    hand(own, gradient);
    dp_pairwise_smallest(device, "sqdist(x[i], x[j])", 2, DP_OVER_J | DP_EXCLUDE_SELF, DP_ARGS({"x", x, 0}), &value, &indices);
    hand(own, value);
    hand(own, indices);
    dp_loss_infonce(device, x, gradient, &(dp_loss_params){.temperature = 0.5}, &value, of_loss);
    hand(own, value);
    hand(own, of_loss[0]);
    hand(own, of_loss[1]);
    count_up(device, own);
    return dp_failed(device);
}

static const subject subjects[] = {{steps, open_steps}, {images, open_images}, {pairs, open_pairs}};

static size_t words_of(const dp_tensor *tensor, uint32_t *words)
{
    const size_t bytes = (size_t)dp_tensor_size(tensor) * dp_dtype_size(dp_tensor_dtype(tensor));
    assert_in_range(bytes, 1, MOST_WORDS * sizeof *words);
    words[bytes / 4 < MOST_WORDS ? bytes / 4 : 0] = 0;
    assert_int_equal(dp_read(tensor, words, bytes), DP_OK);
    return bytes;
}

static void same(const dp_tensor *got, const dp_tensor *want, const char *what, int k)
{
    static uint32_t a[MOST_WORDS], b[MOST_WORDS];
    assert_non_null(got);
    const size_t bytes = words_of(got, a);
    assert_int_equal(words_of(want, b), bytes);
    if (memcmp(a, b, bytes))
        fail_msg("%s %d is not what it is without a program", what, k);
}

static void same_worlds(const world *got, const world *want)
{
    assert_int_equal(got->outputs, want->outputs);
    for (int k = 0; k < got->outputs; k++)
        same(got->output[k], want->output[k], "output", k);
    for (int k = 0; k < MOST_STATES && got->state[k]; k++)
        same(got->state[k], want->state[k], "state", k);
}

/* Takes all the memory that could be taken, in the sizes of a body's tensors, and writes NaN into it. */
static void clutter(dp_device *device, dp_tensor **list)
{
    static const int64_t sizes[] = {1, 3, 15, 24, 28, 36, 72, 128, 144, 240, 280, 840};
    for (int k = 0; k < CLUTTER; k++)
        list[k] = dp_full(device, DP_F32, DP_SHAPE(sizes[k % (int)(sizeof sizes / sizeof *sizes)]), (double)NAN);
}

static void unclutter(dp_tensor **list, int from)
{
    for (int k = from; k < CLUTTER; k++)
        dp_tensor_release(&list[k]);
}

static void all_nan(dp_tensor *const *list, int end)
{
    static float values[MOST_WORDS];
    for (int k = 0; k < end; k++) {
        const size_t count = (size_t)dp_tensor_size(list[k]);
        assert_int_equal(dp_read(list[k], values, count * sizeof *values), DP_OK);
        for (size_t t = 0; t < count; t++)
            assert_true(isnan(values[t]));
    }
}

static void rewrite(const world *own, int run)
{
    float values[MOST_WORDS];
    const size_t count = (size_t)dp_tensor_size(own->state[1]);
    for (size_t t = 0; t < count; t++)
        values[t] = (float)((run * 31 + (int)t * 7) % 64) / 64 - 0.5f;
    assert_int_equal(dp_write(own->state[1], values, count * sizeof *values), DP_OK);
}

static bool records(dp_device *device)
{
    return strcmp(dp_device_get_info(device).backend, "ref") != 0;
}

static void check_subject(dp_device *device, const subject *of)
{
    world direct = {{NULL}, {NULL}, 0, 0}, own = {{NULL}, {NULL}, 0, 0};
    dp_tensor *list[CLUTTER];
    of->open(device, &direct);
    of->open(device, &own);
    suite_ok(device);
    dp_program *program = dp_program_create(device, of->body, &own);
    assert_non_null(program);
    for (int run = 0; run < RUNS; run++) {
        of->body(device, &direct);
        suite_ok(device);
        assert_int_equal(dp_program_run(program), DP_OK);
        suite_ok(device);
        clutter(device, list);
        same_worlds(&own, &direct);
        unclutter(list, CLUTTER / 2);
        if (run == 1) { /* two at once, and nothing read in between */
            assert_int_equal(of->body(device, &direct), DP_OK);
            assert_int_equal(dp_program_run(program), DP_OK);
        }
        rewrite(&direct, run); /* while the device may still be at work */
        rewrite(&own, run);
        all_nan(list, CLUTTER / 2);
        for (int k = 0; k < CLUTTER / 2; k++)
            dp_tensor_release(&list[k]);
    }
    assert_int_equal(own.calls, records(device) ? 1 : direct.calls);
    dp_program_destroy(&program);
    assert_null(program);
    close_world(&own);
    close_world(&direct);
    suite_ok(device);
}

static void test_steps(dp_device *device)
{
    check_subject(device, &subjects[0]);
}

static void test_images(dp_device *device)
{
    check_subject(device, &subjects[1]);
}

static void test_pairs(dp_device *device)
{
    check_subject(device, &subjects[2]);
}

/* Results outlive their program; memory comes back whatever goes first; the pool off, nothing is reused at all. */
static void test_memory(dp_device *unused)
{
    const dp_device_info info = dp_device_get_info(unused);
    for (int turn = 0; turn < 2; turn++) {
        if (turn)
            setenv("DIPOLE_POOL", "off", 1);
        dp_device *device = dp_device_open(info.id);
        world direct = {{NULL}, {NULL}, 0, 0}, own = {{NULL}, {NULL}, 0, 0};
        open_steps(device, &direct);
        open_steps(device, &own);
        const uint64_t before = dp_memory_get(device).bytes;
        for (int round = 0; round < 3; round++) {
            dp_program *program = dp_program_create(device, steps, &own);
            for (int run = 0; run < 3; run++) {
                assert_int_equal(dp_program_run(program), DP_OK);
                assert_int_equal(steps(device, &direct), DP_OK);
            }
            assert_true(dp_memory_get(device).bytes > before);
            dp_program_destroy(&program); /* its last run may still be under way */
            dp_tensor *list[CLUTTER];
            clutter(device, list);
            same_worlds(&own, &direct);
            unclutter(list, 0);
            begin(&own);
            begin(&direct);
            assert_true(dp_memory_get(device).bytes == before);
        }
        suite_ok(device);
        dp_program *open = dp_program_create(device, steps, &own); /* closed with the device */
        assert_int_equal(dp_program_run(open), DP_OK);
        assert_int_equal(dp_program_run(open), DP_OK);
        dp_device_close(&device);
        unsetenv("DIPOLE_POOL");
    }
}

/* Tables of convolutions are kept by the device, the least used ones go: a program's must stay. */
static dp_status convolve(dp_device *device, void *context)
{
    world *own = context;
    begin(own);
    hand(own, dp_conv2d(device, own->state[1], own->state[2], NULL));
    return dp_failed(device);
}

static void test_tables(dp_device *device)
{
    enum { OTHERS = 140 }; /* more than are kept */
    world own = {{NULL}, {NULL}, 0, 0};
    open_images(device, &own);
    dp_program *program = dp_program_create(device, convolve, &own);
    assert_int_equal(dp_program_run(program), DP_OK);
    dp_tensor *first = dp_copy(device, own.output[0]), *list[CLUTTER];
    for (int k = 0; k < OTHERS && !suite_tiny(); k++) {
        dp_tensor *x = dp_full(device, DP_F32, DP_SHAPE(2, 2, 6, 6 + k), 1), *y = dp_conv2d(device, x, own.state[2], NULL);
        dp_tensor_release(&x);
        dp_tensor_release(&y);
    }
    clutter(device, list);
    assert_int_equal(dp_program_run(program), DP_OK);
    same(own.output[0], first, "output", 0);
    unclutter(list, 0);
    dp_program_destroy(&program);
    dp_tensor_release(&first);
    close_world(&own);
}

/* Kernels that nobody compared with the reference are compared while a body runs: that is not repeated, and may read. */
static dp_status multiply(dp_device *device, void *context)
{
    world *own = context;
    begin(own);
    hand(own, dp_matmul(device, own->state[1], own->state[2], NULL));
    return dp_failed(device);
}

static uint64_t launches_of(dp_device *device)
{
    dp_profile_entry entries[32];
    uint64_t launches = 0;
    const size_t count = dp_profile_list(device, entries, 32);
    for (size_t k = 0; k < count && k < 32; k++)
        launches += (uint64_t)entries[k].launches;
    return launches;
}

static void test_tuned(dp_device *unused)
{
    char folder[] = "/tmp/dipole-program-XXXXXX", path[64], command[64];
    const char *before = getenv("DIPOLE_TUNING");
    char *kept = before ? strdup(before) : NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tuning", folder);
    setenv("DIPOLE_TUNING", path, 1);
    dp_device *device = dp_device_open(dp_device_get_info(unused).id);
    world own = {{NULL}, {NULL}, 0, 0};
    own.state[1] = dp_uniform(device, 1, DP_SHAPE(64, 100), -1, 1);
    own.state[2] = dp_uniform(device, 2, DP_SHAPE(100, 50), -1, 1);
    dp_program *program = dp_program_create(device, multiply, &own);
    assert_int_equal(dp_program_run(program), DP_OK);
    dp_tensor *first = dp_copy(device, own.output[0]);
    dp_tensor *direct = dp_matmul(device, own.state[1], own.state[2], NULL);
    same(first, direct, "output", 0);
    assert_int_equal(dp_fill(own.output[0], 0), DP_OK);
    assert_int_equal(dp_profile(device, true), DP_OK); /* replays are profiled, launch by launch */
    dp_tensor_release(&direct);
    direct = dp_matmul(device, own.state[1], own.state[2], NULL);
    const uint64_t launches = launches_of(device);
    assert_int_equal(dp_program_run(program), DP_OK);
    assert_true(launches > 0 && launches_of(device) == 2 * launches);
    assert_int_equal(dp_profile(device, false), DP_OK);
    same(own.output[0], first, "output", 0);
    suite_ok(device);
    dp_device_close(&device);
    kept ? setenv("DIPOLE_TUNING", kept, 1) : unsetenv("DIPOLE_TUNING");
    free(kept);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* Failures. `how` a body fails, until it does not any more. */
typedef struct trouble {
    enum { READS, READS_QUIETLY, FAILS, GIVES_UP, NESTS, NESTS_OTHER, DESTROYS, RELEASES, SCATTERS, WORKS } how;
    dp_program *program, *other;
    dp_tensor *x, *y, *half;
} trouble;

static dp_status nothing(dp_device *device, void *context)
{
    (void)context;
    return dp_failed(device);
}

static dp_status stumble(dp_device *device, void *context)
{
    trouble *own = context;
    float value;
    dp_tensor_release(&own->y);
    own->y = dp_map(device, "2 * x", DP_ARGS({"x", own->x, 0}));
    dp_tensor *other = dp_map(device, "3 * x", DP_ARGS({"x", own->x, 0}));
    dp_status status = DP_OK;
    switch (own->how) {
    case READS: status = dp_read(own->x, &value, sizeof value); break;
    case READS_QUIETLY: dp_item(own->x); break;
    case FAILS: dp_tensor_release(&other); other = dp_map(device, "3 * z", DP_ARGS({"x", own->x, 0})); break;
    case GIVES_UP: status = DP_ERROR_IO; break;
    case NESTS: status = dp_program_run(own->program); break;
    case NESTS_OTHER: status = dp_program_run(own->other); break;
    case DESTROYS: dp_program_destroy(&own->program); break;
    case RELEASES: dp_tensor_release(&own->x); own->x = dp_copy(device, other); break;
    case SCATTERS: dp_fill(own->half, 1); break;
    case WORKS: break;
    }
    dp_tensor_release(&other);
    return status;
}

static void test_failures(dp_device *device)
{
    static const struct {
        int how;
        dp_status status;
        const char *word;
    } list[] = {{READS, DP_ERROR_UNSUPPORTED, "a read"},
                {READS_QUIETLY, DP_ERROR_UNSUPPORTED, "a read"},
                {FAILS, DP_ERROR_FORMULA, "z"},
                {GIVES_UP, DP_ERROR_IO, "DP_ERROR_IO"},
                {NESTS, DP_ERROR_UNSUPPORTED, "while it runs"},
                {NESTS_OTHER, DP_ERROR_UNSUPPORTED, "while another one runs"},
                {DESTROYS, DP_ERROR_UNSUPPORTED, "destroyed while it runs"},
                {RELEASES, DP_ERROR_UNSUPPORTED, "release of a tensor"},
                {SCATTERS, DP_ERROR_UNSUPPORTED, "a read"}};
    trouble own = {.x = dp_full(device, DP_F32, DP_SCALAR, 1)};
    dp_tensor *halves = dp_full(device, DP_F16, DP_SHAPE(6), 1);
    own.half = dp_slice(halves, 0, 0, 6, 2);
    own.program = dp_program_create(device, stumble, &own);
    own.other = dp_program_create(device, nothing, NULL);
    const uint64_t before = dp_memory_get(device).bytes;
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        if (list[k].how == RELEASES && !records(device)) /* there each run calls the body */
            continue;
        for (int again = 0; again < 2; again++) {
            own.how = list[k].how;
            assert_int_equal(dp_program_run(own.program), list[k].status);
            suite_failed(device, list[k].status, list[k].word);
            assert_non_null(own.program);
        }
        dp_tensor_release(&own.y);
        assert_true(dp_memory_get(device).bytes == before);
    }
    own.how = READS_QUIETLY; /* an older failure hides nothing */
    assert_null(dp_map(device, "1 +", DP_NO_ARGS));
    assert_int_equal(dp_program_run(own.program), DP_ERROR_UNSUPPORTED);
    suite_failed(device, DP_ERROR_FORMULA, "");
    own.how = WORKS;
    for (int run = 0; run < 3; run++) {
        assert_int_equal(dp_program_run(own.other), DP_OK);
        assert_int_equal(dp_fill(own.x, run), DP_OK);
        assert_int_equal(dp_program_run(own.program), DP_OK);
        suite_values(own.y, (const double[]){2.0 * run}, 1);
    }
    dp_program_destroy(&own.program);
    dp_program_destroy(&own.program);
    dp_program_destroy(NULL);
    dp_program_destroy(&own.other);
    assert_int_equal(dp_program_run(NULL), DP_ERROR_ARGUMENT);
    assert_null(dp_program_create(NULL, nothing, NULL));
    assert_null(dp_program_create(device, NULL, NULL));
    suite_failed(device, DP_ERROR_ARGUMENT, "body");
    dp_tensor *tensors[] = {own.x, own.y, own.half, halves};
    for (size_t k = 0; k < sizeof tensors / sizeof *tensors; k++)
        dp_tensor_release(&tensors[k]);
    suite_works(device);
}

int main(void)
{
    static const suite_test tests[] = {
        {"steps", test_steps},   {"images", test_images}, {"pairs", test_pairs},       {"memory", test_memory},
        {"tables", test_tables}, {"tuned", test_tuned},   {"failures", test_failures},
    };
    return suite_run("program", tests, sizeof tests / sizeof *tests);
}
