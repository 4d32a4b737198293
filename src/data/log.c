/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of a run: CSV and JSON lines. Both read as the same pieces, a prefix before the step, one before each value, and an end. */
#include "core/whole_file.h"
#include "data/report.h"
#include <dipole/file.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_COLUMNS 1000

struct dp_log {
    char *path;
    int descriptor;
    uint64_t bytes; /* of whole rows */
    int64_t last;
    int count;
    bool json;
    locale_t locale; /* with a decimal point */
    dp__text header; /* the first line of CSV; empty */
    dp__text *names; /* what stands before each value */
};

static dp_status check_columns(const dp__report *report, const char *const *columns, int count)
{
    char shown[DP__SHOWN_TEXT];
    if (count < 1 || count > MOST_COLUMNS)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "count is %d; 1 to %d columns are allowed", count, MOST_COLUMNS);
    if (!columns)
        return dp__report_fail(report, DP_ERROR_ARGUMENT, "columns is NULL");
    for (int c = 0; c < count; c++) {
        const char *name = columns[c];
        if (!name)
            return dp__report_fail(report, DP_ERROR_ARGUMENT, "column %d is NULL", c);
        bool good = name[0] != '\0' && strcmp(name, "step") != 0 && dp__utf8_valid(name, strlen(name));
        for (const char *at = name; *at; at++)
            good = good && (unsigned char)*at >= 0x20 && !strchr("\"\\,\x7f", *at);
        for (int other = 0; good && other < c; other++)
            good = strcmp(columns[other], name) != 0;
        if (!good)
            return dp__report_fail(report, DP_ERROR_ARGUMENT, "column %d cannot be named \"%s\"", c, dp__shown(name, shown));
    }
    return DP_OK;
}

static bool make_names(dp_log *log, const char *const *columns)
{
    bool failed = false;
    log->names = dp__alloc((size_t)log->count, sizeof *log->names);
    if (!log->names)
        return false;
    if (!log->json)
        dp__text_add(&log->header, "step");
    for (int c = 0; c < log->count; c++) {
        if (!log->json)
            dp__text_add(&log->header, ",%s", columns[c]);
        dp__text_add(&log->names[c], log->json ? ",\"%s\":" : ",", columns[c]);
        failed |= log->names[c].failed;
    }
    if (!log->json)
        dp__text_add(&log->header, "\n");
    return !failed && !log->header.failed;
}

static bool skip(const char **at, const char *text)
{
    const size_t length = strlen(text);
    if (strncmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

static bool skip_number(const dp_log *log, const char **at)
{
    char *end;
    if (log->json && skip(at, "null"))
        return true;
    strtod_l(*at, &end, log->locale);
    if (end == *at)
        return false;
    *at = end;
    return true;
}

/* Whether the line, without its end, is a row of this log. */
static bool parse_row(const dp_log *log, const char *line, int64_t *step)
{
    const char *at = line;
    char *end;
    if (log->json && !skip(&at, "{\"step\":"))
        return false;
    if (*at < '0' || *at > '9')
        return false;
    errno = 0;
    *step = strtoll(at, &end, 10);
    at = end;
    for (int c = 0; c < log->count; c++)
        if (!skip(&at, log->names[c].data) || !skip_number(log, &at))
            return false;
    return errno != ERANGE && (!log->json || skip(&at, "}")) && *at == '\0';
}

/* Finds where the rows up to `resume` end. */
static dp_status scan(const dp__report *report, dp_log *log, FILE *file, int64_t resume)
{
    char *line = NULL;
    size_t capacity = 0;
    dp_status status = DP_OK;
    for (long number = 1; status == DP_OK; number++) {
        errno = 0;
        const ssize_t length = getline(&line, &capacity, file);
        if (length <= 0 || line[length - 1] != '\n') { /* the end, or a row that was cut off */
            if (ferror(file) || errno == ENOMEM)
                status = dp__report_errno(report, "read");
            break;
        }
        int64_t step = -1;
        if (number == 1 && !log->json) {
            if ((size_t)length != log->header.length || memcmp(line, log->header.data, (size_t)length) != 0)
                status = dp__report_fail(report, DP_ERROR_FORMAT, "has other columns than this log");
        } else {
            line[length - 1] = '\0';
            if (strlen(line) != (size_t)length - 1 || !parse_row(log, line, &step) || step <= log->last)
                status = dp__report_fail(report, DP_ERROR_FORMAT, "line %ld is no row of this log, or its step is not after the last",
                                         number);
            else if (step > resume)
                break;
            else
                log->last = step;
        }
        log->bytes += (uint64_t)length;
    }
    free(line);
    return status;
}

static dp_status open_descriptor(const dp__report *report, dp_log *log)
{
    log->descriptor = open(report->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log->descriptor < 0)
        return dp__report_errno(report, "opened");
    return DP_OK;
}

static dp_status begin(const dp__report *report, dp_log *log)
{
    if (!dp__whole_save(report->path, log->header.data ? log->header.data : "", log->header.length))
        return dp__report_errno(report, "written");
    log->bytes = log->header.length;
    return open_descriptor(report, log);
}

static dp_status go_on(const dp__report *report, dp_log *log, int64_t resume)
{
    struct stat about;
    FILE *file = fopen(report->path, "re");
    if (!file)
        return errno == ENOENT ? begin(report, log) : dp__report_errno(report, "opened");
    dp_status status;
    if (fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode))
        status = dp__report_fail(report, DP_ERROR_IO, "is no regular file");
    else
        status = scan(report, log, file, resume);
    fclose(file);
    if (status == DP_OK && log->bytes < log->header.length)
        return begin(report, log); /* not even its first line is whole */
    if (status == DP_OK)
        status = open_descriptor(report, log);
    if (status == DP_OK && ftruncate(log->descriptor, (off_t)log->bytes) != 0)
        status = dp__report_errno(report, "cut");
    return status;
}

static void destroy(dp_log *log)
{
    if (log->descriptor >= 0)
        close(log->descriptor);
    if (log->locale)
        freelocale(log->locale);
    for (int c = 0; log->names && c < log->count; c++)
        dp__text_free(&log->names[c]);
    dp__free(log->names);
    dp__text_free(&log->header);
    dp__free(log->path);
    dp__free(log);
}

static dp_status fill(const dp__report *report, dp_log *log, const char *const *columns, int64_t resume)
{
    dp__text path = {0};
    dp__text_add(&path, "%s", report->path);
    log->path = path.data;
    log->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!log->path || !log->locale || !make_names(log, columns))
        return dp__report_fail(report, DP_ERROR_MEMORY, "out of memory");
    return resume < 0 ? begin(report, log) : go_on(report, log, resume);
}

