/* SPDX-License-Identifier: Apache-2.0 */
#include "train_labelled.h"

#include <stdlib.h>
#include <string.h>

#define CHOICE_SEED 77003 /* which rows of a class: of the run's seed, apart from its other numbers */

typedef struct labelled_row {
    float key;
    int32_t label, row;
} labelled_row;

/* By class, and in random order within each. */
static int by_class(const void *a, const void *b)
{
    const labelled_row *x = a, *y = b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* All rows in this order; NULL after a message. */
static labelled_row *sorted(const train_run *run, const int32_t *labels, int64_t rows, int classes)
{
    labelled_row *row = calloc((size_t)rows, sizeof *row);
    float *key = malloc((size_t)rows * sizeof *key);
    dp_tensor *keys =
        dp_uniform(run->device, (uint64_t)run->options.seed + CHOICE_SEED, DP_SHAPE(rows), 0, 1);
    bool done = row && key && dp_read(keys, key, (size_t)rows * sizeof *key) == DP_OK;
    if (!row || !key)
        cli_error("out of memory");
    else if (!done)
        train_ok(run, "labels");
    for (int64_t r = 0; done && r < rows; r++) {
        row[r] = (labelled_row){key[r], labels[r], (int32_t)r};
        if (labels[r] < 0 || labels[r] >= classes) {
            cli_error("labels: row %lld has %d: 0 to %d is allowed", (long long)r, (int)labels[r],
                      classes - 1);
            done = false;
        }
    }
    if (done)
        qsort(row, (size_t)rows, sizeof *row, by_class);
    dp_tensor_release(&keys);
    free(key);
    if (done)
        return row;
    free(row);
    return NULL;
}

/* Fills the lists of chosen rows and of each class's members from sorted rows. */
static bool choose(labelled *l, const labelled_row *row, int64_t rows, int64_t per_class, int32_t *chosen,
                   int32_t **members)
{
    int64_t *first = calloc((size_t)l->classes + 1, sizeof *first), r = 0;
    for (int c = 0; first && c < l->classes; c++) {
        const int64_t begin = r;
        first[c] = l->count;
        while (r < rows && row[r].label == c) {
            if (per_class == 0 || r - begin < per_class)
                chosen[l->count++] = row[r].row;
            r++;
        }
        const int64_t own = l->count - first[c];
        l->longest = own > l->longest ? own : l->longest;
        if (own == 0 || own < per_class) {
            cli_error("class %d has %lld samples%s", c, (long long)own,
                      own ? ": --per-class is more" : "; it needs one");
            free(first);
            return false;
        }
    }
    *members = first ? malloc((size_t)(l->classes * l->longest) * sizeof **members) : NULL;
    if (!*members)
        cli_error("out of memory");
    if (first)
        first[l->classes] = l->count;
    for (int c = 0; *members && c < l->classes; c++)
        for (int64_t k = 0; k < l->longest; k++)
            (*members)[c * l->longest + k] = chosen[first[c] + k % (first[c + 1] - first[c])];
    free(first);
    return *members != NULL;
}

static dp_tensor *other_classes(dp_device *device, int classes)
{
    int32_t *table = malloc((size_t)classes * (size_t)(classes - 1) * sizeof *table);
    dp_tensor *others = NULL;
    for (int c = 0; table && c < classes; c++)
        for (int k = 0; k < classes - 1; k++)
            table[c * (classes - 1) + k] = k < c ? k : k + 1;
    if (table)
        others = dp_from(device, DP_I32, DP_SHAPE(classes, classes - 1), table);
    free(table);
    return others;
}

bool labelled_open(const train_run *run, dp_tensor *values, const int32_t *labels, int classes,
                   int64_t per_class, labelled *l)
{
    const int64_t rows = dp_tensor_shape(values).dim[0];
    *l = (labelled){.values = dp_tensor_retain(values), .classes = classes};
    labelled_row *row = sorted(run, labels, rows, classes);
    int32_t *members = NULL;
    l->host_chosen = row ? malloc((size_t)rows * sizeof *l->host_chosen) : NULL;
    if (row && !l->host_chosen)
        cli_error("out of memory");
    bool done = l->host_chosen && choose(l, row, rows, per_class, l->host_chosen, &members);
    if (done) {
        l->labels = dp_from(run->device, DP_I32, DP_SHAPE(rows), labels);
        l->chosen = dp_from(run->device, DP_I32, DP_SHAPE(l->count), l->host_chosen);
        l->members = dp_from(run->device, DP_I32, DP_SHAPE(classes, l->longest), members);
        l->others = other_classes(run->device, classes);
        done = train_ok(run, "labels");
    }
    if (done && !l->others) {
        cli_error("out of memory");
        done = false;
    }
    free(members);
    free(row);
    return done;
}

void labelled_close(labelled *l)
{
    dp_tensor_release(&l->values);
    dp_tensor_release(&l->labels);
    dp_tensor_release(&l->chosen);
    dp_tensor_release(&l->members);
    dp_tensor_release(&l->others);
    free(l->host_chosen);
    *l = (labelled){0};
}

dp_tensor *labelled_draw(const train_run *run, const labelled *l, int place, int64_t count)
{
    dp_tensor *at = train_randint(run, place, DP_SHAPE(count), l->count);
    dp_tensor *rows = dp_gather_rows(run->device, l->chosen, at);
    dp_tensor_release(&at);
    return rows;
}

/* One random element of the row of `table` [classes, columns] that each label names: [N]. */
static dp_tensor *pick(const train_run *run, const dp_tensor *table, int place, const dp_tensor *labels)
{
    const int64_t count = dp_tensor_shape(labels).dim[0], columns = dp_tensor_shape(table).dim[1];
    dp_tensor *lists = dp_gather_rows(run->device, table, labels),
              *at = train_randint(run, place, DP_SHAPE(count, 1), columns);
    dp_tensor *picked = dp_gather(run->device, lists, at, 1), *flat = dp_reshape(picked, DP_SHAPE(count));
    dp_tensor_release(&lists);
    dp_tensor_release(&at);
    dp_tensor_release(&picked);
    return flat;
}

dp_tensor *labelled_same(const train_run *run, const labelled *l, int place, const dp_tensor *labels)
{
    return pick(run, l->members, place, labels);
}

dp_tensor *labelled_other(const train_run *run, const labelled *l, int place, const dp_tensor *labels)
{
    dp_tensor *classes = pick(run, l->others, place, labels);
    dp_tensor *rows = pick(run, l->members, place + 1, classes);
    dp_tensor_release(&classes);
    return rows;
}
