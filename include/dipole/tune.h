/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning: which kernel is the fastest on this device is measured, checked, and kept in a file that later
 * processes use.
 *
 * Without it everything works with entries that are shipped, of the nearest device that is known, or with
 * choices that are safe on the kind of device. Environment: DIPOLE_TUNING is the user's own file (else
 * $XDG_DATA_HOME/dipole/tuning.txt, else
 * ~/.local/share/dipole/tuning.txt); "off": neither it nor shipped entries are used. docs/tuning.md has the
 * file's format. */
#ifndef DIPOLE_TUNE_H
#define DIPOLE_TUNE_H

#include <dipole/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In which order kernels are tried. */
typedef enum dp_tune_order {
    DP_TUNE_BY_MODEL, /* the most promising first, by what was measured on this and on other devices */
    DP_TUNE_RANDOM,
    DP_TUNE_BY_TABLE
} dp_tune_order;

typedef enum dp_tune_stage {
    DP_TUNE_SHAPE,    /* begins with a shape: `seconds` is its budget */
    DP_TUNE_PLANNED,  /* of a dry run: this would be tried next */
    DP_TUNE_MEASURED, /* a kernel was right, and timed */
    DP_TUNE_WRONG,    /* it computed something else than the reference; it will not be used on this device */
    DP_TUNE_FAILED,   /* the driver would not build or run it: `message` */
    DP_TUNE_CHOSEN    /* the fastest of those that were tried; ends a shape */
} dp_tune_stage;

/* What is told while it works. Texts are valid during the call. */
typedef struct dp_tune_event {
    dp_tune_stage stage;
    const char *shape;       /* as in the options */
    const char *shape_class; /* "matmul nnn m=512 n=512 k=512 batches=1": all shapes of one class get the same
                                kernel */
    const char *variant;     /* "tiles_64x64"; "" for DP_TUNE_SHAPE */
    const char *message;
    double seconds; /* the median of one call, or of the part of it that was timed */
    double gflops;  /* GFLOP/s */
    double done;    /* of everything, 0 .. 1 */
    int tried, candidates;
    bool is_default; /* it is what is taken where nothing was measured */
} dp_tune_event;

/* All zeros: everything there is, for a minute, into the user's file. */
typedef struct dp_tune_options {
    const char *op; /* only shapes of "matmul", "conv2d", "conv2d_input" or "conv2d_weights"; NULL: all */
    const char *const
        *shapes; /* "matmul 512x512x512 nt batches=8", "conv2d 16x64x28x28x128x3x3 stride=2"; NULL: a list of
                  * matrix products and of convolutions of DCGAN and ResNet-50 */
    size_t shape_count;
    double seconds;  /* what it may take, up to a day; 0: 60. A shape that has begun gets at least one kernel
                        measured */
    bool exhaustive; /* every kernel for every shape, however long it takes */
    bool cpu_time; /* times by what the process uses of the CPU instead of the clock: for devices that run on
                    * the CPU, on a machine that others use too */
    bool fresh; /* nothing is learnt from timings of this very device, as if it were met for the first time */
    dp_tune_order order;
    uint64_t seed;    /* of DP_TUNE_RANDOM */
    bool dry_run;     /* tells what would be tried, and runs nothing */
    const char *file; /* the database; NULL: the user's; "": nothing is written */
    bool (*progress)(void *data,
                     const dp_tune_event *event); /* may be NULL; false: stop now, and keep what was found */
    void *data;
} dp_tune_options;

/* Tries kernels for a list of shapes: each is compared with the reference within its error bound, on a small
 * shape and one whose sizes are no multiples of anything, and then timed in turns with the others, in
 * launches well under a second. At the end, or when it is stopped, the fastest one of each shape is written
 * to the database, over what other processes wrote there meanwhile; timings are added to the file's log (its
 * name with ".log"), from which later runs learn where to look first. The device uses the new entries right
 * away. NULL options: all defaults. Errors: UNSUPPORTED on "ref", which has nothing to tune; ARGUMENT for an
 * op, shape or order that there is not; IO where the file cannot be written, told before anything is
 * measured; DEVICE_LOST. A kernel that does not build or is wrong is no error: see `progress`. Being stopped
 * by `progress` is none either. */
DP_API dp_status dp_tune(dp_device *device, const dp_tune_options *options);

#ifdef __cplusplus
}
#endif
#endif
