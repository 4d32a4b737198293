/* SPDX-License-Identifier: Apache-2.0 */
/* A generator against a discriminator: some steps of the one, then one of the other. The models differ in their losses:
 *   eieg-gan  elastic interaction energy of features (Chen, Wu, Xiang, arXiv:2303.10553, algorithm 1)
 *   gan       log-likelihood, the generator's in its non-saturating form (Goodfellow et al. 2014; DCGAN)
 *   wgan-gp   Wasserstein with a gradient penalty (Gulrajani et al. 2017)
 *   mmd-gan   MMD^2 of features with a sum of Gaussians (Li et al. 2017), with the gradient penalty where asked for */
#include "train_gan.h"

#include <stdlib.h>
#include <string.h>

enum { PLACE_NOISE_G = 1, PLACE_FIRST_D, PLACES_OF_D = 3, PLACE_NOISE = 0, PLACE_REAL, PLACE_MIX };

/* The loss of the discriminator from its outputs for real and generated samples; the generator's from that for generated ones and, where
 * `real` is set, real ones. */
typedef struct gan_loss {
    dp_tensor *(*discriminator)(train_run *run, dp_tensor *real, dp_tensor *fake);
    dp_tensor *(*generator)(train_run *run, dp_tensor *real, dp_tensor *fake);
    bool real; /* the generator's step draws real samples too */
} gan_loss;

static dp_tensor *eieg_discriminator(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    gan_run *own = run->own;
    return dp_eieg_discriminator_loss(run->device, real, fake, &own->eieg);
}

static dp_tensor *eieg_generator(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    gan_run *own = run->own;
    return dp_eieg_generator_loss(run->device, fake, real, &own->eieg);
}

static dp_tensor *gan_discriminator(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    dp_tensor *a = dp_binary_cross_entropy_with_logits(run->device, real, NULL, 1);
    dp_tensor *b = dp_binary_cross_entropy_with_logits(run->device, fake, NULL, 0);
    dp_tensor *sum = a && b ? dp_map(run->device, "a + b", DP_ARGS({"a", a}, {"b", b})) : NULL;
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    return sum;
}

static dp_tensor *gan_generator(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    (void)real;
    return dp_binary_cross_entropy_with_logits(run->device, fake, NULL, 1);
}

static dp_tensor *wasserstein_discriminator(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    dp_tensor *a = dp_reduce(run->device, real, DP_MEAN, DP_ALL_AXES), *b = dp_reduce(run->device, fake, DP_MEAN, DP_ALL_AXES);
    dp_tensor *difference = a && b ? dp_map(run->device, "b - a", DP_ARGS({"a", a}, {"b", b})) : NULL;
    dp_tensor_release(&a);
    dp_tensor_release(&b);
    return difference;
}

static dp_tensor *wasserstein_generator(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    (void)real;
    dp_tensor *mean = dp_reduce(run->device, fake, DP_MEAN, DP_ALL_AXES);
    dp_tensor *loss = mean ? dp_map(run->device, "-x", DP_ARGS({"x", mean})) : NULL;
    dp_tensor_release(&mean);
    return loss;
}

static dp_tensor *mmd(train_run *run, dp_tensor *real, dp_tensor *fake, double sign, bool with_real)
{
    const gan_run *own = run->own;
    const dp_metric_params params = {.potential = "gaussians", .args = DP_ARGS({"h", own->bandwidths}), .estimator = DP_ESTIMATOR_U,
                                     .xx = sign, .yy = with_real ? sign : 0, .xy = -2 * sign};
    return dp_metric(run->device, fake, real, &params, 0, NULL);
}

static dp_tensor *mmd_discriminator(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    return mmd(run, real, fake, -1, true);
}

static dp_tensor *mmd_generator(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    return mmd(run, real, fake, 1, false);
}

static const gan_loss eieg_loss = {eieg_discriminator, eieg_generator, true};
static const gan_loss log_loss = {gan_discriminator, gan_generator, false};
static const gan_loss wasserstein_loss = {wasserstein_discriminator, wasserstein_generator, false};
static const gan_loss mmd_loss = {mmd_discriminator, mmd_generator, true};

static const gan_loss *loss_of(const train_run *run)
{
    switch (run->model->bit) {
    case TRAIN_EIEG_GAN: return &eieg_loss;
    case TRAIN_WGAN_GP: return &wasserstein_loss;
    case TRAIN_MMD_GAN: return &mmd_loss;
    default: return &log_loss;
    }
}

static bool penalised(const train_run *run)
{
    return run->options.penalty > 0;
}

