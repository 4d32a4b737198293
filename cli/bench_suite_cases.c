/* SPDX-License-Identifier: Apache-2.0 */
/* The fixed list of `dipole bench --suite`, and how a row of it becomes something to time. A new case is a
 * new row; a row that changes or goes, and one that comes, makes a new SUITE_VERSION. */
#include "bench_suite.h"

#include <stdio.h>
#include <string.h>

#define T    SUITE_TINY
#define QF   (SUITE_QUICK | SUITE_FULL)
#define FULL SUITE_FULL

const suite_case suite_cases[] = {
    /* How long what does nothing takes. */
    {"launch", "one, and the wait for it", "launch", "queued=1", T | QF},
    {"launch", "one of 100 queued", "launch", "queued=100", T | QF},

    {"transfer", "to the device, 4 KiB", "upload", "bytes=4096", T | QF},
    {"transfer", "to the device, 1 MiB", "upload", "bytes=1048576", QF},
    {"transfer", "to the device, 64 MiB", "upload", "bytes=67108864", QF},
    {"transfer", "from the device, 4 KiB", "download", "bytes=4096", T | QF},
    {"transfer", "from the device, 1 MiB", "download", "bytes=1048576", QF},
    {"transfer", "from the device, 64 MiB", "download", "bytes=67108864", QF},

    {"matmul", "8 x 8 x 8", "matmul", "m=8 n=8 k=8", T},
    {"matmul", "64 x 64 x 64", "matmul", "m=64 n=64 k=64", QF},
    {"matmul", "128 x 128 x 128", "matmul", "m=128 n=128 k=128", QF},
    {"matmul", "4096 x 1 x 1024", "matmul", "m=4096 n=1 k=1024", QF},
    {"matmul", "4096 x 64 x 64", "matmul", "m=4096 n=64 k=64", QF},
    {"matmul", "256 x 256 x 256", "matmul", "m=256 n=256 k=256", QF},
    {"matmul", "64 of 64 x 64 x 64", "matmul", "m=64 n=64 k=64 ab=64 bb=64", QF},
    {"matmul", "512 x 512 x 512", "matmul", "m=512 n=512 k=512", QF},
    {"matmul", "512 x 512 x 512, B transposed", "matmul", "m=512 n=512 k=512 tb=1", QF},
    {"matmul", "64 x 1024 x 4096", "matmul", "m=64 n=1024 k=4096", QF},
    {"matmul", "64 x 4096 x 1024", "matmul", "m=64 n=4096 k=1024", QF},
    {"matmul", "1024 x 1024 x 1024", "matmul", "m=1024 n=1024 k=1024", QF},
    {"matmul", "2048 x 2048 x 2048", "matmul", "m=2048 n=2048 k=2048", FULL},

    /* DCGAN: the discriminator's convolutions for images of 64 x 64 (Radford, Metz, Chintala, ICLR 2016),
       C-K, 4 x 4, stride 2. */
    {"conv2d", "tiny, 2-3 channels, 3 x 3", "conv2d", "n=1 c=2 h=5 w=4 k=3 r=3 s=3 ph=1 pw=1", T},
    {"conv2d", "DCGAN 3-64, 64 x 64", "conv2d", "n=1 c=3 h=64 w=64 k=64 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d", "DCGAN 3-64, 64 x 64, batch 8", "conv2d", "n=8 c=3 h=64 w=64 k=64 r=4 s=4 sh=2 sw=2 ph=1 pw=1",
     QF},
    {"conv2d", "DCGAN 64-128, 32 x 32, batch 8", "conv2d",
     "n=8 c=64 h=32 w=32 k=128 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d", "DCGAN 128-256, 16 x 16, batch 8", "conv2d",
     "n=8 c=128 h=16 w=16 k=256 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d", "DCGAN 256-512, 8 x 8, batch 8", "conv2d",
     "n=8 c=256 h=8 w=8 k=512 r=4 s=4 sh=2 sw=2 ph=1 pw=1", FULL},
    {"conv2d", "DCGAN 3-64, 64 x 64, batch 64", "conv2d",
     "n=64 c=3 h=64 w=64 k=64 r=4 s=4 sh=2 sw=2 ph=1 pw=1", FULL},
    {"conv2d", "DCGAN 64-128, 32 x 32, batch 64", "conv2d",
     "n=64 c=64 h=32 w=32 k=128 r=4 s=4 sh=2 sw=2 ph=1 pw=1", FULL},
    /* ResNet-50 (He, Zhang, Ren, Sun, CVPR 2016, table 1), one image of 224 x 224. */
    {"conv2d", "ResNet-50 1 x 1, 64-256, 56 x 56", "conv2d", "n=1 c=64 h=56 w=56 k=256 r=1 s=1", QF},
    {"conv2d", "ResNet-50 7 x 7 stride 2, 3-64, 224 x 224", "conv2d",
     "n=1 c=3 h=224 w=224 k=64 r=7 s=7 sh=2 sw=2 ph=3 pw=3", QF},
    {"conv2d", "ResNet-50 3 x 3, 64-64, 56 x 56", "conv2d", "n=1 c=64 h=56 w=56 k=64 r=3 s=3 ph=1 pw=1", QF},
    {"conv2d", "ResNet-50 3 x 3, 128-128, 28 x 28", "conv2d", "n=1 c=128 h=28 w=28 k=128 r=3 s=3 ph=1 pw=1",
     FULL},
    {"conv2d", "ResNet-50 3 x 3, 256-256, 14 x 14", "conv2d", "n=1 c=256 h=14 w=14 k=256 r=3 s=3 ph=1 pw=1",
     QF},
    {"conv2d", "ResNet-50 3 x 3, 512-512, 7 x 7", "conv2d", "n=1 c=512 h=7 w=7 k=512 r=3 s=3 ph=1 pw=1",
     FULL},
    {"conv2d", "ResNet-50 1 x 1, 1024-256, 14 x 14", "conv2d", "n=1 c=1024 h=14 w=14 k=256 r=1 s=1", FULL},
    {"conv2d", "ResNet-50 3 x 3, 64-64, 56 x 56, batch 8", "conv2d",
     "n=8 c=64 h=56 w=56 k=64 r=3 s=3 ph=1 pw=1", FULL},

    /* The generator's last layer but one, and its last. */
    {"conv2d", "transposed: tiny, 2-3, 2 x 2", "conv2d_transposed", "n=1 c=2 h=2 w=3 k=3 r=2 s=2 sh=2 sw=2",
     T},
    {"conv2d", "transposed: DCGAN 64-3, 32 x 32, batch 8", "conv2d_transposed",
     "n=8 c=64 h=32 w=32 k=3 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d", "transposed: DCGAN 128-64, 16 x 16, batch 8", "conv2d_transposed",
     "n=8 c=128 h=16 w=16 k=64 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d_gradient", "to the input: tiny, 2-3, 3 x 3", "conv2d_gradient_input",
     "n=1 c=2 h=5 w=4 k=3 r=3 s=3 ph=1 pw=1", T},
    {"conv2d_gradient", "to the input: DCGAN 3-64, 64 x 64", "conv2d_gradient_input",
     "n=1 c=3 h=64 w=64 k=64 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d_gradient", "to the input: ResNet-50 1 x 1, 64-256, 56 x 56", "conv2d_gradient_input",
     "n=1 c=64 h=56 w=56 k=256 r=1 s=1", QF},
    {"conv2d_gradient", "to the input: ResNet-50 3 x 3, 64-64, 56 x 56", "conv2d_gradient_input",
     "n=1 c=64 h=56 w=56 k=64 r=3 s=3 ph=1 pw=1", QF},
    {"conv2d_gradient", "to the input: ResNet-50 3 x 3, 256-256, 14 x 14", "conv2d_gradient_input",
     "n=1 c=256 h=14 w=14 k=256 r=3 s=3 ph=1 pw=1", FULL},
    {"conv2d_gradient", "to the input: DCGAN 64-128, 32 x 32, batch 8", "conv2d_gradient_input",
     "n=8 c=64 h=32 w=32 k=128 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d_gradient", "to the input: DCGAN 64-128, 32 x 32, batch 64", "conv2d_gradient_input",
     "n=64 c=64 h=32 w=32 k=128 r=4 s=4 sh=2 sw=2 ph=1 pw=1", FULL},
    {"conv2d_gradient", "to the weights: tiny, 2-3, 3 x 3", "conv2d_gradient_weights",
     "n=1 c=2 h=5 w=4 k=3 r=3 s=3 ph=1 pw=1", T},
    {"conv2d_gradient", "to the weights: DCGAN 3-64, 64 x 64", "conv2d_gradient_weights",
     "n=1 c=3 h=64 w=64 k=64 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d_gradient", "to the weights: ResNet-50 1 x 1, 64-256, 56 x 56", "conv2d_gradient_weights",
     "n=1 c=64 h=56 w=56 k=256 r=1 s=1", QF},
    {"conv2d_gradient", "to the weights: ResNet-50 3 x 3, 64-64, 56 x 56", "conv2d_gradient_weights",
     "n=1 c=64 h=56 w=56 k=64 r=3 s=3 ph=1 pw=1", QF},
    {"conv2d_gradient", "to the weights: ResNet-50 3 x 3, 256-256, 14 x 14", "conv2d_gradient_weights",
     "n=1 c=256 h=14 w=14 k=256 r=3 s=3 ph=1 pw=1", FULL},
    {"conv2d_gradient", "to the weights: DCGAN 64-128, 32 x 32, batch 8", "conv2d_gradient_weights",
     "n=8 c=64 h=32 w=32 k=128 r=4 s=4 sh=2 sw=2 ph=1 pw=1", QF},
    {"conv2d_gradient", "to the weights: DCGAN 64-128, 32 x 32, batch 64", "conv2d_gradient_weights",
     "n=64 c=64 h=32 w=32 k=128 r=4 s=4 sh=2 sw=2 ph=1 pw=1", FULL},

    {"pairwise", "energy, 16 x 16, d = 3", "pairwise", "f=plummer r=sum over=all n=16 m=16 d=3", T},
    {"pairwise", "energy, 1024 x 1024, d = 3", "pairwise", "f=plummer r=sum over=all n=1024 m=1024 d=3", QF},
    {"pairwise", "energy, 4096 x 4096, d = 2", "pairwise", "f=plummer r=sum over=all n=4096 m=4096 d=2", QF},
    {"pairwise", "energy, 4096 x 4096, d = 3", "pairwise", "f=plummer r=sum over=all n=4096 m=4096 d=3", QF},
    {"pairwise", "force, 4096 x 4096, d = 2", "pairwise", "f=force r=sum n=4096 m=4096 d=2", QF},
    {"pairwise", "force, 4096 x 4096, d = 3", "pairwise", "f=force r=sum n=4096 m=4096 d=3", QF},
    {"pairwise", "energy, 2048 x 2048, d = 16", "pairwise", "f=plummer r=sum over=all n=2048 m=2048 d=16",
     QF},
    {"pairwise", "force, 2048 x 2048, d = 16", "pairwise", "f=force r=sum n=2048 m=2048 d=16", QF},
    {"pairwise", "energy, 512 x 512, d = 784", "pairwise", "f=plummer r=sum over=all n=512 m=512 d=784", QF},
    {"pairwise", "force, 512 x 512, d = 784", "pairwise", "f=force r=sum n=512 m=512 d=784", QF},
    {"pairwise", "energy, 65536 x 65536, d = 3", "pairwise", "f=plummer r=sum over=all n=65536 m=65536 d=3",
     FULL},
    {"pairwise", "force, 65536 x 65536, d = 3", "pairwise", "f=force r=sum n=65536 m=65536 d=3", FULL},
    {"pairwise_smallest", "3 of 4 x 9, d = 3", "pairwise_smallest", "k=3 n=4 m=9 d=3", T},
    {"pairwise_smallest", "8 of 2048 x 2048, d = 3", "pairwise_smallest", "k=8 n=2048 m=2048 d=3", QF},
    {"pairwise_smallest", "32 of 8192 x 8192, d = 3", "pairwise_smallest", "k=32 n=8192 m=8192 d=3", FULL},

    {"reduce", "sum of 100", "reduce", "r=sum n=100", T},
    {"reduce", "sum of 2^20", "reduce", "r=sum n=1048576", QF},
    {"reduce", "sum of rows, 2048 x 1024", "reduce", "r=sum x=2048x1024 axes=1", QF},
    {"reduce", "sum of columns, 2048 x 1024", "reduce", "r=sum x=2048x1024 axes=0", QF},
    {"reduce", "largest of rows, 2048 x 1024", "reduce", "r=max x=2048x1024 axes=1", QF},
    {"reduce", "log-sum-exp of rows, 2048 x 1024", "reduce", "r=logsumexp x=2048x1024 axes=1", QF},
    {"reduce", "sum of 2^24", "reduce", "r=sum n=16777216", FULL},

    {"map", "a x + b, 100", "map", "f=\"a * x + b\" n=100", T},
    {"map", "a x + b, 2^20", "map", "f=\"a * x + b\" n=1048576", QF},
    {"map", "x y - z, 2^22", "map", "f=\"x * y - z\" n=4194304", QF},
    {"map", "x sigmoid(x), 2^22", "map", "f=\"x * sigmoid(x)\" n=4194304", QF},
    {"map", "x y - z, 2^24", "map", "f=\"x * y - z\" n=16777216", FULL},

    {"gather", "5 rows of 10, 4 wide", "gather", "n=10 d=4 m=5", T},
    {"gather", "16384 rows of 65536, 64 wide", "gather", "n=65536 d=64 m=16384", QF},
    {"gather", "added back: 5 rows into 10, 4 wide", "scatter_add", "n=10 d=4 m=5", T},
    {"gather", "added back: 1024 rows into 1024, 64 wide", "scatter_add", "n=1024 d=64 m=1024", QF},
};
const size_t suite_case_count = CLI_COUNT(suite_cases);

