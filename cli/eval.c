/* SPDX-License-Identifier: Apache-2.0 */
/* `dipole eval DIR`: the scores and pictures of a run that is there. */
#include "train_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The model that a run's configuration names; NULL after a message. */
static const train_model *model_of(const char *folder)
{
    char path[4096], word[64] = "";
    snprintf(path, sizeof path, "%s/config.json", folder);
    cJSON *settings = train_read_json(path);
    if (!settings)
        return NULL;
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(settings, "model");
    snprintf(word, sizeof word, "%s", cJSON_IsString(name) ? name->valuestring : "");
    cJSON_Delete(settings);
    const train_model *model = train_find_model(word);
    if (!model)
        cli_error("%s: \"%s\" is no model", path, word);
    return model;
}

int cli_eval(int argc, char **argv)
{
    int64_t samples = 0;
    char number[32];
    const cli_option options[] = {
        {"samples", "N", "how many are scored; default: as the run has it", .integer = &samples, .least = 100, .most = 100000},
    };
    const cli_command command = {
        .operands = "DIR",
        .operand_count = 1,
        .summary = "Scores the run in DIR, as 'dipole train' and 'dipole flow' leave it, from its last checkpoint, and\ndraws its pictures anew.",
        .details = "Of a mixture of Gaussians: \"modes\", the centres that at least one in 500 samples is within 4\n"
                   "deviations of, and \"high_quality\", the share of samples within 4 deviations of any centre.\n"
                   "docs/results/ tells of all scores.",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    const int status = cli_parse(&command, argc, argv, &arguments);
    if (status != CLI_GO_ON)
        return status;
    char *folder = arguments.operands[0];
    const train_model *model = model_of(folder);
    if (!model)
        return CLI_FAILED;
    char *words[10] = {argv[0], "--resume", "--out", folder};
    int count = 4;
    if (arguments.device) {
        words[count++] = "--device";
        words[count++] = (char *)arguments.device;
    }
    if (samples && model->bit != TRAIN_FLOW) {
        snprintf(number, sizeof number, "%lld", (long long)samples);
        words[count++] = "--samples";
        words[count++] = number;
    }
    if (arguments.json)
        words[count++] = "--json";
    return train_run_model(model, count, words, true);
}
