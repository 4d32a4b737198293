/* SPDX-License-Identifier: Apache-2.0 */
/* Lesson 4: classification by the k nearest neighbours, on MNIST where its files are there, else on made
 * points. The table of distances (60,000 x 10,000 for all of MNIST) is never stored. 04_nearest_neighbours
 * [FOLDER] [--limit ROWS] FOLDER has train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte
 * and t10k-labels-idx1-ubyte, or those with .gz behind; --limit takes at most so many rows of each. */
#include <dipole/dipole.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define K       5
#define CLASSES 256

/* Rows of points on the device, and the class of each. */
typedef struct labelled {
    dp_tensor *points;
    int *label;
    int64_t rows;
} labelled;

static bool read_file(const char *folder, const char *prefix, const char *name, int64_t limit, dp_data *data)
{
    static const char *const endings[] = {"", ".gz"};
    char path[4096], message[512] = "";
    for (int e = 0; e < 2; e++) {
        snprintf(path, sizeof path, "%s/%s-%s-ubyte%s", folder, prefix, name, endings[e]);
        if (dp_data_read(path, limit, data, message, sizeof message) == DP_OK)
            return true;
    }
    fprintf(stderr, "%s\n", message);
    return false;
}

/* Labels are whole numbers from 0 to CLASSES - 1. */
static bool take_labels(const dp_data *labels, labelled *set)
{
    set->label = calloc((size_t)set->rows, sizeof *set->label);
    for (int64_t i = 0; set->label && i < set->rows; i++) {
        const float label = labels->values[i];
        if (!(label >= 0 && label < CLASSES))
            return false;
        set->label[i] = (int)label;
    }
    return set->label != NULL;
}

static bool read_set(dp_device *dev, const char *folder, const char *prefix, int64_t limit, labelled *set)
{
    dp_data images = {0}, labels = {0};
    bool good = read_file(folder, prefix, "images-idx3", limit, &images) &&
                read_file(folder, prefix, "labels-idx1", limit, &labels);
    if (good) {
        set->rows = images.shape.dim[0];
        good = images.shape.rank == 3 && labels.shape.rank == 1 && labels.shape.dim[0] == set->rows &&
               set->rows > 0 && take_labels(&labels, set);
        if (!good)
            fprintf(stderr, "%s: these images and labels do not fit together\n", folder);
    }
    if (good)
        set->points = dp_from(dev, DP_F32, DP_SHAPE(set->rows, images.shape.dim[1] * images.shape.dim[2]),
                              images.values);
    dp_data_free(&images);
    dp_data_free(&labels);
    return good && set->points;
}

/* Ten classes in eight dimensions: normal clouds whose centres lie so near that some points are taken for
 * others. */
static bool make_set(dp_device *dev, uint64_t seed, int64_t each, labelled *set)
{
    enum { D = 8, MADE = 10 };
    dp_tensor *centre = dp_randn(dev, 1, DP_SHAPE(MADE, D)),
              *noise = dp_randn(dev, seed, DP_SHAPE(each, MADE, D));
    dp_tensor *cloud =
        dp_map(dev, "1.5 * centre + noise", DP_ARGS({"centre", centre, 0}, {"noise", noise, 0}));
    set->rows = each * MADE;
    set->points = dp_reshape(cloud, DP_SHAPE(set->rows, D));
    set->label = calloc((size_t)set->rows, sizeof *set->label);
    for (int64_t i = 0; set->label && i < set->rows; i++)
        set->label[i] = (int)(i % MADE);
    return set->points && set->label;
}

/* The class that most of the first k neighbours have; of several the one whose neighbour is nearest. */
static int vote(const int32_t *neighbours, int k, const int *label)
{
    int votes[CLASSES] = {0}, best = 0;
    for (int t = 0; t < k && neighbours[t] >= 0; t++) /* -1: there are no more */
        votes[label[neighbours[t]]]++;
    for (int t = k - 1; t >= 0; t--)
        if (neighbours[t] >= 0 && votes[label[neighbours[t]]] >= votes[best])
            best = label[neighbours[t]];
    return best;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool classify(dp_device *dev, const labelled *known, const labelled *unknown)
{
    int32_t *found = calloc((size_t)(unknown->rows * K), sizeof *found);
    dp_tensor *neighbours = NULL;
    const double start = seconds();
    dp_pairwise_smallest(dev, "sqdist(x[i], y[j])", K, DP_OVER_J,
                         DP_ARGS({"x", unknown->points, 0}, {"y", known->points, 0}), NULL, &neighbours);
    const bool good =
        found && dp_read(neighbours, found, (size_t)(unknown->rows * K) * sizeof *found) == DP_OK;
    const double end = seconds();
    for (int k = 1; good && k <= K; k += 2) {
        int64_t right = 0;
        for (int64_t i = 0; i < unknown->rows; i++)
            right += vote(found + i * K, k, known->label) == unknown->label[i];
        printf("k = %d: %.2f %% are right\n", k, 100.0 * (double)right / (double)unknown->rows);
    }
    if (good)
        printf("%.2f s on %s, with the build of its kernels\n", end - start, dp_device_get_info(dev).name);
    free(found);
    return good;
}

int main(int argc, char **argv)
{
    const char *folder = NULL;
    int64_t limit = 0;
    for (int a = 1; a < argc; a++) {
        if (!strcmp(argv[a], "--limit") && a + 1 < argc)
            limit = strtoll(argv[++a], NULL, 10);
        else
            folder = argv[a];
    }
    dp_device *dev = dp_device_open(NULL); /* the best device there is */
    labelled known = {0}, unknown = {0};
    bool good = folder ? read_set(dev, folder, "train", limit, &known) &&
                             read_set(dev, folder, "t10k", limit, &unknown)
                       : make_set(dev, 2, 500, &known) && make_set(dev, 3, 100, &unknown);
    if (good)
        printf("%lld points, by their neighbours among %lld\n", (long long)unknown.rows,
               (long long)known.rows);
    good = good && classify(dev, &known, &unknown);
    if (dp_failed(dev))
        fprintf(stderr, "%s\n", dp_message(dev));
    free(known.label);
    free(unknown.label);
    dp_device_close(&dev); /* and every tensor on it */
    return good ? 0 : 1;
}
