/* SPDX-License-Identifier: Apache-2.0 */
/* The options of all models, in one table; values from the model's defaults, a configuration, the command line, in this order. A
 * resumed run takes those it began with. */
#include "train.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MOST (1 << 20)

typedef struct row {
    unsigned models;
    bool changes; /* may be another one when a run is resumed */
    cli_option option;
} row;

#define ROWS 64

/* Fills `rows` with pointers into `o`; returns how many. */
static size_t list(train_options *o, row rows[ROWS])
{
    const double inf = (double)INFINITY;
    const row all[] = {
        {TRAIN_ALL, false, {"data", "NAME|PATH", "what to train on: a distribution in the plane (25gaussians, 8gaussians, ...) or\nimages: an IDX file, a folder of CIFAR-10, a folder of pictures", .text = &o->data}},
        {TRAIN_ALL, true, {"out", "DIR", "the folder of the run; it is made", .text = &o->out}},
        {TRAIN_ALL, true, {"resume", NULL, "go on with the run in --out, from its last checkpoint", .flag = &o->resume}},
        {TRAIN_ALL, true, {"config", "FILE", "options as a JSON object, such as the config.json of another run;\nthe command line comes after it", .text = &o->config}},
        {TRAIN_ALL, true, {"profile", NULL, "time every kernel, and tell at the end what a step spends (on the run's own speed\nit has a cost)", .flag = &o->profile}},
        {TRAIN_ALL, false, {"seed", "N", "of all random numbers", .integer = &o->seed, .most = 1e9}},
        {TRAIN_ALL, true, {"steps", "N", "how many, in all", .integer = &o->steps, .least = 1, .most = 16777216}},
        {TRAIN_ALL, false, {"batch", "N", "samples of a step", .integer = &o->batch, .least = 2, .most = 65536}},
        {TRAIN_EIEG, false, {"real-batch", "N", "data points of a step", .integer = &o->real_batch, .least = 1, .most = 65536}},
        {TRAIN_NETWORKS, false, {"rate", "FORMULA", "learning rate: a number, or a formula of t, the step, and T, the number of\nsteps: \"1e-3 * 0.01^(t / T)\"", .text = &o->rate}},
        {TRAIN_ANY_GAN | TRAIN_ATOM, false, {"rate-d", "FORMULA", "the discriminator's", .text = &o->rate_d}},
        {TRAIN_NETWORKS, false, {"beta1", "X", "of Adam", .real = &o->beta1, .least = 0, .most = 0.9999}},
        {TRAIN_NETWORKS, false, {"beta2", "X", "of Adam", .real = &o->beta2, .least = 0, .most = 0.999999}},
        {TRAIN_NETWORKS, false, {"average", "X", "samples come from a running average of the generator's weights that keeps the\nshare X in each step; 0: from the weights themselves", .real = &o->average, .least = 0, .most = 0.999999}},
        {TRAIN_ALL, false, {"log-every", "N", "steps from one row of metrics to the next", .integer = &o->log_every, .least = 1, .most = 1e9}},
        {TRAIN_ALL, false, {"score-every", "N", "steps from one score to the next; 0: only at the end", .integer = &o->score_every, .most = 1e9}},
        {TRAIN_ALL, true, {"save-every", "N", "steps from one checkpoint to the next; 0: only at the end", .integer = &o->save_every, .most = 1e9}},
        {TRAIN_NETWORKS, true, {"samples", "N", "how many are scored", .integer = &o->samples, .least = 100, .most = 100000}},
        {TRAIN_ALL & ~TRAIN_EIEG, false, {"side", "N", "images are brought to N x N: 32 or 64", .integer = &o->side, .least = 32, .most = 64}},
        {TRAIN_ANY_GAN | TRAIN_ATOM, false, {"channels", "N", "generators of images: of the discriminator's first layer; those of all other layers\nfollow. 64 is the papers'", .integer = &o->channels, .least = 2, .most = 1024}},
        {TRAIN_ALL & ~TRAIN_EIEG, true, {"classifier", "DIR", "a run of 'dipole train atom --task classify' on such images: what it sees in them\nscores those that are generated", .text = &o->classifier}},
        {TRAIN_ALL, false, {"limit", "N", "use the first N rows of a file; 0: all", .integer = &o->limit, .most = 1e9}},
        {TRAIN_EIEG | TRAIN_EIEG_GAN, false, {"kernel", "NAME", "capped, smooth-distance or plummer", .text = &o->kernel}},
        {TRAIN_EIEG | TRAIN_EIEG_GAN, false, {"s", "X", "exponent of the kernel r^-s; -1: the dimension less 1", .real = &o->s, .least = -1, .most = 64}},
        {TRAIN_EIEG | TRAIN_EIEG_GAN, false, {"eps", "FORMULA", "cut-off of the kernel, a formula as --rate", .text = &o->eps}},
        {TRAIN_EIEG | TRAIN_EIEG_GAN, false, {"estimator", "V|U", "pairs of a set with itself: divided by N^2, or N (N - 1)", .text = &o->estimator}},
        {TRAIN_EIEG | TRAIN_EIEG_GAN, false, {"no-self", NULL, "without the samples' repulsion of each other", .flag = &o->no_self}},
        {TRAIN_EIEG | TRAIN_EIEG_GAN, false, {"attraction", "X", "weight of the samples' attraction by the data; the paper's is 1", .real = &o->attraction, .least = 1e-6, .most = 1e6}},
        {TRAIN_EIEG | TRAIN_ANY_GAN, false, {"latent", "NAME", "the generator's input for points: normal, or stratified: normal numbers that are\nspread evenly over each batch", .text = &o->latent}},
        {TRAIN_EIEG_GAN | TRAIN_MMD_GAN, false, {"feature-dim", "N", "outputs of the discriminator", .integer = &o->feature_dim, .least = 1, .most = 64}},
        {TRAIN_ANY_GAN, false, {"d-steps", "N", "steps of the discriminator for one of the generator", .integer = &o->d_steps, .least = 1, .most = 100}},
        {TRAIN_ANY_GAN, false, {"d-batch", "N", "samples of each kind in a step of the discriminator", .integer = &o->d_batch, .least = 2, .most = 65536}},
        {TRAIN_EIEG_GAN, false, {"stabiliser", "NAME", "none, a, b or c: the repulsion of real features", .text = &o->stabiliser}},
        {TRAIN_EIEG_GAN, false, {"lambda", "X", "its weight", .real = &o->lambda, .least = 0, .most = 1e6}},
        {TRAIN_EIEG_GAN, false, {"eps-stabiliser", "X", "its cut-off", .real = &o->eps_stabiliser, .least = 1e-6, .most = 1e6}},
        {TRAIN_ANY_GAN, false, {"penalty", "X", "weight of (|d(v . D)/dx| / slope - 1)^2: of a critic v is 1, at points between real\nand generated ones; of features a random unit vector, at either", .real = &o->penalty, .least = 0, .most = 1e6}},
        {TRAIN_ANY_GAN, false, {"slope", "X", "of the discriminator, which the penalty holds it to", .real = &o->slope, .least = 1e-6, .most = 1e6}},
        {TRAIN_FLOW, false, {"particles", "N", "how many move", .integer = &o->particles, .least = 1, .most = 1000000}},
        {TRAIN_FLOW, false, {"eps-flow", "X", "cut-off of the force", .real = &o->eps_flow, .least = 1e-6, .most = 1e6}},
        {TRAIN_FLOW, false, {"time-step", "X", "h of x + h v", .real = &o->time_step, .least = 1e-12, .most = 1e6}},
        {TRAIN_FLOW, false, {"attraction", "X", "mobility by the data's force", .real = &o->attraction, .least = 0, .most = 1e9}},
        {TRAIN_FLOW, false, {"repulsion", "X", "mobility by the other particles' force", .real = &o->repulsion, .least = 0, .most = 1e9}},
        {TRAIN_FLOW, false, {"normalise", NULL, "velocities are divided by the sum of the forces' weights: for images, whose\nr^-(s + 2) is out of range", .flag = &o->normalise}},
        {TRAIN_ATOM, false, {"task", "NAME", "synthetic, classify or generate", .text = &o->task}},
        {TRAIN_ATOM, false, {"loss", "NAME", "what is added: none, atom (force, charge and number), one of these, force+charge,\nforce+number, hinge1, hinge2, rank-hinge, simclr, sscl or vq", .text = &o->loss}},
        {TRAIN_ATOM, false, {"coefficient", "X", "its weight", .real = &o->coefficient, .least = 0, .most = inf}},
        {TRAIN_ATOM, false, {"norm", "P", "of distances: at least 1, or 0 for the largest component", .real = &o->norm, .least = 0, .most = 64}},
        {TRAIN_ATOM, false, {"sampling", "NAME", "pairs of sub-units: distinct, independent or all", .text = &o->sampling}},
        {TRAIN_ATOM, false, {"pairs", "N", "sub-unit pairs of a pair of samples, at most", .integer = &o->pairs, .least = 1, .most = 10000}},
        {TRAIN_ATOM, false, {"normalise", NULL, "atom losses are divided by the number of their terms, as sums grow with the square of\nthe sub-units; not with --sampling all", .flag = &o->normalise}},
        {TRAIN_ATOM, false, {"temperature", "X", "of the contrastive losses", .real = &o->temperature, .least = 1e-3, .most = 1e3}},
        {TRAIN_ATOM, false, {"per-class", "N", "training samples of a class; 0: all", .integer = &o->per_class, .most = 1e9}},
        {TRAIN_ATOM, false, {"representation", "NAME", "what the loss sees of its layer: linear, before the activation, or activated", .text = &o->representation}},
        {TRAIN_ATOM, false, {"augment", "NAME", "of training images: none, shift or flip (and shift)", .text = &o->augment}},
        {TRAIN_ATOM, false, {"noise", "X", "deviation of what is added to the two views of simclr", .real = &o->noise, .least = 0, .most = 1e6}},
        {TRAIN_ATOM, false, {"codes", "N", "vectors in the codebook of vq", .integer = &o->codes, .least = 1, .most = 65536}},
        {TRAIN_ATOM, false, {"units", "N", "synthetic: numbers of a sample", .integer = &o->units, .least = 1, .most = 4096}},
        {TRAIN_ATOM, false, {"width", "N", "synthetic: channels of a sub-unit", .integer = &o->width, .least = 2, .most = 4096}},
        {TRAIN_ATOM, false, {"mean", "X", "synthetic: the two populations have the means -X and X", .real = &o->mean, .least = 0, .most = 1e6}},
        {TRAIN_ATOM, false, {"deviation", "X", "synthetic: their standard deviation", .real = &o->deviation, .least = 1e-6, .most = 1e6}},
        {TRAIN_ATOM, false, {"label", "NAME", "synthetic: membership, posterior or likelihood: what a sample's label is", .text = &o->label}},
        {TRAIN_ATOM, false, {"rows", "N", "synthetic: training samples", .integer = &o->rows, .least = 2, .most = 1000000}},
    };
    _Static_assert(sizeof(all) / sizeof(*all) <= ROWS, "more rows");
    memcpy(rows, all, sizeof all);
    return CLI_COUNT(all);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? calloc(1, FILE_MOST + 1) : NULL;
    if (text && fread(text, 1, FILE_MOST, file) == 0 && ferror(file)) {
        free(text);
        text = NULL;
    }
    if (!text)
        cli_error("%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
    return text;
}

/* A value of a configuration, as the command line would have it. */
static bool set(const cli_option *option, const cJSON *value, const char *path)
{
    const double number = cJSON_IsNumber(value) ? value->valuedouble : 0;
    const bool bounded = option->least != 0 || option->most != 0;
    bool fits = option->flag ? cJSON_IsBool(value) : option->text ? cJSON_IsString(value) || cJSON_IsNumber(value) : cJSON_IsNumber(value);
    if (fits && !option->flag && !option->text)
        fits = (!bounded || (number >= option->least && number <= option->most)) && (!option->integer || number == floor(number));
    if (!fits) {
        cli_error("%s: \"%s\" is not %s in its range", path, option->name, option->flag ? "true or false" : option->text ? "text" : "a number");
        return false;
    }
    if (option->flag)
        *option->flag = cJSON_IsTrue(value);
    else if (option->text)
        *option->text = cJSON_IsString(value) ? value->valuestring : NULL;
    else if (option->integer)
        *option->integer = (int64_t)number;
    else
        *option->real = number;
    return true;
}

static bool configure(const train_model *model, row *rows, size_t count, const cJSON *settings, const char *path)
{
    for (const cJSON *value = settings->child; value; value = value->next) {
        size_t r = 0;
        if (strcmp(value->string, "model") == 0) {
            if (cJSON_IsString(value) && strcmp(value->valuestring, model->name) == 0)
                continue;
            cli_error("%s is of the model \"%s\", not of %s", path, cJSON_IsString(value) ? value->valuestring : "?", model->name);
            return false;
        }
        while (r < count && (strcmp(rows[r].option.name, value->string) != 0 || !(rows[r].models & model->bit)))
            r++;
        if (r == count) {
            cli_error("%s: \"%s\" is no option of %s", path, value->string, model->name);
            return false;
        }
        if (!set(&rows[r].option, value, path))
            return false;
    }
    return true;
}

cJSON *train_read_json(const char *path)
{
    char *text = read_file(path);
    cJSON *root = text ? cJSON_Parse(text) : NULL;
    if (text && !cJSON_IsObject(root)) {
        cli_error("%s: not a JSON object", path);
        cJSON_Delete(root);
        root = NULL;
    }
    free(text);
    return root;
}

static bool configure_from(const train_model *model, row *rows, size_t count, const char *path, cJSON **root)
{
    *root = train_read_json(path);
    return *root && configure(model, rows, count, *root, path);
}

/* All values as JSON, in the table's order. */
static cJSON *settings_of(const train_model *model, const row *rows, size_t count)
{
    cJSON *settings = cJSON_CreateObject();
    cJSON_AddStringToObject(settings, "model", model->name);
    for (size_t r = 0; r < count; r++) {
        const cli_option *option = &rows[r].option;
        const bool own = strcmp(option->name, "out") == 0 || strcmp(option->name, "config") == 0 || strcmp(option->name, "resume") == 0 ||
                         strcmp(option->name, "profile") == 0;
        if (!(rows[r].models & model->bit) || own)
            continue;
        if (option->flag)
            cJSON_AddBoolToObject(settings, option->name, *option->flag);
        else if (option->text)
            cJSON_AddStringToObject(settings, option->name, *option->text ? *option->text : "");
        else
            cJSON_AddNumberToObject(settings, option->name, option->integer ? (double)*option->integer : *option->real);
    }
    return settings;
}

/* A run that goes on is the run that began. */
static bool same_run(const row *rows, size_t count, const cJSON *before, const cJSON *now)
{
    for (size_t r = 0; r < count; r++) {
        const cJSON *a = cJSON_GetObjectItemCaseSensitive(before, rows[r].option.name);
        const cJSON *b = cJSON_GetObjectItemCaseSensitive(now, rows[r].option.name);
        if (rows[r].changes || !a || !b || cJSON_Compare(a, b, true))
            continue;
        cli_error("--%s: a run that goes on keeps it as it began", rows[r].option.name);
        return false;
    }
    return true;
}

/* The value of --NAME on the command line, or whether the flag is there. */
static const char *peek(int argc, char **argv, const char *name)
{
    const size_t length = strlen(name);
    for (int a = 1; a < argc; a++) {
        if (strncmp(argv[a], "--", 2) != 0 || strncmp(argv[a] + 2, name, length) != 0)
            continue;
        if (argv[a][2 + length] == '=')
            return argv[a] + 3 + length;
        if (argv[a][2 + length] == '\0')
            return a + 1 < argc ? argv[a + 1] : "";
    }
    return NULL;
}

int train_parse(const train_model *model, int argc, char **argv, train_run *run)
{
    train_options *o = &run->options;
    row rows[ROWS];
    cli_option options[ROWS];
    size_t count = list(o, rows), own = 0;
    cli_arguments arguments;
    char path[4096];
    o->log_every = 100;
    o->samples = 10000;
    model->set_defaults(o);
    for (size_t r = 0; r < count; r++)
        if (rows[r].models & model->bit)
            options[own++] = rows[r].option;
    const cli_command command = {.operands = "", .summary = model->summary, .details = model->details, .options = options, .option_count = own};
    const char *file = peek(argc, argv, "config"), *out = peek(argc, argv, "out");
    if (file && !configure_from(model, rows, count, file, &run->given[0]))
        return CLI_USAGE;
    if (peek(argc, argv, "resume") && out) {
        snprintf(path, sizeof path, "%s/config.json", out);
        if (!configure_from(model, rows, count, path, &run->given[1]))
            return CLI_FAILED;
    }
    const int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    if (!o->out || !*o->out) {
        cli_error("needs --out DIR, the folder of the run");
        return CLI_USAGE;
    }
    if (model->settle && !model->settle(o))
        return CLI_USAGE;
    run->json = arguments.json;
    run->settings = settings_of(model, rows, count);
    if (run->given[1] && !same_run(rows, count, run->given[1], run->settings))
        return CLI_USAGE;
    run->device = cli_open(arguments.device);
    return run->device ? CLI_GO_ON : CLI_FAILED;
}
