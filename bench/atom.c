/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of Atom Modeling and of EIEG: time of value and gradient together, as calls and as a program, and launches. One line of JSON
 * a case. compare_atom.py runs it beside PyTorch. */
#include "common.h"
#include <dipole/dipole.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct options {
    const char *device, *only;
    int batch, units, channels, points, dim, repeats;
    bool cpu_time;
} options;

static _Noreturn void usage(const char *program, int status)
{
    fprintf(status ? stderr : stdout,
            "usage: %s [options]\n"
            "  --device ID    default: the best there is\n"
            "  --only CASE    closed, shift, drawn, generator, discriminator; default: all\n"
            "  --batch B      samples; default 128\n"
            "  --units N      sub-units of each; default 64\n"
            "  --channels H   of each sub-unit; default 64\n"
            "  --points N     of each set of EIEG; default 256\n"
            "  --dim D        of those; default 2\n"
            "  --repeats R    measured, after 3 that are not; default 20\n"
            "  --cpu-time     of all threads of the process, not the clock's\n",
            program);
    exit(status);
}

static options parse(int argc, char **argv)
{
    options o = {.batch = 128, .units = 64, .channels = 64, .points = 256, .dim = 2, .repeats = 20};
    for (int a = 1; a < argc; a++) {
        if (!strcmp(argv[a], "--help"))
            usage(argv[0], 0);
        if (!strcmp(argv[a], "--cpu-time")) {
            o.cpu_time = true;
            continue;
        }
        if (a + 1 == argc)
            usage(argv[0], 2);
        const char *name = argv[a++], *text = argv[a];
        const int number = atoi(text);
        int *const numbers[] = {&o.batch, &o.units, &o.channels, &o.points, &o.dim, &o.repeats};
        static const char *const names[] = {"--batch", "--units", "--channels", "--points", "--dim", "--repeats"};
        if (!strcmp(name, "--device"))
            o.device = text;
        else if (!strcmp(name, "--only"))
            o.only = text;
        else {
            size_t k = 0;
            while (k < sizeof names / sizeof *names && strcmp(name, names[k]))
                k++;
            if (k == sizeof names / sizeof *names || number < (k == 0 || k == 2 ? 2 : 1))
                usage(argv[0], 2);
            *numbers[k] = number;
        }
    }
    return o;
}

