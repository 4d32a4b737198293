/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products through a CPU's BLAS, found at run time: --library libopenblas.so.0 or libblis.so.4. How many threads it takes
 * is told by its own environment variables. */
#include "contract.h"
#include "common.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C interface of the BLAS: fixed numbers, ints of 32 bits. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };
typedef void sgemm_function(int layout, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                            int lda, const float *b, int ldb, float beta, float *c, int ldc);

typedef struct blas_state {
    sgemm_function *sgemm;
    const contract_problem *problem;
} blas_state;

static bool prepare(void *data, const contract_problem *p)
{
    blas_state *state = data;
    state->problem = p;
    return p->kind == CONTRACT_MATMUL || contract_unsupported("no convolution");
}

static bool run(void *data)
{
    const blas_state *state = data;
    const contract_problem *p = state->problem;
    state->sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, p->m, p->n, p->k, 1, p->x, p->k, p->w, p->n, 0, p->y, p->n);
    return true;
}

/* The result is where it belongs. */
static bool fetch(void *data, float *result)
{
    (void)data;
    (void)result;
    return true;
}

static void finish(void *data)
{
    (void)data;
}

/* C has no cast from dlsym's pointer to a function's. */
static bool find(void *library, const char *name, void *function, size_t size)
{
    void *const symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

int main(int argc, char **argv)
{
    static const contract_contender blas = {prepare, run, fetch, finish};
    const char *name = contract_option(argc, argv, "--library", "libopenblas.so.0");
    blas_state state = {0};
    const char *(*version)(void);
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library || !find(library, "cblas_sgemm", &state.sgemm, sizeof state.sgemm)) {
        fprintf(stderr, "contract_blas: %s\n", dlerror());
        return BENCH_SKIPPED;
    }
    char what[300];
    const bool known = find(library, "openblas_get_config", &version, sizeof version) ||
                       find(library, "bli_info_get_version_str", &version, sizeof version);
    snprintf(what, sizeof what, "%s %s", name, known ? version() : "");
    return contract_serve(&blas, &state, what);
}
