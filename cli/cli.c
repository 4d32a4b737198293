/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, progress, signals, devices and JSON for all subcommands. */
#include "cli.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *command_name;
static volatile sig_atomic_t interrupted;
static bool json_failed; /* an allocation of cJSON's */

static struct {
    bool started, shown;
    double start, printed;
} progress;

static void erase_progress(void)
{
    if (progress.shown)
        fputs("\r\033[K", stderr);
    progress.shown = false;
}

void cli_set_name(const char *subcommand)
{
    command_name = subcommand;
}

void cli_error(const char *format, ...)
{
    erase_progress();
    fprintf(stderr, "dipole%s%s: ", command_name ? " " : "", command_name ? command_name : "");
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

void cli_progress(double done, const char *format, ...)
{
    const double now = cli_seconds();
    if (!progress.started) {
        progress.started = true;
        progress.start = progress.printed = now;
    }
    if (now - progress.start < 2 || now - progress.printed < 0.1 || !isatty(STDERR_FILENO))
        return;
    erase_progress();
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "  %.0f %%", 100 * done);
    if (done > 0)
        fprintf(stderr, "  %.0f s left", (now - progress.start) * (1 - done) / done);
    fflush(stderr);
    progress.shown = true;
    progress.printed = now;
}

void cli_progress_end(void)
{
    erase_progress();
    progress.started = false;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void *json_alloc(size_t size)
{
    void *memory = malloc(size);
    json_failed |= !memory;
    return memory;
}

void cli_init(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = json_alloc, .free_fn = free});
    /* SA_RESTART: drivers do not expect their calls to be cut short. SA_RESETHAND: the second signal kills.
     */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

double cli_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

uint64_t cli_peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0; /* Linux counts KiB */
}

bool cli_expand_ids(const char *device, cli_ids *ids)
{
    *ids = (cli_ids){0};
    const bool all = device && strcmp(device, "all") == 0;
    const size_t listed = all ? dp_device_list(NULL, 0) : 1;
    dp_device_info *infos = calloc(listed, sizeof(*infos));
    ids->id = calloc(listed, sizeof(*ids->id));
    if (!infos || !ids->id) {
        cli_error("out of memory");
        free(infos);
        return false;
    }
    if (all) {
        const size_t there = dp_device_list(infos, listed);
        ids->count = there < listed ? there : listed; /* a device may come or go between the two calls */
        for (size_t d = 0; d < ids->count; d++)
            memcpy(ids->id[d], infos[d].id, sizeof(ids->id[d]));
    } else if (device && strlen(device) >= sizeof(ids->id[0])) {
        cli_error("--device: \"%s\" is longer than any id; 'dipole devices' lists them", device);
    } else {
        snprintf(ids->id[0], sizeof(ids->id[0]), "%s", device ? device : "");
        ids->count = 1;
    }
    free(infos);
    return ids->count > 0;
}

void cli_free_ids(cli_ids *ids)
{
    free(ids->id);
    *ids = (cli_ids){0};
}

dp_device *cli_open(const char *id)
{
    dp_device *device = dp_device_open(id);
    if (dp_failed(device) == DP_OK)
        return device;
    cli_error("%s", device ? dp_message(device) : "out of memory");
    dp_device_close(&device);
    return NULL;
}

const char *cli_bytes_text(uint64_t bytes, char text[CLI_TEXT])
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t u = 0;
    while (value >= 1024 && u + 1 < CLI_COUNT(unit)) {
        value /= 1024;
        u++;
    }
    snprintf(text, CLI_TEXT, "%.*f %s", u == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2, value, unit[u]);
    return text;
}

const char *cli_si_text(double value, char text[CLI_TEXT])
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P"};
    size_t p = 0;
    while (fabs(value) >= 1000 && p + 1 < CLI_COUNT(prefix)) {
        value /= 1000;
        p++;
    }
    snprintf(text, CLI_TEXT, "%.3g %s", value, prefix[p]);
    return text;
}

int cli_json_print(cJSON *json)
{
    char *text = json ? cJSON_Print(json) : NULL;
    cJSON_Delete(json);
    if (!text || json_failed) {
        cJSON_free(text);
        cli_error("out of memory");
        return CLI_FAILED;
    }
    puts(text);
    cJSON_free(text);
    return CLI_OK;
}
