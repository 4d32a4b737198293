/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the networks. Points: Chen, Wu, Xiang, arXiv:2303.10553, section 4 (2-100-50-2, LeakyReLU). Images: its generator and
 * discriminator, that is DCGAN (Radford, Metz, Chintala, ICLR 2016) with half of the generator's channels, for 64 x 64, and the first four
 * layers of each as they are printed for 32 x 32. */
#include "train_networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_CHANNELS 100
#define SLOPE 0.2

#define LEAKY .activation = DP_ACTIVATION_LEAKY_RELU, .slope = SLOPE
#define UP(channels, stride_, padding_)                                                                                                  \
    {.kind = DP_LAYER_CONV2D_TRANSPOSED, .outputs = channels, .kernel = {4}, .stride = {stride_}, .padding = {padding_, padding_}, .no_bias = true}
#define DOWN(channels, stride_, padding_)                                                                                                \
    .kind = DP_LAYER_CONV2D, .outputs = channels, .kernel = {4}, .stride = {stride_}, .padding = {padding_, padding_}, .no_bias = true

static const dp_layer points_generator[] = {
    {.kind = DP_LAYER_LINEAR, .outputs = 100, LEAKY}, {.kind = DP_LAYER_LINEAR, .outputs = 50, LEAKY}, {.kind = DP_LAYER_LINEAR, .outputs = 2}};

dp_shape network_noise(const train_data *data)
{
    return data->images ? DP_SHAPE(NOISE_CHANNELS, 1, 1) : DP_SHAPE(2);
}

static dp_network *make(dp_device *device, const dp_layer *layers, size_t count, dp_shape shape, uint64_t seed, bool images)
{
    const dp_network_init init = {.scheme = images ? DP_INIT_NORMAL : DP_INIT_UNIFORM};
    return dp_network_create(device, layers, (int)count, shape, seed, &init);
}

dp_network *network_generator(const train_run *run, bool apart, uint64_t seed)
{
    dp_device *device = run->device;
    const train_data *data = &run->data;
    const int64_t c = run->options.channels;
    const dp_layer up[] = {UP(4 * c, 1, 0), UP(2 * c, 2, 1), UP(c, 2, 1), UP(c / 2, 2, 1)};
    const dp_layer norm_relu = {.kind = DP_LAYER_BATCH_NORM, .activation = DP_ACTIVATION_RELU}, norm = {.kind = DP_LAYER_BATCH_NORM};
    dp_layer layers[2 * CLI_COUNT(up) + 2];
    size_t count = 0;
    if (!data->images)
        return make(device, points_generator, CLI_COUNT(points_generator), network_noise(data), seed, false);
    const size_t hidden = data->shape.dim[1] == 32 ? 3 : 4;
    for (size_t k = 0; k < hidden; k++) {
        layers[count++] = up[k];
        layers[count++] = apart && k + 1 == hidden ? norm : norm_relu;
    }
    if (apart)
        layers[count++] = (dp_layer){.kind = DP_LAYER_ACTIVATION, .activation = DP_ACTIVATION_RELU};
    layers[count] = (dp_layer)UP(data->shape.dim[0], 2, 1);
    layers[count++].activation = DP_ACTIVATION_TANH;
    return make(device, layers, count, network_noise(data), seed, true);
}

dp_network *network_discriminator(const train_run *run, int64_t outputs, bool layer_norm, uint64_t seed)
{
    dp_device *device = run->device;
    const train_data *data = &run->data;
    const int64_t c = run->options.channels;
    const dp_layer norm = {.kind = layer_norm ? DP_LAYER_LAYER_NORM : DP_LAYER_BATCH_NORM, LEAKY};
    const dp_layer points[] = {{.kind = DP_LAYER_LINEAR, .outputs = 100, LEAKY}, {.kind = DP_LAYER_LINEAR, .outputs = 50, LEAKY},
                               {.kind = DP_LAYER_LINEAR, .outputs = outputs}};
    const dp_layer d32[] = {{DOWN(c, 2, 1), LEAKY}, {DOWN(2 * c, 2, 1)}, norm, {DOWN(4 * c, 2, 1)}, norm, {DOWN(outputs, 1, 0)},
                            {.kind = DP_LAYER_FLATTEN}};
    const dp_layer d64[] = {{DOWN(c, 2, 1), LEAKY}, {DOWN(2 * c, 2, 1)}, norm, {DOWN(4 * c, 2, 1)}, norm, {DOWN(8 * c, 2, 1)}, norm,
                            {DOWN(outputs, 1, 0)}, {.kind = DP_LAYER_FLATTEN}};
    if (!data->images)
        return make(device, points, CLI_COUNT(points), data->shape, seed, false);
    return data->shape.dim[1] == 32 ? make(device, d32, CLI_COUNT(d32), data->shape, seed, true)
                                    : make(device, d64, CLI_COUNT(d64), data->shape, seed, true);
}

