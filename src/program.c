/* SPDX-License-Identifier: Apache-2.0 */
#include "backend.h"
#include <dipole/program.h>

struct dp_program {
    dp_device *device;
    dp_program_body body;
    void *context;
    void *recording; /* the backend's; NULL: none yet, or it makes none */
    struct dp_program *previous, *next; /* in device->programs */
};

dp_program *dp_program_create(dp_device *device, dp_program_body body, void *context)
{
    if (dp__check_device(device) != DP_OK)
        return NULL;
    if (!body) {
        dp__fail(device, DP_ERROR_ARGUMENT, "body is NULL");
        return NULL;
    }
    dp_program *program = dp__alloc(1, sizeof *program);
    if (!program) {
        dp__fail(device, DP_ERROR_MEMORY, "no memory for a program");
        return NULL;
    }
    *program = (dp_program){.device = device, .body = body, .context = context, .next = device->programs};
    if (program->next)
        program->next->previous = program;
    device->programs = program;
    return program;
}

/* What the body returns, or what it has not noticed. */
static dp_status call_body(dp_program *program)
{
    dp_device *device = program->device;
    const bool clean = device->status == DP_OK;
    device->running = program;
    device->unrepeatable = false;
    dp_status status = program->body(device, program->context);
    device->running = NULL;
    if (status == DP_OK && clean)
        status = device->status;
    if (status == DP_OK && device->unrepeatable)
        status = DP_ERROR_UNSUPPORTED;
    if (status != DP_OK)
        dp__fail(device, status, "the body of a program returned %s", dp_status_name(status));
    return status;
}

dp_status dp_program_run(dp_program *program)
{
    if (!program)
        return DP_ERROR_ARGUMENT;
    dp_device *device = program->device;
    const dp__backend *backend = device->backend;
    DP_CHECK(dp__check_device(device));
    if (device->running)
        return dp__fail(device, DP_ERROR_UNSUPPORTED, "a program runs while %s runs on %s: programs do not nest",
                        device->running == program ? "it" : "another one", device->info.id);
    if (program->recording)
        return backend->replay(device, program->recording);
    if (!backend->capture_begin)
        return call_body(program);
    DP_CHECK(backend->capture_begin(device));
    const dp_status status = call_body(program);
    const dp_status ended = backend->capture_end(device, status == DP_OK, &program->recording);
    return status == DP_OK ? ended : status;
}

void dp_program_destroy(dp_program **handle)
{
    if (!handle || !*handle)
        return;
    dp_program *program = *handle;
    dp_device *device = program->device;
    if (device->running == program) {
        dp__fail(device, DP_ERROR_UNSUPPORTED, "a program is destroyed while it runs");
        return;
    }
    *handle = NULL;
    if (program->previous)
        program->previous->next = program->next;
    else
        device->programs = program->next;
    if (program->next)
        program->next->previous = program->previous;
    if (program->recording)
        device->backend->recording_free(device, program->recording);
    dp__free(program);
}
