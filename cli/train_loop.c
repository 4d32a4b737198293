/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a run: steps as a program of the device, rows of metrics, scores, checkpoints. What is saved and what is logged fall on the
 * same steps whether the run was interrupted or not, so that its files are the same. */
#include "train.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WARM_UP = 10, MOST_KERNELS = 64 };

typedef struct loop {
    train_run *run;
    dp_program *program;
    dp_log *metrics[2], *scores;
    double started, warm; /* seconds, at first_step and warm_step */
    int64_t warm_step;
    double ended;         /* seconds, at the last step */
    dp_profile_entry kernel[MOST_KERNELS]; /* of the steps behind the warm-up */
    size_t kernels;
    int64_t first_step;
    double last[TRAIN_MAX_LOSSES];
    const char *score_name[SCORES_MOST];
    int score_count;
} loop;

static bool make_folder(const train_run *run)
{
    if (mkdir(run->options.out, 0777) == 0 || errno == EEXIST)
        return true;
    cli_error("%s: %s", run->options.out, strerror(errno));
    return false;
}

static bool write_text(const char *path, const char *text)
{
    char message[512];
    if (dp_text_write(path, text, message, sizeof message) == DP_OK)
        return true;
    cli_error("%s", message);
    return false;
}

static bool write_settings(const train_run *run)
{
    char *text = cJSON_Print(run->settings);
    const bool written = text && write_text(train_path(run, "config.json", 0), text);
    cJSON_free(text);
    return written;
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* A new run does not overwrite one that is there; one that goes on needs its checkpoint. */
static bool begin_folder(train_run *run)
{
    const bool begun = exists(train_path(run, "checkpoint.safetensors", 0));
    if (!run->options.resume && begun) {
        cli_error("%s has a run already: --resume goes on with it; else name another folder", run->options.out);
        return false;
    }
    if (!run->options.resume)
        return make_folder(run) && write_settings(run);
    return train_load(run);
}

static bool open_log(const train_run *run, const char *name, dp_log_format format, const char *const *columns, int count, dp_log **log)
{
    char message[512];
    const int64_t resume = run->options.resume ? run->step : -1;
    if (dp_log_open(train_path(run, name, 0), format, columns, count, resume, log, message, sizeof message) == DP_OK)
        return true;
    cli_error("%s", message);
    return false;
}

static bool add_row(dp_log *log, int64_t step, const double *values)
{
    char message[512];
    if (dp_log_last(log) >= step || dp_log_row(log, step, values, message, sizeof message) == DP_OK)
        return true;
    cli_error("%s", message);
    return false;
}

static bool open_logs(loop *l)
{
    const train_run *run = l->run;
    return open_log(run, "metrics.csv", DP_LOG_CSV, run->loss_name, run->losses, &l->metrics[0]) &&
           open_log(run, "metrics.jsonl", DP_LOG_JSON_LINES, run->loss_name, run->losses, &l->metrics[1]);
}

static bool log_losses(loop *l)
{
    train_run *run = l->run;
    float values[TRAIN_MAX_LOSSES] = {0};
    if (dp_read(run->loss, values, sizeof values) != DP_OK)
        return train_ok(run, "metrics");
    for (int k = 0; k < run->losses; k++)
        l->last[k] = (double)values[k];
    return add_row(l->metrics[0], run->step, l->last) && add_row(l->metrics[1], run->step, l->last);
}

static bool take_scores(loop *l, score_list *scores)
{
    train_run *run = l->run;
    double values[SCORES_MOST];
    const char *names[SCORES_MOST];
    *scores = (score_list){0};
    if (!run->model->score)
        return true;
    if (!run->model->score(run, scores))
        return false;
    if (scores->count == 0) /* too few samples or data */
        return true;
    for (int k = 0; k < scores->count; k++) {
        names[k] = scores->score[k].name;
        values[k] = scores->score[k].value;
    }
    if (!l->scores && !open_log(run, "scores.csv", DP_LOG_CSV, names, scores->count, &l->scores))
        return false;
    return add_row(l->scores, run->step, values);
}

/* Steps a second behind the warm-up, where there were any. */
static double rate(const loop *l, double now)
{
    const bool warm = l->warm_step > 0 && l->run->step > l->warm_step;
    const double seconds = now - (warm ? l->warm : l->started);
    return seconds > 0 ? (double)(l->run->step - (warm ? l->warm_step : l->first_step)) / seconds : 0;
}

static void show_progress(const loop *l)
{
    const train_run *run = l->run;
    const int64_t done = run->step - l->first_step, all = run->options.steps - l->first_step;
    char text[160];
    int length = snprintf(text, sizeof text, "step %lld of %lld", (long long)run->step, (long long)run->options.steps);
    for (int k = 0; k < run->losses && length < (int)sizeof text; k++)
        length += snprintf(text + length, sizeof text - (size_t)length, "  %s %.4g", run->loss_name[k], l->last[k]);
    cli_progress(all > 0 ? (double)done / (double)all : 1, "%s  %.3g steps/s", text, rate(l, cli_seconds()));
}

/* After the first steps, in which kernels are built: the clock starts anew, and so does the profile. */
static bool warmed_up(loop *l)
{
    if (l->run->step - l->first_step != WARM_UP)
        return true;
    if (dp_device_wait(l->run->device) != DP_OK || (l->run->options.profile && dp_profile(l->run->device, true) != DP_OK))
        return train_ok(l->run, "step");
    l->warm = cli_seconds();
    l->warm_step = l->run->step;
    return true;
}

static void print_profile(const loop *l)
{
    const dp_profile_entry *entries = l->kernel;
    const double steps = (double)(l->run->step - l->warm_step);
    printf("%-28s %10s %12s %12s\n", "kernel", "a step", "us a step", "us each");
    for (size_t k = 0; k < l->kernels && k < MOST_KERNELS; k++)
        printf("%-28s %10.1f %12.1f %12.2f\n", entries[k].kernel, (double)entries[k].launches / steps, 1e6 * entries[k].seconds / steps,
               1e6 * entries[k].seconds / (double)entries[k].launches);
}

static bool due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static bool one_step(loop *l)
{
    train_run *run = l->run;
    if (run->model->before_step && !run->model->before_step(run))
        return false;
    if (dp_program_run(l->program) != DP_OK)
        return train_ok(run, "step");
    run->step++;
    return true;
}

/* Runs to the end, to an interrupt, or to a failure. */
static bool run_steps(loop *l)
{
    train_run *run = l->run;
    const train_options *o = &run->options;
    score_list scores;
    cli_progress(0, "begin");
    while (run->step < o->steps && !cli_interrupted()) {
        if (!one_step(l))
            return false;
        if (!warmed_up(l))
            return false;
        if (due(run->step, o->log_every) && !log_losses(l))
            return false;
        if (due(run->step, o->score_every) && run->step < o->steps && !take_scores(l, &scores))
            return false;
        if (due(run->step, o->save_every) && !train_save(run))
            return false;
        if (due(run->step, 16))
            show_progress(l);
    }
    cli_progress_end();
    dp_device_wait(run->device);
    l->ended = cli_seconds();
    if (o->profile) {
        l->kernels = dp_profile_list(run->device, l->kernel, MOST_KERNELS);
        dp_profile(run->device, false);
    }
    return train_ok(run, "step");
}

static cJSON *result_of(const loop *l, const score_list *scores)
{
    const train_run *run = l->run;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "model", run->model->name);
    cJSON_AddStringToObject(result, "out", run->options.out);
    cJSON_AddStringToObject(result, "device", dp_device_get_info(run->device).id);
    cJSON_AddNumberToObject(result, "steps", (double)run->step);
    cJSON_AddNumberToObject(result, "seconds", l->ended - l->started);
    cJSON_AddNumberToObject(result, "steps_per_second", rate(l, l->ended));
    for (int k = 0; k < run->losses; k++)
        cJSON_AddNumberToObject(result, run->loss_name[k], l->last[k]);
    cJSON_AddItemToObject(result, "scores", scores_json(scores));
    return result;
}