dp_status dp_log_open(const char *path, dp_log_format format, const char *const *columns, int count, int64_t resume,
                      dp_log **log, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin(path, message, message_size);
    if (!log)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "log is NULL");
    *log = NULL;
    if (!path)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "is NULL");
    if (format != DP_LOG_CSV && format != DP_LOG_JSON_LINES)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "format is %d, not in dp_log_format", (int)format);
    DP_CHECK(check_columns(&report, columns, count));
    dp_log *opened = dp__alloc(1, sizeof *opened);
    if (!opened)
        return dp__report_fail(&report, DP_ERROR_MEMORY, "out of memory");
    *opened = (dp_log){.descriptor = -1, .last = -1, .count = count, .json = format == DP_LOG_JSON_LINES};
    const dp_status status = fill(&report, opened, columns, resume);
    if (status == DP_OK)
        *log = opened;
    else
        destroy(opened);
    return status;
}

/* The shortest of the texts that read back as the same number. */
static void add_number(const dp_log *log, dp__text *row, double value)
{
    char text[40];
    if (log->json && !isfinite(value)) {
        dp__text_add(row, "null");
        return;
    }
    if (isnan(value)) {
        dp__text_add(row, "nan"); /* some libraries show its sign */
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    dp__text_add(row, "%s", text);
}

static dp_status write_row(const dp__report *report, dp_log *log, int64_t step, const dp__text *row)
{
    if (row->failed)
        return dp__report_fail(report, DP_ERROR_MEMORY, "out of memory");
    if (!dp__write_all(log->descriptor, row->data, row->length)) {
        const int error = errno;
        if (ftruncate(log->descriptor, (off_t)log->bytes) != 0)
            errno = error; /* the half row is dropped when the log is resumed */
        errno = error;
        return dp__report_errno(report, "written");
    }
    log->bytes += row->length;
    log->last = step;
    return DP_OK;
}

dp_status dp_log_row(dp_log *log, int64_t step, const double *values, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin(log ? log->path : "log", message, message_size);
    dp__text row = {0};
    if (!log || !values)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "%s is NULL", log ? "values" : "log");
    if (step <= log->last)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "step %lld is not after step %lld", (long long)step,
                               (long long)log->last);
    const locale_t before = uselocale(log->locale);
    dp__text_add(&row, "%s%lld", log->json ? "{\"step\":" : "", (long long)step);
    for (int c = 0; c < log->count; c++) {
        dp__text_add(&row, "%s", log->names[c].data);
        add_number(log, &row, values[c]);
    }
    dp__text_add(&row, log->json ? "}\n" : "\n");
    uselocale(before);
    const dp_status status = write_row(&report, log, step, &row);
    dp__text_free(&row);
    return status;
}

int64_t dp_log_last(const dp_log *log)
{
    return log ? log->last : -1;
}

dp_status dp_log_close(dp_log **log)
{
    if (!log || !*log)
        return DP_OK;
    const bool good = fsync((*log)->descriptor) == 0;
    destroy(*log);
    *log = NULL;
    return good ? DP_OK : DP_ERROR_IO;
}
