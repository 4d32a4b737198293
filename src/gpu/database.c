/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/database.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRY_FIELDS  7
#define TIMING_FIELDS 7
#define KEY_PARTS     5

static const char header[] =
    "# Dipole's tuning database, version 1; docs/tuning.md tells of it\n"
    "# device | class | variant | speed | library and kernel | date | where it comes from\n";

static bool copy(char *to, size_t size, const char *from)
{
    const size_t length = strlen(from);
    if (length == 0 || length >= size)
        return false;
    memcpy(to, from, length + 1);
    return true;
}

/* "12.5 GFLOP/s", "0.0012 s"; "-" is 0. */
static bool read_number(const char *text, const char *unit, double *value)
{
    char *end;
    *value = 0;
    if (strcmp(text, "-") == 0)
        return true;
    *value = strtod(text, &end);
    return end != text && isfinite(*value) && *value > 0 && *end == ' ' && strcmp(end + 1, unit) == 0;
}

static bool read_date(const char *text, char date[16])
{
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    return copy(date, 16, text) && text[sizeof form - 1] == '\0';
}

/* "0.1.0 0123456789abcdef", "-". */
static bool read_library(const char *text, dp__entry *entry)
{
    char *end;
    const char *blank = strchr(text, ' ');
    const size_t length = blank ? (size_t)(blank - text) : strlen(text);
    if (length == 0 || length >= sizeof entry->library)
        return false;
    memcpy(entry->library, text, length);
    entry->library[length] = '\0';
    if (!blank)
        return true;
    entry->source = strtoull(blank + 1, &end, 16);
    return end == blank + 17 && *end == '\0';
}

static bool read_entry(const dp__line *line, dp__entry *entry)
{
    *entry = (dp__entry){0};
    return line->fields == ENTRY_FIELDS && copy(entry->device, sizeof entry->device, line->field[0]) &&
           dp__class_parse(line->field[1], &entry->shape) &&
           copy(entry->variant, sizeof entry->variant, line->field[2]) &&
           read_number(line->field[3], "GFLOP/s", &entry->gflops) && read_library(line->field[4], entry) &&
           read_date(line->field[5], entry->date) &&
           copy(entry->provenance, sizeof entry->provenance, line->field[6]);
}

typedef struct entry_reader {
    dp__entries *entries;
    size_t first; /* of this text */
    bool shipped;
} entry_reader;

static bool add_entry(void *data, const dp__line *line)
{
    const entry_reader *reader = data;
    dp__entry entry;
    if (!read_entry(line, &entry))
        return false;
    if (!reader) /* only checked */
        return true;
    dp__entries *entries = reader->entries;
    entry.shipped = reader->shipped;
    for (size_t i = reader->first; i < entries->count; i++)
        if (strcmp(entries->list[i].device, entry.device) == 0 &&
            dp__class_equal(&entries->list[i].shape, &entry.shape)) {
            entries->list[i] = entry;
            return true;
        }
    if (dp__grow(&entries->list, &entries->capacity, entries->count + 1, sizeof *entries->list))
        entries->list[entries->count++] = entry;
    else
        entries->failed = true;
    return true;
}

size_t dp__entries_parse(dp__entries *entries, const char *text, size_t length, bool shipped,
                         size_t *first_bad)
{
    entry_reader reader = {entries, entries->count, shipped};
    return dp__lines_read(text, length, add_entry, &reader, first_bad);
}

void dp__entry_print(const dp__entry *entry, dp__text *text)
{
    char shape[DP__CLASS_TEXT], speed[40] = "-";
    if (entry->gflops > 0)
        snprintf(speed, sizeof speed, "%.4g GFLOP/s", entry->gflops);
    dp__text_add(text, "%s | %s | %s | %s | %s", entry->device, dp__class_print(&entry->shape, shape),
                 entry->variant, speed, entry->library);
    if (entry->source)
        dp__text_add(text, " %016llx", (unsigned long long)entry->source);
    dp__text_add(text, " | %s | %s\n", entry->date, entry->provenance);
}

