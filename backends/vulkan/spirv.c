/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <glslang/Include/glslang_c_interface.h>
#include <glslang/Public/resource_limits_c.h>
#include <glslang/build_info.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* glslang shares its tables of built-in names */
static bool initialized;

#define TEXT(x)            #x
#define VERSION(a, b, c)   "glslang " TEXT(a) "." TEXT(b) "." TEXT(c)

const char *dp__vk_compiler(void)
{
    return VERSION(GLSLANG_VERSION_MAJOR, GLSLANG_VERSION_MINOR, GLSLANG_VERSION_PATCH);
}

static void initialize(void)
{
    initialized = glslang_initialize_process() != 0;
}

static dp_status generate(glslang_program_t *program, bool debug, uint32_t **words, size_t *bytes,
                          dp__text *log)
{
    glslang_spv_options_t options = {.generate_debug_info = debug, .disable_optimizer = true};
    glslang_program_SPIRV_generate_with_options(program, GLSLANG_STAGE_COMPUTE, &options);
    const size_t count = glslang_program_SPIRV_get_size(program);
    if (count == 0) {
        const char *messages = glslang_program_SPIRV_get_messages(program);
        dp__text_add(log, "%s", messages ? messages : "no code was generated");
        return DP_ERROR_DRIVER;
    }
    *words = dp__alloc(count, sizeof **words);
    if (!*words)
        return DP_ERROR_MEMORY;
    *bytes = count * sizeof **words;
    glslang_program_SPIRV_get(program, *words);
    return DP_OK;
}

static dp_status compile(const glslang_input_t *input, bool debug, uint32_t **words, size_t *bytes,
                         dp__text *log)
{
    dp_status status = DP_ERROR_DRIVER;
    glslang_shader_t *shader = glslang_shader_create(input);
    glslang_program_t *program = glslang_program_create();
    if (!shader || !program) {
        status = DP_ERROR_MEMORY;
    } else if (!glslang_shader_preprocess(shader, input) || !glslang_shader_parse(shader, input)) {
        dp__text_add(log, "%s", glslang_shader_get_info_log(shader));
    } else {
        glslang_program_add_shader(program, shader);
        if (glslang_program_link(program, (int)input->messages))
            status = generate(program, debug, words, bytes, log);
        else
            dp__text_add(log, "%s", glslang_program_get_info_log(program));
    }
    if (program)
        glslang_program_delete(program);
    if (shader)
        glslang_shader_delete(shader);
    return status;
}

dp_status dp__vk_compile(const char *text, bool debug, uint32_t **words, size_t *bytes, dp__text *log)
{
    int messages = GLSLANG_MSG_SPV_RULES_BIT | GLSLANG_MSG_VULKAN_RULES_BIT;
    if (debug)
        messages |= GLSLANG_MSG_DEBUG_INFO_BIT;
    const glslang_input_t input = {
        .language = GLSLANG_SOURCE_GLSL,
        .stage = GLSLANG_STAGE_COMPUTE,
        .client = GLSLANG_CLIENT_VULKAN,
        .client_version = GLSLANG_TARGET_VULKAN_1_1,
        .target_language = GLSLANG_TARGET_SPV,
        .target_language_version = GLSLANG_TARGET_SPV_1_3,
        .code = text,
        .default_version = 450,
        .default_profile = GLSLANG_NO_PROFILE,
        .messages = (glslang_messages_t)messages,
        .resource = glslang_default_resource(),
    };
    pthread_once(&once, initialize);
    if (!initialized) {
        dp__text_add(log, "glslang cannot be initialized");
        return DP_ERROR_DRIVER;
    }
    pthread_mutex_lock(&mutex);
    const dp_status status = compile(&input, debug, words, bytes, log);
    pthread_mutex_unlock(&mutex);
    return status;
}
