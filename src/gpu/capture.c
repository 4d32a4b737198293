/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/capture.h"
#include "gpu/pool.h"
#include "gpu/recording.h"
#include "gpu/step.h"

typedef struct dp__capture {
    dp__recording *recording;
    int suspended;
} dp__capture;

bool dp__capture_runs(const dp__gpu *gpu)
{
    return gpu->capture && gpu->capture->suspended == 0;
}

void dp__capture_suspend(dp__gpu *gpu)
{
    if (gpu->capture)
        gpu->capture->suspended++;
}

void dp__capture_resume(dp__gpu *gpu)
{
    if (gpu->capture)
        gpu->capture->suspended--;
}

dp_status dp__capture_launch(dp__gpu *gpu, const dp__launch *launch)
{
    return dp__capture_runs(gpu) ? dp__recording_launch(gpu, gpu->capture->recording, launch) : DP_OK;
}

dp_status dp__capture_gemm(dp__gpu *gpu, const dp__gemm *gemm)
{
    return dp__capture_runs(gpu) ? dp__recording_gemm(gpu, gpu->capture->recording, gemm) : DP_OK;
}

/* While a capture is suspended too: what is made then may be used in it later. */
dp_status dp__capture_fresh(dp__gpu *gpu, dp__buffer *buffer)
{
    dp__place *place = gpu->capture ? dp__recording_find(gpu->capture->recording, buffer->handle) : NULL;
    if (!place)
        return DP_OK;
    DP_CHECK(dp__pool_renew(gpu, buffer));
    place->live = NULL;
    return DP_OK;
}

dp_status dp__capture_pin(dp__gpu *gpu, dp__buffer *buffer)
{
    dp__place *place;
    if (!dp__capture_runs(gpu))
        return DP_OK;
    DP_CHECK(dp__recording_touch(gpu, gpu->capture->recording, buffer, &place));
    place->pinned = true;
    return DP_OK;
}

/* Words of the buffer, for a copy. */
static dp_tensor words_of(dp__buffer *buffer, uint64_t offset, int64_t size)
{
    return (dp_tensor){.references = 1, .device = buffer->device, .buffer = buffer, .dtype = DP_I32, .shape = DP_SHAPE(size),
                       .stride = {1}, .offset = (int64_t)(offset / 4)};
}

dp_status dp__capture_write(dp__gpu *gpu, dp__buffer *buffer, uint64_t offset, const void *data, uint64_t bytes)
{
    const int64_t words = (int64_t)DP_CEIL_DIV(bytes, 4);
    const uint64_t end = offset + 4 * (uint64_t)words;
    if (words == 0)
        return DP_OK;
    if (buffer->constant)
        return dp__gpu_upload(gpu, buffer, data, bytes);
    if (offset % 4 || (bytes % 4 && end != buffer->bytes)) {
        gpu->device->unrepeatable = true;
        return dp__fail(gpu->device, DP_ERROR_UNSUPPORTED,
                        "a program cannot repeat a write by the host of %llu bytes at byte %llu of a tensor: they end within a word",
                        (unsigned long long)bytes, (unsigned long long)offset);
    }
    dp__buffer *kept = dp__buffer_create(gpu->device, 4 * (uint64_t)words);
    if (!kept)
        return DP_ERROR_MEMORY;
    dp_status status = dp__gpu_upload(gpu, kept, data, bytes);
    if (status == DP_OK) {
        const dp_tensor from = words_of(kept, 0, words);
        dp_tensor to = words_of(buffer, offset, words);
        status = dp__plan_copy(gpu, &(dp__copy_call){&from, &to});
    }
    dp__buffer_release(kept);
    return status;
}

void dp__capture_born(dp__gpu *gpu, dp__buffer *buffer)
{
    if (!gpu->capture)
        return;
    dp__place *place = dp__recording_find(gpu->capture->recording, buffer->handle);
    if (place)
        place->live = buffer;
    if (gpu->capture->suspended == 0)
        buffer->capture = gpu->captures;
}

bool dp__capture_takes(dp__gpu *gpu, const dp__buffer *buffer)
{
    if (!gpu->capture)
        return false;
    dp__place *place = dp__recording_find(gpu->capture->recording, buffer->handle);
    if (!place)
        return false;
    place->live = NULL;
    if (place->pinned)
        return place->held = true;
    if (gpu->capture->suspended == 0 && buffer->capture != gpu->captures) {
        gpu->device->unrepeatable = true;
        dp__fail(gpu->device, DP_ERROR_UNSUPPORTED,
                 "a program cannot repeat the release of a tensor that was there before it: write it in place instead");
    }
    return false;
}

bool dp__capture_holds(dp__gpu *gpu, void *handle)
{
    dp__place *place = gpu->capture ? dp__recording_find(gpu->capture->recording, handle) : NULL;
    if (place)
        place->held = true;
    return place != NULL;
}

dp_status dp__gpu_capture_begin(dp_device *device)
{
    dp__gpu *gpu = device->state;
    dp__capture *capture = dp__alloc(1, sizeof *capture);
    dp__recording *recording = dp__alloc(1, sizeof *recording);
    if (!capture || !recording) {
        dp__free(capture);
        dp__free(recording);
        return dp__fail(device, DP_ERROR_MEMORY, "no memory for the record of a program");
    }
    capture->recording = recording;
    gpu->capture = capture;
    gpu->captures++;
    return DP_OK;
}

dp_status dp__gpu_capture_end(dp_device *device, bool keep, void **result)
{
    dp__gpu *gpu = device->state;
    dp__recording *recording = gpu->capture->recording;
    dp__free(gpu->capture);
    gpu->capture = NULL;
    *result = NULL;
    const dp_status status = keep ? dp__recording_seal(gpu, recording) : DP_OK;
    if (keep && status == DP_OK)
        *result = recording;
    else
        dp__recording_free(gpu, recording);
    return status;
}

dp_status dp__gpu_replay(dp_device *device, void *recording)
{
    return dp__recording_run(device->state, recording);
}

void dp__gpu_recording_free(dp_device *device, void *recording)
{
    dp__recording_free(device->state, recording);
}