void dp__entries_free(dp__entries *entries)
{
    dp__free(entries->list);
    *entries = (dp__entries){0};
}

bool dp__entries_save(const char *path, const dp__entry *list, size_t count, char message[256])
{
    dp__text text = {0};
    for (size_t i = 0; i < count; i++)
        dp__entry_print(&list[i], &text);
    const bool saved = dp__line_file_merge(path, header, &text, 2, add_entry, message);
    dp__text_free(&text);
    return saved;
}

static void add_part(dp__text *key, const char *name)
{
    bool dash = false, any = false;
    for (; *name; name++) {
        const int c = tolower((unsigned char)*name);
        if (isalnum(c) && c < 128) {
            dp__text_add(key, "%s%c", dash && any ? "-" : "", c);
            any = true;
            dash = false;
        } else {
            dash = true;
        }
    }
    if (!any)
        dp__text_add(key, "unknown");
}

void dp__device_key(const dp_device_info *info, char key[DP__DEVICE_KEY])
{
    const char *const part[KEY_PARTS] = {info->backend, dp_device_type_name(info->type), info->vendor,
                                         info->name, info->driver};
    dp__text text = {0};
    for (int p = 0; p < KEY_PARTS; p++) {
        dp__text_add(&text, "%s", p ? "/" : "");
        add_part(&text, part[p]);
    }
    snprintf(key, DP__DEVICE_KEY, "%s", text.data ? text.data : "unknown");
    dp__text_free(&text);
}

