/* SPDX-License-Identifier: Apache-2.0 */
/* What a device knows of fast kernels: the entries of the tuning database that concern it, and which of their
 * kernels were found right here. No entry is used before that. */
#ifndef DP_GPU_TUNED_H
#define DP_GPU_TUNED_H

#include "gpu/contraction.h"
#include "gpu/database.h"

typedef struct dp__tuned dp__tuned;

dp__tuned *dp__tuned_create(void); /* reads nothing yet; NULL where memory is out */
void dp__tuned_free(dp__gpu *gpu); /* writes down which kernels were found right or wrong */

/* The variant of the database's best entry for this call that suits it and whose kernel is right, or NULL.
 * Where the kernel of an entry was never compared with the reference on this device, it is now. Leaves no
 * failure in the device. */
const dp__variant *dp__tuned_choice(dp__gpu *gpu, const dp__contraction *call);

typedef enum dp__tuned_verdict {
    DP__TUNED_RIGHT,
    DP__TUNED_WRONG, /* for good: until its source, the driver or the device is another */
    DP__TUNED_FAILED /* it could not be built or run; or there is no memory */
} dp__tuned_verdict;

/* Whether the kernel that a variant takes for a call is right: by what is known, else by running it on a
 * small call of the same layout for which the same kernel is built. `thorough`: on one more whose sizes are
 * no multiples of anything, whatever is known. `message` (may be NULL) tells why not. Leaves no failure in
 * the device, unless that is lost. */
dp__tuned_verdict dp__tuned_verify(dp__gpu *gpu, const dp__contraction *call, const dp__variant *variant,
                                   bool thorough, char message[256]);

/* Writes what was found right or wrong to the file beside the database. False with the reason where that
 * cannot be. */
bool dp__tuned_save_verdicts(dp__gpu *gpu, char message[256]);
/* Takes an entry in, over what is known. */
void dp__tuned_add(dp__gpu *gpu, const dp__entry *entry);

/* A hash of a variant's parameters and of its kernel's source in one dialect: what was measured with another
 * is out of date. */
uint64_t dp__variant_source(const dp__variant *variant, bool glsl);

#endif