bool gan_open(train_run *run)
{
    static const float bandwidths[] = {1, 2, 4, 8, 16}; /* Li et al. 2017, section 5 */
    gan_run *own = run->own;
    const train_options *o = &run->options;
    const uint64_t seed = (uint64_t)o->seed;
    const bool features = run->model->bit == TRAIN_EIEG_GAN || run->model->bit == TRAIN_MMD_GAN;
    if ((run->model->bit == TRAIN_EIEG_GAN && !eieg_params(run, o->feature_dim, &own->eieg)) || !train_check_formula(run, "rate-d", o->rate_d) ||
        !trained_open(run, "generator", network_generator(run->device, &run->data, own->apart, seed), o->rate, &own->g) ||
        !trained_open(run, "discriminator", network_discriminator(run->device, &run->data, features ? o->feature_dim : 1, penalised(run), seed + 1),
                      o->rate_d, &own->d))
        return false;
    own->bandwidths = dp_from(run->device, DP_F32, DP_SHAPE(CLI_COUNT(bandwidths)), bandwidths);
    run->loss_name[0] = "loss_g";
    run->loss_name[1] = "loss_d";
    run->losses = 2;
    return train_ok(run, "create") && (o->average == 0 || train_average_open(run, &own->g, own->apart, &own->average));
}

static bool create(train_run *run)
{
    run->own = calloc(1, sizeof(gan_run));
    if (!run->own)
        cli_error("out of memory");
    return run->own && gan_open(run);
}

/* What a codebook makes of sub-units [B, H W, C], as features [B, C, H, W] again. */
static dp_tensor *features(dp_device *device, dp_tensor *units, dp_shape shape)
{
    dp_tensor *turned = units ? dp_transpose(units, 1, 2) : NULL, *whole = turned ? dp_copy(device, turned) : NULL;
    dp_tensor *back = whole ? dp_reshape(whole, shape) : NULL;
    dp_tensor_release(&turned);
    dp_tensor_release(&whole);
    return back;
}

dp_tensor *gan_generate(train_run *run, dp_network *network, dp_tensor *z, bool training, dp_tensor **value)
{
    gan_run *own = run->own;
    const bool replaces = own->auxiliary && own->auxiliary->kind == AUXILIARY_VQ;
    if (!own->auxiliary || own->auxiliary->kind == AUXILIARY_NONE || !(value || replaces))
        return dp_network_forward(network, z, training);
    dp_tensor *hidden = dp_network_forward_range(network, z, 0, own->hidden, training);
    dp_tensor *e = hidden ? train_units(hidden, own->units) : NULL, *codes = NULL;
    dp_tensor *loss = auxiliary_loss(run, own->auxiliary, e, NULL, NULL, replaces ? &codes : NULL);
    dp_tensor *next = replaces ? features(run->device, codes, dp_tensor_shape(hidden)) : dp_tensor_retain(hidden);
    dp_tensor *x = next ? dp_network_forward_range(network, next, own->hidden, dp_network_layer_count(network), training) : NULL;
    if (value)
        *value = dp_tensor_retain(loss);
    dp_tensor_release(&loss);
    dp_tensor_release(&codes);
    dp_tensor_release(&e);
    dp_tensor_release(&next);
    dp_tensor_release(&hidden);
    return x;
}

/* (|d sum D / dx| - 1)^2, its mean over points between real and generated ones (Gulrajani et al. 2017, eq. 3). */
static dp_tensor *gradient_penalty(train_run *run, int place, dp_tensor *real, dp_tensor *fake)
{
    gan_run *own = run->own;
    dp_device *device = run->device;
    const dp_shape shape = dp_tensor_shape(real);
    dp_shape one = {shape.rank, {shape.dim[0], 1, 1, 1, 1, 1, 1, 1}};
    dp_tensor *u = train_uniform(run, place, one), *gradient = NULL;
    dp_tensor *mixed = dp_map(device, "u * x + (1 - u) * y", DP_ARGS({"u", u}, {"x", real}, {"y", fake}));
    dp_tensor *x = mixed ? dp_detach(mixed) : NULL, *loss = NULL;
    dp_require_grad(x);
    dp_tensor *out = dp_network_forward(own->d.network, x, true), *sum = out ? dp_reduce(device, out, DP_SUM, DP_ALL_AXES) : NULL;
    if (sum && dp_gradients(sum, NULL, &x, 1, DP_GRADIENT_RECORD, &gradient) == DP_OK) {
        dp_tensor *squares = dp_map(device, "g * g", DP_ARGS({"g", gradient}));
        dp_tensor *norms = dp_reduce(device, squares, DP_SUM, DP_ALL_AXES & ~DP_AXIS(0) & ((1u << shape.rank) - 1));
        dp_tensor *errors = dp_map(device, "p * (sqrt(n) - 1)^2", DP_ARGS({"n", norms}, {.name = "p", .scalar = run->options.penalty}));
        loss = dp_reduce(device, errors, DP_MEAN, DP_ALL_AXES);
        dp_tensor_release(&squares);
        dp_tensor_release(&norms);
        dp_tensor_release(&errors);
    }
    dp_tensor_release(&gradient);
    dp_tensor_release(&sum);
    dp_tensor_release(&out);
    dp_tensor_release(&x);
    dp_tensor_release(&mixed);
    dp_tensor_release(&u);
    return loss;
}

