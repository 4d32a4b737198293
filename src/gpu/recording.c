/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/recording.h"
#include "gpu/pool.h"

static dp_status out_of_memory(dp__gpu *gpu)
{
    return dp__fail(gpu->device, DP_ERROR_MEMORY, "no memory for the record of a program");
}

dp__place *dp__recording_find(const dp__recording *recording, const void *handle)
{
    for (size_t p = recording->place_count; p-- > 0;)
        if (recording->places[p].handle == handle)
            return &recording->places[p];
    return NULL;
}

dp_status dp__recording_touch(dp__gpu *gpu, dp__recording *recording, dp__buffer *buffer, dp__place **place)
{
    dp__place *known = dp__recording_find(recording, buffer->handle);
    if (!known) {
        if (!dp__grow(&recording->places, &recording->place_capacity, recording->place_count + 1, sizeof *known))
            return out_of_memory(gpu);
        known = &recording->places[recording->place_count++];
        *known = (dp__place){.handle = buffer->handle, .capacity = buffer->capacity, .live = buffer};
    }
    if (place)
        *place = known;
    return DP_OK;
}

/* The record of this buffer as it is now. */
static dp_status find_view(dp__gpu *gpu, dp__recording *recording, dp__buffer **buffer)
{
    dp__buffer *of = *buffer;
    for (size_t v = recording->view_count; v-- > 0;)
        if (recording->views[v]->handle == of->handle && recording->views[v]->bytes == of->bytes) {
            *buffer = recording->views[v];
            return DP_OK;
        }
    DP_CHECK(dp__recording_touch(gpu, recording, of, NULL));
    if (!dp__grow(&recording->views, &recording->view_capacity, recording->view_count + 1, sizeof *recording->views))
        return out_of_memory(gpu);
    dp__buffer *view = dp__alloc(1, sizeof *view);
    if (!view)
        return out_of_memory(gpu);
    *view = (dp__buffer){.references = 1, .device = of->device, .bytes = of->bytes, .capacity = of->capacity, .handle = of->handle};
    recording->views[recording->view_count++] = *buffer = view;
    return DP_OK;
}

dp_status dp__recording_launch(dp__gpu *gpu, dp__recording *recording, const dp__launch *launch)
{
    if (!dp__grow(&recording->launches, &recording->capacity, recording->count + 1, sizeof *launch))
        return out_of_memory(gpu);
    dp__launch *own = &recording->launches[recording->count];
    *own = *launch;
    for (int i = 0; i < own->bindings; i++)
        DP_CHECK(find_view(gpu, recording, &own->binding[i].buffer));
    recording->count++;
    return DP_OK;
}

dp_status dp__recording_gemm(dp__gpu *gpu, dp__recording *recording, const dp__gemm *gemm)
{
    if (!dp__grow(&recording->gemms, &recording->gemm_capacity, recording->gemm_count + 1, sizeof *recording->gemms))
        return out_of_memory(gpu);
    dp__recorded_gemm *own = &recording->gemms[recording->gemm_count];
    *own = (dp__recorded_gemm){recording->count, *gemm};
    DP_CHECK(find_view(gpu, recording, &own->gemm.a.buffer));
    DP_CHECK(find_view(gpu, recording, &own->gemm.b.buffer));
    DP_CHECK(find_view(gpu, recording, &own->gemm.result.buffer));
    recording->gemm_count++;
    return DP_OK;
}

/* The launches of series `s`: [*first, *end). */
static void series_range(const dp__recording *recording, size_t s, size_t *first, size_t *end)
{
    *first = s > 0 ? recording->gemms[s - 1].at : 0;
    *end = s < recording->gemm_count ? recording->gemms[s].at : recording->count;
}

static dp_status make_series(dp__gpu *gpu, dp__recording *recording)
{
    size_t first, end;
    if (!gpu->driver->series_create)
        return DP_OK;
    recording->series = dp__alloc(recording->gemm_count + 1, sizeof *recording->series);
    if (!recording->series)
        return out_of_memory(gpu);
    for (size_t s = 0; s <= recording->gemm_count; s++) {
        series_range(recording, s, &first, &end);
        if (end > first)
            DP_CHECK(gpu->driver->series_create(gpu, recording->launches + first, end - first, &recording->series[s]));
    }
    return DP_OK;
}

dp_status dp__recording_seal(dp__gpu *gpu, dp__recording *recording)
{
    dp_device *device = gpu->device;
    DP_CHECK(make_series(gpu, recording));
    for (size_t p = 0; p < recording->place_count; p++) {
        dp__place *place = &recording->places[p];
        if (place->live) {
            place->live->references++;
            place->live->programs++;
        } else {
            place->held = place->held || dp__pool_take(gpu, place->handle);
            device->bytes_in_use += place->capacity;
        }
    }
    device->peak_bytes = DP_MAX2(device->peak_bytes, device->bytes_in_use);
    recording->sealed = true;
    return DP_OK;
}

static dp_status run_each(dp__gpu *gpu, const dp__recording *recording, size_t first, size_t end)
{
    for (size_t at = first; at < end; at++)
        DP_CHECK(gpu->driver->launch(gpu, &recording->launches[at]));
    return DP_OK;
}

dp_status dp__recording_run(dp__gpu *gpu, dp__recording *recording)
{
    size_t first, end;
    if (gpu->device->lost)
        return DP_ERROR_DEVICE_LOST;
    for (size_t s = 0; s <= recording->gemm_count; s++) {
        series_range(recording, s, &first, &end);
        if (recording->series && recording->series[s] && !gpu->profiling) /* a profile is of each launch */
            DP_CHECK(gpu->driver->series_run(gpu, recording->series[s]));
        else
            DP_CHECK(run_each(gpu, recording, first, end));
        if (s < recording->gemm_count)
            DP_CHECK(gpu->driver->gemm(gpu, &recording->gemms[s].gemm));
    }
    return DP_OK;
}

static void give_back(dp__gpu *gpu, const dp__recording *recording)
{
    for (size_t p = 0; p < recording->place_count; p++) {
        const dp__place *place = &recording->places[p];
        if (place->live && recording->sealed) {
            place->live->programs--;
            dp__buffer_release(place->live);
        } else if (place->held) {
            if (recording->sealed)
                gpu->device->bytes_in_use -= place->capacity;
            dp__pool_give(gpu, place->handle, place->capacity);
        }
    }
}

void dp__recording_free(dp__gpu *gpu, dp__recording *recording)
{
    if (!recording)
        return;
    for (size_t s = 0; recording->series && s <= recording->gemm_count; s++)
        if (recording->series[s])
            gpu->driver->series_destroy(gpu, recording->series[s]);
    give_back(gpu, recording);
    for (size_t v = 0; v < recording->view_count; v++)
        dp__free(recording->views[v]);
    dp__free(recording->series);
    dp__free(recording->views);
    dp__free(recording->places);
    dp__free(recording->gemms);
    dp__free(recording->launches);
    dp__free(recording);
}
