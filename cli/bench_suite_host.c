/* SPDX-License-Identifier: Apache-2.0 */
/* What the file of a suite says of the machine: system, processor, memory. Its name is not in it. */
#include "bench_suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The rest of the first line of a file that begins with `key`, without blanks, ':', '=' and '"' around it. */
static void read_line(const char *path, const char *key, char *value, size_t size)
{
    char line[512];
    *value = '\0';
    FILE *file = fopen(path, "r");
    while (file && !*value && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) {
            const char *at = line + strlen(key);
            at += strspn(at, " \t:=\"");
            snprintf(value, size, "%.*s", (int)strcspn(at, "\"\n"), at);
        }
    if (file)
        fclose(file);
}

long suite_processors(void)
{
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? count : 1;
}

double suite_load(void)
{
    double load;
    return getloadavg(&load, 1) == 1 ? load : NAN;
}

cJSON *suite_host_json(void)
{
    char cpu[128], system[128];
    struct utsname name;
    const bool known = uname(&name) == 0;
    cJSON *json = cJSON_CreateObject();
    read_line("/proc/cpuinfo", "model name", cpu, sizeof cpu);
    read_line("/etc/os-release", "PRETTY_NAME", system, sizeof system);
    cJSON_AddStringToObject(json, "system", *system ? system : known ? name.sysname : "unknown");
    char kernel[sizeof name.sysname + sizeof name.release + 2] = "unknown";
    if (known)
        snprintf(kernel, sizeof kernel, "%s %.*s", name.sysname, (int)strspn(name.release, "0123456789."),
                 name.release);
    cJSON_AddStringToObject(json, "kernel", kernel);
    cJSON_AddStringToObject(json, "machine", known ? name.machine : "unknown");
    cJSON_AddStringToObject(json, "cpu", *cpu ? cpu : "unknown");
    cJSON_AddNumberToObject(json, "cpu_threads", (double)suite_processors());
    const double pages = (double)sysconf(_SC_PHYS_PAGES), page = (double)sysconf(_SC_PAGESIZE);
    cJSON_AddNumberToObject(json, "memory_bytes", pages > 0 && page > 0 ? pages * page : 0);
    return json;
}