static dp_tensor *add_penalty(train_run *run, int place, dp_tensor *loss, dp_tensor *real, dp_tensor *fake)
{
    if (!penalised(run) || !loss)
        return loss;
    dp_tensor *penalty = gradient_penalty(run, place, real, fake);
    dp_tensor *sum = penalty ? dp_map(run->device, "a + b", DP_ARGS({"a", loss}, {"b", penalty})) : NULL;
    dp_tensor_release(&penalty);
    dp_tensor_release(&loss);
    return sum;
}

/* Real and generated points as one batch of twice the size: a network without batch statistics does not see the difference, and is gone
 * through once instead of twice. */
static dp_tensor *loss_of_both(train_run *run, dp_tensor *real, dp_tensor *fake)
{
    const gan_run *own = run->own;
    dp_device *device = run->device;
    const int64_t batch = run->options.batch;
    dp_tensor *both = dp_empty(device, DP_F32, DP_SHAPE(2 * batch, 2)), *parts[2] = {dp_slice(both, 0, 0, batch, 1), dp_slice(both, 0, batch, 2 * batch, 1)};
    dp_map_into(device, "x", DP_ARGS({"x", real}), &parts[0], 1);
    dp_map_into(device, "x", DP_ARGS({"x", fake}), &parts[1], 1);
    dp_tensor *features = dp_network_forward(own->d.network, both, true);
    dp_tensor *loss = features ? dp_eieg_discriminator_loss_of(device, features, batch, &own->eieg) : NULL;
    dp_tensor_release(&features);
    dp_tensor_release(&parts[0]);
    dp_tensor_release(&parts[1]);
    dp_tensor_release(&both);
    return loss;
}

static dp_tensor *discriminator_loss(train_run *run, int place, dp_tensor *real, dp_tensor *fake)
{
    const gan_run *own = run->own;
    if (run->model->bit == TRAIN_EIEG_GAN && !run->data.images && !penalised(run))
        return loss_of_both(run, real, fake);
    dp_tensor *f = dp_network_forward(own->d.network, real, true), *g = dp_network_forward(own->d.network, fake, true);
    dp_tensor *loss = f && g ? add_penalty(run, place, loss_of(run)->discriminator(run, f, g), real, fake) : NULL;
    dp_tensor_release(&f);
    dp_tensor_release(&g);
    return loss;
}

static dp_status discriminator_step(train_run *run, int number)
{
    gan_run *own = run->own;
    const int place = PLACE_FIRST_D + number * PLACES_OF_D;
    dp_tensor *real = train_real(run, place + PLACE_REAL, run->options.batch), *z = train_noise(run, place + PLACE_NOISE, run->options.batch);
    dp_grad_pause(run->device);
    dp_tensor *fake = gan_generate(run, own->g.network, z, true, NULL);
    dp_grad_resume(run->device);
    dp_tensor *loss = real && fake ? discriminator_loss(run, place + PLACE_MIX, real, fake) : NULL;
    dp_status status = number == 0 ? train_report(run, 1, loss ? dp_detach(loss) : NULL) : DP_OK;
    if (status == DP_OK)
        status = trained_step(run->device, &own->d, dp_tensor_retain(loss));
    dp_tensor_release(&loss);
    dp_tensor_release(&fake);
    dp_tensor_release(&real);
    dp_tensor_release(&z);
    return status;
}

