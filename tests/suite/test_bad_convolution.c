/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong arguments to the convolution's gradients, the transposed convolution and epilogues: as test_bad_input.c. */
#include "suite.h"

#define ARGUMENT DP_ERROR_ARGUMENT

typedef struct kit {
    dp_tensor *x, *w, *y, *flat, *ints; /* [2, 4, 5, 6], [6, 4, 3, 3], [2, 6, 3, 4], [4], i32 as x */
} kit;

static kit make(dp_device *device)
{
    return (kit){
        dp_full(device, DP_F32, DP_SHAPE(2, 4, 5, 6), 1), dp_full(device, DP_F32, DP_SHAPE(6, 4, 3, 3), 1),
        dp_full(device, DP_F32, DP_SHAPE(2, 6, 3, 4), 1), dp_full(device, DP_F32, DP_SHAPE(4), 1),
        dp_full(device, DP_I32, DP_SHAPE(2, 4, 5, 6), 1),
    };
}

static void drop(dp_device *device, kit *k)
{
    dp_tensor **all[] = {&k->x, &k->w, &k->y, &k->flat, &k->ints};
    for (size_t t = 0; t < sizeof all / sizeof *all; t++)
        dp_tensor_release(all[t]);
    suite_works(device);
}

static void refused(dp_device *device, dp_tensor *result, dp_status status, const char *word)
{
    assert_null(result);
    suite_failed(device, status, word);
}

#define P(...) (&(dp_conv2d_params){__VA_ARGS__})
#define T(...) (&(dp_conv2d_transposed_params){__VA_ARGS__})
#define M(...) (&(dp_matmul_params){__VA_ARGS__})

static void windows(dp_device *device)
{
    kit k = make(device);
    refused(device, dp_conv2d(device, k.x, k.w, P(.extra_padding = {-1, 0})), ARGUMENT, "extra_padding[0] is -1");
    refused(device, dp_conv2d(device, k.x, k.w, P(.padding = {0, 2}, .extra_padding = {0, -3})), ARGUMENT, "extra_padding[1] is -3");
    refused(device, dp_conv2d(device, k.x, k.w, P(.padding = {2000000000, 0})), ARGUMENT, "padding[0] is 2000000000");
    refused(device, dp_conv2d(device, k.x, k.w, P(.padding = {0, 1000}, .extra_padding = {0, INT32_MAX})), ARGUMENT, "padding[1]");
    refused(device, dp_conv2d(device, k.x, k.w, P(.padding = {1000000000, 0})), ARGUMENT, "with the padding");
    refused(device, dp_conv2d(device, k.x, k.w, P(.padding = {1, 0}, .extra_padding = {-1, 0}, .dilation = {3, 1})), ARGUMENT,
            "dilation[0] is 3");
    refused(device, dp_conv2d(device, k.x, k.w, P(.winograd = 3)), ARGUMENT, "winograd is 3");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, 5, 6, P(.winograd = -2)), ARGUMENT, "winograd is -2");
    drop(device, &k);
}

static void gradient_input(dp_device *device)
{
    kit k = make(device);
    dp_tensor *good = dp_conv2d_gradient_input(device, k.w, k.y, 5, 6, NULL);
    assert_non_null(good);
    dp_tensor_release(&good);
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, 6, 6, NULL), ARGUMENT, "3 rows");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, 5, 7, NULL), ARGUMENT, "4 columns");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, 5, 6, P(.stride = {2, 1})), ARGUMENT, "give 2");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, -5, 6, NULL), ARGUMENT, "-5 rows");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, INT64_MAX, 6, NULL), ARGUMENT, "rows");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, 5, 1, NULL), ARGUMENT, "columns");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.x, 7, 8, NULL), ARGUMENT, "6 output channels");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, 5, 6, P(.groups = 4)), ARGUMENT, "groups is 4");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, 5, 6, P(.groups = -2)), ARGUMENT, "groups is -2");
    refused(device, dp_conv2d_gradient_input(device, NULL, k.y, 5, 6, NULL), ARGUMENT, "w ");
    refused(device, dp_conv2d_gradient_input(device, k.w, NULL, 5, 6, NULL), ARGUMENT, "y_gradient");
    refused(device, dp_conv2d_gradient_input(device, k.flat, k.y, 5, 6, NULL), ARGUMENT, "w [4]");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.ints, 5, 6, NULL), ARGUMENT, "y_gradient");
    refused(device, dp_conv2d_gradient_input(device, k.w, k.y, 5, 6, P(.epilogue = "-result")), ARGUMENT, "epilogue");
    refused(device, dp_conv2d_gradient_input_bound(device, k.w, k.y, 6, 6, NULL), ARGUMENT, "rows");
    drop(device, &k);
}

