/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target: dp_data_read on any bytes. Build with clang -fsanitize=fuzzer,address,undefined. */
#include <dipole/data.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_once(const char *path, int64_t limit)
{
    dp_data data;
    char message[160] = "";
    const dp_status status = dp_data_read(path, limit, &data, message, sizeof(message));
    int64_t count = status == DP_OK ? 1 : 0;
    for (int axis = 0; axis < data.shape.rank && count; axis++)
        count *= data.shape.dim[axis];
    volatile float last = 0;
    if (count > 0) /* whatever was promised is there */
        last = data.values[count - 1];
    (void)last;
    if ((status == DP_OK) != (message[0] == '\0') || (status != DP_OK && data.values) ||
        (limit && data.shape.rank && data.shape.dim[0] > limit))
        abort();
    dp_data_free(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    if (descriptor < 0 || write(descriptor, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    read_once(path, 0);
    read_once(path, 2);
    close(descriptor);
    return 0;
}
