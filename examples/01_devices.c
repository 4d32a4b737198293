/* SPDX-License-Identifier: Apache-2.0 */
/* Lesson 1: what is there. Lists every device of every backend, and why a backend has none. */
#include <dipole/dipole.h>

#include <stdio.h>

#define CAPACITY 32

int main(void)
{
    dp_device_info infos[CAPACITY];
    const size_t count = dp_device_list(infos, CAPACITY);
    for (size_t i = 0; i < count && i < CAPACITY; i++)
        printf("%-10s %-14s %s (%s, %s)\n", infos[i].id, dp_device_type_name(infos[i].type), infos[i].name,
               infos[i].api, infos[i].driver);

    char hint[256];
    for (size_t i = 0; dp_backend_name(i, hint, sizeof(hint)); i++)
        if (hint[0])
            printf("%-10s %s\n", dp_backend_name(i, NULL, 0), hint);

    /* NULL takes what the environment variable DIPOLE_DEVICE names, else the best device there is. */
    dp_device *device = dp_device_open(NULL);
    if (dp_failed(device))
        fprintf(stderr, "%s\n", dp_message(device));
    else
        printf("the best is %s\n", dp_device_get_info(device).id);
    const int status = dp_failed(device) ? 1 : 0;
    dp_device_close(&device);
    return status;
}