/* "T = 16000; FORMULA" */
static const char *with_total(int64_t total, const char *formula, char *text, size_t size)
{
    snprintf(text, size, "T = %lld; %s", (long long)total, formula);
    return text;
}

dp_tensor *train_formula(const train_run *run, const char *formula)
{
    char text[1024];
    return dp_map(run->device, with_total(run->options.steps, formula, text, sizeof text), DP_ARGS({"t", run->count}));
}

bool train_check_formula(const train_run *run, const char *option, const char *formula)
{
    if (!formula || strlen(formula) > 900) {
        cli_error("--%s: a formula of 1 to 900 characters", option);
        return false;
    }
    dp_tensor *value = train_formula(run, formula);
    const double first = dp_item(value);
    dp_tensor_release(&value);
    if (dp_failed(run->device))
        cli_error("--%s: %s", option, dp_message(run->device));
    else if (!(first >= 0))
        cli_error("--%s: \"%s\" is %g at t = %lld: it must not be negative", option, formula, first, (long long)run->step);
    return dp_failed(run->device) == DP_OK && first >= 0;
}

static bool keep_all(train_run *run, const char *name, const trained *t)
{
    char prefix[64];
    bool kept = true;
    snprintf(prefix, sizeof prefix, "%s.", name);
    for (int k = 0; kept && k < t->count; k++)
        kept = train_keep(run, prefix, dp_network_parameter_name(t->network, k), t->parameters[k]);
    for (int k = 0; kept && k < dp_network_state_count(t->network); k++)
        kept = train_keep(run, prefix, dp_network_state_name(t->network, k), dp_network_state(t->network, k));
    snprintf(prefix, sizeof prefix, "%s.adam.", name);
    for (int k = 0; kept && t->optimizer && k < dp_optimizer_state_count(t->optimizer); k++)
        kept = train_keep(run, prefix, dp_optimizer_state_name(t->optimizer, k), dp_optimizer_state(t->optimizer, k));
    return kept;
}

static dp_optimizer_params adam_params(const train_run *run, const char *rate, int64_t repeats, char *schedule, size_t size)
{
    return (dp_optimizer_params){.kind = DP_ADAM, .schedule = with_total(run->options.steps * repeats, rate, schedule, size),
                                 .beta1 = run->options.beta1 > 0 ? run->options.beta1 : DP_ZERO,
                                 .beta2 = run->options.beta2 > 0 ? run->options.beta2 : DP_ZERO};
}

dp_optimizer *train_adam(const train_run *run, dp_tensor *const *parameters, const char *const *names, int count, const char *rate)
{
    char schedule[1024];
    const dp_optimizer_params params = adam_params(run, rate, 1, schedule, sizeof schedule);
    return dp_optimizer_create(run->device, parameters, names, count, &params);
}

bool trained_open(train_run *run, const char *name, dp_network *network, const char *rate, int64_t repeats, trained *t)
{
    char schedule[1024];
    *t = (trained){.network = network};
    if (!network)
        return train_ok(run, name);
    t->count = dp_network_parameter_count(network);
    t->parameters = calloc((size_t)t->count, sizeof(*t->parameters));
    if (!t->parameters) {
        cli_error("out of memory");
        return false;
    }
    for (int k = 0; k < t->count; k++)
        t->parameters[k] = dp_network_parameter(network, k);
    if (rate) {
        const dp_optimizer_params params = adam_params(run, rate, repeats, schedule, sizeof schedule);
        t->optimizer = dp_optimizer_of(network, &params);
    }
    return train_ok(run, name) && keep_all(run, name, t);
}

void trained_close(trained *t)
{
    dp_optimizer_destroy(&t->optimizer);
    dp_network_destroy(&t->network);
    free(t->parameters);
    *t = (trained){0};
}

dp_status trained_step(dp_device *device, trained *t, dp_tensor *loss)
{
    enum { MOST = 128 };
    dp_tensor *gradients[MOST] = {NULL};
    dp_status status = !loss ? dp_failed(device) : t->count > MOST ? DP_ERROR_UNSUPPORTED : DP_OK;
    if (status == DP_OK)
        status = dp_gradients(loss, NULL, t->parameters, t->count, 0, gradients);
    if (status == DP_OK)
        status = dp_optimizer_step(t->optimizer, (const dp_tensor *const *)gradients);
    for (int k = 0; k < t->count && k < MOST; k++)
        dp_tensor_release(&gradients[k]);
    dp_tensor_release(&loss);
    return status;
}

