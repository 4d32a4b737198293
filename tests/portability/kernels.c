/* SPDX-License-Identifier: Apache-2.0 */
/* kernels [--plant] FOLDER: writes the kernels that the library would build on GPUs of several kinds into
 * FOLDER, one file each, and FOLDER/index.json, which lists them. No device is needed. Beside OpenCL C and
 * GLSL there is the SPIR-V of each shader, by the compiler in the library. One kernel more, "planted", has
 * accumulators that fit into any GPU's registers: with --plant it has so many that they fit into none. */
#include "backends/vulkan/device.h"
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FEW  4
#define MANY 16

typedef struct output {
    const char *folder;
    FILE *index;
    const gpu_kind *kind;
    bool glsl;
    char (*names)[128]; /* taken, of this kind and dialect */
    size_t count, capacity;
    struct written *files;
    size_t file_count, file_capacity;
    size_t rows;
} output;

/* A source that is in a file already: most kinds of GPU are given the same ones. */
typedef struct written {
    char *text, path[256];
} written;

static const char opencl_planted[] =
    "__kernel __attribute__((reqd_work_group_size(64, 1, 1)))\n"
    "void planted(__global const float *restrict a, __global const float *restrict b, __global float "
    "*restrict c, const int n)\n"
    "{\n"
    "    const int item = (int)get_global_id(0);\n"
    "    float sum[M * M], x[M];\n"
    "    _Pragma(\"unroll\") for (int s = 0; s < M * M; s++) sum[s] = 0.0f;\n"
    "    for (int k = 0; k < n; k++) {\n"
    "        _Pragma(\"unroll\") for (int r = 0; r < M; r++) x[r] = a[(k * M + r) * n + item];\n"
    "        _Pragma(\"unroll\") for (int r = 0; r < M; r++) {\n"
    "            const float y = b[(k * M + r) * n + item];\n"
    "            _Pragma(\"unroll\") for (int s = 0; s < M; s++) sum[r * M + s] += x[s] * y;\n"
    "        }\n"
    "    }\n"
    "    _Pragma(\"unroll\") for (int s = 0; s < M * M; s++) c[s * n + item] = sum[s];\n"
    "}\n";

static const char glsl_planted[] =
    "#extension GL_EXT_control_flow_attributes : require\n"
    "layout(local_size_x = 64) in;\n"
    "layout(std430, binding = 0) readonly buffer A { float a[]; };\n"
    "layout(std430, binding = 1) readonly buffer B { float b[]; };\n"
    "layout(std430, binding = 2) buffer C { float c[]; };\n"
    "layout(push_constant) uniform P { int n; };\n"
    "void main()\n"
    "{\n"
    "    const int item = int(gl_GlobalInvocationID.x);\n"
    "    float sum[M * M], x[M];\n"
    "    [[unroll]] for (int s = 0; s < M * M; s++) sum[s] = 0.0;\n"
    "    for (int k = 0; k < n; k++) {\n"
    "        [[unroll]] for (int r = 0; r < M; r++) x[r] = a[(k * M + r) * n + item];\n"
    "        [[unroll]] for (int r = 0; r < M; r++) {\n"
    "            const float y = b[(k * M + r) * n + item];\n"
    "            [[unroll]] for (int s = 0; s < M; s++) sum[r * M + s] += x[s] * y;\n"
    "        }\n"
    "    }\n"
    "    [[unroll]] for (int s = 0; s < M * M; s++) c[s * n + item] = sum[s];\n"
    "}\n";

/* "KERNEL/LABEL", and where that is taken with "#2" behind it. NULL where memory is out. */
static const char *choose_name(output *out, const char *label, const char *kernel)
{
    if (!dp__grow(&out->names, &out->capacity, out->count + 1, sizeof *out->names))
        return NULL;
    char *name = out->names[out->count];
    snprintf(name, sizeof *out->names, "%s/%s", kernel, label);
    int times = 1;
    for (size_t n = 0; n < out->count; n++) {
        const size_t length = strcspn(out->names[n], "#");
        times += length == strlen(name) && memcmp(out->names[n], name, length) == 0;
    }
    if (times > 1)
        snprintf(name, sizeof *out->names, "%s/%s#%d", kernel, label, times);
    out->count++;
    return name;
}

/* "KIND.DIALECT/KERNEL.LABEL.ENDING" */
static void set_path(const output *out, const char *name, const char *ending, char *path, size_t size)
{
    snprintf(path, size, "%s.%s/%s.%s", out->kind->name, out->glsl ? "vulkan" : "opencl", name, ending);
    char *kernel = strchr(path, '/') + 1, *slash = strchr(kernel, '/');
    if (slash)
        *slash = '.';
}

static bool write_file(const output *out, const char *path, const void *data, size_t bytes)
{
    char whole[1024];
    snprintf(whole, sizeof whole, "%s/%s", out->folder, path);
    FILE *file = fopen(whole, "wb");
    const bool wrote = file && fwrite(data, 1, bytes, file) == bytes;
    if ((file && fclose(file) != 0) || !wrote) {
        fprintf(stderr, "%s: %s\n", whole, strerror(errno));
        return false;
    }
    return true;
}

