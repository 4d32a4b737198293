/* SPDX-License-Identifier: Apache-2.0 */
/* `dipole train atom`: Atom Modeling's losses and those they are compared with, in three tasks. */
#include "train_atom.h"
#include "train_models.h"

#include <string.h>

static const atom_task *const tasks[] = {&atom_synthetic, &atom_classify, &atom_generate};

static const atom_task *task_of(const train_options *o)
{
    for (size_t t = 0; t < CLI_COUNT(tasks); t++)
        if (strcmp(tasks[t]->name, o->task) == 0)
            return tasks[t];
    return NULL;
}

static void set_defaults(train_options *o)
{
    o->data = "";
    o->task = "synthetic";
    o->loss = "atom";
    o->sampling = "distinct";
    o->representation = "linear";
    o->augment = "none";
    o->label = "membership";
    o->rate = "";
    o->rate_d = "";
    o->coefficient = 0.02; /* the paper's, of its ImageNet and all of its image synthesis */
    o->norm = 2;
    o->temperature = 0.5;
    o->noise = 0.1;
    o->pairs = 100;
    o->codes = 128;
    o->units = 16;
    o->width = 8;
    o->mean = 1;
    o->deviation = 1.5;
    o->rows = 300;
    o->side = 32;
    o->channels = 64;
    o->beta1 = -1; /* of the task */
    o->beta2 = 0.999;
}

/* Numbers that nobody gave are those of the task. */
static bool settle(train_options *o)
{
    const atom_task *task = task_of(o);
    if (!task) {
        cli_error("--task: \"%s\" is none of synthetic, classify, generate", o->task);
        return false;
    }
    if (auxiliary_find(o->loss) == AUXILIARY_COUNT)
        return false;
    task->settle(o);
    if (task != &atom_synthetic && !*o->data) {
        cli_error("--task %s needs --data, a file of images", o->task);
        return false;
    }
    return true;
}

static bool create(train_run *run)
{
    return task_of(&run->options)->create(run);
}

static dp_status step(dp_device *device, void *context)
{
    train_run *run = context;
    (void)device;
    return task_of(&run->options)->step(run);
}

static bool before_step(train_run *run)
{
    return task_of(&run->options)->before_step(run);
}

static bool score(train_run *run, score_list *scores)
{
    return task_of(&run->options)->score(run, scores);
}

static bool draw(train_run *run)
{
    const atom_task *task = task_of(&run->options);
    return !task->draw || task->draw(run);
}

static void destroy(train_run *run)
{
    task_of(&run->options)->destroy(run);
}

const train_model train_atom = {
    .name = "atom",
    .bit = TRAIN_ATOM,
    .summary = "Trains with the losses of Atom Modeling, or one that they are compared with, on what a "
               "hidden layer gives:\n"
               "a classifier of synthetic numbers or of images, or a generator of images.",
    .details = "synthetic: samples of --units numbers, each from one of two normal populations with equal "
               "chance; the label says\n"
               "  whether more than half are of the second one (a tie: they are not). Two layers: units -> "
               "units * width -> 2.\n"
               "classify: a small residual network on images with labels; the loss sees its first stage.\n"
               "generate: DCGAN; the loss sees the generator's last hidden layer. Its scores are those of "
               "the other generators.",
    .set_defaults = set_defaults,
    .settle = settle,
    .create = create,
    .step = step,
    .before_step = before_step,
    .score = score,
    .draw = draw,
    .destroy = destroy,
};
