/* SPDX-License-Identifier: Apache-2.0 */
/* IDX, the format of MNIST: two zero bytes, the type, the rank, each size as a big-endian u32, then the
 * values, big-endian. */
#include "data/data.h"

static const struct {
    int code;
    dp__number number;
} types[] = {
    {0x08, {'u', 1, true}}, {0x09, {'i', 1, true}}, {0x0b, {'i', 2, true}},
    {0x0c, {'i', 4, true}}, {0x0d, {'f', 4, true}}, {0x0e, {'f', 8, true}},
};

dp_status dp__read_idx(dp__source *source, int64_t limit, dp_data *data)
{
    unsigned char magic[4], size[4 * DP_MAX_RANK];
    DP_CHECK(dp__source_take(source, magic, sizeof(magic), "IDX header"));
    size_t t = 0;
    while (t < DP_COUNT(types) && types[t].code != magic[2])
        t++;
    if (t == DP_COUNT(types))
        return dp__source_fail(source, DP_ERROR_FORMAT,
                               "begins like an IDX file, but of the unknown type 0x%02x", magic[2]);
    dp_shape shape = {.rank = magic[3]};
    if (shape.rank < 1 || shape.rank > DP_MAX_RANK)
        return dp__source_fail(source, DP_ERROR_FORMAT, "is an IDX file of rank %d; 1 to %d can be read",
                               shape.rank, DP_MAX_RANK);
    DP_CHECK(dp__source_take(source, size, 4 * (size_t)shape.rank, "IDX header"));
    for (int axis = 0; axis < shape.rank; axis++) {
        const unsigned char *b = size + 4 * axis;
        shape.dim[axis] = (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    }
    return dp__source_values(source, types[t].number, &shape, false, limit, data);
}
