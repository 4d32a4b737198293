/* SPDX-License-Identifier: Apache-2.0 */
/* What the models of `dipole train` share: options, the folder of a run, the loop, data, scores. A model is a file
 * train_NAME.c and a row in train.c. */
#ifndef DIPOLE_CLI_TRAIN_H
#define DIPOLE_CLI_TRAIN_H

#include "cli.h"
#include "scores.h"
#include "train_data.h"

/* Which models an option is of. */
enum {
    TRAIN_EIEG = 1,
    TRAIN_EIEG_GAN = 2,
    TRAIN_GAN = 4,
    TRAIN_WGAN_GP = 8,
    TRAIN_MMD_GAN = 16,
    TRAIN_ATOM = 32,
    TRAIN_FLOW = 64,
    TRAIN_ANY_GAN = TRAIN_EIEG_GAN | TRAIN_GAN | TRAIN_WGAN_GP | TRAIN_MMD_GAN,
    TRAIN_NETWORKS = 63,
    TRAIN_ALL = 127
};

/* Every option of every model; a model sets its defaults. Text belongs to the command line or to the configuration. */
typedef struct train_options {
    const char *data, *out, *config, *classifier;
    bool resume, profile;
    int64_t seed, steps, batch, real_batch, side, channels, limit;
    const char *rate, *rate_d; /* formulas of t, the step, and T, the number of steps */
    double beta1, beta2, average;
    int64_t log_every, score_every, save_every, samples;
    /* EIEG */
    const char *kernel, *estimator, *eps; /* eps: a formula of t and T */
    double s;
    bool no_self;
    const char *latent;
    /* with a discriminator */
    int64_t feature_dim, d_steps, d_batch;
    const char *stabiliser;
    double lambda, eps_stabiliser, penalty, slope;
    /* particles */
    int64_t particles;
    double eps_flow, time_step, attraction, repulsion;
    /* Atom Modeling */
    const char *task, *loss, *sampling, *representation, *augment, *label;
    double coefficient, norm, temperature, noise, mean, deviation;
    int64_t per_class, pairs, codes, units, width, rows;
    bool normalise;
} train_options;

struct train_run;

typedef struct train_model {
    const char *name, *summary, *details;
    unsigned bit;
    bool takes_data; /* opens options.data */
    void (*set_defaults)(train_options *options);
    bool (*settle)(train_options *options); /* checks, and fills in what depends on other options; NULL: nothing; false after a message */
    /* Makes everything that the step uses, in run->own. False after a message; destroy is called either way. */
    bool (*create)(struct train_run *run);
    dp_program_body step; /* its context is the run */
    bool (*before_step)(struct train_run *run); /* what the host writes; NULL: nothing */
    bool (*score)(struct train_run *run, score_list *scores); /* false after a message */
    bool (*draw)(struct train_run *run); /* pictures into the folder; false after a message */
    void (*destroy)(struct train_run *run);
} train_model;

#define TRAIN_MAX_LOSSES 6

/* One run: a folder, and everything that a checkpoint holds. */
typedef struct train_run {
    const train_model *model;
    train_options options;
    cJSON *settings; /* all options as they were used: config.json */
    cJSON *given[2]; /* --config, and the settings of the run that goes on: texts of the options point into them */
    dp_device *device;
    bool json;
    int64_t step;         /* how many are done */
    dp_tensor *count;     /* the same on the device, f32 [] */
    dp_tensor *loss;      /* f32 [TRAIN_MAX_LOSSES], of the last step */
    const char *loss_name[TRAIN_MAX_LOSSES];
    int losses;
    dp_named_tensor *state; /* borrowed tensors, names owned: what a checkpoint holds */
    int state_count;
    size_t state_capacity;
    train_data data;
    void *own; /* the model's */
    /* How a generator makes samples of noise; NULL: by its layers alone. */
    dp_tensor *(*generate)(struct train_run *run, dp_network *generator, dp_tensor *z);
} train_run;

/* train_options.c: the whole command line of a model, its configuration, and a resumed run's. CLI_GO_ON, or what to return. */
int train_parse(const train_model *model, int argc, char **argv, train_run *run);

/* A file as JSON, to be deleted; NULL after a message. */
cJSON *train_read_json(const char *path);

/* train_run.c */
/* A path in the run's folder; valid until the next call with the same slot (0 .. 3). */
const char *train_path(const train_run *run, const char *name, int slot);
/* Adds a tensor to what is kept in checkpoints: "PREFIXname". False after a message. */
bool train_keep(train_run *run, const char *prefix, const char *name, const dp_tensor *tensor);
bool train_save(train_run *run);  /* checkpoint.safetensors */
bool train_load(train_run *run);
/* Tells the device's failure, if any. */
bool train_ok(const train_run *run, const char *what);
/* Inside of a step: stores a loss (a tensor of one element, which it takes over) as number k. */
dp_status train_report(train_run *run, int k, dp_tensor *loss);

/* train_loop.c */
int train_loop(train_run *run);
/* Scores and pictures of a run that is there, from its last checkpoint; nothing in its folder changes but the picture. */
int train_evaluate(train_run *run);

/* train.c: a subcommand that is a run of this model. */
int train_run_model(const train_model *model, int argc, char **argv, bool evaluate);
const train_model *train_find_model(const char *name); /* NULL: there is none */

#endif