/* Seeds of different places are apart; those of different runs too. */
static uint64_t place_seed(const train_run *run, int place)
{
    return (uint64_t)run->options.seed * 1000003u + 7919u * (uint64_t)place;
}

/* Normal numbers by Box and Muller's formula, of uniform ones in the cells of a grid of rows x columns, one in each: the points of a
 * batch then spread over the plane as evenly as numbers drawn at random can. */
static dp_tensor *stratified(const train_run *run, uint64_t seed, int64_t count)
{
    int64_t rows = 1;
    for (int64_t r = 2; r * r <= count; r++)
        rows = count % r == 0 ? r : rows;
    const int64_t columns = count / rows;
    float *cells = malloc((size_t)(2 * count) * sizeof *cells);
    for (int64_t k = 0; cells && k < count; k++) {
        cells[k] = (float)(k / columns);
        cells[count + k] = (float)(k % columns);
    }
    dp_device *device = run->device;
    dp_tensor *cell = cells ? dp_from(device, DP_F32, DP_SHAPE(2, count), cells) : NULL, *u = dp_uniform_at(device, seed, run->count, DP_SHAPE(2, count), 0, 1);
    dp_tensor *flat = dp_empty(device, DP_F32, DP_SHAPE(2, count));
    dp_tensor *a = dp_slice(cell, 0, 0, 1, 1), *b = dp_slice(cell, 0, 1, 2, 1), *u0 = dp_slice(u, 0, 0, 1, 1), *u1 = dp_slice(u, 0, 1, 2, 1);
    dp_tensor *out[2] = {dp_slice(flat, 0, 0, 1, 1), dp_slice(flat, 0, 1, 2, 1)}, *z = NULL;
    if (cells && dp_map_into(device, "r = sqrt(-2 * log(max((a + u) / m, 1e-7))); p = 2 * pi * (b + v) / n; r * cos(p), r * sin(p)",
                              DP_ARGS({"a", a}, {"b", b}, {"u", u0}, {"v", u1}, {.name = "m", .scalar = (double)rows}, {.name = "n", .scalar = (double)columns}),
                              out, 2) == DP_OK)
        z = dp_transpose(flat, 0, 1);
    free(cells);
    dp_tensor *const used[] = {flat, cell, u, a, b, u0, u1, out[0], out[1]};
    for (size_t k = 0; k < CLI_COUNT(used); k++) {
        dp_tensor *tensor = used[k];
        dp_tensor_release(&tensor);
    }
    return z;
}

dp_tensor *train_noise(const train_run *run, int place, int64_t count)
{
    dp_shape shape = {1, {count}};
    const dp_shape one = network_noise(&run->data);
    for (int axis = 0; axis < one.rank; axis++)
        shape.dim[shape.rank++] = one.dim[axis];
    if (!run->data.images && run->options.latent && strcmp(run->options.latent, "stratified") == 0)
        return stratified(run, place_seed(run, place), count);
    return dp_randn_at(run->device, place_seed(run, place), run->count, shape);
}

bool train_check_latent(const train_run *run)
{
    const char *latent = run->options.latent;
    if (!latent || strcmp(latent, "normal") == 0 || strcmp(latent, "stratified") == 0)
        return true;
    cli_error("--latent: \"%s\" is not normal or stratified", latent);
    return false;
}

dp_tensor *train_real(const train_run *run, int place, int64_t count)
{
    return train_data_draw(run->device, &run->data, place_seed(run, place), run->count, count, NULL);
}

dp_tensor *train_uniform(const train_run *run, int place, dp_shape shape)
{
    return dp_uniform_at(run->device, place_seed(run, place), run->count, shape, 0, 1);
}

dp_tensor *train_randint(const train_run *run, int place, dp_shape shape, int64_t n)
{
    return dp_randint_at(run->device, place_seed(run, place), run->count, shape, n);
}

dp_tensor *train_normal(const train_run *run, int place, dp_shape shape)
{
    return dp_randn_at(run->device, place_seed(run, place), run->count, shape);
}

dp_status train_count(train_run *run)
{
    return dp_map_into(run->device, "t + 1", DP_ARGS({"t", run->count}), &run->count, 1);
}

bool train_average_open(train_run *run, const trained *t, bool apart, dp_network **average)
{
    *average = network_generator(run, apart, 0);
    if (!*average || dp_network_copy(*average, t->network) != DP_OK)
        return train_ok(run, "average");
    bool kept = true;
    for (int k = 0; kept && k < dp_network_parameter_count(*average); k++)
        kept = train_keep(run, "average.", dp_network_parameter_name(*average, k), dp_network_parameter(*average, k));
    for (int k = 0; kept && k < dp_network_state_count(*average); k++)
        kept = train_keep(run, "average.", dp_network_state_name(*average, k), dp_network_state(*average, k));
    return kept;
}
