/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG files. libjpeg leaves on errors through a callback that must not return, so what is needed after that lives in one struct. */
#include "data/canvas.h"
#include "data/pictures.h"
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>

typedef struct decoder {
    struct jpeg_error_mgr errors; /* libjpeg hands this member's address back */
    struct jpeg_decompress_struct library;
    jmp_buf leave;
    char text[JMSG_LENGTH_MAX];
    const dp__report *report;
    dp_image *image;
    dp_status status;
} decoder;

static void leave(j_common_ptr library)
{
    decoder *own = (decoder *)(void *)library->err;
    library->err->format_message(library, own->text);
    longjmp(own->leave, 1);
}

/* Warnings are of damaged data, for which libjpeg makes up pixels: the first is kept. Levels from 0 are remarks. */
static void warn(j_common_ptr library, int level)
{
    decoder *own = (decoder *)(void *)library->err;
    if (level < 0 && library->err->num_warnings++ == 0)
        library->err->format_message(library, own->text);
}

static void decode(decoder *own, const void *bytes, size_t size)
{
    struct jpeg_decompress_struct *library = &own->library;
    jpeg_mem_src(library, bytes, (unsigned long)size);
    jpeg_read_header(library, TRUE);
    library->out_color_space = JCS_RGB;
    jpeg_calc_output_dimensions(library);
    own->status = dp__picture_check(own->report, library->output_width, library->output_height);
    if (own->status == DP_OK)
        own->status = dp__image_new(own->report, library->output_width, library->output_height, 3, own->image);
    if (own->status != DP_OK)
        return;
    jpeg_start_decompress(library);
    while (library->output_scanline < library->output_height) {
        JSAMPROW row = own->image->pixels + 3 * (size_t)library->output_scanline * (size_t)own->image->width;
        jpeg_read_scanlines(library, &row, 1);
    }
    jpeg_finish_decompress(library);
}

/* A function of its own: what it changes belongs to its caller, and so is not lost when it is left the other way. */
static void guard(decoder *own, const void *bytes, size_t size)
{
    if (setjmp(own->leave) == 0) {
        jpeg_create_decompress(&own->library);
        decode(own, bytes, size);
    }
}

dp_status dp__jpeg_decode(const dp__report *report, const void *bytes, size_t size, dp_image *image)
{
    decoder own = {.report = report, .image = image};
    *image = (dp_image){0};
    own.library.err = jpeg_std_error(&own.errors);
    own.errors.error_exit = leave;
    own.errors.emit_message = warn;
    guard(&own, bytes, size);
    jpeg_destroy_decompress(&own.library);
    if (own.status == DP_OK && own.text[0])
        own.status = dp__report_fail(report, DP_ERROR_FORMAT, "is damaged, or no JPEG that can be read: %s", own.text);
    if (own.status != DP_OK)
        dp_image_free(image);
    return own.status;
}