static bool write_spirv(const output *out, const char *name, const char *text)
{
    uint32_t *words = NULL;
    size_t bytes = 0;
    dp__text log = {0};
    char path[256];
    set_path(out, name, "spv", path, sizeof path);
    const dp_status status = dp__vk_compile(text, false, &words, &bytes, &log);
    if (status != DP_OK)
        fprintf(stderr, "%s does not compile: %s\n", name, log.data ? log.data : "no memory");
    const bool wrote = status == DP_OK && write_file(out, path, words, bytes);
    dp__free(words);
    dp__text_free(&log);
    return wrote;
}

/* The variant: "W=1 IB=2", the numbers that the library defined before the kernel's own text, without those
 * that are 0 and the group's size, which stands beside it. */
static void add_defines(const char *text, dp__text *defines)
{
    char name[32];
    int value, length;
    if (strncmp(text, "#version", 8) == 0)
        text += strcspn(text, "\n") + 1;
    for (; sscanf(text, "#define %31[A-Z_a-z0-9] %d%n", name, &value, &length) == 2 && text[length] == '\n';
         text += length + 1)
        if (value != 0 && strcmp(name, "GX") != 0 && strcmp(name, "GY") != 0 && strcmp(name, "GZ") != 0)
            dp__text_add(defines, "%s%s=%d", defines->length > 0 ? " " : "", name, value);
}

static bool write_row(output *out, const char *name, const char *path, const dp__kernel_source *source)
{
    dp__text defines = {0};
    add_defines(source->text, &defines);
    fprintf(
        out->index,
        "%s\n{\"kind\": \"%s\", \"dialect\": \"%s\", \"name\": \"%s\", \"file\": \"%s\", \"entry\": \"%s\", ",
        out->rows > 0 ? "," : "", out->kind->name, out->glsl ? "vulkan" : "opencl", name, path,
        out->glsl ? "main" : source->name);
    fprintf(out->index,
            "\"group\": [%u, %u, %u], \"bindings\": %d, \"params_bytes\": %d, \"defines\": \"%s\"}",
            source->group[0], source->group[1], source->group[2], source->bindings, 4 * source->params,
            defines.data ? defines.data : "");
    const bool failed = defines.failed;
    dp__text_free(&defines);
    out->rows++;
    return !failed;
}

/* The file that holds the source, made where there is none. NULL on failure. */
static const char *find_file(output *out, const char *name, const char *text)
{
    for (size_t f = 0; f < out->file_count; f++)
        if (strcmp(out->files[f].text, text) == 0)
            return out->files[f].path;
    if (!dp__grow(&out->files, &out->file_capacity, out->file_count + 1, sizeof *out->files))
        return NULL;
    written *file = &out->files[out->file_count];
    set_path(out, name, out->glsl ? "comp" : "cl", file->path, sizeof file->path);
    if (!write_file(out, file->path, text, strlen(text)) || (out->glsl && !write_spirv(out, name, text)) ||
        !(file->text = strdup(text)))
        return NULL;
    out->file_count++;
    return file->path;
}

static bool take(void *context, const char *label, const dp__kernel_source *source)
{
    output *out = context;
    const char *name = choose_name(out, label, source->name);
    const char *path = name ? find_file(out, name, source->text) : NULL;
    return path && write_row(out, name, path, source);
}

static bool take_planted(output *out, int size)
{
    dp__text text = {0};
    dp__text_add(&text, "%s#define M %d\n%s", out->glsl ? "#version 450\n" : "", size,
                 out->glsl ? glsl_planted : opencl_planted);
    const dp__kernel_source source = {
        .name = "planted", .text = text.data, .group = {64, 1, 1}, .bindings = 3, .params = 1};
    const bool taken = !text.failed && take(out, "accumulators", &source);
    dp__text_free(&text);
    return taken;
}

/* Everything of one kind and dialect. */
static bool write_kind(output *out, bool plant)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/%s.%s", out->folder, out->kind->name,
             out->glsl ? "vulkan" : "opencl");
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return false;
    }
    recorder own;
    out->count = 0;
    if (!recorder_open(&own, out->kind, out->glsl, take, out))
        return false;
    const bool done = (plant || record_cases(&own)) && take_planted(out, plant ? MANY : FEW);
    recorder_close(&own);
    return done;
}

static bool write_all(output *out, bool plant)
{
    bool done = true;
    fprintf(out->index, "[");
    for (out->kind = gpu_kinds; out->kind->name; out->kind++)
        for (int dialect = 0; dialect < 2; dialect++) {
            out->glsl = dialect == 1;
            done = done && write_kind(out, plant);
        }
    fprintf(out->index, "\n]\n");
    return done;
}

int main(int argc, char **argv)
{
    const bool plant = argc == 3 && strcmp(argv[1], "--plant") == 0;
    if (argc != 2 && !plant) {
        fprintf(stderr, "kernels [--plant] FOLDER\n");
        return 2;
    }
    output out = {.folder = argv[argc - 1]};
    char path[1024];
    snprintf(path, sizeof path, "%s/index.json", out.folder);
    if (!(out.index = fopen(path, "w"))) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    bool done = write_all(&out, plant);
    done = fclose(out.index) == 0 && done;
    for (size_t f = 0; f < out.file_count; f++)
        free(out.files[f].text);
    dp__free(out.files);
    dp__free(out.names);
    if (done)
        printf("%zu kernels of GPUs, %zu sources\n", out.rows, out.file_count);
    return done ? 0 : 1;
}