static clockid_t used_clock = CLOCK_MONOTONIC;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(used_clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A case: what it is a function of, and what the last run gave. */
typedef struct job {
    const char *name;
    dp_tensor *x, *y;
    dp_atom_params atom;
    dp_tensor *value, *gradient; /* of the last run; read after it */
} job;

static dp_status step(dp_device *device, void *context)
{
    job *j = context;
    dp_tensor *loss = NULL;
    if (!strcmp(j->name, "generator"))
        loss = dp_eieg_generator_loss(device, j->x, j->y, NULL);
    else if (!strcmp(j->name, "discriminator"))
        loss = dp_eieg_discriminator_loss(device, j->x, j->y, NULL);
    else
        loss = dp_atom_loss(device, j->x, &j->atom, NULL);
    dp_status status = loss ? dp_gradients(loss, NULL, &j->x, 1, 0, &j->gradient) : dp_failed(device);
    j->value = loss;
    return status;
}

static void drop(job *j)
{
    dp_tensor_release(&j->value);
    dp_tensor_release(&j->gradient);
}

/* As a program: nothing is handed out but written in place. */
static dp_status step_alone(dp_device *device, void *context)
{
    const dp_status status = step(device, context);
    drop(context);
    return status;
}

static bool print_result(dp_device *device, job *j, const char *way, double *times, int count, int launches)
{
    float gradient[3] = {0};
    if (j->gradient) {
        dp_tensor *first = dp_reshape(j->gradient, DP_SHAPE(dp_tensor_size(j->gradient))), *three = NULL;
        three = first ? dp_slice(first, 0, 0, 3, 1) : NULL;
        if (three)
            dp_read(three, gradient, sizeof gradient);
        dp_tensor_release(&three);
        dp_tensor_release(&first);
    }
    printf("{\"case\": \"%s\", \"way\": \"%s\", \"device\": \"%s\", \"launches\": %d, \"value\": %.9g, \"gradient\": [%.9g, "
           "%.9g, %.9g], \"ms\": [",
           j->name, way, dp_device_get_info(device).id, launches, j->value ? dp_item(j->value) : 0, (double)gradient[0],
           (double)gradient[1], (double)gradient[2]);
    for (int k = 0; k < count; k++)
        printf("%s%.4g", k ? ", " : "", 1e3 * times[k]);
    printf("]}\n");
    fflush(stdout);
    return dp_failed(device) == DP_OK;
}

static int count_launches(dp_device *device, job *j)
{
    dp_profile_entry entries[64];
    int launches = 0;
    dp_profile(device, true);
    step_alone(device, j);
    const size_t count = dp_profile_list(device, entries, 64);
    for (size_t k = 0; k < count && k < 64; k++)
        launches += (int)entries[k].launches;
    dp_profile(device, false);
    return launches;
}

static bool measure(dp_device *device, job *j, int repeats)
{
    double *times = malloc(sizeof *times * (size_t)repeats);
    dp_program *program = dp_program_create(device, step_alone, j);
    for (int k = -3; k < repeats && times; k++) {
        const double start = seconds();
        step(device, j);
        dp_device_wait(device);
        if (k >= 0)
            times[k] = seconds() - start;
        drop(j);
    }
    const int launches = count_launches(device, j);
    step(device, j);
    bool good = times && print_result(device, j, "calls", times, repeats, launches);
    drop(j);
    for (int k = -3; k < repeats && good; k++) {
        const double start = seconds();
        dp_program_run(program);
        dp_device_wait(device);
        if (k >= 0)
            times[k] = seconds() - start;
    }
    good = good && print_result(device, j, "program", times, repeats, 0);
    dp_program_destroy(&program);
    free(times);
    return good;
}

static dp_tensor *random_input(dp_device *device, dp_shape shape, uint32_t seed)
{
    size_t size = 1;
    for (int axis = 0; axis < shape.rank; axis++)
        size *= (size_t)shape.dim[axis];
    float *data = malloc(size * sizeof *data);
    if (!data)
        return NULL;
    bench_fill(data, size, seed);
    dp_tensor *x = dp_from(device, DP_F32, shape, data);
    free(data);
    if (x && dp_require_grad(x) != DP_OK)
        dp_tensor_release(&x);
    return x;
}

static bool run_all(dp_device *device, const options *o)
{
    static const char *const names[] = {"closed", "shift", "drawn", "generator", "discriminator"};
    dp_tensor *e = random_input(device, DP_SHAPE(o->batch, o->units, o->channels), 1),
              *x = random_input(device, DP_SHAPE(o->points, o->dim), 2),
              *y = random_input(device, DP_SHAPE(o->points, o->dim), 3);
    dp_tensor *fixed = y ? dp_detach(y) : NULL;
    dp_atom_pairs *all = dp_atom_pairs_create(device, o->batch, o->units, &(dp_atom_pairs_params){.units = DP_ATOM_ALL});
    dp_atom_pairs *drawn = dp_atom_pairs_create(device, o->batch, o->units, NULL);
    const dp_atom_pairs *pairs[] = {NULL, all, drawn};
    int32_t *next = malloc(sizeof *next * (size_t)o->batch); /* a shift of 1, as compare_atom.py has it */
    for (int k = 0; k < o->batch && next; k++)
        next[k] = (k + 1) % o->batch;
    bool good = e && x && fixed && all && drawn && next;
    good = good && dp_write(all->b, next, sizeof *next * (size_t)o->batch) == DP_OK;
    free(next);
    for (int k = 0; k < 5 && good; k++) {
        if (o->only && strcmp(o->only, names[k]))
            continue;
        job j = {.name = names[k], .x = k < 3 ? e : x, .y = k == 3 ? fixed : y};
        j.atom.pairs = k < 3 ? pairs[k] : NULL;
        good = measure(device, &j, o->repeats);
    }
    dp_atom_pairs_destroy(&all);
    dp_atom_pairs_destroy(&drawn);
    dp_tensor *list[] = {e, x, y, fixed};
    for (int k = 0; k < 4; k++)
        dp_tensor_release(&list[k]);
    return good;
}

int main(int argc, char **argv)
{
    const options o = parse(argc, argv);
    used_clock = o.cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    dp_device *device = dp_device_open(o.device);
    bool good = dp_failed(device) == DP_OK && run_all(device, &o);
    if (!good)
        fprintf(stderr, "%s\n", dp_failed(device) != DP_OK ? dp_message(device) : "out of memory");
    dp_device_close(&device);
    return good ? 0 : 1;
}