static void gradient_weights(dp_device *device)
{
    kit k = make(device);
    dp_tensor *one = dp_slice(k.y, 0, 0, 1, 1), *good = dp_conv2d_gradient_weights(device, k.x, k.y, 3, 3, NULL);
    assert_non_null(good);
    dp_tensor_release(&good);
    refused(device, dp_conv2d_gradient_weights(device, k.x, k.y, 2, 3, NULL), ARGUMENT, "3 rows");
    refused(device, dp_conv2d_gradient_weights(device, k.x, k.y, 3, 0, NULL), ARGUMENT, "0 columns");
    refused(device, dp_conv2d_gradient_weights(device, k.x, k.y, -3, 3, NULL), ARGUMENT, "-3 rows");
    refused(device, dp_conv2d_gradient_weights(device, k.x, k.y, INT64_MAX, 3, P(.dilation = {INT32_MAX, 1})), ARGUMENT, "spans");
    refused(device, dp_conv2d_gradient_weights(device, k.x, one, 3, 3, NULL), ARGUMENT, "2 images");
    refused(device, dp_conv2d_gradient_weights(device, k.x, k.y, 3, 3, P(.groups = 3)), ARGUMENT, "groups is 3");
    refused(device, dp_conv2d_gradient_weights(device, NULL, k.y, 3, 3, NULL), ARGUMENT, "x ");
    refused(device, dp_conv2d_gradient_weights(device, k.x, k.flat, 3, 3, NULL), ARGUMENT, "y_gradient [4]");
    refused(device, dp_conv2d_gradient_weights(device, k.x, k.y, 3, 3, P(.epilogue_args = {NULL, 1})), ARGUMENT, "epilogue");
    refused(device, dp_conv2d_gradient_weights_bound(device, k.ints, k.y, 3, 3, NULL), ARGUMENT, "x ");
    dp_tensor_release(&one);
    drop(device, &k);
}

static void transposed(dp_device *device)
{
    kit k = make(device);
    dp_tensor *none = dp_slice(k.y, 2, 0, 0, 1), *no_rows = dp_slice(k.w, 2, 0, 0, 1);
    refused(device, dp_conv2d_transposed(device, k.y, k.w, T(.output_padding = {1, 0})), ARGUMENT, "output_padding[0] is 1");
    refused(device, dp_conv2d_transposed(device, k.y, k.w, T(.output_padding = {0, -1})), ARGUMENT, "output_padding[1] is -1");
    refused(device, dp_conv2d_transposed(device, k.y, k.w, T(.stride = {2, 2}, .output_padding = {0, 2})), ARGUMENT, "0 to 1");
    refused(device, dp_conv2d_transposed(device, k.y, k.w, T(.padding = {3, 0})), ARGUMENT, "the result would have -1");
    refused(device, dp_conv2d_transposed(device, k.y, k.w, T(.stride = {INT32_MAX, 1}, .dilation = {INT32_MAX, 1})), ARGUMENT, "rows");
    refused(device, dp_conv2d_transposed(device, k.y, k.w, T(.stride = {-2, 1})), ARGUMENT, "stride[0] is -2");
    refused(device, dp_conv2d_transposed(device, k.y, k.w, T(.groups = 4)), ARGUMENT, "groups is 4");
    refused(device, dp_conv2d_transposed(device, k.x, k.w, NULL), ARGUMENT, "4 channels");
    refused(device, dp_conv2d_transposed(device, none, k.w, NULL), ARGUMENT, "0 rows");
    refused(device, dp_conv2d_transposed(device, k.y, no_rows, NULL), ARGUMENT, "w has 0");
    refused(device, dp_conv2d_transposed(device, NULL, k.w, NULL), ARGUMENT, "x ");
    refused(device, dp_conv2d_transposed(device, k.y, k.flat, NULL), ARGUMENT, "w [4]");
    refused(device, dp_conv2d_transposed_bound(device, k.ints, k.w, NULL), ARGUMENT, "x ");
    dp_tensor_release(&none);
    dp_tensor_release(&no_rows);
    drop(device, &k);
}

