/* SPDX-License-Identifier: Apache-2.0 */
/* The generator alone, with the elastic interaction energy of its samples and the data as the loss: Chen, Wu, Xiang, arXiv:2303.10553,
 * section 2.3. */
#include "train_eieg.h"

#include <stdlib.h>
#include <string.h>

enum { PLACE_NOISE = 1, PLACE_REAL };

typedef struct eieg_run {
    trained generator;
    dp_network *average; /* of the generator's weights; NULL: none */
    dp_eieg_params loss;
} eieg_run;

static void set_defaults(train_options *o)
{
    o->data = "25gaussians";
    o->steps = 150000;
    o->batch = 256;
    o->real_batch = 256;
    o->rate = "1e-6 + (3e-3 - 1e-6) * 0.5 * (1 + cos(pi * t / T))";
    o->beta1 = 0.9;
    o->beta2 = 0.999;
    o->average = 0.999;
    o->kernel = "capped";
    o->estimator = "V";
    o->eps = "0.3 * (1 / 3)^(t / T)";
    o->s = -1;
    o->attraction = 1.2;
    o->latent = "stratified";
    o->save_every = 5000;
}

bool eieg_params(const train_run *run, int64_t dim, dp_eieg_params *params)
{
    static const struct {
        const char *name;
        dp_eieg_kernel kernel;
    } kernels[] = {{"capped", DP_EIEG_CAPPED}, {"smooth-distance", DP_EIEG_SMOOTH_DIST}, {"plummer", DP_EIEG_PLUMMER}};
    static const struct {
        const char *name;
        dp_eieg_stabiliser stabiliser;
    } stabilisers[] = {{"a", DP_EIEG_STABILISER_A}, {"b", DP_EIEG_STABILISER_B}, {"c", DP_EIEG_STABILISER_C}, {"none", DP_EIEG_STABILISER_NONE}};
    const train_options *o = &run->options;
    size_t k = 0, s = 0;
    while (k < CLI_COUNT(kernels) && strcmp(kernels[k].name, o->kernel) != 0)
        k++;
    while (o->stabiliser && s < CLI_COUNT(stabilisers) && strcmp(stabilisers[s].name, o->stabiliser) != 0)
        s++;
    if (k == CLI_COUNT(kernels) || s == CLI_COUNT(stabilisers)) {
        if (k == CLI_COUNT(kernels))
            cli_error("--kernel: \"%s\" is not capped, smooth-distance or plummer", o->kernel);
        else
            cli_error("--stabiliser: \"%s\" is not none, a, b or c", o->stabiliser);
        return false;
    }
    if (strcmp(o->estimator, "V") != 0 && strcmp(o->estimator, "U") != 0) {
        cli_error("--estimator: \"%s\" is not V or U", o->estimator);
        return false;
    }
    *params = (dp_eieg_params){.s = o->s < 0 ? (double)dim - 1 : o->s, .kernel = kernels[k].kernel, .stabiliser = stabilisers[s].stabiliser,
                               .estimator = *o->estimator == 'U' ? DP_ESTIMATOR_U : DP_ESTIMATOR_V, .lambda = o->lambda,
                               .eps_stab = o->eps_stabiliser, .no_self = o->no_self, .attraction = o->attraction, .scaled = run->data.images || dim > 2};
    if (o->stabiliser && o->lambda == 0)
        params->stabiliser = DP_EIEG_STABILISER_NONE;
    return train_check_formula(run, "eps", o->eps) && train_check_latent(run);
}

static bool create(train_run *run)
{
    eieg_run *own = run->own = calloc(1, sizeof *own);
    const train_options *o = &run->options;
    if (!own) {
        cli_error("out of memory");
        return false;
    }
    if (run->data.images) {
        cli_error("--data %s: images; eieg alone is for points of the plane: try eieg-gan", o->data);
        return false;
    }
    if (!eieg_params(run, 2, &own->loss) ||
        !trained_open(run, "generator", network_generator(run, false, (uint64_t)o->seed), o->rate, 1, &own->generator))
        return false;
    run->loss_name[0] = "loss";
    run->losses = 1;
    return o->average == 0 || train_average_open(run, &own->generator, false, &own->average);
}

static dp_status step(dp_device *device, void *context)
{
    train_run *run = context;
    eieg_run *own = run->own;
    dp_eieg_params params = own->loss;
    dp_tensor *eps = train_formula(run, run->options.eps);
    dp_tensor *z = train_noise(run, PLACE_NOISE, run->options.batch), *real = train_real(run, PLACE_REAL, run->options.real_batch);
    params.eps_tensor = eps;
    dp_tensor *fake = dp_network_forward(own->generator.network, z, true);
    dp_tensor *loss = dp_eieg_generator_loss(device, fake, real, &params);
    dp_status status = train_report(run, 0, dp_detach(loss));
    if (status == DP_OK)
        status = trained_step(device, &own->generator, dp_tensor_retain(loss));
    if (status == DP_OK && own->average)
        status = dp_network_average(own->average, own->generator.network, run->options.average);
    dp_tensor_release(&loss);
    dp_tensor_release(&fake);
    dp_tensor_release(&real);
    dp_tensor_release(&z);
    dp_tensor_release(&eps);
    return status == DP_OK ? train_count(run) : status;
}

static dp_network *sampled(const eieg_run *own)
{
    return own->average ? own->average : own->generator.network;
}

static bool score(train_run *run, score_list *scores)
{
    return train_score_generator(run, sampled(run->own), scores);
}

static bool draw(train_run *run)
{
    return train_draw_generator(run, sampled(run->own));
}

static void destroy(train_run *run)
{
    eieg_run *own = run->own;
    if (own) {
        trained_close(&own->generator);
        dp_network_destroy(&own->average);
    }
    free(own);
}

const train_model train_eieg = {
    .name = "eieg",
    .bit = TRAIN_EIEG,
    .takes_data = true,
    .summary = "Trains a generator of points in the plane (2-100-50-2) with the elastic interaction energy of its\nsamples and the data, with no discriminator.",
    .set_defaults = set_defaults,
    .create = create,
    .step = step,
    .score = score,
    .draw = draw,
    .destroy = destroy,
};
