/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files, or all files of folders, without libFuzzer. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t runs;

static int complain(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
}

static int run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size + 1);
    const int failed = !file || !data || fread(data, 1, size, file) != size ? complain(path) : 0;
    if (!failed) {
        printf("# %s\n", path);
        fflush(stdout); /* the last line before a crash names the file */
        LLVMFuzzerTestOneInput(data, size);
        runs++;
    }
    free(data);
    if (file)
        fclose(file);
    return failed;
}

static int run_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return complain(path);
    if (!S_ISDIR(status.st_mode))
        return run_file(path, (size_t)status.st_size);
    DIR *folder = opendir(path);
    int failed = folder ? 0 : complain(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        failed |= run_path(inner);
    }
    if (folder)
        closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int k = 1; k < argc; k++)
        failed |= run_path(argv[k]);
    printf("%zu files\n", runs);
    return failed || runs == 0;
}
