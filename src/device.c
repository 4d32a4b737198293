/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: listing over all backends, choosing, opening, closing. */
#include "backend.h"
#include <dipole/program.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t dp_device_list(dp_device_info *infos, size_t capacity)
{
    size_t total = 0;
    char hint[1];
    const dp__backend *backend;
    if (!infos)
        capacity = 0;
    for (size_t index = 0; (backend = dp__backend_at(index)); index++) {
        const size_t room = total < capacity ? capacity - total : 0;
        total += backend->list(room ? infos + total : NULL, room, hint, sizeof hint);
    }
    return total;
}

const char *dp_backend_name(size_t index, char *hint, size_t hint_size)
{
    const dp__backend *backend = dp__backend_at(index);
    if (hint && hint_size > 0) {
        hint[0] = '\0';
        char reason[256] = "";
        if (backend && backend->list(NULL, 0, reason, sizeof reason) == 0)
            snprintf(hint, hint_size, "%s", reason);
    }
    return backend ? backend->name : NULL;
}

const char *dp_device_type_name(dp_device_type type)
{
    switch (type) {
    case DP_DEVICE_REFERENCE: return "reference";
    case DP_DEVICE_SOFTWARE_GPU: return "software GPU";
    case DP_DEVICE_CPU: return "CPU";
    case DP_DEVICE_ACCELERATOR: return "accelerator";
    case DP_DEVICE_INTEGRATED_GPU: return "integrated GPU";
    case DP_DEVICE_DISCRETE_GPU: return "discrete GPU";
    }
    return "unknown";
}

#define EXPECTED_DEVICES 16 /* listing a backend's devices loads its drivers: once is enough where they are not more */

/* The devices of the backends that `id` may mean: all for NULL, else the one whose name it begins with (all again where there
 * is none), so that opening a device loads no other drivers. The caller frees them. */
static dp_device_info *list_candidates(const char *id, size_t *count)
{
    const dp__backend *backend, *only = NULL;
    char hint[1];
    for (size_t index = 0; id && (backend = dp__backend_at(index)); index++)
        if (strncmp(id, backend->name, strlen(backend->name)) == 0)
            only = backend;
    for (size_t expected = EXPECTED_DEVICES;;) {
        dp_device_info *infos = dp__alloc(expected, sizeof *infos);
        const size_t listed = !infos ? 0 : only ? only->list(infos, expected, hint, sizeof hint) : dp_device_list(infos, expected);
        *count = listed;
        if (listed <= expected)
            return infos;
        dp__free(infos);
        expected = listed;
    }
}

/* The best device among those of one backend (by name), or of all. False where there is none. Where two are equally good the
 * first listed one is taken. */
static bool choose_best(const dp_device_info *infos, size_t count, const char *backend, dp_device_info *best)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (backend && strcmp(infos[i].backend, backend) != 0)
            continue;
        if (!found || infos[i].type > best->type)
            *best = infos[i];
        found = true;
    }
    return found;
}

static bool choose(const dp_device_info *infos, size_t count, const char *id, dp_device_info *chosen)
{
    if (!id)
        return choose_best(infos, count, NULL, chosen);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(infos[i].id, id) == 0) {
            *chosen = infos[i];
            return true;
        }
    }
    return choose_best(infos, count, id, chosen);
}

/* Tells what there is instead of the device that was asked for. */
static dp_status fail_missing(dp_device *device, const char *id, const dp_device_info *infos, size_t count)
{
    dp__text known = {0};
    for (size_t i = 0; i < count; i++)
        dp__text_add(&known, "%s%s", i ? ", " : "", infos[i].id);
    char hint[256] = "";
    const char *name;
    for (size_t index = 0; (name = dp_backend_name(index, NULL, 0)); index++)
        if (strncmp(id, name, strlen(name)) == 0)
            dp_backend_name(index, hint, sizeof hint);
    dp__fail(device, DP_ERROR_NO_DEVICE, "no device \"%.64s\"; there is: %s%s%s", id,
             known.data ? known.data : "none", hint[0] ? ". " : "", hint);
    dp__text_free(&known);
    return DP_ERROR_NO_DEVICE;
}

