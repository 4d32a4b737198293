/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target: any bytes as a safetensors file and as images (IDX, JPEG, PNG). */
#include <dipole/data.h>
#include <dipole/file.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What an open file promises holds: names are found, values are there and are no more than the file. */
static void read_all(const dp_safetensors *file, size_t size)
{
    uint64_t sum = 0;
    for (int k = 0; k < dp_safetensors_count(file); k++) {
        const dp_safetensors_entry *entry = dp_safetensors_at(file, k);
        sum += entry->bytes;
        if (dp_safetensors_find(file, entry->name) != k || sum > size || entry->offset + entry->bytes > size)
            abort();
        void *values = malloc(entry->bytes + 1);
        if (!values || dp_safetensors_read(file, k, values, entry->bytes) != DP_OK)
            abort();
        free(values);
    }
    for (int k = 0; k < dp_safetensors_pairs(file); k++) {
        const dp_metadata pair = dp_safetensors_pair(file, k);
        if (dp_safetensors_value(file, pair.key) != pair.value)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64], message[160];
    if (descriptor < 0 || write(descriptor, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    dp_safetensors *file;
    dp_status status = dp_safetensors_open(path, &file, message, sizeof message);
    if ((status == DP_OK) != (message[0] == '\0') || (status == DP_OK) != (file != NULL) || strchr(message, '\n'))
        abort();
    read_all(file, size);
    dp_safetensors_close(&file);
    dp_images images;
    status = dp_images_load(path, 4, 2, &images, message, sizeof message);
    if ((status == DP_OK) != (message[0] == '\0') || (status == DP_OK) != (images.pixels != NULL) || images.count > 2)
        abort();
    dp_images_free(&images);
    close(descriptor);
    return 0;
}