/* A finished run has scores, pictures and its result in the folder. */
static int finish(loop *l)
{
    train_run *run = l->run;
    score_list scores;
    if (!log_losses(l) || !take_scores(l, &scores) || !train_save(run) || (run->model->draw && !run->model->draw(run)))
        return CLI_FAILED;
    cJSON *result = result_of(l, &scores);
    char *text = cJSON_Print(result);
    const bool written = text && write_text(train_path(run, "result.json", 0), text);
    cJSON_free(text);
    if (!written) {
        cJSON_Delete(result);
        return CLI_FAILED;
    }
    if (run->json)
        return cli_json_print(result);
    cJSON_Delete(result);
    printf("%lld steps in %.1f s, %.4g steps/s\n", (long long)(run->step - l->first_step), l->ended - l->started, rate(l, l->ended));
    if (run->options.profile)
        print_profile(l);
    for (int k = 0; k < run->losses; k++)
        printf("%-18s %.6g\n", run->loss_name[k], l->last[k]);
    scores_print(&scores);
    printf("%s: checkpoint.safetensors, config.json, metrics.csv, metrics.jsonl, scores.csv, result.json%s\n", run->options.out,
           run->model->draw ? ", pictures" : "");
    return CLI_OK;
}

static int close_logs(loop *l, int status)
{
    dp_status closed = dp_log_close(&l->metrics[0]);
    closed = dp_log_close(&l->metrics[1]) != DP_OK ? DP_ERROR_IO : closed;
    closed = dp_log_close(&l->scores) != DP_OK ? DP_ERROR_IO : closed;
    if (closed != DP_OK && status == CLI_OK) {
        cli_error("%s: the logs cannot be brought to the disk", l->run->options.out);
        return CLI_FAILED;
    }
    return status;
}

int train_evaluate(train_run *run)
{
    score_list scores = {0};
    if (!train_load(run) || (run->model->score && !run->model->score(run, &scores)) || (run->model->draw && !run->model->draw(run)))
        return CLI_FAILED;
    if (!run->json) {
        printf("%s, %lld steps\n", run->model->name, (long long)run->step);
        scores_print(&scores);
        return CLI_OK;
    }
    cJSON *result = scores_json(&scores);
    cJSON_AddStringToObject(result, "model", run->model->name);
    cJSON_AddNumberToObject(result, "steps", (double)run->step);
    return cli_json_print(result);
}

int train_loop(train_run *run)
{
    loop l = {.run = run};
    int status = CLI_FAILED;
    if (!begin_folder(run) || !open_logs(&l))
        return close_logs(&l, CLI_FAILED);
    l.program = dp_program_create(run->device, run->model->step, run);
    l.started = cli_seconds();
    l.first_step = run->step;
    if (!l.program)
        cli_error("out of memory");
    else if (!run_steps(&l))
        status = CLI_FAILED; /* what was saved last is still there */
    else if (run->step < run->options.steps)
        status = train_save(run) ? CLI_INTERRUPTED : CLI_FAILED;
    else
        status = finish(&l);
    if (status == CLI_INTERRUPTED)
        cli_error("interrupted at step %lld, saved: go on with --resume", (long long)run->step);
    dp_program_destroy(&l.program);
    return close_logs(&l, status);
}
