/* SPDX-License-Identifier: Apache-2.0 */
/* A generator against a discriminator: some steps of the one, then one of the other. The models differ in their losses:
 *   eieg-gan  elastic interaction energy of features (Chen, Wu, Xiang, arXiv:2303.10553, algorithm 1)
 *   gan       log-likelihood, the generator's in its non-saturating form (Goodfellow et al. 2014; DCGAN)
 *   wgan-gp   Wasserstein with a gradient penalty (Gulrajani et al. 2017)
 *   mmd-gan   MMD^2 of features with a sum of Gaussians (Li et al. 2017), with the gradient penalty where asked for */
#include "train_gan.h"

#include <stdlib.h>
#include <string.h>

enum { PLACE_NOISE_G = 1, PLACE_FIRST_D, PLACES_OF_D = 4, PLACE_NOISE = 0, PLACE_REAL, PLACE_MIX, PLACE_DIRECTION };

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

/* The discriminator gives a vector of features, not one number. */
static bool has_features(const train_run *run)
{
    return run->model->bit == TRAIN_EIEG_GAN || run->model->bit == TRAIN_MMD_GAN;
}

static bool penalised(const train_run *run)
{
    return run->options.penalty > 0;
}

bool gan_open(train_run *run)
{
    static const float bandwidths[] = {1, 2, 4, 8, 16}, of_points[] = {0.1f, 0.2f, 0.4f, 0.8f, 1.6f}; /* Li et al. 2017, section 5 */
    gan_run *own = run->own;
    const train_options *o = &run->options;
    const uint64_t seed = (uint64_t)o->seed;
    if ((run->model->bit == TRAIN_EIEG_GAN && !eieg_params(run, o->feature_dim, &own->eieg)) || !train_check_formula(run, "rate-d", o->rate_d) ||
        !trained_open(run, "generator", network_generator(run, own->apart, seed), o->rate, 1, &own->g) ||
        !trained_open(run, "discriminator", network_discriminator(run, has_features(run) ? o->feature_dim : 1, penalised(run), seed + 1),
                      o->rate_d, o->d_steps, &own->d))
        return false;
    own->bandwidths = dp_from(run->device, DP_F32, DP_SHAPE(CLI_COUNT(bandwidths)), run->data.images ? bandwidths : of_points);
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

/* Points of the penalty: between real and generated ones for a critic (Gulrajani et al. 2017), for a feature map either of the two. */
static dp_tensor *penalty_points(train_run *run, int place, dp_tensor *real, dp_tensor *fake)
{
    const dp_shape shape = dp_tensor_shape(real), one = {shape.rank, {shape.dim[0], 1, 1, 1, 1, 1, 1, 1}};
    dp_tensor *u = train_uniform(run, place, one);
    dp_tensor *mixed = dp_map(run->device, has_features(run) ? "select(u < 0.5, x, y)" : "u * x + (1 - u) * y",
                              DP_ARGS({"u", u}, {"x", real}, {"y", fake}));
    dp_tensor *x = mixed ? dp_detach(mixed) : NULL;
    dp_require_grad(x);
    dp_tensor_release(&mixed);
    dp_tensor_release(&u);
    return x;
}

/* The sum over points of v . D(x), with a unit vector v for each, drawn at random; of a critic of one output the sum of D(x). */
static dp_tensor *directional_sum(train_run *run, int place, dp_tensor *out)
{
    dp_device *device = run->device;
    if (!has_features(run))
        return dp_reduce(device, out, DP_SUM, DP_ALL_AXES);
    dp_tensor *n = train_normal(run, place, dp_tensor_shape(out)), *squares = dp_map(device, "n * n", DP_ARGS({"n", n}));
    dp_tensor *length = dp_reduce(device, squares, DP_SUM, DP_AXIS(1) | DP_KEEP_AXES);
    dp_tensor *products = dp_map(device, "x * n * rsqrt(max(l, 1e-30))", DP_ARGS({"x", out}, {"n", n}, {"l", length}));
    dp_tensor *sum = dp_reduce(device, products, DP_SUM, DP_ALL_AXES);
    dp_tensor_release(&n);
    dp_tensor_release(&squares);
    dp_tensor_release(&length);
    dp_tensor_release(&products);
    return sum;
}

/* The mean of (|d (v . D) / dx| / slope - 1)^2: for a critic the gradient penalty of Gulrajani et al. 2017, eq. 3; for a feature map it keeps
 * distances, whichever direction v of the features is looked at. */
static dp_tensor *gradient_penalty(train_run *run, int place, dp_tensor *real, dp_tensor *fake)
{
    gan_run *own = run->own;
    dp_device *device = run->device;
    dp_tensor *x = penalty_points(run, place, real, fake), *gradient = NULL, *loss = NULL;
    dp_tensor *out = x ? dp_network_forward(own->d.network, x, true) : NULL, *sum = out ? directional_sum(run, place + 1, out) : NULL;
    if (sum && dp_gradients(sum, NULL, &x, 1, DP_GRADIENT_RECORD, &gradient) == DP_OK) {
        const int rank = dp_tensor_shape(x).rank;
        dp_tensor *squares = dp_map(device, "g * g", DP_ARGS({"g", gradient}));
        dp_tensor *norms = dp_reduce(device, squares, DP_SUM, DP_ALL_AXES & ~DP_AXIS(0) & ((1u << rank) - 1));
        dp_tensor *errors = dp_map(device, "p * (sqrt(n) / s - 1)^2",
                                   DP_ARGS({"n", norms}, {.name = "p", .scalar = run->options.penalty}, {.name = "s", .scalar = run->options.slope}));
        loss = dp_reduce(device, errors, DP_MEAN, DP_ALL_AXES);
        dp_tensor_release(&squares);
        dp_tensor_release(&norms);
        dp_tensor_release(&errors);
    }
    dp_tensor_release(&gradient);
    dp_tensor_release(&sum);
    dp_tensor_release(&out);
    dp_tensor_release(&x);
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
    const int64_t batch = run->options.d_batch;
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
    if (run->model->bit == TRAIN_EIEG_GAN && !run->data.images)
        return add_penalty(run, place, loss_of_both(run, real, fake), real, fake);
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
    dp_tensor *real = train_real(run, place + PLACE_REAL, run->options.d_batch), *z = train_noise(run, place + PLACE_NOISE, run->options.d_batch);
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
    own->eps = run->options.eps && *run->options.eps ? train_formula(run, run->options.eps) : NULL;
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

/* What was not given: 0 or NULL, -1 where 0 means something. */
static void set_defaults(train_options *o)
{
    o->data = "25gaussians";
    o->side = 32;
    o->channels = 64;
    o->save_every = -1;
    o->beta1 = o->beta2 = o->penalty = o->average = o->lambda = -1;
    o->kernel = "capped";
    o->estimator = "V";
    o->s = -2;
    o->stabiliser = "c";
    o->eps_stabiliser = 0.8;
}

#define COSINE(from, to) to " + (" from " - " to ") * 0.5 * (1 + cos(pi * t / T))"

typedef struct gan_defaults {
    int64_t steps, batch, d_batch, d_steps, feature_dim, save_every;
    const char *rate, *rate_d, *eps, *latent;
    double beta1, beta2, penalty, slope, average, attraction, lambda, s;
} gan_defaults;

/* Found by search: docs/results/25gaussians.md and images.md tell what each of them is worth. Those of GAN for images are DCGAN's. */
enum { EIEG, LOG, WASSERSTEIN, MMD };
static const gan_defaults image_defaults[] = {
    [EIEG] = {3000, 64, 64, 1, 16, 500, COSINE("1e-3", "1e-5"), COSINE("1e-3", "1e-5"), "1", "normal", 0.5, 0.999, 10, 1, 0, 1, 1, 1},
    [LOG] = {3000, 64, 64, 1, 1, 500, "2e-4", "2e-4", NULL, "normal", 0.5, 0.999, 0, 1, 0, 1, 1, -1},
    [WASSERSTEIN] = {3000, 64, 64, 5, 1, 500, "1e-4", "1e-4", NULL, "normal", 0, 0.9, 10, 1, 0, 1, 1, -1},
    [MMD] = {3000, 64, 64, 5, 16, 500, "1e-4", "1e-4", NULL, "normal", 0.5, 0.999, 1, 1, 0, 1, 1, -1},
};
static const gan_defaults point_defaults[] = {
    [EIEG] = {120000, 256, 64, 3, 2, 5000, COSINE("3e-3", "1e-6"), COSINE("1e-3", "3e-7"), "0.3 * (1 / 3)^(t / T)", "stratified", 0.9, 0.999,
              10, 1, 0.999, 1.3, 1, -1},
    [LOG] = {40000, 256, 256, 1, 1, 5000, COSINE("1e-3", "1e-6"), COSINE("1e-3", "1e-6"), NULL, "stratified", 0.5, 0.999, 0, 1, 0.999, 1, 1, -1},
    [WASSERSTEIN] = {40000, 256, 64, 5, 1, 5000, COSINE("1e-3", "1e-6"), COSINE("1e-3", "1e-6"), NULL, "stratified", 0.5, 0.9, 0.1, 1, 0.999, 1, 1,
                     -1},
    [MMD] = {40000, 256, 64, 3, 2, 5000, COSINE("1e-3", "1e-6"), COSINE("1e-3", "1e-6"), NULL, "stratified", 0.5, 0.999, 1, 1, 0.999, 1, 1, -1},
};

static const char *text_or(const char *text, const char *other)
{
    return text && *text ? text : other;
}

static void fill(train_options *o, const gan_defaults *d)
{
    o->steps = o->steps ? o->steps : d->steps;
    o->batch = o->batch ? o->batch : d->batch;
    o->d_batch = o->d_batch ? o->d_batch : d->d_batch;
    o->d_steps = o->d_steps ? o->d_steps : d->d_steps;
    o->feature_dim = o->feature_dim ? o->feature_dim : d->feature_dim;
    o->save_every = o->save_every >= 0 ? o->save_every : d->save_every;
    o->rate = text_or(o->rate, d->rate);
    o->rate_d = text_or(o->rate_d, d->rate_d);
    o->eps = text_or(o->eps, d->eps);
    o->latent = text_or(o->latent, d->latent);
    o->beta1 = o->beta1 >= 0 ? o->beta1 : d->beta1;
    o->beta2 = o->beta2 >= 0 ? o->beta2 : d->beta2;
    o->penalty = o->penalty >= 0 ? o->penalty : d->penalty;
    o->slope = o->slope > 0 ? o->slope : d->slope;
    o->s = o->s >= -1 ? o->s : d->s;
    o->average = o->average >= 0 ? o->average : d->average;
    o->attraction = o->attraction > 0 ? o->attraction : d->attraction;
    o->lambda = o->lambda >= 0 ? o->lambda : d->lambda;
}

#define SETTLE(name, kind)                                                                                                                \
    static bool name(train_options *o)                                                                                                    \
    {                                                                                                                                     \
        fill(o, train_data_is_points(o->data) ? &point_defaults[kind] : &image_defaults[kind]);                                           \
        return true;                                                                                                                      \
    }
SETTLE(settle_eieg, EIEG)
SETTLE(settle_log, LOG)
SETTLE(settle_wasserstein, WASSERSTEIN)
SETTLE(settle_mmd, MMD)

#define GAN_MODEL(variable, name_, bit_, settle_, text)                                                                                 \
    const train_model variable = {.name = name_, .bit = bit_, .takes_data = true, .summary = text, .set_defaults = set_defaults, .settle = settle_, .create = create, .step = step, \
                                  .score = score, .draw = draw, .destroy = destroy}

GAN_MODEL(train_eieg_gan, "eieg-gan", TRAIN_EIEG_GAN, settle_eieg,
          "Trains a generator against a feature map that drives the elastic interaction energy of real and\ngenerated features up.");
GAN_MODEL(train_gan, "gan", TRAIN_GAN, settle_log, "Trains a generator against a discriminator with the losses of the first GAN.");
GAN_MODEL(train_wgan_gp, "wgan-gp", TRAIN_WGAN_GP, settle_wasserstein, "Trains a generator against a critic: WGAN with a gradient penalty.");
GAN_MODEL(train_mmd_gan, "mmd-gan", TRAIN_MMD_GAN, settle_mmd, "Trains a generator against a feature map that drives MMD^2 up, with a sum of Gaussians.");