static dp_status generator_step(train_run *run)
{
    gan_run *own = run->own;
    dp_tensor *z = train_noise(run, PLACE_NOISE_G, run->options.batch), *f = NULL, *value = NULL;
    if (loss_of(run)->real) {
        dp_tensor *real = train_real(run, 0, run->options.batch);
        dp_grad_pause(run->device);
        f = dp_network_forward(own->d.network, real, true);
        dp_grad_resume(run->device);
        dp_tensor_release(&real);
    }
    dp_tensor *fake = gan_generate(run, own->g.network, z, true, &value), *g = dp_network_forward(own->d.network, fake, true);
    dp_tensor *loss = g ? loss_of(run)->generator(run, f, g) : NULL, *total = auxiliary_add(run, loss, value);
    dp_status status = train_report(run, 0, loss ? dp_detach(loss) : NULL);
    if (status == DP_OK && value)
        status = train_report(run, 2, dp_detach(value));
    if (status == DP_OK && own->auxiliary)
        status = auxiliary_gradient(run, own->auxiliary, total);
    if (status == DP_OK)
        status = trained_step(run->device, &own->g, dp_tensor_retain(total));
    if (status == DP_OK && own->auxiliary)
        status = auxiliary_update(own->auxiliary);
    if (status == DP_OK && own->average)
        status = dp_network_average(own->average, own->g.network, run->options.average);
    dp_tensor_release(&total);
    dp_tensor_release(&value);
    dp_tensor_release(&loss);
    dp_tensor_release(&g);
    dp_tensor_release(&fake);
    dp_tensor_release(&f);
    dp_tensor_release(&z);
    return status;
}

dp_status gan_step(train_run *run)
{
    gan_run *own = run->own;
    dp_status status = DP_OK;
    own->eps = run->options.eps ? train_formula(run, run->options.eps) : NULL;
    own->eieg.eps_tensor = own->eps;
    for (int k = 0; k < run->options.d_steps && status == DP_OK; k++)
        status = discriminator_step(run, k);
    if (status == DP_OK)
        status = generator_step(run);
    dp_tensor_release(&own->eps);
    return status == DP_OK ? train_count(run) : status;
}

static dp_status step(dp_device *device, void *context)
{
    (void)device;
    return gan_step(context);
}

dp_network *gan_sampled(const train_run *run)
{
    const gan_run *own = run->own;
    return own->average ? own->average : own->g.network;
}

static bool score(train_run *run, score_list *scores)
{
    return train_score_generator(run, gan_sampled(run), scores);
}

static bool draw(train_run *run)
{
    return train_draw_generator(run, gan_sampled(run));
}

void gan_close(gan_run *own)
{
    trained_close(&own->g);
    trained_close(&own->d);
    dp_network_destroy(&own->average);
    dp_tensor_release(&own->bandwidths);
}

static void destroy(train_run *run)
{
    if (run->own)
        gan_close(run->own);
    free(run->own);
}

static void common_defaults(train_options *o)
{
    o->data = "25gaussians";
    o->steps = 16000;
    o->batch = 64;
    o->beta1 = 0.5;
    o->beta2 = 0.999;
    o->side = 32;
    o->attraction = 1;
    o->latent = "normal";
    o->save_every = 2000;
    o->feature_dim = 2;
}

static void eieg_defaults(train_options *o)
{
    common_defaults(o);
    o->rate = "1e-4";
    o->rate_d = "1e-5";
    o->d_steps = 3;
    o->kernel = "capped";
    o->estimator = "V";
    o->eps = "0.1";
    o->s = -1;
    o->stabiliser = "c";
    o->lambda = 1;
    o->eps_stabiliser = 0.8;
}

static void gan_defaults(train_options *o)
{
    common_defaults(o);
    o->rate = o->rate_d = "2e-4";
    o->d_steps = 1;
}

static void wgan_defaults(train_options *o)
{
    common_defaults(o);
    o->rate = o->rate_d = "1e-4";
    o->beta1 = 0;
    o->beta2 = 0.9;
    o->d_steps = 5;
    o->penalty = 10;
}

static void mmd_defaults(train_options *o)
{
    common_defaults(o);
    o->rate = o->rate_d = "1e-4";
    o->d_steps = 5;
    o->penalty = 1;
    o->feature_dim = 16;
}

#define GAN_MODEL(variable, name_, bit_, defaults, text)                                                                                 \
    const train_model variable = {.name = name_, .bit = bit_, .takes_data = true, .summary = text, .set_defaults = defaults, .create = create, .step = step, \
                                  .score = score, .draw = draw, .destroy = destroy}

GAN_MODEL(train_eieg_gan, "eieg-gan", TRAIN_EIEG_GAN, eieg_defaults,
          "Trains a generator against a feature map that drives the elastic interaction energy of real and\ngenerated features up.");
GAN_MODEL(train_gan, "gan", TRAIN_GAN, gan_defaults, "Trains a generator against a discriminator with the losses of the first GAN.");
GAN_MODEL(train_wgan_gp, "wgan-gp", TRAIN_WGAN_GP, wgan_defaults, "Trains a generator against a critic: WGAN with a gradient penalty.");
GAN_MODEL(train_mmd_gan, "mmd-gan", TRAIN_MMD_GAN, mmd_defaults, "Trains a generator against a feature map that drives MMD^2 up, with a sum of Gaussians.");
