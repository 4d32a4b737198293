/* SPDX-License-Identifier: Apache-2.0 */
/* The tuning database: which kernel variant was the fastest for a class of contractions on a device. Entries
 * that are shipped with the library, and the user's own file over them. docs/tuning.md has the formats. */
#ifndef DP_GPU_DATABASE_H
#define DP_GPU_DATABASE_H

#include "gpu/line_file.h"
#include "gpu/shape_class.h"

#define DP__DEVICE_KEY 384

typedef struct dp__entry {
    char device[DP__DEVICE_KEY]; /* a key, with * for anything in shipped ones */
    dp__shape_class shape;
    char variant[32];
    double gflops;        /* 0: not measured */
    char library[24];     /* the version that measured it, "-" */
    uint64_t source;      /* dp__variant_source then, 0: not told */
    char date[16];        /* 2026-01-31 */
    char provenance[192]; /* "measured", "derived from register counts: ..." */
    bool shipped;
    int other; /* 1 + how far its device is from the one at hand, as in dp__device_distance; 0: not known yet
                */
} dp__entry;

typedef struct dp__entries {
    dp__entry *list;
    size_t count, capacity;
    bool failed; /* memory was out: some are missing */
} dp__entries;

/* Adds a text's entries; of two for the same device and class in one text the last one stays. Returns how
 * many lines were no entries. */
size_t dp__entries_parse(dp__entries *entries, const char *text, size_t length, bool shipped,
                         size_t *first_bad);
void dp__entry_print(const dp__entry *entry, dp__text *text);
void dp__entries_free(dp__entries *entries);
/* Puts the entries into a file, over what others wrote there meanwhile. */
bool dp__entries_save(const char *path, const dp__entry *list, size_t count, char message[256]);

/* "opencl/cpu/genuineintel/pthread-skylake/pocl-3-1": backend, type, vendor, name and driver in lower case,
 * with dashes for all that is no letter or digit. */
void dp__device_key(const dp_device_info *info, char key[DP__DEVICE_KEY]);
/* Whether the key is of this pattern, in which * stands for any text. */
bool dp__device_matches(const char *pattern, const char *key);
/* How little the device of a pattern has in common with the one of a key: 0 it is it, 1 the same vendor and
 * type on the same API, 2 on the other API, 3 only the same type; 4: something else. */
int dp__device_distance(const char *pattern, const char *key);

/* Keeps those that may be of use on a device, and notes how near theirs are. */
void dp__entries_narrow(dp__entries *entries, const char *device);
/* Which entry to start from for a class: of this device or the nearest known one, and the nearest class, at
 * most DP__FARTHEST_CLASS away. `usable` (may be NULL) tells which entries may be taken at all. NULL where
 * there is none. */
#define DP__FARTHEST_CLASS 4.0
typedef bool dp__entry_filter(void *data, const dp__entry *entry);
const dp__entry *dp__entries_find(const dp__entries *entries, const char *device,
                                  const dp__shape_class *shape, dp__entry_filter *usable, void *data);

/* One timing of the tuner's, as its log keeps it; the cost model learns from them. */
typedef struct dp__timing {
    char device[DP__DEVICE_KEY];
    uint32_t units, vector, group; /* compute units, widest vector, largest group of the device */
    uint64_t local;                /* its local memory */
    dp__shape_class shape;
    char variant[32];
    double seconds, gflops;
    char date[16];
} dp__timing;

typedef struct dp__timings {
    dp__timing *list;
    size_t count, capacity;
    bool failed;
} dp__timings;

size_t dp__timings_parse(dp__timings *timings, const char *text, size_t length);
void dp__timing_print(const dp__timing *timing, dp__text *text);
void dp__timings_free(dp__timings *timings);

/* Where the user's own file is: $DIPOLE_TUNING, else $XDG_DATA_HOME/dipole/tuning.txt, else
 * ~/.local/share/dipole/tuning.txt. False where there is no such place, or DIPOLE_TUNING is "off". With a
 * suffix the files beside it: ".log", ".verified". */
bool dp__database_path(const char *suffix, dp__text *path);
bool dp__database_off(void);
/* Today, 2026-01-31. */
void dp__database_date(char date[16]);

/* What is shipped: data/tuning/NAME.txt and data/tuning/logs/NAME.txt, built in by scripts/embed-tuning.py.
 */
typedef struct dp__shipped_file {
    const char *name, *text;
    bool log;
} dp__shipped_file;
extern const dp__shipped_file dp__shipped_files[]; /* ends with a NULL name */
void dp__shipped_entries(dp__entries *entries);
void dp__shipped_timings(dp__timings *timings);

#endif
