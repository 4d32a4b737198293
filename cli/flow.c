/* SPDX-License-Identifier: Apache-2.0 */
/* `dipole flow`: particles that move by the elastic interaction with the data and with each other: Chen, Wu, Xiang, arXiv:2303.10553,
 * appendix B, Eqs. 24 and 25. A run like those of `dipole train`: the particles are what is learned. */
#include "train_models.h"

#include <stdlib.h>

enum { PLACE_DATA = 1 };

typedef struct flow_run {
    dp_tensor *x; /* [particles, dim] */
} flow_run;

static void set_defaults(train_options *o)
{
    o->data = "8gaussians";
    o->steps = 4000;
    o->batch = 1024;
    o->particles = 256;
    o->eps_flow = 0.1;
    o->time_step = 5e-4;
    o->attraction = 50;
    o->repulsion = 50;
    o->side = 32;
    o->save_every = 1000;
    o->rate = "0";
}

static int64_t dimension(const train_run *run)
{
    int64_t size = 1;
    for (int axis = 0; axis < run->data.shape.rank; axis++)
        size *= run->data.shape.dim[axis];
    return size;
}

static bool create(train_run *run)
{
    flow_run *own = run->own = calloc(1, sizeof *own);
    if (!own) {
        cli_error("out of memory");
        return false;
    }
    own->x = dp_randn(run->device, (uint64_t)run->options.seed, DP_SHAPE(run->options.particles, dimension(run)));
    run->loss_name[0] = "speed";
    run->losses = 1;
    return train_ok(run, "particles") && train_keep(run, "", "particles", own->x);
}

/* x += h v, with data points that are drawn anew; the row of metrics has the root of the mean |v|^2. */
static dp_status step(dp_device *device, void *context)
{
    train_run *run = context;
    flow_run *own = run->own;
    const train_options *o = &run->options;
    dp_tensor *drawn = train_real(run, PLACE_DATA, o->batch), *y = drawn ? dp_reshape(drawn, DP_SHAPE(o->batch, dimension(run))) : NULL;
    dp_tensor *v = (o->normalise ? dp_eieg_flow_direction : dp_eieg_flow_velocity)(device, own->x, y, 0, o->eps_flow, o->attraction, o->repulsion);
    dp_tensor *squares = v ? dp_map(device, "v * v", DP_ARGS({"v", v})) : NULL, *sum = squares ? dp_reduce(device, squares, DP_SUM, DP_ALL_AXES) : NULL;
    dp_tensor *speed = sum ? dp_map(device, "sqrt(s / n)", DP_ARGS({"s", sum}, {.name = "n", .scalar = (double)o->particles})) : NULL;
    dp_status status = train_report(run, 0, speed);
    if (status == DP_OK)
        status = dp_map_into(device, "x + h * v", DP_ARGS({"x", own->x}, {"v", v}, {.name = "h", .scalar = o->time_step}), &own->x, 1);
    dp_tensor_release(&drawn);
    dp_tensor_release(&y);
    dp_tensor_release(&v);
    dp_tensor_release(&squares);
    dp_tensor_release(&sum);
    return status == DP_OK ? train_count(run) : status;
}

static float *read_particles(train_run *run)
{
    const flow_run *own = run->own;
    const size_t size = (size_t)dp_tensor_size(own->x) * sizeof(float);
    float *x = malloc(size);
    if (!x)
        cli_error("out of memory");
    else if (dp_read(own->x, x, size) != DP_OK) {
        train_ok(run, "particles");
        free(x);
        x = NULL;
    }
    return x;
}

static bool score(train_run *run, score_list *scores)
{
    float *x = read_particles(run);
    const bool done = x && train_score_samples(run, x, run->options.particles, scores);
    free(x);
    return done;
}

static bool draw(train_run *run)
{
    float *x = read_particles(run);
    const bool done = x && train_draw_samples(run, x, run->options.particles);
    free(x);
    return done;
}

static void destroy(train_run *run)
{
    flow_run *own = run->own;
    if (own)
        dp_tensor_release(&own->x);
    free(own);
}

const train_model train_flow = {
    .name = "flow",
    .bit = TRAIN_FLOW,
    .takes_data = true,
    .summary = "Moves particles by the elastic interaction with the data and with each other, and draws where they\nend. The paper's own numbers for images: --normalise --eps-flow 1 --attraction 100 --repulsion 50\n--time-step 0.1 --particles 64 --batch 64 --steps 100000.",
    .set_defaults = set_defaults,
    .create = create,
    .step = step,
    .score = score,
    .draw = draw,
    .destroy = destroy,
};

int cli_flow(int argc, char **argv)
{
    return train_run_model(&train_flow, argc, argv, false);
}
