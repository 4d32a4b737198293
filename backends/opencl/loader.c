/* SPDX-License-Identifier: Apache-2.0 */
#include "loader.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static dp__cl_api api;
static bool loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* POSIX promises that a pointer from dlsym() holds a function's address; C has no cast for it. */
static bool find(void *library, const char *name, void *function, size_t size)
{
    void *const symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

static bool find_all(void *library)
{
#define FIND(function) &&find(library, #function, &api.function, sizeof api.function)
    return true DP__CL_FUNCTIONS(FIND);
#undef FIND
}

/* An OpenCL that is in the process already goes first: the one a program is linked with, or a tool such as
 * oclgrind that puts itself in front of the loader with LD_PRELOAD. The library stays loaded: drivers do not
 * survive an unload. */
static void load(void)
{
    loaded = find_all(RTLD_DEFAULT);
    if (loaded)
        return;
    void *const library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return;
    loaded = find_all(library);
    if (!loaded)
        dlclose(library);
}

const dp__cl_api *dp__cl_load(void)
{
    pthread_once(&once, load);
    return loaded ? &api : NULL;
}
