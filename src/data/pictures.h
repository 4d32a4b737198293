/* SPDX-License-Identifier: Apache-2.0 */
/* Reading pictures, and making them the size that is wanted. */
#ifndef DP_DATA_PICTURES_H
#define DP_DATA_PICTURES_H

#include "data/report.h"
#include <dipole/image.h>

/* A whole file in memory, as RGB whatever it was; ERROR_FORMAT where it is damaged. The caller frees. */
dp_status dp__png_decode(const dp__report *report, const void *bytes, size_t size, dp_image *image);
dp_status dp__jpeg_decode(const dp__report *report, const void *bytes, size_t size, dp_image *image);

#endif