static const suite_plan plans[] = {
    {"tiny", SUITE_TINY, 0.002, 0.2, 120, 1 << 12},
    {"quick", SUITE_QUICK, 0.2, 1, 180, 1 << 24},
    {"full", SUITE_FULL, 1, 5, 1800, 1 << 26},
};

const suite_plan *suite_find(const char *name)
{
    for (size_t k = 0; k < CLI_COUNT(plans); k++)
        if (strcmp(plans[k].name, name) == 0)
            return &plans[k];
    return NULL;
}

static bool launch_op(void *data)
{
    ops_run *run = data;
    ops_run_launch(run);
    return !run->failed;
}

static bool open_op(suite_run *run, const suite_case *item, dp_device *device, char *reason, size_t size)
{
    const ops_op *op = ops_find(item->op);
    if (!op || !ops_list_shape(&run->list, op, item->text)) {
        snprintf(reason, size, "%s", op ? run->list.message : "no such operation");
        return false;
    }
    ops_run_open(&run->run, &run->list.cases[0], device);
    run->work = (bench_work){device, &run->run, launch_op, 0};
    run->flops = run->run.flops;
    run->bytes = run->run.bytes;
    run->pairs = run->run.pairs;
    return true;
}

bool suite_open(suite_run *run, const suite_case *item, dp_device *device, char *reason, size_t size)
{
    *run = (suite_run){.work = {.device = device}};
    const bool moves = !strcmp(item->group, "transfer") || !strcmp(item->group, "launch");
    if (moves)
        run->move = suite_move_open(item->op, item->text, device, run);
    else if (!open_op(run, item, device, reason, size))
        return false;
    if ((moves && !run->move) || run->run.failed)
        snprintf(reason, size, "out of memory on the host");
    else if (dp_failed(device) != DP_OK)
        snprintf(reason, size, "%s", dp_message(device));
    else
        return true;
    return false;
}

void suite_close(suite_run *run)
{
    if (run->run.op)
        ops_run_close(&run->run);
    suite_move_close(&run->move);
    ops_list_free(&run->list);
}
