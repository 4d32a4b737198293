/* SPDX-License-Identifier: Apache-2.0 */
#include "core/whole_file.h"
#include "data/report.h"
#include <dipole/file.h>
#include <string.h>

dp_status dp_text_write(const char *path, const char *text, char *message, size_t message_size)
{
    const dp__report report = dp__report_begin(path, message, message_size);
    if (!path || !text)
        return dp__report_fail(&report, DP_ERROR_ARGUMENT, "path or text is NULL");
    return dp__whole_save(path, text, strlen(text)) ? DP_OK : dp__report_errno(&report, "written");
}