static void epilogues(dp_device *device)
{
    kit k = make(device);
    dp_tensor *a = dp_full(device, DP_F32, DP_SHAPE(4, 4), 1), *tall = dp_full(device, DP_F32, DP_SHAPE(2, 4, 4), 1);
    const dp_args wide = DP_ARGS({"b", k.y, 0}), deep = DP_ARGS({"b", tall, 0}), taken = DP_ARGS({"result", k.flat, 0});
    const dp_args whole = DP_ARGS({"b", k.ints, 0}), bad = DP_ARGS({"1b", k.flat, 0}), fine = DP_ARGS({"b", k.flat, 0});
    dp_arg many[DP_MAX_ARGS] = {{.name = NULL}};
    refused(device, dp_matmul(device, a, a, M(.epilogue = "result + b")), DP_ERROR_FORMULA, "b");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "result +")), DP_ERROR_FORMULA, "matmul: epilogue");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "")), DP_ERROR_FORMULA, "epilogue");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "result[i]")), DP_ERROR_FORMULA, "epilogue");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "result, 1")), ARGUMENT, "2 outputs");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "b", .epilogue_args = deep)), ARGUMENT, "b [2, 4, 4]");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "b", .epilogue_args = wide)), ARGUMENT, "b [2, 6, 3, 4]");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "b", .epilogue_args = whole)), ARGUMENT, "b ");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "1", .epilogue_args = bad)), ARGUMENT, "1b");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "result", .epilogue_args = taken)), ARGUMENT, "op's own result");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "1", .epilogue_args = {many, DP_MAX_ARGS})), ARGUMENT, "0 to 15");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "1", .epilogue_args = {many, -1})), ARGUMENT, "-1 entries");
    refused(device, dp_matmul(device, a, a, M(.epilogue = "1", .epilogue_args = {NULL, 1})), ARGUMENT, "NULL");
    refused(device, dp_matmul(device, a, a, M(.epilogue_args = fine)), ARGUMENT, "epilogue is NULL");
    refused(device, dp_conv2d(device, k.x, k.w, P(.epilogue = "result + b", .epilogue_args = wide, .padding = {1, 1})), ARGUMENT,
            "conv2d: b [2, 6, 3, 4]");
    refused(device, dp_conv2d_transposed(device, k.y, k.w, T(.epilogue = "result + c")), DP_ERROR_FORMULA,
            "conv2d_transposed: epilogue");
    dp_tensor_release(&a);
    dp_tensor_release(&tall);
    drop(device, &k);
}

static void no_device(dp_device *device)
{
    assert_null(dp_conv2d_gradient_input(NULL, NULL, NULL, 1, 1, NULL));
    assert_null(dp_conv2d_gradient_weights(NULL, NULL, NULL, 1, 1, NULL));
    assert_null(dp_conv2d_transposed(NULL, NULL, NULL, NULL));
    assert_null(dp_conv2d_gradient_input_bound(NULL, NULL, NULL, 1, 1, NULL));
    assert_null(dp_conv2d_gradient_weights_bound(NULL, NULL, NULL, 1, 1, NULL));
    assert_null(dp_conv2d_transposed_bound(NULL, NULL, NULL, NULL));
    suite_works(device);
}

/* Bounds belong to the reference. */
static void bounds(dp_device *device)
{
    kit k = make(device);
    const bool reference = dp_device_get_info(device).type == DP_DEVICE_REFERENCE;
    dp_tensor *list[] = {
        dp_conv2d_gradient_input_bound(device, k.w, k.y, 5, 6, NULL),
        dp_conv2d_gradient_weights_bound(device, k.x, k.y, 3, 3, NULL),
        dp_conv2d_transposed_bound(device, k.y, k.w, T(.epilogue = "result^2")),
    };
    if (!reference)
        suite_failed(device, DP_ERROR_UNSUPPORTED, "bound");
    for (size_t t = 0; t < sizeof list / sizeof *list; t++) {
        assert_true(reference == (list[t] != NULL));
        dp_tensor_release(&list[t]);
    }
    drop(device, &k);
}

int main(void)
{
    static const suite_test tests[] = {
        {"windows", windows},       {"gradient to the input", gradient_input}, {"gradient to the weights", gradient_weights},
        {"transposed", transposed}, {"epilogues", epilogues},                  {"no device", no_device},
        {"bounds", bounds},
    };
    return suite_run("bad convolution", tests, sizeof tests / sizeof *tests);
}