/* Backtracks to the last star: as many steps as pattern times text at most. */
bool dp__device_matches(const char *pattern, const char *key)
{
    const char *star = NULL, *again = key;
    while (*key) {
        if (*pattern == '*') {
            star = pattern++;
            again = key;
        } else if (*pattern == *key) {
            pattern++;
            key++;
        } else if (star) {
            pattern = star + 1;
            key = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* The part `index` of a key into `part`. */
static void key_part(const char *key, int index, char part[DP__DEVICE_KEY])
{
    while (index-- > 0) {
        const char *slash = strchr(key, '/');
        key = slash ? slash + 1 : key + strlen(key);
    }
    snprintf(part, DP__DEVICE_KEY, "%.*s", (int)strcspn(key, "/"), key);
}

static bool same_part(const char *pattern, const char *key, int index)
{
    char left[DP__DEVICE_KEY], right[DP__DEVICE_KEY];
    key_part(pattern, index, left);
    key_part(key, index, right);
    return dp__device_matches(left, right);
}

int dp__device_distance(const char *pattern, const char *key)
{
    if (dp__device_matches(pattern, key))
        return 0;
    if (!same_part(pattern, key, 1))
        return 4;
    if (!same_part(pattern, key, 2))
        return 3;
    return same_part(pattern, key, 0) ? 1 : 2;
}

/* A device's own entries before others', measured before derived ones, the user's before shipped ones, near
 * classes before far ones. An entry whose class is a power of two nearer is worth more than one that is the
 * user's. */
static double rank(const dp__entry *entry, const char *device, const dp__shape_class *shape)
{
    const int other = entry->other ? entry->other - 1 : dp__device_distance(entry->device, device);
    const double distance = dp__class_distance(&entry->shape, shape);
    if (other == 4 || distance > DP__FARTHEST_CLASS)
        return INFINITY;
    return 100.0 * other + distance + (entry->gflops > 0 ? 0 : 10) + (entry->shipped ? 0.5 : 0);
}

void dp__entries_narrow(dp__entries *entries, const char *device)
{
    size_t kept = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const int other = dp__device_distance(entries->list[i].device, device);
        if (other == 4)
            continue;
        entries->list[kept] = entries->list[i];
        entries->list[kept++].other = 1 + other;
    }
    entries->count = kept;
}

const dp__entry *dp__entries_find(const dp__entries *entries, const char *device,
                                  const dp__shape_class *shape, dp__entry_filter *usable, void *data)
{
    const dp__entry *best = NULL;
    double least = INFINITY;
    for (size_t i = 0; i < entries->count; i++) {
        const double own = rank(&entries->list[i], device, shape);
        if (own < least && (!usable || usable(data, &entries->list[i]))) {
            least = own;
            best = &entries->list[i];
        }
    }
    return best;
}

/* "units=2 vector=16 group=4096 local=524288" */
static bool read_limits(const char *text, dp__timing *timing)
{
    unsigned long long local;
    int end = 0;
    if (sscanf(text, "units=%u vector=%u group=%u local=%llu%n", &timing->units, &timing->vector,
               &timing->group, &local, &end) != 4 ||
        text[end])
        return false;
    timing->local = local;
    return true;
}

static bool add_timing(void *data, const dp__line *line)
{
    dp__timings *timings = data;
    dp__timing timing = {0};
    if (line->fields != TIMING_FIELDS || !copy(timing.device, sizeof timing.device, line->field[0]) ||
        !read_limits(line->field[1], &timing) || !dp__class_parse(line->field[2], &timing.shape) ||
        !copy(timing.variant, sizeof timing.variant, line->field[3]) ||
        !read_number(line->field[4], "s", &timing.seconds) ||
        !read_number(line->field[5], "GFLOP/s", &timing.gflops) || !read_date(line->field[6], timing.date))
        return false;
    if (dp__grow(&timings->list, &timings->capacity, timings->count + 1, sizeof *timings->list))
        timings->list[timings->count++] = timing;
    else
        timings->failed = true;
    return true;
}

size_t dp__timings_parse(dp__timings *timings, const char *text, size_t length)
{
    return dp__lines_read(text, length, add_timing, timings, NULL);
}

void dp__timing_print(const dp__timing *timing, dp__text *text)
{
    char shape[DP__CLASS_TEXT];
    dp__text_add(text, "%s | units=%u vector=%u group=%u local=%llu | %s | %s | %.4g s | %.4g GFLOP/s | %s\n",
                 timing->device, timing->units, timing->vector, timing->group,
                 (unsigned long long)timing->local, dp__class_print(&timing->shape, shape), timing->variant,
                 timing->seconds, timing->gflops, timing->date);
}

void dp__timings_free(dp__timings *timings)
{
    dp__free(timings->list);
    *timings = (dp__timings){0};
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool dp__database_off(void)
{
    const char *own = variable("DIPOLE_TUNING");
    return own && strcmp(own, "off") == 0;
}

bool dp__database_path(const char *suffix, dp__text *path)
{
    const char *own = variable("DIPOLE_TUNING"), *xdg = variable("XDG_DATA_HOME"), *home = variable("HOME");
    if (dp__database_off())
        return false;
    if (own)
        dp__text_add(path, "%s%s", own, suffix);
    else if (xdg && xdg[0] == '/') /* the specification has relative ones ignored */
        dp__text_add(path, "%s/dipole/tuning.txt%s", xdg, suffix);
    else if (home && home[0] == '/')
        dp__text_add(path, "%s/.local/share/dipole/tuning.txt%s", home, suffix);
    else
        return false;
    return !path->failed;
}

void dp__database_date(char date[16])
{
    const time_t now = time(NULL);
    struct tm parts;
    if (!gmtime_r(&now, &parts) || strftime(date, 16, "%Y-%m-%d", &parts) == 0)
        snprintf(date, 16, "1970-01-01");
}

void dp__shipped_entries(dp__entries *entries)
{
    for (const dp__shipped_file *file = dp__shipped_files; file->name; file++)
        if (!file->log)
            dp__entries_parse(entries, file->text, strlen(file->text), true, NULL);
}

void dp__shipped_timings(dp__timings *timings)
{
    for (const dp__shipped_file *file = dp__shipped_files; file->name; file++)
        if (file->log)
            dp__timings_parse(timings, file->text, strlen(file->text));
}