/* "opencl:0": a backend and an index. */
static const dp__backend *parse_id(const char *id, size_t *index)
{
    const dp__backend *backend;
    const char *colon = strchr(id, ':');
    const size_t length = colon ? (size_t)(colon - id) : strlen(id);
    *index = 0;
    for (size_t at = 0; (backend = dp__backend_at(at)); at++)
        if (strlen(backend->name) == length && memcmp(backend->name, id, length) == 0)
            break;
    if (!backend || !colon)
        return backend;
    const size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 6 || colon[1 + digits] || (digits > 1 && colon[1] == '0'))
        return NULL;
    *index = strtoul(colon + 1, NULL, 10);
    return backend;
}

static dp_status open_at(dp_device *device, const dp__backend *backend, size_t index)
{
    device->backend = backend;
    const dp_status status = backend->open(device, index);
    if (status != DP_OK)
        device->backend = NULL;
    return status;
}

/* Lists first: where the id names no device, or not the one. */
static void open_listed(dp_device *device, const char *id)
{
    size_t count, index;
    dp_device_info *infos = list_candidates(id, &count), chosen;
    if (!infos) {
        dp__fail(device, DP_ERROR_MEMORY, "no memory for the list of devices");
    } else if (choose(infos, count, id, &chosen)) {
        const dp__backend *backend = parse_id(chosen.id, &index);
        const dp_status status = backend ? open_at(device, backend, index) : DP_ERROR_NO_DEVICE;
        if (status != DP_OK)
            dp__fail(device, status, "device %s cannot be opened", chosen.id);
    } else {
        fail_missing(device, id ? id : "", infos, count);
    }
    dp__free(infos);
}

dp_device *dp_device_open(const char *id)
{
    dp_device *device = dp__alloc(1, sizeof *device);
    if (!device)
        return NULL;
    if (!id || !id[0])
        id = getenv("DIPOLE_DEVICE");
    if (id && !id[0])
        id = NULL;
    size_t index;
    const dp__backend *backend = id && strchr(id, ':') ? parse_id(id, &index) : NULL;
    const dp_status status = backend ? open_at(device, backend, index) : DP_ERROR_NO_DEVICE;
    if (status == DP_ERROR_NO_DEVICE) { /* the listing tells what there is instead */
        *device = (dp_device){0};
        open_listed(device, id);
    } else if (status != DP_OK) {
        dp__fail(device, status, "device %s cannot be opened", id);
    }
    return device;
}

void dp_device_close(dp_device **handle)
{
    if (!handle || !*handle)
        return;
    dp_device *device = *handle;
    *handle = NULL;
    device->closing = true; /* what tensors hold of each other goes with them */
    device->running = NULL;
    while (device->programs) {
        dp_program *program = device->programs;
        dp_program_destroy(&program);
    }
    while (device->tensors) {
        dp_tensor *tensor = device->tensors;
        tensor->references = 1;
        dp_tensor_release(&tensor);
    }
    if (device->backend)
        device->backend->close(device);
    dp__free(device);
}

dp_device_info dp_device_get_info(const dp_device *device)
{
    return device ? device->info : (dp_device_info){0};
}

dp_memory dp_memory_get(const dp_device *device)
{
    return device ? (dp_memory){device->bytes_in_use, device->peak_bytes, device->kept_bytes} : (dp_memory){0, 0, 0};
}

void dp_memory_reset(dp_device *device)
{
    if (device)
        device->peak_bytes = device->bytes_in_use;
}

dp_status dp_device_wait(dp_device *device)
{
    DP_CHECK(dp__check_device(device));
    device->backend->wait(device);
    return device->status;
}

dp_status dp_profile(dp_device *device, bool on)
{
    DP_CHECK(dp__check_device(device));
    return device->backend->profile(device, on);
}

size_t dp_profile_list(dp_device *device, dp_profile_entry *entries, size_t capacity)
{
    if (dp__check_device(device) != DP_OK)
        return 0;
    return device->backend->profile_list(device, entries, entries ? capacity : 0);
}
