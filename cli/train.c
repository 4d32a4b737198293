/* SPDX-License-Identifier: Apache-2.0 */
/* `dipole train MODEL`: the models, and a run from its options to its end. */
#include "train_models.h"
#include "train_networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const train_model *const models[] = {&train_eieg, &train_eieg_gan, &train_gan, &train_wgan_gp, &train_mmd_gan, &train_atom, &train_flow};

static void print_help(void)
{
    puts("usage: dipole train MODEL --out DIR [options]\n\n"
         "Trains a model and leaves its weights, numbers and pictures in a folder. The defaults are those of its paper, but where\n"
         "docs/results tells of better ones.\n\nmodels:");
    for (size_t m = 0; m < CLI_COUNT(models); m++)
        if (models[m]->bit != TRAIN_FLOW)
            printf("  %-10s %.*s\n", models[m]->name, (int)strcspn(models[m]->summary, "\n"), models[m]->summary);
    puts("\noptions:\n  --help  print this; 'dipole train MODEL --help' tells of one model\n\n"
         "exit status: 0 success, 1 failure, 2 bad usage, 130 interrupted (and saved)");
}

/* The number of steps that are done, on the device, is what random numbers and schedules follow. */
static bool begin(train_run *run)
{
    const float zero[TRAIN_MAX_LOSSES] = {0};
    const train_options *o = &run->options;
    run->count = dp_full(run->device, DP_F32, DP_SCALAR, 0);
    run->loss = dp_from(run->device, DP_F32, DP_SHAPE(TRAIN_MAX_LOSSES), zero);
    return train_ok(run, "begin") && train_keep(run, "", "step", run->count) &&
           (!run->model->takes_data || train_data_open(run->device, o->data, o->side, o->limit, (uint64_t)o->seed, &run->data)) &&
           train_check_formula(run, "rate", o->rate) && run->model->create(run) &&
           train_check_classifier(run, run->model->bit == TRAIN_FLOW ? o->particles : o->samples);
}

static void forget_options(train_run *run)
{
    cJSON_Delete(run->settings);
    cJSON_Delete(run->given[0]);
    cJSON_Delete(run->given[1]);
}

static void end(train_run *run)
{
    run->model->destroy(run);
    train_data_close(&run->data);
    dp_tensor_release(&run->count);
    dp_tensor_release(&run->loss);
    for (int k = 0; k < run->state_count; k++)
        free((char *)run->state[k].name);
    free(run->state);
    forget_options(run);
    dp_device_close(&run->device);
}

int train_run_model(const train_model *model, int argc, char **argv, bool evaluate)
{
    train_run run = {.model = model};
    const int status = train_parse(model, argc, argv, &run);
    if (status != CLI_GO_ON) {
        forget_options(&run);
        return status;
    }
    const int result = !begin(&run) ? CLI_FAILED : evaluate ? train_evaluate(&run) : train_loop(&run);
    end(&run);
    return result;
}

const train_model *train_find_model(const char *name)
{
    for (size_t m = 0; m < CLI_COUNT(models); m++)
        if (strcmp(models[m]->name, name) == 0)
            return models[m];
    return NULL;
}

int cli_train(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        const bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
        if (help)
            print_help();
        else
            cli_error("needs a model; try 'dipole train --help'");
        return help ? CLI_OK : CLI_USAGE;
    }
    const train_model *model = train_find_model(argv[1]);
    if (model && model->bit != TRAIN_FLOW) {
        char name[64];
        snprintf(name, sizeof name, "train %s", model->name);
        cli_set_name(name);
        argv[1] = name;
        return train_run_model(model, argc - 1, argv + 1, false);
    }
    cli_error("\"%s\" is not a model; try 'dipole train --help'", argv[1]);
    return CLI_USAGE;
}
