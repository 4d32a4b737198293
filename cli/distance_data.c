/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the two sides of a distance. */
#include "distance.h"

#include <math.h>
#include <string.h>

static int64_t row_size(const dp_shape *shape)
{
    int64_t size = 1;
    for (int axis = 1; axis < shape->rank; axis++)
        size *= shape->dim[axis];
    return size;
}

static bool read_file(const char *path, int64_t limit, dp_data *data)
{
    char message[512];
    if (dp_data_read(path, limit, data, message, sizeof(message)) == DP_OK)
        return true;
    cli_error("%s", message);
    return false;
}

/* How many rows must be read until `limit` (0: all) of the class are among them. */
static int64_t rows_needed(const dp_data *labels, int64_t label, int64_t limit)
{
    int64_t needed = 0, found = 0;
    for (int64_t r = 0; r < labels->shape.dim[0] && (limit == 0 || found < limit); r++)
        if (labels->values[r] == (float)label) {
            needed = r + 1;
            found++;
        }
    return needed;
}

/* Moves the rows of the class to the front. */
static void keep_class(distance_set *set, const dp_data *labels, int64_t label)
{
    int64_t kept = 0;
    for (int64_t r = 0; r < set->rows; r++)
        if (labels->values[r] == (float)label)
            memmove(set->data.values + kept++ * set->dim, set->data.values + r * set->dim,
                    (size_t)set->dim * sizeof(float));
    set->rows = kept;
}

static bool read_rows(distance_set *set, int64_t limit)
{
    if (!read_file(set->path, limit, &set->data))
        return false;
    set->rows = set->data.shape.dim[0];
    set->dim = row_size(&set->data.shape);
    if (set->rows > 0 && set->dim > 0)
        return true;
    cli_error("%s: has %s", set->path, set->rows == 0 ? "no rows" : "rows without values");
    return false;
}

static bool read_class(distance_set *set, const char *labels_path, const dp_data *labels, int64_t label,
                       int64_t limit)
{
    if (row_size(&labels->shape) != 1) {
        cli_error("%s: holds more than one number a row; labels are one", labels_path);
        return false;
    }
    const int64_t needed = rows_needed(labels, label, limit);
    if (needed == 0) {
        cli_error("%s: no row has the label %lld", labels_path, (long long)label);
        return false;
    }
    if (!read_rows(set, needed))
        return false;
    if (set->rows < needed) {
        cli_error("%s: has %lld rows, fewer than %s has labels", set->path, (long long)set->rows,
                  labels_path);
        return false;
    }
    keep_class(set, labels, label);
    return true;
}

static bool check_finite(const distance_set *set)
{
    for (int64_t v = 0; v < set->rows * set->dim; v++)
        if (!isfinite(set->data.values[v])) {
            cli_error("%s: a value of row %lld is not finite", set->path, (long long)(v / set->dim) + 1);
            return false;
        }
    return true;
}

bool distance_load(const distance_options *options, const char *path, const char *labels, int64_t label,
                   distance_set *set)
{
    *set = (distance_set){.path = path};
    bool good;
    if (labels) {
        dp_data numbers = {0};
        good = read_file(labels, 0, &numbers) && read_class(set, labels, &numbers, label, options->limit);
        dp_data_free(&numbers);
    } else {
        good = read_rows(set, options->limit);
    }
    if (!good || !check_finite(set))
        return false;
    if (options->unbiased && set->rows < 2) {
        cli_error("--unbiased: needs 2 rows or more, %s has 1", path);
        return false;
    }
    /* Bytes are taken for pixels, which by custom run from 0 to 1. */
    set->scale = !isnan(options->scale) ? options->scale : strcmp(set->data.type, "u1") == 0 ? 1.0 / 255 : 1;
    return true;
}

bool distance_match(const distance_set *a, const distance_set *b)
{
    if (a->dim == b->dim)
        return true;
    cli_error("%s has rows of %lld values, %s of %lld", a->path, (long long)a->dim, b->path,
              (long long)b->dim);
    return false;
}

static void multiply(distance_set *set)
{
    for (int64_t v = 0; v < set->rows * set->dim; v++)
        set->data.values[v] = (float)((double)set->data.values[v] * set->scale);
    set->scale = 1;
}

void distance_scale(distance_set *a, distance_set *b, bool one)
{
    if (!one && a->scale == b->scale)
        return;
    multiply(a);
    multiply(b);
}
